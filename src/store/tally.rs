//! What happened in a span of time, counted by the hour: the figures behind reports.
//!
//! A job counts each row of the record once ([`Store::count`]) into small tables that outlive it. A report adds what came
//! since, so that it is as new as the record and reads little of it.

mod statements;
mod sums;

use std::collections::BTreeMap;

use super::{Store, StoreError};
use crate::alert::Timestamp;
pub(super) use statements::{
    COUNTED, ROWS, changes, last_act, lengths, messages, needless, rule_hours, sent_hours, settled, taken, taken_in,
    waiting,
};
pub(super) use sums::{Batch, ChangeRow, MessageRow, Sums, TakenRow};
pub use sums::{Counted, seconds};

/// Rows of a kind that the job counts at a time.
const BATCH: u32 = 5_000;
/// Rows of a kind that the job reads at most, because they came together: a notification of 20,000 alerts for ten targets.
const LARGEST: u32 = 400_000;
/// Rows of a kind that a report adds to what was counted.
const TAIL: u32 = 20_000;
/// How long sums are kept: 13 months.
const KEPT_MS: i64 = 396 * 24 * 3_600_000;
const HOUR_MS: i64 = 3_600_000;
/// The longest span of a report.
pub const LONGEST_MS: i64 = 92 * 24 * 3_600_000;

/// Which span, and of whom. Whole hours (UTC) are counted: an hour that the span touches is in it.
#[derive(Debug, Clone, Default)]
pub struct TallyFilter {
    /// From this time on.
    pub since: Timestamp,
    /// Before this time.
    pub until: Timestamp,
    /// Of this receiver.
    pub receiver: Option<String>,
    /// Of one of these receivers.
    pub receivers: Option<Vec<String>>,
    /// The time of reading, by which alerts are still on for so long.
    pub now: Timestamp,
}

/// An alert that is critical and on for longer than this wants an answer.
pub const ANSWER_MS: i64 = 15 * 60_000;

/// How often the alerts of a rule began and ended in an hour, for one receiver. Reminders and copies for further targets
/// are not counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleHour {
    /// The rule.
    pub rule: String,
    /// The receiver.
    pub receiver: String,
    /// Where the alerts came from.
    pub source: String,
    /// The beginning of the hour (UTC).
    pub hour: Timestamp,
    /// Alerts that began.
    pub fired: u64,
    /// Alerts that ended.
    pub ended: u64,
    /// Of these, the ones that were on for less than 5 minutes.
    pub brief: u64,
    /// Of the critical ones that ended, those that were on for more than 15 minutes and that nobody acknowledged or silenced.
    pub unanswered: u64,
}

/// Critical alerts of a rule that are still on, have been for more than 15 minutes, and have no owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingRule {
    /// The rule.
    pub rule: String,
    /// The receiver that was told.
    pub receiver: String,
    /// How many of its alerts.
    pub count: u64,
}

/// How many alerts of a rule that ended in an hour were on for so long, as one receiver was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LengthHour {
    /// The rule.
    pub rule: String,
    /// The receiver.
    pub receiver: String,
    /// The beginning of the hour (UTC).
    pub hour: Timestamp,
    /// How long: see [`seconds`].
    pub step: i64,
    /// How many.
    pub ended: u64,
}

/// What became of the messages of a receiver that were queued in an hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentHour {
    /// The receiver.
    pub receiver: String,
    /// The beginning of the hour (UTC).
    pub hour: Timestamp,
    /// Sent.
    pub sent: u64,
    /// Refused for good.
    pub dead: u64,
    /// Told by a digest instead.
    pub folded: u64,
    /// Of those that were sent, the ones that waited for more than a minute.
    pub late: u64,
}

/// An alert that a person took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Its rule.
    pub rule: String,
    /// The receiver that was told of it.
    pub receiver: String,
    /// When it began, as its sender says.
    pub fired_at: Option<Timestamp>,
    /// When the first message about it was accepted; `None`: none was.
    pub told_at: Option<Timestamp>,
    /// When the person took it.
    pub at: Timestamp,
}

/// How often people said of episodes of a rule that they should not have been told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeedlessRule {
    /// The rule.
    pub rule: String,
    /// The receiver that was told.
    pub receiver: String,
    /// By each person once for each episode.
    pub count: u64,
}

/// The figures of a span.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// By rule, receiver, source and hour.
    pub rules: Vec<RuleHour>,
    /// By rule, receiver, hour and length.
    pub lengths: Vec<LengthHour>,
    /// By receiver and hour.
    pub sent: Vec<SentHour>,
    /// In order.
    pub taken: Vec<Taken>,
    /// By rule and receiver.
    pub needless: Vec<NeedlessRule>,
    /// By rule and receiver.
    pub waiting: Vec<WaitingRule>,
    /// There was more than is read.
    pub cut: bool,
}

impl Tally {
    /// Was there more than is read?
    pub fn is_cut(&self) -> bool {
        let lists = [self.rules.len(), self.lengths.len(), self.sent.len(), self.taken.len(), self.needless.len()];
        self.cut || lists.iter().any(|rows| *rows >= ROWS)
    }

    /// With what was not counted yet.
    fn with(mut self, tail: Sums, filter: &TallyFilter) -> Self {
        let wanted = |receiver: &str, at: Timestamp| {
            filter.since <= at
                && at < filter.until
                && filter.receiver.as_ref().is_none_or(|wanted| wanted == receiver)
                && filter.receivers.as_ref().is_none_or(|wanted| wanted.iter().any(|one| one == receiver))
        };
        let mut rules: BTreeMap<_, RuleHour> = BTreeMap::new();
        let new = tail.rules.into_iter().filter(|row| wanted(&row.receiver, row.hour));
        for row in self.rules.into_iter().chain(new) {
            let key = (row.hour, row.rule.clone(), row.receiver.clone(), row.source.clone());
            let RuleHour { fired, ended, brief, unanswered, .. } = row;
            let sum = rules.entry(key).or_insert(RuleHour { fired: 0, ended: 0, brief: 0, unanswered: 0, ..row });
            (sum.fired, sum.ended, sum.brief) = (sum.fired + fired, sum.ended + ended, sum.brief + brief);
            sum.unanswered += unanswered;
        }
        let mut sent: BTreeMap<_, SentHour> = BTreeMap::new();
        let new = tail.sent.into_iter().filter(|row| wanted(&row.receiver, row.hour));
        for row in self.sent.into_iter().chain(new) {
            let SentHour { sent: was_sent, dead, folded, late, .. } = row;
            let key = (row.hour, row.receiver.clone());
            let sum = sent.entry(key).or_insert(SentHour { sent: 0, dead: 0, folded: 0, late: 0, ..row });
            (sum.sent, sum.dead) = (sum.sent + was_sent, sum.dead + dead);
            (sum.folded, sum.late) = (sum.folded + folded, sum.late + late);
        }
        self.lengths.extend(tail.lengths.into_iter().filter(|row| wanted(&row.receiver, row.hour)));
        let taken = tail.taken.into_iter().map(|row| row.taken);
        self.taken.extend(taken.filter(|row| wanted(&row.receiver, row.at)));
        Self { rules: rules.into_values().collect(), sent: sent.into_values().collect(), ..self }
    }
}

impl TallyFilter {
    /// In whole hours.
    fn in_hours(self) -> Self {
        let until = sums::hour(self.until.plus_millis(HOUR_MS - 1));
        Self { since: sums::hour(self.since), until, ..self }
    }
}

impl Store {
    /// The figures of a span of at most 92 days. O(hours × rules of the span + rows that were not counted yet).
    pub async fn tally(&self, filter: TallyFilter) -> Result<Tally, StoreError> {
        let filter = filter.in_hours();
        loop {
            let (tally, batch) = match self {
                Self::Sqlite(db) => db.tallied(filter.clone(), TAIL).await,
                Self::Postgres(db) => db.tallied(filter.clone(), TAIL).await,
            }?;
            // What was counted while it was read would be counted twice, or not at all.
            if self.counted().await? == batch.before {
                let cut = batch.changes.len().max(batch.messages.len()) >= TAIL as usize;
                return Ok(Tally { cut, ..tally.with(batch.sums(), &filter) });
            }
        }
    }

    /// Counts a part of what was added to the record; `true`: there is more. Sums of more than
    /// 13 months ago are deleted. Reads apart from the writer; one short write.
    pub async fn count(&self, now: Timestamp) -> Result<bool, StoreError> {
        let mut limit = BATCH;
        loop {
            let batch = match self {
                Self::Sqlite(db) => db.batch(limit).await,
                Self::Postgres(db) => db.batch(limit).await,
            }?;
            let full = |rows: usize| rows >= limit as usize;
            let more = full(batch.changes.len()) || full(batch.messages.len()) || full(batch.settled.len());
            let (before, cut) = (batch.before, full(batch.changes.len()) && limit < LARGEST);
            let whole = if cut { batch.whole() } else { Some(batch) };
            let Some(whole) = whole else {
                limit = limit.saturating_mul(4);
                continue;
            };
            let sums = whole.sums();
            if sums.is_empty(before) {
                return Ok(false);
            }
            match self {
                Self::Sqlite(db) => db.add(sums, before, now.plus_millis(-KEPT_MS)).await,
                Self::Postgres(db) => db.add(sums, before, now.plus_millis(-KEPT_MS)).await,
            }?;
            return Ok(more);
        }
    }

    /// Up to which rows the record was counted.
    async fn counted(&self) -> Result<Counted, StoreError> {
        match self {
            Self::Sqlite(db) => db.counted().await,
            Self::Postgres(db) => db.counted().await,
        }
    }
}
