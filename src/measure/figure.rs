//! The values of an alert: which of the numbers that its sender gives are worth showing, and in which unit.

use std::sync::Arc;

use super::rule::{Condition, Rule};
use super::text::{self, Printed};
use super::unit::Unit;
use super::write;
use super::{Figure, Source};
use crate::alert::{Alert, Format, Health, Value};
use crate::said;
use crate::words::Language;

/// What an alert measures: its rule as far as it is known, and the values that are worth showing. Empty where a number
/// says nothing: of states, of what is absent, of predictions.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reading {
    /// The rule's expression; empty if it is unknown.
    pub expression: Arc<str>,
    /// The same, understood.
    pub rule: Option<Arc<Rule>>,
    /// The values, in the sender's order. More than one: each with its name.
    pub figures: Vec<Figure>,
}

impl Reading {
    /// Reads `alert`, which a body of `format` told of.
    pub fn of(alert: &Alert, format: Format) -> Self {
        Self::by(&Known::of(alert), alert, format)
    }

    fn by(known: &Known<'_>, alert: &Alert, format: Format) -> Self {
        let (expression, rule) = (known.expression.clone(), known.rule.clone());
        let silent = alert.health != Health::Normal || rule.as_ref().is_some_and(|rule| !rule.has_number());
        let mut reading = Self { expression, figures: Vec::new(), rule };
        if !silent {
            reading.figures = reading.found(alert, format);
            reading.learn();
        }
        reading
    }

    /// Reads the alerts of one rule. A number that differs among their sentences is the value of those that give no other,
    /// if it is the only one that does.
    pub fn of_group(alerts: &[&Alert], format: Format) -> Vec<Self> {
        let mut last: Option<Known<'_>> = None;
        let mut readings: Vec<Self> = Vec::with_capacity(alerts.len());
        for alert in alerts {
            // The alerts of a rule have one link to it: an expression takes longer to read than all else.
            let known = last.take().filter(|known| known.is_of(alert)).unwrap_or_else(|| Known::of(alert));
            readings.push(Self::by(&known, alert, format));
            last = Some(known);
        }
        let silent = |reading: &Self| reading.rule.as_deref().is_some_and(|rule| !rule.has_number());
        if readings.len() < 2 || readings.iter().any(|reading| !reading.figures.is_empty() || silent(reading)) {
            return readings;
        }
        if alerts.iter().any(|alert| alert.health != Health::Normal) {
            return readings;
        }
        let printed: Vec<Vec<Printed>> = alerts.iter().map(|alert| text::numbers(alert)).collect();
        let count = printed[0].len();
        if count == 0 || printed.iter().any(|numbers| numbers.len() != count) {
            return readings;
        }
        let differs = |at: &usize| printed.iter().any(|numbers| numbers[*at].raw != printed[0][*at].raw);
        let differing: Vec<usize> = (0..count).filter(differs).collect();
        let [at] = differing[..] else { return readings };
        for (reading, numbers) in readings.iter_mut().zip(&printed) {
            let unit = numbers[at].unit.clone().or_else(|| reading.rule.as_deref().and_then(Rule::shown_unit));
            reading.figures = vec![numbers[at].figure(unit, Source::Differing)];
        }
        readings
    }

    /// Is it known what the rule compares, and is the number the only thing that is missing?
    pub fn lacks_number(&self) -> bool {
        let bounded = |rule: &Rule| matches!(rule.condition, Condition::Bounds(_) | Condition::Series { .. });
        self.figures.is_empty() && self.rule.as_deref().is_some_and(bounded)
    }

    /// The threshold in words, as `> 90 %`, in the unit of the values; `None` where there is none or it says nothing.
    pub fn threshold(&self, language: Language) -> Option<String> {
        let rule = self.rule.as_deref()?;
        // A unit that the author gives holds for the threshold, too, unless it is one that numbers are turned into.
        let own = || {
            let figure = self.figures.first()?;
            figure.unit.clone().filter(|_| figure.number.is_some_and(|number| rule.holds(number)))
        };
        // By its name a measure is a count where nothing else is known: the sender knows better.
        let is_sent = self.figures.first().is_some_and(|figure| figure.source == Source::Sender);
        let unit = match rule.shown_unit() {
            Some(unit) if is_sent && unit.is_plain() => own().or(Some(unit)),
            unit => unit.or_else(own),
        };
        write::threshold(rule.bounds(), unit.as_ref(), language)
    }

    /// A value in words.
    pub fn write(&self, figure: &Figure, language: Language) -> String {
        let Some(number) = figure.number else { return figure.raw.clone() };
        let bounds = self.rule.as_deref().map(Rule::bounds).unwrap_or_default();
        let factor = match (self.rule.as_deref().and_then(|rule| rule.unit.as_ref()), &figure.unit) {
            // The bounds are in the unit of the measure, the number may be in the author's.
            (Some(of_rule), Some(shown)) if of_rule.kind == shown.kind => of_rule.scale / shown.scale,
            _ => 1.0,
        };
        let bounds: Vec<_> =
            bounds.iter().map(|bound| super::Bound { limit: bound.limit * factor, ..*bound }).collect();
        write::write(number, figure.unit.as_ref(), &bounds, language)
    }

    /// Takes a measure for a ratio where its value is told in percent and its threshold is at most 1.
    fn learn(&mut self) {
        let percent = self.figures.iter().all(|figure| figure.unit == Some(Unit::PERCENT)) && !self.figures.is_empty();
        if let Some(rule) = self.rule.as_mut().filter(|_| percent)
            && rule.unit.as_ref().is_none_or(Unit::is_plain)
            && !rule.bounds().is_empty()
            && rule.bounds().iter().all(|bound| bound.limit.abs() <= 1.0)
        {
            Arc::make_mut(rule).unit = Some(Unit::RATIO);
        }
    }

    fn found(&self, alert: &Alert, format: Format) -> Vec<Figure> {
        let sent = self.sent(alert, format);
        if !sent.is_empty() {
            return sent;
        }
        if let Some(printed) = text::behind_value(alert) {
            let unit = self.unit(alert, &printed);
            return self.unless_flag(vec![printed.figure(unit, Source::Dump)]);
        }
        if let Some(printed) = text::in_prose(alert, self.rule.as_deref()) {
            let unit = printed.unit.clone().or_else(|| self.unit(alert, &printed));
            return self.unless_flag(vec![printed.figure(unit, Source::Prose)]);
        }
        let asked = alert.asked.number.as_deref().map(Printed::of);
        asked.map_or_else(Vec::new, |printed| {
            let unit = self.unit(alert, &printed);
            self.unless_flag(vec![printed.figure(unit, Source::Upstream)])
        })
    }

    /// Numbers that the sender gives as such.
    fn sent(&self, alert: &Alert, format: Format) -> Vec<Figure> {
        let mut values: Vec<&Value> = alert.values.iter().collect();
        if format == Format::Grafana {
            values = chosen(values, alert);
        }
        let source = match format {
            Format::Grafana => Source::Grafana,
            Format::GrafanaLegacy => Source::Matches,
            _ => Source::Sender,
        };
        let figures: Vec<Figure> = values
            .into_iter()
            .map(|value| {
                let printed = Printed::of(&value.text);
                let unit = printed.unit.clone().or_else(|| self.unit(alert, &printed));
                let tags = value.tags.clone();
                Figure { name: value.name.clone(), tags, ..printed.figure(unit, source) }
            })
            .collect();
        let numbers = |figure: &Figure| figure.number.is_none_or(|number| !number.is_nan());
        let some = figures.iter().any(numbers);
        let figures: Vec<Figure> = figures.into_iter().filter(|figure| !some || numbers(figure)).collect();
        let nothing = figures.iter().all(|figure| figure.number == Some(-1.0)) && format == Format::Grafana;
        if nothing { Vec::new() } else { self.unless_flag(figures) }
    }

    /// 1 of a rule that asks for more than 0 is a flag.
    fn unless_flag(&self, figures: Vec<Figure>) -> Vec<Figure> {
        let [figure] = &figures[..] else { return figures };
        let asks_any = self.rule.as_deref().is_some_and(|rule| {
            matches!(&rule.condition, Condition::Bounds(bounds) if matches!(bounds[..],
                [bound] if (bound.operator.sign() == ">" && bound.limit == 0.0)
                    || (bound.operator.sign() == "≥" && (bound.limit - 1.0).abs() < f64::EPSILON)))
        });
        let plain = figure.unit.as_ref().is_none_or(Unit::is_plain);
        let is_flag = asks_any && plain && figure.number == Some(1.0);
        if is_flag { Vec::new() } else { figures }
    }

    /// The unit of a number: as a label or annotation says, else as the sign behind it in a text, else by algebra.
    fn unit(&self, alert: &Alert, printed: &Printed) -> Option<Unit> {
        let said = alert.labels.get("unit").or_else(|| alert.annotations.get("unit"));
        said.and_then(|text| Unit::named(text))
            .or_else(|| text::sign_behind(alert, printed.number?))
            .or_else(|| self.rule.as_deref().and_then(Rule::shown_unit))
    }
}

/// A rule that was read, by what it was read from.
struct Known<'a> {
    /// The link that holds its expression; empty if none does.
    link: &'a str,
    expression: Arc<str>,
    rule: Option<Arc<Rule>>,
}

impl<'a> Known<'a> {
    fn of(alert: &'a Alert) -> Self {
        let linked = super::link::in_link(&alert.links.rule);
        let link = if linked.is_some() { alert.links.rule.as_str() } else { "" };
        let expression = linked.or_else(|| super::link::stated(alert)).unwrap_or_default();
        Self { link, rule: Rule::read(&expression).map(Arc::new), expression: expression.into() }
    }

    /// Is it the rule of `alert`, too?
    fn is_of(&self, alert: &Alert) -> bool {
        !self.link.is_empty() && alert.links.rule == self.link
    }
}

/// The refs of a Grafana rule that say something: no conditions (0 or 1) beside measured values; the one that the rule's
/// texts name or print; each number once.
fn chosen<'a>(values: Vec<&'a Value>, alert: &Alert) -> Vec<&'a Value> {
    let number = |value: &Value| value.text.trim().parse::<f64>().ok();
    let is_flag = |value: &&Value| number(value).is_some_and(|number| [0.0, 1.0].contains(&number));
    let left: Vec<&Value> = values.into_iter().filter(|value| !is_flag(value)).collect();
    if left.len() > 1 {
        let words = format!("{}\n{}", alert.name, said::all(&alert.annotations));
        let named: Vec<&Value> = left.iter().copied().filter(|value| text::names(&words, &value.name)).collect();
        let printed: Vec<&Value> =
            left.iter().copied().filter(|value| number(value).is_some_and(|it| text::prints(alert, it))).collect();
        if named.len() == 1 {
            return named;
        }
        if printed.len() == 1 {
            return printed;
        }
    }
    let mut seen: Vec<&Value> = Vec::new();
    for value in left {
        if !seen.iter().any(|other| number(other).is_some() && number(other) == number(value)) {
            seen.push(value);
        }
    }
    seen
}
