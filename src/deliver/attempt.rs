//! One attempt: render, send, report.

use std::time::{Duration, Instant};

use bytes::Bytes;
use tracing::{error, info, warn};

use super::bring::{Parcel, bring};
use super::hook::Try;
use super::letter::{Form, Unready};
use super::retry::Next;
use super::verdict::{Blame, Verdict};
use super::worker::{Attempt, Event, Flight, Letter, Written};
use super::{Lanes, STORE_PAUSE, locked};
use crate::alert::Timestamp;
use crate::config::Target;
use crate::incidents::{Kind, Subject};
use crate::metrics::{Attempted, Errcode, Pictured};
use crate::names::LaneKey;
use crate::store::{BreakerChange, LeaveOut, Queued, Settlement, State, StoreError, TargetRow};
use crate::words::Words;

/// Deadline of a mail or a call of a hook, answer included; the same as for calls of WeCom.
const DEADLINE: Duration = Duration::from_secs(10);
/// While a picture is drawn, its lane is looked at this often.
const GLANCE: Duration = Duration::from_millis(100);

impl Lanes {
    /// Loads a message and renders it.
    pub(super) async fn write(&self, message: i64, form: Form) -> Result<Written, StoreError> {
        let Some((mut queued, part)) = self.load(message).await? else { return Ok(Written::Gone) };
        let setup = self.deliver.setup.now();
        let prepared = if queued.picture_of.is_some() {
            let lane = queued.lane.clone();
            tokio::select! {
                prepared = self.writer.prepare(&self.deliver, &setup, &mut queued, form) => prepared,
                // The picture is drawn anew, or found drawn, once nothing else waits.
                () = self.others_wait(&lane) => return Ok(Written::Gone),
            }
        } else {
            self.writer.prepare(&self.deliver, &setup, &mut queued, form).await
        };
        // The message is rendered: what it was read from is not needed while it is sent, and frees memory for others.
        queued.notification.raw = Bytes::new();
        queued.transitions = Vec::new();
        drop(part);
        Ok(match prepared {
            Ok(prepared) => Written::Letter(Box::new(Letter { queued, prepared })),
            Err(Unready::Repair(reason)) => Written::NeedsRepair { message, epoch: queued.epoch, reason },
            Err(Unready::LeftOut(why)) => Written::LeftOut { picture: message, why },
        })
    }

    /// Returns when a message that is no picture can be sent in a lane, or the process stops: then a picture is in the way.
    async fn others_wait(&self, lane: &LaneKey) {
        while !self.stop.is_cancelled() {
            tokio::time::sleep(GLANCE).await;
            let now = self.deliver.clock.now();
            let waiting = self.deliver.store.waiting(lane, now).await;
            if waiting.is_ok_and(|all| all.messages.iter().any(|other| !other.picture && other.due_at <= now)) {
                return;
            }
        }
    }

    /// Leaves out a picture that waits.
    pub(super) async fn leave_out(&self, request: LeaveOut, now: Timestamp) -> Result<(), StoreError> {
        let (picture, why) = (request.picture, request.why);
        self.deliver.store.leave_out(request, now).await?;
        self.left_out(picture, why, 1);
        Ok(())
    }

    /// Tells of pictures that were left out.
    pub(super) fn left_out(&self, of: i64, why: &'static str, pictures: u64) {
        if pictures > 0 {
            warn!(delivery = of, reason = why, pictures, "A message goes without its picture.");
            self.deliver.metrics.pictures.get_or_create(&Pictured { result: why }).inc_by(pictures);
        }
    }

    /// Sends the bytes, unless the claim that was asked for at `asked` took so long that another replica may hold the
    /// lane.
    pub(super) async fn send(&self, flight: &Flight, asked: Instant) -> Event {
        let (setup, lease) = (self.deliver.setup.now(), self.deliver.store.lease());
        let begun = Instant::now();
        let verdict = if asked.elapsed() > patience(lease) {
            Verdict::too_late()
        } else {
            let end = lease.map(|lease| asked + last_byte(lease));
            let attempt = u32::try_from(flight.claimed.epoch).unwrap_or(u32::MAX);
            let tried = Try { message: flight.claimed.message, part: flight.claimed.part, attempt };
            let body = flight.body().clone();
            let parcel = Parcel { channel: flight.channel(), sender: flight.sender(), tried, body };
            bring(&self.deliver, &setup, &self.hooks, parcel, end).await
        };
        let took = begun.elapsed();
        if flight.shows_no_buttons(&verdict) {
            self.writer.refuse_buttons(&flight.target, self.deliver.clock.now());
        }
        let config = self.deliver.setup.now().config.clone();
        let instead = config.fallback(&flight.queued.receiver).map(|(name, receiver)| {
            let targets = receiver.targets.iter().map(|target| TargetRow::new(target.lane(), target.json()));
            (name.to_owned(), targets.collect())
        });
        Event::Answered { verdict, took, instead }
    }

    /// Reports an attempt that was recorded: in the log, the metrics, and as an incident where a recipient was not
    /// reached.
    pub(super) fn tell_of(&self, attempt: &Attempt, state: State, now: Timestamp) {
        let Attempt { flight, verdict, took, decided } = attempt;
        self.count(&flight.target, verdict, *took);
        report(&flight.queued, verdict, &decided.next, decided.adornment);
        for change in &decided.settlement.breakers {
            match change {
                BreakerChange::Open(open) => {
                    error!(
                        scope = %open.scope,
                        reason = open.reason,
                        error = %Words::of_record(&open.error).en,
                        "Nothing is sent this way until it works again; what waits is kept."
                    );
                }
                BreakerChange::Close(scope) => {
                    if locked(&self.health).is_failing(scope) {
                        info!(%scope, "The way works again.");
                    }
                    self.resume(scope);
                }
            }
        }
        self.tell_of_end(attempt, state, now);
    }

    fn tell_of_end(&self, attempt: &Attempt, state: State, now: Timestamp) {
        let metrics = &self.deliver.metrics;
        let Attempt { flight: Flight { queued, .. }, verdict, decided, .. } = attempt;
        let told_instead = decided.settlement.fallback.is_some();
        if queued.picture_of.is_some() {
            if let Next::LeftOut(why) = decided.next {
                self.left_out(queued.message, why, 1);
            } else if state == State::Sent {
                metrics.pictures.get_or_create(&Pictured { result: "sent" }).inc();
            }
            return;
        }
        if state == State::Sent {
            metrics.last_accepted.set(now.0 / 1000);
            #[expect(clippy::cast_precision_loss, reason = "milliseconds of a delivery are far below 2^52")]
            metrics.delivery_seconds.observe(now.millis_since(queued.created_at) as f64 / 1e3);
        } else if state == State::Dead {
            metrics.dead_letters.inc();
        }
        // Recipients that were not reached are reported to the operator where no fallback is told. A later part that
        // was refused leaves the message sent, and is only logged.
        let (kind, detail) = match verdict {
            _ if told_instead => return,
            _ if !decided.missed.is_empty() => {
                let names = decided.missed.join(", ");
                (Kind::Missed, [format!("没有送到：{names}"), format!("not reached: {names}")])
            }
            Verdict::NotSent(failed) | Verdict::Unsure(failed) if state == State::Dead => {
                let show = format!("`wegraf deliveries show {}`", queued.message);
                (Kind::Lost, [format!("{}；{show}", failed.zh), format!("{}; {show}", failed.en)])
            }
            _ => return,
        };
        self.deliver.incidents.note(kind, Subject::Lane(queued.lane.clone()), detail, now);
    }

    /// Settles, retrying while the store is busy, its disk full, or its file or server away: an unrecorded result would
    /// be sent again. A replica that has leased the lane meanwhile is not overwritten.
    pub(super) async fn record_outcome(&self, settlement: Settlement, now: Timestamp) -> Result<State, StoreError> {
        loop {
            match self.deliver.store.settle(settlement.clone(), now).await {
                Err(error) if error.passes() && !self.stop.is_cancelled() => {
                    warn!(%error, "An outcome cannot be recorded; it is tried again.");
                    tokio::time::sleep(STORE_PAUSE).await;
                }
                settled => return settled,
            }
        }
    }

    fn count(&self, target: &Target, verdict: &Verdict, took: Duration) {
        let metrics = &self.deliver.metrics;
        let channel = target.channel().as_str();
        metrics.attempts.get_or_create(&Attempted { channel, outcome: verdict.class() }).inc();
        metrics.send_seconds.observe(took.as_secs_f64());
        if let Some(failed) = verdict.failed()
            && let Some(code) = failed.errcode
        {
            // The table of known codes bounds the label.
            let errcode = if failed.blame == Blame::Unknown { -2 } else { code };
            metrics.errcodes.get_or_create(&Errcode { errcode }).inc();
        }
    }
}

/// Deadline of a send: short enough that it ends within the lease.
pub(super) fn deadline(lease: Option<Duration>) -> Duration {
    lease.map_or(DEADLINE, |lease| DEADLINE.min(lease / 3))
}

/// The part of a lease within which the last byte must be answered: a sixth is left for clock error and for settling.
fn last_byte(lease: Duration) -> Duration {
    lease.saturating_sub(lease / 6)
}

/// The part of a lease within which the first byte must go out, so that the deadline of a send still fits.
fn patience(lease: Option<Duration>) -> Duration {
    lease.map_or(Duration::MAX, |lease| last_byte(lease).saturating_sub(deadline(Some(lease))))
}

/// Logs the result in one line for the operator.
fn report(queued: &Queued, verdict: &Verdict, next: &Next, adornment: bool) {
    let (lane, message, thread) = (&queued.lane, queued.message, queued.thread);
    let failed = match verdict {
        Verdict::Accepted(_) => {
            info!(%lane, delivery = message, %thread, "A message was accepted.");
            return;
        }
        Verdict::AcceptedInPart { missed, .. } => {
            warn!(%lane, delivery = message, %thread, ?missed, "A message was accepted, but not for everybody: correct the receiver.");
            return;
        }
        Verdict::NotSent(failed) | Verdict::Unsure(failed) => failed,
    };
    let error = &failed.en;
    match next {
        Next::Again { after_ms } => {
            warn!(%lane, delivery = message, %thread, after_ms, error, "A message was not accepted; it is tried again.");
        }
        Next::Held => {
            warn!(%lane, delivery = message, %thread, error, "A message was not accepted and waits until its way works again.");
        }
        Next::Plainer => {
            warn!(%lane, delivery = message, %thread, error, "A message was refused; it is tried once more as plain text.");
        }
        // Told with its reason.
        Next::LeftOut(_) => {}
        Next::Done | Next::Dead if adornment => {
            warn!(%lane, delivery = message, %thread, error, "The alert arrived, but a later part of its message was refused.");
        }
        Next::Done | Next::Dead => {
            error!(%lane, delivery = message, %thread, error, "A message was given up; see `wegraf deliveries show`.");
        }
    }
}
