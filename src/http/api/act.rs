//! Acts of programs: they go the way of all acts, and with a key each counts once.

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use http_body_util::{BodyExt as _, Limited};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use super::super::{BODY_DEADLINE, Gate, orders};
use super::caller::Caller;
use super::described::{Problems, Refusals};
use super::list::caller;
use super::problem::{Wrong, refused};
use super::token::Scope;
use super::words;
use crate::alert::{Status, ThreadId, Timestamp};
use crate::answer::{Actor, Via, Wish};
use crate::deliver::{Again, again};
use crate::store::{About, ActKind, ActState, Asked, DeliveryFilter, DeliveryRow, Hash, StoreError};
use crate::upstream::{self, Span};
use crate::words::Words;

/// An act has a few fields.
const BODY_BYTES: usize = 16 * 1024;
/// Longest wait for a step upstream.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(8);
/// Messages of an incident that are searched for their receivers, and for a copy of one.
const SEARCHED: usize = 200;

/// An act that is wanted: of an incident, or of the alerts of a message.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// What to do.
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
enum Kind {
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
    let wanted: Wanted = serde_json::from_slice(&once.body).map_err(|error| Wrong::Body(said(error.to_string())))?;
    let about = meant(gate, caller, &wanted).await?;
    carry_out(gate, caller, once, wanted.kind, wanted.span.as_deref(), about).await
}

/// Does it, by the way of all acts.
async fn carry_out(
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
        alerts.retain(|alert| alert.status == Status::Firing);
        if !alerts.is_empty() {
            hides = server.acts.scope(&alerts).await?;
        }
    }
    let until = span.map(|span| upstream::until(span, server.clock.now(), &caller.zone, upstream::MORNING));
    let wish = Wish { event: once.event(caller, "act"), kind, about, span, code: None, except_lane: None };
    let actor = Actor { id: caller.name(), via: Via::Api(caller.token.name.clone()) };
    let mut answer = server.acts.act(&actor, wish).await?;
    if answer.state == Some(ActState::Open) {
        answer = server.acts.finished(&actor, answer, PATIENCE).await?;
    }
    let text = said(answer.text.clone());
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
        text: answer.text,
        until: until.map(|until| caller.say().time(until)),
        hides: hides.map(|scope| scope.count),
    };
    Ok((status, serde_json::to_string(&acted).expect("our shapes are JSON")))
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
    let known = store.silences(now).await?;
    let in_force = || known.iter().filter(|known| known.until > now);
    let found = in_force().find(|known| known.act == id);
    let thread = found.map(|found| found.thread).filter(|thread| thread.0 != 0).ok_or(Wrong::NotFound)?;
    if matches!(kind, Kind::Extend) && in_force().any(|other| other.thread == thread && other.act > id) {
        return Err(Wrong::Conflict("not_newest", words::NOT_NEWEST, words::NOT_NEWEST_DETAIL));
    }
    let alerts = store.act_alerts(id).await?;
    let sees = caller.token.receivers.is_none() || alerts.iter().any(|alert| caller.sees(&alert.receiver));
    if sees { Ok((About::Thread(thread), thread)) } else { Err(Wrong::NotFound) }
}

/// A text that is in one language only.
fn said(text: String) -> Words {
    (text.clone(), text).into()
}

/// What an act is about, if the caller may see it.
async fn meant(gate: &Gate, caller: &Caller, wanted: &Wanted) -> Result<(About, ThreadId), Wrong> {
    match (&wanted.incident, &wanted.delivery) {
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
    let actor = Actor { id: caller.name(), via: Via::Api(caller.token.name.clone()) };
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
        _ => Err(Wrong::Conflict("not_recalled", words::NOT_RECALLED, said(done.error))),
    }
}

/// A request that acts, and counts once if it has a key.
struct Once {
    body: Vec<u8>,
    key: Option<String>,
    /// When the same was asked of a process that ended before it answered.
    before: Option<Timestamp>,
}

impl Once {
    /// Reads the body and looks whether the key was used; the error is the answer.
    async fn begin(gate: &Gate, caller: &Caller, parts: &Parts, body: Body) -> Result<Self, Response> {
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
    fn event(&self, caller: &Caller, what: &str) -> String {
        let name = caller.name();
        match &self.key {
            Some(key) => format!("{name}/{key}"),
            None => format!("{name}/{what}/{:032x}", rand::random::<u128>()),
        }
    }

    /// Answers, and records the answer for the next request with the key. What may pass by itself is not recorded.
    async fn answer(self, gate: &Gate, caller: &Caller, done: Result<(StatusCode, String), Wrong>) -> Response {
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
