//! Acts and escalations: the facts that the engine decides on.

use std::collections::{BTreeMap, BTreeSet};

use super::{Act, Alert, Memory, Tables};
use crate::alert::{Identity, Status, ThreadId, Timestamp, TransitionKind};
use crate::engine::act::{self, ActFacts, ActKind, ActState, Candidate, LIMIT_MS, PressedCard, Reach, reach};
use crate::engine::admit::{Merge, Waits, of_one_state};
use crate::engine::escalate::{Course, advance};
use crate::store::{ACT_ALERTS, About, ActAlert, Acted, Escalation, NewAct};

impl Memory {
    /// Records an act that changes nothing upstream, and queues the messages about it.
    pub fn act(&self, request: &NewAct, now: Timestamp) -> Acted {
        let mut tables = self.0.borrow_mut();
        let draft = act::act(request, tables.act_facts(request, now), now);
        let waits = draft.merges().map_or_else(Vec::new, |(merges, kind)| tables.act_waits(merges, kind));
        let (acted, changes) = draft.finish(&waits);
        tables.write(&changes);
        acted
    }

    /// The escalations whose next step is due, and those whose alert is over, oldest first.
    pub fn due_escalations(&self, now: Timestamp) -> Vec<Escalation> {
        self.escalations_due(now, true)
    }

    /// The same; `free`: without those that a person has.
    pub fn escalations_due(&self, now: Timestamp, free: bool) -> Vec<Escalation> {
        let tables = self.0.borrow();
        let due =
            tables.escalations.values().filter_map(|course| Some((course.due_at.filter(|at| *at <= now)?, course)));
        let mut due: Vec<(Timestamp, &Course)> = due.collect();
        due.sort_by_key(|(at, course)| (*at, course.alert));
        let row = |(_, course): (Timestamp, &Course)| {
            let alert = tables.act_alert(course.alert);
            let others = tables.of(alert.identity).filter(|(id, _)| *id != course.alert);
            let mut others: Vec<String> = others.map(|(_, other)| other.receiver.clone()).collect();
            others.sort();
            let waits = alert.status == Status::Resolved || alert.acknowledged.is_none() || !free;
            waits.then_some(Escalation { alert, step: course.step, fired_at: course.fired_at, others })
        };
        due.into_iter().filter_map(row).collect()
    }

    /// Records that a step was taken.
    pub fn advance_escalation(&self, alert: i64, from_step: u32, next_due: Option<Timestamp>) -> bool {
        let mut tables = self.0.borrow_mut();
        let course = tables.course(alert);
        let changes = advance(course, from_step, next_due);
        tables.write(&changes);
        !changes.is_empty()
    }

    /// Deletes an escalation.
    pub fn forget_escalation(&self, alert: i64) {
        self.0.borrow_mut().escalations.remove(&alert);
    }

    /// The firing alerts of an identity, for each receiver.
    pub fn told_firing(&self, identity: Identity) -> Vec<ActAlert> {
        let tables = self.0.borrow();
        tables.of(identity).map(|(id, _)| tables.act_alert(id)).collect()
    }
}

impl Act {
    /// Is it an acknowledgement that took effect?
    pub(super) fn acknowledged(&self) -> bool {
        (self.recorded.kind, self.recorded.state) == (ActKind::Acknowledge, ActState::Done)
    }
}

impl Tables {
    fn act_facts(&self, request: &NewAct, now: Timestamp) -> ActFacts {
        let first = self.events.get(&act::event(&request.event)).map(|act| self.acts[act].recorded.clone());
        let (on, missed) = self.on(request);
        if first.is_some() {
            return ActFacts { first, on, ..ActFacts::default() };
        }
        let silences = match act::asks_for_silences(request, &on) {
            Some(alert) => self.earlier_silences(request, alert, now),
            None => Vec::new(),
        };
        let thread = match request.about {
            About::Message(message) => self.messages.get(message).map(|row| row.thread),
            _ => None,
        };
        let card = request.code.as_ref().filter(|code| self.messages.get(code.message).is_some());
        let card = card.map(|code| PressedCard { codes: self.codes(code.message).unwrap_or_default() });
        let recent = on.first().map_or(0, |alert| self.recent(request, alert.alert, now));
        // Notifications stay.
        let kept = on.iter().map(|alert| (alert.notification, alert.notification)).collect();
        ActFacts { first, silences, recent, thread, card, kept, on, missed, ids: self.last_ids() }
    }

    /// Acts of the same person, or of all visitors of the page, on an alert shortly before.
    fn recent(&self, request: &NewAct, alert: i64, now: Timestamp) -> u32 {
        let since = now.plus_millis(-LIMIT_MS);
        let visitor = |via: &str| via == "page" || via.starts_with("page/");
        let same = |act: &Act| {
            visitor(&act.via) == request.is_by_visitor()
                && (request.is_by_visitor() || act.recorded.doer.by.eq_ignore_ascii_case(&request.by))
        };
        let acts = self.acts.iter().filter(|(_, act)| act.touched.contains_key(&alert) && act.recorded.doer.at > since);
        u32::try_from(acts.filter(|(_, act)| same(act)).count()).unwrap_or(u32::MAX)
    }

    /// The firing alerts that a request reaches, for each receiver, and how many alerts more it means.
    fn on(&self, request: &NewAct) -> (Vec<ActAlert>, u64) {
        let identities: BTreeSet<[u8; 32]> = match request.about {
            About::Message(message) => {
                let told = self.messages.get(message).into_iter().flat_map(|row| &row.transitions);
                let alerts = told.filter_map(|id| self.alerts.get(self.transitions[id].moved.alert));
                alerts.map(|alert| alert.identity.0).collect()
            }
            About::Thread(ThreadId(thread)) => {
                let alerts = self.alerts.iter().filter(|(_, alert)| alert.row.thread == thread);
                alerts.map(|(_, alert)| alert.identity.0).collect()
            }
            About::Nothing => BTreeSet::new(),
        };
        let firing = identities.into_iter().map(Identity).flat_map(|identity| self.of(identity));
        let candidate = |(id, alert): (i64, &Alert)| Candidate {
            alert: id,
            identity: alert.identity,
            receiver: alert.receiver.clone(),
            owner: alert.owner.as_ref().map(|owner| owner.by.clone()),
        };
        let Reach { alerts, missed } = reach(request, firing.map(candidate).collect(), ACT_ALERTS);
        (alerts.into_iter().map(|id| self.act_alert(id)).collect(), missed)
    }

    /// The firing alerts of an identity, one for each receiver, by id.
    pub(super) fn of(&self, identity: Identity) -> impl Iterator<Item = (i64, &Alert)> {
        let firing =
            move |(_, alert): &(i64, &Alert)| alert.identity == identity && alert.row.known.status == Status::Firing;
        self.alerts.iter().filter(firing)
    }

    pub(super) fn act_alert(&self, id: i64) -> ActAlert {
        let Alert { identity, receiver, name, labels_json, critical, source, row, ends_at, owner } = &self.alerts[&id];
        ActAlert {
            alert: id,
            identity: *identity,
            receiver: receiver.clone(),
            source: source.clone(),
            name: name.clone(),
            labels_json: labels_json.clone(),
            critical: *critical,
            status: row.known.status,
            starts_at: row.known.starts_at,
            ends_at: *ends_at,
            notification: row.notification,
            thread: ThreadId(row.thread),
            sender: row.known.sender.clone(),
            acknowledged: owner.clone(),
        }
    }

    /// What waits in older messages about acts of the same state, for each merge.
    pub(super) fn act_waits(&self, merges: &[Merge<'_>], kind: TransitionKind) -> Vec<Waits> {
        let states = of_one_state(kind);
        let mut waits = Vec::new();
        for (place, merge) in merges.iter().enumerate() {
            let mut older: BTreeMap<i64, u32> = BTreeMap::new();
            for id in self.pending.get(&merge.alert).into_iter().flatten() {
                let transition = &self.transitions[id];
                let Some(message) = transition.message.filter(|message| *message <= merge.before) else { continue };
                let row = &self.messages[&message];
                if row.unclaimed()
                    && row.act.is_some()
                    && row.lane == *merge.lane
                    && states.contains(&transition.moved.kind)
                {
                    *older.entry(message).or_default() += 1;
                }
            }
            waits.extend(older.into_iter().map(|(message, of_alert)| {
                let of_message = u32::try_from(self.messages[&message].transitions.len()).expect("few are told");
                Waits { merge: place, message, of_alert, of_message }
            }));
        }
        waits
    }
}
