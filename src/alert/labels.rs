//! Names with values.

use std::fmt;
use std::ops::Index;

use ecow::EcoString;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Label and annotation sets. Names are arbitrary UTF-8 (docs/reference/alert-sources.md#texts-and-times), kept in byte
/// order.
///
/// A sorted list and not a tree: a body has tens of thousands of sets with about ten names each, and the nodes of trees
/// were a third of the memory that it took. Texts of up to 15 bytes have no allocation of their own, and a clone shares
/// the longer ones.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Labels(Vec<(EcoString, EcoString)>);

impl Labels {
    /// No names.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    fn find(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| known.as_str().cmp(name))
    }

    /// The value of `name`.
    pub fn get(&self, name: &str) -> Option<&EcoString> {
        self.find(name).ok().map(|at| &self.0[at].1)
    }

    /// Has `name` a value?
    pub fn contains_key(&self, name: &str) -> bool {
        self.find(name).is_ok()
    }

    /// Sets the value of `name`; the one before.
    pub fn insert(&mut self, name: impl Into<EcoString>, value: impl Into<EcoString>) -> Option<EcoString> {
        let (name, value) = (name.into(), value.into());
        match self.find(&name) {
            Ok(at) => Some(std::mem::replace(&mut self.0[at].1, value)),
            Err(at) => {
                self.0.insert(at, (name, value));
                None
            }
        }
    }

    /// Sets the value of `name` if it has none.
    pub fn insert_new(&mut self, name: impl Into<EcoString>, value: impl Into<EcoString>) {
        let name = name.into();
        if let Err(at) = self.find(&name) {
            self.0.insert(at, (name, value.into()));
        }
    }

    /// Adds the pairs whose names have no value; of equal names the first one counts. O(n log n), also for a hostile order.
    pub fn extend_new<N: Into<EcoString>, V: Into<EcoString>>(&mut self, pairs: impl IntoIterator<Item = (N, V)>) {
        let pairs = pairs.into_iter().map(|(name, value)| (name.into(), value.into()));
        let new: Vec<_> = pairs.filter(|(name, _)| !self.contains_key(name)).collect();
        self.0.extend(new);
        self.0.sort_by(|a, b| a.0.cmp(&b.0));
        self.0.dedup_by(|a, b| a.0 == b.0);
        self.0.shrink_to_fit();
    }

    /// Removes `name`; its value.
    pub fn remove(&mut self, name: &str) -> Option<EcoString> {
        self.find(name).ok().map(|at| self.0.remove(at).1)
    }

    /// Keeps those for which `keep` is true.
    pub fn retain(&mut self, mut keep: impl FnMut(&EcoString, &mut EcoString) -> bool) {
        self.0.retain_mut(|(name, value)| keep(name, value));
    }

    /// Removes all.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Names and values, in order.
    pub fn iter(&self) -> Iter<'_> {
        self.into_iter()
    }

    /// The names, in order.
    pub fn keys(&self) -> impl Iterator<Item = &EcoString> + Clone {
        self.0.iter().map(|(name, _)| name)
    }

    /// The values, in the order of their names.
    pub fn values(&self) -> impl Iterator<Item = &EcoString> + Clone {
        self.0.iter().map(|(_, value)| value)
    }

    /// The same, to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut EcoString> {
        self.0.iter_mut().map(|(_, value)| value)
    }

    /// How many names there are.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Are there none?
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts pushed pairs in order: of equal names the last one counts.
    fn sort(&mut self) {
        if !self.0.is_sorted_by(|a, b| a.0 < b.0) {
            self.0.reverse();
            self.0.sort_by(|a, b| a.0.cmp(&b.0));
            self.0.dedup_by(|a, b| a.0 == b.0);
        }
        self.0.shrink_to_fit();
    }
}

/// Names and values, in order.
pub type Iter<'a> =
    std::iter::Map<std::slice::Iter<'a, (EcoString, EcoString)>, fn(&'a (EcoString, EcoString)) -> Pair<'a>>;

/// A name and its value.
type Pair<'a> = (&'a EcoString, &'a EcoString);

impl<'a> IntoIterator for &'a Labels {
    type Item = Pair<'a>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter().map(|(name, value)| (name, value))
    }
}

impl IntoIterator for Labels {
    type Item = (EcoString, EcoString);
    type IntoIter = std::vec::IntoIter<(EcoString, EcoString)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<N: Into<EcoString>, V: Into<EcoString>> FromIterator<(N, V)> for Labels {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut labels = Self::new();
        labels.extend(pairs);
        labels
    }
}

impl<N: Into<EcoString>, V: Into<EcoString>> Extend<(N, V)> for Labels {
    fn extend<I: IntoIterator<Item = (N, V)>>(&mut self, pairs: I) {
        self.0.extend(pairs.into_iter().map(|(name, value)| (name.into(), value.into())));
        self.sort();
    }
}

impl<N: Into<EcoString>, V: Into<EcoString>, const COUNT: usize> From<[(N, V); COUNT]> for Labels {
    fn from(pairs: [(N, V); COUNT]) -> Self {
        pairs.into_iter().collect()
    }
}

impl Index<&str> for Labels {
    type Output = EcoString;

    /// The value of a name that is there; panics otherwise.
    fn index(&self, name: &str) -> &EcoString {
        self.get(name).unwrap_or_else(|| panic!("no {name}"))
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self).finish()
    }
}

impl Serialize for Labels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    }
}

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OfMap)
    }
}

struct OfMap;

impl<'de> Visitor<'de> for OfMap {
    type Value = Labels;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of texts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Labels, A::Error> {
        let mut labels = Labels::new();
        while let Some((Text(name), Text(value))) = map.next_entry()? {
            labels.0.push((name, value));
        }
        labels.sort();
        Ok(labels)
    }
}

/// A text, read without an allocation for a short one.
struct Text(EcoString);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfText;
        impl Visitor<'_> for OfText {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_str<E>(self, text: &str) -> Result<Text, E> {
                Ok(Text(text.into()))
            }
        }
        deserializer.deserialize_str(OfText)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_set_is_what_a_map_would_be(pairs in prop::collection::vec(("[a-c]{0,2}", "[a-z]{0,20}"), 0..12), asked in "[a-c]{0,2}") {
            let map: BTreeMap<String, String> = pairs.iter().cloned().collect();
            let mut labels: Labels = pairs.iter().cloned().collect();
            let listed = |labels: &Labels| labels.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect::<Vec<_>>();
            prop_assert_eq!(listed(&labels), map.clone().into_iter().collect::<Vec<_>>());
            prop_assert_eq!(labels.get(&asked).map(EcoString::as_str), map.get(&asked).map(String::as_str));
            let text = serde_json::to_string(&labels).unwrap();
            prop_assert_eq!(&text, &serde_json::to_string(&map).unwrap());
            prop_assert_eq!(&serde_json::from_str::<Labels>(&text).unwrap(), &labels);
            let mut one_by_one = Labels::new();
            for (name, value) in &pairs {
                one_by_one.insert(name.as_str(), value.as_str());
            }
            prop_assert_eq!(&one_by_one, &labels);
            let mut first = labels.clone();
            first.extend_new([("a", "new"), ("zz", "first"), ("zz", "second")]);
            prop_assert_eq!(first["a"].as_str(), map.get("a").map_or("new", String::as_str));
            prop_assert_eq!((first["zz"].as_str(), first.len()), ("first", map.len() + 1 + usize::from(!map.contains_key("a"))));
            let removed = labels.remove(&asked);
            prop_assert_eq!(removed.is_some(), map.contains_key(&asked));
            prop_assert!(!labels.contains_key(&asked));
        }
    }

    #[test]
    fn the_last_of_equal_names_counts_and_a_value_is_a_text() {
        let labels: Labels = serde_json::from_str(r#"{"b":"1","a":"2","b":"3\n"}"#).unwrap();
        assert_eq!(labels, Labels::from([("a", "2"), ("b", "3\n")]));
        assert!(serde_json::from_str::<Labels>(r#"{"a":1}"#).is_err());
    }
}
