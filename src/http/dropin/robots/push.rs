//! Push services whose bodies have a title, a text and a level of their own: Server酱, `PushPlus`, Bark, Gotify. Their
//! bodies are rewritten with plain names: title, text, level, url.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::asked::object;
use super::{Asked, Get, Outcome, PLAIN, Service, iso, json as as_json};

/// `/KEY.send`, in old clients below `/send`; the old names of title and text are `text` and `desp`.
pub(super) const SERVERCHAN: Service = Service {
    paths: &["/{key}", "/send/{key}"],
    fits: |asked| sendkey(asked).is_some(),
    get: Get::Says,
    tokens: |asked| sendkey(asked).into_iter().collect(),
    reads: |asked| {
        let title = asked.said(&["title", "text"])?;
        Some(object([("title", Some(title)), ("text", asked.said(&["desp"])), ("summary", asked.said(&["short"]))]))
    },
    answers: |_, outcome| {
        let (status, code, message) = match outcome {
            Outcome::Taken(number) => {
                let data = json!({ "pushid": number.to_string(), "readkey": "", "error": "SUCCESS", "errno": 0 });
                return as_json(StatusCode::OK, json!({ "code": 0, "message": "", "data": data }).to_string());
            }
            Outcome::Unknown | Outcome::Unsigned => (StatusCode::BAD_REQUEST, 40001, "[AUTH]用户不存在或者权限不足"),
            Outcome::Empty => (StatusCode::BAD_REQUEST, 40001, "[INPUT]消息标题不能为空"),
            Outcome::Busy => (StatusCode::SERVICE_UNAVAILABLE, 50000, "系统繁忙，请稍后再试"),
            Outcome::Refused => (StatusCode::BAD_REQUEST, 40001, "[INPUT]参数错误"),
        };
        as_json(status, json!({ "code": code, "message": message, "info": message }).to_string())
    },
    ..PLAIN
};

fn sendkey(asked: &Asked) -> Option<String> {
    asked.path.last()?.strip_suffix(".send").filter(|key| !key.is_empty()).map(str::to_owned)
}

/// The token is in the query or the body; a topic names a receiver if the token leads to the routes.
pub(super) const PUSHPLUS: Service = Service {
    paths: &["/send"],
    fits: |asked| asked.queried("key").is_none(),
    get: Get::Says,
    token_in_body: true,
    tokens: |asked| asked.said(&["token"]).into_iter().collect(),
    receiver: |asked| asked.said(&["topic"]),
    reads: |asked| {
        // With a template the content may be JSON, as a value or as text.
        let content = asked.tree.get("content").filter(|content| content.is_object() || content.is_array()).cloned();
        let content = content.or_else(|| asked.said(&["content"]).map(Value::String))?;
        let mut said = object([("title", asked.said(&["title"]))]);
        said["text"] = content;
        Some(said)
    },
    answers: |_, outcome| {
        let (status, code, msg, data) = match outcome {
            Outcome::Taken(number) => (StatusCode::OK, 200, "请求成功", Value::String(number.to_string())),
            Outcome::Unknown | Outcome::Unsigned => (StatusCode::OK, 907, "用户token不存在", Value::Null),
            Outcome::Busy => (StatusCode::SERVICE_UNAVAILABLE, 900, "系统异常，请稍后再试", Value::Null),
            Outcome::Empty | Outcome::Refused => (StatusCode::OK, 905, "请求参数异常", Value::Null),
        };
        as_json(status, json!({ "code": code, "msg": msg, "data": data }).to_string())
    },
    ..PLAIN
};

/// `/push` with the key in the body, or `/KEY/[title/[subtitle/]]body`; of several keys, all are told or none.
pub(super) const BARK: Service = Service {
    paths: &["/push", "/bark/push", "/bark/{key}", "/bark/{key}/{*words}"],
    get: Get::Says,
    token_in_body: true,
    every: true,
    tokens: |asked| {
        if let Some(key) = asked.path.first() {
            return vec![key.clone()];
        }
        let list = asked.tree["device_keys"].as_array().into_iter().flatten();
        let listed = list.filter_map(|key| key.as_str().map(str::to_owned));
        asked.said(&["device_key"]).into_iter().chain(listed).collect()
    },
    reads: |asked| {
        let words: Vec<&String> = asked.path.iter().skip(1).filter(|word| !word.is_empty()).collect();
        let (title, subtitle, body) = match words.as_slice() {
            [] => (None, None, None),
            [body] => (None, None, Some(*body)),
            [title, body] => (Some(*title), None, Some(*body)),
            [title, subtitle, body, ..] => (Some(*title), Some(*subtitle), Some(*body)),
        };
        let or = |word: Option<&String>, names: &[&str]| word.cloned().or_else(|| asked.said(names));
        let (title, subtitle) = (or(title, &["title"]), or(subtitle, &["subtitle"]));
        let body = or(body, &["body", "markdown", "content", "message"]);
        let lines: Vec<String> = [subtitle, body].into_iter().flatten().collect();
        if title.is_none() && lines.is_empty() {
            return None;
        }
        let level = asked.said(&["level"]).filter(|level| level == "critical");
        Some(object([
            ("title", title),
            ("text", (!lines.is_empty()).then(|| lines.join("\n"))),
            ("level", level),
            ("url", asked.said(&["url"])),
            ("image", asked.said(&["image"])),
            ("group", asked.said(&["group"])),
        ]))
    },
    answers: |asked, outcome| {
        let (status, message) = match outcome {
            Outcome::Taken(_) => (StatusCode::OK, "success"),
            Outcome::Unknown | Outcome::Unsigned => (StatusCode::BAD_REQUEST, "failed to get device token"),
            Outcome::Busy => (StatusCode::SERVICE_UNAVAILABLE, "push failed: try again"),
            Outcome::Empty | Outcome::Refused => (StatusCode::BAD_REQUEST, "request bind failed"),
        };
        let body = json!({ "code": status.as_u16(), "message": message, "timestamp": asked.now.0 / 1000 });
        as_json(status, body.to_string())
    },
    ..PLAIN
};

pub(super) const GOTIFY: Service = Service {
    paths: &["/message", "/gotify/message"],
    tokens: |asked| {
        let header = asked.header("x-gotify-key").map(str::to_owned);
        header.into_iter().chain(asked.authorization()).chain(asked.queried("token").map(str::to_owned)).collect()
    },
    reads: |asked| {
        let click = asked.tree.pointer("/extras/client::notification/click/url").and_then(Value::as_str);
        Some(object([
            ("title", asked.said(&["title"])),
            ("text", Some(asked.said(&["message"])?)),
            ("level", level(priority(asked)).map(str::to_owned)),
            ("url", click.map(str::to_owned)),
        ]))
    },
    answers: |asked, outcome| {
        let (status, error, description) = match outcome {
            Outcome::Taken(number) => {
                let body = json!({
                    "id": number, "appid": 1, "message": asked.said(&["message"]), "title": asked.said(&["title"]),
                    "priority": priority(asked), "date": iso(asked.now),
                });
                return as_json(StatusCode::OK, body.to_string());
            }
            Outcome::Unknown | Outcome::Unsigned => (
                StatusCode::UNAUTHORIZED,
                "Unauthorized",
                "you need to provide a valid access token or user credentials to access this api",
            ),
            Outcome::Busy => (StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable", "try again"),
            Outcome::Empty | Outcome::Refused => {
                (StatusCode::BAD_REQUEST, "Bad Request", "Field 'message' is required")
            }
        };
        let body = json!({ "error": error, "errorCode": status.as_u16(), "errorDescription": description });
        as_json(status, body.to_string())
    },
    ..PLAIN
};

fn priority(asked: &Asked) -> i64 {
    asked.said(&["priority"]).and_then(|priority| priority.parse().ok()).unwrap_or_default()
}

/// Gotify rings from 4 on, and without pause from 8 on.
fn level(priority: i64) -> Option<&'static str> {
    match priority {
        8.. => Some("critical"),
        4..=7 => Some("warning"),
        _ => None,
    }
}
