//! 消息推送, formerly 群机器人: `webhook/send`, `webhook/upload_media` (page 99110).

use serde_json::json;

use super::appchat::mentions;
use super::media;
use crate::answer::{Outcome, Refusal, Reply};
use crate::call::{Call, text, texts};
use crate::content::{Rules, named_in};
use crate::inbox::{Channel, Message};
use crate::journal::Address;
use crate::rate::Recent;
use crate::setup::Webhook;
use crate::state::World;
use crate::vault::Owner;

/// Messages a minute; the next is refused with 45009.
const PER_MINUTE: usize = 20;

/// Sends a message into the webhook's group.
pub(super) fn send(world: &mut World, call: &Call) -> Outcome {
    let webhook = webhook(world, call)?.clone();
    let body = call.json()?;
    let msgtype = text(&body, "msgtype").unwrap_or_default();
    let now = world.clock.now();
    let owner = Owner::Webhook(webhook.key.clone());
    let rules = Rules {
        door: Channel::Webhook,
        owner: owner.clone(),
        callback: false,
        switches: &world.switches,
        vault: &world.vault,
        now,
    };
    let seen = rules.read(msgtype, &body)?;

    world.journal.offered(Address::Webhook(webhook.key.clone()), now);
    let window = world.switches.webhook_window;
    let recent = world.webhooks.entry(webhook.key.clone()).or_insert_with(|| Recent::new(PER_MINUTE));
    if world.switches.enforce_rate && recent.in_minute(now, window) >= PER_MINUTE {
        return Err(Refusal::code(45009));
    }
    recent.push(now);

    let mut content = seen.content;
    if let Some(picture) = seen.picture {
        let id = world.vault.put(owner, "image", "image", picture, now);
        content["url"] = json!(format!("/_simulator/media/{id}"));
    }
    // A text mentions people by the lists, a markdown by `<@userid>`; markdown_v2 has neither
    // (docs/reference/wecom.md#markdown-v2).
    let words = if msgtype == "markdown" { text(&content, "content").unwrap_or_default() } else { "" };
    let by_mobile = userids_of(world, &texts(&content, "mentioned_mobile_list"));
    let listed = texts(&content, "mentioned_list");
    let named = listed.iter().chain(&by_mobile).map(String::as_str).chain(named_in(words));
    let mentions = mentions(named, &webhook.members);
    world.inbox.deliver(Message {
        at_ms: now,
        channel: Channel::Webhook,
        webhook: Some(webhook.key),
        sender: webhook.name,
        msgtype: msgtype.into(),
        content,
        receivers: webhook.members,
        mentions,
        ..Message::default()
    });
    Ok(Reply::ok())
}

/// Accepts a file or voice for this webhook.
pub(super) fn upload(world: &mut World, call: &Call) -> Outcome {
    let key = webhook(world, call)?.key.clone();
    let kind =
        call.param("type").filter(|kind| matches!(*kind, "file" | "voice")).ok_or_else(|| Refusal::code(40005))?;
    media::keep(world, call, Owner::Webhook(key), kind)
}

fn webhook<'a>(world: &'a World, call: &Call) -> Result<&'a Webhook, Refusal> {
    let key = call.param("key").unwrap_or_default();
    let webhook = world.setup.webhooks.iter().find(|webhook| webhook.key == key);
    match webhook.ok_or_else(|| Refusal::code(93000))? {
        webhook if webhook.disabled => Err(Refusal::code(93004)),
        webhook => Ok(webhook),
    }
}

fn userids_of(world: &World, mobiles: &[String]) -> Vec<String> {
    let users = || world.setup.corps.iter().flat_map(|corp| &corp.users);
    let userid = |mobile: &String| match mobile.as_str() {
        "@all" => Some("@all".to_owned()),
        mobile => users().find(|user| user.mobile == mobile && !mobile.is_empty()).map(|user| user.userid.clone()),
    };
    mobiles.iter().filter_map(userid).collect()
}
