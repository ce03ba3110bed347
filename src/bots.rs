//! The sockets of bots (智能机器人): each bot has one, held by one replica, because a newer one evicts the older
//! (docs/reference/wecom.md#bot-frames). Events arrive through it (`talk`); messages are sent through it.
//!
//! The store leases each socket for a few seconds at a time (`seat` decides, `keeper` carries out): a replica that dies
//! or cannot renew loses the lease, and another one connects. A holder stops by itself before another replica may
//! start.

mod keeper;
mod known;
#[cfg(test)]
mod model;
mod owed;
mod seat;
mod talk;
mod words;

use std::collections::HashMap;
use std::sync::Arc;

use secrecy::ExposeSecret as _;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::warn;
use wecom::{BotOptions, BotPace};

use crate::answer::Acts;
use crate::config::{BotAccount, Config};
use crate::deliver::{self, Deliver};
use crate::fuse::Fuse;
use crate::live::Live;
use crate::names::{Part, Scope};
use crate::sockets::Sockets;
use crate::store::Store;
use crate::time::Clock;
pub use known::Known;
use seat::ASK;

/// The dependencies of the sockets of bots. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Bots {
    /// The bots, and the way to WeCom.
    pub config: Live<Config>,
    /// Who holds which socket; who spoke where.
    pub store: Store,
    /// Now.
    pub clock: Clock,
    /// The sockets that this process holds.
    pub sockets: Arc<Sockets>,
    /// Carries out requested acts.
    pub acts: Acts,
    /// Renders pressed cards anew.
    pub deliver: Deliver,
    /// Failures of the store are reported here.
    pub fuse: Fuse,
}

/// The task that runs one bot's socket.
struct Keeper {
    stop: CancellationToken,
    task: JoinHandle<()>,
    /// The settings that it uses.
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

/// Runs the sockets of all bots of the configuration until told to stop.
pub async fn run(bots: Bots, stop: CancellationToken) {
    let mut keepers: HashMap<String, Keeper> = HashMap::new();
    while !stop.is_cancelled() {
        let config = bots.config.now();
        let wanted: HashMap<&String, String> =
            config.wecom.bots.iter().map(|(name, bot)| (name, way(&config, bot))).collect();
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
                let task = tokio::spawn(keeper::keep(bots.clone(), name.clone(), stop.clone()));
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

/// The settings of a bot's socket that a reload may change.
fn way(config: &Config, bot: &BotAccount) -> String {
    let proxy = config.wecom.proxy.as_ref().map_or("", |proxy| proxy.expose_secret());
    let secret = bot.secret.expose_secret();
    [&config.wecom.bot_url, &bot.bot_id, secret, proxy].join("\n")
}

/// The options of the socket of `account`.
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
