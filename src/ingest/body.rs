//! Bytes to text and JSON, as tolerant as can be without guessing.
//!
//! Strict JSON is parsed once and that is all. Only a body that strict JSON refuses is mended and parsed again.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::Unreadable;

/// Bodies with more objects or commas than this are refused: a small JSON object takes about 650 bytes of memory, so
/// this bounds one body to some hundred MB whatever `memory` allows. Real bodies of 10 MB hold 30,000 objects.
const MAX_OBJECTS: usize = 300_000;
const MAX_COMMAS: usize = 1_000_000;

/// What a request carried.
pub(super) struct Body<'a> {
    /// The text, without byte order mark.
    pub text: Cow<'a, str>,
    /// The same as JSON, if it is JSON or a form.
    pub json: Option<Value>,
}

/// Makes text of `bytes` and JSON of the text. A form becomes an object of strings.
pub(super) fn decode<'a>(bytes: &'a [u8], content_type: Option<&str>) -> Result<Body<'a>, Unreadable> {
    let text = text(bytes)?;
    let media_type = content_type.unwrap_or_default();
    let json = if matches!(text.trim_start().as_bytes().first(), Some(b'{' | b'[')) {
        parse(&text)?
    } else if is_media_type(media_type, "application/x-www-form-urlencoded") {
        form(&text)
    } else if is_media_type(media_type, "multipart/form-data") {
        multipart(&text, media_type)
    } else {
        None
    };
    let json = json.map(unwrap_form).transpose()?;
    Ok(Body { text, json })
}

fn is_media_type(content_type: &str, wanted: &str) -> bool {
    content_type.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(wanted)
}

/// UTF-8, or mostly so: what is not becomes U+FFFD (reliability F94), but binary data is no text.
fn text(bytes: &[u8]) -> Result<Cow<'_, str>, Unreadable> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let text = String::from_utf8_lossy(bytes);
    let blank = |letter: char| letter.is_whitespace() || letter == '\u{FEFF}';
    if text.chars().all(blank) {
        return Err(Unreadable::Empty);
    }
    match &text {
        Cow::Borrowed(valid) if valid.chars().all(|letter| blank(letter) || letter.is_control()) => {
            Err(Unreadable::NotText)
        }
        Cow::Owned(mended) => {
            let strange = |letter: char| letter == '\u{FFFD}' || (letter.is_control() && !letter.is_whitespace());
            let (total, strange) = mended
                .chars()
                .fold((0_usize, 0_usize), |(total, bad), letter| (total + 1, bad + usize::from(strange(letter))));
            if strange * 3 > total { Err(Unreadable::NotText) } else { Ok(text) }
        }
        Cow::Borrowed(_) => Ok(text),
    }
}

/// JSON, mended if need be. What follows the first value is ignored unless it is more JSON: then the whole body
/// is better shown as text than cut in half.
fn parse(text: &str) -> Result<Option<Value>, Unreadable> {
    let count = |wanted: u8| text.bytes().filter(|&byte| byte == wanted).count();
    if text.len() > MAX_OBJECTS {
        let (objects, commas) = (count(b'{'), count(b','));
        if objects > MAX_OBJECTS || commas > MAX_COMMAS {
            return Err(Unreadable::TooMany { objects: objects.max(commas) });
        }
    }
    Ok(first_value(text).or_else(|| first_value(&mend(text))))
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
    (!rest.contains(['{', '['])).then_some(value)
}

/// What hand-written payload templates get wrong, put right outside of and inside strings: numbers that no `f64`
/// holds and bare words such as `NaN` become strings (reliability F95), a comma before a closing bracket goes,
/// line breaks in strings are escaped, half a surrogate pair becomes U+FFFD, a wrong escape is taken literally.
pub(super) fn mend(text: &str) -> String {
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

/// `name=value&…` as an object of strings.
fn form(text: &str) -> Option<Value> {
    let object: Map<String, Value> = text
        .trim()
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (unescape(name), Value::String(unescape(value))))
        .collect();
    (!object.is_empty()).then_some(Value::Object(object))
}

/// Percent and plus decoding; what is not an escape stays as it is.
fn unescape(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = |at: usize| bytes.get(at).and_then(|&digit| char::from(digit).to_digit(16));
        match (bytes[at], hex(at + 1), hex(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                plain.push(u8::try_from(high * 16 + low).unwrap_or_default());
                at += 3;
                continue;
            }
            (b'+', ..) => plain.push(b' '),
            (byte, ..) => plain.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&plain).into_owned()
}

/// The text fields of a multipart body as an object of strings.
fn multipart(text: &str, content_type: &str) -> Option<Value> {
    let boundary = content_type.split(';').find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"'))
    })?;
    let object: Map<String, Value> = text
        .split(&format!("--{boundary}"))
        .filter_map(|part| {
            let (head, value) = part.split_once("\r\n\r\n")?;
            let (_, name) = head.split_once(" name=\"")?;
            let (name, _) = name.split_once('"')?;
            Some((name.to_owned(), Value::String(value.strip_suffix("\r\n").unwrap_or(value).to_owned())))
        })
        .collect();
    (!boundary.is_empty() && !object.is_empty()).then_some(Value::Object(object))
}

/// A form whose field `data` or `payload` holds a JSON object stands for that object (Uptime Kuma, Slack style).
fn unwrap_form(json: Value) -> Result<Value, Unreadable> {
    let Value::Object(object) = &json else { return Ok(json) };
    if object.len() > 1 {
        return Ok(json);
    }
    let text = |name: &str| object.get(name)?.as_str().filter(|text| text.trim_start().starts_with('{'));
    let inner = ["data", "payload"].into_iter().filter_map(text).find_map(|text| parse(text).transpose());
    inner.unwrap_or(Ok(json))
}
