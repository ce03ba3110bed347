//! The messages that receivers see, and those that were silently dropped.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::mpsc;

/// Messages kept for inspection.
const MAX_MESSAGES: usize = 5000;
/// The most bytes of all contents together: an mpnews may weigh 5 MB, and 5000 of those must not be kept.
const MAX_BYTES: usize = 64 * 1024 * 1024;
/// Dropped messages that are kept for inspection; the count continues.
const MAX_DROPPED: usize = 2000;
/// The most pages that listen at the same time.
const MAX_LISTENERS: usize = 64;
/// Events queued for a slow page; when the queue is full, the page is disconnected and loads everything again.
const MAX_WAITING: usize = 256;

/// The API that a message came through.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Channel {
    /// `message/send`.
    #[default]
    App,
    /// `appchat/send`.
    Chat,
    /// `webhook/send`.
    Webhook,
    /// The bot's socket.
    Bot,
}

/// A delivered message, or one that a person wrote.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Message {
    pub(crate) id: u64,
    pub(crate) at_ms: i64,
    pub(crate) channel: Channel,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) corp_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) agent_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) chat: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) webhook: Option<String>,
    /// A conversation with a bot: `BOT_ID/CHATID`, where the chatid of a single chat is the userid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bot: Option<String>,
    /// The member who wrote this to the app or bot; all other messages are written to members.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) said_by: Option<String>,
    /// The app's, webhook's or bot's name.
    pub(crate) sender: String,
    pub(crate) msgtype: String,
    /// The object of that msgtype as readers see it, not as it was sent; `null` once recalled.
    pub(crate) content: Value,
    /// The userids that got it, without those for whom it was silently dropped.
    pub(crate) receivers: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) msgid: Option<String>,
    /// The mentioned userids, or `@all`.
    pub(crate) mentions: Vec<String>,
    pub(crate) safe: bool,
    pub(crate) recalled: bool,
    /// The cards of receivers for whom an update replaced the content.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) updated_for: BTreeMap<String, Value>,
}

impl Message {
    /// The message as `user` sees it.
    fn seen_by(&self, user: &str) -> Self {
        Self { content: self.content_for(user).clone(), updated_for: BTreeMap::new(), ..self.clone() }
    }

    /// The content as `user` sees it.
    pub(crate) fn content_for(&self, user: &str) -> &Value {
        let updated = self.updated_for.iter().find(|(userid, _)| userid.eq_ignore_ascii_case(user));
        updated.map_or(&self.content, |(_, content)| content)
    }

    /// The receiver of that userid, spelled as in the corp.
    pub(crate) fn receiver(&self, user: &str) -> Option<&String> {
        self.receivers.iter().find(|receiver| receiver.eq_ignore_ascii_case(user))
    }
}

/// A message that was silently dropped, for all or some of its receivers.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Dropped {
    pub(crate) at_ms: i64,
    pub(crate) channel: Channel,
    pub(crate) agent_id: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) chat: Option<String>,
    /// The userids that did not get it.
    pub(crate) users: Vec<String>,
    pub(crate) msgtype: String,
    pub(crate) content: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) msgid: Option<String>,
    pub(crate) reason: String,
}

/// Which messages to list.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Filter {
    /// What this member got from apps, or from the bot in the field `bot`, as the member sees it.
    user: Option<String>,
    /// Messages in this group chat.
    chat: Option<String>,
    /// Messages of this webhook.
    webhook: Option<String>,
    /// Messages of this bot, as `BOT_ID/CHATID`.
    bot: Option<String>,
    /// Also messages that people wrote.
    #[serde(default)]
    said: bool,
    /// Only messages with a larger id.
    since: Option<u64>,
}

/// All messages.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    messages: VecDeque<Message>,
    bytes: usize,
    next_id: u64,
    said: u64,
    dropped: VecDeque<Dropped>,
    drops: u64,
    listeners: Vec<mpsc::Sender<Bytes>>,
}

impl Inbox {
    /// Delivers a message, gives it its id and notifies the listeners.
    pub(crate) fn deliver(&mut self, mut message: Message) -> u64 {
        self.next_id += 1;
        message.id = self.next_id;
        self.said += u64::from(message.said_by.is_some());
        self.bytes += weight(&message);
        self.tell("message", &message);
        self.messages.push_back(message);
        while self.messages.len() > MAX_MESSAGES || (self.bytes > MAX_BYTES && self.messages.len() > 1) {
            if let Some(oldest) = self.messages.pop_front() {
                self.bytes = self.bytes.saturating_sub(weight(&oldest));
            }
        }
        self.next_id
    }

    /// The number of messages delivered since the start, including those no longer kept, without those that people
    /// wrote.
    pub(crate) const fn delivered(&self) -> u64 {
        self.next_id - self.said
    }

    /// Records a message that was silently dropped.
    pub(crate) fn drop_silently(&mut self, dropped: Dropped) {
        self.drops += dropped.users.len() as u64;
        if self.dropped.len() >= MAX_DROPPED {
            self.dropped.pop_front();
        }
        self.dropped.push_back(dropped);
    }

    /// The number of silently dropped deliveries.
    pub(crate) fn drops(&self) -> u64 {
        self.drops
    }

    pub(crate) fn dropped(&self) -> &VecDeque<Dropped> {
        &self.dropped
    }

    /// Iterates oldest first.
    pub(crate) fn list(&self, filter: &Filter) -> Vec<Message> {
        let same = |wanted: &Option<String>, is: &Option<String>| wanted.is_none() || wanted == is;
        let chosen = self.messages.iter().filter(|message| {
            filter.since.is_none_or(|since| message.id > since)
                && same(&filter.chat, &message.chat)
                && same(&filter.webhook, &message.webhook)
                && same(&filter.bot, &message.bot)
                && (filter.said || message.said_by.is_none())
        });
        match &filter.user {
            None => chosen.cloned().collect(),
            Some(user) => chosen
                .filter(|message| message.channel == Channel::App || filter.bot.is_some())
                .filter(|message| message.receiver(user).is_some())
                .map(|message| message.seen_by(user))
                .collect(),
        }
    }

    /// The last `count`, oldest first.
    pub(crate) fn newest(&self, count: usize) -> Vec<&Message> {
        self.messages.iter().skip(self.messages.len().saturating_sub(count)).collect()
    }

    pub(crate) fn by_msgid(&self, msgid: &str) -> Option<&Message> {
        self.messages.iter().rev().find(|message| message.msgid.as_deref() == Some(msgid))
    }

    pub(crate) fn by_id(&self, id: u64) -> Option<&Message> {
        self.messages.iter().rev().find(|message| message.id == id)
    }

    /// Changes a message and notifies the listeners.
    pub(crate) fn change(&mut self, id: u64, change: impl FnOnce(&mut Message)) {
        let Some(at) = self.messages.iter().rposition(|message| message.id == id) else { return };
        let before = weight(&self.messages[at]);
        change(&mut self.messages[at]);
        self.bytes = self.bytes.saturating_sub(before) + weight(&self.messages[at]);
        let message = self.messages[at].clone();
        self.tell("change", &message);
    }

    /// A stream of server-sent events; `None` if too many pages listen already.
    pub(crate) fn listen(&mut self) -> Option<mpsc::Receiver<Bytes>> {
        self.listeners.retain(|listener| !listener.is_closed());
        if self.listeners.len() >= MAX_LISTENERS {
            return None;
        }
        let (sender, receiver) = mpsc::channel(MAX_WAITING);
        // A first event at once, so that the response starts and the page knows that it is connected.
        sender.try_send(event("hello", &json!({}))).expect("invariant: a new channel has room");
        self.listeners.push(sender);
        Some(receiver)
    }

    /// Clears everything. Ids continue, so that a page that asks "since" misses nothing.
    pub(crate) fn clear(&mut self) {
        let listeners = std::mem::take(&mut self.listeners);
        *self = Self { next_id: self.next_id, said: self.said, listeners, ..Self::default() };
        self.announce("reset", &json!({}));
    }

    fn tell(&mut self, kind: &str, message: &Message) {
        if !self.listeners.is_empty() {
            self.announce(kind, &json!(message));
        }
    }

    /// Sends an event to every page that listens.
    pub(crate) fn announce(&mut self, kind: &str, data: &Value) {
        let event = event(kind, data);
        self.listeners.retain(|listener| listener.try_send(event.clone()).is_ok());
    }
}

fn event(kind: &str, data: &Value) -> Bytes {
    // serde_json writes no line breaks, so one data line is enough.
    Bytes::from(format!("event: {kind}\ndata: {data}\n\n"))
}

/// Approximately the memory that a message takes.
fn weight(message: &Message) -> usize {
    let updates: usize = message.updated_for.values().map(size).sum();
    512 + size(&message.content) + updates + message.receivers.iter().map(|receiver| receiver.len() + 24).sum::<usize>()
}

fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 24,
        Value::Array(items) => 24 + items.iter().map(size).sum::<usize>(),
        Value::Object(fields) => 24 + fields.iter().map(|(name, value)| name.len() + 24 + size(value)).sum::<usize>(),
        _ => 24,
    }
}
