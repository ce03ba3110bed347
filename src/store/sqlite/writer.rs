//! The thread that writes.
//!
//! It owns the only writing connection. It takes all waiting writes, runs them in one transaction, commits once, then
//! answers their callers: one sync to disk serves all writes that arrived during the previous one (measured: 3.2 times
//! the throughput).
//!
//! A write is an admission or a closure. Each closure runs in a savepoint. The admissions of a group are decided and
//! written together, as long as no closure has run without one; if that fails, each is repeated in a savepoint of its
//! own, so that only the guilty one fails.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::admit::admit_all;
use super::files::Files;
use super::keys;
use super::lock::Lock;
use super::statement::Prepare as _;
use super::statement::RECOMPILED;
use super::{BUSY_WAIT, LOG_BYTES};
use crate::engine::admit::weight;
use crate::store::{Admission, Admitted, Retry, StoreError};

/// Writes that may wait for the thread. At 20 µs each the last of them waits 40 ms; a full queue means that the disk
/// has stopped, which a longer one would only hide.
const QUEUE: usize = 2_000;

/// How long a caller waits for a place in a full queue. Grafana does not repeat a refused webhook, so waiting is better
/// than a quick refusal; Alertmanager gives up after 10 s, of which SQLite's own wait takes 2.
const PLACE: Duration = Duration::from_secs(5);

/// Writes in one commit: bounds how long the first of them waits for the others (about 5 ms).
const GROUP: usize = 256;
/// A group is also full at this many transitions: bounds the memory of its changes. A larger admission is a group of
/// its own.
const TRANSITIONS: usize = 20_000;

/// After this long without work the thread moves the log into the main file, so that no request has to.
const IDLE: Duration = Duration::from_millis(200);

/// A group that takes longer than this is logged: everything waits for it.
const SLOW: Duration = Duration::from_millis(500);

/// Runs one closure, or passes on why none runs; returns how to answer its caller, and the error if it failed.
type Job = Box<dyn FnOnce(Result<&Connection, &StoreError>) -> (Reply, Option<StoreError>) + Send>;
/// Answers a caller once its group is committed or rolled back.
type Reply = Box<dyn FnOnce(Result<(), &StoreError>)>;

enum Order {
    Admit(Box<Admitting>),
    Work(Job),
    Stop,
}

/// An admission that waits for the thread.
struct Admitting {
    admission: Admission,
    reply: oneshot::Sender<Result<Admitted, StoreError>>,
    /// Its place in the queue.
    _place: OwnedSemaphorePermit,
}

/// The writes of one commit.
#[derive(Default)]
struct Group {
    admissions: Vec<Admitting>,
    jobs: Vec<Job>,
    /// Writes taken so far.
    writes: usize,
    /// Transitions that the admissions may make.
    weight: usize,
    /// The order to stop was among them.
    stop: bool,
}

impl Group {
    fn take(&mut self, order: Order) {
        self.writes += 1;
        match order {
            Order::Admit(admitting) => {
                self.weight += weight(&admitting.admission);
                self.admissions.push(*admitting);
            }
            Order::Work(job) => self.jobs.push(job),
            Order::Stop => self.stop = true,
        }
    }

    /// Takes what waits, as far as there is room.
    fn fill(&mut self, queue: &Receiver<Order>) {
        while self.writes < GROUP
            && self.weight < TRANSITIONS
            && let Ok(order) = queue.try_recv()
        {
            self.take(order);
        }
    }
}

/// Counters since the store was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Commits.
    pub commits: u64,
    /// Writes; divided by `commits`, the number that shares one sync.
    pub writes: u64,
    /// Time the writing thread was busy, in microseconds.
    pub busy_micros: u64,
    /// Statements that SQLite compiled again.
    pub recompiled: u64,
    /// Writes waiting now.
    pub waiting: usize,
    /// Capacity of the queue of writes.
    pub capacity: usize,
}

#[derive(Debug, Default)]
struct Tally {
    commits: AtomicU64,
    writes: AtomicU64,
    busy_micros: AtomicU64,
}

/// Handle to the thread.
pub(super) struct Writer {
    orders: Sender<Order>,
    places: Arc<Semaphore>,
    tally: Arc<Tally>,
    closed: AtomicBool,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Starts the thread. It keeps `lock` until the connection is closed, and takes no write while one of `files` is
    /// not in its place.
    pub(super) fn start(connection: Connection, files: Files, lock: Lock) -> std::io::Result<Self> {
        let (orders, queue) = channel();
        let tally = Arc::new(Tally::default());
        let thread = WriterThread {
            connection,
            files,
            displaced: false,
            queue,
            tally: Arc::clone(&tally),
            broken: None,
            _lock: lock,
        };
        let thread = std::thread::Builder::new().name("store-writer".to_owned()).spawn(move || thread.run())?;
        Ok(Self {
            orders,
            places: Arc::new(Semaphore::new(QUEUE)),
            tally,
            closed: AtomicBool::new(false),
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Admits in the next group; returns after the commit is on disk. An admission is written even if its caller's
    /// future was dropped.
    pub(super) async fn admit(&self, admission: Admission) -> Result<Admitted, StoreError> {
        let place = self.place().await?;
        let (reply, answer) = oneshot::channel();
        let admitting = Box::new(Admitting { admission, reply, _place: place });
        self.orders.send(Order::Admit(admitting)).map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// A place in the queue.
    async fn place(&self) -> Result<OwnedSemaphorePermit, StoreError> {
        tokio::time::timeout(PLACE, Arc::clone(&self.places).acquire_owned())
            .await
            .map_err(|_| StoreError::Retry(Retry::Busy))?
            .map_err(|_| StoreError::Closed)
    }

    /// Runs `write` in the next group; returns after the commit is on disk. The closure runs even if its caller's future
    /// was dropped.
    pub(super) async fn write<T, F>(&self, write: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        let place = self.place().await?;
        let (sender, answer) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            drop(place);
            let result = connection.map_err(StoreError::clone).and_then(|connection| isolated(connection, write));
            let fault = result.as_ref().err().cloned();
            let reply: Reply = Box::new(move |committed| {
                // The caller may be gone: its write stands, and a retry finds it.
                let _ = sender.send(result.and_then(|value| committed.map(|()| value).map_err(StoreError::clone)));
            });
            (reply, fault)
        });
        self.orders.send(Order::Work(job)).map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    pub(super) fn counters(&self) -> Counters {
        Counters {
            commits: self.tally.commits.load(Ordering::Relaxed),
            writes: self.tally.writes.load(Ordering::Relaxed),
            busy_micros: self.tally.busy_micros.load(Ordering::Relaxed),
            recompiled: RECOMPILED.load(Ordering::Relaxed),
            waiting: if self.closed.load(Ordering::Relaxed) { 0 } else { QUEUE - self.places.available_permits() },
            capacity: QUEUE,
        }
    }

    /// Takes no more writes, does the waiting ones, closes the connection and ends the thread.
    pub(super) fn stop(&self) {
        self.closed.store(true, Ordering::Relaxed);
        self.places.close();
        // An error means that the thread has ended already.
        let _ = self.orders.send(Order::Stop);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("The writing thread of the store panicked.");
        }
    }
}

/// The state owned by the thread.
struct WriterThread {
    connection: Connection,
    files: Files,
    /// The last check found the files not in their places.
    displaced: bool,
    queue: Receiver<Order>,
    tally: Arc<Tally>,
    /// Set once the state of the file is unknown: from then on every write is refused.
    broken: Option<StoreError>,
    // Last field: released after the connection is closed.
    _lock: Lock,
}

impl WriterThread {
    fn run(mut self) {
        let mut unmoved = false;
        loop {
            let order = if unmoved {
                self.queue.recv_timeout(IDLE)
            } else {
                self.queue.recv().map_err(|_| RecvTimeoutError::Disconnected)
            };
            match order {
                Ok(Order::Stop) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(order) => {
                    let begun = Instant::now();
                    let stop = self.group(order);
                    let took = begun.elapsed();
                    self.tally
                        .busy_micros
                        .fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
                    if took > SLOW {
                        tracing::warn!(duration_ms = took.as_millis(), "A group of writes to the store was slow.");
                    }
                    if stop {
                        break;
                    }
                    unmoved = true;
                }
                Err(RecvTimeoutError::Timeout) => unmoved = self.rest(),
            }
        }
        self.end();
    }

    /// Moves the log into the main file. If the main file is no longer in its place, this process's data is saved
    /// beside it; and a log in the place of ours belongs to another process, so closing must not delete it.
    fn end(&self) {
        let there = self.files.main_is_there();
        if there {
            self.checkpoint("TRUNCATE");
        } else {
            self.rescue();
        }
        if (!there || self.files.check(&self.connection).is_err())
            && let Err(error) = self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
        {
            tracing::warn!(%error, "The log of the store is closed as usual.");
        }
    }

    fn rescue(&self) {
        let path = self.files.rescue();
        match self.connection.execute("VACUUM INTO ?1", [path.to_string_lossy()]) {
            Ok(_) => tracing::warn!(
                path = %path.display(),
                "The database file is gone; what this process still had of it is saved there."
            ),
            Err(error) => tracing::error!(
                %error,
                path = %path.display(),
                "The database file is gone, and what this process still had of it cannot be saved."
            ),
        }
    }

    /// Runs `first` and what waits, commits, answers. Returns whether the order to stop was among it.
    fn group(&mut self, first: Order) -> bool {
        let placed = self.files.check(&self.connection);
        self.tell_of(placed.as_ref().err());
        let begun = || placed.and_then(|()| self.execute("BEGIN IMMEDIATE"));
        let mut fault = self.broken.clone().or_else(|| begun().err());
        let mut group = Group::default();
        group.take(first);
        let (mut admitted, mut replies) = (Vec::new(), Vec::new());
        loop {
            group.fill(&self.queue);
            let jobs = std::mem::take(&mut group.jobs);
            if jobs.is_empty() && admitted.len() == group.admissions.len() {
                break;
            }
            self.admit(&group.admissions, &mut admitted, replies.is_empty(), &mut fault);
            for job in jobs {
                let (reply, error) = job(fault.as_ref().map_or(Ok(&self.connection), Err));
                replies.push(reply);
                self.judge(error, &mut fault);
            }
        }
        if fault.is_none() && !admitted.is_empty() {
            let merged = isolated(&self.connection, keys::merge_some);
            if let Err(error) = &merged {
                tracing::warn!(%error, "The index of alerts was not brought up to date.");
            }
            self.judge(merged.err(), &mut fault);
        }
        // A commit into files that were moved or replaced meanwhile succeeds for SQLite, but no later process finds it.
        let mut committed = || self.execute("COMMIT").and_then(|()| self.files.note(&self.connection));
        let fault = fault.or_else(|| committed().err()).map(|fault| self.explained(fault));
        if let Some(fault) = &fault {
            if !self.connection.is_autocommit() {
                let _ = self.execute("ROLLBACK");
            }
            if fault.is_fatal() && self.broken.is_none() {
                tracing::error!(error = %fault, "The store takes no more writes.");
                self.broken = Some(fault.clone());
            }
        } else {
            self.tally.commits.fetch_add(1, Ordering::Relaxed);
            self.tally.writes.fetch_add((admitted.len() + replies.len()) as u64, Ordering::Relaxed);
        }
        for (admitting, result) in group.admissions.into_iter().zip(admitted) {
            // The caller may be gone: its admission stands, and a retry finds it.
            let _ = admitting.reply.send(fault.as_ref().map_or(result, |fault| Err(fault.clone())));
        }
        for reply in replies {
            reply(fault.as_ref().map_or(Ok(()), Err));
        }
        group.stop
    }

    /// Admits those of `all` that have no result yet. `alone`: nothing but admissions was written in this transaction,
    /// so that it can be rolled back and repeated. After a fault the results have no meaning.
    fn admit(
        &self,
        all: &[Admitting],
        results: &mut Vec<Result<Admitted, StoreError>>,
        alone: bool,
        fault: &mut Option<StoreError>,
    ) {
        let together = if fault.is_some() || results.len() == all.len() {
            Ok(Vec::new())
        } else if alone {
            self.admit_together(&all[results.len()..])
        } else {
            isolated(&self.connection, |_| self.admit_together(&all[results.len()..]))
        };
        match together {
            Ok(admitted) => results.extend(admitted.into_iter().map(Ok)),
            Err(error) if error.is_fatal() || self.connection.is_autocommit() => *fault = Some(error),
            Err(_) if alone => {
                // What was admitted before in this transaction is undone, too, and repeated.
                results.clear();
                *fault = self.execute("ROLLBACK").and_then(|()| self.execute("BEGIN IMMEDIATE")).err();
            }
            Err(_) => {}
        }
        for admitting in &all[results.len()..] {
            let result = match fault {
                Some(fault) => Err(fault.clone()),
                None => isolated(&self.connection, |connection| admit_one(connection, &admitting.admission)),
            };
            self.judge(result.as_ref().err().cloned(), fault);
            results.push(result);
        }
    }

    fn admit_together(&self, admissions: &[Admitting]) -> Result<Vec<Admitted>, StoreError> {
        let group: Vec<&Admission> = admissions.iter().map(|admitting| &admitting.admission).collect();
        caught(|| admit_all(&self.connection, &group))
    }

    /// SQLite undoes the whole transaction on some errors (a full disk among them): then the neighbours' work is gone,
    /// too, and after an input or output error nothing may be trusted.
    fn judge(&self, error: Option<StoreError>, fault: &mut Option<StoreError>) {
        if fault.is_none() {
            *fault = error.filter(|error| error.is_fatal() || self.connection.is_autocommit());
        }
    }

    fn execute(&self, sql: &str) -> Result<(), StoreError> {
        self.connection.held(sql)?.execute([])?;
        Ok(())
    }

    /// The reason of a fault: an unreadable file that another program changed says nothing about the disk.
    fn explained(&self, fault: StoreError) -> StoreError {
        if fault.is_fatal() { self.files.check(&self.connection).err().unwrap_or(fault) } else { fault }
    }

    /// Says once that the files went away, and once that they are back.
    fn tell_of(&mut self, displaced: Option<&StoreError>) {
        match displaced {
            Some(error) if !self.displaced => {
                tracing::error!(%error, "The store takes no writes until its files are back in their places.");
            }
            None if self.displaced => tracing::info!("The files of the store are back in their places."),
            Some(_) | None => {}
        }
        self.displaced = displaced.is_some();
    }

    /// Merges a slice of the index of alerts, then moves the log into the main file; a log that a burst or a long read
    /// made long is cut back at once if no reader needs it, not only with the next write. Does nothing in files that
    /// another program changed: writing there would hide the change. Returns whether more of the index waits.
    fn rest(&mut self) -> bool {
        let placed = self.files.check(&self.connection);
        self.tell_of(placed.as_ref().err());
        if placed.is_err() || self.broken.is_some() {
            return false;
        }
        let more = self.merge().unwrap_or_else(|error| {
            tracing::warn!(%error, "The index of alerts was not brought up to date.");
            false
        });
        self.checkpoint("PASSIVE");
        if self.files.note(&self.connection).is_ok() && self.files.log_length() > LOG_BYTES.unsigned_abs() {
            let _ = self.connection.busy_timeout(Duration::ZERO);
            self.checkpoint("TRUNCATE");
            let _ = self.connection.busy_timeout(BUSY_WAIT);
            // If another process truncated a file, the next check reports it.
            let _ = self.files.note(&self.connection);
        }
        more
    }

    /// A transaction of its own for the index of alerts, if there is something to do.
    fn merge(&self) -> Result<bool, StoreError> {
        if !keys::is_behind(&self.connection)? {
            return Ok(false);
        }
        self.execute("BEGIN IMMEDIATE")?;
        let merged = caught(|| keys::merge(&self.connection, keys::IDLE_SLICE));
        let ended = merged.and_then(|more| self.execute("COMMIT").map(|()| more));
        if !self.connection.is_autocommit() {
            self.execute("ROLLBACK")?;
        }
        ended
    }

    /// Moves the log into the main file as far as readers allow. A failure is no harm: the log is still whole, and
    /// the next commit tries again.
    fn checkpoint(&self, mode: &str) {
        if self.broken.is_none()
            && let Err(error) = self.connection.pragma(None, "wal_checkpoint", mode, |_| Ok(()))
        {
            tracing::warn!(%error, "The log of the store could not be moved into its main file.");
        }
    }
}

/// Runs `write` so that its failure or panic undoes its own work and nothing else.
fn isolated<T>(
    connection: &Connection,
    write: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    connection.held("SAVEPOINT work")?.execute([])?;
    let result = caught(|| write(connection));
    if connection.is_autocommit() {
        return result;
    }
    if result.is_err() {
        connection.held("ROLLBACK TO work")?.execute([])?;
    }
    connection.held("RELEASE work")?.execute([])?;
    result
}

/// A panic becomes an error.
fn caught<T>(work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(panicked(&*panic)))
}

fn admit_one(connection: &Connection, admission: &Admission) -> Result<Admitted, StoreError> {
    let mut admitted = admit_all(connection, &[admission])?;
    admitted.pop().ok_or_else(|| StoreError::bug("an admission has no answer"))
}

fn panicked(panic: &(dyn Any + Send)) -> StoreError {
    let words = panic
        .downcast_ref::<&str>()
        .map(|words| (*words).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    StoreError::bug(format!("panic: {words}"))
}

#[cfg(test)]
mod tests;
