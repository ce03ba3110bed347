//! The words of a body without what was measured and when: a body that differs in nothing else is about the same alert.
//!
//! Only what is certainly a measurement or a time is left out: an amount with a sign of its own (`95%`), a number behind a
//! word for a value (`当前值：95`), a duration, a member that is named as a value or a counter. Any other number may be the
//! name of a thing (`端口 3306`, `disk 3`), and so may be a limit (`> 90%`), which tells two rules of one measure apart.

use std::sync::LazyLock;

use regex::Regex;

use super::super::lexicon::{self, Word, is_han};
use super::super::listed::Listed;
use super::super::tree::Leaf;
use super::{Reader, moment, place, rest, state, when};
use crate::level::{self, plain_name};
use crate::pattern::regex;

/// Words that a measured number stands behind, and parts of the names of members that hold one.
static MEASURES: Listed = Listed::of(
    "value val values current currently cur now usage used utilization utilisation rate ratio percent \
    percentage pct lag latency delay avg average temperature temp humidity duration elapsed uptime left remaining runtime \
    took count counts counter times occurrences occurrence hits matches attempts retries",
);
const MEASURES_HAN: [&str; 40] = [
    "当前",
    "当前值",
    "目前",
    "现值",
    "实际值",
    "监控值",
    "测量值",
    "实测值",
    "采集值",
    "指标值",
    "触发值",
    "数值",
    "使用率",
    "利用率",
    "占用率",
    "成功率",
    "失败率",
    "错误率",
    "丢包率",
    "延迟",
    "时延",
    "耗时",
    "用时",
    "历时",
    "持续",
    "持续时间",
    "响应时间",
    "温度",
    "湿度",
    "积压",
    "堆积",
    "剩余",
    "次数",
    "数量",
    "已用",
    "天数",
    "目前值",
    "数",
    "率",
    "量",
];
/// Words that are followed by a limit, not by a measured value.
static LIMITS: Listed = Listed::of(
    "above below over under than exceed exceeds exceeded exceeding reach reaches reached threshold limit least most",
);
const LIMITS_HAN: [&str; 14] =
    ["大于", "小于", "超过", "超出", "达到", "高于", "低于", "不足", "阈值", "阀值", "门限", "上限", "下限", "等于"];
/// What stands behind such a number.
const LIMITS_BEHIND: [&str; 6] = ["阈值", "门限", "告警线", "threshold", "limit", "quota"];
/// Words before and behind a time that something lasts.
static LASTING: Listed = Listed::of("for lag latency delay took after within in lasted uptime expires");
const LASTING_HAN: [&str; 10] = ["持续", "延迟", "耗时", "用时", "历时", "已", "剩余", "还有", "落后", "将在"];
const LASTING_BEHIND: [&str; 9] = ["ago", "behind", "left", "remaining", "后到期", "后过期", "前", "未响应", "无响应"];
const DURATIONS: &[&str] = &[
    "毫秒",
    "微秒",
    "秒钟",
    "秒",
    "分钟",
    "小时",
    "天",
    "milliseconds",
    "seconds",
    "second",
    "secs",
    "sec",
    "minutes",
    "minute",
    "mins",
    "min",
    "hours",
    "hour",
    "hrs",
    "hr",
    "days",
    "day",
    "ms",
    "s",
    "m",
    "h",
    "d",
];
/// Units that nothing but an amount has.
const SIGNS: &[&str] = &["%", "％", "‰", "℃", "°c", "次"];
/// Those of things that are counted; behind 第 it is which one.
const COUNTED: &[&str] = &["条", "台", "个", "笔", "件"];
/// Other units, of a number behind a word for a value.
const UNITS: &[&str] = &[
    "tib", "gib", "mib", "kib", "tb", "gb", "mb", "kb", "bytes", "byte", "b", "qps", "tps", "rpm", "dbm", "db", "v",
    "kv", "a", "ma", "w", "kw", "t", "g", "k", "万", "千", "人",
];
/// Members that name the report, and nothing that it is about.
const REPORTS: [&str; 12] = [
    "msgid",
    "requestid",
    "reqid",
    "traceid",
    "spanid",
    "nonce",
    "deliveryid",
    "notificationid",
    "pushid",
    "logid",
    "sequenceid",
    "executionid",
];

/// Bytes of a text in which amounts are looked for. A longer one is a report, and its words are compared as they are.
const LONGEST: usize = 64 << 10;
/// Characters behind a number that tell whether it was measured.
const NEAR: usize = 32;

static NUMBER: LazyLock<Regex> = LazyLock::new(|| regex(r"\d+(?:\.\d+)?"));
/// A day with a time of day, or a time of day to the second. A day alone may name what failed (`11月29日对账`).
static MOMENT: LazyLock<Regex> = LazyLock::new(|| {
    regex(concat!(
        r"(?ix) (?: \d{4} [-/.年] \d{1,2} [-/.月] \d{1,2} 日? | \d{1,2} [-/月] \d{1,2} 日? ",
        r"  | (?: jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec )[a-z]* \.? \s+ \d{1,2} (?: ,? \s+ \d{4} )? ",
        r"  | \d{1,2} \s+ (?: jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec )[a-z]* \s+ \d{4} ) ",
        r"  [\sT,]* (?: 上午 | 下午 | 凌晨 | 晚上? )? \s* \d{1,2} : \d{2} (?: : \d{2} (?: [.,] \d+ )? )? ",
        r"  (?: \s* [ap]m (?-u:\b) )? (?: \s* (?: Z | UTC | GMT | CST ) (?-u:\b) | [+-] \d{2} :? \d{2} )?",
    ))
});
static CLOCK: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"(^|[^0-9A-Za-z:./-])(?:(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:[.,]\d+)?)($|[^0-9A-Za-z:/-])")
});
/// `at 15:02`: without such a word it may be the name of a port.
static AT: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"(?i)((?-u:\b)(?:at|since|until)\s+|于|自|时间[:：]?\s*)(?:[01]?\d|2[0-3]):[0-5]\d($|[^0-9A-Za-z:/-])")
});
/// The time that the link to a page of graphs begins or ends at.
static SPAN: LazyLock<Regex> =
    LazyLock::new(|| regex(r"([?&](?:from|to|ts|t|time|timestamp|start|end|starttime|endtime)=)\d+"));

/// The words of a body by which a repeat is known, and those that a repeat in another level or state has as well.
pub(super) struct Alike {
    /// Everything but what was measured and when, and the number of the report.
    pub exact: String,
    /// The same without levels and the word for its state: not for two that are open to be one, but for an end of both.
    pub loose: String,
}

pub(super) fn of(reader: &Reader<'_>, leaves: &[Leaf]) -> Alike {
    let (mut exact, mut loose) = (Vec::new(), Vec::new());
    for leaf in leaves {
        let name = leaf.path.last().map_or("", String::as_str);
        let plain = plain_name(name);
        let is_report = REPORTS.contains(&plain.as_str());
        if rest::is_secret(&leaf.path) || is_report || reader.is_time(leaf) || is_measured(&leaf.path, &leaf.text) {
            continue;
        }
        let words = format!("{plain}\n{}", of_text(reader, &leaf.text, false));
        if !is_of_the_moment(&plain, &leaf.text) {
            loose.push(format!("{plain}\n{}", of_text(reader, &leaf.text, true)));
        }
        exact.push(words);
    }
    let digest = |mut all: Vec<String>| {
        all.sort_unstable();
        super::digest(all.iter().map(String::as_str))
    };
    Alike { exact: digest(exact), loose: digest(loose) }
}

/// May a repeat of one alert have another value there? A level, or a state that is one of trouble.
fn is_of_the_moment(plain: &str, value: &str) -> bool {
    level::NAMES.contains(&plain)
        || state::STRONG.contains(&plain) && lexicon::of_value(value).is_none_or(|word| word == Word::Firing)
}

/// Does a member hold a number that was measured or counted?
fn is_measured(path: &[String], value: &str) -> bool {
    let is_index = |name: &&String| !name.bytes().all(|byte| byte.is_ascii_digit());
    let mut names = path.iter().rev().filter(is_index);
    let Some(last) = names.next() else { return false };
    // `values.A`, `current.value`.
    let holder = names.next().filter(|_| last.chars().count() <= 2);
    let measures = |name: &String| {
        let words = super::things::words(name);
        let plain = plain_name(name);
        words.iter().any(|word| MEASURES.has(word))
            || MEASURES_HAN.iter().any(|measure| plain.ends_with(measure))
            || plain.ends_with('值')
            || ["value", "count", "usage"].iter().any(|end| plain.ends_with(end))
    };
    let is_limit = |name: &String| {
        let plain = plain_name(name);
        ["threshold", "limit", "max", "min", "限值", "门槛"].iter().any(|limit| plain.contains(limit))
            || LIMITS_HAN.iter().any(|limit| plain.contains(limit))
    };
    let is_named = [Some(last), holder].into_iter().flatten().any(measures) && !is_limit(last);
    is_named && is_amount(value)
}

/// Is it a number with or without a unit, and nothing else?
fn is_amount(value: &str) -> bool {
    let value = value.trim().trim_start_matches(['-', '+']);
    let Some(number) = NUMBER.find(value).filter(|number| number.start() == 0) else { return false };
    let unit = value[number.end()..].trim();
    unit.is_empty() || unit_at(unit).is_some_and(|(_, length)| length == unit.len())
}

fn of_text(reader: &Reader<'_>, text: &str, loose: bool) -> String {
    if text.len() > LONGEST {
        return super::digest(std::iter::once(text));
    }
    let passes = |line: &&str| {
        let Some((name, value)) = place::pair(line) else { return true };
        let is_time = when::names_moment(&name) && moment::read(&value, &reader.settings.timezone).is_some();
        let is_level = loose && is_of_the_moment(&name, &value);
        !is_time && !is_level && !REPORTS.contains(&name.as_str()) && !is_measured(std::slice::from_ref(&name), &value)
    };
    text.lines().filter(passes).map(without_amounts).collect::<Vec<_>>().join("\n")
}

/// A line without times and measured amounts, with single blanks.
fn without_amounts(line: &str) -> String {
    let line = SPAN.replace_all(line, "$1#");
    let line = MOMENT.replace_all(&line, "#");
    let line = CLOCK.replace_all(&line, "$1#$2");
    let line = AT.replace_all(&line, "$1#$2");
    let mut out = String::with_capacity(line.len());
    let mut from = 0;
    for number in NUMBER.find_iter(&line) {
        if let Some(length) = measured(&line[..number.start()], &line[number.end()..]) {
            out.push_str(&line[from..number.start()]);
            out.push('#');
            from = number.end() + length;
        }
    }
    out.push_str(&line[from..]);
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The beginning of what stands behind a number: all that tells about it, however long the line is.
fn near(text: &str) -> &str {
    text.char_indices().nth(NEAR).map_or(text, |(end, _)| &text[..end])
}

/// Is the number between these two measured? The bytes of the unit behind it.
pub(in crate::ingest) fn measured(before: &str, after: &str) -> Option<usize> {
    let unsigned =
        before.strip_suffix(['-', '+']).filter(|left| left.ends_with([' ', '=', ':', '：'])).unwrap_or(before);
    let glued = unsigned.chars().next_back();
    if glued.is_some_and(|last| last.is_ascii_alphanumeric() || "-_./@#,".contains(last)) {
        return None;
    }
    let lead = unsigned.trim_end().trim_end_matches(['约', '：', ':', '=', '为', '是', '(', '（', ' ']);
    let lead = lead.strip_suffix(" is").or_else(|| lead.strip_suffix(" at")).unwrap_or(lead);
    let is_compared = unsigned.trim_end().ends_with(['<', '>', '≥', '≤'])
        || [">=", "<=", "=="].iter().any(|sign| unsigned.trim_end().ends_with(sign));
    if is_compared || stands_behind(lead, &LIMITS, &LIMITS_HAN) {
        return None;
    }
    let blank = after.len() - after.trim_start().len();
    let unit = unit_at(after.trim_start()).filter(|(_, length)| ends(after.trim_start(), *length));
    let length = unit.map_or(0, |(_, length)| blank + length);
    let behind = near(after[length..].trim_start());
    if is_limit(behind) {
        return None;
    }
    let is_measured = match unit.map(|(kind, _)| kind) {
        Some(Unit::Sign) => true,
        Some(Unit::Counted) => !lead.ends_with('第'),
        Some(Unit::Lasting) => {
            stands_behind(lead, &LASTING, &LASTING_HAN)
                || stands_behind(lead, &MEASURES, &MEASURES_HAN)
                || LASTING_BEHIND.iter().any(|word| behind.to_lowercase().starts_with(word))
        }
        Some(Unit::Other) => stands_behind(lead, &MEASURES, &MEASURES_HAN),
        None => stands_behind(lead, &MEASURES, &MEASURES_HAN) && ends(after, 0),
    };
    is_measured.then_some(length)
}

/// Does a word for a limit follow that has no number of its own (`90% 阈值`)?
fn is_limit(behind: &str) -> bool {
    let lower = behind.to_lowercase();
    LIMITS_BEHIND.iter().filter_map(|limit| lower.strip_prefix(limit)).any(|rest| {
        let rest = rest.trim_start_matches(|letter: char| letter.is_whitespace() || ":：=<>≥≤为是".contains(letter));
        !rest.starts_with(|letter: char| letter.is_ascii_digit())
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Sign,
    Counted,
    Lasting,
    Other,
}

/// The unit that a text begins with, and its bytes.
fn unit_at(text: &str) -> Option<(Unit, usize)> {
    let head: String = text.chars().take(12).collect::<String>().to_lowercase();
    let lists = [(SIGNS, Unit::Sign), (COUNTED, Unit::Counted), (DURATIONS, Unit::Lasting), (UNITS, Unit::Other)];
    let all = lists.iter().flat_map(|(units, kind)| units.iter().map(move |unit| (*kind, *unit)));
    // A sign of one letter in capitals has as many bytes.
    let found = all.filter(|(_, unit)| head.starts_with(unit)).max_by_key(|(_, unit)| unit.len());
    found.map(|(kind, unit)| (kind, unit.len())).filter(|(_, length)| text.is_char_boundary(*length))
}

/// Is it the unit of an amount, and nothing else? No word for what is counted.
pub(super) fn is_unit(text: &str) -> bool {
    unit_at(text).is_some_and(|(kind, length)| kind != Unit::Counted && length == text.len())
}

/// Does nothing that is part of a name follow? Behind a unit in Han, or a sign, anything may.
fn ends(text: &str, at: usize) -> bool {
    let unit = text[..at].chars().next_back();
    let next = text[at..].chars().next();
    match unit {
        Some(letter) if !letter.is_ascii_alphanumeric() => true,
        Some(_) => next.is_none_or(|next| !next.is_ascii_alphanumeric() && !"-_/".contains(next)),
        None => next.is_none_or(|next| !next.is_alphanumeric() && !"-_/:".contains(next)),
    }
}

/// Is the last word one of these?
fn stands_behind(lead: &str, words: &Listed, han: &[&str]) -> bool {
    if lead.chars().next_back().is_some_and(is_han) {
        return han.iter().any(|word| lead.ends_with(word))
            && !["参数", "函数", "编号"].iter().any(|name| lead.ends_with(name));
    }
    let word = lead.rsplit(|letter: char| !letter.is_ascii_alphabetic()).next().unwrap_or_default().to_lowercase();
    words.has(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_loses_what_was_measured_and_when() {
        for (line, left) in [
            ("CPU 91%", "CPU #"),
            ("app-5 内存使用率 91.5%，当前值：95", "app-5 内存使用率 #，当前值：#"),
            ("内存使用率91% 阈值 80%", "内存使用率# 阈值 80%"),
            ("CPU 95.2% > 90%", "CPU # > 90%"),
            ("usage=95.2 on disk 3", "usage=# on disk 3"),
            ("主从延迟 312 秒", "主从延迟 #"),
            ("lag 312s behind", "lag # behind"),
            ("证书将在 5 天后到期", "证书将在 #后到期"),
            ("积压 12034 条", "积压 #"),
            ("第2次告警", "第#告警"),
            ("2026-11-30 15:02:11 db-1 down", "# db-1 down"),
            ("Nov 30 15:02:11 host sshd: fail", "# host sshd: fail"),
            ("down since 15:02", "down since #"),
            ("温度 35.5℃", "温度 #"),
        ] {
            assert_eq!(without_amounts(line), left, "{line}");
        }
    }

    #[test]
    fn a_line_keeps_every_number_that_may_name_a_thing_or_a_limit() {
        for line in [
            "端口 3306 不通",
            "port 3306 down",
            "disk 3 failed",
            "GigabitEthernet1/0/24 down",
            "10.0.0.1:9100 宕机",
            "order 12345 failed",
            "CPU > 90%",
            "使用率超过 90%",
            "usage above 90%",
            "90% threshold passed",
            "1分钟负载过高",
            "load 5min high",
            "第3个节点离线",
            "web-95% x",
            "11月29日对账失败",
            "2026-11-29 bill missing",
            "Port 10:24 down",
            "rack 2b",
            "+12V rail",
            "TLS 1.2 refused",
            "500 元支付失败",
            "00:11:22:33:44:55 left",
            "3号楼 2号机柜掉电",
            "vm101 failed",
            "cpu95",
            "queue 5 full",
            "线路 2 中断",
        ] {
            assert_eq!(without_amounts(line), line);
        }
    }

    #[test]
    fn members_that_were_measured_or_counted() {
        for (path, value) in [
            (&["value"][..], "95"),
            (&["currentValue"], "95.2%"),
            (&["values", "A"], "91"),
            (&["occurrences"], "5"),
            (&["event_count"], "5"),
            (&["当前指标值"], "96%"),
            (&["days_left"], "5"),
            (&["持续时间"], "5分钟"),
        ] {
            let path: Vec<String> = path.iter().map(|name| (*name).to_owned()).collect();
            assert!(is_measured(&path, value), "{path:?}");
        }
        for (path, value) in [
            (&["port"][..], "95"),
            (&["disk"], "3"),
            (&["threshold"], "90"),
            (&["value"], "web-1"),
            (&["code"], "5"),
            (&["limitValue"], "90"),
            (&["id"], "7"),
            (&["阈值"], "90%"),
        ] {
            let path: Vec<String> = path.iter().map(|name| (*name).to_owned()).collect();
            assert!(!is_measured(&path, value), "{path:?}");
        }
    }
}
