//! The report of a span: how much alerts asked of people.

use axum::extract::State;
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
use super::query::Bad;
use super::token::Scope;
use super::words;
use crate::stats;
use crate::store::{LONGEST_MS, TallyFilter};

const WEEK_MS: i64 = 7 * 24 * 3_600_000;

/// Of which span, and of whom.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes the keys, which are read one by one")]
pub(super) struct ReportQuery {
    /// From this time on: RFC 3339, or how long ago; 7 days before `until` if not given, at most 92.
    since: Option<String>,
    /// Before this time; now if not given.
    until: Option<String>,
    /// A week on the clock of the gateway's zone, as `2026-W48`, in place of `since` and `until`.
    week: Option<String>,
    /// Of this receiver.
    receiver: Option<String>,
}

/// The report of a span.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NoiseReport {
    /// From this time on.
    #[schema(format = DateTime)]
    pub since: String,
    /// Before this time.
    #[schema(format = DateTime)]
    pub until: String,
    /// The figures.
    #[serde(flatten)]
    pub report: stats::Report,
}

/// The report of a span.
#[utoipa::path(
    get, path = "/api/v1/reports/noise", tag = "reports", params(ReportQuery), security(("token" = ["read"])),
    responses((status = 200, description = "The report", body = NoiseReport), Problems)
)]
pub(super) async fn noise(State(gate): State<Gate>, parts: Parts) -> Response {
    let caller = caller!(gate, parts, Scope::Read);
    caller.answer(&gate, counted(&gate, &caller).await)
}

async fn counted(gate: &Gate, caller: &Caller) -> Result<NoiseReport, Wrong> {
    let params = caller.params(&ReportQuery::into_params(|| Some(ParameterIn::Query)))?;
    let now = gate.server.clock.now();
    let week = params.read("week", words::WEEK, stats::Week::parse)?;
    if week.is_some() && (params.text("since").is_some() || params.text("until").is_some()) {
        return Err(Bad::Value { key: "week", form: words::WEEK_ALONE }.into());
    }
    let (since, until) = if let Some(week) = week {
        (week.start(&caller.zone), week.after().start(&caller.zone))
    } else {
        let until = params.time("until", now)?.unwrap_or(now);
        (params.time("since", now)?.unwrap_or_else(|| until.plus_millis(-WEEK_MS)), until)
    };
    if !(1..=LONGEST_MS).contains(&until.millis_since(since)) {
        return Err(Bad::Value { key: "since", form: words::SPAN }.into());
    }
    let (receiver, receivers) = (params.text("receiver").map(str::to_owned), caller.receivers());
    let filter = TallyFilter { since, until, receiver, receivers, now };
    let tally = gate.server.store.for_people().tally(filter).await?;
    let report = stats::Report::of(&tally, since, until, &caller.zone);
    let say = caller.say();
    Ok(NoiseReport { since: say.time(since), until: say.time(until), report })
}
