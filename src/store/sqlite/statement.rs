//! Statements that are compiled once for each connection.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering};

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

/// A statement that goes back to the cache when it is dropped. If SQLite compiled it again while it was held, that is
/// counted, and a panic in debug builds: compiling takes longer than most statements run.
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

/// How often SQLite compiled a statement of this process again.
pub(super) static RECOMPILED: AtomicU64 = AtomicU64::new(0);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let again = self.0.reset_status(rusqlite::StatementStatus::RePrepare);
        if again > 0 {
            RECOMPILED.fetch_add(u64::from(again.unsigned_abs()), Ordering::Relaxed);
        }
        if !std::thread::panicking() {
            debug_assert_eq!(again, 0, "SQLite compiled this statement again: {:?}", self.0.expanded_sql());
        }
    }
}
