//! Messages that wait for too long.

use super::{Memory, Message};
use crate::alert::Timestamp;
use crate::engine::overdue::{DetourFacts, Late, Stuck, fall_back};
use crate::store::{Detour, LateMessage, State};

impl Memory {
    /// The waiting messages that were queued before `since` and are told nowhere else, critical ones first.
    pub fn late(&self, receivers: &[String], since: Late) -> Vec<LateMessage> {
        let tables = self.0.borrow();
        let waits = |row: &Message| {
            row.settled_at.is_none()
                && row.state != State::Sending
                && row.fell_back_at.is_none()
                && row.act.is_none()
                && row.picture_of.is_none()
                && row.created_at <= if row.critical { since.critical } else { since.other }
                && receivers.contains(&row.receiver)
        };
        let late = |(message, row): (i64, &Message)| LateMessage {
            message,
            receiver: row.receiver.clone(),
            lane: row.lane.clone(),
            state: row.state,
            epoch: row.epoch,
            revision: row.revision,
            critical: row.critical,
            created_at: row.created_at,
            error: None,
        };
        let rows = tables.messages.iter().filter(|(_, row)| waits(row));
        let mut all: Vec<LateMessage> = rows.map(late).collect();
        all.sort_by_key(|late| (!late.critical, late.message));
        all
    }

    /// Queues the content of a message for its receiver's fallback.
    pub fn fall_back(&self, request: &Detour, now: Timestamp) -> bool {
        let mut tables = self.0.borrow_mut();
        let message = tables.messages.get(request.message).map(|row| Stuck {
            lane: row.lane.clone(),
            state: row.state,
            epoch: row.epoch,
            revision: row.revision,
            fell_back: row.fell_back_at.is_some(),
        });
        let told_instead = tables.told_instead(request.message, &request.fallback);
        let facts = DetourFacts { message, told_instead };
        let changes = fall_back(request, facts, now);
        if let Ok(changes) = &changes {
            tables.write(changes);
        }
        changes.is_ok()
    }
}
