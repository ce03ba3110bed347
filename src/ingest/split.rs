//! Wrappers and lists: where the alerts of a tree are.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::lexicon::Word;
use super::tree::{Members, is_foreign, is_label_set, said};
use crate::level::plain_name;

/// Wrappers inside of wrappers.
const DEPTH: usize = 4;

/// Lists of alerts.
const LISTS: &[&str] = &["alerts", "events", "incidents", "problems", "alarms", "notifications", "firing", "resolved"];

/// Objects that are the problem itself: a wrapper of this name says what `id` names.
const PROBLEMS: &[&str] = &["incident", "alert", "problem", "issue", "metricalert", "alertgroup"];

/// Members that are no wrappers although they may be alone.
const NO_WRAPPERS: &[&str] = &[
    "labels",
    "annotations",
    "tags",
    "links",
    "user",
    "sender",
    "alertpayload",
    "firing",
    "resolved",
    "blocks",
    "attachments",
    "embeds",
    "sections",
    "elements",
];

type Object = Map<String, Value>;

/// A tree without its wrappers.
pub(super) struct Open<'a> {
    pub tree: Cow<'a, Value>,
    /// The plain name of a wrapper that is a problem; empty if there is none.
    pub inside: String,
    /// It is an array of objects.
    pub is_list: bool,
}

/// Takes off what only wraps: objects with one member, arrays with one object, the envelopes of clouds.
pub(super) fn open(tree: &Value) -> Open<'_> {
    let mut tree = Cow::Borrowed(tree);
    let mut inside = String::new();
    for _ in 0..DEPTH {
        let inner = match tree.as_ref() {
            Value::Object(object) => {
                if let Some(inner) = envelope(object) {
                    tree = Cow::Owned(inner);
                    continue;
                }
                let Some((name, value)) = alone(object) else { break };
                let plain = plain_name(name);
                let is_object = value.is_object();
                let is_single =
                    matches!(value, Value::Array(items) if !items.is_empty() && items.iter().all(Value::is_object));
                if NO_WRAPPERS.contains(&plain.as_str())
                    || LISTS.contains(&plain.as_str()) && !is_object
                    || !(is_object || is_single)
                {
                    break;
                }
                if PROBLEMS.contains(&plain.as_str()) {
                    inside = plain;
                }
                name.clone()
            }
            Value::Array(items) if items.len() == 1 && !items[0].is_string() && !items[0].is_number() => {
                tree = first(tree);
                continue;
            }
            Value::Array(items) if items.iter().any(Value::is_array) => {
                let all: Vec<Value> = flat(items).into_iter().cloned().collect();
                if !all.iter().all(Value::is_object) {
                    break;
                }
                tree = Cow::Owned(Value::Array(all));
                continue;
            }
            _ => break,
        };
        tree = member(tree, &inner);
    }
    let is_list =
        matches!(tree.as_ref(), Value::Array(items) if !items.is_empty() && items.iter().all(Value::is_object));
    Open { tree, inside, is_list }
}

fn first(tree: Cow<'_, Value>) -> Cow<'_, Value> {
    match tree {
        Cow::Borrowed(value) => Cow::Borrowed(&value[0]),
        Cow::Owned(mut value) => Cow::Owned(value[0].take()),
    }
}

fn member<'a>(tree: Cow<'a, Value>, name: &str) -> Cow<'a, Value> {
    match tree {
        Cow::Borrowed(value) => Cow::Borrowed(&value[name]),
        Cow::Owned(mut value) => Cow::Owned(value[name].take()),
    }
}

/// The only member that says anything.
fn alone(object: &Map<String, Value>) -> Option<(&String, &Value)> {
    let mut members = object.iter().filter(|(_, value)| !value.is_null());
    let only = members.next()?;
    members.next().is_none().then_some(only)
}

/// What is inside of an envelope of Amazon's SNS or Huawei's SMN, or of a `CloudEvent`.
fn envelope(object: &Map<String, Value>) -> Option<Value> {
    let get = |name: &str| object.iter().find(|(known, _)| plain_name(known) == name).map(|(_, value)| value);
    if get("topicarn").or_else(|| get("topicurn")).is_some() && get("message").is_some() && get("type").is_some() {
        let kind = get("type").and_then(Value::as_str).unwrap_or_default();
        if !kind.eq_ignore_ascii_case("notification") {
            return None;
        }
        let subject = get("subject").filter(|subject| said(subject).is_some());
        let mut inner = match get("message")? {
            Value::Object(inner) => inner.clone(),
            text => Map::from_iter([("message".to_owned(), text.clone())]),
        };
        if let Some(subject) = subject {
            inner.entry("subject").or_insert_with(|| subject.clone());
        }
        if !inner.keys().any(|name| plain_name(name).contains("time")) {
            inner.extend(get("timestamp").map(|time| ("timestamp".to_owned(), time.clone())));
        }
        return Some(Value::Object(inner));
    }
    // Google's Pub/Sub pushes what was published in Base64.
    if get("subscription").and_then(Value::as_str).is_some_and(|name| name.starts_with("projects/"))
        && let Some(Value::Object(message)) = get("message")
    {
        return published(message);
    }
    if get("specversion").is_some()
        && let Some(Value::Object(data)) = get("data")
    {
        let mut inner = data.clone();
        for name in ["type", "subject", "time"] {
            if let Some(value) = get(name) {
                inner.entry(name).or_insert_with(|| value.clone());
            }
        }
        return Some(Value::Object(inner));
    }
    None
}

/// What a message of Pub/Sub holds: a tree or a text, with its attributes and its time.
fn published(message: &Object) -> Option<Value> {
    let data = message.get("data").and_then(Value::as_str)?;
    let text = String::from_utf8(STANDARD.decode(data.trim()).ok()?).ok()?;
    let mut inner = Map::new();
    match serde_json::from_str(&text) {
        Ok(mut tree @ (Value::Object(_) | Value::Array(_))) => {
            super::body::unfold(&mut tree);
            let Value::Object(members) = tree else { return Some(tree) };
            inner = members;
        }
        _ => _ = inner.insert("message".to_owned(), text.into()),
    }
    if let Some(Value::Object(attributes)) = message.get("attributes") {
        for (name, value) in attributes {
            inner.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }
    if !inner.keys().any(|name| plain_name(name).contains("time")) {
        inner.extend(message.get("publishTime").map(|time| ("timestamp".to_owned(), time.clone())));
    }
    Some(Value::Object(inner))
}

/// The alerts of an open tree: each object of an array, or of a member that is a list of alerts, with what stands around
/// it; else the tree itself.
pub(super) fn items(tree: &Value) -> Vec<(Cow<'_, Value>, Option<Word>)> {
    match tree {
        Value::Array(items) if !items.is_empty() && items.iter().all(Value::is_object) => {
            items.iter().map(|item| (Cow::Borrowed(item), None)).collect()
        }
        Value::Object(object) => {
            let Some((holder, outer)) = holder(object, DEPTH) else { return vec![(Cow::Borrowed(tree), None)] };
            let lists = lists(holder);
            let answered = lists.iter().any(|(name, _)| !LISTS.contains(&plain_name(name).as_str()));
            let mut around: Map<String, Value> = holder
                .iter()
                .filter(|_| !answered)
                .filter(|(name, value)| !lists.iter().any(|(list, _)| list == name) && !value.is_array())
                .filter(|(name, value)| !value.is_object() || plain_name(name).starts_with("common"))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
            for (name, value) in
                outer.into_iter().flatten().filter(|(_, value)| !answered && !value.is_object() && !value.is_array())
            {
                around.entry(name.clone()).or_insert_with(|| value.clone());
            }
            let with = |item: &Value| {
                let mut item = item.clone();
                if let Value::Object(members) = &mut item {
                    let named: Vec<String> = members.keys().map(|name| plain_name(name)).collect();
                    for (name, value) in &around {
                        if !named.contains(&plain_name(name)) {
                            members.insert(name.clone(), value.clone());
                        }
                    }
                }
                item
            };
            lists
                .iter()
                .flat_map(|(name, items)| {
                    let otherwise = match plain_name(name).as_str() {
                        "firing" => Some(Word::Firing),
                        "resolved" => Some(Word::Resolved),
                        _ => None,
                    };
                    items.iter().map(move |item| (*item, otherwise))
                })
                .map(|(item, otherwise)| (Cow::Owned(with(item)), otherwise))
                .collect()
        }
        _ => vec![(Cow::Borrowed(tree), None)],
    }
}

/// The answer of an interface: what stands beside its list is about the answer.
fn is_answer(object: &Object) -> bool {
    const NAMES: [&str; 9] = ["total", "page", "pagesize", "pagenum", "code", "errcode", "success", "msg", "count"];
    object.keys().any(|name| NAMES.contains(&plain_name(name).as_str()))
}

/// The lists of alerts in an object; lists of lists are one.
fn lists(object: &Map<String, Value>) -> Vec<(&String, Vec<&Value>)> {
    const ANSWERED: [&str; 6] = ["list", "items", "records", "rows", "results", "data"];
    let is_answer = is_answer(object);
    let of_alerts = |name: &str, value: &Value| {
        let tells = |item: &Value| {
            let members = Members::of(item, "");
            members.text(super::reader::TITLES).is_some() && super::reader::is_told(&members)
        };
        let items = value.as_array().filter(|items| !items.is_empty());
        is_answer && ANSWERED.contains(&name) && items.is_some_and(|items| items.iter().all(tells))
    };
    object
        .iter()
        .filter(|(name, value)| LISTS.contains(&plain_name(name).as_str()) || of_alerts(&plain_name(name), value))
        .filter_map(|(name, value)| Some((name, flat(value.as_array()?))))
        .filter(|(_, items)| is_list(items))
        .collect()
}

/// The items of a list, and of the lists in it.
fn flat(items: &[Value]) -> Vec<&Value> {
    fn take<'a>(items: &'a [Value], depth: usize, found: &mut Vec<&'a Value>) {
        for item in items {
            match item {
                Value::Array(inner) if depth > 0 => take(inner, depth - 1, found),
                item => found.push(item),
            }
        }
    }
    let mut found = Vec::with_capacity(items.len());
    take(items, DEPTH, &mut found);
    found
}

/// The object with lists of alerts, and those around it: the root, or the only one inside of it that has some.
fn holder(object: &Object, depth: usize) -> Option<(&Object, Vec<&Object>)> {
    if !lists(object).is_empty() {
        return Some((object, Vec::new()));
    }
    let inner = object.iter().filter(|(name, _)| {
        let plain = plain_name(name);
        !is_foreign(&plain) && !is_label_set(&plain) && !NO_WRAPPERS.contains(&plain.as_str())
    });
    let deeper = depth.checked_sub(1)?;
    let mut found = inner.filter_map(|(_, value)| holder(value.as_object()?, deeper));
    let (holder, mut outer) = found.next()?;
    if found.next().is_some() {
        return None;
    }
    outer.push(object);
    Some((holder, outer))
}

/// Are these alerts: objects, each with a title, a text or labels?
fn is_list(items: &[&Value]) -> bool {
    !items.is_empty()
        && items.iter().all(|item| {
            item.is_object() && {
                let members = Members::of(item, "");
                !members.labels.is_empty() || super::reader::speaks(&members)
            }
        })
}
