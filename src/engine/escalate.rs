//! Escalations: when the next step of an alert that is not acknowledged is due.

use super::changes::{Changes, EscalationChange};
use crate::alert::{Status, Timestamp};

/// An escalation that began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Course {
    /// Of which alert.
    pub alert: i64,
    /// Steps taken so far.
    pub step: u32,
    /// When its alert fired, or from when its steps count.
    pub fired_at: Timestamp,
    /// When the next step is due; `None`: nothing is due until the alert is over.
    pub due_at: Option<Timestamp>,
    /// Its alert is on or over.
    pub status: Status,
}

/// Records that the step after `from_step` was taken. An alert that resolved meanwhile stays due, so that its end is
/// seen. Nothing changes if the escalation is not at `from_step`: another task took the step.
pub fn advance(course: Option<Course>, from_step: u32, next_due: Option<Timestamp>) -> Changes<'static> {
    let mut changes = Changes::default();
    if let Some(Course { alert, step, fired_at, due_at, status }) = course.filter(|course| course.step == from_step) {
        let due_at = match status {
            Status::Firing => next_due,
            Status::Resolved | Status::Notice => Some(due_at.unwrap_or(fired_at)),
        };
        changes.escalations.push(EscalationChange::Goes { alert, step: step + 1, fired_at, due_at });
    }
    changes
}

/// Moves the waiting step: it counts from `fired_at` and is due at `due_at`. Nothing changes if the escalation is not at
/// `step`, waits for nothing, or its alert is over.
pub fn delay(course: Option<Course>, step: u32, fired_at: Timestamp, due_at: Timestamp) -> Changes<'static> {
    let mut changes = Changes::default();
    let waits = |course: &Course| course.step == step && course.due_at.is_some() && course.status == Status::Firing;
    if let Some(Course { alert, .. }) = course.filter(waits) {
        changes.escalations.push(EscalationChange::Goes { alert, step, fired_at, due_at: Some(due_at) });
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    const COURSE: Course =
        Course { alert: 7, step: 1, fired_at: Timestamp(10), due_at: Some(Timestamp(20)), status: Status::Firing };

    fn goes(changes: &Changes<'_>) -> Option<(u32, Timestamp, Option<Timestamp>)> {
        match changes.escalations[..] {
            [EscalationChange::Goes { alert: 7, step, fired_at, due_at }] => Some((step, fired_at, due_at)),
            _ => None,
        }
    }

    #[test]
    fn a_step_is_taken_once() {
        let changes = advance(Some(COURSE), 1, Some(Timestamp(30)));
        assert_eq!(goes(&changes), Some((2, Timestamp(10), Some(Timestamp(30)))));
        assert!(advance(Some(COURSE), 0, None).is_empty(), "another task took the step");
        assert!(advance(None, 1, None).is_empty());
    }

    #[test]
    fn a_resolved_alert_stays_due() {
        let over = Course { status: Status::Resolved, ..COURSE };
        assert_eq!(goes(&advance(Some(over), 1, None)), Some((2, Timestamp(10), Some(Timestamp(20)))));
        let waits = Course { due_at: None, ..over };
        assert_eq!(goes(&advance(Some(waits), 1, None)), Some((2, Timestamp(10), Some(Timestamp(10)))));
        assert!(delay(Some(over), 1, Timestamp(50), Timestamp(60)).is_empty());
    }

    #[test]
    fn a_delay_moves_only_the_step_that_waits() {
        assert_eq!(
            goes(&delay(Some(COURSE), 1, Timestamp(50), Timestamp(60))),
            Some((1, Timestamp(50), Some(Timestamp(60))))
        );
        assert!(delay(Some(Course { due_at: None, ..COURSE }), 1, Timestamp(50), Timestamp(60)).is_empty());
        assert!(delay(Some(COURSE), 2, Timestamp(50), Timestamp(60)).is_empty());
    }
}
