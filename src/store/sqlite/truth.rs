//! What upstreams say of firing alerts, and until when pushed alerts count as firing.

use rusqlite::params;

use super::Db;
use super::alerts::{COLUMNS, alert, select};
use super::lanes::time;
use super::statement::Prepare as _;
use crate::alert::Timestamp;
use crate::engine::truth::FRESH_MS;
use crate::names::SourceId;
use crate::store::text::{json, text};
use crate::store::{ActAlert, Followed, Lapsing, StoreError, Truth};

impl Db {
    pub(in crate::store) async fn followed(&self, limit: u32) -> Result<Vec<Followed>, StoreError> {
        self.read(move |connection| {
            let mut select = connection.held(&format!(
                "SELECT a.told_at, e.step, t.upstream, t.state, t.seen_at, t.listed_at, t.absent_at, {COLUMNS}
                 FROM alert a
                 LEFT JOIN escalation e ON e.alert_id = a.id AND e.due_at IS NOT NULL AND a.acknowledged_at IS NULL
                 LEFT JOIN truth t ON t.alert_id = a.id AND t.thread = a.thread
                 WHERE a.status = 'firing' AND a.source <> ?1 ORDER BY e.step IS NULL, a.id LIMIT ?2"
            ))?;
            let rows = select.query_map(params![SourceId::Wegraf.stored(), limit], |row| {
                let alert = alert(row, 7)?;
                let truth = match row.get::<_, Option<String>>(2)? {
                    Some(upstream) => Some(Truth {
                        alert: alert.alert,
                        thread: alert.thread,
                        upstream,
                        state_json: row.get(3)?,
                        seen_at: Timestamp(row.get(4)?),
                        listed_at: time(row, 5)?,
                        absent_at: time(row, 6)?,
                    }),
                    None => None,
                };
                Ok(Followed { alert, told_at: Timestamp(row.get(0)?), step: row.get(1)?, truth })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    pub(in crate::store) async fn note_truths(&self, truths: Vec<Truth>) -> Result<(), StoreError> {
        self.write(move |connection| {
            // An alert may have been pruned meanwhile.
            let mut note = connection.held(
                "INSERT INTO truth (alert_id, thread, upstream, state, seen_at, listed_at, absent_at)
                 SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7 WHERE EXISTS (SELECT 1 FROM alert WHERE id = ?1)
                 ON CONFLICT (alert_id) DO UPDATE
                 SET thread = excluded.thread, upstream = excluded.upstream, state = excluded.state,
                     seen_at = excluded.seen_at, listed_at = excluded.listed_at, absent_at = excluded.absent_at
                 WHERE excluded.thread <> truth.thread OR excluded.seen_at >= truth.seen_at
                    OR truth.seen_at - excluded.seen_at > ?8",
            )?;
            for truth in &truths {
                note.execute(params![
                    truth.alert,
                    truth.thread.0,
                    text(&truth.upstream),
                    json(&truth.state_json),
                    truth.seen_at.0,
                    truth.listed_at.map(|time| time.0),
                    truth.absent_at.map(|time| time.0),
                    FRESH_MS,
                ])?;
            }
            Ok(())
        })
        .await
    }

    pub(in crate::store) async fn lapsing(&self) -> Result<Vec<Lapsing>, StoreError> {
        self.read(|connection| {
            let mut select = connection.held(
                "SELECT source, max(lapses_at), count(DISTINCT identity) FROM alert INDEXED BY alert_lapses
                 WHERE lapses_at IS NOT NULL AND status = 'firing' GROUP BY source ORDER BY source",
            )?;
            let rows = select.query_map([], |row| {
                Ok(Lapsing {
                    source: SourceId::parse(&row.get::<_, String>(0)?),
                    latest: Timestamp(row.get(1)?),
                    alerts: row.get(2)?,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    pub(in crate::store) async fn lapsed(
        &self,
        source: SourceId,
        before: Timestamp,
        limit: u32,
    ) -> Result<Vec<ActAlert>, StoreError> {
        self.read(move |connection| {
            let condition = "a.source = ?1 AND a.lapses_at < ?2 AND a.status = 'firing'
                             ORDER BY a.lapses_at, a.id LIMIT ?3";
            select(connection, condition, params![source.stored(), before.0, limit])
        })
        .await
    }
}
