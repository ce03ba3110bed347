//! The door: connections with limits and deadlines, the list of paths, and the answers to webhooks.
//!
//! A webhook is answered 200 only after its alerts are on disk; it never waits for WeCom.

use std::io::Read as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::app::App;
use crate::config::Proof;
use crate::ingest::{self, Door, Presented, Proven, Replays, Seen, Unproven, Why};
use crate::metrics::{Answered, FormatLabel};
use crate::names::SourceId;
use crate::store::StoreError;
use certificates::Vault;
use dropin::Style;
use heard::{Records, Tried};
use intake::{Call, Taken};

mod callback;
mod certificates;
mod details;
mod dropin;
mod heard;
mod intake;
mod link;
mod orders;
mod paths;
mod peer;
mod refusal;
mod scrape;

pub use details::{DigestPage, FoldedInto, PAGE_ITEMS};
pub use heard::{Heard, Record, RefusedCall};
pub use link::LinkKey;
pub use orders::{NoteOrder, RecallAnswer, RecallOrder, RotateOrder};
use refusal::Refusal;
pub use refusal::Refusals;

/// Connections at a time. Each costs a few KB; file descriptors for the store and for WeCom stay free below the
/// usual limit of 1024 only with fewer, so the cap is below it.
const CONNECTIONS: usize = 768;
/// For all headers of a request (F90).
const HEADER_DEADLINE: Duration = Duration::from_secs(5);
/// For the whole body of a request (F90).
const BODY_DEADLINE: Duration = Duration::from_secs(15);
/// A body, as sent and unpacked: Grafana limits itself to 10 MiB (alert-sources §0.3), Alertmanager does not.
const BODY_BYTES: usize = 16 << 20;
/// Bodies above this size are read a few at a time, so that many large ones cannot fill the memory.
const LARGE_BODY: usize = 1 << 20;
const LARGE_BODIES: usize = 4;
/// KiB of bodies that are understood and stored at a time; a larger one is alone. An alert of 25 bytes costs forty
/// times as much while it is understood, so it is this and not the number of connections that bounds the memory.
const ROOM_KIB: u32 = 2048;
/// For requests in flight at shutdown.
const DRAIN: Duration = Duration::from_secs(10);

/// Serves `router` until `stop`, then lets requests in flight finish.
pub async fn serve(listener: TcpListener, router: axum::Router, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let graceful = GracefulShutdown::new();
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEADER_DEADLINE);
    loop {
        // The place is taken before the connection, so that waiting clients wait in the kernel's queue.
        let Ok(place) = places.clone().acquire_owned().await else { break };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        let (stream, socket) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, or the peer is gone already: let others finish first.
                warn!(%error, "A connection could not be accepted.");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        // Small answers must not wait for the next packet.
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(router.clone());
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(peer::Socket(socket));
            service.call(request)
        });
        let connection = server.serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                debug!(%error, "A connection ended early.");
            }
            drop(place);
        });
    }
    drop(listener);
    if tokio::time::timeout(DRAIN, graceful.shutdown()).await.is_err() {
        warn!("Requests did not end in time; their senders will repeat them.");
    }
}

/// All paths, grouped by who calls them.
pub fn router(app: App) -> axum::Router {
    let large = Arc::new(Semaphore::new(LARGE_BODIES));
    let since = jiff::Timestamp::from_millisecond(app.now().0).unwrap_or_default();
    let gate = Gate {
        app: app.clone(),
        large,
        room: Arc::new(Semaphore::new(ROOM_KIB as usize)),
        records: Arc::default(),
        vault: Arc::default(),
        replays: Arc::default(),
        since,
    };
    let routes = axum::Router::new()
        // Grafana, Alertmanager and everything else that has news
        .route("/webhook", post(webhook).put(webhook))
        .route("/webhook/{receiver}", post(webhook_to).put(webhook_to))
        // senders that can neither set a header nor keep a query: the token stands in the path
        .route("/webhook/t/{token}", post(webhook).put(webhook))
        .route("/webhook/t/{token}/{receiver}", post(webhook_behind_token).put(webhook_behind_token))
        // Prometheus, vmalert, Loki, Grafana: as to an Alertmanager
        .route("/api/v2/alerts", post(push))
        .route("/webhook/{receiver}/api/v2/alerts", post(push_to))
        // the same before Alertmanager 0.16: Loki before 3.2 and old vmalerts
        .route("/api/v1/alerts", post(push_v1))
        .route("/webhook/{receiver}/api/v1/alerts", post(push_v1_to))
        // who asks whether this Alertmanager is well
        .route("/api/v2/status", get(scrape::alertmanager_status))
        .route("/-/ready", get(scrape::alertmanager_ready))
        .route("/-/healthy", get(async || "OK"))
        // where Wechat_grafana was
        .route("/api/model/send_sms", post(webhook).put(webhook).get(seed_status))
        .route("/check_service", post(webhook).put(webhook).get(seed_status))
        // operators
        .route("/", get(welcome))
        .route("/healthz", get(healthz))
        .route("/readyz", get(scrape::readyz))
        .route("/metrics", get(scrape::metrics))
        // WeCom, for whoever pressed a button or wrote to an app
        .merge(callback::routes())
        // people, from a message
        .merge(details::routes())
        // commands, beside the running gateway
        .merge(orders::routes())
        .with_state(gate);
    // A layer around a fallback changes the path before the routes see it.
    axum::Router::new()
        .fallback_service(routes)
        .layer(axum::middleware::map_request(paths::plain))
        .layer(axum::middleware::from_fn_with_state(app, refusal::watch))
}

/// What the handlers share.
#[derive(Clone)]
pub(crate) struct Gate {
    pub(crate) app: App,
    large: Arc<Semaphore>,
    room: Arc<Semaphore>,
    /// What was heard of each source.
    records: Arc<Records>,
    /// Certificates of clouds.
    vault: Arc<Vault>,
    /// Signed requests that were taken.
    replays: Arc<Replays<Taken>>,
    /// When it was opened.
    since: jiff::Timestamp,
}

async fn webhook(State(gate): State<Gate>, request: Request) -> Response {
    gate.take(request, Door::Webhook, Style::Ours, None).await
}

async fn webhook_to(State(gate): State<Gate>, Path(receiver): Path<String>, request: Request) -> Response {
    gate.take(request, Door::Webhook, Style::Ours, Some(receiver)).await
}

async fn webhook_behind_token(
    State(gate): State<Gate>,
    Path((_, receiver)): Path<(String, String)>,
    request: Request,
) -> Response {
    gate.take(request, Door::Webhook, Style::Ours, Some(receiver)).await
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

/// What `Wechat_grafana` answered.
async fn seed_status() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], r#"{"status": "OK"}"#).into_response()
}

async fn healthz() -> &'static str {
    "ok\n"
}

/// For whoever opens the address in a browser: what this is and where to point a sender. Says nothing of the
/// configuration.
async fn welcome() -> Html<&'static str> {
    Html(include_str!("../templates/pages/welcome.html"))
}

impl Gate {
    /// Takes a webhook call and answers it.
    async fn take(&self, request: Request, door: Door, style: Style, receiver: Option<String>) -> Response {
        let begun = Instant::now();
        let mut source = None;
        let (format, response) = match self.come_in(request, door, receiver, &mut source).await {
            Ok(taken) => (Some(taken.format), style.taken(taken)),
            Err(refusal) => (None, refusal.cause(source.as_deref()).attach(style.refused(&refusal))),
        };
        let metrics = self.app.metrics();
        metrics.intake_seconds.observe(begun.elapsed().as_secs_f64());
        let answered = Answered { format: FormatLabel(format), status: response.status().as_u16().into() };
        metrics.answers.get_or_create(&answered).inc();
        response
    }

    /// Proves the source, reads the body and admits it, and notes whom that came from. Returns after the commit.
    /// `known` becomes the source as soon as it is proven, for the words about a refusal.
    async fn come_in(
        &self,
        request: Request,
        door: Door,
        receiver: Option<String>,
        known: &mut Option<String>,
    ) -> Result<Taken, Refusal> {
        let mut tried = Tried::of(&request);
        let outcome = self.let_in(request, door, receiver, &mut tried).await;
        match &outcome {
            Ok(_) => self.records.taken(&tried, self.app.now()),
            Err(refusal) => self.records.refused(&tried, refusal, self.app.now()),
        }
        *known = tried.proven_source();
        outcome
    }

    async fn let_in(
        &self,
        request: Request,
        door: Door,
        receiver: Option<String>,
        tried: &mut Tried,
    ) -> Result<Taken, Refusal> {
        let loaded = self.app.loaded();
        let config = &loaded.config;
        let (parts, body) = request.into_parts();
        let headers = parts.headers;
        let anonymous = config.allow_anonymous;
        // A signature covers the path as it was sent.
        let uri = parts.extensions.get::<paths::Sent>().map_or(&parts.uri, |sent| &sent.0);
        let presented = Presented { method: &parts.method, uri, headers: &headers, peer: tried.peer };
        // Who cannot be let in whatever the body says is not read.
        if !anonymous {
            let proven =
                ingest::could_prove(&config.sources, &presented).map_err(|unproven| tried.unproven(unproven))?;
            if let Some(proven) = &proven {
                tried.proven(proven);
            }
        }
        let (body, _place) = self.read(&headers, body).await?;
        let received_at = self.app.now();
        let mut certificates = self.vault.all(received_at);
        let mut proof = ingest::prove(&config.sources, &presented, &body, &certificates, received_at);
        if let Err(Unproven { why: Why::CertificateNeeded(url), .. }) = &proof {
            if !self.vault.fetch(url, received_at).await {
                return Err(Refusal::Certificate);
            }
            certificates = self.vault.all(received_at);
            proof = ingest::prove(&config.sources, &presented, &body, &certificates, received_at);
        }
        let (source, once) = match proof {
            Ok(proven) => {
                tried.proven(&proven);
                self.confirm(&proven, &body);
                (SourceId::Configured(proven.source.name.clone()), proven.once)
            }
            Err(_) if anonymous => (SourceId::Anonymous, None),
            Err(unproven) => return Err(tried.unproven(unproven)),
        };
        match once.as_ref().map_or(Seen::New, |once| self.replays.seen(once, uri.path())) {
            Seen::New => {}
            Seen::Retry(taken) => return Ok(taken.again()),
            Seen::Elsewhere => {
                let (source, kind) = (tried.source.clone(), tried.kind);
                return Err(tried.unproven(Unproven { source, kind, why: Why::Replayed }));
            }
        }
        let _room = self.room.acquire_many(room(&headers, &body)).await;
        let body = unpack(&headers, body)?;
        let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let taken = self.admit(Call { source, door, receiver, content_type, body, received_at }).await?;
        if let Some(once) = once {
            self.replays.remember(&once, uri.path(), taken.clone(), received_at);
        }
        Ok(taken)
    }

    /// Confirms the subscription of a topic, where the configuration says so and the link is the vendor's. What the
    /// envelope says goes to people all the same.
    fn confirm(&self, proven: &Proven<'_>, body: &[u8]) {
        let envelopes = proven.source.proofs.iter().filter_map(|proof| match proof {
            Proof::Envelope(envelope) if envelope.confirm && envelope.vendor.kind() == proven.kind => Some(envelope),
            _ => None,
        });
        for url in envelopes.filter_map(|envelope| ingest::confirmation(envelope, body)) {
            let (vault, source) = (self.vault.clone(), proven.source.name.clone());
            tokio::spawn(async move { vault.confirm(&source, &url).await });
        }
    }

    fn store_refusal(&self, error: StoreError) -> Refusal {
        self.app.store_failed(&error);
        Refusal::Store(error)
    }

    /// The body, within its size and its time; large ones only a few at a time.
    async fn read(
        &self,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<(Bytes, Option<tokio::sync::OwnedSemaphorePermit>), Refusal> {
        let announced =
            headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        if announced.is_some_and(|length| length > BODY_BYTES) {
            return Err(Refusal::TooLarge);
        }
        let place = if announced.is_none_or(|length| length > LARGE_BODY) {
            self.large.clone().acquire_owned().await.ok()
        } else {
            None
        };
        match tokio::time::timeout(BODY_DEADLINE, Limited::new(body, BODY_BYTES).collect()).await {
            Ok(Ok(body)) => Ok((body.to_bytes(), place)),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Refusal::TooLarge),
            // The connection broke: nobody is left to read the answer.
            Ok(Err(_)) | Err(_) => Err(Refusal::Slow),
        }
    }
}

/// The KiB that a body takes up of [`ROOM_KIB`]. What a packed one unpacks to is not known yet.
fn room(headers: &HeaderMap, body: &Bytes) -> u32 {
    if headers.contains_key(header::CONTENT_ENCODING) {
        return ROOM_KIB;
    }
    u32::try_from(body.len() / 1024 + 1).map_or(ROOM_KIB, |kib| kib.min(ROOM_KIB))
}

/// The body as it was before `Content-Encoding`; bounded, whatever a bomb claims (F92).
fn unpack(headers: &HeaderMap, body: Bytes) -> Result<Bytes, Refusal> {
    let encoding = headers.get(header::CONTENT_ENCODING).map_or("", |value| value.to_str().unwrap_or("?"));
    match encoding.trim().to_ascii_lowercase().as_str() {
        "" | "identity" => Ok(body),
        "gzip" | "x-gzip" => {
            let mut plain = Vec::new();
            let mut unpacked = flate2::read::MultiGzDecoder::new(&body[..]).take(BODY_BYTES as u64 + 1);
            unpacked
                .read_to_end(&mut plain)
                .map_err(|error| Refusal::Encoding(format!("gzip 损坏 broken gzip: {error}")))?;
            if plain.len() > BODY_BYTES { Err(Refusal::TooLarge) } else { Ok(plain.into()) }
        }
        _ => Err(Refusal::Encoding("只支持 gzip 压缩 only gzip encoding is supported".into())),
    }
}
