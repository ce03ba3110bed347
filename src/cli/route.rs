//! `wegraf route`: who gets an alert with these labels, and why.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::Route;
use super::record::Gateway;
use super::screen::Screen;
use crate::alert::Labels;
use crate::config::Config;
use crate::words::words;

/// A receiver that an alert would go to.
struct Decision {
    receiver: String,
    /// The matchers that decided; empty: the root took it.
    path: Vec<String>,
    /// Its targets with their forms.
    targets: Vec<String>,
}

/// Prints the receivers, their targets and the matchers that decided.
pub async fn run(arguments: Route) -> anyhow::Result<ExitCode> {
    let labels: Labels = arguments.labels.iter().cloned().collect();
    let decisions = match arguments.place.elsewhere.open().await? {
        Some(gateway) => there(&gateway, &labels).await?,
        None => here(&arguments.place.file.load_to_look()?.0, &labels),
    };
    let answer = if arguments.json { in_json(&decisions) } else { in_words(&decisions) };
    answer.show()?;
    Ok(ExitCode::SUCCESS)
}

fn here(config: &Config, labels: &Labels) -> Vec<Decision> {
    let targets = |receiver: &str| {
        let targets = config.receivers.get(receiver).map(|receiver| receiver.targets.as_slice()).unwrap_or_default();
        targets.iter().map(|target| with_face(&target.lane().to_string(), target.face.as_str())).collect()
    };
    let decision = |decision: crate::route::Decision<'_>| Decision {
        receiver: decision.receiver.to_owned(),
        targets: targets(decision.receiver),
        path: decision.path,
    };
    config.route.route(labels).into_iter().map(decision).collect()
}

async fn there(gateway: &Gateway, labels: &Labels) -> anyhow::Result<Vec<Decision>> {
    let query: Vec<_> = labels.iter().map(|(name, value)| ("label", format!("{name}:{value}"))).collect();
    let found = gateway.found("routes/explain", &query).await?;
    let texts = |list: &Value| -> Vec<String> {
        list.as_array().into_iter().flatten().map(|text| text.as_str().unwrap_or_default().to_owned()).collect()
    };
    let decision = |row: &Value| Decision {
        receiver: row["receiver"].as_str().unwrap_or_default().to_owned(),
        path: texts(&row["path"]),
        targets: texts(&row["targets"])
            .iter()
            .zip(texts(&row["faces"]))
            .map(|(target, face)| with_face(target, &face))
            .collect(),
    };
    Ok(found["items"].as_array().into_iter().flatten().map(decision).collect())
}

fn with_face(target: &str, face: &str) -> String {
    format!("{target} ({face})")
}

fn in_json(decisions: &[Decision]) -> Screen {
    let row = |decision: &Decision| json!({ "receiver": decision.receiver, "path": decision.path, "targets": decision.targets });
    Screen::json(&json!({ "decisions": decisions.iter().map(row).collect::<Vec<_>>() }))
}

fn in_words(decisions: &[Decision]) -> Screen {
    let mut screen = Screen::new();
    for decision in decisions {
        screen.line(&decision.receiver);
        if decision.path.is_empty() {
            screen.line(words("    没有路由匹配，由根接住", "    no route matched: the root takes it"));
        }
        for why in &decision.path {
            screen.line(format_args!("    {why}"));
        }
        for target in &decision.targets {
            screen.line(format_args!("    → {target}"));
        }
    }
    screen
}
