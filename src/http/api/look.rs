//! What was done, silences, senders, routes, who is on duty, and how wegraf is.

use std::collections::BTreeSet;

use axum::extract::{Path, State};
use axum::http::request::Parts;
use axum::response::Response;
use serde::Serialize;
use utoipa::openapi::path::ParameterIn;
use utoipa::{IntoParams, ToSchema};

use super::super::Gate;
use super::caller::Caller;
use super::described::Problems;
use super::list::caller;
use super::problem::Wrong;
use super::shapes::{Act, List, Say};
use super::token::Scope;
use super::words;
use crate::alert::Labels;
use crate::config::Config;
use crate::deliver::called;
use crate::duty::Rota;
use crate::store::{ActFilter, ActRow, Breaker, Store, StoreError};
use crate::watch::warnings;

const DAY_MS: i64 = 24 * 3_600_000;
/// Days of a rota, and at most.
const DAYS: i64 = 14;
const MOST_DAYS: i64 = 92;

/// Which acts.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes the keys, which are read one by one")]
pub(super) struct ActsQuery {
    /// About this short id.
    short: Option<String>,
    /// By this person or program.
    by: Option<String>,
    /// Only those that are still being done.
    open: Option<bool>,
    /// At this time or later: RFC 3339, or how long ago, as `24h`, which holds if neither it nor `short` is given.
    since: Option<String>,
    /// Rows of a page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<usize>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// What was done.
#[utoipa::path(
    get, path = "/api/v1/acts", tag = "acts", params(ActsQuery), security(("token" = ["read"])),
    responses((status = 200, description = "Acts, the newest first", body = List<Act>), Problems)
)]
pub(super) async fn acts(State(gate): State<Gate>, parts: Parts) -> Response {
    let caller = caller!(gate, parts, Scope::Read);
    caller.answer(&gate, find_acts(&gate, &caller).await)
}

async fn find_acts(gate: &Gate, caller: &Caller) -> Result<List<Act>, Wrong> {
    let params = caller.params(&ActsQuery::into_params(|| Some(ParameterIn::Query)))?;
    let now = gate.server.clock.now();
    let page = params.page(gate.server.links.key().await.cursor_key(), "/acts")?;
    let thread = params.short("short")?;
    let filter = ActFilter {
        thread,
        by: params.text("by").map(str::to_owned),
        open: params.flag("open")?.unwrap_or(false),
        since: params.time("since", now)?.or(thread.is_none().then(|| now.plus_millis(-DAY_MS))),
        among: Vec::new(),
        before: page.before,
        limit: u32::try_from(page.rows()).unwrap_or(u32::MAX),
    };
    let store = gate.server.store.for_people();
    let mut rows = store.acts(filter).await?;
    let next = page.cut(&mut rows, |row| row.id);
    let mut items = Vec::new();
    for row in &rows {
        if sees_act(&store, caller, row).await? {
            items.push(Act::of(row, caller.say()));
        }
    }
    Ok(List { items, next })
}

/// May the caller see this act: its own, or one about an alert of its receivers?
pub(super) async fn sees_act(store: &Store, caller: &Caller, act: &ActRow) -> Result<bool, StoreError> {
    if act.by == caller.name() || caller.token.receivers.is_none() {
        return Ok(true);
    }
    Ok(store.act_alerts(act.id).await?.iter().any(|alert| caller.sees(&alert.receiver)))
}

/// A sender of alerts.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Sender {
    /// The name of the source.
    pub name: String,
    /// It is in the configuration.
    pub configured: bool,
    /// When it last sent something new.
    #[schema(format = DateTime)]
    pub last_at: Option<String>,
    /// Calls that were taken, since this process began.
    pub taken: u64,
    /// Calls that were refused, since this process began.
    pub refused: u64,
    /// Why the last of them was.
    pub why: Option<String>,
}

/// Which senders.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes the keys, which are read one by one")]
pub(super) struct SendersQuery {
    /// This source only.
    source: Option<String>,
}

/// The senders, as this process knows them.
#[utoipa::path(
    get, path = "/api/v1/senders", tag = "state", params(SendersQuery), security(("token" = ["read"])),
    responses((status = 200, description = "Senders by name", body = List<Sender>), Problems)
)]
pub(super) async fn senders(State(gate): State<Gate>, parts: Parts) -> Response {
    let caller = caller!(gate, parts, Scope::Read);
    caller.answer(&gate, find_senders(&gate, &caller).await)
}

async fn find_senders(gate: &Gate, caller: &Caller) -> Result<List<Sender>, Wrong> {
    let params = caller.params(&SendersQuery::into_params(|| Some(ParameterIn::Query)))?;
    caller.sees_all()?;
    let (store, config) = (gate.server.store.for_people(), gate.server.setup.now().config.clone());
    let records = gate.records.all();
    let configured: BTreeSet<&str> = config.sources.iter().map(|source| source.name.as_str()).collect();
    let names: BTreeSet<&str> =
        configured.iter().copied().chain(records.keys().map(String::as_str).filter(|name| !name.is_empty())).collect();
    let mut items = Vec::new();
    let wanted = params.text("source");
    for name in names.into_iter().filter(|name| wanted.is_none_or(|wanted| wanted == *name)) {
        let source = crate::names::SourceId::Configured(name.to_owned());
        let record = records.get(name);
        items.push(Sender {
            name: name.to_owned(),
            configured: configured.contains(name),
            last_at: store.last_from(&source).await?.map(|at| caller.say().time(at)),
            taken: record.map_or(0, |record| record.taken),
            refused: record.map_or(0, |record| record.refused),
            why: record.and_then(|record| record.refusals.back()).map(|call| caller.say().recorded(&call.why)),
        });
    }
    Ok(List { items, next: None })
}

/// A way by which nothing is sent for now.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Paused {
    /// The app, webhook or host.
    pub scope: String,
    /// As people call it.
    pub name: String,
    /// Why, in a word.
    pub reason: String,
    /// The `errcode`.
    pub errcode: Option<i64>,
    /// What it means, and what to do.
    pub error: String,
    /// Since when.
    #[schema(format = DateTime)]
    pub opened_at: String,
    /// When it is tried again.
    #[schema(format = DateTime)]
    pub probe_at: String,
}

/// How wegraf is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Health {
    /// `ok`, or `degraded` if something is paused or there is a warning.
    pub state: &'static str,
    /// Messages that wait.
    pub waiting: i64,
    /// Of these, the ones that were tried.
    pub retrying: i64,
    /// Of these, the critical ones.
    pub critical: i64,
    /// When the oldest of them was queued.
    #[schema(format = DateTime)]
    pub oldest_at: Option<String>,
    /// Ways by which nothing is sent for now.
    pub paused: Vec<Paused>,
    /// What a person should look at, in words.
    pub warnings: Vec<String>,
    /// Bytes of the store.
    pub store_bytes: u64,
    /// When the certificate of `listen_tls` ends; null: there is none.
    #[schema(format = DateTime)]
    pub certificate_ends_at: Option<String>,
}

/// How wegraf is.
#[utoipa::path(
    get, path = "/api/v1/health", tag = "state", security(("token" = ["read"])),
    responses((status = 200, description = "How wegraf is", body = Health), Problems)
)]
pub(super) async fn health(State(gate): State<Gate>, parts: Parts) -> Response {
    let caller = caller!(gate, parts, Scope::Read);
    caller.answer(&gate, find_health(&gate, &caller).await)
}

async fn find_health(gate: &Gate, caller: &Caller) -> Result<Health, Wrong> {
    caller.params(&[])?;
    caller.sees_all()?;
    let (server, store, now) = (&gate.server, gate.server.store.for_people(), gate.server.clock.now());
    let (breakers, backlog) = (store.breakers().await?, store.backlog().await?);
    let config = server.setup.now().config.clone();
    let (imbalance, say) = (server.metrics.imbalance.get(), caller.say());
    let mut warned = warnings(imbalance, &[], |scope| called(&config, scope), &backlog, now);
    warned.extend(server.storage.warnings(now, server.fuse.full_at()));
    let paused: Vec<Paused> = breakers.iter().map(|open| paused(open, &config, say)).collect();
    Ok(Health {
        state: if paused.is_empty() && warned.is_empty() { "ok" } else { "degraded" },
        waiting: backlog.messages,
        retrying: backlog.retrying,
        critical: backlog.critical,
        oldest_at: backlog.oldest.map(|at| say.time(at)),
        paused,
        warnings: warned.iter().map(|text| text.get(say.language).to_owned()).collect(),
        store_bytes: store.bytes().await?,
        certificate_ends_at: config.listen_tls.as_ref().map(|tls| say.time(tls.expires_at)),
    })
}

fn paused(open: &Breaker, config: &Config, say: Say<'_>) -> Paused {
    Paused {
        scope: open.scope.to_string(),
        name: called(config, &open.scope),
        reason: open.reason.clone(),
        errcode: open.errcode,
        error: say.recorded(&open.error),
        opened_at: say.time(open.opened_at),
        probe_at: say.time(open.probe_at),
    }
}

/// A receiver and where it sends.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Receiver {
    /// Its name.
    pub name: String,
    /// Its targets, as `webhook/ops-group`.
    pub targets: Vec<String>,
}

/// The receivers, and the one that takes what no route matches.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Routes {
    /// The receiver of what no route matches.
    pub root: String,
    /// All receivers.
    pub receivers: Vec<Receiver>,
}

fn targets(config: &Config, receiver: &str) -> Vec<String> {
    let targets = config.receivers.get(receiver).map(|receiver| receiver.targets.as_slice()).unwrap_or_default();
    targets.iter().map(|target| target.lane().to_string()).collect()
}

/// The token that asks.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Own {
    /// Its name.
    pub name: String,
    /// Who made it.
    pub owner: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// The only receivers that it may see; null: all.
    pub receivers: Option<Vec<String>>,
    /// When it ends.
    #[schema(format = DateTime)]
    pub ends_at: String,
    /// The zone of the gateway, whose clock times are on.
    pub timezone: Option<String>,
    /// The version of the gateway.
    pub version: &'static str,
}

/// The token that asks, and the gateway that answers.
#[utoipa::path(
    get, path = "/api/v1/token", tag = "state", security(("token" = ["read"])),
    responses((status = 200, description = "The token", body = Own), Problems)
)]
pub(super) async fn own(State(gate): State<Gate>, parts: Parts) -> Response {
    let caller = caller!(gate, parts, Scope::Read);
    let found = caller.params(&[]).map_err(Wrong::from).map(|_| Own {
        name: caller.token.name.clone(),
        owner: caller.token.owner.clone(),
        scopes: caller.token.scopes.split(' ').map(str::to_owned).collect(),
        receivers: caller.receivers(),
        ends_at: caller.say().time(caller.token.ends_at),
        timezone: caller.zone.iana_name().map(str::to_owned),
        version: env!("CARGO_PKG_VERSION"),
    });
    caller.answer(&gate, found)
}

/// Where alerts can go.
#[utoipa::path(
    get, path = "/api/v1/routes", tag = "state", security(("token" = ["read"])),
    responses((status = 200, description = "Receivers and their targets", body = Routes), Problems)
)]
pub(super) async fn routes(State(gate): State<Gate>, parts: Parts) -> Response {
    let caller = caller!(gate, parts, Scope::Read);
    let config = gate.server.setup.now().config.clone();
    let found = caller.params(&[]).map_err(Wrong::from).and_then(|_| caller.sees_all()).map(|()| Routes {
        root: config.route.root().to_owned(),
        receivers: config
            .receivers
            .keys()
            .map(|name| Receiver { name: name.clone(), targets: targets(&config, name) })
            .collect(),
    });
    caller.answer(&gate, found)
}

/// The labels of an alert.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes the keys, which are read one by one")]
pub(super) struct ExplainQuery {
    /// A label, as `name:value`; may be given more than once.
    label: Option<Vec<String>>,
}

/// A receiver that an alert would go to, and why.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Decision {
    /// Its name.
    pub receiver: String,
    /// The routes that led to it; empty: no route matched, and the root took it.
    pub path: Vec<String>,
    /// Its targets.
    pub targets: Vec<String>,
    /// The form of each.
    pub faces: Vec<&'static str>,
}

/// Where an alert with these labels would go. Nothing is sent.
#[utoipa::path(
    get, path = "/api/v1/routes/explain", tag = "state", params(ExplainQuery), security(("token" = ["read"])),
    responses((status = 200, description = "Receivers in the order of the tree", body = List<Decision>), Problems)
)]
pub(super) async fn explain(State(gate): State<Gate>, parts: Parts) -> Response {
    let caller = caller!(gate, parts, Scope::Read);
    caller.answer(&gate, explained(&gate, &caller))
}

fn explained(gate: &Gate, caller: &Caller) -> Result<List<Decision>, Wrong> {
    let params = caller.params(&ExplainQuery::into_params(|| Some(ParameterIn::Query)))?;
    caller.sees_all()?;
    let labels: Labels = params.pairs("label")?.into_iter().collect();
    let config = gate.server.setup.now().config.clone();
    let decision = |decision: crate::route::Decision<'_>| Decision {
        receiver: decision.receiver.to_owned(),
        targets: targets(&config, decision.receiver),
        faces: config
            .receivers
            .get(decision.receiver)
            .map(|receiver| receiver.targets.iter().map(|target| target.face.as_str()).collect())
            .unwrap_or_default(),
        path: decision.path,
    };
    Ok(List { items: config.route.route(&labels).into_iter().map(decision).collect(), next: None })
}

/// From when, and for how long.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes the keys, which are read one by one")]
pub(super) struct DutyQuery {
    /// From this time on: RFC 3339; now if not given.
    at: Option<String>,
    /// For so many days.
    #[param(minimum = 1, maximum = 92, default = 14)]
    days: Option<i64>,
}

/// Who is on duty, and from when to when.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Shift {
    /// From.
    #[schema(format = DateTime)]
    pub from: String,
    /// Until.
    #[schema(format = DateTime)]
    pub until: String,
    /// On duty.
    pub people: Vec<String>,
    /// The second line.
    pub backup: Vec<String>,
    /// `shift`, `substitute` or `holiday`.
    pub why: &'static str,
    /// The name of the holiday.
    pub holiday: Option<String>,
}

/// A rota.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Duty {
    /// Its name.
    pub name: String,
    /// Its time zone.
    pub timezone: Option<String>,
    /// Its shifts; the first has begun.
    pub shifts: Vec<Shift>,
}

/// Who is on duty, by rota.
#[utoipa::path(
    get, path = "/api/v1/duty", tag = "state", params(DutyQuery), security(("token" = ["read"])),
    responses((status = 200, description = "All rotas", body = List<Duty>), Problems)
)]
pub(super) async fn duties(State(gate): State<Gate>, parts: Parts) -> Response {
    let caller = caller!(gate, parts, Scope::Read);
    caller.answer(&gate, on_duty(&gate, &caller, None))
}

/// Who is on duty, of one rota.
#[utoipa::path(
    get, path = "/api/v1/duty/{rota}", tag = "state", security(("token" = ["read"])),
    params(("rota" = String, Path, description = "The name of the rota", example = "dba"), DutyQuery),
    responses((status = 200, description = "The rota", body = List<Duty>), Problems)
)]
pub(super) async fn duty(State(gate): State<Gate>, Path(rota): Path<String>, parts: Parts) -> Response {
    let caller = caller!(gate, parts, Scope::Read);
    caller.answer(&gate, on_duty(&gate, &caller, Some(&rota)))
}

fn on_duty(gate: &Gate, caller: &Caller, wanted: Option<&str>) -> Result<List<Duty>, Wrong> {
    let params = caller.params(&DutyQuery::into_params(|| Some(ParameterIn::Query)))?;
    let now = gate.server.clock.now();
    let at = params.time("at", now)?.unwrap_or(now);
    let days =
        params.read("days", words::DAYS, |days| days.parse().ok().filter(|days| (1..=MOST_DAYS).contains(days)))?;
    let until = at.plus_millis(days.unwrap_or(DAYS) * DAY_MS);
    let config = gate.server.setup.now().config.clone();
    let chosen = config.rotas.0.iter().filter(|(name, _)| wanted.is_none_or(|wanted| wanted == *name));
    let items: Vec<Duty> = chosen
        .map(|(name, rota)| Duty {
            name: name.clone(),
            timezone: rota.timezone.iana_name().map(str::to_owned),
            shifts: shifts(rota, at, until, caller),
        })
        .collect();
    if items.is_empty() && wanted.is_some() {
        return Err(Wrong::NotFound);
    }
    Ok(List { items, next: None })
}

fn shifts(rota: &Rota, at: crate::alert::Timestamp, until: crate::alert::Timestamp, caller: &Caller) -> Vec<Shift> {
    let say = Say { zone: &rota.timezone, language: caller.language };
    let rows = rota.schedule(at, until);
    rows.into_iter()
        .map(|(from, on_call)| Shift {
            from: say.time(from),
            until: say.time(on_call.until),
            people: on_call.people,
            backup: on_call.backup,
            why: on_call.why.as_str(),
            holiday: rota.holiday_at(from).map(str::to_owned),
        })
        .collect()
}
