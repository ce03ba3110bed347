//! A table of the store in memory: rows by number, fast enough for an unoptimised test.

use std::ops::Index;

/// Rows by number; the first is 1.
#[derive(Debug)]
pub(super) struct Rows<T>(Vec<Option<T>>);

impl<T> Default for Rows<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Rows<T> {
    /// Adds a row; returns its number, which no row had before.
    pub fn push(&mut self, row: T) -> i64 {
        self.0.push(Some(row));
        i64::try_from(self.0.len()).expect("a table is short")
    }

    /// The number of the next row.
    pub fn next(&self) -> i64 {
        i64::try_from(self.0.len() + 1).expect("a table is short")
    }

    pub fn get(&self, id: i64) -> Option<&T> {
        self.0.get(usize::try_from(id - 1).ok()?)?.as_ref()
    }

    pub fn get_mut(&mut self, id: i64) -> Option<&mut T> {
        self.0.get_mut(usize::try_from(id - 1).ok()?)?.as_mut()
    }

    /// All rows, by number.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (i64, &T)> {
        let numbered = self.0.iter().enumerate();
        numbered.filter_map(|(at, row)| Some((i64::try_from(at + 1).ok()?, row.as_ref()?)))
    }

    /// Deletes all rows but some.
    pub fn retain(&mut self, mut stays: impl FnMut(i64, &T) -> bool) {
        for (at, row) in (1..).zip(&mut self.0) {
            if row.as_ref().is_some_and(|row| !stays(at, row)) {
                *row = None;
            }
        }
    }
}

impl<T> Index<&i64> for Rows<T> {
    type Output = T;

    fn index(&self, id: &i64) -> &T {
        self.get(*id).expect("there is such a row")
    }
}
