//! What upstreams say of their own alerts where no body says it: the expression of the rule, and the number.

use std::collections::{BTreeMap, HashMap};

use futures_util::future::join_all;
use tokio::time::{Instant, timeout_at};

use super::{Charts, Undrawn};
use crate::alert::{Alert, Format, Labels, Status};
use crate::config::{ChartExpression, Upstream};
use crate::measure::{Reading, expression_of};
use crate::names::SourceId;
use crate::upstream::{FiringThere, Namesakes, asked_for};

/// Rules of one message that are asked about.
const RULES: usize = 3;

/// A rule of a message, and those of its alerts whose number is not known.
struct Unknown<'a> {
    name: &'a str,
    expression: String,
    upstream: &'a Upstream,
    alerts: Vec<usize>,
}

impl Charts {
    /// Gives firing alerts that no link shows the expression of (vmalert's own page) the one of the upstream's rule of
    /// their name. What is not known in time stays unknown.
    pub async fn learn(&self, alerts: &mut [Alert], format: Format, source: &SourceId, until: Instant) {
        let listed = self.config.charts.expression == ChartExpression::Rules && !self.config.charts.from.is_empty();
        if !listed || !matches!(format, Format::Alertmanager | Format::AlertsPush) {
            return;
        }
        let mut known: HashMap<String, Vec<(&str, Namesakes)>> = HashMap::new();
        for alert in alerts.iter_mut().filter(|alert| alert.status == Status::Firing && expression_of(alert).is_none())
        {
            if !known.contains_key(&alert.name) {
                if known.len() == RULES {
                    return;
                }
                known.insert(alert.name.clone(), Vec::new());
            }
            // A message may tell of very many alerts.
            if Instant::now() >= until {
                return;
            }
            let Some(upstream) = asked_for(&self.config.charts.from, &alert.links.rule, source) else { continue };
            let Ok(sampler) = self.sampler(upstream) else { continue };
            let asked = known.entry(alert.name.clone()).or_default();
            let at = match asked.iter().position(|(name, _)| *name == upstream.name) {
                Some(at) => at,
                None => match timeout_at(until, sampler.namesakes(&alert.name)).await {
                    Ok(rules) => {
                        asked.push((&upstream.name, rules.unwrap_or_default()));
                        asked.len() - 1
                    }
                    Err(_) => return sampler.missed(),
                },
            };
            alert.asked.expression = asked[at].1.expression(&alert.labels).map(str::to_owned);
        }
    }

    /// The numbers that upstreams give for those of `alerts` whose body gives none although their rule compares one; each
    /// with the place of its alert. Only of rules in the upstream's own list; an answer that could be about another alert is
    /// none. The error: why there is none; [`Undrawn::Nothing`]: nothing was asked.
    pub async fn numbers(
        &self,
        alerts: &[&Alert],
        format: Format,
        source: &SourceId,
    ) -> Result<Vec<(usize, String)>, Undrawn> {
        let asked = self.unknown(alerts, format, source);
        let answers = join_all(asked.iter().map(|unknown| self.firing(unknown))).await;
        let mut found = Vec::new();
        let mut failed = if asked.is_empty() { Undrawn::Nothing } else { Undrawn::Empty };
        for (unknown, answer) in asked.iter().zip(answers) {
            match answer {
                Ok(firing) => found.extend(
                    unknown
                        .alerts
                        .iter()
                        .filter_map(|at| Some((*at, number(&firing, &alerts[*at].labels)?.to_owned()))),
                ),
                Err(why) => failed = why,
            }
        }
        if found.is_empty() { Err(failed) } else { Ok(found) }
    }

    /// The rules that are asked for, in the order of `alerts`.
    fn unknown<'a>(&'a self, alerts: &[&'a Alert], format: Format, source: &SourceId) -> Vec<Unknown<'a>> {
        // Expressions of bodies are trusted where the upstream has no list of rules.
        if self.config.charts.expression == ChartExpression::Body || self.config.charts.from.is_empty() {
            return Vec::new();
        }
        let mut of_rule: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (at, alert) in alerts.iter().enumerate() {
            of_rule.entry(&alert.name).or_default().push(at);
        }
        let lacking = |(name, places): (&'a str, Vec<usize>)| {
            let of: Vec<&Alert> = places.iter().map(|at| alerts[*at]).collect();
            let readings = Reading::of_group(&of, format);
            let first = readings.iter().position(Reading::lacks_number)?;
            let upstream = asked_for(&self.config.charts.from, &of[first].links.rule, source)?;
            let expression = readings[first].expression.to_string();
            let lacks = |(at, reading): (usize, &Reading)| reading.lacks_number().then_some(at);
            let alerts = places.into_iter().zip(&readings).filter_map(lacks).collect();
            Some(Unknown { name, expression, upstream, alerts })
        };
        let mut unknown: Vec<Unknown<'_>> = of_rule.into_iter().filter_map(lacking).collect();
        unknown.sort_by_key(|unknown| unknown.alerts.first().copied());
        unknown.truncate(RULES);
        unknown
    }

    async fn firing(&self, unknown: &Unknown<'_>) -> Result<Vec<FiringThere>, Undrawn> {
        let Unknown { name, expression, upstream, .. } = unknown;
        let place = self.firing.place(format!("{}\n{name}\n{expression}", upstream.name));
        let ask = async || self.sampler(upstream)?.firing(name, expression).await.map_err(Undrawn::Upstream);
        place.get_or_init(ask).await.clone()
    }
}

/// The number of the alert with `labels` among those that fire upstream: the one that has the most labels of those that
/// have no other than these. Labels that the upstream adds when it sends are missing in its list.
fn number<'f>(firing: &'f [FiringThere], labels: &Labels) -> Option<&'f str> {
    let ours = |there: &&FiringThere| there.labels.iter().all(|(name, value)| labels.get(name) == Some(value));
    let found: Vec<&FiringThere> = firing.iter().filter(ours).collect();
    let most = found.iter().map(|there| there.labels.len()).max()?;
    let mut nearest = found.into_iter().filter(|there| there.labels.len() == most).map(|there| there.value.as_str());
    let value = nearest.next()?;
    let known = value.parse::<f64>().is_ok_and(|number| !number.is_nan());
    (known && nearest.all(|other| other == value)).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn there(pairs: &[(&str, &str)], value: &str) -> FiringThere {
        serde_json::from_value(serde_json::json!({ "labels": labels(pairs), "state": "firing", "value": value }))
            .unwrap()
    }

    #[test]
    fn a_number_is_that_of_the_alert_without_the_labels_that_are_added_on_the_way() {
        let ours = labels(&[("alertname", "A"), ("pod", "x"), ("cluster", "sh")]);
        let named = |pod: &'static str, value: &str| there(&[("alertname", "A"), ("pod", pod)], value);
        for (firing, expected) in [
            (vec![named("x", "7.091666667e-02"), named("y", "3")], Some("7.091666667e-02")),
            (vec![named("y", "3")], None),
            (vec![there(&[("alertname", "A"), ("pod", "x"), ("node", "n")], "3")], None),
            // The nearer one; of two that are equally near, only what both say.
            (vec![there(&[("alertname", "A")], "9"), named("x", "3")], Some("3")),
            (vec![named("x", "3"), there(&[("alertname", "A"), ("cluster", "sh")], "4")], None),
            (vec![named("x", "3"), named("x", "3")], Some("3")),
            (vec![named("x", "NaN")], None),
            (vec![named("x", "+Inf")], Some("+Inf")),
            (vec![named("x", "")], None),
            (vec![], None),
        ] {
            assert_eq!(number(&firing, &ours), expected, "{firing:?}");
        }
    }
}
