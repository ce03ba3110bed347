//! The upstream of the model. It knows nothing of the store.

use std::collections::HashMap;

use super::ALERTS;
use crate::alert::{Labels, Timestamp};
use crate::upstream::{Firing, Look, Matcher, Silence, SilenceState, Wanted};

/// Since when it is up: an upstream that has just started proves nothing by what it does not list.
const UP_MS: i64 = 24 * 3_600_000;

/// An Alertmanager. Its clock is right.
#[derive(Debug, Default)]
pub struct StandIn {
    pub silences: Vec<Silence>,
    /// When each alert began; `None`: it does not fire.
    pub firing: [Option<Timestamp>; ALERTS],
    pub inhibited: [bool; ALERTS],
    /// Since when each alert is suppressed without a break.
    pub suppressed_at: [Option<i64>; ALERTS],
    pub down: bool,
}

pub fn name(alert: usize) -> String {
    format!("alert-{alert}")
}

pub fn labels(alert: usize) -> Labels {
    Labels::from([("alertname".to_owned(), name(alert))])
}

impl StandIn {
    /// A new silence; returns its id.
    pub fn make(&mut self, matchers: Vec<Matcher>, ends_at: Timestamp, author: &str, comment: String) -> String {
        let id = format!("00000000-0000-4000-8000-{:012}", self.silences.len());
        self.silences.push(Silence {
            id: id.clone(),
            state: SilenceState::Active,
            matchers,
            starts_at: Timestamp(0),
            ends_at,
            author: author.to_owned(),
            comment,
        });
        id
    }

    pub fn make_wanted(&mut self, wanted: &Wanted) -> String {
        let comment = format!("{} ({})", wanted.comment, wanted.marker);
        self.make(wanted.matchers.clone(), wanted.ends_at, &wanted.author, comment)
    }

    /// Those with this marker that have not ended.
    pub fn marked(&self, marker: &str) -> Vec<Silence> {
        let tail = format!("({marker})");
        self.in_force().filter(|silence| silence.comment.ends_with(&tail)).cloned().collect()
    }

    pub fn in_force(&self) -> impl Iterator<Item = &Silence> {
        self.silences.iter().filter(|silence| silence.state != SilenceState::Expired)
    }

    pub fn get(&self, id: &str) -> Option<&Silence> {
        self.silences.iter().find(|silence| silence.id == id)
    }

    pub fn expire(&mut self, id: &str) -> bool {
        let found = self.silences.iter_mut().find(|silence| silence.id == id);
        let known = found.is_some();
        if let Some(silence) = found {
            silence.state = SilenceState::Expired;
        }
        known
    }

    /// Moves the end; one that has ended is made again. `None`: it is unknown.
    pub fn extend(&mut self, id: &str, until: Timestamp) -> Option<String> {
        let silence = self.silences.iter_mut().find(|silence| silence.id == id)?;
        if silence.state == SilenceState::Active {
            silence.ends_at = until;
            return Some(silence.id.clone());
        }
        let Silence { matchers, author, comment, .. } = silence.clone();
        Some(self.make(matchers, until, &author, comment))
    }

    /// Time has passed: silences end, and what is suppressed is known anew.
    pub fn pass(&mut self, real: i64) {
        for silence in &mut self.silences {
            if silence.ends_at.0 <= real {
                silence.state = SilenceState::Expired;
            }
        }
        for alert in 0..ALERTS {
            let suppressed = self.is_suppressed(alert);
            let since = &mut self.suppressed_at[alert];
            *since = suppressed.then(|| since.unwrap_or(real));
        }
    }

    pub fn is_suppressed(&self, alert: usize) -> bool {
        self.firing[alert].is_some() && (self.inhibited[alert] || self.silenced_by(alert).next().is_some())
    }

    fn silenced_by(&self, alert: usize) -> impl Iterator<Item = &Silence> {
        let name = name(alert);
        self.in_force().filter(move |silence| silence.matchers.iter().all(|matcher| matcher.value == name))
    }

    /// What it lists. `clock`: what wegraf takes for the present.
    pub fn look(&self, clock: Timestamp) -> Look {
        let on = (0..ALERTS).filter(|alert| self.firing[*alert].is_some());
        let firing = |alert: usize| Firing {
            labels: labels(alert),
            starts_at: self.firing[alert],
            fingerprint: name(alert),
            state: if self.is_suppressed(alert) { "suppressed" } else { "active" }.to_owned(),
            silenced_by: self.silenced_by(alert).map(|silence| silence.id.clone()).collect(),
            inhibited_by: self.inhibited[alert].then(|| "another".to_owned()).into_iter().collect(),
        };
        let silences = self.in_force().map(|silence| (silence.id.clone(), silence.clone()));
        Look {
            alerts: on.map(firing).collect(),
            groups: Vec::new(),
            silences: silences.collect(),
            inhibitors: HashMap::new(),
            up_since: Some(clock.plus_millis(-UP_MS)),
        }
    }
}
