//! Hostile JSON through mappings, the shipped ones and a user's: no body is lost, none takes long, none is read twice
//! differently.

#![no_main]

use std::sync::LazyLock;
use std::time::Duration;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use wegraf::internals::alert::Format;
use wegraf::internals::ingest::generic::{AlertFields, Mapping, Members, Payloads};
use wegraf::internals::ingest::{Door, read, reread};
use wegraf_fuzz::json::Json;
use wegraf_fuzz::{NOW, check_again, check_notification, cpu_time};

/// Longest time for one body, in the slow build of a fuzzer.
const PATIENCE: Duration = Duration::from_secs(2);

static SHIPPED: LazyLock<Payloads> = LazyLock::new(Payloads::default);

/// A body, and what a user may have written to read it.
#[derive(Debug, Arbitrary)]
struct Case {
    body: Json,
    mapping: Option<Written>,
}

#[derive(Debug, Arbitrary)]
struct Written {
    when: String,
    alerts: Option<String>,
    name: String,
    status: Option<String>,
    labels: Option<String>,
    key: Option<String>,
}

fuzz_target!(|case: Case| {
    let text = case.body.0.to_string();
    check(&text, &SHIPPED);
    if let Some(written) = case.mapping
        && let Ok(payloads) = Payloads::compile(vec![mapping(written)])
    {
        check(&text, &payloads);
    }
});

fn mapping(written: Written) -> Mapping {
    let Written { when, alerts, name, status, labels, key } = written;
    let labels = labels.map(Members::All);
    let alert = AlertFields { name: Some(name), status, labels, key, ..AlertFields::default() };
    Mapping { name: "mine".to_owned(), has: Vec::new(), when, alerts, alert }
}

fn check(text: &str, payloads: &Payloads) {
    let begun = cpu_time();
    let notification = read(text.as_bytes(), None, Door::Webhook, payloads, NOW).expect("JSON can be read");
    let taken = cpu_time().saturating_sub(begun);
    assert!(taken < PATIENCE, "{taken:?}");
    check_notification(&notification);
    check_again(reread(notification.format, text.as_bytes(), None, payloads, NOW), &notification);
    assert!(notification.format != Format::Opaque || !notification.message.is_empty(), "nothing of it is shown");
}
