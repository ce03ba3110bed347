//! `MiniJinja` as mappings use it: bounded, without files, missing fields empty, with filters of our own.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::tz::TimeZone;
use minijinja::value::{Enumerator, Kwargs, Object, Serde, Value, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, State, UndefinedBehavior, context};
use regex::Regex;
use serde_json::Value as Json;

use crate::ingest::lexicon::{self, Word};
use crate::ingest::{body, moment, plain, reader, tree};
use crate::level::{Level, plain_name};
use crate::nesting::{self, DEEPEST};
use crate::words::Language;

/// Instructions that one template may take; the shipped ones take less than a hundred.
const FUEL: u64 = 100_000;

/// How deep macros and the like may nest.
const RECURSION_LIMIT: usize = 50;

/// Where an expression leaves its value.
const RESULT: &str = "result";

/// Named templates and expressions.
#[derive(Debug)]
pub(super) struct Engine {
    environment: Environment<'static>,
}

impl Engine {
    pub fn new() -> Self {
        let mut environment = Environment::new();
        environment.set_fuel(Some(FUEL));
        environment.set_recursion_limit(RECURSION_LIMIT);
        environment.set_undefined_behavior(UndefinedBehavior::Chainable);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_formatter(|out, state, value| {
            minijinja::escape_formatter(out, state, if value.is_none() { &Value::UNDEFINED } else { value })
        });
        environment.add_function("told", told);
        environment.add_filter("pairs", pairs);
        environment.add_filter("scalars", scalars);
        environment.add_filter("first_line", first_line);
        environment.add_filter("bullets", bullets);
        environment.add_filter("labels", labels);
        environment.add_filter("fromjson", from_json);
        environment.add_filter("parse_json", from_json);
        environment.add_filter("fromform", from_form);
        environment.add_filter("time", time);
        environment.add_filter("state", state);
        environment.add_filter("level", level);
        environment.add_filter("missing", missing);
        environment.add_filter("match", matched);
        environment.add_filter("unbracketed", unbracketed);
        environment.add_filter("falcon", falcon);
        environment.add_filter("with_unit", with_unit);
        environment.add_filter("measured", measured);
        environment.add_filter("measures", measures);
        environment.add_filter("compared", compared);
        Self { environment }
    }

    /// Compiles a template; the error says what is wrong with it.
    pub fn add_template(&mut self, name: &str, source: &str) -> Result<(), String> {
        self.add(name, source.to_owned(), source)
    }

    /// Compiles an expression; the error says what is wrong with it.
    pub fn add_expression(&mut self, name: &str, source: &str) -> Result<(), String> {
        if nesting::of_expression(source) {
            return Err(too_deep());
        }
        self.environment.compile_expression_owned(source.to_owned()).map_err(|error| explain(&error))?;
        self.add(name, format!("{{% set {RESULT} = ({source}) %}}"), source)
    }

    fn add(&mut self, name: &str, template: String, source: &str) -> Result<(), String> {
        if nesting::of_template(&template).is_some() {
            return Err(too_deep());
        }
        self.environment.add_template_owned(name.to_owned(), template).map_err(|error| explain(&error))?;
        let template = self.environment.get_template(name).map_err(|error| explain(&error))?;
        let known = |variable: &str| {
            matches!(variable, "body" | "item") || self.environment.globals().any(|(global, _)| global == variable)
        };
        if let Some(unknown) = template.undeclared_variables(false).into_iter().find(|variable| !known(variable)) {
            return Err(format!("there is no `{unknown}` in `{source}`; fields are `body.…` or `item.…`"));
        }
        // A filter that does not exist is found only when it is used; an empty body uses most of them.
        match template.render(context! { body => empty_object(), item => empty_object() }) {
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::UnknownFilter | ErrorKind::UnknownTest | ErrorKind::UnknownFunction
                ) =>
            {
                Err(explain(&error))
            }
            _ => Ok(()),
        }
    }

    /// What the template gives, without blanks around it.
    pub fn render(&self, name: &str, body: &Value, item: &Value, language: Language) -> Option<String> {
        let language = language.as_str();
        let text = self.environment.get_template(name).ok()?.render(context! { body, item, language }).ok()?;
        Some(text.trim().replace('\0', "\u{2400}")).filter(|text| !text.is_empty())
    }

    /// What the expression gives.
    pub fn evaluate(&self, name: &str, body: &Value, item: &Value, language: Language) -> Option<Value> {
        let template = self.environment.get_template(name).ok()?;
        let language = language.as_str();
        let captured = template.render_captured(context! { body, item, language }).ok()?;
        captured.state().lookup(RESULT)
    }
}

/// A text in the language of the gateway.
fn told(state: &State<'_, '_>, zh: Value, en: Value) -> Value {
    if state.lookup("language").is_some_and(|language| language.as_str() == Some("en")) { en } else { zh }
}

fn empty_object() -> Value {
    Value::from(BTreeMap::<String, Value>::new())
}

/// The error without the name of the template, which says nothing to a user.
fn too_deep() -> String {
    format!("more than {DEEPEST} operators in one expression: divide it")
}

fn explain(error: &Error) -> String {
    match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    }
}

/// The items of the lists in a text (`* disk full`), each with the line above its list: `[{heading, text}]`.
fn bullets(text: &str) -> Value {
    let mut heading = "";
    let mut items = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        match line.strip_prefix("* ").or_else(|| line.strip_prefix("- ")) {
            Some(text) => items.push(context! { heading, text => text.trim() }),
            None => heading = line,
        }
    }
    items.into()
}

/// `["a=1", "b=2"]`, `"{a=1, b=2}"` or, with `by=":"`, `"a: 1, b: 2"` as an object.
#[expect(clippy::needless_pass_by_value, reason = "the signature of a filter")]
fn pairs(value: Value, arguments: Kwargs) -> Result<Value, Error> {
    let by: Option<String> = arguments.get("by")?;
    arguments.assert_all_used()?;
    let by = by.as_deref().unwrap_or("=");
    let texts: Vec<String> = match value.as_str() {
        Some(text) => text.trim().trim_matches(['{', '}']).split(',').map(str::to_owned).collect(),
        None if value.kind() == ValueKind::Seq => {
            value.try_iter()?.filter_map(|item| item.as_str().map(str::to_owned)).collect()
        }
        None => Vec::new(),
    };
    Ok(Value::from_pairs(
        texts.iter().filter_map(|text| text.split_once(by)).map(|(name, value)| (name.trim(), value.trim())),
    ))
}

/// The members of an object that are no objects or arrays themselves.
#[expect(clippy::needless_pass_by_value, reason = "the signature of a filter")]
fn scalars(value: Value) -> Result<Value, Error> {
    if value.kind() != ValueKind::Map {
        return Ok(empty_object());
    }
    let member = |name: Value| {
        let member = value.get_item(&name).ok()?;
        let is_scalar = !matches!(member.kind(), ValueKind::Map | ValueKind::Seq | ValueKind::None);
        is_scalar.then(|| (name.to_string(), member))
    };
    Ok(Value::from_pairs(value.try_iter()?.filter_map(member)))
}

/// The first line with text in it, without marks of markdown and HTML.
fn first_line(text: &str) -> String {
    plain::first_line(text).0
}

/// Labels in any form that the reader knows, as an object.
#[expect(clippy::needless_pass_by_value, reason = "the signature of a filter")]
fn labels(value: Value) -> Value {
    let json = serde_json::to_value(&value).unwrap_or(Json::Null);
    Value::from_pairs(tree::labels(&json))
}

/// Values by name out of Nightingale's `values_with_unit`, each as its number with the unit behind it; a single one needs no
/// name. `otherwise` is the value where there are none.
#[expect(clippy::needless_pass_by_value, reason = "the signature of a filter")]
fn with_unit(given: Value, otherwise: Value) -> Value {
    let json = serde_json::to_value(&given).unwrap_or(Json::Null);
    let text = |member: Option<&Json>| member.cloned().map(super::super::field::text).unwrap_or_default();
    let measured = |(name, member): (&String, &Json)| {
        let member = member.as_object()?;
        let number = text(member.get("value").filter(|value| !value.is_null()).or_else(|| member.get("text")));
        let whole = format!("{number} {}", text(member.get("unit")));
        (!number.is_empty()).then(|| (name.clone(), whole.trim().to_owned()))
    };
    let mut all: Vec<(String, String)> = json.as_object().into_iter().flatten().filter_map(measured).collect();
    match &mut all[..] {
        [] => return Value::from_pairs([(String::new(), otherwise.to_string())]),
        [(name, _)] => name.clear(),
        _ => {}
    }
    Value::from_pairs(all)
}

/// A value with its unit; nothing if it is no number.
#[expect(clippy::needless_pass_by_value, reason = "the signature of a filter")]
fn measured(given: Value, unit: Value) -> String {
    reader::measured(&said(&given), &said(&unit))
}

/// The values of a list of objects that each have a measure's name, a value and perhaps a unit, by name.
#[expect(clippy::needless_pass_by_value, reason = "the signature of a filter")]
fn measures(given: Value) -> Value {
    let json = serde_json::to_value(&given).unwrap_or(Json::Null);
    Value::from_pairs(json.as_array().into_iter().flatten().filter_map(reader::measures))
}

/// A measure, an operator and a threshold as an expression (`cpu > 90`); nothing where one of the latter is missing.
#[expect(clippy::needless_pass_by_value, reason = "the signature of a filter")]
fn compared(measure: Value, operator: Value, threshold: Value) -> String {
    reader::compared(&said(&measure), &said(&operator), &said(&threshold))
}

fn said(value: &Value) -> String {
    if value.is_undefined() || value.is_none() { String::new() } else { value.to_string() }
}

/// The tree of a text that is JSON; what is a tree already stays.
fn from_json(given: Value) -> Value {
    match given.as_str() {
        Some(text) => body::inside(text).map_or(Value::UNDEFINED, |json| value(&json)),
        None => given,
    }
}

/// The fields of a text that is a form.
fn from_form(given: Value) -> Value {
    match given.as_str() {
        Some(text) => body::form_inside(text).map_or(Value::UNDEFINED, |json| value(&json)),
        None => given,
    }
}

/// A time in any usual form as RFC 3339; `zone` is that of times that name none. What is no time is empty.
#[expect(clippy::needless_pass_by_value, reason = "the signature of a filter")]
fn time(given: Value, arguments: Kwargs) -> Result<String, Error> {
    let zone: Option<String> = arguments.get("zone")?;
    arguments.assert_all_used()?;
    let zone = match zone.as_deref() {
        None => TimeZone::UTC,
        Some(name) => TimeZone::get(name).map_err(|error| {
            Error::new(ErrorKind::InvalidOperation, format!("there is no time zone `{name}`: {error}"))
        })?,
    };
    let instant = moment::read(&given.to_string(), &zone).and_then(|at| jiff::Timestamp::from_millisecond(at.0).ok());
    Ok(instant.map(|instant| instant.to_string()).unwrap_or_default())
}

/// `firing`, `resolved`, `acknowledged`, `no data`, `notice`, or nothing.
#[expect(clippy::needless_pass_by_value, reason = "the signature of a filter")]
fn state(given: Value) -> &'static str {
    match lexicon::of_value(&given.to_string()) {
        Some(Word::Firing) => "firing",
        Some(Word::Resolved) => "resolved",
        Some(Word::Held) => "acknowledged",
        Some(Word::NoData) => "no data",
        Some(Word::Notice) => "notice",
        None => "",
    }
}

/// `critical`, `error`, `warning`, `info`, or nothing.
#[expect(clippy::needless_pass_by_value, reason = "the signature of a filter")]
fn level(given: Value) -> &'static str {
    Level::of(&given.to_string()).map_or("", Level::as_str)
}

/// The value, or nothing where it says nothing: a word for null, a macro that was not expanded.
fn missing(given: Value) -> Value {
    match given.as_str() {
        Some(text) if plain::is_missing(text) || plain::has_placeholder(text) => Value::UNDEFINED,
        _ => given,
    }
}

/// The first group of a pattern in a text, or nothing.
#[expect(clippy::needless_pass_by_value, reason = "the signature of a filter")]
fn matched(given: Value, pattern: &str) -> Result<String, Error> {
    let pattern = Regex::new(pattern).map_err(|error| Error::new(ErrorKind::InvalidOperation, error.to_string()))?;
    let text = given.as_str().unwrap_or_default();
    let found = pattern.captures(text).and_then(|found| found.get(1).or_else(|| found.get(0)));
    Ok(found.map(|group| group.as_str().to_owned()).unwrap_or_default())
}

/// Without brackets at the beginning: `[region][level] name`.
fn unbracketed(text: &str) -> String {
    let mut rest = text.trim();
    while let Some((_, after)) = rest.strip_prefix(['[', '【']).and_then(|inside| inside.split_once([']', '】'])) {
        rest = after.trim();
    }
    rest.to_owned()
}

/// A part of Open-Falcon's text `[P1][PROBLEM][endpoint][][note func metric tags left op right][O2 time]`.
fn falcon(text: &str, part: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let mut rest = text.trim();
    while let Some(inside) = rest.strip_prefix('[') {
        let Some(end) = inside.find("][").or_else(|| inside.rfind(']')) else { break };
        parts.push(&inside[..end]);
        rest = inside[end + 1..].trim_start();
    }
    let at = |index: usize| parts.get(index).copied().unwrap_or_default().to_owned();
    match part {
        "level" => at(0),
        "status" => at(1),
        "endpoint" => at(2),
        _ => {
            let note = at(4);
            let function = ["all(", "avg(", "sum(", "max(", "min(", "diff(", "pdiff(", "lookup(", "stddev("];
            let words: Vec<&str> =
                note.split(' ').take_while(|word| !function.iter().any(|name| word.starts_with(name))).collect();
            words.join(" ").trim().to_owned()
        }
    }
}

/// A tree as templates see it: members are found by their name, or by another spelling of it (`alert_name` for
/// `AlertName`).
pub(super) fn value(json: &Json) -> Value {
    match json {
        Json::Object(members) => {
            let members = members.iter().map(|(name, member)| (Arc::from(name.as_str()), value(member)));
            Value::from_object(Named(members.collect()))
        }
        Json::Array(items) => items.iter().map(value).collect::<Vec<Value>>().into(),
        scalar => Value::from(Serde(scalar)),
    }
}

#[derive(Debug)]
struct Named(BTreeMap<Arc<str>, Value>);

impl Object for Named {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let wanted = key.as_str()?;
        let exact = self.0.get(wanted);
        let spelt = || {
            let wanted = plain_name(wanted);
            self.0.iter().find(|(name, _)| plain_name(name) == wanted).map(|(_, value)| value)
        };
        exact.or_else(spelt).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.keys().map(|name| Value::from(name.as_ref())).collect())
    }
}
