//! A calendar week (ISO 8601, from Monday on) on the clock of a zone.

use std::fmt;

use jiff::civil::{Date, ISOWeekDate, Weekday};
use jiff::tz::TimeZone;

use crate::alert::Timestamp;

/// A week; written as `2026-W48`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Week {
    /// Its first day.
    pub monday: Date,
}

impl Week {
    /// As it is written; `None` for a week that no year has.
    pub fn parse(text: &str) -> Option<Self> {
        let (year, week) = text.split_once("-W")?;
        let digits = |text: &str, count| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(year, 4) || !digits(week, 2) {
            return None;
        }
        let day = ISOWeekDate::new(year.parse().ok()?, week.parse().ok()?, Weekday::Monday).ok()?;
        Some(Self { monday: day.date() })
    }

    /// The week of a time.
    pub fn of(at: Timestamp, zone: &TimeZone) -> Self {
        let week = date(at, zone).iso_week_date();
        let monday = ISOWeekDate::new(week.year(), week.week(), Weekday::Monday);
        Self { monday: monday.map_or_else(|_| date(at, zone), ISOWeekDate::date) }
    }

    /// The week before.
    #[must_use]
    pub fn before(self) -> Self {
        Self { monday: moved(self.monday, -7) }
    }

    /// The week after.
    #[must_use]
    pub fn after(self) -> Self {
        Self { monday: moved(self.monday, 7) }
    }

    /// Its number in the year.
    pub fn number(self) -> i8 {
        self.monday.iso_week_date().week()
    }

    /// Its last day.
    pub fn sunday(self) -> Date {
        moved(self.monday, 6)
    }

    /// How many of its days have begun: 0 to 7.
    pub fn begun(self, now: Timestamp, zone: &TimeZone) -> usize {
        let today = date(now, zone);
        (0..7).filter(|days| moved(self.monday, *days) <= today).count()
    }

    /// Its first moment: Monday, 00:00.
    pub fn start(self, zone: &TimeZone) -> Timestamp {
        let start = self.monday.to_zoned(zone.clone()).map(|start| start.timestamp().as_millisecond());
        Timestamp(start.unwrap_or_default())
    }
}

impl fmt::Display for Week {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let week = self.monday.iso_week_date();
        write!(f, "{:04}-W{:02}", week.year(), week.week())
    }
}

/// The day of a time on the clock of a zone.
fn date(at: Timestamp, zone: &TimeZone) -> Date {
    jiff::Timestamp::from_millisecond(at.0).unwrap_or_default().to_zoned(zone.clone()).date()
}

fn moved(day: Date, days: i64) -> Date {
    day.saturating_add(jiff::Span::new().days(days))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_week_is_written_and_read_and_one_that_no_year_has_is_none() {
        for written in ["2026-W01", "2026-W53", "2025-W52", "2027-W01"] {
            assert_eq!(Week::parse(written).unwrap().to_string(), written);
        }
        for wrong in
            ["", "2026", "2026-W00", "2026-W54", "2025-W53", "2026-48", "2026-W8", "+026-W48", "2026-W+8", "x-Wy"]
        {
            assert_eq!(Week::parse(wrong), None, "{wrong}");
        }
        let week = Week::parse("2026-W53").unwrap();
        assert_eq!((week.after().to_string(), week.before().to_string()), ("2027-W01".into(), "2026-W52".into()));
        assert_eq!(
            (week.number(), week.monday.to_string(), week.sunday().to_string()),
            (53, "2026-12-28".into(), "2027-01-03".into())
        );
    }

    #[test]
    fn a_week_begins_on_monday_on_the_clock_of_the_zone() {
        let shanghai = TimeZone::get("Asia/Shanghai").unwrap();
        let week = Week::parse("2026-W48").unwrap();
        assert_eq!(week.start(&shanghai), Timestamp(1_795_363_200_000));
        assert_eq!(Week::of(Timestamp(1_795_363_200_000), &shanghai), week);
        assert_eq!(Week::of(Timestamp(1_795_363_199_999), &shanghai), week.before());
        assert_eq!(Week::of(Timestamp(1_795_363_200_000), &TimeZone::UTC), week.before(), "still Sunday there");
        let begun = |hours: i64| week.begun(Timestamp(1_795_363_200_000 + hours * 3_600_000), &shanghai);
        assert_eq!([-1, 0, 23, 24, 167, 168, 999].map(begun), [0, 1, 1, 2, 7, 7, 7]);
        // The week in which Berlin's clocks go back has an hour more.
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let long = Week::parse("2026-W43").unwrap();
        assert_eq!(long.after().start(&berlin).millis_since(long.start(&berlin)), (7 * 24 + 1) * 3_600_000);
    }
}
