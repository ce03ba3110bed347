//! What alerts measure, in words: values with their units, and the threshold.

use std::collections::HashMap;
use std::sync::Arc;

use super::fit::cut_chars;
use super::neutral::one_line;
use super::words::{Clock, brackets, pick};
use crate::alert::{Alert, Format, Timestamp};
use crate::config::Language;
use crate::measure::{Figure, Operator, Reading, UnitKind};

/// Characters of a value.
const TEXT: usize = 40;
/// Characters of its name.
const NAME: usize = 60;

/// What an alert measures.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    /// The values worth showing; each with its name, if there are several.
    pub values: Vec<Shown>,
    /// What its rule asks of them: `> 90 %`. Empty where that is unknown or says nothing, or where there is no value.
    pub threshold: String,
    /// The sign of the unit of the first value: `%`.
    pub unit: String,
    /// How bad the first value is: larger is worse for every kind of comparison.
    pub worse: Option<f64>,
    /// Does the rule fire for small values?
    pub low: bool,
    /// The rule's expression; empty if it is unknown.
    pub expression: Arc<str>,
}

/// A value in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Empty where there is only one.
    pub name: String,
    /// With its unit.
    pub text: String,
}

impl Shown {
    /// `P99 912 ms`.
    pub fn named(&self) -> String {
        if self.name.is_empty() { self.text.clone() } else { format!("{} {}", self.name, self.text) }
    }
}

/// What each of `alerts` measures, read rule by rule.
pub fn measured(alerts: &[&Alert], format: Format, clock: &Clock<'_>) -> Vec<Measured> {
    let mut of_rule: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, alert) in alerts.iter().enumerate() {
        of_rule.entry(&alert.name).or_default().push(at);
    }
    let mut all = vec![Measured::default(); alerts.len()];
    for places in of_rule.values() {
        let of: Vec<&Alert> = places.iter().map(|at| alerts[*at]).collect();
        for (at, reading) in places.iter().zip(Reading::of_group(&of, format)) {
            all[*at] = Measured::of(&reading, clock);
        }
    }
    all
}

impl Measured {
    fn of(reading: &Reading, clock: &Clock<'_>) -> Self {
        let several = reading.figures.len() > 1;
        let shown = |figure: &Figure| Shown {
            name: if several { cut_chars(&one_line(&figure.name), NAME).into_owned() } else { String::new() },
            text: cut_chars(&one_line(&written(reading, figure, clock)), TEXT).into_owned(),
        };
        let first = reading.figures.first();
        let unit = first.and_then(|figure| figure.unit.as_ref());
        let moment = unit.is_some_and(|unit| unit.kind == UnitKind::Instant);
        let bounds = reading.rule.as_deref().map(crate::measure::Rule::bounds).unwrap_or_default();
        let low = matches!(bounds.first().map(|bound| bound.operator), Some(Operator::Below | Operator::AtMost));
        let size = first.and_then(|figure| Some(figure.number? * unit.map_or(1.0, |unit| unit.scale)));
        let mut values: Vec<Shown> = reading.figures.iter().map(shown).filter(|shown| !shown.text.is_empty()).collect();
        values.shrink_to_fit();
        Self {
            values,
            threshold: if first.is_none() || moment {
                String::new()
            } else {
                reading.threshold(clock.language).unwrap_or_default()
            },
            unit: unit.map(crate::measure::Unit::sign).unwrap_or_default(),
            worse: size.map(|size| if low { -size } else { size }),
            low,
            expression: reading.expression.clone(),
        }
    }

    /// All values in one line: `P50 123 ms · P99 912 ms`.
    pub(super) fn line(&self) -> String {
        self.values.iter().map(Shown::named).collect::<Vec<_>>().join(" · ")
    }

    /// `阈值 > 90 %`; empty without a threshold.
    pub fn limit(&self, language: Language) -> String {
        if self.threshold.is_empty() {
            return String::new();
        }
        format!("{} {}", pick(language, "阈值", "limit"), self.threshold)
    }

    /// The values and the threshold behind them: `96.2 %（阈值 > 90 %）`.
    pub(super) fn whole(&self, language: Language) -> String {
        let (line, limit) = (self.line(), self.limit(language));
        if limit.is_empty() { line } else { format!("{line}{}", brackets(language, &limit)) }
    }
}

/// `figure` as people read it; a moment by the receiver's clock.
fn written(reading: &Reading, figure: &Figure, clock: &Clock<'_>) -> String {
    let unit = figure.unit.as_ref().filter(|unit| unit.kind == UnitKind::Instant && !unit.per_second);
    let moment = unit.zip(figure.number).and_then(|(unit, number)| {
        let millis = number * unit.scale * 1000.0;
        // Years that a calendar has; anything else is no moment.
        #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
        (1e11..4e12).contains(&millis).then(|| clock.time(Timestamp(millis as i64))).flatten()
    });
    moment.unwrap_or_else(|| reading.write(figure, clock.language))
}
