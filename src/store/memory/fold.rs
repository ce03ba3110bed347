//! Folding, and the content of a digest.

use std::collections::{BTreeMap, HashSet};

use super::{Memory, Message, Tables};
use crate::alert::Timestamp;
use crate::engine::fold::{FoldFacts, Foldable, fold};
use crate::names::LaneKey;
use crate::store::digest::{Gathering, labels};
use crate::store::{Digest, DigestItem, Folded, Lease, State, StoreError};

impl Memory {
    /// Folds what was never claimed into one digest.
    pub fn fold(&self, lease: &Lease, keep: Option<i64>, now: Timestamp) -> Result<Option<Folded>, StoreError> {
        let mut tables = self.0.borrow_mut();
        let foldable = tables.foldable(&lease.lane, keep);
        let pictures = tables.pictures(&lease.lane);
        let facts = FoldFacts { held: tables.holds(lease), foldable, pictures, ids: tables.last_ids() };
        let decided = fold(facts, now).map_err(|denied| denied.error(keep.unwrap_or_default()))?;
        let Some((folded, changes)) = decided else { return Ok(None) };
        tables.write(&changes);
        Ok(Some(folded))
    }

    /// The sums of a digest and what it can name.
    pub fn digest(&self, message: i64) -> Digest {
        let tables = self.0.borrow();
        let mut alerts: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
        for id in tables.messages.get(message).into_iter().flat_map(|message| &message.transitions) {
            alerts.entry(tables.transitions[id].moved.alert).or_default().push(*id);
        }
        let mut by_last: Vec<(i64, Vec<i64>)> = alerts.into_iter().collect();
        by_last.sort_by_key(|(_, ids)| ids.last().copied());
        let mut gathering = Gathering::default();
        for (alert, ids) in by_last {
            let Some(known) = tables.alerts.get(alert) else { continue };
            let last = &tables.transitions[ids.last().expect("it is told of")].moved;
            let first = ids.iter().map(|id| tables.transitions[id].moved.at).min().expect("it is told of");
            let item = DigestItem {
                alert,
                name: known.name.clone(),
                labels: labels(&known.labels_json),
                critical: known.critical,
                status: last.kind.leaves(),
                starts_at: last.starts_at,
                ends_at: last.ends_at,
                changes: ids.len() as u64,
            };
            gathering.add(item, first, last.at);
        }
        gathering.finish()
    }
}

impl Tables {
    /// The pictures that wait in a lane, each with the message that it follows.
    fn pictures(&self, lane: &LaneKey) -> Vec<(i64, i64)> {
        let waits = |id: &i64| {
            let row = &self.messages[id];
            row.picture_of.filter(|_| row.state != State::Sending).map(|of| (*id, of))
        };
        self.live.get(lane).into_iter().flatten().filter_map(waits).collect()
    }

    /// The messages of a lane that can be folded.
    fn foldable(&self, lane: &LaneKey, keep: Option<i64>) -> Vec<Foldable> {
        let live: Vec<(i64, &Message)> =
            self.live.get(lane).into_iter().flatten().map(|id| (*id, &self.messages[id])).collect();
        let alert = |id: &i64| self.transitions[id].moved.alert;
        let (mut stays, mut fresh): (Vec<_>, Vec<_>) =
            live.into_iter().partition(|(id, message)| !message.fresh() || Some(*id) == keep);
        // A message that shares an alert with one that stays must stay, too.
        while !stays.is_empty() {
            let held: HashSet<i64> = stays.drain(..).flat_map(|(_, row)| row.transitions.iter().map(alert)).collect();
            (stays, fresh) =
                fresh.into_iter().partition(|(_, row)| row.transitions.iter().any(|id| held.contains(&alert(id))));
        }
        let row = |(message, row): (i64, &Message)| Foldable {
            message,
            digest: row.digest,
            critical: row.critical,
            urgent: row.urgent,
            created_at: row.created_at,
        };
        fresh.into_iter().map(row).collect()
    }
}
