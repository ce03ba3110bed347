//! How wegraf is, reading the configuration again, and having a paused way tried.

use std::collections::BTreeMap;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use tracing::info;

use super::super::orders::reloaded;
use super::super::probing::probe;
use super::{Gate, Guest, clock, missing, read, visitor};
use crate::alert::Timestamp;
use crate::bots;
use crate::console::{self, Condition, Fed, StatePage, Way};
use crate::deliver::called;
use crate::names::SourceId;
use crate::store::{StoreError, Unprobed};
use crate::watch::warnings;
use crate::words::Words;

/// A token that ends within so many milliseconds is told of: 30 days.
const SOON_MS: i64 = 30 * 24 * 3_600_000;

/// How wegraf is: for those who may look at everything.
pub(super) async fn state(State(gate): State<Gate>, parts: Parts) -> Response {
    let guest = visitor!(gate, parts);
    if !guest.rights.all {
        return missing(&gate, &guest);
    }
    read!(gate, guest, show(&gate, &guest, None).await)
}

/// Reads the configuration again, or has a paused way tried: for those who may change.
pub(super) async fn change(State(gate): State<Gate>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let guest = visitor!(gate, parts);
    let fields = match guest.form(&gate, &parts.headers, body).await {
        Ok(fields) => fields,
        Err(forged) => return forged,
    };
    if !guest.rights.change {
        return missing(&gate, &guest);
    }
    let field = |name: &str| fields.get(name).map_or("", String::as_str);
    let (said, status) = match field("do") {
        "probe" | "reload" if !guest.is_fresh(&gate) => ((false, console::SIGN_IN_AGAIN), StatusCode::FORBIDDEN),
        "probe" => match read!(gate, guest, probe(&gate, guest.saver(), field("scope")).await) {
            Ok(()) => ((true, console::PROBED), StatusCode::OK),
            Err(why) => ((false, unprobed(why)), StatusCode::CONFLICT),
        },
        "reload" => {
            info!(person = guest.session.person, "The configuration is read again for a visitor of the console.");
            match reloaded(&gate).await {
                Some(answer) if answer.error.is_empty() => ((true, console::RELOADED), StatusCode::OK),
                Some(answer) => ((false, console::not_reloaded(&answer.error)), StatusCode::CONFLICT),
                None => ((false, console::NOT_READ), StatusCode::SERVICE_UNAVAILABLE),
            }
        }
        _ => ((false, console::NO_ACT), StatusCode::UNPROCESSABLE_ENTITY),
    };
    let mut page = read!(gate, guest, show(&gate, &guest, Some(said)).await);
    *page.status_mut() = status;
    page
}

/// Why a way is not tried at once.
pub(in crate::http) const fn unprobed(why: Unprobed) -> Words {
    match why {
        Unprobed::Open => console::NOT_PAUSED,
        Unprobed::Soon => console::PROBE_SOON,
        Unprobed::Limited => console::PROBE_LIMITED,
    }
}

async fn show(gate: &Gate, guest: &Guest, said: Option<(bool, Words)>) -> Result<Response, StoreError> {
    let (server, store, now) = (&gate.server, &gate.server.store, gate.server.clock.now());
    let (breakers, backlog, heard) = (store.breakers().await?, store.backlog().await?, store.heard().await?);
    let sessions = store.sessions(None, now).await?.len();
    let ends = store.api_tokens().await?.into_iter().map(|token| (token.name, token.ends_at));
    let tokens: Vec<(String, Timestamp)> =
        ends.filter(|(_, at)| (0..SOON_MS).contains(&at.millis_since(now))).collect();
    let setup = server.setup.now();
    let config = &setup.config;
    let imbalance = server.metrics.imbalance.get();
    // What is paused has its own line.
    let mut warned = warnings(imbalance, &[], |scope| called(config, scope), &backlog, now);
    warned.extend(server.storage.warnings(now, server.fuse.full_at()));
    let mut ways = Vec::new();
    for name in config.wecom.bots.keys() {
        ways.push(Way::Bot(name.clone(), bots::Known::of(store, config, name).await?.holder));
    }
    for (name, client) in &server.acts.setup.now().upstreams {
        ways.push(Way::Upstream(name.clone(), client.as_ref().err().map(|error| error.what.clone())));
    }
    let paused: Vec<_> = breakers.into_iter().map(|open| (called(config, &open.scope), open)).collect();
    let f = guest.frame(gate);
    let clock = clock(gate, &config.timezone, f.language);
    let found = Condition {
        breakers: &paused,
        warnings: &warned,
        backlog: &backlog,
        sources: &sources(gate, heard).await?,
        ways: &ways,
        imbalance,
        blind: config.route.unreachable().len(),
        tokens: &tokens,
        sessions,
        certificate: config.listen_tls.as_ref().map(|tls| tls.expires_at),
        bytes: store.bytes().await?,
        since: Timestamp(gate.since.as_millisecond()),
    };
    Ok(guest.page(&StatePage::new(f, guest.desk(gate, "state"), &clock, &found, said), &[]))
}

/// The sources of the configuration and those that called, by name.
async fn sources(gate: &Gate, heard: Vec<(String, Timestamp)>) -> Result<Vec<Fed>, StoreError> {
    let setup = gate.server.setup.now();
    let fed = |name: &str| Fed { name: name.to_owned(), ..Fed::default() };
    let mut known: BTreeMap<String, Fed> =
        setup.config.sources.iter().map(|source| (source.name.clone(), fed(&source.name))).collect();
    for (name, at) in heard {
        known.entry(name.clone()).or_insert_with(|| fed(&name)).last = Some(at);
    }
    for (name, record) in gate.records.all() {
        let of = known.entry(name.clone()).or_insert_with(|| fed(&name));
        of.last = of.last.max(record.last.map(|last| last.at));
        (of.taken, of.refused) = (record.taken, record.refused);
        of.why = record.refusals.back().map(|call| (call.at, Words::of_record(&call.why)));
    }
    for (name, of) in known.iter_mut().filter(|(name, of)| of.last.is_none() && !name.is_empty()) {
        of.last = gate.server.store.last_from(&SourceId::Configured(name.clone())).await?;
    }
    Ok(known.into_values().collect())
}
