//! Monitoring: readiness, and metrics. Figures of the whole service are read from the store.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::{Gate, Server};
use crate::deliver::{called, scopes};
use crate::metrics::{Figure, labelled};
use crate::names::Scope;
use crate::store::StoreError;
use crate::telemetry;
use crate::watch::warnings;
use crate::words::Words;

/// Answers for monitoring. They are computed once for all concurrent requests: anyone may ask, and the store must not
/// suffer from it.
#[derive(Debug, Clone, Default)]
pub(super) struct Figures {
    ready: Arc<Shared<(StatusCode, Bytes)>>,
    metrics: Arc<Shared<Bytes>>,
}

/// A value that is computed once for all concurrent callers.
#[derive(Debug)]
struct Shared<T> {
    /// Number of computations started.
    begun: AtomicU64,
    /// The number of the last finished computation, and its value.
    last: Mutex<Option<(u64, T)>>,
}

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self { begun: AtomicU64::new(0), last: Mutex::new(None) }
    }
}

impl<T: Clone> Shared<T> {
    /// The value as computed after this was called: by `find`, or for another caller that began later.
    async fn get(&self, find: impl Future<Output = T>) -> T {
        let wanted = self.begun.load(Ordering::SeqCst) + 1;
        let mut last = self.last.lock().await;
        if let Some((_, value)) = last.as_ref().filter(|(number, _)| *number >= wanted) {
            return value.clone();
        }
        let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let value = find.await;
        *last = Some((number, value.clone()));
        value
    }
}

/// Can the gateway store, and is it configured? When ready, the answer also lists warnings, a line each.
pub(super) async fn readyz(State(gate): State<Gate>) -> Response {
    gate.figures.ready.get(readiness(&gate.server)).await.into_response()
}

async fn readiness(server: &Server) -> (StatusCode, Bytes) {
    match look(server).await {
        Ok(warnings) => {
            let lines = warnings.iter().map(|warning| format!("warning: {warning}\n"));
            (StatusCode::OK, format!("ready\n{}", lines.collect::<String>()).into())
        }
        Err(error) => {
            // The failure may be found here first if nothing else writes at the moment; staying unready for ever would
            // be wrong.
            server.fuse.failed(&error);
            (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n").into())
        }
    }
}

/// The readiness answer of an Alertmanager.
pub(super) async fn alertmanager_ready(State(gate): State<Gate>) -> Response {
    let answer = readyz(State(gate)).await;
    if answer.status().is_success() { "OK".into_response() } else { answer }
}

/// The status of an Alertmanager without a cluster, for connection tests. Reveals nothing of the configuration.
pub(super) async fn alertmanager_status(State(gate): State<Gate>) -> Json<Value> {
    let version = env!("CARGO_PKG_VERSION");
    Json(json!({
        "cluster": { "status": "disabled", "peers": [] },
        "config": { "original": "" },
        "uptime": gate.since.to_string(),
        "versionInfo": {
            "branch": "", "buildDate": "", "buildUser": "", "goVersion": "", "revision": "",
            "version": format!("wegraf {version}"),
        },
    }))
}

/// Proves that the store commits, then reads its warnings.
async fn look(server: &Server) -> Result<Vec<Words>, StoreError> {
    server.store.ping().await?;
    let (breakers, backlog) = (server.store.breakers().await?, server.store.backlog().await?);
    let setup = server.setup.now();
    let called = |scope: &Scope| called(&setup.config, scope);
    let mut found = warnings(server.metrics.imbalance.get(), &breakers, called, &backlog, server.clock.now());
    found.extend(server.storage.warnings(server.clock.now(), server.fuse.full_at()));
    Ok(found)
}

/// All figures in `OpenMetrics` text.
pub(super) async fn metrics(State(gate): State<Gate>) -> Response {
    let text = gate.figures.metrics.get(all(&gate.server)).await;
    ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text).into_response()
}

async fn all(server: &Server) -> Bytes {
    let mut figures = of_this_process(server);
    match of_the_service(server).await {
        Ok(more) => figures.extend(more),
        Err(error) => tracing::warn!(%error, "The store could not be read for the metrics."),
    }
    server.metrics.text(&figures).into()
}

fn of_this_process(server: &Server) -> Vec<Figure> {
    let counters = server.store.counters();
    let count = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let setup = server.setup.now();
    vec![
        Figure::new(
            "wegraf_certificate_expires_timestamp_seconds",
            "When the certificate of listen_tls expires; 0 without one",
            setup.config.listen_tls.as_ref().map_or(0, |tls| tls.expires_at.0 / 1_000),
        ),
        Figure::new("wegraf_store_commits", "Commits, each with one fsync", count(counters.commits)),
        Figure::new("wegraf_store_writes", "Writes; several share a commit", count(counters.writes)),
        Figure::new("wegraf_store_busy_microseconds", "Time the writing thread was busy", count(counters.busy_micros)),
        Figure::new("wegraf_store_recompiled", "Statements that SQLite compiled again", count(counters.recompiled)),
        Figure::new("wegraf_store_waiting", "Writes that wait", count(counters.waiting as u64)),
        Figure::new(
            "wegraf_log_lines_dropped",
            "Log lines that standard error did not take in time",
            count(telemetry::DROPPED_LINES.load(Ordering::Relaxed)),
        ),
    ]
}

async fn of_the_service(server: &Server) -> Result<Vec<Figure>, StoreError> {
    let backlog = server.store.backlog().await?;
    let breakers = server.store.breakers().await?;
    let open: BTreeSet<&Scope> = breakers.iter().map(|open| &open.scope).collect();
    let now = server.clock.now();
    let age = |since: Option<_>| since.map_or(0, |at| now.millis_since(at).max(0) / 1000);
    let mut figures = vec![
        Figure::new("wegraf_outbox_messages", "Messages neither sent nor dead", backlog.messages),
        Figure::new("wegraf_outbox_retrying", "Of these, tried and not yet accepted", backlog.retrying),
        Figure::new("wegraf_outbox_oldest_seconds", "Age of the oldest message in the outbox", age(backlog.oldest)),
        Figure::new("wegraf_outbox_critical_messages", "Of these, the ones with a critical alert", backlog.critical),
        Figure::new(
            "wegraf_outbox_oldest_critical_seconds",
            "Age of the oldest message with a critical alert in the outbox",
            age(backlog.oldest_critical),
        ),
    ];
    // The configuration bounds the set: breakers of removed scopes are not shown.
    for (name, scope) in scopes(&server.setup.now().config) {
        let help = "1 while nothing is sent through this app, webhook, chat or host";
        let name = labelled("wegraf_breaker_open", "scope", &name);
        figures.push(Figure::new(name, help, i64::from(open.contains(&scope))));
    }
    Ok(figures)
}
