//! Writes what the engine decided: one function for each table. SQL here addresses rows and copies values; it chooses
//! nothing.

use rusqlite::{Connection, params};

use super::claim::freeze;
use super::statement::Prepare as _;
use crate::alert::Timestamp;
use crate::engine::changes::{
    AlertState, Changes, EscalationChange, Fold, Move, NewAlert, NewMessage, NewNotification, NewTransition, Repeated,
};
use crate::engine::dedup::Suppression;
use crate::store::related::marks_json;
use crate::store::words::{json, text};
use crate::store::{Related, State, StoreError};

/// Writes all changes of a decision.
pub(super) fn write(connection: &Connection, changes: &Changes<'_>) -> Result<(), StoreError> {
    notifications(connection, &changes.notifications)?;
    alerts(connection, &changes.alerts)?;
    alert_states(connection, &changes.alert_states)?;
    heard(connection, &changes.heard)?;
    related(connection, &changes.related)?;
    repeated(connection, &changes.repeated)?;
    messages(connection, &changes.messages)?;
    moves(connection, &changes.moves)?;
    revised(connection, &changes.revised)?;
    folded(connection, &changes.folded)?;
    transitions(connection, &changes.transitions)?;
    escalations(connection, &changes.escalations)
}

/// The rows were there when the facts were loaded, in this very transaction.
fn expect(written: usize, rows: u64, what: &str) -> Result<(), StoreError> {
    if written as u64 == rows { Ok(()) } else { Err(StoreError::bug(format!("{what}: {written} rows, not {rows}"))) }
}

fn notifications(connection: &Connection, rows: &[NewNotification<'_>]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut insert = connection.held(
        "INSERT INTO notification (id, source, format, content_type, path_receiver, sender, group_key, received_at, raw)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    for NewNotification { id, admission } in rows {
        insert.execute(params![
            id,
            admission.source.stored(),
            admission.format.as_str(),
            admission.content_type,
            admission.path_receiver,
            text(&admission.sender),
            text(&admission.group_key),
            admission.received_at.0,
            &admission.raw[..],
        ])?;
    }
    Ok(())
}

fn alerts(connection: &Connection, rows: &[NewAlert<'_>]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut insert = connection.held(
        "INSERT INTO alert (id, identity, receiver, source, name, labels, critical, status, starts_at, ends_at, thread,
                            notification_id, sender, told_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    )?;
    for NewAlert { receiver, arrival, admission, state } in rows {
        insert.execute(params![
            state.id,
            &arrival.identity.0[..],
            receiver,
            admission.source.stored(),
            text(&arrival.name),
            json(&arrival.labels_json),
            arrival.critical,
            state.known.status.as_str(),
            state.known.starts_at.map(|time| time.0),
            state.ends_at.map(|time| time.0),
            state.thread,
            state.notification,
            text(&state.known.sender),
            state.known.told_at.0,
        ])?;
    }
    Ok(())
}

fn alert_states(connection: &Connection, rows: &[AlertState]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut update = connection.held(
        "UPDATE alert SET status = ?2, starts_at = ?3, ends_at = ?4, thread = ?5, notification_id = ?6, sender = ?7,
                          told_at = ?8
         WHERE id = ?1",
    )?;
    let mut free = connection.held("UPDATE alert SET acknowledged_by = NULL, acknowledged_at = NULL WHERE id = ?1")?;
    for AlertState { id, thread, notification, known, ends_at } in rows {
        let written = update.execute(params![
            id,
            known.status.as_str(),
            known.starts_at.map(|time| time.0),
            ends_at.map(|time| time.0),
            thread,
            notification,
            text(&known.sender),
            known.told_at.0,
        ])?;
        expect(written, 1, "the state of an alert")?;
        if !known.acknowledged {
            free.execute([id])?;
        }
    }
    Ok(())
}

fn heard(connection: &Connection, rows: &[(i64, Timestamp)]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut update = connection.held("UPDATE alert SET heard_at = ?2 WHERE id = ?1")?;
    for (alert, at) in rows {
        expect(update.execute([*alert, at.0])?, 1, "the last report of an alert")?;
    }
    Ok(())
}

fn related(connection: &Connection, rows: &[(i64, &Related)]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut insert = connection.held(
        "INSERT INTO related (alert_id, family, event, keyed, marks) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (alert_id) DO UPDATE SET family = excluded.family, event = excluded.event,
                                              keyed = excluded.keyed, marks = excluded.marks",
    )?;
    for (alert, kin) in rows {
        let event = kin.event.as_ref().map(|event| &event[..]);
        insert.execute(params![alert, &kin.family[..], event, kin.keyed, text(&marks_json(&kin.marks))])?;
    }
    Ok(())
}

fn repeated(connection: &Connection, rows: &[Repeated]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut insert = connection.held(
        "INSERT INTO repeated (notification_id, times, last_at) VALUES (?1, ?2, ?3)
         ON CONFLICT (notification_id) DO UPDATE SET times = times + excluded.times, last_at = excluded.last_at",
    )?;
    for Repeated { notification, times, last_at } in rows {
        insert.execute([*notification, *times, last_at.0])?;
    }
    Ok(())
}

fn messages(connection: &Connection, rows: &[NewMessage<'_>]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut insert = connection.held(
        "INSERT INTO message (id, notification_id, receiver, lane, target, critical, urgent, thread, created_at, note,
                              state, folded_into, settled_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    )?;
    for row in rows {
        let state = if row.folded.is_none() { State::Queued } else { State::Folded };
        insert.execute(params![
            row.id,
            row.notification,
            row.receiver,
            row.target.lane.as_str(),
            row.target.target_json,
            row.critical,
            row.urgent,
            row.thread,
            row.created_at.0,
            row.note,
            state.as_str(),
            row.folded.map(|fold| fold.into),
            row.folded.map(|fold| fold.at.0),
        ])?;
        if let Some(bytes) = &row.target.given {
            freeze(connection, row.id, 1, bytes)?;
        }
    }
    Ok(())
}

fn moves(connection: &Connection, rows: &[Move]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut update =
        connection.held("UPDATE transition SET message_id = ?3 WHERE alert_id = ?1 AND message_id = ?2")?;
    for Move { alert, from, to, count } in rows {
        expect(update.execute([alert, from, to])?, u64::from(*count), "the transitions of a merged message")?;
    }
    Ok(())
}

fn revised(connection: &Connection, rows: &[i64]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut update = connection.held("UPDATE message SET revision = revision + 1 WHERE id = ?1")?;
    for message in rows {
        expect(update.execute([message])?, 1, "a revised message")?;
    }
    Ok(())
}

fn folded(connection: &Connection, rows: &[Fold]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut update =
        connection.held("UPDATE message SET state = 'folded', folded_into = ?2, settled_at = ?3 WHERE id = ?1")?;
    for Fold { message, into, at } in rows {
        expect(update.execute([*message, *into, at.0])?, 1, "a folded message")?;
    }
    Ok(())
}

fn transitions(connection: &Connection, rows: &[NewTransition<'_>]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut insert = connection.held(
        "INSERT INTO transition (id, alert_id, notification_id, alert_index, message_id, lane, kind, at, starts_at,
                                 ends_at, fate, reason)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?;
    for row in rows {
        insert.execute(params![
            row.id,
            row.alert,
            row.notification,
            row.index,
            row.message,
            row.lane.as_str(),
            row.kind.as_str(),
            row.at.0,
            row.starts_at.map(|time| time.0),
            row.ends_at.map(|time| time.0),
            row.fate().as_str(),
            row.suppressed.map(Suppression::as_str),
        ])?;
    }
    Ok(())
}

fn escalations(connection: &Connection, rows: &[EscalationChange]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut begin = connection.held(
        "INSERT INTO escalation (alert_id, step, fired_at, due_at) VALUES (?1, 0, ?2, ?3)
         ON CONFLICT DO UPDATE SET step = 0, fired_at = excluded.fired_at, due_at = excluded.due_at",
    )?;
    let mut end = connection.held("UPDATE escalation SET due_at = ?2 WHERE alert_id = ?1")?;
    for row in rows {
        match row {
            EscalationChange::Begins { alert, fired_at, due_at } => {
                begin.execute([*alert, fired_at.0, due_at.0])?;
            }
            // Most alerts have no escalation.
            EscalationChange::Over { alert, at } => {
                end.execute([*alert, at.0])?;
            }
        }
    }
    Ok(())
}
