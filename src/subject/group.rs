//! What the alerts of one rule share, and what differs among them.
//!
//! Works on the parts of their subjects. Labels that are in no list come in only where two rows would read the same.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use ecow::{EcoString, eco_format};

use super::names::{ASKED_BY, BOOLEAN};
use super::part::{Kind, Part, text};
use super::reading::Fate;
use super::{Sighting, Subject, ends, explain};

/// Labels that are added where two rows would read the same.
const ADDED: usize = 3;
/// Alerts whose labels are examined for that.
const EXAMINED: usize = 200;
/// Characters of a name from which on its common beginning is cut.
const LONG: usize = 16;

/// An alert of a group.
#[derive(Debug, Clone, Copy)]
pub struct Member<'a> {
    /// What is known of it.
    pub of: Sighting<'a>,
    pub subject: &'a Subject,
    /// Alerts of different states share no row: firing, over. Smaller ones come first.
    pub state: u8,
    /// The rank of its severity; smaller is graver.
    pub grade: u8,
    /// How bad its value is: larger is worse for every kind of comparison.
    pub worse: Option<f64>,
}

/// The alerts of one rule.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Group {
    /// What all share.
    pub head: Subject,
    /// What differs, worst first. No two read the same, and none repeats the head.
    pub rows: Vec<Row>,
}

/// Alerts that read the same.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Row {
    /// Places of the alerts in the group, worst first.
    pub members: Vec<usize>,
    /// What differs: parts of the object, kinds of trouble, places, further labels.
    pub parts: Vec<Part>,
    /// The same as one text; empty if nothing differs.
    pub text: EcoString,
}

/// What `members`, alerts of one rule, share, and what differs.
pub fn group(members: &[Member<'_>]) -> Group {
    let Some(first) = members.first() else { return Group::default() };
    let mut subjects: Vec<Subject> = members.iter().map(|member| member.subject.clone()).collect();
    if members.len() == 1 {
        let row = Row { members: vec![0], parts: Vec::new(), text: EcoString::new() };
        return Group { head: first.subject.clone(), rows: vec![row] };
    }
    keep_telling_ports(&mut subjects);
    for subject in &mut subjects {
        let latent = std::mem::take(&mut subject.latent);
        subject.latent = latent.into_iter().map(worded).collect();
    }
    let mut head = Subject {
        object: shared(&subjects, |subject| &subject.object),
        place: shared(&subjects, |subject| &subject.place),
        qualifier: shared(&subjects, |subject| &subject.qualifier),
        latent: Vec::new(),
    };
    // A namespace alone names nothing: it stays with what it is the namespace of.
    let latent = shared(&subjects, |subject| &subject.latent);
    let mut rows: Vec<Vec<Part>> = subjects
        .into_iter()
        .map(|subject| {
            let mut row = subject.object;
            row.retain(|part| !has(&head.object, part));
            let own = |parts: Vec<Part>, shared: &[Part]| parts.into_iter().filter(|part| !has(shared, part)).collect();
            row.extend::<Vec<Part>>(own(subject.qualifier, &head.qualifier));
            row.extend::<Vec<Part>>(own(subject.latent, &latent));
            row.extend::<Vec<Part>>(own(subject.place, &head.place));
            row.shrink_to_fit();
            row
        })
        .collect();
    tell_apart(members, &mut rows);
    shorten(&mut rows, &mut head);
    let mut rows = merged(members, rows);
    rows.sort_by(|a, b| order(members, a, b));
    Group { head, rows }
}

/// The parts that all of `subjects` have.
fn shared(subjects: &[Subject], of: impl Fn(&Subject) -> &Vec<Part>) -> Vec<Part> {
    let (first, rest) = subjects.split_first().expect("a group has alerts");
    let common = of(first).iter().filter(|part| rest.iter().all(|subject| has(of(subject), part)));
    let mut common: Vec<Part> = common.cloned().collect();
    // Two pods of one name in two namespaces differ by more than the namespace.
    let split = rest.iter().any(|subject| namespace(of(subject)) != namespace(of(first)));
    if split {
        common.retain(|part| matches!(part.kind, Kind::Place | Kind::Qualifier));
    }
    common
}

fn namespace(parts: &[Part]) -> Option<&str> {
    parts.iter().find(|part| part.kind == Kind::Namespace).map(|part| part.text.as_str())
}

fn has(parts: &[Part], part: &Part) -> bool {
    parts.iter().any(|known| known.kind == part.kind && known.text == part.text)
}

/// Ports that were cut come back where two alerts differ only by them.
fn keep_telling_ports(subjects: &mut [Subject]) {
    let distinct = |with_ports: bool| {
        let whole = |subject: &Subject| -> Vec<EcoString> {
            let parts = subject.object.iter().chain(&subject.place);
            parts
                .map(|part| if with_ports { eco_format!("{}{}", part.text, part.port) } else { part.text.clone() })
                .collect()
        };
        subjects.iter().map(whole).collect::<HashSet<_>>().len()
    };
    if !subjects.iter().any(|subject| subject.object.iter().any(|part| !part.port.is_empty())) {
        return;
    }
    let bare = distinct(false);
    if bare == subjects.len() || bare == distinct(true) {
        return;
    }
    for part in subjects.iter_mut().flat_map(|subject| &mut subject.object) {
        let port = std::mem::take(&mut part.port);
        part.text.push_str(&port);
    }
}

/// Adds labels until no two rows read the same.
fn tell_apart(members: &[Member<'_>], rows: &mut [Vec<Part>]) {
    let mut texts: Vec<String> = rows.iter().map(|row| text(row)).collect();
    let mut distinct = texts.iter().collect::<HashSet<_>>().len();
    if distinct == rows.len() {
        return;
    }
    let mut candidates = candidates(members);
    for _ in 0..ADDED {
        if distinct == rows.len() {
            return;
        }
        let told = |label: &str| {
            let pairs = members.iter().zip(&texts).map(|(member, text)| (text.as_str(), member.of.labels.get(label)));
            pairs.collect::<HashSet<_>>().len()
        };
        let best = candidates
            .iter()
            .enumerate()
            .map(|(at, label)| (told(label), at))
            .max_by_key(|(told, at)| (*told, usize::MAX - at));
        let Some((now, at)) = best.filter(|(now, _)| *now > distinct) else { return };
        let label = candidates.remove(at);
        for ((row, member), text_of) in rows.iter_mut().zip(members).zip(&mut texts) {
            let Some(value) = member.of.labels.get(&label).map(|value| value.trim()).filter(|value| !value.is_empty())
            else {
                continue;
            };
            let part = worded(Part {
                kind: Kind::Named,
                label: label.as_str().into(),
                text: value.into(),
                port: EcoString::new(),
            });
            row.push(part);
            *text_of = text(row);
        }
        distinct = now;
    }
}

/// Labels that may tell alerts apart, the best first: never one of the rule, of the transport or of the asker, and the
/// owner's last.
fn candidates(members: &[Member<'_>]) -> Vec<String> {
    let mut found: BTreeMap<String, (bool, HashSet<&str>, usize)> = BTreeMap::new();
    let mut silent: BTreeSet<String> = BTreeSet::new();
    for member in members.iter().take(EXAMINED) {
        for why in explain(&member.of).1 {
            match why.fate {
                Fate::Open | Fate::Repeated | Fate::Owner | Fate::Empty => {
                    let value = member.of.labels.get(&why.label).map_or("", EcoString::as_str);
                    let entry = found.entry(why.label).or_insert((why.fate == Fate::Owner, HashSet::new(), 0));
                    entry.1.insert(value);
                    entry.2 += value.chars().count();
                }
                _ => _ = silent.insert(why.label),
            }
        }
    }
    let mut found: Vec<_> = found.into_iter().filter(|(label, _)| !silent.contains(label)).collect();
    found.sort_by_key(|(label, (owner, values, length))| {
        let asked = ASKED_BY.contains(&label.as_str()) || label == "endpoint";
        (*owner, asked, usize::MAX - values.len(), *length)
    });
    found.into_iter().map(|(label, _)| label).take(24).collect()
}

/// A bare number or a single letter says nothing without its name.
fn worded(part: Part) -> Part {
    let telling =
        part.text.chars().filter(|c| c.is_alphabetic()).nth(1).is_some() && !BOOLEAN.contains(&part.text.as_str());
    if telling { part } else { Part { text: eco_format!("{}={}", part.label, part.text), ..part } }
}

/// Cuts what all names have in common, if it is long, and says it once in the head.
fn shorten(rows: &mut [Vec<Part>], head: &mut Subject) {
    let kinds: BTreeSet<Kind> = rows.iter().flatten().map(|part| part.kind).collect();
    for kind in kinds
        .into_iter()
        .filter(|kind| matches!(kind, Kind::Pod | Kind::Host | Kind::Workload | Kind::Cloud | Kind::Named))
    {
        let names: Vec<&str> = rows
            .iter()
            .filter_map(|row| row.iter().find(|part| part.kind == kind).map(|part| part.text.as_str()))
            .collect();
        // `instance=10.0.0.1:8080` is a label that was added to tell two apart, and no name.
        let added = kind == Kind::Named && names.iter().any(|name| name.contains('='));
        if added || names.len() < rows.len() || names.len() < 2 {
            continue;
        }
        let distinct: HashSet<&str> = names.iter().copied().collect();
        if distinct.len() < 2 {
            continue;
        }
        let mut said = None;
        if kind == Kind::Pod {
            let workloads: HashSet<&str> = names.iter().map(|name| ends::workload(name)).collect();
            if let [workload] = workloads.into_iter().collect::<Vec<_>>()[..]
                && (namespace(&head.object).is_some() || rows.iter().all(|row| namespace(row).is_none()))
            {
                said = Some(Part {
                    kind: Kind::Workload,
                    label: "pod".into(),
                    text: workload.into(),
                    port: EcoString::new(),
                });
            }
        }
        let cut: Option<Vec<EcoString>> = if kind == Kind::Host { ends::first_labels(&names) } else { None };
        let cut = cut.or_else(|| {
            let long = names.iter().any(|name| name.chars().count() > LONG);
            let (start, end) = if long { ends::common(&names) } else { (0, 0) };
            (start + end > 0).then(|| {
                let (before, after) = (&names[0][..start], &names[0][names[0].len() - end..]);
                said = said.take().or_else(|| {
                    let text = match (before, after) {
                        ("", after) => eco_format!("…{after}"),
                        (before, after) => eco_format!("{before}{}…{after}", &names[0][start..=start]),
                    };
                    Some(Part { kind, label: EcoString::new(), text, port: EcoString::new() })
                });
                let dots = |shown: bool| if shown { "…" } else { "" };
                names
                    .iter()
                    .map(|name| eco_format!("{}{}{}", dots(start > 0), &name[start..name.len() - end], dots(end > 0)))
                    .collect()
            })
        });
        if let Some(said) = said {
            let at = head.object.iter().position(|part| part.kind != Kind::Namespace).unwrap_or(head.object.len());
            head.object.insert(at, said);
        }
        let Some(cut) = cut else { continue };
        for (row, name) in rows.iter_mut().zip(cut) {
            if let Some(part) = row.iter_mut().find(|part| part.kind == kind) {
                part.text = name;
            }
        }
    }
}

/// The rows by their text.
fn merged(members: &[Member<'_>], rows: Vec<Vec<Part>>) -> Vec<Row> {
    let mut of_text: HashMap<(u8, EcoString), usize> = HashMap::new();
    // Most often no two read the same; a vector that grows has room for twice as many.
    let mut merged: Vec<Row> = Vec::with_capacity(rows.len());
    for (at, mut parts) in rows.into_iter().enumerate() {
        parts.shrink_to_fit();
        let text = EcoString::from(text(&parts));
        let key = (members[at].state, text);
        if let Some(row) = of_text.get(&key) {
            merged[*row].members.push(at);
            continue;
        }
        merged.push(Row { members: vec![at], parts, text: key.1.clone() });
        of_text.insert(key, merged.len() - 1);
    }
    for row in &mut merged {
        row.members.sort_by(|a, b| compare(&members[*a], &members[*b]));
    }
    merged
}

/// The graver severity, then the worse value, then the natural order of the names.
fn order(members: &[Member<'_>], a: &Row, b: &Row) -> std::cmp::Ordering {
    compare(&members[a.members[0]], &members[b.members[0]]).then_with(|| ends::natural(&a.text, &b.text))
}

fn compare(a: &Member<'_>, b: &Member<'_>) -> std::cmp::Ordering {
    let worse = |member: &Member<'_>| member.worse.filter(|worse| !worse.is_nan()).unwrap_or(f64::NEG_INFINITY);
    (a.state, a.grade).cmp(&(b.state, b.grade)).then_with(|| worse(b).total_cmp(&worse(a)))
}

impl Row {
    /// The part by which rows are folded: the workload of a pod, the name of a host, a place.
    pub(super) fn key(&self, kind: Kind) -> Option<&str> {
        let of = |wanted: Kind| self.parts.iter().find(|part| part.kind == wanted).map(|part| part.text.as_str());
        match kind {
            Kind::Workload => of(Kind::Pod).map(ends::workload).or_else(|| of(Kind::Workload)),
            kind => of(kind),
        }
    }
}
