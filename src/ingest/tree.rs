//! A tree of an unknown sender: its members in the order in which they tell most, its label sets, its leaves.

use std::collections::{HashMap, VecDeque};

use serde_json::{Map, Value};

use super::plain;
use crate::level::plain_name;

/// How deep members are looked for.
const DEPTH: usize = 4;
/// Members that are looked at.
const NODES: usize = 20_000;
/// Leaves that are listed; a longer page is unreadable.
pub(super) const LEAVES: usize = 20_000;
/// Levels of objects that leaves are listed of.
const LEAF_DEPTH: usize = 24;
/// Labels taken from one tree.
pub(super) const LABELS: usize = 200;
/// Items of an array of plain values that are told as one.
const JOINED: usize = 200;

/// Objects about a person or a thing other than the alert: no title, state, level or key is in them.
const FOREIGN: &[&str] = &[
    "user",
    "users",
    "sender",
    "actor",
    "author",
    "creator",
    "operator",
    "org",
    "organization",
    "organisation",
    "account",
    "page",
    "meta",
    "installation",
    "team",
    "teams",
    "owner",
    "owners",
    "assignee",
    "assignees",
    "receivers",
    "notifyusersobj",
    "notifygroupsobj",
    "webhook",
    "integration",
    "commit",
    "project",
    "repository",
    "backlog",
    "links",
    "permalinks",
    "rooms",
    "actions",
    "buttons",
    "config",
    "headers",
    "at",
    "builds",
    "components",
    "incidentupdates",
    "responses",
    "trigger",
    "escalationpolicy",
    "replayinfo",
    "alertpayload",
    "laststate",
    "old",
    "latestanomalyrecord",
    "scanoverview",
    "branch",
    "branches",
    "pusher",
    "commits",
    "headcommit",
    "lastcommit",
    "committer",
    "responder",
    "responders",
    "visibleto",
    "recipient",
    "recipients",
    "reviewer",
    "reviewers",
    "requestedreviewers",
    "approver",
    "approvers",
    "reporter",
    "requester",
    "contact",
    "contacts",
    "triggeredby",
    "startedby",
    "createdby",
    "updatedby",
    "closedby",
    "resolvedby",
    "acknowledgedby",
    "mergedby",
    "oncall",
    "oncalls",
    "subscribers",
];

/// Objects whose members are labels.
const LABEL_SETS: &[&str] = &[
    "labels",
    "tags",
    "tagsjson",
    "dimensions",
    "annotations",
    "fields",
    "metadata",
    "groupbyfields",
    "dfdimensiontags",
    "customproperties",
    "userlabels",
    "policyuserlabels",
    "systemlabels",
    "grouplabels",
    "commonlabels",
    "tagsmap",
    "facts",
];

/// Members of an object that stand for it.
const SPEAKS: [&str; 6] = ["text", "value", "name", "state", "displayname", "title"];

/// One member of the tree.
#[derive(Debug, Clone)]
pub(super) struct Member<'a> {
    pub plain: String,
    pub name: &'a str,
    pub value: &'a Value,
    pub depth: usize,
    /// The plain name of the object that holds it; empty for the root.
    pub parent: String,
}

/// The members of a tree, breadth first, without those of foreign objects and label sets.
#[derive(Debug, Default)]
pub(super) struct Members<'a> {
    pub all: Vec<Member<'a>>,
    by_name: HashMap<String, Vec<usize>>,
    pub labels: Vec<(String, String)>,
}

impl<'a> Members<'a> {
    /// The members of `root`; `inside` is the plain name of the object that it is the value of, if that matters.
    pub fn of(root: &'a Value, inside: &str) -> Self {
        let mut members = Self::default();
        let mut objects: VecDeque<(&'a Map<String, Value>, usize, String)> = VecDeque::new();
        let mut later: VecDeque<(&'a Map<String, Value>, usize, String)> = VecDeque::new();
        if let Value::Object(object) = root {
            objects.push_back((object, 0, inside.to_owned()));
        }
        while let Some((object, depth, parent)) = objects.pop_front().or_else(|| later.pop_front()) {
            let shared = shared(object);
            for (name, value) in object {
                if members.all.len() >= NODES {
                    return members;
                }
                let (holder, own) = dotted(&name[shared..]);
                let plain = plain_name(own);
                let parent = holder.map_or_else(|| parent.clone(), plain_name);
                let is_label_set = is_label_set(&plain);
                if is_label_set {
                    members.take_labels(value);
                }
                let holds = !is_label_set && depth < DEPTH && !is_foreign(&plain);
                match value {
                    Value::Object(inner) if holds => objects.push_back((inner, depth + 1, plain.clone())),
                    Value::Array(items) if holds => {
                        if let [Value::Object(inner)] = items.as_slice() {
                            later.push_back((inner, depth + 1, plain.clone()));
                        }
                    }
                    _ => {}
                }
                members.by_name.entry(plain.clone()).or_default().push(members.all.len());
                members.all.push(Member { plain, name: own, value, depth, parent });
            }
        }
        members
    }

    fn take_labels(&mut self, value: &Value) {
        let room = LABELS.saturating_sub(self.labels.len());
        self.labels.extend(labels(value).into_iter().take(room));
    }

    /// The members with one of these plain names, those of least depth first, then in the order of the names.
    pub fn named(&self, names: &[&str]) -> Vec<&Member<'a>> {
        let mut found: Vec<(usize, usize, usize)> = names
            .iter()
            .enumerate()
            .flat_map(|(rank, name)| self.by_name.get(*name).into_iter().flatten().map(move |index| (rank, *index)))
            .map(|(rank, index)| (self.all[index].depth, rank, index))
            .collect();
        found.sort_unstable();
        found.into_iter().map(|(_, _, index)| &self.all[index]).collect()
    }

    /// The first text under one of these names that is not missing.
    pub fn text(&self, names: &[&str]) -> Option<(&Member<'a>, &'a str)> {
        self.named(names).into_iter().find_map(|member| Some((member, said(member.value)?)))
    }
}

/// Bytes of what all names of an object begin with: the name of a product (`VMWARE_ALARM_NAME`, `VMWARE_ALARM_ID`).
fn shared(object: &Map<String, Value>) -> usize {
    const FEWEST: usize = 3;
    let mut names = object.keys();
    let Some(first) = names.next().filter(|_| object.len() >= FEWEST) else { return 0 };
    let common = names.fold(first.len(), |common, name| {
        let same = first.bytes().zip(name.bytes()).take(common).take_while(|(one, other)| one == other).count();
        same.min(common)
    });
    let end = first.get(..common).and_then(|start| start.rfind('_')).map_or(0, |at| at + 1);
    // Each name goes on behind it.
    if object.keys().all(|name| name.len() > end) { end } else { 0 }
}

/// `detections.severity` as if it were nested.
fn dotted(name: &str) -> (Option<&str>, &str) {
    let word =
        |part: &str| !part.is_empty() && part.chars().all(|letter| letter.is_alphanumeric() || "_-@".contains(letter));
    match name.rsplit_once('.') {
        Some((holder, own)) if word(own) && holder.split('.').all(word) => {
            (Some(holder.rsplit_once('.').map_or(holder, |(_, last)| last)), own)
        }
        _ => (None, name),
    }
}

/// Are the members of an object with this plain name labels?
pub(super) fn is_label_set(plain: &str) -> bool {
    LABEL_SETS.contains(&plain)
}

/// Are the members of an object with this plain name about something else than the alert?
pub(super) fn is_foreign(plain: &str) -> bool {
    FOREIGN.contains(&plain) || plain.starts_with("original") || plain.starts_with("previous")
}

/// A text that is not missing.
pub(super) fn said(value: &Value) -> Option<&str> {
    value.as_str().map(str::trim).filter(|text| !plain::is_missing(text))
}

/// What stands for a value: a text, a number as it is written, of an object its name or text.
pub(super) fn spoken(value: &Value) -> Option<String> {
    match value {
        Value::String(_) => said(value).map(str::to_owned),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Object(object) => SPEAKS.iter().find_map(|wanted| {
            let (_, value) = object.iter().find(|(name, _)| plain_name(name) == *wanted)?;
            said(value).map(str::to_owned)
        }),
        Value::Array(items) => {
            let texts: Vec<String> = items
                .iter()
                .filter(|item| !item.is_array() && !item.is_object())
                .filter_map(spoken)
                .take(JOINED)
                .collect();
            (!texts.is_empty() && texts.len() == items.len().min(JOINED)).then(|| texts.join(", "))
        }
        Value::Null => None,
    }
}

/// Label sets in the forms of many senders: an object, an array of objects with a name and a value, an array of pairs,
/// an array or a list of `k=v` or `k:v`, Java's `{k=v, k=v}`.
pub(super) fn labels(value: &Value) -> Vec<(String, String)> {
    match value {
        Value::Object(object) => object.iter().filter_map(|(name, value)| Some((name.clone(), flat(value)?))).collect(),
        Value::Array(items) => items.iter().filter_map(pair).collect(),
        Value::String(text) => listed(text),
        _ => Vec::new(),
    }
}

fn flat(value: &Value) -> Option<String> {
    match value {
        Value::Object(_) => spoken(value),
        Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => None,
        other => spoken(other),
    }
}

fn pair(item: &Value) -> Option<(String, String)> {
    match item {
        Value::Object(object) => {
            let get = |names: &[&str]| {
                names.iter().find_map(|wanted| {
                    object.iter().find(|(name, _)| plain_name(name) == *wanted).and_then(|(_, value)| flat(value))
                })
            };
            Some((get(&["name", "key", "tag", "title", "label"])?, get(&["value", "val", "text"])?))
        }
        Value::Array(parts) => match parts.as_slice() {
            [name, value] => Some((flat(name)?, flat(value)?)),
            _ => None,
        },
        Value::String(text) => one(text),
        _ => None,
    }
}

fn one(text: &str) -> Option<(String, String)> {
    let at = text.find(['=', ':'])?;
    let (name, value) = (text[..at].trim(), text[at + 1..].trim());
    let sound = !name.is_empty() && name.len() <= 64 && !value.is_empty() && !value.starts_with("//");
    (sound && !plain::is_missing(value)).then(|| (name.to_owned(), value.to_owned()))
}

/// The labels in a line of text that holds nothing else: `[a=1 b=two words]`, `map[a:1 b:2]`, `{"a":"1"}`, `{a="1", b="2"}`.
pub(super) fn labels_of_line(text: &str) -> Option<Vec<(String, String)>> {
    let text = text.trim();
    if let Ok(set @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str::<Value>(text) {
        return Some(labels(&set)).filter(|found| !found.is_empty());
    }
    let inner = text.strip_prefix("map").unwrap_or(text);
    let sign = if inner.len() < text.len() { ':' } else { '=' };
    let inner = inner.strip_prefix(['[', '{'])?.strip_suffix([']', '}'])?;
    let is_name = |name: &str| {
        !name.is_empty()
            && name.chars().all(|letter| letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.' | '/'))
    };
    let mut found: Vec<(String, String)> = Vec::new();
    for word in inner.split([' ', ',']).filter(|word| !word.is_empty()) {
        if let Some((name, value)) = word.split_once(sign).filter(|(name, _)| is_name(name)) {
            found.push((name.to_owned(), value.trim_matches('"').to_owned()));
        } else {
            // A value of several words.
            let (_, value) = found.last_mut()?;
            value.push(' ');
            value.push_str(word.trim_matches('"'));
        }
    }
    found.retain(|(_, value)| !plain::is_missing(value));
    (!found.is_empty()).then_some(found)
}

fn listed(text: &str) -> Vec<(String, String)> {
    let text = text.trim().trim_start_matches(['{', '[']).trim_end_matches(['}', ']']);
    text.split(',').filter_map(|part| one(part.trim().trim_matches('"'))).collect()
}

/// A value of the tree with the way to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Leaf {
    pub path: Vec<String>,
    pub text: String,
}

/// All leaves that are not null or empty; arrays of plain values are one leaf.
pub(super) fn leaves(root: &Value) -> Vec<Leaf> {
    let mut found = Vec::new();
    gather(root, &mut Vec::new(), &mut found);
    found
}

fn gather(value: &Value, path: &mut Vec<String>, found: &mut Vec<Leaf>) {
    if found.len() >= LEAVES || path.len() > LEAF_DEPTH {
        return;
    }
    match value {
        Value::Null => {}
        Value::Object(members) => {
            for (name, value) in members {
                path.push(name.clone());
                gather(value, path, found);
                path.pop();
            }
        }
        Value::Array(items) => {
            let is_plain = items.iter().all(|item| !item.is_object() && !item.is_array());
            if is_plain {
                let texts: Vec<String> = items.iter().map(text).filter(|text| !text.trim().is_empty()).collect();
                if !texts.is_empty() {
                    found.push(Leaf { path: path.clone(), text: texts.join(", ") });
                }
                return;
            }
            for (index, value) in items.iter().enumerate() {
                if items.len() > 1 {
                    path.push(index.to_string());
                }
                gather(value, path, found);
                if items.len() > 1 {
                    path.pop();
                }
            }
        }
        other => {
            let text = text(other);
            if !text.trim().is_empty() {
                found.push(Leaf { path: path.clone(), text });
            }
        }
    }
}

fn text(value: &Value) -> String {
    super::field::text(value.clone())
}

/// The shortest way to name each leaf that no other leaf has.
pub(super) fn short_names(leaves: &[Leaf]) -> Vec<String> {
    let ending = |leaf: &Leaf, count: usize| {
        let from = leaf.path.len().saturating_sub(count);
        leaf.path[from..].join(".")
    };
    let mut names: Vec<String> = leaves.iter().map(|leaf| ending(leaf, 1)).collect();
    for count in 2..=3 {
        let mut times: HashMap<String, usize> = HashMap::new();
        for name in &names {
            *times.entry(name.clone()).or_default() += 1;
        }
        for (name, leaf) in names.iter_mut().zip(leaves) {
            let is_bare = name.bytes().all(|byte| byte.is_ascii_digit());
            if times[name.as_str()] > 1 || is_bare {
                *name = ending(leaf, if count == 3 { leaf.path.len() } else { count });
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn label_sets_of_all_forms_are_read() {
        let expected = vec![("a".to_owned(), "1".to_owned()), ("b".to_owned(), "x".to_owned())];
        for set in [
            json!({"a": 1, "b": "x"}),
            json!([{"name": "a", "value": "1"}, {"tag": "b", "value": "x"}]),
            json!([["a", "1"], ["b", "x"]]),
            json!(["a=1", "b:x"]),
            json!("a:1,b:x"),
            json!("{a=1, b=x}"),
        ] {
            assert_eq!(labels(&set), expected, "{set}");
        }
    }

    #[test]
    fn a_line_of_labels_is_a_label_set() {
        for line in
            ["[a=1 b=two words]", "map[a:1 b:two words]", r#"{"a":1,"b":"two words"}"#, r#"{a="1", b="two words"}"#]
        {
            assert_eq!(
                labels_of_line(line).unwrap(),
                [("a", "1"), ("b", "two words")].map(|(a, b)| (a.to_owned(), b.to_owned())),
                "{line}"
            );
        }
        for line in ["[see a=1]", "db-1", "[]", "{a}", "a=1 b=2", "[https://g.example.com/?a=1]"] {
            assert_eq!(labels_of_line(line), None, "{line}");
        }
    }

    #[test]
    fn leaves_have_the_shortest_name_that_is_theirs() {
        let tree =
            json!({"a": {"name": "x"}, "b": {"name": "y"}, "c": [1, 2], "d": [{"e": 1}, {"e": 2}], "n": null, "s": ""});
        let leaves = leaves(&tree);
        let named: Vec<String> =
            short_names(&leaves).into_iter().zip(&leaves).map(|(name, leaf)| format!("{name}={}", leaf.text)).collect();
        assert_eq!(named, ["a.name=x", "b.name=y", "c=1, 2", "0.e=1", "1.e=2"]);
    }
}
