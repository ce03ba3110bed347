//! Admission: facts from maps, the engine's decision, changes into maps.

use std::collections::{BTreeMap, HashMap};

use super::{Alert, Memory, Message, Tables, Transition};
use crate::alert::Timestamp;
use crate::engine::admit::{Key, Merge, Waits, admit, keys};
use crate::engine::changes::{Changes, Ids, NewMessage, NewTransition};
use crate::engine::dedup::Suppression;
use crate::engine::judge::AlertRow;
use crate::store::{Admission, Admitted, Kept, Moved, State, TargetRow};

impl Memory {
    /// Admits one notification.
    pub fn admit(&self, admission: &Admission) -> Admitted {
        let mut admitted = self.admit_all(std::slice::from_ref(admission));
        admitted.pop().expect("each admission has an answer")
    }

    /// Admits a group.
    pub fn admit_all(&self, group: &[Admission]) -> Vec<Admitted> {
        let mut tables = self.0.borrow_mut();
        let draft = admit(group, tables.known(keys(group)), tables.last_ids());
        let merges = draft.merges();
        let waits = tables.waits(&merges);
        let (admitted, changes) = draft.finish(&merges, &waits);
        tables.write(&changes);
        admitted
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
    fn known<'a>(&self, keys: impl IntoIterator<Item = Key<'a>>) -> HashMap<Key<'a>, AlertRow> {
        let row = |key: Key<'a>| {
            let id = self.identities.get(&(key.0, key.1.to_owned()))?;
            Some((key, self.alerts[id].row.clone()))
        };
        keys.into_iter().filter_map(row).collect()
    }

    fn last_ids(&self) -> Ids {
        Ids {
            notification: self.notifications.next() - 1,
            alert: self.alerts.next() - 1,
            message: self.messages.next() - 1,
            transition: self.transitions.next() - 1,
        }
    }

    /// What waits in older, unclaimed messages for each merge.
    fn waits(&self, merges: &[Merge<'_>]) -> Vec<Waits> {
        let mut waits = Vec::new();
        for (place, merge) in merges.iter().enumerate() {
            let mut older: BTreeMap<i64, u32> = BTreeMap::new();
            for id in self.pending.get(&merge.alert).into_iter().flatten() {
                let Some(message) = self.transitions[id].message.filter(|message| *message <= merge.before) else {
                    continue;
                };
                let row = &self.messages[&message];
                if row.lane == *merge.lane && row.fresh() && !row.digest {
                    *older.entry(message).or_default() += 1;
                }
            }
            waits.extend(older.into_iter().map(|(message, of_alert)| {
                let of_message = u32::try_from(self.messages[&message].transitions.len()).expect("few are told");
                Waits { merge: place, message, of_alert, of_message }
            }));
        }
        waits
    }

    fn write(&mut self, changes: &Changes<'_>) {
        for row in &changes.notifications {
            self.notifications.push(kept(row.id, row.admission));
        }
        for row in &changes.alerts {
            self.identities.insert((row.arrival.identity, row.receiver.to_owned()), row.state.id);
            self.alerts.push(Alert {
                identity: row.arrival.identity,
                receiver: row.receiver.to_owned(),
                name: row.arrival.name.clone(),
                labels_json: row.arrival.labels_json.clone(),
                critical: row.arrival.critical,
                row: AlertRow::from(&row.state),
            });
        }
        for state in &changes.alert_states {
            self.alerts.get_mut(state.id).expect("it is stored").row = AlertRow::from(state);
        }
        for (alert, at) in &changes.heard {
            self.alerts.get_mut(*alert).expect("it is stored").row.heard_at = *at;
        }
        for row in &changes.repeated {
            *self.repeated.entry(row.notification).or_default() += row.times;
        }
        for row in &changes.messages {
            self.queue_new(row);
        }
        for step in &changes.moves {
            let told = self.messages[&step.from].transitions.iter().copied();
            let mine: Vec<i64> = told.filter(|id| self.transitions[id].moved.alert == step.alert).collect();
            assert_eq!(mine.len(), step.count as usize, "the facts were true");
            for id in mine {
                self.relink(id, step.from, step.to);
            }
        }
        for message in &changes.revised {
            self.message(*message).revision += 1;
        }
        for fold in &changes.folded {
            self.message(fold.message).folded_into = Some(fold.into);
            self.end(fold.message, State::Folded, fold.at);
        }
        for row in &changes.transitions {
            self.tell(transition(row));
        }
    }

    fn queue_new(&mut self, row: &NewMessage<'_>) {
        let id = self.queue(Message {
            critical: row.critical,
            urgent: row.urgent,
            note_json: row.note.map(str::to_owned),
            ..blank(row.notification, row.receiver, row.target, row.thread, row.created_at)
        });
        assert_eq!(id, row.id, "ids are given in order");
        if let Some(bytes) = &row.target.given {
            self.freeze(id, bytes).expect("the bytes have a part to send");
        }
        if let Some(fold) = row.folded {
            self.message(id).folded_into = Some(fold.into);
            self.end(id, State::Folded, fold.at);
        }
    }
}

fn transition(row: &NewTransition<'_>) -> Transition {
    Transition {
        moved: Moved {
            id: row.id,
            alert: row.alert,
            notification: row.notification,
            alert_index: row.index,
            kind: row.kind,
            at: row.at,
            starts_at: row.starts_at,
            ends_at: row.ends_at,
        },
        message: row.message,
        lane: row.lane.clone(),
        counted: false,
        fate: row.fate(),
        reason: row.suppressed.map(|reason| Suppression::as_str(reason).to_owned()),
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
