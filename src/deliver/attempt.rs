//! One attempt: claim, send, settle.

use std::time::{Duration, Instant};

use bytes::Bytes;
use tracing::{error, info, warn};
use wecom::Missed;

use super::breaker::{self, Scopes};
use super::bring::{Parcel, bring};
use super::card;
use super::hook::Try;
use super::letter::{Form, PLAIN, Prepared};
use super::retry::{self, Next, Tries};
use super::verbatim;
use super::verdict::{Blame, Verdict};
use super::way::addressed;
use super::{Lanes, STORE_PAUSE, locked};
use crate::alert::Timestamp;
use crate::config::{Channel, Face, Target};
use crate::incidents::{Kind, Subject};
use crate::metrics::{Attempted, Errcode};
use crate::names::Scope;
use crate::render::Note;
use crate::room::Part;
use crate::store::{
    self, BreakerChange, Claim, Claimed, Fallback, Lease, Queued, Settlement, State, StoreError, Taken, TargetRow,
};

/// Deadline of a mail or a call of a hook, answer included; the same as for calls of WeCom.
const DEADLINE: Duration = Duration::from_secs(10);
/// An app without a callback cannot send cards with buttons (wecom-api §3.5).
const NO_CALLBACK: i64 = 43012;
/// How long a message waits whose app, webhook or list of people is missing from the configuration.
const REPAIR_MS: i64 = 60_000;

/// The result of an attempt.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Tried {
    /// It was made, and this follows.
    Went(Next),
    /// The budget is spent or a breaker is open.
    MustWait { until: Timestamp, breaker: Option<Scope> },
    /// An older message of its lane must go first.
    Behind,
    /// It waits for a repair of the configuration.
    NeedsRepair,
}

/// An attempt that was made.
struct Attempt<'a> {
    queued: &'a Queued,
    claimed: Claimed,
    target: &'a Target,
    scopes: &'a Scopes,
    /// The target has no other way.
    alone: bool,
    body: &'a [u8],
    /// The bytes were short plain text.
    plain: bool,
    /// The card that the bytes update.
    changes: Option<i64>,
    verdict: Verdict,
    took: Duration,
}

impl Lanes {
    /// One attempt at the next part of a message.
    pub(super) async fn try_once(
        &self,
        lease: &Lease,
        (mut queued, part): (Queued, Option<Part>),
        form: Form,
    ) -> Result<Tried, StoreError> {
        let store = &self.deliver.store;
        let setup = self.deliver.setup.now();
        let prepared = self.writer.prepare(&self.deliver, &setup, &queued, form).await;
        // The request body is rendered: its source is not needed while it is sent, and frees memory for others.
        queued.notification.raw = Bytes::new();
        queued.transitions = Vec::new();
        drop(part);
        let queued = &queued;
        let Prepared { target, ways, freeze, bodies, changes } = match prepared {
            Ok(prepared) => prepared,
            Err(reason) => {
                // A fault of the configuration: an app, a webhook or a list of people is missing.
                error!(lane = %queued.lane, delivery = queued.message, %reason, "A message waits for a repair of the configuration.");
                store
                    .postpone(queued.message, queued.epoch, self.deliver.clock.now().plus_millis(REPAIR_MS), &reason)
                    .await?;
                return Ok(Tried::NeedsRepair);
            }
        };
        let face = freeze.as_ref().map(|freeze| &freeze.face).or(queued.frozen.as_ref().map(|frozen| &frozen.face));
        // No simpler form is left: it is plain text already, or a file.
        let plain = face.is_some_and(|face| face == PLAIN || face == verbatim::FILE);
        let buttons = face.is_some_and(|face| face == card::BUTTONS);
        let carded = buttons || face.is_some_and(|face| face == Face::Card.as_str());
        let update = face.is_some_and(|face| face == card::UPDATE);
        let claim = Claim {
            lease: lease.clone(),
            message: queued.message,
            epoch: queued.epoch,
            revision: queued.revision,
            freeze,
            ways: ways.iter().map(super::Way::for_claim).collect(),
        };
        let asked = Instant::now();
        let claimed = match store.claim(claim, self.deliver.clock.now()).await? {
            Taken::Claimed(claimed) => claimed,
            Taken::Wait { until, breaker } => return Ok(Tried::MustWait { until, breaker }),
            Taken::Behind => return Ok(Tried::Behind),
        };
        let way = &ways[claimed.way];
        let body = bodies.get(claimed.part as usize).cloned().unwrap_or_default();
        let begun = Instant::now();
        let verdict = if asked.elapsed() > patience(store.lease()) {
            // Paused in between: another replica may hold the lane by now, or soon will.
            Verdict::too_late()
        } else {
            let end = store.lease().map(|lease| asked + last_byte(lease));
            let channel = if update { Some(wecom::Channel::CardUpdate) } else { target.channel().wecom() };
            let attempt = u32::try_from(claimed.epoch).unwrap_or(u32::MAX);
            let tried = Try { message: claimed.message, part: claimed.part, attempt };
            let parcel = Parcel { channel, sender: &way.sender, tried, body: body.clone() };
            bring(&self.deliver, &setup, &self.hooks, parcel, end).await
        };
        let took = begun.elapsed();
        let failed = verdict.failed();
        let no_callback = buttons && failed.and_then(|failed| failed.errcode) == Some(NO_CALLBACK);
        let no_cards = carded
            && target.channel() == Channel::Bot
            && failed.is_some_and(|failed| matches!(failed.blame, Blame::Message { worth_plain_text: true, .. }));
        if no_callback || no_cards {
            self.writer.refuse_buttons(&target, self.deliver.clock.now());
        }
        let (target, scopes) = (&target, &way.scopes);
        let alone = ways.len() == 1;
        self.settle(Attempt { queued, claimed, target, scopes, alone, body: &body, plain, changes, verdict, took })
            .await
            .map(Tried::Went)
    }

    /// Decides what follows an attempt, records both, and reports it in the log and the metrics.
    async fn settle(&self, attempt: Attempt<'_>) -> Result<Next, StoreError> {
        let now = self.deliver.clock.now();
        let Attempt { queued, claimed, verdict, .. } = &attempt;
        let elsewhere = attempt.alone && self.deliver.setup.now().config.fallback(&queued.receiver).is_some();
        let tries = Tries {
            attempts: u32::try_from(claimed.epoch).unwrap_or(u32::MAX),
            age_ms: now.millis_since(queued.created_at),
            plain: attempt.plain,
            elsewhere,
        };
        let mut next = retry::decide(verdict, tries, rand::random());
        // Later parts only supplement the first (a picture, a mention) or are for further people: the alert arrived.
        let adornment = claimed.part > 0 && matches!(next, Next::Plainer | Next::Dead);
        let fallback = self.fallback(&attempt, &next);
        if adornment {
            next = Next::Done;
        }
        let follows = follows(&next, verdict, now);
        let breakers = self.breakers(&attempt, elsewhere, now);
        let outcome = record(verdict, attempt.took);
        let told_instead = fallback.is_some();
        let settlement = Settlement {
            claimed: *claimed,
            outcome,
            next: follows,
            fallback,
            breakers: breakers.clone(),
            spends: attempt.changes,
        };
        let state = self.record_outcome(settlement, now).await?;
        self.count(attempt.target, verdict, attempt.took);
        report(queued, verdict, &next, adornment);
        self.tell_of_breakers(&breakers, claimed.probing);
        self.tell_of_end(&attempt, state, told_instead, now);
        Ok(next)
    }

    fn tell_of_end(&self, attempt: &Attempt<'_>, state: State, told_instead: bool, now: Timestamp) {
        let metrics = &self.deliver.metrics;
        let Attempt { queued, verdict, .. } = attempt;
        if state == State::Sent {
            metrics.last_accepted.set(now.0 / 1000);
            #[expect(clippy::cast_precision_loss, reason = "milliseconds of a delivery are far below 2^52")]
            metrics.delivery_seconds.observe(now.millis_since(queued.created_at) as f64 / 1e3);
        } else if state == State::Dead {
            metrics.dead_letters.inc();
        }
        // A failed recipient is always reported: without a fallback, to the operator.
        let (kind, detail) = match verdict {
            _ if told_instead => return,
            Verdict::AcceptedInPart { missed, .. } => {
                let names = names(missed).join(", ");
                (Kind::Missed, [format!("没有送到：{names}"), format!("not reached: {names}")])
            }
            Verdict::NotSent(failed) | Verdict::Unsure(failed) if state == State::Dead => {
                let show = format!("`wegraf deliveries show {}`", queued.message);
                (Kind::Lost, [format!("{}；{show}", failed.zh), format!("{}; {show}", failed.en)])
            }
            Verdict::Accepted(_) | Verdict::NotSent(_) | Verdict::Unsure(_) => return,
        };
        self.deliver.incidents.note(kind, Subject::Lane(queued.lane.clone()), detail, now);
    }

    /// The receiver that is told because some recipients were not reached.
    fn fallback(&self, attempt: &Attempt<'_>, next: &Next) -> Option<Fallback> {
        let (reason, missed) = match &attempt.verdict {
            Verdict::AcceptedInPart { missed, .. } => {
                ("部分接收人未送达 not everybody was reached".to_owned(), names(missed))
            }
            Verdict::NotSent(failed) | Verdict::Unsure(failed) if *next == Next::Dead => {
                // A later part for further people is theirs alone; any other only supplements what arrived.
                let others = attempt.claimed.part > 0;
                if others && !matches!(failed.blame, Blame::Message { receivers: true, .. }) {
                    return None;
                }
                (failed.zh.clone(), if others { addressed(attempt.body).users } else { Vec::new() })
            }
            Verdict::Accepted(_) | Verdict::NotSent(_) | Verdict::Unsure(_) => return None,
        };
        let config = self.deliver.setup.now().config.clone();
        let (name, receiver) = config.fallback(&attempt.queued.receiver)?;
        let note = Note::Fallback { lane: attempt.queued.lane.clone(), reason, missed };
        let targets = receiver.targets.iter().map(|target| TargetRow::new(target.lane(), target.json())).collect();
        let note_json = serde_json::to_string(&note).expect("a note is JSON");
        Some(Fallback { receiver: name.to_owned(), note_json, targets })
    }

    /// What the attempt shows about its way.
    fn breakers(&self, attempt: &Attempt<'_>, elsewhere: bool, now: Timestamp) -> Vec<BreakerChange> {
        let scopes = attempt.scopes;
        let host = scopes.host.as_ref().unwrap_or(&scopes.sender);
        let silent = if attempt.verdict.failed().is_some_and(|failed| failed.blame == Blame::Silence) {
            let mut silent = locked(&self.silent);
            let calls = silent.entry(host.clone()).or_default();
            *calls += 1;
            *calls
        } else {
            locked(&self.silent).remove(host);
            0
        };
        let probing = attempt.claimed.probing;
        // An attempt that was in flight when the breaker opened shows nothing new: only a failed probe counts.
        let failures = std::iter::once(&scopes.sender)
            .chain(&scopes.route)
            .filter_map(|scope| locked(&self.failures).get(scope).copied().filter(|_| probing))
            .max()
            .unwrap_or_default();
        breaker::changes(&attempt.verdict, attempt.scopes, silent, failures, probing, elsewhere, now)
    }

    fn tell_of_breakers(&self, changes: &[BreakerChange], probing: bool) {
        for change in changes {
            match change {
                BreakerChange::Open(open) => {
                    let mut failures = locked(&self.failures);
                    let in_vain = failures.entry(open.scope.clone()).or_default();
                    *in_vain = if probing { *in_vain + 1 } else { (*in_vain).max(1) };
                    drop(failures);
                    error!(
                        scope = %open.scope,
                        reason = open.reason,
                        error = open.error,
                        "Nothing is sent this way until it works again; what waits is kept."
                    );
                }
                BreakerChange::Close(scope) => {
                    if locked(&self.failures).contains_key(scope) {
                        info!(%scope, "The way works again.");
                    }
                    self.resume(scope);
                }
            }
        }
    }

    /// Settles, retrying while the store is busy, its disk full, or its file or server away: an unrecorded result would
    /// be sent again. A replica that has leased the lane meanwhile is not overwritten.
    async fn record_outcome(&self, settlement: Settlement, now: Timestamp) -> Result<State, StoreError> {
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

/// The same for the store, which takes the time of the next try.
pub(super) fn follows(next: &Next, verdict: &Verdict, now: Timestamp) -> store::Next {
    let unsure = matches!(verdict, Verdict::Unsure(_));
    match next {
        Next::Done => store::Next::Accepted,
        Next::Again { after_ms } if unsure => store::Next::UnsureAt(now.plus_millis(*after_ms)),
        Next::Again { after_ms } => store::Next::RetryAt(now.plus_millis(*after_ms)),
        Next::Held if unsure => store::Next::UnsureAt(now),
        Next::Plainer | Next::Held => store::Next::RetryAt(now),
        Next::Dead => store::Next::Dead { reason: reason(verdict) },
    }
}

/// All missed recipients, in one list.
fn names(missed: &Missed) -> Vec<String> {
    let Missed { users, parties, tags, unlicensed } = missed;
    let numbered =
        |kind: &'static str, ids: &[String]| ids.iter().map(move |id| format!("{kind} {id}")).collect::<Vec<_>>();
    [users.clone(), unlicensed.clone(), numbered("部门", parties), numbered("标签", tags)].concat()
}

/// Why a message became dead, from a closed set.
fn reason(verdict: &Verdict) -> String {
    match verdict.failed() {
        Some(failed) if matches!(failed.blame, Blame::Message { .. }) => {
            let code = failed.errcode.or(failed.status.map(i64::from));
            code.map_or_else(|| "refused".to_owned(), |code| format!("refused:{code}"))
        }
        _ => "expired".to_owned(),
    }
}

/// The verdict as the store keeps it.
fn record(verdict: &Verdict, took: Duration) -> store::Outcome {
    let mut kept = store::Outcome {
        class: verdict.class(),
        duration_ms: i64::try_from(took.as_millis()).unwrap_or(i64::MAX),
        ..store::Outcome::default()
    };
    match verdict {
        Verdict::Accepted(receipt) | Verdict::AcceptedInPart { receipt, .. } => {
            kept.errcode = Some(0);
            kept.msgid.clone_from(&receipt.msgid);
            kept.response_code.clone_from(&receipt.response_code);
        }
        Verdict::NotSent(failed) | Verdict::Unsure(failed) => {
            kept.errcode = failed.errcode;
            kept.http_status = failed.status;
            kept.errmsg = Some(failed.zh.clone());
        }
    }
    if let Verdict::AcceptedInPart { missed, .. } = verdict {
        let Missed { users, parties, tags, unlicensed } = missed;
        let lists = serde_json::json!({ "users": users, "parties": parties, "tags": tags, "unlicensed": unlicensed });
        kept.invalid_json = Some(lists.to_string());
    }
    kept
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
        Next::Done | Next::Dead if adornment => {
            warn!(%lane, delivery = message, %thread, error, "The alert arrived, but a later part of its message was refused.");
        }
        Next::Done | Next::Dead => {
            error!(%lane, delivery = message, %thread, error, "A message was given up; see `wegraf deliveries show`.");
        }
    }
}
