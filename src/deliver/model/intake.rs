//! Notifications, and what must become of them.

use std::collections::HashMap;

use bytes::Bytes;

use super::action::{Report, Who};
use super::ledger::Message;
use super::reference::{News, Telling};
use super::world::{ALERTS, World, said};
use super::{Check, Mutant};
use crate::alert::{Format, Identity, TransitionKind};
use crate::names::{LaneKey, SourceId};
use crate::store::{Admission, Arrival, Delivery, Recipient, State};

/// A receiver, as the sources know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hearer {
    pub receiver: &'static str,
    /// The index of its first alert: distinct for each receiver, so that a transition's notification and index identify
    /// its receiver.
    pub first: u32,
    /// The interval of its reminders, in milliseconds.
    pub every: i64,
    /// When its first step of an escalation is due.
    pub after: Option<i64>,
}

pub const OPS: Hearer = Hearer { receiver: "ops", first: 0, every: 3_600_000, after: Some(super::world::STEP_MS) };
pub const DBA: Hearer = Hearer { receiver: "dba", first: 100, every: 600_000, after: None };

/// The body of every notification.
pub const BODY: &[u8] = b"{}";

impl World {
    pub async fn notify(&mut self, report: Report, alerts: u8, peer: bool, who: Who) -> Check {
        let now = self.now();
        let told: Vec<(u8, Telling)> = (0..ALERTS)
            .filter(|alert| alerts >> alert & 1 == 1)
            .filter_map(|alert| Some((alert, self.truths[usize::from(alert)].tell(report, peer, now)?)))
            .collect();
        let receivers: &[Hearer] = match who {
            Who::Ops => &[OPS],
            Who::Dba => &[DBA],
            Who::Both => &[OPS, DBA],
        };
        if receivers.contains(&DBA) {
            self.escalated.retain(|alert| told.iter().all(|(told, _)| told != alert));
        }
        self.report(receivers, &told, peer).await
    }

    /// Some receivers are told of some alerts.
    pub async fn report(&mut self, receivers: &[Hearer], told: &[(u8, Telling)], peer: bool) -> Check {
        let now = self.now();
        let mut deliveries = Vec::new();
        let mut expected = HashMap::new();
        let mut suppressed = 0;
        for &Hearer { receiver, first, every, after } in receivers {
            let resolved_too = self.send_resolved || receiver == "ops";
            let targets = self.targets[receiver].clone();
            for &(alert, telling) in told {
                let name = format!("{receiver}/{alert}");
                let index = first + u32::from(alert);
                let mut expect = |kind: TransitionKind, act: bool| {
                    let each = targets.iter().map(|to| ((to.lane.clone(), index, act), (kind, name.clone())));
                    expected.extend(each);
                };
                match self.reference.judge(&name, telling, every, resolved_too, now) {
                    News::Told(kind) => {
                        expect(kind, false);
                        let other = format!("{}/{alert}", if receiver == "ops" { "dba" } else { "ops" });
                        if kind == TransitionKind::Firing && self.reference.take_over(&name, &other) {
                            expect(TransitionKind::Acknowledged, true);
                        }
                    }
                    News::Kept => suppressed += targets.len(),
                    News::No => {}
                }
            }
            deliveries.push(Recipient {
                receiver: receiver.to_owned(),
                send_resolved: resolved_too,
                repeat_interval_ms: every,
                escalate_after_ms: after,
                note_json: None,
                alerts: told.iter().map(|(alert, telling)| arrival(receiver, first, *alert, *telling)).collect(),
                targets,
            });
        }
        self.admit(deliveries, peer, expected, suppressed).await
    }

    async fn admit(
        &mut self,
        deliveries: Vec<Recipient>,
        peer: bool,
        mut expected: HashMap<(LaneKey, u32, bool), (TransitionKind, String)>,
        suppressed: usize,
    ) -> Check {
        let admission = Admission {
            source: SourceId::Configured("source".to_owned()),
            format: Format::Alertmanager,
            content_type: None,
            path_receiver: None,
            sender: if peer { "http://am-1" } else { "http://am-2" }.to_owned(),
            group_key: String::new(),
            received_at: self.now(),
            raw: Bytes::from_static(BODY),
            codec: 0,
            alive: None,
            stopped: None,
            push: false,
            test: false,
            deliveries,
        };
        self.ledger.suppressed += i64::try_from(suppressed).unwrap_or_default();
        let all = expected.len() + suppressed;
        self.admissions += u64::from(all > 0);
        self.dirty = true;
        if self.mutant == Mutant::AckBeforeCommit && all > 0 && self.admissions.is_multiple_of(50) {
            // The sender got its 200, but the process ended before the commit.
            let lost = Message { lane: LaneKey::stored("lost"), ..Message::default() };
            (0_i64..)
                .zip(expected.values())
                .for_each(|(id, (kind, name))| self.ledger.note(-1 - id, *kind, name, &lost));
            return Ok(());
        }
        let admitted = self.store.admit(admission).await.map_err(|error| said(&error))?;
        let acts = expected.keys().filter(|(.., act)| *act).count();
        if admitted.transitions + acts == all && acts > 0 {
            return Err(format!("A6: {expected:?}: a receiver does not hear of an acknowledgement"));
        }
        if admitted.transitions != all {
            return Err(format!("news: {} transitions, not {suppressed} + {expected:?}", admitted.transitions));
        }
        for (message, of) in self.discover(admitted.messages).await? {
            let contents = self.store.contents(message).await.map_err(|error| said(&error))?;
            for moved in contents.ok_or("L1: a message without contents")?.transitions {
                if moved.notification != admitted.id {
                    continue;
                }
                let act = moved.kind == TransitionKind::Acknowledged;
                match expected.remove(&(of.lane.clone(), moved.alert_index, act)) {
                    Some((kind, name)) if kind == moved.kind => self.ledger.note(moved.id, kind, &name, &of),
                    other => return Err(format!("news: {moved:?}, not {other:?}")),
                }
            }
        }
        match expected.keys().find(|(.., act)| *act) {
            Some(untold) => Err(format!("A6: {untold:?} does not hear of an acknowledgement")),
            None if expected.is_empty() => Ok(()),
            None => Err(format!("L1: not written: {expected:?}")),
        }
    }

    /// Looks up the newest messages, at most `most`, and records the new ones.
    pub async fn discover(&mut self, most: usize) -> Result<Vec<(i64, Message)>, String> {
        if most == 0 {
            return Ok(Vec::new());
        }
        let rows = self.store.deliveries(most).await.map_err(|error| said(&error))?;
        let mut found = Vec::new();
        for row in rows.into_iter().rev().filter(|row| row.message > self.newest) {
            let of = row.origin.and_then(|origin| self.ledger.messages.get(&origin));
            let source = of.map_or_else(|| row.lane.clone(), |of| of.source.clone());
            let again = of.is_some_and(|of| of.again || of.lane == row.lane);
            if let Some(of) = row.picture_of {
                self.is_news(of).await?;
            }
            let own = row.digest || row.act.is_some() || row.picture_of.is_some();
            let content = if own { (row.message, String::new()) } else { (row.notification, row.receiver) };
            let instead = of.filter(|of| of.lane != row.lane).and(row.origin);
            let picture_of = row.picture_of;
            let message = Message { lane: row.lane, source, again, unsure: 0, content, instead, picture_of };
            self.ledger.once(&message)?;
            self.ledger.messages.insert(row.message, message.clone());
            found.push((row.message, message));
        }
        self.newest = found.last().map_or(self.newest, |(message, _)| *message);
        Ok(found)
    }

    /// A picture follows what brought news (P2).
    async fn is_news(&self, of: i64) -> Result<(), String> {
        let found = self.store.delivery(of).await.map_err(|error| said(&error))?;
        let news = |of: &Delivery| of.transitions.iter().any(|told| told.kind == TransitionKind::Firing);
        let fits = |of: &Delivery| of.row.state == State::Sent && !of.row.digest && of.row.act.is_none() && news(of);
        if found.as_ref().is_some_and(fits) { Ok(()) } else { Err(format!("P2: a picture follows {found:?}")) }
    }

    /// Records the newest messages that no notification brought, at most `most`: copies, and those about acts. Returns
    /// the number of their new transitions.
    pub async fn note_copies(&mut self, most: usize) -> Result<usize, String> {
        let mut new = 0;
        for (message, of) in self.discover(most).await? {
            let copy = self.store.delivery(message).await.map_err(|error| said(&error))?;
            // A message about an act takes over what an older one waits to tell.
            for row in copy.ok_or("L1: a copy is gone")?.transitions {
                if !self.ledger.told.contains_key(&row.id) {
                    self.ledger.note(row.id, row.kind, &row.name, &of);
                    new += 1;
                }
            }
        }
        Ok(new)
    }
}

fn arrival(receiver: &str, first: u32, alert: u8, telling: Telling) -> Arrival {
    let name = format!("{receiver}/{alert}");
    Arrival {
        index: first + u32::from(alert),
        identity: Identity([alert; 32]),
        labels_json: format!(r#"{{"alertname":"{name}"}}"#),
        name,
        critical: alert < 2,
        status: telling.status,
        starts_at: Some(telling.start),
        reported: false,
        ends_at: telling.end,
        lapses_at: None,
        thread: None,
        kin: None,
        steady: false,
    }
}
