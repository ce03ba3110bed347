//! Settling: the result of an attempt, the fates of the message's transitions, and fallbacks.

use super::Db;
use super::breaker::apply;
use super::cards::{issue, spend};
use super::changes::wake;
use super::tx::{Fault, Kind, Tx, transaction};
use super::values::{small, values};
use crate::alert::Timestamp;
use crate::names::LaneKey;
use crate::store::words::{shortened, text};
use crate::store::{BreakerChange, Claimed, Fallback, Fate, Next, Outcome, Settlement, State, StoreError, TargetRow};
use futures_util::future::try_join3;

impl Db {
    pub(in crate::store) async fn settle(&self, settlement: Settlement, now: Timestamp) -> Result<State, StoreError> {
        // Only a fallback creates messages.
        let kind = if settlement.fallback.is_some() { Kind::Ordered } else { Kind::Write };
        transaction!(self.writing()?, kind, tx => settle(&tx, &settlement, now))
    }

    pub(in crate::store) async fn resend(
        &self,
        message: i64,
        note_json: &str,
        now: Timestamp,
    ) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT receiver, lane, target FROM message WHERE id = $1";
        transaction!(self.writing()?, Kind::Ordered, tx => async {
            let Some(row) = tx.row(sql, values![message]).await? else { return Ok(None) };
            let receiver: String = row.try_get(0)?;
            let target = TargetRow::new(LaneKey::stored(row.try_get::<_, String>(1)?), row.try_get(2)?);
            let again = copy(&tx, message, &receiver, &target, note_json, now).await?;
            wake(&tx, true).await?;
            Ok(Some(again))
        })
    }
}

async fn settle(tx: &Tx, settlement: &Settlement, now: Timestamp) -> Result<State, Fault> {
    let Claimed { message, epoch, .. } = settlement.claimed;
    let lock = "SELECT parts FROM message WHERE id = $1 AND epoch = $2 AND state = 'sending' FOR NO KEY UPDATE";
    let row = tx.row(lock, values![message, epoch]).await?.ok_or(StoreError::Lost { message })?;
    let (state, not_before, next_part) = settlement.next.apply(settlement.claimed, small(&row, 0)?, now);
    let settled = matches!(state, State::Sent | State::Dead).then_some(now.0);
    let outcome = &settlement.outcome;
    let words = outcome.errmsg.as_deref().map(shortened);
    // Before the message is final: its transitions are copied while they are live.
    if let Some(fallback) = &settlement.fallback {
        fall_back(tx, message, fallback, now).await?;
    }
    let update = "UPDATE message SET state = $2, not_before = $3, next_part = $4, settled_at = $5, outcome = $6,
                                     errcode = $7, error = $8
                  WHERE id = $1";
    let next_part = i64::from(next_part);
    let updated =
        values![message, state.as_str(), not_before.0, next_part, settled, outcome.class, outcome.errcode, words];
    try_join3(
        tx.execute(update, updated),
        answer(tx, settlement.claimed, outcome, words.as_ref()),
        fate(tx, message, &settlement.next, state),
    )
    .await?;
    // In the order in which claims lock them.
    let mut changes: Vec<&BreakerChange> = settlement.breakers.iter().collect();
    changes.sort_by_key(|change| change.scope());
    for change in changes {
        apply(tx, change).await?;
    }
    if let Some(card) = settlement.spends.filter(|_| settlement.next.spends()) {
        spend(tx, card).await?;
    }
    if let (Next::Accepted, Some(code)) = (&settlement.next, &outcome.response_code) {
        issue(tx, message, code, now, false).await?;
    }
    Ok(state)
}

/// Completes the row of an attempt.
async fn answer(tx: &Tx, claimed: Claimed, outcome: &Outcome, words: Option<&String>) -> Result<(), Fault> {
    let sql = "UPDATE attempt SET duration_ms = $3, outcome = $4, http_status = $5, errcode = $6, errmsg = $7,
                                  msgid = $8, response_code = $9, invalid = $10
               WHERE message_id = $1 AND epoch = $2";
    let without_nul = |words: &Option<String>| words.as_deref().map(|words| text(words).into_owned());
    let values = values![
        claimed.message,
        claimed.epoch,
        outcome.duration_ms,
        outcome.class,
        outcome.http_status.map(i64::from),
        outcome.errcode,
        words.cloned(),
        without_nul(&outcome.msgid),
        without_nul(&outcome.response_code),
        without_nul(&outcome.invalid_json),
    ];
    tx.execute(sql, values).await?;
    Ok(())
}

/// Gives the transitions of a settled message their fate: dead with a reason, or as its bytes name or count them.
async fn fate(tx: &Tx, message: i64, next: &Next, state: State) -> Result<(), Fault> {
    let dead = match next {
        Next::Dead { reason } => Some(reason.as_str()),
        _ => None,
    };
    let sql = "UPDATE transition SET reason = $2,
                   fate = CASE WHEN $2 IS NOT NULL THEN $3 WHEN counted THEN $4 ELSE $5 END
               WHERE message_id = $1";
    let values = values![message, dead, Fate::Dead.as_str(), Fate::Counted.as_str(), Fate::Named.as_str()];
    tx.execute_if(matches!(state, State::Sent | State::Dead), sql, values).await?;
    Ok(())
}

/// Copies a message to each target of the fallback, once for all failing targets of one receiver.
async fn fall_back(tx: &Tx, message: i64, fallback: &Fallback, now: Timestamp) -> Result<(), Fault> {
    let sql = "SELECT EXISTS (SELECT 1 FROM message failed
                   JOIN message other ON other.notification_id = failed.notification_id
                        AND other.receiver = failed.receiver AND other.digest = failed.digest
                        AND other.act_id IS NOT DISTINCT FROM failed.act_id
                   JOIN message instead ON instead.origin = other.id AND instead.lane = $2
                        AND instead.notification_id = failed.notification_id
               WHERE failed.id = $1 AND NOT failed.digest)";
    for target in &fallback.targets {
        let told: bool = tx.only(sql, values![message, target.lane.as_str()]).await?.try_get(0)?;
        if !told {
            copy(tx, message, &fallback.receiver, target, &fallback.note_json, now).await?;
        }
    }
    wake(tx, !fallback.targets.is_empty()).await
}

/// Copies a message to another lane or receiver, with transitions of its own.
async fn copy(
    tx: &Tx,
    message: i64,
    receiver: &str,
    target: &TargetRow,
    note: &str,
    now: Timestamp,
) -> Result<i64, Fault> {
    let make = "INSERT INTO message (notification_id, receiver, lane, target, critical, urgent, digest, thread,
                                     created_at, origin, note, act_id)
                SELECT notification_id, $2, $3, $4, critical, urgent, digest, thread, $5, id, $6, act_id
                FROM message WHERE id = $1 RETURNING id";
    let values = values![message, receiver, target.lane.as_str(), target.target_json, now.0, text(note).into_owned()];
    let copied: i64 = tx.only(make, values).await?.try_get(0)?;
    // Sorted before numbering: the transitions of a message are ordered by id.
    let tell = "INSERT INTO transition (alert_id, notification_id, alert_index, message_id, lane, kind, at, starts_at,
                                        ends_at, fate)
                SELECT alert_id, notification_id, alert_index, $2, $3, kind, at, starts_at, ends_at, $4
                FROM transition WHERE message_id = $1 ORDER BY id";
    tx.execute(tell, values![message, copied, target.lane.as_str(), Fate::Pending.as_str()]).await?;
    Ok(copied)
}
