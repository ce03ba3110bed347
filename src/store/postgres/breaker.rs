//! Breakers, and other state of ways and sources: tokens, the secret of links, when sources were last seen.

use std::collections::{BTreeMap, BTreeSet};

use secrecy::{ExposeSecret as _, SecretString};
use tokio_postgres::Row;

use super::Db;
use super::changes::write;
use super::sessions::step;
use super::tx::{Fault, Kind, Tx, transaction};
use super::values::{moment, small, time, values};
use crate::alert::Timestamp;
use crate::engine::changes::Changes;
use crate::engine::probe::{EVERY_MS, probe};
use crate::names::{Scope, SourceId};
use crate::store::{
    Breaker, BreakerChange, FiringAlert, LINK_SECRET_BYTES, LinkSecrets, Step, StoreError, Token, Unprobed,
};

impl Db {
    pub(in crate::store) async fn breakers(&self) -> Result<Vec<Breaker>, StoreError> {
        let sql = "SELECT scope, reason, errcode, error, opened_at, probe_at, failures FROM breaker ORDER BY scope";
        transaction!(&self.0.pool, Kind::Read, tx => async {
            tx.rows(sql, values![]).await?.iter().map(breaker).collect()
        })
    }

    pub(in crate::store) async fn change_breaker(&self, change: BreakerChange) -> Result<(), StoreError> {
        transaction!(self.writing()?, Kind::Write, tx => async {
            let known = open_among(&tx, BTreeSet::from([change.scope()])).await?;
            let mut changes = Changes::default();
            changes.change_breakers(std::slice::from_ref(&change), known);
            write(&tx, &changes).await
        })
    }

    pub(in crate::store) async fn probe(&self, scope: Scope, asked: Step) -> Result<Result<(), Unprobed>, StoreError> {
        let before = "SELECT max(at) FROM trail WHERE at > $1 AND at <= $2 AND what = $3 AND way = $4";
        transaction!(self.writing()?, Kind::Write, tx => async {
            let open = open_among(&tx, BTreeSet::from([&scope])).await?.remove(&scope);
            let Step { at, person, what, way, address } = &asked;
            let since = at.0 - EVERY_MS;
            let before = time(&tx.only(before, values![since, at.0, what.as_str(), way.as_str()]).await?, 0)?;
            let open = match probe(open, before, *at) {
                Ok(open) => open,
                Err(why) => return Ok(Err(why)),
            };
            write(&tx, &Changes { breakers: vec![open], ..Changes::default() }).await?;
            step(&tx, *at, person, what, way, address).await?;
            Ok(Ok(()))
        })
    }

    pub(in crate::store) async fn heard(&self) -> Result<Vec<(String, Timestamp)>, StoreError> {
        transaction!(&self.0.pool, Kind::Read, tx => async {
            let rows = tx.rows("SELECT source, at FROM heard ORDER BY source", values![]).await?;
            rows.iter().map(|row| Ok((row.try_get(0)?, moment(row, 1)?))).collect()
        })
    }

    pub(in crate::store) async fn firing(&self, source: &SourceId) -> Result<Vec<FiringAlert>, StoreError> {
        let source = source.stored().into_owned();
        let sql = "SELECT name, labels, starts_at FROM (
                       SELECT DISTINCT ON (identity) id, name, labels,
                              min(starts_at) OVER one AS starts_at, min(id) OVER one AS first
                       FROM alert WHERE source = $1 AND status = 'firing'
                       WINDOW one AS (PARTITION BY identity) ORDER BY identity, id) each
                   ORDER BY first";
        transaction!(&self.0.pool, Kind::Read, tx => async {
            let alert = |row: &Row| {
                Ok(FiringAlert { name: row.try_get(0)?, labels_json: row.try_get(1)?, starts_at: time(row, 2)? })
            };
            tx.rows(sql, values![source]).await?.iter().map(alert).collect()
        })
    }

    pub(in crate::store) async fn link_secrets(&self) -> Result<LinkSecrets, StoreError> {
        let find = "SELECT key FROM link_key";
        let found: Option<Vec<u8>> = transaction!(&self.0.pool, Kind::Read, tx => async {
            Ok(tx.row(find, values![]).await?.map(|row| row.try_get(0)).transpose()?)
        })?;
        if let Some(row) = found {
            return Ok(LinkSecrets::read(&row));
        }
        transaction!(self.writing()?, Kind::Write, tx => made_links(&tx))
    }

    pub(in crate::store) async fn rotate_links(&self, now: Timestamp) -> Result<LinkSecrets, StoreError> {
        let fresh: [u8; LINK_SECRET_BYTES] = rand::random();
        transaction!(self.writing()?, Kind::Write, tx => async {
            let rotated = made_links(&tx).await?.replaced(fresh, now);
            tx.execute("UPDATE link_key SET key = $1", values![rotated.write()]).await?;
            Ok(rotated)
        })
    }

    pub(in crate::store) async fn token(&self, app: &str) -> Result<Option<Token>, StoreError> {
        transaction!(&self.0.pool, Kind::Read, tx => token(&tx, app))
    }

    pub(in crate::store) async fn save_token(
        &self,
        app: &str,
        secret: SecretString,
        expires_at: Timestamp,
        version: i64,
    ) -> Result<Token, StoreError> {
        let sql = "INSERT INTO token AS t (app, token, expires_at, version) VALUES ($1, $2, $3, $4)
                   ON CONFLICT (app) DO UPDATE SET
                       token = excluded.token, expires_at = excluded.expires_at, version = excluded.version
                   WHERE excluded.version > t.version";
        transaction!(self.writing()?, Kind::Write, tx => async {
            tx.execute(sql, values![app, secret.expose_secret(), expires_at.0, version]).await?;
            Ok(token(&tx, app).await?.ok_or_else(|| StoreError::bug("a token vanished"))?)
        })
    }
}

/// Locks the open breakers among `scopes`, which are in the order in which breakers are locked.
pub(super) async fn open_among(tx: &Tx, scopes: BTreeSet<&Scope>) -> Result<BTreeMap<Scope, Breaker>, Fault> {
    if scopes.is_empty() {
        return Ok(BTreeMap::new());
    }
    let scopes: Vec<&str> = scopes.into_iter().map(Scope::as_str).collect();
    let sql = "SELECT scope, reason, errcode, error, opened_at, probe_at, failures FROM breaker
               WHERE scope = ANY ($1) ORDER BY scope FOR NO KEY UPDATE";
    let rows = tx.rows(sql, values![; scopes]).await?;
    rows.iter().map(|row| breaker(row).map(|open| (open.scope.clone(), open))).collect()
}

fn breaker(row: &Row) -> Result<Breaker, Fault> {
    Ok(Breaker {
        scope: Scope::stored(row.try_get::<_, String>(0)?),
        reason: row.try_get(1)?,
        errcode: row.try_get(2)?,
        error: row.try_get(3)?,
        opened_at: moment(row, 4)?,
        probe_at: moment(row, 5)?,
        failures: small(row, 6)?,
    })
}

/// The secrets of links, made if there are none; the row stays locked until the transaction ends.
async fn made_links(tx: &Tx) -> Result<LinkSecrets, Fault> {
    let fresh: [u8; LINK_SECRET_BYTES] = rand::random();
    let make = "INSERT INTO link_key (id, key) VALUES (1, $1) ON CONFLICT DO NOTHING";
    tx.execute(make, values![&fresh[..]]).await?;
    let row: Vec<u8> = tx.only("SELECT key FROM link_key FOR UPDATE", values![]).await?.try_get(0)?;
    Ok(LinkSecrets::read(&row))
}

async fn token(tx: &Tx, app: &str) -> Result<Option<Token>, Fault> {
    let row = tx.row("SELECT token, expires_at, version FROM token WHERE app = $1", values![app]).await?;
    let Some(row) = row else { return Ok(None) };
    let token = SecretString::from(row.try_get::<_, String>(0)?);
    Ok(Some(Token { token, expires_at: moment(&row, 1)?, version: row.try_get(2)? }))
}
