//! Orders of commands to the running gateway, because a SQLite file has one writer.
//!
//! A user who can read the database may order: the command signs its request with the key stored there ([`LinkKey`], by
//! a key derived for orders). The signature covers one method, path and body, and is valid for a minute, so it may come
//! from any address.

mod support;

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::sync::oneshot;
use tracing::{error, info};

use super::refusal::Cause;
use super::{BODY_DEADLINE, Gate, words};
use crate::alert::Timestamp;
use crate::answer::{Actor, Via, Wish};
use crate::deliver::{Again, again, recallable};
use crate::links::LinkKey;
use crate::store::{About, ActFilter, ActKind, ActState, Listeners, NewAct, StoreError};
use crate::words::Words;
pub use support::{LogAnswer, LogOrder, SupportAnswer};

/// How far the signer's clock may be from ours, in seconds: both are on one machine, or nearly.
const WINDOW_S: i64 = 60;
/// Orders have a small body or none.
const BODY_BYTES: usize = 4096;
/// Names the signed content and its form.
const PURPOSE: &str = "wegraf order 1";
const SCHEME: &str = "Wegraf ";
/// Longest wait for WeCom to recall a message, within the command's timeout.
const PATIENCE: Duration = Duration::from_secs(10);
/// Acts that commands do by themselves; all others are done here.
const NOTED: [ActKind; 3] = [ActKind::Silence, ActKind::Extend, ActKind::Expire];

/// Is this a command's order? The API has some of the paths, too, for programs with a token.
pub(super) fn is_order(headers: &HeaderMap) -> bool {
    headers.get(header::AUTHORIZATION).is_some_and(|value| value.as_bytes().starts_with(SCHEME.as_bytes()))
}

/// The paths for orders that are not shared with the API.
pub fn routes() -> axum::Router<Gate> {
    axum::Router::new()
        .route("/api/v1/links/rotate", post(rotate))
        .route("/api/v1/sources", post(sources))
        .route("/api/v1/reload", post(reload))
        .merge(support::routes())
}

/// When each source last called, and its refusals: names of sources to [`super::Record`].
async fn sources(State(gate): State<Gate>, request: Request) -> Response {
    match proven(&*gate.server.links.key().await, request, gate.server.clock.now()).await {
        Ok(_) => Json(gate.records.all()).into_response(),
        Err(refusal) => refusal,
    }
}

impl LinkKey {
    /// The value of `Authorization` that authenticates this one request, from a minute before `now` to a minute after.
    pub fn order(&self, method: &Method, path: &str, body: &[u8], now: Timestamp) -> String {
        let at = now.0 / 1000;
        let mac = self.order_mac(method, path, body, at).finalize().into_bytes();
        format!("{SCHEME}{at}.{}", BASE64_URL_SAFE_NO_PAD.encode(mac))
    }

    /// Was this request signed with this key, in this form, and just now?
    fn ordered(&self, method: &Method, path: &str, body: &[u8], headers: &HeaderMap, now: Timestamp) -> bool {
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix(SCHEME));
        let Some((at, mac)) = given.and_then(|given| given.split_once('.')) else { return false };
        let (Ok(at), Ok(mac)) = (at.parse::<i64>(), BASE64_URL_SAFE_NO_PAD.decode(mac)) else { return false };
        let recent = (now.0 / 1000).saturating_sub(at).saturating_abs() <= WINDOW_S;
        recent && self.order_mac(method, path, body, at).verify_slice(&mac).is_ok()
    }

    fn order_mac(&self, method: &Method, path: &str, body: &[u8], at: i64) -> Hmac<Sha256> {
        let mut mac = self.order_key();
        // A path contains no line break, and the rest has a fixed form: no two requests have the same text.
        mac.update(format!("{PURPOSE}\n{method}\n{path}\n{at}\n").as_bytes());
        mac.update(&Sha256::digest(body));
        mac
    }
}

pub(super) async fn resend(State(gate): State<Gate>, Path(message): Path<String>, request: Request) -> Response {
    let now = gate.server.clock.now();
    if let Err(refusal) = proven(&*gate.server.links.key().await, request, now).await {
        return refusal;
    }
    // A text that is no number is the number of no message.
    let number = message.parse().unwrap_or(0);
    match again(&gate.server.store, number, now).await {
        Ok(Again::Queued(copy)) => {
            info!(message = number, again = copy, "A message is sent again because an operator said so.");
            Json(json!({ "message": copy, "origin": number })).into_response()
        }
        Ok(refused) => {
            let status = if refused == Again::Unknown { StatusCode::NOT_FOUND } else { StatusCode::CONFLICT };
            answer(status, &refused.refusal(number).unwrap_or_default().to_string())
        }
        Err(failure) => {
            gate.server.fuse.failed(&failure);
            error!(error = %failure, message = number, "A message could not be queued again.");
            answer(StatusCode::SERVICE_UNAVAILABLE, &words::NOT_STORED.to_string())
        }
    }
}

/// The actor of a recall.
#[derive(Debug, Serialize, Deserialize)]
pub struct RecallOrder {
    /// The name of a user of the machine.
    pub by: String,
}

/// The result of a recall.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RecallAnswer {
    /// The number of the act in the record.
    pub act: i64,
    /// In words, if it failed.
    pub error: String,
}

pub(super) async fn recall(State(gate): State<Gate>, Path(message): Path<String>, request: Request) -> Response {
    let body = match proven(&*gate.server.links.key().await, request, gate.server.clock.now()).await {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    let Ok(RecallOrder { by }) = serde_json::from_slice(&body) else { return unreadable() };
    let message = message.parse().unwrap_or(0);
    let event = format!("command/recall/{message}/{:016x}", rand::random::<u64>());
    match recalled(&gate, message, Actor { id: by, via: Via::Command }, event).await {
        Ok((status, Recalled { act, error })) => {
            (status, Json(RecallAnswer { act, error: error.to_string() })).into_response()
        }
        Err(failure) => unstored(&gate, &failure),
    }
}

/// The result of a recall, before it is worded.
pub(super) struct Recalled {
    pub act: i64,
    /// Why not; empty: it was done.
    pub error: Words,
}

/// Has a message recalled; what cannot be recalled is refused before it is recorded.
pub(super) async fn recalled(
    gate: &Gate,
    message: i64,
    actor: Actor,
    event: String,
) -> Result<(StatusCode, Recalled), StoreError> {
    let server = &gate.server;
    if let Err(why) = recallable(&server.store, &server.setup.now().config, message).await? {
        let status = if why.unknown { StatusCode::NOT_FOUND } else { StatusCode::CONFLICT };
        return Ok((status, Recalled { act: 0, error: why.words() }));
    }
    let wish = Wish {
        event,
        kind: ActKind::Recall,
        about: About::Message(message),
        span: None,
        code: None,
        except_lane: None,
        within: None,
    };
    let said = server.acts.act(&actor, wish).await?;
    let act = said.act;
    server.acts.finished(said, PATIENCE).await?;
    let filter = ActFilter { by: Some(actor.id), limit: 100, ..ActFilter::default() };
    let row = server.store.acts(filter).await?.into_iter().find(|row| row.id == act);
    Ok(match row.as_ref().map(|row| row.state) {
        Some(ActState::Done) => (StatusCode::OK, Recalled { act, error: Words::default() }),
        Some(ActState::Failed) => (
            StatusCode::CONFLICT,
            Recalled { act, error: Words::of_record(&row.map(|row| row.detail).unwrap_or_default()) },
        ),
        _ => (StatusCode::CONFLICT, Recalled { act, error: words::STILL_RECALLING }),
    })
}

/// An act that a command did by itself, to be recorded.
#[derive(Debug, Serialize, Deserialize)]
pub struct NoteOrder {
    pub kind: ActKind,
    /// The name of a user of the machine.
    pub by: String,
    /// Until when, of a silence.
    pub until: Option<Timestamp>,
    /// In words.
    pub detail: String,
}

impl NoteOrder {
    /// As stored: no receiver is told, because it is about no alert of ours.
    pub fn act(self) -> NewAct {
        NewAct {
            event: format!("command/{}/{:016x}", self.kind.as_str(), rand::random::<u64>()),
            kind: self.kind,
            state: ActState::Done,
            by: self.by,
            via: Via::Command.name(),
            about: About::Nothing,
            only: Vec::new(),
            through: None,
            until: self.until,
            detail: self.detail,
            code: None,
            except_lane: None,
            listeners: Listeners::default(),
        }
    }
}

pub(super) async fn note(State(gate): State<Gate>, request: Request) -> Response {
    let now = gate.server.clock.now();
    let body = match proven(&*gate.server.links.key().await, request, now).await {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    let order = serde_json::from_slice::<NoteOrder>(&body);
    let Some(order) = order.ok().filter(|order| NOTED.contains(&order.kind)) else { return unreadable() };
    let kind = order.kind;
    match gate.server.store.act(order.act(), now).await {
        Ok(acted) => {
            gate.server.metrics.count_act(kind, acted.state);
            info!(act = acted.act, kind = kind.as_str(), "A command put what it did on record.");
            Json(json!({ "act": acted.act })).into_response()
        }
        Err(failure) => unstored(&gate, &failure),
    }
}

/// The actor of a rotation of the key of links.
#[derive(Debug, Serialize, Deserialize)]
pub struct RotateOrder {
    /// The name of a user of the machine.
    pub by: String,
}

async fn rotate(State(gate): State<Gate>, request: Request) -> Response {
    let body = match proven(&*gate.server.links.key().await, request, gate.server.clock.now()).await {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    let Ok(RotateOrder { by }) = serde_json::from_slice(&body) else { return unreadable() };
    match gate.server.links.rotate().await {
        Ok(()) => {
            info!(by, "The key of links was rotated: older links allow no act, and open pages for a day.");
            Json(json!({})).into_response()
        }
        Err(failure) => unstored(&gate, &failure),
    }
}

/// What a reload came to.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ReloadAnswer {
    /// Why the old configuration stays in force; empty: the new one is in force.
    pub error: String,
    /// The notes about the new one.
    pub notes: Vec<String>,
    /// The keys that changed and change only with a restart.
    pub restart: Vec<String>,
}

/// A request for a reload, to be answered when it is done.
pub type Reload = oneshot::Sender<ReloadAnswer>;

async fn reload(State(gate): State<Gate>, request: Request) -> Response {
    if let Err(refusal) = proven(&*gate.server.links.key().await, request, gate.server.clock.now()).await {
        return refusal;
    }
    match reloaded(&gate).await {
        Some(done) => {
            let status = if done.error.is_empty() { StatusCode::OK } else { StatusCode::CONFLICT };
            (status, Json(done)).into_response()
        }
        None => answer(StatusCode::SERVICE_UNAVAILABLE, &words::STOPPING.to_string()),
    }
}

/// Reads the configuration again. `None`: the process stops.
pub(super) async fn reloaded(gate: &Gate) -> Option<ReloadAnswer> {
    let (ask, done) = oneshot::channel();
    gate.server.reloads.send(ask).await.ok()?;
    done.await.ok()
}

pub(super) fn unreadable() -> Response {
    answer(StatusCode::BAD_REQUEST, &words::NO_ORDER.to_string())
}

pub(super) fn unstored(gate: &Gate, failure: &StoreError) -> Response {
    gate.server.fuse.failed(failure);
    error!(error = %failure, "What a command ordered could not be stored.");
    answer(StatusCode::SERVICE_UNAVAILABLE, &words::NOT_STORED.to_string())
}

/// The body of a proven order; or the answer to an unproven one.
pub(super) async fn proven(key: &LinkKey, request: Request, now: Timestamp) -> Result<Bytes, Response> {
    let unproven = |cause: Cause| cause.attach(answer(StatusCode::UNAUTHORIZED, &words::ORDER_UNSIGNED.to_string()));
    let (parts, body) = request.into_parts();
    if !parts.headers.contains_key(header::AUTHORIZATION) {
        return Err(unproven(Cause::new("missing")));
    }
    let read = tokio::time::timeout(BODY_DEADLINE, axum::body::to_bytes(body, BODY_BYTES)).await;
    let Ok(Ok(body)) = read else { return Err(unproven(Cause::new("unreadable"))) };
    let path = parts.uri.path_and_query().map_or_else(|| Uri::default().path().to_owned(), ToString::to_string);
    if key.ordered(&parts.method, &path, &body, &parts.headers, now) {
        Ok(body)
    } else {
        Err(unproven(Cause::guess("signature", "order")))
    }
}

fn answer(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({ "error": error }))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);
    const PATH: &str = "/api/v1/deliveries/7/resend";

    fn headers(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())])
    }

    #[test]
    fn a_signature_holds_for_one_request_and_a_minute() {
        let key = LinkKey::new(vec![7; 32]);
        let signed = headers(&key.order(&Method::POST, PATH, b"{}", NOW));
        let holds = |key: &LinkKey, method: &Method, path: &str, body: &[u8], seconds: i64| {
            key.ordered(method, path, body, &signed, NOW.plus_millis(seconds * 1000))
        };
        assert!(holds(&key, &Method::POST, PATH, b"{}", 0));
        assert!(holds(&key, &Method::POST, PATH, b"{}", 60) && holds(&key, &Method::POST, PATH, b"{}", -60));
        assert!(!holds(&key, &Method::POST, PATH, b"{}", 61) && !holds(&key, &Method::POST, PATH, b"{}", -61));
        assert!(!holds(&key, &Method::PUT, PATH, b"{}", 0));
        assert!(!holds(&key, &Method::POST, "/api/v1/deliveries/8/resend", b"{}", 0));
        assert!(!holds(&key, &Method::POST, PATH, b"", 0));
        assert!(!holds(&LinkKey::new(vec![8; 32]), &Method::POST, PATH, b"{}", 0));
    }

    #[test]
    fn invalid_signatures_prove_nothing() {
        let key = LinkKey::new(vec![7; 32]);
        let link = key.link("", 7, NOW, None);
        let borrowed = link.split("s=").nth(1).unwrap();
        let at = NOW.0 / 1000;
        let wrong = ["", "Wegraf", "Wegraf 1", "Wegraf x.y", "Bearer abc", "Wegraf 9223372036854775807.AAAA"];
        for value in
            wrong.into_iter().map(str::to_owned).chain([format!("Wegraf {at}."), format!("Wegraf {at}.{borrowed}")])
        {
            assert!(!key.ordered(&Method::POST, PATH, b"", &headers(&value), NOW), "{value}");
        }
        assert!(!key.ordered(&Method::POST, PATH, b"", &HeaderMap::new(), NOW));
    }
}
