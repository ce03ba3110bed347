//! Terms of messages, as lexemes of ours: no configuration of text search takes part.

use std::collections::HashMap;

use tokio_postgres::Row;

use super::Db;
use super::tx::{Fault, Kind, Tx, transaction};
use super::values::values;
use crate::alert::ThreadId;
use crate::store::StoreError;
use crate::store::terms::{ALERTS, BATCH, Document, Indexed};

impl Db {
    pub(in crate::store) async fn index_terms(&self) -> Result<Indexed, StoreError> {
        let (documents, upto) = transaction!(&self.0.pool, Kind::Read, tx => documents(&tx))?;
        let (count, again) = (documents.len(), documents.iter().filter(|document| document.again).count());
        if count == 0 {
            return Ok(Indexed::default());
        }
        let (mut ids, mut live, mut terms) = (Vec::new(), Vec::new(), Vec::new());
        for document in &documents {
            ids.push(document.id);
            live.push(!document.settled);
            // Letters and digits need no escape.
            terms.push(document.terms().iter().map(|term| format!("'{term}'")).collect::<Vec<_>>().join(" "));
        }
        transaction!(self.writing()?, Kind::Write, tx => async {
            tx.execute("DELETE FROM term_again WHERE message_id = ANY($1)", values![; ids]).await?;
            // A message that was pruned meanwhile gets none.
            let sql = "INSERT INTO message_term (message_id, terms)
                       SELECT m.id, t.terms::tsvector FROM unnest($1, $2) AS t (id, terms) JOIN message m ON m.id = t.id
                       ON CONFLICT (message_id) DO UPDATE SET terms = excluded.terms";
            tx.execute(sql, values![; ids, terms]).await?;
            let sql = "INSERT INTO term_again (message_id)
                       SELECT m.id FROM unnest($1, $2) AS t (id, live) JOIN message m ON m.id = t.id WHERE t.live
                       ON CONFLICT DO NOTHING";
            tx.execute(sql, values![; ids, live]).await?;
            if let Some(upto) = upto {
                tx.execute("UPDATE term_mark SET message = $1 WHERE message < $1", values![upto]).await?;
            }
            Ok(())
        })?;
        // New rows stand in a list of the index that each search reads from its beginning to its end: the server would let
        // it grow to 4 MB. The writers' lock is not held.
        transaction!(&self.0.pool, Kind::Read, tx => async {
            tx.only("SELECT gin_clean_pending_list('message_term_terms'::regclass)", values![]).await?;
            Ok(())
        })?;
        let full = usize::try_from(BATCH).unwrap_or(usize::MAX);
        Ok(Indexed { messages: count, more: count - again >= full || again >= full })
    }
}

/// Messages without terms, those that were settled since they had some, and the newest id among the former.
async fn documents(tx: &Tx) -> Result<(Vec<Document>, Option<i64>), Fault> {
    let ids = async |sql: &str| -> Result<Vec<i64>, Fault> {
        tx.rows(sql, values![BATCH]).await?.iter().map(|row| Ok(row.try_get(0)?)).collect()
    };
    let new = ids("SELECT id FROM message WHERE id > (SELECT message FROM term_mark) ORDER BY id LIMIT $1").await?;
    let again = ids("SELECT t.message_id FROM term_again t JOIN message m ON m.id = t.message_id
                     WHERE m.settled_at IS NOT NULL ORDER BY t.message_id LIMIT $1")
    .await?;
    let upto = new.last().copied();
    let all: Vec<i64> = new.iter().chain(&again).copied().collect();
    if all.is_empty() {
        return Ok((Vec::new(), upto));
    }
    let sql = "SELECT m.id, m.receiver, m.lane, n.source, m.thread, m.settled_at IS NOT NULL
               FROM message m JOIN notification n ON n.id = m.notification_id WHERE m.id = ANY($1)";
    let mut documents: HashMap<i64, Document> = HashMap::new();
    for row in tx.rows(sql, values![; all]).await? {
        let document = document(&row, &again)?;
        documents.insert(document.id, document);
    }
    let sql = "SELECT m.id, a.name, a.labels FROM unnest($1) AS m (id)
               CROSS JOIN LATERAL (SELECT alert_id FROM transition WHERE message_id = m.id ORDER BY id LIMIT $2) t
               JOIN alert a ON a.id = t.alert_id";
    let asked = [
        (&all as &(dyn tokio_postgres::types::ToSql + Sync), tokio_postgres::types::Type::INT8_ARRAY),
        (&ALERTS, tokio_postgres::types::Type::INT8),
    ];
    for row in tx.rows(sql, &asked).await? {
        if let Some(document) = documents.get_mut(&row.try_get(0)?) {
            document.alerts.push((row.try_get(1)?, row.try_get(2)?));
        }
    }
    let sql = "SELECT p.message_id, p.body FROM part p JOIN message m ON m.id = p.message_id AND p.version = m.version
               WHERE p.message_id = ANY($1) ORDER BY p.message_id, p.number";
    for row in tx.rows(sql, values![; all]).await? {
        if let Some(document) = documents.get_mut(&row.try_get(0)?) {
            document.bodies.push(row.try_get(1)?);
        }
    }
    let sql = "SELECT message_id, nullif(errcode, 0), invalid FROM attempt
               WHERE message_id = ANY($1) AND (errcode <> 0 OR invalid IS NOT NULL)";
    for row in tx.rows(sql, values![; all]).await? {
        if let Some(document) = documents.get_mut(&row.try_get(0)?) {
            document.refusals.push((row.try_get(1)?, row.try_get(2)?));
        }
    }
    Ok((documents.into_values().collect(), upto))
}

fn document(row: &Row, again: &[i64]) -> Result<Document, Fault> {
    let id: i64 = row.try_get(0)?;
    Ok(Document {
        id,
        again: again.contains(&id),
        settled: row.try_get(5)?,
        names: [row.try_get(1)?, row.try_get(2)?, row.try_get(3)?],
        thread: ThreadId(row.try_get(4)?),
        alerts: Vec::new(),
        bodies: Vec::new(),
        refusals: Vec::new(),
    })
}
