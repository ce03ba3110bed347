//! Any text as the query of a request to the API, and as words that are searched for: it is understood or refused, what is
//! understood has known keys, and a text is found by itself.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use wegraf::internals::alert::Timestamp;
use wegraf::internals::http::api::query::Params;
use wegraf::internals::search::{Question, Terms};
use wegraf_fuzz::cpu_time;

/// What one query may take, also in a build with checks.
const LONGEST: Duration = Duration::from_secs(1);
const NOW: Timestamp = Timestamp(1_700_000_000_000);

fuzz_target!(|text: &str| {
    let start = cpu_time();
    let known = ["state", "label", "since", "limit", "short", "open", "errcode"].map(str::to_owned);
    if let Ok(params) = Params::parse(text, &known) {
        assert!(params.limit().is_err() || params.limit().is_ok_and(|limit| (1..=200).contains(&limit)));
        for (name, _) in params.pairs("label").unwrap_or_default() {
            assert!(!name.is_empty(), "a label without a name");
        }
        let _ = (params.time("since", NOW), params.short("short"), params.flag("open"), params.number("errcode"));
        assert!(params.text("nothing").is_none());
    }
    let mut terms = Terms::default();
    terms.add(text);
    assert!(terms.iter().all(|term| !term.is_empty() && term.chars().all(char::is_alphanumeric)));
    if text.len() < 4_000
        && let Some(question) = Question::of(text)
    {
        assert!(terms.answer(&question), "a text is not found by itself");
    }
    assert!(cpu_time().saturating_sub(start) < LONGEST, "too slow");
});
