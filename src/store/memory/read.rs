//! Reading the outbox and the record.

use std::collections::BTreeSet;

use super::{Attempt, Memory, Message, Tables, Transition};
use crate::alert::{ThreadId, Timestamp, TransitionKind};
use crate::engine::outbox::due;
use crate::names::LaneKey;
use crate::store::{
    AttemptRow, Audit, Contents, Delivery, DeliveryRow, Fate, Frozen, FrozenPart, LaneHead, Moved, Queued, State,
    TransitionRow, VIEW, Waiting, WaitingMessage,
};

/// Those of a lane's live messages that are in its [`VIEW`].
fn view(live: &[(i64, &Message)]) -> BTreeSet<i64> {
    let of = |wanted: fn(&Message) -> bool, most: u32| {
        live.iter().filter(move |(_, row)| wanted(row)).map(|(id, _)| *id).take(most as usize)
    };
    let alerts = of(|row| row.act.is_none() && row.picture_of.is_none(), VIEW.alerts);
    let pictures = of(|row| row.picture_of.is_some(), VIEW.pictures);
    alerts
        .chain(of(|row| row.act.is_some(), VIEW.acts))
        .chain(of(|row| row.critical, VIEW.critical))
        .chain(pictures)
        .collect()
}

impl Memory {
    /// The lanes that have something to send.
    pub fn lanes(&self, now: Timestamp) -> Vec<LaneHead> {
        let tables = self.0.borrow();
        let head = |(lane, live): (&LaneKey, &Vec<i64>)| {
            let rows: Vec<_> = live.iter().map(|id| (*id, &tables.messages[id])).collect();
            let moment = |id| match &tables.messages[id] {
                row if row.state == State::Sending => -1,
                row => row.not_before.0,
            };
            LaneHead::of_view(lane.clone(), view(&rows).iter().map(moment).min().unwrap_or_default(), now)
        };
        tables.live.iter().filter(|(_, live)| !live.is_empty()).map(head).collect()
    }

    /// The live messages of a lane, oldest first.
    pub fn waiting(&self, lane: &LaneKey, now: Timestamp) -> Waiting {
        let tables = self.0.borrow();
        let rows: Vec<_> = tables.live.get(lane).into_iter().flatten().map(|id| (*id, &tables.messages[id])).collect();
        let waiting = |(message, row): (i64, &Message)| WaitingMessage {
            message,
            state: row.state,
            fresh: row.fresh(),
            digest: row.digest,
            critical: row.critical,
            urgent: row.urgent,
            created_at: row.created_at,
            due_at: due(row.not_before, now),
            picture: row.picture_of.is_some(),
        };
        let fresh = rows.iter().filter(|(_, row)| row.fresh()).count() as u64;
        let seen = view(&rows);
        Waiting { messages: rows.into_iter().filter(|(id, _)| seen.contains(id)).map(waiting).collect(), fresh }
    }

    /// The critical messages of a lane that are due and wait for no older news, digests aside.
    pub fn critical_ready(&self, lane: &LaneKey, now: Timestamp) -> Vec<i64> {
        let tables = self.0.borrow();
        let ready = |id: &i64| {
            let row = &tables.messages[id];
            let waits = matches!(row.state, State::Queued | State::Unsure) && due(row.not_before, now) <= now;
            waits && row.critical && !row.digest && !tables.older_tells(*id)
        };
        tables.live.get(lane).into_iter().flatten().copied().filter(ready).collect()
    }

    /// A live message that is not being sent.
    pub fn queued(&self, message: i64) -> Option<Queued> {
        let tables = self.0.borrow();
        let row = tables.messages.get(message)?;
        if !matches!(row.state, State::Queued | State::Unsure) {
            return None;
        }
        let frozen = row.versions.last().map(|parts| Frozen {
            version: row.version(),
            face: row.face.clone().unwrap_or_default(),
            parts: parts.clone(),
            next_part: row.next_part,
            first_claimed_at: row.attempts.iter().map(|attempt| attempt.at).min().unwrap_or_default(),
            unsent_since: row.unsent_since(),
            pictured: row.pictured,
        });
        Some(Queued {
            message,
            receiver: row.receiver.clone(),
            lane: row.lane.clone(),
            target_json: row.target_json.clone(),
            critical: row.critical,
            digest: row.digest,
            act: row.act.is_some(),
            picture_of: row.picture_of,
            thread: ThreadId(row.thread),
            state: row.state,
            epoch: row.epoch,
            revision: row.revision,
            created_at: row.created_at,
            notification: tables.notifications[&row.notification].clone(),
            transitions: tables.content(row),
            frozen,
            note_json: row.note_json.clone(),
            fell_back_at: row.fell_back_at,
        })
    }

    /// The content of a message.
    pub fn contents(&self, message: i64) -> Option<Contents> {
        let tables = self.0.borrow();
        let row = tables.messages.get(message)?;
        Some(Contents {
            receiver: row.receiver.clone(),
            thread: ThreadId(row.thread),
            notification: tables.notifications[&row.notification].clone(),
            transitions: tables.content(row),
            digest: row.digest,
            folded_into: row.folded_into,
        })
    }

    /// The newest messages, newest first.
    pub fn deliveries(&self, limit: usize) -> Vec<DeliveryRow> {
        let tables = self.0.borrow();
        tables.messages.iter().rev().take(limit).map(|(id, row)| tables.row(id, row)).collect()
    }

    /// Everything known about a message.
    pub fn delivery(&self, message: i64) -> Option<Delivery> {
        let tables = self.0.borrow();
        let row = tables.messages.get(message)?;
        let about = &tables.notifications[&row.notification];
        Some(Delivery {
            row: tables.row(message, row),
            target_json: row.target_json.clone(),
            format: about.format,
            received_at: about.received_at,
            picture: tables.unpictured.get(&row.picture_of.unwrap_or(message)).map(|why| (*why).to_owned()),
            transitions: row.transitions.iter().filter_map(|id| tables.told(&tables.transitions[id])).collect(),
            attempts: row.attempts.iter().map(attempt).collect(),
            frozen: (1..).zip(&row.versions).flat_map(|(version, parts)| frozen(version, parts)).collect(),
        })
    }

    /// Counts transitions by fate, and those whose fate contradicts their message.
    pub fn audit(&self) -> Audit {
        let tables = self.0.borrow();
        let mut audit = Audit { repeated: tables.repeated.values().sum(), ..Audit::default() };
        for (_, transition) in tables.transitions.iter() {
            let message = transition.message.and_then(|message| tables.messages.get(message));
            let (sum, right) = match transition.fate {
                Fate::Pending => (&mut audit.pending, message.is_some_and(|row| row.settled_at.is_none())),
                Fate::Suppressed => (&mut audit.suppressed, message.is_none() && transition.reason.is_some()),
                Fate::Dead => (&mut audit.dead, message.is_some_and(|row| row.state == State::Dead)),
                Fate::Named => (&mut audit.named, message.is_some_and(|row| row.state == State::Sent)),
                Fate::Counted => (&mut audit.counted, message.is_some_and(|row| row.state == State::Sent)),
            };
            *sum += 1;
            audit.imbalance += i64::from(!right);
        }
        audit
    }
}

impl Tables {
    /// What a message tells, of a picture what the message tells that it follows; nothing of a digest.
    fn content(&self, row: &Message) -> Vec<Moved> {
        let of = row.picture_of.map_or(Some(row), |of| self.messages.get(of));
        let Some(of) = of.filter(|of| !of.digest) else { return Vec::new() };
        of.transitions.iter().map(|id| self.transitions[id].moved.clone()).collect()
    }

    /// The transition as the record shows it; `None` if its alert was deleted.
    fn told(&self, transition: &Transition) -> Option<TransitionRow> {
        let alert = self.alerts.get(transition.moved.alert)?;
        Some(TransitionRow {
            id: transition.moved.id,
            name: alert.name.clone(),
            labels_json: alert.labels_json.clone(),
            kind: transition.moved.kind,
            at: transition.moved.at,
            starts_at: transition.moved.starts_at,
            ends_at: transition.moved.ends_at,
            fate: transition.fate,
            reason: transition.reason.clone(),
        })
    }

    /// The columns that the model reads; the answers to attempts are not kept.
    fn row(&self, id: i64, row: &Message) -> DeliveryRow {
        let count = |counted: &[TransitionKind]| {
            let kinds = row.transitions.iter().map(|id| self.transitions[id].moved.kind);
            i64::try_from(kinds.filter(|kind| counted.contains(kind)).count()).unwrap_or_default()
        };
        DeliveryRow {
            message: id,
            thread: ThreadId(row.thread),
            notification: row.notification,
            source: self.notifications[&row.notification].source.clone(),
            receiver: row.receiver.clone(),
            lane: row.lane.clone(),
            state: row.state,
            critical: row.critical,
            digest: row.digest,
            act: row.act.and_then(|act| self.acts.get(act)).map(|act| act.recorded.kind),
            folded_into: row.folded_into,
            origin: row.origin,
            note_json: row.note_json.clone(),
            picture_of: row.picture_of,
            notices: 0,
            repeated: self.repeated.get(&row.notification).copied().unwrap_or_default(),
            name: String::new(),
            firing: count(&[TransitionKind::Firing, TransitionKind::Reminder]),
            resolved: count(&[TransitionKind::Resolved]),
            created_at: row.created_at,
            claimed_at: row.attempts.last().map(|attempt| attempt.at),
            settled_at: row.settled_at,
            not_before: row.not_before,
            attempts: row.epoch,
            next_part: row.next_part,
            parts: row.parts(),
            face: row.face.clone(),
            outcome: None,
            errcode: None,
            error: None,
        }
    }
}

fn attempt(attempt: &Attempt) -> AttemptRow {
    AttemptRow {
        epoch: attempt.epoch,
        version: attempt.version,
        part: attempt.part,
        at: attempt.at,
        duration_ms: None,
        outcome: None,
        http_status: None,
        errcode: None,
        errmsg: None,
        msgid: None,
        response_code: None,
        invalid_json: None,
    }
}

fn frozen(version: u32, parts: &[bytes::Bytes]) -> impl Iterator<Item = FrozenPart> {
    (0..).zip(parts).map(move |(number, body)| {
        let body = String::from_utf8_lossy(body).into_owned();
        FrozenPart { version, number, body }
    })
}
