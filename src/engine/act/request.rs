//! Acts of people in WeCom: what is asked for, and what comes of it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::alert::{Identity, Status, ThreadId, Timestamp};
use crate::engine::TargetRow;
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

    /// Is it asked for by people, not recorded by wegraf itself?
    pub const fn is_by_people(self) -> bool {
        !matches!(self, Self::Forget | Self::Hide)
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
    /// Not done and not recorded: the same person acted on the same alert too often.
    Limited,
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
            Self::Limited => "limited",
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
    /// Only alerts that one of these receivers was told of, and those that the actor has acknowledged; `None`: any. The
    /// alerts of one episode may have different receivers, and each gives a right to its own alerts only.
    pub through: Option<BTreeSet<String>>,
    /// Until when, for silences.
    pub until: Option<Timestamp>,
    /// Details for the record, in words.
    pub detail: String,
    /// The card that was pressed has a new code (docs/reference/wecom.md#card-updates).
    pub code: Option<NewCode>,
    /// A lane that is told by other means.
    pub except_lane: Option<LaneKey>,
    /// The receivers' targets that are told of an acknowledgement or a release.
    pub listeners: Listeners,
}

impl NewAct {
    /// Was it asked for on the details page, whose visitors prove no name?
    pub fn is_by_visitor(&self) -> bool {
        self.via == "page" || self.via.starts_with("page/")
    }
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
    /// The event was seen before, or the act had ended already: nothing was written.
    pub again: bool,
    /// The earlier actor, if the state is `Repeated`.
    pub before: Option<Doer>,
    /// The firing alerts it is about, each once, however many receivers know it; at most [`ACT_ALERTS`].
    pub alerts: Vec<ActAlert>,
    /// How many alerts more it is about, which it did not reach.
    pub missed: u64,
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

/// Alerts that one act reaches at most: as many as a large body has, which is admitted in one transaction as well. The
/// actor is told how many it did not reach.
pub const ACT_ALERTS: usize = 20_000;

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
