//! From the outbox to WeCom: one worker a lane, one message in flight in it, in the order of the store.
//!
//! A worker reads the head of its lane, writes it (render), freezes the bytes in the store, sends, and settles.
//! Lanes share nothing but the number of workers, so one that waits holds up no other. Budgets, folding and
//! breakers belong between "read the head" and "freeze" (2 of 3).

pub mod email;
pub mod hook;
mod letter;
pub mod other;
mod people;
mod picture;
pub mod retry;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};
use wecom::{Missed, Outcome, SendRequest};

use crate::alert::Timestamp;
use crate::app::App;
use crate::config::Target;
use crate::metrics::{Attempted, Errcode};
use crate::store::{self, Claim, Claimed, Queued, Settlement, State, StoreError};
pub use letter::{Page, Prepared, Writer, account, app, client};
use retry::{Next, Tries};

/// Lanes that send at a time. Each holds a connection to WeCom, which bars callers with too many (45033).
const WORKERS: usize = 16;
/// Between two looks at the outbox: in a storm every notification wakes us, and one look sees all of them.
const BREATH: Duration = Duration::from_millis(5);
/// The store is asked this often even if nobody said there was something: the truth when a wake-up is lost.
const POLL: Duration = Duration::from_secs(1);
/// After a failure of the store itself.
const STORE_PAUSE: Duration = Duration::from_secs(2);
/// After somebody else moved a message.
const LOST_PAUSE: Duration = Duration::from_millis(50);
/// How long a message waits whose app, webhook or list of people is missing from the configuration.
const REPAIR_MS: i64 = 60_000;

/// Delivers what is due until told to stop; returns when nothing is in flight any more.
pub async fn run(app: App, writer: Writer, stop: CancellationToken) {
    let lanes = Arc::new(Lanes { app, writer, busy: Mutex::default(), places: Semaphore::new(WORKERS), stop });
    let workers = TaskTracker::new();
    while !lanes.stop.is_cancelled() {
        // Registered before looking, or a wake-up between the two would be lost.
        let woken = lanes.app.wake().notified();
        let looked = tokio::time::Instant::now();
        let pause = lanes.start_workers(&workers).await;
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
    app: App,
    writer: Writer,
    /// Lanes with a worker. Not tokio's mutex: nothing is awaited while it is held.
    busy: Mutex<HashSet<String>>,
    places: Semaphore,
    stop: CancellationToken,
}

/// Frees its lane when the worker ends, however it ends.
struct Occupied {
    lanes: Arc<Lanes>,
    lane: String,
}

impl Drop for Occupied {
    fn drop(&mut self) {
        self.lanes.busy.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.lane);
        // A message that came between the worker's last look and now has no worker yet. After a panic the next poll
        // is soon enough: the same message would only panic again at once.
        if !std::thread::panicking() {
            self.lanes.app.wake().notify_one();
        }
    }
}

impl Lanes {
    /// Gives a worker to every lane that is due and has none. Returns how long to wait if nobody wakes us.
    async fn start_workers(self: &Arc<Self>, workers: &TaskTracker) -> Duration {
        let now = self.app.now();
        let heads = match self.app.store().lanes(now).await {
            Ok(heads) => heads,
            Err(error) => {
                warn!(%error, "The outbox cannot be read; it is tried again.");
                return STORE_PAUSE;
            }
        };
        let mut pause = POLL;
        for head in heads {
            // Being sent, and if its lane has no worker, by nobody: the worker failed between claim and settle.
            let sending = head.state == State::Sending;
            if head.due_at > now && !sending {
                let wait = u64::try_from(head.due_at.millis_since(now)).unwrap_or_default();
                pause = pause.min(Duration::from_millis(wait));
            } else if self.busy.lock().unwrap_or_else(PoisonError::into_inner).insert(head.lane.clone()) {
                let occupied = Occupied { lanes: self.clone(), lane: head.lane };
                workers.spawn(async move { occupied.lanes.work(&occupied.lane, sending).await });
            }
        }
        pause
    }

    /// Sends what is due in `lane`, one after the other, until nothing is; first what a worker before `abandoned`.
    async fn work(&self, lane: &str, abandoned: bool) {
        if abandoned {
            match self.app.store().recover(Some(lane)).await {
                // It was settled after all between the look at the outbox and now.
                Ok(0) => {}
                Ok(_) => warn!(lane, "A message was left between being sent and being recorded; it is sent again."),
                Err(error) => {
                    error!(%error, lane, "A lane stays where it is because the store failed; it is tried again.");
                    return tokio::time::sleep(STORE_PAUSE).await;
                }
            }
        }
        while !self.stop.is_cancelled() {
            let Ok(_place) = self.places.acquire().await else { return };
            match self.send_next(lane).await {
                Ok(true) => {}
                Ok(false) => return,
                // Somebody else moved the message; the store has the truth.
                Err(StoreError::Lost { .. }) => tokio::time::sleep(LOST_PAUSE).await,
                Err(error) => {
                    self.app.store_failed(&error);
                    error!(%error, lane, "A lane paused because the store failed; it is tried again.");
                    tokio::time::sleep(STORE_PAUSE).await;
                    return;
                }
            }
        }
    }

    /// Sends the next part of the head of `lane`. False if nothing is due.
    async fn send_next(&self, lane: &str) -> Result<bool, StoreError> {
        let Some(queued) = self.app.store().head(lane, self.app.now()).await? else { return Ok(false) };
        if self.try_once(&queued, false).await? == Some(Next::Plainer) {
            // At once, and in one go with the refusal: after a crash between the two the refused bytes are simply
            // tried and refused again.
            let Some(queued) = self.app.store().head(lane, self.app.now()).await? else { return Ok(true) };
            self.try_once(&queued, true).await?;
        }
        Ok(true)
    }

    /// One attempt at the next part of a message; `plain` rewrites it as short text first. `None`: it waits for a
    /// repair of the configuration.
    async fn try_once(&self, queued: &Queued, plain: bool) -> Result<Option<Next>, StoreError> {
        let store = self.app.store();
        let loaded = self.app.loaded();
        let prepared = self.writer.prepare(&self.app, &loaded, queued, plain).await;
        let Prepared { target, account, freeze } = match prepared {
            Ok(prepared) => prepared,
            Err(reason) => {
                // Not the message's fault: an app, a webhook or a list of people is missing.
                error!(lane = queued.lane, delivery = queued.message, %reason, "A message waits for a repair of the configuration.");
                store.postpone(queued.message, queued.epoch, self.app.now().plus_millis(REPAIR_MS), &reason).await?;
                return Ok(None);
            }
        };
        let bodies = freeze
            .as_ref()
            .map(|freeze| freeze.parts.clone())
            .or_else(|| queued.frozen.as_ref().map(|frozen| frozen.parts.clone()));
        let claim = Claim { message: queued.message, epoch: queued.epoch, freeze };
        let claimed = store.claim(claim, self.app.now()).await?;
        let body = bodies.and_then(|bodies| bodies.get(claimed.part as usize).cloned()).unwrap_or_default();
        let begun = Instant::now();
        let channel = target.channel().wecom().unwrap_or(wecom::Channel::Webhook);
        let outcome = loaded.wecom.send(&account, &SendRequest { channel, body }).await;
        let next = self.settle(queued, claimed, &target, &outcome, begun.elapsed()).await?;
        Ok(Some(next))
    }

    /// Decides what follows an attempt, records both, and says so in the log and the metrics.
    async fn settle(
        &self,
        queued: &Queued,
        claimed: Claimed,
        target: &Target,
        outcome: &Outcome,
        took: Duration,
    ) -> Result<Next, StoreError> {
        let now = self.app.now();
        let tries = Tries {
            attempts: u32::try_from(claimed.epoch).unwrap_or(u32::MAX),
            age_ms: now.millis_since(queued.created_at),
            plain: claimed.version > 1,
        };
        let mut next = retry::decide(outcome, tries, rand::random());
        // What follows the first part only adorns it (a picture, a mention, further people): the alert has arrived.
        let adornment = claimed.part > 0 && matches!(next, Next::Plainer | Next::Dead);
        if adornment {
            next = Next::Done;
        }
        let follows = match (&next, outcome) {
            (Next::Done, _) => store::Next::Accepted,
            (Next::Again { after_ms }, Outcome::Unsure(_)) => store::Next::UnsureAt(now.plus_millis(*after_ms)),
            (Next::Again { after_ms }, _) => store::Next::RetryAt(now.plus_millis(*after_ms)),
            (Next::Plainer, _) => store::Next::RetryAt(now),
            (Next::Dead, _) => store::Next::Dead { reason: reason(outcome) },
        };
        let settlement = Settlement { claimed, outcome: record(outcome, took), next: follows };
        let state = self.record_outcome(settlement, now).await?;
        self.count(target, outcome, took);
        report(queued, outcome, &next, adornment);
        if state == State::Sent {
            let metrics = self.app.metrics();
            metrics.last_accepted.set(now.0 / 1000);
            #[expect(clippy::cast_precision_loss, reason = "milliseconds of a delivery are far below 2^52")]
            metrics.delivery_seconds.observe(now.millis_since(queued.notification.received_at) as f64 / 1e3);
        } else if state == State::Dead {
            self.app.metrics().dead_letters.inc();
        }
        Ok(next)
    }

    /// Settles, however long the store is busy or its disk full: what is not recorded would be sent again.
    async fn record_outcome(&self, settlement: Settlement, now: Timestamp) -> Result<State, StoreError> {
        loop {
            match self.app.store().settle(settlement.clone(), now).await {
                Err(error @ (StoreError::Busy | StoreError::Full)) if !self.stop.is_cancelled() => {
                    warn!(%error, "An outcome cannot be recorded; it is tried again.");
                    tokio::time::sleep(STORE_PAUSE).await;
                }
                settled => return settled,
            }
        }
    }

    fn count(&self, target: &Target, outcome: &Outcome, took: Duration) {
        let metrics = self.app.metrics();
        let channel = target.channel().as_str();
        metrics.attempts.get_or_create(&Attempted { channel, outcome: class(outcome) }).inc();
        metrics.send_seconds.observe(took.as_secs_f64());
        if let Outcome::NotSent(failure) | Outcome::Unsure(failure) = outcome
            && let Some(code) = failure.errcode()
        {
            // The table of known codes bounds the label.
            let errcode = if failure.meaning().is_some() { code } else { -2 };
            metrics.errcodes.get_or_create(&Errcode { errcode }).inc();
        }
    }
}

/// The name of an outcome in the store and in metrics.
const fn class(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Accepted(_) => "accepted",
        Outcome::AcceptedInPart { .. } => "accepted_in_part",
        Outcome::NotSent(_) => "not_sent",
        Outcome::Unsure(_) => "unsure",
    }
}

/// Why a message died, from a closed set.
fn reason(outcome: &Outcome) -> String {
    match outcome {
        Outcome::NotSent(failure) if failure.class == wecom::Class::Refused => {
            failure.errcode().map_or_else(|| "refused".to_owned(), |code| format!("refused:{code}"))
        }
        _ => "expired".to_owned(),
    }
}

/// The outcome as the store keeps it.
fn record(outcome: &Outcome, took: Duration) -> store::Outcome {
    let mut kept = store::Outcome {
        class: class(outcome),
        duration_ms: i64::try_from(took.as_millis()).unwrap_or(i64::MAX),
        ..store::Outcome::default()
    };
    match outcome {
        Outcome::Accepted(receipt) | Outcome::AcceptedInPart { receipt, .. } => {
            kept.errcode = Some(0);
            kept.msgid.clone_from(&receipt.msgid);
            kept.response_code.clone_from(&receipt.response_code);
        }
        Outcome::NotSent(failure) | Outcome::Unsure(failure) => {
            kept.errcode = failure.errcode();
            kept.http_status = if let wecom::Fault::Status(status) = failure.fault { Some(status) } else { None };
            kept.errmsg = Some(failure.zh());
        }
    }
    if let Outcome::AcceptedInPart { missed, .. } = outcome {
        let Missed { users, parties, tags, unlicensed } = missed;
        let lists = serde_json::json!({ "users": users, "parties": parties, "tags": tags, "unlicensed": unlicensed });
        kept.invalid_json = Some(lists.to_string());
    }
    kept
}

/// One line for what an operator should know.
fn report(queued: &Queued, outcome: &Outcome, next: &Next, adornment: bool) {
    let (lane, message, thread) = (&queued.lane, queued.message, queued.thread);
    match (outcome, next) {
        (Outcome::Accepted(_), _) => info!(lane, delivery = message, %thread, "WeCom accepted a message."),
        (Outcome::AcceptedInPart { missed, .. }, _) => {
            warn!(lane, delivery = message, %thread, ?missed, "WeCom accepted a message, but not for everybody: correct the receiver.");
        }
        (Outcome::NotSent(failure) | Outcome::Unsure(failure), Next::Again { after_ms }) => {
            warn!(lane, delivery = message, %thread, after_ms, error = %failure, "A message was not accepted; it is tried again.");
        }
        (Outcome::NotSent(failure) | Outcome::Unsure(failure), Next::Plainer) => {
            warn!(lane, delivery = message, %thread, error = %failure, "A message was refused; it is tried once more as plain text.");
        }
        (Outcome::NotSent(failure) | Outcome::Unsure(failure), _) if adornment => {
            warn!(lane, delivery = message, %thread, error = %failure, "The alert arrived, but a later part of its message was refused.");
        }
        (Outcome::NotSent(failure) | Outcome::Unsure(failure), _) => {
            error!(lane, delivery = message, %thread, error = %failure, "A message was given up; see `wegraf deliveries show`.");
        }
    }
}
