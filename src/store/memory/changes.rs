//! Writes what the engine decided into the maps.

use std::collections::BTreeMap;

use super::{Act, Alert, Attempt, Made, Message, Tables, Transition};
use crate::alert::{Status, Timestamp};
use crate::engine::act::{Doer, NewSilence, Recorded};
use crate::engine::changes::{
    Changes, Copy, EscalationChange, FateOf, Gather, NewActRow, NewAttempt, NewBytes, NewDigest, NewMessage,
    NewTransition, SilenceChange,
};
use crate::engine::dedup::Suppression;
use crate::engine::escalate::Course;
use crate::engine::judge::AlertRow;
use crate::store::{Admission, Fate, Kept, Moved, Naming, State, TargetRow};

impl Tables {
    pub(super) fn write(&mut self, changes: &Changes<'_>) {
        for row in &changes.notifications {
            self.notifications.push(kept(row.id, row.admission));
        }
        for row in &changes.alerts {
            self.identities.insert((row.arrival.identity, row.receiver.to_owned()), row.state.id);
            self.alerts.push(Alert {
                identity: row.arrival.identity,
                receiver: row.receiver.to_owned(),
                name: row.arrival.name.clone(),
                labels_json: row.arrival.labels_json.clone(),
                critical: row.arrival.critical,
                source: row.admission.source.clone(),
                row: AlertRow::from(&row.state),
                ends_at: row.state.ends_at,
                owner: None,
            });
        }
        for state in &changes.alert_states {
            let alert = self.alert(state.id);
            (alert.row, alert.ends_at) = (AlertRow::from(state), state.ends_at);
            if !state.known.acknowledged {
                alert.owner = None;
            }
        }
        for (alert, heard) in &changes.heard {
            let row = &mut self.alert(*alert).row;
            row.heard_at = heard.at;
            row.lapses_at = heard.lapses_at.or(row.lapses_at);
        }
        for row in &changes.repeated {
            *self.repeated.entry(row.notification).or_default() += row.times;
        }
        for row in &changes.messages {
            self.queue_new(row);
        }
        for step in &changes.moves {
            let told = self.messages[&step.from].transitions.iter().copied();
            let mine: Vec<i64> = told.filter(|id| self.transitions[id].moved.alert == step.alert).collect();
            assert_eq!(mine.len(), step.count as usize, "the facts were true");
            for id in mine {
                self.relink(id, step.from, step.to);
            }
        }
        for message in &changes.revised {
            self.message(*message).revision += 1;
        }
        for fold in &changes.folded {
            self.message(fold.message).folded_into = Some(fold.into);
            self.end(fold.message, State::Folded, fold.at);
        }
        for row in &changes.left_out {
            self.message(row.picture).folded_into = Some(row.of);
            self.end(row.picture, State::Folded, row.at);
            if self.messages.get(row.of).is_some() {
                self.unpictured.insert(row.of, row.why);
            }
        }
        for row in &changes.transitions {
            self.tell(transition(row));
        }
        for row in &changes.copies {
            self.copy(row);
        }
        for (message, at) in &changes.fell_back {
            self.message(*message).fell_back_at = Some(*at);
        }
        for row in &changes.digests {
            self.begin(*row);
        }
        for row in &changes.gathers {
            self.gather(row);
        }
        for row in &changes.digest_states {
            let digest = self.message(row.digest);
            (digest.critical, digest.urgent, digest.revision) = (row.critical, row.urgent, digest.revision + 1);
        }
        self.budgets.extend(changes.windows.iter().cloned());
        for scope in &changes.closed {
            self.breakers.remove(scope);
        }
        self.breakers.extend(changes.breakers.iter().map(|open| (open.scope.clone(), open.clone())));
        for row in &changes.bytes {
            self.freeze(row);
        }
        for row in &changes.started {
            let message = self.message(row.message);
            (message.state, message.epoch) = (State::Sending, row.epoch);
        }
        for row in &changes.attempts {
            let NewAttempt { message, epoch, version, part, at } = *row;
            self.message(message).attempts.push(Attempt { epoch, version, part, at, outcome: None });
        }
        for row in &changes.message_states {
            let message = self.message(row.message);
            (message.not_before, message.next_part) = (row.not_before, row.next_part);
            match row.settled_at {
                Some(at) => self.end(row.message, row.state, at),
                None => message.state = row.state,
            }
        }
        for row in &changes.pictures {
            self.picture(row.of);
        }
        for row in &changes.answers {
            let mut attempts = self.message(row.message).attempts.iter_mut();
            attempts.find(|attempt| attempt.epoch == row.epoch).expect("it was begun").outcome =
                Some(row.outcome.class);
        }
        for row in &changes.fates {
            self.give_fates(row);
        }
        for row in &changes.cards {
            self.write_card(row);
        }
        self.write_acts(changes);
    }

    fn write_acts(&mut self, changes: &Changes<'_>) {
        for row in &changes.acts {
            let NewActRow { id, event, at, state, request, thread, message } = row;
            let doer = Doer { by: request.by.clone(), at: *at, until: request.until };
            let (kind, detail) = (request.kind, request.detail.clone());
            let recorded = Recorded { id: *id, kind, state: *state, doer, detail };
            let (via, message) = (request.via.clone(), *message);
            let act = Act { recorded, via, thread: *thread, message, touched: BTreeMap::new() };
            assert_eq!(self.acts.push(act), *id, "ids are given in order");
            self.events.insert(event.clone(), *id);
        }
        for row in &changes.touched {
            self.acts.get_mut(row.act).expect("it is recorded").touched.insert(row.alert, row.thread);
        }
        for row in &changes.act_states {
            let recorded = &mut self.acts.get_mut(row.act).expect("it is recorded").recorded;
            (recorded.state, recorded.detail, recorded.doer.until) = (row.state, row.detail.clone(), row.until);
        }
        for row in &changes.silences {
            self.write_silence(row);
        }
        for row in &changes.owners {
            let owner = row.owner.as_ref().map(|(by, at)| Doer { by: by.to_string(), at: *at, until: None });
            let alert = self.alert(row.alert);
            (alert.row.known.acknowledged, alert.owner) = (owner.is_some(), owner);
        }
        for row in &changes.escalations {
            match *row {
                EscalationChange::Begins { alert, fired_at, due_at } => {
                    let begun = Course { alert, step: 0, fired_at, due_at: Some(due_at), status: Status::Firing };
                    self.escalations.insert(alert, begun);
                }
                EscalationChange::Goes { alert, step, fired_at, due_at } => {
                    let course = self.escalations.get_mut(&alert).expect("it began");
                    *course = Course { step, fired_at, due_at, ..*course };
                }
                EscalationChange::Over { alert, at } => {
                    if let Some(course) = self.escalations.get_mut(&alert) {
                        course.due_at = Some(at);
                    }
                }
            }
        }
    }

    fn write_silence(&mut self, row: &SilenceChange<'_>) {
        match row {
            SilenceChange::Made { act, silence } => {
                let NewSilence { upstream, upstream_id, matchers_json, until } = (*silence).clone();
                self.silences.insert(*act, Made { upstream, upstream_id, matchers_json, until });
            }
            SilenceChange::Renewed { act, silence } => {
                let made = self.silences.get_mut(act).expect("it was made");
                (made.until, made.matchers_json) = (silence.until, silence.matchers_json.clone());
            }
        }
    }

    fn queue_new(&mut self, row: &NewMessage<'_>) {
        let id = self.queue(Message {
            critical: row.critical,
            urgent: row.urgent,
            act: row.act,
            note_json: row.note.map(str::to_owned),
            ..blank(row.notification, row.receiver, row.target, row.thread, row.created_at)
        });
        assert_eq!(id, row.id, "ids are given in order");
        if let Some(bytes) = &row.target.given {
            self.freeze(&NewBytes { message: id, version: 1, bytes });
        }
        if let Some(fold) = row.folded {
            self.message(id).folded_into = Some(fold.into);
            self.end(id, State::Folded, fold.at);
        }
    }

    /// Copies a message to another lane or receiver, with transitions of its own.
    pub(super) fn copy(&mut self, row: &Copy<'_>) -> i64 {
        let told = self.messages[&row.of].clone();
        let copied = self.queue(Message {
            critical: told.critical,
            urgent: told.urgent,
            digest: told.digest,
            origin: Some(row.of),
            act: told.act,
            note_json: Some(row.note.to_owned()),
            ..blank(told.notification, row.receiver, row.target, told.thread, row.at)
        });
        for id in told.transitions {
            let moved = self.transitions[&id].moved.clone();
            let (message, lane) = (Some(copied), row.target.lane.clone());
            self.tell(Transition { moved, message, lane, counted: false, fate: Fate::Pending, reason: None });
        }
        copied
    }

    fn begin(&mut self, row: NewDigest) {
        let like = &self.messages[&row.like];
        let target = TargetRow::new(like.lane.clone(), like.target_json.clone());
        let digest = blank(like.notification, &like.receiver, &target, like.notification, row.created_at);
        let id = self.queue(Message { digest: true, ..digest });
        assert_eq!(id, row.id, "ids are given in order");
    }

    /// Queues the picture that follows a message.
    fn picture(&mut self, of: i64) {
        let message = &self.messages[&of];
        let target = TargetRow::new(message.lane.clone(), message.target_json.clone());
        let picture = blank(message.notification, &message.receiver, &target, message.thread, message.created_at);
        self.queue(Message { picture_of: Some(of), ..picture });
    }

    fn gather(&mut self, row: &Gather) {
        for id in &row.messages {
            for transition in self.messages[id].transitions.clone() {
                self.relink(transition, *id, row.digest);
            }
            self.message(*id).folded_into = Some(row.digest);
            self.end(*id, State::Folded, row.at);
        }
    }

    /// Writes a new version of a message's bytes, and which of its transitions they only count.
    fn freeze(&mut self, row: &NewBytes<'_>) {
        let NewBytes { message, version, bytes } = *row;
        assert!(bytes.is_sendable(), "the bytes have a part to send");
        let of = self.message(message);
        of.versions.push(bytes.parts.clone());
        assert_eq!(of.version(), version, "versions are counted");
        (of.next_part, of.face, of.pictured) = (bytes.next_part, Some(bytes.face.clone()), bytes.pictured);
        for id in of.transitions.clone() {
            let transition = self.transitions.get_mut(id).expect("it is told of");
            transition.counted = match &bytes.naming {
                Naming::AllBut(counted) => counted.contains(&id),
                Naming::OnlyAlerts(named) => !named.contains(&transition.moved.alert),
            };
        }
    }

    fn give_fates(&mut self, row: &FateOf<'_>) {
        let (message, reason) = match *row {
            FateOf::AsFrozen { message } => (message, None),
            FateOf::Dead { message, reason } => (message, Some(reason.to_owned())),
        };
        for id in self.messages[&message].transitions.clone() {
            let transition = self.transitions.get_mut(id).expect("it is told of");
            assert_eq!(transition.fate, Fate::Pending, "a transition has one fate");
            (transition.fate, transition.reason) = (row.fate(transition.counted), reason.clone());
            let alert = transition.moved.alert;
            if let Some(waiting) = self.pending.get_mut(&alert) {
                waiting.retain(|other| *other != id);
            }
        }
    }
}

fn kept(id: i64, admission: &Admission) -> Kept {
    Kept {
        id,
        source: admission.source.clone(),
        format: admission.format,
        content_type: admission.content_type.clone(),
        path_receiver: admission.path_receiver.clone(),
        received_at: admission.received_at,
        raw: admission.raw.clone(),
    }
}

fn transition(row: &NewTransition<'_>) -> Transition {
    Transition {
        moved: Moved {
            id: row.id,
            alert: row.alert,
            notification: row.notification,
            alert_index: row.index,
            kind: row.kind,
            at: row.at,
            starts_at: row.starts_at,
            ends_at: row.ends_at,
        },
        message: row.message,
        lane: row.lane.clone(),
        counted: false,
        fate: row.fate(),
        reason: row.suppressed.map(|reason| Suppression::as_str(reason).to_owned()),
    }
}

/// A message without transitions.
fn blank(notification: i64, receiver: &str, target: &TargetRow, thread: i64, now: Timestamp) -> Message {
    Message {
        notification,
        receiver: receiver.to_owned(),
        lane: target.lane.clone(),
        target_json: target.target_json.clone(),
        critical: false,
        urgent: false,
        digest: false,
        thread,
        created_at: now,
        state: State::Queued,
        not_before: Timestamp(0),
        epoch: 0,
        revision: 0,
        versions: Vec::new(),
        next_part: 0,
        face: None,
        settled_at: None,
        folded_into: None,
        origin: None,
        act: None,
        note_json: None,
        fell_back_at: None,
        picture_of: None,
        pictured: false,
        attempts: Vec::new(),
        transitions: Vec::new(),
    }
}
