//! Questions to a person: on a terminal, or line by line from standard input.

use std::io::{BufRead, Write};

use anyhow::bail;
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};

use crate::words::{Words, told};

/// Who is asked, and where the questions are shown.
pub(in crate::cli) struct Ask<'a> {
    pub(in crate::cli) input: &'a mut dyn BufRead,
    pub(in crate::cli) screen: &'a mut dyn Write,
    /// Is standard input a terminal, which would show what is typed?
    pub(in crate::cli) terminal: bool,
}

impl Ask<'_> {
    /// A question with its answer, trimmed; `None` at the end of the input. An empty answer is `kept`, if there is one.
    pub(in crate::cli) fn line(&mut self, question: &Words, kept: Option<&str>) -> anyhow::Result<Option<String>> {
        let default = kept.map(|kept| format!(" [{kept}]")).unwrap_or_default();
        write!(self.screen, "{question}{default}\n> ")?;
        self.screen.flush()?;
        Ok(self.read()?.map(|line| if line.is_empty() { kept.unwrap_or_default().to_owned() } else { line }))
    }

    /// The same for a secret: a terminal does not show it, and afterwards only its length is told. An empty answer keeps
    /// the one that was given before.
    pub(in crate::cli) fn secret(&mut self, question: &Words, kept: bool) -> anyhow::Result<Option<String>> {
        let hint = told!("粘贴时不显示", "what you paste is not shown");
        let default = if kept { told!("，回车不变", "; Enter keeps it") } else { Words::default() };
        write!(self.screen, "{question} ({hint}{default})\n> ")?;
        self.screen.flush()?;
        let answer = if self.terminal { self.hidden()? } else { self.read()? };
        if let Some(secret) = answer.as_ref().filter(|secret| !secret.is_empty()) {
            let length = secret.chars().count();
            writeln!(self.screen, "{}", told!("  收到 {length} 个字符", "  {length} characters"))?;
        }
        Ok(answer)
    }

    fn read(&mut self) -> anyhow::Result<Option<String>> {
        let mut line = String::new();
        let read = self.input.read_line(&mut line)?;
        Ok((read > 0).then(|| line.trim().to_owned()))
    }

    /// A line of the terminal, letter by letter and unseen; `None` at its end, which is Ctrl-D on an empty line. Ctrl-C comes as a letter, so that the terminal is put right
    /// before the program ends.
    fn hidden(&mut self) -> anyhow::Result<Option<String>> {
        let quiet = Quiet::new()?;
        let mut line = Vec::new();
        let ended = loop {
            let mut byte = [0];
            if self.input.read(&mut byte)? == 0 {
                break true;
            }
            match byte[0] {
                b'\r' | b'\n' => break false,
                4 => break true,
                3 => {
                    drop(quiet);
                    writeln!(self.screen)?;
                    bail!(told!("已中断，没有写任何文件", "interrupted; nothing was written"));
                }
                8 | 127 => while line.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {},
                21 => line.clear(),
                byte => line.push(byte),
            }
        };
        drop(quiet);
        writeln!(self.screen)?;
        let line = String::from_utf8_lossy(&line).trim().to_owned();
        Ok((!ended || !line.is_empty()).then_some(line))
    }
}

/// A terminal that shows nothing and sends no signals, until this is dropped.
struct Quiet(Termios);

impl Quiet {
    fn new() -> anyhow::Result<Self> {
        let before = tcgetattr(std::io::stdin())?;
        let mut settings = before.clone();
        settings.local_modes &= !(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        settings.special_codes[SpecialCodeIndex::VMIN] = 1;
        settings.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(std::io::stdin(), OptionalActions::Flush, &settings)?;
        Ok(Self(before))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // The terminal may be gone.
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.0);
    }
}
