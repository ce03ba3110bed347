//! Acts: loads the facts that the engine decides on, and writes what it decides.

use std::collections::{BTreeMap, HashSet};

use futures_util::future::{try_join, try_join_all, try_join3, try_join4};
use tokio_postgres::Row;

use super::Db;
use super::admit::{act_waits, last_ids};
use super::alerts::{reached, touched};
use super::cards::codes;
use super::changes::write;
use super::tx::{Fault, Kind, Tx, caught, transaction};
use super::values::{Values, moment, named, small, time, values};
use crate::alert::Timestamp;
use crate::engine::act::{
    self, ActFacts, ActKind, ActState, Doer, Draft, EarlierSilence, EndFacts, LIMIT_MS, PressedCard, Recorded,
    SILENCES, still_on,
};
use crate::engine::admit::Waits;
use crate::store::text::text;
use crate::store::{About, ActAlert, ActEnd, Acted, NewAct, NewSilence, StoreError, TargetRow};

impl Db {
    pub(in crate::store) async fn end_act(&self, end: ActEnd, now: Timestamp) -> Result<Acted, StoreError> {
        transaction!(self.writing()?, Kind::Ordered, tx => async {
            let facts = end_facts(&tx, end.act, end.silence.as_ref()).await?;
            let draft = caught(|| act::end_act(&end, facts, now))?;
            finish(&tx, draft.ok_or_else(|| StoreError::bug("there is no such act"))?).await
        })
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
            let told: bool = tx.only(told, values![act, lane.lane.as_str()]).await?.try_get(0)?;
            let facts = end_facts(&tx, act, None).await?;
            let Some(draft) = caught(|| act::tell_of_act(&receiver, &lane, told, facts, now))? else {
                return Ok(false);
            };
            finish(&tx, draft).await.map(|_| true)
        })
    }
}

/// Does the acts of a group in turn, in a transaction that holds the writers' lock: acts on different alerts are loaded
/// and written together, one that touches what an earlier one touches follows in the next round.
pub(super) async fn act_all(tx: &Tx, group: &[(&NewAct, Timestamp)]) -> Result<Vec<Acted>, Fault> {
    let mut done: Vec<Option<Acted>> = group.iter().map(|_| None).collect();
    while done.iter().any(Option::is_none) {
        let mut about = HashSet::new();
        let open: Vec<usize> =
            (0..group.len()).filter(|place| done[*place].is_none() && about.insert(group[*place].0.about)).collect();
        let (ids, all) =
            try_join(last_ids(tx), try_join_all(open.iter().map(|place| facts(tx, group[*place].0, group[*place].1))))
                .await?;
        let (mut ids, mut seen, mut drafts) = (ids, HashSet::new(), Vec::new());
        for (place, facts) in open.into_iter().zip(all) {
            let (request, now) = group[place];
            if !conflicts(request, &facts).into_iter().all(|key| seen.insert(key)) {
                // What it touches changes in this round.
                continue;
            }
            let draft = caught(|| act::act(request, ActFacts { ids, ..facts }, now))?;
            ids = draft.ids().unwrap_or(ids);
            drafts.push((place, draft));
        }
        let waits = try_join_all(drafts.iter().map(|(_, draft)| waits(tx, draft))).await?;
        let mut written = Vec::new();
        for ((place, draft), waits) in drafts.into_iter().zip(waits) {
            let (acted, changes) = caught(|| draft.finish(&waits))?;
            done[place] = Some(acted);
            written.push(changes);
        }
        try_join_all(written.iter().map(|changes| write(tx, changes))).await?;
    }
    Ok(done.into_iter().flatten().collect())
}

/// What an act reads and changes, in words: acts that share any of it are done one after the other.
fn conflicts(request: &NewAct, facts: &ActFacts) -> Vec<Vec<u8>> {
    let mut keys = vec![[b"event:", act::event(&request.event).as_bytes()].concat()];
    keys.extend(request.code.as_ref().map(|code| [&b"card:"[..], &code.message.to_be_bytes()].concat()));
    keys.extend(facts.on.iter().map(|alert| alert.alert.to_be_bytes().to_vec()));
    keys
}

async fn finish(tx: &Tx, draft: Draft<'_>) -> Result<Acted, Fault> {
    let waits = waits(tx, &draft).await?;
    let (acted, changes) = caught(|| draft.finish(&waits))?;
    if changes.is_empty() {
        tx.undo();
    } else {
        write(tx, &changes).await?;
    }
    Ok(acted)
}

async fn waits(tx: &Tx, draft: &Draft<'_>) -> Result<Vec<Waits>, Fault> {
    match draft.merges() {
        Some((merges, kind)) => act_waits(tx, merges, kind).await,
        None => Ok(Vec::new()),
    }
}

/// Without the ids, which a group shares.
async fn facts(tx: &Tx, request: &NewAct, now: Timestamp) -> Result<ActFacts, Fault> {
    let event = text(&act::event(&request.event)).into_owned();
    let thread = async {
        let About::Message(message) = request.about else { return Ok(None) };
        let row = tx.row("SELECT thread FROM message WHERE id = $1", values![message]).await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    };
    let (first, (on, missed), thread) =
        try_join3(find(tx, "event = $1", values![event]), reached(tx, request), thread).await?;
    if first.is_some() {
        return Ok(ActFacts { first, on, ..ActFacts::default() });
    }
    let card = async {
        match &request.code {
            Some(code) => pressed(tx, code.message).await,
            None => Ok(None),
        }
    };
    let recent = async {
        match on.first() {
            Some(alert) => recent(tx, request, alert, now).await,
            None => Ok(0),
        }
    };
    let silences = async {
        match act::asks_for_silences(request, &on) {
            Some(alert) => silences(tx, request, alert, now).await,
            None => Ok(Vec::new()),
        }
    };
    let (card, recent, silences, kept) = try_join4(card, recent, silences, kept(tx, &on)).await?;
    Ok(ActFacts { first, on, missed, silences, recent, thread, card, kept, ..ActFacts::default() })
}

async fn end_facts(tx: &Tx, act: i64, silence: Option<&NewSilence>) -> Result<EndFacts, Fault> {
    let (found, on, ids) = try_join3(find(tx, "id = $1", values![act]), touched(tx, act), last_ids(tx)).await?;
    let on = still_on(on);
    let mut silences = Vec::new();
    if let Some(NewSilence { upstream, upstream_id, .. }) = silence {
        let sql = "SELECT act_id FROM silence WHERE upstream = $1 AND upstream_id = $2 FOR UPDATE";
        let (upstream, id) = (text(upstream).into_owned(), text(upstream_id).into_owned());
        for row in tx.rows(sql, values![upstream, id]).await? {
            silences.push(row.try_get(0)?);
        }
    }
    let kept = kept(tx, &on).await?;
    Ok(EndFacts { act: found, on, silences, kept, ids })
}

async fn find(tx: &Tx, condition: &str, values: Values<'_>) -> Result<Option<Recorded>, Fault> {
    let sql = format!("SELECT id, kind, state, by, at, until, detail FROM act WHERE {condition}");
    let found = |row: Row| {
        Ok(Recorded {
            id: row.try_get(0)?,
            kind: named(&row, 1, ActKind::from_name)?,
            state: named(&row, 2, ActState::from_name)?,
            doer: Doer { by: row.try_get(3)?, at: moment(&row, 4)?, until: time(&row, 5)? },
            detail: row.try_get(6)?,
        })
    };
    tx.row(&sql, values).await?.map(found).transpose()
}

/// The earlier silences of an alert that would not end earlier than the one that is asked for.
async fn silences(tx: &Tx, request: &NewAct, alert: &ActAlert, now: Timestamp) -> Result<Vec<EarlierSilence>, Fault> {
    let sql = "SELECT c.id, c.state, c.by, c.at, c.until, s.until
               FROM act_alert x JOIN act c ON c.id = x.act_id LEFT JOIN silence s ON s.act_id = c.id
               WHERE x.alert_id = $1 AND x.thread = $2 AND c.kind = 'silence' ORDER BY c.id DESC LIMIT $3";
    let mut all = Vec::new();
    for row in tx.rows(sql, values![alert.alert, alert.thread.0, i64::from(SILENCES)]).await? {
        let mut silence = EarlierSilence {
            act: row.try_get(0)?,
            state: named(&row, 1, ActState::from_name)?,
            doer: Doer { by: row.try_get(2)?, at: moment(&row, 3)?, until: time(&row, 4)? },
            until: time(&row, 5)?,
            touched: HashSet::new(),
        };
        if silence.outlasts(request, now) {
            let touched = "SELECT alert_id, thread FROM act_alert WHERE act_id = $1";
            let touched = tx.rows(touched, values![silence.act]).await?;
            let pair = |row: &Row| Ok((row.try_get(0)?, row.try_get(1)?));
            silence.touched = touched.iter().map(pair).collect::<Result<_, Fault>>()?;
            all.push(silence);
        }
    }
    Ok(all)
}

/// Acts of the same person, or of all visitors of the page, on an alert shortly before.
async fn recent(tx: &Tx, request: &NewAct, alert: &ActAlert, now: Timestamp) -> Result<u32, Fault> {
    let (page, since) = (request.is_by_visitor(), now.plus_millis(-LIMIT_MS).0);
    let sql = "SELECT count(*) FROM act_alert x JOIN act c ON c.id = x.act_id
               WHERE x.alert_id = $1 AND c.at > $2 AND (c.via = 'page' OR c.via LIKE 'page/%') = $3
                 AND ($3 OR lower(c.by COLLATE \"C\") = lower($4 COLLATE \"C\"))";
    let by = text(&request.by).into_owned();
    small(&tx.only(sql, values![alert.alert, since, page, by]).await?, 0)
}

/// Locks the message: a settlement of it changes its codes, too.
async fn pressed(tx: &Tx, message: i64) -> Result<Option<PressedCard>, Fault> {
    let lock = "SELECT id FROM message WHERE id = $1 FOR NO KEY UPDATE";
    let (exists, codes) = try_join(tx.row(lock, values![message]), codes(tx, &[message])).await?;
    Ok(exists.map(|_| PressedCard { codes: codes.into_values().next().unwrap_or_default() }))
}

/// For each of the alerts' notifications: the first one that exists from there on.
async fn kept(tx: &Tx, alerts: &[ActAlert]) -> Result<BTreeMap<i64, i64>, Fault> {
    let wanted: HashSet<i64> = alerts.iter().map(|alert| alert.notification).collect();
    let wanted: Vec<i64> = wanted.into_iter().collect();
    if wanted.is_empty() {
        return Ok(BTreeMap::new());
    }
    let sql = "SELECT w.id, (SELECT min(id) FROM notification WHERE id >= w.id) FROM unnest($1) AS w (id)";
    let mut kept = BTreeMap::new();
    for row in tx.rows(sql, values![; wanted]).await? {
        kept.extend(
            row.try_get::<_, Option<i64>>(1)?.map(|found| Ok::<_, Fault>((row.try_get(0)?, found))).transpose()?,
        );
    }
    Ok(kept)
}
