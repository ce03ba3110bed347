//! Lines of `name=value`, as programs log them: `level=error host=db-3 msg="replication lag"`.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value};

static PAIR: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"^\s*([A-Za-z_][\w.-]*)=("(?:[^"\\]|\\.)*"|[^\s"]*)"#)
        .expect("it is a constant that every test compiles")
});

/// The pairs of a line that is nothing else and has some words to show; `None` for every other text, and where a name stands
/// twice.
pub(super) fn read(text: &str) -> Option<Value> {
    const WORDS: [&str; 6] = ["msg", "message", "title", "summary", "error", "err"];
    let mut object = Map::new();
    let mut rest = text.trim();
    if rest.contains('\n') {
        return None;
    }
    while !rest.is_empty() {
        let found = PAIR.captures(rest)?;
        let quoted = found[2].strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        let value = quoted.unwrap_or(&found[2]).replace("\\\"", "\"");
        if object.insert(found[1].to_owned(), Value::String(value)).is_some() {
            return None;
        }
        rest = rest[found[0].len()..].trim_start();
    }
    (object.len() > 2 && WORDS.iter().any(|word| object.contains_key(*word))).then_some(Value::Object(object))
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
