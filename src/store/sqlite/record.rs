//! Reading the record: lists, details, the audit of fates.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, Row, params, params_from_iter};

use super::Db;
use super::changes::UNPICTURED;
use super::lanes::{self, kept, named, time};
use super::statement::Prepare as _;
use crate::alert::{Format, ThreadId, Timestamp, TransitionKind};
use crate::names::{LaneKey, SourceId};
use crate::search::Question;
use crate::store::lists::{self, Dialect, Given};
use crate::store::record::LATE_LANES;
use crate::store::terms::in_fts5;
use crate::store::{
    ActKind, AttemptRow, Audit, Backlog, Contents, Delivery, DeliveryFilter, DeliveryRow, Fate, FrozenPart,
    LaneBacklog, State, StoreError, TransitionRow,
};

/// Terms with one beginning that are looked for each by itself.
const FEW_TERMS: usize = 64;

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
        self.read(move |connection| {
            let bounds = lists::bounds(&filter);
            let bounds = connection
                .held(&bounds.sql)?
                .query_row(params_from_iter(values(bounds.values)), |row| Ok([row.get(0)?, row.get(1)?]))?;
            let words = filter.words.as_ref().map(|words| spelled(connection, words)).transpose()?;
            let filter = DeliveryFilter { words, ..filter };
            let (mut ranges, mut found) = (lists::Ranges::new(filter, bounds), Vec::new());
            while let Some(range) = ranges.next(found.len()) {
                let list = lists::deliveries(SELECT, &range, &DIALECT);
                let mut select = connection.prepare(&list.sql)?;
                for row in select.query_map(params_from_iter(values(list.values)), row)? {
                    found.push(row?);
                }
            }
            Ok(found)
        })
        .await
    }

    pub(in crate::store) async fn delivery(&self, message: i64) -> Result<Option<Delivery>, StoreError> {
        self.read(move |connection| {
            let found = connection
                .held(&format!("{SELECT} WHERE m.id = ?1"))?
                .query_row([message], |r| {
                    let (target_json, format, received_at) = (r.get(26)?, named(r, 27, Format::from_name)?, r.get(28)?);
                    Ok((row(r)?, target_json, format, Timestamp(received_at), r.get(32)?))
                })
                .optional()?;
            let Some((row, target_json, format, received_at, picture)) = found else { return Ok(None) };
            let transitions = transitions(connection, message)?;
            let attempts = attempts(connection, message)?;
            let frozen = frozen(connection, message)?;
            Ok(Some(Delivery { row, target_json, format, received_at, picture, transitions, attempts, frozen }))
        })
        .await
    }

    pub(in crate::store) async fn unpictured(&self, message: i64, why: &'static str) -> Result<(), StoreError> {
        self.write(move |connection| {
            connection.held(UNPICTURED)?.execute(params![message, why])?;
            Ok(())
        })
        .await
    }

    pub(in crate::store) async fn contents(&self, message: i64) -> Result<Option<Contents>, StoreError> {
        self.read(move |connection| {
            let sql = "SELECT m.receiver, m.thread, m.digest, m.folded_into,
                              n.id, n.source, n.format, n.content_type, n.path_receiver, n.received_at, n.raw, n.codec
                       FROM message m JOIN notification n ON n.id = m.notification_id WHERE m.id = ?1";
            let found = connection
                .held(sql)?
                .query_row([message], |row| {
                    Ok(Contents {
                        receiver: row.get(0)?,
                        thread: ThreadId(row.get(1)?),
                        digest: row.get(2)?,
                        folded_into: row.get(3)?,
                        notification: kept(row, 4)?,
                        transitions: Vec::new(),
                    })
                })
                .optional()?;
            let Some(mut contents) = found else { return Ok(None) };
            if !contents.digest {
                contents.transitions = lanes::transitions(connection, message)?;
            }
            Ok(Some(contents))
        })
        .await
    }

    pub(in crate::store) async fn backlog(&self) -> Result<Backlog, StoreError> {
        self.read(|connection| {
            let sql = "SELECT count(*), coalesce(sum(epoch > 0 AND state <> 'sending'), 0),
                              min(CASE WHEN picture_of IS NULL THEN created_at END), min(CASE WHEN critical THEN created_at END), coalesce(sum(critical), 0)
                       FROM message INDEXED BY message_live WHERE settled_at IS NULL";
            Ok(connection.held(sql)?.query_row([], |row| {
                Ok(Backlog {
                    messages: row.get(0)?,
                    retrying: row.get(1)?,
                    oldest: time(row, 2)?,
                    oldest_critical: time(row, 3)?,
                    critical: row.get(4)?,
                })
            })?)
        })
        .await
    }

    pub(in crate::store) async fn late_lanes(
        &self,
        oldest: Timestamp,
        oldest_critical: Timestamp,
    ) -> Result<Vec<LaneBacklog>, StoreError> {
        self.read(move |connection| {
            let mut select = connection.held(
                "SELECT lane, count(*), min(created_at), min(CASE WHEN critical THEN created_at END),
                        coalesce((SELECT o.error FROM message o INDEXED BY message_live
                                  WHERE o.lane = m.lane AND o.settled_at IS NULL AND o.error IS NOT NULL
                                  ORDER BY o.id LIMIT 1), '')
                 FROM message m INDEXED BY message_live WHERE settled_at IS NULL AND picture_of IS NULL GROUP BY lane
                 HAVING min(created_at) < ?1 OR min(CASE WHEN critical THEN created_at END) < ?2
                 ORDER BY lane LIMIT ?3",
            )?;
            let rows = select.query_map(params![oldest.0, oldest_critical.0, LATE_LANES], |row| {
                Ok(LaneBacklog {
                    lane: LaneKey::stored(row.get::<_, String>(0)?),
                    messages: row.get(1)?,
                    oldest: Timestamp(row.get(2)?),
                    oldest_critical: time(row, 3)?,
                    error: row.get(4)?,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    pub(in crate::store) async fn audit(&self) -> Result<Audit, StoreError> {
        self.read(|connection| {
            let mut select = connection.held(
                "SELECT t.fate, count(*), sum(CASE t.fate
                     WHEN 'pending' THEN m.id IS NULL OR m.settled_at IS NOT NULL
                     WHEN 'suppressed' THEN m.id IS NOT NULL OR t.reason IS NULL
                     WHEN 'dead' THEN m.state IS NOT 'dead' OR t.reason IS NULL
                     ELSE m.state IS NOT 'sent' END)
                 FROM transition t LEFT JOIN message m ON m.id = t.message_id GROUP BY t.fate",
            )?;
            let mut audit = Audit::default();
            let mut rows = select.query([])?;
            while let Some(row) = rows.next()? {
                let count = row.get(1)?;
                match named(row, 0, Fate::from_name)? {
                    Fate::Pending => audit.pending = count,
                    Fate::Named => audit.named = count,
                    Fate::Counted => audit.counted = count,
                    Fate::Suppressed => audit.suppressed = count,
                    Fate::Dead => audit.dead = count,
                }
                audit.imbalance += row.get::<_, i64>(2)?;
            }
            let sql = "SELECT coalesce(sum(times), 0) FROM repeated";
            audit.repeated = connection.held(sql)?.query_row([], |row| row.get(0))?;
            Ok(audit)
        })
        .await
    }
}

/// The SQL of this half's lists.
pub(in crate::store) const DIALECT: Dialect = Dialect {
    // In the list of users that the bytes address, or of those that WeCom did not reach.
    person: "(
        EXISTS (SELECT 1 FROM part WHERE message_id = m.id AND json_valid(CAST(body AS TEXT)) AND
                instr('|' || lower(json_extract(CAST(body AS TEXT), '$.touser')) || '|', '|' || ? || '|') > 0)
        OR EXISTS (SELECT 1 FROM attempt WHERE message_id = m.id AND instr(lower(invalid), '\"' || ? || '\"') > 0))",
    label: "EXISTS (SELECT 1 FROM json_each(a.labels) label WHERE label.key = ? AND label.value = ?)",
    terms: ["message_term", "rowid", "message_term MATCH ?"],
    question: in_fts5,
    set: ["IN (", ")"],
    among: "IN (SELECT value FROM json_each(?))",
    holds: ["instr(", ", ?) > 0"],
    live: "m.id IN (SELECT id FROM message INDEXED BY message_live WHERE settled_at IS NULL)",
    firing: " INDEXED BY alert_firing",
    held: " INDEXED BY alert_held",
};

/// A question with the terms of each beginning, where they are few: FTS5 puts all messages of a beginning together before
/// it gives the first one, and of whole terms reads only those that are asked for.
fn spelled(connection: &Connection, words: &Question) -> Result<Question, StoreError> {
    words.spelled(|beginning| {
        let mut select = connection.held("SELECT term FROM message_word WHERE term >= ?1 AND term < ?2")?;
        let rows = select.query_map([beginning.to_owned(), format!("{beginning}{}", char::MAX)], |row| row.get(0))?;
        let terms: Vec<String> = rows.take(FEW_TERMS + 1).collect::<Result<_, _>>()?;
        Ok((1..=FEW_TERMS).contains(&terms.len()).then_some(terms))
    })
}

/// The values of a list.
pub(super) fn values(given: Vec<Given>) -> impl Iterator<Item = Value> {
    given.into_iter().map(|given| match given {
        Given::Number(number) => Value::Integer(number),
        Given::Words(words) => Value::Text(words),
    })
}

fn row(row: &Row<'_>) -> rusqlite::Result<DeliveryRow> {
    Ok(DeliveryRow {
        message: row.get(0)?,
        thread: ThreadId(row.get(1)?),
        notification: row.get(2)?,
        source: SourceId::parse(&row.get::<_, String>(3)?),
        receiver: row.get(4)?,
        lane: LaneKey::stored(row.get::<_, String>(5)?),
        state: named(row, 6, State::from_name)?,
        critical: row.get(7)?,
        name: row.get::<_, Option<String>>(8)?.unwrap_or_default(),
        firing: row.get(9)?,
        resolved: row.get(10)?,
        notices: row.get(30)?,
        repeated: row.get::<_, Option<i64>>(31)?.unwrap_or_default(),
        created_at: Timestamp(row.get(11)?),
        claimed_at: time(row, 12)?,
        settled_at: time(row, 13)?,
        not_before: Timestamp(row.get(14)?),
        attempts: row.get(15)?,
        next_part: row.get(16)?,
        parts: row.get(17)?,
        face: row.get(18)?,
        outcome: row.get(19)?,
        errcode: row.get(20)?,
        error: row.get(21)?,
        digest: row.get(22)?,
        act: row.get::<_, Option<String>>(29)?.as_deref().and_then(ActKind::from_name),
        folded_into: row.get(23)?,
        origin: row.get(24)?,
        note_json: row.get(25)?,
        picture_of: row.get(33)?,
    })
}

fn transitions(connection: &Connection, message: i64) -> Result<Vec<TransitionRow>, StoreError> {
    let mut select = connection.held(
        "SELECT t.id, a.name, a.labels, t.kind, t.at, t.starts_at, t.ends_at, t.fate, t.reason
         FROM transition t JOIN alert a ON a.id = t.alert_id WHERE t.message_id = ?1 ORDER BY t.id",
    )?;
    let rows = select.query_map([message], |row| {
        Ok(TransitionRow {
            id: row.get(0)?,
            name: row.get(1)?,
            labels_json: row.get(2)?,
            kind: named(row, 3, TransitionKind::from_name)?,
            at: Timestamp(row.get(4)?),
            starts_at: time(row, 5)?,
            ends_at: time(row, 6)?,
            fate: named(row, 7, Fate::from_name)?,
            reason: row.get(8)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn attempts(connection: &Connection, message: i64) -> Result<Vec<AttemptRow>, StoreError> {
    let mut select = connection.held(
        "SELECT epoch, version, part, at, duration_ms, outcome, http_status, errcode, errmsg, msgid, response_code,
                invalid
         FROM attempt WHERE message_id = ?1 ORDER BY epoch",
    )?;
    let rows = select.query_map([message], |row| {
        Ok(AttemptRow {
            epoch: row.get(0)?,
            version: row.get(1)?,
            part: row.get(2)?,
            at: Timestamp(row.get(3)?),
            duration_ms: row.get(4)?,
            outcome: row.get(5)?,
            http_status: row.get(6)?,
            errcode: row.get(7)?,
            errmsg: row.get(8)?,
            msgid: row.get(9)?,
            response_code: row.get(10)?,
            invalid_json: row.get(11)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn frozen(connection: &Connection, message: i64) -> Result<Vec<FrozenPart>, StoreError> {
    let mut select =
        connection.held("SELECT version, number, body FROM part WHERE message_id = ?1 ORDER BY version, number")?;
    let rows = select.query_map([message], |row| {
        let body = String::from_utf8_lossy(row.get_ref(2)?.as_blob()?).into_owned();
        Ok(FrozenPart { version: row.get(0)?, number: row.get(1)?, body })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
