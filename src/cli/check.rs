//! `wegraf check`: all mistakes of a configuration, without network access.

pub(super) mod spelling;

use std::process::ExitCode;

use serde_json::json;

use super::Check;
use super::screen::Screen;
use crate::config::{Config, Database, Mistake, Note};
use crate::render::{TemplateProblem, Templates};
use crate::words::{plural, told, words};

/// Prints mistakes and notes. Exit code 1 if there is a mistake: the command worked, the configuration is wrong.
pub fn run(arguments: &Check) -> anyhow::Result<ExitCode> {
    let (config, notes, mistakes) = match arguments.file.load_to_check() {
        Ok((config, mut notes)) => {
            notes.extend(super::wait(async { Ok(spelled(&config).await) })?);
            (Some(config), notes, Vec::new())
        }
        Err(mistakes) => (None, Vec::new(), mistakes.0),
    };
    let problems = config.as_ref().map(templates).unwrap_or_default();
    let fine = mistakes.is_empty() && problems.is_empty();
    let report = if arguments.json {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Screen::json(&json!({ "ok": fine, "mistakes": mistakes, "templates": problems, "notes": notes }))
    } else {
        report(config.as_ref().filter(|_| fine), &notes, &mistakes, &problems)
    };
    report.show()?;
    Ok(ExitCode::from(u8::from(!fine)))
}

/// What it prints of a configuration, without a comparison with alerts that were seen.
pub(super) fn text(file: &super::ConfigFile) -> String {
    let screen = match file.load_to_check() {
        Ok((config, notes)) => {
            let problems = templates(&config);
            report(Some(&config).filter(|_| problems.is_empty()), &notes, &[], &problems)
        }
        Err(mistakes) => report(None, &[], &mistakes.0, &[]),
    };
    screen.as_str().to_owned()
}

/// Typing errors in matchers, as far as they can be found without network access.
async fn spelled(config: &Config) -> Vec<Note> {
    match config.database {
        Database::Sqlite(_) => spelling::notes(config).await,
        Database::Postgres { .. } => Vec::new(),
    }
}

/// Mistakes in the user's templates: they are compiled, then rendered with every sample in every face.
fn templates(config: &Config) -> Vec<TemplateProblem> {
    let (templates, mut problems) = Templates::compile(&config.templates);
    // A template that does not compile is reported again where it would have been used.
    let further: Vec<_> = templates.check().into_iter().filter(|problem| !problems.contains(problem)).collect();
    problems.extend(further);
    problems
}

fn report(config: Option<&Config>, notes: &[Note], mistakes: &[Mistake], problems: &[TemplateProblem]) -> Screen {
    let mut screen = Screen::new();
    for mistake in mistakes {
        screen.lines(format_args!("✗ {mistake}"));
    }
    for problem in problems {
        screen.lines(format_args!("✗ {problem}"));
    }
    for note in notes {
        screen.lines(format_args!("! {note}"));
    }
    if let Some(config) = config {
        let targets: usize = config.receivers.values().map(|receiver| receiver.targets.len()).sum();
        let receivers = config.receivers.len();
        let (r, t) = (plural(receivers), plural(targets));
        screen.lines(told!(
            "✓ 配置正确：{receivers} 个接收者，{targets} 个目标",
            "✓ the configuration is fine: {receivers} receiver{r}, {targets} target{t}"
        ));
        if config.sources.iter().any(|source| source.watchdog.is_none()) {
            screen.lines(
                words("  Watchdog 和 InfoInhibitor 不发给人，Watchdog 断了才报警；要改：sources.<名>.watchdog", "  Watchdog and InfoInhibitor are not told to people, only that the Watchdog stopped; to change it: sources.NAME.watchdog"),
            );
        }
    } else {
        let count = mistakes.len() + problems.len();
        let s = plural(count);
        screen.line(told!("{count} 处错误", "{count} mistake{s}"));
    }
    screen
}
