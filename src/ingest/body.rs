//! Bytes to text and to a tree, as tolerant as can be without guessing.

mod form;
mod json;
mod repair;
mod xml;

use std::borrow::Cow;

use serde_json::Value;

use super::Unreadable;
use super::encoding::{self, Decoded};
pub(super) use json::bounded;
#[cfg(test)]
pub(super) use json::mend;

/// How deep JSON inside of texts inside of JSON is followed.
const STRINGS_DEEP: usize = 4;
/// Bytes of texts in all that are tried as JSON.
const STRINGS: usize = 1 << 20;

/// What a request carried.
pub(super) struct Body<'a> {
    /// The text, without byte order mark; of binary data, how much there is.
    pub text: Cow<'a, str>,
    /// The same as a tree, if it is JSON, XML or a form.
    pub json: Option<Value>,
    /// It is no text in any encoding.
    pub binary: bool,
}

/// A body whose encoding is known.
pub(super) enum Opened<'a> {
    /// A text, of which a tree may be made.
    Text(Cow<'a, str>),
    /// Nothing is left to be done: a form of several parts, or no text at all.
    Whole(Body<'a>),
}

/// Makes text of `bytes` and a tree of the text; with `repair` also of JSON that was cut off or came out broken.
pub(super) fn decode<'a>(bytes: &'a [u8], content_type: Option<&str>, repair: bool) -> Result<Body<'a>, Unreadable> {
    match open(bytes, content_type) {
        Opened::Text(text) => parse(text, bytes, content_type, repair),
        Opened::Whole(body) => Ok(body),
    }
}

/// Makes text of `bytes`.
pub(super) fn open<'a>(bytes: &'a [u8], content_type: Option<&str>) -> Opened<'a> {
    let content_type = content_type.unwrap_or_default();
    let charset = charset(content_type);
    let is_form = is_media_type(content_type, "multipart/form-data") || bytes.starts_with(b"--");
    if let Some(boundary) = is_form.then(|| form::boundary(bytes, content_type)).flatten()
        && let Some(json) = form::multipart(bytes, &boundary, charset)
    {
        return Opened::Whole(Body { text: String::from_utf8_lossy(bytes), json: Some(json), binary: false });
    }
    match encoding::decode(bytes, charset) {
        Decoded::Text(text) => Opened::Text(text),
        Decoded::Binary => {
            let text = format!("(binary, {} bytes)", bytes.len());
            Opened::Whole(Body { text: text.into(), json: None, binary: true })
        }
    }
}

/// Makes a tree of a text, which is all of `bytes`.
pub(super) fn parse<'a>(
    text: Cow<'a, str>,
    bytes: &[u8],
    content_type: Option<&str>,
    repair: bool,
) -> Result<Body<'a>, Unreadable> {
    let content_type = content_type.unwrap_or_default();
    let start = text.trim_start_matches(|letter: char| letter.is_whitespace() || letter == '\u{FEFF}');
    let is_form = || is_media_type(content_type, "application/x-www-form-urlencoded") || form::looks_like(&text);
    let json = match start.as_bytes().first() {
        None => return Err(Unreadable::Empty),
        Some(b'{' | b'[') => {
            json::bounded(&text)?;
            json::parse(&text).or_else(|| repair.then(|| repair::parse(&text)).flatten())
        }
        Some(b'<') => xml::parse(start),
        Some(_) if is_form() => form::parse(bytes, charset(content_type)),
        Some(_) => None,
    };
    Ok(Body { text, json, binary: false })
}

/// The character set that a content type names.
fn charset(content_type: &str) -> Option<&str> {
    content_type.split(';').skip(1).find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches(['"', '\'']))
    })
}

fn is_media_type(content_type: &str, wanted: &str) -> bool {
    content_type.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(wanted)
}

/// Every text in `tree` that is JSON itself becomes its tree, and U+0000, which neither store can keep, its picture.
pub(super) fn unfold(tree: &mut Value) {
    let mut budget = STRINGS;
    unfold_within(tree, 0, &mut budget);
    visible(tree);
}

fn visible(tree: &mut Value) {
    match tree {
        Value::String(text) if text.contains('\0') => *text = text.replace('\0', "\u{2400}"),
        Value::Array(items) => items.iter_mut().for_each(visible),
        Value::Object(members) => {
            if members.keys().any(|name| name.contains('\0')) {
                *members = std::mem::take(members)
                    .into_iter()
                    .map(|(name, value)| (name.replace('\0', "\u{2400}"), value))
                    .collect();
            }
            members.values_mut().for_each(visible);
        }
        _ => {}
    }
}

fn unfold_within(tree: &mut Value, strings: usize, budget: &mut usize) {
    match tree {
        Value::Object(members) => members.values_mut().for_each(|value| unfold_within(value, strings, budget)),
        Value::Array(items) => items.iter_mut().for_each(|value| unfold_within(value, strings, budget)),
        Value::String(text) if strings < STRINGS_DEEP && text.trim_start().starts_with(['{', '[']) => {
            let Some(left) = budget.checked_sub(text.len()) else { return };
            if let Some(mut inner) = json::inside(text) {
                *budget = left;
                unfold_within(&mut inner, strings + 1, budget);
                *tree = inner;
            }
        }
        _ => {}
    }
}

/// The JSON in a text, as mappings ask for it.
pub(super) fn inside(text: &str) -> Option<Value> {
    json::inside(text).or_else(|| serde_json::from_str(text).ok())
}

/// A form in a text, as mappings ask for it.
pub(super) fn form_inside(text: &str) -> Option<Value> {
    form::parse(text.as_bytes(), None)
}
