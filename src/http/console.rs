//! The console: who is signed in, what may be seen, and that a form is of the session that was shown it.
//!
//! A session is a random secret in a cookie; the store has its SHA-256. Rights are looked up at every visit. Forms carry a
//! nonce and its HMAC by the secret, and come from our own pages (`Sec-Fetch-Site`, or `Origin` where a browser has none).

mod deliveries;
mod live;
mod look;
mod sign_in;
mod state;

pub use live::Streams;
pub use sign_in::{EndOrder, LinkOrder};

use std::collections::HashMap;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http_body_util::{BodyExt as _, Limited};
use sha2::{Digest as _, Sha256};

use super::lobby::Seat;
use super::pages::{Reader, answer, cookie, guarded};
use super::refusal::Cause;
use super::{BODY_DEADLINE, Gate};
use crate::answer::Rights;
use crate::console::{self, Desk, Frame, LoginPage};
use crate::render::Clock;
use crate::store::{Session, StoreError, hash};
use crate::words::{Language, Words};

/// A form has a few fields: a longer one is not ours.
const FORM_BYTES: usize = 16 * 1024;
/// How recent a sign-in must be for what concerns others: a workday, so that a forgotten browser does not do it.
const FRESH_MS: i64 = 12 * 3_600_000;
/// The cookie of the session, over https and over plain http.
const SECURE: &str = "__Host-wegraf";
const PLAIN: &str = "wegraf";

/// The paths of the console.
pub(super) fn routes() -> axum::Router<Gate> {
    axum::Router::new()
        .route("/login", get(sign_in::login))
        .route("/login/link/{ticket}", get(sign_in::link).post(sign_in::enter))
        .route("/me", get(sign_in::me).post(sign_in::end))
        .route("/now", get(look::now))
        .route("/i/{short}", get(look::incident).post(look::act))
        .route("/m", get(deliveries::search))
        .route("/m/{message}", get(deliveries::show).post(deliveries::redo))
        .route("/silences", get(state::silences))
        .route("/state", get(state::state))
        .route("/events", get(live::events))
        .route("/api/v1/console/link", post(sign_in::ordered))
        .route("/api/v1/console/end", post(sign_in::ended))
}

/// A visitor who is signed in.
struct Guest {
    session: Session,
    secret: String,
    rights: Rights,
    reader: Reader,
    /// Of the forms of this visit.
    nonce: String,
    /// What the browser has of the page.
    has: String,
}

/// Is `external_url` https? Then cookies are, too.
fn is_secure(gate: &Gate) -> bool {
    gate.server.setup.now().config.external_url.as_deref().is_some_and(|url| url.starts_with("https://"))
}

impl Guest {
    /// The visitor of a request, or the answer to one who is not signed in.
    async fn of(gate: &Gate, parts: &Parts) -> Result<Self, Response> {
        let reader = Reader::of(parts);
        let away = |said: Option<Words>| {
            let f = reader.frame(usual(gate));
            let said = said.map(|said| f.say(said).into_owned()).unwrap_or_default();
            answer(StatusCode::UNAUTHORIZED, &LoginPage { f, said }, &[])
        };
        let name = if is_secure(gate) { SECURE } else { PLAIN };
        let Some(secret) = cookie(&parts.headers, name) else { return Err(away(None)) };
        let failed = |error: StoreError| unread(gate, &reader, &error);
        let session = gate.server.store.session(hash(secret), gate.server.clock.now()).await.map_err(failed)?;
        let Some(session) = session else { return Err(away(Some(console::SESSION_OVER))) };
        let rights = gate.server.acts.rights(&session.person).await.map_err(failed)?;
        let Some(rights) = rights else {
            return Err(reader.note(StatusCode::FORBIDDEN, usual(gate), console::no_right(&session.person)));
        };
        if let Some(seat) = parts.extensions.get::<Seat>() {
            seat.prove();
        }
        let nonce = format!("{:032x}", rand::random::<u128>());
        let has = parts.headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
        let has = has.unwrap_or_default().to_owned();
        Ok(Self { session, secret: secret.to_owned(), rights, reader, nonce, has })
    }

    fn frame(&self, gate: &Gate) -> Frame<'_> {
        self.reader.frame(usual(gate))
    }

    /// What stands above a page.
    fn desk(&self, gate: &Gate, here: &'static str) -> Desk {
        let (nonce, proof) = (self.nonce.clone(), proof(&self.secret, &self.nonce));
        Desk { here, live: here, person: self.session.person.clone(), nonce, proof, plain: !is_secure(gate) }
    }

    /// A page with its mark: a browser that has the same one already is told so. What differs at each visit, the proof of
    /// its forms, is no difference.
    fn page(&self, page: &impl askama::Template, origins: &[String]) -> Response {
        let Ok(html) = page.render() else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
        let same = html.replace(&self.nonce, "").replace(&proof(&self.secret, &self.nonce), "");
        let hash: [u8; 32] = Sha256::digest(same).into();
        let mark = format!("\"{}\"", BASE64_URL_SAFE_NO_PAD.encode(&hash[..12]));
        let mut answer = if self.has == mark {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            guarded(StatusCode::OK, html, origins)
        };
        answer.headers_mut().insert(header::ETAG, HeaderValue::try_from(mark).expect("a mark is plain text"));
        answer
    }

    /// Did the person sign in so recently that they may change what concerns others?
    fn is_fresh(&self, gate: &Gate) -> bool {
        gate.server.clock.now().millis_since(self.session.made_at) < FRESH_MS
    }

    /// The fields of a form that this session was shown; or the answer to a forged one.
    async fn form(&self, gate: &Gate, headers: &HeaderMap, body: Body) -> Result<HashMap<String, String>, Response> {
        let forged = || {
            let said = self.reader.note(StatusCode::FORBIDDEN, usual(gate), console::FORM_UNREADABLE);
            Cause::new("form").attach(said)
        };
        if !is_ours(gate, headers) {
            return Err(forged());
        }
        let body = tokio::time::timeout(BODY_DEADLINE, Limited::new(body, FORM_BYTES).collect()).await;
        let Ok(Ok(body)) = body else { return Err(forged()) };
        let fields: HashMap<String, String> = form_urlencoded::parse(&body.to_bytes()).into_owned().collect();
        let (nonce, given) =
            (fields.get("nonce").map_or("", String::as_str), fields.get("proof").map_or("", String::as_str));
        if self.showed(nonce, given) { Ok(fields) } else { Err(forged()) }
    }

    /// Was a form with this nonce and this proof shown to this session?
    fn showed(&self, nonce: &str, given: &str) -> bool {
        let made = proof(&self.secret, nonce);
        nonce.len() == 32 && bool::from(subtle::ConstantTimeEq::ct_eq(made.as_bytes(), given.as_bytes()))
    }
}

/// A reader of the page behind a message who is signed in.
#[derive(Debug, Clone)]
pub(super) struct Known {
    /// The userid.
    pub person: String,
    /// How the person signed in.
    pub way: String,
    /// Makes the form count once.
    pub nonce: String,
    /// Proves with the nonce that the form is of this session.
    pub proof: String,
    /// May the person see the incident in the console?
    pub sees: bool,
}

/// Who reads a page for `receiver`, if a session of this browser says so. `form` holds the nonce and the proof of the form
/// that was sent; without them, or with those of another session, it is a form of a reader who was not signed in.
pub(super) async fn known(
    gate: &Gate,
    parts: &Parts,
    receiver: Option<&str>,
    form: Option<(&str, &str)>,
) -> Option<Known> {
    cookie(&parts.headers, if is_secure(gate) { SECURE } else { PLAIN })?;
    let guest = Guest::of(gate, parts).await.ok()?;
    if let Some((nonce, proof)) = form
        && !(is_ours(gate, &parts.headers) && guest.showed(nonce, proof))
    {
        return None;
    }
    Some(Known {
        proof: proof(&guest.secret, &guest.nonce),
        sees: receiver.is_some_and(|receiver| guest.rights.sees(receiver)),
        nonce: guest.nonce,
        person: guest.session.person,
        way: guest.session.way,
    })
}

/// Proves that a form with this nonce was shown to the session with this secret.
fn proof(secret: &str, nonce: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(format!("wegraf form 1 {nonce}").as_bytes());
    BASE64_URL_SAFE_NO_PAD.encode(&mac.finalize().into_bytes()[..16])
}

/// Does a form come from a page of ours?
fn is_ours(gate: &Gate, headers: &HeaderMap) -> bool {
    let external = gate.server.setup.now().config.external_url.clone();
    comes_from_us(headers, external.as_deref())
}

fn comes_from_us(headers: &HeaderMap, external_url: Option<&str>) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return site == "same-origin";
    }
    let Some(origin) = text("origin") else { return false };
    let host = origin.split_once("://").map_or("", |(_, host)| host);
    let ours = external_url
        .and_then(|url| url.split_once("://"))
        .map_or("", |(_, rest)| rest.split('/').next().unwrap_or_default());
    !host.is_empty() && (text("host") == Some(host) || ours == host)
}

/// The visitor, or the answer to one who is not signed in.
macro_rules! guest {
    ($gate:expr, $parts:expr) => {
        match Guest::of(&$gate, &$parts).await {
            Ok(guest) => guest,
            Err(away) => return away,
        }
    };
}
use guest;

/// What a page found, or the answer that it could not be read.
macro_rules! read {
    ($gate:expr, $guest:expr, $found:expr) => {
        match $found {
            Ok(found) => found,
            Err(error) => return super::unread(&$gate, &$guest.reader, &error),
        }
    };
}
use read;

/// The answer to a page that is not there, or not for this visitor.
fn missing(gate: &Gate, guest: &Guest) -> Response {
    guest.reader.note(StatusCode::NOT_FOUND, usual(gate), console::NO_PAGE)
}

/// The language of readers who ask for none.
fn usual(gate: &Gate) -> Language {
    gate.server.setup.now().config.language
}

/// The page of a reader whose store does not answer.
fn unread(gate: &Gate, reader: &Reader, error: &StoreError) -> Response {
    gate.server.fuse.failed(error);
    let why = if matches!(error, StoreError::TooSlow) { console::TOO_SLOW } else { console::NOT_READ };
    let said = reader.note(StatusCode::SERVICE_UNAVAILABLE, usual(gate), why);
    Cause::new("store").detail(format!("a page of the console cannot be read: {error}")).attach(said)
}

/// Sends the browser to a page of ours.
fn see(root: &str, path: &str) -> Response {
    let place = HeaderValue::try_from(format!("{root}{path}"));
    let mut response = StatusCode::SEE_OTHER.into_response();
    response.headers_mut().insert(header::LOCATION, place.expect("paths of ours are plain"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The zone and language of a page of the console.
fn clock<'a>(gate: &Gate, zone: &'a jiff::tz::TimeZone, language: Language) -> Clock<'a> {
    Clock { now: gate.server.clock.now(), zone, language }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect::<Vec<(axum::http::HeaderName, HeaderValue)>>()
            .into_iter()
            .collect()
    }

    #[test]
    fn a_form_of_another_site_is_refused() {
        let ours = Some("https://alerts.example.com/wegraf");
        for (pairs, is) in [
            (&[("sec-fetch-site", "same-origin")][..], true),
            (&[("sec-fetch-site", "same-site"), ("origin", "https://alerts.example.com")], false),
            (&[("sec-fetch-site", "cross-site")], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("origin", "https://alerts.example.com"), ("host", "10.0.0.1:8080")], true),
            (&[("origin", "http://10.0.0.1:8080"), ("host", "10.0.0.1:8080")], true),
            (&[("origin", "https://evil.example"), ("host", "10.0.0.1:8080")], false),
            (&[("origin", "null"), ("host", "")], false),
            (&[], false),
        ] {
            assert_eq!(comes_from_us(&headers(pairs), ours), is, "{pairs:?}");
        }
    }

    #[test]
    fn a_proof_holds_for_one_nonce_and_one_session() {
        let made = proof("secret", "nonce");
        assert_eq!(made, proof("secret", "nonce"));
        assert_ne!(made, proof("secret", "other"));
        assert_ne!(made, proof("another", "nonce"));
        let both = headers(&[("cookie", "a=1; __Host-wegraf=x; wegraf=y")]);
        assert_eq!((cookie(&both, SECURE), cookie(&both, PLAIN)), (Some("x"), Some("y")));
    }
}
