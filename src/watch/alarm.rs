//! Reports faults: as alerts of our own, to a receiver whose way is not affected.

use serde_json::{Value, json};
use tracing::error;

use super::trouble::{about, title};
use crate::alert::{Alert, Format, Labels, Status, Timestamp};
use crate::app::App;
use crate::config::{Config, Language, Receiver, Target};
use crate::deliver::{called, scopes, stands_on};
use crate::incidents::{Kind, Subject, Trouble};
use crate::ingest::{self, Door};
use crate::names::{LaneKey, SourceId};
use crate::route::{arrival, recipient, row};
use crate::store::{Admission, Recipient, StoreError};

/// The label with the subject of a fault.
const SUBJECT: &str = "about";
/// The label with its kind.
const KIND: &str = "trouble";
/// A start that `ingest` reads as unknown: the store knows it.
const UNKNOWN: &str = "0001-01-01T00:00:00Z";

/// Reports every fault as an alert and resolves the alerts of faults that are over. The store deduplicates the reports.
pub(super) async fn tell(app: &App, troubles: &[Trouble]) -> Result<(), StoreError> {
    let loaded = app.loaded();
    for trouble in troubles {
        let mut told = receivers(&loaded.config, &trouble.subject);
        told.truncate(1);
        let Some((receiver, _)) = told.first() else {
            error!(
                kind = trouble.kind.as_str(),
                about = about(&loaded.config, &trouble.subject),
                error = trouble.detail[1],
                "wegraf has trouble and knows no other way to tell anybody."
            );
            continue;
        };
        admit(app, &began(trouble, &loaded.config, receiver.language), &told).await?;
    }
    for firing in app.store().firing(&SourceId::Wegraf).await? {
        let labels: Labels = serde_json::from_str(&firing.labels_json).unwrap_or_default();
        let label = |name: &str| labels.get(name).map_or("", String::as_str);
        let (kind, about) = (label(KIND), label(SUBJECT));
        let goes_on =
            |trouble: &Trouble| trouble.kind.as_str() == kind && self::about(&loaded.config, &trouble.subject) == about;
        if !troubles.iter().any(goes_on) {
            // The store tells only the receivers that were told of the beginning.
            let subject = subject(&loaded.config, kind, about);
            admit(app, &ended(&labels, app.now()), &receivers(&loaded.config, &subject)).await?;
        }
    }
    Ok(())
}

/// The subject of a self-alert with these labels; nothing if it is no longer configured.
fn subject(config: &Config, kind: &str, about: &str) -> Subject {
    let is = |known: Kind| known.as_str() == kind;
    if is(Kind::Blocked) || is(Kind::Restricted) {
        let scope = scopes(config).into_values().find(|scope| called(config, scope) == about);
        return scope.map_or(Subject::Nothing, Subject::Scope);
    }
    if is(Kind::Lost) || is(Kind::Missed) {
        return Subject::Lane(LaneKey::stored(about));
    }
    Subject::Outside(about.to_owned())
}

/// The receivers for a fault of `subject`, the best first: the configured receiver, then the root's, then any. Each
/// with those of its targets whose way is not affected.
pub(super) fn receivers<'a>(config: &'a Config, subject: &Subject) -> Vec<(&'a Receiver, Vec<&'a Target>)> {
    let best = config.alarm.as_deref().into_iter().chain([config.route.root()]);
    let names = best.chain(config.receivers.keys().map(String::as_str));
    let mut found: Vec<(&Receiver, Vec<&Target>)> = Vec::new();
    for receiver in names.filter_map(|name| config.receivers.get(name)) {
        let free: Vec<&Target> = receiver.targets.iter().filter(|target| !stands_on(config, target, subject)).collect();
        if !free.is_empty() && !found.iter().any(|(known, _)| known.name == receiver.name) {
            found.push((receiver, free));
        }
    }
    found
}

async fn admit(app: &App, body: &str, to: &[(&Receiver, Vec<&Target>)]) -> Result<(), StoreError> {
    let now = app.now();
    let read =
        ingest::read(body.as_bytes(), Some("application/json"), Door::Webhook, &app.loaded().config.payloads, now);
    let Some((notification, alert)) =
        read.ok().and_then(|read| read.alerts.first().cloned().map(|alert| (read, alert)))
    else {
        error!("An alert of wegraf itself cannot be read: a bug, please report it.");
        return Ok(());
    };
    let admission = Admission {
        source: SourceId::Wegraf,
        format: Format::Alertmanager,
        content_type: Some("application/json".to_owned()),
        path_receiver: None,
        sender: String::new(),
        group_key: notification.group_key,
        received_at: now,
        raw: body.as_bytes().to_vec().into(),
        // State: it is repeated every few seconds.
        push: true,
        test: false,
        deliveries: recipients(&alert, to),
    };
    app.store().admit(admission).await?;
    Ok(())
}

fn recipients(alert: &Alert, to: &[(&Receiver, Vec<&Target>)]) -> Vec<Recipient> {
    let one = |(receiver, targets): &(&Receiver, Vec<&Target>)| {
        let arrivals = vec![arrival(0, alert.identity(&SourceId::Wegraf), alert)];
        recipient(receiver, arrivals, targets.iter().copied().map(row).collect())
    };
    to.iter().map(one).collect()
}

/// The webhook call of an Alertmanager that reports it.
fn began(trouble: &Trouble, config: &Config, language: Language) -> String {
    let mut labels = json!({
        "alertname": title(trouble.kind, language),
        "severity": "critical",
        KIND: trouble.kind.as_str(),
    });
    let about = about(config, &trouble.subject);
    if !about.is_empty() {
        labels[SUBJECT] = about.into();
    }
    let detail = &trouble.detail[usize::from(language == Language::En)];
    call(&labels, &json!({ "summary": detail }), Status::Firing, UNKNOWN)
}

/// The webhook call that resolves it.
fn ended(labels: &Labels, now: Timestamp) -> String {
    let ended = jiff::Timestamp::from_millisecond(now.0).map_or_else(|_| UNKNOWN.to_owned(), |at| at.to_string());
    call(&json!(labels), &json!({}), Status::Resolved, &ended)
}

fn call(labels: &Value, annotations: &Value, status: Status, ends_at: &str) -> String {
    let status = status.as_str();
    let alert = json!({
        "status": status, "labels": labels, "annotations": annotations,
        "startsAt": UNKNOWN, "endsAt": ends_at, "generatorURL": "",
    });
    json!({
        "version": "4", "receiver": SourceId::Wegraf, "status": status, "groupKey": format!("{}:{labels}", SourceId::Wegraf),
        "truncatedAlerts": 0, "groupLabels": {}, "commonLabels": labels, "commonAnnotations": annotations,
        "externalURL": "", "alerts": [alert],
    })
    .to_string()
}
