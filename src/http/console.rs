//! The console: who is signed in, what may be seen, and that a form is of the session that was shown it.
//!
//! A session is a random secret in a cookie; the store has its SHA-256. Rights are looked up at every visit. Forms carry a
//! nonce and its HMAC by the secret, and come from our own pages (`Sec-Fetch-Site`, or `Origin` where a browser has none).

mod deliveries;
mod find;
mod guest;
pub(in crate::http) mod live;
mod look;
pub(in crate::http) mod mappings;
mod noise;
mod password;
mod people;
pub(in crate::http) mod routes;
pub(in crate::http) mod save;
mod sign_in;
mod silence;
mod silences;
pub(in crate::http) mod state;
pub(in crate::http) mod templates;
mod wecom;

pub use live::Streams;
pub use password::Guesses;
pub use sign_in::{EndOrder, LinkOrder};

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};

use super::Gate;
use super::pages::{Reader, answer};
use super::refusal::Cause;
use crate::console::{self, NotePage};
use crate::render::Clock;
use crate::store::StoreError;
use crate::words::Language;
use guest::Guest;
pub(super) use guest::{Known, known};

/// The cookie of the session, over https and over plain http.
const SECURE: &str = "__Host-wegraf";
/// The same below a path of a host that it shares: the name of the other would forbid a path.
const SECURE_BELOW: &str = "__Secure-wegraf";
const PLAIN: &str = "wegraf";

/// The paths of the console.
pub(super) fn routes() -> axum::Router<Gate> {
    axum::Router::new()
        .route("/login", get(sign_in::login))
        .route("/login/link/{ticket}", get(sign_in::link).post(sign_in::enter))
        .route("/login/password", get(password::ask).post(password::enter))
        .route("/login/wecom", get(wecom::start))
        .route("/login/wecom/back", get(wecom::back))
        .route("/wecom/proof/{name}", get(wecom::proof))
        .route("/me", get(sign_in::me).post(sign_in::end))
        .route("/now", get(look::now))
        .route("/i/{short}", get(look::incident).post(look::act))
        .route("/search", get(find::search))
        .route("/m", get(deliveries::search))
        .route("/m/{message}", get(deliveries::show).post(deliveries::redo))
        .route("/silences/new", get(silence::ask).post(silence::make))
        .route("/silences", get(silences::list).post(silences::change))
        .route("/state", get(state::state).post(state::change))
        .route("/duty", get(people::duty))
        .route("/duty/{rota}", get(people::rota))
        .route("/noise", get(noise::now))
        .route("/noise/{week}", get(noise::week))
        .route("/people/{person}", get(people::person))
        .route("/audit", get(people::audit))
        .route("/routes", get(routes::routes))
        .route("/senders", get(routes::senders))
        .route("/mappings/new", get(mappings::mapping).post(mappings::try_mapping))
        .route("/templates", get(templates::list))
        .route("/templates/{name}", get(templates::one).post(templates::change))
        .route("/events", get(live::events))
        .route("/api/v1/console/link", post(sign_in::ordered))
        .route("/api/v1/console/end", post(sign_in::ended))
}

/// Is `external_url` https? Then cookies are, too.
fn is_secure(gate: &Gate) -> bool {
    gate.server.setup.now().config.external_url.as_deref().is_some_and(|url| url.starts_with("https://"))
}

/// The name of the cookie of a session.
fn session_cookie(gate: &Gate) -> &'static str {
    match (is_secure(gate), gate.server.setup.now().config.base_path.is_empty()) {
        (true, true) => SECURE,
        (true, false) => SECURE_BELOW,
        (false, _) => PLAIN,
    }
}

/// Can what is typed be read on the way? What does not leave this machine cannot.
fn can_be_overheard(gate: &Gate) -> bool {
    let url = gate.server.setup.now().config.external_url.clone().unwrap_or_default();
    let host = url.split_once("://").map_or("", |(_, rest)| rest.split(['/', ':']).next().unwrap_or_default());
    !is_secure(gate) && !matches!(host, "127.0.0.1" | "localhost")
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
macro_rules! visitor {
    ($gate:expr, $parts:expr) => {
        match Guest::of(&$gate, &$parts).await {
            Ok(guest) => guest,
            Err(away) => return away,
        }
    };
}
use visitor;

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
    answer(StatusCode::NOT_FOUND, &NotePage::missing(guest.frame(gate)), &[])
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
}
