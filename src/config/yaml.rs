//! YAML to values, without stopping at the first mistake.
//!
//! serde stops where the first value does not fit. A person who edits a file wants all mistakes at once, so the text
//! becomes a tree that knows its places (the one call of serde-saphyr), and the tree is a serde deserializer of its
//! own: a value in an [`At`](super::at::At) that does not fit is reported and left out, an unknown key is reported and
//! skipped, and reading continues.

use std::cell::RefCell;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::DuplicateKeyPolicy;
use serde_saphyr::{Location, Spanned};

use super::finding::{Findings, Place};
use super::fullwidth;
use super::reader::Reader;

/// Nesting of the file; ours needs 10, a tree of routes one for each level. Protects the stack.
const DEPTH: usize = 60;

/// The file of the configuration itself.
pub(super) fn read_main<T: for<'de> Deserialize<'de>>(text: &str, findings: &mut Findings) -> Option<T> {
    read_as(text, findings, true)
}

/// Reads `text` as a `T`. `None` if the text is not YAML or has nothing of a `T`; misfits are reported in `findings`.
pub(super) fn read<T: for<'de> Deserialize<'de>>(text: &str, findings: &mut Findings) -> Option<T> {
    read_as(text, findings, false)
}

fn read_as<T: for<'de> Deserialize<'de>>(text: &str, findings: &mut Findings, outermost: bool) -> Option<T> {
    let tree = tree(text, findings)?;
    // A list of people may well be the whole of another file.
    let root = match &tree.value {
        _ if !outermost => None,
        Value::Null => Some(("文件是空的", "the file is empty")),
        Value::List(_) => {
            Some(("最外层应是键值对，写的是列表", "the outermost level has to be keys with values, not a list"))
        }
        Value::Scalar { .. } => {
            Some(("最外层应是键值对，写的是文字", "the outermost level has to be keys with values, not a text"))
        }
        Value::Map(_) => None,
    };
    if let Some(wrong) = root {
        let start =
            ("运行 wegraf init，或从 wegraf init --print 开始", "run wegraf init, or begin with wegraf init --print");
        findings.mistake(tree.place, wrong, start);
        return None;
    }
    note_quotes(&tree, findings);
    let list = RefCell::new(std::mem::take(findings));
    let value = T::deserialize(Reader { node: &tree, list: &list }).ok();
    *findings = list.into_inner();
    value
}

/// The tree of `text`. `None` if it is not YAML, which is reported.
pub(super) fn tree(text: &str, findings: &mut Findings) -> Option<Node> {
    let options = serde_saphyr::options! {
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        strict_booleans: true,
        with_snippet: false,
        budget: serde_saphyr::budget! { max_depth: DEPTH },
    };
    match serde_saphyr::from_str_with_options::<Spanned<Raw>>(text, options) {
        Ok(tree) => Some(Node::new(tree, text, None)),
        Err(error) => {
            syntax(&error, text, findings);
            None
        }
    }
}

/// Reports a value in full-width quotes, which are a part of it. The value is not repeated: it may be secret.
fn note_quotes(node: &Node, findings: &mut Findings) {
    match &node.value {
        Value::Scalar { text, .. } if fullwidth::is_wrapped(text) => findings.note(
            node.place,
            ("值的两端是全角引号，它们成了值的一部分", "the value stands in full-width quotes, which are a part of it"),
            ("换成半角引号 \" 或 '", "write half-width quotes: \" or '"),
        ),
        Value::Null | Value::Scalar { .. } => {}
        Value::List(values) => values.iter().for_each(|value| note_quotes(value, findings)),
        Value::Map(entries) => entries.iter().for_each(|(_, value)| note_quotes(value, findings)),
    }
}

/// A text that is not YAML. Only our text and the parser's: a snippet could show a secret.
fn syntax(error: &serde_saphyr::Error, text: &str, findings: &mut Findings) {
    let place = error.location().map(Place::from).unwrap_or_default();
    let error = error.without_snippet();
    if let serde_saphyr::Error::UnknownAnchor { .. } = error {
        findings.mistake(
            place,
            (
                "`*` 开头的值在 YAML 里是引用，但没有这个锚点",
                "a value that begins with `*` is a YAML alias, and there is no such anchor",
            ),
            ("把值放进引号", "put the value in quotes"),
        );
        return;
    }
    if let Some((line, (reason, remedy))) =
        fullwidth::line_with_colon(text).and_then(|(line, start)| Some((line, fullwidth::in_key(start)?)))
    {
        let column =
            text.lines().nth(line - 1).map_or(0, |line| line.chars().take_while(|c| c.is_whitespace()).count());
        let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        findings.mistake(Place { line: number(line), column: number(column + 1) }, reason, remedy);
        return;
    }
    let numbered = |line: usize, column: usize| {
        let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Place { line: number(line), column: number(column) }
    };
    let tab = text.lines().position(|line| line.trim_start_matches(' ').starts_with('\t') && !line.trim().is_empty());
    if let Some(line) = tab {
        findings.mistake(
            numbered(line + 1, 1),
            ("这一行用 Tab 缩进，YAML 不允许", "this line is indented with a tab, which YAML does not allow"),
            ("换成空格，每层两个", "use spaces, two for each level"),
        );
        return;
    }
    let near = usize::try_from(place.line).unwrap_or_default();
    let mut lines = [near, near.saturating_sub(1)].into_iter().filter(|line| *line > 0);
    let odd = lines.find_map(|line| Some((line, fullwidth::in_line(text.lines().nth(line - 1)?)?)));
    if let Some((line, (column, (reason, remedy)))) = odd {
        findings.mistake(numbered(line, column), reason, remedy);
        return;
    }
    let reason = match error {
        serde_saphyr::Error::Message { msg, .. } => msg.clone(),
        other => other.to_string(),
    };
    // The place is given once, in front.
    let reason = reason.split(" at line ").next().unwrap_or_default();
    findings.mistake(
        place,
        (format!("不是正确的 YAML：{}", in_chinese(reason)), format!("this is not valid YAML: {reason}")),
        (
            "检查缩进（只用空格）、冒号后的空格和引号是否成对",
            "check the indentation (spaces only), the space after each colon, and that quotes are closed",
        ),
    );
}

/// What the parser says, in Chinese as far as its sentences are known.
fn in_chinese(reason: &str) -> &str {
    const KNOWN: [(&str, &str); 8] = [
        ("mapping values are not allowed", "这里不能再有“键: 值”：多半是缩进比上一行深了，或值里有冒号而没加引号"),
        ("unclosed bracket", "方括号或花括号没有闭合"),
        ("unclosed quote", "引号没有闭合"),
        ("did not find expected ',' or", "括号里少了逗号，或没有闭合"),
        ("did not find expected key", "这里应是一个键：缩进和上面的不齐"),
        ("did not find expected '-'", "这里应是列表的 “- ”：缩进和上面的不齐"),
        ("found character that cannot start any token", "这个字符不能出现在值的开头，请加引号"),
        ("did not find expected", "写法不完整"),
    ];
    KNOWN.iter().find(|(english, _)| reason.contains(english)).map_or(reason, |(_, chinese)| chinese)
}

impl From<Location> for Place {
    fn from(location: Location) -> Self {
        let number = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        Self { line: number(location.line()), column: number(location.column()) }
    }
}

/// A value from serde-saphyr.
enum Raw {
    Null,
    Bool(bool),
    Integer(i64),
    Unsigned(u64),
    Float(f64),
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<Raw>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Raw;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }
            fn visit_unit<E>(self) -> Result<Raw, E> {
                Ok(Raw::Null)
            }
            fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
                Ok(Raw::Bool(value))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
                Ok(Raw::Integer(value))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
                Ok(Raw::Unsigned(value))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
                Ok(Raw::Float(value))
            }
            fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
                Ok(Raw::Text(value.to_owned()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Raw, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = list.next_element()? {
                    values.push(value);
                }
                Ok(Raw::List(values))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Raw::Map(entries))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// A value and its place. A map or list that is the value of a key has the key's place: that is what a person looks
/// for, and its first line may be far below.
pub(super) struct Node {
    pub place: Place,
    pub value: Value,
}

pub(super) enum Value {
    Null,
    /// A value on one line; `plain` is its meaning without quotes, `text` its written form.
    Scalar {
        plain: Plain,
        text: String,
    },
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

#[derive(Clone, Copy)]
pub(super) enum Plain {
    Text,
    Bool(bool),
    Integer(i64),
    Unsigned(u64),
    Float(f64),
}

impl Node {
    fn new(raw: Spanned<Raw>, source: &str, key: Option<Place>) -> Self {
        let own = Place::from(raw.referenced);
        let scalar = |plain: Plain| Value::Scalar { plain, text: written(raw.defined, source).trim().to_owned() };
        let (value, place) = match raw.value {
            Raw::Null => (Value::Null, key.unwrap_or(own)),
            Raw::Bool(value) => (scalar(Plain::Bool(value)), own),
            Raw::Integer(value) => (scalar(Plain::Integer(value)), own),
            Raw::Unsigned(value) => (scalar(Plain::Unsigned(value)), own),
            Raw::Float(value) => (scalar(Plain::Float(value)), own),
            Raw::Text(text) => (Value::Scalar { plain: Plain::Text, text }, own),
            Raw::List(values) => {
                let values = values.into_iter().map(|value| Self::new(value, source, None)).collect();
                (Value::List(values), key.unwrap_or(own))
            }
            Raw::Map(entries) => {
                let entry = |(key, value): (Spanned<Raw>, Spanned<Raw>)| {
                    let key = Self::new(key, source, None);
                    let value = Self::new(value, source, Some(key.place));
                    (key, value)
                };
                (Value::Map(entries.into_iter().map(entry).collect()), key.unwrap_or(own))
            }
        };
        Self { place, value }
    }

    pub fn text(&self) -> &str {
        match &self.value {
            Value::Scalar { text, .. } => text,
            Value::Null | Value::List(_) | Value::Map(_) => "",
        }
    }
}

/// The written text, so that `0123` or `1e5` stays unchanged where a text is expected.
fn written(location: Location, source: &str) -> &str {
    let span = location.span();
    let (Some(start), Some(length)) = (span.byte_offset(), span.byte_len()) else { return "" };
    let (Ok(start), Ok(length)) = (usize::try_from(start), usize::try_from(length)) else { return "" };
    source.get(start..start.saturating_add(length)).unwrap_or_default()
}
