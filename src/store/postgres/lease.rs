//! Leases: one replica at a time sends from a lane, and a replica that slept for too long has lost it.
//!
//! Leases run on the database's clock, so that replicas whose clocks differ agree. A replica that is paused between a
//! claim and WeCom's answer may still send one message that another sends too: WeCom knows nothing of the leases.

use futures_util::future::try_join;
use std::time::Duration;

use super::Db;
use super::tx::{Fault, Kind, Tx, transaction};
use super::values::values;
use crate::names::{Duty, LaneKey};
use crate::store::{Lease, StoreError};

impl Db {
    pub(in crate::store) async fn acquire(&self, lane: &LaneKey) -> Result<Option<Lease>, StoreError> {
        let name = lane.as_str();
        transaction!(self.writing()?, Kind::Write, tx => async {
            let epoch = take(&tx, name, &self.0.owner, self.0.lease).await?;
            let Some(epoch) = epoch else {
                tx.undo();
                return Ok(None);
            };
            // The previous holder's lease ended, or it was a worker of this process that ended.
            let sql = "UPDATE message SET state = 'unsure', not_before = 0
                       WHERE settled_at IS NULL AND lane = $1 AND state = 'sending'";
            tx.execute(sql, values![name]).await?;
            Ok(Some(Lease { lane: lane.clone(), epoch }))
        })
    }

    pub(in crate::store) async fn take_on(&self, duty: Duty) -> Result<bool, StoreError> {
        transaction!(self.writing()?, Kind::Write, tx => async {
            let taken = take(&tx, duty.as_str(), &self.0.owner, self.0.lease).await?;
            if taken.is_none() {
                tx.undo();
            }
            Ok(taken.is_some())
        })
    }

    pub(in crate::store) async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        let sql = "UPDATE lane SET lease_until = '-infinity' WHERE name = $1 AND owner = $2 AND epoch = $3";
        transaction!(self.writing()?, Kind::Write, tx => async {
            tx.execute(sql, values![lease.lane.as_str(), self.0.owner, lease.epoch]).await?;
            Ok(())
        })
    }

    /// Releases all lanes of this process.
    pub(super) async fn release_all(&self) -> Result<(), StoreError> {
        let sql = "UPDATE lane SET lease_until = '-infinity' WHERE owner = $1 AND lease_until > clock_timestamp()";
        transaction!(self.writing()?, Kind::Write, tx => async {
            tx.execute(sql, values![self.0.owner]).await?;
            Ok(())
        })
    }
}

/// The epoch, if the lane or duty is free, its lease has ended, or it is ours (of a worker that ended; then the epoch
/// stays). Does not wait for a transaction that has locked the lane.
async fn take(tx: &Tx, name: &str, owner: &String, lease: Duration) -> Result<Option<i64>, Fault> {
    let make =
        "INSERT INTO lane (name, owner, epoch, lease_until) VALUES ($1, '', 0, '-infinity') ON CONFLICT DO NOTHING";
    let take = "WITH free AS (
                    SELECT name FROM lane WHERE name = $1 AND (owner = $2 OR lease_until <= clock_timestamp())
                    FOR UPDATE SKIP LOCKED)
                UPDATE lane SET owner = $2, epoch = epoch + (owner <> $2)::int, lease_until = clock_timestamp() + $3 * interval '1 ms'
                FROM free WHERE lane.name = free.name RETURNING epoch";
    let (_, taken) =
        try_join(tx.execute(make, values![name]), tx.row(take, values![name, *owner, millis(lease)])).await?;
    Ok(taken.map(|row| row.try_get(0)).transpose()?)
}

/// Locks a lane that this lease still holds, and renews the lease.
pub(super) async fn renew(tx: &Tx, lease: &Lease, owner: &String, length: Duration) -> Result<bool, Fault> {
    let sql = "UPDATE lane SET lease_until = clock_timestamp() + $4 * interval '1 ms'
               WHERE name = $1 AND owner = $2 AND epoch = $3";
    Ok(tx.execute(sql, values![lease.lane.as_str(), *owner, lease.epoch, millis(length)]).await? == 1)
}

fn millis(lease: Duration) -> i64 {
    i64::try_from(lease.as_millis()).unwrap_or(i64::MAX)
}
