//! What upstreams say of firing alerts, and until when pushed alerts count as firing.

use tokio_postgres::Row;

use super::Db;
use super::alerts::{COLUMNS, alert, select};
use super::tx::{Fault, Kind, transaction};
use super::values::{moment, time, values};
use crate::alert::Timestamp;
use crate::engine::truth::FRESH_MS;
use crate::names::SourceId;
use crate::store::text::{json, text};
use crate::store::{ActAlert, Followed, Lapsing, StoreError, Truth};

impl Db {
    pub(in crate::store) async fn followed(&self, limit: u32) -> Result<Vec<Followed>, StoreError> {
        let sql = format!(
            "SELECT a.told_at, e.step, t.upstream, t.state, t.seen_at, t.listed_at, t.absent_at, {COLUMNS}
             FROM alert a
             LEFT JOIN escalation e ON e.alert_id = a.id AND e.due_at IS NOT NULL AND a.acknowledged_at IS NULL
             LEFT JOIN truth t ON t.alert_id = a.id AND t.thread = a.thread
             WHERE a.status = 'firing' AND a.source <> $1 ORDER BY e.step IS NULL, a.id LIMIT $2"
        );
        let own = SourceId::Wegraf.stored().into_owned();
        transaction!(&self.0.pool, Kind::Read, tx => async {
            tx.rows(&sql, values![own, i64::from(limit)]).await?.iter().map(followed).collect()
        })
    }

    pub(in crate::store) async fn note_truths(&self, truths: Vec<Truth>) -> Result<(), StoreError> {
        let alerts: Vec<i64> = truths.iter().map(|truth| truth.alert).collect();
        let threads: Vec<i64> = truths.iter().map(|truth| truth.thread.0).collect();
        let upstreams: Vec<String> = truths.iter().map(|truth| text(&truth.upstream).into_owned()).collect();
        let states: Vec<String> = truths.iter().map(|truth| json(&truth.state_json).into_owned()).collect();
        let seen: Vec<i64> = truths.iter().map(|truth| truth.seen_at.0).collect();
        let listed: Vec<Option<i64>> = truths.iter().map(|truth| truth.listed_at.map(|time| time.0)).collect();
        let absent: Vec<Option<i64>> = truths.iter().map(|truth| truth.absent_at.map(|time| time.0)).collect();
        // An alert may have been pruned meanwhile. In order of ids, so that two replicas never wait for one another.
        let sql = format!(
            "INSERT INTO truth (alert_id, thread, upstream, state, seen_at, listed_at, absent_at)
                   SELECT k.* FROM unnest($1, $2, $3, $4, $5, $6, $7)
                          AS k (id, thread, upstream, state, seen_at, listed_at, absent_at)
                   WHERE EXISTS (SELECT 1 FROM alert a WHERE a.id = k.id) ORDER BY k.id
                   ON CONFLICT (alert_id) DO UPDATE
                   SET thread = excluded.thread, upstream = excluded.upstream, state = excluded.state,
                       seen_at = excluded.seen_at, listed_at = excluded.listed_at, absent_at = excluded.absent_at
                   WHERE excluded.thread <> truth.thread OR excluded.seen_at >= truth.seen_at
                      OR truth.seen_at - excluded.seen_at > {FRESH_MS}"
        );
        transaction!(self.writing()?, Kind::Write, tx => async {
            tx.execute(&sql, values![; alerts, threads, upstreams, states, seen, listed, absent]).await?;
            Ok(())
        })
    }

    pub(in crate::store) async fn lapsing(&self) -> Result<Vec<Lapsing>, StoreError> {
        let sql = "SELECT source COLLATE \"C\", max(lapses_at), count(DISTINCT identity) FROM alert
                   WHERE lapses_at IS NOT NULL AND status = 'firing' GROUP BY 1 ORDER BY 1";
        let lapsing = |row: &Row| {
            Ok(Lapsing { source: SourceId::parse(row.try_get(0)?), latest: moment(row, 1)?, alerts: row.try_get(2)? })
        };
        transaction!(&self.0.pool, Kind::Read, tx => async {
            tx.rows(sql, values![]).await?.iter().map(lapsing).collect()
        })
    }

    pub(in crate::store) async fn lapsed(
        &self,
        source: SourceId,
        before: Timestamp,
        limit: u32,
    ) -> Result<Vec<ActAlert>, StoreError> {
        let condition = format!(
            "a.source = $1 AND a.lapses_at < $2 AND a.status = 'firing' ORDER BY a.lapses_at, a.id LIMIT {limit}"
        );
        let source = source.stored().into_owned();
        transaction!(&self.0.pool, Kind::Read, tx => select(&tx, &condition, values![source, before.0]))
    }
}

fn followed(row: &Row) -> Result<Followed, Fault> {
    let alert = alert(row, 7)?;
    let truth = match row.try_get::<_, Option<String>>(2)? {
        Some(upstream) => Some(Truth {
            alert: alert.alert,
            thread: alert.thread,
            upstream,
            state_json: row.try_get(3)?,
            seen_at: moment(row, 4)?,
            listed_at: time(row, 5)?,
            absent_at: time(row, 6)?,
        }),
        None => None,
    };
    let step: Option<i64> = row.try_get(1)?;
    let step = step.map(|step| u32::try_from(step).unwrap_or(u32::MAX));
    Ok(Followed { alert, told_at: Timestamp(row.try_get(0)?), step, truth })
}
