//! Messages of apps: `message/send` (page 90236) and `message/recall` (page 94867).

use std::time::Instant;

use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::http::{StatusCode, request::Parts};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wecom::{MAX_GROUPS, MAX_USERS, Recipients};

use super::reply::Reply;
use super::token::{Bearer, opened};
use super::{Caller, Relay, configured, content_type, misread};
use crate::alert::{Format, ThreadId};
use crate::config::{Addressee, Config, Receiver, Target, To};
use crate::deliver::{addressed, recall as take_back, recallable};
use crate::http::body::Standing;
use crate::http::dropin::{bare_receiver, receivers_of, unconfigured};
use crate::http::{Gate, parent};
use crate::ingest::Door;
use crate::ingest::wecom::Said;
use crate::intake::{Call, Called, Packing};
use crate::store::{DeliveryFilter, StoreError};

/// In front of our msgids.
const MSGID: &str = "wg";
const EVERYBODY: &str = "@all";

/// The query of every call of an app.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct AccessToken {
    access_token: String,
}

impl AccessToken {
    pub fn of(parts: &Parts) -> String {
        let Query(Self { access_token }) = Query::try_from_uri(&parts.uri).unwrap_or_default();
        access_token
    }
}

/// The additional members in the answer of `message/send`.
#[derive(Serialize)]
struct Sent {
    #[serde(skip_serializing_if = "String::is_empty")]
    invaliduser: String,
    msgid: String,
}

pub(super) async fn message_send(State(gate): State<Gate>, request: Request) -> Response {
    let begun = Instant::now();
    if !configured(&gate) {
        return unconfigured("wecom");
    }
    let (parts, body) = request.into_parts();
    let caller = Caller::of(&gate, &parts);
    let sent = sent(&gate, &parts, body, &caller).await;
    let format = sent.is_ok().then_some(Format::WecomApp);
    gate.answered(begun, format, sent.unwrap_or_else(|refusal| refusal).into_response())
}

async fn sent(gate: &Gate, parts: &Parts, body: Body, caller: &Caller) -> Result<Reply, Reply> {
    let setup = gate.server.setup.now();
    let config = &setup.config;
    let bearer = opened(config, &*gate.server.links.key().await, &AccessToken::of(parts), caller)?;
    let (body, held) =
        gate.body(parts, body, Standing::Proven).await.map_err(|refusal| Reply::refused(&refusal, caller))?;
    let said = Said::read(&body).map_err(|wrong| misread(wrong, caller))?;
    let agent = said.member("agentid");
    match agent.and_then(|id| id.as_i64().or_else(|| id.as_str()?.trim().parse().ok())) {
        Some(id) if id == bearer.account.agent_id => {}
        Some(_) => return Err(Reply::error(301_002, "not allow operate another agent with this accesstoken", caller)),
        None => return Err(Reply::error(41011, "missing agentid", caller)),
    }
    let (to, fenced) = fence(bearer.door.allow_users.as_deref(), addressed(&body));
    check(&to, !fenced.is_empty(), caller)?;
    if bearer.door.read {
        // The body waits for its share of the memory again.
        drop(held);
        return read(gate, config, &bearer, parts, body, caller).await;
    }
    let (said, body) = if fenced.is_empty() { (said, body) } else { readdressed(&said, &to, caller)? };
    let receivers = vec![receiver(config, &bearer, &to)];
    let headers = &parts.headers;
    let relay = Relay { source: bearer.source, format: Format::WecomApp, said: &said, body, headers, receivers };
    let admitted = relay.store(gate, caller).await?;
    Ok(Reply::with(&Sent { invaliduser: fenced.join("|"), msgid: msgid(admitted.id) }))
}

fn msgid(notification: i64) -> String {
    format!("{MSGID}{notification}")
}

/// Relays the message to the recipients that `allow_users` permits.
fn readdressed(said: &Said, to: &Recipients, caller: &Caller) -> Result<(Said, Bytes), Reply> {
    let members = [("touser", json!(to.users.join("|"))), ("toparty", json!("")), ("totag", json!(""))];
    let body = Bytes::from(said.with_members(members));
    Ok((Said::read(&body).map_err(|wrong| misread(wrong, caller))?, body))
}

/// Reads the message as an alert, for the configured receiver of the app, otherwise by the routes.
async fn read(
    gate: &Gate,
    config: &Config,
    bearer: &Bearer<'_>,
    parts: &Parts,
    body: Bytes,
    caller: &Caller,
) -> Result<Reply, Reply> {
    let addressee = bearer.app.receiver.clone().map_or(Addressee::Routes, Addressee::Receiver);
    let call = Call {
        source: bearer.source.clone(),
        door: Door::Webhook,
        receiver: None,
        receivers: receivers_of(config, &addressee),
        content_type: content_type(&parts.headers),
        body,
        packing: Packing::Plain,
        called: Called::default(),
        part: None,
        received_at: caller.now,
        parent: parent(&parts.headers),
    };
    let taken = gate.server.intake.admit(call).await.map_err(|refused| Reply::refused(&refused.into(), caller))?;
    Ok(Reply::with(&Sent { invaliduser: String::new(), msgid: msgid(taken.id) }))
}

/// Splits the recipients into those that `allow_users` permits and the others. Departments, tags and `@all` are never
/// permitted if there is such a list.
fn fence(allowed: Option<&[String]>, to: Recipients) -> (Recipients, Vec<String>) {
    let Some(allowed) = allowed else { return (to, Vec::new()) };
    let may = |user: &String| allowed.iter().any(|known| known.eq_ignore_ascii_case(user));
    let (users, mut fenced): (Vec<String>, Vec<String>) = to.users.into_iter().partition(may);
    fenced.extend(to.parties.iter().map(|id| format!("party:{id}")));
    fenced.extend(to.tags.iter().map(|id| format!("tag:{id}")));
    (Recipients { users, ..Recipients::default() }, fenced)
}

fn check(to: &Recipients, fenced: bool, caller: &Caller) -> Result<(), Reply> {
    let no_recipient = to.users.is_empty() && to.parties.is_empty() && to.tags.is_empty();
    let everybody = to.users.iter().any(|user| user == EVERYBODY);
    let (errcode, text) = match (no_recipient, fenced) {
        (true, true) => (81013, "user & party & tag all invalid"),
        (true, false) => (82001, "All touser & toparty & totag invalid"),
        (false, _) if everybody => return Ok(()),
        (false, _) if to.users.len() > MAX_USERS => (40032, "invalid touser size"),
        (false, _) if to.parties.len() > MAX_GROUPS => (82002, "invalid toparty size"),
        (false, _) if to.tags.len() > MAX_GROUPS => (82003, "invalid totag size"),
        (false, _) => return Ok(()),
    };
    Err(Reply::error(errcode, text, caller))
}

/// A target with exactly the recipients of the message, and the configured fallback and language.
fn receiver(config: &Config, bearer: &Bearer<'_>, to: &Recipients) -> Receiver {
    let target = Target::at(To::Members {
        app: bearer.app.app.clone(),
        users: to.users.clone(),
        users_file: None,
        on_call: None,
        parties: to.parties.clone(),
        tags: to.tags.clone(),
    });
    let named = bearer.app.receiver.as_deref().and_then(|name| config.receivers.get(name));
    match named {
        Some(known) => Receiver { targets: vec![target], escalate: Vec::new(), ..known.as_ref().clone() },
        None => bare_receiver(config, format!("app/{}", bearer.app.app), target),
    }
}

pub(super) async fn recall(State(gate): State<Gate>, request: Request) -> Response {
    if !configured(&gate) {
        return unconfigured("wecom");
    }
    let (parts, body) = request.into_parts();
    let caller = Caller::of(&gate, &parts);
    recalled(&gate, &parts, body, &caller).await.unwrap_or_else(|refusal| refusal).into_response()
}

async fn recalled(gate: &Gate, parts: &Parts, body: Body, caller: &Caller) -> Result<Reply, Reply> {
    let setup = gate.server.setup.now();
    let bearer = opened(&setup.config, &*gate.server.links.key().await, &AccessToken::of(parts), caller)?;
    let (body, _held) =
        gate.body(parts, body, Standing::Proven).await.map_err(|refusal| Reply::refused(&refusal, caller))?;
    let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
    let number = asked["msgid"].as_str().and_then(|msgid| msgid.strip_prefix(MSGID)?.parse::<i64>().ok());
    let unknown = || Reply::error(40058, "invalid msgid. invalid Request Parameter", caller);
    let number = number.ok_or_else(unknown)?;
    let busy = |error: StoreError| {
        gate.server.fuse.failed(&error);
        Reply::busy(StatusCode::SERVICE_UNAVAILABLE)
    };
    let filter = DeliveryFilter { thread: Some(ThreadId(number)), ..DeliveryFilter::default() };
    let rows = gate.server.store.deliveries(filter).await.map_err(busy)?;
    let mine = rows.into_iter().filter(|row| row.notification == number && row.source == *bearer.source);
    let messages: Vec<i64> = mine.map(|row| row.message).collect();
    if messages.is_empty() {
        return Err(unknown());
    }
    for message in messages {
        match recallable(&gate.server.store, &setup.config, message).await.map_err(busy)? {
            Ok(wanted) => {
                take_back(&setup.wecom, &wanted).await.map_err(|_| Reply::error(42052, "msgid too old", caller))?;
            }
            // The message is not sent yet, or was merged into a digest.
            Err(_) => return Err(Reply::busy(StatusCode::OK)),
        }
    }
    Ok(Reply::ok())
}
