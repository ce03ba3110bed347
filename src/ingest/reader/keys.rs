//! The keys that senders give: of the problem, of the rule.

use serde_json::Value;

use super::super::plain;
use super::super::tree::Members;
use super::Given;

/// Names of the problem itself.
const PROBLEM_KEYS: &[&str] = &[
    "alarmarn",
    "issueid",
    "incidentkey",
    "incidentid",
    "problemid",
    "dedupkey",
    "dedupekey",
    "deduplicationkey",
    "alertkey",
    "alarmkey",
    "dffaultid",
    "faultid",
    "eventref",
    "aggregkey",
    "alertcyclekey",
    "correlationid",
    "alertcorrelationid",
    "eventcorrelationid",
    "incidentcorrelationid",
];
/// Names of the problem where they stand at the root or in an object that is the problem.
const NEAR_KEYS: &[&str] = &["key", "hash", "alias", "uuid", "groupkey", "fingerprint", "sessionid"];
/// Names of the rule: with the place and the title they name the problem.
const RULE_KEYS: &[&str] = &[
    "alertid",
    "alertuuid",
    "alarmid",
    "ruleid",
    "monitorid",
    "checkid",
    "triggerid",
    "policyid",
    "conditionid",
    "strategyid",
    "sensorid",
    "eventdefinitionid",
    "watchid",
    "identifier",
];
/// Objects that are the problem.
const PROBLEMS: &[&str] = &["incident", "alert", "problem", "issue", "metricalert", "alertgroup"];
/// Of these the `id` may be that of the rule, which is one for all its objects.
const RULES: &str = "alert";

/// Is this the plain name of a key? Keys are compared by rules of their own.
pub(super) fn is_listed(name: &str) -> bool {
    PROBLEM_KEYS.contains(&name) || NEAR_KEYS.contains(&name) || RULE_KEYS.contains(&name)
}

/// A key that may be compared: short, without placeholders, not empty.
pub(super) fn key(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let speaks = text.chars().any(char::is_alphanumeric);
    let sound =
        speaks && !plain::is_missing(&text) && !plain::has_placeholder(&text) && text.len() <= 1024 && text != "0";
    sound.then_some(text)
}

pub(super) fn problem_key(members: &Members<'_>) -> Option<(String, String)> {
    let named = |names: &[&str], near: bool| {
        members
            .named(names)
            .into_iter()
            .filter(|member| !near || member.parent.is_empty() || PROBLEMS.contains(&member.parent.as_str()))
            .find_map(|member| Some((member.name.to_owned(), key(member.value)?)))
    };
    let id = || {
        members
            .named(&["id"])
            .into_iter()
            .filter(|member| is_problem(members, &member.parent) && !is_of_rule(members, &member.parent))
            .find_map(|member| Some((format!("{}.id", member.parent), key(member.value)?)))
    };
    named(PROBLEM_KEYS, false).or_else(|| named(NEAR_KEYS, true)).or_else(id)
}

pub(super) fn is_keyed(members: &Members<'_>, given: &Given) -> bool {
    !plain::is_missing(&given.key) || problem_key(members).is_some() || !rule_keys(members).is_empty()
}

/// The rule, and what it is a part of: each under its plain name.
pub(super) fn rule_keys<'a>(members: &'a Members<'_>) -> Vec<(&'a str, String)> {
    let found = members.named(RULE_KEYS).into_iter().map(|member| (member.plain.as_str(), member.value));
    let ids = members.named(&["id"]).into_iter().filter(|member| is_of_rule(members, &member.parent));
    let ids = ids.map(|member| ("alertid", member.value));
    found.chain(ids).filter_map(|(name, value)| Some((name, key(value)?))).collect()
}

/// Is the object with this plain name an alert, which may be the rule?
pub(super) fn is_of_rule(members: &Members<'_>, parent: &str) -> bool {
    parent == RULES || !PROBLEMS.contains(&parent) && is_a(members, parent, &[RULES])
}

/// Is the object with this plain name a problem, or one that says that it is?
pub(super) fn is_problem(members: &Members<'_>, parent: &str) -> bool {
    PROBLEMS.contains(&parent) || is_event_of(parent) || is_a(members, parent, PROBLEMS)
}

/// `incident_created_v2`: an event that holds the problem to which it happened.
fn is_event_of(parent: &str) -> bool {
    const HAPPENED: [&str; 7] = ["created", "updated", "opened", "closed", "resolved", "reopened", "declared"];
    let parent = parent.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let parent = parent.strip_suffix('v').unwrap_or(parent);
    let of = HAPPENED.iter().find_map(|happened| parent.strip_suffix(happened));
    of.is_some_and(|of| PROBLEMS.contains(&of))
}

/// Does the object say that it is one of these?
fn is_a(members: &Members<'_>, parent: &str, kinds: &[&str]) -> bool {
    members.named(&["type"]).iter().any(|member| {
        let kind = member.value.as_str().map(crate::level::plain_name);
        member.parent == parent && kind.is_some_and(|kind| kinds.contains(&kind.as_str()))
    })
}
