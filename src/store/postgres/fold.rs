//! Folding: a lane that is behind tells its waiting messages by one digest.

use futures_util::future::{try_join, try_join4};
use std::pin::pin;

use futures_util::TryStreamExt as _;
use tokio_postgres::Row;

use super::Db;
use super::changes::wake;
use super::lease::renew;
use super::tx::{Fault, Kind, Tx, transaction};
use super::values::{moment, named, time, values};
use crate::alert::{Timestamp, TransitionKind};
use crate::store::digest::{Gathering, labels};
use crate::store::{Digest, DigestItem, Folded, Lease, StoreError};

/// Messages folded in one transaction: it bounds how long other writers wait.
const BATCH: i64 = 1_000;

/// The messages of a lane that can be folded: never claimed, not the one to keep, not about an act, and sharing no
/// alert with a message that stays. A digest is newer than its messages, so a message that stays would overtake it. One
/// lookup for each row, so that the planner, whose statistics are old in a storm, must use the indexes of transitions.
const FOLDABLE: &str = "
    WITH RECURSIVE stays (id) AS (
        SELECT id FROM message WHERE settled_at IS NULL AND lane = $1 AND (version > 0 OR id = $2 OR act_id IS NOT NULL)
        UNION
        SELECT other.message_id FROM stays
            CROSS JOIN LATERAL (SELECT alert_id FROM transition WHERE message_id = stays.id OFFSET 0) mine
            CROSS JOIN LATERAL (SELECT message_id FROM transition
                                WHERE alert_id = mine.alert_id AND fate = 'pending' AND lane = $1 OFFSET 0) other
    )
    SELECT m.id, m.digest FROM message m
    WHERE m.settled_at IS NULL AND m.lane = $1 AND m.version = 0 AND m.state = 'queued' AND m.act_id IS NULL
      AND m.id NOT IN (SELECT id FROM stays)
    ORDER BY m.digest DESC, m.id LIMIT $3 FOR NO KEY UPDATE OF m";

/// The alerts of a message with their last transition and the number of transitions.
const ALERTS: &str = "
    SELECT a.id, a.name, a.labels, a.critical, t.kind, t.starts_at, t.ends_at, x.changes, x.first_at, t.at
    FROM (SELECT alert_id, max(id) AS last, count(*) AS changes, min(at) AS first_at
          FROM transition WHERE message_id = $1 GROUP BY alert_id) x
    JOIN transition t ON t.id = x.last JOIN alert a ON a.id = x.alert_id";

impl Db {
    pub(in crate::store) async fn fold(
        &self,
        lease: &Lease,
        keep: Option<i64>,
        now: Timestamp,
    ) -> Result<Option<Folded>, StoreError> {
        transaction!(self.writing()?, Kind::Ordered, tx => fold(self, &tx, lease, keep, now))
    }

    pub(in crate::store) async fn digest(&self, message: i64) -> Result<Digest, StoreError> {
        let sql = format!("{ALERTS} ORDER BY x.last");
        transaction!(&self.0.pool, Kind::Read, tx => async {
            let mut rows = pin!(tx.stream(&sql, values![message]).await?);
            let mut gathering = Gathering::default();
            while let Some(row) = rows.try_next().await? {
                gathering.add(item(&row)?, moment(&row, 8)?, moment(&row, 9)?);
            }
            Ok(gathering.finish())
        })
    }

    pub(in crate::store) async fn digest_page(
        &self,
        message: i64,
        skip: u32,
        take: u32,
    ) -> Result<Vec<DigestItem>, StoreError> {
        let order = "ORDER BY t.kind = 'resolved', a.critical DESC, x.last DESC LIMIT $3 OFFSET $2";
        let sql = format!("{ALERTS} {order}");
        transaction!(&self.0.pool, Kind::Read, tx => async {
            let rows = tx.rows(&sql, values![message, i64::from(skip), i64::from(take)]).await?;
            rows.iter().map(item).collect()
        })
    }
}

async fn fold(db: &Db, tx: &Tx, lease: &Lease, keep: Option<i64>, now: Timestamp) -> Result<Option<Folded>, Fault> {
    let (held, rows) = try_join(
        renew(tx, lease, &db.0.owner, db.0.lease),
        tx.rows(FOLDABLE, values![lease.lane.as_str(), keep, BATCH]),
    )
    .await?;
    if !held {
        return Err(StoreError::Lost { message: keep.unwrap_or_default() }.into());
    }
    let ids = rows.iter().map(|row| Ok(row.try_get(0)?)).collect::<Result<Vec<i64>, Fault>>()?;
    let [first, .., last] = ids[..] else {
        tx.undo();
        return Ok(None);
    };
    // An existing digest takes up the others: O(what the others hold), independent of its own size.
    let digest = if rows[0].try_get(1)? { first } else { begin(tx, first, last).await? };
    let taken: Vec<i64> = ids.into_iter().filter(|id| *id != digest).collect();
    // The digest is as critical and as urgent as the messages it stands for.
    let stand = "UPDATE message m SET revision = m.revision + 1, critical = m.critical OR other.critical,
                                      urgent = m.urgent OR other.urgent
                 FROM (SELECT bool_or(critical) AS critical, bool_or(urgent) AS urgent FROM message
                       WHERE id = ANY ($2)) other
                 WHERE m.id = $1";
    let relink = "UPDATE transition SET message_id = $1 WHERE message_id = ANY ($2)";
    let settle = "UPDATE message SET state = 'folded', folded_into = $1, settled_at = $2 WHERE id = ANY ($3)";
    try_join4(
        tx.execute(stand, values![digest; taken]),
        tx.execute(relink, values![digest; taken]),
        tx.execute(settle, values![digest, now.0; taken]),
        wake(tx, true),
    )
    .await?;
    Ok(Some(Folded { digest, messages: taken.len() as u64 }))
}

/// An empty digest, created at the time of its first message, about the notification of the last. Its short id is that
/// of the newest, which no other message of the lane has alone.
async fn begin(tx: &Tx, first: i64, last: i64) -> Result<i64, Fault> {
    let sql =
        "INSERT INTO message (notification_id, receiver, lane, target, critical, urgent, digest, thread, created_at)
               SELECT notification_id, receiver, lane, target, false, false, true, notification_id,
                      (SELECT created_at FROM message WHERE id = $1)
               FROM message WHERE id = $2 RETURNING id";
    Ok(tx.only(sql, values![first, last]).await?.try_get(0)?)
}

fn item(row: &Row) -> Result<DigestItem, Fault> {
    let kind = named(row, 4, TransitionKind::from_name)?;
    Ok(DigestItem {
        alert: row.try_get(0)?,
        name: row.try_get(1)?,
        labels: labels(row.try_get(2)?),
        critical: row.try_get(3)?,
        status: kind.leaves(),
        starts_at: time(row, 5)?,
        ends_at: time(row, 6)?,
        changes: row.try_get::<_, i64>(7)?.unsigned_abs(),
    })
}
