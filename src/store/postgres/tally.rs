//! The figures behind reports.

use tokio_postgres::Row;

use super::Db;
use super::record::{DIALECT, typed};
use super::tx::{Fault, Kind, Tx, transaction};
use super::values::{moment, named, time, values};
use crate::alert::{Timestamp, TransitionKind};
use crate::store::lists::Statement;
use crate::store::tally::{
    self, Batch, ChangeRow, Counted, LengthHour, MessageRow, NeedlessRule, RuleHour, SentHour, Sums, Taken, TakenRow,
    Tally, TallyFilter, WaitingRule,
};
use crate::store::{State, StoreError};

impl Db {
    pub(in crate::store) async fn tallied(&self, filter: TallyFilter, tail: u32) -> Result<(Tally, Batch), StoreError> {
        transaction!(&self.0.pool, Kind::Read, tx => async {
            let batch = batch(&tx, tail).await?;
            let tally = Tally {
                rules: all(&tx, &tally::rule_hours(&filter, &DIALECT), rule).await?,
                lengths: all(&tx, &tally::lengths(&filter, &DIALECT), length).await?,
                sent: all(&tx, &tally::sent_hours(&filter, &DIALECT), sent).await?,
                taken: all(&tx, &tally::taken_in(&filter, &DIALECT), |row| Ok(taken(row)?.taken)).await?,
                needless: all(&tx, &tally::needless(&filter, &DIALECT), called).await?,
                waiting: all(&tx, &tally::waiting(&filter, &DIALECT), waits).await?,
                cut: false,
            };
            Ok((tally, batch))
        })
    }

    pub(in crate::store) async fn batch(&self, limit: u32) -> Result<Batch, StoreError> {
        transaction!(&self.0.pool, Kind::Read, tx => batch(&tx, limit))
    }

    pub(in crate::store) async fn counted(&self) -> Result<Counted, StoreError> {
        transaction!(&self.0.pool, Kind::Read, tx => counted(&tx))
    }

    /// Adds sums to those before `before`, and forgets what is older than `old`.
    pub(in crate::store) async fn add(&self, sums: Sums, before: Counted, old: Timestamp) -> Result<(), StoreError> {
        transaction!(self.writing()?, Kind::Write, tx => async {
            add(&tx, &sums, before).await?;
            for (table, time) in
                [("tally_rule", "hour"), ("tally_length", "hour"), ("tally_sent", "hour"), ("tally_taken", "at")]
            {
                tx.execute(&format!("DELETE FROM {table} WHERE {time} < $1"), values![old.0]).await?;
            }
            Ok(())
        })
    }

    pub(in crate::store) async fn pairs(&self, list: Statement) -> Result<Vec<(i64, i64)>, StoreError> {
        transaction!(&self.0.pool, Kind::Read, tx => all(&tx, &list, |row| Ok((row.try_get(0)?, row.try_get(1)?))))
    }
}

async fn counted(tx: &Tx) -> Result<Counted, Fault> {
    let row = tx.only(tally::COUNTED, values![]).await?;
    Ok(Counted { transition: row.try_get(0)?, message: row.try_get(1)?, act: row.try_get(2)? })
}

/// What was not counted yet, at most so many rows of a kind.
async fn batch(tx: &Tx, limit: u32) -> Result<Batch, Fault> {
    let before = counted(tx).await?;
    let act = tally::last_act(before.act, limit);
    let act = all(tx, &act, |row| Ok(row.try_get::<_, Option<i64>>(0)?)).await?.pop().flatten();
    let act = act.unwrap_or(before.act);
    Ok(Batch {
        before,
        changes: all(tx, &tally::changes(before.transition, limit), change).await?,
        messages: all(tx, &tally::messages(before.message, limit), message).await?,
        settled: all(tx, &tally::settled(limit), message).await?,
        act,
        taken: all(tx, &tally::taken(before.act, act), taken).await?,
    })
}

async fn add(tx: &Tx, sums: &Sums, before: Counted) -> Result<(), Fault> {
    let sql = "UPDATE tally_mark SET transition = $1, message = $2, act = $3
               WHERE transition = $4 AND message = $5 AND act = $6";
    let upto = sums.upto;
    let moved = tx
        .execute(sql, values![upto.transition, upto.message, upto.act, before.transition, before.message, before.act])
        .await?;
    if moved == 0 {
        // Another replica counted it meanwhile.
        return Ok(());
    }
    let signed = u64::cast_signed;
    for row in &sums.rules {
        let sql = "INSERT INTO tally_rule AS r (hour, rule, receiver, source, fired, ended, brief, unanswered)
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (hour, rule, receiver, source) DO UPDATE
                   SET fired = r.fired + excluded.fired, ended = r.ended + excluded.ended,
                       brief = r.brief + excluded.brief, unanswered = r.unanswered + excluded.unanswered";
        let [fired, ended, brief, unanswered] = [row.fired, row.ended, row.brief, row.unanswered].map(signed);
        let values = values![row.hour.0, row.rule, row.receiver, row.source, fired, ended, brief, unanswered];
        tx.execute(sql, values).await?;
    }
    for row in &sums.lengths {
        let sql = "INSERT INTO tally_length AS l (hour, rule, receiver, step, ended) VALUES ($1, $2, $3, $4, $5)
                   ON CONFLICT (hour, rule, receiver, step) DO UPDATE SET ended = l.ended + excluded.ended";
        tx.execute(sql, values![row.hour.0, row.rule, row.receiver, row.step, signed(row.ended)]).await?;
    }
    for row in &sums.sent {
        let sql = "INSERT INTO tally_sent AS s (hour, receiver, sent, dead, folded, late)
                   VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (hour, receiver) DO UPDATE
                   SET sent = s.sent + excluded.sent, dead = s.dead + excluded.dead,
                       folded = s.folded + excluded.folded, late = s.late + excluded.late";
        let [sent, dead, folded, late] = [row.sent, row.dead, row.folded, row.late].map(signed);
        tx.execute(sql, values![row.hour.0, row.receiver, sent, dead, folded, late]).await?;
    }
    for TakenRow { act, alert, taken } in &sums.taken {
        let sql = "INSERT INTO tally_taken (at, act_id, alert_id, rule, receiver, fired_at, told_at)
                   VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";
        let (fired, told) = (taken.fired_at.map(|at| at.0), taken.told_at.map(|at| at.0));
        tx.execute(sql, values![taken.at.0, *act, *alert, taken.rule, taken.receiver, fired, told]).await?;
    }
    let live = "INSERT INTO tally_live (message_id) SELECT * FROM unnest($1) ON CONFLICT DO NOTHING";
    tx.execute_if(!sums.live.is_empty(), live, values![; sums.live]).await?;
    let gone = "DELETE FROM tally_live WHERE message_id = ANY ($1)";
    tx.execute_if(!sums.settled.is_empty(), gone, values![; sums.settled]).await?;
    Ok(())
}

async fn all<T>(tx: &Tx, list: &Statement, read: impl Fn(&Row) -> Result<T, Fault>) -> Result<Vec<T>, Fault> {
    tx.rows(&list.numbered(), &typed(&list.values)).await?.iter().map(read).collect()
}

fn count(row: &Row, column: usize) -> Result<u64, Fault> {
    Ok(row.try_get::<_, i64>(column)?.unsigned_abs())
}

fn change(row: &Row) -> Result<ChangeRow, Fault> {
    Ok(ChangeRow {
        id: row.try_get(0)?,
        alert: row.try_get(1)?,
        notification: row.try_get(2)?,
        kind: named(row, 3, TransitionKind::from_name)?,
        copied: row.try_get(4)?,
        at: moment(row, 5)?,
        starts_at: time(row, 6)?,
        ends_at: time(row, 7)?,
        rule: row.try_get(8)?,
        receiver: row.try_get(9)?,
        source: row.try_get(10)?,
        unanswered: row.try_get(11)?,
    })
}

fn message(row: &Row) -> Result<MessageRow, Fault> {
    Ok(MessageRow {
        id: row.try_get(0)?,
        receiver: row.try_get(1)?,
        created_at: moment(row, 2)?,
        state: named(row, 3, State::from_name)?,
        settled_at: time(row, 4)?,
    })
}

fn taken(row: &Row) -> Result<TakenRow, Fault> {
    let taken = Taken {
        at: moment(row, 2)?,
        rule: row.try_get(3)?,
        receiver: row.try_get(4)?,
        fired_at: time(row, 5)?,
        told_at: time(row, 6)?,
    };
    Ok(TakenRow { act: row.try_get(0)?, alert: row.try_get(1)?, taken })
}

fn rule(row: &Row) -> Result<RuleHour, Fault> {
    Ok(RuleHour {
        rule: row.try_get(0)?,
        receiver: row.try_get(1)?,
        source: row.try_get(2)?,
        hour: moment(row, 3)?,
        fired: count(row, 4)?,
        ended: count(row, 5)?,
        brief: count(row, 6)?,
        unanswered: count(row, 7)?,
    })
}

fn length(row: &Row) -> Result<LengthHour, Fault> {
    Ok(LengthHour {
        rule: row.try_get(0)?,
        receiver: row.try_get(1)?,
        hour: moment(row, 2)?,
        step: row.try_get(3)?,
        ended: count(row, 4)?,
    })
}

fn sent(row: &Row) -> Result<SentHour, Fault> {
    Ok(SentHour {
        receiver: row.try_get(0)?,
        hour: moment(row, 1)?,
        sent: count(row, 2)?,
        dead: count(row, 3)?,
        folded: count(row, 4)?,
        late: count(row, 5)?,
    })
}

fn waits(row: &Row) -> Result<WaitingRule, Fault> {
    Ok(WaitingRule { rule: row.try_get(0)?, receiver: row.try_get(1)?, count: count(row, 2)? })
}

fn called(row: &Row) -> Result<NeedlessRule, Fault> {
    Ok(NeedlessRule { rule: row.try_get(0)?, receiver: row.try_get(1)?, count: count(row, 2)? })
}
