//! What people can read, on its own: nothing here knows wegraf's tables. For every receiver the alerts that messages
//! name and the numbers that they state must add up to what its senders were answered 2xx for.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::group::{names_critical, words_in};
use super::reading;
use crate::ledger::{Address, Arrived, Kind, Said};

/// A phrase that every digest contains, and no letter.
const MERGED: &str = "合并自";

/// A digest names up to this many critical alerts before it names any other.
const MANY: usize = 10;

/// What the phones show.
#[derive(Debug, Default)]
pub struct Phones {
    /// Alerts that stand in a message by name.
    pub named: usize,
    /// Alerts that are in the number that a message states.
    pub counted: usize,
    /// What does not add up.
    pub violations: Vec<String>,
}

/// What the messages of one address say together.
#[derive(Debug, Default)]
struct Told {
    firing: usize,
    resolved: usize,
    named: usize,
}

impl Phones {
    /// Reads `arrived`. What an address in `steady` is told must be exactly what was accepted; elsewhere every alert
    /// must be told at least once: a digest tells several changes of an alert as one, and a message counts ongoing
    /// alerts beside its news.
    pub fn read(addresses: &[Address], steady: &BTreeSet<usize>, accepted: &[Said], arrived: &[Arrived]) -> Self {
        let mut phones = Self::default();
        let mut told: BTreeMap<usize, Told> = BTreeMap::new();
        let mut own: HashMap<&str, BTreeSet<&str>> = HashMap::new();
        for said in accepted {
            own.entry(&said.receiver).or_default().insert(&said.word);
        }
        for message in arrived {
            let Some(at) = owner(addresses, message) else {
                phones.violations.push(format!("of no alert: {:?} {}", message.places, message.text));
                continue;
            };
            let known = own.get(addresses[at].receiver.as_str());
            for word in words_in(&message.text).into_iter().filter(|word| known.is_none_or(|own| !own.contains(word))) {
                phones.violations.push(format!("{} hears of {word}, which is not its own", addresses[at].lane));
            }
            match told.entry(at).or_default().add(message, steady.contains(&at)) {
                Ok(()) => {}
                Err(wrong) => phones.violations.push(format!("{}: {wrong}: {}", addresses[at].lane, message.text)),
            }
        }
        for (at, address) in addresses.iter().enumerate() {
            let told = told.remove(&at).unwrap_or_default();
            phones.named += told.named;
            phones.counted += (told.firing + told.resolved).saturating_sub(told.named);
            let news: Vec<&Said> = accepted.iter().filter(|said| said.receiver == address.receiver).collect();
            phones
                .violations
                .extend(told.wrong(&news, steady.contains(&at)).map(|wrong| format!("{}: {wrong}", address.lane)));
        }
        phones
    }
}

/// The address that a message was sent to. A message to a department also reaches its members; the department comes
/// later in the list than they do, and the last match counts.
fn owner(addresses: &[Address], message: &Arrived) -> Option<usize> {
    addresses.iter().rposition(|address| {
        message.channel == address.channel && message.places.iter().any(|place| address.places.contains(place))
    })
}

/// Critical alerts are named before all others, and of `stated` ones at least [`MANY`] (or all) before any other is
/// named.
fn critical_first(text: &str, stated: usize) -> Result<(), String> {
    let critical: Vec<bool> = words_in(text).into_iter().map(names_critical).collect();
    let named = critical.iter().filter(|critical| **critical).count();
    if critical[..named].contains(&false) {
        return Err("names others before critical alerts".to_owned());
    }
    if named < stated.min(MANY) && named < critical.len() {
        return Err(format!("names {named} of {stated} critical alerts, and others"));
    }
    Ok(())
}

impl Told {
    fn add(&mut self, message: &Arrived, steady: bool) -> Result<(), String> {
        let words: BTreeSet<&str> = words_in(&message.text).into_iter().collect();
        if message.text.contains("可能重复") {
            return Err("a copy, though nothing failed".to_owned());
        }
        self.named += words.len();
        if !message.text.contains(MERGED) {
            self.firing += words.len() + reading::letter_more(&message.text);
            return if steady { critical_first(&message.text, 0) } else { Ok(()) };
        }
        let digest = reading::digest(&message.text)?;
        self.firing += digest.firing;
        self.resolved += digest.resolved;
        if steady { critical_first(&message.text, digest.critical) } else { Ok(()) }
    }

    fn wrong(&self, news: &[&Said], steady: bool) -> Option<String> {
        let begun = news.iter().filter(|said| said.kind == Kind::Firing).count();
        let alerts = news.iter().map(|said| said.word.as_str()).collect::<BTreeSet<_>>().len();
        let told = self.firing + self.resolved;
        let right = if steady { (self.firing, self.resolved) == (begun, 0) } else { told >= alerts };
        (!right).then(|| {
            format!(
                "messages tell {} alerts that began and {} that ended, of {} changes of {alerts}",
                self.firing,
                self.resolved,
                news.len()
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Channel;

    const CRITICAL: &str = "k0001n00000z";
    const OTHER: &str = "w0001n00005z";

    fn address(name: &str) -> Address {
        Address {
            receiver: name.to_owned(),
            lane: format!("app/ops/{name}"),
            channel: Channel::App,
            places: vec![name.to_owned()],
        }
    }

    fn said(word: &str) -> Said {
        Said { word: word.to_owned(), starts_at: 0, kind: Kind::Firing, receiver: "a".to_owned() }
    }

    fn wrong(texts: &[&str]) -> Vec<String> {
        let arrived = |text: &&str| Arrived {
            id: 1,
            at_ms: 0,
            channel: Channel::App,
            places: vec!["a".to_owned()],
            text: (*text).to_owned(),
        };
        let arrived: Vec<Arrived> = texts.iter().map(arrived).collect();
        let accepted = [said(CRITICAL), said(OTHER), said("w0001n00006z")];
        Phones::read(&[address("a")], &BTreeSet::from([0]), &accepted, &arrived).violations
    }

    fn digest(critical: &str, rest: &str) -> String {
        format!(
            "[告警] 2 条：规则01（critical 1）\n合并自 14:11–14:13\ncritical 1：\n- {critical}\n其余 1 条：\n- {rest}\n#PSVJ"
        )
    }

    #[test]
    fn names_and_counts_must_add_up() {
        let letter = format!("[告警] 规则01\n{OTHER}");
        let whole = digest(&format!("规则01 · {CRITICAL}"), "规则01 ×1");
        assert_eq!(wrong(&[&letter, &whole]), Vec::<String>::new());
        assert!(wrong(&[&letter])[0].contains("tell 1 alerts"));
        assert!(wrong(&[&letter, &whole, &whole])[0].contains("tell 5 alerts"));
        assert!(wrong(&[&format!("[告警] 规则01 ×3\n{OTHER}\n另 2 项")]).is_empty());
    }

    #[test]
    fn a_critical_alert_that_is_only_counted_beside_a_named_one_is_noticed() {
        let turned = digest("规则01 ×1", &format!("规则01 · {OTHER}"));
        let found = wrong(&[&turned, "[告警] 规则01\nw0001n00006z"]);
        assert!(found.iter().any(|wrong| wrong.contains("names 0 of 1 critical")), "{found:?}");
    }

    #[test]
    fn critical_alerts_come_first_and_all_or_many_of_them() {
        let text = |critical: usize, others: usize| {
            let line = |kind: char, number: usize| format!("{kind}0001n{number:05}z\n");
            let critical: String = (0..critical).map(|number| line('k', number)).collect();
            critical + &(0..others).map(|number| line('w', number)).collect::<String>()
        };
        for (critical, stated) in [(0, 0), (3, 3), (10, 40)] {
            assert_eq!(critical_first(&text(critical, 2), stated), Ok(()), "{critical} of {stated}");
        }
        assert_eq!(critical_first(&text(9, 0), 40), Ok(()), "nothing took their place");
        assert!(critical_first(&text(9, 2), 40).is_err());
        assert!(critical_first(&(text(0, 1) + &text(3, 0)), 3).is_err());
    }

    #[test]
    fn a_foreign_alert_is_noticed() {
        assert!(wrong(&["[告警] 规则01\nw0009n00000z"])[0].contains("not its own"));
    }
}
