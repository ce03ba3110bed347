//! Stored bodies as they came, and what a body would become. Nothing is sent or fetched.

use axum::extract::{Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use http_body_util::{BodyExt as _, Limited};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::openapi::path::ParameterIn;
use utoipa::{IntoParams, ToSchema};

use super::super::console::routes::previews;
use super::super::{BODY_DEADLINE, Gate};
use super::caller::Caller;
use super::described::Problems;
use super::list::caller;
use super::problem::Wrong;
use super::query::Bad;
use super::token::Scope;
use super::words;
use crate::alert::Notification;
use crate::ingest::{self, Door};
use crate::names::SourceId;
use crate::preview::{self, Preview};
use crate::store::Kept;
use crate::words::{Language, Words};

/// Bytes of a body that is only looked at.
const BODY_BYTES: usize = 256 * 1024;

/// The body of a notification, byte by byte as its sender sent it.
#[utoipa::path(
    get, path = "/api/v1/notifications/{id}/raw", tag = "state", security(("token" = ["read:raw"])),
    params(("id" = String, Path, description = "The number of the notification, as deliveries have it")),
    responses((status = 200, description = "The body", body = String, content_type = "application/octet-stream"), Problems)
)]
pub(super) async fn raw(State(gate): State<Gate>, Path(id): Path<String>, parts: Parts) -> Response {
    let caller = caller!(gate, parts, Scope::ReadRaw);
    let found = match caller.params(&[]).map_err(Wrong::from).and_then(|_| caller.sees_all()) {
        Ok(()) => kept(&gate, &id).await,
        Err(wrong) => Err(wrong),
    };
    let body = match found {
        Ok(kept) => kept.raw,
        Err(wrong) => {
            if let Wrong::Store(error) = &wrong {
                gate.server.fuse.failed(error);
            }
            return wrong.answer(&caller.path, caller.language);
        }
    };
    let mut answer = body.into_response();
    for (name, value) in [
        // Of whatever kind it is: no browser shows it as a page of ours.
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::CONTENT_DISPOSITION, "attachment"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("x-content-type-options"), "nosniff"),
    ] {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    answer
}

/// The notification with this number, if its body is still there.
async fn kept(gate: &Gate, id: &str) -> Result<Kept, Wrong> {
    let id = id.parse().map_err(|_| Wrong::NotFound)?;
    let found = gate.server.store.for_people().notification(id).await?;
    found.filter(|kept| !kept.raw.is_empty()).ok_or(Wrong::NotFound)
}

/// Of which notification, and to whom.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes the keys, which are read one by one")]
pub(super) struct PreviewQuery {
    /// The number of a stored notification.
    notification: String,
    /// To this receiver; by the routes if not given.
    receiver: Option<String>,
}

/// A body that is looked at.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PreviewBody {
    /// The JSON that a sender would send.
    body: Value,
    /// To this receiver; by the routes if not given.
    receiver: Option<String>,
    /// Tell for each label of the first alerts why it is shown or not.
    #[serde(default)]
    explain: bool,
}

/// Why the labels of an alert are shown or not.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Explained {
    /// The name of the alert.
    pub alert: String,
    /// What it is about.
    pub object: String,
    /// Where that is.
    pub place: String,
    /// The kind of trouble.
    pub qualifier: String,
    /// Each label.
    pub labels: Vec<ExplainedLabel>,
}

/// Why a label is shown or not.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ExplainedLabel {
    /// Its name.
    pub label: String,
    /// Its value.
    pub value: String,
    /// The step that decided, in a word.
    pub step: String,
    /// What that step does.
    pub why: String,
}

impl Explained {
    fn of(explained: preview::Explained, language: Language) -> Self {
        let preview::Explained { alert, object, place, qualifier, labels } = explained;
        let label = |preview::Label { name, value, step, why }| {
            let why = why.get(language).to_owned();
            ExplainedLabel { label: name, value, step, why }
        };
        Self { alert, object, place, qualifier, labels: labels.into_iter().map(label).collect() }
    }
}

/// A message that would be sent.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WouldBe {
    /// The receiver.
    pub receiver: String,
    /// The conditions that led there; empty: the root took it; null: the receiver was named.
    pub path: Option<Vec<String>>,
    /// The target, as `webhook/ops-group`.
    pub target: String,
    /// The form of the message.
    pub face: &'static str,
    /// Bytes that it takes.
    pub bytes: usize,
    /// Bytes that the channel takes.
    pub bytes_allowed: usize,
    /// Alerts that it names.
    pub named: usize,
    /// Alerts that it counts.
    pub counted: usize,
    /// Faults of a template.
    pub problems: Vec<String>,
    /// The bodies of the requests to WeCom.
    pub requests: Vec<Value>,
    /// Of its first alerts, which label is shown or not, and why; null: that was not asked.
    pub labels: Option<Vec<Explained>>,
}

impl WouldBe {
    fn of(made: Preview, labels: Option<Vec<Explained>>) -> Self {
        let Preview { receiver, path, lane, face, used, allowed, named, counted, problems, requests, .. } = made;
        let (target, bytes, bytes_allowed) = (lane, used, allowed);
        Self { receiver, path, target, face, bytes, bytes_allowed, named, counted, problems, requests, labels }
    }
}

/// What would be sent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = List_WouldBe)]
pub(super) struct WouldBeSent {
    /// The messages.
    pub items: Vec<WouldBe>,
    /// Names of alerts that are kept and told to no person: they always fire, and are missed when they stop.
    pub kept: Vec<String>,
    /// Null: this is all.
    pub next: Option<String>,
}

/// What a stored notification would become now.
#[utoipa::path(
    get, path = "/api/v1/preview", tag = "state", params(PreviewQuery), security(("token" = ["read"])),
    responses((status = 200, description = "The messages", body = WouldBeSent), Problems)
)]
pub(super) async fn preview(State(gate): State<Gate>, parts: Parts) -> Response {
    let caller = caller!(gate, parts, Scope::Read);
    caller.answer(&gate, of_stored(&gate, &caller).await)
}

async fn of_stored(gate: &Gate, caller: &Caller) -> Result<WouldBeSent, Wrong> {
    let params = caller.params(&PreviewQuery::into_params(|| Some(ParameterIn::Query)))?;
    caller.sees_all()?;
    let id = params.text("notification").ok_or(Bad::Value { key: "notification", form: words::INTEGER })?;
    let kept = kept(gate, id).await?;
    let door = if kept.format == crate::alert::Format::AlertsPush { Door::AlertsPush } else { Door::Webhook };
    let receiver = params.text("receiver").map(str::to_owned);
    made(gate, kept.raw.to_vec(), kept.content_type, door, kept.source, receiver, None).await
}

/// What a body would become now: it is read as the webhook would read it.
#[utoipa::path(
    post, path = "/api/v1/preview", tag = "state", request_body = PreviewBody, security(("token" = ["read"])),
    responses((status = 200, description = "The messages", body = WouldBeSent), Problems)
)]
pub(super) async fn preview_of(State(gate): State<Gate>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let caller = caller!(gate, parts, Scope::Read);
    let found = async {
        caller.params(&[])?;
        caller.sees_all()?;
        let read = tokio::time::timeout(BODY_DEADLINE, Limited::new(body, BODY_BYTES).collect()).await;
        let Ok(Ok(body)) = read else { return Err(Wrong::Body(super::super::words::TOO_LARGE)) };
        let PreviewBody { body, receiver, explain } =
            serde_json::from_slice(&body.to_bytes()).map_err(|error| Wrong::Body(Words::quoted(error.to_string())))?;
        let kind = Some("application/json".to_owned());
        let explain = explain.then_some(caller.language);
        made(&gate, body.to_string().into_bytes(), kind, Door::Webhook, SourceId::Command, receiver, explain).await
    };
    caller.answer(&gate, found.await)
}

async fn made(
    gate: &Gate,
    body: Vec<u8>,
    kind: Option<String>,
    door: Door,
    source: SourceId,
    receiver: Option<String>,
    explain: Option<Language>,
) -> Result<WouldBeSent, Wrong> {
    let config = gate.server.setup.now().config.clone();
    if receiver.as_ref().is_some_and(|name| !config.receivers.contains_key(name)) {
        return Err(Wrong::NotFound);
    }
    let made = gate.apart(move |gate| {
        let read = ingest::explain(&body, kind.as_deref(), door, &config.payloads, gate.server.clock.now());
        let notification: Notification = read.map_err(|why| why.words())?.notification;
        let kept = preview::kept(&config, &source, &notification);
        let made = previews(gate, &source, &notification, receiver.as_deref()).into_iter().map(|made| {
            let labels = explain.map(|language| {
                let explained = preview::explained(&config, &source, &notification, &made);
                explained.into_iter().map(|explained| Explained::of(explained, language)).collect()
            });
            WouldBe::of(made, labels)
        });
        Ok((made.collect(), kept))
    });
    let made: Result<_, Words> = made.await.ok_or_else(|| Wrong::Failed(words::UNFINISHED))?;
    let (made, kept) = made.map_err(Wrong::Body)?;
    Ok(WouldBeSent { items: made, kept, next: None })
}
