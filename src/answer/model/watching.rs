//! Looks at the upstream and steps of escalations: carries out the commands of the real machines.

use super::Mutant;
use super::world::World;
use crate::alert::Status;
use crate::answer::escalation::{Next, Turn, next, turn};
use crate::answer::following::hidden_act;
use crate::answer::watch::{Command, Event, Kept, Ours, Row, Watch};
use crate::answer::watching::JUST_READ_MS;
use crate::engine::truth::{State, verdict};
use crate::sequences::Check;
use crate::store::{Escalation, Truth};

impl World {
    /// A look begins, or carries out its next command.
    pub fn look(&mut self) {
        let Some((mut watch, command)) = self.watch.take() else {
            let rows = self.rows();
            if !rows.is_empty() {
                self.begin_look(rows);
            }
            return;
        };
        if let Some(event) = self.carry_out_look(command) {
            let command = watch.on(event, self.now());
            self.watch = Some((watch, command));
        }
    }

    /// A whole look.
    pub fn look_whole(&mut self) {
        self.watch = None;
        self.look();
        while self.watch.is_some() {
            self.look();
        }
    }

    fn begin_look(&mut self, rows: Vec<Row>) {
        let mut watch = Watch::new(&self.config.upstreams[0], rows);
        let command = watch.on(Event::Started, self.now());
        self.watch = Some((watch, command));
    }

    /// The firing alerts with their upstream, which is recorded first.
    fn rows(&mut self) -> Vec<Row> {
        let now = self.now();
        let new = self.memory.followed().into_iter().filter(|one| one.truth.is_none());
        let truths = new.map(|one| Truth {
            alert: one.alert.alert,
            thread: one.alert.thread,
            upstream: self.config.upstreams[0].name.clone(),
            state_json: Kept { receiver: String::new(), state: State::Unknown }.json(),
            seen_at: now,
            listed_at: None,
            absent_at: None,
        });
        self.memory.note_truths(truths.collect(), now);
        self.memory.followed().into_iter().map(|one| Row::of(one, &self.config)).collect()
    }

    /// `None`: the look is over.
    fn carry_out_look(&mut self, command: Command) -> Option<Event> {
        let now = self.now();
        match command {
            Command::Silences => {
                let silences = self.memory.silences(now).into_iter().map(|silence| Ours {
                    act: silence.act,
                    id: silence.upstream_id,
                    until: silence.until,
                    alerts: self.memory.act_alerts(silence.act).iter().map(|alert| alert.identity).collect(),
                });
                return Some(Event::Silences(silences.collect()));
            }
            Command::Look { .. } => {
                return Some(Event::Looked(vec![(!self.upstream.down).then(|| self.upstream.look(now))]));
            }
            Command::Hide(hidden) => {
                let act = hidden_act("am", hidden, &self.listeners);
                self.memory.act(&act, now);
            }
            Command::Delay { alert, step, fired_at, due_at } => {
                self.memory.delay_escalation(alert, step, fired_at, due_at);
            }
            // A reminder changes nothing here.
            Command::Remind { .. } => {}
            Command::Over(alerts) => {
                for identity in alerts {
                    for told in self.memory.told_firing(identity) {
                        self.admit(usize::from(told.identity.0[0]), Status::Resolved);
                    }
                }
            }
            Command::Check { id, .. } => {
                let gone = !self.upstream.down && self.upstream.in_force().all(|silence| silence.id != id);
                return Some(Event::Checked { gone: gone && self.mutant != Mutant::EndUnheard });
            }
            Command::Drop { act, id } => self.memory.end_silence(act, &id, now),
            Command::Note(truths) => self.memory.note_truths(truths, now),
            Command::End { .. } => return None,
        }
        Some(Event::Done)
    }

    /// Takes the steps that are due, as `answer::escalation` does, after it asked upstream.
    pub fn escalate(&mut self) -> Check {
        let now = self.now();
        let due = self.memory.due_escalations(now);
        let is_due = |alert: i64| due.iter().any(|due| due.alert.alert == alert);
        let rows = self.rows();
        let stale = rows.into_iter().filter(|row| is_due(row.alert.alert) && !row.is_younger(JUST_READ_MS, now));
        let stale: Vec<Row> = stale.collect();
        if !stale.is_empty() {
            let before = self.watch.take();
            self.begin_look(stale);
            while self.watch.is_some() {
                self.look();
            }
            self.watch = before;
        }
        let rows = self.rows();
        for due in self.memory.due_escalations(now).into_iter().filter(|due| is_due(due.alert.alert)) {
            let row = rows.iter().find(|row| row.alert.alert == due.alert.alert);
            let verdict = row.map(|row| verdict(row.reading(), now)).filter(|_| self.mutant != Mutant::UpstreamIgnored);
            match turn(&due, verdict, now) {
                Turn::Later(later) => {
                    self.memory.delay_escalation(due.alert.alert, due.step, due.fired_at, later);
                }
                Turn::Taken { .. } => self.step_of(&due)?,
            }
        }
        Ok(())
    }

    fn step_of(&self, due: &Escalation) -> Check {
        let steps = &self.config.receivers["ops"].escalate;
        match next(steps, due) {
            Next::Over => self.memory.forget_escalation(due.alert.alert),
            Next::Nobody => {
                self.memory.advance_escalation(due.alert.alert, due.step, None);
            }
            Next::Tell { following, .. } => {
                let alert = usize::from(due.alert.identity.0[0]);
                // A reading is trusted for two seconds.
                let since = self.upstream.suppressed_at[alert].filter(|at| *at <= self.real - JUST_READ_MS);
                if !self.upstream.down && since.is_some() {
                    return Err(format!("A4: a step for {:?}, suppressed upstream", due.alert));
                }
                self.memory.advance_escalation(due.alert.alert, due.step, following);
            }
        }
        Ok(())
    }
}
