//! Terms of messages, in an FTS5 table without contents. Its tokenizer only parts at spaces: the terms are ours.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::Db;
use super::statement::Prepare as _;
use crate::alert::ThreadId;
use crate::store::StoreError;
use crate::store::terms::{ALERTS, BATCH, Document, Indexed};

impl Db {
    pub(in crate::store) async fn index_terms(&self) -> Result<Indexed, StoreError> {
        let (documents, upto) = self.read(documents).await?;
        let (count, again) = (documents.len(), documents.iter().filter(|document| document.again).count());
        if count == 0 {
            return Ok(Indexed::default());
        }
        let rows: Vec<(i64, bool, bool, String)> = super::blocking(move || {
            let row = |document: &Document| {
                let terms: Vec<String> = document.terms().iter().map(str::to_owned).collect();
                (document.id, document.again, document.settled, terms.join(" "))
            };
            Ok(documents.iter().map(row).collect())
        })
        .await?;
        self.write(move |connection| write(connection, &rows, upto)).await?;
        let full = usize::try_from(BATCH).unwrap_or(usize::MAX);
        Ok(Indexed { messages: count, more: count - again >= full || again >= full })
    }
}

/// Messages without terms, those that were settled since they had some, and the newest id among the former.
fn documents(connection: &Connection) -> Result<(Vec<Document>, Option<i64>), StoreError> {
    let ids = |sql: &str| -> Result<Vec<i64>, StoreError> {
        let mut select = connection.held(sql)?;
        let rows = select.query_map([BATCH], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    };
    let new = ids("SELECT id FROM message WHERE id > (SELECT message FROM term_mark) ORDER BY id LIMIT ?1")?;
    let again = ids("SELECT t.message_id FROM term_again t JOIN message m ON m.id = t.message_id
                     WHERE m.settled_at IS NOT NULL ORDER BY t.message_id LIMIT ?1")?;
    let upto = new.last().copied();
    let all = new.into_iter().map(|id| (id, false)).chain(again.into_iter().map(|id| (id, true)));
    let documents: Result<Vec<Option<Document>>, StoreError> =
        all.map(|(id, again)| document(connection, id, again)).collect();
    Ok((documents?.into_iter().flatten().collect(), upto))
}

fn document(connection: &Connection, id: i64, again: bool) -> Result<Option<Document>, StoreError> {
    let sql = "SELECT m.receiver, m.lane, n.source, m.thread, m.settled_at IS NOT NULL, m.version
               FROM message m JOIN notification n ON n.id = m.notification_id WHERE m.id = ?1";
    let found = connection.held(sql)?.query_row([id], |row| {
        Ok(([row.get(0)?, row.get(1)?, row.get(2)?], ThreadId(row.get(3)?), row.get(4)?, row.get::<_, i64>(5)?))
    });
    let Some((names, thread, settled, version)) = found.optional()? else { return Ok(None) };
    let mut select = connection.held(
        "SELECT a.name, a.labels FROM transition t JOIN alert a ON a.id = t.alert_id
         WHERE t.message_id = ?1 ORDER BY t.id LIMIT ?2",
    )?;
    let alerts = select.query_map([id, ALERTS], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    let mut select = connection.held("SELECT body FROM part WHERE message_id = ?1 AND version = ?2 ORDER BY number")?;
    let bodies = select.query_map([id, version], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut select = connection.held(
        "SELECT nullif(errcode, 0), invalid FROM attempt WHERE message_id = ?1 AND (errcode <> 0 OR invalid IS NOT NULL)",
    )?;
    let refusals = select.query_map([id], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    Ok(Some(Document { id, again, settled, names, thread, alerts, bodies, refusals }))
}

/// Rows are an id, whether it had terms before, whether it is settled, and the terms.
fn write(connection: &Connection, rows: &[(i64, bool, bool, String)], upto: Option<i64>) -> Result<(), StoreError> {
    for (id, again, settled, terms) in rows {
        let mut exists = connection.held("SELECT EXISTS (SELECT 1 FROM message WHERE id = ?1)")?;
        if *again {
            connection.held("DELETE FROM message_term WHERE rowid = ?1")?.execute([id])?;
            connection.held("DELETE FROM term_again WHERE message_id = ?1")?.execute([id])?;
        }
        if exists.query_row([id], |row| row.get(0))? {
            connection.held("INSERT INTO message_term (rowid, terms) VALUES (?1, ?2)")?.execute(params![id, terms])?;
            if !settled {
                connection.held("INSERT OR IGNORE INTO term_again (message_id) VALUES (?1)")?.execute([id])?;
            }
        }
    }
    if let Some(upto) = upto {
        connection.held("UPDATE term_mark SET message = ?1 WHERE message < ?1")?.execute([upto])?;
    }
    Ok(())
}
