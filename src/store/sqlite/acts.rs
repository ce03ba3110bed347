//! Acts: loads the facts that the engine decides on, and writes what it decides.

use std::collections::{BTreeMap, HashSet};

use rusqlite::{Connection, OptionalExtension as _, params};

use super::Db;
use super::admit::{act_waits, last_ids};
use super::alerts::{reached, touched};
use super::cards::codes;
use super::changes::write;
use super::lanes::{named, time};
use super::statement::Prepare as _;
use crate::alert::Timestamp;
use crate::engine::act::{
    self, ActFacts, ActKind, ActState, Doer, Draft, EarlierSilence, EndFacts, LIMIT_MS, PressedCard, Recorded,
    SILENCES, still_on,
};
use crate::store::text::text;
use crate::store::{About, ActAlert, ActEnd, Acted, NewAct, NewSilence, StoreError, TargetRow};

impl Db {
    pub(in crate::store) async fn act(&self, act: NewAct, now: Timestamp) -> Result<Acted, StoreError> {
        self.write(move |connection| {
            let facts = facts(connection, &act, now)?;
            finish(connection, act::act(&act, facts, now))
        })
        .await
    }

    pub(in crate::store) async fn end_act(&self, end: ActEnd, now: Timestamp) -> Result<Acted, StoreError> {
        self.write(move |connection| {
            let facts = end_facts(connection, end.act, end.silence.as_ref())?;
            let draft = act::end_act(&end, facts, now).ok_or_else(|| StoreError::bug("there is no such act"))?;
            finish(connection, draft)
        })
        .await
    }

    pub(in crate::store) async fn tell_of_act(
        &self,
        act: i64,
        lane: TargetRow,
        receiver: String,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.write(move |connection| {
            let told: bool = connection
                .held("SELECT EXISTS (SELECT 1 FROM message WHERE act_id = ?1 AND lane = ?2)")?
                .query_row(params![act, lane.lane.as_str()], |row| row.get(0))?;
            let facts = end_facts(connection, act, None)?;
            let draft = act::tell_of_act(&receiver, &lane, told, facts, now);
            draft.map_or(Ok(false), |draft| finish(connection, draft).map(|_| true))
        })
        .await
    }
}

fn finish(connection: &Connection, draft: Draft<'_>) -> Result<Acted, StoreError> {
    let waits = draft.merges().map_or(Ok(Vec::new()), |(merges, kind)| act_waits(connection, merges, kind))?;
    let (acted, changes) = draft.finish(&waits);
    write(connection, &changes)?;
    Ok(acted)
}

fn facts(connection: &Connection, request: &NewAct, now: Timestamp) -> Result<ActFacts, StoreError> {
    let first = find(connection, "event = ?1", text(&act::event(&request.event)))?;
    let (on, missed) = reached(connection, request)?;
    if first.is_some() {
        return Ok(ActFacts { first, on, ..ActFacts::default() });
    }
    let silences = match act::asks_for_silences(request, &on) {
        Some(alert) => silences(connection, request, alert, now)?,
        None => Vec::new(),
    };
    let thread = match request.about {
        About::Message(message) => {
            let mut select = connection.held("SELECT thread FROM message WHERE id = ?1")?;
            select.query_row([message], |row| row.get(0)).optional()?
        }
        _ => None,
    };
    let card = match &request.code {
        Some(code) => pressed(connection, code.message)?,
        None => None,
    };
    let recent = on.first().map_or(Ok(0), |alert| recent(connection, request, alert, now))?;
    let kept = kept(connection, &on)?;
    Ok(ActFacts { first, silences, thread, card, recent, kept, on, missed, ids: last_ids(connection)? })
}

fn end_facts(connection: &Connection, act: i64, silence: Option<&NewSilence>) -> Result<EndFacts, StoreError> {
    let found = find(connection, "id = ?1", act)?;
    let on = still_on(touched(connection, act)?);
    let silences = match silence {
        Some(NewSilence { upstream, upstream_id, .. }) => connection
            .held("SELECT act_id FROM silence WHERE upstream = ?1 AND upstream_id = ?2")?
            .query_map([text(upstream), text(upstream_id)], |row| row.get(0))?
            .collect::<Result<_, _>>()?,
        None => Vec::new(),
    };
    let kept = kept(connection, &on)?;
    Ok(EndFacts { act: found, silences, kept, on, ids: last_ids(connection)? })
}

fn find(connection: &Connection, condition: &str, value: impl rusqlite::ToSql) -> Result<Option<Recorded>, StoreError> {
    let sql = format!("SELECT id, kind, state, by, at, until, detail FROM act WHERE {condition}");
    let found = connection.held(&sql)?.query_row(params![value], |row| {
        Ok(Recorded {
            id: row.get(0)?,
            kind: named(row, 1, ActKind::from_name)?,
            state: named(row, 2, ActState::from_name)?,
            doer: Doer { by: row.get(3)?, at: Timestamp(row.get(4)?), until: time(row, 5)? },
            detail: row.get(6)?,
        })
    });
    Ok(found.optional()?)
}

/// The earlier silences of an alert that would not end earlier than the one that is asked for.
fn silences(
    connection: &Connection,
    request: &NewAct,
    alert: &ActAlert,
    now: Timestamp,
) -> Result<Vec<EarlierSilence>, StoreError> {
    let mut select = connection.held(
        "SELECT c.id, c.state, c.by, c.at, c.until, s.until
         FROM act_alert x JOIN act c ON c.id = x.act_id LEFT JOIN silence s ON s.act_id = c.id
         WHERE x.alert_id = ?1 AND x.thread = ?2 AND c.kind = 'silence' ORDER BY c.id DESC LIMIT ?3",
    )?;
    let rows = select.query_map(params![alert.alert, alert.thread.0, SILENCES], |row| {
        Ok(EarlierSilence {
            act: row.get(0)?,
            state: named(row, 1, ActState::from_name)?,
            doer: Doer { by: row.get(2)?, at: Timestamp(row.get(3)?), until: time(row, 4)? },
            until: time(row, 5)?,
            touched: HashSet::new(),
        })
    })?;
    let mut all = Vec::new();
    let mut select = connection.held("SELECT alert_id, thread FROM act_alert WHERE act_id = ?1")?;
    for silence in rows {
        let mut silence = silence?;
        if silence.outlasts(request, now) {
            let touched = select.query_map([silence.act], |row| Ok((row.get(0)?, row.get(1)?)))?;
            silence.touched = touched.collect::<Result<_, _>>()?;
            all.push(silence);
        }
    }
    Ok(all)
}

/// Acts of the same person, or of all visitors of the page, on an alert shortly before.
fn recent(connection: &Connection, request: &NewAct, alert: &ActAlert, now: Timestamp) -> Result<u32, StoreError> {
    let (page, since) = (request.is_by_visitor(), now.plus_millis(-LIMIT_MS).0);
    let sql = "SELECT count(*) FROM act_alert x JOIN act c ON c.id = x.act_id
               WHERE x.alert_id = ?1 AND c.at > ?2
                 AND (c.via = 'page' OR c.via LIKE 'page/%') = ?3 AND (?3 OR lower(c.by) = lower(?4))";
    let count = connection.held(sql)?.query_row(params![alert.alert, since, page, text(&request.by)], |row| row.get(0));
    Ok(count?)
}

fn pressed(connection: &Connection, message: i64) -> Result<Option<PressedCard>, StoreError> {
    let exists: bool = connection
        .held("SELECT EXISTS (SELECT 1 FROM message WHERE id = ?1)")?
        .query_row([message], |row| row.get(0))?;
    let codes = codes(connection, message)?.unwrap_or_default();
    Ok(exists.then_some(PressedCard { codes }))
}

/// For each of the alerts' notifications: the first one that exists from there on.
fn kept(connection: &Connection, alerts: &[ActAlert]) -> Result<BTreeMap<i64, i64>, StoreError> {
    let wanted: HashSet<i64> = alerts.iter().map(|alert| alert.notification).collect();
    let mut select = connection.held("SELECT min(id) FROM notification WHERE id >= ?1")?;
    let mut kept = BTreeMap::new();
    for id in wanted {
        kept.extend(select.query_row([id], |row| row.get::<_, Option<i64>>(0))?.map(|found| (id, found)));
    }
    Ok(kept)
}
