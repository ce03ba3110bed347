//! The only way in: a notification gets its receivers and is on disk before its sender has an answer.
//!
//! `http` knows the request, this room knows alerts: it unpacks and reads the body of a proven source, finds what an end
//! without a key means, plans the receivers and stores. What wegraf tells by itself comes in here, too: an escalation, an
//! end that it saw, a fault of its own, a trial.

mod call;
mod called;
mod packing;
mod plan;
mod words;

use std::sync::Arc;

use bytes::Bytes;
use tracing::warn;

use crate::alert::{Alert, Format, Identity, Notification, Status, ThreadId, Timestamp};
use crate::config::{Config, Receiver, Target};
use crate::fuse::Fuse;
use crate::ingest::{self, Door, RELAYED, Weight};
use crate::live::Live;
use crate::metrics::{Metrics, OfSource, Unmatched};
use crate::names::SourceId;
use crate::room::{NoRoom, Part, Room};
use crate::store::related::{Meant, meant};
use crate::store::{Admission, Admitted, Arrival, Recipient, Store, StoreError, TargetRow};
use crate::time::Clock;
use crate::traces::{Fact, Of, Parent, Stage, Told, Traces};
use call::Planned;
pub use call::{Call, Receipt, Refused};
pub use called::Called;
pub use packing::Packing;
use plan::arrival;
pub use plan::{Ends, Incoming, plan, recipient, related, steady};

/// Larger bodies are authenticated and parsed off the threads that serve connections.
pub const LARGE_BODY: usize = 256 << 10;
/// Ends in one body that are matched with firing alerts; further ones are told unmatched.
const ENDS: usize = 500;

/// The dependencies of intake. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Intake {
    /// Receivers, routes, mappings.
    pub config: Live<Config>,
    /// The store of notifications.
    pub store: Store,
    /// Now.
    pub clock: Clock,
    /// The memory that bodies share.
    pub room: Arc<Room>,
    /// The counters of this process.
    pub metrics: Arc<Metrics>,
    /// Failures of the store are reported here.
    pub fuse: Fuse,
    /// Where admissions are traced.
    pub traces: Traces,
}

/// The origin of a notification.
enum Origin {
    /// From a source, through an address of this kind, which may name a receiver.
    Source { source: SourceId, door: Door, receiver: Option<String>, beat: Beat },
    /// From a source that speaks WeCom's API: passed on unchanged. A message under the same key is the same message,
    /// however late it comes again.
    Verbatim(SourceId),
    /// From this source, and told again by wegraf.
    Relayed(SourceId),
    /// A fault of wegraf. It is repeated every few seconds while it lasts.
    Own,
    /// A trial of this receiver.
    Trial(String),
}

/// The state of the source's always-firing alert in a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beat {
    /// It is not in the notification.
    None,
    /// It fires, as it should.
    Heard,
    /// It is over.
    Stopped,
}

/// The facts about a notification that the store keeps in addition to its alerts and body.
struct Head {
    format: Format,
    external_url: String,
    group_key: String,
    test: bool,
}

impl Head {
    fn of(notification: Notification) -> Self {
        let Notification { format, external_url, group_key, test, .. } = notification;
        Self { format, external_url, group_key, test }
    }
}

/// A body as it is stored: with its type and the time of its arrival it can be read again.
struct Body {
    raw: Bytes,
    content_type: Option<String>,
    received_at: Timestamp,
}

/// A message in WeCom's format that is passed on unchanged.
#[derive(Debug)]
pub struct Verbatim {
    /// The source that sent it.
    pub source: SourceId,
    /// Whose API it is written for.
    pub format: Format,
    pub body: Bytes,
    /// The request's `Content-Type`.
    pub content_type: Option<String>,
    /// When it came.
    pub received_at: Timestamp,
    /// The receivers, with the bytes for each target.
    pub deliveries: Vec<Recipient>,
    /// The trace of the request.
    pub parent: Option<Parent>,
}

impl Intake {
    /// Reads, plans and stores. Returns after the commit. Waits for its share of the memory, which it holds until then.
    pub async fn admit(&self, mut call: Call) -> Result<Receipt, Refused> {
        let config = self.config.now();
        call.stays_in_scope(&config)?;
        let parent = call.parent;
        let (body, packing) = (call.body.clone(), call.packing);
        let weight = aside(body.len() > LARGE_BODY, move || packing.weigh(&body)).await?;
        let _room = self.place(&call, &weight).await.map_err(Refused::NoRoom)?;
        drop(call.part.take());
        let large = weight.bytes() > LARGE_BODY;
        let under = config.clone();
        let read = aside(large, move || call.read(&under, &weight)).await?;
        let ends = self.ends(&read.source, &read.notification).await.map_err(|error| self.refused(error))?;
        let under = config.clone();
        let planned = aside(large, move || read.planned(&under, &ends)).await;
        let Planned { origin, head, body, alerts, mut plan, routed, called } = planned;
        let knowing = self.store.knowing(plan.over()).await.map_err(|error| self.refused(error))?;
        if routed {
            plan = plan.with_ends_where_known(&config, &called, &knowing);
        }
        plan = plan.with_unmatched_ends_noted(&knowing);
        let (format, targets, warning) = (head.format, plan.targets(), plan.warning);
        let admitted = self.keep(origin, head, body, plan.deliveries, parent).await.map_err(Refused::Store)?;
        if warning.is_some() {
            let id = admitted.id;
            warn!(
                notification = id,
                "A notification was routed otherwise than its address says; its sender was told why."
            );
        }
        Ok(Receipt { id: admitted.id, format, duplicate: admitted.duplicate, alerts, targets, warning })
    }

    /// Waits for the memory that it takes to read and store a body.
    async fn place(&self, call: &Call, weight: &Weight) -> Result<Part, NoRoom> {
        let (whole, streamed) = (weight.memory(), weight.streamed());
        if streamed < whole && !Room::is_small(whole) && call.packing == Packing::Plain {
            let part = self.room.understood(streamed).await?;
            let (body, content_type, door) = (call.body.clone(), call.content_type.clone(), call.door);
            let large = weight.bytes() > LARGE_BODY;
            if aside(large, move || ingest::streams(&body, content_type.as_deref(), door)).await {
                return Ok(part);
            }
        }
        self.room.understood(whole).await
    }

    /// Finds the alerts that recoveries without a key end, for bodies read by the general reader.
    async fn ends(&self, source: &SourceId, notification: &Notification) -> Result<Ends, StoreError> {
        let mut ends = Ends::new();
        let over = notification.alerts.iter().enumerate().filter(|(_, alert)| alert.status == Status::Resolved);
        for (index, alert) in over.take(ENDS) {
            let Some(kin) = related(source, alert) else { continue };
            let identity = alert.identity(source);
            let meant = meant(identity, &kin, self.store.candidates(identity, &kin).await?);
            let reason = match &meant {
                Meant::Alerts(_) => None,
                Meant::Nothing => Some("none"),
                Meant::Unclear(_) => Some("several"),
            };
            if let Some(reason) = reason {
                self.metrics.ends_unmatched.get_or_create(&Unmatched { reason }).inc();
            }
            ends.insert(index, meant);
        }
        Ok(ends)
    }

    /// Stores a message that is passed on unchanged. Returns after the commit.
    pub async fn pass_on(&self, message: Verbatim) -> Result<Admitted, Refused> {
        let Verbatim { source, format, body, content_type, received_at, deliveries, parent } = message;
        let head = Head { format, external_url: String::new(), group_key: String::new(), test: false };
        let body = Body { raw: body, content_type, received_at };
        self.keep(Origin::Verbatim(source), head, body, deliveries, parent).await.map_err(Refused::Store)
    }

    /// Tells `receiver` of alerts of a stored notification again, each with its identity and the short id of its episode.
    /// True if that is news.
    pub async fn relay(
        &self,
        source: SourceId,
        of: &Notification,
        told: Vec<(Identity, ThreadId, Alert)>,
        receiver: &Receiver,
        note_json: Option<String>,
    ) -> Result<bool, StoreError> {
        // It stays the same episode, and only its sender's reports keep it from lapsing.
        let arrivals = told.iter().enumerate().map(|(index, (identity, thread, alert))| Arrival {
            lapses_at: None,
            thread: Some(*thread),
            ..arrival(index, *identity, alert)
        });
        let deliveries =
            vec![Recipient { note_json, ..recipient(receiver, arrivals.collect(), rows(&receiver.targets)) }];
        let head = Head {
            format: RELAYED,
            external_url: of.external_url.clone(),
            group_key: of.group_key.clone(),
            test: false,
        };
        let raw = ingest::relay(of, told.into_iter().map(|(.., alert)| alert).collect());
        let body = Body { raw, content_type: None, received_at: self.clock.now() };
        Ok(self.keep(Origin::Relayed(source), head, body, deliveries, None).await?.messages > 0)
    }

    /// Tells these targets of a fault of wegraf, or of its end.
    pub async fn own(&self, fault: Notification, to: &[(&Receiver, Vec<&Target>)]) -> Result<(), StoreError> {
        let arrivals = |alerts: &[Alert]| {
            let indexed = alerts.iter().enumerate();
            indexed.map(|(index, alert)| arrival(index, alert.identity(&SourceId::Wegraf), alert)).collect()
        };
        let one = |(receiver, targets): &(&Receiver, Vec<&Target>)| {
            recipient(receiver, arrivals(&fault.alerts), rows(targets.iter().copied()))
        };
        let deliveries = to.iter().map(one).collect();
        let raw = ingest::relay(&fault, fault.alerts.clone());
        let body = Body { raw, content_type: None, received_at: self.clock.now() };
        let head = Head { format: RELAYED, ..Head::of(fault) };
        self.keep(Origin::Own, head, body, deliveries, None).await.map(drop)
    }

    /// Sends a notification to `receiver` as a trial; `body` is what it was read from.
    pub async fn try_out(&self, receiver: &str, of: Notification, body: Bytes) -> Result<(), StoreError> {
        let (ends, called) = (Ends::new(), Called::default());
        let incoming = Incoming { source: &SourceId::Command, notification: &of, ends: &ends, called: &called };
        let plan = plan(&self.config.now(), incoming, Some(receiver));
        let body = Body { raw: body, content_type: None, received_at: self.clock.now() };
        self.keep(Origin::Trial(receiver.to_owned()), Head::of(of), body, plan.deliveries, None).await.map(drop)
    }

    /// Makes a notification durable. No other function builds an admission.
    async fn keep(
        &self,
        origin: Origin,
        head: Head,
        body: Body,
        deliveries: Vec<Recipient>,
        parent: Option<Parent>,
    ) -> Result<Admitted, StoreError> {
        let received_at = body.received_at;
        let begun = self.traces.begin(Stage::Admit, received_at, self.clock.now());
        let outside = matches!(origin, Origin::Source { .. } | Origin::Verbatim(_));
        let (mut alive, mut stopped) = (None, None);
        let (source, path_receiver, push, test) = match origin {
            Origin::Source { source, door, receiver, beat } => {
                let name = || Some(source.stored().into_owned());
                match beat {
                    Beat::None => {}
                    Beat::Heard => alive = name(),
                    Beat::Stopped => stopped = name(),
                }
                (source, receiver, door == Door::AlertsPush || head.format == Format::AlertsPush, head.test)
            }
            Origin::Verbatim(source) => (source, None, true, false),
            Origin::Relayed(source) => (source, None, false, false),
            Origin::Own => (SourceId::Wegraf, None, true, false),
            Origin::Trial(receiver) => (SourceId::Command, Some(receiver), false, true),
        };
        let (name, format) = (source.to_string(), head.format);
        let admission = Admission {
            source,
            format: head.format,
            content_type: body.content_type,
            path_receiver,
            sender: head.external_url,
            group_key: head.group_key,
            received_at: body.received_at,
            raw: body.raw,
            codec: 0,
            alive,
            stopped,
            push,
            test,
            deliveries,
        };
        let admitted = self.store.admit(admission).await.inspect_err(|error| self.fuse.failed(error))?;
        if outside && admitted.unchanged > 0 {
            let repeated = self.metrics.alerts_repeated.get_or_create(&OfSource { source: name.clone() });
            repeated.inc_by(admitted.unchanged as u64);
        }
        if let Some(begun) = begun {
            let of = Of { notification: admitted.id, received_at };
            self.traces.admitted(begun, of, parent, told(name, format, &admitted));
        }
        Ok(admitted)
    }

    fn refused(&self, error: StoreError) -> Refused {
        self.fuse.failed(&error);
        Refused::Store(error)
    }
}

/// The facts of an admission's span.
fn told(source: String, format: Format, admitted: &Admitted) -> Told {
    let facts = vec![
        ("wegraf.source", Fact::Text(source)),
        ("wegraf.format", Fact::Text(format.as_str().to_owned())),
        ("wegraf.notification", Fact::Number(admitted.id)),
        ("wegraf.messages", Fact::Number(i64::try_from(admitted.messages).unwrap_or(i64::MAX))),
        ("wegraf.duplicate", Fact::Number(admitted.duplicate.into())),
    ];
    Told { facts, failed: None }
}

/// Targets as the store keeps them.
fn rows<'a>(targets: impl IntoIterator<Item = &'a Target>) -> Vec<TargetRow> {
    targets.into_iter().map(|target| TargetRow::new(target.lane(), target.json())).collect()
}

/// Runs `work` here, or off the threads that serve connections if it is `large`.
pub async fn aside<T: Send + 'static>(large: bool, work: impl FnOnce() -> T + Send + 'static) -> T {
    if !large {
        return work();
    }
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(failed) => std::panic::resume_unwind(failed.into_panic()),
    }
}
