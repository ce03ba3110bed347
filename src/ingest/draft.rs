//! A draft of a mapping, for a person to correct.

use serde_json::Value;

use super::body::{self, Body};
use super::{Explained, paths};
use crate::words::{Language, Words, words};

/// What stands above a draft.
const HEAD: Words = words(
    "放进配置的 payloads；`wegraf payloads test` 看效果。没写的字段照常由通用读法读。",
    "To be put under `payloads`; see it with `wegraf payloads test`. What is left out is read as before.",
);
/// What stands above the values of the body.
const HOLDS: Words = words("正文里的值", "What the body holds");
/// Of a body without fields.
const NO_FIELDS: Words = words(
    "这个请求体没有字段，只是文字：映射读不了它，照常由通用读法读。",
    "This body has no fields, it is only text: no mapping can read it, and the general reader does.",
);
/// How deep a list of alerts is looked for.
const DEPTH: usize = 3;
/// Members that a mapping asks for.
const ASKED: usize = 3;

/// A draft of a mapping with what the general reader found, for a person to correct, with comments in their language.
pub fn draft(
    explained: &Explained,
    bytes: &[u8],
    content_type: Option<&str>,
    name: &str,
    language: Language,
) -> String {
    let leaves = paths(bytes, content_type);
    let list = list_of(bytes, content_type, explained.notification.alerts.len(), &leaves);
    let leaves = seen_from(list.as_deref(), leaves);
    if leaves.is_empty() {
        return format!("# {}\n", NO_FIELDS.get(language));
    }
    let origins = explained.origins.first().map(Vec::as_slice).unwrap_or_default();
    let template = |field: &str| {
        let (_, from, value) = origins.iter().find(|(known, _, _)| *known == field)?;
        let names_it = |path: &str| path.rsplit('.').next().is_some_and(|last| last == from);
        let found = leaves.iter().find(|(path, leaf)| names_it(path) && leaf.trim() == value.trim());
        found.or_else(|| leaves.iter().find(|(_, leaf)| leaf.trim() == value.trim()))
    };
    let holder = if list.is_some() { "item" } else { "body" };
    let mut lines = vec![format!("# {}", HEAD.get(language)), format!("- name: {name}")];
    lines.extend(asked_for(list.as_deref(), &leaves));
    lines.push("  alert:".to_owned());
    for (field, origin, filter) in [
        ("name", "title", ""),
        ("status", "state", " | state"),
        ("key", "key", ""),
        ("severity", "severity", " | level"),
        ("link", "link", ""),
    ] {
        // Without any field that is not a comment there would be no alert.
        let found = template(origin).or_else(|| leaves.first().filter(|_| field == "name"));
        lines.push(match found {
            Some((path, _)) => format!("    {field}: \"{{{{ {path} }}}}\""),
            None => format!("    # {field}: \"{{{{ {holder}.…{filter} }}}}\""),
        });
    }
    lines.push(format!("    # message: \"{{{{ {holder}.… }}}}\""));
    lines.push(format!("    # labels: {{ host: \"{{{{ {holder}.… }}}}\" }}"));
    lines.push(format!("  # {}:", HOLDS.get(language)));
    lines.extend(leaves.iter().take(60).map(|(path, value)| format!("  #   {path}  {}", one_line(value))));
    lines.join("\n") + "\n"
}

/// What the body must have for the mapping, and where its alerts are.
fn asked_for(list: Option<&str>, leaves: &[(String, String)]) -> Vec<String> {
    let below = |holder: &str| -> Vec<&str> {
        let known = leaves.iter().filter_map(|(path, _)| path.strip_prefix(holder)?.strip_prefix('.'));
        known.filter(|path| !path.contains(['[', '\''])).take(ASKED).collect()
    };
    let Some(list) = list else { return vec![format!("  has: [{}]", below("body").join(", "))] };
    let which = match list.strip_prefix("body.") {
        Some(member) => format!("  has: [{member}]"),
        None => format!("  when: \"{list}[0].{} is defined\"", below("item").first().copied().unwrap_or_default()),
    };
    vec![which, format!("  alerts: {list}")]
}

/// The path of the list that holds an object for each of so many alerts, or most of what the body says, as an expression
/// sees it.
fn list_of(bytes: &[u8], content_type: Option<&str>, alerts: usize, leaves: &[(String, String)]) -> Option<String> {
    let Ok(Body { json: Some(mut json), .. }) = body::decode(bytes, content_type, true) else { return None };
    body::unfold(&mut json);
    let is_most = |path: &str| leaves.iter().filter(|(leaf, _)| leaf.starts_with(path)).count() * 2 > leaves.len();
    let is_list = |path: &str, value: &Value| {
        let items = value.as_array().filter(|items| !items.is_empty() && items.iter().all(Value::is_object));
        items.is_some_and(|items| items.len() == alerts || is_most(path))
    };
    let mut open = vec![("body".to_owned(), &json)];
    for _ in 0..DEPTH {
        if let Some((path, _)) = open.iter().find(|(path, value)| is_list(path, value)) {
            return Some(path.clone());
        }
        open = open.into_iter().flat_map(|(path, value)| members(&path, value)).collect();
    }
    None
}

fn members<'v>(path: &str, value: &'v Value) -> Vec<(String, &'v Value)> {
    let members = value.as_object().into_iter().flatten();
    members.map(|(name, value)| (format!("{path}.{name}"), value)).collect()
}

/// The values as an expression of an item sees them: those of the first item of the list, and those beside the list.
fn seen_from(list: Option<&str>, leaves: Vec<(String, String)>) -> Vec<(String, String)> {
    let Some(list) = list else { return leaves };
    let seen = |(path, value): (String, String)| {
        let Some(rest) = path.strip_prefix(list) else { return Some((path, value)) };
        match (rest.strip_prefix("[0]"), rest.strip_prefix('.')) {
            (Some(item), _) => Some((format!("item{item}"), value)),
            (None, Some(item)) => Some((format!("item.{item}"), value)),
            (None, None) => None,
        }
    };
    leaves.into_iter().filter_map(seen).collect()
}

fn one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let end = line.floor_char_boundary(120);
    if end < line.len() { format!("{}…", &line[..end]) } else { line }
}
