//! The task that admits.
//!
//! It takes all waiting admissions, writes them in one transaction, then answers them: one commit serves all that
//! arrived during the previous one, and a group costs about as much as one admission.
//!
//! An admission that could not be written in time is refused, for its sender has timed out: it may have sent this
//! notification, and later ones, to another replica.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;

use super::admit::admit_all;
use super::pool::{PLACE, Pool};
use super::tx::{Fault, Kind, Tx, transaction};
use super::waking::{LOOK, PATIENCE, Waking};
use crate::engine::admit::weight;
use crate::store::{Admission, Admitted, StoreError};

/// Admissions that may wait. A full queue means that the server has stopped, which a longer one would only hide.
pub(super) const QUEUE: usize = 2_000;
/// Admissions in one commit: bounds how long the first of them waits.
const GROUP: usize = 256;
/// A group is also full at this many transitions: one statement must stay below its time limit.
const TRANSITIONS: usize = 20_000;
/// A group that takes longer than this is logged: everything waits for it.
const SLOW: Duration = Duration::from_millis(500);

struct Job {
    admission: Admission,
    asked: Instant,
    reply: oneshot::Sender<Result<Admitted, StoreError>>,
    /// Its place in the queue, freed when it is taken up.
    _place: tokio::sync::OwnedSemaphorePermit,
}

/// Handle to the task.
pub(super) struct Writer {
    jobs: Mutex<Option<mpsc::UnboundedSender<Job>>>,
    places: Arc<Semaphore>,
    task: Mutex<Option<JoinHandle<()>>>,
    waking: Arc<Mutex<Waking>>,
    watch: JoinHandle<()>,
}

impl Writer {
    /// Starts the task, which uses `pool` alone.
    pub fn start(pool: Pool) -> Self {
        let (jobs, queue) = mpsc::unbounded_channel();
        let task = tokio::spawn(run(pool, queue));
        let waking = Arc::new(Mutex::new(Waking::new(Instant::now())));
        let watch = tokio::spawn(watch(waking.clone()));
        let (jobs, places, task) = (Mutex::new(Some(jobs)), Arc::new(Semaphore::new(QUEUE)), Mutex::new(Some(task)));
        Self { jobs, places, task, waking, watch }
    }

    /// Admits in the next group what was requested at `asked`; returns after the commit is on disk. A queued admission
    /// is written even if its caller has gone, unless that took longer than senders wait.
    pub async fn admit(&self, admission: Admission, asked: Instant) -> Result<Admitted, StoreError> {
        if !is_awake(&self.waking) {
            tracing::warn!("This process was stopped for a while: what it reads now may be old, and is refused.");
            return Err(StoreError::Busy);
        }
        let place = tokio::time::timeout(PLACE, Arc::clone(&self.places).acquire_owned())
            .await
            .map_err(|_| StoreError::Busy)?
            .map_err(|_| StoreError::Closed)?;
        let (reply, answer) = oneshot::channel();
        let job = Job { admission, asked, reply, _place: place };
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner).clone();
        jobs.ok_or(StoreError::Closed)?.send(job).map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Number of waiting admissions.
    pub fn waiting(&self) -> usize {
        if self.places.is_closed() { 0 } else { QUEUE - self.places.available_permits() }
    }

    /// Takes no more, writes the waiting ones and ends the task.
    pub async fn stop(&self) {
        self.watch.abort();
        self.places.close();
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take();
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task
            && task.await.is_err()
        {
            tracing::error!("The writing task of the store panicked.");
        }
    }
}

/// Detects a pause even without requests.
async fn watch(waking: Arc<Mutex<Waking>>) {
    loop {
        is_awake(&waking);
        tokio::time::sleep(LOOK).await;
    }
}

fn is_awake(waking: &Mutex<Waking>) -> bool {
    waking.lock().unwrap_or_else(PoisonError::into_inner).is_awake(Instant::now())
}

async fn run(pool: Pool, mut queue: mpsc::UnboundedReceiver<Job>) {
    let mut next = None;
    loop {
        let first = match next.take() {
            Some(job) => Some(job),
            None => queue.recv().await,
        };
        let Some(first) = first else { break };
        let mut transitions = weight(&first.admission);
        let mut jobs = vec![first];
        while jobs.len() < GROUP
            && let Ok(job) = queue.try_recv()
        {
            transitions += weight(&job.admission);
            if transitions > TRANSITIONS {
                next = Some(job);
                break;
            }
            jobs.push(job);
        }
        let begun = Instant::now();
        group(&pool, jobs).await;
        let took = begun.elapsed();
        if took > SLOW {
            tracing::warn!(duration_ms = took.as_millis(), "A group of writes to the store was slow.");
        }
    }
    pool.close(1).await;
}

/// Writes the jobs together and answers them. If one of them fails, each is written by itself.
async fn group(pool: &Pool, jobs: Vec<Job>) {
    let (wishes, replies): (Vec<_>, Vec<_>) =
        jobs.into_iter().map(|job| ((job.admission, job.asked), job.reply)).unzip();
    let together = transaction!(pool, Kind::Ordered, tx => timely(&tx, &wishes));
    let results: Vec<Result<Admitted, StoreError>> = match together {
        Ok(results) => {
            pool.tally_more(results.iter().filter(|result| result.is_ok()).count());
            results
        }
        Err(StoreError::Bug { .. }) if wishes.len() > 1 => one_by_one(pool, &wishes).await,
        Err(error) => wishes.iter().map(|_| Err(error.clone())).collect(),
    };
    for (reply, result) in replies.into_iter().zip(results) {
        // The caller may be gone: its write stands, and a retry finds it.
        let _ = reply.send(result);
    }
}

type Wish = (Admission, Instant);

async fn one_by_one(pool: &Pool, wishes: &[Wish]) -> Vec<Result<Admitted, StoreError>> {
    let mut results = Vec::with_capacity(wishes.len());
    for wish in wishes {
        let alone = std::slice::from_ref(wish);
        let result = transaction!(pool, Kind::Ordered, tx => timely(&tx, alone));
        results.push(result.and_then(|mut results| results.pop().unwrap_or_else(|| Err(no_answer()))));
    }
    results
}

/// Admits what is still in time: waiting for the writers' lock or for the server may have taken long.
async fn timely(tx: &Tx, wishes: &[Wish]) -> Result<Vec<Result<Admitted, StoreError>>, Fault> {
    let now = Instant::now();
    let is_late = |asked: &Instant| now.saturating_duration_since(*asked) > PATIENCE;
    let timely: Vec<&Admission> =
        wishes.iter().filter(|(_, asked)| !is_late(asked)).map(|(admission, _)| admission).collect();
    let mut admitted = admit_all(tx, &timely).await?.into_iter();
    let result = |(_, asked): &Wish| {
        if is_late(asked) { Err(StoreError::Busy) } else { admitted.next().ok_or_else(no_answer) }
    };
    Ok(wishes.iter().map(result).collect())
}

fn no_answer() -> StoreError {
    StoreError::bug("no answer")
}
