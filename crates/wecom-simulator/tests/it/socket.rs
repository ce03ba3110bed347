//! A bot's client on the socket.

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::{Duration, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::desk::{Desk, assert_code};

pub const BOT: &str = "sim-bot";
pub const BOT_SECRET: &str = "sim-bot-secret";
pub const GROUP: &str = "wrSimDutyGroup";

/// What is certain to come, comes within this.
const PATIENCE: Duration = Duration::from_secs(10);

pub struct Client {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    asked: usize,
}

impl Client {
    pub async fn connect(desk: &Desk) -> Self {
        let url = desk.at("/ws").replace("http://", "ws://");
        Self { stream: connect_async(url).await.unwrap().0, asked: 0 }
    }

    /// Connected and subscribed.
    pub async fn subscribed(desk: &Desk) -> Self {
        let mut client = Self::connect(desk).await;
        assert_code(&client.subscribe(BOT, BOT_SECRET).await, 0);
        client
    }

    pub async fn subscribe(&mut self, bot: &str, secret: &str) -> Value {
        self.ask("aibot_subscribe", json!({"bot_id": bot, "secret": secret})).await
    }

    pub async fn send_text(&mut self, text: &str) {
        self.stream.send(Message::Text(text.into())).await.unwrap();
    }

    /// The next text frame, or `None` when the connection has ended.
    pub async fn raw(&mut self) -> Option<String> {
        loop {
            match timeout(PATIENCE, self.stream.next()).await.expect("a frame comes, or the end") {
                Some(Ok(Message::Text(text))) => return Some(text.to_string()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    pub async fn next(&mut self) -> Value {
        serde_json::from_str(&self.raw().await.expect("the connection lives")).unwrap()
    }

    /// Sends a command and takes its answer, which must be the next frame.
    pub async fn ask(&mut self, cmd: &str, body: Value) -> Value {
        self.asked += 1;
        let req_id = format!("{cmd}_{}", self.asked);
        self.ask_as(cmd, &req_id, body).await
    }

    pub async fn ask_as(&mut self, cmd: &str, req_id: &str, body: Value) -> Value {
        self.send_text(&json!({"cmd": cmd, "headers": {"req_id": req_id}, "body": body}).to_string()).await;
        let answer = self.next().await;
        assert_eq!((&answer["headers"]["req_id"], &answer["cmd"]), (&json!(req_id), &Value::Null), "{answer}");
        answer
    }

    /// Answers a callback.
    pub async fn respond(&mut self, cmd: &str, callback: &Value, body: Value) -> Value {
        self.ask_as(cmd, callback["headers"]["req_id"].as_str().unwrap(), body).await
    }

    pub async fn push(&mut self, chat: &str, msgtype: &str, object: Value) -> Value {
        self.ask("aibot_send_msg", json!({"chatid": chat, "msgtype": msgtype, msgtype: object})).await
    }

    pub async fn markdown(&mut self, chat: &str, content: &str) -> Value {
        self.push(chat, "markdown", json!({"content": content})).await
    }
}

impl Desk {
    /// A member writes to the bot alone.
    pub async fn tell_bot(&self, user: &str, text: &str) {
        let told = self.control("POST", "says", json!({"bot": BOT, "user": user, "text": text})).await;
        assert_eq!(told, json!({"delivered": true}));
    }

    pub async fn click(&self, message: &Value, user: &str, key: &str, selected: Value) -> Value {
        let click = json!({"message": message["id"], "user": user, "key": key, "selected": selected});
        self.control("POST", "clicks", click).await
    }

    /// A click of that id, as it stands now.
    pub async fn clicked(&self, click: &Value) -> Value {
        self.look(&format!("clicks?id={}", click["id"])).await["clicks"][0].clone()
    }

    pub async fn bot(&self) -> Value {
        self.look("bots").await["bots"][0].clone()
    }
}

pub fn card(task_id: &str) -> Value {
    json!({
        "card_type": "button_interaction",
        "task_id": task_id,
        "main_title": {"title": "磁盘将满"},
        "button_selection": {"question_key": "dur", "option_list": [{"id": "1h", "text": "1 小时"}, {"id": "4h", "text": "4 小时"}]},
        "button_list": [{"text": "认领", "style": 1, "key": "ack"}, {"text": "静默", "style": 2, "key": "silence"}],
    })
}
