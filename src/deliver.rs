//! From the outbox to WeCom: one worker for each lane, with one message in flight.
//!
//! A worker looks at the waiting messages of its lane and chooses (`choose`): fold, or send one. It renders that
//! message (`letter`), determines its ways and their charges (`way`), claims it in the store, which freezes the bytes
//! and debits the budgets, sends it, and settles it (`attempt`). Lanes share only the ways' breakers and the limit on
//! workers, so a waiting lane does not hold up others.

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
mod setup;
pub mod verbatim;
mod verdict;
mod way;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use crate::alert::Timestamp;
use crate::fuse::Fuse;
use crate::incidents::Incidents;
use crate::links::Links;
use crate::live::Live;
use crate::metrics::Metrics;
use crate::names::{LaneKey, Scope};
use crate::room::{Part, Room};
use crate::sockets::Sockets;
use crate::store::{LaneHead, Lease, Queued, Store, StoreError, WaitingMessage};
use crate::time::Clock;
pub use again::{Again, again, is_resend};
use attempt::Tried;
pub use bypass::Bypass;
pub use card::offer;
use choose::{Pace, Step};
pub use client::{client, network};
pub use email::Mailer;
pub use envelope::Envelope;
pub use hook::Hooks;
pub use letter::{Form, Occasion, Prepared, Writer};
pub use members::{Member, Members, has_one_corp};
pub use names::Names;
pub use owners::called_by_the_book;
pub use page::{Line, Page, contents};
pub use recall::{NotRecalled, Recallable, recall, recallable};
pub use setup::Setup;
pub use way::{Way, addressed, app, called, knows, scopes, stands_on};

/// Lanes that send concurrently. Each holds a connection to WeCom, which bars callers with too many (45033).
const WORKERS: usize = 16;
/// Between two looks at the outbox: in a storm every notification wakes us, and one look sees all of them.
const BREATH: Duration = Duration::from_millis(5);
/// The store is polled this often even without a wake-up, because a wake-up can get lost.
const POLL: Duration = Duration::from_secs(1);
/// A lane that must wait (for its budget, a breaker, a retry) is still looked at this often: what arrives meanwhile may
/// be critical, or must be folded.
const GLANCE_MS: i64 = 250;
/// Simpler forms that are tried for a rejected message, at most.
const SIMPLER: usize = 2;
/// Lanes without messages whose rhythm is remembered. Clients of the WeCom API choose lanes freely, so it needs a
/// bound.
const RHYTHMS: usize = 10_000;
/// After a failure of the store itself.
const STORE_PAUSE: Duration = Duration::from_secs(2);
/// After another process moved a message.
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
        rhythms: Mutex::default(),
        silent: Mutex::default(),
        hooks,
        failures: Mutex::default(),
        places: Semaphore::new(WORKERS),
        freed: Notify::new(),
        stop,
    });
    let workers = TaskTracker::new();
    let mut overdue_looked_at = Timestamp(0);
    while !lanes.stop.is_cancelled() {
        let looked = tokio::time::Instant::now();
        let pause = lanes.start_workers(&workers).await;
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

/// State shared by the workers.
struct Lanes {
    deliver: Deliver,
    writer: Writer,
    /// Lanes with a worker. Not tokio's mutex: nothing is awaited while it is held.
    busy: Mutex<HashSet<LaneKey>>,
    /// When each lane may do what. For lanes without messages at most [`RHYTHMS`] are kept.
    rhythms: Mutex<HashMap<LaneKey, Rhythm>>,
    /// Consecutive calls without an answer, by host (or by sender, where the host is not probed).
    silent: Mutex<HashMap<Scope, u32>>,
    /// The client for all hooks.
    hooks: Hooks,
    /// Failed probes of each scope since its breaker opened.
    failures: Mutex<HashMap<Scope, u32>>,
    places: Semaphore,
    /// Notified when a lane has no worker any more, or may go on.
    freed: Notify,
    stop: CancellationToken,
}

/// When a lane may do what, as far as this process knows.
#[derive(Debug, Clone, Default)]
struct Rhythm {
    pace: Pace,
    /// No worker is needed before this.
    quiet_until: Timestamp,
}

impl Rhythm {
    /// When the lane with this head needs a worker.
    fn due(&self, head: &LaneHead, now: Timestamp) -> Timestamp {
        // A message is being sent; if the lane has no worker, its worker failed between claim and settle.
        if head.sending {
            return now;
        }
        // Longer than a glance means that the clock was set back since then.
        let quiet = self.quiet_until.millis_since(now) <= GLANCE_MS;
        head.due_at.max(if quiet { self.quiet_until } else { now })
    }

    /// The breaker that the lane waited for is closed.
    fn forget(&mut self) {
        let pace = Pace { critical_at: self.pace.critical_at, ..Pace::default() };
        *self = Self { pace, ..Self::default() };
    }
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

/// A worker's state.
struct Work<'a> {
    lane: &'a LaneKey,
    lease: Option<Lease>,
    /// Messages that must wait for an older one of the lane.
    behind: HashSet<i64>,
    folded_in_vain: bool,
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
        {
            let mut rhythms = locked(&self.rhythms);
            if rhythms.len() > RHYTHMS {
                let live: HashSet<&str> = heads.iter().map(|head| head.lane.as_str()).collect();
                rhythms.retain(|lane, _| live.contains(lane.as_str()));
            }
        }
        for head in heads.into_iter().filter(|head| self.can_send(&head.lane)) {
            let due_at = self.rhythm(&head.lane).due(&head, now);
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

    /// Sends what is due in `lane`, one message after the other.
    async fn work(&self, lane: &LaneKey, abandoned: bool) {
        let mut work = Work { lane, lease: None, behind: HashSet::new(), folded_in_vain: false };
        if abandoned && let Err(error) = self.hold(&mut work).await {
            return self.store_trouble(lane, &error).await;
        }
        while !self.stop.is_cancelled() {
            let Ok(_place) = self.places.acquire().await else { break };
            match self.step(&mut work).await {
                Ok(true) => {}
                Ok(false) => break,
                // Another process moved the message or leased the lane; the store decides.
                Err(StoreError::Lost { .. }) => {
                    work.lease = None;
                    tokio::time::sleep(LOST_PAUSE).await;
                }
                Err(error) => {
                    self.store_trouble(lane, &error).await;
                    break;
                }
            }
        }
        if let Some(lease) = work.lease
            && let Err(error) = self.deliver.store.release(&lease).await
        {
            warn!(%error, %lane, "A lane could not be given back; its lease ends by itself.");
        }
    }

    async fn store_trouble(&self, lane: &LaneKey, error: &StoreError) {
        self.deliver.fuse.failed(error);
        error!(%error, %lane, "A lane paused because the store failed; it is tried again.");
        tokio::time::sleep(STORE_PAUSE).await;
    }

    /// Does the next step in a lane. False if there is none, or not yet.
    async fn step(&self, work: &mut Work<'_>) -> Result<bool, StoreError> {
        let now = self.deliver.clock.now();
        let waiting = self.deliver.store.waiting(work.lane, now).await?;
        let pace = self.rhythm(work.lane).pace;
        let step = choose::next(&waiting, &pace, &work.behind, work.folded_in_vain, now);
        match step {
            Step::Nothing if waiting.messages.is_empty() => Ok(false),
            Step::Nothing | Step::Wait(_) => {
                let glance = now.plus_millis(GLANCE_MS);
                let until = if let Step::Wait(until) = step { until.min(glance) } else { glance };
                self.change_rhythm(work.lane, |rhythm| rhythm.quiet_until = until);
                Ok(false)
            }
            Step::Fold { keep } => {
                if !self.hold(work).await? {
                    return Ok(false);
                }
                let lease = work.lease.as_ref().expect("hold says that there is one");
                match self.deliver.store.fold(lease, keep, now).await? {
                    Some(folded) => {
                        self.deliver.metrics.folded.inc_by(folded.messages);
                        info!(
                            lane = %work.lane,
                            messages = folded.messages,
                            digest = folded.digest,
                            "A lane is behind; messages were folded."
                        );
                    }
                    None => work.folded_in_vain = true,
                }
                Ok(true)
            }
            Step::Send(message) => {
                let chosen = waiting.messages.iter().find(|waiting| waiting.message == message);
                let chosen = chosen.expect("what is chosen is among what waits");
                Ok(self.hold(work).await? && self.send(work, chosen).await?)
            }
        }
    }

    /// Ensures that this process holds the lane's lease. False if another replica holds it.
    async fn hold(&self, work: &mut Work<'_>) -> Result<bool, StoreError> {
        if work.lease.is_none() {
            work.lease = self.deliver.store.acquire(work.lane).await?;
        }
        Ok(work.lease.is_some())
    }

    /// Sends the next part of one message; if it is rejected, at once again in a simpler form.
    async fn send(&self, work: &mut Work<'_>, chosen: &WaitingMessage) -> Result<bool, StoreError> {
        let lease = work.lease.as_ref().expect("the lane is held");
        let Some(loaded) = self.load(chosen.message).await? else { return Ok(true) };
        let mut tried = self.try_once(lease, loaded, Form::AsMeant).await?;
        // In the same step as the rejection: after a crash between the two, the rejected bytes are tried and rejected
        // again. A card loses its buttons first, then everything but its text.
        for _ in 0..SIMPLER {
            if !matches!(tried, Tried::Went(retry::Next::Plainer)) {
                break;
            }
            let Some(loaded) = self.load(chosen.message).await? else { return Ok(true) };
            tried = self.try_once(lease, loaded, Form::Simpler).await?;
        }
        match tried {
            Tried::Went(_) => {
                work.behind.clear();
                work.folded_in_vain = false;
                if chosen.critical && !chosen.digest {
                    let now = self.deliver.clock.now();
                    self.change_rhythm(work.lane, |rhythm| rhythm.pace.critical_at = Some(now));
                }
            }
            Tried::MustWait { until, breaker } => {
                let now = self.deliver.clock.now();
                self.change_rhythm(work.lane, |rhythm| rhythm.pace.wait(chosen.urgent, until, breaker, now));
            }
            Tried::Behind => drop(work.behind.insert(chosen.message)),
            Tried::NeedsRepair => {}
        }
        Ok(true)
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

    fn rhythm(&self, lane: &LaneKey) -> Rhythm {
        locked(&self.rhythms).get(lane).cloned().unwrap_or_default()
    }

    fn change_rhythm(&self, lane: &LaneKey, change: impl FnOnce(&mut Rhythm)) {
        change(locked(&self.rhythms).entry(lane.to_owned()).or_default());
    }

    /// A breaker closed: lanes that wait for it may continue.
    fn resume(&self, scope: &Scope) {
        for rhythm in locked(&self.rhythms).values_mut().filter(|rhythm| rhythm.pace.breaker.as_ref() == Some(scope)) {
            rhythm.forget();
        }
        locked(&self.failures).remove(scope);
        self.freed.notify_one();
    }
}

/// Takes a lock. A panic cannot leave the data half changed.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_that_was_quiet_is_looked_at_when_the_clock_was_set_back() {
        let now = Timestamp(1_700_000_000_000);
        let head = |due_at| LaneHead { lane: LaneKey::stored("lane"), due_at, sending: false };
        let rhythm = Rhythm { quiet_until: now.plus_millis(GLANCE_MS), ..Rhythm::default() };
        assert_eq!(rhythm.due(&head(now), now), now.plus_millis(GLANCE_MS));
        let earlier = now.plus_millis(-3_600_000);
        assert_eq!(rhythm.due(&head(earlier), earlier), earlier);
    }

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
