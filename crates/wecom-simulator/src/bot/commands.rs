//! The commands of a client on the socket (docs/reference/wecom.md#bot-frames).

use serde_json::{Value, json};

use super::rooms::Room;
use super::socket::ok;
use super::{Out, conversation};
use crate::answer::Refusal;
use crate::call::{filled, int, text};
use crate::content::Rules;
use crate::inbox::{Channel, Message};
use crate::state::World;
use crate::switches::RepeatedTaskId;
use crate::vault::{Owner, hex};

/// The result of a command: the body of the answer, if it has one.
pub(super) type Done = Result<Option<Value>, Refusal>;

/// Executes the command of a frame and returns the answer.
pub(super) fn answer(world: &mut World, id: u64, cmd: &str, frame: &Value) -> Value {
    let nothing = Value::Null;
    let body = frame.get("body").unwrap_or(&nothing);
    let req_id = req_id(frame);
    let done = match cmd {
        _ if !frame.is_object() => Err(Refusal::parameter("Warning: wrong json format")),
        _ if req_id.is_empty() => Err(Refusal::parameter("headers.req_id is missing")),
        "aibot_subscribe" => subscribe(world, id, body),
        "ping" => Ok(None),
        _ => match world.bots.connections.get(&id).and_then(|connection| connection.bot.clone()) {
            // This includes connections that were displaced by a newer one.
            None => Err(Refusal::saying(40001, "invalid credential: aibot_subscribe comes first")),
            Some(bot) => world.command(&bot, cmd, req_id, body),
        },
    };
    match done {
        Ok(body) => ok(req_id, body),
        Err(refusal) => refusal_of(world, id, req_id, refusal),
    }
}

/// The refusal that a scripted fault demands.
pub(super) fn refused(world: &World, id: u64, frame: &Value, code: i64) -> Value {
    refusal_of(world, id, req_id(frame), Refusal::code(code))
}

fn refusal_of(world: &World, id: u64, req_id: &str, refusal: Refusal) -> Value {
    let from = world.bots.connections.get(&id).map_or("", |connection| connection.from.as_str());
    let mut answer = Value::Object(refusal.fields(from, world.clock.now()));
    answer["headers"] = json!({"req_id": req_id});
    answer
}

fn req_id(frame: &Value) -> &str {
    frame.get("headers").and_then(|headers| text(headers, "req_id")).unwrap_or_default()
}

/// Makes this the bot's one live connection; the former one is notified and closed.
fn subscribe(world: &mut World, id: u64, body: &Value) -> Done {
    let bot_id = filled(body, "bot_id").unwrap_or_default().to_owned();
    let secret = text(body, "secret").unwrap_or_default();
    if world.bot(&bot_id).is_none_or(|bot| bot.secret != secret) {
        if world.bot(&bot_id).is_some() {
            world.bots.tallies.entry(bot_id).or_default().refused += 1;
        }
        return Err(Refusal::code(world.switches.bot_wrong_secret));
    }
    let now = world.clock.now();
    let Some(connection) = world.bots.connections.get_mut(&id) else { return Ok(None) };
    connection.bot = Some(bot_id.clone());
    let former = world.bots.live.insert(bot_id.clone(), id).filter(|&former| former != id);
    world.bots.tallies.entry(bot_id.clone()).or_default().subscribes += 1;
    if let Some(former) = former {
        world.bots.tallies.entry(bot_id.clone()).or_default().evictions += 1;
        let event = json!({
            "msgid": new_id(), "create_time": now / 1000, "aibotid": bot_id, "msgtype": "event",
            "event": {"eventtype": "disconnected_event"},
        });
        let frame = json!({"cmd": "aibot_event_callback", "headers": {"req_id": new_id()}, "body": event});
        let text = world.frame_text(&frame);
        world.bots.note(now, former, "out", "aibot_event_callback", &text);
        world.bots.send(former, Out::Text(text));
        world.bots.send(former, Out::Close);
        if let Some(connection) = world.bots.connections.get_mut(&former) {
            connection.bot = None;
        }
    }
    Ok(None)
}

impl World {
    fn command(&mut self, bot: &str, cmd: &str, req_id: &str, body: &Value) -> Done {
        match cmd {
            "aibot_send_msg" => self.push(bot, body),
            "aibot_respond_msg" => self.respond(bot, req_id, body),
            "aibot_respond_welcome_msg" => self.welcome(bot, req_id, body),
            "aibot_respond_update_msg" => self.update(bot, req_id, body),
            "aibot_upload_media_init" => self.upload_init(bot, body),
            "aibot_upload_media_chunk" => self.upload_chunk(bot, body),
            "aibot_upload_media_finish" => self.upload_finish(bot, body),
            _ => Err(Refusal::parameter(format_args!("the simulator does not know the cmd {cmd:.100}"))),
        }
    }

    /// A push: a message that answers no callback.
    fn push(&mut self, bot: &str, body: &Value) -> Done {
        let now = self.clock.now();
        let chat = filled(body, "chatid").ok_or_else(|| Refusal::code(93006))?;
        let room = self.room(bot, chat, int(body, "chat_type").unwrap_or(0))?;
        let msgtype = text(body, "msgtype").unwrap_or_default();
        if !matches!(msgtype, "markdown" | "template_card" | "file" | "image" | "voice" | "video") {
            return Err(Refusal::code(40008));
        }
        let content = self.bot_content(&room, msgtype, body)?;
        self.ensure_active(&room, now)?;
        self.say(&room, msgtype, content)?;
        Ok(None)
    }

    /// The content of a message as readers see it.
    pub(super) fn bot_content(&self, room: &Room, msgtype: &str, body: &Value) -> Result<Value, Refusal> {
        let content = self.bot_rules(&room.bot.bot_id).read(msgtype, body)?.content;
        if msgtype == "template_card" {
            if room.group.is_some() && !self.switches.bot_cards_in_groups {
                return Err(Refusal::parameter("template_card is not supported in group chats"));
            }
            let used = filled(&content, "task_id").and_then(|id| self.bots.task_ids.get(&task_name(room, id)));
            if used.is_some() && self.switches.repeated_task_id == RepeatedTaskId::Refuse {
                return Err(Refusal::saying(42014, "task_id was used before"));
            }
        }
        Ok(content)
    }

    pub(super) fn bot_rules(&self, bot: &str) -> Rules<'_> {
        Rules {
            door: Channel::Bot,
            owner: Owner::Bot(bot.into()),
            callback: true,
            switches: &self.switches,
            vault: &self.vault,
            now: self.clock.now(),
        }
    }

    /// Delivers a message to the conversation. Returns its id, or 0 if a limit dropped it.
    pub(super) fn say(&mut self, room: &Room, msgtype: &str, content: Value) -> Result<u64, Refusal> {
        let now = self.clock.now();
        if !self.within_rate(room, now)? {
            return Ok(0);
        }
        if let Some(task_id) = filled(&content, "task_id") {
            self.bots.task_ids.insert(task_name(room, task_id), ());
        }
        Ok(self.inbox.deliver(Message {
            at_ms: now,
            channel: Channel::Bot,
            chat: room.group.as_ref().map(|group| group.chatid.clone()),
            bot: Some(conversation(&room.bot.bot_id, &room.chat)),
            sender: room.bot.name.clone(),
            msgtype: msgtype.into(),
            content,
            receivers: room.members.clone(),
            ..Message::default()
        }))
    }
}

fn task_name(room: &Room, task_id: &str) -> String {
    format!("{} {task_id}", room.bot.bot_id)
}

/// A new unique id.
pub(super) fn new_id() -> String {
    hex(&rand::random::<[u8; 16]>())
}
