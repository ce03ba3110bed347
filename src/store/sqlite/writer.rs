//! The thread that writes.
//!
//! It owns the only writing connection. A write is a closure; the thread runs every waiting closure, each inside a
//! savepoint, commits once, then answers all of them. So one sync to disk serves all writes that arrived during the
//! previous one (measured: 3.2 times the throughput), a failing closure does not harm its neighbours, and callers need
//! not know.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use tokio::sync::{Semaphore, oneshot};

use super::files::Files;
use super::lock::Lock;
use super::statement::Prepare as _;
use super::{BUSY_WAIT, LOG_BYTES};
use crate::store::StoreError;

/// Writes that may wait for the thread. At 20 µs each the last of them waits 40 ms; a full queue means that the disk
/// has stopped, which a longer one would only hide.
const QUEUE: usize = 2_000;

/// How long a caller waits for a place in a full queue. Grafana does not repeat a refused webhook, so waiting is better
/// than a quick refusal; Alertmanager gives up after 10 s, of which SQLite's own wait takes 2.
const PLACE: Duration = Duration::from_secs(5);

/// Closures in one commit: bounds how long the first of them waits for the others (about 5 ms).
const GROUP: usize = 256;

/// After this long without work the thread moves the log into the main file, so that no request has to.
const IDLE: Duration = Duration::from_millis(200);

/// A group that takes longer than this is logged: everything waits for it.
const SLOW: Duration = Duration::from_millis(500);

/// Runs one closure, or passes on why none runs; returns how to answer its caller, and the error if it failed.
type Job = Box<dyn FnOnce(Result<&Connection, &StoreError>) -> (Reply, Option<StoreError>) + Send>;
/// Answers a caller once its group is committed or rolled back.
type Reply = Box<dyn FnOnce(Result<(), &StoreError>)>;

enum Order {
    Work(Job),
    Stop,
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
        let hands =
            Hands { connection, files, displaced: false, queue, tally: Arc::clone(&tally), broken: None, _lock: lock };
        let thread = std::thread::Builder::new().name("store-writer".to_owned()).spawn(move || hands.run())?;
        Ok(Self {
            orders,
            places: Arc::new(Semaphore::new(QUEUE)),
            tally,
            closed: AtomicBool::new(false),
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Runs `write` in the next group; returns after the commit is on disk. The closure runs even if its caller has
    /// gone by then.
    pub(super) async fn write<T, F>(&self, write: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        let place = tokio::time::timeout(PLACE, Arc::clone(&self.places).acquire_owned())
            .await
            .map_err(|_| StoreError::Busy)?
            .map_err(|_| StoreError::Closed)?;
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
struct Hands {
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

impl Hands {
    fn run(mut self) {
        let mut unmoved = false;
        loop {
            let order = if unmoved {
                self.queue.recv_timeout(IDLE)
            } else {
                self.queue.recv().map_err(|_| RecvTimeoutError::Disconnected)
            };
            match order {
                Ok(Order::Work(job)) => {
                    let begun = Instant::now();
                    let stop = self.group(job);
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
                Err(RecvTimeoutError::Timeout) => {
                    self.rest();
                    unmoved = false;
                }
                Ok(Order::Stop) | Err(RecvTimeoutError::Disconnected) => break,
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

    /// Runs `first` and whatever waits, commits, answers. Returns whether the order to stop was among it.
    fn group(&mut self, first: Job) -> bool {
        let placed = self.files.check(&self.connection);
        self.tell_of(placed.as_ref().err());
        let begun = || placed.and_then(|()| self.execute("BEGIN IMMEDIATE"));
        let mut fault = self.broken.clone().or_else(|| begun().err());
        let mut replies = Vec::new();
        let mut next = Some(first);
        let mut stop = false;
        while let Some(job) = next.take() {
            let (reply, error) = job(fault.as_ref().map_or(Ok(&self.connection), Err));
            replies.push(reply);
            // SQLite undoes the whole transaction on some errors (a full disk among them): then the neighbours'
            // work is gone too, and after an input or output error nothing may be trusted.
            if let Some(error) = error
                && fault.is_none()
                && (error.is_fatal() || self.connection.is_autocommit())
            {
                fault = Some(error);
            }
            if replies.len() < GROUP {
                match self.queue.try_recv() {
                    Ok(Order::Work(job)) => next = Some(job),
                    Ok(Order::Stop) => stop = true,
                    Err(_) => {}
                }
            }
        }
        // What was written to files that went away meanwhile is not stored, whatever SQLite says.
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
            self.tally.writes.fetch_add(replies.len() as u64, Ordering::Relaxed);
        }
        for reply in replies {
            reply(fault.as_ref().map_or(Ok(()), Err));
        }
        stop
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

    /// Moves the log into the main file; one that a burst made long, or a long read, is cut back at once if no reader
    /// needs it, not only with the next write. Not in files that another program changed: what is written there would
    /// hide that.
    fn rest(&mut self) {
        let placed = self.files.check(&self.connection);
        self.tell_of(placed.as_ref().err());
        if placed.is_err() {
            return;
        }
        self.checkpoint("PASSIVE");
        if self.files.note(&self.connection).is_ok() && self.files.log_length() > LOG_BYTES.unsigned_abs() {
            let _ = self.connection.busy_timeout(Duration::ZERO);
            self.checkpoint("TRUNCATE");
            let _ = self.connection.busy_timeout(BUSY_WAIT);
            // A cut that is seen here is told with the next write, or with the next look.
            let _ = self.files.note(&self.connection);
        }
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
    let result = catch_unwind(AssertUnwindSafe(|| write(connection))).unwrap_or_else(|panic| Err(panicked(&*panic)));
    if connection.is_autocommit() {
        return result;
    }
    if result.is_err() {
        connection.held("ROLLBACK TO work")?.execute([])?;
    }
    connection.held("RELEASE work")?.execute([])?;
    result
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
