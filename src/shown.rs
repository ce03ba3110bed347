//! Outside text for a terminal, a log or an exported file.
//!
//! Names of alerts, answers of upstreams and WeCom, names of people: such a text may contain anything, and moves no cursor,
//! forges no line and changes no reading order. A control character is replaced by a visible one, which shows that it
//! was there; in JSON it is escaped.

mod csv;

use std::borrow::Cow;
use std::fmt::Write as _;

pub use csv::{CSV_MARK, csv_line, csv_text};

/// Replaces a character without a picture of its own.
const REPLACEMENT: char = '\u{fffd}';

/// Does `c` control the display instead of being displayed: a control character (line ends and tabs included), a change
/// of the reading order, or a character without a width? The joiners in emoji and some scripts do not count.
pub const fn controls(c: char) -> bool {
    // Fast for ASCII and Han: no such character is near them.
    if matches!(c, ' '..='~' | '\u{4e00}'..='\u{9fff}') {
        return false;
    }
    matches!(
        c,
        '\0'..='\u{1f}'
        | '\u{7f}'..='\u{9f}'
        | '\u{ad}'
        | '\u{61c}'
        | '\u{180e}'
        | '\u{200b}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{fffe}'
        | '\u{ffff}'
        | '\u{e0000}'..='\u{e0fff}'
    )
}

/// `text` as one line: line ends of all kinds are replaced.
pub fn line(text: &str) -> Cow<'_, str> {
    replaced(text, false)
}

/// `text` with its lines.
pub fn lines(text: &str) -> Cow<'_, str> {
    replaced(text, true)
}

fn replaced(text: &str, keep_lines: bool) -> Cow<'_, str> {
    let stays = |c: char| !controls(c) || keep_lines && c == '\n';
    if text.chars().all(stays) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().map(|c| if stays(c) { c } else { picture(c) }).collect())
}

/// The replacement of a control character: its picture in Unicode, if it has one.
fn picture(c: char) -> char {
    match c {
        '\t' => ' ',
        '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)).unwrap_or(REPLACEMENT),
        '\u{7f}' => '\u{2421}',
        '\u{85}' | '\u{2028}' | '\u{2029}' => '\u{2424}',
        _ => REPLACEMENT,
    }
}

/// A JSON text with each such character escaped. Between JSON values there are only line ends, which stay, so the
/// meaning does not change.
pub fn json(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|c| c != '\n' && controls(c)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if c == '\n' || !controls(c) {
            out.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            let _ = write!(out, "\\u{unit:04x}");
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "a\u{1b}[2J\u{9b}31m\r\nb\u{7f}\0\u{202e}c\u{2066}d\u{200b}e\u{feff}\u{2028}\u{85}\tf";

    #[test]
    fn a_line_is_a_line_and_nothing_in_it_controls() {
        let shown = line(HOSTILE);
        assert!(!shown.chars().any(controls), "{shown:?}");
        assert_eq!(line("a\u{1b}[1m\nb\u{7f}"), "a␛[1m␊b␡");
        assert_eq!(lines("a\u{1b}\nb\r\n"), "a␛\nb␍\n");
        for plain in ["磁盘使用率 96.4%，超过 90%", "👨‍👩‍👧 family", "naïve", "नमस्ते"]
        {
            assert!(matches!(line(plain), Cow::Borrowed(_)), "{plain}");
        }
    }

    #[test]
    fn json_keeps_its_meaning_without_a_control_character() {
        let value = serde_json::json!({ "name": HOSTILE, "tag\u{e0041}": ["\u{9f}"] });
        for text in [value.to_string(), format!("{value:#}\n")] {
            let shown = json(&text);
            assert!(!shown.chars().any(|c| c != '\n' && controls(c)), "{shown:?}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
        }
    }
}
