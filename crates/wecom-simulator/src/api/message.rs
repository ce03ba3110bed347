//! `message/send`, `message/recall`, `message/get_statistics` (pages 90236, 94867, 92369).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use md5::{Digest, Md5};
use serde_json::{Value, json};

use super::Door;
use super::receivers::{Found, Named};
use crate::answer::{Outcome, Refusal, Reply};
use crate::call::{Call, filled, int, text};
use crate::card::is_interactive;
use crate::clock::{HOUR_MS, natural_day};
use crate::content::{Rules, is_safe};
use crate::inbox::{Channel, Dropped, Message};
use crate::journal::Address;
use crate::rate::Ceilings;
use crate::state::{Code, World};
use crate::switches::{Ceiling, DuplicateReply, RepeatedTaskId};
use crate::tokens::Badge;
use crate::vault::{Owner, hex};

/// A message can be recalled for a day.
const RECALL_MS: i64 = 24 * HOUR_MS;
/// The longest `duplicate_check_interval`, in seconds.
const DUPLICATE_MAX_S: i64 = 14_400;

/// A request that has passed all checks.
struct Order {
    badge: Badge,
    /// The app's name, and the account limit of its corp.
    sender: String,
    accounts: u64,
    msgtype: String,
    content: Value,
    safe: bool,
    found: Found,
}

/// Sends to members, departments, tags.
pub(super) fn send(world: &mut World, call: &Call) -> Outcome {
    let badge = world.badge(call)?;
    let body = call.json()?;
    let now = world.clock.now();
    let order = read(world, badge, &body, now)?;
    let task_id = note_task_id(world, &order.badge, &order.content)?;

    let msgid = new_msgid();
    let mut fields = order.found.losers();
    if let Some(first) = duplicate_of(world, &order.badge, &body, &msgid, now) {
        match world.switches.duplicate_reply {
            DuplicateReply::Same => fields.insert("msgid".into(), json!(first)),
            DuplicateReply::New => fields.insert("msgid".into(), json!(msgid)),
            DuplicateReply::None => None,
        };
        return Ok(Reply::Fields(fields));
    }
    if let Some(task_id) = task_id {
        world.task_ids.insert(task_id, ());
    }
    let badge = order.badge.clone();
    let interactive = order.msgtype == "template_card" && is_interactive(&order.content);
    let id = deliver(world, order, &msgid, now)?;
    let days = world.sent.entry(badge.clone()).or_default();
    days.retain(|&day, _| day >= natural_day(now) - 1); // the days before yesterday cannot be queried
    *days.entry(natural_day(now)).or_default() += 1;
    fields.insert("msgid".into(), json!(msgid));
    if interactive {
        fields.insert("response_code".into(), json!(world.new_code(badge, id, now)));
    }
    Ok(Reply::Fields(fields))
}

/// Checks a request: app, receivers, content.
fn read(world: &World, badge: Badge, body: &Value, now: i64) -> Result<Order, Refusal> {
    own_agent(&badge, body)?;
    let named = Named::of_send(body)?;
    let msgtype = text(body, "msgtype").unwrap_or_default();
    let (corp, app) = world.app(&badge)?;
    let rules = Rules {
        door: Channel::App,
        owner: Owner::Corp(badge.corp_id.clone()),
        callback: world.has_callback(&badge),
        switches: &world.switches,
        vault: &world.vault,
        now,
    };
    let content = rules.read(msgtype, body)?.content;
    let safe = is_safe(msgtype, body)?;
    let found = named.find(corp, app);
    if found.users.is_empty() {
        return Err(Refusal::code(81013));
    }
    Ok(Order {
        sender: app.name.clone(),
        accounts: corp.accounts,
        msgtype: msgtype.into(),
        badge,
        content,
        safe,
        found,
    })
}

/// Delivers the message to the members whose limits permit it. Returns the id in the inbox, or 0, which names no
/// message: a card that reached no member can be "updated", without effect.
fn deliver(world: &mut World, order: Order, msgid: &str, now: i64) -> Result<u64, Refusal> {
    let Order { badge, sender, accounts, msgtype, content, safe, found } = order;
    let ceiling = Ceilings { day: accounts.saturating_mul(200), ..Ceilings::NONE };
    let day = format!("day {} {}", badge.corp_id, badge.agent_id);
    let over_ceiling = world.count(&day, found.users.len() as u64, ceiling, now).err();
    if let (Some(refusal), Ceiling::Error) = (&over_ceiling, world.switches.daily_ceiling) {
        return Err(refusal.clone());
    }
    let (mut receivers, mut unlucky) = (Vec::new(), Vec::new());
    for user in found.users {
        let address = (badge.corp_id.clone(), badge.agent_id, user.clone());
        world.journal.offered(Address::Member(address.0.clone(), address.1, address.2.clone()), now);
        let swallowed = over_ceiling.is_some() || world.swallows(Door::Member, address, now);
        if swallowed { &mut unlucky } else { &mut receivers }.push(user);
    }
    if !unlucky.is_empty() {
        let reason = match over_ceiling {
            Some(_) => "app: accounts × 200 a day",
            None => "member: 30 a minute, 1000 an hour",
        };
        world.inbox.drop_silently(Dropped {
            at_ms: now,
            channel: Channel::App,
            agent_id: badge.agent_id,
            chat: None,
            users: unlucky,
            msgtype: msgtype.clone(),
            content: content.clone(),
            msgid: Some(msgid.to_owned()),
            reason: reason.into(),
        });
    }
    if receivers.is_empty() {
        return Ok(0);
    }
    Ok(world.inbox.deliver(Message {
        at_ms: now,
        channel: Channel::App,
        corp_id: Some(badge.corp_id),
        agent_id: Some(badge.agent_id),
        sender,
        msgtype,
        content,
        receivers,
        msgid: Some(msgid.to_owned()),
        safe,
        ..Message::default()
    }))
}

impl World {
    /// A fresh `response_code` for a card.
    pub(crate) fn new_code(&mut self, badge: Badge, message: u64, now: i64) -> String {
        let name = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 30]>());
        self.codes.insert(name.clone(), Code { badge, message, issued_ms: now, used: false });
        name
    }
}

/// The `agentid` of the body must be there, be a number (also as a string) and be the token's own.
pub(super) fn own_agent(badge: &Badge, body: &Value) -> Result<(), Refusal> {
    match body.get("agentid") {
        None | Some(Value::Null) => Err(Refusal::code(41011)),
        Some(_) => match int(body, "agentid") {
            None => Err(Refusal::code(40056)),
            Some(id) if id != badge.agent_id => Err(Refusal::code(301_002)),
            Some(_) => Ok(()),
        },
    }
}

/// The name under which a card's task id is remembered; refused if it was used before and the switch requires that.
fn note_task_id(world: &World, badge: &Badge, content: &Value) -> Result<Option<String>, Refusal> {
    let name = filled(content, "task_id").map(|id| format!("{} {} {id}", badge.corp_id, badge.agent_id));
    match &name {
        Some(name)
            if world.task_ids.get(name).is_some() && world.switches.repeated_task_id == RepeatedTaskId::Refuse =>
        {
            Err(Refusal::saying(42014, "task_id was used before"))
        }
        _ => Ok(name),
    }
}

/// The msgid of the same request inside the interval, if the duplicate check was asked for; else remembers this one.
/// An interval above four hours counts as four hours.
fn duplicate_of(world: &mut World, badge: &Badge, body: &Value, msgid: &str, now: i64) -> Option<String> {
    if int(body, "enable_duplicate_check") != Some(1) {
        return None;
    }
    let interval = int(body, "duplicate_check_interval").unwrap_or(1800).clamp(0, DUPLICATE_MAX_S) * 1000;
    let name = format!("{} {} {}", badge.corp_id, badge.agent_id, hex(&Md5::digest(body.to_string())));
    match world.duplicates.get(&name) {
        Some((at, first)) if now < at + interval => Some(first.clone()),
        _ => {
            world.duplicates.insert(name, (now, msgid.to_owned()));
            None
        }
    }
}

/// A new opaque message id.
pub(super) fn new_msgid() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 33]>())
}

/// Removes a message from the receivers' clients.
pub(super) fn recall(world: &mut World, call: &Call) -> Outcome {
    let badge = world.badge(call)?;
    let body = call.json()?;
    let msgid = filled(&body, "msgid").ok_or_else(|| Refusal::parameter("msgid is missing"))?;
    let message = world.inbox.by_msgid(msgid).ok_or_else(|| Refusal::parameter("msgid is unknown"))?;
    if message.agent_id != Some(badge.agent_id) || message.corp_id.as_ref() != Some(&badge.corp_id) {
        return Err(Refusal::parameter("msgid belongs to another agent"));
    }
    if message.channel != Channel::App {
        return Err(Refusal::parameter("only messages of message/send can be recalled"));
    }
    if world.clock.now() >= message.at_ms + RECALL_MS {
        return Err(Refusal::code(42052));
    }
    let id = message.id;
    world.inbox.change(id, |message| {
        message.recalled = true;
        message.content = Value::Null;
        message.updated_for.clear();
    });
    Ok(Reply::ok())
}

/// Messages sent today or yesterday.
pub(super) fn statistics(world: &mut World, call: &Call) -> Outcome {
    let badge = world.badge(call)?;
    if !world.switches.statistics {
        return Err(Refusal::code(48005));
    }
    let body = call.json()?;
    let today = natural_day(world.clock.now());
    let day = match int(&body, "time_type").unwrap_or(0) {
        0 => today,
        1 => today - 1,
        other => return Err(Refusal::parameter(format_args!("time_type {other} is neither 0 nor 1"))),
    };
    let name = world.app(&badge)?.1.name.clone();
    let days = world.sent.entry(badge.clone()).or_default();
    let count = days.get(&day).copied().unwrap_or(0);
    Ok(Reply::with(json!({"statistics": [{"agentid": badge.agent_id, "app_name": name, "count": count}]})))
}
