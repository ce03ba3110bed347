//! Sessions of the console.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::Db;
use super::statement::Prepare as _;
use crate::alert::Timestamp;
use crate::store::sessions::{IDLE_MS, SEEN_MS, SESSION_MS, TICKET_MS, TICKETS, TRAIL_MS};
use crate::store::{Hash, NewSession, Session, Step, StoreError, Ticket};

impl Db {
    pub(in crate::store) async fn offer(&self, hash: Hash, ticket: Ticket, now: Timestamp) -> Result<(), StoreError> {
        self.write(move |connection| {
            let Ticket { person, way } = ticket;
            connection.held("DELETE FROM ticket WHERE made_at <= ?1")?.execute([now.0 - TICKET_MS])?;
            connection
                .held("INSERT INTO ticket (hash, person, way, made_at) VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![hash, person, way, now.0])?;
            connection
                .held(
                    "DELETE FROM ticket WHERE person = ?1 AND hash NOT IN
                         (SELECT hash FROM ticket WHERE person = ?1 ORDER BY made_at DESC, hash LIMIT ?2)",
                )?
                .execute(params![person, TICKETS])?;
            step(connection, &Step { at: now, person, what: "link".to_owned(), way, address: String::new() })
        })
        .await
    }

    pub(in crate::store) async fn ticket(&self, hash: Hash, now: Timestamp) -> Result<Option<Ticket>, StoreError> {
        self.read(move |connection| ticket(connection, &hash, now)).await
    }

    pub(in crate::store) async fn sign_in(
        &self,
        hash: Hash,
        new: NewSession,
        now: Timestamp,
    ) -> Result<Option<Session>, StoreError> {
        self.write(move |connection| {
            let Some(Ticket { person, way }) = ticket(connection, &hash, now)? else { return Ok(None) };
            connection.held("DELETE FROM ticket WHERE hash = ?1")?.execute([hash])?;
            connection
                .held("DELETE FROM session WHERE seen_at <= ?1 OR made_at <= ?2")?
                .execute([now.0 - IDLE_MS, now.0 - SESSION_MS])?;
            let id = new.id();
            let NewSession { hash, address, agent, credential } = new;
            connection
                .held(
                    "INSERT INTO session (hash, id, person, way, made_at, seen_at, address, agent, credential)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6, ?7, ?8)",
                )?
                .execute(params![hash, id, person, way, now.0, address, agent, credential])?;
            let what = "signed-in".to_owned();
            let (of, by) = (person.clone(), way.clone());
            step(connection, &Step { at: now, person: of, what, way: by, address: address.clone() })?;
            Ok(Some(Session { id, person, way, made_at: now, seen_at: now, address, agent, credential }))
        })
        .await
    }

    pub(in crate::store) async fn session(&self, hash: Hash, now: Timestamp) -> Result<Option<Session>, StoreError> {
        let found = self
            .read(move |connection| {
                let sql = format!("{SESSIONS} AND hash = ?3");
                let mut select = connection.held(&sql)?;
                Ok(select.query_row(params![now.0 - IDLE_MS, now.0 - SESSION_MS, hash], session).optional()?)
            })
            .await?;
        if found.as_ref().is_some_and(|session: &Session| now.millis_since(session.seen_at) >= SEEN_MS) {
            self.write(move |connection| {
                connection.held("UPDATE session SET seen_at = ?1 WHERE hash = ?2")?.execute(params![now.0, hash])?;
                Ok(())
            })
            .await?;
        }
        Ok(found)
    }

    pub(in crate::store) async fn sessions(
        &self,
        person: Option<String>,
        now: Timestamp,
    ) -> Result<Vec<Session>, StoreError> {
        self.read(move |connection| {
            let sql =
                format!("{SESSIONS} AND (?3 IS NULL OR lower(person) = lower(?3)) ORDER BY seen_at DESC, id LIMIT 200");
            let mut select = connection.held(&sql)?;
            let rows = select.query_map(params![now.0 - IDLE_MS, now.0 - SESSION_MS, person], session)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    pub(in crate::store) async fn end_session(
        &self,
        id: String,
        what: &'static str,
        by: String,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.write(move |connection| {
            let person: Option<String> = connection
                .held("SELECT person FROM session WHERE id = ?1")?
                .query_row([&id], |row| row.get(0))
                .optional()?;
            let Some(person) = person else { return Ok(false) };
            connection.held("DELETE FROM session WHERE id = ?1")?.execute([&id])?;
            step(connection, &Step { at: now, person, what: what.to_owned(), way: by, address: String::new() })?;
            Ok(true)
        })
        .await
    }

    pub(in crate::store) async fn leave(&self, left: Step) -> Result<(), StoreError> {
        self.write(move |connection| step(connection, &left)).await
    }

    pub(in crate::store) async fn trail(&self, limit: u32) -> Result<Vec<Step>, StoreError> {
        self.read(move |connection| {
            let mut select =
                connection.held("SELECT at, person, what, way, address FROM trail ORDER BY at DESC LIMIT ?1")?;
            let rows = select.query_map([limit], |row| {
                Ok(Step {
                    at: Timestamp(row.get(0)?),
                    person: row.get(1)?,
                    what: row.get(2)?,
                    way: row.get(3)?,
                    address: row.get(4)?,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }
}

/// Those that have not ended. ?1: seen after this, ?2: made after this.
const SESSIONS: &str = "SELECT id, person, way, made_at, seen_at, address, agent, credential FROM session
    WHERE seen_at > ?1 AND made_at > ?2";

fn session(row: &Row<'_>) -> rusqlite::Result<Session> {
    Ok(Session {
        id: row.get(0)?,
        person: row.get(1)?,
        way: row.get(2)?,
        made_at: Timestamp(row.get(3)?),
        seen_at: Timestamp(row.get(4)?),
        address: row.get(5)?,
        agent: row.get(6)?,
        credential: row.get(7)?,
    })
}

fn ticket(connection: &Connection, hash: &Hash, now: Timestamp) -> Result<Option<Ticket>, StoreError> {
    let mut select = connection.held("SELECT person, way FROM ticket WHERE hash = ?1 AND made_at > ?2")?;
    let row = |row: &Row<'_>| Ok(Ticket { person: row.get(0)?, way: row.get(1)? });
    Ok(select.query_row(params![hash, now.0 - TICKET_MS], row).optional()?)
}

pub(super) fn step(connection: &Connection, step: &Step) -> Result<(), StoreError> {
    let Step { at, person, what, way, address } = step;
    connection.held("DELETE FROM trail WHERE at < ?1")?.execute([at.0 - TRAIL_MS])?;
    connection
        .held("INSERT OR IGNORE INTO trail (at, person, what, way, address) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![at.0, person, what, way, address])?;
    Ok(())
}
