//! The origin of an alert that is acted on: its notification, read again.

use std::collections::HashMap;

use super::Setup;
use crate::alert::{Alert, Identity, Notification};
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
    // An alert has a row for each of its receivers.
    let mut by_identity: HashMap<Identity, Vec<&ActAlert>> = HashMap::new();
    for alert in alerts {
        by_identity.entry(alert.identity).or_default().push(alert);
    }
    let of = |alert: &Alert| by_identity.get(&alert.identity(source)).into_iter().flatten();
    let indexed = notification.alerts.iter().enumerate();
    indexed.flat_map(|(index, alert)| of(alert).map(move |row| ((**row).clone(), index))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::{Status, ThreadId, Timestamp};
    use crate::ingest::generic::Payloads;

    #[test]
    fn an_alert_that_several_receivers_were_told_of_is_found_for_each() {
        let body = br#"{"version":"4","alerts":[{"status":"firing","labels":{"alertname":"Disk","instance":"db-1"}}]}"#;
        let payloads = Payloads::default();
        let notification = ingest::read(body, None, ingest::Door::Webhook, &payloads, Timestamp(0)).unwrap();
        let source = SourceId::Anonymous;
        let row = |alert: i64, receiver: &str| ActAlert {
            alert,
            receiver: receiver.to_owned(),
            identity: notification.alerts[0].identity(&source),
            thread: ThreadId(7),
            source: source.clone(),
            name: String::new(),
            labels_json: "{}".to_owned(),
            critical: false,
            status: Status::Firing,
            starts_at: None,
            ends_at: None,
            notification: 1,
            sender: String::new(),
            acknowledged: None,
        };
        let (ops, dba) = (row(1, "ops"), row(2, "dba"));
        let found = places(&notification, &source, &[&ops, &dba]);
        let rows: Vec<(i64, usize)> = found.iter().map(|(row, index)| (row.alert, *index)).collect();
        assert_eq!(rows, [(1, 0), (2, 0)]);
    }
}
