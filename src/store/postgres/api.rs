//! Tokens of the API, and its requests that count once.

use tokio_postgres::Row;

use super::Db;
use super::sessions::step;
use super::tx::{Fault, Kind, transaction};
use super::values::{moment, time, values};
use crate::alert::Timestamp;
use crate::store::api::{ApiToken, Asked, Earlier, KEPT_MS, NewToken, TOKENS, USED_MS};
use crate::store::{Hash, StoreError};

impl Db {
    pub(in crate::store) async fn make_api_token(
        &self,
        new: NewToken,
        by: String,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let NewToken { hash, token } = &new;
        let receivers = token.receivers.as_ref().map(|names| serde_json::to_string(names).expect("names are JSON"));
        transaction!(self.writing()?, Kind::Write, tx => async {
            let (name, owner, scopes) = (token.name.as_str(), token.owner.as_str(), token.scopes.as_str());
            tx.execute("DELETE FROM api_token WHERE name = $1 AND ends_at <= $2", values![name, now.0]).await?;
            let sql = "INSERT INTO api_token (name, hash, owner, scopes, receivers, made_at, ends_at)
                       VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";
            let made =
                tx.execute(sql, values![name, hash.to_vec(), owner, scopes, receivers, now.0, token.ends_at.0]).await?;
            if made == 1 {
                step(&tx, now, owner, "token", &format!("{name} ← {by}"), "").await?;
            }
            Ok(made == 1)
        })
    }

    pub(in crate::store) async fn api_token(&self, hash: Hash, now: Timestamp) -> Result<Option<ApiToken>, StoreError> {
        let sql = format!("{TOKEN} WHERE hash = $1 AND ends_at > $2");
        let found: Option<ApiToken> = transaction!(&self.0.pool, Kind::Read, tx => async {
            tx.row(&sql, values![hash.to_vec(), now.0]).await?.map(|row| token(&row)).transpose()
        })?;
        if let Some(found) = &found
            && found.used_at.is_none_or(|at| now.millis_since(at) >= USED_MS)
        {
            let day = now.0 - now.0.rem_euclid(USED_MS);
            transaction!(self.writing()?, Kind::Write, tx => async {
                tx.execute("UPDATE api_token SET used_at = $1 WHERE name = $2", values![day, found.name.as_str()]).await?;
                Ok(())
            })?;
        }
        Ok(found)
    }

    pub(in crate::store) async fn api_tokens(&self) -> Result<Vec<ApiToken>, StoreError> {
        let sql = format!("{TOKEN} ORDER BY name COLLATE \"C\" LIMIT {TOKENS}");
        transaction!(&self.0.pool, Kind::Read, tx => async {
            tx.rows(&sql, values![]).await?.iter().map(token).collect()
        })
    }

    pub(in crate::store) async fn end_api_token(
        &self,
        name: String,
        by: String,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        transaction!(self.writing()?, Kind::Write, tx => async {
            let ended = tx.row("DELETE FROM api_token WHERE name = $1 RETURNING owner", values![name.as_str()]).await?;
            let Some(row) = ended else { return Ok(false) };
            let owner: String = row.try_get(0)?;
            step(&tx, now, &owner, "token-ended", &format!("{name} ← {by}"), "").await?;
            Ok(true)
        })
    }

    pub(in crate::store) async fn ask_once(
        &self,
        token: &str,
        key: &str,
        hash: Hash,
        now: Timestamp,
    ) -> Result<Asked, StoreError> {
        transaction!(self.writing()?, Kind::Write, tx => async {
            tx.execute("DELETE FROM api_request WHERE at < $1", values![now.0 - KEPT_MS]).await?;
            // Of two at once, the second waits here and finds the row of the first.
            let sql = "INSERT INTO api_request (token, key, hash, at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
            if tx.execute(sql, values![token, key, hash.to_vec(), now.0]).await? == 1 {
                return Ok(Asked::New { before: None });
            }
            let sql = "SELECT hash, at, status, answer FROM api_request WHERE token = $1 AND key = $2 FOR UPDATE";
            let row = tx.only(sql, values![token, key]).await?;
            let status: Option<i64> = row.try_get(2)?;
            let earlier = Earlier {
                hash: row.try_get(0)?,
                at: moment(&row, 1)?,
                status: status.map(|status| u16::try_from(status).unwrap_or(500)),
                answer: row.try_get::<_, Option<String>>(3)?.unwrap_or_default(),
            };
            let asked = Asked::of(Some(earlier), &hash, now);
            if matches!(asked, Asked::New { .. }) {
                tx.execute("UPDATE api_request SET at = $3 WHERE token = $1 AND key = $2", values![token, key, now.0])
                    .await?;
            }
            Ok(asked)
        })
    }

    pub(in crate::store) async fn answer_once(
        &self,
        token: &str,
        key: &str,
        answer: Option<(u16, String)>,
    ) -> Result<(), StoreError> {
        transaction!(self.writing()?, Kind::Write, tx => async {
            match &answer {
                Some((status, answer)) => {
                    let sql = "UPDATE api_request SET status = $3, answer = $4 WHERE token = $1 AND key = $2";
                    tx.execute(sql, values![token, key, i64::from(*status), answer.as_str()]).await?
                }
                None => tx.execute("DELETE FROM api_request WHERE token = $1 AND key = $2", values![token, key]).await?,
            };
            Ok(())
        })
    }
}

const TOKEN: &str = "SELECT name, owner, scopes, receivers, made_at, ends_at, used_at FROM api_token";

fn token(row: &Row) -> Result<ApiToken, Fault> {
    let receivers: Option<String> = row.try_get(3)?;
    Ok(ApiToken {
        name: row.try_get(0)?,
        owner: row.try_get(1)?,
        scopes: row.try_get(2)?,
        receivers: receivers.map(|json| serde_json::from_str(&json).unwrap_or_default()),
        made_at: moment(row, 4)?,
        ends_at: moment(row, 5)?,
        used_at: time(row, 6)?,
    })
}
