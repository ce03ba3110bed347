//! Which alerts stand in which row: of one rule by what differs, of several by rule.

use ecow::EcoString;

use super::facts::{name_of, severity};
use super::fit::cut_chars;
use super::folds::Listed;
use super::rows::{Detail, Lists, ROWS, Row, Seen, cleaned, object_text, shown};
use super::sentences::own;
use super::words::{Clock, State, brackets, grade_word, icon_of, pick};
use crate::alert::Health;
use crate::said;
use crate::subject::{self, Group, Kind, Member, Part, Sighting, Subject, Taught, group};

/// Columns of the objects behind a rule's name.
const OBJECTS: usize = 60;
/// Characters of the values of a row.
const VALUE: usize = 80;

/// Which of their data rows show.
#[expect(clippy::struct_excessive_bools, reason = "four independent questions, each asked once")]
pub(super) struct Telling<'a> {
    /// Are there several rules?
    pub(super) rules: bool,
    /// Are there several severities?
    pub(super) grades: bool,
    /// Do they say different things?
    pub(super) own_sentences: bool,
    pub(super) starts_differ: bool,
    pub(super) ends_differ: bool,
    pub(super) clock: &'a Clock<'a>,
    pub(super) taught: &'a Taught,
}

impl Telling<'_> {
    /// The lists of `seen`.
    pub(super) fn lists(&self, seen: &[Seen<'_>]) -> Lists {
        if seen.is_empty() {
            return Lists::default();
        }
        let said: Vec<String> =
            seen.iter().map(|one| subject::told([said::all(&one.alert.annotations).as_str()])).collect();
        let sightings: Vec<Sighting<'_>> = seen
            .iter()
            .zip(&said)
            .map(|(one, said)| Sighting {
                labels: &one.alert.labels,
                said,
                expression: &one.measured.expression,
                taught: self.taught,
            })
            .collect();
        let beside = |(of, one): (&Sighting<'_>, &Seen<'_>)| cleaned(&subject::beside(&one.alert.name, of));
        let subjects: Vec<Subject> = sightings.iter().zip(seen).map(beside).collect();
        let members: Vec<Member<'_>> = (0..seen.len())
            .map(|at| Member {
                of: sightings[at],
                subject: &subjects[at],
                state: seen[at].state(),
                grade: seen[at].weight.rank(),
                worse: seen[at].measured.worse,
            })
            .collect();
        if self.rules { self.by_rule(seen, &members) } else { self.of_one_rule(seen, &members) }
    }

    fn of_one_rule(&self, seen: &[Seen<'_>], members: &[Member<'_>]) -> Lists {
        let Group { head, rows } = group(members);
        let (kind, label) = kind(&rows).unzip();
        // A vector that grows has room for twice as many.
        let on = rows.iter().filter(|row| seen[row.members[0]].state() == 0).count();
        let (main, parts) = (Vec::with_capacity(on), Vec::with_capacity(on));
        let mut lists = Lists { kind, label: label.unwrap_or_default().into(), head, main, parts, ..Lists::default() };
        for row in rows {
            // What is folded has no sentence of its own.
            let has_line = lists.main.len() < ROWS;
            let one = self.row(&row, seen, members, self.own_sentences && has_line);
            let one = if has_line { one } else { one.shortened() };
            match seen[row.members[0]].state() {
                0 => {
                    lists.main.push(one);
                    lists.parts.push(row);
                }
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
                0 => lists.main.push(row),
                1 => lists.still.push(row),
                _ => lists.over.push(row),
            }
        }
        lists
    }

    /// `speaks`: with its own sentence.
    fn row(&self, row: &subject::Row, seen: &[Seen<'_>], members: &[Member<'_>], speaks: bool) -> Row {
        let worst = row.members[0];
        let (mut one, mut detail) = self.one(&seen[worst], members[worst].subject, speaks);
        one.told = row.members.iter().filter_map(|at| seen[*at].told).collect();
        one.unchanged = row.members.len() - one.told.len();
        let times = if row.members.len() > 1 {
            brackets(self.clock.language, &format!("×{}", row.members.len()))
        } else {
            String::new()
        };
        // A sentence of its own that begins with what the row says goes on from there.
        let rest = detail
            .summary
            .strip_prefix(row.text.as_str())
            .filter(|_| !row.text.is_empty())
            .map(|rest| rest.trim_start().to_owned());
        detail.summary = rest.unwrap_or(detail.summary);
        detail.own = row.text.to_string();
        // A single row does not repeat the text of the head.
        let same = if row.members.len() > 1 { pick(self.clock.language, "同一对象", "same object") } else { "" };
        one.what = [row.text.as_str(), same, detail.object.as_str(), detail.name.as_str()]
            .into_iter()
            .find(|text| !text.is_empty())
            .map(|text| format!("{text}{times}"))
            .unwrap_or_default();
        one.detailed(detail)
    }

    /// The alerts of one rule in one line: its only object, or a fold of all.
    fn rule(&self, of: &[usize], seen: &[Seen<'_>], members: &[Member<'_>], head: &Subject) -> Row {
        let language = self.clock.language;
        let own: Vec<Member<'_>> = of.iter().map(|at| members[*at]).collect();
        let Group { head: shared, rows } = group(&own);
        let speaks = self.own_sentences && of.len() == 1;
        let mut rows: Vec<Row> = rows
            .iter()
            .map(|row| {
                let members_of: Vec<usize> = row.members.iter().map(|at| of[*at]).collect();
                self.row(&subject::Row { members: members_of, ..row.clone() }, seen, members, speaks)
            })
            .collect();
        let worst = rows[0].clone();
        let detail = worst.detail().clone();
        let place: Vec<Part> = shared.place.iter().filter(|part| !head.place.contains(part)).cloned().collect();
        let aside = subject::places(&place).join(" ");
        let (own, told) = if of.len() == 1 {
            (format!("{} {}", detail.object, detail.qualifier).trim().to_owned(), worst.told.clone())
        } else {
            if rows.len() == 1 {
                rows[0].what.clone_from(&detail.object);
            }
            let shared = format!("{} {}", object_text(&shown(&shared.object), language), detail.qualifier);
            let Listed { text, named, .. } = Listed::of_rule(&rows, OBJECTS, language);
            let lead = if rows.len() == 1 { "" } else { shared.trim() };
            (format!("×{} {lead} {text}", of.len()), named)
        };
        let place = if aside.is_empty() { String::new() } else { brackets(language, &aside) };
        let own = format!("{}{place}", own.split_whitespace().collect::<Vec<_>>().join(" "));
        let all: Vec<usize> = of.iter().filter_map(|at| seen[*at].told).collect();
        let single = of.len() == 1;
        Row {
            counted: all.iter().filter(|at| !told.contains(at)).copied().collect(),
            unchanged: of.len() - all.len(),
            icon: if worst.over { "" } else { icon_of(seen[of[0]].weight) },
            what: format!("{} {own}", detail.name).trim_end().to_owned(),
            value: if single { worst.value.clone() } else { String::new() },
            told,
            ..worst
        }
        .detailed(Detail {
            own,
            // A sentence that repeats the rule's name adds nothing.
            summary: if single && !detail.summary.contains(&detail.name) {
                detail.summary.clone()
            } else {
                String::new()
            },
            ..detail
        })
    }

    fn one(&self, seen: &Seen<'_>, subject: &Subject, speaks: bool) -> (Row, Detail) {
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
            Health::Normal => cut_chars(&seen.measured.line(), VALUE).into_owned(),
            Health::NoData => State::NoData.said(clock.language).to_owned(),
            Health::Error => State::QueryError.said(clock.language).to_owned(),
        };
        let differs = if over { self.ends_differ } else { self.starts_differ };
        let detail = Detail {
            name: name_of(alert, clock.language),
            own: String::new(),
            object: object_text(&subject.object, clock.language),
            place: subject::places(&subject.place).join(" · "),
            qualifier: subject::text(&subject.qualifier),
            severity: severity(alert),
            threshold: seen.measured.threshold.clone(),
            summary: if speaks && !over { own(alert) } else { String::new() },
            since: start.and_then(|start| clock.time(start)).unwrap_or_default(),
            duration: duration.clone(),
        };
        let row = Row {
            over,
            grade: if self.grades && !over && !self.rules {
                grade_word(alert, clock.language).to_owned()
            } else {
                String::new()
            },
            value,
            low: seen.measured.low,
            when: if differs { duration } else { String::new() },
            ..Row::default()
        };
        (row, detail)
    }
}

/// What the rows differ by, for the title of their column: its kind and its label.
fn kind(rows: &[subject::Row]) -> Option<(Kind, EcoString)> {
    let part = rows.first()?.parts.iter().find(|part| part.kind != Kind::Namespace)?;
    Some((part.kind, part.label.clone()))
}
