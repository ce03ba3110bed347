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
    /// Of this receiver.
    receiver: Option<String>,
}

/// The figures of a rule.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RuleFigures {
    /// Its name.
    pub name: String,
    /// Alerts that began.
    pub fired: u64,
    /// Of these, at night: from 23 to 8.
    pub night: u64,
    /// Alerts that were taken, in percent; null for fewer than 5.
    pub taken_percent: Option<u64>,
    /// From the first message until it was taken, the median; null for fewer than 5.
    pub median_seconds: Option<u64>,
    /// Most beginnings and ends in one hour.
    pub most_changes: u64,
    /// `untaken` or `flapping`, if it is worth changing.
    pub advice: Option<&'static str>,
}

/// Sums under a name.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Figures {
    /// The receiver, the source, or the day.
    pub name: String,
    /// Alerts that began.
    pub fired: u64,
    /// Of these, at night.
    pub night: u64,
    /// Messages that were sent.
    pub sent: u64,
    /// Messages that were refused for good.
    pub dead: u64,
    /// Messages that a digest told instead.
    pub folded: u64,
}

/// How much alerts asked of people. Nothing in it is about one person.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NoiseReport {
    /// From this time on.
    #[schema(format = DateTime)]
    pub since: String,
    /// Before this time.
    #[schema(format = DateTime)]
    pub until: String,
    /// All together.
    pub all: Figures,
    /// Alerts that were taken, in percent of all that began; null for fewer than 5.
    pub taken_percent: Option<u64>,
    /// Rules, those that fired most first.
    pub rules: Vec<RuleFigures>,
    /// Receivers, those with most messages first.
    pub receivers: Vec<Figures>,
    /// Sources, those with most alerts first.
    pub sources: Vec<Figures>,
    /// Days on the clock of the configured zone, in order.
    pub days: Vec<Figures>,
    /// There was more than was counted.
    pub cut: bool,
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
    let until = params.time("until", now)?.unwrap_or(now);
    let since = params.time("since", now)?.unwrap_or_else(|| until.plus_millis(-WEEK_MS));
    if !(1..=LONGEST_MS).contains(&until.millis_since(since)) {
        return Err(Bad::Value { key: "since", form: words::SPAN }.into());
    }
    let (receiver, receivers) = (params.text("receiver").map(str::to_owned), caller.receivers());
    let filter = TallyFilter { since, until, receiver, receivers };
    let tally = gate.server.store.for_people().tally(filter).await?;
    let report = stats::Report::of(&tally, since, until, &caller.zone);
    let figures = |sums: Vec<stats::Sums>| sums.into_iter().map(Figures::from).collect();
    let say = caller.say();
    Ok(NoiseReport {
        since: say.time(since),
        until: say.time(until),
        all: report.all.into(),
        taken_percent: report.taken_percent,
        rules: report.rules.into_iter().map(RuleFigures::from).collect(),
        receivers: figures(report.receivers),
        sources: figures(report.sources),
        days: figures(report.days),
        cut: report.cut,
    })
}

impl From<stats::Sums> for Figures {
    fn from(sums: stats::Sums) -> Self {
        let stats::Sums { name, fired, night, sent, dead, folded } = sums;
        Self { name, fired, night, sent, dead, folded }
    }
}

impl From<stats::Rule> for RuleFigures {
    fn from(rule: stats::Rule) -> Self {
        let stats::Rule { name, fired, night, taken_percent, median_seconds, most_changes, advice } = rule;
        let advice = advice.map(|advice| match advice {
            stats::Advice::Untaken => "untaken",
            stats::Advice::Flapping => "flapping",
        });
        Self { name, fired, night, taken_percent, median_seconds, most_changes, advice }
    }
}
