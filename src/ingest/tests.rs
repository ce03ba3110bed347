//! What is read out of bodies: every quirk of alert-sources §0 to §4 in a table or a test of its own.

mod corpus;

use super::*;

/// The time at which the tests receive: 2026-11-22T13:30:00Z.
const NOW: Timestamp = Timestamp(1_795_354_200_000);

fn webhook(body: &str) -> Notification {
    read(body.as_bytes(), Some("application/json"), Door::Webhook, &Payloads::default(), NOW).unwrap()
}
