//! `wegraf init`: from a key to a configuration that works. Nothing is written before WeCom has taken a message; no answer
//! is asked for twice but the one that was wrong.

mod answers;
mod bot;
mod draft;
mod paste;
mod prove;
mod write;

use std::io::{IsTerminal as _, Write};
use std::path::Path;
use std::process::ExitCode;

use super::ask::Ask;
use super::{Init, Misconfigured, Misused};
use crate::config::Config;
use crate::words::{Words, told, words};
use answers::{Answers, Question};
use draft::{Draft, Existing};
use prove::Trouble;

/// The commented example: every key, its default and its meaning.
const EXAMPLE: &str = include_str!("../../wegraf.example.yaml");

/// Asks, tries, writes, and says what to paste where.
pub fn run(arguments: &Init) -> anyhow::Result<ExitCode> {
    let mut screen = std::io::stdout().lock();
    if arguments.print {
        screen.write_all(EXAMPLE.as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    let stdin = std::io::stdin();
    let terminal = stdin.is_terminal();
    let ask = Ask { input: &mut stdin.lock(), screen: &mut std::io::stderr().lock(), terminal };
    talk(arguments, ask, &mut screen)
}

/// What became of a failed proof.
enum Next {
    Again,
    Save,
    Stop,
}

fn talk(arguments: &Init, mut ask: Ask<'_>, screen: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let existing = Existing::read(&arguments.output)?;
    let mut answers = Answers::given(arguments);
    if let Some(wrong) = answers.impossible() {
        return Err(Misused(wrong.to_string()).into());
    }
    loop {
        complete(arguments, &mut ask, &mut answers)?;
        if arguments.no_test {
            break;
        }
        let draft = Draft::new(&answers, arguments, existing.as_ref())?;
        let Err(trouble) = super::wait(prove::prove(arguments, &draft, &mut answers, ask.screen, screen))? else {
            break;
        };
        writeln!(ask.screen, "✗ {}", trouble.words)?;
        match again(arguments, &mut ask, &mut answers, &trouble)? {
            Next::Again => {}
            Next::Save => break,
            Next::Stop => {
                writeln!(
                    ask.screen,
                    "{}\n  {}",
                    words("没有写任何文件；这些回答可以这样再给：", "Nothing was written; the same answers once more:"),
                    answers.again()
                )?;
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    let draft = Draft::new(&answers, arguments, existing.as_ref())?;
    let Some(written) = write::write(&draft, arguments, existing.as_ref())? else {
        writeln!(screen, "{}", draft.by_hand())?;
        return Ok(ExitCode::FAILURE);
    };
    paste::tell(&draft, &written, arguments, screen)?;
    Ok(ExitCode::SUCCESS)
}

/// Asks what is open.
fn complete(arguments: &Init, ask: &mut Ask<'_>, answers: &mut Answers) -> anyhow::Result<()> {
    while let Some(question) = answers.open().first().copied() {
        let answer = if arguments.yes { None } else { put(ask, answers, question)? };
        let Some(text) = answer else {
            let missing = answers.missing();
            return Err(Misused(
                told!(
                    "没有回答，也没有写任何文件；用参数或环境变量给出：{missing}",
                    "No answer, and nothing was written; give by flag or variable: {missing}"
                )
                .to_string(),
            )
            .into());
        };
        if let Err(wrong) = answers.take(question, &text) {
            writeln!(ask.screen, "✗ {wrong}")?;
        }
    }
    Ok(())
}

fn put(ask: &mut Ask<'_>, answers: &Answers, question: Question) -> anyhow::Result<Option<String>> {
    let kept = answers.get(question);
    if question.is_secret() {
        ask.secret(&question.text(), kept.is_some())
    } else {
        ask.line(&question.text(), kept.as_deref())
    }
}

/// After a failure: the one answer that was wrong is asked for again, if it is known.
fn again(arguments: &Init, ask: &mut Ask<'_>, answers: &mut Answers, trouble: &Trouble) -> anyhow::Result<Next> {
    if arguments.yes {
        return Ok(Next::Stop);
    }
    writeln!(
        ask.screen,
        "{}",
        words(
            "回车：不变，再试一次；s：照样保存；q：退出",
            "Enter: leave it and try again; s: save it as it is; q: quit"
        )
    )?;
    loop {
        let answer = match trouble.question {
            Some(question) => put(ask, answers, question)?,
            None => ask.line(&Words::default(), None)?,
        };
        match (answer.as_deref(), trouble.question) {
            (None | Some("q"), _) => return Ok(Next::Stop),
            (Some("s"), _) => return Ok(Next::Save),
            (Some(""), _) | (Some(_), None) => return Ok(Next::Again),
            (Some(text), Some(question)) => match answers.take(question, text) {
                Ok(()) => return Ok(Next::Again),
                Err(wrong) => writeln!(ask.screen, "✗ {wrong}")?,
            },
        }
    }
}

/// The configuration of a text, which is not in a file yet.
fn parsed(text: &str, path: &Path, to_look: bool) -> Result<Config, Misconfigured> {
    let read = if to_look { Config::parse_to_look } else { Config::parse };
    read(text, path).map(|(config, _)| config).map_err(Misconfigured)
}

#[cfg(test)]
mod tests;
