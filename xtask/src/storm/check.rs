//! What the ledger does not look at: what the texts say, WeCom's windows, and who comes first.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use super::group::{names_critical, words_in};
use super::load::Taken;
use super::phones::Phones;
use super::reading;
use crate::ledger::record::Transition;
use crate::ledger::{Address, Arrived, Kind, Record};

/// WeCom's limits in any 60 s: an app to a member (page 90454), its chats to a member (90248), a webhook (99110).
pub const LIMITS: [(&str, u64); 3] = [("members", 30), ("chat_members", 200), ("webhooks", 20)];

/// The results of the comparison.
#[derive(Debug, Default)]
pub struct Findings {
    /// Promises that did not hold.
    pub violations: Vec<String>,
    /// Messages that tell of one notification.
    pub letters: usize,
    /// Messages that stand for several (digests).
    pub digests: usize,
    /// Changes told by digests.
    pub folded: usize,
    /// Alerts in the largest digest.
    pub largest: usize,
    /// Critical alerts that began, by whether a message names them.
    pub critical: [usize; 2],
    /// The busiest minute of each kind of receiver.
    pub busiest: BTreeMap<String, u64>,
    /// Alerts that the texts on the phones name, and that they count.
    pub phones: [usize; 2],
    /// From the POST of a receiver's first critical alert to its arrival, in milliseconds, sorted.
    pub first_critical: Vec<i64>,
}

/// What is compared.
pub struct Check<'a> {
    /// Where things arrive.
    pub addresses: &'a [Address],
    /// The addresses, by number, where no alert changed twice.
    pub steady: &'a BTreeSet<usize>,
    /// What was posted and answered.
    pub taken: &'a Taken,
    /// The database afterwards.
    pub record: &'a Record,
    /// What WeCom delivered.
    pub arrived: &'a [Arrived],
    /// The simulator's counters.
    pub counters: &'a Value,
}

impl Check<'_> {
    /// Compares.
    pub fn findings(&self) -> Findings {
        let mut findings = Findings::default();
        for refused in &self.taken.refused {
            findings.violations.push(format!("a notification was refused: {refused}"));
        }
        self.windows(&mut findings);
        self.messages(&mut findings);
        let phones = Phones::read(self.addresses, self.steady, &self.taken.accepted, self.arrived);
        findings.phones = [phones.named, phones.counted];
        findings.violations.extend(phones.violations);
        self.first_critical(&mut findings);
        findings
    }

    fn windows(&self, findings: &mut Findings) {
        for (kind, limit) in LIMITS {
            let peaks = self.counters["max_per_minute"][kind].as_object();
            let busiest = peaks.into_iter().flatten().filter_map(|(_, peak)| peak.as_u64()).max().unwrap_or_default();
            if busiest > limit {
                findings.violations.push(format!("{busiest} messages in a minute to one of {kind}, limit {limit}"));
            }
            findings.busiest.insert(kind.to_owned(), busiest);
        }
        for (code, count) in self.counters["by_errcode"].as_object().into_iter().flatten() {
            if code != "0" {
                findings.violations.push(format!("WeCom refused {count} calls with {code}"));
            }
        }
    }

    /// Every message that tells something: its sums and names are those of the record.
    fn messages(&self, findings: &mut Findings) {
        let mut told: HashMap<i64, Vec<&Transition>> = HashMap::new();
        for transition in &self.record.transitions {
            told.entry(transition.message.unwrap_or_default()).or_default().push(transition);
        }
        for (id, message) in &self.record.messages {
            let Some(transitions) = told.get(id) else { continue };
            let text: String = message.parts.iter().map(|part| part.text.as_str()).collect::<Vec<_>>().join("\n");
            let alerts = Alerts::of(transitions);
            if message.digest {
                findings.digests += 1;
                findings.folded += transitions.len();
                findings.largest = findings.largest.max(alerts.all.len());
                match reading::digest(&text) {
                    Ok(said) if said == alerts.digest() => {}
                    said => findings.violations.push(format!(
                        "message {id} ({}) says {said:?}, the record {:?}: {text}",
                        message.lane,
                        alerts.digest()
                    )),
                }
            } else {
                findings.letters += 1;
                if let Some(wrong) = alerts.letter(&text) {
                    findings.violations.push(format!("message {id} ({}): {wrong}: {text}", message.lane));
                }
            }
            if let Some(wrong) = alerts.names(&text) {
                findings.violations.push(format!("message {id} ({}): {wrong}: {text}", message.lane));
            }
            let named = alerts.critical.intersection(&alerts.named).count();
            findings.critical[0] += named;
            findings.critical[1] += alerts.critical.len() - named;
        }
    }

    fn first_critical(&self, findings: &mut Findings) {
        for (address, posted) in self.addresses.iter().zip(&self.taken.first_critical) {
            let Some(posted) = posted else { continue };
            let here = self.arrived.iter().filter(|message| {
                message.channel == address.channel && message.places.iter().any(|place| address.places.contains(place))
            });
            // A department's member is told of other lanes, too: the text identifies the alert of a message.
            let own: BTreeSet<&str> = self
                .taken
                .accepted
                .iter()
                .filter(|said| said.receiver == address.receiver && names_critical(&said.word))
                .map(|said| said.word.as_str())
                .collect();
            let mut naming = here.filter(|message| words_in(&message.text).iter().any(|word| own.contains(word)));
            match naming.next() {
                Some(first) => findings.first_critical.push(first.at_ms - posted),
                None if self.stays_critical(address) => {
                    findings.violations.push(format!("{}: no critical alert was ever named", address.lane));
                }
                // All of them ended while the lane waited: a digest names what is on and counts what is over.
                None => {}
            }
        }
        findings.first_critical.sort_unstable();
    }

    /// Whether a critical alert of this receiver is still on after the last notification.
    fn stays_critical(&self, address: &Address) -> bool {
        let own = self.taken.accepted.iter().filter(|said| said.receiver == address.receiver);
        let last: HashMap<&str, Kind> = own.map(|said| (said.word.as_str(), said.kind)).collect();
        last.iter().any(|(word, kind)| names_critical(word) && *kind == Kind::Firing)
    }
}

/// The alerts of one message, as the record has them.
#[derive(Debug, Default)]
struct Alerts<'a> {
    all: BTreeSet<&'a str>,
    /// Those that fire after the message, and are critical.
    critical: BTreeSet<&'a str>,
    firing: BTreeSet<&'a str>,
    named: BTreeSet<&'a str>,
}

impl<'a> Alerts<'a> {
    /// `transitions` in the order of admission.
    fn of(transitions: &[&'a Transition]) -> Self {
        let mut alerts = Self::default();
        for transition in transitions {
            let word = transition.word.as_str();
            alerts.all.insert(word);
            // The last change decides.
            if transition.kind == "firing" {
                alerts.firing.insert(word);
            } else {
                alerts.firing.remove(word);
            }
            if transition.fate == "named" {
                alerts.named.insert(word);
            }
        }
        alerts.critical = alerts.firing.iter().copied().filter(|word| names_critical(word)).collect();
        alerts
    }

    fn digest(&self) -> reading::Digest {
        reading::Digest {
            firing: self.firing.len(),
            critical: self.critical.len(),
            resolved: self.all.len() - self.firing.len(),
        }
    }

    /// The text names exactly the alerts that the record lists as named; else the difference.
    fn names(&self, text: &str) -> Option<String> {
        let shown: BTreeSet<&str> = words_in(text).into_iter().filter(|word| self.all.contains(word)).collect();
        if shown != self.named {
            let only = |a: &BTreeSet<&str>, b: &BTreeSet<&str>| {
                a.difference(b).take(3).map(|word| (*word).to_owned()).collect::<Vec<_>>()
            };
            let (text, record) = (only(&shown, &self.named), only(&self.named, &shown));
            return Some(format!("names {text:?} that the record counts, and not {record:?} that it names"));
        }
        None
    }

    /// A letter names or counts all of its alerts; else what is missing.
    fn letter(&self, text: &str) -> Option<String> {
        let more = reading::letter_more(text);
        (self.named.len() + more < self.all.len())
            .then(|| format!("names {} and counts {more} of {} alerts", self.named.len(), self.all.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transition(word: &str, kind: &str, fate: &str) -> Transition {
        Transition {
            message: Some(1),
            lane: "lane".to_owned(),
            receiver: "r".to_owned(),
            word: word.to_owned(),
            kind: kind.to_owned(),
            starts_at: 0,
            fate: fate.to_owned(),
            reason: String::new(),
        }
    }

    const CRITICAL: &str = "k0001n00000z";
    const OTHER: &str = "w0001n00005z";

    #[test]
    fn a_name_too_many_and_a_name_too_few_are_noticed() {
        let both = [transition(CRITICAL, "firing", "named"), transition(OTHER, "firing", "counted")];
        let alerts = |transitions: &[Transition]| Alerts::of(&transitions.iter().collect::<Vec<_>>()).names(CRITICAL);
        assert_eq!(alerts(&both), None);
        assert!(alerts(&both[1..]).is_none(), "a word of another alert is no name");
        let turned = [transition(CRITICAL, "firing", "counted"), transition(OTHER, "firing", "named")];
        assert!(alerts(&turned).unwrap().contains("names"));
    }

    #[test]
    fn the_last_change_says_whether_an_alert_is_on() {
        let changes = [transition(CRITICAL, "firing", "counted"), transition(CRITICAL, "resolved", "counted")];
        let alerts = Alerts::of(&changes.iter().collect::<Vec<_>>()).digest();
        assert_eq!(alerts, reading::Digest { firing: 0, critical: 0, resolved: 1 });
    }
}
