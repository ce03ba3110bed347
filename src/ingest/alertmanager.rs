//! The alert object that Alertmanager, Grafana and everything that pushes to an Alertmanager share, alone in an array
//! or inside the envelope `{receiver, status, alerts, …}` (docs/reference/alert-sources.md#grafana-unified,
//! #alertmanager-webhook, #alertmanager-api).

use std::borrow::Cow;

use ecow::EcoString;
use serde_json::Value;

use super::generic::ReadSettings;
use super::sent::{Envelope, Held, Sent, Set, Text, text};
use super::{field, grafana, plain, title, words};
use crate::alert::{Alert, Asked, Format, Labels, Links, Notification, Status, Timestamp};
use crate::level::Level;

/// What an alert takes from around it.
pub(super) struct Surroundings<'a> {
    now: Timestamp,
    settings: &'a ReadSettings,
    /// The rank that the title of a contact point gives to what no label ranks.
    titled: Option<Level>,
    /// Status of the envelope, for an alert without one of its own.
    status: Option<Status>,
    /// Last resort for a name.
    name: String,
    /// Labels configured on Alertmanager's route (`routeLabels`, since 0.34): added to each alert that has none of
    /// that name, so that our routes can match them.
    route_labels: Labels,
    /// Grafana's organisation; 0 if unknown.
    org: i64,
    /// Does the sender repeat what is firing?
    repeats: Repeats,
}

/// How long a pushed alert counts as firing after the end that its sender gave it in advance: a push may be late.
const GRACE_MS: i64 = 60_000;
/// How long one without such an end counts as firing after its last push, as in an Alertmanager (`resolve_timeout`).
const UNSAID_MS: i64 = 5 * 60_000;

/// A sender's promise to repeat what is firing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeats {
    /// None: it notifies of changes.
    Never,
    /// As long as it says itself, in `endsAt`.
    IfSaid,
    /// Always, as every client of an Alertmanager must.
    Always,
}

impl Repeats {
    /// When a firing alert with this `endsAt`, pushed now, lapses.
    fn lapses_at(self, ends_at: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
        match (self, ends_at) {
            (Self::Never, _) | (Self::IfSaid, None) => None,
            (Self::IfSaid | Self::Always, Some(end)) => Some(end.plus_millis(GRACE_MS)),
            (Self::Always, None) => Some(now.plus_millis(UNSAID_MS)),
        }
    }
}

impl<'a> Surroundings<'a> {
    /// Of an alert with nothing around it.
    pub fn bare(settings: &'a ReadSettings, now: Timestamp) -> Self {
        Self {
            now,
            settings,
            titled: None,
            status: None,
            name: words::UNNAMED.get(settings.language).to_owned(),
            route_labels: Labels::new(),
            org: 0,
            repeats: Repeats::Never,
        }
    }

    /// Of one that is pushed, by a sender that so promises to repeat it.
    pub fn pushed(settings: &'a ReadSettings, repeats: Repeats, now: Timestamp) -> Self {
        Self { repeats, ..Self::bare(settings, now) }
    }
}

/// Whose envelope it is.
fn envelope_format(envelope: &Envelope<'_>) -> Format {
    match envelope.version.as_ref().map_or("", |Text(version)| version) {
        "4" => Format::Alertmanager,
        "1" => Format::Grafana,
        _ if envelope.org.is_some() || envelope.state.is_some() => Format::Grafana,
        _ => Format::Alertmanager,
    }
}

/// A notification that says nothing yet.
pub(super) fn head(format: Format) -> Notification {
    Notification {
        format,
        upstream_receiver: String::new(),
        group_key: String::new(),
        group_labels: Labels::new(),
        external_url: String::new(),
        title: String::new(),
        message: String::new(),
        truncated: 0,
        test: false,
        alerts: Vec::new(),
    }
}

/// What an envelope says itself, and what its alerts take from it.
pub(super) fn opened<'a>(
    envelope: Envelope<'_>,
    settings: &'a ReadSettings,
    now: Timestamp,
) -> (Notification, Surroundings<'a>) {
    let format = envelope_format(&envelope);
    let group_labels = field::public(set(envelope.group_labels));
    let title = text(envelope.title);
    let first_group_label = group_labels.values().find(|value| !value.is_empty()).map(EcoString::as_str);
    let surroundings = Surroundings {
        status: envelope.status.as_ref().and_then(status),
        name: [first_group_label.unwrap_or_default(), title.trim()]
            .into_iter()
            .find(|name| !name.is_empty())
            .unwrap_or_else(|| words::UNNAMED.get(settings.language))
            .to_owned(),
        route_labels: field::public(set(envelope.route_labels)),
        org: envelope.org.as_ref().and_then(Value::as_i64).unwrap_or_default(),
        ..Surroundings::bare(settings, now)
    };
    let head = Notification {
        upstream_receiver: field::unquote_meta(&text(envelope.receiver)),
        group_key: text(envelope.group_key),
        group_labels,
        external_url: field::link(text(envelope.external_url)),
        message: grafana::own_message(&text(envelope.message), format),
        title: grafana::own_title(&title, format),
        truncated: envelope.truncated.as_ref().and_then(Value::as_u64).unwrap_or_default(),
        ..head(format)
    };
    let ranked =
        (format == Format::Grafana && !head.title.is_empty()).then(|| title::read(&head.title).level).flatten();
    let titled = ranked.and_then(|said| surroundings.settings.levels.of(&said));
    (head, Surroundings { titled, ..surroundings })
}

fn status(Text(text): &Text<'_>) -> Option<Status> {
    match &**text {
        "firing" => Some(Status::Firing),
        "resolved" => Some(Status::Resolved),
        _ => None,
    }
}

/// A set of labels or annotations; empty if it is missing, null or no object.
fn set(sent: Option<Set<'_>>) -> Labels {
    let Some(Held::Object(members)) = sent else { return Labels::new() };
    members.into_iter().map(|(name, Text(value))| (field::visible(name), value)).collect()
}

pub(super) fn alert(mut sent: Sent<'_>, around: &Surroundings<'_>) -> Alert {
    let mut labels = set(sent.labels.take());
    let mut annotations = set(sent.annotations.take());
    for text in annotations.values_mut() {
        if let Cow::Owned(prose) = plain::prose(text) {
            *text = prose.into();
        }
    }
    // Products with the shape of an Alertmanager write texts beside the annotations.
    let texts = std::mem::take(&mut sent.texts).into_iter();
    let texts = texts.map(|(name, text)| (field::visible(name), field::visible(text.unwrap_or_default())));
    let told = texts.filter(|(_, text)| !plain::is_missing(text));
    annotations.extend_new(told.map(|(name, text)| (name, EcoString::from(plain::prose(text.trim())))));
    let links = links(&mut sent, &annotations);
    field::mask(&mut annotations);
    // A label without a value is no label to Prometheus, and must not make another alert of it
    // (docs/reference/alert-sources.md#texts-and-times).
    labels.retain(|_, value| !value.is_empty());

    let ends_at = sent.ends_at.take().and_then(|Text(text)| field::instant(&text));
    let status = sent.status.as_ref().and_then(status).or(around.status).unwrap_or(match ends_at {
        Some(end) if end <= around.now => Status::Resolved,
        _ => Status::Firing,
    });
    let fingerprint = match text(sent.fingerprint.take()) {
        sent if sent.is_empty() => field::fingerprint(&labels),
        sent => sent,
    };
    let starts_at = sent.starts_at.take().and_then(|Text(text)| field::instant(&text));
    let grafana::Judged { health, discriminator, values } =
        grafana::judge(sent, &labels, &annotations, &links, around.org);
    let mut labels = field::public(labels);
    let name = name(&labels).unwrap_or_else(|| around.name.clone());
    for (label, value) in &around.route_labels {
        if !value.is_empty() {
            labels.insert_new(label.clone(), value.clone());
        }
    }
    Alert {
        status,
        name,
        health,
        level: super::ranked(&labels, &around.settings.levels).or(around.titled),
        labels,
        annotations: field::public(annotations),
        starts_at,
        ends_at: ends_at.filter(|_| status == Status::Resolved),
        lapses_at: around.repeats.lapses_at(ends_at, around.now).filter(|_| status == Status::Firing),
        fingerprint,
        discriminator,
        values,
        asked: Asked::default(),
        links,
        kin: None,
    }
}

/// What the rule is called; where `alertname` is missing (docs/reference/alert-sources.md#texts-and-times), what comes
/// nearest.
fn name(labels: &Labels) -> Option<String> {
    let label = |name: &str| labels.get(name).map(EcoString::as_str).filter(|value| !value.trim().is_empty());
    let alertname = label("alertname");
    // A special alert of Grafana's is called after its rule; a user's own rule may have the special name
    // (docs/reference/alert-sources.md#grafana-states).
    let name = if grafana::special(labels).is_some() { label("rulename").or(alertname) } else { alertname };
    name.or_else(|| label("rulename")).or_else(|| label("rule_name")).map(str::to_owned).or_else(|| {
        match (label("job"), label("instance")) {
            (Some(job), Some(instance)) => Some(format!("{job} {instance}")),
            (one, other) => one.or(other).map(str::to_owned),
        }
    })
}

fn links(sent: &mut Sent<'_>, annotations: &Labels) -> Links {
    let link = |url: &mut Option<Text<'_>>| field::link(text(url.take()));
    let mut links = Links {
        rule: link(&mut sent.generator_url),
        silence: link(&mut sent.silence_url),
        dashboard: link(&mut sent.dashboard_url),
        panel: link(&mut sent.panel_url),
        image: link(&mut sent.image_url),
        runbook: field::annotated_link(annotations, &["runbook_url", "runbook"]),
    };
    if links.image.is_empty() {
        links.image = link(&mut sent.image);
    }
    if links.image.is_empty() {
        links.image = field::annotated_link(annotations, &["image", "__alert_image_url__"]);
    }
    if links.dashboard.is_empty() {
        links.dashboard = field::annotated_link(annotations, &["dashboard_url", "dashboard"]);
    }
    links
}
