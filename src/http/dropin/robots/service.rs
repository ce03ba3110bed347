//! The description of a service: its paths, its credential, how its body is read, and its answers.

use axum::http::{HeaderValue, StatusCode, header, request::Parts};
use axum::response::{IntoResponse as _, Response};
use secrecy::SecretString;
use serde_json::Value;
use wecom::Recipients;

use super::asked::Asked;
use crate::alert::Timestamp;
use crate::http::dropin::unknown_token;
use crate::http::refusal::{Cause, Refusal, with_headers};
use crate::intake::{Called, Refused};

/// The addresses of one program, and how calls to them are handled.
pub(super) struct Service {
    /// The paths, in the router's syntax.
    pub paths: &'static [&'static str],
    /// Is a call meant for this service, if several services share a path?
    pub fits: fn(&Asked) -> bool,
    /// What a GET is.
    pub get: Get,
    /// The tokens of a call: in its head, and in its body after that was read.
    pub tokens: fn(&Asked) -> Vec<String>,
    /// If the head has no token, the body is read for one.
    pub token_in_body: bool,
    /// All tokens must be known, and all their targets are told; otherwise the first known token decides.
    pub every: bool,
    /// Without a token, the source's ordinary credential counts.
    pub proven_without: bool,
    /// The secret that must have signed in addition.
    pub signed: Option<Signed>,
    /// The people whom the call mentions.
    pub calls: fn(&Asked) -> Calls,
    /// Members of an app that the call names; they replace the targets of the token.
    pub members: fn(&Asked) -> Option<Members>,
    /// The receiver that the call names; used if the token leads to the routes.
    pub receiver: fn(&Asked) -> Option<String>,
    /// A replacement for the body before it is parsed; `None`: the body itself.
    pub reads: fn(&Asked) -> Option<Value>,
    pub answers: fn(&Asked, Outcome) -> Answer,
}

/// What most of them are.
pub(super) const PLAIN: Service = Service {
    paths: &[],
    fits: |_| true,
    get: Get::Never,
    tokens: |_| Vec::new(),
    token_in_body: false,
    every: false,
    proven_without: false,
    signed: None,
    calls: |_| Calls { users: Vec::new(), mobiles: Vec::new(), everybody: false },
    members: |_| None,
    receiver: |_| None,
    reads: |_| None,
    answers: |_, _| text(StatusCode::OK, ""),
};

/// How a GET is handled.
#[derive(Clone, Copy)]
pub(super) enum Get {
    /// Nothing.
    Never,
    /// A call like any other.
    Says,
    /// A probe, answered with this text if the token is known.
    Looks(fn(&Asked) -> Answer),
}

/// The check in addition to the token: secret, request, body, time in milliseconds.
pub(super) type Signed = fn(&SecretString, &Parts, &Value, i64) -> bool;

/// The mentions of a call.
#[derive(Debug, Default)]
pub(super) struct Calls {
    pub users: Vec<String>,
    pub mobiles: Vec<String>,
    pub everybody: bool,
}

impl Calls {
    /// `@all` counts only with `mention_all`. Userids of other chats do not exist in WeCom; mobile numbers do.
    pub fn by_leave(self, everybody: bool) -> Called {
        let all = (self.everybody && everybody).then(|| Called::EVERYBODY.to_owned());
        Called::new(self.users.into_iter().chain(all), self.mobiles)
    }
}

/// Members of an app that a call names, and the corpid and agentid of the app if the call has them.
pub(super) struct Members {
    pub to: Recipients,
    pub account: Option<(String, i64)>,
}

/// The outcome of a call, as far as answers differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is stored under this number.
    Taken(i64),
    /// Its token is not known.
    Unknown,
    /// Its signature is missing, wrong or old.
    Unsigned,
    /// It cannot be taken now.
    Busy,
    /// There is nothing in it.
    Empty,
    /// It cannot be taken.
    Refused,
}

/// Why a call was not taken.
#[derive(Debug)]
pub(super) enum Trouble {
    /// No source has this token.
    Token(String),
    /// The signature is missing, wrong or old.
    Sign,
    /// Anything else.
    Refused(Refusal),
}

impl Trouble {
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Token(_) | Self::Refused(Refusal::Unproven(_) | Refusal::Intake(Refused::OutOfScope { .. })) => {
                Outcome::Unknown
            }
            Self::Sign => Outcome::Unsigned,
            Self::Refused(refusal) if refusal.said().0.is_server_error() => Outcome::Busy,
            Self::Refused(Refusal::Intake(Refused::Unreadable(_))) => Outcome::Empty,
            Self::Refused(_) => Outcome::Refused,
        }
    }

    pub fn cause(&self) -> Cause {
        match self {
            Self::Token(token) if token.is_empty() => Cause::new("missing"),
            Self::Token(token) => unknown_token(token),
            Self::Sign => Cause::guess("signature", "token"),
            Self::Refused(refusal) => refusal.cause(None),
        }
    }
}

/// What a client is told.
pub(super) struct Answer {
    pub status: StatusCode,
    pub kind: &'static str,
    pub body: String,
}

pub(super) fn json(status: StatusCode, body: impl Into<String>) -> Answer {
    Answer { status, kind: "application/json; charset=utf-8", body: body.into() }
}

pub(super) fn text(status: StatusCode, body: &str) -> Answer {
    Answer { status, kind: "text/plain; charset=utf-8", body: body.to_owned() }
}

impl Answer {
    pub fn response(self) -> Response {
        if self.body.is_empty() {
            return with_headers(self.status.into_response());
        }
        let kind = [(header::CONTENT_TYPE, HeaderValue::from_static(self.kind))];
        with_headers((self.status, kind, self.body).into_response())
    }
}

/// A time in the form that clients parse.
pub(super) fn iso(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.0).unwrap_or_default().to_string()
}
