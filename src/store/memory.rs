//! A third backend, for tests only: maps instead of SQL, so that the model in `deliver` plays a million steps a minute.
//! It loads facts and writes changes; the engine decides. The model also runs it beside the real backends and compares
//! each answer.

mod acts;
mod admit;
mod cards;
mod changes;
mod fold;
mod late;
mod outbox;
mod read;
mod rows;
mod upstream;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use bytes::Bytes;

use super::retention::{ALERT_LATER_MS, is_young};
use super::{Breaker, Fate, Kept, Lease, Moved, Retention, State, Truth};
use crate::alert::{Identity, Timestamp};
use crate::budget::Window;
use crate::engine::act::{Doer, Recorded};
use crate::engine::card::Codes;
use crate::engine::escalate::Course;
use crate::engine::judge::AlertRow;
use crate::names::{Account, LaneKey, Scope, SourceId};
use rows::Rows;

/// All data. It outlives the simulated processes: a crash in the model loses nothing of it.
#[derive(Debug, Default)]
pub struct Memory(RefCell<Tables>);

#[derive(Debug, Default)]
struct Tables {
    notifications: Rows<Kept>,
    /// By notification: how often later ones only repeated it.
    repeated: HashMap<i64, i64>,
    alerts: Rows<Alert>,
    /// By identity and receiver: the alert.
    identities: HashMap<(Identity, String), i64>,
    messages: Rows<Message>,
    /// By lane: its live messages.
    live: BTreeMap<LaneKey, Vec<i64>>,
    transitions: Rows<Transition>,
    /// By alert: its transitions still to be told.
    pending: HashMap<i64, Vec<i64>>,
    acts: Rows<Act>,
    /// By event: the act that it made.
    events: HashMap<String, i64>,
    /// By alert: its escalation. Its `status` is stale here.
    escalations: BTreeMap<i64, Course>,
    /// By message: its codes, and the alerts that it tells.
    cards: BTreeMap<i64, CardRow>,
    /// By act: the silence that it made.
    silences: BTreeMap<i64, Made>,
    /// By alert: what its upstream said last.
    truths: HashMap<i64, Truth>,
    budgets: HashMap<Account, Window>,
    breakers: BTreeMap<Scope, Breaker>,
    /// By lane: how often it was taken. As in SQLite, there is no fence where this is not checked.
    leases: HashMap<LaneKey, i64>,
    /// By message: why it has no picture.
    unpictured: HashMap<i64, &'static str>,
    /// A mistake: each target that fails tells the fallback.
    fallback_for_each: bool,
}

#[derive(Debug)]
struct Alert {
    identity: Identity,
    receiver: String,
    name: String,
    labels_json: String,
    critical: bool,
    source: SourceId,
    row: AlertRow,
    ends_at: Option<Timestamp>,
    owner: Option<Doer>,
}

#[derive(Debug)]
struct Act {
    recorded: Recorded,
    via: String,
    thread: i64,
    message: Option<i64>,
    /// By alert: its episode.
    touched: BTreeMap<i64, i64>,
}

/// A message that can be changed after it was sent.
#[derive(Debug, Default)]
struct CardRow {
    codes: Codes,
    alerts: BTreeSet<i64>,
}

/// A silence that was made.
#[derive(Debug)]
struct Made {
    upstream: String,
    upstream_id: String,
    matchers_json: String,
    until: Timestamp,
}

#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts of one row")]
struct Message {
    notification: i64,
    receiver: String,
    lane: LaneKey,
    target_json: String,
    critical: bool,
    urgent: bool,
    digest: bool,
    thread: i64,
    created_at: Timestamp,
    state: State,
    not_before: Timestamp,
    epoch: i64,
    revision: i64,
    /// Every version of its bytes; the first version is 1.
    versions: Vec<Vec<Bytes>>,
    next_part: u32,
    face: Option<String>,
    settled_at: Option<Timestamp>,
    folded_into: Option<i64>,
    origin: Option<i64>,
    act: Option<i64>,
    note_json: Option<String>,
    fell_back_at: Option<Timestamp>,
    picture_of: Option<i64>,
    pictured: bool,
    attempts: Vec<Attempt>,
    transitions: Vec<i64>,
}

#[derive(Debug, Clone)]
struct Attempt {
    epoch: i64,
    version: u32,
    part: u32,
    at: Timestamp,
    outcome: Option<&'static str>,
}

#[derive(Debug, Clone)]
struct Transition {
    moved: Moved,
    message: Option<i64>,
    lane: LaneKey,
    counted: bool,
    fate: Fate,
    reason: Option<String>,
}

impl Message {
    fn version(&self) -> u32 {
        u32::try_from(self.versions.len()).unwrap_or(u32::MAX)
    }

    fn parts(&self) -> u32 {
        self.versions.last().map_or(0, |parts| u32::try_from(parts.len()).unwrap_or(u32::MAX))
    }

    fn unsent_since(&self) -> Option<Timestamp> {
        let unsent = self.attempts.iter().all(|attempt| attempt.outcome == Some("not_sent"));
        let tried = self.attempts.iter().filter(|attempt| attempt.version == self.version());
        tried.map(|attempt| attempt.at).min().filter(|_| unsent)
    }

    /// Was it never claimed, and is it told nowhere else?
    fn unclaimed(&self) -> bool {
        self.versions.is_empty() && self.state == State::Queued && self.fell_back_at.is_none()
    }

    /// Can it be folded?
    fn fresh(&self) -> bool {
        self.unclaimed() && self.act.is_none() && self.picture_of.is_none()
    }
}

impl Tables {
    fn queue(&mut self, message: Message) -> i64 {
        let live = self.live.entry(message.lane.clone()).or_default();
        let id = self.messages.push(message);
        live.push(id);
        id
    }

    fn message(&mut self, id: i64) -> &mut Message {
        self.messages.get_mut(id).expect("the message is on record")
    }

    fn alert(&mut self, id: i64) -> &mut Alert {
        self.alerts.get_mut(id).expect("the alert is on record")
    }

    fn holds(&self, lease: &Lease) -> bool {
        self.leases.get(&lease.lane).is_none_or(|epoch| *epoch == lease.epoch)
    }

    /// Settles a message.
    fn end(&mut self, id: i64, state: State, now: Timestamp) {
        let message = self.message(id);
        assert!(message.settled_at.is_none(), "a settled message never changes");
        (message.state, message.settled_at) = (state, Some(now));
        let lane = message.lane.clone();
        let left = self.live.get_mut(&lane).map_or(0, |live| {
            live.retain(|other| *other != id);
            live.len()
        });
        if left == 0 {
            self.live.remove(&lane);
        }
    }

    fn tell(&mut self, transition: Transition) {
        let id = self.transitions.next();
        if let Some(message) = transition.message {
            self.message(message).transitions.push(id);
            self.pending.entry(transition.moved.alert).or_default().push(id);
        }
        let moved = Moved { id, ..transition.moved };
        self.transitions.push(Transition { moved, ..transition });
    }

    /// Moves a transition to another message.
    fn relink(&mut self, id: i64, from: i64, to: i64) {
        self.message(from).transitions.retain(|other| *other != id);
        let told = &mut self.message(to).transitions;
        told.insert(told.partition_point(|other| *other < id), id);
        self.transitions.get_mut(id).expect("it is told of").message = Some(to);
    }
}

impl Memory {
    /// A mistaken store, whose fallbacks are told by each target that fails.
    pub fn with_fallback_for_each() -> Self {
        Self(RefCell::new(Tables { fallback_for_each: true, ..Tables::default() }))
    }

    /// Marks what was being sent as unsure, in one lane or (`None`) in all.
    pub fn abandon(&self, lane: Option<&LaneKey>) -> usize {
        let mut tables = self.0.borrow_mut();
        let sending: Vec<i64> = tables
            .live
            .iter()
            .filter(|(name, _)| lane.is_none_or(|lane| lane == *name))
            .flat_map(|(_, live)| live)
            .copied()
            .filter(|id| tables.messages[id].state == State::Sending)
            .collect();
        for id in &sending {
            let message = tables.message(*id);
            (message.state, message.not_before) = (State::Unsure, Timestamp(0));
        }
        sending.len()
    }

    /// Takes a lane, as when the previous holder's lease has ended.
    pub fn acquire(&self, lane: &LaneKey) -> Lease {
        self.abandon(Some(lane));
        let mut tables = self.0.borrow_mut();
        let epoch = tables.leases.entry(lane.clone()).or_default();
        *epoch += 1;
        Lease { lane: lane.clone(), epoch: *epoch }
    }

    /// The breakers that are open.
    pub fn breakers(&self) -> Vec<Breaker> {
        self.0.borrow().breakers.values().cloned().collect()
    }

    /// Deletes what is older than `keep` allows. Bodies, which are empty in the model, stay.
    pub fn prune(&self, keep: Retention, now: Timestamp) {
        let mut tables = self.0.borrow_mut();
        let oldest = now.plus_millis(-keep.record_ms);
        tables.messages.retain(|_, message| message.settled_at.is_none_or(|at| at >= oldest));
        let Tables {
            messages,
            transitions,
            alerts,
            pending,
            identities,
            acts,
            events,
            escalations,
            silences,
            truths,
            cards,
            unpictured,
            ..
        } = &mut *tables;
        let mut young = false;
        transitions.retain(|_, transition| {
            let goes = transition.message.is_some_and(|message| messages.get(message).is_none());
            young |= !goes && is_young(transition.moved.at.0, oldest, now);
            !goes && (young || transition.message.is_some() || transition.moved.at >= oldest)
        });
        let before = oldest.plus_millis(-ALERT_LATER_MS);
        alerts.retain(|id, alert| {
            let known = &alert.row.known;
            let waits = pending.get(&id).is_some_and(|waiting| !waiting.is_empty());
            let stays = known.status == crate::alert::Status::Firing || known.told_at >= before || waits;
            if !stays {
                identities.remove(&(alert.identity, alert.receiver.clone()));
                escalations.remove(&id);
            }
            stays
        });
        let told: HashSet<i64> = messages.iter().filter_map(|(_, message)| message.act).collect();
        acts.retain(|id, act| {
            let fires = |alert: &i64| {
                alerts.get(*alert).is_some_and(|alert| alert.row.known.status == crate::alert::Status::Firing)
            };
            act.recorded.doer.at >= oldest || told.contains(&id) || act.touched.keys().any(fires)
        });
        events.retain(|_, act| acts.get(*act).is_some());
        silences.retain(|act, _| acts.get(*act).is_some());
        unpictured.retain(|message, _| messages.get(*message).is_some());
        truths.retain(|alert, _| alerts.get(*alert).is_some());
        cards.retain(|message, card| {
            card.alerts.retain(|alert| alerts.get(*alert).is_some());
            messages.get(*message).is_some()
        });
    }
}
