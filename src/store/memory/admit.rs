//! Admission: the facts that the engine decides on.

use std::collections::{BTreeMap, HashMap};

use super::{Memory, Tables};
use crate::engine::admit::{Key, Merge, Waits, admit, keys};
use crate::engine::changes::Ids;
use crate::engine::judge::AlertRow;
use crate::store::{Admission, Admitted};

impl Memory {
    /// Admits one notification.
    pub fn admit(&self, admission: &Admission) -> Admitted {
        let mut admitted = self.admit_all(std::slice::from_ref(admission));
        admitted.pop().expect("each admission has an answer")
    }

    /// Admits a group.
    pub fn admit_all(&self, group: &[Admission]) -> Vec<Admitted> {
        let mut tables = self.0.borrow_mut();
        let draft = admit(group, tables.known(keys(group)), HashMap::new(), tables.last_ids());
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

    pub(super) fn last_ids(&self) -> Ids {
        Ids {
            notification: self.notifications.next() - 1,
            alert: self.alerts.next() - 1,
            message: self.messages.next() - 1,
            transition: self.transitions.next() - 1,
            act: 0,
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
}
