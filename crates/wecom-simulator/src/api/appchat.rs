//! Group chats made by apps: `appchat/create`, `update`, `get`, `send` (pages 90245, 98913, 90247, 90248).

use serde_json::{Value, json};

use super::Door;
use super::message::new_msgid;
use crate::answer::{Outcome, Refusal, Reply};
use crate::call::{Call, filled, text, texts};
use crate::content::{Rules, is_safe, named_in};
use crate::inbox::{Channel, Dropped, Message};
use crate::journal::Address;
use crate::rate::Ceilings;
use crate::setup::{Chat, Corp};
use crate::state::World;
use crate::tokens::Badge;
use crate::vault::{Owner, hex};

/// Characters of a group's name; the rest is cut.
const NAME_CHARS: usize = 50;
/// A chat's members.
const MEMBERS: std::ops::RangeInclusive<usize> = 2..=2000;
/// New chats of a corp in a day.
const CREATE: Ceilings = Ceilings { day: 1000, ..Ceilings::NONE };
/// Most chats of a corp that the simulator keeps, to bound its memory.
const MAX_CHATS: usize = 20_000;
/// Changes of chats of a corp in an hour.
const UPDATE: Ceilings = Ceilings { hour: 1000, ..Ceilings::NONE };
/// Person-messages of a corp; the hour of an unverified or small one.
const SEND: Ceilings = Ceilings { minute: 20_000, hour: 150_000, ..Ceilings::NONE };

/// Creates a group.
pub(super) fn create(world: &mut World, call: &Call) -> Outcome {
    let badge = rooted(world, call)?;
    let body = call.json()?;
    let corp = world.app(&badge)?.0;
    if !body.get("userlist").is_some_and(Value::is_array) {
        return Err(Refusal::code(86204));
    }
    let members = members(corp, &texts(&body, "userlist"))?;
    if !MEMBERS.contains(&members.len()) {
        return Err(Refusal::code(86006));
    }
    let owner = match filled(&body, "owner") {
        Some(owner) => member(corp, owner, 86005)?,
        None => members[rand::random_range(0..members.len())].clone(),
    };
    if !members.contains(&owner) {
        return Err(Refusal::code(86207));
    }
    let chatid = match filled(&body, "chatid") {
        Some(chatid) => new_chatid(corp, chatid)?,
        None => hex(&rand::random::<[u8; 16]>()),
    };
    let name = text(&body, "name").unwrap_or_default().chars().take(NAME_CHARS).collect();
    let chat = Chat { chatid: chatid.clone(), name, owner, members, agent_id: badge.agent_id, dissolved: false };
    if corp.chats.len() >= MAX_CHATS {
        return Err(Refusal::saying(45009, "api freq out of limit: the simulator keeps no more chats"));
    }
    world.count(&format!("appchat/create {}", badge.corp_id), 1, CREATE, world.clock.now())?;
    world.corp_mut(&badge.corp_id).expect("invariant: the badge's corp was just read").chats.push(chat);
    world.inbox.announce("corp", &json!({}));
    Ok(Reply::with(json!({"chatid": chatid})))
}

/// Changes a group's name, owner or members.
pub(super) fn update(world: &mut World, call: &Call) -> Outcome {
    let badge = rooted(world, call)?;
    let body = call.json()?;
    let corp = world.app(&badge)?.0;
    let mut chat = own_chat(corp, &badge, filled(&body, "chatid"))?.clone();
    if let Some(name) = filled(&body, "name") {
        chat.name = name.chars().take(NAME_CHARS).collect();
    }
    for added in members(corp, &texts(&body, "add_user_list"))? {
        if !chat.members.contains(&added) {
            chat.members.push(added);
        }
    }
    let removed = members(corp, &texts(&body, "del_user_list"))?;
    chat.members.retain(|member| !removed.contains(member));
    if !MEMBERS.contains(&chat.members.len()) {
        return Err(Refusal::code(86006));
    }
    if let Some(owner) = filled(&body, "owner") {
        chat.owner = member(corp, owner, 86005)?;
    }
    if !chat.members.contains(&chat.owner) {
        return Err(Refusal::code(86207)); // also: the owner was removed and no new one named
    }
    world.count(&format!("appchat/update {}", badge.corp_id), 1, UPDATE, world.clock.now())?;
    let corp = world.corp_mut(&badge.corp_id).expect("invariant: the badge's corp was just read");
    if let Some(known) = corp.chats.iter_mut().find(|known| known.chatid == chat.chatid) {
        *known = chat;
    }
    world.inbox.announce("corp", &json!({}));
    Ok(Reply::ok())
}

/// Shows a group.
pub(super) fn get(world: &mut World, call: &Call) -> Outcome {
    let badge = rooted(world, call)?;
    let chat = own_chat(world.app(&badge)?.0, &badge, call.param("chatid"))?;
    Ok(Reply::with(json!({"chat_info": {
        "chatid": chat.chatid, "name": chat.name, "owner": chat.owner, "userlist": chat.members, "chat_type": 0,
    }})))
}

/// Sends a message into a group.
pub(super) fn send(world: &mut World, call: &Call) -> Outcome {
    let badge = rooted(world, call)?;
    let body = call.json()?;
    let (corp, app) = world.app(&badge)?;
    let chat = own_chat(corp, &badge, filled(&body, "chatid"))?.clone();
    let sender = app.name.clone();
    let msgtype = text(&body, "msgtype").unwrap_or_default();
    let now = world.clock.now();
    let rules = Rules {
        door: Channel::Chat,
        owner: Owner::Corp(badge.corp_id.clone()),
        callback: false,
        switches: &world.switches,
        vault: &world.vault,
        now,
    };
    let content = rules.read(msgtype, &body)?.content;
    let safe = is_safe(msgtype, &body)?;
    world.count(&format!("appchat/send {}", badge.corp_id), chat.members.len() as u64, SEND, now)?;

    let msgid = world.switches.appchat_msgid.then(new_msgid);
    let (mut receivers, mut unlucky) = (Vec::new(), Vec::new());
    for user in &chat.members {
        let address = (badge.corp_id.clone(), badge.agent_id, user.clone());
        world.journal.offered(Address::ChatMember(address.0.clone(), address.1, address.2.clone()), now);
        let swallowed = world.swallows(Door::ChatMember, address, now);
        if swallowed { &mut unlucky } else { &mut receivers }.push(user.clone());
    }
    if !unlucky.is_empty() {
        world.inbox.drop_silently(Dropped {
            at_ms: now,
            channel: Channel::Chat,
            agent_id: badge.agent_id,
            chat: Some(chat.chatid.clone()),
            users: unlucky,
            msgtype: msgtype.into(),
            content: content.clone(),
            msgid: msgid.clone(),
            reason: "chat member: 200 a minute, 10,000 a day".into(),
        });
    }
    if !receivers.is_empty() {
        let words = text(&content, "content").unwrap_or_default();
        let listed = texts(&content, "mentioned_list");
        let mentions = mentions(listed.iter().map(String::as_str).chain(named_in(words)), &chat.members);
        world.inbox.deliver(Message {
            at_ms: now,
            channel: Channel::Chat,
            corp_id: Some(badge.corp_id),
            agent_id: Some(badge.agent_id),
            chat: Some(chat.chatid),
            sender,
            msgtype: msgtype.into(),
            content,
            receivers,
            msgid: msgid.clone(),
            mentions,
            safe,
            ..Message::default()
        });
    }
    Ok(Reply::with(msgid.map_or_else(|| json!({}), |msgid| json!({"msgid": msgid}))))
}

/// The mentioned users that are members of the group, spelled as in the group; `@all` is kept as it is.
pub(super) fn mentions<'a>(named: impl Iterator<Item = &'a str>, members: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for name in named {
        let known = members.iter().find(|member| member.eq_ignore_ascii_case(name)).map(String::as_str);
        if let Some(known) = known.or_else(|| (name == "@all").then_some("@all"))
            && !found.iter().any(|other| other == known)
        {
            found.push(known.to_owned());
        }
    }
    found
}

/// The badge of an app whose scope is the root department; other apps may not have chats (48002).
fn rooted(world: &World, call: &Call) -> Result<Badge, Refusal> {
    let badge = world.badge(call)?;
    let root = world.app(&badge)?.1.has_root_scope();
    if root { Ok(badge) } else { Err(Refusal::code(48002)) }
}

fn own_chat<'a>(corp: &'a Corp, badge: &Badge, chatid: Option<&str>) -> Result<&'a Chat, Refusal> {
    let chatid = chatid.ok_or_else(|| Refusal::code(86201))?;
    let chat = corp.chats.iter().find(|chat| chat.chatid == chatid).ok_or_else(|| Refusal::code(86003))?;
    match chat {
        chat if chat.agent_id != badge.agent_id => Err(Refusal::code(86008)),
        chat if chat.dissolved => Err(Refusal::code(49008)),
        chat => Ok(chat),
    }
}

fn new_chatid(corp: &Corp, chatid: &str) -> Result<String, Refusal> {
    let code = match chatid {
        id if id.len() > 32 => 86205,
        id if !id.bytes().all(|b| b.is_ascii_alphanumeric()) => 86001,
        id if corp.chats.iter().any(|chat| chat.chatid == id) => 86215,
        id => return Ok(id.to_owned()),
    };
    Err(Refusal::code(code))
}

/// The named members without repetitions, spelled as in the corp.
fn members(corp: &Corp, named: &[String]) -> Result<Vec<String>, Refusal> {
    let mut found = Vec::new();
    for name in named {
        let legal = !name.is_empty()
            && name.len() <= 64
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.@-".contains(&b));
        if !legal {
            return Err(Refusal::code(86216));
        }
        let userid = member(corp, name, 86007)?;
        if !found.contains(&userid) {
            found.push(userid);
        }
    }
    Ok(found)
}

fn member(corp: &Corp, name: &str, unknown: i64) -> Result<String, Refusal> {
    let user = corp.user(name).filter(|user| matches!(user.status, 1 | 4));
    user.map(|user| user.userid.clone()).ok_or_else(|| Refusal::code(unknown))
}
