//! Deletes what is old, and what is too much, in small batches, so that writers do not wait for it. Deleted rows leave
//! free space in the files of the tables; returning it to the system is PostgreSQL's task.

use std::collections::HashSet;

use super::Db;
use super::tx::{Fault, Kind, Tx, transaction};
use super::values::values;
use crate::alert::Timestamp;
use crate::store::retention::{
    BATCH, BATCH_BYTES, FORGETS, Forgotten, LOOK, Round, Unheard, forgotten, is_young, limit,
};
use crate::store::{Pruned, Retention, StoreError};

/// Bytes of a message besides its bodies: its row, those of its transitions and attempts, their indexes.
const MESSAGE_BYTES: i64 = 1_000;

/// For each table, the expression that counts the bytes of its rows: each row's header and entries in indexes, its columns
/// of fixed length, and the texts and bodies as they are stored. A column counts once more for each index that has it.
const OF_ROWS: &str = "
    WITH columns AS (
        SELECT c.oid, c.relname, a.attname, a.attlen,
               1 + (SELECT count(*) FROM pg_index i WHERE i.indrelid = c.oid AND a.attnum = ANY (i.indkey::int2[])) AS times
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r')
    SELECT format('(SELECT %s * count(*)%s FROM %I)',
                  28 + 16 * (SELECT count(*) FROM pg_index i WHERE i.indrelid = k.oid)
                     + coalesce(sum(attlen * times) FILTER (WHERE attlen > 0), 0),
                  coalesce(string_agg(format(' + %s * coalesce(sum(pg_column_size(%I)::bigint), 0)', times, attname), '')
                           FILTER (WHERE attlen < 0), ''),
                  relname)
    FROM columns k GROUP BY oid, relname ORDER BY relname";

/// The progress of pruning, and the last measured size of the database, less what was pruned since.
#[derive(Debug, Clone, Default)]
pub(super) struct Pruning {
    round: Round,
    bytes: i64,
}

impl Db {
    /// Under the writers' lock: an admission that has read the state of an alert must find it when it writes.
    pub(in crate::store) async fn prune(&self, keep: Retention, now: Timestamp) -> Result<Pruned, StoreError> {
        let mut pruning = self.0.pruning.lock().await;
        let round = &pruning.round;
        let Batch { mut pruned, round, swept, bytes } =
            transaction!(self.writing()?, Kind::Ordered, tx => Batch::run(&tx, round.clone(), keep, now))?;
        pruning.round = round;
        pruning.bytes -= bytes;
        let bare = pruned.is_bare();
        let too_large = match keep.bytes {
            Some(most) if pruning.round.is_pressed() => pruning.bytes.max(0).unsigned_abs() > limit(most, true),
            Some(most) if pruning.round.asks_size(bare, swept) => {
                let bytes = self.size(limit(most, false)).await?;
                pruning.bytes = bytes.cast_signed();
                bytes > limit(most, false)
            }
            _ => false,
        };
        pruned.more = pruning.round.goes_on(bare, swept, too_large);
        Ok(pruned)
    }

    pub(in crate::store) async fn is_too_large(&self, bytes: u64) -> Result<bool, StoreError> {
        Ok(self.size(limit(bytes, false)).await? > limit(bytes, false))
    }

    /// Bytes of the stored data. A table's files do not shrink when rows are deleted, so their size is used only if it
    /// is at most `enough`; otherwise the rows are counted, with their share of the indexes.
    pub(in crate::store) async fn size(&self, enough: u64) -> Result<u64, StoreError> {
        let files = "SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class
                     WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'";
        let bytes: i64 = transaction!(&self.0.pool, Kind::Read, tx => async {
            let bytes: i64 = tx.only(files, values![]).await?.try_get(0)?;
            if bytes.unsigned_abs() <= enough {
                return Ok(bytes);
            }
            let mut tables: Vec<String> = Vec::new();
            for row in tx.rows(OF_ROWS, values![]).await? {
                tables.push(row.try_get(0)?);
            }
            Ok(tx.only(&format!("SELECT ({})::bigint", tables.join(" + ")), values![]).await?.try_get(0)?)
        })?;
        Ok(bytes.unsigned_abs())
    }
}

/// The result of one batch.
struct Batch {
    pruned: Pruned,
    round: Round,
    /// Everything was examined.
    swept: bool,
    /// Approximate bytes deleted.
    bytes: i64,
}

impl Batch {
    async fn run(tx: &Tx, mut round: Round, keep: Retention, now: Timestamp) -> Result<Self, Fault> {
        let before = round.before(keep, now);
        let needed = needed(tx).await?;
        let (messages, mut bytes) = messages(tx, before.record, &needed).await?;
        let mut pruned = Pruned { messages, ..Pruned::default() };
        // While the database is too large, all settled messages are deleted before anything else.
        if messages > 0 && round.is_pressed() {
            return Ok(Self { pruned, round, swept: false, bytes });
        }
        let passed = transitions(tx, &mut round, before.record, &needed, now).await?;
        let (bodies, freed, all) = bodies(tx, &mut round, before.body, &needed, now).await?;
        bytes += freed;
        pruned.bodies = bodies + notifications(tx, before.record, &needed).await?;
        pruned.alerts = alerts(tx, before.alert).await?;
        pruned.unheard = unheard(tx, before.heard, keep, now).await?;
        pruned.acts = acts(tx, before.record).await?;
        pruned.links = links(tx, before.link).await?;
        Ok(Self { pruned, round, swept: passed && all, bytes })
    }
}

/// The notifications that wegraf may still have to send about: those of escalating alerts, for all receivers that know
/// them, and those of firing alerts under a silence or followed in an upstream.
async fn needed(tx: &Tx) -> Result<HashSet<i64>, Fault> {
    let sql = "SELECT b.notification_id FROM escalation e JOIN alert a ON a.id = e.alert_id
                      JOIN alert b ON b.identity = a.identity
               UNION SELECT a.notification_id FROM silence s JOIN act_alert x ON x.act_id = s.act_id
                      JOIN alert a ON a.id = x.alert_id WHERE a.status = 'firing'
               UNION SELECT a.notification_id FROM truth t JOIN alert a ON a.id = t.alert_id
                      WHERE a.status = 'firing' AND t.upstream <> ''";
    tx.rows(sql, values![]).await?.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// Deletes settled messages, the oldest first, and their notifications when no other message refers to them. Returns
/// how many, and approximately how many bytes.
async fn messages(tx: &Tx, before: Timestamp, needed: &HashSet<i64>) -> Result<(u64, i64), Fault> {
    let old = "SELECT m.id, m.notification_id, octet_length(n.raw)::bigint
               FROM message m LEFT JOIN notification n ON n.id = m.notification_id
               WHERE m.settled_at < $1 ORDER BY m.settled_at LIMIT $2";
    let (mut ids, mut about, mut bytes): (Vec<i64>, Vec<i64>, i64) = (Vec::new(), Vec::new(), 0);
    for row in tx.rows(old, values![before.0, BATCH]).await? {
        let notification: i64 = row.try_get(1)?;
        ids.push(row.try_get(0)?);
        bytes += MESSAGE_BYTES;
        if !needed.contains(&notification) {
            about.push(notification);
            bytes += row.try_get::<_, Option<i64>>(2)?.unwrap_or(0);
        }
        if bytes >= BATCH_BYTES {
            break;
        }
    }
    if ids.is_empty() {
        return Ok((0, 0));
    }
    for table in ["attempt", "part", "transition", "card_alert", "card"] {
        tx.execute(&format!("DELETE FROM {table} WHERE message_id = ANY ($1)"), values![; ids]).await?;
    }
    tx.execute("DELETE FROM message WHERE id = ANY ($1)", values![; ids]).await?;
    notifications_of_none(tx, before, &about).await?;
    Ok((ids.len() as u64, bytes))
}

/// Deletes those of these notifications that no message refers to any more; never the newest, as in SQLite.
async fn notifications_of_none(tx: &Tx, before: Timestamp, ids: &[i64]) -> Result<u64, Fault> {
    let sql = "DELETE FROM notification n WHERE n.id = ANY ($2) AND n.received_at < $1
                 AND n.id < (SELECT max(id) FROM notification)
                 AND NOT EXISTS (SELECT 1 FROM message m WHERE m.notification_id = n.id)";
    tx.execute_if(!ids.is_empty(), sql, values![before.0; ids]).await
}

/// Deletes suppressed transitions, and their notifications if these had no other transitions. Returns whether all were
/// examined.
async fn transitions(
    tx: &Tx,
    round: &mut Round,
    before: Timestamp,
    needed: &HashSet<i64>,
    now: Timestamp,
) -> Result<bool, Fault> {
    let sql = "SELECT id, at, notification_id, fate = 'suppressed' FROM transition WHERE id > $1 ORDER BY id LIMIT $2";
    let rows = tx.rows(sql, values![round.transition, i64::from(LOOK)]).await?;
    let (mut young, mut suppressed, mut about) = (false, Vec::new(), Vec::new());
    for row in &rows {
        let at: i64 = row.try_get(1)?;
        if is_young(at, before, now) {
            young = true;
            break;
        }
        round.transition = row.try_get(0)?;
        if at < before.0 && row.try_get(3)? {
            suppressed.push(round.transition);
            about.push(row.try_get::<_, i64>(2)?);
        }
    }
    about.retain(|id| !needed.contains(id));
    let sql = "DELETE FROM transition WHERE id = ANY ($1)";
    tx.execute_if(!suppressed.is_empty(), sql, values![; suppressed]).await?;
    notifications_of_none(tx, before, &about).await?;
    Ok(young || rows.len() < LOOK as usize)
}

/// Deletes bodies in the order of arrival, except those that a live message may still be rendered from. Returns how
/// many, their bytes, and whether all were examined.
async fn bodies(
    tx: &Tx,
    round: &mut Round,
    before: Timestamp,
    needed: &HashSet<i64>,
    now: Timestamp,
) -> Result<(u64, i64, bool), Fault> {
    let mut prefix: i64 = tx.only("SELECT notification FROM pruned", values![]).await?.try_get(0)?;
    let looked = *round.notification.get_or_insert(prefix);
    let sql = "SELECT n.id, n.received_at, octet_length(n.raw)::bigint, octet_length(n.raw) > 0
                      AND EXISTS (SELECT 1 FROM message m WHERE m.notification_id = n.id AND m.settled_at IS NULL)
               FROM notification n WHERE n.id > $1 ORDER BY n.id LIMIT $2";
    let rows = tx.rows(sql, values![looked, i64::from(LOOK)]).await?;
    let (mut given_up, mut bytes, mut all): (Vec<i64>, i64, bool) = (Vec::new(), 0, rows.len() < LOOK as usize);
    for row in &rows {
        let (id, at, length): (i64, i64, i64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        if is_young(at, before, now) {
            all = true;
            break;
        }
        if bytes >= BATCH_BYTES {
            all = false;
            break;
        }
        if length > 0 && at < before.0 && !row.try_get::<_, bool>(3)? && !needed.contains(&id) {
            given_up.push(id);
            bytes += length;
        } else {
            round.left |= length > 0;
        }
        round.notification = Some(id);
        prefix = if round.left { prefix } else { id };
    }
    let sql = "UPDATE notification SET raw = '' WHERE id = ANY ($1)";
    tx.execute_if(!given_up.is_empty(), sql, values![; given_up]).await?;
    tx.execute("UPDATE pruned SET notification = $1 WHERE notification < $1", values![prefix]).await?;
    Ok((given_up.len() as u64, bytes, all))
}

/// Deletes notifications that no message refers to any more, among the oldest: [`messages`] left them because they were
/// the newest then.
async fn notifications(tx: &Tx, before: Timestamp, needed: &HashSet<i64>) -> Result<u64, Fault> {
    let sql = "SELECT n.id FROM (SELECT id, received_at FROM notification ORDER BY id LIMIT $2) n
        WHERE n.received_at < $1 AND n.id < (SELECT max(id) FROM notification)
          AND NOT EXISTS (SELECT 1 FROM message m WHERE m.notification_id = n.id) LIMIT $3";
    let mut ids = Vec::new();
    for row in tx.rows(sql, values![before.0, i64::from(LOOK), BATCH]).await? {
        ids.push(row.try_get(0)?);
    }
    ids.retain(|id| !needed.contains(id));
    notifications_of_none(tx, before, &ids).await
}

/// Deletes resolved alerts without pending transitions. Age alone is not enough: a message may wait for a repair for
/// any time, and the clock may be set.
async fn alerts(tx: &Tx, before: Timestamp) -> Result<u64, Fault> {
    let old = "SELECT id FROM alert WHERE status = 'resolved' AND told_at < $1
        AND NOT EXISTS (SELECT 1 FROM transition t WHERE t.alert_id = alert.id AND t.fate = 'pending') LIMIT $2";
    let ids = ids(tx, old, before).await?;
    forget_alerts(tx, &ids).await?;
    Ok(ids.len() as u64)
}

/// Deletes firing alerts that no sender has reported for long, to any receiver; not while a transition of theirs is
/// pending, or a silence keeps their sender from reporting. The reason is recorded.
async fn unheard(tx: &Tx, before: Timestamp, keep: Retention, now: Timestamp) -> Result<u64, Fault> {
    let sql = "SELECT a.id, a.thread, a.name, a.receiver, a.labels FROM alert a
        WHERE a.status = 'firing' AND greatest(a.told_at, coalesce(a.heard_at, a.told_at)) < $1
          AND NOT EXISTS (SELECT 1 FROM alert b WHERE b.identity = a.identity AND b.status = 'firing'
                          AND greatest(b.told_at, coalesce(b.heard_at, b.told_at)) >= $1)
          AND NOT EXISTS (SELECT 1 FROM transition t WHERE t.alert_id = a.id AND t.fate = 'pending')
          AND NOT EXISTS (SELECT 1 FROM act_alert x JOIN silence s ON s.act_id = x.act_id
                          WHERE x.alert_id = a.id AND s.until >= $2)
        ORDER BY a.thread, a.id LIMIT $3";
    let mut unheard = Vec::new();
    for row in tx.rows(sql, values![before.0, now.0, BATCH]).await? {
        unheard.push(Unheard {
            alert: row.try_get(0)?,
            thread: row.try_get(1)?,
            name: row.try_get(2)?,
            receiver: row.try_get(3)?,
            labels_json: row.try_get(4)?,
        });
    }
    let [by, via] = FORGETS;
    let act = "INSERT INTO act (event, at, kind, state, by, via, thread, detail)
               VALUES ($1, $2, 'forget', 'done', $3, $4, $5, $6) ON CONFLICT (event) DO NOTHING";
    for Forgotten { thread, event, detail, .. } in forgotten(&unheard, keep) {
        tx.execute(act, values![event, now.0, by, via, thread, detail]).await?;
    }
    let ids: Vec<i64> = unheard.iter().map(|alert| alert.alert).collect();
    forget_alerts(tx, &ids).await?;
    Ok(ids.len() as u64)
}

/// Deletes alerts with the rows that refer to them.
async fn forget_alerts(tx: &Tx, ids: &[i64]) -> Result<(), Fault> {
    for (table, key) in
        [("act_alert", "alert_id"), ("card_alert", "alert_id"), ("escalation", "alert_id"), ("alert", "id")]
    {
        let sql = format!("DELETE FROM {table} WHERE {key} = ANY ($1)");
        tx.execute_if(!ids.is_empty(), &sql, values![; ids]).await?;
    }
    Ok(())
}

/// Deletes acts with their silences: not while an alert that they touched is firing, a silence lasts, or a message is
/// about them.
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

/// Deletes short links.
async fn links(tx: &Tx, before: Timestamp) -> Result<u64, Fault> {
    let sql = "DELETE FROM short_link WHERE code IN (SELECT code FROM short_link WHERE ends_at < $1 LIMIT $2)";
    tx.execute(sql, values![before.0, BATCH]).await
}

/// One batch of ids of what is older than `before`.
async fn ids(tx: &Tx, sql: &str, before: Timestamp) -> Result<Vec<i64>, Fault> {
    let rows = tx.rows(sql, values![before.0, BATCH]).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}
