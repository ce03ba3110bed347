//! Tokens of the API, and its requests that count once.

use rusqlite::{OptionalExtension as _, Row, params};

use super::Db;
use super::lanes::time;
use super::sessions::step;
use super::statement::Prepare as _;
use crate::alert::Timestamp;
use crate::store::api::{ApiToken, Asked, Earlier, KEPT_MS, NewToken, TOKENS, USED_MS};
use crate::store::{Hash, Step, StoreError};

impl Db {
    pub(in crate::store) async fn make_api_token(
        &self,
        new: NewToken,
        by: String,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.write(move |connection| {
            let NewToken { hash, token } = new;
            connection
                .held("DELETE FROM api_token WHERE name = ?1 AND ends_at <= ?2")?
                .execute(params![token.name, now.0])?;
            let receivers = token.receivers.map(|names| serde_json::to_string(&names).expect("names are JSON"));
            let made = connection
                .held(
                    "INSERT OR IGNORE INTO api_token (name, hash, owner, scopes, receivers, made_at, ends_at)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                )?
                .execute(params![token.name, hash, token.owner, token.scopes, receivers, now.0, token.ends_at.0])?;
            if made == 1 {
                let way = format!("{} ← {by}", token.name);
                let what = "token".to_owned();
                step(connection, &Step { at: now, person: token.owner, what, way, address: String::new() })?;
            }
            Ok(made == 1)
        })
        .await
    }

    pub(in crate::store) async fn api_token(&self, hash: Hash, now: Timestamp) -> Result<Option<ApiToken>, StoreError> {
        let found = self
            .read(move |connection| {
                let sql = format!("{TOKEN} WHERE hash = ?1 AND ends_at > ?2");
                Ok(connection.held(&sql)?.query_row(params![hash, now.0], token).optional()?)
            })
            .await?;
        if let Some(found) = &found
            && found.used_at.is_none_or(|at| now.millis_since(at) >= USED_MS)
        {
            let name = found.name.clone();
            self.write(move |connection| {
                connection
                    .held("UPDATE api_token SET used_at = ?1 WHERE name = ?2")?
                    .execute(params![now.0 - now.0.rem_euclid(USED_MS), name])?;
                Ok(())
            })
            .await?;
        }
        Ok(found)
    }

    pub(in crate::store) async fn api_tokens(&self) -> Result<Vec<ApiToken>, StoreError> {
        self.read(|connection| {
            let mut select = connection.held(&format!("{TOKEN} ORDER BY name LIMIT ?1"))?;
            let rows = select.query_map([TOKENS], token)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    pub(in crate::store) async fn end_api_token(
        &self,
        name: String,
        by: String,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.write(move |connection| {
            let mut delete = connection.held("DELETE FROM api_token WHERE name = ?1 RETURNING owner")?;
            let owner: Option<String> = delete.query_row([&name], |row| row.get(0)).optional()?;
            drop(delete);
            let Some(person) = owner else { return Ok(false) };
            let (what, way) = ("token-ended".to_owned(), format!("{name} ← {by}"));
            step(connection, &Step { at: now, person, what, way, address: String::new() })?;
            Ok(true)
        })
        .await
    }

    pub(in crate::store) async fn ask_once(
        &self,
        token: String,
        key: String,
        hash: Hash,
        now: Timestamp,
    ) -> Result<Asked, StoreError> {
        self.write(move |connection| {
            connection.held("DELETE FROM api_request WHERE at < ?1")?.execute([now.0 - KEPT_MS])?;
            let earlier = connection
                .held("SELECT hash, at, status, answer FROM api_request WHERE token = ?1 AND key = ?2")?
                .query_row(params![token, key], |row| {
                    Ok(Earlier {
                        hash: row.get(0)?,
                        at: Timestamp(row.get(1)?),
                        status: row.get(2)?,
                        answer: row.get::<_, Option<String>>(3)?.unwrap_or_default(),
                    })
                })
                .optional()?;
            let asked = Asked::of(earlier, &hash, now);
            if matches!(asked, Asked::New { .. }) {
                connection
                    .held("INSERT OR REPLACE INTO api_request (token, key, hash, at) VALUES (?1, ?2, ?3, ?4)")?
                    .execute(params![token, key, hash, now.0])?;
            }
            Ok(asked)
        })
        .await
    }

    pub(in crate::store) async fn answer_once(
        &self,
        token: String,
        key: String,
        answer: Option<(u16, String)>,
    ) -> Result<(), StoreError> {
        self.write(move |connection| {
            match answer {
                Some((status, answer)) => connection
                    .held("UPDATE api_request SET status = ?3, answer = ?4 WHERE token = ?1 AND key = ?2")?
                    .execute(params![token, key, status, answer])?,
                None => connection
                    .held("DELETE FROM api_request WHERE token = ?1 AND key = ?2")?
                    .execute(params![token, key])?,
            };
            Ok(())
        })
        .await
    }
}

const TOKEN: &str = "SELECT name, owner, scopes, receivers, made_at, ends_at, used_at FROM api_token";

fn token(row: &Row<'_>) -> rusqlite::Result<ApiToken> {
    let receivers: Option<String> = row.get(3)?;
    Ok(ApiToken {
        name: row.get(0)?,
        owner: row.get(1)?,
        scopes: row.get(2)?,
        receivers: receivers.map(|json| serde_json::from_str(&json).unwrap_or_default()),
        made_at: Timestamp(row.get(4)?),
        ends_at: Timestamp(row.get(5)?),
        used_at: time(row, 6)?,
    })
}
