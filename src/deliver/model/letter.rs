//! What the model's worker renders: a text that lists all its transitions.

use bytes::Bytes;

use super::Mutant;
use super::driver::Trouble;
use super::world::World;
use crate::config::Target;
use crate::deliver::letter::{Form, PLAIN, is_copy};
use crate::store::{Freeze, Naming, Queued};

/// Alerts that a digest of the model has room to name.
const NAMED: usize = 3;

/// The model's renderer.
pub struct Letter {
    pub freeze: Option<Freeze>,
    pub bodies: Vec<Bytes>,
    pub tells: Vec<i64>,
}

impl World {
    /// A text that lists all its transitions; a digest names a few.
    pub async fn write(
        &self,
        queued: &Queued,
        target: &Target,
        form: Form,
        with: Option<i64>,
    ) -> Result<Letter, Trouble> {
        let (mut tells, naming) = if queued.digest {
            let (tells, naming) = self.digest(queued.message).await?;
            (tells, naming)
        } else {
            let counted = queued.transitions.iter().skip(2 * NAMED).map(|moved| moved.id).collect();
            (queued.transitions.iter().map(|moved| moved.id).collect(), Naming::AllBut(counted))
        };
        if let (true, Some(unsure)) = (queued.digest, with) {
            // This mutant folds what was claimed before.
            let other = self.store.delivery(unsure).await?.ok_or("it waits")?;
            tells.extend(other.transitions.iter().map(|row| row.id));
        }
        let repeated = is_copy(target, queued, self.now());
        if let Some(frozen) = queued.frozen.as_ref().filter(|_| form == Form::AsMeant && !repeated) {
            let mut bodies = frozen.parts.clone();
            if self.mutant == Mutant::BytesChange {
                for body in &mut bodies {
                    *body = Bytes::from([body, &b"!"[..]].concat());
                }
            }
            return Ok(Letter { freeze: None, bodies, tells });
        }
        let before = queued.frozen.as_ref();
        let plain = form == Form::Simpler || before.is_some_and(|frozen| frozen.face == PLAIN);
        let parts = if !plain && queued.message % 5 == 0 { 2 } else { 1 };
        let version = before.map_or(0, |frozen| frozen.version) + 1;
        let text = |part: u32| Bytes::from(format!("{} {version} {part} {plain} {tells:?}", queued.message));
        let bodies: Vec<Bytes> = (0..parts).map(text).collect();
        let next_part = before.filter(|frozen| frozen.parts.len() == bodies.len()).map_or(0, |frozen| frozen.next_part);
        let face = if plain { PLAIN } else { "text" }.to_owned();
        let freeze = Freeze { face, parts: bodies.clone(), next_part, naming };
        Ok(Letter { freeze: Some(freeze), bodies, tells })
    }

    /// The content of a digest: its sums are those of its transitions (L10).
    async fn digest(&self, message: i64) -> Result<(Vec<i64>, Naming), Trouble> {
        let digest = self.store.digest(message).await?;
        let rows = self.store.delivery(message).await?.ok_or("a digest is gone")?.transitions;
        let items: u64 = digest.items.iter().map(|item| item.changes).sum();
        let all = rows.len() as u64;
        let wrong = digest.items.iter().find(|item| {
            let mine = rows.iter().filter(|row| row.name == item.name);
            let over = mine.clone().next_back().is_some_and(|row| row.kind == crate::alert::TransitionKind::Resolved);
            mine.count() as u64 != item.changes || over != (item.status == crate::alert::Status::Resolved)
        });
        let known = rows.iter().all(|row| self.ledger.told.get(&row.id).is_some_and(|told| told.name == row.name));
        if digest.transitions != all
            || items != all
            || wrong.is_some()
            || !known
            || digest.firing + digest.resolved == 0
        {
            return Err(format!("L10: {digest:?} stands for {rows:?}").into());
        }
        let named = digest.items.iter().take(NAMED).map(|item| item.alert).collect();
        Ok((rows.iter().map(|row| row.id).collect(), Naming::OnlyAlerts(named)))
    }
}
