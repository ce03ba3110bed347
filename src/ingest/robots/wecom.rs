//! A message as a client of WeCom posts it: `webhook/send` (page 99110) or `message/send` (page 90236).
//!
//! It is relayed, not read: what is taken from it here is what the record, a digest and other channels show.

use serde_json::Value;

use super::super::field::clean;
use crate::alert::{Format, Notification, Status};
use crate::words::Language;

/// The kinds that are text: they can be cut, folded and shown anywhere.
const TEXTS: [&str; 3] = ["text", "markdown", "markdown_v2"];
/// The kinds that are nothing but a file.
const FILES: [&str; 4] = ["image", "voice", "video", "file"];
/// Members of a message that say nothing to a person.
const TECHNICAL: [&str; 10] =
    ["base64", "md5", "media_id", "thumb_media_id", "appid", "pagepath", "task_id", "picurl", "icon_url", "card_type"];
/// A first line as the record shows it, in bytes.
const LINE_BYTES: usize = 200;
/// The name of a kind as the record shows it, in bytes: all of WeCom's are shorter.
const KIND_BYTES: usize = 40;
/// Shown of what is no text, in bytes.
const WORDS_BYTES: usize = 4096;

/// A message of a client.
#[derive(Debug, Clone)]
pub struct Said {
    /// Its `msgtype`, known or not.
    pub msgtype: String,
    body: Value,
    bytes: usize,
}

/// Why WeCom would refuse a message outright.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// No JSON object.
    NotJson,
    /// No `msgtype`.
    NoType,
    /// A text without content.
    Empty,
}

impl Said {
    /// Reads a body; rejects only bodies that WeCom rejects regardless of their content.
    pub fn read(bytes: &[u8]) -> Result<Self, Wrong> {
        let bare = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let body: Value = serde_json::from_slice(bare).map_err(|_| Wrong::NotJson)?;
        let object = body.as_object().ok_or(Wrong::NotJson)?;
        let msgtype = object.get("msgtype").and_then(Value::as_str).map(str::trim).unwrap_or_default();
        if msgtype.is_empty() {
            return Err(Wrong::NoType);
        }
        let said = Self { msgtype: msgtype.to_owned(), bytes: bytes.len(), body };
        if said.is_text() && said.content().trim().is_empty() {
            return Err(Wrong::Empty);
        }
        Ok(said)
    }

    /// Is it text, so that it can be cut and folded?
    pub fn is_text(&self) -> bool {
        TEXTS.contains(&self.msgtype.as_str())
    }

    /// Is it nothing but a file, of which no words could be sent instead?
    pub fn is_file(&self) -> bool {
        FILES.contains(&self.msgtype.as_str())
    }

    /// Does it name an uploaded file, which only the account that uploaded it can send?
    pub fn names_media(&self) -> bool {
        holds(&self.body[&self.msgtype], "media_id") || holds(&self.body[&self.msgtype], "thumb_media_id")
    }

    /// The content of a text.
    pub fn content(&self) -> &str {
        self.body[&self.msgtype]["content"].as_str().unwrap_or_default()
    }

    /// The same message with another content.
    pub fn with_content(&self, content: String) -> Vec<u8> {
        let mut body = self.body.clone();
        body[&self.msgtype]["content"] = content.into();
        serde_json::to_vec(&body).expect("what was read from JSON is JSON")
    }

    /// A member of the message itself: `agentid`, `touser`, ….
    pub fn member(&self, name: &str) -> Option<&Value> {
        self.body.get(name)
    }

    /// The same message with these members instead.
    pub fn with_members(&self, members: impl IntoIterator<Item = (&'static str, Value)>) -> Vec<u8> {
        let mut body = self.body.clone();
        for (name, value) in members {
            body[name] = value;
        }
        serde_json::to_vec(&body).expect("what was read from JSON is JSON")
    }

    /// Its first line, or its kind and size: what the record and a digest show.
    pub fn line(&self) -> String {
        let words = if self.is_text() { self.content().to_owned() } else { self.words() };
        let line = words.lines().map(undecorated).find(|line| !line.is_empty()).unwrap_or_default().to_owned();
        let line = clean(&super::super::excerpt(&line, LINE_BYTES));
        match (self.is_text(), line.is_empty()) {
            (true, false) => line,
            (false, false) => format!("[{}] {line}", self.kind()),
            (_, true) => format!("[{}] {}", self.kind(), size(self.bytes)),
        }
    }

    /// Its `msgtype` as it may stand in a line of the record.
    fn kind(&self) -> String {
        let shown: String = self.msgtype.chars().filter(|letter| !letter.is_control()).collect();
        super::super::excerpt(&shown, KIND_BYTES)
    }

    /// Its words without pictures, files and ids, a line each.
    fn words(&self) -> String {
        let mut lines = Vec::new();
        gather(&self.body[&self.msgtype], "", &mut lines);
        super::super::excerpt(&lines.join("\n"), WORDS_BYTES)
    }

    /// As a notification, for a digest, the page and channels that cannot have it as it was meant.
    fn notification(&self) -> Notification {
        let text = if self.is_text() { self.content().to_owned() } else { self.words() };
        let text = if text.trim().is_empty() { self.line() } else { text };
        let mut notification = super::super::single(
            Format::Opaque,
            self.line(),
            crate::names::Discriminator::default(),
            clean(&super::super::excerpt(&text, super::super::EXCERPT)),
        );
        notification.alerts[0].status = Status::Notice;
        notification
    }
}

/// Stored bytes as a notification; bytes that are no message any more become their text.
pub fn notification(bytes: &[u8], language: Language) -> Notification {
    match Said::read(bytes) {
        Ok(said) => said.notification(),
        Err(_) => super::super::single(
            Format::Opaque,
            super::super::words::UNRECOGNISED.get(language).to_owned(),
            crate::names::Discriminator::default(),
            clean(&super::super::excerpt(&String::from_utf8_lossy(bytes), super::super::EXCERPT)),
        ),
    }
}

/// Is there such a member, at any depth?
fn holds(value: &Value, wanted: &str) -> bool {
    match value {
        Value::Object(members) => {
            members.iter().any(|(name, value)| (name == wanted && !value.is_null()) || holds(value, wanted))
        }
        Value::Array(items) => items.iter().any(|item| holds(item, wanted)),
        _ => false,
    }
}

/// The strings of `value` that a person can read, in their order.
fn gather(value: &Value, name: &str, lines: &mut Vec<String>) {
    match value {
        Value::String(text) if !TECHNICAL.contains(&name) && !text.trim().is_empty() => lines.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| gather(item, name, lines)),
        Value::Object(members) => {
            // Titles first: the maker of a card writes them in any order.
            let (first, rest): (Vec<_>, Vec<_>) =
                members.iter().partition(|(name, _)| matches!(name.as_str(), "title" | "main_title" | "keyname"));
            for (name, value) in first.into_iter().chain(rest) {
                gather(value, name, lines);
            }
        }
        _ => {}
    }
}

/// A line without the marks of a heading, a quote or emphasis around it.
fn undecorated(line: &str) -> &str {
    line.trim().trim_start_matches(['#', '>', ' ']).trim_matches(['*', '`']).trim()
}

fn size(bytes: usize) -> String {
    if bytes < 1024 { format!("{bytes} B") } else { format!("{} KB", bytes.div_ceil(1024)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_a_message_is_its_first_or_its_kind_and_size() {
        for (body, line) in [
            (r#"{"msgtype":"text","text":{"content":"\n 磁盘将满\ndb-3"}}"#, "磁盘将满"),
            (r###"{"msgtype":"markdown","markdown":{"content":"## **down** \n> x"}}"###, "down"),
            (r#"{"msgtype":"image","image":{"base64":"aGVsbG8gd29ybGQ=","md5":"x"}}"#, "[image] 67 B"),
            (r#"{"msgtype":"news","news":{"articles":[{"url":"http://x","title":"t","picurl":"p"}]}}"#, "[news] t"),
            (r#"{"msgtype":"later","later":{"a":1}}"#, "[later] 35 B"),
        ] {
            let said = Said::read(body.as_bytes()).unwrap();
            assert_eq!(said.line(), line, "{body}");
            assert!(!said.notification().message.contains("aGVsbG8"), "a picture is never printed");
        }
    }

    #[test]
    fn neither_store_is_given_a_zero() {
        for body in [
            r#"{"msgtype":"text","text":{"content":"a\u0000b\n\u0000c"}}"#,
            r#"{"msgtype":"la\u0000ter\n","later":{"title":"x\u0000"}}"#,
            "no JSON \0 at all",
        ] {
            let shown = notification(body.as_bytes(), Language::Zh);
            let all = format!("{}{}", shown.message, shown.alerts[0].name);
            assert!(!all.contains('\0') && !shown.alerts[0].name.contains('\n'), "{all:?}");
        }
        let long = format!(r#"{{"msgtype":"{}","a":1}}"#, "x".repeat(10_000));
        assert!(Said::read(long.as_bytes()).unwrap().line().len() < 100);
    }

    #[test]
    fn what_wecom_would_refuse_outright_is_told_apart() {
        for (body, wrong) in [
            ("x", Wrong::NotJson),
            ("[]", Wrong::NotJson),
            ("{}", Wrong::NoType),
            (r#"{"msgtype":7}"#, Wrong::NoType),
            (r#"{"msgtype":"text"}"#, Wrong::Empty),
            (r#"{"msgtype":"markdown","markdown":{"content":" \n"}}"#, Wrong::Empty),
        ] {
            assert_eq!(Said::read(body.as_bytes()).unwrap_err(), wrong, "{body}");
        }
    }
}
