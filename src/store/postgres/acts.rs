//! Acts: what was done, what follows from it in the store, and which receivers are told.

use std::collections::HashSet;

use futures_util::future::try_join;
use tokio_postgres::Row;

use super::Db;
use super::admit::act_waits;
use super::alerts::{on, touched};
use super::cards::issue;
use super::changes::{wake, write};
use super::silences::{ended, keep};
use super::tx::{Fault, Kind, Tx, transaction};
use super::values::{Values, moment, named, time, values};
use crate::alert::{Status, Timestamp, TransitionKind};
use crate::engine::admit::{Merge, take_over};
use crate::engine::changes::Changes;
use crate::names::LaneKey;
use crate::store::wish::{
    self, Ruling, SAME_END_MS, Telling, covers, each_once, holder, left, rule, telling, tellings, told_as,
};
use crate::store::words::text;
use crate::store::{
    About, ActAlert, ActEnd, ActKind, ActState, Acted, Doer, Fate, Listeners, NewAct, StoreError, TargetRow,
};

impl Db {
    pub(in crate::store) async fn end_act(&self, end: ActEnd, now: Timestamp) -> Result<Acted, StoreError> {
        transaction!(self.writing()?, Kind::Ordered, tx => close(&tx, &end, now))
    }

    pub(in crate::store) async fn tell_of_act(
        &self,
        act: i64,
        lane: TargetRow,
        receiver: String,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let told = "SELECT EXISTS (SELECT 1 FROM message WHERE act_id = $1 AND lane = $2)";
        transaction!(self.writing()?, Kind::Ordered, tx => async {
            let Some(found) = find(&tx, "id = $1", values![act]).await? else { return Ok(false) };
            let told: bool = tx.only(told, values![act, lane.lane.as_str()]).await?.try_get(0)?;
            let on = still_on(&tx, act).await?;
            match (told_as(found.kind), telling(&on, &receiver, &lane)) {
                (Some(kind), Some(telling)) if !told => tell(&tx, act, kind, &telling, now).await?,
                _ => return Ok(false),
            }
            wake(&tx, true).await?;
            Ok(true)
        })
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

async fn find(tx: &Tx, condition: &str, values: Values<'_>) -> Result<Option<Found>, Fault> {
    let sql = format!("SELECT id, kind, state, by, at, until, thread FROM act WHERE {condition}");
    let found = |row: Row| {
        Ok(Found {
            id: row.try_get(0)?,
            kind: named(&row, 1, ActKind::from_name)?,
            state: named(&row, 2, ActState::from_name)?,
            doer: Doer { by: row.try_get(3)?, at: moment(&row, 4)?, until: time(&row, 5)? },
            thread: row.try_get(6)?,
        })
    };
    tx.row(&sql, values).await?.map(found).transpose()
}

/// Does one act, in a transaction that holds the writers' lock.
pub(super) async fn note(tx: &Tx, act: &NewAct, now: Timestamp) -> Result<Acted, Fault> {
    let event = wish::event(&act.event);
    let (first, on) = try_join(find(tx, "event = $1", values![event]), on(tx, act.about)).await?;
    if let Some(Found { id, state, doer, .. }) = first {
        let alerts = each_once(on);
        return Ok(Acted { act: id, state, again: true, before: Some(doer), alerts, lanes: Vec::new() });
    }
    let on = wish::meant(act, on);
    let ruling = rule(act, &on, same_silence(tx, act, &on, now).await?);
    // Where no step upstream follows, the answer to the press uses the code.
    if let Some(code) = act.code.as_ref().filter(|_| matches!(ruling.state, ActState::Done | ActState::Open)) {
        issue(tx, code.message, &code.code, now, true).await?;
    }
    let id = record(tx, act, &event, ruling.state, now).await?;
    mark(tx, id, &ruling.touched).await?;
    let mut lanes = Vec::new();
    if wish::is_told_at_once(act.kind, ruling.state) {
        match act.kind {
            ActKind::Acknowledge | ActKind::Release => hand_over(tx, act, &ruling, now).await?,
            ActKind::Forget => lapse(tx, &ruling, now).await?,
            _ => {}
        }
        lanes = tell_all(tx, id, act.kind, &ruling.touched, &act.listeners, act.except_lane.as_ref(), now).await?;
    }
    let alerts = left(act, on, &ruling, now);
    Ok(Acted { act: id, state: ruling.state, again: false, before: ruling.before, alerts, lanes })
}

/// The actor of an earlier silence of the same alerts that is still in force and would not end earlier.
async fn same_silence(tx: &Tx, act: &NewAct, on: &[ActAlert], now: Timestamp) -> Result<Option<Doer>, Fault> {
    let (ActKind::Silence, ActState::Open, Some(first)) = (act.kind, act.state, on.first()) else { return Ok(None) };
    let until = act.until.map_or(i64::MIN, |until| until.plus_millis(-SAME_END_MS).0);
    let asked = "SELECT c.id, c.by, c.at, coalesce(s.until, c.until)
                 FROM act_alert x JOIN act c ON c.id = x.act_id LEFT JOIN silence s ON s.act_id = c.id
                 WHERE x.alert_id = $1 AND x.thread = $2 AND c.kind = 'silence'
                   AND (c.state = 'open' OR (c.state = 'done' AND s.until > $3))
                   AND coalesce(s.until, c.until) >= $4 ORDER BY c.id DESC";
    for row in tx.rows(asked, values![first.alert, first.thread.0, now.0, until]).await? {
        let id: i64 = row.try_get(0)?;
        let doer = Doer { by: row.try_get(1)?, at: moment(&row, 2)?, until: time(&row, 3)? };
        let touched = tx.rows("SELECT alert_id, thread FROM act_alert WHERE act_id = $1", values![id]).await?;
        let pair = |row: &Row| Ok((row.try_get(0)?, row.try_get(1)?));
        if covers(&touched.iter().map(pair).collect::<Result<HashSet<(i64, i64)>, Fault>>()?, on) {
            return Ok(Some(doer));
        }
    }
    Ok(None)
}

async fn record(tx: &Tx, act: &NewAct, event: &String, state: ActState, now: Timestamp) -> Result<i64, Fault> {
    let (message, thread) = match act.about {
        About::Message(message) => (Some(message), None),
        About::Thread(thread) => (None, Some(thread.0)),
        About::Nothing => (None, None),
    };
    let sql = "INSERT INTO act (event, at, kind, state, by, via, message_id, thread, until, detail)
               VALUES ($1, $2, $3, $4, $5, $6, $7, coalesce($8, (SELECT thread FROM message WHERE id = $7), 0), $9, $10)
               RETURNING id";
    let (by, via, detail) = (text(&act.by).into_owned(), text(&act.via).into_owned(), text(&act.detail).into_owned());
    let (kind, state, until) = (act.kind.as_str(), state.as_str(), act.until.map(|until| until.0));
    let values = values![*event, now.0, kind, state, by, via, message, thread, until, detail];
    Ok(tx.only(sql, values).await?.try_get(0)?)
}

/// Records which alerts an act touched.
async fn mark(tx: &Tx, act: i64, touched: &[ActAlert]) -> Result<(), Fault> {
    let alerts: Vec<i64> = touched.iter().map(|alert| alert.alert).collect();
    let threads: Vec<i64> = touched.iter().map(|alert| alert.thread.0).collect();
    let sql = "INSERT INTO act_alert (act_id, alert_id, thread) SELECT $1, * FROM unnest($2, $3)";
    tx.execute_if(!alerts.is_empty(), sql, values![act; alerts, threads]).await?;
    Ok(())
}

/// Sets the owner of the alerts.
async fn hand_over(tx: &Tx, act: &NewAct, ruling: &Ruling, now: Timestamp) -> Result<(), Fault> {
    let (by, at) = match act.kind {
        ActKind::Acknowledge => {
            let Doer { by, at, .. } = holder(act, now);
            (Some(by), Some(at.0))
        }
        _ => (None, None),
    };
    let alerts: Vec<i64> = ruling.touched.iter().map(|alert| alert.alert).collect();
    let sql = "UPDATE alert SET acknowledged_by = $1, acknowledged_at = $2 WHERE id = ANY ($3)";
    tx.execute(sql, values![by, at; alerts]).await?;
    Ok(())
}

/// Ends the episodes of alerts that are no longer reported.
async fn lapse(tx: &Tx, ruling: &Ruling, now: Timestamp) -> Result<(), Fault> {
    let alerts: Vec<i64> = ruling.touched.iter().map(|alert| alert.alert).collect();
    let update = "UPDATE alert SET status = 'resolved', ends_at = $1, told_at = $1, lapses_at = NULL,
                                   acknowledged_by = NULL, acknowledged_at = NULL
                  WHERE id = ANY ($2)";
    tx.execute(update, values![now.0; alerts]).await?;
    let over = "UPDATE escalation SET due_at = $1 WHERE alert_id = ANY ($2)";
    tx.execute(over, values![now.0; alerts]).await?;
    Ok(())
}

async fn close(tx: &Tx, end: &ActEnd, now: Timestamp) -> Result<Acted, Fault> {
    let (found, on) = try_join(find(tx, "id = $1", values![end.act]), still_on(tx, end.act)).await?;
    let Found { id, kind, state, doer, thread } = found.ok_or_else(|| StoreError::bug("there is no such act"))?;
    if state != ActState::Open {
        tx.undo();
        let alerts = each_once(on);
        return Ok(Acted { act: id, state, again: true, before: Some(doer), alerts, lanes: Vec::new() });
    }
    let until = end.silence.as_ref().map(|silence| silence.until.0);
    let update = "UPDATE act SET state = $2, detail = CASE WHEN $3 = '' THEN detail ELSE $3 END,
                                 until = coalesce($4, until)
                  WHERE id = $1";
    tx.execute(update, values![id, end.state.as_str(), text(&end.detail).into_owned(), until]).await?;
    let mut lanes = Vec::new();
    if end.state == ActState::Done {
        match (kind, &end.silence) {
            (ActKind::Silence | ActKind::Extend, Some(silence)) => keep(tx, id, silence).await?,
            (ActKind::Expire, silence) => ended(tx, silence.as_ref(), thread, now).await?,
            _ => {}
        }
        lanes = tell_all(tx, id, kind, &on, &end.listeners, end.except_lane.as_ref(), now).await?;
    }
    Ok(Acted { act: id, state: end.state, again: false, before: None, alerts: each_once(on), lanes })
}

/// The firing alerts among those that an act touched.
async fn still_on(tx: &Tx, act: i64) -> Result<Vec<ActAlert>, Fault> {
    let mut alerts = touched(tx, act).await?;
    alerts.retain(|alert| alert.status == Status::Firing);
    Ok(alerts)
}

/// Queues the messages about an act; returns their lanes.
async fn tell_all(
    tx: &Tx,
    act: i64,
    kind: ActKind,
    touched: &[ActAlert],
    listeners: &Listeners,
    except_lane: Option<&LaneKey>,
    now: Timestamp,
) -> Result<Vec<LaneKey>, Fault> {
    let Some(kind) = told_as(kind) else { return Ok(Vec::new()) };
    let mut lanes = Vec::new();
    for telling in tellings(touched, listeners, except_lane) {
        tell(tx, act, kind, &telling, now).await?;
        lanes.push(telling.target.lane.clone());
    }
    wake(tx, !lanes.is_empty()).await?;
    Ok(lanes)
}

/// Queues a message about an act; it may use the reserve of a budget. The notification of an alert that was firing for
/// very long may be deleted: the message then refers to the next one that exists.
async fn tell(tx: &Tx, act: i64, kind: TransitionKind, telling: &Telling<'_>, now: Timestamp) -> Result<(), Fault> {
    let target = telling.target;
    let make =
        "INSERT INTO message (notification_id, receiver, lane, target, critical, urgent, thread, created_at, act_id)
                VALUES ((SELECT min(id) FROM notification WHERE id >= $1), $2, $3, $4, false, true, $5, $6, $7)
                RETURNING id, notification_id";
    let (notification, thread) = (telling.notification(), telling.thread());
    let values = values![notification, telling.receiver, target.lane.as_str(), target.target_json, thread, now.0, act];
    let row = tx.only(make, values).await?;
    let (message, notification): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
    let alerts: Vec<i64> = telling.alerts.iter().map(|alert| alert.alert).collect();
    let merges = Merge::of_act(&alerts, &target.lane, message, now);
    let mut changes = Changes::default();
    take_over(&merges, &act_waits(tx, &merges, kind).await?, &mut changes);
    write(tx, &changes).await?;
    let starts: Vec<Option<i64>> = telling.alerts.iter().map(|alert| alert.starts_at.map(|time| time.0)).collect();
    let tell =
        "INSERT INTO transition (alert_id, notification_id, alert_index, message_id, lane, kind, at, starts_at, fate)
                SELECT a.id, $1, 0, $2, $3, $4, $5, a.starts_at, $6
                FROM unnest($7, $8) WITH ORDINALITY AS a (id, starts_at, place) ORDER BY a.place";
    let (kind, fate) = (kind.as_str(), Fate::Pending.as_str());
    tx.execute(tell, values![notification, message, target.lane.as_str(), kind, now.0, fate; alerts, starts]).await?;
    Ok(())
}
