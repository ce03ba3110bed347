//! Answers to callbacks: they carry the `req_id` of the callback (docs/reference/wecom.md#bot-frames).

use serde_json::{Value, json};

use super::commands::Done;
use super::{Ask, AskKind, Stream};
use crate::answer::Refusal;
use crate::call::{filled, text, texts};
use crate::card::Place;
use crate::clock::DAY_MS;
use crate::state::World;

impl World {
    /// The callback that is answered. It must belong to this bot, be unanswered and not older than `life_ms`; else
    /// 846605.
    fn asked(&self, bot: &str, req_id: &str, life_ms: i64, kind: impl Fn(AskKind) -> bool) -> Result<&Ask, Refusal> {
        let ask = self.bots.asks.get(req_id).filter(|ask| ask.bot == bot && kind(ask.kind) && !ask.answered);
        let in_time = |ask: &&Ask| self.clock.now() <= ask.at_ms + life_ms;
        ask.filter(in_time).ok_or_else(|| Refusal::code(846_605))
    }

    fn answered(&mut self, req_id: &str) {
        if let Some(ask) = self.bots.asks.get_mut(req_id) {
            ask.answered = true;
        }
    }

    /// A reply to a message: a stream, a card, both, or a file; within 24 hours.
    pub(super) fn respond(&mut self, bot: &str, req_id: &str, body: &Value) -> Done {
        let chat = self.asked(bot, req_id, DAY_MS, |kind| kind == AskKind::Message)?.chat.clone();
        let room = self.room(bot, &chat, 0)?;
        let msgtype = text(body, "msgtype").unwrap_or_default();
        let mut finished = true;
        match msgtype {
            "stream" => finished = self.stream(bot, &chat, body)?,
            "stream_with_template_card" => {
                let card = body.get("template_card").filter(|card| card.is_object());
                let card = card.map(|_| self.bot_content(&room, "template_card", body)).transpose()?;
                finished = self.stream(bot, &chat, body)?;
                if let Some(card) = card {
                    self.say(&room, "template_card", card)?;
                }
            }
            "template_card" | "file" | "image" | "voice" | "video" => {
                let content = self.bot_content(&room, msgtype, body)?;
                self.say(&room, msgtype, content)?;
            }
            _ => return Err(Refusal::code(40008)),
        }
        if finished {
            self.answered(req_id);
        }
        Ok(None)
    }

    /// Writes a part of a stream; each part replaces the former content. Returns whether it was the last part.
    fn stream(&mut self, bot: &str, chat: &str, body: &Value) -> Result<bool, Refusal> {
        let part = body.get("stream").filter(|part| part.is_object()).ok_or_else(|| Refusal::code(40063))?;
        let id = filled(part, "id").ok_or_else(|| Refusal::parameter("stream.id is missing"))?;
        let finish = part.get("finish") == Some(&Value::Bool(true));
        let words = text(part, "content").unwrap_or_default();
        // The first part may be empty: it only announces the stream.
        let content = match words {
            "" => json!({"content": ""}),
            _ => self.bot_rules(bot).markdown("stream", part)?,
        };
        let content = json!({"id": id, "content": content["content"], "finish": finish});
        let (name, now) = (format!("{bot} {id}"), self.clock.now());
        match self.bots.streams.get_mut(&name) {
            Some(stream) if stream.finished || now > stream.begun_ms + self.switches.bot_stream_life_ms => {
                return Err(Refusal::code(846_608));
            }
            Some(stream) => {
                stream.finished = finish;
                let message = stream.message;
                self.inbox.change(message, |message| message.content = content);
            }
            None => {
                let room = self.room(bot, chat, 0)?;
                let message = self.say(&room, "stream", content)?;
                self.bots.streams.insert(name, Stream { message, begun_ms: now, finished: finish });
            }
        }
        Ok(finish)
    }

    /// The welcome after `enter_chat`, within five seconds.
    pub(super) fn welcome(&mut self, bot: &str, req_id: &str, body: &Value) -> Done {
        let window = self.switches.bot_window_ms;
        let chat = self.asked(bot, req_id, window, |kind| kind == AskKind::Enter)?.chat.clone();
        let room = self.room(bot, &chat, 0)?;
        let msgtype = text(body, "msgtype").unwrap_or_default();
        let content = match msgtype {
            "text" => {
                let words = body.get("text").and_then(|object| filled(object, "content"));
                json!({"content": words.ok_or_else(|| Refusal::code(44004))?})
            }
            "template_card" => self.bot_content(&room, msgtype, body)?,
            _ => return Err(Refusal::code(40008)),
        };
        self.say(&room, msgtype, content)?;
        self.answered(req_id);
        Ok(None)
    }

    /// Replaces the clicked card, within five seconds and with the same task id.
    pub(super) fn update(&mut self, bot: &str, req_id: &str, body: &Value) -> Done {
        let click = self.bots.asks.get(req_id).filter(|ask| ask.bot == bot).map(|ask| (ask.kind, ask.at_ms));
        let done = self.try_update(bot, req_id, body);
        if let Some((AskKind::Click(click), at)) = click {
            let now = self.clock.now();
            let in_time = now <= at + self.switches.bot_window_ms;
            let code = done.as_ref().err().map_or(0, |refusal| refusal.code);
            self.clicks.answered(click, "aibot_respond_update_msg", now, in_time, code, body.clone());
        }
        done
    }

    fn try_update(&mut self, bot: &str, req_id: &str, body: &Value) -> Done {
        let window = self.switches.bot_window_ms;
        let ask = self.asked(bot, req_id, window, |kind| matches!(kind, AskKind::Click(_)))?;
        let AskKind::Click(click) = ask.kind else { return Err(Refusal::code(846_605)) };
        if text(body, "response_type") != Some("update_template_card") {
            return Err(Refusal::parameter("response_type should be update_template_card"));
        }
        let card = body.get("template_card").filter(|card| card.is_object()).ok_or_else(|| Refusal::code(40063))?;
        let click = self.clicks.get(click).ok_or_else(|| Refusal::code(846_605))?;
        let task_id = filled(card, "task_id").ok_or_else(|| Refusal::code(42014))?;
        if task_id != click.task_id {
            return Err(Refusal::code(42016));
        }
        self.bot_rules(bot).card(card, Place::Bot { link_buttons: self.switches.bot_link_buttons })?;
        let (named, message) = (texts(body, "userids"), click.message);
        self.inbox.change(message, |message| {
            if named.is_empty() {
                // Without userids the card is replaced for all receivers.
                message.content = card.clone();
                message.updated_for.clear();
            }
            for user in named.iter().filter_map(|user| message.receiver(user).cloned()).collect::<Vec<_>>() {
                message.updated_for.insert(user, card.clone());
            }
        });
        self.answered(req_id);
        Ok(None)
    }
}
