//! Addresses of other programs: a sender that speaks to one of them points its URL here and is answered as that program
//! would answer.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde_json::json;

use super::intake::Taken;
use super::refusal::{Refusal, with_headers};

/// In whose words a call is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// Our own.
    Ours,
    /// Alertmanager's `/api/v2`: an empty 200, errors as `{code, message}`.
    AlertmanagerV2,
    /// Alertmanager's `/api/v1`, which it had up to 0.26.
    AlertmanagerV1,
}

impl Style {
    /// The answer to a call that is stored.
    pub fn taken(self, taken: Taken) -> Response {
        if self == Self::Ours { Json(taken.answer).into_response() } else { self.done() }
    }

    /// Success, where nothing more is said.
    fn done(self) -> Response {
        match self {
            Self::Ours | Self::AlertmanagerV2 => StatusCode::OK.into_response(),
            Self::AlertmanagerV1 => Json(json!({ "status": "success" })).into_response(),
        }
    }

    /// The answer to a call that is not.
    pub fn refused(self, refusal: &Refusal) -> Response {
        let (status, text) = refusal.said();
        // Nothing to do is no failure to an Alertmanager.
        if self != Self::Ours && status.is_success() {
            return self.done();
        }
        let body = match (self, refusal) {
            (Self::Ours | Self::AlertmanagerV2, Refusal::Unreadable(reason)) => reason.answer(),
            (Self::Ours, _) => json!({ "error": text }),
            (Self::AlertmanagerV2, _) => json!({ "code": status.as_u16(), "message": text }),
            (Self::AlertmanagerV1, _) => {
                json!({ "status": "error", "errorType": error_type(status), "error": text })
            }
        };
        with_headers((status, Json(body)).into_response())
    }
}

/// Alertmanager's name for a class of errors.
fn error_type(status: StatusCode) -> &'static str {
    if status.is_server_error() { "server_error" } else { "bad_data" }
}
