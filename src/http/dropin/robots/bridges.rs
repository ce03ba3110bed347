//! Programs that pass alerts on to WeCom: `PrometheusAlert`, a2w, bougou's adapter, timonwong's adapter.

use std::time::Instant;

use axum::body::Body;
use axum::extract::{Path, Query, Request, State};
use axum::http::{StatusCode, header, request::Parts};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use serde::Deserialize;

use super::{JSON, TEXT, Trouble, answered, configured, said, take};
use crate::config::Robot;
use crate::http::Gate;
use crate::http::dropin::unconfigured;
use crate::http::intake::Taken;
use crate::ingest::Door;

pub(super) fn routes() -> axum::Router<Gate> {
    axum::Router::new()
        .route("/prometheusalert", get(prometheusalert).post(prometheusalert))
        .route("/send", post(a2w))
        .route("/webhook/send", post(bougou))
        .route("/dingtalk/{target}/send", post(timonwong))
}

/// `PrometheusAlert` answers with a JSON string that holds JSON.
const STRING: &str = r#""{\"errcode\":0,\"errmsg\":\"ok\"}""#;

/// The parts of the query that say where to.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    wxurl: String,
    key: String,
    token: String,
}

fn asked(parts: &Parts) -> Asked {
    let Query(asked) = Query::try_from_uri(&parts.uri).unwrap_or_default();
    asked
}

/// The keys of WeCom's webhooks in `wxurl`, a list of URLs between commas.
fn keys(wxurl: &str) -> Vec<String> {
    let key = |url: &str| {
        let rest = url.split_once("key=").map_or(url, |(_, rest)| rest);
        rest.split('&').next().unwrap_or_default().trim().to_owned()
    };
    wxurl.split(',').map(key).filter(|key| !key.is_empty()).collect()
}

/// With `wxurl` its keys are proof and addressee; else the source proves itself as anywhere, and the routes decide.
async fn prometheusalert(State(gate): State<Gate>, request: Request) -> Response {
    let begun = Instant::now();
    if !configured(&gate.app.loaded().config, Robot::Prometheusalert) {
        return unconfigured("prometheusalert");
    }
    let keys =
        Query::try_from_uri(request.uri()).map_or_else(|_| Vec::new(), |Query(Asked { wxurl, .. })| keys(&wxurl));
    let taken = if keys.is_empty() { proven(&gate, request, None).await } else { to_each(&gate, request, &keys).await };
    let ok = || said(StatusCode::OK, JSON, STRING);
    answered(&gate, begun, taken, ok, |trouble| {
        trouble.answer(StatusCode::UNAUTHORIZED, JSON, r#""{\"errcode\":93000}""#)
    })
}

/// The same body to each of the keys; all must be known before anything is stored.
async fn to_each(gate: &Gate, request: Request, keys: &[String]) -> Result<Taken, Trouble> {
    let loaded = gate.app.loaded();
    if let Some(unknown) =
        keys.iter().find(|key| super::by_token(&loaded.config, Robot::Prometheusalert, key, true).is_none())
    {
        return Err(Trouble::Token(unknown.clone()));
    }
    let (parts, body) = request.into_parts();
    let (body, held) = gate.body(&parts, body).await.map_err(Trouble::Refused)?;
    drop(held);
    let mut plain = parts.clone();
    plain.headers.remove(header::CONTENT_ENCODING);
    let mut taken = Err(Trouble::Token(String::new()));
    for key in keys {
        taken = take(gate, Robot::Prometheusalert, key, &plain, Body::from(body.clone()), None).await;
        if taken.is_err() {
            break;
        }
    }
    taken
}

/// A call that its source proves as anywhere.
async fn proven(gate: &Gate, request: Request, receiver: Option<String>) -> Result<Taken, Trouble> {
    let mut source = None;
    gate.come_in(request, Door::Webhook, receiver, &mut source).await.map_err(Trouble::Refused)
}

/// `POST /send?key=KEY`; the answer is empty.
async fn a2w(State(gate): State<Gate>, request: Request) -> Response {
    let begun = Instant::now();
    if !configured(&gate.app.loaded().config, Robot::A2w) {
        return unconfigured("a2w");
    }
    let (parts, body) = request.into_parts();
    let taken = take(&gate, Robot::A2w, &asked(&parts).key, &parts, body, None).await;
    let ok = || StatusCode::OK.into_response();
    answered(&gate, begun, taken, ok, |trouble| trouble.answer(StatusCode::BAD_REQUEST, TEXT, ""))
}

/// `POST /webhook/send?channel_type=weixin&token=KEY`.
async fn bougou(State(gate): State<Gate>, request: Request) -> Response {
    let begun = Instant::now();
    if !configured(&gate.app.loaded().config, Robot::Bougou) {
        return unconfigured("bougou");
    }
    let (parts, body) = request.into_parts();
    let taken = take(&gate, Robot::Bougou, &asked(&parts).token, &parts, body, None).await;
    let ok = || StatusCode::NO_CONTENT.into_response();
    answered(&gate, begun, taken, ok, |trouble| {
        trouble.answer(StatusCode::BAD_REQUEST, JSON, "\"Err: the channel cannot be sent to\"")
    })
}

/// `POST /dingtalk/{target}/send`: the target is the receiver of that name, else the routes decide.
async fn timonwong(State(gate): State<Gate>, Path(target): Path<String>, request: Request) -> Response {
    let begun = Instant::now();
    if !configured(&gate.app.loaded().config, Robot::Timonwong) {
        return unconfigured("timonwong");
    }
    let taken = proven(&gate, request, Some(target)).await;
    let ok = || said(StatusCode::OK, TEXT, "OK");
    answered(&gate, begun, taken, ok, |trouble| trouble.answer(StatusCode::BAD_REQUEST, TEXT, "Bad Request"))
}
