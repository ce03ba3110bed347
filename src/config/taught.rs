//! What the user says of labels: which make the object of an alert, which tell its place, which are never shown.

use std::collections::BTreeMap;

use super::at::At;
use super::resolve::{Resolver, placed, value};
use super::{Config, Receiver};
use crate::names::SourceId;
use crate::subject::Taught;

/// Names in one list: an object that people read has three parts, and each may be called differently by a few teams.
const MOST: usize = 20;

/// Labels of wegraf's own alarms: their subject, and the name of their kind.
pub const ABOUT: &str = "about";
/// See [`ABOUT`].
pub const TROUBLE: &str = "trouble";

/// The lists of a receiver or of a source, as written.
#[derive(Clone, Copy)]
pub(super) struct Lists<'a> {
    pub(super) object: Option<&'a At<Vec<At<String>>>>,
    pub(super) place: Option<&'a At<Vec<At<String>>>>,
    pub(super) hidden: Option<&'a At<Vec<At<String>>>>,
}

impl Resolver<'_> {
    /// `path` is where they stand: `receivers.ops`.
    pub(super) fn taught(&mut self, path: &str, lists: Lists<'_>) -> Taught {
        let all = [("object", lists.object), ("place", lists.place), ("hidden", lists.hidden)];
        let mut known: BTreeMap<&str, &str> = BTreeMap::new();
        for (key, list) in all {
            let Some((place, names)) = placed(list) else { continue };
            if names.is_empty()
                || names.len() > MOST
                || names.iter().filter_map(At::get).any(|name| name.trim().is_empty())
            {
                self.found.mistake(
                    place,
                    (
                        format!("`{path}.{key}` 要写 1 到 {MOST} 个标签名"),
                        format!("`{path}.{key}` names from 1 to {MOST} labels"),
                    ),
                    (format!("例如 {key}: [shard]"), format!("for example {key}: [shard]")),
                );
            }
            for at in names {
                let Some(name) = at.get() else { continue };
                let Some(before) = known.insert(name, key) else { continue };
                self.found.mistake(
                    at.place,
                    (
                        format!("`{path}` 里标签 `{name}` 写了两次（{before}、{key}）"),
                        format!("`{path}` has the label `{name}` twice ({before}, {key})"),
                    ),
                    ("只留一个", "keep one of them"),
                );
            }
        }
        let names = |list| value(list).into_iter().flatten().filter_map(At::get).cloned().collect();
        Taught { object: names(lists.object), place: names(lists.place), hidden: names(lists.hidden) }
    }
}

impl Config {
    /// What the user says of the labels of alerts that `source` sent, to readers of `receiver`: the receiver's own names
    /// come first.
    pub fn taught(&self, receiver: Option<&Receiver>, source: &SourceId) -> Taught {
        let source = match source {
            SourceId::Configured(name) => self.sources.iter().find(|source| source.name == *name),
            // Its own alarms tell what they are about in a label of their own.
            SourceId::Wegraf => {
                return Taught { object: vec![ABOUT.to_owned()], place: Vec::new(), hidden: vec![TROUBLE.to_owned()] };
            }
            SourceId::Command | SourceId::Anonymous => None,
        };
        let mut taught = receiver.map(|receiver| receiver.taught.clone()).unwrap_or_default();
        if let Some(source) = source {
            let add = |to: &mut Vec<String>, from: &[String]| {
                let new: Vec<String> = from.iter().filter(|name| !to.contains(name)).cloned().collect();
                to.extend(new);
            };
            add(&mut taught.object, &source.taught.object);
            add(&mut taught.place, &source.taught.place);
            add(&mut taught.hidden, &source.taught.hidden);
        }
        taught
    }
}
