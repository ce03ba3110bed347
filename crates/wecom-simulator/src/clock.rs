//! The one clock of a simulator, in Unix milliseconds. Everything that expires asks it, so a test can move time.

/// Real time plus an offset, or a frozen moment.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    offset_ms: i64,
    frozen_at: Option<i64>,
}

impl Clock {
    /// Now, as this simulator sees it.
    pub(crate) fn now(&self) -> i64 {
        self.frozen_at.unwrap_or_else(|| real_ms() + self.offset_ms)
    }

    /// Moves time by `ms`.
    pub(crate) fn advance(&mut self, ms: i64) {
        self.set(self.now().saturating_add(ms));
    }

    /// Sets the time to `now_ms`; a frozen clock stays frozen.
    pub(crate) fn set(&mut self, now_ms: i64) {
        match &mut self.frozen_at {
            Some(at) => *at = now_ms,
            None => self.offset_ms = now_ms - real_ms(),
        }
    }

    /// Freezes time, or lets it continue from the frozen moment.
    pub(crate) fn freeze(&mut self, frozen: bool) {
        let now = self.now();
        self.frozen_at = frozen.then_some(now);
        if !frozen {
            self.offset_ms = now - real_ms();
        }
    }

    /// Whether time is frozen.
    pub(crate) fn is_frozen(&self) -> bool {
        self.frozen_at.is_some()
    }
}

/// The number of the day in China Standard Time, which has no summer time (docs/reference/wecom.md#frequency-limits).
pub(crate) fn natural_day(now_ms: i64) -> i64 {
    (now_ms + 8 * HOUR_MS).div_euclid(24 * HOUR_MS)
}

/// One minute.
pub(crate) const MINUTE_MS: i64 = 60_000;
/// One hour.
pub(crate) const HOUR_MS: i64 = 60 * MINUTE_MS;
/// One day.
pub(crate) const DAY_MS: i64 = 24 * HOUR_MS;

#[expect(clippy::disallowed_methods, reason = "this is the clock that everything else in this crate asks")]
fn real_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
