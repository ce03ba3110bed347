//! What people do, and what is done when they do nothing: presses, steps of escalations, fallbacks by age.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::intake::{DBA, Hearer};
use super::reference::Telling;
use super::world::{World, said};
use super::{Check, Mutant};
use crate::alert::{Status, Timestamp};
use crate::answer::escalation::{Next, next};
use crate::engine::act::LIMIT;
use crate::engine::overdue::FallbackAfter;
use crate::store::{
    About, ActAlert, ActKind, ActState, Acted, Detour, Fallback, Listeners, NewAct, NewCode, TargetRow,
};

/// Reminders of a step: as in `answer::escalation`.
const AGAIN_MS: i64 = 30_000;
/// As in the configuration's defaults.
const AFTER: FallbackAfter = FallbackAfter { critical_ms: 120_000, other_ms: 900_000 };

/// What people did so far.
#[derive(Debug, Default)]
pub struct People {
    presses: u64,
    /// The last press, and what came of it.
    last: Option<(NewAct, Acted)>,
    /// By person: how many acts were asked for.
    asked: HashMap<u8, u32>,
}

impl People {
    /// The record of acts may be gone.
    pub fn forget(&mut self) {
        self.last = None;
    }
}

impl World {
    /// A person takes the alerts of a message, or gives them back.
    pub async fn press(&mut self, which: u8, by: u8, release: bool, again: bool) -> Check {
        if again {
            return self.press_again().await;
        }
        let known = self.ledger.messages.len();
        if known == 0 {
            return Ok(());
        }
        let message = *self.ledger.messages.keys().nth(usize::from(which) % known).expect("one of them");
        self.press_on(message, by, release).await
    }

    /// A person takes the alerts of this message, or gives them back.
    pub async fn press_on(&mut self, message: i64, by: u8, release: bool) -> Check {
        let told = self.store.delivery(message).await.map_err(|error| said(&error))?;
        let told = told.ok_or_else(|| format!("L1: message {message} is gone"))?.transitions;
        let alerts: BTreeSet<&str> = told.iter().filter_map(|row| Some(row.name.split_once('/')?.1)).collect();
        let names =
            alerts.iter().flat_map(|alert| ["ops", "dba"].map(|receiver| (receiver, format!("{receiver}/{alert}"))));
        let on: Vec<(&str, String)> = names.filter(|(_, name)| self.reference.is_on(name)).collect();
        let touched: Vec<(&str, String)> =
            on.iter().filter(|(_, name)| self.reference.is_held(name) == release).cloned().collect();
        let expected = match (on.is_empty(), touched.is_empty()) {
            (true, _) => ActState::Void,
            (_, true) => ActState::Repeated,
            _ => ActState::Done,
        };
        let receivers: BTreeSet<&str> = touched.iter().map(|(receiver, _)| *receiver).collect();
        let count = |receiver: &str| touched.iter().filter(|(of, _)| *of == receiver).count();
        let new: usize = receivers.iter().map(|receiver| count(receiver) * self.targets[*receiver].len()).sum();
        let messages = receivers.iter().map(|receiver| self.targets[*receiver].len()).sum();

        let kind = if release { ActKind::Release } else { ActKind::Acknowledge };
        self.people.presses += 1;
        // A press of a card brings a code.
        let card = self.phone.cards.contains_key(&message);
        let code = card.then(|| NewCode { message, code: self.phone.code(message, self.real) });
        let act = NewAct {
            event: format!("press/{}", self.people.presses),
            kind,
            state: ActState::Done,
            by: format!("person-{by}"),
            via: "app/app".to_owned(),
            about: About::Message(message),
            only: Vec::new(),
            through: None,
            until: None,
            detail: String::new(),
            code,
            except_lane: None,
            listeners: self.listeners(),
        };
        let acted = self.store.act(act.clone(), self.now()).await.map_err(|error| said(&error))?;
        self.dirty = true;
        let asked = self.people.asked.entry(by).or_default();
        let limited = acted.state == ActState::Limited && *asked >= LIMIT && expected != ActState::Void;
        *asked += 1;
        if limited {
            return Ok(());
        }
        if acted.state != expected || acted.again {
            return Err(format!("A1: {act:?} is {acted:?}, not {expected:?}"));
        }
        self.people.last = Some((act, acted.clone()));
        if expected != ActState::Done {
            return if acted.lanes.is_empty() {
                Ok(())
            } else {
                Err(format!("A1: {acted:?} has no effect but is told"))
            };
        }
        for (_, name) in &touched {
            self.reference.hold(name, !release);
        }
        let told = self.note_copies(messages).await?;
        if (acted.lanes.len(), told) == (messages, new) {
            return Ok(());
        }
        Err(format!("A1: {acted:?} is told by {told} transitions, not by {messages} messages with {new}"))
    }

    /// The last press comes again.
    async fn press_again(&mut self) -> Check {
        let Some((mut act, before)) = self.people.last.clone() else { return Ok(()) };
        if self.mutant == Mutant::PressesAreNew {
            self.people.presses += 1;
            act.event = format!("press/{}", self.people.presses);
        }
        let acted = self.store.act(act.clone(), self.now()).await.map_err(|error| said(&error))?;
        if acted.again && acted.act == before.act && acted.lanes.is_empty() {
            return Ok(());
        }
        Err(format!("A1: {act:?} came again: {acted:?}, before {before:?}"))
    }

    fn listeners(&self) -> Listeners {
        let told = ["ops", "dba"].map(|receiver| (receiver.to_owned(), self.targets[receiver].clone()));
        Arc::new(HashMap::from(told))
    }

    /// Takes the steps that are due at `until`, as `answer::escalation` does without an upstream.
    pub async fn escalate(&mut self, until: Timestamp) -> Check {
        let config = self.config.clone();
        let steps = &config.receivers["ops"].escalate;
        for due in self.store.due_escalations(until).await.map_err(|error| said(&error))? {
            let (alert, step) = (due.alert.alert, due.step);
            let identity = due.alert.identity.0[0];
            self.dirty = true;
            match next(steps, &due) {
                Next::Over => {
                    if self.mutant != Mutant::StepsEndUntold {
                        self.end(&due.alert).await?;
                        self.escalated.remove(&identity);
                    }
                    self.store.forget_escalation(alert).await.map_err(|error| said(&error))?;
                }
                Next::Nobody => {
                    self.store.advance_escalation(alert, step, None).await.map_err(|error| said(&error))?;
                }
                Next::Tell { receiver, following } => {
                    let name = format!("ops/{identity}");
                    if !self.reference.is_on(&name) || self.reference.is_held(&name) {
                        return Err(format!("A4: a step for {:?}", due.alert));
                    }
                    if receiver.is_some() {
                        let telling = telling(&due.alert, Status::Firing);
                        let began = !self.reference.is_on(&format!("dba/{identity}"));
                        self.report(&[Hearer { every: AGAIN_MS, ..DBA }], &[(identity, telling)], telling.peer).await?;
                        if began && self.reference.is_on(&format!("dba/{identity}")) {
                            self.escalated.insert(identity);
                        }
                    }
                    self.store.advance_escalation(alert, step, following).await.map_err(|error| said(&error))?;
                }
            }
        }
        Ok(())
    }

    /// The receiver of a step is told that its alert is over.
    async fn end(&mut self, over: &ActAlert) -> Check {
        let told = self.store.told_firing(over.identity).await.map_err(|error| said(&error))?;
        for row in told.into_iter().filter(|row| row.receiver == "dba") {
            let end = Some(over.ends_at.unwrap_or(self.now()));
            let telling = Telling { end, ..telling(&row, Status::Resolved) };
            self.report(&[DBA], &[(over.identity.0[0], telling)], telling.peer).await?;
        }
        Ok(())
    }

    /// At rest: a receiver that a step told of a beginning knows of the end (A5).
    pub fn ends_are_told(&self) -> Check {
        let on = |receiver: &str, alert: &u8| self.reference.is_on(&format!("{receiver}/{alert}"));
        match self.escalated.iter().find(|alert| on("dba", alert) && !on("ops", alert)) {
            Some(alert) => Err(format!("A5: alert {alert} is over, but those of its step were not told")),
            None => Ok(()),
        }
    }

    /// Tells the fallback of what waits for too long, as `deliver::overdue` does.
    pub async fn detour(&mut self) -> Check {
        if !self.fallback {
            return Ok(());
        }
        let now = self.now();
        let receivers = ["ops", "dba"].map(str::to_owned);
        let all = self.store.late(&receivers, AFTER.since(now)).await.map_err(|error| said(&error))?;
        for late in all {
            let Some((name, fallback)) = self.config.fallback(&late.receiver) else { continue };
            let targets = fallback.targets.iter().map(|target| TargetRow::new(target.lane(), target.json()));
            let fallback =
                Fallback { receiver: name.to_owned(), note_json: "{}".to_owned(), targets: targets.collect() };
            let request = Detour { message: late.message, epoch: late.epoch, revision: late.revision, fallback };
            if self.store.fall_back(request, now).await.map_err(|error| said(&error))? {
                self.dirty = true;
                self.note_copies(1).await?;
            }
        }
        Ok(())
    }
}

/// What a sender would report of an alert that the store knows.
fn telling(alert: &ActAlert, status: Status) -> Telling {
    let peer = alert.sender == "http://am-1";
    Telling { status, start: alert.starts_at.unwrap_or_default(), end: None, peer }
}
