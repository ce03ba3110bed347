//! What all alerts share, and the values worth showing.

use std::collections::BTreeMap;

use crate::alert::{Alert, Labels, Value};

/// Labels that are examined for what all alerts share.
const EXAMINED: usize = 2000;

/// Labels that all alerts share, by name.
pub(super) type Shared = Labels;

/// The labels that all of `alerts` share.
pub(super) fn share(alerts: &[&Alert]) -> Shared {
    let Some((first, rest)) = alerts.split_first() else { return Shared::new() };
    let mut shared: BTreeMap<&String, &String> = first.labels.iter().take(EXAMINED).collect();
    for alert in rest {
        if std::ptr::eq(*alert, *first) {
            continue;
        }
        shared.retain(|name, value| alert.labels.get(*name) == Some(*value));
    }
    shared.into_iter().map(|(name, value)| (name.clone(), clipped(value))).collect()
}

fn clipped(value: &str) -> String {
    value[..value.floor_char_boundary(4096)].to_owned()
}

/// The data source of a rule that cannot be evaluated.
pub(super) fn data_source(alert: &Alert) -> Option<&str> {
    ["datasource", "datasource_uid"].into_iter().find_map(|name| alert.labels.get(name)).map(String::as_str)
}

/// The values worth showing: those of Boolean steps (0 and 1) only if there are no others (alert-sources §2.3).
pub(super) fn values(alert: &Alert) -> Vec<&Value> {
    let boolean = |value: &&Value| matches!(value.text.as_str(), "0" | "1") && value.tags.is_empty();
    let numbers: Vec<&Value> = alert.values.iter().filter(|value| !boolean(value)).collect();
    if numbers.is_empty() { alert.values.iter().collect() } else { numbers }
}

/// The unit that follows `number` in `text`: `96.4%`, `128 秒`.
pub(super) fn unit_behind(number: &str, text: &str) -> Option<String> {
    const UNITS: [&str; 47] = [
        "%", "％", "‰", "ms", "毫秒", "µs", "us", "ns", "min", "分钟", "小时", "天", "s", "秒", "h", "d", "KiB", "MiB",
        "GiB", "TiB", "KB", "MB", "GB", "TB", "kB", "B/s", "MB/s", "MiB/s", "Mbps", "Gbps", "bps", "req/s", "rps",
        "qps", "QPS", "TPS", "℃", "°C", "次/秒", "次", "条", "个", "台", "元", "人", "V", "W",
    ];
    if number.is_empty() {
        return None;
    }
    text.match_indices(number).find_map(|(at, _)| {
        let before = text[..at].chars().next_back();
        if before.is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | ',' | '-' | '_' | ':' | '/')) {
            return None;
        }
        let behind = text[at + number.len()..].trim_start_matches(' ');
        let unit = UNITS
            .iter()
            .filter(|unit| behind.strip_prefix(**unit).is_some_and(|rest| ends_word(unit, rest)))
            .max_by_key(|unit| unit.len())?;
        Some((*unit).to_owned())
    })
}

/// `s` is a unit in `5 s, `, not in `5 servers`.
fn ends_word(unit: &str, rest: &str) -> bool {
    !unit.ends_with(|c: char| c.is_ascii_alphabetic()) || !rest.starts_with(|c: char| c.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_found_behind_its_number_only() {
        for (number, text, unit) in [
            ("96.4", "CPU 使用率 96.4%，超过 90%", Some("%")),
            ("128", "主从延迟 128 秒", Some("秒")),
            ("5", "5 servers down", None),
            ("5", "took 5 s, limit 3 s", Some("s")),
            ("90", "10.0.0.190% 90%", Some("%")),
            ("6.4", "96.4%", None),
            ("3", "队列 3 条/秒", Some("条")),
            ("", "5%", None),
        ] {
            assert_eq!(unit_behind(number, text).as_deref(), unit, "{number} in {text}");
        }
    }
}
