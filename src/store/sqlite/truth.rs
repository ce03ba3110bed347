//! What upstreams say of firing alerts, and until when pushed alerts count as firing.

use rusqlite::{OptionalExtension as _, Row, params};

use super::Db;
use super::alerts::{COLUMNS, alert, select};
use super::lanes::time;
use super::statement::Prepare as _;
use crate::alert::{ThreadId, Timestamp};
use crate::engine::truth::is_recorded;
use crate::names::SourceId;
use crate::store::text::{json, text};
use crate::store::{ActAlert, Followed, Lapsing, StoreError, Truth};

/// The steps that wait and what was read last, of alerts `a`; ?1: wegraf itself.
const BESIDE: &str =
    "LEFT JOIN escalation e ON e.alert_id = a.id AND e.due_at IS NOT NULL AND a.acknowledged_at IS NULL
    LEFT JOIN truth t ON t.alert_id = a.id AND t.thread = a.thread
    WHERE a.status = 'firing' AND a.source <> ?1";
const ORDER: &str = "ORDER BY e.step IS NULL, a.id";

fn firing() -> String {
    format!("SELECT a.id FROM alert a {BESIDE} {ORDER}")
}

/// ?2: the ids.
fn followed() -> String {
    format!(
        "SELECT a.told_at, e.step, t.upstream, t.state, t.seen_at, t.listed_at, t.absent_at, {COLUMNS}
         FROM alert a {BESIDE} AND a.id IN (SELECT value FROM json_each(?2)) {ORDER}"
    )
}

impl Db {
    pub(in crate::store) async fn firing_rows(&self) -> Result<Vec<i64>, StoreError> {
        self.read(|connection| {
            let mut select = connection.held(&firing())?;
            let rows = select.query_map([SourceId::Wegraf.stored()], |row| row.get(0))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    pub(in crate::store) async fn followed(&self, alerts: Vec<i64>) -> Result<Vec<Followed>, StoreError> {
        let alerts = serde_json::to_string(&alerts).expect("numbers are JSON");
        self.read(move |connection| {
            let mut select = connection.held(&followed())?;
            let rows = select.query_map(params![SourceId::Wegraf.stored(), alerts], one)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    pub(in crate::store) async fn note_truths(
        &self,
        truths: Vec<Truth>,
        now: impl Fn() -> Timestamp + Send + 'static,
    ) -> Result<(), StoreError> {
        self.write(move |connection| {
            let mut known = connection.held(
                "SELECT a.thread, t.thread, t.seen_at FROM alert a LEFT JOIN truth t ON t.alert_id = a.id WHERE a.id = ?1",
            )?;
            let mut note = connection.held(
                "INSERT INTO truth (alert_id, thread, upstream, state, seen_at, listed_at, absent_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                 ON CONFLICT (alert_id) DO UPDATE
                 SET thread = excluded.thread, upstream = excluded.upstream, state = excluded.state,
                     seen_at = excluded.seen_at, listed_at = excluded.listed_at, absent_at = excluded.absent_at",
            )?;
            for truth in &truths {
                // An alert may have been pruned meanwhile.
                let found = known.query_row([truth.alert], |row| {
                    let recorded: Option<i64> = row.get(1)?;
                    let at = time(row, 2)?;
                    Ok((ThreadId(row.get(0)?), recorded.zip(at).map(|(thread, at)| (ThreadId(thread), at))))
                });
                let found = found.optional()?;
                let (thread, recorded) = found.map_or((None, None), |(thread, recorded)| (Some(thread), recorded));
                if !is_recorded((truth.thread, truth.seen_at), recorded, thread, now()) {
                    continue;
                }
                note.execute(params![
                    truth.alert,
                    truth.thread.0,
                    text(&truth.upstream),
                    json(&truth.state_json),
                    truth.seen_at.0,
                    truth.listed_at.map(|time| time.0),
                    truth.absent_at.map(|time| time.0),
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

fn one(row: &Row<'_>) -> rusqlite::Result<Followed> {
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
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    #[test]
    fn firing_alerts_are_found_among_many_others_and_read_by_their_ids() {
        let connection = Connection::open_in_memory().unwrap();
        for step in crate::store::migrate::SQLITE {
            connection.execute_batch(step).unwrap();
        }
        for (sql, index) in [
            (firing(), "SCAN a USING INDEX alert_firing"),
            (followed(), "SEARCH a USING INTEGER PRIMARY KEY (rowid=?)"),
        ] {
            let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let mut rows = explain.raw_query();
            let mut plan: Vec<String> = Vec::new();
            while let Some(row) = rows.next().unwrap() {
                plan.push(row.get(3).unwrap());
            }
            assert!(plan.iter().any(|step| step == index), "{plan:#?}");
        }
    }
}
