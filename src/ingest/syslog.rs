//! Lines of syslog (RFC 5424, RFC 3164), as network devices and hosts write them: who says what, how bad, and when.

use std::sync::LazyLock;

use jiff::tz::TimeZone;
use regex::Regex;
use serde_json::{Value, json};

use super::moment;
use crate::alert::Timestamp;
use crate::pattern::regex;

/// `<34>1 2026-11-30T01:40:00Z host app 77 ID [data] words`
static NEW: LazyLock<Regex> = LazyLock::new(|| {
    regex(r#"^<(\d{1,3})>1 (\S+) (\S+) (\S+) (\S+) (\S+) (-|(?:\[(?:[^\]"]|"(?:[^"\\]|\\.)*")*\])+) ?(.*)$"#)
});
/// `<187>Nov 30 09:40:00 host words`; the part in front is missing where a file is read, the year may stand behind the time, and
/// a device that is asked for no name says none.
static OLD: LazyLock<Regex> = LazyLock::new(|| {
    regex(concat!(
        r"^(?:<(\d{1,3})>)?(?:\d+: )?[*.]?((?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) +\d{1,2} (?:\d{4} )?\d{2}:\d{2}:\d{2}(?: \d{4}(?-u:\b))?)(?:\.\d+)?",
        r"(?: [A-Z]{3,4})?:? +(?:([A-Za-z0-9][A-Za-z0-9._:-]*) +)?(.+)$"
    ))
});
/// What stands before the words: a number, a time of the device's own, its facility and mnemonic, a program with its process.
static TAG: LazyLock<Regex> = LazyLock::new(|| {
    regex(concat!(
        r"^(?:\d+: )?(?:[*.]?[A-Z][a-z]{2} +\d{1,2} [0-9:. ]+(?: ?[A-Z]{3,4})?: )?",
        r"(?:(%{1,2}[\w/-]+(?:\([a-z]\))?(?:\[\d+\])?): ?|([A-Za-z][\w./-]{0,40})(?:\[\d+\])?: )?"
    ))
});

/// The line as a tree for the general reader; `None` if it is none of syslog. A time without a year is of the year that brings
/// it closest to `now`.
pub(super) fn read(text: &str, zone: &TimeZone, now: Timestamp) -> Option<Value> {
    let (line, rest) = text.split_once('\n').unwrap_or((text, ""));
    let line = line.trim();
    let (rank, time, host, program, data, words) = if let Some(found) = NEW.captures(line) {
        let time = moment::read(&found[2], zone);
        (
            found.get(1).map(|rank| rank.as_str().to_owned()),
            time,
            found[3].to_owned(),
            found[4].to_owned(),
            found[7].to_owned(),
            found[8].to_owned(),
        )
    } else {
        let found = OLD.captures(line)?;
        let said = &found[4];
        let tag = TAG.captures(said)?;
        let program = tag.get(1).or_else(|| tag.get(2)).map_or("", |tag| tag.as_str());
        // Without a rank in front only a tag shows that it is a log.
        let host = found.get(3).map_or("", |host| host.as_str());
        if (found.get(1).is_none() || host.is_empty()) && program.is_empty() {
            return None;
        }
        let words = said[tag[0].len()..].trim().to_owned();
        let rank = found.get(1).map(|rank| rank.as_str().to_owned());
        (
            rank,
            dated(&found[2], zone, now),
            host.trim_end_matches(':').to_owned(),
            program.to_owned(),
            String::new(),
            words,
        )
    };
    if words.is_empty() {
        return None;
    }
    let rank = rank.and_then(|rank| rank.parse::<u16>().ok()).filter(|rank| *rank < 192);
    // What is told to people although it is normal is a notice.
    let severity = match rank.map(|rank| rank % 8) {
        Some(0..=2) => "critical",
        Some(3) => "error",
        Some(4) => "warning",
        Some(_) => "info",
        None => "",
    };
    let none = |text: &str| if text == "-" { String::new() } else { text.to_owned() };
    let told: Vec<&str> = [program.trim_matches('-'), data.trim_matches('-'), rest.trim()]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect();
    Some(json!({
        "title": words,
        "message": told.join("\n"),
        "severity": severity,
        "host": none(&host),
        "program": none(&program),
        "timestamp": time.map(|time| time.0),
    }))
}

fn dated(text: &str, zone: &TimeZone, now: Timestamp) -> Option<Timestamp> {
    if let Some(time) = moment::read(text, zone) {
        return Some(time);
    }
    let year = jiff::Timestamp::from_millisecond(now.0).ok()?.to_zoned(zone.clone()).year();
    let all = (year - 1..=year + 1).filter_map(|year| moment::read(&format!("{text} {year}"), zone));
    all.min_by_key(|time| now.millis_since(*time).abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_devices_and_hosts_are_taken_apart() {
        let now = Timestamp(1_796_003_400_000);
        let zone = TimeZone::fixed(jiff::tz::Offset::constant(8));
        for (line, severity, host, program, words) in [
            (
                "<187>Nov 30 09:40:00 sw-acc-3 4711: Nov 30 09:39:59.123 CST: %LINK-3-UPDOWN: Interface Gi1/0/7, changed state to down",
                "error",
                "sw-acc-3",
                "%LINK-3-UPDOWN",
                "Interface Gi1/0/7, changed state to down",
            ),
            (
                "<188>Nov 30 2026 09:40:00 CE-6 %%01IFNET/4/IF_STATE(l)[12]:Interface 10GE1/0/3 has turned into DOWN state.",
                "warning",
                "CE-6",
                "%%01IFNET/4/IF_STATE(l)[12]",
                "Interface 10GE1/0/3 has turned into DOWN state.",
            ),
            (
                "<34>1 2026-11-30T01:40:00.003Z web-8 su 77 ID47 - 'su root' failed",
                "critical",
                "web-8",
                "su",
                "'su root' failed",
            ),
            (
                "<189>Nov 30 09:40:00 2026 SW-7 %%10IFNET/3/PHY_UPDOWN: GigabitEthernet1/0/2 changed to down.",
                "info",
                "SW-7",
                "%%10IFNET/3/PHY_UPDOWN",
                "GigabitEthernet1/0/2 changed to down.",
            ),
            (
                "<187>34: Nov 30 09:40:00.221: %LINEPROTO-5-UPDOWN: Line protocol on Ethernet0/2, changed state to down",
                "error",
                "",
                "%LINEPROTO-5-UPDOWN",
                "Line protocol on Ethernet0/2, changed state to down",
            ),
            ("<165>1 2026-11-30T09:40:00+08:00 fw-1 - - - [a@1 x=\"]\\\"\"] link up", "info", "fw-1", "", "link up"),
            (
                "Nov 30 09:40:00 nas-3 mdadm[411]: Fail event on /dev/md0",
                "",
                "nas-3",
                "mdadm",
                "Fail event on /dev/md0",
            ),
        ] {
            let read = read(line, &zone, now).unwrap();
            let text = |name: &str| read[name].as_str().unwrap().to_owned();
            assert_eq!(
                (text("severity").as_str(), text("host").as_str(), text("program").as_str(), text("title").as_str()),
                (severity, host, program, words)
            );
            let millis = read["timestamp"].as_i64().unwrap();
            assert_eq!(millis / 1000, 1_796_002_800, "{line}");
        }
        for line in [
            "<b>磁盘将满</b>",
            "Nov 30 is a holiday",
            "<999> x",
            "Nov 30 09:40:00 磁盘将满",
            "2026-11-30 09:40:00 web-8 x",
        ] {
            assert_eq!(read(line, &zone, now), None, "{line}");
        }
        // In January December is of the year before.
        let january = Timestamp(1_798_761_600_000 + 3_600_000);
        let read = read("Dec 31 23:59:00 nas-3 mdadm: x", &zone, january).unwrap();
        assert_eq!(read["timestamp"], json!(1_798_732_740_000_i64));
    }
}
