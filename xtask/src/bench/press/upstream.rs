//! Plays as much of an Alertmanager as a silence needs, and counts those that are made.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// A running one; ends when it is dropped.
pub struct Upstream {
    /// Where it listens.
    pub address: SocketAddr,
    made: Arc<AtomicUsize>,
    _task: JoinSet<()>,
}

impl Upstream {
    /// Listens at a free port of loopback.
    pub async fn start() -> anyhow::Result<Self> {
        let made: Arc<AtomicUsize> = Arc::default();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let routes = Router::new().route("/api/v2/silences", post(make).get(list)).with_state(made.clone());
        let mut task = JoinSet::new();
        task.spawn(async { drop(axum::serve(listener, routes).await) });
        Ok(Self { address, made, _task: task })
    }

    /// How many silences were made.
    pub fn made(&self) -> usize {
        self.made.load(Ordering::Relaxed)
    }
}

async fn make(State(made): State<Arc<AtomicUsize>>) -> Json<Value> {
    let number = made.fetch_add(1, Ordering::Relaxed) + 1;
    Json(json!({ "silenceID": format!("00000000-0000-4000-8000-{number:012}") }))
}

/// Answers that no silence exists: a second attempt would make another one, which is counted.
async fn list() -> Json<Value> {
    Json(json!([]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http;

    #[tokio::test]
    async fn each_silence_is_counted_and_looking_is_not() {
        let upstream = Upstream::start().await.unwrap();
        for made in 0..3 {
            assert_eq!(upstream.made(), made);
            let answer = http::control(upstream.address, "POST", "/api/v2/silences", "{}").await.unwrap();
            assert!(answer.contains("silenceID"), "{answer}");
            assert_eq!(http::get(upstream.address, "/api/v2/silences").await.unwrap(), "[]");
        }
    }
}
