//! The names that a template may use, and what is meant by one that does not exist.

/// The names of a message; `docs/templates.md` explains each.
pub(super) const NAMES: [&str; 64] = [
    "act",
    "alerts",
    "annotations",
    "color",
    "column",
    "count",
    "description",
    "details",
    "duration",
    "evidence",
    "evidence_more",
    "face",
    "facts",
    "firing",
    "folds",
    "grade",
    "grid",
    "heading",
    "hyperlinks",
    "icon",
    "id",
    "label",
    "labels",
    "language",
    "lead",
    "limit",
    "links",
    "measure",
    "message",
    "more",
    "more_text",
    "name",
    "notes",
    "object",
    "over",
    "over_each",
    "part",
    "picture",
    "place",
    "qualifier",
    "resolved",
    "rules",
    "scope",
    "severity",
    "since",
    "single",
    "source",
    "state",
    "steps",
    "steps_more",
    "still",
    "subject",
    "summary",
    "tail",
    "threshold",
    "title",
    "unit",
    "unread",
    "url",
    "value",
    "value_said",
    "values",
    "when",
    "word",
];
/// Names that the engine gives.
const GIVEN: [&str; 4] = ["loop", "self", "super", "caller"];

/// A name that does not exist, and where it stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unknown {
    pub(super) name: String,
    pub(super) line: usize,
    pub(super) column: usize,
    /// The nearest name that exists.
    pub(super) nearest: Option<&'static str>,
}

/// The first of `used` in `source` that is neither a name of a message nor `known` otherwise.
pub(super) fn unknown(source: &str, used: &[String], known: impl Fn(&str) -> bool) -> Option<Unknown> {
    let missing = used.iter().filter(|name| {
        let name = name.as_str();
        !NAMES.contains(&name) && !GIVEN.contains(&name) && !known(name)
    });
    let found = missing.map(|name| (place(source, name), name)).min();
    found.map(|(at, name)| {
        let before = &source[..at];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Unknown { name: name.clone(), line, column, nearest: nearest(name) }
    })
}

/// Where `name` stands inside of a tag of `source`.
fn place(source: &str, name: &str) -> usize {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    let whole = |at: usize| {
        let (before, after) = (&source[..at], &source[at + name.len()..]);
        let open = before.rfind(['{']).is_some_and(|open| !before[open..].contains('}'));
        open && !before.ends_with(|c: char| part(c) || c == '.') && !after.starts_with(part)
    };
    source.match_indices(name).map(|(at, _)| at).find(|at| whole(*at)).unwrap_or(0)
}

/// The name with the fewest letters to change, if these are few.
fn nearest(name: &str) -> Option<&'static str> {
    let best = NAMES.iter().map(|known| (distance(name, known), *known)).min()?;
    (best.0 <= 1 + name.chars().count() / 3).then_some(best.1)
}

/// Letters to insert, delete, replace or swap.
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().take(40).collect(), other.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=other.len()).collect()];
    for (i, a) in one.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in other.iter().enumerate() {
            let mut best = (rows[i][j] + usize::from(a != b)).min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == other[j - 1] && one[i - 1] == *b {
                best = best.min(rows[i - 1][j - 1] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[one.len()][other.len()]
}

/// The names that a template gives itself: `{% set x %}`, `{% for x in … %}`, of any of the user's files, since one may
/// include another.
pub(super) fn sets(source: &str, name: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    source.match_indices(name).any(|(at, _)| {
        let before = source[..at].trim_end();
        let whole = !source[at + name.len()..].starts_with(part) && !source[..at].ends_with(part);
        whole && ["set", "for", "with", "macro", "as", ","].iter().any(|word| before.ends_with(word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_does_not_exist_is_placed_and_the_nearest_is_told() {
        let source = "{{ title }}\n中文 wrod {{ bold(wrod) }}";
        let used = ["title".to_owned(), "wrod".to_owned()];
        let found = unknown(source, &used, |_| false).unwrap();
        assert_eq!(found, Unknown { name: "wrod".to_owned(), line: 2, column: 17, nearest: Some("word") });
        for (name, meant) in [("sumary", Some("summary")), ("titel", Some("title")), ("xyzzyx", None)] {
            assert_eq!(nearest(name), meant, "{name}");
        }
        assert_eq!(unknown(source, &used, |name| name == "wrod"), None);
        assert!(sets("{% set mine = 1 %}", "mine") && !sets("{{ mine }}", "mine"));
    }
}
