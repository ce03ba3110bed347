//! The outbox: a message from the head of its lane through a claim to its settlement.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::admission::TargetRow;
use crate::alert::{Format, ThreadId, Timestamp, TransitionKind};
use crate::budget::Charge;
use crate::names::{LaneKey, Scope, SourceId};

/// No message waits longer than this for its next try: a later time in the store means that the wall clock was set back
/// since then, and counts as now.
pub const LONGEST_WAIT_MS: i64 = 2 * 60 * 60 * 1000;

/// The state of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Waits; certainly not accepted by WeCom so far (earlier parts may be).
    Queued,
    /// Claimed; an answer is awaited.
    Sending,
    /// Waits; whether WeCom accepted the last attempt is unknown.
    Unsure,
    /// Accepted completely. Final.
    Sent,
    /// Rejected permanently. Final.
    Dead,
    /// Told by another message together with others; of a picture: left out, so that its message tells all. Final.
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

    /// May the message still be sent?
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Queued | Self::Sending | Self::Unsure)
    }

    /// The state with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Queued, Self::Sending, Self::Unsure, Self::Sent, Self::Dead, Self::Folded]
            .into_iter()
            .find(|state| state.as_str() == name)
    }
}

/// The fate of a transition in one lane.
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
    /// Its message was rejected permanently.
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
    /// When the first waiting message may be claimed; not in the future if now.
    pub due_at: Timestamp,
    /// One of its messages is being sent. If the lane has no worker, its sender is gone.
    pub sending: bool,
}

impl LaneHead {
    /// From what the lane's [`VIEW`] says: the earliest time at which one of its messages may be claimed, in milliseconds
    /// since 1970, or -1 if one of them is being sent.
    pub fn of_view(lane: LaneKey, earliest: i64, now: Timestamp) -> Self {
        Self { lane, due_at: due(Timestamp(earliest), now), sending: earliest < 0 }
    }
}

/// A lease: the right to send from a lane until another replica takes it. With SQLite the process holds every lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The key of the lane.
    pub lane: LaneKey,
    /// The fence: how often the lane changed its holder.
    pub epoch: i64,
}

/// The live messages of a lane.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Waiting {
    /// The oldest live messages, in order of admission; those of [`VIEW`].
    pub messages: Vec<WaitingMessage>,
    /// Live messages that were never claimed, are not about an act and no pictures: they can be folded. Counted to at least
    /// 1,000.
    pub fresh: u64,
}

/// Of the live messages of a lane, those that are considered when one is chosen: the oldest about alerts, the oldest
/// about acts, the oldest that hold a critical alert, the oldest pictures. So a long backlog hides no
/// critical alert.
pub const VIEW: View = View { alerts: 48, acts: 8, critical: 8, pictures: 4 };

/// How many messages of each kind are considered.
#[derive(Debug, Clone, Copy)]
pub struct View {
    /// About alerts.
    pub alerts: u32,
    /// About acts.
    pub acts: u32,
    /// That hold a critical alert.
    pub critical: u32,
    /// Pictures that follow a message.
    pub pictures: u32,
}

/// A live message, with the facts needed for choosing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts of one row")]
pub struct WaitingMessage {
    /// Its id.
    pub message: i64,
    /// Its state.
    pub state: State,
    /// Never claimed, so that no bytes are frozen, not about an act, no picture, and not told by a fallback: it can be
    /// folded.
    pub fresh: bool,
    /// A picture that follows a message: the lowest of its lane.
    pub picture: bool,
    /// A digest.
    pub digest: bool,
    /// Holds a critical alert.
    pub critical: bool,
    /// Holds a critical alert or an end, or is about an act: may use the reserve of a budget.
    pub urgent: bool,
    /// When its news was accepted; for a digest, the oldest news.
    pub created_at: Timestamp,
    /// When it may be claimed; not in the future if now.
    pub due_at: Timestamp,
}

/// A message with all that is needed to render or resend it.
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
    /// A digest: then `transitions` is empty, see `Store::digest`.
    pub digest: bool,
    /// About an act: see `Store::act_news`.
    pub act: bool,
    /// The message that it follows, if it is a picture: then `transitions` are that message's.
    pub picture_of: Option<i64>,
    /// The short id people see.
    pub thread: ThreadId,
    /// `Queued` or `Unsure`.
    pub state: State,
    /// Claims so far; a claim must name it.
    pub epoch: i64,
    /// Number of changes of its content so far; a claim must name it.
    pub revision: i64,
    /// When it was queued.
    pub created_at: Timestamp,
    /// The notification it is about; for a digest, the newest.
    pub notification: Kept,
    /// Its transitions, in the order they were accepted.
    pub transitions: Vec<Moved>,
    /// Its bytes, if it was claimed before.
    pub frozen: Option<Frozen>,
    /// Why it exists although another message told the same, as JSON in the form of the module that queued it.
    pub note_json: Option<String>,
    /// When its content went to its receiver's fallback because it waited for too long.
    pub fell_back_at: Option<Timestamp>,
}

/// A stored notification.
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
    /// The body as received; empty if it was pruned.
    pub raw: Bytes,
}

/// A transition that a message tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Its id.
    pub id: i64,
    /// The alert's row: the same for all transitions of one alert for one receiver.
    pub alert: i64,
    /// The notification that brought it: `alert_index` refers to its list.
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

/// The frozen bytes of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frozen {
    /// 1 for the first bytes; incremented each time others replace them.
    pub version: u32,
    /// The face they have.
    pub face: String,
    /// Request bodies of all parts.
    pub parts: Vec<Bytes>,
    /// The first part that WeCom has not certainly accepted.
    pub next_part: u32,
    /// When the message was first claimed.
    pub first_claimed_at: Timestamp,
    /// When these bytes were first tried, if every attempt at the message was certainly not accepted: only then may
    /// other bytes replace them without being another message.
    pub unsent_since: Option<Timestamp>,
    /// A picture is to follow.
    pub pictured: bool,
}

/// A request to claim.
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
    /// `None`: the frozen bytes. `Some`: new bytes, which the first claim must bring. Later claims bring them only to
    /// change the content on purpose (a copy marked as repeated, plain text after a rejection); the bytes of earlier
    /// attempts stay on record.
    pub freeze: Option<Freeze>,
    /// The possible ways, in order of preference: the first with room is taken. At least one.
    pub ways: Vec<Way>,
}

/// One way to a target: its breakers and the charges of an attempt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Way {
    /// Scopes whose breakers must be closed.
    pub scopes: Vec<Scope>,
    /// Debited whatever the result of the attempt.
    pub charges: Vec<Charge>,
}

/// The answer to a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// It may be sent now.
    Claimed(Claimed),
    /// The message may not be sent before `until`, and neither may another of its lane, unless it alone is urgent.
    /// Nothing was written but windows that lay in the future because the clock was set back.
    Wait {
        /// When to ask again.
        until: Timestamp,
        /// The breaker that is open; `None`: the budget is spent.
        breaker: Option<Scope>,
    },
    /// Nothing was written: an older message of the lane shares an alert with it and must be settled first.
    Behind,
}

/// Bytes to freeze.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freeze {
    /// The face they have.
    pub face: String,
    /// Request bodies of all parts; at least one.
    pub parts: Vec<Bytes>,
    /// The part to continue with: 0, except in a new version that repeats only the parts not yet accepted.
    pub next_part: u32,
    /// Which transitions these bytes name and which they only count.
    pub naming: Naming,
    /// A picture is to follow once they are accepted.
    pub pictured: bool,
}

impl Freeze {
    /// Do the bytes hold the part to continue with? Otherwise there is nothing to send.
    pub fn is_sendable(&self) -> bool {
        (self.next_part as usize) < self.parts.len()
    }
}

/// Which transitions of a message its bytes name; they count the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Naming {
    /// All but the ones with these ids.
    AllBut(Vec<i64>),
    /// Only those of the alerts with these row ids.
    OnlyAlerts(Vec<i64>),
}

/// A message that may be sent now: proof for `Store::settle`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claimed {
    /// The message.
    pub message: i64,
    /// The fence.
    pub epoch: i64,
    /// The version of its bytes.
    pub version: u32,
    /// The part to send.
    pub part: u32,
    /// Index of the way to take, among those of the claim.
    pub way: usize,
    /// A breaker is open on that way: this attempt probes it.
    pub probing: bool,
}

/// The result of an attempt.
#[derive(Debug, Clone)]
pub struct Settlement {
    /// The claim.
    pub claimed: Claimed,
    /// WeCom's answer.
    pub outcome: Outcome,
    /// What follows.
    pub next: Next,
    /// The receiver that is told instead, or as well, because a recipient was not reached.
    pub fallback: Option<Fallback>,
    /// What the answer says about the way.
    pub breakers: Vec<BreakerChange>,
    /// The code of a card that these bytes use: it is deleted, unless the bytes were certainly not accepted.
    pub spends: Option<Spent>,
    /// Its bytes want a picture to follow.
    pub pictured: bool,
}

/// A code of a card, and the card: its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spent {
    /// The card.
    pub card: i64,
    /// The code.
    pub code: String,
}

/// Another receiver that gets the content of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fallback {
    /// Its name.
    pub receiver: String,
    /// Why, as JSON: kept with the new messages.
    pub note_json: String,
    /// Where its messages go.
    pub targets: Vec<TargetRow>,
}

/// A live message that waits since a given time, and has not gone to its receiver's fallback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LateMessage {
    /// Its id.
    pub message: i64,
    /// Its receiver.
    pub receiver: String,
    /// Its lane.
    pub lane: LaneKey,
    /// `Queued`, or `Unsure`: it may have arrived.
    pub state: State,
    /// Claims so far.
    pub epoch: i64,
    /// Changes of its content so far.
    pub revision: i64,
    /// Holds a critical alert.
    pub critical: bool,
    /// When its news was accepted; for a digest, the oldest news.
    pub created_at: Timestamp,
    /// Why it waits, if that is on record.
    pub error: Option<String>,
}

/// A request to tell the content of a message by its receiver's fallback, because it waited for too long.
#[derive(Debug, Clone)]
pub struct Detour {
    /// Which message.
    pub message: i64,
    /// Its epoch as [`LateMessage`] gave it.
    pub epoch: i64,
    /// Its revision as [`LateMessage`] gave it.
    pub revision: i64,
    /// The receiver that is told instead.
    pub fallback: Fallback,
}

/// A change of a breaker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BreakerChange {
    /// Opened, or kept open by a failed probe.
    Open(Breaker),
    /// The way works again.
    Close(Scope),
}

impl BreakerChange {
    /// The scope that it concerns.
    pub fn scope(&self) -> &Scope {
        match self {
            Self::Open(open) => &open.scope,
            Self::Close(scope) => scope,
        }
    }
}

/// An open breaker: nothing goes through its scope, except one message at a time from `probe_at` on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Breaker {
    /// The scope: an app, a webhook's key, a host.
    pub scope: Scope,
    /// Why, from a closed set; [`OUTAGE`]: messages do not probe it.
    pub reason: String,
    /// WeCom's `errcode`, if it was one.
    pub errcode: Option<i64>,
    /// The error and its remedy, without secrets.
    pub error: String,
    /// When it opened.
    pub opened_at: Timestamp,
    /// When the next message may probe.
    pub probe_at: Timestamp,
    /// Failed probes so far.
    pub failures: u32,
}

impl Breaker {
    /// May the host of an [`OUTAGE`] be probed? If it opened in the future, the clock was set back since then.
    pub fn host_may_be_asked(&self, now: Timestamp) -> bool {
        self.reason == OUTAGE && (self.opened_at > now || due(self.probe_at, now) <= now)
    }

    /// Until when no message may pass; `None`: one may probe now.
    pub fn keeps_away_until(&self, now: Timestamp) -> Option<Timestamp> {
        let probe_at = due(self.probe_at, now);
        if self.reason == OUTAGE {
            return Some(probe_at.max(now.plus_millis(LOOK_AGAIN_MS)));
        }
        (probe_at > now).then_some(probe_at)
    }
}

/// How soon to look again at a breaker that messages do not probe: its prober may close it at any moment.
const LOOK_AGAIN_MS: i64 = 1_000;
/// The reason of breakers that messages do not probe, because it would stay unknown whether the message arrived.
pub const OUTAGE: &str = "outage";
/// A message that probes excludes all others for this long: longer than the deadline of a send.
pub const PROBE_MS: i64 = 20_000;

/// The result of folding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Folded {
    /// The digest.
    pub digest: i64,
    /// Messages newly folded into it.
    pub messages: u64,
    /// Pictures that waited in the lane and are left out.
    pub pictures: u64,
}

/// WeCom's answer, for the record.
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
    /// WeCom accepted the part. If it was the last one the message is sent, and its transitions are named or counted as
    /// its bytes say; otherwise it is queued for its next part.
    Accepted,
    /// Certainly not accepted: queued again for that time.
    RetryAt(Timestamp),
    /// The result is unknown: unsure, to be tried again at that time.
    UnsureAt(Timestamp),
    /// Rejected permanently; its transitions are dead for this reason.
    Dead {
        /// Why, from a closed set.
        reason: String,
    },
    /// A picture that is left out.
    LeftOut {
        /// Why, from a closed set.
        why: &'static str,
    },
}

impl Next {
    /// Is the card code used up: may WeCom have accepted the bytes, or will they not be sent again?
    pub const fn spends(&self) -> bool {
        !matches!(self, Self::RetryAt(_))
    }

    /// The message afterwards: its state, when it is due, its next part.
    pub fn apply(&self, claimed: Claimed, parts: u32, now: Timestamp) -> (State, Timestamp, u32) {
        let part = claimed.part;
        let (state, due, next_part) = match self {
            Self::Accepted if part + 1 == parts => (State::Sent, now, part + 1),
            Self::Accepted => (State::Queued, now, part + 1),
            Self::RetryAt(at) => (State::Queued, *at, part),
            Self::UnsureAt(at) => (State::Unsure, *at, part),
            Self::Dead { .. } => (State::Dead, now, part),
            Self::LeftOut { .. } => (State::Folded, now, part),
        };
        (state, due.min(now.plus_millis(LONGEST_WAIT_MS)), next_part)
    }
}

/// When a message may be claimed. A time later than any wait means that the clock was set back; it counts as now.
pub fn due(not_before: Timestamp, now: Timestamp) -> Timestamp {
    if not_before.millis_since(now) > LONGEST_WAIT_MS { now } else { not_before }
}
