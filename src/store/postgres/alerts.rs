//! Alerts as acts need them: owner, receiver, origin.

use tokio_postgres::Row;

use super::Db;
use super::record::{DIALECT, typed};
use super::tx::{Fault, Kind, Tx, transaction};
use super::values::{Values, named, time, values};
use crate::alert::{Identity, Status, ThreadId};
use crate::engine::act::{Candidate, Reach, reach};
use crate::names::SourceId;
use crate::store::on::{self, Head};
use crate::store::{ACT_ALERTS, About, ActAlert, Counted, Doer, NewAct, OnFilter, StoreError};

/// The columns of an [`ActAlert`] of the table `a`.
pub(super) const COLUMNS: &str = "a.id, a.identity, a.receiver, a.source, a.name, a.labels, a.critical, a.status,
    a.starts_at, a.ends_at, a.notification_id, a.thread, a.sender, a.acknowledged_by, a.acknowledged_at";

impl Db {
    pub(in crate::store) async fn told_firing(&self, identities: Vec<Identity>) -> Result<Vec<ActAlert>, StoreError> {
        let identities: Vec<&[u8]> = identities.iter().map(|identity| &identity.0[..]).collect();
        // In the order of the request, as if asked one by one.
        let sql = format!(
            "SELECT {COLUMNS} FROM unnest($1) WITH ORDINALITY AS k (identity, place)
             CROSS JOIN LATERAL (SELECT * FROM alert WHERE identity = k.identity OFFSET 0) a
             WHERE a.status = 'firing' ORDER BY k.place, a.id"
        );
        transaction!(&self.0.pool, Kind::Read, tx => async {
            tx.rows(&sql, values![; identities]).await?.iter().map(|row| alert(row, 0)).collect()
        })
    }

    pub(in crate::store) async fn receivers_of(&self, thread: ThreadId) -> Result<Vec<String>, StoreError> {
        // In byte order, as in SQLite, whatever the server's collation.
        let sql = "SELECT DISTINCT receiver COLLATE \"C\" FROM alert WHERE thread = $1 ORDER BY 1";
        transaction!(&self.0.pool, Kind::Read, tx => async {
            tx.rows(sql, values![thread.0]).await?.iter().map(|row| Ok(row.try_get(0)?)).collect()
        })
    }

    pub(in crate::store) async fn has(&self, person: String, thread: ThreadId) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM alert
                                  WHERE thread = $1 AND status = 'firing' AND lower(acknowledged_by) = $2)";
        transaction!(&self.0.pool, Kind::Read, tx => async {
            Ok(tx.only(sql, values![thread.0, person]).await?.try_get(0)?)
        })
    }

    pub(in crate::store) async fn receivers_on(&self) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT DISTINCT receiver COLLATE \"C\" FROM alert WHERE status = 'firing' ORDER BY 1";
        transaction!(&self.0.pool, Kind::Read, tx => async {
            tx.rows(sql, values![]).await?.iter().map(|row| Ok(row.try_get(0)?)).collect()
        })
    }

    pub(in crate::store) async fn alerts_on(&self, filter: OnFilter) -> Result<(Vec<ActAlert>, Counted), StoreError> {
        let condition = format!("a.id = ANY($1) AND a.status = 'firing' {}", on::ORDER);
        let heads = on::heads(&filter, &DIALECT);
        transaction!(&self.0.pool, Kind::Read, tx => async {
            let mut lists = Vec::new();
            for list in &heads {
                let rows = tx.rows(&list.numbered(), &typed(&list.values)).await?;
                lists.push(rows.iter().map(head).collect::<Result<_, Fault>>()?);
            }
            let (ids, counted) = on::once(lists, filter.limit);
            Ok((select(&tx, &condition, values![; ids]).await?, counted))
        })
    }
}

fn head(row: &Row) -> Result<Head, Fault> {
    Ok(Head { critical: row.try_get(0)?, thread: row.try_get(1)?, id: row.try_get(2)?, identity: identity(row, 3)? })
}

/// The firing alerts that a request reaches, for each receiver, and how many alerts more it means.
pub(super) async fn reached(tx: &Tx, request: &NewAct) -> Result<(Vec<ActAlert>, u64), Fault> {
    // One lookup for each row, so that the planner, whose statistics are old in a storm, must use the indexes: of the
    // identity, not of all that fires.
    let (named, number) = match request.about {
        About::Message(message) => (
            "SELECT DISTINCT b.identity FROM (SELECT alert_id FROM transition WHERE message_id = $1 OFFSET 0) t
             CROSS JOIN LATERAL (SELECT identity FROM alert WHERE id = t.alert_id OFFSET 0) b",
            message,
        ),
        About::Thread(thread) => ("SELECT DISTINCT identity FROM alert WHERE thread = $1", thread.0),
        About::Nothing => return Ok((Vec::new(), 0)),
    };
    let sql = format!(
        "SELECT a.id, a.identity, a.receiver, a.acknowledged_by FROM ({named}) named
         CROSS JOIN LATERAL (SELECT * FROM alert WHERE identity = named.identity OFFSET 0) a WHERE a.status = 'firing'"
    );
    let mut firing = Vec::new();
    for row in &tx.rows(&sql, values![number]).await? {
        let (receiver, owner) = (row.try_get(2)?, row.try_get(3)?);
        firing.push(Candidate { alert: row.try_get(0)?, identity: identity(row, 1)?, receiver, owner });
    }
    let Reach { alerts, missed } = reach(request, firing, ACT_ALERTS);
    if alerts.is_empty() {
        return Ok((Vec::new(), missed));
    }
    let sql = format!(
        "SELECT {COLUMNS} FROM unnest($1) AS k (id)
         CROSS JOIN LATERAL (SELECT * FROM alert WHERE id = k.id OFFSET 0) a ORDER BY a.id"
    );
    let rows = tx.rows(&sql, values![; alerts]).await?;
    Ok((rows.iter().map(|row| alert(row, 0)).collect::<Result<_, Fault>>()?, missed))
}

/// The alerts that an act touched, as they are now.
pub(super) async fn touched(tx: &Tx, act: i64) -> Result<Vec<ActAlert>, Fault> {
    select(tx, "a.id IN (SELECT alert_id FROM act_alert WHERE act_id = $1) ORDER BY a.id", values![act]).await
}

/// The alerts that satisfy `condition`.
pub(super) async fn select(tx: &Tx, condition: &str, values: Values<'_>) -> Result<Vec<ActAlert>, Fault> {
    let sql = format!("SELECT {COLUMNS} FROM alert a WHERE {condition}");
    tx.rows(&sql, values).await?.iter().map(|row| alert(row, 0)).collect()
}

/// An alert in the columns from `first` on.
pub(super) fn alert(row: &Row, first: usize) -> Result<ActAlert, Fault> {
    let by: Option<String> = row.try_get(first + 13)?;
    let at = time(row, first + 14)?;
    Ok(ActAlert {
        alert: row.try_get(first)?,
        identity: identity(row, first + 1)?,
        receiver: row.try_get(first + 2)?,
        source: SourceId::parse(row.try_get(first + 3)?),
        name: row.try_get(first + 4)?,
        labels_json: row.try_get(first + 5)?,
        critical: row.try_get(first + 6)?,
        status: named(row, first + 7, Status::from_name)?,
        starts_at: time(row, first + 8)?,
        ends_at: time(row, first + 9)?,
        notification: row.try_get(first + 10)?,
        thread: ThreadId(row.try_get(first + 11)?),
        sender: row.try_get(first + 12)?,
        acknowledged: by.map(|by| Doer { by, at: at.unwrap_or_default(), until: None }),
    })
}

fn identity(row: &Row, column: usize) -> Result<Identity, Fault> {
    let identity: &[u8] = row.try_get(column)?;
    let identity = identity.try_into().map_err(|_| StoreError::bug("an identity is not 32 bytes long"))?;
    Ok(Identity(identity))
}
