//! Settling, and fallbacks.

use super::admit::blank;
use super::{Memory, Message, Tables, Transition};
use crate::alert::Timestamp;
use crate::store::{BreakerChange, Claimed, Fallback, Fate, Next, Settlement, State, StoreError, TargetRow};

impl Memory {
    /// Records the result of an attempt.
    pub fn settle(&self, settlement: &Settlement, now: Timestamp) -> Result<State, StoreError> {
        let mut tables = self.0.borrow_mut();
        let Claimed { message: id, epoch, .. } = settlement.claimed;
        let claimed = tables.messages.get(id).filter(|row| row.epoch == epoch && row.state == State::Sending);
        let Some(claimed) = claimed else { return Err(StoreError::Lost { message: id }) };
        let (state, not_before, next_part) = settlement.next.apply(settlement.claimed, claimed.parts(), now);
        if let Some(fallback) = &settlement.fallback {
            tables.fall_back(id, fallback, now);
        }
        let message = tables.message(id);
        (message.state, message.not_before, message.next_part) = (state, not_before, next_part);
        if matches!(state, State::Sent | State::Dead) {
            tables.end(id, state, now);
            tables.fate(id, &settlement.next);
        }
        for change in &settlement.breakers {
            tables.apply(change.clone());
        }
        Ok(state)
    }

    /// Queues the content of a message again.
    pub fn resend(&self, message: i64, note_json: &str, now: Timestamp) -> Option<i64> {
        let mut tables = self.0.borrow_mut();
        let of = tables.messages.get(message)?;
        let (receiver, target) = (of.receiver.clone(), target_of(of));
        Some(tables.copy(message, &receiver, &target, note_json, now))
    }
}

fn target_of(message: &Message) -> TargetRow {
    TargetRow::new(message.lane.clone(), message.target_json.clone())
}

impl Tables {
    fn fate(&mut self, message: i64, next: &Next) {
        for id in self.messages[&message].transitions.clone() {
            let transition = self.transitions.get_mut(id).expect("it is told of");
            assert_eq!(transition.fate, Fate::Pending, "a transition has one fate");
            (transition.fate, transition.reason) = match next {
                Next::Dead { reason } => (Fate::Dead, Some(reason.clone())),
                _ if transition.counted => (Fate::Counted, None),
                _ => (Fate::Named, None),
            };
            let alert = transition.moved.alert;
            if let Some(waiting) = self.pending.get_mut(&alert) {
                waiting.retain(|other| *other != id);
            }
        }
    }

    /// Copies to the fallback once for all failing targets of one receiver.
    fn fall_back(&mut self, failed: i64, fallback: &Fallback, now: Timestamp) {
        for target in &fallback.targets {
            let of = &self.messages[&failed];
            let same = |other: &Message| {
                (other.notification, &other.receiver, other.digest) == (of.notification, &of.receiver, of.digest)
            };
            let told = !of.digest
                && self.messages.iter().any(|(_, instead)| {
                    instead.lane == target.lane
                        && instead.notification == of.notification
                        && instead.origin.and_then(|origin| self.messages.get(origin)).is_some_and(same)
                });
            if !told {
                self.copy(failed, &fallback.receiver, target, &fallback.note_json, now);
            }
        }
    }

    fn copy(&mut self, of: i64, receiver: &str, target: &TargetRow, note: &str, now: Timestamp) -> i64 {
        let told = self.messages[&of].clone();
        let copied = self.queue(Message {
            critical: told.critical,
            urgent: told.urgent,
            digest: told.digest,
            origin: Some(of),
            note_json: Some(note.to_owned()),
            ..blank(told.notification, receiver, target, told.thread, now)
        });
        for id in told.transitions {
            let moved = self.transitions[&id].moved.clone();
            let (message, lane) = (Some(copied), target.lane.clone());
            self.tell(Transition { moved, message, lane, counted: false, fate: Fate::Pending, reason: None });
        }
        copied
    }

    pub(super) fn apply(&mut self, change: BreakerChange) {
        match change {
            BreakerChange::Close(scope) => drop(self.breakers.remove(&scope)),
            BreakerChange::Open(open) => {
                let known = self.breakers.get(&open.scope).map(|known| (known.opened_at, known.failures + 1));
                let (opened_at, failures) = known.unwrap_or((open.opened_at, open.failures));
                self.breakers.insert(open.scope.clone(), crate::store::Breaker { opened_at, failures, ..open });
            }
        }
    }
}
