//! Lines of `name=value`, as programs log them: `level=error host=db-3 msg="replication lag"`.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value};

static PAIR: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"^\s*([A-Za-z_][\w.-]*)=("(?:[^"\\]|\\.)*"|[^\s"]*)"#)
        .expect("it is a constant that every test compiles")
});

/// Names of which one must stand there: a line of pairs without any (`a=1 b=2 c=3`) may be anything.
const KNOWN: [&str; 23] = [
    "msg",
    "message",
    "title",
    "summary",
    "error",
    "err",
    "level",
    "lvl",
    "severity",
    "status",
    "state",
    "alert",
    "alertname",
    "alarm",
    "event",
    "host",
    "hostname",
    "instance",
    "service",
    "check",
    "node",
    "device",
    "app",
];
/// Names of words to show; of a line without them, the line is the text.
const WORDS: [&str; 6] = ["msg", "message", "title", "summary", "error", "err"];

/// Names of what the alert is called by.
const TITLES: [&str; 5] = ["alert", "alertname", "alarm", "name", "rule"];

/// Names of what a line is about that has none of these.
const NAMES: [&str; 15] = [
    "service",
    "check",
    "operation",
    "op",
    "app",
    "job",
    "task",
    "component",
    "module",
    "metric",
    "resource",
    "device",
    "node",
    "instance",
    "host",
];

/// The pairs of a line that is nothing else; `None` for every other text, and where a name stands twice. A value without
/// quotes may have blanks in it (`op=POST /order rate=3`), but the last.
pub(super) fn read(text: &str) -> Option<Value> {
    let mut object = Map::new();
    let text = text.trim();
    if text.contains('\n') {
        return None;
    }
    let mut rest = text;
    while !rest.is_empty() {
        let found = PAIR.captures(rest)?;
        let quoted = found[2].strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        let mut value = quoted.unwrap_or(&found[2]).replace("\\\"", "\"");
        rest = rest[found[0].len()..].trim_start();
        if quoted.is_none() && !rest.is_empty() && !PAIR.is_match(rest) {
            let next = rest.match_indices(' ').map(|(at, _)| at).find(|at| PAIR.is_match(&rest[*at..]))?;
            value = format!("{value} {}", &rest[..next]);
            rest = rest[next..].trim_start();
        }
        if object.insert(found[1].to_owned(), Value::String(value)).is_some() {
            return None;
        }
    }
    let holds = |names: &[&str]| object.keys().any(|name| names.contains(&name.to_lowercase().as_str()));
    if object.len() < 3 || !holds(&KNOWN) {
        return None;
    }
    if !holds(&WORDS) {
        if !holds(&TITLES) {
            let named: Vec<&str> = NAMES.iter().filter_map(|name| object.get(*name)?.as_str()).collect();
            if !named.is_empty() {
                let title = named.join(" ");
                object.insert("title".to_owned(), title.into());
            }
        }
        object.entry("text").or_insert_with(|| text.into());
    }
    Some(Value::Object(object))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_of_pairs_is_a_tree() {
        assert_eq!(
            read(r#"level=error host=db-3 msg="replication \"lag\"" lag=312s"#),
            Some(json!({"level": "error", "host": "db-3", "msg": "replication \"lag\"", "lag": "312s"}))
        );
        assert_eq!(
            read("service=order op=POST /order status=ALERT"),
            Some(json!({
                "service": "order", "op": "POST /order", "status": "ALERT", "title": "order POST /order", "text": "service=order op=POST /order status=ALERT",
            }))
        );
        for text in [
            "a=1 b=2 c=3",
            "msg=x level=error",
            "level=error msg=x and more words",
            "磁盘将满 a=1 msg=x b=2",
            "level=error host=a msg=x\nlevel=info host=b msg=y",
            "level=error host=a host=b msg=x",
            "",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
