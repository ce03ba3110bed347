//! `MiniJinja` as mappings use it: bounded, without files, missing fields empty, with three filters of our own.

use std::collections::BTreeMap;

use minijinja::value::{Kwargs, Value, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, context};

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
        environment.add_filter("pairs", pairs);
        environment.add_filter("scalars", scalars);
        environment.add_filter("first_line", first_line);
        Self { environment }
    }

    /// Compiles a template; the error says what is wrong with it.
    pub fn add_template(&mut self, name: &str, source: &str) -> Result<(), String> {
        self.add(name, source.to_owned(), source)
    }

    /// Compiles an expression; the error says what is wrong with it.
    pub fn add_expression(&mut self, name: &str, source: &str) -> Result<(), String> {
        self.environment.compile_expression_owned(source.to_owned()).map_err(|error| explain(&error))?;
        self.add(name, format!("{{% set {RESULT} = ({source}) %}}"), source)
    }

    fn add(&mut self, name: &str, template: String, source: &str) -> Result<(), String> {
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
    pub fn render(&self, name: &str, body: &Value, item: &Value) -> Option<String> {
        let text = self.environment.get_template(name).ok()?.render(context! { body, item }).ok()?;
        Some(text.trim().replace('\0', "\u{2400}")).filter(|text| !text.is_empty())
    }

    /// What the expression gives.
    pub fn evaluate(&self, name: &str, body: &Value, item: &Value) -> Option<Value> {
        let template = self.environment.get_template(name).ok()?;
        let captured = template.render_captured(context! { body, item }).ok()?;
        captured.state().lookup(RESULT)
    }
}

fn empty_object() -> Value {
    Value::from(BTreeMap::<String, Value>::new())
}

/// The error without the name of the template, which says nothing to a user.
fn explain(error: &Error) -> String {
    match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    }
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

/// The first line with text in it, without markdown's signs before it and without `<tags>`.
fn first_line(text: String) -> String {
    let without_tags = |line: &str| {
        let mut plain = String::with_capacity(line.len());
        let mut rest = line;
        while let Some((before, tag)) = rest.split_once('<') {
            plain.push_str(before);
            rest = if let Some((_, after)) = tag.split_once('>') {
                after
            } else {
                plain.push('<');
                tag
            };
        }
        plain + rest
    };
    text.lines()
        .map(|line| {
            without_tags(line).trim_start_matches(['#', '>', ' ', '*', '-']).trim_end_matches(['*', ' ']).to_owned()
        })
        .find(|line| !line.is_empty())
        .unwrap_or(text)
}
