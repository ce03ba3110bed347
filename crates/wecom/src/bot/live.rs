//! One connection, from its subscription to its end: writes questions, hands out events.
//!
//! Answers to clicks are written before pushes; frames with one `req_id` are sent one after another.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::Upgraded;
use serde_json::value::RawValue;
use tokio::sync::oneshot;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until, timeout_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::dial::{no_socket, words};
use super::frame::{self, Frame, PING, Reply};
use super::questions::{Question, no_answer, too_late};
use super::run::{Ended, Lines, Runner};
use super::{BotEvent, BotState, event};
use crate::Api;
use crate::errcode::Class;
use crate::outcome::{CallError, Failure, Fault};
use crate::text::Text;

/// Most frames that wait for an answer. Slots beyond [`PUSHES`] are for answers to people only.
const IN_FLIGHT: usize = 64;
/// Most pushes and pieces of files among them.
const PUSHES: usize = 32;
/// Most answers that wait because another with the same `req_id` is in flight: a click never has twenty answers.
const HELD: usize = 64;
/// Timeout for the last frame of a connection.
const FAREWELL: Duration = Duration::from_millis(500);
/// Heartbeats without an answer that end a connection (official SDK).
const SILENT_PINGS: u32 = 2;

/// A connection that WeCom accepted.
pub(super) struct Live<'a> {
    runner: &'a mut Runner,
    socket: WebSocketStream<Upgraded>,
    /// By `req_id`.
    pending: HashMap<String, Pending>,
    held: VecDeque<Question>,
    unanswered: u32,
    /// Whether a skipped frame was logged.
    noted: bool,
}

struct Pending {
    api: Api,
    due: Instant,
    answer: oneshot::Sender<Result<Reply, CallError>>,
}

/// The next step.
enum Step {
    Stop,
    Write(Question),
    Ping,
    Expire,
    Deliver,
    Read(Option<Result<Message, Error>>),
}

impl<'a> Live<'a> {
    pub(super) fn new(runner: &'a mut Runner, socket: WebSocketStream<Upgraded>) -> Self {
        Self { runner, socket, pending: HashMap::new(), held: VecDeque::new(), unanswered: 0, noted: false }
    }

    /// Authenticates. Events that arrive before WeCom's answer are not lost.
    pub(super) async fn subscribe(&mut self, body: &RawValue) -> Result<(), Ended> {
        let req_id = self.runner.req_id("aibot_subscribe");
        let due = Instant::now() + self.runner.pace.answer;
        self.write(&frame::print("aibot_subscribe", &req_id, Some(body)), due).await?;
        loop {
            let Ok(read) = timeout_at(due, self.socket.next()).await else {
                return Err(Ended::Lost(no_socket("no answer to aibot_subscribe")));
            };
            match self.understand(read)? {
                Some(Frame::Reply { req_id: of, reply }) if of == req_id => {
                    return if reply.errcode == 0 { Ok(()) } else { Err(self.runner.refused(&reply)) };
                }
                Some(frame) => self.take(frame)?,
                None => {}
            }
        }
    }

    /// From now on it is live.
    pub(super) fn accepted(&self) {
        let since = (self.runner.now)();
        self.runner.state.send_replace(BotState::Live { since });
        tracing::info!(bot_id = self.runner.bot_id, "The bot's socket is live.");
    }

    /// Runs until the connection ends, for whatever reason; all pending callers are told.
    pub(super) async fn serve(mut self, lines: &mut Lines) -> Ended {
        let Err(ended) = self.turns(lines).await;
        drop(timeout_at(Instant::now() + FAREWELL, self.socket.close(None)).await);
        for (_, pending) in self.pending.drain() {
            let broken = Failure::new(pending.api, Class::Transient, Fault::Broken, String::new());
            drop(pending.answer.send(Err(CallError::Unsure(broken))));
        }
        for question in self.held.drain(..) {
            question.turn_away(no_socket("the connection ended"));
        }
        ended
    }

    async fn turns(&mut self, lines: &mut Lines) -> Result<Infallible, Ended> {
        let ping = self.runner.pace.ping;
        let mut pings = interval_at(Instant::now() + ping, ping);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            match self.next(lines, &mut pings).await {
                Step::Stop => return Err(Ended::Stopped),
                Step::Write(question) => self.ask(question).await?,
                Step::Ping => self.ping().await?,
                Step::Expire => self.expire().await?,
                Step::Deliver => {}
                Step::Read(read) => self.read(read).await?,
            }
        }
    }

    /// In order of urgency: answers to people first, pushes last.
    async fn next(&mut self, lines: &mut Lines, pings: &mut Interval) -> Step {
        let due = self.pending.values().map(|pending| pending.due).min();
        let in_flight = self.pending.len();
        tokio::select! {
            biased;
            () = self.runner.stop.cancelled() => Step::Stop,
            Some(question) = lines.urgent.recv(), if in_flight < IN_FLIGHT => Step::Write(question),
            _ = pings.tick() => Step::Ping,
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => Step::Expire,
            () = self.runner.outlet.deliver(), if self.runner.outlet.has_some() => Step::Deliver,
            read = self.socket.next() => Step::Read(read),
            Some(question) = lines.pushes.recv(), if in_flight < PUSHES => Step::Write(question),
        }
    }

    /// Writes a question, or holds it until the one with the same `req_id` is answered.
    async fn ask(&mut self, question: Question) -> Result<(), Ended> {
        if !self.pending.contains_key(&question.req_id) {
            return self.begin(question).await;
        }
        if self.held.len() < HELD {
            self.held.push_back(question);
        } else {
            let api = question.api;
            question.turn_away(Failure::invalid(
                api,
                &Text::new("等待先后的回复太多", "too many answers wait for each other"),
            ));
        }
        Ok(())
    }

    /// The only place where a question is written.
    async fn begin(&mut self, question: Question) -> Result<(), Ended> {
        // The asker has gone, or gave up and was told that it was not sent.
        if question.answer.is_closed() || !question.ticket.take() {
            return Ok(());
        }
        let now = Instant::now();
        if now > question.latest {
            let api = question.api;
            question.turn_away(too_late(api));
            return Ok(());
        }
        let due = now + question.patience;
        let text = frame::print(question.api.path(), &question.req_id, Some(&question.body));
        self.pending.insert(question.req_id, Pending { api: question.api, due, answer: question.answer });
        self.write(&text, due).await
    }

    async fn release(&mut self, req_id: &str) -> Result<(), Ended> {
        while !self.pending.contains_key(req_id)
            && let Some(at) = self.held.iter().position(|question| question.req_id == req_id)
            && let Some(question) = self.held.remove(at)
        {
            self.begin(question).await?;
        }
        Ok(())
    }

    async fn expire(&mut self) -> Result<(), Ended> {
        let now = Instant::now();
        let late: Vec<String> =
            self.pending.iter().filter(|(_, pending)| pending.due <= now).map(|(req_id, _)| req_id.clone()).collect();
        for req_id in late {
            if let Some(pending) = self.pending.remove(&req_id) {
                drop(pending.answer.send(Err(no_answer(pending.api))));
            }
            self.release(&req_id).await?;
        }
        Ok(())
    }

    async fn ping(&mut self) -> Result<(), Ended> {
        if self.unanswered >= SILENT_PINGS {
            return Err(Ended::Lost(no_socket("two heartbeats got no answer")));
        }
        self.unanswered += 1;
        let req_id = self.runner.req_id(PING);
        let due = Instant::now() + self.runner.pace.answer;
        self.write(&frame::print(PING, &req_id, None), due).await
    }

    async fn write(&mut self, text: &str, due: Instant) -> Result<(), Ended> {
        match timeout_at(due, self.socket.send(Message::text(text))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Ended::Lost(no_socket(&words(&error)))),
            // Half a frame may have been sent: the connection is unusable.
            Err(_) => Err(Ended::Lost(no_socket("the connection takes nothing more"))),
        }
    }

    async fn read(&mut self, read: Option<Result<Message, Error>>) -> Result<(), Ended> {
        let Some(frame) = self.understand(read)? else { return Ok(()) };
        let answered = if let Frame::Reply { req_id, .. } = &frame { Some(req_id.clone()) } else { None };
        self.take(frame)?;
        match answered {
            Some(req_id) => self.release(&req_id).await,
            None => Ok(()),
        }
    }

    /// Parses what was read as a frame.
    fn understand(&mut self, read: Option<Result<Message, Error>>) -> Result<Option<Frame>, Ended> {
        let message = match read {
            Some(Ok(message)) => message,
            Some(Err(error)) => return Err(Ended::Lost(no_socket(&words(&error)))),
            None => return Err(Ended::Lost(no_socket("the connection ended"))),
        };
        match message {
            Message::Text(text) => match frame::parse(&text) {
                Ok(frame) => Ok(Some(frame)),
                Err(why) => {
                    self.note(&format!("{why:?}"));
                    Ok(None)
                }
            },
            Message::Close(_) => Err(Ended::Lost(no_socket("WeCom closed the connection"))),
            Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => Ok(None),
        }
    }

    fn take(&mut self, frame: Frame) -> Result<(), Ended> {
        let happened = match frame {
            Frame::Reply { req_id, reply } => {
                self.answer(&req_id, reply);
                return Ok(());
            }
            Frame::Message { req_id, body } => event::message(req_id, &body),
            Frame::Event { req_id, body } => event::event(req_id, &body),
            Frame::Other { cmd } => {
                self.note(&cmd);
                return Ok(());
            }
        };
        match happened {
            Ok(BotEvent::Evicted) => return Err(Ended::Evicted),
            Ok(event) => self.runner.outlet.put(event),
            Err(lacks) => self.note(lacks),
        }
        Ok(())
    }

    fn answer(&mut self, req_id: &str, reply: Reply) {
        if let Some(pending) = self.pending.remove(req_id) {
            drop(pending.answer.send(Ok(reply)));
        } else if req_id.starts_with("ping_") {
            self.unanswered = 0;
        } else {
            tracing::debug!("An answer came to a question that was given up.");
        }
    }

    /// Logs once for each connection: unknown frames may come every second.
    fn note(&mut self, what: &str) {
        if !std::mem::replace(&mut self.noted, true) {
            tracing::warn!(bot_id = self.runner.bot_id, what, "A frame of the bot's socket was left unread.");
        }
    }
}
