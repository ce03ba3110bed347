//! What the model knows as accepted, and the laws that the record must satisfy.

use std::collections::{BTreeMap, HashMap, HashSet};

use bytes::Bytes;

use super::Check;
use super::ground::Ground;
use super::phone::{Line, Phone};
use crate::alert::TransitionKind;
use crate::names::LaneKey;
use crate::store::{Delivery, Fate, State};

/// Everything that was accepted and is still on record.
#[derive(Debug, Default)]
pub struct Ledger {
    /// By id: the transition.
    pub told: HashMap<i64, Told>,
    places: u64,
    /// Settled transitions on record whose alerts were deleted because the clock was set forward: counted without a
    /// name.
    nameless: i64,
    /// How many of these are of acts.
    nameless_acts: i64,
    /// How many of these are suppressed.
    pub suppressed: i64,
    /// Every message.
    pub messages: BTreeMap<i64, Message>,
    /// A sample of final messages, as they were when they became final.
    finals: HashMap<i64, Delivery>,
    /// By message, version and part: the bytes that were sent.
    pub sent: HashMap<(i64, u32, u32), Bytes>,
}

/// A transition.
#[derive(Debug, Clone)]
pub struct Told {
    pub line: Line,
    pub kind: TransitionKind,
    pub name: String,
}

/// A message of the record.
#[derive(Debug, Clone, Default)]
pub struct Message {
    pub lane: LaneKey,
    /// The lane where it was first told: its own, or that of the message it is a copy of.
    pub source: LaneKey,
    /// It was resent by an operator.
    pub again: bool,
    /// Attempts whose result is unknown.
    pub unsure: u32,
    /// What it tells: the notification and the receiver, or, of a digest and of an act, itself.
    pub content: (i64, String),
    /// The message that it tells instead, in another lane.
    pub instead: Option<i64>,
    /// The message that it follows, if it is a picture.
    pub picture_of: Option<i64>,
}

impl Ledger {
    /// Records a transition of `message`.
    pub fn note(&mut self, id: i64, kind: TransitionKind, name: &str, message: &Message) {
        self.places += 1;
        let story = format!("{} <- {}: {name}", message.lane, message.source);
        let line = Line { story, place: self.places, again: message.again };
        self.told.insert(id, Told { line, kind, name: name.to_owned() });
    }

    /// A fallback's lane is told the same content once (L11).
    pub fn once(&self, copy: &Message) -> Check {
        // Of what was pruned nothing is known.
        let content = |message: &Message| self.messages.get(&message.instead?).map(|of| of.content.clone());
        let Some(told) = content(copy) else { return Ok(()) };
        let same = |other: &Message| other.lane == copy.lane && content(other).as_ref() == Some(&told);
        if self.messages.values().any(same) { Err(format!("L11: told again: {copy:?}")) } else { Ok(()) }
    }

    /// The place of the newest news of a story, told or not.
    pub fn newest(&self, story: &str) -> u64 {
        let of = self.told.values().filter(|told| told.line.story == story);
        of.map(|told| told.line.place).max().unwrap_or_default()
    }

    /// Transitions as a person reads them.
    pub fn lines(&self, ids: &[i64]) -> Result<Vec<Line>, String> {
        let line = |id: &i64| self.told.get(id).map(|told| told.line.clone());
        ids.iter().map(|id| line(id).ok_or_else(|| format!("L1: transition {id} was never accepted"))).collect()
    }

    /// After every step: the sums (L1, L2).
    pub async fn sums(&self, store: &Ground) -> Check {
        let audit = store.audit().await.map_err(|error| error.to_string())?;
        if audit.imbalance != 0 {
            return Err(format!("L2: {audit:?}"));
        }
        let told = audit.pending + audit.named + audit.counted + audit.dead;
        if told != i64::try_from(self.told.len()).unwrap_or_default() + self.nameless
            || audit.suppressed != self.suppressed
        {
            return Err(format!("L1: {} + {} were accepted, not {audit:?}", self.told.len(), self.suppressed));
        }
        Ok(())
    }

    /// Records how a message ended.
    pub async fn ended(&mut self, store: &Ground, message: i64) -> Check {
        // A sample: reading it takes longer than the step itself.
        if message % 4 == 0
            && let Some(delivery) = store.delivery(message).await.map_err(|error| error.to_string())?
        {
            self.finals.insert(message, settled(delivery));
        }
        Ok(())
    }

    /// Drops what the store has pruned; returns the messages, and the alerts with pending transitions.
    pub async fn pruned(&mut self, store: &Ground) -> Result<(Vec<i64>, HashSet<String>), String> {
        let (mut gone, mut left, mut waiting) = (Vec::new(), HashSet::new(), HashSet::new());
        self.nameless = 0;
        for &message in self.messages.keys() {
            match store.delivery(message).await.map_err(|error| error.to_string())? {
                None => gone.push(message),
                Some(delivery) => {
                    let all = delivery.row.firing + delivery.row.resolved;
                    let counted = |kind| !is_of_act(kind);
                    let rows = delivery.transitions.iter().filter(|row| counted(row.kind));
                    let known = rows.filter(|row| self.told.contains_key(&row.id)).count();
                    let nameless = all - i64::try_from(known).unwrap_or_default();
                    if nameless != 0 && delivery.row.settled_at.is_none() {
                        return Err(format!("L1: {nameless} alerts of {:?} are forgotten", delivery.row));
                    }
                    let known = delivery.transitions.len();
                    if self.finals.get(&message).is_some_and(|then| then.transitions.len() != known) {
                        self.finals.remove(&message);
                    }
                    self.nameless += nameless;
                    left.extend(delivery.transitions.iter().map(|row| row.id));
                    let pending = delivery.transitions.into_iter().filter(|row| row.fate == Fate::Pending);
                    waiting.extend(pending.map(|row| row.name));
                }
            }
        }
        for message in &gone {
            self.messages.remove(message);
            self.finals.remove(message);
        }
        self.sent.retain(|(message, _, _), _| self.messages.contains_key(message));
        let acts = self.told.iter().filter(|(id, told)| is_of_act(told.kind) && !left.contains(id)).count();
        self.told.retain(|id, _| left.contains(id));
        let audit = store.audit().await.map_err(|error| error.to_string())?;
        self.suppressed = audit.suppressed;
        // Transitions of acts that are on record without a name; no message counts them.
        let told = audit.pending + audit.named + audit.counted + audit.dead;
        let nameless = told - i64::try_from(left.len()).unwrap_or_default() - self.nameless;
        self.nameless_acts += i64::try_from(acts).unwrap_or_default();
        if !(0..=self.nameless_acts).contains(&nameless) {
            return Err(format!("L1: {nameless} of {} transitions of acts without a name", self.nameless_acts));
        }
        self.nameless_acts = nameless;
        self.nameless += nameless;
        Ok((gone, waiting))
    }

    /// At rest: every transition has one fate, and it is the truth.
    pub async fn close(&self, store: &Ground, phone: &Phone) -> Check {
        let mut fates: HashMap<i64, Fate> = HashMap::new();
        for &message in self.messages.keys() {
            let delivery = store.delivery(message).await.map_err(|error| error.to_string())?;
            let delivery = delivery.ok_or_else(|| format!("L1: message {message} is gone"))?;
            let delivery = settled(delivery);
            // The reason of a picture that was left out is pruned with the message that it was to follow.
            let pruned = delivery.row.picture_of.is_some_and(|of| !self.messages.contains_key(&of));
            let same = |then: &Delivery| {
                if pruned { Delivery { picture: None, ..then.clone() } == delivery } else { *then == delivery }
            };
            if self.finals.get(&message).is_some_and(|then| !same(then)) {
                return Err(format!("L7: message {message} changed: {:?}, {delivery:?}", self.finals[&message]));
            }
            self.bytes(&delivery)?;
            self.picture(&delivery, phone)?;
            for row in &delivery.transitions {
                if fates.insert(row.id, row.fate).is_some() {
                    return Err(format!("L2: transition {} is in two messages", row.id));
                }
                let right = match row.fate {
                    Fate::Named | Fate::Counted => delivery.row.state == State::Sent && phone.has(message),
                    Fate::Dead => delivery.row.state == State::Dead,
                    Fate::Pending | Fate::Suppressed => false,
                };
                if !right {
                    return Err(format!("L2: {row:?} of {:?}, arrived: {}", delivery.row, phone.has(message)));
                }
            }
        }
        self.last(&fates, phone)
    }

    /// A picture arrived, or it is left out for a reason that stands in the record of its message (P3).
    fn picture(&self, delivery: &Delivery, phone: &Phone) -> Check {
        let row = &delivery.row;
        let Some(of) = row.picture_of else { return Ok(()) };
        let ended = match row.state {
            State::Sent => phone.has(row.message),
            State::Folded => {
                row.folded_into == Some(of) && (delivery.picture.is_some() || !self.messages.contains_key(&of))
            }
            _ => false,
        };
        if ended { Ok(()) } else { Err(format!("P3: {row:?}, {:?}", delivery.picture)) }
    }

    /// The bytes that were sent are the recorded ones (L9).
    fn bytes(&self, delivery: &Delivery) -> Check {
        let message = delivery.row.message;
        for attempt in &delivery.attempts {
            let Some(sent) = self.sent.get(&(message, attempt.version, attempt.part)) else { continue };
            let kept =
                delivery.frozen.iter().find(|kept| (kept.version, kept.number) == (attempt.version, attempt.part));
            if kept.is_none_or(|kept| kept.body.as_bytes() != sent) {
                return Err(format!("L9: {message} sent {sent:?}, kept {kept:?}"));
            }
        }
        Ok(())
    }

    /// The last news of each story is what people were told last, or it is dead (L8).
    fn last(&self, fates: &HashMap<i64, Fate>, phone: &Phone) -> Check {
        let mut last: HashMap<&str, (u64, i64)> = HashMap::new();
        for (&id, told) in self.told.iter().filter(|(_, told)| !told.line.again) {
            let newest = last.entry(&told.line.story).or_default();
            *newest = (*newest).max((told.line.place, id));
        }
        for (story, (place, id)) in last {
            let fate = fates.get(&id).ok_or_else(|| format!("L1: transition {id} of {story} is gone"))?;
            // People may have been told something newer: a clock that was set made the record lose it.
            if *fate != Fate::Dead && phone.last(story) < place {
                return Err(format!("L8: {story} ends with {place}, people heard {}", phone.last(story)));
            }
        }
        Ok(())
    }
}

/// Is it told because of an act?
pub const fn is_of_act(kind: TransitionKind) -> bool {
    matches!(kind, TransitionKind::Acknowledged | TransitionKind::Released)
}

/// The parts that may no longer change: the notification's repeats after it was told are not among them, nor what becomes of
/// the picture that follows it.
fn settled(mut delivery: Delivery) -> Delivery {
    delivery.row.repeated = 0;
    delivery.picture = delivery.picture.filter(|_| delivery.row.picture_of.is_some());
    delivery
}
