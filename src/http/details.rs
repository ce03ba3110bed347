//! The page behind "全部详情": every alert of one message, for holders of the link in the message.
//!
//! The link is signed and expires after 30 days, so it may be posted in a group chat; without `external_url` there is
//! none. While one of its alerts is firing and the link is young (`act_links`), the page has a form for acts
//! (`acting`). What the page shows and how it is written is the room `console`.

mod acting;

pub(super) use acting::{PATIENCE, asked_for, hidden, outcome, owners, person, shown, unlike};

use std::collections::HashMap;

use axum::extract::{Path, Query, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;

use super::console::{Known, known};
use super::lobby::Seat;
use super::pages::{Reader, answer};
use super::refusal::Cause;
use super::{Gate, Server};
use crate::alert::Timestamp;
use crate::console::{self, Beside, Now, PAGE_ITEMS, Shown, Turn};
use crate::deliver::{Page, contents, patience};
use crate::links::Opened;
use crate::render::Clock;
use crate::store::{ActAlert, Contents, DeliveryFilter, DigestKey, StoreError};
use crate::words::{Language, Words};

/// The paths of this page.
pub fn routes() -> axum::Router<Gate> {
    axum::Router::new().route("/d/{message}", get(page).post(acting::act))
}

/// A visit of the page, and the result of the visitor's form.
#[derive(Debug)]
struct Visit {
    /// Language and address.
    reader: Reader,
    /// Where on the page's lists.
    place: Place,
    /// The visitor's name, as entered; empty if it was not entered yet.
    person: String,
    /// The result of the submitted form.
    said: Option<(bool, Words)>,
    /// The visitor, if signed in.
    known: Option<Known>,
}

/// The place in a list, from the address. What is missing or odd is the beginning.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Place {
    from: usize,
    over: bool,
    minor: bool,
    rule: Option<String>,
    id: i64,
}

impl Place {
    fn of(address: &Uri) -> Self {
        Query::<Self>::try_from_uri(address).map(|Query(place)| place).unwrap_or_default()
    }

    fn key(&self) -> Option<DigestKey> {
        let Self { over, minor, id, .. } = *self;
        self.rule.clone().map(|name| DigestKey { over, minor, name, alert: id })
    }
}

async fn page(State(gate): State<Gate>, Path(id): Path<i64>, parts: Parts) -> Response {
    let reader = Reader::of(&parts);
    let Some(opened) = gate.server.links.key().await.open(id, &parts.uri, gate.server.clock.now()) else {
        return invalid(&gate, &reader, id, &parts.uri).await;
    };
    prove(parts.extensions.get::<Seat>());
    let person = acting::known_person(&parts.headers);
    let known = known(&gate, &parts, receiver_of(&gate, id).await.as_deref(), None).await;
    show(&gate, id, &opened, &Visit { reader, place: Place::of(&parts.uri), person, said: None, known }).await
}

/// The receiver of a message, for the rights of a visitor who is signed in.
async fn receiver_of(gate: &Gate, id: i64) -> Option<String> {
    let filter = DeliveryFilter { message: Some(id), limit: 1, ..DeliveryFilter::default() };
    gate.server.store.deliveries(filter).await.ok()?.pop().map(|row| row.receiver)
}

/// A valid link counts as proof: the visitor's connection is no longer a stranger's.
fn prove(seat: Option<&Seat>) {
    if let Some(seat) = seat {
        seat.prove();
    }
}

/// The page behind a link that is valid.
async fn show(gate: &Gate, id: i64, opened: &Opened, visit: &Visit) -> Response {
    match write(gate, id, opened, visit).await {
        Ok(Some(page)) => page,
        Ok(None) => note(gate, &visit.reader, StatusCode::NOT_FOUND, console::PRUNED),
        Err(error) => unreadable(gate, &visit.reader, id, &error),
    }
}

/// The page of a message or a digest; `None` if there is no such message.
async fn write(gate: &Gate, id: i64, opened: &Opened, visit: &Visit) -> Result<Option<Response>, StoreError> {
    let (server, store) = (&gate.server, &gate.server.store);
    let Some((kept, _part)) = contents(store, &server.room, id).await? else { return Ok(None) };
    if kept.digest && kept.folded_into.is_none() {
        return digest(server, id, &kept, opened, visit).await.map(Some);
    }
    let folded = match kept.folded_into {
        Some(digest) => {
            store.contents(digest).await?.map(|instead| Beside { thread: instead.thread, href: opened.beside(digest) })
        }
        None => None,
    };
    let setup = server.setup.now();
    let mut letter =
        Page::of(&setup.config, &kept.notification, &kept.transitions, &kept.receiver).with_all(&kept.notification);
    letter.learn(&setup.charts, patience()).await;
    let f = visit.reader.frame(letter.language);
    let clock = Clock { now: server.clock.now(), zone: &letter.timezone, language: f.language };
    let told = store.card_of(id).await?.map_or_else(Vec::new, |card| card.alerts);
    let standing = acting::standing(server, id, &kept, &told, opened, visit).await?;
    let acts = console::acts(&f, &clock, &standing);
    let charted = setup.charts.wants(&letter.charted(kept.notification.received_at));
    let origins = console::picture_hosts(&setup.config);
    let shown = Shown {
        page: &letter,
        thread: kept.thread,
        now: clock.now,
        standing: &how(&told),
        folded,
        picture: charted.then(|| opened.picture(visit.reader.root())),
        acts,
        origins: &origins,
        console: visit.known.as_ref().is_some_and(|known| known.sees),
        from: visit.place.from,
        proof: &opened.proof(),
    };
    Ok(Some(answer(StatusCode::OK, &console::letter_page(f, shown), &origins)))
}

/// How alerts stand, by their rows.
pub(super) fn how(told: &[ActAlert]) -> HashMap<i64, Now> {
    let now = |alert: &ActAlert| Now {
        status: alert.status,
        ended: alert.ends_at,
        owner: alert.acknowledged.as_ref().map(|doer| acting::person(&doer.by)),
    };
    told.iter().map(|alert| (alert.alert, now(alert))).collect()
}

async fn digest(
    server: &Server,
    id: i64,
    kept: &Contents,
    opened: &Opened,
    visit: &Visit,
) -> Result<Response, StoreError> {
    let setup = server.setup.now();
    let receiver = setup.config.receivers.get(&kept.receiver);
    let f = visit.reader.frame(receiver.map_or(setup.config.language, |receiver| receiver.language));
    let zone = receiver.map_or(&setup.config.timezone, |receiver| &receiver.timezone);
    let after = visit.place.key();
    let take = u32::try_from(PAGE_ITEMS + 1).unwrap_or(u32::MAX);
    let items = server.store.digest_after(id, after.clone().unwrap_or(DigestKey::start()), take).await?;
    let clock = Clock { now: server.clock.now(), zone, language: f.language };
    let taught = setup.config.taught(receiver.map(AsRef::as_ref), &kept.notification.source);
    let turn = Turn {
        digest: &server.store.digest(id).await?,
        thread: kept.thread,
        after: after.as_ref(),
        items: &items,
        taught: &taught,
        proof: &opened.proof(),
    };
    Ok(answer(StatusCode::OK, &console::digest_page(f, &clock, &turn), &[]))
}

/// The answer to a link that opens nothing. A link that expired was ours once: its visitor is not guessing.
async fn invalid(gate: &Gate, reader: &Reader, id: i64, address: &Uri) -> Response {
    let was_ours = gate.server.links.key().await.open(id, address, Timestamp(0)).is_some();
    let cause = if was_ours { Cause::new("expired") } else { Cause::guess("forged", "link") };
    cause.attach(note(gate, reader, StatusCode::FORBIDDEN, console::LINK_INVALID))
}

fn unreadable(gate: &Gate, reader: &Reader, id: i64, error: &StoreError) -> Response {
    let answer = note(gate, reader, StatusCode::SERVICE_UNAVAILABLE, console::NOT_READ);
    Cause::new("store").detail(format!("the page of message {id} cannot be read: {error}")).attach(answer)
}

/// A page with one sentence.
fn note(gate: &Gate, reader: &Reader, status: StatusCode, said: Words) -> Response {
    let usual: Language = gate.server.setup.now().config.language;
    reader.note(status, usual, said)
}
