//! Accepts and cuts connections: a simulated reset must be a real one, which needs the socket itself.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{any, get};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::setup::Setup;
use crate::state::{Background, Shared, World};
use crate::{api, bot, control, page, sign_in};

/// Connections beyond this number wait in the listener's queue: a client that leaks them must not exhaust memory.
const MAX_CONNECTIONS: usize = 1024;

/// A request line with its headers; requests are recorded with their query, so this bounds the record, too.
const MAX_HEAD: usize = 64 * 1024;

/// The server's tasks; they end when this is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    address: Option<SocketAddr>,
    background: Background,
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
        self.background.ended.cancel();
        self.background.tasks.close();
        self.background.tasks.wait().await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.background.ended.cancel();
    }
}

/// The connection of a request, as handlers may use it.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    /// The caller.
    pub(crate) peer: SocketAddr,
    cut: CancellationToken,
}

impl Connection {
    /// Resets the connection (RST instead of FIN) and never returns.
    pub(crate) async fn reset(&self) -> ! {
        self.cut.cancel();
        std::future::pending().await
    }
}

/// Spawns the accept loop.
pub(crate) fn start(listener: TcpListener, setup: Setup) -> Running {
    let running = Running { address: listener.local_addr().ok(), background: Background::default() };
    let world: Shared = Arc::new(Mutex::new(World::new(setup, running.url(), running.background.clone())));
    let router = Router::new()
        .route("/cgi-bin/{*path}", any(api::handle))
        .layer(DefaultBodyLimit::disable()) // api::handle has limits of its own; control keeps axum's 2 MB
        .route("/", get(page::phone))
        .route("/ws", any(bot::socket::open))
        .merge(sign_in::routes())
        .merge(control::routes())
        .fallback(control::unknown)
        .with_state(world);
    running.background.spawn(accept(listener, router, running.background.clone()));
    running
}

async fn accept(listener: TcpListener, router: Router, background: Background) {
    let places = Arc::new(tokio::sync::Semaphore::new(MAX_CONNECTIONS));
    loop {
        let place = Arc::clone(&places).acquire_owned().await.expect("invariant: this semaphore is never closed");
        match listener.accept().await {
            Ok((stream, peer)) => {
                // A frame behind another one would wait up to 40 ms for the acknowledgement of the first.
                let _ = stream.set_nodelay(true);
                let router = router.clone();
                let ended = background.ended.clone();
                background.tasks.spawn(async move {
                    serve(stream, peer, router, ended).await;
                    drop(place);
                });
            }
            Err(error) => {
                // Most likely out of file descriptors: an immediate retry would only waste CPU time.
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
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .with_upgrades();
    tokio::select! {
        _ = &mut connection => {}
        () = ended.cancelled() => {}
        () = cut.cancelled() => {
            // Closing with a zero linger makes the kernel send RST.
            let stream = connection.into_parts().expect("invariant: what is upgraded is not cut").io.into_inner();
            if let Err(error) = stream.set_zero_linger() {
                tracing::warn!(%error, "simulator cannot reset a connection; it closes it instead");
            }
        }
    }
}
