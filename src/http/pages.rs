//! How pages are answered: their language, their headers, and the files they load.

use askama::Template;
use axum::extract::{Path, Query};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;

use super::Gate;
use super::paths::{Below, Sent};
use crate::console::{self, Frame, NotePage, View};
use crate::words::{Language, Words};

/// The paths of the files.
pub(super) fn routes() -> axum::Router<Gate> {
    axum::Router::new().route("/assets/{hash}/{name}", get(asset))
}

async fn asset(Path((hash, name)): Path<(String, String)>, headers: HeaderMap) -> Response {
    let Some(asset) = console::asset(&hash, &name) else { return StatusCode::NOT_FOUND.into_response() };
    let mut answer = if takes_gzip(&headers) {
        ([(header::CONTENT_ENCODING, "gzip")], asset.packed()).into_response()
    } else {
        asset.bytes.into_response()
    };
    let set = answer.headers_mut();
    set.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.kind));
    set.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    set.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    set.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accepted.split(',').any(|one| {
        let mut parts = one.split(';').map(str::trim);
        parts.next() == Some("gzip") && !parts.any(|part| matches!(part, "q=0" | "q=0.0"))
    })
}

/// The cookie with a reader's wishes, see [`View`].
pub(super) const VIEW: &str = "wegraf_view";

/// The value of the first cookie of this name.
pub(super) fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find_map(|(known, value)| (known == name).then_some(value))
}

/// Who reads a page, as far as its request tells.
#[derive(Debug, Clone)]
pub(super) struct Reader {
    /// What the address says, or else the browser; `None` where neither does.
    asked: Option<Language>,
    /// From the page to the top of the site.
    root: String,
    /// The address without `lang`, for the other language.
    query: String,
    /// What the reader chose.
    view: View,
}

/// The language that an address asks for.
#[derive(Debug, Deserialize)]
struct Tongue {
    lang: Language,
}

impl Reader {
    /// Of a request.
    pub(super) fn of(parts: &Parts) -> Self {
        let below = parts.extensions.get::<Below>().map(|below| &below.0);
        let seen = below.or_else(|| parts.extensions.get::<Sent>().map(|sent| &sent.0));
        Self::new(seen.unwrap_or(&parts.uri), &parts.headers)
    }

    /// Of a request to `address`, as it was sent.
    pub(super) fn new(address: &Uri, headers: &HeaderMap) -> Self {
        let chosen = Query::<Tongue>::try_from_uri(address).ok().map(|Query(tongue)| tongue.lang);
        let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let view = cookie(headers, VIEW).map(View::parse).unwrap_or_default();
        let rest = address.query().unwrap_or_default().split('&').filter(|pair| !pair.starts_with("lang="));
        Self {
            asked: chosen.or(view.language).or_else(|| accepted.and_then(console::language_of)),
            root: console::root_of(address.path()),
            query: rest.filter(|pair| !pair.is_empty()).collect::<Vec<_>>().join("&"),
            view,
        }
    }

    /// The page's frame; `usual` is the language of readers who ask for none.
    pub(super) fn frame(&self, usual: Language) -> Frame<'_> {
        let language = self.asked.unwrap_or(usual);
        let other = match language {
            Language::Zh => Language::En,
            Language::En => Language::Zh,
        };
        let query = if self.query.is_empty() { String::new() } else { format!("{}&", self.query) };
        Frame::new(language, &self.root, format!("?{query}lang={}", other.as_str()), self.view)
    }

    /// From the page to the top of the site: `../` for a page one level below.
    pub(super) fn root(&self) -> &str {
        &self.root
    }

    /// A page with one sentence.
    pub(super) fn note(&self, status: StatusCode, usual: Language, said: Words) -> Response {
        let f = self.frame(usual);
        let text = f.say(said).into_owned();
        answer(status, &NotePage { f, text, way: None }, &[])
    }
}

/// `page` with the headers of every page. Pictures may also come from `origins`.
pub(super) fn answer(status: StatusCode, page: &impl Template, origins: &[String]) -> Response {
    match page.render() {
        Ok(html) => guarded(status, html, origins),
        // Only a formatter of ours could fail.
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// The text of a page with the headers of every page.
pub(super) fn guarded(status: StatusCode, html: String, origins: &[String]) -> Response {
    let mut answer = (status, html).into_response();
    let set = answer.headers_mut();
    let policy = HeaderValue::try_from(console::policy(origins));
    set.insert(header::CONTENT_SECURITY_POLICY, policy.expect("a policy is made of plain origins"));
    for (name, value) in GUARDS {
        set.insert(name, HeaderValue::from_static(value));
    }
    answer
}

/// The signed address is not passed on, and no page is kept.
const GUARDS: [(HeaderName, &str); 6] = [
    (header::CONTENT_TYPE, "text/html; charset=utf-8"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (header::VARY, "Accept-Language, Cookie"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_chooses_the_language_before_the_browser_does() {
        let headers = HeaderMap::from_iter([(header::ACCEPT_LANGUAGE, "en-US,en".parse().unwrap())]);
        let frame = |address: &str, headers: &HeaderMap| {
            let reader = Reader::new(&address.parse().unwrap(), headers);
            let frame = reader.frame(Language::Zh);
            (frame.language, frame.other)
        };
        let none = HeaderMap::new();
        assert_eq!(frame("/d/1?until=2&s=x", &none), (Language::Zh, "?until=2&s=x&lang=en".to_owned()));
        assert_eq!(frame("/d/1?until=2&s=x", &headers), (Language::En, "?until=2&s=x&lang=zh".to_owned()));
        assert_eq!(frame("/d/1?lang=zh&until=2", &headers), (Language::Zh, "?until=2&lang=en".to_owned()));
        assert_eq!(frame("/?lang=fr", &none), (Language::Zh, "?lang=en".to_owned()));
    }

    #[test]
    fn a_file_is_compressed_only_for_browsers_that_take_it() {
        for (accepted, takes) in [("gzip, br", true), ("br;q=1, gzip;q=0.8", true), ("gzip;q=0", false), ("br", false)]
        {
            let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, accepted.parse().unwrap())]);
            assert_eq!(takes_gzip(&headers), takes, "{accepted}");
        }
    }
}
