//! The sockets of bots (智能机器人): each bot has one, held by one replica, because a newer one evicts the older
//! (wecom-api §11.3). What people do there comes in through it (`talk`); what is sent there goes out through it.
//!
//! Who holds a socket is kept in the store, for a few seconds at a time (`seat`): a replica that dies or cannot ask
//! loses it, and another one connects. Whoever holds it has stopped by himself before another may begin.

mod seat;
mod talk;

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use secrecy::ExposeSecret as _;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::warn;
use wecom::{Bot, BotOptions, BotPace, BotState, Outcome};

use crate::app::App;
use crate::config::{BotAccount, Config};
use crate::deliver;
use crate::names::{Part, Scope};
use seat::{End, Seat};

/// Between two tries to get a socket that another replica has.
const ASK: Duration = Duration::from_secs(1);
/// Between two tries to set up a way that the configuration makes impossible; a change of it is tried at once.
const REPAIR: Duration = Duration::from_mins(1);

/// Cards that are answered at a time.
const CARDS: usize = 16;

/// The sockets that this process has.
#[derive(Debug, Default)]
pub struct Bots {
    sockets: Mutex<HashMap<String, Bot>>,
    /// Held while a pressed card is written and sent, so that of two presses at once the later card stays: of each card
    /// one of these, by its name.
    cards: [tokio::sync::Mutex<()>; CARDS],
    /// Scopes whose breakers the sockets have closed, until the delivery hears of it.
    mended: Mutex<Vec<Scope>>,
}

impl Bots {
    /// The socket of the bot called `name`, if this process has it and WeCom accepted it.
    pub fn live(&self, name: &str) -> Option<Bot> {
        let bot = locked(&self.sockets).get(name).cloned()?;
        let live = matches!(*bot.state().borrow(), BotState::Live { .. });
        live.then_some(bot)
    }

    /// Sends one message, unless its answer might come after `end`; `None` if this process has no such socket.
    pub async fn send(&self, name: &str, body: Bytes, end: Instant) -> Option<Outcome> {
        match self.live(name) {
            Some(bot) => Some(bot.send(body, end).await),
            None => None,
        }
    }

    /// The lock of the card with this name.
    fn card(&self, task_id: &str) -> &tokio::sync::Mutex<()> {
        let mut hasher = DefaultHasher::new();
        task_id.hash(&mut hasher);
        &self.cards[usize::from(hasher.finish().to_le_bytes()[0]) % CARDS]
    }

    /// The scopes whose breakers were closed since this was last asked: what waits for them may go.
    pub fn mended(&self) -> Vec<Scope> {
        std::mem::take(&mut *locked(&self.mended))
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The task that keeps one bot's socket.
struct Keeper {
    stop: CancellationToken,
    task: JoinHandle<()>,
    /// The way that it goes.
    way: String,
}

impl Keeper {
    async fn end(self) {
        self.stop.cancel();
        if let Err(error) = self.task.await {
            warn!(%error, "The keeper of a bot's socket ended with a panic.");
        }
    }
}

/// Keeps the sockets of all bots of the configuration until told to stop.
pub async fn run(app: App, stop: CancellationToken) {
    let mut keepers: HashMap<String, Keeper> = HashMap::new();
    while !stop.is_cancelled() {
        let loaded = app.loaded();
        let wanted: HashMap<&String, String> =
            loaded.config.wecom.bots.iter().map(|(name, bot)| (name, way(&loaded.config, bot))).collect();
        let old = |name: &String, keeper: &Keeper| keeper.task.is_finished() || wanted.get(name) != Some(&keeper.way);
        let gone: Vec<String> =
            keepers.iter().filter(|(name, keeper)| old(name, keeper)).map(|(name, _)| name.clone()).collect();
        for name in gone {
            if let Some(keeper) = keepers.remove(&name) {
                keeper.end().await;
            }
        }
        for (name, way) in wanted {
            keepers.entry(name.clone()).or_insert_with(|| {
                let stop = stop.child_token();
                let task = tokio::spawn(keep(app.clone(), name.clone(), stop.clone()));
                Keeper { stop, task, way }
            });
        }
        tokio::select! {
            () = tokio::time::sleep(ASK) => {}
            () = stop.cancelled() => {}
        }
    }
    for (_, keeper) in keepers {
        keeper.end().await;
    }
}

/// Everything that a reload may change about a bot's socket.
fn way(config: &Config, bot: &BotAccount) -> String {
    let proxy = config.wecom.proxy.as_ref().map_or("", |proxy| proxy.expose_secret());
    let secret = bot.secret.expose_secret();
    [&config.wecom.bot_url, &bot.bot_id, secret, proxy].join("\n")
}

/// Keeps one bot's socket: takes it when nobody has it, keeps it alive, gives it back in the end.
async fn keep(app: App, name: String, stop: CancellationToken) {
    let holder = format!("{:016x}", rand::random::<u64>());
    let seat = Seat { app: &app, name: &name, holder: &holder };
    while !stop.is_cancelled() {
        let asked = Instant::now();
        let pause = match seat.take().await {
            Ok(true) => match seat.sit(asked, &stop).await {
                End::Left => ASK,
                End::Evicted => {
                    seat.rest(&stop).await;
                    Duration::ZERO
                }
                End::NoWay => REPAIR,
            },
            Ok(false) => ASK,
            Err(error) => {
                warn!(%error, bot = name, "Who has the bot's socket cannot be asked.");
                ASK
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => {}
        }
    }
    seat.leave().await;
}

/// The way to the socket of `account`.
pub fn options(config: &Config, account: &BotAccount, now: wecom::Now) -> BotOptions {
    BotOptions {
        network: deliver::network(config),
        url: config.wecom.bot_url.clone(),
        bot_id: account.bot_id.clone(),
        secret: account.secret.clone(),
        now,
        pace: BotPace::default(),
    }
}

/// The scope of a bot's breaker.
pub fn scope(bot: &str) -> Scope {
    Scope::of(&Part::Bot(bot.into()))
}
