//! The rows that a decision writes: one vector for each table, in the order in which a store writes them, so that a row
//! comes before the rows that refer to it.

use std::borrow::Cow;

use super::act::{ActState, NewAct, NewSilence};
use super::admission::{Admission, Arrival, Related, TargetRow};
use super::card::Codes;
use super::dedup::{Known, Suppression};
use super::outbox::{Breaker, Fate, Freeze, Outcome, State};
use crate::alert::{Timestamp, TransitionKind};
use crate::budget::Window;
use crate::names::{Account, LaneKey, Scope};

/// The last ids given: the next row of a table gets the next one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ids {
    /// Of notifications; people search for it.
    pub notification: i64,
    pub alert: i64,
    /// Of messages; their order is the order of a lane.
    pub message: i64,
    pub transition: i64,
    pub act: i64,
}

/// What a decision changes.
#[derive(Debug, Default)]
pub struct Changes<'a> {
    /// The last ids given afterwards, if any were given.
    pub ids: Option<Ids>,
    /// Notifications that brought news.
    pub notifications: Vec<NewNotification<'a>>,
    /// Alerts that a receiver hears of for the first time.
    pub alerts: Vec<NewAlert<'a>>,
    /// New states of alerts that were known.
    pub alert_states: Vec<AlertState>,
    /// Alerts that are still reported and otherwise unchanged.
    pub heard: Vec<(i64, Heard)>,
    /// When the always-firing alerts of configured sources were last seen.
    pub alive: Vec<(&'a str, Timestamp)>,
    /// What the end of a firing alert will be found by.
    pub related: Vec<(i64, &'a Related)>,
    /// Notifications that were only repeated.
    pub repeated: Vec<Repeated>,
    /// Messages to queue.
    pub messages: Vec<NewMessage<'a>>,
    /// Messages that tell the content of another one.
    pub copies: Vec<Copy<'a>>,
    /// Digests to begin.
    pub digests: Vec<NewDigest>,
    /// Transitions of unclaimed messages that a newer message tells instead.
    pub moves: Vec<Move>,
    /// Messages that a digest takes up.
    pub gathers: Vec<Gather>,
    /// New states of digests.
    pub digest_states: Vec<DigestState>,
    /// Unclaimed messages whose content changed: what was rendered of them is out of date.
    pub revised: Vec<i64>,
    /// Messages that another one tells.
    pub folded: Vec<Fold>,
    /// Pictures to queue.
    pub pictures: Vec<NewPicture>,
    /// Pictures that are left out.
    pub left_out: Vec<LeftOut>,
    /// Transitions to record.
    pub transitions: Vec<NewTransition<'a>>,
    /// Messages whose content a fallback tells, and since when.
    pub fell_back: Vec<(i64, Timestamp)>,
    /// What was spent on accounts.
    pub windows: Vec<(Account, Window)>,
    /// Breakers that are open, by scope.
    pub breakers: Vec<Breaker>,
    /// Breakers to close.
    pub closed: Vec<Scope>,
    /// Bytes to freeze.
    pub bytes: Vec<NewBytes<'a>>,
    /// Messages that are being sent from now on.
    pub started: Vec<StartedMessage>,
    /// Attempts that begin.
    pub attempts: Vec<NewAttempt>,
    /// New states of messages whose attempt ended.
    pub message_states: Vec<MessageState<'a>>,
    /// Results of attempts.
    pub answers: Vec<AnsweredAttempt<'a>>,
    /// Fates of the transitions of settled messages.
    pub fates: Vec<FateOf<'a>>,
    /// Codes of cards, issued and used.
    pub cards: Vec<CardState>,
    /// Acts to record.
    pub acts: Vec<NewActRow<'a>>,
    /// Alerts that an act touches, each with its episode.
    pub touched: Vec<Touched>,
    /// Acts that end.
    pub act_states: Vec<EndedAct>,
    /// Who has alerts from now on.
    pub owners: Vec<Owner<'a>>,
    /// Alerts that are no longer reported and count as over, and since when.
    pub lapsed: Vec<(i64, Timestamp)>,
    /// Silences made and renewed.
    pub silences: Vec<SilenceChange<'a>>,
    /// Escalations that begin, go on or become due.
    pub escalations: Vec<EscalationChange>,
}

impl Changes<'_> {
    /// Is there nothing to write?
    pub const fn is_empty(&self) -> bool {
        let Self {
            notifications,
            alerts,
            alert_states,
            heard,
            alive,
            related,
            repeated,
            messages,
            copies,
            digests,
            moves,
            gathers,
            digest_states,
            revised,
            folded,
            pictures,
            left_out,
            transitions,
            fell_back,
            windows,
            breakers,
            closed,
            bytes,
            started,
            attempts,
            message_states,
            answers,
            fates,
            cards,
            acts,
            touched,
            act_states,
            owners,
            lapsed,
            silences,
            escalations,
            ids: _,
        } = self;
        notifications.is_empty()
            && alerts.is_empty()
            && alert_states.is_empty()
            && heard.is_empty()
            && alive.is_empty()
            && related.is_empty()
            && repeated.is_empty()
            && messages.is_empty()
            && copies.is_empty()
            && digests.is_empty()
            && moves.is_empty()
            && gathers.is_empty()
            && digest_states.is_empty()
            && revised.is_empty()
            && folded.is_empty()
            && pictures.is_empty()
            && left_out.is_empty()
            && transitions.is_empty()
            && fell_back.is_empty()
            && windows.is_empty()
            && breakers.is_empty()
            && closed.is_empty()
            && bytes.is_empty()
            && started.is_empty()
            && attempts.is_empty()
            && message_states.is_empty()
            && answers.is_empty()
            && fates.is_empty()
            && cards.is_empty()
            && acts.is_empty()
            && touched.is_empty()
            && act_states.is_empty()
            && owners.is_empty()
            && lapsed.is_empty()
            && silences.is_empty()
            && escalations.is_empty()
    }

    /// Will there be more to send?
    pub const fn queues(&self) -> bool {
        !(self.messages.is_empty() && self.copies.is_empty() && self.digests.is_empty() && self.pictures.is_empty())
    }
}

/// A notification to store.
#[derive(Debug)]
pub struct NewNotification<'a> {
    pub id: i64,
    /// All else.
    pub admission: &'a Admission,
}

/// An alert to store, for one receiver.
#[derive(Debug)]
pub struct NewAlert<'a> {
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
    /// When it lapses unless it is reported again; `None`: never.
    pub lapses_at: Option<Timestamp>,
}

/// A report that changes nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// When it came.
    pub at: Timestamp,
    /// When the alert lapses now; `None`: as before.
    pub lapses_at: Option<Timestamp>,
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
    /// The act it is about.
    pub act: Option<i64>,
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

/// A picture that follows a message: in its lane, about its content, not critical, and as old as its news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewPicture {
    /// The message that it follows.
    pub of: i64,
}

/// A picture that is left out: its message tells all. Final. Why stands in the record of that message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeftOut {
    /// Which picture.
    pub picture: i64,
    /// The message that it was to follow.
    pub of: i64,
    /// Why, from a closed set.
    pub why: &'static str,
    /// When.
    pub at: Timestamp,
}

/// A transition to record.
#[derive(Debug)]
pub struct NewTransition<'a> {
    pub id: i64,
    /// Which alert.
    pub alert: i64,
    /// The notification that brought it.
    pub notification: i64,
    /// The alert's place in the notification's list.
    pub index: u32,
    /// The message that tells it; `None`: none does.
    pub message: Option<i64>,
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
    /// It is at `step` from now on.
    Goes {
        /// Of which alert.
        alert: i64,
        /// Steps taken so far.
        step: u32,
        /// From when its steps count.
        fired_at: Timestamp,
        /// When the next step is due; `None`: nothing is due until the alert is over.
        due_at: Option<Timestamp>,
    },
    /// The alert resolved at `at`: an escalation that exists becomes due, so that its task sees the end.
    Over {
        /// Of which alert.
        alert: i64,
        /// When.
        at: Timestamp,
    },
}

/// A message that tells the content of another one, with transitions of its own.
#[derive(Debug, Clone, Copy)]
pub struct Copy<'a> {
    /// The message whose content it tells.
    pub of: i64,
    /// The receiver that is told.
    pub receiver: &'a str,
    /// Its lane and target.
    pub target: &'a TargetRow,
    /// Why it exists, as JSON.
    pub note: &'a str,
    /// When it is queued.
    pub at: Timestamp,
}

/// An empty digest. Its short id is that of the notification that it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewDigest {
    pub id: i64,
    /// The message whose notification, receiver, lane and target it has.
    pub like: i64,
    /// When its first message was queued.
    pub created_at: Timestamp,
}

/// A digest takes up messages, with all their transitions. Final for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gather {
    pub digest: i64,
    pub messages: Vec<i64>,
    /// When.
    pub at: Timestamp,
}

/// A digest whose content changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DigestState {
    /// Which message.
    pub digest: i64,
    /// Holds a critical alert.
    pub critical: bool,
    /// May use the reserve of a budget.
    pub urgent: bool,
}

/// A version of a message's bytes, and which of its transitions they only count.
#[derive(Debug, Clone, Copy)]
pub struct NewBytes<'a> {
    /// Which message.
    pub message: i64,
    /// 1 for its first bytes.
    pub version: u32,
    pub bytes: &'a Freeze,
}

/// A message is being sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StartedMessage {
    /// Which message.
    pub message: i64,
    /// Claims so far.
    pub epoch: i64,
    /// When it was claimed.
    pub at: Timestamp,
}

/// An attempt that begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewAttempt {
    /// Of which message.
    pub message: i64,
    /// The claim that allows it.
    pub epoch: i64,
    /// The version of the bytes.
    pub version: u32,
    pub part: u32,
    /// When.
    pub at: Timestamp,
}

/// The state of a message after an attempt.
#[derive(Debug, Clone, Copy)]
pub struct MessageState<'a> {
    /// Which message.
    pub message: i64,
    pub state: State,
    /// When it may be claimed.
    pub not_before: Timestamp,
    /// The first part that WeCom has not certainly accepted.
    pub next_part: u32,
    /// When it was settled, if it was.
    pub settled_at: Option<Timestamp>,
    /// WeCom's answer.
    pub outcome: &'a Outcome,
}

/// The result of an attempt.
#[derive(Debug, Clone, Copy)]
pub struct AnsweredAttempt<'a> {
    /// Of which message.
    pub message: i64,
    /// The claim that allowed it.
    pub epoch: i64,
    /// WeCom's answer.
    pub outcome: &'a Outcome,
}

/// The fate of all transitions of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FateOf<'a> {
    /// Named or counted, as its last bytes say.
    AsFrozen {
        /// Which message.
        message: i64,
    },
    Dead {
        /// Which message.
        message: i64,
        /// Why, from a closed set.
        reason: &'a str,
    },
}

/// The unused codes of a card, to be written over the stored ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardState {
    /// The card's message.
    pub card: i64,
    pub codes: Codes,
}

/// An act to record.
#[derive(Debug)]
pub struct NewActRow<'a> {
    pub id: i64,
    /// The event that asked for it.
    pub event: String,
    /// When.
    pub at: Timestamp,
    /// Its progress.
    pub state: ActState,
    /// Actor, channel, kind and details.
    pub request: &'a NewAct,
    /// The message it is about, if it is about one.
    pub message: Option<i64>,
    /// The short id of the alert it is about; 0 if it is about none of ours.
    pub thread: i64,
}

/// An alert that an act touches: one that it is about, or one whose receiver heard of it only after the act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Touched {
    pub act: i64,
    pub alert: i64,
    /// Its episode. A later one replaces an earlier one of the same alert.
    pub thread: i64,
}

/// The end of an act.
#[derive(Debug)]
pub struct EndedAct {
    /// Which act.
    pub act: i64,
    /// Done or failed.
    pub state: ActState,
    /// In words.
    pub detail: String,
    /// When its silence ends, if it made or moved one.
    pub until: Option<Timestamp>,
}

/// Who has an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner<'a> {
    /// Which alert.
    pub alert: i64,
    /// Who acknowledged it, and when; `None`: it is free.
    pub owner: Option<(Cow<'a, str>, Timestamp)>,
}

/// A change of a silence that was made through wegraf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SilenceChange<'a> {
    /// An act made it.
    Made { act: i64, silence: &'a NewSilence },
    /// A known one has a new end and perhaps other matchers.
    Renewed {
        /// The act that made it.
        act: i64,
        silence: &'a NewSilence,
    },
}
