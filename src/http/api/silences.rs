//! Silences: those that were made through wegraf, and making, moving and ending them by the way of all acts.

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use serde::Deserialize;
use utoipa::openapi::path::ParameterIn;
use utoipa::{IntoParams, ToSchema};

use super::super::Gate;
use super::act::{Acted, Kind, carry_out, meant, said};
use super::caller::Caller;
use super::described::{Problems, Refusals};
use super::list::caller;
use super::once::Once;
use super::problem::Wrong;
use super::query::Bad;
use super::shapes::{List, Silence};
use super::token::Scope;
use super::words;
use crate::alert::ThreadId;
use crate::standing;
use crate::store::About;
use crate::upstream::Matcher;

/// Whether it holds.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "it describes the values of a key")]
enum Held {
    Active,
    Ended,
    All,
}

/// Which silences.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes the keys, which are read one by one")]
pub(super) struct SilencesQuery {
    /// In this upstream.
    upstream: Option<String>,
    /// `active` if not given; those that ended are known for 75 minutes.
    #[param(inline)]
    state: Option<Held>,
    /// With this condition, as `team="db"` or `instance=~"db-.*"`; may be given more than once.
    m: Option<Vec<String>>,
}

/// The silences that were made through wegraf, those that end first first.
#[utoipa::path(
    get, path = "/api/v1/silences", tag = "acts", params(SilencesQuery), security(("token" = ["read"])),
    responses((status = 200, description = "Silences", body = List<Silence>), Problems)
)]
pub(super) async fn silences(State(gate): State<Gate>, parts: Parts) -> Response {
    let caller = caller!(gate, parts, Scope::Read);
    caller.answer(&gate, find_silences(&gate, &caller).await)
}

async fn find_silences(gate: &Gate, caller: &Caller) -> Result<List<Silence>, Wrong> {
    let params = caller.params(&SilencesQuery::into_params(|| Some(ParameterIn::Query)))?;
    let (store, now) = (gate.server.store.for_people(), gate.server.clock.now());
    let active = params.read("state", words::HELD, |state| match state {
        "active" => Some(Some(true)),
        "ended" => Some(Some(false)),
        "all" => Some(None),
        _ => None,
    })?;
    let active = active.unwrap_or(Some(true));
    let asked: Option<Vec<Matcher>> = params.texts("m").map(Matcher::parse).collect();
    let asked = asked.ok_or(Bad::Value { key: "m", form: words::CONDITION })?;
    let mut items = Vec::new();
    for silence in store.silences(now).await? {
        let known: Vec<Matcher> = serde_json::from_str(&silence.matchers_json).unwrap_or_default();
        if active.is_some_and(|active| active != (silence.until > now))
            || params.text("upstream").is_some_and(|upstream| upstream != silence.upstream)
            || !asked.iter().all(|matcher| known.contains(matcher))
        {
            continue;
        }
        let alerts = store.act_alerts(silence.act).await?;
        if caller.token.receivers.is_none() || alerts.iter().any(|alert| caller.sees(&alert.receiver)) {
            items.push(Silence::of(&silence, &alerts, now, caller.say()));
        }
    }
    Ok(List { items, next: None })
}

/// A silence that is wanted, of an incident or of the alerts of a message.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewSilence {
    /// The short id of an incident.
    incident: Option<String>,
    /// The number of a message.
    delivery: Option<String>,
    /// How long it holds, or until when from now: `30m`, `2h`, `1d`, or `morning`; 1 minute to 30 days.
    #[serde(rename = "for")]
    span: String,
}

/// Makes a silence upstream: the same as the act `silence`.
#[utoipa::path(
    post, path = "/api/v1/silences", tag = "acts", request_body = NewSilence, security(("token" = ["act"])),
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 64 letters, digits, `_` and `-`: the same key acts once, for a day", pattern = "^[A-Za-z0-9_-]{1,64}$")),
    responses(
        (status = 201, description = "It was made", body = Acted),
        (status = 202, description = "It is being made", body = Acted),
        (status = 200, description = "An earlier act had the same effect", body = Acted),
        Problems, Refusals
    )
)]
pub(super) async fn make_silence(State(gate): State<Gate>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let caller = caller!(gate, parts, Scope::Act);
    let once = match Once::begin(&gate, &caller, &parts, body).await {
        Ok(once) => once,
        Err(answer) => return answer,
    };
    let done = make(&gate, &caller, &once).await;
    once.answer(&gate, &caller, done).await
}

async fn make(gate: &Gate, caller: &Caller, once: &Once) -> Result<(StatusCode, String), Wrong> {
    let wanted: NewSilence =
        serde_json::from_slice(&once.body).map_err(|error| Wrong::Body(said(error.to_string())))?;
    let about = meant(gate, caller, wanted.incident.as_deref(), wanted.delivery.as_deref()).await?;
    carry_out(gate, caller, once, Kind::Silence, Some(&wanted.span), about).await
}

/// Another end of a silence.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Moved {
    /// Until when from now: `30m`, `2h`, `1d`, or `morning`; 1 minute to 30 days.
    #[serde(rename = "for")]
    span: String,
}

/// Moves the end of a silence that was made through wegraf.
#[utoipa::path(
    patch, path = "/api/v1/silences/{id}", tag = "acts", request_body = Moved, security(("token" = ["act"])),
    params(
        ("id" = String, Path, description = "`act` of the silence"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 64 letters, digits, `_` and `-`", pattern = "^[A-Za-z0-9_-]{1,64}$")
    ),
    responses(
        (status = 201, description = "It was done", body = Acted),
        (status = 202, description = "It is being done", body = Acted),
        (status = 200, description = "An earlier act had the same effect", body = Acted),
        Problems, Refusals
    )
)]
pub(super) async fn move_silence(State(gate): State<Gate>, Path(id): Path<String>, request: Request) -> Response {
    change_silence(&gate, &id, request, Kind::Extend).await
}

/// Ends a silence that was made through wegraf, and the others of its incident.
#[utoipa::path(
    delete, path = "/api/v1/silences/{id}", tag = "acts", security(("token" = ["act"])),
    params(
        ("id" = String, Path, description = "`act` of the silence"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 64 letters, digits, `_` and `-`", pattern = "^[A-Za-z0-9_-]{1,64}$")
    ),
    responses(
        (status = 201, description = "It was done", body = Acted),
        (status = 202, description = "It is being done", body = Acted),
        (status = 200, description = "An earlier act had the same effect", body = Acted),
        Problems, Refusals
    )
)]
pub(super) async fn end_silence(State(gate): State<Gate>, Path(id): Path<String>, request: Request) -> Response {
    change_silence(&gate, &id, request, Kind::Expire).await
}

async fn change_silence(gate: &Gate, id: &str, request: Request, kind: Kind) -> Response {
    let (parts, body) = request.into_parts();
    let caller = caller!(*gate, parts, Scope::Act);
    let once = match Once::begin(gate, &caller, &parts, body).await {
        Ok(once) => once,
        Err(answer) => return answer,
    };
    let changed = async {
        let about = silenced(gate, &caller, id, kind).await?;
        let span = match kind {
            Kind::Extend => {
                let moved: Moved =
                    serde_json::from_slice(&once.body).map_err(|error| Wrong::Body(said(error.to_string())))?;
                Some(moved.span)
            }
            _ => None,
        };
        carry_out(gate, &caller, &once, kind, span.as_deref(), about).await
    };
    let done = changed.await;
    once.answer(gate, &caller, done).await
}

/// The incident of a silence that is in force, if the caller may see it. Of several of one incident the newest is
/// extended: another one is refused.
async fn silenced(gate: &Gate, caller: &Caller, id: &str, kind: Kind) -> Result<(About, ThreadId), Wrong> {
    let (store, now) = (gate.server.store.for_people(), gate.server.clock.now());
    let id: i64 = id.parse().map_err(|_| Wrong::NotFound)?;
    let (found, newest) = standing::in_force(&store, id, now).await?.ok_or(Wrong::NotFound)?;
    let alerts = store.act_alerts(id).await?;
    if caller.token.receivers.is_some() && !alerts.iter().any(|alert| caller.sees(&alert.receiver)) {
        return Err(Wrong::NotFound);
    }
    if matches!(kind, Kind::Extend) && !newest {
        return Err(Wrong::Conflict("not_newest", words::NOT_NEWEST, words::NOT_NEWEST_DETAIL));
    }
    Ok((About::Thread(found.thread), found.thread))
}
