//! Detects that this process was paused: stopped, or on a suspended machine.
//!
//! What senders wrote meanwhile waited in the kernel and is read after waking as if it had just been sent. But its
//! sender has timed out long ago and sent it, and later notifications, to another replica: an old "firing" admitted
//! after the "resolved" that followed it would look as if the alert had come back. Old requests cannot be told from new
//! ones, so for a moment nothing is admitted, and senders that still wait send again.

use std::time::{Duration, Instant};

/// Every sender waits longer than this for the answer to a notification: Alertmanager for at least 10 s
/// (docs/reference/alert-sources.md#retries-of-senders). An older admission may have been repeated at another replica,
/// and newer ones may have followed it there.
pub(super) const PATIENCE: Duration = Duration::from_secs(8);
/// Interval of reading the clock while nothing is admitted.
pub(super) const LOOK: Duration = Duration::from_millis(500);
/// Within this time after waking, everything buffered by the kernel has been read.
const GRACE: Duration = Duration::from_secs(2);

/// Records when the process was last seen running.
#[derive(Debug)]
pub(super) struct Waking {
    last: Instant,
    /// Until then, requests may be from before a pause.
    doubtful_until: Option<Instant>,
}

impl Waking {
    /// Of a process that is awake.
    pub const fn new(now: Instant) -> Self {
        Self { last: now, doubtful_until: None }
    }

    /// Records that the process runs; false shortly after a pause that was longer than senders wait.
    pub fn is_awake(&mut self, now: Instant) -> bool {
        if now.saturating_duration_since(self.last) > PATIENCE {
            self.doubtful_until = Some(now + GRACE);
        }
        self.last = now;
        self.doubtful_until.is_none_or(|until| now >= until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_admitted_briefly_after_a_long_pause() {
        let begun = Instant::now();
        let at = |millis| begun + Duration::from_millis(millis);
        let mut waking = Waking::new(begun);
        assert!(waking.is_awake(at(500)));
        assert!(waking.is_awake(at(8_500)), "the sender still waits");
        assert!(!waking.is_awake(at(17_000)), "the sender may have given up");
        assert!(!waking.is_awake(at(18_900)), "this may have come before it woke");
        assert!(waking.is_awake(at(19_000)));
        assert!(waking.is_awake(at(19_500)));
    }
}
