//! The plan of a chart: its query, window and texts, before any request is made (pure).

use ecow::EcoString;

use super::About;
use crate::alert::{Alert, Labels};
use crate::measure::{self, Condition, Operator, Reading, Rule, Unit, UnitKind};
use crate::said;
use crate::subject::{self, Sighting};
use crate::words::Language;

/// Alerts of a message whose series are drawn.
pub(super) const ALERTS: usize = 5;

const HOUR: i64 = 3600;
const DAY: i64 = 86_400;
/// Steps between two points, in seconds.
const STEPS: [i64; 7] = [15, 30, 60, 120, 300, 600, 1800];
/// Longest window.
const WEEK: i64 = 7 * DAY;

/// The query and the texts of a chart.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plan {
    /// The rule's name and its whole expression, as the upstream lists it.
    pub name: String,
    pub expression: String,
    pub rule: Rule,
    /// The measure that is drawn.
    pub measure: String,
    /// The limit, where it is a series.
    pub limit: Option<String>,
    pub alerts: Vec<Labels>,
    pub window: (i64, i64),
    pub step: i64,
    pub fired_at: Option<i64>,
    /// Does the chart show the day before as a line?
    pub yesterday: bool,
    /// The unit of the axis.
    pub unit: Option<Unit>,
    pub title: String,
    /// The value in words; empty if the series tells it.
    pub figure: String,
    pub under: String,
}

/// The expression and rule of `alert`, if it can be drawn.
pub(super) fn rule_of(alert: &Alert) -> Option<(String, Rule)> {
    drawable(alert, measure::expression_of(alert)?)
}

/// The same with a given expression.
fn drawable(alert: &Alert, expression: String) -> Option<(String, Rule)> {
    let rule = Rule::read(&expression)?;
    let drawn =
        matches!(rule.condition, Condition::Bounds(_) | Condition::Series { .. } | Condition::Prediction { .. });
    // A flag has no line worth seeing.
    let flag = matches!(&rule.condition, Condition::Bounds(bounds) if bounds.iter().all(|bound| bound.limit == 0.0))
        && rule.unit.as_ref().is_none_or(Unit::is_plain)
        && Reading::of(alert, crate::alert::Format::Alertmanager).figures.is_empty();
    (drawn && !flag).then_some((expression, rule))
}

/// The plan of a chart, for the alert's own expression or for `given`; `None` where there is nothing to draw.
pub(super) fn plan(about: &About<'_>, given: Option<String>) -> Option<Plan> {
    let (alert, started) = about.alerts.first().copied()?;
    let (expression, rule) = match given {
        Some(expression) => drawable(alert, expression)?,
        None => rule_of(alert)?,
    };
    let same = about.alerts.iter().filter(|(other, _)| other.name == alert.name);
    let alerts: Vec<&Alert> = same.take(ALERTS).map(|(alert, _)| *alert).collect();
    let (measure, limit) = match &rule.condition {
        Condition::Prediction { of } => (without_range(of), None),
        Condition::Series { limit, .. } => (rule.measure.clone(), Some(limit.clone())),
        _ => (rule.measure.clone(), None),
    };
    let end = about.at.0 / 1000;
    let fired_at = started.map(|at| at.0 / 1000);
    let (window, step) = window(rule.reach, end, fired_at);
    let reading = Reading::of(alert, about.format);
    let figure = match &reading.figures[..] {
        [only] if alerts.len() == 1 => reading.write(only, about.language),
        _ => String::new(),
    };
    let threshold = reading.threshold(about.language);
    let under = threshold.map(|limit| match about.language {
        Language::Zh => format!("阈值 {limit}"),
        Language::En => format!("limit {limit}"),
    });
    let predicts = matches!(rule.condition, Condition::Prediction { .. });
    let bytes = rule.unit.as_ref().is_some_and(|unit| unit.kind == UnitKind::Byte && !unit.per_second);
    Some(Plan {
        name: alert.name.clone(),
        measure,
        limit,
        title: title(alert, &expression, about),
        expression,
        alerts: alerts.iter().map(|alert| alert.labels.clone()).collect(),
        yesterday: !bytes && !predicts && window.1 - window.0 <= 6 * HOUR,
        window,
        step,
        fired_at,
        unit: reading.rule.as_deref().and_then(Rule::shown_unit),
        figure,
        under: under.unwrap_or_default(),
        rule,
    })
}

/// What is drawn of a rule that looks back `reach` seconds, and the distance of its points: long enough to tell a step
/// from a wave, and back to before it fired.
fn window(reach: f64, end: i64, fired_at: Option<i64>) -> ((i64, i64), i64) {
    let usual = match reach {
        ..=600.0 => 3 * HOUR,
        ..=3600.0 => 6 * HOUR,
        ..=21_600.0 => DAY,
        _ => WEEK,
    };
    let back = fired_at.map_or(usual, |fired| (end - fired + usual / 3).max(usual)).min(WEEK);
    let step = STEPS.into_iter().find(|step| back / step <= 240).unwrap_or(3600);
    let end = end - end.rem_euclid(step);
    ((end - back, end), step)
}

fn without_range(selector: &str) -> String {
    selector.rsplit_once('[').map_or(selector, |(before, _)| before).trim().to_owned()
}

/// The rule, and the object of a single alert.
fn title(alert: &Alert, expression: &str, about: &About<'_>) -> String {
    if about.alerts.len() > 1 {
        return format!("{} ×{}", alert.name, about.alerts.len());
    }
    let text = said::all(&alert.annotations);
    let said = said::cut(&text);
    let sighting = Sighting { labels: &alert.labels, said: &said, expression, taught: about.taught };
    let object = subject::text(&subject::subject(&sighting).object);
    if object.is_empty() { alert.name.clone() } else { format!("{} · {object}", alert.name) }
}

impl Plan {
    /// The labels by which its series are picked: those that the measure keeps, else those that are not the rule's.
    pub fn only(&self, rule_labels: &Labels) -> Vec<Labels> {
        let keeps = |name: &EcoString| match &self.rule.by {
            Some(by) => by.iter().any(|kept| name == kept),
            None => name != "alertname" && !rule_labels.contains_key(name),
        };
        let of = |labels: &Labels| -> Labels {
            labels.iter().filter(|(name, _)| keeps(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
        };
        let mut all: Vec<Labels> = Vec::new();
        for labels in &self.alerts {
            let labels = of(labels);
            if !all.contains(&labels) {
                all.push(labels);
            }
        }
        all
    }

    /// Does the alert fire above its limit?
    pub fn is_above(&self) -> bool {
        let above = |operator: Operator| matches!(operator, Operator::Above | Operator::AtLeast);
        match &self.rule.condition {
            Condition::Bounds(bounds) => bounds.first().is_none_or(|bound| above(bound.operator)),
            Condition::Series { operator, .. } => above(*operator),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_hold_the_moment_of_firing() {
        for (reach, fired_before, hours, step) in [
            (300.0, 60, 3, 60),
            (0.0, 60, 3, 60),
            (1800.0, 60, 6, 120),
            (7200.0, 60, 24, 600),
            (90_000.0, 60, 168, 3600),
            (300.0, 10 * HOUR, 11, 300),
            (300.0, 30 * DAY, 168, 3600),
        ] {
            let end = 1_795_354_200;
            let ((from, to), got) = window(reach, end, Some(end - fired_before));
            assert_eq!(((to - from) / HOUR, got), (hours, step), "{reach} {fired_before}");
            assert!(to <= end && end - to < got && to % got == 0);
        }
    }

    #[test]
    fn a_prediction_draws_what_it_extrapolates() {
        assert_eq!(without_range("node_filesystem_avail_bytes{a=\"b\"}[6h]"), "node_filesystem_avail_bytes{a=\"b\"}");
    }
}
