//! Claiming.

use super::{Memory, Tables};
use crate::alert::Timestamp;
use crate::budget::{Charge, Window, room};
use crate::names::Scope;
use crate::store::{Claim, Claimed, Freeze, Naming, PROBE_MS, State, StoreError, Taken, Way};

impl Memory {
    /// Claims a message for one attempt, if a way to its target has room.
    pub fn claim(&self, claim: &Claim, now: Timestamp) -> Result<Taken, StoreError> {
        self.0.borrow_mut().claim(claim, now)
    }
}

impl Tables {
    fn claim(&mut self, claim: &Claim, now: Timestamp) -> Result<Taken, StoreError> {
        let lost = StoreError::Lost { message: claim.message };
        let Some(message) = self.messages.get(claim.message) else { return Err(lost) };
        let same = (message.epoch, message.revision, &message.lane) == (claim.epoch, claim.revision, &claim.lease.lane);
        let live = self.live.get(&claim.lease.lane);
        let busy = live.into_iter().flatten().any(|id| self.messages[id].state == State::Sending);
        if !same || busy || !self.holds(&claim.lease) || !matches!(message.state, State::Queued | State::Unsure) {
            return Err(lost);
        }
        if self.is_behind(claim.message) {
            return Ok(Taken::Behind);
        }
        if claim.freeze.is_none() && message.parts() == 0 {
            return Err(StoreError::bug("a first claim brings no bytes"));
        }
        let urgent = message.urgent;
        let (way, probing) = match self.choose(&claim.ways, urgent, now) {
            Ok(chosen) => chosen,
            Err((until, breaker)) => return Ok(Taken::Wait { until, breaker }),
        };
        for charge in &claim.ways[way].charges {
            let window = self.budgets.entry(charge.account.clone()).or_default();
            window.debit(charge.limit.as_ref(), now);
        }
        let part = match &claim.freeze {
            Some(bytes) => self.freeze(claim.message, bytes)?,
            None => self.messages[&claim.message].next_part,
        };
        let message = self.message(claim.message);
        (message.state, message.epoch) = (State::Sending, message.epoch + 1);
        let version = message.version();
        message.attempts.push((version, part, now));
        Ok(Taken::Claimed(Claimed { message: claim.message, epoch: message.epoch, version, part, way, probing }))
    }

    /// Does an older live message of the lane share an alert with it?
    fn is_behind(&self, message: i64) -> bool {
        let mine = &self.messages[&message];
        mine.transitions.iter().any(|id| {
            let others = self.pending.get(&self.transitions[id].moved.alert).into_iter().flatten();
            others.map(|other| &self.transitions[other]).any(|other| {
                other.lane == self.transitions[id].lane && other.message.is_some_and(|older| older < message)
            })
        })
    }

    /// The first way that is open and has room, and whether it probes a breaker; otherwise how long the best one is
    /// shut.
    fn choose(
        &mut self,
        ways: &[Way],
        urgent: bool,
        now: Timestamp,
    ) -> Result<(usize, bool), (Timestamp, Option<Scope>)> {
        let mut wait: Option<(Timestamp, Option<Scope>)> = None;
        for (index, way) in ways.iter().enumerate() {
            let shut = self.shut(&way.scopes, now).map(|(until, scope)| (until, Some(scope)));
            let blocked = match shut {
                Some(shut) => Some(shut),
                None => self.spent(&way.charges, urgent, now).map(|until| (until, None)),
            };
            let Some(blocked) = blocked else {
                let mut probing = false;
                for scope in &way.scopes {
                    if let Some(open) = self.breakers.get_mut(scope) {
                        open.probe_at = now.plus_millis(PROBE_MS);
                        probing = true;
                    }
                }
                return Ok((index, probing));
            };
            if wait.as_ref().is_none_or(|(until, _)| blocked.0 < *until) {
                wait = Some(blocked);
            }
        }
        Err(wait.expect("a claim names a way"))
    }

    fn shut(&self, scopes: &[Scope], now: Timestamp) -> Option<(Timestamp, Scope)> {
        let mut longest: Option<(Timestamp, Scope)> = None;
        for scope in scopes {
            let until = self.breakers.get(scope).and_then(|open| open.keeps_away_until(now));
            if let Some(until) = until.filter(|until| longest.as_ref().is_none_or(|(known, _)| until > known)) {
                longest = Some((until, scope.clone()));
            }
        }
        longest
    }

    /// A window that lies in the future (the clock was set back) is corrected for good.
    fn spent(&mut self, charges: &[Charge], urgent: bool, now: Timestamp) -> Option<Timestamp> {
        let mut until = None;
        for charge in charges {
            let Some(limit) = &charge.limit else { continue };
            let names = std::iter::once(&charge.account).chain(&charge.with);
            let windows: Vec<Window> = names
                .map(|account| {
                    let mut window = self.budgets.get(account).cloned().unwrap_or_default();
                    if window.advance(now) {
                        self.budgets.insert(account.clone(), window.clone());
                    }
                    window
                })
                .collect();
            if let Err(free_at) = room(&windows.iter().collect::<Vec<_>>(), limit, urgent, now) {
                until = until.max(Some(free_at));
            }
        }
        until
    }

    /// Writes a new version of the bytes; returns the part to send.
    pub(super) fn freeze(&mut self, id: i64, bytes: &Freeze) -> Result<u32, StoreError> {
        if !bytes.is_sendable() {
            return Err(StoreError::bug("a claim brings fewer parts than it wants to send"));
        }
        let message = self.message(id);
        message.versions.push(bytes.parts.clone());
        (message.next_part, message.face) = (bytes.next_part, Some(bytes.face.clone()));
        let mine = message.transitions.clone();
        for id in mine {
            let transition = self.transitions.get_mut(id).expect("it is told of");
            transition.counted = match &bytes.naming {
                Naming::AllBut(counted) => counted.contains(&id),
                Naming::OnlyAlerts(named) => !named.contains(&transition.moved.alert),
            };
        }
        Ok(bytes.next_part)
    }
}
