//! Who is on duty, what a person got, and what people did.

use axum::extract::{Path, Query, State};
use axum::http::request::Parts;
use axum::response::Response;
use serde::Deserialize;

use super::{Gate, Guest, clock, missing, read, visitor};
use crate::console::{AuditPage, Desk, DutyPage, Known, PersonPage};
use crate::duty::{Rota, holds};
use crate::store::{ActFilter, DeliveryFilter, StoreError};

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
    let desk = Desk { live: "", ..guest.desk(gate, "duty") };
    guest.page(&DutyPage::new(guest.frame(gate), desk, gate.server.clock.now(), day, &rotas), &[])
}

/// From which day on.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Day {
    /// As `2026-12-24`; anything else is now.
    at: String,
}

/// How far back.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Span {
    since: String,
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
    let known = Known { person: &person, duty: &duty, since, rows: &rows, acts: &acts };
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
