//! The matchers of a silence: the conditions under which it hides an alert. Pure.

use std::fmt;

use reqwest::Url;
use serde::{Deserialize, Serialize};

use super::origin::nearness;
use crate::alert::{Alert, Labels};
use crate::config::{Upstream, UpstreamKind};
use crate::route::{self, Operator};
use crate::shown;
use crate::words::{Words, words};

/// Names the rule of an alert inside Grafana. Required from callers with permissions for some folders only
/// (docs/reference/alert-sources.md#silences-of-grafana).
pub(super) const RULE_UID: &str = "__alert_rule_uid__";
/// The name of an alert, which is that of its rule.
pub(super) const NAME: &str = "alertname";

/// A condition on one label, as a silence has it (docs/reference/alert-sources.md#silences). A label that is absent
/// counts as empty.
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

const NO_MATCHER: Words = words(
    "写成 标签=值，也可以 != =~ !~，例如 alertname=磁盘将满",
    "write LABEL=VALUE, also != =~ !~, for example alertname=DiskFull",
);
const UNCLOSED: Words = words(
    "引号没有配对：写成 标签=\"值\"；值里的引号写成 \\\"",
    "a quote is not closed: write LABEL=\"VALUE\", and a quote in the value as \\\"",
);
const HIDES_ALL: Words = words(
    "至少要有一个条件不匹配空值，否则会挡住所有告警",
    "at least one matcher must not match an empty value, else all alerts would be hidden",
);

const fn yes() -> bool {
    true
}

impl Matcher {
    /// `name="value"`
    pub fn equal(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into(), is_regex: false, is_equal: true }
    }

    /// Parses what a person types: `name=value`, `name!=value`, `name=~pattern`, `name!~pattern`, in the syntax of the
    /// routes: name and value may be in double quotes, `"service name"="订单"`. A bare value is taken literally, with
    /// commas, quotes and backslashes: a shell has quoted it already. The error says how to write it.
    pub fn parse(text: &str) -> Result<Self, Words> {
        let (name, rest) = route::label_name(text).ok_or(NO_MATCHER)?;
        let operators = [("=~", true, true), ("!~", true, false), ("!=", false, false), ("=", false, true)];
        let (value, is_regex, is_equal) = operators
            .into_iter()
            .find_map(|(operator, is_regex, is_equal)| Some((rest.strip_prefix(operator)?, is_regex, is_equal)))
            .ok_or(NO_MATCHER)?;
        let value = value.trim();
        let value = match (route::quoted_text(value), value.strip_prefix('"')) {
            (Some((quoted, "")), _) => quoted,
            // Inner quotes belong to the value.
            (_, Some(rest)) => rest.strip_suffix('"').ok_or(UNCLOSED)?.to_owned(),
            (_, None) => value.to_owned(),
        };
        Ok(Self { name, value, is_regex, is_equal })
    }

    /// Those of a silence, which are typed by a person: each can be evaluated, and one of them needs a label.
    pub fn checked(matchers: Vec<Self>) -> Result<Vec<Self>, Words> {
        if let Some(odd) = matchers.iter().find(|matcher| matcher.compile().is_none()) {
            let odd = odd.to_string();
            let odd = shown::line(&odd);
            return Err((format!("正则写错了：{odd}"), format!("the pattern is invalid: {odd}")).into());
        }
        if matchers.iter().any(Self::needs_label) { Ok(matchers) } else { Err(HIDES_ALL) }
    }

    /// Is it fulfilled only by alerts with this label? A silence needs one such matcher
    /// (docs/reference/alert-sources.md#silences: 400).
    pub fn needs_label(&self) -> bool {
        self.compile().is_some_and(|matcher| !matcher.matches(&Labels::new()))
    }

    /// Do all versions of Prometheus, Alertmanager and Grafana parse the name without quotes?
    pub(super) fn has_classic_name(&self) -> bool {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        self.name.bytes().all(plain) && !self.name.starts_with(|first: char| first.is_ascii_digit())
    }

    const fn operator(&self) -> Operator {
        match (self.is_equal, self.is_regex) {
            (true, false) => Operator::Equal,
            (false, false) => Operator::NotEqual,
            (true, true) => Operator::Match,
            (false, true) => Operator::NotMatch,
        }
    }

    /// `None` if the pattern is invalid.
    fn compile(&self) -> Option<route::Matcher> {
        route::Matcher::new(&self.name, self.operator(), &self.value).ok()
    }
}

impl fmt::Display for Matcher {
    /// As both kinds of upstreams read it in `filter=`, and as it may be typed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        route::write_matcher(&self.name, self.operator(), &self.value, f)
    }
}

/// Do labels fulfil all conditions? An invalid pattern is never fulfilled.
pub fn covers(matchers: &[Matcher], labels: &Labels) -> bool {
    matchers.iter().all(|matcher| matcher.compile().is_some_and(|matcher| matcher.matches(labels)))
}

/// Those of `matchers` that can be evaluated on the labels in notifications: Grafana does not send the label of the
/// rule, but its name is sent as well. `None` if the rest identifies no alert.
pub fn known_here(matchers: &[Matcher], labels: &Labels) -> Option<Vec<Matcher>> {
    let told = |matcher: &&Matcher| matcher.name != RULE_UID || labels.contains_key(RULE_UID);
    let known: Vec<Matcher> = matchers.iter().filter(told).cloned().collect();
    (!known.is_empty() && (known.len() == matchers.len() || names(&known))).then_some(known)
}

/// The silence that hides this one alert in `upstream`; `None` if the alert has no identifying name.
///
/// Each condition holds for the alert itself: a body cannot make a silence wider than the alert it reports. Grafana:
/// what its own button would make, that is every `matcher=` of the alert's `silenceURL`, if that leads to this upstream
/// and all of them hold; else every label except the ignored ones. With the rule, and with the name, because only
/// Grafana can prove that the rule is this alert's. Alertmanager: every label except the ignored ones.
pub fn matchers_for(upstream: &Upstream, alert: &Alert) -> Option<Vec<Matcher>> {
    let mut matchers = match upstream.kind {
        UpstreamKind::Grafana => of_silence_url(upstream, alert).unwrap_or_default(),
        UpstreamKind::Alertmanager | UpstreamKind::Prometheus => Vec::new(),
    };
    if matchers.is_empty() {
        let labels = alert
            .labels
            .iter()
            .filter(|(name, _)| !upstream.ignore_labels.iter().any(|ignored| name.as_str() == ignored));
        matchers = labels.map(|(name, value)| Matcher::equal(name, value)).collect();
    }
    if upstream.kind == UpstreamKind::Grafana {
        let rule = rule_uid(alert).filter(|_| !alert.labels.contains_key(RULE_UID));
        matchers.extend(rule.map(|uid| Matcher::equal(RULE_UID, uid)));
        matchers.extend(alert.labels.get(NAME).map(|name| Matcher::equal(NAME, name)));
    }
    matchers.sort();
    matchers.dedup();
    names(&matchers).then_some(matchers)
}

/// The matchers of one silence that hides these alerts of an upstream; `None` if it would hide others, too.
pub fn together(upstream: &Upstream, alerts: &[&Alert]) -> Option<Vec<Matcher>> {
    match alerts {
        [alert] => matchers_for(upstream, alert),
        several => common_matchers(upstream, several.iter().copied()),
    }
}

/// The silence that hides all these alerts: the common matchers of their silences. `None` if neither the name nor the
/// rule is common: such a silence would hide unrelated alerts, so each needs its own.
pub fn common_matchers<'a>(upstream: &Upstream, alerts: impl IntoIterator<Item = &'a Alert>) -> Option<Vec<Matcher>> {
    let mut alerts = alerts.into_iter();
    let mut common = matchers_for(upstream, alerts.next()?)?;
    for alert in alerts {
        common = narrowed_to(upstream, common, alert)?;
    }
    Some(common)
}

/// Those of the `common` matchers that hold for one more alert; `None` as in [`common_matchers`].
pub fn narrowed_to(upstream: &Upstream, mut common: Vec<Matcher>, alert: &Alert) -> Option<Vec<Matcher>> {
    let matchers = matchers_for(upstream, alert)?;
    common.retain(|matcher| matchers.contains(matcher));
    names(&common).then_some(common)
}

/// Do these hide alerts of one name or one rule only? Otherwise a silence for `team=all` would hide alerts that were
/// never shown.
fn names(matchers: &[Matcher]) -> bool {
    let known = |matcher: &Matcher| matches!(matcher.name.as_str(), NAME | RULE_UID) && !matcher.value.is_empty();
    matchers.iter().any(|matcher| known(matcher) && matcher.is_equal && !matcher.is_regex)
}

/// The matchers of the form that makes a silence; each is split at its first `=`, because Grafana writes no others.
/// `None` if the form is not this upstream's, or if one of them does not hold for the alert: the address is as
/// untrusted as the alert.
fn of_silence_url(upstream: &Upstream, alert: &Alert) -> Option<Vec<Matcher>> {
    let url = Url::parse(&alert.links.silence).ok()?;
    nearness(&upstream.url, url.as_str())?;
    let written = url.query_pairs().filter(|(parameter, _)| parameter == "matcher");
    let pairs = written.filter_map(|(_, text)| {
        let (name, value) = text.split_once('=')?;
        (!name.is_empty()).then(|| Matcher::equal(name, value))
    });
    let holds = |matcher: &Matcher| match alert.labels.get(&matcher.name) {
        Some(value) => *value == matcher.value,
        None => matcher.name == RULE_UID && rule_uid(alert) == Some(&matcher.value),
    };
    let matchers: Vec<Matcher> = pairs.collect();
    matchers.iter().all(holds).then_some(matchers)
}

/// A Grafana alert is distinguished by its rule, preceded by the organisation if that is not the first.
fn rule_uid(alert: &Alert) -> Option<&str> {
    let told = alert.discriminator.rule_id()?;
    let uid = told.split_once('/').map_or(told, |(_, uid)| uid);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (!uid.is_empty() && uid.bytes().all(plain)).then_some(uid)
}

#[cfg(test)]
mod tests;
