//! Backups of a SQLite file. PostgreSQL has tools of its own.

use std::path::PathBuf;

use super::{StoreError, sqlite};
use crate::alert::Timestamp;

/// What a copy of the database holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// The size of the file.
    pub bytes: u64,
    /// The step of its schema.
    pub schema: i64,
    /// How many messages are on record.
    pub messages: u64,
    /// When the newest of them was queued.
    pub newest: Option<Timestamp>,
    /// How many were not sent yet.
    pub waiting: u64,
}

/// Copies the database file at `path` into `to`, while it is in use. `to` is whole, checked and readable by its owner
/// only, or it is absent. Without `tokens` the access tokens of WeCom are left out.
pub async fn backup(path: PathBuf, to: PathBuf, tokens: bool) -> Result<Backup, StoreError> {
    sqlite::blocking(move || sqlite::backup(&path, &to, tokens)).await
}

/// What a backup holds, if it is sound.
pub async fn look(path: PathBuf) -> Result<Backup, StoreError> {
    sqlite::blocking(move || sqlite::look(&path)).await
}

/// Puts a backup in the place of the database at `path`, and the former database aside; refuses while a process holds
/// it. `given_up`: why what waits in the backup is not sent, if it is not. Returns where the former one is.
pub async fn restore(
    from: PathBuf,
    path: PathBuf,
    aside: PathBuf,
    given_up: Option<String>,
    now: Timestamp,
) -> Result<Option<PathBuf>, StoreError> {
    sqlite::blocking(move || sqlite::restore(&from, &path, &aside, given_up.as_deref(), now)).await
}
