//! The waiting times of the socket (docs/reference/wecom.md#bot-frames). Pure.

use std::time::Duration;

/// The times of a bot's socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BotPace {
    /// Interval of heartbeats; two without an answer end the connection.
    pub ping: Duration,
    /// Longest time from the first byte of a frame to WeCom's answer.
    pub answer: Duration,
    /// Delay of the first reconnection; doubled each time, up to [`BotPace::most`].
    pub first: Duration,
    /// Longest delay between two connections that WeCom did not reject.
    pub most: Duration,
    /// A connection that lived this long counts as good: after it, the delay restarts with [`BotPace::first`].
    pub settled: Duration,
    /// Interval of retries with a rejected bot id or secret: faster retries get the caller barred.
    pub refused: Duration,
}

impl Default for BotPace {
    /// The times of the official SDK, but a rejected secret is retried, slowly, for ever.
    fn default() -> Self {
        Self {
            ping: Duration::from_secs(30),
            answer: Duration::from_secs(5),
            first: Duration::from_secs(1),
            most: Duration::from_secs(30),
            settled: Duration::from_secs(10),
            refused: Duration::from_mins(5),
        }
    }
}

impl BotPace {
    /// How long to wait after `failed` consecutive failed connections. `random` is in [0, 1) and takes up to half off,
    /// so that clients disconnected together do not reconnect together.
    pub(super) fn before_next(&self, failed: u32, random: f64) -> Duration {
        let doubled = self.first.saturating_mul(2_u32.saturating_pow(failed.saturating_sub(1)));
        doubled.min(self.most).mul_f64(1.0 - random / 2.0)
    }

    /// How long a rejected bot waits: never shorter than [`BotPace::refused`].
    pub(super) fn before_probe(&self, random: f64) -> Duration {
        self.refused.mul_f64(1.0 + random / 4.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_from_one_to_thirty_seconds_and_chance_takes_up_to_half_off() {
        let pace = BotPace::default();
        let seconds = [1, 2, 3, 4, 5, 6, 7, 100, u32::MAX].map(|failed| pace.before_next(failed, 0.0).as_secs());
        assert_eq!(seconds, [1, 2, 4, 8, 16, 30, 30, 30, 30]);
        assert_eq!(pace.before_next(1, 0.5), Duration::from_millis(750));
        assert!(pace.before_next(9, 0.999_999) > Duration::from_secs(15));
    }

    #[test]
    fn a_refused_bot_waits_five_minutes_at_least() {
        let pace = BotPace::default();
        assert_eq!(pace.before_probe(0.0), Duration::from_mins(5));
        assert!(pace.before_probe(0.99) > Duration::from_mins(6));
    }
}
