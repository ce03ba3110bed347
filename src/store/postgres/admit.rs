//! Admission of a group of notifications, in a number of statements independent of the number of alerts.

use std::collections::{HashMap, HashSet};

use futures_util::future::{try_join, try_join3};

use super::changes::write;
use super::tx::{Fault, Tx, caught};
use super::values::{moment, named, small, time, values};
use crate::alert::{Identity, Status, TransitionKind};
use crate::engine::admit::{Held, Key, Merge, Waits, admit, keys, of_one_state};
use crate::engine::changes::Ids;
use crate::engine::dedup::Known;
use crate::engine::judge::AlertRow;
use crate::store::related::{CANDIDATES, Candidates, Row as RelatedRow, gathered};
use crate::store::{Admission, Admitted, Related, StoreError};

/// The stored states of alerts. OFFSET 0: each is found by the index, also where the planner's statistics are old.
pub(super) const KNOWN: &str = "
    SELECT a.id, a.thread, a.notification_id, a.status, a.starts_at, a.told_at, a.sender, k.place,
           a.acknowledged_at IS NOT NULL, greatest(a.told_at, coalesce(a.heard_at, a.told_at)), a.lapses_at
    FROM unnest($1, $2) WITH ORDINALITY AS k (identity, receiver, place)
    CROSS JOIN LATERAL (SELECT * FROM alert WHERE identity = k.identity AND receiver = k.receiver OFFSET 0) a";

/// Decides about a group and writes what changes, in a transaction that holds the writers' lock. Returns also whether
/// anything was written.
pub(super) async fn admit_all(tx: &Tx, group: &[&Admission]) -> Result<(Vec<Admitted>, bool), Fault> {
    if group.is_empty() {
        return Ok((Vec::new(), false));
    }
    let keys = keys(group.iter().copied());
    let identities: Vec<Identity> = keys.iter().map(|(identity, _)| *identity).collect();
    let (known, held, ids) = try_join3(known(tx, keys), held(tx, &identities), last_ids(tx)).await?;
    let draft = caught(|| admit(group.iter().copied(), known, held, ids))?;
    let merges = draft.merges();
    let waits = waits(tx, &merges).await?;
    let (admitted, changes) = caught(|| draft.finish(&merges, &waits))?;
    write(tx, &changes).await?;
    Ok((admitted, !changes.is_empty()))
}

async fn known<'a>(tx: &Tx, keys: HashSet<Key<'a>>) -> Result<HashMap<Key<'a>, AlertRow>, Fault> {
    let keys: Vec<Key<'a>> = keys.into_iter().collect();
    let identities: Vec<&[u8]> = keys.iter().map(|(identity, _)| &identity.0[..]).collect();
    let receivers: Vec<&str> = keys.iter().map(|(_, receiver)| *receiver).collect();
    let mut known = HashMap::with_capacity(keys.len());
    for row in tx.rows_as_planned(KNOWN, values![; identities, receivers]).await? {
        let state = Known {
            status: named(&row, 3, Status::from_name)?,
            starts_at: time(&row, 4)?,
            told_at: moment(&row, 5)?,
            sender: row.try_get(6)?,
            acknowledged: row.try_get(8)?,
        };
        let place: usize = small(&row, 7)?;
        let row = AlertRow {
            id: row.try_get(0)?,
            thread: row.try_get(1)?,
            notification: row.try_get(2)?,
            heard_at: moment(&row, 9)?,
            lapses_at: time(&row, 10)?,
            known: state,
        };
        known.insert(keys[place - 1], row);
    }
    Ok(known)
}

/// The alerts of a group that a person has. By the index `alert_held`, which is empty or small.
async fn held(tx: &Tx, identities: &[Identity]) -> Result<HashMap<Identity, Vec<Held>>, Fault> {
    let any = "SELECT EXISTS (SELECT 1 FROM alert WHERE acknowledged_at IS NOT NULL)";
    if !tx.only(any, values![]).await?.try_get::<_, bool>(0)? {
        return Ok(HashMap::new());
    }
    let identities: Vec<&[u8]> = identities.iter().map(|identity| &identity.0[..]).collect();
    let sql = "SELECT a.identity, a.receiver, a.starts_at, a.acknowledged_by, a.acknowledged_at,
                      (SELECT max(c.id) FROM act_alert x JOIN act c ON c.id = x.act_id
                       WHERE x.alert_id = a.id AND x.thread = a.thread AND c.kind = 'acknowledge' AND c.state = 'done')
               FROM alert a WHERE a.acknowledged_at IS NOT NULL AND a.status = 'firing' AND a.identity = ANY ($1)
               ORDER BY a.identity, a.id";
    let mut held: HashMap<Identity, Vec<Held>> = HashMap::new();
    for row in tx.rows(sql, values![; identities]).await? {
        let identity: &[u8] = row.try_get(0)?;
        let identity = identity.try_into().map_err(|_| StoreError::bug("an identity is not 32 bytes long"))?;
        let (receiver, starts_at, by, at) = (row.try_get(1)?, time(&row, 2)?, row.try_get(3)?, moment(&row, 4)?);
        let holder = Held { receiver, starts_at, by, at, act: row.try_get(5)? };
        held.entry(Identity(identity)).or_default().push(holder);
    }
    Ok(held)
}

/// The ids given so far. No other writer gives any meanwhile: we hold the lock.
pub(super) async fn last_ids(tx: &Tx) -> Result<Ids, Fault> {
    let last = |table| format!("(SELECT last_value - 1 + is_called::int FROM {table}_id_seq)");
    let tables = ["notification", "alert", "message", "transition", "act"].map(last);
    let sql = format!("SELECT {}", tables.join(", "));
    let rows = tx.rows_as_planned(&sql, values![]).await?;
    let row = rows.first().ok_or_else(|| StoreError::bug("there are no sequences"))?;
    Ok(Ids {
        notification: row.try_get(0)?,
        alert: row.try_get(1)?,
        message: row.try_get(2)?,
        transition: row.try_get(3)?,
        act: row.try_get(4)?,
    })
}

/// The firing alerts that an end may mean.
pub(super) async fn candidates(tx: &Tx, identity: Identity, kin: &Related) -> Result<Candidates, Fault> {
    let columns = "a.identity, a.receiver, a.thread, r.family, r.event, r.keyed, r.marks, a.id";
    let sql = format!(
        "SELECT * FROM (
         SELECT {columns} FROM alert a LEFT JOIN related r ON r.alert_id = a.id
             WHERE a.identity = $1 AND a.status = 'firing'
         UNION SELECT {columns} FROM related r JOIN alert a ON a.id = r.alert_id
             WHERE r.family = $2 AND a.status = 'firing'
         UNION SELECT {columns} FROM related r JOIN alert a ON a.id = r.alert_id
             WHERE r.event = $3 AND a.status = 'firing'
         ) c ORDER BY c.identity <> $1, (c.event = $3) IS NOT TRUE, c.id LIMIT $4"
    );
    let (identity, family): (&[u8], &[u8]) = (&identity.0, &kin.family);
    let event: Option<&[u8]> = kin.event.as_ref().map(|event| &event[..]);
    let rows = tx.rows(&sql, values![identity, family, event, CANDIDATES + 1]).await?;
    let row = |row: &tokio_postgres::Row| -> Result<RelatedRow, Fault> {
        Ok(RelatedRow {
            identity: row.try_get(0)?,
            receiver: row.try_get(1)?,
            thread: row.try_get(2)?,
            family: row.try_get(3)?,
            event: row.try_get(4)?,
            keyed: row.try_get(5)?,
            marks: row.try_get(6)?,
        })
    };
    Ok(gathered(rows.iter().map(row).collect::<Result<_, _>>()?))
}

/// The receivers that know alerts as firing. OFFSET 0: each is found by the index, also where the planner's statistics
/// are old.
pub(super) async fn knowing(tx: &Tx, alerts: &[Identity]) -> Result<HashMap<Identity, Vec<String>>, Fault> {
    let sql = "SELECT k.place, a.receiver FROM unnest($1) WITH ORDINALITY AS k (identity, place)
               CROSS JOIN LATERAL (SELECT * FROM alert WHERE identity = k.identity OFFSET 0) a
               WHERE a.status = 'firing' ORDER BY a.id";
    let identities: Vec<&[u8]> = alerts.iter().map(|identity| &identity.0[..]).collect();
    let mut knowing: HashMap<Identity, Vec<String>> = HashMap::new();
    for row in tx.rows(sql, values![; identities]).await? {
        let place: usize = small(&row, 0)?;
        knowing.entry(alerts[place - 1]).or_default().push(row.try_get(1)?);
    }
    Ok(knowing)
}

/// What waits in older messages for each merge; the messages are locked: a claim of one of them waits for us and finds
/// it changed, or we find it claimed.
async fn waits(tx: &Tx, merges: &[Merge<'_>]) -> Result<Vec<Waits>, Fault> {
    found(tx, merges, "TRUE", "NOT digest AND fell_back_at IS NULL").await
}

/// The same for a message about an act: only older ones about acts that changed the same state.
pub(super) async fn act_waits(tx: &Tx, merges: &[Merge<'_>], kind: TransitionKind) -> Result<Vec<Waits>, Fault> {
    let [one, other] = of_one_state(kind).map(TransitionKind::as_str);
    found(tx, merges, &format!("kind IN ('{one}', '{other}')"), "act_id IS NOT NULL").await
}

/// `of_transition`, `of_message`: conditions on columns.
async fn found(tx: &Tx, merges: &[Merge<'_>], of_transition: &str, of_message: &str) -> Result<Vec<Waits>, Fault> {
    if merges.is_empty() {
        return Ok(Vec::new());
    }
    let alerts: Vec<i64> = merges.iter().map(|merge| merge.alert).collect();
    let lanes: Vec<&str> = merges.iter().map(|merge| merge.lane.as_str()).collect();
    let before = merges.iter().map(|merge| merge.before).max().unwrap_or_default();
    // OFFSET 0 forces the planner to use the index of pending transitions: right after a storm its statistics are old,
    // and a table it takes for small may not be.
    let find = format!(
        "SELECT p.place, t.message_id, count(*)
                FROM unnest($2, $3) WITH ORDINALITY AS p (alert, lane, place)
                CROSS JOIN LATERAL (SELECT message_id FROM transition
                                    WHERE alert_id = p.alert AND fate = 'pending' AND lane = p.lane
                                      AND message_id <= $1 AND {of_transition} OFFSET 0) t
                GROUP BY p.place, t.message_id ORDER BY p.place, t.message_id"
    );
    let found = tx.rows(&find, values![before; alerts, lanes]).await?;
    let messages: Vec<i64> = found.iter().map(|row| row.try_get(1)).collect::<Result<_, _>>()?;
    if messages.is_empty() {
        return Ok(Vec::new());
    }
    let lock = format!(
        "SELECT id FROM message WHERE id = ANY ($1) AND version = 0 AND state = 'queued' AND {of_message}
         ORDER BY id FOR NO KEY UPDATE"
    );
    let all = "SELECT m.id, (SELECT count(*) FROM transition t WHERE t.message_id = m.id)
               FROM (SELECT DISTINCT unnest($1) AS id) m";
    let (locked, all) = try_join(tx.rows(&lock, values![; messages]), tx.rows(all, values![; messages])).await?;
    let unclaimed: HashSet<i64> = locked.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    let mut of_message = HashMap::new();
    for row in &all {
        of_message.insert(row.try_get::<_, i64>(0)?, small::<u32>(row, 1)?);
    }
    let mut waits = Vec::new();
    for row in &found {
        let (place, message): (usize, i64) = (small(row, 0)?, row.try_get(1)?);
        if unclaimed.contains(&message) {
            let of_message = of_message.get(&message).copied().unwrap_or_default();
            waits.push(Waits { merge: place - 1, message, of_alert: small(row, 2)?, of_message });
        }
    }
    Ok(waits)
}
