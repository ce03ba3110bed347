//! The labels of one alert under their usual names, and what becomes of each.

use std::borrow::Cow;

use ecow::{EcoString, eco_format};

use super::names::{ALIASES, EMPTY, HOSTS, List, META, META_ENDS, OWNER, REEXPORTED, RENAMED, SUPERSEDED, bit, id};
use super::part::{Kind, Part, text};
use super::{LABELS, Taught, Why};
use crate::alert::Labels;
use crate::level;

/// What became of a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is part of the object, by the family of this name.
    Object(&'static str),
    /// The author's sentences name it.
    Named,
    /// The expression of the rule groups by it.
    Grouped,
    /// It tells where the object is.
    Place,
    /// It tells which kind of trouble it is.
    Qualifier,
    /// A kind of trouble that no sentence names: shown where the alerts of a group differ by it.
    Latent,
    /// Its value is empty, or a word for that.
    Empty,
    /// `exported_…` gives the same of the object itself.
    Superseded,
    /// It tells who was asked, not what the alert is about.
    Asked,
    /// It belongs to the rule or to the transport.
    Meta,
    /// It tells who is called.
    Owner,
    /// The user hides it.
    Hidden,
    /// What is shown already has its value.
    Repeated,
    /// Neither named nor in a list: shown only where the alerts of a group differ by it.
    Open,
}

/// A label.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    /// Its usual name, in lower case.
    pub(super) key: Cow<'a, str>,
    /// The hash of that.
    id: u64,
    /// Its name as sent.
    pub(super) label: &'a str,
    pub(super) value: &'a str,
    pub(super) fate: Fate,
}

/// The labels of an alert.
pub(super) struct Reading<'a> {
    entries: Vec<Entry<'a>>,
    /// The bits of all names.
    bits: u64,
}

impl<'a> Reading<'a> {
    /// Step N: the labels under their usual names, without empty ones and without what `exported_…` supersedes.
    pub(super) fn of(labels: &'a Labels) -> Self {
        let entries = labels.iter().take(LABELS).map(|(label, value)| {
            let (key, value) = (usual(label), value.trim());
            let fate = if is_empty(label, value) { Fate::Empty } else { Fate::Open };
            Entry { id: id(&key), key, label, value, fate }
        });
        let mut reading = Self { entries: entries.collect(), bits: 0 };
        reading.bits = reading.entries.iter().fold(0, |bits, entry| bits | bit(entry.id));
        reading.take_exported();
        reading.rename();
        reading
    }

    /// What a scrape without `honor_labels` calls `exported_…` is the object's own.
    fn take_exported(&mut self) {
        let own = |key: &str| key.strip_prefix("exported_").map(str::to_owned);
        let exported: Vec<String> = self.open().filter_map(|entry| own(&entry.key)).collect();
        if exported.is_empty() {
            return;
        }
        let whole = exported.iter().any(|name| REEXPORTED.has(id(name)));
        let host = self.any(&HOSTS);
        for entry in self.entries.iter_mut().filter(|entry| entry.fate == Fate::Open) {
            let replaced = exported.iter().any(|name| *name == entry.key);
            let scraped = whole && SUPERSEDED.has(entry.id) && (entry.key != "instance" || !host);
            if replaced || scraped {
                entry.fate = Fate::Superseded;
            }
        }
        for entry in self.entries.iter_mut().filter(|entry| entry.fate == Fate::Open && entry.key != "exported_job") {
            if let Some(name) = own(&entry.key) {
                entry.id = id(&name);
                entry.key = name.into();
                self.bits |= bit(entry.id);
            }
        }
    }

    /// Other names for a label, where the usual one is not there, and addresses of probes.
    fn rename(&mut self) {
        for (key, starts, name) in RENAMED {
            let found = self.get(key).filter(|entry| starts.iter().any(|start| entry.value.starts_with(start)));
            if let Some(label) = found.map(|entry| entry.label) {
                self.call(label, name);
            }
        }
        for (name, aliases) in ALIASES {
            if aliases.bits & self.bits != 0
                && self.get(name).is_none()
                && let Some(label) = self.first(aliases).map(|entry| entry.label)
            {
                self.call(label, name);
            }
        }
    }

    fn call(&mut self, label: &str, name: &'static str) {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.label == label) {
            (entry.key, entry.id) = (name.into(), id(name));
            self.bits |= bit(entry.id);
        }
    }

    /// The labels that the user hides.
    pub(super) fn hide(&mut self, taught: &Taught) {
        for entry in self.entries.iter_mut().filter(|entry| entry.fate == Fate::Open) {
            if has(&taught.hidden, entry) {
                entry.fate = Fate::Hidden;
            }
        }
    }

    /// Step M: labels of the rule and of the transport, and the owner.
    pub(super) fn drop_meta(&mut self) {
        for entry in self.entries.iter_mut().filter(|entry| entry.fate == Fate::Open) {
            if OWNER.has(entry.id) {
                entry.fate = Fate::Owner;
            } else if is_meta(entry) {
                entry.fate = Fate::Meta;
            }
        }
    }

    /// The labels that nothing was decided of, in the order of their names.
    pub(super) fn open(&self) -> impl Iterator<Item = &Entry<'a>> {
        self.entries.iter().filter(|entry| entry.fate == Fate::Open)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Entry<'a>> {
        self.entries.iter()
    }

    /// The open label of this usual name.
    pub(super) fn get(&self, key: &str) -> Option<&Entry<'a>> {
        self.find(id(key))
    }

    pub(super) fn find(&self, id: u64) -> Option<&Entry<'a>> {
        if bit(id) & self.bits == 0 {
            return None;
        }
        self.entries.iter().find(|entry| entry.id == id && entry.fate == Fate::Open)
    }

    /// The first of `list` that is there.
    pub(super) fn first(&self, list: &List) -> Option<&Entry<'a>> {
        if list.bits & self.bits == 0 {
            return None;
        }
        list.ids.iter().find_map(|id| self.find(*id))
    }

    pub(super) fn any(&self, list: &List) -> bool {
        self.first(list).is_some()
    }

    /// Decides the open labels of these names.
    pub(super) fn decide(&mut self, list: &List, fate: Fate) {
        if list.bits & self.bits == 0 {
            return;
        }
        for entry in self.entries.iter_mut().filter(|entry| entry.fate == Fate::Open) {
            if list.has(entry.id) {
                entry.fate = fate;
            }
        }
    }

    /// Decides the label with this name as sent.
    pub(super) fn settle(&mut self, label: &str, fate: Fate) {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.label == label) {
            entry.fate = fate;
        }
    }

    /// The label that the user's list calls `name`: the list wins over what was decided of it.
    pub(super) fn taught(&self, name: &str) -> Option<&Entry<'a>> {
        let undone = |entry: &&Entry<'_>| matches!(entry.fate, Fate::Asked | Fate::Meta | Fate::Owner);
        let called = |entry: &&Entry<'_>| is_called(name, entry);
        self.open().find(called).or_else(|| self.entries.iter().filter(undone).find(called))
    }

    /// What became of each label.
    pub(super) fn why(&self) -> Vec<Why> {
        let told =
            |entry: &Entry<'_>| Why { label: entry.label.to_owned(), value: entry.value.to_owned(), fate: entry.fate };
        self.entries.iter().map(told).collect()
    }
}

impl List {
    fn has(&self, id: u64) -> bool {
        bit(id) & self.bits != 0 && self.ids.contains(&id)
    }
}

impl Entry<'_> {
    /// Is it one of `list`?
    pub(super) fn is_in(&self, list: &List) -> bool {
        list.has(self.id)
    }

    /// The label as a part of this kind.
    pub(super) fn part(&self, kind: Kind) -> Part {
        let (shown, port) = match kind {
            Kind::Host | Kind::Backend | Kind::Address => address(self.value, kind == Kind::Address),
            // A bare number says nothing without its name.
            Kind::Named if !self.value.chars().any(char::is_alphabetic) => {
                (eco_format!("{} {}", self.label, self.value), "")
            }
            Kind::Gpu if self.value.chars().all(|c| c.is_ascii_digit()) => (eco_format!("GPU {}", self.value), ""),
            _ => (self.value.into(), ""),
        };
        Part { kind, label: self.label.into(), text: shown, port: port.into() }
    }
}

/// `value` without a scheme, a user, a question and the port of an exporter.
fn address(value: &str, probed: bool) -> (EcoString, &str) {
    let bare = match value.split_once("://") {
        Some((scheme, rest)) if scheme.chars().all(|c| c.is_ascii_alphanumeric() || c == '+') => {
            let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            let host = rest[..end].rfind('@').map_or(0, |at| at + 1);
            let rest = &rest[host..];
            rest[..rest.find(['?', '#']).unwrap_or(rest.len())].trim_end_matches('/')
        }
        _ => value.trim_end_matches('/'),
    };
    let (host, port) = bare.rsplit_once(':').unwrap_or((bare, ""));
    let exporters = !probed
        && !host.is_empty()
        && (!host.contains(':') || host.ends_with(']'))
        && port.parse::<u16>().is_ok_and(|port| super::names::EXPORTER_PORTS.iter().any(|range| range.contains(&port)));
    if !exporters {
        return (bare.into(), "");
    }
    (host.trim_start_matches('[').trim_end_matches(']').into(), &bare[host.len()..])
}

/// The name of a label in the lists: in lower case, words joined by `_`.
pub(super) fn usual(label: &str) -> Cow<'_, str> {
    let as_is = label.chars().all(|c| !c.is_uppercase() && !matches!(c, '.' | '-' | ' ' | '/'));
    let short = label.strip_prefix("dimension_");
    match short.unwrap_or(label) {
        name if as_is => Cow::Borrowed(name),
        name => Cow::Owned(name.to_lowercase().replace(['.', '-', ' ', '/'], "_")),
    }
}

/// Does the user's `name` mean this label? Case does not matter.
fn is_called(name: &str, entry: &Entry<'_>) -> bool {
    name == entry.label || usual(name.trim()) == usual(entry.label)
}

fn has(names: &[String], entry: &Entry<'_>) -> bool {
    names.iter().any(|name| is_called(name, entry))
}

fn is_empty(label: &str, value: &str) -> bool {
    EMPTY.iter().any(|empty| value.eq_ignore_ascii_case(empty)) || (label.starts_with("__") && label.ends_with("__"))
}

fn is_meta(entry: &Entry<'_>) -> bool {
    let key = &*entry.key;
    META.has(entry.id)
        || META_ENDS
            .iter()
            .any(|(start, end)| key.len() >= start.len() + end.len() && key.starts_with(start) && key.ends_with(end))
        || level::NAMES.contains(&key)
        || (key == "id" && is_noise_id(entry.value))
}

/// The path of a control group, or a long hexadecimal number; not the name of a memory pool.
fn is_noise_id(value: &str) -> bool {
    value.starts_with('/') || (value.len() >= 12 && value.chars().all(|c| c.is_ascii_hexdigit() || c == '-'))
}

/// Does the text of `parts` contain `value`?
pub(super) fn shows(parts: &[Part], value: &str) -> bool {
    text(parts).contains(value)
}
