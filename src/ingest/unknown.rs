//! Names in the text of a mapping that a body does not have. Pure.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use crate::pattern::regex;

/// Names that are listed: a mapping has a few.
const MOST: usize = 20;
/// How alike a name must be to be the one that is meant.
const ALIKE: f64 = 0.6;

/// A path as expressions have it, and whether it is a call.
static PATH: LazyLock<Regex> = LazyLock::new(|| regex(r"(?:^|[^\w.'])((?:body|item)(?:\.[A-Za-z_]\w*|\[\d+\])+)(\()?"));
/// The list whose members are the alerts of a mapping.
static LIST: LazyLock<Regex> = LazyLock::new(|| regex(r"^\s*alerts:\s*['\x22]?(body(?:\.\w+|\[\d+\])*)"));

/// A name that the body does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// The line of the text, from 1.
    pub line: usize,
    /// As it is written.
    pub name: String,
    /// The one that is probably meant.
    pub nearest: Option<String>,
}

/// The names in `text` that are not among `leaves`, the paths of a body, nor on the way to one. Case and separators of names do
/// not matter, as in mappings.
pub fn unknown(text: &str, leaves: &[(String, String)]) -> Vec<Unknown> {
    let known: BTreeSet<String> = leaves.iter().flat_map(|(path, _)| ways(path)).collect();
    let (mut found, mut list) = (Vec::new(), None);
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("- name:") {
            list = None;
        }
        list = LIST.captures(line).map(|found| found[1].to_owned()).or(list);
        for path in PATH.captures_iter(line.split(" #").next().unwrap_or_default()) {
            let written = &path[1];
            // The last part of a call is a function.
            let named =
                if path.get(2).is_some() { written.rsplit_once('.').map_or("", |(path, _)| path) } else { written };
            let Some(full) = full(named, list.as_deref()) else { continue };
            if !known.contains(&plain(&full)) && found.len() < MOST {
                let nearest = nearest(&full, leaves, written.starts_with("item"), list.as_deref());
                found.push(Unknown { line: index + 1, name: written.to_owned(), nearest });
            }
        }
    }
    found
}

/// The path from the body's top; `None`: it is one of a list that is not known.
fn full(path: &str, list: Option<&str>) -> Option<String> {
    match path.strip_prefix("item") {
        Some(rest) => Some(format!("{}{rest}", list?)),
        None => Some(path.to_owned()),
    }
}

/// A path and all those above it, as they are compared.
fn ways(path: &str) -> Vec<String> {
    let plain = plain(path);
    let ends = plain.match_indices('.').map(|(at, _)| plain[..at].to_owned()).collect::<Vec<_>>();
    ends.into_iter().chain([plain.clone()]).collect()
}

/// Without places in lists, case and separators.
fn plain(path: &str) -> String {
    let mut inside = false;
    let kept = path.chars().filter(|letter| match letter {
        '[' => {
            inside = true;
            false
        }
        ']' => {
            inside = false;
            false
        }
        '_' | '-' | ' ' => false,
        _ => !inside,
    });
    kept.flat_map(char::to_lowercase).collect()
}

fn nearest(full: &str, leaves: &[(String, String)], of_item: bool, list: Option<&str>) -> Option<String> {
    let wanted = plain(full);
    let alike = |path: &str| strsim::normalized_damerau_levenshtein(&wanted, &plain(path));
    let scored = leaves.iter().map(|(path, _)| (alike(path), path)).filter(|(score, _)| *score > ALIKE);
    let (_, best) = scored.max_by(|one, other| one.0.total_cmp(&other.0))?;
    let within = of_item.then_some(list).flatten().and_then(|list| best.strip_prefix(list));
    // `[0].title` of a list is `item.title`.
    let rest = within.and_then(|rest| Some(rest.strip_prefix('[')?.split_once(']')?.1));
    Some(rest.map_or_else(|| best.clone(), |rest| format!("item{rest}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(usize, String, Option<String>)> {
        let leaves =
            ["body.alert.title", "body.host_name", "body.events[0].metadata.name", "body.events[1].metadata.name"];
        let leaves: Vec<(String, String)> = leaves.map(|path| (path.to_owned(), "x".to_owned())).into();
        unknown(text, &leaves).into_iter().map(|known| (known.line, known.name, known.nearest)).collect()
    }

    #[test]
    fn names_that_the_body_lacks_are_found_with_their_line_and_the_nearest() {
        let text = "- name: mine\n  alert:\n    name: \"{{ body.alert.titel }} {{ body.alert.title }}\"\n    host: \"{{ body.HostName or body.x }}\" # body.remark\n";
        assert_eq!(
            found(text),
            [(3, "body.alert.titel".to_owned(), Some("body.alert.title".to_owned())), (4, "body.x".to_owned(), None),]
        );
        let text = "- name: mine\n  alerts: body.events\n  alert:\n    name: \"{{ item.metadata.nam }} {{ item.metadata.name }} {{ item.metadata.get('a') }}\"\n";
        assert_eq!(found(text), [(4, "item.metadata.nam".to_owned(), Some("item.metadata.name".to_owned()))]);
        assert_eq!(
            found("- name: a\n  alert: { name: \"{{ body.alert | string }} {{ 'body.nothing' }} {{ somebody.x }}\" }"),
            []
        );
        assert_eq!(found("- name: a\n  alert: { name: \"{{ item.whatever }}\" }"), [], "of no list that is known");
        assert_eq!(found(&"{{ body.nothing.here }}\n".repeat(100)).len(), MOST);
    }
}
