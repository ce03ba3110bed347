//! Who visits a page: the session of a browser, its rights, and the forms that it was shown.

use std::collections::HashMap;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http_body_util::{BodyExt as _, Limited};
use sha2::{Digest as _, Sha256};

use super::super::lobby::Seat;
use super::super::pages::{Reader, cookie, guarded};
use super::super::peer::Socket;
use super::super::refusal::Cause;
use super::super::{BODY_DEADLINE, Gate};
use super::save::Saver;
use super::{can_be_overheard, is_ours, session_cookie, sign_in, unread, usual, wecom};
use crate::answer::{Actor, Rights, Via};
use crate::console::{self, Desk, Frame};
use crate::store::{Session, StoreError, hash};

/// A form has a few fields: a longer one is not ours.
pub(super) const FORM_BYTES: usize = 16 * 1024;
/// Those who may change send templates and mappings: each byte of a template takes up to three.
const LONG_FORM_BYTES: usize = 256 * 1024;
/// How recent a sign-in must be for what concerns others: a workday, so that a forgotten browser does not do it.
const FRESH_MS: i64 = 12 * 3_600_000;
/// The way of a session that a proxy vouches for at each visit.
const PROXY: &str = "proxy";

/// A visitor who is signed in.
pub(super) struct Guest {
    pub session: Session,
    pub secret: String,
    pub rights: Rights,
    pub reader: Reader,
    /// Of the forms of this visit.
    nonce: String,
    /// What the browser has of the page.
    has: String,
}

impl Guest {
    /// The visitor of a request, or the answer to one who is not signed in.
    pub(super) async fn of(gate: &Gate, parts: &Parts) -> Result<Self, Response> {
        let reader = Reader::of(parts);
        let failed = |error: StoreError| unread(gate, &reader, &error);
        let named = named_by_proxy(gate, parts);
        let mut session = None;
        let secret = cookie(&parts.headers, session_cookie(gate));
        if let Some(secret) = secret {
            session = gate.server.store.session(hash(secret), gate.server.clock.now()).await.map_err(failed)?;
        }
        let vouched = |session: &Session| {
            let named = named.as_ref().is_some_and(|named| named.eq_ignore_ascii_case(&session.person));
            if session.way == PROXY { named } else { sign_in::still_holds(gate, session) }
        };
        let (Some(secret), Some(session)) = (secret, session.filter(vouched)) else {
            let to = sign_in::way_back(parts);
            if parts.method == Method::GET {
                if let Some(person) = named {
                    return Err(sign_in::open(gate, &reader, parts, &person, PROXY, &to).await);
                }
                if wecom::is_at_once(gate, parts) {
                    return Err(wecom::away(gate, &reader, parts, &to, false).await);
                }
            }
            let said = secret.map(|_| console::SESSION_OVER);
            return Err(sign_in::how(gate, &reader, StatusCode::UNAUTHORIZED, &to, said));
        };
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

    pub(super) fn frame(&self, gate: &Gate) -> Frame<'_> {
        self.reader.frame(usual(gate))
    }

    /// What stands above a page.
    pub(super) fn desk(&self, gate: &Gate, here: &'static str) -> Desk {
        let (nonce, proof) = (self.nonce.clone(), proof(&self.secret, &self.nonce));
        Desk {
            here,
            live: here,
            person: self.session.person.clone(),
            nonce,
            proof,
            all: self.rights.all,
            change: self.rights.change,
            plain: can_be_overheard(gate),
        }
    }

    /// A page with its mark: a browser that has the same one already is told so. What differs at each visit, the proof of
    /// its forms, is no difference.
    pub(super) fn page(&self, page: &impl askama::Template, origins: &[String]) -> Response {
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

    /// The visitor as the one who acts, under the proven userid.
    pub(super) fn actor(&self) -> Actor {
        Actor { id: self.session.person.clone(), via: Via::Console(self.session.way.clone()) }
    }

    /// The visitor as the one who saves a file.
    pub(super) fn saver(&self) -> Saver {
        Saver { name: self.session.person.clone(), address: self.session.address.clone() }
    }

    /// Did the person sign in so recently that they may change what concerns others?
    pub(super) fn is_fresh(&self, gate: &Gate) -> bool {
        gate.server.clock.now().millis_since(self.session.made_at) < FRESH_MS
    }

    /// The fields of a form that this session was shown; or the answer to a forged one.
    pub(super) async fn form(
        &self,
        gate: &Gate,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<HashMap<String, String>, Response> {
        let forged = || {
            let said = self.reader.note(StatusCode::FORBIDDEN, usual(gate), console::FORM_UNREADABLE);
            Cause::new("form").attach(said)
        };
        if !is_ours(gate, headers) {
            return Err(forged());
        }
        let most = if self.rights.change { LONG_FORM_BYTES } else { FORM_BYTES };
        let Some(fields) = fields(body, most).await else { return Err(forged()) };
        let (nonce, given) =
            (fields.get("nonce").map_or("", String::as_str), fields.get("proof").map_or("", String::as_str));
        if self.showed(nonce, given) { Ok(fields) } else { Err(forged()) }
    }

    /// Was a form with this nonce and this proof shown to this session?
    pub(super) fn showed(&self, nonce: &str, given: &str) -> bool {
        let made = proof(&self.secret, nonce);
        nonce.len() == 32 && bool::from(subtle::ConstantTimeEq::ct_eq(made.as_bytes(), given.as_bytes()))
    }
}

/// The fields of a form of so many bytes at most; `None`: it is too long, or did not arrive.
pub(super) async fn fields(body: Body, most: usize) -> Option<HashMap<String, String>> {
    let body = tokio::time::timeout(BODY_DEADLINE, Limited::new(body, most).collect()).await.ok()?.ok()?;
    Some(form_urlencoded::parse(&body.to_bytes()).into_owned().collect())
}

/// A reader of the page behind a message who is signed in.
#[derive(Debug, Clone)]
pub(in crate::http) struct Known {
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
pub(in crate::http) async fn known(
    gate: &Gate,
    parts: &Parts,
    receiver: Option<&str>,
    form: Option<(&str, &str)>,
) -> Option<Known> {
    cookie(&parts.headers, session_cookie(gate))?;
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

/// The userid that a proxy of `trusted_proxies` names in the header that is configured for it.
fn named_by_proxy(gate: &Gate, parts: &Parts) -> Option<String> {
    let config = &gate.server.setup.now().config;
    let header = config.sign_in.proxy.as_ref()?;
    let socket = parts.extensions.get::<Socket>()?.0.ip().to_canonical();
    if !config.trusted_proxies.iter().any(|network| network.holds(socket)) {
        return None;
    }
    let mut given = parts.headers.get_all(header).iter();
    // Two of them: one is not the proxy's.
    let (Some(only), None) = (given.next(), given.next()) else { return None };
    let person = only.to_str().ok()?.trim();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-@.".contains(&byte);
    ((1..=64).contains(&person.len()) && person.bytes().all(plain)).then(|| person.to_owned())
}

/// Proves that a form with this nonce was shown to the session with this secret.
pub(super) fn proof(secret: &str, nonce: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(format!("wegraf form 1 {nonce}").as_bytes());
    BASE64_URL_SAFE_NO_PAD.encode(&mac.finalize().into_bytes()[..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_holds_for_one_nonce_and_one_session() {
        let made = proof("secret", "nonce");
        assert_eq!(made, proof("secret", "nonce"));
        assert_ne!(made, proof("secret", "other"));
        assert_ne!(made, proof("another", "nonce"));
        let both = HeaderMap::from_iter([(header::COOKIE, "a=1; __Host-wegraf=x; wegraf=y".parse().unwrap())]);
        assert_eq!((cookie(&both, super::super::SECURE), cookie(&both, super::super::PLAIN)), (Some("x"), Some("y")));
    }
}
