//! Silences made through wegraf, and the record of acts.

use rusqlite::types::Value;
use rusqlite::{OptionalExtension as _, params, params_from_iter};

use super::Db;
use super::alerts::{select, touched};
use super::lanes::{named, time};
use super::statement::Prepare as _;
use crate::alert::{ThreadId, Timestamp};
use crate::store::acts::{ACT_NEWS, AFTER_SILENCE_MS, way};
use crate::store::text::text;
use crate::store::{ActAlert, ActFilter, ActKind, ActNews, ActRow, ActState, Doer, Silence, StoreError};

/// Most rows in one list.
const LIST: u32 = 1000;

impl Db {
    pub(in crate::store) async fn silences(&self, now: Timestamp) -> Result<Vec<Silence>, StoreError> {
        self.read(move |connection| {
            let mut select = connection.held(
                "SELECT s.act_id, s.upstream, s.upstream_id, s.matchers, c.thread, c.by, c.at, s.until, s.absent
                 FROM silence s JOIN act c ON c.id = s.act_id WHERE s.until >= ?1 ORDER BY s.until, s.act_id",
            )?;
            let rows = select.query_map([now.plus_millis(-AFTER_SILENCE_MS).0], |row| {
                Ok(Silence {
                    act: row.get(0)?,
                    upstream: row.get(1)?,
                    upstream_id: row.get(2)?,
                    matchers_json: row.get(3)?,
                    thread: ThreadId(row.get(4)?),
                    by: row.get(5)?,
                    at: Timestamp(row.get(6)?),
                    until: Timestamp(row.get(7)?),
                    absent: row.get(8)?,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    pub(in crate::store) async fn note_silence(&self, act: i64, absent: u32) -> Result<(), StoreError> {
        self.write(move |connection| {
            let sql = "UPDATE silence SET absent = ?2 WHERE act_id = ?1";
            connection.held(sql)?.execute(params![act, absent])?;
            Ok(())
        })
        .await
    }

    pub(in crate::store) async fn extend_silence(
        &self,
        act: i64,
        upstream_id: String,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(move |connection| {
            let sql = "UPDATE silence SET upstream_id = ?2, until = ?3 WHERE act_id = ?1";
            connection.held(sql)?.execute(params![act, text(&upstream_id), until.0])?;
            Ok(())
        })
        .await
    }

    pub(in crate::store) async fn end_silence(
        &self,
        act: i64,
        upstream_id: String,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(move |connection| {
            let sql = "UPDATE silence SET until = ?3 WHERE act_id = ?1 AND upstream_id = ?2";
            connection.held(sql)?.execute(params![act, text(&upstream_id), at.0])?;
            Ok(())
        })
        .await
    }

    pub(in crate::store) async fn act_alerts(&self, act: i64) -> Result<Vec<ActAlert>, StoreError> {
        self.read(move |connection| touched(connection, act)).await
    }

    pub(in crate::store) async fn acts(&self, filter: ActFilter) -> Result<Vec<ActRow>, StoreError> {
        self.read(move |connection| {
            let (sql, values) = query(filter);
            let mut select = connection.prepare(&sql)?;
            let rows = select.query_map(params_from_iter(values), |row| {
                let (via, peer) = way(row.get_ref(5)?.as_str()?);
                Ok(ActRow {
                    id: row.get(0)?,
                    at: Timestamp(row.get(1)?),
                    kind: named(row, 2, ActKind::from_name)?,
                    state: named(row, 3, ActState::from_name)?,
                    by: row.get(4)?,
                    via,
                    peer,
                    thread: ThreadId(row.get(6)?),
                    message: row.get(7)?,
                    until: time(row, 8)?,
                    detail: row.get(9)?,
                    alerts: row.get::<_, i64>(10)?.unsigned_abs(),
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    pub(in crate::store) async fn act_news(&self, message: i64) -> Result<Option<ActNews>, StoreError> {
        self.read(move |connection| {
            let sql = "SELECT c.kind, c.by, c.at, c.until, c.state, c.detail,
                              (SELECT count(DISTINCT t.alert_id) FROM transition t WHERE t.message_id = m.id)
                       FROM message m JOIN act c ON c.id = m.act_id WHERE m.id = ?1";
            let found = connection.held(sql)?.query_row([message], |row| {
                let doer = Doer { by: row.get(1)?, at: Timestamp(row.get(2)?), until: time(row, 3)? };
                let count = row.get::<_, i64>(6)?.unsigned_abs();
                Ok(ActNews {
                    kind: named(row, 0, ActKind::from_name)?,
                    state: named(row, 4, ActState::from_name)?,
                    detail: row.get(5)?,
                    doer,
                    alerts: Vec::new(),
                    count,
                })
            });
            let Some(mut news) = found.optional()? else { return Ok(None) };
            let condition = format!(
                "a.id IN (SELECT alert_id FROM transition WHERE message_id = ?1)
                 ORDER BY a.critical DESC, a.id LIMIT {ACT_NEWS}"
            );
            news.alerts = select(connection, &condition, [message])?;
            Ok(Some(news))
        })
        .await
    }
}

/// The statement of a list of acts and its values.
fn query(filter: ActFilter) -> (String, Vec<Value>) {
    let mut sql = "SELECT c.id, c.at, c.kind, c.state, c.by, c.via, c.thread, c.message_id, c.until, c.detail,
                          (SELECT count(*) FROM act_alert x WHERE x.act_id = c.id)
                   FROM act c WHERE true"
        .to_owned();
    let mut values = Vec::new();
    if let Some(ThreadId(thread)) = filter.thread {
        sql.push_str(" AND (c.thread = ? OR c.id IN (SELECT act_id FROM act_alert WHERE thread = ?))");
        values.extend([Value::Integer(thread), Value::Integer(thread)]);
    }
    if let Some(by) = filter.by {
        sql.push_str(" AND lower(c.by) = lower(?)");
        values.push(Value::Text(by));
    }
    if filter.open {
        sql.push_str(" AND c.state = 'open'");
    }
    if let Some(since) = filter.since {
        sql.push_str(" AND c.at >= ?");
        values.push(Value::Integer(since.0));
    }
    if !filter.among.is_empty() {
        sql.push_str(" AND c.id IN (SELECT value FROM json_each(?))");
        values.push(Value::Text(serde_json::to_string(&filter.among).expect("numbers are JSON")));
    }
    if let Some(before) = filter.before {
        sql.push_str(" AND c.id < ?");
        values.push(Value::Integer(before));
    }
    sql.push_str(" ORDER BY c.id DESC LIMIT ?");
    let limit = if filter.limit == 0 { 100 } else { filter.limit.min(LIST) };
    values.push(Value::Integer(i64::from(limit)));
    (sql, values)
}
