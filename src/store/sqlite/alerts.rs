//! Alerts as acts need them: owner, receiver, origin.

use rusqlite::{Connection, Params, Row, params, params_from_iter};

use super::Db;
use super::keys::among;
use super::lanes::{named, time};
use super::record::{DIALECT, values};
use super::statement::Prepare as _;
use crate::alert::{Identity, Status, ThreadId, Timestamp};
use crate::engine::act::{Candidate, Reach, reach};
use crate::names::SourceId;
use crate::store::on::{self, Head};
use crate::store::{ACT_ALERTS, About, ActAlert, Counted, Doer, NewAct, OnFilter, StoreError};

/// The columns of an [`ActAlert`] of the table `a`.
pub(super) const COLUMNS: &str = "a.id, a.identity, a.receiver, a.source, a.name, a.labels, a.critical, a.status,
    a.starts_at, a.ends_at, a.notification_id, a.thread, a.sender, a.acknowledged_by, a.acknowledged_at";

impl Db {
    pub(in crate::store) async fn told_firing(&self, identities: Vec<Identity>) -> Result<Vec<ActAlert>, StoreError> {
        self.read(move |connection| {
            let mut all = Vec::new();
            for identity in identities {
                let identified = among("SELECT ?1 AS identity");
                let condition = format!("{identified} AND a.status = 'firing' ORDER BY a.id");
                all.extend(select(connection, &condition, [&identity.0[..]])?);
            }
            Ok(all)
        })
        .await
    }

    pub(in crate::store) async fn receivers_of(&self, thread: ThreadId) -> Result<Vec<String>, StoreError> {
        self.read(move |connection| {
            let sql = "SELECT DISTINCT receiver FROM alert WHERE thread = ?1 ORDER BY receiver";
            let mut select = connection.held(sql)?;
            let rows = select.query_map([thread.0], |row| row.get(0))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    pub(in crate::store) async fn has(&self, person: String, thread: ThreadId) -> Result<bool, StoreError> {
        self.read(move |connection| {
            let sql = "SELECT EXISTS (SELECT 1 FROM alert
                                      WHERE thread = ?1 AND status = 'firing' AND lower(acknowledged_by) = ?2)";
            Ok(connection.held(sql)?.query_row(params![thread.0, person], |row| row.get(0))?)
        })
        .await
    }

    pub(in crate::store) async fn receivers_on(&self) -> Result<Vec<String>, StoreError> {
        self.read(|connection| {
            let sql = "SELECT DISTINCT receiver FROM alert WHERE status = 'firing' ORDER BY receiver";
            let mut select = connection.held(sql)?;
            let rows = select.query_map([], |row| row.get(0))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    pub(in crate::store) async fn alerts_on(&self, filter: OnFilter) -> Result<(Vec<ActAlert>, Counted), StoreError> {
        self.read(move |connection| {
            let mut lists = Vec::new();
            for list in on::heads(&filter, &DIALECT) {
                let mut select = connection.held(&list.sql)?;
                let rows = select.query_map(params_from_iter(values(list.values)), |row| {
                    let identity = Identity(row.get(3)?);
                    Ok(Head { critical: row.get(0)?, thread: row.get(1)?, id: row.get(2)?, identity })
                })?;
                lists.push(rows.collect::<Result<_, _>>()?);
            }
            let (ids, counted) = on::once(lists, filter.limit);
            let condition = format!("a.id IN (SELECT value FROM json_each(?1)) AND a.status = 'firing' {}", on::ORDER);
            let ids = serde_json::to_string(&ids).expect("numbers are JSON");
            Ok((select(connection, &condition, [ids])?, counted))
        })
        .await
    }
}

/// The firing alerts that a request reaches, for each receiver, and how many alerts more it means.
pub(super) fn reached(connection: &Connection, request: &NewAct) -> Result<(Vec<ActAlert>, u64), StoreError> {
    let (named, number) = match request.about {
        About::Message(message) => (
            "SELECT DISTINCT b.identity FROM transition t JOIN alert b ON b.id = t.alert_id WHERE t.message_id = ?1",
            message,
        ),
        About::Thread(thread) => ("SELECT DISTINCT identity FROM alert WHERE thread = ?1", thread.0),
        About::Nothing => return Ok((Vec::new(), 0)),
    };
    let sql = format!(
        "SELECT a.id, a.identity, a.receiver, a.acknowledged_by FROM alert a WHERE {} AND a.status = 'firing'",
        among(named)
    );
    let candidate = |row: &Row<'_>| {
        let (receiver, owner) = (row.get(2)?, row.get(3)?);
        Ok(Candidate { alert: row.get(0)?, identity: Identity(row.get(1)?), receiver, owner })
    };
    let firing = connection.held(&sql)?.query_map([number], candidate)?.collect::<Result<_, _>>()?;
    let Reach { alerts, missed } = reach(request, firing, ACT_ALERTS);
    let alerts = serde_json::to_string(&alerts).expect("numbers are JSON");
    let condition = "a.id IN (SELECT value FROM json_each(?1)) ORDER BY a.id";
    Ok((select(connection, condition, [alerts])?, missed))
}

/// The alerts that an act touched, as they are now.
pub(super) fn touched(connection: &Connection, act: i64) -> Result<Vec<ActAlert>, StoreError> {
    select(connection, "a.id IN (SELECT alert_id FROM act_alert WHERE act_id = ?1) ORDER BY a.id", params![act])
}

/// The alerts that satisfy `condition`.
pub(super) fn select(
    connection: &Connection,
    condition: &str,
    values: impl Params,
) -> Result<Vec<ActAlert>, StoreError> {
    let mut select = connection.held(&format!("SELECT {COLUMNS} FROM alert a WHERE {condition}"))?;
    let rows = select.query_map(values, |row| alert(row, 0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// An alert in the columns from `first` on.
pub(super) fn alert(row: &Row<'_>, first: usize) -> rusqlite::Result<ActAlert> {
    let by: Option<String> = row.get(first + 13)?;
    let at = time(row, first + 14)?;
    Ok(ActAlert {
        alert: row.get(first)?,
        identity: Identity(row.get(first + 1)?),
        receiver: row.get(first + 2)?,
        source: SourceId::parse(&row.get::<_, String>(first + 3)?),
        name: row.get(first + 4)?,
        labels_json: row.get(first + 5)?,
        critical: row.get(first + 6)?,
        status: named(row, first + 7, Status::from_name)?,
        starts_at: time(row, first + 8)?,
        ends_at: time(row, first + 9)?,
        notification: row.get(first + 10)?,
        thread: ThreadId(row.get(first + 11)?),
        sender: row.get(first + 12)?,
        acknowledged: by.map(|by| Doer { by, at: at.unwrap_or(Timestamp(0)), until: None }),
    })
}
