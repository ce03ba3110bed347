//! The shapes of answers. Ids are strings, times are RFC 3339 with the offset of the configured zone.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use serde::Serialize;
use utoipa::ToSchema;

use crate::alert::{Status, ThreadId, Timestamp};
use crate::names::SourceId;
use crate::standing;
use crate::store::{self, ActAlert, ActRow, AttemptRow, DeliveryRow, TransitionRow};
use crate::upstream::Matcher;
use crate::words::{Language, Words};

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct List<T> {
    /// The rows.
    pub items: Vec<T>,
    /// The `cursor` of the next page; null: this is the last.
    pub next: Option<String>,
}

/// How texts and times are said.
#[derive(Debug, Clone, Copy)]
pub(super) struct Say<'a> {
    pub zone: &'a TimeZone,
    pub language: Language,
}

impl Say<'_> {
    /// RFC 3339; a time beyond the calendar becomes its end.
    pub fn time(&self, at: Timestamp) -> String {
        let at = jiff::Timestamp::from_millisecond(at.0).unwrap_or(jiff::Timestamp::MAX);
        at.to_zoned(self.zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string()
    }

    fn maybe(&self, at: Option<Timestamp>) -> Option<String> {
        at.map(|at| self.time(at))
    }

    /// A text on record, in the reader's language.
    pub fn recorded(&self, text: &str) -> String {
        Words::of_record(text).get(self.language).to_owned()
    }
}

fn short(thread: ThreadId) -> Option<String> {
    (thread.0 != 0).then(|| thread.to_string())
}

fn source(source: &SourceId) -> String {
    source.to_string()
}

const fn severity(critical: bool) -> &'static str {
    if critical { "critical" } else { "other" }
}

/// What has a short id: the alerts of one episode.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Incident {
    /// The short id, without `#`.
    pub short: String,
    /// The name of its first alert.
    pub name: String,
    /// `firing` or `resolved`.
    pub state: &'static str,
    /// `critical` or `other`.
    pub severity: &'static str,
    /// Where it came from.
    pub source: String,
    /// Who was told.
    pub receivers: Vec<String>,
    /// Its alerts.
    pub alerts: usize,
    /// Of these, the firing ones.
    pub firing: usize,
    /// When the first alert began.
    #[schema(format = DateTime)]
    pub started_at: Option<String>,
    /// When the last alert ended; null while one is firing.
    #[schema(format = DateTime)]
    pub ended_at: Option<String>,
    /// Who has it.
    pub claimed_by: Vec<String>,
}

impl Incident {
    /// From the rows of its alerts, each as one receiver knows it; at least one.
    pub fn of(rows: &[&ActAlert], say: Say<'_>) -> Self {
        let first = rows[0];
        let firing: BTreeSet<_> =
            rows.iter().filter(|row| row.status == Status::Firing).map(|row| row.identity).collect();
        let all: BTreeSet<_> = rows.iter().map(|row| row.identity).collect();
        let ended = if firing.is_empty() { rows.iter().filter_map(|row| row.ends_at).max() } else { None };
        let claimed: BTreeSet<&str> =
            rows.iter().filter_map(|row| row.acknowledged.as_ref()).map(|doer| doer.by.as_str()).collect();
        let receivers: BTreeSet<&str> = rows.iter().map(|row| row.receiver.as_str()).collect();
        Self {
            short: first.thread.to_string(),
            name: first.name.clone(),
            state: if firing.is_empty() { "resolved" } else { "firing" },
            severity: severity(rows.iter().any(|row| row.critical)),
            source: source(&first.source),
            receivers: receivers.into_iter().map(str::to_owned).collect(),
            alerts: all.len(),
            firing: firing.len(),
            started_at: say.maybe(rows.iter().filter_map(|row| row.starts_at).min()),
            ended_at: say.maybe(ended),
            claimed_by: claimed.into_iter().map(str::to_owned).collect(),
        }
    }
}

/// An alert, as one receiver knows it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Alert {
    /// Its number.
    pub id: String,
    /// The short id of its last episode.
    pub short: Option<String>,
    /// The name of its rule.
    pub name: String,
    /// `firing` or `resolved`.
    pub state: &'static str,
    /// `critical` or `other`.
    pub severity: &'static str,
    /// Who was told.
    pub receiver: String,
    /// Where it came from.
    pub source: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// When it began.
    #[schema(format = DateTime)]
    pub starts_at: Option<String>,
    /// When it ended.
    #[schema(format = DateTime)]
    pub ends_at: Option<String>,
    /// Who has it.
    pub claimed_by: Option<String>,
    /// Since when.
    #[schema(format = DateTime)]
    pub claimed_at: Option<String>,
}

impl Alert {
    pub fn of(row: &ActAlert, say: Say<'_>) -> Self {
        Self {
            id: row.alert.to_string(),
            short: short(row.thread),
            name: row.name.clone(),
            state: row.status.as_str(),
            severity: severity(row.critical),
            receiver: row.receiver.clone(),
            source: source(&row.source),
            labels: serde_json::from_str(&row.labels_json).unwrap_or_default(),
            starts_at: say.maybe(row.starts_at),
            ends_at: say.maybe(row.ends_at),
            claimed_by: row.acknowledged.as_ref().map(|doer| doer.by.clone()),
            claimed_at: row.acknowledged.as_ref().map(|doer| say.time(doer.at)),
        }
    }
}

/// A message to one target.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Delivery {
    /// Its number.
    pub id: String,
    /// The short id of what it tells.
    pub short: Option<String>,
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
    /// Attempts so far.
    pub attempts: i64,
    /// Parts that WeCom accepted, and parts in all.
    pub parts_accepted: u32,
    /// Parts in all; 0 before the first attempt.
    pub parts: u32,
    /// When it was queued.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When it was sent, or given up.
    #[schema(format = DateTime)]
    pub settled_at: Option<String>,
    /// When it is tried again, if it waits.
    #[schema(format = DateTime)]
    pub next_try_at: Option<String>,
    /// The class of the last answer.
    pub outcome: Option<String>,
    /// Its `errcode`.
    pub errcode: Option<i64>,
    /// What it means.
    pub error: Option<String>,
}

impl Delivery {
    pub fn of(row: &DeliveryRow, say: Say<'_>) -> Self {
        let waits = row.state.is_live();
        Self {
            id: row.message.to_string(),
            short: short(row.thread),
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
            attempts: row.attempts,
            parts_accepted: row.next_part,
            parts: row.parts,
            created_at: say.time(row.created_at),
            settled_at: say.maybe(row.settled_at),
            next_try_at: say.maybe(Some(row.not_before).filter(|at| waits && at.0 > 0)),
            outcome: row.outcome.clone(),
            errcode: row.errcode,
            error: row.error.as_deref().map(|error| say.recorded(error)),
        }
    }
}

/// One try to send one part.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Attempt {
    /// Its number.
    pub number: i64,
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
}

impl Attempt {
    pub fn of(row: &AttemptRow, say: Say<'_>) -> Self {
        let missed: serde_json::Value =
            row.invalid_json.as_deref().and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
        Self {
            number: row.epoch,
            part: row.part,
            at: say.time(row.at),
            duration_ms: row.duration_ms,
            outcome: row.outcome.clone(),
            http_status: row.http_status,
            errcode: row.errcode,
            errmsg: row.errmsg.clone(),
            missed: texts(&missed),
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
pub(super) struct Change {
    /// The name of its rule.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// `firing`, `resolved`, `reminder` or `notice`.
    pub kind: String,
    /// When it was accepted.
    #[schema(format = DateTime)]
    pub at: String,
    /// `pending`, `named`, `counted`, `suppressed` or `dead`.
    pub fate: &'static str,
    /// Why, where the fate has a reason.
    pub reason: Option<String>,
}

impl Change {
    pub fn of(row: &TransitionRow, say: Say<'_>) -> Self {
        Self {
            name: row.name.clone(),
            labels: serde_json::from_str(&row.labels_json).unwrap_or_default(),
            kind: row.kind.as_str().to_owned(),
            at: say.time(row.at),
            fate: row.fate.as_str(),
            reason: row.reason.as_deref().map(|reason| say.recorded(reason)),
        }
    }
}

/// The exact bytes of a part of a message.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Bytes {
    /// The version: a new one is written if the first certainly never left.
    pub version: u32,
    /// The part, from 0.
    pub part: u32,
    /// As it goes out.
    pub body: String,
}

/// Everything about a message.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DeliveryDetail {
    /// As in a list.
    pub delivery: Delivery,
    /// When its notification came.
    #[schema(format = DateTime)]
    pub received_at: String,
    /// Why it has no picture, or why it was left out if it is one, in the word of `wegraf_pictures_total`; null: none was
    /// wanted, or nothing is known to be missing.
    pub picture: Option<String>,
    /// What it tells.
    pub changes: Vec<Change>,
    /// All attempts.
    pub attempts: Vec<Attempt>,
    /// The exact bytes; only with the scope `read:raw`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<Vec<Bytes>>,
}

/// What a person or a program did.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Act {
    /// Its number.
    pub id: String,
    /// When.
    #[schema(format = DateTime)]
    pub at: String,
    /// `acknowledge`, `release`, `silence`, …
    pub kind: &'static str,
    /// `open`, `done`, `repeated`, `void`, `denied` or `failed`.
    pub state: &'static str,
    /// Who.
    pub by: String,
    /// By which way.
    pub via: String,
    /// The short id of what it is about.
    pub short: Option<String>,
    /// The message that was pressed.
    pub delivery: Option<String>,
    /// Until when, of a silence.
    #[schema(format = DateTime)]
    pub until: Option<String>,
    /// Details, in words.
    pub detail: String,
    /// How many alerts it touched.
    pub alerts: u64,
}

impl Act {
    pub fn of(row: &ActRow, say: Say<'_>) -> Self {
        Self {
            id: row.id.to_string(),
            at: say.time(row.at),
            kind: row.kind.as_str(),
            state: row.state.as_str(),
            by: row.by.clone(),
            via: row.via.clone(),
            short: short(row.thread),
            delivery: row.message.map(|id| id.to_string()),
            until: say.maybe(row.until),
            detail: say.recorded(&row.detail),
            alerts: row.alerts,
        }
    }
}

/// A silence that was made through wegraf.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Silence {
    /// The number of the act that made it.
    pub act: String,
    /// Where it holds.
    pub upstream: String,
    /// Its id there.
    pub id: String,
    /// Its conditions.
    pub matchers: Vec<String>,
    /// The short id of what it was made for.
    pub short: Option<String>,
    /// Who made it.
    pub by: String,
    /// When.
    #[schema(format = DateTime)]
    pub at: String,
    /// When it ends.
    #[schema(format = DateTime)]
    pub until: String,
    /// Alerts of ours that it was made for and that are still firing.
    pub firing: usize,
}

impl Silence {
    /// `alerts`: those that it was made for.
    pub fn of(row: &store::Silence, alerts: &[ActAlert], say: Say<'_>) -> Self {
        let matchers: Vec<Matcher> = serde_json::from_str(&row.matchers_json).unwrap_or_default();
        let firing: BTreeSet<_> =
            alerts.iter().filter(|alert| alert.status == Status::Firing).map(|alert| alert.identity).collect();
        Self {
            act: row.act.to_string(),
            upstream: row.upstream.clone(),
            id: row.upstream_id.clone(),
            matchers: matchers.iter().map(|matcher| standing::conditions(std::slice::from_ref(matcher))).collect(),
            short: short(row.thread),
            by: row.by.clone(),
            at: say.time(row.at),
            until: say.time(row.until),
            firing: firing.len(),
        }
    }
}

/// An incident with what became of it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct IncidentDetail {
    /// As in a list; null: its alerts have begun a new episode, or were pruned, and only its messages are on record.
    pub incident: Option<Incident>,
    /// Its alerts, as each receiver knows them.
    pub alerts: Vec<Alert>,
    /// Its messages, the newest first; at most 60.
    pub deliveries: Vec<Delivery>,
    /// What was done, the newest first; at most 50.
    pub acts: Vec<Act>,
    /// The silences that concern it.
    pub silences: Vec<Silence>,
    /// What happened, in order.
    pub timeline: Vec<Step>,
}

/// A step of an incident.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
pub(super) struct Step {
    /// When.
    #[schema(format = DateTime)]
    pub at: String,
    /// `queued`, `sent`, `dead` or `folded` of a message; the kind of an act.
    pub what: String,
    /// The number of the message or of the act.
    pub id: String,
    /// The target of the message, or who did it.
    pub who: String,
}

/// What happened to messages and what was done, in order.
pub(super) fn timeline(deliveries: &[Delivery], acts: &[Act]) -> Vec<Step> {
    let step = |at: &String, what: &str, id: &String, who: &String| Step {
        at: at.clone(),
        what: what.to_owned(),
        id: id.clone(),
        who: who.clone(),
    };
    let queued = deliveries.iter().map(|one| step(&one.created_at, "queued", &one.id, &one.target));
    let settled =
        deliveries.iter().filter_map(|one| one.settled_at.as_ref().map(|at| step(at, one.state, &one.id, &one.target)));
    let done = acts.iter().map(|act| step(&act.at, act.kind, &act.id, &act.by));
    let mut steps: Vec<Step> = queued.chain(settled).chain(done).collect();
    // All have the same offset but for a change of the clocks, where an hour may stand in a wrong order.
    steps.sort();
    steps
}
