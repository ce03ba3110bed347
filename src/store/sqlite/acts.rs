//! Acts: what was done, what follows from it in the store, and which receivers are told.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::Db;
use super::admit::act_waits;
use super::alerts::{on, touched};
use super::cards::issue;
use super::changes::write;
use super::lanes::{named, time};
use super::silences::{ended, keep};
use super::statement::Prepare as _;
use crate::alert::{Timestamp, TransitionKind};
use crate::engine::admit::{Merge, take_over};
use crate::engine::changes::Changes;
use crate::names::LaneKey;
use crate::store::wish::{
    self, SAME_END_MS, Telling, covers, each_once, holder, left, rule, telling, tellings, told_as,
};
use crate::store::words::text;
use crate::store::{
    About, ActAlert, ActEnd, ActKind, ActState, Acted, Doer, Fate, Listeners, NewAct, StoreError, TargetRow,
};

impl Db {
    pub(in crate::store) async fn act(&self, act: NewAct, now: Timestamp) -> Result<Acted, StoreError> {
        self.write(move |connection| note(connection, &act, now)).await
    }

    pub(in crate::store) async fn end_act(&self, end: ActEnd, now: Timestamp) -> Result<Acted, StoreError> {
        self.write(move |connection| close(connection, &end, now)).await
    }

    pub(in crate::store) async fn tell_of_act(
        &self,
        act: i64,
        lane: TargetRow,
        receiver: String,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.write(move |connection| {
            let Some(found) = find(connection, "id = ?1", act)? else { return Ok(false) };
            let told: bool = connection
                .held("SELECT EXISTS (SELECT 1 FROM message WHERE act_id = ?1 AND lane = ?2)")?
                .query_row(params![act, lane.lane.as_str()], |row| row.get(0))?;
            let on = still_on(connection, act)?;
            match (told_as(found.kind), telling(&on, &receiver, &lane)) {
                (Some(kind), Some(telling)) if !told => tell(connection, act, kind, &telling, now)?,
                _ => return Ok(false),
            }
            Ok(true)
        })
        .await
    }
}

/// A recorded act, with the fields that a later one needs.
struct Found {
    id: i64,
    kind: ActKind,
    state: ActState,
    doer: Doer,
    thread: i64,
}

fn find(connection: &Connection, condition: &str, value: impl rusqlite::ToSql) -> Result<Option<Found>, StoreError> {
    let sql = format!("SELECT id, kind, state, by, at, until, thread FROM act WHERE {condition}");
    let found = connection.held(&sql)?.query_row(params![value], |row| {
        Ok(Found {
            id: row.get(0)?,
            kind: named(row, 1, ActKind::from_name)?,
            state: named(row, 2, ActState::from_name)?,
            doer: Doer { by: row.get(3)?, at: Timestamp(row.get(4)?), until: time(row, 5)? },
            thread: row.get(6)?,
        })
    });
    Ok(found.optional()?)
}

fn note(connection: &Connection, act: &NewAct, now: Timestamp) -> Result<Acted, StoreError> {
    let event = wish::event(&act.event);
    if let Some(first) = find(connection, "event = ?1", &event)? {
        let alerts = each_once(on(connection, act.about)?);
        let Found { id, state, doer, .. } = first;
        return Ok(Acted { act: id, state, again: true, before: Some(doer), alerts, lanes: Vec::new() });
    }
    let on = wish::meant(act, on(connection, act.about)?);
    let ruling = rule(act, &on, same_silence(connection, act, &on, now)?);
    // Where no step upstream follows, the answer to the press uses the code.
    if let Some(code) = act.code.as_ref().filter(|_| matches!(ruling.state, ActState::Done | ActState::Open)) {
        issue(connection, code.message, &code.code, now, true)?;
    }
    let id = record(connection, act, &event, ruling.state, now)?;
    let mut insert = connection.held("INSERT INTO act_alert (act_id, alert_id, thread) VALUES (?1, ?2, ?3)")?;
    for alert in &ruling.touched {
        insert.execute([id, alert.alert, alert.thread.0])?;
    }
    let mut lanes = Vec::new();
    if wish::is_told_at_once(act.kind, ruling.state) {
        match act.kind {
            ActKind::Acknowledge | ActKind::Release => hand_over(connection, act, &ruling.touched, now)?,
            ActKind::Forget => lapse(connection, &ruling.touched, now)?,
            _ => {}
        }
        lanes = tell_all(connection, id, act.kind, &ruling.touched, &act.listeners, act.except_lane.as_ref(), now)?;
    }
    let alerts = left(act, on, &ruling, now);
    Ok(Acted { act: id, state: ruling.state, again: false, before: ruling.before, alerts, lanes })
}

/// The actor of an earlier silence of the same alerts that is still in force and would not end earlier.
fn same_silence(
    connection: &Connection,
    act: &NewAct,
    on: &[ActAlert],
    now: Timestamp,
) -> Result<Option<Doer>, StoreError> {
    let (ActKind::Silence, ActState::Open, Some(first)) = (act.kind, act.state, on.first()) else { return Ok(None) };
    let until = act.until.map_or(i64::MIN, |until| until.plus_millis(-SAME_END_MS).0);
    let mut select = connection.held(
        "SELECT c.id, c.by, c.at, coalesce(s.until, c.until)
         FROM act_alert x JOIN act c ON c.id = x.act_id LEFT JOIN silence s ON s.act_id = c.id
         WHERE x.alert_id = ?1 AND x.thread = ?2 AND c.kind = 'silence'
           AND (c.state = 'open' OR (c.state = 'done' AND s.until > ?3))
           AND coalesce(s.until, c.until) >= ?4 ORDER BY c.id DESC",
    )?;
    let rows = select.query_map(params![first.alert, first.thread.0, now.0, until], |row| {
        Ok((row.get::<_, i64>(0)?, Doer { by: row.get(1)?, at: Timestamp(row.get(2)?), until: time(row, 3)? }))
    })?;
    for row in rows {
        let (id, doer) = row?;
        let mut touched = connection.held("SELECT alert_id, thread FROM act_alert WHERE act_id = ?1")?;
        let touched = touched.query_map([id], |row| Ok((row.get(0)?, row.get(1)?)))?;
        if covers(&touched.collect::<Result<HashSet<_>, _>>()?, on) {
            return Ok(Some(doer));
        }
    }
    Ok(None)
}

fn record(
    connection: &Connection,
    act: &NewAct,
    event: &str,
    state: ActState,
    now: Timestamp,
) -> Result<i64, StoreError> {
    let (message, thread) = match act.about {
        About::Message(message) => (Some(message), None),
        About::Thread(thread) => (None, Some(thread.0)),
        About::Nothing => (None, None),
    };
    connection
        .held(
            "INSERT INTO act (event, at, kind, state, by, via, message_id, thread, until, detail)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, coalesce(?8, (SELECT thread FROM message WHERE id = ?7), 0), ?9, ?10)",
        )?
        .execute(params![
            event,
            now.0,
            act.kind.as_str(),
            state.as_str(),
            text(&act.by),
            text(&act.via),
            message,
            thread,
            act.until.map(|until| until.0),
            text(&act.detail),
        ])?;
    Ok(connection.last_insert_rowid())
}

/// Sets the owner of the alerts.
fn hand_over(connection: &Connection, act: &NewAct, touched: &[ActAlert], now: Timestamp) -> Result<(), StoreError> {
    let (by, at) = match act.kind {
        ActKind::Acknowledge => {
            let Doer { by, at, .. } = holder(act, now);
            (Some(by), Some(at.0))
        }
        _ => (None, None),
    };
    let mut update = connection.held("UPDATE alert SET acknowledged_by = ?2, acknowledged_at = ?3 WHERE id = ?1")?;
    for alert in touched {
        update.execute(params![alert.alert, by, at])?;
    }
    Ok(())
}

/// Ends the episodes of alerts that are no longer reported.
fn lapse(connection: &Connection, touched: &[ActAlert], now: Timestamp) -> Result<(), StoreError> {
    let mut update = connection.held(
        "UPDATE alert SET status = 'resolved', ends_at = ?2, told_at = ?2, lapses_at = NULL,
                          acknowledged_by = NULL, acknowledged_at = NULL
         WHERE id = ?1",
    )?;
    let mut over = connection.held("UPDATE escalation SET due_at = ?2 WHERE alert_id = ?1")?;
    for alert in touched {
        update.execute([alert.alert, now.0])?;
        over.execute([alert.alert, now.0])?;
    }
    Ok(())
}

fn close(connection: &Connection, end: &ActEnd, now: Timestamp) -> Result<Acted, StoreError> {
    let found = find(connection, "id = ?1", end.act)?.ok_or_else(|| StoreError::bug("there is no such act"))?;
    let Found { id, kind, state, doer, thread } = found;
    let on = still_on(connection, id)?;
    if state != ActState::Open {
        let alerts = each_once(on);
        return Ok(Acted { act: id, state, again: true, before: Some(doer), alerts, lanes: Vec::new() });
    }
    let until = end.silence.as_ref().map(|silence| silence.until.0);
    connection
        .held(
            "UPDATE act SET state = ?2, detail = CASE WHEN ?3 = '' THEN detail ELSE ?3 END, until = coalesce(?4, until)
             WHERE id = ?1",
        )?
        .execute(params![id, end.state.as_str(), text(&end.detail), until])?;
    let mut lanes = Vec::new();
    if end.state == ActState::Done {
        match (kind, &end.silence) {
            (ActKind::Silence | ActKind::Extend, Some(silence)) => keep(connection, id, silence)?,
            (ActKind::Expire, silence) => ended(connection, silence.as_ref(), thread, now)?,
            _ => {}
        }
        lanes = tell_all(connection, id, kind, &on, &end.listeners, end.except_lane.as_ref(), now)?;
    }
    Ok(Acted { act: id, state: end.state, again: false, before: None, alerts: each_once(on), lanes })
}

/// The firing alerts among those that an act touched.
fn still_on(connection: &Connection, act: i64) -> Result<Vec<ActAlert>, StoreError> {
    let mut alerts = touched(connection, act)?;
    alerts.retain(|alert| alert.status == crate::alert::Status::Firing);
    Ok(alerts)
}

/// Queues the messages about an act; returns their lanes.
fn tell_all(
    connection: &Connection,
    act: i64,
    kind: ActKind,
    touched: &[ActAlert],
    listeners: &Listeners,
    except_lane: Option<&LaneKey>,
    now: Timestamp,
) -> Result<Vec<LaneKey>, StoreError> {
    let Some(kind) = told_as(kind) else { return Ok(Vec::new()) };
    let mut lanes = Vec::new();
    for telling in tellings(touched, listeners, except_lane) {
        tell(connection, act, kind, &telling, now)?;
        lanes.push(telling.target.lane.clone());
    }
    Ok(lanes)
}

/// Queues a message about an act; it may use the reserve of a budget. The notification of an alert that was firing for
/// very long may be deleted: the message then refers to the next one that exists.
fn tell(
    connection: &Connection,
    act: i64,
    kind: TransitionKind,
    telling: &Telling<'_>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (receiver, target) = (telling.receiver, telling.target);
    connection
        .held(
            "INSERT INTO message (notification_id, receiver, lane, target, critical, urgent, thread, created_at, act_id)
             VALUES ((SELECT min(id) FROM notification WHERE id >= ?1), ?2, ?3, ?4, 0, 1, ?5, ?6, ?7)",
        )?
        .execute(params![
            telling.notification(),
            receiver,
            target.lane.as_str(),
            target.target_json,
            telling.thread(),
            now.0,
            act
        ])?;
    let message = connection.last_insert_rowid();
    let alerts: Vec<i64> = telling.alerts.iter().map(|alert| alert.alert).collect();
    let merges = Merge::of_act(&alerts, &target.lane, message, now);
    let mut changes = Changes::default();
    take_over(&merges, &act_waits(connection, &merges, kind)?, &mut changes);
    write(connection, &changes)?;
    let mut insert = connection.held(
        "INSERT INTO transition (alert_id, notification_id, alert_index, message_id, lane, kind, at, starts_at, fate)
         VALUES (?1, (SELECT notification_id FROM message WHERE id = ?2), 0, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for alert in &telling.alerts {
        let starts_at = alert.starts_at.map(|time| time.0);
        let fate = Fate::Pending.as_str();
        insert.execute(params![alert.alert, message, target.lane.as_str(), kind.as_str(), now.0, starts_at, fate])?;
    }
    Ok(())
}
