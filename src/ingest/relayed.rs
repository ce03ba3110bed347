//! What wegraf itself passes on: a notification it took before, told to others, or the end of an alert that it saw by
//! itself. Kept in its own form, because no sender's form holds all of it.

use bytes::Bytes;

use crate::alert::{Alert, Format, Notification};

/// The bytes of a notification that tells `alerts` of `origin`.
pub fn relay(origin: &Notification, alerts: Vec<Alert>) -> Bytes {
    let notification = Notification { alerts, truncated: 0, test: false, ..origin.clone() };
    serde_json::to_vec(&notification).expect("a notification has string keys and finite numbers only").into()
}

/// Reads them again; `None` if they are another version's.
pub(super) fn read(bytes: &[u8]) -> Option<Notification> {
    let notification: Notification = serde_json::from_slice(bytes).ok()?;
    (!notification.alerts.is_empty()).then_some(notification)
}

/// What such bytes are kept as.
pub const FORMAT: Format = Format::Relayed;
