//! Claiming: the only decision that allows a message to be sent. Order, breakers and budgets are checked, and the debit,
//! the frozen bytes and the attempt are written by the same transaction.

use std::collections::{BTreeMap, BTreeSet};

use super::Denied;
use super::changes::{Changes, NewAttempt, NewBytes, StartedMessage};
use super::outbox::{Breaker, Claim, Claimed, PROBE_MS, State, Taken, Way};
use crate::alert::Timestamp;
use crate::budget::{Charge, Window, room};
use crate::names::{Account, LaneKey, Scope};

/// What a claim is decided on.
#[derive(Debug, Default)]
pub struct ClaimFacts {
    /// The lane is still leased to the caller.
    pub held: bool,
    /// The message, if there is one.
    pub head: Option<Head>,
    /// Another message of the lane is being sent.
    pub lane_busy: bool,
    /// An older live message of the lane tells of one of its alerts.
    pub older_tells: bool,
    /// The open breakers among the scopes of the ways.
    pub breakers: BTreeMap<Scope, Breaker>,
    /// The windows of the accounts of the ways; one that is missing is empty.
    pub windows: BTreeMap<Account, Window>,
}

/// A message at the time of its claim.
#[derive(Debug, Clone)]
pub struct Head {
    pub lane: LaneKey,
    pub state: State,
    /// Claims so far.
    pub epoch: i64,
    /// Changes of its content so far.
    pub revision: i64,
    /// The version of its bytes; 0: there are none.
    pub version: u32,
    /// Number of its parts.
    pub parts: u32,
    /// The first part that WeCom has not certainly accepted.
    pub next_part: u32,
    /// May use the reserve of a budget.
    pub urgent: bool,
    /// A picture that follows a message: it gets only what others will hardly miss.
    pub picture: bool,
}

/// The scopes of all ways, each once, in the order in which stores lock them.
pub fn scopes(ways: &[Way]) -> BTreeSet<&Scope> {
    ways.iter().flat_map(|way| &way.scopes).collect()
}

/// The accounts of all ways, each once, in the order in which stores lock them.
pub fn accounts(ways: &[Way]) -> BTreeSet<&Account> {
    let charges = ways.iter().flat_map(|way| &way.charges);
    charges.flat_map(|charge| std::iter::once(&charge.account).chain(&charge.with)).collect()
}

/// Decides whether the message may be sent now, and by which way: the first that is open and has room.
pub fn claim(request: &Claim, facts: ClaimFacts, now: Timestamp) -> Result<(Taken, Changes<'_>), Denied> {
    let ClaimFacts { held, head, lane_busy, older_tells, mut breakers, mut windows } = facts;
    let head = head.filter(|head| held && !lane_busy && head.is_seen_by(request)).ok_or(Denied::Lost)?;
    if older_tells {
        return Ok((Taken::Behind, Changes::default()));
    }
    if request.freeze.is_none() && head.parts == 0 {
        return Err(Denied::Bug("a first claim brings no bytes"));
    }
    if request.freeze.as_ref().is_some_and(|bytes| !bytes.is_sendable()) {
        return Err(Denied::Bug("a claim brings fewer parts than it wants to send"));
    }
    let mut changed: BTreeSet<Account> = BTreeSet::new();
    for (account, window) in &mut windows {
        if window.advance(now) {
            changed.insert(account.clone());
        }
    }
    let chosen = choose(&request.ways, &breakers, &windows, &head, now)?;
    let mut changes = Changes::default();
    let taken = match chosen {
        Err((until, breaker)) => Taken::Wait { until, breaker },
        Ok(index) => {
            let way = &request.ways[index];
            for charge in &way.charges {
                windows.entry(charge.account.clone()).or_default().debit(charge.limit.as_ref(), now);
                changed.insert(charge.account.clone());
            }
            // One message probes; the others wait for its result.
            let mut probing = false;
            for scope in &way.scopes {
                if let Some(open) = breakers.remove(scope) {
                    changes.breakers.push(Breaker { probe_at: now.plus_millis(PROBE_MS), ..open });
                    probing = true;
                }
            }
            let (message, epoch) = (request.message, request.epoch + 1);
            let (version, part) = match &request.freeze {
                Some(bytes) => {
                    let version = head.version + 1;
                    changes.bytes.push(NewBytes { message, version, bytes });
                    (version, bytes.next_part)
                }
                None => (head.version, head.next_part),
            };
            changes.started.push(StartedMessage { message, epoch, at: now });
            changes.attempts.push(NewAttempt { message, epoch, version, part, at: now });
            Taken::Claimed(Claimed { message, epoch, version, part, way: index, probing })
        }
    };
    let window = |account: Account| windows.remove(&account).map(|window| (account, window));
    changes.windows = changed.into_iter().filter_map(window).collect();
    Ok((taken, changes))
}

impl Head {
    /// Is it as the caller saw it, and waiting?
    fn is_seen_by(&self, request: &Claim) -> bool {
        (self.epoch, self.revision, &self.lane) == (request.epoch, request.revision, &request.lease.lane)
            && matches!(self.state, State::Queued | State::Unsure)
    }
}

/// Until when no way may be taken, and the breaker that is open; `None`: the budget is spent.
type Wait = (Timestamp, Option<Scope>);

/// The first way whose breakers let it pass and whose accounts have room; otherwise how long to wait for the best one.
fn choose(
    ways: &[Way],
    breakers: &BTreeMap<Scope, Breaker>,
    windows: &BTreeMap<Account, Window>,
    head: &Head,
    now: Timestamp,
) -> Result<Result<usize, Wait>, Denied> {
    let mut best: Option<Wait> = None;
    for (index, way) in ways.iter().enumerate() {
        let shut = way.scopes.iter().filter_map(|scope| Some((breakers.get(scope)?.keeps_away_until(now)?, scope)));
        // Of several breakers open for equally long, the first.
        let blocked = match shut.rev().max_by_key(|(until, _)| *until) {
            Some((until, scope)) => Some((until, Some(scope.clone()))),
            None => spent(&way.charges, windows, head, now).map(|until| (until, None)),
        };
        match blocked {
            None => return Ok(Ok(index)),
            Some(blocked) if best.as_ref().is_none_or(|(until, _)| blocked.0 < *until) => best = Some(blocked),
            Some(_) => {}
        }
    }
    Ok(Err(best.ok_or(Denied::Bug("a claim names no way to its target"))?))
}

/// When all accounts have room again; `None`: now.
fn spent(charges: &[Charge], windows: &BTreeMap<Account, Window>, head: &Head, now: Timestamp) -> Option<Timestamp> {
    let free_at = |charge: &Charge| {
        let names = std::iter::once(&charge.account).chain(&charge.with);
        let together: Vec<&Window> = names.filter_map(|name| windows.get(name)).collect();
        let limit = charge.limit?;
        let limit = if head.picture { limit.for_pictures() } else { limit };
        room(&together, &limit, head.urgent, now).err()
    };
    charges.iter().filter_map(free_at).max()
}
