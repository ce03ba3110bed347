//! Alerts in a list: the distinguishing data of each.

use super::Told;
use super::facts::{TEXT, name_of, severity, summary};
use super::fit::cut_chars;
use super::labels::{self, Shared};
use super::neutral::one_line;
use super::words::{Clock, State};
use crate::alert::{Alert, Health, TransitionKind};

/// An alert in a list or table.
pub(super) struct Row {
    pub(super) told: usize,
    pub(super) kind: TransitionKind,
    pub(super) name: String,
    /// Values of the columns.
    pub(super) cells: Vec<String>,
    /// What distinguishes it, in words.
    pub(super) what: String,
    /// The label values that are its own, without the rule's name.
    pub(super) own: String,
    pub(super) severity: String,
    /// The severity, unless it is the same for all rows.
    pub(super) grade: String,
    pub(super) value: String,
    pub(super) summary: String,
    /// The duration, unless it is the same for all rows.
    pub(super) when: String,
    pub(super) since: String,
    pub(super) duration: String,
}

impl Row {
    pub(super) const fn is_resolved(&self) -> bool {
        matches!(self.kind, TransitionKind::Resolved)
    }
}

/// Which of their data rows show.
#[expect(clippy::struct_excessive_bools, reason = "four independent questions, each asked once")]
pub(super) struct Telling<'a> {
    pub(super) keys: &'a [&'a str],
    pub(super) shared: &'a Shared,
    /// Are there several rules?
    pub(super) rules: bool,
    /// Are there several severities?
    pub(super) grades: bool,
    pub(super) own_sentences: bool,
    pub(super) starts_differ: bool,
    pub(super) ends_differ: bool,
    pub(super) clock: &'a Clock<'a>,
}

impl Telling<'_> {
    pub(super) fn row(&self, index: usize, told: &Told<'_>) -> Row {
        let (alert, clock) = (told.alert, self.clock);
        let resolved = told.kind == TransitionKind::Resolved;
        let duration = match (told.start(), told.end()) {
            (Some(start), Some(end)) if resolved => clock.duration(start, end),
            (Some(start), _) if !resolved => clock.duration(start, clock.now),
            _ => String::new(),
        };
        let value = match alert.health {
            _ if resolved => String::new(),
            Health::Normal => {
                labels::values(alert).first().map(|value| measured(alert, &value.text)).unwrap_or_default()
            }
            Health::NoData => State::NoData.word(clock.language).to_owned(),
            Health::Error => State::QueryError.word(clock.language).to_owned(),
        };
        let own = self.own(alert);
        let differs = if resolved { self.ends_differ } else { self.starts_differ };
        Row {
            told: index,
            kind: told.kind,
            name: name_of(alert, clock.language),
            cells: self.keys.iter().map(|key| labels::value(alert, key)).collect(),
            what: self.what(alert, &own),
            own,
            grade: if self.grades && !resolved { severity(alert) } else { String::new() },
            severity: severity(alert),
            summary: if self.own_sentences && !resolved { summary(alert) } else { String::new() },
            value,
            when: if differs { duration.clone() } else { String::new() },
            since: told.start().and_then(|start| clock.time(start)).unwrap_or_default(),
            duration,
        }
    }

    fn own(&self, alert: &Alert) -> String {
        let own = if self.rules { labels::own(alert, self.shared) } else { Vec::new() };
        labels::in_words(alert, if self.rules { &own } else { self.keys })
    }

    /// What distinguishes the alert, never empty.
    fn what(&self, alert: &Alert, own: &str) -> String {
        match (own.is_empty(), self.rules) {
            (true, _) => name_of(alert, self.clock.language),
            (false, true) => format!("{} · {own}", name_of(alert, self.clock.language)),
            (false, false) => own.to_owned(),
        }
    }

    /// An ongoing alert, with its value.
    pub(super) fn still(&self, alert: &Alert) -> String {
        let what = self.what(alert, &self.own(alert));
        match labels::values(alert).first() {
            Some(value) if alert.health == Health::Normal => format!("{what} {}", measured(alert, &value.text)),
            _ => what,
        }
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
