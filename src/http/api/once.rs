//! Requests that act: each counts once if it has a key, also after a process that ended before it answered.

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use http_body_util::{BodyExt as _, Limited};
use sha2::{Digest as _, Sha256};

use super::super::{BODY_DEADLINE, Gate};
use super::caller::Caller;
use super::problem::{Wrong, refused};
use super::words;
use crate::alert::Timestamp;
use crate::store::{Asked, Hash};

/// An act has a few fields.
const BODY_BYTES: usize = 16 * 1024;

/// A request that acts, and counts once if it has a key.
pub(super) struct Once {
    /// The body.
    pub body: Vec<u8>,
    key: Option<String>,
    /// When the same was asked of a process that ended before it answered.
    pub before: Option<Timestamp>,
}

impl Once {
    /// Reads the body and looks whether the key was used; the error is the answer.
    pub async fn begin(gate: &Gate, caller: &Caller, parts: &Parts, body: Body) -> Result<Self, Response> {
        Self::asked(gate, caller, parts, body).await.map_err(|ended| match ended {
            Ended::Wrong(wrong) => {
                if let Wrong::Store(error) = &wrong {
                    gate.server.fuse.failed(error);
                }
                wrong.answer(&caller.path, caller.language)
            }
            Ended::Answered(status, body) => {
                let mut answer = answered(status, body);
                let name = HeaderName::from_static("idempotency-replayed");
                answer.headers_mut().insert(name, HeaderValue::from_static("true"));
                answer
            }
        })
    }

    async fn asked(gate: &Gate, caller: &Caller, parts: &Parts, body: Body) -> Result<Self, Ended> {
        caller.params(&[])?;
        let read = tokio::time::timeout(BODY_DEADLINE, Limited::new(body, BODY_BYTES).collect()).await;
        let Ok(Ok(body)) = read else { return Err(Wrong::Body(super::super::words::TOO_LARGE).into()) };
        let body = body.to_bytes().to_vec();
        let Some(key) = parts.headers.get("idempotency-key") else {
            return Ok(Self { body, key: None, before: None });
        };
        let key = key.to_str().ok().filter(|key| is_key(key)).ok_or(Wrong::Body(words::KEY_ODD))?.to_owned();
        let mut digest = Sha256::new();
        // Two methods on one address are two questions.
        if parts.method != Method::POST {
            digest.update(format!("{} ", parts.method));
        }
        digest.update(format!("{}\n", caller.path));
        digest.update(&body);
        let hash: Hash = digest.finalize().into();
        let now = gate.server.clock.now();
        match gate.server.store.ask_once(&caller.token.name, &key, hash, now).await.map_err(Wrong::from)? {
            Asked::New { before } => Ok(Self { body, key: Some(key), before }),
            Asked::Running => {
                let (title, detail) = (words::KEY_RUNNING, words::KEY_RUNNING_DETAIL);
                Err(Wrong::Conflict("running", title, detail).into())
            }
            Asked::Other => Err(Wrong::Key.into()),
            Asked::Answered { status, answer } => Err(Ended::Answered(status, answer)),
        }
    }

    /// The name of what is done, the same whenever it is asked with this key.
    pub fn event(&self, caller: &Caller, what: &str) -> String {
        let name = caller.name();
        match &self.key {
            Some(key) => format!("{name}/{key}"),
            None => format!("{name}/{what}/{:032x}", rand::random::<u128>()),
        }
    }

    /// Answers, and records the answer for the next request with the key. What may pass by itself is not recorded.
    pub async fn answer(self, gate: &Gate, caller: &Caller, done: Result<(StatusCode, String), Wrong>) -> Response {
        let passes = matches!(done, Err(Wrong::Store(_) | Wrong::Failed(_)));
        let (answer, record) = match &done {
            Ok((status, body)) => (answered(status.as_u16(), body.clone()), (status.as_u16(), body.clone())),
            Err(wrong) => {
                if let Wrong::Store(error) = wrong {
                    gate.server.fuse.failed(error);
                }
                let problem = wrong.problem(&caller.path, caller.language);
                let body = serde_json::to_string(&problem).expect("a problem is JSON");
                (wrong.answer(&caller.path, caller.language), (problem.status, body))
            }
        };
        if let Some(key) = &self.key {
            let record = (!passes).then_some(record);
            if let Err(error) = gate.server.store.answer_once(&caller.token.name, key, record).await {
                tracing::warn!(%error, "The answer to a request with a key could not be kept; asked again, it is done again.");
            }
        }
        answer
    }
}

/// Why a request is not done.
enum Ended {
    Wrong(Wrong),
    /// It was done before.
    Answered(u16, String),
}

impl<W: Into<Wrong>> From<W> for Ended {
    fn from(wrong: W) -> Self {
        Self::Wrong(wrong.into())
    }
}

fn is_key(key: &str) -> bool {
    (1..=64).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

fn answered(status: u16, body: String) -> Response {
    if status >= 400 {
        return refused(status, body);
    }
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let mut answer = (status, body).into_response();
    let set = answer.headers_mut();
    set.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    set.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
