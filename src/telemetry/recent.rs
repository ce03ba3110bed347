//! The newest log lines, in memory: for a report of an operator whose log is elsewhere.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::{Mutex, PoisonError};

/// Lines that are kept: some minutes of a busy gateway, days of a quiet one.
const LINES: usize = 2000;
/// Bytes of all of them, so that long lines take no memory from alerts.
const BYTES: usize = 1 << 20;

static RECENT: Mutex<Recent> = Mutex::new(Recent { lines: VecDeque::new(), bytes: 0 });

#[derive(Debug, Default)]
struct Recent {
    lines: VecDeque<Box<str>>,
    bytes: usize,
}

impl Recent {
    fn keep(&mut self, line: &str) {
        self.bytes += line.len();
        self.lines.push_back(line.into());
        while self.lines.len() > LINES || self.bytes > BYTES {
            let Some(oldest) = self.lines.pop_front() else { break };
            self.bytes -= oldest.len();
        }
    }
}

/// Keeps a line, JSON with its line end.
pub(super) fn keep(line: &[u8]) {
    if let Ok(line) = str::from_utf8(line) {
        RECENT.lock().unwrap_or_else(PoisonError::into_inner).keep(line.trim_end());
    }
}

/// The newest lines, JSON each, the oldest first.
pub fn recent() -> Vec<String> {
    let recent = RECENT.lock().unwrap_or_else(PoisonError::into_inner);
    recent.lines.iter().map(|line| String::from(&**line)).collect()
}

/// Keeps the event that is written into it.
#[derive(Default)]
pub(super) struct Keeper(Vec<u8>);

impl Write for Keeper {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        keep(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_lines_are_kept_within_bounds() {
        let mut recent = Recent::default();
        for number in 0..3 * LINES {
            recent.keep(&format!("line {number}"));
        }
        assert_eq!((recent.lines.len(), &*recent.lines[0]), (LINES, "line 4000"));
        for _ in 0..10 {
            recent.keep(&"x".repeat(BYTES / 4));
        }
        assert!(recent.lines.len() == 4 && recent.bytes == BYTES);
        assert_eq!(recent.bytes, recent.lines.iter().map(|line| line.len()).sum::<usize>());
        recent.keep(&"x".repeat(BYTES + 1));
        assert_eq!((recent.lines.len(), recent.bytes), (0, 0));
    }
}
