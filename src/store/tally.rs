//! What happened in a span of time, counted by the hour: the figures behind reports.

use super::{Store, StoreError};
use crate::alert::Timestamp;

/// Rows of one kind that are read; beyond that a report says that it is not whole.
pub(super) const ROWS: usize = 50_000;
/// The longest span of a report.
pub const LONGEST_MS: i64 = 92 * 24 * 3_600_000;

/// Which span, and of whom.
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
}

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
}

/// An alert that a person took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Its rule.
    pub rule: String,
    /// The receiver that was told of it.
    pub receiver: String,
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
    /// By receiver and hour.
    pub sent: Vec<SentHour>,
    /// In order.
    pub taken: Vec<Taken>,
    /// By rule and receiver.
    pub needless: Vec<NeedlessRule>,
}

impl Tally {
    /// Was there more than is read?
    pub fn is_cut(&self) -> bool {
        [self.rules.len(), self.sent.len(), self.taken.len(), self.needless.len()].iter().any(|rows| *rows >= ROWS)
    }
}

impl Store {
    /// The figures of a span of at most 92 days. O(transitions and messages of the span).
    pub async fn tally(&self, filter: TallyFilter) -> Result<Tally, StoreError> {
        match self {
            Self::Sqlite(db) => db.tally(filter).await,
            Self::Postgres(db) => db.tally(filter).await,
        }
    }
}
