//! Settling: the result of an attempt, the fates of the message's transitions, and fallbacks.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::Db;
use super::breaker::apply;
use super::cards::{issue, spend};
use super::statement::Prepare as _;
use crate::alert::Timestamp;
use crate::names::LaneKey;
use crate::store::words::{shortened, text};
use crate::store::{Claimed, Fallback, Fate, Next, Outcome, Settlement, State, StoreError, TargetRow};

impl Db {
    pub(in crate::store) async fn settle(&self, settlement: Settlement, now: Timestamp) -> Result<State, StoreError> {
        self.write(move |connection| settle(connection, &settlement, now)).await
    }

    pub(in crate::store) async fn resend(
        &self,
        message: i64,
        note_json: &str,
        now: Timestamp,
    ) -> Result<Option<i64>, StoreError> {
        let note = note_json.to_owned();
        self.write(move |connection| {
            let sql = "SELECT receiver, lane, target FROM message WHERE id = ?1";
            let found = connection.held(sql)?.query_row([message], |row| {
                Ok((row.get::<_, String>(0)?, TargetRow::new(LaneKey::stored(row.get::<_, String>(1)?), row.get(2)?)))
            });
            let Some((receiver, target)) = found.optional()? else { return Ok(None) };
            let again = copy(connection, message, &receiver, &target, &note, now)?;
            Ok(Some(again))
        })
        .await
    }
}

fn settle(connection: &Connection, settlement: &Settlement, now: Timestamp) -> Result<State, StoreError> {
    let Claimed { message, epoch, .. } = settlement.claimed;
    let parts: u32 = connection
        .held("SELECT parts FROM message WHERE id = ?1 AND epoch = ?2 AND state = 'sending'")?
        .query_row([message, epoch], |row| row.get(0))
        .optional()?
        .ok_or(StoreError::Lost { message })?;
    let (state, not_before, next_part) = settlement.next.apply(settlement.claimed, parts, now);
    let settled = matches!(state, State::Sent | State::Dead);
    let outcome = &settlement.outcome;
    let words = outcome.errmsg.as_deref().map(shortened);
    // Before the message is final: its transitions are copied while they are live.
    if let Some(fallback) = &settlement.fallback {
        fall_back(connection, message, fallback, now)?;
    }
    connection
        .held(
            "UPDATE message SET state = ?2, not_before = ?3, next_part = ?4, settled_at = ?5, outcome = ?6,
                                errcode = ?7, error = ?8
             WHERE id = ?1",
        )?
        .execute(params![
            message,
            state.as_str(),
            not_before.0,
            next_part,
            settled.then_some(now.0),
            outcome.class,
            outcome.errcode,
            words,
        ])?;
    answer(connection, settlement.claimed, outcome, words.as_deref())?;
    match &settlement.next {
        Next::Dead { reason } => fate(connection, message, Some(reason))?,
        _ if state == State::Sent => fate(connection, message, None)?,
        _ => {}
    }
    for change in &settlement.breakers {
        apply(connection, change)?;
    }
    if let Some(card) = settlement.spends.filter(|_| settlement.next.spends()) {
        spend(connection, card)?;
    }
    if let (Next::Accepted, Some(code)) = (&settlement.next, &outcome.response_code) {
        issue(connection, message, code, now, false)?;
    }
    Ok(state)
}

/// Completes the row of an attempt.
fn answer(connection: &Connection, claimed: Claimed, outcome: &Outcome, words: Option<&str>) -> Result<(), StoreError> {
    connection
        .held(
            "UPDATE attempt SET duration_ms = ?3, outcome = ?4, http_status = ?5, errcode = ?6, errmsg = ?7,
                                msgid = ?8, response_code = ?9, invalid = ?10
             WHERE message_id = ?1 AND epoch = ?2",
        )?
        .execute(params![
            claimed.message,
            claimed.epoch,
            outcome.duration_ms,
            outcome.class,
            outcome.http_status,
            outcome.errcode,
            words,
            outcome.msgid.as_deref().map(text),
            outcome.response_code.as_deref().map(text),
            outcome.invalid_json,
        ])?;
    Ok(())
}

/// Gives the transitions of a settled message their fate: dead with a reason, or as its bytes name or count them.
fn fate(connection: &Connection, message: i64, dead: Option<&str>) -> Result<(), StoreError> {
    connection
        .held(
            "UPDATE transition SET reason = ?2,
                 fate = CASE WHEN ?2 IS NOT NULL THEN ?3 WHEN counted = 1 THEN ?4 ELSE ?5 END
             WHERE message_id = ?1",
        )?
        .execute(params![message, dead, Fate::Dead.as_str(), Fate::Counted.as_str(), Fate::Named.as_str()])?;
    Ok(())
}

/// Copies a message to each target of the fallback, once for all failing targets of one receiver.
fn fall_back(connection: &Connection, message: i64, fallback: &Fallback, now: Timestamp) -> Result<(), StoreError> {
    for target in &fallback.targets {
        let told: bool = connection
            .held(
                "SELECT EXISTS (SELECT 1 FROM message failed
                     JOIN message other ON other.notification_id = failed.notification_id
                          AND other.receiver = failed.receiver AND other.digest = failed.digest
                          AND other.act_id IS failed.act_id
                     JOIN message instead ON instead.origin = other.id AND instead.lane = ?2
                          AND instead.notification_id = failed.notification_id
                 WHERE failed.id = ?1 AND failed.digest = 0)",
            )?
            .query_row(params![message, target.lane.as_str()], |row| row.get(0))?;
        if !told {
            copy(connection, message, &fallback.receiver, target, &fallback.note_json, now)?;
        }
    }
    Ok(())
}

/// Copies a message to another lane or receiver, with transitions of its own.
fn copy(
    connection: &Connection,
    message: i64,
    receiver: &str,
    target: &TargetRow,
    note: &str,
    now: Timestamp,
) -> Result<i64, StoreError> {
    connection
        .held(
            "INSERT INTO message (notification_id, receiver, lane, target, critical, urgent, digest, thread,
                                  created_at, origin, note, act_id)
             SELECT notification_id, ?2, ?3, ?4, critical, urgent, digest, thread, ?5, id, ?6, act_id
             FROM message WHERE id = ?1",
        )?
        .execute(params![message, receiver, target.lane.as_str(), target.target_json, now.0, note])?;
    let copied = connection.last_insert_rowid();
    connection
        .held(
            "INSERT INTO transition (alert_id, notification_id, alert_index, message_id, lane, kind, at, starts_at,
                                     ends_at, fate)
             SELECT alert_id, notification_id, alert_index, ?2, ?3, kind, at, starts_at, ends_at, ?4
             FROM transition WHERE message_id = ?1 ORDER BY id",
        )?
        .execute(params![message, copied, target.lane.as_str(), Fate::Pending.as_str()])?;
    Ok(copied)
}
