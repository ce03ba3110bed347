//! A digest in sections, with rules merged by name, and what distinguishes each known alert.

use std::collections::BTreeMap;

use super::super::DigestLetter;
use super::super::facts::rule_name;
use super::super::rows::cleaned;
use super::super::words::{Clock, Weight, number, pick};
use crate::alert::Status;
use crate::config::Language;
use crate::level::Levels;
use crate::store::{Digest, DigestItem};
use crate::subject::{self, Member, Part, Sighting, Subject, Taught, group};

/// The start of an alert is shown if it is this much older than the digest: the others began with it.
const OLD_MS: i64 = 10 * 60_000;
/// From this number of changes of one alert on the number is shown: firing, resolved, and firing again.
pub(super) const FLAPPING: u64 = 3;

/// A digest, prepared for rendering.
pub(super) struct Tally {
    /// Critical, other firing, resolved, notices.
    pub(super) sections: [Section; 4],
    /// What all its alerts share, if all are known: their object, then the places, the widest first.
    pub(super) scope: Vec<String>,
    /// Does an object stand before the places?
    pub(super) has_object: bool,
    /// Since when all that fire do, if that is one moment and worth a word; their rows do not say it again.
    pub(super) since: String,
    /// The rule to name if only one can be.
    pub(super) name: String,
    /// Number of rules.
    pub(super) rules: usize,
    /// The word for critical.
    pub(super) severity: &'static str,
    pub(super) weight: Weight,
    pub(super) language: Language,
}

/// Alerts of one kind.
pub(super) struct Section {
    pub(super) total: u64,
    /// Largest first.
    pub(super) rules: Vec<Rule>,
    /// The alerts that are listed.
    pub(super) rows: Vec<Row>,
    /// Number of rules that are not listed; `None`: unknown.
    pub(super) beyond: Option<u64>,
}

/// The alerts of one rule in a section.
#[derive(Clone)]
pub(super) struct Rule {
    pub(super) name: String,
    pub(super) count: u64,
}

/// A listed alert.
pub(super) struct Row {
    pub(super) alert: i64,
    /// Place of its rule in the section; `None` if the rule is not listed.
    pub(super) rule: Option<usize>,
    pub(super) name: String,
    /// What distinguishes it from others of its rule; empty if nothing does.
    pub(super) what: String,
    /// Its start, its number of changes, or its duration.
    pub(super) aside: String,
    /// Is it the only one of its rule in the whole digest?
    pub(super) alone: bool,
}

impl Section {
    /// Alerts of rules that are not listed.
    pub(super) fn beyond_count(&self) -> u64 {
        self.total.saturating_sub(self.rules.iter().map(|rule| rule.count).sum())
    }
}

impl Tally {
    pub(super) fn of(letter: &DigestLetter<'_>, clock: &Clock<'_>) -> Self {
        let DigestLetter { digest, levels, .. } = *letter;
        let language = clock.language;
        let plain = digest.firing.saturating_sub(digest.critical);
        let mut sections = [digest.critical, plain, digest.resolved, digest.notices].map(|total| Section {
            total,
            rules: Vec::new(),
            rows: Vec::new(),
            beyond: Some(digest.other.groups),
        });
        for group in &digest.groups {
            let name = rule_name(&group.name, language);
            sections[usize::from(!group.critical)].count(&name, group.firing);
            sections[2].count(&name, group.resolved);
        }
        // Notices have no rule: each listed one counts under its own name.
        for item in digest.items.iter().filter(|item| item.status == Status::Notice) {
            sections[3].count(&rule_name(&item.name, language), 1);
        }
        sections[3].beyond = Some(0);
        let mut grave: BTreeMap<String, u8> = BTreeMap::new();
        for group in digest.groups.iter().filter(|group| group.firing > 0) {
            let rank = Weight::of(levels.of(&group.severity), &group.severity).rank();
            let known = grave.entry(rule_name(&group.name, language)).or_insert(rank);
            *known = rank.min(*known);
        }
        for (place, section) in sections.iter_mut().enumerate() {
            let rank = |rule: &Rule| if place < 2 { grave.get(&rule.name).copied().unwrap_or(u8::MAX) } else { 0 };
            section.rules.sort_by_key(|rule| (rank(rule), std::cmp::Reverse(rule.count)));
        }
        // The groups that are not listed are counted together: how they are spread over sections is unknown.
        if sections.iter().filter(|section| section.beyond_count() > 0).count() > 1 {
            for section in &mut sections {
                section.beyond = None;
            }
        }
        let mut tally = Self {
            name: name(digest, &sections, language),
            rules: rules(digest, language),
            severity: pick(language, "严重", "CRIT"),
            weight: weight(digest, levels),
            scope: Vec::new(),
            has_object: false,
            since: since(digest, clock).unwrap_or_default(),
            sections,
            language,
        };
        tally.add_rows(digest, clock, letter.taught);
        tally
    }

    /// What tells the listed alerts apart: of one rule by what differs among them, else by the whole object.
    fn add_rows(&mut self, digest: &Digest, clock: &Clock<'_>, taught: &Taught) {
        let language = clock.language;
        let names: Vec<String> = digest.items.iter().map(|item| rule_name(&item.name, language)).collect();
        let sightings: Vec<Sighting<'_>> = digest
            .items
            .iter()
            .map(|item| Sighting { labels: &item.labels, said: "", expression: "", taught })
            .collect();
        let beside = |(of, name): (&Sighting<'_>, &String)| cleaned(&subject::beside(name, of));
        let subjects: Vec<Subject> = sightings.iter().zip(&names).map(beside).collect();
        let member = |at: usize| Member {
            of: sightings[at],
            subject: &subjects[at],
            state: match digest.items[at].status {
                Status::Firing => 0,
                Status::Resolved => 1,
                Status::Notice => 2,
            },
            grade: u8::from(!digest.items[at].critical),
            worse: None,
        };
        let mut of_rule: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (at, name) in names.iter().enumerate() {
            of_rule.entry(name).or_default().push(at);
        }
        let complete = digest.items.len() as u64 == digest.all();
        let all: Vec<Member<'_>> = (0..digest.items.len()).map(member).collect();
        let head = if complete { group(&all).head } else { Subject::default() };
        if complete {
            let one_object = if of_rule.len() == 1 { head.object.as_slice() } else { &[] };
            let object = Some(subject::text(one_object)).filter(|text| !text.is_empty() && digest.all() > 1);
            self.has_object = object.is_some();
            self.scope = object.into_iter().chain(subject::places(&head.place)).collect();
        }
        let mut what = vec![String::new(); digest.items.len()];
        for of in of_rule.values() {
            let members: Vec<Member<'_>> = of.iter().map(|at| member(*at)).collect();
            for row in group(&members).rows {
                for at in row.members.iter().map(|at| of[*at]) {
                    let place: Vec<Part> =
                        subjects[at].place.iter().filter(|part| !head.place.contains(part)).cloned().collect();
                    let whole = || {
                        let words = [subject::text(&subjects[at].object), subject::places(&place).join(" ")];
                        words.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ")
                    };
                    what[at] = if row.text.is_empty() { whole() } else { row.text.to_string() };
                }
            }
        }
        for (at, item) in digest.items.iter().enumerate() {
            let section = match (item.status, item.critical) {
                (Status::Firing, true) => 0,
                (Status::Firing, false) => 1,
                (Status::Resolved, _) => 2,
                (Status::Notice, _) => 3,
            };
            let alone = self.count_of(&names[at]) == 1;
            let section = &mut self.sections[section];
            section.rows.push(Row {
                alert: item.alert,
                rule: section.rules.iter().position(|rule| rule.name == names[at]),
                what: std::mem::take(&mut what[at]),
                aside: aside(item, digest, clock, self.since.is_empty()),
                name: names[at].clone(),
                alone,
            });
        }
    }

    /// What distinguishes the only alert of a digest; `None` if there are several or it is not known.
    pub(super) fn only(&self) -> Option<&str> {
        let total: u64 = self.sections.iter().map(|section| section.total).sum();
        let only = self.sections.iter().find_map(|section| section.rows.first()).filter(|_| total == 1)?;
        Some(only.what.as_str())
    }

    /// Alerts of the rule, firing or resolved; 0 if the rule is not listed.
    fn count_of(&self, name: &str) -> u64 {
        self.sections
            .iter()
            .flat_map(|section| &section.rules)
            .filter(|rule| rule.name == name)
            .map(|rule| rule.count)
            .sum()
    }
}

impl Section {
    fn count(&mut self, name: &str, count: u64) {
        if count == 0 {
            return;
        }
        match self.rules.iter_mut().find(|rule| rule.name == name) {
            Some(rule) => rule.count += count,
            None => self.rules.push(Rule { name: name.to_owned(), count }),
        }
    }
}

/// The moment at which all that fire began; `None` if they are not all known, or it differs, or it says nothing.
fn since(digest: &Digest, clock: &Clock<'_>) -> Option<String> {
    let complete = digest.items.len() as u64 == digest.all();
    let mut firing = digest.items.iter().filter(|item| complete && item.status == Status::Firing);
    let start = firing.next()?.starts_at?;
    let begun = clock.time(start)?;
    let rest: Vec<_> = firing.collect();
    let same = rest.iter().all(|item| item.starts_at.and_then(|at| clock.time(at)).as_ref() == Some(&begun));
    let told = digest.from.millis_since(start) >= OLD_MS && !rest.is_empty() && same;
    told.then(|| format!("{} {begun}", pick(clock.language, "均自", "all since")))
}

/// `timed`: with its start, if it fires.
fn aside(item: &DigestItem, digest: &Digest, clock: &Clock<'_>, timed: bool) -> String {
    let zh = clock.language == Language::Zh;
    let only = digest.all() == 1;
    let mut words = Vec::new();
    match (item.status, item.starts_at, item.ends_at) {
        (Status::Firing, Some(start), _) if timed && (only || digest.from.millis_since(start) >= OLD_MS) => {
            words.extend(Some(clock.begun(start)).filter(|begun| !begun.is_empty()));
        }
        (Status::Resolved, Some(start), Some(end)) => {
            let lasted = clock.duration(start, end);
            let said = if zh { format!("持续 {lasted}") } else { format!("lasted {lasted}") };
            words.extend((!lasted.is_empty()).then_some(said));
        }
        _ => {}
    }
    if item.changes >= FLAPPING && !only {
        let times = number(item.changes);
        words.push(if zh { format!("变化 {times} 次") } else { format!("{times} changes") });
    }
    words.join(pick(clock.language, "，", ", "))
}

/// The rule of the first critical alert, else the one with the most firing alerts, else with the most resolved ones.
fn name(digest: &Digest, sections: &[Section; 4], language: Language) -> String {
    let first = digest.items.first().filter(|item| item.critical && item.status == Status::Firing);
    let largest = || sections.iter().find_map(|section| Some(section.rules.first()?.name.clone()));
    let known = || digest.items.first().map(|item| rule_name(&item.name, language));
    first.map(|item| rule_name(&item.name, language)).or_else(largest).or_else(known).unwrap_or_default()
}

fn rules(digest: &Digest, language: Language) -> usize {
    let mut names: Vec<String> = digest.groups.iter().map(|group| rule_name(&group.name, language)).collect();
    names.sort_unstable();
    names.dedup();
    names.len() + usize::try_from(digest.other.groups).unwrap_or(usize::MAX / 2)
}

fn weight(digest: &Digest, levels: &Levels) -> Weight {
    if digest.critical > 0 || digest.other.firing > 0 {
        return Weight::Red;
    }
    let on = digest.groups.iter().filter(|group| group.firing > 0);
    let weights: Vec<Weight> = on.map(|group| Weight::of(levels.of(&group.severity), &group.severity)).collect();
    [Weight::Red, Weight::Yellow].into_iter().find(|weight| weights.contains(weight)).unwrap_or(Weight::Blue)
}
