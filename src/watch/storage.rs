//! The disk space of the store, and faults while it still takes writes.

use std::sync::{Mutex, PoisonError};

use crate::alert::Timestamp;
use crate::incidents::{Kind, Subject, Trouble};
use crate::store::Space;
use crate::words::Words;

/// This much free space is enough on a disk of any size.
const ENOUGH: u64 = 1 << 30;
/// Less than one part in this many of a smaller disk is too little.
const PART: u64 = 10;
/// A full disk stays a fault for this long after the last failed write.
const FULL_MS: i64 = 60_000;

/// The known state of the store's space. Kept in memory: it is checked again every few seconds.
#[derive(Debug, Default)]
pub struct Storage(Mutex<State>);

#[derive(Debug, Clone, Copy, Default)]
struct State {
    low: Option<Space>,
    /// The bound that cannot be kept, in bytes.
    beyond: Option<u64>,
}

impl Storage {
    /// Records the free space.
    pub(super) fn note_space(&self, space: Option<Space>) {
        self.change(|state| state.low = space.filter(|space| is_low(space, state.low.is_some())));
    }

    /// Records whether pruning kept the bound of the size: `None` if it did.
    pub(super) fn note_bound(&self, beyond: Option<u64>) {
        self.change(|state| state.beyond = beyond);
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// The present faults; `full_at`: when a write last failed because the disk was full.
    pub(super) fn troubles(&self, now: Timestamp, full_at: Option<Timestamp>) -> Vec<Trouble> {
        let State { low, beyond } = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = full_at.is_some_and(|at| (0..FULL_MS).contains(&now.millis_since(at)));
        let disk = if is_full { Some(full()) } else { low.map(|space| short(&space)) };
        let disk = disk.map(|detail| Trouble { kind: Kind::Disk, subject: Subject::Nothing, detail });
        let size = beyond.map(|bytes| Trouble {
            kind: Kind::Disk,
            subject: Subject::Outside("retention.size".to_owned()),
            detail: too_much(bytes),
        });
        disk.into_iter().chain(size).collect()
    }

    /// The same, a line each.
    pub fn warnings(&self, now: Timestamp, full_at: Option<Timestamp>) -> Vec<Words> {
        self.troubles(now, full_at).into_iter().map(|trouble| <(String, String)>::from(trouble.detail).into()).collect()
    }
}

/// Is free space so low that an operator should act? Once low, it stays low until a quarter more is free.
pub fn is_low(space: &Space, before: bool) -> bool {
    let least = ENOUGH.min(space.total / PART);
    space.free < if before { least / 4 * 5 } else { least }
}

fn full() -> [String; 2] {
    [
        "请腾出磁盘空间，之后自动恢复，无需重启。磁盘已满，存不下的告警一律回答 503，由上游重发。".to_owned(),
        "Free some space; no restart is needed. Since the disk is full, what cannot be stored is answered 503, and its sender tries again.".to_owned(),
    ]
}

fn short(space: &Space) -> [String; 2] {
    let free = space.free >> 20;
    let total = space.total >> 20;
    [
        format!(
            "请腾出空间，或调小 `retention.size`。数据库所在的磁盘只剩 {free} MB（共 {total} MB），满了就收不下告警。"
        ),
        format!(
            "Free some space, or make `retention.size` smaller. The disk of the database has {free} MB left of {total} MB; once it is full no alert can be taken."
        ),
    ]
}

fn too_much(bytes: u64) -> [String; 2] {
    let most = bytes >> 20;
    [
        format!(
            "请修好卡住的目标（`wegraf deliveries list --state queued`）。数据库超过了 `retention.size`（{most} MB），能清理的都清理了：剩下的多是还没送到的消息，它们不会被丢弃。"
        ),
        format!(
            "Repair what holds messages up (`wegraf deliveries list --state queued`). The database is larger than `retention.size` ({most} MB) and nothing more can be pruned: most of it waits to be delivered and is never dropped."
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);
    const MIB: u64 = 1 << 20;

    fn told(storage: &Storage, now: Timestamp) -> Vec<(Kind, Subject)> {
        storage.troubles(now, None).into_iter().map(|trouble| (trouble.kind, trouble.subject)).collect()
    }

    #[test]
    fn little_room_is_told_before_the_disk_is_full_and_is_over_when_there_is_more() {
        let storage = Storage::default();
        let space = |free: u64| Some(Space { free: free * MIB, total: 1_000 * MIB });
        for (free, low) in [(101, false), (99, true), (120, true), (126, false), (101, false)] {
            storage.note_space(space(free));
            assert_eq!(!told(&storage, NOW).is_empty(), low, "{free}");
        }
        storage.note_space(Some(Space { free: 1_025 * MIB, total: 1_000_000 * MIB }));
        assert!(told(&storage, NOW).is_empty(), "a gigabyte is enough");
        storage.note_space(None);
        assert!(told(&storage, NOW).is_empty(), "of another machine nothing is known");
    }

    #[test]
    fn a_full_disk_is_one_trouble_with_a_low_one_and_ends_a_minute_after_the_last_refusal() {
        let storage = Storage::default();
        storage.note_space(Some(Space { free: 0, total: MIB }));
        let warnings = |now| storage.warnings(now, Some(NOW));
        assert_eq!(storage.troubles(NOW, Some(NOW)).len(), 1);
        assert!(warnings(NOW)[0].en.contains("the disk is full"));
        assert!(warnings(NOW.plus_millis(FULL_MS))[0].en.contains("0 MB left of 1 MB"));
    }

    #[test]
    fn a_bound_that_cannot_be_kept_is_a_trouble_of_its_own() {
        let storage = Storage::default();
        storage.note_bound(Some(64 * MIB));
        assert!(storage.warnings(NOW, None)[0].en.contains("`retention.size` (64 MB)"));
        storage.note_bound(None);
        assert!(storage.warnings(NOW, None).is_empty());
    }
}
