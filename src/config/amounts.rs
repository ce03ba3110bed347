//! Durations and sizes, as people write them.

use std::fmt::Write as _;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::at::At;
use super::resolve::{Resolver, placed};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Units of a size, largest first. Powers of two, as Prometheus counts its own `retention.size`.
const UNITS: [(&str, u64); 4] = [("TB", 1 << 40), ("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10)];

impl Resolver<'_> {
    /// A duration within `bounds`. `None` if it is absent, or wrong, which is reported.
    pub(super) fn duration(
        &mut self,
        duration: Option<&At<String>>,
        path: &str,
        bounds: RangeInclusive<Duration>,
    ) -> Option<Duration> {
        let (place, text) = placed(duration)?;
        let Some(parsed) = parse_duration(text) else {
            self.found.mistake(
                place,
                (format!("`{path}` 不是时长"), format!("`{path}` is not a duration")),
                ("写成数字加单位：30s、5m、1h、1d", "write a number with a unit: 30s, 5m, 1h, 1d"),
            );
            return None;
        };
        if !bounds.contains(&parsed) {
            let (least, most) = (in_words(*bounds.start()), in_words(*bounds.end()));
            self.found.mistake(
                place,
                (
                    format!("`{path}` 是 {}，应在 {least} 到 {most} 之间", in_words(parsed)),
                    format!("`{path}` is {} and must be from {least} to {most}", in_words(parsed)),
                ),
                (format!("写一个 {least} 到 {most} 的时长"), format!("write a duration from {least} to {most}")),
            );
            return None;
        }
        Some(parsed)
    }
}

/// The duration in a text like `90s`, `5m`, `1h30m`, `1d`; `None` if it is none.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let mut seconds = 0_u64;
    let mut number = String::new();
    for letter in text.trim().chars() {
        let unit = match letter {
            '0'..='9' => {
                number.push(letter);
                continue;
            }
            's' => 1,
            'm' => MINUTE,
            'h' => HOUR,
            'd' => DAY,
            _ => return None,
        };
        seconds = seconds.checked_add(number.parse::<u64>().ok()?.checked_mul(unit)?)?;
        number.clear();
    }
    (number.is_empty() && !text.trim().is_empty()).then(|| Duration::from_secs(seconds))
}

/// The shortest form of a duration.
pub(super) fn in_words(duration: Duration) -> String {
    let mut left = duration.as_secs();
    let mut words = String::new();
    for (unit, seconds) in [("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", 1)] {
        if left >= seconds {
            write!(words, "{}{unit}", left / seconds).expect("a String takes everything");
            left %= seconds;
        }
    }
    if words.is_empty() { "0s".to_owned() } else { words }
}

/// `512MB`, `2 GB`, in bytes.
pub(super) fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim();
    let (number, unit) = UNITS.iter().find_map(|&(name, unit)| Some((text.strip_suffix(name)?.trim_end(), unit)))?;
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| number.parse::<u64>().ok()?.checked_mul(unit)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_written_with_units_and_reads_the_same_again() {
        for (text, seconds) in [("30s", 30), ("5m", 300), ("1h30m", 5400), (" 7d ", 7 * DAY), ("0s", 0)] {
            let parsed = parse_duration(text).unwrap();
            assert_eq!(parsed.as_secs(), seconds, "{text}");
            assert_eq!(parse_duration(&in_words(parsed)), Some(parsed), "{text}");
        }
        assert_eq!(in_words(Duration::from_secs(DAY + HOUR + 1)), "1d1h1s");
        for text in ["", "30", "m", "5 m", "1小时", "-1s", "99999999999999999999d", "300000000000000000d"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    #[test]
    fn a_size_is_a_number_and_a_unit_of_powers_of_two() {
        for (text, bytes) in [("1KB", 1 << 10), ("64MB", 64 << 20), ("2 GB", 2 << 30), ("1TB", 1_u64 << 40)] {
            assert_eq!(parse_size(text), Some(bytes), "{text}");
        }
        for text in ["", "GB", "2", "2G", "2gb", "1.5GB", "-2GB", "99999999TB", "99999999999999999999KB"] {
            assert_eq!(parse_size(text), None, "{text}");
        }
    }
}
