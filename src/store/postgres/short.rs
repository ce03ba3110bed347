//! Short links.

use super::Db;
use super::tx::{Fault, Kind, Tx, transaction};
use super::values::{moment, values};
use crate::alert::{ThreadId, Timestamp};
use crate::store::short::{ends_at, is_fresh};
use crate::store::text::text;
use crate::store::{NewShortLink, ShortLink, StoreError};

impl Db {
    pub(in crate::store) async fn shorten(&self, link: NewShortLink, now: Timestamp) -> Result<String, StoreError> {
        let link = &link;
        let found: Option<(String, Timestamp)> =
            transaction!(&self.0.pool, Kind::Read, tx => known(&tx, link.thread, &link.url))?;
        if let Some((code, _)) = found.filter(|(_, ends)| is_fresh(*ends, now)) {
            return Ok(code);
        }
        let (ends, name) = (ends_at(now).0, &text(&link.name).into_owned());
        // The code of another address (nothing is written), or of this one, which another replica may write as well.
        let insert = "INSERT INTO short_link (code, thread, url, name, ends_at) VALUES ($1, $2, $3, $4, $5)
                      ON CONFLICT DO NOTHING";
        let refresh = "UPDATE short_link SET ends_at = greatest(ends_at, $3) WHERE thread = $1 AND url = $2";
        transaction!(self.writing()?, Kind::Write, tx => async {
            for code in &link.codes {
                if tx.execute(refresh, values![link.thread.0, link.url, ends]).await? == 0 {
                    tx.execute(insert, values![*code, link.thread.0, link.url, *name, ends]).await?;
                }
                if let Some((code, _)) = known(&tx, link.thread, &link.url).await? {
                    return Ok(code);
                }
            }
            Err(StoreError::bug("no free code for a short link").into())
        })
    }

    pub(in crate::store) async fn short_link(&self, code: String) -> Result<Option<ShortLink>, StoreError> {
        let (sql, code) = ("SELECT thread, url, name, ends_at FROM short_link WHERE code = $1", &code);
        transaction!(&self.0.pool, Kind::Read, tx => async {
            let Some(row) = tx.row(sql, values![*code]).await? else { return Ok(None) };
            let (thread, ends_at) = (ThreadId(row.try_get(0)?), moment(&row, 3)?);
            Ok(Some(ShortLink { thread, url: row.try_get(1)?, name: row.try_get(2)?, ends_at }))
        })
    }
}

/// The code of an address in an episode, and when it ends.
async fn known(tx: &Tx, thread: ThreadId, url: &str) -> Result<Option<(String, Timestamp)>, Fault> {
    let sql = "SELECT code, ends_at FROM short_link WHERE thread = $1 AND url = $2";
    let Some(row) = tx.row(sql, values![thread.0, url]).await? else { return Ok(None) };
    Ok(Some((row.try_get(0)?, moment(&row, 1)?)))
}
