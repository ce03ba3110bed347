//! Logs: one line an event, JSON unless a person is looking, written without ever holding up the work.

use std::io::{IsTerminal, Write, stderr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// Lines that may wait for a slow terminal or pipe before they are dropped: a few megabytes at most.
const WAITING_LINES: usize = 4096;

/// Log lines dropped because standard error did not take them (F86).
pub static DROPPED_LINES: AtomicU64 = AtomicU64::new(0);

/// Sends log lines to standard error from here on. `filter` is in the syntax of `RUST_LOG`; JSON unless standard
/// error is a terminal.
pub fn init(filter: &str) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(Lossy::start());
    // A second call (tests in one process) keeps the first subscriber.
    let _ = if stderr().is_terminal() { builder.with_target(false).try_init() } else { builder.json().try_init() };
}

/// Hands lines to a thread; a full queue drops the line and counts it, so that logging never blocks delivery.
#[derive(Clone)]
struct Lossy(SyncSender<Vec<u8>>);

impl Lossy {
    fn start() -> Self {
        let (sender, lines) = sync_channel::<Vec<u8>>(WAITING_LINES);
        std::thread::Builder::new()
            .name("log".into())
            .spawn(move || {
                for line in lines {
                    // Nobody is left to tell when standard error is closed.
                    let _ = stderr().lock().write_all(&line);
                }
            })
            .expect("a thread can be started at start-up");
        Self(sender)
    }
}

impl<'a> MakeWriter<'a> for Lossy {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { to: &self.0, bytes: Vec::with_capacity(256) }
    }
}

/// One event; sent when it is dropped.
struct Line<'a> {
    to: &'a SyncSender<Vec<u8>>,
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
        if let Err(TrySendError::Full(_)) = self.to.try_send(std::mem::take(&mut self.bytes)) {
            DROPPED_LINES.fetch_add(1, Ordering::Relaxed);
        }
    }
}
