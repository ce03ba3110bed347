//! Deletes what is old, and what is too much, in small batches, so that writers do not wait for it; and shrinks the
//! file.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError};

use rusqlite::{Connection, OptionalExtension as _, params};

use super::Db;
use super::keys;
use super::statement::Prepare as _;
use crate::alert::Timestamp;
use crate::store::retention::{
    BATCH, BATCH_BYTES, FORGETS, Forgotten, LOOK, Round, Unheard, forgotten, is_young, limit,
};
use crate::store::{Pruned, Retention, StoreError};

/// Free pages that one batch returns: the last pages of the file are moved for it, 2 MiB of writing.
const GIVEN_BACK: i64 = 512;
/// Free pages that stay (1 MiB): new rows use them, so that the file does not grow and shrink with each message.
const FREE: i64 = 256;

impl Db {
    pub(in crate::store) async fn prune(&self, keep: Retention, now: Timestamp) -> Result<Pruned, StoreError> {
        let round = Arc::clone(&self.0.round);
        self.write(move |connection| {
            let mut round = round.lock().unwrap_or_else(PoisonError::into_inner);
            let mut pruned = batch(connection, &mut round, keep, now)?;
            pruned.more |= give_back(connection)?;
            Ok(pruned)
        })
        .await
    }

    pub(in crate::store) async fn is_too_large(&self, bytes: u64) -> Result<bool, StoreError> {
        self.read(move |connection| Ok(size(connection)? > limit(bytes, false))).await
    }
}

/// Bytes of the file without its free pages: its size after shrinking.
fn size(connection: &Connection) -> rusqlite::Result<u64> {
    let bytes =
        (figure(connection, "page_count")? - figure(connection, "freelist_count")?) * figure(connection, "page_size")?;
    Ok(bytes.unsigned_abs())
}

fn figure(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}

fn batch(connection: &Connection, round: &mut Round, keep: Retention, now: Timestamp) -> Result<Pruned, StoreError> {
    let before = round.before(keep, now);
    keys::merge_all(connection)?;
    connection
        .held(
            "UPDATE given SET (notification, alert, message, transition, act)
                 = (SELECT notification - 1, alert - 1, message - 1, transition - 1, act - 1 FROM next_id)",
        )?
        .execute([])?;
    let needed = needed(connection)?;
    let mut pruned = Pruned { messages: messages(connection, before.record, &needed)?, ..Pruned::default() };
    // While the database is too large, all settled messages are deleted before anything else.
    let mut swept = false;
    if pruned.messages == 0 || !round.is_pressed() {
        swept = transitions(connection, round, before.record, &needed, now)?;
        let (bodies, all) = bodies(connection, round, before.body, &needed, now)?;
        swept &= all;
        pruned.bodies = bodies + notifications(connection, before.record, &needed)?;
        pruned.alerts = alerts(connection, before.alert)?;
        pruned.unheard = unheard(connection, before.heard, keep, now)?;
        pruned.acts = acts(connection, before.record)?;
        pruned.links = links(connection, before.link)?;
    }
    let bare = pruned.is_bare();
    let too_large = match keep.bytes {
        Some(most) if round.asks_size(bare, swept) => size(connection)? > limit(most, round.is_pressed()),
        _ => false,
    };
    pruned.more = round.goes_on(bare, swept, too_large);
    Ok(pruned)
}

/// The notifications that wegraf may still have to send about: those of escalating alerts, for all receivers that know
/// them, and those of firing alerts under a silence or followed in an upstream.
fn needed(connection: &Connection) -> Result<HashSet<i64>, StoreError> {
    let mut select = connection.held(
        "SELECT b.notification_id FROM escalation e JOIN alert a ON a.id = e.alert_id
                CROSS JOIN alert_key k ON k.key = substr(a.identity, 1, 8)
                CROSS JOIN alert b ON b.id = k.alert AND b.identity = a.identity
         UNION SELECT a.notification_id FROM silence s JOIN act_alert x ON x.act_id = s.act_id
                JOIN alert a ON a.id = x.alert_id WHERE a.status = 'firing'
         UNION SELECT a.notification_id FROM truth t JOIN alert a ON a.id = t.alert_id
                WHERE a.status = 'firing' AND t.upstream <> ''",
    )?;
    let ids = select.query_map([], |row| row.get(0))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

/// Deletes settled messages, the oldest first, and their notifications when no other message refers to them.
fn messages(connection: &Connection, before: Timestamp, needed: &HashSet<i64>) -> Result<u64, StoreError> {
    let sql = "SELECT id, notification_id FROM message WHERE settled_at < ?1 ORDER BY settled_at LIMIT ?2";
    let mut select = connection.held(sql)?;
    let rows = select.query_map([before.0, BATCH], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let tables = [
        "DELETE FROM attempt WHERE message_id = ?1",
        "DELETE FROM part WHERE message_id = ?1",
        "DELETE FROM transition WHERE message_id = ?1",
        "DELETE FROM card_alert WHERE message_id = ?1",
        "DELETE FROM card WHERE message_id = ?1",
        "DELETE FROM message_term WHERE rowid = ?1",
        "DELETE FROM term_again WHERE message_id = ?1",
        "DELETE FROM message WHERE id = ?1",
    ];
    let (mut gone, mut bytes) = (0, 0);
    for (message, notification) in rows.collect::<Result<Vec<(i64, i64)>, _>>()? {
        delete(connection, &tables, &[message])?;
        gone += 1;
        if !needed.contains(&notification) {
            bytes += notification_of_none(connection, notification, before)?;
        }
        if bytes >= BATCH_BYTES {
            break;
        }
    }
    Ok(gone)
}

/// Deletes a notification if no message refers to it any more; returns the bytes of its body. Never the newest: its id
/// must not be given twice.
fn notification_of_none(connection: &Connection, id: i64, before: Timestamp) -> Result<i64, StoreError> {
    let sql = "DELETE FROM notification WHERE id = ?1 AND received_at < ?2
               AND id < (SELECT max(id) FROM notification)
               AND NOT EXISTS (SELECT 1 FROM message m WHERE m.notification_id = ?1) RETURNING length(raw)";
    let bytes = connection.held(sql)?.query_row([id, before.0], |row| row.get(0)).optional()?;
    Ok(bytes.unwrap_or(0))
}

/// Deletes suppressed transitions, and their notifications if these had no other transitions. Returns whether all were
/// examined.
fn transitions(
    connection: &Connection,
    round: &mut Round,
    before: Timestamp,
    needed: &HashSet<i64>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let sql = "SELECT id, at, notification_id, fate = 'suppressed' FROM transition WHERE id > ?1 ORDER BY id LIMIT ?2";
    let mut select = connection.held(sql)?;
    let mut rows = select.query([round.transition, i64::from(LOOK)])?;
    let (mut looked, mut young, mut suppressed) = (0, false, Vec::new());
    while let Some(row) = rows.next()? {
        let at: i64 = row.get(1)?;
        if is_young(at, before, now) {
            young = true;
            break;
        }
        looked += 1;
        round.transition = row.get(0)?;
        if at < before.0 && row.get(3)? {
            suppressed.push((round.transition, row.get(2)?));
        }
    }
    for (transition, notification) in suppressed {
        delete(connection, &["DELETE FROM transition WHERE id = ?1"], &[transition])?;
        if !needed.contains(&notification) {
            notification_of_none(connection, notification, before)?;
        }
    }
    Ok(young || looked < LOOK)
}

/// Deletes bodies in the order of arrival, except those that a live message may still be rendered from. Returns how
/// many, and whether all were examined.
fn bodies(
    connection: &Connection,
    round: &mut Round,
    before: Timestamp,
    needed: &HashSet<i64>,
    now: Timestamp,
) -> Result<(u64, bool), StoreError> {
    let mut prefix = connection.held("SELECT notification FROM pruned")?.query_row([], |row| row.get(0))?;
    let looked = *round.notification.get_or_insert(prefix);
    let mut select = connection.held(
        "SELECT n.id, n.received_at, length(n.raw), length(n.raw) > 0
                AND EXISTS (SELECT 1 FROM message m WHERE m.notification_id = n.id AND m.settled_at IS NULL)
         FROM notification n WHERE n.id > ?1 ORDER BY n.id LIMIT ?2",
    )?;
    let mut give_up = connection.held("UPDATE notification SET raw = x'' WHERE id = ?1")?;
    let rows = select.query_map([looked, i64::from(LOOK)], Body::of)?.collect::<Result<Vec<Body>, _>>()?;
    let (mut given_up, mut bytes, mut all) = (0, 0, rows.len() < LOOK as usize);
    for body in rows {
        if is_young(body.at, before, now) {
            all = true;
            break;
        }
        if bytes >= BATCH_BYTES {
            all = false;
            break;
        }
        if body.length > 0 && body.at < before.0 && !body.live && !needed.contains(&body.id) {
            give_up.execute([body.id])?;
            (given_up, bytes) = (given_up + 1, bytes + body.length);
        } else {
            round.left |= body.length > 0;
        }
        round.notification = Some(body.id);
        prefix = if round.left { prefix } else { body.id };
    }
    connection.held("UPDATE pruned SET notification = ?1 WHERE notification < ?1")?.execute([prefix])?;
    Ok((given_up, all))
}

/// The body of a notification.
struct Body {
    id: i64,
    at: i64,
    length: i64,
    live: bool,
}

impl Body {
    fn of(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { id: row.get(0)?, at: row.get(1)?, length: row.get(2)?, live: row.get(3)? })
    }
}

/// Deletes notifications that no message refers to any more, among the oldest: [`messages`] left them because they were
/// the newest then.
fn notifications(connection: &Connection, before: Timestamp, needed: &HashSet<i64>) -> Result<u64, StoreError> {
    let sql = "SELECT n.id FROM (SELECT id, received_at FROM notification ORDER BY id LIMIT ?2) n
        WHERE n.received_at < ?1 AND n.id < (SELECT max(id) FROM notification)
          AND NOT EXISTS (SELECT 1 FROM message m WHERE m.notification_id = n.id) LIMIT ?3";
    let ids: Vec<i64> = connection
        .held(sql)?
        .query_map([before.0, i64::from(LOOK), BATCH], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let ids: Vec<i64> = ids.into_iter().filter(|id| !needed.contains(id)).collect();
    delete(connection, &["DELETE FROM notification WHERE id = ?1"], &ids)?;
    Ok(ids.len() as u64)
}

/// An alert with the rows that refer to it.
const OF_ALERT: [&str; 6] = [
    "DELETE FROM act_alert WHERE alert_id = ?1",
    "DELETE FROM card_alert WHERE alert_id = ?1",
    "DELETE FROM escalation WHERE alert_id = ?1",
    keys::FORGET[0],
    keys::FORGET[1],
    "DELETE FROM alert WHERE id = ?1",
];

/// Deletes resolved alerts without pending transitions. Age alone is not enough: a message may wait for a repair for
/// any time, and the clock may be set.
fn alerts(connection: &Connection, before: Timestamp) -> Result<u64, StoreError> {
    let sql = "SELECT id FROM alert WHERE status = 'resolved' AND told_at < ?1
        AND NOT EXISTS (SELECT 1 FROM transition t WHERE t.alert_id = alert.id AND t.fate = 'pending') LIMIT ?2";
    let ids = ids(connection, sql, before)?;
    delete(connection, &OF_ALERT, &ids)?;
    Ok(ids.len() as u64)
}

/// Deletes firing alerts that no sender has reported for long, to any receiver; not while a transition of theirs is
/// pending, or a silence keeps their sender from reporting. The reason is recorded.
fn unheard(connection: &Connection, before: Timestamp, keep: Retention, now: Timestamp) -> Result<u64, StoreError> {
    let sql = "SELECT a.id, a.thread, a.name, a.receiver, a.labels FROM alert a
        WHERE a.status = 'firing' AND max(a.told_at, ifnull(a.heard_at, a.told_at)) < ?1
          AND NOT EXISTS (SELECT 1 FROM alert_key k CROSS JOIN alert b ON b.id = k.alert
                          WHERE k.key = substr(a.identity, 1, 8) AND b.identity = a.identity AND b.status = 'firing'
                            AND max(b.told_at, ifnull(b.heard_at, b.told_at)) >= ?1)
          AND NOT EXISTS (SELECT 1 FROM transition t WHERE t.alert_id = a.id AND t.fate = 'pending')
          AND NOT EXISTS (SELECT 1 FROM act_alert x JOIN silence s ON s.act_id = x.act_id
                          WHERE x.alert_id = a.id AND s.until >= ?2)
        ORDER BY a.thread, a.id LIMIT ?3";
    let unheard: Vec<Unheard> = connection
        .held(sql)?
        .query_map([before.0, now.0, BATCH], |row| {
            Ok(Unheard {
                alert: row.get(0)?,
                thread: row.get(1)?,
                name: row.get(2)?,
                receiver: row.get(3)?,
                labels_json: row.get(4)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    let [by, via] = FORGETS;
    for Forgotten { thread, event, detail, alerts } in forgotten(&unheard, keep) {
        connection
            .held(
                "INSERT OR IGNORE INTO act (id, event, at, kind, state, by, via, thread, detail)
                 VALUES ((SELECT act FROM next_id), ?1, ?2, 'forget', 'done', ?3, ?4, ?5, ?6)",
            )?
            .execute(params![event, now.0, by, via, thread, detail])?;
        let ids: Vec<i64> = alerts.iter().map(|alert| alert.alert).collect();
        delete(connection, &OF_ALERT, &ids)?;
    }
    Ok(unheard.len() as u64)
}

/// Deletes acts with their silences: not while an alert that they touched is firing, a silence lasts, or a message is
/// about them.
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

/// Deletes short links.
fn links(connection: &Connection, before: Timestamp) -> Result<u64, StoreError> {
    let sql = "DELETE FROM short_link WHERE code IN (SELECT code FROM short_link WHERE ends_at < ?1 LIMIT ?2)";
    Ok(connection.held(sql)?.execute(params![before.0, BATCH])? as u64)
}

/// One batch of ids of what is older than `before`.
fn ids(connection: &Connection, sql: &str, before: Timestamp) -> Result<Vec<i64>, StoreError> {
    let mut select = connection.held(sql)?;
    let ids = select.query_map([before.0, BATCH], |row| row.get(0))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

fn delete(connection: &Connection, tables: &[&str], ids: &[i64]) -> Result<(), StoreError> {
    for sql in tables {
        let mut delete = connection.held(sql)?;
        for id in ids {
            delete.execute([id])?;
        }
    }
    Ok(())
}

/// Returns free pages to the file system; the next checkpoint shortens the file. Returns whether there are more. A file
/// from before this was supported keeps its free pages for new rows.
fn give_back(connection: &Connection) -> Result<bool, StoreError> {
    let free = figure(connection, "freelist_count")?;
    if free <= FREE || figure(connection, "auto_vacuum")? == 0 {
        return Ok(false);
    }
    connection.pragma(None, "incremental_vacuum", GIVEN_BACK.min(free - FREE), |_| Ok(()))?;
    let left = figure(connection, "freelist_count")?;
    Ok(left < free && left > FREE)
}
