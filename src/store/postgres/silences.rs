//! Silences made through wegraf, and the record of acts.

use futures_util::future::try_join;
use tokio_postgres::Row;

use super::Db;
use super::alerts::{select, touched};
use super::tx::{Fault, Kind, transaction};
use super::values::{moment, named, small, time, values};
use crate::alert::{ThreadId, Timestamp};
use crate::store::acts::{ACT_NEWS, AFTER_SILENCE_MS, way};
use crate::store::text::text;
use crate::store::{ActAlert, ActFilter, ActKind, ActNews, ActRow, ActState, Doer, Silence, StoreError};

/// Most rows in one list.
const LIST: u32 = 1000;

impl Db {
    pub(in crate::store) async fn silences(&self, now: Timestamp) -> Result<Vec<Silence>, StoreError> {
        let sql = "SELECT s.act_id, s.upstream, s.upstream_id, s.matchers, c.thread, c.by, c.at, s.until, s.absent
                   FROM silence s JOIN act c ON c.id = s.act_id WHERE s.until >= $1 ORDER BY s.until, s.act_id";
        let silence = |row: &Row| {
            Ok(Silence {
                act: row.try_get(0)?,
                upstream: row.try_get(1)?,
                upstream_id: row.try_get(2)?,
                matchers_json: row.try_get(3)?,
                thread: ThreadId(row.try_get(4)?),
                by: row.try_get(5)?,
                at: moment(row, 6)?,
                until: moment(row, 7)?,
                absent: small(row, 8)?,
            })
        };
        transaction!(&self.0.pool, Kind::Read, tx => async {
            tx.rows(sql, values![now.plus_millis(-AFTER_SILENCE_MS).0]).await?.iter().map(silence).collect()
        })
    }

    pub(in crate::store) async fn note_silence(&self, act: i64, absent: u32) -> Result<(), StoreError> {
        let sql = "UPDATE silence SET absent = $2 WHERE act_id = $1";
        transaction!(self.writing()?, Kind::Write, tx => async {
            tx.execute(sql, values![act, i64::from(absent)]).await?;
            Ok(())
        })
    }

    pub(in crate::store) async fn extend_silence(
        &self,
        act: i64,
        upstream_id: String,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE silence SET upstream_id = $2, until = $3 WHERE act_id = $1";
        let upstream_id = text(&upstream_id).into_owned();
        transaction!(self.writing()?, Kind::Write, tx => async {
            tx.execute(sql, values![act, upstream_id, until.0]).await?;
            Ok(())
        })
    }

    pub(in crate::store) async fn end_silence(
        &self,
        act: i64,
        upstream_id: String,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE silence SET until = $3 WHERE act_id = $1 AND upstream_id = $2";
        let upstream_id = text(&upstream_id).into_owned();
        transaction!(self.writing()?, Kind::Write, tx => async {
            tx.execute(sql, values![act, upstream_id, at.0]).await?;
            Ok(())
        })
    }

    pub(in crate::store) async fn act_alerts(&self, act: i64) -> Result<Vec<ActAlert>, StoreError> {
        transaction!(&self.0.pool, Kind::Read, tx => touched(&tx, act))
    }

    pub(in crate::store) async fn acts(&self, filter: ActFilter) -> Result<Vec<ActRow>, StoreError> {
        let sql = "SELECT c.id, c.at, c.kind, c.state, c.by, c.via, c.thread, c.message_id, c.until, c.detail,
                          (SELECT count(*) FROM act_alert x WHERE x.act_id = c.id)
                   FROM act c
                   WHERE ($1::bigint IS NULL OR c.thread = $1 OR c.id IN (SELECT act_id FROM act_alert WHERE thread = $1))
                     AND ($2::text IS NULL OR lower(c.by COLLATE \"C\") = lower($2 COLLATE \"C\"))
                     AND (NOT $3 OR c.state = 'open') AND ($4::bigint IS NULL OR c.at >= $4)
                     AND ($5::bigint IS NULL OR c.id < $5) AND (cardinality($7::bigint[]) = 0 OR c.id = ANY ($7))
                   ORDER BY c.id DESC LIMIT $6";
        let limit = i64::from(if filter.limit == 0 { 100 } else { filter.limit.min(LIST) });
        let (thread, since) = (filter.thread.map(|thread| thread.0), filter.since.map(|since| since.0));
        transaction!(&self.0.pool, Kind::Read, tx => async {
            tx.rows(sql, values![thread, filter.by, filter.open, since, filter.before, limit; filter.among]).await?.iter().map(row).collect()
        })
    }

    pub(in crate::store) async fn act_news(&self, message: i64) -> Result<Option<ActNews>, StoreError> {
        let sql = "SELECT c.kind, c.by, c.at, c.until, c.state, c.detail,
                          (SELECT count(DISTINCT t.alert_id) FROM transition t WHERE t.message_id = m.id)
                   FROM message m JOIN act c ON c.id = m.act_id WHERE m.id = $1";
        let condition = format!(
            "a.id IN (SELECT alert_id FROM transition WHERE message_id = $1)
             ORDER BY a.critical DESC, a.id LIMIT {ACT_NEWS}"
        );
        transaction!(&self.0.pool, Kind::Read, tx => async {
            let (found, alerts) =
                try_join(tx.row(sql, values![message]), select(&tx, &condition, values![message])).await?;
            let Some(row) = found else { return Ok(None) };
            let doer = Doer { by: row.try_get(1)?, at: moment(&row, 2)?, until: time(&row, 3)? };
            let count = row.try_get::<_, i64>(6)?.unsigned_abs();
            let (kind, state) = (named(&row, 0, ActKind::from_name)?, named(&row, 4, ActState::from_name)?);
            Ok(Some(ActNews { kind, state, detail: row.try_get(5)?, doer, alerts, count }))
        })
    }
}

fn row(row: &Row) -> Result<ActRow, Fault> {
    let (via, peer) = way(row.try_get(5)?);
    Ok(ActRow {
        id: row.try_get(0)?,
        at: moment(row, 1)?,
        kind: named(row, 2, ActKind::from_name)?,
        state: named(row, 3, ActState::from_name)?,
        by: row.try_get(4)?,
        via,
        peer,
        thread: ThreadId(row.try_get(6)?),
        message: row.try_get(7)?,
        until: time(row, 8)?,
        detail: row.try_get(9)?,
        alerts: row.try_get::<_, i64>(10)?.unsigned_abs(),
    })
}
