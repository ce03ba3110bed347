//! The worker of a lane as a state machine: events in, one command out. Pure: the driver in `deliver` and the model in
//! the tests carry out the commands, so both run these decisions.
//!
//! One command is outstanding at a time. A crash, a pause or a lost lease lies between a command and its event.

use std::collections::HashSet;
use std::time::Duration;

use bytes::Bytes;

use super::breaker::Scopes;
use super::choose::{self, Step};
use super::health::{GLANCE_MS, Health};
use super::letter::{Form, PLAIN, Prepared};
use super::retry::Next;
use super::settlement::{Decided, Instead, decide};
use super::verdict::{Blame, Verdict};
use super::way::{Sender, Way};
use super::{card, verbatim};
use crate::alert::Timestamp;
use crate::config::{Channel, Face, Target};
use crate::engine::picture::CROWDED;
use crate::names::LaneKey;
use crate::store::{
    Claim, Claimed, Folded, Lease, LeaveOut, Queued, Settlement, Spent, Taken, Waiting, WaitingMessage,
};

/// Simpler forms that are tried for a rejected message, at most: a card loses its buttons first, then everything but
/// its text.
const SIMPLER: u8 = 2;
/// An app without a callback cannot send cards with buttons (page 90248).
const NO_CALLBACK: i64 = 43012;
/// Pause before a message is tried again whose app, webhook or list of people is missing from the configuration.
const REPAIR_MS: i64 = 15_000;

/// The time of an event and a random number in [0, 1).
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Now.
    pub now: Timestamp,
    /// Spreads retries.
    pub dice: f64,
}

/// The answer to a command.
#[derive(Debug)]
pub enum Event {
    /// The lane is due. `abandoned`: a message of it is being sent by a worker that is gone.
    Started { abandoned: bool },
    /// To [`Command::Look`].
    Looked(Waiting),
    /// To [`Command::Lease`]; `None`: another replica holds the lane.
    Leased(Option<Lease>),
    /// To [`Command::Fold`].
    Folded(Option<Folded>),
    /// To [`Command::Write`].
    Written(Written),
    /// To [`Command::Postpone`].
    Postponed,
    /// To [`Command::LeaveOut`].
    LeftOut,
    /// To [`Command::Claim`].
    Claimed(Taken),
    /// To [`Command::Send`]. `instead`: the fallback of the message's receiver.
    Answered { verdict: Verdict, took: Duration, instead: Option<Instead> },
    /// To [`Command::Settle`].
    Settled,
    /// To [`Command::Pause`] and [`Command::Release`].
    Done,
    /// To any command: another process or task changed the message or the lane.
    Lost,
    /// To any command: the store failed, or the process stops.
    Stopped,
}

/// What became of [`Command::Write`].
#[derive(Debug)]
pub enum Written {
    /// The bytes and their ways.
    Letter(Box<Letter>),
    /// The configuration must be repaired first, for this reason.
    NeedsRepair { message: i64, epoch: i64, reason: String },
    /// The message does not wait any more, or another one goes first.
    Gone,
    /// It is a picture that cannot be had, for this reason.
    LeftOut { picture: i64, why: &'static str },
}

/// A message ready to be claimed.
#[derive(Debug)]
pub struct Letter {
    /// The message, without its source.
    pub queued: Queued,
    /// Its bytes and ways.
    pub prepared: Prepared,
}

/// What the driver does next.
#[derive(Debug)]
pub enum Command {
    /// Read what waits in the lane.
    Look,
    /// Lease the lane.
    Lease,
    /// Fold what was never claimed, except for `keep`.
    Fold { lease: Lease, keep: Option<i64> },
    /// Load a message and render it.
    Write { message: i64, form: Form },
    /// Record that a message waits for a repair.
    Postpone { message: i64, epoch: i64, until: Timestamp, reason: String },
    /// Leave out a picture that waits.
    LeaveOut(LeaveOut),
    /// Claim.
    Claim(Box<Claim>),
    /// Send the bytes of [`Worker::flight`].
    Send,
    /// Record the result; [`Worker::attempt`] has the details.
    Settle(Box<Settlement>),
    /// Wait a moment: another process holds the message or the lane.
    Pause,
    /// Give the lane back.
    Release(Lease),
    /// The worker is done. The lane has something to do again at this time; `None`: nothing waits, or it is unknown.
    End(Option<Timestamp>),
}

/// The worker of one lane.
#[derive(Debug)]
pub struct Worker {
    lane: LaneKey,
    lease: Option<Lease>,
    /// Messages that must wait for an older one of the lane; cleared when a message of the lane is gone.
    behind: HashSet<i64>,
    /// What waited at the last look.
    waited: Vec<i64>,
    folded_in_vain: bool,
    until: Option<Timestamp>,
    phase: Phase,
}

/// The command that is outstanding, with what its answer needs.
#[derive(Debug)]
enum Phase {
    Idle,
    Looking,
    /// Then this follows; `None`: look.
    Leasing(Option<Then>),
    Folding,
    Writing(Choice),
    Postponing,
    LeavingOut,
    Claiming(Choice, Box<Letter>),
    Sending(Choice, Box<Flight>),
    Settling(Choice, Box<Attempt>),
    Pausing,
    Releasing,
}

/// The step that needs the lease.
#[derive(Debug, Clone, Copy)]
enum Then {
    Fold { keep: Option<i64> },
    LeaveOut { picture: i64, why: &'static str },
    Send(Choice),
}

/// The message that was chosen.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts of one row")]
struct Choice {
    message: i64,
    critical: bool,
    digest: bool,
    urgent: bool,
    picture: bool,
    /// Simpler forms that may still be tried.
    simpler_left: u8,
}

/// An attempt in flight.
#[derive(Debug)]
pub struct Flight {
    /// The message.
    pub queued: Queued,
    /// The claim that allows it.
    pub claimed: Claimed,
    /// Its target.
    pub target: Target,
    /// All ways to it.
    pub ways: Vec<Way>,
    /// The card that the bytes update, and the code that they use.
    pub changes: Option<Spent>,
    /// The bytes want a picture to follow.
    pub pictured: bool,
    bodies: Vec<Bytes>,
    face: String,
}

/// An attempt that was answered.
#[derive(Debug)]
pub struct Attempt {
    /// What was sent.
    pub flight: Flight,
    /// The answer.
    pub verdict: Verdict,
    /// How long it took.
    pub took: Duration,
    /// What follows.
    pub decided: Decided,
}

impl Flight {
    /// The bytes of the part that is sent.
    pub fn body(&self) -> &Bytes {
        static NOTHING: Bytes = Bytes::new();
        self.bodies.get(self.claimed.part as usize).unwrap_or(&NOTHING)
    }

    /// The bytes of the parts before the one that is sent.
    pub fn earlier_bodies(&self) -> &[Bytes] {
        self.bodies.get(..self.claimed.part as usize).unwrap_or_default()
    }

    /// The way that was claimed: its sender.
    pub fn sender(&self) -> &Sender {
        &self.ways[self.claimed.way].sender
    }

    /// The way that was claimed: the scopes of its breakers.
    pub fn scopes(&self) -> &Scopes {
        &self.ways[self.claimed.way].scopes
    }

    /// How WeCom is called; `None`: the message goes elsewhere.
    pub fn channel(&self) -> Option<wecom::Channel> {
        if self.face == card::UPDATE { Some(wecom::Channel::CardUpdate) } else { self.target.channel().wecom() }
    }

    /// No simpler form is left: it is plain text already, or a file.
    pub(super) fn is_plain(&self) -> bool {
        self.face == PLAIN || self.face == verbatim::FILE
    }

    /// Does this answer show that the target takes no buttons?
    pub fn shows_no_buttons(&self, verdict: &Verdict) -> bool {
        let buttons = self.face == card::BUTTONS;
        let failed = verdict.failed();
        let no_callback = buttons && failed.and_then(|failed| failed.errcode) == Some(NO_CALLBACK);
        let carded = buttons || self.face == Face::Card.as_str();
        let no_cards = carded
            && self.target.channel() == Channel::Bot
            && failed.is_some_and(|failed| matches!(failed.blame, Blame::Message { worth_plain_text: true }));
        no_callback || no_cards
    }
}

impl Worker {
    /// A worker that waits for [`Event::Started`].
    pub fn new(lane: LaneKey) -> Self {
        let phase = Phase::Idle;
        let (behind, waited) = (HashSet::new(), Vec::new());
        Self { lane, lease: None, behind, waited, folded_in_vain: false, until: None, phase }
    }

    /// The attempt that [`Command::Send`] is about.
    pub const fn flight(&self) -> Option<&Flight> {
        match &self.phase {
            Phase::Sending(_, flight) => Some(flight),
            _ => None,
        }
    }

    /// The message of the command that is being carried out, once it is written.
    pub const fn queued(&self) -> Option<&Queued> {
        match &self.phase {
            Phase::Claiming(_, letter) => Some(&letter.queued),
            Phase::Sending(_, flight) => Some(&flight.queued),
            Phase::Settling(_, attempt) => Some(&attempt.flight.queued),
            _ => None,
        }
    }

    /// The attempt that [`Command::Settle`] is about.
    pub const fn attempt(&self) -> Option<&Attempt> {
        match &self.phase {
            Phase::Settling(_, attempt) => Some(attempt),
            _ => None,
        }
    }

    /// Takes the answer to the last command.
    ///
    /// # Panics
    /// If the event does not answer the outstanding command, which is a bug of the driver.
    pub fn on(&mut self, health: &mut Health, event: Event, at: Moment) -> Command {
        match (std::mem::replace(&mut self.phase, Phase::Idle), event) {
            (Phase::Releasing, _) => Command::End(self.until),
            // Without the lane there is nothing to do here: another replica has it.
            (_, Event::Stopped) | (Phase::Leasing(_), Event::Leased(None)) => self.end(),
            // The store decides: the lane is leased anew before the next write.
            (_, Event::Lost) => {
                self.lease = None;
                self.phase = Phase::Pausing;
                Command::Pause
            }
            (Phase::Idle, Event::Started { abandoned: true }) => self.lease(None),
            (Phase::Idle, Event::Started { abandoned: false })
            | (Phase::Pausing, Event::Done)
            | (Phase::Writing(_), Event::Written(Written::Gone))
            | (Phase::Postponing, Event::Postponed)
            | (Phase::LeavingOut, Event::LeftOut) => self.look(),
            (Phase::Looking, Event::Looked(waiting)) => self.choose(health, &waiting, at.now),
            (Phase::Leasing(then), Event::Leased(Some(lease))) => {
                self.lease = Some(lease);
                match then {
                    Some(then) => self.go(then),
                    None => self.look(),
                }
            }
            (Phase::Folding, Event::Folded(folded)) => {
                self.folded_in_vain |= folded.is_none();
                self.look()
            }
            (Phase::Writing(_), Event::Written(Written::NeedsRepair { message, epoch, reason })) => {
                self.phase = Phase::Postponing;
                Command::Postpone { message, epoch, until: at.now.plus_millis(REPAIR_MS), reason }
            }
            (Phase::Writing(_), Event::Written(Written::LeftOut { picture, why })) => self.leave_out(picture, why),
            (Phase::Writing(choice), Event::Written(Written::Letter(letter))) => self.claim(choice, letter),
            (Phase::Claiming(choice, letter), Event::Claimed(taken)) => self.taken(health, choice, *letter, taken, at),
            (Phase::Sending(choice, flight), Event::Answered { verdict, took, instead }) => {
                let decided = decide(&flight, &verdict, took, instead, health, at);
                let settlement = Box::new(decided.settlement.clone());
                self.phase = Phase::Settling(choice, Box::new(Attempt { flight: *flight, verdict, took, decided }));
                Command::Settle(settlement)
            }
            (Phase::Settling(choice, attempt), Event::Settled) => self.settled(health, choice, &attempt, at.now),
            // Without its content: bodies hold signed links, which belong into no log.
            _ => panic!("the driver answered a command that is not outstanding"),
        }
    }

    fn look(&mut self) -> Command {
        self.phase = Phase::Looking;
        Command::Look
    }

    fn lease(&mut self, then: Option<Then>) -> Command {
        self.phase = Phase::Leasing(then);
        Command::Lease
    }

    fn end(&mut self) -> Command {
        match self.lease.take() {
            Some(lease) => {
                self.phase = Phase::Releasing;
                Command::Release(lease)
            }
            None => Command::End(self.until),
        }
    }

    fn choose(&mut self, health: &mut Health, waiting: &Waiting, now: Timestamp) -> Command {
        let pace = health.rhythm(&self.lane).pace;
        let waits: Vec<i64> = waiting.messages.iter().map(|waiting| waiting.message).collect();
        // The older message may have been folded. If it only lost an alert to another one, that is noticed after the next send.
        if self.waited.iter().any(|message| !waits.contains(message)) {
            self.behind.clear();
        }
        self.waited = waits;
        let step = choose::next(waiting, &pace, &self.behind, self.folded_in_vain, now);
        let then = match step {
            Step::Nothing if waiting.messages.is_empty() => return self.end(),
            Step::Nothing | Step::Wait(_) => {
                let glance = now.plus_millis(GLANCE_MS);
                let until = if let Step::Wait(until) = step { until } else { glance };
                health.rest(&self.lane, until.min(glance));
                self.until = Some(until);
                return self.end();
            }
            Step::Fold { keep } => Then::Fold { keep },
            Step::LeaveOut { picture, why } => Then::LeaveOut { picture, why },
            Step::Send(message) => {
                let chosen = waiting.messages.iter().find(|waiting| waiting.message == message);
                let chosen = chosen.expect("what is chosen is among what waits");
                let &WaitingMessage { critical, digest, urgent, picture, .. } = chosen;
                Then::Send(Choice { message, critical, digest, urgent, picture, simpler_left: SIMPLER })
            }
        };
        if self.lease.is_none() { self.lease(Some(then)) } else { self.go(then) }
    }

    /// Does a step; the lane is leased.
    fn go(&mut self, then: Then) -> Command {
        match then {
            Then::Fold { keep } => {
                self.phase = Phase::Folding;
                Command::Fold { lease: self.held(), keep }
            }
            Then::LeaveOut { picture, why } => self.leave_out(picture, why),
            Then::Send(choice) => self.write(choice, Form::AsMeant),
        }
    }

    fn leave_out(&mut self, picture: i64, why: &'static str) -> Command {
        self.phase = Phase::LeavingOut;
        Command::LeaveOut(LeaveOut { lease: self.held(), picture, why })
    }

    fn write(&mut self, choice: Choice, form: Form) -> Command {
        self.phase = Phase::Writing(choice);
        Command::Write { message: choice.message, form }
    }

    fn held(&self) -> Lease {
        self.lease.clone().expect("the lane is leased before it is written to")
    }

    fn claim(&mut self, choice: Choice, letter: Box<Letter>) -> Command {
        let Letter { queued, prepared } = &*letter;
        let claim = Claim {
            lease: self.held(),
            message: queued.message,
            epoch: queued.epoch,
            revision: queued.revision,
            freeze: prepared.freeze.clone(),
            ways: prepared.ways.iter().map(Way::for_claim).collect(),
        };
        self.phase = Phase::Claiming(choice, letter);
        Command::Claim(Box::new(claim))
    }

    fn taken(&mut self, health: &mut Health, choice: Choice, letter: Letter, taken: Taken, at: Moment) -> Command {
        match taken {
            Taken::Claimed(claimed) => {
                let Letter { queued, prepared: Prepared { target, ways, freeze, bodies, changes } } = letter;
                let frozen = queued.frozen.as_ref().map(|frozen| &frozen.face);
                let face = freeze.as_ref().map(|freeze| &freeze.face).or(frozen).cloned().unwrap_or_default();
                let frozen = queued.frozen.as_ref().is_some_and(|frozen| frozen.pictured);
                let pictured = freeze.as_ref().map_or(frozen, |freeze| freeze.pictured);
                let flight = Flight { queued, claimed, target, ways, changes, pictured, bodies, face };
                self.phase = Phase::Sending(choice, Box::new(flight));
                Command::Send
            }
            // Others of the lane have room before the picture has.
            Taken::Wait { breaker: None, .. } if choice.picture => self.leave_out(choice.message, CROWDED),
            Taken::Wait { until, breaker } => {
                health.pace(&self.lane).wait(choice.urgent, until, breaker, at.now);
                self.look()
            }
            Taken::Behind => {
                self.behind.insert(choice.message);
                self.look()
            }
        }
    }

    fn settled(&mut self, health: &mut Health, choice: Choice, attempt: &Attempt, now: Timestamp) -> Command {
        let Decided { settlement, next, .. } = &attempt.decided;
        health.learn(&settlement.breakers, settlement.claimed.probing);
        // At once: after a crash in between, the rejected bytes are tried and rejected again.
        if *next == Next::Plainer && choice.simpler_left > 0 {
            let choice = Choice { simpler_left: choice.simpler_left - 1, ..choice };
            return self.write(choice, Form::Simpler);
        }
        self.behind.clear();
        self.folded_in_vain = false;
        if choice.critical && !choice.digest {
            health.pace(&self.lane).critical_at = Some(now);
        }
        self.look()
    }
}
