//! Faults of wegraf itself: what each is about, and those that no table shows.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::alert::Timestamp;
use crate::names::{LaneKey, Scope};

/// A dead message or a refused body is a fault for this long.
const INCIDENT_MS: i64 = 15 * 60_000;
/// Distinct incidents that are remembered; more would be the same fault.
const INCIDENTS: usize = 100;

/// The subject of a fault. Ways that depend on it are not used to report it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// wegraf as a whole.
    Nothing,
    /// The scope of a breaker.
    Scope(Scope),
    /// A lane.
    Lane(LaneKey),
    /// Outside of all ways to people: a source, a caller. By its display name.
    Outside(String),
}

/// A fault. Equal `kind` and `subject` are the same fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// The kind of fault.
    pub kind: Kind,
    /// The subject of the fault.
    pub subject: Subject,
    /// The fault and its remedy, in Chinese and English.
    pub detail: [String; 2],
}

/// The kinds of trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A breaker is open.
    Blocked,
    /// A message became dead and no fallback was told.
    Lost,
    /// A recipient was not reached and no fallback was told.
    Missed,
    /// A source's always-firing alert is absent.
    Silent,
    /// Requests are refused repeatedly: a source sends what can never be accepted, or a caller is not authorised.
    Refused,
    /// The record contradicts itself.
    Imbalance,
    /// The new configuration is wrong; the old one is in force.
    Reload,
    /// WeCom restricts an app, or is about to.
    Restricted,
    /// The disk of the store is full, or will be.
    Disk,
    /// A message waits in its lane for too long.
    Stuck,
    /// The certificate of `listen_tls` expires soon.
    Certificate,
}

impl Kind {
    /// The name in labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::Lost => "lost",
            Self::Missed => "missed",
            Self::Silent => "silent",
            Self::Refused => "refused",
            Self::Imbalance => "imbalance",
            Self::Reload => "reload",
            Self::Restricted => "restricted",
            Self::Disk => "disk",
            Self::Stuck => "stuck",
            Self::Certificate => "certificate",
        }
    }
}

/// When an incident last happened, and its detail.
type Incident = (Timestamp, [String; 2]);

/// Recent incidents that no table shows: kept in memory for a quarter of an hour.
#[derive(Debug, Default)]
pub struct Incidents(Mutex<BTreeMap<(Kind, Subject), Incident>>);

impl Incidents {
    /// Records an incident; `detail` says what happened and how to repair it, in Chinese and English.
    pub fn note(&self, kind: Kind, subject: Subject, detail: [String; 2], now: Timestamp) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (kind, subject);
        if known.len() < INCIDENTS || known.contains_key(&key) {
            known.insert(key, (now, detail));
        }
    }

    /// The incidents of the last quarter of an hour. An incident that was recorded after `now` was read, or before the
    /// clock was set back, is one of this moment.
    pub fn recent(&self, now: Timestamp) -> Vec<Trouble> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, (at, _)| {
            *at = now.min(*at);
            now.millis_since(*at) < INCIDENT_MS
        });
        let trouble = |((kind, subject), (_, detail)): (&(Kind, Subject), &Incident)| Trouble {
            kind: *kind,
            subject: subject.clone(),
            detail: detail.clone(),
        };
        known.iter().map(trouble).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    #[test]
    fn an_incident_is_trouble_for_a_quarter_of_an_hour() {
        let incidents = Incidents::default();
        incidents.note(Kind::Lost, Subject::Lane(LaneKey::stored("webhook/w")), ["坏了".into(), "broken".into()], NOW);
        assert_eq!(incidents.recent(NOW.plus_millis(60_000)).len(), 1);
        assert!(incidents.recent(NOW.plus_millis(INCIDENT_MS)).is_empty());
    }

    #[test]
    fn an_incident_that_was_recorded_after_the_time_of_a_look_was_read_is_kept() {
        let incidents = Incidents::default();
        incidents.note(Kind::Lost, Subject::Nothing, ["坏了".into(), "broken".into()], NOW);
        assert_eq!(incidents.recent(NOW.plus_millis(-3)).len(), 1);
        assert_eq!(incidents.recent(NOW.plus_millis(10_000)).len(), 1);
        // The clock was set back by an hour: the incident is not trouble for more than a quarter of an hour.
        assert_eq!(incidents.recent(NOW.plus_millis(-3_600_000)).len(), 1);
        assert!(incidents.recent(NOW.plus_millis(INCIDENT_MS - 3_600_000)).is_empty());
    }
}
