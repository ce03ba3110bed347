//! The figures behind reports.

use tokio_postgres::Row;

use super::Db;
use super::record::{DIALECT, typed};
use super::tx::{Fault, Kind, Tx, transaction};
use super::values::{moment, time};
use crate::store::StoreError;
use crate::store::lists::{self, Statement};
use crate::store::tally::{NeedlessRule, RuleHour, SentHour, Taken, Tally, TallyFilter};

impl Db {
    pub(in crate::store) async fn tally(&self, filter: TallyFilter) -> Result<Tally, StoreError> {
        let (rules, sent) = (lists::rule_hours(&filter, &DIALECT), lists::sent_hours(&filter, &DIALECT));
        let (taken, needless) = (lists::taken(&filter, &DIALECT), lists::needless(&filter, &DIALECT));
        transaction!(&self.0.pool, Kind::Read, tx => async {
            Ok(Tally {
                rules: all(&tx, &rules).await?.iter().map(rule).collect::<Result<_, _>>()?,
                sent: all(&tx, &sent).await?.iter().map(hour).collect::<Result<_, _>>()?,
                taken: all(&tx, &taken).await?.iter().map(one).collect::<Result<_, _>>()?,
                needless: all(&tx, &needless).await?.iter().map(called).collect::<Result<_, _>>()?,
            })
        })
    }
}

async fn all(tx: &Tx, list: &Statement) -> Result<Vec<Row>, Fault> {
    tx.rows(&list.numbered(), &typed(&list.values)).await
}

fn count(row: &Row, column: usize) -> Result<u64, Fault> {
    Ok(row.try_get::<_, i64>(column)?.unsigned_abs())
}

fn rule(row: &Row) -> Result<RuleHour, Fault> {
    Ok(RuleHour {
        rule: row.try_get(0)?,
        receiver: row.try_get(1)?,
        source: row.try_get(2)?,
        hour: moment(row, 3)?,
        fired: count(row, 4)?,
        ended: count(row, 5)?,
    })
}

fn hour(row: &Row) -> Result<SentHour, Fault> {
    Ok(SentHour {
        receiver: row.try_get(0)?,
        hour: moment(row, 1)?,
        sent: count(row, 2)?,
        dead: count(row, 3)?,
        folded: count(row, 4)?,
    })
}

fn one(row: &Row) -> Result<Taken, Fault> {
    Ok(Taken { rule: row.try_get(0)?, receiver: row.try_get(1)?, told_at: time(row, 2)?, at: moment(row, 3)? })
}

fn called(row: &Row) -> Result<NeedlessRule, Fault> {
    Ok(NeedlessRule { rule: row.try_get(0)?, receiver: row.try_get(1)?, count: count(row, 2)? })
}
