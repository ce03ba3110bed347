//! Sessions of the console.

use tokio_postgres::Row;

use super::Db;
use super::tx::{Fault, Kind, Tx, transaction};
use super::values::{moment, values};
use crate::alert::Timestamp;
use crate::store::sessions::{IDLE_MS, SEEN_MS, SESSION_MS, TICKET_MS, TICKETS, TRAIL_MS};
use crate::store::{Hash, NewSession, Session, Step, StoreError, Ticket};

impl Db {
    pub(in crate::store) async fn offer(&self, hash: Hash, ticket: Ticket, now: Timestamp) -> Result<(), StoreError> {
        transaction!(self.writing()?, Kind::Write, tx => async {
            let Ticket { person, way } = &ticket;
            tx.execute("DELETE FROM ticket WHERE made_at <= $1", values![now.0 - TICKET_MS]).await?;
            let sql = "INSERT INTO ticket (hash, person, way, made_at) VALUES ($1, $2, $3, $4)";
            tx.execute(sql, values![hash.to_vec(), person.as_str(), way.as_str(), now.0]).await?;
            let sql = "DELETE FROM ticket WHERE person = $1 AND hash NOT IN
                           (SELECT hash FROM ticket WHERE person = $1 ORDER BY made_at DESC, hash LIMIT $2)";
            tx.execute(sql, values![person.as_str(), i64::from(TICKETS)]).await?;
            step(&tx, now, person, "link", way, "").await
        })
    }

    pub(in crate::store) async fn ticket(&self, hash: Hash, now: Timestamp) -> Result<Option<Ticket>, StoreError> {
        transaction!(&self.0.pool, Kind::Read, tx => async {
            let sql = "SELECT person, way FROM ticket WHERE hash = $1 AND made_at > $2";
            tx.row(sql, values![hash.to_vec(), now.0 - TICKET_MS]).await?.map(|row| ticket(&row)).transpose()
        })
    }

    pub(in crate::store) async fn sign_in(
        &self,
        hash: Hash,
        new: NewSession,
        now: Timestamp,
    ) -> Result<Option<Session>, StoreError> {
        transaction!(self.writing()?, Kind::Write, tx => async {
            // Of two at once, the second finds no row.
            let sql = "DELETE FROM ticket WHERE hash = $1 AND made_at > $2 RETURNING person, way";
            let taken = tx.row(sql, values![hash.to_vec(), now.0 - TICKET_MS]).await?;
            let Some(Ticket { person, way }) = taken.map(|row| ticket(&row)).transpose()? else { return Ok(None) };
            let sql = "DELETE FROM session WHERE seen_at <= $1 OR made_at <= $2";
            tx.execute(sql, values![now.0 - IDLE_MS, now.0 - SESSION_MS]).await?;
            let (id, NewSession { hash, address, agent, credential }) = (new.id(), new.clone());
            let kept = credential.map(|credential| credential.to_vec());
            let sql = "INSERT INTO session (hash, id, person, way, made_at, seen_at, address, agent, credential)
                       VALUES ($1, $2, $3, $4, $5, $5, $6, $7, $8)";
            let (of, by, from, browser) = (person.as_str(), way.as_str(), address.as_str(), agent.as_str());
            let values = values![hash.to_vec(), id.as_str(), of, by, now.0, from, browser, kept];
            tx.execute(sql, values).await?;
            step(&tx, now, &person, "signed-in", &way, &address).await?;
            Ok(Some(Session { id, person, way, made_at: now, seen_at: now, address, agent, credential }))
        })
    }

    pub(in crate::store) async fn session(&self, hash: Hash, now: Timestamp) -> Result<Option<Session>, StoreError> {
        let sql = format!("{SESSIONS} AND hash = $3");
        let found: Option<Session> = transaction!(&self.0.pool, Kind::Read, tx => async {
            let values = values![now.0 - IDLE_MS, now.0 - SESSION_MS, hash.to_vec()];
            tx.row(&sql, values).await?.map(|row| session(&row)).transpose()
        })?;
        if found.as_ref().is_some_and(|session| now.millis_since(session.seen_at) >= SEEN_MS) {
            transaction!(self.writing()?, Kind::Write, tx => async {
                tx.execute("UPDATE session SET seen_at = $1 WHERE hash = $2", values![now.0, hash.to_vec()]).await?;
                Ok(())
            })?;
        }
        Ok(found)
    }

    pub(in crate::store) async fn sessions(
        &self,
        person: Option<String>,
        now: Timestamp,
    ) -> Result<Vec<Session>, StoreError> {
        let sql = format!(
            "{SESSIONS} AND ($3::text IS NULL OR lower(person) = lower($3)) ORDER BY seen_at DESC, id LIMIT 200"
        );
        transaction!(&self.0.pool, Kind::Read, tx => async {
            let rows = tx.rows(&sql, values![now.0 - IDLE_MS, now.0 - SESSION_MS, person.clone()]).await?;
            rows.iter().map(session).collect()
        })
    }

    pub(in crate::store) async fn end_session(
        &self,
        id: String,
        what: &'static str,
        by: String,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        transaction!(self.writing()?, Kind::Write, tx => async {
            let ended = tx.row("DELETE FROM session WHERE id = $1 RETURNING person", values![id.as_str()]).await?;
            let Some(row) = ended else { return Ok(false) };
            let person: String = row.try_get(0)?;
            step(&tx, now, &person, what, &by, "").await?;
            Ok(true)
        })
    }

    pub(in crate::store) async fn leave(&self, left: Step) -> Result<(), StoreError> {
        transaction!(self.writing()?, Kind::Write, tx => async {
            step(&tx, left.at, &left.person, &left.what, &left.way, &left.address).await
        })
    }

    pub(in crate::store) async fn trail(&self, limit: u32) -> Result<Vec<Step>, StoreError> {
        let sql = "SELECT at, person, what, way, address FROM trail ORDER BY at DESC LIMIT $1";
        transaction!(&self.0.pool, Kind::Read, tx => async {
            let line = |row: &Row| {
                Ok(Step {
                    at: moment(row, 0)?,
                    person: row.try_get(1)?,
                    what: row.try_get(2)?,
                    way: row.try_get(3)?,
                    address: row.try_get(4)?,
                })
            };
            tx.rows(sql, values![i64::from(limit)]).await?.iter().map(line).collect()
        })
    }
}

/// Those that have not ended. $1: seen after this, $2: made after this.
const SESSIONS: &str = "SELECT id, person, way, made_at, seen_at, address, agent, credential FROM session
    WHERE seen_at > $1 AND made_at > $2";

fn session(row: &Row) -> Result<Session, Fault> {
    Ok(Session {
        id: row.try_get(0)?,
        person: row.try_get(1)?,
        way: row.try_get(2)?,
        made_at: moment(row, 3)?,
        seen_at: moment(row, 4)?,
        address: row.try_get(5)?,
        agent: row.try_get(6)?,
        credential: row.try_get::<_, Option<Vec<u8>>>(7)?.and_then(|bytes| bytes.try_into().ok()),
    })
}

fn ticket(row: &Row) -> Result<Ticket, Fault> {
    Ok(Ticket { person: row.try_get(0)?, way: row.try_get(1)? })
}

pub(super) async fn step(
    tx: &Tx,
    at: Timestamp,
    person: &str,
    what: &str,
    way: &str,
    address: &str,
) -> Result<(), Fault> {
    tx.execute("DELETE FROM trail WHERE at < $1", values![at.0 - TRAIL_MS]).await?;
    let sql = "INSERT INTO trail (at, person, what, way, address) VALUES ($1, $2, $3, $4, $5)
               ON CONFLICT DO NOTHING";
    tx.execute(sql, values![at.0, person, what, way, address]).await?;
    Ok(())
}
