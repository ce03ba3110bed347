//! Times as senders write them.

use std::sync::LazyLock;

use jiff::civil;
use jiff::tz::{Offset, TimeZone};
use regex::Regex;

use crate::alert::Timestamp;

/// Times further back or ahead than this are shown, not used: a clock or a unit is wrong.
const PAST_MS: i64 = 400 * 86_400_000;
const AHEAD_MS: i64 = 2 * 86_400_000;

static LOCAL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?ix)^\s* (\d{4}) [-/.年]\s*(\d{1,2}) [-/.月]\s*(\d{1,2}) \s*日? (?:\s*(?:[T,]|星期.)?\s*)
            (\d{1,2}):(\d{2}) (?: :(\d{2}) (?:[.,](\d{1,9}))? )?
            \s* (Z|UTC|GMT|CST|(?:UTC|GMT)?[+-]\d{1,2}(?::?\d{2})?)? (?:\s+[A-Z]{2,5}|\s+m=\S+)? \s*$",
    )
    .expect("it is a constant that every test compiles")
});

/// The instant that `text` names: RFC 3339, local forms with or without an offset (without: in `zone`), RFC 2822, Unix
/// time in seconds to nanoseconds. `CST` names two zones an ocean apart and is read as none.
pub(super) fn read(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let text = text.trim();
    if text.is_empty() || text.len() > 64 || !text.as_bytes().iter().any(u8::is_ascii_digit) {
        return None;
    }
    if let Ok(number) = text.parse::<f64>() {
        return unix(number);
    }
    if let Ok(instant) = text.parse::<jiff::Timestamp>() {
        return Some(Timestamp(instant.as_millisecond()));
    }
    local(text, zone)
        .or_else(|| jiff::fmt::rfc2822::parse(text).ok().map(|zoned| Timestamp(zoned.timestamp().as_millisecond())))
}

/// Unix time, its unit told by its size.
fn unix(number: f64) -> Option<Timestamp> {
    let seconds = match number.abs() {
        size if !size.is_finite() || size < 1e8 => return None,
        size if size < 1e11 => number,
        size if size < 1e14 => number / 1e3,
        size if size < 1e17 => number / 1e6,
        _ => number / 1e9,
    };
    let since = jiff::SignedDuration::try_from_secs_f64(seconds).ok()?;
    i64::try_from(since.as_millis()).ok().map(Timestamp)
}

fn local(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let found = LOCAL.captures(text)?;
    let number = |group: usize| found.get(group).map_or(Some(0), |part| part.as_str().parse::<i16>().ok());
    let small = |group: usize| number(group).and_then(|number| i8::try_from(number).ok());
    let nanos = found.get(7).map_or(Some(0), |part| format!("{:0<9}", part.as_str()).parse().ok())?;
    let date = civil::Date::new(number(1)?, small(2)?, small(3)?).ok()?;
    let time = civil::Time::new(small(4)?, small(5)?, small(6)?.min(59), nanos).ok()?;
    let zone = match found.get(8).map(|part| part.as_str().to_ascii_uppercase()) {
        None => zone.clone(),
        Some(name) if name == "CST" => zone.clone(),
        Some(name) => TimeZone::fixed(offset(&name)?),
    };
    let zoned = date.to_datetime(time).to_zoned(zone).ok()?;
    Some(Timestamp(zoned.timestamp().as_millisecond()))
}

/// `Z`, `UTC`, `+8`, `+0800`, `UTC+08:00`.
fn offset(name: &str) -> Option<Offset> {
    let name = name.trim_start_matches("UTC").trim_start_matches("GMT");
    if name.is_empty() || name == "Z" {
        return Some(Offset::UTC);
    }
    let sign = if name.starts_with('-') { -1 } else { 1 };
    let digits: String = name.chars().filter(char::is_ascii_digit).collect();
    let (hours, minutes) = if digits.len() > 2 { digits.split_at(digits.len() - 2) } else { (digits.as_str(), "0") };
    let seconds = hours.parse::<i32>().ok()? * 3600 + minutes.parse::<i32>().ok()? * 60;
    Offset::from_seconds(sign * seconds).ok()
}

/// `time`, if a sender whose clock is right could mean it.
pub(super) fn plausible(time: Timestamp, now: Timestamp) -> Option<Timestamp> {
    let age = now.millis_since(time);
    (-AHEAD_MS..=PAST_MS).contains(&age).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_the_forms_senders_use() {
        let zone = TimeZone::fixed(Offset::constant(8));
        for text in [
            "2026-11-22T14:04:00+08:00",
            "2026-11-22T06:04:00.0000000Z",
            "2026-11-22T06:04:00.000+0000",
            "2026-11-22 06:04:00 UTC",
            "2026-11-22 14:04:00",
            "2026/11/22 14:04",
            "2026年11月22日 14:04:00",
            "2026.11.22 14:04:00",
            "2026-11-22 14:04:00 CST",
            "2026-11-22 14:04:00 +0800 CST",
            "2026-11-22T14:04:00",
            "Sun, 22 Nov 2026 06:04:00 GMT",
            "1795327440",
            "1795327440000",
            "1795327440000000",
            "1795327440000000000",
        ] {
            assert_eq!(read(text, &zone), Some(Timestamp(1_795_327_440_000)), "{text}");
        }
        for text in ["", "5 minutes", "12:30", "2026", "0", "1", "2026-13-40 25:61:00", "v1.2.3"] {
            assert_eq!(read(text, &zone), None, "{text}");
        }
    }
}
