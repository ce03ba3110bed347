//! Brings the world to rest when nothing fails any more, and compares the record with the upstream.

use super::Answer;
use super::world::World;
use crate::sequences::Check;
use crate::store::{ActKind, ActRow, ActState, Silence};
use crate::upstream::marker;

impl World {
    /// Nothing fails any more, and the clock is right: everything must come to rest and satisfy the laws.
    pub fn rest(&mut self) -> Check {
        (self.upstream.down, self.skew) = (false, 0);
        for _ in 0..10 {
            while !self.runs.is_empty() {
                self.work(0, Answer::Given);
                self.upstream.pass(self.real);
            }
            self.real += 60_000;
            self.upstream.pass(self.real);
            self.sweep();
        }
        if let Some(act) = self.memory.open_acts().first() {
            return Err(format!("rest: {:?} stays open", self.memory.act_row(*act)));
        }
        for _ in 0..3 {
            self.real += 20_000;
            self.upstream.pass(self.real);
            self.look_whole();
        }
        self.once()?;
        self.record()
    }

    /// At most one silence for one request.
    fn once(&self) -> Check {
        for act in (1..).map_while(|act| self.memory.act_row(act)).filter(|act| act.kind == ActKind::Silence) {
            let marked = self.upstream.marked(&marker(Some(act.thread), &format!("{}-{}", act.id, act.at.0)));
            // Two runs may have failed with an unknown result, as it was told.
            let unknown = usize::from(act.state == ActState::Failed);
            if marked.len() > 1 + unknown + self.excused.get(&act.id).copied().unwrap_or_default() {
                return Err(format!("A2: {act:?} made {marked:?}"));
            }
        }
        Ok(())
    }

    /// Did a request for another end of the silences of its episode fail? It may have been done, as it was told.
    fn failed_longer(&self, act: &ActRow) -> bool {
        let of = |other: &ActRow| other.kind == ActKind::Extend && other.thread == act.thread;
        (1..).map_while(|act| self.memory.act_row(act)).any(|act| of(&act) && act.state == ActState::Failed)
    }

    /// The record and the upstream agree.
    fn record(&self) -> Check {
        let now = self.now();
        let kept: Vec<Silence> = self.memory.silences(now).into_iter().filter(|one| one.until > now).collect();
        for silence in &kept {
            let alerts = self.memory.act_alerts(silence.act);
            let shown = alerts.iter().map(|alert| usize::from(alert.identity.0[0]));
            let mut shown = shown.filter(|alert| self.upstream.firing[*alert].is_some());
            if let Some(alert) = shown.find(|alert| !self.upstream.is_suppressed(*alert)) {
                return Err(format!("record: {silence:?} does not hide {alert}"));
            }
        }
        for silence in self.upstream.in_force() {
            let act = (1..).map_while(|act| self.memory.act_row(act)).find(|act| {
                silence
                    .comment
                    .ends_with(&format!("({})", marker(Some(act.thread), &format!("{}-{}", act.id, act.at.0))))
            });
            let Some(act) = act else { continue };
            let known = kept.iter().any(|kept| (kept.act, &kept.upstream_id) == (act.id, &silence.id));
            let excused =
                act.state == ActState::Failed || self.excused.contains_key(&act.id) || self.failed_longer(&act);
            if !known && !excused {
                return Err(format!("record: {silence:?} of {act:?} is not in force by the record: {kept:?}"));
            }
        }
        Ok(())
    }
}
