//! The record: which message went to whom and when, whether it arrived, and if not, why.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::{ActKind, Fate, Kept, Moved, State, words};
use crate::alert::{Format, ThreadId, Timestamp, TransitionKind};
use crate::names::{LaneKey, SourceId};
use crate::search::Question;
use crate::words::Words;

/// Bytes of an answer's text that are kept with an attempt.
pub const ERROR_BYTES: usize = 1000;

/// Which messages to list; `None` does not restrict.
#[derive(Debug, Clone, Default)]
pub struct DeliveryFilter {
    /// At most so many, and at most 1000; 0 means 100.
    pub limit: usize,
    /// Queued at this time or later.
    pub since: Option<Timestamp>,
    /// Queued before this time.
    pub until: Option<Timestamp>,
    /// Of this receiver.
    pub receiver: Option<String>,
    /// Of one of these receivers.
    pub receivers: Option<Vec<String>>,
    /// In this lane.
    pub lane: Option<LaneKey>,
    /// In this state.
    pub state: Option<State>,
    /// With this short id.
    pub thread: Option<ThreadId>,
    /// With this id.
    pub message: Option<i64>,
    /// With one of these ids; empty: with any.
    pub among: Vec<i64>,
    /// Addressed to this userid by name (not through a department, a tag or a chat), or reported by WeCom as not
    /// reached.
    pub person: Option<String>,
    /// An attempt at it was answered with this `errcode`.
    pub errcode: Option<i64>,
    /// Tells of an alert that has all these labels.
    pub labels: Vec<(String, String)>,
    /// Holding these words: in names, labels, texts, people, codes or the short id. A message is found by them some seconds
    /// after it was queued.
    pub words: Option<Question>,
    /// This message or a newer one.
    pub from: Option<i64>,
    /// Older than this message, to continue a list.
    pub before: Option<i64>,
}

/// A message in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeliveryRow {
    /// Its id.
    pub message: i64,
    /// Its short id.
    #[serde(serialize_with = "as_text")]
    pub thread: ThreadId,
    /// The notification it is about.
    pub notification: i64,
    /// The source of that.
    pub source: SourceId,
    /// Its receiver.
    pub receiver: String,
    /// Its lane.
    pub lane: LaneKey,
    /// Its state.
    pub state: State,
    /// Holds a critical alert.
    pub critical: bool,
    /// A digest.
    pub digest: bool,
    /// The act it tells of.
    pub act: Option<ActKind>,
    /// The message that it was folded into.
    pub folded_into: Option<i64>,
    /// The message it is a fallback or a resend of.
    pub origin: Option<i64>,
    /// Whether it is a fallback or a resend and why, as JSON in the form of the module that queued it.
    #[serde(rename = "note", serialize_with = "as_json")]
    pub note_json: Option<String>,
    /// The message that it follows, if it is a picture.
    pub picture_of: Option<i64>,
    /// Name of its first alert; of a picture, of the message that it follows.
    pub name: String,
    /// Its transitions that report firing: new or repeated.
    pub firing: i64,
    /// Its transitions that report resolved.
    pub resolved: i64,
    /// Notices in it.
    pub notices: i64,
    /// How often its notification was repeated without any news.
    pub repeated: i64,
    /// When it was queued.
    pub created_at: Timestamp,
    /// When it was last claimed.
    pub claimed_at: Option<Timestamp>,
    /// When it was sent or became dead.
    pub settled_at: Option<Timestamp>,
    /// When it may be tried again.
    pub not_before: Timestamp,
    /// Attempts so far.
    pub attempts: i64,
    /// Parts accepted.
    pub next_part: u32,
    /// Parts in all; 0 before the first attempt.
    pub parts: u32,
    /// Its face; `None` before the first attempt.
    pub face: Option<String>,
    /// Class of the last answer.
    pub outcome: Option<String>,
    /// Its `errcode`.
    pub errcode: Option<i64>,
    /// Its error text.
    pub error: Option<String>,
}

/// Everything known about a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// As in a list.
    #[serde(flatten)]
    pub row: DeliveryRow,
    /// Its target, as JSON.
    pub target_json: String,
    /// What the notification was recognised as.
    pub format: Format,
    /// When the notification came.
    pub received_at: Timestamp,
    /// Why it has no picture, or why it was left out if it is one, in the word of `wegraf_pictures_total`; `None`: none was
    /// wanted, or it has one.
    pub picture: Option<String>,
    /// Its transitions.
    pub transitions: Vec<TransitionRow>,
    /// All its attempts.
    pub attempts: Vec<AttemptRow>,
    /// Every version of its bytes.
    pub frozen: Vec<FrozenPart>,
}

/// A transition and its fate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TransitionRow {
    /// Its id.
    pub id: i64,
    /// The alert's name.
    pub name: String,
    /// The alert's labels, as JSON.
    pub labels_json: String,
    /// What happened.
    pub kind: TransitionKind,
    /// When it was accepted.
    pub at: Timestamp,
    /// When the episode began.
    pub starts_at: Option<Timestamp>,
    /// When it ended.
    pub ends_at: Option<Timestamp>,
    /// Its fate.
    pub fate: Fate,
    /// Why, where the fate has a reason.
    pub reason: Option<String>,
}

/// One attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AttemptRow {
    /// Its number.
    pub epoch: i64,
    /// Which version of the bytes.
    pub version: u32,
    /// Which part.
    pub part: u32,
    /// When it began.
    pub at: Timestamp,
    /// How long it took; `None`: it is under way, or the process ended before it was settled.
    pub duration_ms: Option<i64>,
    /// Class of the answer.
    pub outcome: Option<String>,
    /// HTTP status.
    pub http_status: Option<u16>,
    /// WeCom's `errcode`.
    pub errcode: Option<i64>,
    /// WeCom's words, or ours.
    pub errmsg: Option<String>,
    /// Id by which the message can be recalled.
    pub msgid: Option<String>,
    /// Code with which a card can be updated.
    pub response_code: Option<String>,
    /// Recipients that WeCom did not reach, as JSON.
    pub invalid_json: Option<String>,
}

impl AttemptRow {
    /// The recipients that WeCom did not reach: userids, then departments and tags.
    pub fn missed(&self) -> Option<Words> {
        missed(self.invalid_json.as_deref()?)
    }
}

fn missed(json: &str) -> Option<Words> {
    let lists: BTreeMap<String, Vec<Value>> = serde_json::from_str(json).ok()?;
    let named = |list: &str, kind: &Words| {
        let names = lists.get(list).into_iter().flatten();
        let name = |name: &Value| name.as_str().map_or_else(|| name.to_string(), str::to_owned);
        let both = |name: String| (format!("{}{name}", kind.zh), format!("{}{name}", kind.en));
        names.map(name).map(both).collect::<Vec<_>>()
    };
    let kinds = [
        ("users", Words::default()),
        ("parties", words::DEPARTMENT),
        ("tags", words::TAG),
        ("unlicensed", words::UNLICENSED),
    ];
    let (zh, en): (Vec<String>, Vec<String>) = kinds.iter().flat_map(|(list, kind)| named(list, kind)).unzip();
    Some((zh.join(&words::BETWEEN_NAMES.zh), en.join(&words::BETWEEN_NAMES.en)).into())
}

/// A request body as sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FrozenPart {
    /// Which version.
    pub version: u32,
    /// Which part.
    pub number: u32,
    /// The body.
    pub body: String,
}

/// The content of a message.
#[derive(Debug, Clone)]
pub struct Contents {
    /// Its receiver.
    pub receiver: String,
    /// Its short id.
    pub thread: ThreadId,
    /// The notification it is about.
    pub notification: Kept,
    /// Its transitions, in the order they were accepted; empty for a digest.
    pub transitions: Vec<Moved>,
    /// A digest.
    pub digest: bool,
    /// The message that it was folded into.
    pub folded_into: Option<i64>,
}

/// A firing alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FiringAlert {
    /// The rule's name.
    pub name: String,
    /// Its labels, as JSON.
    pub labels_json: String,
    /// When it began.
    pub starts_at: Option<Timestamp>,
}

/// Sums over live messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Backlog {
    /// Messages neither sent nor dead.
    pub messages: i64,
    /// Of these, the ones that were tried and not accepted.
    pub retrying: i64,
    /// When the oldest was queued.
    pub oldest: Option<Timestamp>,
    /// When the oldest with a critical alert was queued.
    pub oldest_critical: Option<Timestamp>,
    /// Messages with a critical alert.
    pub critical: i64,
}

/// Late lanes that are listed: more of them have one cause.
pub(super) const LATE_LANES: i64 = 100;

/// A lane with live messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneBacklog {
    /// The key of the lane.
    pub lane: LaneKey,
    /// Its live messages.
    pub messages: i64,
    /// When the oldest was queued.
    pub oldest: Timestamp,
    /// When the oldest with a critical alert was queued.
    pub oldest_critical: Option<Timestamp>,
    /// Why the oldest that was tried or held was not sent; empty if none was.
    pub error: String,
}

/// Transitions by fate. Each has exactly one, which agrees with its message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// Waiting.
    pub pending: i64,
    /// Named in an accepted message.
    pub named: i64,
    /// Counted in an accepted message.
    pub counted: i64,
    /// Not told, with a reason.
    pub suppressed: i64,
    /// Refused for good.
    pub dead: i64,
    /// Notifications that only repeated what had been told: they changed nothing, so they have no fate.
    pub repeated: i64,
    /// Transitions whose fate contradicts the state of their message. Anything but 0 is a bug.
    pub imbalance: i64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn as_text<S: serde::Serializer>(thread: &ThreadId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(thread)
}

/// JSON that is stored as a text, as the value it is.
#[expect(clippy::ref_option, reason = "serde calls it with a reference")]
fn as_json<S: serde::Serializer>(json: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    let value: Option<serde_json::Value> = json.as_deref().and_then(|json| serde_json::from_str(json).ok());
    value.serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_were_not_reached_are_named_in_words() {
        let all = r#"{"users":["lisi","wang"],"parties":["3"],"tags":[],"unlicensed":["zhao"]}"#;
        let said = missed(all).unwrap();
        assert_eq!(said.zh, "lisi、wang、部门 3、没有许可的 zhao");
        assert_eq!(said.en, "lisi, wang, department 3, without a licence zhao");
        assert_eq!(missed("odd"), None);
    }
}
