//! The origin of an alert that is acted on: its notification, read again.

use std::collections::{BTreeMap, HashMap};
use std::vec::IntoIter;

use super::Setup;
use crate::alert::{Alert, Identity, Notification};
use crate::ingest;
use crate::names::SourceId;
use crate::store::{ActAlert, Kept, Store, StoreError};

/// The notifications of some alerts, read one after the other: one of them at a time is in memory, however many there are.
pub(super) struct Origins<'a> {
    store: &'a Store,
    setup: &'a Setup,
    left: IntoIter<(i64, Vec<&'a ActAlert>)>,
}

/// A notification, with those of the alerts that it told of.
pub(super) struct Origin<'a> {
    /// The notification.
    pub notification: Notification,
    places: Vec<(&'a ActAlert, usize)>,
}

impl<'a> Origins<'a> {
    /// Of these alerts, the oldest notification first.
    pub(super) fn of(store: &'a Store, setup: &'a Setup, alerts: &'a [ActAlert]) -> Self {
        Self { store, setup, left: by_notification(alerts).into_iter() }
    }

    /// Reads the next one. An alert whose notification was pruned, or is now read in another way, is left out.
    pub(super) async fn next(&mut self) -> Result<Option<Origin<'a>>, StoreError> {
        for (id, alerts) in self.left.by_ref() {
            if let Some(kept) = self.store.notification(id).await? {
                let notification = read(self.setup, &kept);
                let places = places(&notification, &kept.source, &alerts);
                if !places.is_empty() {
                    return Ok(Some(Origin { notification, places }));
                }
            }
        }
        Ok(None)
    }
}

impl<'a> Origin<'a> {
    /// Its alerts.
    pub(super) fn alerts(&self) -> impl Iterator<Item = (&'a ActAlert, &Alert)> {
        self.places.iter().filter_map(|(row, index)| Some((*row, self.notification.alerts.get(*index)?)))
    }
}

/// The alerts of each notification, the oldest first.
fn by_notification(alerts: &[ActAlert]) -> Vec<(i64, Vec<&ActAlert>)> {
    let mut grouped: BTreeMap<i64, Vec<&ActAlert>> = BTreeMap::new();
    for alert in alerts {
        grouped.entry(alert.notification).or_default().push(alert);
    }
    grouped.into_iter().collect()
}

fn read(setup: &Setup, kept: &Kept) -> Notification {
    ingest::reread(kept.format, &kept.raw, kept.content_type.as_deref(), &setup.config.payloads, kept.received_at)
}

/// The places of `alerts` in `notification`.
fn places<'a>(notification: &Notification, source: &SourceId, alerts: &[&'a ActAlert]) -> Vec<(&'a ActAlert, usize)> {
    // An alert has a row for each of its receivers.
    let mut by_identity: HashMap<Identity, Vec<&'a ActAlert>> = HashMap::new();
    for alert in alerts {
        by_identity.entry(alert.identity).or_default().push(alert);
    }
    let of = |alert: &Alert| by_identity.get(&alert.identity(source)).into_iter().flatten();
    let indexed = notification.alerts.iter().enumerate();
    indexed.flat_map(|(index, alert)| of(alert).map(move |row| (*row, index))).collect()
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
