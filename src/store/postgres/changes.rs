//! Writes what the engine decided: one function for each table, sent together. SQL here addresses rows and copies values;
//! it chooses nothing.

use futures_util::future::{try_join, try_join3};

use super::tx::{Fault, Tx};
use super::values::values;
use crate::alert::Timestamp;
use crate::budget::Window;
use crate::engine::card::Code;
use crate::engine::changes::{
    AlertState, AnsweredAttempt, CardState, Changes, Copy, DigestState, EndedAct, EscalationChange, FateOf, Fold,
    Gather, Heard, Ids, LeftOut, MessageState, Move, NewActRow, NewAlert, NewAttempt, NewBytes, NewDigest, NewMessage,
    NewNotification, NewPicture, NewTransition, Owner, Repeated, SilenceChange, StartedMessage, Touched,
};
use crate::engine::dedup::Suppression;
use crate::names::{Account, Scope};
use crate::store::related::marks_json;
use crate::store::text::{json, shortened, text};
use crate::store::{Admission, Breaker, Fate, Freeze, Naming, Related, State, StoreError};

/// Notes why message $1 has no picture.
pub(super) const UNPICTURED: &str = "
    INSERT INTO unpictured (message_id, why) SELECT id, $2 FROM message WHERE id = $1
    ON CONFLICT (message_id) DO UPDATE SET why = excluded.why";

/// Rows that one statement writes: a notification may bring 20,000 alerts for ten targets, and a statement must stay
/// below its time limit.
const STATEMENT: usize = 20_000;

/// All statements are sent at once and run in this order: a row comes before the rows that refer to it.
pub(super) async fn write(tx: &Tx, changes: &Changes<'_>) -> Result<(), Fault> {
    tokio::try_join!(
        biased;
        notifications(tx, &changes.notifications),
        alerts(tx, &changes.alerts),
        alert_states(tx, &changes.alert_states),
        heard(tx, &changes.heard),
        alive(tx, &changes.alive),
        related(tx, &changes.related),
        repeated(tx, &changes.repeated),
        messages(tx, &changes.messages),
        given(tx, &changes.messages),
        digests(tx, &changes.digests),
        moves(tx, &changes.moves),
        gathers(tx, &changes.gathers),
        digest_states(tx, &changes.digest_states),
        revised(tx, &changes.revised),
        folded(tx, &changes.folded),
        left_out(tx, &changes.left_out),
        transitions(tx, &changes.transitions),
        escalations(tx, &changes.escalations),
        keep_ids(tx, changes.ids),
    )?;
    // Each copy needs the id of the one before.
    for row in &changes.copies {
        copy(tx, row).await?;
    }
    for (message, at) in &changes.fell_back {
        let sql = "UPDATE message SET fell_back_at = $2 WHERE id = $1";
        expect(tx.execute(sql, values![*message, at.0]).await?, 1, "a message that a fallback tells")?;
    }
    tokio::try_join!(
        biased;
        windows(tx, &changes.windows),
        closed(tx, &changes.closed),
        breakers(tx, &changes.breakers),
        bytes(tx, &changes.bytes),
        started(tx, &changes.started),
        attempts(tx, &changes.attempts),
        message_states(tx, &changes.message_states),
        pictures(tx, &changes.pictures),
        answers(tx, &changes.answers),
        fates(tx, &changes.fates),
        cards(tx, &changes.cards),
        acts(tx, &changes.acts),
        touched(tx, &changes.touched),
        act_states(tx, &changes.act_states),
        owners(tx, &changes.owners),
        lapsed(tx, &changes.lapsed),
        silences(tx, &changes.silences),
        wake(tx, changes.queues()),
    )?;
    Ok(())
}

/// The rows were locked, or are changed only under the writers' lock, which this transaction holds.
fn expect(written: u64, rows: usize, what: &str) -> Result<(), Fault> {
    if written == rows as u64 {
        Ok(())
    } else {
        Err(StoreError::bug(format!("{what}: {written} rows, not {rows}")).into())
    }
}

async fn notifications(tx: &Tx, all: &[NewNotification<'_>]) -> Result<(), Fault> {
    let ids: Vec<i64> = all.iter().map(|row| row.id).collect();
    let texts = |of: fn(&Admission) -> &str| -> Vec<String> {
        all.iter().map(|row| text(of(row.admission)).into_owned()).collect()
    };
    let perhaps = |of: fn(&Admission) -> Option<&str>| -> Vec<Option<String>> {
        all.iter().map(|row| of(row.admission).map(|words| text(words).into_owned())).collect()
    };
    let sources: Vec<String> = all.iter().map(|row| text(&row.admission.source.stored()).into_owned()).collect();
    let formats: Vec<&str> = all.iter().map(|row| row.admission.format.as_str()).collect();
    let types = perhaps(|admission| admission.content_type.as_deref());
    let paths = perhaps(|admission| admission.path_receiver.as_deref());
    let senders = texts(|admission| &admission.sender);
    let keys = texts(|admission| &admission.group_key);
    let times: Vec<i64> = all.iter().map(|row| row.admission.received_at.0).collect();
    let bodies: Vec<&[u8]> = all.iter().map(|row| &row.admission.raw[..]).collect();
    let codecs: Vec<i64> = all.iter().map(|row| row.admission.codec).collect();
    let sql = "INSERT INTO notification (id, source, format, content_type, path_receiver, sender, group_key,
                                         received_at, raw, codec)
               SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let values = values![; ids, sources, formats, types, paths, senders, keys, times, bodies, codecs];
    tx.insert_if(!all.is_empty(), sql, values).await?;
    Ok(())
}

async fn alerts(tx: &Tx, all: &[NewAlert<'_>]) -> Result<(), Fault> {
    let identities: Vec<&[u8]> = all.iter().map(|row| &row.arrival.identity.0[..]).collect();
    let receivers: Vec<&str> = all.iter().map(|row| row.receiver).collect();
    let sources: Vec<String> = all.iter().map(|row| text(&row.admission.source.stored()).into_owned()).collect();
    let names: Vec<String> = all.iter().map(|row| text(&row.arrival.name).into_owned()).collect();
    let labels: Vec<String> = all.iter().map(|row| json(&row.arrival.labels_json).into_owned()).collect();
    let critical: Vec<bool> = all.iter().map(|row| row.arrival.critical).collect();
    let Columns { ids, statuses, starts, ends, threads, notifications, senders, told, lapses } =
        Columns::of(all.iter().map(|row| &row.state));
    let sql = "INSERT INTO alert (id, identity, receiver, source, name, labels, critical, status, starts_at, ends_at,
                                  thread, notification_id, sender, told_at, lapses_at)
               SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
    let values = values![; ids, identities, receivers, sources, names, labels, critical, statuses, starts, ends, threads,
                         notifications, senders, told, lapses];
    tx.insert_if(!all.is_empty(), sql, values).await?;
    Ok(())
}

async fn alert_states(tx: &Tx, all: &[AlertState]) -> Result<(), Fault> {
    if all.is_empty() {
        return Ok(());
    }
    let Columns { ids, statuses, starts, ends, threads, notifications, senders, told, lapses } =
        Columns::of(all.iter());
    let free: Vec<i64> = all.iter().filter(|row| !row.known.acknowledged).map(|row| row.id).collect();
    let update =
        "UPDATE alert a SET status = c.status, starts_at = c.starts_at, ends_at = c.ends_at, thread = c.thread,
                         notification_id = c.notification, sender = c.sender, told_at = c.told_at,
                         lapses_at = c.lapses_at
                  FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9)
                       AS c (id, status, starts_at, ends_at, thread, notification, sender, told_at, lapses_at)
                  WHERE a.id = c.id";
    let release = "UPDATE alert SET acknowledged_by = NULL, acknowledged_at = NULL
                   WHERE id = ANY ($1) AND acknowledged_at IS NOT NULL";
    let values = values![; ids, statuses, starts, ends, threads, notifications, senders, told, lapses];
    let (written, _) = try_join(tx.execute(update, values), tx.execute(release, values![; free])).await?;
    expect(written, all.len(), "the states of alerts")
}

/// The states of alerts, by columns.
struct Columns {
    ids: Vec<i64>,
    statuses: Vec<&'static str>,
    starts: Vec<Option<i64>>,
    ends: Vec<Option<i64>>,
    threads: Vec<i64>,
    notifications: Vec<i64>,
    senders: Vec<String>,
    told: Vec<i64>,
    lapses: Vec<Option<i64>>,
}

impl Columns {
    fn of<'a>(rows: impl Iterator<Item = &'a AlertState> + Clone) -> Self {
        Self {
            ids: rows.clone().map(|row| row.id).collect(),
            statuses: rows.clone().map(|row| row.known.status.as_str()).collect(),
            starts: rows.clone().map(|row| row.known.starts_at.map(|time| time.0)).collect(),
            ends: rows.clone().map(|row| row.ends_at.map(|time| time.0)).collect(),
            threads: rows.clone().map(|row| row.thread).collect(),
            notifications: rows.clone().map(|row| row.notification).collect(),
            senders: rows.clone().map(|row| text(&row.known.sender).into_owned()).collect(),
            told: rows.clone().map(|row| row.known.told_at.0).collect(),
            lapses: rows.map(|row| row.lapses_at.map(|time| time.0)).collect(),
        }
    }
}

async fn heard(tx: &Tx, all: &[(i64, Heard)]) -> Result<(), Fault> {
    let ids: Vec<i64> = all.iter().map(|(alert, _)| *alert).collect();
    let times: Vec<i64> = all.iter().map(|(_, heard)| heard.at.0).collect();
    let lapses: Vec<Option<i64>> = all.iter().map(|(_, heard)| heard.lapses_at.map(|time| time.0)).collect();
    let sql = "UPDATE alert a SET heard_at = k.at, lapses_at = coalesce(k.lapses_at, a.lapses_at)
               FROM unnest($1, $2, $3) AS k (id, at, lapses_at) WHERE a.id = k.id";
    let written = tx.execute_if(!all.is_empty(), sql, values![; ids, times, lapses]).await?;
    expect(written, all.len(), "the last reports of alerts")
}

async fn alive(tx: &Tx, all: &[(&str, Timestamp)]) -> Result<(), Fault> {
    let sources: Vec<&str> = all.iter().map(|(source, _)| *source).collect();
    let times: Vec<i64> = all.iter().map(|(_, at)| at.0).collect();
    let sql = "INSERT INTO heard (source, at) SELECT * FROM unnest($1, $2)
               ON CONFLICT (source) DO UPDATE SET at = excluded.at";
    tx.insert_if(!all.is_empty(), sql, values![; sources, times]).await?;
    Ok(())
}

async fn related(tx: &Tx, all: &[(i64, &Related)]) -> Result<(), Fault> {
    let alerts: Vec<i64> = all.iter().map(|(alert, _)| *alert).collect();
    let families: Vec<&[u8]> = all.iter().map(|(_, kin)| &kin.family[..]).collect();
    let events: Vec<Option<&[u8]>> = all.iter().map(|(_, kin)| kin.event.as_ref().map(|event| &event[..])).collect();
    let keyed: Vec<bool> = all.iter().map(|(_, kin)| kin.keyed).collect();
    let marks: Vec<String> = all.iter().map(|(_, kin)| text(&marks_json(&kin.marks)).into_owned()).collect();
    let sql = "INSERT INTO related (alert_id, family, event, keyed, marks) SELECT * FROM unnest($1, $2, $3, $4, $5)
               ON CONFLICT (alert_id) DO UPDATE SET family = excluded.family, event = excluded.event,
                                                    keyed = excluded.keyed, marks = excluded.marks";
    tx.insert_if(!all.is_empty(), sql, values![; alerts, families, events, keyed, marks]).await?;
    Ok(())
}

async fn repeated(tx: &Tx, all: &[Repeated]) -> Result<(), Fault> {
    let notifications: Vec<i64> = all.iter().map(|row| row.notification).collect();
    let times: Vec<i64> = all.iter().map(|row| row.times).collect();
    let last: Vec<i64> = all.iter().map(|row| row.last_at.0).collect();
    let sql = "INSERT INTO repeated (notification_id, times, last_at) SELECT * FROM unnest($1, $2, $3)
               ON CONFLICT (notification_id) DO UPDATE SET times = repeated.times + excluded.times,
                                                           last_at = excluded.last_at";
    tx.insert_if(!all.is_empty(), sql, values![; notifications, times, last]).await?;
    Ok(())
}

async fn messages(tx: &Tx, all: &[NewMessage<'_>]) -> Result<(), Fault> {
    let ids: Vec<i64> = all.iter().map(|row| row.id).collect();
    let notifications: Vec<i64> = all.iter().map(|row| row.notification).collect();
    let receivers: Vec<&str> = all.iter().map(|row| row.receiver).collect();
    let lanes: Vec<&str> = all.iter().map(|row| row.target.lane.as_str()).collect();
    let targets: Vec<&str> = all.iter().map(|row| row.target.target_json.as_str()).collect();
    let critical: Vec<bool> = all.iter().map(|row| row.critical).collect();
    let urgent: Vec<bool> = all.iter().map(|row| row.urgent).collect();
    let threads: Vec<i64> = all.iter().map(|row| row.thread).collect();
    let created: Vec<i64> = all.iter().map(|row| row.created_at.0).collect();
    let notes: Vec<Option<&str>> = all.iter().map(|row| row.note).collect();
    let state = |row: &NewMessage<'_>| if row.folded.is_none() { State::Queued } else { State::Folded };
    let states: Vec<&str> = all.iter().map(|row| state(row).as_str()).collect();
    let acts: Vec<Option<i64>> = all.iter().map(|row| row.act).collect();
    let into: Vec<Option<i64>> = all.iter().map(|row| row.folded.map(|fold| fold.into)).collect();
    let settled: Vec<Option<i64>> = all.iter().map(|row| row.folded.map(|fold| fold.at.0)).collect();
    let sql = "INSERT INTO message (id, notification_id, receiver, lane, target, critical, urgent, thread, created_at,
                                    note, act_id, state, folded_into, settled_at)
               SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
    let values = values![; ids, notifications, receivers, lanes, targets, critical, urgent, threads, created, notes,
                         acts, states, into, settled];
    tx.insert_if(!all.is_empty(), sql, values).await?;
    Ok(())
}

/// The bytes of messages whose bytes the sender gave.
async fn given(tx: &Tx, all: &[NewMessage<'_>]) -> Result<(), Fault> {
    let given: Vec<(i64, &Freeze)> = all.iter().filter_map(|row| Some((row.id, row.target.given.as_ref()?))).collect();
    if given.is_empty() {
        return Ok(());
    }
    if given.iter().any(|(_, bytes)| !bytes.is_sendable()) {
        return Err(StoreError::bug("an admission brings bytes without a part to send").into());
    }
    let parts = || {
        given.iter().flat_map(|(message, bytes)| {
            (0_i64..).zip(&bytes.parts).map(move |(number, body)| (*message, number, body))
        })
    };
    let messages: Vec<i64> = parts().map(|(message, ..)| message).collect();
    let numbers: Vec<i64> = parts().map(|(_, number, _)| number).collect();
    let bodies: Vec<&[u8]> = parts().map(|(.., body)| &body[..]).collect();
    let insert = "INSERT INTO part (message_id, version, number, body)
                  SELECT g.message, 1, g.number, g.body FROM unnest($1, $2, $3) AS g (message, number, body)";
    let frozen: Vec<i64> = given.iter().map(|(message, _)| *message).collect();
    let counts: Vec<i64> =
        given.iter().map(|(_, bytes)| i64::try_from(bytes.parts.len()).unwrap_or(i64::MAX)).collect();
    let next: Vec<i64> = given.iter().map(|(_, bytes)| i64::from(bytes.next_part)).collect();
    let faces: Vec<&str> = given.iter().map(|(_, bytes)| bytes.face.as_str()).collect();
    let update = "UPDATE message m SET version = 1, parts = g.parts, next_part = g.next_part, face = g.face
                  FROM unnest($1, $2, $3, $4) AS g (message, parts, next_part, face) WHERE m.id = g.message";
    try_join(
        tx.insert_if(true, insert, values![; messages, numbers, bodies]),
        tx.execute(update, values![; frozen, counts, next, faces]),
    )
    .await?;
    Ok(())
}

async fn moves(tx: &Tx, all: &[Move]) -> Result<(), Fault> {
    let alerts: Vec<i64> = all.iter().map(|row| row.alert).collect();
    let from: Vec<i64> = all.iter().map(|row| row.from).collect();
    let to: Vec<i64> = all.iter().map(|row| row.to).collect();
    let rows = all.iter().map(|row| row.count as usize).sum();
    let sql = "UPDATE transition t SET message_id = m.to_id FROM unnest($1, $2, $3) AS m (alert, from_id, to_id)
               WHERE t.alert_id = m.alert AND t.message_id = m.from_id";
    let written = tx.execute_if(!all.is_empty(), sql, values![; alerts, from, to]).await?;
    expect(written, rows, "the transitions of merged messages")
}

async fn revised(tx: &Tx, all: &[i64]) -> Result<(), Fault> {
    let sql = "UPDATE message SET revision = revision + 1 WHERE id = ANY ($1)";
    let messages = all.to_vec();
    expect(tx.execute_if(!all.is_empty(), sql, values![; messages]).await?, all.len(), "revised messages")
}

async fn folded(tx: &Tx, all: &[Fold]) -> Result<(), Fault> {
    let messages: Vec<i64> = all.iter().map(|row| row.message).collect();
    let into: Vec<i64> = all.iter().map(|row| row.into).collect();
    let times: Vec<i64> = all.iter().map(|row| row.at.0).collect();
    let sql = "UPDATE message m SET state = 'folded', folded_into = f.into_id, settled_at = f.at
               FROM unnest($1, $2, $3) AS f (id, into_id, at) WHERE m.id = f.id";
    expect(tx.execute_if(!all.is_empty(), sql, values![; messages, into, times]).await?, all.len(), "folded messages")
}

async fn left_out(tx: &Tx, all: &[LeftOut]) -> Result<(), Fault> {
    let settle = "UPDATE message SET state = 'folded', folded_into = $2, settled_at = $3 WHERE id = $1";
    for LeftOut { picture, of, why, at } in all {
        expect(tx.execute(settle, values![*picture, *of, at.0]).await?, 1, "a picture that is left out")?;
        tx.execute(UNPICTURED, values![*of, *why]).await?;
    }
    Ok(())
}

async fn pictures(tx: &Tx, all: &[NewPicture]) -> Result<(), Fault> {
    let sql = "INSERT INTO message (notification_id, receiver, lane, target, critical, urgent, thread, created_at, picture_of)
               SELECT notification_id, receiver, lane, target, false, false, thread, created_at, id
               FROM message WHERE id = $1";
    for NewPicture { of } in all {
        expect(tx.execute(sql, values![*of]).await?, 1, "a picture")?;
    }
    Ok(())
}

async fn escalations(tx: &Tx, all: &[EscalationChange]) -> Result<(), Fault> {
    let (mut begun, mut fired, mut due) = (Vec::new(), Vec::new(), Vec::new());
    let (mut ended, mut times) = (Vec::new(), Vec::new());
    for row in all {
        match row {
            EscalationChange::Begins { alert, fired_at, due_at } => {
                begun.push(*alert);
                fired.push(fired_at.0);
                due.push(due_at.0);
            }
            EscalationChange::Over { alert, at } => {
                ended.push(*alert);
                times.push(at.0);
            }
            EscalationChange::Goes { alert, step, fired_at, due_at } => {
                let go = "UPDATE escalation SET step = $2, fired_at = $3, due_at = $4 WHERE alert_id = $1";
                let values = values![*alert, i64::from(*step), fired_at.0, due_at.map(|at| at.0)];
                expect(tx.execute(go, values).await?, 1, "an escalation")?;
            }
        }
    }
    let begin = "INSERT INTO escalation (alert_id, step, fired_at, due_at)
                 SELECT e.id, 0, e.fired_at, e.due_at FROM unnest($1, $2, $3) AS e (id, fired_at, due_at)
                 ON CONFLICT (alert_id) DO UPDATE
                 SET step = 0, fired_at = excluded.fired_at, due_at = excluded.due_at";
    // Most alerts have no escalation.
    let end = "UPDATE escalation e SET due_at = o.at FROM unnest($1, $2) AS o (id, at) WHERE e.alert_id = o.id";
    try_join(
        tx.insert_if(!begun.is_empty(), begin, values![; begun, fired, due]),
        tx.execute_if(!ended.is_empty(), end, values![; ended, times]),
    )
    .await?;
    Ok(())
}

async fn transitions(tx: &Tx, all: &[NewTransition<'_>]) -> Result<(), Fault> {
    for some in all.chunks(STATEMENT) {
        write_transitions(tx, some).await?;
    }
    Ok(())
}

async fn write_transitions(tx: &Tx, all: &[NewTransition<'_>]) -> Result<(), Fault> {
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
    tx.insert_if(true, sql, values).await?;
    Ok(())
}

/// Moves the sequences to the last ids given. A sequence without ids stays unused.
async fn keep_ids(tx: &Tx, ids: Option<Ids>) -> Result<(), Fault> {
    let Some(ids) = ids else { return Ok(()) };
    let keep = |table, value| format!("(SELECT CASE WHEN ${value} > 0 THEN setval('{table}_id_seq', ${value}) END)");
    let sql = format!(
        "SELECT {}, {}, {}, {}, {}",
        keep("notification", 1),
        keep("alert", 2),
        keep("message", 3),
        keep("transition", 4),
        keep("act", 5)
    );
    tx.insert_if(true, &sql, values![ids.notification, ids.alert, ids.message, ids.transition, ids.act]).await?;
    Ok(())
}

/// Writes one copy of a message and of its transitions; returns its id. O(its transitions), without loading them.
pub(super) async fn copy(tx: &Tx, row: &Copy<'_>) -> Result<i64, Fault> {
    let make = "INSERT INTO message (notification_id, receiver, lane, target, critical, urgent, digest, thread,
                                     created_at, origin, note, act_id)
                SELECT notification_id, $2, $3, $4, critical, urgent, digest, thread, $5, id, $6, act_id
                FROM message WHERE id = $1 RETURNING id";
    let (lane, note) = (row.target.lane.as_str(), text(row.note).into_owned());
    let values = values![row.of, row.receiver, lane, row.target.target_json, row.at.0, note];
    let copied: i64 = tx.only(make, values).await?.try_get(0)?;
    // Sorted before numbering: the transitions of a message are ordered by id.
    let tell = "INSERT INTO transition (alert_id, notification_id, alert_index, message_id, lane, kind, at, starts_at,
                                        ends_at, fate)
                SELECT alert_id, notification_id, alert_index, $2, $3, kind, at, starts_at, ends_at, $4
                FROM transition WHERE message_id = $1 ORDER BY id";
    tx.execute(tell, values![row.of, copied, lane, Fate::Pending.as_str()]).await?;
    Ok(copied)
}

async fn digests(tx: &Tx, all: &[NewDigest]) -> Result<(), Fault> {
    let sql = "INSERT INTO message (id, notification_id, receiver, lane, target, critical, urgent, digest, thread,
                                    created_at)
               SELECT $1, notification_id, receiver, lane, target, false, false, true, notification_id, $3
               FROM message WHERE id = $2";
    for NewDigest { id, like, created_at } in all {
        expect(tx.execute(sql, values![*id, *like, created_at.0]).await?, 1, "a digest")?;
    }
    Ok(())
}

async fn gathers(tx: &Tx, all: &[Gather]) -> Result<(), Fault> {
    let relink = "UPDATE transition SET message_id = $1 WHERE message_id = ANY ($2)";
    let settle = "UPDATE message SET state = 'folded', folded_into = $1, settled_at = $2 WHERE id = ANY ($3)";
    for Gather { digest, messages, at } in all {
        let (_, written) = try_join(
            tx.execute(relink, values![*digest; *messages]),
            tx.execute(settle, values![*digest, at.0; *messages]),
        )
        .await?;
        expect(written, messages.len(), "the messages of a digest")?;
    }
    Ok(())
}

async fn digest_states(tx: &Tx, all: &[DigestState]) -> Result<(), Fault> {
    let sql = "UPDATE message SET critical = $2, urgent = $3, revision = revision + 1 WHERE id = $1";
    for DigestState { digest, critical, urgent } in all {
        expect(tx.execute(sql, values![*digest, *critical, *urgent]).await?, 1, "a digest")?;
    }
    Ok(())
}

async fn windows(tx: &Tx, all: &[(Account, Window)]) -> Result<(), Fault> {
    let accounts: Vec<&str> = all.iter().map(|(account, _)| account.as_str()).collect();
    let spent: Vec<Vec<u8>> = all.iter().map(|(_, window)| window.to_bytes()).collect();
    let sql = "UPDATE budget SET spent = d.spent FROM unnest($1, $2) AS d (account, spent)
               WHERE budget.account = d.account";
    expect(tx.execute_if(!all.is_empty(), sql, values![; accounts, spent]).await?, all.len(), "budgets")
}

async fn closed(tx: &Tx, all: &[Scope]) -> Result<(), Fault> {
    let scopes: Vec<&str> = all.iter().map(Scope::as_str).collect();
    tx.execute_if(!all.is_empty(), "DELETE FROM breaker WHERE scope = ANY ($1)", values![; scopes]).await?;
    Ok(())
}

async fn breakers(tx: &Tx, all: &[Breaker]) -> Result<(), Fault> {
    let sql = "INSERT INTO breaker VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (scope) DO UPDATE SET
                   reason = excluded.reason, errcode = excluded.errcode, error = excluded.error,
                   opened_at = excluded.opened_at, probe_at = excluded.probe_at, failures = excluded.failures";
    for open in all {
        let (error, failures) = (shortened(&open.error), i64::from(open.failures));
        let (scope, opened_at, probe_at) = (open.scope.as_str(), open.opened_at.0, open.probe_at.0);
        tx.execute(sql, values![scope, open.reason, open.errcode, error, opened_at, probe_at, failures]).await?;
    }
    Ok(())
}

/// Writes new versions of messages' bytes, and which of their transitions they only count.
async fn bytes(tx: &Tx, all: &[NewBytes<'_>]) -> Result<(), Fault> {
    let insert = "INSERT INTO part (message_id, version, number, body)
                  SELECT $1, $2, number, body FROM unnest($3, $4) AS p (number, body)";
    let update = "UPDATE message SET version = $2, parts = $3, next_part = $4, face = $5, pictured = $6 WHERE id = $1";
    for NewBytes { message, version, bytes } in all {
        let numbers: Vec<i64> = (0..).take(bytes.parts.len()).collect();
        let bodies: Vec<&[u8]> = bytes.parts.iter().map(|body| &body[..]).collect();
        let (version, parts) = (i64::from(*version), i64::try_from(bytes.parts.len()).unwrap_or(i64::MAX));
        let next_part = i64::from(bytes.next_part);
        let (ids, count) = match &bytes.naming {
            Naming::AllBut(transitions) => (
                transitions,
                "UPDATE transition SET counted = id = ANY ($2)
                 WHERE message_id = $1 AND counted <> (id = ANY ($2))",
            ),
            Naming::OnlyAlerts(alerts) => (
                alerts,
                "UPDATE transition SET counted = NOT alert_id = ANY ($2)
                 WHERE message_id = $1 AND fate = 'pending' AND counted <> (NOT alert_id = ANY ($2))",
            ),
        };
        try_join3(
            tx.execute(insert, values![*message, version; numbers, bodies]),
            tx.execute(update, values![*message, version, parts, next_part, bytes.face, bytes.pictured]),
            tx.execute(count, values![*message; *ids]),
        )
        .await?;
    }
    Ok(())
}

async fn started(tx: &Tx, all: &[StartedMessage]) -> Result<(), Fault> {
    let sql = "UPDATE message SET state = 'sending', epoch = $2, claimed_at = $3 WHERE id = $1";
    for StartedMessage { message, epoch, at } in all {
        expect(tx.execute(sql, values![*message, *epoch, at.0]).await?, 1, "a claimed message")?;
    }
    Ok(())
}

async fn attempts(tx: &Tx, all: &[NewAttempt]) -> Result<(), Fault> {
    let sql = "INSERT INTO attempt (message_id, epoch, version, part, at) VALUES ($1, $2, $3, $4, $5)";
    for NewAttempt { message, epoch, version, part, at } in all {
        tx.execute(sql, values![*message, *epoch, i64::from(*version), i64::from(*part), at.0]).await?;
    }
    Ok(())
}

async fn message_states(tx: &Tx, all: &[MessageState<'_>]) -> Result<(), Fault> {
    let sql = "UPDATE message SET state = $2, not_before = $3, next_part = $4, settled_at = $5, outcome = $6,
                                  errcode = $7, error = $8
               WHERE id = $1";
    for row in all {
        let (not_before, next_part) = (row.not_before.0, i64::from(row.next_part));
        let settled_at = row.settled_at.map(|at| at.0);
        let error = row.outcome.errmsg.as_deref().map(shortened);
        let values = values![
            row.message,
            row.state.as_str(),
            not_before,
            next_part,
            settled_at,
            row.outcome.class,
            row.outcome.errcode,
            error,
        ];
        expect(tx.execute(sql, values).await?, 1, "the state of a message")?;
    }
    Ok(())
}

async fn answers(tx: &Tx, all: &[AnsweredAttempt<'_>]) -> Result<(), Fault> {
    let sql = "UPDATE attempt SET duration_ms = $3, outcome = $4, http_status = $5, errcode = $6, errmsg = $7,
                                  msgid = $8, response_code = $9, invalid = $10
               WHERE message_id = $1 AND epoch = $2";
    let without_nul = |words: &Option<String>| words.as_deref().map(|words| text(words).into_owned());
    for AnsweredAttempt { message, epoch, outcome } in all {
        let values = values![
            *message,
            *epoch,
            outcome.duration_ms,
            outcome.class,
            outcome.http_status.map(i64::from),
            outcome.errcode,
            outcome.errmsg.as_deref().map(shortened),
            without_nul(&outcome.msgid),
            without_nul(&outcome.response_code),
            without_nul(&outcome.invalid_json),
        ];
        expect(tx.execute(sql, values).await?, 1, "the result of an attempt")?;
    }
    Ok(())
}

async fn fates(tx: &Tx, all: &[FateOf<'_>]) -> Result<(), Fault> {
    for row in all {
        match row {
            FateOf::Dead { message, reason } => {
                let sql = "UPDATE transition SET fate = $2, reason = $3 WHERE message_id = $1";
                tx.execute(sql, values![*message, row.fate(false).as_str(), *reason]).await?;
            }
            FateOf::AsFrozen { message } => {
                let sql = "UPDATE transition SET fate = $2 WHERE message_id = $1 AND counted = $3";
                let fate = |counted| row.fate(counted).as_str();
                let (named, counted) = (fate(false), fate(true));
                try_join(
                    tx.execute(sql, values![*message, named, false]),
                    tx.execute(sql, values![*message, counted, true]),
                )
                .await?;
            }
        }
    }
    Ok(())
}

async fn cards(tx: &Tx, all: &[CardState]) -> Result<(), Fault> {
    let put = "INSERT INTO card (message_id, code, code_at, spare, spare_at) VALUES ($1, $2, $3, $4, $5)
               ON CONFLICT (message_id) DO UPDATE SET code = excluded.code, code_at = excluded.code_at,
                                                      spare = excluded.spare, spare_at = excluded.spare_at";
    let alerts = "INSERT INTO card_alert (alert_id, message_id)
                  SELECT DISTINCT alert_id, message_id FROM transition WHERE message_id = $1 ON CONFLICT DO NOTHING";
    for CardState { card, codes } in all {
        let code = |code: &Option<Code>| code.as_ref().map(|code| (text(&code.code).into_owned(), code.at.0)).unzip();
        let ((next, at), (spare, spare_at)) = (code(&codes.next), code(&codes.spare));
        let at: i64 = at.unwrap_or(0);
        try_join(tx.execute(put, values![*card, next, at, spare, spare_at]), tx.execute(alerts, values![*card]))
            .await?;
    }
    Ok(())
}

async fn acts(tx: &Tx, all: &[NewActRow<'_>]) -> Result<(), Fault> {
    let put = "INSERT INTO act (id, event, at, kind, state, by, via, message_id, thread, until, detail)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    for NewActRow { id, event, at, state, request, message, thread } in all {
        let owned = |words: &str| text(words).into_owned();
        let (event, by, via, detail) = (owned(event), owned(&request.by), owned(&request.via), owned(&request.detail));
        let (kind, state, until) = (request.kind.as_str(), state.as_str(), request.until.map(|until| until.0));
        tx.execute(put, values![*id, event, at.0, kind, state, by, via, *message, *thread, until, detail]).await?;
    }
    Ok(())
}

async fn touched(tx: &Tx, all: &[Touched]) -> Result<(), Fault> {
    let sql = "INSERT INTO act_alert (act_id, alert_id, thread) SELECT * FROM unnest($1, $2, $3)
               ON CONFLICT (act_id, alert_id) DO UPDATE SET thread = excluded.thread";
    let column = |of: fn(&Touched) -> i64| -> Vec<i64> { all.iter().map(of).collect() };
    let (acts, alerts, threads) = (column(|row| row.act), column(|row| row.alert), column(|row| row.thread));
    tx.execute_if(!all.is_empty(), sql, values![; acts, alerts, threads]).await?;
    Ok(())
}

async fn act_states(tx: &Tx, all: &[EndedAct]) -> Result<(), Fault> {
    let sql = "UPDATE act SET state = $2, detail = $3, until = $4 WHERE id = $1";
    for EndedAct { act, state, detail, until } in all {
        let (detail, until) = (text(detail).into_owned(), until.map(|until| until.0));
        let written = tx.execute(sql, values![*act, state.as_str(), detail, until]).await?;
        expect(written, 1, "the state of an act")?;
    }
    Ok(())
}

async fn owners(tx: &Tx, all: &[Owner<'_>]) -> Result<(), Fault> {
    let alerts: Vec<i64> = all.iter().map(|row| row.alert).collect();
    let by: Vec<Option<String>> =
        all.iter().map(|row| row.owner.as_ref().map(|(by, _)| text(by).into_owned())).collect();
    let times: Vec<Option<i64>> = all.iter().map(|row| row.owner.as_ref().map(|(_, at)| at.0)).collect();
    let sql = "UPDATE alert a SET acknowledged_by = o.by, acknowledged_at = o.at
               FROM unnest($1, $2, $3) AS o (id, by, at) WHERE a.id = o.id";
    let written = tx.execute_if(!all.is_empty(), sql, values![; alerts, by, times]).await?;
    expect(written, all.len(), "the owners of alerts")
}

async fn lapsed(tx: &Tx, all: &[(i64, Timestamp)]) -> Result<(), Fault> {
    let (alerts, times): (Vec<i64>, Vec<i64>) = all.iter().map(|(alert, at)| (*alert, at.0)).unzip();
    let sql = "UPDATE alert a SET status = 'resolved', ends_at = l.at, told_at = l.at, lapses_at = NULL,
                                  acknowledged_by = NULL, acknowledged_at = NULL
               FROM unnest($1, $2) AS l (id, at) WHERE a.id = l.id";
    let written = tx.execute_if(!all.is_empty(), sql, values![; alerts, times]).await?;
    expect(written, all.len(), "alerts that lapsed")
}

async fn silences(tx: &Tx, all: &[SilenceChange<'_>]) -> Result<(), Fault> {
    for row in all {
        let written = match row {
            SilenceChange::Made { act, silence } => {
                let sql = "INSERT INTO silence (act_id, upstream, upstream_id, matchers, until)
                           VALUES ($1, $2, $3, $4, $5)";
                let (upstream, id) = (text(&silence.upstream).into_owned(), text(&silence.upstream_id).into_owned());
                let (matchers, until) = (json(&silence.matchers_json).into_owned(), silence.until.0);
                tx.execute(sql, values![*act, upstream, id, matchers, until]).await?
            }
            SilenceChange::Renewed { act, silence } => {
                let sql = "UPDATE silence SET until = $2, matchers = $3 WHERE act_id = $1";
                let matchers = json(&silence.matchers_json).into_owned();
                tx.execute(sql, values![*act, silence.until.0, matchers]).await?
            }
        };
        expect(written, 1, "a silence")?;
    }
    Ok(())
}

/// Wakes all replicas after the commit, because something was queued. Only a hint: they also poll.
pub(super) async fn wake(tx: &Tx, any: bool) -> Result<(), Fault> {
    tx.insert_if(any, "SELECT pg_notify('wegraf', current_schema())", values![]).await?;
    Ok(())
}
