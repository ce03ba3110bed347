//! Signing in by WeCom: the browser is sent to WeCom's page and comes back with a code, for which WeCom tells the userid.
//!
//! What the browser brings back (`state`) is signed, with a secret that only this browser has in a cookie: it holds for ten
//! minutes and for this browser, whichever replica it comes back to. The code itself is valid once.

use axum::extract::{Path, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use serde::Deserialize;
use sha2::Sha256;
use tracing::warn;
use wecom::Identity;

use super::super::aside::outward;
use super::super::pages::{Reader, cookie};
use super::super::peer::Peer;
use super::super::refusal::Cause;
use super::sign_in::{how, inside, open, set_cookie};
use super::{Gate, usual};
use crate::alert::Timestamp;
use crate::console;
use crate::deliver::app;
use crate::store::fresh_secret;
use crate::words::{Language, Words};

/// The cookie of a browser that is on its way.
const COOKIE: &str = "wegraf_login";
/// How long it may be on its way.
const AWAY_MS: i64 = 10 * 60_000;
/// The name of WeCom's own browser.
const OWN_BROWSER: &str = "wxwork/";
/// The way of these sessions.
const WAY: &str = "wecom";
/// WeCom's answers: the code is unknown, used or old; the domain is not the app's; the caller's address is not trusted.
const CODE_INVALID: i64 = 40029;
const DOMAIN_NOT_TRUSTED: i64 = 50001;
const ADDRESS_NOT_TRUSTED: i64 = 60020;

/// Where to go on afterwards.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Start {
    to: String,
}

/// What WeCom sends the browser back with.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Back {
    code: String,
    state: String,
}

/// The app that people sign in by.
fn account(gate: &Gate) -> Option<(String, wecom::App)> {
    let config = &gate.server.setup.now().config;
    let name = config.sign_in.wecom.clone()?;
    let account = app(config.wecom.apps.get(&name)?);
    Some((name, account))
}

/// Is this WeCom's own browser, which signs in without a question, and not just back from there without success?
pub(super) fn is_at_once(gate: &Gate, parts: &Parts) -> bool {
    let agent = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    agent.contains(OWN_BROWSER) && cookie(&parts.headers, COOKIE).is_none() && account(gate).is_some()
}

/// Begins.
pub(super) async fn start(State(gate): State<Gate>, Query(Start { to }): Query<Start>, parts: Parts) -> Response {
    away(&gate, &Reader::of(&parts), &parts, inside(&to), false).await
}

/// Sends the browser to WeCom; `again`: for the second time.
pub(super) async fn away(gate: &Gate, reader: &Reader, parts: &Parts, to: &str, again: bool) -> Response {
    let (setup, now) = (gate.server.setup.now(), gate.server.clock.now());
    let (Some((_, account)), Some(external)) = (account(gate), setup.config.external_url.as_deref()) else {
        return reader.note(StatusCode::NOT_FOUND, usual(gate), console::NO_PAGE);
    };
    if let Some(peer) = parts.extensions.get::<Peer>() {
        let begun = std::time::Instant::now();
        if let Some(wait) = gate.starts.wait(peer.site(), begun) {
            let mut said = how(gate, reader, StatusCode::TOO_MANY_REQUESTS, to, Some(console::TOO_OFTEN));
            said.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
            return Cause::new("often").attach(said);
        }
        gate.starts.note(peer.site(), begun);
    }
    let secret = fresh_secret();
    let journey = Journey { secret, again, to: to.to_owned() };
    let state = journey.state(gate.server.links.key().await.sign_in_key(), now, rand::random());
    let agent = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let redirect = format!("{external}/login/wecom/back");
    let mut query = form_urlencoded::Serializer::new(String::new());
    let agent_id = account.agent_id.to_string();
    let place = if agent.contains(OWN_BROWSER) {
        query.extend_pairs([
            ("appid", account.corp_id.as_str()),
            ("redirect_uri", &redirect),
            ("response_type", "code"),
            ("scope", "snsapi_base"),
            ("state", &state),
            ("agentid", &agent_id),
        ]);
        format!("{}/connect/oauth2/authorize?{}#wechat_redirect", setup.config.wecom.oauth_url, query.finish())
    } else {
        let lang = match reader.frame(usual(gate)).language {
            Language::Zh => "zh",
            Language::En => "en",
        };
        query.extend_pairs([
            ("login_type", "CorpApp"),
            ("appid", account.corp_id.as_str()),
            ("agentid", &agent_id),
            ("redirect_uri", &redirect),
            ("state", &state),
            ("lang", lang),
        ]);
        format!("{}/wwlogin/sso/login?{}", setup.config.wecom.login_url, query.finish())
    };
    let mut response = StatusCode::SEE_OTHER.into_response();
    let set = response.headers_mut();
    set.insert(header::LOCATION, HeaderValue::try_from(place).expect("an address of ours is plain text"));
    set.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    set.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    set.append(header::SET_COOKIE, set_cookie(gate, COOKIE, &journey.cookie(), AWAY_MS / 1000));
    response
}

/// The browser is back.
pub(super) async fn back(State(gate): State<Gate>, Query(Back { code, state }): Query<Back>, parts: Parts) -> Response {
    let reader = Reader::of(&parts);
    let Some((name, account)) = account(&gate) else {
        return reader.note(StatusCode::NOT_FOUND, usual(&gate), console::NO_PAGE);
    };
    let journey = cookie(&parts.headers, COOKIE).and_then(Journey::parse);
    let key = gate.server.links.key().await.sign_in_key();
    let Some(journey) = journey.filter(|known| known.made(key, &state, gate.server.clock.now())) else {
        // The state of another browser, or one that took too long.
        let said = how(&gate, &reader, StatusCode::FORBIDDEN, "now", Some(console::SIGN_IN_STALE));
        return Cause::new("state").attach(said);
    };
    let to = inside(&journey.to);
    if code.is_empty() {
        return how(&gate, &reader, StatusCode::OK, to, Some(console::SIGN_IN_REFUSED));
    }
    let asked = outward(gate.server.setup.now().wecom.identify(&account, &code)).await;
    let (status, said) = match asked {
        Ok(Identity::Member(person)) if !person.contains('/') => {
            return open(&gate, &reader, &parts, &person, WAY, to).await;
        }
        Ok(Identity::Member(_) | Identity::Outsider) => (StatusCode::FORBIDDEN, console::NOT_A_MEMBER),
        Err(error) => {
            let failure = error.failure();
            match failure.errcode() {
                Some(CODE_INVALID) if !journey.again => return away(&gate, &reader, &parts, to, true).await,
                Some(CODE_INVALID) => (StatusCode::FORBIDDEN, console::SIGN_IN_STALE),
                code => {
                    warn!(app = name, error = %failure, "WeCom does not tell who signs in.");
                    (StatusCode::BAD_GATEWAY, unable(&gate, code))
                }
            }
        }
    };
    how(&gate, &reader, status, to, Some(said))
}

/// Why WeCom does not say who it is, and what the operator can do.
fn unable(gate: &Gate, errcode: Option<i64>) -> Words {
    match errcode {
        Some(DOMAIN_NOT_TRUSTED) => {
            let url = gate.server.setup.now().config.external_url.clone().unwrap_or_default();
            let host = url.split_once("://").map_or("", |(_, rest)| rest.split('/').next().unwrap_or_default());
            console::domain_not_trusted(host)
        }
        Some(ADDRESS_NOT_TRUSTED) => console::ADDRESS_NOT_TRUSTED,
        _ => console::WECOM_SILENT,
    }
}

/// WeCom's proof of the domain.
pub(super) async fn proof(State(gate): State<Gate>, Path(name): Path<String>) -> Response {
    match &gate.server.setup.now().config.sign_in.domain_proof {
        Some(proof) if proof.name == name => proof.text.clone().into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

/// A browser on its way to WeCom and back, as its cookie knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Journey {
    /// Only this browser has it.
    secret: String,
    /// It is the second time.
    again: bool,
    /// Where to go on afterwards.
    to: String,
}

impl Journey {
    fn cookie(&self) -> String {
        format!("{}.{}.{}", self.secret, u8::from(self.again), BASE64_URL_SAFE_NO_PAD.encode(&self.to))
    }

    fn parse(cookie: &str) -> Option<Self> {
        let mut parts = cookie.splitn(3, '.');
        let (secret, again, to) = (parts.next()?, parts.next()?, parts.next()?);
        let to = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(to).ok()?).ok()?;
        Some(Self { secret: secret.to_owned(), again: again == "1", to })
    }

    /// Letters and digits only, which is all that WeCom takes: the time, a number, and the proof of both for this journey.
    fn state(&self, key: Hmac<Sha256>, at: Timestamp, number: u64) -> String {
        let head = format!("{:016x}{number:016x}", at.0);
        let mac = self.mac(key, &head).finalize().into_bytes();
        mac[..16].iter().fold(head, |hex, byte| hex + &format!("{byte:02x}"))
    }

    fn mac(&self, mut key: Hmac<Sha256>, head: &str) -> Hmac<Sha256> {
        key.update(format!("{head} {}", self.cookie()).as_bytes());
        key
    }

    /// Was this state made for this journey, less than ten minutes ago?
    fn made(&self, key: Hmac<Sha256>, state: &str, now: Timestamp) -> bool {
        let Some((head, mac)) = state.split_at_checked(32) else { return false };
        let Some(at) = head.get(..16).and_then(|at| i64::from_str_radix(at, 16).ok()) else { return false };
        let bytes: Option<Vec<u8>> = (mac.len() == 32)
            .then(|| (0..16).map(|at| u8::from_str_radix(mac.get(at * 2..at * 2 + 2)?, 16).ok()).collect())
            .flatten();
        let young = (0..AWAY_MS).contains(&now.millis_since(Timestamp(at)));
        young && bytes.is_some_and(|bytes| self.mac(key, head).verify_truncated_left(&bytes).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use hmac::KeyInit as _;

    use super::*;

    #[test]
    fn a_state_holds_for_one_browser_and_ten_minutes() {
        let key = || Hmac::<Sha256>::new_from_slice(b"key").unwrap();
        let journey = Journey { secret: fresh_secret(), again: false, to: "i/7K2Q".to_owned() };
        assert_eq!(Journey::parse(&journey.cookie()), Some(journey.clone()));
        let (begun, at) = (Timestamp(1_000_000), |minutes: i64| Timestamp(1_000_000 + minutes * 60_000));
        let state = journey.state(key(), begun, 7);
        assert!(state.len() <= 128 && state.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert!(journey.made(key(), &state, at(0)) && journey.made(key(), &state, at(9)));
        assert!(!journey.made(key(), &state, at(10)) && !journey.made(key(), &state, at(-1)));
        let other = Journey { secret: fresh_secret(), ..journey.clone() };
        assert!(!other.made(key(), &state, at(1)), "another browser");
        let elsewhere = Journey { to: "now".to_owned(), ..journey.clone() };
        assert!(!elsewhere.made(key(), &state, at(1)), "another page");
        let foreign = Hmac::<Sha256>::new_from_slice(b"other").unwrap();
        assert!(!journey.made(foreign, &state, at(1)));
        for forged in ["", "x", &state[..63], &state.replace('a', "b"), &"0".repeat(64), &"é".repeat(40)] {
            assert!(forged == state || !journey.made(key(), forged, at(1)), "{forged}");
        }
    }
}
