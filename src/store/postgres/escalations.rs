//! Escalations: further receivers are told of an alert that is not acknowledged.

use tokio_postgres::Row;

use super::Db;
use super::alerts::{COLUMNS, alert};
use super::changes::write;
use super::tx::{Fault, Kind, Tx, transaction};
use super::values::{moment, named, small, time, values};
use crate::alert::{Status, Timestamp};
use crate::engine::escalate::{Course, advance, delay};
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
        // Under the writers' lock: an end that is being admitted must not be missed.
        transaction!(self.writing()?, Kind::Ordered, tx => async {
            let changes = advance(course(&tx, alert).await?, from_step, next_due);
            write(&tx, &changes).await?;
            Ok(!changes.is_empty())
        })
    }

    pub(in crate::store) async fn delay_escalation(
        &self,
        alert: i64,
        step: u32,
        fired_at: Timestamp,
        due_at: Timestamp,
    ) -> Result<(), StoreError> {
        // Under the writers' lock: an end that is being admitted must not be missed.
        transaction!(self.writing()?, Kind::Ordered, tx => async {
            write(&tx, &delay(course(&tx, alert).await?, step, fired_at, due_at)).await
        })
    }

    pub(in crate::store) async fn forget_escalation(&self, alert: i64) -> Result<(), StoreError> {
        transaction!(self.writing()?, Kind::Write, tx => async {
            tx.execute("DELETE FROM escalation WHERE alert_id = $1", values![alert]).await?;
            Ok(())
        })
    }
}

/// Locks the escalation of an alert.
async fn course(tx: &Tx, alert: i64) -> Result<Option<Course>, Fault> {
    let sql = "SELECT e.step, e.fired_at, e.due_at, a.status FROM escalation e JOIN alert a ON a.id = e.alert_id
               WHERE e.alert_id = $1 FOR UPDATE OF e";
    let course = |row: Row| {
        Ok(Course {
            alert,
            step: small(&row, 0)?,
            fired_at: moment(&row, 1)?,
            due_at: time(&row, 2)?,
            status: named(&row, 3, Status::from_name)?,
        })
    };
    tx.row(sql, values![alert]).await?.map(course).transpose()
}
