//! Lists of incidents, alerts and deliveries, and one of each.

use axum::extract::{Path, State};
use axum::http::request::Parts;
use axum::response::Response;
use utoipa::openapi::path::ParameterIn;
use utoipa::{IntoParams, ToSchema};

use super::super::Gate;
use super::caller::Caller;
use super::described::Problems;
use super::problem::Wrong;
use super::query::{Bad, Params};
use super::shapes::{
    Act, Alert, Attempt, Bytes, Change, Delivery, DeliveryDetail, DigestSums, Incident, IncidentDetail, List, Say,
    Silence, timeline,
};
use super::token::Scope;
use super::words;
use crate::alert::ThreadId;
use crate::names::LaneKey;
use crate::search::{Question, WORDS};
use crate::standing;
use crate::store::{ActAlert, ActFilter, AlertFilter, DeliveryFilter, State as Sending, Store};

/// How far back lists reach if nothing else is asked.
const WINDOW_MS: i64 = 24 * 3_600_000;
/// Messages and acts of an incident.
const MESSAGES: usize = 60;
const ACTS: u32 = 50;
/// Alerts of a digest.
const DIGESTED: u32 = 20;

/// Whether it is on.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "it describes the values of a key")]
pub(super) enum On {
    Firing,
    Resolved,
    All,
}

/// How severe it is.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "it describes the values of a key")]
pub(super) enum Severity {
    Critical,
    Other,
}

/// Where a message is on its way.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "it describes the values of a key")]
pub(super) enum Progress {
    Queued,
    Sending,
    Unsure,
    Sent,
    Dead,
    Folded,
}

/// Which incidents or alerts.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes the keys, which are read one by one")]
pub(super) struct IncidentsQuery {
    /// `firing` if not given; with the others, `since` is 24 hours ago if not given.
    #[param(inline)]
    state: Option<On>,
    /// How severe.
    #[param(inline)]
    severity: Option<Severity>,
    /// Told to this receiver.
    receiver: Option<String>,
    /// From this source.
    source: Option<String>,
    /// With this label, as `name:value`; may be given more than once.
    label: Option<Vec<String>>,
    /// Acknowledged by this userid.
    claimed_by: Option<String>,
    /// Words that stand in the name, the labels, the receiver or the source, all of them.
    q: Option<String>,
    /// Began at this time or later: RFC 3339, or how long ago, as `24h`.
    since: Option<String>,
    /// Began before this time.
    until: Option<String>,
    /// Rows of a page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<usize>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// Which messages.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes the keys, which are read one by one")]
pub(super) struct DeliveriesQuery {
    /// Where the message is on its way.
    #[param(inline)]
    state: Option<Progress>,
    /// For this receiver.
    receiver: Option<String>,
    /// To this target, as `webhook/ops-group`.
    target: Option<String>,
    /// Addressed to this userid by name, or not received by this person as WeCom said.
    person: Option<String>,
    /// An attempt was answered with this errcode.
    errcode: Option<i64>,
    /// Telling of an alert with this label, as `name:value`; may be given more than once.
    label: Option<Vec<String>>,
    /// With this short id.
    short: Option<String>,
    /// Words that stand in the names, labels, texts, people or codes of the message, all of them; the last one may be
    /// its beginning. A message is found some seconds after it was queued.
    q: Option<String>,
    /// Queued at this time or later: RFC 3339, or how long ago, as `24h`, which holds if it is not given.
    since: Option<String>,
    /// Queued before this time.
    until: Option<String>,
    /// Rows of a page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<usize>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// The caller, or the answer to another one.
macro_rules! caller {
    ($gate:expr, $parts:expr, $scope:expr) => {
        match $crate::http::api::caller::Caller::of(&$gate, &$parts, $scope).await {
            Ok(caller) => caller,
            Err(away) => return away,
        }
    };
}
pub(super) use caller;

/// The incidents.
#[utoipa::path(
    get, path = "/api/v1/incidents", tag = "incidents", params(IncidentsQuery), security(("token" = ["read"])),
    responses((status = 200, description = "Incidents, the newest first", body = List<Incident>), Problems)
)]
pub(super) async fn incidents(State(gate): State<Gate>, parts: Parts) -> Response {
    let caller = caller!(gate, parts, Scope::Read);
    caller.answer(&gate, find_incidents(&gate, &caller).await)
}

async fn find_incidents(gate: &Gate, caller: &Caller) -> Result<List<Incident>, Wrong> {
    let params = caller.params(&IncidentsQuery::into_params(|| Some(ParameterIn::Query)))?;
    let page = params.page(gate.server.links.key().await.cursor_key(), "/incidents")?;
    let filter = AlertFilter { before: page.before, limit: page.rows(), ..alerts_asked(gate, caller, &params)? };
    let mut found = gate.server.store.for_people().incidents(filter).await?;
    let next = page.cut(&mut found, |rows| rows[0].thread.0);
    let seen = found.iter().map(|rows| rows.iter().filter(|row| caller.sees(&row.receiver)).collect::<Vec<_>>());
    let items = seen.filter(|rows| !rows.is_empty()).map(|rows| Incident::of(&rows, caller.say())).collect();
    Ok(List { items, next })
}

/// The alerts.
#[utoipa::path(
    get, path = "/api/v1/alerts", tag = "incidents", params(IncidentsQuery), security(("token" = ["read"])),
    responses((status = 200, description = "Alerts as each receiver knows them", body = List<Alert>), Problems)
)]
pub(super) async fn alerts(State(gate): State<Gate>, parts: Parts) -> Response {
    let caller = caller!(gate, parts, Scope::Read);
    caller.answer(&gate, find_alerts(&gate, &caller).await)
}

async fn find_alerts(gate: &Gate, caller: &Caller) -> Result<List<Alert>, Wrong> {
    let params = caller.params(&IncidentsQuery::into_params(|| Some(ParameterIn::Query)))?;
    let page = params.page(gate.server.links.key().await.cursor_key(), "/alerts")?;
    let filter = AlertFilter { before: page.before, limit: page.rows(), ..alerts_asked(gate, caller, &params)? };
    let mut found = gate.server.store.for_people().alerts(filter).await?;
    let next = page.cut(&mut found, |row| row.alert);
    Ok(List { items: found.iter().map(|row| Alert::of(row, caller.say())).collect(), next })
}

/// The alerts that a query asks for.
fn alerts_asked(gate: &Gate, caller: &Caller, params: &Params) -> Result<AlertFilter, Bad> {
    let now = gate.server.clock.now();
    let form = words::STATE;
    let firing = params.read("state", form, |state| match state {
        "firing" => Some(Some(true)),
        "resolved" => Some(Some(false)),
        "all" => Some(None),
        _ => None,
    })?;
    let firing = firing.unwrap_or(Some(true));
    let since = params.time("since", now)?;
    let owned = |key: &str| params.text(key).map(str::to_owned);
    Ok(AlertFilter {
        firing,
        critical: params.read("severity", words::SEVERITY, |severity| match severity {
            "critical" => Some(true),
            "other" => Some(false),
            _ => None,
        })?,
        receiver: owned("receiver"),
        receivers: caller.receivers(),
        source: owned("source"),
        claimed_by: owned("claimed_by"),
        labels: params.pairs("label")?,
        words: params.text("q").unwrap_or_default().split_whitespace().take(WORDS).map(str::to_owned).collect(),
        since: since.or((firing != Some(true)).then(|| now.plus_millis(-WINDOW_MS))),
        until: params.time("until", now)?,
        ..AlertFilter::default()
    })
}

/// An incident with its alerts, its messages, what was done, and the order of it all.
#[utoipa::path(
    get, path = "/api/v1/incidents/{short}", tag = "incidents", security(("token" = ["read"])),
    params(("short" = String, Path, description = "The short id, with or without `#`")),
    responses((status = 200, description = "The incident", body = IncidentDetail), Problems)
)]
pub(super) async fn incident(State(gate): State<Gate>, Path(short): Path<String>, parts: Parts) -> Response {
    let caller = caller!(gate, parts, Scope::Read);
    caller.answer(&gate, find_incident(&gate, &caller, &short).await)
}

async fn find_incident(gate: &Gate, caller: &Caller, short: &str) -> Result<IncidentDetail, Wrong> {
    caller.params(&[])?;
    let thread = ThreadId::parse(short).ok_or(Wrong::NotFound)?;
    let (store, say) = (gate.server.store.for_people(), caller.say());
    let filter = DeliveryFilter {
        thread: Some(thread),
        receivers: caller.receivers(),
        limit: MESSAGES,
        ..DeliveryFilter::default()
    };
    let rows = store.deliveries(filter).await?;
    let mut alerts = store.alerts_of(thread).await?;
    alerts.retain(|alert| caller.sees(&alert.receiver));
    if rows.is_empty() && alerts.is_empty() {
        return Err(Wrong::NotFound);
    }
    let acts = store.acts(ActFilter { thread: Some(thread), limit: ACTS, ..ActFilter::default() }).await?;
    let silences = silences_of(&store, gate, thread, &alerts, say).await?;
    let deliveries: Vec<Delivery> = rows.iter().map(|row| Delivery::of(row, say)).collect();
    let acts: Vec<Act> = acts.iter().map(|row| Act::of(row, say)).collect();
    let told: Vec<&ActAlert> = alerts.iter().collect();
    Ok(IncidentDetail {
        incident: (!told.is_empty()).then(|| Incident::of(&told, say)),
        alerts: alerts.iter().map(|row| Alert::of(row, say)).collect(),
        timeline: timeline(&deliveries, &acts),
        deliveries,
        acts,
        silences,
    })
}

async fn silences_of(
    store: &Store,
    gate: &Gate,
    thread: ThreadId,
    alerts: &[ActAlert],
    say: Say<'_>,
) -> Result<Vec<Silence>, Wrong> {
    let mut silences = Vec::new();
    let now = gate.server.clock.now();
    for silence in standing::silences_of(store, thread, alerts, now).await? {
        silences.push(Silence::of(&silence, &store.act_alerts(silence.act).await?, now, say));
    }
    Ok(silences)
}

/// The messages.
#[utoipa::path(
    get, path = "/api/v1/deliveries", tag = "deliveries", params(DeliveriesQuery), security(("token" = ["read"])),
    responses((status = 200, description = "Messages, the newest first", body = List<Delivery>), Problems)
)]
pub(super) async fn deliveries(State(gate): State<Gate>, parts: Parts) -> Response {
    let caller = caller!(gate, parts, Scope::Read);
    caller.answer(&gate, find_deliveries(&gate, &caller).await)
}

async fn find_deliveries(gate: &Gate, caller: &Caller) -> Result<List<Delivery>, Wrong> {
    let params = caller.params(&DeliveriesQuery::into_params(|| Some(ParameterIn::Query)))?;
    let now = gate.server.clock.now();
    let page = params.page(gate.server.links.key().await.cursor_key(), "/deliveries")?;
    let thread = params.short("short")?;
    let since = params.time("since", now)?;
    let states = words::PROGRESS;
    let owned = |key: &str| params.text(key).map(str::to_owned);
    let filter = DeliveryFilter {
        limit: page.rows(),
        since: since.or(thread.is_none().then(|| now.plus_millis(-WINDOW_MS))),
        until: params.time("until", now)?,
        receiver: owned("receiver"),
        receivers: caller.receivers(),
        lane: owned("target").map(LaneKey::stored),
        state: params.read("state", states, Sending::from_name)?,
        thread,
        person: owned("person"),
        errcode: params.number("errcode")?,
        labels: params.pairs("label")?,
        words: params.read("q", words::FINDABLE, Question::of)?,
        before: page.before,
        ..DeliveryFilter::default()
    };
    let mut rows = gate.server.store.for_people().deliveries(filter).await?;
    let next = page.cut(&mut rows, |row| row.message);
    Ok(List { items: rows.iter().map(|row| Delivery::of(row, caller.say())).collect(), next })
}

/// A message with what it tells and all attempts.
#[utoipa::path(
    get, path = "/api/v1/deliveries/{id}", tag = "deliveries", security(("token" = ["read"])),
    params(("id" = String, Path, description = "The number of the message")),
    responses((status = 200, description = "The message", body = DeliveryDetail), Problems)
)]
pub(super) async fn delivery(State(gate): State<Gate>, Path(id): Path<String>, parts: Parts) -> Response {
    let caller = caller!(gate, parts, Scope::Read);
    caller.answer(&gate, find_delivery(&gate, &caller, &id).await)
}

async fn find_delivery(gate: &Gate, caller: &Caller, id: &str) -> Result<DeliveryDetail, Wrong> {
    caller.params(&[])?;
    let id = id.parse().map_err(|_| Wrong::NotFound)?;
    let found = gate.server.store.for_people().delivery(id).await?;
    let found = found.filter(|found| caller.sees(&found.row.receiver)).ok_or(Wrong::NotFound)?;
    let (store, say) = (gate.server.store.for_people(), caller.say());
    let digest = if found.row.digest && found.row.folded_into.is_none() {
        let alerts = store.digest_page(id, 0, DIGESTED).await?;
        Some(DigestSums::of(&store.digest(id).await?, &alerts, say))
    } else {
        None
    };
    let bytes = caller.may(Scope::ReadRaw).then(|| {
        let part = |part: &crate::store::FrozenPart| Bytes {
            version: part.version,
            part: part.number,
            body: part.body.clone(),
        };
        found.frozen.iter().map(part).collect()
    });
    Ok(DeliveryDetail {
        delivery: Delivery::of(&found.row, say),
        received_at: say.time(found.received_at),
        format: found.format.as_str(),
        picture: found.picture,
        digest,
        changes: found.transitions.iter().map(|row| Change::of(row, say)).collect(),
        attempts: found.attempts.iter().map(|row| Attempt::of(row, say)).collect(),
        bytes,
    })
}
