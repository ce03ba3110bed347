//! A line of fields with a state or a level among them: `2026-11-30 15:02:11,db-1,disk,/data,96%,CRITICAL`.

use std::sync::LazyLock;

use jiff::tz::TimeZone;
use regex::Regex;
use serde_json::{Map, Value};

use super::lexicon::{self, Word};
use super::{moment, plain};
use crate::level::Level;

/// Fields of a line, and characters and blanks of a field: with more it is a sentence with commas.
const FIELDS: std::ops::RangeInclusive<usize> = 4..=24;
const FIELD: usize = 48;
const BLANKS: usize = 2;

/// A number with or without a unit.
static AMOUNT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^[-+]?\d+(?:\.\d+)?\s*(?:[%％℃]|[A-Za-z/]{1,5})?$").expect("it is a constant that every test compiles")
});

/// The line as a tree: its time, its state and level, what else names something as the title, the whole as the text. `None`
/// for a text of another kind, and where no field or several say a state.
pub(super) fn read(text: &str, zone: &TimeZone) -> Option<Value> {
    let text = text.trim();
    if text.contains(['\n', '{', '"', '=']) {
        return None;
    }
    let fields = ['|', '\t', ',', ';'].into_iter().find_map(|cut| {
        let fields: Vec<&str> = text.split(cut).map(str::trim).collect();
        let is_field = |field: &&str| {
            field.chars().count() <= FIELD && field.chars().filter(|letter| *letter == ' ').count() <= BLANKS
        };
        (FIELDS.contains(&fields.len()) && fields.iter().all(is_field)).then_some(fields)
    })?;
    let state = |field: &&str| {
        let word = lexicon::exact(field).filter(|word| matches!(word, Word::Firing | Word::Resolved));
        let is_word = field.chars().all(char::is_alphabetic);
        is_word && (word.is_some() || Level::of(field).is_some())
    };
    let mut object = Map::new();
    let (mut names, mut amounts): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    for field in fields.iter().copied().filter(|field| !plain::is_missing(field)) {
        let is_time = moment::read(field, zone).is_some() && field.contains([':', '-', '/']);
        if is_time && !object.contains_key("time") {
            object.insert("time".to_owned(), field.into());
        } else if state(&field) {
            let is_rank = Level::of(field).is_some();
            let name = if is_rank && !object.contains_key("severity") { "severity" } else { "status" };
            if object.insert(name.to_owned(), field.into()).is_some() {
                return None;
            }
        } else if AMOUNT.is_match(field) {
            amounts.push(field);
        } else {
            names.push(field);
        }
    }
    let says = object.contains_key("severity") || object.contains_key("status");
    if !says || names.is_empty() {
        return None;
    }
    object.insert("title".to_owned(), names.join(" ").into());
    match amounts[..] {
        [] => {}
        [value] => drop(object.insert("value".to_owned(), value.into())),
        _ => drop(object.insert("message".to_owned(), text.into())),
    }
    Some(Value::Object(object))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_of_fields_is_a_tree() {
        let line = "2026-11-30 15:02:11,db-1,10.0.0.1,disk,/data,96%,CRITICAL";
        assert_eq!(
            read(line, &TimeZone::UTC),
            Some(json!({
                "time": "2026-11-30 15:02:11", "title": "db-1 10.0.0.1 disk /data", "severity": "CRITICAL", "value": "96%",
            }))
        );
        let line = "PT-101|压力高高报|1.42MPa|1.60MPa|RTN|2026-11-30 15:12:11";
        let read_line = read(line, &TimeZone::UTC).unwrap();
        assert_eq!((&read_line["status"], &read_line["title"]), (&json!("RTN"), &json!("PT-101 压力高高报")));
        for text in [
            "db-1, disk full, please look, thanks",
            "服务异常，请处理",
            "a,b,c,d",
            "a|ok|fail|b",
            "{\"a\":1,\"b\":2,\"c\":3,\"d\":4}",
            "Hello all, the nightly build of the shop, which we started today, is OK",
        ] {
            assert_eq!(read(text, &TimeZone::UTC), None, "{text}");
        }
    }
}
