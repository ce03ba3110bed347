//! The listeners: how many connections each accepts, and what each serves.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use listenfd::ListenFd;
use rustix::process::Resource;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use super::door::Way;
use super::guests::Places;
use super::lobby::Lobby;
use super::local::LocalListener;
use super::refusal::Refusals;
use super::scrape::Figures;
use super::{Gate, Server, door, router, tls, watched, words};
use crate::config::{Area, Config, ListenAt};
use crate::room::Room;

/// Descriptors reserved for the store, for WeCom and for other files.
const DESCRIPTORS: usize = 256;
/// The connections of a monitoring listener.
const MONITORS: Places = Places { strangers: 64, known: 0, unproven: 64 << 10 };

/// A listener in the clear.
#[derive(Debug)]
pub enum Listener {
    /// At a port.
    Tcp(TcpListener),
    /// In the file system.
    Unix(LocalListener),
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(listener) => listener.local_addr().map_err(|_| fmt::Error)?.fmt(f),
            Self::Unix(listener) => listener.fmt(f),
        }
    }
}

/// A listener in the clear, and what it serves.
#[derive(Debug)]
pub struct Door {
    listener: Listener,
    /// Whom it serves; empty: all.
    areas: Vec<Area>,
    /// Do trusted proxies begin each connection with the PROXY protocol?
    proxied: bool,
}

/// The listeners.
#[derive(Debug)]
pub struct Doors {
    /// In the clear.
    pub main: Vec<Door>,
    /// Everything, with TLS.
    pub tls: Option<TcpListener>,
    /// `/healthz`, `/readyz` and `/metrics` alone.
    pub monitoring: Option<TcpListener>,
}

impl Doors {
    /// Listens where `config` says.
    pub async fn open(config: &Config) -> anyhow::Result<Self> {
        // Sockets that systemd holds stay open during a restart: the first ones are for `listen`, the next ones for
        // `listen_monitoring` and `listen_tls`, as far as these are configured.
        let mut given = ListenFd::from_env();
        let mut main = Vec::new();
        for (place, listening) in config.listen.iter().enumerate() {
            let listener = match &listening.at {
                ListenAt::Tcp(address) => Listener::Tcp(match taken(&mut given, place)? {
                    Some(listener) => listener,
                    None => listen(*address).await?,
                }),
                ListenAt::Unix(path) => Listener::Unix(match given.take_unix_listener(place)? {
                    Some(listener) => LocalListener::given(listener)?,
                    None => LocalListener::open(path).await?,
                }),
            };
            main.push(Door { listener, areas: listening.areas.clone(), proxied: listening.proxied });
        }
        let mut others = [config.listen_monitoring, config.listen_tls.as_ref().map(|tls| tls.address)].into_iter();
        let mut place = main.len();
        let mut next = async || -> anyhow::Result<Option<TcpListener>> {
            let Some(address) = others.next().flatten() else { return Ok(None) };
            let listener = match taken(&mut given, place)? {
                Some(listener) => listener,
                None => listen(address).await?,
            };
            place += 1;
            Ok(Some(listener))
        };
        let monitoring = next().await?;
        let tls = next().await?;
        Ok(Self { main, tls, monitoring })
    }

    /// The first address.
    pub fn front(&self) -> String {
        self.main.first().map(|door| door.listener.to_string()).unwrap_or_default()
    }
}

impl From<TcpListener> for Doors {
    fn from(main: TcpListener) -> Self {
        let main = Door { listener: Listener::Tcp(main), areas: Vec::new(), proxied: false };
        Self { main: vec![main], tls: None, monitoring: None }
    }
}

/// The listener at this place among those that the process was started with.
fn taken(given: &mut ListenFd, place: usize) -> anyhow::Result<Option<TcpListener>> {
    let Some(listener) = given.take_tcp_listener(place)? else { return Ok(None) };
    listener.set_nonblocking(true)?;
    info!(listen = %listener.local_addr()?, "The socket is systemd's.");
    Ok(Some(TcpListener::from_std(listener)?))
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        let said = words::cannot_listen(address, error.kind());
        anyhow::Error::new(error).context(said)
    })
}

/// Serves until `stop`, then lets requests in flight finish.
pub async fn serve(server: Server, doors: Doors, stop: CancellationToken) {
    let (server, figures) = (Arc::new(server), Figures::default());
    let refusals = Arc::new(Refusals::of(&server));
    // One for all listeners: guesses, replays, rates and what was refused are counted over all addresses.
    let gate = Gate::new(server.clone(), refusals.clone(), figures, stop.clone());
    let lobby = Lobby::new(refusals.clone(), server.metrics.clone(), "main", places(&server.room));
    // Their connections share their places: the bounds hold for all of them together.
    let mut main = JoinSet::new();
    for Door { listener, areas, proxied } in doors.main {
        let way = Way { tls: None, proxied: proxied.then(|| server.setup.clone()) };
        main.spawn(door::serve(listener, way, router(gate.clone(), areas), lobby.clone(), stop.clone()));
    }
    let main = main.join_all();
    let tls = async {
        if let Some(listener) = doors.tls {
            let config = server.setup.now().config.clone();
            let (areas, proxied) =
                config.listen_tls.as_ref().map(|tls| (tls.areas.clone(), tls.proxied)).unwrap_or_default();
            let way =
                Way { tls: Some(tls::acceptor(server.setup.clone())), proxied: proxied.then(|| server.setup.clone()) };
            let listener = Listener::Tcp(listener);
            door::serve(listener, way, router(gate.clone(), areas), lobby.clone(), stop.clone()).await;
        }
    };
    let monitoring = async {
        if let Some(listener) = doors.monitoring {
            let lobby = Lobby::new(refusals.clone(), server.metrics.clone(), "monitoring", MONITORS);
            door::serve(
                Listener::Tcp(listener),
                Way::default(),
                watched().with_state(gate.clone()),
                lobby,
                stop.clone(),
            )
            .await;
        }
    };
    let served = async { tokio::join!(main, tls, monitoring) };
    tokio::select! {
        _ = served => {}
        () = refusals.tell() => {}
    }
}

/// The limits given by the memory budget and by the system's descriptors.
fn places(room: &Room) -> Places {
    let descriptors = rustix::process::getrlimit(Resource::Nofile).current;
    let descriptors = descriptors.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    let half = room.strangers().min(descriptors.saturating_sub(DESCRIPTORS).max(DESCRIPTORS) / 2);
    Places { strangers: half, known: half, unproven: room.unproven() }
}

/// Raises the process's limit of descriptors to the system's maximum. Connections are bounded by `places`.
pub fn raise_descriptors() {
    let mut limit = rustix::process::getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = rustix::process::setrlimit(Resource::Nofile, limit) {
        debug!(%error, "The limit of open files could not be raised.");
    }
}
