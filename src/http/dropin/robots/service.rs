//! What a service is: where it is, how a call to it proves itself, what is read, what its client is told.

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

/// A set of addresses that one program has, and how a call to them is taken.
pub(super) struct Service {
    /// The addresses, as the router writes them.
    pub paths: &'static [&'static str],
    /// Is such a call meant for it, where several programs share an address?
    pub fits: fn(&Asked) -> bool,
    /// What a GET is.
    pub get: Get,
    /// The tokens that a call shows: in its head, and in its body once that was read.
    pub tokens: fn(&Asked) -> Vec<String>,
    /// Without one in its head, its body is read for one.
    pub token_in_body: bool,
    /// All of them must be known, and all that they mean are told, at once; else the first known one decides.
    pub every: bool,
    /// Without any, the source proves itself as anywhere.
    pub proven_without: bool,
    /// What must have signed besides.
    pub signed: Option<Signed>,
    /// Whom the call mentions.
    pub calls: fn(&Asked) -> Calls,
    /// The members of an app whom the call is for, instead of those whom the token means.
    pub members: fn(&Asked) -> Option<Members>,
    /// The receiver that the call names; it counts where the token means the routes.
    pub receiver: fn(&Asked) -> Option<String>,
    /// What is read instead of the body; `None`: the body.
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

/// What a GET to an address is.
#[derive(Clone, Copy)]
pub(super) enum Get {
    /// Nothing.
    Never,
    /// A call like any other.
    Says,
    /// A look at the address, with this answer for who knows a token.
    Looks(fn(&Asked) -> Answer),
}

/// What decides besides the token: the secret that must have signed, the request, its body, the time in milliseconds.
pub(super) type Signed = fn(&SecretString, &Parts, &Value, i64) -> bool;

/// Whom a call mentions.
#[derive(Debug, Default)]
pub(super) struct Calls {
    pub users: Vec<String>,
    pub mobiles: Vec<String>,
    pub everybody: bool,
}

impl Calls {
    /// Everybody is called only by leave. Ids of other chats' users do not exist in WeCom; mobile numbers are the same.
    pub fn by_leave(self, everybody: bool) -> Called {
        let all = (self.everybody && everybody).then(|| Called::EVERYBODY.to_owned());
        Called::new(self.users.into_iter().chain(all), self.mobiles)
    }
}

/// Members of an app whom a call names, and the corpid and agentid of the app if it names one.
pub(super) struct Members {
    pub to: Recipients,
    pub account: Option<(String, i64)>,
}

/// What became of a call, as far as answers differ.
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

/// A time as clients read it.
pub(super) fn iso(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.0).unwrap_or_default().to_string()
}
