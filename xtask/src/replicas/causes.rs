//! The causes of copies on channels where WeCom does not hide them. Pure.
//!
//! A copy may follow an attempt with an unknown result: WeCom gave no trustworthy answer, or the sender never recorded
//! it. The latter needs a disturbance of the sender or its database at that moment, and one disturbance explains at
//! most one copy in a lane, which has one message in flight.

use std::collections::{BTreeMap, HashSet};

use super::disturbance::{Event, What};
use crate::ledger::Record;

/// Longest time of an attempt from its claim to its record, in milliseconds: the deadline of a send with the shortest
/// lease, plus the delays of a busy machine. A disturbance within it may prevent the record.
const ATTEMPT_MS: i64 = 4000;
/// A claim may be dated this much after a disturbance was recorded here.
const NOTED_MS: i64 = 300;

/// The number of copies by cause.
#[derive(Debug, Default)]
pub struct Causes {
    /// From a pause of the sender.
    pub pause: usize,
    /// From a kill of the sender.
    pub kill: usize,
    /// From a disturbance of the database.
    pub database: usize,
    /// From an untrustworthy answer of WeCom.
    pub answer: usize,
    /// Without a cause: each breaks the promise.
    pub nothing: Vec<String>,
}

impl Event {
    /// May it have kept an attempt that was claimed at `at` from being recorded?
    fn may_have_cut_off(&self, at: i64) -> bool {
        let until = match self.what {
            // A paused replica starts nothing.
            What::Pause { .. } | What::Kill { .. } => self.from,
            What::Shock(_) => self.until,
        };
        (self.from - ATTEMPT_MS..=until + NOTED_MS).contains(&at)
    }
}

/// Explains the copies (by message, without those that WeCom hides) by the disturbances.
pub(super) fn explain(record: &Record, copied: &BTreeMap<i64, usize>, events: &[Event]) -> Causes {
    let mut causes = Causes::default();
    let mut spent: HashSet<(usize, &str)> = HashSet::new();
    for (id, copies) in copied {
        let Some(message) = record.messages.get(id) else { continue };
        let mut found: Vec<usize> = Vec::new();
        for at in &message.unrecorded {
            let free = |&(number, event): &(usize, &Event)| {
                event.may_have_cut_off(*at) && !spent.contains(&(number, message.lane.as_str()))
            };
            // Pauses last: they have a bound of their own.
            let event = events.iter().enumerate().filter(free).min_by_key(|(_, event)| pause(event));
            if let Some((number, _)) = event {
                spent.insert((number, &message.lane));
                found.push(number);
            }
        }
        found.sort_by_key(|number| pause(&events[*number]));
        let answers = message.unsure.saturating_sub(message.unrecorded.len());
        for copy in 0..*copies {
            match found.get(copy).map(|number| events[*number].what) {
                Some(What::Pause { .. }) => causes.pause += 1,
                Some(What::Kill { .. }) => causes.kill += 1,
                Some(What::Shock(_)) => causes.database += 1,
                None if copy < found.len() + answers => causes.answer += 1,
                None => causes.nothing.push(format!("{}: copy {} of message {id}", message.lane, copy + 1)),
            }
        }
    }
    causes
}

fn pause(event: &Event) -> bool {
    matches!(event.what, What::Pause { .. })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::disturbance::Shock;
    use super::*;
    use crate::ledger::record::Message;

    const PAUSE: Event =
        Event { what: What::Pause { replica: 0, length: Duration::from_secs(6) }, from: 10_000, until: 16_000 };
    const SHOCK: Event = Event { what: What::Shock(Shock::Fast), from: 10_000, until: 12_000 };

    /// Messages of one lane, each with unrecorded attempts, one with an odd answer, and copies.
    fn causes(messages: &[(&[i64], usize, usize)], events: &[Event]) -> Causes {
        let mut record = Record::default();
        let mut copied = BTreeMap::new();
        for (id, (unrecorded, odd, copies)) in (1..).zip(messages) {
            let unsure = unrecorded.len() + odd;
            let message =
                Message { lane: "lane".to_owned(), unsure, unrecorded: unrecorded.to_vec(), ..Message::default() };
            record.messages.insert(id, message);
            copied.insert(id, *copies);
        }
        explain(&record, &copied, events)
    }

    #[test]
    fn an_attempt_that_a_pause_cut_off_explains_one_copy() {
        let causes = causes(&[(&[9_900], 0, 1)], &[PAUSE]);
        assert_eq!((causes.pause, causes.nothing.len()), (1, 0));
    }

    #[test]
    fn a_pause_costs_a_lane_no_second_copy() {
        assert_eq!(causes(&[(&[9_900], 0, 1), (&[9_950], 0, 1)], &[PAUSE]).nothing.len(), 1);
        assert_eq!(causes(&[(&[9_900], 0, 1), (&[9_950], 0, 1)], &[PAUSE, PAUSE]).nothing.len(), 0);
        assert_eq!(causes(&[(&[9_900], 0, 2)], &[PAUSE]).nothing.len(), 1);
    }

    #[test]
    fn claims_long_before_or_during_a_pause_have_another_cause() {
        for at in [1_000, 13_000] {
            assert_eq!(causes(&[(&[at], 0, 1)], &[PAUSE]).nothing.len(), 1, "{at}");
        }
        assert_eq!(causes(&[(&[11_900], 0, 1)], &[PAUSE, SHOCK]).database, 1, "others claim while the database goes");
    }

    #[test]
    fn an_odd_answer_of_wecom_explains_a_copy_and_nothing_explains_none() {
        assert_eq!(causes(&[(&[], 1, 1)], &[]).answer, 1);
        assert_eq!(causes(&[(&[], 0, 1)], &[]).nothing.len(), 1);
        assert_eq!(causes(&[(&[9_900], 1, 2)], &[PAUSE]).answer, 1);
    }
}
