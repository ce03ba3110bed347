//! Grafana's legacy alerting webhook (4 to 10): one rule, one state, many matches
//! (docs/reference/alert-sources.md#grafana-legacy).
//!
//! A body is one alert, since it holds no state per series, no time and no fingerprint.

use serde_json::{Map, Value as Json};

use super::{field, words};
use crate::alert::{Alert, Asked, Format, Health, Labels, Links, Notification, Status, Value};
use crate::names::Discriminator;
use crate::plain::secrets;
use crate::words::Language;

/// What the Test button has always said, but for the case of its last word
/// (docs/reference/alert-sources.md#grafana-legacy-test).
const TEST_MESSAGE: &str = "someone is testing the alert notification within grafana.";

/// Has `object` the shape of a legacy notification?
pub(super) fn is_legacy(object: &Map<String, Json>) -> bool {
    object.contains_key("ruleName")
        && object.get("state").is_some_and(Json::is_string)
        && !object.contains_key("alerts")
}

/// Reads it.
pub(super) fn notification(mut object: Map<String, Json>, language: Language) -> Notification {
    let title = field::take_text(&mut object, "title");
    let message = field::take_text(&mut object, "message");
    let name = match field::take_text(&mut object, "ruleName") {
        missing if missing.trim().is_empty() => words::UNNAMED.get(language).to_owned(),
        name => name,
    };
    let state = field::take_text(&mut object, "state");
    let matches = object.remove("evalMatches");
    let (status, reason) = match state.as_str() {
        "ok" => (Status::Resolved, ""),
        // Unified alerting resolves the alerts of a paused rule for this reason; here nothing more comes either.
        "paused" => (Status::Resolved, "Paused"),
        "pending" => (Status::Firing, "Pending"),
        _ => (Status::Firing, ""),
    };
    let health = match state.as_str() {
        "no_data" | "unknown" => Health::NoData,
        // The rule option "Alerting" on no data: alerting, and nothing that matches
        // (docs/reference/alert-sources.md#grafana-legacy).
        "alerting" if has_no_value(matches.as_ref()) => Health::NoData,
        "execution_error" => Health::Error,
        _ => Health::Normal,
    };
    let mut labels = field::take_labels(&mut object, "tags");
    labels.retain(|_, value| !value.is_empty());
    labels.insert_new("alertname", name.as_str());
    let rule = field::link(field::take_text(&mut object, "ruleUrl"));
    let id = |name: &str| object.get(name).map_or_else(|| "0".to_owned(), |id| field::text(id.clone()));
    let discriminator = Discriminator::rule(&format!("{}/{}@{}", id("orgId"), id("ruleId"), host(&rule)));
    let alert = Alert {
        status,
        name,
        health,
        lapses_at: None,
        fingerprint: field::fingerprint(&labels),
        discriminator,
        labels: field::public(labels),
        annotations: (!reason.is_empty())
            .then(|| ("grafana_state_reason".to_owned(), reason.to_owned()))
            .into_iter()
            .collect(),
        starts_at: None,
        ends_at: None,
        values: if health == Health::Normal { values(matches) } else { Vec::new() },
        asked: Asked::default(),
        links: Links { rule, image: field::link(field::take_text(&mut object, "imageUrl")), ..Links::default() },
        level: None,
        kin: None,
    };
    Notification {
        format: Format::GrafanaLegacy,
        upstream_receiver: String::new(),
        group_key: String::new(),
        group_labels: Labels::new(),
        external_url: String::new(),
        test: message.trim().to_lowercase() == TEST_MESSAGE,
        title,
        message: secrets::masked(&message).into_owned(),
        truncated: 0,
        alerts: vec![alert],
    }
}

/// Are there matches at all, and all without a value (`"HAS NO VALUE"`,
/// docs/reference/alert-sources.md#grafana-legacy), or an empty list of them?
fn has_no_value(matches: Option<&Json>) -> bool {
    matches.and_then(Json::as_array).is_some_and(|matches| {
        matches.iter().all(|found| found.get("value").is_none_or(|value| field::measured(value).is_none()))
    })
}

/// Every match, in the sender's order.
fn values(matches: Option<Json>) -> Vec<Value> {
    let Some(Json::Array(matches)) = matches else { return Vec::new() };
    let value = |found: Json| {
        let Json::Object(mut found) = found else { return None };
        let text = found.get("value").and_then(field::measured).unwrap_or_else(|| "no data".to_owned());
        Some(Value {
            name: field::take_text(&mut found, "metric"),
            text,
            tags: field::public(field::take_labels(&mut found, "tags")),
        })
    };
    matches.into_iter().filter_map(value).collect()
}

/// Host and port of a URL; empty if it has none.
fn host(url: &str) -> &str {
    url.split_once("://").and_then(|(_, rest)| rest.split(['/', '?', '#']).next()).unwrap_or_default()
}
