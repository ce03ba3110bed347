//! The lease of a bot's socket: taken, renewed, lost, released.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use wecom::{Bot, BotEnd, BotState};

use super::{Bots, options, scope, talk, words};
use crate::names::Scope;
use crate::store::{Breaker, BreakerChange, StoreError};
use crate::words::Words;

/// Length of a lease after its last renewal. After a kill another replica connects within this time, plus the time to
/// ask and to connect.
const HELD: Duration = Duration::from_secs(6);
/// Interval of renewals.
const RENEW: Duration = Duration::from_millis(1_500);
/// When the holder stops by itself if it could not renew: this and [`CLOSE_WITHIN`] end before another replica may start.
const STOP_AFTER: Duration = Duration::from_secs(4);
/// Longest time for a socket to close; after it, it is cut.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);
/// Longest time for recording what was read before the socket ended.
const DRAIN_WITHIN: Duration = Duration::from_secs(5);
/// Pause after another program took the bot's place: reconnecting at once would only evict that one, and so on for
/// ever.
const EVICTED: Duration = Duration::from_mins(5);
/// Delay before a bot that is not connected is reported: a short absence does not matter.
const PATIENCE: Duration = Duration::from_secs(20);
/// A wait without a limit.
const LONG: Duration = Duration::from_hours(1);
/// Events waiting to be processed.
const WAITING: usize = 1_000;

/// The lease of a bot's socket.
pub(super) struct Seat<'a> {
    pub(super) bots: &'a Bots,
    /// Name of the bot.
    pub(super) name: &'a str,
    /// Names this process among the possible holders.
    pub(super) holder: &'a str,
}

/// Why a seat was left.
pub(super) enum End {
    /// Told to stop, or another replica holds the socket.
    Left,
    /// Another program connected with the bot's id.
    Evicted,
    /// The configuration cannot work.
    NoWay,
}

impl Seat<'_> {
    pub(super) async fn take(&self) -> Result<bool, StoreError> {
        self.bots.store.hold_socket(self.name, self.holder, HELD).await
    }

    pub(super) async fn leave(&self) {
        if let Err(error) = self.bots.store.leave_socket(self.name, self.holder).await {
            warn!(%error, bot = self.name, "The bot's socket could not be given back; another replica takes it in a few seconds.");
        }
    }

    /// Connects and works until told to stop, evicted, or the lease is lost. `since`: before the lease was requested.
    pub(super) async fn sit(&self, since: Instant, stop: &CancellationToken) -> End {
        if since.elapsed() >= STOP_AFTER {
            // The store answered so late that another replica may hold the lease already, or soon.
            return End::Left;
        }
        let config = self.bots.config.now();
        let Some(account) = config.wecom.bots.get(self.name) else { return End::Left };
        let (events, inlet) = mpsc::channel(WAITING);
        let leave = stop.child_token();
        let clock = self.bots.clock.clone();
        let options = options(&config, account, Arc::new(move || clock.now().0));
        let (bot, socket) = match Bot::open(options, events, leave.clone()) {
            Ok(opened) => opened,
            Err(error) => {
                error!(%error, bot = self.name, "The way to the bot's socket cannot be set up.");
                let why = error.text();
                self.trouble(&(why.zh, why.en).into()).await;
                return End::NoWay;
            }
        };
        self.bots.sockets.take(self.name, bot.clone());
        let mut socket = tokio::spawn(socket);
        let listener = tokio::spawn(talk::listen(self.bots.clone(), self.name.to_owned(), bot.clone(), inlet));
        let (mut ended, mut taken) = (None, false);
        tokio::select! {
            end = &mut socket => ended = Some(end.unwrap_or(BotEnd::Stopped)),
            by_another = self.renew(since) => taken = by_another,
            () = self.watch(&bot) => {}
        }
        if taken {
            // This process was paused, and was evicted: what arrived before is read to the end.
            ended =
                tokio::time::timeout(CLOSE_WITHIN, &mut socket).await.ok().map(|end| end.unwrap_or(BotEnd::Stopped));
        }
        leave.cancel();
        self.bots.sockets.leave(self.name);
        let evicted = match ended {
            Some(ended) => ended == BotEnd::Evicted,
            // Another replica may start only after this socket has ended.
            None => close(socket).await,
        };
        // Evicted by another replica that rightly holds the lease: this process was paused.
        let end = if evicted && self.take().await.unwrap_or(false) { End::Evicted } else { End::Left };
        if matches!(end, End::Left) {
            self.leave().await;
        }
        // No other process receives what this socket has read.
        if tokio::time::timeout(DRAIN_WITHIN, listener).await.is_err() {
            warn!(bot = self.name, "What people did last could not be recorded in time.");
        }
        end
    }

    /// Renews the lease; returns when it is lost (true) or may be lost (false).
    async fn renew(&self, since: Instant) -> bool {
        let mut sure = since;
        loop {
            tokio::time::sleep(RENEW).await;
            if sure.elapsed() >= HELD {
                warn!(bot = self.name, "This process was paused; another replica may have the bot's socket now.");
                return true;
            }
            let asked = Instant::now();
            match tokio::time::timeout(STOP_AFTER.saturating_sub(sure.elapsed()), self.take()).await {
                Ok(Ok(true)) => sure = asked,
                Ok(Ok(false)) => {
                    warn!(bot = self.name, "Another replica has the bot's socket now.");
                    return true;
                }
                Ok(Err(error)) => {
                    warn!(%error, bot = self.name, "The bot's socket could not be kept; it is tried again.");
                }
                Err(_) => {}
            }
            if sure.elapsed() >= STOP_AFTER {
                warn!(bot = self.name, "The bot's socket is closed: its lease could not be renewed.");
                return false;
            }
        }
    }

    /// After another program took the bot's place: keeps the other replicas away, too, before the next attempt.
    pub(super) async fn rest(&self, stop: &CancellationToken) {
        error!(
            bot = self.name,
            "Another program connected with this bot's id and took its place. wegraf comes back in five minutes; give each program a bot of its own."
        );
        self.trouble(&words::evicted(self.name)).await;
        let until = Instant::now() + EVICTED;
        while Instant::now() < until && !stop.is_cancelled() {
            tokio::select! {
                () = tokio::time::sleep(RENEW) => {}
                () = stop.cancelled() => {}
            }
            match self.take().await {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => warn!(%error, bot = self.name, "The lease of the bot's socket could not be renewed."),
            }
        }
    }

    /// Logs the state of the socket; wakes what waits for it. Never returns.
    async fn watch(&self, bot: &Bot) {
        let mut state = bot.state();
        let mut bad_since = Instant::now();
        let mut told = false;
        loop {
            let now = state.borrow_and_update().clone();
            let bad = match &now {
                BotState::Live { .. } => {
                    info!(bot = self.name, "The bot is connected.");
                    mend(self.bots, scope(self.name)).await;
                    told = false;
                    None
                }
                BotState::Refused(failure) => Some((Duration::ZERO, said(failure))),
                BotState::Lost(failure) => Some((PATIENCE, said(failure))),
                BotState::Connecting => Some((PATIENCE, words::CONNECTING)),
                BotState::Evicted | BotState::Stopped => None,
            };
            if bad.is_none() {
                bad_since = Instant::now();
            }
            let due = bad.as_ref().filter(|_| !told).map(|(patience, _)| patience.saturating_sub(bad_since.elapsed()));
            tokio::select! {
                changed = state.changed() => if changed.is_err() { std::future::pending::<()>().await },
                () = tokio::time::sleep(due.unwrap_or(LONG)) => if let (Some(_), Some((_, error))) = (due, bad) {
                    self.trouble(&error).await;
                    told = true;
                },
            }
        }
    }

    /// Opens the bot's breaker: messages wait, and the fault is reported by another way.
    async fn trouble(&self, why: &Words) {
        let now = self.bots.clock.now();
        let breaker = Breaker {
            scope: scope(self.name),
            reason: "socket".to_owned(),
            errcode: None,
            error: why.recorded(),
            opened_at: now,
            // There is no probe before it is connected, and connecting closes the breaker.
            probe_at: now.plus_millis(60_000),
            failures: 1,
        };
        if let Err(error) = self.bots.store.change_breaker(BreakerChange::Open(breaker)).await {
            warn!(%error, bot = self.name, "The breaker of the bot's socket could not be opened.");
        }
    }
}

fn said(failure: &wecom::Failure) -> Words {
    (failure.zh(), failure.en()).into()
}

/// Waits for a socket that was told to stop; one that takes too long is cut. Returns whether it was evicted.
async fn close(mut socket: JoinHandle<BotEnd>) -> bool {
    if let Ok(ended) = tokio::time::timeout(CLOSE_WITHIN, &mut socket).await {
        return ended.is_ok_and(|ended| ended == BotEnd::Evicted);
    }
    socket.abort();
    // Only its end matters: the connection is dropped with it.
    let _ = socket.await;
    false
}

/// Closes a breaker, if it is open, and wakes what waits for it.
pub(super) async fn mend(bots: &Bots, scope: Scope) {
    let open = bots.store.breakers().await.is_ok_and(|open| open.iter().any(|open| open.scope == scope));
    if open && let Err(error) = bots.store.change_breaker(BreakerChange::Close(scope.clone())).await {
        return warn!(%error, %scope, "A breaker could not be closed.");
    }
    bots.sockets.came_alive(open.then_some(scope));
}
