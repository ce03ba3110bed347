//! Brings the world to rest when nothing fails any more.

use super::action::Answer;
use super::driver::WHOLE_STEP;
use super::letter::{CARDS, shows};
use super::world::{World, is_whole, said};
use super::{Check, LANES};
use crate::alert::Timestamp;
use crate::engine::act::LIMIT_MS;
use crate::store::{ActAlert, Breaker, BreakerChange};

/// Everything must be at rest within this time once nothing fails any more. A message waits at most two hours for its
/// next try; after a change of the clock the next message behind it may, too.
const REST_MS: i64 = 12 * 3_600_000;
/// As `watch` does.
const HOST_PROBE_MS: i64 = 5_000;

impl World {
    /// Does what `watch` does for hosts that did not answer.
    pub async fn probe(&mut self, up: bool) -> Check {
        let now = self.now();
        for open in self.store.breakers().await.map_err(|error| said(&error))? {
            if !open.host_may_be_asked(now) {
                continue;
            }
            let scope = open.scope.clone();
            let change = if up {
                BreakerChange::Close(scope)
            } else {
                BreakerChange::Open(Breaker { probe_at: now.plus_millis(HOST_PROBE_MS), ..open })
            };
            self.store.change_breaker(change).await.map_err(|error| said(&error))?;
        }
        Ok(())
    }

    /// Nothing fails any more: everything must come to rest and satisfy the laws.
    pub async fn rest(&mut self) -> Result<u64, String> {
        // Also what the clock has put off.
        self.escalate(Timestamp(i64::MAX)).await?;
        self.ends_are_told()?;
        let mut turns = self.settle_all().await?;
        // The newest card is pressed and shows what follows.
        let kept = self.phone.cards.keys().rev().find(|card| self.ledger.messages.contains_key(card));
        if let Some(card) = kept.copied() {
            for release in [false, true, false] {
                self.pass_until(self.real + LIMIT_MS).await?;
                self.press_on(card, 0, release).await?;
                turns += self.settle_all().await?;
                self.cards_are_true().await?;
            }
        }
        self.ledger.sums(&self.store).await?;
        self.ledger.close(&self.store, &self.phone).await?;
        self.store.close().await.map_err(|error| said(&error))?;
        Ok(turns)
    }

    async fn settle_all(&mut self) -> Result<u64, String> {
        let until = self.real + REST_MS;
        let mut turns = 0;
        loop {
            self.probe(true).await?;
            for lane in 0..LANES.len() {
                // Bounded: each turn settles a message, folds some, or finds nothing to do.
                for _ in 0..1_000 {
                    turns += 1;
                    self.work(lane, Answer::Accepted, WHOLE_STEP).await?;
                    if self.lanes[lane].is_idle() {
                        break;
                    }
                }
            }
            let heads = self.store.lanes(self.now()).await.map_err(|error| said(&error))?;
            if heads.is_empty() {
                return Ok(turns);
            }
            let now = self.now();
            let waits = self.lanes.iter().filter_map(|lane| lane.until).map(|until| until.millis_since(now));
            let pause = waits.filter(|wait| *wait > 0).min().unwrap_or(HOST_PROBE_MS).clamp(250, 600_000);
            if self.real + pause > until {
                let (breakers, lanes) = (self.store.breakers().await, &self.lanes);
                return Err(format!("rest: {now:?}: there still waits {heads:?}: {breakers:?}, {lanes:?}"));
            }
            self.pass_until(self.real + pause).await?;
        }
    }

    /// A card that was changed shows what the record says, unless a newer message tells of its alerts (A3), or the record
    /// has forgotten one of them.
    async fn cards_are_true(&self) -> Check {
        let lane = LANES[CARDS];
        for (&message, shown) in self.phone.cards.iter().filter(|(_, shown)| !shown.shows.is_empty()) {
            let Some(card) = self.store.card_of(message).await.map_err(|error| said(&error))? else { continue };
            let newer = |alert: &ActAlert| {
                let story = format!("{lane} <- {lane}: {}", alert.name);
                self.ledger.newest(&story).max(self.phone.last(&story)) > shown.place
            };
            let of = self.store.delivery(message).await.map_err(|error| said(&error))?;
            if !of.is_some_and(|of| is_whole(&of)) {
                continue;
            }
            if !card.alerts.iter().any(newer) && shows(&card) != shown.shows {
                return Err(format!("A3: {card:?} shows {shown:?}"));
            }
        }
        Ok(())
    }
}
