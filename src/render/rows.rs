//! Alerts in lists: what differs of each, and what stands for many.

use super::Told;
use super::facts::{TEXT, name_of, severity, summary};
use super::fit::cut_chars;
use super::folds::{Listed, Rest};
use super::labels;
use super::neutral::one_line;
use super::words::{Clock, State, Weight, brackets, grade_word, icon_of, pick};
use crate::alert::{Alert, Health, TransitionKind};
use crate::config::Language;
use crate::subject::{self, Group, Kind, Member, Part, Sighting, Subject, Taught, group};

/// Rows that are prepared; more than any message has room for.
pub(super) const ROWS: usize = 60;
/// Columns of the objects behind a rule's name.
const OBJECTS: usize = 60;
/// Characters of one part of an object.
const PART: usize = 200;

/// A line of a list: an alert, several that read the same, or the alerts of a rule.
#[derive(Clone, Default)]
pub(super) struct Row {
    /// The alerts that it names, by their place in `told`.
    pub(super) told: Vec<usize>,
    /// The alerts that it only counts.
    pub(super) counted: Vec<usize>,
    pub(super) over: bool,
    /// The sign of its severity; only in a list of rules.
    pub(super) icon: &'static str,
    pub(super) name: String,
    /// What distinguishes it, in words; never empty.
    pub(super) what: String,
    /// The same without the rule's name; may be empty.
    pub(super) own: String,
    pub(super) object: String,
    pub(super) place: String,
    pub(super) qualifier: String,
    pub(super) severity: String,
    /// The severity in a word, unless it is the same for all rows.
    pub(super) grade: String,
    pub(super) value: String,
    pub(super) worse: Option<f64>,
    pub(super) summary: String,
    /// The duration, unless it is the same for all rows.
    pub(super) when: String,
    pub(super) since: String,
    pub(super) duration: String,
}

impl Row {
    /// How many alerts it stands for.
    pub(super) fn size(&self) -> usize {
        self.told.len() + self.counted.len()
    }

    /// The part in brackets.
    pub(super) fn aside(&self, language: Language) -> String {
        let asides: Vec<&str> =
            [self.grade.as_str(), self.when.as_str()].into_iter().filter(|aside| !aside.is_empty()).collect();
        let aside = asides.join(pick(language, "，", ", "));
        if aside.is_empty() { aside } else { brackets(language, &aside) }
    }

    /// Does it say nothing but a name?
    pub(super) fn is_name(&self) -> bool {
        [&self.value, &self.grade, &self.when, &self.summary].into_iter().all(String::is_empty)
    }
}

/// The lists of a letter.
#[derive(Default)]
pub(super) struct Lists {
    /// What all alerts share.
    pub(super) head: Subject,
    /// What is on, or a notice: the first [`ROWS`].
    pub(super) main: Vec<Row>,
    /// The parts by which rows of `main` are folded; empty where a row stands for a rule.
    pub(super) parts: Vec<subject::Row>,
    /// What is over.
    pub(super) over: Vec<Row>,
    /// What is on without being news.
    pub(super) still: Vec<Row>,
    /// What the rows differ by.
    pub(super) kind: Option<Kind>,
    /// Does a row stand for the alerts of a rule?
    pub(super) by_rule: bool,
}

/// An alert of the letter.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) alert: &'a Alert,
    /// Its place in `told`; `None`: it is no news.
    pub(super) told: Option<usize>,
    pub(super) news: Option<&'a Told<'a>>,
    pub(super) weight: Weight,
}

impl Seen<'_> {
    const fn state(&self) -> u8 {
        match self.news {
            Some(one) if matches!(one.kind, TransitionKind::Resolved) => 2,
            Some(_) => 0,
            None => 1,
        }
    }
}

/// Which of their data rows show.
#[expect(clippy::struct_excessive_bools, reason = "four independent questions, each asked once")]
pub(super) struct Telling<'a> {
    /// Are there several rules?
    pub(super) rules: bool,
    /// Are there several severities?
    pub(super) grades: bool,
    pub(super) own_sentences: bool,
    pub(super) starts_differ: bool,
    pub(super) ends_differ: bool,
    pub(super) clock: &'a Clock<'a>,
    pub(super) taught: &'a Taught,
}

/// The sentences that may name the parts of an alert.
pub(super) fn said(alert: &Alert) -> String {
    const SENTENCES: [&str; 9] =
        ["summary", "description", "message", "title", "content", "desc", "摘要", "描述", "内容"];
    subject::told(SENTENCES.iter().filter_map(|name| alert.annotations.get(*name)).map(String::as_str))
}

/// `parts` on one line, none of them too long.
pub(super) fn shown(parts: &[Part]) -> Vec<Part> {
    let short = |part: &Part| Part { text: cut_chars(&one_line(&part.text), PART).into_owned(), ..part.clone() };
    parts.iter().map(short).filter(|part| !part.text.is_empty()).collect()
}

/// An object in words: the container of a workload's pods in brackets.
pub(super) fn object_text(parts: &[Part], language: Language) -> String {
    match parts {
        [before @ .., workload, container] if workload.kind == Kind::Workload && container.kind == Kind::Container => {
            let mut whole = before.to_vec();
            whole.push(workload.clone());
            format!("{}{}", subject::text(&whole), brackets(language, &container.text))
        }
        parts => subject::text(parts),
    }
}

impl Telling<'_> {
    /// The lists of `seen`.
    pub(super) fn lists(&self, seen: &[Seen<'_>]) -> Lists {
        if seen.is_empty() {
            return Lists::default();
        }
        let said: Vec<String> = seen.iter().map(|one| said(one.alert)).collect();
        let sightings: Vec<Sighting<'_>> = seen
            .iter()
            .zip(&said)
            .map(|(one, said)| Sighting { labels: &one.alert.labels, said, expression: "", taught: self.taught })
            .collect();
        let subjects: Vec<Subject> = sightings.iter().map(|of| cleaned(&subject::subject(of))).collect();
        let members: Vec<Member<'_>> = (0..seen.len())
            .map(|at| Member {
                of: sightings[at],
                subject: &subjects[at],
                state: seen[at].state(),
                grade: seen[at].weight.rank(),
                worse: worse(seen[at].alert),
            })
            .collect();
        if self.rules { self.by_rule(seen, &members) } else { self.of_one_rule(seen, &members) }
    }

    fn of_one_rule(&self, seen: &[Seen<'_>], members: &[Member<'_>]) -> Lists {
        let Group { head, rows } = group(members);
        let mut lists = Lists { kind: kind(&rows), head, ..Lists::default() };
        for row in rows {
            let one = self.row(&row, seen, members);
            match seen[row.members[0]].state() {
                0 if lists.main.len() < ROWS => {
                    lists.main.push(one);
                    lists.parts.push(row);
                }
                0 => lists.main[ROWS - 1].counted.extend(one.told),
                1 => lists.still.push(one),
                _ => lists.over.push(one),
            }
        }
        lists
    }

    /// One row for the alerts of each rule and state, the gravest and largest first.
    fn by_rule(&self, seen: &[Seen<'_>], members: &[Member<'_>]) -> Lists {
        let mut of_rule: Vec<((u8, &str), Vec<usize>)> = Vec::new();
        let mut places = std::collections::HashMap::new();
        for (at, one) in seen.iter().enumerate() {
            let key = (one.state(), one.alert.name.as_str());
            let place = *places.entry(key).or_insert_with(|| {
                of_rule.push((key, Vec::new()));
                of_rule.len() - 1
            });
            of_rule[place].1.push(at);
        }
        let gravest = |of: &[usize]| of.iter().map(|at| members[*at].grade).min().unwrap_or(u8::MAX);
        of_rule.sort_by(|(a, x), (b, y)| {
            (a.0, gravest(x), y.len()).cmp(&(b.0, gravest(y), x.len())).then_with(|| a.1.cmp(b.1))
        });
        let shared = group(members).head;
        let head = Subject { object: Vec::new(), ..shared };
        let mut lists = Lists { head, by_rule: true, ..Lists::default() };
        for ((state, _), of) in of_rule {
            let row = self.rule(&of, seen, members, &lists.head);
            match state {
                0 if lists.main.len() < ROWS => lists.main.push(row),
                0 => {
                    let last = &mut lists.main[ROWS - 1];
                    last.counted.extend(row.told);
                    last.counted.extend(row.counted);
                }
                1 => lists.still.push(row),
                _ => lists.over.push(row),
            }
        }
        lists
    }

    fn row(&self, row: &subject::Row, seen: &[Seen<'_>], members: &[Member<'_>]) -> Row {
        let worst = row.members[0];
        let mut one = self.one(&seen[worst], members[worst].subject);
        one.told = row.members.iter().filter_map(|at| seen[*at].told).collect();
        one.worse = members[worst].worse;
        let times = if row.members.len() > 1 {
            brackets(self.clock.language, &format!("×{}", row.members.len()))
        } else {
            String::new()
        };
        // A sentence of its own that begins with what the row says goes on from there.
        let rest = one
            .summary
            .strip_prefix(&row.text)
            .filter(|_| !row.text.is_empty())
            .map(|rest| rest.trim_start().to_owned());
        one.summary = rest.unwrap_or(one.summary);
        one.own.clone_from(&row.text);
        one.what = [row.text.as_str(), one.object.as_str(), one.name.as_str()]
            .into_iter()
            .find(|text| !text.is_empty())
            .map(|text| format!("{text}{times}"))
            .unwrap_or_default();
        one
    }

    /// The alerts of one rule in one line: its only object, or a fold of all.
    fn rule(&self, of: &[usize], seen: &[Seen<'_>], members: &[Member<'_>], head: &Subject) -> Row {
        let language = self.clock.language;
        let own: Vec<Member<'_>> = of.iter().map(|at| members[*at]).collect();
        let Group { head: shared, rows } = group(&own);
        let mut rows: Vec<Row> = rows
            .iter()
            .map(|row| {
                let members_of: Vec<usize> = row.members.iter().map(|at| of[*at]).collect();
                self.row(&subject::Row { members: members_of, ..row.clone() }, seen, members)
            })
            .collect();
        let worst = rows[0].clone();
        let place: Vec<Part> = shared.place.iter().filter(|part| !head.place.contains(part)).cloned().collect();
        let aside = subject::places(&place).join(" ");
        let (own, told) = if of.len() == 1 {
            (format!("{} {}", worst.object, worst.qualifier).trim().to_owned(), worst.told.clone())
        } else {
            if rows.len() == 1 {
                let object = rows[0].object.clone();
                rows[0].what = object;
            }
            let shared = format!("{} {}", object_text(&shown(&shared.object), language), worst.qualifier);
            let Listed { text, named, .. } = Listed::of(&rows, OBJECTS, language);
            let lead = if rows.len() == 1 { "" } else { shared.trim() };
            (format!("×{} {lead} {text}", of.len()), named)
        };
        let place = if aside.is_empty() { String::new() } else { brackets(language, &aside) };
        let own = format!("{}{place}", own.split_whitespace().collect::<Vec<_>>().join(" "));
        let all: Vec<usize> = of.iter().filter_map(|at| seen[*at].told).collect();
        let single = of.len() == 1;
        Row {
            counted: all.iter().filter(|at| !told.contains(at)).copied().collect(),
            icon: if worst.over { "" } else { icon_of(seen[of[0]].weight) },
            what: format!("{} {own}", worst.name).trim_end().to_owned(),
            own,
            value: if single { worst.value.clone() } else { String::new() },
            // A sentence that repeats the rule's name adds nothing.
            summary: if single && !worst.summary.contains(&worst.name) { worst.summary.clone() } else { String::new() },
            told,
            ..worst
        }
    }

    fn one(&self, seen: &Seen<'_>, subject: &Subject) -> Row {
        let (alert, clock) = (seen.alert, self.clock);
        let over = seen.state() == 2;
        let (start, end) = seen.news.map_or((alert.starts_at, None), |told| (told.start(), told.end()));
        let duration = match (start, end) {
            (Some(start), Some(end)) if over => clock.duration(start, end),
            (Some(start), _) if !over => clock.duration(start, clock.now),
            _ => String::new(),
        };
        let value = match alert.health {
            _ if over => String::new(),
            Health::Normal => {
                labels::values(alert).first().map(|value| measured(alert, &value.text)).unwrap_or_default()
            }
            Health::NoData => State::NoData.said(clock.language).to_owned(),
            Health::Error => State::QueryError.said(clock.language).to_owned(),
        };
        let differs = if over { self.ends_differ } else { self.starts_differ };
        Row {
            over,
            name: name_of(alert, clock.language),
            object: object_text(&subject.object, clock.language),
            place: subject::places(&subject.place).join(" · "),
            qualifier: subject::text(&subject.qualifier),
            grade: if self.grades && !over && !self.rules {
                grade_word(alert, clock.language).to_owned()
            } else {
                String::new()
            },
            severity: severity(alert),
            summary: if self.own_sentences && !over { summary(alert) } else { String::new() },
            value,
            when: if differs { duration.clone() } else { String::new() },
            since: start.and_then(|start| clock.time(start)).unwrap_or_default(),
            duration,
            ..Row::default()
        }
    }
}

/// `subject` with its parts on one line, none of them too long.
pub(super) fn cleaned(subject: &Subject) -> Subject {
    Subject {
        object: shown(&subject.object),
        place: shown(&subject.place),
        qualifier: shown(&subject.qualifier),
        latent: shown(&subject.latent),
    }
}

/// What the rows differ by, for the title of their column.
fn kind(rows: &[subject::Row]) -> Option<Kind> {
    rows.first()?.parts.iter().map(|part| part.kind).find(|kind| *kind != Kind::Namespace)
}

/// How bad the alert's value is.
fn worse(alert: &Alert) -> Option<f64> {
    labels::values(alert).first().and_then(|value| value.text.replace(',', "").trim().parse().ok())
}

/// Above the room for rows, the worst are shown one by one.
const WORST: usize = 3;
/// Up to this many names have a line each.
const FEW: usize = 3;

impl Lists {
    /// How many rows of `main` have a line of their own where there is room for `most`.
    pub(super) fn lines(&self, most: usize, columns: usize, language: Language) -> usize {
        let count = self.main.len();
        let rest = || self.rest(0, columns, language);
        let folds = self.parts.len() == count;
        if folds && count > FEW && self.main.iter().all(Row::is_name) && (count > most || rest().complete) {
            return 0;
        }
        match count {
            _ if count <= most => count,
            _ if !folds => most.saturating_sub(1),
            _ if rest().by_part => 0,
            _ => WORST.min(most.saturating_sub(1)),
        }
    }

    /// The rows of `main` from `from` on, folded.
    pub(super) fn rest(&self, from: usize, columns: usize, language: Language) -> Rest {
        Rest::of(&self.main[from..], self.parts.get(from..).unwrap_or_default(), columns, language)
    }
}

/// `number` with the unit from the alert's own sentences.
pub(super) fn measured(alert: &Alert, number: &str) -> String {
    let number = cut_chars(&one_line(&six_digits(number)), 40).into_owned();
    let unit = ["summary", "description"].into_iter().find_map(|name| {
        let text = alert.annotations.get(name)?;
        labels::unit_behind(&number, text.get(..text.floor_char_boundary(TEXT))?)
    });
    let unit = unit.or_else(|| alert.labels.get("unit").or_else(|| alert.annotations.get("unit")).cloned());
    match unit {
        Some(unit) if !unit.trim().is_empty() && unit.len() <= 12 => format!("{number} {}", one_line(&unit)),
        _ => number,
    }
}

/// A number with at most six digits that say something; any other text as it is.
fn six_digits(text: &str) -> String {
    let Some(number) = text.parse::<f64>().ok().filter(|number| number.is_finite()) else { return text.to_owned() };
    let scientific = format!("{number:.5e}");
    let rounded: f64 = scientific.parse().unwrap_or(number);
    format!("{rounded}")
}
