//! Traces: a span for each stage of an alert's way, sent by OTLP over HTTP to the collector of the configuration.
//!
//! The trace of a notification is that of the sender's `traceparent` (W3C Trace Context), or derived from the
//! notification, so that every replica and every later process adds its stages to the same trace. Nothing waits for the
//! collector: spans that it does not take in time are dropped and counted.

mod context;
mod export;
mod otlp;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::alert::Timestamp;
use crate::config::Config;
use crate::live::Live;
use crate::metrics::{Exported, Metrics};
pub use context::Parent;
use context::{Context, derived};
pub use export::run;

/// Spans that may wait for the collector; a full queue drops new ones.
const WAITING: usize = 2_048;
/// Notifications whose sender's context is remembered. Of an older one, the later stages are in its derived trace, to
/// which the span of its admission is linked.
const REMEMBERED: usize = 4_096;

/// A stage of an alert's way; each is one span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// From the receipt of a notification to its commit.
    Admit,
    /// A message is rendered.
    Write,
    /// Its attempt is recorded and its budgets are debited.
    Claim,
    /// It is sent, until the answer.
    Send,
    /// The answer is recorded.
    Settle,
}

impl Stage {
    const fn name(self) -> &'static str {
        match self {
            Self::Admit => "admit",
            Self::Write => "write",
            Self::Claim => "claim",
            Self::Send => "send",
            Self::Settle => "settle",
        }
    }
}

/// The notification that a span belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Of {
    /// Its id.
    pub notification: i64,
    /// When it came.
    pub received_at: Timestamp,
}

/// A fact about a stage.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    /// A name or a code; never the text of an alert.
    Text(String),
    /// A number or an id.
    Number(i64),
}

/// The facts of a span by their names, and why its stage failed.
#[derive(Debug, Default)]
pub struct Told {
    /// Attributes.
    pub facts: Vec<(&'static str, Fact)>,
    /// The error of the stage.
    pub failed: Option<String>,
}

/// A stage that runs.
#[derive(Debug, Clone, Copy)]
pub struct Begun {
    stage: Stage,
    at: Timestamp,
    /// What it took before `since`.
    before: Duration,
    since: Instant,
}

/// A stage that ended.
#[derive(Debug)]
struct Span {
    stage: Stage,
    context: Context,
    at: Timestamp,
    took: Duration,
    told: Told,
}

/// The handle of the rooms whose work is traced. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Traces(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: Live<Config>,
    metrics: Arc<Metrics>,
    to: mpsc::Sender<Span>,
    /// Taken by [`run`].
    from: Mutex<Option<mpsc::Receiver<Span>>>,
    remembered: Mutex<Remembered>,
}

impl Traces {
    /// The handle of what [`run`] sends. Without `traces` in the configuration, a stage costs one look at it.
    pub fn new(config: Live<Config>, metrics: Arc<Metrics>) -> Self {
        let (to, from) = mpsc::channel(WAITING);
        let from = Mutex::new(Some(from));
        Self(Arc::new(Inner { config, metrics, to, from, remembered: Mutex::default() }))
    }

    /// A stage that began at `at`; `None` if nothing is traced.
    pub fn begin(&self, stage: Stage, at: Timestamp, now: Timestamp) -> Option<Begun> {
        self.share()?;
        let before = Duration::from_millis(u64::try_from(now.millis_since(at)).unwrap_or_default());
        Some(Begun { stage, at, before, since: Instant::now() })
    }

    /// A notification was committed, whose request had this `parent`.
    pub fn admitted(&self, begun: Begun, of: Of, parent: Option<Parent>, told: Told) {
        let Some(share) = self.share() else { return };
        let context = Context::admission(of, parent, share, rand::random());
        if let Some(context) = context.foreign() {
            self.remembered().insert(of.notification, context);
        }
        self.take(begun, context, told);
    }

    /// A stage of a message of this notification ended.
    pub fn end(&self, begun: Begun, of: Of, told: Told) {
        let Some(share) = self.share() else { return };
        let known = self.remembered().known.get(&of.notification).copied();
        self.take(begun, Context::stage(known.unwrap_or_else(|| derived(of, share)), rand::random()), told);
    }

    fn take(&self, begun: Begun, context: Context, told: Told) {
        if !context.sampled {
            return;
        }
        let Begun { stage, at, before, since } = begun;
        if self.0.to.try_send(Span { stage, context, at, took: before + since.elapsed(), told }).is_err() {
            self.count("dropped", 1);
        }
    }

    fn count(&self, result: &'static str, spans: usize) {
        self.0.metrics.spans.get_or_create(&Exported { result }).inc_by(spans as u64);
    }

    /// The share of notifications that is traced; `None` if there is no collector.
    fn share(&self) -> Option<f64> {
        self.0.config.now().traces.as_ref().map(|traces| traces.sample)
    }

    fn remembered(&self) -> MutexGuard<'_, Remembered> {
        // A panic cannot leave it half changed.
        self.0.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The contexts of senders, by notification; the oldest is forgotten first.
#[derive(Debug, Default)]
struct Remembered {
    known: HashMap<i64, Context>,
    order: VecDeque<i64>,
}

impl Remembered {
    fn insert(&mut self, notification: i64, context: Context) {
        if self.known.insert(notification, context).is_none() {
            self.order.push_back(notification);
        }
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_of_senders_are_bounded() {
        let mut remembered = Remembered::default();
        let context = derived(Of { notification: 1, received_at: Timestamp(0) }, 1.0);
        for notification in 0..=i64::try_from(REMEMBERED).unwrap() + 10 {
            remembered.insert(notification, context);
            remembered.insert(notification, context);
        }
        assert_eq!((remembered.known.len(), remembered.order.len()), (REMEMBERED, REMEMBERED));
        assert!(!remembered.known.contains_key(&10), "the oldest are forgotten");
    }
}
