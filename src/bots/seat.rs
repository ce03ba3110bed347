//! The seat of a bot as a state machine: the lease of its socket is taken, renewed, lost and given back, and the socket
//! is only open while the lease is sure. Pure: the driver in `keeper` and the model in the tests carry out the commands.
//!
//! One command is outstanding at a time. A pause, a kill or a lost lease lies between a command and its event.

use std::time::{Duration, Instant};

/// Length of a lease after its last renewal. After a kill another replica connects within this time, plus the time to
/// ask and to connect.
pub(super) const HELD: Duration = Duration::from_secs(6);
/// Interval of renewals.
pub(super) const RENEW: Duration = Duration::from_millis(1_500);
/// When the holder stops by itself if it could not renew: this and [`CLOSE_WITHIN`] end before another replica may start.
pub(super) const STOP_AFTER: Duration = Duration::from_secs(4);
/// Longest time for a socket to close; after it, it is cut.
pub(super) const CLOSE_WITHIN: Duration = Duration::from_secs(1);
/// Pause after another program took the bot's place: reconnecting at once would only evict that one, and so on for
/// ever.
pub(super) const EVICTED: Duration = Duration::from_mins(5);
/// Interval of trying to lease a socket that another replica holds.
pub(super) const ASK: Duration = Duration::from_secs(1);
/// Interval of retrying a configuration that cannot work; a change of it is tried at once.
const REPAIR: Duration = Duration::from_mins(1);

/// The answer to a request for the lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lease {
    /// It is ours from now on.
    Mine,
    /// Another replica has it.
    Theirs,
    /// The store failed, or did not answer in time.
    Unknown,
}

/// The answer to a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// The bot is in the configuration.
    Started,
    /// To [`Command::Hold`].
    Held(Lease),
    /// To [`Command::Open`].
    Opened,
    /// To [`Command::Open`]: the bot is gone from the configuration.
    Gone,
    /// To [`Command::Open`]: the configuration cannot work.
    NoWay,
    /// To [`Command::Wait`] and [`Command::Linger`]: the time is over.
    Woken,
    /// To any command while a socket is open, and to [`Command::Close`]: it has ended. `evicted`: a newer connection took
    /// its place.
    Ended { evicted: bool },
    /// To [`Command::Leave`], [`Command::Drain`] and [`Command::Report`].
    Done,
    /// To [`Command::Wait`] while no socket is open: the process stops, or the bot is configured otherwise.
    Stopped,
}

/// What the driver does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    /// Ask for the lease, or renew it; without an answer `within` this time it is unknown.
    Hold { within: Option<Duration> },
    /// Connect. What people do there is heard from now on.
    Open,
    /// Do nothing for so long.
    Wait(Duration),
    /// Wait so long for the socket to end by itself.
    Linger(Duration),
    /// Close the socket; cut it after [`CLOSE_WITHIN`].
    Close,
    /// Give the lease back.
    Leave,
    /// Record what the socket has read: no other process receives it.
    Drain,
    /// Report that another program took the bot's place.
    Report,
    /// The keeper is done.
    End,
}

/// The seat of one bot in one process.
#[derive(Debug)]
pub(super) struct Seat(Phase);

/// The command that is outstanding, with what its answer needs.
#[derive(Debug, Clone, Copy)]
enum Phase {
    Idle,
    /// Since when the answer is awaited: a lease counts from its request.
    Asking(Instant),
    /// The lease is sure to be ours since then.
    Opening(Instant),
    /// The lease is sure to be ours since then.
    Sitting(Instant),
    Renewing {
        sure: Instant,
        asked: Instant,
    },
    /// Another replica has the lease, or may have it: this process was paused, and was evicted. What arrived before is
    /// read to the end.
    Lingering(Instant),
    Closing(Instant),
    /// Evicted while the lease was ours: if it still is, then by another program.
    Judging,
    Leaving,
    /// `evicted`: by another program, which is reported next; otherwise the lease is requested again.
    Draining {
        evicted: bool,
    },
    Reporting,
    /// Until then the bot is left to the other program, and the lease is renewed, so that no replica connects either.
    Resting(Instant),
    /// The lease is being renewed during the rest.
    Keeping(Instant),
    /// Waits before the next request for the lease.
    Pausing,
    /// Gives the lease back before the end.
    Last,
}

impl Seat {
    /// A seat that waits for [`Event::Started`].
    pub const fn new() -> Self {
        Self(Phase::Idle)
    }

    /// Is a socket open?
    #[cfg(test)]
    pub const fn is_open(&self) -> bool {
        matches!(self.0, Phase::Sitting(_) | Phase::Renewing { .. } | Phase::Lingering(_) | Phase::Closing(_))
    }

    /// Takes the answer to the last command.
    ///
    /// # Panics
    /// If the event does not answer the outstanding command, which is a bug of the driver.
    pub fn on(&mut self, event: Event, at: Instant) -> Command {
        let (phase, command) = match (self.0, event) {
            (Phase::Asking(asked), Event::Held(Lease::Mine)) => {
                if at.duration_since(asked) >= STOP_AFTER {
                    // The store answered so late that another replica may hold the lease already, or soon.
                    (Phase::Pausing, Command::Wait(ASK))
                } else {
                    (Phase::Opening(asked), Command::Open)
                }
            }
            (Phase::Asking(_), Event::Held(Lease::Theirs | Lease::Unknown)) | (Phase::Opening(_), Event::Gone) => {
                (Phase::Pausing, Command::Wait(ASK))
            }
            (Phase::Opening(_), Event::NoWay) => (Phase::Pausing, Command::Wait(REPAIR)),
            (Phase::Opening(sure), Event::Opened) => sit(sure, at),
            (Phase::Sitting(sure), Event::Woken) => renew(sure, at),
            (Phase::Renewing { asked: sure, .. }, Event::Held(Lease::Mine))
            | (Phase::Renewing { sure, .. }, Event::Held(Lease::Unknown)) => {
                if at.duration_since(sure) >= STOP_AFTER {
                    (Phase::Closing(sure), Command::Close)
                } else {
                    sit(sure, at)
                }
            }
            (Phase::Renewing { sure, .. }, Event::Held(Lease::Theirs)) => {
                (Phase::Lingering(sure), Command::Linger(CLOSE_WITHIN))
            }
            (Phase::Lingering(sure), Event::Woken) => (Phase::Closing(sure), Command::Close),
            (
                Phase::Sitting(sure) | Phase::Renewing { sure, .. } | Phase::Lingering(sure) | Phase::Closing(sure),
                Event::Ended { evicted },
            ) => {
                // By another replica that rightly held the lease after this process was paused, if it was over.
                if evicted && at.duration_since(sure) < HELD {
                    (Phase::Judging, Command::Hold { within: None })
                } else {
                    (Phase::Leaving, Command::Leave)
                }
            }
            (Phase::Judging, Event::Held(Lease::Mine)) => (Phase::Draining { evicted: true }, Command::Drain),
            (Phase::Judging, Event::Held(_)) => (Phase::Leaving, Command::Leave),
            (Phase::Leaving, Event::Done) => (Phase::Draining { evicted: false }, Command::Drain),
            (Phase::Draining { evicted: false }, Event::Done) => (Phase::Pausing, Command::Wait(ASK)),
            (Phase::Draining { evicted: true }, Event::Done) => (Phase::Reporting, Command::Report),
            (Phase::Reporting, Event::Done) => (Phase::Resting(at + EVICTED), Command::Wait(RENEW)),
            (Phase::Resting(until), Event::Woken) => (Phase::Keeping(until), Command::Hold { within: None }),
            (Phase::Keeping(until), Event::Held(Lease::Mine | Lease::Unknown)) if at < until => {
                (Phase::Resting(until), Command::Wait(RENEW))
            }
            (Phase::Idle, Event::Started) | (Phase::Keeping(_), Event::Held(_)) | (Phase::Pausing, Event::Woken) => {
                ask(at)
            }
            (Phase::Resting(_) | Phase::Pausing, Event::Stopped) => (Phase::Last, Command::Leave),
            (Phase::Last, Event::Done) => (Phase::Idle, Command::End),
            (phase, event) => panic!("{event:?} answers no command of {phase:?}"),
        };
        self.0 = phase;
        command
    }
}

const fn ask(at: Instant) -> (Phase, Command) {
    (Phase::Asking(at), Command::Hold { within: None })
}

/// Until the next renewal, and never longer than the holder may go on without one.
fn sit(sure: Instant, at: Instant) -> (Phase, Command) {
    (Phase::Sitting(sure), Command::Wait(RENEW.min((sure + STOP_AFTER).saturating_duration_since(at))))
}

/// Renews the lease, unless it could not be renewed for too long.
fn renew(sure: Instant, at: Instant) -> (Phase, Command) {
    let elapsed = at.duration_since(sure);
    if elapsed >= HELD {
        // This process was paused.
        (Phase::Lingering(sure), Command::Linger(CLOSE_WITHIN))
    } else if elapsed >= STOP_AFTER {
        (Phase::Closing(sure), Command::Close)
    } else {
        (Phase::Renewing { sure, asked: at }, Command::Hold { within: Some(STOP_AFTER.saturating_sub(elapsed)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_fails_late_does_not_keep_the_socket_beyond_the_lease() {
        let (mut seat, began) = (Seat::new(), Instant::now());
        let at = |millis: u64| began + Duration::from_millis(millis);
        assert_eq!(seat.on(Event::Started, at(0)), Command::Hold { within: None });
        assert_eq!(seat.on(Event::Held(Lease::Mine), at(5)), Command::Open);
        assert_eq!(seat.on(Event::Opened, at(5)), Command::Wait(RENEW));
        assert_eq!(seat.on(Event::Woken, at(1_505)), Command::Hold { within: Some(Duration::from_millis(2_495)) });
        assert_eq!(seat.on(Event::Held(Lease::Unknown), at(3_900)), Command::Wait(Duration::from_millis(100)));
        assert_eq!(seat.on(Event::Woken, at(4_000)), Command::Close);
    }

    #[test]
    fn one_that_was_paused_does_not_rest_for_the_replica_that_took_its_place() {
        let (mut seat, began) = (Seat::new(), Instant::now());
        let at = |millis: u64| began + Duration::from_millis(millis);
        seat.on(Event::Started, at(0));
        seat.on(Event::Held(Lease::Mine), at(5));
        seat.on(Event::Opened, at(5));
        // The lease was over: that the bot is free again now does not mean that no replica had it.
        assert_eq!(seat.on(Event::Ended { evicted: true }, at(20_000)), Command::Leave);
        assert_eq!(seat.on(Event::Done, at(20_000)), Command::Drain);
        assert_eq!(seat.on(Event::Done, at(20_000)), Command::Wait(ASK));
    }
}
