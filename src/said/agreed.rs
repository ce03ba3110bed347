//! One text for several alerts: where their texts are made by one template, what differs is masked.

use ecow::EcoString;

use crate::alert::Labels;

/// What stands for a span that differs.
const MASK: char = '…';
/// Labels whose values are masked.
const LABELS: usize = 60;
/// A longer value is not looked for: no sentence names it.
const LONGEST: usize = 200;
/// Letters behind a number that are its unit: `9.3GiB`.
const UNIT: usize = 3;
/// Letters and digits that tell something beside the masks, a Han character counted twice.
const TELLING: usize = 8;

/// The text that `texts`, each with the labels of its alert, have in common: itself where all are equal; else, if they
/// are equal but for numbers and the values of labels by which the alerts differ, with `…` for each of these, and empty if
/// too little is left beside them. `None` if they say different things. Empty texts do not speak.
pub fn agreed(texts: &[(&str, &Labels)]) -> Option<String> {
    let mut speaking = texts.iter().filter(|(text, _)| !text.trim().is_empty());
    let Some((first, labels)) = speaking.next() else { return Some(String::new()) };
    if speaking.clone().all(|(text, _)| text == first) {
        return Some((*first).to_owned());
    }
    let differing = differing(texts, labels);
    let pattern = Masked::of(first, labels, &differing);
    let mut same = vec![true; pattern.spans.len()];
    for (text, labels) in speaking {
        let other = Masked::of(text, labels, &differing);
        if other.between != pattern.between {
            return None;
        }
        for (same, (a, b)) in same.iter_mut().zip(pattern.spans.iter().zip(&other.spans)) {
            *same &= a == b;
        }
    }
    let common = without_empty_brackets(&pattern.text(&same));
    let tells =
        |letter: char| if letter.is_ascii_alphanumeric() { 1 } else { 2 * usize::from(letter.is_alphanumeric()) };
    Some(if common.chars().map(tells).sum::<usize>() < TELLING { String::new() } else { common })
}

/// `text` without brackets around a mask alone, which would name what is not said.
fn without_empty_brackets(text: &str) -> String {
    ["（…）", " (…)", "(…)", "【…】", " […]", "[…]"].iter().fold(text.to_owned(), |text, empty| text.replace(empty, ""))
}

/// The labels by which the alerts differ from the one with `labels`.
fn differing<'a>(texts: &[(&str, &Labels)], labels: &'a Labels) -> Vec<&'a str> {
    let differs = |name: &EcoString, value: &EcoString| texts.iter().any(|(_, other)| other.get(name) != Some(value));
    labels.iter().take(LABELS).filter(|(name, value)| differs(name, value)).map(|(name, _)| name.as_str()).collect()
}

/// A text in pieces.
struct Masked<'t> {
    /// What stands between the spans; one more than there are spans.
    between: Vec<&'t str>,
    /// Numbers and values of labels.
    spans: Vec<&'t str>,
}

impl<'t> Masked<'t> {
    fn of(text: &'t str, labels: &Labels, differing: &[&str]) -> Self {
        let mut values: Vec<&str> = differing
            .iter()
            .filter_map(|name| labels.get(name))
            .map(|value| value.trim())
            .filter(|value| value.len() > 1 && value.len() < LONGEST)
            .collect();
        // The port of an address is often left out in a sentence.
        let hosts: Vec<&str> = values.iter().filter_map(|value| value.rsplit_once(':')).map(|(host, _)| host).collect();
        values.extend(hosts.into_iter().filter(|host| host.len() > 3));
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        let mut spans: Vec<(usize, usize)> = Vec::new();
        for value in values {
            for (at, _) in text.match_indices(value) {
                let end = at + value.len();
                if stands_alone(text, at, end) && spans.iter().all(|(from, to)| end <= *from || at >= *to) {
                    spans.push((at, end));
                }
            }
        }
        spans.sort_unstable();
        let named = spans.clone();
        spans.extend(numbers(text, &named));
        spans.sort_unstable();
        let mut masked = Self { between: Vec::with_capacity(spans.len() + 1), spans: Vec::with_capacity(spans.len()) };
        let mut from = 0;
        for (start, end) in spans {
            masked.between.push(&text[from..start]);
            masked.spans.push(&text[start..end]);
            from = end;
        }
        masked.between.push(&text[from..]);
        masked
    }

    /// The text with the mask for every span that is not the `same` in all; neighbours that differ are one.
    fn text(&self, same: &[bool]) -> String {
        let mut out = String::new();
        for (at, between) in self.between.iter().enumerate() {
            let joins = |c: char| matches!(c, '/' | '-' | ':' | '.' | ' ');
            let glued = out.ends_with(MASK)
                && same.get(at).is_some_and(|same| !same)
                && between.chars().all(joins)
                && between.chars().count() <= 1;
            if !glued {
                out.push_str(between);
            }
            match (self.spans.get(at), same.get(at)) {
                (Some(span), Some(true)) => out.push_str(span),
                (Some(_), _) if !out.ends_with(MASK) => out.push(MASK),
                _ => {}
            }
        }
        out
    }
}

/// Is a value a word of its own there?
fn stands_alone(text: &str, start: usize, end: usize) -> bool {
    let joins = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let value = &text[start..end];
    let before = edge(value.chars().next()) && joins(text[..start].chars().next_back());
    let after = edge(value.chars().next_back()) && joins(text[end..].chars().next());
    !before && !after
}

/// The numbers of `text` outside of `taken`, each with the unit behind it.
fn numbers(text: &str, taken: &[(usize, usize)]) -> Vec<(usize, usize)> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let (mut at, mut next) = (0, 0);
    while at < bytes.len() {
        if let Some((start, end)) = taken.get(next).filter(|(start, _)| *start == at) {
            debug_assert!(start <= end);
            at = *end;
            next += 1;
            continue;
        }
        let limit = taken.get(next).map_or(bytes.len(), |(start, _)| *start);
        if !bytes[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let mut end = at;
        while end < limit && (bytes[end].is_ascii_digit() || matches!(bytes[end], b'.' | b',')) {
            end += 1;
        }
        while matches!(bytes[end - 1], b'.' | b',') {
            end -= 1;
        }
        let unit = bytes[end..limit].iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        if unit <= UNIT {
            end += unit;
        }
        found.push((at, end));
        at = end;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(value: &str) -> Labels {
        [("instance".to_owned(), value.to_owned()), ("ns".to_owned(), "pay".to_owned())].into()
    }

    #[test]
    fn texts_of_one_template_agree_but_for_what_differs() {
        for (first, second, common) in [
            ("Host db-1 is down", "Host db-2 is down", Some("Host … is down")),
            ("磁盘只剩 9.31%（/data）", "磁盘只剩 8.1%（/data）", Some("磁盘只剩 …%（/data）")),
            ("pay/db-1 uses 1.5GiB of 2GiB", "pay/db-2 uses 900MiB of 2GiB", Some("pay/… uses … of 2GiB")),
            ("db-1 5xx 3 times", "db-2 5xx 4 times", Some("… 5xx … times")),
            ("same", "same", Some("same")),
            ("one", "", Some("one")),
            ("one", "another", None),
            ("db-1-2 is down again", "db-2-1 is down again", Some("… is down again")),
            // What is left tells nothing.
            ("db-1-2 down", "db-2-1 down", Some("")),
            ("db-1：3.2，请处理", "db-2：4.1，请处理", Some("")),
            ("db-1（10.0.0.1）1 分钟没有心跳", "db-2（10.0.0.2）1 分钟没有心跳", Some("…1 分钟没有心跳")),
            ("Host db-1 (1.5) has no heartbeat", "Host db-2 (2.5) has no heartbeat", Some("Host … has no heartbeat")),
        ] {
            let (a, b) = (labels("db-1:9100"), labels("db-2:9100"));
            let got = agreed(&[(first, &a), (second, &b)]);
            assert_eq!(got.as_deref(), common, "{first} / {second}");
        }
        assert_eq!(agreed(&[]).as_deref(), Some(""));
    }
}
