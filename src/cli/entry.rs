//! An entry put into a configuration as text, so that its comments and its order stay (pure).

/// The text with `name: value` under the keys of `path`, otherwise unchanged; keys that are missing are made. `None` if it
/// is written in a form that only a person can extend.
pub(super) fn insert(text: &str, path: &[&str], name: &str, value: &str) -> Option<String> {
    let (mut from, mut to, mut depth) = (0, text.len(), 0);
    for (level, key) in path.iter().enumerate() {
        let Some(found) = find(text, from, to, depth, key) else {
            let rest = &path[level..];
            // Of a text without any of the keys the end is the place, else the front of what holds the missing ones.
            let at = if level == 0 { text.len() } else { from };
            return Some(spliced(text, at, &block(rest, depth, name, value), level == 0));
        };
        let line_end = text[found..].find('\n').map_or(text.len(), |end| found + end + 1);
        let rest = &text[found + depth + key.len() + 1..line_end];
        let written = rest.split(" #").next().unwrap_or_default().trim();
        if !written.is_empty() {
            let brace = found + depth + key.len() + 1 + rest.find('{').filter(|_| written.starts_with('{'))? + 1;
            let (before, after) = text.split_at(brace);
            let entry = flow(&path[level + 1..], name, value);
            // Within one line a missing key can be made, but one that is there cannot be found by its line.
            if path.get(level + 1).is_some_and(|next| written.contains(&format!("{next}:"))) {
                return None;
            }
            return Some(format!("{before} {entry}, {}", after.trim_start_matches(' ')));
        }
        to = end(text, line_end, to, depth);
        from = line_end;
        depth = children(&text[line_end..to], depth);
    }
    Some(spliced(text, from, &format!("{}{name}: {value}\n", " ".repeat(depth)), false))
}

/// Where the line `key:` with `depth` blanks before it begins.
fn find(text: &str, from: usize, to: usize, depth: usize, key: &str) -> Option<usize> {
    let mut at = from;
    for line in text[from..to].split_inclusive('\n') {
        let after = line.strip_prefix(&*" ".repeat(depth)).and_then(|rest| rest.strip_prefix(key));
        if after.is_some_and(|rest| rest.starts_with(':')) {
            return Some(at);
        }
        at += line.len();
    }
    None
}

/// Where the lines end that are deeper than `depth`.
fn end(text: &str, from: usize, to: usize, depth: usize) -> usize {
    let mut at = from;
    for line in text[from..to].split_inclusive('\n') {
        let blanks = line.len() - line.trim_start_matches(' ').len();
        let counts = !line.trim().is_empty() && !line.trim_start().starts_with('#');
        if counts && blanks <= depth {
            return at;
        }
        at += line.len();
    }
    to
}

/// How deep the entries of a block stand.
fn children(block: &str, depth: usize) -> usize {
    let entry = block.lines().find(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
    let blanks = entry.map_or(0, |line| line.len() - line.trim_start_matches(' ').len());
    if blanks > depth { blanks } else { depth + 2 }
}

fn block(keys: &[&str], depth: usize, name: &str, value: &str) -> String {
    let indent = |level: usize| " ".repeat(depth + 2 * level);
    let above: Vec<String> = keys.iter().enumerate().map(|(level, key)| format!("{}{key}:\n", indent(level))).collect();
    format!("{}{}{name}: {value}\n", above.concat(), indent(keys.len()))
}

fn flow(keys: &[&str], name: &str, value: &str) -> String {
    let inside = format!("{name}: {value}");
    keys.iter().rev().fold(inside, |inside, key| format!("{key}: {{ {inside} }}"))
}

fn spliced(text: &str, at: usize, lines: &str, apart: bool) -> String {
    let (before, after) = text.split_at(at);
    let gap = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
    let gap = if apart && !before.is_empty() { format!("{gap}\n") } else { gap.to_owned() };
    format!("{before}{gap}{lines}{after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_put_under_its_keys_and_the_rest_stays() {
        for (before, path, after) in [
            ("a: 1\n", &["sources"][..], "a: 1\n\nsources:\n  new: { x }\n"),
            ("a: 1", &["sources"], "a: 1\n\nsources:\n  new: { x }\n"),
            ("sources:\n  g: { y }\nb: 2\n", &["sources"], "sources:\n  new: { x }\n  g: { y }\nb: 2\n"),
            (
                "sources: # who\n    # first\n    g:\n      y: z\n",
                &["sources"],
                "sources: # who\n    new: { x }\n    # first\n    g:\n      y: z\n",
            ),
            ("sources: { g: { y } }\n", &["sources"], "sources: { new: { x }, g: { y } }\n"),
            ("sources: {}\nb: 2\n", &["sources"], "sources: { new: { x }, }\nb: 2\n"),
            ("sources:", &["sources"], "sources:\n  new: { x }\n"),
            ("  sources: 1\n", &["sources"], "  sources: 1\n\nsources:\n  new: { x }\n"),
            (
                "wecom:\n  # ours\n  webhooks:\n    old: 1\nb: 2\n",
                &["wecom", "webhooks"],
                "wecom:\n  # ours\n  webhooks:\n    new: { x }\n    old: 1\nb: 2\n",
            ),
            (
                "wecom:\n    apps:\n      a: 1\n\nb: 2\n",
                &["wecom", "webhooks"],
                "wecom:\n    webhooks:\n      new: { x }\n    apps:\n      a: 1\n\nb: 2\n",
            ),
            ("b: 1\n", &["wecom", "webhooks"], "b: 1\n\nwecom:\n  webhooks:\n    new: { x }\n"),
            ("wecom: { apps: {} }\n", &["wecom", "bots"], "wecom: { bots: { new: { x } }, apps: {} }\n"),
            ("wecom:\n  bots: { a: 1 }\n", &["wecom", "bots"], "wecom:\n  bots: { new: { x }, a: 1 }\n"),
        ] {
            assert_eq!(insert(before, path, "new", "{ x }").as_deref(), Some(after), "{before}");
        }
        assert_eq!(insert("sources: *other\n", &["sources"], "new", "{ x }"), None);
        assert_eq!(insert("wecom: { bots: { a: 1 } }\n", &["wecom", "bots"], "new", "1"), None);
    }
}
