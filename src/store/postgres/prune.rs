//! Forgetting what is old, a little at a time, so that nobody who writes has to wait for it.

use super::Db;
use super::tx::{Fault, Kind, Tx, transaction};
use super::values::values;
use crate::alert::Timestamp;
use crate::store::{Pruned, Retention, StoreError};

/// Rows of a kind that one batch takes away.
const BATCH: i64 = 300;
/// Rows that one batch looks at where there is no index for what it wants: the oldest, which are the ones to go.
const LOOK: i64 = 3_000;
/// An alert is forgotten so much later than what was told of it: the record that names it goes first.
const ALERT_LATER_MS: i64 = 2 * 24 * 3_600_000;

impl Db {
    /// With the writers' lock: an admission that has read the state of an alert must find it when it writes.
    pub(in crate::store) async fn prune(&self, keep: Retention, now: Timestamp) -> Result<Pruned, StoreError> {
        let oldest = now.plus_millis(-keep.record_ms);
        let too_large = match keep.bytes {
            None => false,
            Some(most) => transaction!(&self.0.pool, Kind::Read, tx => is_larger(&tx, most))?,
        };
        let raw_before = if too_large { now } else { now.plus_millis(-keep.raw_ms) };
        transaction!(self.writing()?, Kind::Ordered, tx => async {
            let pruned = Pruned {
                messages: messages(&tx, oldest).await?,
                bodies: bodies(&tx, raw_before).await? + notifications(&tx, oldest).await?,
                alerts: alerts(&tx, oldest.plus_millis(-ALERT_LATER_MS)).await?,
                acts: acts(&tx, oldest).await?,
            };
            Ok(pruned)
        })
    }
}

/// Does what is kept take more than `most` bytes? The file of a table does not shrink when rows go, so where that
/// looks too large, the bodies that are left are counted in its stead.
async fn is_larger(tx: &Tx, most: u64) -> Result<bool, Fault> {
    let files = "SELECT coalesce(sum(pg_total_relation_size(oid)) FILTER (WHERE relname <> 'notification'), 0)::bigint,
                        coalesce(sum(pg_total_relation_size(oid)), 0)::bigint
                 FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'
                   AND relname IN ('notification', 'alert', 'message', 'transition', 'part', 'attempt', 'budget')";
    let row = tx.only(files, values![]).await?;
    let (others, all): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
    if all.unsigned_abs() <= most {
        return Ok(false);
    }
    let bodies = "SELECT coalesce(sum(pg_column_size(raw)), 0)::bigint FROM notification
                  WHERE id > (SELECT notification FROM pruned)";
    let bodies: i64 = tx.only(bodies, values![]).await?.try_get(0)?;
    Ok((others + bodies).unsigned_abs() > most)
}

async fn messages(tx: &Tx, before: Timestamp) -> Result<u64, Fault> {
    let old = "SELECT id FROM message WHERE settled_at < $1 ORDER BY settled_at LIMIT $2";
    let ids = ids(tx, old, before).await?;
    if !ids.is_empty() {
        for table in ["attempt", "part", "transition", "card_alert", "card"] {
            tx.execute(&format!("DELETE FROM {table} WHERE message_id = ANY ($1)"), values![; ids]).await?;
        }
        tx.execute("DELETE FROM message WHERE id = ANY ($1)", values![; ids]).await?;
    }
    let suppressed = "DELETE FROM transition WHERE id IN (
        SELECT id FROM (SELECT id, fate, at FROM transition ORDER BY id LIMIT $2) oldest
        WHERE fate = 'suppressed' AND at < $1 LIMIT $3)";
    tx.execute(suppressed, values![before.0, LOOK, BATCH]).await?;
    Ok(ids.len() as u64)
}

/// Gives up the bodies of old notifications in their order, up to the first that a live message may still be written
/// from.
async fn bodies(tx: &Tx, before: Timestamp) -> Result<u64, Fault> {
    let old = "SELECT n.id, EXISTS (SELECT 1 FROM message m WHERE m.notification_id = n.id AND m.settled_at IS NULL)
               FROM notification n WHERE n.id > (SELECT notification FROM pruned) AND n.received_at < $1
               ORDER BY n.id LIMIT $2";
    let mut given_up: Vec<i64> = Vec::new();
    for row in tx.rows(old, values![before.0, BATCH]).await? {
        if row.try_get(1)? {
            break;
        }
        given_up.push(row.try_get(0)?);
    }
    if let Some(last) = given_up.last() {
        tx.execute("UPDATE notification SET raw = '' WHERE id = ANY ($1)", values![; given_up]).await?;
        tx.execute("UPDATE pruned SET notification = $1", values![*last]).await?;
    }
    Ok(given_up.len() as u64)
}

/// Notifications that no message is about any more; never the newest, as in the other half.
async fn notifications(tx: &Tx, before: Timestamp) -> Result<u64, Fault> {
    let sql = "DELETE FROM notification WHERE id IN (
        SELECT n.id FROM (SELECT id, received_at FROM notification ORDER BY id LIMIT $2) n
        WHERE n.received_at < $1 AND n.id < (SELECT max(id) FROM notification)
          AND NOT EXISTS (SELECT 1 FROM message m WHERE m.notification_id = n.id) LIMIT $3)";
    tx.execute(sql, values![before.0, LOOK, BATCH]).await
}

/// Alerts that are over and of which nobody is still to hear: a message may wait for a repair however long, and a clock
/// may be set.
async fn alerts(tx: &Tx, before: Timestamp) -> Result<u64, Fault> {
    let old = "SELECT id FROM alert WHERE status = 'resolved' AND told_at < $1
        AND NOT EXISTS (SELECT 1 FROM transition t WHERE t.alert_id = alert.id AND t.fate = 'pending') LIMIT $2";
    let ids = ids(tx, old, before).await?;
    for table in ["act_alert", "card_alert", "escalation"] {
        let sql = format!("DELETE FROM {table} WHERE alert_id = ANY ($1)");
        tx.execute_if(!ids.is_empty(), &sql, values![; ids]).await?;
    }
    tx.execute_if(!ids.is_empty(), "DELETE FROM alert WHERE id = ANY ($1)", values![; ids]).await?;
    Ok(ids.len() as u64)
}

/// Acts with their silences: not while an alert that they touched is on, a silence lasts, or a message tells of them.
async fn acts(tx: &Tx, before: Timestamp) -> Result<u64, Fault> {
    let old = "SELECT c.id FROM act c WHERE c.at < $1
        AND NOT EXISTS (SELECT 1 FROM act_alert x JOIN alert a ON a.id = x.alert_id
                        WHERE x.act_id = c.id AND a.status = 'firing')
        AND NOT EXISTS (SELECT 1 FROM silence s WHERE s.act_id = c.id AND s.until >= $1)
        AND NOT EXISTS (SELECT 1 FROM message m WHERE m.act_id = c.id) ORDER BY c.at LIMIT $2";
    let ids = ids(tx, old, before).await?;
    for table in ["act_alert", "silence"] {
        let sql = format!("DELETE FROM {table} WHERE act_id = ANY ($1)");
        tx.execute_if(!ids.is_empty(), &sql, values![; ids]).await?;
    }
    tx.execute_if(!ids.is_empty(), "DELETE FROM act WHERE id = ANY ($1)", values![; ids]).await?;
    Ok(ids.len() as u64)
}

/// One batch of what is older than `before`.
async fn ids(tx: &Tx, sql: &str, before: Timestamp) -> Result<Vec<i64>, Fault> {
    let rows = tx.rows(sql, values![before.0, BATCH]).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}
