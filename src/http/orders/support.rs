//! What only the running process knows, for an operator: its newest log lines, and which lines it logs.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::{answer, proven, unreadable, words};
use crate::http::Gate;
use crate::http::heard::Record;
use crate::telemetry::{self, Unchanged};

/// Longest time for which another filter is in force, in seconds: a forgotten `debug` fills disks.
const LONGEST_S: u64 = 24 * 60 * 60;

pub(super) fn routes() -> axum::Router<Gate> {
    axum::Router::new().route("/api/v1/log", post(log)).route("/api/v1/support", post(support))
}

/// What the running process tells for a report.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct SupportAnswer {
    /// Its number.
    pub pid: u32,
    /// When it was started, RFC 3339.
    pub since: String,
    /// The newest log lines, JSON each, the oldest first.
    pub lines: Vec<String>,
    /// The newest refusals by source; no bodies.
    pub sources: BTreeMap<String, Record>,
}

async fn support(State(gate): State<Gate>, request: Request) -> Response {
    if let Err(refusal) = proven(&*gate.server.links.key().await, request, gate.server.clock.now()).await {
        return refusal;
    }
    let said = SupportAnswer {
        pid: std::process::id(),
        since: gate.since.to_string(),
        lines: telemetry::recent(),
        sources: gate.records.all(),
    };
    Json(said).into_response()
}

/// Which lines are logged from now on.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct LogOrder {
    /// The filter, as `WEGRAF_LOG` has it; `None`: nothing is changed.
    pub filter: Option<String>,
    /// For how many seconds; later the usual filter is in force again.
    pub seconds: u64,
    /// The name of a user of the machine.
    pub by: String,
}

/// The filters of the running process.
#[derive(Debug, Serialize, Deserialize)]
pub struct LogAnswer {
    /// The one in force.
    pub filter: String,
    /// The one that it was started with.
    pub usual: String,
}

async fn log(State(gate): State<Gate>, request: Request) -> Response {
    let body = match proven(&*gate.server.links.key().await, request, gate.server.clock.now()).await {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    let Ok(LogOrder { filter, seconds, by }) = serde_json::from_slice(&body) else { return unreadable() };
    if let Some(filter) = filter {
        let seconds = seconds.clamp(1, LONGEST_S);
        // Before the change, which may hide it.
        warn!(filter, seconds, by, "Another filter is to decide what is logged.");
        let change = match telemetry::change(&filter) {
            Ok(change) => change,
            Err(Unchanged::NoFilter(why)) => {
                return answer(StatusCode::CONFLICT, &words::no_filter(&filter, &why).to_string());
            }
            Err(Unchanged::NoLog) => return answer(StatusCode::CONFLICT, &words::NO_LOG.to_string()),
        };
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            telemetry::usual(change);
        });
    }
    match telemetry::filters() {
        Some((filter, usual)) => Json(LogAnswer { filter, usual }).into_response(),
        None => answer(StatusCode::CONFLICT, &words::NO_LOG.to_string()),
    }
}
