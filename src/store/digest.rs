//! The content of a digest: every alert that was folded into it, by its last state.

use std::cmp::Reverse;
use std::collections::{HashMap, VecDeque};

use serde::Serialize;

use crate::alert::{Labels, Status, Timestamp, severity};

/// Most alerts a digest names: no message can show more.
pub const ITEMS: usize = 200;
/// Most rules a digest lists.
pub const GROUPS: usize = 200;

/// The sums of a digest, and as much of it as a message can name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Digest {
    /// Alerts whose last folded transition says that they are on.
    pub firing: u64,
    /// Alerts whose last folded transition says that they are over.
    pub resolved: u64,
    /// Notices: they neither began nor ended.
    pub notices: u64,
    /// All folded transitions.
    pub transitions: u64,
    /// Of the firing alerts, the critical ones.
    pub critical: u64,
    /// When the first transition was accepted.
    pub from: Timestamp,
    /// When the last one was.
    pub to: Timestamp,
    /// Critical firing ones first, the oldest of them first; then the other firing ones, then the resolved ones and the
    /// notices, the newest first. At most 200.
    pub items: Vec<DigestItem>,
    /// By rule and severity, those with most firing alerts first. At most 200.
    pub groups: Vec<DigestGroup>,
    /// What is beyond these groups.
    pub other: DigestOther,
}

/// An alert in a digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DigestItem {
    /// Its row in the store.
    pub alert: i64,
    /// The rule's name.
    pub name: String,
    /// Its labels.
    pub labels: Labels,
    /// Is it sent before everything else?
    pub critical: bool,
    /// Its last state.
    pub status: Status,
    /// When it began.
    pub starts_at: Option<Timestamp>,
    /// When it ended.
    pub ends_at: Option<Timestamp>,
    /// Its transitions in the digest.
    pub changes: u64,
}

/// The place of an alert in a digest: what is on first, critical ones first, then by rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DigestKey {
    /// It is over, or a notice.
    pub over: bool,
    /// It is not critical.
    pub minor: bool,
    /// The rule's name.
    pub name: String,
    /// Its row in the store; 0 stands before all alerts of the rule.
    pub alert: i64,
}

impl DigestKey {
    /// That of `item`.
    pub fn of(item: &DigestItem) -> Self {
        let (over, minor) = (item.status != Status::Firing, !item.critical);
        Self { over, minor, name: item.name.clone(), alert: item.alert }
    }

    /// Before all others.
    pub const fn start() -> Self {
        Self { over: false, minor: false, name: String::new(), alert: 0 }
    }
}

/// The alerts of one rule and severity in a digest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DigestGroup {
    /// The rule's name.
    pub name: String,
    /// The label `severity`; empty if there is none.
    pub severity: String,
    /// Are they critical?
    pub critical: bool,
    /// Those that are on.
    pub firing: u64,
    /// Those that are over.
    pub resolved: u64,
}

/// The alerts of a digest whose groups are not listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DigestOther {
    /// How many groups.
    pub groups: u64,
    /// Alerts in them that are on.
    pub firing: u64,
    /// Alerts in them that are over.
    pub resolved: u64,
}

/// Builds a digest from its alerts, added in the order of their last transition.
#[derive(Debug, Default)]
pub(super) struct Gathering {
    digest: Digest,
    groups: HashMap<(String, String), DigestGroup>,
    /// Firing and critical, the oldest.
    critical: Vec<DigestItem>,
    /// Firing, the newest.
    firing: VecDeque<DigestItem>,
    /// Over, the newest.
    resolved: VecDeque<DigestItem>,
    /// Notices, the newest.
    notices: VecDeque<DigestItem>,
}

impl Digest {
    /// All alerts and notices.
    pub const fn all(&self) -> u64 {
        self.firing + self.resolved + self.notices
    }
}

impl Gathering {
    /// Adds one alert, whose folded transitions were accepted from `first` to `last`.
    pub fn add(&mut self, item: DigestItem, first: Timestamp, last: Timestamp) {
        let digest = &mut self.digest;
        let begun = digest.transitions > 0;
        digest.from = if begun { digest.from.min(first) } else { first };
        digest.to = digest.to.max(last);
        digest.transitions += item.changes;
        if item.status == Status::Notice {
            digest.notices += 1;
            newest(&mut self.notices, item);
            return;
        }
        let severity = severity(&item.labels);
        let group = self.groups.entry((item.name.clone(), severity.clone())).or_insert_with(|| DigestGroup {
            name: item.name.clone(),
            severity,
            critical: item.critical,
            ..DigestGroup::default()
        });
        match item.status {
            Status::Resolved | Status::Notice => {
                group.resolved += 1;
                digest.resolved += 1;
                newest(&mut self.resolved, item);
            }
            Status::Firing => {
                group.firing += 1;
                digest.firing += 1;
                if item.critical {
                    digest.critical += 1;
                    if self.critical.len() < ITEMS {
                        self.critical.push(item);
                    }
                } else {
                    newest(&mut self.firing, item);
                }
            }
        }
    }

    /// The digest of all that was added.
    pub fn finish(self) -> Digest {
        let mut digest = self.digest;
        let rest =
            self.firing.into_iter().rev().chain(self.resolved.into_iter().rev()).chain(self.notices.into_iter().rev());
        digest.items = self.critical.into_iter().chain(rest).take(ITEMS).collect();
        let mut groups: Vec<DigestGroup> = self.groups.into_values().collect();
        groups.sort_by(|a, b| {
            let rank = |group: &DigestGroup| (!group.critical, Reverse(group.firing), Reverse(group.resolved));
            rank(a).cmp(&rank(b)).then_with(|| (&a.name, &a.severity).cmp(&(&b.name, &b.severity)))
        });
        for group in groups.drain(GROUPS.min(groups.len())..) {
            digest.other.groups += 1;
            digest.other.firing += group.firing;
            digest.other.resolved += group.resolved;
        }
        digest.groups = groups;
        digest
    }
}

/// Labels as stored; empty if another version of wegraf stored them in another form.
pub(super) fn labels(json: &str) -> Labels {
    serde_json::from_str(json).unwrap_or_default()
}

/// Keeps only the newest items; items must come in order of age.
fn newest(items: &mut VecDeque<DigestItem>, item: DigestItem) {
    if items.len() == ITEMS {
        items.pop_front();
    }
    items.push_back(item);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(alert: i64, critical: bool, status: Status) -> DigestItem {
        let name = format!("rule {}", alert % 300);
        let labels = Labels::from([("severity".to_owned(), if critical { "critical" } else { "info" }.to_owned())]);
        DigestItem { alert, name, labels, critical, status, starts_at: None, ends_at: None, changes: 2 }
    }

    #[test]
    fn the_sums_are_exact_beyond_what_can_be_named() {
        let mut gathering = Gathering::default();
        for alert in 0..10_000 {
            let status = if alert % 5 == 0 { Status::Resolved } else { Status::Firing };
            gathering.add(item(alert, alert % 100 == 1, status), Timestamp(alert), Timestamp(alert + 7));
        }
        let digest = gathering.finish();
        assert_eq!((digest.firing, digest.resolved, digest.transitions), (8_000, 2_000, 20_000));
        assert_eq!((digest.critical, digest.from, digest.to), (100, Timestamp(0), Timestamp(10_006)));
        let in_groups: u64 = digest.groups.iter().map(|group| group.firing + group.resolved).sum();
        assert_eq!(in_groups + digest.other.firing + digest.other.resolved, 10_000);
        assert_eq!(digest.groups.len(), GROUPS);
        assert_eq!(digest.items.len(), ITEMS);
        assert!(digest.items[..100].iter().all(|item| item.critical));
        assert_eq!(digest.items[0].alert, 1, "the oldest critical one comes first");
        assert_eq!(digest.items[100].alert, 9_999, "then the newest of the others");
    }
}
