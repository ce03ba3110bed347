//! Folding: a lane that is behind tells its waiting messages by one digest.

use rusqlite::{Connection, Row, params};

use super::Db;
use super::admit::last_ids;
use super::changes::write;
use super::lanes::{named, time};
use super::statement::Prepare as _;
use crate::alert::{Timestamp, TransitionKind};
use crate::engine::fold::{FOLDED_AT_ONCE, FoldFacts, Foldable, fold};
use crate::names::LaneKey;
use crate::store::digest::{Gathering, labels};
use crate::store::{Digest, DigestItem, DigestKey, Folded, Lease, StoreError};

/// The messages of a lane that can be folded: never claimed, not the one to keep, not about an act, and sharing no
/// alert with a message that stays. A digest is newer than its messages, so a message that stays would overtake it.
/// O(digests, messages that stay, messages folded at once), independent of the backlog. Join order and indexes are fixed:
/// by default SQLite reads all pending transitions each time. ?1 is the lane, ?2 the message to keep, ?3 how many.
const FOLDABLE: &str = "
    WITH RECURSIVE stays (id) AS (
        SELECT id FROM message INDEXED BY message_live_stays
        WHERE settled_at IS NULL AND lane = ?1 AND (version > 0 OR act_id IS NOT NULL OR fell_back_at IS NOT NULL)
        UNION
        SELECT id FROM message WHERE id = ?2 AND settled_at IS NULL AND lane = ?1
        UNION
        SELECT other.message_id FROM stays CROSS JOIN transition mine ON mine.message_id = stays.id
            CROSS JOIN transition other INDEXED BY transition_pending
            ON other.alert_id = mine.alert_id AND other.fate = 'pending' AND other.lane = ?1
    )
    SELECT * FROM (
        SELECT m.id, m.digest, m.critical, m.urgent, m.created_at FROM message m INDEXED BY message_live_digests
        WHERE m.settled_at IS NULL AND m.lane = ?1 AND m.digest = 1 AND m.version = 0 AND m.state = 'queued'
          AND m.act_id IS NULL AND m.fell_back_at IS NULL AND m.picture_of IS NULL AND m.id NOT IN (SELECT id FROM stays)
        ORDER BY m.id LIMIT ?3)
    UNION ALL
    SELECT * FROM (
        SELECT m.id, m.digest, m.critical, m.urgent, m.created_at FROM message m INDEXED BY message_live
        WHERE m.settled_at IS NULL AND m.lane = ?1 AND m.digest = 0 AND m.version = 0 AND m.state = 'queued'
          AND m.act_id IS NULL AND m.fell_back_at IS NULL AND m.picture_of IS NULL AND m.id NOT IN (SELECT id FROM stays)
        ORDER BY m.id LIMIT ?3)";

/// The alerts of a message with their last transition and the number of transitions.
const ALERTS: &str = "
    SELECT a.id, a.name, a.labels, a.critical, t.kind, t.starts_at, t.ends_at, x.changes, x.first_at, t.at
    FROM (SELECT alert_id, max(id) AS last, count(*) AS changes, min(at) AS first_at
          FROM transition WHERE message_id = ?1 GROUP BY alert_id) x
    JOIN transition t ON t.id = x.last JOIN alert a ON a.id = x.alert_id";

/// Those behind a [`DigestKey`], in its order.
const AFTER: &str = "
    WHERE (t.kind IN ('resolved', 'lapsed', 'notice'), NOT a.critical, a.name, a.id) > (?2, ?3, ?4, ?5)
    ORDER BY t.kind IN ('resolved', 'lapsed', 'notice'), NOT a.critical, a.name, a.id LIMIT ?6";

impl Db {
    pub(in crate::store) async fn fold(
        &self,
        lease: &Lease,
        keep: Option<i64>,
        now: Timestamp,
    ) -> Result<Option<Folded>, StoreError> {
        let lane = lease.lane.clone();
        self.write(move |connection| {
            let facts = facts(connection, &lane, keep)?;
            let decided = fold(facts, now).map_err(|denied| denied.error(keep.unwrap_or_default()))?;
            let Some((folded, changes)) = decided else { return Ok(None) };
            write(connection, &changes)?;
            Ok(Some(folded))
        })
        .await
    }

    pub(in crate::store) async fn digest(&self, message: i64) -> Result<Digest, StoreError> {
        self.read(move |connection| {
            let mut select = connection.held(&format!("{ALERTS} ORDER BY x.last"))?;
            let mut rows = select.query([message])?;
            let mut gathering = Gathering::default();
            while let Some(row) = rows.next()? {
                gathering.add(item(row)?, Timestamp(row.get(8)?), Timestamp(row.get(9)?));
            }
            Ok(gathering.finish())
        })
        .await
    }

    pub(in crate::store) async fn digest_page(
        &self,
        message: i64,
        skip: u32,
        take: u32,
    ) -> Result<Vec<DigestItem>, StoreError> {
        self.read(move |connection| {
            let order =
                "ORDER BY t.kind IN ('resolved', 'lapsed', 'notice'), a.critical DESC, x.last DESC LIMIT ?3 OFFSET ?2";
            let mut select = connection.held(&format!("{ALERTS} {order}"))?;
            let rows = select.query_map(params![message, skip, take], item)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    pub(in crate::store) async fn digest_after(
        &self,
        message: i64,
        after: DigestKey,
        take: u32,
    ) -> Result<Vec<DigestItem>, StoreError> {
        self.read(move |connection| {
            let mut select = connection.held(&format!("{ALERTS} {AFTER}"))?;
            let DigestKey { over, minor, name, alert } = after;
            let rows = select.query_map(params![message, over, minor, name, alert, take], item)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }
}

fn facts(connection: &Connection, lane: &LaneKey, keep: Option<i64>) -> Result<FoldFacts, StoreError> {
    let row = |row: &Row<'_>| {
        Ok(Foldable {
            message: row.get(0)?,
            digest: row.get(1)?,
            critical: row.get(2)?,
            urgent: row.get(3)?,
            created_at: Timestamp(row.get(4)?),
        })
    };
    let mut select = connection.held(FOLDABLE)?;
    let foldable = select.query_map(params![lane.as_str(), keep, FOLDED_AT_ONCE], row)?;
    let foldable = foldable.collect::<Result<_, _>>()?;
    Ok(FoldFacts { held: true, foldable, pictures: pictures(connection, lane)?, ids: last_ids(connection)? })
}

/// The pictures that wait in a lane, each with the message that it follows.
fn pictures(connection: &Connection, lane: &LaneKey) -> Result<Vec<(i64, i64)>, StoreError> {
    let mut select = connection.held(
        "SELECT id, picture_of FROM message
         WHERE settled_at IS NULL AND lane = ?1 AND picture_of IS NOT NULL AND state <> 'sending' ORDER BY id",
    )?;
    let rows = select.query_map([lane.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn item(row: &Row<'_>) -> rusqlite::Result<DigestItem> {
    let kind = named(row, 4, TransitionKind::from_name)?;
    Ok(DigestItem {
        alert: row.get(0)?,
        name: row.get(1)?,
        labels: labels(row.get_ref(2)?.as_str()?),
        critical: row.get(3)?,
        status: kind.leaves(),
        starts_at: time(row, 5)?,
        ends_at: time(row, 6)?,
        changes: row.get::<_, i64>(7)?.unsigned_abs(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::changes::{RELINK, SETTLE};

    #[test]
    fn folding_does_not_read_all_pending_transitions() {
        let connection = Connection::open_in_memory().unwrap();
        for step in crate::store::migrate::SQLITE {
            connection.execute_batch(step).unwrap();
        }
        let plan = |sql: &str| -> Vec<String> {
            let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let mut rows = explain.raw_query();
            let mut steps = Vec::new();
            while let Some(row) = rows.next().unwrap() {
                steps.push(row.get(3).unwrap());
            }
            steps
        };
        let foldable = plan(FOLDABLE);
        assert!(foldable.iter().any(|step| step.contains("other USING INDEX transition_pending")), "{foldable:#?}");
        assert!(!foldable.iter().any(|step| step.contains("AUTOMATIC")), "{foldable:#?}");
        assert!(!foldable.iter().any(|step| step.contains("TEMP B-TREE")), "sorted: {foldable:#?}");
        let (relink, settle) = (plan(RELINK), plan(SETTLE));
        assert!(relink.iter().any(|step| step.contains("INDEX transition_message (message_id=?)")), "{relink:#?}");
        assert!(settle.iter().any(|step| step.contains("SEARCH message USING INTEGER PRIMARY KEY")), "{settle:#?}");
    }

    /// Steps of SQLite's machine for the facts of a fold in a lane with `waiting` messages, one of them claimed.
    fn steps(waiting: u32) -> i32 {
        let connection = Connection::open_in_memory().unwrap();
        for step in crate::store::migrate::SQLITE {
            connection.execute_batch(step).unwrap();
        }
        connection
            .execute_batch(&format!(
                "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {waiting})
                 INSERT INTO message (id, notification_id, receiver, lane, target, critical, thread, created_at, state,
                                      version, digest)
                 SELECT i, 1, 'ops', 'webhook/a', '{{}}', 0, 1, i, 'queued', i = 7, i = 2000 FROM n"
            ))
            .unwrap();
        let mut select = connection.prepare(FOLDABLE).unwrap();
        let rows = select.query_map(params!["webhook/a", 3, FOLDED_AT_ONCE], |row| row.get::<_, i64>(0)).unwrap();
        let found: Vec<i64> = rows.collect::<Result<_, _>>().unwrap();
        assert_eq!((found[0], found[1], found[3], found[6]), (2000, 1, 4, 8), "the digest, then the oldest");
        assert_eq!(found.len(), FOLDED_AT_ONCE as usize + 1);
        select.get_status(rusqlite::StatementStatus::VmStep)
    }

    #[test]
    fn what_can_be_folded_is_found_independently_of_the_backlog() {
        let (few, many) = (steps(2_500), steps(40_000));
        assert!(many <= few + few / 10, "{few} steps with 2,500 messages, {many} with 40,000");
    }
}
