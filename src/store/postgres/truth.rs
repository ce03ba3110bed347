//! What upstreams say of firing alerts, and until when pushed alerts count as firing.

use std::collections::HashMap;

use tokio_postgres::Row;

use super::Db;
use super::alerts::{COLUMNS, alert, select};
use super::tx::{Fault, Kind, Tx, transaction};
use super::values::{moment, time, values};
use crate::alert::{ThreadId, Timestamp};
use crate::engine::truth::is_recorded;
use crate::names::SourceId;
use crate::store::text::{json, text};
use crate::store::{ActAlert, Followed, Lapsing, StoreError, Truth};

/// The steps that wait and what was read last, of alerts `a`; $1: wegraf itself.
const BESIDE: &str =
    "LEFT JOIN escalation e ON e.alert_id = a.id AND e.due_at IS NOT NULL AND a.acknowledged_at IS NULL
    LEFT JOIN truth t ON t.alert_id = a.id AND t.thread = a.thread
    WHERE a.status = 'firing' AND a.source <> $1";
const ORDER: &str = "ORDER BY e.step IS NULL, a.id";

pub(in crate::store) fn firing() -> String {
    format!("SELECT a.id FROM alert a {BESIDE} {ORDER}")
}

/// $2: the ids.
pub(in crate::store) fn followed() -> String {
    format!(
        "SELECT a.told_at, e.step, t.upstream, t.state, t.seen_at, t.listed_at, t.absent_at, {COLUMNS}
         FROM alert a {BESIDE} AND a.id = ANY ($2) {ORDER}"
    )
}

impl Db {
    pub(in crate::store) async fn firing_rows(&self) -> Result<Vec<i64>, StoreError> {
        let own = SourceId::Wegraf.stored().into_owned();
        transaction!(&self.0.pool, Kind::Read, tx => async {
            tx.rows(&firing(), values![own]).await?.iter().map(|row| Ok(row.try_get(0)?)).collect()
        })
    }

    pub(in crate::store) async fn followed(&self, alerts: Vec<i64>) -> Result<Vec<Followed>, StoreError> {
        let own = SourceId::Wegraf.stored().into_owned();
        transaction!(&self.0.pool, Kind::Read, tx => async {
            tx.rows(&followed(), values![own; alerts]).await?.iter().map(one).collect()
        })
    }

    pub(in crate::store) async fn note_truths(
        &self,
        truths: Vec<Truth>,
        now: impl Fn() -> Timestamp + Sync,
    ) -> Result<(), StoreError> {
        let alerts: Vec<i64> = truths.iter().map(|truth| truth.alert).collect();
        transaction!(self.writing()?, Kind::Write, tx => async {
            // In the order of ids, so that two replicas never wait for one another.
            let recorded = "SELECT alert_id, thread, seen_at FROM truth WHERE alert_id = ANY ($1)
                            ORDER BY alert_id FOR UPDATE";
            let mut known = HashMap::new();
            for row in tx.rows(recorded, values![; alerts]).await? {
                known.insert(row.try_get::<_, i64>(0)?, (ThreadId(row.try_get(1)?), moment(&row, 2)?));
            }
            let mut threads = HashMap::new();
            for row in tx.rows("SELECT id, thread FROM alert WHERE id = ANY ($1)", values![; alerts]).await? {
                threads.insert(row.try_get::<_, i64>(0)?, ThreadId(row.try_get(1)?));
            }
            let now = now();
            let kept = truths.iter().filter(|truth| {
                let (recorded, thread) = (known.get(&truth.alert), threads.get(&truth.alert));
                is_recorded((truth.thread, truth.seen_at), recorded.copied(), thread.copied(), now)
            });
            let (again, new): (Vec<&Truth>, Vec<&Truth>) = kept.partition(|truth| known.contains_key(&truth.alert));
            write(&tx, &again, AGAIN).await?;
            write(&tx, &new, NEW).await
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

/// Rows that exist, and are locked.
const AGAIN: &str = "UPDATE truth t
    SET thread = k.thread, upstream = k.upstream, state = k.state, seen_at = k.seen_at, listed_at = k.listed_at,
        absent_at = k.absent_at
    FROM unnest($1, $2, $3, $4, $5, $6, $7) AS k (id, thread, upstream, state, seen_at, listed_at, absent_at)
    WHERE t.alert_id = k.id";

/// Rows that did not exist. The alert may have been pruned since, and another replica may just have made one.
const NEW: &str = "INSERT INTO truth (alert_id, thread, upstream, state, seen_at, listed_at, absent_at)
    SELECT k.* FROM unnest($1, $2, $3, $4, $5, $6, $7)
        AS k (id, thread, upstream, state, seen_at, listed_at, absent_at)
    WHERE EXISTS (SELECT 1 FROM alert a WHERE a.id = k.id) ORDER BY k.id
    ON CONFLICT (alert_id) DO NOTHING";

async fn write(tx: &Tx, truths: &[&Truth], sql: &str) -> Result<(), Fault> {
    let alerts: Vec<i64> = truths.iter().map(|truth| truth.alert).collect();
    let threads: Vec<i64> = truths.iter().map(|truth| truth.thread.0).collect();
    let upstreams: Vec<String> = truths.iter().map(|truth| text(&truth.upstream).into_owned()).collect();
    let states: Vec<String> = truths.iter().map(|truth| json(&truth.state_json).into_owned()).collect();
    let seen: Vec<i64> = truths.iter().map(|truth| truth.seen_at.0).collect();
    let listed: Vec<Option<i64>> = truths.iter().map(|truth| truth.listed_at.map(|time| time.0)).collect();
    let absent: Vec<Option<i64>> = truths.iter().map(|truth| truth.absent_at.map(|time| time.0)).collect();
    let values = values![; alerts, threads, upstreams, states, seen, listed, absent];
    tx.execute_if(!truths.is_empty(), sql, values).await?;
    Ok(())
}

fn one(row: &Row) -> Result<Followed, Fault> {
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
