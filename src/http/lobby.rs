//! The open connections as their tasks and handlers see them: each has a place, and a handle that closes it when its
//! deadline passes or its place is needed. [`Guests`] makes the decisions.

use std::collections::HashMap;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use tokio::sync::Notify;
use tokio::time::Sleep;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::guests::{BODY_DEADLINE, Ended, Guests, Places, Stage};
use super::refusal::Refusals;
use crate::metrics::{Class, Closed, Metrics};

/// Interval of checking deadlines.
const SWEEP: Duration = Duration::from_millis(250);
/// Bodies announced above this size must keep a pace, because memory is reserved for them: after [`START`], the share
/// that has arrived must be at least the share of the time that has passed.
const PACED: u64 = 64 << 10;
const START: Duration = Duration::from_secs(3);

/// The connections of one listener.
pub(super) struct Lobby {
    refusals: Arc<Refusals>,
    metrics: Arc<Metrics>,
    /// The name of the listener in the metrics.
    name: &'static str,
    table: Mutex<Table>,
    /// Notified when a place may have become free.
    left: Notify,
}

struct Table {
    guests: Guests,
    hands: HashMap<u64, Hand>,
}

/// Closes a connection, and dismisses the body that it is sending.
struct Hand {
    close: CancellationToken,
    dismiss: CancellationToken,
}

impl Lobby {
    pub fn new(refusals: Arc<Refusals>, metrics: Arc<Metrics>, name: &'static str, places: Places) -> Arc<Self> {
        let table = Mutex::new(Table { guests: Guests::new(places), hands: HashMap::new() });
        Arc::new(Self { refusals, metrics, name, table, left: Notify::new() })
    }

    /// Admits a connection from `address`; waits while every place is taken by a request being handled.
    pub async fn enter(self: &Arc<Self>, address: IpAddr) -> Seat {
        loop {
            // Registered before looking, or a place freed between the two would be missed.
            let left = self.left.notified();
            if let Some(seat) = self.try_enter(address) {
                return seat;
            }
            left.await;
        }
    }

    fn try_enter(self: &Arc<Self>, address: IpAddr) -> Option<Seat> {
        let mut table = self.table();
        let (id, victim) = table.guests.enter(address.into(), Instant::now())?;
        self.close(&mut table, victim);
        let close = CancellationToken::new();
        table.hands.insert(id, Hand { close: close.clone(), dismiss: CancellationToken::new() });
        self.count(&table);
        let held =
            Held { id, lobby: self.clone(), close, seen: AtomicBool::new(false), watched: AtomicU8::new(NOTHING) };
        Some(Seat(Arc::new(held)))
    }

    /// Closes connections whose deadline has passed, for as long as it is polled.
    pub async fn sweep(&self) {
        loop {
            tokio::time::sleep(SWEEP).await;
            let mut table = self.table();
            for (id, ended) in table.guests.overdue(Instant::now()) {
                self.end(&mut table, id, ended);
            }
            self.count(&table);
        }
    }

    fn close(&self, table: &mut Table, victim: Option<u64>) {
        if let Some(victim) = victim {
            self.end(table, victim, Ended::Crowded);
        }
    }

    fn end(&self, table: &mut Table, id: u64, ended: Ended) {
        if let Some(hand) = table.hands.remove(&id) {
            hand.close.cancel();
            self.metrics
                .connections_closed
                .get_or_create(&Closed { listener: self.name, reason: ended.as_str() })
                .inc();
        }
        self.left.notify_one();
    }

    fn count(&self, table: &Table) {
        let (strangers, known) = table.guests.count();
        for (class, count) in [("unproven", strangers), ("proven", known)] {
            let gauge = self.metrics.connections.get_or_create(&Class { listener: self.name, class });
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's place; released when the last clone is dropped.
#[derive(Clone)]
pub(crate) struct Seat(Arc<Held>);

struct Held {
    id: u64,
    lobby: Arc<Lobby>,
    close: CancellationToken,
    /// Was it looked at?
    seen: AtomicBool,
    /// What its line must report: see [`Seat::sent`] and [`Seat::received`].
    watched: AtomicU8,
}

const NOTHING: u8 = 0;
/// The answer was sent.
const ANSWER: u8 = 1;
/// The next request begins.
const REQUEST: u8 = 2;

impl Seat {
    /// The present request has proved its source, or has a valid link or token of ours.
    pub fn prove(&self) {
        let mut table = self.0.lobby.table();
        let victim = table.guests.prove(self.0.id);
        self.0.lobby.close(&mut table, victim);
    }

    /// Its proxy has said whose the connection is.
    pub fn introduce(&self, address: IpAddr) {
        self.0.lobby.table().guests.introduce(self.0.id, address.into());
    }

    /// Where refusals of the connection are recorded.
    pub fn refusals(&self) -> &Refusals {
        &self.0.lobby.refusals
    }

    /// Resolves when the connection must be closed.
    pub async fn closed(&self) {
        self.0.close.cancelled().await;
    }

    /// A request has arrived: returns its body, with its deadline and its share of memory.
    pub(super) fn receive(&self, body: Incoming) -> Body {
        self.0.watched.store(NOTHING, Ordering::Relaxed);
        let stage = if body.is_end_stream() { Stage::Work } else { Stage::Body };
        let dismiss = CancellationToken::new();
        let mut table = self.0.lobby.table();
        table.guests.request(self.0.id, stage, Instant::now());
        if let Some(hand) = table.hands.get_mut(&self.0.id) {
            hand.dismiss = dismiss.clone();
        }
        drop(table);
        if stage == Stage::Work {
            return Body::empty();
        }
        let announced = body.size_hint().exact().unwrap_or_default();
        let pace = Pace { announced, received: 0, begun: None };
        let (dismissed, rests) = (Box::pin(dismiss.clone().cancelled_owned()), false);
        Body::new(Upload { body, seat: self.clone(), pace, late: None, dismiss, dismissed, rests })
    }

    /// The answer is ready for the peer to read. In a crowd a stranger gets one, and must reconnect for the next.
    pub(super) fn answer(&self, answer: &mut Response) {
        let mut table = self.0.lobby.table();
        table.guests.stage(self.0.id, Stage::Answer, Instant::now());
        if table.guests.is_crowded() && !table.guests.is_known(self.0.id) {
            answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        self.0.watched.store(ANSWER, Ordering::Relaxed);
    }

    /// The answer is delayed: meanwhile other connections may take the place.
    pub(super) fn hold_back(&self) {
        self.stage(Stage::Answer);
    }

    /// The answer goes on for as long as the peer listens, and has a bound of its own: the connection gives its place to
    /// others, and no deadline of theirs ends it. It must not be used for another request.
    pub(super) fn depart(&self) {
        let mut table = self.0.lobby.table();
        table.guests.leave(self.0.id);
        table.hands.remove(&self.0.id);
        self.0.lobby.count(&table);
        drop(table);
        self.0.lobby.left.notify_one();
    }

    /// The request is being handled again.
    pub(super) fn work(&self) {
        self.stage(Stage::Work);
    }

    /// Everything was sent.
    pub(super) fn sent(&self) {
        if self.0.watched.load(Ordering::Relaxed) == ANSWER {
            self.0.watched.store(REQUEST, Ordering::Relaxed);
            self.stage(Stage::Idle);
        }
    }

    /// It was checked for readable bytes.
    pub(super) fn look(&self) {
        if !self.0.seen.swap(true, Ordering::Relaxed) {
            self.0.lobby.table().guests.look(self.0.id);
            self.0.lobby.left.notify_one();
        }
    }

    /// Bytes have arrived.
    pub(super) fn received(&self) {
        if self.0.watched.load(Ordering::Relaxed) == REQUEST {
            self.0.watched.store(NOTHING, Ordering::Relaxed);
            self.stage(Stage::Head);
        }
    }

    fn stage(&self, stage: Stage) {
        self.0.lobby.table().guests.stage(self.0.id, stage, Instant::now());
        if stage != Stage::Work {
            self.0.lobby.left.notify_one();
        }
    }

    /// Bytes of a body have arrived. Are they a stranger's?
    fn holds(&self, bytes: usize) -> bool {
        let mut table = self.0.lobby.table();
        if table.guests.is_known(self.0.id) {
            return false;
        }
        if let Some(victim) = table.guests.hold(self.0.id, bytes)
            && let Some(hand) = table.hands.get(&victim)
        {
            hand.dismiss.cancel();
        }
        true
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut table = self.lobby.table();
        table.guests.leave(self.id);
        table.hands.remove(&self.id);
        self.lobby.count(&table);
        drop(table);
        self.lobby.left.notify_one();
    }
}

/// Why a body did not arrive completely.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unfinished {
    /// It took too long.
    #[error("the body did not arrive in time")]
    Late,
    /// Too many bodies of unproven senders at a time.
    #[error("too many unproven bodies at a time")]
    Dismissed,
    /// The connection broke.
    #[error(transparent)]
    Broken(#[from] hyper::Error),
}

impl Unfinished {
    /// Finds it in axum's error.
    pub fn of<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a Self> {
        std::iter::successors(Some(error), |error| error.source()).find_map(|error| error.downcast_ref())
    }
}

/// The required pace of a body.
struct Pace {
    /// 0: not announced.
    announced: u64,
    received: u64,
    /// When reading began.
    begun: Option<Instant>,
}

impl Pace {
    /// When it counts as late unless more has arrived by then.
    fn late(&mut self) -> Instant {
        let begun = *self.begun.get_or_insert_with(Instant::now);
        if self.announced <= PACED {
            return begun + BODY_DEADLINE;
        }
        #[expect(clippy::cast_precision_loss, reason = "sizes of bodies are far below 2^52")]
        let share = (self.received as f64 / self.announced as f64).min(1.0);
        begun + START + BODY_DEADLINE.saturating_sub(START).mul_f64(share)
    }
}

/// An incoming body.
struct Upload {
    body: Incoming,
    seat: Seat,
    pace: Pace,
    late: Option<Pin<Box<Sleep>>>,
    dismiss: CancellationToken,
    dismissed: Pin<Box<WaitForCancellationFutureOwned>>,
    /// Yields before it reads the next piece: strangers share the processor piece by piece.
    rests: bool,
}

impl hyper::body::Body for Upload {
    type Data = Bytes;
    type Error = Unfinished;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Unfinished>>> {
        let this = &mut *self;
        if this.pace.begun.is_none() {
            this.seat.stage(Stage::Body);
        }
        if this.dismiss.is_cancelled() {
            return Poll::Ready(Some(Err(Unfinished::Dismissed)));
        }
        if std::mem::take(&mut this.rests) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let late = this.pace.late();
        match Pin::new(&mut this.body).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    this.pace.received += data.len() as u64;
                    this.rests = this.seat.holds(data.len());
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error.into()))),
            Poll::Ready(None) => {
                this.seat.stage(Stage::Work);
                Poll::Ready(None)
            }
            Poll::Pending => {
                if this.dismissed.as_mut().poll(context).is_ready() {
                    return Poll::Ready(Some(Err(Unfinished::Dismissed)));
                }
                let sleep = this.late.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(late.into())));
                if sleep.deadline() != late.into() {
                    sleep.as_mut().reset(late.into());
                }
                ready!(sleep.as_mut().poll(context));
                Poll::Ready(Some(Err(Unfinished::Late)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
