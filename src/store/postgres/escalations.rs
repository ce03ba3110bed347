//! Escalations: further receivers are told of an alert that is not acknowledged.

use super::Db;
use super::alerts::{COLUMNS, alert};
use super::tx::{Kind, transaction};
use super::values::{moment, small, values};
use crate::alert::Timestamp;
use crate::store::{Escalation, StoreError};

impl Db {
    pub(in crate::store) async fn due_escalations(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Escalation>, StoreError> {
        let sql = format!(
            "SELECT e.step, e.fired_at,
                    ARRAY (SELECT o.receiver FROM alert o
                           WHERE o.identity = a.identity AND o.status = 'firing' AND o.id <> a.id ORDER BY o.receiver),
                    {COLUMNS}
             FROM escalation e JOIN alert a ON a.id = e.alert_id
             WHERE e.due_at <= $1 AND (a.status = 'resolved' OR a.acknowledged_at IS NULL) ORDER BY e.due_at, e.alert_id LIMIT $2"
        );
        transaction!(&self.0.pool, Kind::Read, tx => async {
            let rows = tx.rows(&sql, values![now.0, i64::from(limit)]).await?;
            let due = |row| {
                let (step, fired_at) = (small(row, 0)?, moment(row, 1)?);
                Ok(Escalation { alert: alert(row, 3)?, step, fired_at, others: row.try_get(2)? })
            };
            rows.iter().map(due).collect()
        })
    }

    pub(in crate::store) async fn advance_escalation(
        &self,
        alert: i64,
        from_step: u32,
        next_due: Option<Timestamp>,
    ) -> Result<bool, StoreError> {
        // An alert that resolved meanwhile stays due, so that its end is seen.
        let sql = "UPDATE escalation SET step = step + 1,
                       due_at = CASE (SELECT status FROM alert WHERE id = $1)
                                WHEN 'firing' THEN $3 ELSE coalesce(due_at, fired_at) END
                   WHERE alert_id = $1 AND step = $2";
        let due_at = next_due.map(|time| time.0);
        // Under the writers' lock: an end that is being admitted must not be missed.
        transaction!(self.writing()?, Kind::Ordered, tx => async {
            Ok(tx.execute(sql, values![alert, i64::from(from_step), due_at]).await? > 0)
        })
    }

    pub(in crate::store) async fn delay_escalation(
        &self,
        alert: i64,
        step: u32,
        fired_at: Timestamp,
        due_at: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE escalation SET fired_at = $3, due_at = $4
                   WHERE alert_id = $1 AND step = $2 AND due_at IS NOT NULL
                     AND (SELECT status FROM alert WHERE id = $1) = 'firing'";
        // Under the writers' lock: an end that is being admitted must not be missed.
        transaction!(self.writing()?, Kind::Ordered, tx => async {
            tx.execute(sql, values![alert, i64::from(step), fired_at.0, due_at.0]).await?;
            Ok(())
        })
    }

    pub(in crate::store) async fn forget_escalation(&self, alert: i64) -> Result<(), StoreError> {
        transaction!(self.writing()?, Kind::Write, tx => async {
            tx.execute("DELETE FROM escalation WHERE alert_id = $1", values![alert]).await?;
            Ok(())
        })
    }
}
