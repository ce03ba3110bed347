//! What the cards of all robots have in common: texts, buttons, links with their words.

use serde_json::{Map, Value};

use super::super::tree::said;
use crate::plain::secrets::is_secret_address;

/// A link by its words and its address; an address that holds a credential is not told.
pub(super) fn link(words: &str, address: &str) -> String {
    let (words, address) = (words.trim(), address.trim());
    let address = if is_secret_address(address) { "" } else { address };
    if words.is_empty() || address.is_empty() { format!("{words}{address}") } else { format!("{words} {address}") }
}

/// The page that a button or another part of a card opens, in the ways of all makes.
pub(super) fn address(part: &Map<String, Value>) -> Option<&str> {
    const NAMES: [&str; 11] = [
        "url",
        "actionURL",
        "actionUrl",
        "action_url",
        "messageURL",
        "messageUrl",
        "default_url",
        "pc_url",
        "href",
        "uri",
        "link",
    ];
    const HOLDERS: [&str; 8] =
        ["multi_url", "behaviors", "onClick", "on_click", "openLink", "open_link", "targets", "target"];
    let is_page = |text: &&str| text.starts_with("http");
    NAMES.iter().find_map(|name| said(part.get(*name)?).filter(is_page)).or_else(|| {
        HOLDERS.iter().find_map(|name| match part.get(*name)? {
            Value::Object(inner) => address(inner),
            Value::Array(items) => items.iter().find_map(|item| match item {
                Value::Object(inner) => address(inner),
                item => said(item).filter(is_page),
            }),
            _ => None,
        })
    })
}

/// The links of a list of buttons, each with its words.
pub(super) fn buttons(list: Option<&Value>) -> Vec<String> {
    let items = list.and_then(Value::as_array).into_iter().flatten();
    items
        .flat_map(|item| item.as_array().map_or(std::slice::from_ref(item), Vec::as_slice))
        .filter_map(|button| {
            let button = button.as_object()?;
            Some(link(&words_on(button), address(button)?))
        })
        .filter(|line| !line.is_empty())
        .collect()
}

/// The words on a button.
fn words_on(button: &Map<String, Value>) -> String {
    const NAMES: [&str; 6] = ["title", "text", "name", "label", "content", "keyname"];
    let found = NAMES.iter().find_map(|name| match button.get(*name)? {
        Value::Object(inner) => ["content", "text"].iter().find_map(|name| said(inner.get(*name)?)),
        value => said(value),
    });
    found.unwrap_or_default().to_owned()
}

/// The texts of a card of any make, in order, with the addresses of its buttons.
pub(super) fn collect(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, texts)),
        Value::Object(object) => {
            let get = |name: &str| object.get(name).and_then(said);
            // A picture has an address, and no words.
            if get("type") == Some("Image") {
                return;
            }
            if let (Some(label), Some(value)) = (get("topLabel"), get("content").or_else(|| get("text"))) {
                texts.push(format!("{}: {value}", label.trim_end_matches([':', '：'])));
                texts.extend(get("bottomLabel").map(str::to_owned));
                return;
            }
            if let (Some(title), Some(value)) = (get("title").or_else(|| get("name")), get("value")) {
                texts.push(format!("{title}: {value}"));
                return;
            }
            if get("type").is_some_and(|kind| kind.starts_with("rich_text_") && kind != "rich_text_list") {
                texts.push(in_line(object.get("elements")));
                return;
            }
            if let Some(fields) = object.get("fields").and_then(Value::as_array) {
                collect(object.get("text").unwrap_or(&Value::Null), texts);
                for one in fields {
                    match field(one) {
                        Some(line) => texts.extend(Some(line).filter(|line| !line.is_empty())),
                        None => collect(one, texts),
                    }
                }
                let beside = ["accessory", "extra"].into_iter().filter_map(|name| object.get(name));
                texts.extend(buttons(Some(&Value::from(beside.cloned().collect::<Vec<_>>()))));
                return;
            }
            let said = ["content", "text", "title"].into_iter().find_map(get);
            match (said, address(object)) {
                (Some(said), Some(url)) => texts.push(link(said, url)),
                (Some(said), None) => texts.push(said.to_owned()),
                (None, Some(url)) => {
                    texts.push(link(&words_on(object), url));
                    return;
                }
                (None, None) => {}
            }
            // What a button does and what it hands over are no words.
            let is_button = get("tag") == Some("button") || get("type") == Some("button");
            for (name, inner) in object {
                let is_layout = !matches!(
                    name.as_str(),
                    "config"
                        | "header"
                        | "style"
                        | "msteams"
                        | "fallback"
                        | "behaviors"
                        | "multi_url"
                        | "onClick"
                        | "confirm"
                );
                if is_layout && !(is_button && name == "value") && (inner.is_array() || inner.is_object()) {
                    collect(inner, texts);
                }
            }
        }
        _ => {}
    }
}

/// The pieces of one line of rich text.
fn in_line(pieces: Option<&Value>) -> String {
    let pieces = pieces.and_then(Value::as_array).into_iter().flatten();
    let piece = |piece: &Value| {
        let get = |name: &str| piece.get(name).and_then(Value::as_str).unwrap_or_default();
        match get("type") {
            "link" => link(get("text"), get("url")),
            "emoji" => format!(":{}:", get("name")),
            _ => get("text").to_owned(),
        }
    };
    pieces.map(piece).collect()
}

/// A field of two lines, of which the first is its name in emphasis, as `name: value`.
fn field(value: &Value) -> Option<String> {
    let text = match value.get("text") {
        Some(Value::Object(inner)) => ["content", "text"].iter().find_map(|name| said(inner.get(*name)?)),
        _ => ["text", "content"].iter().find_map(|name| said(value.get(*name)?)),
    }?;
    let (name, rest) = text.split_once('\n').unwrap_or((text, ""));
    let bare = name.trim().trim_end_matches([':', '：']).trim_matches('*').trim_end_matches([':', '：']).trim();
    let is_name = name.trim().starts_with('*') && !bare.is_empty() && !bare.contains(['*', ':', '：']);
    let rest = rest.trim();
    Some(if is_name && !rest.is_empty() && !rest.contains('\n') { format!("{bare}: {rest}") } else { text.to_owned() })
}
