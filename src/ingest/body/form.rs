//! Forms and multipart bodies to a tree.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::json;
use crate::ingest::encoding::{self, Decoded};

/// Fields that hold the whole notification as JSON (Uptime Kuma, Slack, Discord).
const WHOLE: [&str; 3] = ["data", "payload", "payload_json"];
/// Stands between decoded values; no byte of a multi-byte character in any encoding.
const BETWEEN: u8 = 0x1F;
/// How deep `a[b][c]` may go.
const DEPTH: usize = 4;

/// Is this one line of `name=value` pairs, although no header says so? A line of text with `=` in it is none.
pub(super) fn looks_like(text: &str) -> bool {
    let text = text.trim();
    if text.contains(['\n', '\r', ' ', '\t']) || !text.contains('=') || !text.contains(['&', '%']) {
        return false;
    }
    text.split('&').filter(|pair| !pair.is_empty()).all(|pair| {
        let name = pair.split_once('=').map_or("", |(name, _)| name);
        !name.is_empty()
            && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '[' | ']' | '%' | '+'))
    })
}

/// `name=value&…` as an object of texts; names that come twice hold arrays, `a[b]` and `a.b` objects.
pub(super) fn parse(bytes: &[u8], charset: Option<&str>) -> Option<Value> {
    let pairs: Vec<(Vec<u8>, Vec<u8>)> = bytes
        .trim_ascii()
        .split(|byte| *byte == b'&')
        .filter_map(|pair| {
            let at = pair.iter().position(|byte| *byte == b'=')?;
            Some((unescape(&pair[..at]), unescape(&pair[at + 1..])))
        })
        .collect();
    // One value may be too short to tell its encoding: all together decide.
    let mut all = Vec::with_capacity(bytes.len());
    for (name, value) in &pairs {
        for text in [name, value] {
            all.extend(text.iter().map(|byte| if *byte == BETWEEN { b' ' } else { *byte }));
            all.push(BETWEEN);
        }
    }
    let text = match encoding::decode(&all, charset) {
        Decoded::Text(text) => text,
        Decoded::Binary => String::from_utf8_lossy(&all),
    };
    let mut texts = text.split(char::from(BETWEEN)).map(|text| text.replace('\0', "\u{2400}"));
    let mut object = Map::new();
    while let (Some(name), Some(value)) = (texts.next(), texts.next()) {
        put(&mut object, &name, Value::String(value));
    }
    (!object.is_empty()).then(|| whole(Value::Object(object)))
}

/// Puts `value` where `a[b]`, `a.b` or `a` says.
fn put(object: &mut Map<String, Value>, name: &str, value: Value) {
    let mut path: Vec<&str> = name.split(['[', '.']).map(|part| part.trim_end_matches(']')).collect();
    let is_plain =
        path.len() < 2 || path.len() > DEPTH || path.iter().any(|part| part.is_empty()) && !name.ends_with("[]");
    if is_plain {
        path = vec![name];
    }
    path.retain(|part| !part.is_empty() || is_plain);
    let Some((last, outer)) = path.split_last() else { return };
    let mut place = object;
    for part in outer {
        let inner = place.entry((*part).to_owned()).or_insert_with(|| json!({}));
        match inner {
            Value::Object(members) => place = members,
            // A scalar of that name is there already: the pair stays under its full name.
            _ => return,
        }
    }
    match place.get_mut(*last) {
        Some(Value::Array(items)) => items.push(value),
        Some(first) => *first = Value::Array(vec![first.take(), value]),
        None => {
            place.insert((*last).to_owned(), value);
        }
    }
}

/// Percent and plus decoding; what is not an escape stays as it is.
fn unescape(bytes: &[u8]) -> Vec<u8> {
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
    plain
}

/// The boundary that a content type names, or that the body begins with.
pub(super) fn boundary<'a>(bytes: &'a [u8], content_type: &'a str) -> Option<Cow<'a, str>> {
    let named = content_type.split(';').find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"'))
    });
    if let Some(named) = named.filter(|named| !named.is_empty()) {
        return Some(named.into());
    }
    let first = bytes.strip_prefix(b"--")?.split(|byte| *byte == b'\r').next()?;
    let second = bytes.get(first.len() + 4..)?;
    let is_multipart = second.len() > 19 && second[..19].eq_ignore_ascii_case(b"content-disposition");
    (is_multipart && (1..=70).contains(&first.len())).then(|| String::from_utf8_lossy(first))
}

/// The fields of a multipart body. Of a file its name, type and size are told, its content never.
pub(super) fn multipart(bytes: &[u8], boundary: &str, charset: Option<&str>) -> Option<Value> {
    let mark = format!("--{boundary}");
    let mut object = Map::new();
    for part in split(bytes, mark.as_bytes()) {
        let Some(at) = find(part, b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&part[..at]);
        let content = &part[at + 4..];
        let content = content.strip_suffix(b"\r\n").unwrap_or(content);
        let Some(name) = parameter(&head, "name") else { continue };
        let media = head
            .lines()
            .find_map(|line| line.split_once(':').filter(|(name, _)| name.trim().eq_ignore_ascii_case("content-type")))
            .map(|(_, value)| value.trim().to_owned());
        let value = match parameter(&head, "filename") {
            Some(file) if !WHOLE.contains(&name.as_str()) => {
                let media = media.map(|media| format!(", {media}")).unwrap_or_default();
                format!("{file} ({} B{media})", content.len())
            }
            _ => match encoding::decode(content, charset) {
                Decoded::Text(text) => text.replace('\0', "\u{2400}"),
                Decoded::Binary => format!("({} B)", content.len()),
            },
        };
        put(&mut object, &name, Value::String(value));
    }
    (!object.is_empty()).then(|| whole(Value::Object(object)))
}

fn parameter(head: &str, wanted: &str) -> Option<String> {
    let lower = head.to_ascii_lowercase();
    let mut from = 0;
    while let Some(found) = lower[from..].find(wanted) {
        let at = from + found;
        from = at + wanted.len();
        let is_word = lower[..at].ends_with(|c: char| c.is_whitespace() || c == ';');
        if let (true, Some(value)) = (is_word, head[from..].strip_prefix('=')) {
            let value = match value.strip_prefix('"') {
                Some(quoted) => quoted.split('"').next(),
                None => value.split([';', '\r', '\n']).next(),
            };
            return value.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        }
    }
    None
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

fn split<'a>(mut bytes: &'a [u8], mark: &[u8]) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    while let Some(at) = find(bytes, mark) {
        parts.push(&bytes[..at]);
        bytes = &bytes[at + mark.len()..];
    }
    parts.push(bytes);
    parts
}

/// A form one of whose fields holds the notification as a JSON object stands for that object, if it is all there is or
/// what else there is are texts beside it.
fn whole(form: Value) -> Value {
    let Value::Object(object) = &form else { return form };
    let found = WHOLE.into_iter().find_map(|name| {
        let text = object.get(name)?.as_str().filter(|text| text.trim_start().starts_with('{'))?;
        Some((name, json::bounded(text).ok().and_then(|()| json::parse(text)).or_else(|| super::repair::parse(text))?))
    });
    match found {
        Some((_, inner)) if object.len() == 1 => inner,
        Some((name, Value::Object(mut inner))) => {
            for (beside, value) in object.iter().filter(|(beside, _)| *beside != name) {
                inner.entry(beside.clone()).or_insert_with(|| value.clone());
            }
            Value::Object(inner)
        }
        _ => form,
    }
}
