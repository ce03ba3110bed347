//! Bytes to a [`Notification`]: proves the source, recognises the payload, reads it. Pure: the time comes in.
//!
//! Nothing that can be read is refused (reliability F50). A body that no reader understands becomes one alert
//! with its text, because the sender will not come again. What stays out of here: routing, storing, markup.

mod alertmanager;
mod body;
mod field;
pub mod generic;
mod grafana;
mod grafana_legacy;
mod proof;
mod relayed;
mod replay;
mod robots;
#[cfg(test)]
mod tests;
mod weight;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::alert::{Alert, Format, Health, Links, Notification, Status, Timestamp, level_label};
use crate::level::Levels;
use crate::names::Discriminator;
use body::Body;
use generic::Payloads;
pub use proof::{
    Certificate, Certificates, Kind, Once, Presented, Proven, Unproven, Why, confirmation, could_prove, is_secret,
    prove, shown_path,
};
pub use relayed::{FORMAT as RELAYED, relay};
pub use replay::{Replays, Seen};
pub use robots::wecom;
pub use weight::Weight;

/// How much of a body that nobody understands is shown, in bytes: the most that any face can hold.
const EXCERPT: usize = 4096;

/// Shown where a sender gives no name at all.
const UNNAMED: &str = "未命名告警 (unnamed alert)";

/// Shown as the name of a body that nobody understands and that has no first line worth showing.
const UNRECOGNISED: &str = "未识别的通知 (unrecognised notification)";

/// Through which address a body came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// `/webhook` and its kin: any payload.
    Webhook,
    /// `POST /api/v2/alerts`: an array of alerts, answered as an Alertmanager would.
    AlertsPush,
}

/// Why there is nothing to read in a body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// No byte but white space.
    #[error("the body is empty: nothing was sent; check the payload template of the sender")]
    Empty,
    /// Binary data.
    #[error("the body is no text: send JSON, a form or plain text in UTF-8")]
    NotText,
    /// More than can be held at a time: nothing of it is taken, because a part would hide the rest.
    #[error("{objects} objects are too many for one body: make the groups upstream smaller (group_by, max_alerts)")]
    TooMany {
        /// How many objects there are, or values.
        objects: usize,
    },
    /// An empty array was pushed: correct, and nothing to do.
    #[error("no alerts")]
    NothingPushed,
    /// Something else than alerts was pushed to `/api/v2/alerts`.
    #[error("{message}")]
    NotAlerts {
        /// The HTTP status that Alertmanager gives.
        status: u16,
        /// The `code` of its answer.
        code: u16,
        /// The `message` of its answer.
        message: String,
    },
}

impl Unreadable {
    /// The HTTP status to answer; 200 only for the empty push, as Alertmanager does.
    pub const fn status(&self) -> u16 {
        match self {
            Self::Empty | Self::NotText => 400,
            Self::NothingPushed => 200,
            Self::TooMany { .. } => 413,
            Self::NotAlerts { status, .. } => *status,
        }
    }

    /// The body to answer, in Alertmanager's form `{code, message}`.
    pub fn answer(&self) -> Value {
        let code = if let Self::NotAlerts { code, .. } = self { *code } else { self.status() };
        json!({ "code": code, "message": self.to_string() })
    }
}

/// Reads what came in through `door`. `now` decides whether a pushed alert is over.
pub fn read(
    bytes: &[u8],
    content_type: Option<&str>,
    door: Door,
    payloads: &Payloads,
    now: Timestamp,
) -> Result<Notification, Unreadable> {
    let Body { text, json } = body::decode(bytes, content_type)?;
    let mut notification = match door {
        Door::AlertsPush => alertmanager::pushed(json, now)?,
        Door::Webhook => json.and_then(|json| recognise(json, &text, payloads, now)).unwrap_or_else(|| opaque(&text)),
    };
    for alert in &mut notification.alerts {
        rank(alert, payloads.levels());
    }
    Ok(notification)
}

/// Gives an alert the rank of the word that its labels have for it, where the reader did not.
fn rank(alert: &mut Alert, levels: &Levels) {
    if alert.level.is_none() {
        alert.level = level_label(&alert.labels).and_then(|said| levels.of(said));
    }
}

/// Reads stored bytes again; with the same `payloads` and the time they were received, the result is the same.
pub fn reread(
    format: Format,
    bytes: &[u8],
    content_type: Option<&str>,
    payloads: &Payloads,
    received_at: Timestamp,
) -> Notification {
    if let Some(notification) = relayed::read(bytes).filter(|_| format == Format::Relayed) {
        return notification;
    }
    if matches!(format, Format::WecomWebhook | Format::WecomApp) {
        return wecom::notification(bytes);
    }
    let door = if format == Format::AlertsPush { Door::AlertsPush } else { Door::Webhook };
    read(bytes, content_type, door, payloads, received_at).unwrap_or_else(|_| opaque(&String::from_utf8_lossy(bytes)))
}

/// Tells payloads apart by their shape, in the order of alert-sources §0.2: the fixed shapes first, then the
/// mappings. `None`: nobody understands it.
fn recognise(json: Value, text: &str, payloads: &Payloads, now: Timestamp) -> Option<Notification> {
    match json {
        Value::Array(items) if items.iter().any(alertmanager::has_labels) => alertmanager::array(items, now),
        Value::Object(object) => match alertmanager::envelope_format(&object) {
            Some(format) => alertmanager::envelope(object, format, now),
            None if grafana_legacy::is_legacy(&object) => Some(grafana_legacy::notification(object)),
            None => payloads.read(&Value::Object(object), text),
        },
        other => payloads.read(&other, text),
    }
}

/// A body that nobody understands: one alert, its text as the message. Each different body is an alert of its
/// own, so that a second one is never taken for a repeat of the first.
fn opaque(text: &str) -> Notification {
    let text = text.trim().replace('\0', "\u{2400}");
    let name = match text.chars().next() {
        Some('{') => named_member(&text),
        Some('[') if text[1..].trim_start().starts_with(['{', '[', '"']) => None,
        None | Some('<' | '"') => None,
        Some(_) => text.lines().next().map(str::to_owned),
    };
    let name = name.map_or_else(|| UNRECOGNISED.to_owned(), |name| excerpt(name.trim(), 120));
    single(Format::Opaque, name, content_key(&text), excerpt(&text, EXCERPT))
}

/// What in an unknown JSON object is most likely to say what it is about.
fn named_member(text: &str) -> Option<String> {
    let members: serde_json::Map<String, Value> = serde_json::from_str(text).ok()?;
    ["title", "subject", "alertname", "name", "summary", "message", "msg", "text", "content"]
        .into_iter()
        .find_map(|wanted| members.iter().find(|(name, _)| name.to_lowercase().ends_with(wanted)))
        .and_then(|(_, value)| value.as_str()?.lines().map(str::trim).find(|line| !line.is_empty()))
        .map(|name| name.replace('\0', "\u{2400}"))
}

/// A notification of one firing alert that knows nothing but a name and a text.
fn single(format: Format, name: String, discriminator: Discriminator, message: String) -> Notification {
    let alert = Alert {
        status: Status::Firing,
        name,
        health: Health::Normal,
        fingerprint: String::new(),
        discriminator,
        labels: [].into(),
        annotations: [].into(),
        starts_at: None,
        ends_at: None,
        values: Vec::new(),
        links: Links::default(),
        level: None,
    };
    Notification {
        format,
        upstream_receiver: String::new(),
        group_key: String::new(),
        group_labels: [].into(),
        external_url: String::new(),
        title: String::new(),
        message,
        truncated: 0,
        test: false,
        alerts: vec![alert],
    }
}

/// A discriminator for what has no identity of its own: the same text is the same alert.
fn content_key(text: &str) -> Discriminator {
    use std::fmt::Write as _;
    let digest = Sha256::digest(text.as_bytes());
    Discriminator::content(&digest[..8].iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    }))
}

/// At most `limit` bytes of `text`, cut between characters and then marked with `…`.
fn excerpt(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(limit.saturating_sub('…'.len_utf8()))])
}
