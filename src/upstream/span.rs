//! The length of a silence, as people write it. Pure.

use std::time::Duration;

use jiff::civil::Time;
use jiff::tz::TimeZone;

use crate::alert::Timestamp;
use crate::config::parse_duration;
use crate::words::{Words, words};

/// The shortest silence: one that is shorter would end before people have read that it began.
pub const SHORTEST: Duration = Duration::from_mins(1);
/// The longest silence: what must stay hidden for longer needs a change of its rule.
pub const LONGEST: Duration = Duration::from_hours(30 * 24);
/// The default time of morning.
pub const MORNING: Time = Time::constant(9, 0, 0, 0);

/// The length of a silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// This long, from now: [`SHORTEST`] to [`LONGEST`].
    For(Duration),
    /// Until the next morning.
    Morning,
}

impl Span {
    /// `30m`, `1h`, `4h`, `1d12h`, `morning`, `明早`; the error says how to write it.
    pub fn parse(text: &str) -> Result<Self, Words> {
        let text = text.trim();
        if matches!(text.to_lowercase().as_str(), "morning" | "明早" | "早上" | "到早上") {
            return Ok(Self::Morning);
        }
        let span = parse_duration(text).filter(|span| (SHORTEST..=LONGEST).contains(span));
        span.map(Self::For).ok_or(words(
            "写成 30m、1h、4h（1m 到 30d），或 morning（到早上）",
            "write 30m, 1h, 4h (1m to 30d) or morning",
        ))
    }
}

/// The time in `9:00`, `09:00` or `21:30`; `None` if it is none.
pub fn parse_time(text: &str) -> Option<Time> {
    let (hour, minute) = text.trim().split_once(':')?;
    let digits = |text: &str| (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(hour) || !digits(minute) || minute.len() != 2 {
        return None;
    }
    Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
}

/// The end of a silence that begins at `now`. The morning is the next time that clocks in `zone` show `morning`; where
/// they skip it, the moment that would have been it; where they show it twice, the first.
pub fn until(span: Span, now: Timestamp, zone: &TimeZone, morning: Time) -> Timestamp {
    let later = |span: Duration| now.plus_millis(i64::try_from(span.as_millis()).unwrap_or(i64::MAX));
    match span {
        Span::For(span) => later(span),
        Span::Morning => {
            let next = || {
                let today = jiff::Timestamp::from_millisecond(now.0).ok()?.to_zoned(zone.clone()).date();
                let days = std::iter::successors(Some(today), |day| day.tomorrow().ok()).take(3);
                days.filter_map(|day| day.to_datetime(morning).to_zoned(zone.clone()).ok())
                    .map(|at| Timestamp(at.timestamp().as_millisecond()))
                    .find(|at| *at > now)
            };
            // Only beyond the year 9999 is there no next morning.
            next().unwrap_or_else(|| later(Duration::from_hours(24)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    #[test]
    fn the_morning_is_the_next_one_wherever_clocks_leap() {
        #[rustfmt::skip]
        let table = [
            // zone, now, morning, end
            ("Asia/Shanghai", "2026-11-25T15:30:00Z", "9:00", "2026-11-26T01:00:00Z"),
            ("Asia/Shanghai", "2026-11-25T00:30:00Z", "9:00", "2026-11-25T01:00:00Z"),
            ("Asia/Shanghai", "2026-11-25T01:00:00Z", "9:00", "2026-11-26T01:00:00Z"),
            ("Asia/Shanghai", "2026-12-31T20:00:00Z", "08:30", "2027-01-01T00:30:00Z"),
            ("UTC", "2026-11-25T08:59:59.999Z", "9:00", "2026-11-25T09:00:00Z"),
            ("Asia/Kolkata", "2026-11-25T12:00:00Z", "9:00", "2026-11-26T03:30:00Z"),
            // The night in which clocks go forward is an hour shorter, and back an hour longer.
            ("Europe/Berlin", "2026-03-28T20:00:00Z", "9:00", "2026-03-29T07:00:00Z"),
            ("Europe/Berlin", "2026-10-24T20:00:00Z", "9:00", "2026-10-25T08:00:00Z"),
            ("America/New_York", "2026-03-08T03:00:00Z", "9:00", "2026-03-08T13:00:00Z"),
            // 02:30 is skipped in one night and shown twice in another.
            ("Europe/Berlin", "2026-03-28T20:00:00Z", "2:30", "2026-03-29T01:30:00Z"),
            ("Europe/Berlin", "2026-10-24T20:00:00Z", "2:30", "2026-10-25T00:30:00Z"),
            ("Europe/Berlin", "2026-10-25T00:45:00Z", "2:30", "2026-10-26T01:30:00Z"),
            // Samoa had no 30 December 2011.
            ("Pacific/Apia", "2011-12-30T06:00:00Z", "9:00", "2011-12-30T19:00:00Z"),
        ];
        for (zone, now, morning, end) in table {
            let zone = TimeZone::get(zone).unwrap();
            let found = until(Span::Morning, at(now), &zone, parse_time(morning).unwrap());
            assert_eq!(found, at(end), "{now} {morning} in {zone:?}: {found:?}");
        }
    }

    #[test]
    fn a_span_is_counted_from_now_across_clock_changes() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let end = until(Span::parse("4h").unwrap(), at("2026-03-28T23:00:00Z"), &zone, MORNING);
        assert_eq!(end, at("2026-03-29T03:00:00Z"));
    }

    #[test]
    fn typed_text_is_a_span_or_refused_with_examples() {
        for (text, span) in [
            ("30m", Span::For(Duration::from_mins(30))),
            (" 1h ", Span::For(Duration::from_hours(1))),
            ("1d12h", Span::For(Duration::from_hours(36))),
            ("morning", Span::Morning),
            ("Morning", Span::Morning),
            ("明早", Span::Morning),
        ] {
            assert_eq!(Span::parse(text), Ok(span), "{text}");
        }
        for text in ["", "1", "59s", "31d", "-1h", "tomorrow", "0m"] {
            assert!(
                Span::parse(text).is_err_and(|how| how.zh.contains("morning") && how.en.contains("morning")),
                "{text}"
            );
        }
        assert_eq!(parse_time("21:30"), Some(Time::constant(21, 30, 0, 0)));
        for text in ["", "9", "24:00", "9:60", "9:0", "+9:00", "009:00", "9:00:00"] {
            assert_eq!(parse_time(text), None, "{text}");
        }
    }
}
