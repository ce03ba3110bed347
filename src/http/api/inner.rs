//! What the gateway knows of itself: the fates of all changes, its bots, and the browsers that are signed in.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::console::save::Saver;
use super::super::console::state::unprobed;
use super::super::{Gate, probing};
use super::caller::Caller;
use super::described::{Problems, Refusals};
use super::list::caller;
use super::once::Once;
use super::problem::Wrong;
use super::shapes::List;
use super::token::Scope;
use super::words;
use crate::bots;
use crate::store::{Audit, Unprobed};
use crate::words::Words;

/// Changes of alerts by what became of them. Each has exactly one fate.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Fates {
    /// Waiting.
    pub pending: i64,
    /// Named in an accepted message.
    pub named: i64,
    /// Counted in an accepted message.
    pub counted: i64,
    /// Not told, with a reason.
    pub suppressed: i64,
    /// Refused for good.
    pub dead: i64,
    /// Notifications that only repeated what had been told: they have no fate.
    pub repeated: i64,
    /// Changes whose fate contradicts the state of their message. Anything but 0 is a fault of wegraf.
    pub imbalance: i64,
}

/// What became of all changes on record.
#[utoipa::path(
    get, path = "/api/v1/audit", tag = "state", security(("token" = ["read"])),
    responses((status = 200, description = "Changes by fate", body = Fates), Problems)
)]
pub(super) async fn audit(State(gate): State<Gate>, parts: Parts) -> Response {
    let caller = caller!(gate, parts, Scope::Read);
    caller.answer(&gate, fates(&gate, &caller).await)
}

async fn fates(gate: &Gate, caller: &Caller) -> Result<Fates, Wrong> {
    caller.params(&[])?;
    caller.sees_all()?;
    // It reads the whole record, which is more than the time of a question allows: one at a time.
    let _one = gate.previews.acquire().await;
    let Audit { pending, named, counted, suppressed, dead, repeated, imbalance } = gate.server.store.audit().await?;
    Ok(Fates { pending, named, counted, suppressed, dead, repeated, imbalance })
}

/// A paused way that is to be tried.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "scope": "app/ops" }))]
pub(super) struct Probe {
    /// Its `scope` in `paused` of `/health`.
    #[schema(max_length = 300)]
    scope: String,
}

/// A paused way that is being tried.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Probing {
    /// Its scope.
    scope: String,
}

/// Has a paused way tried now: the next message may pass within seconds. A way that WeCom limits is not tried before its time.
#[utoipa::path(
    post, path = "/api/v1/health/probe", tag = "state", request_body = Probe, security(("token" = ["change"])),
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 64 letters, digits, `_` and `-`", pattern = "^[A-Za-z0-9_-]{1,64}$")),
    responses((status = 202, description = "It is being tried", body = Probing), Problems, Refusals)
)]
pub(super) async fn probe(State(gate): State<Gate>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let caller = caller!(gate, parts, Scope::Change);
    let once = match Once::begin(&gate, &caller, &parts, body).await {
        Ok(once) => once,
        Err(answer) => return answer,
    };
    let done = probed(&gate, &caller, &once).await;
    once.answer(&gate, &caller, done).await
}

async fn probed(gate: &Gate, caller: &Caller, once: &Once) -> Result<(StatusCode, String), Wrong> {
    caller.sees_all()?;
    let wanted: Probe =
        serde_json::from_slice(&once.body).map_err(|error| Wrong::Body(Words::quoted(error.to_string())))?;
    let asker = Saver { name: caller.name(), address: caller.address.clone() };
    match probing::probe(gate, asker, &wanted.scope).await? {
        Ok(()) => {
            let body = serde_json::to_string(&Probing { scope: wanted.scope }).expect("our shapes are JSON");
            Ok((StatusCode::ACCEPTED, body))
        }
        Err(Unprobed::Open) => Err(Wrong::NotFound),
        Err(why @ Unprobed::Soon) => Err(Wrong::Conflict("soon", words::NOT_PROBED, unprobed(why))),
        Err(why @ Unprobed::Limited) => Err(Wrong::Conflict("limited", words::NOT_PROBED, unprobed(why))),
    }
}

/// A conversation in which a user has written to a bot.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Conversation {
    /// Its chatid; of a single chat, the userid.
    pub chat: String,
    /// Is it a group?
    pub group: bool,
    /// Who wrote last.
    pub user: String,
    /// When.
    #[schema(format = DateTime)]
    pub heard_at: String,
    /// Why the bot may not write there, if that is so.
    pub error: Option<String>,
}

/// A bot.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Bot {
    /// Its name in the configuration.
    pub name: String,
    /// Its id at WeCom.
    #[serde(rename = "bot_id")]
    pub id: String,
    /// The process that has its socket; null: none.
    pub holder: Option<String>,
    /// Why nothing is sent, if that is so.
    pub error: Option<String>,
    /// Where it may speak.
    pub conversations: Vec<Conversation>,
}

/// The bots, by name.
#[utoipa::path(
    get, path = "/api/v1/bots", tag = "state", security(("token" = ["read"])),
    responses((status = 200, description = "Bots by name", body = List<Bot>), Problems)
)]
pub(super) async fn bots(State(gate): State<Gate>, parts: Parts) -> Response {
    let caller = caller!(gate, parts, Scope::Read);
    caller.answer(&gate, find_bots(&gate, &caller).await)
}

async fn find_bots(gate: &Gate, caller: &Caller) -> Result<List<Bot>, Wrong> {
    caller.params(&[])?;
    caller.sees_all()?;
    let (config, say) = (gate.server.setup.now().config.clone(), caller.say());
    let mut items = Vec::new();
    for (name, account) in &config.wecom.bots {
        let known = bots::Known::of(&gate.server.store.for_people(), &config, name).await?;
        let conversations = known.conversations.into_iter().map(|(heard, error)| Conversation {
            chat: heard.chat,
            group: heard.group,
            user: heard.user,
            heard_at: say.time(heard.heard_at),
            error: error.map(|error| error.get(say.language).to_owned()),
        });
        items.push(Bot {
            name: name.clone(),
            id: account.bot_id.clone(),
            holder: known.holder,
            error: known.error.map(|error| error.get(say.language).to_owned()),
            conversations: conversations.collect(),
        });
    }
    Ok(List { items, next: None })
}

/// A browser that is signed in to the console.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Session {
    /// Its number, which opens nothing.
    pub id: String,
    /// Who is signed in.
    pub person: String,
    /// How: `link`, `command`, `wecom`, `proxy` or `password`.
    pub way: String,
    /// When.
    #[schema(format = DateTime)]
    pub made_at: String,
    /// When it was last used, to five minutes.
    #[schema(format = DateTime)]
    pub seen_at: String,
    /// The address that signed in.
    pub address: String,
    /// The browser, as it calls itself.
    pub agent: String,
}

/// The browsers that are signed in.
#[utoipa::path(
    get, path = "/api/v1/sessions", tag = "state", security(("token" = ["change"])),
    responses((status = 200, description = "Sessions", body = List<Session>), Problems)
)]
pub(super) async fn sessions(State(gate): State<Gate>, parts: Parts) -> Response {
    let caller = caller!(gate, parts, Scope::Change);
    caller.answer(&gate, find_sessions(&gate, &caller).await)
}

async fn find_sessions(gate: &Gate, caller: &Caller) -> Result<List<Session>, Wrong> {
    caller.params(&[])?;
    caller.sees_all()?;
    let (say, now) = (caller.say(), gate.server.clock.now());
    let all = gate.server.store.for_people().sessions(None, now).await?;
    let items = all.into_iter().map(|known| Session {
        id: known.id,
        person: known.person,
        way: known.way,
        made_at: say.time(known.made_at),
        seen_at: say.time(known.seen_at),
        address: known.address,
        agent: known.agent,
    });
    Ok(List { items: items.collect(), next: None })
}
