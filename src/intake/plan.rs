//! Alerts to receivers to targets: the input of the store for each, before it decides what is news.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::{Called, rows, words};
use crate::alert::{Alert, Identity, Labels, Notification, Status, Steady, ThreadId};
use crate::config::{Config, Receiver, Watchdog};
use crate::names::SourceId;
use crate::render::Note;
use crate::store::related::Meant;
use crate::store::{Arrival, Recipient, Related, TargetRow};

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

    /// The alerts that are over.
    pub fn over(&self) -> Vec<Identity> {
        let over: HashSet<Identity> = self.ends().map(|end| end.identity).collect();
        over.into_iter().collect()
    }

    fn ends(&self) -> impl Iterator<Item = &Arrival> {
        let all = self.deliveries.iter().flat_map(|delivery| &delivery.alerts);
        all.filter(|arrival| arrival.status == Status::Resolved)
    }

    /// Tells the end of an alert to the receivers that know it as firing and to no other, whatever the routes say now: they
    /// may have changed since. A receiver that is no longer configured has no targets: its alert ends untold. Ends of
    /// alerts that no receiver knows stay where the routes lead.
    pub fn with_ends_where_known(self, config: &Config, called: &Called, knowing: &Knowing) -> Self {
        // By their places in the notification, too: an alert may end, begin and end again in one, and one end may be that of
        // several alerts.
        let place = |end: &Arrival| (end.index, end.identity.0);
        let ends: BTreeMap<(u32, [u8; 32]), Arrival> = self
            .ends()
            .filter(|end| knowing.contains_key(&end.identity))
            .map(|end| (place(end), end.clone()))
            .collect();
        if ends.is_empty() {
            return self;
        }
        let note_json = self.deliveries.first().and_then(|delivery| delivery.note_json.clone());
        let mut by_receiver: BTreeMap<String, Recipient> = BTreeMap::new();
        for mut delivery in self.deliveries {
            let begun = begun(&delivery);
            delivery.alerts.retain(|one| !ends.contains_key(&place(one)) || begins(&begun, one));
            by_receiver.insert(delivery.receiver.clone(), delivery);
        }
        for end in ends.values() {
            for name in &knowing[&end.identity] {
                let delivery = by_receiver.entry(name.clone()).or_insert_with(|| {
                    let delivery = match config.receiver(name) {
                        Some(receiver) => recipient(&receiver, Vec::new(), called_rows(&receiver, called)),
                        None => gone(name),
                    };
                    Recipient { note_json: note_json.clone(), ..delivery }
                });
                delivery.alerts.push(end.clone());
            }
        }
        by_receiver.retain(|_, delivery| !delivery.alerts.is_empty());
        let deliveries = by_receiver.into_values().map(|mut delivery| {
            // Ends of one place keep the order of their alerts, the oldest first.
            delivery.alerts.sort_by_key(|arrival| arrival.index);
            let mut seen = HashSet::new();
            delivery.alerts.retain(|arrival| seen.insert(place(arrival)));
            delivery
        });
        Self { deliveries: deliveries.collect(), ..self }
    }

    /// Notes at each receiver how many of the ends that it is told are those of no alert that is known as firing: its
    /// readers would look for that alert in vain.
    pub fn with_unmatched_ends_noted(mut self, knowing: &Knowing) -> Self {
        for delivery in self.deliveries.iter_mut().filter(|delivery| delivery.note_json.is_none()) {
            let begun = begun(delivery);
            let ends = delivery.alerts.iter().filter(|one| one.status == Status::Resolved);
            let ends = ends.filter(|end| !knowing.contains_key(&end.identity) && !begins(&begun, end)).count();
            if ends > 0 {
                let note = Note::Unmatched { ends: ends as u64, all: ends == delivery.alerts.len() };
                delivery.note_json = Some(serde_json::to_string(&note).expect("a note is JSON"));
            }
        }
        self
    }
}

/// Where the alerts of a delivery that fire stand in their notification; of several of one identity, the last.
fn begun(delivery: &Recipient) -> HashMap<Identity, u32> {
    let firing = delivery.alerts.iter().filter(|one| one.status == Status::Firing);
    firing.map(|one| (one.identity, one.index)).collect()
}

/// Does the alert of this end begin before it in the same notification?
fn begins(begun: &HashMap<Identity, u32>, end: &Arrival) -> bool {
    begun.get(&end.identity).is_some_and(|index| *index < end.index)
}

/// The receivers that know alerts as firing; an alert that none knows is left out.
pub type Knowing = HashMap<Identity, Vec<String>>;

/// The rows of a receiver's targets; those that can mention the people whom the request calls.
fn called_rows(receiver: &Receiver, called: &Called) -> Vec<TargetRow> {
    let targets: Vec<_> = receiver.targets.iter().map(|target| called.at(target)).collect();
    rows(targets.iter().map(AsRef::as_ref))
}

/// A receiver that is no longer configured.
fn gone(name: &str) -> Recipient {
    Recipient {
        receiver: name.to_owned(),
        send_resolved: true,
        repeat_interval_ms: 0,
        escalate_after_ms: None,
        note_json: None,
        alerts: Vec::new(),
        targets: Vec::new(),
    }
}

/// Labels as JSON that every store can search: U+0000, which some refuse, is replaced by its picture.
fn labels_json(labels: &Labels) -> String {
    let holds_nul = |text: &str| text.contains('\0');
    let clean: Option<Labels> = labels.iter().any(|(name, value)| holds_nul(name) || holds_nul(value)).then(|| {
        labels
            .iter()
            .map(|(name, value)| (name.as_str().replace('\0', "␀"), value.as_str().replace('\0', "␀")))
            .collect()
    });
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
    /// The alerts that its ends mean.
    pub ends: &'a Ends,
    /// People whom the request mentions, at every receiver.
    pub called: &'a Called,
}

/// What `alert` is to `source` if it tells people nothing: its heartbeat, or one that only steers others. It is kept and
/// not told.
pub fn steady(config: &Config, source: &SourceId, alert: &Alert) -> Option<Steady> {
    let known = source.configured().and_then(|name| config.sources.iter().find(|known| known.name == name));
    Watchdog::sees(known.and_then(|known| known.watchdog.as_ref()), alert)
}

/// Routes each alert as `Way::ByTree` does.
pub fn plan(config: &Config, incoming: Incoming<'_>, path_receiver: Option<&str>) -> Plan {
    let mut planner = Planner::new(Way::by_tree(config, path_receiver, None), incoming.source, incoming.called);
    for (index, alert) in incoming.notification.alerts.iter().enumerate() {
        match steady(config, incoming.source, alert) {
            Some(_) => planner.keep(index, alert),
            None => planner.take(index, alert, incoming.ends.get(&index)),
        }
    }
    planner.plan()
}

/// How receivers are found.
#[derive(Debug)]
pub enum Way<'a> {
    /// These receivers instead of the routes.
    Given(&'a [Receiver]),
    /// By the tree, or all alerts to the receiver in the path. An unknown receiver in the path must not lose the alert:
    /// the tree decides then, and the sender is warned. Of the tree's receivers only those in `scope` are told, if there
    /// is a scope; an alert without any goes to the first of the scope, and the sender is warned.
    ByTree {
        /// Receivers and routes.
        config: &'a Config,
        /// The receiver that the path names.
        named: Option<&'a Receiver>,
        /// The receivers of the source.
        scope: Option<&'a [String]>,
        /// Why it goes elsewhere than its address says.
        warning: Option<String>,
    },
}

impl<'a> Way<'a> {
    /// By the tree, or to `path_receiver`.
    pub fn by_tree(config: &'a Config, path_receiver: Option<&str>, scope: Option<&'a [String]>) -> Self {
        let named = path_receiver.and_then(|name| config.receivers.get(name)).map(AsRef::as_ref);
        let warning = path_receiver.filter(|_| named.is_none()).map(|name| words::no_receiver(name).to_string());
        Self::ByTree { config, named, scope, warning }
    }

    /// The receivers of an alert.
    fn receivers(&mut self, alert: &Alert) -> Vec<&'a Receiver> {
        let (config, named, scope, warning) = match self {
            Self::Given(receivers) => return receivers.iter().collect(),
            Self::ByTree { config, named, scope, warning } => (*config, *named, *scope, warning),
        };
        if let Some(receiver) = named {
            return vec![receiver];
        }
        let (receivers, moved) = by_tree(config, &alert.labels, scope);
        // The end of an alert goes to the receivers that know it; its sender was warned when it began.
        if let Some(receiver) = moved.filter(|_| alert.status != Status::Resolved) {
            warning.get_or_insert_with(|| words::out_of_scope(receiver).to_string());
        }
        receivers
    }
}

/// Takes the alerts of a notification one by one and keeps of each what the store wants.
#[derive(Debug)]
pub struct Planner<'a> {
    way: Way<'a>,
    source: &'a SourceId,
    called: &'a Called,
    by_receiver: BTreeMap<&'a str, (&'a Receiver, Vec<Arrival>)>,
    /// The last state of each alert.
    seen: HashMap<Identity, Status>,
    unclear: BTreeSet<ThreadId>,
}

impl<'a> Planner<'a> {
    /// For the alerts of a notification of `source`, which mentions `called`.
    pub fn new(way: Way<'a>, source: &'a SourceId, called: &'a Called) -> Self {
        Self { way, source, called, by_receiver: BTreeMap::new(), seen: HashMap::new(), unclear: BTreeSet::new() }
    }

    /// A heartbeat, or one that only steers others, at `index`: its receivers keep it as a notice that is not told.
    pub fn keep(&mut self, index: usize, alert: &Alert) {
        let identity = alert.identity(self.source);
        if self.seen.insert(identity, Status::Notice).is_some() {
            return;
        }
        let arrival = Arrival {
            critical: false,
            status: Status::Notice,
            ends_at: None,
            lapses_at: None,
            steady: true,
            ..arrival(index, identity, alert)
        };
        for receiver in self.way.receivers(alert) {
            self.give(receiver, arrival.clone());
        }
    }

    /// The alert at `index` of the notification; `end` is what its end means.
    pub fn take(&mut self, index: usize, alert: &Alert, end: Option<&Meant>) {
        match end {
            Some(Meant::Alerts(ended)) => ended.iter().for_each(|one| self.take_as(index, alert, one.identity)),
            Some(Meant::Unclear(left)) => {
                self.unclear.extend(left.iter().map(|one| one.thread));
                self.take_as(index, alert, alert.identity(self.source));
            }
            Some(Meant::Nothing) | None => self.take_as(index, alert, alert.identity(self.source)),
        }
    }

    fn take_as(&mut self, index: usize, alert: &Alert, identity: Identity) {
        // The same alert twice in one body is one alert; in another state it changed meanwhile, as in a sender's queue.
        if self.seen.insert(identity, alert.status) == Some(alert.status) {
            return;
        }
        let arrival = Arrival { kin: related(self.source, alert), ..arrival(index, identity, alert) };
        let mut receivers = self.way.receivers(alert);
        let Some(last) = receivers.pop() else { return };
        for receiver in receivers {
            self.give(receiver, arrival.clone());
        }
        self.give(last, arrival);
    }

    fn give(&mut self, receiver: &'a Receiver, arrival: Arrival) {
        self.by_receiver.entry(&receiver.name).or_insert((receiver, Vec::new())).1.push(arrival);
    }

    /// What became of them.
    pub fn plan(self) -> Plan {
        let Self { way, called, by_receiver, unclear, .. } = self;
        let note_json = (!unclear.is_empty()).then(|| {
            let threads = unclear.iter().take(SHOWN).copied().collect();
            let note = Note::Unclear { open: unclear.len() as u64, threads };
            serde_json::to_string(&note).expect("a note is JSON")
        });
        let deliveries = by_receiver
            .into_values()
            .map(|(receiver, alerts)| Recipient {
                note_json: note_json.clone(),
                ..recipient(receiver, alerts, called_rows(receiver, called))
            })
            .collect();
        let warning = match way {
            Way::Given(_) => None,
            Way::ByTree { warning, .. } => warning,
        };
        Plan { deliveries, warning }
    }
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
        reported: alert.kin.as_ref().is_some_and(|kin| kin.reported),
        ends_at: alert.ends_at,
        lapses_at: alert.lapses_at,
        thread: None,
        kin: None,
        steady: false,
    }
}
