//! Alerts to receivers to targets: what the store is to note for each, before it knows what is news.

use std::collections::{BTreeMap, HashSet};

use crate::alert::{Identity, Notification};
use crate::config::{Config, Receiver, Target};
use crate::store::{Arrival, Recipient, TargetRow};

/// Who is to hear of a notification's alerts.
#[derive(Debug)]
pub struct Plan {
    /// One for each receiver that gets something.
    pub deliveries: Vec<Recipient>,
    /// What the sender should know although the notification was taken.
    pub warning: Option<String>,
}

impl Plan {
    /// Targets in all.
    pub fn targets(&self) -> usize {
        self.deliveries.iter().map(|delivery| delivery.targets.len()).sum()
    }
}

/// A target as the store keeps it.
pub fn row(target: &Target) -> TargetRow {
    TargetRow { lane: target.lane(), target_json: serde_json::to_string(target).expect("a target is JSON") }
}

/// Routes each alert by the tree, or all of them to the receiver in the path. A receiver in the path that the
/// configuration does not know must not lose the alert: the tree decides then, and the sender is told.
pub fn plan(config: &Config, source: &str, notification: &Notification, path_receiver: Option<&str>) -> Plan {
    let named = path_receiver.and_then(|name| config.receivers.get(name));
    let warning = match (path_receiver, named) {
        (Some(name), None) => Some(format!(
            "没有名为 `{name}` 的接收者，已按路由树发送 no receiver is named `{name}`: routed by the tree"
        )),
        _ => None,
    };
    let mut by_receiver: BTreeMap<&str, (&Receiver, Vec<Arrival>)> = BTreeMap::new();
    let mut seen: HashSet<Identity> = HashSet::new();
    for (index, alert) in notification.alerts.iter().enumerate() {
        let identity = alert.identity(source);
        // The same alert twice in one body is one alert.
        if !seen.insert(identity) {
            continue;
        }
        let arrival = Arrival {
            index: u32::try_from(index).unwrap_or(u32::MAX),
            identity,
            name: alert.name.clone(),
            labels_json: serde_json::to_string(&alert.labels).expect("a map of strings is JSON"),
            critical: alert.is_critical(),
            status: alert.status,
            starts_at: alert.starts_at,
            ends_at: alert.ends_at,
        };
        let receivers: Vec<&Receiver> = match named {
            Some(receiver) => vec![receiver],
            None => config
                .route
                .route(&alert.labels)
                .into_iter()
                .filter_map(|decision| config.receivers.get(decision.receiver))
                .map(AsRef::as_ref)
                .collect(),
        };
        for receiver in receivers {
            by_receiver.entry(&receiver.name).or_insert((receiver, Vec::new())).1.push(arrival.clone());
        }
    }
    let deliveries = by_receiver
        .into_values()
        .map(|(receiver, alerts)| Recipient {
            receiver: receiver.name.clone(),
            send_resolved: receiver.send_resolved,
            repeat_interval_ms: i64::try_from(receiver.repeat_interval.as_millis()).unwrap_or(i64::MAX),
            alerts,
            targets: receiver.targets.iter().map(row).collect(),
        })
        .collect();
    Plan { deliveries, warning }
}
