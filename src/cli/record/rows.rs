//! The answers of `/api/v1` as the rows of the store that they were made of. Pure.
//!
//! What the API does not tell is empty: the target's own form, codes of cards.

use serde_json::Value;

use super::Sums;
use crate::alert::{Format, Identity, Status, ThreadId, Timestamp, TransitionKind};
use crate::names::{LaneKey, SourceId};
use crate::store::{
    ActAlert, ActKind, ActRow, ActState, AttemptRow, Audit, Delivery, DeliveryRow, DigestItem, Doer, Fate, FrozenPart,
    State, TransitionRow,
};

/// An object of an answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'v>(pub &'v Value);

impl<'v> Row<'v> {
    pub fn text(self, key: &str) -> Option<&'v str> {
        self.0[key].as_str()
    }

    fn owned(self, key: &str) -> Option<String> {
        self.text(key).map(str::to_owned)
    }

    /// A number, or an id, which is a text.
    fn number(self, key: &str) -> Option<i64> {
        self.0[key].as_i64().or_else(|| self.text(key)?.parse().ok())
    }

    fn count(self, key: &str) -> Option<u64> {
        self.0[key].as_u64()
    }

    fn small<T: TryFrom<i64>>(self, key: &str) -> Option<T> {
        self.number(key)?.try_into().ok()
    }

    fn time(self, key: &str) -> Option<Timestamp> {
        let at: jiff::Timestamp = self.text(key)?.parse().ok()?;
        Some(Timestamp(at.as_millisecond()))
    }

    fn short(self, key: &str) -> Option<ThreadId> {
        self.text(key).map_or(Some(ThreadId(0)), ThreadId::parse)
    }

    pub fn list(self, key: &str) -> impl Iterator<Item = Self> {
        self.0[key].as_array().map(Vec::as_slice).unwrap_or_default().iter().map(Row)
    }

    /// A value as the text that the store keeps.
    fn json(self, key: &str) -> Option<String> {
        Some(&self.0[key]).filter(|value| !value.is_null()).map(Value::to_string)
    }
}

/// The word for it.
pub(super) const fn severity(critical: bool) -> &'static str {
    if critical { "critical" } else { "other" }
}

pub(super) fn delivery(row: Row<'_>) -> Option<DeliveryRow> {
    Some(DeliveryRow {
        message: row.number("id")?,
        thread: row.short("short")?,
        notification: row.number("notification")?,
        source: SourceId::parse(row.text("source")?),
        receiver: row.owned("receiver")?,
        lane: LaneKey::stored(row.owned("target")?),
        state: State::from_name(row.text("state")?)?,
        critical: row.text("severity")? == "critical",
        digest: row.0["digest"].as_bool()?,
        act: row.text("act").and_then(ActKind::from_name),
        picture_of: row.number("picture_of"),
        folded_into: row.number("folded_into"),
        origin: row.number("origin"),
        note_json: row.json("note"),
        name: row.owned("name")?,
        firing: row.number("firing")?,
        resolved: row.number("resolved")?,
        notices: row.number("notices")?,
        repeated: row.number("repeated")?,
        created_at: row.time("created_at")?,
        claimed_at: row.time("claimed_at"),
        settled_at: row.time("settled_at"),
        not_before: row.time("next_try_at").unwrap_or_default(),
        attempts: row.number("attempts")?,
        next_part: row.small("parts_accepted")?,
        parts: row.small("parts")?,
        face: row.owned("face"),
        outcome: row.owned("outcome"),
        errcode: row.number("errcode"),
        error: row.owned("error"),
    })
}

pub(super) fn audit(row: Row<'_>) -> Option<Audit> {
    Some(Audit {
        pending: row.number("pending")?,
        named: row.number("named")?,
        counted: row.number("counted")?,
        suppressed: row.number("suppressed")?,
        dead: row.number("dead")?,
        repeated: row.number("repeated")?,
        imbalance: row.number("imbalance")?,
    })
}

/// A message with all that is known of it.
pub(super) fn whole(found: Row<'_>) -> Option<(Delivery, Option<Sums>)> {
    let delivery = Delivery {
        row: delivery(Row(&found.0["delivery"]))?,
        target_json: String::new(),
        format: Format::from_name(found.text("format")?)?,
        received_at: found.time("received_at")?,
        picture: found.owned("picture"),
        transitions: found.list("changes").map(transition).collect::<Option<_>>()?,
        attempts: found.list("attempts").map(attempt).collect::<Option<_>>()?,
        frozen: found.list("bytes").map(frozen).collect::<Option<_>>()?,
    };
    let digest = Row(&found.0["digest"]);
    let sums = if digest.0.is_null() { None } else { Some(sums(digest)?) };
    Some((delivery, sums))
}

fn transition(row: Row<'_>) -> Option<TransitionRow> {
    Some(TransitionRow {
        id: row.number("id")?,
        name: row.owned("name")?,
        labels_json: row.json("labels")?,
        kind: TransitionKind::from_name(row.text("kind")?)?,
        at: row.time("at")?,
        starts_at: row.time("starts_at"),
        ends_at: row.time("ends_at"),
        fate: Fate::from_name(row.text("fate")?)?,
        reason: row.owned("reason"),
    })
}

fn attempt(row: Row<'_>) -> Option<AttemptRow> {
    Some(AttemptRow {
        epoch: row.number("number")?,
        version: row.small("version")?,
        part: row.small("part")?,
        at: row.time("at")?,
        duration_ms: row.number("duration_ms"),
        outcome: row.owned("outcome"),
        http_status: row.small("http_status"),
        errcode: row.number("errcode"),
        errmsg: row.owned("errmsg"),
        msgid: row.owned("msgid"),
        response_code: None,
        invalid_json: row.json("missed_as"),
    })
}

fn frozen(row: Row<'_>) -> Option<FrozenPart> {
    Some(FrozenPart { version: row.small("version")?, number: row.small("part")?, body: row.owned("body")? })
}

fn sums(row: Row<'_>) -> Option<Sums> {
    Some(Sums {
        firing: row.count("firing")?,
        resolved: row.count("resolved")?,
        critical: row.count("critical")?,
        transitions: row.count("changes")?,
        from: row.time("from")?,
        to: row.time("to")?,
        alerts: row.list("alerts").map(digested).collect::<Option<_>>()?,
    })
}

fn digested(row: Row<'_>) -> Option<DigestItem> {
    Some(DigestItem {
        alert: row.number("id")?,
        name: row.owned("name")?,
        labels: serde_json::from_value(row.0["labels"].clone()).ok()?,
        critical: row.text("severity")? == "critical",
        status: Status::from_name(row.text("state")?)?,
        starts_at: row.time("starts_at"),
        ends_at: row.time("ends_at"),
        changes: row.count("changes")?,
    })
}

pub(super) fn act(row: Row<'_>) -> Option<ActRow> {
    Some(ActRow {
        id: row.number("id")?,
        at: row.time("at")?,
        kind: ActKind::from_name(row.text("kind")?)?,
        state: ActState::from_name(row.text("state")?)?,
        by: row.owned("by")?,
        via: row.owned("via")?,
        peer: row.owned("peer"),
        thread: row.short("short")?,
        message: row.number("delivery"),
        until: row.time("until"),
        detail: row.owned("detail")?,
        alerts: row.count("alerts")?,
    })
}

pub(super) fn alert(row: Row<'_>) -> Option<ActAlert> {
    let doer =
        row.owned("claimed_by").map(|by| Doer { by, at: row.time("claimed_at").unwrap_or_default(), until: None });
    Some(ActAlert {
        alert: row.number("id")?,
        identity: Identity([0; 32]),
        receiver: row.owned("receiver")?,
        source: SourceId::parse(row.text("source")?),
        name: row.owned("name")?,
        labels_json: row.json("labels")?,
        critical: row.text("severity")? == "critical",
        status: Status::from_name(row.text("state")?)?,
        starts_at: row.time("starts_at"),
        ends_at: row.time("ends_at"),
        notification: 0,
        thread: row.short("short")?,
        sender: String::new(),
        acknowledged: doer,
    })
}
