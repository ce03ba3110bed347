//! The conversations of a bot and their rate limits.

use super::conversation;
use crate::answer::Refusal;
use crate::clock::{HOUR_MS, MINUTE_MS};
use crate::journal::Address;
use crate::rate::Recent;
use crate::setup::{Bot, BotGroup};
use crate::state::World;
use crate::switches::Ceiling;

/// Messages per conversation and minute, replies and pushes together (page 101463).
const PER_MINUTE: usize = 30;
/// Messages per conversation and hour.
const PER_HOUR: usize = 1000;
/// A conversation of a bot.
#[derive(Debug, Clone)]
pub(super) struct Room {
    pub(super) bot: Bot,
    /// The chatid or userid, spelled as in the directory.
    pub(super) chat: String,
    pub(super) group: Option<BotGroup>,
    /// All members except the bot.
    pub(super) members: Vec<String>,
}

impl World {
    pub(crate) fn bot(&self, bot_id: &str) -> Option<&Bot> {
        self.setup.bots.iter().find(|bot| bot.bot_id == bot_id)
    }

    /// The conversation of that name; 93006 if there is none. `kind`: 1 single, 2 group, else group first
    /// (docs/reference/wecom.md#bot-messages).
    pub(super) fn room(&self, bot_id: &str, chat: &str, kind: i64) -> Result<Room, Refusal> {
        let bot = self.bot(bot_id).ok_or_else(|| Refusal::code(93019))?.clone();
        let group = bot.groups.iter().find(|group| group.chatid == chat).filter(|_| kind != 1).cloned();
        if let Some(group) = group {
            return Ok(Room { chat: group.chatid.clone(), members: group.members.clone(), group: Some(group), bot });
        }
        let mut corps = self.setup.corps.iter();
        let user = corps.find_map(|corp| corp.user(chat)).filter(|user| kind != 2 && user.status == 1);
        let chat = user.ok_or_else(|| Refusal::code(93006))?.userid.clone();
        Ok(Room { members: vec![chat.clone()], chat, group: None, bot })
    }

    /// 93001 unless a user has written in the room, within the lapse if one is set.
    pub(super) fn ensure_active(&self, room: &Room, now: i64) -> Result<(), Refusal> {
        let lapse = self.switches.bot_activation_lapse_ms;
        let spoke = self.bots.active.get(&conversation(&room.bot.bot_id, &room.chat));
        match spoke {
            Some(&at) if lapse == 0 || now < at + lapse => Ok(()),
            _ => Err(Refusal::code(93001)),
        }
    }

    /// Counts a message of the bot. Over the limit it returns false (dropped silently) or 45009, depending on the
    /// switch.
    pub(super) fn within_rate(&mut self, room: &Room, now: i64) -> Result<bool, Refusal> {
        let name = conversation(&room.bot.bot_id, &room.chat);
        self.journal.offered(Address::Bot(name.clone()), now);
        let recent = self.bots.recent.entry(name).or_insert_with(|| Recent::new(PER_HOUR));
        let over = recent.within(now, MINUTE_MS) >= PER_MINUTE || recent.within(now, HOUR_MS) >= PER_HOUR;
        if !over || !self.switches.enforce_rate {
            recent.push(now);
            return Ok(true);
        }
        match self.switches.bot_over {
            Ceiling::Error => Err(Refusal::code(45009)),
            Ceiling::Silent => Ok(false),
        }
    }
}
