//! Claiming: the only place that allows a message to be sent. Order, breakers, budgets and the frozen bytes are decided
//! and written in the same transaction.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::Db;
use super::breaker::{probe, shut};
use super::statement::Prepare as _;
use crate::alert::Timestamp;
use crate::budget::{Charge, Window, room};
use crate::names::{Account, Scope};
use crate::store::{Claim, Claimed, Freeze, Naming, StoreError, Taken, Way};

impl Db {
    pub(in crate::store) async fn claim(&self, claim: Claim, now: Timestamp) -> Result<Taken, StoreError> {
        self.write(move |connection| take(connection, &claim, now)).await
    }
}

/// The message at the time of its claim.
struct Head {
    version: u32,
    next_part: u32,
    parts: u32,
    urgent: bool,
    /// Another message of its lane is being sent.
    busy: bool,
    /// It is the oldest live message of its lane.
    first: bool,
}

fn take(connection: &Connection, claim: &Claim, now: Timestamp) -> Result<Taken, StoreError> {
    let head = head(connection, claim)?.ok_or(StoreError::Lost { message: claim.message })?;
    if head.busy {
        return Err(StoreError::Lost { message: claim.message });
    }
    if !head.first && is_behind(connection, claim.message)? {
        return Ok(Taken::Behind);
    }
    if claim.freeze.is_none() && head.parts == 0 {
        return Err(StoreError::bug("a first claim brings no bytes"));
    }
    let (way, probing) = match choose(connection, &claim.ways, head.urgent, now)? {
        Ok(chosen) => chosen,
        Err(wait) => return Ok(wait),
    };
    for charge in &claim.ways[way].charges {
        debit(connection, charge, now)?;
    }
    let (version, part) = match &claim.freeze {
        Some(bytes) => (freeze(connection, claim.message, head.version + 1, bytes)?, bytes.next_part),
        None => (head.version, head.next_part),
    };
    let epoch = claim.epoch + 1;
    connection.held("UPDATE message SET state = 'sending', epoch = ?2, claimed_at = ?3 WHERE id = ?1")?.execute([
        claim.message,
        epoch,
        now.0,
    ])?;
    connection
        .held("INSERT INTO attempt (message_id, epoch, version, part, at) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![claim.message, epoch, version, part, now.0])?;
    Ok(Taken::Claimed(Claimed { message: claim.message, epoch, version, part, way, probing }))
}

fn head(connection: &Connection, claim: &Claim) -> Result<Option<Head>, StoreError> {
    let mut select = connection.held(
        "SELECT version, next_part, parts, urgent,
             EXISTS (SELECT 1 FROM message WHERE settled_at IS NULL AND lane = m.lane AND state = 'sending'),
             id = (SELECT min(id) FROM message WHERE settled_at IS NULL AND lane = m.lane)
         FROM message m
         WHERE id = ?1 AND epoch = ?2 AND revision = ?3 AND lane = ?4 AND state IN ('queued', 'unsure')",
    )?;
    let found =
        select.query_row(params![claim.message, claim.epoch, claim.revision, claim.lease.lane.as_str()], |row| {
            Ok(Head {
                version: row.get(0)?,
                next_part: row.get(1)?,
                parts: row.get(2)?,
                urgent: row.get(3)?,
                busy: row.get(4)?,
                first: row.get(5)?,
            })
        });
    Ok(found.optional()?)
}

/// Does an older live message of its lane share an alert with it? Then this one must wait: an end never overtakes its
/// beginning.
fn is_behind(connection: &Connection, message: i64) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM transition mine
                   JOIN transition older ON older.alert_id = mine.alert_id AND older.fate = 'pending'
                        AND older.lane = mine.lane AND older.message_id < mine.message_id
               WHERE mine.message_id = ?1)";
    Ok(connection.held(sql)?.query_row([message], |row| row.get(0))?)
}

/// The first way whose breakers let it pass (and whether it probes one) and whose accounts have room; otherwise how
/// long to wait for the best one.
fn choose(
    connection: &Connection,
    ways: &[Way],
    urgent: bool,
    now: Timestamp,
) -> Result<Result<(usize, bool), Taken>, StoreError> {
    let mut wait: Option<(Timestamp, Option<Scope>)> = None;
    for (index, way) in ways.iter().enumerate() {
        let blocked = match shut(connection, &way.scopes, now)? {
            Some((until, scope)) => Some((until, Some(scope))),
            None => spent(connection, &way.charges, urgent, now)?.map(|until| (until, None)),
        };
        match blocked {
            None => return Ok(Ok((index, probe(connection, &way.scopes, now)?))),
            Some(blocked) if wait.as_ref().is_none_or(|(until, _)| blocked.0 < *until) => wait = Some(blocked),
            Some(_) => {}
        }
    }
    let (until, breaker) = wait.ok_or_else(|| StoreError::bug("a claim names no way to its target"))?;
    Ok(Err(Taken::Wait { until, breaker }))
}

/// When all accounts have room again; `None`: now.
fn spent(
    connection: &Connection,
    charges: &[Charge],
    urgent: bool,
    now: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    let mut until = None;
    for charge in charges {
        let Some(limit) = &charge.limit else { continue };
        let names = std::iter::once(&charge.account).chain(&charge.with);
        let windows = names.map(|account| window(connection, account, now)).collect::<Result<Vec<_>, _>>()?;
        if let Err(free_at) = room(&windows.iter().collect::<Vec<_>>(), limit, urgent, now) {
            until = until.max(Some(free_at));
        }
    }
    Ok(until)
}

/// The current window of an account; a window in the future (the clock was set back) is corrected and stored.
fn window(connection: &Connection, account: &Account, now: Timestamp) -> Result<Window, StoreError> {
    let mut select = connection.held("SELECT spent FROM budget WHERE account = ?1")?;
    let bytes: Option<Vec<u8>> = select.query_row([account.as_str()], |row| row.get(0)).optional()?;
    let Some(bytes) = bytes else { return Ok(Window::default()) };
    let mut window = Window::from_bytes(&bytes).ok_or_else(|| StoreError::bug("a budget cannot be read"))?;
    if window.advance(now) {
        keep(connection, account, &window)?;
    }
    Ok(window)
}

fn debit(connection: &Connection, charge: &Charge, now: Timestamp) -> Result<(), StoreError> {
    let mut spent = window(connection, &charge.account, now)?;
    spent.debit(charge.limit.as_ref(), now);
    keep(connection, &charge.account, &spent)
}

fn keep(connection: &Connection, account: &Account, window: &Window) -> Result<(), StoreError> {
    connection
        .held("INSERT INTO budget VALUES (?1, ?2) ON CONFLICT DO UPDATE SET spent = excluded.spent")?
        .execute(params![account.as_str(), window.to_bytes()])?;
    Ok(())
}

/// Writes a new version of a message's bytes and which of its transitions they only count.
pub(super) fn freeze(connection: &Connection, message: i64, version: u32, bytes: &Freeze) -> Result<u32, StoreError> {
    let parts = u32::try_from(bytes.parts.len()).unwrap_or(u32::MAX);
    if !bytes.is_sendable() {
        return Err(StoreError::bug("a claim brings fewer parts than it wants to send"));
    }
    let mut insert = connection.held("INSERT INTO part VALUES (?1, ?2, ?3, ?4)")?;
    for (number, body) in (0_u32..).zip(&bytes.parts) {
        insert.execute(params![message, version, number, &body[..]])?;
    }
    connection
        .held("UPDATE message SET version = ?2, parts = ?3, next_part = ?4, face = ?5 WHERE id = ?1")?
        .execute(params![message, version, parts, bytes.next_part, bytes.face])?;
    let (ids, all, sql) = match &bytes.naming {
        Naming::AllBut(transitions) => {
            (transitions, 0, "UPDATE transition SET counted = 1 WHERE id = ?1 AND message_id = ?2")
        }
        Naming::OnlyAlerts(alerts) => (
            alerts,
            1,
            "UPDATE transition SET counted = 0 WHERE alert_id = ?1 AND message_id = ?2 AND fate = 'pending'",
        ),
    };
    connection
        .held("UPDATE transition SET counted = ?2 WHERE message_id = ?1 AND counted <> ?2")?
        .execute([message, all])?;
    let mut mark = connection.held(sql)?;
    for id in ids {
        mark.execute([*id, message])?;
    }
    Ok(version)
}
