//! Refusals: logged, counted, reported as a fault if they continue, and delayed for wrong guesses.
//!
//! One layer around all paths sees every answer ([`watch`]); a handler only gives the reason ([`Cause`]). [`Book`]
//! makes the decisions; the time is passed in. A request that is not refused passes untouched: a valid credential is
//! never delayed because of other requests from its address.

mod book;
mod path;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tokio::sync::Semaphore;
use tracing::{debug, warn};

use super::lobby::Seat;
use super::peer::Peer;
use super::{Server, Setup, paths, words};
use crate::config::Area;
use crate::incidents::{Incidents, Kind, Subject};
use crate::intake::Refused;
use crate::live::Live;
use crate::metrics::{self, Answered, FormatLabel, Metrics};
use crate::proof::{self, Unproven, Why};
use crate::room::NoRoom;
use crate::time::Clock;
use crate::words::Words;
use book::{Book, Entry, Noted, Theme};
use path::Place;
pub(super) use path::shown;

/// Answers to wrong guesses that are delayed concurrently; each holds a connection and a few KB. Beyond that they are
/// sent at once and end their connection.
const HELD_BACK: usize = 512;
/// Interval of checking whether the log left refusals out.
const TELL: Duration = Duration::from_secs(1);
/// Characters of a reason in the log: it may quote what was sent.
const DETAIL: usize = 200;

/// Why a webhook call was refused.
#[derive(Debug)]
pub(super) enum Refusal {
    /// No source is proven. The sender gets no detail.
    Unproven(Unproven),
    /// The certificate that would prove the source cannot be fetched now: the sender should retry.
    Certificate,
    /// The body arrived too slowly.
    Slow,
    /// The sender ended the body before its announced length.
    Cut,
    /// Too many bodies of unproven senders at a time.
    Busy,
    /// The source is proven, and its call is not stored.
    Intake(Refused),
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        Self::Intake(refused)
    }
}

impl Refusal {
    /// The status of the answer, and the reason for the sender, whose language is not known.
    pub fn said(&self) -> (StatusCode, String) {
        let (status, words) = self.words();
        (status, words.to_string())
    }

    /// The status of the answer, and the reason.
    pub fn words(&self) -> (StatusCode, Words) {
        match self {
            Self::Unproven(_) => (StatusCode::UNAUTHORIZED, words::CREDENTIALS),
            Self::Intake(Refused::OutOfScope { source, receiver }) => {
                (StatusCode::FORBIDDEN, words::out_of_scope(source, receiver))
            }
            Self::Certificate => (StatusCode::SERVICE_UNAVAILABLE, words::NO_CERTIFICATE),
            Self::Slow => (StatusCode::REQUEST_TIMEOUT, words::SLOW),
            Self::Cut => (StatusCode::REQUEST_TIMEOUT, words::CUT),
            Self::Intake(Refused::TooLarge) => (StatusCode::PAYLOAD_TOO_LARGE, words::TOO_LARGE),
            Self::Intake(Refused::NoRoom(NoRoom::Ever { needs, share })) => {
                (StatusCode::PAYLOAD_TOO_LARGE, words::too_many(needs.div_ceil(1 << 20), share >> 20))
            }
            Self::Busy | Self::Intake(Refused::NoRoom(NoRoom::Now)) => (StatusCode::SERVICE_UNAVAILABLE, words::BUSY),
            Self::Intake(Refused::Encoding(reason)) => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, Words::quoted(reason.clone()))
            }
            Self::Intake(Refused::Unreadable(reason)) => {
                let status = StatusCode::from_u16(reason.status()).unwrap_or(StatusCode::BAD_REQUEST);
                (status, reason.words())
            }
            // The reason may contain a path: it is logged, not sent to the sender.
            Self::Intake(Refused::Store(_)) => (StatusCode::SERVICE_UNAVAILABLE, words::NOT_STORED),
        }
    }

    /// The same for the operator. `source` is the proven one.
    pub fn cause(&self, source: Option<&str>) -> Cause {
        let cause = match self {
            Self::Unproven(unproven) => return Cause::unproven(unproven),
            Self::Intake(Refused::OutOfScope { receiver, .. }) => Cause::new("scope").detail(receiver),
            Self::Certificate => Cause::new("certificate"),
            Self::Slow => Cause::new("slow"),
            Self::Cut => Cause::new("cut"),
            Self::Intake(Refused::TooLarge) => Cause::new("too_large"),
            Self::Intake(Refused::NoRoom(NoRoom::Ever { .. })) => Cause::new("too_many").detail(self.said().1),
            Self::Busy | Self::Intake(Refused::NoRoom(NoRoom::Now)) => Cause::new("busy"),
            Self::Intake(Refused::Encoding(reason)) => Cause::new("encoding").detail(reason),
            Self::Intake(Refused::Unreadable(reason)) => Cause::new("unreadable").detail(reason.words().en),
            Self::Intake(Refused::Store(error)) => Cause::new("store").detail(error.to_string()),
        };
        match source {
            Some(source) => cause.of(source),
            None => cause,
        }
    }
}

/// Adds the headers that every refusal with this status has.
pub(super) fn with_headers(mut answer: Response) -> Response {
    let (name, value) = match answer.status() {
        StatusCode::SERVICE_UNAVAILABLE => (header::RETRY_AFTER, "5"),
        StatusCode::UNAUTHORIZED => (header::WWW_AUTHENTICATE, "Bearer, Basic realm=\"wegraf\""),
        _ => return answer,
    };
    answer.headers_mut().insert(name, HeaderValue::from_static(value));
    answer
}

/// Why a request was refused, attached by a handler to its answer.
#[derive(Debug, Clone)]
pub(super) struct Cause {
    /// One word of a closed set: for metrics and the log.
    reason: &'static str,
    /// In words, for the log.
    detail: String,
    /// The proven or claimed source, if known.
    source: Option<String>,
    /// Is the source proven?
    proven: bool,
    /// The kind of credential that was tried.
    credential: Option<&'static str>,
    /// Was it a guess: a credential, a link or a signature that was never ours?
    guess: bool,
}

impl Cause {
    /// The reason of an answer of the API that is no fault of wegraf or of a sender.
    pub const QUESTION: &str = "question";
    /// The credential of a local administrator.
    pub const PASSWORD: &str = "password";

    /// A cause with `reason`, a word of a closed set.
    pub fn new(reason: &'static str) -> Self {
        Self { reason, detail: String::new(), source: None, proven: false, credential: None, guess: false }
    }

    /// No source is proven.
    pub fn unproven(unproven: &Unproven) -> Self {
        let guess = matches!(unproven.why, Why::Unknown | Why::Signature);
        Self {
            source: unproven.source.clone(),
            credential: unproven.kind.map(proof::Kind::as_str),
            guess,
            ..Self::new(unproven.why.as_str()).detail(unproven.to_string())
        }
    }

    /// A forged credential of this kind: further guesses of its sender are delayed.
    pub fn guess(reason: &'static str, credential: &'static str) -> Self {
        Self { credential: Some(credential), guess: true, ..Self::new(reason) }
    }

    /// With details for the operator. They may quote the request.
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    /// For a proven source, whose request will never be accepted.
    pub fn of(mut self, source: &str) -> Self {
        self.source = Some(source.to_owned());
        self.proven = true;
        self
    }

    /// Passes it to the layer, with the answer.
    pub fn attach(self, mut answer: Response) -> Response {
        answer.extensions_mut().insert(self);
        answer
    }

    /// The cause if no handler gives more than the status.
    fn of_status(status: StatusCode) -> Self {
        Self::new(match status {
            StatusCode::NOT_FOUND => "no_such_path",
            StatusCode::METHOD_NOT_ALLOWED => "method",
            StatusCode::REQUEST_TIMEOUT => "slow",
            StatusCode::PAYLOAD_TOO_LARGE => "too_large",
            StatusCode::UNSUPPORTED_MEDIA_TYPE => "encoding",
            StatusCode::SERVICE_UNAVAILABLE => "unavailable",
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => "not_allowed",
            _ => "unreadable",
        })
    }
}

/// Is it a refusal? An order that cannot be done (409) is an answer, and a form without a name (422) is shown again;
/// our own failures (500) are logged where they happen.
fn is_refusal(status: StatusCode) -> bool {
    let answered = matches!(status, StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY);
    status == StatusCode::SERVICE_UNAVAILABLE || status.is_client_error() && !answered
}

/// The refusals of this process, and where they are told.
#[derive(Debug)]
pub(super) struct Refusals {
    setup: Live<Setup>,
    clock: Clock,
    metrics: Arc<Metrics>,
    incidents: Arc<Incidents>,
    book: Mutex<Book>,
    held_back: Semaphore,
}

impl Refusals {
    /// None yet.
    pub fn of(server: &Server) -> Self {
        Self {
            setup: server.setup.clone(),
            clock: server.clock.clone(),
            metrics: server.metrics.clone(),
            incidents: server.incidents.clone(),
            book: Mutex::default(),
            held_back: Semaphore::new(HELD_BACK),
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Logs how many refusals were not logged, once for each window. Never returns.
    pub async fn tell(&self) {
        loop {
            tokio::time::sleep(TELL).await;
            let left_out = self.book().left_out(Instant::now());
            if let Some((count, which)) = left_out {
                warn!(count, which, "Refusals were left out of the log.");
            }
        }
    }
}

/// Hands on only requests of those whom an address serves; without `areas` it serves all.
pub(super) async fn only(State(areas): State<Arc<Vec<Area>>>, request: Request, next: Next) -> Response {
    let place = Place::asked(request.method(), request.uri().path());
    if areas.is_empty() || place.areas().iter().any(|area| areas.contains(area)) {
        return next.run(request).await;
    }
    StatusCode::NOT_FOUND.into_response()
}

/// Sees every answer. Puts the [`Peer`] into the extensions of each incoming request.
pub(super) async fn watch(State(refusals): State<Arc<Refusals>>, mut request: Request, next: Next) -> Response {
    let peer = Peer::of(request.headers(), request.extensions(), &refusals.setup.now().config.trusted_proxies);
    request.extensions_mut().insert(peer);
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let seat = request.extensions().get::<Seat>().cloned();
    let mut answer = next.run(request).await;
    let status = answer.status();
    let said = answer.extensions_mut().remove::<Cause>();
    let setup = refusals.setup.now();
    let path = paths::below(&setup.config.base_path, uri.path());
    if said.is_none() && !is_refusal(status) {
        debug!(%peer, %method, path = path::shown(path, &setup.config), status = status.as_u16(), "A request was answered.");
        return answer;
    }
    // Some APIs refuse with HTTP 200 and a code of their own; then only the handler knows.
    let cause = said.unwrap_or_else(|| Cause::of_status(status));
    let seen = Seen { peer, method: Some(method), path, status };
    let noted = seen.note(&refusals, &cause);
    if noted.delay.is_zero() {
        return answer;
    }
    match refusals.held_back.try_acquire() {
        Ok(_held) => {
            if let Some(seat) = seat {
                seat.hold_back();
            }
            tokio::time::sleep(noted.delay).await;
        }
        Err(_) => {
            answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
    }
    answer
}

/// Records a request whose head could not be read: not HTTP/1 (TLS to a plain port, HTTP/2), or too large. Its
/// connection ends with the answer.
pub(super) fn unreadable_head(refusals: &Refusals, socket: IpAddr, error: &hyper::Error) {
    let (status, reason) = if error.is_parse_too_large() {
        (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "head_too_large")
    } else {
        (StatusCode::BAD_REQUEST, "not_http")
    };
    let seen = Seen { peer: Peer::direct(socket), method: None, path: "…", status };
    seen.note(refusals, &Cause::new(reason).detail(error.to_string()));
}

/// What a connection must begin with before any request.
#[derive(Debug, Clone, Copy)]
pub(super) enum Opening {
    /// TLS, at an address that speaks it: the client spoke none, or did not take the certificate.
    Handshake,
    /// The PROXY protocol, from a trusted proxy.
    ProxyHeader,
}

/// Records a connection that did not begin as it must.
pub(super) fn without(opening: Opening, refusals: &Refusals, socket: IpAddr, error: &std::io::Error) {
    let reason = match opening {
        Opening::Handshake => "no_handshake",
        Opening::ProxyHeader => "no_proxy_header",
    };
    let seen = Seen { peer: Peer::direct(socket), method: None, path: "…", status: StatusCode::BAD_REQUEST };
    seen.note(refusals, &Cause::new(reason).detail(error.to_string()));
}

/// A refused request.
struct Seen<'a> {
    peer: Peer,
    /// `None`: its head could not be read.
    method: Option<Method>,
    path: &'a str,
    status: StatusCode,
}

impl Seen<'_> {
    /// Counts it, and logs and reports it if due.
    fn note(&self, refusals: &Refusals, cause: &Cause) -> Noted {
        let place = Place::of(self.path);
        count(refusals, place, self.status, cause);
        let entry = Entry {
            site: self.peer.site(),
            status: self.status.as_u16(),
            reason: cause.reason,
            guessed: cause.credential.filter(|_| cause.guess),
            // Scanners send what is no HTTP: it is in the log and in the metric, and no trouble of wegraf.
            theme: self.method.as_ref().and_then(|method| theme(place, self.status, cause, method.is_safe())),
        };
        let noted = refusals.book().note(&entry, Instant::now(), refusals.clock.now());
        if noted.log {
            self.log(refusals, cause);
        }
        if let Some((theme, times)) = &noted.trouble {
            let Words { zh, en } = self.words(refusals, cause, theme, *times);
            refusals.incidents.note(
                Kind::Refused,
                Subject::Outside(theme.to_string()),
                [zh.into_owned(), en.into_owned()],
                refusals.clock.now(),
            );
        }
        noted
    }

    fn method(&self) -> &str {
        self.method.as_ref().map_or("-", Method::as_str)
    }

    fn log(&self, refusals: &Refusals, cause: &Cause) {
        let detail: String = cause.detail.chars().take(DETAIL).collect();
        warn!(
            peer = %self.peer,
            method = self.method(),
            path = path::shown(self.path, &refusals.setup.now().config),
            status = self.status.as_u16(),
            reason = cause.reason,
            source = cause.source.as_deref().unwrap_or("-"),
            credential = cause.credential.unwrap_or("-"),
            detail,
            "A request was refused."
        );
    }

    /// What happened and how to repair it, in Chinese and English.
    fn words(&self, refusals: &Refusals, cause: &Cause, theme: &Theme, times: usize) -> Words {
        let Self { peer, path, status, .. } = self;
        let last = format!(
            "{peer} {} {} → {} {}",
            self.method(),
            path::shown(path, &refusals.setup.now().config),
            status.as_u16(),
            cause.reason
        );
        words::repeated(&theme.remedy(), times, &last)
    }
}

fn count(refusals: &Refusals, place: Place, status: StatusCode, cause: &Cause) {
    let refused = metrics::Refused { path: place.as_str(), status: status.as_u16().into(), reason: cause.reason };
    refusals.metrics.refusals.get_or_create(&refused).inc();
    // A sender with a misspelt address is recorded as a refused call.
    if matches!(status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED) && place.is_for_senders() {
        let answered = Answered { format: FormatLabel(None), status: status.as_u16().into() };
        refusals.metrics.answers.get_or_create(&answered).inc();
    }
}

/// The theme under which repeated refusals are reported. Browsers and scanners request unknown paths: only a sender
/// that misses its address is a fault, and senders use POST.
fn theme(place: Place, status: StatusCode, cause: &Cause, safe: bool) -> Option<Theme> {
    if let Some(source) = cause.source.as_ref().filter(|_| cause.proven) {
        return (status != StatusCode::SERVICE_UNAVAILABLE).then(|| Theme::Source(source.clone()));
    }
    // Some programs refuse a wrong token with another status.
    // A program asks wrongly: it is told, and may be alone.
    if cause.reason == Cause::QUESTION {
        return None;
    }
    if cause.credential == Some(Cause::PASSWORD) && cause.guess {
        return Some(Theme::Passwords);
    }
    if cause.guess && matches!(place, Place::Webhook | Place::Push | Place::Other) {
        return Some(Theme::Credentials);
    }
    match status {
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => (!safe).then_some(Theme::Addresses),
        // The store's fault, which is reported separately and could not be stored here.
        // Nor do short links that end, and codes that are guessed, concern a sender.
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::GONE | StatusCode::TOO_MANY_REQUESTS => None,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Some(match place {
            // Links expire, and acts may be restricted: only forged links are a fault.
            Place::Page if !cause.guess => return None,
            Place::Page => Theme::Links,
            Place::Callback => Theme::Callbacks,
            Place::Order => Theme::Orders,
            _ => Theme::Credentials,
        }),
        _ => Some(Theme::Bodies),
    }
}
