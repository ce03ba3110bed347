//! Questions to the socket and their answers: a question is written once or never, and its asker always learns which.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::value::RawValue;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::frame::Reply;
use crate::Api;
use crate::errcode::Class;
use crate::outcome::{CallError, Failure, Fault};

/// One frame of ours that WeCom answers.
pub(super) struct Question {
    pub(super) api: Api,
    pub(super) req_id: String,
    pub(super) body: Box<RawValue>,
    /// How long WeCom may take, from the first byte of the frame.
    pub(super) patience: Duration,
    /// It must be started by then.
    pub(super) latest: Instant,
    pub(super) ticket: Ticket,
    pub(super) answer: oneshot::Sender<Result<Reply, CallError>>,
}

impl Question {
    /// Answers that it was not written, because of `failure`.
    pub(super) fn turn_away(self, failure: Failure) {
        drop(self.answer.send(Err(CallError::NotDone(failure))));
    }
}

/// Decides between the writer who begins and the asker who gives up: exactly one of them succeeds.
#[derive(Clone, Default)]
pub(super) struct Ticket(Arc<AtomicBool>);

impl Ticket {
    /// Whether this caller now decides the result of the question.
    pub(super) fn take(&self) -> bool {
        !self.0.swap(true, Ordering::SeqCst)
    }
}

/// Writing did not begin before it was too late.
pub(super) fn too_late(api: Api) -> Failure {
    Failure::new(api, Class::Transient, Fault::TooLate, String::new())
}

/// It was written, and no answer came.
pub(super) fn no_answer(api: Api) -> CallError {
    CallError::Unsure(Failure::new(api, Class::Transient, Fault::Timeout, String::new()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_taken_once() {
        let ticket = Ticket::default();
        let other = ticket.clone();
        assert!(other.take());
        assert!(!ticket.take() && !other.take());
    }
}
