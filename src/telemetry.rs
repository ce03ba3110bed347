//! Logs: one line for each event, JSON unless standard error is a terminal, written without ever blocking the work.

mod recent;

use std::borrow::Cow;
use std::io::{IsTerminal, Write, stderr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Mutex, OnceLock, PoisonError};

use tracing::field::{Field, Visit};
use tracing::{Level, Metadata};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{self, FormatFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry, reload};

use crate::shown;
pub use recent::recent;

/// Lines that may wait for a slow terminal or pipe before they are dropped: a few megabytes at most.
const WAITING_LINES: usize = 4096;

/// Log lines dropped because standard error did not take them (F86,
/// docs/reference/reliability.md#replicas-and-process).
pub static DROPPED_LINES: AtomicU64 = AtomicU64::new(0);

/// Our own crates. Other crates log secrets below `info`: at `trace`, a WebSocket client prints the frames that it
/// sends, and an HTTP client its headers.
const OURS: [&str; 3] = ["wegraf", "wecom", "wecom_simulator"];

/// What changes the filter while the process runs.
static CONTROL: OnceLock<Control> = OnceLock::new();

struct Control {
    handle: reload::Handle<EnvFilter, Registry>,
    /// The filter that the process was started with.
    usual: String,
    /// The filter in force, and how often it was changed.
    now: Mutex<(String, u64)>,
}

/// The levels of a filter.
pub const LEVELS: &str = "off, error, warn, info, debug, trace";

/// A filter, or `None` if it is none. A bare word is a level: by the syntax it could be a module, but then a mistyped
/// level would silence everything else.
fn parse(filter: &str) -> Option<EnvFilter> {
    let parsed = EnvFilter::try_new(filter).ok()?;
    // Spans and their fields are left to the parser.
    let bare = |part: &&str| !part.is_empty() && !part.contains(['=', '[', ']', '{', '}', '"']);
    filter.split(',').map(str::trim).filter(bare).all(|part| part.parse::<LevelFilter>().is_ok()).then_some(parsed)
}

/// Is this a filter?
pub fn is_filter(filter: &str) -> bool {
    parse(filter).is_some()
}

/// Why the filter stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum Unchanged {
    /// It is no filter; the levels that there are.
    #[error("{0}")]
    NoFilter(String),
    /// This process has no log of its own: it is a test.
    #[error("this process keeps no log")]
    NoLog,
}

/// Sends log lines to standard error from here on. `filter` has the syntax of `RUST_LOG`; JSON unless standard error is
/// a terminal. Other crates log from `info` up only, with any `filter`. The newest lines are kept ([`recent()`]).
pub fn init(filter: &str) {
    let (usual, parsed) = match parse(filter) {
        Some(parsed) => (filter, parsed),
        None => ("info", EnvFilter::new("info")),
    };
    let terminal = stderr().is_terminal();
    let lines = Lossy::start(!terminal);
    let (parsed, handle) = reload::Layer::new(parsed);
    let registry = tracing_subscriber::registry().with(parsed).with(filter_fn(may_be_heard));
    // A second call (tests in one process) keeps the first subscriber.
    let first = if terminal {
        let kept = fmt::layer().json().with_writer(recent::Keeper::default);
        registry.with(fmt::layer().with_target(false).fmt_fields(Plain).with_writer(lines)).with(kept).try_init()
    } else {
        registry.with(fmt::layer().json().with_writer(lines)).try_init()
    };
    if first.is_ok() {
        let now = Mutex::new((usual.to_owned(), 0));
        // Set once: there is one first subscriber.
        CONTROL.set(Control { handle, usual: usual.to_owned(), now }).ok();
    }
}

/// The filter in force, and the one that the process was started with; `None` without a log.
pub fn filters() -> Option<(String, String)> {
    let control = CONTROL.get()?;
    let now = control.now.lock().unwrap_or_else(PoisonError::into_inner);
    Some((now.0.clone(), control.usual.clone()))
}

/// Puts another filter in force; returns the number of this change, for [`usual`].
pub fn change(filter: &str) -> Result<u64, Unchanged> {
    let parsed = parse(filter).ok_or_else(|| Unchanged::NoFilter(LEVELS.to_owned()))?;
    let control = CONTROL.get().ok_or(Unchanged::NoLog)?;
    let mut now = control.now.lock().unwrap_or_else(PoisonError::into_inner);
    control.handle.reload(parsed).map_err(|_| Unchanged::NoLog)?;
    *now = (filter.to_owned(), now.1 + 1);
    Ok(now.1)
}

/// Puts the usual filter in force again, unless it was changed since the change of that number.
pub fn usual(change: u64) {
    let Some(control) = CONTROL.get() else { return };
    let mut now = control.now.lock().unwrap_or_else(PoisonError::into_inner);
    if now.1 == change
        && let Ok(parsed) = EnvFilter::try_new(&control.usual)
        && control.handle.reload(parsed).is_ok()
    {
        now.0.clone_from(&control.usual);
    }
}

/// May events of this origin be logged at all?
fn may_be_heard(origin: &Metadata<'_>) -> bool {
    let ours = |target: &str| OURS.iter().any(|name| target == *name || target.starts_with(&format!("{name}::")));
    *origin.level() <= Level::INFO || ours(origin.target())
}

/// Fields for a terminal: on one line, and without control characters.
struct Plain;

impl<'writer> FormatFields<'writer> for Plain {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'writer>, fields: R) -> std::fmt::Result {
        let mut visitor = PlainFields { writer, first: true, result: Ok(()) };
        fields.record(&mut visitor);
        visitor.result
    }
}

struct PlainFields<'writer> {
    writer: Writer<'writer>,
    first: bool,
    result: std::fmt::Result,
}

impl PlainFields<'_> {
    fn write(&mut self, field: &Field, value: &str) {
        let blank = if std::mem::take(&mut self.first) { "" } else { " " };
        let value = shown::line(value);
        let written = match field.name() {
            "message" => write!(self.writer, "{blank}{value}"),
            name => write!(self.writer, "{blank}{name}={value}"),
        };
        self.result = self.result.and(written);
    }
}

impl Visit for PlainFields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.write(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.write(field, &format!("{value:?}"));
    }
}

/// Hands lines to a thread; a full queue drops the line and counts it, so that logging never blocks delivery.
#[derive(Clone)]
struct Lossy {
    to: SyncSender<Vec<u8>>,
    /// Events are JSON, which escapes unprintable characters.
    json: bool,
}

impl Lossy {
    fn start(json: bool) -> Self {
        let (sender, lines) = sync_channel::<Vec<u8>>(WAITING_LINES);
        std::thread::Builder::new()
            .name("log".into())
            .spawn(move || {
                for line in lines {
                    // Standard error is closed: the line cannot be reported anywhere.
                    let _ = stderr().lock().write_all(&line);
                }
            })
            .expect("a thread can be started at start-up");
        Self { to: sender, json }
    }
}

impl<'a> MakeWriter<'a> for Lossy {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { to: &self.to, json: self.json, bytes: Vec::with_capacity(256) }
    }
}

/// One event; sent when it is dropped.
struct Line<'a> {
    to: &'a SyncSender<Vec<u8>>,
    json: bool,
    bytes: Vec<u8>,
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        if self.json
            && let Ok(text) = str::from_utf8(&bytes)
            && let Cow::Owned(escaped) = shown::json(text)
        {
            bytes = escaped.into_bytes();
        }
        if self.json {
            recent::keep(&bytes);
        }
        if let Err(TrySendError::Full(_)) = self.to.try_send(bytes) {
            DROPPED_LINES.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The output of a subscriber with these fields for one event.
    fn printed(event: impl Fn()) -> String {
        #[derive(Clone, Default)]
        struct Kept(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);
        impl Write for Kept {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                self.0.lock().unwrap().extend_from_slice(bytes);
                Ok(bytes.len())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let kept = Kept::default();
        let writer = kept.clone();
        let layer = fmt::layer().with_ansi(false).fmt_fields(Plain).with_writer(move || writer.clone());
        let subscriber = tracing_subscriber::registry().with(EnvFilter::new("trace")).with(filter_fn(may_be_heard));
        tracing::subscriber::with_default(subscriber.with(layer), event);
        let bytes = kept.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_bare_word_is_a_level() {
        for good in ["info", "DEBUG", "off", "warn,wegraf::deliver=debug", "info,wegraf[admit{a=1}]=trace", "warn,"] {
            assert!(is_filter(good), "{good}");
        }
        for wrong in ["inof", "nonsense", "warn,wegraf::deliver", "wegraf=loud", "a=b=c"] {
            assert!(!is_filter(wrong), "{wrong}");
        }
    }

    #[test]
    fn an_event_is_one_line_of_text_with_any_fields() {
        let hostile = "x\u{1b}[2J\n2026 INFO forged\u{9b}\u{202e}\u{7f}";
        let text = printed(|| tracing::warn!(plain = hostile, shown = %hostile, debugged = ?hostile, "Of {hostile}."));
        assert_eq!(text.matches('\n').count(), 1, "{text:?}");
        assert!(!text.trim_end().chars().any(shown::controls), "{text:?}");
        assert!(text.contains("shown=x␛[2J␊2026"), "{text:?}");
    }

    #[test]
    fn other_crates_are_not_logged_below_info_with_any_filter() {
        let text = printed(|| {
            tracing::trace!(target: "tungstenite::protocol", "canary-frame");
            tracing::debug!(target: "reqwest::connect", "canary-connect");
            tracing::debug!(target: "wegraffiti", "canary-name");
            tracing::info!(target: "rustls", "kept-info");
            tracing::trace!(target: "wegraf::deliver", "kept-ours");
            tracing::debug!(target: "wecom", "kept-wecom");
        });
        assert!(!text.contains("canary"), "{text}");
        assert_eq!(text.matches("kept-").count(), 3, "{text}");
    }
}
