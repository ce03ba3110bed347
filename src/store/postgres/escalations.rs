//! Escalations: alerts that others hear of if nobody takes them.

use super::Db;
use super::alerts::{COLUMNS, alert};
use super::tx::{Fault, Kind, Tx, transaction};
use super::values::{moment, small, values};
use crate::alert::Timestamp;
use crate::store::{Escalation, StoreError};

/// The first step of the escalation of an alert that began is due then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Begun {
    pub fired_at: Timestamp,
    pub due_at: Timestamp,
}

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
        // What ended meanwhile stays due, so that its end is seen.
        let sql = "UPDATE escalation SET step = step + 1,
                       due_at = CASE (SELECT status FROM alert WHERE id = $1)
                                WHEN 'firing' THEN $3 ELSE coalesce(due_at, fired_at) END
                   WHERE alert_id = $1 AND step = $2";
        let due_at = next_due.map(|time| time.0);
        // With the writers' lock: an end that is being admitted must not be overlooked.
        transaction!(self.writing()?, Kind::Ordered, tx => async {
            Ok(tx.execute(sql, values![alert, i64::from(from_step), due_at]).await? > 0)
        })
    }

    pub(in crate::store) async fn forget_escalation(&self, alert: i64) -> Result<(), StoreError> {
        transaction!(self.writing()?, Kind::Write, tx => async {
            tx.execute("DELETE FROM escalation WHERE alert_id = $1", values![alert]).await?;
            Ok(())
        })
    }
}

/// Writes which alerts began, and which are over: whoever looks after their escalations is to see it.
pub(super) async fn write(tx: &Tx, begun: &[(i64, Begun)], over: &[(i64, Timestamp)]) -> Result<(), Fault> {
    let alerts: Vec<i64> = begun.iter().map(|(alert, _)| *alert).collect();
    let fired: Vec<i64> = begun.iter().map(|(_, begun)| begun.fired_at.0).collect();
    let due: Vec<i64> = begun.iter().map(|(_, begun)| begun.due_at.0).collect();
    let begin = "INSERT INTO escalation (alert_id, step, fired_at, due_at)
                 SELECT e.id, 0, e.fired_at, e.due_at FROM unnest($1, $2, $3) AS e (id, fired_at, due_at)
                 ON CONFLICT (alert_id) DO UPDATE
                 SET step = 0, fired_at = excluded.fired_at, due_at = excluded.due_at";
    tx.execute_if(!begun.is_empty(), begin, values![; alerts, fired, due]).await?;
    let alerts: Vec<i64> = over.iter().map(|(alert, _)| *alert).collect();
    let times: Vec<i64> = over.iter().map(|(_, at)| at.0).collect();
    let end = "UPDATE escalation e SET due_at = o.at FROM unnest($1, $2) AS o (id, at) WHERE e.alert_id = o.id";
    tx.execute_if(!over.is_empty(), end, values![; alerts, times]).await?;
    Ok(())
}
