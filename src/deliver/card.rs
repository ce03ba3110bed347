//! Cards with buttons: which message becomes one, its state, and which later message updates it instead of being sent
//! separately.

use std::time::Duration;

use serde::Deserialize;
use wecom::message::TemplateCard;
use wecom::{CardChange, CardUpdate, Content, Readers};

use super::Deliver;
use super::letter::Occasion;
use super::page::{Page, contents};
use super::setup::Setup;
use crate::alert::{Status, Timestamp, TransitionKind};
use crate::card_name;
use crate::config::{Channel, Config, Face, Target, To};
use crate::render::{ActLetter, Hides, Mark, Offer, Rendered, Standing, places, with_buttons};
use crate::standing;
use crate::store::{ActKind, ActNews, Card, Queued, Spent, Store, StoreError};
use crate::upstream::Matcher;

/// The face recorded for a card with buttons.
pub const BUTTONS: &str = "buttons";
/// The face recorded for an update of a card.
pub const UPDATE: &str = "update";

/// Can presses of the buttons be received? From a webhook and a group chat of an app never, from an app only with a
/// callback (43012), from a bot always (docs/reference/wecom.md#channels).
pub fn interactive(config: &Config, target: &Target) -> bool {
    target.face == Face::Card
        && match &target.to {
            To::Members { app, .. } => config.wecom.apps.get(app).is_some_and(|app| app.callback.is_some()),
            To::Bot { .. } => true,
            To::Chat { .. } | To::Webhook { .. } | To::Email { .. } | To::Hook { .. } => false,
        }
}

/// Does the message tell a firing alert, so that there is something to press for?
pub(super) fn asks(page: &Page) -> bool {
    page.told.iter().any(|line| line.kind.is_on()) && !page.notification.test
}

/// The acts that the page of a message to `receiver` offers: its visitors are unauthenticated, so only if anyone may
/// act.
pub fn offer(config: &Config, page: &Page, receiver: &str) -> Offer {
    if !asks(page) || !config.anybody_may_act(receiver) {
        Offer::Nothing
    } else if matchers(config, page).is_some() {
        Offer::Silence
    } else {
        Offer::Acknowledge
    }
}

/// Gives the first card of `rendered` its buttons; false if there is none.
pub(super) async fn add_buttons(
    deliver: &Deliver,
    setup: &Setup,
    queued: &Queued,
    page: &Page,
    target: &Target,
    now: Timestamp,
    rendered: &mut Rendered,
) -> Result<bool, StoreError> {
    let leads = std::mem::take(&mut rendered.leads);
    let Some(Content::TemplateCard(card)) = rendered.parts.first_mut() else { return Ok(false) };
    let task_id = card_name::of(queued.message, queued.created_at);
    let standing = Standing {
        task_id: &task_id,
        taken: None,
        silenced: None,
        hides: hides(&deliver.store, &setup.config, page).await?,
        channel: target.channel(),
        leads,
        language: page.language,
        timezone: &page.timezone,
        now,
    };
    **card = with_buttons(std::mem::take(&mut **card), &standing);
    Ok(true)
}

/// How long a card waits for the memory that its body takes. Messages that hold memory may wait for the same: without a
/// limit they would wait for each other.
const MEMORY: Duration = Duration::from_secs(2);

/// The matchers of the silence that a press would make, if an upstream can make one.
fn matchers(config: &Config, page: &Page) -> Option<Vec<Matcher>> {
    let firing = page.told.iter().filter(|line| line.kind != TransitionKind::Resolved);
    let alerts: Vec<_> = firing.filter_map(|line| page.alert(line)).collect();
    standing::matchers_for(config, &page.notification, &page.source, &alerts)
}

/// What that silence would hide, by our record: a message does not wait for an upstream.
async fn hides(store: &Store, config: &Config, page: &Page) -> Result<Option<Hides>, StoreError> {
    let Some(matchers) = matchers(config, page) else { return Ok(None) };
    let count = standing::recorded(store, &matchers).await?;
    Ok(Some(Hides { conditions: standing::conditions(&matchers), count }))
}

impl Deliver {
    /// The card of message `message` in its present state; `None` if it can no longer be rendered.
    pub async fn card_now(&self, message: i64, target: &Target) -> Result<Option<TemplateCard>, StoreError> {
        match self.store.card_of(message).await? {
            Some(card) => as_it_stands(self, &self.setup.now(), &card, target).await,
            None => Ok(None),
        }
    }
}

/// The card as it is now; `None` if it cannot be rendered, or the memory for a large body is not free in time.
async fn as_it_stands(
    deliver: &Deliver,
    setup: &Setup,
    card: &Card,
    target: &Target,
) -> Result<Option<TemplateCard>, StoreError> {
    let asked = tokio::time::timeout(MEMORY, contents(&deliver.store, &deliver.room, card.message)).await;
    let Some((kept, _part)) = asked.unwrap_or(Ok(None))? else { return Ok(None) };
    let page = Page::of(&setup.config, &kept.notification, &kept.transitions, &kept.receiver);
    let now = deliver.clock.now();
    let key = deliver.links.key().await;
    let link =
        setup.config.external_url.as_deref().map(|url| key.link(url, card.message, now, Some(setup.config.act_links)));
    let occasion = Occasion {
        thread: kept.thread,
        now,
        details_url: link.as_deref(),
        offer: Offer::Nothing,
        notes: &[],
        chart: None,
        course: None,
        short: &[],
    };
    let rendered = page.render_pictureless(setup, target, &occasion);
    let Some(Content::TemplateCard(notice)) = rendered.parts.into_iter().next() else { return Ok(None) };
    if card.alerts.iter().all(|alert| alert.status == Status::Resolved) {
        return Ok(Some(*notice));
    }
    let task_id = card_name::of(card.message, card.created_at);
    let taken = standing::owner(&card.alerts);
    let silences = standing::silences_of(&deliver.store, kept.thread, &card.alerts, now).await?;
    let silenced = standing::longest(&silences);
    let mark = async |by: &str, at| Mark { person: deliver.names.of(Some(target), by).await, at };
    let taken = match taken {
        Some(doer) => Some(mark(&doer.by, doer.at).await),
        None => None,
    };
    let silenced = match silenced {
        Some(silence) => Some(mark(&silence.by, silence.until).await),
        None => None,
    };
    let standing = Standing {
        task_id: &task_id,
        taken,
        silenced,
        hides: hides(&deliver.store, &setup.config, &page).await?,
        channel: target.channel(),
        leads: rendered.leads,
        language: page.language,
        timezone: &page.timezone,
        now,
    };
    Ok(Some(with_buttons(*notice, &standing)))
}

/// The card that a message about an act updates, and how; `None` if the act is told by a message.
pub(super) async fn after_act(
    deliver: &Deliver,
    setup: &Setup,
    queued: &Queued,
    target: &Target,
) -> Result<Option<CardUpdate>, StoreError> {
    if target.channel() != Channel::App {
        return Ok(None);
    }
    let card = deliver.store.card(&queued.lane, queued.message, deliver.clock.now()).await?;
    let Some((card, code)) = updated(card, false) else { return Ok(None) };
    let now = as_it_stands(deliver, setup, &card, target).await?;
    Ok(now.map(|now| change(code, now)))
}

/// The card that the end of its alerts updates; `None` if the end is told by a message.
pub(super) async fn after_end(
    deliver: &Deliver,
    queued: &Queued,
    target: &Target,
    page: &Page,
    contents: &[Content],
) -> Result<Option<CardUpdate>, StoreError> {
    let ends = page.told.iter().all(|line| line.kind == TransitionKind::Resolved);
    let Some(Content::TemplateCard(over)) = contents.first().filter(|_| ends) else { return Ok(None) };
    if target.channel() != Channel::App {
        return Ok(None);
    }
    let card = deliver.store.card(&queued.lane, queued.message, deliver.clock.now()).await?;
    Ok(updated(card, true).map(|(_, code)| change(code, (**over).clone())))
}

/// The card that a message updates, and the code for it. While one of the card's alerts is still firing, an end leaves it
/// unchanged.
pub(super) fn updated(card: Option<Card>, ends: bool) -> Option<(Card, String)> {
    let all_over = |card: &Card| card.alerts.iter().all(|alert| alert.status == Status::Resolved);
    let card = card.filter(|card| !ends || all_over(card))?;
    let code = card.code.clone()?;
    Some((card, code))
}

/// The code that the bytes of an update use. They may be older than the newest code of the card.
pub(super) fn spent(card: i64, body: &[u8]) -> Option<Spent> {
    #[derive(Deserialize)]
    struct Update {
        response_code: String,
    }
    let update: Update = serde_json::from_slice(body).ok()?;
    Some(Spent { card, code: update.response_code })
}

fn change(response_code: String, card: TemplateCard) -> CardUpdate {
    CardUpdate { response_code, readers: Readers::All, change: CardChange::Card(Box::new(card)) }
}

/// The message about an act where no card can be updated.
pub(super) async fn told(
    deliver: &Deliver,
    news: &ActNews,
    setup: &Setup,
    queued: &Queued,
    target: &Target,
) -> Content {
    let now = deliver.clock.now();
    // The creator of an outside silence, and wegraf itself, have no userid to look up.
    let person = match news.kind {
        ActKind::Hide | ActKind::Forget => news.doer.by.clone(),
        _ => deliver.names.of(Some(target), &news.doer.by).await,
    };
    let receiver = setup.config.receiver(&queued.receiver);
    let places = places(&news.alerts, |alert| setup.config.taught(receiver.as_ref().map(AsRef::as_ref), &alert.source));
    let letter = ActLetter {
        news,
        places: &places,
        person: &person,
        channel: target.channel(),
        language: receiver.as_ref().map_or(setup.config.language, |receiver| receiver.language),
        timezone: receiver.as_ref().map_or(&setup.config.timezone, |receiver| &receiver.timezone),
        now,
        thread: queued.thread,
    };
    letter.content()
}
