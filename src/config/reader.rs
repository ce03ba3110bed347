//! The tree of a file as a serde deserializer that does not stop: a value in an [`At`](super::at::At) that does not fit
//! is reported and left out, an unknown key is reported and skipped.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, Expected, MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor,
};

use super::at::{AT, SEVERAL};
use super::finding::{Findings, Place, did_you_mean, nearest};
use super::fullwidth;
use super::yaml::{Node, Plain, Value};
use crate::words::Words;

/// Why a value does not fit: not reported yet, because the finder does not know the place, or already reported.
#[derive(Debug)]
pub(super) enum Misfit {
    New(Words, Words),
    Listed,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value does not fit")
    }
}

impl std::error::Error for Misfit {}

impl de::Error for Misfit {
    fn custom<T: fmt::Display>(message: T) -> Self {
        let message = message.to_string();
        Self::New((message.clone(), message).into(), Words::default())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::New(mismatch(found, expected), Words::default())
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::New(mismatch(found, expected), Words::default())
    }

    fn unknown_variant(word: &str, known: &'static [&'static str]) -> Self {
        let remedy = did_you_mean(word, known.iter().copied());
        // Repeated only if it is close to one of our words: a line in the wrong place may contain a secret.
        if nearest(word, known.iter().copied()).is_none() {
            return Self::New(("这个值不能用在这里", "this value is unknown here").into(), remedy);
        }
        Self::New((format!("不认识 `{word}`"), format!("`{word}` is unknown here")).into(), remedy)
    }

    fn missing_field(key: &'static str) -> Self {
        Self::New(
            (format!("缺少 `{key}`"), format!("`{key}` is missing")).into(),
            (format!("加上 `{key}: …`"), format!("add `{key}: …`")).into(),
        )
    }
}

/// The written value is named by its kind only: it may be secret.
fn mismatch(found: Unexpected<'_>, expected: &dyn Expected) -> Words {
    let (zh, en) = match found {
        Unexpected::Bool(_) => ("真假值", "true or false"),
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => ("整数", "an integer"),
        Unexpected::Float(_) => ("小数", "a decimal number"),
        Unexpected::Str(_) | Unexpected::Char(_) => ("文字", "a text"),
        Unexpected::Unit | Unexpected::Option => ("空值", "nothing"),
        Unexpected::Seq => ("列表", "a list"),
        Unexpected::Map => ("键值对", "a mapping"),
        _ => ("别的值", "another value"),
    };
    let expected = expected.to_string();
    let wanted = match expected.as_str() {
        "a string" => "文字",
        "a boolean" => "true 或 false",
        "a sequence" => "列表 [ … ]",
        "a mapping from names" => "名字到内容的键值对",
        text if text.starts_with("struct ") => "键值对 { … }",
        text if text.starts_with('i') || text.starts_with('u') => "整数",
        _ => &expected,
    };
    let english = match expected.as_str() {
        text if text.starts_with("struct ") => "a mapping { … }",
        "i64" => "an integer",
        "u8" => "a small integer",
        "a sequence" => "a list [ … ]",
        _ => &expected,
    };
    (format!("这里应是{wanted}，写的是{zh}"), format!("{english} is expected here, not {en}")).into()
}

/// One node, being read.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub node: &'a Node,
    pub list: &'a RefCell<Findings>,
}

impl<'a> Reader<'a> {
    fn at(self, node: &'a Node) -> Self {
        Self { node, list: self.list }
    }

    /// Reports a misfit at this place, unless it was reported.
    fn list<T>(self, result: Result<T, Misfit>) -> Result<T, Misfit> {
        if let Err(Misfit::New(reason, remedy)) = result {
            self.list.borrow_mut().mistake(self.node.place, reason, remedy);
            return Err(Misfit::Listed);
        }
        result
    }

    /// The entries of a map without repetitions of a key and, where the keys are fixed, without unknown ones.
    fn entries(self, entries: &'a [(Node, Node)], known: Option<&'static [&'static str]>) -> Entries<'a> {
        let mut seen = HashSet::new();
        let mut kept = Vec::new();
        for entry @ (key, _) in entries {
            let name = key.text();
            let unknown = known.is_some_and(|known| !known.contains(&name));
            if !seen.insert(name) {
                self.list.borrow_mut().mistake(
                    key.place,
                    (format!("`{name}` 重复了"), format!("`{name}` is given twice")),
                    ("只留一个", "keep one of them"),
                );
            } else if unknown {
                let (reason, remedy) = fullwidth::in_key(name).unwrap_or_else(|| {
                    let remedy = foreign(name, &entry.1);
                    let known = known.unwrap_or_default().iter().copied();
                    let reason = (format!("不认识的键 `{name}`"), format!("unknown key `{name}`"));
                    (reason.into(), remedy.unwrap_or_else(|| did_you_mean(name, known)))
                });
                self.list.borrow_mut().mistake(key.place, reason, remedy);
            } else {
                kept.push(entry);
            }
        }
        Entries { reader: self, left: kept.into_iter(), value: None }
    }

    fn map<V: Visitor<'a>>(self, known: Option<&'static [&'static str]>, visitor: V) -> Result<V::Value, Misfit> {
        match &self.node.value {
            Value::Map(entries) => self.list(visitor.visit_map(self.entries(entries, known))),
            _ => self.deserialize_any(visitor),
        }
    }
}

/// Keys of Alertmanager's file that have no meaning, or another name, here.
fn foreign(key: &str, value: &Node) -> Option<Words> {
    if let ("match" | "match_re", Value::Map(labels)) = (key, &value.value) {
        let operator = if key == "match" { "=" } else { "=~" };
        let matchers: Vec<String> =
            labels.iter().map(|(name, value)| format!("'{}{operator}\"{}\"'", name.text(), value.text())).collect();
        let written = format!("matchers: [{}]", matchers.join(", "));
        return Some((format!("旧写法，改成 {written}"), format!("this is the old form; write {written}")).into());
    }
    Some(match key {
        "group_by" | "group_wait" | "group_interval" => (
            "删掉：Grafana 和 Alertmanager 已经分组，wegraf 不再分组",
            "remove it: Grafana and Alertmanager have grouped already, wegraf does not group again",
        )
            .into(),
        "match" | "match_re" | "object_matchers" => (
            "写成 matchers: ['severity=\"critical\"', 'team=~\"db|infra\"']",
            "write matchers: ['severity=\"critical\"', 'team=~\"db|infra\"']",
        )
            .into(),
        "mute_time_intervals" | "active_time_intervals" | "inhibit_rules" | "time_intervals" => (
            "删掉：静默和抑制留在上游（Alertmanager、Grafana）做",
            "remove it: muting and inhibition stay upstream (Alertmanager, Grafana)",
        )
            .into(),
        _ => return None,
    })
}

impl<'de> Deserializer<'de> for Reader<'de> {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.list(match &self.node.value {
            Value::Null => visitor.visit_unit(),
            Value::Scalar { plain, text } => match *plain {
                Plain::Text => visitor.visit_str(text),
                Plain::Bool(value) => visitor.visit_bool(value),
                Plain::Integer(value) => visitor.visit_i64(value),
                Plain::Unsigned(value) => visitor.visit_u64(value),
                Plain::Float(value) => visitor.visit_f64(value),
            },
            Value::List(values) => visitor.visit_seq(Elements { reader: self, values: values.iter() }),
            Value::Map(entries) => visitor.visit_map(self.entries(entries, None)),
        })
    }

    /// A text may be written without quotes even if it looks like a number: userids often do.
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match &self.node.value {
            Value::Scalar { text, .. } => self.list(visitor.visit_str(text)),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.node.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Misfit> {
        match name {
            AT => visitor.visit_seq(Pair { reader: self, step: 0 }),
            SEVERAL => {
                let values =
                    if let Value::List(values) = &self.node.value { values } else { std::slice::from_ref(self.node) };
                visitor.visit_seq(Elements { reader: self, values: values.iter() })
            }
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.map(None, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.map(Some(fields), visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.list(match &self.node.value {
            Value::Scalar { text, .. } => visitor.visit_enum(StrDeserializer::new(text)),
            Value::Map(entries) if entries.len() == 1 => {
                visitor.visit_enum(Variant { key: self.at(&entries[0].0), value: self.at(&entries[0].1) })
            }
            Value::Null | Value::List(_) | Value::Map(_) => {
                let names: Vec<String> = variants.iter().map(|name| format!("`{name}`")).collect();
                Err(Misfit::New(
                    ("这里应是其中一个", "exactly one of a few is expected here").into(),
                    (names.join("、"), names.join(", ")).into(),
                ))
            }
        })
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf
        unit unit_struct seq tuple tuple_struct ignored_any
    }
}

/// What an [`At`](super::at::At) sees: its place, then its value, or nothing if that does not fit.
struct Pair<'a> {
    reader: Reader<'a>,
    step: u8,
}

impl<'a> SeqAccess<'a> for Pair<'a> {
    type Error = Misfit;

    fn next_element_seed<T: DeserializeSeed<'a>>(&mut self, seed: T) -> Result<Option<T::Value>, Misfit> {
        self.step += 1;
        if self.step == 1 {
            let Place { line, column } = self.reader.node.place;
            let place = de::value::SeqDeserializer::<_, Misfit>::new([line, column].into_iter());
            return seed.deserialize(place).map(Some);
        }
        let value = seed.deserialize(self.reader);
        Ok(self.reader.list(value).ok())
    }
}

struct Elements<'a> {
    reader: Reader<'a>,
    values: std::slice::Iter<'a, Node>,
}

impl<'a> SeqAccess<'a> for Elements<'a> {
    type Error = Misfit;

    fn next_element_seed<T: DeserializeSeed<'a>>(&mut self, seed: T) -> Result<Option<T::Value>, Misfit> {
        self.values.next().map(|node| seed.deserialize(self.reader.at(node))).transpose()
    }
}

struct Entries<'a> {
    reader: Reader<'a>,
    left: std::vec::IntoIter<&'a (Node, Node)>,
    value: Option<&'a Node>,
}

impl<'a> MapAccess<'a> for Entries<'a> {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'a>>(&mut self, seed: K) -> Result<Option<K::Value>, Misfit> {
        let Some((key, value)) = self.left.next() else { return Ok(None) };
        self.value = Some(value);
        seed.deserialize(self.reader.at(key)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Result<V::Value, Misfit> {
        let node = self.value.take().expect("a value is asked for after its key");
        seed.deserialize(self.reader.at(node))
    }
}

/// `{ variant: content }`
struct Variant<'a> {
    key: Reader<'a>,
    value: Reader<'a>,
}

impl<'a> EnumAccess<'a> for Variant<'a> {
    type Error = Misfit;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'a>>(self, seed: V) -> Result<(V::Value, Self), Misfit> {
        let name = self.key.list(seed.deserialize(self.key))?;
        Ok((name, self))
    }
}

impl<'a> VariantAccess<'a> for Variant<'a> {
    type Error = Misfit;

    fn unit_variant(self) -> Result<(), Misfit> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'a>>(self, seed: T) -> Result<T::Value, Misfit> {
        seed.deserialize(self.value)
    }

    fn tuple_variant<V: Visitor<'a>>(self, _length: usize, visitor: V) -> Result<V::Value, Misfit> {
        self.value.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'a>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Misfit> {
        self.value.map(Some(fields), visitor)
    }
}
