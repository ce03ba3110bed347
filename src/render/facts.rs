//! The facts of a letter, before any template: state, place, start, rows.
//!
//! Everything here is raw text on one line (only `description` and `message` may have more); neutralising and cutting
//! follow later. The work is bounded: an alert may have ten thousand labels, a letter ten thousand alerts, and each is
//! read a fixed number of times (F48, docs/reference/reliability.md#senders-and-storms).

use std::collections::BTreeSet;

use super::figures::{self, Measured};
use super::labels::{self, Shared};
use super::leads::{Link, links};
use super::lists::Telling;
use super::neutral::{one_line, visible};
use super::remarks::remarks;
use super::rows::{Lists, Seen};
use super::sentences::{Spoken, limited, message};
use super::state::{order, starts_apart, state, still, weighed, weight, when};
use super::words::{Clock, State, Weight, grade_word, pick};
use super::{Letter, Told};
use crate::alert::{Alert, Format, Health, Status, Timestamp, TransitionKind, level_label};
use crate::config::Language;
use crate::said::{self, Evidence};
use crate::subject::{self, Part};

/// The facts of a letter.
pub(super) struct Facts {
    pub(super) state: State,
    pub(super) weight: Weight,
    /// The highest severity, in the sender's word.
    pub(super) severity: String,
    /// The same in a word of the receiver's language; empty where it is no longer of interest.
    pub(super) grade: &'static str,
    /// The word for the state: of something that fires, the severity.
    pub(super) word: String,
    /// The rule's name, the gravest alert's if there are several.
    pub(super) name: String,
    /// Number of rules.
    pub(super) rules: usize,
    pub(super) firing: usize,
    pub(super) resolved: usize,
    /// Firing alerts of the notification without news.
    pub(super) still: usize,
    pub(super) truncated: u64,
    /// The rule could not be evaluated before and can be now.
    pub(super) judged_again: bool,
    pub(super) shared: Shared,
    /// The object that all alerts share.
    pub(super) object: Vec<Part>,
    /// The kind of trouble and the places that all share, the widest place first.
    pub(super) scope: Vec<String>,
    pub(super) place: Vec<String>,
    pub(super) qualifier: String,
    pub(super) when: String,
    pub(super) since: String,
    pub(super) duration: String,
    pub(super) summary: String,
    pub(super) description: String,
    /// What to do, each step whole.
    pub(super) steps: Vec<String>,
    pub(super) evidence: Evidence,
    pub(super) message: String,
    /// Indexes into `told`, in order of priority.
    pub(super) order: Vec<usize>,
    /// What distinguishes them.
    pub(super) lists: Lists,
    /// What the only alert measures; of several, the threshold and the unit that all share.
    pub(super) measured: Measured,
    pub(super) notes: Vec<String>,
    pub(super) links: Vec<Link>,
}

/// The alerts of `letter` in order of priority, its state, and the addresses in its sentences.
pub(super) fn outline<'a>(letter: &'a Letter<'_>) -> (Vec<&'a Alert>, State, Vec<said::Link>) {
    let alerts: Vec<&Alert> = order(letter.told).into_iter().map(|index| letter.told[index].alert).collect();
    let still = still(letter);
    let state = state(letter, firing(letter.told), resolved(letter.told), still.len());
    let group: Vec<&Alert> = alerts.iter().chain(&still).copied().collect();
    let said = Spoken::of(letter, state, &group).links;
    (alerts, state, said)
}

/// Counts and times of a letter.
struct Span {
    resolved: usize,
    firing: usize,
    earliest: Option<Timestamp>,
    latest: Option<Timestamp>,
    /// Did what is over last for different times?
    lasted_differs: bool,
}

impl Span {
    fn of(letter: &Letter<'_>, state: State, still: &[&Alert]) -> Self {
        let told = letter.told;
        let mut starts: Vec<Timestamp> = told.iter().filter(|one| one.is_on()).filter_map(Told::start).collect();
        if state == State::Partly {
            starts.extend(still.iter().filter_map(|alert| alert.starts_at));
        }
        let minutes = |one: &Told<'_>| Some(one.end()?.millis_since(one.start()?) / 60_000);
        let lasted: BTreeSet<i64> = told.iter().filter_map(minutes).collect();
        Self {
            resolved: resolved(told),
            firing: firing(told),
            earliest: starts.iter().min().copied(),
            latest: starts.iter().max().copied(),
            lasted_differs: lasted.len() > 1,
        }
    }
}

fn resolved(told: &[Told<'_>]) -> usize {
    told.iter().filter(|one| one.kind == TransitionKind::Resolved).count()
}

fn firing(told: &[Told<'_>]) -> usize {
    told.iter().filter(|one| one.is_on()).count()
}

/// Reads `letter`.
pub(super) fn gather(letter: &Letter<'_>) -> Facts {
    let clock = Clock { now: letter.now, zone: letter.timezone, language: letter.language };
    let (told, language) = (letter.told, letter.language);
    let order = order(told);
    let alerts: Vec<&Alert> = order.iter().map(|&index| told[index].alert).collect();
    let still = still(letter);
    let group: Vec<&Alert> = alerts.iter().chain(&still).copied().collect();
    let state = state(letter, firing(told), resolved(told), still.len());
    let rules: BTreeSet<&str> = group.iter().map(|alert| alert.name.as_str()).collect();
    let span = Span::of(letter, state, &still);
    let spoken = Spoken::of(letter, state, &group);
    let seen = seen(letter, state, &order, &still, &clock);
    let mut lists =
        telling(letter, &clock, &span, rules.len(), still.len(), !spoken.common && group.len() > 1).lists(&seen);
    if state == State::Partly {
        // What is repeated is on without news, too.
        lists.parts.clear();
        let repeated = std::mem::take(&mut lists.main);
        lists.still.splice(0..0, repeated);
    }
    let place = places(&lists, state, alerts.first().copied(), language);
    let qualifier = subject::text(&lists.head.qualifier);
    let duration = span.earliest.map(|start| clock.duration(start, letter.now)).unwrap_or_default();
    // What is on: the news, or beside news of its end what goes on.
    let mut on: Vec<&Alert> =
        order.iter().map(|index| &told[*index]).filter(|one| one.is_on()).map(|one| one.alert).collect();
    if on.is_empty() {
        on.extend(&still);
        on.sort_by_key(|alert| weighed(alert).rank());
    }
    let gravest = on.first().or(alerts.first()).copied();
    let grade = grade(state, gravest, language);
    Facts {
        state,
        weight: weight(&on),
        severity: gravest.map(severity).unwrap_or_default(),
        grade,
        word: word(state, grade, &duration, language),
        name: own_title(letter)
            .or_else(|| first_rule(&lists))
            .or_else(|| alerts.first().map(|alert| name_of(alert, language)))
            .unwrap_or_default(),
        rules: if own_title(letter).is_some() { 1 } else { rules.len() },
        firing: span.firing,
        resolved: span.resolved,
        still: still.len(),
        truncated: letter.notification.truncated,
        judged_again: span.firing == 0
            && span.resolved > 0
            && alerts.iter().all(|alert| alert.health != Health::Normal),
        scope: Some(qualifier.clone()).filter(|text| !text.is_empty()).into_iter().chain(place.clone()).collect(),
        object: if rules.len() > 1 { Vec::new() } else { lists.head.object.clone() },
        place,
        qualifier,
        when: match state {
            State::Test | State::Opaque => String::new(),
            State::Notice => told.iter().find_map(Told::start).and_then(|at| clock.time(at)).unwrap_or_default(),
            // Its word says for how long.
            State::Reminder if !duration.is_empty() => span.earliest.map(|at| clock.begun(at)).unwrap_or_default(),
            _ => when(told, span.earliest, &clock),
        },
        since: span.earliest.and_then(|start| clock.time(start)).unwrap_or_default(),
        duration,
        summary: spoken.line,
        description: spoken.detail,
        steps: spoken.steps,
        evidence: spoken.evidence,
        message: limited(&visible(&message(letter))),
        measured: common(&seen, rules.len()),
        notes: remarks(letter, state, still.len()),
        links: links(letter, &alerts, state, &spoken.links),
        shared: labels::share(&group),
        order,
        lists,
    }
}

/// The alerts of the lists: the news, and in some states what is on without news.
fn seen<'a>(
    letter: &'a Letter<'_>,
    state: State,
    order: &[usize],
    still: &[&'a Alert],
    clock: &Clock<'_>,
) -> Vec<Seen<'a>> {
    let told = letter.told;
    let news = order.iter().map(|&index| (told[index].alert, Some(index), Some(&told[index])));
    let unchanged = still.iter().map(|&alert| (alert, None, None));
    let all: Vec<_> =
        if matches!(state, State::Partly | State::Unclear) { news.chain(unchanged).collect() } else { news.collect() };
    let alerts: Vec<&Alert> = all.iter().map(|(alert, ..)| *alert).collect();
    let measured = figures::measured(&alerts, letter.notification.format, clock);
    all.into_iter()
        .zip(measured)
        .map(|((alert, told, news), measured)| Seen { alert, told, news, weight: weighed(alert), measured })
        .collect()
}

fn telling<'a>(
    letter: &'a Letter<'_>,
    clock: &'a Clock<'a>,
    span: &Span,
    rules: usize,
    still: usize,
    own_sentences: bool,
) -> Telling<'a> {
    let told = letter.told;
    let grades: BTreeSet<&str> =
        told.iter().filter(|one| one.is_on()).map(|one| grade_word(one.alert, letter.language)).collect();
    let apart = |(earliest, latest)| starts_apart(earliest, latest, letter.now);
    Telling {
        rules: rules > 1,
        grades: grades.len() > 1,
        own_sentences,
        starts_differ: span.earliest.zip(span.latest).is_some_and(apart),
        ends_differ: span.firing > 0 || still > 0 || span.lasted_differs,
        clock,
        taught: letter.taught,
    }
}

/// What the only alert measures; of several of one rule, what all that fire share of it.
fn common(seen: &[Seen<'_>], rules: usize) -> Measured {
    let on: Vec<&Seen<'_>> = seen.iter().filter(|one| one.is_on()).collect();
    let Some((first, rest)) = on.split_first().filter(|_| rules == 1) else { return Measured::default() };
    if seen.len() == 1 {
        return first.measured.clone();
    }
    let same = |of: fn(&Measured) -> &String| {
        let shared = of(&first.measured);
        if rest.iter().all(|one| of(&one.measured) == shared) { shared.clone() } else { String::new() }
    };
    Measured { threshold: same(|one| &one.threshold), unit: same(|one| &one.unit), ..Measured::default() }
}

/// The places that all share; of a rule that cannot be judged, its data source first.
fn places(lists: &Lists, state: State, gravest: Option<&Alert>, language: Language) -> Vec<String> {
    let mut place = subject::places(&lists.head.place);
    if matches!(state, State::NoData | State::QueryError)
        && let Some(source) = gravest.and_then(labels::data_source)
    {
        let name = super::fit::cut_chars(&one_line(source), 60).into_owned();
        place.insert(0, format!("{} {name}", pick(language, "数据源", "data source")));
    }
    place
}

fn grade(state: State, gravest: Option<&Alert>, language: Language) -> &'static str {
    let graded = match state {
        State::Firing | State::Reminder | State::Partly => true,
        State::Resolved | State::Unclear | State::Test => false,
        State::NoData | State::QueryError | State::Notice | State::Opaque => {
            gravest.is_some_and(|alert| alert.level().is_some())
        }
    };
    gravest.filter(|_| graded).map_or("", |alert| grade_word(alert, language))
}

fn word(state: State, grade: &str, duration: &str, language: Language) -> String {
    match state {
        State::Firing => grade.to_owned(),
        State::Reminder if !duration.is_empty() => {
            // One unit says enough.
            let unit: Vec<&str> = duration.split(' ').take(2).collect();
            format!("{} {}", state.word(language), unit.join(" "))
        }
        _ => state.word(language).to_owned(),
    }
}

/// The title given by the contact point, unless it is Grafana's default.
fn own_title(letter: &Letter<'_>) -> Option<String> {
    let title = one_line(&letter.notification.title);
    (letter.notification.format == Format::Grafana && !title.is_empty())
        .then(|| super::fit::cut_chars(&title, 300).into_owned())
}

/// Of several rules the one whose row stands first: the title counts the alerts of that row.
fn first_rule(lists: &Lists) -> Option<String> {
    let first = lists.main.iter().chain(&lists.still).chain(&lists.over).next().filter(|_| lists.by_rule)?;
    Some(first.detail().name.clone())
}

/// The rule's name on one line; it may contain nothing visible.
pub(super) fn name_of(alert: &Alert, language: Language) -> String {
    rule_name(&alert.name, language)
}

/// `name` on one line, or a word for a rule without one.
pub(super) fn rule_name(name: &str, language: Language) -> String {
    let name = super::fit::cut_chars(&one_line(name), 300).into_owned();
    if name.is_empty() { pick(language, "未命名的告警", "unnamed alert").to_owned() } else { name }
}

/// The severity, as sent.
pub(super) fn severity(alert: &Alert) -> String {
    super::fit::cut_chars(&one_line(level_label(&alert.labels).unwrap_or_default()), 20).into_owned()
}

impl Seen<'_> {
    /// Does it fire, or is it a notice?
    fn is_on(&self) -> bool {
        self.news.map_or(self.alert.status != Status::Resolved, |news| news.kind != TransitionKind::Resolved)
    }
}
