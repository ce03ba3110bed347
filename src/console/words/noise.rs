//! What the page about a week of alerts says.

use crate::stats::{Advice, CHANGES, DAY, NEEDLESS, OFTEN, SELDOM_TAKEN};
use crate::words::{Words, words};

pub(in crate::console) const NOISE: Words = words("一周告警", "Week in alerts");
pub(in crate::console) const ALERTS: Words = words("告警", "Alerts");
pub(in crate::console) const MESSAGES: Words = words("消息", "Messages");
pub(in crate::console) const UNTAKEN: Words = words("没人认领", "Not acknowledged");
pub(in crate::console) const IN_DIGESTS: Words = words("并入摘要", "In digests");
pub(in crate::console) const NOT_DELIVERED: Words = words("没送到", "Not delivered");
pub(in crate::console) const CALLED_NEEDLESS: Words = words("说不该叫醒人", "Called needless");
pub(in crate::console) const UNANSWERED: Words = words("严重，15 分钟没人管", "Critical, 15 min unanswered");
pub(in crate::console) const WEEKDAYS: [Words; 7] = [
    words("周一", "Mon"),
    words("周二", "Tue"),
    words("周三", "Wed"),
    words("周四", "Thu"),
    words("周五", "Fri"),
    words("周六", "Sat"),
    words("周日", "Sun"),
];
pub(in crate::console) const BY_DAY: Words = words("每天的告警", "Alerts by day");
pub(in crate::console) const BY_RULE: Words = words("规则", "Rules");
pub(in crate::console) const BY_RECEIVER: Words = words("接收者", "Receivers");
pub(in crate::console) const BY_SOURCE: Words = words("来源", "Sources");
pub(in crate::console) const ALL_RECEIVERS: Words = words("全部接收者", "All receivers");
/// The columns of a rule, behind its name.
pub(in crate::console) const OF_RULE: [Words; 6] = [
    words("次", "times"),
    words("夜里", "night"),
    words("认领", "acked"),
    words("中位", "median"),
    words("反复", "flaps"),
    words("不该", "needless"),
];
/// The columns of a receiver, behind its name.
pub(in crate::console) const OF_RECEIVER: [Words; 5] = [
    words("消息", "sent"),
    words("没送到", "failed"),
    words("摘要", "digest"),
    words("告警", "alerts"),
    words("夜里", "night"),
];
/// What the columns of a rule are.
pub(in crate::console) const COLUMNS: Words = words(
    "认领：开始的告警里有人认领的；中位：从第一条消息送到，到有人认领；反复：一小时里开始和结束最多几次；不该：有人说不该叫醒他。不到 5 次不算比例和中位。",
    "Acked: of the alerts that began, those that were acknowledged. Median: from the first message until then. Flaps: most \
     beginnings and ends within an hour. Needless: people said that it should not have woken them. Fewer than 5 have no share and no median.",
);
pub(in crate::console) const WORTH: Words = words("值得改", "worth changing");
pub(in crate::console) const NO_PERSON: Words =
    words("这里没有关于某个人的数字。", "No figure here is about one person.");
pub(in crate::console) const QUIET_WEEK: Words =
    words("这一周没有告警，或者记录已按保留期清理。", "There was no alert in this week, or its record was pruned.");
pub(in crate::console) const NOT_OVER: Words = words(
    "这一周还没过完，和前一周的同一段时间比。",
    "This week is not over: “was” is the same part of the week before.",
);
pub(in crate::console) const NOT_WHOLE: Words =
    words("太多，没有数全：实际比这里多。", "There is too much to count: the figures are too low.");
pub(in crate::console) const WEEK_BEFORE: Words = words("前一周", "Week before");
pub(in crate::console) const AS_TABLE: Words = words("CSV 表格", "CSV table");
pub(in crate::console) const UNTIL_TAKEN: Words = words("到认领，中位", "Until acked, median");
pub(in crate::console) const ON_FOR: Words = words("持续，中位", "On for, median");
pub(in crate::console) const LATE: Words = words("晚于一分钟送到", "Later than a minute");
pub(in crate::console) const WEEK_AFTER: Words = words("后一周", "Week after");

/// Which week; days are written as `11-23`.
pub(in crate::console) fn week(number: i8, first: &str, last: &str) -> Words {
    (format!("第 {number} 周（{first} 至 {last}）"), format!("Week {number} ({first} to {last})")).into()
}

/// The hours in which people sleep.
pub(in crate::console) fn at_night() -> Words {
    let (from, until) = (DAY.end, DAY.start);
    (format!("夜里（{from}–{until} 点）"), format!("Night, {from}–{until} h")).into()
}

/// The hours in which they do not.
pub(in crate::console) const AT_DAY: Words = words("白天", "by day");

/// What it was in the week before, and the change, if there is one to tell.
pub(in crate::console) fn was(before: &str, change: &str) -> Words {
    if change.is_empty() {
        return (format!("前一周 {before}"), format!("was {before}")).into();
    }
    (format!("{change}，前一周 {before}"), format!("{change}, was {before}")).into()
}

/// Rules, and how many of them are worth changing.
pub(in crate::console) fn rules_worth(count: &str, worth: usize) -> Words {
    if worth == 0 {
        return (format!("规则 {count}"), format!("Rules: {count}")).into();
    }
    (format!("规则 {count}，值得改 {worth}"), format!("Rules: {count}, {worth} worth changing")).into()
}

/// Rules that are not listed.
pub(in crate::console) fn rest(rules: &str, fired: &str) -> Words {
    (format!("另有 {rules} 条规则，共 {fired} 次。"), format!("{rules} more rules, {fired} times in all.")).into()
}

/// Why a rule is worth changing, and what helps.
pub(in crate::console) fn advice(advice: Advice) -> Words {
    match advice {
        Advice::Needless => words(
            "被叫醒的人说不该：降级、改到白天，或删掉",
            "those it woke say it should not have: lower its severity, tell it by day, or drop it",
        ),
        Advice::Untaken => words(
            "几乎没人认领：提高门槛、降级，或删掉",
            "hardly ever acknowledged: raise its threshold, lower its severity, or drop it",
        ),
        Advice::Flapping => words("反复：把 for 加长", "goes on and off: a longer `for` keeps it quiet"),
    }
}

/// When a rule is worth changing.
pub(in crate::console) fn when_worth() -> Words {
    (
        format!("值得改：至少 {NEEDLESS} 次有人说不该叫醒人，或者一周至少 {OFTEN} 次而认领的不到 {SELDOM_TAKEN} %，或者一小时里反复至少 {CHANGES} 次。"),
        format!(
            "Worth changing: called needless at least {NEEDLESS} times, or at least {OFTEN} times in the week with less than {SELDOM_TAKEN} % acknowledged, or at least {CHANGES} \
             beginnings and ends within an hour."
        ),
    )
        .into()
}

/// A day for those who hear the page.
pub(in crate::console) fn day(day: &Words, fired: &str, night: &str) -> Words {
    (format!("{} {fired}（夜里 {night}）", day.zh), format!("{} {fired} ({night} at night)", day.en)).into()
}

/// Alerts of a source.
pub(in crate::console) fn of_source(fired: &str, night: &str) -> Words {
    (format!("{fired} 次，夜里 {night}"), format!("{fired} alerts, {night} at night")).into()
}

/// A time that people waited, in its largest unit.
pub(in crate::console) fn waited(seconds: u64) -> Words {
    let (count, zh, en) = match seconds {
        0..60 => (seconds, "秒", "s"),
        60..7_200 => (seconds.div_ceil(60), "分", "min"),
        7_200..172_800 => (seconds / 3_600, "小时", "h"),
        _ => (seconds / 86_400, "天", "d"),
    };
    (format!("{count} {zh}"), format!("{count} {en}")).into()
}
