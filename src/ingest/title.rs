//! What a title says besides what it is about: state and level in its brackets, its prefix, its predicate, its last word.

mod bare;
pub(super) mod change;
mod core;
mod implied;
mod numbers;
mod predicate;
mod prefix;

use std::sync::LazyLock;

use regex::Regex;

use super::lexicon::{self, Word};
use super::plain;
use crate::level::Level;
use crate::pattern::regex;
pub(super) use bare::is_bare;
pub(super) use core::IN_BRACKETS;
use implied::{asks_for_help, ends_as_alarm, sums_up, trouble, words};
use numbers::numbers;
pub(super) use numbers::without_digits;
use predicate::predicate;
use prefix::{first_word, prefix};

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
    /// What it says is wrong, where the core leaves that out, as `@!=word`.
    pub troubles: Vec<String>,
}

/// Characters of a prefix in Han that ends with a word for a state.
const HAN_PREFIX: usize = 6;
/// Times that brackets and a prefix may follow each other.
const MARKERS: usize = 3;

const BRACKETS: [(char, char); 4] = [('[', ']'), ('【', '】'), ('(', ')'), ('（', '）')];

static COUNTS: LazyLock<Regex> = LazyLock::new(|| regex(r"(?i)^(?:(?:firing|resolved)\s*:?\s*\d+\s*,?\s*)+$"));
static FIRES: LazyLock<Regex> = LazyLock::new(|| regex(r"(?i)firing\s*:?\s*0*[1-9]"));
/// `Triggered on {host:web-1}`: where it is stands in members of its own.
static SCOPE: LazyLock<Regex> = LazyLock::new(|| regex(r"(?i)\s+on\s+\{[^}]*\}$"));
/// Troubles of which there is none: `0 errors`, `失败 0 个`, `no new failures`.
static NONE: LazyLock<Regex> = LazyLock::new(|| {
    const TROUBLE: &str = r"(?:失败|异常|错误|报错|告警|报警|故障|超时|离线|丢失|积压|堆积|问题|fail(?:ed|ures?|ing|s)?|errors?|exceptions?|alerts?|alarms?|problems?|timeouts?|crash(?:ed|es)?|down|unreachable|critical|warnings?)";
    const UNIT: &str = r"\s*(?:个|次|条|台|项|起|笔|件|例|处|tests?|jobs?|hosts?|files?|items?|checks?)?\s*";
    regex(&format!(
        r"(?i)(?:(?:^|[^\d.,A-Za-z_-])0{UNIT}{TROUBLE}|(?:^|\W)(?:no|without|zero)\s+(?:\w+\s+)?{TROUBLE})(?-u:\b|$)?|{TROUBLE}(?:数量|次数|个数|数|率)?\s*[:：=为]?\s*0(?:\s*[个次条台项起笔件例处]|$|[^\d.%])"
    ))
});
static CODE: LazyLock<Regex> = LazyLock::new(|| regex(r":[a-z0-9_+-]{1,32}:"));

const NEGATIONS: [&str; 6] = ["not", "no", "never", "isn't", "cannot", "can't"];

/// Takes a line apart, which may be decorated.
pub(super) fn read(line: &str) -> Title {
    let line = plain::line(line);
    let (said, address) = plain::without_addresses(&line);
    let mut title = Title { text: super::moment::without(said).into_owned(), ..Title::default() };
    let sign = signs(&mut title.text);
    let mut marked = Marked::default();
    // A prefix may stand before brackets, and behind them.
    for _ in 0..MARKERS {
        let before = title.text.len();
        brackets(&mut title, &mut marked);
        prefix(&mut title, &mut marked);
        first_word(&mut title, &mut marked);
        if title.text.len() == before {
            break;
        }
    }
    let behind = behind(&mut title);
    let (subject, predicate) = predicate(&title.text);
    let shown = core::told_apart(&title.text).to_lowercase();
    let core = subject.map_or(shown.as_str(), |end| shown.get(..end).unwrap_or(&shown));
    let named = marked.named.to_lowercase();
    let core = if named.is_empty() { core } else { named.as_str() };
    let core = core::of(&core::without_middle(core), address);
    title.core = core.text;
    title.numbers = core.numbers;
    title.troubles = core.troubles;
    let calm = without_none(&title.text);
    let calm = crate::level::simplified(&calm);
    let clause = clauses(&calm);
    let is_end = |word: &Word| *word != Word::Firing;
    // A state in a bracket is one of now, whatever the words behind it are about.
    let marks_state = opening(&line).is_some();
    // `[变电站告警] … 油温越上限 复归`: the bracket names a channel.
    let behind_it = behind.filter(|word| *word == Word::Resolved);
    title.state = behind_it
        .or(marked.state)
        .or(behind)
        .or_else(|| predicate.filter(is_end))
        .or_else(|| sign.filter(is_end))
        .or_else(|| clause.filter(is_end))
        .or(sign)
        .or(marked.ranked)
        .filter(|word| marks_state || !sums_up(&line, *word));
    let changed = change::of(&line);
    if changed.is_some_and(|word| !sums_up(&line, word)) {
        title.state = changed;
    }
    title.implied = predicate
        .or(marked.implied)
        .or(clause)
        .or_else(|| ends_as_alarm(&calm))
        .or_else(|| told_behind_name(&line))
        .or_else(|| words(&calm))
        .or_else(|| asks_for_help(&calm))
        .or_else(|| trouble(&calm))
        .filter(|word| marks_state || !sums_up(&line, *word));
    title
}

/// `内存过高 已恢复`, `no reply. Recovered`: what stands alone behind the title says how it is now; words in Han are taken off.
fn behind(title: &mut Title) -> Option<Word> {
    const HAN: [&str; 17] = [
        "复归",
        "已复归",
        "已消除",
        "已解除",
        "已清除",
        "告警消除",
        "已恢复",
        "恢复",
        "恢复正常",
        "已恢复正常",
        "已解决",
        "已解除",
        "告警恢复",
        "报警恢复",
        "告警已恢复",
        "恢复通知",
        "告警恢复通知",
    ];
    let text = title.text.trim_end_matches(['!', '！', '。', '.']);
    if let Some((before, word)) = text.rsplit_once(' ')
        && HAN.contains(&word)
        && !is_bare(before)
    {
        title.text = before.trim_end().to_owned();
        return Some(Word::Resolved);
    }
    // `Disk space OK`
    let denied = ["not", "no", "isn't", "n't", "is"];
    if let Some(before) = text.strip_suffix(" OK")
        && !is_bare(before)
        && !denied.iter().any(|no| before.to_lowercase().ends_with(no))
    {
        return Some(Word::Resolved);
    }
    // `restic backup OK on nas-2`
    let of = text.find(" OK ").filter(|at| core::is_of(text[at + 4..].split(' ').next().unwrap_or_default()));
    if of.is_some_and(|at| at > 0 && !denied.iter().any(|no| text[..at].to_lowercase().ends_with(no))) {
        return Some(Word::Resolved);
    }
    // `db-7 - ping - UP`
    if let Some((before, word)) = text.rsplit_once(" - ")
        && word.len() > 1
        && word.bytes().all(|byte| byte.is_ascii_uppercase())
        && !is_bare(before)
        && let Some(word) = lexicon::exact(word).filter(|word| matches!(word, Word::Firing | Word::Resolved))
    {
        return Some(word);
    }
    let (before, clause) = text.rsplit_once(['.', ';', '!'])?;
    let is_word = clause.starts_with(' ') && before.contains(' ');
    lexicon::exact(clause.trim()).filter(|word| is_word && *word == Word::Resolved)
}

/// Does the line begin with a state of its own, in a bracket or before a colon, and go on?
pub(super) fn begins_with_state(line: &str) -> bool {
    let line = plain::line(line);
    let is_state = |word: Word| matches!(word, Word::Firing | Word::Resolved);
    match opening(&line) {
        Some((inside, rest)) => {
            !rest.trim().is_empty() && matches!(content(inside), Content::State(word) if is_state(word))
        }
        None => prefix::before_colon(&line).and_then(|(head, _)| lexicon::exact(head)).is_some_and(is_state),
    }
}

/// Does the line begin with a word that is only said of an end, in a bracket or before a colon, and go on? That something
/// succeeded or finished may be said of a run.
pub(super) fn begins_with_end(line: &str) -> bool {
    const ENDS: [&str; 12] = [
        "reset",
        "recovered",
        "recovery",
        "resolved",
        "cleared",
        "恢复",
        "已恢复",
        "告警恢复",
        "报警恢复",
        "恢复通知",
        "告警解除",
        "告警消除",
    ];
    let line = plain::line(line);
    let (head, rest) = match opening(&line) {
        Some(found) => found,
        None => prefix::before_colon(&line).unwrap_or_default(),
    };
    let is_failure = matches!(lexicon::of_value(rest.trim()), Some(Word::Firing));
    ENDS.contains(&head.trim().to_lowercase().as_str()) && !rest.trim().is_empty() && !is_failure
}

/// What brackets and prefixes say.
#[derive(Debug, Default)]
struct Marked {
    state: Option<Word>,
    /// What the word for a level says of the state: less than a word for a state.
    ranked: Option<Word>,
    /// What the subject before a colon implies.
    implied: Option<Word>,
    /// The name of a monitor, whose words differ at its end: `[web] [Down] timeout`, `[web] [Up] 200 - OK`.
    named: String,
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
            Content::State(word) => {
                marked.state = marked.state.or(Some(word));
                let is_monitor = matches!(inside.trim_matches(|c: char| !c.is_alphabetic()), "Up" | "Down");
                if is_monitor && marked.named.is_empty() && !kept.trim().is_empty() {
                    kept.trim().clone_into(&mut marked.named);
                }
            }
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
    if let Some((named, word)) = tail(inside) {
        return Content::Begins(word, named.to_owned());
    }
    let (first, rest) = inside.split_once([' ', ':', '：']).unwrap_or((inside, ""));
    match lexicon::exact(first).filter(|word| !matches!(word, Word::Notice)) {
        Some(word) if rest.trim().is_empty() => Content::State(word),
        Some(word) => Content::Begins(word, rest.trim().to_owned()),
        None => Content::Other,
    }
}

/// `TDSQL赤兔恢复`: what stands before a state at the end of a bracket.
fn tail(inside: &str) -> Option<(&str, Word)> {
    const LONGEST: usize = 24;
    const TAILS: [(&str, Word); 8] = [
        ("告警恢复", Word::Resolved),
        ("报警恢复", Word::Resolved),
        ("已恢复", Word::Resolved),
        ("恢复", Word::Resolved),
        ("告警解除", Word::Resolved),
        ("报警解除", Word::Resolved),
        ("告警", Word::Firing),
        ("报警", Word::Firing),
    ];
    let (named, word) = TAILS.iter().find_map(|(tail, word)| Some((inside.strip_suffix(tail)?, *word)))?;
    let sound =
        !named.trim().is_empty() && inside.chars().count() <= LONGEST && !named.ends_with(['未', '不', '无', '没']);
    sound.then_some((named.trim(), word))
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

fn alarm_tail(text: &str) -> Option<Word> {
    (text.ends_with("告警") || text.ends_with("报警")).then_some(Word::Firing)
}

/// `【某云监控】告警通知`: what is told behind the name of who tells it.
fn told_behind_name(line: &str) -> Option<Word> {
    const TOLD: [&str; 6] = ["告警通知", "报警通知", "故障通知", "告警提醒", "报警提醒", "告警信息"];
    let (_, rest) = opening(line)?;
    TOLD.contains(&rest.trim()).then_some(Word::Firing)
}

/// What the last clause in Han says that ends with a word for a state. Whether `告警` at the end means trouble is not
/// decided here: 测试告警 is none.
fn clauses(text: &str) -> Option<Word> {
    static LEVEL: LazyLock<Regex> = LazyLock::new(|| regex(r"(?:级别|等级|程度)\s*[:：为]?\s*[\p{Han}A-Za-z0-9]{1,6}"));
    let text = &*LEVEL.replace_all(text, "");
    let is_end = |clause: &str| lexicon::exact(clause) == Some(Word::Resolved);
    let cut = |letter: char| {
        letter.is_whitespace()
            || letter.is_ascii_punctuation() && !matches!(letter, '-' | '_' | '/' | '.' | '%')
            || "，。；：！？、（）【】《》“”‘’·…—".contains(letter)
    };
    text.split(cut)
        .filter(|clause| !clause.ends_with("告警") && !clause.ends_with("报警") || is_end(clause))
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

/// `接口慢告警恢复`, `主机恢复信息`: without the words for the state, which differ at the end.
fn without_state(core: &str) -> String {
    static STATE: LazyLock<Regex> =
        LazyLock::new(|| regex(r"(?:发生|触发|产生)?(?:告警|报警|已?恢复)+(信息|通知|消息|提醒)?\s*$"));
    let rest = STATE.replace(core, "$1");
    if rest.trim().is_empty() { core.to_owned() } else { rest.into_owned() }
}

#[cfg(test)]
mod tests;
