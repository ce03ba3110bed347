//! Removes repetitions: of the rule's name in the summary, of the summary in the description.

use std::collections::BTreeSet;

use super::clean::first_sentence;
use crate::alert::Labels;

/// Letters that two texts begin with in common to be the same sentence.
const BEGINNING: usize = 20;

/// Clears the one of `line` and `detail` that adds nothing to the other or to the rule's `name`.
pub(super) fn drop_doubles(line: &mut String, detail: &mut String, name: &str, labels: &Labels) {
    let title = words(name, labels);
    let (short, long) = (plain(line), plain(detail));
    let own = words(line, labels);
    let known =
        |words: &BTreeSet<String>, of: &BTreeSet<String>| words.iter().filter(|word| of.contains(*word)).count();
    // A name in Chinese has no blanks between its words.
    let contained = !short.is_empty() && plain(name).contains(&short);
    if contained || (!own.is_empty() && 10 * known(&own, &title) >= 8 * own.len()) || same_letters(line, name, labels) {
        line.clear();
    } else if !detail.is_empty() && !line.is_empty() {
        let beginning = |text: &str| text.chars().take(BEGINNING).collect::<String>();
        let begins = short.chars().count() >= BEGINNING && beginning(&short) == beginning(&long);
        if long.starts_with(&short) || begins || long.contains(&short) {
            line.clear();
        } else if short.contains(&long) {
            detail.clear();
        }
    }
    // Beyond numbers and what labels say, it has to add a word.
    let mut said = title;
    said.extend(words(line, labels));
    let rest = words(detail, labels);
    let numbers = detail.chars().any(|c| c.is_ascii_digit()) && line.is_empty();
    let adds_nothing = if is_han(detail) {
        !line.is_empty() && plain(line).contains(&plain(detail))
    } else {
        !numbers && rest.iter().all(|word| said.contains(word))
    };
    if adds_nothing {
        detail.clear();
    }
    // A first sentence that the line said already.
    if !line.is_empty() && !detail.is_empty() {
        let (first, rest) = first_sentence(detail);
        if plain(&first) == plain(line) {
            *detail = rest;
        }
    }
}

/// Drops the lines of `text` that only list labels of the alert: `tags: Hostname=gpu-03, gpu=5`.
pub(super) fn drop_lists(text: &mut String, labels: &Labels) {
    if text.lines().any(|line| lists_labels(line, labels)) {
        *text = text.lines().filter(|line| !lists_labels(line, labels)).collect::<Vec<_>>().join("\n");
    }
}

fn lists_labels(line: &str, labels: &Labels) -> bool {
    // A word before them, which names the list.
    let behind = line.split_once([':', '：']).filter(|(lead, _)| !lead.contains(['=', ' ', ',']));
    let is_label = |pair: &str| {
        let Some((name, value)) = pair.split_once('=') else { return false };
        labels.get(name.trim()).is_some_and(|known| known == value.trim().trim_matches('"'))
    };
    let lists = |text: &str| {
        let mut pairs = text.trim().trim_matches(['[', ']', '{', '}']).split([',', ';', '，', '；']).peekable();
        pairs.peek().is_some() && pairs.all(&is_label)
    };
    lists(line) || behind.is_some_and(|(_, rest)| lists(rest))
}

fn is_han(text: &str) -> bool {
    text.chars().any(|c| matches!(c, '\u{3400}'..='\u{9fff}'))
}

/// Letters and digits in lower case: case, blanks and punctuation make no difference.
fn plain(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Is `line` the name, with values of labels in between?
fn same_letters(line: &str, name: &str, labels: &Labels) -> bool {
    let mut masked = line.to_owned();
    for value in labels.values().filter(|value| value.len() > 1 && value.len() < 200).take(200) {
        masked = masked.replace(value.as_str(), " ");
    }
    let masked = plain(&masked);
    !masked.is_empty() && masked == plain(name)
}

/// The words of a text in lower case, without numbers and without what labels say; of a name also those that capitals
/// begin. Han characters count as words each with its neighbour.
fn words(text: &str, labels: &Labels) -> BTreeSet<String> {
    let values: BTreeSet<String> =
        labels.values().take(200).flat_map(|value| pieces(value)).filter(|piece| piece.len() > 1).collect();
    pieces(text)
        .into_iter()
        .filter(|word| {
            !word.chars().all(|c| c.is_ascii_digit()) && !values.contains(word) && !LITTLE.contains(&word.as_str())
        })
        .collect()
}

/// Words that carry no meaning.
const LITTLE: [&str; 22] = [
    "a", "an", "the", "of", "on", "in", "at", "to", "for", "is", "are", "has", "have", "with", "and", "by", "be",
    "from", "been", "was", "more", "than",
];

fn pieces(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut before = ' ';
    let mut han = None;
    for letter in text.chars() {
        let is_han = matches!(letter, '\u{3400}'..='\u{9fff}');
        let breaks = !letter.is_alphanumeric() || is_han || (letter.is_uppercase() && before.is_lowercase());
        if breaks && !word.is_empty() {
            out.push(std::mem::take(&mut word));
        }
        if is_han {
            if let Some(first) = han.replace(letter) {
                out.push([first, letter].iter().collect());
            }
        } else {
            han = None;
            if letter.is_alphanumeric() {
                word.extend(letter.to_lowercase());
            }
        }
        before = letter;
    }
    if !word.is_empty() {
        out.push(word);
    }
    out
}
