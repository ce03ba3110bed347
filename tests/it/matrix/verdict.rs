//! The requirement of a cell, and whether it was met.

use std::collections::BTreeSet;

use super::cell::Channel;

/// The required result for a message that meets a fault. Written by hand for each cell, from the failure model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Must {
    /// Accepted at the first attempt, and seen once.
    Arrive,
    /// Certainly not accepted at first; then seen once.
    Retry,
    /// Whether it was accepted is unknown, and it was not: sent again, seen once; without a duplicate check it is
    /// marked as a possible copy.
    UnsureOnce,
    /// Whether it was accepted is unknown, and it was: sent again, seen twice, the second time with such a mark.
    UnsureTwice,
    /// Rejected in its form; seen once, as short plain text.
    Plain,
    /// Never accepted; the fallback tells it, and why.
    Fallback,
    /// Accepted for some; the fallback tells it, and who missed it.
    Part,
    /// Not tried while WeCom would drop it; then accepted at the first attempt, and seen once.
    Room,
    /// The way is closed: the breaker of this scope opens for this reason, and after the repair it is seen once.
    Wait(&'static str, &'static str),
    /// There is no such combination, because …
    Not(&'static str),
}

/// The observations of a cell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is something that is there to be seen, or not")]
pub struct Seen {
    /// Class of the first attempt.
    pub first: String,
    /// `sent`, `dead`, or its present state.
    pub state: String,
    /// Copies that a person sees where it was meant for.
    pub copies: usize,
    /// Of these, those that are marked as possible copies.
    pub marked: usize,
    /// The first one is marked.
    pub first_marked: bool,
    /// It was sent as short plain text.
    pub plain: bool,
    /// Messages of the fallback that tell it and where it was meant for.
    pub fallback: usize,
    /// The fallback lists who missed it.
    pub missed: bool,
    /// The first attempt came only after the window of a limit.
    pub waited: bool,
    /// Messages that WeCom silently dropped.
    pub dropped: u64,
    /// Breakers that opened, as `scope reason`.
    pub breakers: BTreeSet<String>,
    /// Copies of the next message in the lane.
    pub next: usize,
}

impl Must {
    /// For the table.
    pub fn words(self) -> String {
        match self {
            Self::Arrive => "一次 once".to_owned(),
            Self::Retry => "未送达 → 一次 not sent → once".to_owned(),
            Self::UnsureOnce => "未知 → 一次 unsure → once".to_owned(),
            Self::UnsureTwice => "未知 → 两次，第二次有标记 unsure → twice, the second marked".to_owned(),
            Self::Plain => "纯文本 plain text".to_owned(),
            Self::Fallback => "备用 fallback".to_owned(),
            Self::Part => "部分 + 备用 in part + fallback".to_owned(),
            Self::Room => "等额度 → 一次 waits for room → once".to_owned(),
            Self::Wait(scope, reason) => format!("等待 waits: `{scope}` {reason}"),
            Self::Not(reason) => format!("– {reason}"),
        }
    }

    /// How `seen` differs; empty if it does not.
    pub fn differences(self, channel: Channel, seen: &Seen) -> Vec<String> {
        let checked = matches!(channel, Channel::App | Channel::Hook);
        let mut wanted = Seen {
            first: "not_sent".to_owned(),
            state: "sent".to_owned(),
            copies: 1,
            next: 1,
            plain: seen.plain,
            ..Seen::default()
        };
        match self {
            Self::Arrive => "accepted".clone_into(&mut wanted.first),
            Self::Retry => {}
            Self::Room => {
                "accepted".clone_into(&mut wanted.first);
                wanted.waited = true;
            }
            Self::UnsureOnce | Self::UnsureTwice => {
                "unsure".clone_into(&mut wanted.first);
                wanted.marked = usize::from(!checked);
                wanted.copies = if self == Self::UnsureOnce { 1 } else { 2 };
                wanted.first_marked = !checked && self != Self::UnsureTwice;
            }
            Self::Plain => wanted.plain = true,
            Self::Fallback => {
                "dead".clone_into(&mut wanted.state);
                (wanted.copies, wanted.fallback) = (0, 1);
            }
            Self::Part => {
                "accepted_in_part".clone_into(&mut wanted.first);
                (wanted.fallback, wanted.missed) = (1, true);
            }
            Self::Wait(scope, reason) => wanted.breakers = BTreeSet::from([format!("{scope} {reason}")]),
            Self::Not(_) => return Vec::new(),
        }
        if !matches!(self, Self::Plain | Self::Fallback) {
            wanted.plain = false;
        }
        if self == Self::Fallback {
            wanted.plain = seen.plain;
            wanted.first.clone_from(&seen.first);
        }
        compare(&wanted, seen)
    }
}

fn compare(wanted: &Seen, seen: &Seen) -> Vec<String> {
    let mut differences = Vec::new();
    let mut same = |what: &str, wanted: &dyn std::fmt::Debug, seen: &dyn std::fmt::Debug| {
        let (wanted, seen) = (format!("{wanted:?}"), format!("{seen:?}"));
        if wanted != seen {
            differences.push(format!("{what} is {seen}, not {wanted}"));
        }
    };
    same("the first attempt", &wanted.first, &seen.first);
    same("the state", &wanted.state, &seen.state);
    same("copies", &wanted.copies, &seen.copies);
    same("marked", &(wanted.marked, wanted.first_marked), &(seen.marked, seen.first_marked));
    same("plain", &wanted.plain, &seen.plain);
    same("fallback", &(wanted.fallback, wanted.missed), &(seen.fallback, seen.missed));
    same("waited", &wanted.waited, &seen.waited);
    same("dropped by WeCom", &wanted.dropped, &seen.dropped);
    same("breakers", &wanted.breakers, &seen.breakers);
    same("copies of the next message", &wanted.next, &seen.next);
    differences
}

#[cfg(test)]
mod tests {
    use super::*;

    fn once() -> Seen {
        Seen { first: "not_sent".into(), state: "sent".into(), copies: 1, next: 1, ..Seen::default() }
    }

    #[test]
    fn a_cell_passes_only_what_is_required_of_it() {
        assert_eq!(Must::Retry.differences(Channel::App, &once()), Vec::<String>::new());
        let wrong = [
            Must::Arrive,
            Must::UnsureOnce,
            Must::UnsureTwice,
            Must::Plain,
            Must::Fallback,
            Must::Part,
            Must::Room,
            Must::Wait("app/ops", "limit"),
        ];
        for must in wrong {
            assert!(!must.differences(Channel::App, &once()).is_empty(), "{must:?}");
        }
    }

    #[test]
    fn every_single_thing_that_is_seen_matters() {
        let spoilt = [
            Seen { first: "accepted".into(), ..once() },
            Seen { state: "queued".into(), ..once() },
            Seen { copies: 2, ..once() },
            Seen { copies: 0, ..once() },
            Seen { marked: 1, ..once() },
            Seen { plain: true, ..once() },
            Seen { fallback: 1, ..once() },
            Seen { breakers: BTreeSet::from(["host outage".to_owned()]), ..once() },
            Seen { next: 0, ..once() },
            Seen { waited: true, ..once() },
            Seen { dropped: 1, ..once() },
        ];
        for seen in spoilt {
            assert!(!Must::Retry.differences(Channel::Chat, &seen).is_empty(), "{seen:?}");
        }
    }

    #[test]
    fn a_copy_without_a_mark_is_no_copy_that_was_allowed() {
        let twice = Seen { first: "unsure".into(), copies: 2, marked: 1, ..once() };
        assert!(Must::UnsureTwice.differences(Channel::Webhook, &twice).is_empty());
        for seen in [Seen { marked: 0, ..twice.clone() }, Seen { first_marked: true, ..twice.clone() }] {
            assert!(!Must::UnsureTwice.differences(Channel::Webhook, &seen).is_empty(), "{seen:?}");
        }
        assert!(!Must::UnsureTwice.differences(Channel::App, &twice).is_empty(), "an app has a duplicate check");
    }
}
