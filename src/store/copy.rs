//! Copies a SQLite file into an empty PostgreSQL database, in full or not at all.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use secrecy::SecretString;
use tokio::sync::mpsc;

use super::postgres::Load;
use super::sqlite::Source;
use super::{StoreError, sqlite};
use crate::alert::Timestamp;

/// The copied tables, in an order in which no row precedes one it refers to. Not copied: data that only the process
/// holding a store needs, and the record of schema steps, which each backend keeps for itself.
pub(super) const TABLES: [&str; 36] = [
    "notification",
    "alert",
    "message",
    "unpictured",
    "transition",
    "part",
    "attempt",
    "token",
    "link_key",
    "budget",
    "breaker",
    "heard",
    "pruned",
    "act",
    "act_alert",
    "silence",
    "card",
    "card_alert",
    "escalation",
    "conversation",
    "related",
    "repeated",
    "truth",
    "short_link",
    "ticket",
    "session",
    "trail",
    "needless",
    "api_token",
    "api_request",
    "tally_rule",
    "tally_length",
    "tally_sent",
    "tally_taken",
    "tally_live",
    "tally_mark",
];

/// Rows in flight: enough that neither side waits for each row of the other, few enough that bodies of 16 MiB fit into
/// memory.
const UNDER_WAY: usize = 16;

/// How many rows of a table were copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// Name of the table.
    pub table: &'static str,
    /// Its rows.
    pub rows: u64,
}

/// Copies the SQLite file at `from` into the PostgreSQL database at `to`. Refuses a file that a process holds or whose
/// schema is older, and a database that already stores anything. All is one transaction: after an error or a crash the
/// database is as empty as before. The file is never changed. Messages keep their ids, budgets stay spent, and links in
/// old messages stay valid.
pub async fn copy(from: &Path, to: &SecretString, now: Timestamp) -> Result<Vec<Copied>, StoreError> {
    let path = from.to_owned();
    let source = sqlite::blocking(move || Source::open(&path)).await?;
    let load = Load::begin(to, now).await?;
    let source = Arc::new(Mutex::new(source));
    let mut copied = Vec::new();
    for table in TABLES {
        let (columns, rows, reading) = read(&source, table).await?;
        let written = load.table(table, &columns, rows).await;
        let read = reading.await.map_err(|error| StoreError::bug(error.to_string()))?;
        // If writing failed, the reader was only told to stop: the writer's error is the cause.
        let written = written?;
        let read = read?;
        if read != written {
            return Err(StoreError::bug(format!("{read} rows of {table} were read and {written} written")));
        }
        copied.push(Copied { table, rows: written });
    }
    let given = sqlite::blocking(move || source.lock().unwrap_or_else(PoisonError::into_inner).given()).await?;
    load.commit(given).await?;
    Ok(copied)
}

type Rows = mpsc::Receiver<Vec<sqlite::Value>>;
type Reading = tokio::task::JoinHandle<Result<u64, StoreError>>;

/// Starts to read a table: its columns, its rows, and a task that returns the number of rows.
async fn read(source: &Arc<Mutex<Source>>, table: &'static str) -> Result<(Vec<String>, Rows, Reading), StoreError> {
    let here = Arc::clone(source);
    let columns = sqlite::blocking(move || here.lock().unwrap_or_else(PoisonError::into_inner).columns(table)).await?;
    let (rows, received) = mpsc::channel(UNDER_WAY);
    let (here, wanted) = (Arc::clone(source), columns.clone());
    let reading = tokio::task::spawn_blocking(move || {
        let source = here.lock().unwrap_or_else(PoisonError::into_inner);
        source.rows(table, &wanted, |row| rows.blocking_send(row).is_ok())
    });
    Ok((columns, received, reading))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What only a file has: the record of its schema, its pulse, its index of alerts, the ids that it gave; and the terms
    /// of messages, which each half writes itself.
    const OF_SQLITE: [&str; 13] = [
        "migration",
        "pulse",
        "alert_key",
        "merged",
        "given",
        "message_term",
        "message_term_data",
        "message_term_idx",
        "message_term_docsize",
        "message_term_config",
        "message_word",
        "term_mark",
        "term_again",
    ];

    #[tokio::test]
    async fn every_table_is_copied_or_listed_as_not_copied() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wegraf.db");
        let store = super::super::Store::open(&crate::config::Database::Sqlite(path.clone()), Timestamp(0)).await;
        store.unwrap().close().await.unwrap();
        let connection = rusqlite::Connection::open(path).unwrap();
        let mut select = connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").unwrap();
        let tables: Vec<String> = select.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        for table in &tables {
            let known = TABLES.contains(&table.as_str()) || OF_SQLITE.contains(&table.as_str());
            assert!(known, "is {table} to be copied?");
        }
        assert_eq!(tables.len(), TABLES.len() + OF_SQLITE.len());
    }
}
