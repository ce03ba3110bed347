//! The line of a finding, with a caret under the place. It may hold secrets: of its values only numbers, booleans and what
//! the finding itself names are shown.

use unicode_width::UnicodeWidthStr as _;

use super::finding::Place;

/// Columns of a line that are shown.
const WIDE: usize = 100;
/// What stands for a value that is not shown.
const HIDDEN: &str = "…";

/// The line at `place` and a line with the caret, without a newline at the end; `None` if there is no such line. `named`:
/// what the finding says, which never holds a secret.
pub(super) fn excerpt(text: &str, place: Place, named: &str) -> Option<String> {
    let line = text.lines().nth(usize::try_from(place.line).ok()?.checked_sub(1)?)?;
    let at = usize::try_from(place.column).ok()?.saturating_sub(1);
    let mut shown = String::new();
    let (mut caret, mut width) = (None, 1);
    let mut read = 0;
    for piece in pieces(line) {
        let length = piece.text.chars().count();
        let out = match piece.kind {
            Kind::Between => piece.text.to_owned(),
            Kind::Key if is_word(piece.text) => piece.text.to_owned(),
            Kind::Key | Kind::Value if is_harmless(piece.text) || named.contains(piece.text) => piece.text.to_owned(),
            Kind::Key | Kind::Value | Kind::Comment => HIDDEN.to_owned(),
        };
        if caret.is_none() && at < read + length {
            // Within what is shown as it is written the caret points at the very character.
            let inside = at.saturating_sub(read);
            let exact = out == piece.text && piece.kind == Kind::Between;
            let skipped: String = if exact { out.chars().take(inside).collect() } else { String::new() };
            caret = Some(shown.width() + skipped.width());
            width = if exact { 1 } else { out.trim_end().width().max(1) };
        }
        read += length;
        shown.push_str(&out);
    }
    let caret = caret.unwrap_or(shown.width());
    if caret + width > WIDE {
        return None;
    }
    let mut kept = String::new();
    for letter in shown.trim_end().chars() {
        if kept.width() >= WIDE {
            kept.push_str(HIDDEN);
            break;
        }
        kept.push(letter);
    }
    let number = place.line.to_string();
    let margin = " ".repeat(number.len());
    Some(format!("  {number} │ {kept}\n  {margin} │ {}{}", " ".repeat(caret), "^".repeat(width)))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Blanks, brackets, commas, colons, the dash of a list.
    Between,
    Key,
    Value,
    Comment,
}

#[derive(Debug, PartialEq, Eq)]
struct Piece<'a> {
    kind: Kind,
    text: &'a str,
}

/// Takes a line apart, as far as that is possible without the lines before it: what is no key is a value.
fn pieces(line: &str) -> Vec<Piece<'_>> {
    let mut all = Vec::new();
    let mut rest = line;
    while !rest.is_empty() {
        let first = rest.chars().next().unwrap_or_default();
        let between = |letter: char| letter.is_whitespace() || matches!(letter, '{' | '}' | '[' | ']' | ',' | ':');
        let starts = all.iter().all(|piece: &Piece<'_>| piece.text.trim().is_empty() || piece.text.trim() == "-");
        let (kind, length) = if between(first) {
            (Kind::Between, rest.find(|letter| !between(letter)).unwrap_or(rest.len()))
        } else if starts && first == '-' && rest[1..].starts_with([' ', '-']) {
            (Kind::Between, 1)
        } else if first == '#' {
            (Kind::Comment, rest.len())
        } else {
            let length = scalar(rest);
            let key = rest[length..].trim_start().starts_with(':') && !rest[..length].starts_with(['"', '\'']);
            (if key { Kind::Key } else { Kind::Value }, length)
        };
        let (text, after) = rest.split_at(length);
        all.push(Piece { kind, text });
        rest = after;
    }
    all
}

/// The length of a scalar in bytes: to its closing quote, or to what ends a plain one.
fn scalar(text: &str) -> usize {
    let quote = text.chars().next().filter(|first| matches!(first, '"' | '\''));
    if let Some(quote) = quote {
        let mut escaped = false;
        for (at, letter) in text.char_indices().skip(1) {
            match letter {
                '\\' if quote == '"' && !escaped => escaped = true,
                letter if letter == quote && !escaped => return at + letter.len_utf8(),
                _ => escaped = false,
            }
        }
        return text.len();
    }
    let mut before = ' ';
    for (at, letter) in text.char_indices() {
        let after = text[at + letter.len_utf8()..].chars().next();
        let ends = match letter {
            ',' | ']' | '}' | '[' | '{' => true,
            ':' => after.is_none_or(char::is_whitespace),
            '#' => before.is_whitespace(),
            _ => false,
        };
        if ends {
            return text[..at].trim_end().len();
        }
        before = letter;
    }
    text.trim_end().len()
}

/// Does it look like a name of a key?
fn is_word(key: &str) -> bool {
    key.len() <= 60 && key.chars().all(|letter| letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.'))
}

/// A number, a boolean, a duration: no secret.
fn is_harmless(value: &str) -> bool {
    let number = value.trim_end_matches(|letter: char| letter.is_ascii_alphabetic() || letter == '%');
    let unit = &value[number.len()..];
    let short = !number.is_empty() && number.len() <= 6 && number.bytes().all(|byte| byte.is_ascii_digit());
    matches!(value, "true" | "false" | "null" | "~") || (short && unit.len() <= 2)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str, line: u32, column: u32, named: &str) -> String {
        excerpt(text, Place { line, column }, named).unwrap()
    }

    #[test]
    fn the_caret_stands_under_the_place_and_only_what_the_finding_names_is_shown() {
        assert_eq!(at("timezone: CST\n", 1, 11, "没有时区 `CST`"), "  1 │ timezone: CST\n    │           ^^^");
        assert_eq!(at("a:\n  secret: canary # canary\n", 2, 3, "`secrt`"), "  2 │   secret: … …\n    │   ^^^^^^");
        assert_eq!(
            at("g: { key: 'canary canary', level: 3, every: 15m }", 1, 11, ""),
            "  1 │ g: { key: …, level: 3, every: 15m }\n    │           ^"
        );
        // Full-width letters take two columns.
        assert_eq!(
            at("接收者: { 时区: CST }", 1, 12, "CST"),
            format!("  1 │ 接收者: {{ 时区: CST }}\n    │ {}^^^", " ".repeat(16))
        );
        assert_eq!(at("targets:\n  - { app： ops }\n", 2, 7, ""), "  2 │   - { … }\n    │       ^");
        assert_eq!(excerpt("a: 1", Place { line: 3, column: 1 }, ""), None);
        assert_eq!(excerpt("a: 1", Place::default(), ""), None);
    }

    proptest! {
        #[test]
        fn no_value_is_shown_and_nothing_fails(
            keys in prop::collection::vec("[a-z]{1,8}", 1..4),
            secret in "canary[A-Za-z0-9+/=.:@%&?-]{4,20}[A-Za-z0-9=]",
            form in 0..6,
            column in 0_u32..80,
        ) {
            let key = keys.join("_");
            let line = match form {
                0 => format!("{key}: {secret}"),
                1 => format!("{key}: '{secret}'"),
                2 => format!("{key}: {{ {key}: \"{secret}\", b: [{secret}] }}"),
                3 => format!("  - {secret}"),
                4 => secret.clone(),
                _ => format!("{key}: 1 # {secret}"),
            };
            if let Some(shown) = excerpt(&line, Place { line: 1, column }, "") {
                prop_assert!(!shown.contains("canary"), "{shown}");
            }
        }

        #[test]
        fn any_line_can_be_shown(line in "\\PC{0,200}", column in 0_u32..300) {
            let _ = excerpt(&line, Place { line: 1, column }, &line);
        }
    }
}
