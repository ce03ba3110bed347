//! What is read out of bodies: every quirk of alert-sources §0 to §4 and §7 in a table or a test of its own.

mod corpus;
mod credentials;
mod envelopes;
mod fixtures;
mod hostile;
mod legacy;
mod mappings;
mod proof;
mod push;
mod unified;

use serde_json::{Value as Json, json};

use super::*;
use crate::alert::Labels;
use crate::names::SourceId;

/// The time at which the tests receive: 2026-11-22T13:30:00Z.
const NOW: Timestamp = Timestamp(1_795_354_200_000);

fn webhook(body: &str) -> Notification {
    read(body.as_bytes(), Some("application/json"), Door::Webhook, &Payloads::default(), NOW).unwrap()
}

fn webhook_json(body: &Json) -> Notification {
    webhook(&body.to_string())
}

fn pushed(body: &str) -> Result<Notification, Unreadable> {
    read(body.as_bytes(), Some("application/json"), Door::AlertsPush, &Payloads::default(), NOW)
}

/// How the sender of a recorded body names its type.
fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.') {
        Some((_, "form")) => "application/x-www-form-urlencoded; charset=UTF-8",
        _ => "application/json",
    }
}

/// The only alert of a notification.
fn only(notification: Notification) -> Alert {
    let [alert] = <[Alert; 1]>::try_from(notification.alerts).unwrap();
    alert
}

/// `A=96.4 C=1`
fn shown(alert: &Alert) -> String {
    alert.values.iter().map(|value| format!("{}={}", value.name, value.text)).collect::<Vec<_>>().join(" ")
}
