//! The record as a file of any length: read page by page, from the newest to the oldest.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, IsTerminal as _, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use jiff::tz::TimeZone;

use super::arguments::Format;
use super::{beside, clock};
use crate::cli::backup::folder_exists;
use crate::cli::record::{Next, Record};
use crate::shown::{self, CSV_MARK, csv_line as line, csv_text as harmless};
use crate::store::{ActKind, DeliveryFilter, DeliveryRow};
use crate::words::{Words, told};

/// Messages read at a time: it bounds the memory.
const PAGE: usize = 500;
const COLUMNS: [&str; 26] = [
    "message",
    "id",
    "queued",
    "settled",
    "state",
    "receiver",
    "target",
    "source",
    "alert",
    "firing",
    "resolved",
    "critical",
    "digest",
    "folded_into",
    "origin",
    "attempts",
    "accepted_parts",
    "parts",
    "face",
    "outcome",
    "errcode",
    "error",
    "last_try",
    "note",
    "act",
    "picture_of",
];

/// Writes the messages that match `filter` to `output` or standard output, and their number to standard error.
pub(super) async fn run(
    record: &Record,
    filter: DeliveryFilter,
    format: Format,
    output: Option<&Path>,
) -> anyhow::Result<ExitCode> {
    let Some(path) = output else {
        let mut out = BufWriter::new(std::io::stdout().lock());
        write(record, filter, format, &mut out, |_| ()).await?;
        return Ok(ExitCode::SUCCESS);
    };
    folder_exists(path)?;
    let file = create(path).with_context(|| {
        told!(
            "无法新建 {0}：已有文件不会被覆盖，请换个名字或先移走",
            "cannot create {0}: a file that exists is never overwritten, choose another name or move it away",
            path.display()
        )
        .to_string()
    })?;
    let terminal = std::io::stderr().is_terminal();
    let progress = |written: u64| {
        if terminal {
            eprint!("\r{written} ");
        }
    };
    match write(record, filter, format, &mut BufWriter::new(&file), progress).await {
        Ok(written) => {
            file.sync_all()?;
            let start = if terminal { "\r" } else { "" };
            eprintln!("{start}{}", told!("已导出 {written} 条到 {}", "{written} exported to {}", path.display()));
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            // An incomplete export looks like a complete one.
            std::fs::remove_file(path).ok();
            Err(error).with_context(|| {
                told!("导出中断，{0} 已删除", "the export broke off; {0} was removed", path.display()).to_string()
            })
        }
    }
}

/// A new file that only its owner can read: it holds alerts.
pub(in crate::cli) fn create(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.write(true).create_new(true).open(path)
}

/// Writes page after page; returns how many messages.
async fn write(
    record: &Record,
    mut filter: DeliveryFilter,
    format: Format,
    out: &mut impl Write,
    progress: impl Fn(u64),
) -> anyhow::Result<u64> {
    if format == Format::Csv {
        out.write_all(format!("{CSV_MARK}{}", line(&COLUMNS)).as_bytes())?;
    }
    filter.limit = PAGE;
    let (mut written, mut next, zone) = (0, Next::Begin, record.zone());
    while next != Next::End {
        let rows = record.deliveries(&filter, &mut next).await?;
        for row in &rows {
            match format {
                Format::Csv => out.write_all(line(&cells(row, zone)).as_bytes())?,
                Format::Jsonl => {
                    let json = serde_json::to_string(row).map_err(std::io::Error::from)?;
                    writeln!(out, "{}", shown::json(&json))?;
                }
            }
        }
        written += rows.len() as u64;
        progress(written);
    }
    out.flush()?;
    Ok(written)
}

/// In the order of [`COLUMNS`].
fn cells(row: &DeliveryRow, zone: &TimeZone) -> [String; 26] {
    let at = |time| clock(time, zone, "%Y-%m-%d %H:%M:%S");
    let number = |value: Option<i64>| value.map(|value| value.to_string()).unwrap_or_default();
    let words = |value: &Option<String>| value.as_deref().map(harmless).unwrap_or_default();
    [
        row.message.to_string(),
        harmless(&format!("#{}", row.thread)),
        at(row.created_at),
        row.settled_at.map(at).unwrap_or_default(),
        row.state.as_str().to_owned(),
        harmless(&row.receiver),
        harmless(row.lane.as_str()),
        harmless(&row.source.stored()),
        harmless(&row.name),
        row.firing.to_string(),
        row.resolved.to_string(),
        u8::from(row.critical).to_string(),
        u8::from(row.digest).to_string(),
        number(row.folded_into),
        number(row.origin),
        row.attempts.to_string(),
        row.next_part.to_string(),
        row.parts.to_string(),
        words(&row.face),
        words(&row.outcome),
        number(row.errcode),
        words(&row.error.as_deref().map(|error| Words::of_record(error).to_string())),
        row.claimed_at.map(at).unwrap_or_default(),
        words(&beside(row)),
        row.act.map(ActKind::as_str).unwrap_or_default().to_owned(),
        number(row.picture_of),
    ]
}
