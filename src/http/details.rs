//! The page behind "全部详情": every alert of one message, for whoever holds the link from the message.
//!
//! The link is signed and ends after a month, so it may stand in a group chat; without `external_url` there is none.

use axum::extract::{Path, Query, State};
use axum::http::{HeaderName, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use minijinja::value::Serde;
use minijinja::{Environment, Value, context};
use serde::Deserialize;
use sha2::Sha256;

use super::Gate;
use crate::alert::Timestamp;
use crate::deliver::Page;

/// How long a link in a message works: as long as messages are kept.
const LINK_LIFE_MS: i64 = 30 * 24 * 3600 * 1000;
/// Bytes of the signature in a link: 96 bits cannot be guessed and stay short in a message.
const SIGNATURE_BYTES: usize = 12;

/// The key that signs links; made once and kept in the store.
#[derive(Clone)]
pub struct LinkKey(Vec<u8>);

impl std::fmt::Debug for LinkKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LinkKey(…)")
    }
}

impl LinkKey {
    /// From the bytes in the store.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The address of the page of message `id` below `external_url`, valid for a month from `now`.
    pub fn link(&self, external_url: &str, id: i64, now: Timestamp) -> String {
        let until = now.plus_millis(LINK_LIFE_MS).0 / 1000;
        format!("{external_url}/d/{id}?until={until}&s={}", self.signature(id, until))
    }

    fn signature(&self, id: i64, until: i64) -> String {
        let mut mac = self.mac(id, until).finalize().into_bytes().to_vec();
        mac.truncate(SIGNATURE_BYTES);
        BASE64_URL_SAFE_NO_PAD.encode(mac)
    }

    /// Whether `address`, which names message `id`, is one that this key made and that has not ended at `now`.
    pub fn opens(&self, id: i64, address: &Uri, now: Timestamp) -> bool {
        let Ok(Query(link)) = Query::<Link>::try_from_uri(address) else { return false };
        let Ok(given) = BASE64_URL_SAFE_NO_PAD.decode(&link.s) else { return false };
        let signed = given.len() == SIGNATURE_BYTES && self.mac(id, link.until).verify_truncated_left(&given).is_ok();
        signed && now.0 / 1000 <= link.until
    }

    fn mac(&self, id: i64, until: i64) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        mac.update(format!("details {id} {until}").as_bytes());
        mac
    }
}

/// The query of a link.
#[derive(Debug, Deserialize)]
struct Link {
    until: i64,
    s: String,
}

/// The paths of this page.
pub fn routes() -> axum::Router<Gate> {
    axum::Router::new().route("/d/{message}", get(page))
}

async fn page(State(gate): State<Gate>, Path(id): Path<i64>, address: Uri) -> Response {
    if !gate.app.link_key().opens(id, &address, gate.app.now()) {
        return note(
            StatusCode::FORBIDDEN,
            "链接无效或已过期。请在 wegraf 上用 `wegraf deliveries show` 查看。",
            "This link is not valid or has expired.",
        );
    }
    let (letter, thread) = match gate.app.store().contents(id).await {
        Ok(Some(kept)) => {
            (Page::of(&gate.app.loaded(), &kept.notification, &kept.transitions, &kept.receiver), kept.thread)
        }
        Ok(None) => return note(StatusCode::NOT_FOUND, "这条消息已被清理。", "This message is no longer kept."),
        Err(error) => {
            tracing::error!(%error, delivery = id, "The page of a message could not be read.");
            return note(
                StatusCode::SERVICE_UNAVAILABLE,
                "暂时读不到，请稍后再试。",
                "It cannot be read right now; try again soon.",
            );
        }
    };
    let now = gate.app.now();
    let clock = |at: Timestamp| {
        let at = jiff::Timestamp::from_millisecond(at.0).ok()?.to_zoned(letter.timezone.clone());
        Some(at.strftime("%Y-%m-%d %H:%M:%S").to_string())
    };
    let alerts: Vec<_> = letter
        .told
        .iter()
        .filter_map(|line| letter.alert(line).map(|alert| (line, alert)))
        .map(|(line, alert)| {
            let lasted = line.starts_at.map(|from| line.ends_at.unwrap_or(now).millis_since(from).max(0) / 1000);
            context! {
                kind => line.kind.as_str(),
                name => alert.name.as_str(),
                severity => alert.severity(),
                since => line.starts_at.and_then(clock),
                until => line.ends_at.and_then(clock),
                duration => lasted.map(|seconds| format!("{:#}", jiff::SignedDuration::from_secs(seconds))),
                values => Value::from(Serde(&alert.values)),
                labels => Value::from(Serde(&alert.labels)),
                annotations => Value::from(Serde(&alert.annotations)),
                links => Value::from(Serde(&alert.links)),
            }
        })
        .collect();
    let mut pages = Environment::new();
    pages
        .add_template("details.html", include_str!("../../templates/pages/details.html"))
        .expect("the shipped page compiles: a test renders it");
    let page = pages.get_template("details.html").and_then(|page| {
        page.render(context! { thread => thread.to_string(), source => letter.source.as_str(), truncated => letter.notification.truncated, message => letter.notification.message.as_str(), alerts })
    });
    match page {
        Ok(html) => (guards(), Html(html)).into_response(),
        Err(error) => {
            tracing::error!(%error, delivery = id, "The page of a message could not be written.");
            note(StatusCode::INTERNAL_SERVER_ERROR, "页面出错。", "The page failed.")
        }
    }
}

fn note(status: StatusCode, zh: &str, en: &str) -> Response {
    let html = format!(
        "<!doctype html><html lang=zh><meta charset=utf-8><meta name=viewport content=\"width=device-width\"><title>wegraf</title><p>{zh}<p>{en}"
    );
    (status, guards(), Html(html)).into_response()
}

/// Nothing runs, nothing is loaded from elsewhere, and the signed address is not passed on.
fn guards() -> [(HeaderName, &'static str); 4] {
    [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; img-src https: http:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ]
}
