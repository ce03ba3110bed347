//! Admission: loads the facts that the engine decides on, and writes what it decides.
//!
//! Every sender waits for this path. For one alert with news for one target: two reads and four inserts; without news:
//! two reads.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::Db;
use super::changes::write;
use super::keys::{WITH_KEY, among};
use super::lanes::named;
use super::statement::{Held, Prepare as _};
use crate::alert::{Identity, Status, Timestamp, TransitionKind};
use crate::engine::admit::{self, Key, Merge, Waits, admit, keys, of_one_state};
use crate::engine::changes::Ids;
use crate::engine::dedup::Known;
use crate::engine::judge::AlertRow;
use crate::store::related::{CANDIDATES, Candidates, Row as RelatedRow, gathered};
use crate::store::{Admission, Admitted, Related, StoreError};

impl Db {
    pub(in crate::store) async fn candidates(
        &self,
        identity: Identity,
        kin: Related,
    ) -> Result<Candidates, StoreError> {
        self.read(move |connection| {
            let identified = among("SELECT ?1 AS identity");
            let columns = "a.identity AS identity, a.receiver, a.thread, r.family, r.event AS event, r.keyed, r.marks,
                           a.id AS id";
            let mut select = connection.held(&format!(
                "SELECT * FROM (
                 SELECT {columns} FROM alert a LEFT JOIN related r ON r.alert_id = a.id
                     WHERE {identified} AND a.status = 'firing'
                 UNION SELECT {columns} FROM related r JOIN alert a ON a.id = r.alert_id
                     WHERE r.family = ?2 AND a.status = 'firing'
                 UNION SELECT {columns} FROM related r JOIN alert a ON a.id = r.alert_id
                     WHERE r.event = ?3 AND a.status = 'firing'
                 ) ORDER BY identity <> ?1, (event = ?3) IS NOT TRUE, id LIMIT ?4"
            ))?;
            let event = kin.event.as_ref().map(|event| &event[..]);
            let rows = select.query_map(params![&identity.0[..], &kin.family[..], event, CANDIDATES + 1], |row| {
                Ok(RelatedRow {
                    identity: row.get(0)?,
                    receiver: row.get(1)?,
                    thread: row.get(2)?,
                    family: row.get(3)?,
                    event: row.get(4)?,
                    keyed: row.get(5)?,
                    marks: row.get(6)?,
                })
            })?;
            Ok(gathered(rows.collect::<Result<_, _>>()?))
        })
        .await
    }

    pub(in crate::store) async fn knowing(
        &self,
        alerts: Vec<Identity>,
    ) -> Result<HashMap<Identity, Vec<String>>, StoreError> {
        self.read(move |connection| {
            let identified = among("SELECT ?1 AS identity");
            let sql =
                format!("SELECT a.receiver FROM alert a WHERE {identified} AND a.status = 'firing' ORDER BY a.id");
            let mut select = connection.held(&sql)?;
            let mut knowing = HashMap::new();
            for identity in alerts {
                let names = select.query_map(params![&identity.0[..]], |row| row.get(0))?;
                let names = names.collect::<Result<Vec<String>, _>>()?;
                if !names.is_empty() {
                    knowing.insert(identity, names);
                }
            }
            Ok(knowing)
        })
        .await
    }
}

/// Decides about a group of admissions and writes what changes.
pub(super) fn admit_all(connection: &Connection, group: &[&Admission]) -> Result<Vec<Admitted>, StoreError> {
    let known = known(connection, keys(group.iter().copied()))?;
    let held = held(connection, group.iter().copied())?;
    let draft = admit(group.iter().copied(), known, held, last_ids(connection)?);
    let merges = draft.merges();
    let waits = waits(connection, &merges)?;
    let (admitted, changes) = draft.finish(&merges, &waits);
    write(connection, &changes)?;
    Ok(admitted)
}

/// The stored states of alerts.
fn known<'a>(
    connection: &Connection,
    keys: impl IntoIterator<Item = Key<'a>>,
) -> Result<HashMap<Key<'a>, AlertRow>, StoreError> {
    let mut select = connection.held(&format!(
        "SELECT a.id, a.thread, a.notification_id, a.status, a.starts_at, a.told_at, a.sender,
                a.acknowledged_at IS NOT NULL, max(a.told_at, ifnull(a.heard_at, a.told_at)), a.lapses_at
         FROM ({WITH_KEY}) k CROSS JOIN alert a ON a.id = k.alert WHERE a.identity = ?1 AND a.receiver = ?2 LIMIT 1"
    ))?;
    let mut known = HashMap::new();
    for key in keys {
        let row = select.query_row(params![&key.0.0[..], key.1], |row| {
            let state = Known {
                status: named(row, 3, Status::from_name)?,
                starts_at: row.get::<_, Option<i64>>(4)?.map(Timestamp),
                told_at: Timestamp(row.get(5)?),
                sender: row.get(6)?,
                acknowledged: row.get(7)?,
            };
            Ok(AlertRow {
                id: row.get(0)?,
                thread: row.get(1)?,
                notification: row.get(2)?,
                heard_at: Timestamp(row.get(8)?),
                lapses_at: row.get::<_, Option<i64>>(9)?.map(Timestamp),
                known: state,
            })
        });
        if let Some(row) = row.optional()? {
            known.insert(key, row);
        }
    }
    Ok(known)
}

/// The alerts of a group that a person has. By the index `alert_held`, which is empty or small.
fn held<'a>(
    connection: &Connection,
    group: impl IntoIterator<Item = &'a Admission>,
) -> Result<HashMap<Identity, Vec<admit::Held>>, StoreError> {
    let any: bool = connection
        .held("SELECT EXISTS (SELECT 1 FROM alert WHERE acknowledged_at IS NOT NULL)")?
        .query_row([], |row| row.get(0))?;
    let mut held = HashMap::new();
    if !any {
        return Ok(held);
    }
    let mut select = connection.held(
        "SELECT receiver, starts_at, acknowledged_by, acknowledged_at,
                (SELECT max(c.id) FROM act_alert x JOIN act c ON c.id = x.act_id
                 WHERE x.alert_id = alert.id AND x.thread = alert.thread AND c.kind = 'acknowledge' AND c.state = 'done')
         FROM alert INDEXED BY alert_held
         WHERE identity = ?1 AND acknowledged_at IS NOT NULL AND status = 'firing' ORDER BY id",
    )?;
    for (identity, _) in keys(group) {
        let rows = select.query_map([&identity.0[..]], |row| {
            Ok(admit::Held {
                receiver: row.get(0)?,
                starts_at: row.get::<_, Option<i64>>(1)?.map(Timestamp),
                by: row.get(2)?,
                at: Timestamp(row.get(3)?),
                act: row.get(4)?,
            })
        })?;
        held.insert(identity, rows.collect::<Result<_, _>>()?);
    }
    Ok(held)
}

/// The ids given so far: the greatest stored, or those given before the last were pruned.
pub(super) fn last_ids(connection: &Connection) -> Result<Ids, StoreError> {
    let sql = "SELECT notification - 1, alert - 1, message - 1, transition - 1, act - 1 FROM next_id";
    let ids = connection.held(sql)?.query_row([], |row| {
        Ok(Ids {
            notification: row.get(0)?,
            alert: row.get(1)?,
            message: row.get(2)?,
            transition: row.get(3)?,
            act: row.get(4)?,
        })
    })?;
    Ok(ids)
}

/// What waits in older messages for each merge. By the index `transition_pending`: O(transitions of the alert still to
/// be told).
fn waits(connection: &Connection, merges: &[Merge<'_>]) -> Result<Vec<Waits>, StoreError> {
    if merges.is_empty() {
        return Ok(Vec::new());
    }
    let select = connection.held(
        "SELECT m.id, count(*) FROM transition t JOIN message m ON m.id = t.message_id
         WHERE t.alert_id = ?1 AND t.fate = 'pending' AND t.lane = ?2 AND m.id <= ?3
           AND m.version = 0 AND m.state = 'queued' AND m.digest = 0 AND m.fell_back_at IS NULL
         GROUP BY m.id",
    )?;
    found(connection, select, merges)
}

/// The same for a message about an act: only older ones about acts that changed the same state.
pub(super) fn act_waits(
    connection: &Connection,
    merges: &[Merge<'_>],
    kind: TransitionKind,
) -> Result<Vec<Waits>, StoreError> {
    let [one, other] = of_one_state(kind).map(TransitionKind::as_str);
    let select = connection.held(&format!(
        "SELECT m.id, count(*) FROM transition t JOIN message m ON m.id = t.message_id
         WHERE t.alert_id = ?1 AND t.fate = 'pending' AND t.lane = ?2 AND m.id <= ?3
           AND t.kind IN ('{one}', '{other}') AND m.act_id IS NOT NULL
           AND m.version = 0 AND m.state = 'queued'
         GROUP BY m.id"
    ))?;
    found(connection, select, merges)
}

fn found(connection: &Connection, mut select: Held<'_>, merges: &[Merge<'_>]) -> Result<Vec<Waits>, StoreError> {
    let mut waits = Vec::new();
    let mut all = connection.held("SELECT count(*) FROM transition WHERE message_id = ?1")?;
    for (place, merge) in merges.iter().enumerate() {
        let rows = select
            .query_map(params![merge.alert, merge.lane.as_str(), merge.before], |row| Ok((row.get(0)?, row.get(1)?)))?;
        for row in rows {
            let (message, of_alert) = row?;
            let of_message = all.query_row([message], |row| row.get(0))?;
            waits.push(Waits { merge: place, message, of_alert, of_message });
        }
    }
    Ok(waits)
}
