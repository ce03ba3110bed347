//! What all alerts share.

use std::collections::BTreeMap;

use crate::alert::{Alert, Labels};

/// Labels that are examined for what all alerts share.
const EXAMINED: usize = 2000;

/// Labels that all alerts share, by name.
pub(super) type Shared = Labels;

/// The labels that all of `alerts` share.
pub(super) fn share(alerts: &[&Alert]) -> Shared {
    let Some((first, rest)) = alerts.split_first() else { return Shared::new() };
    let mut shared: BTreeMap<&String, &String> = first.labels.iter().take(EXAMINED).collect();
    for alert in rest {
        if std::ptr::eq(*alert, *first) {
            continue;
        }
        shared.retain(|name, value| alert.labels.get(*name) == Some(*value));
    }
    shared.into_iter().map(|(name, value)| (name.clone(), clipped(value))).collect()
}

fn clipped(value: &str) -> String {
    value[..value.floor_char_boundary(4096)].to_owned()
}

/// The data source of a rule that cannot be evaluated.
pub(super) fn data_source(alert: &Alert) -> Option<&str> {
    ["datasource", "datasource_uid"].into_iter().find_map(|name| alert.labels.get(name)).map(String::as_str)
}
