//! Claiming: the only place that allows a message to be sent. Order, breakers, budgets and the frozen bytes are decided
//! and written in the same transaction.
//!
//! Locks are always taken in one order: the lane, the message, breakers by scope, budgets by account.

use futures_util::future::{try_join, try_join3, try_join4, try_join5};
use std::collections::{BTreeSet, HashMap};

use super::Db;
use super::breaker;
use super::lease::renew;
use super::tx::{Fault, Kind, Tx, transaction};
use super::values::{small, values};
use crate::alert::Timestamp;
use crate::budget::{Charge, Window, room};
use crate::names::{Account, Scope};
use crate::store::{Breaker, Claim, Claimed, Freeze, Naming, PROBE_MS, StoreError, Taken, Way};

impl Db {
    pub(in crate::store) async fn claim(&self, claim: Claim, now: Timestamp) -> Result<Taken, StoreError> {
        transaction!(self.writing()?, Kind::Write, tx => take(self, &tx, &claim, now))
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
    /// An older live message of its lane shares an alert with it.
    behind: bool,
}

async fn take(db: &Db, tx: &Tx, claim: &Claim, now: Timestamp) -> Result<Taken, Fault> {
    let accounts = Accounts::of(&claim.ways);
    let (held, head, breakers, (windows, set_back)) = try_join4(
        renew(tx, &claim.lease, &db.0.owner, db.0.lease),
        head(tx, claim),
        breaker::locked(tx, &accounts.scopes),
        windows(tx, &accounts.names, now),
    )
    .await?;
    let lost = || StoreError::Lost { message: claim.message };
    let head = head.filter(|head| held && !head.busy).ok_or_else(lost)?;
    if head.behind {
        tx.undo();
        return Ok(Taken::Behind);
    }
    if claim.freeze.is_none() && head.parts == 0 {
        return Err(StoreError::bug("a first claim brings no bytes").into());
    }
    let way = match choose(&claim.ways, &breakers, &windows, head.urgent, now)? {
        Ok(way) => way,
        Err(wait) => {
            if set_back.is_empty() {
                tx.undo();
            } else {
                keep(tx, &set_back.iter().map(Account::as_str).collect(), &windows).await?;
            }
            return Ok(wait);
        }
    };
    let chosen = &claim.ways[way];
    let (version, part) = match &claim.freeze {
        Some(bytes) => (head.version + 1, bytes.next_part),
        None => (head.version, head.next_part),
    };
    let epoch = claim.epoch + 1;
    let mark = "UPDATE message SET state = 'sending', epoch = $2, claimed_at = $3 WHERE id = $1";
    let note = "INSERT INTO attempt (message_id, epoch, version, part, at) VALUES ($1, $2, $3, $4, $5)";
    let attempt = values![claim.message, epoch, i64::from(version), i64::from(part), now.0];
    try_join5(
        debit(tx, &chosen.charges, windows, now),
        breaker::probe(tx, &chosen.scopes, now.plus_millis(PROBE_MS)),
        freeze(tx, claim.message, version, claim.freeze.as_ref()),
        tx.execute(mark, values![claim.message, epoch, now.0]),
        tx.execute(note, attempt),
    )
    .await?;
    let probing = chosen.scopes.iter().any(|scope| breakers.contains_key(scope));
    Ok(Taken::Claimed(Claimed { message: claim.message, epoch, version, part, way, probing }))
}

/// The breakers and accounts of a claim's ways, in locking order.
struct Accounts<'a> {
    scopes: Vec<&'a str>,
    names: Vec<&'a str>,
}

impl<'a> Accounts<'a> {
    fn of(ways: &'a [Way]) -> Self {
        let scopes: BTreeSet<&str> = ways.iter().flat_map(|way| &way.scopes).map(Scope::as_str).collect();
        let charges = ways.iter().flat_map(|way| &way.charges);
        let names: BTreeSet<&str> = charges
            .flat_map(|charge| std::iter::once(&charge.account).chain(&charge.with))
            .map(Account::as_str)
            .collect();
        Self { scopes: scopes.into_iter().collect(), names: names.into_iter().collect() }
    }
}

/// Locks the message, if it did not change since the caller saw it.
async fn head(tx: &Tx, claim: &Claim) -> Result<Option<Head>, Fault> {
    let lock = "SELECT version, next_part, parts, urgent FROM message
                WHERE id = $1 AND epoch = $2 AND revision = $3 AND lane = $4 AND state IN ('queued', 'unsure')
                FOR NO KEY UPDATE";
    let busy = "SELECT EXISTS (SELECT 1 FROM message WHERE settled_at IS NULL AND lane = $1 AND state = 'sending')";
    // An end never overtakes its beginning.
    let behind = "SELECT EXISTS (SELECT 1 FROM transition mine CROSS JOIN LATERAL
                      (SELECT 1 FROM transition older
                       WHERE older.alert_id = mine.alert_id AND older.fate = 'pending' AND older.lane = mine.lane
                         AND older.message_id < mine.message_id OFFSET 0) older
                  WHERE mine.message_id = $1
                    AND EXISTS (SELECT 1 FROM message WHERE settled_at IS NULL AND lane = $2 AND id < $1))";
    let (row, busy, behind) = try_join3(
        tx.row(lock, values![claim.message, claim.epoch, claim.revision, claim.lease.lane.as_str()]),
        tx.only(busy, values![claim.lease.lane.as_str()]),
        tx.only(behind, values![claim.message, claim.lease.lane.as_str()]),
    )
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Head {
        version: small(&row, 0)?,
        next_part: small(&row, 1)?,
        parts: small(&row, 2)?,
        urgent: row.try_get(3)?,
        busy: busy.try_get(0)?,
        behind: behind.try_get(0)?,
    }))
}

/// The first way whose breakers let it pass and whose accounts have room; otherwise how long to wait for the best one.
fn choose(
    ways: &[Way],
    breakers: &HashMap<Scope, Breaker>,
    windows: &HashMap<Account, Window>,
    urgent: bool,
    now: Timestamp,
) -> Result<Result<usize, Taken>, StoreError> {
    let mut wait: Option<(Timestamp, Option<Scope>)> = None;
    for (index, way) in ways.iter().enumerate() {
        let shut = way.scopes.iter().filter_map(|scope| Some((breakers.get(scope)?.keeps_away_until(now)?, scope)));
        // Of several breakers open for equally long, the first.
        let shut = shut.rev().max_by_key(|(until, _)| *until);
        let blocked = match shut {
            Some((until, scope)) => Some((until, Some(scope.clone()))),
            None => spent(&way.charges, windows, urgent, now).map(|until| (until, None)),
        };
        match blocked {
            None => return Ok(Ok(index)),
            Some(blocked) if wait.as_ref().is_none_or(|(until, _)| blocked.0 < *until) => wait = Some(blocked),
            Some(_) => {}
        }
    }
    let (until, breaker) = wait.ok_or_else(|| StoreError::bug("a claim names no way to its target"))?;
    Ok(Err(Taken::Wait { until, breaker }))
}

/// When all accounts have room again; `None`: now.
fn spent(charges: &[Charge], windows: &HashMap<Account, Window>, urgent: bool, now: Timestamp) -> Option<Timestamp> {
    charges
        .iter()
        .filter_map(|charge| {
            let names = std::iter::once(&charge.account).chain(&charge.with);
            let together: Vec<&Window> = names.filter_map(|name| windows.get(name)).collect();
            room(&together, charge.limit.as_ref()?, urgent, now).err()
        })
        .max()
}

/// Locks the windows of accounts, which are created if missing. Also returns which of them lay in the future: the clock
/// was set back.
async fn windows(
    tx: &Tx,
    accounts: &Vec<&str>,
    now: Timestamp,
) -> Result<(HashMap<Account, Window>, Vec<Account>), Fault> {
    let mut set_back = Vec::new();
    if accounts.is_empty() {
        return Ok((HashMap::new(), set_back));
    }
    let empty = Window::default().to_bytes();
    let make = "INSERT INTO budget (account, spent) SELECT account, $1 FROM unnest($2) AS a (account)
                ON CONFLICT DO NOTHING";
    let lock = "SELECT account, spent FROM budget WHERE account = ANY ($1) ORDER BY account FOR NO KEY UPDATE";
    let (_, rows) = try_join(tx.execute(make, values![empty; *accounts]), tx.rows(lock, values![; *accounts])).await?;
    let mut windows = HashMap::with_capacity(rows.len());
    for row in rows {
        let mut window =
            Window::from_bytes(row.try_get(1)?).ok_or_else(|| StoreError::bug("a budget cannot be read"))?;
        let account = Account::stored(row.try_get::<_, String>(0)?);
        if window.advance(now) {
            set_back.push(account.clone());
        }
        windows.insert(account, window);
    }
    Ok((windows, set_back))
}

async fn debit(
    tx: &Tx,
    charges: &[Charge],
    mut windows: HashMap<Account, Window>,
    now: Timestamp,
) -> Result<(), Fault> {
    for charge in charges {
        windows.entry(charge.account.clone()).or_default().debit(charge.limit.as_ref(), now);
    }
    keep(tx, &charges.iter().map(|charge| charge.account.as_str()).collect(), &windows).await
}

async fn keep(tx: &Tx, accounts: &BTreeSet<&str>, windows: &HashMap<Account, Window>) -> Result<(), Fault> {
    let accounts: Vec<&str> = accounts.iter().copied().collect();
    let spent: Vec<Vec<u8>> =
        accounts.iter().map(|account| windows.get(*account).map(Window::to_bytes).unwrap_or_default()).collect();
    let sql = "UPDATE budget SET spent = d.spent FROM unnest($1, $2) AS d (account, spent)
               WHERE budget.account = d.account";
    tx.execute_if(!accounts.is_empty(), sql, values![; accounts, spent]).await?;
    Ok(())
}

/// Writes a new version of a message's bytes and which of its transitions they only count.
async fn freeze(tx: &Tx, message: i64, version: u32, bytes: Option<&Freeze>) -> Result<(), Fault> {
    let Some(bytes) = bytes else { return Ok(()) };
    let parts = u32::try_from(bytes.parts.len()).unwrap_or(u32::MAX);
    if !bytes.is_sendable() {
        return Err(StoreError::bug("a claim brings fewer parts than it wants to send").into());
    }
    let numbers: Vec<i64> = (0..i64::from(parts)).collect();
    let bodies: Vec<&[u8]> = bytes.parts.iter().map(|body| &body[..]).collect();
    let insert = "INSERT INTO part (message_id, version, number, body)
                  SELECT $1, $2, number, body FROM unnest($3, $4) AS p (number, body)";
    let update = "UPDATE message SET version = $2, parts = $3, next_part = $4, face = $5 WHERE id = $1";
    let version = i64::from(version);
    let update_values = values![message, version, i64::from(parts), i64::from(bytes.next_part), bytes.face];
    let (ids, count) = match &bytes.naming {
        Naming::AllBut(transitions) => (
            transitions,
            "UPDATE transition SET counted = id = ANY ($2)
                           WHERE message_id = $1 AND counted <> (id = ANY ($2))",
        ),
        Naming::OnlyAlerts(alerts) => (
            alerts,
            "UPDATE transition SET counted = NOT alert_id = ANY ($2)
                      WHERE message_id = $1 AND fate = 'pending' AND counted <> (NOT alert_id = ANY ($2))",
        ),
    };
    try_join3(
        tx.execute(insert, values![message, version; numbers, bodies]),
        tx.execute(update, update_values),
        tx.execute(count, values![message; *ids]),
    )
    .await?;
    Ok(())
}
