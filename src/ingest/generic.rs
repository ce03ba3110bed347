//! Bodies of any other shape, read through mappings: data that says which body it is for and where its facts
//! stand. The user's mappings come first, then the shipped ones of `payloads.yaml`.
//!
//! A field that cannot be evaluated is left out; the alert is never lost for it.

mod engine;
mod read;

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::level::Levels;
use crate::words::Language;
use engine::Engine;
pub(super) use read::Taken;

/// How one kind of body is read. Expressions and templates are `MiniJinja`; they see the whole `body` and the
/// current `item`, which is the body itself where `alerts` is not given. A missing field is empty, not an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// Its name. A mapping with the name of a shipped one replaces it.
    pub name: String,
    /// Members that the body must have: names, `a.b` for one inside of another.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub has: Vec<String>,
    /// Expression: does the mapping apply to this body? For example `body.kind == "backup"`. May be left out beside `has`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub when: String,
    /// Expression that gives the array of alerts in the body. Without it the body is one alert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alerts: Option<String>,
    /// Where the facts of an alert stand.
    #[serde(default)]
    pub alert: AlertFields,
}

/// Templates for the facts of an alert, each optional: what is left out is read as it is of a body without a mapping.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertFields {
    /// What the rule or check is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `firing`, `resolved`, `acknowledged`, `no data` or `notice`, or a usual synonym (`PROBLEM`, `ok`, `1`, `0`, …). Any
    /// other word is firing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// What stays the same from the first firing to the resolved body. With it nothing else counts for identity; without
    /// it different words are a different alert, and an end is matched to what it can only mean. A macro that was not
    /// expanded is no key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// A composed title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Free text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// How bad it is; becomes the label `severity`, in lower case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
    /// When it began: RFC 3339, `2026-11-22 14:02:00+08:00`, or Unix time in seconds or milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<String>,
    /// When it ended, in the same forms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<String>,
    /// Labels to route by and to show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Members>,
    /// Annotations to show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Members>,
    /// Measured values by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Members>,
    /// Where a person may look further; only http(s).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// Picture; only http(s).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
}

impl AlertFields {
    fn templates(&self) -> [(&'static str, Option<&String>); 10] {
        [
            ("name", self.name.as_ref()),
            ("status", self.status.as_ref()),
            ("key", self.key.as_ref()),
            ("title", self.title.as_ref()),
            ("message", self.message.as_ref()),
            ("severity", self.severity.as_ref()),
            ("starts_at", self.starts_at.as_ref()),
            ("ends_at", self.ends_at.as_ref()),
            ("link", self.link.as_ref()),
            ("image", self.image.as_ref()),
        ]
    }

    fn members(&self) -> [(&'static str, Option<&Members>); 3] {
        [("labels", self.labels.as_ref()), ("annotations", self.annotations.as_ref()), ("values", self.values.as_ref())]
    }
}

/// Named texts: one template each, or one expression that gives them all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a map of templates, or an expression that gives an object")]
pub enum Members {
    /// A template for each name.
    Each(BTreeMap<String, String>),
    /// An expression that gives an object, for example `item.tags`.
    All(String),
}

/// A mistake in a mapping.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("payload mapping `{mapping}`, `{field}`: {reason}")]
pub struct MappingError {
    /// Name of the mapping.
    pub mapping: String,
    /// Field in it, for example `alert.labels.host`.
    pub field: String,
    /// What is wrong, and what to do.
    pub reason: String,
}

/// Compiled mappings: the user's first, then the shipped ones.
#[derive(Debug)]
pub struct Payloads {
    engine: Engine,
    mappings: Vec<Mapping>,
    /// How many of them, the first ones, are the user's.
    users: usize,
    settings: ReadSettings,
}

/// What besides mappings decides how a body is read.
#[derive(Debug, Clone)]
pub struct ReadSettings {
    /// The ranks of the words for severities.
    pub levels: Levels,
    /// The zone of times that name none.
    pub timezone: TimeZone,
    /// Of what wegraf itself says where a body has no words.
    pub language: Language,
}

impl Default for ReadSettings {
    fn default() -> Self {
        Self { levels: Levels::default(), timezone: TimeZone::UTC, language: Language::default() }
    }
}

impl Payloads {
    /// Compiles the user's mappings and the shipped ones, or says every mistake that there is.
    pub fn compile(user: Vec<Mapping>) -> Result<Self, Vec<MappingError>> {
        let mut engine = Engine::new();
        let mut mappings = user;
        let mut errors = duplicates(&mappings);
        let users = mappings.len();
        let shipped = shipped().into_iter().filter(|shipped| !mappings.iter().any(|user| user.name == shipped.name));
        mappings.extend(shipped.collect::<Vec<_>>());
        for (index, mapping) in mappings.iter().enumerate() {
            errors.extend(add(&mut engine, index, mapping));
        }
        if errors.is_empty() {
            Ok(Self { engine, mappings, users, settings: ReadSettings::default() })
        } else {
            Err(errors)
        }
    }

    /// These mappings and `first` before them: one that has the name of another takes its place.
    pub fn before(&self, first: Vec<Mapping>) -> Result<Self, Vec<MappingError>> {
        let own = self.mappings.iter().take(self.users);
        let own = own.filter(|own| first.iter().all(|new| new.name != own.name)).cloned().collect::<Vec<_>>();
        let user = first.into_iter().chain(own).collect();
        Ok(Self::compile(user)?.with(self.settings.clone()))
    }

    /// The same mappings with other settings.
    #[must_use]
    pub fn with(mut self, settings: ReadSettings) -> Self {
        self.settings = settings;
        self
    }

    /// All of them, the user's first; `true` with the user's own.
    pub fn mappings(&self) -> impl Iterator<Item = (&Mapping, bool)> {
        self.mappings.iter().enumerate().map(|(index, mapping)| (mapping, index < self.users))
    }

    /// What besides mappings decides how a body is read.
    pub(super) const fn settings(&self) -> &ReadSettings {
        &self.settings
    }

    /// The ranks of the words for severities.
    pub const fn levels(&self) -> &Levels {
        &self.settings.levels
    }
}

impl Default for Payloads {
    /// The shipped mappings alone.
    fn default() -> Self {
        Self::compile(Vec::new()).expect("a test compiles the shipped mappings")
    }
}

/// The mappings that come with the program, as data.
pub(super) fn shipped() -> Vec<Mapping> {
    serde_saphyr::from_str(include_str!("payloads.yaml")).expect("a test parses the shipped mappings")
}

fn duplicates(mappings: &[Mapping]) -> Vec<MappingError> {
    let error = |mapping: &Mapping, reason: &str| MappingError {
        mapping: mapping.name.clone(),
        field: "name".to_owned(),
        reason: reason.to_owned(),
    };
    let mut errors = Vec::new();
    for (index, mapping) in mappings.iter().enumerate() {
        if mapping.name.trim().is_empty() {
            errors.push(error(mapping, "is empty; give each mapping a name"));
        } else if mapping.when.trim().is_empty() && mapping.has.is_empty() {
            errors.push(MappingError {
                mapping: mapping.name.clone(),
                field: "when".to_owned(),
                reason: "says for no body that it applies; give `has` or `when`".to_owned(),
            });
        } else if mappings[..index].iter().any(|earlier| earlier.name == mapping.name) {
            errors.push(error(mapping, "is used twice; give each mapping a name of its own"));
        }
    }
    errors
}

/// Compiles one mapping under names that begin with its index.
fn add(engine: &mut Engine, index: usize, mapping: &Mapping) -> Vec<MappingError> {
    let mut errors = Vec::new();
    let mut check = |field: String, result: Result<(), String>| {
        if let Err(reason) = result {
            errors.push(MappingError { mapping: mapping.name.clone(), field, reason });
        }
    };
    let when = Some(&mapping.when).filter(|when| !when.is_empty());
    let expressions = [("when", when), ("alerts", mapping.alerts.as_ref())];
    for (field, source) in expressions {
        if let Some(source) = source {
            check(field.to_owned(), engine.add_expression(&slot(index, field), source));
        }
    }
    for (field, source) in mapping.alert.templates() {
        if let Some(source) = source {
            check(format!("alert.{field}"), engine.add_template(&slot(index, field), source));
        }
    }
    for (field, members) in mapping.alert.members() {
        match members {
            Some(Members::All(source)) => {
                check(format!("alert.{field}"), engine.add_expression(&slot(index, field), source));
            }
            Some(Members::Each(templates)) => {
                for (name, source) in templates {
                    let slot = slot(index, &format!("{field}.{name}"));
                    check(format!("alert.{field}.{name}"), engine.add_template(&slot, source));
                }
            }
            None => {}
        }
    }
    errors
}

/// Under which name a template of the mapping at `index` is kept.
fn slot(index: usize, field: &str) -> String {
    format!("{index}/{field}")
}
