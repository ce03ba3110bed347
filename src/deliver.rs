//! From the outbox to WeCom: one worker for each lane, with one message in flight.
//!
//! A worker (`worker`, a state machine) looks at the waiting messages of its lane and chooses (`choose`): fold, or send
//! one. The driver here carries out its commands: it renders that message (`letter`), determines its ways and their
//! charges (`way`), claims it in the store, which freezes the bytes and debits the budgets, sends it, and settles it
//! (`settlement`, `attempt`). Lanes share only what is known of the ways (`health`) and the limit on workers, so a
//! waiting lane does not hold up others.

mod again;
mod attempt;
mod audience;
mod breaker;
mod bring;
mod bypass;
mod card;
mod choose;
mod client;
pub mod email;
mod envelope;
mod handover;
mod health;
pub mod hook;
mod letter;
mod members;
#[cfg(test)]
mod model;
mod names;
pub mod other;
mod overdue;
mod owners;
mod page;
mod people;
mod picture;
mod recall;
pub mod retry;
mod scene;
mod settlement;
mod setup;
mod short;
mod stages;
pub mod verbatim;
mod verdict;
mod way;
mod worker;

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, Semaphore, SemaphorePermit};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, trace, warn};

use crate::alert::Timestamp;
use crate::fuse::Fuse;
use crate::incidents::Incidents;
use crate::links::Links;
use crate::live::Live;
use crate::metrics::Metrics;
use crate::names::{LaneKey, Scope};
use crate::room::{Part, Room};
use crate::sockets::Sockets;
use crate::store::{Queued, Store, StoreError};
use crate::time::Clock;
use crate::traces::{Stage, Traces};
use crate::words::Words;
pub use again::{Again, again, is_resend};
pub use bypass::Bypass;
pub use card::{interactive as can_be_pressed, offer};
pub use client::{client, network};
pub use envelope::Envelope;
use health::Health;
pub use hook::Hooks;
pub use letter::{Occasion, Writer};
pub use members::{Member, Members, has_one_corp};
pub use names::Names;
pub use owners::called_by_the_book;
pub use page::{Line, Page, contents};
pub use recall::{can_be_recalled, recall, recallable};
pub use scene::patience;
pub use setup::Setup;
pub use short::short_links_as_shown;
pub use way::{addressed, app, budgets_of, called, knows, scopes, stands_on};
use worker::{Command, Event, Moment, Worker};

/// Lanes that send concurrently. Each holds a connection to WeCom, which bars callers with too many (45033).
const WORKERS: usize = 16;
/// Between two looks at the outbox: in a storm every notification wakes us, and one look sees all of them.
const BREATH: Duration = Duration::from_millis(5);
/// The store is polled this often even without a wake-up, because a wake-up can get lost.
const POLL: Duration = Duration::from_secs(1);
/// Pause of a lane after a failure of the store itself.
const STORE_PAUSE: Duration = Duration::from_secs(2);
/// Pause of a lane after another process or task changed its message.
const LOST_PAUSE: Duration = Duration::from_millis(50);

/// What delivery works with. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Deliver {
    /// What the configuration gives it.
    pub setup: Live<Setup>,
    /// The outbox.
    pub store: Store,
    /// Now.
    pub clock: Clock,
    /// The memory that messages share.
    pub room: Arc<Room>,
    /// The key of links.
    pub links: Links,
    /// The bots' sockets held by this process.
    pub sockets: Arc<Sockets>,
    /// Names of people.
    pub names: Arc<Names>,
    /// The people whom targets reach.
    pub members: Arc<Members>,
    /// What wegraf tells of itself.
    pub incidents: Arc<Incidents>,
    /// What this process counts.
    pub metrics: Arc<Metrics>,
    /// What failures of the store are reported to.
    pub fuse: Fuse,
    /// Where its stages are traced.
    pub traces: Traces,
    /// How often delivery looked at its lanes: it looks each second at least.
    pub looked: Arc<AtomicU64>,
}

impl Deliver {
    /// How often delivery looked at its lanes so far.
    pub fn looks(&self) -> u64 {
        self.looked.load(Ordering::Relaxed)
    }
}

/// Delivers what is due until told to stop; returns when nothing is in flight any more.
pub async fn run(deliver: Deliver, writer: Writer, stop: CancellationToken) {
    let hooks = match Hooks::new() {
        Ok(hooks) => hooks,
        Err(error) => return error!(%error, "The client for hooks cannot be set up; nothing is sent."),
    };
    let lanes = Arc::new(Lanes {
        deliver,
        writer,
        busy: Mutex::default(),
        health: Mutex::default(),
        hooks,
        places: Semaphore::new(WORKERS),
        freed: Notify::new(),
        stop,
    });
    let workers = TaskTracker::new();
    let mut overdue_looked_at = Timestamp(0);
    while !lanes.stop.is_cancelled() {
        let looked = tokio::time::Instant::now();
        let pause = lanes.start_workers(&workers).await;
        lanes.deliver.looked.fetch_add(1, Ordering::Relaxed);
        lanes.tell_overdue(&mut overdue_looked_at, lanes.deliver.clock.now()).await;
        let woken = async {
            tokio::select! {
                () = lanes.deliver.store.woken() => {}
                () = lanes.deliver.sockets.alive() => {}
                () = lanes.freed.notified() => {}
            }
        };
        tokio::select! {
            () = woken => tokio::time::sleep_until(looked + BREATH).await,
            () = tokio::time::sleep(pause) => {}
            () = lanes.stop.cancelled() => {}
        }
    }
    workers.close();
    workers.wait().await;
}

/// What the workers share.
struct Lanes {
    deliver: Deliver,
    writer: Writer,
    /// Lanes with a worker. Not tokio's mutex: nothing is awaited while it is held.
    busy: Mutex<HashSet<LaneKey>>,
    /// What is known of the ways and of the lanes' pace.
    health: Mutex<Health>,
    /// The client for all hooks.
    hooks: Hooks,
    places: Semaphore,
    /// Notified when a lane has no worker any more, or may go on.
    freed: Notify,
    stop: CancellationToken,
}

/// Drop guard: frees the lane when its worker ends, also on panic.
struct Occupied {
    lanes: Arc<Lanes>,
    lane: LaneKey,
}

impl Drop for Occupied {
    fn drop(&mut self) {
        locked(&self.lanes.busy).remove(&self.lane);
        // A message that arrived after the worker's last look has no worker yet. After a panic the next poll is soon
        // enough: the same message would only panic again at once.
        if !std::thread::panicking() {
            self.lanes.freed.notify_one();
        }
    }
}

impl Lanes {
    /// Starts a worker for every lane that is due and has none. Returns how long to wait without a wake-up.
    async fn start_workers(self: &Arc<Self>, workers: &TaskTracker) -> Duration {
        for scope in self.deliver.sockets.mended() {
            info!(%scope, "The way works again.");
            self.resume(&scope);
        }
        let now = self.deliver.clock.now();
        let heads = match self.deliver.store.lanes(now).await {
            Ok(heads) => heads,
            Err(error) => {
                warn!(%error, "The outbox cannot be read; it is tried again.");
                return STORE_PAUSE;
            }
        };
        let mut pause = POLL;
        locked(&self.health).keep_only(&heads);
        for head in heads.into_iter().filter(|head| self.can_send(&head.lane)) {
            let due_at = locked(&self.health).rhythm(&head.lane).due(&head, now);
            if due_at > now {
                let wait = u64::try_from(due_at.millis_since(now)).unwrap_or_default();
                pause = pause.min(Duration::from_millis(wait));
            } else if locked(&self.busy).insert(head.lane.clone()) {
                let occupied = Occupied { lanes: self.clone(), lane: head.lane };
                workers.spawn(async move { occupied.lanes.work(&occupied.lane, head.sending).await });
            }
        }
        pause
    }

    /// A bot's lane is sent by the replica that holds the bot's socket.
    fn can_send(&self, lane: &LaneKey) -> bool {
        lane.bot().is_none_or(|bot| self.deliver.sockets.live(&bot).is_some())
    }

    /// Sends what is due in `lane`, one message after the other: carries out what its worker commands.
    async fn work(&self, lane: &LaneKey, abandoned: bool) {
        let mut worker = Worker::new(lane.clone());
        let mut drive = Drive { lane, place: None, asked: Instant::now() };
        let mut event = Event::Started { abandoned };
        loop {
            let at = Moment { now: self.deliver.clock.now(), dice: rand::random() };
            let command = worker.on(&mut locked(&self.health), event, at);
            if let Command::End(until) = command {
                return trace!(%lane, ?until, "A lane rests.");
            }
            event = match self.traced(&mut drive, &worker, command).await {
                Ok(event) => event,
                Err(StoreError::Lost { .. }) => Event::Lost,
                Err(error) => {
                    self.deliver.fuse.failed(&error);
                    error!(%error, %lane, "A lane paused because the store failed; it is tried again.");
                    tokio::time::sleep(STORE_PAUSE).await;
                    Event::Stopped
                }
            };
        }
    }

    /// Carries out a command, and traces it if it is a stage of a message's way.
    async fn traced<'a>(
        &'a self,
        drive: &mut Drive<'a>,
        worker: &Worker,
        command: Command,
    ) -> Result<Event, StoreError> {
        let stage = match command {
            Command::Write { .. } => Stage::Write,
            Command::Claim(_) => Stage::Claim,
            Command::Send => Stage::Send,
            Command::Settle(_) => Stage::Settle,
            _ => return self.carry_out(drive, worker, command).await,
        };
        let now = self.deliver.clock.now();
        let begun = self.deliver.traces.begin(stage, now, now);
        let event = self.carry_out(drive, worker, command).await;
        if let Some(begun) = begun
            && let Some((of, told)) = stages::told(worker, &event)
        {
            self.deliver.traces.end(begun, of, told);
        }
        event
    }

    async fn carry_out<'a>(
        &'a self,
        drive: &mut Drive<'a>,
        worker: &Worker,
        command: Command,
    ) -> Result<Event, StoreError> {
        let (store, now) = (&self.deliver.store, self.deliver.clock.now());
        Ok(match command {
            Command::Look => {
                drive.place = None;
                if self.stop.is_cancelled() {
                    return Ok(Event::Stopped);
                }
                drive.place = self.places.acquire().await.ok();
                Event::Looked(store.waiting(drive.lane, self.deliver.clock.now()).await?)
            }
            Command::Lease => Event::Leased(store.acquire(drive.lane).await?),
            Command::Fold { lease, keep } => {
                let folded = store.fold(&lease, keep, now).await?;
                if let Some(folded) = &folded {
                    self.deliver.metrics.folded.inc_by(folded.messages);
                    self.left_out(folded.digest, crate::engine::picture::FOLDED, folded.pictures);
                    let (messages, digest) = (folded.messages, folded.digest);
                    info!(lane = %drive.lane, messages, digest, "A lane is behind; messages were folded.");
                }
                Event::Folded(folded)
            }
            Command::Write { message, form } => Event::Written(self.write(message, form).await?),
            Command::Postpone { message, epoch, until, reason } => {
                // A fault of the configuration: an app, a webhook or a list of people is missing.
                error!(lane = %drive.lane, delivery = message, reason = %Words::of_record(&reason).en, "A message waits for a repair of the configuration.");
                store.postpone(message, epoch, until, &reason).await?;
                Event::Postponed
            }
            Command::LeaveOut(request) => {
                self.leave_out(request, now).await?;
                Event::LeftOut
            }
            Command::Claim(claim) => {
                drive.asked = Instant::now();
                Event::Claimed(store.claim(*claim, now).await?)
            }
            Command::Send => self.send(worker.flight().expect("it is what is sent"), drive.asked).await,
            Command::Settle(settlement) => {
                let state = self.record_outcome(*settlement, now).await?;
                self.tell_of(worker.attempt().expect("it is what is settled"), state, now);
                Event::Settled
            }
            Command::Pause => {
                drive.place = None;
                tokio::time::sleep(LOST_PAUSE).await;
                Event::Done
            }
            Command::Release(lease) => {
                drive.place = None;
                if let Err(error) = store.release(&lease).await {
                    warn!(%error, lane = %drive.lane, "A lane could not be given back; its lease ends by itself.");
                }
                Event::Done
            }
            Command::End(_) => Event::Done,
        })
    }

    /// A message with all that is needed to send it, and the share of the memory budget that rendering it takes, if it
    /// is large.
    async fn load(&self, message: i64) -> Result<Option<(Queued, Option<Part>)>, StoreError> {
        let Some(queued) = self.deliver.store.queued(message).await? else { return Ok(None) };
        let weight = page::weight(&queued.notification, queued.transitions.len());
        if Room::is_small(weight) {
            return Ok(Some((queued, None)));
        }
        // The loaded message must be freed while this waits for memory.
        drop(queued);
        let part = self.deliver.room.granted(weight).await;
        Ok(self.deliver.store.queued(message).await?.map(|queued| (queued, Some(part))))
    }

    /// A breaker closed: lanes that wait for it may continue.
    fn resume(&self, scope: &Scope) {
        locked(&self.health).resume(scope);
        self.freed.notify_one();
    }
}

/// What a worker's driver holds between its commands.
struct Drive<'a> {
    lane: &'a LaneKey,
    /// One of [`WORKERS`].
    place: Option<SemaphorePermit<'a>>,
    /// When the last claim was asked for: the lease counts from before that.
    asked: Instant,
}

/// Takes a lock. A panic cannot leave the data half changed.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_asked_again_when_the_clock_was_set_back() {
        let now = Timestamp(1_700_000_000_000);
        let open = crate::store::Breaker {
            scope: Scope::stored("host/h"),
            reason: crate::store::OUTAGE.to_owned(),
            errcode: None,
            error: String::new(),
            opened_at: now,
            probe_at: now.plus_millis(5_000),
            failures: 1,
        };
        assert!(!open.host_may_be_asked(now));
        assert!(open.host_may_be_asked(now.plus_millis(5_000)));
        assert!(open.host_may_be_asked(now.plus_millis(-3_600_000)));
    }
}
