//! The alert object that Alertmanager, Grafana and everything that pushes to an Alertmanager share, alone in an
//! array or inside the envelope `{receiver, status, alerts, …}` (alert-sources §2.1, §3.1, §4.1).

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::tree::said;
use super::{UNNAMED, Unreadable, field, grafana, plain, reader};
use crate::alert::{Alert, Format, Labels, Links, Notification, Status, Timestamp};

/// What an alert takes from around it.
struct Surroundings {
    now: Timestamp,
    /// Status of the envelope, for an alert without one of its own.
    status: Option<Status>,
    /// Last resort for a name.
    name: String,
    /// Labels configured on Alertmanager's route (`routeLabels`, since 0.34): added to each alert that has none of
    /// that name, so that our routes can match them.
    route_labels: Labels,
    /// Grafana's organisation; 0 if unknown.
    org: i64,
}

/// Is `value` an alert that an Alertmanager would take?
pub(super) fn has_labels(value: &Value) -> bool {
    let labels = value.get("labels").and_then(Value::as_object);
    labels.is_some_and(|labels| labels.values().any(|value| value != "" && !value.is_null()))
}

/// Is `value` one of the objects that are pushed to an Alertmanager, rather than some program's own that has labels, too?
pub(super) fn is_pushed(value: &Value) -> bool {
    let Some(object) = value.as_object() else { return false };
    let known = |name: &str| {
        matches!(
            name,
            "labels"
                | "annotations"
                | "startsAt"
                | "endsAt"
                | "generatorURL"
                | "status"
                | "fingerprint"
                | "receivers"
                | "updatedAt"
        )
    };
    object.get("labels").is_none_or(Value::is_object)
        && (object.keys().all(|name| known(name))
            || object.contains_key("startsAt")
            || object.get("labels").is_some_and(|labels| labels.get("alertname").is_some()))
}

/// Has `value` the shape of an alert inside an envelope?
fn is_alert(value: &Value) -> bool {
    match value.get("labels") {
        Some(Value::Object(_)) => true,
        Some(Value::Null) | None => value.get("status").is_some() && value.get("startsAt").is_some(),
        Some(_) => false,
    }
}

/// Whose envelope `object` is; `None` if it is none.
pub(super) fn envelope_format(object: &Map<String, Value>) -> Option<Format> {
    let alerts = object.get("alerts")?.as_array()?;
    if !alerts.iter().any(is_alert) {
        return None;
    }
    let version = object.get("version").cloned().map(field::text).unwrap_or_default();
    if version == "4" {
        Some(Format::Alertmanager)
    } else if version == "1" || object.contains_key("orgId") || object.contains_key("state") {
        Some(Format::Grafana)
    } else {
        Some(Format::Alertmanager)
    }
}

/// Reads an envelope. `None` if no alert is in it.
pub(super) fn envelope(mut object: Map<String, Value>, format: Format, now: Timestamp) -> Option<Notification> {
    let Some(Value::Array(items)) = object.remove("alerts") else { return None };
    let group_labels = field::public(field::take_labels(&mut object, "groupLabels"));
    let title = field::take_text(&mut object, "title");
    let first_group_label = group_labels.values().find(|value| !value.is_empty()).map(String::as_str);
    let surroundings = Surroundings {
        now,
        status: object.get("status").and_then(status),
        name: [first_group_label.unwrap_or_default(), title.trim(), UNNAMED]
            .into_iter()
            .find(|name| !name.is_empty())
            .unwrap_or(UNNAMED)
            .to_owned(),
        route_labels: field::public(field::take_labels(&mut object, "routeLabels")),
        org: object.get("orgId").and_then(Value::as_i64).unwrap_or_default(),
    };
    let truncated = object.get("truncatedAlerts").and_then(Value::as_u64).unwrap_or_default();
    let alerts = alerts(items, &surroundings);
    (!alerts.is_empty()).then(|| Notification {
        format,
        upstream_receiver: field::unquote_meta(&field::take_text(&mut object, "receiver")),
        group_key: field::take_text(&mut object, "groupKey"),
        group_labels,
        external_url: field::link(field::take_text(&mut object, "externalURL")),
        message: grafana::own_message(&field::take_text(&mut object, "message"), format),
        title: grafana::own_title(&title, format),
        truncated,
        test: format == Format::Grafana && alerts.iter().any(grafana::is_test),
        alerts,
    })
}

/// Reads the valid alerts of an array. `None` if there is none.
pub(super) fn array(mut items: Vec<Value>, now: Timestamp) -> Option<Notification> {
    items.retain(has_labels);
    let surroundings =
        Surroundings { now, status: None, name: UNNAMED.to_owned(), route_labels: Labels::new(), org: 0 };
    let alerts = alerts(items, &surroundings);
    (!alerts.is_empty()).then(|| Notification {
        format: Format::AlertsPush,
        upstream_receiver: String::new(),
        group_key: String::new(),
        group_labels: Labels::new(),
        external_url: String::new(),
        title: String::new(),
        message: String::new(),
        truncated: 0,
        test: false,
        alerts,
    })
}

/// Reads what was pushed to `/api/v2/alerts`: the valid alerts of the array. If there is none, the first mistake
/// is answered as Alertmanager answers it (§4.1).
pub(super) fn pushed(json: Option<Value>, now: Timestamp) -> Result<Notification, Unreadable> {
    let refuse = |status, code, message: &str| Unreadable::NotAlerts { status, code, message: message.to_owned() };
    let Some(Value::Array(items)) = json else {
        return Err(refuse(
            400,
            400,
            "parsing alerts body failed: expected a JSON array of alerts; Grafana and Alertmanager webhooks go to /webhook",
        ));
    };
    let mistake = match items.iter().enumerate().find(|(_, item)| !has_labels(item)) {
        None => Unreadable::NothingPushed,
        Some((_, item)) if item.get("labels").is_some_and(Value::is_object) => {
            refuse(400, 400, "at least one label pair required")
        }
        Some((index, _)) => refuse(422, 602, &format!("{index}.labels in body is required")),
    };
    array(items, now).ok_or(mistake)
}

/// The alerts among `items`. All of them: what is too much for the memory is refused before it is read.
fn alerts(items: Vec<Value>, surroundings: &Surroundings) -> Vec<Alert> {
    let objects = items.into_iter().filter_map(|item| match item {
        Value::Object(object) => Some(object),
        _ => None,
    });
    objects.map(|object| alert(object, surroundings)).collect()
}

fn status(value: &Value) -> Option<Status> {
    match value.as_str()? {
        "firing" => Some(Status::Firing),
        "resolved" => Some(Status::Resolved),
        _ => None,
    }
}

fn alert(mut object: Map<String, Value>, around: &Surroundings) -> Alert {
    let mut labels = field::take_labels(&mut object, "labels");
    let mut annotations = field::take_labels(&mut object, "annotations");
    for text in annotations.values_mut() {
        if let Cow::Owned(prose) = plain::prose(text) {
            *text = prose;
        }
    }
    // Products with the shape of an Alertmanager write texts beside the annotations.
    for (name, value) in &object {
        if let Some(text) = said(value).filter(|_| reader::is_text(name) && !annotations.contains_key(name)) {
            annotations.insert(name.clone(), plain::prose(text).into_owned());
        }
    }
    // A label without a value is no label to Prometheus, and must not make another alert of it (§0.3).
    labels.retain(|_, value| !value.is_empty());

    let ends_at = field::instant(&field::take_text(&mut object, "endsAt"));
    let status = object.get("status").and_then(status).or(around.status).unwrap_or(match ends_at {
        Some(end) if end <= around.now => Status::Resolved,
        _ => Status::Firing,
    });
    let fingerprint = match field::take_text(&mut object, "fingerprint") {
        sent if sent.is_empty() => field::fingerprint(&labels),
        sent => sent,
    };
    let links = links(&mut object, &annotations);
    let grafana::Judged { health, discriminator, values } =
        grafana::judge(&mut object, &labels, &annotations, &links, around.org);
    let mut labels = field::public(labels);
    let name = name(&labels).unwrap_or_else(|| around.name.clone());
    for (label, value) in &around.route_labels {
        if !value.is_empty() {
            labels.entry(label.clone()).or_insert_with(|| value.clone());
        }
    }
    Alert {
        status,
        name,
        health,
        labels,
        annotations: field::public(annotations),
        starts_at: field::instant(&field::take_text(&mut object, "startsAt")),
        ends_at: ends_at.filter(|_| status == Status::Resolved),
        fingerprint,
        discriminator,
        values,
        links,
        level: None,
        kin: None,
    }
}

/// What the rule is called; where `alertname` is missing (§0.3), what comes nearest.
fn name(labels: &Labels) -> Option<String> {
    let label = |name: &str| labels.get(name).map(String::as_str).filter(|value| !value.trim().is_empty());
    let alertname = label("alertname");
    // A special alert of Grafana's is called after its rule; a user's own rule may have the special name (§2.4).
    let name = if grafana::special(labels).is_some() { label("rulename").or(alertname) } else { alertname };
    name.or_else(|| label("rulename")).or_else(|| label("rule_name")).map(str::to_owned).or_else(|| {
        match (label("job"), label("instance")) {
            (Some(job), Some(instance)) => Some(format!("{job} {instance}")),
            (one, other) => one.or(other).map(str::to_owned),
        }
    })
}

fn links(object: &mut Map<String, Value>, annotations: &Labels) -> Links {
    let mut sent = |name: &str| field::link(field::take_text(object, name));
    let mut links = Links {
        rule: sent("generatorURL"),
        silence: sent("silenceURL"),
        dashboard: sent("dashboardURL"),
        panel: sent("panelURL"),
        image: sent("imageURL"),
        runbook: field::annotated_link(annotations, &["runbook_url", "runbook"]),
    };
    if links.image.is_empty() {
        links.image = sent("imageUrl");
    }
    if links.image.is_empty() {
        links.image = field::annotated_link(annotations, &["image", "__alert_image_url__"]);
    }
    if links.dashboard.is_empty() {
        links.dashboard = field::annotated_link(annotations, &["dashboard_url", "dashboard"]);
    }
    links
}
