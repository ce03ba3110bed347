//! What upstreams say of firing alerts, and until when pushed alerts count as firing, as stored.

use super::{ActAlert, Store, StoreError};
use crate::alert::{ThreadId, Timestamp};
use crate::names::SourceId;

/// What its upstream last said of a firing alert, for one of its receivers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Truth {
    /// The alert's row.
    pub alert: i64,
    /// The episode it is about.
    pub thread: ThreadId,
    /// Name of the upstream; empty if none is known.
    pub upstream: String,
    /// The state, as JSON.
    pub state_json: String,
    /// When it was read.
    pub seen_at: Timestamp,
    /// When the alert was last listed there.
    pub listed_at: Option<Timestamp>,
    /// Since when it has been absent from all peers, without a break.
    pub absent_at: Option<Timestamp>,
}

/// A firing alert whose upstream is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Followed {
    /// The alert.
    pub alert: ActAlert,
    /// When its last transition was told.
    pub told_at: Timestamp,
    /// The step of its escalation that waits; `None` if none does.
    pub step: Option<u32>,
    /// What was read last in this episode.
    pub truth: Option<Truth>,
}

/// A source with pushed alerts that lapse unless they are pushed again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lapsing {
    /// The source.
    pub source: SourceId,
    /// When the last of them lapses.
    pub latest: Timestamp,
    /// How many alerts, each once.
    pub alerts: i64,
}

impl Store {
    /// The rows of the firing alerts of all sources but wegraf itself, for each receiver; those with a waiting step of an
    /// escalation come first. Only their ids, so that many are few bytes: [`Store::followed`] reads them in parts.
    pub async fn firing_rows(&self) -> Result<Vec<i64>, StoreError> {
        match self {
            Self::Sqlite(db) => db.firing_rows().await,
            Self::Postgres(db) => db.firing_rows().await,
        }
    }

    /// Those of these rows that [`Store::firing_rows`] would name now, in its order.
    pub async fn followed(&self, alerts: Vec<i64>) -> Result<Vec<Followed>, StoreError> {
        match self {
            Self::Sqlite(db) => db.followed(alerts).await,
            Self::Postgres(db) => db.followed(alerts).await,
        }
    }

    /// Records what upstreams said; of an alert's row the newest is kept. `now` is asked once the rows are locked: no
    /// pause of this process lies between the comparison and the commit unnoticed.
    pub async fn note_truths(
        &self,
        truths: Vec<Truth>,
        now: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(db) => db.note_truths(truths, now).await,
            Self::Postgres(db) => db.note_truths(truths, now).await,
        }
    }

    /// Moves the waiting step of an escalation: it counts from `fired_at` and is due at `due_at`. No effect if it is not
    /// at `step`, or the alert is no longer firing.
    pub async fn delay_escalation(
        &self,
        alert: i64,
        step: u32,
        fired_at: Timestamp,
        due_at: Timestamp,
    ) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(db) => db.delay_escalation(alert, step, fired_at, due_at).await,
            Self::Postgres(db) => db.delay_escalation(alert, step, fired_at, due_at).await,
        }
    }

    /// The sources with firing alerts that lapse, by name.
    pub async fn lapsing(&self) -> Result<Vec<Lapsing>, StoreError> {
        match self {
            Self::Sqlite(db) => db.lapsing().await,
            Self::Postgres(db) => db.lapsing().await,
        }
    }

    /// The firing alerts of a source that lapsed before `before`, for each receiver; those that lapsed first come first.
    pub async fn lapsed(&self, source: SourceId, before: Timestamp, limit: u32) -> Result<Vec<ActAlert>, StoreError> {
        match self {
            Self::Sqlite(db) => db.lapsed(source, before, limit).await,
            Self::Postgres(db) => db.lapsed(source, before, limit).await,
        }
    }
}
