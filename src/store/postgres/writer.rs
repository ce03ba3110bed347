//! The one task that admits.
//!
//! It takes every admission that waits and writes all of them in one transaction, then answers them: one commit
//! serves whoever came during the previous one, and a group costs about what one admission costs.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;

use super::admit;
use super::pool::{PLACE, Pool};
use super::tx::{Kind, transaction};
use crate::store::{Admission, Admitted, StoreError};

/// Admissions that may wait. A queue that is full means that the server has stopped, and a longer one would only hide
/// it.
pub(super) const QUEUE: usize = 2_000;
/// Admissions in one commit: bounds how long the first of them waits for the others.
const GROUP: usize = 256;
/// A group is full as well when it holds so many alerts: one statement must not take all the time it is allowed.
const ALERTS: usize = 20_000;
/// A group that takes longer than this is worth a line in the log: everything waits for it.
const SLOW: Duration = Duration::from_millis(500);

struct Job {
    admission: Admission,
    reply: oneshot::Sender<Result<Admitted, StoreError>>,
    /// Its place in the queue, free when it is being written.
    _place: tokio::sync::OwnedSemaphorePermit,
}

/// The way to the task.
pub(super) struct Writer {
    jobs: Mutex<Option<mpsc::UnboundedSender<Job>>>,
    places: Arc<Semaphore>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Starts the task. `pool` is for it alone.
    pub fn start(pool: Pool) -> Self {
        let (jobs, queue) = mpsc::unbounded_channel();
        let task = tokio::spawn(run(pool, queue));
        Self { jobs: Mutex::new(Some(jobs)), places: Arc::new(Semaphore::new(QUEUE)), task: Mutex::new(Some(task)) }
    }

    /// Admits in the next group; returns after the commit is on disk. What was queued is written also when the caller
    /// has gone away.
    pub async fn admit(&self, admission: Admission) -> Result<Admitted, StoreError> {
        let place = tokio::time::timeout(PLACE, Arc::clone(&self.places).acquire_owned())
            .await
            .map_err(|_| StoreError::Busy)?
            .map_err(|_| StoreError::Closed)?;
        let (reply, answer) = oneshot::channel();
        let job = Job { admission, reply, _place: place };
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner).clone();
        jobs.ok_or(StoreError::Closed)?.send(job).map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Admissions that wait now.
    pub fn waiting(&self) -> usize {
        if self.places.is_closed() { 0 } else { QUEUE - self.places.available_permits() }
    }

    /// Takes no more, writes what waits and ends the task.
    pub async fn stop(&self) {
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

async fn run(pool: Pool, mut queue: mpsc::UnboundedReceiver<Job>) {
    let mut next = None;
    loop {
        let first = match next.take() {
            Some(job) => Some(job),
            None => queue.recv().await,
        };
        let Some(first) = first else { break };
        let mut alerts = size(&first);
        let mut jobs = vec![first];
        while jobs.len() < GROUP
            && let Ok(job) = queue.try_recv()
        {
            alerts += size(&job);
            if alerts > ALERTS {
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

/// Transitions that a job may make.
fn size(job: &Job) -> usize {
    job.admission.deliveries.iter().map(|recipient| recipient.alerts.len() * recipient.targets.len().max(1)).sum()
}

/// Writes the jobs together and answers them. If that fails because of one of them, each is written by itself.
async fn group(pool: &Pool, jobs: Vec<Job>) {
    let (admissions, replies): (Vec<_>, Vec<_>) = jobs.into_iter().map(|job| (job.admission, job.reply)).unzip();
    let together = transaction!(pool, Kind::Ordered, tx => admit::admit(&tx, &admissions));
    let results: Vec<Result<Admitted, StoreError>> = match together {
        Ok(admitted) => {
            pool.tally_more(admitted.len());
            admitted.into_iter().map(Ok).collect()
        }
        Err(StoreError::Bug { .. }) if admissions.len() > 1 => one_by_one(pool, &admissions).await,
        Err(error) => admissions.iter().map(|_| Err(error.clone())).collect(),
    };
    for (reply, result) in replies.into_iter().zip(results) {
        // The caller may have gone away: its write stands, and a retry finds it.
        let _ = reply.send(result);
    }
}

async fn one_by_one(pool: &Pool, admissions: &[Admission]) -> Vec<Result<Admitted, StoreError>> {
    let mut results = Vec::with_capacity(admissions.len());
    for admission in admissions {
        let alone = std::slice::from_ref(admission);
        let result = transaction!(pool, Kind::Ordered, tx => admit::admit(&tx, alone));
        results.push(result.and_then(|mut admitted| admitted.pop().ok_or_else(|| StoreError::bug("no answer"))));
    }
    results
}
