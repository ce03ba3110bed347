//! What the console shows: what is on, an incident, deliveries, silences, how wegraf is. And the acts of those who are
//! signed in, which go the way of all acts.

use std::collections::BTreeSet;

use axum::extract::{Path, Query, Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use serde::Deserialize;

use super::super::details::{PATIENCE, asked_for, condition, hidden, how, outcome, owners, person};
use super::super::pages::answer;
use super::super::refusal::Cause;
use super::{Gate, Guest, clock, unread, usual};
use crate::alert::{Status, ThreadId};
use crate::answer::{Actor, Via, Wish};
use crate::console::{
    self, Asked, DeliveriesPage, DeliveryPage, Incident, IncidentPage, May, NowPage, Only, Proven, SilencesPage,
    Standing, StatePage,
};
use crate::deliver::{Page, called, contents};
use crate::standing as state_of;
use crate::store::{About, ActAlert, ActFilter, ActState, DeliveryFilter, DeliveryRow, State as Sending, StoreError};
use crate::upstream::Matcher;
use crate::watch::warnings;
use crate::words::Words;

/// Alerts that are read for the list of what is on.
const ALERTS: u32 = 1_000;
/// Messages of an incident.
const MESSAGES: usize = 60;
/// Of these, the ones whose attempts are shown.
const ATTEMPTED: usize = 20;
/// Acts of an incident.
const ACTS: u32 = 50;
/// Rows of a search, and how many are read for them where a person sees only some receivers.
const ROWS: usize = 50;
const READ: usize = 300;
const HOUR_MS: i64 = 3_600_000;

/// The visitor, or the answer to one who is not signed in.
macro_rules! guest {
    ($gate:expr, $parts:expr) => {
        match Guest::of(&$gate, &$parts).await {
            Ok(guest) => guest,
            Err(away) => return away,
        }
    };
}

/// What a page found, or the answer that it could not be read.
macro_rules! read {
    ($gate:expr, $guest:expr, $found:expr) => {
        match $found {
            Ok(found) => found,
            Err(error) => return unread(&$gate, &$guest.reader, &error),
        }
    };
}

fn missing(gate: &Gate, guest: &Guest) -> Response {
    guest.reader.note(StatusCode::NOT_FOUND, usual(gate), console::NO_PAGE)
}

/// A part of what is on.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Part {
    only: String,
}

pub(super) async fn now(State(gate): State<Gate>, parts: Parts) -> Response {
    let guest = guest!(gate, parts);
    let Query(part) = Query::<Part>::try_from_uri(&parts.uri).unwrap_or_default();
    let store = &gate.server.store;
    let found = async {
        let mut receivers = store.receivers_on().await?;
        receivers.retain(|receiver| guest.rights.sees(receiver));
        store.alerts_on_of(receivers, &guest.session.person, ALERTS).await
    };
    let (alerts, count) = read!(gate, guest, found.await);
    let setup = gate.server.setup.now();
    let f = guest.frame(&gate);
    let clock = clock(&gate, &setup.config.timezone, f.language);
    let page = NowPage::new(f, guest.desk(&gate, "now"), &clock, Only::of(&part.only), &alerts, count);
    answer(StatusCode::OK, &page, &[])
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
    let guest = guest!(gate, parts);
    match show(&gate, &guest, &short, None).await {
        Ok(Some(page)) => page,
        Ok(None) => missing(&gate, &guest),
        Err(error) => unread(&gate, &guest.reader, &error),
    }
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
    let Some(newest) = rows.iter().find(|row| row.act.is_none() && !row.digest).or(rows.first()) else {
        return Ok(None);
    };
    let Some((kept, _part)) = contents(store, &server.room, newest.message).await? else { return Ok(None) };
    let setup = server.setup.now();
    let page = Page::of(&setup.config, &kept.notification, &kept.transitions, &kept.receiver);
    let alerts = store.card_of(newest.message).await?.map_or_else(Vec::new, |card| card.alerts);
    let mut deliveries = Vec::new();
    for row in rows.iter().take(ATTEMPTED) {
        deliveries.extend(store.delivery(row.message).await?);
    }
    let (f, desk) = (guest.frame(gate), guest.desk(gate, "now"));
    let clock = clock(gate, &page.timezone, f.language);
    let standing = Standing {
        proven: Some(Proven { proof: desk.proof.clone(), message: newest.message }),
        nonce: u128::from_str_radix(&desk.nonce, 16).unwrap_or_default(),
        said,
        ..standing(gate, newest.message, newest.thread, &alerts).await?
    };
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
        part,
        picture: charted.then(|| key.picture(root, newest.message, clock.now)),
        origins: &origins,
    };
    Ok(Some(answer(StatusCode::OK, &IncidentPage::new(f, desk, &clock, incident), &origins)))
}

/// How an incident stands for a visitor who is signed in. Whether the visitor may act is asked when it is tried.
async fn standing(gate: &Gate, message: i64, thread: ThreadId, told: &[ActAlert]) -> Result<Standing, StoreError> {
    let server = &gate.server;
    let on: Vec<&ActAlert> = told.iter().filter(|alert| alert.status == Status::Firing).collect();
    let done = server.store.acts(ActFilter { thread: Some(thread), limit: ACTS, ..ActFilter::default() }).await?;
    let silences = state_of::silences_of(&server.store, thread, told, server.clock.now()).await?;
    let hides = if on.is_empty() { None } else { hidden(server, message).await? };
    Ok(Standing {
        thread,
        on: on.len(),
        taken: on.iter().filter(|alert| alert.acknowledged.is_some()).count(),
        owners: owners(&on),
        silenced: state_of::longest(&silences).map(|silence| (person(&silence.by), silence.until)),
        done: done.into_iter().map(|act| (act.clone(), person(&act.by))).collect(),
        may: May::Act,
        hides: hides.map(|scope| {
            let conditions = scope.matchers.iter().map(condition).collect();
            (scope, conditions)
        }),
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
    let guest = guest!(gate, parts);
    let fields = match guest.form(&gate, &parts.headers, body).await {
        Ok(fields) => fields,
        Err(forged) => return forged,
    };
    let rows = read!(gate, guest, told(&gate, &guest, &short).await);
    let field = |name: &str| fields.get(name).map_or("", String::as_str);
    let message: i64 = field("message").parse().unwrap_or(0);
    if !rows.iter().any(|row| row.message == message) {
        return missing(&gate, &guest);
    }
    let (said, status) = read!(gate, guest, wanted(&gate, &guest, message, &field).await);
    let mut page = match show(&gate, &guest, &short, Some(said)).await {
        Ok(Some(page)) => page,
        Ok(None) => return missing(&gate, &guest),
        Err(error) => return unread(&gate, &guest.reader, &error),
    };
    *page.status_mut() = status;
    if status == StatusCode::FORBIDDEN { Cause::new("denied").attach(page) } else { page }
}

/// Requests the act, and returns the result.
async fn wanted<'f>(
    gate: &Gate,
    guest: &Guest,
    message: i64,
    field: &(impl Fn(&str) -> &'f str + Sync),
) -> Result<((bool, Words), StatusCode), StoreError> {
    let server = &gate.server;
    let (kind, span) = match asked_for(field("do"), field("span")) {
        Ok(asked) => asked,
        Err(words) => return Ok(((false, words), StatusCode::UNPROCESSABLE_ENTITY)),
    };
    if span.is_some()
        && let Some(scope) = hidden(server, message).await?
        && scope.fingerprint() != field("shown")
    {
        return Ok(((false, console::CHANGED), StatusCode::CONFLICT));
    }
    let wish = Wish {
        // A form counts once, however often it is sent.
        event: format!("console/{message}/{}/{}/{}", field("nonce"), field("do"), field("span")),
        kind,
        about: About::Message(message),
        span,
        code: None,
        except_lane: None,
    };
    let actor = Actor { id: guest.session.person.clone(), via: Via::Console(guest.session.way.clone()) };
    let answered = server.acts.act(&actor, wish).await?;
    let status = if answered.state == Some(ActState::Denied) { StatusCode::FORBIDDEN } else { StatusCode::OK };
    Ok((outcome(server, &actor, kind, answered, PATIENCE).await?, status))
}

/// The search for deliveries, as it was typed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Search {
    state: String,
    receiver: String,
    person: String,
    errcode: String,
    label: String,
    id: String,
    since: String,
    before: Option<i64>,
}

impl Search {
    /// `None` if a field cannot be understood.
    fn filter(&self, now: crate::alert::Timestamp) -> Option<DeliveryFilter> {
        let text = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let hours = match self.since.as_str() {
            "7d" => 7 * 24,
            "30d" => 30 * 24,
            _ => 24,
        };
        Some(DeliveryFilter {
            limit: READ,
            since: Some(now.plus_millis(-hours * HOUR_MS)),
            receiver: text(&self.receiver),
            person: text(&self.person),
            state: match text(&self.state) {
                Some(name) => Some(Sending::from_name(&name)?),
                None => None,
            },
            errcode: match text(&self.errcode) {
                Some(code) => Some(code.parse().ok()?),
                None => None,
            },
            labels: match text(&self.label) {
                Some(label) => {
                    let (name, value) = label.split_once('=')?;
                    vec![(name.trim().to_owned(), value.trim().to_owned())]
                }
                None => Vec::new(),
            },
            thread: match text(&self.id) {
                Some(id) => Some(ThreadId::parse(&id)?),
                None => None,
            },
            before: self.before,
            ..DeliveryFilter::default()
        })
    }

    /// The query of the page behind `last`.
    fn older(&self, last: i64, language: &str) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in [
            ("state", &self.state),
            ("receiver", &self.receiver),
            ("person", &self.person),
            ("errcode", &self.errcode),
            ("label", &self.label),
            ("id", &self.id),
            ("since", &self.since),
        ] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        format!("?{}", query.append_pair("before", &last.to_string()).append_pair("lang", language).finish())
    }
}

pub(super) async fn deliveries(State(gate): State<Gate>, parts: Parts) -> Response {
    let guest = guest!(gate, parts);
    let Query(search) = Query::<Search>::try_from_uri(&parts.uri).unwrap_or_default();
    let f = guest.frame(&gate);
    let filter = search.filter(gate.server.clock.now());
    let said = filter.is_none().then_some(console::ODD_SEARCH);
    let mut rows = match filter {
        Some(filter) => read!(gate, guest, gate.server.store.deliveries(filter).await),
        None => Vec::new(),
    };
    let whole = rows.len() == READ;
    let last = rows.last().map(|row| row.message);
    rows.retain(|row| guest.rights.sees(&row.receiver));
    let more = rows.len() > ROWS;
    rows.truncate(ROWS);
    let behind = if more { rows.last().map(|row| row.message) } else { last.filter(|_| whole) };
    let older = behind.map(|last| search.older(last, f.language.as_str()));
    let setup = gate.server.setup.now();
    let clock = clock(&gate, &setup.config.timezone, f.language);
    let Search { state, receiver, person, errcode, label, id, since, .. } = search;
    let asked = Asked { state, receiver, person, errcode, label, id, since };
    let page = DeliveriesPage::new(f, guest.desk(&gate, "m"), &clock, &asked, &rows, said, older);
    answer(StatusCode::OK, &page, &[])
}

pub(super) async fn delivery(State(gate): State<Gate>, Path(message): Path<String>, parts: Parts) -> Response {
    let guest = guest!(gate, parts);
    let found = gate.server.store.delivery(message.parse().unwrap_or(0)).await;
    let found = read!(gate, guest, found).filter(|found| guest.rights.sees(&found.row.receiver));
    let Some(found) = found else { return missing(&gate, &guest) };
    let setup = gate.server.setup.now();
    let f = guest.frame(&gate);
    let clock = clock(&gate, &setup.config.timezone, f.language);
    answer(StatusCode::OK, &DeliveryPage::new(f, guest.desk(&gate, "m"), &clock, &found), &[])
}

pub(super) async fn silences(State(gate): State<Gate>, parts: Parts) -> Response {
    let guest = guest!(gate, parts);
    let (store, now) = (&gate.server.store, gate.server.clock.now());
    let found = async {
        let mut shown = Vec::new();
        for silence in store.silences(now).await?.into_iter().filter(|silence| silence.until > now) {
            let alerts = store.act_alerts(silence.act).await?;
            let own = silence.by.eq_ignore_ascii_case(&guest.session.person);
            if !own && !guest.rights.all && !alerts.iter().any(|alert| guest.rights.sees(&alert.receiver)) {
                continue;
            }
            let matchers: Vec<Matcher> = serde_json::from_str(&silence.matchers_json).unwrap_or_default();
            let on: BTreeSet<_> =
                alerts.iter().filter(|alert| alert.status == Status::Firing).map(|alert| alert.identity).collect();
            shown.push((silence, state_of::conditions(&matchers), on.len()));
        }
        Ok::<_, StoreError>(shown)
    };
    let shown = read!(gate, guest, found.await);
    let setup = gate.server.setup.now();
    let f = guest.frame(&gate);
    let clock = clock(&gate, &setup.config.timezone, f.language);
    answer(StatusCode::OK, &SilencesPage::new(f, guest.desk(&gate, "silences"), &clock, &shown), &[])
}

/// How wegraf is: for those who may look at everything.
pub(super) async fn state(State(gate): State<Gate>, parts: Parts) -> Response {
    let guest = guest!(gate, parts);
    if !guest.rights.all {
        return missing(&gate, &guest);
    }
    let (server, store, now) = (&gate.server, &gate.server.store, gate.server.clock.now());
    let found = async { Ok::<_, StoreError>((store.breakers().await?, store.backlog().await?, store.heard().await?)) };
    let (breakers, backlog, heard) = read!(gate, guest, found.await);
    let setup = server.setup.now();
    let config = &setup.config;
    // What is paused has its own line.
    let mut warned = warnings(server.metrics.imbalance.get(), &[], |scope| called(config, scope), &backlog, now);
    warned.extend(server.storage.warnings(now, server.fuse.full_at()));
    let paused: Vec<_> = breakers.into_iter().map(|open| (called(config, &open.scope), open)).collect();
    let f = guest.frame(&gate);
    let clock = clock(&gate, &config.timezone, f.language);
    let page = StatePage::new(f, guest.desk(&gate, "state"), &clock, &paused, &warned, &backlog, &heard);
    answer(StatusCode::OK, &page, &[])
}
