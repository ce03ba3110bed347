//! Notifications made by wegraf itself: an alert for the next receiver of an escalation, an end that wegraf observed.

use std::collections::BTreeMap;

use tracing::error;

use super::origin::Origins;
use super::{Acts, Setup};
use crate::alert::{Alert, Notification, Status};
use crate::config::Receiver;
use crate::store::{ActAlert, StoreError};

/// Tells the receivers of these rows that their alerts are resolved, as wegraf observed.
pub(super) async fn tell_end(acts: &Acts, setup: &Setup, rows: &[ActAlert]) -> Result<(), StoreError> {
    let now = acts.clock.now();
    let mut origins = Origins::of(&acts.store, setup, rows);
    while let Some(origin) = origins.next().await? {
        let mut by_receiver: BTreeMap<&str, Vec<(&ActAlert, Alert)>> = BTreeMap::new();
        for (row, alert) in origin.alerts() {
            let over = Alert { status: Status::Resolved, ends_at: Some(row.ends_at.unwrap_or(now)), ..alert.clone() };
            by_receiver.entry(&row.receiver).or_default().push((row, over));
        }
        for (name, told) in by_receiver {
            if let Some(receiver) = setup.config.receiver(name) {
                pass_on(acts, &origin.notification, told, &receiver, None).await?;
            } else {
                error!(
                    receiver = name,
                    "A receiver that was told of an alert is gone; its end is told to nobody there."
                );
            }
        }
    }
    Ok(())
}

/// Tells one receiver of alerts of a notification again. True if it was news.
pub(super) async fn pass_on(
    acts: &Acts,
    origin: &Notification,
    told: Vec<(&ActAlert, Alert)>,
    receiver: &Receiver,
    note_json: Option<String>,
) -> Result<bool, StoreError> {
    let Some(source) = told.first().map(|(row, _)| row.source.clone()) else { return Ok(false) };
    let told = told.into_iter().map(|(row, alert)| (row.identity, row.thread, alert)).collect();
    acts.intake.relay(source, origin, told, receiver, note_json).await
}
