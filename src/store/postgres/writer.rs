//! The task that admits.
//!
//! It takes all waiting admissions, writes them in one transaction, then answers them: one commit serves all that
//! arrived during the previous one, and a group costs about as much as one admission.
//!
//! An admission that could not be written in time is refused, for its sender has timed out: it may have sent this
//! notification, and later ones, to another replica.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;

use super::acts::act_all;
use super::admit::admit_all;
use super::pool::{PLACE, Pool};
use super::tx::{Fault, Kind, Tx, transaction};
use super::waking::{LOOK, PATIENCE, Waking};
use crate::alert::Timestamp;
use crate::engine::admit::weight;
use crate::store::{Acted, Admission, Admitted, NewAct, Retry, StoreError};

/// Orders that may wait. A full queue means that the server has stopped, which a longer one would only hide.
pub(super) const QUEUE: usize = 2_000;
/// Orders in one commit: bounds how long the first of them waits.
const GROUP: usize = 256;
/// A group is also full at this many transitions: one statement must stay below its time limit.
const TRANSITIONS: usize = 20_000;
/// A group that takes longer than this is logged: everything waits for it.
const SLOW: Duration = Duration::from_millis(500);

/// What one caller asks for, and where it waits for the answer.
enum Order {
    Admit { admission: Admission, asked: Instant, reply: Reply<Admitted> },
    Act { act: NewAct, now: Timestamp, reply: Reply<Acted> },
}

type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

struct Job {
    order: Order,
    /// Its place in the queue, freed when it is taken up.
    _place: OwnedSemaphorePermit,
}

impl Job {
    /// Transitions that it may make.
    fn weight(&self) -> usize {
        match &self.order {
            Order::Admit { admission, .. } => weight(admission),
            Order::Act { .. } => 1,
        }
    }
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
            return Err(StoreError::Retry(Retry::Busy));
        }
        self.order(|reply| Order::Admit { admission, asked, reply }).await
    }

    /// Does an act in the next group; returns after the commit is on disk. A queued act is done even if its caller has
    /// gone.
    pub async fn act(&self, act: NewAct, now: Timestamp) -> Result<Acted, StoreError> {
        self.order(|reply| Order::Act { act, now, reply }).await
    }

    async fn order<T>(&self, order: impl FnOnce(Reply<T>) -> Order) -> Result<T, StoreError> {
        let place = tokio::time::timeout(PLACE, Arc::clone(&self.places).acquire_owned())
            .await
            .map_err(|_| StoreError::Retry(Retry::Busy))?
            .map_err(|_| StoreError::Closed)?;
        let (reply, answer) = oneshot::channel();
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let job = Job { order: order(reply), _place: place };
        jobs.ok_or(StoreError::Closed)?.send(job).map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Number of waiting orders.
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
        let mut transitions = first.weight();
        let mut jobs = vec![first];
        while jobs.len() < GROUP
            && let Ok(job) = queue.try_recv()
        {
            transitions += job.weight();
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
    let (mut group, mut admitting, mut acting) = (Group::default(), Vec::new(), Vec::new());
    for job in jobs {
        match job.order {
            Order::Admit { admission, asked, reply } => {
                group.admissions.push((admission, asked));
                admitting.push(reply);
            }
            Order::Act { act, now, reply } => {
                group.acts.push((act, now));
                acting.push(reply);
            }
        }
    }
    let (admitted, acted) = group.write(pool).await;
    // The callers may be gone: a write stands, and a retry finds it.
    for (reply, result) in admitting.into_iter().zip(admitted) {
        let _ = reply.send(result);
    }
    for (reply, result) in acting.into_iter().zip(acted) {
        let _ = reply.send(result);
    }
}

/// The orders of one commit. The acts follow the admissions.
#[derive(Default)]
struct Group {
    admissions: Vec<(Admission, Instant)>,
    acts: Vec<(NewAct, Timestamp)>,
}

/// The answers to the orders of a group, in their order.
type Answers = (Vec<Result<Admitted, StoreError>>, Vec<Result<Acted, StoreError>>);

impl Group {
    async fn write(&self, pool: &Pool) -> Answers {
        match transaction!(pool, Kind::Ordered, tx => together(&tx, &self.admissions, &self.acts)) {
            Ok((admitted, acted)) => {
                pool.tally_more(admitted.iter().filter(|result| result.is_ok()).count() + acted.len());
                (admitted, acted.into_iter().map(Ok).collect())
            }
            Err(StoreError::Bug { .. }) if self.admissions.len() + self.acts.len() > 1 => self.one_by_one(pool).await,
            Err(error) => (
                self.admissions.iter().map(|_| Err(error.clone())).collect(),
                self.acts.iter().map(|_| Err(error.clone())).collect(),
            ),
        }
    }

    async fn one_by_one(&self, pool: &Pool) -> Answers {
        let mut admitted = Vec::with_capacity(self.admissions.len());
        for admission in &self.admissions {
            let alone = std::slice::from_ref(admission);
            let result = transaction!(pool, Kind::Ordered, tx => together(&tx, alone, &[]));
            admitted.push(result.and_then(|(mut results, _)| results.pop().unwrap_or_else(|| Err(no_answer()))));
        }
        let mut acted = Vec::with_capacity(self.acts.len());
        for act in &self.acts {
            let alone = std::slice::from_ref(act);
            let result = transaction!(pool, Kind::Ordered, tx => together(&tx, &[], alone));
            acted.push(result.and_then(|(_, mut results)| results.pop().ok_or_else(no_answer)));
        }
        (admitted, acted)
    }
}

/// Admits what is still in time, because waiting for the writers' lock or for the server may have taken long; then does
/// the acts.
async fn together(
    tx: &Tx,
    admissions: &[(Admission, Instant)],
    acts: &[(NewAct, Timestamp)],
) -> Result<(Vec<Result<Admitted, StoreError>>, Vec<Acted>), Fault> {
    let now = Instant::now();
    let is_late = |asked: &Instant| now.saturating_duration_since(*asked) > PATIENCE;
    let timely: Vec<&Admission> =
        admissions.iter().filter(|(_, asked)| !is_late(asked)).map(|(admission, _)| admission).collect();
    let (admitted, wrote) = admit_all(tx, &timely).await?;
    let acts: Vec<(&NewAct, Timestamp)> = acts.iter().map(|(act, now)| (act, *now)).collect();
    let acted = act_all(tx, &acts).await?;
    if !wrote && acts.is_empty() {
        tx.undo();
    }
    let mut admitted = admitted.into_iter();
    let result = |(_, asked): &(Admission, Instant)| {
        if is_late(asked) { Err(StoreError::Retry(Retry::Busy)) } else { admitted.next().ok_or_else(no_answer) }
    };
    Ok((admissions.iter().map(result).collect(), acted))
}

fn no_answer() -> StoreError {
    StoreError::bug("no answer")
}
