//! The figures behind reports.

use rusqlite::{Connection, Row, params, params_from_iter};

use super::Db;
use super::lanes::{named, time};
use super::record::{DIALECT, values};
use super::statement::Prepare as _;
use crate::alert::{Timestamp, TransitionKind};
use crate::store::lists::Statement;
use crate::store::tally::{
    self, Batch, ChangeRow, Counted, LengthHour, MessageRow, NeedlessRule, RuleHour, SentHour, Sums, Taken, TakenRow,
    Tally, TallyFilter, WaitingRule,
};
use crate::store::{State, StoreError};

/// Deletes old sums.
const FORGET: [&str; 4] = [
    "DELETE FROM tally_rule WHERE hour < ?1",
    "DELETE FROM tally_length WHERE hour < ?1",
    "DELETE FROM tally_sent WHERE hour < ?1",
    "DELETE FROM tally_taken WHERE at < ?1",
];

impl Db {
    pub(in crate::store) async fn tallied(&self, filter: TallyFilter, tail: u32) -> Result<(Tally, Batch), StoreError> {
        self.read(move |connection| {
            let batch = batch(connection, tail)?;
            let tally = Tally {
                rules: all(connection, tally::rule_hours(&filter, &DIALECT), rule)?,
                lengths: all(connection, tally::lengths(&filter, &DIALECT), length)?,
                sent: all(connection, tally::sent_hours(&filter, &DIALECT), sent)?,
                taken: all(connection, tally::taken_in(&filter, &DIALECT), |row| Ok(taken(row)?.taken))?,
                needless: all(connection, tally::needless(&filter, &DIALECT), |row| {
                    Ok(NeedlessRule { rule: row.get(0)?, receiver: row.get(1)?, count: count(row, 2)? })
                })?,
                waiting: all(connection, tally::waiting(&filter, &DIALECT), |row| {
                    Ok(WaitingRule { rule: row.get(0)?, receiver: row.get(1)?, count: count(row, 2)? })
                })?,
                cut: false,
            };
            Ok((tally, batch))
        })
        .await
    }

    pub(in crate::store) async fn batch(&self, limit: u32) -> Result<Batch, StoreError> {
        self.read(move |connection| batch(connection, limit)).await
    }

    pub(in crate::store) async fn counted(&self) -> Result<Counted, StoreError> {
        self.read(counted).await
    }

    /// Adds sums to those before `before`, and forgets what is older than `old`.
    pub(in crate::store) async fn add(&self, sums: Sums, before: Counted, old: Timestamp) -> Result<(), StoreError> {
        self.write(move |connection| {
            add(connection, &sums, before)?;
            for sql in FORGET {
                connection.held(sql)?.execute([old.0])?;
            }
            Ok(())
        })
        .await
    }

    pub(in crate::store) async fn pairs(&self, list: Statement) -> Result<Vec<(i64, i64)>, StoreError> {
        self.read(move |connection| all(connection, list, |row| Ok((row.get(0)?, row.get(1)?)))).await
    }
}

fn counted(connection: &Connection) -> Result<Counted, StoreError> {
    Ok(connection
        .held(tally::COUNTED)?
        .query_row([], |row| Ok(Counted { transition: row.get(0)?, message: row.get(1)?, act: row.get(2)? }))?)
}

/// What was not counted yet, at most so many rows of a kind.
fn batch(connection: &Connection, limit: u32) -> Result<Batch, StoreError> {
    let before = counted(connection)?;
    let act = tally::last_act(before.act, limit);
    let act = all(connection, act, |row| row.get::<_, Option<i64>>(0))?.pop().flatten().unwrap_or(before.act);
    Ok(Batch {
        before,
        changes: all(connection, tally::changes(before.transition, limit), change)?,
        messages: all(connection, tally::messages(before.message, limit), message)?,
        settled: all(connection, tally::settled(limit), message)?,
        act,
        taken: all(connection, tally::taken(before.act, act), taken)?,
    })
}

fn add(connection: &Connection, sums: &Sums, before: Counted) -> Result<(), StoreError> {
    let moved = connection
        .held(
            "UPDATE tally_mark SET transition = ?1, message = ?2, act = ?3
             WHERE transition = ?4 AND message = ?5 AND act = ?6",
        )?
        .execute([
            sums.upto.transition,
            sums.upto.message,
            sums.upto.act,
            before.transition,
            before.message,
            before.act,
        ])?;
    if moved == 0 {
        return Ok(());
    }
    for row in &sums.rules {
        let sql = "INSERT INTO tally_rule (hour, rule, receiver, source, fired, ended, brief, unanswered)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO UPDATE
                   SET fired = fired + excluded.fired, ended = ended + excluded.ended, brief = brief + excluded.brief,
                       unanswered = unanswered + excluded.unanswered";
        let [fired, ended, brief, unanswered] = [row.fired, row.ended, row.brief, row.unanswered].map(u64::cast_signed);
        let values = params![row.hour.0, row.rule, row.receiver, row.source, fired, ended, brief, unanswered];
        connection.held(sql)?.execute(values)?;
    }
    for row in &sums.lengths {
        let sql = "INSERT INTO tally_length (hour, rule, receiver, step, ended) VALUES (?1, ?2, ?3, ?4, ?5)
                   ON CONFLICT DO UPDATE SET ended = ended + excluded.ended";
        let values = params![row.hour.0, row.rule, row.receiver, row.step, row.ended.cast_signed()];
        connection.held(sql)?.execute(values)?;
    }
    for row in &sums.sent {
        let sql = "INSERT INTO tally_sent (hour, receiver, sent, dead, folded, late) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                   ON CONFLICT DO UPDATE SET sent = sent + excluded.sent, dead = dead + excluded.dead,
                                             folded = folded + excluded.folded, late = late + excluded.late";
        let [sent, dead, folded, late] = [row.sent, row.dead, row.folded, row.late].map(u64::cast_signed);
        connection.held(sql)?.execute(params![row.hour.0, row.receiver, sent, dead, folded, late])?;
    }
    for TakenRow { act, alert, taken } in &sums.taken {
        let sql = "INSERT OR IGNORE INTO tally_taken (at, act_id, alert_id, rule, receiver, fired_at, told_at)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let (fired, told) = (taken.fired_at.map(|at| at.0), taken.told_at.map(|at| at.0));
        connection.held(sql)?.execute(params![taken.at.0, act, alert, taken.rule, taken.receiver, fired, told])?;
    }
    for (sql, ids) in [
        ("INSERT OR IGNORE INTO tally_live (message_id) VALUES (?1)", &sums.live),
        ("DELETE FROM tally_live WHERE message_id = ?1", &sums.settled),
    ] {
        let mut statement = connection.held(sql)?;
        for id in ids {
            statement.execute([id])?;
        }
    }
    Ok(())
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

fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(row.get::<_, i64>(column)?.unsigned_abs())
}

fn change(row: &Row<'_>) -> rusqlite::Result<ChangeRow> {
    Ok(ChangeRow {
        id: row.get(0)?,
        alert: row.get(1)?,
        notification: row.get(2)?,
        kind: named(row, 3, TransitionKind::from_name)?,
        copied: row.get(4)?,
        at: Timestamp(row.get(5)?),
        starts_at: time(row, 6)?,
        ends_at: time(row, 7)?,
        rule: row.get(8)?,
        receiver: row.get(9)?,
        source: row.get(10)?,
        unanswered: row.get(11)?,
    })
}

fn message(row: &Row<'_>) -> rusqlite::Result<MessageRow> {
    Ok(MessageRow {
        id: row.get(0)?,
        receiver: row.get(1)?,
        created_at: Timestamp(row.get(2)?),
        state: named(row, 3, State::from_name)?,
        settled_at: time(row, 4)?,
    })
}

fn taken(row: &Row<'_>) -> rusqlite::Result<TakenRow> {
    let taken = Taken {
        at: Timestamp(row.get(2)?),
        rule: row.get(3)?,
        receiver: row.get(4)?,
        fired_at: time(row, 5)?,
        told_at: time(row, 6)?,
    };
    Ok(TakenRow { act: row.get(0)?, alert: row.get(1)?, taken })
}

fn rule(row: &Row<'_>) -> rusqlite::Result<RuleHour> {
    Ok(RuleHour {
        rule: row.get(0)?,
        receiver: row.get(1)?,
        source: row.get(2)?,
        hour: Timestamp(row.get(3)?),
        fired: count(row, 4)?,
        ended: count(row, 5)?,
        brief: count(row, 6)?,
        unanswered: count(row, 7)?,
    })
}

fn length(row: &Row<'_>) -> rusqlite::Result<LengthHour> {
    Ok(LengthHour {
        rule: row.get(0)?,
        receiver: row.get(1)?,
        hour: Timestamp(row.get(2)?),
        step: row.get(3)?,
        ended: count(row, 4)?,
    })
}

fn sent(row: &Row<'_>) -> rusqlite::Result<SentHour> {
    Ok(SentHour {
        receiver: row.get(0)?,
        hour: Timestamp(row.get(1)?),
        sent: count(row, 2)?,
        dead: count(row, 3)?,
        folded: count(row, 4)?,
        late: count(row, 5)?,
    })
}
