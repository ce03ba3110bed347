//! A bounded map: the newest entries under their names. A simulator may run for weeks beside a client that never stops;
//! everything it remembers is held in one of these.

use std::collections::VecDeque;

/// At most `limit` entries; inserting beyond it drops the oldest. Looked up newest first, since clients mostly ask for
/// recent entries.
#[derive(Debug)]
pub(crate) struct Kept<V> {
    limit: usize,
    items: VecDeque<(String, V)>,
}

impl<V> Kept<V> {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, items: VecDeque::new() }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&V> {
        self.items.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut V> {
        self.items.iter_mut().rev().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// Inserts an entry, or replaces the one of that name.
    pub(crate) fn insert(&mut self, name: String, value: V) {
        if let Some(known) = self.get_mut(&name) {
            *known = value;
            return;
        }
        if self.items.len() >= self.limit {
            self.items.pop_front();
        }
        self.items.push_back((name, value));
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.items.iter_mut().map(|(_, value)| value)
    }

    pub(crate) fn pop_oldest(&mut self) -> Option<V> {
        self.items.pop_front().map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_makes_room_for_the_newest() {
        let mut kept = Kept::new(2);
        kept.insert("a".into(), 1);
        kept.insert("b".into(), 2);
        kept.insert("b".into(), 20);
        kept.insert("c".into(), 3);
        assert_eq!((kept.get("a"), kept.get("b"), kept.get("c")), (None, Some(&20), Some(&3)));
    }
}
