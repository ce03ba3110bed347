//! Laws of the general reader over random bodies: nothing is lost, two different bodies never become one alert.

use super::*;
use crate::ingest::reader::{is_personal, is_secret};
use crate::plain::secrets::is_secret_address;

/// Bodies that each law is tried on. `cargo test --release -- --ignored properties` tries [`MANY`].
const SOME: u64 = 1_500;
const MANY: u64 = 100_000;

/// A small generator: the same seed gives the same body everywhere.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    fn text(&mut self) -> String {
        const WORDS: &[&str] = &[
            "磁盘将满",
            "db-1",
            "恢复",
            "CPU",
            "96%",
            "主机",
            "web-9",
            "order",
            "已用",
            "失败",
            "ok",
            "{HOST.NAME}",
            "a < b",
            "<br>",
            "**重**",
            "https://a.example.com/x",
            "状态: 恢复",
            "level: high",
            "🔥",
            "\"引号\"",
            "[P1]",
            "：",
            "，",
            "x&amp;y",
        ];
        let count = 1 + self.below(5);
        let words: Vec<&str> = (0..count).map(|_| self.pick(WORDS)).collect();
        format!("{} {}", words.join(if self.below(6) == 0 { "\n" } else { " " }), self.next() % 1000)
    }

    fn name(&mut self) -> &'static str {
        const NAMES: &[&str] = &[
            "title",
            "message",
            "status",
            "severity",
            "host",
            "labels",
            "tags",
            "content",
            "detail",
            "alert",
            "data",
            "event",
            "url",
            "user",
            "project",
            "metadata",
            "count",
            "value",
            "desp",
            "名称",
            "内容",
            "等级",
            "password",
            "api_token",
            "email",
            "commit",
            "links",
            "config",
            "trigger",
            "kind",
            "type",
            "action",
            "builds",
            "fields",
            "region",
            "owner",
            "reason",
        ];
        self.pick(NAMES)
    }

    fn value(&mut self, depth: usize) -> Json {
        match self.below(if depth > 3 { 6 } else { 10 }) {
            0..=3 => Json::String(self.text()),
            4 => json!(self.next() % 10_000),
            5 => match self.below(3) {
                0 => Json::Null,
                1 => json!(true),
                _ => Json::String(String::new()),
            },
            6 => Json::String(self.object(depth + 1).to_string()),
            7 => (0..self.below(3)).map(|_| self.value(depth + 1)).collect(),
            _ => self.object(depth + 1),
        }
    }

    fn object(&mut self, depth: usize) -> Json {
        let count = 1 + self.below(6);
        let members: serde_json::Map<String, Json> =
            (0..count).map(|_| (self.name().to_owned(), self.value(depth))).collect();
        Json::Object(members)
    }
}

/// Every text leaf of a tree, also inside of texts that are trees.
fn texts(value: &Json, path: &mut Vec<String>, found: &mut Vec<(Vec<String>, String)>) {
    match value {
        Json::String(text) => match serde_json::from_str::<Json>(text) {
            Ok(inner @ Json::Object(_)) if inner.as_object().is_some_and(|inner| !inner.is_empty()) => {
                texts(&inner, path, found);
            }
            _ if text.trim().is_empty() => {}
            _ => found.push((path.clone(), text.clone())),
        },
        Json::Array(items) => items.iter().for_each(|item| texts(item, path, found)),
        Json::Object(members) => {
            for (name, value) in members {
                path.push(name.clone());
                texts(value, path, found);
                path.pop();
            }
        }
        _ => {}
    }
}

fn nothing_is_lost(seeds: std::ops::Range<u64>) {
    for seed in seeds {
        let body = Dice(seed).object(0);
        let bytes = body.to_string();
        let notification = read(bytes.as_bytes(), None, Door::Webhook, &SHIPPED, NOW).unwrap();
        let listed = listed(notification.format, bytes.as_bytes(), None);
        let page: Vec<&str> = listed.fields.iter().map(|field| field.value.as_str()).collect();
        let mut leaves = Vec::new();
        texts(&body, &mut Vec::new(), &mut leaves);
        for (path, text) in leaves {
            let is_secret = is_secret(&path)
                || is_secret_address(&text)
                || is_personal(path.last().map_or("", String::as_str), &text);
            let is_shown = page.iter().any(|value| value.contains(text.trim()))
                || notification.message.contains(text.trim())
                || notification.alerts.iter().any(|alert| alert.name.contains(text.trim()));
            // A body with only a token shows it, so that a person can copy it.
            let alone = listed.fields.len() == 1 && is_shown;
            assert!(
                if is_secret { listed.hidden > 0 || alone } else { is_shown },
                "seed {seed}: {path:?} {text:?}\n{bytes}\n{page:?}"
            );
        }
    }
}

/// Bodies without a key of their own that differ in one text are two alerts.
fn what_differs_is_another_alert(seeds: std::ops::Range<u64>) {
    for seed in seeds {
        let body = Dice(seed).object(0);
        let mut leaves = Vec::new();
        texts(&body, &mut Vec::new(), &mut leaves);
        let readable: Vec<&(Vec<String>, String)> = leaves.iter().filter(|(path, _)| !is_secret(path)).collect();
        if readable.is_empty() {
            continue;
        }
        let (path, text) = readable[Dice(seed ^ 0xABCD).below(readable.len())];
        let before = body.to_string();
        let other = changed(&body, path, text);
        let after = other.to_string();
        let identities = |body: &str| -> Vec<_> {
            let notification = read(body.as_bytes(), None, Door::Webhook, &SHIPPED, NOW).unwrap();
            notification.alerts.iter().map(|alert| alert.identity(&source())).collect()
        };
        assert_ne!(identities(&before), identities(&after), "seed {seed}: {path:?} {text:?}\n{before}\n{after}");
    }
}

/// The tree with the text at `path` changed in one letter.
fn changed(value: &Json, path: &[String], text: &str) -> Json {
    match value {
        Json::String(found) if found == text && path.is_empty() => Json::String(format!("{found}甲")),
        Json::String(found) => match serde_json::from_str::<Json>(found) {
            Ok(inner @ Json::Object(_)) => Json::String(changed(&inner, path, text).to_string()),
            _ => value.clone(),
        },
        Json::Array(items) => items.iter().map(|item| changed(item, path, text)).collect(),
        Json::Object(members) => members
            .iter()
            .map(|(name, member)| match path.split_first() {
                Some((first, rest)) if first == name => (name.clone(), changed(member, rest, text)),
                _ => (name.clone(), member.clone()),
            })
            .collect::<serde_json::Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}

#[test]
fn every_text_of_a_body_is_shown_or_hidden_on_purpose() {
    nothing_is_lost(0..SOME);
}

#[test]
fn bodies_that_differ_in_words_are_never_silently_one() {
    what_differs_is_another_alert(0..SOME);
}

#[test]
#[ignore = "takes minutes"]
fn both_laws_over_many_bodies() {
    nothing_is_lost(0..MANY);
    what_differs_is_another_alert(0..MANY);
}

#[test]
fn a_large_unknown_body_is_read_soon() {
    let item = json!({ "name": "磁盘", "value": "x".repeat(280), "deep": { "a": [1, 2, 3], "b": "文字" } });
    let body = json!({ "title": "大正文", "rows": vec![item; 30_000] }).to_string();
    assert!(body.len() > 8 << 20);
    let notification = read(body.as_bytes(), None, Door::Webhook, &SHIPPED, NOW).unwrap();
    assert_eq!(notification.alerts[0].name, "大正文");
    assert!(notification.message.len() < 4096, "a message is bounded: {}", notification.message.len());
    assert!(listed(Format::Generic, body.as_bytes(), None).more);
}
