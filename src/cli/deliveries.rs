//! `wegraf deliveries`: the record, read beside a running gateway.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use jiff::tz::TimeZone;
use serde_json::json;

use super::{ConfigFile, Deliveries, DeliveriesCommand, DeliveryState, Misused};
use crate::alert::{ThreadId, Timestamp};
use crate::store::{Delivery, DeliveryFilter, DeliveryRow, State, Store};

/// Prints a list or one message. Exit code 1 if there is no such message.
pub async fn run(arguments: Deliveries) -> anyhow::Result<ExitCode> {
    match arguments.command {
        DeliveriesCommand::List { file, receiver, state, limit, json } => {
            let (store, zone) = open(&file).await?;
            let filter = DeliveryFilter { limit, receiver, state: state.map(State::from), ..DeliveryFilter::default() };
            let rows = store.deliveries(filter).await?;
            let answer = if json { format!("{:#}\n", json!({ "deliveries": rows })) } else { table(&rows, &zone) };
            print(&answer)
        }
        DeliveriesCommand::Show { file, id, json } => {
            let (store, zone) = open(&file).await?;
            let found = find(&store, &id).await?;
            if found.is_empty() {
                bail!("没有编号为 {id} 的消息 there is no message {id}");
            }
            let answer = if json {
                format!("{:#}\n", json!({ "deliveries": found }))
            } else {
                found.iter().map(|delivery| story(delivery, &zone)).collect()
            };
            print(&answer)
        }
    }
}

async fn open(file: &ConfigFile) -> anyhow::Result<(Store, TimeZone)> {
    let (config, _) = file.load_to_look()?;
    let store = Store::open_reading(&config.database)
        .await
        .context("打不开记录；网关启动过吗？ the record cannot be opened; has the gateway ever run?")?;
    Ok((store, config.timezone))
}

/// By number, or all messages with a short id: the firing and the resolved ones, on all targets.
async fn find(store: &Store, id: &str) -> anyhow::Result<Vec<Delivery>> {
    if let Ok(number) = id.parse()
        && let Some(delivery) = store.delivery(number).await?
    {
        return Ok(vec![delivery]);
    }
    let thread = ThreadId::parse(id).ok_or_else(|| {
        Misused(format!("`{id}` 不是编号，也不是 #7K2Q 这样的短号 is neither a number nor a short id"))
    })?;
    let rows = store.deliveries(DeliveryFilter { thread: Some(thread), ..DeliveryFilter::default() }).await?;
    let mut found = Vec::new();
    for row in rows.iter().rev() {
        found.extend(store.delivery(row.message).await?);
    }
    Ok(found)
}

fn table(rows: &[DeliveryRow], zone: &TimeZone) -> String {
    if rows.is_empty() {
        return "没有消息 no messages\n".to_owned();
    }
    let mut text = String::new();
    for row in rows {
        let what = match (row.firing, row.resolved) {
            (firing, 0) => format!("告警 {firing}"),
            (0, resolved) => format!("恢复 {resolved}"),
            (firing, resolved) => format!("告警 {firing} 恢复 {resolved}"),
        };
        writeln!(
            text,
            "{:>6}  #{:<5} {}  {} {:<7} {}  {} {}",
            row.message,
            row.thread.to_string(),
            time(row.created_at, zone),
            mark(row.state),
            row.state.as_str(),
            row.lane,
            row.name,
            what
        )
        .expect("a String takes everything");
        if let Some(error) = row.error.as_deref().filter(|_| row.state != State::Sent) {
            writeln!(text, "        {error}").expect("a String takes everything");
        }
    }
    text
}

fn story(delivery: &Delivery, zone: &TimeZone) -> String {
    let row = &delivery.row;
    let mut text = String::new();
    let mut line = |line: String| writeln!(text, "{line}").expect("a String takes everything");
    line(format!("{} {}  #{}  {}", mark(row.state), row.message, row.thread, row.lane));
    line(format!("  来源 source       {} ({})", row.source, delivery.format));
    line(format!("  接收者 receiver   {}   face {}", row.receiver, row.face.as_deref().unwrap_or("-")));
    line(format!("  收到 received     {}", time(delivery.received_at, zone)));
    if let Some(settled) = row.settled_at {
        line(format!("  完结 settled      {}   {}", time(settled, zone), row.state.as_str()));
    } else {
        line(format!("  状态 state        {}   下次 next {}", row.state.as_str(), time(row.not_before, zone)));
    }
    for transition in &delivery.transitions {
        let reason = transition.reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        line(format!(
            "  · {:<8} {}  → {}{reason}  {}",
            transition.kind.as_str(),
            transition.name,
            transition.fate.as_str(),
            transition.labels_json
        ));
    }
    for attempt in &delivery.attempts {
        let took = attempt.duration_ms.map_or_else(|| "?".to_owned(), |ms| format!("{ms} ms"));
        let code = attempt.errcode.map(|code| format!("errcode {code} ")).unwrap_or_default();
        line(format!(
            "  尝试 attempt {} (part {})  {}  {took}  {}  {code}{}",
            attempt.epoch,
            attempt.part + 1,
            time(attempt.at, zone),
            attempt.outcome.as_deref().unwrap_or("…"),
            attempt.errmsg.as_deref().unwrap_or_default()
        ));
        if let Some(invalid) = &attempt.invalid_json {
            line(format!("    没有送到 not reached: {invalid}"));
        }
    }
    for part in &delivery.frozen {
        line(format!("  正文 body v{} part {}: {}", part.version, part.number + 1, part.body));
    }
    line(String::new());
    text
}

const fn mark(state: State) -> &'static str {
    match state {
        State::Sent => "✓",
        State::Dead => "✗",
        State::Queued | State::Sending | State::Unsure => "…",
        State::Folded => "↪",
    }
}

fn time(at: Timestamp, zone: &TimeZone) -> String {
    jiff::Timestamp::from_millisecond(at.0)
        .map(|at| at.to_zoned(zone.clone()).strftime("%m-%d %H:%M:%S").to_string())
        .unwrap_or_default()
}

impl From<DeliveryState> for State {
    fn from(state: DeliveryState) -> Self {
        match state {
            DeliveryState::Queued => Self::Queued,
            DeliveryState::Sending => Self::Sending,
            DeliveryState::Unsure => Self::Unsure,
            DeliveryState::Sent => Self::Sent,
            DeliveryState::Dead => Self::Dead,
        }
    }
}

fn print(answer: &str) -> anyhow::Result<ExitCode> {
    std::io::stdout().lock().write_all(answer.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
