//! Who may act on an alert, and who may see it.
//!
//! Without `may_act` the people who received it may: the members of a target, the members of an app's chat, those who
//! write in the bot conversation that it went to, and elsewhere the one who wrote there last. The members of a
//! webhook's group are unknown: they act by the page of their message, and cannot query.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::{Actor, Acts, Setup, Via, Wish};
use crate::config::{Target, To};
use crate::deliver::{Member, has_one_corp};
use crate::store::{About, ActAlert, ActKind, DeliveryFilter, StoreError, Ticket, fresh_secret, hash};

/// Messages of an episode that are searched at once for their recipients.
const RECEIVERS: usize = 50;

/// The right to an act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Right {
    /// None: the act is denied.
    None,
    /// To all alerts that it is about.
    All,
    /// To those that one of these receivers was told of, and to the actor's own.
    Through(BTreeSet<String>),
}

/// The actor's right to what is wished. Visitors of the page are unauthenticated: only where anyone may act are they
/// authorised. If the alert is unknown the actor is authorised, and the act has no effect.
pub(super) async fn may_act(acts: &Acts, actor: &Actor, wish: &Wish) -> Result<Right, StoreError> {
    let about = wish.about;
    // The scopes of an API token, and that it concerns one of the receivers, were checked before.
    if matches!(actor.via, Via::Command | Via::Api(_)) {
        return Ok(wish.within.as_ref().map_or(Right::All, |within| Right::Through(within.iter().cloned().collect())));
    }
    if matches!(actor.via, Via::Console(_)) && acts.setup.now().config.is_local_administrator(&actor.id) {
        return Ok(Right::All);
    }
    let again = matches!(wish.kind, ActKind::Resend | ActKind::Recall) && matches!(actor.via, Via::Console(_));
    if again && let Some(may) = acts.setup.now().config.may_resend(&actor.id, acts.clock.now()) {
        return Ok(if may { Right::All } else { Right::None });
    }
    let filter = match about {
        About::Message(message) => DeliveryFilter { message: Some(message), ..DeliveryFilter::default() },
        About::Thread(thread) => DeliveryFilter { thread: Some(thread), ..DeliveryFilter::default() },
        About::Nothing => return Ok(Right::All),
    };
    let filter = DeliveryFilter { limit: RECEIVERS, ..filter };
    let rows = acts.store.deliveries(filter.clone()).await?;
    let mut receivers: BTreeSet<String> = rows.into_iter().map(|row| row.receiver).collect();
    // Not every episode gives its id to a message, and messages are deleted before an alert that is firing.
    if let About::Thread(thread) = about {
        receivers.extend(acts.store.receivers_of(thread).await?);
    }
    if receivers.is_empty() {
        return Ok(Right::All);
    }
    let through = opening(acts, actor, about, receivers, filter).await?;
    let own = through.is_empty() && has_it(acts, actor, about).await?;
    Ok(if through.is_empty() && !own { Right::None } else { Right::Through(through) })
}

/// Those of `receivers` by which the actor may act on what they were told; `filter` finds the messages.
async fn opening(
    acts: &Acts,
    actor: &Actor,
    about: About,
    receivers: BTreeSet<String>,
    filter: DeliveryFilter,
) -> Result<BTreeSet<String>, StoreError> {
    let mut eyes = Eyes::of(acts, actor);
    let config = eyes.setup.config.clone();
    if actor.via == Via::Page {
        return Ok(receivers.into_iter().filter(|receiver| config.anybody_may_act(receiver)).collect());
    }
    let (named, mut open): (BTreeSet<String>, BTreeSet<String>) =
        receivers.into_iter().partition(|receiver| config.may_act(receiver).is_some());
    let now = acts.clock.now();
    let allows =
        |receiver: &String| config.may_act(receiver).is_some_and(|it| it.allows(&actor.id, now, &config.rotas));
    let mut through: BTreeSet<String> = named.into_iter().filter(allows).collect();
    // WeCom lets only recipients press a card.
    if matches!(about, About::Message(_)) && !matches!(actor.via, Via::Console(_)) {
        through.append(&mut open);
    }
    for receiver in std::mem::take(&mut open) {
        let side = if eyes.received(&receiver).await? { &mut through } else { &mut open };
        side.insert(receiver);
    }
    through.extend(were_sent(acts, &eyes, open, filter).await?);
    Ok(through)
}

/// Those of `open` of which a message was addressed to the actor by name when it was sent: the people on duty may have
/// changed since then.
async fn were_sent(
    acts: &Acts,
    eyes: &Eyes<'_>,
    mut open: BTreeSet<String>,
    filter: DeliveryFilter,
) -> Result<BTreeSet<String>, StoreError> {
    let mut sent = BTreeSet::new();
    if !has_one_corp(&eyes.setup.config) {
        return Ok(sent);
    }
    let mut filter = DeliveryFilter { person: Some(eyes.actor.id.clone()), ..filter };
    while !open.is_empty() {
        filter.receivers = Some(open.iter().cloned().collect());
        let rows = acts.store.deliveries(filter.clone()).await?;
        filter.before = rows.last().map(|row| row.message);
        let last = rows.len() < RECEIVERS;
        // What an act did is told to many; it does not make its reader a recipient of the alert.
        for row in rows.into_iter().filter(|row| row.act.is_none()) {
            open.remove(&row.receiver);
            sent.insert(row.receiver);
        }
        if last {
            break;
        }
    }
    Ok(sent)
}

/// Has the actor acknowledged one of these alerts? The owner may release it.
async fn has_it(acts: &Acts, actor: &Actor, about: About) -> Result<bool, StoreError> {
    let About::Thread(thread) = about else { return Ok(false) };
    acts.store.has(&actor.id, thread).await
}

/// What a person may do in the console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rights {
    /// May look at everything.
    pub all: bool,
    /// May change what concerns others: their sessions, templates, mappings.
    pub change: bool,
    /// The receivers whose alerts the person may see, if not all.
    pub receivers: BTreeSet<String>,
}

impl Rights {
    /// May the person see what this receiver is told?
    pub fn sees(&self, receiver: &str) -> bool {
        self.all || self.receivers.contains(receiver)
    }
}

impl Acts {
    /// What `person` may do in the console; `None` if it is closed to this person: being a member of the corporation is no
    /// right. Asked at every visit, so that a change of the configuration counts at once.
    pub async fn rights(&self, person: &str) -> Result<Option<Rights>, StoreError> {
        let actor = Actor { id: person.to_owned(), via: Via::Console("link".to_owned()) };
        let mut eyes = Eyes::of(self, &actor);
        let config = eyes.setup.config.clone();
        let (all, change) = config.console_rights(person, self.clock.now());
        let mut receivers = BTreeSet::new();
        if !all {
            for receiver in config.receivers.keys() {
                if eyes.sees(receiver).await? {
                    receivers.insert(receiver.clone());
                }
            }
        }
        Ok((all || config.on_a_rota(person) || !receivers.is_empty()).then_some(Rights { all, change, receivers }))
    }

    /// Does what is sent to this receiver reach `person` now?
    pub async fn reaches(&self, receiver: &str, person: &str) -> Result<bool, StoreError> {
        let actor = Actor { id: person.to_owned(), via: Via::Console("link".to_owned()) };
        Eyes::of(self, &actor).received(receiver).await
    }

    /// A secret that signs `person` in to the console once, for ten minutes; the store keeps its hash. `way`: who gave it.
    pub async fn ticket(&self, person: &str, way: &str) -> Result<String, StoreError> {
        let secret = fresh_secret();
        let ticket = Ticket { person: person.to_owned(), way: way.to_owned() };
        self.store.offer(hash(&secret), ticket, self.clock.now()).await?;
        Ok(secret)
    }
}

/// What a person may see: the alerts of receivers that reach this person or that `may_act` opens to them, and those
/// that this person has acknowledged. In a group all members read the answer, so there it is what the group receives.
pub(super) struct Eyes<'a> {
    acts: &'a Acts,
    actor: &'a Actor,
    setup: Arc<Setup>,
    known: HashMap<String, bool>,
}

impl<'a> Eyes<'a> {
    pub(super) fn of(acts: &'a Acts, actor: &'a Actor) -> Self {
        Self { acts, actor, setup: acts.setup.now(), known: HashMap::new() }
    }

    /// The receivers with firing alerts that the person may see.
    pub(super) async fn receivers(&mut self) -> Result<Vec<String>, StoreError> {
        let mut seen = Vec::new();
        for receiver in self.acts.store.receivers_on().await? {
            if self.sees(&receiver).await? {
                seen.push(receiver);
            }
        }
        Ok(seen)
    }

    /// May the person see one of these alerts?
    pub(super) async fn sees_any(&mut self, alerts: &[ActAlert]) -> Result<bool, StoreError> {
        let receivers: BTreeSet<&str> = alerts.iter().map(|alert| alert.receiver.as_str()).collect();
        for receiver in receivers {
            if self.sees(receiver).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The userid of the person; `None` where others read the answer.
    pub(super) fn alone(&self) -> Option<&str> {
        self.group().is_none().then_some(self.actor.id.as_str())
    }

    async fn sees(&mut self, receiver: &str) -> Result<bool, StoreError> {
        if let Some(known) = self.known.get(receiver) {
            return Ok(*known);
        }
        let config = &self.setup.config;
        let rights = config.may_act(receiver);
        let may = rights.is_some_and(|rights| rights.allows(&self.actor.id, self.acts.clock.now(), &config.rotas));
        let sees = self.group().is_none() && may || self.received(receiver).await?;
        self.known.insert(receiver.to_owned(), sees);
        Ok(sees)
    }

    /// Does what is sent to this receiver reach the person, or the conversation of the question?
    pub(super) async fn received(&mut self, receiver: &str) -> Result<bool, StoreError> {
        let Some(receiver) = self.setup.config.receiver(receiver) else { return Ok(false) };
        for target in &receiver.targets {
            if self.is_here(target) || self.group().is_none() && self.reaches(target).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn reaches(&self, target: &Target) -> Result<bool, StoreError> {
        let app = if let Via::App(app) = &self.actor.via { Some(app.as_str()) } else { None };
        let member = Member { id: &self.actor.id, app };
        if self.acts.members.reached(target, member).await {
            return Ok(true);
        }
        // A bot does not learn the members of a group; the record has who wrote there last.
        let To::Bot { bot, chat } = &target.to else { return Ok(false) };
        let heard = self.acts.store.conversations().await?;
        let spoke = |known: &crate::store::Conversation| known.user.eq_ignore_ascii_case(&self.actor.id);
        let there = heard.iter().find(|known| known.bot == *bot && known.chat == *chat);
        Ok(has_one_corp(&self.setup.config) && there.is_some_and(spoke))
    }

    /// Is this target the conversation of the question?
    fn is_here(&self, target: &Target) -> bool {
        match (&self.actor.via, &target.to) {
            (Via::Bot { bot, chat }, To::Bot { bot: its, chat: there }) => bot == its && chat == there,
            _ => false,
        }
    }

    /// The group in which the question was asked.
    fn group(&self) -> Option<&str> {
        match &self.actor.via {
            Via::Bot { chat, .. } if !chat.eq_ignore_ascii_case(&self.actor.id) => Some(chat),
            _ => None,
        }
    }
}
