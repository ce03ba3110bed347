//! A TCP load balancer: connections go to the ready servers in turn.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::http;

/// Interval of readiness checks.
const LOOK: Duration = Duration::from_millis(250);
/// A server without an answer within this time is skipped until it answers.
const PATIENCE: Duration = Duration::from_secs(1);

/// A running balancer; ends, with all connections, when it is dropped.
pub struct Balancer {
    _tasks: JoinSet<()>,
}

struct Server {
    address: SocketAddr,
    ready: AtomicBool,
}

impl Balancer {
    /// Accepts connections at `listen` and passes each on to one of `servers`.
    pub async fn start(listen: SocketAddr, servers: &[SocketAddr]) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let server = |&address| Arc::new(Server { address, ready: AtomicBool::new(true) });
        let servers: Arc<[Arc<Server>]> = servers.iter().map(server).collect();
        let mut tasks = JoinSet::new();
        for server in servers.iter() {
            tasks.spawn(server.clone().watch());
        }
        tasks.spawn(async move {
            // Owned by this task: they end with it.
            let mut connections = JoinSet::new();
            let next = AtomicUsize::new(0);
            while let Ok((stream, _)) = listener.accept().await {
                let first = next.fetch_add(1, Ordering::Relaxed);
                let servers = servers.clone();
                connections.spawn(async move { pass(stream, &servers, first).await });
            }
        });
        Ok(Self { _tasks: tasks })
    }
}

impl Server {
    async fn watch(self: Arc<Self>) {
        loop {
            let answer = http::send(self.address, "GET", "/readyz", "", PATIENCE).await;
            self.ready.store(answer.is_ok_and(|answer| answer.is_2xx()), Ordering::Relaxed);
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// Connects to the next ready server that accepts; to none if there is none, which the client notices.
async fn pass(mut client: TcpStream, servers: &[Arc<Server>], first: usize) {
    for turn in 0..servers.len() {
        let server = &servers[(first + turn) % servers.len()];
        if !server.ready.load(Ordering::Relaxed) {
            continue;
        }
        if let Ok(Ok(mut connection)) = tokio::time::timeout(PATIENCE, TcpStream::connect(server.address)).await {
            // Whichever side ends it, the other side sees it.
            tokio::io::copy_bidirectional(&mut client, &mut connection).await.ok();
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::get;

    use super::*;
    use crate::gateway::free;

    /// A server that answers with its number.
    async fn server(number: usize) -> (SocketAddr, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let routes =
            Router::new().route("/readyz", get(|| async {})).route("/", get(move || async move { number.to_string() }));
        (address, tokio::spawn(async { drop(axum::serve(listener, routes).await) }))
    }

    #[tokio::test]
    async fn each_is_asked_in_turn_and_a_dead_one_not_at_all() {
        let (first, alive) = server(1).await;
        let (second, _) = server(2).await;
        let front = free().unwrap();
        let _balancer = Balancer::start(front, &[first, second]).await.unwrap();
        let mut answers = Vec::new();
        for _ in 0..4 {
            answers.push(http::get(front, "/").await.unwrap());
        }
        assert_eq!(answers, ["1", "2", "1", "2"]);
        alive.abort();
        alive.await.unwrap_err();
        for _ in 0..4 {
            assert_eq!(http::get(front, "/").await.unwrap(), "2");
        }
    }
}
