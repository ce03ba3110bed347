//! The vocabulary: notifications in one shape for all senders.
//!
//! Everything here is a plain value. `ingest` makes them from bytes, `route`, `store`, `render` and `deliver` pass them
//! on; none of them holds a connection, a clock or a secret.

mod labels;

use std::collections::BTreeSet;
use std::fmt;

use ecow::EcoString;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::level::{self, Level};
use crate::names::{Discriminator, SourceId};

pub use labels::Labels;

/// Unix time in milliseconds. The only representation of time inside wegraf; zones appear when it is shown to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// This instant, `millis` later (earlier if negative); saturates instead of overflowing.
    #[must_use]
    pub fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to `self`; negative if `earlier` is later.
    pub fn millis_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Which program's payload a notification was; stored with the raw bytes so that these can be read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Grafana unified alerting webhook (8 to 13).
    Grafana,
    /// Grafana legacy alerting webhook (4 to 10).
    GrafanaLegacy,
    /// Alertmanager webhook, version "4".
    Alertmanager,
    /// An array pushed as to `POST /api/v2/alerts` of an Alertmanager: state, not changes.
    AlertsPush,
    /// Any other JSON object, array or form: read through a template.
    Generic,
    /// Text that is none of these; shown unchanged.
    Opaque,
    /// A body in WeCom's format for a webhook; relayed unchanged.
    WecomWebhook,
    /// A body in WeCom's format for an app; relayed unchanged.
    WecomApp,
    /// A notification that wegraf itself relays, in its own form. Outside input is never read as this.
    Relayed,
}

impl Format {
    /// The name in the store, in logs and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Grafana => "grafana",
            Self::GrafanaLegacy => "grafana_legacy",
            Self::Alertmanager => "alertmanager",
            Self::AlertsPush => "alerts_push",
            Self::Generic => "generic",
            Self::Opaque => "opaque",
            Self::WecomWebhook => "wecom_webhook",
            Self::WecomApp => "wecom_app",
            Self::Relayed => "relayed",
        }
    }

    /// The format with this name; `None` for a name of another version of wegraf.
    pub fn from_name(name: &str) -> Option<Self> {
        const ALL: [Format; 9] = [
            Format::Grafana,
            Format::GrafanaLegacy,
            Format::Alertmanager,
            Format::AlertsPush,
            Format::Generic,
            Format::Opaque,
            Format::WecomWebhook,
            Format::WecomApp,
            Format::Relayed,
        ];
        ALL.into_iter().find(|format| format.as_str() == name)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One inbound webhook call, normalised. The raw bytes are kept beside it by the store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notification {
    /// What the body was recognised as.
    pub format: Format,
    /// The sender's own name for the receiver, unescaped (Grafana and Alertmanager send it regex-escaped).
    pub upstream_receiver: String,
    /// Opaque name of the upstream group; empty if the sender has none.
    pub group_key: String,
    /// Labels the upstream grouped by.
    pub group_labels: Labels,
    /// Root URL of the sender as it gives it; empty if it gives none or one that is not http(s).
    pub external_url: String,
    /// A title the sender composed (legacy Grafana, generic); empty if there is none worth showing.
    pub title: String,
    /// Free text of the sender (legacy `message`, generic content, the raw text of an opaque body).
    pub message: String,
    /// Alerts the sender left out of the list (`truncatedAlerts`, docs/reference/alert-sources.md#truncated-alerts).
    /// The status then lies.
    pub truncated: u64,
    /// True for the "Test" button of a contact point: always news, never a reminder.
    pub test: bool,
    /// What is told. Never empty.
    pub alerts: Vec<Alert>,
}

/// Whether an alert is firing or resolved, according to its sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Firing.
    Firing,
    /// Resolved.
    Resolved,
    /// Neither: an event that is told once. It is never open, so no end follows.
    Notice,
}

impl Status {
    /// The name in the store and in templates.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
            Self::Notice => "notice",
        }
    }

    /// The status with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Firing, Self::Resolved, Self::Notice].into_iter().find(|status| status.as_str() == name)
    }
}

/// Whether a rule could be evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// The rule was evaluated.
    #[default]
    Normal,
    /// The query returned nothing (Grafana `DatasourceNoData`, legacy `no_data`, reason `NoData`).
    NoData,
    /// The query failed (Grafana `DatasourceError`, reason `Error`).
    Error,
}

impl Health {
    /// The name in templates: `normal`, `no_data`, `error`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::NoData => "no_data",
            Self::Error => "error",
        }
    }
}

/// One alert of a notification.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Firing or resolved.
    pub status: Status,
    /// The rule's real name: `alertname`, or `rulename` for `DatasourceNoData`/`DatasourceError`. Never empty:
    /// a fallback is found from the other labels or the source.
    pub name: String,
    /// Can the rule be judged at all? If not, `values` is empty: -1 is never shown for "no data".
    pub health: Health,
    /// All labels as sent, without private `__x__` ones.
    pub labels: Labels,
    /// All annotations as sent, without private ones.
    pub annotations: Labels,
    /// When it began; `None` if the sender does not say or says a year-1 time.
    pub starts_at: Option<Timestamp>,
    /// When it ended; `None` while firing or if unknown.
    pub ends_at: Option<Timestamp>,
    /// When a firing report stops to count unless it is repeated; `None` if its sender does not promise to repeat it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lapses_at: Option<Timestamp>,
    /// As sent, or computed (64-bit FNV-1a, docs/reference/alert-sources.md#fingerprints) where absent. For display;
    /// identity is ours.
    pub fingerprint: String,
    /// What besides the labels tells two alerts apart (Grafana rule uid, legacy `orgId/ruleId`); often empty.
    pub discriminator: Discriminator,
    /// Current values by name, in the sender's order of importance as far as known.
    pub values: Vec<Value>,
    /// What its upstream said of it when asked.
    #[serde(default, skip_serializing_if = "Asked::is_empty")]
    pub asked: Asked,
    /// Links, each http(s) or empty.
    pub links: Links,
    /// The rank that the reader gave it; `None`: as the shipped table says of its labels, see [`Alert::level`].
    #[serde(default)]
    pub level: Option<Level>,
    /// What it has in common with others that one end may mean; only of bodies that the general reader read.
    #[serde(default)]
    pub kin: Option<Box<Kin>>,
}

/// What an upstream said of one of its own alerts when it was asked; no body holds it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Its number, as sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// The expression of its rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expression: Option<String>,
}

impl Asked {
    /// Is nothing known?
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Relates an alert to its end where the sender has no key that both carry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kin {
    /// The mapping or reader that took the body: alerts of different ones are never related.
    pub shape: String,
    /// The title without predicate and numbers, in lower case.
    pub core: String,
    /// The sender's id of the event; empty if there is none.
    pub event: String,
    /// The alert has a key of its own, so an end with another key is not its end.
    pub keyed: bool,
    /// Identifiers in its title, text and places: hosts, addresses, paths, ports, numbers of things; and a digest of its
    /// words behind `ALIKE`, its level behind `RANK`.
    pub marks: BTreeSet<String>,
    /// When it began is not said: `starts_at` may be the time of the report, which is later in each repeat.
    #[serde(default)]
    pub reported: bool,
}

impl Kin {
    /// Before the digest of all words but those for measured values, times, levels and states.
    pub const ALIKE: &str = "=w:";
    /// Before the level.
    pub const RANK: &str = "=l:";
    /// What such marks begin with: they name no thing.
    pub const OF_WORDS: char = '=';
}

/// What an end may refer to, as stored: 16 bytes of a SHA-256.
pub type Relation = [u8; 16];

impl Kin {
    /// Alerts of `source` of one shape with one title.
    pub fn family(&self, source: &SourceId) -> Relation {
        relation(["family", &source.stored(), &self.shape, &self.core])
    }

    /// Alerts of `source` of one shape with one event id.
    pub fn same_event(&self, source: &SourceId) -> Option<Relation> {
        (!self.event.is_empty()).then(|| relation(["event", &source.stored(), &self.shape, &self.event]))
    }
}

fn relation(parts: [&str; 4]) -> Relation {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let mut relation = [0; 16];
    relation.copy_from_slice(&hash.finalize()[..16]);
    relation
}

/// A measured value of an alert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Value {
    /// RefID (`A`, `B0`), metric name (legacy) or empty.
    pub name: String,
    /// The number as it was sent, to its last digit, or a number with a unit behind it (`96.2 %`); never empty or null.
    /// `measure` chooses and writes what people read.
    pub text: String,
    /// Tags of the series (legacy `evalMatches[].tags`); often empty.
    pub tags: Labels,
}

/// Links of an alert. Each is an absolute http(s) URL or empty.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Links {
    /// The rule or expression (`generatorURL`, legacy `ruleUrl`).
    pub rule: String,
    /// Form that makes a silence.
    pub silence: String,
    /// Dashboard.
    pub dashboard: String,
    /// Panel.
    pub panel: String,
    /// Runbook (annotation `runbook_url`), only if it is a URL.
    pub runbook: String,
    /// Picture (`imageURL`, legacy `imageUrl`, annotation `image`).
    pub image: String,
}

/// SHA-256 over source, discriminator and the sorted labels, each length-prefixed. A sender's fingerprint is not
/// trusted for this.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity(pub [u8; 32]);

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in &self.0[..8] {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl Alert {
    /// The identity of this alert when `source` reports it.
    pub fn identity(&self, source: &SourceId) -> Identity {
        let mut hash = Sha256::new();
        let mut part = |text: &str| {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text.as_bytes());
        };
        part(&source.stored());
        part(self.discriminator.as_str());
        if !self.discriminator.is_key() {
            for (name, value) in &self.labels {
                part(name);
                part(value);
            }
        }
        Identity(hash.finalize().into())
    }

    /// The severity in its labels.
    pub fn severity(&self) -> String {
        severity(&self.labels)
    }

    /// Its level; `None` if neither the reader nor a label gives one.
    pub fn level(&self) -> Option<Level> {
        self.level.or_else(|| Level::of(level_label(&self.labels)?))
    }

    /// Is it sent before everything else?
    pub fn is_critical(&self) -> bool {
        self.level() == Some(Level::Critical)
    }
}

/// What a rule is for whose alerts tell people nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Steady {
    /// It fires always, so that its absence shows that alerts do not come through.
    Heartbeat,
    /// Other rules and inhibitions read it.
    Helper,
}

/// Names of rules that fire always: kube-prometheus', and the older ones of its kind.
const HEARTBEATS: [&str; 4] = ["Watchdog", "DeadMansSwitch", "DeadManSwitch", "DeadMansSnitch"];
/// Names of rules that only steer inhibitions: kube-prometheus'.
const HELPERS: [&str; 1] = ["InfoInhibitor"];

impl Alert {
    /// Is it of a rule that tells people nothing, by its name or its expression?
    pub fn steady(&self) -> Option<Steady> {
        let name = self.labels.get("alertname").map_or(self.name.as_str(), EcoString::as_str);
        if HELPERS.contains(&name) {
            return Some(Steady::Helper);
        }
        let constant = || {
            let (_, expression) = self.links.rule.split_once("g0.expr=")?;
            expression.split('&').next().filter(|expression| matches!(*expression, "vector%281%29" | "vector(1)"))
        };
        (HEARTBEATS.contains(&name) || constant().is_some()).then_some(Steady::Heartbeat)
    }
}

/// The label that gives an alert's severity, in lower case; empty if there is none.
pub fn severity(labels: &Labels) -> String {
    level_label(labels).map(str::to_lowercase).unwrap_or_default()
}

/// The value of the first label of [`level::NAMES`] that is not empty, as it was sent.
pub fn level_label(labels: &Labels) -> Option<&str> {
    let usual = ["severity", "level", "priority"].into_iter().find_map(|name| labels.get(name));
    let spelt = || {
        let names: Vec<(String, &EcoString)> = labels
            .iter()
            .filter(|(name, _)| name.len() <= LONGEST_LEVEL_NAME)
            .map(|(name, value)| (level::plain_name(name), value))
            .collect();
        level::NAMES.iter().find_map(|wanted| names.iter().find(|(name, _)| name == wanted).map(|(_, value)| *value))
    };
    usual.or_else(spelt).map(EcoString::as_str).filter(|value| !value.trim().is_empty())
}

/// Bytes of the longest of [`level::NAMES`] with separators; longer label names are not compared.
const LONGEST_LEVEL_NAME: usize = 24;

/// A change of an alert's state that may be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransitionKind {
    /// It fires (again).
    Firing,
    /// It is resolved.
    Resolved,
    /// It is still firing; upstream repeated it and the receiver's `repeat_interval` has passed.
    Reminder,
    /// It is still firing; a user acknowledged it.
    Acknowledged,
    /// It is still firing; its owner released it.
    Released,
    /// It is still firing; a user made a silence for it upstream, or moved the end of one.
    Silenced,
    /// It is still firing; its silence was ended.
    Unsilenced,
    /// It is no longer reported; whether it is over is unknown.
    Lapsed,
    /// It neither began nor ended: a notice.
    Notice,
}

impl TransitionKind {
    /// Is it an act on the alert, of which its sender said nothing?
    pub const fn is_act(self) -> bool {
        matches!(self, Self::Acknowledged | Self::Released | Self::Silenced | Self::Unsilenced | Self::Lapsed)
    }

    /// Is the alert firing when this is told?
    pub const fn is_on(self) -> bool {
        !matches!(self, Self::Resolved | Self::Notice | Self::Lapsed)
    }

    /// The status of the alert afterwards.
    pub const fn leaves(self) -> Status {
        match self {
            Self::Resolved | Self::Lapsed => Status::Resolved,
            Self::Notice => Status::Notice,
            _ => Status::Firing,
        }
    }

    /// The kind that a report with this status has for an unknown alert.
    pub const fn first(status: Status) -> Self {
        match status {
            Status::Firing => Self::Firing,
            Status::Resolved => Self::Resolved,
            Status::Notice => Self::Notice,
        }
    }

    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Firing,
        Self::Resolved,
        Self::Reminder,
        Self::Acknowledged,
        Self::Released,
        Self::Silenced,
        Self::Unsilenced,
        Self::Lapsed,
        Self::Notice,
    ];

    /// The name in the store, in logs and in templates.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
            Self::Reminder => "reminder",
            Self::Acknowledged => "acknowledged",
            Self::Released => "released",
            Self::Silenced => "silenced",
            Self::Unsilenced => "unsilenced",
            Self::Lapsed => "lapsed",
            Self::Notice => "notice",
        }
    }

    /// The kind with this name; `None` for a name of another version of wegraf.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// The short id a person searches for: `7K2Q`. Names the notification that began an episode, so that the firing and the
/// resolved message of one incident carry the same id for all readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ThreadId(pub i64);

/// Crockford's alphabet: no I, L, O, U, so it can be read aloud and typed.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

impl fmt::Display for ThreadId {
    /// Four characters for the first million notifications, one more for each factor of 32. Consecutive ids look
    /// different: multiplication by an odd constant permutes the numbers of each length.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bits = 20;
        let mut base = 0_u64;
        let number = self.0.unsigned_abs();
        while bits < 60 && number - base >= 1 << bits {
            base += 1 << bits;
            bits += 5;
        }
        let mask = (1_u64 << bits) - 1;
        let mixed = (number - base).wrapping_mul(MIX) & mask;
        let mixed = (mixed ^ (mixed >> (bits - bits / 2))).wrapping_mul(MIX) & mask;
        f.write_str(&in_letters(mixed, bits / 5))
    }
}

/// The lowest `5 * count` bits of `number` in letters of the alphabet of short ids.
pub fn in_letters(number: u64, count: u32) -> String {
    let index = |digit: u32| usize::try_from((number >> (digit * 5)) & 31).unwrap_or_default();
    (0..count).rev().map(|digit| char::from(ALPHABET[index(digit)])).collect()
}

/// The number whose letters a person typed: in either case, with O for 0 and I or L for 1. `None` if one is no letter of the
/// alphabet, or if there are more than twelve.
pub fn of_letters(text: &str) -> Option<u64> {
    if text.len() > 12 {
        return None;
    }
    text.bytes().try_fold(0_u64, |number, byte| {
        let byte = match byte.to_ascii_uppercase() {
            b'O' => b'0',
            b'I' | b'L' => b'1',
            other => other,
        };
        Some(number << 5 | u64::try_from(ALPHABET.iter().position(|&letter| letter == byte)?).ok()?)
    })
}

const MIX: u64 = 0x9E37_79B9_7F4A_7C15;

/// The inverse of `MIX` modulo 2^64, so that a short id leads back to its number.
const UNMIX: u64 = 0xF1DE_83E1_9937_733D;

impl ThreadId {
    /// The id that a person typed, with or without `#`, in either case; `None` if it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().trim_start_matches('#');
        let length = u32::try_from(text.len()).ok()?;
        if !(4..=12).contains(&length) {
            return None;
        }
        let mixed = of_letters(text)?;
        let bits = length * 5;
        let mask = (1_u64 << bits) - 1;
        let half = mixed.wrapping_mul(UNMIX) & mask;
        let half = half ^ (half >> (bits - bits / 2));
        let number = half.wrapping_mul(UNMIX) & mask;
        let base: u64 = (4..length).map(|shorter| 1_u64 << (shorter * 5)).sum();
        i64::try_from(number + base).ok().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_id_leads_back_to_its_number() {
        for number in
            (0..3_000_000).step_by(7).chain([1 << 20, (1 << 20) - 1, (1 << 25) + (1 << 20), i64::from(u32::MAX)])
        {
            let text = ThreadId(number).to_string();
            assert_eq!(ThreadId::parse(&text), Some(ThreadId(number)), "{text}");
            assert_eq!(ThreadId::parse(&format!("#{}", text.to_lowercase())), Some(ThreadId(number)));
        }
        assert_eq!(ThreadId(1).to_string().len(), 4);
        assert_eq!(ThreadId::parse("#!!"), None);
    }
}
