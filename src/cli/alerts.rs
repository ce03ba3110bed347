//! `wegraf alerts`: which alerts there are, and who has them.

use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::deliveries::When;
use super::label;
use super::record::{Place, Record};
use super::screen::Screen;
use crate::alert::{Status, Timestamp};
use crate::store::{ActAlert, AlertFilter};
use crate::time::Clock;
use crate::words::{told, words};

/// `wegraf alerts`
#[derive(Debug, Args)]
pub struct Alerts {
    /// What to do.
    #[command(subcommand)]
    pub command: AlertsCommand,
}

/// What to do with alerts.
#[derive(Debug, Subcommand)]
pub enum AlertsCommand {
    /// 现在的告警，新的在前；每个接收者一行。 The alerts that are firing now, newest first; a line for each receiver.
    List(AlertsList),
}

/// Whether it is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum On {
    /// 还在。 Still firing.
    Firing,
    /// 已恢复。 Over.
    Resolved,
    /// 都要。 Both.
    All,
}

/// `wegraf alerts list`
#[derive(Debug, Args)]
pub struct AlertsList {
    /// Where to look.
    #[command(flatten)]
    pub place: Place,
    /// 还在的、已恢复的，还是都要。 Firing, resolved, or all.
    #[arg(long, value_enum, default_value_t = On::Firing)]
    pub state: On,
    /// 只要严重的。 Critical ones only.
    #[arg(long)]
    pub critical: bool,
    /// 只看这个接收者。 Of this receiver.
    #[arg(long, value_name = "NAME")]
    pub receiver: Option<String>,
    /// 只看这个来源。 From this source.
    #[arg(long, value_name = "NAME")]
    pub source: Option<String>,
    /// 有这个标签，可以写几个。 With this label; may be given several times.
    #[arg(long = "label", value_name = "LABEL=VALUE", value_parser = label)]
    pub labels: Vec<(String, String)>,
    /// 由这个人认领。 Taken by this userid.
    #[arg(long, value_name = "USERID")]
    pub claimed_by: Option<String>,
    /// 从何时起开始的，写法同 deliveries list。 Begun since: 2h, 1d, "11-23 08:00" in the configured zone, or RFC 3339.
    #[arg(long, value_name = "TIME", value_parser = When::parse)]
    pub since: Option<When>,
    /// 最多几条，1 到 1000。 At most so many, 1 to 1000.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub limit: u16,
    /// 输出 JSON。 Answer in JSON.
    #[arg(long)]
    pub json: bool,
}

/// Lists alerts.
pub async fn run(arguments: Alerts) -> anyhow::Result<ExitCode> {
    let AlertsCommand::List(wanted) = arguments.command;
    let record = Record::open(&wanted.place).await?;
    let limit = usize::from(wanted.limit);
    let filter = AlertFilter {
        firing: match wanted.state {
            On::Firing => Some(true),
            On::Resolved => Some(false),
            On::All => None,
        },
        critical: wanted.critical.then_some(true),
        receiver: wanted.receiver,
        source: wanted.source,
        labels: wanted.labels,
        claimed_by: wanted.claimed_by,
        since: wanted.since.map(|since| since.resolve(Clock::System.now(), record.zone())),
        limit,
        ..AlertFilter::default()
    };
    let rows = record.alerts(filter).await?;
    let answer = if wanted.json { in_json(&rows) } else { table(&rows, limit, record.zone()) };
    answer.show()?;
    Ok(ExitCode::SUCCESS)
}

fn in_json(rows: &[ActAlert]) -> Screen {
    let row = |row: &ActAlert| {
        json!({
            "id": row.thread.to_string(), "name": row.name, "state": row.status.as_str(), "critical": row.critical,
            "receiver": row.receiver, "source": row.source,
            "labels": serde_json::from_str::<Value>(&row.labels_json).unwrap_or_default(),
            "starts_at": row.starts_at, "ends_at": row.ends_at,
            "claimed_by": row.acknowledged.as_ref().map(|doer| &doer.by),
            "claimed_at": row.acknowledged.as_ref().map(|doer| doer.at),
        })
    };
    Screen::json(&json!({ "alerts": rows.iter().map(row).collect::<Vec<_>>() }))
}

fn table(rows: &[ActAlert], limit: usize, zone: &TimeZone) -> Screen {
    let mut screen = Screen::new();
    if rows.is_empty() {
        screen.line(words("没有告警", "no alerts"));
    }
    for row in rows {
        let mark = match (row.status, row.critical) {
            (Status::Firing, true) => "!",
            (Status::Firing, false) => "·",
            _ => "✓",
        };
        let since = row.starts_at.map(|at| clock(at, zone)).unwrap_or_default();
        let owner = row.acknowledged.as_ref().map(|doer| told!("  认领 {}", "  taken by {}", doer.by).to_string());
        let labels: std::collections::BTreeMap<String, String> =
            serde_json::from_str(&row.labels_json).unwrap_or_default();
        let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        screen.line(format_args!(
            "{mark} #{:<6} {since:<14}  {}  → {}{}",
            row.thread.to_string(),
            row.name,
            row.receiver,
            owner.unwrap_or_default()
        ));
        screen.line(format_args!("          {}", labels.join(" ")));
    }
    if rows.len() >= limit {
        screen.line(words("        …可能还有：加大 --limit", "        …there may be more: a larger --limit"));
    }
    screen
}

fn clock(at: Timestamp, zone: &TimeZone) -> String {
    jiff::Timestamp::from_millisecond(at.0)
        .map(|at| at.to_zoned(zone.clone()).strftime("%m-%d %H:%M:%S").to_string())
        .unwrap_or_default()
}
