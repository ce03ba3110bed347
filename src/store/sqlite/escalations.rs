//! Escalations: further receivers are told of an alert that is not acknowledged.

use rusqlite::params;

use super::Db;
use super::alerts::{COLUMNS, alert};
use super::statement::Prepare as _;
use crate::alert::Timestamp;
use crate::store::{Escalation, StoreError};

impl Db {
    pub(in crate::store) async fn due_escalations(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Escalation>, StoreError> {
        self.read(move |connection| {
            let mut select = connection.held(&format!(
                "SELECT e.step, e.fired_at, {COLUMNS} FROM escalation e JOIN alert a ON a.id = e.alert_id
                 WHERE e.due_at <= ?1 AND (a.status = 'resolved' OR a.acknowledged_at IS NULL) ORDER BY e.due_at, e.alert_id LIMIT ?2"
            ))?;
            let rows = select.query_map(params![now.0, limit], |row| {
                let (step, fired_at) = (row.get(0)?, Timestamp(row.get(1)?));
                Ok(Escalation { alert: alert(row, 2)?, step, fired_at, others: Vec::new() })
            })?;
            let mut due: Vec<Escalation> = rows.collect::<Result<_, _>>()?;
            let mut others = connection.held(
                "SELECT receiver FROM alert WHERE identity = ?1 AND status = 'firing' AND id <> ?2 ORDER BY receiver",
            )?;
            for escalation in &mut due {
                let alert = &escalation.alert;
                let rows = others.query_map(params![&alert.identity.0[..], alert.alert], |row| row.get(0))?;
                escalation.others = rows.collect::<Result<_, _>>()?;
            }
            Ok(due)
        })
        .await
    }

    pub(in crate::store) async fn advance_escalation(
        &self,
        alert: i64,
        from_step: u32,
        next_due: Option<Timestamp>,
    ) -> Result<bool, StoreError> {
        self.write(move |connection| {
            // An alert that resolved meanwhile stays due, so that its end is seen.
            let sql = "UPDATE escalation SET step = step + 1,
                           due_at = CASE (SELECT status FROM alert WHERE id = ?1)
                                    WHEN 'firing' THEN ?3 ELSE coalesce(due_at, fired_at) END
                       WHERE alert_id = ?1 AND step = ?2";
            let due_at = next_due.map(|time| time.0);
            Ok(connection.held(sql)?.execute(params![alert, from_step, due_at])? > 0)
        })
        .await
    }

    pub(in crate::store) async fn delay_escalation(
        &self,
        alert: i64,
        step: u32,
        fired_at: Timestamp,
        due_at: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(move |connection| {
            let sql = "UPDATE escalation SET fired_at = ?3, due_at = ?4
                       WHERE alert_id = ?1 AND step = ?2 AND due_at IS NOT NULL
                         AND (SELECT status FROM alert WHERE id = ?1) = 'firing'";
            connection.held(sql)?.execute(params![alert, step, fired_at.0, due_at.0])?;
            Ok(())
        })
        .await
    }

    pub(in crate::store) async fn forget_escalation(&self, alert: i64) -> Result<(), StoreError> {
        self.write(move |connection| {
            connection.held("DELETE FROM escalation WHERE alert_id = ?1")?.execute([alert])?;
            Ok(())
        })
        .await
    }
}
