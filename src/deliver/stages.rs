//! What the span of a delivery's stage says. Pure.

use super::verdict::Verdict;
use super::worker::{Event, Worker, Written};
use crate::store::{Queued, StoreError};
use crate::traces::{Fact, Of, Told};

/// The notification of the message at hand, and the facts of its stage that ended with `event`; `None` if there is no
/// message any more.
pub(super) fn told(worker: &Worker, event: &Result<Event, StoreError>) -> Option<(Of, Told)> {
    let queued = match event {
        Ok(Event::Written(Written::Letter(letter))) => &letter.queued,
        _ => worker.queued()?,
    };
    let mut told = Told { facts: facts(queued), failed: None };
    match event {
        Ok(Event::Answered { verdict, .. }) => sent(worker, verdict, &mut told),
        Ok(_) => {}
        Err(error) => told.failed = Some(error.to_string()),
    }
    let of = Of { notification: queued.notification.id, received_at: queued.notification.received_at };
    Some((of, told))
}

fn facts(queued: &Queued) -> Vec<(&'static str, Fact)> {
    vec![
        ("wegraf.message", Fact::Number(queued.message)),
        ("wegraf.notification", Fact::Number(queued.notification.id)),
        ("wegraf.incident", Fact::Text(queued.thread.to_string())),
        ("wegraf.receiver", Fact::Text(queued.receiver.clone())),
        ("wegraf.digest", Fact::Number(queued.digest.into())),
        ("wegraf.attempt", Fact::Number(queued.epoch + 1)),
    ]
}

fn sent(worker: &Worker, verdict: &Verdict, told: &mut Told) {
    if let Some(flight) = worker.flight() {
        told.facts.push(("wegraf.channel", Fact::Text(flight.target.channel().as_str().to_owned())));
    }
    told.facts.push(("wegraf.outcome", Fact::Text(verdict.class().to_owned())));
    if let Some(failed) = verdict.failed() {
        told.facts.extend(failed.errcode.map(|code| ("wecom.errcode", Fact::Number(code))));
        told.failed = Some(failed.en.clone());
    }
}
