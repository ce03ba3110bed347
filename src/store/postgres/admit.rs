//! Admission of a group of notifications, in a number of statements independent of the number of alerts.

use futures_util::future::try_join;
use std::collections::{HashMap, HashSet};

use super::absorb::absorb;
use super::escalations;
use super::group::{Alert, Group, Ids, Key, Transition};
use super::tx::{Fault, Tx};
use super::values::{moment, named, small, time, values};
use crate::alert::{Identity, Status, Timestamp};
use crate::news::{Known, Suppression};
use crate::store::judge::Row;
use crate::store::related::{CANDIDATES, Row as RelatedRow, gathered, marks_json};
use crate::store::words::{json, text};
use crate::store::{Admission, Admitted, Candidate, Freeze, Related};

/// Rows that one statement writes: a notification may bring 20,000 alerts for ten targets, and a statement must stay
/// below its time limit.
const STATEMENT: usize = 20_000;

/// Decides and writes, in a transaction that holds the writers' lock. Writes nothing if nothing is news.
pub(super) async fn admit(tx: &Tx, admissions: &[&Admission]) -> Result<Vec<Admitted>, Fault> {
    let keys: HashSet<Key<'_>> = admissions
        .iter()
        .flat_map(|admission| &admission.deliveries)
        .flat_map(|recipient| recipient.alerts.iter().map(|arrival| (arrival.identity, recipient.receiver.as_str())))
        .collect();
    let (known, ids) = try_join(known(tx, keys), last_ids(tx)).await?;
    let mut group = Group::new(known, ids);
    let admitted = admissions.iter().map(|admission| group.admit(admission)).collect();
    if group.notifications.is_empty() && group.heard.is_empty() && group.repeated.is_empty() {
        tx.undo();
    } else {
        write(tx, &group).await?;
    }
    Ok(admitted)
}

async fn known<'a>(tx: &Tx, keys: HashSet<Key<'a>>) -> Result<HashMap<Key<'a>, Row>, Fault> {
    let keys: Vec<Key<'a>> = keys.into_iter().collect();
    let identities: Vec<&[u8]> = keys.iter().map(|(identity, _)| &identity.0[..]).collect();
    let receivers: Vec<&str> = keys.iter().map(|(_, receiver)| *receiver).collect();
    let sql = "SELECT a.id, a.thread, a.notification_id, a.status, a.starts_at, a.told_at, a.sender, k.place,
                      a.acknowledged_at IS NOT NULL, greatest(a.told_at, coalesce(a.heard_at, a.told_at))
               FROM unnest($1, $2) WITH ORDINALITY AS k (identity, receiver, place)
               JOIN alert a ON a.identity = k.identity AND a.receiver = k.receiver";
    let mut known = HashMap::with_capacity(keys.len());
    for row in tx.rows(sql, values![; identities, receivers]).await? {
        let state = Known {
            status: named(&row, 3, Status::from_name)?,
            starts_at: time(&row, 4)?,
            told_at: moment(&row, 5)?,
            sender: row.try_get(6)?,
            acknowledged: row.try_get(8)?,
        };
        let place: usize = small(&row, 7)?;
        let row = Row {
            id: row.try_get(0)?,
            thread: row.try_get(1)?,
            notification: row.try_get(2)?,
            heard_at: moment(&row, 9)?,
            known: state,
        };
        known.insert(keys[place - 1], row);
    }
    Ok(known)
}

/// The ids given so far. No other writer gives any meanwhile: we hold the lock.
async fn last_ids(tx: &Tx) -> Result<Ids, Fault> {
    let last = |table| format!("(SELECT last_value - 1 + is_called::int FROM {table}_id_seq)");
    let sql =
        format!("SELECT {}, {}, {}, {}", last("notification"), last("alert"), last("message"), last("transition"));
    let row = tx.only(&sql, values![]).await?;
    Ok(Ids {
        notification: row.try_get(0)?,
        alert: row.try_get(1)?,
        message: row.try_get(2)?,
        transition: row.try_get(3)?,
    })
}

/// All statements are sent at once and run in this order: a row comes before the rows that refer to it.
async fn write(tx: &Tx, group: &Group<'_>) -> Result<(), Fault> {
    let (made, changed): (Vec<_>, Vec<_>) =
        group.alerts.iter().filter(|(_, alert)| alert.changed).partition(|(_, alert)| alert.made.is_some());
    tokio::try_join!(
        biased;
        notifications(tx, group),
        new_alerts(tx, &made),
        changed_alerts(tx, &changed),
        heard(tx, &group.heard),
        messages(tx, group),
        given_parts(tx, group),
        given_faces(tx, group),
        absorb(tx, group),
        related(tx, group),
        repeated(tx, group),
        escalations::write(tx, group),
        transitions(tx, group),
        keep_ids(tx, group.ids),
        wake(tx, !group.messages.is_empty()),
    )?;
    Ok(())
}

/// Records that alerts are still reported.
async fn heard(tx: &Tx, heard: &HashMap<i64, Timestamp>) -> Result<(), Fault> {
    let ids: Vec<i64> = heard.keys().copied().collect();
    let times: Vec<i64> = heard.values().map(|at| at.0).collect();
    let sql = "UPDATE alert a SET heard_at = k.at FROM unnest($1, $2) AS k (id, at) WHERE a.id = k.id";
    tx.execute_if(!ids.is_empty(), sql, values![; ids, times]).await?;
    Ok(())
}

async fn notifications(tx: &Tx, group: &Group<'_>) -> Result<(), Fault> {
    let all = &group.notifications;
    let ids: Vec<i64> = all.iter().map(|(id, _)| *id).collect();
    let texts = |of: fn(&Admission) -> &str| -> Vec<String> {
        all.iter().map(|(_, admission)| text(of(admission)).into_owned()).collect()
    };
    let perhaps = |of: fn(&Admission) -> Option<&str>| -> Vec<Option<String>> {
        all.iter().map(|(_, admission)| of(admission).map(|words| text(words).into_owned())).collect()
    };
    let sources: Vec<String> = all.iter().map(|(_, admission)| text(&admission.source.stored()).into_owned()).collect();
    let formats: Vec<&str> = all.iter().map(|(_, admission)| admission.format.as_str()).collect();
    let types = perhaps(|admission| admission.content_type.as_deref());
    let paths = perhaps(|admission| admission.path_receiver.as_deref());
    let senders = texts(|admission| &admission.sender);
    let keys = texts(|admission| &admission.group_key);
    let times: Vec<i64> = all.iter().map(|(_, admission)| admission.received_at.0).collect();
    let bodies: Vec<&[u8]> = all.iter().map(|(_, admission)| &admission.raw[..]).collect();
    let sql =
        "INSERT INTO notification (id, source, format, content_type, path_receiver, sender, group_key, received_at,
                                         raw)
               SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    tx.execute(sql, values![; ids, sources, formats, types, paths, senders, keys, times, bodies]).await?;
    Ok(())
}

type Changed<'a> = (&'a Key<'a>, &'a Alert<'a>);

async fn new_alerts(tx: &Tx, alerts: &[Changed<'_>]) -> Result<(), Fault> {
    let made = || alerts.iter().filter_map(|(key, alert)| alert.made.map(|made| (*key, *alert, made)));
    let identities: Vec<&[u8]> = made().map(|(key, ..)| &key.0.0[..]).collect();
    let receivers: Vec<&str> = made().map(|(key, ..)| key.1).collect();
    let sources: Vec<String> =
        made().map(|(.., (_, admission))| text(&admission.source.stored()).into_owned()).collect();
    let names: Vec<String> = made().map(|(.., (arrival, _))| text(&arrival.name).into_owned()).collect();
    let labels: Vec<String> = made().map(|(.., (arrival, _))| json(&arrival.labels_json).into_owned()).collect();
    let critical: Vec<bool> = made().map(|(.., (arrival, _))| arrival.critical).collect();
    let State { ids, statuses, starts, ends, threads, notifications, senders, told, .. } = State::of(alerts);
    let sql = "INSERT INTO alert (id, identity, receiver, source, name, labels, critical, status, starts_at, ends_at,
                                  thread, notification_id, sender, told_at)
               SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
    let values = values![; ids, identities, receivers, sources, names, labels, critical, statuses, starts, ends, threads,
                         notifications, senders, told];
    tx.execute_if(!alerts.is_empty(), sql, values).await?;
    Ok(())
}

async fn changed_alerts(tx: &Tx, alerts: &[Changed<'_>]) -> Result<(), Fault> {
    let State { ids, statuses, starts, ends, threads, notifications, senders, told, kept } = State::of(alerts);
    let sql = "UPDATE alert a SET status = c.status, starts_at = c.starts_at, ends_at = c.ends_at, thread = c.thread,
                      notification_id = c.notification, sender = c.sender, told_at = c.told_at,
                      acknowledged_by = CASE WHEN c.kept THEN a.acknowledged_by END,
                      acknowledged_at = CASE WHEN c.kept THEN a.acknowledged_at END
               FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9)
                    AS c (id, status, starts_at, ends_at, thread, notification, sender, told_at, kept)
               WHERE a.id = c.id";
    let values = values![; ids, statuses, starts, ends, threads, notifications, senders, told, kept];
    tx.execute_if(!alerts.is_empty(), sql, values).await?;
    Ok(())
}

/// The changes of alerts, by columns.
struct State {
    ids: Vec<i64>,
    statuses: Vec<&'static str>,
    starts: Vec<Option<i64>>,
    ends: Vec<Option<i64>>,
    threads: Vec<i64>,
    notifications: Vec<i64>,
    senders: Vec<String>,
    told: Vec<i64>,
    /// Does an acknowledgement stay?
    kept: Vec<bool>,
}

impl State {
    fn of(alerts: &[Changed<'_>]) -> Self {
        let rows = || alerts.iter().map(|(_, alert)| &alert.row);
        Self {
            ids: rows().map(|row| row.id).collect(),
            statuses: rows().map(|row| row.known.status.as_str()).collect(),
            starts: rows().map(|row| row.known.starts_at.map(|time| time.0)).collect(),
            ends: alerts.iter().map(|(_, alert)| alert.ends_at.map(|time| time.0)).collect(),
            threads: rows().map(|row| row.thread).collect(),
            notifications: rows().map(|row| row.notification).collect(),
            senders: rows().map(|row| text(&row.known.sender).into_owned()).collect(),
            told: rows().map(|row| row.known.told_at.0).collect(),
            kept: rows().map(|row| row.known.acknowledged).collect(),
        }
    }
}

async fn messages(tx: &Tx, group: &Group<'_>) -> Result<(), Fault> {
    let all = &group.messages;
    let ids: Vec<i64> = all.iter().map(|message| message.id).collect();
    let notifications: Vec<i64> = all.iter().map(|message| message.notification).collect();
    let receivers: Vec<&str> = all.iter().map(|message| message.receiver).collect();
    let lanes: Vec<&str> = all.iter().map(|message| message.target.lane.as_str()).collect();
    let targets: Vec<&str> = all.iter().map(|message| message.target.target_json.as_str()).collect();
    let critical: Vec<bool> = all.iter().map(|message| message.critical).collect();
    let urgent: Vec<bool> = all.iter().map(|message| message.urgent).collect();
    let threads: Vec<i64> = all.iter().map(|message| message.thread).collect();
    let created: Vec<i64> = all.iter().map(|message| message.created_at.0).collect();
    let into: Vec<Option<i64>> = all.iter().map(|message| message.folded.map(|(into, _)| into)).collect();
    let settled: Vec<Option<i64>> = all.iter().map(|message| message.folded.map(|(_, at)| at.0)).collect();
    let notes: Vec<Option<&str>> = all.iter().map(|message| message.note).collect();
    let sql = "INSERT INTO message (id, notification_id, receiver, lane, target, critical, urgent, thread, created_at,
                                    folded_into, settled_at, note, state)
               SELECT *, CASE WHEN m.into_id IS NULL THEN 'queued' ELSE 'folded' END
               FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) AS m (a, b, c, d, e, f, g, h, i, into_id)";
    let values = values![; ids, notifications, receivers, lanes, targets, critical, urgent, threads, created, into, settled,
                         notes];
    tx.execute_if(!all.is_empty(), sql, values).await?;
    Ok(())
}

/// The bytes of messages whose bytes the sender gave.
async fn given_parts(tx: &Tx, group: &Group<'_>) -> Result<(), Fault> {
    let parts = || {
        given(group)
            .flat_map(|(message, bytes)| (0_i64..).zip(&bytes.parts).map(move |(part, body)| (message, part, body)))
    };
    let messages: Vec<i64> = parts().map(|(message, ..)| message).collect();
    let numbers: Vec<i64> = parts().map(|(_, number, _)| number).collect();
    let bodies: Vec<&[u8]> = parts().map(|(.., body)| &body[..]).collect();
    let sql = "INSERT INTO part (message_id, version, number, body)
               SELECT g.message, 1, g.number, g.body FROM unnest($1, $2, $3) AS g (message, number, body)";
    tx.execute_if(!messages.is_empty(), sql, values![; messages, numbers, bodies]).await?;
    Ok(())
}

async fn given_faces(tx: &Tx, group: &Group<'_>) -> Result<(), Fault> {
    let messages: Vec<i64> = given(group).map(|(message, _)| message).collect();
    let counts: Vec<i64> =
        given(group).map(|(_, bytes)| i64::try_from(bytes.parts.len()).unwrap_or(i64::MAX)).collect();
    let next: Vec<i64> = given(group).map(|(_, bytes)| i64::from(bytes.next_part)).collect();
    let faces: Vec<&str> = given(group).map(|(_, bytes)| bytes.face.as_str()).collect();
    let sql = "UPDATE message m SET version = 1, parts = g.parts, next_part = g.next_part, face = g.face
               FROM unnest($1, $2, $3, $4) AS g (message, parts, next_part, face) WHERE m.id = g.message";
    tx.execute_if(!messages.is_empty(), sql, values![; messages, counts, next, faces]).await?;
    Ok(())
}

/// Messages of the group that it did not fold, with the bytes they were given.
fn given<'a>(group: &'a Group<'_>) -> impl Iterator<Item = (i64, &'a Freeze)> {
    let live = group.messages.iter().filter(|message| message.folded.is_none());
    live.filter_map(|message| Some((message.id, message.target.given.as_ref()?)))
}

async fn related(tx: &Tx, group: &Group<'_>) -> Result<(), Fault> {
    let all: Vec<(i64, &Related)> = group.related.iter().map(|(alert, kin)| (*alert, *kin)).collect();
    let alerts: Vec<i64> = all.iter().map(|(alert, _)| *alert).collect();
    let families: Vec<&[u8]> = all.iter().map(|(_, kin)| &kin.family[..]).collect();
    let events: Vec<Option<&[u8]>> = all.iter().map(|(_, kin)| kin.event.as_ref().map(|event| &event[..])).collect();
    let keyed: Vec<bool> = all.iter().map(|(_, kin)| kin.keyed).collect();
    let marks: Vec<String> = all.iter().map(|(_, kin)| text(&marks_json(&kin.marks)).into_owned()).collect();
    let sql = "INSERT INTO related (alert_id, family, event, keyed, marks) SELECT * FROM unnest($1, $2, $3, $4, $5)
               ON CONFLICT (alert_id) DO UPDATE SET family = excluded.family, event = excluded.event,
                                                    keyed = excluded.keyed, marks = excluded.marks";
    tx.execute_if(!all.is_empty(), sql, values![; alerts, families, events, keyed, marks]).await?;
    Ok(())
}

async fn repeated(tx: &Tx, group: &Group<'_>) -> Result<(), Fault> {
    let notifications: Vec<i64> = group.repeated.keys().copied().collect();
    let times: Vec<i64> = notifications.iter().map(|id| group.repeated[id].0).collect();
    let last: Vec<i64> = notifications.iter().map(|id| group.repeated[id].1.0).collect();
    let sql = "INSERT INTO repeated (notification_id, times, last_at) SELECT * FROM unnest($1, $2, $3)
               ON CONFLICT (notification_id) DO UPDATE SET times = repeated.times + excluded.times,
                                                           last_at = excluded.last_at";
    tx.execute_if(!notifications.is_empty(), sql, values![; notifications, times, last]).await?;
    Ok(())
}

/// The firing alerts that an end may mean.
pub(super) async fn candidates(tx: &Tx, identity: Identity, kin: &Related) -> Result<Vec<Candidate>, Fault> {
    let columns = "a.identity, a.receiver, a.thread, r.family, r.event, r.keyed, r.marks, a.id";
    let sql = format!(
        "SELECT {columns} FROM alert a LEFT JOIN related r ON r.alert_id = a.id
             WHERE a.identity = $1 AND a.status = 'firing'
         UNION SELECT {columns} FROM related r JOIN alert a ON a.id = r.alert_id
             WHERE r.family = $2 AND a.status = 'firing'
         UNION SELECT {columns} FROM related r JOIN alert a ON a.id = r.alert_id
             WHERE r.event = $3 AND a.status = 'firing'
         ORDER BY 8 LIMIT $4"
    );
    let (identity, family): (&[u8], &[u8]) = (&identity.0, &kin.family);
    let event: Option<&[u8]> = kin.event.as_ref().map(|event| &event[..]);
    let rows = tx.rows(&sql, values![identity, family, event, CANDIDATES]).await?;
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

async fn transitions(tx: &Tx, group: &Group<'_>) -> Result<(), Fault> {
    for some in group.transitions.chunks(STATEMENT) {
        write_transitions(tx, some).await?;
    }
    Ok(())
}

async fn write_transitions(tx: &Tx, all: &[Transition<'_>]) -> Result<(), Fault> {
    let ids: Vec<i64> = all.iter().map(|row| row.id).collect();
    let alerts: Vec<i64> = all.iter().map(|row| row.alert).collect();
    let notifications: Vec<i64> = all.iter().map(|row| row.notification).collect();
    let indexes: Vec<i64> = all.iter().map(|row| i64::from(row.index)).collect();
    let messages: Vec<Option<i64>> = all.iter().map(|row| row.message).collect();
    let lanes: Vec<&str> = all.iter().map(|row| row.lane.as_str()).collect();
    let kinds: Vec<&str> = all.iter().map(|row| row.kind.as_str()).collect();
    let times: Vec<i64> = all.iter().map(|row| row.at.0).collect();
    let starts: Vec<Option<i64>> = all.iter().map(|row| row.starts_at.map(|time| time.0)).collect();
    let ends: Vec<Option<i64>> = all.iter().map(|row| row.ends_at.map(|time| time.0)).collect();
    let fates: Vec<&str> = all.iter().map(|row| row.fate().as_str()).collect();
    let reasons: Vec<Option<&str>> = all.iter().map(|row| row.suppressed.map(Suppression::as_str)).collect();
    let sql =
        "INSERT INTO transition (id, alert_id, notification_id, alert_index, message_id, lane, kind, at, starts_at,
                                       ends_at, fate, reason)
               SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    let values = values![; ids, alerts, notifications, indexes, messages, lanes, kinds, times, starts, ends, fates,
                         reasons];
    tx.execute(sql, values).await?;
    Ok(())
}

/// Moves the sequences to where the group ended. A sequence without ids stays unused.
async fn keep_ids(tx: &Tx, ids: Ids) -> Result<(), Fault> {
    let keep = |table, value| format!("(SELECT CASE WHEN ${value} > 0 THEN setval('{table}_id_seq', ${value}) END)");
    let sql = format!(
        "SELECT {}, {}, {}, {}",
        keep("notification", 1),
        keep("alert", 2),
        keep("message", 3),
        keep("transition", 4)
    );
    tx.execute(&sql, values![ids.notification, ids.alert, ids.message, ids.transition]).await?;
    Ok(())
}

/// Wakes all replicas after the commit, because something was queued. Only a hint: they also poll.
pub(super) async fn wake(tx: &Tx, any: bool) -> Result<(), Fault> {
    tx.execute_if(any, "SELECT pg_notify('wegraf', current_schema())", values![]).await?;
    Ok(())
}
