//! Accepting connections, and cutting them: a simulated reset must be a real one, which needs the socket itself.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{any, get};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::setup::Setup;
use crate::state::{Shared, World};
use crate::{api, control, page};

/// More open connections than this wait in the listener's queue: a client that leaks them must not take our memory.
const MAX_CONNECTIONS: usize = 1024;

/// A request line with its headers; requests are recorded with their query, so this bounds the record, too.
const MAX_HEAD: usize = 64 * 1024;

/// The server's tasks; they end when this is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    address: Option<SocketAddr>,
    ended: CancellationToken,
    tasks: TaskTracker,
}

impl Running {
    pub(crate) fn url(&self) -> String {
        match self.address {
            Some(address) if address.ip().is_unspecified() => format!("http://127.0.0.1:{}", address.port()),
            Some(address) => format!("http://{address}"),
            None => "http://127.0.0.1".into(),
        }
    }

    pub(crate) async fn stop(&self) {
        self.ended.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.ended.cancel();
    }
}

/// The connection a request came in on, as far as a handler may touch it.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    /// The caller.
    pub(crate) peer: SocketAddr,
    cut: CancellationToken,
}

impl Connection {
    /// Resets the connection (RST, not a polite end) and never returns.
    pub(crate) async fn reset(&self) -> ! {
        self.cut.cancel();
        std::future::pending().await
    }
}

/// Spawns the accept loop.
pub(crate) fn start(listener: TcpListener, setup: Setup) -> Running {
    let running =
        Running { address: listener.local_addr().ok(), ended: CancellationToken::new(), tasks: TaskTracker::new() };
    let world: Shared = Arc::new(Mutex::new(World::new(setup, running.url())));
    let router = Router::new()
        .route("/cgi-bin/{*path}", any(api::handle))
        .layer(DefaultBodyLimit::disable()) // api::handle has limits of its own; control keeps axum's 2 MB
        .route("/", get(page::phone))
        .merge(control::routes())
        .fallback(control::unknown)
        .with_state(world);
    let loop_ = accept(listener, router, running.ended.clone(), running.tasks.clone());
    running.tasks.spawn(running.ended.clone().run_until_cancelled_owned(loop_));
    running
}

async fn accept(listener: TcpListener, router: Router, ended: CancellationToken, tasks: TaskTracker) {
    let places = Arc::new(tokio::sync::Semaphore::new(MAX_CONNECTIONS));
    loop {
        let place = Arc::clone(&places).acquire_owned().await.expect("invariant: this semaphore is never closed");
        match listener.accept().await {
            Ok((stream, peer)) => {
                let router = router.clone();
                let ended = ended.clone();
                tasks.spawn(async move {
                    serve(stream, peer, router, ended).await;
                    drop(place);
                });
            }
            Err(error) => {
                // Out of file descriptors, most likely: trying again at once would only burn the processor.
                tracing::warn!(%error, "simulator cannot accept a connection");
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, peer: SocketAddr, router: Router, ended: CancellationToken) {
    let cut = CancellationToken::new();
    let router = router.layer(axum::Extension(Connection { peer, cut: cut.clone() }));
    let mut connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::select! {
        _ = &mut connection => {}
        () = ended.cancelled() => {}
        () = cut.cancelled() => {
            // Closing with a zero linger makes the kernel send RST.
            let stream = connection.into_parts().io.into_inner();
            if let Err(error) = stream.set_zero_linger() {
                tracing::warn!(%error, "simulator cannot reset a connection; it closes it instead");
            }
        }
    }
}
