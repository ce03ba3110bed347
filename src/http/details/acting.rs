//! The form of the page, for readers who cannot press a button in WeCom: acknowledge, release, silence, resend.
//!
//! Opening a link changes nothing. Only the page's form acts, and once, even if it is submitted again.

use std::net::IpAddr;
use std::time::Duration;

use axum::Form;
use axum::body::Body;
use axum::extract::{FromRequest as _, Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::Deserialize;

use super::super::lobby::Seat;
use super::super::pages::{Reader, cookie};
use super::super::peer::Peer;
use super::super::refusal::Cause;
use super::super::{BODY_DEADLINE, Gate, Server};
use super::{Known, Place, Visit, invalid, known, note, prove, receiver_of, show, unreadable};
use crate::alert::{Status, Timestamp};
use crate::answer::{Actor, Answer, Foreseen, SCOPE_PATIENCE, Scope, Via, Wish};
use crate::config::Channel;
use crate::console::{self, May, Proven, Standing};
use crate::links::{Acting, Opened};
use crate::render::{self, harmless};
use crate::standing as state;
use crate::store::{About, ActAlert, ActFilter, ActKind, ActState, Contents, StoreError};
use crate::upstream::{Matcher, Span};
use crate::words::Words;

/// A form has a name, an act and a number: a longer one is not ours.
const FORM_BYTES: usize = 4096;
/// Characters of a visitor's name.
const PERSON: usize = 32;
/// Acts that the page lists.
const ACTS: u32 = 20;
/// Characters of a condition of a silence.
const CONDITION: usize = 300;
/// Longest wait for an upstream to make a silence while the visitor waits: within the timeouts of browsers and proxies.
pub(in crate::http) const PATIENCE: Duration = Duration::from_secs(8);
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
    /// Of a visitor who is signed in.
    #[serde(default)]
    proof: String,
    #[serde(default)]
    span: String,
    /// What the page showed that a silence would hide, see [`Scope::fingerprint`].
    #[serde(default)]
    shown: String,
}

/// Does what the form asks, and shows the page again with the result.
pub(super) async fn act(State(gate): State<Gate>, Path(id): Path<i64>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let reader = Reader::of(&parts);
    let address = &parts.uri;
    // The stored key: a rotation by another process ends acts at once.
    let opened = match gate.server.links.key_now().await {
        Ok(key) => key.open(id, address, gate.server.clock.now()),
        Err(error) => return unreadable(&gate, &reader, id, &error),
    };
    let Some(opened) = opened else { return invalid(&gate, &reader, id, address).await };
    prove(parts.extensions.get::<Seat>());
    let pressed = match read(&parts.headers, body).await {
        Ok(pressed) => pressed,
        Err(status) => {
            let said = note(&gate, &reader, status, console::FORM_UNREADABLE);
            return Cause::new("form").attach(said);
        }
    };
    let form = Some((pressed.nonce.as_str(), pressed.proof.as_str()));
    let receiver = receiver_of(&gate, id).await;
    let known = known(&gate, &parts, receiver.as_deref(), form).await;
    let person = known.as_ref().map_or_else(|| person(&pressed.person), |known| known.person.clone());
    let peer = parts.extensions.get::<Peer>().map(|peer| peer.address());
    let answered = match opened.acts {
        _ if known.is_some() => wanted(&gate.server, id, &actor(&person, known.as_ref()), None, pressed).await,
        Acting::Until(_) => wanted(&gate.server, id, &actor(&person, None), peer, pressed).await,
        // The page explains how to act instead.
        Acting::Ended | Acting::Never => Ok((no(console::ACTS_ENDED), StatusCode::FORBIDDEN)),
    };
    let (said, status) = match answered {
        Ok(said) => said,
        Err(error) => {
            gate.server.fuse.failed(&error);
            return unreadable(&gate, &reader, id, &error);
        }
    };
    let signed_in = known.is_some();
    // A new proof for the next form.
    let known = if signed_in { super::known(&gate, &parts, receiver.as_deref(), None).await } else { None };
    let visit = Visit { place: Place::of(address), reader, person: person.clone(), said: Some(said), known };
    let mut page = show(&gate, id, &opened, &visit).await;
    if page.status() == StatusCode::OK {
        *page.status_mut() = status;
        if !signed_in && let Ok(cookie) = remembered(&gate.server, &person).parse() {
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

/// The page's message about a form: was it done, and in words.
type Said = (bool, Words);

const fn no(words: Words) -> Said {
    (false, words)
}

/// The visitor: of a session, or by the name that was entered.
fn actor(person: &str, known: Option<&Known>) -> Actor {
    let via = known.map_or(Via::Page, |known| Via::Console(known.way.clone()));
    Actor { id: person.to_owned(), via }
}

/// Requests the act, and returns the result.
async fn wanted(
    server: &Server,
    id: i64,
    actor: &Actor,
    peer: Option<IpAddr>,
    pressed: Pressed,
) -> Result<(Said, StatusCode), StoreError> {
    let bad = |words| Ok((no(words), StatusCode::UNPROCESSABLE_ENTITY));
    if actor.id.is_empty() {
        return bad(console::WHO_ARE_YOU);
    }
    let (kind, span) = match asked_for(&pressed.wish, &pressed.span) {
        Ok(asked) => asked,
        Err(words) => return bad(words),
    };
    // The silence must hide what the page showed; forms of older versions do not tell.
    if kind == ActKind::Silence
        && !pressed.shown.is_empty()
        && let Some(why) = unlike(&hidden(server, id).await?, &pressed.shown)
    {
        return Ok((no(why), StatusCode::CONFLICT));
    }
    let Pressed { wish, nonce, span: chosen, .. } = pressed;
    let wish = Wish {
        // A form counts once, even if the page is reloaded.
        event: format!("page/{id}/{nonce}/{wish}/{}", if span.is_some() { chosen.as_str() } else { "" }),
        kind,
        about: About::Message(id),
        span,
        code: None,
        except_lane: None,
        within: None,
    };
    let answer = server.acts.act_from(actor, wish, peer).await?;
    if answer.state == Some(ActState::Denied) && actor.via == Via::Page {
        return Ok((no(console::DENIED), StatusCode::FORBIDDEN));
    }
    let status = if answer.state == Some(ActState::Denied) { StatusCode::FORBIDDEN } else { StatusCode::OK };
    Ok((outcome(server, kind, answer, PATIENCE).await?, status))
}

/// The act that the button `wish` of a form asks for, for the span that it chooses.
pub(in crate::http) fn asked_for(wish: &str, span: &str) -> Result<(ActKind, Option<Span>), Words> {
    match wish {
        render::ACKNOWLEDGE => Ok((ActKind::Acknowledge, None)),
        render::RELEASE => Ok((ActKind::Release, None)),
        render::EXPIRE => Ok((ActKind::Expire, None)),
        render::SILENCE => match Span::parse(span) {
            Ok(span) => Ok((ActKind::Silence, Some(span))),
            Err(_) => Err(console::NO_SPAN),
        },
        _ => Err(console::NO_ACT),
    }
}

/// The result of an act: if it has a step upstream, that of the step, if it ends soon enough.
pub(in crate::http) async fn outcome(
    server: &Server,
    kind: ActKind,
    mut answer: Answer,
    patience: Duration,
) -> Result<Said, StoreError> {
    if answer.state == Some(ActState::Open) {
        answer = server.acts.finished(answer, patience).await?;
        if answer.state == Some(ActState::Done) {
            return Ok((true, console::done(kind)));
        }
    }
    let good = matches!(answer.state, Some(ActState::Open | ActState::Done));
    Ok((good, answer.text))
}

/// A person's name: one line, bounded, plain text.
pub(in crate::http) fn person(given: &str) -> String {
    harmless(given.trim(), Channel::App, PERSON)
}

/// The name in this browser's cookie.
pub(super) fn known_person(headers: &HeaderMap) -> String {
    let bytes = cookie(headers, COOKIE).and_then(|value| BASE64_URL_SAFE_NO_PAD.decode(value).ok());
    bytes.and_then(|bytes| String::from_utf8(bytes).ok()).map_or_else(String::new, |name| person(&name))
}

/// Without a `Path` attribute, so that it applies below the path of this page wherever a proxy puts it.
fn remembered(server: &Server, person: &str) -> String {
    let value = BASE64_URL_SAFE_NO_PAD.encode(person);
    let secure = server.setup.now().config.external_url.as_deref().is_some_and(|url| url.starts_with("https://"));
    let secure = if secure { "; Secure" } else { "" };
    format!("{COOKIE}={value}; Max-Age={COOKIE_SECONDS}; HttpOnly; SameSite=Lax{secure}")
}

/// How the alerts of a message stand, and what its visitor may do.
pub(super) async fn standing(
    server: &Server,
    id: i64,
    kept: &Contents,
    told: &[ActAlert],
    opened: &Opened,
    visit: &Visit,
) -> Result<Standing, StoreError> {
    let known = visit.known.as_ref();
    let on: Vec<&ActAlert> = told.iter().filter(|alert| alert.status == Status::Firing).collect();
    let done = server.store.acts(ActFilter { thread: Some(kept.thread), limit: ACTS, ..ActFilter::default() }).await?;
    let may = match opened.acts {
        // Whether a proven userid may is asked when it is tried.
        _ if visit.known.is_some() => May::Act,
        _ if !server.setup.now().config.anybody_may_act(&kept.receiver) => May::Denied,
        Acting::Until(_) => May::Act,
        Acting::Ended => May::Ended,
        Acting::Never => May::Read,
    };
    let hides = if may == May::Act { hidden(server, id).await? } else { Foreseen::Nothing };
    let silences = state::silences_of(&server.store, kept.thread, told, server.clock.now()).await?;
    Ok(Standing {
        thread: kept.thread,
        on: on.len(),
        taken: on.iter().filter(|alert| alert.acknowledged.is_some()).count(),
        owners: owners(&on),
        silenced: state::longest(&silences).map(|silence| (person(&silence.by), silence.until)),
        done: done.into_iter().map(|act| (act.clone(), person(&act.by))).collect(),
        may,
        too_many: hides == Foreseen::TooMany,
        hides: hides.scope().map(shown),
        person: visit.person.clone(),
        most: PERSON,
        nonce: known.and_then(|known| u128::from_str_radix(&known.nonce, 16).ok()).unwrap_or_else(rand::random),
        proof: opened.proof(),
        proven: known.map(|known| Proven { proof: known.proof.clone(), message: id }),
        said: visit.said.clone(),
    })
}

/// What a silence would hide, with its conditions as they are shown.
pub(in crate::http) fn shown(scope: Scope) -> (Scope, Vec<String>) {
    let conditions = scope.matchers.iter().map(condition).collect();
    (scope, conditions)
}

/// Why a silence is not made whose form `shown` proves what its reader saw; `None` if it would hide just that.
pub(in crate::http) fn unlike(foreseen: &Foreseen, shown: &str) -> Option<Words> {
    match foreseen {
        Foreseen::Scope(scope) => (scope.fingerprint() != shown).then_some(console::CHANGED),
        Foreseen::TooMany => Some(console::TOO_MANY),
        Foreseen::Nothing => None,
    }
}

/// A condition of a silence, as it is shown.
fn condition(matcher: &Matcher) -> String {
    harmless(&matcher.to_string(), Channel::App, CONDITION)
}

/// What a silence for the alerts of this message that are on would hide: exactly what the press of the form asks for.
pub(in crate::http) async fn hidden(server: &Server, id: i64) -> Result<Foreseen, StoreError> {
    let told = server.store.card_of(id).await?.map_or_else(Vec::new, |card| card.alerts);
    let on = told.iter().filter(|alert| alert.status == Status::Firing).map(|alert| alert.identity).collect();
    server.acts.scope(&server.store.told_firing(on).await?, SCOPE_PATIENCE).await
}

/// The owners of the alerts, each once: since when, and of how many.
pub(in crate::http) fn owners(on: &[&ActAlert]) -> Vec<(String, Timestamp, usize)> {
    let mut owners: Vec<(String, Timestamp, usize)> = Vec::new();
    for doer in on.iter().filter_map(|alert| alert.acknowledged.as_ref()) {
        let by = person(&doer.by);
        match owners.iter_mut().find(|(known, ..)| *known == by) {
            Some((_, _, count)) => *count += 1,
            None => owners.push((by, doer.at, 1)),
        }
    }
    owners
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
