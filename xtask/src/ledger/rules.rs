//! The rules, one address at a time.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::record::Transition;
use super::{Address, Arrived, Channel, Ledger, Report, Rule, Said};

type Receipts<'a> = HashMap<i64, Vec<&'a Arrived>>;

impl Ledger<'_> {
    /// Every accepted change is recorded once, has a fate, and the fate is true.
    pub(super) fn fates(&self, address: &Address, receipts: &Receipts<'_>, report: &mut Report) {
        let mut recorded: HashMap<Said, Vec<&Transition>> = HashMap::new();
        for transition in self.transitions(address) {
            let Some(said) = transition.said() else {
                report
                    .broken(Rule::Invented, format!("{}: a {} of {}", address.lane, transition.kind, transition.word));
                continue;
            };
            if !self.posted.contains(&said) {
                report.broken(Rule::Invented, format!("{}: {}", address.lane, said.token()));
            }
            recorded.entry(said).or_default().push(transition);
        }
        for said in self.accepted.iter().filter(|said| said.receiver == address.receiver) {
            if !recorded.contains_key(said) {
                report.broken(Rule::Lost, format!("{}: {}", address.lane, said.token()));
            }
        }
        for (said, transitions) in &recorded {
            if transitions.len() > 1 {
                report.broken(Rule::Doubled, format!("{}: {} × {}", address.lane, transitions.len(), said.token()));
            }
            for transition in transitions {
                if let Some((rule, why)) = self.untold(transition, said, receipts) {
                    let id = transition.message.map_or_else(String::new, |id| format!(" (message {id})"));
                    report.broken(rule, format!("{}: {}{id} {why}", address.lane, said.token()));
                }
            }
        }
    }

    /// Why a transition does not count as told.
    fn untold(&self, transition: &Transition, said: &Said, receipts: &Receipts<'_>) -> Option<(Rule, String)> {
        let arrived = transition.message.and_then(|id| receipts.get(&id));
        match transition.fate.as_str() {
            "named" => match arrived {
                None => Some((Rule::NotTold, "is named in a message that did not arrive".to_owned())),
                Some(messages) if !messages.iter().any(|message| message.text.contains(&said.word)) => {
                    Some((Rule::NotTold, "is said to be named, but its message does not name it".to_owned()))
                }
                Some(_) => None,
            },
            "counted" if arrived.is_none() => {
                Some((Rule::NotTold, "is counted in a message that did not arrive".to_owned()))
            }
            "counted" => None,
            "dead" => {
                let own = |other: &Arrived| arrived.is_some_and(|own| own.iter().any(|message| message.id == other.id));
                let elsewhere =
                    self.arrived.iter().any(|message| message.text.contains(&said.token()) && !own(message));
                (!elsewhere).then(|| (Rule::NoFate, "is dead and no fallback told it".to_owned()))
            }
            other => Some((Rule::NoFate, format!("is {other} {}", transition.reason))),
        }
    }

    /// For each alert: all copies of an earlier message come before the first of a later one, and the last state told
    /// is the last one accepted.
    pub(super) fn order(&self, address: &Address, receipts: &Receipts<'_>, report: &mut Report) {
        let mut stories: BTreeMap<&str, Vec<&Transition>> = BTreeMap::new();
        for transition in self.transitions(address) {
            stories.entry(transition.word.as_str()).or_default().push(transition);
        }
        let mut last_accepted: HashMap<&str, &Said> = HashMap::new();
        for said in self.accepted.iter().filter(|said| said.receiver == address.receiver) {
            last_accepted.insert(said.word.as_str(), said);
        }
        for (word, mut story) in stories {
            story.sort_by_key(|transition| (transition.starts_at, transition.kind != "firing"));
            for pair in story.windows(2) {
                if let Some(how) = overtaken(pair[0], pair[1], receipts) {
                    report.broken(Rule::Order, format!("{}: {word}: {how}", address.lane));
                }
            }
            if let (Some(&last), Some(said)) = (story.last(), last_accepted.get(word))
                && let Some(how) = wrong_end(last, said, &story, receipts)
            {
                report.broken(Rule::LastState, format!("{}: {word}: {how}", address.lane));
            }
        }
    }

    /// App: every part arrives once. Elsewhere: at most one further copy for each attempt with an unknown result.
    pub(super) fn copies(&self, address: &Address, receipts: &Receipts<'_>, report: &mut Report) {
        for (id, message) in self.record.messages.iter().filter(|(_, message)| message.lane == address.lane) {
            *report.unsure.entry(address.channel).or_default() += message.unsure;
            let mut of_part: BTreeMap<u32, usize> = BTreeMap::new();
            for receipt in receipts.get(id).into_iter().flatten() {
                let part = message.parts.iter().find(|part| part.text == receipt.text).map_or(0, |part| part.number);
                *of_part.entry(part).or_default() += 1;
            }
            let copies: usize = of_part.values().map(|count| count - 1).sum();
            *report.copies.entry(address.channel).or_default() += copies;
            if copies > 0 && address.channel != Channel::App {
                report.copied.insert(*id, copies);
            }
            let allowed = if address.channel == Channel::App { 0 } else { message.unsure };
            if copies > allowed {
                let of = format!("{}: message {id}: {copies} copies, {} unsure attempts", address.lane, message.unsure);
                report.broken(Rule::Copies, of);
            }
        }
    }

    fn transitions(&self, address: &Address) -> impl Iterator<Item = &Transition> {
        let lane = address.lane.clone();
        self.record.transitions.iter().filter(move |transition| transition.lane == lane)
    }
}

/// How `later` came before `earlier`, if it did.
fn overtaken(earlier: &Transition, later: &Transition, receipts: &Receipts<'_>) -> Option<String> {
    let (first, second) = (earlier.message?, later.message?);
    if first == second {
        return None;
    }
    let last_of_first = receipts.get(&first)?.iter().map(|receipt| receipt.id).max()?;
    let first_of_second = receipts.get(&second)?.iter().map(|receipt| receipt.id).min()?;
    (last_of_first > first_of_second).then(|| {
        format!(
            "{} (message {second}) arrived before {} (message {first}) or a copy of it",
            later.name(),
            earlier.name()
        )
    })
}

/// How the last message about an alert contradicts the last accepted change.
fn wrong_end(last: &Transition, said: &Said, story: &[&Transition], receipts: &Receipts<'_>) -> Option<String> {
    if last.said().as_ref() != Some(said) {
        return Some(format!("the record ends with {}, the sender with {}", last.name(), said.token()));
    }
    // By arrival, not by the record: the order in which a person reads.
    let about: HashSet<i64> = story.iter().filter_map(|transition| transition.message).collect();
    let newest = about.iter().flat_map(|id| receipts.get(id).into_iter().flatten().map(move |at| (at, *id)));
    let (newest, id) = newest.max_by_key(|(receipt, _)| receipt.id)?;
    if Some(id) != last.message {
        return Some(format!("message {id} arrived last, not the one with {}", last.name()));
    }
    // If the text shows states of this alert at all, it shows the right one.
    let shows_others =
        story.iter().filter_map(|transition| transition.said()).any(|other| newest.text.contains(&other.token()));
    (shows_others && !newest.text.contains(&said.token()))
        .then(|| format!("the last text shows another state than {}: {}", said.token(), newest.text))
}
