//! What is read out of bodies: every quirk in docs/reference/alert-sources.md in a table or a test of its own.

mod cases;
pub(crate) mod corpus;
mod ends;
mod fixtures;
mod hostile;
mod legacy;
mod mappings;
mod pairs;
mod properties;
mod push;
mod quick;
mod seen;
mod spoken;
mod templates;
mod unified;

use std::sync::LazyLock;

use serde_json::{Value as Json, json};

use super::*;
use crate::alert::{Health, Labels, Status};
use crate::names::SourceId;

/// The shipped mappings, compiled once.
static SHIPPED: LazyLock<Payloads> = LazyLock::new(Payloads::default);

/// The time at which the tests receive: 2026-11-22T13:30:00Z.
const NOW: Timestamp = Timestamp(1_795_354_200_000);

/// Whose bodies the tests read.
fn source() -> SourceId {
    SourceId::Configured("s".to_owned())
}

fn webhook(body: &str) -> Notification {
    read(body.as_bytes(), Some("application/json"), Door::Webhook, &SHIPPED, NOW).unwrap()
}

fn webhook_json(body: &Json) -> Notification {
    webhook(&body.to_string())
}

fn pushed(body: &str) -> Result<Notification, Unreadable> {
    read(body.as_bytes(), Some("application/json"), Door::AlertsPush, &SHIPPED, NOW)
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
