//! `wegraf deliveries`: the record, read beside a running gateway; and resends.

mod arguments;
mod audit;
pub(super) mod export;
mod list;
mod recall;
mod resend;
mod show;
mod when;

use std::process::ExitCode;

use anyhow::Context as _;
use jiff::tz::TimeZone;

use super::record::Record;
use super::screen::Screen;
use super::{ConfigFile, Misused};
use crate::alert::{ThreadId, Timestamp};
use crate::config::Config;
use crate::render::Note;
use crate::store::{DeliveryFilter, DeliveryRow, State, Store};
use crate::time::Clock;
use crate::words::{Words, told, words};

pub(super) use arguments::short_id;
pub use arguments::{Deliveries, DeliveriesCommand};
pub use when::When;

/// Does what is asked. Exit code 1 if there is no such message, a resend or a recall was refused, or the audit found a fault.
pub async fn run(arguments: Deliveries) -> anyhow::Result<ExitCode> {
    match arguments.command {
        DeliveriesCommand::List { place, selection, limit, json } => {
            let record = Record::open(&place).await?;
            let filter = selection.filter(Clock::System.now(), record.zone())?;
            print(&list::answer(&record, filter, usize::from(limit), json).await?)
        }
        DeliveriesCommand::Show { place, id, json } => {
            let record = Record::open(&place).await?;
            print(&show::answer(&record, &id, json).await?)
        }
        DeliveriesCommand::Export { place, selection, format, output } => {
            let record = Record::open(&place).await?;
            let filter = selection.filter(Clock::System.now(), record.zone())?;
            export::run(&record, filter, format, output.as_deref()).await
        }
        DeliveriesCommand::Resend { file, ids, listen, json } => {
            let (store, config) = open(&file).await?;
            resend::run(&store, &config, &ids, listen.as_ref(), json).await
        }
        DeliveriesCommand::Recall { file, ids, by, listen, json } => {
            let (store, config) = open(&file).await?;
            recall::run(&store, &config, &ids, &by, listen.as_ref(), json).await
        }
        DeliveriesCommand::Audit { place, json } => audit::run(&Record::open(&place).await?, json).await,
    }
}

pub(super) async fn open(file: &ConfigFile) -> anyhow::Result<(Store, Config)> {
    let (config, _) = file.load_to_look()?;
    let store = Store::open_reading(&config.database)
        .await
        .context(words("打不开记录；网关启动过吗？", "the record cannot be opened; has the gateway ever run?"))?;
    Ok((store, config))
}

/// Everything about the messages with this number or short id, as `deliveries show` tells it.
pub(super) async fn story(store: Store, id: &str, zone: &TimeZone) -> anyhow::Result<Screen> {
    show::answer(&Record::Here(store, zone.clone()), id, false).await
}

/// The messages that `id` means, the oldest first: one by its number, or all with a short id.
async fn find(record: &Record, id: &str) -> anyhow::Result<Vec<DeliveryRow>> {
    let number: Option<i64> = id.parse().ok();
    if let Some(number) = number {
        let by_number = DeliveryFilter { message: Some(number), limit: 1, ..DeliveryFilter::default() };
        let rows = record.several(&by_number).await?;
        if !rows.is_empty() {
            return Ok(rows);
        }
    }
    let Some(thread) = ThreadId::parse(id) else {
        anyhow::ensure!(
            number.is_some(),
            Misused(
                told!("`{id}` 不是编号，也不是 #7K2Q 这样的短号", "`{id}` is neither a number nor a short id")
                    .to_string()
            )
        );
        return Ok(Vec::new());
    };
    record.of_incident(thread).await
}

/// Why a message exists although another one told the same, or where its news went; `None` for most.
fn beside(row: &DeliveryRow) -> Option<String> {
    if let Some(of) = row.picture_of {
        return Some(match row.state {
            State::Folded => told!("▣ 消息 {of} 的图，没有发", "▣ picture of message {of}, left out").to_string(),
            _ => told!("▣ 消息 {of} 的图", "▣ picture of message {of}").to_string(),
        });
    }
    if let Some(digest) = row.folded_into {
        return Some(told!("↪ 由摘要 {digest} 代为通知", "↪ folded into digest {digest}").to_string());
    }
    let note: Option<Note> = row.note_json.as_deref().and_then(|json| serde_json::from_str(json).ok());
    if let Some(Note::Unmatched { .. }) = note {
        return Some(told!("◌ 恢复没有找到对应的告警", "◌ its end matches no open alert here").to_string());
    }
    let origin = row.origin?;
    match note {
        Some(Note::Resent { .. }) => Some(told!("↻ 重发自 {origin}", "↻ resent from {origin}").to_string()),
        Some(Note::Fallback { lane, reason, missed }) => {
            let missed = if missed.is_empty() { String::new() } else { format!("（{}）", missed.join(" ")) };
            Some(
                told!(
                    "⇢ 代替 {origin}（{lane}）{missed}：{}",
                    "⇢ instead of {origin} ({lane}) {missed}: {}",
                    Words::of_record(&reason)
                )
                .to_string(),
            )
        }
        _ => Some(told!("⇢ 源自 {origin}", "⇢ originates from {origin}").to_string()),
    }
}

/// The content of a message, in a word.
fn what(row: &DeliveryRow) -> String {
    if let Some(act) = row.act {
        return told!("{} 操作 {}", "{} act {}", row.name, act.as_str()).to_string();
    }
    if row.picture_of.is_some() {
        return told!("{} 图", "{} picture", row.name).to_string();
    }
    let counts = match (row.firing, row.resolved) {
        (0, 0) if row.notices > 0 => told!("通知 {}", "notices {}", row.notices),
        (firing, 0) => told!("告警 {firing}", "firing {firing}"),
        (0, resolved) => told!("恢复 {resolved}", "resolved {resolved}"),
        (firing, resolved) => told!("告警 {firing} 恢复 {resolved}", "firing {firing} resolved {resolved}"),
    };
    if row.digest {
        return Words::from((format!("摘要 {}", counts.zh), format!("digest {}", counts.en))).to_string();
    }
    format!("{} {counts}", row.name)
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
    clock(at, zone, "%m-%d %H:%M:%S")
}

fn clock(at: Timestamp, zone: &TimeZone, format: &str) -> String {
    jiff::Timestamp::from_millisecond(at.0)
        .map(|at| at.to_zoned(zone.clone()).strftime(format).to_string())
        .unwrap_or_default()
}

fn print(answer: &Screen) -> anyhow::Result<ExitCode> {
    answer.show()?;
    Ok(ExitCode::SUCCESS)
}
