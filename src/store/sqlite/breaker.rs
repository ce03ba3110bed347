//! Breakers, and other state of ways and sources: tokens, the secret of links, when sources were last seen.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use secrecy::{ExposeSecret as _, SecretString};

use super::Db;
use super::changes::write;
use super::lanes::time;
use super::sessions::step;
use super::statement::Prepare as _;
use crate::alert::Timestamp;
use crate::engine::changes::Changes;
use crate::engine::probe::{EVERY_MS, probe};
use crate::names::{Scope, SourceId};
use crate::store::{
    Breaker, BreakerChange, FiringAlert, LINK_SECRET_BYTES, LinkSecrets, Step, StoreError, Token, Unprobed,
};

impl Db {
    pub(in crate::store) async fn breakers(&self) -> Result<Vec<Breaker>, StoreError> {
        self.read(|connection| {
            let mut select = connection.held(
                "SELECT scope, reason, errcode, error, opened_at, probe_at, failures FROM breaker ORDER BY scope",
            )?;
            Ok(select.query_map([], breaker)?.collect::<Result<_, _>>()?)
        })
        .await
    }

    pub(in crate::store) async fn change_breaker(&self, change: BreakerChange) -> Result<(), StoreError> {
        self.write(move |connection| {
            let mut changes = Changes::default();
            changes.change_breakers(std::slice::from_ref(&change), open_among(connection, [change.scope()])?);
            write(connection, &changes)
        })
        .await
    }

    pub(in crate::store) async fn probe(&self, scope: Scope, asked: Step) -> Result<Result<(), Unprobed>, StoreError> {
        self.write(move |connection| {
            let before = connection
                .held("SELECT max(at) FROM trail WHERE at > ?1 AND at <= ?2 AND what = ?3 AND way = ?4")?
                .query_row(params![asked.at.0 - EVERY_MS, asked.at.0, asked.what, asked.way], |row| time(row, 0))?;
            let open = match probe(find(connection, &scope)?, before, asked.at) {
                Ok(open) => open,
                Err(why) => return Ok(Err(why)),
            };
            write(connection, &Changes { breakers: vec![open], ..Changes::default() })?;
            step(connection, &asked)?;
            Ok(Ok(()))
        })
        .await
    }

    pub(in crate::store) async fn heard(&self) -> Result<Vec<(String, Timestamp)>, StoreError> {
        self.read(|connection| {
            let mut select = connection.held("SELECT source, at FROM heard ORDER BY source")?;
            let rows = select.query_map([], |row| Ok((row.get(0)?, Timestamp(row.get(1)?))))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    pub(in crate::store) async fn firing(&self, source: &SourceId) -> Result<Vec<FiringAlert>, StoreError> {
        let source = source.stored().into_owned();
        self.read(move |connection| {
            let mut select = connection.held(
                "SELECT name, labels, min(starts_at) FROM alert WHERE source = ?1 AND status = 'firing'
                 GROUP BY identity ORDER BY min(id)",
            )?;
            let rows = select.query_map([source], |row| {
                Ok(FiringAlert { name: row.get(0)?, labels_json: row.get(1)?, starts_at: time(row, 2)? })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    pub(in crate::store) async fn link_secrets(&self) -> Result<LinkSecrets, StoreError> {
        // Read first: then a command that only reads can have it once it was made.
        match self.read(link_row).await? {
            Some(row) => Ok(LinkSecrets::read(&row)),
            None => self.write(made_links).await,
        }
    }

    pub(in crate::store) async fn rotate_links(&self, now: Timestamp) -> Result<LinkSecrets, StoreError> {
        let fresh: [u8; LINK_SECRET_BYTES] = rand::random();
        self.write(move |connection| {
            let rotated = made_links(connection)?.replaced(fresh, now);
            connection.held("UPDATE link_key SET key = ?1")?.execute([rotated.write()])?;
            Ok(rotated)
        })
        .await
    }

    pub(in crate::store) async fn token(&self, app: &str) -> Result<Option<Token>, StoreError> {
        let app = app.to_owned();
        self.read(move |connection| token(connection, &app)).await
    }

    pub(in crate::store) async fn save_token(
        &self,
        app: &str,
        secret: SecretString,
        expires_at: Timestamp,
        version: i64,
    ) -> Result<Token, StoreError> {
        let app = app.to_owned();
        self.write(move |connection| {
            connection
                .held(
                    "INSERT INTO token (app, token, expires_at, version) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT (app) DO UPDATE SET
                         token = excluded.token, expires_at = excluded.expires_at, version = excluded.version
                     WHERE excluded.version > token.version",
                )?
                .execute(params![app, secret.expose_secret(), expires_at.0, version])?;
            token(connection, &app)?.ok_or_else(|| StoreError::bug("a token vanished"))
        })
        .await
    }
}

fn link_row(connection: &Connection) -> Result<Option<Vec<u8>>, StoreError> {
    Ok(connection.held("SELECT key FROM link_key")?.query_row([], |row| row.get(0)).optional()?)
}

/// The secrets of links, made if there are none.
fn made_links(connection: &Connection) -> Result<LinkSecrets, StoreError> {
    let make = "INSERT OR IGNORE INTO link_key (id, key) VALUES (1, randomblob(32))";
    connection.held(make)?.execute([])?;
    let row = link_row(connection)?.ok_or_else(|| StoreError::bug("the key that was just made is not there"))?;
    Ok(LinkSecrets::read(&row))
}

/// The open breakers among `scopes`.
pub(super) fn open_among<'a>(
    connection: &Connection,
    scopes: impl IntoIterator<Item = &'a Scope>,
) -> Result<BTreeMap<Scope, Breaker>, StoreError> {
    let mut open = BTreeMap::new();
    for scope in scopes {
        open.extend(find(connection, scope)?.map(|breaker| (scope.clone(), breaker)));
    }
    Ok(open)
}

fn find(connection: &Connection, scope: &Scope) -> Result<Option<Breaker>, StoreError> {
    let mut select = connection
        .held("SELECT scope, reason, errcode, error, opened_at, probe_at, failures FROM breaker WHERE scope = ?1")?;
    Ok(select.query_row([scope.as_str()], breaker).optional()?)
}

fn breaker(row: &Row<'_>) -> rusqlite::Result<Breaker> {
    Ok(Breaker {
        scope: Scope::stored(row.get::<_, String>(0)?),
        reason: row.get(1)?,
        errcode: row.get(2)?,
        error: row.get(3)?,
        opened_at: Timestamp(row.get(4)?),
        probe_at: Timestamp(row.get(5)?),
        failures: row.get(6)?,
    })
}

fn token(connection: &Connection, app: &str) -> Result<Option<Token>, StoreError> {
    let mut select = connection.held("SELECT token, expires_at, version FROM token WHERE app = ?1")?;
    let found = select.query_row([app], |row| {
        let token = SecretString::from(row.get::<_, String>(0)?);
        Ok(Token { token, expires_at: Timestamp(row.get(1)?), version: row.get(2)? })
    });
    Ok(found.optional()?)
}
