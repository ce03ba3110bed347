//! The result of an attempt in the model, and what follows.

use bytes::Bytes;

use super::action::Answer;
use super::phone::Arrival;
use super::worker::{Flight, Trouble, Work};
use super::world::{World, said};
use super::{Check, Mutant};
use crate::deliver::attempt::follows;
use crate::deliver::breaker;
use crate::deliver::letter::Form;
use crate::deliver::retry::{self, Next, Tries};
use crate::deliver::verdict::tests::{failed_with, refused};
use crate::deliver::verdict::{Blame, Verdict};
use crate::names::Scope;
use crate::store::{BreakerChange, Claimed, Fallback, Outcome, Settlement, State, StoreError};

impl World {
    /// WeCom accepts the request.
    pub fn deliver(&mut self, lane: usize, message: i64, part: u32, body: &Bytes, tells: &[i64]) -> Check {
        let lines = self.ledger.lines(tells)?;
        let unsure = self.ledger.messages.get(&message).map_or(0, |known| known.unsure);
        self.phone.take(&Arrival { lane, message, part, body, lines: &lines, unsure }, self.real)
    }

    /// The result of the attempt stays unknown.
    pub fn lose(&mut self, lane: usize, flight: &Flight, arrived: bool) -> Check {
        let Claimed { message, part, .. } = flight.claimed;
        if arrived {
            self.deliver(lane, message, part, &flight.body, &flight.tells)?;
        }
        self.unsure(message);
        Ok(())
    }

    fn unsure(&mut self, message: i64) {
        self.ledger.messages.entry(message).or_default().unsure += 1;
    }

    /// An attempt ends. A rejected one is repeated as plain text in the same step.
    pub async fn answer(&mut self, lane: usize, flight: Flight, answer: Answer) -> Check {
        let arrived = matches!(answer, Answer::Accepted | Answer::InPart | Answer::Timeout { arrived: true });
        let Claimed { message, part, .. } = flight.claimed;
        if arrived {
            self.deliver(lane, message, part, &flight.body, &flight.tells)?;
        }
        if self.mutant == Mutant::SendTwice && answer == Answer::Accepted && message % 5 == 0 {
            self.deliver(lane, message, part, &flight.body, &flight.tells)?;
        }
        let verdict = verdict_on(answer);
        if matches!(verdict, Verdict::Unsure(_)) {
            self.unsure(message);
        }
        if flight.settled {
            return Ok(());
        }
        let next = match self.settle(&flight, &verdict).await {
            Ok(next) => next,
            Err(Trouble::Store(error)) => return Err(said(&error)),
            Err(Trouble::Law(broken)) => return Err(broken),
        };
        if next == Next::Plainer {
            match self.attempt(lane, flight.chosen, Form::Simpler, None).await {
                Ok(()) | Err(Trouble::Store(StoreError::Lost { .. })) => {}
                Err(Trouble::Store(error)) => return Err(said(&error)),
                Err(Trouble::Law(broken)) => return Err(broken),
            }
            return Ok(());
        }
        let now = self.now();
        let worker = &mut self.workers[lane];
        if let Some(work) = &mut worker.work {
            work.behind.clear();
            work.folded_in_vain = false;
        }
        if flight.chosen.critical && !flight.chosen.digest {
            worker.rhythm.pace.critical_at = Some(now);
        }
        Ok(())
    }

    /// A worker that lost its lane while it sent writes nothing.
    pub async fn wake_up_late(&mut self, lane: usize, flight: &Flight) -> Check {
        match self.settle(flight, &verdict_on(Answer::Accepted)).await {
            Err(Trouble::Store(StoreError::Lost { .. })) => {
                self.workers[lane].work = Some(Work::default());
                Ok(())
            }
            Err(Trouble::Store(error)) => Err(said(&error)),
            Err(Trouble::Law(broken)) => Err(broken),
            Ok(_) => Err(format!("L2: a worker settled {:?} without its lane", flight.claimed)),
        }
    }

    pub async fn settle(&mut self, flight: &Flight, verdict: &Verdict) -> Result<Next, Trouble> {
        let now = self.now();
        let claimed = flight.claimed;
        let elsewhere = flight.alone && self.fallback && self.config.fallback(&flight.queued.receiver).is_some();
        let tries = Tries {
            attempts: u32::try_from(claimed.epoch).unwrap_or(u32::MAX),
            age_ms: now.millis_since(flight.queued.created_at),
            plain: flight.plain,
            elsewhere,
        };
        let jitter = f64::from(u32::try_from(claimed.epoch % 10).unwrap_or_default()) / 10.0;
        let mut next = retry::decide(verdict, tries, jitter);
        let adornment = claimed.part > 0 && matches!(next, Next::Plainer | Next::Dead);
        let fallback = self.instead(flight, verdict, &next);
        if adornment {
            next = Next::Done;
        }
        let breakers = self.breakers(flight, verdict, elsewhere);
        let copied = fallback.is_some();
        let outcome = Outcome { class: verdict.class(), ..Outcome::default() };
        let settlement = Settlement {
            claimed,
            outcome,
            next: follows(&next, verdict, now),
            fallback,
            breakers: breakers.clone(),
            spends: None,
        };
        self.dirty = true;
        let state = self.store.settle(settlement, now).await?;
        for change in breakers {
            match change {
                BreakerChange::Open(open) => {
                    let in_vain = self.failures.entry(open.scope).or_default();
                    *in_vain = if claimed.probing { *in_vain + 1 } else { (*in_vain).max(1) };
                }
                BreakerChange::Close(scope) => self.resume(&scope),
            }
        }
        if copied {
            self.note_copies().await?;
        }
        if matches!(state, State::Sent | State::Dead) {
            self.ledger.ended(&self.store, claimed.message).await?;
        }
        Ok(next)
    }

    fn resume(&mut self, scope: &Scope) {
        for worker in self.workers.iter_mut().filter(|worker| worker.rhythm.pace.breaker.as_ref() == Some(scope)) {
            worker.rhythm.forget();
        }
        self.failures.remove(scope);
    }

    fn instead(&self, flight: &Flight, verdict: &Verdict, next: &Next) -> Option<Fallback> {
        let told = match verdict {
            Verdict::AcceptedInPart { .. } => true,
            Verdict::NotSent(failed) | Verdict::Unsure(failed) => {
                let others = matches!(failed.blame, Blame::Message { receivers: true, .. });
                *next == Next::Dead && (flight.claimed.part == 0 || others)
            }
            Verdict::Accepted(_) => false,
        };
        if !told || !self.fallback {
            return None;
        }
        let (name, receiver) = self.config.fallback(&flight.queued.receiver)?;
        let targets =
            receiver.targets.iter().map(|target| crate::store::TargetRow::new(target.lane(), target.json())).collect();
        Some(Fallback { receiver: name.to_owned(), note_json: "{}".to_owned(), targets })
    }

    fn breakers(&mut self, flight: &Flight, verdict: &Verdict, elsewhere: bool) -> Vec<BreakerChange> {
        let host = flight.scopes.host.as_ref().unwrap_or(&flight.scopes.sender);
        let silent = if verdict.failed().is_some_and(|failed| failed.blame == Blame::Silence) {
            let calls = self.silent.entry(host.clone()).or_default();
            *calls += 1;
            *calls
        } else {
            self.silent.remove(host);
            0
        };
        let probing = flight.claimed.probing;
        let failures = std::iter::once(&flight.scopes.sender)
            .chain(&flight.scopes.route)
            .filter_map(|scope| self.failures.get(scope).copied().filter(|_| probing))
            .max()
            .unwrap_or_default();
        breaker::changes(verdict, &flight.scopes, silent, failures, probing, elsewhere, self.now())
    }
}

pub fn verdict_on(answer: Answer) -> Verdict {
    use wecom::{Class, Fault, Missed, Receipt};
    match answer {
        Answer::Accepted => Verdict::Accepted(Receipt::default()),
        Answer::InPart => Verdict::AcceptedInPart {
            receipt: Receipt::default(),
            missed: Missed { users: vec!["m9".to_owned()], ..Missed::default() },
        },
        Answer::Code(code) => refused(code),
        Answer::Timeout { .. } => failed_with(Fault::Timeout, Class::Transient),
        Answer::Down => failed_with(Fault::Connect, Class::Transient),
    }
}
