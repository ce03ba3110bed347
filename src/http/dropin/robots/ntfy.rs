//! ntfy: a text with headers, a query, or JSON. The topic is the token, unless a token of its own comes with the call;
//! then it is the receiver of that name, where the token means the routes.

use axum::http::StatusCode;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use super::asked::object;
use super::{Asked, Get, Outcome, PLAIN, Service, json as as_json};

pub(super) const NTFY: Service = Service {
    paths: &["/ntfy", "/ntfy/{topic}", "/ntfy/{topic}/{verb}"],
    get: Get::Says,
    token_in_body: true,
    tokens: |asked| asked.authorization().into_iter().chain(topic(asked)).collect(),
    receiver: topic,
    reads: |asked| {
        let message = message(asked);
        let title = said(asked, "title", &["x-title", "title", "ti", "t"]);
        if title.is_none() && message.is_none() {
            return None;
        }
        let tags = tags(asked);
        let signs: String = tags.iter().filter_map(|tag| sign(tag)).collect();
        let words: Vec<String> = tags.into_iter().filter(|tag| sign(tag).is_none()).collect();
        let marked = |text: String| if signs.is_empty() { text } else { format!("{signs} {text}") };
        let (title, text) = match (title, message) {
            (Some(title), message) => (Some(marked(title)), message),
            (None, message) => (None, message.map(marked)),
        };
        let mut read = object([
            ("title", title),
            ("text", text),
            ("level", level(asked).map(str::to_owned)),
            ("url", said(asked, "click", &["x-click", "click"])),
        ]);
        if !words.is_empty() {
            read["tag"] = words.join(", ").into();
        }
        Some(read)
    },
    answers: |asked, outcome| {
        let (status, code, error) = match outcome {
            Outcome::Taken(number) => {
                let body = json!({
                    "id": format!("wg{number:010}"), "time": asked.now.0 / 1000, "event": "message",
                    "topic": topic(asked), "message": message(asked),
                });
                return as_json(StatusCode::OK, body.to_string());
            }
            Outcome::Unknown | Outcome::Unsigned => (StatusCode::FORBIDDEN, 40301, "forbidden"),
            Outcome::Busy => (StatusCode::SERVICE_UNAVAILABLE, 50301, "service unavailable"),
            Outcome::Empty | Outcome::Refused => {
                (StatusCode::BAD_REQUEST, 40024, "invalid request: body must be message JSON")
            }
        };
        as_json(status, json!({ "code": code, "http": status.as_u16(), "error": error }).to_string())
    },
    ..PLAIN
};

/// The path to which clients without a topic in the URL post JSON.
pub(super) const ROOT: Service = Service { paths: &["/"], get: Get::Never, ..NTFY };

fn topic(asked: &Asked) -> Option<String> {
    asked.path.first().cloned().or_else(|| asked.tree["topic"].as_str().map(str::to_owned))
}

/// Is the body the message itself, not JSON with its parts? Only if the path has a topic.
fn is_text(asked: &Asked) -> bool {
    !asked.path.is_empty()
}

fn message(asked: &Asked) -> Option<String> {
    let whole = (is_text(asked) && !asked.text.trim().is_empty()).then(|| asked.text.clone());
    whole.or_else(|| said(asked, "message", &["x-message", "message", "m"]))
}

/// A part of a message: in JSON under `name`, otherwise in a header or the query under any of `names`.
fn said(asked: &Asked, name: &str, names: &[&str]) -> Option<String> {
    let in_tree = (!is_text(asked)).then(|| asked.said(&[name])).flatten();
    let in_head =
        || names.iter().find_map(|name| header(asked, name).or_else(|| asked.queried(name).map(str::to_owned)));
    in_tree.or_else(in_head)
}

fn tags(asked: &Asked) -> Vec<String> {
    let listed = asked.tree["tags"].as_array().filter(|_| !is_text(asked));
    if let Some(tags) = listed {
        return tags.iter().filter_map(|tag| tag.as_str().map(str::to_owned)).collect();
    }
    let line = said(asked, "tags", &["x-tags", "tags", "tag", "ta"]).unwrap_or_default();
    line.split(',').map(str::trim).filter(|tag| !tag.is_empty()).map(str::to_owned).collect()
}

/// The emoji of a tag, for tags about the state.
fn sign(tag: &str) -> Option<&'static str> {
    match tag {
        "white_check_mark" | "heavy_check_mark" | "+1" | "tada" => Some("✅"),
        "rotating_light" => Some("🚨"),
        "warning" => Some("⚠️"),
        "x" | "no_entry" | "skull" | "-1" => Some("❌"),
        _ => None,
    }
}

/// 5 rings, 1 and 2 are silent; 3 is the default.
fn level(asked: &Asked) -> Option<&'static str> {
    let priority = said(asked, "priority", &["x-priority", "priority", "prio", "p"])?;
    match priority.to_ascii_lowercase().as_str() {
        "5" | "max" | "urgent" => Some("critical"),
        "4" | "high" => Some("error"),
        "2" | "1" | "low" | "min" => Some("info"),
        _ => None,
    }
}

/// A header: UTF-8 as it is, or in the form of mails (RFC 2047), or Latin-1.
fn header(asked: &Asked, name: &str) -> Option<String> {
    let bytes = asked.parts.headers.get(name)?.as_bytes();
    let text =
        String::from_utf8(bytes.to_vec()).unwrap_or_else(|_| bytes.iter().map(|byte| char::from(*byte)).collect());
    let text = words(&text);
    (!text.trim().is_empty()).then_some(text)
}

/// A text whose encoded words (`=?UTF-8?B?…?=`) are read; blanks between two of them are part of the code.
fn words(text: &str) -> String {
    let (mut read, mut rest) = (String::new(), text);
    while let Some(at) = rest.find("=?") {
        let Some((word, after)) = encoded(&rest[at..]) else { break };
        let between = &rest[..at];
        if read.is_empty() || !between.trim().is_empty() {
            read.push_str(between);
        }
        read.push_str(&word);
        rest = after;
    }
    read + rest
}

/// The encoded word at the beginning, and what follows it.
fn encoded(text: &str) -> Option<(String, &str)> {
    let (charset, rest) = text.strip_prefix("=?")?.split_once('?')?;
    let (form, rest) = rest.split_once('?')?;
    let (code, after) = rest.split_once("?=")?;
    let bytes = match form {
        "B" | "b" => BASE64_STANDARD.decode(code).ok()?,
        "Q" | "q" => {
            let escaped = code.replace('%', "%25").replace('_', " ").replace('=', "%");
            percent_encoding::percent_decode_str(&escaped).collect()
        }
        _ => return None,
    };
    charset.eq_ignore_ascii_case("utf-8").then(|| String::from_utf8(bytes).ok()).flatten().map(|word| (word, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_in_the_form_of_mails_are_read() {
        for (sent, read) in [
            ("=?UTF-8?B?56OB55uY5bCG5ruh?=", "磁盘将满"),
            ("=?utf-8?q?=E7=A3=81=E7=9B=98?= =?utf-8?q?_97_%?=", "磁盘 97 %"),
            ("db-3 =?UTF-8?B?56OB55uY?= full", "db-3 磁盘 full"),
            ("a =? b", "a =? b"),
            ("磁盘", "磁盘"),
        ] {
            assert_eq!(words(sent), read, "{sent}");
        }
    }
}
