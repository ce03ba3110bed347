//! The one way in: what a proven source sent becomes alerts with receivers, and is on disk before anybody is answered.

use axum::body::Bytes;
use serde_json::json;
use tracing::warn;

use super::{Gate, Refusal};
use crate::alert::{Alert, Format, Status, Timestamp};
use crate::ingest::{self, Door};
use crate::names::SourceId;
use crate::route::plan;
use crate::store::{Admission, Admitted};

/// A call whose source is proven, with its body as it was before `Content-Encoding`.
pub(super) struct Call {
    /// Which source sent it.
    pub source: SourceId,
    /// How the body is read.
    pub door: Door,
    /// The receiver that the address names.
    pub receiver: Option<String>,
    /// The request's `Content-Type`.
    pub content_type: Option<String>,
    /// The body.
    pub body: Bytes,
    /// When it came.
    pub received_at: Timestamp,
}

/// What was taken, for the answer.
#[derive(Clone)]
pub(super) struct Taken {
    /// What the body was recognised as.
    pub format: Format,
    /// The answer at the addresses of our own.
    pub answer: serde_json::Value,
}

impl Taken {
    /// The same, for a sender who did not hear the answer and sent it again.
    pub fn again(mut self) -> Self {
        self.answer["duplicate"] = true.into();
        self
    }
}

impl Gate {
    /// Reads, plans and stores. Returns after the commit.
    pub(super) async fn admit(&self, call: Call) -> Result<Taken, Refusal> {
        let loaded = self.app.loaded();
        let config = &loaded.config;
        let Call { source, door, receiver, content_type, body, received_at } = call;
        let known = source.configured().and_then(|name| config.sources.iter().find(|known| known.name == name));
        let named = receiver.as_ref().filter(|name| config.receivers.contains_key(*name));
        if let Some((source, receiver)) = known.zip(named).filter(|(known, name)| !known.may_post_to(name)) {
            let source = source.name.clone();
            return Err(Refusal::OutOfScope { source, receiver: receiver.clone() });
        }
        let notification = ingest::read(&body, content_type.as_deref(), door, &config.payloads, received_at)
            .map_err(Refusal::Unreadable)?;
        let format = notification.format;
        let watchdog = known.and_then(|known| known.watchdog.as_ref());
        let is_watchdog = |alert: &Alert| watchdog.is_some_and(|watchdog| watchdog.is(alert));
        let heard = notification.alerts.iter().any(|alert| alert.status == Status::Firing && is_watchdog(alert));
        if let Some(known) = known.filter(|_| heard) {
            self.app.store().hear(&known.name, received_at).await.map_err(|error| self.store_refusal(error))?;
        }
        let scope = known.and_then(|known| known.receivers.as_deref());
        let plan = plan(config, &source, &notification, receiver.as_deref(), scope, is_watchdog);
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
        Ok(Taken { format, answer })
    }

    /// Makes an admission durable and wakes its lanes.
    pub(super) async fn keep(&self, admission: Admission) -> Result<Admitted, Refusal> {
        let admitted = self.app.store().admit(admission).await.map_err(|error| self.store_refusal(error))?;
        if admitted.messages > 0 {
            self.app.wake().notify_one();
        }
        Ok(admitted)
    }
}
