//! Steps F, P and Q: from the labels that are left to the object, its place and the kind of trouble.

use super::names::{
    ADDRESSES, BOOLEAN, Beside, FAMILIES, FOLDER, Family, HOSTS, LAST, LATENT, List, Names, PLACES, QUALIFIERS,
    REPEATING, ROUTES, bit, id, list,
};
use super::part::{Kind, Part};
use super::reading::{Entry, Fate, Reading, shows};
use super::{Sighting, Subject, Taught, said};

/// Parts of an object that sentences and routes are added to; a namespace belongs to the part behind it.
const PARTS: usize = 3;

/// The object: what the user taught, else the first family that finds something, with its route.
pub(super) fn object(reading: &mut Reading<'_>, of: &Sighting<'_>, subject: &mut Subject) {
    for name in &of.taught.object {
        take(reading, name, Kind::Named, Fate::Object("taught"), &mut subject.object);
    }
    if subject.object.is_empty()
        && let Some(family) = FAMILIES.iter().find(|family| family.finds(reading))
    {
        family.take(reading, subject);
    }
    if !subject.object.is_empty() && count(&subject.object) < PARTS {
        let route = reading.first(&ROUTES).map(|entry| (entry.label, entry.part(Kind::Route)));
        if let Some((label, part)) = route {
            reading.settle(label, Fate::Object("route"));
            push(&mut subject.object, part);
        }
    }
    for (shown, repeating) in REPEATING {
        if subject.object.iter().any(|part| reading.all().any(|entry| entry.label == part.label && entry.is_in(shown)))
        {
            reading.decide(repeating, Fate::Repeated);
        }
    }
}

impl Family {
    fn finds(&self, reading: &Reading<'_>) -> bool {
        let any = |lists: Names| lists.iter().any(|names| reading.any(names));
        self.needs.iter().all(|lists| any(lists)) && !any(self.unless)
    }

    fn take(&self, reading: &mut Reading<'_>, subject: &mut Subject) {
        for (kind, lists) in self.parts {
            let found = lists.iter().find_map(|names| reading.first(names));
            if let Some((label, part)) = found.map(|entry| (entry.label, entry.part(*kind))) {
                reading.settle(label, Fate::Object(self.name));
                push(&mut subject.object, part);
            }
        }
        let beside: &[(Kind, List)] = match self.beside {
            Beside::Nothing => &[],
            Beside::Pod => &[(Kind::Namespace, list!["namespace"]), (Kind::Pod, list!["pod"])],
            Beside::Host => &[(Kind::Host, HOSTS), (Kind::Host, ADDRESSES)],
        };
        for (kind, names) in beside {
            if self.beside == Beside::Host && !subject.place.is_empty() {
                break;
            }
            if let Some((label, part)) = reading.first(names).map(|entry| (entry.label, entry.part(*kind))) {
                reading.settle(label, Fate::Place);
                subject.place.push(part);
            }
        }
    }
}

/// Step P: before what the family made a place.
pub(super) fn places(reading: &mut Reading<'_>, taught: &Taught, subject: &mut Subject) {
    let mut places: Vec<Part> = Vec::new();
    for name in &taught.place {
        take(reading, name, Kind::Place, Fate::Place, &mut places);
    }
    for name in PLACES.ids {
        take_usual(reading, *name, &mut places);
    }
    if places.is_empty() && subject.place.is_empty() {
        take_usual(reading, id(FOLDER), &mut places);
    }
    places.append(&mut subject.place);
    subject.place = places;
}

fn take_usual(reading: &mut Reading<'_>, name: u64, into: &mut Vec<Part>) {
    if let Some((label, part)) = reading.find(name).map(|entry| (entry.label, entry.part(Kind::Place))) {
        reading.settle(label, if push(into, part) { Fate::Place } else { Fate::Repeated });
    }
}

fn take(reading: &mut Reading<'_>, name: &str, kind: Kind, fate: Fate, into: &mut Vec<Part>) {
    if let Some((label, part)) = reading.taught(name).map(|entry| (entry.label, entry.part(kind))) {
        reading.settle(label, if push(into, part) { fate } else { Fate::Repeated });
    }
}

/// Step 12: what the author names is shown, in the order of the sentence.
pub(super) fn named(reading: &mut Reading<'_>, of: &Sighting<'_>, subject: &mut Subject) {
    let is_workload = subject.object.first().is_some_and(|part| part.kind == Kind::Namespace);
    let candidate = |entry: &Entry<'_>| {
        let kind = entry.is_in(&QUALIFIERS) || entry.is_in(&LATENT);
        !kind && entry.key != FOLDER && (entry.key != "job" || !is_workload)
    };
    let mut found: Vec<(usize, String, Part)> = Vec::new();
    for entry in reading.open().filter(|entry| candidate(entry)) {
        if BOOLEAN.contains(&entry.value) && entry.value.len() > 1 {
            continue;
        }
        // A label that repeats a whole sentence is the sentence, not a thing that it names.
        if of.said.lines().any(|line| line.trim() == entry.value.trim()) {
            continue;
        }
        // The address of another thing that is spoken of is no part of one that is known.
        if entry.value.contains("://") && !subject.object.is_empty() {
            continue;
        }
        if said::names(of.said, entry.label, entry.value) {
            let kind = if entry.is_in(&HOSTS) || entry.is_in(&ADDRESSES) { Kind::Host } else { Kind::Named };
            let at = of.said.find(entry.value).unwrap_or(usize::MAX);
            found.push((at, entry.label.to_owned(), entry.part(kind)));
        }
    }
    found.sort_by_key(|(at, ..)| *at);
    add(reading, subject, found.into_iter().map(|(_, label, part)| (label, part)), Fate::Named);
    if subject.object.is_empty() {
        let grouped: Vec<(String, Part)> = grouped_by(of.expression)
            .filter_map(|name| reading.open().find(|entry| entry.label == name && candidate(entry)))
            .map(|entry| (entry.label.to_owned(), entry.part(Kind::Named)))
            .collect();
        add(reading, subject, grouped.into_iter(), Fate::Grouped);
    }
}

fn add(reading: &mut Reading<'_>, subject: &mut Subject, found: impl Iterator<Item = (String, Part)>, fate: Fate) {
    for (label, part) in found {
        if shows(&subject.object, &part.text) {
            reading.settle(&label, Fate::Repeated);
        } else if count(&subject.object) < PARTS {
            reading.settle(&label, fate);
            subject.object.push(part);
        }
    }
}

/// The labels of the first `by (…)`.
fn grouped_by(expression: &str) -> impl Iterator<Item = &str> {
    let lists = expression.match_indices("by").filter_map(|(at, _)| {
        let whole = !expression[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        expression[at + 2..].trim_start().strip_prefix('(').filter(|_| whole)
    });
    let list = lists.filter_map(|rest| rest.split_once(')')).map(|(list, _)| list).next().unwrap_or_default();
    list.split(',').map(str::trim).filter(|name| !name.is_empty())
}

/// Step 13: where nothing was found, the part of an unknown machine, the narrowest place, the job.
pub(super) fn fall_back(reading: &mut Reading<'_>, said: &str, subject: &mut Subject) {
    if !subject.object.is_empty() {
        return;
    }
    for (kind, names) in LAST {
        if let Some((label, part)) = reading.first(names).map(|entry| (entry.label, entry.part(*kind))) {
            reading.settle(label, Fate::Object("part"));
            subject.object.push(part);
            return;
        }
    }
    // The folder of a rule is no object.
    if subject
        .place
        .last()
        .is_some_and(|place| !reading.all().any(|entry| entry.label == place.label && entry.key == FOLDER))
    {
        let place = subject.place.pop().expect("it is there");
        reading.settle(&place.label, Fate::Object("place"));
        subject.object.push(place);
        return;
    }
    if let Some((label, part)) = reading.get("job").map(|entry| (entry.label, entry.part(Kind::Service))) {
        reading.settle(label, Fate::Object("job"));
        subject.object.push(part);
        return;
    }
    // Who was asked is what fails, where nothing else is known and the author names it.
    let asked = reading.all().find(|entry| entry.fate == Fate::Asked && said::names(said, entry.label, entry.value));
    if let Some((label, part)) = asked.map(|entry| (entry.label, entry.part(Kind::Host))) {
        reading.settle(label, Fate::Named);
        subject.object.push(part);
    }
}

/// Step Q.
pub(super) fn qualifiers(reading: &mut Reading<'_>, said: &str, subject: &mut Subject) {
    let known = QUALIFIERS.ids.iter().map(|name| (name, true)).chain(LATENT.ids.iter().map(|name| (name, false)));
    for (name, always) in known {
        let Some(entry) = reading.find(*name).filter(|entry| !BOOLEAN.contains(&entry.value)) else { continue };
        let (label, part) = (entry.label, entry.part(Kind::Qualifier));
        let shown = always || said::qualifies(said, entry.label, entry.value);
        reading.settle(label, if shown { Fate::Qualifier } else { Fate::Latent });
        if shown {
            push(&mut subject.qualifier, part)
        } else {
            push(&mut subject.latent, part)
        };
    }
}

/// A value that the object shows is neither a place nor a kind of trouble as well.
pub(super) fn leave_out_repeated(reading: &mut Reading<'_>, subject: &mut Subject) {
    let Subject { object, place, qualifier, .. } = subject;
    for parts in [place, qualifier] {
        parts.retain(|part| {
            // A namespace stands with the pod behind it.
            let repeated = part.kind != Kind::Namespace && shows(object, &part.text);
            if repeated {
                reading.settle(&part.label, Fate::Repeated);
            }
            !repeated
        });
    }
}

/// Adds `part` unless its text is there already.
fn push(parts: &mut Vec<Part>, part: Part) -> bool {
    let new = !parts.iter().any(|known| known.kind != Kind::Namespace && known.text == part.text);
    if new {
        parts.push(part);
    }
    new
}

fn count(parts: &[Part]) -> usize {
    parts.iter().filter(|part| part.kind != Kind::Namespace).count()
}
