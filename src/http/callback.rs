//! WeCom's callbacks (docs/reference/wecom.md#callbacks): verification of the address, presses of buttons and texts to
//! the app.
//!
//! A call that is not signed and encrypted by WeCom for this corp is refused before anything is done. Acts are recorded
//! before the answer; steps upstream (a silence) follow it.

use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::Deserialize;
use tracing::{error, info};
use wecom::{CALLBACK_BODY_BYTES, CallbackError, CallbackKeys, Incoming, Signed};

use super::refusal::Cause;
use super::{BODY_DEADLINE, Gate, Setup, words};
use crate::answer::{Actor, Answer, Via};
use crate::incidents::{Kind, Subject};
use crate::metrics::Called;
use crate::names::{Part, Scope};
use crate::store::{ActState, StoreError};
use crate::words::Words;

/// The paths of callbacks.
pub(super) fn routes() -> axum::Router<Gate> {
    axum::Router::new().route("/wecom/callback/{app}", get(check).post(take))
}

/// The query of the address check.
#[derive(Debug, Deserialize)]
struct Check {
    #[serde(flatten)]
    signed: Signed,
    echostr: String,
}

/// Proves to the admin console that the address is ours.
async fn check(State(gate): State<Gate>, Path(app): Path<String>, address: Uri) -> Response {
    let setup = gate.server.setup.now();
    let query = Query::<Check>::try_from_uri(&address);
    let (Some(keys), Ok(Query(check))) = (setup.callbacks.get(&app), query) else {
        return unknown(&gate, &setup, &app);
    };
    match keys.verify(&check.signed, &check.echostr, gate.server.clock.now().0 / 1000) {
        Ok(words) => {
            info!(app, "WeCom has checked the callback.");
            count(&gate, "checked");
            words.into_response()
        }
        Err(error) => refuse(&gate, &app, error),
    }
}

/// Handles a press, a text, or another event.
async fn take(State(gate): State<Gate>, Path(app): Path<String>, address: Uri, body: Body) -> Response {
    let setup = gate.server.setup.now();
    let query = Query::<Signed>::try_from_uri(&address);
    let (Some(keys), Ok(Query(signed))) = (setup.callbacks.get(&app), query) else {
        return unknown(&gate, &setup, &app);
    };
    let body = match read(body).await {
        Ok(body) => body,
        Err(status) => {
            count(&gate, "unreadable");
            return Cause::new("unreadable").attach(status.into_response());
        }
    };
    let now = gate.server.clock.now().0 / 1000;
    let incoming = match keys.open(&signed, &body, now) {
        Ok(incoming) => incoming,
        Err(error) => return refuse(&gate, &app, error),
    };
    count(&gate, "taken");
    match answer(&gate, &app, keys, incoming, now).await {
        Ok(None) => StatusCode::OK.into_response(),
        Ok(Some(plain)) => {
            let nonce: u64 = rand::random();
            keys.seal(&plain, now, &nonce.to_string(), rand::random()).into_response()
        }
        Err(error) => {
            // WeCom calls twice more, and then the store may work again.
            gate.server.fuse.failed(&error);
            let cause = Cause::new("store").detail(format!("what WeCom brought could not be recorded: {error}"));
            cause.attach(StatusCode::SERVICE_UNAVAILABLE.into_response())
        }
    }
}

async fn read(body: Body) -> Result<Bytes, StatusCode> {
    match tokio::time::timeout(BODY_DEADLINE, Limited::new(body, CALLBACK_BODY_BYTES).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Ok(Err(_)) | Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
    }
}

/// Does what the event asks; returns the XML of the reply, if there is one.
async fn answer(
    gate: &Gate,
    app: &str,
    keys: &CallbackKeys,
    incoming: Incoming,
    now: i64,
) -> Result<Option<String>, StoreError> {
    let actor = |id: &str| Actor { id: id.to_owned(), via: Via::App(app.to_owned()) };
    match incoming {
        Incoming::Click(mut click) => {
            let actor = actor(&click.from);
            // A reply to the click may use up its code (docs/reference/wecom.md#response-codes), so there is one only
            // where the code is not needed: where nothing changes for the others.
            let answered = gate.server.acts.press(&actor, &click).await?;
            click.response_code = None;
            Ok(is_no(&answered)
                .then(|| keys.button_reply(&actor.id, answered.label.get(gate.server.acts.language()), now)))
        }
        Incoming::Text { from, content, msgid, .. } => {
            let said = gate.server.acts.ask(&actor(&from), &msgid, &content).await?;
            Ok(Some(keys.text_reply(&from, &said, now)))
        }
        Incoming::Entered { .. } => Ok(None),
        Incoming::Other { event, .. } => {
            note(gate, app, &event);
            Ok(None)
        }
    }
}

/// Did the press change nothing?
fn is_no(answer: &Answer) -> bool {
    !matches!(answer.state, Some(ActState::Open | ActState::Done))
}

/// WeCom's warning that it is about to restrict an app that is hardly used (docs/reference/wecom.md#callback-events):
/// it must be reported.
fn note(gate: &Gate, app: &str, event: &str) {
    match event {
        "inactive_alert" | "close_inactive_agent" | "low_active_alert" | "low_active" => {
            error!(
                app,
                event,
                "WeCom restricts this app, or is about to, because it is hardly used: open it in WeCom and send with it."
            );
            let Words { zh, en } = words::hardly_used(app, event);
            gate.server.incidents.note(
                Kind::Restricted,
                Subject::Scope(Scope::of(&Part::App(app.into()))),
                [zh.into_owned(), en.into_owned()],
                gate.server.clock.now(),
            );
        }
        _ => info!(app, event, "WeCom told of something that needs no answer."),
    }
}

fn unknown(gate: &Gate, setup: &Setup, app: &str) -> Response {
    count(gate, "unknown");
    let known = setup.config.wecom.apps.contains_key(app);
    let said = if known { words::NO_CALLBACK } else { words::NO_APP }.to_string();
    Cause::new("no_callback").detail(said.clone()).attach((StatusCode::NOT_FOUND, said).into_response())
}

/// The reason is logged for the operator, not sent to the caller.
fn refuse(gate: &Gate, app: &str, error: CallbackError) -> Response {
    count(gate, error.label());
    let cause = match error {
        CallbackError::Signature | CallbackError::Cipher(_) => Cause::guess(error.label(), "callback"),
        _ => Cause::new(error.label()),
    };
    cause.detail(format!("callback of app {app}: {error}")).attach(StatusCode::FORBIDDEN.into_response())
}

fn count(gate: &Gate, outcome: &'static str) {
    gate.server.metrics.callbacks.get_or_create(&Called { outcome }).inc();
}
