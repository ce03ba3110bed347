//! Escalations: further receivers are told of an alert that is not acknowledged.

use futures_util::future::try_join;

use super::Db;
use super::alerts::{COLUMNS, alert};
use super::group::Group;
use super::tx::{Fault, Kind, Tx, transaction};
use super::values::{moment, small, values};
use crate::alert::{Timestamp, TransitionKind};
use crate::store::judge::Change;
use crate::store::{Escalation, Recipient, StoreError};

/// What a change of an alert means for its escalation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Follows {
    /// It begins: its first step is due at `due_at`.
    Begins { fired_at: Timestamp, due_at: Timestamp },
    /// The alert resolved at `at`: the escalation becomes due, so that its task sees the end.
    Over { at: Timestamp },
}

/// The consequence of a change: a firing alert begins an escalation if the receiver has one; a resolved one ends the
/// escalation it had. `before`: from an earlier change of the same group.
pub(super) fn follow(
    recipient: &Recipient,
    change: &Change<'_>,
    now: Timestamp,
    before: Option<Follows>,
) -> Option<Follows> {
    match (change.kind, before) {
        (TransitionKind::Firing, _) if change.told() => recipient
            .escalate_after_ms
            .map(|after_ms| Follows::Begins { fired_at: now, due_at: now.plus_millis(after_ms) }),
        // It is not stored yet.
        (TransitionKind::Resolved, Some(Follows::Begins { fired_at, .. })) => {
            Some(Follows::Begins { fired_at, due_at: now })
        }
        (TransitionKind::Resolved, _) => Some(Follows::Over { at: now }),
        _ => None,
    }
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

    pub(in crate::store) async fn forget_escalation(&self, alert: i64) -> Result<(), StoreError> {
        transaction!(self.writing()?, Kind::Write, tx => async {
            tx.execute("DELETE FROM escalation WHERE alert_id = $1", values![alert]).await?;
            Ok(())
        })
    }
}

/// Writes the consequences for the escalations of a group.
pub(super) async fn write(tx: &Tx, group: &Group<'_>) -> Result<(), Fault> {
    let (mut begun, mut fired, mut due) = (Vec::new(), Vec::new(), Vec::new());
    let (mut ended, mut times) = (Vec::new(), Vec::new());
    for (alert, follows) in &group.escalations {
        match follows {
            Follows::Begins { fired_at, due_at } => {
                begun.push(*alert);
                fired.push(fired_at.0);
                due.push(due_at.0);
            }
            Follows::Over { at } => {
                ended.push(*alert);
                times.push(at.0);
            }
        }
    }
    let begin = "INSERT INTO escalation (alert_id, step, fired_at, due_at)
                 SELECT e.id, 0, e.fired_at, e.due_at FROM unnest($1, $2, $3) AS e (id, fired_at, due_at)
                 ON CONFLICT (alert_id) DO UPDATE
                 SET step = 0, fired_at = excluded.fired_at, due_at = excluded.due_at";
    let end = "UPDATE escalation e SET due_at = o.at FROM unnest($1, $2) AS o (id, at) WHERE e.alert_id = o.id";
    try_join(
        tx.execute_if(!begun.is_empty(), begin, values![; begun, fired, due]),
        tx.execute_if(!ended.is_empty(), end, values![; ended, times]),
    )
    .await?;
    Ok(())
}
