//! Admission: one notification, the states it changes, its transitions and the messages that tell them.
//!
//! Every sender waits for this path: five statements for one alert with news for one target, one for an alert without.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::Db;
use super::claim::freeze;
use super::escalations::{begin, over};
use super::lanes::named;
use super::statement::Prepare as _;
use crate::alert::{Identity, Status, Timestamp, TransitionKind};
use crate::names::LaneKey;
use crate::news::{Known, Quiet, Suppression};
use crate::store::judge::{Change, Judged, Row, judge};
use crate::store::related::{CANDIDATES, Row as RelatedRow, gathered, marks_json};
use crate::store::words::{json, text};
use crate::store::{Admission, Admitted, Arrival, Candidate, Fate, Recipient, Related, StoreError, TargetRow};

impl Db {
    pub(in crate::store) async fn admit(&self, admission: Admission) -> Result<Admitted, StoreError> {
        self.write(move |connection| Admitting::new(connection, &admission).run()).await
    }

    pub(in crate::store) async fn candidates(
        &self,
        identity: Identity,
        kin: Related,
    ) -> Result<Vec<Candidate>, StoreError> {
        self.read(move |connection| {
            let columns = "a.identity, a.receiver, a.thread, r.family, r.event, r.keyed, r.marks, a.id";
            let mut select = connection.held(&format!(
                "SELECT {columns} FROM alert a LEFT JOIN related r ON r.alert_id = a.id
                     WHERE a.identity = ?1 AND a.status = 'firing'
                 UNION SELECT {columns} FROM related r JOIN alert a ON a.id = r.alert_id
                     WHERE r.family = ?2 AND a.status = 'firing'
                 UNION SELECT {columns} FROM related r JOIN alert a ON a.id = r.alert_id
                     WHERE r.event = ?3 AND a.status = 'firing'
                 ORDER BY 8 LIMIT ?4"
            ))?;
            let event = kin.event.as_ref().map(|event| &event[..]);
            let rows = select.query_map(params![&identity.0[..], &kin.family[..], event, CANDIDATES], |row| {
                Ok(RelatedRow {
                    identity: row.get(0)?,
                    receiver: row.get(1)?,
                    thread: row.get(2)?,
                    family: row.get(3)?,
                    event: row.get(4)?,
                    keyed: row.get(5)?,
                    marks: row.get(6)?,
                })
            })?;
            Ok(gathered(rows.collect::<Result<_, _>>()?))
        })
        .await
    }
}

struct Admitting<'a> {
    connection: &'a Connection,
    admission: &'a Admission,
    /// Written with the first news.
    notification: Option<i64>,
    /// The notification that told what this one repeats.
    repeated: i64,
    done: Admitted,
}

/// A change with the row of its alert.
struct Written<'a> {
    alert: i64,
    /// The alert was told before: a transition of it may still wait.
    known: bool,
    thread: i64,
    change: Change<'a>,
}

impl<'a> Admitting<'a> {
    fn new(connection: &'a Connection, admission: &'a Admission) -> Self {
        Self { connection, admission, notification: None, repeated: 0, done: Admitted::default() }
    }

    fn run(mut self) -> Result<Admitted, StoreError> {
        let admission = self.admission;
        for recipient in &admission.deliveries {
            let mut changes = Vec::new();
            for arrival in &recipient.alerts {
                changes.extend(self.judge(recipient, arrival)?);
            }
            if recipient.targets.is_empty() {
                self.tell(&TargetRow::new(LaneKey::nowhere(), String::new()), recipient, &changes)?;
            }
            for target in &recipient.targets {
                self.tell(target, recipient, &changes)?;
            }
        }
        if self.done.unchanged > 0 && self.repeated > 0 && !admission.push {
            self.connection
                .held(
                    "INSERT INTO repeated (notification_id, times, last_at) VALUES (?1, 1, ?2)
                     ON CONFLICT (notification_id) DO UPDATE SET times = times + 1, last_at = excluded.last_at",
                )?
                .execute([self.repeated, admission.received_at.0])?;
        }
        self.done.duplicate = self.notification.is_none();
        self.done.id = self.notification.unwrap_or(self.repeated);
        Ok(self.done)
    }

    /// Decides about one alert for one receiver and writes its new state if it changed.
    fn judge(&mut self, recipient: &Recipient, arrival: &'a Arrival) -> Result<Option<Written<'a>>, StoreError> {
        let before = self.row(recipient, arrival)?;
        let change = match judge(self.admission, recipient, arrival, before.as_ref()) {
            Judged::Changed(change) => change,
            Judged::Quiet(quiet, repeated) => {
                match quiet {
                    Quiet::Unchanged | Quiet::Acknowledged | Quiet::NeverFired => self.done.unchanged += 1,
                    Quiet::Stale => self.done.stale += 1,
                }
                self.repeated = self.repeated.max(repeated);
                self.hear(before.as_ref(), arrival)?;
                return Ok(None);
            }
        };
        let notification = self.notification()?;
        let thread = change.thread.unwrap_or(notification);
        let alert = match change.row {
            Some(row) => self.update(row, thread, &change)?,
            None => self.insert(recipient, &change)?,
        };
        self.relate(alert, &change)?;
        self.escalate(recipient, alert, &change)?;
        Ok(Some(Written { alert, known: change.row.is_some(), thread, change }))
    }

    /// Records that an alert is still reported.
    fn hear(&self, before: Option<&Row>, arrival: &Arrival) -> Result<(), StoreError> {
        let now = self.admission.received_at;
        if let Some(row) = before.filter(|row| row.is_heard(arrival, now)) {
            let sql = "UPDATE alert SET heard_at = ?2 WHERE id = ?1";
            self.connection.held(sql)?.execute([row.id, now.0])?;
        }
        Ok(())
    }

    /// Records what an end will find a firing alert by.
    fn relate(&self, alert: i64, change: &Change<'_>) -> Result<(), StoreError> {
        let Some(kin) = change.arrival.kin.as_ref().filter(|_| change.kind == TransitionKind::Firing) else {
            return Ok(());
        };
        self.connection
            .held(
                "INSERT INTO related (alert_id, family, event, keyed, marks) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (alert_id) DO UPDATE SET family = excluded.family, event = excluded.event,
                                                      keyed = excluded.keyed, marks = excluded.marks",
            )?
            .execute(params![
                alert,
                &kin.family[..],
                kin.event.as_ref().map(|event| &event[..]),
                kin.keyed,
                text(&marks_json(&kin.marks)),
            ])?;
        Ok(())
    }

    /// Begins the escalation of an alert, if the receiver has one, or makes an existing one due, so that the end is
    /// seen.
    fn escalate(&self, recipient: &Recipient, alert: i64, change: &Change<'_>) -> Result<(), StoreError> {
        let now = self.admission.received_at;
        match (recipient.escalate_after_ms, change.kind) {
            (Some(after_ms), TransitionKind::Firing) if change.told() => begin(self.connection, alert, now, after_ms),
            (_, TransitionKind::Resolved) => over(self.connection, alert, now),
            _ => Ok(()),
        }
    }

    /// Queues the message for one target and writes its transitions.
    fn tell(&mut self, target: &TargetRow, recipient: &Recipient, changes: &[Written<'_>]) -> Result<(), StoreError> {
        let Some(notification) = self.notification else { return Ok(()) };
        let message = self.queue(notification, target, recipient, changes)?;
        let mut insert = self.connection.held(
            "INSERT INTO transition
                 (alert_id, notification_id, alert_index, message_id, lane, kind, at, starts_at, ends_at, fate, reason)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?;
        for Written { alert, known, change, .. } in changes {
            if let (Some(message), true, true) = (message, known, change.told()) {
                self.absorb(*alert, &target.lane, message)?;
            }
            let fate = if change.told() { Fate::Pending } else { Fate::Suppressed };
            insert.execute(params![
                alert,
                notification,
                change.arrival.index,
                message.filter(|_| change.told()),
                target.lane.as_str(),
                change.kind.as_str(),
                self.admission.received_at.0,
                change.after.starts_at.map(|time| time.0),
                change.ends_at.map(|time| time.0),
                fate.as_str(),
                change.suppressed.map(Suppression::as_str),
            ])?;
            self.done.transitions += 1;
        }
        Ok(())
    }

    /// The message for what is told of `changes`; `None` if nothing is.
    fn queue(
        &mut self,
        notification: i64,
        target: &TargetRow,
        recipient: &Recipient,
        changes: &[Written<'_>],
    ) -> Result<Option<i64>, StoreError> {
        let told = changes.iter().filter(|written| written.change.told());
        let Some(thread) = told.clone().map(|written| written.thread).min() else { return Ok(None) };
        let critical = told.clone().any(|written| written.change.arrival.critical);
        let urgent = told.clone().any(|written| written.change.urgent());
        self.connection
            .held(
                "INSERT INTO message (notification_id, receiver, lane, target, critical, urgent, thread, created_at, note)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute(params![
                notification,
                recipient.receiver,
                target.lane.as_str(),
                target.target_json,
                critical,
                urgent,
                thread,
                self.admission.received_at.0,
                recipient.note_json,
            ])?;
        self.done.messages += 1;
        self.done.lanes.push(target.lane.clone());
        let message = self.connection.last_insert_rowid();
        if let Some(bytes) = &target.given {
            freeze(self.connection, message, 1, bytes)?;
        }
        Ok(Some(message))
    }

    /// The newer `message` takes over the pending transitions of an alert in a lane from unclaimed messages; a message
    /// left without any is folded into it. Digests keep theirs.
    fn absorb(&self, alert: i64, lane: &LaneKey, message: i64) -> Result<(), StoreError> {
        let older: Vec<i64> = self
            .connection
            .held(
                "SELECT DISTINCT m.id FROM transition t JOIN message m ON m.id = t.message_id
                 WHERE t.alert_id = ?1 AND t.fate = 'pending' AND m.lane = ?2 AND m.id < ?3
                   AND m.version = 0 AND m.state = 'queued' AND m.digest = 0",
            )?
            .query_map(params![alert, lane.as_str(), message], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        older.into_iter().try_for_each(|older| self.take_over(alert, older, message))
    }

    /// Moves the transitions of an alert from `older` to `message`.
    fn take_over(&self, alert: i64, older: i64, message: i64) -> Result<(), StoreError> {
        self.connection
            .held("UPDATE transition SET message_id = ?3 WHERE alert_id = ?1 AND message_id = ?2")?
            .execute([alert, older, message])?;
        let empty: bool = self
            .connection
            .held("SELECT NOT EXISTS (SELECT 1 FROM transition WHERE message_id = ?1)")?
            .query_row([older], |row| row.get(0))?;
        if empty {
            let sql = "UPDATE message SET state = 'folded', folded_into = ?2, settled_at = ?3 WHERE id = ?1";
            self.connection.held(sql)?.execute([older, message, self.admission.received_at.0])?;
        } else {
            let sql = "UPDATE message SET revision = revision + 1 WHERE id = ?1";
            self.connection.held(sql)?.execute([older])?;
        }
        Ok(())
    }

    fn notification(&mut self) -> Result<i64, StoreError> {
        if let Some(id) = self.notification {
            return Ok(id);
        }
        let admission = self.admission;
        self.connection
            .held(
                "INSERT INTO notification
                     (source, format, content_type, path_receiver, sender, group_key, received_at, raw)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute(params![
                admission.source.stored(),
                admission.format.as_str(),
                admission.content_type,
                admission.path_receiver,
                text(&admission.sender),
                text(&admission.group_key),
                admission.received_at.0,
                &admission.raw[..],
            ])?;
        let id = self.connection.last_insert_rowid();
        self.notification = Some(id);
        Ok(id)
    }

    fn row(&self, recipient: &Recipient, arrival: &Arrival) -> Result<Option<Row>, StoreError> {
        let mut select = self.connection.held(
            "SELECT id, thread, notification_id, status, starts_at, told_at, sender, acknowledged_at IS NOT NULL,
                    max(told_at, ifnull(heard_at, told_at))
             FROM alert
             WHERE identity = ?1 AND receiver = ?2",
        )?;
        let row = select
            .query_row(params![&arrival.identity.0[..], recipient.receiver], |row| {
                let known = Known {
                    status: named(row, 3, Status::from_name)?,
                    starts_at: row.get::<_, Option<i64>>(4)?.map(Timestamp),
                    told_at: Timestamp(row.get(5)?),
                    sender: row.get(6)?,
                    acknowledged: row.get(7)?,
                };
                Ok(Row {
                    id: row.get(0)?,
                    thread: row.get(1)?,
                    notification: row.get(2)?,
                    heard_at: Timestamp(row.get(8)?),
                    known,
                })
            })
            .optional()?;
        Ok(row)
    }

    fn insert(&mut self, recipient: &Recipient, change: &Change<'_>) -> Result<i64, StoreError> {
        let notification = self.notification()?;
        let (arrival, known) = (change.arrival, &change.after);
        self.connection
            .held(
                "INSERT INTO alert (identity, receiver, source, name, labels, critical, status, starts_at, ends_at,
                                    thread, notification_id, sender, told_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10, ?11, ?12)",
            )?
            .execute(params![
                &arrival.identity.0[..],
                recipient.receiver,
                self.admission.source.stored(),
                text(&arrival.name),
                json(&arrival.labels_json),
                arrival.critical,
                known.status.as_str(),
                known.starts_at.map(|time| time.0),
                change.ends_at.map(|time| time.0),
                notification,
                text(&known.sender),
                known.told_at.0,
            ])?;
        Ok(self.connection.last_insert_rowid())
    }

    fn update(&mut self, alert: i64, thread: i64, change: &Change<'_>) -> Result<i64, StoreError> {
        let notification = self.notification()?;
        let known = &change.after;
        self.connection
            .held(
                "UPDATE alert SET status = ?2, starts_at = ?3, ends_at = ?4, thread = ?5, notification_id = ?6,
                                  sender = ?7, told_at = ?8,
                                  acknowledged_by = CASE WHEN ?9 THEN acknowledged_by END,
                                  acknowledged_at = CASE WHEN ?9 THEN acknowledged_at END
                 WHERE id = ?1",
            )?
            .execute(params![
                alert,
                known.status.as_str(),
                known.starts_at.map(|time| time.0),
                change.ends_at.map(|time| time.0),
                thread,
                notification,
                text(&known.sender),
                known.told_at.0,
                known.acknowledged,
            ])?;
        Ok(alert)
    }
}
