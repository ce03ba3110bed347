//! The world of the model: two replicas with the real machines, a database that leases, and WeCom.

use std::time::{Duration, Instant};

use super::{Action, Mutant};
use crate::bots::seat::{ASK, CLOSE_WITHIN, Command, EVICTED, Event, HELD, Lease, RENEW, STOP_AFTER, Seat};
use crate::sequences::Check;

/// Time to connect.
const CONNECT_MS: u64 = 50;
/// Time until an eviction is heard of.
const HEARD_MS: u64 = 20;

/// A process.
#[expect(clippy::struct_excessive_bools, reason = "independent facts of one process")]
struct Replica {
    holder: u64,
    seat: Seat,
    command: Command,
    /// When the command is answered, and how.
    due: (u64, Event),
    /// The socket is connected.
    open: bool,
    /// The socket will have ended then, because it was evicted.
    evicted_at: Option<u64>,
    /// By a program that may have its place: no replica, or one that was paused before it connected.
    by_another: bool,
    paused: bool,
    /// It was paused, or the clock was set, since its lease was last renewed.
    excused: bool,
    /// None of that since it last asked for the lease.
    fresh: bool,
    stops: bool,
    store: (u64, bool),
}

/// The whole state. Times are in milliseconds.
pub struct World {
    began: Instant,
    now: u64,
    mutant: Mutant,
    replicas: [Replica; 2],
    holders: u64,
    /// The lease: whose, and until when by the database's clock.
    lease: Option<(u64, i64)>,
    skew: i64,
    deaf: bool,
    close_ms: u64,
    /// Since when both sockets live.
    both_since: Option<u64>,
}

impl Replica {
    /// A process that begins at `due`, with this store.
    fn starting(holder: u64, due: u64, store: (u64, bool)) -> Self {
        Self {
            holder,
            seat: Seat::new(),
            command: Command::End,
            due: (due, Event::Started),
            open: false,
            evicted_at: None,
            by_another: false,
            paused: false,
            excused: false,
            fresh: false,
            stops: false,
            store,
        }
    }
}

impl World {
    pub fn new(mutant: Mutant) -> Self {
        let began = Instant::now();
        let replica = |holder: u64| Replica::starting(holder, holder * 300, (5, false));
        let replicas = [replica(0), replica(1)];
        Self {
            began,
            now: 0,
            mutant,
            replicas,
            holders: 2,
            lease: None,
            skew: 0,
            deaf: false,
            close_ms: 100,
            both_since: None,
        }
    }

    fn instant(&self) -> Instant {
        self.began + Duration::from_millis(self.now)
    }

    fn database(&self) -> i64 {
        i64::try_from(self.now).expect("a short time") + self.skew
    }

    pub fn step(&mut self, action: Action) -> Check {
        match action {
            Action::Pass(millis) => return self.pass(self.now + u64::from(millis)),
            Action::Pause { replica, on } => {
                let of = &mut self.replicas[replica];
                (of.excused, of.fresh) = (of.excused || on, of.fresh && !on);
                of.paused = on;
            }
            Action::Kill { replica } => self.start(replica),
            Action::Stop { replica } => {
                self.replicas[replica].stops = true;
                // Waits end at once; an open socket closes.
                self.hurry(replica);
            }
            Action::Store { replica, takes_ms, fails } => {
                self.replicas[replica].store = (u64::from(takes_ms) + 1, fails);
            }
            Action::Clock(millis) => {
                self.skew += i64::from(millis);
                for replica in &mut self.replicas {
                    (replica.excused, replica.fresh) = (true, false);
                }
            }
            Action::Foreign => self.evict(None),
            Action::Deaf(deaf) => self.deaf = deaf,
            Action::Close { takes_ms } => self.close_ms = u64::from(takes_ms),
        }
        self.overlap()
    }

    /// A new process in place of this one, whose socket is cut.
    fn start(&mut self, replica: usize) {
        let of = &mut self.replicas[replica];
        let (holder, store) = (self.holders, of.store);
        self.holders += 1;
        *of = Replica::starting(holder, self.now + 500, store);
    }

    /// Time passes: what is due happens, the earliest first.
    fn pass(&mut self, until: u64) -> Check {
        loop {
            let next =
                (0..2).filter(|replica| !self.replicas[*replica].paused).map(|replica| (self.due(replica), replica));
            let Some((at, replica)) = next.min().filter(|(at, _)| *at <= until) else { break };
            self.now = self.now.max(at);
            self.answer(replica)?;
            self.overlap()?;
        }
        self.now = until;
        self.overlap()
    }

    fn due(&self, replica: usize) -> u64 {
        let of = &self.replicas[replica];
        of.due.0.min(of.evicted_at.filter(|_| of.seat.is_open()).unwrap_or(u64::MAX))
    }

    /// The outstanding command of a replica is answered, or its socket ends.
    fn answer(&mut self, replica: usize) -> Check {
        let now = self.now;
        let of = &mut self.replicas[replica];
        let evicted = of.seat.is_open() && of.evicted_at.is_some_and(|at| at <= now.min(of.due.0));
        let mut event = if evicted { Event::Ended { evicted: true } } else { of.due.1 };
        if let Event::Ended { .. } = event {
            (of.open, of.evicted_at) = (false, None);
        }
        if event == Event::Opened {
            (of.open, of.evicted_at, of.by_another) = (true, None, false);
        }
        of.excused &= !(of.fresh && event == Event::Held(Lease::Mine));
        if self.mutant == Mutant::SeatKept && of.seat.is_open() && event == Event::Held(Lease::Theirs) {
            event = Event::Held(Lease::Mine);
        }
        if event == Event::Opened {
            self.evict(Some(replica));
        }
        let at = self.instant();
        let of = &mut self.replicas[replica];
        let command = of.seat.on(event, at);
        of.command = command;
        self.carry_out(replica, command)
    }

    /// Begins a command: when it is answered, and how.
    fn carry_out(&mut self, replica: usize, command: Command) -> Check {
        let (now, close_ms) = (self.now, self.close_ms);
        let (takes, fails) = self.replicas[replica].store;
        let millis = |time: Duration| u64::try_from(time.as_millis()).expect("a short time");
        let due = match command {
            Command::Hold { within } => {
                let within = within.map_or(u64::MAX, millis);
                self.replicas[replica].fresh = true;
                let lease = if fails { Lease::Unknown } else { self.hold(replica) };
                if takes > within {
                    (now + within, Event::Held(Lease::Unknown))
                } else {
                    (now + takes, Event::Held(lease))
                }
            }
            Command::Open => (now + CONNECT_MS, Event::Opened),
            Command::Wait(time) | Command::Linger(time) => (now + millis(time), Event::Woken),
            Command::Close => {
                if self.mutant == Mutant::LeavesFirst {
                    self.leave(replica);
                }
                (now + close_ms.min(millis(CLOSE_WITHIN)), Event::Ended { evicted: false })
            }
            Command::Leave => {
                if !fails {
                    self.leave(replica);
                }
                (now + takes, Event::Done)
            }
            Command::Drain => (now + 1, Event::Done),
            Command::Report => {
                if !self.replicas[replica].by_another {
                    return Err("rest: a replica rests, and no other program took its place".to_owned());
                }
                (now + takes, Event::Done)
            }
            Command::End => {
                self.start(replica);
                return Ok(());
            }
        };
        self.replicas[replica].due = due;
        if self.replicas[replica].stops {
            self.hurry(replica);
        }
        Ok(())
    }

    /// A replica that stops: its waits end, and so does its socket.
    fn hurry(&mut self, replica: usize) {
        let (now, close_ms) = (self.now, self.close_ms);
        let of = &mut self.replicas[replica];
        match of.command {
            Command::Wait(_) if of.seat.is_open() => of.due = (now + close_ms, Event::Ended { evicted: false }),
            Command::Wait(_) => of.due = (now, Event::Stopped),
            _ => {}
        }
    }

    /// The database's answer, which is given at once.
    fn hold(&mut self, replica: usize) -> Lease {
        let (holder, now) = (self.replicas[replica].holder, self.database());
        match self.lease {
            Some((other, until)) if other != holder && until >= now => Lease::Theirs,
            _ => {
                self.lease = Some((holder, now + i64::try_from(HELD.as_millis()).expect("a short time")));
                Lease::Mine
            }
        }
    }

    fn leave(&mut self, replica: usize) {
        let holder = self.replicas[replica].holder;
        self.lease = self.lease.filter(|(other, _)| *other != holder);
    }

    /// A new connection takes the place of all others.
    fn evict(&mut self, by: Option<usize>) {
        // One that connects after it was paused is no better.
        let by_another = by.is_none_or(|by| self.replicas[by].excused);
        let heard = if self.deaf { u64::MAX } else { self.now + HEARD_MS };
        for replica in (0..2).filter(|replica| by != Some(*replica)) {
            let of = &mut self.replicas[replica];
            if of.open {
                of.evicted_at = Some(of.evicted_at.map_or(heard, |at| at.min(heard)));
                of.by_another |= by_another;
            }
        }
    }

    /// Two sockets live at once in two running replicas only where one of them was paused, or the clock was set, and
    /// then until it would have renewed its lease and closed.
    fn overlap(&mut self) -> Check {
        let lives = |replica: &Replica| replica.open && !replica.paused;
        if !self.replicas.iter().all(lives) {
            self.both_since = None;
            return Ok(());
        }
        let since = *self.both_since.get_or_insert(self.now);
        let excused = self.replicas.iter().any(|replica| replica.excused);
        let most = if excused { RENEW + STOP_AFTER + 2 * CLOSE_WITHIN } else { Duration::ZERO };
        if Duration::from_millis(self.now - since) > most || !excused {
            return Err(format!("A7: two sockets live at once since {since}, at {}", self.now));
        }
        Ok(())
    }

    /// Nothing fails any more: one of them has the socket.
    pub fn rest(&mut self) -> Check {
        self.deaf = false;
        for replica in 0..2 {
            let of = &mut self.replicas[replica];
            (of.paused, of.store) = (false, (5, false));
            // A connection that is dead is noticed.
            of.evicted_at = of.evicted_at.map(|at| at.min(self.now + HEARD_MS));
        }
        let most = EVICTED + 2 * HELD + 4 * ASK;
        self.pass(self.now + u64::try_from(most.as_millis()).expect("a short time"))?;
        match self.replicas.iter().filter(|replica| replica.open && replica.evicted_at.is_none()).count() {
            1 => Ok(()),
            count => Err(format!("live: {count} sockets")),
        }
    }
}
