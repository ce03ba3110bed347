//! A few connections, opened on demand and reopened when they break.
//!
//! Written here because its needs are few and particular: a connection whose transaction did not end is closed (the
//! server rolls it back), and after a failed attempt to connect all callers fail at once for a moment.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_postgres::Client;
use tokio_util::context::TokioContext;

use super::address::{Address, CONNECT};
use super::named::{Names, Naming};
use super::tx::{Fault, said, sorted};
use crate::store::words;
use crate::store::{PEOPLE_WAIT, Retry, StoreError};
use crate::words::Words;

/// How long a caller waits for a connection. Grafana does not repeat a refused webhook, so waiting is better than a
/// quick refusal; Alertmanager gives up after 10 s.
pub(super) const PLACE: Duration = Duration::from_secs(5);
/// Pause after a failed attempt to connect, up to twice that, so that replicas do not reconnect all at once.
const PAUSE: Duration = Duration::from_millis(200);

/// Counters since the store was opened, over all of its connections.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub commits: AtomicU64,
    pub writes: AtomicU64,
    pub busy_micros: AtomicU64,
}

impl Tally {
    pub fn commit(&self, took: Duration) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.writes.fetch_add(1, Ordering::Relaxed);
        self.busy_micros.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

/// What all pools of a store share.
pub(super) struct Server {
    pub address: Address,
    pub tally: Tally,
    /// With the server's own setting it would answer before a commit is on disk.
    pub sync_commit_is_off: AtomicBool,
    pub naming: Naming,
    /// Where connections are driven: a connection that a page opened may serve a delivery next.
    runtime: Handle,
    /// Until when not to connect again, and the error.
    away: Mutex<Option<(Instant, StoreError)>>,
}

impl Server {
    /// Its connections live on the current runtime.
    pub fn new(address: Address) -> Self {
        let (tally, sync_commit_is_off) = (Tally::default(), AtomicBool::new(false));
        let (naming, runtime) = (Naming::default(), Handle::current());
        Self { address, tally, sync_commit_is_off, naming, runtime, away: Mutex::new(None) }
    }

    /// A new connection. Fails at once while the server is known to be away.
    pub async fn connect(&self) -> Result<Client, StoreError> {
        {
            let away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((until, error)) = &*away
                && Instant::now() < *until
            {
                return Err(error.clone());
            }
        }
        let connected = match TokioContext::new(
            tokio::time::timeout(CONNECT, self.address.connect()),
            self.runtime.clone(),
        )
        .await
        {
            Ok(Ok((client, connection))) => {
                self.runtime.spawn(async move {
                    if let Err(error) = connection.await {
                        tracing::debug!(error = said(&error), "A connection to the database ended.");
                    }
                });
                Ok(client)
            }
            Ok(Err(error)) => Err(match sorted(&error) {
                StoreError::Bug { reason, .. } => StoreError::unreachable(Words::quoted(reason)),
                sorted => sorted,
            }),
            Err(_) => Err(StoreError::unreachable(words::CONNECTING_TOO_LONG)),
        };
        let pause = PAUSE.mul_f64(rand::random_range(1.0..2.0));
        let away = connected.as_ref().err().map(|error| (Instant::now() + pause, error.clone()));
        *self.away.lock().unwrap_or_else(PoisonError::into_inner) = away;
        connected
    }
}

/// A bounded number of connections.
#[derive(Clone)]
pub(super) struct Pool {
    server: Arc<Server>,
    places: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Session>>>,
    /// Do its connections prepare statements?
    named: bool,
    /// Are reads ended after [`PEOPLE`](crate::store::PEOPLE)?
    bounded: bool,
}

/// A connection, with the statements that it prepared.
struct Session {
    // Dropped before the statements, of which the server is then told nothing.
    client: Client,
    names: Option<Names>,
}

impl Pool {
    pub fn new(server: Arc<Server>, size: usize) -> Self {
        Self { server, places: Arc::new(Semaphore::new(size)), idle: Arc::default(), named: false, bounded: false }
    }

    /// One for the questions of people, each of which has little time.
    pub fn bounded(server: Arc<Server>, size: usize) -> Self {
        Self { bounded: true, ..Self::new(server, size) }
    }

    /// One whose connections prepare what they use again and again.
    pub fn named(server: Arc<Server>, size: usize) -> Self {
        Self { named: true, ..Self::new(server, size) }
    }

    pub async fn get(&self) -> Result<Conn, Fault> {
        let (patience, error) =
            if self.bounded { (PEOPLE_WAIT, StoreError::TooSlow) } else { (PLACE, StoreError::Retry(Retry::Busy)) };
        let place = tokio::time::timeout(patience, Arc::clone(&self.places).acquire_owned())
            .await
            .map_err(|_| error)?
            .map_err(|_| StoreError::Closed)?;
        let mut session = None;
        while let Some(idle) = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            if !idle.client.is_closed() {
                session = Some(idle);
                break;
            }
        }
        let session = match session {
            Some(session) => session,
            None => self.connect().await?,
        };
        Ok(Conn { session: Some(session), clean: false, pool: self.clone(), _place: place })
    }

    async fn connect(&self) -> Result<Session, Fault> {
        let client = self.server.connect().await?;
        let names = if self.named && self.server.naming.is_on() { Some(Names::of(&client).await?) } else { None };
        Ok(Session { client, names })
    }

    pub fn sync_commit_is_off(&self) -> bool {
        self.server.sync_commit_is_off.load(Ordering::Relaxed)
    }

    /// Counts the writes that shared a commit.
    pub fn tally_more(&self, writes: usize) {
        self.server.tally.writes.fetch_add(writes.saturating_sub(1) as u64, Ordering::Relaxed);
    }

    /// Waits for running transactions, then closes the connections. Later requests for one get [`StoreError::Closed`].
    pub async fn close(&self, size: u32) {
        let _places = self.places.acquire_many(size).await;
        self.places.close();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// A borrowed connection. It returns to the pool only if its transaction ended.
pub(super) struct Conn {
    session: Option<Session>,
    clean: bool,
    pool: Pool,
    _place: OwnedSemaphorePermit,
}

impl Conn {
    pub fn client(&self) -> &Client {
        &self.session().client
    }

    /// Are its reads ended early?
    pub fn is_bounded(&self) -> bool {
        self.pool.bounded
    }

    /// Its statements, if they may have names.
    pub fn names(&self) -> Option<&Names> {
        self.session().names.as_ref().filter(|_| self.pool.server.naming.is_on())
    }

    pub fn naming(&self) -> &Naming {
        &self.pool.server.naming
    }

    fn session(&self) -> &Session {
        self.session.as_ref().expect("it is taken only when this is dropped")
    }

    pub fn tally(&self) -> &Tally {
        &self.pool.server.tally
    }

    /// Records that its transaction has ended.
    pub fn is_clean(&mut self) {
        self.clean = true;
    }
}

impl Drop for Conn {
    fn drop(&mut self) {
        if let Some(session) = self.session.take()
            && self.clean
            && !session.client.is_closed()
        {
            self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner).push(session);
        }
    }
}
