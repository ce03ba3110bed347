//! Text to JSON: strict, several values in a row, mended, repaired.
//!
//! Strict JSON is parsed once and that is all. Only a body that strict JSON refuses is mended and parsed again.

use serde::Deserialize;
use serde_json::Value;

use crate::ingest::Unreadable;

/// Bodies with more objects or commas than this are refused: a small JSON object takes about 650 bytes of memory, so
/// this bounds one body to some hundred MB even if `memory` allows more. Real bodies of 10 MB hold 30,000 objects.
const MAX_OBJECTS: usize = 300_000;
const MAX_COMMAS: usize = 1_000_000;

/// Refuses a text with more objects or values than one body may have.
pub(in crate::ingest) fn bounded(text: &str) -> Result<(), Unreadable> {
    let count = |wanted: u8| text.bytes().filter(|&byte| byte == wanted).count();
    if text.len() > MAX_OBJECTS {
        let (objects, commas) = (count(b'{'), count(b','));
        if objects > MAX_OBJECTS || commas > MAX_COMMAS {
            return Err(Unreadable::TooMany { objects: objects.max(commas) });
        }
    }
    Ok(())
}

/// JSON, mended if need be. What follows the first value is ignored unless it is more JSON.
pub(super) fn parse(text: &str) -> Option<Value> {
    first_value(text).or_else(|| several(text)).or_else(|| first_value(&mend(text)))
}

/// Several values one after the other, as streams send them: one array.
fn several(text: &str) -> Option<Value> {
    let values: Vec<Value> = serde_json::Deserializer::from_str(text).into_iter().collect::<Result<_, _>>().ok()?;
    (values.len() > 1 && values.iter().all(Value::is_object)).then_some(Value::Array(values))
}

/// A text inside of a body that is JSON itself: an object, or an array of objects, arrays or texts. An object that was
/// cut off is read as far as it goes.
pub(super) fn inside(text: &str) -> Option<Value> {
    let text = text.trim();
    let mut letters = text.chars().filter(|letter| !letter.is_whitespace());
    let value: Value = match (letters.next()?, letters.next()?) {
        ('{', '"' | '}') => {
            serde_json::from_str(text).ok().or_else(|| first_value(&mend(text))).or_else(|| super::repair::parse(text))
        }
        ('[', '{' | '[' | '"') => serde_json::from_str(text).ok(),
        _ => None,
    }?;
    let holds = match &value {
        Value::Object(members) => !members.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    };
    holds.then_some(value)
}

fn first_value(text: &str) -> Option<Value> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = Value::deserialize(&mut deserializer).ok()?;
    let rest = deserializer.end().map_or_else(
        |_| {
            let mut values = serde_json::Deserializer::from_str(text).into_iter::<serde::de::IgnoredAny>();
            values.next();
            text[values.byte_offset()..].trim_start()
        },
        |()| "",
    );
    // `[1] ping lost` is a text.
    let holds =
        |value: &Value| value.is_object() || value.as_array().is_some_and(|all| all.iter().any(Value::is_object));
    (rest.is_empty() || !rest.contains(['{', '[']) && holds(&value)).then_some(value)
}

/// What hand-written payload templates get wrong, put right outside of and inside strings: numbers that no `f64` holds
/// and bare words such as `NaN` become strings (F95, docs/reference/reliability.md#hostile-input), a comma before a
/// closing bracket goes, line breaks in strings are escaped, half a surrogate pair becomes U+FFFD, a wrong escape is
/// taken literally.
pub(in crate::ingest) fn mend(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut mended = String::with_capacity(text.len() + 64);
    let mut at = 0;
    while at < bytes.len() {
        let run = |wanted: fn(u8) -> bool| {
            at + bytes[at..].iter().position(|&byte| !wanted(byte)).unwrap_or(bytes.len() - at)
        };
        let next = match bytes[at] {
            b'"' => mend_string(text, at, &mut mended),
            b'0'..=b'9' | b'-' | b'+' | b'.' | b'A'..=b'Z' | b'a'..=b'z' | b'_' => {
                let end = run(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.' | b'_'));
                let token = &text[at..end];
                if serde_json::from_str::<Value>(token).is_ok() {
                    mended.push_str(token);
                } else {
                    mended.push('"');
                    mended.push_str(token);
                    mended.push('"');
                }
                end
            }
            b',' => {
                let end = run(|byte| byte == b',' || byte.is_ascii_whitespace());
                if !matches!(bytes.get(end), Some(b'}' | b']')) {
                    mended.push(',');
                }
                end
            }
            _ => {
                let end = run(|byte| {
                    !byte.is_ascii_alphanumeric() && !matches!(byte, b'"' | b'-' | b'+' | b'.' | b'_' | b',')
                });
                mended.push_str(&text[at..end]);
                end
            }
        };
        at = next;
    }
    mended
}

/// Copies the string that opens at `at`, mended; returns where it ends.
fn mend_string(text: &str, at: usize, mended: &mut String) -> usize {
    let bytes = text.as_bytes();
    let mut copied = at;
    let mut at = at + 1;
    while at < bytes.len() {
        let (length, instead) = match bytes[at] {
            b'"' => {
                at += 1;
                break;
            }
            b'\\' => match bytes.get(at + 1) {
                Some(b'u') => match (code_unit(text, at), code_unit(text, at + 6)) {
                    (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => (12, None),
                    (Some(0xD800..=0xDFFF), _) => (6, Some("\\ufffd")),
                    (Some(_), _) => (6, None),
                    (None, _) => (1, Some("\\\\")),
                },
                Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => (2, None),
                _ => (1, Some("\\\\")),
            },
            b'\n' => (1, Some("\\n")),
            b'\r' => (1, Some("\\r")),
            b'\t' => (1, Some("\\t")),
            0 => (1, Some("\\u2400")),
            1..=0x1F => (1, Some("\\ufffd")),
            _ => (1, None),
        };
        if let Some(instead) = instead {
            mended.push_str(&text[copied..at]);
            mended.push_str(instead);
            copied = at + length;
        }
        at += length;
    }
    let end = at.min(bytes.len());
    mended.push_str(&text[copied..end]);
    end
}

/// The number in `\uXXXX` at `at`.
fn code_unit(text: &str, at: usize) -> Option<u16> {
    let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
    u16::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+'))
}
