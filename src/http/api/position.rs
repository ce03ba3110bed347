//! Where a stream of the API is in the record: what it told, what it still watches, and the id by which a program goes on
//! behind it. Pure.

use std::collections::BTreeSet;

use crate::alert::Timestamp;
use crate::store::{Marks, OVERLAP_MS, Reached};

/// How long an id can be resumed.
const RESUMED_MS: i64 = 3_600_000;
/// Settled messages that are known as told: some 500 KB.
const TOLD: usize = 20_000;
/// Open acts that are watched for their end.
const WATCHED: usize = 200;

/// A settled message: when, and its number.
pub(super) type Settled = (Timestamp, i64);

/// Where a stream is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Position {
    /// Behind these numbers everything is new.
    pub reached: Reached,
    /// The last settlement that was told, by its time.
    settled: Timestamp,
    /// Behind this settlement everything is new that is not in `told`.
    low: Settled,
    told: BTreeSet<Settled>,
    /// Acts that were told as open.
    open: BTreeSet<i64>,
}

/// What an id stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Resumed {
    /// A position from which nothing is lost.
    At(Position),
    /// It is too old, or of another record: since this time.
    Gap(Timestamp),
}

impl Position {
    /// The end of the record. `recent`: the messages that were settled within [`OVERLAP_MS`].
    pub fn end(marks: &Marks, recent: &[Settled]) -> Self {
        let reached = Reached { transition: marks.transition, message: marks.message, act: marks.act };
        let mut position = Self::behind(reached, Timestamp(marks.settled), recent.iter().copied().collect());
        position.forget();
        position
    }

    fn behind(reached: Reached, settled: Timestamp, told: BTreeSet<Settled>) -> Self {
        Self { reached, settled, low: (settled.plus_millis(-OVERLAP_MS), 0), told, open: BTreeSet::new() }
    }

    /// The id of this position at `now`.
    pub fn id(&self, now: Timestamp) -> String {
        let Reached { transition, message, act } = self.reached;
        // An act that was told as open is told again, in case that it ends while nobody listens.
        let act = self.open.first().map_or(act, |first| act.min(first - 1));
        format!("{}-{transition}-{message}-{act}-{}", now.0, self.settled.0)
    }

    /// The position of an id; `None`: it is none.
    pub fn resumed(id: &str, marks: &Marks, now: Timestamp) -> Option<Resumed> {
        let numbers: Vec<i64> = id.split('-').map(|part| part.parse().ok()).collect::<Option<_>>()?;
        let [at, transition, message, act, settled] = numbers[..] else { return None };
        let reached = Reached { transition, message, act };
        let elsewhere = transition > marks.transition || message > marks.message || act > marks.act;
        if elsewhere || now.millis_since(Timestamp(at)) > RESUMED_MS {
            return Some(Resumed::Gap(Timestamp(at)));
        }
        Some(Resumed::At(Self::behind(reached, Timestamp(settled), BTreeSet::new())))
    }

    /// Where the reading of settlements begins.
    pub fn low(&self) -> Settled {
        self.low
    }

    /// Is this settlement known?
    pub fn knows(&self, settled: &Settled) -> bool {
        self.told.contains(settled)
    }

    /// The acts that were told as open.
    pub fn open(&self) -> impl Iterator<Item = i64> + '_ {
        self.open.iter().copied()
    }

    /// Takes up what was read.
    pub fn pass(&mut self, reached: Reached, settled: &[Settled]) {
        self.reached = reached;
        self.told.extend(settled);
        self.settled = self.told.last().map_or(self.settled, |(at, _)| self.settled.max(*at));
        self.forget();
    }

    /// Notes whether an act is open.
    pub fn act(&mut self, act: i64, open: bool) {
        if !open {
            self.open.remove(&act);
        } else if self.open.len() < WATCHED {
            self.open.insert(act);
        }
    }

    /// Forgets settlements that no commit can stand beside any more, and the oldest of too many.
    fn forget(&mut self) {
        self.low = self.low.max((self.settled.plus_millis(-OVERLAP_MS), 0));
        self.told = self.told.split_off(&self.low);
        while self.told.len() > TOLD {
            self.low = self.told.pop_first().unwrap_or(self.low);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Timestamp = Timestamp(1_800_000_000_000);

    fn at(ms: i64) -> Timestamp {
        T0.plus_millis(ms)
    }

    fn marks(numbers: i64, settled: i64) -> Marks {
        Marks { transition: numbers, message: numbers, act: numbers, settled: at(settled).0, ..Marks::default() }
    }

    #[test]
    fn an_id_leads_back_to_its_place_for_an_hour() {
        let mut position = Position::end(&marks(9, 0), &[(at(-5), 3)]);
        assert!(position.knows(&(at(-5), 3)));
        let reached = Reached { transition: 12, message: 11, act: 10 };
        position.pass(reached, &[(at(50), 4), (at(40), 5)]);
        let id = position.id(at(100));
        let Some(Resumed::At(resumed)) = Position::resumed(&id, &marks(12, 50), at(100 + RESUMED_MS)) else {
            panic!("{id}")
        };
        assert_eq!((resumed.reached, resumed.low()), (reached, (at(50 - OVERLAP_MS), 0)));
        assert!(!resumed.knows(&(at(50), 4)), "it is told again: it may not have arrived");
        let gap = Some(Resumed::Gap(at(100)));
        assert_eq!(Position::resumed(&id, &marks(12, 50), at(101 + RESUMED_MS)), gap);
        assert_eq!(Position::resumed(&id, &marks(10, 50), at(100)), gap, "a record that was put back is another one");
        for wrong in ["", "1", "1-2-3-4", "1-2-3-4-x", "1-2-3-4-5-6", "-1-2-3-4-5", "a", &"9".repeat(200)] {
            assert_eq!(Position::resumed(wrong, &marks(12, 50), at(100)), None, "{wrong}");
        }
    }

    #[test]
    fn a_late_commit_is_new_and_what_was_told_is_not() {
        let mut position = Position::end(&marks(1, 0), &[]);
        position.pass(position.reached, &[(at(9_000), 7)]);
        // Settled before the other one, and committed after it.
        assert!(position.low() < (at(100), 6) && !position.knows(&(at(100), 6)));
        position.pass(position.reached, &[(at(100), 6)]);
        assert!(position.knows(&(at(100), 6)) && position.knows(&(at(9_000), 7)));
        assert_eq!(position.id(at(0)).split('-').next_back(), Some(&*at(9_000).0.to_string()), "it never goes back");
        position.pass(position.reached, &[(at(20_000), 8)]);
        assert!(!position.knows(&(at(9_000), 7)) && position.low() > (at(9_000), 7));
    }

    #[test]
    fn what_is_remembered_has_a_bound_and_what_is_forgotten_is_not_told_again() {
        let mut position = Position::end(&marks(1, 0), &[]);
        let many: Vec<Settled> = (0..30_000).map(|id| (at(id / 10), id)).collect();
        position.pass(position.reached, &many);
        assert_eq!(position.told.len(), TOLD);
        for settled in &many {
            assert!(position.knows(settled) || *settled <= position.low(), "{settled:?} would come again");
        }
        for act in 0..1_000 {
            position.act(act, true);
        }
        assert_eq!(position.open().count(), WATCHED);
    }

    #[test]
    fn an_act_that_is_open_is_told_again_to_whom_it_may_have_escaped() {
        let mut position = Position::end(&marks(9, 0), &[]);
        position.act(5, true);
        position.act(7, true);
        assert_eq!(position.id(at(0)).split('-').nth(3), Some("4"));
        position.act(5, false);
        position.act(7, false);
        assert_eq!(position.id(at(0)).split('-').nth(3), Some("9"));
    }
}
