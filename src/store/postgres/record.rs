//! Reading the record: lists, details, the audit of fates.

use std::collections::HashMap;

use futures_util::future::{try_join, try_join4};
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use super::Db;
use super::admit::{candidates, knowing};
use super::changes::UNPICTURED;
use super::lanes::{self, kept};
use super::tx::{Fault, Kind, Tx, transaction};
use super::values::{moment, named, small, time, values};
use crate::alert::{Format, Identity, ThreadId, Timestamp, TransitionKind};
use crate::names::{LaneKey, SourceId};
use crate::store::lists::{self, Dialect, Given};
use crate::store::record::LATE_LANES;
use crate::store::related::Candidates;
use crate::store::terms::in_tsquery;
use crate::store::{
    ActKind, AttemptRow, Audit, Backlog, Contents, Delivery, DeliveryFilter, DeliveryRow, Fate, FrozenPart,
    LaneBacklog, Related, State, StoreError, TransitionRow,
};

/// The columns of a [`DeliveryRow`] and, after them, those of a [`Delivery`].
const SELECT: &str = "
    SELECT m.id, m.thread, m.notification_id, n.source, m.receiver, m.lane, m.state, m.critical,
           (SELECT a.name FROM transition t JOIN alert a ON a.id = t.alert_id
            WHERE t.message_id = coalesce(m.picture_of, m.id) ORDER BY t.id LIMIT 1),
           (SELECT count(*) FROM transition t WHERE t.message_id = m.id AND t.kind IN ('firing', 'reminder')),
           (SELECT count(*) FROM transition t WHERE t.message_id = m.id AND t.kind = 'resolved'),
           m.created_at, m.claimed_at, m.settled_at, m.not_before, m.epoch, m.next_part, m.parts, m.face,
           m.outcome, m.errcode, m.error, m.digest, m.folded_into, m.origin, m.note, m.target, n.format,
           n.received_at,
           (SELECT act.kind FROM act WHERE act.id = m.act_id),
           (SELECT count(*) FROM transition t WHERE t.message_id = m.id AND t.kind = 'notice'),
           (SELECT r.times FROM repeated r WHERE r.notification_id = m.notification_id),
           (SELECT u.why FROM unpictured u WHERE u.message_id = coalesce(m.picture_of, m.id)),
           m.picture_of
    FROM message m JOIN notification n ON n.id = m.notification_id";

impl Db {
    pub(in crate::store) async fn deliveries(&self, filter: DeliveryFilter) -> Result<Vec<DeliveryRow>, StoreError> {
        let bounds = lists::bounds(&filter);
        transaction!(&self.0.pool, Kind::Read, tx => async {
            let bounds = tx.only(&bounds.numbered(), &typed(&bounds.values)).await?;
            let bounds = [bounds.try_get(0)?, bounds.try_get(1)?];
            let (mut ranges, mut found) = (lists::Ranges::new(filter.clone(), bounds), Vec::new());
            while let Some(range) = ranges.next(found.len()) {
                let list = lists::deliveries(SELECT, &range, &DIALECT);
                for one in tx.rows(&list.numbered(), &typed(&list.values)).await? {
                    found.push(row(&one)?);
                }
            }
            Ok(found)
        })
    }

    pub(in crate::store) async fn delivery(&self, message: i64) -> Result<Option<Delivery>, StoreError> {
        let sql = format!("{SELECT} WHERE m.id = $1");
        transaction!(&self.0.pool, Kind::Read, tx => async {
                    let (found, transitions, attempts, frozen) = try_join4(
        tx.row(&sql, values![message]),
                        transitions(&tx, message),
                        attempts(&tx, message),
                        frozen(&tx, message),
        ).await?;
                    let Some(found) = found else { return Ok(None) };
                    Ok(Some(Delivery {
                        row: row(&found)?,
                        target_json: found.try_get(26)?,
                        format: named(&found, 27, Format::from_name)?,
                        received_at: moment(&found, 28)?,
                        picture: found.try_get(32)?,
                        transitions,
                        attempts,
                        frozen,
                    }))
                })
    }

    pub(in crate::store) async fn unpictured(&self, message: i64, why: &'static str) -> Result<(), StoreError> {
        transaction!(self.writing()?, Kind::Write, tx => async {
            tx.execute(UNPICTURED, values![message, why]).await?;
            Ok(())
        })
    }

    pub(in crate::store) async fn contents(&self, message: i64) -> Result<Option<Contents>, StoreError> {
        let sql = "SELECT m.receiver, m.thread, m.digest, m.folded_into,
                          n.id, n.source, n.format, n.content_type, n.path_receiver, n.received_at, n.raw, n.codec
                   FROM message m JOIN notification n ON n.id = m.notification_id WHERE m.id = $1";
        transaction!(&self.0.pool, Kind::Read, tx => async {
                    let (found, transitions) = try_join(
        tx.row(sql, values![message]),
                        lanes::transitions(&tx, message),
        ).await?;
                    let Some(row) = found else { return Ok(None) };
                    Ok(Some(Contents {
                        receiver: row.try_get(0)?,
                        thread: ThreadId(row.try_get(1)?),
                        digest: row.try_get(2)?,
                        folded_into: row.try_get(3)?,
                        notification: kept(&row, 4)?,
                        transitions,
                    }))
                })
    }

    pub(in crate::store) async fn backlog(&self) -> Result<Backlog, StoreError> {
        let sql = "SELECT count(*), count(*) FILTER (WHERE epoch > 0 AND state <> 'sending'),
                          min(created_at) FILTER (WHERE picture_of IS NULL),
                          min(created_at) FILTER (WHERE critical), count(*) FILTER (WHERE critical)
                   FROM message WHERE settled_at IS NULL";
        transaction!(&self.0.pool, Kind::Read, tx => async {
            let row = tx.only(sql, values![]).await?;
            Ok(Backlog {
                messages: row.try_get(0)?,
                retrying: row.try_get(1)?,
                oldest: time(&row, 2)?,
                oldest_critical: time(&row, 3)?,
                critical: row.try_get(4)?,
            })
        })
    }

    pub(in crate::store) async fn late_lanes(
        &self,
        oldest: Timestamp,
        oldest_critical: Timestamp,
    ) -> Result<Vec<LaneBacklog>, StoreError> {
        let sql = "SELECT lane, count(*), min(created_at), min(created_at) FILTER (WHERE critical),
                          coalesce((SELECT o.error FROM message o
                                    WHERE o.lane = m.lane AND o.settled_at IS NULL AND o.error IS NOT NULL
                                    ORDER BY o.id LIMIT 1), '')
                   FROM message m WHERE settled_at IS NULL AND picture_of IS NULL GROUP BY lane
                   HAVING min(created_at) < $1 OR min(created_at) FILTER (WHERE critical) < $2
                   ORDER BY lane LIMIT $3";
        transaction!(&self.0.pool, Kind::Read, tx => async {
            let rows = tx.rows(sql, values![oldest.0, oldest_critical.0, LATE_LANES]).await?;
            let lane = |row: &Row| {
                Ok(LaneBacklog {
                    lane: LaneKey::stored(row.try_get::<_, String>(0)?),
                    messages: row.try_get(1)?,
                    oldest: moment(row, 2)?,
                    oldest_critical: time(row, 3)?,
                    error: row.try_get(4)?,
                })
            };
            rows.iter().map(lane).collect()
        })
    }

    pub(in crate::store) async fn candidates(
        &self,
        identity: Identity,
        kin: Related,
    ) -> Result<Candidates, StoreError> {
        transaction!(&self.0.pool, Kind::Read, tx => async {
            candidates(&tx, identity, &kin).await
        })
    }

    pub(in crate::store) async fn knowing(
        &self,
        alerts: Vec<Identity>,
    ) -> Result<HashMap<Identity, Vec<String>>, StoreError> {
        transaction!(&self.0.pool, Kind::Read, tx => async {
            knowing(&tx, &alerts).await
        })
    }

    pub(in crate::store) async fn audit(&self) -> Result<Audit, StoreError> {
        let sql = "SELECT t.fate, count(*), count(*) FILTER (WHERE CASE t.fate
                       WHEN 'pending' THEN m.id IS NULL OR m.settled_at IS NOT NULL
                       WHEN 'suppressed' THEN m.id IS NOT NULL OR t.reason IS NULL
                       WHEN 'dead' THEN m.state IS DISTINCT FROM 'dead' OR t.reason IS NULL
                       ELSE m.state IS DISTINCT FROM 'sent' END)
                   FROM transition t LEFT JOIN message m ON m.id = t.message_id GROUP BY t.fate";
        transaction!(&self.0.pool, Kind::Read, tx => async {
            let mut audit = Audit::default();
            for row in tx.rows(sql, values![]).await? {
                let count = row.try_get(1)?;
                match named(&row, 0, Fate::from_name)? {
                    Fate::Pending => audit.pending = count,
                    Fate::Named => audit.named = count,
                    Fate::Counted => audit.counted = count,
                    Fate::Suppressed => audit.suppressed = count,
                    Fate::Dead => audit.dead = count,
                }
                audit.imbalance += row.try_get::<_, i64>(2)?;
            }
            let sql = "SELECT coalesce(sum(times), 0)::bigint FROM repeated";
            audit.repeated = tx.only(sql, values![]).await?.try_get(0)?;
            Ok(audit)
        })
    }
}

/// The SQL of this half's lists.
pub(in crate::store) const DIALECT: Dialect = Dialect {
    // In the list of users that the bytes address, or of those that WeCom did not reach.
    person: "(
        EXISTS (SELECT 1 FROM part WHERE message_id = m.id AND
                strpos('|' || lower(addressed(body) COLLATE \"C\") || '|', '|' || ? || '|') > 0)
        OR EXISTS (SELECT 1 FROM attempt WHERE message_id = m.id AND
                   strpos(lower(invalid COLLATE \"C\"), '\"' || ? || '\"') > 0))",
    label: "has_label(a.labels, ?, ?)",
    terms: ["message_term", "message_id", "terms @@ ?::text::tsquery"],
    question: in_tsquery,
    // In an array, because the planner would go through all messages and look for each in the set, which it believes large.
    set: ["= ANY (ARRAY(", "))"],
    // The same.
    among: "= ANY (ARRAY(SELECT json_array_elements_text(?::text::json)))",
    holds: ["strpos(", " COLLATE \"C\", ?) > 0"],
    live: "m.settled_at IS NULL",
    firing: "",
    held: "",
};

/// The values of a list with their types.
pub(super) fn typed(given: &[Given]) -> Vec<(&(dyn ToSql + Sync), Type)> {
    given.iter().map(one).collect()
}

fn one(given: &Given) -> (&(dyn ToSql + Sync), Type) {
    match given {
        Given::Number(number) => (number, Type::INT8),
        Given::Words(words) => (words, Type::TEXT),
    }
}

fn row(row: &Row) -> Result<DeliveryRow, Fault> {
    Ok(DeliveryRow {
        message: row.try_get(0)?,
        thread: ThreadId(row.try_get(1)?),
        notification: row.try_get(2)?,
        source: SourceId::parse(row.try_get(3)?),
        receiver: row.try_get(4)?,
        lane: LaneKey::stored(row.try_get::<_, String>(5)?),
        state: named(row, 6, State::from_name)?,
        critical: row.try_get(7)?,
        name: row.try_get::<_, Option<String>>(8)?.unwrap_or_default(),
        firing: row.try_get(9)?,
        resolved: row.try_get(10)?,
        notices: row.try_get(30)?,
        repeated: row.try_get::<_, Option<i64>>(31)?.unwrap_or_default(),
        created_at: moment(row, 11)?,
        claimed_at: time(row, 12)?,
        settled_at: time(row, 13)?,
        not_before: moment(row, 14)?,
        attempts: row.try_get(15)?,
        next_part: small(row, 16)?,
        parts: small(row, 17)?,
        face: row.try_get(18)?,
        outcome: row.try_get(19)?,
        errcode: row.try_get(20)?,
        error: row.try_get(21)?,
        digest: row.try_get(22)?,
        act: row.try_get::<_, Option<&str>>(29)?.and_then(ActKind::from_name),
        folded_into: row.try_get(23)?,
        origin: row.try_get(24)?,
        note_json: row.try_get(25)?,
        picture_of: row.try_get(33)?,
    })
}

async fn transitions(tx: &Tx, message: i64) -> Result<Vec<TransitionRow>, Fault> {
    let sql = "SELECT t.id, a.name, a.labels, t.kind, t.at, t.starts_at, t.ends_at, t.fate, t.reason
               FROM transition t JOIN alert a ON a.id = t.alert_id WHERE t.message_id = $1 ORDER BY t.id";
    let transition = |row: &Row| {
        Ok(TransitionRow {
            id: row.try_get(0)?,
            name: row.try_get(1)?,
            labels_json: row.try_get(2)?,
            kind: named(row, 3, TransitionKind::from_name)?,
            at: moment(row, 4)?,
            starts_at: time(row, 5)?,
            ends_at: time(row, 6)?,
            fate: named(row, 7, Fate::from_name)?,
            reason: row.try_get(8)?,
        })
    };
    tx.rows(sql, values![message]).await?.iter().map(transition).collect()
}

async fn attempts(tx: &Tx, message: i64) -> Result<Vec<AttemptRow>, Fault> {
    let sql =
        "SELECT epoch, version, part, at, duration_ms, outcome, http_status, errcode, errmsg, msgid, response_code,
                      invalid
               FROM attempt WHERE message_id = $1 ORDER BY epoch";
    let attempt = |row: &Row| {
        let status: Option<i64> = row.try_get(6)?;
        Ok(AttemptRow {
            epoch: row.try_get(0)?,
            version: small(row, 1)?,
            part: small(row, 2)?,
            at: moment(row, 3)?,
            duration_ms: row.try_get(4)?,
            outcome: row.try_get(5)?,
            http_status: status.map(|_| small(row, 6)).transpose()?,
            errcode: row.try_get(7)?,
            errmsg: row.try_get(8)?,
            msgid: row.try_get(9)?,
            response_code: row.try_get(10)?,
            invalid_json: row.try_get(11)?,
        })
    };
    tx.rows(sql, values![message]).await?.iter().map(attempt).collect()
}

async fn frozen(tx: &Tx, message: i64) -> Result<Vec<FrozenPart>, Fault> {
    let sql = "SELECT version, number, body FROM part WHERE message_id = $1 ORDER BY version, number";
    let part = |row: &Row| {
        let body = String::from_utf8_lossy(row.try_get(2)?).into_owned();
        Ok(FrozenPart { version: small(row, 0)?, number: small(row, 1)?, body })
    };
    tx.rows(sql, values![message]).await?.iter().map(part).collect()
}
