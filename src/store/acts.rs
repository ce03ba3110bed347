//! Acts of people in WeCom as stored: acts, acknowledgements, silences, cards, escalations, conversations.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::TargetRow;
use crate::alert::{Identity, Status, ThreadId, Timestamp};
use crate::names::{LaneKey, SourceId};

/// The kinds of acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActKind {
    /// Took the alert: its reminders and its escalation stop.
    Acknowledge,
    /// Gave it back.
    Release,
    /// Made a silence upstream.
    Silence,
    /// Moved the end of a silence.
    Extend,
    /// Ended a silence.
    Expire,
    /// Had a message sent again.
    Resend,
    /// Took a message back.
    Recall,
    /// Made by wegraf itself: it no longer keeps track of alerts that no sender reports any more. It does not mean that
    /// they are resolved.
    Forget,
    /// Recorded by wegraf itself: a silence that was made elsewhere hides the alert upstream.
    Hide,
}

impl ActKind {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Acknowledge,
        Self::Release,
        Self::Silence,
        Self::Extend,
        Self::Expire,
        Self::Resend,
        Self::Recall,
        Self::Forget,
        Self::Hide,
    ];

    /// The name in the store, in logs and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Acknowledge => "acknowledge",
            Self::Release => "release",
            Self::Silence => "silence",
            Self::Extend => "extend",
            Self::Expire => "expire",
            Self::Resend => "resend",
            Self::Recall => "recall",
            Self::Forget => "forget",
            Self::Hide => "hide",
        }
    }

    /// The kind with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// The progress of an act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActState {
    /// Recorded; what follows upstream is still to be done.
    Open,
    /// Done.
    Done,
    /// An earlier act had the same effect.
    Repeated,
    /// No effect: the alert it is about is resolved or unknown.
    Void,
    /// The actor is not authorised.
    Denied,
    /// It could not be done; `detail` says why.
    Failed,
}

impl ActState {
    /// The name in the store, in logs and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Done => "done",
            Self::Repeated => "repeated",
            Self::Void => "void",
            Self::Denied => "denied",
            Self::Failed => "failed",
        }
    }

    /// The state with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Open, Self::Done, Self::Repeated, Self::Void, Self::Denied, Self::Failed]
            .into_iter()
            .find(|state| state.as_str() == name)
    }
}

/// The object of an act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// The alerts that a message tells.
    Message(i64),
    /// The alerts of an episode.
    Thread(ThreadId),
    /// No alert of ours (a silence made by its matchers, for example).
    Nothing,
}

/// The targets of each receiver of the configuration: every receiver that was told that an alert is firing is told who
/// acknowledged it.
pub type Listeners = Arc<HashMap<String, Vec<TargetRow>>>;

/// A request for an act.
#[derive(Debug, Clone)]
pub struct NewAct {
    /// Idempotency key of the event: WeCom calls up to three times with the same one, and the act is done once. At most
    /// 200 bytes.
    pub event: String,
    /// The requested act.
    pub kind: ActKind,
    /// The state known so far: `Done` where the store does everything (acknowledge, release), `Open` where a step
    /// upstream follows, `Denied` where the actor is not authorised.
    pub state: ActState,
    /// The actor: a userid, or a name where there is none.
    pub by: String,
    /// The channel it came through: `app/ops`, `bot/duty/…`, `page/ADDRESS`, `page`, `command`.
    pub via: String,
    /// What it is about.
    pub about: About,
    /// Only these of the alerts it is about; empty: all of them.
    pub only: Vec<Identity>,
    /// Until when, for silences.
    pub until: Option<Timestamp>,
    /// Details for the record, in words.
    pub detail: String,
    /// The card that was pressed has a new code (wecom-api §4.1).
    pub code: Option<NewCode>,
    /// A lane that is told by other means.
    pub except_lane: Option<LaneKey>,
    /// The receivers' targets that are told of an acknowledgement or a release.
    pub listeners: Listeners,
}

/// A fresh code of a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCode {
    /// The message that is the card.
    pub message: i64,
    /// Allows one more update of the card.
    pub code: String,
}

/// The result of a request for an act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acted {
    /// Its number; that of the first act if the event was seen before.
    pub act: i64,
    /// `Open` or `Done`, or why nothing was done.
    pub state: ActState,
    /// The event was seen before: nothing was written.
    pub again: bool,
    /// The earlier actor, if the state is `Repeated`.
    pub before: Option<Doer>,
    /// The firing alerts it is about, each once, however many receivers know it; at most [`ACT_ALERTS`].
    pub alerts: Vec<ActAlert>,
    /// The lanes that got a message, to be woken.
    pub lanes: Vec<LaneKey>,
}

/// An actor and the time of the act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Doer {
    /// A userid, or a name.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Until when, of a silence.
    pub until: Option<Timestamp>,
}

/// Alerts that one act touches at most; a notification rarely has more, and the transaction must stay short.
pub const ACT_ALERTS: usize = 1_000;

/// An alert as acts, escalations and upstream checks see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActAlert {
    /// Its row, of one of its receivers.
    pub alert: i64,
    /// Its identity.
    pub identity: Identity,
    /// That receiver.
    pub receiver: String,
    /// The source that reports it.
    pub source: SourceId,
    /// The rule's name.
    pub name: String,
    /// Its labels, as JSON.
    pub labels_json: String,
    /// Is it sent before everything else?
    pub critical: bool,
    /// Firing or resolved.
    pub status: Status,
    /// When it began.
    pub starts_at: Option<Timestamp>,
    /// When it ended.
    pub ends_at: Option<Timestamp>,
    /// The notification that told its last transition.
    pub notification: i64,
    /// The short id of its episode.
    pub thread: ThreadId,
    /// Its sender's external URL; empty if the sender gives none.
    pub sender: String,
    /// Who acknowledged it, and when.
    pub acknowledged: Option<Doer>,
}

/// The end of an act that was open.
#[derive(Debug, Clone)]
pub struct ActEnd {
    /// The act.
    pub act: i64,
    /// `Done` or `Failed`.
    pub state: ActState,
    /// In words, for the record and, if it failed, for the actor.
    pub detail: String,
    /// The silence that was made.
    pub silence: Option<NewSilence>,
    /// A lane that is told by other means.
    pub except_lane: Option<LaneKey>,
    /// The receivers' targets that are told of it; unused if it failed.
    pub listeners: Listeners,
}

/// A silence that exists upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSilence {
    /// Name of the upstream.
    pub upstream: String,
    /// Its id there.
    pub upstream_id: String,
    /// Its matchers, as JSON.
    pub matchers_json: String,
    /// When it ends.
    pub until: Timestamp,
}

/// A silence that was made through wegraf.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Silence {
    /// Its number: that of the act that made it.
    pub act: i64,
    /// Name of the upstream.
    pub upstream: String,
    /// Its id there.
    pub upstream_id: String,
    /// Its matchers, as JSON.
    pub matchers_json: String,
    /// The short id of the alert it is about; 0 if it is about none of ours.
    pub thread: ThreadId,
    /// Who made it.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// When it ends, or ended.
    pub until: Timestamp,
    /// Consecutive checks that did not see its alerts upstream, as recorded by
    /// [`Store::note_silence`](super::Store::note_silence).
    pub absent: u32,
}

/// An act on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ActRow {
    /// Its number.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// Its kind.
    pub kind: ActKind,
    /// Its progress.
    pub state: ActState,
    /// The actor.
    pub by: String,
    /// The channel it came through: `app/ops`, `bot/duty/…`, `page`, `command`.
    pub via: String,
    /// The address of a visitor of the page, if it is on record.
    pub peer: Option<String>,
    /// The short id of the alert it is about; 0 if it is about none of ours.
    pub thread: ThreadId,
    /// The message that was pressed, if it was one.
    pub message: Option<i64>,
    /// Until when, for silences.
    pub until: Option<Timestamp>,
    /// Details, in words.
    pub detail: String,
    /// How many alerts it touched.
    pub alerts: u64,
}

/// The channel in `via` of [`NewAct`], and the address of a visitor of the page.
pub(in crate::store) fn way(via: &str) -> (String, Option<String>) {
    match via.split_once('/') {
        Some((page @ "page", address)) => (page.to_owned(), Some(address.to_owned())),
        _ => (via.to_owned(), None),
    }
}

/// Which acts to list, newest first.
#[derive(Debug, Clone, Default)]
pub struct ActFilter {
    /// Of this episode only.
    pub thread: Option<ThreadId>,
    /// Of this person only (any case).
    pub by: Option<String>,
    /// Those that are open only.
    pub open: bool,
    /// Not older than this.
    pub since: Option<Timestamp>,
    /// How many; 0 stands for 100.
    pub limit: u32,
}

/// The content of a message about an act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActNews {
    /// The kind of act.
    pub kind: ActKind,
    /// `Done` or `Failed`.
    pub state: ActState,
    /// Why not, if it failed.
    pub detail: String,
    /// The actor, the time, and the end of a silence.
    pub doer: Doer,
    /// The alerts it is about that can be shown: at most 20, critical ones first.
    pub alerts: Vec<ActAlert>,
    /// The number of alerts it is about.
    pub count: u64,
}

/// A card that was sent and can be updated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// The message that is the card.
    pub message: i64,
    /// When it was queued: part of its `task_id`.
    pub created_at: Timestamp,
    /// The unused code; `None` if there is none.
    pub code: Option<String>,
    /// When WeCom gave it; it expires 72 h later.
    pub code_at: Timestamp,
    /// Its alerts, as they are now.
    pub alerts: Vec<ActAlert>,
}

/// An alert that is due for a step of its receiver's escalation, or whose escalation is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Escalation {
    /// The alert.
    pub alert: ActAlert,
    /// Steps taken so far.
    pub step: u32,
    /// When its firing was accepted.
    pub fired_at: Timestamp,
    /// Other receivers that know it as firing, among them those that steps were sent to.
    pub others: Vec<String>,
}

/// A conversation with a bot that a user opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Conversation {
    /// Name of the bot in the configuration.
    pub bot: String,
    /// Its chatid; of a single chat, the userid.
    pub chat: String,
    /// A group chat?
    pub group: bool,
    /// Who wrote last.
    pub user: String,
    /// When a user last wrote.
    pub heard_at: Timestamp,
}
