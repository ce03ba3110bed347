//! Everything about a message.

use anyhow::bail;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::{beside, find, mark, time};
use crate::cli::record::{Record, Sums};
use crate::cli::screen::Screen;
use crate::store::{AttemptRow, Delivery};
use crate::words::{Words, told};

/// One message by its number, or all with a short id: the firing and the resolved ones, on all targets.
pub(super) async fn answer(record: &Record, id: &str, json: bool) -> anyhow::Result<Screen> {
    let (mut found, zone) = (Vec::new(), record.zone());
    for row in find(record, id).await? {
        found.extend(record.delivery(row.message).await?);
    }
    if found.is_empty() {
        bail!(told!("没有编号为 {id} 的消息，可能已被清理", "there is no message {id}; it may have been pruned"));
    }
    if json {
        let all: Vec<Value> = found.iter().map(|(delivery, sums)| whole(delivery, sums.as_ref())).collect();
        return Ok(Screen::json(&json!({ "deliveries": all })));
    }
    Ok(found.iter().map(|(delivery, sums)| story(delivery, sums.as_ref(), zone)).collect())
}

fn whole(delivery: &Delivery, sums: Option<&Sums>) -> Value {
    let mut whole = json!(delivery);
    if let Some(sums) = sums {
        whole["digested"] = json!({
            "firing": sums.firing, "resolved": sums.resolved, "critical": sums.critical,
            "transitions": sums.transitions, "from": sums.from, "to": sums.to, "alerts": sums.alerts,
        });
    }
    whole
}

fn story(delivery: &Delivery, sums: Option<&Sums>, zone: &TimeZone) -> Screen {
    let row = &delivery.row;
    let mut lines = vec![format!("{} {}  #{}  {}", mark(row.state), row.message, row.thread, row.lane)];
    lines.extend(beside(row).map(|beside| format!("  {beside}")));
    lines.push(told!("  来源    {} ({})", "  source       {} ({})", row.source, delivery.format).to_string());
    lines.push(
        told!(
            "  接收者  {}   face {}",
            "  receiver     {}   face {}",
            row.receiver,
            row.face.as_deref().unwrap_or("-")
        )
        .to_string(),
    );
    lines.push(told!("  收到    {}", "  received     {}", time(delivery.received_at, zone)).to_string());
    lines.push(told!("  排队    {}", "  queued       {}", time(row.created_at, zone)).to_string());
    lines.push(match row.settled_at {
        Some(settled) => {
            told!("  完结    {}   {}", "  settled      {}   {}", time(settled, zone), row.state.as_str()).to_string()
        }
        None => told!(
            "  状态    {}   下次 {}",
            "  state        {}   next {}",
            row.state.as_str(),
            time(row.not_before, zone)
        )
        .to_string(),
    });
    match sums {
        Some(sums) => told_by_digest(sums, zone, &mut lines),
        None => told(delivery, &mut lines),
    }
    if let Some(why) = &delivery.picture {
        lines.push(told!("  没有图  {why}", "  no picture   {why}").to_string());
    }
    for attempt in &delivery.attempts {
        tried(attempt, zone, &mut lines);
    }
    for part in &delivery.frozen {
        lines.push(
            told!("  正文 v{} 第 {} 段：{}", "  body v{} part {}: {}", part.version, part.number + 1, part.body)
                .to_string(),
        );
    }
    let mut screen = Screen::new();
    for line in lines {
        screen.line(line);
    }
    screen.gap();
    screen
}

fn told(delivery: &Delivery, lines: &mut Vec<String>) {
    for transition in &delivery.transitions {
        let reason = transition.reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        let (kind, name, fate) = (transition.kind.as_str(), &transition.name, transition.fate.as_str());
        lines.push(format!("  · {kind:<8} {name}  → {fate}{reason}  {}", transition.labels_json));
    }
}

fn told_by_digest(digest: &Sums, zone: &TimeZone, lines: &mut Vec<String>) {
    lines.push(
        told!(
            "  摘要    告警 {}（严重 {}）  恢复 {}  变化 {}",
            "  digest       firing {} (critical {})  resolved {}  changes {}",
            digest.firing,
            digest.critical,
            digest.resolved,
            digest.transitions
        )
        .to_string(),
    );
    lines.push(format!("                    {} – {}", time(digest.from, zone), time(digest.to, zone)));
    for alert in &digest.alerts {
        let labels: Vec<String> = alert.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let critical = if alert.critical { "!" } else { "·" };
        let changes = if alert.changes > 1 { format!("  ×{}", alert.changes) } else { String::new() };
        lines.push(format!("  {critical} {:<8} {}{changes}  {}", alert.status.as_str(), alert.name, labels.join(" ")));
    }
    let rest = (digest.firing + digest.resolved).saturating_sub(digest.alerts.len() as u64);
    if rest > 0 {
        lines.push(
            told!(
                "    …还有 {rest} 条，全部见消息里的链接",
                "    …and {rest} more, all behind the link in the message"
            )
            .to_string(),
        );
    }
}

fn tried(attempt: &AttemptRow, zone: &TimeZone, lines: &mut Vec<String>) {
    let took = attempt.duration_ms.map_or_else(|| "?".to_owned(), |ms| format!("{ms} ms"));
    let http = attempt.http_status.filter(|status| *status != 200).map(|status| format!("HTTP {status} "));
    let code = attempt.errcode.map(|code| format!("errcode {code} "));
    lines.push(
        told!(
            "  尝试 {} (v{} 第 {} 段)  {}  {took}  {}  {}{}{}",
            "  attempt {} (v{} part {})  {}  {took}  {}  {}{}{}",
            attempt.epoch,
            attempt.version,
            attempt.part + 1,
            time(attempt.at, zone),
            attempt.outcome.as_deref().unwrap_or("…"),
            http.as_deref().unwrap_or_default(),
            code.as_deref().unwrap_or_default(),
            attempt.errmsg.as_deref().map(Words::of_record).unwrap_or_default()
        )
        .to_string(),
    );
    if let Some(names) = attempt.missed() {
        lines.push(told!("    没有送到：{names}", "    not reached: {names}").to_string());
    }
    if let Some(msgid) = &attempt.msgid {
        lines.push(format!("    msgid {msgid}"));
    }
}
