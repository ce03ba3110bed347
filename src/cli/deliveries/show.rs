//! Everything about a message.

use anyhow::bail;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::{beside, find, mark, time};
use crate::cli::screen::Screen;
use crate::store::{AttemptRow, Delivery, Digest, DigestItem, Store};
use crate::words::Words;

/// Alerts of a digest that are shown: a screen full. The page behind the link in the message lists all of them.
const ALERTS: u32 = 20;

/// A digest's sums and the first of its alerts.
struct Sums {
    digest: Digest,
    alerts: Vec<DigestItem>,
}

/// One message by its number, or all with a short id: the firing and the resolved ones, on all targets.
pub(super) async fn answer(store: &Store, id: &str, json: bool, zone: &TimeZone) -> anyhow::Result<Screen> {
    let mut found = Vec::new();
    for row in find(store, id).await? {
        let Some(delivery) = store.delivery(row.message).await? else { continue };
        let sums = if row.digest && row.folded_into.is_none() {
            let digest = store.digest(row.message).await?;
            Some(Sums { digest, alerts: store.digest_page(row.message, 0, ALERTS).await? })
        } else {
            None
        };
        found.push((delivery, sums));
    }
    if found.is_empty() {
        bail!("没有编号为 {id} 的消息，可能已被清理 there is no message {id}; it may have been pruned");
    }
    if json {
        let all: Vec<Value> = found.iter().map(|(delivery, sums)| whole(delivery, sums.as_ref())).collect();
        return Ok(Screen::json(&json!({ "deliveries": all })));
    }
    Ok(found.iter().map(|(delivery, sums)| story(delivery, sums.as_ref(), zone)).collect())
}

fn whole(delivery: &Delivery, sums: Option<&Sums>) -> Value {
    let mut whole = json!(delivery);
    if let Some(Sums { digest, alerts }) = sums {
        whole["digested"] = json!({
            "firing": digest.firing, "resolved": digest.resolved, "critical": digest.critical,
            "transitions": digest.transitions, "from": digest.from, "to": digest.to, "alerts": alerts,
        });
    }
    whole
}

fn story(delivery: &Delivery, sums: Option<&Sums>, zone: &TimeZone) -> Screen {
    let row = &delivery.row;
    let mut lines = vec![format!("{} {}  #{}  {}", mark(row.state), row.message, row.thread, row.lane)];
    lines.extend(beside(row).map(|beside| format!("  {beside}")));
    lines.push(format!("  来源 source       {} ({})", row.source, delivery.format));
    lines.push(format!("  接收者 receiver   {}   face {}", row.receiver, row.face.as_deref().unwrap_or("-")));
    lines.push(format!("  收到 received     {}", time(delivery.received_at, zone)));
    lines.push(format!("  排队 queued       {}", time(row.created_at, zone)));
    lines.push(match row.settled_at {
        Some(settled) => format!("  完结 settled      {}   {}", time(settled, zone), row.state.as_str()),
        None => format!("  状态 state        {}   下次 next {}", row.state.as_str(), time(row.not_before, zone)),
    });
    match sums {
        Some(sums) => told_by_digest(sums, zone, &mut lines),
        None => told(delivery, &mut lines),
    }
    for attempt in &delivery.attempts {
        tried(attempt, zone, &mut lines);
    }
    for part in &delivery.frozen {
        lines.push(format!("  正文 body v{} part {}: {}", part.version, part.number + 1, part.body));
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

fn told_by_digest(Sums { digest, alerts }: &Sums, zone: &TimeZone, lines: &mut Vec<String>) {
    lines.push(format!(
        "  摘要 digest       告警 firing {}（严重 critical {}）  恢复 resolved {}  变化 changes {}",
        digest.firing, digest.critical, digest.resolved, digest.transitions
    ));
    lines.push(format!("                    {} – {}", time(digest.from, zone), time(digest.to, zone)));
    for alert in alerts {
        let labels: Vec<String> = alert.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let critical = if alert.critical { "!" } else { "·" };
        let changes = if alert.changes > 1 { format!("  ×{}", alert.changes) } else { String::new() };
        lines.push(format!("  {critical} {:<8} {}{changes}  {}", alert.status.as_str(), alert.name, labels.join(" ")));
    }
    let rest = (digest.firing + digest.resolved).saturating_sub(alerts.len() as u64);
    if rest > 0 {
        lines.push(format!(
            "    …还有 {rest} 条，全部见消息里的链接 and {rest} more, all behind the link in the message"
        ));
    }
}

fn tried(attempt: &AttemptRow, zone: &TimeZone, lines: &mut Vec<String>) {
    let took = attempt.duration_ms.map_or_else(|| "?".to_owned(), |ms| format!("{ms} ms"));
    let http = attempt.http_status.filter(|status| *status != 200).map(|status| format!("HTTP {status} "));
    let code = attempt.errcode.map(|code| format!("errcode {code} "));
    lines.push(format!(
        "  尝试 attempt {} (v{} part {})  {}  {took}  {}  {}{}{}",
        attempt.epoch,
        attempt.version,
        attempt.part + 1,
        time(attempt.at, zone),
        attempt.outcome.as_deref().unwrap_or("…"),
        http.unwrap_or_default(),
        code.unwrap_or_default(),
        attempt.errmsg.as_deref().map(Words::of_record).unwrap_or_default()
    ));
    if let Some(invalid) = &attempt.invalid_json {
        lines.push(format!("    没有送到 not reached: {invalid}"));
    }
    if let Some(msgid) = &attempt.msgid {
        lines.push(format!("    msgid {msgid}"));
    }
}
