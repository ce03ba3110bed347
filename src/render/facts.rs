//! The facts of a letter, before any template: state, place, start, rows.
//!
//! Everything here is raw text on one line (only `description` and `message` may have more); neutralising and cutting
//! follow later. The work is bounded: an alert may have ten thousand labels, a letter ten thousand alerts, and each is
//! read at most twice (F48).

use std::collections::{BTreeMap, BTreeSet};

use super::labels::{self, Shared};
use super::leads::{Link, links};
use super::neutral::{one_line, visible};
use super::rows::{Lists, ROWS, Seen, Telling, measured};
use super::words::{Clock, State, Weight, grade_word, pick};
use super::{Letter, Told};
use crate::alert::{Alert, Format, Health, Status, Timestamp, TransitionKind, level_label};
use crate::config::Language;
use crate::ingest::HELD;
use crate::subject::{self, Part, Taught};

/// The annotation with Grafana's reason for a rule's state.
const REASON: &str = "grafana_state_reason";
/// Labels whose values are masked in sentences.
const MASKED: usize = 60;
/// Characters of any one text before it is fitted.
pub(super) const TEXT: usize = 4000;

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
    pub(super) message: String,
    /// Indexes into `told`, in order of priority.
    pub(super) order: Vec<usize>,
    /// What distinguishes them.
    pub(super) lists: Lists,
    /// Values of the only alert, if it has several.
    pub(super) values: Vec<(String, String)>,
    pub(super) notes: Vec<String>,
    pub(super) links: Vec<Link>,
}

/// The alerts of `letter` in order of priority, and its state.
pub(super) fn outline<'a>(letter: &'a Letter<'_>) -> (Vec<&'a Alert>, State) {
    let alerts = order(letter.told).into_iter().map(|index| letter.told[index].alert).collect();
    let firing = letter.told.iter().filter(|one| one.is_on()).count();
    let resolved = letter.told.iter().filter(|one| one.kind == TransitionKind::Resolved).count();
    (alerts, state(letter, firing, resolved, still(letter).len()))
}

/// Reads `letter`.
pub(super) fn gather(letter: &Letter<'_>) -> Facts {
    let clock = Clock { now: letter.now, zone: letter.timezone, language: letter.language };
    let told = letter.told;
    let language = letter.language;
    let order = order(told);
    let alerts: Vec<&Alert> = order.iter().map(|&index| told[index].alert).collect();
    let resolved = told.iter().filter(|one| one.kind == TransitionKind::Resolved).count();
    let firing = told.iter().filter(|one| one.is_on()).count();
    let still = still(letter);
    let group: Vec<&Alert> = alerts.iter().chain(&still).copied().collect();
    let shared = labels::share(&group);
    let state = state(letter, firing, resolved, still.len());
    let rules: BTreeSet<&str> = group.iter().map(|alert| alert.name.as_str()).collect();
    let gravest = alerts.first();
    let mut starts: Vec<Timestamp> = told.iter().filter(|one| one.is_on()).filter_map(Told::start).collect();
    if state == State::Partly {
        starts.extend(still.iter().filter_map(|alert| alert.starts_at));
    }
    let (earliest, latest) = (starts.iter().min().copied(), starts.iter().max().copied());
    let lasted: BTreeSet<i64> =
        told.iter().filter_map(|one| Some(one.end()?.millis_since(one.start()?) / 60_000)).collect();
    let sentences = Sentences::of(letter, state, &group);
    let grades: BTreeSet<&str> =
        told.iter().filter(|one| one.is_on()).map(|one| grade_word(one.alert, language)).collect();
    let telling = Telling {
        rules: rules.len() > 1,
        grades: grades.len() > 1,
        own_sentences: !sentences.common,
        starts_differ: matches!((earliest, latest), (Some(a), Some(b)) if starts_apart(a, b, letter.now)),
        ends_differ: firing > 0 || !still.is_empty() || lasted.len() > 1,
        clock: &clock,
        taught: Taught::NOTHING,
    };
    let news = order.iter().map(|&index| Seen {
        alert: told[index].alert,
        told: Some(index),
        news: Some(&told[index]),
        weight: weighed(told[index].alert),
    });
    let unchanged = still.iter().map(|&alert| Seen { alert, told: None, news: None, weight: weighed(alert) });
    let seen: Vec<Seen<'_>> =
        if matches!(state, State::Partly | State::Unclear) { news.chain(unchanged).collect() } else { news.collect() };
    let mut lists = telling.lists(&seen);
    if state == State::Partly {
        // What is repeated is on without news, too.
        lists.parts.clear();
        let repeated = std::mem::take(&mut lists.main);
        lists.still.splice(0..0, repeated);
    }
    let object = if rules.len() > 1 { Vec::new() } else { lists.head.object.clone() };
    let mut place = subject::places(&lists.head.place);
    if matches!(state, State::NoData | State::QueryError)
        && let Some(source) = gravest.and_then(|alert| labels::data_source(alert))
    {
        let name = super::fit::cut_chars(&one_line(source), 60).into_owned();
        place.insert(0, format!("{} {name}", pick(language, "数据源", "data source")));
    }
    let qualifier = subject::text(&lists.head.qualifier);
    let duration = earliest.map(|start| clock.duration(start, letter.now)).unwrap_or_default();
    let graded = match state {
        State::Firing | State::Reminder | State::Partly => true,
        State::Resolved | State::Unclear | State::Test => false,
        State::NoData | State::QueryError | State::Notice | State::Opaque => {
            gravest.is_some_and(|alert| alert.level().is_some())
        }
    };
    let grade = gravest.filter(|_| graded).map_or("", |alert| grade_word(alert, language));
    Facts {
        state,
        weight: weight(told),
        severity: gravest.map(|alert| severity(alert)).unwrap_or_default(),
        grade,
        word: match state {
            State::Firing => grade.to_owned(),
            State::Reminder if !duration.is_empty() => {
                // One unit says enough.
                let unit: Vec<&str> = duration.split(' ').take(2).collect();
                format!("{} {}", state.word(language), unit.join(" "))
            }
            _ => state.word(language).to_owned(),
        },
        name: own_title(letter).or_else(|| gravest.map(|alert| name_of(alert, language))).unwrap_or_default(),
        rules: if own_title(letter).is_some() { 1 } else { rules.len() },
        firing,
        resolved,
        still: still.len(),
        truncated: letter.notification.truncated,
        judged_again: firing == 0 && resolved > 0 && alerts.iter().all(|alert| alert.health != Health::Normal),
        scope: Some(qualifier.clone()).filter(|text| !text.is_empty()).into_iter().chain(place.clone()).collect(),
        object,
        place,
        qualifier,
        when: match state {
            State::Test | State::Opaque => String::new(),
            State::Notice => told.iter().find_map(Told::start).and_then(|at| clock.time(at)).unwrap_or_default(),
            _ => when(told, earliest, &clock),
        },
        since: earliest.and_then(|start| clock.time(start)).unwrap_or_default(),
        duration,
        summary: sentences.summary,
        description: sentences.description,
        message: limited(&visible(&letter.notification.message)),
        values: values(letter, &alerts),
        notes: notes(letter, state, still.len()),
        links: links(letter, &alerts, state),
        shared,
        order,
        lists,
    }
}

/// Are two starts so far apart that each row shows its own: by ten minutes and by a fifth of the longest duration?
const fn starts_apart(earliest: Timestamp, latest: Timestamp, now: Timestamp) -> bool {
    let apart = latest.0.saturating_sub(earliest.0);
    apart > 600_000 && apart.saturating_mul(5) > now.0.saturating_sub(earliest.0)
}

/// The title given by the contact point, unless it is Grafana's default.
fn own_title(letter: &Letter<'_>) -> Option<String> {
    let title = one_line(&letter.notification.title);
    (letter.notification.format == Format::Grafana && !title.is_empty())
        .then(|| super::fit::cut_chars(&title, 300).into_owned())
}

impl Told<'_> {
    pub(super) fn is_on(&self) -> bool {
        self.kind.is_on()
    }

    pub(super) fn start(&self) -> Option<Timestamp> {
        self.starts_at.or(self.alert.starts_at)
    }

    pub(super) fn end(&self) -> Option<Timestamp> {
        self.ends_at.or(self.alert.ends_at)
    }
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

/// At most [`TEXT`] characters of `text`.
pub(super) fn limited(text: &str) -> String {
    super::fit::cut_chars(text.trim(), TEXT).into_owned()
}

/// The severity, as sent.
pub(super) fn severity(alert: &Alert) -> String {
    super::fit::cut_chars(&one_line(level_label(&alert.labels).unwrap_or_default()), 20).into_owned()
}

pub(super) fn weighed(alert: &Alert) -> Weight {
    Weight::of(alert.level(), level_label(&alert.labels).unwrap_or_default())
}

/// Firing before resolved, higher before lower severity, else in the sender's order.
fn order(told: &[Told<'_>]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..told.len()).collect();
    order.sort_by_cached_key(|&index| {
        let one = &told[index];
        let light = match weighed(one.alert) {
            Weight::Red => 1,
            Weight::Yellow => 2,
            Weight::Blue => 3,
        };
        (!one.is_on(), if one.alert.is_critical() { 0 } else { light })
    });
    order
}

fn weight(told: &[Told<'_>]) -> Weight {
    let on = told.iter().filter(|one| one.is_on());
    let weights: Vec<Weight> = on.map(|one| weighed(one.alert)).collect();
    if weights.is_empty() || weights.contains(&Weight::Red) {
        Weight::Red
    } else if weights.contains(&Weight::Yellow) {
        Weight::Yellow
    } else {
        Weight::Blue
    }
}

/// Alerts that the notification lists as firing without news.
fn still<'a>(letter: &'a Letter<'_>) -> Vec<&'a Alert> {
    let told: BTreeSet<_> = letter.told.iter().map(|one| (&one.alert.discriminator, &one.alert.labels)).collect();
    letter
        .notification
        .alerts
        .iter()
        .filter(|alert| alert.status == Status::Firing && !told.contains(&(&alert.discriminator, &alert.labels)))
        .collect()
}

fn state(letter: &Letter<'_>, firing: usize, resolved: usize, still: usize) -> State {
    let notification = letter.notification;
    // A text that was not parsed but is shown unchanged.
    if notification.format == Format::Opaque && notification.alerts.iter().all(|alert| alert.kin.is_none()) {
        return State::Opaque;
    }
    if notification.test {
        return State::Test;
    }
    if firing > 0 {
        let on = || letter.told.iter().filter(|one| one.is_on());
        if on().all(|one| one.alert.health != Health::Normal) {
            let failed = on().any(|one| one.alert.health == Health::Error);
            return if failed { State::QueryError } else { State::NoData };
        }
        return match (on().any(|one| one.kind == TransitionKind::Firing), resolved) {
            (true, _) => State::Firing,
            (false, 0) => State::Reminder,
            (false, _) => State::Partly,
        };
    }
    if resolved == 0 {
        // A text is shown unchanged.
        return if notification.format == Format::Opaque { State::Opaque } else { State::Notice };
    }
    match (still, notification.truncated) {
        (0, 0) => State::Resolved,
        (0, _) => State::Unclear,
        _ => State::Partly,
    }
}

fn when(told: &[Told<'_>], earliest: Option<Timestamp>, clock: &Clock<'_>) -> String {
    if let Some(earliest) = earliest {
        return clock.since(earliest);
    }
    let over: BTreeSet<String> = told
        .iter()
        .filter(|one| one.kind == TransitionKind::Resolved)
        .filter_map(|one| {
            let end = one.end()?;
            Some(one.start().map_or_else(|| clock.ended(end), |start| clock.lasted(start, end)))
        })
        .collect();
    if over.len() == 1 {
        return over.into_iter().next().unwrap_or_default();
    }
    told.iter().filter(|one| !one.is_on()).filter_map(Told::end).max().map(|end| clock.ended(end)).unwrap_or_default()
}

/// The sentences written by people: common to all alerts, or one alert's own.
struct Sentences {
    summary: String,
    description: String,
    /// Is the summary the same for all, except for what distinguishes the alerts?
    common: bool,
}

impl Sentences {
    fn of(letter: &Letter<'_>, state: State, alerts: &[&Alert]) -> Self {
        // In a body with text of its own the sentences tell which alert is resolved.
        let words = matches!(letter.notification.format, Format::Generic | Format::Opaque) && state == State::Resolved;
        let own = letter.notification.format == Format::Grafana && !letter.notification.message.is_empty();
        if !words && !own && matches!(state, State::Resolved | State::Unclear | State::NoData) {
            // They are no longer true, or were written for a value that is missing.
            return Self { summary: String::new(), description: String::new(), common: true };
        }
        let on: Vec<&&Alert> = alerts.iter().filter(|alert| alert.status == Status::Firing).collect();
        let speakers: Vec<&Alert> = if on.is_empty() { alerts.to_vec() } else { on.into_iter().copied().collect() };
        let one_rule = speakers.windows(2).all(|pair| pair[0].name == pair[1].name);
        let differing = if one_rule { differing(&speakers) } else { Vec::new() };
        let summary = agreed(&speakers, |alert| masked(&summary(alert), alert, &differing));
        // One alert's description under the names of all would be read as that of all.
        let all_describe = speakers.iter().all(|alert| !describe(alert, state).is_empty());
        let description = if all_describe { agreed(&speakers, |alert| describe(alert, state)) } else { None };
        let common = summary.is_some();
        let mut summary = summary.unwrap_or_default();
        let mut description = description.unwrap_or_default();
        if own {
            // The contact point's text is meant for the group, the annotations for each alert.
            if matches!(state, State::Resolved | State::Unclear | State::NoData) {
                (summary, description) = (String::new(), String::new());
            }
            let message = visible(&letter.notification.message).trim().to_owned();
            description =
                [description, message].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n");
        }
        if summary.is_empty() && description.is_empty() {
            visible(&letter.notification.message).trim().clone_into(&mut description);
        }
        if summary.is_empty()
            && let Some((first, rest)) = description.split_once('\n').or(Some((description.as_str(), "")))
        {
            (summary, description) = (one_line(first), rest.trim().to_owned());
        }
        // A sentence that repeats the title, or a description equal to the summary, is noise.
        if alerts.iter().any(|alert| one_line(&alert.name) == summary) {
            summary.clear();
        }
        if one_line(&description) == summary {
            description.clear();
        }
        // Faces with little room show the summary only: it must not be empty if there is a description.
        if summary.is_empty() && !description.is_empty() {
            let (first, rest) = description.split_once('\n').unwrap_or((&description, ""));
            (summary, description) = (one_line(first), rest.trim().to_owned());
        }
        Self { summary: limited(&summary), description: limited(&description), common }
    }
}

/// The common text of all of `alerts` that have any; `None` if they differ.
fn agreed(alerts: &[&Alert], what: impl Fn(&Alert) -> String) -> Option<String> {
    let mut agreed = String::new();
    for alert in alerts {
        let said = what(alert);
        if said.is_empty() || said == agreed {
            continue;
        }
        if !agreed.is_empty() {
            return None;
        }
        agreed = said;
    }
    Some(agreed)
}

pub(super) fn summary(alert: &Alert) -> String {
    if alert.health == Health::Error {
        return alert.annotations.get("Error").map(|error| limited(&one_line(error))).unwrap_or_default();
    }
    limited(&one_line(&annotation(alert, &["summary", "title"])))
}

fn describe(alert: &Alert, state: State) -> String {
    // The error gives the reason; the rule's own sentences assume a value that is missing.
    if state == State::QueryError { String::new() } else { annotation(alert, &["description", "message"]) }
}

fn annotation(alert: &Alert, names: &[&str]) -> String {
    let text = names.iter().find_map(|name| alert.annotations.get(*name).filter(|text| !text.trim().is_empty()));
    text.map(|text| limited(&visible(text))).unwrap_or_default()
}

/// Labels that tell `alerts` apart.
fn differing<'a>(alerts: &[&'a Alert]) -> Vec<&'a str> {
    let Some((first, rest)) = alerts.split_first() else { return Vec::new() };
    let names = first.labels.iter().take(MASKED);
    let differs = |name: &String, value: &String| rest.iter().any(|alert| alert.labels.get(name) != Some(value));
    names.filter(|(name, value)| differs(name, value)).map(|(name, _)| name.as_str()).collect()
}

/// `sentence` without the alert's own parts, so that the same sentence of another alert is equal.
fn masked(sentence: &str, alert: &Alert, differing: &[&str]) -> String {
    let mut masked = sentence.to_owned();
    if masked.is_empty() {
        return masked;
    }
    for name in differing {
        let Some(value) = alert.labels.get(*name).filter(|value| value.len() > 1 && value.len() < 200) else {
            continue;
        };
        masked = masked.replace(value.as_str(), "…");
        if let Some((host, _)) = value.split_once(':').filter(|(host, _)| host.len() > 3) {
            masked = masked.replace(host, "…");
        }
    }
    masked
}

fn values(letter: &Letter<'_>, alerts: &[&Alert]) -> Vec<(String, String)> {
    let [alert] = alerts else { return Vec::new() };
    if alert.health != Health::Normal || alert.status == Status::Resolved {
        return Vec::new();
    }
    let values = labels::values(alert);
    // Grafana's RefIDs are steps of one calculation, the first is the result; elsewhere each value is a series.
    let named = letter.notification.format != Format::Grafana;
    values
        .iter()
        .take(if named { ROWS } else { 1 })
        .map(|value| (if named { one_line(&value.name) } else { String::new() }, measured(alert, &value.text)))
        .collect()
}

fn notes(letter: &Letter<'_>, state: State, still: usize) -> Vec<String> {
    let zh = letter.language == Language::Zh;
    let mut notes = Vec::new();
    let truncated = letter.notification.truncated;
    if state == State::Firing && still > 0 {
        notes.push(if zh { format!("另有 {still} 条仍在告警") } else { format!("{still} more still firing") });
    }
    if truncated > 0 {
        notes.push(match (zh, state == State::Unclear) {
            (true, true) => format!("上游还省略了 {truncated} 条，可能仍在告警"),
            (false, true) => format!("the sender left out {truncated} more, which may still be firing"),
            (true, false) => format!("上游还省略了 {truncated} 条"),
            (false, false) => format!("the sender left out {truncated} more"),
        });
    }
    let kept = letter.told.iter().filter(|one| one.is_on()).filter_map(|one| one.alert.annotations.get(REASON));
    for reason in kept.filter(|reason| reason.contains("KeepLast")).collect::<BTreeSet<_>>() {
        notes.push(
            if reason.contains("Error") {
                pick(
                    letter.language,
                    "最近一次查询出错，沿用上次的状态",
                    "the last query failed: the state before is kept",
                )
            } else {
                pick(letter.language, "最近一次无数据，沿用上次的状态", "no data lately: the state before is kept")
            }
            .to_owned(),
        );
    }
    if letter.told.iter().any(|one| one.alert.annotations.contains_key(HELD)) {
        notes.push(pick(letter.language, "上游已确认", "acknowledged upstream").to_owned());
    }
    let reasons: BTreeMap<&str, usize> =
        letter.told.iter().filter(|one| !one.is_on()).filter_map(|one| one.alert.annotations.get(REASON)).fold(
            BTreeMap::new(),
            |mut reasons, reason| {
                *reasons.entry(reason.as_str()).or_default() += 1;
                reasons
            },
        );
    for reason in reasons.keys() {
        // "Resolved" does not mean healthy here (alert-sources §2.4).
        notes.extend(
            match *reason {
                "MissingSeries" => Some(pick(
                    letter.language,
                    "数据序列已消失，未必恢复正常",
                    "the series is gone: not necessarily healthy",
                )),
                "Paused" => Some(pick(
                    letter.language,
                    "规则已暂停，未必恢复正常",
                    "the rule was paused: not necessarily healthy",
                )),
                "RuleDeleted" => Some(pick(
                    letter.language,
                    "规则已删除，未必恢复正常",
                    "the rule was deleted: not necessarily healthy",
                )),
                "Updated" => {
                    Some(pick(letter.language, "规则已修改，状态重新计算", "the rule was changed and starts anew"))
                }
                _ => None,
            }
            .map(str::to_owned),
        );
    }
    notes
}
