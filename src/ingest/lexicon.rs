//! The words for states: one lexicon for members, titles, lines of text and the texts of robots.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::level::{Level, half_width, simplified};

/// What a word says of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Word {
    /// There is trouble.
    Firing,
    /// The trouble is over.
    Resolved,
    /// Acknowledged or silenced upstream: it neither begins nor ends.
    Held,
    /// It cannot be judged for want of data.
    NoData,
    /// Neither trouble nor its end.
    Notice,
}

const FIRING: &str = "firing|fired|fire|alerting|in alarm|triggered|trigger|re triggered|retriggered|renotify|open|opened|\
    reopen|reopened|active|activated|alert|alarm|problem|down|unreachable|fail|failed|failure|failing|error|errors|failures|errored|broken|\
    unhealthy|degraded|exceeded|breached|anomaly|anomalous|abnormal|danger|unstable|timeout|timed out|offline|crash|\
    crashed|fault|unresolved|identified|investigating|monitoring|violated|critical|crit|warning|warn|major|minor|emergency|\
    fatal|outage|lost|out of sync|not ready|notready|crashloopbackoff|oomkilled|evicted|disconnected|dead|outofsync|err|stall|stalled|stuck|告警|报警|告警中|报警中|产生告警|触发|已触发|触发告警|出现告警|故障|异常|失败|离线|宕机|不可用|未恢复|\
    超时|错误|报错|出错|过高|过低|过多|过大|过慢|不足|将满|已满|超限|超标|飙升|激增|骤降|积压|堆积|泄漏|丢失|耗尽|崩溃|不通|中断|断开|掉线|\
    失联|发生|持续告警|持续中|重复告警|告警升级|问题|警告|严重|紧急|致命|灾难|不健康|未通过|不可达|降级|已降级|只读|不可写|变慢|阻塞|产生|新增|未处理|待处理|未解决|未关闭|未消除|未清除|告警触发|故障告警|异常告警|已告警|已报警|越限|越上限|越下限|告警上报|上报告警|障害|エラー|ダウン|事件开启|告警开启|报警开启|损毁|已损毁|损坏|已损坏|threshold met|alm|tripped|gaojing|baojing|guzhang|yichang|weihuifu";
const RESOLVED: &str = "resolved|resolve|ok|okay|recovered|recovery|recover|normal|back to normal|up|online|closed|close|\
    cleared|clear|deactivated|inactive|healthy|success|successful|succeeded|passed|pass|fixed|completed|complete|finished|\
    green|good|operational|available|reachable|alive|restored|ended|solved|passing|connected|reconnected|已恢复|恢复|恢复正常|已恢复正常|正常|解决|已解决|解除|\
    已解除|告警解除|报警解除|告警恢复|报警恢复|故障恢复|恢复通知|恢复告警|恢复报警|告警已恢复|报警已恢复|关闭|已关闭|告警关闭|修复|已修复|消除|\
    已消除|告警消除|成功|完成|已完成|通过|已通过|上线|已上线|在线|存活|可用|健康|结束|已结束|正常运行|告警结束|告警已解除|告警已关闭|故障解除|\
    故障已恢复|故障消除|清除|已清除|告警清除|告警已清除|消警|已消警|告警已消除|已通|已连通|已接通|复归|已复归|复位|已复位|归位|复旧|已续期|续期成功|退出告警|解消|rtn|redundant|repaired|huifu|yihuifu|zhengchang|yijiejue|jiechu|yijiechu|\
    复旧しました|回复しました|解消しました|解决しました";
const HELD: &str = "acknowledged|acknowledge|ack|acked|acknowledgement|assigned|in progress|silenced|silence|snoozed|snooze|\
    muted|suppressed|已确认|确认|已认领|认领|处理中|已静默|静默|已屏蔽|屏蔽|已抑制|merged";
const NO_DATA: &str = "no data|nodata|re no data|insufficient data|insufficientdata|missing|missing data|missingdata|stale|无数据|数据断档|数据不足|数据缺失";
const NOTICE: &str = "pending|running|started|queued|waiting|skipped|canceled|cancelled|aborted|paused|maintenance|\
    scheduled|info|notice|notification|updated|test|created|deleted|note|unknown|progressing|测试|通知|提醒|维护|暂停|进行中|排队|\
    取消|已取消|撤销|已撤销|withdrawn|开始";

/// Signs that say it alone.
const FIRING_SIGNS: &str = "🔴❌🚨⛔🔥💥❗‼🛑🆘💔👎☠⚠🟠🟡✖❎";
const RESOLVED_SIGNS: &str = "✅🟢💚☑✔👍🆗🎉";

/// Names of signs in chats.
const FIRING_CODES: &[&str] =
    &["x", "fire", "rotating_light", "red_circle", "warning", "no_entry", "boom", "skull", "sos"];
const RESOLVED_CODES: &[&str] =
    &["white_check_mark", "heavy_check_mark", "large_green_circle", "green_heart", "ok", "+1", "tada"];

/// The longest word in characters, and the longest value that is taken for a state.
const LONGEST: usize = 48;
/// Words of the longest entry.
const ENTRY_WORDS: usize = 3;

/// Before a success: who succeeded did harm (`暴力破解成功`).
const HARMS: &[&str] = &["破解", "攻击", "入侵", "注入", "爆破", "提权", "劫持", "渗透", "逃逸"];
const SUCCEEDED: &[&str] = &["成功", "完成", "已完成"];
/// Before a Han word: it is not so (`未恢复`), which turns an end into trouble and trouble into nothing.
const NOT_YET: &[&str] = &[
    "未",
    "没有",
    "没",
    "无法",
    "不",
    "非",
    "无",
    "不再",
    "未发现",
    "没有发现",
    "未见",
    "未出现",
    "未检测到",
    "不存在",
    "零",
];
/// Between such a word and what it denies.
const ANY: &[&str] = &["任何", "明显", "其他", "其它", "新", "新的", "新增"];
/// In a clause: it is asked for or expected, not told.
const WISHED: &[&str] = &["请", "尽快", "待", "如需", "需要", "等待", "即将", "能否", "是否", "如果", "若"];
const NOT: &[&str] =
    &["not", "no", "isn't", "isnt", "never", "un", "non", "cannot", "can't", "without", "0", "zero", "longer"];

static WORDS: LazyLock<HashMap<&'static str, Word>> = LazyLock::new(|| {
    let lists = [
        (NOTICE, Word::Notice),
        (NO_DATA, Word::NoData),
        (HELD, Word::Held),
        (RESOLVED, Word::Resolved),
        (FIRING, Word::Firing),
    ];
    lists.into_iter().flat_map(|(words, word)| words.split('|').map(move |text| (text.trim(), word))).collect()
});

impl Word {
    const fn turned(self) -> Option<Self> {
        match self {
            Self::Resolved => Some(Self::Firing),
            Self::Firing | Self::Held | Self::NoData | Self::Notice => None,
        }
    }

    const fn is_strong(self) -> bool {
        !matches!(self, Self::Notice)
    }
}

/// Words that say a state only if they are the whole of it: in a sentence they are something else (`设备不活跃`).
const WHOLE: [(&str, Word); 9] = [
    ("活跃", Word::Firing),
    ("不活跃", Word::Resolved),
    ("非活跃", Word::Resolved),
    ("返回", Word::Resolved),
    ("绿", Word::Resolved),
    ("done", Word::Resolved),
    ("已处理", Word::Resolved),
    ("已处置", Word::Resolved),
    ("未处置", Word::Firing),
];

/// What exactly this text says, without decoration around it.
pub(super) fn exact(text: &str) -> Option<Word> {
    if text.len() > LONGEST * 4 {
        return None;
    }
    let text = bare(text);
    WORDS.get(text.as_str()).copied().or_else(|| WORDS.get(separated(&text).as_str()).copied())
}

/// The same of the whole value of a state.
pub(super) fn whole(text: &str) -> Option<Word> {
    let text = bare(text);
    WHOLE.iter().find(|(word, _)| *word == text).map(|(_, word)| *word)
}

/// What the value of a member says: the whole, else its words, of which the last that says anything wins
/// (`ALERT_RECOVERY` is an end, `recovery_failed` is none). Long texts and placeholders say nothing.
pub(super) fn of_value(text: &str) -> Option<Word> {
    let text = text.trim();
    if text.chars().count() > LONGEST || text.contains(['\n', '\r']) || super::plain::has_placeholder(text) {
        return None;
    }
    let spaced = separated(text);
    exact(text)
        .or_else(|| whole(text))
        .or_else(|| of_item(&spaced.split(' ').collect::<Vec<_>>()))
        .or_else(|| of_words(&bare(text)))
        .or_else(|| of_words(&uncamel(text)))
        .or_else(|| sign(text))
}

/// `linkDown` as `link Down`.
fn uncamel(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 4);
    let mut before = ' ';
    for letter in text.chars() {
        if letter.is_ascii_uppercase() && before.is_ascii_lowercase() {
            out.push(' ');
        }
        out.push(letter);
        before = letter;
    }
    out
}

/// What the value of a member says that is a kind rather than a state (`event_type`): only an exact or a last word
/// counts, and no word that is as well the name of a kind of event.
pub(super) fn of_kind(text: &str) -> Option<Word> {
    const KINDS: &[&str] = &[
        "alert",
        "alarm",
        "problem",
        "warning",
        "warn",
        "error",
        "critical",
        "completed",
        "complete",
        "finished",
        "success",
        "passed",
        "major",
        "minor",
        "monitoring",
        "info",
        "active",
        "open",
        "告警",
        "报警",
        "问题",
        "警告",
        "错误",
        "严重",
        "紧急",
        "fire",
        "missing",
        "stale",
        "good",
        "green",
        "available",
        "完成",
    ];
    let text = text.trim();
    if text.chars().count() > LONGEST || text.contains('\n') || super::plain::has_placeholder(text) {
        return None;
    }
    let plain = bare(text);
    let spaced = separated(&uncamel(text));
    let mut words: Vec<&str> = spaced.split(' ').collect();
    if let Some(word) = of_run(text, &words) {
        return Some(word);
    }
    // `POLICY_CLOSE_CRITICAL` and `ResolvedCritical` are of a level, and say a state before it.
    while words.len() > 1 && words.last().is_some_and(|last| Level::of(last).is_some()) {
        words.pop();
    }
    let last = words.last().copied().unwrap_or_default();
    let said = |text: &str| (!KINDS.contains(&text)).then(|| WORDS.get(text).copied()).flatten();
    if let Some(word) = of_item(&words) {
        return Some(word);
    }
    let two = words.len().checked_sub(2).map(|from| words[from..].join(" "));
    said(&plain)
        .or_else(|| said(&two?))
        .or_else(|| said(last))
        .or_else(|| if KINDS.contains(&last) { None } else { han(last) })
        .filter(|_| words.len() < 2 || !NOT.contains(&words[words.len() - 2]))
}

/// The level behind a state in the name of a kind: `POLICY_OPEN_CRITICAL`, `ResolvedWarning`.
pub(super) fn level_of_kind(text: &str) -> Option<String> {
    let text = text.trim();
    if text.len() > LONGEST || text.contains(char::is_whitespace) {
        return None;
    }
    let spaced = separated(&uncamel(text));
    let (before, last) = spaced.rsplit_once(' ')?;
    let says = |word: &str| matches!(WORDS.get(word), Some(Word::Firing | Word::Resolved));
    (Level::of(last).is_some() && before.split(' ').any(says)).then(|| last.to_owned())
}

/// `resolved_item`, `new_issue`: what happened to one of what a program keeps.
fn of_item(words: &[&str]) -> Option<Word> {
    const ITEMS: [&str; 8] = ["item", "issue", "incident", "alert", "alarm", "problem", "error", "occurrence"];
    const SPANS: [&str; 6] = ["attack", "alarm", "alert", "incident", "outage", "violation"];
    let [happened, item] = words else { return None };
    // `attack_start`, `alarm_end`.
    match *item {
        "start" | "begin" | "started" if SPANS.contains(happened) => return Some(Word::Firing),
        "end" | "stop" | "ended" | "stopped" | "over" if SPANS.contains(happened) => return Some(Word::Resolved),
        _ => {}
    }
    match *happened {
        _ if !ITEMS.contains(item) => None,
        "new" | "reopened" | "reactivated" | "opened" | "triggered" => Some(Word::Firing),
        "resolved" | "closed" | "recovered" | "cleared" => Some(Word::Resolved),
        _ => None,
    }
}

/// `jobs.on_failure`, `deployment.error`: how something that ran went.
fn of_run(text: &str, words: &[&str]) -> Option<Word> {
    let [.., before, last] = words else { return None };
    let is_run = *before == "on" || text.ends_with(&format!(".{last}"));
    match *last {
        "failure" | "failed" | "error" | "errored" if is_run => Some(Word::Firing),
        "success" | "succeeded" if is_run => Some(Word::Resolved),
        // `NewErrorOccurred`
        "occurred" if matches!(*before, "error" | "failure" | "fault" | "problem" | "alarm") => Some(Word::Firing),
        _ => None,
    }
}

/// What the words of a text say; the last one wins.
pub(super) fn of_words(text: &str) -> Option<Word> {
    let spaced = separated(text);
    let words: Vec<&str> = spaced.split(' ').filter(|word| !word.is_empty()).collect();
    let mut said = None;
    let mut at = 0;
    while at < words.len() {
        let entry = (1..=ENTRY_WORDS.min(words.len() - at)).rev().find_map(|count| {
            let joined = words[at..at + count].join(" ");
            WORDS.get(joined.as_str()).map(|word| (*word, count))
        });
        let (word, count) = match entry {
            Some((word, count)) => (Some(word), count),
            None => (han(words[at]), 1),
        };
        // `失败 0` is none.
        let is_none = words.get(at + count).is_some_and(|next| *next == "0");
        if let Some(word) = word.filter(|_| !is_none) {
            let word = if at > 0 && NOT.contains(&words[at - 1]) { word.turned() } else { Some(word) };
            if let Some(word) = word.filter(|word| word.is_strong() || said.is_none()) {
                said = Some(word);
            }
        }
        at += count;
    }
    said
}

/// Was it taken back?
pub(super) fn is_withdrawn(text: &str) -> bool {
    ["canceled", "cancelled", "withdrawn", "已取消", "取消", "已撤销", "撤销"].contains(&bare(text).as_str())
}

/// Is this a success, rather than the end of a trouble? A request, a delivery or a run has one, too.
pub(super) fn is_success(text: &str) -> bool {
    const SUCCESSES: [&str; 18] = [
        "success",
        "successful",
        "succeeded",
        "ok",
        "okay",
        "completed",
        "complete",
        "finished",
        "passed",
        "pass",
        "good",
        "ended",
        "成功",
        "完成",
        "已完成",
        "通过",
        "已通过",
        "结束",
    ];
    SUCCESSES.contains(&bare(text).as_str())
}

/// What a clause in Han says by the word that it ends with.
pub(super) fn han(clause: &str) -> Option<Word> {
    let clause = simplified(clause);
    let clause = clause.trim_end_matches(['了', '！', '!', '。', '.']);
    if !clause.chars().next_back().is_some_and(is_han) {
        return None;
    }
    let ends: Vec<usize> = clause.char_indices().map(|(at, _)| at).collect();
    let from = ends.len().saturating_sub(6);
    for &at in &ends[from..] {
        let Some(word) = WORDS.get(&clause[at..]).copied() else { continue };
        let before = &clause[..at];
        if WISHED.iter().any(|wish| before.contains(wish)) {
            return None;
        }
        // What else is closed is no trouble (`连接已关闭`).
        if clause.ends_with("关闭") && !closes_a_trouble(before) {
            return None;
        }
        if SUCCEEDED.contains(&&clause[at..]) && HARMS.iter().any(|harm| before.ends_with(harm)) {
            return Some(Word::Firing);
        }
        let before = ANY.iter().find_map(|any| before.strip_suffix(any)).unwrap_or(before);
        let denied = NOT_YET.iter().any(|not| before.ends_with(not));
        return if denied { word.turned() } else { Some(word) };
    }
    None
}

/// Is what stands before 关闭 a trouble, or nothing?
fn closes_a_trouble(before: &str) -> bool {
    const TROUBLES: [&str; 9] = ["告警", "报警", "警报", "问题", "工单", "事件", "故障", "异常", "缺陷"];
    let before = before.trim_end_matches(|letter: char| letter == '已' || !letter.is_alphanumeric());
    before.is_empty()
        || TROUBLES.iter().any(|trouble| before.ends_with(trouble))
        || NOT_YET.iter().any(|not| before.ends_with(not))
}

/// What a sign alone says, or the last of several.
pub(super) fn sign(text: &str) -> Option<Word> {
    text.chars().rev().find_map(letter_sign).or_else(|| code(text.trim()))
}

pub(super) fn letter_sign(letter: char) -> Option<Word> {
    if FIRING_SIGNS.contains(letter) {
        Some(Word::Firing)
    } else if RESOLVED_SIGNS.contains(letter) {
        Some(Word::Resolved)
    } else {
        None
    }
}

/// What `:x:` says.
pub(super) fn code(text: &str) -> Option<Word> {
    let name = text.strip_prefix(':')?.strip_suffix(':')?;
    if FIRING_CODES.contains(&name) {
        Some(Word::Firing)
    } else if RESOLVED_CODES.contains(&name) {
        Some(Word::Resolved)
    } else {
        None
    }
}

pub(super) fn is_han(letter: char) -> bool {
    matches!(letter, '\u{3400}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}')
}

/// Lower case, half width, without anything but letters and digits at both ends.
fn bare(text: &str) -> String {
    let text = simplified(&half_width(text)).to_lowercase();
    text.trim_matches(|letter: char| !letter.is_alphanumeric()).to_owned()
}

/// Words with single blanks between them.
fn separated(text: &str) -> String {
    let text = simplified(text);
    let words = text.split(|letter: char| {
        letter.is_whitespace()
            || matches!(letter, '_' | '-' | '.' | ':' | '/' | '|' | '(' | ')' | '[' | ']' | ',' | '，' | '；' | ';')
    });
    let mut joined = String::with_capacity(text.len());
    for word in
        words.map(|word| word.trim_matches(|c: char| !c.is_alphanumeric() && c != '\'')).filter(|word| !word.is_empty())
    {
        if !joined.is_empty() {
            joined.push(' ');
        }
        joined.push_str(&word.to_lowercase());
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_say_their_state() {
        use Word::{Firing, Held, NoData, Notice, Resolved};
        for (word, values) in [
            (
                Some(Firing),
                "FIRING |未恢复|恢复失败|not recovered|Not OK|unresolved|UNSTABLE|alert.fired|ANOMALY_NOTICE|ERROR|告警中|🔴 Down",
            ),
            (
                Some(Resolved),
                "[OK]|RESOLVED ✅|✅ Up|Deactivated|back to normal|恢复正常|告警恢复|已关闭|passed|fixed|incident.resolved|\
                 RECOVERY_NOTICE|ALERT_DEGRADED_RECOVERY|OPERATIONAL|✅|已恢复！|ERROR_RESOLVED",
            ),
            (Some(Notice), "⚠️ Test|pending|unknown"),
            (Some(NoData), "INSUFFICIENT_DATA|数据断档|No Data"),
            (Some(Held), "in_progress|已认领|Acknowledged"),
            (None, "3|{EVENT.VALUE}|prod|web-1|order status changed and everything that follows from it is shown here"),
        ] {
            for value in values.split('|') {
                assert_eq!(of_value(value), word, "{value}");
            }
        }
    }

    #[test]
    fn kinds_say_less() {
        use Word::{Firing, Resolved};
        for (word, values) in [
            (None, "query_alert_monitor|Warning|SCANNING_COMPLETED|alert|push"),
            (
                Some(Resolved),
                "resolved|Close|RECOVERY|POLICY_CLOSE_CRITICAL|ResolvedWarning|resolved_item|jobs.on_success",
            ),
            (Some(Firing), "incident.triggered|Failed|new_item|jobs.on_failure|deployment.error"),
        ] {
            for value in values.split('|') {
                assert_eq!(of_kind(value), word, "{value}");
            }
        }
    }
}
