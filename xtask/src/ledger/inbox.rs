//! The messages that arrived, fetched from the simulator while it runs: it only keeps the newest few thousand.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::Value;
use tokio::task::JoinHandle;

use super::Channel;
use crate::http;

/// Interval of fetching: the simulator keeps 5000 messages, far more than are sent meanwhile.
const LOOK: Duration = Duration::from_millis(500);

/// A message that WeCom delivered.
#[derive(Debug, Clone)]
pub struct Arrived {
    /// Grows with time.
    pub id: u64,
    /// When, by the simulator's clock, in Unix milliseconds.
    pub at_ms: i64,
    /// The channel.
    pub channel: Channel,
    /// The members who see it, the chat, or the webhook's key.
    pub places: Vec<String>,
    /// Every text in its content, see [`texts`].
    pub text: String,
}

/// Collects messages until they are requested.
#[derive(Debug)]
pub struct Collector {
    simulator: SocketAddr,
    seen: Arc<Mutex<Vec<Arrived>>>,
    task: JoinHandle<()>,
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Collector {
    /// Starts collecting.
    pub fn start(simulator: SocketAddr) -> Self {
        let seen: Arc<Mutex<Vec<Arrived>>> = Arc::default();
        let kept = seen.clone();
        let task = tokio::spawn(async move {
            loop {
                tokio::time::sleep(LOOK).await;
                if let Err(error) = look(simulator, &kept).await {
                    eprintln!("The simulator's inbox cannot be read: {error:#}");
                }
            }
        });
        Self { simulator, seen, task }
    }

    /// All messages so far, the oldest first.
    pub async fn all(self) -> anyhow::Result<Vec<Arrived>> {
        self.task.abort();
        look(self.simulator, &self.seen).await?;
        let mut seen = std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner));
        // A concurrent fetch may have brought the same ones.
        seen.sort_by_key(|message| message.id);
        seen.dedup_by_key(|message| message.id);
        Ok(seen)
    }
}

async fn look(simulator: SocketAddr, seen: &Mutex<Vec<Arrived>>) -> anyhow::Result<()> {
    let since = seen.lock().unwrap_or_else(PoisonError::into_inner).last().map_or(0, |message| message.id);
    let answer: Value =
        serde_json::from_str(&http::get(simulator, &format!("/_simulator/messages?since={since}")).await?)?;
    let messages = answer["messages"].as_array().context("the simulator lists no messages")?;
    let new: Vec<Arrived> = messages.iter().map(arrived).collect::<anyhow::Result<_>>()?;
    seen.lock().unwrap_or_else(PoisonError::into_inner).extend(new);
    Ok(())
}

fn arrived(message: &Value) -> anyhow::Result<Arrived> {
    let one = |field: &str| message[field].as_str().map(|name| vec![name.to_owned()]);
    let (channel, places) = match message["channel"].as_str() {
        Some("app") => {
            let receivers = message["receivers"].as_array().context("a message without receivers")?;
            (Channel::App, receivers.iter().filter_map(Value::as_str).map(str::to_owned).collect())
        }
        Some("chat") => (Channel::Chat, one("chat").context("a message without its chat")?),
        _ => (Channel::Webhook, one("webhook").context("a message without its webhook")?),
    };
    let id = message["id"].as_u64().context("a message without an id")?;
    let at_ms = message["at_ms"].as_i64().context("a message without a time")?;
    Ok(Arrived { id, at_ms, channel, places, text: texts(&message["content"]) })
}

/// Waits until the simulator accepts one more message, but no longer than `patience`.
pub async fn accepted(simulator: SocketAddr, patience: Duration) -> anyhow::Result<()> {
    let before = messages(simulator).await?;
    let begun = Instant::now();
    while messages(simulator).await? == before && begun.elapsed() < patience {
        tokio::time::sleep(Duration::from_micros(300)).await;
    }
    Ok(())
}

async fn messages(simulator: SocketAddr) -> anyhow::Result<u64> {
    let counters: Value = serde_json::from_str(&http::get(simulator, "/_simulator/counters").await?)?;
    counters["messages"].as_u64().context("the simulator counts no messages")
}

/// The texts in the content of a message, one a line, in the order of their fields' names: equal for the sent and the
/// shown message, unless a text was truncated.
pub fn texts(content: &Value) -> String {
    fn collect<'a>(value: &'a Value, texts: &mut Vec<&'a str>) {
        match value {
            Value::String(text) => texts.push(text),
            Value::Array(items) => items.iter().for_each(|item| collect(item, texts)),
            Value::Object(fields) => {
                let mut fields: Vec<_> = fields.iter().collect();
                fields.sort_by_key(|(name, _)| *name);
                for (_, value) in fields {
                    collect(value, texts);
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    collect(content, &mut found);
    found.join("\n")
}
