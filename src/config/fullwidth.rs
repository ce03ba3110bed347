//! Full-width characters in place of half-width ones: Chinese input methods produce them, and they look the same.

use crate::route::{Matcher, Operator};
use crate::words::Words;

/// The ASCII character that `letter` looks like; a blank for what cannot be seen.
pub(super) fn meant(letter: char) -> Option<char> {
    Some(match letter {
        '“' | '”' | '„' | '‘' | '’' | '＇' | '「' | '」' => '"',
        '\u{3000}' | '\u{a0}' | '\u{200b}'..='\u{200d}' | '\u{feff}' | '\u{2028}' | '\u{2029}' => ' ',
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(letter) - 0xfee0)?,
        _ => return None,
    })
}

/// How a character is named in a message: an invisible one by its number.
fn shown(letter: char) -> String {
    if meant(letter) == Some(' ') { format!("U+{:04X}", u32::from(letter)) } else { letter.to_string() }
}

fn is_quote(letter: char) -> bool {
    meant(letter) == Some('"')
}

/// Names the first such character, and its replacement.
fn exchange(letter: char) -> (Words, Words) {
    let (shown, meant) = (shown(letter), meant(letter).unwrap_or(' '));
    (
        (format!("有全角或看不见的字符 {shown}"), format!("there is the full-width or invisible character {shown}"))
            .into(),
        (
            format!("换成半角 {meant}；确实要它就把整个值放进半角双引号"),
            format!("write the half-width {meant}; if you mean it, put the whole value in half-width double quotes"),
        )
            .into(),
    )
}

/// A suspicious character in a valid matcher, which then matches something else than intended.
pub(super) fn in_matcher(text: &str, parsed: &[Matcher]) -> Option<(Words, Words)> {
    let mut quoted = false;
    let mut escaped = false;
    for letter in text.chars() {
        if letter == '"' && !escaped {
            quoted = !quoted;
        } else if !quoted && meant(letter).is_some() {
            return Some(exchange(letter));
        }
        escaped = letter == '\\' && !escaped;
    }
    for matcher in parsed {
        let value = matcher.value();
        let pattern = matches!(matcher.operator(), Operator::Match | Operator::NotMatch);
        let ends = [value.chars().next(), value.chars().next_back()];
        let odd = |letter: &char| meant(*letter) == Some(' ') && *letter != '\u{3000}' || pattern && *letter == '｜';
        if let Some(letter) = ends.into_iter().flatten().find(|&letter| is_quote(letter)).or(value.chars().find(odd)) {
            return Some(exchange(letter));
        }
        if ends.into_iter().flatten().any(char::is_whitespace) {
            return Some((
                ("值的开头或末尾有空白", "the value begins or ends with a blank").into(),
                ("去掉它：标签里一般没有", "remove it: labels seldom have one").into(),
            ));
        }
    }
    None
}

/// The mistake in an unknown key that contains such a character: `route：` is no key.
pub(super) fn in_key(key: &str) -> Option<(Words, Words)> {
    let letter = key.chars().find(|&letter| meant(letter).is_some())?;
    let name: String = key.chars().take_while(|&letter| meant(letter).is_none()).collect();
    let name = name.trim();
    if letter == '：' {
        return Some((
            (format!("`{name}` 后面是全角冒号 ："), format!("`{name}` is followed by the full-width colon `：`"))
                .into(),
            (format!("写成 {name}: （半角冒号加空格）"), format!("write {name}: (half-width colon, then a blank)"))
                .into(),
        ));
    }
    Some(exchange(letter))
}

/// The line of `text`, from 1, that begins like a key with a full-width colon.
pub(super) fn line_with_colon(text: &str) -> Option<(usize, &str)> {
    text.lines().enumerate().find_map(|(index, line)| {
        let start = line.trim_start().trim_start_matches("- ");
        let key = start.split('：').next().filter(|key| key.len() < start.len())?;
        let plain = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.');
        (!key.is_empty() && key.chars().all(plain)).then_some((index + 1, start))
    })
}

/// The first such character of a line that is not a quote inside a value, as a column from 1, and what to write. Comments
/// and what stands in half-width quotes stay as they are.
pub(super) fn in_line(line: &str) -> Option<(usize, (Words, Words))> {
    let mut quote = None;
    for (column, letter) in (1..).zip(line.chars()) {
        match (letter, quote) {
            ('#', None) => return None,
            ('"' | '\'', None) => quote = Some(letter),
            (letter, Some(open)) if letter == open => quote = None,
            ('，' | '：' | '｛' | '｝' | '［' | '］' | '【' | '】', None) => {
                let letter = match letter {
                    '【' => '［',
                    '】' => '］',
                    other => other,
                };
                return Some((column, exchange(letter)));
            }
            _ => {}
        }
    }
    None
}

/// Is the whole text in full-width quotes, which YAML treats as part of it?
pub(super) fn is_wrapped(text: &str) -> bool {
    let mut letters = text.chars();
    let ends = (letters.next(), letters.next_back());
    matches!(ends, (Some(first), Some(last)) if matches!(first, '“' | '”' | '‘' | '＂' | '＇') && is_quote(last))
}
