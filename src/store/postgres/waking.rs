//! Was this process asleep: stopped, or on a machine that stood still?
//!
//! What senders wrote meanwhile lay in the kernel, and is read on waking as if it had just been sent. But whoever sent
//! it has given up long ago and told another replica, and more since: an old "firing" that is admitted after the
//! "resolved" that followed it would be told as if the alert had come back. What is old cannot be told from what is new,
//! so for a moment nothing is admitted, and whoever still waits sends it again.

use std::time::{Duration, Instant};

/// Whoever waits for the answer to a notification waits for longer than this: Alertmanager for 10 s at least
/// (reliability §3.1). So an admission that is older may have been repeated elsewhere, and others may have followed it.
pub(super) const PATIENCE: Duration = Duration::from_secs(8);
/// Between two looks at the clock while nothing is admitted.
pub(super) const LOOK: Duration = Duration::from_millis(500);
/// Within this time after waking, what the kernel kept has been read.
const GRACE: Duration = Duration::from_secs(2);

/// Knows when the process was last awake.
#[derive(Debug)]
pub(super) struct Waking {
    last: Instant,
    /// Until then, what is read may be from before a sleep.
    doubtful_until: Option<Instant>,
}

impl Waking {
    /// Of a process that is awake.
    pub const fn new(now: Instant) -> Self {
        Self { last: now, doubtful_until: None }
    }

    /// Notes that the process runs; false shortly after a sleep that was longer than senders wait.
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
    fn only_after_a_long_sleep_and_only_for_a_moment_nothing_is_admitted() {
        let begun = Instant::now();
        let at = |millis| begun + Duration::from_millis(millis);
        let mut waking = Waking::new(begun);
        assert!(waking.is_awake(at(500)));
        assert!(waking.is_awake(at(8_500)), "whoever sent it still waits");
        assert!(!waking.is_awake(at(17_000)), "the sender may have given up");
        assert!(!waking.is_awake(at(18_900)), "this may have come before it woke");
        assert!(waking.is_awake(at(19_000)));
        assert!(waking.is_awake(at(19_500)));
    }
}
