//! A proxy before the gateway that passes calls on and then answers with a failure: the sender must repeat accepted
//! calls.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::harness::World;

/// A running proxy; it ends with the test.
#[derive(Clone)]
pub struct Liar {
    to: String,
    http: reqwest::Client,
    /// Is the last one of these calls answered with a failure?
    lies: fn(&[Call]) -> bool,
    calls: Arc<Mutex<Vec<Call>>>,
}

/// A call that the gateway accepted.
#[derive(Debug, Clone)]
pub struct Call {
    /// The sender's external URL, which identifies it.
    pub sender: String,
    /// `firing` or `resolved`.
    pub status: String,
}

impl Liar {
    /// Passes on to the gateway of `world`.
    pub fn start(world: &World, listener: TcpListener, lies: fn(&[Call]) -> bool) -> Self {
        let liar = Self { to: world.url.clone(), http: world.http.clone(), lies, calls: Arc::default() };
        let router = Router::new().fallback(pass_on).with_state(liar.clone());
        tokio::spawn(async { axum::serve(listener, router).await });
        liar
    }

    /// The same at any port; and where it is.
    pub async fn start_anywhere(world: &World, lies: fn(&[Call]) -> bool) -> (Self, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (Self::start(world, listener, lies), address)
    }

    /// The calls so far.
    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }
}

async fn pass_on(State(liar): State<Liar>, request: Request) -> (StatusCode, String) {
    let (parts, body) = request.into_parts();
    let body: Bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let read: Value = serde_json::from_slice(&body).unwrap();
    let text = |field: &str| read[field].as_str().unwrap_or_default().to_owned();
    let call = Call { sender: text("externalURL"), status: text("status") };
    let sent = liar.http.request(parts.method, format!("{}{}", liar.to, parts.uri)).headers(parts.headers).body(body);
    let answer = sent.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let lies = {
        let mut calls = liar.calls.lock().unwrap();
        calls.push(call);
        (liar.lies)(&calls)
    };
    if lies {
        return (StatusCode::SERVICE_UNAVAILABLE, "a proxy lost the answer".into());
    }
    (StatusCode::OK, answer.text().await.unwrap())
}
