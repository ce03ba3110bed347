//! How much the alerts of a week asked of people.

use axum::extract::{Path, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;

use super::{Gate, Guest, missing, read, visitor};
use crate::console::{Desk, Noise, NoisePage};
use crate::stats::{Report, Week};
use crate::store::{StoreError, TallyFilter};

/// Of one receiver.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Part {
    receiver: String,
    /// As a table for spreadsheets.
    csv: bool,
}

/// The week that is now.
pub(super) async fn now(State(gate): State<Gate>, parts: Parts) -> Response {
    show(&gate, &parts, None).await
}

/// One week, as `2026-W48`.
pub(super) async fn week(State(gate): State<Gate>, Path(week): Path<String>, parts: Parts) -> Response {
    show(&gate, &parts, Some(&week)).await
}

async fn show(gate: &Gate, parts: &Parts, written: Option<&str>) -> Response {
    let guest = visitor!(gate, parts);
    let Query(part) = Query::<Part>::try_from_uri(&parts.uri).unwrap_or_default();
    let receiver = Some(part.receiver.trim()).filter(|receiver| !receiver.is_empty());
    let (setup, now) = (gate.server.setup.now(), gate.server.clock.now());
    let zone = &setup.config.timezone;
    let current = Week::of(now, zone);
    let Some(week) = written.map_or(Some(current), Week::parse).filter(|week| week.monday <= current.monday) else {
        return missing(gate, &guest);
    };
    if receiver.is_some_and(|receiver| !guest.rights.sees(receiver)) {
        return missing(gate, &guest);
    }
    let receivers = (!guest.rights.all).then(|| guest.rights.receivers.iter().cloned().collect::<Vec<_>>());
    let store = gate.server.store.for_people();
    let (start, end, before) = (week.start(zone), week.after().start(zone), week.before().start(zone));
    let ongoing = week == current;
    let compared = if ongoing { before.plus_millis(now.millis_since(start)) } else { start };
    let asked = |since, until| {
        let (receiver, receivers) = (receiver.map(str::to_owned), receivers.clone());
        store.tally(TallyFilter { since, until, receiver, receivers, now })
    };
    let found = async { Ok::<_, StoreError>((asked(start, end).await?, asked(before, compared).await?)) };
    let (tally, tally_before) = read!(gate, guest, found.await);
    let (report, before) = (Report::of(&tally, start, end, zone), Report::of(&tally_before, before, compared, zone));
    if part.csv {
        return table(week, &report);
    }
    let desk = Desk { live: "", ..guest.desk(gate, "noise") };
    let noise = Noise { week, ongoing, begun: week.begun(now, zone), receiver, report: &report, before: &before };
    guest.page(&NoisePage::new(guest.frame(gate), desk, &noise), &[])
}

/// The report as a file.
fn table(week: Week, report: &Report) -> Response {
    let mut answer = report.csv().into_response();
    let name = format!("attachment; filename=\"wegraf-{week}.csv\"");
    for (header, value) in [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, name.as_str()),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        answer.headers_mut().insert(header, HeaderValue::from_str(value).expect("names of weeks are plain"));
    }
    answer
}
