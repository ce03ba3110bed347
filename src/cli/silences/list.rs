//! A list of silences.

use std::process::ExitCode;

use jiff::tz::TimeZone;
use serde_json::json;

use super::clock;
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
            Ok(silences) => found.extend(silences.into_iter().map(|silence| (client.upstream(), silence))),
            Err(error) => errors.push(error),
        }
    }
    found.retain(|(_, silence)| all || silence.state != SilenceState::Expired);
    found.sort_by_key(|(_, silence)| (silence.state == SilenceState::Expired, silence.ends_at));
    let text = if json { rows(&found, &errors) } else { table(&found, &errors, zone) };
    (text, ExitCode::from(u8::from(!errors.is_empty())))
}

fn rows(found: &[(&str, Silence)], errors: &[UpstreamError]) -> Screen {
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

fn table(found: &[(&str, Silence)], errors: &[UpstreamError], zone: &TimeZone) -> Screen {
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
