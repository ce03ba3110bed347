//! Microsoft Teams: connectors, which accept `MessageCard` bodies, and Workflows, which accept adaptive cards.

use axum::http::StatusCode;

use super::{Asked, Outcome, PLAIN, Service, json, text};

pub(super) const TEAMS: Service = Service {
    paths: &["/teams/{*token}", "/webhookb2/{*token}", "/workflows/{id}/triggers/manual/paths/invoke"],
    // A workflow's address ends in its signature. A connector's has two ids behind its token.
    tokens: |asked| asked.queries(&["sig"]).map(str::to_owned).chain(asked.path.iter().rev().cloned()).collect(),
    answers: |asked, outcome| {
        let (status, code, message) = match outcome {
            Outcome::Taken(_) if is_card(asked) => return text(StatusCode::OK, "1"),
            Outcome::Taken(_) => return text(StatusCode::ACCEPTED, ""),
            Outcome::Unknown | Outcome::Unsigned => {
                (StatusCode::UNAUTHORIZED, "DirectApiAuthorizationRequired", "The signature of the address is wrong.")
            }
            Outcome::Busy => (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", "Try again."),
            Outcome::Empty | Outcome::Refused => {
                (StatusCode::BAD_REQUEST, "InvalidRequestContent", "The body holds no message.")
            }
        };
        json(status, format!(r#"{{"error":{{"code":"{code}","message":"{message}"}}}}"#))
    },
    ..PLAIN
};

/// Is the body a `MessageCard` or a bare text, as connectors accept them?
fn is_card(asked: &Asked) -> bool {
    !asked.parts.uri.path().starts_with("/workflows/")
        && !matches!(asked.tree["type"].as_str(), Some("message" | "AdaptiveCard"))
}
