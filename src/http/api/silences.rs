//! Silences: those that were made through wegraf, and making, moving and ending them by the way of all acts.

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::openapi::path::ParameterIn;
use utoipa::{IntoParams, ToSchema};

use super::super::Gate;
use super::act::{Acted, Kind, carry_out, meant, told};
use super::caller::Caller;
use super::described::{Problems, Refusals};
use super::list::caller;
use super::once::Once;
use super::problem::Wrong;
use super::query::Bad;
use super::shapes::{Alert, List, Silence};
use super::token::Scope;
use super::words;
use crate::answer::{Answer, Typed, Worded};
use crate::standing;
use crate::store::{self, About};
use crate::upstream::{Matcher, Span};
use crate::words::Words;

/// Alerts that a silence would hide that are listed.
const LISTED: usize = 20;

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
    let asked: Result<Vec<Matcher>, _> = params.texts("m").map(Matcher::parse).collect();
    let asked = asked.map_err(|form| Bad::Value { key: "m", form })?;
    let mut items = Vec::new();
    for silence in store.silences(now).await? {
        let known: Vec<Matcher> = serde_json::from_str(&silence.matchers_json).unwrap_or_default();
        if active.is_some_and(|active| active != (silence.until > now))
            || params.text("upstream").is_some_and(|upstream| upstream != silence.upstream)
            || !asked.iter().all(|matcher| known.contains(matcher))
        {
            continue;
        }
        let alerts = standing::alerts_of(&store, &silence).await?;
        if caller.token.receivers.is_none() || alerts.iter().any(|alert| caller.sees(&alert.receiver)) {
            items.push(Silence::of(&silence, &alerts, now, caller.say()));
        }
    }
    Ok(List { items, next: None })
}

/// A silence that is wanted: of an incident, of the alerts of a message, or of matchers.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "matchers": ["alertname=\"DiskFull\"", "instance=~\"db-.*\""], "for": "2h", "comment": "new disk" }))]
pub(super) struct NewSilence {
    /// The short id of an incident.
    incident: Option<String>,
    /// The number of a message.
    delivery: Option<String>,
    /// Conditions, as `team="db"` or `instance=~"db-.*"`: it hides what fulfils all of them, of whatever receiver, so the token
    /// must have no list of receivers. At most 20; one of them must not match an empty value.
    #[schema(max_items = 20)]
    matchers: Option<Vec<String>>,
    /// With `matchers`: in which upstream; may be left out if there is one only.
    upstream: Option<String>,
    /// With `matchers`: why.
    #[schema(max_length = 300)]
    comment: Option<String>,
    /// How long it holds, or until when from now: `30m`, `2h`, `1d`, or `morning`; 1 minute to 30 days.
    #[serde(rename = "for")]
    span: String,
}

/// What a silence of matchers would hide.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes the keys, which are read one by one")]
pub(super) struct ForeseenQuery {
    /// A condition, as `team="db"` or `instance=~"db-.*"`; given once for each.
    #[param(example = json!(["alertname=\"DiskFull\""]))]
    m: Vec<String>,
    /// In which upstream; may be left out if there is one only.
    upstream: Option<String>,
}

/// What a silence would hide.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Hides {
    /// Where it would be made.
    upstream: String,
    /// Its conditions.
    matchers: Vec<String>,
    /// How many firing alerts it would hide now.
    count: u64,
    /// Who counted: `upstream`, or wegraf's own `record` where the upstream does not answer.
    counted_by: &'static str,
    /// Those of wegraf's record, at most 20.
    alerts: Vec<Alert>,
}

/// What a silence of these matchers would hide now. Nothing is made.
#[utoipa::path(
    get, path = "/api/v1/silences/preview", tag = "acts", params(ForeseenQuery), security(("token" = ["read"])),
    responses((status = 200, description = "What it would hide", body = Hides), Problems)
)]
pub(super) async fn foresee(State(gate): State<Gate>, parts: Parts) -> Response {
    let caller = caller!(gate, parts, Scope::Read);
    caller.answer(&gate, foreseen(&gate, &caller).await)
}

async fn foreseen(gate: &Gate, caller: &Caller) -> Result<Hides, Wrong> {
    let params = caller.params(&ForeseenQuery::into_params(|| Some(ParameterIn::Query)))?;
    caller.sees_all()?;
    let config = &gate.server.setup.now().config;
    let upstream = params.text("upstream").unwrap_or_default();
    let worded = Worded::parse(config, upstream, params.texts("m"), "").map_err(Wrong::Body)?;
    let (scope, alerts) = gate.server.acts.foresee(&worded, LISTED).await?;
    let matchers = scope.matchers.iter().map(ToString::to_string).collect();
    Ok(Hides {
        upstream: scope.upstream,
        matchers,
        count: scope.count,
        counted_by: if scope.by_upstream { "upstream" } else { "record" },
        alerts: alerts.iter().map(|alert| Alert::of(alert, caller.say())).collect(),
    })
}

/// Makes a silence upstream: the same as the act `silence`; of matchers, the same as `wegraf silences create`.
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
        serde_json::from_slice(&once.body).map_err(|error| Wrong::Body(Words::quoted(error.to_string())))?;
    let Some(matchers) = &wanted.matchers else {
        if wanted.upstream.is_some() || wanted.comment.is_some() {
            return Err(Wrong::Body(words::WITH_MATCHERS));
        }
        let about = meant(gate, caller, wanted.incident.as_deref(), wanted.delivery.as_deref()).await?;
        return carry_out(gate, caller, once, Kind::Silence, Some(&wanted.span), about).await;
    };
    if wanted.incident.is_some() || wanted.delivery.is_some() {
        return Err(Wrong::Body(words::WITH_MATCHERS));
    }
    caller.sees_all()?;
    let config = gate.server.setup.now().config.clone();
    let upstream = wanted.upstream.as_deref().unwrap_or_default();
    let comment = wanted.comment.as_deref().unwrap_or_default();
    let worded = Worded::parse(&config, upstream, matchers.iter().map(String::as_str), comment).map_err(Wrong::Body)?;
    let span = Span::parse(&wanted.span).map_err(Wrong::Body)?;
    let (scope, _) = gate.server.acts.foresee(&worded, 0).await?;
    let made = typed(gate, caller, once, Kind::Silence, &Typed::New(worded), Some(span)).await?;
    told(gate, caller, made, Some(span), Some(scope.count)).await
}

/// Makes, moves or ends a silence that is about no alert of ours.
async fn typed(
    gate: &Gate,
    caller: &Caller,
    once: &Once,
    kind: Kind,
    typed: &Typed,
    span: Option<Span>,
) -> Result<Answer, Wrong> {
    let event = once.event(caller, "act");
    Ok(gate.server.acts.silence_typed(&caller.actor(), event, kind.into(), typed, span).await?)
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
        let silence = silenced(gate, &caller, id, kind).await?;
        let span = match kind {
            Kind::Extend => {
                let moved: Moved = serde_json::from_slice(&once.body)
                    .map_err(|error| Wrong::Body(Words::quoted(error.to_string())))?;
                Some(moved.span)
            }
            _ => None,
        };
        if silence.thread.0 == 0 {
            let span = span.map(|span| Span::parse(&span)).transpose().map_err(Wrong::Body)?;
            let made = typed(gate, &caller, &once, kind, &Typed::Of(silence.act), span).await?;
            return told(gate, &caller, made, span, None).await;
        }
        let about = (About::Thread(silence.thread), silence.thread);
        carry_out(gate, &caller, &once, kind, span.as_deref(), about).await
    };
    let done = changed.await;
    once.answer(gate, &caller, done).await
}

/// A silence that is in force, if the caller may see it. Of several of one incident the newest is
/// extended: another one is refused.
async fn silenced(gate: &Gate, caller: &Caller, id: &str, kind: Kind) -> Result<store::Silence, Wrong> {
    let (store, now) = (gate.server.store.for_people(), gate.server.clock.now());
    let id: i64 = id.parse().map_err(|_| Wrong::NotFound)?;
    let (found, newest) = standing::in_force(&store, id, now).await?.ok_or(Wrong::NotFound)?;
    let alerts = standing::alerts_of(&store, &found).await?;
    if caller.token.receivers.is_some() && !alerts.iter().any(|alert| caller.sees(&alert.receiver)) {
        return Err(Wrong::NotFound);
    }
    if matches!(kind, Kind::Extend) && !newest {
        return Err(Wrong::Conflict("not_newest", words::NOT_NEWEST, words::NOT_NEWEST_DETAIL));
    }
    Ok(found)
}
