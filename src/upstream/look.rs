//! One look at an upstream: what it lists, in which state, and since when it is up.

use std::collections::{HashMap, HashSet};

use ecow::EcoString;

use super::{Firing, Silence, is_marked};
use crate::alert::{Labels, Timestamp};
use crate::engine::truth::{Said, State};

/// The first version of Alertmanager whose groups tell what a time interval mutes.
const TELLS_MUTES: (u32, u32) = (0, 28);

/// What one peer listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Look {
    /// The firing alerts that were asked for, and with them others.
    pub alerts: Vec<Firing>,
    /// Groups, with what mutes their alerts; empty where the peer cannot tell.
    pub groups: Vec<Group>,
    /// Silences that hide some of them, by id, as far as they were read.
    pub silences: HashMap<String, Silence>,
    /// The names of inhibiting alerts, by fingerprint.
    pub inhibitors: HashMap<String, String>,
    /// Since when it is up; `None` if it does not tell.
    pub up_since: Option<Timestamp>,
}

/// An alert in a group of an Alertmanager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The receiver of the group's route.
    pub receiver: String,
    /// The alert's labels.
    pub labels: Labels,
    /// The intervals that mute it there.
    pub muted_by: Vec<String>,
}

/// What an Alertmanager tells of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    pub version: String,
    /// Since when it is up.
    pub up_since: Timestamp,
    /// How many peers gossip with it, itself included.
    pub peers: usize,
}

impl About {
    /// Can it tell what a time interval mutes?
    pub fn tells_mutes(&self) -> bool {
        let mut parts = self.version.trim_start_matches('v').split(['.', '-', '+']).map(|part| part.parse().ok());
        match (parts.next().flatten(), parts.next().flatten()) {
            (Some(major), Some(minor)) => (major, minor) >= TELLS_MUTES,
            _ => false,
        }
    }
}

/// A look in which alerts are found by their labels, however many are listed.
#[derive(Debug)]
pub struct Index<'a> {
    look: &'a Look,
    /// For each label: the places of the alerts that have it.
    places: HashMap<(&'a str, &'a str), Vec<usize>>,
    /// The groups of each alert.
    groups: HashMap<&'a Labels, Vec<&'a Group>>,
}

impl Look {
    /// Makes its alerts findable.
    pub fn index(&self) -> Index<'_> {
        let mut places: HashMap<_, Vec<usize>> = HashMap::new();
        for (place, alert) in self.alerts.iter().enumerate() {
            for (name, value) in &alert.labels {
                places.entry((name.as_str(), value.as_str())).or_default().push(place);
            }
        }
        let mut groups: HashMap<_, Vec<&Group>> = HashMap::new();
        for group in &self.groups {
            groups.entry(&group.labels).or_default().push(group);
        }
        Index { look: self, places, groups }
    }
}

impl Index<'_> {
    /// What the peer says of the alert with these labels, which `receiver` (empty: any) told us. `ours`: ids of silences
    /// that were made through wegraf.
    pub fn said(&self, labels: &Labels, receiver: &str, ours: &HashSet<String>, now: Timestamp) -> Said {
        let Some(found) = self.find(labels) else {
            return Said::Absent { up_ms: self.look.up_since.map(|since| now.millis_since(since)) };
        };
        Said::Listed(self.state(found, receiver, ours))
    }

    /// The alert with these labels; else one with more of them: upstream may have labels that it does not send.
    fn find(&self, labels: &Labels) -> Option<&Firing> {
        let alerts = &self.look.alerts;
        // Those that have the rarest of the labels; all, if there are no labels.
        let candidates: Vec<&Firing> = if labels.is_empty() {
            alerts.iter().collect()
        } else {
            let places: Option<Vec<&Vec<usize>>> = labels.iter().map(|(name, value)| self.with(name, value)).collect();
            let rarest = places?.into_iter().min_by_key(|places| places.len())?;
            rarest.iter().map(|place| &alerts[*place]).collect()
        };
        let same = |alert: &&&Firing| public(&alert.labels).eq(labels.iter());
        let more = |alert: &&&Firing| labels.iter().all(|(name, value)| alert.labels.get(name) == Some(value));
        candidates.iter().find(same).or_else(|| candidates.iter().find(more)).copied()
    }

    /// The places of the alerts that have this label.
    fn with<'l>(&'l self, name: &'l str, value: &'l str) -> Option<&'l Vec<usize>> {
        self.places.get(&(name, value))
    }

    fn state(&self, found: &Firing, receiver: &str, ours: &HashSet<String>) -> State {
        let Look { silences, inhibitors, .. } = self.look;
        let marked = |id: &String| silences.get(id).is_some_and(|silence| is_marked(&silence.comment));
        if found.silenced_by.iter().any(|id| ours.contains(id) || marked(id)) {
            return State::SilencedByUs;
        }
        if let Some(id) = found.silenced_by.first() {
            let known = silences.get(id);
            return State::SilencedElsewhere {
                id: id.clone(),
                by: known.map(|silence| silence.author.clone()).unwrap_or_default(),
                until: known.map(|silence| silence.ends_at),
                why: known.map(|silence| silence.comment.clone()).unwrap_or_default(),
            };
        }
        if let Some(fingerprint) = found.inhibited_by.first() {
            let by = inhibitors.get(fingerprint).unwrap_or(fingerprint).clone();
            return State::Inhibited { by };
        }
        match self.muted(found, receiver) {
            Some(interval) => State::Muted { interval },
            None => State::Active,
        }
    }

    /// The interval that mutes the alert in every group of this receiver that has it.
    fn muted(&self, found: &Firing, receiver: &str) -> Option<String> {
        let mut groups = self.groups.get(&found.labels).cloned().unwrap_or_default();
        if groups.iter().any(|group| group.receiver == receiver) {
            groups.retain(|group| group.receiver == receiver);
        }
        let all = !groups.is_empty() && groups.iter().all(|group| !group.muted_by.is_empty());
        groups.first().filter(|_| all).and_then(|group| group.muted_by.first().cloned())
    }
}

fn public(labels: &Labels) -> impl Iterator<Item = (&EcoString, &EcoString)> {
    labels.iter().filter(|(name, _)| !(name.starts_with("__") && name.ends_with("__")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::SilenceState;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn firing(pairs: &[(&str, &str)], silenced: &[&str], inhibited: &[&str]) -> Firing {
        let owned = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
        Firing {
            labels: labels(pairs),
            starts_at: None,
            fingerprint: String::new(),
            state: "active".to_owned(),
            silenced_by: owned(silenced),
            inhibited_by: owned(inhibited),
        }
    }

    const DISK: &[(&str, &str)] = &[("alertname", "磁盘将满"), ("instance", "db-1")];
    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn said(look: &Look, receiver: &str) -> Said {
        look.index().said(&labels(DISK), receiver, &HashSet::from(["ours".to_owned()]), NOW)
    }

    #[test]
    fn an_alert_is_found_by_all_its_labels_and_private_ones_do_not_count() {
        let wider = [DISK, &[("severity", "critical")]].concat();
        let private = [DISK, &[("__alert_rule_uid__", "u")]].concat();
        let look = Look { alerts: vec![firing(&wider, &["ours"], &[]), firing(&private, &[], &[])], ..Look::default() };
        assert_eq!(said(&look, ""), Said::Listed(State::Active), "the nearer one");
        let look = Look { alerts: vec![firing(&wider, &["ours"], &[])], ..Look::default() };
        assert_eq!(said(&look, ""), Said::Listed(State::SilencedByUs), "upstream has more labels than it sends");
        let up_since = Some(NOW.plus_millis(-5));
        let look =
            Look { alerts: vec![firing(&[("alertname", "磁盘将满")], &[], &[])], up_since, ..Look::default() };
        assert_eq!(said(&look, ""), Said::Absent { up_ms: Some(5) });
    }

    #[test]
    fn a_silence_of_ours_comes_first_then_others_then_inhibition() {
        let silence = Silence {
            id: "theirs".to_owned(),
            state: SilenceState::Active,
            matchers: Vec::new(),
            starts_at: NOW,
            ends_at: NOW.plus_millis(60_000),
            author: "lisi".to_owned(),
            comment: "换盘".to_owned(),
        };
        let look = |silenced: &[&str], inhibited: &[&str]| Look {
            alerts: vec![firing(DISK, silenced, inhibited)],
            silences: HashMap::from([("theirs".to_owned(), silence.clone())]),
            inhibitors: HashMap::from([("f0".to_owned(), "机房断电".to_owned())]),
            ..Look::default()
        };
        assert_eq!(said(&look(&["theirs", "ours"], &[]), ""), Said::Listed(State::SilencedByUs));
        let theirs = State::SilencedElsewhere {
            id: "theirs".to_owned(),
            by: "lisi".to_owned(),
            until: Some(NOW.plus_millis(60_000)),
            why: "换盘".to_owned(),
        };
        assert_eq!(said(&look(&["theirs"], &["f0"]), ""), Said::Listed(theirs));
        let mut marked = look(&["theirs"], &[]);
        marked.silences.get_mut("theirs").unwrap().comment = "磁盘将满 ×1 (wegraf:#PSVJ/7-1)".to_owned();
        assert_eq!(said(&marked, ""), Said::Listed(State::SilencedByUs), "its act is not recorded yet");
        let inhibited = |by: &str| Said::Listed(State::Inhibited { by: by.to_owned() });
        assert_eq!(said(&look(&[], &["f0"]), ""), inhibited("机房断电"));
        assert_eq!(said(&look(&[], &["f1"]), ""), inhibited("f1"));
    }

    #[test]
    fn an_alert_is_muted_where_the_groups_of_its_receiver_say_so() {
        let group = |receiver: &str, muted: &[&str]| Group {
            receiver: receiver.to_owned(),
            labels: labels(DISK),
            muted_by: muted.iter().map(|name| (*name).to_owned()).collect(),
        };
        let look = |groups: Vec<Group>| Look { alerts: vec![firing(DISK, &[], &[])], groups, ..Look::default() };
        let muted = Said::Listed(State::Muted { interval: "weekend".to_owned() });
        let active = Said::Listed(State::Active);
        let both = look(vec![group("wegraf", &["weekend"]), group("pager", &[])]);
        assert_eq!((said(&both, "wegraf"), said(&both, "pager")), (muted.clone(), active.clone()));
        assert_eq!(said(&both, ""), active, "of an unknown receiver each group counts");
        assert_eq!(said(&look(vec![group("wegraf", &["weekend"])]), ""), muted);
        assert_eq!(said(&look(vec![group("wegraf", &["weekend"]), group("wegraf", &[])]), "wegraf"), active);
        assert_eq!(said(&look(Vec::new()), "wegraf"), active);
    }

    #[test]
    fn versions_tell_whether_mutes_are_shown() {
        let tells = |version: &str| About { version: version.to_owned(), up_since: NOW, peers: 1 }.tells_mutes();
        for version in ["0.28.0", "v0.28.1", "0.33.1-rc.0", "1.0.0"] {
            assert!(tells(version), "{version}");
        }
        for version in ["0.27.0", "0.25.0+ds", "", "main"] {
            assert!(!tells(version), "{version}");
        }
    }
}
