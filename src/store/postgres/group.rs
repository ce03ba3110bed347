//! What a group of admissions changes, decided in memory before a handful of statements writes it. Pure.
//!
//! Each admission sees the changes of those before it in the group, as if each had been a transaction of its own.

use std::collections::HashMap;

use super::escalations::{self, Follows};
use crate::alert::{Identity, Timestamp, TransitionKind};
use crate::names::LaneKey;
use crate::news::{Quiet, Suppression};
use crate::store::judge::{Change, Judged, Row, judge};
use crate::store::{Admission, Admitted, Arrival, Fate, Recipient, Related, TargetRow};

/// The lane of what is told to no target.
static NOWHERE: LaneKey = LaneKey::nowhere();

/// An alert of a receiver.
pub(super) type Key<'a> = (Identity, &'a str);

/// The last ids given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Ids {
    pub notification: i64,
    pub alert: i64,
    pub message: i64,
    pub transition: i64,
}

/// The changes that a group writes.
pub(super) struct Group<'a> {
    pub ids: Ids,
    pub notifications: Vec<(i64, &'a Admission)>,
    pub alerts: HashMap<Key<'a>, Alert<'a>>,
    pub messages: Vec<Message<'a>>,
    pub transitions: Vec<Transition<'a>>,
    /// By alert and lane: the message that takes over the alert's pending transitions from unclaimed messages in the
    /// database.
    pub absorbed: HashMap<(i64, &'a LaneKey), Absorption>,
    /// Alerts that are still reported and otherwise unchanged, and the time of the report.
    pub heard: HashMap<i64, Timestamp>,
    /// For firing alerts that begin: what an end will find them by.
    pub related: HashMap<i64, &'a Related>,
    /// Notifications that were only repeated: how often, and when last.
    pub repeated: HashMap<i64, (i64, Timestamp)>,
    /// Consequences for escalations, by alert.
    pub escalations: HashMap<i64, Follows>,
    /// By alert and lane: the transitions of this group that are still to be told, all in one message.
    pending: HashMap<(i64, &'a LaneKey), Vec<usize>>,
    /// One less than the id of the group's first message.
    before: i64,
}

/// An alert for one receiver.
#[derive(Debug)]
pub(super) struct Alert<'a> {
    /// Its state after the group.
    pub row: Row,
    /// The report and the admission that created it; `None`: it is in the database.
    pub made: Option<(&'a Arrival, &'a Admission)>,
    /// It differs from the database.
    pub changed: bool,
    pub ends_at: Option<Timestamp>,
}

/// A message to queue.
#[derive(Debug)]
pub(super) struct Message<'a> {
    pub id: i64,
    pub notification: i64,
    pub receiver: &'a str,
    pub target: &'a TargetRow,
    pub critical: bool,
    pub urgent: bool,
    pub thread: i64,
    pub created_at: Timestamp,
    pub note: Option<&'a str>,
    /// The later message that it was folded into, and when.
    pub folded: Option<(i64, Timestamp)>,
    /// Number of its transitions.
    told: usize,
}

/// A transition to write.
#[derive(Debug)]
pub(super) struct Transition<'a> {
    pub id: i64,
    pub alert: i64,
    pub notification: i64,
    pub index: u32,
    pub message: Option<i64>,
    pub lane: &'a LaneKey,
    pub kind: TransitionKind,
    pub at: Timestamp,
    pub starts_at: Option<Timestamp>,
    pub ends_at: Option<Timestamp>,
    pub suppressed: Option<Suppression>,
}

impl Transition<'_> {
    pub const fn fate(&self) -> Fate {
        if self.suppressed.is_none() { Fate::Pending } else { Fate::Suppressed }
    }
}

/// The message that takes over, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Absorption {
    pub message: i64,
    pub at: Timestamp,
}

/// A change with the id of its alert.
struct Told<'a> {
    alert: i64,
    /// The alert was told before: a transition of it may still wait.
    known: bool,
    thread: i64,
    change: Change<'a>,
}

impl<'a> Group<'a> {
    /// A group that starts with the stored state of its alerts and the ids given so far.
    pub fn new(known: HashMap<Key<'a>, Row>, ids: Ids) -> Self {
        let stored = |(key, row)| (key, Alert { row, made: None, changed: false, ends_at: None });
        Self {
            ids,
            notifications: Vec::new(),
            alerts: known.into_iter().map(stored).collect(),
            messages: Vec::new(),
            transitions: Vec::new(),
            absorbed: HashMap::new(),
            heard: HashMap::new(),
            related: HashMap::new(),
            repeated: HashMap::new(),
            escalations: HashMap::new(),
            pending: HashMap::new(),
            before: ids.message,
        }
    }

    /// Decides what is news in an admission.
    pub fn admit(&mut self, admission: &'a Admission) -> Admitted {
        let mut done = Admitted::default();
        let mut notification = None;
        let mut repeated = 0;
        for recipient in &admission.deliveries {
            let mut changes = Vec::new();
            for arrival in &recipient.alerts {
                let known = self.alerts.get(&(arrival.identity, recipient.receiver.as_str()));
                match judge(admission, recipient, arrival, known.map(|alert| &alert.row)) {
                    Judged::Changed(change) => {
                        let id = *notification.get_or_insert_with(|| next(&mut self.ids.notification));
                        changes.push(self.change(admission, recipient, id, change));
                    }
                    Judged::Quiet(quiet, told_by) => {
                        match quiet {
                            Quiet::Unchanged | Quiet::Acknowledged | Quiet::NeverFired => done.unchanged += 1,
                            Quiet::Stale => done.stale += 1,
                        }
                        repeated = repeated.max(told_by);
                        let now = admission.received_at;
                        if let Some(row) = known.map(|alert| &alert.row).filter(|row| row.is_heard(arrival, now)) {
                            self.heard.insert(row.id, now);
                        }
                    }
                }
            }
            if let Some(id) = notification {
                self.deliver(admission, recipient, id, &changes, &mut done);
            }
        }
        if done.unchanged > 0 && repeated > 0 && !admission.push {
            let (times, last) = self.repeated.entry(repeated).or_insert((0, admission.received_at));
            *times += 1;
            *last = (*last).max(admission.received_at);
        }
        self.notifications.extend(notification.map(|id| (id, admission)));
        done.duplicate = notification.is_none();
        done.id = notification.unwrap_or(repeated);
        done
    }

    /// Records the new state of an alert.
    fn change(&mut self, admission: &'a Admission, recipient: &'a Recipient, id: i64, change: Change<'a>) -> Told<'a> {
        let thread = change.thread.unwrap_or(id);
        let known = change.row.is_some();
        let alert = change.row.unwrap_or_else(|| next(&mut self.ids.alert));
        let before = self.escalations.get(&alert).copied();
        let follows = escalations::follow(recipient, &change, admission.received_at, before);
        self.escalations.extend(follows.map(|follows| (alert, follows)));
        let begins = change.kind == TransitionKind::Firing;
        self.related.extend(change.arrival.kin.as_ref().filter(|_| begins).map(|kin| (alert, kin)));
        let heard_at = admission.received_at;
        let row = Row { id: alert, thread, notification: id, heard_at, known: change.after.clone() };
        let ends_at = change.ends_at;
        self.alerts
            .entry((change.arrival.identity, recipient.receiver.as_str()))
            .and_modify(|kept| {
                kept.row = row.clone();
                kept.changed = true;
                kept.ends_at = ends_at;
            })
            .or_insert_with(|| Alert { row, made: Some((change.arrival, admission)), changed: true, ends_at });
        Told { alert, known, thread, change }
    }

    /// Queues a message for each target.
    fn deliver(
        &mut self,
        admission: &'a Admission,
        recipient: &'a Recipient,
        id: i64,
        changes: &[Told<'a>],
        done: &mut Admitted,
    ) {
        if recipient.targets.is_empty() {
            self.tell(admission, id, &NOWHERE, None, changes, done);
        }
        for target in &recipient.targets {
            let message = self.queue(admission, recipient, id, target, changes);
            if message.is_some() {
                done.messages += 1;
                done.lanes.push(target.lane.clone());
            }
            self.tell(admission, id, &target.lane, message, changes, done);
        }
    }

    /// The message for what is told of `changes`; `None` if nothing is.
    fn queue(
        &mut self,
        admission: &Admission,
        recipient: &'a Recipient,
        notification: i64,
        target: &'a TargetRow,
        changes: &[Told<'_>],
    ) -> Option<i64> {
        let told = || changes.iter().filter(|told| told.change.told());
        let thread = told().map(|told| told.thread).min()?;
        let id = next(&mut self.ids.message);
        self.messages.push(Message {
            id,
            notification,
            receiver: &recipient.receiver,
            target,
            critical: told().any(|told| told.change.arrival.critical),
            urgent: told().any(|told| told.change.urgent()),
            thread,
            created_at: admission.received_at,
            note: recipient.note_json.as_deref(),
            folded: None,
            told: 0,
        });
        Some(id)
    }

    /// Writes the transitions for one lane.
    fn tell(
        &mut self,
        admission: &Admission,
        notification: i64,
        lane: &'a LaneKey,
        message: Option<i64>,
        changes: &[Told<'_>],
        done: &mut Admitted,
    ) {
        let at = admission.received_at;
        for Told { alert, known, change, .. } in changes {
            let message = message.filter(|_| change.told());
            if let Some(message) = message {
                if *known {
                    self.absorb(*alert, lane, Absorption { message, at });
                }
                self.pending.entry((*alert, lane)).or_default().push(self.transitions.len());
                self.message(message).told += 1;
            }
            self.transitions.push(Transition {
                id: next(&mut self.ids.transition),
                alert: *alert,
                notification,
                index: change.arrival.index,
                message,
                lane,
                kind: change.kind,
                at,
                starts_at: change.after.starts_at,
                ends_at: change.ends_at,
                suppressed: change.suppressed,
            });
            done.transitions += 1;
        }
    }

    /// A newer message takes over the pending transitions of an alert in a lane; a message left without any is folded
    /// into it.
    fn absorb(&mut self, alert: i64, lane: &'a LaneKey, by: Absorption) {
        self.absorbed.insert((alert, lane), by);
        let waiting = self.pending.get(&(alert, lane)).map_or(&[][..], Vec::as_slice);
        for &index in waiting {
            let Some(older) = self.transitions[index].message.replace(by.message) else { continue };
            let place = |id: i64| usize::try_from(id - self.before - 1).expect("it is a message of this group");
            self.messages[place(by.message)].told += 1;
            let older = &mut self.messages[place(older)];
            older.told -= 1;
            if older.told == 0 {
                older.folded = Some((by.message, by.at));
            }
        }
    }

    fn message(&mut self, id: i64) -> &mut Message<'a> {
        let place = usize::try_from(id - self.before - 1).expect("it is a message of this group");
        &mut self.messages[place]
    }
}

fn next(last: &mut i64) -> i64 {
    *last += 1;
    *last
}
