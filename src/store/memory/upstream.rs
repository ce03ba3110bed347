//! Silences, the ends of acts that made them, and what upstreams say.

use super::{Act, Made, Memory, Tables};
use crate::alert::{Status, ThreadId, Timestamp};
use crate::engine::act::{self, EarlierSilence, EndFacts, Recorded, SILENCES, still_on};
use crate::engine::escalate::{Course, delay};
use crate::engine::truth::is_recorded;
use crate::store::acts::AFTER_SILENCE_MS;
use crate::store::{ActAlert, ActEnd, ActKind, ActRow, ActState, Acted, Followed, NewAct, Silence, Truth};

impl Memory {
    /// Records the end of an open act, and queues the messages about it.
    pub fn end_act(&self, end: &ActEnd, now: Timestamp) -> Option<Acted> {
        let mut tables = self.0.borrow_mut();
        let draft = act::end_act(end, tables.end_facts(end), now)?;
        let waits = draft.merges().map_or_else(Vec::new, |(merges, kind)| tables.act_waits(merges, kind));
        let (acted, changes) = draft.finish(&waits);
        tables.write(&changes);
        Some(acted)
    }

    /// An act.
    pub fn act_row(&self, id: i64) -> Option<ActRow> {
        let tables = self.0.borrow();
        let act = tables.acts.get(id)?;
        let Recorded { id, kind, state, doer, detail } = act.recorded.clone();
        Some(ActRow {
            id,
            at: doer.at,
            kind,
            state,
            by: doer.by,
            via: act.via.clone(),
            peer: None,
            thread: ThreadId(act.thread),
            message: act.message,
            until: doer.until,
            detail,
            alerts: act.touched.len() as u64,
        })
    }

    /// The acts that are open, newest first.
    pub fn open_acts(&self) -> Vec<i64> {
        let tables = self.0.borrow();
        let open = tables.acts.iter().rev().filter(|(_, act)| act.recorded.state == ActState::Open);
        open.map(|(id, _)| id).collect()
    }

    /// The alerts that an act touched.
    pub fn act_alerts(&self, act: i64) -> Vec<ActAlert> {
        self.0.borrow().touched(act)
    }

    /// The silences in force, and those that ended lately.
    pub fn silences(&self, now: Timestamp) -> Vec<Silence> {
        let tables = self.0.borrow();
        let silence = |(act, made): (&i64, &Made)| {
            let Act { recorded: Recorded { doer, .. }, thread, .. } = &tables.acts[act];
            Silence {
                act: *act,
                upstream: made.upstream.clone(),
                upstream_id: made.upstream_id.clone(),
                matchers_json: made.matchers_json.clone(),
                thread: ThreadId(*thread),
                by: doer.by.clone(),
                at: doer.at,
                until: made.until,
                absent: 0,
            }
        };
        let after = now.plus_millis(-AFTER_SILENCE_MS);
        let mut all: Vec<Silence> =
            tables.silences.iter().filter(|(_, made)| made.until >= after).map(silence).collect();
        all.sort_by_key(|silence| (silence.until, silence.act));
        all
    }

    /// Records a new end of a silence, and its id.
    pub fn extend_silence(&self, act: i64, upstream_id: &str, until: Timestamp) {
        if let Some(made) = self.0.borrow_mut().silences.get_mut(&act) {
            (made.upstream_id, made.until) = (upstream_id.to_owned(), until);
        }
    }

    /// Records that a silence is over, unless another one took its place.
    pub fn end_silence(&self, act: i64, upstream_id: &str, at: Timestamp) {
        let mut tables = self.0.borrow_mut();
        if let Some(made) = tables.silences.get_mut(&act).filter(|made| made.upstream_id == upstream_id) {
            made.until = at;
        }
    }

    /// The firing alerts whose upstream is asked, those with a waiting step first.
    pub fn followed(&self) -> Vec<Followed> {
        let tables = self.0.borrow();
        let firing = tables.alerts.iter().filter(|(_, alert)| alert.row.known.status == Status::Firing);
        let mut all: Vec<Followed> = firing
            .map(|(id, alert)| {
                let waits = |course: &&Course| course.due_at.is_some() && alert.owner.is_none();
                let truth = tables.truths.get(&id).filter(|truth| truth.thread.0 == alert.row.thread);
                Followed {
                    alert: tables.act_alert(id),
                    told_at: alert.row.known.told_at,
                    step: tables.escalations.get(&id).filter(waits).map(|course| course.step),
                    truth: truth.cloned(),
                }
            })
            .collect();
        all.sort_by_key(|one| (one.step.is_none(), one.alert.alert));
        all
    }

    /// Records what upstreams said.
    pub fn note_truths(&self, truths: Vec<Truth>, now: Timestamp) {
        let mut tables = self.0.borrow_mut();
        for truth in truths {
            let thread = tables.alerts.get(truth.alert).map(|alert| ThreadId(alert.row.thread));
            let recorded = tables.truths.get(&truth.alert).map(|known| (known.thread, known.seen_at));
            if is_recorded((truth.thread, truth.seen_at), recorded, thread, now) {
                tables.truths.insert(truth.alert, truth);
            }
        }
    }

    /// Moves the waiting step of an escalation.
    pub fn delay_escalation(&self, alert: i64, step: u32, fired_at: Timestamp, due_at: Timestamp) {
        let mut tables = self.0.borrow_mut();
        let course = tables.course(alert);
        let changes = delay(course, step, fired_at, due_at);
        tables.write(&changes);
    }
}

impl Tables {
    pub(super) fn course(&self, alert: i64) -> Option<Course> {
        let course = self.escalations.get(&alert)?;
        Some(Course { status: self.alerts[&alert].row.known.status, ..*course })
    }

    fn end_facts(&self, end: &ActEnd) -> EndFacts {
        let act = self.acts.get(end.act).map(|act| act.recorded.clone());
        let on = still_on(self.touched(end.act));
        let same = |made: &Made| {
            let new = end.silence.as_ref();
            new.is_some_and(|new| (&made.upstream, &made.upstream_id) == (&new.upstream, &new.upstream_id))
        };
        EndFacts {
            act,
            silences: self.silences.iter().filter(|(_, made)| same(made)).map(|(act, _)| *act).collect(),
            kept: on.iter().map(|alert| (alert.notification, alert.notification)).collect(),
            on,
            ids: self.last_ids(),
        }
    }

    /// The earlier silences of an alert that would not end earlier than the one that is asked for.
    pub(super) fn earlier_silences(&self, request: &NewAct, alert: &ActAlert, now: Timestamp) -> Vec<EarlierSilence> {
        let acts = self.acts.iter().rev().filter(|(_, act)| {
            act.recorded.kind == ActKind::Silence && act.touched.get(&alert.alert) == Some(&alert.thread.0)
        });
        let earlier = acts.take(SILENCES as usize).map(|(id, act)| EarlierSilence {
            act: id,
            state: act.recorded.state,
            doer: act.recorded.doer.clone(),
            until: self.silences.get(&id).map(|made| made.until),
            touched: act.touched.iter().map(|(alert, thread)| (*alert, *thread)).collect(),
        });
        earlier.filter(|silence| silence.outlasts(request, now)).collect()
    }

    fn touched(&self, act: i64) -> Vec<ActAlert> {
        let touched = self.acts.get(act).into_iter().flat_map(|act| act.touched.keys());
        touched.filter(|alert| self.alerts.get(**alert).is_some()).map(|alert| self.act_alert(*alert)).collect()
    }
}
