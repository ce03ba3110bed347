//! Alerts and incidents as lists. An incident is what has a short id: the alerts of one episode.

use super::{ActAlert, Store, StoreError};
use crate::alert::{ThreadId, Timestamp};

/// Alerts that are read for the incidents of one page, at most.
pub(super) const OF_PAGE: u32 = 5_000;
/// Alerts of one incident that are read.
pub(super) const OF_ONE: u32 = 1_000;

/// Which alerts, or incidents with such an alert; what is not set does not restrict.
#[derive(Debug, Clone, Default)]
pub struct AlertFilter {
    /// Firing, or over. An incident is over when none of its alerts is firing.
    pub firing: Option<bool>,
    /// Critical, or not.
    pub critical: Option<bool>,
    /// Known to this receiver.
    pub receiver: Option<String>,
    /// Known to one of these receivers.
    pub receivers: Option<Vec<String>>,
    /// From this source, by its name in the store.
    pub source: Option<String>,
    /// Acknowledged by this userid (any case).
    pub claimed_by: Option<String>,
    /// With all these labels.
    pub labels: Vec<(String, String)>,
    /// Each of these stands in the name, the labels, the receiver or the source (any case of ASCII letters).
    pub words: Vec<String>,
    /// Of these incidents; empty: of any.
    pub threads: Vec<ThreadId>,
    /// Incidents that began at this time or later.
    pub since: Option<Timestamp>,
    /// Incidents that began before this time.
    pub until: Option<Timestamp>,
    /// To continue a list: behind this alert, or this incident.
    pub before: Option<i64>,
    /// At most so many, and at most 1000; 0 means 100.
    pub limit: usize,
}

impl Store {
    /// Alerts, as each receiver knows them, the last that became known first.
    pub async fn alerts(&self, filter: AlertFilter) -> Result<Vec<ActAlert>, StoreError> {
        match self {
            Self::Sqlite(db) => db.alerts(filter).await,
            Self::Postgres(db) => db.alerts(filter).await,
        }
    }

    /// Incidents, the newest first, each with its alerts; at most 5,000 alerts in all. Each alert is in the last episode
    /// that its receiver knows.
    pub async fn incidents(&self, filter: AlertFilter) -> Result<Vec<Vec<ActAlert>>, StoreError> {
        let alerts = match self {
            Self::Sqlite(db) => db.incidents(filter).await,
            Self::Postgres(db) => db.incidents(filter).await,
        }?;
        Ok(grouped(alerts))
    }

    /// The alerts of an incident, as each receiver knows them; at most 1,000.
    pub async fn alerts_of(&self, thread: ThreadId) -> Result<Vec<ActAlert>, StoreError> {
        match self {
            Self::Sqlite(db) => db.alerts_of(thread).await,
            Self::Postgres(db) => db.alerts_of(thread).await,
        }
    }
}

/// Alerts in the order of their incidents, by incident.
fn grouped(alerts: Vec<ActAlert>) -> Vec<Vec<ActAlert>> {
    let mut incidents: Vec<Vec<ActAlert>> = Vec::new();
    for alert in alerts {
        match incidents.last_mut() {
            Some(known) if known[0].thread == alert.thread => known.push(alert),
            _ => incidents.push(vec![alert]),
        }
    }
    incidents
}
