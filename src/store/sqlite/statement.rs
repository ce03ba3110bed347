//! Statements that are compiled once for each connection.

use std::ops::{Deref, DerefMut};

use rusqlite::{CachedStatement, Connection};

/// How the statements of the store are prepared.
pub(super) trait Prepare {
    /// The statement of the connection's cache. Its plan never depends on bound values.
    fn held(&self, sql: &str) -> rusqlite::Result<Held<'_>>;
}

impl Prepare for Connection {
    fn held(&self, sql: &str) -> rusqlite::Result<Held<'_>> {
        self.prepare_cached(sql).map(Held)
    }
}

/// A statement that goes back to the cache when it is dropped. In debug builds it panics then if SQLite compiled it again
/// while it was held: compiling takes longer than most statements run.
pub(super) struct Held<'c>(CachedStatement<'c>);

impl<'c> Deref for Held<'c> {
    type Target = CachedStatement<'c>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Held<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

#[cfg(debug_assertions)]
impl Drop for Held<'_> {
    fn drop(&mut self) {
        let again = self.0.reset_status(rusqlite::StatementStatus::RePrepare);
        if !std::thread::panicking() {
            assert_eq!(again, 0, "SQLite compiled this statement again: {:?}", self.0.expanded_sql());
        }
    }
}
