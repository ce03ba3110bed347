//! What Grafana adds to the alert object: values, rules that cannot be judged, rule uids, the Test button
//! (docs/reference/alert-sources.md#grafana-unified). Seen through an external Alertmanager the same facts stand in
//! private names.

use std::sync::LazyLock;

use ecow::EcoString;
use regex::Regex;
use serde_json::{Map, Value as Json};

use super::sent::{self, Held, Members, Sent};
use super::{field, plain};
use crate::alert::{Alert, Format, Health, Labels, Links, Value};
use crate::names::Discriminator;

/// What only Grafana says of an alert; nothing of it for others.
pub(super) struct Judged {
    pub health: Health,
    pub discriminator: Discriminator,
    pub values: Vec<Value>,
}

/// Reads it. `labels` and `annotations` still hold the private names.
pub(super) fn judge(sent: Sent<'_>, labels: &Labels, annotations: &Labels, links: &Links, org: i64) -> Judged {
    let reason = annotations.get("grafana_state_reason").map_or("", |reason| reason.trim_start());
    // `NoData, KeepLast`: the rule keeps its last state, so the last values and words still hold.
    let keeps = reason.contains("KeepLast");
    let health = special(labels).unwrap_or(if keeps {
        Health::Normal
    } else if reason.starts_with("NoData") {
        Health::NoData
    } else if reason.starts_with("Error") {
        Health::Error
    } else {
        Health::Normal
    });
    let uid = sent::text(sent.rule_uid);
    let uid = [uid.as_str(), labels.get("__alert_rule_uid__").map_or("", EcoString::as_str)]
        .into_iter()
        .find(|uid| !uid.is_empty())
        .or_else(|| rule_uid(&links.rule))
        .or_else(|| silenced_uid(&links.silence))
        .unwrap_or_default()
        .to_owned();
    // Two organisations may hold the same provisioned rule; the first one is where almost everybody lives.
    let rule = if org > 1 && !uid.is_empty() { format!("{org}/{uid}") } else { uid };
    let discriminator = Discriminator::rule(&rule);
    let listed = || values(sent.values, sent.value_string, annotations);
    let values = match health {
        Health::Normal if keeps => listed().into_iter().filter(|value| value.text != "-1").collect(),
        Health::Normal => listed(),
        // -1 here means "there is no value" (docs/reference/alert-sources.md#grafana-values).
        Health::NoData | Health::Error => Vec::new(),
    };
    Judged { health, discriminator, values }
}

/// Is this an alert about a rule that cannot be judged? A user may call a rule by the special name, so a second label
/// must bear it out (docs/reference/alert-sources.md#grafana-states).
pub(super) fn special(labels: &Labels) -> Option<Health> {
    let health = match labels.get("alertname")?.as_str() {
        "DatasourceNoData" => Health::NoData,
        "DatasourceError" => Health::Error,
        _ => return None,
    };
    (labels.contains_key("datasource_uid") || labels.contains_key("rulename")).then_some(health)
}

/// Is this the alert of the Test button (docs/reference/alert-sources.md#grafana-test)?
pub(super) fn is_test(alert: &Alert) -> bool {
    let has = |name: &str, value: &str| alert.labels.get(name).is_some_and(|given| given == value);
    let made_by_grafana = alert.fingerprint == "57c6d9296de2ad39" || alert.links.rule.is_empty();
    made_by_grafana && has("alertname", "TestAlert") && has("instance", "Grafana")
}

/// The title of a contact point, if it is not the one that Grafana writes by itself.
pub(super) fn own_title(title: &str, format: Format) -> String {
    let title = title.trim();
    let rest = title.strip_prefix('[').unwrap_or(title);
    let is_default = title.starts_with('[') && (rest.starts_with("FIRING") || rest.starts_with("RESOLVED"));
    if format != Format::Grafana || is_default { String::new() } else { title.to_owned() }
}

/// The message of a contact point, if it is not the one that Grafana writes by itself, which repeats the alerts with
/// numbers in Go's notation.
pub(super) fn own_message(message: &str, format: Format) -> String {
    let message = message.trim();
    let is_default =
        ["**Firing**", "**Resolved**", "Firing\n", "Resolved\n"].iter().any(|start| message.starts_with(start))
            || message.contains("\nLabels:\n") && message.contains("\nSource: ");
    if format != Format::Grafana || is_default {
        String::new()
    } else {
        plain::secrets::masked(&plain::prose(message)).into_owned()
    }
}

/// `…/alerting/grafana/<uid>/view` (since 9) or `…/alerting/<uid>/edit` (8).
fn rule_uid(generator_url: &str) -> Option<&str> {
    let (_, path) = generator_url.split_once("/alerting/")?;
    let mut segments = path.split(['/', '?', '#']);
    let first = segments.next()?;
    let second = segments.next()?;
    let (("grafana", uid) | (uid, "edit")) = (first, second) else { return None };
    Some(uid).filter(|uid| !uid.is_empty())
}

/// The rule of the form that makes a silence (since 11.5).
fn silenced_uid(silence_url: &str) -> Option<&str> {
    let (_, value) = silence_url.split_once("__alert_rule_uid__%3D")?;
    value.split(['&', '#']).next().filter(|uid| !uid.is_empty())
}

/// `values`, or the private annotation of the same name, or the one number of `valueString`.
fn values(sent: Option<Held<'_, Json>>, text: Option<sent::Text<'_>>, annotations: &Labels) -> Vec<Value> {
    let sent = match sent {
        Some(Held::Object(sent)) => Some(sent),
        _ => annotations.get("__values__").and_then(|text| Some(members(serde_json::from_str(text).ok()?))),
    };
    let Some(sent) = sent else {
        let text = match sent::text(text) {
            missing if missing.is_empty() => {
                annotations.get("__value_string__").map(ToString::to_string).unwrap_or_default()
            }
            text => text,
        };
        return listed_values(&text);
    };
    let all = sent.into_iter().filter_map(|(name, value)| {
        Some(Value { name: field::visible(name).into_owned(), text: field::measured(&value)?, tags: Labels::new() })
    });
    without_conditions(all.collect())
}

/// A condition is in there too, as 0 or 1, and no field says which one it is
/// (docs/reference/alert-sources.md#grafana-values): beside a measured number, it goes.
fn without_conditions(mut all: Vec<Value>) -> Vec<Value> {
    if all.iter().any(|value| !field::is_flag(&value.text) && !field::is_odd(&value.text)) {
        all.retain(|value| !field::is_flag(&value.text));
    }
    all
}

fn members(object: Map<String, Json>) -> Members<'static, Json> {
    object.into_iter().map(|(name, value)| (name.into(), value)).collect()
}

static LISTED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^\[ (?:var='([^']*)' )?(?:metric='[^']*' )?labels=\{.*?\} value=(\S+) \](?:, |$)")
        .expect("it is a constant that every test compiles")
});

/// The values of a `valueString`: `[ var='A' labels={…} value=1 ], …`. Label values are not quoted in it: if it does not
/// read as such a list from its beginning to its end, numbers cannot be told from text, and only that of a single value
/// is taken.
fn listed_values(text: &str) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    let mut rest = text.trim();
    while let Some(found) = LISTED.captures(rest) {
        let name = found.get(1).map_or("", |name| name.as_str()).to_owned();
        if found[2] != *"null" {
            if found[2].parse::<f64>().is_err() {
                break;
            }
            all.push(Value { name, text: found[2].to_owned(), tags: Labels::new() });
        }
        rest = &rest[found[0].len()..];
    }
    if !rest.is_empty() {
        return only_value(text).into_iter().collect();
    }
    without_conditions(all)
}

/// The value of a `valueString` with a single one. Label values are not quoted in there, so more than one number cannot
/// be told from text (docs/reference/alert-sources.md#grafana-values).
fn only_value(text: &str) -> Option<Value> {
    let (head, tail) = text.split_once("value=")?;
    let number = tail.strip_suffix(']')?.trim();
    let text = number.parse::<f64>().is_ok().then(|| number.to_owned())?;
    let name = head.strip_prefix("[ var='").and_then(|rest| rest.split_once('\'')).map_or("", |(name, _)| name);
    Some(Value { name: name.to_owned(), text, tags: Labels::new() })
}
