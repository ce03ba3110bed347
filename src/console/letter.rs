//! The page of a message: every alert that it tells of, by rule, with object, value, age, state and links.

use std::collections::{BTreeMap, HashMap};

use askama::Template;
use ecow::EcoString;

use super::acts::ActsPart;
use super::frame::Frame;
use super::links::{Link, inline_picture, links};
use super::words;
use crate::alert::{Alert, Health, Status, ThreadId, Timestamp, TransitionKind, level_label};
use crate::deliver::{Line, Page};
use crate::level::Level;
use crate::names::SourceId;
use crate::render::{Clock, Measured, ShownValue, grade, measured};
use crate::said::{self, Sentences};
use crate::subject::{self, Group as Parts, Member, Sighting, Subject};
use crate::words::Words;

/// Alerts on one page: as much as a phone scrolls through.
pub const LETTER_ALERTS: usize = 200;
/// Characters of a rule's name in the heading, and how many are named.
const NAME: usize = 60;
const NAMES: usize = 2;

/// How an alert stands now, whatever the message told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Now {
    /// Firing or over.
    pub status: Status,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// Who has it.
    pub owner: Option<String>,
}

/// The digest that a message was folded into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beside {
    /// Its short id.
    pub thread: ThreadId,
    /// The address of its page, see `Opened::beside`.
    pub href: String,
}

/// What is shown.
#[derive(Debug)]
pub struct Shown<'a> {
    /// The message, read again.
    pub page: &'a Page,
    /// Its short id.
    pub thread: ThreadId,
    /// The time of reading.
    pub now: Timestamp,
    /// How its alerts stand, by their rows in the store.
    pub standing: &'a HashMap<i64, Now>,
    /// The digest that it was folded into.
    pub folded: Option<Beside>,
    /// The address of its chart.
    pub picture: Option<String>,
    /// The part where people act.
    pub acts: Option<ActsPart>,
    /// Origins whose pictures are shown inline.
    pub origins: &'a [String],
    /// The reader may open the incident in the console.
    pub console: bool,
    /// The place of the first alert on this page.
    pub from: usize,
    /// The query that proves the link.
    pub proof: &'a str,
}

/// The page.
#[derive(Debug, Template)]
#[template(path = "console/letter.html")]
pub struct LetterPage<'a> {
    f: Frame<'a>,
    thread: String,
    heading: String,
    source: String,
    notes: Vec<String>,
    folded: Option<Beside>,
    acts: Option<ActsPart>,
    picture: Option<String>,
    groups: Vec<Group>,
    ways: Ways,
    message: String,
    fields: Vec<Fact>,
    fields_title: String,
    fields_more: bool,
    hidden: String,
    console: bool,
}

/// The alerts of a rule.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) name: String,
    /// How many alerts it has on this page.
    pub(super) size: usize,
    pub(super) level: &'static str,
    pub(super) grade: String,
    /// What all share: object, kind of trouble, place, threshold.
    pub(super) about: String,
    pub(super) line: String,
    pub(super) detail: String,
    pub(super) steps: Vec<String>,
    pub(super) links: Vec<Link>,
    pub(super) images: Vec<String>,
    pub(super) alerts: Vec<One>,
}

/// An alert.
#[derive(Debug)]
pub(super) struct One {
    pub(super) class: &'static str,
    pub(super) state: String,
    pub(super) object: String,
    pub(super) values: Vec<Fact>,
    pub(super) place: String,
    pub(super) when: String,
    /// When it began, for machines.
    pub(super) moment: String,
    pub(super) owner: String,
    /// How often it changed; only in a digest.
    pub(super) changes: String,
    pub(super) line: String,
    pub(super) detail: String,
    pub(super) steps: Vec<String>,
    pub(super) evidence: String,
    pub(super) links: Vec<Link>,
    pub(super) facts: Vec<Fact>,
}

/// A name and a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// Empty where it needs none.
    pub name: String,
    /// As it was sent, or in words.
    pub text: String,
}

/// The ways to other pages of the same list.
#[derive(Debug, Default)]
pub(super) struct Ways {
    pub(super) first: Option<String>,
    pub(super) after: Option<String>,
}

/// The page of a message.
pub fn letter_page<'a>(f: Frame<'a>, shown: Shown<'_>) -> LetterPage<'a> {
    let Shown { page, now, .. } = shown;
    let clock = Clock { now, zone: &page.timezone, language: f.language };
    let lines = ordered(page);
    let total = lines.len();
    let from = if shown.from < total { shown.from } else { 0 };
    let until = total.min(from + LETTER_ALERTS);
    let turn = |at: usize| format!("?{}&from={at}&lang={}", shown.proof, f.language.as_str());
    let ways = Ways { first: (from > 0).then(|| turn(0)), after: (until < total).then(|| turn(until)) };
    let writer = Writer { f: &f, page, clock, standing: shown.standing, origins: shown.origins };
    let groups = writer.groups(&lines[from..until]);
    let say = |words: Words| f.say(words).into_owned();
    let truncated = page.notification.truncated;
    let mut notes = Vec::new();
    if truncated > 0 {
        notes.push(say(words::left_out(truncated)));
    }
    if total > LETTER_ALERTS {
        notes.push(say(words::part_of(from + 1, until, total)));
    }
    let fields: Vec<Fact> =
        page.listed.fields.iter().map(|field| Fact { name: field.name.clone(), text: field.value.clone() }).collect();
    LetterPage {
        thread: shown.thread.to_string(),
        heading: writer.heading(&lines),
        source: source(page),
        notes,
        folded: shown.folded,
        acts: shown.acts,
        picture: shown.picture,
        groups,
        ways,
        message: page.notification.message.clone(),
        fields_title: say(words::all_fields(fields.len())),
        fields,
        fields_more: page.listed.more,
        console: shown.console,
        hidden: if page.listed.hidden > 0 { say(words::hidden(page.listed.hidden)) } else { String::new() },
        f,
    }
}

/// The configured source of a message; empty where it has none.
pub(super) fn source(page: &Page) -> String {
    match &page.source {
        SourceId::Configured(name) => name.clone(),
        _ => String::new(),
    }
}

/// What is told: what was on first, graver before lighter, else in the sender's order. It does not change later, so a
/// place in it is a key.
pub(super) fn ordered(page: &Page) -> Vec<(&Line, &Alert)> {
    let mut lines: Vec<(&Line, &Alert)> = page.told.iter().filter_map(|line| Some((line, page.alert(line)?))).collect();
    lines.sort_by_key(|(line, alert)| (!line.kind.is_on(), rank(alert)));
    lines
}

/// Smaller is graver; an unknown severity stands beside errors, since an unneeded look is better than a missed one.
fn rank(alert: &Alert) -> u8 {
    match alert.level() {
        Some(Level::Critical) => 0,
        Some(Level::Error) | None => 1,
        Some(Level::Warning) => 2,
        Some(Level::Info) => 3,
    }
}

/// A text on one line.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A name on one line, cut if it is long.
fn name(text: &str) -> String {
    let line = one_line(text);
    match line.char_indices().nth(NAME) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}

/// The instant in the form of `<time>`.
pub(super) fn moment(at: Option<Timestamp>) -> String {
    at.and_then(|at| jiff::Timestamp::from_millisecond(at.0).ok()).map(|at| at.to_string()).unwrap_or_default()
}

pub(super) struct Writer<'a> {
    pub(super) f: &'a Frame<'a>,
    pub(super) page: &'a Page,
    pub(super) clock: Clock<'a>,
    pub(super) standing: &'a HashMap<i64, Now>,
    pub(super) origins: &'a [String],
}

impl Writer<'_> {
    fn say(&self, words: Words) -> String {
        self.f.say(words).into_owned()
    }

    /// Is it on now, as far as is known?
    fn is_on(&self, line: &Line) -> bool {
        let now = self.standing.get(&line.alert).map(|now| now.status);
        line.kind.is_on() && now.is_none_or(|status| status == Status::Firing)
    }

    pub(super) fn heading(&self, lines: &[(&Line, &Alert)]) -> String {
        let on = lines.iter().filter(|(line, _)| self.is_on(line)).count();
        let told: Vec<&(&Line, &Alert)> = lines.iter().filter(|(line, _)| on == 0 || self.is_on(line)).collect();
        let mut names: Vec<&str> = Vec::new();
        for (_, alert) in told {
            if !names.contains(&alert.name.as_str()) && names.len() <= NAMES {
                names.push(&alert.name);
            }
        }
        let more = names.len() > NAMES;
        let named: Vec<String> = names.into_iter().take(NAMES).map(name).collect();
        let fate = match (lines.is_empty(), on) {
            (true, _) => words::NOTHING_TOLD,
            (_, 0) if lines.iter().all(|(line, _)| line.kind == TransitionKind::Notice) => words::NOTICE,
            (_, 0) => words::ALL_OVER,
            (_, on) => words::still_on(on),
        };
        self.say(words::heading(&named, more, &fate))
    }

    /// By rule: what is on first, then the gravest, then the largest.
    pub(super) fn groups(&self, lines: &[(&Line, &Alert)]) -> Vec<Group> {
        let mut by_rule: BTreeMap<&str, Vec<(&Line, &Alert)>> = BTreeMap::new();
        for (line, alert) in lines {
            by_rule.entry(alert.name.as_str()).or_default().push((line, alert));
        }
        let mut rules: Vec<Vec<(&Line, &Alert)>> = by_rule.into_values().collect();
        let over = |of: &[(&Line, &Alert)]| !of.iter().any(|(line, _)| self.is_on(line));
        let gravest = |of: &[(&Line, &Alert)]| of.iter().map(|(_, alert)| rank(alert)).min();
        rules.sort_by_cached_key(|of| (over(of), gravest(of), std::cmp::Reverse(of.len())));
        rules.iter().map(|of| self.group(of)).collect()
    }

    fn group(&self, of: &[(&Line, &Alert)]) -> Group {
        let alerts: Vec<&Alert> = of.iter().map(|(_, alert)| *alert).collect();
        let measures = measured(&alerts, self.page.notification.format, &self.clock);
        let sentences: Vec<Sentences> = alerts.iter().map(|alert| Sentences::of(alert)).collect();
        let given: Vec<Vec<Link>> = alerts
            .iter()
            .zip(&sentences)
            .map(|(alert, sentences)| links(alert, &sentences.links, |words| self.say(words)))
            .collect();
        let said: Vec<String> =
            alerts.iter().map(|alert| subject::told([said::all(&alert.annotations).as_str()])).collect();
        let (head, texts, order) = self.parts(of, &said, &measures);
        let first = &sentences[0];
        // What all say is said once, above them.
        let one_line_for_all = sentences.iter().all(|one| one.line == first.line);
        let one_detail = sentences.iter().all(|one| one.detail == first.detail);
        let one_way = sentences.iter().all(|one| one.steps == first.steps);
        let one_list = given.iter().all(|links| *links == given[0]);
        let gravest = alerts.iter().min_by_key(|alert| rank(alert)).expect("a rule has alerts");
        let mut about: Vec<String> = Vec::new();
        about.extend((of.len() > 1).then(|| subject::text(&head.object)));
        about.push(subject::text(&head.qualifier));
        about.extend(subject::places(&head.place));
        about.push(measures[0].limit(self.f.language));
        about.retain(|text| !text.is_empty());
        let mut images: Vec<String> = alerts.iter().filter_map(|alert| inline_picture(alert, self.origins)).collect();
        images.dedup();
        images.truncate(3);
        let one = |at: usize| {
            let (line, alert) = of[at];
            let own = &sentences[at];
            let unless = |common: bool, text: &str| if common { String::new() } else { text.to_owned() };
            One {
                object: texts[at].clone(),
                values: values(&measures[at], line),
                line: unless(one_line_for_all, &own.line),
                detail: unless(one_detail, &own.detail),
                steps: if one_way { Vec::new() } else { own.steps.clone() },
                evidence: own.evidence.lines.join("\n"),
                links: if one_list { Vec::new() } else { given[at].clone() },
                ..self.one(line, alert)
            }
        };
        Group {
            name: one_line(&alerts[0].name),
            size: of.len(),
            level: level_class(gravest),
            grade: grade(gravest.level(), level_label(&gravest.labels).unwrap_or_default(), self.f.language).to_owned(),
            about: about.join(" · "),
            line: if one_line_for_all { first.line.clone() } else { String::new() },
            detail: if one_detail { first.detail.clone() } else { String::new() },
            steps: if one_way { first.steps.clone() } else { Vec::new() },
            links: if one_list { given[0].clone() } else { Vec::new() },
            images,
            alerts: order.into_iter().map(one).collect(),
        }
    }

    /// What the alerts of a rule share; what each is about; their order, what is on and worse first.
    fn parts(
        &self,
        of: &[(&Line, &Alert)],
        said: &[String],
        measures: &[Measured],
    ) -> (Subject, Vec<String>, Vec<usize>) {
        let sightings: Vec<Sighting<'_>> = of
            .iter()
            .zip(said.iter().zip(measures))
            .map(|((_, alert), (said, measure))| Sighting {
                labels: &alert.labels,
                said,
                expression: &measure.expression,
                taught: self.page.taught(),
            })
            .collect();
        let beside = |(of, (_, alert)): (&Sighting<'_>, &(&Line, &Alert))| subject::beside(&alert.name, of);
        let subjects: Vec<Subject> = sightings.iter().zip(of).map(beside).collect();
        let members: Vec<Member<'_>> = of
            .iter()
            .enumerate()
            .map(|(at, (line, alert))| Member {
                of: sightings[at],
                subject: &subjects[at],
                state: u8::from(!self.is_on(line)),
                grade: rank(alert),
                worse: measures[at].worse,
            })
            .collect();
        let Parts { head, rows } = subject::group(&members);
        let mut texts = vec![String::new(); of.len()];
        let mut order = Vec::with_capacity(of.len());
        for row in rows {
            for at in row.members {
                texts[at] =
                    if row.text.is_empty() { subject::text(&subjects[at].object) } else { row.text.to_string() };
                order.push(at);
            }
        }
        (head, texts, order)
    }

    /// State, time, owner and facts of an alert.
    fn one(&self, line: &Line, alert: &Alert) -> One {
        let now = self.standing.get(&line.alert).filter(|_| line.kind.is_on());
        let start = line.starts_at.or(alert.starts_at);
        let end = now.and_then(|now| now.ended).or(line.ends_at).or(alert.ends_at);
        let (class, state) = match line.kind {
            TransitionKind::Notice => ("notice", words::NOTICE),
            _ if !self.is_on(line) => ("resolved", words::RESOLVED),
            _ => (
                "firing",
                match alert.health {
                    Health::Normal => words::FIRING,
                    Health::NoData => words::NO_DATA,
                    Health::Error => words::QUERY_FAILED,
                },
            ),
        };
        let when = match (class, start, end) {
            ("firing", Some(start), _) => self.clock.since(start),
            ("resolved", Some(start), Some(end)) => self.clock.lasted(start, end),
            ("resolved", None, Some(end)) => self.clock.ended(end),
            ("notice", Some(start), _) => self.clock.time(start).unwrap_or_default(),
            _ => String::new(),
        };
        let values = alert.values.iter().map(|value| {
            let tags: Vec<String> = value.tags.iter().map(|(name, tag)| format!("{name}={tag}")).collect();
            let name = if value.name.is_empty() { self.say(words::VALUE) } else { value.name.clone() };
            Fact { name, text: format!("{} {}", value.text, tags.join(" ")).trim_end().to_owned() }
        });
        let pair = |(name, text): (&EcoString, &EcoString)| Fact { name: name.to_string(), text: text.to_string() };
        One {
            class,
            state: self.say(state),
            object: String::new(),
            values: Vec::new(),
            place: String::new(),
            when,
            moment: moment(start.or(end)),
            owner: now
                .filter(|_| class == "firing")
                .and_then(|now| now.owner.as_deref())
                .map(|owner| self.say(words::has_it(owner, None)))
                .unwrap_or_default(),
            changes: String::new(),
            line: String::new(),
            detail: String::new(),
            steps: Vec::new(),
            evidence: String::new(),
            links: Vec::new(),
            facts: values.chain(alert.labels.iter().map(pair)).chain(alert.annotations.iter().map(pair)).collect(),
        }
    }
}

/// The values of an alert that is told as on.
fn values(measured: &Measured, line: &Line) -> Vec<Fact> {
    let fact = |value: &ShownValue| Fact { name: value.name.clone(), text: value.text.clone() };
    if line.kind.is_on() { measured.values.iter().map(fact).collect() } else { Vec::new() }
}

/// The class of a severity.
fn level_class(alert: &Alert) -> &'static str {
    alert.level().map_or("unknown", super::words::class_of)
}
