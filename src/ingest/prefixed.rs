//! A text that is data behind a few words: `告警推送: {"name": …}`, a heading above a list in JSON.

use serde_json::Value;

use super::plain;
use super::reader;
use super::tree::Members;

/// Characters of the words before the data.
const WORDS: usize = 80;

/// The objects in the text, each with the words before them as its text; `None` if the text is something else.
pub(super) fn read(text: &str) -> Option<Vec<Value>> {
    let text = text.trim();
    // What stands in a bracket of its own (`[变电站] …`) is no data.
    let brace = text.find('{')?;
    let before = text[..brace].trim_end();
    let at = if before.ends_with('[') { before.len() - 1 } else { brace };
    let (words, data) = text.split_at(at);
    let words = plain::line(words.trim().trim_end_matches([':', '：']));
    if !words.chars().any(char::is_alphabetic) || words.chars().count() > WORDS {
        return None;
    }
    let mut found = match serde_json::from_str(data).ok()? {
        object @ Value::Object(_) => vec![object],
        Value::Array(items) => items,
        _ => return None,
    };
    for item in &mut found {
        super::body::unfold(item);
        let speaks = reader::speaks(&Members::of(item, ""));
        let members = item.as_object_mut()?;
        if members.len() < 2 {
            return None;
        }
        let name = if speaks { "heading" } else { "message" };
        members.entry(name).or_insert_with(|| words.clone().into());
    }
    (!found.is_empty()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_behind_words_is_taken_apart() {
        for (text, count) in [
            (r#"告警推送: {"name":"磁盘水位","status":"resolved"}"#, 1),
            ("Scheduler 告警\n[{\"taskName\":\"load\",\"taskState\":\"FAILURE\"}]", 1),
            (r#"[推送] x [{"a":1,"b":2},{"a":3,"b":4}]"#, 2),
        ] {
            assert_eq!(read(text).map(|found| found.len()), Some(count), "{text}");
        }
        for text in [r#"{"a":1,"b":2}"#, "see {x} and {y}", "[变电站] 油温", "map: {a: 1}", r#"bad {"a":1}"#, "[1] x"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
