//! The control API under `/_simulator/`: looking at what happened, and making things happen. JSON in, JSON out; an
//! error is HTTP 400 with `{"error": "what and why"}`.
//!
//! | call | does |
//! |---|---|
//! | `GET /_simulator/messages?user=&chat=&webhook=&bot=&said=&since=` | what was delivered, as its readers see it; `since` is an id; with `said=true` also what people said |
//! | `GET /_simulator/dropped` | messages that a limit dropped silently |
//! | `GET /_simulator/requests?path=&since=` | the requests to the API, with what was answered |
//! | `GET /_simulator/counters` | sums, and the busiest minute of each receiver |
//! | `POST /_simulator/reset` | starts afresh, clock, switches and faults included; with a set-up as body, with that |
//! | `GET, POST /_simulator/clock` | `{"advance_ms": n}`, `{"now_ms": n}`, `{"frozen": true}` |
//! | `GET, PUT /_simulator/switches` | what WeCom's documentation leaves open; only the fields given change |
//! | `GET, POST, DELETE /_simulator/faults` | scripted faults |
//! | `POST /_simulator/tokens/expire` | `{"app": 1000002, "variant": 40014}`, or 42001; without `app` all |
//! | `GET, PUT /_simulator/corp` | the set-up; a partial one is laid over it, `"remove": true` takes a thing out |
//! | `GET /_simulator/events` | server-sent events: `message`, `change`, `corp`, `reset` |
//! | `POST /_simulator/says`, `enters` | a member writes to, or opens, an app or a bot |
//! | `GET, POST /_simulator/clicks` | a member presses something in a card; what came back |
//! | `GET /_simulator/callbacks?since=` | what app servers were told, each attempt, and the passive reply |
//! | `POST /_simulator/callbacks/verify`, `repeat` | verifies a callback URL; sends a callback once more |
//! | `GET /_simulator/bots`, `frames` | connections and tallies of each bot; the frames of the sockets |
//! | `POST /_simulator/bots/end`, `activate`, `raw` | ends a connection; lets a bot push; sends it any text |
//! | `GET /_simulator/media/{media_id}` | an uploaded file |
//! | `GET /_simulator/sample.png` | a picture that looks like a panel |

mod edit;
mod people;
mod ways;

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use hyper::body::Frame;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::faults::Fault;
use crate::merge::merge;
use crate::setup::Setup;
use crate::state::{Shared, World, lock};
use crate::{inbox, journal};

/// A picture for news and cards: a made-up panel, drawn from `assets/sample.svg`.
static SAMPLE: &[u8] = include_bytes!("../assets/sample.png");

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/_simulator/messages", get(messages))
        .route("/_simulator/dropped", get(dropped))
        .route("/_simulator/requests", get(requests))
        .route("/_simulator/counters", get(counters))
        .route("/_simulator/reset", post(reset))
        .route("/_simulator/clock", get(clock).post(set_clock))
        .route("/_simulator/switches", get(switches).put(set_switches))
        .route("/_simulator/faults", get(faults).post(add_faults).delete(clear_faults))
        .route("/_simulator/tokens/expire", post(expire_tokens))
        .route("/_simulator/corp", get(corp).put(edit_corp))
        .route("/_simulator/events", get(events))
        .route("/_simulator/media/{id}", get(media))
        .route("/_simulator/sample.png", get(sample))
        .merge(people::routes())
        .merge(ways::routes())
}

/// An error of the caller.
struct Wrong(String);

impl IntoResponse for Wrong {
    fn into_response(self) -> Response {
        (StatusCode::BAD_REQUEST, axum::Json(json!({"error": self.0}))).into_response()
    }
}

type Answered = Result<axum::Json<Value>, Wrong>;

fn query<T: DeserializeOwned>(uri: &Uri) -> Result<T, Wrong> {
    let query = axum::extract::Query::try_from_uri(uri);
    query.map(|query| query.0).map_err(|error| Wrong(format!("the query of {uri}: {}", error.body_text())))
}

fn body<T: DeserializeOwned>(bytes: &Bytes) -> Result<T, Wrong> {
    serde_json::from_slice(bytes).map_err(|error| Wrong(format!("the body: {error}")))
}

async fn messages(State(world): State<Shared>, uri: Uri) -> Answered {
    let filter: inbox::Filter = query(&uri)?;
    let messages = lock(&world).inbox.list(&filter);
    Ok(axum::Json(json!({"messages": messages})))
}

async fn dropped(State(world): State<Shared>) -> Answered {
    let world = lock(&world);
    Ok(axum::Json(json!({"count": world.inbox.drops(), "dropped": world.inbox.dropped()})))
}

async fn requests(State(world): State<Shared>, uri: Uri) -> Answered {
    let filter: journal::Filter = query(&uri)?;
    let world = lock(&world);
    Ok(axum::Json(json!({"requests": world.journal.list(&filter)})))
}

async fn counters(State(world): State<Shared>) -> Answered {
    let world = lock(&world);
    let mut counters = world.journal.counters(world.inbox.drops());
    counters["messages"] = world.inbox.delivered().into();
    Ok(axum::Json(counters))
}

async fn reset(State(world): State<Shared>, bytes: Bytes) -> Answered {
    let setup = if bytes.is_empty() { Setup::demo() } else { body(&bytes)? };
    lock(&world).reset(setup);
    Ok(axum::Json(json!({"ok": true})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockChange {
    now_ms: Option<i64>,
    advance_ms: Option<i64>,
    frozen: Option<bool>,
}

async fn clock(State(world): State<Shared>) -> Answered {
    Ok(show_clock(&lock(&world)))
}

async fn set_clock(State(world): State<Shared>, bytes: Bytes) -> Answered {
    let change: ClockChange = body(&bytes)?;
    let mut world = lock(&world);
    if let Some(frozen) = change.frozen {
        world.clock.freeze(frozen);
    }
    if let Some(now) = change.now_ms {
        world.clock.set(now);
    }
    if let Some(ms) = change.advance_ms {
        world.clock.advance(ms);
    }
    Ok(show_clock(&world))
}

fn show_clock(world: &World) -> axum::Json<Value> {
    axum::Json(json!({"now_ms": world.clock.now(), "frozen": world.clock.is_frozen()}))
}

async fn switches(State(world): State<Shared>) -> Answered {
    Ok(axum::Json(json!(lock(&world).switches)))
}

async fn set_switches(State(world): State<Shared>, bytes: Bytes) -> Answered {
    let patch = body(&bytes)?;
    let mut world = lock(&world);
    let mut all = json!(world.switches);
    merge(&mut all, patch);
    world.switches = serde_json::from_value(all).map_err(|error| Wrong(format!("the switches: {error}")))?;
    Ok(axum::Json(json!(world.switches)))
}

async fn faults(State(world): State<Shared>) -> Answered {
    Ok(axum::Json(json!({"faults": lock(&world).faults.list()})))
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    Many(Vec<Value>),
    One(Value),
}

async fn add_faults(State(world): State<Shared>, bytes: Bytes) -> Answered {
    let given = match body(&bytes)? {
        OneOrMany::Many(faults) => faults,
        OneOrMany::One(fault) => vec![fault],
    };
    let read = |fault| serde_json::from_value(fault).map_err(|error| Wrong(format!("a fault: {error}")));
    let given: Vec<Fault> = given.into_iter().map(read).collect::<Result<_, _>>()?;
    let mut world = lock(&world);
    for fault in given {
        world.faults.add(fault).map_err(Wrong)?;
    }
    Ok(axum::Json(json!({"faults": world.faults.list()})))
}

async fn clear_faults(State(world): State<Shared>) -> Answered {
    lock(&world).faults.clear();
    Ok(axum::Json(json!({"faults": []})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expire {
    app: Option<i64>,
    #[serde(default = "invalid_token")]
    variant: i64,
}

const fn invalid_token() -> i64 {
    40014
}

async fn expire_tokens(State(world): State<Shared>, bytes: Bytes) -> Answered {
    let expire: Expire = if bytes.is_empty() { body(&Bytes::from_static(b"{}"))? } else { body(&bytes)? };
    if !matches!(expire.variant, 40014 | 42001) {
        return Err(Wrong(format!("variant {} is neither 40014 (invalid) nor 42001 (expired)", expire.variant)));
    }
    let mut world = lock(&world);
    let now = world.clock.now();
    let expired = world.tokens.expire(expire.app, expire.variant, now);
    Ok(axum::Json(json!({"expired": expired})))
}

async fn corp(State(world): State<Shared>) -> Answered {
    Ok(axum::Json(json!(lock(&world).setup)))
}

async fn edit_corp(State(world): State<Shared>, bytes: Bytes) -> Answered {
    let patch = body(&bytes)?;
    let mut world = lock(&world);
    let mut all = json!(world.setup);
    merge(&mut all, patch);
    let setup: Setup = serde_json::from_value(all).map_err(|error| Wrong(format!("the corp: {error}")))?;
    world.edit(setup);
    Ok(axum::Json(json!(world.setup)))
}

/// A response body fed by a channel: for server-sent events and truncated answers.
#[derive(Debug)]
pub(crate) struct Feed(pub(crate) mpsc::Receiver<Bytes>);

impl hyper::body::Body for Feed {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.poll_recv(cx).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}

async fn events(State(world): State<Shared>) -> Response {
    match lock(&world).inbox.listen() {
        Some(feed) => {
            let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
            (headers, Body::new(Feed(feed))).into_response()
        }
        None => (StatusCode::SERVICE_UNAVAILABLE, axum::Json(json!({"error": "too many pages listen; close some"})))
            .into_response(),
    }
}

async fn media(State(world): State<Shared>, Path(id): Path<String>) -> Response {
    let world = lock(&world);
    match world.vault.show(&id) {
        // nosniff: the type follows from the first bytes, and a browser must not interpret an uploaded file as another
        // one.
        Some(file) => {
            ([(header::CONTENT_TYPE, file.mime), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")], file.bytes.clone())
                .into_response()
        }
        None => {
            (StatusCode::NOT_FOUND, axum::Json(json!({"error": format!("no file {id:?} is kept")}))).into_response()
        }
    }
}

/// Neither WeCom nor the simulator serves this path.
pub(crate) async fn unknown(uri: Uri) -> Response {
    let error =
        format!("there is nothing at {}; WeCom is under /cgi-bin/, the simulator under /_simulator/", uri.path());
    (StatusCode::NOT_FOUND, axum::Json(json!({"error": error}))).into_response()
}

async fn sample() -> Response {
    ([(header::CONTENT_TYPE, "image/png")], SAMPLE).into_response()
}
