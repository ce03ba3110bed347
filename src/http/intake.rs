//! The only way in: a proven source's body becomes alerts with receivers, and is on disk before the answer.

use axum::body::Bytes;
use serde_json::json;
use tracing::warn;

use super::body::Packing;
use super::{Gate, LARGE_BODY, Refusal, aside};
use crate::alert::{Alert, Format, Notification, Status, Timestamp};
use crate::app::Loaded;
use crate::config::Receiver;
use crate::ingest::{self, Door, Weight};
use crate::metrics::{OfSource, Unmatched};
use crate::names::SourceId;
use crate::room::Part;
use crate::route::{Called, Ends, Incoming, plan, plan_for, related};
use crate::store::related::{Meant, meant};
use crate::store::{Admission, Admitted};

/// Ends in one body that are matched with firing alerts; further ones are told unmatched.
const ENDS: usize = 500;

/// A call whose source is proven.
pub(super) struct Call {
    /// The source that sent it.
    pub source: SourceId,
    /// The kind of address, which determines how the body is read.
    pub door: Door,
    /// The receiver in the address.
    pub receiver: Option<String>,
    /// The receivers that get all of it, whatever the routes say: a key or a token in the address selects them.
    pub receivers: Option<Vec<Receiver>>,
    /// Whom it mentions besides, wherever it goes.
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
}

/// An accepted call, for the answer.
#[derive(Clone)]
pub(super) struct Taken {
    /// The notification; if nothing in it was new, the one that told what it repeats.
    pub id: i64,
    /// What the body was recognised as.
    pub format: Format,
    /// The answer at our own addresses.
    pub answer: serde_json::Value,
}

impl Taken {
    /// The same, for a sender that did not get the answer and retried.
    pub fn again(mut self) -> Self {
        self.answer["duplicate"] = true.into();
        self
    }
}

impl Gate {
    /// Parses, plans and stores. Returns after the commit. Waits for its share of the memory, which it holds until
    /// then.
    pub(super) async fn admit(&self, mut call: Call) -> Result<Taken, Refusal> {
        let loaded = self.app.loaded();
        call.stays_in_scope(&loaded)?;
        let (body, packing) = (call.body.clone(), call.packing);
        let weight = aside(body.len() > LARGE_BODY, move || packing.weigh(&body)).await?;
        let _room = self.app.room().understood(weight.memory()).await.map_err(Refusal::NoRoom)?;
        drop(call.part.take());
        let received_at = call.received_at;
        let large = weight.bytes() > LARGE_BODY;
        let under = loaded.clone();
        let read = aside(large, move || call.read(&under, &weight)).await?;
        let ends = self.ends(&read.source, &read.notification).await?;
        let understood = aside(large, move || Ok(read.planned(&loaded, &ends)));
        let Understood { admission, alerts, targets, warning, watchdog } = understood.await?;
        if let Some(source) = watchdog {
            self.app.store().hear(&source, received_at).await.map_err(|error| self.store_refusal(error))?;
        }
        let format = admission.format;
        let admitted = self.keep(admission).await?;
        let mut answer =
            json!({ "id": admitted.id, "duplicate": admitted.duplicate, "alerts": alerts, "targets": targets });
        if format == Format::Opaque {
            answer["opaque"] = true.into();
        }
        if let Some(warning) = warning {
            warn!(%warning, "A notification was routed otherwise than its address says.");
            answer["warning"] = warning.into();
        }
        Ok(Taken { id: admitted.id, format, answer })
    }

    /// What the ends without a key mean, for bodies read by the general reader.
    async fn ends(&self, source: &SourceId, notification: &Notification) -> Result<Ends, Refusal> {
        let mut ends = Ends::new();
        let over = notification.alerts.iter().enumerate().filter(|(_, alert)| alert.status == Status::Resolved);
        for (index, alert) in over.take(ENDS) {
            let Some(kin) = related(source, alert) else { continue };
            let identity = alert.identity(source);
            let candidates = self.app.store().candidates(identity, &kin).await;
            let meant = meant(identity, &kin, candidates.map_err(|error| self.store_refusal(error))?);
            let reason = match &meant {
                Meant::One(_) => None,
                Meant::Nothing => Some("none"),
                Meant::Unclear(_) => Some("several"),
            };
            if let Some(reason) = reason {
                self.app.metrics().ends_unmatched.get_or_create(&Unmatched { reason }).inc();
            }
            ends.insert(index, meant);
        }
        Ok(ends)
    }

    /// Makes an admission durable.
    pub(super) async fn keep(&self, admission: Admission) -> Result<Admitted, Refusal> {
        let source = admission.source.to_string();
        let admitted = self.app.store().admit(admission).await.map_err(|error| self.store_refusal(error))?;
        if admitted.unchanged > 0 {
            let repeated = self.app.metrics().alerts_repeated.get_or_create(&OfSource { source });
            repeated.inc_by(admitted.unchanged as u64);
        }
        Ok(admitted)
    }
}

/// The result of parsing a call.
struct Understood {
    admission: Admission,
    /// Alerts in it.
    alerts: usize,
    targets: usize,
    warning: Option<String>,
    /// The source whose always-firing alert it contains.
    watchdog: Option<String>,
}

impl Call {
    /// Refuses a call to a receiver that its source may not post to.
    fn stays_in_scope(&self, loaded: &Loaded) -> Result<(), Refusal> {
        let config = &loaded.config;
        let source = self.source.configured().and_then(|name| config.sources.iter().find(|known| known.name == name));
        let receiver = self.receiver.as_ref().filter(|name| config.receivers.contains_key(*name));
        match source.zip(receiver).filter(|(source, receiver)| !source.may_post_to(receiver)) {
            Some((source, receiver)) => {
                Err(Refusal::OutOfScope { source: source.name.clone(), receiver: receiver.clone() })
            }
            None => Ok(()),
        }
    }

    /// Parses the body. Pure.
    fn read(self, loaded: &Loaded, weight: &Weight) -> Result<Read, Refusal> {
        let Self { source, door, receiver, receivers, called, content_type, body, packing, received_at, .. } = self;
        let body = packing.unpack(body, weight)?;
        let payloads = &loaded.config.payloads;
        let notification =
            ingest::read(&body, content_type.as_deref(), door, payloads, received_at).map_err(Refusal::Unreadable)?;
        Ok(Read { source, door, receiver, receivers, called, content_type, body, received_at, notification })
    }
}

/// A parsed call.
struct Read {
    source: SourceId,
    door: Door,
    receiver: Option<String>,
    receivers: Option<Vec<Receiver>>,
    called: Called,
    content_type: Option<String>,
    body: Bytes,
    received_at: Timestamp,
    notification: Notification,
}

impl Read {
    /// Plans the receivers; `ends` tells which alerts its ends mean. Pure.
    fn planned(self, loaded: &Loaded, ends: &Ends) -> Understood {
        let Self { source, door, receiver, receivers, called, content_type, body, received_at, notification } = self;
        let config = &loaded.config;
        let known = source.configured().and_then(|name| config.sources.iter().find(|known| known.name == name));
        let format = notification.format;
        let watchdog = known.and_then(|known| known.watchdog.as_ref());
        let is_watchdog = |alert: &Alert| watchdog.is_some_and(|watchdog| watchdog.is(alert));
        let heard = notification.alerts.iter().any(|alert| alert.status == Status::Firing && is_watchdog(alert));
        let scope = known.and_then(|known| known.receivers.as_deref());
        let incoming = Incoming { source: &source, notification: &notification, ends, called: &called };
        let plan = match &receivers {
            Some(receivers) => plan_for(receivers, incoming, is_watchdog),
            None => plan(config, incoming, receiver.as_deref(), scope, is_watchdog),
        };
        let (alerts, targets, warning) = (notification.alerts.len(), plan.targets(), plan.warning);
        let admission = Admission {
            source,
            format,
            content_type,
            path_receiver: receiver,
            sender: notification.external_url,
            group_key: notification.group_key,
            received_at,
            raw: body,
            push: door == Door::AlertsPush || format == Format::AlertsPush,
            test: notification.test,
            deliveries: plan.deliveries,
        };
        Understood {
            admission,
            alerts,
            targets,
            warning,
            watchdog: known.filter(|_| heard).map(|known| known.name.clone()),
        }
    }
}
