//! Step A: labels that only say who was asked.

use super::names::{
    ASKED_BY, ASKERS, ASKERS_OWN, BEHIND_COLLECTOR, CLUSTER_WIDE, COLLECTORS, List, METRICS_OF_STATE, NAMESPACED,
    STATE_METRICS, bit, id, list,
};
use super::reading::{Fate, Reading};
use super::said;

/// Takes out the labels of the exporter, the prober and the collector.
pub(super) fn drop_asked(reading: &mut Reading<'_>, expression: &str, said: &str) {
    let names = |word: &'static str| move |value: &str| value.to_lowercase().contains(word);
    let is_state = names(STATE_METRICS);
    let reported = ASKED_BY.iter().any(|key| reading.get(key).is_some_and(|entry| is_state(entry.value)));
    if reported || METRICS_OF_STATE.iter().any(|metric| has_metric(expression, metric)) {
        drop_state_metrics(reading, said);
    } else {
        drop_exporter(reading);
    }
    // A host that is named after an exporter is the exporter.
    if reading.get("instance").is_some_and(|entry| is_asker(host(entry.value))) {
        reading.decide(&list!["instance"], Fate::Asked);
    }
    // The name of a port; a route has a slash.
    if reading.get("endpoint").is_some_and(|entry| !entry.value.contains('/')) {
        reading.decide(&list!["endpoint"], Fate::Asked);
    }
    if let Some(path) = reading.get("metrics_path").map(|entry| entry.value).filter(|path| path.starts_with("/metrics"))
    {
        reading.decide(&list!["service", "endpoint", "job"], Fate::Asked);
        if reading.any(&list!["pod", "node", "persistentvolumeclaim"]) {
            reading.decide(&list!["instance"], Fate::Asked);
        }
        if path == "/metrics/cadvisor" {
            reading.decide(&list!["name", "id"], Fate::Asked);
        }
    }
    if reading.any(&BEHIND_COLLECTOR) {
        reading.decide(&COLLECTORS, Fate::Asked);
    }
}

/// kube-state-metrics reports things that are not its own: only its own labels go.
fn drop_state_metrics(reading: &mut Reading<'_>, said: &str) {
    reading.decide(&list!["instance", "endpoint", "job"], Fate::Asked);
    let own: Vec<&str> = ["container", "pod", "service"]
        .into_iter()
        .filter(|key| reading.get(key).is_some_and(|entry| entry.value.to_lowercase().contains(STATE_METRICS)))
        .collect();
    let workload = reading.any(&NAMESPACED);
    // Its pod is the object where it is what fails: nothing else is there, and the author names it.
    let itself = !workload
        && !reading.any(&CLUSTER_WIDE)
        && reading.get("pod").is_some_and(|entry| said::names(said, entry.label, entry.value));
    if itself {
        return reading.decide(&list!["service"], Fate::Asked);
    }
    for key in &own {
        settle(reading, key);
    }
    let is_own = own.iter().any(|key| matches!(*key, "pod" | "container"));
    if is_own && !workload && reading.any(&CLUSTER_WIDE) {
        reading.decide(&list!["namespace"], Fate::Asked);
    }
}

/// Any other exporter: what it measures carries labels of its own.
fn drop_exporter(reading: &mut Reading<'_>) {
    let askers: Vec<&str> =
        ASKED_BY.iter().copied().filter(|key| reading.get(key).is_some_and(|entry| is_asker(entry.value))).collect();
    if askers.iter().any(|key| matches!(*key, "pod" | "container")) {
        reading.decide(&ASKERS_OWN, Fate::Asked);
    }
    for key in askers {
        settle(reading, key);
    }
}

fn settle(reading: &mut Reading<'_>, key: &str) {
    if let Some(label) = reading.get(key).map(|entry| entry.label) {
        reading.settle(label, Fate::Asked);
    }
}

fn is_asker(value: &str) -> bool {
    let value = value.to_lowercase();
    ASKERS.iter().any(|asker| value.contains(asker))
}

/// The host of `instance`; nothing of a URL, which is what was probed.
fn host(instance: &str) -> &str {
    let bare = instance.split_once("://").map_or(instance, |(_, rest)| rest);
    bare.split(['/', ':']).next().unwrap_or_default()
}

/// Does `expression` read a metric whose name begins with `start`?
fn has_metric(expression: &str, start: &str) -> bool {
    let mut quoted = None;
    let mut before = ' ';
    for (at, c) in expression.char_indices() {
        match quoted {
            Some(quote) if c == quote => quoted = None,
            None if matches!(c, '"' | '\'' | '`') => quoted = Some(c),
            None if !(before.is_ascii_alphanumeric() || matches!(before, '_' | ':'))
                && expression[at..].starts_with(start) =>
            {
                return true;
            }
            _ => {}
        }
        before = c;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::has_metric;

    #[test]
    fn a_metric_is_found_by_its_beginning_outside_of_quotes() {
        for (expression, found) in [
            ("sum by (pod) (kube_pod_status_phase{phase=\"Failed\"}) > 0", true),
            ("up{job=\"kube_x\"} == 0", false),
            ("my_kube_pod_x > 1", false),
            ("", false),
        ] {
            assert_eq!(has_metric(expression, "kube_"), found, "{expression}");
        }
    }
}
