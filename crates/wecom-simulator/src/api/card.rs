//! `message/update_template_card` (page 94888, docs/reference/wecom.md#card-updates).

use serde_json::{Value, json};

use super::message::own_agent;
use super::receivers::Named;
use crate::answer::{Outcome, Refusal, Reply};
use crate::call::{Call, filled, int};
use crate::card::{Place, is_interactive};
use crate::clock::HOUR_MS;
use crate::content::Rules;
use crate::inbox::{Channel, Message};
use crate::state::World;
use crate::tokens::Badge;
use crate::vault::Owner;

/// A `response_code` works for 72 hours.
const CODE_MS: i64 = 72 * HOUR_MS;

/// Changes a card for all its receivers or for some; one call for each `response_code`.
pub(super) fn update(world: &mut World, call: &Call) -> Outcome {
    let badge = world.badge(call)?;
    let body = call.json()?;
    own_agent(&badge, &body)?;
    let now = world.clock.now();
    let code = filled(&body, "response_code").ok_or_else(|| Refusal::code(60140))?;
    let id = message_of(world, &badge, code, now)?;
    let named = Named::of_update(&body)?;
    let (corp, app) = world.app(&badge)?;
    let found = named.find(corp, app);
    let message = world.inbox.by_id(id);
    let change = read(world, &badge, &body, message, now)?;

    let got_it = |user: &String| message.is_some_and(|message| message.receivers.contains(user));
    let (updated, missed): (Vec<_>, Vec<_>) = found.users.into_iter().partition(got_it);
    if updated.is_empty() && message.is_some() {
        return Err(Refusal::code(82102));
    }
    // `atall` means all members who got the card, so one who did not is no mistake of the caller's.
    let mut invalid = found.invalid_users;
    if int(&body, "atall") != Some(1) {
        invalid.extend(missed.iter().map(|user| user.to_ascii_lowercase()));
    }
    world.inbox.change(id, |message| {
        // A recalled card is gone; there is nothing left to draw the change on.
        for user in updated.into_iter().filter(|_| !message.recalled) {
            let mut content = message.updated_for.get(&user).unwrap_or(&message.content).clone();
            match &change {
                Change::Label(label) => content["replace_name"] = json!(label),
                Change::Card(card) => content = card.clone(),
            }
            message.updated_for.insert(user, content);
        }
    });
    world.spend(code, body.clone(), now);
    let mut reply = json!({"invaliduser": invalid});
    if world.switches.update_gives_code {
        reply["response_code"] = json!(world.new_code(badge, id, now));
    }
    Ok(Reply::with(reply))
}

impl World {
    /// Marks a code as used; if it came with a click, records this call as an answer to the click.
    fn spend(&mut self, code: &str, body: Value, now: i64) {
        if let Some(code) = self.codes.get_mut(code) {
            code.used = true;
        }
        if let Some(click) = self.clicks.with_code(code) {
            self.clicks.answered(click, "message/update_template_card", now, true, 0, body);
        }
    }
}

/// The message that a `response_code` is for, if this app may use the code now.
fn message_of(world: &World, badge: &Badge, code: &str, now: i64) -> Result<u64, Refusal> {
    match world.codes.get(code) {
        None => Err(Refusal::code(60140)),
        Some(code) if code.badge != *badge => Err(Refusal::code(42015)),
        Some(code) if code.used || now >= code.issued_ms + CODE_MS => Err(Refusal::code(60140)),
        Some(code) => Ok(code.message),
    }
}

/// Reads the requested change of the card: exactly one of `button` and `template_card`.
fn read(world: &World, badge: &Badge, body: &Value, message: Option<&Message>, now: i64) -> Result<Change, Refusal> {
    match (body.get("button"), body.get("template_card")) {
        (Some(button), None) => Ok(Change::Label(replace_name(button, message)?)),
        (None, Some(card)) => {
            let callback = world.has_callback(badge);
            let rules = Rules {
                door: Channel::App,
                owner: Owner::Corp(badge.corp_id.clone()),
                callback,
                switches: &world.switches,
                vault: &world.vault,
                now,
            };
            rules.card(card, Place::App { callback })?;
            Ok(Change::Card(card.clone()))
        }
        _ => Err(Refusal::parameter("exactly one of button and template_card is needed")),
    }
}

enum Change {
    /// The buttons are replaced by one disabled label.
    Label(String),
    /// The card is replaced by another one.
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
