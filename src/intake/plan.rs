//! Alerts to receivers to targets: the input of the store for each, before it decides what is news.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::{Called, rows, words};
use crate::alert::{Alert, Identity, Labels, Notification, ThreadId};
use crate::config::{Config, Receiver};
use crate::names::SourceId;
use crate::render::Note;
use crate::store::related::Meant;
use crate::store::{Arrival, Candidate, Recipient, Related, TargetRow};

/// The receivers of a notification's alerts.
#[derive(Debug)]
pub struct Plan {
    /// One for each receiver that gets something.
    pub deliveries: Vec<Recipient>,
    /// A warning for the sender although the notification was accepted.
    pub warning: Option<String>,
}

impl Plan {
    /// Targets in all.
    pub fn targets(&self) -> usize {
        self.deliveries.iter().map(|delivery| delivery.targets.len()).sum()
    }
}

/// Labels as JSON that every store can search: U+0000, which some refuse, is replaced by its picture.
fn labels_json(labels: &Labels) -> String {
    let holds_nul = |text: &String| text.contains('\0');
    let clean: Option<Labels> = labels
        .iter()
        .any(|(name, value)| holds_nul(name) || holds_nul(value))
        .then(|| labels.iter().map(|(name, value)| (name.replace('\0', "␀"), value.replace('\0', "␀"))).collect());
    serde_json::to_string(clean.as_ref().unwrap_or(labels)).expect("a map of strings is JSON")
}

/// The alerts that the ends of a notification mean, by their places in it.
pub type Ends = BTreeMap<usize, Meant>;

/// A notification to be routed.
#[derive(Debug, Clone, Copy)]
pub struct Incoming<'a> {
    /// The source that sent it.
    pub source: &'a SourceId,
    /// Its alerts.
    pub notification: &'a Notification,
    /// The alerts that its ends mean: they are resolved at all receivers that know them as firing.
    pub ends: &'a Ends,
    /// People whom the request mentions, at every receiver.
    pub called: &'a Called,
}

/// Routes each alert by the tree, or all of them to the receiver in the path. An unknown receiver in the path must not
/// lose the alert: the tree decides then, and the sender is warned. Alerts that satisfy `left_out` are not told. Of the
/// tree's receivers only those in `scope` are told, if there is a scope; an alert without any goes to the first of the
/// scope, and the sender is warned.
pub fn plan(
    config: &Config,
    incoming: Incoming<'_>,
    path_receiver: Option<&str>,
    scope: Option<&[String]>,
    left_out: impl Fn(&Alert) -> bool,
) -> Plan {
    let named = path_receiver.and_then(|name| config.receivers.get(name));
    let mut warning = match (path_receiver, named) {
        (Some(name), None) => Some(words::no_receiver(name).to_string()),
        _ => None,
    };
    let deliveries = delivered(incoming, left_out, |alert, ended| {
        let names = ended.into_iter().flat_map(|one| &one.receivers);
        let knowing: Vec<&Receiver> = names.filter_map(|name| config.receivers.get(name)).map(AsRef::as_ref).collect();
        if !knowing.is_empty() {
            return knowing;
        }
        if let Some(receiver) = named {
            return vec![receiver.as_ref()];
        }
        let (receivers, moved) = by_tree(config, &alert.labels, scope);
        if let Some(receiver) = moved {
            warning.get_or_insert_with(|| words::out_of_scope(receiver).to_string());
        }
        receivers
    });
    Plan { deliveries, warning }
}

/// Delivers all alerts except those that satisfy `left_out` to `receivers`, whatever the routes say.
pub fn plan_for(receivers: &[Receiver], incoming: Incoming<'_>, left_out: impl Fn(&Alert) -> bool) -> Plan {
    let deliveries = delivered(incoming, left_out, |_, _| receivers.iter().collect());
    Plan { deliveries, warning: None }
}

fn delivered<'a>(
    incoming: Incoming<'_>,
    left_out: impl Fn(&Alert) -> bool,
    mut receivers: impl FnMut(&Alert, Option<&Candidate>) -> Vec<&'a Receiver>,
) -> Vec<Recipient> {
    let Incoming { source, notification, ends, called } = incoming;
    let mut by_receiver: BTreeMap<&str, (&Receiver, Vec<Arrival>)> = BTreeMap::new();
    let mut seen: HashSet<Identity> = HashSet::new();
    let mut unclear: BTreeSet<ThreadId> = BTreeSet::new();
    for (index, alert) in notification.alerts.iter().enumerate().filter(|(_, alert)| !left_out(alert)) {
        let end = ends.get(&index);
        let ended = match end {
            Some(Meant::One(one)) => Some(one),
            _ => None,
        };
        let identity = ended.map_or_else(|| alert.identity(source), |one| one.identity);
        // The same alert twice in one body is one alert.
        if !seen.insert(identity) {
            continue;
        }
        let arrival = Arrival { kin: related(source, alert), ..arrival(index, identity, alert) };
        if let Some(Meant::Unclear(left)) = end {
            unclear.extend(left.iter().map(|one| one.thread));
        }
        for receiver in receivers(alert, ended) {
            by_receiver.entry(&receiver.name).or_insert((receiver, Vec::new())).1.push(arrival.clone());
        }
    }
    let all = |receiver: &Receiver| {
        let called: Vec<_> = receiver.targets.iter().map(|target| called.at(target)).collect();
        rows(called.iter().map(AsRef::as_ref))
    };
    let note_json = (!unclear.is_empty()).then(|| {
        let note = Note::Unclear { open: unclear.len() as u64, threads: unclear.iter().take(SHOWN).copied().collect() };
        serde_json::to_string(&note).expect("a note is JSON")
    });
    by_receiver
        .into_values()
        .map(|(receiver, alerts)| Recipient {
            note_json: note_json.clone(),
            ..recipient(receiver, alerts, all(receiver))
        })
        .collect()
}

/// The receivers of an alert within `scope`; if the tree has none there, the first of the scope, and its name
/// separately.
fn by_tree<'a>(
    config: &'a Config,
    labels: &Labels,
    scope: Option<&'a [String]>,
) -> (Vec<&'a Receiver>, Option<&'a str>) {
    let decided = config.route.route(labels);
    let within = |name: &str| scope.is_none_or(|scope| scope.iter().any(|known| known == name));
    let known = |name: &str| config.receivers.get(name).map(AsRef::as_ref);
    let receivers: Vec<&Receiver> = decided
        .iter()
        .filter(|decision| within(decision.receiver))
        .filter_map(|decision| known(decision.receiver))
        .collect();
    match scope.and_then(<[String]>::first) {
        Some(first) if receivers.is_empty() => (known(first).into_iter().collect(), Some(first)),
        _ => (receivers, None),
    }
}

/// Short ids that are named where an end may mean several alerts.
const SHOWN: usize = 3;

/// What relates an alert to its end, as the store keeps it.
pub fn related(source: &SourceId, alert: &Alert) -> Option<Related> {
    alert.kin.as_ref().map(|kin| Related {
        family: kin.family(source),
        event: kin.same_event(source),
        keyed: kin.keyed,
        marks: kin.marks.clone(),
    })
}

/// The store's input for a receiver that gets `alerts` at `targets`.
pub fn recipient(receiver: &Receiver, alerts: Vec<Arrival>, targets: Vec<TargetRow>) -> Recipient {
    Recipient {
        receiver: receiver.name.clone(),
        send_resolved: receiver.send_resolved,
        repeat_interval_ms: i64::try_from(receiver.repeat_interval.as_millis()).unwrap_or(i64::MAX),
        escalate_after_ms: receiver
            .escalate
            .first()
            .map(|step| i64::try_from(step.after.as_millis()).unwrap_or(i64::MAX)),
        note_json: None,
        alerts,
        targets,
    }
}

/// The store's input for the alert at `index` of its notification.
pub fn arrival(index: usize, identity: Identity, alert: &Alert) -> Arrival {
    Arrival {
        index: u32::try_from(index).unwrap_or(u32::MAX),
        identity,
        name: alert.name.clone(),
        labels_json: labels_json(&alert.labels),
        critical: alert.is_critical(),
        status: alert.status,
        starts_at: alert.starts_at,
        ends_at: alert.ends_at,
        kin: None,
    }
}
