//! Reports faults: as alerts of our own, to a receiver whose way is not affected.

use ecow::EcoString;
use tracing::error;

use super::Watch;
use super::plainly::plainly;
use super::trouble::{about, title};
use crate::alert::{Alert, Asked, Format, Health, Labels, Links, Notification, Status, Timestamp};
use crate::config::{self, Config, Language, Receiver, Target};
use crate::deliver::{called, scopes, stands_on};
use crate::incidents::{Kind, Subject, Trouble};
use crate::level::Level;
use crate::names::{Discriminator, LaneKey, SourceId};
use crate::store::StoreError;

/// The label with the subject of a fault.
const SUBJECT: &str = config::ABOUT;
/// The label with its kind.
const KIND: &str = config::TROUBLE;

/// Reports every fault as an alert and resolves the alerts of faults that are over. The store deduplicates the reports.
pub(super) async fn tell(watch: &Watch, troubles: &[Trouble]) -> Result<(), StoreError> {
    let config = watch.deliver.setup.now().config.clone();
    for trouble in troubles {
        let mut told = working(&config, trouble, troubles);
        told.truncate(1);
        let Some((receiver, _)) = told.first() else {
            error!(
                kind = trouble.kind.as_str(),
                about = about(&config, &trouble.subject),
                error = trouble.detail[1],
                "wegraf has trouble and knows no other way to tell anybody."
            );
            continue;
        };
        watch.intake.own(began(trouble, &config, receiver.language), &told).await?;
    }
    for firing in watch.store.firing(&SourceId::Wegraf).await? {
        let labels: Labels = serde_json::from_str(&firing.labels_json).unwrap_or_default();
        let label = |name: &str| labels.get(name).map_or("", EcoString::as_str);
        let (kind, about) = (label(KIND), label(SUBJECT));
        let goes_on =
            |trouble: &Trouble| trouble.kind.as_str() == kind && self::about(&config, &trouble.subject) == about;
        if !troubles.iter().any(goes_on) {
            // The store tells only the receivers that were told of the beginning.
            let subject = subject(&config, kind, about);
            watch.intake.own(ended(labels, watch.clock.now()), &receivers(&config, &subject)).await?;
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
    if is(Kind::Lost) || is(Kind::Missed) || is(Kind::Stuck) {
        return Subject::Lane(LaneKey::stored(about));
    }
    Subject::Outside(about.to_owned())
}

/// The receivers for a fault. That a lane is stuck is told by a way that nothing else keeps from working, if there is
/// one: what holds it may hold others as well.
fn working<'a>(config: &'a Config, trouble: &Trouble, all: &[Trouble]) -> Vec<(&'a Receiver, Vec<&'a Target>)> {
    let mut found = receivers(config, &trouble.subject);
    if trouble.kind == Kind::Stuck {
        let free = |target: &&Target| !all.iter().any(|other| stands_on(config, target, &other.subject));
        let mut best = found.clone();
        for (_, targets) in &mut best {
            targets.retain(free);
        }
        best.retain(|(_, targets)| !targets.is_empty());
        if !best.is_empty() {
            found = best;
        }
    }
    found
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

/// The notification that reports it.
fn began(trouble: &Trouble, config: &Config, language: Language) -> Notification {
    let mut labels = Labels::from([
        ("alertname".to_owned(), title(trouble.kind, language).to_owned()),
        ("severity".to_owned(), "critical".to_owned()),
        (KIND.to_owned(), trouble.kind.as_str().to_owned()),
    ]);
    let about = about(config, &trouble.subject);
    if !about.is_empty() {
        labels.insert(SUBJECT.to_owned(), about);
    }
    notification(labels, Labels::from([("summary".to_owned(), detail(trouble, language))]), None)
}

/// What happened and what to do, as whole sentences.
fn detail(trouble: &Trouble, language: Language) -> String {
    let text = &trouble.detail[usize::from(language == Language::En)];
    let (between, lead, tail, stop) = match language {
        Language::Zh => ("；", "用 ", " 查看。", "。"),
        Language::En => ("; ", "See ", ".", ". "),
    };
    match text.rsplit_once(between).filter(|_| trouble.kind == Kind::Lost) {
        Some((error, show)) => format!("{}{stop}{lead}{show}{tail}", plainly(error, language)),
        None => text.clone(),
    }
}

/// The notification that resolves it.
fn ended(labels: Labels, now: Timestamp) -> Notification {
    notification(labels, Labels::new(), Some(now))
}

/// A notification of one alert, which ended at `ends_at` if that is given. The store knows when it began.
fn notification(labels: Labels, annotations: Labels, ends_at: Option<Timestamp>) -> Notification {
    let group = serde_json::to_string(&labels).expect("a map of strings is JSON");
    let alert = Alert {
        status: if ends_at.is_some() { Status::Resolved } else { Status::Firing },
        name: labels.get("alertname").map(ToString::to_string).unwrap_or_default(),
        health: Health::Normal,
        labels,
        annotations,
        starts_at: None,
        ends_at,
        fingerprint: String::new(),
        discriminator: Discriminator::default(),
        values: Vec::new(),
        asked: Asked::default(),
        links: Links::default(),
        level: Some(Level::Critical),
        lapses_at: None,
        kin: None,
    };
    Notification {
        format: Format::Relayed,
        upstream_receiver: SourceId::Wegraf.to_string(),
        group_key: format!("{}:{group}", SourceId::Wegraf),
        group_labels: Labels::new(),
        external_url: String::new(),
        title: String::new(),
        message: String::new(),
        truncated: 0,
        test: false,
        alerts: vec![alert],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ingest::{self, Door};

    /// Released versions wrote the body of an Alertmanager: what fires since then must resolve.
    #[test]
    fn a_fault_is_the_alert_that_released_versions_made_of_it() {
        let labels = Labels::from(
            [("alertname", "wegraf 发送受阻"), ("severity", "critical"), (KIND, "blocked"), (SUBJECT, "app ops")]
                .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        let annotations = Labels::from([("summary".to_owned(), "x；待发 3 条".to_owned())]);
        let alert = json!({
            "status": "firing", "labels": labels, "annotations": annotations,
            "startsAt": "0001-01-01T00:00:00Z", "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "",
        });
        let body = json!({
            "version": "4", "receiver": SourceId::Wegraf, "status": "firing", "groupKey": "", "truncatedAlerts": 0,
            "groupLabels": {}, "commonLabels": labels, "commonAnnotations": annotations, "externalURL": "",
            "alerts": [alert],
        });
        let payloads = ingest::generic::Payloads::default();
        let read = ingest::read(body.to_string().as_bytes(), None, Door::Webhook, &payloads, Timestamp(0)).unwrap();
        let (now, then) = (notification(labels, annotations, None), read);
        assert_eq!(now.alerts[0].identity(&SourceId::Wegraf), then.alerts[0].identity(&SourceId::Wegraf));
        let fingerprint = String::new();
        assert_eq!(now.alerts[0], Alert { fingerprint, ..then.alerts[0].clone() });
    }
}
