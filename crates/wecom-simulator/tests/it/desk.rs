//! A simulator with a client beside it.

use std::sync::Once;

use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use wecom_simulator::{Setup, Simulator};

pub const CORP: &str = "wwsimcorp0000001";
pub const SECRET: &str = "sim-app-secret";
pub const SECOND_SECRET: &str = "sim-second-secret";
pub const APP: i64 = 1_000_002;
pub const SECOND_APP: i64 = 1_000_003;

/// A running simulator and what tests do with it.
pub struct Desk {
    pub simulator: Simulator,
    pub http: Client,
}

impl Desk {
    pub async fn new() -> Self {
        Self::with(Setup::demo()).await
    }

    pub async fn with(setup: Setup) -> Self {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| {
            rustls::crypto::ring::default_provider().install_default().expect("no provider is installed before");
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let http = Client::builder().no_proxy().build().unwrap();
        let desk = Self { simulator: Simulator::start(listener, setup).await, http };
        // Time stands still, so that no test depends on how fast it runs.
        desk.control("POST", "clock", json!({"frozen": true, "now_ms": 1_760_000_000_000_i64})).await;
        desk
    }

    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.simulator.url())
    }

    /// A call of the control API, which must succeed.
    pub async fn control(&self, method: &str, path: &str, body: Value) -> Value {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let request = self.http.request(method, self.at(&format!("/_simulator/{path}")));
        let request = if body.is_null() { request } else { request.json(&body) };
        let response = request.send().await.unwrap();
        let (status, body) = (response.status(), response.json().await.unwrap());
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    pub async fn look(&self, path: &str) -> Value {
        self.control("GET", path, Value::Null).await
    }

    pub async fn advance(&self, ms: i64) {
        self.control("POST", "clock", json!({"advance_ms": ms})).await;
    }

    pub async fn switch(&self, switches: Value) {
        self.control("PUT", "switches", switches).await;
    }

    pub async fn fault(&self, fault: Value) {
        self.control("POST", "faults", fault).await;
    }

    pub async fn messages(&self, query: &str) -> Vec<Value> {
        self.look(&format!("messages?{query}")).await["messages"].as_array().unwrap().clone()
    }

    pub async fn get(&self, path: &str) -> Value {
        self.http.get(self.at(&format!("/cgi-bin/{path}"))).send().await.unwrap().json().await.unwrap()
    }

    pub async fn post(&self, path: &str, body: Value) -> Value {
        let request = self.http.post(self.at(&format!("/cgi-bin/{path}"))).json(&body);
        request.send().await.unwrap().json().await.unwrap()
    }

    pub async fn gettoken(&self, secret: &str) -> Value {
        self.get(&format!("gettoken?corpid={CORP}&corpsecret={secret}")).await
    }

    pub async fn token(&self) -> String {
        self.gettoken(SECRET).await["access_token"].as_str().unwrap().to_owned()
    }

    pub async fn second_token(&self) -> String {
        self.gettoken(SECOND_SECRET).await["access_token"].as_str().unwrap().to_owned()
    }

    /// `message/send` with a fresh token.
    pub async fn send(&self, body: Value) -> Value {
        let token = self.token().await;
        self.post(&format!("message/send?access_token={token}"), body).await
    }

    /// A text to one member.
    pub async fn say(&self, user: &str, content: &str) -> Value {
        self.send(text_to(user, content)).await
    }

    pub async fn hook(&self, key: &str, body: Value) -> Value {
        self.post(&format!("webhook/send?key={key}"), body).await
    }
}

pub fn text_to(user: &str, content: &str) -> Value {
    json!({"touser": user, "msgtype": "text", "agentid": APP, "text": {"content": content}})
}

#[track_caller]
pub fn assert_code(answer: &Value, code: i64) {
    assert_eq!(answer["errcode"], code, "{answer}");
}
