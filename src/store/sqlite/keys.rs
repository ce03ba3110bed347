//! Finds alerts by their identity.
//!
//! Identities are random: an index that took each new one at once would write a page for nearly every alert. So new
//! alerts are kept in `tail`, a table in memory that the writing connection alone has, and merged into `alert_key`
//! later, in the order of their keys, many into each page. The row of `merged` says up to which alert that is done; what
//! is newer the writer finds in `tail`, and the reading connections at the end of the table `alert`. Nothing is known
//! in memory that is not in the file, and `tail` is part of each transaction: a rollback or a crash leaves both as they
//! were.

use rusqlite::{Connection, params};

use super::statement::Prepare as _;
use crate::alert::Identity;
use crate::store::StoreError;

/// Keys that one transaction of the writer merges beside its other work: a few milliseconds.
pub(super) const SLICE: u32 = 512;
/// Keys that one transaction merges when there is nothing else to do.
pub(super) const IDLE_SLICE: u32 = 4_096;
/// Alerts that may be in `tail`: at least, and at most. In between it is a share of all alerts, so that a merge writes
/// each page of the index for several new keys, however long it is. Reading connections look through as many rows.
const LEAST: i64 = 2_048;
const MOST: i64 = 32_768;
const SHARE: i64 = 32;
/// When idle, fewer than these stay: a merge takes a commit.
const FEW: i64 = 32;

/// Adds the tables in memory to the writing connection.
pub(super) fn open(connection: &Connection) -> Result<(), StoreError> {
    // sweep: the merge under way has come to this key and alert, and goes up to the alert `upto`; 0: there is none.
    connection.execute_batch(
        "CREATE TEMP TABLE tail (key BLOB, alert INTEGER, PRIMARY KEY (key, alert)) STRICT, WITHOUT ROWID;
         CREATE TEMP TABLE sweep (id INTEGER PRIMARY KEY, upto INTEGER, key BLOB, alert INTEGER) STRICT;
         INSERT INTO sweep VALUES (1, 0, x'', 0);
         INSERT INTO tail SELECT substr(identity, 1, 8), id FROM alert WHERE id > (SELECT alert FROM merged)",
    )?;
    Ok(())
}

/// Adds a new alert. Its id is greater than all that were given before.
pub(super) fn add(connection: &Connection, identity: &Identity, alert: i64) -> Result<(), StoreError> {
    connection.held("INSERT INTO tail VALUES (?1, ?2)")?.execute(params![&identity.0[..8], alert])?;
    Ok(())
}

/// What makes the writing connection forget an alert that is deleted next.
pub(super) const FORGET: [&str; 2] = [
    "DELETE FROM alert_key WHERE alert = ?1 AND key = (SELECT substr(identity, 1, 8) FROM alert WHERE id = ?1)",
    "DELETE FROM tail WHERE alert = ?1 AND key = (SELECT substr(identity, 1, 8) FROM alert WHERE id = ?1)",
];

/// The alerts that have the key of the identity ?1, some of them twice. For the writing connection.
pub(super) const WITH_KEY: &str = "
    SELECT alert FROM alert_key WHERE key = substr(?1, 1, 8)
    UNION ALL SELECT alert FROM tail WHERE key = substr(?1, 1, 8)";

/// The condition that the identity of the alert `a` is one of those that the SQL `wanted` gives in a column of that
/// name. For every connection.
pub(super) fn among(wanted: &str) -> String {
    format!(
        "a.id IN (
            WITH wanted AS MATERIALIZED ({wanted})
            SELECT b.id FROM wanted CROSS JOIN alert_key k ON k.key = substr(wanted.identity, 1, 8)
                CROSS JOIN alert b ON b.id = k.alert WHERE b.identity = wanted.identity
            UNION ALL
            SELECT b.id FROM alert b
                WHERE b.id > (SELECT alert FROM merged) AND b.identity IN (SELECT identity FROM wanted))"
    )
}

/// Merges a slice if there is enough to merge.
pub(super) fn merge_some(connection: &Connection) -> Result<(), StoreError> {
    let sql = "SELECT (SELECT upto FROM sweep) > 0, (SELECT ifnull(max(id), 0) FROM alert), (SELECT alert FROM merged)";
    let (under_way, last, merged) = connection
        .held(sql)?
        .query_row([], |row| Ok((row.get::<_, bool>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?)))?;
    if under_way || last - merged > (last / SHARE).clamp(LEAST, MOST) {
        merge(connection, SLICE)?;
    }
    Ok(())
}

/// Is there enough to merge for an idle writer?
pub(super) fn is_behind(connection: &Connection) -> Result<bool, StoreError> {
    let sql = "SELECT count(*) = ?1 FROM (SELECT 1 FROM tail LIMIT ?1)";
    Ok(connection.held(sql)?.query_row([FEW], |row| row.get(0))?)
}

/// Merges everything, for what is to use `alert_key` alone.
pub(super) fn merge_all(connection: &Connection) -> Result<(), StoreError> {
    while merge(connection, u32::MAX)? {}
    Ok(())
}

/// Merges the next slice of the merge under way, or of a new one; returns whether it was not the last.
pub(super) fn merge(connection: &Connection, slice: u32) -> Result<bool, StoreError> {
    let begin = "UPDATE sweep SET upto = ifnull((SELECT max(alert) FROM tail), 0), key = x'', alert = 0 WHERE upto = 0";
    connection.held(begin)?.execute([])?;
    let (upto, key, alert): (i64, Vec<u8>, i64) = connection
        .held("SELECT upto, key, alert FROM sweep")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    if upto == 0 {
        return Ok(false);
    }
    // The last row of the slice; none if fewer are left.
    let end = "SELECT key, alert FROM tail WHERE (key, alert) > (?1, ?2) AND alert <= ?3
               ORDER BY key, alert LIMIT 1 OFFSET ?4";
    let mut end = connection.held(end)?;
    let mut rows = end.query(params![key, alert, upto, slice - 1])?;
    let end: Option<(Vec<u8>, i64)> =
        rows.next()?.map(|row| Ok::<_, StoreError>((row.get(0)?, row.get(1)?))).transpose()?;
    drop(rows);
    if let Some((last_key, last_alert)) = &end {
        let copy = "INSERT OR IGNORE INTO alert_key SELECT key, alert FROM tail
                    WHERE (key, alert) > (?1, ?2) AND (key, alert) <= (?4, ?5) AND alert <= ?3 ORDER BY key, alert";
        connection.held(copy)?.execute(params![key, alert, upto, last_key, last_alert])?;
        connection.held("UPDATE sweep SET key = ?1, alert = ?2")?.execute(params![last_key, last_alert])?;
        return Ok(true);
    }
    let copy = "INSERT OR IGNORE INTO alert_key SELECT key, alert FROM tail
                WHERE (key, alert) > (?1, ?2) AND alert <= ?3 ORDER BY key, alert";
    connection.held(copy)?.execute(params![key, alert, upto])?;
    connection.held("UPDATE merged SET alert = ?1")?.execute([upto])?;
    connection.held("DELETE FROM tail WHERE alert <= ?1")?.execute([upto])?;
    connection.held("UPDATE sweep SET upto = 0")?.execute([])?;
    Ok(false)
}

#[cfg(test)]
mod tests;
