//! What a title says besides what it is about: state and level in its brackets, its prefix, its predicate, its last word.

use std::sync::LazyLock;

use regex::Regex;

use super::lexicon::{self, Word, is_han};
use super::plain;
use crate::level::Level;

/// A title, taken apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Title {
    /// What is left to be shown.
    pub text: String,
    /// What its sender says of the state: a bracket, a prefix, a sign, the end of a trouble.
    pub state: Option<Word>,
    /// What words say that may as well be part of a rule's name (`磁盘将满`).
    pub implied: Option<Word>,
    /// The word for its level, as sent.
    pub level: Option<String>,
    /// What two titles of one problem have in common: without predicate and numbers, in lower case.
    pub core: String,
    /// The numbers that are missing in the core and name a thing (`端口 3306`, `10.0.0.1`), as `#place=digits`; no
    /// quantities and times.
    pub numbers: Vec<String>,
}

/// Characters of a prefix before a colon.
const PREFIX: usize = 24;
/// Characters of a prefix in Han that ends with a word for a state.
const HAN_PREFIX: usize = 6;
/// Runs of digits in a title that are looked at.
const NUMBERS: usize = 24;
/// Times that brackets and a prefix may follow each other.
const MARKERS: usize = 3;
/// Words behind an auxiliary among which its predicate is looked for.
const REACH: usize = 4;

const BRACKETS: [(char, char); 4] = [('[', ']'), ('【', '】'), ('(', ')'), ('（', '）')];

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("it is a constant that every test compiles")
}

static COUNTS: LazyLock<Regex> = LazyLock::new(|| regex(r"(?i)^(?:(?:firing|resolved)\s*:?\s*\d+\s*,?\s*)+$"));
static FIRES: LazyLock<Regex> = LazyLock::new(|| regex(r"(?i)firing\s*:?\s*0*[1-9]"));
static SPAN: LazyLock<Regex> =
    LazyLock::new(|| regex(r"(?i)^(?:resolved|recovered|ok)\s+(?:in|after|for)\s+[\w\s.]+$"));
static UPDATED: LazyLock<Regex> = LazyLock::new(|| regex(r"(?i)^(?:updated|acknowledged)\b"));
/// `Triggered on {host:web-1}`: where it is stands in members of its own.
static SCOPE: LazyLock<Regex> = LazyLock::new(|| regex(r"(?i)\s+on\s+\{[^}]*\}$"));
static DIGITS: LazyLock<Regex> = LazyLock::new(|| regex(r"\d+"));
/// Digits that say how much or when: with a fraction, a unit behind them or a comparison before them.
static AMOUNT: LazyLock<Regex> = LazyLock::new(|| {
    regex(concat!(
        r"(?ix) \d{4} [-/.年] \d{1,2} (?: [-/.月] \d{1,2} 日? )? | \d{1,2} : \d{2} (?: : \d{2} )? ",
        r"| (?: [<>=≥≤≈] | 大于 | 小于 | 超过 | 超出 | 达到 | 高于 | 低于 | 不足 | 当前值? | 值为? | 阈值 | above | below | over | under | value )",
        r"   [\s:：=为是到]* -? \d+ (?: \.\d+ )? ",
        r"| \d+ (?: \.\d+ )? \s* (?: [%％‰℃°] | 秒 | 毫秒 | 分 | 小时 | 时 | 天 | 日 | 周 | 月 | 次 | 个 | 台 | 条 | 笔 | 件 | 项 | 人 | 核 | 度 ",
        r"   | 倍 | 万 | 千 | 百 | 元 | 字节 | 兆 | (?: ms | s | sec | secs | seconds? | m | min | mins | minutes? | h | hours? | d | days? | x | times?",
        r"   | b | [kmgtp]i?b? | bytes? | [kmg]?bps | qps | tps | rpm | iops | errors? | failed | passed ) (?-u:\b) )",
    ))
});
/// Troubles of which there is none: `0 errors`, `失败 0 个`, `no new failures`.
static NONE: LazyLock<Regex> = LazyLock::new(|| {
    const TROUBLE: &str = r"(?:失败|异常|错误|报错|告警|报警|故障|超时|离线|丢失|积压|堆积|问题|fail(?:ed|ures?|ing|s)?|errors?|exceptions?|alerts?|alarms?|problems?|timeouts?|crash(?:ed|es)?|down|unreachable|critical|warnings?)";
    const UNIT: &str = r"\s*(?:个|次|条|台|项|起|笔|件|例|处|tests?|jobs?|hosts?|files?|items?|checks?)?\s*";
    regex(&format!(
        r"(?i)(?:(?:^|[^\d.,])0{UNIT}{TROUBLE}|(?:^|\W)(?:no|without|zero)\s+(?:\w+\s+)?{TROUBLE})(?-u:\b|$)?|{TROUBLE}(?:数量|次数|个数|数|率)?\s*[:：=为]?\s*0(?:\s*[个次条台项起笔件例处]|$|[^\d.%])"
    ))
});
static DECIMAL: LazyLock<Regex> = LazyLock::new(|| regex(r"(?-u:\b)\d+\.\d+(?-u:\b)"));
static CODE: LazyLock<Regex> = LazyLock::new(|| regex(r":[a-z0-9_+-]{1,32}:"));

const AUXILIARIES: [&str; 9] = ["is", "are", "was", "were", "has", "have", "now", "went", "still"];
const OVER: [&str; 10] =
    ["up", "ok", "online", "normal", "healthy", "recovered", "resolved", "back", "operational", "reachable"];
const ON: [&str; 8] = ["down", "unreachable", "failed", "offline", "firing", "critical", "unavailable", "failing"];
const FAILURES: [&str; 12] = [
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
const NEGATIONS: [&str; 6] = ["not", "no", "never", "isn't", "cannot", "can't"];

/// Takes a line apart, which may be decorated.
pub(super) fn read(line: &str) -> Title {
    let mut title = Title { text: plain::line(line), ..Title::default() };
    let sign = signs(&mut title.text);
    let mut marked = Marked::default();
    // A prefix may stand before brackets, and behind them.
    for _ in 0..MARKERS {
        let before = title.text.len();
        brackets(&mut title, &mut marked);
        prefix(&mut title, &mut marked);
        if title.text.len() == before {
            break;
        }
    }
    let (subject, predicate) = predicate(&title.text);
    let shown = title.text.to_lowercase();
    let core = subject.map_or(shown.as_str(), |end| shown.get(..end).unwrap_or(&shown));
    title.numbers = numbers(core);
    title.core = without_digits(core);
    let calm = without_none(&title.text);
    let clause = clauses(&calm);
    let is_end = |word: &Word| *word != Word::Firing;
    title.state = marked
        .state
        .or_else(|| predicate.filter(is_end))
        .or_else(|| sign.filter(is_end))
        .or_else(|| clause.filter(is_end))
        .or(sign)
        .or(marked.ranked);
    title.implied = predicate.or(marked.implied).or(clause).or_else(|| ends_as_alarm(&calm)).or_else(|| words(&calm));
    title
}

/// A line that says nothing but a state, a level and that it reports (`监控恢复`, `🔥 Firing`, `S1 Recovered`): no name of an
/// alert.
pub(super) fn is_bare(line: &str) -> bool {
    const LONGEST: usize = 40;
    let line = plain::line(line);
    let lower = crate::level::half_width(&line).to_lowercase();
    let cut = |letter: char| !letter.is_alphanumeric() && !matches!(letter, '\'');
    let mut words = lower.split(cut).filter(|word| !word.is_empty()).peekable();
    line.chars().count() <= LONGEST
        && words.peek().is_some()
        && words.all(|word| scripts(word).into_iter().all(is_bare_word))
}

/// The parts of a word in Han and in other letters (`Prometheus恢复`).
fn scripts(word: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = word;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|letter: char| is_han(letter) != is_han(first)).unwrap_or(rest.len());
        parts.push(&rest[..end]);
        rest = &rest[end..];
    }
    parts
}

/// Does the word stand for a state, a level or a report, or is it made of such words?
fn is_bare_word(word: &str) -> bool {
    let known = |word: &str| {
        BARE.contains(&word)
            || word.chars().any(char::is_alphabetic) && word.chars().count() > 1 && Level::of(word).is_some()
    };
    if known(word) {
        return true;
    }
    if !word.chars().all(is_han) {
        return false;
    }
    // The longest word first: `已恢复通知` is 已恢复, 通知.
    let mut rest = word;
    while !rest.is_empty() {
        let ends = rest.char_indices().map(|(at, letter)| at + letter.len_utf8()).take(HAN_PREFIX).collect::<Vec<_>>();
        let Some(end) = ends.into_iter().rev().find(|end| known(&rest[..*end])) else { return false };
        rest = &rest[end..];
    }
    true
}

/// Words for a state and for a report that no rule is called by alone. What names a trouble (宕机, offline) is missing.
const BARE: &[&str] = &[
    "firing",
    "fired",
    "alerting",
    "triggered",
    "trigger",
    "re",
    "problem",
    "problems",
    "recovery",
    "recovered",
    "recover",
    "resolved",
    "resolve",
    "restored",
    "cleared",
    "clear",
    "closed",
    "ok",
    "okay",
    "up",
    "normal",
    "alert",
    "alerts",
    "alarm",
    "alarms",
    "active",
    "open",
    "opened",
    "new",
    "notification",
    "notice",
    "message",
    "monitor",
    "monitoring",
    "status",
    "state",
    "report",
    "event",
    "incident",
    "success",
    "nagios",
    "icinga",
    "zabbix",
    "prometheus",
    "alertmanager",
    "grafana",
    "checkmk",
    "告警",
    "报警",
    "告警中",
    "报警中",
    "故障",
    "异常",
    "恢复",
    "已恢复",
    "恢复正常",
    "已恢复正常",
    "正常",
    "触发",
    "已触发",
    "产生",
    "发生",
    "解决",
    "已解决",
    "解除",
    "已解除",
    "消除",
    "已消除",
    "清除",
    "已清除",
    "消警",
    "已消警",
    "关闭",
    "已关闭",
    "结束",
    "已结束",
    "成功",
    "通知",
    "提醒",
    "消息",
    "信息",
    "详情",
    "事件",
    "监控",
    "运维",
    "平台",
    "系统告警",
    "系统报警",
    "系统通知",
    "状态",
    "级别",
    "等级",
    "类型",
    "新告警",
    "新",
    "持续",
    "持续中",
    "升级",
    "一次",
    "首次",
    "问题",
    "预警",
    "上报",
    "推送",
    "中心",
    "机器人",
    "end",
    "begin",
    "start",
];

/// What brackets and prefixes say.
#[derive(Debug, Default)]
struct Marked {
    state: Option<Word>,
    /// What the word for a level says of the state: less than a word for a state.
    ranked: Option<Word>,
    /// What the subject before a colon implies.
    implied: Option<Word>,
}

impl Title {
    /// What it says of the state, in whatever way.
    pub fn says(&self) -> Option<Word> {
        self.state.or(self.implied)
    }
}

/// `text` without the troubles of which there is none.
fn without_none(text: &str) -> std::borrow::Cow<'_, str> {
    NONE.replace_all(text, " ")
}

/// `text` with `#` for each run of digits, and single blanks.
pub(super) fn without_digits(text: &str) -> String {
    DIGITS.replace_all(text, "#").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The runs of digits that name a thing, by their place: two titles with one core have the same places.
fn numbers(core: &str) -> Vec<String> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_' | '/');
    let is_fraction = |found: regex::Match<'_>| {
        let before = core[..found.start()].chars().next_back();
        let after = core[found.end()..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    };
    let amounts: Vec<std::ops::Range<usize>> = AMOUNT
        .find_iter(core)
        .filter(|found| {
            !core[..found.start()].ends_with(is_part) || !found.as_str().starts_with(|c: char| c.is_ascii_digit())
        })
        .chain(DECIMAL.find_iter(core).filter(|found| is_fraction(*found)))
        .map(|found| found.range())
        .collect();
    let is_amount = |at: usize| amounts.iter().any(|range| range.contains(&at));
    let digits = DIGITS.find_iter(core).enumerate().take(NUMBERS);
    digits
        .filter(|(_, digits)| !is_amount(digits.start()))
        .map(|(place, digits)| format!("#{place}={}", digits.as_str()))
        .collect()
}

/// Signs and `:codes:` at the beginning and the end, taken off.
fn signs(text: &mut String) -> Option<Word> {
    let mut said = None;
    let mut rest = text.as_str();
    loop {
        rest = rest.trim();
        if let Some(found) = CODE.find(rest).filter(|found| found.start() == 0)
            && let Some(word) = lexicon::code(found.as_str())
        {
            said = said.or(Some(word));
            rest = &rest[found.end()..];
        } else if let Some(found) = CODE.find_iter(rest).last().filter(|found| found.end() == rest.len())
            && let Some(word) = lexicon::code(found.as_str())
        {
            said = said.or(Some(word));
            rest = &rest[..found.start()];
        } else if let Some(first) = rest.chars().next().filter(|first| is_sign(*first)) {
            said = said.or_else(|| lexicon::letter_sign(first));
            rest = &rest[first.len_utf8()..];
        } else if let Some(last) = rest.chars().next_back().filter(|last| is_sign(*last)) {
            said = said.or_else(|| lexicon::letter_sign(last));
            rest = &rest[..rest.len() - last.len_utf8()];
        } else {
            break;
        }
    }
    // A line of signs alone keeps them: there is nothing else to show.
    if !rest.is_empty() {
        *text = rest.to_owned();
    }
    said
}

/// Pictures and dingbats, not letters, digits or punctuation.
const fn is_sign(letter: char) -> bool {
    matches!(letter,
        '\u{2600}'..='\u{27BF}' | '\u{1F300}'..='\u{1FAFF}' | '\u{2B00}'..='\u{2BFF}' | '\u{203C}' | '\u{2049}' | '\u{FE0F}')
}

/// Leading brackets, any number, and one at the end: what is a state or a level goes, the rest stays.
fn brackets(title: &mut Title, marked: &mut Marked) {
    let mut kept = String::new();
    let mut rest = title.text.clone();
    while let Some((inside, after)) = opening(&rest) {
        let (inside, after) = (inside.to_owned(), after.trim_start().to_owned());
        match content(&inside) {
            Content::State(word) => marked.state = marked.state.or(Some(word)),
            Content::Level(said, word) => {
                title.level.get_or_insert(said);
                marked.ranked = marked.ranked.or(word);
            }
            Content::Begins(word, left) => {
                marked.state = marked.state.or(Some(word));
                if !left.is_empty() {
                    kept.push_str(&rest[..rest.len() - rest.trim_start_matches(is_bracket).len()]);
                    kept.push_str(&left);
                    kept.push(closing(&rest));
                    kept.push(' ');
                }
            }
            Content::Other => {
                kept.push_str(rest[..rest.len() - after.len()].trim());
                // A bracket that is part of a word (`[web-9]磁盘`) stays with it.
                if rest[..rest.len() - after.len()].ends_with(' ') {
                    kept.push(' ');
                }
            }
        }
        rest = after;
    }
    let mut text = format!("{kept}{rest}").trim().to_owned();
    if let Some((before, inside)) = last_bracket(&text) {
        let left = before.trim_end().len();
        match content(inside) {
            Content::State(word) => {
                marked.state = marked.state.or(Some(word));
                text.truncate(left);
            }
            Content::Level(said, _) => {
                title.level.get_or_insert(said);
                text.truncate(left);
            }
            Content::Begins(..) | Content::Other => {}
        }
    }
    if !text.is_empty() {
        title.text = text;
    }
}

enum Content {
    State(Word),
    /// A level, and the state that its tail says (`重要告警`).
    Level(String, Option<Word>),
    /// Its first word is a state; what is left of it.
    Begins(Word, String),
    Other,
}

fn content(inside: &str) -> Content {
    let inside = inside.trim();
    let inside = SCOPE.find(inside).map_or(inside, |scope| &inside[..scope.start()]);
    if COUNTS.is_match(inside) {
        return Content::State(if FIRES.is_match(inside) { Word::Firing } else { Word::Resolved });
    }
    // `严重` is a level before it is a state; `告警` is the state.
    let is_level = |word: &str| Level::of(word).is_some();
    let words = || inside.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    let level = Level::of(inside).filter(|_| inside.chars().count() <= 16 && words().all(is_level));
    let exact = lexicon::exact(inside);
    match (exact, level) {
        (Some(word), None) => return Content::State(word),
        (Some(word), Some(_))
            if matches!(inside.to_lowercase().as_str(), "告警" | "报警" | "error" | "通知" | "提醒") =>
        {
            return Content::State(word);
        }
        (exact, Some(_)) => return Content::Level(inside.to_owned(), exact.or_else(|| lexicon::han(inside))),
        (None, None) => {}
    }
    if let Some(word) = lexicon::han(inside).filter(|_| inside.chars().count() <= HAN_PREFIX) {
        return Content::State(word);
    }
    let (first, rest) = inside.split_once([' ', ':', '：']).unwrap_or((inside, ""));
    match lexicon::exact(first).filter(|word| !matches!(word, Word::Notice)) {
        Some(word) if rest.trim().is_empty() => Content::State(word),
        Some(word) => Content::Begins(word, rest.trim().to_owned()),
        None => Content::Other,
    }
}

fn is_bracket(letter: char) -> bool {
    BRACKETS.iter().any(|(open, _)| *open == letter)
}

fn closing(text: &str) -> char {
    let first = text.chars().next();
    BRACKETS.iter().find(|(open, _)| Some(*open) == first).map_or(']', |(_, close)| *close)
}

/// What stands in the bracket at the beginning, and after it.
fn opening(text: &str) -> Option<(&str, &str)> {
    let first = text.chars().next()?;
    let (_, close) = BRACKETS.iter().find(|(open, _)| *open == first)?;
    let inside = &text[first.len_utf8()..];
    let end = inside.find(*close)?;
    Some((&inside[..end], &inside[end + close.len_utf8()..]))
}

/// What stands before the bracket at the end, and in it.
fn last_bracket(text: &str) -> Option<(&str, &str)> {
    let last = text.chars().next_back()?;
    let (open, _) = BRACKETS.iter().find(|(_, close)| *close == last)?;
    let start = text.rfind(*open).filter(|start| *start > 0)?;
    Some((&text[..start], &text[start + open.len_utf8()..text.len() - last.len_utf8()]))
}

/// A state before a colon or a dash: `Problem: …`, `恢复：…`, `Resolved in 12m: …`, `恢复 - …`; taken off. A level before it
/// ranks the alert.
fn prefix(title: &mut Title, marked: &mut Marked) {
    let Some((head, rest)) = before_colon(&title.text).or_else(|| before_dash(&title.text)) else { return };
    let Some(word) = of_prefix(head) else { return };
    let rest = rest.to_owned();
    let subject = ["告警", "报警", "通知", "恢复"].iter().find_map(|tail| head.strip_suffix(tail)).unwrap_or(head);
    if head.chars().any(is_han) && lexicon::exact(head).is_none() && Level::of(subject).is_none() {
        // `夜间对账失败：…` names the subject: only what ranks it goes.
        let said = if word == Word::Firing { &mut marked.implied } else { &mut marked.state };
        *said = said.or(Some(word));
        return;
    }
    if Level::of(head).is_some() && head.chars().count() <= 16 {
        title.level.get_or_insert(head.to_owned());
        marked.ranked = marked.ranked.or(Some(word));
    } else {
        marked.state = marked.state.or(Some(word));
    }
    title.text = rest;
}

fn before_colon(text: &str) -> Option<(&str, &str)> {
    let (at, colon) = text.char_indices().take(PREFIX + 1).find(|(_, letter)| matches!(letter, ':' | '：'))?;
    let (head, rest) = (text[..at].trim(), text[at + colon.len_utf8()..].trim());
    // `失败: 0` is no trouble.
    let is_none =
        rest.strip_prefix('0').is_some_and(|unit| !unit.starts_with(|c: char| c.is_ascii_digit() || c == '.'));
    (!rest.is_empty() && !head.is_empty() && !rest.starts_with("//") && !is_none).then_some((head, rest))
}

/// The head is a word for a state, nothing else: `web - api` is a name.
fn before_dash(text: &str) -> Option<(&str, &str)> {
    const DASHES: [&str; 8] = [" - ", " – ", " — ", " | ", "——", "｜", "|", "-"];
    let (head, rest) = DASHES.iter().filter_map(|dash| text.split_once(dash)).min_by_key(|(head, _)| head.len())?;
    let (head, rest) = (head.trim(), rest.trim_start_matches(['-', '–', '—', '|', '｜']).trim());
    let spaced = text[head.len()..].starts_with([' ', '—', '|', '｜']) || head.chars().all(is_han);
    (spaced && !rest.is_empty() && head.chars().count() <= PREFIX && lexicon::exact(head).is_some())
        .then_some((head, rest))
}

fn of_prefix(head: &str) -> Option<Word> {
    if SPAN.is_match(head) {
        Some(Word::Resolved)
    } else if UPDATED.is_match(head) {
        Some(Word::Notice)
    } else if let Some(word) = lexicon::exact(head) {
        Some(word)
    } else if head.chars().any(is_han) {
        lexicon::han(head).or_else(|| alarm_tail(head)).filter(|_| head.chars().count() <= HAN_PREFIX)
    } else {
        head.split_whitespace().all(|word| lexicon::exact(word).is_some()).then(|| lexicon::of_words(head)).flatten()
    }
}

fn alarm_tail(text: &str) -> Option<Word> {
    (text.ends_with("告警") || text.ends_with("报警")).then_some(Word::Firing)
}

/// Where an English predicate begins, and what it says.
fn predicate(text: &str) -> (Option<usize>, Option<Word>) {
    let mut words: Vec<(usize, String)> = Vec::new();
    let mut at = 0;
    for part in text.split(' ') {
        let word = part.trim_matches(|c: char| !c.is_alphanumeric() && c != '\'').to_lowercase();
        words.push((at, word));
        at += part.len() + 1;
    }
    let denied = |from: usize, to: usize| words[from..to].iter().any(|(_, word)| NEGATIONS.contains(&word.as_str()));
    for (index, (start, word)) in words.iter().enumerate().skip(1) {
        if !AUXILIARIES.contains(&word.as_str()) {
            continue;
        }
        let end = words.len().min(index + 1 + REACH);
        for (found, (_, word)) in words.iter().enumerate().take(end).skip(index + 1) {
            let said = if OVER.contains(&word.as_str()) {
                Word::Resolved
            } else if ON.contains(&word.as_str()) {
                Word::Firing
            } else {
                continue;
            };
            let head = text[..*start].trim_end().len();
            if denied(index, found) {
                return (None, None);
            }
            return (Some(head), Some(said));
        }
    }
    let spoken: Vec<&str> = words.iter().map(|(_, word)| word.as_str()).collect();
    let joined = spoken.join(" ");
    let over = ["back to normal", "up again", "back online"].iter().any(|phrase| joined.contains(phrase))
        || spoken.iter().any(|word| matches!(*word, "recovered" | "resolved"));
    let over = over && !denied(0, words.len()) && !joined.contains("unresolved");
    (None, over.then_some(Word::Resolved))
}

/// What the last clause in Han says that ends with a word for a state. Whether `告警` at the end means trouble is not
/// decided here: 测试告警 is none.
fn clauses(text: &str) -> Option<Word> {
    let cut = |letter: char| {
        letter.is_whitespace()
            || letter.is_ascii_punctuation() && !matches!(letter, '-' | '_' | '/' | '.' | '%')
            || "，。；：！？、（）【】《》“”‘’·…—".contains(letter)
    };
    text.split(cut)
        .filter(|clause| !clause.ends_with("告警") && !clause.ends_with("报警"))
        .filter(|clause| !clause.ends_with("关闭") || closes_a_trouble(text, clause))
        .filter_map(lexicon::han)
        .rfind(|word| !matches!(word, Word::Notice))
}

/// Is it a trouble that the clause says is closed, rather than a port or a service?
fn closes_a_trouble(text: &str, clause: &str) -> bool {
    const TROUBLES: [&str; 9] = ["告警", "报警", "警报", "问题", "工单", "事件", "故障", "异常", "缺陷"];
    let end = clause.as_ptr() as usize - text.as_ptr() as usize + clause.len() - "关闭".len();
    let before = text[..end].trim_end_matches(|letter: char| letter == '已' || !letter.is_alphanumeric());
    before.is_empty() || TROUBLES.iter().any(|trouble| before.ends_with(trouble))
}

fn ends_as_alarm(text: &str) -> Option<Word> {
    let text = text.trim_end_matches(|letter: char| !letter.is_alphanumeric());
    let calm = ["测试", "恢复", "解除", "关闭", "消除"].iter().any(|word| text.contains(word));
    alarm_tail(text).filter(|_| !calm)
}

/// A whole word that says failure, or success at the end.
fn words(text: &str) -> Option<Word> {
    let lower = text.to_lowercase();
    let words: Vec<&str> =
        lower.split(|c: char| !c.is_alphanumeric() && c != '\'').filter(|word| !word.is_empty()).collect();
    let is_denied = |at: usize| at > 0 && NEGATIONS.contains(&words[at - 1]);
    if words.iter().enumerate().any(|(at, word)| FAILURES.contains(word) && !is_denied(at)) {
        return Some(Word::Firing);
    }
    let from = words.len().saturating_sub(2);
    let done = (from..words.len()).any(|at| SUCCESSES.contains(&words[at]) && !is_denied(at));
    done.then_some(Word::Resolved)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_taken_apart() {
        use Word::{Firing, Resolved};
        for (line, text, state, level) in [
            ("Resolved in 12m 3s: CPU 过高", "CPU 过高", Some(Resolved), None),
            ("【告警恢复】磁盘使用率", "磁盘使用率", Some(Resolved), None),
            ("[FIRING:1, RESOLVED:2] HostDown", "HostDown", Some(Firing), None),
            ("[RESOLVED:2] HostDown", "HostDown", Some(Resolved), None),
            ("[P1][PROBLEM][web-9] CPU", "[web-9] CPU", Some(Firing), Some("P1")),
            ("API is still down.", "API is still down.", Some(Firing), None),
            ("Service is not up", "Service is not up", None, None),
            ("支付成功率跌到 82%", "支付成功率跌到 82%", None, None),
            ("请尽快恢复", "请尽快恢复", None, None),
            ("服务恢复失败", "服务恢复失败", Some(Firing), None),
            ("磁盘空间不足，已恢复", "磁盘空间不足，已恢复", Some(Resolved), None),
            ("测试告警", "测试告警", None, None),
            ("重要告警: 库存", "库存", Some(Firing), Some("重要告警")),
            ("[重要告警]库存", "库存", Some(Firing), Some("重要告警")),
            ("✅ 支付网关 is up!", "支付网关 is up!", Some(Resolved), None),
            ("*order-api* 部署失败 :x:", "order-api 部署失败", Some(Firing), None),
            ("Problem: 磁盘空间不足 /data", "磁盘空间不足 /data", Some(Firing), None),
            ("恢复: 订单主机 CPU 过高", "订单主机 CPU 过高", Some(Resolved), None),
            ("NAS 磁盘健康告警", "NAS 磁盘健康告警", Some(Firing), None),
            (
                "vzdump backup status (pve1.example.com): backup failed",
                "vzdump backup status (pve1.example.com): backup failed",
                Some(Firing),
                None,
            ),
            ("构建 成功，项目 order-api #42", "构建 成功，项目 order-api #42", Some(Resolved), None),
            ("订单服务 OOM", "订单服务 OOM", Some(Firing), None),
            ("订单库主从延迟", "订单库主从延迟", None, None),
            ("告警信息:", "告警信息:", None, None),
            ("HostOutOfMemory order-web-01 (warning)", "HostOutOfMemory order-web-01", None, Some("warning")),
            ("Backup job completed", "Backup job completed", Some(Resolved), None),
            ("🔥", "🔥", Some(Firing), None),
            ("[Critical][Resolved] Disk full", "Disk full", Some(Resolved), Some("Critical")),
            ("[已恢复][严重] 磁盘将满", "磁盘将满", Some(Resolved), Some("严重")),
            ("✅ 磁盘将满", "磁盘将满", Some(Resolved), None),
            ("🔴 磁盘将满", "磁盘将满", Some(Firing), None),
            ("恢复 - 磁盘将满", "磁盘将满", Some(Resolved), None),
            ("恢复-磁盘将满", "磁盘将满", Some(Resolved), None),
            ("RESOLVED | Disk failed", "Disk failed", Some(Resolved), None),
            ("PROBLEM - api", "api", Some(Firing), None),
            ("web - api down", "web - api down", Some(Firing), None),
            ("恢复：【P1】磁盘将满", "磁盘将满", Some(Resolved), Some("P1")),
            ("CRITICAL: db-3 disk 96%", "db-3 disk 96%", Some(Firing), Some("CRITICAL")),
            ("严重：支付超时", "支付超时", Some(Firing), Some("严重")),
            ("[Critical] 磁盘空间不足，已恢复", "磁盘空间不足，已恢复", Some(Resolved), Some("Critical")),
            ("[P2] [Recovered on {host:db-3}] Disk usage high", "Disk usage high", Some(Resolved), Some("P2")),
            ("[P3] [Re-No Data on {host:db-3}] Lag", "Lag", Some(Word::NoData), Some("P3")),
            ("[Warn on {host:db-3}] Lag", "Lag", Some(Firing), Some("Warn")),
        ] {
            let title = read(line);
            assert_eq!((title.text.as_str(), title.says(), title.level.as_deref()), (text, state, level), "{line}");
        }
        assert_eq!(read("API is still down.").core, "api");
        assert_eq!(read("✅ 支付网关 is up!").core, "支付网关");
        for line in [
            "监控告警",
            "【恢复】",
            "🔥 Firing",
            "S1 Recovered",
            "告警恢复通知",
            "***** Nagios *****",
            "OK",
            "[P1] PROBLEM",
            "严重告警",
            "Prometheus恢复信息",
            "====END====",
        ] {
            assert!(is_bare(line), "{line}");
        }
        for line in
            ["宕机告警", "设备离线", "磁盘恢复", "HostDown", "支付告警", "12", "", "web-1 OK", "服务异常", "主机: db-3"]
        {
            assert!(!is_bare(line), "{line}");
        }
        for line in [
            "无异常",
            "磁盘检查未发现异常",
            "未发现任何异常",
            "没有失败",
            "消息队列不再堆积",
            "巡检：异常 0 项",
            "失败：0",
            "0 errors",
            "no new failures on db-3",
            "端口 3306 已关闭",
            "支付通道已关闭",
            "请关闭",
        ] {
            assert_eq!(read(line).says(), None, "{line}");
        }
        for (line, word) in [
            ("数据库备份完成，失败 0 个", Word::Resolved),
            ("backup of db-3 completed, 0 errors", Word::Resolved),
            ("0 failed, 12 passed", Word::Resolved),
            ("告警已关闭", Word::Resolved),
            ("工单 12：问题已关闭", Word::Resolved),
            // Controls.
            ("失败 10 个", Word::Firing),
            ("10 errors", Word::Firing),
            ("发现异常", Word::Firing),
            ("队列堆积", Word::Firing),
            ("无法连接，超时", Word::Firing),
            ("12 passed, 1 failed", Word::Firing),
        ] {
            assert_eq!(read(line).says(), Some(word), "{line}");
        }
        // What may be the name of a rule is no word of its sender.
        for line in ["磁盘将满", "API is down", "CPU 告警", "backup failed"] {
            assert_eq!((read(line).state, read(line).implied), (None, Some(Word::Firing)), "{line}");
        }
        for (line, numbers) in [
            ("10.0.0.1 宕机", "#0=10 #1=0 #2=0 #3=1"),
            ("磁盘 95% 已满 on db-12", "#1=12"),
            ("机柜 12 掉电", "#0=12"),
            ("端口3306不通", "#0=3306"),
            ("工单 #4711 超时", "#0=4711"),
            ("订单库主从延迟 312 秒", ""),
            ("load 12.5 > 10, 2026-11-30 14:02:11", ""),
            ("延迟 1000ms 超过 500", ""),
            ("web-9s 离线", "#0=9"),
        ] {
            assert_eq!(read(line).numbers.join(" "), numbers, "{line}");
        }
        assert_eq!(read("Updated problem in 3m: x").state, Some(Word::Notice));
        assert_eq!(read("磁盘 95% 已满 on db-12").core, read("磁盘 97% 已满 on db-13").core);
    }
}
