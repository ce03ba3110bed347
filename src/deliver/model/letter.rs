//! What the model's worker renders: a text that lists all its transitions.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::driver::Trouble;
use super::world::World;
use super::{LANES, Mutant};
use crate::alert::{Status, TransitionKind};
use crate::config::Target;
use crate::deliver::card;
use crate::deliver::letter::{Form, PLAIN, Shape, is_copy};
use crate::standing;
use crate::store::{Card, Freeze, Naming, Queued};

/// Alerts that a digest of the model has room to name.
const NAMED: usize = 3;

/// The lane whose messages are cards.
pub const CARDS: usize = 0;

/// What the request of a card, or of the update of one, holds.
#[derive(Debug, Serialize, Deserialize)]
pub struct CardBody {
    /// Of an update.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_code: Option<String>,
    /// The message that is the card.
    pub card: i64,
    /// What it shows from now on.
    pub shows: String,
}

impl CardBody {
    fn bytes(&self) -> Bytes {
        serde_json::to_vec(self).expect("a card is JSON").into()
    }

    /// `None`: the request is no card.
    pub fn read(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }
}

/// What a card shows by the record: that all is over, or who has its alerts.
pub fn shows(card: &Card) -> String {
    if card.alerts.iter().all(|alert| alert.status == Status::Resolved) {
        return "over".to_owned();
    }
    standing::owner(&card.alerts).map_or_else(|| "free".to_owned(), |owner| owner.by.clone())
}

/// Does a picture follow the message? Of some that tell what begins.
fn pictured(queued: &Queued) -> bool {
    let begins = queued.transitions.iter().any(|moved| moved.kind == TransitionKind::Firing);
    begins && !queued.digest && !queued.act && queued.picture_of.is_none() && queued.message % 3 != 0
}

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
        let (mut tells, naming) = if queued.picture_of.is_some() {
            (Vec::new(), Naming::AllBut(Vec::new()))
        } else if queued.digest {
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
        let shape = Shape::of(form, before.map(|frozen| frozen.face.as_str()), false);
        if let Some((face, body)) = self.card(queued, shape).await? {
            let face = face.to_owned();
            let freeze = Freeze { face, parts: vec![body.clone()], next_part: 0, naming, pictured: pictured(queued) };
            return Ok(Letter { freeze: Some(freeze), bodies: vec![body], tells });
        }
        let plain = shape == Shape::Plain;
        let parts = if !plain && queued.message % 5 == 0 { 2 } else { 1 };
        let version = before.map_or(0, |frozen| frozen.version) + 1;
        let text = |part: u32| Bytes::from(format!("{} {version} {part} {plain} {tells:?}", queued.message));
        let bodies: Vec<Bytes> = (0..parts).map(text).collect();
        let next_part = before.filter(|frozen| frozen.parts.len() == bodies.len()).map_or(0, |frozen| frozen.next_part);
        let face = if plain { PLAIN } else { "text" }.to_owned();
        let pictured = !plain && pictured(queued);
        let freeze = Freeze { face, parts: bodies.clone(), next_part, naming, pictured };
        Ok(Letter { freeze: Some(freeze), bodies, tells })
    }

    /// The face and the bytes of a card, or of the update of one, if the message is that.
    async fn card(&self, queued: &Queued, shape: Shape) -> Result<Option<(&'static str, Bytes)>, Trouble> {
        if shape != Shape::Whole || queued.digest || queued.picture_of.is_some() || queued.lane.as_str() != LANES[CARDS]
        {
            return Ok(None);
        }
        let ends = queued.transitions.iter().all(|moved| moved.kind == TransitionKind::Resolved);
        if !queued.act && !ends {
            let card = CardBody { response_code: None, card: queued.message, shows: String::new() };
            return Ok(Some((card::BUTTONS, card.bytes())));
        }
        let known = self.store.card(&queued.lane, queued.message, self.now()).await?;
        let Some((of, code)) = card::updated(known, !queued.act) else { return Ok(None) };
        if self.spent.get(&code).is_some_and(|by| *by != queued.message) {
            return Err(format!("A3: the used code {code} is used again by {}", queued.message).into());
        }
        let shows = if self.mutant == Mutant::CardLags { "free".to_owned() } else { shows(&of) };
        let body = CardBody { response_code: Some(code), card: of.message, shows };
        Ok(Some((card::UPDATE, body.bytes())))
    }

    /// The content of a digest: its sums are those of its transitions (L10).
    async fn digest(&self, message: i64) -> Result<(Vec<i64>, Naming), Trouble> {
        let digest = self.store.digest(message).await?;
        let rows = self.store.delivery(message).await?.ok_or("a digest is gone")?.transitions;
        let items: u64 = digest.items.iter().map(|item| item.changes).sum();
        let all = rows.len() as u64;
        let wrong = digest.items.iter().find(|item| {
            let mine = rows.iter().filter(|row| row.name == item.name);
            let over = mine.clone().next_back().is_some_and(|row| row.kind == TransitionKind::Resolved);
            mine.count() as u64 != item.changes || over != (item.status == Status::Resolved)
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
