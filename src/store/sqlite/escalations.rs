//! Escalations: further receivers are told of an alert that is not acknowledged.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::Db;
use super::alerts::{COLUMNS, alert};
use super::changes::write;
use super::keys::among;
use super::lanes::{named, time};
use super::statement::Prepare as _;
use crate::alert::{Status, Timestamp};
use crate::engine::escalate::{Course, advance, delay};
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
            let mut others = connection.held(&format!(
                "SELECT a.receiver FROM alert a
                 WHERE {} AND a.status = 'firing' AND a.id <> ?2 ORDER BY a.receiver",
                among("SELECT ?1 AS identity")
            ))?;
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
            let changes = advance(course(connection, alert)?, from_step, next_due);
            write(connection, &changes)?;
            Ok(!changes.is_empty())
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
        self.write(move |connection| write(connection, &delay(course(connection, alert)?, step, fired_at, due_at)))
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

fn course(connection: &Connection, alert: i64) -> Result<Option<Course>, StoreError> {
    let mut select = connection.held(
        "SELECT e.step, e.fired_at, e.due_at, a.status FROM escalation e JOIN alert a ON a.id = e.alert_id
         WHERE e.alert_id = ?1",
    )?;
    let course = select.query_row([alert], |row| {
        let (step, fired_at, due_at) = (row.get(0)?, Timestamp(row.get(1)?), time(row, 2)?);
        Ok(Course { alert, step, fired_at, due_at, status: named(row, 3, Status::from_name)? })
    });
    Ok(course.optional()?)
}
