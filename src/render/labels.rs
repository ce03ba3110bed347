//! What all alerts share.

use std::collections::BTreeMap;

use ecow::EcoString;

use crate::alert::{Alert, Labels};

/// Labels that are examined for what all alerts share.
const EXAMINED: usize = 2000;

/// Bytes of a value that all share.
const CLIPPED: usize = 4096;

/// Labels that all alerts share, by name.
pub(super) type Shared = Labels;

/// The labels that all of `alerts` share.
pub(super) fn share(alerts: &[&Alert]) -> Shared {
    let Some((first, rest)) = alerts.split_first() else { return Shared::new() };
    let mut shared: BTreeMap<&EcoString, &EcoString> = first.labels.iter().take(EXAMINED).collect();
    for alert in rest {
        if std::ptr::eq(*alert, *first) {
            continue;
        }
        shared.retain(|name, value| alert.labels.get(name) == Some(*value));
    }
    shared.into_iter().map(|(name, value)| (name.clone(), clipped(value))).collect()
}

fn clipped(value: &EcoString) -> EcoString {
    if value.len() <= CLIPPED { value.clone() } else { value[..value.floor_char_boundary(CLIPPED)].into() }
}

/// The data source of a rule that cannot be evaluated.
pub(super) fn data_source(alert: &Alert) -> Option<&str> {
    ["datasource", "datasource_uid"].into_iter().find_map(|name| alert.labels.get(name)).map(EcoString::as_str)
}
