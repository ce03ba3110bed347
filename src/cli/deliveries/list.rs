//! A list of messages.

use jiff::tz::TimeZone;
use serde_json::json;

use super::{beside, mark, time, what};
use crate::cli::record::Record;
use crate::cli::screen::Screen;
use crate::store::{DeliveryFilter, DeliveryRow, State};
use crate::words::{Words, plural, told, words};

/// A wider name of a target does not move the columns of the others.
const TARGET: usize = 32;

/// The newest messages that match `filter`, at most `limit`.
pub(super) async fn answer(
    record: &Record,
    filter: DeliveryFilter,
    limit: usize,
    json: bool,
) -> anyhow::Result<Screen> {
    // One more than is shown tells whether there are older ones.
    let mut rows = record.several(&DeliveryFilter { limit: limit + 1, ..filter }).await?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    if json {
        return Ok(Screen::json(&json!({ "deliveries": rows, "more": more })));
    }
    let mut screen = table(&rows, record.zone());
    if more {
        screen.line(words(
            "        …还有更早的：加大 --limit，或用 export",
            "        …there are older ones: a larger --limit, or export",
        ));
    }
    Ok(screen)
}

fn table(rows: &[DeliveryRow], zone: &TimeZone) -> Screen {
    let mut screen = Screen::new();
    if rows.is_empty() {
        screen.line(words("没有消息", "no messages"));
    }
    let target = rows.iter().map(|row| row.lane.as_str().chars().count()).max().unwrap_or(0).min(TARGET);
    for row in rows {
        screen.line(format_args!(
            "{:>6}  #{:<5} {}  {} {:<7} {:target$}  {}",
            row.message,
            row.thread.to_string(),
            time(row.created_at, zone),
            mark(row.state),
            row.state.as_str(),
            row.lane,
            what(row)
        ));
        for line in beside(row).into_iter().chain(trouble(row, zone)) {
            screen.line(format_args!("        {line}"));
        }
    }
    screen
}

/// Why it was not sent, and when it is retried.
fn trouble(row: &DeliveryRow, zone: &TimeZone) -> Vec<String> {
    let error = row.error.as_deref().filter(|_| row.state != State::Sent);
    let error = error.map(|error| Words::of_record(error).to_string());
    let waits = matches!(row.state, State::Queued | State::Unsure) && (row.attempts > 0 || error.is_some());
    let next = waits.then(|| {
        told!("试过 {0} 次，下次 {1}", "tried {0} times, next {1}", row.attempts, time(row.not_before, zone))
            .to_string()
    });
    let again = (row.repeated > 0).then(|| {
        let (times, s) = (row.repeated, plural(row.repeated));
        told!("上游又报了 {times} 次，没有变化，未再发", "came again {times} time{s} unchanged, not told").to_string()
    });
    error.into_iter().chain(next).chain(again).collect()
}
