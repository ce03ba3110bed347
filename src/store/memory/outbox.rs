//! Claiming, settling, breakers: the facts that the engine decides on.

use std::collections::BTreeSet;

use super::{Memory, Message, Tables};
use crate::alert::Timestamp;
use crate::engine::changes::{Changes, Copy};
use crate::engine::claim::{ClaimFacts, Head, accounts, claim, scopes};
use crate::engine::picture::{LeaveFacts, LeaveOut, Waits, leave_out};
use crate::engine::settle::{Flight, SettleFacts, cards, settle};
use crate::names::LaneKey;
use crate::store::{BreakerChange, Claim, Fallback, Settlement, State, StoreError, Taken, TargetRow};

impl Memory {
    /// Claims a message for one attempt, if a way to its target has room.
    pub fn claim(&self, request: &Claim, now: Timestamp) -> Result<Taken, StoreError> {
        let mut tables = self.0.borrow_mut();
        let facts = tables.claim_facts(request);
        let (taken, changes) = claim(request, facts, now).map_err(|denied| denied.error(request.message))?;
        tables.write(&changes);
        Ok(taken)
    }

    /// Records the result of an attempt.
    pub fn settle(&self, settlement: &Settlement, now: Timestamp) -> Result<State, StoreError> {
        let mut tables = self.0.borrow_mut();
        let facts = tables.settle_facts(settlement);
        let message = settlement.claimed.message;
        let (state, changes) = settle(settlement, facts, now).map_err(|denied| denied.error(message))?;
        tables.write(&changes);
        Ok(state)
    }

    /// Leaves out a picture that waits.
    pub fn leave_out(&self, request: &LeaveOut, now: Timestamp) -> Result<(), StoreError> {
        let mut tables = self.0.borrow_mut();
        let picture = tables.messages.get(request.picture).map(|row| Waits {
            lane: row.lane.clone(),
            state: row.state,
            of: row.picture_of,
        });
        let facts = LeaveFacts { held: tables.holds(&request.lease), picture };
        let changes = leave_out(request, facts, now).map_err(|denied| denied.error(request.picture))?;
        tables.write(&changes);
        Ok(())
    }

    /// Queues the content of a message again.
    pub fn resend(&self, message: i64, note_json: &str, now: Timestamp) -> Option<i64> {
        let mut tables = self.0.borrow_mut();
        let of = tables.messages.get(message)?;
        let (receiver, target) = (of.receiver.clone(), TargetRow::new(of.lane.clone(), of.target_json.clone()));
        let again = Copy { of: message, receiver: &receiver, target: &target, note: note_json, at: now };
        Some(tables.copy(&again))
    }

    /// Opens or closes a breaker.
    pub fn change_breaker(&self, change: BreakerChange) {
        let mut tables = self.0.borrow_mut();
        let mut changes = Changes::default();
        changes.change_breakers(&[change], tables.breakers.clone());
        tables.write(&changes);
    }
}

impl Tables {
    fn claim_facts(&self, request: &Claim) -> ClaimFacts {
        let head = self.messages.get(request.message).map(|message| Head {
            lane: message.lane.clone(),
            state: message.state,
            epoch: message.epoch,
            revision: message.revision,
            version: message.version(),
            parts: message.parts(),
            next_part: message.next_part,
            urgent: message.urgent,
            picture: message.picture_of.is_some(),
        });
        let mut live = self.live.get(&request.lease.lane).into_iter().flatten();
        let scopes = scopes(&request.ways).into_iter();
        let accounts = accounts(&request.ways).into_iter();
        ClaimFacts {
            held: self.holds(&request.lease),
            older_tells: head.is_some() && self.older_tells(request.message),
            head,
            lane_busy: live.any(|id| self.messages[id].state == State::Sending),
            breakers: scopes.filter_map(|scope| Some((scope.clone(), self.breakers.get(scope)?.clone()))).collect(),
            windows: accounts
                .map(|account| (account.clone(), self.budgets.get(account).cloned().unwrap_or_default()))
                .collect(),
        }
    }

    /// True if an older live message of its lane tells of one of its alerts.
    pub(super) fn older_tells(&self, message: i64) -> bool {
        self.messages[&message].transitions.iter().any(|id| {
            let mine = &self.transitions[id];
            let others = self.pending.get(&mine.moved.alert).into_iter().flatten();
            others
                .map(|other| &self.transitions[other])
                .any(|other| other.lane == mine.lane && other.message.is_some_and(|older| older < message))
        })
    }

    fn settle_facts(&self, settlement: &Settlement) -> SettleFacts {
        let message = settlement.claimed.message;
        let flight = self.messages.get(message).map(|row| Flight {
            state: row.state,
            epoch: row.epoch,
            parts: row.parts(),
            fell_back: row.fell_back_at.is_some(),
            picture_of: row.picture_of,
            claimed_at: row.attempts.last().map_or(Timestamp(0), |attempt| attempt.at),
        });
        let fallback = settlement.fallback.as_ref();
        SettleFacts {
            flight,
            told_instead: fallback.map_or_else(BTreeSet::new, |fallback| self.told_instead(message, fallback)),
            breakers: self.breakers.clone(),
            cards: cards(settlement).into_iter().filter_map(|card| Some((card, self.codes(card)?))).collect(),
        }
    }

    /// The lanes of a fallback that tell the content of the message already.
    pub(super) fn told_instead(&self, failed: i64, fallback: &Fallback) -> BTreeSet<LaneKey> {
        if self.fallback_for_each {
            return BTreeSet::new();
        }
        let of = &self.messages[&failed];
        let content = |row: &Message| (row.notification, row.receiver.clone(), row.act);
        let same = |other: i64| match self.messages.get(other) {
            Some(row) if !of.digest && !row.digest => content(row) == content(of),
            _ => other == failed,
        };
        let told = |lane: &LaneKey| {
            self.messages.iter().any(|(_, instead)| {
                instead.lane == *lane && instead.notification == of.notification && instead.origin.is_some_and(same)
            })
        };
        fallback.targets.iter().map(|target| &target.lane).filter(|lane| told(lane)).cloned().collect()
    }
}
