//! The other end of a bot's socket, played frame by frame by the test itself.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, accept_async};
use tokio_util::sync::CancellationToken;
use wecom::{Bot, BotEnd, BotEvent, BotOptions, BotPace, BotState, Network};

pub const SECRET: &str = "canary/bot+5f4d";
/// So long a test waits for what must come: far longer than it takes.
const PATIENCE: Duration = Duration::from_secs(10);

pub struct Server {
    listener: TcpListener,
}

impl Server {
    pub async fn start() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.unwrap() }
    }

    pub fn addr(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    /// A connection on which nothing was said.
    pub async fn tcp(&self) -> TcpStream {
        timeout(PATIENCE, self.listener.accept()).await.expect("a client connects").unwrap().0
    }

    pub async fn accept(&self) -> Peer<TcpStream> {
        Peer::new(self.tcp().await).await
    }

    /// A connection whose bot was accepted.
    pub async fn subscribed(&self) -> Peer<TcpStream> {
        let mut peer = self.accept().await;
        peer.accept_bot().await;
        peer
    }
}

/// One connection of a bot.
pub struct Peer<S> {
    socket: WebSocketStream<S>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    pub async fn new(stream: S) -> Self {
        Self { socket: timeout(PATIENCE, accept_async(stream)).await.expect("a handshake").unwrap() }
    }

    pub async fn accept_bot(&mut self) {
        let frame = self.frame().await;
        assert_eq!(frame["cmd"], "aibot_subscribe");
        self.ok(&frame).await;
    }

    /// The next frame, heartbeats included; `None` if the connection ended.
    pub async fn any(&mut self) -> Option<Value> {
        loop {
            match timeout(PATIENCE, self.socket.next()).await.expect("a frame or the end") {
                Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    /// The next frame that is no heartbeat; those are answered.
    pub async fn frame(&mut self) -> Value {
        loop {
            let frame = self.any().await.expect("a frame");
            if frame["cmd"] != "ping" {
                return frame;
            }
            self.ok(&frame).await;
        }
    }

    pub async fn send(&mut self, frame: Value) {
        self.text(frame.to_string()).await;
    }

    pub async fn text(&mut self, text: impl Into<String>) {
        self.socket.send(Message::text(text.into())).await.unwrap();
    }

    pub async fn binary(&mut self, bytes: Vec<u8>) {
        self.socket.send(Message::binary(bytes)).await.unwrap();
    }

    /// A ping of the protocol itself and its answer.
    pub async fn protocol_ping(&mut self) {
        self.socket.send(Message::Ping("p".into())).await.unwrap();
        let pong = timeout(PATIENCE, self.socket.next()).await.expect("an answer").unwrap().unwrap();
        assert_eq!(pong, Message::Pong("p".into()));
    }

    pub async fn ok(&mut self, to: &Value) {
        self.answer(to, 0, "ok", json!(null)).await;
    }

    pub async fn answer(&mut self, to: &Value, errcode: i64, errmsg: &str, body: Value) {
        let mut frame = json!({"headers": to["headers"], "errcode": errcode, "errmsg": errmsg});
        if !body.is_null() {
            frame["body"] = body;
        }
        self.send(frame).await;
    }

    pub async fn event(&mut self, req_id: &str, event: Value) {
        self.send(json!({"cmd": "aibot_event_callback", "headers": {"req_id": req_id}, "body": {"msgid": req_id,
            "create_time": 1_700_000_000, "chattype": "single", "from": {"userid": "zhangsan"}, "msgtype": "event",
            "event": event}}))
            .await;
    }

    pub async fn click(&mut self, req_id: &str) {
        let card = json!({"card_type": "button_interaction", "event_key": "ack", "task_id": req_id});
        self.event(req_id, json!({"eventtype": "template_card_event", "template_card_event": card})).await;
    }

    pub async fn message(&mut self, req_id: &str, content: &str) {
        self.send(json!({"cmd": "aibot_msg_callback", "headers": {"req_id": req_id}, "body": {"msgid": req_id,
            "chattype": "group", "chatid": "G1", "from": {"userid": "lisi"}, "msgtype": "text",
            "text": {"content": content}}}))
            .await;
    }
}

/// A bot under test.
pub struct Bench {
    pub bot: Bot,
    pub events: mpsc::Receiver<BotEvent>,
    pub run: JoinHandle<BotEnd>,
    pub stop: CancellationToken,
}

/// Times that a test can wait for.
pub const QUICK: BotPace = BotPace {
    ping: Duration::from_mins(1),
    answer: Duration::from_secs(2),
    first: Duration::from_millis(10),
    most: Duration::from_millis(40),
    settled: Duration::from_mins(1),
    refused: Duration::from_millis(300),
};

impl Bench {
    pub fn new(server: &Server) -> Self {
        Self::with(server, QUICK)
    }

    pub fn with(server: &Server, pace: BotPace) -> Self {
        Self::open(format!("ws://{}", server.addr()), Network::new("http://unused.example.com"), pace, 64)
    }

    pub fn open(url: String, network: Network, pace: BotPace, events: usize) -> Self {
        let options = BotOptions {
            network,
            url,
            bot_id: "bot1".into(),
            secret: SECRET.into(),
            now: Arc::new(|| 1_700_000_000_000),
            pace,
        };
        let (sender, events) = mpsc::channel(events);
        let stop = CancellationToken::new();
        let (bot, run) = Bot::open(options, sender, stop.clone()).unwrap();
        Self { bot, events, run: tokio::spawn(run), stop }
    }

    pub async fn until(&self, wanted: impl Fn(&BotState) -> bool) -> BotState {
        let mut state = self.bot.state();
        timeout(PATIENCE, state.wait_for(|state| wanted(state))).await.expect("the state comes").unwrap().clone()
    }

    pub async fn live(&self) {
        self.until(|state| matches!(state, BotState::Live { .. })).await;
    }

    pub async fn event(&mut self) -> BotEvent {
        timeout(PATIENCE, self.events.recv()).await.expect("an event comes").expect("the bot runs")
    }

    pub async fn ended(&mut self) -> BotEnd {
        timeout(PATIENCE, &mut self.run).await.expect("the bot ends").unwrap()
    }
}
