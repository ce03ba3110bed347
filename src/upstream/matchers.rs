//! What a silence holds: the conditions under which it hides an alert (pure).

use std::fmt;

use reqwest::Url;
use serde::{Deserialize, Serialize};

use crate::alert::{Alert, Labels};
use crate::config::{Upstream, UpstreamKind};
use crate::route::{self, Operator};

/// Names the rule of an alert inside Grafana. Who may silence in some folders only, must name it (alert-sources §4.4).
pub(super) const RULE_UID: &str = "__alert_rule_uid__";

/// A condition on one label, as a silence has it (alert-sources §4.3). A label that is absent counts as empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Matcher {
    /// The label.
    pub name: String,
    /// Its value, or a pattern for the whole of it.
    pub value: String,
    /// Is the value a pattern?
    #[serde(default)]
    pub is_regex: bool,
    /// Must it match, or must it not?
    #[serde(default = "yes")]
    pub is_equal: bool,
}

const fn yes() -> bool {
    true
}

impl Matcher {
    /// `name="value"`
    pub fn equal(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into(), is_regex: false, is_equal: true }
    }

    /// What a person types: `name=value`, `name!=value`, `name=~pattern`, `name!~pattern`; the value may stand in double
    /// quotes. `None` if it is none of these.
    pub fn parse(text: &str) -> Option<Self> {
        let at = text.find(['=', '!'])?;
        let (name, rest) = (text[..at].trim(), &text[at..]);
        let operators = [("=~", true, true), ("!~", true, false), ("!=", false, false), ("=", false, true)];
        let (value, is_regex, is_equal) = operators
            .into_iter()
            .find_map(|(operator, is_regex, is_equal)| Some((rest.strip_prefix(operator)?, is_regex, is_equal)))?;
        let value = value.trim();
        let bare = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
        (!name.is_empty()).then(|| Self { name: name.to_owned(), value: bare.to_owned(), is_regex, is_equal })
    }

    /// Can only an alert with this label fulfil it? A silence needs one that can (alert-sources §4.3: 400).
    pub fn needs_label(&self) -> bool {
        self.compile().is_some_and(|matcher| !matcher.matches(&Labels::new()))
    }

    const fn operator(&self) -> Operator {
        match (self.is_equal, self.is_regex) {
            (true, false) => Operator::Equal,
            (false, false) => Operator::NotEqual,
            (true, true) => Operator::Match,
            (false, true) => Operator::NotMatch,
        }
    }

    /// `None` if the pattern is none.
    fn compile(&self) -> Option<route::Matcher> {
        route::Matcher::new(&self.name, self.operator(), &self.value).ok()
    }
}

impl fmt::Display for Matcher {
    /// As both kinds of upstreams read it in `filter=`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        write!(f, "{}{}\"{value}\"", self.name, self.operator().as_str())
    }
}

/// Do labels fulfil all conditions? A pattern that cannot be read is fulfilled by nothing.
pub fn covers(matchers: &[Matcher], labels: &Labels) -> bool {
    matchers.iter().all(|matcher| matcher.compile().is_some_and(|matcher| matcher.matches(labels)))
}

/// The silence that hides this one alert in `upstream`; `None` if the alert has nothing to be told by.
///
/// Grafana: what its own button would make, that is every `matcher=` of the alert's `silenceURL`, and the rule, which
/// Grafana names there only since 11.5. Else every label but the ignored ones.
pub fn matchers_for(upstream: &Upstream, alert: &Alert) -> Option<Vec<Matcher>> {
    let mut matchers = match upstream.kind {
        UpstreamKind::Grafana => of_silence_url(&alert.links.silence),
        UpstreamKind::Alertmanager => Vec::new(),
    };
    if matchers.is_empty() {
        let labels = alert.labels.iter().filter(|(name, _)| !upstream.ignore_labels.contains(name));
        matchers = labels.map(|(name, value)| Matcher::equal(name, value)).collect();
    }
    if upstream.kind == UpstreamKind::Grafana && !matchers.iter().any(|matcher| matcher.name == RULE_UID) {
        matchers.extend(rule_uid(alert).map(|uid| Matcher::equal(RULE_UID, uid)));
    }
    matchers.sort();
    matchers.dedup();
    matchers.iter().any(Matcher::needs_label).then_some(matchers)
}

/// The silence that hides all these alerts: what their silences have in common. `None` if they have too little in
/// common, that is neither the name nor the rule: such a silence would hide alerts of quite another kind, so each
/// needs its own.
pub fn common_matchers<'a>(upstream: &Upstream, alerts: impl IntoIterator<Item = &'a Alert>) -> Option<Vec<Matcher>> {
    let mut alerts = alerts.into_iter();
    let mut common = matchers_for(upstream, alerts.next()?)?;
    for alert in alerts {
        let matchers = matchers_for(upstream, alert)?;
        common.retain(|matcher| matchers.contains(matcher));
    }
    common.iter().any(|matcher| matches!(matcher.name.as_str(), "alertname" | RULE_UID)).then_some(common)
}

/// The matchers of the form that makes a silence; each is split at its first `=`, because Grafana writes no others.
fn of_silence_url(url: &str) -> Vec<Matcher> {
    let Ok(url) = Url::parse(url) else { return Vec::new() };
    url.query_pairs()
        .filter(|(parameter, _)| parameter == "matcher")
        .filter_map(|(_, text)| {
            let (name, value) = text.split_once('=')?;
            (!name.is_empty()).then(|| Matcher::equal(name, value))
        })
        .collect()
}

/// What tells a Grafana alert apart is its rule, behind the organisation if that is not the first.
fn rule_uid(alert: &Alert) -> Option<&str> {
    let told = alert.discriminator.as_str();
    let uid = told.split_once('/').map_or(told, |(_, uid)| uid);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (!uid.is_empty() && uid.bytes().all(plain)).then_some(uid)
}

#[cfg(test)]
mod tests;
