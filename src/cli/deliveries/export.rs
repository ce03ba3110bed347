//! The record as a file of any length: read page by page, from the newest to the oldest.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, IsTerminal as _, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use jiff::tz::TimeZone;

use super::arguments::Format;
use super::{beside, clock};
use crate::shown;
use crate::store::{ActKind, DeliveryFilter, DeliveryRow, Store};
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
    store: &Store,
    filter: DeliveryFilter,
    format: Format,
    output: Option<&Path>,
    zone: &TimeZone,
) -> anyhow::Result<ExitCode> {
    let Some(path) = output else {
        let mut out = BufWriter::new(std::io::stdout().lock());
        write(store, filter, format, &mut out, zone, |_| ()).await?;
        return Ok(ExitCode::SUCCESS);
    };
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
    match write(store, filter, format, &mut BufWriter::new(&file), zone, progress).await {
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
fn create(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.write(true).create_new(true).open(path)
}

/// Writes page after page; returns how many messages.
async fn write(
    store: &Store,
    mut filter: DeliveryFilter,
    format: Format,
    out: &mut impl Write,
    zone: &TimeZone,
    progress: impl Fn(u64),
) -> anyhow::Result<u64> {
    if format == Format::Csv {
        // The mark by which spreadsheets recognise UTF-8.
        out.write_all("\u{feff}".as_bytes())?;
        line(out, &COLUMNS.map(str::to_owned))?;
    }
    filter.limit = PAGE;
    let mut written = 0;
    loop {
        let rows = store.deliveries(filter.clone()).await?;
        for row in &rows {
            match format {
                Format::Csv => line(out, &cells(row, zone))?,
                Format::Jsonl => {
                    let json = serde_json::to_string(row).map_err(std::io::Error::from)?;
                    writeln!(out, "{}", shown::json(&json))?;
                }
            }
        }
        written += rows.len() as u64;
        progress(written);
        match rows.last() {
            Some(last) if rows.len() == PAGE => filter.before = Some(last.message),
            _ => break,
        }
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

/// A text on one line that no spreadsheet interprets as a formula. Only for texts: -1 is a
/// number.
fn harmless(text: &str) -> String {
    let shown = shown::line(text);
    if starts_formula(text) || starts_formula(&shown) { format!("'{shown}") } else { shown.into_owned() }
}

/// Would a spreadsheet interpret `text` as a formula? It skips invisible characters, and some accept full-width signs.
/// A tab or a carriage return in front is dropped on import, so it counts as a sign.
fn starts_formula(text: &str) -> bool {
    let unseen = |c: char| c.is_whitespace() || shown::controls(c) || BLANKS.contains(&c);
    text.starts_with(['\t', '\r']) || text.trim_start_matches(unseen).starts_with(SIGNS)
}

/// Characters that begin a formula, and those that compatibility folding maps to them.
const SIGNS: [char; 16] =
    ['=', '+', '-', '@', '＝', '＋', '－', '＠', '﹦', '﹢', '﹣', '﹫', '\u{2212}', '⁼', '⁺', '⁻'];

/// Invisible letters and marks.
const BLANKS: [char; 11] = [
    '\u{34f}', '\u{115f}', '\u{1160}', '\u{17b4}', '\u{17b5}', '\u{180b}', '\u{200c}', '\u{200d}', '\u{2800}',
    '\u{3164}', '\u{ffa0}',
];

/// One line in the form of RFC 4180.
fn line(out: &mut impl Write, cells: &[String]) -> std::io::Result<()> {
    for (index, cell) in cells.iter().enumerate() {
        if index > 0 {
            out.write_all(b",")?;
        }
        if cell.contains([',', '"', '\n', '\r']) {
            write!(out, "\"{}\"", cell.replace('"', "\"\""))?;
        } else {
            out.write_all(cell.as_bytes())?;
        }
    }
    out.write_all(b"\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_and_no_text_breaks_a_line() {
        for text in [
            "=1+1",
            "+1",
            "-1",
            "@SUM(A1)",
            "＝1",
            "﹦1",
            "\u{2212}1",
            " =1",
            "\u{a0}\u{3000}=1",
            "\u{200d}=1",
            "\u{2800}@x",
        ] {
            assert_eq!(harmless(text), format!("'{text}"));
        }
        for unseen in [
            "\t",
            "\r",
            "\n",
            "\r\n",
            "\u{200b}",
            "\u{202e}",
            "\u{feff}",
            "\u{2060}",
            "\0",
            "\u{1b}",
            "\u{85}",
            " \n\t\u{feff} ",
        ] {
            for sign in ["=1", "+1", "-1", "@x", "＝1", "＋1", "－1", "＠x"] {
                let cell = harmless(&format!("{unseen}{sign}"));
                assert!(cell.starts_with('\'') && cell.ends_with(sign), "{cell:?}");
                assert!(!cell.chars().any(shown::controls), "{cell:?}");
            }
        }
        assert!(harmless("\tx").starts_with('\'') && harmless("\rx").starts_with('\''));
        for text in ["disk = full", "磁盘 +1", "a\u{200b}=1", "(-1)"] {
            assert!(!harmless(text).starts_with('\''), "{text}");
        }
        let mut out = Vec::new();
        line(&mut out, &["a,b".into(), "say \"hi\"\n".into(), "磁盘".into()]).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "\"a,b\",\"say \"\"hi\"\"\n\",磁盘\r\n");
    }
}
