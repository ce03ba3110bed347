//! When it began and ended: the names of times, and what stands under them.

use serde_json::Value;

use super::super::tree::{self, Members};
use super::super::{moment, plain};
use super::Reader;
use crate::alert::Timestamp;

pub(super) const STARTS: &[&str] = &[
    "startedat",
    "startsat",
    "starttime",
    "fireddatetime",
    "triggeredat",
    "triggertime",
    "firsttriggertime",
    "firsttimestamp",
    "datestarted",
    "firstoccurtime",
    "occurat",
    "occurredat",
    "occurtime",
    "alerttime",
    "firetime",
    "statechangetime",
    "begintime",
    "createdat",
    "timestamp",
    "time",
    "date",
    "datetime",
    "eventtime",
    "eventdatetime",
    "happenedat",
    "ts",
    "clock",
    "timecreated",
    "eventtimestamp",
    "statechangedtimestamp",
    "statechangedat",
    "disconnectedat",
    "processstarttime",
    "happentime",
    "incidenttime",
    "incidenttimeiso",
    "outagetime",
    "statestarttime",
    "alertdatetime",
    "alarmtime",
    "longdatetime",
    "localdatetime",
    "firstseen",
    "firstoccurrence",
    "raisedat",
    "raisedtime",
    "raisetime",
    "detectedat",
    "openedat",
    "opentime",
    "downsince",
    "downat",
    "firstalarmtime",
    "timestampms",
    "starttimestamp",
    "triggertimestart",
    "problemstarttime",
    "eventstarttime",
    "alertstarttime",
    "时间",
    "告警时间",
    "报警时间",
    "事件时间",
    "触发时间",
    "触发时刻",
    "发生时间",
    "产生时间",
    "开始时间",
    "告警开始时间",
    "告警发生时间",
    "首次告警时间",
    "首次触发时间",
    "首次发生时间",
    "故障时间",
    "故障发生时间",
    "故障开始时间",
];
/// Times of which a body does not say whether something began or ended then.
pub(super) const MOMENTS: &[&str] = &[
    "statechangetime",
    "timestamp",
    "time",
    "date",
    "datetime",
    "eventtime",
    "eventdatetime",
    "alerttime",
    "alertdatetime",
    "alarmtime",
    "longdatetime",
    "localdatetime",
    "ts",
    "clock",
    "timecreated",
    "eventtimestamp",
    "statechangedtimestamp",
    "statechangedat",
    "时间",
    "告警时间",
    "报警时间",
    "事件时间",
];
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
    STARTS.contains(&name)
        || ENDS.contains(&name)
        || ["time", "date", "timestamp", "at", "updated"].iter().any(|tail| name.ends_with(tail))
}

/// The name of the day that belongs to a time of day: `event_date` to `event_time`.
fn day_of(name: &str) -> Option<String> {
    let english =
        name.strip_suffix("time").filter(|before| !before.ends_with("date")).map(|before| format!("{before}date"));
    english.or_else(|| name.strip_suffix("时间").map(|before| format!("{before}日期")))
}
