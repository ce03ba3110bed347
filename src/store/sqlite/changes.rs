//! Writes what the engine decided: one function for each table. SQL here addresses rows and copies values; it chooses
//! nothing.

use rusqlite::blob::ZeroBlob;
use rusqlite::{Connection, MAIN_DB, ToSql, params};

use super::keys;
use super::statement::Prepare as _;
use crate::alert::Timestamp;
use crate::budget::Window;
use crate::engine::card::Code;
use crate::engine::changes::{
    AlertState, AnsweredAttempt, CardState, Changes, Copy, DigestState, EndedAct, EscalationChange, FateOf, Fold,
    Gather, Heard, LeftOut, MessageState, Move, NewActRow, NewAlert, NewAttempt, NewBytes, NewDigest, NewMessage,
    NewNotification, NewPicture, NewTransition, Owner, Repeated, SilenceChange, StartedMessage, Touched,
};
use crate::engine::dedup::Suppression;
use crate::names::{Account, Scope};
use crate::store::related::marks_json;
use crate::store::text::{json, shortened, text};
use crate::store::{Breaker, Fate, Naming, Related, State, StoreError};

/// Moves the transitions of the messages of ?1 (a JSON array of ids) to the digest ?2.
pub(super) const RELINK: &str =
    "UPDATE transition SET message_id = ?2 WHERE message_id IN (SELECT value FROM json_each(?1))";

/// Settles the messages of ?1 (a JSON array of ids) as folded into the digest ?2 at ?3.
pub(super) const SETTLE: &str = "
    UPDATE message SET state = 'folded', folded_into = ?2, settled_at = ?3
    WHERE id IN (SELECT value FROM json_each(?1))";

/// Notes why message ?1 has no picture.
pub(super) const UNPICTURED: &str = "
    INSERT INTO unpictured (message_id, why) SELECT id, ?2 FROM message WHERE id = ?1
    ON CONFLICT (message_id) DO UPDATE SET why = excluded.why";

/// From this size on a body is written into its row, which is made with room for it: as a parameter it would be copied
/// twice on the way.
const PIECEWISE: usize = 1 << 20;

/// Writes all changes of a decision.
pub(super) fn write(connection: &Connection, changes: &Changes<'_>) -> Result<(), StoreError> {
    notifications(connection, &changes.notifications)?;
    alerts(connection, &changes.alerts)?;
    alert_states(connection, &changes.alert_states)?;
    heard(connection, &changes.heard)?;
    alive(connection, &changes.alive)?;
    related(connection, &changes.related)?;
    repeated(connection, &changes.repeated)?;
    messages(connection, &changes.messages)?;
    copies(connection, &changes.copies)?;
    fell_back(connection, &changes.fell_back)?;
    digests(connection, &changes.digests)?;
    moves(connection, &changes.moves)?;
    gathers(connection, &changes.gathers)?;
    digest_states(connection, &changes.digest_states)?;
    revised(connection, &changes.revised)?;
    folded(connection, &changes.folded)?;
    left_out(connection, &changes.left_out)?;
    transitions(connection, &changes.transitions)?;
    windows(connection, &changes.windows)?;
    closed(connection, &changes.closed)?;
    breakers(connection, &changes.breakers)?;
    bytes(connection, &changes.bytes)?;
    started(connection, &changes.started)?;
    attempts(connection, &changes.attempts)?;
    message_states(connection, &changes.message_states)?;
    pictures(connection, &changes.pictures)?;
    answers(connection, &changes.answers)?;
    fates(connection, &changes.fates)?;
    cards(connection, &changes.cards)?;
    acts(connection, &changes.acts)?;
    touched(connection, &changes.touched)?;
    act_states(connection, &changes.act_states)?;
    owners(connection, &changes.owners)?;
    lapsed(connection, &changes.lapsed)?;
    silences(connection, &changes.silences)?;
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
        "INSERT INTO notification (id, source, format, content_type, path_receiver, sender, group_key, received_at, raw,
                                   codec)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    for NewNotification { id, admission } in rows {
        let raw = &admission.raw[..];
        let whole = raw.len() < PIECEWISE;
        let room = ZeroBlob(raw.len() as u64);
        insert.execute(params![
            id,
            admission.source.stored(),
            admission.format.as_str(),
            admission.content_type,
            admission.path_receiver,
            text(&admission.sender),
            text(&admission.group_key),
            admission.received_at.0,
            if whole { &raw as &dyn ToSql } else { &room },
            admission.codec,
        ])?;
        if !whole {
            connection.blob_open(MAIN_DB, "notification", "raw", *id, false)?.write_at(raw, 0)?;
        }
    }
    Ok(())
}

fn alerts(connection: &Connection, rows: &[NewAlert<'_>]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut insert = connection.held(
        "INSERT INTO alert (id, identity, receiver, source, name, labels, critical, status, starts_at, ends_at, thread,
                            notification_id, sender, told_at, lapses_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
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
            state.lapses_at.map(|time| time.0),
        ])?;
        keys::add(connection, &arrival.identity, state.id)?;
    }
    Ok(())
}

fn alert_states(connection: &Connection, rows: &[AlertState]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut update = connection.held(
        "UPDATE alert SET status = ?2, starts_at = ?3, ends_at = ?4, thread = ?5, notification_id = ?6, sender = ?7,
                          told_at = ?8, lapses_at = ?9
         WHERE id = ?1",
    )?;
    let mut free = connection.held("UPDATE alert SET acknowledged_by = NULL, acknowledged_at = NULL WHERE id = ?1")?;
    for AlertState { id, thread, notification, known, ends_at, lapses_at } in rows {
        let written = update.execute(params![
            id,
            known.status.as_str(),
            known.starts_at.map(|time| time.0),
            ends_at.map(|time| time.0),
            thread,
            notification,
            text(&known.sender),
            known.told_at.0,
            lapses_at.map(|time| time.0),
        ])?;
        expect(written, 1, "the state of an alert")?;
        if !known.acknowledged {
            free.execute([id])?;
        }
    }
    Ok(())
}

fn heard(connection: &Connection, rows: &[(i64, Heard)]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let sql = "UPDATE alert SET heard_at = ?2, lapses_at = coalesce(?3, lapses_at) WHERE id = ?1";
    let mut update = connection.held(sql)?;
    for (alert, Heard { at, lapses_at }) in rows {
        let written = update.execute(params![alert, at.0, lapses_at.map(|time| time.0)])?;
        expect(written, 1, "the last report of an alert")?;
    }
    Ok(())
}

fn alive(connection: &Connection, rows: &[(&str, Timestamp)]) -> Result<(), StoreError> {
    for (source, at) in rows {
        connection
            .held("INSERT INTO heard VALUES (?1, ?2) ON CONFLICT DO UPDATE SET at = excluded.at")?
            .execute(params![source, at.0])?;
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
                              act_id, state, folded_into, settled_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
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
            row.act,
            state.as_str(),
            row.folded.map(|fold| fold.into),
            row.folded.map(|fold| fold.at.0),
        ])?;
        if let Some(bytes) = &row.target.given {
            bytes_of(connection, &NewBytes { message: row.id, version: 1, bytes })?;
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

fn left_out(connection: &Connection, rows: &[LeftOut]) -> Result<(), StoreError> {
    for LeftOut { picture, of, why, at } in rows {
        let written = connection
            .held("UPDATE message SET state = 'folded', folded_into = ?2, settled_at = ?3 WHERE id = ?1")?
            .execute([*picture, *of, at.0])?;
        expect(written, 1, "a picture that is left out")?;
        connection.held(UNPICTURED)?.execute(params![of, why])?;
    }
    Ok(())
}

fn pictures(connection: &Connection, rows: &[NewPicture]) -> Result<(), StoreError> {
    for NewPicture { of } in rows {
        let written = connection
            .held(
                "INSERT INTO message (id, notification_id, receiver, lane, target, critical, urgent, thread, created_at,
                                      picture_of)
                 SELECT (SELECT message FROM next_id), notification_id, receiver, lane, target, 0, 0, thread, created_at, id
                 FROM message WHERE id = ?1",
            )?
            .execute([of])?;
        expect(written, 1, "a picture")?;
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
    let mut go = connection.held("UPDATE escalation SET step = ?2, fired_at = ?3, due_at = ?4 WHERE alert_id = ?1")?;
    for row in rows {
        match row {
            EscalationChange::Begins { alert, fired_at, due_at } => {
                begin.execute([*alert, fired_at.0, due_at.0])?;
            }
            EscalationChange::Goes { alert, step, fired_at, due_at } => {
                let written = go.execute(params![alert, step, fired_at.0, due_at.map(|at| at.0)])?;
                expect(written, 1, "an escalation")?;
            }
            // Most alerts have no escalation.
            EscalationChange::Over { alert, at } => {
                end.execute([*alert, at.0])?;
            }
        }
    }
    Ok(())
}

fn copies(connection: &Connection, rows: &[Copy<'_>]) -> Result<(), StoreError> {
    rows.iter().try_for_each(|row| copy(connection, row).map(drop))
}

/// Writes one copy of a message and of its transitions; returns its id. O(its transitions), without loading them.
pub(super) fn copy(connection: &Connection, row: &Copy<'_>) -> Result<i64, StoreError> {
    let lane = row.target.lane.as_str();
    connection
        .held(
            "INSERT INTO message (id, notification_id, receiver, lane, target, critical, urgent, digest, thread,
                                  created_at, origin, note, act_id)
             SELECT (SELECT message FROM next_id), notification_id, ?2, ?3, ?4, critical, urgent, digest, thread, ?5, id, ?6, act_id
             FROM message WHERE id = ?1",
        )?
        .execute(params![row.of, row.receiver, lane, row.target.target_json, row.at.0, row.note])?;
    let copied = connection.last_insert_rowid();
    connection
        .held(
            "INSERT INTO transition (id, alert_id, notification_id, alert_index, message_id, lane, kind, at, starts_at,
                                     ends_at, fate)
             SELECT (SELECT transition - 1 FROM next_id) + row_number() OVER (ORDER BY id), alert_id, notification_id,
                    alert_index, ?2, ?3, kind, at, starts_at, ends_at, ?4
             FROM transition WHERE message_id = ?1",
        )?
        .execute(params![row.of, copied, lane, Fate::Pending.as_str()])?;
    Ok(copied)
}

fn fell_back(connection: &Connection, rows: &[(i64, Timestamp)]) -> Result<(), StoreError> {
    for (message, at) in rows {
        let written =
            connection.held("UPDATE message SET fell_back_at = ?2 WHERE id = ?1")?.execute([*message, at.0])?;
        expect(written, 1, "a message that a fallback tells")?;
    }
    Ok(())
}

fn digests(connection: &Connection, rows: &[NewDigest]) -> Result<(), StoreError> {
    for NewDigest { id, like, created_at } in rows {
        let written = connection
            .held(
                "INSERT INTO message (id, notification_id, receiver, lane, target, critical, urgent, digest, thread,
                                      created_at)
                 SELECT ?1, notification_id, receiver, lane, target, 0, 0, 1, notification_id, ?3
                 FROM message WHERE id = ?2",
            )?
            .execute([*id, *like, created_at.0])?;
        expect(written, 1, "a digest")?;
    }
    Ok(())
}

fn gathers(connection: &Connection, rows: &[Gather]) -> Result<(), StoreError> {
    for Gather { digest, messages, at } in rows {
        let ids = serde_json::to_string(messages).expect("numbers are JSON");
        connection.held(RELINK)?.execute(params![ids, digest])?;
        let written = connection.held(SETTLE)?.execute(params![ids, digest, at.0])?;
        expect(written, messages.len() as u64, "the messages of a digest")?;
    }
    Ok(())
}

fn digest_states(connection: &Connection, rows: &[DigestState]) -> Result<(), StoreError> {
    for DigestState { digest, critical, urgent } in rows {
        let written = connection
            .held("UPDATE message SET critical = ?2, urgent = ?3, revision = revision + 1 WHERE id = ?1")?
            .execute(params![digest, critical, urgent])?;
        expect(written, 1, "a digest")?;
    }
    Ok(())
}

fn windows(connection: &Connection, rows: &[(Account, Window)]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut put =
        connection.held("INSERT INTO budget VALUES (?1, ?2) ON CONFLICT DO UPDATE SET spent = excluded.spent")?;
    for (account, window) in rows {
        put.execute(params![account.as_str(), window.to_bytes()])?;
    }
    Ok(())
}

fn closed(connection: &Connection, rows: &[Scope]) -> Result<(), StoreError> {
    for scope in rows {
        connection.held("DELETE FROM breaker WHERE scope = ?1")?.execute([scope.as_str()])?;
    }
    Ok(())
}

fn breakers(connection: &Connection, rows: &[Breaker]) -> Result<(), StoreError> {
    for open in rows {
        connection
            .held(
                "INSERT INTO breaker VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO UPDATE SET
                     reason = excluded.reason, errcode = excluded.errcode, error = excluded.error,
                     opened_at = excluded.opened_at, probe_at = excluded.probe_at, failures = excluded.failures",
            )?
            .execute(params![
                open.scope.as_str(),
                open.reason,
                open.errcode,
                shortened(&open.error),
                open.opened_at.0,
                open.probe_at.0,
                open.failures,
            ])?;
    }
    Ok(())
}

fn bytes(connection: &Connection, rows: &[NewBytes<'_>]) -> Result<(), StoreError> {
    rows.iter().try_for_each(|row| bytes_of(connection, row))
}

/// Writes a new version of a message's bytes, and which of its transitions they only count.
fn bytes_of(connection: &Connection, row: &NewBytes<'_>) -> Result<(), StoreError> {
    let NewBytes { message, version, bytes } = *row;
    if !bytes.is_sendable() {
        return Err(StoreError::bug("an admission brings bytes without a part to send"));
    }
    let mut insert = connection.held("INSERT INTO part VALUES (?1, ?2, ?3, ?4)")?;
    for (number, body) in (0_u32..).zip(&bytes.parts) {
        insert.execute(params![message, version, number, &body[..]])?;
    }
    let parts = u32::try_from(bytes.parts.len()).unwrap_or(u32::MAX);
    connection
        .held("UPDATE message SET version = ?2, parts = ?3, next_part = ?4, face = ?5, pictured = ?6 WHERE id = ?1")?
        .execute(params![message, version, parts, bytes.next_part, bytes.face, bytes.pictured])?;
    let (ids, others, sql) = match &bytes.naming {
        Naming::AllBut(transitions) => {
            (transitions, 0, "UPDATE transition SET counted = 1 WHERE id = ?1 AND message_id = ?2")
        }
        Naming::OnlyAlerts(alerts) => (
            alerts,
            1,
            "UPDATE transition SET counted = 0 WHERE alert_id = ?1 AND message_id = ?2 AND fate = 'pending'",
        ),
    };
    connection
        .held("UPDATE transition SET counted = ?2 WHERE message_id = ?1 AND counted <> ?2")?
        .execute([message, others])?;
    let mut mark = connection.held(sql)?;
    for id in ids {
        mark.execute([*id, message])?;
    }
    Ok(())
}

fn started(connection: &Connection, rows: &[StartedMessage]) -> Result<(), StoreError> {
    for StartedMessage { message, epoch, at } in rows {
        let written = connection
            .held("UPDATE message SET state = 'sending', epoch = ?2, claimed_at = ?3 WHERE id = ?1")?
            .execute([*message, *epoch, at.0])?;
        expect(written, 1, "a claimed message")?;
    }
    Ok(())
}

fn attempts(connection: &Connection, rows: &[NewAttempt]) -> Result<(), StoreError> {
    for NewAttempt { message, epoch, version, part, at } in rows {
        connection
            .held("INSERT INTO attempt (message_id, epoch, version, part, at) VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute(params![message, epoch, version, part, at.0])?;
    }
    Ok(())
}

fn message_states(connection: &Connection, rows: &[MessageState<'_>]) -> Result<(), StoreError> {
    for row in rows {
        let written = connection
            .held(
                "UPDATE message SET state = ?2, not_before = ?3, next_part = ?4, settled_at = ?5, outcome = ?6,
                                    errcode = ?7, error = ?8
                 WHERE id = ?1",
            )?
            .execute(params![
                row.message,
                row.state.as_str(),
                row.not_before.0,
                row.next_part,
                row.settled_at.map(|at| at.0),
                row.outcome.class,
                row.outcome.errcode,
                row.outcome.errmsg.as_deref().map(shortened),
            ])?;
        expect(written, 1, "the state of a message")?;
    }
    Ok(())
}

fn answers(connection: &Connection, rows: &[AnsweredAttempt<'_>]) -> Result<(), StoreError> {
    for AnsweredAttempt { message, epoch, outcome } in rows {
        let written = connection
            .held(
                "UPDATE attempt SET duration_ms = ?3, outcome = ?4, http_status = ?5, errcode = ?6, errmsg = ?7,
                                    msgid = ?8, response_code = ?9, invalid = ?10
                 WHERE message_id = ?1 AND epoch = ?2",
            )?
            .execute(params![
                message,
                epoch,
                outcome.duration_ms,
                outcome.class,
                outcome.http_status,
                outcome.errcode,
                outcome.errmsg.as_deref().map(shortened),
                outcome.msgid.as_deref().map(text),
                outcome.response_code.as_deref().map(text),
                outcome.invalid_json,
            ])?;
        expect(written, 1, "the result of an attempt")?;
    }
    Ok(())
}

fn fates(connection: &Connection, rows: &[FateOf<'_>]) -> Result<(), StoreError> {
    for row in rows {
        match row {
            FateOf::Dead { message, reason } => {
                connection
                    .held("UPDATE transition SET fate = ?2, reason = ?3 WHERE message_id = ?1")?
                    .execute(params![message, row.fate(false).as_str(), reason])?;
            }
            FateOf::AsFrozen { message } => {
                let mut update =
                    connection.held("UPDATE transition SET fate = ?2 WHERE message_id = ?1 AND counted = ?3")?;
                for counted in [false, true] {
                    update.execute(params![message, row.fate(counted).as_str(), counted])?;
                }
            }
        }
    }
    Ok(())
}

fn cards(connection: &Connection, rows: &[CardState]) -> Result<(), StoreError> {
    for CardState { card, codes } in rows {
        let code = |code: &Option<Code>| code.as_ref().map(|code| (text(&code.code).into_owned(), code.at.0)).unzip();
        let ((next, at), (spare, spare_at)) = (code(&codes.next), code(&codes.spare));
        connection
            .held(
                "INSERT INTO card (message_id, code, code_at, spare, spare_at) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT DO UPDATE SET code = excluded.code, code_at = excluded.code_at, spare = excluded.spare,
                                           spare_at = excluded.spare_at",
            )?
            .execute(params![card, next, at.unwrap_or(0), spare, spare_at])?;
        connection
            .held(
                "INSERT INTO card_alert (alert_id, message_id)
                 SELECT DISTINCT alert_id, message_id FROM transition WHERE message_id = ?1 ON CONFLICT DO NOTHING",
            )?
            .execute([card])?;
    }
    Ok(())
}

fn acts(connection: &Connection, rows: &[NewActRow<'_>]) -> Result<(), StoreError> {
    for NewActRow { id, event, at, state, request, message, thread } in rows {
        connection
            .held(
                "INSERT INTO act (id, event, at, kind, state, by, via, message_id, thread, until, detail)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            )?
            .execute(params![
                id,
                text(event),
                at.0,
                request.kind.as_str(),
                state.as_str(),
                text(&request.by),
                text(&request.via),
                message,
                thread,
                request.until.map(|until| until.0),
                text(&request.detail),
            ])?;
    }
    Ok(())
}

fn touched(connection: &Connection, rows: &[Touched]) -> Result<(), StoreError> {
    for Touched { act, alert, thread } in rows {
        connection
            .held(
                "INSERT INTO act_alert (act_id, alert_id, thread) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO UPDATE SET thread = excluded.thread",
            )?
            .execute([act, alert, thread])?;
    }
    Ok(())
}

fn act_states(connection: &Connection, rows: &[EndedAct]) -> Result<(), StoreError> {
    for EndedAct { act, state, detail, until } in rows {
        let written = connection
            .held("UPDATE act SET state = ?2, detail = ?3, until = ?4 WHERE id = ?1")?
            .execute(params![act, state.as_str(), text(detail), until.map(|until| until.0)])?;
        expect(written, 1, "the state of an act")?;
    }
    Ok(())
}

fn owners(connection: &Connection, rows: &[Owner<'_>]) -> Result<(), StoreError> {
    for Owner { alert, owner } in rows {
        let (by, at) = owner.as_ref().map(|(by, at)| (text(by), at.0)).unzip();
        let written = connection
            .held("UPDATE alert SET acknowledged_by = ?2, acknowledged_at = ?3 WHERE id = ?1")?
            .execute(params![alert, by, at])?;
        expect(written, 1, "the owner of an alert")?;
    }
    Ok(())
}

fn lapsed(connection: &Connection, rows: &[(i64, Timestamp)]) -> Result<(), StoreError> {
    for (alert, at) in rows {
        let written = connection
            .held(
                "UPDATE alert SET status = 'resolved', ends_at = ?2, told_at = ?2, lapses_at = NULL,
                                  acknowledged_by = NULL, acknowledged_at = NULL
                 WHERE id = ?1",
            )?
            .execute([*alert, at.0])?;
        expect(written, 1, "an alert that lapsed")?;
    }
    Ok(())
}

fn silences(connection: &Connection, rows: &[SilenceChange<'_>]) -> Result<(), StoreError> {
    for row in rows {
        let written = match row {
            SilenceChange::Made { act, silence } => connection
                .held(
                    "INSERT INTO silence (act_id, upstream, upstream_id, matchers, until) VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .execute(params![
                    act,
                    text(&silence.upstream),
                    text(&silence.upstream_id),
                    json(&silence.matchers_json),
                    silence.until.0,
                ])?,
            SilenceChange::Renewed { act, silence } => connection
                .held("UPDATE silence SET until = ?2, matchers = ?3 WHERE act_id = ?1")?
                .execute(params![act, silence.until.0, json(&silence.matchers_json)])?,
        };
        expect(written, 1, "a silence")?;
    }
    Ok(())
}
