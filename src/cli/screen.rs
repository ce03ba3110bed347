//! Output of commands: the only way to standard output for outside text.

use std::fmt::Display;
use std::io::Write as _;

use serde::Serialize;

use crate::shown;

/// Prints `text` on standard error.
pub fn warn(text: impl Display) {
    eprintln!("{}", shown::lines(&text.to_string()));
}

/// Output for standard output. It cannot control the terminal, wherever its text comes from.
#[derive(Debug, Default)]
pub struct Screen(String);

impl Screen {
    /// Nothing yet.
    pub const fn new() -> Self {
        Self(String::new())
    }

    /// An answer in JSON, over several lines.
    pub fn json(value: &impl Serialize) -> Self {
        let text = serde_json::to_string_pretty(value).expect("answers have names for keys and no failing parts");
        let mut screen = Self(shown::json(&text).into_owned());
        screen.0.push('\n');
        screen
    }

    /// Adds a line. Line breaks in `text` are replaced, so that a name cannot forge a row.
    pub fn line(&mut self, text: impl Display) {
        self.0.push_str(&shown::line(&text.to_string()));
        self.0.push('\n');
    }

    /// Adds text of the program, or a message as people see it: its line ends are intended.
    pub fn lines(&mut self, text: impl Display) {
        self.0.push_str(&shown::lines(&text.to_string()));
        if !self.0.ends_with('\n') {
            self.0.push('\n');
        }
    }

    /// Adds an empty line.
    pub fn gap(&mut self) {
        self.0.push('\n');
    }

    /// Adds the content of another one.
    pub fn append(&mut self, other: &Self) {
        self.0.push_str(&other.0);
    }

    /// The text that will be printed.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Prints it.
    pub fn show(&self) -> std::io::Result<()> {
        std::io::stdout().lock().write_all(self.0.as_bytes())
    }
}

impl FromIterator<Self> for Screen {
    fn from_iter<T: IntoIterator<Item = Self>>(screens: T) -> Self {
        let mut all = Self::new();
        for screen in screens {
            all.append(&screen);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stays_one_line_and_its_text_controls_nothing() {
        let mut screen = Screen::new();
        screen.line(format_args!("{:>3}  {}", 1, "x\n  2  \u{1b}[32m✓ forged"));
        screen.lines("two\nlines");
        assert_eq!(screen.as_str(), "  1  x␊  2  ␛[32m✓ forged\ntwo\nlines\n");
    }

    /// The files of the commands, and those that print only their own text.
    #[test]
    fn every_command_prints_through_the_screen() {
        const OWN_WORDS: [&str; 5] = ["screen.rs", "demo.rs", "simulator.rs", "schema.rs", "shell.rs"];
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli");
        let mut folders = vec![folder];
        let mut found = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
                let path = entry.path();
                let name = entry.file_name().into_string().unwrap();
                if path.is_dir() {
                    folders.push(path);
                } else if !OWN_WORDS.contains(&name.as_str()) {
                    let text = std::fs::read_to_string(&path).unwrap();
                    let prints = ["stdout()", "println!(", "print!("].iter().any(|way| text.contains(way));
                    found.extend(prints.then_some(name));
                }
            }
        }
        found.sort();
        assert_eq!(found, ["export.rs", "init.rs"], "an export is a file; init writes what it is told by the person");
    }
}
