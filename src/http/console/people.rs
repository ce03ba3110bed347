//! Who is on duty, what a person got, and what people did.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::{Path, Query, State};
use axum::http::request::Parts;
use axum::response::Response;
use serde::Deserialize;

use super::{Gate, Guest, clock, missing, read, visitor};
use crate::alert::{ThreadId, Timestamp};
use crate::budget::{Charge, Used, used};
use crate::console::{AskedOfRota, AuditPage, Desk, DutyPage, Got, Known, LOAD_MS, Missing, PersonPage, Substitution};
use crate::deliver::{budgets_of, called};
use crate::duty::{Rota, holds};
use crate::standing;
use crate::store::{
    ActFilter, ActKind, ActRow, ActState, Breaker, DeliveryFilter, DeliveryRow, State as Progress, StoreError,
};

/// Messages of a person that are read.
const MESSAGES: usize = 200;
/// Acts and sign-ins that are listed.
const ACTS: u32 = 100;
const HOUR_MS: i64 = 3_600_000;

/// All rotas.
pub(super) async fn duty(State(gate): State<Gate>, parts: Parts) -> Response {
    shifts(&gate, &parts, None).await
}

/// One of them.
pub(super) async fn rota(State(gate): State<Gate>, Path(name): Path<String>, parts: Parts) -> Response {
    shifts(&gate, &parts, Some(&name)).await
}

async fn shifts(gate: &Gate, parts: &Parts, wanted: Option<&str>) -> Response {
    let guest = visitor!(gate, parts);
    let setup = gate.server.setup.now();
    let rotas: Vec<(&String, &Rota)> =
        setup.config.rotas.0.iter().filter(|(name, _)| wanted.is_none_or(|wanted| wanted == *name)).collect();
    if wanted.is_some() && rotas.is_empty() {
        return missing(gate, &guest);
    }
    let Query(asked) = Query::<Day>::try_from_uri(&parts.uri).unwrap_or_default();
    let day = asked.at.parse::<jiff::civil::Date>().ok();
    let mut got = None;
    if let (Some(_), Some((_, rota))) = (wanted, rotas.first()) {
        // What one person got is told to those on the same rota, and to those who see everything.
        if guest.rights.all || holds(&rota.everybody(), &guest.session.person) {
            got = Some(read!(gate, guest, load(gate, rota).await));
        }
    }
    let Day { away, by, from, to, .. } = asked;
    let typed = Substitution { away, by, from, to };
    let asked = wanted.map(|_| AskedOfRota { got: got.as_ref(), typed });
    let desk = Desk { live: "", ..guest.desk(gate, "duty") };
    guest.page(&DutyPage::new(guest.frame(gate), desk, gate.server.clock.now(), day, &rotas, asked), &[])
}

/// People of a rota whose load is counted, and messages of each.
const LOADED: usize = 20;
const COUNTED: usize = 500;

/// What the people of a rota got and did in the last weeks.
async fn load(gate: &Gate, rota: &Rota) -> Result<BTreeMap<String, Got>, StoreError> {
    let store = gate.server.store.for_people();
    let since = gate.server.clock.now().plus_millis(-LOAD_MS);
    let mut all = BTreeMap::new();
    for person in rota.everybody().into_iter().take(LOADED) {
        let mut got = Got::default();
        let filter = DeliveryFilter {
            person: Some(person.clone()),
            since: Some(since),
            state: Some(Progress::Sent),
            limit: COUNTED,
            ..DeliveryFilter::default()
        };
        let rows = store.deliveries(filter).await?;
        got.more = rows.len() == COUNTED;
        rows.iter().filter(|row| row.act.is_none()).for_each(|row| got.message(row.created_at, rota));
        let acts = ActFilter { by: Some(person.clone()), since: Some(since), ..ActFilter::default() };
        let acts = store.acts(acts).await?;
        let taken = |act: &&ActRow| act.kind == ActKind::Acknowledge && act.state == ActState::Done;
        got.taken = acts.iter().filter(taken).count();
        all.insert(person, got);
    }
    Ok(all)
}

/// From which day on.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Day {
    /// As `2026-12-24`; anything else is now.
    at: String,
    /// A substitution, for one rota.
    away: String,
    by: String,
    from: String,
    to: String,
}

/// How far back.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Span {
    since: String,
    /// Why was this one not received?
    short: String,
}

/// Messages of one incident that are read.
const OF_ONE: usize = 50;

/// What is spent of the budgets of a person: by app, and whether of its chats.
type Budgets = Vec<(String, bool, Vec<Used>)>;

async fn budgets(gate: &Gate, person: &str) -> Result<Budgets, StoreError> {
    let config = gate.server.setup.now().config.clone();
    let charges = budgets_of(&config, person);
    let accounts = charges.values().flat_map(|charge| std::iter::once(&charge.account).chain(&charge.with));
    let spent = gate.server.store.for_people().spent(accounts.cloned().collect()).await?;
    let now = gate.server.clock.now();
    let of = |((app, chats), charge): ((String, bool), Charge)| {
        let windows: Vec<_> =
            std::iter::once(&charge.account).chain(&charge.with).filter_map(|account| spent.get(account)).collect();
        Some((app, chats, used(&windows, &charge.limit?, now)))
    };
    Ok(charges.into_iter().filter_map(of).collect())
}

/// What is known of an incident that a person is said to have missed.
#[derive(Default)]
struct Missed {
    name: Option<String>,
    receivers: Vec<(String, bool)>,
    silenced: Option<Timestamp>,
    own: Vec<DeliveryRow>,
    beside: Vec<DeliveryRow>,
    paused: Vec<(String, Breaker)>,
}

async fn missed(gate: &Gate, guest: &Guest, person: &str, short: &str) -> Result<Missed, StoreError> {
    let Some(thread) = ThreadId::parse(short).filter(|thread| thread.0 != 0) else { return Ok(Missed::default()) };
    let (store, acts, now) = (gate.server.store.for_people(), &gate.server.acts, gate.server.clock.now());
    let filter = DeliveryFilter { thread: Some(thread), limit: OF_ONE, ..DeliveryFilter::default() };
    let rows = store.deliveries(filter.clone()).await?;
    let mut names: BTreeSet<String> = rows.iter().map(|row| row.receiver.clone()).collect();
    names.extend(store.receivers_of(thread).await?);
    let mut found = Missed::default();
    for name in names {
        let reaches = acts.reaches(&name, person).await?;
        // Another's alert is told of to those who see everything.
        if reaches || guest.rights.all {
            found.receivers.push((name, reaches));
        }
    }
    let about = |row: &&DeliveryRow| row.act.is_none() && found.receivers.iter().any(|(name, _)| *name == row.receiver);
    found.name = rows.iter().find(about).map(|row| row.name.clone());
    let reached = |row: &DeliveryRow| found.receivers.iter().any(|(name, reaches)| *reaches && *name == row.receiver);
    found.beside = rows.iter().filter(|row| row.act.is_none() && reached(row)).cloned().collect();
    found.own = store.deliveries(DeliveryFilter { person: Some(person.to_owned()), ..filter }).await?;
    found.own.retain(|row| row.act.is_none());
    found.name = found.name.or_else(|| found.own.first().map(|row| row.name.clone()));
    let alerts = store.alerts_of(thread).await?;
    let silences = standing::silences_of(&store, thread, &alerts, now).await?;
    found.silenced = standing::longest(&silences).map(|silence| silence.until);
    let config = gate.server.setup.now().config.clone();
    found.paused = store.breakers().await?.into_iter().map(|open| (called(&config, &open.scope), open)).collect();
    Ok(found)
}

/// What a person got: the person's own page, and for those who may look at everything.
pub(super) async fn person(State(gate): State<Gate>, Path(person): Path<String>, parts: Parts) -> Response {
    let guest = visitor!(gate, parts);
    if !guest.rights.all && !person.eq_ignore_ascii_case(&guest.session.person) {
        return missing(&gate, &guest);
    }
    let Query(span) = Query::<Span>::try_from_uri(&parts.uri).unwrap_or_default();
    let (since, hours) = if span.since == "7d" { ("7d", 7 * 24) } else { ("24h", 24) };
    let (store, now) = (gate.server.store.for_people(), gate.server.clock.now());
    let found = async {
        let filter = DeliveryFilter {
            person: Some(person.clone()),
            since: Some(now.plus_millis(-hours * HOUR_MS)),
            limit: MESSAGES,
            ..DeliveryFilter::default()
        };
        let acts = ActFilter { by: Some(person.clone()), limit: ACTS, ..ActFilter::default() };
        Ok::<_, StoreError>((store.deliveries(filter).await?, store.acts(acts).await?))
    };
    let (rows, acts) = read!(gate, guest, found.await);
    let setup = gate.server.setup.now();
    let on_duty = |rota: &Rota| {
        let on_call = rota.on_call(now);
        holds(&on_call.people, &person) || holds(&on_call.backup, &person)
    };
    let duty: Vec<String> =
        setup.config.rotas.0.iter().filter(|(_, rota)| on_duty(rota)).map(|(name, _)| name.clone()).collect();
    let f = guest.frame(&gate);
    let clock = clock(&gate, &setup.config.timezone, f.language);
    let desk = Desk { live: "", ..guest.desk(&gate, "people") };
    let budgets = read!(gate, guest, budgets(&gate, &person).await);
    let short = span.short.trim().trim_start_matches('#').to_uppercase();
    let found = read!(gate, guest, missed(&gate, &guest, &person, &short).await);
    let missing = (!short.is_empty()).then(|| Missing {
        short: &short,
        person: &person,
        name: found.name.as_deref(),
        receivers: &found.receivers,
        silenced: found.silenced,
        own: &found.own,
        beside: &found.beside,
        paused: &found.paused,
        budgets: &budgets,
    });
    let known = Known { person: &person, duty: &duty, since, rows: &rows, acts: &acts, budgets: &budgets, missing };
    guest.page(&PersonPage::new(f, desk, &clock, &known), &[])
}

/// Who signed in and who did what: for those who may look at everything.
pub(super) async fn audit(State(gate): State<Gate>, parts: Parts) -> Response {
    let guest = visitor!(gate, parts);
    if !guest.rights.all {
        return missing(&gate, &guest);
    }
    let store = gate.server.store.for_people();
    let found = async {
        let acts = ActFilter { limit: ACTS, ..ActFilter::default() };
        Ok::<_, StoreError>((store.trail(ACTS).await?, store.acts(acts).await?))
    };
    let (trail, acts) = read!(gate, guest, found.await);
    let setup = gate.server.setup.now();
    let f = guest.frame(&gate);
    let clock = clock(&gate, &setup.config.timezone, f.language);
    let desk = Desk { live: "", ..guest.desk(&gate, "audit") };
    guest.page(&AuditPage::new(f, desk, &clock, &trail, &acts), &[])
}
