//! Logs, stack traces and JSON inside of a text.

/// Consecutive lines that look like a log before they count as one.
const ROW: usize = 3;
/// Columns of a line that is shown.
const COLUMNS: usize = 80;

/// What a machine printed: a log, a stack trace, JSON.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Evidence {
    /// All lines, as they were.
    pub lines: Vec<String>,
}

impl Evidence {
    /// The last three lines, of at most 80 columns each (a Han character takes two).
    pub fn tail(&self) -> Vec<String> {
        let from = self.lines.len().saturating_sub(ROW);
        self.lines[from..].iter().map(|line| narrow(line)).collect()
    }

    /// The line that tells the fault, of at most 80 columns; else the last one. `None` if there are no lines.
    pub fn telling(&self) -> Option<String> {
        const FAULTS: [&str; 7] = ["Error", "ERROR", "error:", "Exception", "panic", "FATAL", "fatal"];
        let fault = self.lines.iter().find(|line| FAULTS.iter().any(|word| line.contains(word)));
        fault.or_else(|| self.lines.last()).map(|line| narrow(line.trim()))
    }

    /// Takes the evidence out of `text`; returns what is left.
    pub(super) fn take(&mut self, text: &str) -> String {
        let (mut left, mut row): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
        let mut fence = false;
        let all: Vec<&str> = text.lines().collect();
        for (index, line) in all.iter().copied().enumerate() {
            if line.trim_start().starts_with("```") {
                fence = !fence;
                continue;
            }
            if fence {
                self.lines.push(line.to_owned());
                continue;
            }
            if is_json(line) {
                self.lines.push(line.trim().to_owned());
            } else if is_log(line) || heads_trace(line, all.get(index + 1)) {
                row.push(line);
                continue;
            } else {
                self.settle(&mut row, &mut left);
                left.push(line);
                continue;
            }
            self.settle(&mut row, &mut left);
        }
        self.settle(&mut row, &mut left);
        let left = left.join("\n");
        // A body of JSON over several lines.
        let trimmed = left.trim();
        if trimmed.contains('\n') && is_json(trimmed) {
            self.lines.extend(trimmed.lines().map(str::to_owned));
            return String::new();
        }
        left
    }

    fn settle<'a>(&mut self, row: &mut Vec<&'a str>, left: &mut Vec<&'a str>) {
        if row.len() >= ROW {
            self.lines.extend(row.drain(..).map(str::to_owned));
        } else {
            left.append(row);
        }
    }
}

/// Does the line look like one of a log or a stack trace?
fn is_log(line: &str) -> bool {
    let trimmed = line.trim_start();
    let indented = line.len() - trimmed.len() >= 2 || line.starts_with('\t');
    let numbered = trimmed.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '*' | '•' | '·' | '①'..='⑳'));
    let frame = ["at ", "File \"", "Caused by", "Traceback", "goroutine ", "... "]
        .iter()
        .any(|start| trimmed.starts_with(start));
    !trimmed.is_empty() && (frame || has_time(trimmed) || (indented && !numbered))
}

/// Does it head a stack trace, whose frames are indented?
fn heads_trace(line: &str, next: Option<&&str>) -> bool {
    let names = ["Exception", "Error:", "panic:"].iter().any(|word| line.contains(word));
    names && next.is_some_and(|next| is_log(next))
}

/// `2026-11-22T13:30:00`, `22/Nov/2026`, `13:30:00` in front.
fn has_time(line: &str) -> bool {
    let line = line.trim_start_matches(['[', '(', '"']);
    let shape: String = line.chars().take(10).map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    shape.starts_with("0000-00-00") || shape.starts_with("0000/00/00") || shape.starts_with("00:00:00")
}

fn is_json(text: &str) -> bool {
    let text = text.trim();
    let enclosed = (text.starts_with('{') && text.ends_with('}')) || (text.starts_with('[') && text.ends_with(']'));
    enclosed && text.contains('"') && serde_json::from_str::<serde_json::Value>(text).is_ok()
}

fn narrow(line: &str) -> String {
    let (mut out, mut columns) = (String::new(), 0);
    for letter in line.chars() {
        columns += if (letter as u32) < 0x1100 { 1 } else { 2 };
        if columns >= COLUMNS {
            out.push('…');
            break;
        }
        out.push(letter);
    }
    out
}
