//! Whether each lapsed alert is reported, or its source as silent. Pure.

use crate::alert::Timestamp;

/// Alerts of a source that lapse within this time lapsed together: a sender repeats all that fire within a minute.
pub const TOGETHER_MS: i64 = 60_000;

/// What became of the pushed alerts of one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lapses {
    /// Those that lapsed before this are no longer reported, although their source went on to report others.
    pub before: Timestamp,
    /// All others lapsed, too, together: the source itself is silent, and what its alerts do is unknown.
    pub silent: bool,
}

/// Decides about a source whose last alert lapses at `latest`.
pub fn lapses(latest: Timestamp, now: Timestamp) -> Lapses {
    Lapses { before: latest.plus_millis(-TOGETHER_MS).min(now), silent: latest <= now }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    #[test]
    fn an_alert_lapses_alone_while_its_source_reports_others_and_the_last_ones_are_a_silent_source() {
        let at = |seconds: i64| NOW.plus_millis(seconds * 1000);
        assert_eq!(lapses(at(240), NOW), Lapses { before: NOW, silent: false }, "others go on");
        assert_eq!(lapses(at(30), NOW), Lapses { before: at(-30), silent: false }, "the last ones may lapse together");
        assert_eq!(lapses(NOW, NOW), Lapses { before: at(-60), silent: true });
        assert_eq!(lapses(at(-3600), NOW), Lapses { before: at(-3660), silent: true });
    }
}
