//! Tokens of the API, and its requests that count once.

use super::{Hash, Store, StoreError};
use crate::alert::Timestamp;

/// How long the answer to a request with a key is kept.
pub(super) const KEPT_MS: i64 = 24 * 3_600_000;
/// A request without an answer after so long was lost with its process: it may be done again.
pub(super) const LOST_MS: i64 = 30_000;
/// To how much `used_at` is noted.
pub(super) const USED_MS: i64 = 24 * 3_600_000;
/// Tokens that a list returns.
pub(super) const TOKENS: u32 = 500;

/// A token, as far as people may know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiToken {
    /// Its name: acts are by `api/NAME`.
    pub name: String,
    /// Who answers for it.
    pub owner: String,
    /// What it may do: words with spaces between.
    pub scopes: String,
    /// The only receivers that it concerns; `None`: all.
    pub receivers: Option<Vec<String>>,
    /// When it was made.
    pub made_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
    /// When it was last used, to a day.
    pub used_at: Option<Timestamp>,
}

/// A token to be.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// Of its secret.
    pub hash: Hash,
    /// The token.
    pub token: ApiToken,
}

/// What is known of a request with a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// Nothing: the caller does it now and records the answer.
    New {
        /// When the same was asked of a process that ended before it answered.
        before: Option<Timestamp>,
    },
    /// It is being done.
    Running,
    /// Something else was asked with this key.
    Other,
    /// It was done, with this answer.
    Answered {
        /// The HTTP status.
        status: u16,
        /// The body.
        answer: String,
    },
}

/// A request on record.
pub(super) struct Earlier {
    pub hash: Vec<u8>,
    pub at: Timestamp,
    pub status: Option<u16>,
    pub answer: String,
}

impl Asked {
    /// What follows from an earlier request with the same key.
    pub(super) fn of(earlier: Option<Earlier>, hash: &Hash, now: Timestamp) -> Self {
        match earlier {
            None => Self::New { before: None },
            Some(earlier) if earlier.hash != hash => Self::Other,
            Some(Earlier { status: Some(status), answer, .. }) => Self::Answered { status, answer },
            Some(Earlier { at, .. }) if now.millis_since(at) < LOST_MS => Self::Running,
            Some(Earlier { at, .. }) => Self::New { before: Some(at) },
        }
    }
}

impl Store {
    /// Keeps a token. `false`: there is one of this name that has not ended.
    pub async fn make_api_token(&self, new: NewToken, by: String, now: Timestamp) -> Result<bool, StoreError> {
        match self {
            Self::Sqlite(db) => db.make_api_token(new, by, now).await,
            Self::Postgres(db) => db.make_api_token(new, by, now).await,
        }
    }

    /// The token with this secret, if it has not ended. Its use is noted once a day.
    pub async fn api_token(&self, hash: Hash, now: Timestamp) -> Result<Option<ApiToken>, StoreError> {
        match self {
            Self::Sqlite(db) => db.api_token(hash, now).await,
            Self::Postgres(db) => db.api_token(hash, now).await,
        }
    }

    /// All tokens, also those that ended by themselves, by name; at most 500.
    pub async fn api_tokens(&self) -> Result<Vec<ApiToken>, StoreError> {
        match self {
            Self::Sqlite(db) => db.api_tokens().await,
            Self::Postgres(db) => db.api_tokens().await,
        }
    }

    /// Ends a token; `by` goes into the trail. `false`: there is none of this name.
    pub async fn end_api_token(&self, name: String, by: String, now: Timestamp) -> Result<bool, StoreError> {
        match self {
            Self::Sqlite(db) => db.end_api_token(name, by, now).await,
            Self::Postgres(db) => db.end_api_token(name, by, now).await,
        }
    }

    /// Begins a request that counts once: of two at the same time, also on two replicas, one is [`Asked::New`].
    pub async fn ask_once(&self, token: &str, key: &str, hash: Hash, now: Timestamp) -> Result<Asked, StoreError> {
        match self {
            Self::Sqlite(db) => db.ask_once(token.to_owned(), key.to_owned(), hash, now).await,
            Self::Postgres(db) => db.ask_once(token, key, hash, now).await,
        }
    }

    /// Records the answer to a request that counts once; `None` forgets the request, so that it can be made again.
    pub async fn answer_once(&self, token: &str, key: &str, answer: Option<(u16, String)>) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(db) => db.answer_once(token.to_owned(), key.to_owned(), answer).await,
            Self::Postgres(db) => db.answer_once(token, key, answer).await,
        }
    }
}
