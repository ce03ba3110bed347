//! The model's worker does what a worker of `deliver` does, one await at a time, with the same decisions and the same
//! store; only the renderer and the answers are the model's.

use bytes::Bytes;

use super::action::Answer;
use super::outcome::verdict_on;
use super::world::{World, said};
use super::{Check, LANES, Mutant};
use crate::alert::Timestamp;
use crate::config::Target;
use crate::deliver::audience::Reach;
use crate::deliver::breaker::Scopes;
use crate::deliver::choose::{self, Step};
use crate::deliver::letter::{Form, PLAIN};
use crate::deliver::{GLANCE_MS, Rhythm, way};
use crate::names::LaneKey;
use crate::store::{Claim, Claimed, Lease, Queued, State, StoreError, Taken, WaitingMessage};

/// The worker of one lane, and the state that outlives it.
#[derive(Debug, Default)]
pub struct Worker {
    pub rhythm: Rhythm,
    pub work: Option<Work>,
    pub flight: Option<Flight>,
    /// When the lane was last found to have work.
    pub until: Option<Timestamp>,
}

/// A worker's state.
#[derive(Debug, Default)]
pub struct Work {
    pub lease: Option<Lease>,
    pub behind: std::collections::HashSet<i64>,
    pub folded_in_vain: bool,
}

/// An attempt in flight.
#[derive(Debug)]
pub struct Flight {
    pub queued: Queued,
    pub chosen: WaitingMessage,
    pub claimed: Claimed,
    pub scopes: Scopes,
    /// The target has no other way.
    pub alone: bool,
    pub body: Bytes,
    pub plain: bool,
    pub tells: Vec<i64>,
    /// In real time.
    pub began: i64,
    pub settled: bool,
}

impl World {
    /// The worker of a lane continues. A lost claim releases the lease, as in `deliver`.
    pub async fn work(&mut self, lane: usize, answer: Answer) -> Check {
        if let Some(flight) = self.workers[lane].flight.take() {
            return self.answer(lane, flight, answer).await;
        }
        if self.workers[lane].work.is_none() && !self.begin(lane).await? {
            return Ok(());
        }
        match self.go_on(lane).await {
            Ok(true) => Ok(()),
            Ok(false) => {
                let lease = self.workers[lane].work.take().and_then(|work| work.lease);
                match lease {
                    Some(lease) => self.store.release(&lease).await.map_err(|error| said(&error)),
                    None => Ok(()),
                }
            }
            Err(Trouble::Store(StoreError::Lost { .. })) => {
                self.workers[lane].work = Some(Work::default());
                Ok(())
            }
            Err(Trouble::Store(error)) => Err(said(&error)),
            Err(Trouble::Law(broken)) => Err(broken),
        }
    }

    /// Starts a worker for the lane if it is due.
    async fn begin(&mut self, lane: usize) -> Result<bool, String> {
        let now = self.now();
        let heads = self.store.lanes(now).await.map_err(|error| said(&error))?;
        let worker = &mut self.workers[lane];
        worker.until = None;
        let Some(head) = heads.iter().find(|head| head.lane.as_str() == LANES[lane]) else { return Ok(false) };
        let due_at = worker.rhythm.due(head, now);
        if due_at > now {
            worker.until = Some(due_at);
            return Ok(false);
        }
        let mut work = Work::default();
        if head.sending {
            work.lease = self.store.acquire(&LaneKey::stored(LANES[lane])).await.map_err(|error| said(&error))?;
            self.dirty = true;
        }
        worker.work = Some(work);
        Ok(true)
    }

    async fn go_on(&mut self, lane: usize) -> Result<bool, Trouble> {
        let now = self.now();
        let waiting = self.store.waiting(&LaneKey::stored(LANES[lane]), now).await?;
        let worker = &mut self.workers[lane];
        let work = worker.work.as_mut().expect("the lane has a worker");
        match choose::next(&waiting, &worker.rhythm.pace, &work.behind, work.folded_in_vain, now) {
            Step::Nothing if waiting.messages.is_empty() => Ok(false),
            step @ (Step::Nothing | Step::Wait(_)) => {
                let glance = now.plus_millis(GLANCE_MS);
                let until = if let Step::Wait(until) = step { until } else { glance };
                worker.rhythm.quiet_until = until.min(glance);
                worker.until = Some(until);
                Ok(false)
            }
            Step::Fold { keep } => {
                let lease = self.hold(lane).await?;
                self.dirty = true;
                if self.store.fold(&lease, keep, now).await?.is_none() {
                    self.workers[lane].work.as_mut().expect("the lane has a worker").folded_in_vain = true;
                } else {
                    self.discover(1).await?;
                }
                Ok(true)
            }
            Step::Send(message) => {
                let chosen = waiting.messages.iter().find(|waiting| waiting.message == message);
                let chosen = chosen.ok_or_else(|| format!("{message} was chosen and does not wait"))?.clone();
                let unsure = waiting.messages.iter().find(|other| other.state == State::Unsure);
                let unsure = unsure.map(|other| other.message).filter(|_| self.mutant == Mutant::FoldClaimed);
                self.hold(lane).await?;
                self.attempt(lane, chosen, Form::AsMeant, unsure).await?;
                Ok(true)
            }
        }
    }

    async fn hold(&mut self, lane: usize) -> Result<Lease, Trouble> {
        let work = self.workers[lane].work.get_or_insert_default();
        if work.lease.is_none() {
            work.lease = self.store.acquire(&LaneKey::stored(LANES[lane])).await?;
        }
        Ok(work.lease.clone().ok_or("no other replica holds the lane")?)
    }

    /// Claims; then the bytes are in flight.
    pub async fn attempt(
        &mut self,
        lane: usize,
        chosen: WaitingMessage,
        form: Form,
        with: Option<i64>,
    ) -> Result<(), Trouble> {
        let Some(queued) = self.store.queued(chosen.message).await? else { return Ok(()) };
        let target: Target = serde_json::from_str(&queued.target_json).map_err(|error| error.to_string())?;
        let letter = self.write(&queued, &target, form, with).await?;
        let reach = self.reach(lane);
        let mut ways = way::ways(&self.config, &target, &reach)?;
        if self.mutant == Mutant::NoDebit {
            for way in &mut ways {
                way.charges.clear();
            }
        }
        let face = letter.freeze.as_ref().map(|freeze| &freeze.face);
        let plain = face.or(queued.frozen.as_ref().map(|frozen| &frozen.face)).is_some_and(|face| face == PLAIN);
        let lease = self.hold(lane).await?;
        let claim = Claim {
            lease,
            message: queued.message,
            epoch: queued.epoch,
            revision: queued.revision,
            freeze: letter.freeze,
            ways: ways.iter().map(way::Way::for_claim).collect(),
        };
        self.dirty = true;
        let taken = self.store.claim(claim, self.now()).await?;
        let worker = &mut self.workers[lane];
        let work = worker.work.get_or_insert_default();
        match taken {
            Taken::Claimed(claimed) => {
                let body = letter.bodies[claimed.part as usize].clone();
                self.ledger.sent.insert((claimed.message, claimed.version, claimed.part), body.clone());
                let scopes = ways[claimed.way].scopes.clone();
                let (alone, tells, began) = (ways.len() == 1, letter.tells, self.real);
                let settled = false;
                let mut flight = Flight { queued, chosen, claimed, scopes, alone, body, plain, tells, began, settled };
                if self.mutant == Mutant::SettleBeforeSend {
                    self.settle(&flight, &verdict_on(Answer::Accepted)).await?;
                    flight.settled = true;
                }
                self.workers[lane].flight = Some(flight);
            }
            Taken::Wait { until, breaker } => {
                let now = self.now();
                self.workers[lane].rhythm.pace.wait(chosen.urgent, until, breaker, now);
            }
            Taken::Behind if self.mutant == Mutant::IgnoreBehind => {
                work.behind.insert(chosen.message);
                let body = letter.bodies[0].clone();
                self.deliver(lane, queued.message, 0, &body, &letter.tells)?;
            }
            Taken::Behind => drop(work.behind.insert(chosen.message)),
        }
        Ok(())
    }

    fn reach(&self, lane: usize) -> Reach {
        let users = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        match lane {
            0 => Reach { users: users(&["m1"]), unseen: false },
            1 if self.directory => Reach { users: users(&["m1", "m2"]), unseen: false },
            1 => Reach { users: users(&[]), unseen: true },
            _ => Reach::default(),
        }
    }
}

/// Why a worker stops.
pub enum Trouble {
    Store(StoreError),
    Law(String),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<String> for Trouble {
    fn from(broken: String) -> Self {
        Self::Law(broken)
    }
}

impl From<&str> for Trouble {
    fn from(broken: &str) -> Self {
        Self::Law(broken.to_owned())
    }
}
