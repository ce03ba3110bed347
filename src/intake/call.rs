//! A call of a proven source: its reading and planning.

use bytes::Bytes;

use super::packing::Packing;
use super::plan::{Ends, Plan, Planner, Way};
use super::{Beat, Body, Called, Head, Origin};
use crate::alert::{Alert, Format, Notification, Status, Steady, Timestamp};
use crate::config::{Config, Receiver, Watchdog};
use crate::ingest::{self, Door, Weight};
use crate::names::SourceId;
use crate::room::{NoRoom, Part};
use crate::store::StoreError;
use crate::traces::Parent;

/// A call whose source is proven.
#[derive(Debug)]
pub struct Call {
    /// The source that sent it.
    pub source: SourceId,
    /// The kind of address, which determines how the body is read.
    pub door: Door,
    /// The receiver in the address.
    pub receiver: Option<String>,
    /// The receivers that get all of it instead of the routes: a key or a token in the address selects them.
    pub receivers: Option<Vec<Receiver>>,
    /// Additional mentions, for all its targets.
    pub called: Called,
    /// The request's `Content-Type`.
    pub content_type: Option<String>,
    /// The body as it arrived.
    pub body: Bytes,
    /// Its content encoding.
    pub packing: Packing,
    /// Its share of the memory for incoming bodies, if it is large.
    pub part: Option<Part>,
    /// When it came.
    pub received_at: Timestamp,
    /// The trace of the request.
    pub parent: Option<Parent>,
}

/// The result of a call that was stored.
#[derive(Debug, Clone)]
pub struct Receipt {
    /// The notification; if nothing in it was new, the one that told what it repeats.
    pub id: i64,
    /// The recognised format of the body.
    pub format: Format,
    /// It contained no news, or was received before.
    pub duplicate: bool,
    /// Alerts in it.
    pub alerts: usize,
    /// Targets in all.
    pub targets: usize,
    /// Why it went elsewhere than its address says.
    pub warning: Option<String>,
}

/// Why a call of a proven source is not stored.
#[derive(Debug)]
pub enum Refused {
    /// The source may not post to the receiver in the path.
    OutOfScope {
        /// Its name.
        source: String,
        /// The receiver's.
        receiver: String,
    },
    /// The body, or its decompressed form, is over the limit.
    TooLarge,
    /// There is not enough memory for it, now or in principle.
    NoRoom(NoRoom),
    /// The body is packed in a way that is not known, or cannot be unpacked.
    Encoding(String),
    /// Empty, or not a text.
    Unreadable(ingest::Unreadable),
    /// The store cannot commit now.
    Store(StoreError),
}

/// A call that was read.
pub(super) struct Read {
    pub source: SourceId,
    door: Door,
    receiver: Option<String>,
    receivers: Option<Vec<Receiver>>,
    called: Called,
    body: Body,
    /// Has no alerts if they are planned already.
    pub notification: Notification,
    planned: Option<Alerts>,
}

/// Alerts with their receivers.
struct Alerts {
    count: usize,
    beat: Beat,
    plan: Plan,
}

/// A call with its receivers.
pub(super) struct Planned {
    pub origin: Origin,
    pub head: Head,
    pub body: Body,
    /// Alerts in it.
    pub alerts: usize,
    pub plan: Plan,
    /// Did the routes choose the receivers?
    pub routed: bool,
    pub called: Called,
}

impl Call {
    /// Refuses a call to a receiver that its source may not post to.
    pub(super) fn stays_in_scope(&self, config: &Config) -> Result<(), Refused> {
        let source = self.source.configured().and_then(|name| config.sources.iter().find(|known| known.name == name));
        let receiver = self.receiver.as_ref().filter(|name| config.receivers.contains_key(*name));
        match source.zip(receiver).filter(|(source, receiver)| !source.may_post_to(receiver)) {
            Some((source, receiver)) => {
                Err(Refused::OutOfScope { source: source.name.clone(), receiver: receiver.clone() })
            }
            None => Ok(()),
        }
    }

    /// Unpacks and reads the body; `weight` is its own. The alerts of a fixed shape are planned one by one while they are
    /// read: no end in it is without a key. Pure.
    pub(super) fn read(self, config: &Config, weight: &Weight) -> Result<Read, Refused> {
        let Self { source, door, receiver, receivers, called, content_type, body, packing, received_at, .. } = self;
        let raw = packing.unpack(body, weight)?;
        let mut planning = Planning::new(config, &source, receiver.as_deref(), receivers.as_deref(), &called);
        let each = &mut |alert: Alert| planning.take(&alert, &Ends::new());
        let notification = ingest::read_each(&raw, content_type.as_deref(), door, &config.payloads, received_at, each)
            .map_err(Refused::Unreadable)?;
        let planned = notification.alerts.is_empty().then(|| planning.end());
        let body = Body { raw, content_type, received_at };
        Ok(Read { source, door, receiver, receivers, called, body, notification, planned })
    }
}

impl Read {
    /// Plans the receivers, unless that is done; `ends` tells which alerts its ends mean. Pure.
    pub(super) fn planned(self, config: &Config, ends: &Ends) -> Planned {
        let Self { source, door, receiver, receivers, called, body, notification, planned } = self;
        let Alerts { count, beat, plan } = planned.unwrap_or_else(|| {
            let mut planning = Planning::new(config, &source, receiver.as_deref(), receivers.as_deref(), &called);
            notification.alerts.iter().for_each(|alert| planning.take(alert, ends));
            planning.end()
        });
        Planned {
            alerts: count,
            plan,
            routed: receivers.is_none(),
            called,
            origin: Origin::Source { beat, source, door, receiver },
            head: Head::of(notification),
            body,
        }
    }
}

/// The alerts of a call on their way to receivers.
struct Planning<'a> {
    planner: Planner<'a>,
    watchdog: Option<&'a Watchdog>,
    count: usize,
    beat: Beat,
}

impl<'a> Planning<'a> {
    fn new(
        config: &'a Config,
        source: &'a SourceId,
        receiver: Option<&str>,
        receivers: Option<&'a [Receiver]>,
        called: &'a Called,
    ) -> Self {
        let known = source.configured().and_then(|name| config.sources.iter().find(|known| known.name == name));
        let scope = known.and_then(|known| known.receivers.as_deref());
        let way = receivers.map_or_else(|| Way::by_tree(config, receiver, scope), Way::Given);
        let watchdog = known.and_then(|known| known.watchdog.as_ref());
        Self { planner: Planner::new(way, source, called), watchdog, count: 0, beat: Beat::None }
    }

    /// The next alert; an always-firing one only says that its source is alive.
    fn take(&mut self, alert: &Alert, ends: &Ends) {
        let index = self.count;
        self.count += 1;
        match Watchdog::sees(self.watchdog, alert) {
            Some(Steady::Heartbeat) => {
                self.beat = match alert.status {
                    Status::Firing => Beat::Heard,
                    _ if self.beat == Beat::Heard => Beat::Heard,
                    _ => Beat::Stopped,
                };
                self.planner.keep(index, alert);
            }
            Some(Steady::Helper) => self.planner.keep(index, alert),
            None => self.planner.take(index, alert, ends.get(&index)),
        }
    }

    fn end(self) -> Alerts {
        Alerts { count: self.count, beat: self.beat, plan: self.planner.plan() }
    }
}
