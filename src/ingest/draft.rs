//! A draft of a mapping, for a person to correct.

use std::fmt::Write as _;

use super::{Explained, paths};
use crate::words::{Language, Words, words};

/// What stands above a draft.
const HEAD: Words = words(
    "放进配置的 payloads；`wegraf payloads test` 看效果。没写的字段照常由通用读法读。",
    "To be put under `payloads`; see it with `wegraf payloads test`. What is left out is read as before.",
);
/// What stands above the values of the body.
const HOLDS: Words = words("正文里的值", "What the body holds");

/// A draft of a mapping with what the general reader found, for a person to correct, with comments in their language.
pub fn draft(
    explained: &Explained,
    bytes: &[u8],
    content_type: Option<&str>,
    name: &str,
    language: Language,
) -> String {
    let leaves = paths(bytes, content_type);
    let origins = explained.origins.first().map(Vec::as_slice).unwrap_or_default();
    let template = |field: &str| {
        let (_, from, value) = origins.iter().find(|(known, _, _)| *known == field)?;
        let names_it = |path: &str| path.rsplit('.').next().is_some_and(|last| last == from);
        let found = leaves.iter().find(|(path, leaf)| names_it(path) && leaf.trim() == value.trim());
        Some(format!(
            "\"{{{{ {} }}}}\"",
            found.or_else(|| leaves.iter().find(|(_, leaf)| leaf.trim() == value.trim()))?.0
        ))
    };
    let known: Vec<&str> = leaves.iter().filter_map(|(path, _)| path.strip_prefix("body.")).collect();
    let has: Vec<&str> = known.iter().copied().filter(|path| !path.contains(['[', '\''])).take(3).collect();
    let mut text = format!("# {}\n- name: {name}\n  has: [{}]\n  alert:\n", HEAD.get(language), has.join(", "));
    for (field, origin, hint) in [
        ("name", "title", "{{ body.… }}"),
        ("status", "state", "{{ body.… | state }}"),
        ("key", "key", "{{ body.… }}"),
        ("severity", "severity", "{{ body.… | level }}"),
        ("link", "link", "{{ body.… }}"),
    ] {
        match template(origin) {
            Some(found) => writeln!(text, "    {field}: {found}"),
            None => writeln!(text, "    # {field}: \"{hint}\""),
        }
        .expect("a String takes everything");
    }
    text.push_str("    # message: \"{{ body.… }}\"\n    # labels: { host: \"{{ body.… }}\" }\n");
    writeln!(text, "  # {}:", HOLDS.get(language)).expect("a String takes everything");
    for (path, value) in leaves.iter().take(60) {
        writeln!(text, "  #   {path}  {}", one_line(value)).expect("a String takes everything");
    }
    text
}

fn one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let end = line.floor_char_boundary(120);
    if end < line.len() { format!("{}…", &line[..end]) } else { line }
}
