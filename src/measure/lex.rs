//! The words of an expression in PromQL, MetricsQL or LogQL.

use std::ops::Range;

/// Bytes of the longest expression that is read.
const LONGEST: usize = 16 * 1024;
/// Words of the longest expression that is read.
const MOST: usize = 4000;

/// A word.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token<'a> {
    /// Of a metric, a function, a keyword or a variable.
    Name(&'a str),
    /// A number, with its suffix counted in; a duration in seconds.
    Number(f64),
    /// A text in quotes, without them.
    Text(&'a str),
    /// `{…}`, with the name of the metric if one of its matchers gives it.
    Matchers(Option<&'a str>),
    /// `[…]`: the range in seconds; 0 where it is a variable.
    Range(f64),
    /// An operator or a mark.
    Sign(&'static str),
}

/// A word and the bytes that it takes.
pub(super) type Placed<'a> = (Token<'a>, Range<usize>);

/// The longest first.
const SIGNS: [&str; 18] =
    ["==", "!=", ">=", "<=", "=~", "!~", "|=", "|~", ">", "<", "+", "-", "*", "/", "%", "^", "(", ")"];
const MARKS: [&str; 4] = [",", "@", "|", "="];

/// Are these the same expression, apart from blanks, comments and the spelling of numbers (`.10`, `0.1`)?
pub fn same(a: &str, b: &str) -> bool {
    let plain = |text| words(text).map(|words| words.into_iter().map(|(token, _)| token).collect::<Vec<_>>());
    match (plain(a), plain(b)) {
        (Some(first), Some(second)) => {
            // What stands in braces and brackets is one word: its text is compared.
            let inner = |text: &str| enclosed_texts(text);
            first == second && inner(a) == inner(b)
        }
        _ => a.trim() == b.trim(),
    }
}

/// The texts in braces and brackets, without blanks outside of quotes.
fn enclosed_texts(text: &str) -> Vec<String> {
    let Some(words) = words(text) else { return Vec::new() };
    let inner = words.into_iter().filter(|(token, _)| matches!(token, Token::Matchers(_) | Token::Range(_)));
    inner.map(|(_, span)| without_blanks(&text[span])).collect()
}

fn without_blanks(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(letter) = text[at..].chars().next() {
        let length = match letter {
            '"' | '\'' | '`' => quoted(&text[at..], letter).unwrap_or(1),
            _ => letter.len_utf8(),
        };
        if !letter.is_whitespace() {
            out.push_str(&text[at..at + length]);
        }
        at += length;
    }
    out
}

/// The words of `text`; `None` where it is none of these languages.
pub(super) fn words(text: &str) -> Option<Vec<Placed<'_>>> {
    if text.len() > LONGEST {
        return None;
    }
    let mut words = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        }
        if first == '#' {
            at += rest.find('\n').unwrap_or(rest.len());
            continue;
        }
        let (token, length) = word(rest, first)?;
        words.push((token, at..at + length));
        at += length;
        if words.len() > MOST {
            return None;
        }
    }
    Some(words)
}

fn word(rest: &str, first: char) -> Option<(Token<'_>, usize)> {
    let second = rest[first.len_utf8()..].chars().next();
    match first {
        '"' | '\'' | '`' => {
            let length = quoted(rest, first)?;
            Some((Token::Text(&rest[1..length - 1]), length))
        }
        '{' => {
            let length = enclosed(rest, '{', '}')?;
            Some((Token::Matchers(metric(&rest[1..length - 1])), length))
        }
        '[' => {
            let length = enclosed(rest, '[', ']')?;
            let inner = rest[1..length - 1].trim();
            let range = inner.split(':').next().unwrap_or_default().trim();
            Some((Token::Range(duration(range).unwrap_or_default()), length))
        }
        '0'..='9' => number(rest),
        '.' if second.is_some_and(|c| c.is_ascii_digit()) => number(rest),
        '$' if second == Some('{') => Some((Token::Name("$"), 1 + enclosed(&rest[1..], '{', '}')?)),
        _ if is_start(first) => {
            let inside = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':' | '.');
            let length = first.len_utf8()
                + rest[first.len_utf8()..].find(|c| !inside(c)).unwrap_or(rest.len() - first.len_utf8());
            Some((Token::Name(&rest[..length]), length))
        }
        _ => {
            let sign = SIGNS.iter().chain(&MARKS).find(|sign| rest.starts_with(**sign))?;
            Some((Token::Sign(sign), sign.len()))
        }
    }
}

fn is_start(letter: char) -> bool {
    letter.is_alphabetic() || matches!(letter, '_' | ':' | '$')
}

/// The length of the text in quotes at the start.
fn quoted(rest: &str, quote: char) -> Option<usize> {
    let mut letters = rest.char_indices().skip(1);
    while let Some((at, letter)) = letters.next() {
        if letter == '\\' && quote != '`' {
            letters.next();
        } else if letter == quote {
            return Some(at + 1);
        }
    }
    None
}

/// The length of what the bracket at the start encloses; texts in quotes may hold brackets.
fn enclosed(rest: &str, open: char, close: char) -> Option<usize> {
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(letter) = rest[at..].chars().next() {
        match letter {
            '"' | '\'' | '`' => {
                at += quoted(&rest[at..], letter)?;
                continue;
            }
            _ if letter == open => depth += 1,
            _ if letter == close => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
        at += letter.len_utf8();
    }
    None
}

/// The metric that matchers name: `__name__="x"`, or `"x"` alone.
fn metric(matchers: &str) -> Option<&str> {
    let after = |text: &'_ str| text.find(['"', '\'']).map(|at| at + 1);
    let named = matchers.split_once("__name__").and_then(|(_, rest)| {
        let rest = rest.trim_start();
        rest.strip_prefix('=').filter(|rest| !rest.starts_with(['~', '=']))
    });
    let first = matchers.trim_start();
    let text = named.or_else(|| first.starts_with(['"', '\'']).then_some(first))?.trim_start();
    let inner = &text[after(text)?..];
    Some(&inner[..inner.find(['"', '\''])?])
}

/// A number or a duration at the start of `rest`.
fn number(rest: &str) -> Option<(Token<'_>, usize)> {
    let bytes = rest.as_bytes();
    let hex = rest.len() > 2 && bytes[0] == b'0' && matches!(bytes[1], b'x' | b'X');
    let mut length = 0;
    while let Some(byte) = bytes.get(length) {
        let after_exponent = length > 0 && matches!(bytes[length - 1], b'e' | b'E') && !hex;
        let digits_follow = bytes.get(length + 1).is_some_and(u8::is_ascii_digit);
        match byte {
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'.' => {}
            b'+' | b'-' if after_exponent && digits_follow => {}
            _ => break,
        }
        length += 1;
    }
    let text = &rest[..length];
    let value = literal(text).or_else(|| duration(text))?;
    Some((Token::Number(value), length))
}

/// What a suffix multiplies by; of two that fit the longer one stands first.
const SUFFIXES: [(&str, f64); 16] = [
    ("kib", 1024.0),
    ("mib", 1_048_576.0),
    ("gib", 1_073_741_824.0),
    ("tib", 1_099_511_627_776.0),
    ("ki", 1024.0),
    ("mi", 1_048_576.0),
    ("gi", 1_073_741_824.0),
    ("ti", 1_099_511_627_776.0),
    ("kb", 1e3),
    ("mb", 1e6),
    ("gb", 1e9),
    ("tb", 1e12),
    ("k", 1e3),
    ("g", 1e9),
    ("t", 1e12),
    ("M", 1e6),
];

fn literal(text: &str) -> Option<f64> {
    let plain: String = text.chars().filter(|letter| *letter != '_').collect();
    if let Some(hex) = plain.strip_prefix("0x").or_else(|| plain.strip_prefix("0X")) {
        return u32::from_str_radix(hex, 16).ok().map(f64::from);
    }
    let digits = |text: &str| text.bytes().next().is_some_and(|byte| byte.is_ascii_digit() || byte == b'.');
    if let Ok(number) = plain.parse::<f64>() {
        return digits(&plain).then_some(number);
    }
    SUFFIXES.iter().find_map(|(suffix, factor)| {
        let at = plain.len().checked_sub(suffix.len())?;
        let (head, tail) = (plain.get(..at)?, plain.get(at..)?);
        // `m` is a minute, `M` a million.
        let fits = if suffix.len() == 1 && *suffix == "M" { tail == "M" } else { tail.eq_ignore_ascii_case(suffix) };
        head.parse::<f64>().ok().filter(|_| fits && digits(head)).map(|number| number * factor)
    })
}

/// Seconds of a duration as `5m`, `1h30m`, `1.5d`, `500ms`.
pub(super) fn duration(text: &str) -> Option<f64> {
    const UNITS: [(&str, f64); 7] =
        [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("d", 86_400.0), ("w", 604_800.0), ("y", 31_536_000.0)];
    let (mut rest, mut seconds) = (text, 0.0);
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(0);
        let number: f64 = rest[..digits].parse().ok()?;
        let (unit, factor) = UNITS.iter().find(|(unit, _)| rest[digits..].starts_with(unit))?;
        seconds += number * factor;
        rest = &rest[digits + unit.len()..];
    }
    Some(seconds)
}
