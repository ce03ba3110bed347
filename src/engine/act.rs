//! Acts of people: what a request or its end changes, and who is told.

mod request;
mod telling;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use sha2::{Digest as _, Sha256};

use super::admit::{Merge, Waits, next, take_over};
use super::card::{Code, Codes};
use super::changes::{
    CardState, Changes, EndedAct, EscalationChange, Ids, NewActRow, NewMessage, NewTransition, Owner, SilenceChange,
    Touched,
};
use crate::alert::{Identity, Status, Timestamp, TransitionKind};
use crate::engine::TargetRow;

pub use request::{
    ACT_ALERTS, About, ActAlert, ActEnd, ActKind, ActState, Acted, Doer, Listeners, NewAct, NewCode, NewSilence,
};
pub use telling::{Telling, telling, tellings, told_as};

/// Bytes kept of an event's name.
const EVENT_BYTES: usize = 200;

/// A requested silence repeats an earlier one if it would end at most this much later: a second press of the button
/// shortly afterwards asks for the same.
const SAME_END_MS: i64 = 60_000;

/// Acts of one person on one alert within [`LIMIT_MS`]: each of them is a message in every lane that heard of the
/// alert, and a link to the details page can be passed on. Visitors of the page have no name that is proven, so they
/// count together.
pub const LIMIT: u32 = 10;

/// Silences of one alert that are compared with a new one: the newest.
pub const SILENCES: u32 = 50;

/// The period of [`LIMIT`].
pub const LIMIT_MS: i64 = 10 * 60_000;

/// A recorded act, with the fields that a later one needs.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// Its number.
    pub id: i64,
    pub kind: ActKind,
    /// Its progress.
    pub state: ActState,
    /// The actor, the time, and the end of a silence that was asked for.
    pub doer: Doer,
    /// Details, in words.
    pub detail: String,
}

/// An earlier act that silenced the first of the alerts of a request, in its current episode.
#[derive(Debug, Clone)]
pub struct EarlierSilence {
    /// Its number.
    pub act: i64,
    /// Its progress.
    pub state: ActState,
    /// The actor, the time, and the end that was asked for.
    pub doer: Doer,
    /// When the silence that was made ends; `None`: there is none yet.
    pub until: Option<Timestamp>,
    /// The alerts that it touched, by row and episode; loaded only where [`EarlierSilence::outlasts`] holds.
    pub touched: HashSet<(i64, i64)>,
}

impl EarlierSilence {
    /// Is it in force, or being made, and would it end no earlier than `act` asks for?
    pub fn outlasts(&self, act: &NewAct, now: Timestamp) -> bool {
        let stands = match self.state {
            ActState::Open => true,
            ActState::Done => self.until.is_some_and(|until| until > now),
            _ => false,
        };
        let wanted = act.until.map_or(i64::MIN, |until| until.plus_millis(-SAME_END_MS).0);
        stands && self.ends().is_some_and(|until| until.0 >= wanted)
    }

    /// The actor, with the end that holds.
    fn doer(self) -> Doer {
        Doer { until: self.ends(), ..self.doer }
    }

    fn ends(&self) -> Option<Timestamp> {
        self.until.or(self.doer.until)
    }
}

/// The card that was pressed.
#[derive(Debug, Clone, Default)]
pub struct PressedCard {
    /// Its codes so far.
    pub codes: Codes,
}

/// What a request is decided on.
#[derive(Debug, Default)]
pub struct ActFacts {
    /// The act that the same event made before.
    pub first: Option<Recorded>,
    /// The firing alerts that it reaches, for each receiver.
    pub on: Vec<ActAlert>,
    /// How many alerts more it means.
    pub missed: u64,
    /// The silences that [`EarlierSilence::outlasts`] holds for, newest first.
    pub silences: Vec<EarlierSilence>,
    /// Acts of the same person on the first of the alerts within [`LIMIT_MS`].
    pub recent: u32,
    /// The episode of the message it is about.
    pub thread: Option<i64>,
    /// The card whose code it brings, if that message exists.
    pub card: Option<PressedCard>,
    /// For the last notification of each alert: itself, or, if it was pruned, the next one that exists.
    pub kept: BTreeMap<i64, i64>,
    /// The last ids given.
    pub ids: Ids,
}

/// What the end of an act is decided on.
#[derive(Debug, Default)]
pub struct EndFacts {
    pub act: Option<Recorded>,
    /// The alerts that it touched and that are still firing.
    pub on: Vec<ActAlert>,
    /// The acts on record that made the silence which this one made: more than none where it was extended.
    pub silences: Vec<i64>,
    /// As in [`ActFacts`].
    pub kept: BTreeMap<i64, i64>,
    /// The last ids given.
    pub ids: Ids,
}

/// A decision, up to the merges with what waits.
#[derive(Debug)]
pub struct Draft<'a> {
    acted: Acted,
    changes: Changes<'a>,
    merges: Vec<Merge<'a>>,
    told_as: Option<TransitionKind>,
}

impl<'a> Draft<'a> {
    fn without_effect(acted: Acted) -> Self {
        Self { acted, changes: Changes::default(), merges: Vec::new(), told_as: None }
    }

    /// The last ids given afterwards, if any were given.
    pub const fn ids(&self) -> Option<Ids> {
        self.changes.ids
    }

    /// The merges for which [`Draft::finish`] needs to know what waits, and the kind of transition that is told.
    pub fn merges(&self) -> Option<(&[Merge<'a>], TransitionKind)> {
        self.told_as.filter(|_| !self.merges.is_empty()).map(|kind| (&self.merges[..], kind))
    }

    /// Completes the changes. `waits`: for each merge, what waits in older messages about acts of the same state.
    pub fn finish(mut self, waits: &[Waits]) -> (Acted, Changes<'a>) {
        take_over(&self.merges, waits, &mut self.changes);
        (self.acted, self.changes)
    }
}

/// Decides a request for an act.
pub fn act(request: &NewAct, facts: ActFacts, now: Timestamp) -> Draft<'_> {
    if let Some(Recorded { id, state, doer, .. }) = facts.first {
        let (again, alerts) = (true, each_once(facts.on));
        return Draft::without_effect(Acted {
            act: id,
            state,
            again,
            before: Some(doer),
            alerts,
            missed: 0,
            lanes: Vec::new(),
        });
    }
    let ruling = rule(request, &facts.on, facts.recent, same_silence(facts.silences, &facts.on));
    if ruling.state == ActState::Limited {
        let (state, alerts) = (ActState::Limited, each_once(facts.on));
        return Draft::without_effect(Acted {
            act: 0,
            state,
            again: false,
            before: None,
            alerts,
            missed: 0,
            lanes: Vec::new(),
        });
    }
    let mut changes = Changes::default();
    // An act without effect is answered with the code; one that takes effect keeps it for the card.
    let keeps_code = matches!(ruling.state, ActState::Done | ActState::Open);
    if let (Some(code), Some(card)) = (request.code.as_ref().filter(|_| keeps_code), facts.card) {
        let codes = card.codes.pressed(Code { code: code.code.clone(), at: now });
        changes.cards.push(CardState { card: code.message, codes });
    }
    let mut ids = facts.ids;
    let id = next(&mut ids.act);
    let (message, thread) = match request.about {
        About::Message(message) => (Some(message), facts.thread.unwrap_or_default()),
        About::Thread(thread) => (None, thread.0),
        About::Nothing => (None, 0),
    };
    changes.acts.push(NewActRow {
        id,
        event: event(&request.event),
        at: now,
        state: ruling.state,
        request,
        message,
        thread,
    });
    let touched = ruling.touched.iter();
    changes.touched = touched.map(|alert| Touched { act: id, alert: alert.alert, thread: alert.thread.0 }).collect();
    let mut draft = Draft {
        acted: Acted {
            act: id,
            state: ruling.state,
            again: false,
            before: None,
            alerts: Vec::new(),
            missed: if keeps_code { facts.missed } else { 0 },
            lanes: Vec::new(),
        },
        changes,
        merges: Vec::new(),
        told_as: None,
    };
    if is_told_at_once(request.kind, ruling.state) {
        draft.changes.follow(request, &ruling.touched, now);
        let all = tellings(&ruling.touched, &request.listeners, request.except_lane.as_ref());
        draft.tell(id, request.kind, all, &facts.kept, &mut ids, now);
    }
    draft.acted.alerts = left(request, facts.on, &ruling, now);
    draft.acted.before = ruling.before;
    draft.changes.ids = Some(ids);
    draft
}

/// Decides the end of an act that was open. If it is no longer open, nothing changes. `None`: there is no such act.
pub fn end_act(end: &ActEnd, facts: EndFacts, now: Timestamp) -> Option<Draft<'_>> {
    let Recorded { id, kind, state, doer, detail } = facts.act?;
    if state != ActState::Open {
        let alerts = each_once(facts.on);
        let acted = Acted { act: id, state, again: true, before: Some(doer), alerts, missed: 0, lanes: Vec::new() };
        return Some(Draft::without_effect(acted));
    }
    let mut changes = Changes::default();
    let made = end.silence.as_ref();
    let detail = if end.detail.is_empty() { detail } else { end.detail.clone() };
    let until = made.map(|silence| silence.until).or(doer.until);
    changes.act_states.push(EndedAct { act: id, state: end.state, detail, until });
    let acted = Acted {
        act: id,
        state: end.state,
        again: false,
        before: None,
        alerts: Vec::new(),
        missed: 0,
        lanes: Vec::new(),
    };
    let mut draft = Draft { acted, changes, merges: Vec::new(), told_as: None };
    if end.state == ActState::Done {
        draft.changes.silences = match (kind, made) {
            (ActKind::Silence | ActKind::Extend, Some(silence)) if facts.silences.is_empty() => {
                vec![SilenceChange::Made { act: id, silence }]
            }
            (ActKind::Silence | ActKind::Extend, Some(silence)) => {
                let known = facts.silences.iter();
                known.map(|act| SilenceChange::Renewed { act: *act, silence }).collect()
            }
            _ => Vec::new(),
        };
        let mut ids = facts.ids;
        let all = tellings(&facts.on, &end.listeners, end.except_lane.as_ref());
        draft.tell(id, kind, all, &facts.kept, &mut ids, now);
        draft.changes.ids = (ids != facts.ids).then_some(ids);
    }
    draft.acted.alerts = each_once(facts.on);
    Some(draft)
}

/// Decides the message about an act for one more lane; `None`: there is nothing to tell, or the lane was told.
pub fn tell_of_act<'a>(
    receiver: &'a str,
    target: &'a TargetRow,
    told: bool,
    facts: EndFacts,
    now: Timestamp,
) -> Option<Draft<'a>> {
    let Recorded { id, kind, state, .. } = facts.act.filter(|_| !told)?;
    let one = telling(&facts.on, receiver, target)?;
    let acted = Acted { act: id, state, again: false, before: None, alerts: Vec::new(), missed: 0, lanes: Vec::new() };
    let mut draft = Draft::without_effect(acted);
    let mut ids = facts.ids;
    draft.tell(id, kind, vec![one], &facts.kept, &mut ids, now);
    draft.changes.ids = Some(ids);
    draft.told_as.map(|_| draft)
}

impl<'a> Draft<'a> {
    /// Queues the messages about an act. They may use the reserve of a budget.
    fn tell(
        &mut self,
        act: i64,
        kind: ActKind,
        all: Vec<Telling<'a, '_>>,
        kept: &BTreeMap<i64, i64>,
        ids: &mut Ids,
        now: Timestamp,
    ) {
        let Some(kind) = told_as(kind) else { return };
        for telling in all {
            // Without any notification left, a message has nothing to be written from.
            let Some(&notification) = kept.get(&telling.notification()) else { continue };
            let (target, message) = (telling.target, next(&mut ids.message));
            self.told_as = Some(kind);
            self.changes.messages.push(NewMessage {
                id: message,
                notification,
                receiver: telling.receiver,
                target,
                critical: false,
                urgent: true,
                thread: telling.thread(),
                created_at: now,
                note: None,
                act: Some(act),
                folded: None,
            });
            let alerts: Vec<i64> = telling.alerts.iter().map(|alert| alert.alert).collect();
            self.merges.extend(Merge::of_act(&alerts, &target.lane, message, now));
            self.changes.transitions.extend(telling.alerts.iter().map(|alert| NewTransition {
                id: next(&mut ids.transition),
                alert: alert.alert,
                notification,
                index: 0,
                message: Some(message),
                lane: &target.lane,
                kind,
                at: now,
                starts_at: alert.starts_at,
                ends_at: None,
                suppressed: None,
            }));
            self.acted.lanes.push(target.lane.clone());
        }
    }
}

impl<'a> Changes<'a> {
    /// What an act changes of the alerts that it touches.
    fn follow(&mut self, request: &'a NewAct, touched: &[ActAlert], now: Timestamp) {
        let alerts = touched.iter().map(|alert| alert.alert);
        match request.kind {
            ActKind::Acknowledge => {
                self.owners = alerts.map(|alert| Owner { alert, owner: Some((Cow::from(&request.by), now)) }).collect();
            }
            ActKind::Release => self.owners = alerts.map(|alert| Owner { alert, owner: None }).collect(),
            ActKind::Forget => {
                self.lapsed = alerts.clone().map(|alert| (alert, now)).collect();
                self.escalations = alerts.map(|alert| EscalationChange::Over { alert, at: now }).collect();
            }
            _ => {}
        }
    }
}

/// The decision about a request for an act.
#[derive(Debug, PartialEq, Eq)]
struct Ruling {
    state: ActState,
    /// The earlier actor.
    before: Option<Doer>,
    /// The alerts it touches.
    touched: Vec<ActAlert>,
}

/// `on`: the firing alerts it is about, for each receiver. `same`: the actor of an earlier silence of them that would
/// not end earlier.
fn rule(act: &NewAct, on: &[ActAlert], recent: u32, same: Option<Doer>) -> Ruling {
    let ruling = |state, before, touched| Ruling { state, before, touched };
    let held = |held: bool| -> Vec<ActAlert> {
        on.iter().filter(|alert| alert.acknowledged.is_some() == held).cloned().collect()
    };
    let asked = matches!(act.state, ActState::Done | ActState::Open);
    match (act.kind, act.state) {
        (ActKind::Acknowledge | ActKind::Release, ActState::Done) | (ActKind::Silence, ActState::Open)
            if on.is_empty() && act.about != About::Nothing =>
        {
            ruling(ActState::Void, None, Vec::new())
        }
        _ if asked && act.kind.is_by_people() && recent >= LIMIT => ruling(ActState::Limited, None, Vec::new()),
        (ActKind::Acknowledge, ActState::Done) => {
            let free = held(false);
            if free.is_empty() {
                let before = on.first().and_then(|alert| alert.acknowledged.clone());
                return ruling(ActState::Repeated, before, free);
            }
            ruling(ActState::Done, None, free)
        }
        (ActKind::Release, ActState::Done) => {
            let had = held(true);
            ruling(if had.is_empty() { ActState::Repeated } else { ActState::Done }, None, had)
        }
        (ActKind::Silence, ActState::Open) if same.is_some() => ruling(ActState::Repeated, same, Vec::new()),
        (_, state @ (ActState::Open | ActState::Done)) => ruling(state, None, on.to_vec()),
        (_, state) => ruling(state, None, Vec::new()),
    }
}

/// The alerts after the act, each once.
fn left(act: &NewAct, on: Vec<ActAlert>, ruling: &Ruling, now: Timestamp) -> Vec<ActAlert> {
    let touched: HashSet<i64> = ruling.touched.iter().map(|alert| alert.alert).collect();
    let holder = match (act.kind, ruling.state) {
        (ActKind::Acknowledge, ActState::Done) => Some(Some(Doer { by: act.by.clone(), at: now, until: None })),
        (ActKind::Release, ActState::Done) => Some(None),
        _ => None,
    };
    let changed = |mut alert: ActAlert| {
        if let Some(holder) = holder.as_ref().filter(|_| touched.contains(&alert.alert)) {
            alert.acknowledged.clone_from(holder);
        }
        alert
    };
    each_once(on.into_iter().map(changed).collect())
}

/// Is this act told as soon as it is recorded, because no step upstream follows?
const fn is_told_at_once(kind: ActKind, state: ActState) -> bool {
    let done = matches!(state, ActState::Done);
    done && matches!(kind, ActKind::Acknowledge | ActKind::Release | ActKind::Hide | ActKind::Forget)
}

/// A firing alert of the object of a request, for one receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its row.
    pub alert: i64,
    pub identity: Identity,
    pub receiver: String,
    /// Who has acknowledged it.
    pub owner: Option<String>,
}

/// The firing alerts that a request reaches.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Their rows, in order, for each receiver.
    pub alerts: Vec<i64>,
    /// How many alerts more are meant, each once.
    pub missed: u64,
}

/// Chooses the alerts that a request reaches: those that it means and that its actor has a right to, for all their
/// receivers; at most `most`, and first those that it changes, so that the next request reaches what this one left.
pub fn reach(act: &NewAct, mut firing: Vec<Candidate>, most: usize) -> Reach {
    let only: HashSet<Identity> = act.only.iter().copied().collect();
    firing.retain(|one| only.is_empty() || only.contains(&one.identity));
    if let Some(through) = &act.through {
        let own = |one: &Candidate| one.owner.as_ref().is_some_and(|owner| owner.eq_ignore_ascii_case(&act.by));
        let open = firing.iter().filter(|one| through.contains(&one.receiver) || own(one));
        let open: HashSet<Identity> = open.map(|one| one.identity).collect();
        firing.retain(|one| open.contains(&one.identity));
    }
    let changes = |one: &Candidate| match act.kind {
        ActKind::Acknowledge => one.owner.is_none(),
        ActKind::Release => one.owner.is_some(),
        _ => true,
    };
    firing.sort_unstable_by_key(|one| (!changes(one), one.alert));
    let (mut reached, mut missed) = (HashSet::new(), HashSet::new());
    for one in &firing {
        if reached.contains(&one.identity) || reached.len() < most {
            reached.insert(one.identity);
        } else if changes(one) {
            missed.insert(one.identity);
        }
    }
    let rows = firing.iter().filter(|one| reached.contains(&one.identity));
    let mut alerts: Vec<i64> = rows.map(|one| one.alert).collect();
    alerts.sort_unstable();
    Reach { alerts, missed: missed.len() as u64 }
}

/// The alerts among `touched` that are firing.
pub fn still_on(mut touched: Vec<ActAlert>) -> Vec<ActAlert> {
    touched.retain(|alert| alert.status == Status::Firing);
    touched
}

/// Each alert once, however many receivers know it.
fn each_once(alerts: Vec<ActAlert>) -> Vec<ActAlert> {
    let mut seen = HashSet::new();
    alerts.into_iter().filter(|alert| seen.insert(alert.identity)).take(ACT_ALERTS).collect()
}

/// The actor of the newest earlier silence that covers all alerts of the request.
fn same_silence(silences: Vec<EarlierSilence>, on: &[ActAlert]) -> Option<Doer> {
    silences.into_iter().find(|silence| covers(&silence.touched, on)).map(EarlierSilence::doer)
}

/// Did an earlier act touch all alerts of `on`, in their current episodes? `touched` has pairs of row and episode.
fn covers(touched: &HashSet<(i64, i64)>, on: &[ActAlert]) -> bool {
    let covered: HashSet<_> = on
        .iter()
        .filter(|alert| touched.contains(&(alert.alert, alert.thread.0)))
        .map(|alert| alert.identity)
        .collect();
    on.iter().all(|alert| covered.contains(&alert.identity))
}

/// An event's name as stored. A long one ends in a digest, so that names that differ only at the end stay distinct.
pub fn event(name: &str) -> String {
    if name.len() <= EVENT_BYTES {
        return name.to_owned();
    }
    let digest = Sha256::digest(name.as_bytes());
    let hex = digest[..16].iter().fold(String::from("#"), |hex, byte| hex + &format!("{byte:02x}"));
    let end = name.floor_char_boundary(EVENT_BYTES - hex.len());
    name[..end].to_owned() + &hex
}

/// The silences that need to be loaded: none for other acts, or if nothing is on.
pub fn asks_for_silences<'f>(act: &NewAct, on: &'f [ActAlert]) -> Option<&'f ActAlert> {
    on.first().filter(|_| (act.kind, act.state) == (ActKind::Silence, ActState::Open))
}

#[cfg(test)]
mod tests;
