//! `message/update_template_card` (page 94888, wecom-api §4.1).

use serde_json::{Value, json};

use super::message::own_agent;
use super::receivers::Named;
use crate::answer::{Outcome, Refusal, Reply};
use crate::call::{Call, filled};
use crate::card::{Place, check, is_interactive};
use crate::clock::HOUR_MS;
use crate::content::Rules;
use crate::inbox::{Channel, Message};
use crate::state::World;
use crate::vault::Owner;

/// A `response_code` works for 72 hours.
const CODE_MS: i64 = 72 * HOUR_MS;

/// Changes a card for all its receivers or for some; one call for each `response_code`.
pub(super) fn update(world: &mut World, call: &Call) -> Outcome {
    let badge = world.badge(call)?;
    let body = call.json()?;
    own_agent(&badge, &body)?;
    let now = world.clock.now();
    let name = filled(&body, "response_code").ok_or_else(|| Refusal::code(60140))?;
    let code = world.codes.get(name).ok_or_else(|| Refusal::code(60140))?;
    if code.badge != badge {
        return Err(Refusal::code(42015));
    }
    if code.used || now >= code.issued_ms + CODE_MS {
        return Err(Refusal::code(60140));
    }
    let named = Named::of_update(&body)?;
    let (corp, app) = world.app(&badge)?;
    let found = named.find(corp, app);
    let message = world.inbox.by_id(code.message).cloned();
    let id = code.message;

    let replaced = match (body.get("button"), body.get("template_card")) {
        (Some(button), None) => Change::Label(replace_name(button, message.as_ref())?),
        (None, Some(card)) => {
            let rules = Rules {
                door: Channel::App,
                owner: Owner::Corp(badge.corp_id.clone()),
                callback: app.callback,
                switches: &world.switches,
                vault: &world.vault,
                now,
            };
            check(card, Place::App { callback: app.callback }, |url| rules.link(url), |media| rules.has_media(media))?;
            Change::Card(card.clone())
        }
        _ => return Err(Refusal::parameter("exactly one of button and template_card is needed")),
    };

    let got_it = |user: &String| message.as_ref().is_some_and(|message| message.receivers.contains(user));
    let (updated, missed): (Vec<_>, Vec<_>) = found.users.into_iter().partition(got_it);
    let all = crate::call::int(&body, "atall") == Some(1);
    if updated.is_empty() && message.is_some() {
        return Err(Refusal::code(82102));
    }
    // `@all` means everyone who got the card, so whoever did not is no mistake of the caller's.
    let mut invalid = found.invalid_users;
    if !all {
        invalid.extend(missed.iter().map(|user| user.to_ascii_lowercase()));
    }
    world.inbox.change(id, |message| {
        for user in updated {
            let mut content = message.updated_for.get(&user).unwrap_or(&message.content).clone();
            match &replaced {
                Change::Label(label) => content["replace_name"] = json!(label),
                Change::Card(card) => content = card.clone(),
            }
            message.updated_for.insert(user, content);
        }
    });
    if let Some(code) = world.codes.get_mut(name) {
        code.used = true;
    }
    let mut reply = json!({"invaliduser": invalid});
    if world.switches.update_gives_code {
        reply["response_code"] = json!(world.new_code(badge, id, now));
    }
    Ok(Reply::with(reply))
}

enum Change {
    /// The buttons become one disabled label.
    Label(String),
    /// Another card takes its place.
    Card(Value),
}

/// `button.replace_name`, which only a card with buttons can take.
fn replace_name(button: &Value, message: Option<&Message>) -> Result<String, Refusal> {
    let name = filled(button, "replace_name").ok_or_else(|| Refusal::code(42020))?;
    match message {
        Some(message) if !is_interactive(&message.content) => {
            Err(Refusal::parameter("the card has no buttons to replace"))
        }
        _ => Ok(name.to_owned()),
    }
}
