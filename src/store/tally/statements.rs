//! The statements of the figures of reports, the same for both halves.

use super::{ANSWER_MS, TallyFilter};
use crate::store::lists::{Dialect, Given, Statement};

/// Rows of one kind that are read; beyond that a report says that it is not whole.
pub(in crate::store) const ROWS: usize = 50_000;

fn number(value: i64) -> [Given; 1] {
    [Given::Number(value)]
}

/// Up to which rows the record was counted: transition, message, act.
pub(in crate::store) const COUNTED: &str = "SELECT transition, message, act FROM tally_mark";

/// Changes behind `last`: id, alert, notification, kind, copied, at, start, end, rule, receiver, source, and whether it is the
/// end of a critical alert that nobody acknowledged or silenced.
pub(in crate::store) fn changes(last: i64, limit: u32) -> Statement {
    let mut list = Statement::new(
        "SELECT t.id, t.alert_id, t.notification_id, t.kind, m.origin IS NOT NULL, t.at, t.starts_at, t.ends_at,
                a.name, a.receiver, a.source,
                t.kind = 'resolved' AND a.critical AND NOT EXISTS (
                    SELECT 1 FROM act_alert x JOIN act c ON c.id = x.act_id
                    WHERE x.alert_id = t.alert_id AND c.kind IN ('acknowledge', 'silence') AND c.state = 'done'
                      AND c.at >= t.starts_at AND c.at <= t.at)
         FROM transition t JOIN alert a ON a.id = t.alert_id LEFT JOIN message m ON m.id = t.message_id",
    );
    list.and("t.id > ?", number(last));
    list.end(" ORDER BY t.id LIMIT ?", number(limit.into()));
    list
}

/// Messages behind `last`: id, receiver, queued, state, settled.
pub(in crate::store) fn messages(last: i64, limit: u32) -> Statement {
    let mut list = Statement::new("SELECT m.id, m.receiver, m.created_at, m.state, m.settled_at FROM message m");
    list.and("m.id > ?", number(last));
    list.end(" ORDER BY m.id LIMIT ?", number(limit.into()));
    list
}

/// The same of messages that were passed as live, and are settled.
pub(in crate::store) fn settled(limit: u32) -> Statement {
    let mut list = Statement::new(
        "SELECT m.id, m.receiver, m.created_at, m.state, m.settled_at
         FROM tally_live l JOIN message m ON m.id = l.message_id",
    );
    list.and("m.settled_at IS NOT NULL", []);
    list.end(" ORDER BY l.message_id LIMIT ?", number(limit.into()));
    list
}

/// The last of the acts behind `last` that are looked at together.
pub(in crate::store) fn last_act(last: i64, limit: u32) -> Statement {
    let mut list = Statement::new("SELECT c.id FROM act c");
    list.and("c.id > ?", number(last));
    list.end(" ORDER BY c.id LIMIT ?", number(limit.into()));
    Statement { sql: format!("SELECT max(id), 0 FROM ({}) AS looked_at", list.sql), values: list.values }
}

/// Alerts that were acknowledged by acts behind `last` up to `upto`: act, alert, at, rule, receiver, start, first message.
pub(in crate::store) fn taken(last: i64, upto: i64) -> Statement {
    let mut list = Statement::new(
        "SELECT c.id, a.id, c.at, a.name, a.receiver, a.starts_at,
                (SELECT min(m.settled_at) FROM message m
                 WHERE m.thread = x.thread AND m.receiver = a.receiver AND m.state = 'sent')
         FROM act c JOIN act_alert x ON x.act_id = c.id JOIN alert a ON a.id = x.alert_id",
    );
    list.and("c.id > ? AND c.id <= ?", [Given::Number(last), Given::Number(upto)]);
    list.and("c.kind = 'acknowledge' AND c.state = 'done'", []);
    list.end(" ORDER BY c.id, a.id", []);
    list
}

/// What was counted by rule: rule, receiver, source, hour, fired, ended, brief, unanswered.
pub(in crate::store) fn rule_hours(filter: &TallyFilter, dialect: &Dialect) -> Statement {
    let select =
        "SELECT r.rule, r.receiver, r.source, r.hour, r.fired, r.ended, r.brief, r.unanswered FROM tally_rule r";
    spanned(select, "r.hour", "r.receiver", filter, dialect, "r.hour, r.rule, r.receiver, r.source")
}

/// How long alerts were on: rule, receiver, hour, step, ended.
pub(in crate::store) fn lengths(filter: &TallyFilter, dialect: &Dialect) -> Statement {
    let select = "SELECT l.rule, l.receiver, l.hour, l.step, l.ended FROM tally_length l";
    spanned(select, "l.hour", "l.receiver", filter, dialect, "l.hour, l.rule, l.receiver, l.step")
}

/// What became of messages: receiver, hour, sent, dead, folded, late.
pub(in crate::store) fn sent_hours(filter: &TallyFilter, dialect: &Dialect) -> Statement {
    let select = "SELECT s.receiver, s.hour, s.sent, s.dead, s.folded, s.late FROM tally_sent s";
    spanned(select, "s.hour", "s.receiver", filter, dialect, "s.hour, s.receiver")
}

/// Alerts that were acknowledged: act, alert, at, rule, receiver, start, first message.
pub(in crate::store) fn taken_in(filter: &TallyFilter, dialect: &Dialect) -> Statement {
    let select = "SELECT k.act_id, k.alert_id, k.at, k.rule, k.receiver, k.fired_at, k.told_at FROM tally_taken k";
    spanned(select, "k.at", "k.receiver", filter, dialect, "k.at, k.act_id, k.alert_id")
}

/// The rules whose episodes people called needless: rule, receiver, how often.
pub(in crate::store) fn needless(filter: &TallyFilter, dialect: &Dialect) -> Statement {
    let select = "SELECT n.rule, n.receiver, count(*) FROM needless n";
    let mut list = of_span(select, "n.told_at", "n.receiver", filter, dialect);
    list.end(" GROUP BY 1, 2 ORDER BY 1, 2 LIMIT ?", rows());
    list
}

/// Critical alerts of the span that are still on and wait for an answer: rule, receiver, how many.
pub(in crate::store) fn waiting(filter: &TallyFilter, dialect: &Dialect) -> Statement {
    let mut list = Statement::new("SELECT a.name, a.receiver, count(*) FROM alert a");
    list.and("a.status = 'firing' AND a.critical AND a.acknowledged_at IS NULL", []);
    list.and("a.starts_at >= ?", number(filter.since.0));
    list.and("a.starts_at < ?", number(filter.until.0.min(filter.now.0.saturating_sub(ANSWER_MS))));
    list.of_receivers("a.receiver", filter, dialect);
    list.end(" GROUP BY 1, 2 ORDER BY 1, 2 LIMIT ?", rows());
    list
}

fn rows() -> [Given; 1] {
    number(i64::try_from(ROWS).unwrap_or(i64::MAX))
}

fn of_span(select: &str, time: &str, receiver: &str, filter: &TallyFilter, dialect: &Dialect) -> Statement {
    let mut list = Statement::new(select);
    list.and(&format!("{time} >= ?"), number(filter.since.0));
    list.and(&format!("{time} < ?"), number(filter.until.0));
    list.of_receivers(receiver, filter, dialect);
    list
}

fn spanned(
    select: &str,
    time: &str,
    receiver: &str,
    filter: &TallyFilter,
    dialect: &Dialect,
    order: &str,
) -> Statement {
    let mut list = of_span(select, time, receiver, filter, dialect);
    list.end(&format!(" ORDER BY {order} LIMIT ?"), rows());
    list
}
