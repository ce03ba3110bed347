//! The rows of the record, added up by the hour. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::{ANSWER_MS, LengthHour, RuleHour, SentHour, Taken};
use crate::alert::{Timestamp, TransitionKind};
use crate::engine::outbox::State;

/// An alert that was on for less than this was on only briefly.
const BRIEF_MS: i64 = 5 * 60_000;
/// A message that was sent so long after it was queued is late.
const LATE_MS: i64 = 60_000;
const HOUR_MS: i64 = 3_600_000;

/// Up to which rows the record was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counted {
    /// The last transition.
    pub transition: i64,
    /// The last message.
    pub message: i64,
    /// The last act.
    pub act: i64,
}

/// A change of an alert. Copies of messages, which repeat changes, are not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeRow {
    /// Its number.
    pub id: i64,
    /// The alert, at one receiver.
    pub alert: i64,
    /// The notification that brought it.
    pub notification: i64,
    /// What happened.
    pub kind: TransitionKind,
    /// It is in a message that is a copy of another.
    pub copied: bool,
    /// When it was accepted.
    pub at: Timestamp,
    /// When the alert began, as its sender says.
    pub starts_at: Option<Timestamp>,
    /// When it ended.
    pub ends_at: Option<Timestamp>,
    /// Its rule.
    pub rule: String,
    /// Its receiver.
    pub receiver: String,
    /// Where it came from.
    pub source: String,
    /// It is the end of a critical alert that nobody acknowledged or silenced.
    pub unanswered: bool,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageRow {
    /// Its number.
    pub id: i64,
    /// Its receiver.
    pub receiver: String,
    /// When it was queued.
    pub created_at: Timestamp,
    /// Where it is.
    pub state: State,
    /// When it was settled.
    pub settled_at: Option<Timestamp>,
}

/// An alert that a person acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenRow {
    /// The act.
    pub act: i64,
    /// The alert.
    pub alert: i64,
    /// What is counted of it.
    pub taken: Taken,
}

/// What was read of the record behind `before`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// Up to which rows it was counted before.
    pub before: Counted,
    /// Changes, in order.
    pub changes: Vec<ChangeRow>,
    /// Messages that are new, in order.
    pub messages: Vec<MessageRow>,
    /// Messages that were passed as live, and are settled.
    pub settled: Vec<MessageRow>,
    /// The last act that was looked at.
    pub act: i64,
    /// Alerts that were acknowledged by acts behind `before`.
    pub taken: Vec<TakenRow>,
}

/// The sums of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sums {
    /// By hour, rule, receiver and source.
    pub rules: Vec<RuleHour>,
    /// By hour, rule, receiver and step.
    pub lengths: Vec<LengthHour>,
    /// By hour and receiver.
    pub sent: Vec<SentHour>,
    /// Alerts that were acknowledged.
    pub taken: Vec<TakenRow>,
    /// Messages that are live.
    pub live: Vec<i64>,
    /// Messages that were passed as live before, and are settled.
    pub settled: Vec<i64>,
    /// Up to which rows the record is counted with these.
    pub upto: Counted,
}

impl Batch {
    /// Leaves out the changes of the last notification, of which the rest may be behind the batch. `None`: all are of
    /// one, and more must be read.
    pub fn whole(mut self) -> Option<Self> {
        let last = self.changes.last()?.notification;
        self.changes.retain(|change| change.notification != last);
        (!self.changes.is_empty()).then_some(self)
    }

    /// Its sums.
    pub fn sums(self) -> Sums {
        let upto = Counted {
            transition: self.changes.last().map_or(self.before.transition, |change| change.id),
            message: self.messages.last().map_or(self.before.message, |message| message.id),
            act: self.act.max(self.before.act),
        };
        let (rules, lengths) = changed(&self.changes);
        let is_live = |message: &&MessageRow| message.settled_at.is_none();
        Sums {
            rules,
            lengths,
            sent: became(self.messages.iter().chain(&self.settled)),
            taken: self.taken,
            live: self.messages.iter().filter(is_live).map(|message| message.id).collect(),
            settled: self.settled.iter().map(|message| message.id).collect(),
            upto,
        }
    }
}

impl Sums {
    /// There is nothing to write.
    pub fn is_empty(&self, before: Counted) -> bool {
        self.upto == before && self.settled.is_empty()
    }
}

/// The step of a length of time: four for each power of two, so that it is known to a tenth.
pub fn step(length_ms: i64) -> i64 {
    let seconds = u64::try_from(length_ms / 1_000).unwrap_or(0).max(4);
    let power = seconds.ilog2();
    i64::from(power) * 4 + i64::try_from((seconds >> (power - 2)) & 3).unwrap_or(0)
}

/// The middle of a step, in seconds.
pub fn seconds(step: i64) -> u64 {
    let (power, quarter) = (step.div_euclid(4).clamp(2, 60), step.rem_euclid(4));
    let low = (4 + quarter.unsigned_abs()) << (power - 2);
    low + (1 << (power - 2)) / 2
}

/// The beginning of the hour.
pub fn hour(at: Timestamp) -> Timestamp {
    Timestamp(at.0 - at.0.rem_euclid(HOUR_MS))
}

/// An hour, a rule, a receiver and a source.
type Key<'c> = (Timestamp, &'c str, &'c str, &'c str);

/// What counts of changes: each alert once for each notification, however many targets were told. Reminders count nothing.
fn changed(changes: &[ChangeRow]) -> (Vec<RuleHour>, Vec<LengthHour>) {
    let mut seen = BTreeSet::new();
    let mut rules: BTreeMap<Key<'_>, [u64; 4]> = BTreeMap::new();
    let mut lengths: BTreeMap<(Timestamp, &str, &str, i64), u64> = BTreeMap::new();
    for change in changes.iter().filter(|change| !change.copied) {
        let fired = change.kind == TransitionKind::Firing;
        if !fired && change.kind != TransitionKind::Resolved || !seen.insert((change.alert, change.notification, fired))
        {
            continue;
        }
        let hour = hour(change.at);
        let sums = rules.entry((hour, &change.rule, &change.receiver, &change.source)).or_default();
        sums[usize::from(!fired)] += 1;
        if let (false, Some(began), Some(ended)) = (fired, change.starts_at, change.ends_at) {
            let length = ended.millis_since(began).max(0);
            sums[2] += u64::from(length < BRIEF_MS);
            sums[3] += u64::from(change.unanswered && length > ANSWER_MS);
            *lengths.entry((hour, &change.rule, &change.receiver, step(length))).or_default() += 1;
        }
    }
    let rule = |((hour, rule, receiver, source), [fired, ended, brief, unanswered]): (Key<'_>, [u64; 4])| RuleHour {
        rule: rule.to_owned(),
        receiver: receiver.to_owned(),
        source: source.to_owned(),
        hour,
        fired,
        ended,
        brief,
        unanswered,
    };
    let length = |((hour, rule, receiver, step), ended): ((_, &str, &str, i64), u64)| LengthHour {
        rule: rule.to_owned(),
        receiver: receiver.to_owned(),
        hour,
        step,
        ended,
    };
    (rules.into_iter().map(rule).collect(), lengths.into_iter().map(length).collect())
}

/// What became of messages that are settled.
fn became<'r>(messages: impl Iterator<Item = &'r MessageRow>) -> Vec<SentHour> {
    let mut sums: BTreeMap<(Timestamp, &str), [u64; 4]> = BTreeMap::new();
    for message in messages {
        let Some(settled) = message.settled_at else { continue };
        let hours = sums.entry((hour(message.created_at), &message.receiver)).or_default();
        match message.state {
            State::Sent => {
                hours[0] += 1;
                hours[3] += u64::from(settled.millis_since(message.created_at) > LATE_MS);
            }
            State::Dead => hours[1] += 1,
            State::Folded => hours[2] += 1,
            State::Queued | State::Sending | State::Unsure => {}
        }
    }
    let row = |((hour, receiver), [sent, dead, folded, late]): ((_, &str), [u64; 4])| SentHour {
        receiver: receiver.to_owned(),
        hour,
        sent,
        dead,
        folded,
        late,
    };
    sums.into_iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Timestamp = Timestamp(1_795_363_200_000);

    fn at(minutes: i64) -> Timestamp {
        T0.plus_millis(minutes * 60_000)
    }

    fn change(id: i64, alert: i64, notification: i64, kind: TransitionKind, minute: i64) -> ChangeRow {
        ChangeRow {
            id,
            alert,
            notification,
            kind,
            copied: false,
            at: at(minute),
            starts_at: Some(at(0)),
            ends_at: (kind == TransitionKind::Resolved).then(|| at(minute)),
            rule: "磁盘".to_owned(),
            receiver: "ops".to_owned(),
            source: "am".to_owned(),
            unanswered: false,
        }
    }

    #[test]
    fn an_alert_counts_once_for_each_notification_and_copies_count_nothing() {
        use TransitionKind::{Firing, Reminder, Resolved};
        let changes = vec![
            change(1, 1, 1, Firing, 0),
            // For a second target.
            change(2, 1, 1, Firing, 0),
            change(3, 2, 1, Firing, 0),
            change(4, 1, 2, Reminder, 3),
            ChangeRow { copied: true, ..change(5, 1, 1, Firing, 5) },
            change(6, 1, 3, Resolved, 4),
            change(7, 2, 4, Resolved, 70),
        ];
        let sums = Batch { changes, ..Batch::default() }.sums();
        let rules: Vec<_> = sums.rules.iter().map(|hour| (hour.hour, hour.fired, hour.ended, hour.brief)).collect();
        assert_eq!(rules, [(at(0), 2, 1, 1), (at(60), 0, 1, 0)]);
        assert_eq!(
            sums.lengths.iter().map(|one| (one.step, one.ended)).collect::<Vec<_>>(),
            [(step(240_000), 1), (step(4_200_000), 1)]
        );
        assert_eq!(sums.upto.transition, 7);
    }

    #[test]
    fn a_notification_that_may_go_on_is_left_for_the_next_batch() {
        let all = |notifications: &[i64]| {
            let changes = (0_i64..).zip(notifications);
            let row = |(id, of): (i64, &i64)| change(id + 1, id, *of, TransitionKind::Firing, 0);
            Batch { changes: changes.map(row).collect(), ..Batch::default() }
        };
        let cut = all(&[1, 1, 2, 2]).whole().unwrap();
        assert_eq!((cut.changes.len(), cut.sums().upto.transition), (2, 2));
        assert_eq!((all(&[3, 3]).whole(), all(&[]).whole()), (None, None));
    }

    #[test]
    fn messages_count_when_they_are_settled_in_the_hour_they_were_queued() {
        let message = |id, state: State, minutes: Option<i64>| MessageRow {
            id,
            receiver: "ops".to_owned(),
            created_at: at(10),
            state,
            settled_at: minutes.map(at),
        };
        let messages =
            vec![message(1, State::Sent, Some(10)), message(2, State::Queued, None), message(3, State::Dead, Some(90))];
        let settled = vec![message(0, State::Sent, Some(80)), message(-1, State::Folded, Some(11))];
        let sums = Batch { messages, settled, ..Batch::default() }.sums();
        let row = SentHour { receiver: "ops".to_owned(), hour: at(0), sent: 2, dead: 1, folded: 1, late: 1 };
        assert_eq!((sums.sent, sums.live, sums.settled, sums.upto.message), (vec![row], vec![2], vec![0, -1], 3));
    }

    #[test]
    fn a_step_tells_a_length_to_an_eighth() {
        for length in [4_u64, 5, 7, 8, 59, 60, 61, 300, 3_600, 86_400, 40_000_000] {
            let told = seconds(step(i64::try_from(length).unwrap() * 1_000));
            assert!(told.abs_diff(length) * 8 <= length.max(8), "{length} {told}");
        }
        assert!(step(0) == step(4_000) && step(-5) == step(0) && step(i64::MAX) > step(1_000));
    }
}
