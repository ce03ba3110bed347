//! The expression of a rule, out of the link that its sender gives, or of the sender's own words.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::alert::{Alert, Labels};

/// Bytes of the longest link that is read.
const LONGEST: usize = 64 * 1024;
/// Annotations that hold it as it is.
const ANNOTATIONS: [&str; 5] = ["expression", "expr", "prom_ql", "promql", "query"];
/// Parameters that hold it.
const PARAMETERS: [&str; 5] = ["g0.expr", "expr", "query", "g0.query", "promql"];
/// Parameters that hold JSON with it.
const PANES: [&str; 2] = ["left", "panes"];

/// The expression in `link` (Prometheus' `/graph?g0.expr=…` and `/query?g0.expr=…`, vmui's fragment, Grafana's
/// `left=` and `panes=`), else the one that an annotation holds.
pub fn expression(link: &str, annotations: &Labels) -> Option<String> {
    in_link(link).or_else(|| annotated(annotations))
}

/// The same of an alert; where it has none, the one that its upstream gave when asked.
pub fn expression_of(alert: &Alert) -> Option<String> {
    in_link(&alert.links.rule).or_else(|| stated(alert))
}

/// The expression that no link of the alert holds.
pub(super) fn stated(alert: &Alert) -> Option<String> {
    annotated(&alert.annotations).or_else(|| alert.asked.expression.clone())
}

fn annotated(annotations: &Labels) -> Option<String> {
    let said = ANNOTATIONS.iter().find_map(|name| annotations.get(name));
    said.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

pub(super) fn in_link(link: &str) -> Option<String> {
    if link.len() > LONGEST {
        return None;
    }
    // A page that keeps its parameters in the fragment has them behind a `?` there. What separates them is looked for
    // before anything is decoded.
    let (address, fragment) = link.split_once('#').unwrap_or((link, ""));
    let query = |part: &'_ str| part.split_once('?').map(|(_, query)| query.to_owned()).unwrap_or_default();
    let parameters = format!("{}&{}", query(address), query(fragment));
    let pairs = || parameters.split('&').filter_map(|pair| pair.split_once('='));
    let named = |names: &[&str]| {
        let decoded = |wanted: &str| pairs().find(|(name, _)| decode(name) == wanted).map(|(_, value)| decode(value));
        names.iter().find_map(|name| decoded(name)).map(Cow::into_owned)
    };
    let direct = named(&PARAMETERS).filter(|text| !text.trim().is_empty());
    direct.or_else(|| in_panes(&serde_json::from_str(&named(&PANES)?).ok()?, 0))
}

/// A value of a form, decoded once.
fn decode(text: &str) -> Cow<'_, str> {
    let blanks = if text.contains('+') { Cow::Owned(text.replace('+', " ")) } else { Cow::Borrowed(text) };
    match blanks {
        Cow::Borrowed(text) => percent_decode_str(text).decode_utf8_lossy(),
        Cow::Owned(text) => Cow::Owned(percent_decode_str(&text).decode_utf8_lossy().into_owned()),
    }
}

/// The first `expr` in what Grafana keeps of a pane.
fn in_panes(pane: &Value, depth: usize) -> Option<String> {
    if depth > 8 {
        return None;
    }
    match pane {
        Value::Object(members) => {
            let own = members.get("expr").and_then(Value::as_str).filter(|text| !text.trim().is_empty());
            own.map(str::to_owned).or_else(|| members.values().find_map(|member| in_panes(member, depth + 1)))
        }
        Value::Array(items) => items.iter().find_map(|item| in_panes(item, depth + 1)),
        _ => None,
    }
}
