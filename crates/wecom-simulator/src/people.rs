//! Actions of people: write, open, click. In an app they cause a callback to its server, with a bot a frame on its
//! socket.

use serde_json::{Value, json};

use crate::callback;
use crate::callback::event::What;
use crate::clicks::{Choices, press};
use crate::inbox::{Channel, Message};
use crate::state::{Shared, World, lock};
use crate::tokens::Badge;

/// The app of that id: of the corp named, or of the first that has one.
pub(crate) fn badge_of(world: &World, corp_id: Option<&str>, agent_id: i64) -> Result<Badge, String> {
    let mut corps = world.setup.corps.iter().filter(|corp| corp_id.is_none_or(|wanted| wanted == corp.corp_id));
    let corp = corps.find(|corp| corp.apps.iter().any(|app| app.agent_id == agent_id));
    let corp = corp.ok_or_else(|| format!("no corp has an app {agent_id}"))?;
    Ok(Badge { corp_id: corp.corp_id.clone(), agent_id })
}

/// The member, who must be in the app's visible scope.
fn member_of(world: &World, badge: &Badge, user: &str) -> Result<String, String> {
    let (corp, app) = world.app(badge).map_err(|refusal| refusal.text)?;
    let user = corp.user(user).filter(|user| corp.sees(app, user));
    user.map(|user| user.userid.clone()).ok_or_else(|| format!("the member does not see the app {}", badge.agent_id))
}

/// A member writes to an app. Returns the push.
pub(crate) fn tell_app(shared: &Shared, badge: &Badge, user: &str, words: &str) -> Result<Value, String> {
    let mut world = lock(shared);
    let user = member_of(&world, badge, user)?;
    let sender = world.app(badge).map_err(|refusal| refusal.text)?.1.name.clone();
    let now = world.clock.now();
    world.inbox.deliver(Message {
        at_ms: now,
        channel: Channel::App,
        corp_id: Some(badge.corp_id.clone()),
        agent_id: Some(badge.agent_id),
        said_by: Some(user.clone()),
        sender,
        msgtype: "text".into(),
        content: json!({"content": words}),
        receivers: vec![user.clone()],
        ..Message::default()
    });
    let msgid = world.callbacks.new_msgid();
    let push = callback::tell(shared, &mut world, badge, &user, &What::Text { content: words, msgid }, None)?;
    Ok(json!({"delivered": push.is_some(), "callback": push}))
}

/// A member opens an app. Returns the push.
pub(crate) fn enter_app(shared: &Shared, badge: &Badge, user: &str) -> Result<Value, String> {
    let mut world = lock(shared);
    let user = member_of(&world, badge, user)?;
    let push = callback::tell(shared, &mut world, badge, &user, &What::EnterAgent, None)?;
    Ok(json!({"delivered": push.is_some(), "callback": push}))
}

/// A member clicks something in a card. Returns the number of the click.
pub(crate) fn click(
    shared: &Shared,
    message: u64,
    user: &str,
    key: &str,
    choices: &Choices,
    anyway: bool,
) -> Result<u64, String> {
    let mut world = lock(shared);
    let message = world.inbox.by_id(message).ok_or_else(|| format!("no message {message} is kept"))?.clone();
    if message.msgtype != "template_card" || message.recalled {
        return Err(format!("message {} is not a card, or was recalled", message.id));
    }
    match message.channel {
        Channel::Bot => world.click_bot(&message, user, key, choices, anyway),
        Channel::App => click_app(shared, &mut world, &message, user, key, choices, anyway),
        Channel::Chat | Channel::Webhook => Err(format!("message {} has nothing that comes back", message.id)),
    }
}

fn click_app(
    shared: &Shared,
    world: &mut World,
    message: &Message,
    user: &str,
    key: &str,
    choices: &Choices,
    anyway: bool,
) -> Result<u64, String> {
    let user = message.receiver(user).ok_or_else(|| format!("{user:?} did not get message {}", message.id))?.clone();
    let pressed = press(message.content_for(&user), key, choices, anyway)?;
    let badge = badge_of(world, message.corp_id.as_deref(), message.agent_id.unwrap_or_default())?;
    let now = world.clock.now();
    let code = world.new_code(badge.clone(), message.id, now);
    let click = world.clicks.note(now, message.id, Channel::App, &user, key, &pressed);
    if let Some(click) = world.clicks.get_mut(click) {
        click.response_code = Some(code.clone());
    }
    let what = What::Card {
        menu: pressed.menu,
        key,
        task_id: &pressed.task_id,
        card_type: &pressed.card_type,
        response_code: &code,
        selected: pressed.selected.as_ref(),
    };
    let push = callback::tell(shared, world, &badge, &user, &what, Some((click, message.id)))?;
    if let Some(click) = world.clicks.get_mut(click) {
        click.callback = push;
        click.delivered = push.is_some();
    }
    Ok(click)
}
