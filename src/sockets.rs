//! The sockets of bots that this process holds: `bots` keeps them, `deliver` sends through them.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use tokio::sync::Notify;
use wecom::{Bot, BotState, Outcome};

use crate::names::Scope;

/// Locks for cards that are being answered.
const CARDS: usize = 16;

/// The sockets of this process.
#[derive(Debug, Default)]
pub struct Sockets {
    held: Mutex<HashMap<String, Bot>>,
    /// Held while a pressed card is rendered and sent, so that of two concurrent presses the later card stays; each
    /// card's lock is chosen by its name.
    cards: [tokio::sync::Mutex<()>; CARDS],
    /// Scopes whose breakers the sockets have closed, until the delivery takes them.
    mended: Mutex<Vec<Scope>>,
    /// Notified when a socket begins to work.
    alive: Notify,
}

impl Sockets {
    /// The socket of the bot called `name`, if this process holds it and WeCom accepted it.
    pub fn live(&self, name: &str) -> Option<Bot> {
        let bot = locked(&self.held).get(name).cloned()?;
        let live = matches!(*bot.state().borrow(), BotState::Live { .. });
        live.then_some(bot)
    }

    /// Sends one message, unless its answer might come after `end`; `None` if this process does not hold the socket.
    pub async fn send(&self, name: &str, body: Bytes, end: Instant) -> Option<Outcome> {
        match self.live(name) {
            Some(bot) => Some(bot.send(body, end).await),
            None => None,
        }
    }

    /// The lock of the card with this name.
    pub fn card(&self, task_id: &str) -> &tokio::sync::Mutex<()> {
        let mut hasher = DefaultHasher::new();
        task_id.hash(&mut hasher);
        &self.cards[usize::from(hasher.finish().to_le_bytes()[0]) % CARDS]
    }

    /// Returns when a socket has begun to work since the last call. For one waiter.
    pub async fn alive(&self) {
        self.alive.notified().await;
    }

    /// This process holds the socket of the bot called `name`.
    pub fn take(&self, name: &str, bot: Bot) {
        locked(&self.held).insert(name.to_owned(), bot);
    }

    /// This process no longer holds it.
    pub fn leave(&self, name: &str) {
        locked(&self.held).remove(name);
    }

    /// A socket begins to work; `mended`: the scope whose breaker was closed.
    pub fn came_alive(&self, mended: Option<Scope>) {
        locked(&self.mended).extend(mended);
        self.alive.notify_one();
    }

    /// The scopes whose breakers were closed since the last call: messages that wait for them may be sent.
    pub fn mended(&self) -> Vec<Scope> {
        std::mem::take(&mut *locked(&self.mended))
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
