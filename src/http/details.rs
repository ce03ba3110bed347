//! The page behind "全部详情": every alert of one message, for whoever holds the link from the message.
//!
//! The link is signed and ends after a month, so it may stand in a group chat; without `external_url` there is none.

mod digest;

use std::sync::LazyLock;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderName, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use minijinja::value::Serde;
use minijinja::{Environment, Error, Value, context};
use serde::Deserialize;
use sha2::Sha256;

use super::Gate;
use crate::alert::{ThreadId, Timestamp};
use crate::app::App;
use crate::deliver::Page;
use crate::store::{Contents, StoreError};

pub use digest::{DigestPage, PAGE_ITEMS};

/// How long a link in a message works: as long as messages are kept.
const LINK_LIFE_MS: i64 = 30 * 24 * 3600 * 1000;
/// Bytes of the signature in a link: 96 bits cannot be guessed and stay short in a message.
const SIGNATURE_BYTES: usize = 12;

/// The key that signs links; made once and kept in the store.
#[derive(Clone)]
pub struct LinkKey(pub(super) Vec<u8>);

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
        format!("{external_url}/d/{}", self.beside(id, now.plus_millis(LINK_LIFE_MS).0 / 1000))
    }

    /// The address of the page of message `id` seen from that of another, valid until the same Unix time in
    /// seconds: who may read the one may read the other, and no longer.
    pub fn beside(&self, id: i64, until: i64) -> String {
        format!("{id}?{}", self.proof(id, until))
    }

    /// The query that proves a link to message `id`: what a page puts in front of further keys in links to itself.
    pub fn proof(&self, id: i64, until: i64) -> String {
        format!("until={until}&s={}", self.signature(id, until))
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
    let html = match write(&gate, id, &address).await {
        Ok(Some(html)) => html,
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
    match html {
        Ok(html) => (guards(), Html(html)).into_response(),
        Err(error) => {
            tracing::error!(%error, delivery = id, "The page of a message could not be written.");
            note(StatusCode::INTERNAL_SERVER_ERROR, "页面出错。", "The page failed.")
        }
    }
}

/// The page of a message or a digest; `None` if there is no such message.
async fn write(gate: &Gate, id: i64, address: &Uri) -> Result<Option<Result<String, Error>>, StoreError> {
    let (app, store) = (&gate.app, gate.app.store());
    let Some(kept) = store.contents(id).await? else { return Ok(None) };
    let until = Query::<Link>::try_from_uri(address).map_or(0, |Query(link)| link.until);
    if kept.digest && kept.folded_into.is_none() {
        return digest_html(app, id, &kept, until, address).await.map(Some);
    }
    let folded = match kept.folded_into {
        Some(digest) => store
            .contents(digest)
            .await?
            .map(|instead| FoldedInto { thread: instead.thread, href: app.link_key().beside(digest, until) }),
        None => None,
    };
    let letter = Page::of(&app.loaded(), &kept.notification, &kept.transitions, &kept.receiver);
    Ok(Some(letter_html(&letter, kept.thread, app.now(), folded.as_ref())))
}

async fn digest_html(
    app: &App,
    id: i64,
    kept: &Contents,
    until: i64,
    address: &Uri,
) -> Result<Result<String, Error>, StoreError> {
    let loaded = app.loaded();
    let receiver = loaded.config.receivers.get(&kept.receiver);
    let digest = app.store().digest(id).await?;
    let pages = DigestPage::pages(&digest);
    let page = Query::<Turned>::try_from_uri(address).map_or(1, |Query(turned)| turned.page).clamp(1, pages);
    let skip = u32::try_from((page - 1) * PAGE_ITEMS).unwrap_or(u32::MAX);
    let items = app.store().digest_page(id, skip, u32::try_from(PAGE_ITEMS).unwrap_or(u32::MAX)).await?;
    let shown = DigestPage {
        digest: &digest,
        thread: kept.thread,
        page,
        pages,
        items: &items,
        timezone: receiver.map_or(&loaded.config.timezone, |receiver| &receiver.timezone),
        now: app.now(),
        proof: &app.link_key().proof(id, until),
    };
    Ok(shown.html())
}

/// Which page of a digest is asked for.
#[derive(Debug, Deserialize)]
struct Turned {
    page: u64,
}

/// The digest that a message was folded into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoldedInto {
    /// Its short id.
    pub thread: ThreadId,
    /// The address of its page, see [`LinkKey::beside`].
    pub href: String,
}

/// The page of a letter in HTML.
fn letter_html(
    letter: &Page,
    thread: ThreadId,
    now: Timestamp,
    folded: Option<&FoldedInto>,
) -> Result<String, minijinja::Error> {
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
    PAGES.get_template("details.html")?.render(context! {
        thread => thread.to_string(),
        source => letter.source.as_str(),
        truncated => letter.notification.truncated,
        message => letter.notification.message.as_str(),
        folded => folded.map(|folded| context! { thread => folded.thread.to_string(), href => folded.href.as_str() }),
        alerts,
    })
}

/// The pages, compiled once.
static PAGES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut pages = Environment::new();
    for (name, source) in [
        ("details.html", include_str!("../../templates/pages/details.html")),
        ("digest.html", include_str!("../../templates/pages/digest.html")),
    ] {
        pages.add_template(name, source).expect("the shipped pages compile: tests render them");
    }
    pages
});

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

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::config::{Language, Receiver};
    use crate::render::samples;

    fn letter() -> Page {
        let receiver = Receiver {
            name: "ops".to_owned(),
            language: Language::Zh,
            timezone: TimeZone::UTC,
            template: None,
            targets: Vec::new(),
            send_resolved: true,
            repeat_interval: std::time::Duration::ZERO,
            fallback: None,
            escalate: Vec::new(),
            may_act: None,
        };
        Page::fresh(samples().swap_remove(0).notification, &[0, 1], &receiver)
    }

    #[test]
    fn a_message_that_was_folded_leads_to_its_digest() {
        let key = LinkKey::new(vec![7; 32]);
        let folded = FoldedInto { thread: ThreadId(42), href: key.beside(42, 1_800_000_000) };
        let html = letter_html(&letter(), ThreadId(41), Timestamp(0), Some(&folded)).unwrap();
        assert!(html.contains("已并入摘要") && html.contains(&format!("#{}</a>", ThreadId(42))), "{html}");
        let query = html.split("href=\"42?").nth(1).unwrap().split('"').next().unwrap().replace("&amp;", "&");
        let signature = query.strip_prefix("until=1800000000&s=").unwrap().to_owned();
        let opens = |id: i64, now: i64| {
            let address = format!("/d/{id}?until=1800000000&s={signature}").parse().unwrap();
            key.opens(id, &address, Timestamp(now))
        };
        assert!(opens(42, 1_799_999_999_000));
        assert!(!opens(43, 1_799_999_999_000), "it opens no other page");
        assert!(!opens(42, 1_800_000_001_000), "and ends with the link it stands beside");
        assert!(!letter_html(&letter(), ThreadId(41), Timestamp(0), None).unwrap().contains("摘要"));
    }
}
