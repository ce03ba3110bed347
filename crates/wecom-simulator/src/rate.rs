//! Counting: rate limits over a window, and the peaks that the control API shows.

use std::collections::VecDeque;

use crate::clock::{DAY_MS, HOUR_MS, MINUTE_MS, natural_day};
use crate::switches::Window;

/// The times of the newest events of one kind, at most as many as the limit it serves: more cannot change the result.
#[derive(Debug)]
pub(crate) struct Recent {
    keep: usize,
    times: VecDeque<i64>,
}

impl Recent {
    pub(crate) fn new(keep: usize) -> Self {
        Self { keep, times: VecDeque::new() }
    }

    pub(crate) fn push(&mut self, now: i64) {
        if self.times.len() >= self.keep {
            self.times.pop_front();
        }
        self.times.push_back(now);
    }

    /// The number of events in the `span` before `now`.
    pub(crate) fn within(&self, now: i64, span: i64) -> usize {
        self.since(now - span + 1)
    }

    /// The number of events in the current minute, as `window` defines it.
    pub(crate) fn in_minute(&self, now: i64, window: Window) -> usize {
        match window {
            Window::Sliding => self.within(now, MINUTE_MS),
            Window::Fixed => self.since(now - now.rem_euclid(MINUTE_MS)),
        }
    }

    fn since(&self, from: i64) -> usize {
        self.times.iter().rev().take_while(|&&at| at >= from).count()
    }
}

/// A count that restarts with each period.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    period: i64,
    count: u64,
}

impl Tally {
    /// The count in `period`.
    pub(crate) fn at(&mut self, period: i64) -> u64 {
        if self.period != period {
            *self = Self { period, count: 0 };
        }
        self.count
    }

    /// Adds `n` to the count of `period`.
    pub(crate) fn add(&mut self, period: i64, n: u64) {
        self.at(period);
        self.count += n;
    }
}

/// The three periods that limits are counted in.
#[derive(Debug, Default)]
pub(crate) struct Tallies {
    minute: Tally,
    hour: Tally,
    day: Tally,
    /// 30 days.
    month: Tally,
}

/// The most that is allowed in each period; `u64::MAX` where there is no such limit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ceilings {
    pub(crate) minute: u64,
    pub(crate) hour: u64,
    pub(crate) day: u64,
    pub(crate) month: u64,
}

impl Ceilings {
    pub(crate) const NONE: Self = Self { minute: u64::MAX, hour: u64::MAX, day: u64::MAX, month: u64::MAX };
}

impl Tallies {
    /// Counts `n`, unless that would exceed one of the ceilings.
    pub(crate) fn try_add(&mut self, now: i64, n: u64, ceilings: Ceilings) -> bool {
        let minute = now.div_euclid(MINUTE_MS);
        let hour = now.div_euclid(HOUR_MS);
        let day = natural_day(now);
        let month = now.div_euclid(30 * DAY_MS);
        let fits = self.minute.at(minute).saturating_add(n) <= ceilings.minute
            && self.hour.at(hour).saturating_add(n) <= ceilings.hour
            && self.day.at(day).saturating_add(n) <= ceilings.day
            && self.month.at(month).saturating_add(n) <= ceilings.month;
        if fits {
            self.minute.add(minute, n);
            self.hour.add(hour, n);
            self.day.add(day, n);
            self.month.add(month, n);
        }
        fits
    }
}

/// The largest number of events in any 60 seconds.
#[derive(Debug, Default)]
pub(crate) struct Peak {
    times: VecDeque<i64>,
    pub(crate) max: usize,
}

/// Higher peaks are reported as this value: no limit of WeCom per receiver is near it, and memory must be bounded.
const MAX_PEAK: usize = 20_000;

impl Peak {
    pub(crate) fn push(&mut self, now: i64) {
        while self.times.front().is_some_and(|&at| at <= now - MINUTE_MS) || self.times.len() >= MAX_PEAK {
            self.times.pop_front();
        }
        self.times.push_back(now);
        self.max = self.max.max(self.times.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sliding_minute_looks_back_sixty_seconds_and_a_fixed_one_to_the_full_minute() {
        let mut recent = Recent::new(20);
        recent.push(59_000);
        recent.push(61_000);
        assert_eq!(recent.in_minute(62_000, Window::Sliding), 2);
        assert_eq!(recent.in_minute(62_000, Window::Fixed), 1);
        assert_eq!(recent.in_minute(119_000, Window::Sliding), 1);
    }

    #[test]
    fn a_ceiling_holds_until_its_period_is_over() {
        let mut tallies = Tallies::default();
        let two_a_minute = Ceilings { minute: 2, ..Ceilings::NONE };
        assert!(tallies.try_add(0, 2, two_a_minute));
        assert!(!tallies.try_add(1, 1, two_a_minute));
        assert!(tallies.try_add(MINUTE_MS, 1, two_a_minute));
    }

    #[test]
    fn a_peak_is_the_busiest_minute_not_the_last() {
        let mut peak = Peak::default();
        for at in [0, 1, 2, 200_000] {
            peak.push(at);
        }
        assert_eq!(peak.max, 3);
    }
}
