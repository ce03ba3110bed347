//! Acts are done together: one commit serves whoever pressed a button during the previous one.

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
/// Acts in one commit: each costs a few round trips, and the writers' lock is held for all of them.
const GROUP: usize = 100;

type Wish = (NewAct, Timestamp);

struct Job {
    wish: Wish,
    reply: oneshot::Sender<Result<Acted, StoreError>>,
    /// Its place in the queue, free when it is being done.
    _place: tokio::sync::OwnedSemaphorePermit,
}

/// Where acts wait.
pub(super) struct Desk {
    queue: Mutex<VecDeque<Job>>,
    places: Arc<Semaphore>,
    /// Whoever does the next ones.
    turn: tokio::sync::Mutex<()>,
}

impl Desk {
    pub fn new() -> Self {
        Self { queue: Mutex::default(), places: Arc::new(Semaphore::new(QUEUE)), turn: tokio::sync::Mutex::new(()) }
    }
}

impl Db {
    /// Returns after the commit is on disk. What was queued is done also when the caller has gone away.
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

    /// Does what waits, if nobody else did it meanwhile.
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
            // The caller may have gone away: what was done stands, and WeCom calls again with the same event.
            let _ = reply.send(result);
        }
    }

    /// One of them cannot be done: the others are not to suffer from it.
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
