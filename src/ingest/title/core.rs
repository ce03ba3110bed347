//! What the title of an alert and that of its end have in common.

use std::sync::LazyLock;

use ::regex::Regex;

use super::super::lexicon::{self, Word};
use super::super::listed::Listed;
use super::{is_sign, numbers, regex, without_digits};

/// Before what a title says in brackets behind a state.
pub(in crate::ingest) const IN_BRACKETS: &str = "@()=";

/// What two titles of one problem share, and what they may not both have and differ in.
#[derive(Debug, Default)]
pub(super) struct Core {
    /// Without words for a state, limits and numbers, in lower case.
    pub text: String,
    /// The numbers that are missing in it and name a thing.
    pub numbers: Vec<String>,
    /// What it says is wrong, if that was left out (`过高`, `offline`): an end that says another is of another alert.
    pub troubles: Vec<String>,
}

/// Words for trouble that say of no alert which one it is.
static ANY: Listed = Listed::of(
    "告警 报警 告警中 报警中 产生告警 触发 已触发 触发告警 出现告警 发生 持续告警 持续中 重复告警 告警升级 问题 警告 严重 紧急 \
    致命 灾难 产生 新增 未处理 待处理 未解决 未关闭 未消除 未清除 未恢复 告警触发 故障告警 异常告警 firing fired alert alarm problem \
    triggered",
);
/// Words for a state at the end of an English title (`Node Down`, `INSTANCE_ONLINE`).
static ENDS: Listed = Listed::of(
    "up down online offline ok okay normal abnormal healthy unhealthy reachable unreachable available unavailable \
    recovered resolved restored cleared closed failed failing failure succeeded success successful passed completed lost \
    connected disconnected timeout firing triggered matched error errors warning warnings escalation",
);
/// The longest word for a state in Han.
const HAN: usize = 6;
/// Words of a title before its last two, of which one may say how it went (`limit matched nginx`).
const WORDS: usize = 3;

/// What a sentence says of the state in its middle.
static SAID: LazyLock<Regex> = LazyLock::new(|| {
    regex(concat!(
        r"(?:发生|触发|产生)了?(?:紧急|重要|次要|严重|一般|提示)?(?:告警|报警)|已?恢复正常|(?:告警|报警)?已(?:恢复|解除)(?:正常)?|(?:告警|报警)已?触发",
        r"|(?:告警|报警)恢复|恢复(?:告警|报警)|\s*复归|[，,]?已告警|发生故障|[，,]?已恢复$|连续\s*\d+\s*(?:次|个周期)",
        r"|将?[在于]?\s*\d+\s*天后?(?:过期|到期)(?:[（(][^）)]*[）)])?",
    ))
});
/// A part of a network that went up or down, and why.
static TURNED: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"^(.*\b(?:neighbor|interface|peer|link|port|tunnel)\s+\S*\d\S*),? (?:went |is |changed state to )?(?:up|down)\b([^:\d]*)$",
    )
});
/// A limit, and the sign before it.
static LIMIT: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"\s*(>=|<=|>|<|≥|≤|大于等于|小于等于|大于|小于|超过|高于|低于)\s*-?\d+(?:\.\d+)?\s*[%％℃]?")
});

/// The core of a title in lower case, of which what stands behind its subject is gone.
pub(super) fn of(said: &str, address: &str) -> Core {
    let mut core = Core::default();
    let calm: String = said.chars().filter(|letter| !is_sign(*letter)).collect();
    let calm = without_time(&calm);
    let mut text = super::without_state(calm.strip_prefix("the ").unwrap_or(&calm));
    core.troubles.extend(LIMIT.captures(&text).map(|limit| format!("@<>={}", side(&limit[1]))));
    text = LIMIT.replace_all(&text, "").into_owned();
    let within = SAID.replace_all(&text, "");
    if within.chars().any(char::is_alphanumeric) {
        text = within.into_owned();
    }
    text = without_time(&without_clauses(&text));
    // `neighbor 10.9.9.1 Down BGP Notification sent`
    if let Some(turned) = TURNED.captures(&text)
        && !is_of(turned[2].trim_start().split(' ').next().unwrap_or_default())
    {
        text = turned[1].to_owned();
    }
    if let Some((head, reason)) = in_brackets(&text) {
        core.troubles.extend(reason.map(|reason| format!("{IN_BRACKETS}{reason}")));
        text = head.to_owned();
    }
    if let Some((head, reason)) = with_reason(&text) {
        core.troubles.push(format!("@:={}", without_digits(reason)));
        text = head.to_owned();
    }
    text = without_ends(&text, &mut core.troubles);
    // What differs only in the address is not the same.
    if !address.is_empty() {
        text = format!("{text} {}", address.to_lowercase());
    }
    core.numbers = numbers(&text);
    core.text = without_digits(&text).replace(" ，", "，").replace(" ,", ",");
    core
}

/// Without the clauses that say how much, how bad, when or why, as long as one is left: the end has others.
fn without_clauses(text: &str) -> String {
    const PASSING: [&str; 33] = [
        "reason",
        "after ",
        "耗时",
        "用时",
        "took",
        "剩余",
        "超过",
        "低于",
        "高于",
        "大于",
        "小于",
        "当前值",
        "当前",
        "现值",
        "实际值",
        "实测值",
        "阈值",
        "限值",
        "门限",
        "级别",
        "等级",
        "告警级别",
        "严重程度",
        "时间",
        "触发时间",
        "恢复时间",
        "发生时间",
        "告警时间",
        "原因",
        "持续",
        "故障持续",
        "监测点",
        "影响",
    ];
    let cut = |letter: char| "，；。,;".contains(letter);
    if !text.contains(cut) {
        return text.to_owned();
    }
    let is_passing = |clause: &&str| {
        let clause = clause.trim();
        PASSING.iter().any(|name| clause.starts_with(name)) || !clause.contains(char::is_alphanumeric)
    };
    let left: Vec<&str> = text.split(cut).filter(|clause| !is_passing(clause)).map(str::trim).collect();
    if left.is_empty() { text.to_owned() } else { left.join("，") }
}

/// The text without a time at its end, and without how long it took in brackets.
fn without_time(text: &str) -> String {
    static TIME: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"(?:\s+(?:at|since)?\s*(?:\d{4}[-/]\d{1,2}[-/]\d{1,2}\s+)?\d{1,2}:\d{2}(?::\d{2})?(?:\s*[(]?utc[)]?)?|\s*[(（][\d.,]+\s*[a-z%]{0,4}[)）])\s*$",
        )
    });
    TIME.replace(text, "").into_owned()
}

/// Which side of its limit it is on.
fn side(sign: &str) -> &'static str {
    if sign.starts_with(['<', '≤']) || matches!(sign, "小于" | "小于等于" | "低于") { "<" } else { ">" }
}

/// `db-1 Ping Down (request timed out)`, `db-1 Ping Up (OK)`: what is behind the state, unless it says a state or an amount.
fn in_brackets(text: &str) -> Option<(&str, Option<String>)> {
    let inside = text.strip_suffix([')', '）'])?;
    // The bracket that was closed last: another one may be in it.
    let mut open = 1_usize;
    let (at, _) = inside.char_indices().rev().find(|(_, letter)| {
        match letter {
            ')' | '）' => open += 1,
            '(' | '（' => open -= 1,
            _ => {}
        }
        open == 0
    })?;
    let head = inside[..at].trim_end();
    let (_, last) = head.rsplit_once(' ')?;
    let reason = inside[at..].trim_start_matches(['(', '（']).trim();
    let is_amount = reason.starts_with(|letter: char| letter.is_ascii_digit()) && !reason.contains(['.', '/', ':']);
    let says = lexicon::of_value(reason).is_none_or(|word| word == Word::Firing) && !is_amount;
    ENDS.has(last).then(|| (head, says.then(|| reason.to_owned())))
}

/// `VmBackupFailed` as `VmBackup_Failed`: the name of an event, of which the last word says how it went. One word before it
/// is a rule's name (`HostDown`).
pub(super) fn told_apart(text: &str) -> std::borrow::Cow<'_, str> {
    const WORDS: usize = 3;
    let begins: Vec<usize> = text
        .char_indices()
        .zip(text.chars().skip(1))
        .filter(|((_, before), letter)| before.is_ascii_lowercase() && letter.is_ascii_uppercase())
        .map(|((at, before), _)| at + before.len_utf8())
        .collect();
    match begins.last() {
        Some(last)
            if begins.len() + 1 >= WORDS
                && !text.contains(char::is_whitespace)
                && ENDS.has(&text[*last..].to_lowercase()) =>
        {
            format!("{}_{}", &text[..*last], &text[*last..]).into()
        }
        _ => text.into(),
    }
}

/// Does the word stand between how it went and what it is about (`failed on db-1`)?
pub(super) fn is_of(word: &str) -> bool {
    const OF: [&str; 5] = ["for", "on", "in", "of", "at"];
    OF.contains(&word)
}

/// `可用性异常: connection refused`: the end says only the first.
fn with_reason(text: &str) -> Option<(&str, &str)> {
    const WENT: [&str; 6] = ["failed", "failure", "succeeded", "completed", "cleared", "error"];
    // `backup of db-1 failed: repository is locked`
    let colons = text.match_indices(": ").map(|(at, _)| (text[..at].trim(), text[at + 1..].trim()));
    let went = |head: &str| head.rsplit_once(' ').is_some_and(|(_, last)| WENT.contains(&last));
    if let Some((head, reason)) = colons.clone().find(|(head, reason)| went(head) && !reason.is_empty()) {
        return Some((head, reason));
    }
    let (head, reason) = text.split_once([':', '：'])?;
    let (head, reason) = (head.trim(), reason.trim());
    let says = matches!(lexicon::han(head), Some(Word::Firing | Word::Resolved)) && lexicon::exact(head).is_none();
    (says && !reason.is_empty()).then_some((head, reason))
}

/// The text without the words for a state at its end, as long as anything is left.
fn without_ends(text: &str, troubles: &mut Vec<String>) -> String {
    const MOST: usize = 3;
    let trimmed = |text: &str| text.trim_end_matches(|letter: char| " .!。！,，;；-_|".contains(letter)).to_owned();
    let mut left = trimmed(text);
    for _ in 0..MOST {
        let Some((before, word)) = last_state(&left) else { break };
        let before = trimmed(before);
        if before.chars().filter(|letter| letter.is_alphanumeric()).count() < 2 {
            break;
        }
        let is_trouble = lexicon::exact(word) == Some(Word::Firing) || lexicon::han(word) == Some(Word::Firing);
        if is_trouble && !ANY.has(word) {
            troubles.push(format!("@!={word}"));
        }
        left = before;
    }
    left
}

/// The word for a state that stands at the end, and what is before it.
fn last_state(text: &str) -> Option<(&str, &str)> {
    let is_state = |word: &str| matches!(lexicon::exact(word), Some(Word::Firing | Word::Resolved));
    let starts: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    let han = starts[starts.len().saturating_sub(HAN)..].iter().find(|at| {
        let word = &text[**at..];
        word.chars().all(lexicon::is_han) && is_state(word)
    });
    if let Some(at) = han {
        return Some((&text[..*at], &text[*at..]));
    }
    let at = text.rfind([' ', '_'])?;
    let word = &text[at + 1..];
    ENDS.has(word).then(|| (&text[..at], word))
}

/// `resource limit matched nginx` without how it went.
pub(super) fn without_middle(text: &str) -> String {
    const WENT: [&str; 4] = ["matched", "succeeded", "failed", "exceeded"];
    let words: Vec<&str> = text.split(' ').collect();
    // `deploy to production failed for shop`, `backup OK on nas-2`
    let went = |word: &str| WENT.contains(&word) || word == "ok";
    let of = words.windows(2).position(|two| went(two[0]) && is_of(two[1])).filter(|at| *at > 0);
    if let Some(at) = of {
        return [&words[..at], &words[at + 1..]].concat().join(" ");
    }
    match words.len().checked_sub(2) {
        Some(at) if at >= WORDS && WENT.contains(&words[at]) => [&words[..at], &words[at + 1..]].concat().join(" "),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use crate::ingest::title::read;

    #[test]
    fn a_title_and_that_of_its_end_have_one_core() {
        for (first, second) in [
            ("构建失败", "✅ 构建成功"),
            ("UPS-7 市电中断", "UPS-7 市电恢复"),
            ("INSTANCE_OFFLINE", "INSTANCE_ONLINE"),
            ("主机 c-3 端口 5432 不通", "主机 c-3 端口 5432 已通"),
            ("Node Down", "Node Up"),
            ("服务异常: order-svc", "服务恢复: order-svc"),
            ("Device Down! Due to no ICMP response.", "Device Down! Due to no ICMP response. recovered"),
            ("监控 pg-3 可用性异常: refused", "监控 pg-3 可用性恢复"),
            (
                "实例：c-3，于14:03发生告警：CPU(95%>=90%)，持续3分钟。",
                "实例：c-3，于14:13恢复正常：CPU(35%)，持续10分钟。",
            ),
            ("规则“r”触发告警。原始值 95% ≥ 90%，级别：重要。", "规则“r”恢复正常。原始值 35% ，级别：重要。"),
            ("🚨 checkout 12% 🔥 since 14:02", "✅ checkout 1% since 14:02"),
            ("monit alert -- Resource limit matched nginx", "monit alert -- Resource limit succeeded nginx"),
            ("UPS r-3@nut: On battery, charge 64%", "UPS r-3@nut: On line power, charge 66%"),
            ("主机 n-3 内存过高", "主机 n-3 内存过高 已恢复"),
            ("Deploy to Production failed for shop", "Deploy to Production succeeded for shop"),
            ("[Failed] Daily-SQL 1 error", "[Success] Daily-SQL 1 success"),
            (
                "A列精密空调01，温度过高告警，当前值32.5℃，阈值28℃，级别：紧急",
                "A列精密空调01，温度过高告警恢复，当前值24.5℃，级别：紧急",
            ),
            ("网关 gw-1 发生故障，原因：连接超时", "网关 gw-1 恢复正常，故障持续 10 分钟"),
            ("sw-4 Ping (Ping) Down ESCALATION (Timed out (code # 7))", "sw-4 Ping (Ping) Up (OK)"),
            ("sw-4 Ping Down (Timed out)", "sw-4 Ping Up (2 msec)"),
            (
                "DOWN: https://a.example.com since 07:02:11 (UTC), reason: 503",
                "UP: https://a.example.com since 07:12:11 (UTC), after 10 minutes",
            ),
            ("borg backup FAILED on nas-4", "borg backup OK on nas-4"),
            ("Storage.VmBackupFailed", "Storage.VmBackupSucceeded"),
            (
                "主机 ecs-4 CPU使用率 连续3次大于等于90%，当前值95.2%，请查看。",
                "主机 ecs-4 CPU使用率 已恢复正常，当前值35.0%，请查看。",
            ),
            ("【某某云】告警通知", "【某某云】恢复通知"),
            ("neighbor 10.9.9.4 Down BGP Notification sent", "neighbor 10.9.9.4 Up"),
            ("Search cluster status is red. Allocate missing shards.", "Search cluster status is green."),
            ("域名 a.example.com 的 SSL 证书将在 5 天后过期（2026-12-05）", "域名 a.example.com 的 SSL 证书已续期"),
        ] {
            assert_eq!(read(first).core, read(second).core, "{first} / {second}");
        }
    }

    #[test]
    fn troubles_of_one_thing_are_told_apart() {
        for (first, second) in [
            ("机房温度过高", "恢复：机房温度过低"),
            ("电压 > 250", "恢复：电压 < 180"),
            ("订单同步异常: a 超时", "恢复：订单同步异常: b 超时"),
            ("sw-4 Ping Down (port 80)", "sw-4 Ping Up (port 443)"),
        ] {
            let (on, over) = (read(first), read(second));
            assert_eq!(on.core, over.core, "{first}");
            assert_ne!(on.troubles, over.troubles, "{first}");
            assert!(!on.troubles.is_empty());
        }
        for (title, core) in [("磁盘将满", "磁盘"), ("宕机", "宕机"), ("HostDown", "hostdown"), ("支付告警", "支付")]
        {
            assert_eq!(read(title).core, core);
        }
    }
}
