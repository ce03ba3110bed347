//! The predicate of an English title: `web-1 is down`, `latency went above threshold`.

use super::NEGATIONS;
use crate::ingest::lexicon::Word;

/// Words behind an auxiliary among which its predicate is looked for.
const REACH: usize = 4;

const AUXILIARIES: [&str; 12] =
    ["status", "is", "are", "was", "were", "has", "have", "now", "went", "still", "came", "become"];
const OVER: [&str; 16] = [
    "green",
    "repaired",
    "redundant",
    "good",
    "up",
    "ok",
    "online",
    "normal",
    "healthy",
    "recovered",
    "resolved",
    "back",
    "operational",
    "reachable",
    "restored",
    "normally",
];
const ON: [&str; 21] = [
    "red",
    "bad",
    "dead",
    "down",
    "unreachable",
    "failed",
    "offline",
    "firing",
    "critical",
    "unavailable",
    "failing",
    "degraded",
    "unhealthy",
    "disconnected",
    "faulty",
    "lost",
    "abnormal",
    "crashed",
    "corrupted",
    "overloaded",
    "unresponsive",
];
/// What power supplies and graphs say: the two differ in their words.
const PHRASES: [(&str, Word); 20] = [
    ("running again", Word::Resolved),
    ("back on mains", Word::Resolved),
    ("returned to normal", Word::Resolved),
    ("succeeded after", Word::Resolved),
    ("back below", Word::Resolved),
    ("back above", Word::Resolved),
    ("back within", Word::Resolved),
    ("exceeded threshold", Word::Firing),
    ("alert cleared", Word::Resolved),
    ("alarm cleared", Word::Resolved),
    ("fault cleared", Word::Resolved),
    ("no longer on battery", Word::Resolved),
    ("on battery", Word::Firing),
    ("on line power", Word::Resolved),
    ("on utility power", Word::Resolved),
    ("on mains power", Word::Resolved),
    ("utility power restored", Word::Resolved),
    ("went above threshold", Word::Firing),
    ("went below threshold", Word::Firing),
    ("restored to normal", Word::Resolved),
];

/// Where an English predicate begins, and what it says.
pub(super) fn predicate(text: &str) -> (Option<usize>, Option<Word>) {
    let mut words: Vec<(usize, String)> = Vec::new();
    let mut at = 0;
    for part in text.split(' ') {
        let word = part.trim_matches(|c: char| !c.is_alphanumeric() && c != '\'').to_lowercase();
        words.push((at, word));
        at += part.len() + 1;
    }
    let denied = |from: usize, to: usize| words[from..to].iter().any(|(_, word)| NEGATIONS.contains(&word.as_str()));
    if let Some((at, word)) = PHRASES.iter().find_map(|(phrase, word)| Some((lower_find(text, phrase)?, *word))) {
        return (Some(text[..at].trim_end().len()).filter(|end| *end > 0), Some(word));
    }
    // `changed state to down`, `changed to up`.
    let turns = |one: &str, to: &str| to == "to" && matches!(one, "state" | "changed" | "turned" | "went");
    if let Some(at) = words.windows(2).position(|two| turns(&two[0].1, &two[1].1)) {
        let said = words.get(at + 2).map(|(_, word)| word.as_str());
        let word =
            if said.is_some_and(|word| OVER.contains(&word)) { Some(Word::Resolved) } else { Some(Word::Firing) };
        let known = said.is_some_and(|word| OVER.contains(&word) || ON.contains(&word));
        let from = at - usize::from(at > 0 && words[at - 1].1 == "changed");
        if known {
            return (Some(text[..words[from].0].trim_end_matches([' ', ',']).len()), word);
        }
    }
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

/// Where a phrase of whole words begins.
fn lower_find(text: &str, phrase: &str) -> Option<usize> {
    let lower = text.to_ascii_lowercase();
    let at = lower.find(phrase)?;
    let is_word = |letter: Option<char>| letter.is_none_or(|letter| !letter.is_alphanumeric());
    (is_word(lower[..at].chars().next_back()) && is_word(lower[at + phrase.len()..].chars().next())).then_some(at)
}
