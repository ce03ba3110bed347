//! Short links.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::Db;
use super::statement::Prepare as _;
use crate::alert::{ThreadId, Timestamp};
use crate::store::short::{ends_at, is_fresh};
use crate::store::text::text;
use crate::store::{NewShortLink, ShortLink, StoreError};

impl Db {
    pub(in crate::store) async fn shorten(&self, link: NewShortLink, now: Timestamp) -> Result<String, StoreError> {
        let (thread, url) = (link.thread, link.url.clone());
        let known = self.read(move |connection| known(connection, thread, &url)).await?;
        if let Some((code, _)) = known.filter(|(_, ends)| is_fresh(*ends, now)) {
            return Ok(code);
        }
        self.write(move |connection| {
            let ends = ends_at(now);
            if let Some((code, _)) = self::known(connection, link.thread, &link.url)? {
                let sql = "UPDATE short_link SET ends_at = max(ends_at, ?2) WHERE code = ?1";
                connection.held(sql)?.execute(params![code, ends.0])?;
                return Ok(code);
            }
            let mut insert = connection.held(
                "INSERT INTO short_link (code, thread, url, name, ends_at) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT DO NOTHING",
            )?;
            for code in link.codes {
                if insert.execute(params![code, link.thread.0, link.url, text(&link.name), ends.0])? > 0 {
                    return Ok(code);
                }
            }
            Err(StoreError::bug("no free code for a short link"))
        })
        .await
    }

    pub(in crate::store) async fn short_link(&self, code: String) -> Result<Option<ShortLink>, StoreError> {
        self.read(move |connection| {
            let mut select = connection.held("SELECT thread, url, name, ends_at FROM short_link WHERE code = ?1")?;
            let link = select.query_row([code], |row| {
                Ok(ShortLink {
                    thread: ThreadId(row.get(0)?),
                    url: row.get(1)?,
                    name: row.get(2)?,
                    ends_at: Timestamp(row.get(3)?),
                })
            });
            Ok(link.optional()?)
        })
        .await
    }
}

/// The code of an address in an episode, and when it ends.
fn known(connection: &Connection, thread: ThreadId, url: &str) -> Result<Option<(String, Timestamp)>, StoreError> {
    let mut select = connection.held("SELECT code, ends_at FROM short_link WHERE thread = ?1 AND url = ?2")?;
    Ok(select.query_row(params![thread.0, url], |row| Ok((row.get(0)?, Timestamp(row.get(1)?)))).optional()?)
}
