//! The long connection of a bot (智能机器人): its messages, and users' presses and texts, over one socket and without a
//! public address (docs/reference/wecom.md#bots, page 101463).
//!
//! WeCom keeps one connection per bot: a newer one evicts the older, which then stays away until its owner opens
//! another. The owner decides which process may connect.

mod body;
mod dial;
mod event;
mod frame;
mod live;
mod pace;
mod questions;
mod run;
mod upload;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use secrecy::SecretString;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout_at;
use tokio_util::sync::CancellationToken;

pub use body::{ChatType, bot_send_body};
pub use event::{BotEvent, Conversation};
pub use pace::BotPace;

use crate::message::TemplateCard;
use crate::outcome::{CallError, Failure, Outcome, Receipt, Secrets};
use crate::text::Text;
use crate::{Api, Network, NetworkError, Now};
use dial::{Dialer, no_socket};
use frame::Reply;
use questions::{Question, Ticket, no_answer, too_late};
use run::{Lines, Outlet, Runner};

/// The address of WeCom's socket (page 101463).
pub const BOT_URL: &str = "wss://openws.work.weixin.qq.com";

/// Questions that wait to be written, in each of the two lines; further callers wait before the line.
const LINE: usize = 64;

/// An answer to a click or a greeting that is not started within this time is too late for WeCom
/// (docs/reference/wecom.md#bot-frames).
const TO_PEOPLE: Duration = Duration::from_secs(5);

/// The settings of a [`Bot`].
#[derive(Clone)]
pub struct BotOptions {
    /// The network settings; the `api_url` is not used here.
    pub network: Network,
    /// The address of the socket: [`BOT_URL`], or another for private deployments and the simulator.
    pub url: String,
    /// `BotID` of the admin console.
    pub bot_id: String,
    /// Its secret for the long connection.
    pub secret: SecretString,
    /// The clock.
    pub now: Now,
    /// The waiting times.
    pub pace: BotPace,
}

impl fmt::Debug for BotOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BotOptions").field("url", &self.url).field("bot_id", &self.bot_id).finish_non_exhaustive()
    }
}

/// The state of the socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BotState {
    /// Connecting.
    Connecting,
    /// WeCom accepted it.
    Live {
        /// Unix milliseconds.
        since: i64,
    },
    /// WeCom rejects the bot id or the secret: a person must repair them. It is retried every five minutes or more.
    Refused(Failure),
    /// The connection was lost; it reconnects by itself within half a minute.
    Lost(Failure),
    /// A newer connection took its place. Final.
    Evicted,
    /// It was told to stop. Final.
    Stopped,
}

/// Why a bot ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BotEnd {
    /// It was told to stop.
    Stopped,
    /// A newer connection took its place.
    Evicted,
}

/// A handle to one bot's socket; cheap to clone.
#[derive(Clone)]
pub struct Bot(Arc<Inner>);

struct Inner {
    urgent: mpsc::Sender<Question>,
    pushes: mpsc::Sender<Question>,
    state: watch::Receiver<BotState>,
    secrets: Secrets,
    answer: Duration,
    now: Now,
}

impl fmt::Debug for Bot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bot").field("state", &*self.0.state.borrow()).finish_non_exhaustive()
    }
}

impl Bot {
    /// A handle, and the future that runs the socket until `stop` or its eviction: nothing happens unless the caller
    /// runs it. Events are sent to `events`; a slow caller loses none of the first thousand waiting ones.
    pub fn open(
        options: BotOptions,
        events: mpsc::Sender<BotEvent>,
        stop: CancellationToken,
    ) -> Result<(Self, impl Future<Output = BotEnd> + Send + 'static), NetworkError> {
        let dialer = Arc::new(Dialer::new(&options.network, &options.url)?);
        let (urgent, urgent_line) = mpsc::channel(LINE);
        let (pushes, pushes_line) = mpsc::channel(LINE);
        let (says, state) = watch::channel(BotState::Connecting);
        let secrets = Secrets::new([&options.secret]);
        let inner =
            Inner { urgent, pushes, state, secrets, answer: options.pace.answer, now: Arc::clone(&options.now) };
        let runner = Runner {
            bot_id: options.bot_id,
            secret: options.secret,
            pace: options.pace,
            now: options.now,
            dialer,
            state: says,
            stop,
            outlet: Outlet::new(events),
        };
        let run = runner.run(Lines { urgent: urgent_line, pushes: pushes_line });
        Ok((Self(Arc::new(inner)), run))
    }

    /// The state of the socket, and its changes.
    pub fn state(&self) -> watch::Receiver<BotState> {
        self.0.state.clone()
    }

    /// Sends the bytes of [`bot_send_body`] once. They are not started if WeCom's answer might come after `end`; what
    /// was not started is certainly not sent, and what was started and not answered is unsure.
    pub async fn send(&self, body: Bytes, end: Instant) -> Outcome {
        let api = Api::BotSend;
        let Some(latest) = end.checked_sub(self.0.answer) else { return Outcome::NotSent(too_late(api)) };
        outcome(self.ask(&self.0.pushes, api, self.req_id(api), body.into(), self.0.answer, latest.into()).await)
    }

    /// Answers a text, within 24 h of it, with markdown of at most 20480 bytes.
    pub async fn respond(&self, req_id: &str, markdown: &str) -> Outcome {
        let stream = frame::req_id("stream", (self.0.now)(), rand::random());
        self.to_person(Api::BotRespond, req_id, body::respond_markdown(&stream, markdown)).await
    }

    /// Answers a text, within 24 h of it, with a card.
    pub async fn respond_card(&self, req_id: &str, card: &TemplateCard) -> Outcome {
        self.to_person(Api::BotRespond, req_id, body::card(card)).await
    }

    /// Replaces the clicked card by another one with the same task id, within 5 s of the click: for `users`, or for all
    /// who see it if `users` is empty.
    pub async fn respond_update(&self, req_id: &str, card: &TemplateCard, users: &[String]) -> Outcome {
        self.to_person(Api::BotUpdate, req_id, body::update(card, users)).await
    }

    /// Sends a greeting, within 5 s of the opening of the chat.
    pub async fn welcome(&self, req_id: &str, text: &str) -> Outcome {
        self.to_person(Api::BotWelcome, req_id, body::welcome_text(text)).await
    }

    /// Sends a card as a greeting, within 5 s of the opening of the chat.
    pub async fn welcome_card(&self, req_id: &str, card: &TemplateCard) -> Outcome {
        self.to_person(Api::BotWelcome, req_id, body::card(card)).await
    }

    /// Precedes all pushes.
    async fn to_person(&self, api: Api, req_id: &str, body: Vec<u8>) -> Outcome {
        let latest = Instant::now() + TO_PEOPLE;
        outcome(self.ask(&self.0.urgent, api, req_id.to_owned(), body, self.0.answer, latest.into()).await)
    }

    fn req_id(&self, api: Api) -> String {
        frame::req_id(api.path(), (self.0.now)(), rand::random())
    }

    /// WeCom's answer to a frame, which must be started by `latest`.
    async fn ask(
        &self,
        line: &mpsc::Sender<Question>,
        api: Api,
        req_id: String,
        body: Vec<u8>,
        patience: Duration,
        latest: tokio::time::Instant,
    ) -> Result<Value, CallError> {
        let not_done = |failure| Err(CallError::NotDone(failure));
        let Some(body) = String::from_utf8(body).ok().and_then(|body| RawValue::from_string(body).ok()) else {
            return not_done(Failure::invalid(api, &Text::new("内容不是 JSON", "the body is not JSON")));
        };
        if let Some(failure) = self.shut() {
            return not_done(failure);
        }
        let ticket = Ticket::default();
        let (answer, mut answered) = oneshot::channel();
        let question = Question { api, req_id, body, patience, latest, ticket: ticket.clone(), answer };
        // The line was full until too late, or the bot has ended.
        if !matches!(timeout_at(latest, line.send(question)).await, Ok(Ok(()))) {
            return not_done(self.unreached(api));
        }
        let mut reply = timeout_at(latest, &mut answered).await;
        if reply.is_err() {
            if ticket.take() {
                return not_done(self.unreached(api));
            }
            reply = timeout_at(latest + patience, answered).await;
        }
        match reply {
            Ok(Ok(reply)) => self.read(api, reply?),
            // It was dropped together with the socket's keeper: if writing had not begun, it never will.
            Ok(Err(_)) if ticket.take() => not_done(self.unreached(api)),
            Ok(Err(_)) | Err(_) => Err(no_answer(api)),
        }
    }

    fn read(&self, api: Api, reply: Reply) -> Result<Value, CallError> {
        match reply.errcode {
            0 => Ok(reply.body),
            code => Err(CallError::NotDone(Failure::refused(api, code, &reply.errmsg, &self.0.secrets))),
        }
    }

    /// Why no question can be asked, where waiting does not help.
    fn shut(&self) -> Option<Failure> {
        match &*self.0.state.borrow() {
            BotState::Refused(failure) => Some(failure.clone()),
            BotState::Evicted => Some(no_socket("another connection took the place of the bot's socket")),
            BotState::Stopped => Some(no_socket("the bot was stopped")),
            BotState::Connecting | BotState::Live { .. } | BotState::Lost(_) => None,
        }
    }

    /// Why it was not written.
    fn unreached(&self, api: Api) -> Failure {
        self.shut().unwrap_or_else(|| match &*self.0.state.borrow() {
            BotState::Lost(failure) => failure.clone(),
            BotState::Connecting => no_socket("the bot's socket is not open yet"),
            _ => too_late(api),
        })
    }
}

fn outcome(answer: Result<Value, CallError>) -> Outcome {
    answer.map_or_else(Outcome::from, |_| Outcome::Accepted(Receipt::default()))
}

pub(crate) fn from_socket(text: &str) -> crate::fuzzing::FromSocket {
    use crate::fuzzing::FromSocket;
    use frame::Frame;
    let event = match frame::parse(text) {
        Ok(Frame::Reply { req_id, reply }) => return FromSocket::Reply { req_id, errcode: reply.errcode },
        Ok(Frame::Message { req_id, body }) => event::message(req_id, &body),
        Ok(Frame::Event { req_id, body }) => event::event(req_id, &body),
        Ok(Frame::Other { .. }) | Err(_) => return FromSocket::Unread,
    };
    event.map_or(FromSocket::Unread, |event| FromSocket::Event(Box::new(event)))
}
