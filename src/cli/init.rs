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
    if terminal {
        std::thread::spawn(interrupted);
    }
    // Not locked: Ctrl-C says its word there (`interrupted`).
    let ask = Ask { input: &mut stdin.lock(), screen: &mut std::io::stderr(), terminal };
    talk(arguments, ask, &mut screen)
}

/// Waits for Ctrl-C and ends the program with a word; while a secret is typed, Ctrl-C is a letter (`ask.rs`).
fn interrupted() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
    if runtime.is_ok_and(|runtime| runtime.block_on(tokio::signal::ctrl_c()).is_ok()) {
        super::screen::warn(format_args!("\n{}", words("已中断，没有写任何文件", "interrupted; nothing was written")));
        std::process::exit(1);
    }
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
        if let Some(note) = host_note(&answers, arguments, existing.as_ref()) {
            writeln!(ask.screen, "! {note}")?;
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
                    answers.again(arguments)
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

/// What becomes of the host of a webhook's address that leads elsewhere than to WeCom.
fn host_note(answers: &Answers, arguments: &Init, existing: Option<&Existing>) -> Option<Words> {
    let url = answers.api_url(arguments)?;
    match existing {
        Some(there) if there.api_url() != url => Some(told!(
            "{url} 不是 {} 里的 wecom.api_url（{}）：发到后者",
            "{url} is not wecom.api_url of {} ({}): messages go to the latter",
            arguments.output.display(),
            there.api_url()
        )),
        None if arguments.api_url.is_none() => Some(told!(
            "地址的主机不是企业微信：配置里写 wecom.api_url: {url}",
            "the address is not WeCom's: the configuration gets wecom.api_url: {url}"
        )),
        Some(_) | None => None,
    }
}

/// Asks what is open.
fn complete(arguments: &Init, ask: &mut Ask<'_>, answers: &mut Answers) -> anyhow::Result<()> {
    while let Some(question) = answers.open().first().copied() {
        let back = if question.is_first() {
            words("；直接回车回到上一问", "; Enter alone goes back")
        } else {
            Words::default()
        };
        let answer = if arguments.yes { None } else { put(ask, answers, question, &back)? };
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
        if matches!(text.as_str(), "q" | "quit") {
            anyhow::bail!(words("已退出，没有写任何文件", "quit; nothing was written"));
        }
        if answers.goes_back(question, &text) {
            continue;
        }
        match (answers.take(question, &text), question, answers.way) {
            (Err(wrong), ..) => writeln!(ask.screen, "✗ {wrong}")?,
            (Ok(()), Question::Way, Some(way)) => writeln!(ask.screen, "→ {}", Question::chosen(way))?,
            (Ok(()), ..) => {}
        }
    }
    Ok(())
}

fn put(ask: &mut Ask<'_>, answers: &Answers, question: Question, more: &Words) -> anyhow::Result<Option<String>> {
    let kept = answers.get(question);
    let text = question.text();
    let text = Words::from((format!("{}{}", text.zh, more.zh), format!("{}{}", text.en, more.en)));
    if question.is_secret() { ask.secret(&text, kept.is_some()) } else { ask.line(&text, kept.as_deref()) }
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
            Some(question) => put(ask, answers, question, &Words::default())?,
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
