//! The negative control of `cargo xtask crash`: a relay that answers 200 *before* the gateway has stored anything.
//! Killed together with the gateway, it has broken its promise.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::http;

/// A running relay; what it has not passed on yet is lost when it ends.
pub struct Relay {
    _tasks: JoinSet<()>,
    under_way: watch::Receiver<usize>,
}

impl Relay {
    /// Takes requests at `listen` and passes them on to `gateway`.
    pub async fn start(listen: SocketAddr, gateway: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let (count, under_way) = watch::channel(0);
        let count = Arc::new(count);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            // Owned by this task: they end with it.
            let mut requests = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                count.send_modify(|count| *count += 1);
                let count = count.clone();
                requests.spawn(async move {
                    promise(stream, gateway).await;
                    count.send_modify(|count| *count -= 1);
                });
            }
        });
        Ok(Self { _tasks: tasks, under_way })
    }

    /// Waits until everything promised was passed on.
    pub async fn idle(&self) {
        // An error means that it has ended.
        self.under_way.clone().wait_for(|count| *count == 0).await.ok();
    }
}

/// Reads a request, answers it, and only then passes it on.
async fn promise(mut stream: TcpStream, gateway: SocketAddr) {
    let Some(body) = request_body(&mut stream).await else { return };
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}").await.ok();
    stream.shutdown().await.ok();
    http::send(gateway, "POST", "/webhook", &body, Duration::from_secs(10)).await.ok();
}

async fn request_body(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "))?.parse().ok()?;
        if body.len() >= length {
            return Some(body.to_owned());
        }
    }
}
