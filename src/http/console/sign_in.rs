//! Signing in and out. A link from a chat or a command opens a page that asks; only its button signs in, once.

use std::collections::HashMap;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tracing::info;

use super::super::orders::{proven, unreadable, unstored};
use super::super::pages::{Reader, VIEW, answer};
use super::super::peer::Peer;
use super::super::refusal::Cause;
use super::{Gate, Guest, clock, is_ours, is_secure, password, see, session_cookie, unread, usual};
use crate::config::local_person;
use crate::console::{self, LinkPage, LoginPage, MePage, View};
use crate::store::{Hash, NewSession, SESSION_MS, Session, fresh_secret, hash};
use crate::words::Words;

/// How long a browser keeps how its person wants pages: a year.
const VIEW_SECONDS: i64 = 365 * 24 * 3600;
/// Characters that are kept of a browser's name for itself.
const AGENT: usize = 200;

/// Pages that a sign-in may lead to.
const PAGES: [&str; 15] = [
    "now",
    "i",
    "m",
    "silences",
    "state",
    "me",
    "people",
    "duty",
    "noise",
    "routes",
    "senders",
    "mappings",
    "templates",
    "search",
    "audit",
];
/// Bytes of a way back.
const BACK: usize = 300;

/// A way to a page of ours, from the top of the site. Anything else is what is on now.
pub(super) fn inside(to: &str) -> &str {
    let (path, query) = to.split_once('?').unwrap_or((to, ""));
    let mut parts = path.split('/');
    let plain = |part: &str| {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"_-@.".contains(&byte);
        !part.is_empty() && part.bytes().all(known) && !part.bytes().all(|byte| byte == b'.')
    };
    let listed = |byte: u8| byte.is_ascii_alphanumeric() || b"=&%_-@.+~:*".contains(&byte);
    let ours = to.len() <= BACK
        && parts.next().is_some_and(|first| PAGES.contains(&first))
        && parts.all(plain)
        && query.bytes().all(listed);
    if ours { to } else { "now" }
}

/// The page that a visitor asks for, as a way back to it.
pub(super) fn way_back(parts: &Parts) -> String {
    let to = parts.uri.path_and_query().map_or("", |address| address.as_str().trim_start_matches('/'));
    inside(to).to_owned()
}

/// The page that says how to sign in, for a visitor who wants to see `to`.
pub(super) fn how(gate: &Gate, reader: &Reader, status: StatusCode, to: &str, said: Option<Words>) -> Response {
    let f = reader.frame(usual(gate));
    let said = said.map(|said| f.say(said).into_owned()).unwrap_or_default();
    let ways = &gate.server.setup.now().config.sign_in;
    let way = |name: &str| {
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("to", to).finish();
        format!("{}login/{name}?{query}", reader.root())
    };
    let wecom = ways.wecom.is_some().then(|| way("wecom"));
    let local = (!ways.local.is_empty()).then(|| way("password"));
    answer(status, &LoginPage { f, said, wecom, local }, &[])
}

/// How to sign in.
pub(super) async fn login(State(gate): State<Gate>, parts: Parts) -> Response {
    let reader = Reader::of(&parts);
    match Guest::of(&gate, &parts).await {
        Ok(guest) => see(guest.reader.root(), "now"),
        // Signed in by a proxy, on the way to WeCom, or known and without a right.
        Err(answer) if answer.status() != StatusCode::UNAUTHORIZED => answer,
        Err(_) => how(&gate, &reader, StatusCode::OK, "now", None),
    }
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
    let said = how(gate, reader, StatusCode::FORBIDDEN, "now", Some(console::LINK_OVER));
    Cause::guess("ticket", "link").attach(said)
}

/// Signs in by a link.
pub(super) async fn enter(State(gate): State<Gate>, Path(ticket): Path<String>, parts: Parts) -> Response {
    let reader = Reader::of(&parts);
    if !is_ours(&gate, &parts.headers) {
        return Cause::new("form").attach(reader.note(StatusCode::FORBIDDEN, usual(&gate), console::FORM_UNREADABLE));
    }
    take(&gate, &reader, &parts, &ticket, None, "now").await
}

/// Signs the browser in as a person whose name is proven by `way`, and leads to `to`.
pub(super) async fn open(gate: &Gate, reader: &Reader, parts: &Parts, person: &str, way: &str, to: &str) -> Response {
    let credential = credential(gate, person, way);
    match gate.server.acts.rights(person).await {
        Ok(Some(_)) => {}
        Ok(None) => return reader.note(StatusCode::FORBIDDEN, usual(gate), console::no_right(person)),
        Err(error) => return unread(gate, reader, &error),
    }
    match gate.server.acts.ticket(person, way).await {
        Ok(ticket) => take(gate, reader, parts, &ticket, credential, to).await,
        Err(error) => unread(gate, reader, &error),
    }
}

/// What a session of `way` rests on: the hash of a local administrator's password, so that a new one ends the sessions of
/// the old one. `None`: on nothing that can change.
fn credential(gate: &Gate, person: &str, way: &str) -> Option<Hash> {
    let setup = gate.server.setup.now();
    let local = &setup.config.sign_in.local;
    let known = local.iter().find(|(name, _)| way == password::WAY && local_person(name) == person);
    known.map(|(_, password)| hash(&password.credential()))
}

/// Does what the session rests on still hold?
pub(super) fn still_holds(gate: &Gate, session: &Session) -> bool {
    session.way != password::WAY
        || session.credential.is_some() && session.credential == credential(gate, &session.person, &session.way)
}

/// Uses a ticket up for a session of this browser.
async fn take(
    gate: &Gate,
    reader: &Reader,
    parts: &Parts,
    ticket: &str,
    credential: Option<Hash>,
    to: &str,
) -> Response {
    let agent = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let address = parts.extensions.get::<Peer>().map(|peer| peer.address().to_string()).unwrap_or_default();
    // A new secret at each sign-in: one that was planted in the browser before is not valid.
    let secret = fresh_secret();
    let new = NewSession { hash: hash(&secret), address, agent: agent.chars().take(AGENT).collect(), credential };
    match gate.server.store.sign_in(hash(ticket), new, gate.server.clock.now()).await {
        Ok(Some(session)) => {
            info!(person = session.person, way = session.way, session = session.id, "A browser was signed in.");
            let mut response = see(reader.root(), to);
            let name = session_cookie(gate);
            response.headers_mut().append(header::SET_COOKIE, set_cookie(gate, name, &secret, SESSION_MS / 1000));
            response
        }
        Ok(None) => over(gate, reader),
        Err(error) => unread(gate, reader, &error),
    }
}

/// A cookie of ours, for so many seconds. It is for our own pages alone, where the host has others.
pub(super) fn set_cookie(gate: &Gate, name: &str, value: &str, seconds: i64) -> HeaderValue {
    let secure = if is_secure(gate) { "; Secure" } else { "" };
    let base = &gate.server.setup.now().config.base_path;
    let cookie = format!("{name}={value}; Path={base}/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::try_from(cookie).expect("cookies of ours are plain text")
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
    let mut response = see(guest.reader.root(), "me");
    response.headers_mut().append(header::SET_COOKIE, set_cookie(gate, VIEW, &view.cookie(), VIEW_SECONDS));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_in_leads_to_pages_of_ours_only() {
        for to in
            ["now", "i/7K2Q", "m/41", "m?state=dead&since=24h", "people/zhang.san@x", "m?label=a%3Db", "noise/2026-W48"]
        {
            assert_eq!(inside(to), to);
        }
        for to in [
            "",
            "/",
            "//evil.example",
            "/\\evil.example",
            "\\evil.example",
            "https://evil.example",
            "https:evil.example",
            "javascript:alert(1)",
            "data:text/html,x",
            "//evil.example/%2f..",
            "/now",
            " now",
            "now ",
            "now\n",
            "now\r\nx: y",
            "now/..",
            "now/../..//evil.example",
            "i/../../evil",
            "i/.",
            "i//7K2Q",
            "i/",
            "m?to=//evil.example",
            "m?x=<script>",
            "m#x",
            "now;x",
            "login",
            "login/link/x",
            "logout",
            "api/v1/acts",
            "events",
            "d/41",
            "nowhere",
            "evil.example/now",
            "now@evil.example:80",
            "now:80",
            "i/%2e%2e",
            "i/\u{202e}",
            "m?\u{0}",
            "webhook",
            "assets/x",
            "me\t",
        ] {
            assert_eq!(inside(to), "now", "{to:?}");
        }
        assert_eq!(inside(&format!("i/{}", "x".repeat(400))), "now");
    }
}
