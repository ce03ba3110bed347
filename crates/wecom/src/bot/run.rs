//! Runs one connection after another: when to reconnect, when to wait, when to stay away.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::dial::{Dialer, no_socket};
use super::frame::{self, Reply};
use super::live::Live;
use super::questions::Question;
use super::{BotEnd, BotEvent, BotPace, BotState};
use crate::errcode::{self, Class};
use crate::outcome::{Failure, Secrets};
use crate::{Api, Now};

/// Events that were not taken yet. Beyond it the newest is dropped: a caller a thousand clicks behind will not answer
/// the next in time either.
const EVENTS: usize = 1024;

/// How a connection ended.
pub(super) enum Ended {
    Stopped,
    Evicted,
    Refused(Failure),
    Lost(Failure),
}

/// Events on their way to the caller, who may be slower than WeCom.
pub(super) struct Outlet {
    events: mpsc::Sender<BotEvent>,
    waiting: VecDeque<BotEvent>,
}

impl Outlet {
    pub(super) const fn new(events: mpsc::Sender<BotEvent>) -> Self {
        Self { events, waiting: VecDeque::new() }
    }

    pub(super) fn has_some(&self) -> bool {
        !self.waiting.is_empty()
    }

    pub(super) fn put(&mut self, event: BotEvent) {
        if self.waiting.len() < EVENTS {
            self.waiting.push_back(event);
        } else {
            tracing::error!("An event of the bot was dropped: a thousand wait already.");
        }
    }

    /// Hands over the first event as soon as there is room; drops it if the receiver is gone. Cancel-safe: nothing is
    /// lost if the future is dropped.
    pub(super) async fn deliver(&mut self) {
        match self.events.reserve().await {
            Ok(room) => {
                if let Some(event) = self.waiting.pop_front() {
                    room.send(event);
                }
            }
            Err(_) => self.waiting.clear(),
        }
    }
}

pub(super) struct Runner {
    pub(super) bot_id: String,
    pub(super) secret: SecretString,
    pub(super) pace: BotPace,
    pub(super) now: Now,
    pub(super) dialer: Arc<Dialer>,
    pub(super) state: watch::Sender<BotState>,
    pub(super) stop: CancellationToken,
    pub(super) outlet: Outlet,
}

/// Questions to the socket: answers to people, and everything that can wait for them.
pub(super) struct Lines {
    pub(super) urgent: mpsc::Receiver<Question>,
    pub(super) pushes: mpsc::Receiver<Question>,
}

impl Lines {
    /// The next question, to be refused.
    async fn next(&mut self) -> Option<Question> {
        tokio::select! {
            biased;
            Some(question) = self.urgent.recv() => Some(question),
            Some(question) = self.pushes.recv() => Some(question),
            else => None,
        }
    }

    /// Closes the lines to new questions; pending ones are answered as not sent.
    fn close(&mut self, failure: &Failure) {
        for line in [&mut self.urgent, &mut self.pushes] {
            line.close();
            while let Ok(question) = line.try_recv() {
                question.turn_away(failure.clone());
            }
        }
    }
}

impl Runner {
    /// Runs until it is stopped or evicted.
    pub(super) async fn run(mut self, mut lines: Lines) -> BotEnd {
        let mut failed = 0;
        loop {
            self.state.send_replace(BotState::Connecting);
            let (ended, lived) = self.connection(&mut lines).await;
            if lived >= self.pace.settled {
                failed = 0;
            }
            let going_on = match ended {
                Ended::Stopped => false,
                Ended::Evicted => return self.evicted(lines).await,
                Ended::Refused(failure) => self.stay_away(failure, &mut lines).await,
                Ended::Lost(failure) => {
                    failed += 1;
                    self.come_back(failure, failed).await
                }
            };
            if !going_on {
                self.state.send_replace(BotState::Stopped);
                lines.close(&no_socket("the bot was stopped"));
                return BotEnd::Stopped;
            }
        }
    }

    /// Runs one connection; returns its end, and how long WeCom had accepted it.
    async fn connection(&mut self, lines: &mut Lines) -> (Ended, Duration) {
        let nothing = Duration::ZERO;
        let stop = self.stop.clone();
        let body = subscription(&self.bot_id, &self.secret);
        let dialer = Arc::clone(&self.dialer);
        let dialled = tokio::select! {
            () = stop.cancelled() => return (Ended::Stopped, nothing),
            dialled = dialer.dial() => dialled,
        };
        let socket = match dialled {
            Ok(socket) => socket,
            Err(failure) => return (Ended::Lost(failure), nothing),
        };
        let mut live = Live::new(self, socket);
        let accepted = tokio::select! {
            () = stop.cancelled() => Err(Ended::Stopped),
            accepted = live.subscribe(&body) => accepted,
        };
        if let Err(ended) = accepted {
            return (ended, nothing);
        }
        let began = Instant::now();
        live.accepted();
        let ended = live.serve(lines).await;
        (ended, began.elapsed())
    }

    /// Waits after a lost connection; false if it was stopped meanwhile. Questions wait.
    async fn come_back(&mut self, failure: Failure, failed: u32) -> bool {
        let pause = self.pace.before_next(failed, rand::random());
        tracing::warn!(bot_id = self.bot_id, failed, pause_ms = pause.as_millis(), %failure, "The bot's socket is lost.");
        self.state.send_replace(BotState::Lost(failure));
        let until = Instant::now() + pause;
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return false,
                () = sleep_until(until) => return true,
                () = self.outlet.deliver(), if self.outlet.has_some() => {}
            }
        }
    }

    /// Waits after a rejection, which only a person can repair: all questions are refused meanwhile.
    async fn stay_away(&mut self, failure: Failure, lines: &mut Lines) -> bool {
        let pause = self.pace.before_probe(rand::random());
        tracing::error!(bot_id = self.bot_id, pause_s = pause.as_secs(), %failure, "WeCom refused the bot.");
        self.state.send_replace(BotState::Refused(failure.clone()));
        let until = Instant::now() + pause;
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return false,
                () = sleep_until(until) => return true,
                Some(question) = lines.next() => question.turn_away(failure.clone()),
                () = self.outlet.deliver(), if self.outlet.has_some() => {}
            }
        }
    }

    /// After another connection took its place: the caller is told, and the task ends.
    async fn evicted(mut self, mut lines: Lines) -> BotEnd {
        tracing::warn!(bot_id = self.bot_id, "Another connection took the place of the bot's socket.");
        self.state.send_replace(BotState::Evicted);
        lines.close(&no_socket("another connection took the place of the bot's socket"));
        self.outlet.waiting.push_back(BotEvent::Evicted);
        while self.outlet.has_some() {
            tokio::select! {
                () = self.stop.cancelled() => break,
                () = self.outlet.deliver() => {}
            }
        }
        BotEnd::Evicted
    }

    pub(super) fn req_id(&self, cmd: &str) -> String {
        frame::req_id(cmd, (self.now)(), rand::random())
    }

    /// The consequence of WeCom's rejection. It may be busy, which counts as unreachable; every other rejection
    /// concerns bot id and secret (docs/reference/wecom.md#bot-errors).
    pub(super) fn refused(&self, reply: &Reply) -> Ended {
        let secrets = Secrets::new([&self.secret]);
        let failure = Failure::refused(Api::BotSubscribe, reply.errcode, &reply.errmsg, &secrets);
        let busy = errcode::meaning(reply.errcode).is_some_and(|row| row.class == Class::Transient);
        if busy { Ended::Lost(failure) } else { Ended::Refused(Failure { class: Class::Configuration, ..failure }) }
    }
}

fn subscription(bot_id: &str, secret: &SecretString) -> Box<RawValue> {
    #[derive(Serialize)]
    struct Subscription<'a> {
        bot_id: &'a str,
        secret: &'a str,
    }
    to_raw_value(&Subscription { bot_id, secret: secret.expose_secret() }).expect("two strings are JSON")
}
