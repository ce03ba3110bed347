//! The form of the page, for readers who cannot press a button in WeCom: acknowledge, release, silence, resend.
//!
//! Opening a link does nothing; only the page's form does, and once, however often it is submitted.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest as _, Path, Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::Response;
use axum::{Extension, Form};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use jiff::tz::TimeZone;
use minijinja::{Value, context};
use serde::Deserialize;

use super::super::lobby::Seat;
use super::super::peer::Peer;
use super::super::refusal::Cause;
use super::super::{BODY_DEADLINE, Gate, Server, words};
use super::{Visit, invalid, note, prove, show, unreadable};
use crate::alert::{Status, ThreadId, Timestamp};
use crate::answer::{Actor, Answer, Scope, Via, Wish};
use crate::config::Channel;
use crate::deliver::Page;
use crate::links::{Acting, Opened};
use crate::render::{self, harmless};
use crate::standing as state;
use crate::store::{About, ActAlert, ActFilter, ActKind, ActRow, ActState, Contents, StoreError};
use crate::upstream::Span;
use crate::words::Words;

/// A form has a name, an act and a number: a longer one is not ours.
const FORM_BYTES: usize = 4096;
/// Characters of a visitor's name.
const PERSON: usize = 32;
/// Acts that the page lists.
const ACTS: u32 = 20;
/// Owners of the message's alerts that are named.
const OWNERS: usize = 5;
/// Characters of a condition of a silence.
const CONDITION: usize = 300;
/// Rules that are named above the form, and characters of each.
const NAMES: usize = 2;
const NAME: usize = 60;
/// Longest wait for an upstream to make a silence while the visitor waits: within the timeouts of browsers and proxies.
const PATIENCE: Duration = Duration::from_secs(8);
/// The cookie with the visitor's name; sent to these pages only.
const COOKIE: &str = "wegraf_person";
/// Its lifetime: a year.
const COOKIE_SECONDS: u32 = 365 * 24 * 3600;

/// The fields of the form.
#[derive(Debug, Deserialize)]
struct Pressed {
    #[serde(rename = "do")]
    wish: String,
    nonce: String,
    #[serde(default)]
    person: String,
    #[serde(default)]
    span: String,
    /// What the page showed that a silence would hide, see [`Scope::fingerprint`].
    #[serde(default)]
    shown: String,
}

/// Does what the form asks, and shows the page again with the result.
pub(super) async fn act(
    State(gate): State<Gate>,
    Path(id): Path<i64>,
    address: Uri,
    seat: Option<Extension<Seat>>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    // The stored key: a rotation by another process ends acts at once.
    let opened = match gate.server.links.key_now().await {
        Ok(key) => key.open(id, &address, gate.server.clock.now()),
        Err(error) => return unreadable(id, &error),
    };
    let Some(opened) = opened else { return invalid(&gate, id, &address).await };
    prove(seat.as_deref());
    let pressed = match read(&headers, body).await {
        Ok(pressed) => pressed,
        Err(status) => {
            let said = note(status, &words::FORM_UNREADABLE);
            return Cause::new("form").attach(said);
        }
    };
    let person = person(&pressed.person);
    let answered = match opened.acts {
        Acting::Until(_) => wanted(&gate.server, id, &person, peer, pressed).await,
        // The page explains how to act instead.
        Acting::Ended | Acting::Never => Ok((Said::no(words::ACTS_ENDED), StatusCode::FORBIDDEN)),
    };
    let (said, status) = match answered {
        Ok(said) => said,
        Err(error) => {
            gate.server.fuse.failed(&error);
            return unreadable(id, &error);
        }
    };
    let mut page = show(&gate, id, &address, &opened, &Visit { person: person.clone(), said: Some(said) }).await;
    if page.status() == StatusCode::OK {
        *page.status_mut() = status;
        if let Ok(cookie) = remembered(&gate.server, &person).parse() {
            page.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
    page
}

/// The form, within its size and its time.
async fn read(headers: &HeaderMap, body: Body) -> Result<Pressed, StatusCode> {
    let body = match tokio::time::timeout(BODY_DEADLINE, Limited::new(body, FORM_BYTES).collect()).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(StatusCode::PAYLOAD_TOO_LARGE),
        Ok(Err(_)) | Err(_) => return Err(StatusCode::REQUEST_TIMEOUT),
    };
    let mut request = Request::post("/").body(Body::from(body)).map_err(|_| StatusCode::BAD_REQUEST)?;
    request.headers_mut().extend(headers.get(header::CONTENT_TYPE).map(|kind| (header::CONTENT_TYPE, kind.clone())));
    let Form(pressed) = Form::<Pressed>::from_request(request, &()).await.map_err(|_| StatusCode::BAD_REQUEST)?;
    // The page generates 32 digits; any other nonce is forged.
    let made_here = pressed.nonce.len() == 32 && pressed.nonce.bytes().all(|byte| byte.is_ascii_hexdigit());
    if made_here { Ok(pressed) } else { Err(StatusCode::BAD_REQUEST) }
}

/// The page's message about a form.
#[derive(Debug)]
pub(super) struct Said {
    good: bool,
    words: Words,
}

impl Said {
    const fn no(words: Words) -> Self {
        Self { good: false, words }
    }
}

/// Requests the act, and returns the result.
async fn wanted(
    server: &Server,
    id: i64,
    person: &str,
    peer: Peer,
    pressed: Pressed,
) -> Result<(Said, StatusCode), StoreError> {
    let bad = |words| Ok((Said::no(words), StatusCode::UNPROCESSABLE_ENTITY));
    if person.is_empty() {
        return bad(words::WHO_ARE_YOU);
    }
    let (kind, span) = match pressed.wish.as_str() {
        render::ACKNOWLEDGE => (ActKind::Acknowledge, None),
        render::RELEASE => (ActKind::Release, None),
        render::EXPIRE => (ActKind::Expire, None),
        render::SILENCE => match Span::parse(&pressed.span) {
            Ok(span) => (ActKind::Silence, Some(span)),
            Err(_) => return bad(words::NO_SPAN),
        },
        _ => return bad(words::NO_ACT),
    };
    // The silence must hide what the page showed; forms of older versions do not tell.
    if kind == ActKind::Silence
        && !pressed.shown.is_empty()
        && let Some(scope) = hidden(server, id).await?
        && scope.fingerprint() != pressed.shown
    {
        return Ok((Said::no(words::CHANGED), StatusCode::CONFLICT));
    }
    let Pressed { wish, nonce, span: chosen, .. } = pressed;
    let wish = Wish {
        // A form counts once, however often the page is reloaded.
        event: format!("page/{id}/{nonce}/{wish}/{}", if span.is_some() { chosen.as_str() } else { "" }),
        kind,
        about: About::Message(id),
        span,
        code: None,
        except_lane: None,
    };
    let actor = Actor { id: person.to_owned(), via: Via::Page };
    let answer = server.acts.act_from(&actor, wish, Some(peer.address())).await?;
    if answer.state == Some(ActState::Denied) {
        return Ok((Said::no(words::DENIED), StatusCode::FORBIDDEN));
    }
    Ok((outcome(server, &actor, kind, answer).await?, StatusCode::OK))
}

/// The result of an act: if it has a step upstream, that of the step, if it ends soon enough.
async fn outcome(server: &Server, actor: &Actor, kind: ActKind, mut answer: Answer) -> Result<Said, StoreError> {
    if answer.state == Some(ActState::Open) {
        answer = server.acts.finished(actor, answer, PATIENCE).await?;
        if answer.state == Some(ActState::Done) {
            return Ok(Said { good: true, words: words::done(kind) });
        }
    }
    let good = matches!(answer.state, Some(ActState::Open | ActState::Done));
    Ok(Said { good, words: (answer.text, "").into() })
}

/// A person's name: one line, bounded, plain text.
pub(super) fn person(given: &str) -> String {
    harmless(given.trim(), Channel::App, PERSON)
}

/// The name in this browser's cookie.
pub(super) fn known_person(headers: &HeaderMap) -> String {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let kept = cookies.flat_map(|line| line.split(';')).find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == COOKIE).then_some(value)
    });
    let bytes = kept.and_then(|value| BASE64_URL_SAFE_NO_PAD.decode(value).ok());
    bytes.and_then(|bytes| String::from_utf8(bytes).ok()).map_or_else(String::new, |name| person(&name))
}

/// Without a `Path` attribute, so that it applies below the path of this page wherever a proxy puts it.
fn remembered(server: &Server, person: &str) -> String {
    let value = BASE64_URL_SAFE_NO_PAD.encode(person);
    let secure = server.setup.now().config.external_url.as_deref().is_some_and(|url| url.starts_with("https://"));
    let secure = if secure { "; Secure" } else { "" };
    format!("{COOKIE}={value}; Max-Age={COOKIE_SECONDS}; HttpOnly; SameSite=Lax{secure}")
}

/// The part of the page for a message that can be acted on: its state, the possible acts, the recorded acts.
pub(super) async fn standing(
    server: &Server,
    id: i64,
    kept: &Contents,
    page: &Page,
    opened: &Opened,
    visit: &Visit,
) -> Result<Value, StoreError> {
    let setup = server.setup.now();
    let card = server.store.card_of(id).await?;
    let told = card.map_or_else(Vec::new, |card| card.alerts);
    let on: Vec<&ActAlert> = told.iter().filter(|alert| alert.status == Status::Firing).collect();
    let done = server.store.acts(ActFilter { thread: Some(kept.thread), limit: ACTS, ..ActFilter::default() }).await?;
    let silenced = silence(server, kept.thread, &told, &page.timezone).await?;
    let allowed = setup.config.anybody_may_act(&kept.receiver);
    let acts = matches!(opened.acts, Acting::Until(_));
    let hides = if allowed && acts { hidden(server, id).await? } else { None };
    let taken = on.iter().filter(|alert| alert.acknowledged.is_some()).count();
    let rules: BTreeSet<&str> = on.iter().map(|alert| alert.name.as_str()).collect();
    let nonce: u128 = rand::random();
    Ok(context! {
        on => on.len(),
        rules => rules.len(),
        names => rules.iter().take(NAMES).map(|name| harmless(name, Channel::App, NAME)).collect::<Vec<_>>(),
        owners => owners(&on, &page.timezone),
        taken,
        silenced,
        done => done.iter().map(|act| row(act, &page.timezone)).collect::<Vec<_>>(),
        allowed,
        denied_zh => words::DENIED.zh,
        denied_en => words::DENIED.en,
        may_acknowledge => taken < on.len(),
        may_release => taken > 0,
        hides => hides.as_ref().map(scope),
        spans => render::SPANS.map(|(id, zh, en)| context! { id, zh, en, usual => id == render::USUAL_SPAN }),
        person => visit.person.as_str(),
        most => PERSON,
        nonce => format!("{nonce:032x}"),
        proof => opened.proof(),
        acts,
        ended => opened.acts == Acting::Ended,
        id => kept.thread.to_string(),
        said => visit.said.as_ref().map(|said| context! { good => said.good, zh => &*said.words.zh, en => &*said.words.en }),
    })
}

/// What a silence for the alerts of this message that are on would hide: exactly what the press of the form asks for.
async fn hidden(server: &Server, id: i64) -> Result<Option<Scope>, StoreError> {
    let told = server.store.card_of(id).await?.map_or_else(Vec::new, |card| card.alerts);
    let on = told.iter().filter(|alert| alert.status == Status::Firing).map(|alert| alert.identity).collect();
    server.acts.scope(&server.store.told_firing(on).await?).await
}

/// The owners of the alerts, each once.
fn owners(on: &[&ActAlert], zone: &TimeZone) -> Vec<Value> {
    let mut owners: Vec<(String, Timestamp, usize)> = Vec::new();
    for doer in on.iter().filter_map(|alert| alert.acknowledged.as_ref()) {
        match owners.iter_mut().find(|(by, ..)| *by == doer.by) {
            Some((_, _, count)) => *count += 1,
            None => owners.push((doer.by.clone(), doer.at, 1)),
        }
    }
    let shown = owners.iter().take(OWNERS);
    shown.map(|(by, at, count)| context! { by => person(by), at => clock(*at, zone), count }).collect()
}

/// The silence that hides some of these alerts and ends last, if one is in force.
async fn silence(
    server: &Server,
    thread: ThreadId,
    told: &[ActAlert],
    zone: &TimeZone,
) -> Result<Option<Value>, StoreError> {
    let silences = state::silences_of(&server.store, thread, told, server.clock.now()).await?;
    Ok(state::longest(&silences)
        .map(|silence| context! { by => person(&silence.by), until => clock(silence.until, zone) }))
}

/// What a silence for the firing alerts would hide, as shown on the page.
fn scope(scope: &Scope) -> Value {
    let conditions: Vec<String> =
        scope.matchers.iter().map(|matcher| harmless(&matcher.to_string(), Channel::App, CONDITION)).collect();
    context! {
        upstream => scope.upstream.as_str(),
        conditions,
        count => scope.count,
        by_upstream => scope.by_upstream,
        shown => scope.fingerprint(),
    }
}

fn row(act: &ActRow, zone: &TimeZone) -> Value {
    let kind = words::act(act.kind).to_string();
    let state = words::state(act.state).map(|state| state.to_string()).unwrap_or_default();
    let until = act.until.filter(|_| act.kind != ActKind::Expire).map(|until| clock(until, zone));
    context! { at => clock(act.at, zone), by => person(&act.by), via => act.via.as_str(), kind, state, until }
}

fn clock(at: Timestamp, zone: &TimeZone) -> String {
    jiff::Timestamp::from_millisecond(at.0)
        .map(|at| at.to_zoned(zone.clone()).strftime("%m-%d %H:%M").to_string())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(cookie: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::COOKIE, cookie.parse().unwrap())])
    }

    #[test]
    fn a_name_is_kept_by_the_browser_and_a_forged_cookie_is_harmless() {
        let kept = |name: &str| format!("a=1; {COOKIE}={}; b=2", BASE64_URL_SAFE_NO_PAD.encode(name));
        assert_eq!(known_person(&headers(&kept("张三"))), "张三");
        assert_eq!(known_person(&headers(&kept(&"长".repeat(400)))).chars().count(), PERSON);
        assert!(!known_person(&headers(&kept("<@all>\nx"))).contains(['\n', '<']));
        for broken in ["", "wegraf_person", "wegraf_person=***", "wegraf_person=_w", "other=5byg5LiJ"] {
            assert_eq!(known_person(&headers(broken)), "", "{broken}");
        }
    }

    #[tokio::test]
    async fn forged_forms_are_refused() {
        let form = "application/x-www-form-urlencoded";
        let read = |kind: &'static str, body: String| async move {
            let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, kind.parse().unwrap())]);
            read(&headers, Body::from(body)).await.map(|pressed| pressed.wish)
        };
        let nonce = "0123456789abcdef0123456789abcdef";
        let good = format!("do=acknowledge&person=%E5%BC%A0%E4%B8%89&nonce={nonce}&span=1h");
        assert_eq!(read(form, good.clone()).await, Ok("acknowledge".to_owned()));
        assert_eq!(read("application/json", good.clone()).await, Err(StatusCode::BAD_REQUEST));
        assert_eq!(read(form, "do=acknowledge&nonce=1".to_owned()).await, Err(StatusCode::BAD_REQUEST));
        assert_eq!(read(form, format!("nonce={nonce}")).await, Err(StatusCode::BAD_REQUEST));
        let huge = format!("{good}&more={}", "x".repeat(FORM_BYTES));
        assert_eq!(read(form, huge).await, Err(StatusCode::PAYLOAD_TOO_LARGE));
    }
}
