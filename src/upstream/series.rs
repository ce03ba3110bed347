//! Queries a Prometheus, or a program with the same API, for its rules, for what fires by one, and for series.
//!
//! Every answer is bounded in time and size; after five consecutive failures there are no requests for a minute. Answers are
//! never logged.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ecow::EcoString;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::UpstreamError;
use super::wire::{Question, Unanswered, Wire};
use crate::alert::Labels;
use crate::config::Upstream;
use crate::measure;

/// Deadline of one request: a visitor waits for the picture, four seconds at most.
const DEADLINE: Duration = Duration::from_millis(3500);
/// What the upstream may take to evaluate.
const EVALUATION: &str = "3s";
/// Bytes of a list of rules, whose firing alerts stand in it as well.
const RULES_BYTES: usize = 16 << 20;
/// Bytes of the list with the alerts of one rule; an upstream that knows no `rule_name[]` lists them all.
const FIRING_BYTES: usize = 2 << 20;
/// How long a list of rules is used.
const RULES_KNOWN: Duration = Duration::from_mins(5);
/// Series of one answer.
const MOST: usize = 50;
/// Points of one series.
const POINTS: usize = 400;
/// Concurrent requests.
const AT_ONCE: usize = 2;
/// Failures in succession before a pause, and the pause.
const FAILURES: u32 = 5;
const PAUSE: Duration = Duration::from_mins(1);

/// A series of numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    pub labels: Labels,
    /// Seconds since 1970, and what was measured; not finite where upstream says so.
    pub points: Vec<(i64, f64)>,
}

/// Why there are no series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trouble {
    /// No answer in time.
    Slow,
    /// No connection.
    Unreachable,
    /// Another status than 200, a redirect included.
    Refused,
    /// The body is not an answer of this API.
    Foreign,
    /// More bytes, series or points than the limits allow.
    Large,
    /// The upstream's list of rules does not contain the rule.
    UnknownRule,
    /// It failed too often and is not asked for a minute.
    Paused,
}

impl Trouble {
    /// The name in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Slow => "slow",
            Self::Unreachable => "unreachable",
            Self::Refused => "refused",
            Self::Foreign => "foreign",
            Self::Large => "large",
            Self::UnknownRule => "unknown_rule",
            Self::Paused => "paused",
        }
    }
}

impl From<Unanswered> for Trouble {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::Slow => Self::Slow,
            Unanswered::Unreachable => Self::Unreachable,
            Unanswered::Refused(_) => Self::Refused,
            Unanswered::Large => Self::Large,
        }
    }
}

/// A rule as the upstream lists it.
#[derive(Debug, Clone, Deserialize)]
struct Listed {
    #[serde(default)]
    name: String,
    #[serde(default)]
    query: String,
    #[serde(default)]
    labels: Labels,
}

/// An alert of a rule as the upstream lists it: without the labels that it adds when it sends it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct FiringThere {
    #[serde(default)]
    pub labels: Labels,
    #[serde(default)]
    state: String,
    /// As the upstream writes numbers: `7.091666667e-02`.
    #[serde(default)]
    pub value: String,
}

/// The rules of one name: read once for all alerts of that name.
#[derive(Debug, Default)]
pub struct Namesakes {
    rules: Vec<Listed>,
    /// All have one expression.
    agree: bool,
}

impl Namesakes {
    fn of(rules: Vec<Listed>) -> Self {
        let agree = rules.split_first().is_none_or(|(first, others)| others.iter().all(|other| other.asks_as(first)));
        Self { rules, agree }
    }

    /// The expression of the one whose alert has `labels`. Of several only what all say that could be meant: those whose
    /// own labels the alert has.
    pub fn expression(&self, labels: &Labels) -> Option<&str> {
        let mut found = self.rules.iter().filter(|rule| rule.fits(labels));
        let first = found.next().filter(|rule| !rule.query.is_empty())?;
        (self.agree || found.all(|other| other.asks_as(first))).then_some(&first.query)
    }
}

impl Listed {
    /// May an alert with `labels` be of this rule? A label that is a template is listed unfilled.
    fn fits(&self, labels: &Labels) -> bool {
        self.labels.iter().all(|(name, value)| value.contains("{{") || labels.get(name) == Some(value))
    }

    fn asks_as(&self, other: &Self) -> bool {
        self.query == other.query || measure::same(&self.query, &other.query)
    }
}

type Rules = HashMap<String, Vec<Listed>>;

/// A client for one upstream. Keep it: it holds connections, the list of rules, and recent failures.
#[derive(Debug)]
pub struct Sampler {
    wire: Wire,
    asking: Semaphore,
    rules: tokio::sync::Mutex<Option<(Instant, Arc<Rules>)>>,
    failed: Mutex<(u32, Option<Instant>)>,
}

impl Sampler {
    pub(super) const SERIES_BYTES: usize = 2 << 20;

    /// Fails if the certificates of `upstream` cannot be read.
    pub fn new(upstream: &Upstream) -> Result<Self, UpstreamError> {
        Ok(Self {
            wire: Wire::for_series(upstream)?,
            asking: Semaphore::new(AT_ONCE),
            rules: tokio::sync::Mutex::default(),
            failed: Mutex::default(),
        })
    }

    /// The labels that the rule `name` adds to its alerts, if the upstream lists it with this expression.
    pub async fn rule(&self, name: &str, expression: &str) -> Result<Labels, Trouble> {
        let rules = self.rules().await?;
        let found = rules.get(name).into_iter().flatten().find(|rule| measure::same(&rule.query, expression));
        found.map(|rule| rule.labels.clone()).ok_or(Trouble::UnknownRule)
    }

    /// The rules of this name.
    pub async fn namesakes(&self, name: &str) -> Result<Namesakes, Trouble> {
        Ok(Namesakes::of(self.rules().await?.get(name).cloned().unwrap_or_default()))
    }

    /// What fires now by the rule `name`, if the upstream lists it with this expression.
    pub async fn firing(&self, name: &str, expression: &str) -> Result<Vec<FiringThere>, Trouble> {
        #[derive(Deserialize)]
        struct WithAlerts {
            #[serde(flatten)]
            rule: Listed,
            #[serde(default)]
            alerts: Vec<FiringThere>,
        }
        let named: String = form_urlencoded::byte_serialize(name.as_bytes()).collect();
        let path = format!("/rules?type=alert&rule_name[]={named}");
        let bytes = self.ask(&path, Question::Get, FIRING_BYTES).await?;
        let answer: Answer<Groups<WithAlerts>> = self.understood(&bytes)?;
        let listed = answer.data.groups.into_iter().flat_map(|group| group.rules);
        let same = |listed: &WithAlerts| listed.rule.name == name && measure::same(&listed.rule.query, expression);
        let mut found = listed.filter(same).peekable();
        found.peek().ok_or(Trouble::UnknownRule)?;
        Ok(found.flat_map(|listed| listed.alerts).filter(|alert| alert.state == "firing").collect())
    }

    /// How many alerting rules it lists.
    pub async fn count_rules(&self) -> Result<usize, Trouble> {
        Ok(self.rules().await?.values().map(Vec::len).sum())
    }

    async fn rules(&self) -> Result<Arc<Rules>, Trouble> {
        let mut known = self.rules.lock().await;
        if let Some((_, rules)) = known.as_ref().filter(|(at, _)| at.elapsed() < RULES_KNOWN) {
            return Ok(rules.clone());
        }
        let bytes = self.ask("/rules?type=alert", Question::Get, RULES_BYTES).await?;
        let answer: Answer<Groups<Listed>> = self.understood(&bytes)?;
        let mut rules = Rules::new();
        for rule in answer.data.groups.into_iter().flat_map(|group| group.rules) {
            rules.entry(rule.name.clone()).or_default().push(rule);
        }
        let rules = Arc::new(rules);
        *known = Some((Instant::now(), rules.clone()));
        Ok(rules)
    }

    /// The series of `query` from the first second to the last, a point every `step` seconds.
    pub async fn series(&self, query: &str, window: (i64, i64), step: i64) -> Result<Vec<Series>, Trouble> {
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("query", query)
            .append_pair("start", &window.0.to_string())
            .append_pair("end", &window.1.to_string())
            .append_pair("step", &step.to_string())
            .append_pair("timeout", EVALUATION)
            .finish();
        let bytes = self.ask("/query_range", Question::Form(&form), Self::SERIES_BYTES).await?;
        let answer: Answer<Matrix> = self.understood(&bytes)?;
        let result = answer.data.result;
        #[expect(clippy::cast_possible_truncation, reason = "seconds of a window that we asked for")]
        let point = |(at, value): (f64, String)| Some((at as i64, value.parse::<f64>().ok()?));
        let series = result
            .into_iter()
            .map(|one| Series { labels: one.metric, points: one.values.into_iter().filter_map(point).collect() });
        Self::bounded(series.collect())
    }

    /// `series`, if they are not more than can be drawn.
    pub(super) fn bounded(series: Vec<Series>) -> Result<Vec<Series>, Trouble> {
        let large = series.len() > MOST || series.iter().any(|one| one.points.len() > POINTS);
        if large { Err(Trouble::Large) } else { Ok(series) }
    }

    /// The JSON answer to `sent`, or to a request without a body.
    pub(super) async fn value(&self, path: &str, sent: Option<String>, most: usize) -> Result<Value, Trouble> {
        let question = sent.as_deref().map_or(Question::Get, Question::Json);
        let bytes = self.ask(path, question, most).await?;
        let answer = serde_json::from_slice(&bytes).ok();
        self.note(answer.is_some());
        answer.ok_or(Trouble::Foreign)
    }

    async fn ask(&self, path: &str, question: Question<'_>, most: usize) -> Result<Vec<u8>, Trouble> {
        if self.is_paused() {
            return Err(Trouble::Paused);
        }
        let Ok(_permit) = self.asking.acquire().await else { return Err(Trouble::Paused) };
        let answer = self.wire.ask(path, question, DEADLINE, most).await;
        answer.map_err(|unanswered| {
            self.note(false);
            unanswered.into()
        })
    }

    fn understood<'a, T: Deserialize<'a>>(&self, bytes: &'a [u8]) -> Result<Answer<T>, Trouble> {
        let answer = serde_json::from_slice::<Answer<T>>(bytes).ok().filter(|answer| answer.status == "success");
        self.note(answer.is_some());
        answer.ok_or(Trouble::Foreign)
    }

    /// Are requests paused after too many failures?
    pub fn is_paused(&self) -> bool {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.1.is_some_and(|since| since.elapsed() < PAUSE)
    }

    /// Its answer came too late to be of use.
    pub fn missed(&self) {
        self.note(false);
    }

    fn note(&self, answered: bool) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if answered {
            *failed = (0, None);
            return;
        }
        failed.0 += 1;
        if failed.0 >= FAILURES {
            *failed = (0, Some(Instant::now()));
        }
    }
}

#[derive(Deserialize)]
struct Answer<T> {
    status: String,
    data: T,
}

#[derive(Deserialize)]
struct Groups<T> {
    groups: Vec<Group<T>>,
}

#[derive(Deserialize)]
struct Group<T> {
    #[serde(default = "Vec::new")]
    rules: Vec<T>,
}

#[derive(Deserialize)]
struct Matrix {
    result: Vec<Sampled>,
}

#[derive(Deserialize)]
struct Sampled {
    #[serde(default)]
    metric: Labels,
    values: Vec<(f64, String)>,
}

/// `measure`, of only those series that carry all the labels of one of `only`. Labels with a name that PromQL cannot write
/// are left out; `None` if nothing is left of one of them.
pub fn selected(measure: &str, only: &[Labels]) -> Option<String> {
    let classic = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let mut names: Vec<&EcoString> = only.iter().flat_map(Labels::keys).filter(|name| classic(name)).collect();
    names.sort_unstable();
    names.dedup();
    names.retain(|name| only.iter().all(|labels| labels.contains_key(name)));
    if names.is_empty() {
        return None;
    }
    let mut query = format!("({measure}) and on (");
    query.push_str(&names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", "));
    query.push_str(") (");
    for (index, labels) in only.iter().enumerate() {
        if index > 0 {
            query.push_str(" or ");
        }
        query.push_str(&"label_replace(".repeat(names.len()));
        query.push_str("vector(1)");
        for name in &names {
            let value = labels.get(name).map_or("", EcoString::as_str);
            let _ = write!(query, ", \"{name}\", \"{}\", \"\", \"\")", escaped(value));
        }
    }
    query.push(')');
    Some(query)
}

/// `measure` as it is, if it has no more series than are drawn.
pub fn unselected(measure: &str) -> String {
    format!("({measure}) and on () (count({measure}) <= {MOST})")
}

/// A text in quotes of PromQL, in which `$1` would stand for a part of what was found.
fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for letter in value.chars() {
        match letter {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '$' => out.push_str("$$"),
            _ => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_question_is_about_our_series_only() {
        let two = [labels(&[("a", "x"), ("b", "1")]), labels(&[("a", "y\"$1\\"), ("b", "2"), ("c", "3")])];
        assert_eq!(
            selected("rate(m[5m])", &two).unwrap(),
            concat!(
                "(rate(m[5m])) and on (a, b) (label_replace(label_replace(vector(1), \"a\", \"x\", \"\", \"\"), \"b\", \"1\", \"\", \"\")",
                " or label_replace(label_replace(vector(1), \"a\", \"y\\\"$$1\\\\\", \"\", \"\"), \"b\", \"2\", \"\", \"\"))"
            )
        );
        assert_eq!(selected("m", &[labels(&[("主机", "a")])]), None);
        assert_eq!(selected("m", &[]), None);
        for query in [selected("sum by (a) (m)", &two).unwrap(), unselected("m")] {
            assert!(crate::measure::Rule::read(&query).is_some(), "{query}");
        }
    }

    #[test]
    fn an_expression_is_that_of_the_rules_that_the_labels_allow_if_these_agree() {
        let rule = |query: &str, own: &[(&str, &str)]| Listed {
            name: "A".to_owned(),
            query: query.to_owned(),
            labels: labels(own),
        };
        let told = labels(&[("alertname", "A"), ("severity", "critical"), ("pod", "x")]);
        let (warning, critical) = ([("severity", "warning")], [("severity", "critical")]);
        for (rules, expected) in [
            (vec![rule("a > 1", &[])], Some("a > 1")),
            (vec![rule("a > 1", &[("pod", "{{ $labels.pod }}")])], Some("a > 1")),
            // All agree, but one must fit.
            (vec![rule("a > 1", &warning), rule("a>1", &warning)], None),
            (vec![rule("a > 1", &warning), rule("a>1", &critical)], Some("a>1")),
            // They do not agree: those that fit must.
            (vec![rule("a > 1", &warning), rule("a > 2", &critical)], Some("a > 2")),
            (vec![rule("a > 1", &critical), rule("a > 2", &critical)], None),
            (vec![rule("a > 1", &[]), rule("a > 2", &critical)], None),
            (vec![rule("", &[])], None),
            (vec![], None),
        ] {
            assert_eq!(Namesakes::of(rules.clone()).expression(&told), expected, "{rules:?}");
        }
    }
}
