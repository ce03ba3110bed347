//! A bounded record whose entries are numbered from 1 on, so that a reader can ask for what is new.

use std::collections::VecDeque;

/// At most `limit` entries; adding beyond it drops the oldest, numbering continues.
#[derive(Debug)]
pub(crate) struct Log<T> {
    limit: usize,
    last: u64,
    entries: VecDeque<T>,
}

impl<T> Log<T> {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, last: 0, entries: VecDeque::new() }
    }

    /// Adds the entry that `make` creates for its number. Returns the number.
    pub(crate) fn add(&mut self, make: impl FnOnce(u64) -> T) -> u64 {
        self.last += 1;
        if self.entries.len() >= self.limit {
            self.entries.pop_front();
        }
        self.entries.push_back(make(self.last));
        self.last
    }

    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        let from_end = usize::try_from(self.last.checked_sub(number)?).ok()?;
        let at = self.entries.len().checked_sub(from_end + 1)?;
        self.entries.get_mut(at)
    }

    pub(crate) fn get(&self, number: u64) -> Option<&T> {
        let from_end = usize::try_from(self.last.checked_sub(number)?).ok()?;
        self.entries.get(self.entries.len().checked_sub(from_end + 1)?)
    }

    /// Removes all entries; numbering continues, so that no number is used twice.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }

    /// Iterates oldest first.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.entries.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_on_when_the_oldest_has_gone() {
        let mut log = Log::new(2);
        for word in ["a", "b", "c"] {
            log.add(|number| (number, word));
        }
        assert_eq!(log.iter().copied().collect::<Vec<_>>(), [(2, "b"), (3, "c")]);
        assert_eq!((log.get(1), log.get(2), log.get(4)), (None, Some(&(2, "b")), None));
        assert_eq!(log.get_mut(3), Some(&mut (3, "c")));
        assert_eq!(log.get(0), None);
        log.clear();
        assert_eq!(log.get(3), None);
        assert_eq!(log.add(|number| (number, "d")), 4);
        assert_eq!(log.get(4), Some(&(4, "d")));
    }
}
