//! Carries out the commands of the seat of a bot: the lease in the store, the socket, and what is heard there.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{error, info, warn};
use wecom::{Bot, BotEnd, BotState};

use super::owed::{Owed, Want};
use super::seat::{CLOSE_WITHIN, Command, Event, HELD, Lease, Seat};
use super::{Bots, options, scope, talk, words};
use crate::names::Scope;
use crate::store::{Breaker, BreakerChange, StoreError};
use crate::words::Words;

/// Longest time for recording what was read before the socket ended.
const DRAIN_WITHIN: Duration = Duration::from_secs(5);
/// Delay before a bot that is not connected is reported: a short absence does not matter.
const PATIENCE: Duration = Duration::from_secs(20);
/// Stands for a wait without a limit.
const LONG: Duration = Duration::from_hours(1);
/// Events waiting to be processed.
const WAITING: usize = 1_000;

/// Runs one bot's socket: leases it when it is free, keeps it connected, releases it at the end.
pub(super) async fn keep(bots: Bots, name: String, stop: CancellationToken) {
    let holder = format!("{:016x}", rand::random::<u64>());
    let mut driver = Driver { bots, name, holder, stop, socket: None, telling: None, listener: None };
    let (mut seat, mut event) = (Seat::new(), Event::Started);
    loop {
        event = match seat.on(event, Instant::now()) {
            Command::End => return,
            command => driver.carry_out(command).await,
        };
    }
}

/// The driver of the seat of one bot.
struct Driver {
    bots: Bots,
    /// Name of the bot.
    name: String,
    /// Names this process among the possible holders.
    holder: String,
    stop: CancellationToken,
    socket: Option<Socket>,
    /// Records that another program took the bot's place, until it is recorded or the bot connects again.
    telling: Option<AbortOnDropHandle<()>>,
    /// Hears what people do there, until the socket has ended and all of it is recorded.
    listener: Option<JoinHandle<()>>,
}

/// An open socket.
struct Socket {
    task: JoinHandle<BotEnd>,
    /// Ends it.
    leave: CancellationToken,
    /// Logs its state.
    watcher: JoinHandle<()>,
}

impl Socket {
    /// Its own end: was it evicted?
    async fn ended(&mut self) -> bool {
        (&mut self.task).await.is_ok_and(|ended| ended == BotEnd::Evicted)
    }
}

impl Driver {
    async fn carry_out(&mut self, command: Command) -> Event {
        match command {
            Command::Hold { within } => {
                let (bots, name, holder) = (self.bots.clone(), self.name.clone(), self.holder.clone());
                let asked = async move {
                    let asked = bots.store.hold_socket(&name, &holder, HELD);
                    Event::Held(match tokio::time::timeout(within.unwrap_or(LONG), asked).await {
                        Ok(Ok(true)) => Lease::Mine,
                        Ok(Ok(false)) => Lease::Theirs,
                        Ok(Err(error)) => {
                            warn!(%error, bot = name, "Who has the bot's socket cannot be asked; it is tried again.");
                            Lease::Unknown
                        }
                        Err(_) => Lease::Unknown,
                    })
                };
                self.unless_ended(asked).await
            }
            Command::Open => self.open().await,
            Command::Wait(time) if self.socket.is_none() => {
                tokio::select! {
                    () = tokio::time::sleep(time) => Event::Woken,
                    () = self.stop.cancelled() => Event::Stopped,
                }
            }
            Command::Wait(time) => {
                self.unless_ended(async move {
                    tokio::time::sleep(time).await;
                    Event::Woken
                })
                .await
            }
            Command::Linger(time) => {
                warn!(
                    bot = self.name,
                    "Another replica has the bot's socket, or may have it: this process was paused."
                );
                self.unwatch();
                self.unless_ended(async move {
                    tokio::time::sleep(time).await;
                    Event::Woken
                })
                .await
            }
            Command::Close => self.close().await,
            Command::Leave => {
                if let Err(error) = self.bots.store.leave_socket(&self.name, &self.holder).await {
                    warn!(%error, bot = self.name, "The bot's socket could not be given back; another replica takes it in a few seconds.");
                }
                Event::Done
            }
            Command::Drain => {
                let listener = self.listener.take();
                if let Some(listener) = listener
                    && tokio::time::timeout(DRAIN_WITHIN, listener).await.is_err()
                {
                    warn!(bot = self.name, "What people did last could not be recorded in time.");
                }
                Event::Done
            }
            Command::Report => {
                error!(
                    bot = self.name,
                    "Another program connected with this bot's id and took its place. wegraf comes back in five minutes; give each program a bot of its own."
                );
                self.tell_evicted();
                Event::Done
            }
            Command::End => unreachable!("the keeper is done"),
        }
    }

    /// The answer to a command, unless the open socket ends before.
    async fn unless_ended(&mut self, answer: impl Future<Output = Event>) -> Event {
        let Some(socket) = &mut self.socket else { return answer.await };
        let evicted = tokio::select! {
            evicted = socket.ended() => evicted,
            event = answer => return event,
        };
        self.forget();
        Event::Ended { evicted }
    }

    /// Records that another program took the bot's place. The lease is renewed meanwhile.
    fn tell_evicted(&mut self) {
        let (bots, name) = (self.bots.clone(), self.name.clone());
        self.telling = Some(AbortOnDropHandle::new(tokio::spawn(async move {
            let mut owed = Owed::new(Instant::now());
            owed.wants(Want::Open(Duration::ZERO), Instant::now());
            while let Some(due) = owed.due(Instant::now()) {
                tokio::time::sleep(due).await;
                owed.tried(trouble(&bots, &name, &words::evicted(&name)).await, Instant::now());
            }
        })));
    }

    async fn open(&mut self) -> Event {
        self.telling = None;
        let bots = &self.bots;
        let config = bots.config.now();
        let Some(account) = config.wecom.bots.get(&self.name) else { return Event::Gone };
        let (events, inlet) = mpsc::channel(WAITING);
        let leave = self.stop.child_token();
        let clock = bots.clock.clone();
        let options = options(&config, account, Arc::new(move || clock.now().0));
        let (bot, task) = match Bot::open(options, events, leave.clone()) {
            Ok(opened) => opened,
            Err(error) => {
                error!(%error, bot = self.name, "The way to the bot's socket cannot be set up.");
                let why = error.text();
                trouble(bots, &self.name, &(why.zh, why.en).into()).await;
                return Event::NoWay;
            }
        };
        bots.sockets.take(&self.name, bot.clone());
        let task = tokio::spawn(task);
        self.listener = Some(tokio::spawn(talk::listen(bots.clone(), self.name.clone(), bot.clone(), inlet)));
        let watcher = tokio::spawn(watch(bots.clone(), self.name.clone(), bot));
        self.socket = Some(Socket { task, leave, watcher });
        Event::Opened
    }

    /// Tells the socket to stop; one that takes too long is cut.
    async fn close(&mut self) -> Event {
        warn!(bot = self.name, "The bot's socket is closed: its lease could not be renewed.");
        let mut evicted = false;
        if let Some(socket) = &mut self.socket {
            socket.watcher.abort();
            socket.leave.cancel();
            self.bots.sockets.leave(&self.name);
            if let Ok(ended) = tokio::time::timeout(CLOSE_WITHIN, socket.ended()).await {
                evicted = ended;
            } else {
                socket.task.abort();
                // Only its end matters: the connection is dropped with it.
                let _ = (&mut socket.task).await;
            }
        }
        self.forget();
        Event::Ended { evicted }
    }

    fn unwatch(&self) {
        if let Some(socket) = &self.socket {
            socket.watcher.abort();
        }
    }

    /// The socket has ended.
    fn forget(&mut self) {
        if let Some(socket) = self.socket.take() {
            socket.watcher.abort();
            socket.leave.cancel();
            self.bots.sockets.leave(&self.name);
        }
    }
}

/// Logs the state of the socket and keeps the record of it; wakes what waits for it. Never returns.
async fn watch(bots: Bots, name: String, bot: Bot) {
    let mut state = bot.state();
    let mut owed = Owed::new(Instant::now());
    let mut fault = words::CONNECTING;
    loop {
        let now = state.borrow_and_update().clone();
        let want = match &now {
            BotState::Live { .. } => {
                info!(bot = name, "The bot is connected.");
                Want::Closed
            }
            BotState::Refused(_) => Want::Open(Duration::ZERO),
            BotState::Lost(_) | BotState::Connecting => Want::Open(PATIENCE),
            BotState::Evicted | BotState::Stopped => Want::Nothing,
        };
        fault = match &now {
            BotState::Refused(failure) | BotState::Lost(failure) => said(failure),
            BotState::Connecting => words::CONNECTING,
            BotState::Live { .. } | BotState::Evicted | BotState::Stopped => fault,
        };
        owed.wants(want, Instant::now());
        // Until the state changes.
        loop {
            let due = owed.due(Instant::now());
            tokio::select! {
                changed = state.changed() => match changed {
                    Ok(()) => break,
                    Err(_) => std::future::pending::<()>().await,
                },
                () = tokio::time::sleep(due.unwrap_or(LONG)), if due.is_some() => {
                    let written = match want {
                        Want::Closed => mend(&bots, scope(&name)).await,
                        Want::Open(_) => trouble(&bots, &name, &fault).await,
                        Want::Nothing => true,
                    };
                    owed.tried(written, Instant::now());
                }
            }
        }
    }
}

/// Opens the bot's breaker: messages wait, and the fault is reported by another way. False: the store failed.
async fn trouble(bots: &Bots, name: &str, why: &Words) -> bool {
    let now = bots.clock.now();
    let breaker = Breaker {
        scope: scope(name),
        reason: "socket".to_owned(),
        errcode: None,
        error: why.recorded(),
        opened_at: now,
        // There is no probe before it is connected, and connecting closes the breaker.
        probe_at: now.plus_millis(60_000),
        failures: 1,
    };
    let opened = bots.store.change_breaker(BreakerChange::Open(breaker)).await;
    if let Err(error) = &opened {
        warn!(%error, bot = name, "The breaker of the bot's socket could not be opened; it is tried again.");
    }
    opened.is_ok()
}

fn said(failure: &wecom::Failure) -> Words {
    (failure.zh(), failure.en()).into()
}

/// Closes a breaker, if it is open, and wakes what waits for it. False: the store failed.
pub(super) async fn mend(bots: &Bots, scope: Scope) -> bool {
    let closed = async {
        let open = bots.store.breakers().await?.iter().any(|open| open.scope == scope);
        if open {
            bots.store.change_breaker(BreakerChange::Close(scope.clone())).await?;
        }
        Ok::<_, StoreError>(open)
    };
    match closed.await {
        Ok(open) => bots.sockets.came_alive(open.then_some(scope)),
        Err(error) => {
            warn!(%error, %scope, "A breaker could not be closed; it is tried again.");
            bots.sockets.came_alive(None);
            return false;
        }
    }
    true
}
