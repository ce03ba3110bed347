//! What stands before the words of a title: a state or a level, with a colon, a dash or only a blank behind it.

use std::sync::LazyLock;

use ::regex::Regex;

use super::super::lexicon::{self, Word, is_han};
use super::{HAN_PREFIX, Marked, Title, alarm_tail, is_bare, regex};
use crate::level::Level;

/// Characters of a prefix before a colon.
const PREFIX: usize = 24;

static SPAN: LazyLock<Regex> =
    LazyLock::new(|| regex(r"(?i)^(?:resolved|recovered|ok)\s+(?:in|after|for)\s+[\w\s.]+$"));
static UPDATED: LazyLock<Regex> = LazyLock::new(|| regex(r"(?i)^(?:updated|acknowledged)\b"));

/// A state before a colon or a dash: `Problem: …`, `恢复：…`, `Resolved in 12m: …`, `恢复 - …`; taken off. A level before it
/// ranks the alert.
pub(super) fn prefix(title: &mut Title, marked: &mut Marked) {
    if let Some((code, rest)) = rank_before_dash(&title.text) {
        title.level.get_or_insert(code.to_owned());
        title.text = rest.to_owned();
        return;
    }
    if let Some((inside, after)) = super::opening(&title.text).filter(|(_, after)| !after.trim().is_empty()) {
        let (inside, after) = (inside.to_owned(), after.trim().to_owned());
        behind_bracket(title, marked, &inside, &after);
        return;
    }
    let Some((head, rest)) = before_colon(&title.text).or_else(|| before_dash(&title.text)) else { return };
    // `Health check cleared: slow ops`, `SNMP_TRAP_LINK_UP: ifIndex 531`: what is told of stays.
    if let Some(word) = of_event(head) {
        marked.state = marked.state.or(Some(word));
        return;
    }
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

/// `[TDengine] 告警: …`: the bracket stays, the prefix behind it goes.
fn behind_bracket(title: &mut Title, marked: &mut Marked, inside: &str, after: &str) {
    let Some((head, rest)) = before_colon(after) else { return };
    let is_state = |word: &Word| matches!(word, Word::Firing | Word::Resolved);
    if let Some(word) = lexicon::exact(head).filter(is_state) {
        marked.state = marked.state.or(Some(word));
    } else if let Some(word) = head.strip_suffix("通知").and_then(lexicon::exact).filter(is_state) {
        // What is told behind `告警通知：` may be an end.
        marked.implied = marked.implied.or(Some(word));
    } else {
        return;
    }
    let open = title.text.chars().next().unwrap_or('[');
    title.text = format!("{open}{inside}{} {rest}", super::closing(&title.text));
}

/// A word in capitals that is a level or a state and has no colon behind it: `CRITICAL db-3 disk full`; taken off. Only words
/// that begin no name in capitals: `LOW DISK SPACE` and `DISASTER RECOVERY drill` stay.
pub(super) fn first_word(title: &mut Title, marked: &mut Marked) {
    const STATES: [&str; 8] = ["FIRING", "PROBLEM", "ALERTING", "TRIGGERED", "OK", "RESOLVED", "RECOVERED", "ALERT"];
    const LEVELS: [&str; 9] = ["CRITICAL", "CRIT", "FATAL", "EMERGENCY", "EMERG", "MAJOR", "WARNING", "WARN", "ERROR"];
    const HAN: [&str; 6] = ["致命", "紧急", "严重", "警告", "灾难", "重要"];
    let Some((first, rest)) = title.text.split_once(' ') else { return };
    let rest = rest.trim_start();
    let is_capital = first.len() > 1 && first.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    // `ERROR 500` and `OK, …` are something else.
    if !rest.starts_with(char::is_alphabetic) || !(is_capital || HAN.contains(&first)) || is_bare(rest) {
        return;
    }
    let word = lexicon::exact(first);
    let is_state = STATES.contains(&first) || is_report(first, rest);
    if is_state && marked.state.is_none() {
        marked.state = word;
    } else if (LEVELS.contains(&first) || HAN.contains(&first) || is_rank(first)) && title.level.is_none() {
        title.level.get_or_insert(first.to_owned());
        marked.ranked = marked.ranked.or(word);
        // What failed is called an error as well.
        if first == "ERROR" {
            return;
        }
    } else {
        return;
    }
    title.text = rest.to_owned();
}

/// `RECOVERY Host Alert: …`, `RECOVERY alert …`; what is recovered is called so as well.
fn is_report(first: &str, rest: &str) -> bool {
    let lower = rest.to_lowercase();
    first == "RECOVERY" && ["alert ", "host alert:", "service alert:"].iter().any(|start| lower.starts_with(start))
}

/// `P1`, `S2`, `SEV1`.
fn is_rank(word: &str) -> bool {
    word.len() <= 5 && word.ends_with(|letter: char| letter.is_ascii_digit()) && Level::of(word).is_some()
}

pub(super) fn before_colon(text: &str) -> Option<(&str, &str)> {
    let (at, colon) = text.char_indices().take(PREFIX + 1).find(|(_, letter)| matches!(letter, ':' | '：'))?;
    let (head, rest) = (text[..at].trim(), text[at + colon.len_utf8()..].trim());
    // `失败: 0` is no trouble.
    let is_none =
        rest.strip_prefix('0').is_some_and(|unit| !unit.starts_with(|c: char| c.is_ascii_digit() || c == '.'));
    (!rest.is_empty() && !head.is_empty() && !rest.starts_with("//") && !is_none).then_some((head, rest))
}

/// A rank in letters and a digit before a dash: `S1 - …`, `P2 | …`.
fn rank_before_dash(text: &str) -> Option<(&str, &str)> {
    let (head, rest) = [" - ", " – ", " — ", " | ", " · "].iter().find_map(|dash| text.split_once(dash))?;
    (is_rank(head) && !rest.trim().is_empty()).then(|| (head, rest.trim()))
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

/// The state in the name of an event, or behind what is over.
fn of_event(head: &str) -> Option<Word> {
    const OVER: [&str; 5] = ["cleared", "resolved", "recovered", "restored", "fixed"];
    let is_code = head.contains('_')
        && head.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    if is_code {
        return lexicon::of_kind(head);
    }
    let (before, last) = head.rsplit_once(' ')?;
    let is_named = before.contains(|letter: char| letter.is_ascii_lowercase()) && lexicon::exact(before).is_none();
    (is_named && OVER.contains(&last)).then_some(Word::Resolved)
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
