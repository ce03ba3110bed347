//! Admission: one notification, the states it changes, the transitions people hear of, the messages that tell them.
//!
//! This is the path every sender waits for: five statements for one alert with news for one target, one for an
//! alert without.

use std::borrow::Cow;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::Db;
use crate::alert::{Status, Timestamp, TransitionKind};
use crate::news::{self, Known, Policy, Quiet, Seen, Suppression, Verdict};
use crate::store::{Admission, Admitted, Arrival, Fate, Recipient, StoreError, TargetRow};

impl Db {
    pub(in crate::store) async fn admit(&self, admission: Admission) -> Result<Admitted, StoreError> {
        self.write(move |connection| Admitting::new(connection, &admission).run()).await
    }
}

/// An alert whose state changed.
struct Change {
    alert: i64,
    thread: i64,
    kind: TransitionKind,
    suppressed: Option<Suppression>,
    index: u32,
    starts_at: Option<Timestamp>,
    ends_at: Option<Timestamp>,
    critical: bool,
}

/// What the store knows of an alert, with its row.
struct Row {
    id: i64,
    thread: i64,
    notification: i64,
    known: Known,
}

struct Admitting<'a> {
    connection: &'a Connection,
    admission: &'a Admission,
    /// Written when the first news is found.
    notification: Option<i64>,
    /// The notification that told what this one repeats.
    repeated: i64,
    done: Admitted,
}

impl<'a> Admitting<'a> {
    fn new(connection: &'a Connection, admission: &'a Admission) -> Self {
        let done = Admitted {
            id: 0,
            duplicate: false,
            transitions: 0,
            messages: 0,
            unchanged: 0,
            stale: 0,
            lanes: Vec::new(),
        };
        Self { connection, admission, notification: None, repeated: 0, done }
    }

    fn run(mut self) -> Result<Admitted, StoreError> {
        let admission = self.admission;
        for recipient in &admission.deliveries {
            let mut changes = Vec::new();
            for arrival in &recipient.alerts {
                changes.extend(self.judge(recipient, arrival)?);
            }
            if recipient.targets.is_empty() {
                self.tell(&TargetRow { lane: String::new(), target_json: String::new() }, recipient, &changes)?;
            }
            for target in &recipient.targets {
                self.tell(target, recipient, &changes)?;
            }
        }
        self.done.duplicate = self.notification.is_none();
        self.done.id = self.notification.unwrap_or(self.repeated);
        Ok(self.done)
    }

    /// Decides about one alert for one receiver and writes its new state, if it has one.
    fn judge(&mut self, recipient: &Recipient, arrival: &Arrival) -> Result<Option<Change>, StoreError> {
        let now = self.admission.received_at;
        let before = self.row(recipient, arrival)?;
        let known = before.as_ref().map(|row| &row.known);
        let seen = Seen {
            status: arrival.status,
            starts_at: arrival.starts_at,
            ends_at: arrival.ends_at,
            sender: &self.admission.sender,
        };
        let policy = Policy {
            send_resolved: recipient.send_resolved,
            repeat_interval_ms: recipient.repeat_interval_ms,
            push: self.admission.push,
            test: self.admission.test,
        };
        let (kind, suppressed) = match news::decide(known, &seen, &policy, now) {
            Verdict::Told(kind) if recipient.targets.is_empty() => (kind, Some(Suppression::NoTarget)),
            Verdict::Told(kind) => (kind, None),
            Verdict::Suppressed(kind, reason) => (kind, Some(reason)),
            Verdict::Nothing(quiet) => {
                match quiet {
                    Quiet::Unchanged | Quiet::NeverFired => self.done.unchanged += 1,
                    Quiet::Stale => self.done.stale += 1,
                }
                self.repeated = self.repeated.max(before.map_or(0, |row| row.notification));
                return Ok(None);
            }
        };
        let notification = self.notification()?;
        let after = Known::after(known, &seen, kind, now);
        let ends_at = match after.status {
            Status::Firing => None,
            Status::Resolved => Some(arrival.ends_at.unwrap_or(now)),
        };
        let starts_at = after.starts_at;
        let thread = match (&before, kind) {
            (Some(row), TransitionKind::Resolved | TransitionKind::Reminder) => row.thread,
            (Some(_), TransitionKind::Firing) | (None, _) => notification,
        };
        let alert = match before {
            Some(row) => self.update(row.id, thread, &after, ends_at)?,
            None => self.insert(recipient, arrival, &after, ends_at)?,
        };
        let (index, critical) = (arrival.index, arrival.critical);
        Ok(Some(Change { alert, thread, kind, suppressed, index, starts_at, ends_at, critical }))
    }

    /// Queues the message for one target and writes its transitions.
    fn tell(&mut self, target: &TargetRow, recipient: &Recipient, changes: &[Change]) -> Result<(), StoreError> {
        let Some(notification) = self.notification else { return Ok(()) };
        let mut message = None;
        let told = changes.iter().filter(|change| change.suppressed.is_none());
        if let Some(thread) = told.clone().map(|change| change.thread).min() {
            let critical = told.clone().any(|change| change.critical);
            self.connection
                .prepare_cached(
                    "INSERT INTO message (notification_id, receiver, lane, target, critical, thread, created_at)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                )?
                .execute(params![
                    notification,
                    recipient.receiver,
                    target.lane,
                    target.target_json,
                    critical,
                    thread,
                    self.admission.received_at.0,
                ])?;
            message = Some(self.connection.last_insert_rowid());
            self.done.messages += 1;
            self.done.lanes.push(target.lane.clone());
        }
        let mut insert = self.connection.prepare_cached(
            "INSERT INTO transition
                 (alert_id, notification_id, alert_index, message_id, lane, kind, at, starts_at, ends_at, fate, reason)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?;
        for change in changes {
            let fate = change.suppressed.map_or(Fate::Pending, |_| Fate::Suppressed);
            insert.execute(params![
                change.alert,
                notification,
                change.index,
                message.filter(|_| change.suppressed.is_none()),
                target.lane,
                change.kind.as_str(),
                self.admission.received_at.0,
                change.starts_at.map(|time| time.0),
                change.ends_at.map(|time| time.0),
                fate.as_str(),
                change.suppressed.map(Suppression::as_str),
            ])?;
            self.done.transitions += 1;
        }
        Ok(())
    }

    fn notification(&mut self) -> Result<i64, StoreError> {
        if let Some(id) = self.notification {
            return Ok(id);
        }
        let admission = self.admission;
        self.connection
            .prepare_cached(
                "INSERT INTO notification
                     (source, format, content_type, path_receiver, sender, group_key, received_at, raw)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute(params![
                admission.source,
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
        let mut select = self.connection.prepare_cached(
            "SELECT id, thread, notification_id, status, starts_at, told_at, sender FROM alert
             WHERE identity = ?1 AND receiver = ?2",
        )?;
        let row = select
            .query_row(params![&arrival.identity.0[..], recipient.receiver], |row| {
                let status = match row.get_ref(3)?.as_str()? {
                    "firing" => Status::Firing,
                    _ => Status::Resolved,
                };
                let known = Known {
                    status,
                    starts_at: row.get::<_, Option<i64>>(4)?.map(Timestamp),
                    told_at: Timestamp(row.get(5)?),
                    sender: row.get(6)?,
                };
                Ok(Row { id: row.get(0)?, thread: row.get(1)?, notification: row.get(2)?, known })
            })
            .optional()?;
        Ok(row)
    }

    fn insert(
        &mut self,
        recipient: &Recipient,
        arrival: &Arrival,
        known: &Known,
        ends_at: Option<Timestamp>,
    ) -> Result<i64, StoreError> {
        let notification = self.notification()?;
        self.connection
            .prepare_cached(
                "INSERT INTO alert (identity, receiver, source, name, labels, critical, status, starts_at, ends_at,
                                    thread, notification_id, sender, told_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10, ?11, ?12)",
            )?
            .execute(params![
                &arrival.identity.0[..],
                recipient.receiver,
                self.admission.source,
                text(&arrival.name),
                arrival.labels_json,
                arrival.critical,
                known.status.as_str(),
                known.starts_at.map(|time| time.0),
                ends_at.map(|time| time.0),
                notification,
                text(&known.sender),
                known.told_at.0,
            ])?;
        Ok(self.connection.last_insert_rowid())
    }

    fn update(
        &mut self,
        alert: i64,
        thread: i64,
        known: &Known,
        ends_at: Option<Timestamp>,
    ) -> Result<i64, StoreError> {
        let notification = self.notification()?;
        self.connection
            .prepare_cached(
                "UPDATE alert SET status = ?2, starts_at = ?3, ends_at = ?4, thread = ?5, notification_id = ?6,
                                  sender = ?7, told_at = ?8
                 WHERE id = ?1",
            )?
            .execute(params![
                alert,
                known.status.as_str(),
                known.starts_at.map(|time| time.0),
                ends_at.map(|time| time.0),
                thread,
                notification,
                text(&known.sender),
                known.told_at.0,
            ])?;
        Ok(alert)
    }
}

/// U+0000 ends a text for many tools and is refused by `PostgreSQL`: both halves keep its picture instead.
pub(super) fn text(words: &str) -> Cow<'_, str> {
    if words.contains('\0') { Cow::Owned(words.replace('\0', "␀")) } else { Cow::Borrowed(words) }
}
