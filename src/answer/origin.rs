//! The origin of an alert that is acted on: its notification, read again.

use std::collections::HashMap;

use super::Setup;
use crate::alert::{Alert, Notification};
use crate::ingest;
use crate::names::SourceId;
use crate::store::{ActAlert, Kept, Store, StoreError};

/// Notifications read again at most, the oldest first; alerts of others are left out. A card is about one notification,
/// a short id rarely about more.
const NOTIFICATIONS: usize = 20;

/// The notifications of `alerts`, each with its alerts.
pub(super) struct Origins(Vec<(Notification, Vec<(ActAlert, usize)>)>);

impl Origins {
    /// Reads them. An alert whose notification was pruned, or is now read in another way, is left out.
    pub(super) async fn of(store: &Store, setup: &Setup, alerts: &[ActAlert]) -> Result<Self, StoreError> {
        let mut by_notification: HashMap<i64, Vec<&ActAlert>> = HashMap::new();
        for alert in alerts {
            by_notification.entry(alert.notification).or_default().push(alert);
        }
        let mut found: Vec<_> = by_notification.into_iter().collect();
        found.sort_unstable_by_key(|(id, _)| *id);
        let mut origins = Vec::new();
        for (id, alerts) in found.into_iter().take(NOTIFICATIONS) {
            if let Some(kept) = store.notification(id).await? {
                let notification = read(setup, &kept);
                let places = places(&notification, &kept.source, &alerts);
                if !places.is_empty() {
                    origins.push((notification, places));
                }
            }
        }
        Ok(Self(origins))
    }

    /// Each notification with its alerts.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Notification, Vec<(&ActAlert, &Alert)>)> {
        self.0.iter().map(|(notification, places)| {
            let alerts = places.iter().filter_map(|(row, index)| Some((row, notification.alerts.get(*index)?)));
            (notification, alerts.collect())
        })
    }
}

fn read(setup: &Setup, kept: &Kept) -> Notification {
    ingest::reread(kept.format, &kept.raw, kept.content_type.as_deref(), &setup.config.payloads, kept.received_at)
}

/// The places of `alerts` in `notification`.
fn places(notification: &Notification, source: &SourceId, alerts: &[&ActAlert]) -> Vec<(ActAlert, usize)> {
    let by_identity: HashMap<_, _> = alerts.iter().map(|alert| (alert.identity, *alert)).collect();
    let indexed = notification.alerts.iter().enumerate();
    indexed.filter_map(|(index, alert)| Some(((*by_identity.get(&alert.identity(source))?).clone(), index))).collect()
}
