//! Group commit for acts: one commit serves all acts requested during the previous one.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Semaphore, oneshot};

use super::Db;
use super::acts::note;
use super::pool::PLACE;
use super::tx::{Fault, Kind, Tx, transaction};
use crate::alert::Timestamp;
use crate::store::{Acted, NewAct, StoreError};

/// Acts that may wait: as many as admissions.
const QUEUE: usize = super::writer::QUEUE;
/// Acts in one commit: each takes a few round trips while the writers' lock is held.
const GROUP: usize = 100;

type Wish = (NewAct, Timestamp);

struct Job {
    wish: Wish,
    reply: oneshot::Sender<Result<Acted, StoreError>>,
    /// Its place in the queue, freed when the act is taken up.
    _place: tokio::sync::OwnedSemaphorePermit,
}

/// The queue of acts.
pub(super) struct Desk {
    queue: Mutex<VecDeque<Job>>,
    places: Arc<Semaphore>,
    /// Held by the task that does the next group.
    turn: tokio::sync::Mutex<()>,
}

impl Desk {
    pub fn new() -> Self {
        Self { queue: Mutex::default(), places: Arc::new(Semaphore::new(QUEUE)), turn: tokio::sync::Mutex::new(()) }
    }
}

impl Db {
    /// Returns after the commit is on disk. A queued act is done even if its caller has gone.
    pub(in crate::store) async fn act(&self, act: NewAct, now: Timestamp) -> Result<Acted, StoreError> {
        self.writing()?;
        let desk = &self.0.desk;
        let place = tokio::time::timeout(PLACE, Arc::clone(&desk.places).acquire_owned())
            .await
            .map_err(|_| StoreError::Busy)?
            .map_err(|_| StoreError::Closed)?;
        let (reply, answer) = oneshot::channel();
        let job = Job { wish: (act, now), reply, _place: place };
        desk.queue.lock().unwrap_or_else(PoisonError::into_inner).push_back(job);
        let db = self.clone();
        tokio::spawn(async move { db.do_acts().await });
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Does the queued acts, if no other task did them meanwhile.
    async fn do_acts(&self) {
        let _turn = self.0.desk.turn.lock().await;
        let jobs: Vec<Job> = {
            let mut queue = self.0.desk.queue.lock().unwrap_or_else(PoisonError::into_inner);
            let some = queue.len().min(GROUP);
            queue.drain(..some).collect()
        };
        let (wishes, replies): (Vec<Wish>, Vec<_>) = jobs.into_iter().map(|job| (job.wish, job.reply)).unzip();
        if wishes.is_empty() {
            return;
        }
        let pool = &self.0.pool;
        let results = match transaction!(pool, Kind::Ordered, tx => together(&tx, &wishes)) {
            Ok(done) => {
                pool.tally_more(done.len());
                done.into_iter().map(Ok).collect()
            }
            Err(StoreError::Bug { .. }) if wishes.len() > 1 => self.one_by_one(&wishes).await,
            Err(error) => wishes.iter().map(|_| Err(error.clone())).collect::<Vec<_>>(),
        };
        for (reply, result) in replies.into_iter().zip(results) {
            // The caller may be gone: the act stands, and WeCom calls again with the same event.
            let _ = reply.send(result);
        }
    }

    /// One of the acts failed: each is done by itself, so that the others succeed.
    async fn one_by_one(&self, wishes: &[Wish]) -> Vec<Result<Acted, StoreError>> {
        let mut results = Vec::with_capacity(wishes.len());
        for (act, now) in wishes {
            results.push(transaction!(&self.0.pool, Kind::Ordered, tx => note(&tx, act, *now)));
        }
        results
    }
}

async fn together(tx: &Tx, wishes: &[Wish]) -> Result<Vec<Acted>, Fault> {
    let mut done = Vec::with_capacity(wishes.len());
    for (act, now) in wishes {
        done.push(note(tx, act, *now).await?);
    }
    Ok(done)
}
