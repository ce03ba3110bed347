//! What words of a title imply that may as well be part of a rule's name: troubles, failures, requests, successes.

use std::sync::LazyLock;

use ::regex::Regex;

use super::super::lexicon::Word;
use super::{NEGATIONS, alarm_tail, regex};

const FAILURES: [&str; 16] = [
    "fail",
    "degraded",
    "unhealthy",
    "corrupted",
    "failed",
    "failure",
    "failing",
    "error",
    "errors",
    "down",
    "unreachable",
    "timeout",
    "crashed",
    "exception",
    "oom",
    "panic",
];
const SUCCESSES: [&str; 4] = ["succeeded", "success", "passed", "completed"];
/// Does the line only sum up what was, so that its words say nothing of now? A check that finds trouble is one.
pub(super) fn sums_up(text: &str, word: Word) -> bool {
    static CHECKED: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"(?i)(?:日报|周报|月报|巡检|汇总|统计|小结|回滚完成)|\b(?:daily|weekly|monthly) (?:report|summary|digest)\b",
        )
    });
    static COUNTED: LazyLock<Regex> = LazyLock::new(|| {
        regex(r"(?:昨日|昨天|今日|今天|本周|上周|本月|上月)[^，。；]{0,8}(?:告警|报警)\s*[:：共]?\s*\d")
    });
    static REPORT: LazyLock<Regex> = LazyLock::new(|| regex(r"【(?:日报|周报|月报)】|(?:日报|周报|月报)\s*$"));
    COUNTED.is_match(text) || REPORT.is_match(text) || word == Word::Resolved && CHECKED.is_match(text)
}

/// Sentences that tell of trouble: a limit that is passed, what does not answer, what runs out, an end that has not come.
pub(super) fn trouble(text: &str) -> Option<Word> {
    static TROUBLE: LazyLock<Regex> = LazyLock::new(|| {
        regex(concat!(
            r"(?i)(?:低于|高于|超过|大于|小于|超出)了?\s*(?:阈值|阀值|上限|下限|\d+(?:\.\d+)?\s*[%％])",
            r"|\b(?:exceed(?:s|ed|ing)?|(?:above|below|over|under) (?:the )?threshold)\b",
            r"|\b(?:unable to|connection refused|oom ?killed|flapping|no heartbeat|unavailable|on battery)\b",
            r"|\b(?:not|never)(?: yet)?(?: been)? (?:recovered|cleared|resolved|restored)\b",
            r"|\b(?:limit|threshold) (?:matched|reached|exceeded|breached)\b",
            r"|\b(?:certificate|cert|ssl|domain|license)\b.{0,80}\bexpires? (?:in|on)\b",
            r"|(?:证书|域名|许可|授权).{0,80}(?:天后?过期|即将过期|后到期|天后?到期)|剩余\s*\d+\s*天(?:后)?(?:到期|过期)",
            r"|(?:证书|域名|许可|授权|ssl).{0,12}(?:到期|过期)(?:提醒|预警|告警)",
            r"|\bstatus(?: is|:)? red\b|状态[为是:：\s]*red",
        ))
    });
    static RAISED: LazyLock<Regex> =
        LazyLock::new(|| regex(r"(没有?|未|无|不会?)?(?:触发|发生|产生)了?[^，。；]{0,12}(?:告警|报警)"));
    let is_raised = || RAISED.captures_iter(text).any(|found| found.get(1).is_none());
    (TROUBLE.is_match(text) || is_raised() || is_over_limit(text)).then_some(Word::Firing)
}

/// `load average 41.5 (limit 16)`: both numbers stand there.
fn is_over_limit(text: &str) -> bool {
    static LIMIT: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"(?i)(\d+(?:\.\d+)?)\s*([%％a-z]{0,3})\s*[(（]\s*(?:limit|threshold|max|阈值|上限)\s*[:：=]?\s*(\d+(?:\.\d+)?)\s*([%％a-z]{0,3})",
        )
    });
    let number = |text: &str| text.parse::<f64>().unwrap_or_default();
    LIMIT.captures(text).is_some_and(|found| found[2] == found[4] && number(&found[1]) > number(&found[3]))
}

/// `请及时清理`: what people are asked to do something about is trouble.
pub(super) fn asks_for_help(text: &str) -> Option<Word> {
    static ASKS: LazyLock<Regex> =
        LazyLock::new(|| regex(r"请(?:及时|尽快|立即|马上|速|立刻)?(?:处理|清理|扩容|检查|排查|关注|介入|核实)"));
    ASKS.is_match(text).then_some(Word::Firing)
}

pub(super) fn ends_as_alarm(text: &str) -> Option<Word> {
    static ALARM: LazyLock<Regex> = LazyLock::new(|| regex(r"(?i)\b(?:alert|alarm)(?: (?:on|for|in|from|at) \S|\W*$)"));
    static CALM: LazyLock<Regex> =
        LazyLock::new(|| regex(r"(?i)\b(?:test|no|not|without|clear|cleared|ended|closed|silenced|muted|rule)\b"));
    if ALARM.is_match(text) && text.contains(' ') && !CALM.is_match(text) {
        return Some(Word::Firing);
    }
    let text = text.trim_end_matches(|letter: char| !letter.is_alphanumeric());
    let calm = ["测试", "恢复", "解除", "关闭", "消除"].iter().any(|word| text.contains(word));
    alarm_tail(text).filter(|_| !calm)
}

/// `neighbor 10.9.9.1 Up`, `AP Connected`: of a thing, not of what somebody does (`set up`).
static AGAIN: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?:\b\S*[\d.:/]\S*|\b(?:link|node|host|server|device|service|interface|neighbor|peer|ap|port|tunnel)) (?:up|connected|online)$",
    )
});
/// Where a version comes out nothing that was wrong is over.
static RELEASE: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"\b(?:deploy(?:ment|ed)?|releases?d?|rollout|upgraded?|promotion)\b.{0,60}\bv?\d+\.\d+(?:\.\d+)+")
});

/// A whole word that says failure, or success at the end.
pub(super) fn words(text: &str) -> Option<Word> {
    let lower = text.to_lowercase();
    let words: Vec<&str> =
        lower.split(|c: char| !c.is_alphanumeric() && c != '\'').filter(|word| !word.is_empty()).collect();
    let is_denied = |at: usize| at > 0 && NEGATIONS.contains(&words[at - 1]);
    if words.iter().enumerate().any(|(at, word)| FAILURES.contains(word) && !is_denied(at)) {
        return Some(Word::Firing);
    }
    let from = words.len().saturating_sub(2);
    let done = (from..words.len()).any(|at| SUCCESSES.contains(&words[at]) && !is_denied(at));
    if AGAIN.is_match(lower.trim_end_matches(['.', '!'])) {
        return Some(Word::Resolved);
    }
    (done && !RELEASE.is_match(&lower)).then_some(Word::Resolved)
}
