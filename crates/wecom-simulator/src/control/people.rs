//! The control API's calls for actions of people and their results.

use axum::Router;
use axum::extract::State;
use axum::http::Uri;
use axum::routing::{get, post};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;

use super::{Answered, Wrong, body, query};
use crate::clicks::Choices;
use crate::people;
use crate::state::{Shared, lock};

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/_simulator/says", post(says))
        .route("/_simulator/enters", post(enters))
        .route("/_simulator/clicks", get(clicks).post(click))
}

/// Where a person acts: in an app, or with a bot alone or in a group.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Say {
    user: String,
    #[serde(default)]
    text: String,
    bot: Option<String>,
    chat: Option<String>,
    agent_id: Option<i64>,
    corp_id: Option<String>,
}

async fn says(State(world): State<Shared>, bytes: Bytes) -> Answered {
    let say: Say = body(&bytes)?;
    let done = match (&say.bot, say.agent_id) {
        (Some(bot), None) => {
            let told = lock(&world).tell_bot(bot, say.chat.as_deref(), &say.user, &say.text);
            told.map(|delivered| json!({"delivered": delivered}))
        }
        (None, Some(agent_id)) => {
            let badge = people::badge_of(&lock(&world), say.corp_id.as_deref(), agent_id).map_err(Wrong)?;
            people::tell_app(&world, &badge, &say.user, &say.text)
        }
        _ => Err("exactly one of bot and agent_id is needed".into()),
    };
    done.map(axum::Json).map_err(Wrong)
}

async fn enters(State(world): State<Shared>, bytes: Bytes) -> Answered {
    let enter: Say = body(&bytes)?;
    let done = match (&enter.bot, enter.agent_id) {
        (Some(bot), None) => {
            let entered = lock(&world).enter_bot(bot, &enter.user);
            entered.map(|delivered| json!({"delivered": delivered}))
        }
        (None, Some(agent_id)) => {
            let badge = people::badge_of(&lock(&world), enter.corp_id.as_deref(), agent_id).map_err(Wrong)?;
            people::enter_app(&world, &badge, &enter.user)
        }
        _ => Err("exactly one of bot and agent_id is needed".into()),
    };
    done.map(axum::Json).map_err(Wrong)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Press {
    message: u64,
    user: String,
    key: String,
    #[serde(default)]
    selected: Choices,
    #[serde(default)]
    anyway: bool,
}

async fn click(State(world): State<Shared>, bytes: Bytes) -> Answered {
    let press: Press = body(&bytes)?;
    let id = people::click(&world, press.message, &press.user, &press.key, &press.selected, press.anyway);
    let id = id.map_err(Wrong)?;
    Ok(axum::Json(json!(lock(&world).clicks.get(id))))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    id: Option<u64>,
    message: Option<u64>,
    user: Option<String>,
    since: Option<u64>,
}

async fn clicks(State(world): State<Shared>, uri: Uri) -> Answered {
    let which: Which = query(&uri)?;
    let world = lock(&world);
    let chosen = world.clicks.iter().filter(|click| {
        which.id.is_none_or(|id| click.id == id)
            && which.message.is_none_or(|message| click.message == message)
            && which.user.as_ref().is_none_or(|user| click.user.eq_ignore_ascii_case(user))
            && which.since.is_none_or(|since| click.id > since)
    });
    Ok(axum::Json(json!({"clicks": chosen.collect::<Vec<_>>()})))
}
