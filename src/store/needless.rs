//! Episodes of which people say that they should not have been told. Only reports read them.

use super::{Store, StoreError};
use crate::alert::{ThreadId, Timestamp};

/// How long a mark is kept: a year, longer than the span of any report.
pub(super) const KEPT_MS: i64 = 365 * 24 * 3_600_000;

/// What a person says of an episode; one says it once of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needless {
    /// The episode.
    pub thread: ThreadId,
    /// Who says so.
    pub person: String,
    /// The receiver whose message it is about.
    pub receiver: String,
    /// The rule.
    pub rule: String,
    /// Why, in the person's words; empty if not said.
    pub reason: String,
    /// When the message was queued: the time that reports count it at.
    pub told_at: Timestamp,
    /// When it was said.
    pub at: Timestamp,
}

impl Store {
    /// Keeps what a person says, in place of what the same person said of the same episode before.
    pub async fn call_needless(&self, said: Needless) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(db) => db.call_needless(said).await,
            Self::Postgres(db) => db.call_needless(said).await,
        }
    }

    /// Takes it back. `false`: the person had not said it.
    pub async fn call_needful(&self, thread: ThreadId, person: String) -> Result<bool, StoreError> {
        match self {
            Self::Sqlite(db) => db.call_needful(thread, person).await,
            Self::Postgres(db) => db.call_needful(thread, person).await,
        }
    }

    /// What is said of an episode, in order; at most 100.
    pub async fn needless(&self, thread: ThreadId) -> Result<Vec<Needless>, StoreError> {
        match self {
            Self::Sqlite(db) => db.needless(thread).await,
            Self::Postgres(db) => db.needless(thread).await,
        }
    }
}
