//! Who asks: the token of a request, what it may do and see, and how often.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use jiff::tz::TimeZone;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::super::Gate;
use super::super::lobby::Seat;
use super::super::peer::Peer;
use super::problem::Wrong;
use super::query::{Bad, Params};
use super::shapes::Say;
use super::token::{Scope, is_whole};
use super::words;
use crate::answer::{Actor, Via};
use crate::config::Config;
use crate::console::language_of;
use crate::store::{ApiToken, Hash, hash};
use crate::words::Language;

/// Requests of a token in a second, and at once.
const RATE: f64 = 10.0;
const BURST: f64 = 50.0;
/// Tokens whose rate is known; there are fewer.
const KNOWN: usize = 1_000;

/// A program with a valid token.
#[derive(Debug)]
pub(super) struct Caller {
    pub token: ApiToken,
    /// Of its secret.
    pub hash: Hash,
    pub language: Language,
    pub zone: TimeZone,
    /// The path that was asked for.
    pub path: String,
    query: String,
    if_none_match: Option<String>,
    /// Where it asks from.
    pub address: String,
}

/// The language of a request's answers.
pub(super) fn language(config: &Config, parts: &Parts) -> Language {
    let accepted = parts.headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    accepted.and_then(language_of).unwrap_or(config.language)
}

impl Caller {
    /// The caller of a request, who needs the right to `need`; or the answer to another one.
    pub async fn of(gate: &Gate, parts: &Parts, need: Scope) -> Result<Self, Response> {
        let config = gate.server.setup.now().config.clone();
        let (language, path) = (language(&config, parts), parts.uri.path().to_owned());
        Self::proven(gate, parts, need, &config).await.map_err(|wrong| {
            if let Wrong::Store(error) = &wrong {
                gate.server.fuse.failed(error);
            }
            wrong.answer(&path, language)
        })
    }

    async fn proven(gate: &Gate, parts: &Parts, need: Scope, config: &Config) -> Result<Self, Wrong> {
        let given = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let given = given.and_then(|given| given.strip_prefix("Bearer "));
        let Some(secret) = given.map(str::trim) else { return Err(Wrong::Token { tried: false }) };
        if !is_whole(secret) {
            return Err(Wrong::Token { tried: true });
        }
        let hash = hash(secret);
        let found = gate.server.store.api_token(hash, gate.server.clock.now()).await?;
        let Some(token) = found else { return Err(Wrong::Token { tried: true }) };
        if let Some(seat) = parts.extensions.get::<Seat>() {
            seat.prove();
        }
        if !gate.rates.take(&token.name, Instant::now()) {
            return Err(Wrong::TooFast);
        }
        let text = |name: header::HeaderName| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let caller = Self {
            token,
            hash,
            language: language(config, parts),
            zone: config.timezone.clone(),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            if_none_match: text(header::IF_NONE_MATCH).map(str::to_owned),
            address: parts.extensions.get::<Peer>().map(|peer| peer.address().to_string()).unwrap_or_default(),
        };
        if caller.may(need) { Ok(caller) } else { Err(Wrong::Forbidden(words::needs(need.as_str()))) }
    }

    /// May the token do this?
    pub fn may(&self, scope: Scope) -> bool {
        self.token.scopes.split(' ').any(|word| word == scope.as_str())
    }

    /// Does the token concern this receiver?
    pub fn sees(&self, receiver: &str) -> bool {
        self.token.receivers.as_ref().is_none_or(|known| known.iter().any(|name| name == receiver))
    }

    /// The only receivers that the token concerns.
    pub fn receivers(&self) -> Option<Vec<String>> {
        self.token.receivers.clone()
    }

    /// Refuses a token with a list of receivers where something of all of them is shown.
    pub fn sees_all(&self) -> Result<(), Wrong> {
        if self.token.receivers.is_none() { Ok(()) } else { Err(Wrong::Forbidden(words::ALL_RECEIVERS)) }
    }

    /// How texts and times are said to it.
    pub fn say(&self) -> Say<'_> {
        Say { zone: &self.zone, language: self.language }
    }

    /// As acts are recorded.
    pub fn name(&self) -> String {
        format!("api/{}", self.token.name)
    }

    /// The caller as the one who acts.
    pub fn actor(&self) -> Actor {
        Actor { id: self.name(), via: Via::Api(self.token.name.clone()) }
    }

    /// The query, whose keys are `known`.
    pub fn params(&self, known: &[utoipa::openapi::path::Parameter]) -> Result<Params, Bad> {
        let known: Vec<String> = known.iter().map(|parameter| parameter.name.clone()).collect();
        Params::parse(&self.query, &known)
    }

    /// The answer: what was found, or why not. The same content has the same `ETag`, and is not sent twice.
    pub fn answer<T: Serialize>(&self, gate: &Gate, found: Result<T, Wrong>) -> Response {
        let body = match found {
            Ok(found) => serde_json::to_string(&found).expect("our shapes are JSON"),
            Err(wrong) => {
                if let Wrong::Store(error) = &wrong {
                    gate.server.fuse.failed(error);
                }
                return wrong.answer(&self.path, self.language);
            }
        };
        let digest = Sha256::digest(&body);
        let tag = digest[..12].iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        self.tagged(&tag, body, StatusCode::OK)
    }

    /// The answer with its own mark.
    pub fn tagged(&self, tag: &str, body: String, status: StatusCode) -> Response {
        let tag = format!("\"{tag}\"");
        let known = self.if_none_match.as_deref().unwrap_or_default();
        // What was made just now is not what the program has: `*` said that there was none.
        let same = status == StatusCode::OK
            && (known == "*" || known.split(',').any(|one| one.trim().trim_start_matches("W/") == tag));
        let mut answer = if same { StatusCode::NOT_MODIFIED.into_response() } else { (status, body).into_response() };
        let set = answer.headers_mut();
        set.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        set.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        set.insert(header::VARY, HeaderValue::from_static("Authorization, Accept-Language"));
        set.insert(header::ETAG, HeaderValue::try_from(tag).expect("digits are a header"));
        answer
    }
}

/// How often each token asks. In the memory of this process: with replicas each allows as much.
#[derive(Debug, Default)]
pub(in crate::http) struct Rates(Mutex<HashMap<String, Bucket>>);

/// Requests that may be made at once, as of a moment.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Bucket {
    fn at(self, now: Instant) -> f64 {
        (self.left + now.saturating_duration_since(self.at).as_secs_f64() * RATE).min(BURST)
    }
}

impl Rates {
    /// Takes a request of `token`; `false`: it is one too many.
    fn take(&self, token: &str, now: Instant) -> bool {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= KNOWN {
            buckets.clear();
        }
        let bucket = buckets.entry(token.to_owned()).or_insert(Bucket { left: BURST, at: now });
        let left = bucket.at(now);
        *bucket = Bucket { left: if left >= 1.0 { left - 1.0 } else { left }, at: now };
        left >= 1.0
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_token_asks_fifty_times_at_once_and_ten_times_a_second() {
        let (rates, begun) = (Rates::default(), Instant::now());
        let taken = |token: &str, seconds: f64| {
            let now = begun + Duration::from_secs_f64(seconds);
            (0..100).filter(|_| rates.take(token, now)).count()
        };
        assert_eq!(taken("a", 0.0), 50);
        assert_eq!(taken("b", 0.0), 50, "each by itself");
        assert_eq!(taken("a", 0.55), 5);
        assert_eq!(taken("a", 60.0), 50);
    }
}
