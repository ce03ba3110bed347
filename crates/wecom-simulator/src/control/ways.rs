//! The control API's calls for the two return paths: callback URLs and the bots' sockets.

use axum::Router;
use axum::extract::State;
use axum::http::Uri;
use axum::routing::{get, post};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;

use super::{Answered, Wrong, body, query};
use crate::bot::{Out, conversation};
use crate::setup::CallbackServer;
use crate::state::{Shared, lock};
use crate::{callback, people};

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/_simulator/callbacks", get(callbacks))
        .route("/_simulator/callbacks/verify", post(verify))
        .route("/_simulator/callbacks/repeat", post(repeat))
        .route("/_simulator/bots", get(bots))
        .route("/_simulator/bots/end", post(end))
        .route("/_simulator/bots/activate", post(activate))
        .route("/_simulator/bots/raw", post(raw))
        .route("/_simulator/frames", get(frames))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Since {
    #[serde(default)]
    since: u64,
}

async fn callbacks(State(world): State<Shared>, uri: Uri) -> Answered {
    let Since { since } = query(&uri)?;
    let world = lock(&world);
    let pushes: Vec<_> = world.callbacks.pushes.iter().filter(|push| push.id > since).collect();
    Ok(axum::Json(json!({"callbacks": pushes})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Verify {
    agent_id: i64,
    corp_id: Option<String>,
    /// Saved before it is verified, if given.
    callback_server: Option<CallbackServer>,
}

async fn verify(State(world): State<Shared>, bytes: Bytes) -> Answered {
    let verify: Verify = body(&bytes)?;
    let badge = {
        let mut world = lock(&world);
        let badge = people::badge_of(&world, verify.corp_id.as_deref(), verify.agent_id).map_err(Wrong)?;
        if let (Some(server), Some(corp)) = (verify.callback_server, world.corp_mut(&badge.corp_id)) {
            let app = corp.apps.iter_mut().find(|app| app.agent_id == badge.agent_id);
            app.expect("invariant: badge_of has found it").callback_server = Some(server);
        }
        badge
    };
    callback::verify(&world, badge).await.map(axum::Json).map_err(Wrong)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Repeat {
    id: u64,
}

async fn repeat(State(world): State<Shared>, bytes: Bytes) -> Answered {
    let Repeat { id } = body(&bytes)?;
    callback::repeat(&world, id).map_err(Wrong)?;
    Ok(axum::Json(json!({"ok": true})))
}

async fn bots(State(world): State<Shared>) -> Answered {
    let world = lock(&world);
    Ok(axum::Json(world.bots.show(&world.setup.bots)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct End {
    bot: String,
    /// Whether to close with a close frame; otherwise the connection is cut.
    #[serde(default)]
    close: bool,
}

async fn end(State(world): State<Shared>, bytes: Bytes) -> Answered {
    let end: End = body(&bytes)?;
    let was_live = lock(&world).bots.end(&end.bot, if end.close { Out::Close } else { Out::Cut });
    Ok(axum::Json(json!({"was_live": was_live})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Activate {
    bot: String,
    chat: String,
    #[serde(default = "yes")]
    active: bool,
}

const fn yes() -> bool {
    true
}

async fn activate(State(world): State<Shared>, bytes: Bytes) -> Answered {
    let activate: Activate = body(&bytes)?;
    let mut world = lock(&world);
    let since = activate.active.then(|| world.clock.now());
    world.bots.activate(conversation(&activate.bot, &activate.chat), since);
    Ok(axum::Json(json!({"ok": true})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    bot: String,
    frame: String,
}

async fn raw(State(world): State<Shared>, bytes: Bytes) -> Answered {
    let raw: Raw = body(&bytes)?;
    let mut world = lock(&world);
    let now = world.clock.now();
    Ok(axum::Json(json!({"was_live": world.bots.send_raw(&raw.bot, raw.frame, now)})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WhichFrames {
    bot: Option<String>,
    cmd: Option<String>,
    direction: Option<String>,
    #[serde(default)]
    since: u64,
}

async fn frames(State(world): State<Shared>, uri: Uri) -> Answered {
    let which: WhichFrames = query(&uri)?;
    let world = lock(&world);
    let fits = |wanted: &Option<String>, is: &str| wanted.as_ref().is_none_or(|wanted| wanted == is);
    let frames: Vec<_> = world
        .bots
        .frames
        .iter()
        .filter(|frame| {
            frame.id > which.since
                && fits(&which.bot, frame.bot.as_deref().unwrap_or_default())
                && fits(&which.cmd, &frame.cmd)
                && fits(&which.direction, frame.direction)
        })
        .collect();
    Ok(axum::Json(json!({"frames": frames})))
}
