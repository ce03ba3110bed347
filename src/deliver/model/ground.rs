//! The store under the model: a real one, the one in memory, or both, which must then give the same answers.

use std::fmt::Debug;

use super::Mutant;
use crate::alert::{Identity, Timestamp};
use crate::config::Database;
use crate::engine::picture::UNSURE;
use crate::names::LaneKey;
use crate::store::memory::Memory;
use crate::store::{
    ActAlert, Acted, Admission, Admitted, Audit, Breaker, BreakerChange, Card, Claim, Contents, Delivery,
    DeliveryFilter, DeliveryRow, Detour, Digest, Escalation, Folded, LaneHead, Late, LateMessage, Lease, LeaveOut,
    NewAct, Next, Queued, Retention, Settlement, State, Store, StoreError, Taken, Waiting,
};

/// The store of a world.
pub struct Ground {
    real: Option<(Store, Database)>,
    memory: Option<Memory>,
    /// A mistake built into the store.
    mutant: Mutant,
    settled: std::cell::Cell<u32>,
}

/// Asks each store that is there.
macro_rules! ask {
    ($ground:expr, $what:literal, $real:ident => $ask:expr, $memory:ident => $know:expr) => {
        match (&$ground.real, &$ground.memory) {
            (Some(($real, _)), Some($memory)) => agreed($what, $ask, &$know),
            (Some(($real, _)), None) => $ask,
            (None, Some($memory)) => $know,
            (None, None) => unreachable!("the world stands on something"),
        }
    };
}

/// The answer of both stores.
fn agreed<T: Debug>(what: &str, real: Result<T, StoreError>, memory: &Result<T, StoreError>) -> Result<T, StoreError> {
    let (one, other) = (format!("{real:?}"), format!("{memory:?}"));
    if one == other {
        return real;
    }
    let reason = format!("{what}: the store says {one}, the model of it {other}");
    Err(StoreError::Bug { reason, source: None })
}

/// The store in memory never deletes bodies, so an emptied body is not compared.
fn with_body(mut queued: Option<Queued>) -> Option<Queued> {
    if let Some(kept) = queued.as_mut().map(|queued| &mut queued.notification).filter(|kept| kept.raw.is_empty()) {
        kept.raw = super::intake::BODY.into();
    }
    queued
}

/// The store in memory never deletes notifications, so the number of recorded repeats is not compared.
fn of_changes(audit: Audit) -> Audit {
    Audit { repeated: 0, ..audit }
}

impl Ground {
    pub fn memory(mutant: Mutant) -> Self {
        let each = mutant == Mutant::FallbackForEachTarget;
        let memory = if each { Memory::with_fallback_for_each() } else { Memory::default() };
        Self { real: None, memory: Some(memory), mutant, settled: 0.into() }
    }

    /// On a real store, with the one in memory beside it if `twin`.
    pub async fn real(database: Database, twin: bool, now: Timestamp) -> Result<Self, StoreError> {
        let store = Store::open(&database, now).await?;
        let memory = twin.then(Memory::default);
        Ok(Self { real: Some((store, database)), memory, mutant: Mutant::None, settled: 0.into() })
    }

    /// Is there a real database?
    pub fn is_real(&self) -> bool {
        self.real.is_some()
    }

    /// Another process opens the store.
    pub async fn restart(&mut self, now: Timestamp) -> Result<(), StoreError> {
        if let Some((store, database)) = &mut self.real {
            store.close().await?;
            *store = Store::open(database, now).await?;
            store.recover().await?;
        }
        if let Some(memory) = self.memory.as_ref().filter(|_| self.mutant != Mutant::AbandonedIsForgotten) {
            memory.abandon(None);
        }
        Ok(())
    }

    pub async fn close(&self) -> Result<(), StoreError> {
        match &self.real {
            Some((store, _)) => store.close().await,
            None => Ok(()),
        }
    }

    pub async fn admit(&self, mut admission: Admission) -> Result<Admitted, StoreError> {
        if self.mutant == Mutant::TwinsAreNews {
            for delivery in &mut admission.deliveries {
                delivery.repeat_interval_ms = 0;
            }
        }
        if let (Some(memory), Mutant::OwnerUnheard) = (&self.memory, self.mutant) {
            return Ok(memory.admit_without_owners(&admission));
        }
        ask!(self, "admit", store => store.admit(admission.clone()).await, memory => Ok(memory.admit(&admission)))
    }

    pub async fn lanes(&self, now: Timestamp) -> Result<Vec<LaneHead>, StoreError> {
        let heads = ask!(self, "lanes", store => store.lanes(now).await, memory => Ok(memory.lanes(now)))?;
        let seen = |head: &LaneHead| self.mutant != Mutant::AbandonedIsForgotten || !head.sending;
        Ok(heads.into_iter().map(|head| LaneHead { sending: head.sending && seen(&head), ..head }).collect())
    }

    pub async fn acquire(&self, lane: &LaneKey) -> Result<Option<Lease>, StoreError> {
        match (&self.real, &self.memory) {
            // Lease epochs of the two stores may differ.
            (Some((store, _)), memory) => {
                if let Some(memory) = memory {
                    memory.abandon(Some(lane));
                }
                store.acquire(lane).await
            }
            (None, Some(_)) if self.mutant == Mutant::AbandonedIsForgotten => {
                Ok(Some(Lease { lane: lane.clone(), epoch: 0 }))
            }
            (None, memory) => Ok(memory.as_ref().map(|memory| memory.acquire(lane))),
        }
    }

    pub async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        match &self.real {
            Some((store, _)) => store.release(lease).await,
            None => Ok(()),
        }
    }

    pub async fn waiting(&self, lane: &LaneKey, now: Timestamp) -> Result<Waiting, StoreError> {
        let mut waiting =
            ask!(self, "waiting", store => store.waiting(lane, now).await, memory => Ok(memory.waiting(lane, now)))?;
        if self.mutant == Mutant::CriticalUnseen {
            waiting.messages.truncate(2);
        }
        if let (Mutant::ActsFirst, Some(memory)) = (self.mutant, &self.memory) {
            // Of places that acts may fill.
            waiting.messages.sort_by_key(|other| !memory.is_of_act(other.message));
            waiting.messages.truncate(2);
            waiting.messages.sort_by_key(|other| other.message);
        }
        for picture in waiting.messages.iter_mut().filter(|other| other.picture) {
            match self.mutant {
                Mutant::PicturesAreMessages => picture.picture = false,
                Mutant::PicturesComeAgain if picture.state == State::Unsure => picture.state = State::Queued,
                _ => {}
            }
        }
        Ok(waiting)
    }

    /// The critical messages of a lane that could be claimed now, if the way is free, as the store in memory knows them.
    pub fn critical_ready(&self, lane: &LaneKey, now: Timestamp) -> Vec<i64> {
        self.memory.as_ref().map(|memory| memory.critical_ready(lane, now)).unwrap_or_default()
    }

    pub async fn queued(&self, message: i64) -> Result<Option<Queued>, StoreError> {
        ask!(self, "queued", store => store.queued(message).await.map(with_body), memory => Ok(memory.queued(message)))
    }

    pub async fn digest(&self, message: i64) -> Result<Digest, StoreError> {
        let digest = ask!(self, "digest", store => store.digest(message).await, memory => Ok(memory.digest(message)));
        digest.map(|mut digest| {
            if self.mutant == Mutant::DigestLeavesOut {
                digest.items.pop();
            }
            digest
        })
    }

    pub async fn fold(&self, lease: &Lease, keep: Option<i64>, now: Timestamp) -> Result<Option<Folded>, StoreError> {
        ask!(self, "fold", store => store.fold(lease, keep, now).await, memory => memory.fold(lease, keep, now))
    }

    pub async fn claim(&self, claim: Claim, now: Timestamp) -> Result<Taken, StoreError> {
        ask!(self, "claim", store => store.claim(claim.clone(), now).await, memory => memory.claim(&claim, now))
    }

    pub async fn settle(&self, mut settlement: Settlement, now: Timestamp) -> Result<State, StoreError> {
        self.settled.set(self.settled.get() + 1);
        match (self.mutant, &settlement.next) {
            // Every fifth is silently not written.
            (Mutant::SettleIsLost, Next::Accepted) if self.settled.get().is_multiple_of(5) => return Ok(State::Sent),
            (Mutant::RefusedIsSent, Next::Dead { .. }) => settlement.next = Next::Accepted,
            (Mutant::CodeUsedTwice, _) => settlement.spends = None,
            (Mutant::PicturesOfAll, _) => settlement.pictured = true,
            // It is tried again.
            (Mutant::PicturesComeAgain, Next::LeftOut { why: UNSURE }) => settlement.next = Next::UnsureAt(now),
            _ => {}
        }
        let settled = ask!(self, "settle", store => store.settle(settlement.clone(), now).await, memory => memory.settle(&settlement, now));
        if self.mutant == Mutant::NoFence && settled.is_err() { Ok(State::Sent) } else { settled }
    }

    pub async fn leave_out(&self, request: LeaveOut, now: Timestamp) -> Result<(), StoreError> {
        ask!(self, "leave_out", store => store.leave_out(request.clone(), now).await, memory => memory.leave_out(&request, now))
    }

    pub async fn resend(&self, message: i64, note: &str, now: Timestamp) -> Result<Option<i64>, StoreError> {
        ask!(self, "resend", store => store.resend(message, note, now).await, memory => Ok(memory.resend(message, note, now)))
    }

    pub async fn act(&self, act: NewAct, now: Timestamp) -> Result<Acted, StoreError> {
        ask!(self, "act", store => store.act(act.clone(), now).await, memory => Ok(memory.act(&act, now)))
    }

    pub async fn due_escalations(&self, now: Timestamp) -> Result<Vec<Escalation>, StoreError> {
        const MOST: u32 = 1_000;
        if let (Some(memory), Mutant::EscalatesAcknowledged) = (&self.memory, self.mutant) {
            return Ok(memory.escalations_due(now, false));
        }
        ask!(self, "due_escalations", store => store.due_escalations(now, MOST).await, memory => Ok(memory.due_escalations(now)))
    }

    pub async fn advance_escalation(
        &self,
        alert: i64,
        from_step: u32,
        next_due: Option<Timestamp>,
    ) -> Result<bool, StoreError> {
        ask!(self, "advance_escalation", store => store.advance_escalation(alert, from_step, next_due).await,
             memory => Ok(memory.advance_escalation(alert, from_step, next_due)))
    }

    pub async fn forget_escalation(&self, alert: i64) -> Result<(), StoreError> {
        if let Some(memory) = &self.memory {
            memory.forget_escalation(alert);
        }
        match &self.real {
            Some((store, _)) => store.forget_escalation(alert).await,
            None => Ok(()),
        }
    }

    pub async fn told_firing(&self, identity: Identity) -> Result<Vec<ActAlert>, StoreError> {
        ask!(self, "told_firing", store => store.told_firing(vec![identity]).await, memory => Ok(memory.told_firing(identity)))
    }

    /// The messages that wait for too long. The store in memory keeps no reasons, so they are not compared.
    pub async fn late(&self, receivers: &[String], since: Late) -> Result<Vec<LateMessage>, StoreError> {
        const MOST: u32 = 1_000;
        let without = |late: LateMessage| LateMessage { error: None, ..late };
        let real = |found: Vec<LateMessage>| found.into_iter().map(without).collect();
        ask!(self, "late", store => store.late(receivers.to_vec(), since, MOST).await.map(real),
             memory => Ok(memory.late(receivers, since)))
    }

    pub async fn fall_back(&self, request: Detour, now: Timestamp) -> Result<bool, StoreError> {
        ask!(self, "fall_back", store => store.fall_back(vec![request.clone()], now).await.map(|told| told == [true]),
             memory => Ok(memory.fall_back(&request, now)))
    }

    pub async fn breakers(&self) -> Result<Vec<Breaker>, StoreError> {
        ask!(self, "breakers", store => store.breakers().await, memory => Ok(memory.breakers()))
    }

    pub async fn change_breaker(&self, change: BreakerChange) -> Result<(), StoreError> {
        if let Some(memory) = &self.memory {
            memory.change_breaker(change.clone());
        }
        match &self.real {
            Some((store, _)) => store.change_breaker(change).await,
            None => Ok(()),
        }
    }

    /// Deletes what is too old.
    pub async fn prune(&self, keep: Retention, now: Timestamp) -> Result<(), StoreError> {
        if let Some(memory) = &self.memory {
            memory.prune(keep, now);
        }
        if let Some((store, _)) = &self.real {
            while !store.prune(keep, now).await?.is_empty() {}
        }
        Ok(())
    }

    /// The newest messages, newest first.
    pub async fn deliveries(&self, limit: usize) -> Result<Vec<DeliveryRow>, StoreError> {
        match (&self.real, &self.memory) {
            (Some((store, _)), _) => store.deliveries(DeliveryFilter { limit, ..DeliveryFilter::default() }).await,
            (None, memory) => Ok(memory.as_ref().map(|memory| memory.deliveries(limit)).unwrap_or_default()),
        }
    }

    /// Both have the same record, as far as the one in memory keeps it.
    pub async fn delivery(&self, message: i64) -> Result<Option<Delivery>, StoreError> {
        let told = |delivery: Delivery| {
            let Delivery { row, picture, transitions, frozen, .. } = delivery;
            let ended = (row.state, row.folded_into, row.settled_at, row.picture_of, picture);
            (row.lane, ended, row.attempts, row.next_part, transitions, frozen)
        };
        match (&self.real, &self.memory) {
            (Some((store, _)), Some(memory)) => {
                let real = store.delivery(message).await?;
                agreed("delivery", Ok(real.clone().map(told)), &Ok(memory.delivery(message).map(told)))?;
                Ok(real)
            }
            (Some((store, _)), None) => store.delivery(message).await,
            (None, memory) => Ok(memory.as_ref().and_then(|memory| memory.delivery(message)).map(|mut delivery| {
                if self.mutant == Mutant::RecordChanges {
                    delivery.row.attempts += i64::from(self.settled.get());
                }
                delivery
            })),
        }
    }

    pub async fn contents(&self, message: i64) -> Result<Option<Contents>, StoreError> {
        ask!(self, "contents", store => store.contents(message).await, memory => Ok(memory.contents(message)))
    }

    /// The newest card of a lane that tells all alerts of a message.
    pub async fn card(&self, lane: &LaneKey, message: i64, now: Timestamp) -> Result<Option<Card>, StoreError> {
        ask!(self, "card", store => store.card(lane, message, now).await, memory => Ok(memory.card(lane, message, now)))
    }

    pub async fn card_of(&self, message: i64) -> Result<Option<Card>, StoreError> {
        ask!(self, "card_of", store => store.card_of(message).await, memory => Ok(memory.card_of(message)))
    }

    pub async fn audit(&self) -> Result<Audit, StoreError> {
        ask!(self, "audit", store => store.audit().await.map(of_changes), memory => Ok(of_changes(memory.audit())))
    }
}
