//! A notification on its way into the store: what is admitted, and what became of it.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::outbox::Freeze;
use crate::alert::{Format, Identity, Relation, Status, ThreadId, Timestamp};
use crate::names::{LaneKey, SourceId};

/// A notification, read and routed, on its way into the store.
#[derive(Debug, Clone)]
pub struct Admission {
    /// Which source sent it.
    pub source: SourceId,
    /// What the body was recognised as.
    pub format: Format,
    /// The request's `Content-Type`, to read the body again.
    pub content_type: Option<String>,
    /// The receiver in the request's path.
    pub path_receiver: Option<String>,
    /// Which of the source's peers sent it (its external URL); empty if it does not say. Tells a lagging twin from a
    /// repetition.
    pub sender: String,
    /// The sender's name of the group.
    pub group_key: String,
    /// When the request came.
    pub received_at: Timestamp,
    /// The body, as it came or as the store keeps it.
    pub raw: Bytes,
    /// How the body is kept: the number of a codec of the store; 0: as it came.
    pub codec: i64,
    /// The call resends state (`/api/v2/alerts`, a message with an idempotency key) instead of telling news.
    pub push: bool,
    /// Always news: the "Test" button, a body without state.
    pub test: bool,
    /// The source whose always-firing alert is in it.
    pub alive: Option<String>,
    /// The source whose always-firing alert is over, says this notification.
    pub stopped: Option<String>,
    /// The receivers and their alerts.
    pub deliveries: Vec<Recipient>,
}

/// The alerts of a notification that one receiver gets.
#[derive(Debug, Clone)]
pub struct Recipient {
    /// Name of the receiver.
    pub receiver: String,
    /// Tell that an alert is over.
    pub send_resolved: bool,
    /// An unchanged repeat is told if the last message is at least this old.
    pub repeat_interval_ms: i64,
    /// How long after an alert began its escalation takes its first step; `None`: there is none.
    pub escalate_after_ms: Option<i64>,
    /// Why the receiver is told, as JSON: kept with the new messages.
    pub note_json: Option<String>,
    /// The alerts that the route gives it.
    pub alerts: Vec<Arrival>,
    /// Where its messages go.
    pub targets: Vec<TargetRow>,
}

/// One alert as a notification reports it.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// Its place in the notification's list, where rendering finds it again.
    pub index: u32,
    pub identity: Identity,
    /// The rule's name.
    pub name: String,
    /// Its labels, as JSON.
    pub labels_json: String,
    /// Is it to be told before everything else?
    pub critical: bool,
    /// On or over.
    pub status: Status,
    /// When it began.
    pub starts_at: Option<Timestamp>,
    /// That may be the time of the report, which is later in each repeat.
    pub reported: bool,
    /// When it ended.
    pub ends_at: Option<Timestamp>,
    /// When it stops to count as firing unless it is reported again; `None`: its sender promises nothing.
    pub lapses_at: Option<Timestamp>,
    /// The episode that it belongs to although this receiver has not heard of it; `None`: a firing report begins one.
    pub thread: Option<ThreadId>,
    /// What relates it to its end, if the general reader read it.
    pub kin: Option<Related>,
    /// It is a heartbeat, or exists only to inhibit others: kept, and not told.
    pub steady: bool,
}

/// Relates an alert to its end where the sender has no key for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Related {
    /// Relation shared by alerts with its title.
    pub family: Relation,
    /// Relation shared by alerts with its event.
    pub event: Option<Relation>,
    /// It has a key of its own.
    pub keyed: bool,
    /// Identifiers in its text.
    pub marks: BTreeSet<String>,
}

/// A firing alert that an end may mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Who it is.
    pub identity: Identity,
    /// The receivers that know that it is on.
    pub receivers: Vec<String>,
    /// Its short id, at the first of these receivers.
    pub thread: ThreadId,
    /// How it is related to others; `None`: it is the very alert that was asked for.
    pub kin: Option<Related>,
}

/// A target as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetRow {
    pub lane: LaneKey,
    /// The target, as JSON.
    pub target_json: String,
    /// The bytes of its message, where the sender gave them: frozen when the message is queued, so that it is never
    /// folded. `None`: the bytes are rendered when it is claimed.
    pub given: Option<Freeze>,
}

impl TargetRow {
    /// A target whose messages are written when they are claimed.
    pub fn new(lane: LaneKey, target_json: String) -> Self {
        Self { lane, target_json, given: None }
    }
}

/// What became of an admission.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Admitted {
    /// The notification; if nothing in it was new, the one that told what it repeats. 0 if it repeats the end of an
    /// alert that was never told.
    pub id: i64,
    /// Nothing in it was new.
    pub duplicate: bool,
    /// Transitions written, one for each alert and lane.
    pub transitions: usize,
    /// Messages queued.
    pub messages: usize,
    /// Reports that changed nothing.
    pub unchanged: usize,
    /// Reports of an episode that is over.
    pub stale: usize,
    /// The lanes that got a message, to be woken.
    pub lanes: Vec<LaneKey>,
}
