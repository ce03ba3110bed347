//! The figures behind reports.

use rusqlite::{Connection, Row, params_from_iter};

use super::Db;
use super::lanes::time;
use super::record::{DIALECT, values};
use crate::alert::Timestamp;
use crate::store::StoreError;
use crate::store::lists::{self, Statement};
use crate::store::tally::{NeedlessRule, RuleHour, SentHour, Taken, Tally, TallyFilter};

impl Db {
    pub(in crate::store) async fn tally(&self, filter: TallyFilter) -> Result<Tally, StoreError> {
        self.read(move |connection| {
            let count = |row: &Row<'_>, at| -> rusqlite::Result<u64> { Ok(row.get::<_, i64>(at)?.unsigned_abs()) };
            let rules = all(connection, lists::rule_hours(&filter, &DIALECT), |row| {
                Ok(RuleHour {
                    rule: row.get(0)?,
                    receiver: row.get(1)?,
                    source: row.get(2)?,
                    hour: Timestamp(row.get(3)?),
                    fired: count(row, 4)?,
                    ended: count(row, 5)?,
                })
            })?;
            let sent = all(connection, lists::sent_hours(&filter, &DIALECT), |row| {
                Ok(SentHour {
                    receiver: row.get(0)?,
                    hour: Timestamp(row.get(1)?),
                    sent: count(row, 2)?,
                    dead: count(row, 3)?,
                    folded: count(row, 4)?,
                })
            })?;
            let taken = all(connection, lists::taken(&filter, &DIALECT), |row| {
                Ok(Taken {
                    rule: row.get(0)?,
                    receiver: row.get(1)?,
                    told_at: time(row, 2)?,
                    at: Timestamp(row.get(3)?),
                })
            })?;
            let needless = all(connection, lists::needless(&filter, &DIALECT), |row| {
                Ok(NeedlessRule { rule: row.get(0)?, receiver: row.get(1)?, count: count(row, 2)? })
            })?;
            Ok(Tally { rules, sent, taken, needless })
        })
        .await
    }
}

fn all<T>(
    connection: &Connection,
    list: Statement,
    row: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, StoreError> {
    let mut select = connection.prepare(&list.sql)?;
    let rows = select.query_map(params_from_iter(values(list.values)), row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}
