//! Admission: the facts that the engine decides on.

use std::collections::{BTreeMap, HashMap};

use super::{Alert, Memory, Tables};
use crate::alert::Identity;
use crate::engine::admit::{Held, Key, Merge, Waits, admit, keys};
use crate::engine::changes::Ids;
use crate::engine::judge::AlertRow;
use crate::store::{Admission, Admitted};

impl Memory {
    /// Admits one notification.
    pub fn admit(&self, admission: &Admission) -> Admitted {
        self.admit_all(std::slice::from_ref(admission)).pop().expect("each admission has an answer")
    }

    /// The same, by a mistaken store that does not know who has an alert.
    pub fn admit_without_owners(&self, admission: &Admission) -> Admitted {
        self.admit_group(std::slice::from_ref(admission), false).pop().expect("each admission has an answer")
    }

    /// Admits a group.
    pub fn admit_all(&self, group: &[Admission]) -> Vec<Admitted> {
        self.admit_group(group, true)
    }

    fn admit_group(&self, group: &[Admission], owners: bool) -> Vec<Admitted> {
        let mut tables = self.0.borrow_mut();
        let held = if owners { tables.held(group) } else { HashMap::new() };
        let draft = admit(group, tables.known(keys(group)), held, tables.last_ids());
        let merges = draft.merges();
        let waits = tables.waits(&merges);
        let (admitted, changes) = draft.finish(&merges, &waits);
        tables.write(&changes);
        admitted
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

    /// The alerts of a group that a person has.
    fn held(&self, group: &[Admission]) -> HashMap<Identity, Vec<Held>> {
        let holder = |(id, alert): (i64, &Alert)| {
            let (row, owner) = (&alert.row, alert.owner.as_ref()?);
            let acts = self.acts.iter().filter(|(_, act)| act.touched.get(&id) == Some(&row.thread));
            let act = acts.filter(|(_, act)| act.acknowledged()).map(|(act, _)| act).max();
            let (receiver, starts_at) = (alert.receiver.clone(), row.known.starts_at);
            Some(Held { receiver, starts_at, by: owner.by.clone(), at: owner.at, act })
        };
        let of = |(identity, _): Key<'_>| (identity, self.of(identity).filter_map(holder).collect());
        keys(group).into_iter().map(of).collect()
    }

    pub(super) fn last_ids(&self) -> Ids {
        Ids {
            notification: self.notifications.next() - 1,
            alert: self.alerts.next() - 1,
            message: self.messages.next() - 1,
            transition: self.transitions.next() - 1,
            act: self.acts.next() - 1,
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
                if row.lane == *merge.lane && row.unclaimed() && !row.digest {
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
}
