//! Signing in and out. A link from a chat or a command opens a page that asks; only its button signs in, once.

use std::collections::HashMap;

use axum::extract::{Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tracing::info;

use super::super::orders::{proven, unreadable, unstored};
use super::super::pages::{Reader, VIEW, answer};
use super::super::peer::Peer;
use super::super::refusal::Cause;
use super::{Gate, Guest, PLAIN, SECURE, clock, is_ours, is_secure, see, unread, usual};
use crate::console::{self, LinkPage, LoginPage, MePage, View};
use crate::store::{NewSession, SESSION_MS, fresh_secret, hash};

/// How long a browser keeps how its person wants pages: a year.
const VIEW_SECONDS: u32 = 365 * 24 * 3600;
/// Characters that are kept of a browser's name for itself.
const AGENT: usize = 200;

/// How to sign in.
pub(super) async fn login(State(gate): State<Gate>, parts: Parts) -> Response {
    if let Ok(guest) = Guest::of(&gate, &parts).await {
        return see(guest.reader.root(), "now");
    }
    let reader = Reader::of(&parts);
    answer(StatusCode::OK, &LoginPage { f: reader.frame(usual(&gate)), said: String::new() }, &[])
}

/// Asks whether to sign in. Uses nothing up: links are opened by machines, too.
pub(super) async fn link(State(gate): State<Gate>, Path(ticket): Path<String>, parts: Parts) -> Response {
    let reader = Reader::of(&parts);
    match gate.server.store.ticket(hash(&ticket), gate.server.clock.now()).await {
        Ok(Some(ticket)) => answer(StatusCode::OK, &LinkPage::new(reader.frame(usual(&gate)), &ticket.person), &[]),
        Ok(None) => over(&gate, &reader),
        Err(error) => unread(&gate, &reader, &error),
    }
}

fn over(gate: &Gate, reader: &Reader) -> Response {
    let f = reader.frame(usual(gate));
    let said = f.say(console::LINK_OVER).into_owned();
    Cause::guess("ticket", "link").attach(answer(StatusCode::FORBIDDEN, &LoginPage { f, said }, &[]))
}

/// Signs in.
pub(super) async fn enter(
    State(gate): State<Gate>,
    Path(ticket): Path<String>,
    Extension(peer): Extension<Peer>,
    parts: Parts,
) -> Response {
    let reader = Reader::of(&parts);
    if !is_ours(&gate, &parts.headers) {
        return Cause::new("form").attach(reader.note(StatusCode::FORBIDDEN, usual(&gate), console::FORM_UNREADABLE));
    }
    let agent = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // A new secret at each sign-in: one that was planted in the browser before is not valid.
    let secret = fresh_secret();
    let new = NewSession {
        hash: hash(&secret),
        address: peer.address().to_string(),
        agent: agent.chars().take(AGENT).collect(),
    };
    match gate.server.store.sign_in(hash(&ticket), new, gate.server.clock.now()).await {
        Ok(Some(session)) => {
            info!(person = session.person, way = session.way, session = session.id, "A browser was signed in.");
            let mut response = see(reader.root(), "now");
            let (name, secure) = if is_secure(&gate) { (SECURE, "; Secure") } else { (PLAIN, "") };
            let seconds = SESSION_MS / 1000;
            let cookie = format!("{name}={secret}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
            let cookie = HeaderValue::try_from(cookie).expect("a secret is plain text");
            response.headers_mut().append(header::SET_COOKIE, cookie);
            response
        }
        Ok(None) => over(&gate, &reader),
        Err(error) => unread(&gate, &reader, &error),
    }
}

/// A person's own page.
pub(super) async fn me(State(gate): State<Gate>, parts: Parts) -> Response {
    let guest = match Guest::of(&gate, &parts).await {
        Ok(guest) => guest,
        Err(away) => return away,
    };
    let whose = (!guest.rights.change).then(|| guest.session.person.clone());
    let sessions = match gate.server.store.sessions(whose, gate.server.clock.now()).await {
        Ok(sessions) => sessions,
        Err(error) => return unread(&gate, &guest.reader, &error),
    };
    let (f, desk) = (guest.frame(&gate), guest.desk(&gate, "me"));
    let setup = gate.server.setup.now();
    let clock = clock(&gate, &setup.config.timezone, f.language);
    let receivers: Vec<String> = guest.rights.receivers.iter().cloned().collect();
    let page = MePage::new(f, desk, &clock, &guest.session.id, &sessions, guest.rights.all, &receivers);
    answer(StatusCode::OK, &page, &[])
}

/// Keeps how the person wants pages, in this browser.
fn keep(gate: &Gate, guest: &Guest, fields: &HashMap<String, String>) -> Response {
    let field = |name: &str| fields.get(name).map_or("", String::as_str);
    let view = View::of(field("language"), field("theme"), field("keys"));
    let secure = if is_secure(gate) { "; Secure" } else { "" };
    let cookie = format!("{VIEW}={}; Path=/; Max-Age={VIEW_SECONDS}; HttpOnly; SameSite=Lax{secure}", view.cookie());
    let mut response = see(guest.reader.root(), "me");
    response.headers_mut().append(header::SET_COOKIE, HeaderValue::try_from(cookie).expect("a view is plain text"));
    response
}

/// Ends a session: one's own, or, with the right to change, that of another.
pub(super) async fn end(State(gate): State<Gate>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let guest = match Guest::of(&gate, &parts).await {
        Ok(guest) => guest,
        Err(away) => return away,
    };
    let fields = match guest.form(&gate, &parts.headers, body).await {
        Ok(fields) => fields,
        Err(forged) => return forged,
    };
    if fields.contains_key("view") {
        return keep(&gate, &guest, &fields);
    }
    let (store, now) = (&gate.server.store, gate.server.clock.now());
    let id = fields.get("end").cloned().unwrap_or_default();
    let own = id == guest.session.id;
    let change = guest.rights.change && guest.is_fresh(&gate);
    let whose = (!change).then(|| guest.session.person.clone());
    let ended = async {
        if !store.sessions(whose, now).await?.iter().any(|session| session.id == id) {
            return Ok(false);
        }
        store.end_session(id, if own { "signed-out" } else { "ended" }, guest.session.person.clone(), now).await
    };
    match ended.await {
        Ok(false) if guest.rights.change && !change => {
            guest.reader.note(StatusCode::FORBIDDEN, usual(&gate), console::SIGN_IN_AGAIN)
        }
        Ok(_) => see(guest.reader.root(), if own { "login" } else { "me" }),
        Err(error) => unread(&gate, &guest.reader, &error),
    }
}

/// Whom a command wants a link for.
#[derive(Debug, Serialize, Deserialize)]
pub struct LinkOrder {
    /// The userid.
    pub person: String,
}

/// Makes a link for a command on the machine.
pub(super) async fn ordered(State(gate): State<Gate>, request: Request) -> Response {
    let body = match proven(&*gate.server.links.key().await, request, gate.server.clock.now()).await {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    let Ok(LinkOrder { person }) = serde_json::from_slice(&body) else { return unreadable() };
    match gate.server.acts.ticket(&person, "command").await {
        Ok(ticket) => Json(json!({ "ticket": ticket })).into_response(),
        Err(failure) => unstored(&gate, &failure),
    }
}

/// The session that a command ends.
#[derive(Debug, Serialize, Deserialize)]
pub struct EndOrder {
    /// Its number for people.
    pub id: String,
    /// The name of a user of the machine.
    pub by: String,
}

/// Ends a session for a command on the machine.
pub(super) async fn ended(State(gate): State<Gate>, request: Request) -> Response {
    let now = gate.server.clock.now();
    let body = match proven(&*gate.server.links.key().await, request, now).await {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    let Ok(EndOrder { id, by }) = serde_json::from_slice(&body) else { return unreadable() };
    match gate.server.store.end_session(id, "ended", by, now).await {
        Ok(ended) => Json(json!({ "ended": ended })).into_response(),
        Err(failure) => unstored(&gate, &failure),
    }
}
