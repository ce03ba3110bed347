//! Labels for people: which are shown, which distinguish alerts, in which order.

use std::collections::{BTreeMap, BTreeSet};

use super::fit::cut_chars;
use super::neutral::one_line;
use crate::alert::{Alert, Labels, Value};

/// Labels whose value is understood without the name, from the widest place to the narrowest: the reading order.
const PLACES: [&str; 46] = [
    "region",
    "zone",
    "az",
    "idc",
    "dc",
    "datacenter",
    "env",
    "environment",
    "cluster",
    "project",
    "business",
    "group_name",
    "team",
    "namespace",
    "service",
    "svc",
    "app",
    "application",
    "deployment",
    "database",
    "db",
    "datname",
    "topic",
    "queue",
    "table",
    "node",
    "nodename",
    "host",
    "hostname",
    "ident",
    "ip",
    "instance",
    "pod",
    "pod_name",
    "container",
    "device",
    "mountpoint",
    "interface",
    "ifName",
    "path",
    "url",
    "target",
    "name",
    "instanceName",
    "metricName",
    "grafana_folder",
];

/// The most informative of them first: they are kept when there is room for few.
const TELLING: [&str; 22] = [
    "instance",
    "host",
    "hostname",
    "ident",
    "pod",
    "node",
    "ip",
    "service",
    "app",
    "application",
    "database",
    "db",
    "topic",
    "queue",
    "mountpoint",
    "device",
    "cluster",
    "env",
    "environment",
    "region",
    "namespace",
    "instanceName",
];

/// Labels without information for the reader, or shown in another form.
const NOISE: [&str; 27] = [
    "alertname",
    "rulename",
    "severity",
    "level",
    "priority",
    "job",
    "prometheus",
    "prometheus_replica",
    "replica",
    "alertgroup",
    "alertstate",
    "datasource",
    "datasource_uid",
    "ref_id",
    "rule_uid",
    "ruleId",
    "rule_id",
    "orgId",
    "org_id",
    "endpoint",
    "monitor",
    "receiver",
    "uid",
    "id",
    "unit",
    "metrics_path",
    "__name__",
];

/// Characters of one label value.
const VALUE: usize = 120;
/// Labels that are examined for distinguishing alerts.
const CANDIDATES: usize = 200;
/// Columns that distinguish alerts.
const KEYS: usize = 3;

fn is_noise(name: &str) -> bool {
    NOISE.contains(&name) || (name.starts_with("__") && name.ends_with("__"))
}

/// Labels that all alerts share, by name.
pub(super) type Shared = Labels;

/// The labels that all of `alerts` share.
pub(super) fn share(alerts: &[&Alert]) -> Shared {
    let Some((first, rest)) = alerts.split_first() else { return Shared::new() };
    let mut shared: BTreeMap<&String, &String> = first.labels.iter().take(10 * CANDIDATES).collect();
    for alert in rest {
        if std::ptr::eq(*alert, *first) {
            continue;
        }
        shared.retain(|name, value| alert.labels.get(*name) == Some(*value));
    }
    shared.into_iter().map(|(name, value)| (name.clone(), clipped(value))).collect()
}

fn clipped(value: &str) -> String {
    value[..value.floor_char_boundary(4096)].to_owned()
}

/// The value of `name`, on one line and not too long.
pub(super) fn value(alert: &Alert, name: &str) -> String {
    alert.labels.get(name).map(|value| short(value)).unwrap_or_default()
}

fn short(value: &str) -> String {
    let clipped = &value[..value.floor_char_boundary(4 * VALUE + 64)];
    cut_chars(&one_line(clipped), VALUE).into_owned()
}

/// The priority of a label; smaller is earlier.
fn rank(name: &str) -> usize {
    let known = TELLING.iter().position(|known| *known == name);
    known.or_else(|| PLACES.iter().position(|known| *known == name).map(|at| 100 + at)).unwrap_or(90)
}

/// A label in words: without its name if the value is understood alone.
fn worded(name: &str, value: &str) -> String {
    if PLACES.contains(&name) { value.to_owned() } else { format!("{}={value}", one_line(name)) }
}

/// A shared label in words, and its width as a place.
pub(super) type Place = (usize, String);

/// The shared labels worth showing, most informative first.
pub(super) fn scope(shared: &Shared) -> Vec<Place> {
    let mut names: Vec<&String> =
        shared.iter().filter(|(name, value)| !is_noise(name) && is_telling(value)).map(|(name, _)| name).collect();
    names.sort_by_key(|name| rank(name));
    names.truncate(CANDIDATES);
    let mut shown: Vec<(&String, String)> = Vec::new();
    for name in names {
        let value = short(&shared[name]);
        // `ip` beside `instance`, `app` beside `service`: once is enough.
        if shown.len() < 8 && !shown.iter().any(|(_, other)| other.contains(value.as_str())) {
            shown.push((name, value));
        }
    }
    // The folder tells where the rule is kept: worth its place only if nothing tells the place of the fault.
    if shown.len() > 2 {
        shown.retain(|(name, _)| *name != "grafana_folder");
    }
    let width = |name: &str| PLACES.iter().position(|place| *place == name).unwrap_or(PLACES.len());
    shown.into_iter().map(|(name, value)| (width(name), worded(name, &value))).collect()
}

/// The most informative `most` of `scope` in reading order: the widest place first.
pub(super) fn read_order(scope: &[Place], most: usize) -> Vec<&str> {
    let mut kept: Vec<&Place> = scope.iter().take(most).collect();
    kept.sort_by_key(|(width, _)| *width);
    kept.into_iter().map(|(_, text)| text.as_str()).collect()
}

fn is_telling(value: &str) -> bool {
    let value = value.trim();
    !value.is_empty() && !matches!(value, "null" | "none" | "<no value>" | "[no value]" | "N/A" | "-")
}

/// Names of the labels that distinguish `alerts`, the most informative first: as few as suffice.
pub(super) fn telling_apart<'a>(alerts: &[&'a Alert], shared: &Shared) -> Vec<&'a str> {
    if alerts.len() < 2 {
        return Vec::new();
    }
    let mut candidates: BTreeSet<&str> = BTreeSet::new();
    for alert in alerts {
        candidates.extend(
            alert.labels.keys().take(CANDIDATES).map(String::as_str).filter(|name| !shared.contains_key(*name)),
        );
        if candidates.len() > CANDIDATES {
            break;
        }
    }
    let distinct = |names: &[&str]| {
        let seen: BTreeSet<Vec<Option<&String>>> =
            alerts.iter().map(|alert| names.iter().map(|name| alert.labels.get(*name)).collect()).collect();
        seen.len()
    };
    let mut candidates: Vec<&str> =
        candidates.into_iter().filter(|name| !matches!(*name, "alertname" | "rulename")).collect();
    candidates.sort_by_key(|name| (is_noise(name), rank(name)));
    let mut keys: Vec<&str> = Vec::new();
    let mut told_apart = 1;
    for name in candidates.into_iter().take(24) {
        if keys.len() == KEYS || told_apart == alerts.len() {
            break;
        }
        keys.push(name);
        let now = distinct(&keys);
        // A label that varies together with the others adds nothing.
        if now == told_apart || (is_noise(name) && now < alerts.len() && !keys.is_empty() && keys.len() > 1) {
            keys.pop();
        } else {
            told_apart = now;
        }
    }
    keys
}

/// The two most informative labels of `alert` that are not shared.
pub(super) fn own<'a>(alert: &'a Alert, shared: &Shared) -> Vec<&'a str> {
    let own = alert
        .labels
        .iter()
        .take(CANDIDATES)
        .filter(|(name, value)| !shared.contains_key(*name) && !is_noise(name) && is_telling(value));
    let mut names: Vec<&str> = own.map(|(name, _)| name.as_str()).collect();
    names.sort_by_key(|name| rank(name));
    names.truncate(2);
    names
}

/// What distinguishes `alert`, in words.
pub(super) fn in_words(alert: &Alert, keys: &[&str]) -> String {
    let mut words = String::new();
    for key in keys {
        let value = value(alert, key);
        if value.is_empty() {
            continue;
        }
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(&if keys.len() > 1 { worded(key, &value) } else { value });
    }
    words
}

/// The data source of a rule that cannot be evaluated.
pub(super) fn data_source(alert: &Alert) -> Option<&str> {
    ["datasource", "datasource_uid"].into_iter().find_map(|name| alert.labels.get(name)).map(String::as_str)
}

/// The values worth showing: those of Boolean steps (0 and 1) only if there are no others (alert-sources §2.3).
pub(super) fn values(alert: &Alert) -> Vec<&Value> {
    let boolean = |value: &&Value| matches!(value.text.as_str(), "0" | "1") && value.tags.is_empty();
    let numbers: Vec<&Value> = alert.values.iter().filter(|value| !boolean(value)).collect();
    if numbers.is_empty() { alert.values.iter().collect() } else { numbers }
}

/// The unit that follows `number` in `text`: `96.4%`, `128 秒`.
pub(super) fn unit_behind(number: &str, text: &str) -> Option<String> {
    const UNITS: [&str; 47] = [
        "%", "％", "‰", "ms", "毫秒", "µs", "us", "ns", "min", "分钟", "小时", "天", "s", "秒", "h", "d", "KiB", "MiB",
        "GiB", "TiB", "KB", "MB", "GB", "TB", "kB", "B/s", "MB/s", "MiB/s", "Mbps", "Gbps", "bps", "req/s", "rps",
        "qps", "QPS", "TPS", "℃", "°C", "次/秒", "次", "条", "个", "台", "元", "人", "V", "W",
    ];
    if number.is_empty() {
        return None;
    }
    text.match_indices(number).find_map(|(at, _)| {
        let before = text[..at].chars().next_back();
        if before.is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | ',' | '-' | '_' | ':' | '/')) {
            return None;
        }
        let behind = text[at + number.len()..].trim_start_matches(' ');
        let unit = UNITS
            .iter()
            .filter(|unit| behind.strip_prefix(**unit).is_some_and(|rest| ends_word(unit, rest)))
            .max_by_key(|unit| unit.len())?;
        Some((*unit).to_owned())
    })
}

/// `s` is a unit in `5 s, `, not in `5 servers`.
fn ends_word(unit: &str, rest: &str) -> bool {
    !unit.ends_with(|c: char| c.is_ascii_alphabetic()) || !rest.starts_with(|c: char| c.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_found_behind_its_number_only() {
        for (number, text, unit) in [
            ("96.4", "CPU 使用率 96.4%，超过 90%", Some("%")),
            ("128", "主从延迟 128 秒", Some("秒")),
            ("5", "5 servers down", None),
            ("5", "took 5 s, limit 3 s", Some("s")),
            ("90", "10.0.0.190% 90%", Some("%")),
            ("6.4", "96.4%", None),
            ("3", "队列 3 条/秒", Some("条")),
            ("", "5%", None),
        ] {
            assert_eq!(unit_behind(number, text).as_deref(), unit, "{number} in {text}");
        }
    }
}
