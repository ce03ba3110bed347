//! Errors of the store, sorted by what the caller must do.

use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::ErrorCode;

use super::words;
use crate::engine::Denied;
use crate::words::Words;

/// An error of the store. Each variant is one thing for the caller to do.
#[derive(Debug, Clone)]
pub enum StoreError {
    /// Answer 503 with `Retry-After` and stay; a write whose repetition changes nothing is repeated. Nothing was written,
    /// except that the outcome of a commit is unknown where the server went [away](Retry::Unreachable) during it.
    Retry(Retry),
    /// A question of a page or of the API took longer than [`PEOPLE`](super::PEOPLE), or too many of them wait: answer
    /// 503 and say so; a narrower question may be answered.
    TooSlow,
    /// The message is no longer in the state the caller saw: another process or task changed it. Nothing was written:
    /// give the lease back and look again.
    Lost {
        /// Which message.
        message: i64,
    },
    /// Whether the change is on disk is unknown until the file is opened again. The store takes no more writes: end the
    /// process.
    Fatal(Fatal),
    /// The store was closed: stop.
    Closed,
    /// A bug in this program: the statement, its data or a panic. Nothing was written: answer 503 and log it.
    Bug {
        /// What went wrong.
        reason: String,
        /// SQLite's error, if there is one.
        source: Option<Arc<rusqlite::Error>>,
    },
    /// The database cannot be opened; it was left unchanged: exit with code 2 and this text.
    Open {
        /// The file, or the address of the server without its password.
        path: PathBuf,
        /// Why.
        why: Unopened,
    },
}

/// What keeps the store from writing at this moment.
#[derive(Debug, Clone)]
pub enum Retry {
    /// No place in the queue, or another program holds the file, for too long.
    Busy,
    /// The disk is full.
    Full,
    /// The file that this process has open is no longer the one at its path, or is read-only: further writes would be
    /// lost with the process. Writes resume once the file is back.
    Displaced {
        /// The database or its log.
        path: PathBuf,
        /// What happened to it.
        reason: Words,
    },
    /// The database server does not answer, or the connection broke.
    Unreachable {
        /// What the connection or the server said.
        reason: Words,
    },
}

/// What makes the state of the file unknown.
#[derive(Debug, Clone)]
pub enum Fatal {
    /// A read, write or sync failed; the system's words.
    Io(String),
    /// The file turned out to be damaged while in use; SQLite's words.
    Corrupt(String),
}

/// Why a database cannot be opened.
#[derive(Debug, Clone)]
pub enum Unopened {
    /// Another process holds it.
    InUse {
        /// The holder's process id, from its lock file.
        pid: String,
    },
    /// It is not a database, not one of wegraf, or damaged.
    Damaged(Words),
    /// A newer wegraf wrote it.
    Newer {
        /// Version of its schema.
        found: i64,
        /// Newest version this program knows.
        known: i64,
    },
    /// It cannot be opened or created, or is not fit for use.
    Refused(Words),
}

impl StoreError {
    /// Is the state of the file unknown, so that nothing may be written before it is opened again?
    pub const fn is_fatal(&self) -> bool {
        matches!(self, Self::Fatal(_))
    }

    /// Was nothing written for a reason that passes without a restart, so that the call can be repeated?
    pub const fn passes(&self) -> bool {
        matches!(self, Self::Retry(_))
    }

    /// The process that holds the database, where that is why it cannot be opened.
    pub fn holder(&self) -> Option<&str> {
        match self {
            Self::Open { why: Unopened::InUse { pid }, .. } => Some(pid),
            _ => None,
        }
    }

    /// What happened and what to do, for people.
    pub fn words(&self) -> Words {
        match self {
            Self::Retry(Retry::Busy) => words::BUSY,
            Self::Retry(Retry::Full) => words::FULL,
            Self::Retry(Retry::Displaced { path, reason }) => words::displaced(path, reason),
            Self::Retry(Retry::Unreachable { reason }) => words::unreachable(reason),
            Self::TooSlow => words::too_slow(),
            Self::Lost { message } => words::lost(*message),
            Self::Fatal(Fatal::Io(reason)) => words::io(reason),
            Self::Fatal(Fatal::Corrupt(reason)) => words::corrupt(reason),
            Self::Closed => words::CLOSED,
            Self::Bug { reason, .. } => words::bug(reason),
            Self::Open { path, why } => match why {
                Unopened::InUse { pid } => words::in_use(path, pid),
                Unopened::Damaged(reason) => words::damaged(path, reason),
                Unopened::Newer { found, known } => words::newer(path, *found, *known),
                Unopened::Refused(reason) => words::refused(path, reason),
            },
        }
    }

    pub(super) fn bug(reason: impl Into<String>) -> Self {
        Self::Bug { reason: reason.into(), source: None }
    }

    pub(super) fn unreachable(reason: impl Into<Words>) -> Self {
        Self::Retry(Retry::Unreachable { reason: reason.into() })
    }

    pub(super) fn refused(path: &Path, reason: impl Into<Words>) -> Self {
        Self::Open { path: path.to_owned(), why: Unopened::Refused(reason.into()) }
    }

    pub(super) fn damaged(path: &Path, reason: impl Into<Words>) -> Self {
        Self::Open { path: path.to_owned(), why: Unopened::Damaged(reason.into()) }
    }

    pub(super) fn newer(path: &Path, found: i64, known: i64) -> Self {
        Self::Open { path: path.to_owned(), why: Unopened::Newer { found, known } }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.words().fmt(f)
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Bug { source: Some(source), .. } => Some(&**source),
            _ => None,
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Retry(Retry::Busy),
            Some(ErrorCode::OperationInterrupted) => Self::TooSlow,
            Some(ErrorCode::DiskFull) => Self::Retry(Retry::Full),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Fatal(Fatal::Corrupt(error.to_string()))
            }
            Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen | ErrorCode::ReadOnly) => {
                Self::Fatal(Fatal::Io(error.to_string()))
            }
            _ => Self::Bug { reason: error.to_string(), source: Some(Arc::new(error)) },
        }
    }
}

impl Denied {
    /// As the store's error about a message.
    pub(super) fn error(self, message: i64) -> StoreError {
        match self {
            Self::Lost => StoreError::Lost { message },
            Self::Bug(reason) => StoreError::bug(reason),
        }
    }
}
