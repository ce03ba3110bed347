//! The size of a database, for reports: its tables and the steps of its schema; nothing of what they hold.

use serde::Serialize;

use super::{Store, StoreError};
use crate::alert::Timestamp;

/// What a database consists of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outline {
    /// The steps of its schema, and when each was applied.
    pub steps: Vec<(i64, Timestamp)>,
    /// Its tables by name.
    pub tables: Vec<Table>,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its rows; PostgreSQL's estimate.
    pub rows: i64,
    /// Bytes with its indexes; `None` where only counting every page would tell.
    pub bytes: Option<i64>,
}

impl Store {
    /// The size of everything. Reads each table of SQLite once.
    pub async fn outline(&self) -> Result<Outline, StoreError> {
        match self {
            Self::Sqlite(db) => db.outline().await,
            Self::Postgres(db) => db.outline().await,
        }
    }
}
