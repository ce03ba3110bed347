//! What the record still lacks of the state of a socket, and when it is written. Pure: `keeper` writes it.
//!
//! What could not be written is tried again, so that a store that fails for a moment neither hides that a bot is away
//! nor keeps messages waiting for one that is back.

use std::time::{Duration, Instant};

/// Interval of trying to write what could not be written.
const AGAIN: Duration = Duration::from_secs(2);

/// What the record is to say of the bot's breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    /// It is connected: the breaker is closed.
    Closed,
    /// It is not connected: the breaker is open, if that lasts for this time.
    Open(Duration),
    /// It was evicted, or ended: another one speaks for it.
    Nothing,
}

/// What is owed to the record.
#[derive(Debug)]
pub(super) struct Owed {
    want: Want,
    /// Since when it is connected, or is not.
    since: Instant,
    written: bool,
    /// The last try that failed.
    failed: Option<Instant>,
}

impl Owed {
    /// Nothing yet.
    pub const fn new(now: Instant) -> Self {
        Self { want: Want::Nothing, since: now, written: true, failed: None }
    }

    /// The socket is in another state. A fault that takes another form is written once.
    pub fn wants(&mut self, want: Want, now: Instant) {
        if !matches!((self.want, want), (Want::Open(_), Want::Open(_))) {
            (self.since, self.written, self.failed) = (now, want == Want::Nothing, None);
        }
        self.want = want;
    }

    /// How long until the next try; `None`: all is written.
    pub fn due(&self, now: Instant) -> Option<Duration> {
        let patience = match self.want {
            Want::Open(patience) => patience,
            Want::Closed | Want::Nothing => Duration::ZERO,
        };
        let after = |since: Instant, time: Duration| time.saturating_sub(now.duration_since(since));
        let again = self.failed.map_or(Duration::ZERO, |failed| after(failed, AGAIN));
        (!self.written).then(|| after(self.since, patience).max(again))
    }

    /// It was tried.
    pub fn tried(&mut self, written: bool, now: Instant) {
        (self.written, self.failed) = (written, Some(now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    #[test]
    fn what_could_not_be_written_is_tried_again_and_what_was_is_not() {
        let begin = Instant::now();
        let at = |seconds: u64| begin + Duration::from_secs(seconds);
        let left = |seconds: u64| Some(Duration::from_secs(seconds));
        let mut owed = Owed::new(begin);
        assert_eq!(owed.due(at(0)), None);
        owed.wants(Want::Open(PATIENCE), at(1));
        assert_eq!((owed.due(at(1)), owed.due(at(11)), owed.due(at(30))), (left(20), left(10), left(0)));
        owed.tried(false, at(21));
        assert_eq!((owed.due(at(21)), owed.due(at(23))), (left(2), left(0)), "the store failed");
        // Refused: that is certain at once, but the last try was just now.
        owed.wants(Want::Open(Duration::ZERO), at(22));
        assert_eq!(owed.due(at(22)), left(1));
        owed.tried(true, at(23));
        owed.wants(Want::Open(PATIENCE), at(24));
        assert_eq!(owed.due(at(60)), None, "it is told once");
        owed.wants(Want::Closed, at(61));
        assert_eq!(owed.due(at(61)), left(0));
        owed.tried(false, at(61));
        assert_eq!(owed.due(at(62)), left(1), "messages wait until it is closed");
        owed.tried(true, at(63));
        assert_eq!(owed.due(at(90)), None);
        // Each connection closes the breaker, which another process may have opened.
        owed.wants(Want::Closed, at(91));
        assert_eq!(owed.due(at(91)), left(0));
        owed.wants(Want::Nothing, at(92));
        assert_eq!(owed.due(at(92)), None);
        owed.wants(Want::Open(PATIENCE), at(93));
        owed.wants(Want::Closed, at(100));
        owed.tried(true, at(100));
        owed.wants(Want::Open(PATIENCE), at(101));
        assert_eq!(owed.due(at(101)), left(20), "the time counts anew");
    }
}
