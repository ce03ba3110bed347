//! Slack, and programs with its format: Mattermost, Rocket.Chat, and Discord's `/slack`.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{Answer, Asked, Calls, Outcome, PLAIN, Service, json as as_json, text};

/// Members about the look or place of a message, not about its content.
const DRESS: [&str; 20] = [
    "username",
    "user",
    "icon_url",
    "icon_emoji",
    "avatar",
    "avatar_url",
    "alias",
    "emoji",
    "channel",
    "roomId",
    "mrkdwn",
    "link_names",
    "unfurl_links",
    "unfurl_media",
    "parse",
    "tts",
    "allowed_mentions",
    "flags",
    "response_type",
    "wait",
];
/// Marks that mention all members, or all who are present.
const EVERYBODY: [&str; 8] =
    ["<!channel>", "<!here>", "<!everyone>", "@channel", "@here", "@all", "@everyone", "<!channel|"];

/// Clients take any text but `ok` for a failure.
pub(super) const SLACK: Service = Service {
    paths: &["/services/{*token}", "/slack/{*token}"],
    tokens: last,
    calls: |asked| Calls { everybody: calls_all(&asked.tree), ..Calls::default() },
    reads: undressed,
    answers: |_, outcome| answer(outcome),
    ..PLAIN
};

pub(super) fn answer(outcome: Outcome) -> Answer {
    match outcome {
        Outcome::Taken(_) => text(StatusCode::OK, "ok"),
        Outcome::Unknown | Outcome::Unsigned => text(StatusCode::FORBIDDEN, "invalid_token"),
        Outcome::Empty => text(StatusCode::BAD_REQUEST, "no_text"),
        Outcome::Busy => text(StatusCode::SERVICE_UNAVAILABLE, "rollup_error"),
        Outcome::Refused => text(StatusCode::BAD_REQUEST, "invalid_payload"),
    }
}

pub(super) const MATTERMOST: Service = Service {
    paths: &["/hooks/{*token}"],
    fits: |asked| asked.path.len() == 1,
    tokens: last,
    calls: SLACK.calls,
    reads: |asked| {
        // Mattermost shows `props.card` beside a post; it is part of the content.
        let card = asked.tree.pointer("/props/card").and_then(Value::as_str).filter(|card| !card.trim().is_empty());
        let Some(card) = card else { return undressed(asked) };
        let mut tree = asked.tree.clone();
        let said = asked.tree["text"].as_str().unwrap_or_default();
        tree["text"] = format!("{said}\n{card}").trim().into();
        tree.as_object_mut().map(|object| object.remove("props"));
        Some(bare(tree))
    },
    answers: |_, outcome| {
        let (status, id, message) = match outcome {
            Outcome::Taken(_) => return text(StatusCode::OK, "ok"),
            Outcome::Unknown | Outcome::Unsigned => (400, "web.incoming_webhook.invalid.app_error", "Invalid webhook."),
            Outcome::Empty => (400, "web.incoming_webhook.text.app_error", "No text specified."),
            Outcome::Refused => (400, "web.incoming_webhook.parse.app_error", "Unable to parse incoming data."),
            Outcome::Busy => (503, "api.context.server_busy.app_error", "Server is busy, try again."),
        };
        let body = json!({
            "id": id, "message": message, "detailed_error": "", "request_id": "", "status_code": status,
        });
        as_json(StatusCode::from_u16(status).unwrap_or_default(), body.to_string())
    },
    ..PLAIN
};

pub(super) const ROCKETCHAT: Service = Service {
    paths: MATTERMOST.paths,
    fits: |asked| asked.path.len() == 2,
    tokens: last,
    calls: SLACK.calls,
    reads: undressed,
    answers: |_, outcome| {
        let (status, error) = match outcome {
            Outcome::Taken(_) => return as_json(StatusCode::OK, r#"{"success":true}"#),
            Outcome::Unknown | Outcome::Unsigned => {
                (StatusCode::NOT_FOUND, "Invalid integration id or token provided.")
            }
            Outcome::Busy => (StatusCode::SERVICE_UNAVAILABLE, "Service unavailable."),
            Outcome::Empty | Outcome::Refused => (StatusCode::BAD_REQUEST, "Invalid body."),
        };
        as_json(status, format!(r#"{{"success":false,"error":"{error}"}}"#))
    },
    ..PLAIN
};

/// The token is the last segment of the path.
pub(super) fn last(asked: &Asked) -> Vec<String> {
    asked.path.last().cloned().into_iter().collect()
}

/// The body without members about its look; `None` if there are none.
pub(super) fn undressed(asked: &Asked) -> Option<Value> {
    let dressed = asked.tree.as_object()?.keys().any(|name| DRESS.contains(&name.as_str()));
    dressed.then(|| bare(asked.tree.clone()))
}

fn bare(mut tree: Value) -> Value {
    if let Some(object) = tree.as_object_mut() {
        object.retain(|name, _| !DRESS.contains(&name.as_str()));
    }
    tree
}

/// Does any text in it mention all members?
pub(super) fn calls_all(tree: &Value) -> bool {
    match tree {
        Value::String(text) => EVERYBODY.iter().any(|mark| {
            let ends =
                |rest: &str| !rest.starts_with(|next: char| next.is_ascii_alphanumeric() || ".-_".contains(next));
            // A mail address also contains an @.
            let starts = |before: &str| !before.ends_with(|letter: char| letter.is_ascii_alphanumeric());
            text.match_indices(mark).any(|(at, mark)| starts(&text[..at]) && ends(&text[at + mark.len()..]))
        }),
        Value::Array(items) => items.iter().any(calls_all),
        Value::Object(members) => members.values().any(calls_all),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_separate_mark_mentions_all() {
        for said in ["<!here> disk", "disk @channel", "@all: disk", "@everyone"] {
            assert!(calls_all(&json!({ "text": said })), "{said}");
        }
        for said in ["mail ops@all.example", "@allison", "here", "a@here"] {
            assert!(!calls_all(&json!({ "text": said })), "{said}");
        }
    }
}
