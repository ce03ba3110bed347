//! The outbox: a message on its way, from the head of its lane through a claim to its settlement.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::alert::{Format, ThreadId, Timestamp, TransitionKind};

/// Where a message is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Waits, certainly not accepted by WeCom so far (its earlier parts may be).
    Queued,
    /// Claimed; an answer is awaited.
    Sending,
    /// Waits; whether WeCom accepted the last attempt is unknown.
    Unsure,
    /// Accepted whole. Final.
    Sent,
    /// Refused for good. Final.
    Dead,
}

impl State {
    /// The name in the store and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Unsure => "unsure",
            Self::Sent => "sent",
            Self::Dead => "dead",
        }
    }

    /// The state with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Queued, Self::Sending, Self::Unsure, Self::Sent, Self::Dead]
            .into_iter()
            .find(|state| state.as_str() == name)
    }
}

/// What became of a transition for one lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// Its message is live.
    Pending,
    /// Named in a message that was accepted.
    Named,
    /// Counted in a message that was accepted.
    Counted,
    /// Not told, for a recorded reason.
    Suppressed,
    /// Its message was refused for good.
    Dead,
}

impl Fate {
    /// The name in the store and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Named => "named",
            Self::Counted => "counted",
            Self::Suppressed => "suppressed",
            Self::Dead => "dead",
        }
    }

    /// The fate with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Pending, Self::Named, Self::Counted, Self::Suppressed, Self::Dead]
            .into_iter()
            .find(|fate| fate.as_str() == name)
    }
}

/// The oldest live message of a lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneHead {
    /// Name of the lane.
    pub lane: String,
    /// The message.
    pub message: i64,
    /// `Sending`: the lane is taken.
    pub state: State,
    /// When it may be claimed; not in the future if now.
    pub due_at: Timestamp,
}

/// The head of a lane, ready to be rendered or resent.
#[derive(Debug, Clone)]
pub struct Queued {
    /// Its id.
    pub message: i64,
    /// Receiver whose language, zone and templates it has.
    pub receiver: String,
    /// Its lane.
    pub lane: String,
    /// Its target, as JSON.
    pub target_json: String,
    /// Holds a critical alert.
    pub critical: bool,
    /// The short id people see.
    pub thread: ThreadId,
    /// `Queued` or `Unsure`.
    pub state: State,
    /// Claims so far; a claim must name it.
    pub epoch: i64,
    /// When it was queued.
    pub created_at: Timestamp,
    /// The notification it is about.
    pub notification: Kept,
    /// Its transitions, in the order they were accepted.
    pub transitions: Vec<Moved>,
    /// Its bytes, if it was claimed before.
    pub frozen: Option<Frozen>,
}

/// A notification as it was kept.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Its id.
    pub id: i64,
    /// Name of the source.
    pub source: String,
    /// What the body was recognised as.
    pub format: Format,
    /// The request's `Content-Type`.
    pub content_type: Option<String>,
    /// The receiver in the request's path.
    pub path_receiver: Option<String>,
    /// When it came.
    pub received_at: Timestamp,
    /// The body as it came.
    pub raw: Bytes,
}

/// A transition a message tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Its id.
    pub id: i64,
    /// The alert's place in the notification's list.
    pub alert_index: u32,
    /// What happened.
    pub kind: TransitionKind,
    /// When it was accepted.
    pub at: Timestamp,
    /// When the episode began.
    pub starts_at: Option<Timestamp>,
    /// When it ended.
    pub ends_at: Option<Timestamp>,
}

/// The bytes of a message as they were frozen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frozen {
    /// 1 for the first bytes, one more each time others replaced them.
    pub version: u32,
    /// The face they have.
    pub face: String,
    /// Request bodies of all parts.
    pub parts: Vec<Bytes>,
    /// The first part that WeCom has not certainly accepted.
    pub next_part: u32,
}

/// A wish to send.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Which message.
    pub message: i64,
    /// Its epoch as `head` gave it.
    pub epoch: i64,
    /// `None`: the bytes as they are frozen. `Some`: new bytes, which the first claim must bring. Later claims bring
    /// them only to send something else on purpose (a copy marked as repeated, plain text after a refusal); the
    /// bytes of earlier attempts stay on record.
    pub freeze: Option<Freeze>,
}

/// Bytes to freeze.
#[derive(Debug, Clone)]
pub struct Freeze {
    /// The face they have.
    pub face: String,
    /// Request bodies of all parts; at least one.
    pub parts: Vec<Bytes>,
    /// With which part to go on: 0, except in a new version that repeats only the parts not yet accepted.
    pub next_part: u32,
    /// Ids of the transitions whose alerts are counted in these bytes, not named.
    pub counted: Vec<i64>,
}

/// A message that may be sent now: proof for [`Store::settle`](super::Store::settle).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claimed {
    /// Which message.
    pub message: i64,
    /// The fence.
    pub epoch: i64,
    /// Which version of its bytes.
    pub version: u32,
    /// Which part to send.
    pub part: u32,
}

/// What became of an attempt.
#[derive(Debug, Clone)]
pub struct Settlement {
    /// The claim.
    pub claimed: Claimed,
    /// What WeCom answered.
    pub outcome: Outcome,
    /// What follows.
    pub next: Next,
}

/// What WeCom answered, for the record.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Class of the answer, from a closed set.
    pub class: &'static str,
    /// How long the attempt took.
    pub duration_ms: i64,
    /// HTTP status, if there was one.
    pub http_status: Option<u16>,
    /// WeCom's `errcode`, if there was one.
    pub errcode: Option<i64>,
    /// WeCom's `errmsg` or our words for the failure, without secrets; kept up to 1000 bytes.
    pub errmsg: Option<String>,
    /// Id by which the message can be recalled.
    pub msgid: Option<String>,
    /// Code with which a card can be updated.
    pub response_code: Option<String>,
    /// Recipients that WeCom did not reach, as JSON.
    pub invalid_json: Option<String>,
}

/// What follows an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// WeCom has the part. If it was the last one the message is sent, and its transitions are named or counted as
    /// its bytes say; else it is queued for its next part.
    Accepted,
    /// Certainly not accepted: queued again, for then.
    RetryAt(Timestamp),
    /// Nobody knows: unsure, to be tried again then.
    UnsureAt(Timestamp),
    /// Refused for good; its transitions are dead for this reason.
    Dead {
        /// Why, from a closed set.
        reason: String,
    },
}
