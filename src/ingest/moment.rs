//! Times as senders write them.

use std::sync::LazyLock;

use jiff::civil;
use jiff::tz::{Offset, TimeZone};
use regex::Regex;

use crate::alert::Timestamp;
use crate::pattern::regex;

/// Times further back or ahead than this are shown, not used: a clock or a unit is wrong.
const PAST_MS: i64 = 400 * 86_400_000;
const AHEAD_MS: i64 = 2 * 86_400_000;

/// Year, month, day.
static BIG_FIRST: LazyLock<Regex> =
    LazyLock::new(|| regex(r"(?:^|[^\d./-])(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})(?:\s*日)?"));
/// Without signs between them, and with or without a time.
static TIGHT: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^(\d{4})(\d{2})(\d{2})(?:[T\s]?(\d{2}):?(\d{2}):?(\d{2}))?(?:\.\d+)?"));
/// Month and day in either order, then the year.
static SMALL_FIRST: LazyLock<Regex> =
    LazyLock::new(|| regex(r"(?:^|[^\d./-])(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})(?:[^\d]|$)"));
/// `30 Nov 2026`, `30/Nov/2026`.
static DAY_MONTH: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"(?i)(?:^|[^\d])(\d{1,2})[\s/-]+(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[.,]?[\s/-]+(\d{4})")
});
/// `Nov 30, 2026`, `Nov 30 09:40:00 CST 2026`: between the day and the year there may be the time.
static MONTH_DAY: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"(?i)(?:^|[^a-z])(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?\s+(\d{1,2})(,?\s.*?)\b(\d{4})\b")
});
static TIME: LazyLock<Regex> = LazyLock::new(|| {
    regex(concat!(
        r"(?i)(?:(上午|下午|中午|凌晨|早上|晚上|傍晚)\s*|^|[^\d])(\d{1,2})\s*[:：时点]\s*(\d{2})",
        r"(?:\s*[:：分]\s*(\d{2})(?:[.,](\d{1,9}))?)?\s*[分秒]?(?:\s*(am|pm|a\.m\.|p\.m\.|上午|下午))?",
    ))
});
/// What Go adds of its own clock.
static MONOTONIC: LazyLock<Regex> = LazyLock::new(|| regex(r"\sm=\S+"));

/// A time behind the words of a sentence that something began or is over.
static SPOKEN: LazyLock<[Regex; 2]> = LazyLock::new(|| {
    const TIME: &str = r"(\d{1,2}:\d{2}(?::\d{2})?,?\s+(?:on\s+)?\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{4}[-/.年]\d{1,2}[-/.月]\d{1,2}日?[T\s]*\d{1,2}[:时]\d{2}(?:[:分]\d{2})?)";
    [
        regex(&format!(
            r"(?i)(?:\b(?:started|began|detected|occurred|triggered|raised|opened|firing)\s+(?:at|on|since)|(?:开始|发生|触发|产生)(?:于|在|时间[为是:：]?))\s*{TIME}"
        )),
        regex(&format!(
            r"(?i)(?:\b(?:resolved|recovered|cleared|ended|closed|restored)\s+(?:at|on)|(?:恢复|结束|解决|解除|关闭)(?:于|在|时间[为是:：]?))\s*{TIME}"
        )),
    ]
});

/// Abbreviations of zones that mean one offset, in minutes. `CST` and `IST` mean several.
const ZONES: &[(&str, i32)] = &[
    ("Z", 0),
    ("UTC", 0),
    ("GMT", 0),
    ("WET", 0),
    ("CET", 60),
    ("WEST", 60),
    ("CEST", 120),
    ("EET", 120),
    ("EEST", 180),
    ("MSK", 180),
    ("HKT", 480),
    ("SGT", 480),
    ("北京时间", 480),
    ("中国标准时间", 480),
    ("JST", 540),
    ("KST", 540),
    ("AEST", 600),
    ("AEDT", 660),
    ("EST", -300),
    ("EDT", -240),
    ("CDT", -300),
    ("MST", -420),
    ("MDT", -360),
    ("PST", -480),
    ("PDT", -420),
];

/// The instant that `text` names: RFC 3339, local forms with or without an offset (without: in `zone`), RFC 2822, Unix
/// time in seconds to nanoseconds. `CST` is China's, unless `zone` is Central Time of North America. Where month and day could be
/// exchanged, there is none.
pub(super) fn read(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let text = text.trim();
    if text.is_empty() || text.len() > 80 || !text.as_bytes().iter().any(u8::is_ascii_digit) {
        return None;
    }
    if let Some(instant) = tight(text, zone) {
        return Some(instant);
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

/// When something began, or is `over`, as a sentence of `text` says it.
pub(super) fn spoken(text: &str, over: bool, zone: &TimeZone) -> Option<Timestamp> {
    let text = &text[..text.floor_char_boundary(4096)];
    SPOKEN[usize::from(over)].captures_iter(text).find_map(|found| read(&found[1], zone))
}

/// A time in front of a line or in brackets at its end.
static AROUND: LazyLock<Regex> = LazyLock::new(|| {
    const TIME: &str =
        r"\d{4}[-/.年]\d{1,2}[-/.月]\d{1,2}日?[T\s]+\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?(?:Z|\s?[+-]\d{2}:?\d{2})?";
    regex(&format!(r"^\s*[\[（(【<]?({TIME})[\]）)】>]?[\s,，:：|-]+|\s*[\[（(【]({TIME})[\]）)】]\s*$"))
});

/// `line` without a time in front of its words, or in brackets behind them.
pub(super) fn without(line: &str) -> std::borrow::Cow<'_, str> {
    let rest = AROUND.replace_all(line, "");
    if rest.chars().any(char::is_alphanumeric) { rest } else { line.into() }
}

/// The time that [`without`] takes off.
pub(super) fn beside(line: &str, zone: &TimeZone) -> Option<Timestamp> {
    let found = AROUND.captures(line)?;
    read(found.get(1).or_else(|| found.get(2))?.as_str(), zone)
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

/// `20261130094000`: no unit of Unix time has a number of this size.
fn tight(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let found = TIGHT.captures(text).filter(|found| found.get(4).is_some())?;
    let number = |group: usize| found[group].parse::<i16>().ok();
    let small = |group: usize| found[group].parse::<i8>().ok();
    let behind = &text[found[0].len()..];
    let date = civil::Date::new(number(1).filter(|year| (2000..2100).contains(year))?, small(2)?, small(3)?).ok()?;
    let time = civil::Time::new(small(4)?, small(5)?, small(6)?, 0).ok()?;
    let zone = if behind.is_empty() { zone.clone() } else { zoned(behind, date.to_datetime(time), zone)? };
    in_zone(date.to_datetime(time), zone)
}

fn in_zone(at: civil::DateTime, zone: TimeZone) -> Option<Timestamp> {
    Some(Timestamp(at.to_zoned(zone).ok()?.timestamp().as_millisecond()))
}

/// A date, a time and perhaps a zone in any order, and no other words than those that join them.
fn local(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let text = MONOTONIC.replace(text, "");
    let (date, rest) = date(&text)?;
    let found = TIME.captures(&rest)?;
    let time = time(&found)?;
    // The letter before the hour is no part of it.
    let whole = found.get(0)?;
    let hour = found.get(2)?.start();
    let before = if found.get(1).is_some() { &rest[..whole.start()] } else { &rest[..hour] };
    let rest = format!("{before} {}", &rest[whole.end()..]);
    let at = date.to_datetime(time);
    let is_sign = |letter: char| letter.is_whitespace() || ",，;()[]（）|·".contains(letter);
    let words = rest.split(is_sign).map(|word| word.trim_matches([':', '：', '@', '年']));
    let left: Vec<&str> = words.filter(|word| !matches!(*word, "" | "-") && !is_glue(word)).collect();
    let is_abbreviation = |word: &str| word.len() <= 5 && word.chars().all(|letter| letter.is_ascii_uppercase());
    let zone = match left[..] {
        [] => zone.clone(),
        [name] | ["UTC" | "GMT", name] => zoned(name, at, zone)?,
        // An offset may be followed by its abbreviation: `+0800 CST`.
        ref words if words.len() > 1 && WINDOWS.iter().any(|(known, _)| *known == words.join(" ")) => {
            let (_, name) = WINDOWS.iter().find(|(known, _)| *known == words.join(" "))?;
            TimeZone::get(name).ok()?
        }
        [name, short] if name.contains(['+', '-']) && is_abbreviation(short) => zoned(name, at, zone)?,
        _ => return None,
    };
    in_zone(at, zone)
}

/// Names that Windows gives to zones.
const WINDOWS: &[(&str, &str)] = &[
    ("China Standard Time", "Asia/Shanghai"),
    ("Taipei Standard Time", "Asia/Taipei"),
    ("Singapore Standard Time", "Asia/Singapore"),
    ("Tokyo Standard Time", "Asia/Tokyo"),
    ("Korea Standard Time", "Asia/Seoul"),
    ("India Standard Time", "Asia/Kolkata"),
    ("Coordinated Universal Time", "UTC"),
    ("GMT Standard Time", "Europe/London"),
    ("W. Europe Standard Time", "Europe/Berlin"),
    ("Central Europe Standard Time", "Europe/Prague"),
    ("Romance Standard Time", "Europe/Paris"),
    ("Eastern Standard Time", "America/New_York"),
    ("Central Standard Time", "America/Chicago"),
    ("Mountain Standard Time", "America/Denver"),
    ("Pacific Standard Time", "America/Los_Angeles"),
];

/// The date in a text, and the text without it.
fn date(text: &str) -> Option<(civil::Date, String)> {
    let number = |text: &str| text.parse::<i16>().ok();
    let small = |text: &str| text.parse::<i8>().ok();
    let without = |from: usize, to: usize| format!("{} {}", &text[..from], &text[to..]);
    if let Some(found) = BIG_FIRST.captures(text) {
        let date = civil::Date::new(number(&found[1])?, small(&found[2])?, small(&found[3])?).ok()?;
        return Some((date, without(found.get(1)?.start(), found.get(0)?.end())));
    }
    if let Some(found) = SMALL_FIRST.captures(text) {
        let (first, second) = (small(&found[1])?, small(&found[2])?);
        let (month, day) = match (first, second) {
            _ if first == second => (first, second),
            (1..=12, 13..) => (first, second),
            (13.., 1..=12) => (second, first),
            _ => return None,
        };
        let date = civil::Date::new(number(&found[3])?, month, day).ok()?;
        return Some((date, without(found.get(1)?.start(), found.get(3)?.end())));
    }
    if let Some(found) = DAY_MONTH.captures(text) {
        let date = civil::Date::new(number(&found[3])?, month(&found[2])?, small(&found[1])?).ok()?;
        return Some((date, without(found.get(1)?.start(), found.get(3)?.end())));
    }
    if let Some(found) = MONTH_DAY.captures(text) {
        let date = civil::Date::new(number(&found[4])?, month(&found[1])?, small(&found[2])?).ok()?;
        let rest = format!("{}{}{}", &text[..found.get(1)?.start()], &found[3], &text[found.get(4)?.end()..]);
        return Some((date, rest));
    }
    let found = TIGHT.captures(text)?;
    let date = civil::Date::new(number(&found[1])?, small(&found[2])?, small(&found[3])?).ok()?;
    Some((date, text[found.get(3)?.end()..].to_owned()))
}

fn month(name: &str) -> Option<i8> {
    const NAMES: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let at = NAMES.iter().position(|known| name.eq_ignore_ascii_case(known))?;
    i8::try_from(at + 1).ok()
}

fn time(found: &regex::Captures<'_>) -> Option<civil::Time> {
    let number = |group: usize| found.get(group).map_or(Some(0), |part| part.as_str().parse::<i8>().ok());
    let nanos = found.get(5).map_or(Some(0), |part| format!("{:0<9}", part.as_str()).parse().ok())?;
    let hour = number(2)?;
    let half = found.get(1).or_else(|| found.get(6)).map(|half| half.as_str().to_lowercase().replace('.', ""));
    let hour = match (half.as_deref(), hour) {
        // Midnight or noon.
        (Some("晚上" | "傍晚"), 12) => return None,
        (Some("am" | "上午" | "凌晨" | "早上"), 12) => 0,
        (None | Some("am" | "上午" | "凌晨" | "早上"), hour) => hour,
        (Some("中午"), 10..12) | (Some(_), 12..) => hour,
        (Some(_), hour) => hour + 12,
    };
    civil::Time::new(hour, number(3)?, number(4)?.min(59), nanos).ok()
}

/// The zone of this name; `None` if it is not known which is meant.
fn zoned(name: &str, at: civil::DateTime, zone: &TimeZone) -> Option<TimeZone> {
    let name = name.trim();
    let upper = name.to_ascii_uppercase();
    if upper == "CST" {
        // The Central Standard Time of North America, where it is the standard one.
        let winter = civil::date(at.year(), 1, 1).at(0, 0, 0, 0);
        let hours = zone.to_ambiguous_zoned(winter).compatible().ok()?.offset().seconds() / 3600;
        return Some(TimeZone::fixed(Offset::from_hours(if hours == -6 { -6 } else { 8 }).ok()?));
    }
    if let Some((_, minutes)) = ZONES.iter().find(|(known, _)| *known == upper) {
        return Some(TimeZone::fixed(Offset::from_seconds(minutes * 60).ok()?));
    }
    if name.contains('/') && !name.contains(['+', '-']) {
        return TimeZone::get(name).ok();
    }
    if name.contains(['+', '-']) { offset(&upper).map(TimeZone::fixed) } else { None }
}

/// Does the word only join a date and a time, or name the day of the week?
fn is_glue(word: &str) -> bool {
    const WORDS: [&str; 9] = ["t", "at", "on", "the", "of", "于", "在", "since", "时间"];
    const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let lower = word.to_lowercase();
    let is_day = DAYS.iter().any(|day| lower.starts_with(day)) && lower.len() <= 9 && lower.is_ascii();
    let is_week = ["星期", "周", "礼拜"].iter().any(|week| {
        lower.strip_prefix(week).is_some_and(|day| day.chars().count() == 1 && "一二三四五六日天".contains(day))
    });
    WORDS.contains(&lower.as_str()) || is_day || is_week
}

/// `+8`, `+0800`, `UTC+08:00`; `web-2` is none.
fn offset(name: &str) -> Option<Offset> {
    static OFFSET: LazyLock<Regex> = LazyLock::new(|| regex(r"^(?:UTC|GMT)?\s*[+-]\d{1,2}(?::?\d{2})?$"));
    if !OFFSET.is_match(name) {
        return None;
    }
    let name = name.trim_start_matches("UTC").trim_start_matches("GMT").trim();
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

    const AT: Timestamp = Timestamp(1_795_327_440_000);

    fn china() -> TimeZone {
        TimeZone::fixed(Offset::constant(8))
    }

    #[test]
    fn times_are_read_in_the_forms_senders_use() {
        for text in [
            "2026-11-22T14:04:00+08:00",
            "2026-11-22T06:04:00.0000000Z",
            "2026-11-22T06:04:00.000+0000",
            "2026-11-22 06:04:00 UTC",
            "2026-11-22 06:04:00 GMT",
            "2026-11-22 06:04Z",
            "2026-11-22 14:04:00",
            "2026/11/22 14:04",
            "2026年11月22日 14:04:00",
            "2026年11月22日14时04分00秒",
            "2026年11月22日 14点04分",
            "2026-11-22 下午 02:04:00",
            "2026/11/22 下午2:04:00",
            "2026-11-22 星期日 14:04:00",
            "2026-11-22（周日）14:04",
            "2026.11.22 14:04:00",
            "14:04:00 on 2026.11.22",
            "14:04:00 2026-11-22",
            "2026-11-22 14:04:00 CST",
            "2026-11-22 14:04:00 +0800 CST",
            "2026-11-22 14:04:00.000000001 +0800 CST m=+12.5",
            "2026-11-22 14:04:00 (UTC+8)",
            "2026-11-22 14:04:00（UTC+08:00）",
            "2026-11-22 14:04:00 (GMT+08:00)",
            "2026-11-22 14:04:00 北京时间",
            "2026-11-22 14:04:00 Asia/Shanghai",
            "11/22/2026 2:04:00 PM (China Standard Time)",
            "Sunday, November 22, 2026 2:04 PM",
            "2026-11-22 06:04:00 +00:00",
            "2026-11-22 01:04:00 EST",
            "2026-11-22T14:04:00",
            "20261122140400",
            "20261122 14:04:00",
            "20261122T060400Z",
            "Sun Nov 22 14:04:00 CST 2026",
            "Sun Nov 22 06:04:00 UTC 2026",
            "Sun Nov 22 14:04:00 2026",
            "Sun, 22 Nov 2026 06:04:00 GMT",
            "Nov 22, 2026 2:04:00 PM",
            "November 22, 2026 at 2:04 PM",
            "22 Nov 2026 14:04:00",
            "22/Nov/2026:14:04:00 +0800",
            "11/22/2026 2:04:00 PM",
            "11/22/2026 14:04:00",
            "22/11/2026 14:04:00",
            "22.11.2026 14:04",
            "1795327440",
            "1795327440000",
            "1795327440000000",
            "1795327440000000000",
            "1795327440.000",
        ] {
            assert_eq!(read(text, &china()), Some(AT), "{text}");
        }
        for text in [
            "",
            "5 minutes",
            "12:30",
            "2026",
            "0",
            "1",
            "2026-13-40 25:61:00",
            "v1.2.3",
            // Month and day may be exchanged, the zone may be one of several, words say something else.
            "05/11/2026 2:04:00 PM",
            "05.11.2026 14:04",
            "2026-11-22 14:04:00 IST",
            "2026-11-22 晚上 12:04",
            "2026-11-22 14:04:00 db-1 is down",
            "10.0.0.1:9100 2026-11-22",
        ] {
            assert_eq!(read(text, &china()), None, "{text}");
        }
        assert_eq!(read("11/11/2026 12:04:00 AM", &TimeZone::UTC), read("2026-11-11 00:04:00", &TimeZone::UTC));
        assert_eq!(read("2026-11-22 上午 12:04", &china()), read("2026-11-22 00:04", &china()));
        assert_eq!(read("2026-11-22 12:04 PM", &china()), read("2026-11-22 12:04", &china()));
    }

    #[test]
    fn cst_is_that_of_china_unless_the_configured_zone_is_american() {
        let text = "Sun Nov 22 14:04:00 CST 2026";
        for zone in [TimeZone::UTC, china(), TimeZone::fixed(Offset::constant(9))] {
            assert_eq!(read(text, &zone), Some(AT));
        }
        let chicago = TimeZone::get("America/Chicago").unwrap();
        assert_eq!(read(text, &chicago), Some(AT.plus_millis(14 * 3_600_000)));
    }

    #[test]
    fn sentences_say_when_it_began_and_ended() {
        for (text, over) in [
            ("Problem started at 14:04:00 on 2026.11.22", false),
            ("Incident detected on 2026-11-22 14:04:00 by probe", false),
            ("问题开始于 2026-11-22 14:04:00", false),
            ("Problem has been resolved at 14:04:00 on 2026.11.22", true),
            ("故障恢复于2026年11月22日 14:04", true),
        ] {
            assert_eq!(spoken(text, over, &china()), Some(AT), "{text}");
            assert_eq!(spoken(text, !over, &china()), None, "{text}");
        }
        assert_eq!(spoken("started at 14:04:00", false, &china()), None, "of which day is not said");
    }

    #[test]
    fn the_size_of_a_unix_time_tells_its_unit() {
        for (number, millis) in [
            (99_999_999.0, None),
            (1e8, Some(100_000_000_000)),
            (99_999_999_999.0, Some(99_999_999_999_000)),
            (1e11, Some(100_000_000_000)),
            (1e14, Some(100_000_000_000)),
            (1e17, Some(100_000_000_000)),
        ] {
            assert_eq!(unix(number), millis.map(Timestamp), "{number}");
        }
    }

    #[test]
    fn a_time_is_used_from_400_days_back_to_two_days_ahead() {
        let now = Timestamp(1_795_354_200_000);
        let day = 86_400_000;
        for (at, used) in [(-400 * day, true), (-400 * day - 1, false), (2 * day, true), (2 * day + 1, false)] {
            assert_eq!(plausible(now.plus_millis(at), now).is_some(), used, "{at}");
        }
    }

    #[test]
    fn offsets_have_hours_and_minutes() {
        for (name, seconds) in
            [("+8", 28_800), ("-05:30", -19_800), ("+0545", 20_700), ("UTC+08:00", 28_800), ("GMT-3", -10_800)]
        {
            assert_eq!(offset(name).map(Offset::seconds), Some(seconds), "{name}");
        }
    }
}
