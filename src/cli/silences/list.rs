//! A list of silences.

use std::process::ExitCode;

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::clock;
use crate::alert::Timestamp;
use crate::cli::record::Gateway;
use crate::cli::screen::Screen;
use crate::upstream::{Client, Matcher, Silence, SilenceState, UpstreamError};
use crate::words::words;

/// The silences with these matchers of all upstreams; exit code 1 if one of them could not be asked.
pub(super) async fn answer(
    clients: &[Client],
    matchers: &[Matcher],
    all: bool,
    json: bool,
    zone: &TimeZone,
) -> (Screen, ExitCode) {
    let (mut found, mut errors) = (Vec::new(), Vec::new());
    for client in clients {
        match client.list(matchers).await {
            Ok(silences) => {
                found.extend(silences.into_iter().map(|silence| (client.upstream().to_owned(), silence)));
            }
            Err(error) => errors.push(error),
        }
    }
    shown(found, &errors, all, json, zone)
}

/// The silences that were made through a gateway elsewhere.
pub(super) async fn elsewhere(
    gateway: &Gateway,
    upstream: Option<&str>,
    matchers: &[Matcher],
    all: bool,
    json: bool,
) -> anyhow::Result<(Screen, ExitCode)> {
    let mut query = vec![("state", if all { "all" } else { "active" }.to_owned())];
    query.extend(upstream.map(|upstream| ("upstream", upstream.to_owned())));
    query.extend(matchers.iter().map(|matcher| ("m", matcher.to_string())));
    let answer = gateway.found("silences", &query).await?;
    let found = answer["items"].as_array().into_iter().flatten().filter_map(read).collect();
    Ok(shown(found, &[], all, json, gateway.zone()))
}

/// A silence as the API tells it.
fn read(row: &Value) -> Option<(String, Silence)> {
    let text = |key: &str| row[key].as_str().map(str::to_owned);
    let time = |key: &str| {
        let at: jiff::Timestamp = row[key].as_str()?.parse().ok()?;
        Some(Timestamp(at.as_millisecond()))
    };
    let matchers =
        row["matchers"].as_array()?.iter().filter_map(|matcher| Matcher::parse(matcher.as_str()?).ok()).collect();
    let silence = Silence {
        id: text("id")?,
        state: if row["state"] == "active" { SilenceState::Active } else { SilenceState::Expired },
        matchers,
        starts_at: time("at")?,
        ends_at: time("until")?,
        author: text("by")?,
        comment: text("short").map(|short| format!("#{short}")).unwrap_or_default(),
    };
    Some((text("upstream")?, silence))
}

fn shown(
    mut found: Vec<(String, Silence)>,
    errors: &[UpstreamError],
    all: bool,
    json: bool,
    zone: &TimeZone,
) -> (Screen, ExitCode) {
    found.retain(|(_, silence)| all || silence.state != SilenceState::Expired);
    found.sort_by_key(|(_, silence)| (silence.state == SilenceState::Expired, silence.ends_at));
    let text = if json { rows(&found, errors) } else { table(&found, errors, zone) };
    (text, ExitCode::from(u8::from(!errors.is_empty())))
}

fn rows(found: &[(String, Silence)], errors: &[UpstreamError]) -> Screen {
    let silences: Vec<_> = found
        .iter()
        .map(|(upstream, silence)| {
            json!({
                "upstream": upstream, "id": silence.id, "state": silence.state.as_str(), "matchers": silence.matchers,
                "starts_at": silence.starts_at, "ends_at": silence.ends_at, "author": silence.author,
                "comment": silence.comment,
            })
        })
        .collect();
    let errors: Vec<_> = errors
        .iter()
        .map(|error| {
            json!({ "upstream": error.upstream, "problem": error.problem.as_str(), "status": error.status, "what": error.what })
        })
        .collect();
    Screen::json(&json!({ "silences": silences, "errors": errors }))
}

fn table(found: &[(String, Silence)], errors: &[UpstreamError], zone: &TimeZone) -> Screen {
    let mut screen = Screen::new();
    if found.is_empty() && errors.is_empty() {
        screen.line(words("没有静默", "no silences"));
    }
    for (upstream, silence) in found {
        let (mark, end) = match silence.state {
            SilenceState::Active => ("●", words("到", "until")),
            SilenceState::Pending => ("○", words("未开始，到", "not yet, until")),
            SilenceState::Expired => ("×", words("已结束于", "ended")),
        };
        screen.line(format_args!("{mark} {}  {end} {}  {upstream}", silence.id, clock(silence.ends_at, zone)));
        let matchers: Vec<String> = silence.matchers.iter().map(ToString::to_string).collect();
        screen.line(format_args!("    {}", matchers.join(" ")));
        screen.line(format_args!("    {}: {}", silence.author, silence.comment));
    }
    for error in errors {
        screen.line(format_args!("✗ {}", error.what));
    }
    screen
}
