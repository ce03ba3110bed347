//! The page behind "全部详情": every alert of one message, for holders of the link in the message.
//!
//! The link is signed and expires after 30 days, so it may be posted in a group chat; without `external_url` there is
//! none. While one of its alerts is firing and the link is young (`act_links`), the page has a form for acts
//! (`acting`).

mod acting;
mod digest;

use std::sync::LazyLock;

use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use minijinja::value::Serde;
use minijinja::{Environment, Error, Value, context};
use serde::Deserialize;

use super::lobby::Seat;
use super::refusal::Cause;
use super::{Gate, Server, words};
use crate::alert::{Alert, Links, ThreadId, Timestamp};
use crate::deliver::{Page, contents};
use crate::links::Opened;
use crate::render::harmless_url;
use crate::store::{Contents, StoreError};
use crate::words::Words;

pub use digest::{DigestPage, PAGE_ITEMS};

/// The paths of this page.
pub fn routes() -> axum::Router<Gate> {
    axum::Router::new().route("/d/{message}", get(page).post(acting::act))
}

/// A visit of the page, and the result of the visitor's form.
#[derive(Debug, Default)]
struct Visit {
    /// The visitor's name, as entered; empty if it was not entered yet.
    person: String,
    /// The result of the submitted form.
    said: Option<acting::Said>,
}

async fn page(
    State(gate): State<Gate>,
    Path(id): Path<i64>,
    address: Uri,
    seat: Option<Extension<Seat>>,
    headers: HeaderMap,
) -> Response {
    let Some(opened) = gate.server.links.key().await.open(id, &address, gate.server.clock.now()) else {
        return invalid(&gate, id, &address).await;
    };
    prove(seat.as_deref());
    show(&gate, id, &address, &opened, &Visit { person: acting::known_person(&headers), said: None }).await
}

/// A valid link counts as proof: the visitor's connection is no longer a stranger's.
fn prove(seat: Option<&Seat>) {
    if let Some(seat) = seat {
        seat.prove();
    }
}

/// The page behind a link that is valid.
async fn show(gate: &Gate, id: i64, address: &Uri, opened: &Opened, visit: &Visit) -> Response {
    let html = match write(gate, id, address, opened, visit).await {
        Ok(Some(html)) => html,
        Ok(None) => return note(StatusCode::NOT_FOUND, &words::PRUNED),
        Err(error) => return unreadable(id, &error),
    };
    match html {
        Ok(html) => (guards(FORM), Html(html)).into_response(),
        Err(error) => {
            tracing::error!(%error, delivery = id, "The page of a message could not be written.");
            note(StatusCode::INTERNAL_SERVER_ERROR, &words::PAGE_FAILED)
        }
    }
}

/// The page of a message or a digest; `None` if there is no such message.
async fn write(
    gate: &Gate,
    id: i64,
    address: &Uri,
    opened: &Opened,
    visit: &Visit,
) -> Result<Option<Result<String, Error>>, StoreError> {
    let (server, store) = (&gate.server, &gate.server.store);
    let Some((kept, _part)) = contents(store, &server.room, id).await? else { return Ok(None) };
    if kept.digest && kept.folded_into.is_none() {
        return digest_html(server, id, &kept, opened, address).await.map(Some);
    }
    let folded = match kept.folded_into {
        Some(digest) => store
            .contents(digest)
            .await?
            .map(|instead| FoldedInto { thread: instead.thread, href: opened.beside(digest) }),
        None => None,
    };
    let letter = Page::of(&server.setup.now().config, &kept.notification, &kept.transitions, &kept.receiver)
        .with_all(&kept.notification);
    let acting = acting::standing(server, id, &kept, &letter, opened, visit).await?;
    Ok(Some(letter_html(&letter, kept.thread, server.clock.now(), folded.as_ref(), &acting)))
}

async fn digest_html(
    server: &Server,
    id: i64,
    kept: &Contents,
    opened: &Opened,
    address: &Uri,
) -> Result<Result<String, Error>, StoreError> {
    let setup = server.setup.now();
    let receiver = setup.config.receivers.get(&kept.receiver);
    let digest = server.store.digest(id).await?;
    let pages = DigestPage::pages(&digest);
    let page = Query::<Turned>::try_from_uri(address).map_or(1, |Query(turned)| turned.page).clamp(1, pages);
    let skip = u32::try_from((page - 1) * PAGE_ITEMS).unwrap_or(u32::MAX);
    let items = server.store.digest_page(id, skip, u32::try_from(PAGE_ITEMS).unwrap_or(u32::MAX)).await?;
    let shown = DigestPage {
        digest: &digest,
        thread: kept.thread,
        page,
        pages,
        items: &items,
        timezone: receiver.map_or(&setup.config.timezone, |receiver| &receiver.timezone),
        now: server.clock.now(),
        proof: &opened.proof(),
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
    /// The address of its page, see `Opened::beside`.
    pub href: String,
}

/// The page of a letter in HTML.
fn letter_html(
    letter: &Page,
    thread: ThreadId,
    now: Timestamp,
    folded: Option<&FoldedInto>,
    acting: &Value,
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
                links => links(alert),
            }
        })
        .collect();
    PAGES.get_template("details.html")?.render(context! {
        thread => thread.to_string(),
        source => letter.source.stored(),
        truncated => letter.notification.truncated,
        message => letter.notification.message.as_str(),
        fields => Value::from(Serde(&letter.listed.fields)),
        hidden => letter.listed.hidden,
        more => letter.listed.more,
        folded => folded.map(|folded| context! { thread => folded.thread.to_string(), href => folded.href.as_str() }),
        alerts,
        acting,
    })
}

/// Its links: those that a message would have, too, and in the same order of importance.
fn links(alert: &Alert) -> Vec<(String, String)> {
    let Links { panel, dashboard, rule, silence, runbook, image } = &alert.links;
    let named = words::LINKS.into_iter().zip([panel, dashboard, rule, silence, runbook, image]);
    named.filter_map(|(name, url)| Some((name.to_string(), harmless_url(url)?))).collect()
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

/// The answer to a link that opens nothing. A link that expired was ours once: its visitor is not guessing.
async fn invalid(gate: &Gate, id: i64, address: &Uri) -> Response {
    let was_ours = gate.server.links.key().await.open(id, address, Timestamp(0)).is_some();
    let cause = if was_ours { Cause::new("expired") } else { Cause::guess("forged", "link") };
    let answer = note(StatusCode::FORBIDDEN, &words::LINK_INVALID);
    cause.attach(answer)
}

fn unreadable(id: i64, error: &StoreError) -> Response {
    let answer = note(StatusCode::SERVICE_UNAVAILABLE, &words::NOT_READ);
    Cause::new("store").detail(format!("the page of message {id} cannot be read: {error}")).attach(answer)
}

fn note(status: StatusCode, said: &Words) -> Response {
    let Words { zh, en } = said;
    let html = format!(
        "<!doctype html><html lang=zh><meta charset=utf-8><meta name=viewport content=\"width=device-width\"><title>wegraf</title><p>{zh}<p>{en}"
    );
    (status, guards(NO_FORM), Html(html)).into_response()
}

/// A page whose form goes nowhere but here.
const FORM: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src https: http:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
/// A page without a form.
const NO_FORM: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// No scripts, no outside resources, and the signed address is not passed on.
fn guards(policy: &'static str) -> [(HeaderName, &'static str); 4] {
    [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ]
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::config::{FallbackAfter, Language, Receiver};
    use crate::links::LinkKey;
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
            fallback_after: FallbackAfter::default(),
            escalate: Vec::new(),
            taught: crate::subject::Taught::default(),
            may_act: None,
        };
        Page::fresh(samples().swap_remove(0).notification, &[0, 1], &receiver, crate::alert::Timestamp(0))
    }

    #[test]
    fn a_message_that_was_folded_leads_to_its_digest() {
        let key = LinkKey::new(vec![7; 32]);
        let now = Timestamp(1_800_000_000_000);
        let opened = key.open(41, &key.link("", 41, now, None).parse().unwrap(), now).unwrap();
        let folded = FoldedInto { thread: ThreadId(42), href: opened.beside(42) };
        let html = letter_html(&letter(), ThreadId(41), Timestamp(0), Some(&folded), &Value::UNDEFINED).unwrap();
        assert!(html.contains("已并入摘要") && html.contains(&format!("#{}</a>", ThreadId(42))), "{html}");
        let query = html.split("href=\"42?").nth(1).unwrap().split('"').next().unwrap().replace("&amp;", "&");
        let opens = |id: i64, days: i64| {
            let address = format!("/d/{id}?{query}").parse().unwrap();
            key.open(id, &address, now.plus_millis(days * 24 * 3_600_000)).is_some()
        };
        assert!(opens(42, 30));
        assert!(!opens(43, 30), "it opens no other page");
        assert!(!opens(42, 31), "and ends with the link it stands beside");
        assert!(!letter_html(&letter(), ThreadId(41), Timestamp(0), None, &Value::UNDEFINED).unwrap().contains("摘要"));
    }
}
