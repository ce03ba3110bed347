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
const SUCCESSES: [&str; 5] = ["succeeded", "success", "successful", "passed", "completed"];
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
            r"(?i)(?:低于|高于|超过|大于等于|小于等于|大于|小于|超出)了?\s*(?:阈值|阀值|上限|下限|\d+(?:\.\d+)?\s*[%％])",
            r"|\b(?:exceed(?:s|ed|ing)?|(?:above|below|over|under) (?:the )?threshold)\b",
            r"|\b(?:unable to|connection refused|oom ?killed|flapping|no heartbeat|unavailable|on battery)\b",
            r"|\b(?:not|never)(?: yet)?(?: been)? (?:recovered|cleared|resolved|restored)\b",
            r"|\b(?:limit|threshold) (?:matched|reached|exceeded|breached)\b",
            r"|\b(?:certificate|cert|ssl|domain|license)\b.{0,80}\bexpires? (?:in|on)\b",
            r"|(?-i:\b(?:FAULT|NotReady|CrashLoopBackOff|ImagePullBackOff|OOMKilled)\b)",
            r"|\b(?:usage|used) (?:at )?(?:[89]\d|100)(?:\.\d+)?\s*%|\bservice \S+ stopped\b|\bfan \d+ stopped\b",
            r"|\b(?:did not (?:complete|start|finish)|missed its schedule|dropped \d+\s*%|no data received|stuck at|returned 5\d\d)\b",
            r"|\b(?:cpu|memory|mem|heap|swap|load|disk|io|latency|temperature|traffic|lag|error rate|(?:disk|memory|cpu) (?:usage|load|utili[sz]ation)|load average|response time) (?:is |too |very )*high\b",
            r"|\b(?:high|excessive) (?:cpu|memory|heap|swap|load|disk|latency|temperature|error rate|packet loss|iowait)\b",
            r"|\btimeouts\b|\bunauthorized access\b|\bwebshell\b",
            r"|无法\s*ping|ping\s*不通|(?:使用率|占用率|水位)\s*(?:已?达到?|为)\s*(?:[89]\d|100)|(?:进程|服务|文件|设备)不存在",
            r"|丢包率?\s*\d|抖动|主备切换|频繁$|实例数[为是]\s*0(?:\D|$)",
            r"|(?:证书|域名|许可|授权).{0,80}(?:天后?过期|即将过期|后到期|天后?到期)|剩余\s*\d+\s*天(?:后)?(?:到期|过期)",
            r"|(?:证书|域名|许可|授权|ssl).{0,12}(?:到期|过期)(?:提醒|预警|告警)",
            r"|\bstatus(?: is|:)? red\b|状态[为是:：\s]*red",
            r"|\b(?:does not exist|is not running|not responding|no response|out of memory|too many open files|deadlock(?:ed)?)\b",
            r"|\b(?:is|are) (?:dead|stuck|full)\b|(?:[89]\d|100)(?:\.\d+)?\s*% (?:full|used)\b|\bmember dead\b|\bheartbeat (?:lost|missed)\b",
            r"|\b(?:space|memory|battery|disk|charge|supply|toner|fuel) (?:is )?(?:critically )?low\b|\blow (?:disk|memory|space|battery)\b",
            r"|\b(?:fan|process|service|replication|sync) (?:has )?stopped\b|\bpacket loss \d",
            r"|(?:磁盘|空间|内存|连接数|线程池|队列)(?:已?满|打满)|死锁|熔断|掉电|停转|停机|打不开|无法(?:连接|访问|ping|启动|登录)",
            r"|异地登录|非法(?:闯入|入侵)|切换频繁|突[增降]|余额(?:低于|不足)|漏水|水浸|挂了|卡死|卡住|遭受|正在被攻击|未(?:按时)?(?:执行|完成|响应)$",
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
    let text = text.trim_end_matches(|letter: char| !letter.is_alphanumeric() || letter.is_ascii_digit());
    let calm = ["测试", "恢复", "解除", "关闭", "消除"].iter().any(|word| text.contains(word));
    alarm_tail(text).filter(|_| !calm)
}

/// `neighbor 10.9.9.1 Up`, `AP Connected`: of a thing, not of what somebody does (`set up`).
static AGAIN: LazyLock<Regex> = LazyLock::new(|| {
    regex(concat!(
        r"(?:\b\S*[\d.:/]\S*|\b(?:link|node|host|server|device|service|interface|neighbor|peer|ap|port|tunnel)) (?:up|connected|online)$|",
        r"\bnode \S+ (?:is )?ready$|\b(?:connection|connectivity|service|power|link|communication|heartbeat)\b.{0,60}\brestored$|",
        r"已(?:降至|降到|回落)",
    ))
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
    // `health check passed, took 12 ms`
    let first = lower.split_once(", ").map_or(0, |(first, _)| {
        first.split(|c: char| !c.is_alphanumeric() && c != '\'').filter(|word| !word.is_empty()).count()
    });
    let ends = (from..words.len()).chain(first.checked_sub(1));
    let done = ends.into_iter().any(|at| SUCCESSES.contains(&words[at]) && !is_denied(at));
    if AGAIN.is_match(lower.trim_end_matches(['.', '!'])) {
        return Some(Word::Resolved);
    }
    (done && !RELEASE.is_match(&lower)).then_some(Word::Resolved)
}
