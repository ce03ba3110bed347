//! A tree to a notification: the user's mappings, envelopes, shipped shapes, robots, the general reader.

use std::borrow::Cow;
use std::collections::HashMap;

use ecow::EcoString;
use minijinja::value::{Value, ValueKind};
use serde_json::{Map, Value as Json};

use super::engine::value;
use super::{Mapping, Members, Payloads, slot};
use crate::alert::{Format, Labels, Notification, Timestamp};
use crate::ingest::lexicon::Word;
use crate::ingest::reader::{Given, Reader, Told};
use crate::ingest::{field, prefixed, reports, split};
use crate::level::plain_name;

/// The shape of what no mapping knows.
pub(in crate::ingest) const GENERAL: &str = "general";

/// What was read, and by what.
#[derive(Debug)]
pub(in crate::ingest) struct Taken {
    pub told: Vec<Told>,
    pub by: String,
}

/// The alert's mapping at work on one item.
struct Reading<'a> {
    payloads: &'a Payloads,
    index: usize,
    body: &'a Value,
    item: Value,
}

impl Payloads {
    /// Reads a tree in which texts that are JSON were unfolded; `None` if there is nothing in it to read.
    pub(in crate::ingest) fn read(&self, tree: &Json, now: Timestamp) -> Option<Taken> {
        let reader = Reader { settings: &self.settings, now };
        if let Some(taken) = self.users(tree, &reader) {
            return Some(taken);
        }
        // As it came: a wrapper may be what a shape is known by.
        if tree.is_object()
            && let Some(taken) = self.shipped(tree, &reader)
        {
            return Some(taken);
        }
        if let Some(taken) = tree.as_object().and_then(|object| robot(object, &reader)) {
            return Some(taken);
        }
        let open = split::open(tree);
        let tree = open.tree.as_ref();
        if let Json::Object(object) = tree
            && !open.is_list
        {
            if let Some(taken) = self.shipped(tree, &reader) {
                return Some(taken);
            }
            if let Some(taken) = robot(object, &reader) {
                return Some(taken);
            }
        }
        let items = split::items(tree);
        let mut by = GENERAL.to_owned();
        let mut told = Vec::new();
        for (item, otherwise) in items {
            // An item of a list may be of a shape; the tree itself is of none.
            let is_split = open.is_list || matches!(item, Cow::Owned(_));
            let shaped = if is_split { self.shipped(&item, &reader) } else { None };
            if let Some(shaped) = shaped {
                by = shaped.by;
                told.extend(shaped.told);
            } else {
                told.extend(reader.alert(GENERAL, &item, Given { otherwise, ..Given::default() }, &open.inside));
            }
        }
        taken(&by, told)
    }

    /// The first of the user's mappings that applies and finds anything to show.
    fn users(&self, tree: &Json, reader: &Reader<'_>) -> Option<Taken> {
        if self.users == 0 {
            return None;
        }
        let body = value(tree);
        (0..self.users).find_map(|index| self.apply(index, tree, &body, reader))
    }

    /// The first shipped mapping that applies and finds anything to show.
    fn shipped(&self, tree: &Json, reader: &Reader<'_>) -> Option<Taken> {
        let (mut body, root) = (None, Root::of(tree));
        (self.users..self.mappings.len()).filter(|index| self.mappings[*index].fits(&root)).find_map(|index| {
            let body = body.get_or_insert_with(|| value(tree));
            self.apply(index, tree, body, reader)
        })
    }

    fn apply(&self, index: usize, tree: &Json, body: &Value, reader: &Reader<'_>) -> Option<Taken> {
        let mapping = &self.mappings[index];
        let applies = mapping.fits(&Root::of(tree))
            && (mapping.when.is_empty()
                || self.engine.evaluate(&slot(index, "when"), body, body, self.settings.language)?.is_true());
        if !applies {
            return None;
        }
        let items: Vec<(Value, Json)> = if mapping.alerts.is_some() {
            let items = self.engine.evaluate(&slot(index, "alerts"), body, body, self.settings.language)?;
            if items.kind() != ValueKind::Seq {
                return None;
            }
            items
                .try_iter()
                .ok()?
                .map(|item| {
                    let tree = serde_json::to_value(&item).unwrap_or(Json::Null);
                    (item, tree)
                })
                .collect()
        } else {
            vec![(body.clone(), tree.clone())]
        };
        let told = items
            .into_iter()
            .filter_map(|(item, tree)| {
                let given = Reading { payloads: self, index, body, item }.given(mapping, index < self.users);
                reader.alert(&mapping.name, &tree, given, "")
            })
            .collect();
        taken(&mapping.name, told)
    }
}

/// A body for the robot of a chat.
fn robot(object: &Map<String, Json>, reader: &Reader<'_>) -> Option<Taken> {
    let (name, items) = crate::ingest::robot::items(object, reader.settings.language)?;
    let alert = |(item, otherwise): &(Json, _)| {
        reader.alert(name, item, Given { otherwise: *otherwise, ..Given::default() }, "")
    };
    taken(name, items.iter().flat_map(each_report).filter_map(|item| alert(&item)).collect())
}

/// The item, or one for each report if its text is several and it has no title.
fn each_report((item, otherwise): &(Json, Option<Word>)) -> Vec<(Json, Option<Word>)> {
    let text = item.get("text").and_then(Json::as_str).filter(|_| item.get("title").is_none());
    if let Some(items) = text.and_then(prefixed::read) {
        return items.into_iter().map(|item| (item, *otherwise)).collect();
    }
    let several = text.map(reports::split).filter(|reports| reports.len() > 1);
    let of = |report: &str| {
        let mut item = item.clone();
        item["text"] = report.into();
        (item, *otherwise)
    };
    several.map_or_else(|| vec![(item.clone(), *otherwise)], |reports| reports.into_iter().map(of).collect())
}

fn taken(by: &str, told: Vec<Told>) -> Option<Taken> {
    (!told.is_empty()).then(|| Taken { told, by: by.to_owned() })
}

impl Taken {
    /// The notification of it. Several alerts keep their own words, under the names that Prometheus rules use.
    pub fn notification(mut self, format: Format) -> Notification {
        let message = match self.told.as_mut_slice() {
            [only] => std::mem::take(&mut only.text),
            several => {
                for told in several {
                    let text = std::mem::take(&mut told.text);
                    if text.is_empty() {
                        continue;
                    }
                    let annotations = &mut told.alert.annotations;
                    let before = annotations.get("description").filter(|before| !before.is_empty());
                    let description = before.map_or(text.clone(), |before| format!("{before}\n{text}"));
                    annotations.insert("description", description);
                }
                String::new()
            }
        };
        Notification {
            format,
            upstream_receiver: String::new(),
            group_key: String::new(),
            group_labels: Labels::new(),
            external_url: String::new(),
            title: String::new(),
            message,
            truncated: 0,
            test: false,
            alerts: self.told.into_iter().map(|told| told.alert).collect(),
        }
    }
}

impl Mapping {
    /// Does the tree have every member that the mapping asks for?
    fn fits(&self, root: &Root<'_>) -> bool {
        self.has.iter().all(|path| root.has(path))
    }
}

/// An object and its members by their plain names, which are made once for all the mappings that ask.
struct Root<'t> {
    object: Option<&'t Map<String, Json>>,
    plain: HashMap<String, &'t Json>,
}

impl<'t> Root<'t> {
    fn of(tree: &'t Json) -> Self {
        let object = tree.as_object();
        let mut plain = HashMap::new();
        for (name, value) in object.into_iter().flatten() {
            plain.entry(plain_name(name)).or_insert(value);
        }
        Self { object, plain }
    }

    /// Is there a member at this path, which is no null? Names are compared as [`plain_name`] writes them.
    fn has(&self, path: &str) -> bool {
        let (name, rest) = path.split_once('.').unwrap_or((path, ""));
        let member = self.object.and_then(|object| object.get(name));
        match member.or_else(|| self.plain.get(&plain_name(name)).copied()) {
            Some(Json::Null) | None => false,
            Some(_) if rest.is_empty() => true,
            Some(inner) => Root::of(inner).has(rest),
        }
    }
}

impl Reading<'_> {
    fn text(&self, field: &str) -> String {
        self.payloads
            .engine
            .render(&slot(self.index, field), self.body, &self.item, self.payloads.settings.language)
            .unwrap_or_default()
    }

    fn given(&self, mapping: &Mapping, users: bool) -> Given {
        let (name, title) = (self.text("name"), self.text("title"));
        let mut text = self.text("message");
        let name = match (name.is_empty(), title.is_empty()) {
            (true, _) => title,
            (false, false) if title != name => {
                // A title of its own beside the rule's name is said before the text.
                text = if text.is_empty() { title } else { format!("{title}\n{text}") };
                name
            }
            _ => name,
        };
        Given {
            name,
            verbatim: users,
            brief: true,
            text,
            state: self.text("status"),
            level: self.text("severity"),
            key: self.text("key"),
            starts_at: self.text("starts_at"),
            ends_at: self.text("ends_at"),
            labels: self.set("labels", mapping.alert.labels.as_ref()),
            annotations: self.set("annotations", mapping.alert.annotations.as_ref()),
            values: self.values(mapping.alert.values.as_ref()),
            link: self.text("link"),
            image: self.text("image"),
            otherwise: None,
        }
    }

    /// Named texts of the item.
    fn set(&self, field: &str, members: Option<&Members>) -> Labels {
        match members {
            None => Labels::new(),
            Some(Members::Each(templates)) => {
                templates.keys().map(|name| (name.clone(), self.text(&format!("{field}.{name}")))).collect()
            }
            Some(Members::All(_)) => {
                let Payloads { engine, settings, .. } = self.payloads;
                let value = engine.evaluate(&slot(self.index, field), self.body, &self.item, settings.language);
                match value.and_then(|value| serde_json::to_value(&value).ok()) {
                    Some(Json::Object(map)) => field::labels(map),
                    Some(other) => crate::ingest::tree::labels(&other).into_iter().collect(),
                    None => Labels::new(),
                }
            }
        }
    }

    fn values(&self, members: Option<&Members>) -> Vec<crate::alert::Value> {
        let value = |(name, text): (EcoString, EcoString)| {
            Some(crate::alert::Value { name: name.into(), text: field::measured_text(&text)?, tags: Labels::new() })
        };
        self.set("values", members).into_iter().filter_map(value).collect()
    }
}
