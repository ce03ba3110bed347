//! Messages, as the API answers them.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::{Say, severity, short, source};
use crate::store::{self, AttemptRow, DeliveryRow, TransitionRow};

/// A message to one target.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http::api) struct Delivery {
    /// Its number.
    pub id: String,
    /// The short id of what it tells.
    pub short: Option<String>,
    /// The number of the notification that it is about.
    pub notification: String,
    /// The name of its first alert.
    pub name: String,
    /// Who it is for.
    pub receiver: String,
    /// The target, as `webhook/ops-group`.
    pub target: String,
    /// Where its alerts came from.
    pub source: String,
    /// `queued`, `sending`, `unsure`, `sent`, `dead` or `folded`.
    pub state: &'static str,
    /// `critical` or `other`.
    pub severity: &'static str,
    /// It stands for many messages.
    pub digest: bool,
    /// The act that it tells of.
    pub act: Option<&'static str>,
    /// The message that it follows, if it is a picture.
    pub picture_of: Option<String>,
    /// The digest that tells it instead; of a picture that was left out, the message that it was to follow.
    pub folded_into: Option<String>,
    /// The message that it is a resend or a fallback of.
    pub origin: Option<String>,
    /// Alerts in it that are firing.
    pub firing: i64,
    /// Alerts in it that are over.
    pub resolved: i64,
    /// Notices in it.
    pub notices: i64,
    /// How often its notification was repeated without any news.
    pub repeated: i64,
    /// Attempts so far.
    pub attempts: i64,
    /// Parts that WeCom accepted, and parts in all.
    pub parts_accepted: u32,
    /// Parts in all; 0 before the first attempt.
    pub parts: u32,
    /// When it was queued.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When it was last tried.
    #[schema(format = DateTime)]
    pub claimed_at: Option<String>,
    /// When it was sent, or given up.
    #[schema(format = DateTime)]
    pub settled_at: Option<String>,
    /// When it is tried again, if it waits.
    #[schema(format = DateTime)]
    pub next_try_at: Option<String>,
    /// The form in which it was sent; null before the first attempt.
    pub face: Option<String>,
    /// The class of the last answer.
    pub outcome: Option<String>,
    /// Its `errcode`.
    pub errcode: Option<i64>,
    /// What it means.
    pub error: Option<String>,
    /// Why it is a resend or a fallback of `origin`.
    pub note: Option<serde_json::Value>,
}

impl Delivery {
    pub fn of(row: &DeliveryRow, say: Say<'_>) -> Self {
        let waits = row.state.is_live();
        Self {
            id: row.message.to_string(),
            short: short(row.thread),
            notification: row.notification.to_string(),
            name: row.name.clone(),
            receiver: row.receiver.clone(),
            target: row.lane.to_string(),
            source: source(&row.source),
            state: row.state.as_str(),
            severity: severity(row.critical),
            digest: row.digest,
            act: row.act.map(store::ActKind::as_str),
            picture_of: row.picture_of.map(|id| id.to_string()),
            folded_into: row.folded_into.map(|id| id.to_string()),
            origin: row.origin.map(|id| id.to_string()),
            firing: row.firing,
            resolved: row.resolved,
            notices: row.notices,
            repeated: row.repeated,
            attempts: row.attempts,
            parts_accepted: row.next_part,
            parts: row.parts,
            created_at: say.time(row.created_at),
            claimed_at: say.maybe(row.claimed_at),
            settled_at: say.maybe(row.settled_at),
            next_try_at: say.maybe(Some(row.not_before).filter(|at| waits && at.0 > 0)),
            face: row.face.clone(),
            outcome: row.outcome.clone(),
            errcode: row.errcode,
            error: row.error.as_deref().map(|error| say.recorded(error)),
            note: row.note_json.as_deref().and_then(|json| serde_json::from_str(json).ok()),
        }
    }
}

/// One try to send one part.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http::api) struct Attempt {
    /// Its number.
    pub number: i64,
    /// The version of the bytes.
    pub version: u32,
    /// The part, from 0.
    pub part: u32,
    /// When.
    #[schema(format = DateTime)]
    pub at: String,
    /// How long it took.
    pub duration_ms: Option<i64>,
    /// The class of the answer; null: it is under way, or was never known.
    pub outcome: Option<String>,
    /// The HTTP status.
    pub http_status: Option<u16>,
    /// The `errcode`.
    pub errcode: Option<i64>,
    /// The answer's own text.
    pub errmsg: Option<String>,
    /// Whom WeCom did not reach.
    pub missed: Vec<String>,
    /// The same as WeCom said it.
    pub missed_as: Option<serde_json::Value>,
    /// The number by which WeCom knows the message.
    pub msgid: Option<String>,
}

impl Attempt {
    pub fn of(row: &AttemptRow, say: Say<'_>) -> Self {
        let missed: serde_json::Value =
            row.invalid_json.as_deref().and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
        Self {
            number: row.epoch,
            version: row.version,
            part: row.part,
            at: say.time(row.at),
            duration_ms: row.duration_ms,
            outcome: row.outcome.clone(),
            http_status: row.http_status,
            errcode: row.errcode,
            errmsg: row.errmsg.clone(),
            missed: texts(&missed),
            missed_as: Some(missed).filter(|missed| !missed.is_null()),
            msgid: row.msgid.clone(),
        }
    }
}

/// The texts in a JSON value, wherever they stand.
fn texts(value: &serde_json::Value) -> Vec<String> {
    match value {
        serde_json::Value::String(text) => vec![text.clone()],
        serde_json::Value::Array(all) => all.iter().flat_map(texts).collect(),
        serde_json::Value::Object(all) => all.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

/// A change of an alert, and what became of telling it.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http::api) struct Change {
    /// Its number.
    pub id: String,
    /// The name of its rule.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// `firing`, `resolved`, `reminder` or `notice`.
    pub kind: String,
    /// When it was accepted.
    #[schema(format = DateTime)]
    pub at: String,
    /// When the alert began.
    #[schema(format = DateTime)]
    pub starts_at: Option<String>,
    /// When it ended.
    #[schema(format = DateTime)]
    pub ends_at: Option<String>,
    /// `pending`, `named`, `counted`, `suppressed` or `dead`.
    pub fate: &'static str,
    /// Why, where the fate has a reason.
    pub reason: Option<String>,
}

impl Change {
    pub fn of(row: &TransitionRow, say: Say<'_>) -> Self {
        Self {
            id: row.id.to_string(),
            name: row.name.clone(),
            labels: serde_json::from_str(&row.labels_json).unwrap_or_default(),
            kind: row.kind.as_str().to_owned(),
            at: say.time(row.at),
            starts_at: say.maybe(row.starts_at),
            ends_at: say.maybe(row.ends_at),
            fate: row.fate.as_str(),
            reason: row.reason.as_deref().map(|reason| say.recorded(reason)),
        }
    }
}

/// The exact bytes of a part of a message.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http::api) struct Bytes {
    /// The version: a new one is written if the first certainly never left.
    pub version: u32,
    /// The part, from 0.
    pub part: u32,
    /// As it goes out.
    pub body: String,
}

/// What a digest tells.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http::api) struct DigestSums {
    /// Alerts that are firing.
    pub firing: u64,
    /// Of these, the critical ones.
    pub critical: u64,
    /// Alerts that are over.
    pub resolved: u64,
    /// Changes that it stands for.
    pub changes: u64,
    /// When the first of them was accepted.
    #[schema(format = DateTime)]
    pub from: String,
    /// When the last one was.
    #[schema(format = DateTime)]
    pub to: String,
    /// The first of its alerts, at most 20.
    pub alerts: Vec<DigestAlert>,
}

/// An alert in a digest.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http::api) struct DigestAlert {
    /// Its number.
    pub id: String,
    /// The name of its rule.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// `firing` or `resolved`.
    pub state: &'static str,
    /// `critical` or `other`.
    pub severity: &'static str,
    /// When it began.
    #[schema(format = DateTime)]
    pub starts_at: Option<String>,
    /// When it ended.
    #[schema(format = DateTime)]
    pub ends_at: Option<String>,
    /// How often it changed.
    pub changes: u64,
}

impl DigestSums {
    pub fn of(digest: &store::Digest, alerts: &[store::DigestItem], say: Say<'_>) -> Self {
        let alert = |item: &store::DigestItem| DigestAlert {
            id: item.alert.to_string(),
            name: item.name.clone(),
            labels: item.labels.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect(),
            state: item.status.as_str(),
            severity: severity(item.critical),
            starts_at: say.maybe(item.starts_at),
            ends_at: say.maybe(item.ends_at),
            changes: item.changes,
        };
        Self {
            firing: digest.firing,
            critical: digest.critical,
            resolved: digest.resolved,
            changes: digest.transitions,
            from: say.time(digest.from),
            to: say.time(digest.to),
            alerts: alerts.iter().map(alert).collect(),
        }
    }
}

/// Everything about a message.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http::api) struct DeliveryDetail {
    /// As in a list.
    pub delivery: Delivery,
    /// When its notification came.
    #[schema(format = DateTime)]
    pub received_at: String,
    /// What the notification was recognised as.
    pub format: &'static str,
    /// Why it has no picture, or why it was left out if it is one, in the word of `wegraf_pictures_total`; null: none was
    /// wanted, or nothing is known to be missing.
    pub picture: Option<String>,
    /// What it tells; empty for a digest.
    pub changes: Vec<Change>,
    /// What it tells, if it is a digest.
    pub digest: Option<DigestSums>,
    /// All attempts.
    pub attempts: Vec<Attempt>,
    /// The exact bytes; only with the scope `read:raw`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<Vec<Bytes>>,
}
