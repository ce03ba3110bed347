//! What is news, implemented a second time from the promises alone: the counterpart of `news`.

use std::collections::{HashMap, HashSet};

use super::action::Report;
use crate::alert::{Status, Timestamp, TransitionKind};

/// A twin's copy of an alert that just ended may be late by this much.
const LATE_MS: i64 = 90_000;
/// A clock that went back further than this makes a repetition news.
const STEP_MS: i64 = 60_000;

/// The source's state of one of its alerts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Truth {
    on: bool,
    start: Timestamp,
    before: Timestamp,
    end: Timestamp,
}

/// One report of an alert.
#[derive(Debug, Clone, Copy)]
pub struct Telling {
    pub status: Status,
    pub start: Timestamp,
    pub end: Option<Timestamp>,
    pub peer: bool,
}

impl Truth {
    /// Applies a report and returns what the source sends; `None`: the alert was never firing.
    pub fn tell(&mut self, report: Report, peer: bool, now: Timestamp) -> Option<Telling> {
        let begin = match report {
            Report::Fire => !self.on,
            Report::Refire => true,
            _ => false,
        };
        if begin {
            *self = Self { on: true, start: now, before: self.start, end: self.end };
        }
        if report == Report::Resolve && self.on {
            (self.on, self.end) = (false, now);
        }
        if self.start == Timestamp(0) {
            return None;
        }
        let on = Telling { status: Status::Firing, start: self.start, end: None, peer };
        let over = Telling { status: Status::Resolved, end: Some(self.end), ..on };
        Some(match report {
            Report::Fire | Report::Refire | Report::StaleFire => on,
            Report::StaleEnd => Telling { start: self.before, end: Some(self.before), ..over },
            Report::Repeat if self.on => on,
            Report::Resolve | Report::Repeat => over,
        })
    }
}

/// What one receiver was last told of one alert.
#[derive(Debug, Clone, Copy)]
struct Known {
    on: bool,
    start: Timestamp,
    told: Timestamp,
    peer: bool,
    /// A person has it.
    held: bool,
}

/// What all receivers know.
#[derive(Debug, Default)]
pub struct Reference {
    known: HashMap<String, Known>,
}

/// The decision about a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    Told(TransitionKind),
    /// It changes the state, but the receiver does not want to be told.
    Kept,
    No,
}

impl Reference {
    /// Decides, and records the state.
    pub fn judge(&mut self, name: &str, told: Telling, every: i64, resolved_too: bool, now: Timestamp) -> News {
        let Some(known) = self.known.get(name).copied() else {
            self.learn(name, told, told.start, now);
            return match told.status {
                Status::Firing => News::Told(TransitionKind::Firing),
                Status::Resolved if resolved_too => News::Told(TransitionKind::Resolved),
                Status::Resolved => News::Kept,
                Status::Notice => News::Told(TransitionKind::Notice),
            };
        };
        let age = now.0 - known.told.0;
        let firing = told.status == Status::Firing;
        if firing && !known.on {
            if told.peer != known.peer && told.start <= known.start && age < LATE_MS {
                return News::No;
            }
            self.learn(name, told, told.start, now);
            return News::Told(TransitionKind::Firing);
        }
        if firing {
            if told.start > known.start {
                self.learn(name, told, told.start, now);
                return News::Told(TransitionKind::Firing);
            }
            if (age >= every || age < -STEP_MS) && !known.held {
                self.learn(name, told, known.start, now);
                return News::Told(TransitionKind::Reminder);
            }
            return News::No;
        }
        let of_another = told.start < known.start && told.end.is_none_or(|end| end <= known.start);
        if !known.on || of_another {
            return News::No;
        }
        self.learn(name, told, known.start, now);
        if resolved_too { News::Told(TransitionKind::Resolved) } else { News::Kept }
    }

    fn learn(&mut self, name: &str, told: Telling, start: Timestamp, now: Timestamp) {
        let on = told.status == Status::Firing;
        self.known.insert(name.to_owned(), Known { on, start, told: now, peer: told.peer, held: false });
    }

    /// Is it firing, as far as the receiver knows?
    pub fn is_on(&self, name: &str) -> bool {
        self.known.get(name).is_some_and(|known| known.on)
    }

    /// Does a person have it?
    pub fn is_held(&self, name: &str) -> bool {
        self.known.get(name).is_some_and(|known| known.on && known.held)
    }

    /// A person takes it, or gives it back.
    pub fn hold(&mut self, name: &str, held: bool) {
        if let Some(known) = self.known.get_mut(name) {
            known.held = held;
        }
    }

    /// A receiver begins to hear of an episode that another one knows: the person who has it there has it here, too.
    pub fn take_over(&mut self, name: &str, other: &str) -> bool {
        let start = |name: &str| self.known.get(name).map(|known| known.start);
        let same = self.is_held(other) && start(name) == start(other);
        if same {
            self.hold(name, true);
        }
        same
    }

    /// Drops resolved alerts that were told before then, unless a transition of theirs is pending.
    pub fn forget(&mut self, before: Timestamp, waiting: &HashSet<String>) {
        self.known.retain(|name, known| known.on || known.told >= before || waiting.contains(name));
    }
}
