//! What follows an attempt, as the store records it. Pure.

use std::collections::HashSet;
use std::time::Duration;

use bytes::Bytes;
use wecom::Missed;

use super::breaker;
use super::health::Health;
use super::retry::{self, Next, Tries};
use super::verdict::{Blame, Verdict};
use super::way::addressed;
use super::worker::{Flight, Moment};
use crate::alert::Timestamp;
use crate::render::Note;
use crate::store::{self, Fallback, Settlement, TargetRow};
use crate::words::words;

/// The receiver that is told instead, and its targets.
pub type Instead = (String, Vec<TargetRow>);

/// A decided settlement.
#[derive(Debug)]
pub struct Decided {
    /// What the store records.
    pub settlement: Settlement,
    /// What happens to the message.
    pub next: Next,
    /// The attempt was for a later part, which only supplements what arrived.
    pub adornment: bool,
    /// The recipients of a message that arrived who were not reached.
    pub missed: Vec<String>,
}

/// Decides what follows the answer to an attempt. `instead`: the fallback of the message's receiver.
pub fn decide(
    flight: &Flight,
    verdict: &Verdict,
    took: Duration,
    instead: Option<Instead>,
    health: &mut Health,
    at: Moment,
) -> Decided {
    let Flight { queued, claimed, .. } = flight;
    let elsewhere = flight.ways.len() == 1 && instead.is_some();
    let tries = Tries {
        attempts: u32::try_from(claimed.epoch).unwrap_or(u32::MAX),
        age_ms: age_ms(queued.created_at, queued.notification.received_at, at.now),
        plain: flight.is_plain(),
        elsewhere,
    };
    let mut next = retry::decide(verdict, tries, at.dice);
    // Later parts only supplement the first (a picture, a mention) or are for further people: the alert arrived.
    let adornment = claimed.part > 0 && matches!(next, Next::Plainer | Next::Dead);
    let is_picture = queued.picture_of.is_some();
    let missed = match verdict {
        Verdict::AcceptedInPart { missed, .. } => names(missed),
        _ if adornment && !is_picture => further(flight.earlier_bodies(), flight.body()),
        _ => Vec::new(),
    };
    let fallback = if is_picture { None } else { fallback(flight, verdict, &next, &missed, instead) };
    if adornment {
        next = Next::Done;
    }
    if is_picture {
        next = retry::of_picture(next, matches!(verdict, Verdict::Unsure(_)));
    }
    let silent = verdict.failed().is_some_and(|failed| failed.blame == Blame::Silence);
    let silent = health.heard(flight.scopes(), silent);
    // An attempt that was in flight when the breaker opened shows nothing new: only a failed probe counts.
    let failures = if claimed.probing { health.failures(flight.scopes()) } else { 0 };
    let breakers = breaker::changes(verdict, flight.scopes(), silent, failures, claimed.probing, elsewhere, at.now);
    let settlement = Settlement {
        claimed: *claimed,
        outcome: outcome(verdict, took),
        next: follows(&next, verdict, at.now),
        fallback,
        breakers,
        spends: flight.changes.clone(),
        pictured: flight.pictured,
    };
    Decided { settlement, next, adornment, missed }
}

/// The people of the part `body` to whom no earlier part was addressed: it is theirs alone. Any other part supplements what
/// arrived.
fn further(earlier: &[Bytes], body: &[u8]) -> Vec<String> {
    let mut further = addressed(body).users;
    for earlier in earlier {
        let reached: HashSet<String> = addressed(earlier).users.into_iter().collect();
        further.retain(|user| !reached.contains(user));
    }
    further
}

/// The receiver that is told because some recipients were not reached.
fn fallback(
    flight: &Flight,
    verdict: &Verdict,
    next: &Next,
    missed: &[String],
    instead: Option<Instead>,
) -> Option<Fallback> {
    let reason = match verdict {
        Verdict::AcceptedInPart { .. } => words("部分接收人未送达", "not everybody was reached"),
        Verdict::NotSent(failed) | Verdict::Unsure(failed)
            if !missed.is_empty() || (*next == Next::Dead && flight.claimed.part == 0) =>
        {
            failed.words()
        }
        Verdict::Accepted(_) | Verdict::NotSent(_) | Verdict::Unsure(_) => return None,
    };
    let (receiver, targets) = instead?;
    let note = Note::Fallback { lane: flight.queued.lane.clone(), reason: reason.recorded(), missed: missed.to_vec() };
    let note_json = serde_json::to_string(&note).expect("a note is JSON");
    Some(Fallback { receiver, note_json, targets })
}

/// The same for the store, which takes the time of the next try.
fn follows(next: &Next, verdict: &Verdict, now: Timestamp) -> store::Next {
    let unsure = matches!(verdict, Verdict::Unsure(_));
    match next {
        Next::Done => store::Next::Accepted,
        Next::Again { after_ms } if unsure => store::Next::UnsureAt(now.plus_millis(*after_ms)),
        Next::Again { after_ms } => store::Next::RetryAt(now.plus_millis(*after_ms)),
        Next::Held if unsure => store::Next::UnsureAt(now),
        Next::Plainer | Next::Held => store::Next::RetryAt(now),
        Next::Dead => store::Next::Dead { reason: reason(verdict) },
        Next::LeftOut(why) => store::Next::LeftOut { why },
    }
}

/// All missed recipients, in one list; departments and tags by the keys that the configuration has for them, which
/// readers of either language know.
pub fn names(missed: &Missed) -> Vec<String> {
    let Missed { users, parties, tags, unlicensed } = missed;
    let numbered =
        |kind: &'static str, ids: &[String]| ids.iter().map(move |id| format!("{kind}: {id}")).collect::<Vec<_>>();
    [users.clone(), unlicensed.clone(), numbered("parties", parties), numbered("tags", tags)].concat()
}

/// The age of a message's newest news: a digest that began long ago may hold an alert of this minute.
fn age_ms(queued_at: Timestamp, news_at: Timestamp, now: Timestamp) -> i64 {
    now.millis_since(queued_at.max(news_at))
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
fn outcome(verdict: &Verdict, took: Duration) -> store::Outcome {
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
            kept.errmsg = Some(failed.words().recorded());
        }
    }
    if let Verdict::AcceptedInPart { missed, .. } = verdict {
        let Missed { users, parties, tags, unlicensed } = missed;
        let lists = serde_json::json!({ "users": users, "parties": parties, "tags": tags, "unlicensed": unlicensed });
        kept.invalid_json = Some(lists.to_string());
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_age_of_a_digest_counts_from_its_newest_news() {
        let at = |minutes: i64| Timestamp(1_700_000_000_000 + minutes * 60_000);
        let (began, now) = (at(0), at(26 * 60));
        assert_eq!(age_ms(began, at(26 * 60 - 1), now), 60_000);
        assert_eq!(age_ms(began, began, now), 26 * 3_600_000, "the control");
        // A copy, which was queued after its news came.
        assert_eq!(age_ms(at(10), began, now), (26 * 60 - 10) * 60_000);
    }

    #[test]
    fn a_part_is_for_further_people_or_supplements_what_arrived() {
        let to = |users: &str| Bytes::from(format!("{{\"touser\":\"{users}\",\"msgtype\":\"text\"}}"));
        // The text in two batches of people, then a picture for each batch.
        let parts = [to("a|b"), to("c"), to("a|b"), to("c")];
        let further = |part: usize| further(&parts[..part], &parts[part]);
        assert_eq!(further(1), ["c"]);
        assert_eq!((further(2), further(3)), (Vec::<String>::new(), Vec::new()));
    }
}
