//! Admission: what a group of notifications changes.
//!
//! Each admission sees the changes of those before it in the group, as if each had been a transaction of its own. A
//! store asks twice for facts: [`keys`] names the alerts whose state it loads, and [`Draft::merges`] the alerts whose
//! waiting transitions it loads, which is seldom any.

use std::borrow::Cow;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};

use super::admission::{Admission, Admitted, Arrival, Recipient, Related, TargetRow};
use super::changes::{
    AlertState, Changes, EscalationChange, Fold, Heard, Ids, Move, NewAlert, NewMessage, NewNotification,
    NewTransition, Owner, Repeated, Touched,
};
use super::dedup::Quiet;
use super::judge::{AlertRow, Change, Judged, judge};
use crate::alert::{Identity, Status, Timestamp, TransitionKind};
use crate::names::LaneKey;

/// Stored in place of the last time of a heartbeat when its always-firing alert ended; no heartbeat has this time.
pub const STOPPED: Timestamp = Timestamp(0);

/// The lane of what is told to no target.
static NOWHERE: LaneKey = LaneKey::nowhere();

/// An alert of a receiver.
pub type Key<'a> = (Identity, &'a str);

/// The alerts whose state decides about the group, each once.
pub fn keys<'a>(group: impl IntoIterator<Item = &'a Admission>) -> HashSet<Key<'a>> {
    let recipients = group.into_iter().flat_map(|admission| &admission.deliveries);
    let keys = recipients.flat_map(|to| to.alerts.iter().map(|arrival| (arrival.identity, to.receiver.as_str())));
    keys.collect()
}

/// Number of transitions that an admission may make: what a group weighs.
pub fn weight(admission: &Admission) -> usize {
    admission.deliveries.iter().map(|recipient| recipient.alerts.len() * recipient.targets.len().max(1)).sum()
}

/// A firing alert that a person acknowledged, as one of its receivers knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    pub receiver: String,
    /// When the episode began.
    pub starts_at: Option<Timestamp>,
    /// Who has it.
    pub by: String,
    /// Since when.
    pub at: Timestamp,
    /// The act by which, if it is still on record: the newest that touched this episode.
    pub act: Option<i64>,
}

/// Decides about each admission in turn. `known`: the stored states of the alerts that [`keys`] names; `held`: those of
/// the group's alerts that are acknowledged, whichever receiver knows them; `ids`: the last ids given.
pub fn admit<'a>(
    group: impl IntoIterator<Item = &'a Admission>,
    known: HashMap<Key<'a>, AlertRow>,
    held: HashMap<Identity, Vec<Held>>,
    ids: Ids,
) -> Draft<'a> {
    let stored = |(key, row)| (key, Alert { row, made: None, changed: false, ends_at: None });
    let mut draft = Draft {
        alerts: known.into_iter().map(stored).collect(),
        held,
        order: Vec::new(),
        heard: HashMap::new(),
        alive: BTreeMap::new(),
        related: HashMap::new(),
        repeated: HashMap::new(),
        escalations: HashMap::new(),
        merges: HashMap::new(),
        pending: HashMap::new(),
        told: Vec::new(),
        before: ids,
        ids,
        changes: Changes::default(),
        admitted: Vec::new(),
    };
    for admission in group {
        let admitted = draft.admit(admission);
        draft.admitted.push(admitted);
    }
    draft
}

/// What a group changes, up to the merges with what waits in the store.
pub struct Draft<'a> {
    alerts: HashMap<Key<'a>, Alert<'a>>,
    held: HashMap<Identity, Vec<Held>>,
    /// The alerts that change, in the order of their first change.
    order: Vec<Key<'a>>,
    heard: HashMap<i64, Heard>,
    alive: BTreeMap<&'a str, Timestamp>,
    related: HashMap<i64, &'a Related>,
    repeated: HashMap<i64, (i64, Timestamp)>,
    escalations: HashMap<i64, EscalationChange>,
    merges: HashMap<(i64, &'a LaneKey), (i64, Timestamp)>,
    /// By alert and lane: the transitions of this group that are still to be told, all in one message.
    pending: HashMap<(i64, &'a LaneKey), Vec<usize>>,
    /// For each message of this group, the number of its transitions.
    told: Vec<usize>,
    /// The last ids given before the group.
    before: Ids,
    /// The last ids given.
    ids: Ids,
    changes: Changes<'a>,
    admitted: Vec<Admitted>,
}

/// A message that takes over what older, unclaimed messages of its lane still wait to tell of an alert.
#[derive(Debug, Clone, Copy)]
pub struct Merge<'a> {
    /// Which alert.
    pub alert: i64,
    pub lane: &'a LaneKey,
    /// Messages up to this id are older.
    pub before: i64,
    into: i64,
    at: Timestamp,
}

impl<'a> Merge<'a> {
    /// The merges of a message about an act: it takes over what older messages about acts wait to tell of its alerts, so
    /// that people hear of the last state only ([`of_one_state`]). `message`: its id.
    pub fn of_act(alerts: &[i64], lane: &'a LaneKey, message: i64, at: Timestamp) -> Vec<Self> {
        let merge = |alert: &i64| Self { alert: *alert, lane, before: message - 1, into: message, at };
        alerts.iter().map(merge).collect()
    }
}

/// The transitions of an alert that wait in an older message: never claimed, no digest, without given bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waits {
    /// Its place in the list of merges.
    pub merge: usize,
    /// The older message.
    pub message: i64,
    /// Transitions of the alert in it.
    pub of_alert: u32,
    /// All its transitions.
    pub of_message: u32,
}

/// An alert for one receiver.
#[derive(Debug)]
struct Alert<'a> {
    /// Its state after the group.
    row: AlertRow,
    /// The report and the admission that created it; `None`: it is stored.
    made: Option<(&'a Arrival, &'a Admission)>,
    /// It differs from what is stored.
    changed: bool,
    ends_at: Option<Timestamp>,
}

/// A change with the id of its alert.
struct Told<'a> {
    alert: i64,
    /// The alert was told before: a transition of it may still wait.
    known: bool,
    thread: i64,
    change: Change<'a>,
    /// Who acknowledged it before this receiver heard of it.
    owner: Option<Held>,
}

impl<'a> Draft<'a> {
    /// The merges for which [`Draft::finish`] needs to know what waits.
    pub fn merges(&self) -> Vec<Merge<'a>> {
        let before = self.before.message;
        let stored = self.merges.iter().filter(|((alert, _), _)| *alert <= self.before.alert);
        let mut merges: Vec<Merge<'a>> =
            stored.map(|(&(alert, lane), &(into, at))| Merge { alert, lane, before, into, at }).collect();
        merges.sort_by_key(|merge| (merge.into, merge.alert));
        merges
    }

    /// Completes the changes: a message whose transitions are all taken over is folded. `merges` as [`Draft::merges`]
    /// gave them, with what waits for each.
    pub fn finish(mut self, merges: &[Merge<'_>], waits: &[Waits]) -> (Vec<Admitted>, Changes<'a>) {
        take_over(merges, waits, &mut self.changes);
        let changes = &mut self.changes;
        for key in self.order {
            let Some(Alert { row, made, changed: true, ends_at }) = self.alerts.remove(&key) else { continue };
            let AlertRow { id, thread, notification, lapses_at, known, .. } = row;
            let state = AlertState { id, thread, notification, known, ends_at, lapses_at };
            match made {
                Some((arrival, admission)) => {
                    changes.alerts.push(NewAlert { receiver: key.1, arrival, admission, state });
                }
                None => changes.alert_states.push(state),
            }
        }
        changes.heard = sorted(self.heard);
        changes.alive = self.alive.into_iter().collect();
        changes.related = sorted(self.related);
        let repeated = sorted(self.repeated).into_iter();
        changes.repeated =
            repeated.map(|(notification, (times, last_at))| Repeated { notification, times, last_at }).collect();
        changes.escalations = sorted(self.escalations).into_iter().map(|(_, change)| change).collect();
        changes.ids = (self.ids != self.before).then_some(self.ids);
        (self.admitted, self.changes)
    }

    fn admit(&mut self, admission: &'a Admission) -> Admitted {
        let mut done = Admitted::default();
        let mut notification = None;
        let mut repeated = 0;
        if let Some(source) = &admission.alive {
            let last = self.alive.entry(source).or_insert(admission.received_at);
            *last = admission.received_at.max(*last);
        }
        if let Some(source) = &admission.stopped {
            self.alive.insert(source, STOPPED);
        }
        for recipient in &admission.deliveries {
            let mut news = Vec::new();
            for arrival in &recipient.alerts {
                let known = self.alerts.get(&(arrival.identity, recipient.receiver.as_str()));
                match judge(admission, recipient, arrival, known.map(|alert| &alert.row)) {
                    Judged::Changed(mut change) => {
                        let id = *notification.get_or_insert_with(|| next(&mut self.ids.notification));
                        let owner = self.owner(&change, &recipient.receiver);
                        change.after.acknowledged |= owner.is_some();
                        news.push(self.change(admission, recipient, id, change, owner));
                    }
                    Judged::Quiet(quiet, told_by) => {
                        match quiet {
                            Quiet::Unchanged | Quiet::Acknowledged | Quiet::NeverFired => done.unchanged += 1,
                            Quiet::Stale => done.stale += 1,
                        }
                        repeated = repeated.max(told_by);
                        let now = admission.received_at;
                        if let Some(row) = known.map(|alert| &alert.row).filter(|row| row.is_heard(arrival, now)) {
                            self.heard.insert(row.id, Heard { at: now, lapses_at: arrival.lapses_at });
                        }
                    }
                }
            }
            if let Some(id) = notification {
                self.deliver(admission, recipient, id, &news, &mut done);
            }
        }
        if done.unchanged > 0 && repeated > 0 && !admission.push {
            let (times, last) = self.repeated.entry(repeated).or_insert((0, admission.received_at));
            *times += 1;
            *last = (*last).max(admission.received_at);
        }
        self.changes.notifications.extend(notification.map(|id| NewNotification { id, admission }));
        done.duplicate = notification.is_none();
        done.id = notification.unwrap_or(repeated);
        done
    }

    /// Records the new state of an alert.
    fn change(
        &mut self,
        admission: &'a Admission,
        recipient: &'a Recipient,
        id: i64,
        change: Change<'a>,
        owner: Option<Held>,
    ) -> Told<'a> {
        let thread = change.thread.unwrap_or(id);
        let known = change.row.is_some();
        let alert = change.row.unwrap_or_else(|| next(&mut self.ids.alert));
        let before = self.escalations.get(&alert).copied();
        let follows = escalation(recipient, &change, alert, admission.received_at, before);
        self.escalations.extend(follows.map(|follows| (alert, follows)));
        let begins = change.kind == TransitionKind::Firing;
        self.related.extend(change.arrival.kin.as_ref().filter(|_| begins).map(|kin| (alert, kin)));
        let heard_at = admission.received_at;
        let (lapses_at, known_now) = (change.lapses_at, change.after.clone());
        let row = AlertRow { id: alert, thread, notification: id, heard_at, lapses_at, known: known_now };
        let ends_at = change.ends_at;
        let key = (change.arrival.identity, recipient.receiver.as_str());
        match self.alerts.entry(key) {
            Entry::Occupied(mut known) => {
                let known = known.get_mut();
                if !known.changed {
                    self.order.push(key);
                }
                (known.row, known.changed, known.ends_at) = (row, true, ends_at);
            }
            Entry::Vacant(place) => {
                self.order.push(key);
                place.insert(Alert { row, made: Some((change.arrival, admission)), changed: true, ends_at });
            }
        }
        if let Some(Held { by, at, act, .. }) = &owner {
            self.changes.touched.extend(act.map(|act| Touched { act, alert, thread }));
            self.changes.owners.push(Owner { alert, owner: Some((Cow::from(by.clone()), *at)) });
        }
        Told { alert, known, thread, change, owner }
    }

    /// The person who has an alert that this receiver hears of only now.
    fn owner(&self, change: &Change<'_>, receiver: &str) -> Option<Held> {
        let begins = change.kind == TransitionKind::Firing && change.told() && !change.after.acknowledged;
        let identity = change.arrival.identity;
        // Another episode is taken anew; the time of a report may be any after the start.
        let start = change.after.starts_at;
        let same = |held: &&Held| {
            let is_one = held.starts_at == start || change.arrival.reported && held.starts_at <= start;
            held.receiver != receiver && is_one
        };
        // An earlier admission of the group may have ended it.
        let stands = |held: &&Held| {
            let other = self.alerts.get(&(identity, held.receiver.as_str())).map(|other| &other.row.known);
            other.is_none_or(|other| other.acknowledged && other.status == Status::Firing)
        };
        self.held.get(&identity).filter(|_| begins)?.iter().find(|held| same(held) && stands(held)).cloned()
    }

    /// Queues a message for each target.
    fn deliver(
        &mut self,
        admission: &'a Admission,
        recipient: &'a Recipient,
        id: i64,
        news: &[Told<'a>],
        done: &mut Admitted,
    ) {
        if recipient.targets.is_empty() {
            self.tell(admission, id, &NOWHERE, None, news, done);
        }
        for target in &recipient.targets {
            let message = self.queue(admission, recipient, id, target, news);
            if message.is_some() {
                done.messages += 1;
                done.lanes.push(target.lane.clone());
            }
            self.tell(admission, id, &target.lane, message, news, done);
            self.tell_owners(admission, recipient, id, target, news, done);
        }
    }

    /// Queues the messages about the acts by which alerts were acknowledged before this receiver heard of them.
    fn tell_owners(
        &mut self,
        admission: &'a Admission,
        recipient: &'a Recipient,
        notification: i64,
        target: &'a TargetRow,
        news: &[Told<'a>],
        done: &mut Admitted,
    ) {
        let mut acts: BTreeMap<i64, Vec<&Told<'a>>> = BTreeMap::new();
        for told in news {
            if let Some(act) = told.owner.as_ref().and_then(|owner| owner.act) {
                acts.entry(act).or_default().push(told);
            }
        }
        for (act, news) in acts.into_iter().filter(|_| target.given.is_none()) {
            let at = admission.received_at;
            let message = next(&mut self.ids.message);
            self.changes.messages.push(NewMessage {
                id: message,
                notification,
                receiver: &recipient.receiver,
                target,
                critical: false,
                urgent: true,
                thread: news.iter().map(|told| told.thread).min().unwrap_or(notification),
                created_at: at,
                note: None,
                act: Some(act),
                folded: None,
            });
            self.told.push(news.len());
            done.messages += 1;
            for told in news {
                let waiting = self.pending.entry((told.alert, &target.lane)).or_default();
                waiting.push(self.changes.transitions.len());
                self.changes.transitions.push(NewTransition {
                    id: next(&mut self.ids.transition),
                    alert: told.alert,
                    notification,
                    index: told.change.arrival.index,
                    message: Some(message),
                    lane: &target.lane,
                    kind: TransitionKind::Acknowledged,
                    at,
                    starts_at: told.change.after.starts_at,
                    ends_at: None,
                    suppressed: None,
                });
                done.transitions += 1;
            }
        }
    }

    /// The message for what is told of `news`; `None` if nothing is.
    fn queue(
        &mut self,
        admission: &Admission,
        recipient: &'a Recipient,
        notification: i64,
        target: &'a TargetRow,
        news: &[Told<'_>],
    ) -> Option<i64> {
        let told = || news.iter().filter(|told| told.change.told());
        let thread = told().map(|told| told.thread).min()?;
        let id = next(&mut self.ids.message);
        self.changes.messages.push(NewMessage {
            id,
            notification,
            receiver: &recipient.receiver,
            target,
            critical: told().any(|told| told.change.arrival.critical),
            urgent: told().any(|told| told.change.urgent()),
            thread,
            created_at: admission.received_at,
            note: recipient.note_json.as_deref(),
            act: None,
            folded: None,
        });
        self.told.push(0);
        Some(id)
    }

    /// Writes the transitions for one lane.
    fn tell(
        &mut self,
        admission: &Admission,
        notification: i64,
        lane: &'a LaneKey,
        message: Option<i64>,
        news: &[Told<'a>],
        done: &mut Admitted,
    ) {
        let at = admission.received_at;
        let given = message.is_some_and(|message| self.is_given(message));
        for Told { alert, known, change, .. } in news {
            let message = message.filter(|_| change.told());
            if let Some(message) = message {
                if *known && !given {
                    self.merge(*alert, lane, message, at);
                }
                self.pending.entry((*alert, lane)).or_default().push(self.changes.transitions.len());
                let place = self.place(message);
                self.told[place] += 1;
            }
            self.changes.transitions.push(NewTransition {
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

    /// A newer message takes over the pending transitions of an alert in a lane; an older message of this group that is
    /// left without any is folded into it. Given bytes are frozen: their message neither gives nor takes any.
    fn merge(&mut self, alert: i64, lane: &'a LaneKey, into: i64, at: Timestamp) {
        self.merges.insert((alert, lane), (into, at));
        let Some(waiting) = self.pending.get_mut(&(alert, lane)) else { return };
        let (before, messages) = (self.before.message, &mut self.changes.messages);
        for index in waiting.iter().copied() {
            let transition = &mut self.changes.transitions[index];
            let Some(older) = transition.message.filter(|older| *older != into) else { continue };
            let place = place_of(before, older);
            if messages[place].target.given.is_some() {
                continue;
            }
            transition.message = Some(into);
            self.told[place_of(before, into)] += 1;
            self.told[place] -= 1;
            if self.told[place] == 0 {
                messages[place].folded = Some(Fold { message: older, into, at });
            }
        }
    }

    fn is_given(&self, message: i64) -> bool {
        self.changes.messages[self.place(message)].target.given.is_some()
    }

    fn place(&self, message: i64) -> usize {
        place_of(self.before.message, message)
    }
}

/// Newer messages take over what older ones wait to tell of an alert; a message that is left without transitions is
/// folded into the newest of them.
pub fn take_over(merges: &[Merge<'_>], waits: &[Waits], changes: &mut Changes<'_>) {
    let mut older: BTreeMap<i64, (u32, i64, Timestamp)> = BTreeMap::new();
    for waiting in waits {
        let Merge { alert, into, at, .. } = merges[waiting.merge];
        let (left, newest, last) = older.entry(waiting.message).or_insert((waiting.of_message, into, at));
        (*left, *newest, *last) = (left.saturating_sub(waiting.of_alert), into.max(*newest), at.max(*last));
        let (from, count) = (waiting.message, waiting.of_alert);
        changes.moves.push(Move { alert, from, to: into, count });
    }
    for (message, (left, into, at)) in older {
        if left == 0 {
            changes.folded.push(Fold { message, into, at });
        } else {
            changes.revised.push(message);
        }
    }
}

/// The kinds of acts that change the same state of an alert as `kind`: who has it, or whether it is silenced.
pub const fn of_one_state(kind: TransitionKind) -> [TransitionKind; 2] {
    match kind {
        TransitionKind::Silenced | TransitionKind::Unsilenced => [TransitionKind::Silenced, TransitionKind::Unsilenced],
        _ => [TransitionKind::Acknowledged, TransitionKind::Released],
    }
}

/// The place of a message among those of a group.
fn place_of(before: i64, message: i64) -> usize {
    usize::try_from(message - before - 1).expect("it is a message of this group")
}

/// The consequence of a change for an escalation: a firing alert begins one if the receiver has steps; a resolved one
/// ends the one it had. `before`: from an earlier change of the same group.
fn escalation(
    recipient: &Recipient,
    change: &Change<'_>,
    alert: i64,
    now: Timestamp,
    before: Option<EscalationChange>,
) -> Option<EscalationChange> {
    match (change.kind, before) {
        (TransitionKind::Firing, _) if change.told() => recipient
            .escalate_after_ms
            .map(|after_ms| EscalationChange::Begins { alert, fired_at: now, due_at: now.plus_millis(after_ms) }),
        // It is not stored yet.
        (TransitionKind::Resolved, Some(EscalationChange::Begins { fired_at, .. })) => {
            Some(EscalationChange::Begins { alert, fired_at, due_at: now })
        }
        (TransitionKind::Resolved, _) => Some(EscalationChange::Over { alert, at: now }),
        _ => None,
    }
}

fn sorted<T>(by_id: HashMap<i64, T>) -> Vec<(i64, T)> {
    let mut all: Vec<(i64, T)> = by_id.into_iter().collect();
    all.sort_by_key(|(id, _)| *id);
    all
}

/// Gives the next id.
pub(super) const fn next(last: &mut i64) -> i64 {
    *last += 1;
    *last
}

#[cfg(test)]
mod tests;
