//! `wegraf route`: who gets an alert with these labels, and why.

use std::process::ExitCode;

use serde_json::json;

use super::Route;
use super::screen::Screen;
use crate::alert::Labels;
use crate::config::Config;
use crate::route::Decision;
use crate::words::words;

/// Prints the receivers, their targets and the matchers that decided.
pub fn run(arguments: &Route) -> anyhow::Result<ExitCode> {
    let (config, _) = arguments.file.load_to_look()?;
    let labels: Labels = arguments.labels.iter().cloned().collect();
    let decisions = config.route.route(&labels);
    let answer = if arguments.json { in_json(&config, &decisions) } else { in_words(&config, &decisions) };
    answer.show()?;
    Ok(ExitCode::SUCCESS)
}

fn lanes(config: &Config, receiver: &str) -> Vec<String> {
    let targets = config.receivers.get(receiver).map(|receiver| receiver.targets.as_slice()).unwrap_or_default();
    targets.iter().map(|target| format!("{} ({})", target.lane(), target.face.as_str())).collect()
}

fn in_json(config: &Config, decisions: &[Decision<'_>]) -> Screen {
    let rows: Vec<_> = decisions
        .iter()
        .map(|decision| {
            json!({
                "receiver": decision.receiver,
                "path": decision.path,
                "targets": lanes(config, decision.receiver),
            })
        })
        .collect();
    Screen::json(&json!({ "decisions": rows }))
}

fn in_words(config: &Config, decisions: &[Decision<'_>]) -> Screen {
    let mut screen = Screen::new();
    for decision in decisions {
        screen.line(decision.receiver);
        if decision.path.is_empty() {
            screen.line(words("    没有路由匹配，由根接住", "    no route matched: the root takes it"));
        }
        for why in &decision.path {
            screen.line(format_args!("    {why}"));
        }
        for lane in lanes(config, decision.receiver) {
            screen.line(format_args!("    → {lane}"));
        }
    }
    screen
}
