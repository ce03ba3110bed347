//! Conditions of Kubernetes: a kind that is true, false or unknown (`{"type": "Ready", "status": "False"}`).

use super::super::super::lexicon::Word;
use super::super::super::tree::{Member, Members, said};
use crate::ingest::reader::things;

/// The last words of kinds that are well if they are true, and of those that are ill.
const WELL: [&str; 12] = [
    "ready",
    "succeeded",
    "available",
    "healthy",
    "complete",
    "completed",
    "reconciled",
    "synced",
    "initialized",
    "scheduled",
    "established",
    "validated",
];
const ILL: [&str; 9] =
    ["failed", "failure", "degraded", "stalled", "pressure", "unavailable", "unhealthy", "error", "deadlock"];

/// Is it the kind of a condition, which says a state only together with its status?
pub(super) fn is_kind(members: &Members<'_>, member: &Member<'_>) -> bool {
    member.plain == "type" && status(members, member).is_some()
}

/// What the condition says that the body has.
pub(super) fn of(members: &Members<'_>) -> Option<(String, String, Word)> {
    members.named(&["type"]).into_iter().find_map(|member| {
        let status = status(members, member)?;
        let kind = said(member.value)?;
        let words = things::words(kind);
        let last = words.last()?.as_str();
        let word = match (WELL.contains(&last), ILL.contains(&last), status) {
            (true, _, "true") | (_, true, "false") => Word::Resolved,
            (true, _, "false") | (_, true, "true") => Word::Firing,
            _ => return None,
        };
        Some((member.name.to_owned(), format!("{kind}={status}"), word))
    })
}

/// The status beside a kind, if it is one of a condition.
fn status<'a>(members: &'a Members<'_>, kind: &Member<'_>) -> Option<&'a str> {
    let beside = members.named(&["status"]).into_iter();
    let beside = beside.filter(|member| member.depth == kind.depth && member.parent == kind.parent);
    beside.filter_map(|member| said(member.value)).find_map(|said| match said {
        "True" => Some("true"),
        "False" => Some("false"),
        "Unknown" => Some("unknown"),
        _ => None,
    })
}
