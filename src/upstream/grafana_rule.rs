//! A rule of a Grafana as its API gives it, and the series that its query reads
//! (docs/reference/alert-sources.md#series-of-grafana).
//!
//! A rule is a small program: a query of a data source, reductions and calculations, and a threshold. Followed back from its
//! condition, it gives the query that is drawn and the limit that is drawn beside it.

use serde_json::{Value, json};

use super::series::{Sampler, Series, Trouble};
use crate::alert::Labels;

const RULE_BYTES: usize = 1 << 20;
/// Steps from the condition back to the query.
const STEPS: usize = 10;

/// What a rule asks, and when it fires.
#[derive(Debug, Clone, PartialEq)]
pub struct GrafanaRule {
    /// The query with its threshold, as PromQL; for another language a name stands for the query.
    pub expression: String,
    /// The query as its data source wants it.
    query: Value,
}

impl GrafanaRule {
    /// From the answer of the API; `None` if its condition is not a query against a limit.
    fn read(rule: &Value) -> Option<Self> {
        let nodes = rule["data"].as_array()?;
        let node = |name: &str| nodes.iter().find(|node| node["refId"] == name);
        let is_expression = |node: &Value| matches!(node["datasourceUid"].as_str(), Some("__expr__" | "-100"));
        let mut at = node(rule["condition"].as_str()?)?;
        let mut limit = None;
        for _ in 0..STEPS {
            let model = &at["model"];
            if !is_expression(at) {
                let (sign, limit) = limit?;
                let written = model["expr"].as_str().filter(|text| !text.trim().is_empty());
                let expression = format!("({}) {sign} {limit}", written.unwrap_or("value"));
                let mut query = model.clone();
                let fields = query.as_object_mut()?;
                fields.insert("refId".to_owned(), json!("A"));
                fields.insert("datasource".to_owned(), json!({ "uid": at["datasourceUid"] }));
                fields.insert("instant".to_owned(), json!(false));
                fields.insert("range".to_owned(), json!(true));
                return Some(Self { expression, query });
            }
            let condition = &model["conditions"][0];
            let before = match model["type"].as_str()? {
                "threshold" => {
                    limit = Some(threshold(&condition["evaluator"])?);
                    model["expression"].as_str()?
                }
                "classic_conditions" => {
                    limit = Some(threshold(&condition["evaluator"])?);
                    condition["query"]["params"][0].as_str()?
                }
                "reduce" | "resample" => model["expression"].as_str()?,
                // What is calculated has another scale than what is read.
                _ => return None,
            };
            at = node(before.trim_start_matches('$'))?;
        }
        None
    }

    fn asked(&self, window: (i64, i64), step: i64) -> String {
        let mut query = self.query.clone();
        query["intervalMs"] = json!(step * 1000);
        query["maxDataPoints"] = json!((window.1 - window.0) / step.max(1) + 1);
        let (from, to) = ((window.0 * 1000).to_string(), (window.1 * 1000).to_string());
        json!({ "from": from, "to": to, "queries": [query] }).to_string()
    }
}

/// The comparison and its limit.
fn threshold(evaluator: &Value) -> Option<(&'static str, f64)> {
    let sign = match evaluator["type"].as_str()? {
        "gt" => ">",
        "gte" => ">=",
        "lt" => "<",
        "lte" => "<=",
        _ => return None,
    };
    Some((sign, evaluator["params"][0].as_f64()?))
}

/// The numbers of an answer, a series for each column; `None` if it is no answer.
fn series(answer: &Value) -> Option<Vec<Series>> {
    let mut all = Vec::new();
    for frame in answer["results"]["A"]["frames"].as_array()? {
        let fields = frame["schema"]["fields"].as_array()?;
        let columns = frame["data"]["values"].as_array()?;
        let Some(time) = fields.iter().position(|field| field["type"] == "time") else { continue };
        let times = columns.get(time)?.as_array()?;
        for (field, values) in fields.iter().zip(columns).filter(|(field, _)| field["type"] == "number") {
            let labels: Labels = serde_json::from_value(field["labels"].clone()).unwrap_or_default();
            let point = |(at, value): (&Value, &Value)| Some((at.as_i64()? / 1000, value.as_f64().unwrap_or(f64::NAN)));
            let points = times.iter().zip(values.as_array()?).filter_map(point).collect();
            all.push(Series { labels, points });
        }
    }
    Some(all)
}

impl Sampler {
    /// The rule with this uid.
    pub async fn grafana_rule(&self, uid: &str) -> Result<GrafanaRule, Trouble> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if uid.is_empty() || !uid.chars().all(plain) {
            return Err(Trouble::UnknownRule);
        }
        let rule = self.value(&format!("/v1/provisioning/alert-rules/{uid}"), None, RULE_BYTES).await?;
        GrafanaRule::read(&rule).ok_or(Trouble::UnknownRule)
    }

    /// The series that `rule` reads, from the first second to the last.
    pub async fn grafana_series(
        &self,
        rule: &GrafanaRule,
        window: (i64, i64),
        step: i64,
    ) -> Result<Vec<Series>, Trouble> {
        let answer = self.value("/ds/query", Some(rule.asked(window, step)), Self::SERIES_BYTES).await?;
        Self::bounded(series(&answer).ok_or(Trouble::Foreign)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(condition: &Value) -> Value {
        let reduce = json!({ "type": "reduce", "reducer": "last", "expression": "A" });
        json!({ "condition": "C", "data": [
            { "refId": "A", "datasourceUid": "prom", "model": { "expr": "queue_length", "instant": true } },
            { "refId": "B", "datasourceUid": "__expr__", "model": reduce },
            { "refId": "C", "datasourceUid": "__expr__", "model": condition },
        ] })
    }

    #[test]
    fn a_condition_leads_back_to_its_query_and_gives_the_limit() {
        let limit = json!([{ "evaluator": { "type": "gt", "params": [10] }, "query": { "params": ["A"] } }]);
        for condition in [
            json!({ "type": "threshold", "expression": "B", "conditions": limit }),
            json!({ "type": "threshold", "expression": "A", "conditions": limit }),
            json!({ "type": "classic_conditions", "conditions": limit }),
        ] {
            let read = GrafanaRule::read(&rule(&condition)).unwrap_or_else(|| panic!("{condition}"));
            assert_eq!(read.expression, "(queue_length) > 10");
            assert_eq!((&read.query["range"], &read.query["instant"]), (&json!(true), &json!(false)));
            assert_eq!(read.query["datasource"], json!({ "uid": "prom" }));
        }
        for condition in [
            json!({ "type": "math", "expression": "$B / 2 > 10" }),
            json!({ "type": "threshold", "expression": "C", "conditions": limit }),
            json!({ "type": "threshold", "expression": "B", "conditions": [{ "evaluator": { "type": "no_value" } }] }),
            json!({ "type": "reduce", "expression": "A" }),
            json!({}),
        ] {
            assert_eq!(GrafanaRule::read(&rule(&condition)), None, "{condition}");
        }
    }

    #[test]
    fn frames_become_series_with_gaps() {
        let field = |kind: &str, queue: &str| json!({ "name": "x", "type": kind, "labels": { "queue": queue } });
        let fields = json!([{ "name": "Time", "type": "time" }, field("number", "pay"), field("string", "no")]);
        let frame = json!({ "schema": { "fields": fields }, "data": { "values": [[60_000, 120_000], [1.5, null], ["a", "b"]] } });
        let found = series(&json!({ "results": { "A": { "frames": [frame] } } })).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].labels, Labels::from([("queue".to_owned(), "pay".to_owned())]));
        assert_eq!(found[0].points[0], (60, 1.5));
        assert!(found[0].points[1].1.is_nan());
        assert_eq!(series(&json!({ "message": "sign in" })), None);
    }
}
