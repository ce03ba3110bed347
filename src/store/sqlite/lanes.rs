//! Reads the outbox: which lanes have work, what waits in one, what is needed to render and send one message.

use bytes::Bytes;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::Db;
use super::statement::Prepare as _;
use crate::alert::{Format, ThreadId, Timestamp, TransitionKind};
use crate::engine::outbox::due;
use crate::names::{LaneKey, SourceId};
use crate::store::body::unpacked;
use crate::store::text::shortened;
use crate::store::{Frozen, Kept, LaneHead, Lease, Moved, Queued, State, StoreError, VIEW, Waiting, WaitingMessage};

/// Each lane with live messages, and when the earliest of its [`VIEW`] is due; -1 where one of them is being sent.
/// O(lanes): at most the view of each is read.
pub(super) const LANES: &str = "
    WITH RECURSIVE heads (lane) AS (
        SELECT min(lane) FROM message WHERE settled_at IS NULL
        UNION ALL
        SELECT (SELECT min(lane) FROM message WHERE settled_at IS NULL AND lane > heads.lane)
        FROM heads WHERE heads.lane IS NOT NULL
    )
    SELECT heads.lane,
        (SELECT min(CASE state WHEN 'sending' THEN -1 ELSE not_before END) FROM (
            SELECT * FROM (SELECT state, not_before FROM message
                           WHERE settled_at IS NULL AND lane = heads.lane AND act_id IS NULL AND picture_of IS NULL
                           ORDER BY id LIMIT ?1)
            UNION ALL
            SELECT * FROM (SELECT state, not_before FROM message
                           WHERE settled_at IS NULL AND lane = heads.lane AND act_id IS NOT NULL ORDER BY id LIMIT ?2)
            UNION ALL
            SELECT * FROM (SELECT state, not_before FROM message
                           WHERE settled_at IS NULL AND lane = heads.lane AND critical = 1 ORDER BY id LIMIT ?3)
            UNION ALL
            SELECT * FROM (SELECT state, not_before FROM message
                           WHERE settled_at IS NULL AND lane = heads.lane AND picture_of IS NOT NULL
                           ORDER BY id LIMIT ?4)))
    FROM heads WHERE heads.lane IS NOT NULL";

/// The live messages of one lane that are in its [`VIEW`]. Acts, critical alerts and pictures have indexes of their own; the
/// query for alerts skips messages about acts, which are few, because a newer one takes over what an
/// older one waits to tell, and pictures, which are gone after some minutes.
pub(super) const WAITING: &str = "
    SELECT id, state,
           version = 0 AND state = 'queued' AND act_id IS NULL AND fell_back_at IS NULL AND picture_of IS NULL, digest,
           critical, urgent, created_at, not_before, picture_of IS NOT NULL
    FROM message
    WHERE id IN (
        SELECT id FROM (SELECT id FROM message WHERE settled_at IS NULL AND lane = ?1 AND act_id IS NULL
                        AND picture_of IS NULL ORDER BY id LIMIT ?2)
        UNION
        SELECT id FROM (SELECT id FROM message WHERE settled_at IS NULL AND lane = ?1 AND act_id IS NOT NULL
                        ORDER BY id LIMIT ?3)
        UNION
        SELECT id FROM (SELECT id FROM message WHERE settled_at IS NULL AND lane = ?1 AND critical = 1
                        ORDER BY id LIMIT ?4)
        UNION
        SELECT id FROM (SELECT id FROM message WHERE settled_at IS NULL AND lane = ?1 AND picture_of IS NOT NULL
                        ORDER BY id LIMIT ?5))
    ORDER BY id";

/// Number of foldable messages of a lane, at most 1,000: more decide nothing.
pub(super) const FRESH: &str = "
    SELECT count(*) FROM (
        SELECT 1 FROM message
        WHERE settled_at IS NULL AND lane = ?1 AND version = 0 AND state = 'queued' AND act_id IS NULL
          AND fell_back_at IS NULL AND picture_of IS NULL
        LIMIT 1000) AS fresh";

const QUEUED: &str = "
    SELECT m.id, m.receiver, m.lane, m.target, m.critical, m.digest, m.thread, m.state, m.epoch, m.revision,
           m.created_at, m.version, m.face, m.next_part, m.note,
           (SELECT min(at) FROM attempt WHERE message_id = m.id),
           n.id, n.source, n.format, n.content_type, n.path_receiver, n.received_at, n.raw, n.codec,
           m.act_id IS NOT NULL, m.fell_back_at, (SELECT min(at) FROM attempt WHERE message_id = m.id AND version = m.version),
           EXISTS (SELECT 1 FROM attempt WHERE message_id = m.id AND (outcome IS NULL OR outcome <> 'not_sent')),
           m.picture_of, m.pictured
    FROM message m JOIN notification n ON n.id = m.notification_id
    WHERE m.id = ?1 AND m.state IN ('queued', 'unsure')";

impl Db {
    pub(in crate::store) async fn lanes(&self, now: Timestamp) -> Result<Vec<LaneHead>, StoreError> {
        self.read(move |connection| {
            let mut select = connection.held(LANES)?;
            let heads = select.query_map(params![VIEW.alerts, VIEW.acts, VIEW.critical, VIEW.pictures], |row| {
                Ok(LaneHead::of_view(LaneKey::stored(row.get::<_, String>(0)?), row.get(1)?, now))
            })?;
            Ok(heads.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// This process holds the file and runs one worker for each lane, so every lane is free; only a worker that ended
    /// between claim and settle leaves a message in `sending`.
    pub(in crate::store) async fn acquire(&self, lane: &LaneKey) -> Result<Option<Lease>, StoreError> {
        let name = lane.to_string();
        let abandoned = self
            .read(move |connection| {
                let sql = "SELECT EXISTS (SELECT 1 FROM message
                           WHERE settled_at IS NULL AND lane = ?1 AND state = 'sending')";
                Ok(connection.held(sql)?.query_row([name], |row| row.get::<_, bool>(0))?)
            })
            .await?;
        if abandoned {
            self.abandon(Some(lane.to_string())).await?;
        }
        Ok(Some(Lease { lane: lane.clone(), epoch: 0 }))
    }

    #[expect(clippy::unused_async, reason = "the PostgreSQL store awaits here")]
    pub(in crate::store) async fn release(&self, _lease: &Lease) -> Result<(), StoreError> {
        Ok(())
    }

    pub(in crate::store) async fn recover(&self) -> Result<usize, StoreError> {
        self.abandon(None).await
    }

    /// Marks what is being sent, in one lane or in all, as unsure, and due.
    async fn abandon(&self, lane: Option<String>) -> Result<usize, StoreError> {
        self.write(move |connection| {
            let sql = "UPDATE message SET state = 'unsure', not_before = 0
                       WHERE settled_at IS NULL AND state = 'sending' AND (?1 IS NULL OR lane = ?1)";
            Ok(connection.held(sql)?.execute([lane])?)
        })
        .await
    }

    pub(in crate::store) async fn waiting(&self, lane: &LaneKey, now: Timestamp) -> Result<Waiting, StoreError> {
        let lane = lane.to_string();
        self.read(move |connection| {
            let mut select = connection.held(WAITING)?;
            let view = params![lane, VIEW.alerts, VIEW.acts, VIEW.critical, VIEW.pictures];
            let rows = select.query_map(view, |row| {
                Ok(WaitingMessage {
                    message: row.get(0)?,
                    state: named(row, 1, State::from_name)?,
                    fresh: row.get(2)?,
                    digest: row.get(3)?,
                    critical: row.get(4)?,
                    urgent: row.get(5)?,
                    created_at: Timestamp(row.get(6)?),
                    due_at: due(Timestamp(row.get(7)?), now),
                    picture: row.get(8)?,
                })
            })?;
            let messages: Vec<WaitingMessage> = rows.collect::<Result<_, _>>()?;
            let seen = messages.iter().filter(|message| message.fresh).count() as u64;
            // Only a lane that is longer than the view is counted.
            let fresh = if messages.len() < VIEW.alerts as usize {
                seen
            } else {
                connection.held(FRESH)?.query_row([lane], |row| Ok(row.get::<_, i64>(0)?.unsigned_abs()))?
            };
            Ok(Waiting { messages, fresh })
        })
        .await
    }

    pub(in crate::store) async fn queued(&self, message: i64) -> Result<Option<Queued>, StoreError> {
        self.read(move |connection| {
            let found = connection.held(QUEUED)?.query_row([message], queued).optional()?;
            let Some(mut found) = found else { return Ok(None) };
            if !found.digest {
                found.transitions = transitions(connection, message)?;
            }
            if let Some(frozen) = &mut found.frozen {
                frozen.parts = parts(connection, message, frozen.version)?;
            }
            Ok(Some(found))
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
            connection.held(sql)?.execute(params![message, epoch, until.0, reason])?;
            Ok(())
        })
        .await
    }
}

fn queued(row: &Row<'_>) -> rusqlite::Result<Queued> {
    let version: u32 = row.get(11)?;
    let perhaps_sent: bool = row.get(27)?;
    let frozen = match version {
        0 => None,
        version => Some(Frozen {
            version,
            face: row.get(12)?,
            parts: Vec::new(),
            next_part: row.get(13)?,
            first_claimed_at: Timestamp(row.get::<_, Option<i64>>(15)?.unwrap_or_default()),
            unsent_since: time(row, 26)?.filter(|_| !perhaps_sent),
            pictured: row.get(29)?,
        }),
    };
    Ok(Queued {
        message: row.get(0)?,
        receiver: row.get(1)?,
        lane: LaneKey::stored(row.get::<_, String>(2)?),
        target_json: row.get(3)?,
        critical: row.get(4)?,
        digest: row.get(5)?,
        act: row.get(24)?,
        picture_of: row.get(28)?,
        thread: ThreadId(row.get(6)?),
        state: named(row, 7, State::from_name)?,
        epoch: row.get(8)?,
        revision: row.get(9)?,
        created_at: Timestamp(row.get(10)?),
        notification: kept(row, 16)?,
        transitions: Vec::new(),
        frozen,
        note_json: row.get(14)?,
        fell_back_at: time(row, 25)?,
    })
}

/// A notification in eight columns from `first` on.
pub(super) fn kept(row: &Row<'_>, first: usize) -> rusqlite::Result<Kept> {
    Ok(Kept {
        id: row.get(first)?,
        source: SourceId::parse(&row.get::<_, String>(first + 1)?),
        format: named(row, first + 2, Format::from_name)?,
        content_type: row.get(first + 3)?,
        path_receiver: row.get(first + 4)?,
        received_at: Timestamp(row.get(first + 5)?),
        raw: unpacked(row.get(first + 7)?, row.get_ref(first + 6)?.as_blob()?)
            .map_err(|damaged| rusqlite::Error::FromSqlConversionFailure(first + 6, Type::Blob, damaged.into()))?,
    })
}

/// What a message tells; of a picture, what the message tells that it follows.
pub(super) fn transitions(connection: &Connection, message: i64) -> Result<Vec<Moved>, StoreError> {
    let mut select = connection.held(
        "SELECT id, alert_id, notification_id, alert_index, kind, at, starts_at, ends_at
         FROM transition
         WHERE message_id = (SELECT ifnull(picture_of, id) FROM message WHERE id = ?1) ORDER BY id",
    )?;
    let rows = select.query_map([message], |row| {
        Ok(Moved {
            id: row.get(0)?,
            alert: row.get(1)?,
            notification: row.get(2)?,
            alert_index: row.get(3)?,
            kind: named(row, 4, TransitionKind::from_name)?,
            at: Timestamp(row.get(5)?),
            starts_at: time(row, 6)?,
            ends_at: time(row, 7)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn parts(connection: &Connection, message: i64, version: u32) -> Result<Vec<Bytes>, StoreError> {
    let mut select = connection.held("SELECT body FROM part WHERE message_id = ?1 AND version = ?2 ORDER BY number")?;
    let rows = select.query_map(params![message, version], |row| row.get::<_, Vec<u8>>(0).map(Bytes::from))?;
    Ok(rows.collect::<Result<_, _>>()?)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn due_lanes_are_found_by_live_messages_only() {
        let connection = Connection::open_in_memory().unwrap();
        for step in crate::store::migrate::SQLITE {
            connection.execute_batch(step).unwrap();
        }
        for sql in [LANES, WAITING, FRESH] {
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
            // Only the view itself, which is small, is sorted.
            let sorted = plan.iter().any(|step| step.contains("TEMP B-TREE FOR"));
            assert!(!sorted || sql == WAITING, "{plan:#?}");
        }
    }
}
