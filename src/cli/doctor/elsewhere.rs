//! `wegraf doctor --url`: how a gateway elsewhere is, and who sends to it, as it says itself.

use serde_json::Value;

use super::Finding;
use crate::cli::record::Gateway;
use crate::words::{told, words};

/// What the gateway says of itself, of the ways that are paused, and of its senders.
pub(super) async fn all(gateway: &Gateway) -> anyhow::Result<Vec<Finding>> {
    let (own, health) = (gateway.found("token", &[]).await?, gateway.found("health", &[]).await?);
    let senders = gateway.found("senders", &[]).await?;
    let rows = |found: &'_ Value, key: &str| found[key].as_array().cloned().unwrap_or_default();
    let mut findings = vec![token(&own), backlog(&health)];
    findings.extend(rows(&health, "paused").iter().map(paused));
    findings.extend(rows(&health, "warnings").iter().map(|warning| Finding {
        about: words("网关的提醒", "the gateway warns").to_string(),
        result: Err(text(warning).to_owned()),
    }));
    findings.extend(rows(&senders, "items").iter().map(sender));
    Ok(findings)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn token(own: &Value) -> Finding {
    let scopes: Vec<&str> = own["scopes"].as_array().into_iter().flatten().map(text).collect();
    Finding {
        about: told!("网关 wegraf {}", "gateway wegraf {}", text(&own["version"])).to_string(),
        result: Ok(told!(
            "令牌 {}（{}），到 {}",
            "token {} ({}), until {}",
            text(&own["name"]),
            scopes.join(" "),
            text(&own["ends_at"])
        )
        .to_string()),
    }
}

fn backlog(health: &Value) -> Finding {
    let (waiting, retrying, critical) = (&health["waiting"], &health["retrying"], &health["critical"]);
    Finding {
        about: words("等待发送", "waiting").to_string(),
        result: Ok(told!(
            "{waiting} 条，其中重试 {retrying}，严重 {critical}",
            "{waiting} messages, {retrying} of them retried, {critical} critical"
        )
        .to_string()),
    }
}

fn paused(row: &Value) -> Finding {
    let (name, error, probe) = (text(&row["name"]), text(&row["error"]), text(&row["probe_at"]));
    Finding {
        about: name.to_owned(),
        result: Err(told!("暂停：{error}；{probe} 再试", "paused: {error}; tried again at {probe}").to_string()),
    }
}

fn sender(row: &Value) -> Finding {
    let (taken, refused) = (row["taken"].as_u64().unwrap_or(0), row["refused"].as_u64().unwrap_or(0));
    let last = row["last_at"].as_str().map_or_else(|| words("还没有", "never").to_string(), str::to_owned);
    let why = row["why"].as_str().map(|why| format!(" ({why})")).unwrap_or_default();
    let said = told!(
        "最近有新事 {last}；这次启动以来收下 {taken}，拒绝 {refused}{why}",
        "last news {last}; since its start {taken} calls taken, {refused} refused{why}"
    )
    .to_string();
    Finding {
        about: told!("来源 {}", "source {}", text(&row["name"])).to_string(),
        // What sends and is never let in is a fault.
        result: if refused > 0 && taken == 0 { Err(said) } else { Ok(said) },
    }
}
