//! What people do in WeCom, as the store keeps it: acts, who has an alert, silences, cards, escalations, conversations.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::TargetRow;
use crate::alert::{Identity, Status, ThreadId, Timestamp};
use crate::names::{LaneKey, SourceId};

/// What somebody did.
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
    /// wegraf itself: no longer keeps track of alerts that nobody has reported for long. Nothing says that they are over.
    Forget,
}

impl ActKind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Acknowledge,
        Self::Release,
        Self::Silence,
        Self::Extend,
        Self::Expire,
        Self::Resend,
        Self::Recall,
        Self::Forget,
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
        }
    }

    /// The kind with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// How far an act is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActState {
    /// Recorded; what follows upstream is still to be done.
    Open,
    /// Done.
    Done,
    /// Somebody had done it before.
    Repeated,
    /// There was nothing to do it to: what it is about is over or unknown.
    Void,
    /// Who wanted it has no right to.
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

/// What an act is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// The alerts that a message tells.
    Message(i64),
    /// The alerts of an episode.
    Thread(ThreadId),
    /// No alert of ours (a silence made by its matchers, for example).
    Nothing,
}

/// The targets of each receiver of the configuration: whoever was told that an alert is on is told who has it.
pub type Listeners = Arc<HashMap<String, Vec<TargetRow>>>;

/// A wish on its way into the store.
#[derive(Debug, Clone)]
pub struct NewAct {
    /// Names the event: WeCom calls up to three times with the same, and it is done once. At most 200 bytes.
    pub event: String,
    /// What is wanted.
    pub kind: ActKind,
    /// What is known of it already: `Done` where the store does it all (acknowledge, release), `Open` where something
    /// follows upstream, `Denied` where nothing may be done.
    pub state: ActState,
    /// Who: a userid, or a name where there is none.
    pub by: String,
    /// By which way it came: `app/ops`, `bot/duty/…`, `page/ADDRESS`, `page`, `command`.
    pub via: String,
    /// What it is about.
    pub about: About,
    /// Until when, for silences.
    pub until: Option<Timestamp>,
    /// In words, for the record.
    pub detail: String,
    /// The card that was pressed has a new code (wecom-api §4.1).
    pub code: Option<NewCode>,
    /// A lane that is told by other means.
    pub except_lane: Option<LaneKey>,
    /// Who is told of an acknowledgement or a release.
    pub listeners: Listeners,
}

/// A fresh code of a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCode {
    /// The message that is the card.
    pub message: i64,
    /// With it the card can be updated once more.
    pub code: String,
}

/// What became of a wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acted {
    /// Its number; that of the first if the event was seen before.
    pub act: i64,
    /// `Open` or `Done`, or why nothing was done.
    pub state: ActState,
    /// The event was seen before: nothing was written.
    pub again: bool,
    /// Who did it before, if it is `Repeated`.
    pub before: Option<Doer>,
    /// The alerts it is about that are on, each once, whoever its receivers are; at most [`ACT_ALERTS`].
    pub alerts: Vec<ActAlert>,
    /// The lanes that got a message, to wake them.
    pub lanes: Vec<LaneKey>,
}

/// Who did something, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Doer {
    /// A userid, or a name.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Until when, of a silence.
    pub until: Option<Timestamp>,
}

/// Alerts that one act touches at most; a notification rarely has more, and one transaction must be short.
pub const ACT_ALERTS: usize = 1_000;

/// An alert as an act, an escalation or a look upstream sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActAlert {
    /// Its row, of one of its receivers.
    pub alert: i64,
    /// Who it is.
    pub identity: Identity,
    /// That receiver.
    pub receiver: String,
    /// Which source tells of it.
    pub source: SourceId,
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
    /// When it ended.
    pub ends_at: Option<Timestamp>,
    /// The notification that told its last transition.
    pub notification: i64,
    /// The short id of its episode.
    pub thread: ThreadId,
    /// Who sent it: the external URL of its sender, empty if it does not say.
    pub sender: String,
    /// Who has it.
    pub acknowledged: Option<Doer>,
}

/// The end of an act that was open.
#[derive(Debug, Clone)]
pub struct ActEnd {
    /// Which.
    pub act: i64,
    /// `Done` or `Failed`.
    pub state: ActState,
    /// In words, for the record and, if it failed, for whoever wanted it.
    pub detail: String,
    /// The silence that was made.
    pub silence: Option<NewSilence>,
    /// A lane that is told by other means.
    pub except_lane: Option<LaneKey>,
    /// Who is told of it; nobody if it failed.
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

/// A silence that was made from here.
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
    /// The short id of what it is about; 0 if it is about nothing of ours.
    pub thread: ThreadId,
    /// Who made it.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// When it ends, or ended.
    pub until: Timestamp,
    /// How often in a row its alerts were not seen upstream, as [`Store::note_silence`](super::Store::note_silence)
    /// was told.
    pub absent: u32,
}

/// An act on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ActRow {
    /// Its number.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: ActKind,
    /// How far it is.
    pub state: ActState,
    /// Who.
    pub by: String,
    /// By which way: `app/ops`, `bot/duty/…`, `page`, `command`.
    pub via: String,
    /// The address of a visitor of the page, if it is on record.
    pub peer: Option<String>,
    /// The short id of what it is about; 0 if it is about nothing of ours.
    pub thread: ThreadId,
    /// The message that was pressed, if it was one.
    pub message: Option<i64>,
    /// Until when, for silences.
    pub until: Option<Timestamp>,
    /// In words.
    pub detail: String,
    /// How many alerts it touched.
    pub alerts: u64,
}

/// The way that `via` of [`NewAct`] names, and the address of a visitor of the page.
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

/// What a message about an act tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActNews {
    /// What was done, or was to be done.
    pub kind: ActKind,
    /// Whether it was: `Done` or `Failed`.
    pub state: ActState,
    /// Why not, if it failed.
    pub detail: String,
    /// Who, when, until when.
    pub doer: Doer,
    /// The alerts it is about, as far as they can be shown: at most 20, critical ones first.
    pub alerts: Vec<ActAlert>,
    /// How many there are.
    pub count: u64,
}

/// A card that was sent and can be updated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// The message that is the card.
    pub message: i64,
    /// When it was queued: part of its `task_id`.
    pub created_at: Timestamp,
    /// The code that was not used yet; `None` if there is none.
    pub code: Option<String>,
    /// When WeCom gave it; it ends 72 h later.
    pub code_at: Timestamp,
    /// The alerts it tells of, as they are now.
    pub alerts: Vec<ActAlert>,
}

/// An alert that is due for a step of its receiver's escalation, or whose escalation is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Escalation {
    /// The alert.
    pub alert: ActAlert,
    /// Steps that were taken.
    pub step: u32,
    /// When its firing was accepted.
    pub fired_at: Timestamp,
    /// Other receivers that believe it is on: whom steps were taken to among them.
    pub others: Vec<String>,
}

/// A conversation of a bot that somebody opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Conversation {
    /// Name of the bot in the configuration.
    pub bot: String,
    /// Its chatid; of a single chat, the userid.
    pub chat: String,
    /// A group chat?
    pub group: bool,
    /// Who spoke last.
    pub user: String,
    /// When somebody spoke last.
    pub heard_at: Timestamp,
}
