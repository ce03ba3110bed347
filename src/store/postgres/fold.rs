//! Folding: a lane that is behind tells its waiting messages by one digest.

use std::pin::pin;

use futures_util::TryStreamExt as _;
use futures_util::future::try_join4;
use tokio_postgres::Row;

use super::Db;
use super::admit::last_ids;
use super::changes::write;
use super::lease::renew;
use super::tx::{Fault, Kind, Tx, transaction};
use super::values::{moment, named, time, values};
use crate::alert::{Timestamp, TransitionKind};
use crate::engine::fold::{FOLDED_AT_ONCE, FoldFacts, Foldable, fold};
use crate::store::digest::{Gathering, labels};
use crate::store::{Digest, DigestItem, DigestKey, Folded, Lease, StoreError};

/// The messages of a lane that can be folded: never claimed, not the one to keep, not about an act, and sharing no
/// alert with a message that stays. A digest is newer than its messages, so a message that stays would overtake it.
/// O(digests, messages that stay, messages folded at once), independent of the backlog: all other writers wait
/// meanwhile. One lookup for each row, so that the planner, whose statistics are old in a storm, must use the indexes of
/// transitions.
pub(super) const FOLDABLE: &str = "
    WITH RECURSIVE stays (id) AS (
        SELECT id FROM message WHERE settled_at IS NULL AND lane = $1
            AND (version > 0 OR act_id IS NOT NULL OR fell_back_at IS NOT NULL)
        UNION
        SELECT id FROM message WHERE id = $2 AND settled_at IS NULL AND lane = $1
        UNION
        SELECT other.message_id FROM stays
            CROSS JOIN LATERAL (SELECT alert_id FROM transition WHERE message_id = stays.id OFFSET 0) mine
            CROSS JOIN LATERAL (SELECT message_id FROM transition
                                WHERE alert_id = mine.alert_id AND fate = 'pending' AND lane = $1 OFFSET 0) other
    )
    SELECT * FROM (
        SELECT m.id, m.digest, m.critical, m.urgent, m.created_at FROM message m
        WHERE m.settled_at IS NULL AND m.lane = $1 AND m.digest AND m.version = 0 AND m.state = 'queued'
          AND m.act_id IS NULL AND m.fell_back_at IS NULL AND m.picture_of IS NULL AND m.id NOT IN (SELECT id FROM stays)
        ORDER BY m.lane, m.id LIMIT $3 FOR NO KEY UPDATE OF m) AS digests
    UNION ALL
    SELECT * FROM (
        SELECT m.id, m.digest, m.critical, m.urgent, m.created_at FROM message m
        WHERE m.settled_at IS NULL AND m.lane = $1 AND NOT m.digest AND m.version = 0 AND m.state = 'queued'
          AND m.act_id IS NULL AND m.fell_back_at IS NULL AND m.picture_of IS NULL AND m.id NOT IN (SELECT id FROM stays)
        ORDER BY m.lane, m.id LIMIT $3 FOR NO KEY UPDATE OF m) AS others";

/// The pictures that wait in a lane, each with the message that it follows.
const PICTURES: &str = "
    SELECT id, picture_of FROM message
    WHERE settled_at IS NULL AND lane = $1 AND picture_of IS NOT NULL AND state <> 'sending'
    ORDER BY lane, id FOR NO KEY UPDATE";

/// The alerts of a message with their last transition and the number of transitions.
const ALERTS: &str = "
    SELECT a.id, a.name, a.labels, a.critical, t.kind, t.starts_at, t.ends_at, x.changes, x.first_at, t.at
    FROM (SELECT alert_id, max(id) AS last, count(*) AS changes, min(at) AS first_at
          FROM transition WHERE message_id = $1 GROUP BY alert_id) x
    JOIN transition t ON t.id = x.last JOIN alert a ON a.id = x.alert_id";

/// Those behind a [`DigestKey`], in its order; names by their bytes, as everywhere.
const AFTER: &str = "
    WHERE (t.kind IN ('resolved', 'lapsed', 'notice'), NOT a.critical, a.name COLLATE \"C\", a.id) > ($2, $3, $4, $5)
    ORDER BY t.kind IN ('resolved', 'lapsed', 'notice'), NOT a.critical, a.name COLLATE \"C\", a.id LIMIT $6";

impl Db {
    pub(in crate::store) async fn fold(
        &self,
        lease: &Lease,
        keep: Option<i64>,
        now: Timestamp,
    ) -> Result<Option<Folded>, StoreError> {
        transaction!(self.writing()?, Kind::Ordered, tx => fold_lane(self, &tx, lease, keep, now))
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
        let order =
            "ORDER BY t.kind IN ('resolved', 'lapsed', 'notice'), a.critical DESC, x.last DESC LIMIT $3 OFFSET $2";
        let sql = format!("{ALERTS} {order}");
        transaction!(&self.0.pool, Kind::Read, tx => async {
            let rows = tx.rows(&sql, values![message, i64::from(skip), i64::from(take)]).await?;
            rows.iter().map(item).collect()
        })
    }

    pub(in crate::store) async fn digest_after(
        &self,
        message: i64,
        after: DigestKey,
        take: u32,
    ) -> Result<Vec<DigestItem>, StoreError> {
        let sql = format!("{ALERTS} {AFTER}");
        transaction!(&self.0.pool, Kind::Read, tx => async {
            let DigestKey { over, minor, name, alert } = &after;
            let rows = tx.rows(&sql, values![message, *over, *minor, name.as_str(), *alert, i64::from(take)]).await?;
            rows.iter().map(item).collect()
        })
    }
}

async fn fold_lane(
    db: &Db,
    tx: &Tx,
    lease: &Lease,
    keep: Option<i64>,
    now: Timestamp,
) -> Result<Option<Folded>, Fault> {
    let (held, rows, waiting, ids) = try_join4(
        renew(tx, lease, &db.0.owner, db.0.lease),
        tx.rows(FOLDABLE, values![lease.lane.as_str(), keep, i64::from(FOLDED_AT_ONCE)]),
        tx.rows(PICTURES, values![lease.lane.as_str()]),
        last_ids(tx),
    )
    .await?;
    let foldable = |row: &Row| -> Result<Foldable, Fault> {
        Ok(Foldable {
            message: row.try_get(0)?,
            digest: row.try_get(1)?,
            critical: row.try_get(2)?,
            urgent: row.try_get(3)?,
            created_at: moment(row, 4)?,
        })
    };
    let picture = |row: &Row| -> Result<(i64, i64), Fault> { Ok((row.try_get(0)?, row.try_get(1)?)) };
    let facts = FoldFacts {
        held,
        foldable: rows.iter().map(foldable).collect::<Result<_, _>>()?,
        pictures: waiting.iter().map(picture).collect::<Result<_, _>>()?,
        ids,
    };
    let Some((folded, changes)) = fold(facts, now).map_err(|denied| denied.error(keep.unwrap_or_default()))? else {
        tx.undo();
        return Ok(None);
    };
    write(tx, &changes).await?;
    Ok(Some(folded))
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
