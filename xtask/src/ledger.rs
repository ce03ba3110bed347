//! The oracle: the answers to senders, the record, and the messages that arrived in WeCom must agree.
//!
//! It does not depend on how the load was made or what failed meanwhile: it takes three lists and returns what
//! contradicts the promises (docs/reference/reliability.md#the-ledger). Pure; [`record`] and [`inbox`] fetch two of the
//! lists.

pub mod inbox;
pub mod record;
mod rules;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

pub use inbox::Arrived;
pub use record::Record;

/// A change of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// It began.
    Firing,
    /// It ended.
    Resolved,
}

impl Kind {
    /// Its name in the record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }
}

/// A change of an alert that a sender reported. `word` is its `instance` label, unique to the alert; it is in the text
/// of every message that names the alert.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Said {
    /// The alert.
    pub word: String,
    /// When its episode began, in Unix milliseconds: distinguishes episodes.
    pub starts_at: i64,
    /// The kind of change.
    pub kind: Kind,
    /// The receiver that must be told.
    pub receiver: String,
}

impl Said {
    /// The text in the summary by which a message shows the state that it tells.
    pub fn token(&self) -> String {
        format!("{}{}{}", self.word, if self.kind == Kind::Firing { 'F' } else { 'R' }, self.starts_at)
    }
}

/// The channel of an address; the promise about copies depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Channel {
    /// Members of an app: WeCom hides copies.
    App,
    /// A group chat of an app.
    Chat,
    /// A webhook.
    Webhook,
}

/// The place where the messages of one lane arrive.
#[derive(Debug, Clone)]
pub struct Address {
    /// The receiver it belongs to.
    pub receiver: String,
    /// The lane in the record.
    pub lane: String,
    /// The channel.
    pub channel: Channel,
    /// The places in the simulator's inbox: userids, a chatid, keys of webhooks.
    pub places: Vec<String>,
}

/// A promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rule {
    /// A change that was answered 2xx is not in the record.
    Lost,
    /// A change is in the record more than once for one lane.
    Doubled,
    /// The record tells a change that was never reported.
    Invented,
    /// A change has no fate, or one that is none of named, counted, dead with a fallback.
    NoFate,
    /// A change is said to be named or counted in a message that never arrived, or that does not name it.
    NotTold,
    /// Of one alert at one address, a later change arrived before an earlier one, or before a copy of it.
    Order,
    /// The last message about an alert tells another state than the last one accepted.
    LastState,
    /// More copies than the promise allows.
    Copies,
    /// A message arrived whose bytes are not in the record.
    Unrecorded,
    /// WeCom dropped a message because of a limit.
    Dropped,
}

impl Rule {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 10] = [
        Self::Lost,
        Self::Doubled,
        Self::Invented,
        Self::NoFate,
        Self::NotTold,
        Self::Order,
        Self::LastState,
        Self::Copies,
        Self::Unrecorded,
        Self::Dropped,
    ];

    /// Its name in the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lost => "acknowledged, but lost",
            Self::Doubled => "recorded twice",
            Self::Invented => "recorded, but never reported",
            Self::NoFate => "without a fate",
            Self::NotTold => "named or counted in nothing that arrived",
            Self::Order => "out of order",
            Self::LastState => "last state told is not the last accepted",
            Self::Copies => "copies beyond the promise",
            Self::Unrecorded => "arrived, but not in the record",
            Self::Dropped => "dropped by WeCom (over a limit)",
        }
    }
}

/// One broken promise.
#[derive(Debug, Clone)]
pub struct Violation {
    /// The promise.
    pub rule: Rule,
    /// The details.
    pub details: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule.as_str(), self.details)
    }
}

/// The ledger's report.
#[derive(Debug, Default)]
pub struct Report {
    /// Broken promises.
    pub violations: Vec<Violation>,
    /// Changes that were answered 2xx.
    pub accepted: usize,
    /// Transitions in the record, by fate.
    pub fates: BTreeMap<String, usize>,
    /// Messages that arrived, copies included, by channel.
    pub arrived: BTreeMap<Channel, usize>,
    /// Copies among them.
    pub copies: BTreeMap<Channel, usize>,
    /// By message: the number of copies, where WeCom hides none.
    pub copied: BTreeMap<i64, usize>,
    /// Attempts whose outcome is unknown, by channel.
    pub unsure: BTreeMap<Channel, usize>,
}

impl Report {
    /// How many violations of a rule there are.
    pub fn count(&self, rule: Rule) -> usize {
        self.violations.iter().filter(|violation| violation.rule == rule).count()
    }

    fn broken(&mut self, rule: Rule, details: String) {
        self.violations.push(Violation { rule, details });
    }
}

/// The input of the comparison.
pub struct Ledger<'a> {
    /// Every address that can be told anything.
    pub addresses: &'a [Address],
    /// What was answered 2xx, in the order in which each alert changed.
    pub accepted: &'a [Said],
    /// What was sent at all, answered or not.
    pub posted: &'a HashSet<Said>,
    /// The database after the last process ended.
    pub record: &'a Record,
    /// What WeCom delivered, the oldest first.
    pub arrived: &'a [Arrived],
    /// How many messages WeCom dropped.
    pub dropped: u64,
}

impl Ledger<'_> {
    /// Compares, by all rules.
    pub fn check(&self) -> Report {
        let mut report = Report { accepted: self.accepted.len(), ..Report::default() };
        for transition in &self.record.transitions {
            *report.fates.entry(transition.fate.clone()).or_default() += 1;
        }
        if self.dropped > 0 {
            report.broken(Rule::Dropped, format!("{} messages", self.dropped));
        }
        let receipts = self.receipts(&mut report);
        for address in self.addresses {
            self.fates(address, &receipts, &mut report);
            self.order(address, &receipts, &mut report);
            self.copies(address, &receipts, &mut report);
        }
        report
    }

    /// Finds the recorded message of each one that arrived, by its address and its bytes.
    fn receipts(&self, report: &mut Report) -> HashMap<i64, Vec<&Arrived>> {
        // Several lanes may lead to one place: a member has one, and each of the member's departments another.
        let mut lanes: HashMap<(Channel, &str), Vec<&str>> = HashMap::new();
        for to in self.addresses {
            for place in &to.places {
                lanes.entry((to.channel, place.as_str())).or_default().push(&to.lane);
            }
        }
        let mut known: HashMap<(&str, &str), i64> = HashMap::new();
        for (id, message) in &self.record.messages {
            for part in &message.parts {
                // The older one, if two are equal: their copies are counted together then.
                let first = known.entry((message.lane.as_str(), part.text.as_str())).or_insert(*id);
                *first = (*first).min(*id);
            }
        }
        let mut receipts: HashMap<i64, Vec<&Arrived>> = HashMap::new();
        for message in self.arrived {
            *report.arrived.entry(message.channel).or_default() += 1;
            let places = message.places.iter().filter_map(|place| lanes.get(&(message.channel, place.as_str())));
            match places.flatten().find_map(|lane| known.get(&(*lane, message.text.as_str()))) {
                Some(id) => receipts.entry(*id).or_default().push(message),
                None => report.broken(Rule::Unrecorded, format!("{:?} {}", message.places, message.text)),
            }
        }
        receipts
    }
}

#[cfg(test)]
mod tests;
