//! `wegraf check`: everything that is wrong with a configuration, without touching the network.

use std::io::Write as _;
use std::process::ExitCode;

use serde_json::json;

use super::Check;
use crate::config::{Config, Mistake, Note};

/// Prints mistakes and notes. Exit code 1 if there is a mistake: it is what was asked for that came out badly.
pub fn run(arguments: &Check) -> anyhow::Result<ExitCode> {
    let (config, notes, mistakes) = match arguments.file.load() {
        Ok((config, notes)) => (Some(config), notes, Vec::new()),
        Err(mistakes) => (None, Vec::new(), mistakes.0),
    };
    // lead: compile and render the templates of `config` with samples here, and add what fails to `mistakes`
    let report = if arguments.json {
        let report = json!({ "ok": mistakes.is_empty(), "mistakes": mistakes, "notes": notes });
        format!("{report:#}\n")
    } else {
        report(config.as_ref(), &notes, &mistakes)
    };
    std::io::stdout().lock().write_all(report.as_bytes())?;
    Ok(ExitCode::from(u8::from(!mistakes.is_empty())))
}

fn report(config: Option<&Config>, notes: &[Note], mistakes: &[Mistake]) -> String {
    let mut lines: Vec<String> = mistakes.iter().map(|mistake| format!("✗ {mistake}\n")).collect();
    lines.extend(notes.iter().map(|note| format!("! {note}\n")));
    match config {
        Some(config) if mistakes.is_empty() => {
            let targets: usize = config.receivers.values().map(|receiver| receiver.targets.len()).sum();
            let receivers = config.receivers.len();
            lines.push(format!(
                "✓ 配置正确：{receivers} 个接收者，{targets} 个目标\n  the configuration is fine: {receivers} receivers, {targets} targets\n"
            ));
        }
        _ => lines.push(format!("{} 处错误 ({} mistakes)\n", mistakes.len(), mistakes.len())),
    }
    lines.concat()
}
