//! Templates: compiled once, run within limits.
//!
//! Owns `MiniJinja`. The formatter neutralises template output for the face, so that a template's author cannot forget
//! it: only the template's own text and what `link`, `bold`, `code` and `colored` return is markup. A template reads no
//! file, no clock and no environment, and its run time, recursion and output are bounded
//! (F98, docs/reference/reliability.md#hostile-input).

use std::borrow::Cow;
use std::fmt::Write as _;
use std::path::Path;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Rest, Value, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, State, UndefinedBehavior};

use super::essence::Essence;
use super::link::{plain_link, safe_url};
use super::neutral::{self, Dialect};
use crate::config::{Face, Language, TemplateFile};
use crate::nesting::{self, DEEPEST};
use crate::words::{Words, told, words};

/// Steps of one run. The largest shipped template takes about 8 000 for sixty alerts; using up all of them takes a few
/// milliseconds.
const FUEL: u64 = 60_000;
/// Nested blocks, includes and macro calls.
const RECURSION: usize = 120;
/// Bytes of one template file.
const SOURCE_BYTES: usize = 64 * 1024;
/// Bytes that a run may print; the largest message that WeCom accepts has 4096.
const OUTPUT_BYTES: usize = 64 * 1024;
/// Items of a list that a function prints.
const ITEMS: usize = 1_000;
/// Items of a list that goes through a filter.
const FILTERED: usize = 100_000;
/// Bytes of a list or map that is printed directly; four times what a message can hold.
const LIST_BYTES: usize = 16 * 1024;
/// Lists within each other in what is printed.
const DEPTH: usize = 64;

/// A failure of a user's template. The shipped one was used instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateProblem {
    /// The file, or the name if it is part of wegraf.
    pub template: String,
    /// The line in the file.
    pub line: Option<usize>,
    /// The character in the line, where it is known.
    pub column: Option<usize>,
    /// What happened and how to repair it.
    pub reason: Words,
}

impl TemplateProblem {
    /// Where it is, and what it is in one language.
    pub fn told(&self, language: Language) -> String {
        format!("{}: {}", self.place(), self.reason.get(language))
    }

    fn place(&self) -> String {
        let Self { template, line, column, .. } = self;
        match (line, column) {
            (Some(line), Some(column)) => format!("{template}:{line}:{column}"),
            (Some(line), None) => format!("{template}:{line}"),
            (None, _) => template.clone(),
        }
    }
}

impl std::fmt::Display for TemplateProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.place(), self.reason)
    }
}

/// The shipped templates and the user's, one environment for each dialect.
pub(super) struct Engine {
    plain: Environment<'static>,
    markdown: Environment<'static>,
    markdown_v2: Environment<'static>,
    /// Name and path of each user template, including those that did not compile.
    user: Vec<(String, String)>,
    /// Name of each user template that did not compile, and why.
    broken: Vec<(String, TemplateProblem)>,
}

macro_rules! shipped {
    ($($language:literal / $face:literal),* $(,)?) => {
        [$((
            concat!($language, "/", $face),
            include_str!(concat!("../../templates/", $language, "/", $face, ".j2")),
        )),*]
    };
}

/// Name and text of every shipped template.
const SHIPPED: [(&str, &str); 24] = shipped!(
    "zh" / "text",
    "zh" / "markdown",
    "zh" / "markdown_v2",
    "zh" / "textcard",
    "zh" / "news",
    "zh" / "card",
    "en" / "text",
    "en" / "markdown",
    "en" / "markdown_v2",
    "en" / "textcard",
    "en" / "news",
    "en" / "card",
    "zh" / "digest_text",
    "zh" / "digest_markdown",
    "zh" / "digest_markdown_v2",
    "zh" / "digest_textcard",
    "zh" / "digest_news",
    "zh" / "digest_card",
    "en" / "digest_text",
    "en" / "digest_markdown",
    "en" / "digest_markdown_v2",
    "en" / "digest_textcard",
    "en" / "digest_news",
    "en" / "digest_card",
);

/// Name and text of each shipped template that one of the user's can take the place of: `zh/news`.
pub fn shipped() -> Vec<(&'static str, &'static str)> {
    SHIPPED.into_iter().filter(|(name, _)| !name.contains("/digest_")).collect()
}

/// The dialect of a face.
pub(super) const fn dialect(face: Face) -> Dialect {
    match face {
        Face::Markdown => Dialect::Markdown,
        Face::MarkdownV2 => Dialect::MarkdownV2,
        Face::Text | Face::Textcard | Face::News | Face::Card => Dialect::Plain,
    }
}

impl Engine {
    /// Compiles all templates; user templates that do not compile are reported and left out.
    pub(super) fn compile(user: &[TemplateFile]) -> (Self, Vec<TemplateProblem>) {
        let mut engine = Self {
            plain: environment(Dialect::Plain),
            markdown: environment(Dialect::Markdown),
            markdown_v2: environment(Dialect::MarkdownV2),
            user: user.iter().map(|file| (file.name.clone(), display(&file.path))).collect(),
            broken: Vec::new(),
        };
        for (name, source) in SHIPPED {
            for environment in engine.environments() {
                environment.add_template(name, source).expect("the shipped templates compile");
            }
        }
        for file in user {
            if let Err(problem) = engine.add(file).and_then(|()| engine.check_names(file, user)) {
                engine.broken.push((file.name.clone(), problem));
            }
        }
        let problems = engine.broken.iter().map(|(_, problem)| problem.clone()).collect();
        (engine, problems)
    }

    fn environments(&mut self) -> [&mut Environment<'static>; 3] {
        [&mut self.plain, &mut self.markdown, &mut self.markdown_v2]
    }

    fn add(&mut self, file: &TemplateFile) -> Result<(), TemplateProblem> {
        let path = display(&file.path);
        if file.source.len() > SOURCE_BYTES {
            let bytes = file.source.len();
            let reason = told!(
                "模板有 {bytes} 字节，上限 {SOURCE_BYTES}，请精简",
                "the template has {bytes} bytes, at most {SOURCE_BYTES}: shorten it"
            );
            return Err(TemplateProblem { template: path, line: None, column: None, reason });
        }
        if let Some(line) = nesting::of_template(&file.source) {
            let reason = told!(
                "一个表达式里的运算符（或一个模板里的 elif）超过 {DEEPEST} 个，请拆开",
                "more than {DEEPEST} operators in one expression, or more `elif` in one template: divide it"
            );
            return Err(TemplateProblem { template: path, line: Some(line), column: None, reason });
        }
        for environment in self.environments() {
            environment
                .add_template_owned(file.name.clone(), file.source.clone())
                .map_err(|error| problem(&path, &error, Some(&file.source)))?;
        }
        Ok(())
    }

    /// A name that does not exist is an error wherever it stands, also where no sample leads.
    fn check_names(&self, file: &TemplateFile, all: &[TemplateFile]) -> Result<(), TemplateProblem> {
        let Ok(template) = self.plain.get_template(&file.name) else { return Ok(()) };
        let used: Vec<String> = template.undeclared_variables(false).into_iter().collect();
        let known = |name: &str| {
            self.plain.globals().any(|(global, _)| global == name)
                || all.iter().any(|file| super::variables::sets(&file.source, name))
        };
        let Some(unknown) = super::variables::unknown(&file.source, &used, known) else { return Ok(()) };
        let name = &unknown.name;
        let (zh, en) = match unknown.nearest {
            Some(nearest) => (format!("，是不是 `{nearest}`？"), format!(": did you mean `{nearest}`?")),
            None => ("，可用的见 docs/templates.md".to_owned(), "; docs/templates.en.md lists them".to_owned()),
        };
        Err(TemplateProblem {
            template: display(&file.path),
            line: Some(unknown.line),
            column: Some(unknown.column),
            reason: Words::from((format!("没有名为 `{name}` 的变量{zh}"), format!("no such variable `{name}`{en}"))),
        })
    }

    fn environment(&self, face: Face) -> &Environment<'static> {
        match dialect(face) {
            Dialect::Plain => &self.plain,
            Dialect::Markdown => &self.markdown,
            Dialect::MarkdownV2 => &self.markdown_v2,
        }
    }

    /// The most specific user template under `name` for this face and language. If there is none, or it did not
    /// compile, the shipped one.
    pub(super) fn find(&self, name: Option<&str>, face: Face, language: Language) -> Chosen<'_> {
        let environment = self.environment(face);
        let (language, face) = (language.as_str(), face.as_str());
        let shipped = format!("{language}/{face}");
        let mut broken = None;
        let user = name.and_then(|name| {
            [
                format!("{name}.{language}.{face}"),
                format!("{name}.{face}"),
                format!("{name}.{language}"),
                name.to_owned(),
            ]
            .into_iter()
            .find(|candidate| {
                let found = self.broken.iter().find(|(name, _)| name == candidate);
                broken = broken.or(found);
                found.is_none() && environment.get_template(candidate).is_ok()
            })
        });
        let path = user.as_ref().map(|user| self.path(user));
        Chosen { environment, name: user.unwrap_or(shipped), path, broken: broken.map(|(_, problem)| problem) }
    }

    /// The shipped template for digests.
    pub(super) fn digest(&self, face: Face, language: Language) -> Chosen<'_> {
        let name = format!("{}/digest_{}", language.as_str(), face.as_str());
        Chosen { environment: self.environment(face), name, path: None, broken: None }
    }

    fn path(&self, name: &str) -> String {
        self.user.iter().find(|(known, _)| known == name).map_or_else(|| name.to_owned(), |(_, path)| path.clone())
    }

    /// The names by which receivers may ask for the user's templates.
    pub(super) fn user_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> =
            self.user.iter().map(|(name, _)| name.split('.').next().unwrap_or_default()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// The template for a letter.
pub(super) struct Chosen<'a> {
    environment: &'a Environment<'static>,
    name: String,
    /// `None` for a shipped template.
    pub(super) path: Option<String>,
    /// Why the user's template that would have been chosen was not.
    pub(super) broken: Option<&'a TemplateProblem>,
}

impl Chosen<'_> {
    /// The problem of a message that does not say `essence`.
    pub(super) fn lacks(&self, essence: Essence) -> TemplateProblem {
        TemplateProblem {
            template: self.path.clone().unwrap_or_else(|| self.name.clone()),
            line: None,
            column: None,
            reason: essence.is_missing(),
        }
    }

    /// Runs the template: its whole output for no `blocks`, else each of them; a missing block is `None`.
    pub(super) fn run(&self, blocks: &[&str], context: Value) -> Result<Vec<Option<String>>, TemplateProblem> {
        self.try_run(blocks, context).map_err(|error| {
            // In what it includes or extends, the line is one of that template.
            let template = error.name().and_then(|name| self.environment.get_template(name).ok());
            let source = template.as_ref().map(minijinja::Template::source);
            problem(self.path.as_deref().unwrap_or(&self.name), &error, source)
        })
    }

    fn try_run(&self, blocks: &[&str], context: Value) -> Result<Vec<Option<String>>, Error> {
        let template = self.environment.get_template(&self.name)?;
        if blocks.is_empty() {
            return Ok(vec![Some(bounded(template.render(context)?)?)]);
        }
        let mut captured = template.render_captured(context)?;
        blocks
            .iter()
            .map(|block| match captured.with_state_mut(|state| state.render_block(block)) {
                Ok(text) => bounded(text).map(Some),
                Err(error) if error.kind() == ErrorKind::UnknownBlock => Ok(None),
                Err(error) => Err(error),
            })
            .collect()
    }
}

fn bounded(output: String) -> Result<String, Error> {
    if output.len() <= OUTPUT_BYTES {
        return Ok(output);
    }
    Err(too_much(OUTPUT_BYTES))
}

fn too_much(allowed: usize) -> Error {
    Error::new(ErrorKind::WriteFailure, format!("printed more than the {allowed} bytes that are allowed"))
}

fn display(path: &Path) -> String {
    path.display().to_string()
}

/// `source`: the text in which it happened.
fn problem(template: &str, error: &Error, source: Option<&str>) -> TemplateProblem {
    let hint = match error.kind() {
        ErrorKind::OutOfFuel => words("模板运行步数太多：减少循环", "too many steps: loop less"),
        ErrorKind::WriteFailure => words("模板输出太长", "too much output"),
        ErrorKind::UndefinedError => {
            words("用了不存在的变量，可用的见 docs/templates.md", "no such variable; docs/templates.en.md lists them")
        }
        ErrorKind::UnknownFilter | ErrorKind::UnknownFunction | ErrorKind::UnknownTest => words(
            "没有这个函数或过滤器，可用的见 docs/templates.md",
            "no such function or filter; docs/templates.en.md lists them",
        ),
        ErrorKind::TemplateNotFound => {
            words("被引用的模板不在 templates 里", "the included template is not among `templates`")
        }
        ErrorKind::SyntaxError => words("模板语法有误", "the template's syntax is wrong"),
        _ => words("模板出错", "the template failed"),
    };
    // The library's own words are English.
    let detail =
        error.detail().map_or_else(|| error.kind().to_string(), |detail| format!("{}: {detail}", error.kind()));
    let Words { zh, en } = &hint;
    let reason = Words::from((format!("{zh}（{detail}）"), format!("{en} ({detail})")));
    let before = source.zip(error.range()).and_then(|(source, range)| source.get(..range.start));
    let column = before.map(|before| before.rsplit('\n').next().unwrap_or_default().chars().count() + 1);
    TemplateProblem { template: template.to_owned(), line: error.line(), column, reason }
}

fn environment(dialect: Dialect) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(RECURSION);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_debug(false);
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.expect("only blanks were configured"));
    // With any escaping but `None` the engine keeps track of which strings are markup already.
    environment.set_auto_escape_callback(|_| AutoEscape::Custom("wecom".into()));
    environment.set_formatter(move |out, _, value| print(out, value, dialect));
    // Filters that declare text safe, or show undocumented variables.
    for filter in ["safe", "escape", "e", "tojson", "pprint"] {
        environment.remove_filter(filter);
    }
    environment.remove_global("debug");
    bound_filters(&mut environment);
    add_markup(&mut environment, dialect);
    environment
}

/// Lets the filters that go through a list refuse long ones: their steps are not charged, and a list may be a hundred
/// million times the same.
fn bound_filters(environment: &mut Environment<'static>) {
    macro_rules! bounded {
        ($($name:ident),*) => {$(
            // With a blank before the name, by which no template can call it.
            let unbounded = concat!(" ", stringify!($name));
            environment.add_filter(unbounded, minijinja::filters::$name);
            environment.add_filter(stringify!($name), move |state: &mut State<'_, '_>, given: Rest<Value>| {
                match given.first().and_then(Value::len) {
                    Some(length) if length > FILTERED => Err(too_much(LIST_BYTES)),
                    _ => state.apply_filter(unbounded, &given),
                }
            });
        )*};
    }
    bounded!(
        batch, chain, dictsort, groupby, items, join, list, map, max, min, reject, rejectattr, reverse, select,
        selectattr, slice, sort, sum, unique, zip
    );
}

fn print(out: &mut minijinja::Output<'_>, value: &Value, dialect: Dialect) -> Result<(), Error> {
    if value.is_undefined() || value.is_none() {
        return Ok(());
    }
    match value.as_str() {
        Some(text) if value.is_safe() => out.write_str(text)?,
        _ => out.write_str(&neutral::neutral(&written(value)?, dialect))?,
    }
    Ok(())
}

/// The printed form of `text`: itself if it is markup already.
fn printed(text: &Value, dialect: Dialect) -> Result<String, Error> {
    Ok(match text.as_str() {
        Some(text_) if text.is_safe() => text_.to_owned(),
        _ => neutral::neutral(&neutral::one_line(&written(text)?), dialect).into_owned(),
    })
}

/// `value` as text. A list may contain another one twice and that one a third: sixty of them fit into one line of a
/// template and would take years to print, so a list ends at [`LIST_BYTES`].
fn written(value: &Value) -> Result<Cow<'_, str>, Error> {
    if let Some(text) = value.as_str() {
        return Ok(Cow::Borrowed(text));
    }
    let mut list = AsMuchAsFits(String::new());
    if !is_short(value, &mut LIST_BYTES.clone(), DEPTH) {
        return Err(too_much(LIST_BYTES));
    }
    write!(list, "{value}").map_err(|_| too_much(LIST_BYTES))?;
    Ok(Cow::Owned(list.0))
}

/// Has `value` at most `left` items, its own and theirs, in at most `depth` lists? The engine goes through all items of a
/// list although printing has failed, and `[1] * 100000000` is one. An item takes at least a byte.
fn is_short(value: &Value, left: &mut usize, depth: usize) -> bool {
    let Some(rest) = left.checked_sub(1) else { return false };
    *left = rest;
    let is_map = value.kind() == ValueKind::Map;
    // What has no length is told as such, and reading it would use it up.
    if value.len().is_none() || !(is_map || matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable)) {
        return true;
    }
    let (Some(depth), Ok(mut items)) = (depth.checked_sub(1), value.try_iter()) else { return false };
    items.all(|item| {
        let inside = if is_map { value.get_item(&item).ok() } else { None };
        is_short(&inside.unwrap_or(item), left, depth)
    })
}

/// Accepts at most [`LIST_BYTES`].
struct AsMuchAsFits(String);

impl std::fmt::Write for AsMuchAsFits {
    fn write_str(&mut self, more: &str) -> std::fmt::Result {
        if self.0.len() + more.len() > LIST_BYTES {
            return Err(std::fmt::Error);
        }
        self.0.push_str(more);
        Ok(())
    }
}

fn add_markup(environment: &mut Environment<'static>, dialect: Dialect) {
    environment.add_function("link", move |state: &State<'_, '_>, text: Value, url: &str| {
        let tags = state.lookup("hyperlinks").is_some_and(|tags| tags.is_true());
        link(&text, url, dialect, tags)
    });
    environment.add_function("bold", move |text: Value| {
        let text = printed(&text, dialect)?;
        let bold = dialect != Dialect::Plain && !text.is_empty();
        Ok::<_, Error>(Value::from_safe_string(if bold { format!("**{text}**") } else { text }))
    });
    environment.add_function("code", move |text: Value| {
        let text = printed(&text, dialect)?;
        let code = dialect != Dialect::Plain && !text.is_empty();
        Ok::<_, Error>(Value::from_safe_string(if code { format!("`{text}`") } else { text }))
    });
    environment.add_function("colored", move |text: Value, color: &str| {
        let text = printed(&text, dialect)?;
        let known = matches!(color, "info" | "comment" | "warning");
        Ok::<_, Error>(Value::from_safe_string(if dialect == Dialect::Markdown && known && !text.is_empty() {
            format!("<font color=\"{color}\">{text}</font>")
        } else {
            text
        }))
    });
    environment
        .add_function("table", move |columns: Value, rows: Value| table(&items(&columns)?, &items(&rows)?, dialect));
    environment.add_function("fenced", move |lines: Value| fenced(&items(&lines)?, dialect));
    environment.add_filter("cut", |text: &str, length: usize| super::fit::cut_chars(text, length).into_owned());
    environment.add_filter("one_line", |text: &str| neutral::one_line(text));
}

/// A link in words; in the plain faces the words and the bare address, or a tag where the channel takes one. Only the
/// words if the address is not safe for people.
fn link(text: &Value, url: &str, dialect: Dialect, tags: bool) -> Result<Value, Error> {
    let words = printed(text, dialect)?;
    let Some(url) = safe_url(url) else { return Ok(Value::from_safe_string(words)) };
    Ok(Value::from_safe_string(match dialect {
        Dialect::Plain if words.is_empty() => url,
        Dialect::Plain => plain_link(&words, &url, tags),
        Dialect::Markdown | Dialect::MarkdownV2 => {
            let words = if words.is_empty() { "→".to_owned() } else { words.replace('[', "［").replace(']', "］") };
            format!("[{words}]({url})")
        }
    }))
}

/// The items of a list; more than a message could hold are an error. A list may be a hundred million times the same, for
/// which nothing was charged so far.
fn items(list: &Value) -> Result<Vec<Value>, Error> {
    let items: Vec<Value> = list.try_iter()?.take(ITEMS + 1).collect();
    if items.len() > ITEMS { Err(too_much(LIST_BYTES)) } else { Ok(items) }
}

/// Lines of a log: as a block of code in the second edition of markdown, elsewhere as they are.
fn fenced(lines: &[Value], dialect: Dialect) -> Result<Value, Error> {
    let mut lines = lines.iter().map(|line| printed(line, dialect)).collect::<Result<Vec<_>, _>>()?;
    if dialect == Dialect::MarkdownV2 && !lines.is_empty() {
        lines.insert(0, "```".to_owned());
        lines.push("```".to_owned());
    }
    Ok(Value::from_safe_string(lines.join("\n")))
}

/// A table in the second edition of markdown; elsewhere a line for each row, without titles.
fn table(columns: &[Value], rows: &[Value], dialect: Dialect) -> Result<Value, Error> {
    let v2 = dialect == Dialect::MarkdownV2;
    let line = |cells: &[Value]| -> Result<String, Error> {
        let cells = cells.iter().map(|cell| printed(cell, dialect)).collect::<Result<Vec<_>, _>>()?;
        Ok(if v2 { format!("| {} |", cells.join(" | ")) } else { cells.join(" ").trim().to_owned() })
    };
    let mut lines = Vec::with_capacity(rows.len() + 4);
    if v2 {
        // What is compared stands at the right.
        let rule = if columns.len() == 2 { "---|---:|".to_owned() } else { "---|".repeat(columns.len()) };
        lines.extend([String::new(), line(columns)?, format!("|{rule}")]);
    }
    for row in rows {
        lines.push(line(&items(row)?)?);
    }
    if v2 {
        lines.push(String::new());
    }
    Ok(Value::from_safe_string(lines.join("\n")))
}
