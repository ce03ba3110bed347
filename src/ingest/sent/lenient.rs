//! Values as senders write them, out of a text or a tree: each wrong type has a meaning, and none is an error.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::ingest::field;

/// The name under which `serde_json` hides a value that it has not read yet: a tree has that value in its place.
pub(super) const RAW: &str = "$serde_json::private::RawValue";

/// Members of an object, sorted by name; of several with one name the last one is left.
pub(in crate::ingest) type Members<'a, T> = Vec<(Cow<'a, str>, T)>;

pub(super) fn sorted<T>(mut members: Members<'_, T>) -> Members<'_, T> {
    if !members.is_sorted_by(|(before, _), (after, _)| before < after) {
        members.reverse();
        members.sort_by(|(before, _), (after, _)| before.cmp(after));
        members.dedup_by(|(later, _), (first, _)| later == first);
    }
    members
}

/// A value as text, as [`field::text`] makes it.
#[derive(Debug)]
pub(in crate::ingest) struct Text<'a>(pub Cow<'a, str>);

/// The text; empty if there is none.
pub(in crate::ingest) fn text(text: Option<Text<'_>>) -> String {
    text.map(|Text(text)| text.into_owned()).unwrap_or_default()
}

/// What a member that should be an object is.
#[derive(Debug)]
pub(in crate::ingest) enum Held<'a, T> {
    Object(Members<'a, T>),
    Null,
    Other,
}

/// A set of labels or annotations.
pub(in crate::ingest) type Set<'a> = Held<'a, Text<'a>>;

/// A member of which only the presence counts.
#[derive(Debug)]
pub(in crate::ingest) struct Nothing;

/// The conversion of a value of any type.
pub(super) trait Take<'de>: Sized {
    /// Of a value of a type that has no meaning here.
    fn other() -> Self;

    /// Of null, a flag or a number.
    fn plain(_value: Value) -> Self {
        Self::other()
    }

    fn text(_text: Cow<'de, str>) -> Self {
        Self::other()
    }

    /// Each item is read to its end: what makes the tree fail must fail here, too.
    fn list<A: SeqAccess<'de>>(mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Taken<Nothing>>()?.is_some() {}
        Ok(Self::other())
    }

    fn object<A: MapAccess<'de>>(mut members: A) -> Result<Self, A::Error> {
        while members.next_entry::<Taken<Cow<'de, str>>, Taken<Nothing>>()?.is_some() {}
        Ok(Self::other())
    }
}

impl Take<'_> for Nothing {
    fn other() -> Self {
        Self
    }
}

impl<'de> Take<'de> for Option<Cow<'de, str>> {
    fn other() -> Self {
        None
    }

    fn text(text: Cow<'de, str>) -> Self {
        Some(text)
    }
}

/// A name.
impl<'de> Take<'de> for Cow<'de, str> {
    fn other() -> Self {
        Cow::Borrowed("")
    }

    fn text(text: Cow<'de, str>) -> Self {
        text
    }
}

impl<'de> Take<'de> for Text<'de> {
    fn other() -> Self {
        Self(Cow::Borrowed(""))
    }

    fn plain(value: Value) -> Self {
        Self(Cow::Owned(field::text(value)))
    }

    fn text(text: Cow<'de, str>) -> Self {
        Self(field::visible(text))
    }

    fn list<A: SeqAccess<'de>>(items: A) -> Result<Self, A::Error> {
        Value::deserialize(SeqAccessDeserializer::new(items)).map(Self::plain)
    }

    fn object<A: MapAccess<'de>>(members: A) -> Result<Self, A::Error> {
        Value::deserialize(MapAccessDeserializer::new(members)).map(Self::plain)
    }
}

impl<'de, T: Take<'de>> Take<'de> for Held<'de, T> {
    fn other() -> Self {
        Self::Other
    }

    fn plain(value: Value) -> Self {
        if value.is_null() { Self::Null } else { Self::Other }
    }

    fn object<A: MapAccess<'de>>(mut members: A) -> Result<Self, A::Error> {
        let mut all = Members::new();
        while let Some((Taken(name), Taken(value))) = members.next_entry()? {
            all.push((name, value));
        }
        Ok(Self::Object(sorted(all)))
    }
}

/// A number, a flag or a text.
impl<'de> Take<'de> for Value {
    fn other() -> Self {
        Self::Null
    }

    fn plain(value: Value) -> Self {
        value
    }

    fn text(text: Cow<'de, str>) -> Self {
        Self::String(text.into_owned())
    }
}

/// Reads the value of a member that must stand once.
pub(super) fn once<'de, T: Take<'de>, A: MapAccess<'de>>(
    slot: &mut Option<T>,
    members: &mut A,
) -> Result<(), A::Error> {
    let Taken(value) = members.next_value()?;
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(A::Error::custom("a member stands twice")),
    }
}

pub(super) fn skip<'de, A: MapAccess<'de>>(members: &mut A) -> Result<(), A::Error> {
    members.next_value::<Taken<Nothing>>().map(|_| ())
}

/// Reads any value as a `T`.
pub(super) struct Taken<T>(pub T);

impl<'de, T: Take<'de>> Deserialize<'de> for Taken<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any(PhantomData)).map(Self)
    }
}

struct Any<T>(PhantomData<T>);

impl<'de, T: Take<'de>> Visitor<'de> for Any<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<T, E> {
        Ok(T::plain(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<T, E> {
        Ok(T::plain(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<T, E> {
        Ok(T::plain(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<T, E> {
        Ok(T::plain(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<T, E> {
        Ok(T::plain(value.into()))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<T, E> {
        Ok(T::text(Cow::Borrowed(text)))
    }

    /// Only of a text, where something is escaped.
    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        if text == RAW {
            return Err(E::custom("a name of serde_json's"));
        }
        Ok(T::text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<T, A::Error> {
        T::list(items)
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
        T::object(members)
    }
}
