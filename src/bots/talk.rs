//! Events in the conversations of a bot, and their answers.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, mpsc};
use tracing::warn;
use wecom::message::{CARD_HOME, CardAction, CardTitle, Markdown, TemplateCard};
use wecom::{Bot, BotEvent, ChatType, Content, Outcome};

use super::Bots;
use super::keeper::mend;
use crate::answer::{self, Actor, Answer, Via};
use crate::card_name;
use crate::config::{Channel, Face, Language, Target, To};
use crate::names::{Part, Scope};
use crate::render::harmless;
use crate::store::{ActState, Conversation, StoreError, TargetRow};

/// Events that are processed concurrently.
const AT_ONCE: u32 = 32;
/// Newest events whose repetition is recognised; WeCom repeats an event soon or not at all.
const KNOWN: usize = 1_000;
/// WeCom accepts an answer to a press for 5 s; the result of a step upstream may take longer and is told by a message.
const PRESS: Duration = Duration::from_millis(3_500);
/// Longest wait to send as a message what could not be sent as an answer.
const INSTEAD: Duration = Duration::from_secs(20);
/// Characters of a card's text and of the line below its title (docs/reference/wecom.md#bot-cards).
const TEXT: usize = 112;
const LINE: usize = 30;

/// Processes events concurrently, until the socket has ended and all of them are done.
pub(super) async fn listen(bots: Bots, name: String, bot: Bot, mut inlet: mpsc::Receiver<BotEvent>) {
    let places = Arc::new(Semaphore::new(AT_ONCE as usize));
    let known = Arc::new(Mutex::new(Known::default()));
    while let Some(event) = inlet.recv().await {
        let id = id(&event);
        if id.as_ref().is_some_and(|id| !locked(&known).is_new(id)) {
            continue;
        }
        let Ok(place) = places.clone().acquire_owned().await else { break };
        let (bots, name, bot, known) = (bots.clone(), name.clone(), bot.clone(), known.clone());
        tokio::spawn(async move {
            if let Err(error) = take(&bots, &name, &bot, event).await {
                warn!(%error, bot = name, "What happened in WeCom could not be recorded.");
                bots.fuse.failed(&error);
                // A copy of the event may succeed.
                if let Some(id) = id {
                    locked(&known).forget(&id);
                }
            }
            drop(place);
        });
    }
    // All permits are free once all tasks have ended.
    drop(places.acquire_many(AT_ONCE).await);
}

/// The ids of recent events.
#[derive(Default)]
struct Known {
    ids: HashSet<String>,
    order: VecDeque<String>,
}

impl Known {
    fn is_new(&mut self, id: &str) -> bool {
        if !self.ids.insert(id.to_owned()) {
            return false;
        }
        self.order.push_back(id.to_owned());
        if self.order.len() > KNOWN
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        true
    }

    fn forget(&mut self, id: &str) {
        self.ids.remove(id);
        self.order.retain(|known| known != id);
    }
}

/// The id of an event that must be answered only once.
fn id(event: &BotEvent) -> Option<String> {
    let (msgid, req_id) = match event {
        BotEvent::Text { msgid, req_id, .. } | BotEvent::Click { msgid, req_id, .. } => (msgid.as_str(), req_id),
        BotEvent::Entered { req_id, .. } => ("", req_id),
        BotEvent::Other { .. } | BotEvent::Evicted => return None,
    };
    let id = if msgid.is_empty() { req_id } else { msgid };
    (!id.is_empty()).then(|| id.to_owned())
}

fn locked(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn take(bots: &Bots, name: &str, bot: &Bot, event: BotEvent) -> Result<(), StoreError> {
    match event {
        BotEvent::Text { req_id, from, chat, content, msgid } => {
            learn(bots, name, &chat, &from).await?;
            let event = if msgid.is_empty() { &req_id } else { &msgid };
            let said = bots.acts.ask(&actor(name, &chat, &from), event, &content).await?;
            let outcome = bot.respond(&req_id, &said).await;
            note(name, "answer", &outcome);
            if matches!(outcome, Outcome::NotSent(_)) {
                say(bot, name, &chat, said).await;
            }
        }
        BotEvent::Click { req_id, click, chat, msgid } => {
            pressed(bots, bot, &actor(name, &chat, &click.from), &req_id, &click, &msgid).await?;
            learn(bots, name, &chat, &click.from).await?;
        }
        BotEvent::Entered { req_id, .. } => {
            note(name, "welcome", &bot.welcome(&req_id, &answer::welcome(&bots.config.now())).await);
        }
        BotEvent::Other { from, chat: Some(chat), .. } if !from.is_empty() => learn(bots, name, &chat, &from).await?,
        BotEvent::Other { .. } | BotEvent::Evicted => {}
    }
    Ok(())
}

fn actor(bot: &str, chat: &wecom::Conversation, from: &str) -> Actor {
    Actor { id: from.to_owned(), via: Via::Bot { bot: bot.to_owned(), chat: chat.id().to_owned() } }
}

/// A user wrote there: from now on the bot may write there, too (docs/reference/wecom.md#bot-messages).
async fn learn(bots: &Bots, bot: &str, chat: &wecom::Conversation, from: &str) -> Result<(), StoreError> {
    let conversation = Conversation {
        bot: bot.to_owned(),
        chat: chat.id().to_owned(),
        group: matches!(chat, wecom::Conversation::Group(_)),
        user: from.to_owned(),
        heard_at: bots.clock.now(),
    };
    bots.store.learn(conversation).await?;
    // Messages that waited because no user had written yet may be sent now.
    mend(bots, Scope::of(&Part::Conversation { bot: bot.into(), chat: chat.id().into() })).await;
    Ok(())
}

/// Sends as a message what could not be sent as an answer.
async fn say(bot: &Bot, name: &str, chat: &wecom::Conversation, content: String) {
    let kind = match chat {
        wecom::Conversation::Single(_) => ChatType::Single,
        wecom::Conversation::Group(_) => ChatType::Group,
    };
    let body = wecom::bot_send_body(chat.id(), Some(kind), &Content::Markdown(Markdown { content }));
    note(name, "message", &bot.send(body.into(), Instant::now() + INSTEAD).await);
}

/// Answers a press with the updated card, while WeCom still accepts it; otherwise by a message.
async fn pressed(
    bots: &Bots,
    bot: &Bot,
    actor: &Actor,
    req_id: &str,
    click: &wecom::Click,
    msgid: &str,
) -> Result<(), StoreError> {
    let Via::Bot { bot: name, chat } = &actor.via else { return Ok(()) };
    let target = Target { face: Face::Card, ..Target::at(To::Bot { bot: name.clone(), chat: chat.clone() }) };
    let mut answered = bots.acts.press_at(actor, click, msgid, Some(target.lane())).await?;
    if answered.state == Some(ActState::Open) {
        // Most upstreams answer in time for the card to show the result.
        answered = bots.acts.finished(answered, PRESS).await?;
    }
    let _alone = bots.sockets.card(&click.task_id).lock().await;
    let card = match card_name::message(&click.task_id) {
        Some((message, _)) if answered.state.is_some() => bots.deliver.card_now(message, &target).await?,
        _ => None,
    };
    let language = bots.acts.language();
    let mut shown = card.unwrap_or_else(|| gone(&answered, language));
    // WeCom accepts only a card with the name of the pressed one.
    shown.task_id.clone_from(&click.task_id);
    // A refusal is shown to the actor only; the card of the others stays as it is.
    let (shown, users) = if is_no(&answered) {
        (with_answer(shown, &answered, language), vec![actor.id.clone()])
    } else {
        (shown, Vec::new())
    };
    let outcome = bot.respond_update(req_id, &shown, &users).await;
    note(name, "update", &outcome);
    if !matches!(outcome, Outcome::Accepted(_)) && answered.act > 0 {
        // The card does not show it, so a message does.
        bots.store
            .tell_of_act(answered.act, TargetRow::new(target.lane(), target.json()), String::new(), bots.clock.now())
            .await?;
    }
    Ok(())
}

/// Did the press change nothing?
fn is_no(answered: &Answer) -> bool {
    !matches!(answered.state, Some(ActState::Done | ActState::Open))
}

/// Shows on the card that a press changed nothing.
fn with_answer(mut card: TemplateCard, answered: &Answer, language: Language) -> TemplateCard {
    if let Some(title) = &mut card.main_title {
        title.desc = harmless(answered.label.get(language), Channel::Bot, LINE);
    }
    card.sub_title_text = harmless(answered.text.get(language), Channel::Bot, TEXT);
    card
}

/// Replaces a card whose record was deleted.
fn gone(answered: &Answer, language: Language) -> TemplateCard {
    TemplateCard {
        card_type: "text_notice".to_owned(),
        main_title: Some(CardTitle {
            title: harmless(answered.label.get(language), Channel::Bot, LINE),
            desc: String::new(),
        }),
        sub_title_text: harmless(answered.text.get(language), Channel::Bot, TEXT),
        card_action: Some(CardAction { kind: 1, url: CARD_HOME.to_owned() }),
        ..TemplateCard::default()
    }
}

fn note(bot: &str, what: &str, outcome: &Outcome) {
    if let Outcome::NotSent(failure) | Outcome::Unsure(failure) = outcome {
        warn!(bot, what, error = failure.en(), "An answer did not reach WeCom.");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_known_again_until_it_failed_or_a_thousand_others_came() {
        let mut known = Known::default();
        assert!(known.is_new("a"));
        assert!(!known.is_new("a"));
        known.forget("a");
        assert!(known.is_new("a"));
        for other in 0..KNOWN {
            assert!(known.is_new(&other.to_string()));
        }
        assert!(known.is_new("a"));
        assert_eq!(known.ids.len(), known.order.len());
    }
}
