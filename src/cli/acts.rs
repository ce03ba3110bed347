//! `wegraf acts`: the record of acts, in WeCom, on the page and by command.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use jiff::tz::TimeZone;
use serde_json::json;

use super::record::{Place, Record};
use super::screen::Screen;
use super::{When, deliveries};
use crate::alert::{ThreadId, Timestamp};
use crate::config::Channel;
use crate::render::harmless;
use crate::store::{ActFilter, ActRow, ActState};
use crate::time::Clock;
use crate::words::{Words, told, words};

/// `wegraf acts`
#[derive(Debug, Args)]
pub struct Acts {
    /// What to do.
    #[command(subcommand)]
    pub command: ActsCommand,
}

/// What to do with the audit trail.
#[derive(Debug, Subcommand)]
pub enum ActsCommand {
    /// 谁在何时做了什么，新的在前。 Who did what and when, newest first.
    List(ActsList),
}

/// `wegraf acts list`
#[derive(Debug, Args)]
pub struct ActsList {
    /// Where to look.
    #[command(flatten)]
    pub place: Place,
    /// 消息末尾的短号。 The short id at the end of a message.
    #[arg(long, value_name = "#ID", value_parser = deliveries::short_id)]
    pub id: Option<ThreadId>,
    /// 这个人做的（userid，或他在网页上写的名字）。 By this person: a userid, or the name given on the page.
    #[arg(long, value_name = "USER")]
    pub by: Option<String>,
    /// 从何时起，写法同 deliveries list：2h、1d、“11-23 08:00”。 Since when: 2h, 1d, "11-23 08:00" in the configured zone, or RFC 3339.
    #[arg(long, value_name = "TIME", value_parser = When::parse)]
    pub since: Option<When>,
    /// 只列还没做完的。 Only those that are not done yet.
    #[arg(long)]
    pub open: bool,
    /// 最多几条，1 到 1000。 At most so many, 1 to 1000.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub limit: u16,
    /// 输出 JSON。 Answer in JSON.
    #[arg(long)]
    pub json: bool,
}

/// A longer name does not move the columns of the others.
const PERSON: usize = 24;
/// Characters of an address of IPv6.
const PEER: usize = 45;
/// Characters of an act's details.
const DETAIL: usize = 300;

/// Lists acts.
pub async fn run(arguments: Acts) -> anyhow::Result<ExitCode> {
    let ActsCommand::List(wanted) = arguments.command;
    let record = Record::open(&wanted.place).await?;
    let now = Clock::System.now();
    let filter = ActFilter {
        thread: wanted.id,
        by: wanted.by,
        open: wanted.open,
        since: wanted.since.map(|since| since.resolve(now, record.zone())),
        limit: wanted.limit.into(),
        among: Vec::new(),
        before: None,
    };
    let rows = record.acts(filter).await?;
    let answer = if wanted.json { Screen::json(&json!({ "acts": rows })) } else { table(&rows, record.zone()) };
    answer.show()?;
    Ok(ExitCode::SUCCESS)
}

fn table(rows: &[ActRow], zone: &TimeZone) -> Screen {
    let mut screen = Screen::new();
    if rows.is_empty() {
        screen.line(words("没有操作", "no acts"));
    }
    let clean = |text: &str, most| harmless(text, Channel::App, most);
    let by: Vec<String> = rows.iter().map(|row| clean(&row.by, PERSON)).collect();
    let width = by.iter().map(|by| by.chars().count()).max().unwrap_or(0);
    for (row, by) in rows.iter().zip(by) {
        let thread = if row.thread == ThreadId(0) { "-".to_owned() } else { format!("#{}", row.thread) };
        let mut rest = vec![clean(&row.via, PERSON)];
        rest.extend(row.peer.as_deref().map(|peer| clean(peer, PEER)));
        rest.extend(row.until.map(|until| format!("→ {}", clock(until, zone))));
        rest.extend((row.alerts > 0).then(|| told!("{} 条", "{} alerts", row.alerts).to_string()));
        screen.line(format_args!(
            "{:>6}  {}  {} {:<8}  {:<11}  {thread:<6}  {by:width$}  {}",
            row.id,
            clock(row.at, zone),
            mark(row.state),
            row.state.as_str(),
            row.kind.as_str(),
            rest.join("  ")
        ));
        if !row.detail.is_empty() {
            screen.line(format_args!("        {}", clean(&Words::of_record(&row.detail).to_string(), DETAIL)));
        }
    }
    screen
}

const fn mark(state: ActState) -> &'static str {
    match state {
        ActState::Done => "✓",
        ActState::Open => "…",
        ActState::Repeated | ActState::Void | ActState::Limited => "·",
        ActState::Denied | ActState::Failed => "✗",
    }
}

fn clock(at: Timestamp, zone: &TimeZone) -> String {
    jiff::Timestamp::from_millisecond(at.0)
        .map(|at| at.to_zoned(zone.clone()).strftime("%m-%d %H:%M:%S").to_string())
        .unwrap_or_default()
}
