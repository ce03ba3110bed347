//! The HTTP server: connections with limits and deadlines, the paths, and the answers to webhooks.
//!
//! A webhook is answered 200 only after its alerts are on disk; it never waits for WeCom.

use std::sync::Arc;
use std::time::Instant;

use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::{Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, get, on, post};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use crate::alert::Format;
use crate::answer::Acts;
use crate::config::Area;
use crate::console::WelcomePage;
use crate::fuse::Fuse;
use crate::incidents::Incidents;
use crate::ingest::Door;
use crate::intake::{Call, Intake, LARGE_BODY, Receipt, Refused, aside};
use crate::links::Links;
use crate::live::Live;
use crate::metrics::{Answered, FormatLabel, Metrics};
use crate::proof::{Replays, Seen, Unproven, Why};
use crate::room::{Part, Room};
use crate::store::Store;
use crate::time::Clock;
use crate::traces::Parent;
use crate::watch::Storage;
use body::{Standing, packing};
use certificates::Vault;
use dropin::{Style, Wanted};
use heard::{Records, Tried};
use proving::Proved;

pub mod api;
mod aside;
mod body;
mod callback;
mod certificates;
mod console;
mod details;
mod door;
mod dropin;
mod guests;
mod heard;
mod listen;
mod lobby;
mod local;
mod orders;
mod pages;
mod paths;
mod peer;
mod picture;
mod probing;
mod proving;
mod proxied;
mod query;
mod refusal;
mod scrape;
mod setup;
mod short;
mod tls;
mod words;

pub use api::{EndTokenOrder, TokenOrder, openapi};
pub use console::{EndOrder, LinkOrder};
use guests::BODY_DEADLINE;
pub use heard::{Record, RefusedCall};
pub use listen::{Doors, raise_descriptors, serve};
use lobby::Seat;
pub use orders::{
    LogAnswer, LogOrder, NoteOrder, RecallAnswer, RecallOrder, Reload, ReloadAnswer, RotateOrder, SupportAnswer,
};
use refusal::Refusal;
use refusal::Refusals;
use scrape::Figures;
pub use setup::Setup;

/// The methods by which senders send.
const SENDING: MethodFilter = MethodFilter::GET.or(MethodFilter::POST).or(MethodFilter::PUT).or(MethodFilter::PATCH);

/// The paths for monitoring.
fn watched() -> axum::Router<Gate> {
    axum::Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(scrape::readyz))
        .route("/metrics", get(scrape::metrics))
}

/// All paths, grouped by who calls them; only those for `areas`, if there are any.
fn router(gate: Gate, areas: Vec<Area>) -> axum::Router {
    let (refusals, setup) = (gate.refusals.clone(), gate.server.setup.clone());
    let routes = axum::Router::new()
        // Grafana, Alertmanager and all other senders
        .route("/webhook", on(SENDING, webhook))
        .route("/webhook/{receiver}", on(SENDING, webhook_to))
        // senders that can neither set a header nor keep a query: the token stands in the path
        .route("/webhook/t/{token}", on(SENDING, webhook))
        .route("/webhook/t/{token}/{receiver}", on(SENDING, webhook_behind_token))
        // Prometheus, vmalert, Loki, Grafana: as to an Alertmanager
        .route("/api/v2/alerts", post(push))
        .route("/webhook/{receiver}/api/v2/alerts", post(push_to))
        // the same before Alertmanager 0.16: Loki before 3.2 and old vmalerts
        .route("/api/v1/alerts", post(push_v1))
        .route("/webhook/{receiver}/api/v1/alerts", post(push_v1_to))
        // checks of this "Alertmanager"
        .route("/api/v2/status", get(scrape::alertmanager_status))
        .route("/-/ready", get(scrape::alertmanager_ready))
        .route("/-/healthy", get(async || "OK"))
        // where Wechat_grafana was
        .route("/api/model/send_sms", on(SENDING, webhook))
        .route("/check_service", on(SENDING, webhook))
        // operators
        .route("/", get(welcome))
        .merge(watched())
        // WeCom, after a press of a button or a text to an app
        .merge(callback::routes())
        // people, from a message
        .merge(details::routes())
        .merge(pages::routes())
        .merge(console::routes().route_layer(axum::middleware::from_fn(aside::aside)))
        .merge(picture::routes())
        .merge(short::routes())
        // programs with a token
        .merge(api::routes().route_layer(axum::middleware::from_fn(aside::aside)))
        // commands, beside the running gateway
        .merge(orders::routes())
        // senders that speak to another program
        .merge(dropin::routes())
        .with_state(gate);
    // A layer around a fallback changes the path before the routes see it.
    axum::Router::new()
        .fallback_service(routes)
        .layer(axum::middleware::from_fn_with_state(Arc::new(areas), refusal::only))
        .layer(axum::middleware::from_fn_with_state(setup, paths::plain))
        .layer(axum::middleware::from_fn_with_state(refusals, refusal::watch))
}

/// What the server works with.
#[derive(Debug)]
pub struct Server {
    /// What the configuration gives it.
    pub setup: Live<Setup>,
    /// The record, for pages, orders and figures.
    pub store: Store,
    /// Now.
    pub clock: Clock,
    /// The memory that bodies share.
    pub room: Arc<Room>,
    /// The key of links.
    pub links: Links,
    /// Where alerts go.
    pub intake: Intake,
    /// What people ask for.
    pub acts: Acts,
    /// What wegraf tells of itself.
    pub incidents: Arc<Incidents>,
    /// The disk space of the store.
    pub storage: Arc<Storage>,
    /// What this process counts.
    pub metrics: Arc<Metrics>,
    /// What failures of the store are reported to.
    pub fuse: Fuse,
    /// Where a command's request for a reload goes.
    pub reloads: mpsc::Sender<Reload>,
}

/// What the handlers share.
#[derive(Clone)]
pub(crate) struct Gate {
    server: Arc<Server>,
    refusals: Arc<Refusals>,
    figures: Figures,
    /// One large body of an unauthenticated sender is checked at a time: that takes processor time, which others need.
    proving: Arc<Semaphore>,
    /// The last calls of each source.
    records: Arc<Records>,
    /// Certificates of clouds.
    vault: Arc<Vault>,
    /// Signed requests that were accepted.
    replays: Arc<Replays<Receipt>>,
    /// The pages that are kept up to date.
    streams: Arc<console::Streams>,
    /// Ends what would go on: the process stops.
    stop: CancellationToken,
    /// How often each token of the API asks.
    rates: Arc<api::Rates>,
    /// Who began to sign in by WeCom.
    starts: Arc<short::Misses>,
    /// Held while a file of the configuration is saved.
    saving: Arc<tokio::sync::Mutex<()>>,
    /// Trials of templates run one at a time: each may take seconds of a processor.
    previews: Arc<Semaphore>,
    /// Passwords that are tried.
    guesses: Arc<console::Guesses>,
    /// Who asked for short links that do not exist.
    misses: Arc<short::Misses>,
    /// When it was opened.
    since: jiff::Timestamp,
}

async fn webhook(State(gate): State<Gate>, request: Request) -> Response {
    gate.take_notification(request, None).await
}

async fn webhook_to(State(gate): State<Gate>, Path(receiver): Path<String>, request: Request) -> Response {
    gate.take_notification(request, Some(receiver)).await
}

async fn webhook_behind_token(
    State(gate): State<Gate>,
    Path((_, receiver)): Path<(String, String)>,
    request: Request,
) -> Response {
    gate.take_notification(request, Some(receiver)).await
}

async fn push_v1(State(gate): State<Gate>, request: Request) -> Response {
    gate.take(request, Door::AlertsPush, Style::AlertmanagerV1, None).await
}

async fn push_v1_to(State(gate): State<Gate>, Path(receiver): Path<String>, request: Request) -> Response {
    gate.take(request, Door::AlertsPush, Style::AlertmanagerV1, Some(receiver)).await
}

async fn push(State(gate): State<Gate>, request: Request) -> Response {
    gate.take(request, Door::AlertsPush, Style::AlertmanagerV2, None).await
}

async fn push_to(State(gate): State<Gate>, Path(receiver): Path<String>, request: Request) -> Response {
    gate.take(request, Door::AlertsPush, Style::AlertmanagerV2, Some(receiver)).await
}

async fn healthz() -> &'static str {
    "ok\n"
}

/// A page for browsers that open the address: what this is and where to point a sender. Reveals nothing of the
/// configuration. A program that probes for a2w gets a2w's answer if a source enables that address.
async fn welcome(State(gate): State<Gate>, parts: Parts) -> Response {
    let setup = gate.server.setup.now();
    if dropin::looks_for_a2w(&setup.config, &parts.headers) {
        return "ok".into_response();
    }
    let reader = pages::Reader::of(&parts);
    pages::answer(StatusCode::OK, &WelcomePage { f: reader.frame(setup.config.language) }, &[])
}

/// The share of the memory budget of a body, until it is stored.
struct Held {
    _arrived: Option<Part>,
    _understood: Part,
}

impl Gate {
    fn new(server: Arc<Server>, refusals: Arc<Refusals>, figures: Figures, stop: CancellationToken) -> Self {
        let since = jiff::Timestamp::from_millisecond(server.clock.now().0).unwrap_or_default();
        Self {
            server,
            refusals,
            figures,
            proving: Arc::new(Semaphore::new(1)),
            records: Arc::default(),
            vault: Arc::default(),
            replays: Arc::default(),
            streams: Arc::default(),
            stop,
            rates: Arc::default(),
            starts: Arc::default(),
            guesses: Arc::default(),
            saving: Arc::default(),
            previews: Arc::new(Semaphore::new(1)),
            misses: Arc::default(),
            since,
        }
    }

    /// Does what takes a processor for long, one at a time and beside the threads that answer: templates and mappings are
    /// programs. `None`: it panicked.
    async fn apart<T: Send + 'static>(&self, work: impl FnOnce(&Self) -> T + Send + 'static) -> Option<T> {
        let (gate, place) = (self.clone(), self.previews.clone().acquire_owned().await);
        let done = tokio::task::spawn_blocking(move || {
            let _place = place;
            work(&gate)
        });
        done.await.ok()
    }

    /// Handles a webhook call and answers it.
    async fn take(&self, request: Request, door: Door, style: Style, receiver: Option<String>) -> Response {
        let begun = Instant::now();
        let mut source = None;
        let (format, response) =
            match self.receive(request, door, Wanted { receiver, ..Wanted::default() }, &mut source).await {
                Ok(receipt) => (Some(receipt.format), style.taken(&receipt)),
                Err(refusal) => (None, refusal.cause(source.as_deref()).attach(style.refused(&refusal))),
            };
        self.answered(begun, format, response)
    }

    /// Handles a notification by any method: its body, or else its query. A GET with neither is a probe, which is
    /// answered as by `Wechat_grafana`.
    async fn take_notification(&self, request: Request, receiver: Option<String>) -> Response {
        let (mut parts, body) = request.into_parts();
        let said = query::body(&parts, &self.server.setup.now().config.sources);
        let said = said.filter(|_| parts.method != Method::HEAD);
        // A body is begun only where it may be empty and the query would count: its time runs from then on, and a large one
        // waits for memory first.
        let body = if said.is_some() && !parts.headers.contains_key(header::CONTENT_LENGTH) {
            body::begun(body).await
        } else {
            Some(body).filter(|body| !body.is_end_stream())
        };
        if let Some(body) = body {
            return self.take(Request::from_parts(parts, body), Door::Webhook, Style::Ours, receiver).await;
        }
        let body = match said {
            Some(body) => {
                parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
                parts.headers.remove(header::CONTENT_ENCODING);
                parts.headers.remove(header::CONTENT_LENGTH);
                parts.headers.remove(header::TRANSFER_ENCODING);
                Body::from(body)
            }
            None if matches!(parts.method, Method::GET | Method::HEAD) => {
                return ([(header::CONTENT_TYPE, "application/json")], r#"{"status": "OK"}"#).into_response();
            }
            // Refused as empty.
            None => Body::empty(),
        };
        self.take(Request::from_parts(parts, body), Door::Webhook, Style::Ours, receiver).await
    }

    /// Counts the answer to a call that began at `begun`.
    fn answered(&self, begun: Instant, format: Option<Format>, response: Response) -> Response {
        let metrics = &self.server.metrics;
        metrics.intake_seconds.observe(begun.elapsed().as_secs_f64());
        let answered = Answered { format: FormatLabel(format), status: response.status().as_u16().into() };
        metrics.answers.get_or_create(&answered).inc();
        response
    }

    /// The body of a sender that its address (`Standing::Proven`) or only the body itself (`Standing::Claimed`) proves,
    /// decoded, with its share of the memory budget.
    async fn body(&self, parts: &Parts, body: Body, standing: Standing) -> Result<(Bytes, Held), Refusal> {
        let seat = parts.extensions.get::<Seat>().cloned();
        if let Some(seat) = seat.as_ref().filter(|_| standing == Standing::Proven) {
            seat.prove();
        }
        let (body, arrived) = self.read(&parts.headers, body, standing, seat.as_ref()).await?;
        let packing = packing(&parts.headers)?;
        let packed = body.clone();
        let weight = aside(body.len() > LARGE_BODY, move || packing.weigh(&packed)).await?;
        let understood = self.server.room.understood(weight.memory()).await.map_err(Refused::NoRoom)?;
        Ok((packing.unpack(body, &weight)?, Held { _arrived: arrived, _understood: understood }))
    }

    /// Proves the source, reads the body and admits it, and records the sender. Returns after the commit. `known`
    /// becomes the source as soon as it is proven, for the text of a refusal.
    async fn receive(
        &self,
        request: Request,
        door: Door,
        wanted: Wanted,
        known: &mut Option<String>,
    ) -> Result<Receipt, Refusal> {
        let mut tried = Tried::of(&request, &self.server.setup.now().config);
        let outcome = self.prove_and_admit(request, door, wanted, &mut tried).await;
        match &outcome {
            Ok(_) => self.records.taken(&tried, self.server.clock.now()),
            Err(refusal) => self.records.refused(&tried, refusal, self.server.clock.now()),
        }
        *known = tried.proven_source();
        outcome
    }

    async fn prove_and_admit(
        &self,
        request: Request,
        door: Door,
        wanted: Wanted,
        tried: &mut Tried,
    ) -> Result<Receipt, Refusal> {
        let setup = self.server.setup.now();
        let Proved { asked, source, once, part, packing } = self.prove(request, &setup, tried).await?;
        let path = asked.presented().uri.path();
        match once.as_ref().map_or(Seen::New, |once| self.replays.seen(once, path)) {
            Seen::New => {}
            Seen::Retry(receipt) => return Ok(Receipt { duplicate: true, ..receipt }),
            Seen::Elsewhere => {
                let (source, kind) = (tried.source.clone(), tried.kind);
                return Err(tried.unproven(Unproven { source, kind, why: Why::Replayed }));
            }
        }
        let content_type = asked.parts.headers.get(header::CONTENT_TYPE);
        let content_type = content_type.and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (body, received_at) = (asked.body.clone(), asked.received_at);
        let receivers = wanted.receivers(&setup.config, &source);
        let Wanted { receiver, called, .. } = wanted;
        let parent = parent(&asked.parts.headers);
        let call =
            Call { source, door, receiver, receivers, called, content_type, body, packing, part, received_at, parent };
        let receipt = self.server.intake.admit(call).await?;
        if let Some(once) = once {
            self.replays.remember(&once, path, receipt.clone(), received_at);
        }
        Ok(receipt)
    }
}

/// The trace that a request belongs to.
fn parent(headers: &HeaderMap) -> Option<Parent> {
    Parent::read(headers.get("traceparent")?.to_str().ok()?)
}
