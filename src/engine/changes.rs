//! The rows that a decision writes: one vector for each table, in the order in which a store writes them, so that a row
//! comes before the rows that refer to it.

use super::admission::{Admission, Arrival, Related, TargetRow};
use super::dedup::{Known, Suppression};
use super::outbox::Fate;
use crate::alert::{Timestamp, TransitionKind};
use crate::names::LaneKey;

/// The last ids given: the next row of a table gets the next one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ids {
    /// Of notifications; people search for it.
    pub notification: i64,
    /// Of alerts.
    pub alert: i64,
    /// Of messages; their order is the order of a lane.
    pub message: i64,
    /// Of transitions.
    pub transition: i64,
}

/// What a decision changes.
#[derive(Debug, Default)]
pub struct Changes<'a> {
    /// The last ids given afterwards.
    pub ids: Ids,
    /// Notifications that brought news.
    pub notifications: Vec<NewNotification<'a>>,
    /// Alerts that a receiver hears of for the first time.
    pub alerts: Vec<NewAlert<'a>>,
    /// New states of alerts that were known.
    pub alert_states: Vec<AlertState>,
    /// Alerts that are still reported and otherwise unchanged, and when.
    pub heard: Vec<(i64, Timestamp)>,
    /// What the end of a firing alert will be found by.
    pub related: Vec<(i64, &'a Related)>,
    /// Notifications that were only repeated.
    pub repeated: Vec<Repeated>,
    /// Messages to queue.
    pub messages: Vec<NewMessage<'a>>,
    /// Transitions of unclaimed messages that a newer message tells instead.
    pub moves: Vec<Move>,
    /// Unclaimed messages whose content changed: what was rendered of them is out of date.
    pub revised: Vec<i64>,
    /// Messages that another one tells.
    pub folded: Vec<Fold>,
    /// Transitions to record.
    pub transitions: Vec<NewTransition<'a>>,
    /// Escalations that begin or become due.
    pub escalations: Vec<EscalationChange>,
}

impl Changes<'_> {
    /// Is there nothing to write?
    pub const fn is_empty(&self) -> bool {
        self.notifications.is_empty() && self.heard.is_empty() && self.repeated.is_empty()
    }
}

/// A notification to store.
#[derive(Debug)]
pub struct NewNotification<'a> {
    /// Its id.
    pub id: i64,
    /// All else.
    pub admission: &'a Admission,
}

/// An alert to store, for one receiver.
#[derive(Debug)]
pub struct NewAlert<'a> {
    /// The receiver.
    pub receiver: &'a str,
    /// The first report of it.
    pub arrival: &'a Arrival,
    /// The notification that brought the report.
    pub admission: &'a Admission,
    /// Its id and state.
    pub state: AlertState,
}

/// The state of an alert, to be written over the stored one.
#[derive(Debug)]
pub struct AlertState {
    /// Which alert.
    pub id: i64,
    /// The notification that began the episode.
    pub thread: i64,
    /// The notification that told the last transition.
    pub notification: i64,
    /// What the receiver knows.
    pub known: Known,
    /// When the episode ended; `None` while it lasts.
    pub ends_at: Option<Timestamp>,
}

/// How often a notification was repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repeated {
    /// Which notification.
    pub notification: i64,
    /// How often, in addition to what is stored.
    pub times: i64,
    /// When last.
    pub last_at: Timestamp,
}

/// A message to queue.
#[derive(Debug)]
pub struct NewMessage<'a> {
    /// Its id.
    pub id: i64,
    /// The notification it is about.
    pub notification: i64,
    /// The receiver that is told.
    pub receiver: &'a str,
    /// Its lane and target; bytes that are given there are frozen.
    pub target: &'a TargetRow,
    /// Holds a critical alert.
    pub critical: bool,
    /// May use the reserve of a budget.
    pub urgent: bool,
    /// The short id people see.
    pub thread: i64,
    /// When its news was accepted.
    pub created_at: Timestamp,
    /// Why it exists although another message told the same, as JSON.
    pub note: Option<&'a str>,
    /// A later message of the same decision tells its content.
    pub folded: Option<Fold>,
}

/// The pending transitions of an alert go from one message to a newer one of the same lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    /// Which alert.
    pub alert: i64,
    /// From this message.
    pub from: i64,
    /// To this message.
    pub to: i64,
    /// Number of transitions.
    pub count: u32,
}

/// A message becomes part of another one. Final.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fold {
    /// Which message.
    pub message: i64,
    /// The message that tells its content.
    pub into: i64,
    /// When.
    pub at: Timestamp,
}

/// A transition to record.
#[derive(Debug)]
pub struct NewTransition<'a> {
    /// Its id.
    pub id: i64,
    /// Which alert.
    pub alert: i64,
    /// The notification that brought it.
    pub notification: i64,
    /// The alert's place in the notification's list.
    pub index: u32,
    /// The message that tells it; `None`: none does.
    pub message: Option<i64>,
    /// Its lane.
    pub lane: &'a LaneKey,
    /// What happened.
    pub kind: TransitionKind,
    /// When it was accepted.
    pub at: Timestamp,
    /// When the episode began.
    pub starts_at: Option<Timestamp>,
    /// When it ended.
    pub ends_at: Option<Timestamp>,
    /// Why people are not told.
    pub suppressed: Option<Suppression>,
}

impl NewTransition<'_> {
    /// Its fate at first.
    pub const fn fate(&self) -> Fate {
        if self.suppressed.is_none() { Fate::Pending } else { Fate::Suppressed }
    }
}

/// A change of an escalation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EscalationChange {
    /// It begins, anew if there was one: its first step is due at `due_at`.
    Begins {
        /// Of which alert.
        alert: i64,
        /// When the alert fired.
        fired_at: Timestamp,
        /// When the first step is due.
        due_at: Timestamp,
    },
    /// The alert resolved at `at`: an escalation that exists becomes due, so that its task sees the end.
    Over {
        /// Of which alert.
        alert: i64,
        /// When.
        at: Timestamp,
    },
}
