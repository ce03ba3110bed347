//! `wegraf route`: who gets an alert with these labels, and why.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

use serde_json::json;

use super::Route;
use crate::alert::Labels;
use crate::config::Config;
use crate::route::Decision;

/// Prints the receivers, their targets and the matchers that decided.
pub fn run(arguments: &Route) -> anyhow::Result<ExitCode> {
    let (config, _) = arguments.file.load_to_look()?;
    let labels: Labels = arguments.labels.iter().cloned().collect();
    let decisions = config.route.route(&labels);
    let answer = if arguments.json { in_json(&config, &decisions) } else { in_words(&config, &decisions) };
    std::io::stdout().lock().write_all(answer.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn lanes(config: &Config, receiver: &str) -> Vec<String> {
    let targets = config.receivers.get(receiver).map(|receiver| receiver.targets.as_slice()).unwrap_or_default();
    targets.iter().map(|target| format!("{} ({})", target.lane(), target.face.as_str())).collect()
}

fn in_json(config: &Config, decisions: &[Decision<'_>]) -> String {
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
    format!("{:#}\n", json!({ "decisions": rows }))
}

fn in_words(config: &Config, decisions: &[Decision<'_>]) -> String {
    let mut text = String::new();
    for decision in decisions {
        let why = match decision.path.as_slice() {
            [] => "没有路由匹配，由根接住 (no route matched: the root takes it)".to_owned(),
            path => path.join("\n    "),
        };
        writeln!(text, "{}\n    {why}", decision.receiver).expect("a String takes everything");
        for lane in lanes(config, decision.receiver) {
            writeln!(text, "    → {lane}").expect("a String takes everything");
        }
    }
    text
}
