//! Forgetting what is old, a little at a time, so that nobody who writes has to wait for it.

use rusqlite::{Connection, params};

use super::Db;
use crate::alert::Timestamp;
use crate::store::{Pruned, Retention, StoreError};

/// Rows of a kind that one batch takes away.
const BATCH: i64 = 300;
/// Rows that one batch looks at where there is no index for what it wants: the oldest, which are the ones to go.
const LOOK: i64 = 3_000;
/// An alert is forgotten so much later than what was told of it: the record that names it goes first.
const ALERT_LATER_MS: i64 = 2 * 24 * 3_600_000;

impl Db {
    pub(in crate::store) async fn prune(&self, keep: Retention, now: Timestamp) -> Result<Pruned, StoreError> {
        self.write(move |connection| {
            let oldest = now.plus_millis(-keep.record_ms);
            let too_large = keep.bytes.is_some_and(|most| size(connection).is_ok_and(|bytes| bytes > most));
            let raw_before = if too_large { now } else { now.plus_millis(-keep.raw_ms) };
            Ok(Pruned {
                messages: messages(connection, oldest)?,
                bodies: bodies(connection, raw_before)? + notifications(connection, oldest)?,
                alerts: alerts(connection, oldest.plus_millis(-ALERT_LATER_MS))?,
                acts: acts(connection, oldest)?,
            })
        })
        .await
    }
}

/// Bytes of the file that hold something.
fn size(connection: &Connection) -> rusqlite::Result<u64> {
    let figure = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let bytes = (figure("page_count")? - figure("freelist_count")?) * figure("page_size")?;
    Ok(bytes.unsigned_abs())
}

fn messages(connection: &Connection, before: Timestamp) -> Result<u64, StoreError> {
    let ids = ids(connection, "SELECT id FROM message WHERE settled_at < ?1 ORDER BY settled_at LIMIT ?2", before)?;
    let tables = [
        "DELETE FROM attempt WHERE message_id = ?1",
        "DELETE FROM part WHERE message_id = ?1",
        "DELETE FROM transition WHERE message_id = ?1",
        "DELETE FROM card_alert WHERE message_id = ?1",
        "DELETE FROM card WHERE message_id = ?1",
        "DELETE FROM message WHERE id = ?1",
    ];
    delete(connection, &tables, &ids)?;
    let suppressed = "DELETE FROM transition WHERE id IN (
        SELECT id FROM (SELECT id, fate, at FROM transition ORDER BY id LIMIT ?2)
        WHERE fate = 'suppressed' AND at < ?1 LIMIT ?3)";
    connection.prepare_cached(suppressed)?.execute([before.0, LOOK, BATCH])?;
    Ok(ids.len() as u64)
}

/// Bodies in the order they came, up to the first that a live message may still be written from.
fn bodies(connection: &Connection, before: Timestamp) -> Result<u64, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT n.id, EXISTS (SELECT 1 FROM message m WHERE m.notification_id = n.id AND m.settled_at IS NULL)
         FROM notification n WHERE n.id > (SELECT notification FROM pruned) AND n.received_at < ?1
         ORDER BY n.id LIMIT ?2",
    )?;
    let rows = select.query_map([before.0, BATCH], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, bool>(1)?)))?;
    let mut given_up = 0;
    for row in rows {
        let (id, live) = row?;
        if live {
            break;
        }
        connection.prepare_cached("UPDATE notification SET raw = x'' WHERE id = ?1")?.execute([id])?;
        connection.prepare_cached("UPDATE pruned SET notification = ?1")?.execute([id])?;
        given_up += 1;
    }
    Ok(given_up)
}

/// Notifications that no message is about any more; never the newest: its id must not be given twice.
fn notifications(connection: &Connection, before: Timestamp) -> Result<u64, StoreError> {
    let sql = "DELETE FROM notification WHERE id IN (
        SELECT n.id FROM (SELECT id, received_at FROM notification ORDER BY id LIMIT ?2) n
        WHERE n.received_at < ?1 AND n.id < (SELECT max(id) FROM notification)
          AND NOT EXISTS (SELECT 1 FROM message m WHERE m.notification_id = n.id) LIMIT ?3)";
    Ok(connection.prepare_cached(sql)?.execute(params![before.0, LOOK, BATCH])? as u64)
}

/// Alerts that are over and of which nobody is still to hear: a message may wait for a repair however long, and a clock
/// may be set.
fn alerts(connection: &Connection, before: Timestamp) -> Result<u64, StoreError> {
    let sql = "SELECT id FROM alert WHERE status = 'resolved' AND told_at < ?1
        AND NOT EXISTS (SELECT 1 FROM transition t WHERE t.alert_id = alert.id AND t.fate = 'pending') LIMIT ?2";
    let ids = ids(connection, sql, before)?;
    let tables = [
        "DELETE FROM act_alert WHERE alert_id = ?1",
        "DELETE FROM card_alert WHERE alert_id = ?1",
        "DELETE FROM escalation WHERE alert_id = ?1",
        "DELETE FROM alert WHERE id = ?1",
    ];
    delete(connection, &tables, &ids)?;
    Ok(ids.len() as u64)
}

/// Acts with their silences: not while an alert that they touched is on, a silence lasts, or a message tells of them.
fn acts(connection: &Connection, before: Timestamp) -> Result<u64, StoreError> {
    let sql = "SELECT c.id FROM act c WHERE c.at < ?1
        AND NOT EXISTS (SELECT 1 FROM act_alert x JOIN alert a ON a.id = x.alert_id
                        WHERE x.act_id = c.id AND a.status = 'firing')
        AND NOT EXISTS (SELECT 1 FROM silence s WHERE s.act_id = c.id AND s.until >= ?1)
        AND NOT EXISTS (SELECT 1 FROM message m WHERE m.act_id = c.id) ORDER BY c.at LIMIT ?2";
    let ids = ids(connection, sql, before)?;
    let tables = [
        "DELETE FROM act_alert WHERE act_id = ?1",
        "DELETE FROM silence WHERE act_id = ?1",
        "DELETE FROM act WHERE id = ?1",
    ];
    delete(connection, &tables, &ids)?;
    Ok(ids.len() as u64)
}

/// One batch of what is older than `before`.
fn ids(connection: &Connection, sql: &str, before: Timestamp) -> Result<Vec<i64>, StoreError> {
    let mut select = connection.prepare_cached(sql)?;
    let ids = select.query_map([before.0, BATCH], |row| row.get(0))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

fn delete(connection: &Connection, tables: &[&str], ids: &[i64]) -> Result<(), StoreError> {
    for sql in tables {
        let mut delete = connection.prepare_cached(sql)?;
        for id in ids {
            delete.execute([id])?;
        }
    }
    Ok(())
}
