//! The outbox: what is due, taking it, recording what became of it; and the access tokens it is sent with.

use bytes::Bytes;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use secrecy::{ExposeSecret as _, SecretString};

use super::Db;
use super::admit::text;
use crate::alert::{Format, ThreadId, Timestamp, TransitionKind};
use crate::store::record::ERROR_BYTES;
use crate::store::{
    Claim, Claimed, Fate, Freeze, Frozen, Kept, LONGEST_WAIT_MS, LaneHead, Moved, Next, Outcome, Queued, Settlement,
    State, StoreError, Token,
};

/// Visits only the first entry of each lane in the index of live messages.
pub(super) const LANES: &str = "
    WITH RECURSIVE heads (lane) AS (
        SELECT min(lane) FROM message WHERE settled_at IS NULL
        UNION ALL
        SELECT (SELECT min(lane) FROM message WHERE settled_at IS NULL AND lane > heads.lane)
        FROM heads WHERE heads.lane IS NOT NULL
    )
    SELECT message.lane, message.id, message.state, message.not_before
    FROM heads JOIN message ON message.id =
        (SELECT min(id) FROM message WHERE settled_at IS NULL AND lane = heads.lane)
    WHERE heads.lane IS NOT NULL";

/// The head of one lane.
pub(super) const HEAD: &str = "
    SELECT m.id, m.receiver, m.target, m.critical, m.thread, m.state, m.epoch, m.created_at, m.not_before,
           m.version, m.face, m.next_part,
           n.id, n.source, n.format, n.content_type, n.path_receiver, n.received_at, n.raw
    FROM message m JOIN notification n ON n.id = m.notification_id
    WHERE m.settled_at IS NULL AND m.lane = ?1
    ORDER BY m.id LIMIT 1";

impl Db {
    pub(in crate::store) async fn lanes(&self, now: Timestamp) -> Result<Vec<LaneHead>, StoreError> {
        self.read(move |connection| {
            let mut select = connection.prepare_cached(LANES)?;
            let heads = select.query_map([], |row| {
                Ok(LaneHead {
                    lane: row.get(0)?,
                    message: row.get(1)?,
                    state: named(row, 2, State::from_name)?,
                    due_at: due(Timestamp(row.get(3)?), now),
                })
            })?;
            Ok(heads.collect::<Result<_, _>>()?)
        })
        .await
    }

    pub(in crate::store) async fn head(&self, lane: &str, now: Timestamp) -> Result<Option<Queued>, StoreError> {
        let lane = lane.to_owned();
        self.read(move |connection| {
            let found = connection
                .prepare_cached(HEAD)?
                .query_row([&lane], |row| queued(row, &lane, now))
                .optional()?
                .flatten();
            let Some(mut head) = found else { return Ok(None) };
            head.transitions = transitions(connection, head.message)?;
            if let Some(frozen) = &mut head.frozen {
                frozen.parts = parts(connection, head.message, frozen.version)?;
            }
            Ok(Some(head))
        })
        .await
    }

    pub(in crate::store) async fn claim(&self, claim: Claim, now: Timestamp) -> Result<Claimed, StoreError> {
        self.write(move |connection| take(connection, &claim, now)).await
    }

    pub(in crate::store) async fn settle(&self, settlement: Settlement, now: Timestamp) -> Result<State, StoreError> {
        self.write(move |connection| record(connection, &settlement, now)).await
    }

    pub(in crate::store) async fn recover(&self, lane: Option<&str>) -> Result<usize, StoreError> {
        let lane = lane.map(str::to_owned);
        self.write(move |connection| {
            let sql = "UPDATE message SET state = 'unsure', not_before = 0
                       WHERE settled_at IS NULL AND state = 'sending' AND (?1 IS NULL OR lane = ?1)";
            Ok(connection.prepare_cached(sql)?.execute([lane])?)
        })
        .await
    }

    pub(in crate::store) async fn postpone(
        &self,
        message: i64,
        epoch: i64,
        until: Timestamp,
        reason: &str,
    ) -> Result<(), StoreError> {
        let reason = shortened(reason);
        self.write(move |connection| {
            let sql = "UPDATE message SET not_before = ?3, outcome = 'held', error = ?4
                       WHERE id = ?1 AND epoch = ?2 AND state IN ('queued', 'unsure')";
            connection.prepare_cached(sql)?.execute(params![message, epoch, until.0, reason])?;
            Ok(())
        })
        .await
    }

    pub(in crate::store) async fn link_key(&self) -> Result<Vec<u8>, StoreError> {
        self.write(|connection| {
            let make = "INSERT OR IGNORE INTO link_key (id, key) VALUES (1, randomblob(32))";
            connection.prepare_cached(make)?.execute([])?;
            Ok(connection.prepare_cached("SELECT key FROM link_key")?.query_row([], |row| row.get(0))?)
        })
        .await
    }

    pub(in crate::store) async fn token(&self, app: &str) -> Result<Option<Token>, StoreError> {
        let app = app.to_owned();
        self.read(move |connection| token(connection, &app)).await
    }

    pub(in crate::store) async fn save_token(
        &self,
        app: &str,
        secret: SecretString,
        expires_at: Timestamp,
        replaces: i64,
    ) -> Result<Token, StoreError> {
        let app = app.to_owned();
        self.write(move |connection| {
            connection
                .prepare_cached(
                    "INSERT INTO token (app, token, expires_at, version) VALUES (?1, ?2, ?3, ?4 + 1)
                     ON CONFLICT (app) DO UPDATE SET
                         token = excluded.token, expires_at = excluded.expires_at, version = excluded.version
                     WHERE version = ?4",
                )?
                .execute(params![app, secret.expose_secret(), expires_at.0, replaces])?;
            token(connection, &app)?.ok_or_else(|| StoreError::bug("a token vanished"))
        })
        .await
    }
}

/// Claims the head of a lane.
fn take(connection: &Connection, claim: &Claim, now: Timestamp) -> Result<Claimed, StoreError> {
    let lost = || StoreError::Lost { message: claim.message };
    // Whoever is not the oldest of its lane has no business being sent, whatever the caller believes.
    let mut select = connection.prepare_cached(
        "SELECT version, next_part, parts FROM message m
         WHERE id = ?1 AND epoch = ?2 AND state IN ('queued', 'unsure') AND id =
             (SELECT min(id) FROM message WHERE settled_at IS NULL AND lane = m.lane)",
    )?;
    let (version, next_part, parts): (u32, u32, u32) = select
        .query_row([claim.message, claim.epoch], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?
        .ok_or_else(lost)?;
    drop(select);
    let (version, part) = match &claim.freeze {
        Some(bytes) => (freeze(connection, claim.message, version + 1, bytes)?, bytes.next_part),
        None if parts == 0 => return Err(StoreError::bug("a first claim brings no bytes")),
        None => (version, next_part),
    };
    let epoch = claim.epoch + 1;
    connection
        .prepare_cached("UPDATE message SET state = 'sending', epoch = ?2, claimed_at = ?3 WHERE id = ?1")?
        .execute([claim.message, epoch, now.0])?;
    connection
        .prepare_cached("INSERT INTO attempt (message_id, epoch, version, part, at) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![claim.message, epoch, version, part, now.0])?;
    Ok(Claimed { message: claim.message, epoch, version, part })
}

/// Writes a new version of a message's bytes and which of its transitions they only count.
fn freeze(connection: &Connection, message: i64, version: u32, bytes: &Freeze) -> Result<u32, StoreError> {
    let parts = u32::try_from(bytes.parts.len()).unwrap_or(u32::MAX);
    if bytes.next_part >= parts {
        return Err(StoreError::bug("a claim brings fewer parts than it wants to send"));
    }
    let mut insert = connection.prepare_cached("INSERT INTO part VALUES (?1, ?2, ?3, ?4)")?;
    for (number, body) in (0_u32..).zip(&bytes.parts) {
        insert.execute(params![message, version, number, &body[..]])?;
    }
    connection
        .prepare_cached("UPDATE message SET version = ?2, parts = ?3, next_part = ?4, face = ?5 WHERE id = ?1")?
        .execute(params![message, version, parts, bytes.next_part, bytes.face])?;
    connection
        .prepare_cached("UPDATE transition SET counted = 0 WHERE message_id = ?1 AND counted = 1")?
        .execute([message])?;
    let mut count = connection.prepare_cached("UPDATE transition SET counted = 1 WHERE id = ?1 AND message_id = ?2")?;
    for transition in &bytes.counted {
        count.execute([*transition, message])?;
    }
    Ok(version)
}

/// Writes what became of an attempt, and what follows from it.
fn record(connection: &Connection, settlement: &Settlement, now: Timestamp) -> Result<State, StoreError> {
    let Claimed { message, epoch, part, .. } = settlement.claimed;
    let parts: u32 = connection
        .prepare_cached("SELECT parts FROM message WHERE id = ?1 AND epoch = ?2 AND state = 'sending'")?
        .query_row([message, epoch], |row| row.get(0))
        .optional()?
        .ok_or(StoreError::Lost { message })?;
    let last = part + 1 == parts;
    let (state, not_before, next_part) = match &settlement.next {
        Next::Accepted if last => (State::Sent, now, part + 1),
        Next::Accepted => (State::Queued, now, part + 1),
        Next::RetryAt(at) => (State::Queued, *at, part),
        Next::UnsureAt(at) => (State::Unsure, *at, part),
        Next::Dead { .. } => (State::Dead, now, part),
    };
    let settled = matches!(state, State::Sent | State::Dead);
    let outcome = &settlement.outcome;
    let words = outcome.errmsg.as_deref().map(shortened);
    connection
        .prepare_cached(
            "UPDATE message SET state = ?2, not_before = ?3, next_part = ?4, settled_at = ?5, outcome = ?6,
                                errcode = ?7, error = ?8
             WHERE id = ?1",
        )?
        .execute(params![
            message,
            state.as_str(),
            not_before.min(now.plus_millis(LONGEST_WAIT_MS)).0,
            next_part,
            settled.then_some(now.0),
            outcome.class,
            outcome.errcode,
            words,
        ])?;
    answer(connection, settlement.claimed, outcome, words.as_deref())?;
    match &settlement.next {
        Next::Accepted if last => fate(connection, message, None)?,
        Next::Dead { reason } => fate(connection, message, Some(reason))?,
        Next::Accepted | Next::RetryAt(_) | Next::UnsureAt(_) => {}
    }
    Ok(state)
}

/// Completes the row of an attempt.
fn answer(connection: &Connection, claimed: Claimed, outcome: &Outcome, words: Option<&str>) -> Result<(), StoreError> {
    connection
        .prepare_cached(
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

/// Gives the transitions of a settled message their fate: dead for a reason, or as its bytes have them.
fn fate(connection: &Connection, message: i64, dead: Option<&str>) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "UPDATE transition SET reason = ?2,
                 fate = CASE WHEN ?2 IS NOT NULL THEN ?3 WHEN counted = 1 THEN ?4 ELSE ?5 END
             WHERE message_id = ?1",
        )?
        .execute(params![message, dead, Fate::Dead.as_str(), Fate::Counted.as_str(), Fate::Named.as_str()])?;
    Ok(())
}

fn token(connection: &Connection, app: &str) -> Result<Option<Token>, StoreError> {
    let mut select = connection.prepare_cached("SELECT token, expires_at, version FROM token WHERE app = ?1")?;
    let found = select.query_row([app], |row| {
        let token = SecretString::from(row.get::<_, String>(0)?);
        Ok(Token { token, expires_at: Timestamp(row.get(1)?), version: row.get(2)? })
    });
    Ok(found.optional()?)
}

/// Reads a head; `None` if it may not be sent now.
fn queued(row: &Row<'_>, lane: &str, now: Timestamp) -> rusqlite::Result<Option<Queued>> {
    let state = named(row, 5, State::from_name)?;
    if state == State::Sending || due(Timestamp(row.get(8)?), now) > now {
        return Ok(None);
    }
    let version: u32 = row.get(9)?;
    let frozen = match version {
        0 => None,
        version => Some(Frozen { version, face: row.get(10)?, parts: Vec::new(), next_part: row.get(11)? }),
    };
    let notification = kept(row, 12)?;
    Ok(Some(Queued {
        message: row.get(0)?,
        receiver: row.get(1)?,
        lane: lane.to_owned(),
        target_json: row.get(2)?,
        critical: row.get(3)?,
        thread: ThreadId(row.get(4)?),
        state,
        epoch: row.get(6)?,
        created_at: Timestamp(row.get(7)?),
        notification,
        transitions: Vec::new(),
        frozen,
    }))
}

/// A notification in seven columns from `first` on.
pub(super) fn kept(row: &Row<'_>, first: usize) -> rusqlite::Result<Kept> {
    Ok(Kept {
        id: row.get(first)?,
        source: row.get(first + 1)?,
        format: named(row, first + 2, Format::from_name)?,
        content_type: row.get(first + 3)?,
        path_receiver: row.get(first + 4)?,
        received_at: Timestamp(row.get(first + 5)?),
        raw: Bytes::from(row.get::<_, Vec<u8>>(first + 6)?),
    })
}

pub(super) fn transitions(connection: &Connection, message: i64) -> Result<Vec<Moved>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT id, alert_index, kind, at, starts_at, ends_at FROM transition WHERE message_id = ?1 ORDER BY id",
    )?;
    let rows = select.query_map([message], |row| {
        Ok(Moved {
            id: row.get(0)?,
            alert_index: row.get(1)?,
            kind: named(row, 2, TransitionKind::from_name)?,
            at: Timestamp(row.get(3)?),
            starts_at: time(row, 4)?,
            ends_at: time(row, 5)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn parts(connection: &Connection, message: i64, version: u32) -> Result<Vec<Bytes>, StoreError> {
    let mut select =
        connection.prepare_cached("SELECT body FROM part WHERE message_id = ?1 AND version = ?2 ORDER BY number")?;
    let rows = select.query_map(params![message, version], |row| row.get::<_, Vec<u8>>(0).map(Bytes::from))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// When a message may be claimed. A time that no wait can have led to means that the clock was set back.
fn due(not_before: Timestamp, now: Timestamp) -> Timestamp {
    if not_before.millis_since(now) > LONGEST_WAIT_MS { now } else { not_before }
}

/// A column with a nullable time.
pub(super) fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(Timestamp))
}

/// A column with a name from a closed set.
pub(super) fn named<T>(row: &Row<'_>, column: usize, parse: impl FnOnce(&str) -> Option<T>) -> rusqlite::Result<T> {
    let name = row.get_ref(column)?.as_str()?;
    parse(name).ok_or_else(|| {
        let error = format!("`{name}` is not a name this program knows");
        rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into())
    })
}

/// Words of another program, bounded and without U+0000.
fn shortened(words: &str) -> String {
    let end = words.floor_char_boundary(ERROR_BYTES);
    text(&words[..end]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_is_found_by_what_is_live_not_by_what_was_ever_sent() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(include_str!("../schema/sqlite/0001.sql")).unwrap();
        for sql in [LANES, HEAD] {
            let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let unbound = vec![0; explain.parameter_count()];
            let plan: Vec<String> = explain
                .query_map(rusqlite::params_from_iter(unbound), |row| row.get(3))
                .unwrap()
                .collect::<Result<_, _>>()
                .unwrap();
            let touches: Vec<&String> =
                plan.iter().filter(|step| step.contains("message") || step.contains(" m ")).collect();
            assert!(!touches.is_empty(), "{plan:?}");
            for step in touches {
                assert!(step.contains("message_live") || step.contains("PRIMARY KEY"), "{step} in {plan:#?}");
            }
            assert!(!plan.iter().any(|step| step.contains("TEMP B-TREE")), "{plan:#?}");
        }
    }
}
