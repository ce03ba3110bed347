//! Reads the outbox: which lanes have work, what waits in one, what is needed to render and send one message.

use bytes::Bytes;
use futures_util::future::try_join3;
use tokio_postgres::Row;

use super::Db;
use super::tx::{Fault, Kind, Tx, transaction};
use super::values::{moment, named, small, time, values};
use crate::alert::{Format, ThreadId, Timestamp, TransitionKind};
use crate::engine::outbox::due;
use crate::names::{LaneKey, SourceId};
use crate::store::body::unpacked;
use crate::store::text::shortened;
use crate::store::{Frozen, Kept, LaneHead, Moved, Queued, State, StoreError, VIEW, Waiting, WaitingMessage};

/// Each lane with live messages that this replica may work on, and when the earliest of its [`VIEW`] is due; -1 where
/// one of them is being sent. O(lanes): at most the view of each is read.
pub(super) const LANES: &str = "
    WITH RECURSIVE heads (lane) AS (
        (SELECT lane FROM message WHERE settled_at IS NULL ORDER BY lane LIMIT 1)
        UNION ALL
        SELECT (SELECT m.lane FROM message m WHERE m.settled_at IS NULL AND m.lane > heads.lane
                ORDER BY m.lane LIMIT 1)
        FROM heads WHERE heads.lane IS NOT NULL
    )
    SELECT heads.lane,
        (SELECT min(CASE state WHEN 'sending' THEN -1 ELSE not_before END) FROM (
            (SELECT state, not_before FROM message
             WHERE settled_at IS NULL AND lane = heads.lane AND act_id IS NULL AND picture_of IS NULL
             ORDER BY lane, id LIMIT $2)
            UNION ALL
            (SELECT state, not_before FROM message
             WHERE settled_at IS NULL AND lane = heads.lane AND act_id IS NOT NULL ORDER BY lane, id LIMIT $3)
            UNION ALL
            (SELECT state, not_before FROM message
             WHERE settled_at IS NULL AND lane = heads.lane AND critical ORDER BY lane, id LIMIT $4)
            UNION ALL
            (SELECT state, not_before FROM message
             WHERE settled_at IS NULL AND lane = heads.lane AND picture_of IS NOT NULL ORDER BY lane, id LIMIT $5)) AS seen)
    FROM heads LEFT JOIN lane ON lane.name = heads.lane
    WHERE heads.lane IS NOT NULL
      AND (lane.name IS NULL OR lane.owner = $1 OR lane.lease_until <= clock_timestamp())
    ORDER BY heads.lane";

/// The live messages of one lane that are in its [`VIEW`]. Acts, critical alerts and pictures have indexes of their own; the
/// query for alerts skips messages about acts, which are few, because a newer one takes over what an
/// older one waits to tell, and pictures, which are gone after some minutes.
pub(super) const WAITING: &str = "
    SELECT id, state,
           version = 0 AND state = 'queued' AND act_id IS NULL AND fell_back_at IS NULL AND picture_of IS NULL, digest,
           critical, urgent, created_at, not_before, picture_of IS NOT NULL
    FROM message
    WHERE id IN (
        SELECT id FROM (SELECT id FROM message WHERE settled_at IS NULL AND lane = $1 AND act_id IS NULL
                        AND picture_of IS NULL ORDER BY lane, id LIMIT $2) AS part
        UNION
        SELECT id FROM (SELECT id FROM message WHERE settled_at IS NULL AND lane = $1 AND act_id IS NOT NULL
                        ORDER BY lane, id LIMIT $3) AS part
        UNION
        SELECT id FROM (SELECT id FROM message WHERE settled_at IS NULL AND lane = $1 AND critical
                        ORDER BY lane, id LIMIT $4) AS part
        UNION
        SELECT id FROM (SELECT id FROM message WHERE settled_at IS NULL AND lane = $1 AND picture_of IS NOT NULL
                        ORDER BY lane, id LIMIT $5) AS part)
    ORDER BY id";

/// Number of foldable messages of a lane, at most 1,000: more decide nothing.
pub(super) const FRESH: &str = "
    SELECT count(*) FROM (
        SELECT 1 FROM message
        WHERE settled_at IS NULL AND lane = $1 AND version = 0 AND state = 'queued' AND act_id IS NULL
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
    WHERE m.id = $1 AND m.state IN ('queued', 'unsure')";

impl Db {
    pub(in crate::store) async fn lanes(&self, now: Timestamp) -> Result<Vec<LaneHead>, StoreError> {
        transaction!(&self.0.pool, Kind::Read, tx => async {
            let [alerts, acts, critical, pictures] =
                [VIEW.alerts, VIEW.acts, VIEW.critical, VIEW.pictures].map(i64::from);
            let rows = tx.rows(LANES, values![self.0.owner, alerts, acts, critical, pictures]).await?;
            let head = |row: Row| {
                Ok(LaneHead::of_view(LaneKey::stored(row.try_get::<_, String>(0)?), row.try_get(1)?, now))
            };
            rows.into_iter().map(head).collect()
        })
    }

    pub(in crate::store) async fn waiting(&self, lane: &LaneKey, now: Timestamp) -> Result<Waiting, StoreError> {
        let lane = lane.as_str();
        let [alerts, acts, critical, pictures] = [VIEW.alerts, VIEW.acts, VIEW.critical, VIEW.pictures].map(i64::from);
        transaction!(&self.0.pool, Kind::Read, tx => async {
            let rows = tx.rows(WAITING, values![lane, alerts, acts, critical, pictures]).await?;
            let messages = rows.iter().map(|row| waiting(row, now)).collect::<Result<Vec<_>, Fault>>()?;
            let seen = messages.iter().filter(|message| message.fresh).count() as u64;
            // Only a lane that is longer than the view is counted.
            let fresh = if messages.len() < VIEW.alerts as usize {
                seen
            } else {
                tx.only(FRESH, values![lane]).await?.try_get::<_, i64>(0)?.unsigned_abs()
            };
            Ok(Waiting { messages, fresh })
        })
    }

    pub(in crate::store) async fn queued(&self, message: i64) -> Result<Option<Queued>, StoreError> {
        let bodies = "SELECT p.body FROM message m JOIN part p ON p.message_id = m.id AND p.version = m.version
                      WHERE m.id = $1 ORDER BY p.number";
        transaction!(&self.0.pool, Kind::Read, tx => async {
                    let (found, transitions, parts) = try_join3(
        tx.row(QUEUED, values![message]),
                        transitions(&tx, message),
                        tx.rows(bodies, values![message]),
        ).await?;
                    let Some(found) = found else { return Ok(None) };
                    let mut found = queued(&found)?;
                    found.transitions = transitions;
                    if let Some(frozen) = &mut found.frozen {
                        let body = |row: &Row| Ok(Bytes::from(row.try_get::<_, Vec<u8>>(0)?));
                        frozen.parts = parts.iter().map(body).collect::<Result<_, Fault>>()?;
                    }
                    Ok(Some(found))
                })
    }

    pub(in crate::store) async fn postpone(
        &self,
        message: i64,
        epoch: i64,
        until: Timestamp,
        reason: &str,
    ) -> Result<(), StoreError> {
        let reason = shortened(reason);
        let sql = "UPDATE message SET not_before = $3, outcome = 'held', error = $4
                   WHERE id = $1 AND epoch = $2 AND state IN ('queued', 'unsure')";
        transaction!(self.writing()?, Kind::Write, tx => async {
            tx.execute(sql, values![message, epoch, until.0, reason]).await?;
            Ok(())
        })
    }
}

fn waiting(row: &Row, now: Timestamp) -> Result<WaitingMessage, Fault> {
    Ok(WaitingMessage {
        message: row.try_get(0)?,
        state: named(row, 1, State::from_name)?,
        fresh: row.try_get(2)?,
        digest: row.try_get(3)?,
        critical: row.try_get(4)?,
        urgent: row.try_get(5)?,
        created_at: moment(row, 6)?,
        due_at: due(moment(row, 7)?, now),
        picture: row.try_get(8)?,
    })
}

fn queued(row: &Row) -> Result<Queued, Fault> {
    let perhaps_sent: bool = row.try_get(27)?;
    let frozen = match small(row, 11)? {
        0 => None,
        version => Some(Frozen {
            version,
            face: row.try_get(12)?,
            parts: Vec::new(),
            next_part: small(row, 13)?,
            first_claimed_at: time(row, 15)?.unwrap_or_default(),
            unsent_since: time(row, 26)?.filter(|_| !perhaps_sent),
            pictured: row.try_get(29)?,
        }),
    };
    Ok(Queued {
        message: row.try_get(0)?,
        receiver: row.try_get(1)?,
        lane: LaneKey::stored(row.try_get::<_, String>(2)?),
        target_json: row.try_get(3)?,
        critical: row.try_get(4)?,
        digest: row.try_get(5)?,
        act: row.try_get(24)?,
        picture_of: row.try_get(28)?,
        thread: ThreadId(row.try_get(6)?),
        state: named(row, 7, State::from_name)?,
        epoch: row.try_get(8)?,
        revision: row.try_get(9)?,
        created_at: moment(row, 10)?,
        notification: kept(row, 16)?,
        transitions: Vec::new(),
        frozen,
        note_json: row.try_get(14)?,
        fell_back_at: time(row, 25)?,
    })
}

/// A notification in eight columns from `first` on.
pub(super) fn kept(row: &Row, first: usize) -> Result<Kept, Fault> {
    Ok(Kept {
        id: row.try_get(first)?,
        source: SourceId::parse(row.try_get(first + 1)?),
        format: named(row, first + 2, Format::from_name)?,
        content_type: row.try_get(first + 3)?,
        path_receiver: row.try_get(first + 4)?,
        received_at: moment(row, first + 5)?,
        raw: unpacked(row.try_get(first + 7)?, row.try_get(first + 6)?)
            .map_err(|damaged| StoreError::bug(damaged.to_string()))?,
    })
}

/// The transitions of a message; none for a digest; of a picture, those of the message that it follows.
pub(super) async fn transitions(tx: &Tx, message: i64) -> Result<Vec<Moved>, Fault> {
    let sql = "SELECT id, alert_id, notification_id, alert_index, kind, at, starts_at, ends_at FROM transition
               WHERE message_id = (SELECT coalesce(picture_of, id) FROM message WHERE id = $1 AND NOT digest) ORDER BY id";
    let moved = |row: &Row| {
        Ok(Moved {
            id: row.try_get(0)?,
            alert: row.try_get(1)?,
            notification: row.try_get(2)?,
            alert_index: small(row, 3)?,
            kind: named(row, 4, TransitionKind::from_name)?,
            at: moment(row, 5)?,
            starts_at: time(row, 6)?,
            ends_at: time(row, 7)?,
        })
    };
    tx.rows(sql, values![message]).await?.iter().map(moved).collect()
}
