//! Acts of programs: they go the way of all acts, and with a key each counts once.

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::{Gate, orders};
use super::caller::Caller;
use super::described::{Problems, Refusals};
use super::list::caller;
use super::once::Once;
use super::problem::Wrong;
use super::token::Scope;
use super::words;
use crate::alert::{Status, ThreadId, Timestamp};
use crate::answer::{Answer, SCOPE_PATIENCE, Wish};
use crate::deliver::{Again, again};
use crate::store::{About, ActKind, ActState, DeliveryFilter, DeliveryRow, StoreError};
use crate::upstream::{self, Span};
use crate::words::Words;

/// Longest wait for a step upstream.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(8);
/// Messages of an incident that are searched for their receivers, and for a copy of one.
const SEARCHED: usize = 200;

/// An act that is wanted: of an incident, or of the alerts of a message.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    // What to do. Without a description of its own: beside an inline schema it would be one of another type.
    #[schema(inline)]
    kind: Kind,
    /// The short id of an incident.
    incident: Option<String>,
    /// The number of a message.
    delivery: Option<String>,
    /// How long a silence holds, or until when from now: `30m`, `2h`, `1d`, or `morning`; 1 minute to 30 days.
    #[serde(rename = "for")]
    span: Option<String>,
}

/// What can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// Take it: reminders and escalation stop.
    Acknowledge,
    /// Give it back.
    Release,
    /// Make a silence upstream.
    Silence,
    /// Move the end of its newest silence.
    Extend,
    /// End the silences of it.
    Expire,
}

impl From<Kind> for ActKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Acknowledge => Self::Acknowledge,
            Kind::Release => Self::Release,
            Kind::Silence => Self::Silence,
            Kind::Extend => Self::Extend,
            Kind::Expire => Self::Expire,
        }
    }
}

/// What became of an act.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Acted {
    /// Its number.
    act: String,
    /// `done`, `open` while a step upstream is under way, or `repeated` if an earlier act had the same effect.
    state: &'static str,
    /// In words.
    text: String,
    /// Until when a silence holds.
    #[schema(format = DateTime)]
    until: Option<String>,
    /// How many firing alerts the silence hides.
    hides: Option<u64>,
}

/// A message that is sent again.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Resent {
    /// The number of the new message.
    delivery: String,
    /// The number of the one it is a copy of.
    origin: String,
}

/// Acknowledges, gives back, silences, or ends a silence.
#[utoipa::path(
    post, path = "/api/v1/acts", tag = "acts", request_body = Wanted, security(("token" = ["act"])),
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 64 letters, digits, `_` and `-`: the same key acts once, for a day", pattern = "^[A-Za-z0-9_-]{1,64}$")),
    responses(
        (status = 201, description = "It was done", body = Acted),
        (status = 202, description = "It is being done", body = Acted),
        (status = 200, description = "An earlier act had the same effect", body = Acted),
        Problems, Refusals
    )
)]
pub(super) async fn act(State(gate): State<Gate>, request: Request) -> Response {
    if orders::is_order(request.headers()) {
        return orders::note(State(gate), request).await;
    }
    let (parts, body) = request.into_parts();
    let caller = caller!(gate, parts, Scope::Act);
    let once = match Once::begin(&gate, &caller, &parts, body).await {
        Ok(once) => once,
        Err(answer) => return answer,
    };
    let done = do_act(&gate, &caller, &once).await;
    once.answer(&gate, &caller, done).await
}

async fn do_act(gate: &Gate, caller: &Caller, once: &Once) -> Result<(StatusCode, String), Wrong> {
    let wanted: Wanted =
        serde_json::from_slice(&once.body).map_err(|error| Wrong::Body(Words::quoted(error.to_string())))?;
    let about = meant(gate, caller, wanted.incident.as_deref(), wanted.delivery.as_deref()).await?;
    carry_out(gate, caller, once, wanted.kind, wanted.span.as_deref(), about).await
}

/// Does it, by the way of all acts.
pub(super) async fn carry_out(
    gate: &Gate,
    caller: &Caller,
    once: &Once,
    kind: Kind,
    span: Option<&str>,
    (about, thread): (About, ThreadId),
) -> Result<(StatusCode, String), Wrong> {
    let span = match (kind, span) {
        (Kind::Silence | Kind::Extend, Some(span)) => Some(Span::parse(span).map_err(Wrong::Body)?),
        (Kind::Silence | Kind::Extend, None) | (_, Some(_)) => return Err(Wrong::Body(words::NO_SPAN)),
        (_, None) => None,
    };
    let kind = ActKind::from(kind);
    let (server, store) = (&gate.server, gate.server.store.for_people());
    let mut hides = None;
    if kind == ActKind::Silence {
        let mut alerts = store.alerts_of(thread).await?;
        alerts.retain(|alert| alert.status == Status::Firing && caller.sees(&alert.receiver));
        if !alerts.is_empty() {
            hides = server.acts.scope(&alerts, SCOPE_PATIENCE).await?.scope();
        }
    }
    let wish = Wish {
        event: once.event(caller, "act"),
        kind,
        about,
        span,
        code: None,
        except_lane: None,
        within: caller.receivers(),
    };
    let answer = server.acts.act(&caller.actor(), wish).await?;
    told(gate, caller, answer, span, hides.map(|scope| scope.count)).await
}

/// What became of an act, once it is completed or has taken long enough.
pub(super) async fn told(
    gate: &Gate,
    caller: &Caller,
    mut answer: Answer,
    span: Option<Span>,
    hides: Option<u64>,
) -> Result<(StatusCode, String), Wrong> {
    let server = &gate.server;
    let until = span.map(|span| upstream::until(span, server.clock.now(), &caller.zone, upstream::MORNING));
    if answer.state == Some(ActState::Open) {
        answer = server.acts.finished(answer, PATIENCE).await?;
    }
    let text = answer.text;
    let status = match answer.state {
        Some(ActState::Done) => StatusCode::CREATED,
        Some(ActState::Open) => StatusCode::ACCEPTED,
        Some(ActState::Repeated) => StatusCode::OK,
        Some(ActState::Void) | None => return Err(Wrong::Conflict("void", words::VOID, text)),
        Some(ActState::Limited) => return Err(Wrong::Conflict("limited", words::LIMITED, text)),
        Some(ActState::Denied) => return Err(Wrong::Forbidden(text)),
        Some(ActState::Failed) => return Err(Wrong::Failed(text)),
    };
    let acted = Acted {
        act: answer.act.to_string(),
        state: answer.state.map_or("done", ActState::as_str),
        text: text.get(caller.say().language).to_owned(),
        until: until.map(|until| caller.say().time(until)),
        hides,
    };
    Ok((status, serde_json::to_string(&acted).expect("our shapes are JSON")))
}

/// What an act is about, if the caller may see it.
pub(super) async fn meant(
    gate: &Gate,
    caller: &Caller,
    incident: Option<&str>,
    delivery: Option<&str>,
) -> Result<(About, ThreadId), Wrong> {
    match (incident, delivery) {
        (Some(short), None) => {
            let thread = ThreadId::parse(short).filter(|thread| thread.0 != 0).ok_or(Wrong::NotFound)?;
            let store = gate.server.store.for_people();
            let told = DeliveryFilter { thread: Some(thread), limit: SEARCHED, ..DeliveryFilter::default() };
            let rows = store.deliveries(told).await?;
            let mut receivers: Vec<String> = rows.into_iter().map(|row| row.receiver).collect();
            receivers.extend(store.receivers_of(thread).await?);
            let seen = receivers.iter().any(|receiver| caller.sees(receiver));
            if seen { Ok((About::Thread(thread), thread)) } else { Err(Wrong::NotFound) }
        }
        (None, Some(id)) => {
            let row = seen(gate, caller, id).await?;
            Ok((About::Message(row.message), row.thread))
        }
        _ => Err(Wrong::Body(words::ONE_OF)),
    }
}

/// The message with this number, if the caller may see it.
async fn seen(gate: &Gate, caller: &Caller, id: &str) -> Result<DeliveryRow, Wrong> {
    let message = id.parse().map_err(|_| Wrong::NotFound)?;
    let filter = DeliveryFilter { message: Some(message), limit: 1, ..DeliveryFilter::default() };
    let found = gate.server.store.for_people().deliveries(filter).await?.pop();
    found.filter(|row| caller.sees(&row.receiver)).ok_or(Wrong::NotFound)
}

/// Sends a settled message once more.
#[utoipa::path(
    post, path = "/api/v1/deliveries/{id}/resend", tag = "deliveries", security(("token" = ["resend"])),
    params(
        ("id" = String, Path, description = "The number of the message"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 64 letters, digits, `_` and `-`: the same key sends once, for a day", pattern = "^[A-Za-z0-9_-]{1,64}$")
    ),
    responses((status = 201, description = "It is queued", body = Resent), Problems, Refusals)
)]
pub(super) async fn resend(State(gate): State<Gate>, Path(id): Path<String>, request: Request) -> Response {
    if orders::is_order(request.headers()) {
        return orders::resend(State(gate), Path(id), request).await;
    }
    let (parts, body) = request.into_parts();
    let caller = caller!(gate, parts, Scope::Resend);
    let once = match Once::begin(&gate, &caller, &parts, body).await {
        Ok(once) => once,
        Err(answer) => return answer,
    };
    let done = do_resend(&gate, &caller, &id, once.before).await;
    once.answer(&gate, &caller, done).await
}

async fn do_resend(
    gate: &Gate,
    caller: &Caller,
    id: &str,
    before: Option<Timestamp>,
) -> Result<(StatusCode, String), Wrong> {
    let row = seen(gate, caller, id).await?;
    // A process that ended before it answered may have queued the copy.
    let copy = match before {
        Some(before) => copied(gate, &row, before).await?,
        None => None,
    };
    let done = match copy {
        Some(copy) => Again::Queued(copy),
        None => again(&gate.server.store, row.message, gate.server.clock.now()).await?,
    };
    let Again::Queued(copy) = done else {
        let why = done.refusal(row.message).unwrap_or_default();
        return Err(if done == Again::Unknown {
            Wrong::NotFound
        } else {
            Wrong::Conflict("not_settled", words::NOT_SETTLED, why)
        });
    };
    let resent = Resent { delivery: copy.to_string(), origin: row.message.to_string() };
    Ok((StatusCode::CREATED, serde_json::to_string(&resent).expect("our shapes are JSON")))
}

/// A copy of a message that was queued at `since` or later.
async fn copied(gate: &Gate, row: &DeliveryRow, since: Timestamp) -> Result<Option<i64>, StoreError> {
    let (thread, lane) = (Some(row.thread), Some(row.lane.clone()));
    let filter = DeliveryFilter { thread, lane, since: Some(since), limit: SEARCHED, ..DeliveryFilter::default() };
    let rows = gate.server.store.deliveries(filter).await?;
    Ok(rows.iter().find(|copy| copy.origin == Some(row.message)).map(|copy| copy.message))
}

/// Takes back what an app sent to members within 24 hours.
#[utoipa::path(
    post, path = "/api/v1/deliveries/{id}/recall", tag = "deliveries", security(("token" = ["resend"])),
    params(
        ("id" = String, Path, description = "The number of the message"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 64 letters, digits, `_` and `-`", pattern = "^[A-Za-z0-9_-]{1,64}$")
    ),
    responses((status = 201, description = "It was recalled", body = Acted), Problems, Refusals)
)]
pub(super) async fn recall(State(gate): State<Gate>, Path(id): Path<String>, request: Request) -> Response {
    if orders::is_order(request.headers()) {
        return orders::recall(State(gate), Path(id), request).await;
    }
    let (parts, body) = request.into_parts();
    let caller = caller!(gate, parts, Scope::Resend);
    let once = match Once::begin(&gate, &caller, &parts, body).await {
        Ok(once) => once,
        Err(answer) => return answer,
    };
    let done = do_recall(&gate, &caller, &id, &once).await;
    once.answer(&gate, &caller, done).await
}

async fn do_recall(gate: &Gate, caller: &Caller, id: &str, once: &Once) -> Result<(StatusCode, String), Wrong> {
    let row = seen(gate, caller, id).await?;
    let actor = caller.actor();
    let (status, done) = orders::recalled(gate, row.message, actor, once.event(caller, "recall")).await?;
    match status {
        StatusCode::OK => {
            let acted = Acted {
                act: done.act.to_string(),
                state: ActState::Done.as_str(),
                text: String::new(),
                until: None,
                hides: None,
            };
            Ok((StatusCode::CREATED, serde_json::to_string(&acted).expect("our shapes are JSON")))
        }
        StatusCode::NOT_FOUND => Err(Wrong::NotFound),
        _ => Err(Wrong::Conflict("not_recalled", words::NOT_RECALLED, done.error)),
    }
}
