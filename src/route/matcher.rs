//! One condition on a label, in Alertmanager's syntax.
//!
//! Alertmanager reads a matcher with two parsers, a classic and a UTF-8 one, and takes the classic meaning where
//! both understand it. This is their union: names as in UTF-8 (quoted or bare), values with the classic escapes
//! (`\\`, `\"`, `\n`; any other backslash stays, so that `"db\.example"` is the pattern it looks like). Refused,
//! although the classic parser takes them for text: `==`, single quotes, braces and stray quotes in a bare value.

mod words;

use std::collections::BTreeSet;
use std::fmt;

use ecow::EcoString;
use regex::{Regex, RegexBuilder};

use crate::alert::Labels;
use crate::words::told;

/// Bytes of a compiled pattern; a bomb like `(a{1000}){1000}` needs more.
const PATTERN_BYTES: usize = 1 << 20;
/// Nesting of a pattern.
const PATTERN_DEPTH: u32 = 64;

/// How a label is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`
    Match,
    /// `!~`
    NotMatch,
}

impl Operator {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Match => "=~",
            Self::NotMatch => "!~",
        }
    }
}

/// A condition on one label. A label that is absent counts as empty.
#[derive(Debug, Clone)]
pub struct Matcher {
    name: String,
    operator: Operator,
    value: String,
    /// The value, anchored at both ends; only for `=~` and `!~`.
    pattern: Option<Regex>,
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, self.operator, &self.value) == (&other.name, other.operator, &other.value)
    }
}

impl Matcher {
    /// A matcher; fails if the value of `=~` or `!~` is no pattern or too large a one.
    pub fn new(name: &str, operator: Operator, value: &str) -> Result<Self, regex::Error> {
        let pattern = match operator {
            Operator::Equal | Operator::NotEqual => None,
            Operator::Match | Operator::NotMatch => Some(anchored(value)?),
        };
        Ok(Self { name: name.to_owned(), operator, value: value.to_owned(), pattern })
    }

    /// The name of the label.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it is compared.
    pub const fn operator(&self) -> Operator {
        self.operator
    }

    /// With what it is compared: a value, or the text of a pattern.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The values that it names, if they are at most `most`: one, or the words of a pattern like `db|infra`.
    pub fn words(&self, most: usize) -> Option<BTreeSet<String>> {
        match self.operator {
            Operator::Equal | Operator::NotEqual => Some([self.value.clone()].into()),
            Operator::Match | Operator::NotMatch => words::of(&self.value, most),
        }
    }

    /// Is `value` the one that it names, or matched by its pattern? Whether that is wanted is the operator's.
    pub fn finds(&self, value: &str) -> bool {
        match &self.pattern {
            Some(pattern) => pattern.is_match(value),
            None => self.value == value,
        }
    }

    /// Do these labels fulfil the condition?
    pub fn matches(&self, labels: &Labels) -> bool {
        let found = self.finds(labels.get(&self.name).map_or("", EcoString::as_str));
        found == matches!(self.operator, Operator::Equal | Operator::Match)
    }
}

/// The pattern for a whole value. It is compiled alone first: `a)|(b` must not slip through the brackets.
fn anchored(value: &str) -> Result<Regex, regex::Error> {
    let compile = |pattern: &str| {
        RegexBuilder::new(pattern)
            .size_limit(PATTERN_BYTES)
            .dfa_size_limit(PATTERN_BYTES)
            .nest_limit(PATTERN_DEPTH)
            .build()
    };
    compile(value)?;
    compile(&format!("^(?:{value})$"))
}

impl fmt::Display for Matcher {
    /// As it may be written in the configuration; parsing it gives the same matcher.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_matcher(&self.name, self.operator, &self.value, f)
    }
}

/// Writes a matcher: the value in double quotes, the name too where it could not be read without.
pub fn write_matcher(name: &str, operator: Operator, value: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let bare = !name.is_empty() && !name.contains(|letter: char| ends_name(letter) || letter == '\\');
    if bare {
        f.write_str(name)?;
    } else {
        quote(name, f)?;
    }
    f.write_str(operator.as_str())?;
    quote(value, f)
}

fn quote(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

/// Why a text is no matcher, and how to write it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    /// Which character is wrong, from 1.
    pub position: usize,
    /// Reason, Chinese.
    pub zh: String,
    /// Reason, English.
    pub en: String,
    /// What to write instead, Chinese.
    pub remedy_zh: String,
    /// What to write instead, English.
    pub remedy_en: String,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { position, zh, en, remedy_zh, remedy_en } = self;
        told!("第 {position} 个字符：{zh} → {remedy_zh}", "character {position}: {en} → {remedy_en}").fmt(f)
    }
}

impl std::error::Error for SyntaxError {}

/// The matchers of one text: one, or several between commas, with or without braces. `{}` is none.
pub fn parse_matchers(text: &str) -> Result<Vec<Matcher>, SyntaxError> {
    let mut parser = Parser { letters: text.chars().collect(), at: 0, braces: false };
    parser.list()
}

/// The label name at the beginning of what a person typed on a command line, bare or in double quotes, and what follows it
/// from the operator on. `None` if there is no name.
pub fn label_name(text: &str) -> Option<(String, &str)> {
    let text = text.trim_start();
    if text.starts_with('"') {
        let (name, rest) = quoted_text(text)?;
        return (!name.is_empty()).then_some((name, rest.trim_start()));
    }
    let at = text.find(['=', '!'])?;
    let (name, rest) = (text[..at].trim_end(), &text[at..]);
    (!name.is_empty() && !name.contains('"')).then(|| (name.to_owned(), rest))
}

/// The text in double quotes at the beginning of `text`, and what follows it. `None` without both quotes.
pub fn quoted_text(text: &str) -> Option<(String, &str)> {
    let mut parser = Parser { letters: text.chars().collect(), at: 0, braces: false };
    let quoted = (parser.peek() == Some('"')).then(|| parser.quoted().ok()).flatten()?;
    let rest = text.char_indices().nth(parser.at).map_or("", |(at, _)| &text[at..]);
    Some((quoted, rest))
}

/// Ends a bare label name: the characters that Alertmanager reserves, and white space.
fn ends_name(letter: char) -> bool {
    letter.is_whitespace() || matches!(letter, '{' | '}' | '!' | '=' | '~' | ',' | '"' | '\'' | '`')
}

struct Parser {
    letters: Vec<char>,
    at: usize,
    braces: bool,
}

impl Parser {
    fn list(&mut self) -> Result<Vec<Matcher>, SyntaxError> {
        self.skip_space();
        self.braces = self.eat('{');
        let mut matchers = Vec::new();
        loop {
            self.skip_space();
            // A comma may end the list, as in Alertmanager.
            if self.at_end() && (self.braces || !matchers.is_empty()) {
                break;
            }
            matchers.push(self.matcher()?);
            self.skip_space();
            if !self.eat(',') {
                break;
            }
        }
        self.close()?;
        Ok(matchers)
    }

    /// The closing brace, if one was opened, and nothing after it.
    fn close(&mut self) -> Result<(), SyntaxError> {
        if self.braces && !self.eat('}') {
            return Err(wrong(
                self.at,
                ("缺少右花括号 }", "the closing } is missing"),
                ("在末尾加上 }，或去掉 {", "add } at the end, or drop the {"),
            ));
        }
        self.skip_space();
        match self.peek() {
            None => Ok(()),
            Some(letter) => Err(wrong(
                self.at,
                (&format!("多余的 {letter}"), &format!("unexpected {letter}")),
                ("多个条件之间用逗号分隔，值放在双引号里", "put commas between matchers and values in double quotes"),
            )),
        }
    }

    fn matcher(&mut self) -> Result<Matcher, SyntaxError> {
        let name = self.name()?;
        self.skip_space();
        let operator = self.operator()?;
        self.skip_space();
        let start = self.at;
        let value = self.value()?;
        Matcher::new(&name, operator, &value).map_err(|error| bad_pattern(start, &error))
    }

    fn name(&mut self) -> Result<String, SyntaxError> {
        let start = self.at;
        let name = if self.peek() == Some('"') { self.quoted()? } else { self.take_until(ends_name) };
        if name.is_empty() {
            return Err(wrong(
                start,
                ("这里应是标签名", "a label name is expected here"),
                ("例如 severity=\"critical\"", "for example severity=\"critical\""),
            ));
        }
        Ok(name)
    }

    fn operator(&mut self) -> Result<Operator, SyntaxError> {
        let start = self.at;
        let next = (self.peek(), self.letters.get(self.at + 1).copied());
        let (operator, length) = match next {
            (Some('='), Some('~')) => (Operator::Match, 2),
            (Some('!'), Some('=')) => (Operator::NotEqual, 2),
            (Some('!'), Some('~')) => (Operator::NotMatch, 2),
            (Some('='), after) if after != Some('=') => (Operator::Equal, 1),
            _ => {
                return Err(wrong(
                    start,
                    ("标签名后应是 =、!=、=~ 或 !~", "=, !=, =~ or !~ is expected after the label name"),
                    ("例如 team=~\"db|infra\"", "for example team=~\"db|infra\""),
                ));
            }
        };
        self.at += length;
        Ok(operator)
    }

    fn value(&mut self) -> Result<String, SyntaxError> {
        if self.peek() == Some('"') {
            return self.quoted();
        }
        let start = self.at;
        let raw = self.take_until(|letter| matches!(letter, ',' | '{' | '}' | '"' | '\'' | '`'));
        match self.peek() {
            Some('}') if self.braces => {}
            Some(letter @ ('{' | '}' | '"' | '\'' | '`')) => {
                return Err(wrong(
                    self.at,
                    (
                        &format!("没有双引号的值里不能有 {letter}"),
                        &format!("a value without double quotes cannot hold {letter}"),
                    ),
                    ("把整个值放进双引号", "put the whole value in double quotes"),
                ));
            }
            _ => {}
        }
        if raw.starts_with(['=', '~']) {
            return Err(wrong(
                start,
                ("没有双引号的值不能以 = 或 ~ 开头", "a value without double quotes cannot begin with = or ~"),
                (
                    "运算符只有 =、!=、=~、!~；值放进双引号",
                    "the operators are =, !=, =~ and !~; put the value in double quotes",
                ),
            ));
        }
        Ok(unescape(raw.trim_end()))
    }

    fn quoted(&mut self) -> Result<String, SyntaxError> {
        let start = self.at;
        self.at += 1;
        let mut raw = String::new();
        let mut escaped = false;
        while let Some(letter) = self.peek() {
            self.at += 1;
            if letter == '"' && !escaped {
                return Ok(unescape(&raw));
            }
            escaped = letter == '\\' && !escaped;
            raw.push(letter);
        }
        Err(wrong(
            start,
            ("缺少右双引号", "the closing double quote is missing"),
            ("在值后面加上 \"；值里的 \" 写成 \\\"", "add \" after the value; write \" inside it as \\\""),
        ))
    }

    fn take_until(&mut self, stop: impl Fn(char) -> bool) -> String {
        let rest = &self.letters[self.at..];
        let text: String = rest.iter().take_while(|&&letter| !stop(letter)).collect();
        self.at += text.chars().count();
        text
    }

    fn peek(&self) -> Option<char> {
        self.letters.get(self.at).copied()
    }

    fn eat(&mut self, letter: char) -> bool {
        let found = self.peek() == Some(letter);
        self.at += usize::from(found);
        found
    }

    fn at_end(&self) -> bool {
        self.peek().is_none() || self.braces && self.peek() == Some('}')
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }
}

fn wrong(at: usize, (zh, en): (&str, &str), (remedy_zh, remedy_en): (&str, &str)) -> SyntaxError {
    SyntaxError {
        position: at + 1,
        zh: zh.to_owned(),
        en: en.to_owned(),
        remedy_zh: remedy_zh.to_owned(),
        remedy_en: remedy_en.to_owned(),
    }
}

fn bad_pattern(start: usize, error: &regex::Error) -> SyntaxError {
    let reason = error.to_string();
    // The last line of regex's message is the reason; those before draw the pattern again.
    let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
    let (zh, en) = match error {
        regex::Error::CompiledTooBig(_) => ("正则太大".to_owned(), "the regular expression is too large".to_owned()),
        _ => (format!("正则有误：{reason}"), format!("bad regular expression: {reason}")),
    };
    wrong(
        start,
        (&zh, &en),
        (
            "RE2 语法，整值匹配；不支持环视和反向引用",
            "RE2 syntax, matched against the whole value; no look-around, no back-references",
        ),
    )
}

/// The classic escapes; a backslash before anything else is a backslash.
fn unescape(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut letters = raw.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            text.push(letter);
            continue;
        }
        match letters.next() {
            Some('"') => text.push('"'),
            Some('n') => text.push('\n'),
            Some('\\') | None => text.push('\\'),
            Some(other) => text.extend(['\\', other]),
        }
    }
    text
}
