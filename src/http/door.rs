//! The accept loop and the life cycle of a connection.

use std::convert::Infallible;
use std::io::{self, IoSlice};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::response::Response;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rustls::pki_types::UnixTime;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::listen::Listener;
use super::lobby::{Lobby, Seat};
use super::refusal::{self, Opening};
use super::tls::{Chain, Stream};
use super::{Setup, peer, proxied};
use crate::live::Live;
use crate::proof::Shown;

/// Most bytes in a connection's buffer, including a request's headers: real senders need a few KB, and a stranger must
/// not hold more.
const BUFFER: usize = 32 << 10;
/// Send buffer of the kernel for answers that a peer does not read. An answer is smaller.
const KERNEL_BUFFER: usize = 256 << 10;
/// Connections that the kernel queues before they are accepted: a crowd that comes at once must not push others out.
const BACKLOG: i32 = 4096;
/// Longest wait for requests in flight at shutdown.
const DRAIN: Duration = Duration::from_secs(10);

/// What stands between a connection and HTTP.
#[derive(Clone, Default)]
pub(super) struct Way {
    /// With TLS.
    pub tls: Option<TlsAcceptor>,
    /// Trusted proxies, those of the configuration in force, begin with the PROXY protocol.
    pub proxied: Option<Live<Setup>>,
}

/// Serves `router` until `stop`, then lets requests in flight finish.
pub(super) async fn serve(
    listener: Listener,
    way: Way,
    router: axum::Router,
    lobby: Arc<Lobby>,
    stop: CancellationToken,
) {
    widen(&listener);
    let graceful = GracefulShutdown::new();
    let mut server = http1::Builder::new();
    // The lobby enforces the deadlines: also those for writing and idling, which hyper lacks.
    server.header_read_timeout(None).max_buf_size(BUFFER);
    let sweeper = lobby.clone();
    let _sweep = tokio_util::task::AbortOnDropHandle::new(tokio::spawn(async move { sweeper.sweep().await }));
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener) => accepted,
            () = stop.cancelled() => break,
        };
        let (accepted, socket) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, or the peer is gone already: let other connections finish first.
                warn!(%error, "A connection could not be accepted.");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let seat = tokio::select! {
            seat = lobby.enter(socket.ip()) => seat,
            () = stop.cancelled() => break,
        };
        let (way, router) = (way.clone(), TowerToHyperService::new(router.clone()));
        let (server, watcher) = (server.clone(), graceful.watcher());
        tokio::spawn(async move {
            let served = async {
                let chain = Chain::default();
                let (stream, socket) = way.enter(accepted, socket, &seat, &chain).await?;
                let line = TokioIo::new(Line { stream, peer: socket.ip(), seat: seat.clone() });
                let guest = seat.clone();
                let service = service_fn(move |request| requested(&router, request, &guest, socket, &chain));
                match watcher.watch(server.serve_connection(line, service)).await {
                    // hyper itself answers an unreadable head, with 400 or 431.
                    Err(error) if error.is_parse() => refusal::unreadable_head(seat.refusals(), socket.ip(), &error),
                    Err(error) => debug!(%error, "A connection ended early."),
                    Ok(()) => {}
                }
                Some(())
            };
            tokio::select! {
                _ = served => {}
                () = seat.closed() => {}
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(DRAIN, graceful.shutdown()).await.is_err() {
        warn!("Requests did not end in time; their senders will repeat them.");
    }
}

/// A request of the connection at `seat`, answered by `router`.
fn requested(
    router: &TowerToHyperService<axum::Router>,
    request: Request<Incoming>,
    seat: &Seat,
    socket: SocketAddr,
    chain: &Chain,
) -> impl Future<Output = Result<Response, Infallible>> + use<> {
    let seat = seat.clone();
    let mut request = request.map(|body| seat.receive(body));
    request.extensions_mut().insert(peer::Socket(socket));
    request.extensions_mut().insert(seat.clone());
    if let Some(chain) = chain.get() {
        request.extensions_mut().insert(Shown { chain: chain.clone(), now: UnixTime::now() });
    }
    let answer = router.call(request);
    async move {
        let mut answer = answer.await?;
        seat.answer(&mut answer);
        Ok(answer)
    }
}

impl Way {
    /// The stream of a connection as HTTP reads it, and its sender's address; `None`: a trusted proxy does not say whose it
    /// is. `chain` gets the certificates that a TLS handshake shows.
    async fn enter(
        &self,
        accepted: Accepted,
        socket: SocketAddr,
        seat: &Seat,
        chain: &Chain,
    ) -> Option<(Stream, SocketAddr)> {
        let mut stream = match accepted {
            Accepted::Local(stream) => return Some((Stream::Local(stream), socket)),
            Accepted::Tcp(stream) => stream,
        };
        let mut sender = socket;
        let proxy = socket.ip().to_canonical();
        let trusts =
            |setup: &Live<Setup>| setup.now().config.trusted_proxies.iter().any(|network| network.holds(proxy));
        if self.proxied.as_ref().is_some_and(trusts) {
            match proxied::sender(&mut stream, socket).await {
                Ok(said) => sender = said,
                Err(error) => {
                    refusal::without(Opening::ProxyHeader, seat.refusals(), proxy, &error);
                    return None;
                }
            }
            seat.introduce(sender.ip());
        }
        Some((Stream::new(stream, self.tls.as_ref(), chain), sender))
    }
}

/// A connection before its first byte.
enum Accepted {
    Tcp(TcpStream),
    Local(UnixStream),
}

/// The next connection, and where it comes from. A socket in the file system has no address: what comes there comes from
/// this machine.
async fn accept(listener: &Listener) -> io::Result<(Accepted, SocketAddr)> {
    match listener {
        Listener::Tcp(listener) => {
            let (stream, socket) = listener.accept().await?;
            // Small answers must not wait for the next packet.
            let _ = stream.set_nodelay(true);
            Ok((Accepted::Tcp(stream), socket))
        }
        Listener::Unix(listener) => Ok((Accepted::Local(listener.accept().await?), (Ipv4Addr::LOCALHOST, 0).into())),
    }
}

/// Prepares a listener for many connections. Settings that the machine refuses stay unchanged.
fn widen(listener: &Listener) {
    let socket = match listener {
        Listener::Tcp(listener) => SockRef::from(listener),
        Listener::Unix(listener) => SockRef::from(listener),
    };
    // Connections inherit it.
    let _ = socket.set_send_buffer_size(KERNEL_BUFFER);
    let _ = socket.listen(BACKLOG);
}

/// The bytes of a connection. Tells the lobby when an answer was sent and when the next request begins.
struct Line {
    stream: Stream,
    peer: IpAddr,
    seat: Seat,
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.seat.look();
        if let Err(error) = ready!(read) {
            if self.stream.is_greeting() {
                refusal::without(Opening::Handshake, self.seat.refusals(), self.peer, &error);
            }
            return Poll::Ready(Err(error));
        }
        if buffer.filled().len() > before {
            self.seat.received();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Called when everything was written.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        self.seat.sent();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
