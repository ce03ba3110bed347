//! Actions of people in a conversation with a bot, as the frames that its client gets
//! (docs/reference/wecom.md#bot-events).

use serde_json::{Map, Value, json};

use super::commands::new_id;
use super::rooms::Room;
use super::{Ask, AskKind, MAX_WAITING, Out, Waiting, conversation};
use crate::clicks::{Choices, Pressed, press};
use crate::inbox::{Channel, Message};
use crate::state::World;

const MESSAGE: &str = "aibot_msg_callback";
const EVENT: &str = "aibot_event_callback";

impl World {
    /// A member writes to the bot; in a group the text is prefixed with a mention of the bot. Returns whether a client
    /// was connected.
    pub(crate) fn tell_bot(&mut self, bot: &str, chat: Option<&str>, user: &str, words: &str) -> Result<bool, String> {
        let (room, user) = self.entered(bot, chat, user)?;
        let now = self.clock.now();
        let content = match room.group {
            Some(_) => format!("@{} {words}", room.bot.name),
            None => words.to_owned(),
        };
        self.inbox.deliver(Message {
            at_ms: now,
            channel: Channel::Bot,
            chat: room.group.as_ref().map(|group| group.chatid.clone()),
            bot: Some(conversation(bot, &room.chat)),
            said_by: Some(user.clone()),
            sender: room.bot.name.clone(),
            msgtype: "text".into(),
            content: json!({"content": content}),
            receivers: room.members.clone(),
            ..Message::default()
        });
        self.bots.activate(conversation(bot, &room.chat), Some(now));
        let mut body = about(&room, &user);
        body.insert("msgtype".into(), json!("text"));
        body.insert("text".into(), json!({"content": content}));
        Ok(self.call_bot(MESSAGE, &room, AskKind::Message, &body))
    }

    /// A member opens the single chat. Returns whether a client was connected.
    pub(crate) fn enter_bot(&mut self, bot: &str, user: &str) -> Result<bool, String> {
        let (room, user) = self.entered(bot, None, user)?;
        if self.switches.bot_enter_activates {
            let now = self.clock.now();
            self.bots.activate(conversation(bot, &room.chat), Some(now));
        }
        let body = self.event(&room, &user, "enter_chat", Map::new());
        Ok(self.call_bot(EVENT, &room, AskKind::Enter, &body))
    }

    /// A member clicks something in a card of the bot. Returns the number of the click.
    pub(crate) fn click_bot(
        &mut self,
        message: &Message,
        user: &str,
        key: &str,
        choices: &Choices,
        anyway: bool,
    ) -> Result<u64, String> {
        let (bot, chat) = message.bot.as_deref().and_then(|name| name.split_once('/')).unwrap_or_default();
        let (room, user) = self.entered(bot, Some(chat), user)?;
        let pressed = press(message.content_for(&user), key, choices, anyway)?;
        let now = self.clock.now();
        let click = self.clicks.note(now, message.id, Channel::Bot, &user, key, &pressed);
        let event = self.event(&room, &user, "template_card_event", click_of(key, &pressed));
        let delivered = self.call_bot(EVENT, &room, AskKind::Click(click), &event);
        if let Some(click) = self.clicks.get_mut(click) {
            click.delivered = delivered;
        }
        Ok(click)
    }

    /// The room and the member, who must belong to it.
    fn entered(&self, bot: &str, chat: Option<&str>, user: &str) -> Result<(Room, String), String> {
        let room = self.room(bot, chat.unwrap_or(user), i64::from(chat.is_none()));
        let room = room.map_err(|refusal| format!("bot {bot:?}, chat {chat:?}, user {user:?}: {}", refusal.text))?;
        let member = room.members.iter().find(|member| member.eq_ignore_ascii_case(user)).cloned();
        let member = member.ok_or_else(|| format!("{user:?} is not in {:?}", room.chat))?;
        Ok((room, member))
    }

    fn event(&self, room: &Room, user: &str, kind: &str, data: Map<String, Value>) -> Map<String, Value> {
        let mut event = json!({"eventtype": kind});
        if self.switches.bot_flat_events {
            event.as_object_mut().expect("invariant: made as an object").extend(data);
        } else if !data.is_empty() {
            event[kind] = Value::Object(data);
        }
        let mut body = about(room, user);
        body.insert("create_time".into(), json!(self.clock.now() / 1000));
        body.insert("msgtype".into(), json!("event"));
        body.insert("event".into(), event);
        body
    }

    /// Sends a callback and remembers it. Returns whether a client was connected.
    fn call_bot(&mut self, cmd: &'static str, room: &Room, kind: AskKind, body: &Map<String, Value>) -> bool {
        let (req_id, now, bot) = (new_id(), self.clock.now(), room.bot.bot_id.clone());
        let text = self.frame_text(&json!({"cmd": cmd, "headers": {"req_id": req_id}, "body": body}));
        let ask = Ask { bot: bot.clone(), chat: room.chat.clone(), kind, at_ms: now, answered: false };
        self.bots.asks.insert(req_id.clone(), ask);
        let mut delivered = false;
        for _ in 0..=self.switches.duplicate_events {
            delivered = self.send_callback(&bot, cmd, text.clone(), now);
        }
        if !delivered && self.switches.bot_events_wait_ms > 0 {
            if self.bots.waiting.len() >= MAX_WAITING {
                self.bots.waiting.pop_front();
            }
            self.bots.waiting.push_back(Waiting { bot, at_ms: now, cmd, req_id, text });
        }
        delivered
    }

    fn send_callback(&mut self, bot: &str, cmd: &str, text: String, now: i64) -> bool {
        let Some(&id) = self.bots.live.get(bot) else { return false };
        self.bots.note(now, id, "out", cmd, &text);
        self.bots.send(id, Out::Text(text))
    }

    /// Sends the queued events of this connection's bot, except those that have waited too long.
    pub(super) fn flush_waiting(&mut self, id: u64) {
        let bot = self.bots.connections.get(&id).and_then(|connection| connection.bot.clone());
        let Some(bot) = bot else { return };
        let now = self.clock.now();
        let since = now - self.switches.bot_events_wait_ms;
        let all = std::mem::take(&mut self.bots.waiting);
        let (mine, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|one| one.bot == bot);
        self.bots.waiting = others.into();
        for one in mine.into_iter().filter(|one| one.at_ms >= since) {
            // The window for the answer starts when the client can read the event.
            if let Some(ask) = self.bots.asks.get_mut(&one.req_id) {
                ask.at_ms = now;
            }
            self.send_callback(&bot, one.cmd, one.text, now);
        }
    }
}

/// The fields of every callback.
fn about(room: &Room, user: &str) -> Map<String, Value> {
    let mut body = Map::new();
    body.insert("msgid".into(), json!(new_id()));
    body.insert("aibotid".into(), json!(room.bot.bot_id));
    if let Some(group) = &room.group {
        body.insert("chatid".into(), json!(group.chatid));
    }
    body.insert("chattype".into(), json!(if room.group.is_some() { "group" } else { "single" }));
    body.insert("from".into(), json!({"userid": user}));
    body
}

fn click_of(key: &str, pressed: &Pressed) -> Map<String, Value> {
    let mut data = Map::new();
    data.insert("card_type".into(), json!(pressed.card_type));
    data.insert("event_key".into(), json!(key));
    data.insert("task_id".into(), json!(pressed.task_id));
    if let Some(selected) = &pressed.selected {
        let items: Vec<_> = selected
            .iter()
            .map(|(question, options)| json!({"question_key": question, "option_ids": {"option_id": options}}))
            .collect();
        data.insert("selected_items".into(), json!({"selected_item": items}));
    }
    data
}
