//! Brings a database's schema up to what this program knows: numbered SQL, each applied once and recorded with its
//! hash. All steps of a start are one transaction: a crash leaves the old schema or the new one.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};
use sha2::{Digest as _, Sha256};

use super::StoreError;
use crate::alert::Timestamp;

/// Marks a file as ours (`wgrf`), so that another program's database is never written to.
const APPLICATION_ID: i32 = 0x7767_7266;

/// Step n is at n - 1. A step that was released never changes.
pub(super) const SQLITE: &[&str] = &[include_str!("schema/sqlite/0001.sql")];

/// Applies the steps that are missing. Refuses a database of another program, of a newer wegraf, or one whose
/// applied steps differ from ours.
pub(super) fn migrate(
    connection: &mut Connection,
    path: &Path,
    steps: &[&str],
    now: Timestamp,
) -> Result<(), StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let damaged = |reason: String| StoreError::Damaged { path: path.to_owned(), reason };
    let owner: i32 = transaction.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 = transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables > 0 && owner != APPLICATION_ID {
        return Err(damaged("属于另一个程序 / it belongs to another program".to_owned()));
    }
    if tables == 0 {
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.execute_batch(
            "CREATE TABLE migration (version INTEGER PRIMARY KEY, hash TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT",
        )?;
    }
    let known = i64::try_from(steps.len()).unwrap_or(i64::MAX);
    let found: i64 = transaction.query_row("SELECT ifnull(max(version), 0) FROM migration", [], |row| row.get(0))?;
    if found > known {
        return Err(StoreError::Newer { path: path.to_owned(), found, known });
    }
    for (version, sql) in (1_i64..).zip(steps) {
        let hash = hash(sql);
        match applied(&transaction, version)? {
            Some(before) if before == hash => {}
            Some(_) => {
                return Err(damaged(format!("迁移 {version} 与此程序不同 / step {version} of its schema is not ours")));
            }
            None => {
                transaction.execute_batch(sql)?;
                transaction.execute("INSERT INTO migration VALUES (?1, ?2, ?3)", params![version, hash, now.0])?;
            }
        }
    }
    Ok(transaction.commit()?)
}

fn applied(transaction: &Transaction<'_>, version: i64) -> rusqlite::Result<Option<String>> {
    transaction.query_row("SELECT hash FROM migration WHERE version = ?1", [version], |row| row.get(0)).optional()
}

fn hash(sql: &str) -> String {
    let digest = Sha256::digest(sql.as_bytes());
    digest.iter().fold(String::with_capacity(64), |hex, byte| hex + &format!("{byte:02x}"))
}
