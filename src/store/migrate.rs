//! Brings a database's schema up to date: numbered SQL steps, each applied once and recorded with its hash. All steps
//! of a start are one transaction: a crash leaves the old schema or the new one.

use std::cmp::Ordering;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};
use sha2::{Digest as _, Sha256};

use super::StoreError;
use super::words;
use crate::alert::Timestamp;

/// Marks a file as ours (`wgrf`), so that another program's database is never written to.
pub(super) const APPLICATION_ID: i32 = 0x7767_7266;

/// Step n is at n - 1. A step that was released never changes.
pub(super) const SQLITE: &[&str] = &[
    include_str!("schema/sqlite/0001.sql"),
    include_str!("schema/sqlite/0002.sql"),
    include_str!("schema/sqlite/0003.sql"),
    include_str!("schema/sqlite/0004.sql"),
    include_str!("schema/sqlite/0005.sql"),
    include_str!("schema/sqlite/0006.sql"),
    include_str!("schema/sqlite/0007.sql"),
    include_str!("schema/sqlite/0008.sql"),
    include_str!("schema/sqlite/0009.sql"),
    include_str!("schema/sqlite/0010.sql"),
    include_str!("schema/sqlite/0011.sql"),
    include_str!("schema/sqlite/0012.sql"),
    include_str!("schema/sqlite/0013.sql"),
    include_str!("schema/sqlite/0014.sql"),
    include_str!("schema/sqlite/0015.sql"),
    include_str!("schema/sqlite/0016.sql"),
    include_str!("schema/sqlite/0017.sql"),
    include_str!("schema/sqlite/0018.sql"),
    include_str!("schema/sqlite/0019.sql"),
    include_str!("schema/sqlite/0020.sql"),
    include_str!("schema/sqlite/0021.sql"),
    include_str!("schema/sqlite/0022.sql"),
];

/// The same for PostgreSQL.
pub(super) const POSTGRES: &[&str] = &[
    include_str!("schema/postgres/0001.sql"),
    include_str!("schema/postgres/0002.sql"),
    include_str!("schema/postgres/0003.sql"),
    include_str!("schema/postgres/0004.sql"),
    include_str!("schema/postgres/0005.sql"),
    include_str!("schema/postgres/0006.sql"),
    include_str!("schema/postgres/0007.sql"),
    include_str!("schema/postgres/0008.sql"),
    include_str!("schema/postgres/0009.sql"),
    include_str!("schema/postgres/0010.sql"),
    include_str!("schema/postgres/0011.sql"),
    include_str!("schema/postgres/0012.sql"),
    include_str!("schema/postgres/0013.sql"),
    include_str!("schema/postgres/0014.sql"),
    include_str!("schema/postgres/0015.sql"),
    include_str!("schema/postgres/0016.sql"),
    include_str!("schema/postgres/0017.sql"),
    include_str!("schema/postgres/0018.sql"),
    include_str!("schema/postgres/0019.sql"),
];

/// Applies the missing steps; an empty database gets all of them. Refuses a database of a newer wegraf, or one whose
/// applied steps differ from ours.
pub(super) fn migrate(
    connection: &mut Connection,
    path: &Path,
    steps: &[&str],
    now: Timestamp,
) -> Result<(), StoreError> {
    // A step may rebuild a table (SQLite cannot change a CHECK), so references to it dangle for a while. References are
    // checked before the commit.
    connection.pragma_update(None, "foreign_keys", false)?;
    let migrated = apply(connection, path, steps, now);
    connection.pragma_update(None, "foreign_keys", true)?;
    migrated
}

fn apply(connection: &mut Connection, path: &Path, steps: &[&str], now: Timestamp) -> Result<(), StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let tables: i64 = transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 {
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.execute_batch(
            "CREATE TABLE migration (version INTEGER PRIMARY KEY, hash TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT",
        )?;
    }
    let (found, known) = versions(&transaction, steps)?;
    if found > known {
        return Err(StoreError::newer(path, found, known));
    }
    for (version, sql) in (1_i64..).zip(steps) {
        let hash = hash(sql);
        match applied(&transaction, version)? {
            Some(before) if before == hash => {}
            Some(_) => {
                return Err(StoreError::damaged(path, words::foreign_step(version)));
            }
            None => {
                transaction.execute_batch(sql)?;
                transaction.execute("INSERT INTO migration VALUES (?1, ?2, ?3)", params![version, hash, now.0])?;
            }
        }
    }
    if transaction.prepare("PRAGMA foreign_key_check")?.exists([])? {
        return Err(StoreError::bug("a step of the schema left a row that points nowhere"));
    }
    Ok(transaction.commit()?)
}

/// Refuses a database that is not at the newest step: for readers, which do not migrate.
pub(super) fn expect_current(connection: &Connection, path: &Path, steps: &[&str]) -> Result<(), StoreError> {
    let (found, known) = versions(connection, steps)?;
    match found.cmp(&known) {
        Ordering::Equal => Ok(()),
        Ordering::Greater => Err(StoreError::newer(path, found, known)),
        Ordering::Less => Err(StoreError::refused(path, words::OLDER_SCHEMA)),
    }
}

/// The newest step in the database, and the newest this program knows.
fn versions(connection: &Connection, steps: &[&str]) -> rusqlite::Result<(i64, i64)> {
    Ok((version(connection)?, i64::try_from(steps.len()).unwrap_or(i64::MAX)))
}

/// The newest step in the database.
pub(super) fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("SELECT ifnull(max(version), 0) FROM migration", [], |row| row.get(0))
}

fn applied(transaction: &Transaction<'_>, version: i64) -> rusqlite::Result<Option<String>> {
    transaction.query_row("SELECT hash FROM migration WHERE version = ?1", [version], |row| row.get(0)).optional()
}

pub(super) fn hash(sql: &str) -> String {
    let digest = Sha256::digest(sql.as_bytes());
    digest.iter().fold(String::with_capacity(64), |hex, byte| hex + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Unopened;

    const FIRST: &str = "CREATE TABLE first (x)";
    const SECOND: &str = "CREATE TABLE second (x); INSERT INTO second SELECT x + 1 FROM first";
    const BROKEN: &str = "CREATE TABLE third (x); INSERT INTO nowhere VALUES (1)";

    fn run(connection: &mut Connection, steps: &[&str]) -> Result<(), StoreError> {
        migrate(connection, Path::new("test.db"), steps, Timestamp(7))
    }

    fn tables(connection: &Connection) -> Vec<String> {
        let mut select = connection.prepare("SELECT name FROM sqlite_schema ORDER BY name").unwrap();
        select.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn only_missing_steps_are_applied_and_data_is_kept() {
        let mut connection = Connection::open_in_memory().unwrap();
        run(&mut connection, &[FIRST]).unwrap();
        connection.execute("INSERT INTO first VALUES (1)", []).unwrap();
        run(&mut connection, &[FIRST, SECOND]).unwrap();
        run(&mut connection, &[FIRST, SECOND]).unwrap();
        let kept: i64 = connection.query_row("SELECT sum(x) FROM second", [], |row| row.get(0)).unwrap();
        assert_eq!(kept, 2);
    }

    #[test]
    fn a_step_that_fails_leaves_the_schema_as_it_was() {
        let mut connection = Connection::open_in_memory().unwrap();
        run(&mut connection, &[FIRST]).unwrap();
        assert!(run(&mut connection, &[FIRST, SECOND, BROKEN]).is_err());
        assert_eq!(tables(&connection), ["first", "migration"]);
    }

    #[test]
    fn changed_and_unknown_steps_are_refused() {
        let mut connection = Connection::open_in_memory().unwrap();
        run(&mut connection, &[FIRST, SECOND]).unwrap();
        assert!(matches!(
            run(&mut connection, &[FIRST, BROKEN]),
            Err(StoreError::Open { why: Unopened::Damaged(_), .. })
        ));
        assert!(matches!(
            run(&mut connection, &[FIRST]),
            Err(StoreError::Open { why: Unopened::Newer { found: 2, known: 1 }, .. })
        ));
    }

    #[test]
    fn a_reader_needs_the_newest_schema() {
        let mut connection = Connection::open_in_memory().unwrap();
        run(&mut connection, &[FIRST]).unwrap();
        let look = |steps: &[&str]| expect_current(&connection, Path::new("test.db"), steps);
        look(&[FIRST]).unwrap();
        assert!(matches!(look(&[FIRST, SECOND]), Err(StoreError::Open { why: Unopened::Refused(_), .. })));
        assert!(matches!(look(&[]), Err(StoreError::Open { why: Unopened::Newer { .. }, .. })));
    }
}
