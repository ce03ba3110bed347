//! Carries out the commands of the real worker, one at a time, against the model's store and its simulated recipients.
//! A crash, a pause or a lost lease can lie between any two commands; only the renderer and the answers are the model's.

use std::time::Duration;

use bytes::Bytes;

use super::action::Answer;
use super::letter::CardBody;
use super::phone::Arrival;
use super::world::{World, said};
use super::{Check, LANES, Mutant};
use crate::alert::Timestamp;
use crate::config::Target;
use crate::deliver::audience::Reach;
use crate::deliver::card;
use crate::deliver::letter::{Form, Prepared};
use crate::deliver::verdict::Verdict;
use crate::deliver::verdict::tests::{failed_with, refused};
use crate::deliver::way;
use crate::deliver::worker::{Command, Event, Letter, Moment, Worker, Written};
use crate::engine::picture::OLD_MS;
use crate::names::LaneKey;
use crate::store::{Claimed, Lease, State, StoreError, Taken, TargetRow};

/// A code that was used, or is too old.
const CODE_USED: i64 = 60140;
/// Runs until the next attempt is in flight, or the worker has looked at its lane again.
pub const WHOLE_STEP: u8 = u8::MAX;

/// A lane of the model.
#[derive(Debug, Default)]
pub struct Lane {
    /// The real worker and its outstanding command.
    pub work: Option<(Worker, Command)>,
    /// When the attempt in flight began, in real time.
    pub began: Option<i64>,
    /// When the lane was last found to have work.
    pub until: Option<Timestamp>,
    /// The bytes that were last rendered, and the transitions that they tell.
    bodies: Vec<Bytes>,
    tells: Vec<i64>,
    /// An unsure message that waits in the lane.
    unsure: Option<i64>,
    /// At the last look: the messages that are not critical, and the critical ones that could have been claimed.
    normal: Vec<i64>,
    critical: Vec<i64>,
    /// At the last look: all that are no pictures, and when it was.
    told: Vec<i64>,
    looked_at: Timestamp,
    /// Messages that had to wait for older news when they were last tried, since something was sent.
    refused: Vec<i64>,
    /// The lease that a mistaken worker keeps.
    kept: Option<Lease>,
    /// A message that a mistaken worker settled before it sent it.
    late: Option<(Claimed, Bytes)>,
}

impl Lane {
    /// Is a request in flight?
    pub const fn is_sending(&self) -> bool {
        matches!(self.work, Some((_, Command::Send))) || self.late.is_some()
    }

    /// Has its worker nothing to do, or does it pause because it lost the lane?
    pub const fn is_idle(&self) -> bool {
        self.late.is_none() && matches!(self.work, None | Some((_, Command::Pause)))
    }

    fn claimed(&self) -> Option<(Claimed, Bytes)> {
        let (worker, _) = self.work.as_ref()?;
        worker.flight().map(|flight| (flight.claimed, flight.body().clone()))
    }
}

impl World {
    /// The worker of a lane continues, by `cut` commands at most.
    pub async fn work(&mut self, lane: usize, answer: Answer, cut: u8) -> Check {
        if let Some((claimed, body)) = self.lanes[lane].late.take() {
            self.lanes[lane].began = None;
            return if arrives(answer) { self.deliver(lane, claimed.message, claimed.part, &body) } else { Ok(()) };
        }
        if self.lanes[lane].work.is_none() && !self.begin(lane).await? {
            return Ok(());
        }
        for done in 0..cut {
            let Some((mut worker, command)) = self.lanes[lane].work.take() else { return Ok(()) };
            if let Command::End(until) = command {
                self.lanes[lane].until = until;
                return Ok(());
            }
            // A step ends where the next one would begin, and where a request is in flight.
            if done > 0 && matches!(command, Command::Look | Command::Send | Command::Pause) {
                self.lanes[lane].work = Some((worker, command));
                return Ok(());
            }
            let event = self.carry_out(lane, &worker, command, answer).await?;
            let at = self.moment(&worker);
            let command = worker.on(&mut self.health, event, at);
            if matches!(command, Command::Send) {
                self.lanes[lane].began = Some(self.real);
            }
            self.lanes[lane].work = Some((worker, command));
            if self.mutant == Mutant::SettleBeforeSend && self.lanes[lane].is_sending() {
                self.settle_before_sending(lane).await?;
            }
        }
        Ok(())
    }

    /// Starts a worker for the lane if it is due.
    async fn begin(&mut self, lane: usize) -> Result<bool, String> {
        let now = self.now();
        let heads = self.store.lanes(now).await.map_err(|error| said(&error))?;
        self.lanes[lane].until = None;
        let key = LaneKey::stored(LANES[lane]);
        let Some(head) = heads.iter().find(|head| head.lane == key) else { return Ok(false) };
        let due_at = self.health.rhythm(&key).due(head, now);
        if due_at > now {
            self.lanes[lane].until = Some(due_at);
            return Ok(false);
        }
        let mut worker = Worker::new(key);
        let started = Event::Started { abandoned: head.sending };
        let command = worker.on(&mut self.health, started, Moment { now, dice: 0.0 });
        self.lanes[lane].work = Some((worker, command));
        Ok(true)
    }

    /// Retries are spread by the number of claims.
    fn moment(&self, worker: &Worker) -> Moment {
        let claims = worker.flight().map_or(0, |flight| flight.claimed.epoch % 10);
        Moment { now: self.now(), dice: f64::from(u32::try_from(claims).unwrap_or_default()) / 10.0 }
    }

    async fn carry_out(
        &mut self,
        lane: usize,
        worker: &Worker,
        command: Command,
        answer: Answer,
    ) -> Result<Event, String> {
        match self.event(lane, worker, command, answer).await {
            Ok(event) => Ok(event),
            Err(Trouble::Store(StoreError::Lost { .. })) => Ok(Event::Lost),
            Err(Trouble::Store(error)) => Err(said(&error)),
            Err(Trouble::Law(broken)) => Err(broken),
        }
    }

    async fn event(
        &mut self,
        lane: usize,
        worker: &Worker,
        command: Command,
        answer: Answer,
    ) -> Result<Event, Trouble> {
        let (now, key) = (self.now(), LaneKey::stored(LANES[lane]));
        self.dirty |= !matches!(command, Command::Look | Command::Write { .. } | Command::Send | Command::Pause);
        Ok(match command {
            Command::Look => {
                let waiting = self.store.waiting(&key, now).await?;
                let unsure = waiting.messages.iter().find(|other| other.state == State::Unsure);
                self.lanes[lane].unsure = unsure.map(|other| other.message);
                let pictures =
                    |message: &i64| self.ledger.messages.get(message).is_some_and(|of| of.picture_of.is_some());
                let all = waiting.messages.iter().map(|other| other.message);
                let told = all.filter(|message| !pictures(message)).collect();
                (self.lanes[lane].told, self.lanes[lane].looked_at) = (told, now);
                let normal = waiting.messages.iter().filter(|other| !other.critical);
                self.lanes[lane].normal = normal.map(|other| other.message).collect();
                let mut critical = self.store.critical_ready(&key, now);
                critical.retain(|message| !self.lanes[lane].refused.contains(message));
                self.lanes[lane].critical = critical;
                Event::Looked(waiting)
            }
            Command::Lease => {
                let kept = self.lanes[lane].kept.take().filter(|_| self.mutant == Mutant::LostKeepsLease);
                let lease = if kept.is_some() { kept } else { self.store.acquire(&key).await? };
                self.lanes[lane].kept.clone_from(&lease);
                Event::Leased(lease)
            }
            Command::Fold { lease, keep } => {
                let folded = self.store.fold(&lease, keep, now).await?;
                if folded.is_some() {
                    self.discover(1).await?;
                }
                Event::Folded(folded)
            }
            Command::Write { message, form } => Event::Written(self.letter(lane, message, form).await?),
            Command::Postpone { .. } => return Err("the configuration of the model needs no repair".into()),
            Command::LeaveOut(request) => {
                let picture = request.picture;
                self.store.leave_out(request, now).await?;
                self.ledger.ended(&self.store, picture).await?;
                Event::LeftOut
            }
            Command::Claim(claim) => {
                let message = claim.message;
                self.may_be_claimed(lane, message).await?;
                let taken = self.store.claim(*claim, now).await?;
                match &taken {
                    Taken::Claimed(claimed) => {
                        let overlooked = &self.lanes[lane].critical;
                        if self.lanes[lane].normal.contains(&message) && !overlooked.is_empty() {
                            return Err(format!("W1: {message} goes before the critical {overlooked:?}").into());
                        }
                        let body = self.lanes[lane].bodies[claimed.part as usize].clone();
                        self.ledger.sent.insert((claimed.message, claimed.version, claimed.part), body);
                    }
                    Taken::Behind if self.mutant != Mutant::IgnoreBehind => self.lanes[lane].refused.push(message),
                    Taken::Behind => {
                        let body = self.lanes[lane].bodies[0].clone();
                        self.deliver(lane, message, 0, &body)?;
                    }
                    Taken::Wait { .. } => {}
                }
                Event::Claimed(taken)
            }
            Command::Send => self.answer(lane, worker, answer)?,
            Command::Settle(settlement) => {
                let (message, copied) = (settlement.claimed.message, settlement.fallback.is_some());
                let spent = settlement.spends.clone().filter(|_| settlement.next.spends());
                let state = self.store.settle(*settlement, now).await?;
                self.spent.extend(spent.map(|spent| (spent.code, message)));
                self.lanes[lane].refused.clear();
                // A copy, and the picture that follows.
                self.note_copies(usize::from(copied) + usize::from(state == State::Sent)).await?;
                if !state.is_live() {
                    self.ledger.ended(&self.store, message).await?;
                }
                Event::Settled
            }
            Command::Release(lease) => {
                self.store.release(&lease).await?;
                self.lanes[lane].kept = None;
                Event::Done
            }
            Command::Pause | Command::End(_) => Event::Done,
        })
    }

    async fn letter(&mut self, lane: usize, message: i64, form: Form) -> Result<Written, Trouble> {
        let Some(queued) = self.store.queued(message).await? else { return Ok(Written::Gone) };
        let target: Target = serde_json::from_str(&queued.target_json).map_err(|error| error.to_string())?;
        if queued.picture_of.is_some() && queued.frozen.is_none() && message % 7 == 0 {
            return Ok(Written::LeftOut { picture: message, why: "empty" });
        }
        let with = self.lanes[lane].unsure.filter(|_| self.mutant == Mutant::FoldClaimed);
        let letter = self.write(&queued, &target, form, with).await?;
        let mut ways = way::ways(&self.config, &target, &self.reach(lane))?;
        if self.mutant == Mutant::NoDebit {
            for way in &mut ways {
                way.charges.clear();
            }
        }
        (self.lanes[lane].bodies, self.lanes[lane].tells) = (letter.bodies.clone(), letter.tells);
        let changes = letter.bodies.first().and_then(|body| card::spent(CardBody::read(body)?.card, body));
        let prepared = Prepared { target, ways, freeze: letter.freeze, bodies: letter.bodies, changes };
        Ok(Written::Letter(Box::new(Letter { queued, prepared })))
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

    /// By the last look, a picture is claimed where nothing else waits, and only while it is news (P1).
    async fn may_be_claimed(&self, lane: usize, message: i64) -> Result<(), Trouble> {
        if self.ledger.messages.get(&message).is_none_or(|known| known.picture_of.is_none()) {
            return Ok(());
        }
        let told = &self.lanes[lane].told;
        let created_at = self.store.queued(message).await?.map_or(Timestamp(0), |queued| queued.created_at);
        let age = self.lanes[lane].looked_at.millis_since(created_at);
        if !told.is_empty() || age > OLD_MS {
            return Err(format!("P1: picture {message} of {age} ms is claimed while {told:?} waits").into());
        }
        Ok(())
    }

    /// WeCom accepts the request.
    fn deliver(&mut self, lane: usize, message: i64, part: u32, body: &Bytes) -> Check {
        let lines = self.ledger.lines(&self.lanes[lane].tells)?;
        if let Some(card) = CardBody::read(body) {
            if card.response_code.as_ref().is_some_and(|code| !self.phone.takes(code, self.real)) {
                return Ok(());
            }
            self.phone.show(&card, &lines);
        }
        let known = self.ledger.messages.get(&message).cloned().unwrap_or_default();
        if let Some(of) = known.picture_of {
            if part == 0 && self.phone.has(message) {
                return Err(format!("P2: picture {message} of {of} comes again"));
            }
            // Of what was pruned nothing is known.
            if self.ledger.messages.contains_key(&of) && !self.phone.has(of) {
                return Err(format!("P2: picture {message} comes before message {of}"));
            }
        }
        let unsure = known.unsure;
        self.phone.take(&Arrival { lane, message, part, body, lines: &lines, unsure }, self.real)
    }

    /// The attempt in flight ends.
    fn answer(&mut self, lane: usize, worker: &Worker, answer: Answer) -> Result<Event, Trouble> {
        let flight = worker.flight().ok_or("nothing is in flight")?;
        let (Claimed { message, part, .. }, body) = (flight.claimed, flight.body());
        self.lanes[lane].began = None;
        let card = CardBody::read(body);
        let code = card.as_ref().and_then(|card| card.response_code.as_ref());
        let refused = code.is_some_and(|code| !self.phone.takes(code, self.real));
        let answer = match answer {
            Answer::Accepted | Answer::InPart if refused => Answer::Code(CODE_USED),
            other => other,
        };
        if arrives(answer) {
            self.deliver(lane, message, part, body)?;
        }
        if self.mutant == Mutant::SendTwice && answer == Answer::Accepted && message % 5 == 0 {
            self.deliver(lane, message, part, body)?;
        }
        let mut verdict = verdict_on(answer);
        if let (Verdict::Accepted(receipt) | Verdict::AcceptedInPart { receipt, .. }, Some(card), None) =
            (&mut verdict, &card, code)
        {
            receipt.response_code = Some(self.phone.code(card.card, self.real));
        }
        if matches!(verdict, Verdict::Unsure(_)) {
            self.ledger.messages.entry(message).or_default().unsure += 1;
        }
        let receiver = self.config.fallback(&flight.queued.receiver).filter(|_| self.fallback);
        let instead = receiver.map(|(name, receiver)| {
            let targets = receiver.targets.iter().map(|target| TargetRow::new(target.lane(), target.json()));
            (name.to_owned(), targets.collect())
        });
        Ok(Event::Answered { verdict, took: Duration::ZERO, instead })
    }

    /// A mistake: the result is recorded first, then the request goes out.
    async fn settle_before_sending(&mut self, lane: usize) -> Check {
        let Some((mut worker, _)) = self.lanes[lane].work.take() else { return Ok(()) };
        let late = worker.flight().map(|flight| (flight.claimed, flight.body().clone()));
        let answered = Event::Answered { verdict: verdict_on(Answer::Accepted), took: Duration::ZERO, instead: None };
        let at = Moment { now: self.now(), dice: 0.0 };
        let command = worker.on(&mut self.health, answered, at);
        let event = self.carry_out(lane, &worker, command, Answer::Accepted).await?;
        let command = worker.on(&mut self.health, event, at);
        (self.lanes[lane].work, self.lanes[lane].late) = (Some((worker, command)), late);
        Ok(())
    }

    /// The worker of a lane is gone; whether the request in flight arrived is unknown to the gateway.
    pub fn crash(&mut self, lane: usize, arrived: bool) -> Check {
        self.lose(lane, arrived)?;
        (self.lanes[lane].work, self.lanes[lane].kept) = (None, None);
        Ok(())
    }

    /// The result of the attempt in flight, or of the one that is being recorded, stays unknown.
    fn lose(&mut self, lane: usize, arrived: bool) -> Check {
        let late = self.lanes[lane].late.take();
        self.lanes[lane].began = None;
        if let Some((Claimed { message, part, .. }, body)) = late.or_else(|| self.lanes[lane].claimed()) {
            if arrived {
                self.deliver(lane, message, part, &body)?;
            }
            self.ledger.messages.entry(message).or_default().unsure += 1;
        }
        if let Some((_, Command::Settle(settlement))) = &self.lanes[lane].work {
            self.ledger.messages.entry(settlement.claimed.message).or_default().unsure += 1;
        }
        Ok(())
    }

    /// The worker of a lane was paused until its lease had ended. Its request arrived, or not; another replica held the
    /// lane meanwhile, and now the worker continues. One that was sending writes nothing.
    pub async fn lose_lane(&mut self, lane: usize, arrived: bool) -> Check {
        let sending = self.lanes[lane].claimed().is_some();
        self.lose(lane, arrived)?;
        self.dirty = true;
        self.store.acquire(&LaneKey::stored(LANES[lane])).await.map_err(|error| said(&error))?;
        let Some((mut worker, _)) = self.lanes[lane].work.take_if(|_| sending) else { return Ok(()) };
        let answered = Event::Answered { verdict: verdict_on(Answer::Accepted), took: Duration::ZERO, instead: None };
        let at = self.moment(&worker);
        let command = worker.on(&mut self.health, answered, at);
        let Command::Settle(settlement) = command else { return Err(format!("L2: {command:?} follows an answer")) };
        let claimed = settlement.claimed;
        match self.store.settle(*settlement, self.now()).await {
            Err(StoreError::Lost { .. }) => {}
            Err(error) => return Err(said(&error)),
            Ok(_) => return Err(format!("L2: a worker settled {claimed:?} without its lane")),
        }
        let command = worker.on(&mut self.health, Event::Lost, at);
        self.lanes[lane].work = Some((worker, command));
        Ok(())
    }
}

const fn arrives(answer: Answer) -> bool {
    matches!(answer, Answer::Accepted | Answer::InPart | Answer::Timeout { arrived: true })
}

fn verdict_on(answer: Answer) -> Verdict {
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

/// Why a command fails.
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
