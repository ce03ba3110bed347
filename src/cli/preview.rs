//! `wegraf preview`: shows the messages that would be sent, their targets and the reasons; sends none.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::bail;
use serde_json::{Value, json};

use super::record::Gateway;
use super::screen::Screen;
use super::{Misused, Preview, send, why};
use crate::deliver::{Setup, Writer};
use crate::names::SourceId;
use crate::preview::{self, preview, text};
use crate::shown;
use crate::time::Clock;
use crate::words::{told, words};

/// Prints, for each target: the route taken, the face, bytes used of bytes allowed, and the exact JSON.
pub async fn run(arguments: Preview) -> anyhow::Result<ExitCode> {
    let (messages, kept) = match arguments.place.elsewhere.open().await? {
        Some(gateway) => there(&gateway, &arguments).await?,
        None => here(&arguments)?,
    };
    let answer = if arguments.json {
        Screen::json(&json!({ "messages": messages, "kept": kept }))
    } else {
        kept.iter().map(|name| send::kept(name)).chain(messages.iter().map(told)).collect()
    };
    answer.show()?;
    Ok(ExitCode::SUCCESS)
}

/// The messages by the configuration here, and the names of alerts that are kept and told to no person.
fn here(arguments: &Preview) -> anyhow::Result<(Vec<Value>, Vec<String>)> {
    let (config, _) = arguments.place.file.load_to_look()?;
    let now = Clock::System.now();
    let body = send::body(&arguments.subject, now)?;
    let notification = send::read(&config, &body, now)?;
    if let Some(name) = arguments.receiver.as_deref().filter(|name| !config.receivers.contains_key(*name)) {
        return Err(unknown(name));
    }
    let setup = Setup::new(Arc::new(config), None, &Clock::System)?;
    let writer = Writer::new()?;
    let made = preview(&setup, &writer, &SourceId::Command, &notification, arguments.receiver.as_deref(), now);
    let message = |made: &preview::Preview| {
        let mut message = in_json(made);
        if arguments.why {
            let explained = preview::explained(&setup.config, &SourceId::Command, &notification, made);
            message["labels"] = explained.iter().map(why::in_json).collect();
        }
        message
    };
    let messages = made.iter().map(message).collect();
    let kept = preview::kept(&setup.config, &SourceId::Command, &notification);
    Ok((messages, kept))
}

/// The same by the configuration of a gateway elsewhere.
async fn there(gateway: &Gateway, arguments: &Preview) -> anyhow::Result<(Vec<Value>, Vec<String>)> {
    let body = send::body(&arguments.subject, Clock::System.now())?;
    let Ok(body) = serde_json::from_slice::<Value>(&body) else {
        bail!(Misused(words("--url 只试 JSON 的正文", "with --url only bodies of JSON can be tried").to_string()));
    };
    let asked = json!({ "body": body, "receiver": arguments.receiver, "explain": arguments.why });
    let found = gateway.post("preview", &asked).await?;
    let Some(found) = found else { return Err(unknown(arguments.receiver.as_deref().unwrap_or_default())) };
    let message = |row: &Value| {
        let path: Option<Vec<String>> = serde_json::from_value(row["path"].clone()).unwrap_or_default();
        let mut message = json!({
            "receiver": row["receiver"],
            "route": route(path.as_deref()),
            "lane": row["target"],
            "face": row["face"],
            "bytes": { "used": row["bytes"], "allowed": row["bytes_allowed"] },
            "named": row["named"],
            "counted": row["counted"],
            "problems": row["problems"],
            "requests": row["requests"],
        });
        if arguments.why {
            message["labels"] = row["labels"].clone();
        }
        message
    };
    let messages = found["items"].as_array().into_iter().flatten().map(message).collect();
    Ok((messages, serde_json::from_value(found["kept"].clone()).unwrap_or_default()))
}

fn unknown(receiver: &str) -> anyhow::Error {
    Misused(told!("没有名为 `{receiver}` 的接收者", "there is no receiver `{receiver}`").to_string()).into()
}

/// The way to a receiver in words.
fn route(path: Option<&[String]>) -> String {
    match path {
        None => words("按名字", "by name").to_string(),
        Some([]) => words("根路由", "the root route").to_string(),
        Some(path) => path.join(" → "),
    }
}

fn in_json(made: &preview::Preview) -> Value {
    json!({
        "receiver": made.receiver,
        "route": route(made.path.as_deref()),
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
