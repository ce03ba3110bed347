//! The outbox: a message on its way, from the head of its lane through a claim to its settlement.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::TargetRow;
use crate::alert::{Format, ThreadId, Timestamp, TransitionKind};
use crate::budget::Charge;
use crate::names::{LaneKey, Scope, SourceId};

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
    /// Told by another message together with others. Final.
    Folded,
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
            Self::Folded => "folded",
        }
    }

    /// The state with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Queued, Self::Sending, Self::Unsure, Self::Sent, Self::Dead, Self::Folded]
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

/// A lane that has something to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneHead {
    /// The key of the lane.
    pub lane: LaneKey,
    /// When the first of what waits may be claimed; not in the future if now.
    pub due_at: Timestamp,
    /// One of its messages is being sent; if its lane has no worker, by nobody.
    pub sending: bool,
}

/// The right to send from a lane until it is lost to another replica. Of this process alone with SQLite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The key of the lane.
    pub lane: LaneKey,
    /// The fence: how often the lane changed hands.
    pub epoch: i64,
}

/// What waits in a lane.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Waiting {
    /// The oldest live messages, in order of admission; at most [`VIEW`].
    pub messages: Vec<WaitingMessage>,
    /// Live messages that were never claimed and tell of no act: what could be folded.
    pub fresh: u64,
}

/// Messages of a lane that are looked at when one is chosen: with folding few are ever live.
pub const VIEW: u32 = 64;

/// A live message, as far as choosing needs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts of one row")]
pub struct WaitingMessage {
    /// Its id.
    pub message: i64,
    /// Where it is.
    pub state: State,
    /// Never claimed, so that no bytes are frozen, and can be folded: it tells of no act.
    pub fresh: bool,
    /// Stands for many.
    pub digest: bool,
    /// Holds a critical alert.
    pub critical: bool,
    /// Holds a critical alert or an end: may use the reserve of a budget.
    pub urgent: bool,
    /// When its news was accepted; of a digest, the oldest.
    pub created_at: Timestamp,
    /// When it may be claimed; not in the future if now.
    pub due_at: Timestamp,
}

/// A message ready to be rendered or resent.
#[derive(Debug, Clone)]
pub struct Queued {
    /// Its id.
    pub message: i64,
    /// Receiver whose language, zone and templates it has.
    pub receiver: String,
    /// Its lane.
    pub lane: LaneKey,
    /// Its target, as JSON.
    pub target_json: String,
    /// Holds a critical alert.
    pub critical: bool,
    /// Stands for many: then `transitions` is empty, see [`Store::digest`](super::Store::digest).
    pub digest: bool,
    /// Tells of an act: see [`Store::act_news`](super::Store::act_news).
    pub act: bool,
    /// The short id people see.
    pub thread: ThreadId,
    /// `Queued` or `Unsure`.
    pub state: State,
    /// Claims so far; a claim must name it.
    pub epoch: i64,
    /// Changes so far of what it tells; a claim must name it.
    pub revision: i64,
    /// When it was queued.
    pub created_at: Timestamp,
    /// The notification it is about; of a digest, the newest.
    pub notification: Kept,
    /// Its transitions, in the order they were accepted.
    pub transitions: Vec<Moved>,
    /// Its bytes, if it was claimed before.
    pub frozen: Option<Frozen>,
    /// Why it is here although another message told the same, as JSON of whoever queued it.
    pub note_json: Option<String>,
}

/// A notification as it was kept.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Its id.
    pub id: i64,
    /// Which source sent it.
    pub source: SourceId,
    /// What the body was recognised as.
    pub format: Format,
    /// The request's `Content-Type`.
    pub content_type: Option<String>,
    /// The receiver in the request's path.
    pub path_receiver: Option<String>,
    /// When it came.
    pub received_at: Timestamp,
    /// The body as it came; empty if it was pruned.
    pub raw: Bytes,
}

/// A transition a message tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Its id.
    pub id: i64,
    /// The alert's row: the same for all transitions of one alert for one receiver.
    pub alert: i64,
    /// The notification that brought it: `alert_index` is a place in that one's list.
    pub notification: i64,
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
    /// When the message was first claimed.
    pub first_claimed_at: Timestamp,
}

/// A wish to send.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The right to send from its lane.
    pub lease: Lease,
    /// Which message.
    pub message: i64,
    /// Its epoch as [`Queued`] gave it.
    pub epoch: i64,
    /// Its revision as [`Queued`] gave it.
    pub revision: i64,
    /// `None`: the bytes as they are frozen. `Some`: new bytes, which the first claim must bring. Later claims bring
    /// them only to send something else on purpose (a copy marked as repeated, plain text after a refusal); the
    /// bytes of earlier attempts stay on record.
    pub freeze: Option<Freeze>,
    /// The ways it can take, in order of preference: the first with room is taken. At least one.
    pub ways: Vec<Way>,
}

/// One way to a target: which breakers stand on it, what an attempt costs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Way {
    /// Scopes of breakers that must not be open.
    pub scopes: Vec<Scope>,
    /// What is debited, whatever comes of the attempt.
    pub charges: Vec<Charge>,
}

/// What became of a wish to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// It may be sent now.
    Claimed(Claimed),
    /// Nothing was written; nothing of this lane goes before then.
    Wait {
        /// When to ask again.
        until: Timestamp,
        /// The breaker that is open; `None`: the budget is spent.
        breaker: Option<Scope>,
    },
    /// Nothing was written: an older message of the lane tells of one of its alerts and must be settled first.
    Behind,
}

/// Bytes to freeze.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freeze {
    /// The face they have.
    pub face: String,
    /// Request bodies of all parts; at least one.
    pub parts: Vec<Bytes>,
    /// With which part to go on: 0, except in a new version that repeats only the parts not yet accepted.
    pub next_part: u32,
    /// What these bytes name and what they only count.
    pub naming: Naming,
}

/// Which transitions of a message its bytes name; they count the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Naming {
    /// All but the ones with these ids.
    AllBut(Vec<i64>),
    /// Those of the alerts with these row ids only.
    OnlyAlerts(Vec<i64>),
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
    /// Which of the ways of the claim to take.
    pub way: usize,
    /// A breaker is open on that way: this attempt finds out whether it can be closed.
    pub probing: bool,
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
    /// Who is told instead, or as well, because somebody was not reached.
    pub fallback: Option<Fallback>,
    /// What the answer says about the way.
    pub breakers: Vec<BreakerChange>,
    /// The card (its message) whose code these bytes use up: it has none from now on, unless they were certainly not
    /// accepted.
    pub spends: Option<i64>,
}

/// Another receiver that is to get what a message tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fallback {
    /// Its name.
    pub receiver: String,
    /// Why, as JSON: kept with the new messages.
    pub note_json: String,
    /// Where its messages go.
    pub targets: Vec<TargetRow>,
}

/// A breaker changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BreakerChange {
    /// Opened, or kept open by a failed probe.
    Open(Breaker),
    /// The way is good again.
    Close(Scope),
}

impl BreakerChange {
    pub(super) fn scope(&self) -> &Scope {
        match self {
            Self::Open(open) => &open.scope,
            Self::Close(scope) => scope,
        }
    }
}

/// A breaker that is open: nothing goes through its scope, except one message at a time from `probe_at` on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Breaker {
    /// What is broken: an app, a webhook's key, a host.
    pub scope: Scope,
    /// Why, from a closed set; [`OUTAGE`]: messages do not probe it.
    pub reason: String,
    /// WeCom's `errcode`, if it was one.
    pub errcode: Option<i64>,
    /// What happened and what to do, without secrets.
    pub error: String,
    /// When it opened.
    pub opened_at: Timestamp,
    /// When the next message may try.
    pub probe_at: Timestamp,
    /// How often it was tried in vain.
    pub failures: u32,
}

impl Breaker {
    /// May the host of an [`OUTAGE`] be asked whether it is back? Opened in the future: the clock was set back since.
    pub fn host_may_be_asked(&self, now: Timestamp) -> bool {
        self.reason == OUTAGE && (self.opened_at > now || due(self.probe_at, now) <= now)
    }

    /// Until when no message may pass; `None`: one may try now.
    pub(super) fn keeps_away_until(&self, now: Timestamp) -> Option<Timestamp> {
        let probe_at = due(self.probe_at, now);
        if self.reason == OUTAGE {
            return Some(probe_at.max(now.plus_millis(LOOK_AGAIN_MS)));
        }
        (probe_at > now).then_some(probe_at)
    }
}

/// How soon to look again at a breaker that no message probes: whoever does probe it may close it any moment.
const LOOK_AGAIN_MS: i64 = 1_000;
/// The reason of breakers that no message probes, because it would stay unknown whether it arrived.
pub const OUTAGE: &str = "outage";
/// A message that probes keeps all others away for this long: longer than the deadline of a send.
pub const PROBE_MS: i64 = 20_000;

/// What was folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Folded {
    /// The digest.
    pub digest: i64,
    /// Messages that it stands for now and did not before.
    pub messages: u64,
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

impl Next {
    /// May WeCom have accepted the bytes, or will they not be sent again?
    pub(super) const fn spends(&self) -> bool {
        !matches!(self, Self::RetryAt(_))
    }

    /// Where the message is afterwards: state, when it is due, its next part.
    pub(super) fn apply(&self, claimed: Claimed, parts: u32, now: Timestamp) -> (State, Timestamp, u32) {
        let part = claimed.part;
        let (state, due, next_part) = match self {
            Self::Accepted if part + 1 == parts => (State::Sent, now, part + 1),
            Self::Accepted => (State::Queued, now, part + 1),
            Self::RetryAt(at) => (State::Queued, *at, part),
            Self::UnsureAt(at) => (State::Unsure, *at, part),
            Self::Dead { .. } => (State::Dead, now, part),
        };
        (state, due.min(now.plus_millis(super::LONGEST_WAIT_MS)), next_part)
    }
}

/// When a message may be claimed. A time that no wait can have led to means that the clock was set back.
pub(super) fn due(not_before: Timestamp, now: Timestamp) -> Timestamp {
    if not_before.millis_since(now) > super::LONGEST_WAIT_MS { now } else { not_before }
}
