//! The PostgreSQL backend: one writing task with group commit for admissions, a few connections for the rest, any
//! number of processes on one database.
//!
//! It needs no session state, so a pooler in transaction mode may stand between; with one only wake-up hints get lost.

mod acts;
mod address;
mod admit;
mod alerts;
mod api;
mod breaker;
mod cards;
mod changes;
mod claim;
mod conversations;
mod escalations;
mod fold;
mod hint;
mod incidents;
mod lanes;
mod lease;
mod load;
mod marks;
mod named;
mod needless;
mod outline;
mod overdue;
mod pictures;
mod pool;
mod prune;
mod record;
mod seen;
mod sessions;
mod settle;
mod short;
mod silences;
mod sockets;
mod start;
mod tally;
mod terms;
mod truth;
mod tx;
mod values;
mod waking;
mod writer;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::{Mutex, Notify};
use tokio_util::task::AbortOnDropHandle;

use super::{Acted, Admission, Admitted, Counters, NewAct, PEOPLE_READERS, StoreError};
use crate::alert::Timestamp;
use address::Address;
pub(super) use load::Load;
use pool::{Pool, Server};
use prune::Pruning;
use tx::{Kind, transaction};
use values::values;
use writer::Writer;

/// Connections besides those of the writer and the listener. A claim and its settlement take a few milliseconds each,
/// so this is some thousand a second; more would only compete for the server.
const CONNECTIONS: u32 = 8;

/// Statements whose cost must depend on live rows only, not on the record.
#[cfg(test)]
pub(super) const PLANNED: [&str; 4] = [lanes::LANES, lanes::WAITING, lanes::FRESH, fold::FOLDABLE];
/// The SQL of this half's lists.
#[cfg(test)]
pub(super) use record::DIALECT;
/// The SQL of firing alerts.
#[cfg(test)]
pub(super) use truth::{firing, followed};
/// The statement that finds known alerts, whose plan is kept.
#[cfg(test)]
pub(super) const KNOWN: &str = admit::KNOWN;

/// A PostgreSQL database, shared with other replicas.
#[derive(Clone)]
pub struct Db(Arc<Inner>);

struct Inner {
    server: Arc<Server>,
    pool: Pool,
    /// For the questions of people.
    people: Pool,
    /// `None`: opened for reading.
    writer: Option<Writer>,
    /// Names this process among the replicas.
    owner: String,
    lease: Duration,
    pruning: Mutex<Pruning>,
    skew: Arc<AtomicI64>,
    due: Arc<Notify>,
    _tasks: Vec<AbortOnDropHandle<()>>,
}

impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Db").field(&self.0.server.address.place).finish()
    }
}

impl Db {
    /// Connects, refuses a server that cannot be trusted, brings the schema up to date.
    pub(super) async fn open(url: &SecretString, lease: Duration, now: Timestamp) -> Result<Self, StoreError> {
        let server = Arc::new(Server::new(Address::parse(url.expose_secret())?));
        let client = server.connect().await?;
        let settings = start::prepare(&client, &server.address.place, false, now).await?;
        server.sync_commit_is_off.store(settings.sync_commit_is_off(), Ordering::Relaxed);
        let (skew, due) = (Arc::new(AtomicI64::new(0)), Arc::new(Notify::new()));
        hint::look(&client, &skew).await.map_err(|error| tx::sorted(&error))?;
        let schema = settings.schema.unwrap_or_default();
        let tasks = vec![
            AbortOnDropHandle::new(tokio::spawn(hint::listen(Arc::clone(&server), schema, Arc::clone(&due)))),
            AbortOnDropHandle::new(tokio::spawn(hint::watch(Arc::clone(&server), Arc::clone(&skew)))),
        ];
        let writer = Some(Writer::start(Pool::named(Arc::clone(&server), 1)));
        Ok(Self::new(server, writer, lease, skew, due, tasks))
    }

    /// For reading only. The schema must be current.
    pub(super) async fn open_reading(url: &SecretString) -> Result<Self, StoreError> {
        let server = Arc::new(Server::new(Address::parse(url.expose_secret())?));
        let client = server.connect().await?;
        start::prepare(&client, &server.address.place, true, Timestamp::default()).await?;
        Ok(Self::new(server, None, Duration::ZERO, Arc::default(), Arc::default(), Vec::new()))
    }

    fn new(
        server: Arc<Server>,
        writer: Option<Writer>,
        lease: Duration,
        skew: Arc<AtomicI64>,
        due: Arc<Notify>,
        tasks: Vec<AbortOnDropHandle<()>>,
    ) -> Self {
        let pool = Pool::new(Arc::clone(&server), CONNECTIONS as usize);
        let people = Pool::bounded(Arc::clone(&server), PEOPLE_READERS);
        let owner = start::named(&format!("{}-{:016x}", std::process::id(), rand::random::<u64>()));
        Self(Arc::new(Inner {
            server,
            pool,
            people,
            writer,
            owner,
            lease,
            pruning: Mutex::default(),
            skew,
            due,
            _tasks: tasks,
        }))
    }

    pub(super) fn for_people(&self) -> Self {
        let Inner { server, people, owner, lease, skew, due, .. } = &*self.0;
        Self(Arc::new(Inner {
            server: Arc::clone(server),
            pool: people.clone(),
            people: people.clone(),
            writer: None,
            owner: owner.clone(),
            lease: *lease,
            pruning: Mutex::default(),
            skew: Arc::clone(skew),
            due: Arc::clone(due),
            _tasks: Vec::new(),
        }))
    }

    pub(super) async fn admit(&self, admission: Admission) -> Result<Admitted, StoreError> {
        self.admit_asked(admission, Instant::now()).await
    }

    /// Admits what was requested at `asked`, unless that is too long ago.
    pub(super) async fn admit_asked(&self, admission: Admission, asked: Instant) -> Result<Admitted, StoreError> {
        let writer = self.0.writer.as_ref().ok_or_else(reading_only)?;
        writer.admit(admission, asked).await
    }

    /// Does an act in the next group; returns after the commit is on disk. A queued act is done even if its caller has
    /// gone.
    pub(super) async fn act(&self, act: NewAct, now: Timestamp) -> Result<Acted, StoreError> {
        let writer = self.0.writer.as_ref().ok_or_else(reading_only)?;
        writer.act(act, now).await
    }

    pub(super) async fn ping(&self) -> Result<(), StoreError> {
        transaction!(self.writing()?, Kind::Write, tx => async {
            tx.execute("UPDATE pulse SET beats = beats + 1", values![]).await?;
            Ok(())
        })
    }

    /// The number that a statement gives.
    #[cfg(test)]
    pub(super) async fn ask_anything(&self, sql: &str) -> Result<i64, StoreError> {
        transaction!(&self.0.pool, Kind::Read, tx => async { Ok(tx.only(sql, values![]).await?.try_get(0)?) })
    }

    /// Does it still prepare statements?
    #[cfg(test)]
    pub(super) fn prepares(&self) -> bool {
        self.0.server.naming.is_on()
    }

    pub(super) fn lease(&self) -> Duration {
        self.0.lease
    }

    pub(super) fn skew(&self) -> Arc<AtomicI64> {
        Arc::clone(&self.0.skew)
    }

    pub(super) fn due(&self) -> &Notify {
        &self.0.due
    }

    pub(super) fn counters(&self) -> Counters {
        let tally = &self.0.server.tally;
        Counters {
            commits: tally.commits.load(Ordering::Relaxed),
            writes: tally.writes.load(Ordering::Relaxed),
            busy_micros: tally.busy_micros.load(Ordering::Relaxed),
            recompiled: 0,
            waiting: self.0.writer.as_ref().map_or(0, Writer::waiting),
            capacity: writer::QUEUE,
        }
    }

    /// Releases all lanes, too, so that other replicas need not wait for the ends of the leases.
    pub(super) async fn close(&self) -> Result<(), StoreError> {
        if let Some(writer) = &self.0.writer {
            writer.stop().await;
            if let Err(error) = self.release_all().await {
                tracing::debug!(%error, "The lanes were not given back; their leases will end.");
            }
        }
        self.0.people.close(u32::try_from(PEOPLE_READERS).unwrap_or(1)).await;
        self.0.pool.close(CONNECTIONS).await;
        Ok(())
    }

    /// The connections, if this store may write.
    fn writing(&self) -> Result<&Pool, StoreError> {
        if self.0.writer.is_some() { Ok(&self.0.pool) } else { Err(reading_only()) }
    }
}

fn reading_only() -> StoreError {
    StoreError::bug("the store was opened for reading only")
}
