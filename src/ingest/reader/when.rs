//! When it began and ended: the names of times, and what stands under them.

use std::collections::HashSet;
use std::sync::LazyLock;

use serde_json::Value;

use super::super::tree::{self, Members};
use super::super::{moment, plain};
use super::Reader;
use crate::alert::Timestamp;

/// Something began then.
const START: bool = false;
/// A body does not say whether something began or ended then.
const AMBIGUOUS: bool = true;

/// The names of times at which something began.
const STARTS: &[(&str, bool)] = &[
    ("startedat", START),
    ("startsat", START),
    ("starttime", START),
    ("fireddatetime", START),
    ("triggeredat", START),
    ("triggertime", START),
    ("firsttriggertime", START),
    ("firsttimestamp", START),
    ("datestarted", START),
    ("firstoccurtime", START),
    ("occurat", START),
    ("occurredat", START),
    ("occurtime", START),
    ("alerttime", AMBIGUOUS),
    ("firetime", START),
    ("statechangetime", AMBIGUOUS),
    ("begintime", START),
    ("createdat", START),
    ("timestamp", AMBIGUOUS),
    ("time", AMBIGUOUS),
    ("date", AMBIGUOUS),
    ("datetime", AMBIGUOUS),
    ("eventtime", AMBIGUOUS),
    ("eventdatetime", AMBIGUOUS),
    ("happenedat", START),
    ("ts", AMBIGUOUS),
    ("clock", AMBIGUOUS),
    ("timecreated", AMBIGUOUS),
    ("eventtimestamp", AMBIGUOUS),
    ("statechangedtimestamp", AMBIGUOUS),
    ("statechangedat", AMBIGUOUS),
    ("disconnectedat", START),
    ("processstarttime", START),
    ("happentime", START),
    ("incidenttime", START),
    ("incidenttimeiso", START),
    ("outagetime", START),
    ("statestarttime", START),
    ("alertdatetime", AMBIGUOUS),
    ("alarmtime", AMBIGUOUS),
    ("longdatetime", AMBIGUOUS),
    ("localdatetime", AMBIGUOUS),
    ("firstseen", START),
    ("firstoccurred", START),
    ("firstoccurredat", START),
    ("firstoccurredtime", START),
    ("alarmbegintime", START),
    ("alertbegintime", START),
    ("alarmstarttime", START),
    ("firstoccurrence", START),
    ("raisedat", START),
    ("raisedtime", START),
    ("raisetime", START),
    ("detectedat", START),
    ("openedat", START),
    ("opentime", START),
    ("downsince", START),
    ("downat", START),
    ("firstalarmtime", START),
    ("timestampms", START),
    ("starttimestamp", START),
    ("triggertimestart", START),
    ("problemstarttime", START),
    ("eventstarttime", START),
    ("alertstarttime", START),
    ("时间", AMBIGUOUS),
    ("告警时间", START),
    ("报警时间", START),
    ("事件时间", AMBIGUOUS),
    ("触发时间", START),
    ("触发时刻", START),
    ("发生时间", START),
    ("产生时间", START),
    ("开始时间", START),
    ("告警开始时间", START),
    ("告警发生时间", START),
    ("首次告警时间", START),
    ("首次触发时间", START),
    ("首次发生时间", START),
    ("故障时间", START),
    ("故障发生时间", START),
    ("故障开始时间", START),
    ("startat", START),
    ("starttimeutc", START),
    ("startedtime", START),
    ("receivedat", AMBIGUOUS),
    ("firedat", START),
    ("firedtime", START),
    ("activeat", START),
    ("alarmts", AMBIGUOUS),
    ("alertts", AMBIGUOUS),
    ("changetime", AMBIGUOUS),
    ("downsincetime", START),
];

/// The names of times at which something began; of an end only those that can be of nothing else.
pub(super) fn starts(over: bool) -> &'static [&'static str] {
    static ALL: LazyLock<Vec<&str>> = LazyLock::new(|| names_of(|_| true));
    static SURE: LazyLock<Vec<&str>> = LazyLock::new(|| names_of(|(_, ambiguous)| !ambiguous));
    if over { &SURE } else { &ALL }
}

fn names_of(wanted: impl Fn(&(&'static str, bool)) -> bool) -> Vec<&'static str> {
    STARTS.iter().filter(|start| wanted(start)).map(|(name, _)| *name).collect()
}

/// The names of times of which a body does not say whether something began or ended then.
pub(super) fn moments() -> &'static [&'static str] {
    static AMBIGUOUS_ONES: LazyLock<Vec<&str>> = LazyLock::new(|| names_of(|(_, ambiguous)| *ambiguous));
    &AMBIGUOUS_ONES
}

/// Is it the name of a time at which something began, or may have?
pub(super) fn is_start(name: &str) -> bool {
    static ALL: LazyLock<HashSet<&str>> = LazyLock::new(|| starts(false).iter().copied().collect());
    ALL.contains(name)
}

/// Parts of names of times at which something began and that no later report moves: `time` and `event_time` may be those of
/// the report, and `trigger_time` of its last evaluation.
const BEGUN: [&str; 19] = [
    "start",
    "begin",
    "begun",
    "first",
    "since",
    "fired",
    "firetime",
    "triggered",
    "opened",
    "opentime",
    "raised",
    "raisetime",
    "statechange",
    "downat",
    "activeat",
    "disconnectedat",
    "开始",
    "首次",
    "起始",
];

/// Does a time of this plain name stay the same in each report of one episode?
pub(super) fn begins(name: &str) -> bool {
    BEGUN.iter().any(|part| name.contains(part)) && !name.contains("restart") && !name.contains("last")
}

/// The names of times at which something began, and no report was made.
pub(super) fn begun() -> &'static [&'static str] {
    static BEGUN_THEN: LazyLock<Vec<&str>> = LazyLock::new(|| names_of(|(name, _)| begins(name)));
    &BEGUN_THEN
}

pub(super) const ENDS: &[&str] = &[
    "resolvedat",
    "resolveddatetime",
    "resolvetime",
    "recoverytime",
    "recovertime",
    "endedat",
    "closedat",
    "dateclosed",
    "clearedat",
    "endsat",
    "eventrecoverytime",
    "cleartime",
    "closetime",
    "closedtime",
    "恢复时间",
    "告警恢复时间",
    "故障恢复时间",
    "解决时间",
    "结束时间",
    "清除时间",
];

/// The first time that is given, else under one of these names: of a member, of a day and a time of day in two, of a line.
pub(super) fn time(
    reader: &Reader<'_>,
    given: &str,
    members: &Members<'_>,
    names: &[&str],
    lines: &[(String, String)],
) -> Option<Timestamp> {
    let read =
        |text: &str| moment::read(text, &reader.settings.timezone).and_then(|time| moment::plausible(time, reader.now));
    if !plain::is_missing(given) {
        return read(given);
    }
    let found = members.named(names).into_iter().find_map(|member| match member.value {
        Value::String(text) => read(text),
        Value::Number(number) => read(&number.to_string()),
        _ => None,
    });
    // A day and a time of day in two members or lines.
    let text = |name: &str| {
        let member = members.named(&[name]).into_iter().find_map(|member| tree::said(member.value));
        member.or_else(|| lines.iter().find(|(line, _)| line == name).map(|(_, value)| value.as_str()))
    };
    let pairs = || {
        names.iter().find_map(|name| {
            let day = day_of(name)?;
            read(&format!("{} {}", text(&day)?, text(name)?))
        })
    };
    let in_lines =
        || lines.iter().filter(|(name, _)| names.contains(&name.as_str())).find_map(|(_, value)| read(value));
    found.or_else(pairs).or_else(in_lines)
}

/// Does a member of this plain name hold a time?
pub(super) fn names_moment(name: &str) -> bool {
    is_start(name)
        || ENDS.contains(&name)
        || ["time", "date", "timestamp", "at", "updated"].iter().any(|tail| name.ends_with(tail))
}

/// The name of the day that belongs to a time of day: `event_date` to `event_time`.
fn day_of(name: &str) -> Option<String> {
    let english =
        name.strip_suffix("time").filter(|before| !before.ends_with("date")).map(|before| format!("{before}date"));
    english.or_else(|| name.strip_suffix("时间").map(|before| format!("{before}日期")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_named_as_one() {
        for name in
            ["startsat", "firstoccurrence", "starttime", "triggeredat", "开始时间", "首次告警时间", "alertstarttime"]
        {
            assert!(begins(name), "{name}");
        }
        for name in [
            "time",
            "timestamp",
            "eventtime",
            "triggertime",
            "告警时间",
            "createdat",
            "restarttime",
            "lastfiredat",
            "longdatetime",
        ] {
            assert!(!begins(name), "{name}");
        }
    }
}
