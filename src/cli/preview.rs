//! `wegraf preview`: shows the messages that would be sent, their targets and the reasons; sends none.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::bail;
use serde_json::{Value, json};

use super::screen::Screen;
use super::{Misused, Preview, send, why};
use crate::deliver::{Setup, Writer};
use crate::names::SourceId;
use crate::preview::{self, preview, text};
use crate::shown;
use crate::time::Clock;
use crate::words::{told, words};

/// Alerts whose labels are explained.
const EXPLAINED: usize = 5;

/// Prints, for each target: the route taken, the face, bytes used of bytes allowed, and the exact JSON.
pub fn run(arguments: &Preview) -> anyhow::Result<ExitCode> {
    let (config, _) = arguments.file.load_to_look()?;
    let now = Clock::System.now();
    let body = send::body(&arguments.subject, now)?;
    let notification = send::read(&config, &body, now)?;
    if let Some(name) = arguments.receiver.as_deref().filter(|name| !config.receivers.contains_key(*name)) {
        bail!(Misused(told!("没有名为 `{name}` 的接收者", "there is no receiver `{name}`").to_string()));
    }
    let setup = Setup::new(Arc::new(config), None, &Clock::System)?;
    let writer = Writer::new()?;
    let made = preview(&setup, &writer, &SourceId::Command, &notification, arguments.receiver.as_deref(), now);
    let messages: Vec<Value> = made
        .iter()
        .map(|made| {
            let mut message = in_json(made);
            if arguments.why {
                let receiver = setup.config.receivers.get(&made.receiver);
                let taught = setup.config.taught(receiver.map(AsRef::as_ref), &SourceId::Command);
                let alerts = made.alerts.iter().take(EXPLAINED).map(|index| &notification.alerts[*index]);
                message["labels"] = alerts.map(|alert| why::why(alert, &taught)).collect();
            }
            message
        })
        .collect();
    let kept = preview::kept(&setup.config, &SourceId::Command, &notification);
    let answer = if arguments.json {
        Screen::json(&json!({ "messages": messages, "kept": kept }))
    } else {
        kept.iter().map(|name| send::kept(name)).chain(messages.iter().map(told)).collect()
    };
    answer.show()?;
    Ok(ExitCode::SUCCESS)
}

fn in_json(made: &preview::Preview) -> Value {
    let route = match &made.path {
        None => words("按名字", "by name").to_string(),
        Some(path) if path.is_empty() => words("根路由", "the root route").to_string(),
        Some(path) => path.join(" → "),
    };
    json!({
        "receiver": made.receiver,
        "route": route,
        "lane": made.lane,
        "face": made.face,
        "bytes": { "used": made.used, "allowed": made.allowed },
        "named": made.named,
        "counted": made.counted,
        "problems": made.problems,
        "requests": made.requests,
    })
}

/// The same for a person: texts as they read, JSON below.
fn told(message: &Value) -> Screen {
    let word = |key: &str| message[key].as_str().unwrap_or_default();
    let mut screen = Screen::new();
    screen.line(told!(
        "── {} → {}  [{}]  {}/{} bytes  （{} 条写明，{} 条计数）",
        "── {} → {}  [{}]  {}/{} bytes  ({} named, {} counted)",
        word("receiver"),
        word("lane"),
        word("face"),
        message["bytes"]["used"],
        message["bytes"]["allowed"],
        message["named"],
        message["counted"]
    ));
    screen.line(told!("   路由：{}", "   route: {}", word("route")));
    for why in message["labels"].as_array().into_iter().flatten() {
        why::told(why, &mut screen);
    }
    for problem in message["problems"].as_array().into_iter().flatten() {
        screen.line(format_args!("   ! {}", problem.as_str().unwrap_or_default()));
    }
    for request in message["requests"].as_array().into_iter().flatten() {
        if let Some(content) = text(request) {
            screen.gap();
            screen.lines(&content);
        }
        screen.gap();
        screen.line(shown::json(&request.to_string()));
        screen.gap();
    }
    screen
}
