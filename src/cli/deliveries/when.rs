//! A time as an operator types it (pure).

use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::alert::Timestamp;
use crate::config::parse_duration;
use crate::words::{Words, words};

const HOW: Words = words(
    "写成 2h、30m、7d（多久以前）、“11-23 08:00”、“2026-11-23 08:00”或 RFC 3339",
    "write 2h, 30m or 7d (ago), \"11-23 08:00\", \"2026-11-23 08:00\" or RFC 3339",
);
/// A leap year, to read a day without a year.
const LEAP: i16 = 2024;
/// The 29th of February comes round at least this often.
const YEARS: i16 = 8;

/// A time that depends on the clock or the zone of the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    /// This long ago.
    Ago(Duration),
    /// An instant.
    At(Timestamp),
    /// A time on a wall clock.
    Wall(DateTime),
    /// The same without a year.
    Yearless(DateTime),
}

impl When {
    /// `2h`, `11-23 08:00`, `2026-11-23 08:00`, `2026-11-23T08:00:00+08:00`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Some(age) = parse_duration(text) {
            return Ok(Self::Ago(age));
        }
        if let Ok(instant) = text.parse::<jiff::Timestamp>() {
            return Ok(Self::At(Timestamp(instant.as_millisecond())));
        }
        if let Ok(wall) = text.parse::<DateTime>() {
            return Ok(Self::Wall(wall));
        }
        format!("{LEAP}-{text}").parse::<DateTime>().map(Self::Yearless).map_err(|_| HOW.to_string())
    }

    /// The instant, given the present time and zone. Without a year it is the last one that has passed.
    pub fn resolve(&self, now: Timestamp, zone: &TimeZone) -> Timestamp {
        self.within(now, zone, |instant| if instant <= now { now.millis_since(instant) } else { i64::MAX })
    }

    /// The same for a time that may lie ahead: without a year it is the one nearest to now.
    pub fn resolve_near(&self, now: Timestamp, zone: &TimeZone) -> Timestamp {
        self.within(now, zone, |instant| now.millis_since(instant).abs())
    }

    /// Of the years that a time without one may mean, that with the least `distance`.
    fn within(&self, now: Timestamp, zone: &TimeZone, distance: impl Fn(Timestamp) -> i64) -> Timestamp {
        match self {
            Self::Ago(age) => now.plus_millis(-i64::try_from(age.as_millis()).unwrap_or(i64::MAX)),
            Self::At(instant) => *instant,
            Self::Wall(wall) => instant(*wall, zone).unwrap_or(now),
            Self::Yearless(wall) => {
                let today = jiff::Timestamp::from_millisecond(now.0).unwrap_or_default().to_zoned(zone.clone());
                let in_year = |back| wall.with().year(today.year() - back).build().ok();
                let all = (-YEARS..=YEARS).filter_map(in_year).filter_map(|wall| instant(wall, zone));
                all.min_by_key(|instant| distance(*instant)).unwrap_or(now)
            }
        }
    }
}

fn instant(wall: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    Some(Timestamp(wall.to_zoned(zone.clone()).ok()?.timestamp().as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, now: &str) -> String {
        let now = Timestamp(now.parse::<jiff::Timestamp>().unwrap().as_millisecond());
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        let instant = When::parse(text).unwrap().resolve(now, &zone);
        jiff::Timestamp::from_millisecond(instant.0).unwrap().to_string()
    }

    #[test]
    fn a_time_is_an_age_an_instant_or_what_the_wall_clock_of_the_zone_showed() {
        let now = "2026-11-25T12:00:00Z";
        for (text, instant) in [
            ("2h", "2026-11-25T10:00:00Z"),
            ("1d12h", "2026-11-24T00:00:00Z"),
            ("2026-11-23T08:00:00+08:00", "2026-11-23T00:00:00Z"),
            ("2026-11-23T08:00:00Z", "2026-11-23T08:00:00Z"),
            ("2026-11-23 08:00", "2026-11-23T00:00:00Z"),
            ("2026-11-23", "2026-11-22T16:00:00Z"),
            ("11-23 08:00", "2026-11-23T00:00:00Z"),
            ("11-23 08:00:30", "2026-11-23T00:00:30Z"),
            ("11-23", "2026-11-22T16:00:00Z"),
            ("12-31 08:00", "2025-12-31T00:00:00Z"),
            ("02-29", "2024-02-28T16:00:00Z"),
        ] {
            assert_eq!(read(text, now), instant, "{text}");
        }
        // The end of a span may lie ahead.
        let near = |text: &str| {
            let zone = TimeZone::get("Asia/Shanghai").unwrap();
            let now = Timestamp(now.parse::<jiff::Timestamp>().unwrap().as_millisecond());
            let instant = When::parse(text).unwrap().resolve_near(now, &zone);
            jiff::Timestamp::from_millisecond(instant.0).unwrap().to_string()
        };
        assert_eq!(near("12-01 08:00"), "2026-12-01T00:00:00Z");
        assert_eq!(near("01-05"), "2027-01-04T16:00:00Z");
        assert_eq!(near("11-23 08:00"), "2026-11-23T00:00:00Z");
        assert_eq!(near("2h"), "2026-11-25T10:00:00Z");
    }

    #[test]
    fn an_invalid_time_is_refused_with_examples() {
        for text in ["", "yesterday", "-2h", "25:00", "13-01", "02-30 08:00", "2026-13-01", "8"] {
            assert!(When::parse(text).is_err_and(|how| how.contains("RFC 3339")), "{text}");
        }
    }
}
