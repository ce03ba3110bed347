//! Discord's webhooks.

use axum::http::StatusCode;
use serde_json::json;

use super::{Answer, Asked, Calls, Get, Outcome, PLAIN, Service, iso, json as as_json, slack, text};

pub(super) const DISCORD: Service = Service {
    paths: &["/api/webhooks/{id}/{token}", "/api/webhooks/{id}/{token}/{form}"],
    get: Get::Looks(|asked| {
        let body = json!({
            "id": id(asked), "type": 1, "name": "wegraf", "avatar": null, "channel_id": "0", "guild_id": "0",
            "application_id": null, "token": asked.path.get(1),
        });
        as_json(StatusCode::OK, body.to_string())
    }),
    tokens: |asked| asked.path.get(1).cloned().into_iter().collect(),
    calls: |asked| Calls { everybody: slack::calls_all(&asked.tree), ..Calls::default() },
    reads: slack::undressed,
    answers: |asked, outcome| {
        let (status, code, message) = match outcome {
            _ if asked.path.get(2).is_some_and(|form| form == "slack") => return slack::answer(outcome),
            Outcome::Taken(number) if asked.queried("wait").is_some_and(|wait| wait.eq_ignore_ascii_case("true")) => {
                return posted(asked, number);
            }
            Outcome::Taken(_) => return text(StatusCode::NO_CONTENT, ""),
            Outcome::Unknown | Outcome::Unsigned => (StatusCode::UNAUTHORIZED, 50027, "Invalid Webhook Token"),
            Outcome::Empty => (StatusCode::BAD_REQUEST, 50006, "Cannot send an empty message"),
            Outcome::Busy => (StatusCode::SERVICE_UNAVAILABLE, 0, "503: Service Unavailable"),
            Outcome::Refused => (StatusCode::BAD_REQUEST, 50109, "The request body contains invalid JSON."),
        };
        as_json(status, format!(r#"{{"message":"{message}","code":{code}}}"#))
    },
    ..PLAIN
};

fn id(asked: &Asked) -> &str {
    asked.path.first().map_or("0", String::as_str)
}

/// The answer with the message, for `?wait=true`.
fn posted(asked: &Asked, number: i64) -> Answer {
    let body = json!({
        "id": number.to_string(), "type": 0, "content": asked.tree["content"].as_str().unwrap_or_default(),
        "channel_id": "0", "webhook_id": id(asked), "author": { "bot": true, "id": id(asked), "username": "wegraf" },
        "attachments": [], "embeds": [], "mentions": [], "mention_roles": [], "components": [], "pinned": false,
        "mention_everyone": false, "tts": false, "timestamp": iso(asked.now), "edited_timestamp": null, "flags": 0,
    });
    as_json(StatusCode::OK, body.to_string())
}
