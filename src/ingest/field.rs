//! Single fields as senders write them: text, label sets, numbers, times, links. Each wrong type has an answer.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::alert::{Labels, Timestamp};
use crate::plain::secrets;

/// 0002-01-01T00:00:00Z in milliseconds: what is earlier is Go's zero time in some zone.
const YEAR_2: i64 = -62_104_060_800_000;

/// Bytes of the longest value.
const LONGEST_VALUE: usize = 64;

/// A field as text: scalars as they are written, null as nothing, anything deeper as JSON. U+0000 is shown as U+2400,
/// since neither store can keep it (F94, docs/reference/reliability.md#hostile-input).
pub(super) fn text(value: Value) -> String {
    match value {
        Value::String(text) if text.contains('\0') => text.replace('\0', "\u{2400}"),
        Value::String(text) => text,
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// `text` as both stores can keep it.
pub(super) fn clean(text: &str) -> String {
    text.replace('\0', "\u{2400}")
}

/// The same without a copy of what is clean.
pub(super) fn visible(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(clean(&text)) } else { text }
}

/// Takes the field `name` out of `object` as text; empty if it is missing.
pub(super) fn take_text(object: &mut Map<String, Value>, name: &str) -> String {
    object.remove(name).map(text).unwrap_or_default()
}

/// Takes a set of labels or annotations out of `object`; empty if it is missing, null or no object.
pub(super) fn take_labels(object: &mut Map<String, Value>, name: &str) -> Labels {
    match object.remove(name) {
        Some(Value::Object(map)) => labels(map),
        _ => Labels::new(),
    }
}

/// All members of an object as text.
pub(super) fn labels(map: Map<String, Value>) -> Labels {
    map.into_iter().map(|(name, value)| (text(Value::String(name)), text(value))).collect()
}

/// Grafana's own labels and annotations, `__x__`: not for people.
pub(super) fn is_private(name: &str) -> bool {
    name.len() > 4 && name.starts_with("__") && name.ends_with("__")
}

/// Credentials in the values give way to `***`.
pub(super) fn mask(labels: &mut Labels) {
    for value in labels.values_mut() {
        if let Cow::Owned(shown) = secrets::masked(value) {
            *value = shown.into();
        }
    }
}

/// Removes private members.
pub(super) fn public(mut labels: Labels) -> Labels {
    labels.retain(|name, _| !is_private(name));
    labels
}

/// `url` if a person can follow it from anywhere: absolute, http or https, with a host, no blanks or controls.
pub(super) fn link(url: String) -> String {
    let has_prefix = |prefix: &str| url.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    let host_at = if has_prefix("https://") {
        8
    } else if has_prefix("http://") {
        7
    } else {
        return String::new();
    };
    let has_host = url[host_at..].chars().next().is_some_and(|first| !matches!(first, '/' | '?' | '#' | ':' | '.'));
    let is_clean = !url.chars().any(|letter| letter.is_whitespace() || letter.is_control());
    if has_host && is_clean { url } else { String::new() }
}

/// The first of these annotations that is a link; empty if there is none.
pub(super) fn annotated_link(annotations: &Labels, names: &[&str]) -> String {
    names
        .iter()
        .filter_map(|&name| annotations.get(name))
        .map(|url| link(url.trim().to_owned()))
        .find(|link| !link.is_empty())
        .unwrap_or_default()
}

/// A time as RFC 3339 with 0 to 9 fraction digits and any offset. The year 1 means "not said"
/// (docs/reference/alert-sources.md#texts-and-times).
pub(super) fn instant(text: &str) -> Option<Timestamp> {
    let instant: jiff::Timestamp = text.trim().parse().ok()?;
    said(instant.as_millisecond())
}

fn said(millis: i64) -> Option<Timestamp> {
    (millis >= YEAR_2).then_some(Timestamp(millis))
}

/// A measured value as it was sent; `None` for null, flags and nothing.
pub(super) fn measured(value: &Value) -> Option<String> {
    match value {
        Value::Number(given) => Some(given.to_string()),
        Value::String(text) => measured_text(text),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The same for a value that came as text.
pub(super) fn measured_text(text: &str) -> Option<String> {
    let text = clean(text.trim());
    let nothing = text.is_empty() || matches!(text.to_lowercase().as_str(), "null" | "none" | "-" | "n/a");
    (!nothing).then(|| super::excerpt(&text, LONGEST_VALUE))
}

/// Is it 0 or 1, as the result of a condition is?
pub(super) fn is_flag(value: &str) -> bool {
    value.parse::<f64>().is_ok_and(|number| [0.0, 1.0].contains(&number))
}

/// Is it a number that is none: NaN or infinite?
pub(super) fn is_odd(value: &str) -> bool {
    value.parse::<f64>().is_ok_and(|number| !number.is_finite() && !value.bytes().any(|byte| byte.is_ascii_digit()))
}

/// Undoes Go's `regexp.QuoteMeta`, through which Grafana and Alertmanager send the receiver's name
/// (docs/reference/alert-sources.md#grafana-unified).
pub(super) fn unquote_meta(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letters.next_if(|&next| letter == '\\' && r"\.+*?()|[]{}^$".contains(next)) {
            Some(quoted) => plain.push(quoted),
            None => plain.push(letter),
        }
    }
    plain
}

/// The fingerprint Prometheus gives a label set: 64-bit FNV-1a over name, 0xFF, value, 0xFF in byte order of the names
/// (docs/reference/alert-sources.md#fingerprints). For display; identity is ours.
pub(super) fn fingerprint(labels: &Labels) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut add = |byte: u8| hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    for (name, value) in labels {
        for part in [name, value] {
            part.bytes().for_each(&mut add);
            add(0xFF);
        }
    }
    format!("{hash:016x}")
}
