//! Settling: what follows the answer to an attempt.

use std::collections::{BTreeMap, BTreeSet};

use super::Denied;
use super::card::{Code, Codes};
use super::changes::{AnsweredAttempt, CardState, Changes, Copy, FateOf, LeftOut, MessageState, NewPicture};
use super::outbox::{Breaker, BreakerChange, Fate, Next, Settlement, Spent, State};
use crate::alert::Timestamp;
use crate::names::{LaneKey, Scope};

/// What a settlement is decided on.
#[derive(Debug, Default)]
pub struct SettleFacts {
    /// The message, if there is one.
    pub flight: Option<Flight>,
    /// The lanes of the fallback that tell the content already.
    pub told_instead: BTreeSet<LaneKey>,
    /// The open breakers among the scopes that the settlement opens.
    pub breakers: BTreeMap<Scope, Breaker>,
    /// The codes of the cards that [`cards`] names, as far as they have any.
    pub cards: BTreeMap<i64, Codes>,
}

/// The cards whose codes the settlement may change: the message itself, and the one that it changed.
pub fn cards(settlement: &Settlement) -> BTreeSet<i64> {
    let issued = settlement.outcome.response_code.as_ref().map(|_| settlement.claimed.message);
    issued.into_iter().chain(settlement.spends.as_ref().map(|spent| spent.card)).collect()
}

/// A message at the time of a settlement.
#[derive(Debug, Clone, Copy)]
pub struct Flight {
    pub state: State,
    /// Claims so far.
    pub epoch: i64,
    /// Number of its parts.
    pub parts: u32,
    /// When it was claimed.
    pub claimed_at: Timestamp,
    /// Its fallback told its content because it waited for too long.
    pub fell_back: bool,
    /// The message that it follows, if it is a picture.
    pub picture_of: Option<i64>,
}

/// Decides what follows: the message's state, the fates of its transitions, copies for the fallback, breakers and card
/// codes. [`Denied::Lost`] if a newer claim exists.
pub fn settle(settlement: &Settlement, mut facts: SettleFacts, now: Timestamp) -> Result<(State, Changes<'_>), Denied> {
    let claimed = settlement.claimed;
    let message = claimed.message;
    let sending = facts.flight.filter(|flight| (flight.state, flight.epoch) == (State::Sending, claimed.epoch));
    let Flight { parts, claimed_at, fell_back, picture_of, .. } = sending.ok_or(Denied::Lost)?;
    let (state, not_before, next_part) = settlement.next.apply(claimed, parts, now);
    let (outcome, settled) = (&settlement.outcome, matches!(state, State::Sent | State::Dead));
    let mut changes = Changes::default();
    // Once for all failing targets of one receiver, and not again after it was told by age.
    if let Some(fallback) = settlement.fallback.as_ref().filter(|_| !fell_back) {
        let open = fallback.targets.iter().filter(|target| !facts.told_instead.contains(&target.lane));
        changes.copies = open
            .map(|target| Copy {
                of: message,
                receiver: &fallback.receiver,
                target,
                note: &fallback.note_json,
                at: now,
            })
            .collect();
    }
    if let Next::LeftOut { why } = settlement.next {
        let of = picture_of.ok_or(Denied::Bug("only a picture is left out"))?;
        changes.left_out.push(LeftOut { picture: message, of, why, at: now });
    } else {
        let settled_at = settled.then_some(now);
        changes.message_states.push(MessageState { message, state, not_before, next_part, settled_at, outcome });
    }
    // Only after what was certainly accepted.
    if settlement.pictured && state == State::Sent && picture_of.is_none() {
        changes.pictures.push(NewPicture { of: message });
    }
    changes.answers.push(AnsweredAttempt { message, epoch: claimed.epoch, outcome });
    if settled {
        changes.fates.push(match &settlement.next {
            Next::Dead { reason } => FateOf::Dead { message, reason },
            _ => FateOf::AsFrozen { message },
        });
    }
    changes.change_breakers(&settlement.breakers, facts.breakers);
    if let Some(Spent { card, code }) = settlement.spends.as_ref().filter(|_| settlement.next.spends())
        && let Some(codes) = facts.cards.remove(card)
    {
        changes.cards.push(CardState { card: *card, codes: codes.spent(code) });
    }
    if let (Next::Accepted, Some(code)) = (&settlement.next, &outcome.response_code) {
        let codes = facts.cards.remove(&message).unwrap_or_default();
        let code = Code { code: code.clone(), at: now };
        changes.cards.push(CardState { card: message, codes: codes.sent(code, claimed_at) });
    }
    Ok((state, changes))
}

impl FateOf<'_> {
    /// The fate that a transition gets; `counted`: its message's bytes only count it.
    pub const fn fate(&self, counted: bool) -> Fate {
        match self {
            Self::Dead { .. } => Fate::Dead,
            Self::AsFrozen { .. } if counted => Fate::Counted,
            Self::AsFrozen { .. } => Fate::Named,
        }
    }
}

impl Changes<'_> {
    /// Opens and closes breakers. `known`: those that are open. One that stays open counts one more failed probe.
    pub fn change_breakers(&mut self, changes: &[BreakerChange], mut known: BTreeMap<Scope, Breaker>) {
        for change in changes {
            match change {
                BreakerChange::Close(scope) => {
                    known.remove(scope);
                    self.breakers.retain(|open| open.scope != *scope);
                    self.closed.push(scope.clone());
                }
                BreakerChange::Open(open) => {
                    let before = known.get(&open.scope).map(|known| (known.opened_at, known.failures + 1));
                    let (opened_at, failures) = before.unwrap_or((open.opened_at, open.failures));
                    let open = Breaker { opened_at, failures, ..open.clone() };
                    known.insert(open.scope.clone(), open.clone());
                    self.breakers.retain(|other| other.scope != open.scope);
                    self.breakers.push(open);
                }
            }
        }
        self.breakers.sort_by(|one, other| one.scope.cmp(&other.scope));
    }
}
