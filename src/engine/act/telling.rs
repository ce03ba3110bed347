//! Which receivers are told of an act, and by which messages.

use std::collections::{BTreeMap, HashSet};

use super::request::{ActAlert, ActKind, Listeners};
use crate::alert::TransitionKind;
use crate::engine::TargetRow;
use crate::names::LaneKey;

/// The transition kind under which an act is told; `None`: no message is sent about it.
pub const fn told_as(kind: ActKind) -> Option<TransitionKind> {
    match kind {
        ActKind::Acknowledge => Some(TransitionKind::Acknowledged),
        ActKind::Release => Some(TransitionKind::Released),
        ActKind::Silence | ActKind::Extend | ActKind::Hide => Some(TransitionKind::Silenced),
        ActKind::Expire => Some(TransitionKind::Unsilenced),
        ActKind::Forget => Some(TransitionKind::Lapsed),
        ActKind::Resend | ActKind::Recall => None,
    }
}

/// A message about an act.
#[derive(Debug, PartialEq, Eq)]
pub struct Telling<'r, 'f> {
    /// The receiver that is told.
    pub receiver: &'r str,
    /// Its lane and target.
    pub target: &'r TargetRow,
    /// The alerts that the receiver knows.
    pub alerts: Vec<&'f ActAlert>,
}

impl Telling<'_, '_> {
    /// Its short id.
    pub fn thread(&self) -> i64 {
        self.alerts.iter().map(|alert| alert.thread.0).min().unwrap_or_default()
    }

    /// The notification it is about.
    pub fn notification(&self) -> i64 {
        self.alerts.iter().map(|alert| alert.notification).max().unwrap_or_default()
    }
}

/// The messages about an act: one for each receiver of its alerts and target of that receiver.
pub fn tellings<'r, 'f>(
    touched: &'f [ActAlert],
    listeners: &'r Listeners,
    except_lane: Option<&LaneKey>,
) -> Vec<Telling<'r, 'f>> {
    let mut receivers: BTreeMap<&str, Vec<&ActAlert>> = BTreeMap::new();
    for alert in touched {
        receivers.entry(&alert.receiver).or_default().push(alert);
    }
    let mut all = Vec::new();
    for (receiver, alerts) in receivers {
        let Some((receiver, targets)) = listeners.get_key_value(receiver) else { continue };
        let told = targets.iter().filter(|target| except_lane != Some(&target.lane));
        all.extend(told.map(|target| Telling { receiver, target, alerts: alerts.clone() }));
    }
    all
}

/// The message about an act for one more lane: the alerts that its receiver knows, or, if it knows none of them (it is
/// the fallback of another receiver), each of them once.
pub fn telling<'r, 'f>(touched: &'f [ActAlert], receiver: &'r str, target: &'r TargetRow) -> Option<Telling<'r, 'f>> {
    let mut alerts: Vec<&ActAlert> = touched.iter().filter(|alert| alert.receiver == receiver).collect();
    if alerts.is_empty() {
        let mut seen = HashSet::new();
        alerts = touched.iter().filter(|alert| seen.insert(alert.identity)).collect();
    }
    (!alerts.is_empty()).then_some(Telling { receiver, target, alerts })
}
