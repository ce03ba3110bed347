//! What a letter is about: its state, which of its alerts comes first, and since when.

use std::collections::BTreeSet;

use super::words::{Clock, State, Weight};
use super::{Letter, Told};
use crate::alert::{Alert, Format, Health, Status, Timestamp, TransitionKind, level_label};

impl Told<'_> {
    pub(super) fn is_on(&self) -> bool {
        self.kind.is_on()
    }

    pub(super) fn start(&self) -> Option<Timestamp> {
        self.starts_at.or(self.alert.starts_at)
    }

    pub(super) fn end(&self) -> Option<Timestamp> {
        self.ends_at.or(self.alert.ends_at)
    }
}

pub(super) fn weighed(alert: &Alert) -> Weight {
    Weight::of(alert.level(), level_label(&alert.labels).unwrap_or_default())
}

/// Are two starts so far apart that each row shows its own: by ten minutes and by a fifth of the longest duration?
pub(super) const fn starts_apart(earliest: Timestamp, latest: Timestamp, now: Timestamp) -> bool {
    let apart = latest.0.saturating_sub(earliest.0);
    apart > 600_000 && apart.saturating_mul(5) > now.0.saturating_sub(earliest.0)
}

/// Firing before resolved, higher before lower severity, else in the sender's order.
pub(super) fn order(told: &[Told<'_>]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..told.len()).collect();
    order.sort_by_cached_key(|&index| {
        let one = &told[index];
        let light = match weighed(one.alert) {
            Weight::Red => 1,
            Weight::Yellow => 2,
            Weight::Blue => 3,
        };
        (!one.is_on(), if one.alert.is_critical() { 0 } else { light })
    });
    order
}

/// The gravest weight of what is on.
pub(super) fn weight(on: &[&Alert]) -> Weight {
    let weights: Vec<Weight> = on.iter().map(|alert| weighed(alert)).collect();
    if weights.is_empty() || weights.contains(&Weight::Red) {
        Weight::Red
    } else if weights.contains(&Weight::Yellow) {
        Weight::Yellow
    } else {
        Weight::Blue
    }
}

/// Alerts that the notification lists as firing without news.
pub(super) fn still<'a>(letter: &'a Letter<'_>) -> Vec<&'a Alert> {
    let told: BTreeSet<_> = letter.told.iter().map(|one| (&one.alert.discriminator, &one.alert.labels)).collect();
    letter
        .notification
        .alerts
        .iter()
        .filter(|alert| alert.status == Status::Firing && alert.steady().is_none())
        .filter(|alert| !told.contains(&(&alert.discriminator, &alert.labels)))
        .collect()
}

pub(super) fn state(letter: &Letter<'_>, firing: usize, resolved: usize, still: usize) -> State {
    let notification = letter.notification;
    // A text that was not parsed but is shown unchanged.
    if notification.format == Format::Opaque && notification.alerts.iter().all(|alert| alert.kin.is_none()) {
        return State::Opaque;
    }
    if notification.test {
        return State::Test;
    }
    if firing > 0 {
        let on = || letter.told.iter().filter(|one| one.is_on());
        if on().all(|one| one.alert.health != Health::Normal) {
            let failed = on().any(|one| one.alert.health == Health::Error);
            return if failed { State::QueryError } else { State::NoData };
        }
        return match (on().any(|one| one.kind == TransitionKind::Firing), resolved) {
            (true, _) => State::Firing,
            (false, 0) => State::Reminder,
            (false, _) => State::Partly,
        };
    }
    if resolved == 0 {
        // A text is shown unchanged.
        return if notification.format == Format::Opaque { State::Opaque } else { State::Notice };
    }
    match (still, notification.truncated) {
        (0, 0) => State::Resolved,
        (0, _) => State::Unclear,
        _ => State::Partly,
    }
}

pub(super) fn when(told: &[Told<'_>], earliest: Option<Timestamp>, clock: &Clock<'_>) -> String {
    if let Some(earliest) = earliest {
        return clock.since(earliest);
    }
    let over: BTreeSet<String> = told
        .iter()
        .filter(|one| one.kind == TransitionKind::Resolved)
        .filter_map(|one| {
            let end = one.end()?;
            Some(one.start().map_or_else(|| clock.ended(end), |start| clock.lasted(start, end)))
        })
        .collect();
    if over.len() == 1 {
        return over.into_iter().next().unwrap_or_default();
    }
    told.iter().filter(|one| !one.is_on()).filter_map(Told::end).max().map(|end| clock.ended(end)).unwrap_or_default()
}
