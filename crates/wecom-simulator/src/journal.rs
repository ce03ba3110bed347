//! The record of API requests, and the counters.

use std::collections::{BTreeMap, HashMap, VecDeque};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::call::Call;
use crate::rate::Peak;

/// Requests kept for inspection.
const MAX_REQUESTS: usize = 2000;
/// A longer body (an uploaded or inlined picture) is recorded truncated: at most 2000 × 32 KiB are held.
const MAX_BODY: usize = 32 * 1024;

/// One request and its result. Nothing is redacted: secrets here are play secrets.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Entry {
    pub(crate) id: u64,
    pub(crate) at_ms: i64,
    pub(crate) from: String,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: BTreeMap<String, String>,
    /// JSON if it is JSON, else text.
    pub(crate) body: Value,
    pub(crate) body_bytes: usize,
    /// The HTTP status, or 0 when the connection was cut.
    pub(crate) status: u16,
    pub(crate) errcode: Option<i64>,
    pub(crate) answer: Value,
    /// The fault that acted on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fault: Option<Value>,
}

impl Entry {
    /// Creates the entry of a call that has not been answered yet.
    pub(crate) fn of(call: &Call, now: i64) -> Self {
        let body = match serde_json::from_slice(&call.body) {
            Ok(json) if call.body.len() <= MAX_BODY => json,
            _ => Value::String(String::from_utf8_lossy(&call.body[..call.body.len().min(MAX_BODY)]).into_owned()),
        };
        Self {
            id: 0,
            at_ms: now,
            from: call.from.clone(),
            method: call.method.to_string(),
            path: format!("/cgi-bin/{}", call.path),
            query: call.query.clone(),
            body,
            body_bytes: call.body.len(),
            status: 0,
            errcode: None,
            answer: Value::Null,
            fault: None,
        }
    }
}

/// Which requests to list.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Filter {
    /// The end of the path: `message/send`.
    path: Option<String>,
    /// Only requests with a larger id.
    since: Option<u64>,
}

/// The receiver that a peak counts for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Address {
    /// A member, by corp, app and userid.
    Member(String, i64, String),
    /// A member of group chats, likewise.
    ChatMember(String, i64, String),
    /// A webhook.
    Webhook(String),
    /// A conversation with a bot: `BOT_ID/CHATID`.
    Bot(String),
}

/// The record.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    entries: VecDeque<Entry>,
    total: u64,
    by_path: BTreeMap<String, u64>,
    by_errcode: BTreeMap<i64, u64>,
    peaks: HashMap<Address, Peak>,
}

impl Journal {
    pub(crate) fn note(&mut self, mut entry: Entry, known_path: bool) {
        self.total += 1;
        entry.id = self.total;
        // Clients invent paths, so only those that exist are counted by name.
        let path = if known_path { entry.path.as_str() } else { "unknown" };
        *self.by_path.entry(path.to_owned()).or_default() += 1;
        if let Some(code) = entry.errcode {
            *self.by_errcode.entry(code).or_default() += 1;
        }
        if self.entries.len() >= MAX_REQUESTS {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
    }

    /// Counts a message offered to an address, whatever its result.
    pub(crate) fn offered(&mut self, address: Address, now: i64) {
        self.peaks.entry(address).or_default().push(now);
    }

    /// Lists oldest first.
    pub(crate) fn list(&self, filter: &Filter) -> Vec<&Entry> {
        let chosen = |entry: &&Entry| {
            filter.path.as_ref().is_none_or(|path| entry.path.ends_with(path.as_str()))
                && filter.since.is_none_or(|since| entry.id > since)
        };
        self.entries.iter().filter(chosen).collect()
    }

    pub(crate) fn counters(&self, silent_drops: u64) -> Value {
        let (mut members, mut chat_members) = (BTreeMap::new(), BTreeMap::new());
        let (mut webhooks, mut bots) = (BTreeMap::new(), BTreeMap::new());
        for (address, peak) in &self.peaks {
            match address {
                Address::Member(_, agent, user) => members.insert(format!("{agent}/{user}"), peak.max),
                Address::ChatMember(_, agent, user) => chat_members.insert(format!("{agent}/{user}"), peak.max),
                Address::Webhook(key) => webhooks.insert(key.clone(), peak.max),
                Address::Bot(conversation) => bots.insert(conversation.clone(), peak.max),
            };
        }
        let by_errcode: BTreeMap<_, _> = self.by_errcode.iter().map(|(code, n)| (code.to_string(), n)).collect();
        json!({
            "requests": self.total,
            "gettoken": self.by_path.get("/cgi-bin/gettoken").copied().unwrap_or(0),
            "by_path": self.by_path,
            "by_errcode": by_errcode,
            "silent_drops": silent_drops,
            "max_per_minute": {
                "members": members, "chat_members": chat_members, "webhooks": webhooks, "bots": bots,
            },
        })
    }
}
