//! Admission.

use std::collections::BTreeSet;

use super::{Alert, Memory, Message, Tables, Transition};
use crate::alert::Timestamp;
use crate::names::LaneKey;
use crate::store::judge::{Change, Judged, Row, judge};
use crate::store::{Admission, Admitted, Arrival, Fate, Kept, Moved, Recipient, State, TargetRow};

/// A change with the row of its alert.
struct Written<'a> {
    alert: i64,
    thread: i64,
    change: Change<'a>,
}

impl Memory {
    /// Decides what is news, and queues it.
    pub fn admit(&self, admission: &Admission) -> Admitted {
        let mut tables = self.0.borrow_mut();
        let mut done = Admitted { duplicate: true, ..Admitted::default() };
        let mut repeated = 0;
        let id = tables.notifications.next();
        for recipient in &admission.deliveries {
            let mut changes = Vec::new();
            for arrival in &recipient.alerts {
                let found = tables.identities.get(&(arrival.identity, recipient.receiver.clone())).copied();
                let before = found.map(|alert| tables.alerts[&alert].row.clone());
                match judge(admission, recipient, arrival, before.as_ref()) {
                    Judged::Quiet(quiet, told) => {
                        match quiet {
                            crate::news::Quiet::Stale => done.stale += 1,
                            _ => done.unchanged += 1,
                        }
                        repeated = repeated.max(told);
                    }
                    Judged::Changed(change) => {
                        done.duplicate = false;
                        changes.push(tables.learn(id, recipient, arrival, change));
                    }
                }
            }
            for target in &recipient.targets {
                tables.tell_all(id, target, recipient, &changes, admission.received_at, &mut done);
            }
        }
        if done.unchanged > 0 && repeated > 0 && !admission.push {
            *tables.repeated.entry(repeated).or_default() += 1;
        }
        done.id = repeated;
        if !done.duplicate {
            done.id = id;
            tables.notifications.push(kept(id, admission));
        }
        done
    }
}

fn kept(id: i64, admission: &Admission) -> Kept {
    Kept {
        id,
        source: admission.source.clone(),
        format: admission.format,
        content_type: admission.content_type.clone(),
        path_receiver: admission.path_receiver.clone(),
        received_at: admission.received_at,
        raw: admission.raw.clone(),
    }
}

impl Tables {
    fn learn<'a>(
        &mut self,
        notification: i64,
        recipient: &Recipient,
        arrival: &Arrival,
        change: Change<'a>,
    ) -> Written<'a> {
        let thread = change.thread.unwrap_or(notification);
        let id = change.row.unwrap_or_else(|| self.alerts.next());
        let row = Row { id, thread, notification, heard_at: change.after.told_at, known: change.after.clone() };
        if let Some(alert) = self.alerts.get_mut(id) {
            alert.row = row;
        } else {
            self.identities.insert((arrival.identity, recipient.receiver.clone()), id);
            let alert = Alert {
                identity: arrival.identity,
                receiver: recipient.receiver.clone(),
                name: arrival.name.clone(),
                labels_json: arrival.labels_json.clone(),
                critical: arrival.critical,
                row,
            };
            self.alerts.push(alert);
        }
        Written { alert: id, thread, change }
    }

    fn tell_all(
        &mut self,
        notification: i64,
        target: &TargetRow,
        recipient: &Recipient,
        changes: &[Written<'_>],
        now: Timestamp,
        done: &mut Admitted,
    ) {
        let told: Vec<&Written<'_>> = changes.iter().filter(|written| written.change.told()).collect();
        let message = told.iter().map(|written| written.thread).min().map(|thread| {
            done.messages += 1;
            done.lanes.push(target.lane.clone());
            let id = self.queue(Message {
                critical: told.iter().any(|written| written.change.arrival.critical),
                urgent: told.iter().any(|written| written.change.urgent()),
                ..blank(notification, &recipient.receiver, target, thread, now)
            });
            if let Some(bytes) = &target.given {
                self.freeze(id, bytes).expect("the bytes have a part to send");
            }
            id
        });
        for Written { alert, change, .. } in changes {
            if let (Some(message), true) = (message, change.told()) {
                self.absorb(*alert, &target.lane, message, now);
            }
            self.tell(Transition {
                moved: Moved {
                    id: 0,
                    alert: *alert,
                    notification,
                    alert_index: change.arrival.index,
                    kind: change.kind,
                    at: now,
                    starts_at: change.after.starts_at,
                    ends_at: change.ends_at,
                },
                message: message.filter(|_| change.told()),
                lane: target.lane.clone(),
                counted: false,
                fate: if change.told() { Fate::Pending } else { Fate::Suppressed },
                reason: change.suppressed.map(|reason| reason.as_str().to_owned()),
            });
            done.transitions += 1;
        }
    }

    /// A newer message takes over the pending transitions of the alert from unclaimed ones.
    fn absorb(&mut self, alert: i64, lane: &LaneKey, message: i64, now: Timestamp) {
        let waiting = self.pending.get(&alert).into_iter().flatten();
        let older: BTreeSet<i64> = waiting
            .filter_map(|id| self.transitions[id].message)
            .filter(|older| {
                let waits = &self.messages[older];
                *older < message && waits.lane == *lane && waits.fresh() && !waits.digest
            })
            .collect();
        for older in older {
            self.take_over(alert, older, message, now);
        }
    }

    fn take_over(&mut self, alert: i64, older: i64, message: i64, now: Timestamp) {
        let told = self.messages[&older].transitions.iter().copied();
        let mine: Vec<i64> = told.filter(|id| self.transitions[id].moved.alert == alert).collect();
        for id in mine {
            self.relink(id, older, message);
        }
        if self.messages[&older].transitions.is_empty() {
            self.message(older).folded_into = Some(message);
            self.end(older, State::Folded, now);
        } else {
            self.message(older).revision += 1;
        }
    }
}

/// A message without transitions.
pub(super) fn blank(notification: i64, receiver: &str, target: &TargetRow, thread: i64, now: Timestamp) -> Message {
    Message {
        notification,
        receiver: receiver.to_owned(),
        lane: target.lane.clone(),
        target_json: target.target_json.clone(),
        critical: false,
        urgent: false,
        digest: false,
        thread,
        created_at: now,
        state: State::Queued,
        not_before: Timestamp(0),
        epoch: 0,
        revision: 0,
        versions: Vec::new(),
        next_part: 0,
        face: None,
        settled_at: None,
        folded_into: None,
        origin: None,
        note_json: None,
        attempts: Vec::new(),
        transitions: Vec::new(),
    }
}
