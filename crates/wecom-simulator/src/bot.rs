//! Bots (智能机器人) in the variant with the long connection (page 101463, docs/reference/wecom.md#bots): their connections,
//! activated conversations, and unanswered callbacks.

mod commands;
pub(crate) mod events;
mod replies;
mod rooms;
pub(crate) mod socket;
mod upload;

use std::collections::{BTreeMap, HashMap, VecDeque};

use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::kept::Kept;
use crate::log::Log;
use crate::rate::Recent;
use crate::setup::Bot;

/// Frames kept for inspection; with [`MAX_FRAME_SHOWN`] at most 64 MiB.
const MAX_FRAMES: usize = 2000;
/// A longer frame (an uploaded picture) is recorded truncated.
const MAX_FRAME_SHOWN: usize = 32 * 1024;
/// Outgoing frames queued for a client that does not read; when the queue is full, the connection is cut.
const MAX_OUT: usize = 1024;
/// Callbacks that are remembered so that they can be answered.
const MAX_ASKS: usize = 5000;
/// Streams that are remembered.
const MAX_STREAMS: usize = 1000;
/// Events queued until a connection subscribes.
const MAX_WAITING: usize = 1000;

/// An instruction to the task that owns a connection.
#[derive(Debug)]
pub(crate) enum Out {
    Text(String),
    /// Close with a close frame.
    Close,
    /// Cut without a close frame.
    Cut,
}

/// A frame that went over a socket.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Frame {
    pub(crate) id: u64,
    at_ms: i64,
    connection: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bot: Option<String>,
    /// `in`: from the client; `out`: to the client.
    pub(crate) direction: &'static str,
    /// The frame's `cmd`; for an answer, the `cmd` of the frame that it answers.
    pub(crate) cmd: String,
    /// The frame: JSON if it is JSON, else text.
    content: Value,
}

#[derive(Debug)]
struct Connection {
    from: String,
    opened_ms: i64,
    /// Set once the connection has subscribed.
    bot: Option<String>,
    out: mpsc::Sender<Out>,
}

/// What happened to a bot's connections.
#[derive(Debug, Default, Serialize)]
struct Tally {
    /// Accepted subscribes, including repeated ones on the same connection.
    subscribes: u64,
    /// Subscribes with a wrong secret.
    refused: u64,
    /// Connections that were displaced by a newer one.
    evictions: u64,
    /// Subscribed connections that ended by themselves or by the control API.
    ends: u64,
}

/// The callback behind a `req_id`, to validate its answer.
#[derive(Debug)]
struct Ask {
    bot: String,
    /// The chatid, or the userid in a single chat.
    chat: String,
    kind: AskKind,
    at_ms: i64,
    answered: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AskKind {
    Message,
    Enter,
    /// With the number of the click.
    Click(u64),
}

/// A streamed reply.
#[derive(Debug)]
struct Stream {
    /// The id in the inbox, 0 if a limit dropped the message.
    message: u64,
    begun_ms: i64,
    finished: bool,
}

/// An event that occurred while there was no connection.
#[derive(Debug)]
struct Waiting {
    bot: String,
    at_ms: i64,
    cmd: &'static str,
    req_id: String,
    text: String,
}

/// All bots.
#[derive(Debug)]
pub(crate) struct Bots {
    connections: HashMap<u64, Connection>,
    last_connection: u64,
    /// `BotID` → the one live connection.
    live: HashMap<String, u64>,
    tallies: BTreeMap<String, Tally>,
    pub(crate) frames: Log<Frame>,
    /// `BOT_ID/CHATID` → when a user last spoke there.
    active: HashMap<String, i64>,
    asks: Kept<Ask>,
    streams: Kept<Stream>,
    uploads: Kept<upload::Upload>,
    recent: HashMap<String, Recent>,
    /// Used task ids, as `BOT_ID TASK_ID`.
    task_ids: Kept<()>,
    waiting: VecDeque<Waiting>,
}

/// The key of a conversation: `BOT_ID/CHATID`.
pub(crate) fn conversation(bot: &str, chat: &str) -> String {
    format!("{bot}/{chat}")
}

impl Bots {
    pub(crate) fn new() -> Self {
        Self {
            connections: HashMap::new(),
            last_connection: 0,
            live: HashMap::new(),
            tallies: BTreeMap::new(),
            frames: Log::new(MAX_FRAMES),
            active: HashMap::new(),
            asks: Kept::new(MAX_ASKS),
            streams: Kept::new(MAX_STREAMS),
            uploads: Kept::new(upload::MAX_UPLOADS),
            recent: HashMap::new(),
            task_ids: Kept::new(MAX_ASKS),
            waiting: VecDeque::new(),
        }
    }

    /// Cuts every connection and clears all state. Numbering continues, so that a connection that is still closing
    /// never matches a new one.
    pub(crate) fn clear(&mut self) {
        let mut frames = std::mem::replace(&mut self.frames, Log::new(0));
        frames.clear();
        *self = Self { last_connection: self.last_connection, frames, ..Self::new() };
    }

    fn opened(&mut self, from: String, now: i64) -> (u64, mpsc::Receiver<Out>) {
        let (out, receiver) = mpsc::channel(MAX_OUT);
        self.last_connection += 1;
        self.connections.insert(self.last_connection, Connection { from, opened_ms: now, bot: None, out });
        (self.last_connection, receiver)
    }

    fn closed(&mut self, id: u64) {
        let Some(connection) = self.connections.remove(&id) else { return };
        if let Some(bot) = connection.bot.filter(|bot| self.live.get(bot) == Some(&id)) {
            self.live.remove(&bot);
            self.tallies.entry(bot).or_default().ends += 1;
        }
    }

    /// Queues `out` on a connection; a connection whose queue is full is cut. Returns false if the connection is gone.
    fn send(&mut self, id: u64, out: Out) -> bool {
        let sent = self.connections.get(&id).is_some_and(|connection| connection.out.try_send(out).is_ok());
        if !sent {
            self.closed(id);
        }
        sent
    }

    fn note(&mut self, now: i64, connection: u64, direction: &'static str, cmd: &str, text: &str) {
        let bot = self.connections.get(&connection).and_then(|connection| connection.bot.clone());
        let json = if text.len() <= MAX_FRAME_SHOWN { serde_json::from_str(text).ok() } else { None };
        let shown = || Value::String(text[..text.floor_char_boundary(MAX_FRAME_SHOWN)].into());
        let content = json.unwrap_or_else(shown);
        self.frames.add(|id| Frame { id, at_ms: now, connection, bot, direction, cmd: cmd.into(), content });
    }

    /// Ends the live connection of a bot. Returns false if there is none.
    pub(crate) fn end(&mut self, bot: &str, out: Out) -> bool {
        self.live.get(bot).copied().is_some_and(|id| self.send(id, out))
    }

    /// Sends `text` unchanged to the live connection of a bot. Returns false if there is none.
    pub(crate) fn send_raw(&mut self, bot: &str, text: String, now: i64) -> bool {
        let Some(&id) = self.live.get(bot) else { return false };
        self.note(now, id, "out", "raw", &text);
        self.send(id, Out::Text(text))
    }

    /// Permits the bot to push into a conversation, or withdraws the permission (`None`).
    pub(crate) fn activate(&mut self, conversation: String, since: Option<i64>) {
        match since {
            Some(at) => drop(self.active.insert(conversation, at)),
            None => drop(self.active.remove(&conversation)),
        }
    }

    /// The connections, tallies and activated conversations of each bot, for the control API.
    pub(crate) fn show(&self, bots: &[Bot]) -> Value {
        let show = |bot: &Bot| {
            let live = self.live.get(&bot.bot_id).and_then(|id| Some((id, self.connections.get(id)?)));
            let live = live.map(|(id, it)| json!({"connection": id, "from": it.from, "since_ms": it.opened_ms}));
            let prefix = conversation(&bot.bot_id, "");
            let active: BTreeMap<_, _> =
                self.active.iter().filter_map(|(name, at)| Some((name.strip_prefix(&prefix)?, at))).collect();
            let mut shown = json!(self.tallies.get(&bot.bot_id).unwrap_or(&Tally::default()));
            shown["bot_id"] = json!(bot.bot_id);
            shown["live"] = json!(live);
            shown["active"] = json!(active);
            shown
        };
        json!({"bots": bots.iter().map(show).collect::<Vec<_>>(), "open_connections": self.connections.len()})
    }
}
