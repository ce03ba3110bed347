//! What is on, and an incident with the acts of those who are signed in, which go the way of all acts.

use std::collections::HashMap;

use axum::extract::{Path, Query, Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use serde::Deserialize;

use super::super::details::{PATIENCE, asked_for, hidden, how, outcome, owners, person, shown, unlike};
use super::super::refusal::Cause;
use super::{Gate, Guest, clock, find, missing, read, see, unread, visitor};
use crate::alert::{Status, ThreadId};
use crate::answer::{Actor, Foreseen, Via, Wish};
use crate::console::{self, Desk, Incident, IncidentPage, May, NowPage, Only, Proven, Standing};
use crate::deliver::{Page, contents, patience};
use crate::render::place;
use crate::standing as state_of;
use crate::store::{
    About, ActAlert, ActFilter, ActKind, ActState, Counted, DeliveryFilter, DeliveryRow, Needless, State as Progress,
    Store, StoreError,
};
use crate::words::Words;

/// Alerts that are read for the list of what is on.
const ALERTS: usize = 1_000;
const DAY_MS: i64 = 24 * 3_600_000;
/// Messages that did not arrive that are counted.
const MISSED: usize = 500;
/// Messages of an incident.
const MESSAGES: usize = 60;
/// Notifications of an incident that are looked at for the one to show.
const TELLING: usize = 10;
/// Of these, the ones whose attempts are shown.
const ATTEMPTED: usize = 20;
/// Characters of the reason why somebody should not have been told.
const REASON: usize = 200;
/// Acts of an incident.
const ACTS: u32 = 50;

/// A part of what is on.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Part {
    only: String,
    q: String,
}

pub(super) async fn now(State(gate): State<Gate>, parts: Parts) -> Response {
    let guest = visitor!(gate, parts);
    let Query(part) = Query::<Part>::try_from_uri(&parts.uri).unwrap_or_default();
    let store = &gate.server.store;
    let sought = read!(gate, guest, find::sought(&gate, &guest, &part.q).await);
    let found = async {
        if !sought.typed.is_empty() {
            let found = find::on(&gate, &guest, &sought.typed).await?;
            let count = Counted::all(found.len());
            return Ok((found, count));
        }
        store.alerts_on(find::all_on(&guest, ALERTS)).await
    };
    let (alerts, count) = read!(gate, guest, found.await);
    if let Some(thread) = sought.leads(alerts.iter().map(|alert| alert.thread)) {
        return see(guest.reader.root(), &format!("i/{thread}"));
    }
    let setup = gate.server.setup.now();
    let f = guest.frame(&gate);
    let clock = clock(&gate, &setup.config.timezone, f.language);
    let config = &setup.config;
    let place = |alert: &ActAlert| {
        let receiver = config.receivers.get(&alert.receiver).map(AsRef::as_ref);
        place(alert, &config.taught(receiver, &alert.source))
    };
    let wanted = (Only::of(&part.only), sought);
    let missed = read!(gate, guest, missed(&gate, &guest).await);
    let page = NowPage::new(f, guest.desk(&gate, "now"), &clock, wanted, &alerts, count, &missed, &place);
    guest.page(&page, &[])
}

/// How many messages of each incident did not arrive in the last day, as far as the visitor may see them.
async fn missed(gate: &Gate, guest: &Guest) -> Result<HashMap<ThreadId, usize>, StoreError> {
    let filter = DeliveryFilter {
        state: Some(Progress::Dead),
        since: Some(gate.server.clock.now().plus_millis(-DAY_MS)),
        receivers: find::receivers(guest),
        limit: MISSED,
        ..DeliveryFilter::default()
    };
    let mut missed = HashMap::new();
    for row in gate.server.store.for_people().deliveries(filter).await? {
        *missed.entry(row.thread).or_default() += usize::from(row.act.is_none());
    }
    missed.retain(|_, count| *count > 0);
    Ok(missed)
}

/// The messages of an incident that the visitor may see, newest first.
async fn told(gate: &Gate, guest: &Guest, short: &str) -> Result<Vec<DeliveryRow>, StoreError> {
    let Some(thread) = ThreadId::parse(short) else { return Ok(Vec::new()) };
    let filter = DeliveryFilter { thread: Some(thread), limit: MESSAGES, ..DeliveryFilter::default() };
    let mut rows = gate.server.store.deliveries(filter).await?;
    rows.retain(|row| guest.rights.sees(&row.receiver));
    Ok(rows)
}

pub(super) async fn incident(State(gate): State<Gate>, Path(short): Path<String>, parts: Parts) -> Response {
    let guest = visitor!(gate, parts);
    match show(&gate, &guest, &short, None).await {
        Ok(Some(page)) => page,
        Ok(None) => missing(&gate, &guest),
        Err(error) => unread(&gate, &guest.reader, &error),
    }
}

/// Of an incident's messages, the one that tells of most alerts that are on now; of equal ones the newest. The newest of all
/// may tell of an end alone while others are still on.
async fn telling<'r>(store: &Store, rows: &'r [DeliveryRow]) -> Result<Option<&'r DeliveryRow>, StoreError> {
    let mut best: Option<(usize, &DeliveryRow)> = None;
    let mut seen: Vec<i64> = Vec::new();
    for row in rows.iter().filter(|row| row.act.is_none() && !row.digest) {
        // The same was told in each lane.
        if seen.contains(&row.notification) {
            continue;
        }
        seen.push(row.notification);
        if seen.len() > TELLING {
            break;
        }
        let told = store.card_of(row.message).await?.map_or_else(Vec::new, |card| card.alerts);
        let on = told.iter().filter(|alert| alert.status == Status::Firing).count();
        if best.is_none_or(|(most, _)| on > most) {
            best = Some((on, row));
        }
    }
    Ok(best.map(|(_, row)| row))
}

/// The page of an incident; `said` is what became of the form that was sent.
async fn show(
    gate: &Gate,
    guest: &Guest,
    short: &str,
    said: Option<(bool, Words)>,
) -> Result<Option<Response>, StoreError> {
    let (server, store) = (&gate.server, &gate.server.store);
    let rows = told(gate, guest, short).await?;
    let Some(newest) = telling(store, &rows).await?.or(rows.first()) else { return Ok(None) };
    let Some((kept, _part)) = contents(store, &server.room, newest.message).await? else { return Ok(None) };
    let setup = server.setup.now();
    let mut page = Page::of(&setup.config, &kept.notification, &kept.transitions, &kept.receiver);
    page.learn(&setup.charts, patience()).await;
    let alerts = store.card_of(newest.message).await?.map_or_else(Vec::new, |card| card.alerts);
    let mut deliveries = Vec::new();
    for row in rows.iter().take(ATTEMPTED) {
        deliveries.extend(store.delivery(row.message).await?);
    }
    let (f, desk) = (guest.frame(gate), Desk { live: "i", ..guest.desk(gate, "now") });
    let clock = clock(gate, &page.timezone, f.language);
    let standing = Standing {
        proven: Some(Proven { proof: desk.proof.clone(), message: newest.message }),
        nonce: u128::from_str_radix(&desk.nonce, 16).unwrap_or_default(),
        said,
        ..standing(gate, newest.message, newest.thread, &alerts).await?
    };
    let needless = store.needless(newest.thread).await?;
    let part = console::acts(&f, &clock, &standing);
    let charted = setup.charts.wants(&page.charted(kept.notification.received_at));
    let origins = console::picture_hosts(&setup.config);
    let key = server.links.key().await;
    let root = guest.reader.root().trim_end_matches('/');
    let incident = Incident {
        thread: newest.thread.to_string(),
        page: &page,
        standing: &how(&alerts),
        rows: &rows,
        deliveries: &deliveries,
        acts: &standing.done,
        needless: &needless,
        message: newest.message,
        part,
        picture: charted.then(|| key.picture(root, newest.message, clock.now)),
        origins: &origins,
    };
    Ok(Some(guest.page(&IncidentPage::new(f, desk, &clock, incident), &origins)))
}

/// How an incident stands for a visitor who is signed in. Whether the visitor may act is asked when it is tried.
async fn standing(gate: &Gate, message: i64, thread: ThreadId, told: &[ActAlert]) -> Result<Standing, StoreError> {
    let server = &gate.server;
    let on: Vec<&ActAlert> = told.iter().filter(|alert| alert.status == Status::Firing).collect();
    let done = server.store.acts(ActFilter { thread: Some(thread), limit: ACTS, ..ActFilter::default() }).await?;
    let silences = state_of::silences_of(&server.store, thread, told, server.clock.now()).await?;
    let hides = if on.is_empty() { Foreseen::Nothing } else { hidden(server, message).await? };
    Ok(Standing {
        thread,
        on: on.len(),
        taken: on.iter().filter(|alert| alert.acknowledged.is_some()).count(),
        owners: owners(&on),
        silenced: state_of::longest(&silences).map(|silence| (person(&silence.by), silence.until)),
        done: done.into_iter().map(|act| (act.clone(), person(&act.by))).collect(),
        may: May::Act,
        too_many: hides == Foreseen::TooMany,
        hides: hides.scope().map(shown),
        person: String::new(),
        most: 0,
        nonce: 0,
        proof: String::new(),
        proven: None,
        said: None,
    })
}

/// Does what the form of an incident asks, under the proven userid, and shows the incident again.
pub(super) async fn act(State(gate): State<Gate>, Path(short): Path<String>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let guest = visitor!(gate, parts);
    let fields = match guest.form(&gate, &parts.headers, body).await {
        Ok(fields) => fields,
        Err(forged) => return forged,
    };
    let rows = read!(gate, guest, told(&gate, &guest, &short).await);
    let field = |name: &str| fields.get(name).map_or("", String::as_str);
    let message: i64 = field("message").parse().unwrap_or(0);
    let row = rows.iter().find(|row| row.message == message);
    let Some(row) = row else { return missing(&gate, &guest) };
    let asked = match field("do") {
        "needless" | "needful" => needless(&gate, &guest, row, &field).await,
        _ => wanted(&gate, &guest, message, &field).await,
    };
    let (said, status) = read!(gate, guest, asked);
    let mut page = match show(&gate, &guest, &short, Some(said)).await {
        Ok(Some(page)) => page,
        Ok(None) => return missing(&gate, &guest),
        Err(error) => return unread(&gate, &guest.reader, &error),
    };
    *page.status_mut() = status;
    if status == StatusCode::FORBIDDEN { Cause::new("denied").attach(page) } else { page }
}

/// Notes that the visitor should not have been told of the incident, or takes that back. No act: it changes no alert, and
/// nobody is told.
async fn needless<'f>(
    gate: &Gate,
    guest: &Guest,
    row: &DeliveryRow,
    field: &(impl Fn(&str) -> &'f str + Sync),
) -> Result<((bool, Words), StatusCode), StoreError> {
    let (store, person) = (&gate.server.store, guest.session.person.to_ascii_lowercase());
    if field("do") == "needful" {
        store.call_needful(row.thread, person).await?;
        return Ok(((true, console::NEEDLESS_TAKEN_BACK), StatusCode::OK));
    }
    let said = Needless {
        thread: row.thread,
        person,
        receiver: row.receiver.clone(),
        rule: row.name.clone(),
        reason: field("reason").trim().chars().filter(|c| !c.is_control()).take(REASON).collect(),
        told_at: row.created_at,
        at: gate.server.clock.now(),
    };
    store.call_needless(said).await?;
    Ok(((true, console::NEEDLESS_NOTED), StatusCode::OK))
}

/// Requests the act, and returns the result.
async fn wanted<'f>(
    gate: &Gate,
    guest: &Guest,
    message: i64,
    field: &(impl Fn(&str) -> &'f str + Sync),
) -> Result<((bool, Words), StatusCode), StoreError> {
    let server = &gate.server;
    if field("do") == "resend" {
        return super::deliveries::again(gate, guest, message, ActKind::Resend, field("nonce")).await;
    }
    let (kind, span) = match asked_for(field("do"), field("span")) {
        Ok(asked) => asked,
        Err(words) => return Ok(((false, words), StatusCode::UNPROCESSABLE_ENTITY)),
    };
    if span.is_some()
        && let Some(why) = unlike(&hidden(server, message).await?, field("shown"))
    {
        return Ok(((false, why), StatusCode::CONFLICT));
    }
    let wish = Wish {
        // A form counts once, however often it is sent.
        event: format!("console/{message}/{}/{}/{}", field("nonce"), field("do"), field("span")),
        kind,
        about: About::Message(message),
        span,
        code: None,
        except_lane: None,
        within: None,
    };
    let actor = Actor { id: guest.session.person.clone(), via: Via::Console(guest.session.way.clone()) };
    let answered = server.acts.act(&actor, wish).await?;
    let status = if answered.state == Some(ActState::Denied) { StatusCode::FORBIDDEN } else { StatusCode::OK };
    Ok((outcome(server, kind, answered, PATIENCE).await?, status))
}
