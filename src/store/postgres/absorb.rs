//! A newer message about an alert takes over what older ones still wait to tell of it.

use futures_util::future::try_join;

use super::group::{Absorption, Group};
use super::tx::{Fault, Tx};
use super::values::values;
use crate::names::LaneKey;

/// The pending transitions of an alert in older messages of a lane. OFFSET 0 forces the planner to use the index of
/// pending transitions: right after a storm its statistics are old, and a table it takes for small may not be.
const WAITING: &str = "waiting AS MATERIALIZED (
    SELECT t.id, t.message_id AS older, a.message AS newer, a.at
    FROM unnest($2, $3, $4, $5) AS a (alert, lane, message, at)
    CROSS JOIN LATERAL (SELECT id, message_id FROM transition
                        WHERE alert_id = a.alert AND fate = 'pending' AND lane = a.lane AND message_id < $1 OFFSET 0) t)";

/// Messages from which transitions may be moved.
const UNCLAIMED: &str = "m.version = 0 AND m.state = 'queued' AND NOT m.digest";

/// Moves pending transitions from unclaimed messages to the newer message about the same alert. Digests keep theirs.
pub(super) async fn absorb(tx: &Tx, group: &Group<'_>) -> Result<(), Fault> {
    let all: Vec<(&(i64, &LaneKey), &Absorption)> = group.absorbed.iter().collect();
    let alerts: Vec<i64> = all.iter().map(|(key, _)| key.0).collect();
    let lanes: Vec<&str> = all.iter().map(|(key, _)| key.1.as_str()).collect();
    let messages: Vec<i64> = all.iter().map(|(_, by)| by.message).collect();
    let times: Vec<i64> = all.iter().map(|(_, by)| by.at.0).collect();
    let before = group.messages.first().map_or(0, |message| message.id);
    // Locks first: a claim of one of them waits for us and finds it changed, or we find it claimed.
    let lock = format!(
        "WITH {WAITING} SELECT m.id FROM message m WHERE m.id IN (SELECT older FROM waiting) AND {UNCLAIMED}
         ORDER BY m.id FOR NO KEY UPDATE"
    );
    // All parts of the statement see the transitions as they were before it: a message whose transitions are all moved
    // has none left.
    let take = format!(
        "WITH {WAITING},
             moved AS (
                 UPDATE transition t SET message_id = w.newer FROM waiting w JOIN message m ON m.id = w.older
                 WHERE t.id = w.id AND {UNCLAIMED} RETURNING w.older, w.newer, w.at),
             older AS (
                 SELECT older AS id, max(newer) AS newer, max(at) AS at,
                        count(*) = (SELECT count(*) FROM transition t WHERE t.message_id = moved.older) AS is_empty
                 FROM moved GROUP BY older)
         UPDATE message m SET revision = m.revision + 1,
             state = CASE WHEN o.is_empty THEN 'folded' ELSE m.state END,
             folded_into = CASE WHEN o.is_empty THEN o.newer END,
             settled_at = CASE WHEN o.is_empty THEN o.at END
         FROM older o WHERE m.id = o.id"
    );
    let any = !all.is_empty();
    try_join(
        tx.execute_if(any, &lock, values![before; alerts, lanes, messages, times]),
        tx.execute_if(any, &take, values![before; alerts, lanes, messages, times]),
    )
    .await?;
    Ok(())
}
