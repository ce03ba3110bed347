//! What a program is told when it does not get what it asked for: RFC 9457.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::super::refusal::Cause;
use super::query::Bad;
use super::words;
use crate::store::StoreError;
use crate::words::{Language, Words};

/// An error: `code` never changes, the other texts are for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Problem {
    /// `tag:wegraf,2026:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// What is wrong, in a few words.
    pub title: String,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    pub status: u16,
    /// What is wrong with this request.
    pub detail: String,
    /// A word of a closed set.
    pub code: &'static str,
    /// What to do about it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub remedy: String,
    /// The path that was asked for.
    pub instance: String,
}

/// Why a request is refused, before it is worded.
#[derive(Debug, Clone)]
pub(super) enum Wrong {
    /// No valid token; was one tried?
    Token {
        /// It has the form of one and is none.
        tried: bool,
    },
    /// The token may not.
    Forbidden(Words),
    /// There is no such thing, or the token may not see it.
    NotFound,
    /// Too many requests.
    TooFast,
    /// Too many streams of the token, or in all.
    TooManyStreams,
    /// The query is wrong.
    Query(Bad),
    /// The body, or a header, is wrong.
    Body(Words),
    /// It cannot be done now.
    Conflict(&'static str, Words, Words),
    /// What is to be changed is another one by now.
    Stale,
    /// It does not say what it changes.
    Unconditional,
    /// What is to be saved is wrong.
    Invalid(Words),
    /// The same key was used for something else.
    Key,
    /// Something upstream failed.
    Failed(Words),
    /// The store.
    Store(StoreError),
}

impl From<StoreError> for Wrong {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Bad> for Wrong {
    fn from(bad: Bad) -> Self {
        Self::Query(bad)
    }
}

impl Wrong {
    fn code(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Token { .. } => (StatusCode::UNAUTHORIZED, "token"),
            Self::Forbidden(_) => (StatusCode::FORBIDDEN, "scope"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found"),
            Self::TooFast => (StatusCode::TOO_MANY_REQUESTS, "too_fast"),
            Self::TooManyStreams => (StatusCode::TOO_MANY_REQUESTS, "too_many_streams"),
            Self::Query(_) => (StatusCode::BAD_REQUEST, "query"),
            Self::Body(_) => (StatusCode::BAD_REQUEST, "body"),
            Self::Conflict(code, ..) => (StatusCode::CONFLICT, code),
            Self::Stale => (StatusCode::PRECONDITION_FAILED, "stale"),
            Self::Unconditional => (StatusCode::PRECONDITION_REQUIRED, "unconditional"),
            Self::Invalid(_) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid"),
            Self::Key => (StatusCode::UNPROCESSABLE_ENTITY, "key"),
            Self::Failed(_) => (StatusCode::BAD_GATEWAY, "failed"),
            Self::Store(StoreError::TooSlow) => (StatusCode::SERVICE_UNAVAILABLE, "too_slow"),
            Self::Store(_) => (StatusCode::SERVICE_UNAVAILABLE, "store"),
        }
    }

    /// Title, detail and remedy.
    fn said(&self) -> [Words; 3] {
        let none = Words::default;
        match self {
            Self::Token { .. } => [words::NO_TOKEN, words::NO_TOKEN_DETAIL, words::NO_TOKEN_REMEDY],
            Self::Forbidden(why) => [words::FORBIDDEN, why.clone(), none()],
            Self::NotFound => [words::NOT_FOUND, words::NOT_FOUND_DETAIL, none()],
            Self::TooFast => [words::TOO_FAST, words::TOO_FAST_DETAIL, none()],
            Self::TooManyStreams => [words::TOO_FAST, words::TOO_MANY_STREAMS, none()],
            Self::Query(bad) => [words::BAD_QUERY, words::bad(bad), none()],
            Self::Body(why) => [words::BAD_BODY, why.clone(), none()],
            Self::Conflict(_, title, detail) => [title.clone(), detail.clone(), none()],
            Self::Stale => [words::STALE, words::STALE_DETAIL, none()],
            Self::Unconditional => [words::UNCONDITIONAL, words::UNCONDITIONAL_DETAIL, none()],
            Self::Invalid(why) => [words::INVALID, why.clone(), none()],
            Self::Key => [words::KEY_OTHER, words::KEY_OTHER_DETAIL, none()],
            Self::Failed(why) => [words::NOT_DONE, why.clone(), none()],
            Self::Store(error @ StoreError::TooSlow) => {
                [words::TOO_SLOW, error.to_string().split_once(" / ").map_or_else(none, own), words::TOO_SLOW_REMEDY]
            }
            Self::Store(_) => [words::NOT_READ, words::NOT_READ_DETAIL, none()],
        }
    }

    /// As it is answered.
    pub fn problem(&self, path: &str, language: Language) -> Problem {
        let (status, code) = self.code();
        let [title, detail, remedy] = self.said().map(|words| words.get(language).to_owned());
        let kind = format!("tag:wegraf,2026:{code}");
        Problem { kind, title, status: status.as_u16(), detail, code, remedy, instance: path.to_owned() }
    }

    /// The answer.
    pub fn answer(&self, path: &str, language: Language) -> Response {
        let problem = self.problem(path, language);
        let body = serde_json::to_string(&problem).expect("a problem is JSON");
        let cause = match self {
            Self::Token { tried: true } => Cause::guess("token", "bearer"),
            Self::Token { tried: false } => Cause::new("missing"),
            Self::Store(error) => Cause::new("store").detail(error.to_string()),
            // Answers, and no refusals.
            Self::Conflict(..) | Self::Key | Self::Stale | Self::Unconditional | Self::Invalid(_) => {
                return refused(problem.status, body);
            }
            _ => Cause::new(Cause::QUESTION).detail(format!("{}: {}", problem.code, problem.detail)),
        };
        cause.attach(refused(problem.status, body))
    }
}

fn own((zh, en): (&str, &str)) -> Words {
    (zh.to_owned(), en.to_owned()).into()
}

/// A problem that was worded before.
pub(super) fn refused(status: u16, body: String) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = (status, body).into_response();
    let set = answer.headers_mut();
    set.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    set.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    match status {
        StatusCode::UNAUTHORIZED => drop(set.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))),
        StatusCode::TOO_MANY_REQUESTS => drop(set.insert(header::RETRY_AFTER, HeaderValue::from_static("1"))),
        StatusCode::SERVICE_UNAVAILABLE => drop(set.insert(header::RETRY_AFTER, HeaderValue::from_static("5"))),
        _ => {}
    }
    answer
}
