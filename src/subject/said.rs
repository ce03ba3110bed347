//! The sentences of an alert's author: without dumps of labels, and whether they name a value.

/// Bytes of sentences that are read.
const SENTENCES: usize = 4096;
/// A longer value is not looked for: no sentence names it.
const VALUE: usize = 200;
/// Bytes between a label's name and its value where a sentence names a bare number: `shard=3`, `shard “3”`.
const BETWEEN: usize = 6;

/// `texts` as one text, without what repeats every label: `LABELS = map[…]`, `VALUE = …`, `(instance …)`,
/// `{a="b", …}`.
pub fn told<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut all = String::new();
    for text in texts {
        let room = SENTENCES.saturating_sub(all.len());
        if room == 0 {
            break;
        }
        if !all.is_empty() {
            all.push('\n');
        }
        all.push_str(&without_dumps(&text[..text.floor_char_boundary(room)]));
    }
    all
}

fn without_dumps(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let starts_word = !out.chars().next_back().is_some_and(|c| c.is_ascii_alphanumeric());
        let skipped = match first {
            'L' | 'l' if starts_word => assignment(rest, "labels"),
            'V' | 'v' if starts_word => assignment(rest, "value"),
            '(' | '（' => bracketed_instance(rest),
            '{' => braces(rest),
            _ => None,
        };
        if let Some(length) = skipped {
            rest = &rest[length..];
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    out
}

/// The length of `LABELS = map[…]`, `LABELS: {…}` or `VALUE = …`.
fn assignment(text: &str, name: &str) -> Option<usize> {
    let head = text.get(..name.len()).filter(|head| head.eq_ignore_ascii_case(name))?;
    let rest = text[head.len()..].trim_start_matches(' ').strip_prefix(['=', ':'])?.trim_start_matches(' ');
    let start = text.len() - rest.len();
    let opened = ["map[", "[", "{"].into_iter().find_map(|opening| rest.starts_with(opening).then_some(opening.len()));
    let line = rest.find('\n').unwrap_or(rest.len());
    Some(match opened {
        Some(opening) => start + closing(rest, opening).unwrap_or(line),
        // A word is a sentence, as in `value: too high`.
        None if name == "value" && rest.starts_with(|c: char| c.is_ascii_digit() || "+-<N".contains(c)) => {
            start + rest.find([' ', '\n', ',', '，', '）', ')']).unwrap_or(rest.len())
        }
        None => return None,
    })
}

/// Where the bracket that ends before `opening` is closed.
fn closing(text: &str, opening: usize) -> Option<usize> {
    let mut depth = 1_u32;
    for (at, c) in text.char_indices().skip_while(|(at, _)| *at < opening) {
        match c {
            '[' | '{' => depth += 1,
            ']' | '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at + 1);
        }
    }
    None
}

/// The length of `(instance …)`, also of an empty one.
fn bracketed_instance(text: &str) -> Option<usize> {
    let inner = text.trim_start_matches(['(', '（']);
    let rest = inner.get(..8).filter(|word| word.eq_ignore_ascii_case("instance")).map(|_| &inner[8..])?;
    let end = rest.find([')', '）', '\n']).filter(|end| !rest[*end..].starts_with('\n'))?;
    let said = rest[..end].trim_start_matches([' ', ':', '：', '=']);
    // `(instance group of 3)` is a sentence.
    if said.split_whitespace().count() > 1 {
        return None;
    }
    let close = rest[end..].chars().next().map_or(0, char::len_utf8);
    Some(text.len() - rest.len() + end + close)
}

/// The length of `{a="b", …}`.
fn braces(text: &str) -> Option<usize> {
    let end = closing(text, 1)?;
    text[..end].contains("=\"").then_some(end)
}

/// Does `said` name the value of `label`? A value is named where it stands as a word of its own: `api` is not named by
/// `payment-api`. A bare number is named only behind the name of its label.
pub(super) fn names(said: &str, label: &str, value: &str) -> bool {
    is_said(said, label, value, false)
}

/// The same of a kind of trouble, where a number of three digits is named by itself: `answers 503`.
pub(super) fn qualifies(said: &str, label: &str, value: &str) -> bool {
    is_said(said, label, value, value.len() > 2)
}

fn is_said(said: &str, label: &str, value: &str, alone: bool) -> bool {
    let value = value.trim();
    if said.is_empty() || value.is_empty() || value.len() > VALUE {
        return false;
    }
    let bare = !value.chars().any(char::is_alphabetic) && value.matches(['.', ':']).count() < 2;
    let single = value.chars().nth(1).is_none();
    let mut behind = 0;
    while let Some(found) = said[behind..].find(value) {
        let at = behind + found;
        let end = at + value.len();
        if is_word(said, at, end, value) && (alone || !(bare || single) || stands_behind(&said[..at], label)) {
            return true;
        }
        behind = at + value.chars().next().map_or(1, char::len_utf8);
    }
    false
}

fn is_word(said: &str, start: usize, end: usize, value: &str) -> bool {
    let (before, after) = (&said[..start], &said[end..]);
    let joins = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let open = |edge: Option<char>| edge.is_some_and(joins);
    // A dot belongs to a name only between its letters.
    let dotted =
        |near: Option<char>, far: Option<char>| near == Some('.') && far.is_some_and(|c| c.is_ascii_alphanumeric());
    let mut left = before.chars().rev();
    let mut right = after.chars();
    let (l, ll, r, rr) = (left.next(), left.next(), right.next(), right.next());
    let ascii = |edge: Option<char>| edge.is_some_and(|c| c.is_ascii());
    let blocked_left = ascii(value.chars().next()) && (open(l) || dotted(l, ll));
    let blocked_right = ascii(value.chars().next_back()) && (open(r) || dotted(r, rr));
    !blocked_left && !blocked_right
}

/// Does `before` end with the name of `label`, or with its last word?
fn stands_behind(before: &str, label: &str) -> bool {
    let near = &before[before.ceil_char_boundary(before.len().saturating_sub(label.len() + BETWEEN))..];
    let near = near.trim_end_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    let label = label.to_lowercase();
    let last = label.rsplit(['_', '-', '.', ' ']).next().unwrap_or_default();
    near.ends_with(&label)
        || near.ends_with(&label.replace(['_', '-', '.'], " "))
        || (last.len() > 1 && near.ends_with(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dumps_of_labels_name_nothing() {
        for (text, left) in [
            ("Host is down\n  VALUE = 0\n  LABELS = map[a:b instance:db-1:9100]", "Host is down\n  \n  "),
            ("MySQL down (instance 10.0.0.5:9104)", "MySQL down "),
            ("MySQL down (instance )", "MySQL down "),
            ("磁盘将满（instance db-1）请处理", "磁盘将满请处理"),
            (r#"up{job="node", instance="db-1"} is 0"#, "up is 0"),
            ("(instance group of 3)", "(instance group of 3)"),
            ("the value: too high", "the value: too high"),
            ("Labels: {a: b}", ""),
            ("devalue = 3", "devalue = 3"),
        ] {
            assert_eq!(told([text]), left, "{text}");
        }
    }

    #[test]
    fn a_value_is_named_as_a_word_of_its_own() {
        for (said, label, value, named) in [
            ("Pod pay/api-0 is crash looping", "pod", "api-0", true),
            ("Pod pay/api-0 is crash looping", "namespace", "pay", true),
            ("payment-api is slow", "app", "api", false),
            ("on db-3.", "host", "db-3", true),
            ("on db-3.example.com", "host", "db-3", false),
            ("主机db-3磁盘将满", "host", "db-3", true),
            ("订单库磁盘将满", "库", "订单库", true),
            ("at 10.0.0.11", "ip", "10.0.0.1", false),
            ("at 10.0.0.1:9100", "ip", "10.0.0.1", true),
            ("3 of 5 are down", "shard", "3", false),
            ("shard 3 is down", "shard", "3", true),
            ("shard_id=3 is down", "shard_id", "3", true),
            ("", "a", "b", false),
        ] {
            assert_eq!(names(said, label, value), named, "{value} in {said}");
        }
    }
}
