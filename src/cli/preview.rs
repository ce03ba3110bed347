//! `wegraf preview`: what would be sent to whom, and why; sends nothing.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::bail;
use serde_json::{Value, json};

use super::screen::Screen;
use super::{Misused, Preview, send, why};
use crate::alert::ThreadId;
use crate::config::{Receiver, Target};
use crate::deliver::{Envelope, Occasion, Page, Setup, Writer, called_by_the_book, short_links_as_shown};
use crate::intake::{Called, Ends, Incoming, plan};
use crate::names::SourceId;
use crate::shown;
use crate::time::Clock;

/// Alerts whose labels are explained.
const EXPLAINED: usize = 5;

/// Prints, for each target: the route taken, the face, bytes used of bytes allowed, and the exact JSON.
pub fn run(arguments: &Preview) -> anyhow::Result<ExitCode> {
    let (config, _) = arguments.file.load_to_look()?;
    let now = Clock::System.now();
    let body = send::body(&arguments.subject, now)?;
    let notification = send::read(&config, &body, now)?;
    if let Some(name) = arguments.receiver.as_deref().filter(|name| !config.receivers.contains_key(*name)) {
        bail!(Misused(format!("没有名为 `{name}` 的接收者 there is no receiver `{name}`")));
    }
    let setup = Setup::new(Arc::new(config), None, &Clock::System)?;
    let config = &setup.config;
    let (ends, called) = (Ends::new(), Called::default());
    let incoming = Incoming { source: &SourceId::Command, notification: &notification, ends: &ends, called: &called };
    let plan = plan(config, incoming, arguments.receiver.as_deref());
    let writer = Writer::new()?;
    let mut messages = Vec::new();
    for delivery in &plan.deliveries {
        let Some(receiver) = config.receivers.get(&delivery.receiver) else { continue };
        let indexes: Vec<usize> = delivery.alerts.iter().map(|arrival| arrival.index as usize).collect();
        let route = match arguments.receiver {
            Some(_) => "按名字 by name".to_owned(),
            None => route(config, &notification.alerts[indexes[0]].labels, &delivery.receiver),
        };
        let page = Page::fresh(notification.clone(), &indexes, receiver, now);
        for target in &receiver.targets {
            let target = called_by_the_book(config, target, page.firing(), now);
            let mut message = message(&setup, &writer, &page, receiver, &target, &route, now);
            if arguments.why {
                let taught = config.taught(Some(receiver), &SourceId::Command);
                let alerts = indexes.iter().take(EXPLAINED).map(|index| &notification.alerts[*index]);
                message["labels"] = alerts.map(|alert| why::why(alert, &taught)).collect();
            }
            messages.push(message);
        }
    }
    let answer = if arguments.json {
        Screen::json(&json!({ "messages": messages }))
    } else {
        messages.iter().map(told).collect()
    };
    answer.show()?;
    Ok(ExitCode::SUCCESS)
}

/// The matchers that led to `receiver`.
fn route(config: &crate::config::Config, labels: &crate::alert::Labels, receiver: &str) -> String {
    let decisions = config.route.route(labels);
    let path =
        decisions.iter().find(|decision| decision.receiver == receiver).map(|decision| decision.path.join(" → "));
    path.filter(|path| !path.is_empty()).unwrap_or_else(|| "根路由 the root route".to_owned())
}

fn message(
    setup: &Setup,
    writer: &Writer,
    page: &Page,
    receiver: &Receiver,
    target: &Target,
    route: &str,
    now: crate::alert::Timestamp,
) -> Value {
    let external = setup.config.external_url.as_deref().map(|url| format!("{url}/d/1?until=0&s=preview"));
    let offer = crate::deliver::offer(&setup.config, page, &receiver.name);
    let thread = ThreadId(1);
    let details_url = external.as_deref();
    let occasion = Occasion { thread, now, details_url, offer, notes: &[], chart: None, course: None, short: &[] };
    let short = short_links_as_shown(setup, page, target, &occasion);
    let occasion = Occasion { short: &short, ..occasion };
    let rendered = page.render(setup, target, &occasion, None);
    let problems: Vec<String> = rendered.problems.iter().map(ToString::to_string).collect();
    let envelope = Envelope {
        message: 0,
        thread,
        receiver: &receiver.name,
        kind: "alerts",
        at: now,
        reminded: receiver.repeat_interval,
    };
    let bodies = match writer.bodies(&setup.config, target, &rendered.parts, &envelope) {
        Ok(bodies) => bodies.iter().map(|body| serde_json::from_slice(body).unwrap_or(Value::Null)).collect(),
        Err(reason) => vec![json!({ "error": reason })],
    };
    json!({
        "receiver": receiver.name,
        "route": route,
        "lane": target.lane(),
        "face": rendered.face.as_str(),
        "bytes": { "used": rendered.bytes_used, "allowed": rendered.bytes_allowed },
        "named": rendered.named.len(),
        "counted": rendered.counted.len(),
        "problems": problems,
        "requests": bodies,
    })
}

/// The same for a person: texts as they read, JSON below.
fn told(message: &Value) -> Screen {
    let word = |key: &str| message[key].as_str().unwrap_or_default();
    let mut screen = Screen::new();
    screen.line(format_args!(
        "── {} → {}  [{}]  {}/{} bytes  ({} 条写明 named, {} 条计数 counted)",
        word("receiver"),
        word("lane"),
        word("face"),
        message["bytes"]["used"],
        message["bytes"]["allowed"],
        message["named"],
        message["counted"],
    ));
    screen.line(format_args!("   路由 route: {}", word("route")));
    for why in message["labels"].as_array().into_iter().flatten() {
        why::told(why, &mut screen);
    }
    for problem in message["problems"].as_array().into_iter().flatten() {
        screen.line(format_args!("   ! {}", problem.as_str().unwrap_or_default()));
    }
    for request in message["requests"].as_array().into_iter().flatten() {
        for content in ["text", "markdown", "markdown_v2"].iter().filter_map(|kind| request[*kind]["content"].as_str())
        {
            screen.gap();
            screen.lines(content);
        }
        screen.gap();
        screen.line(shown::json(&request.to_string()));
        screen.gap();
    }
    screen
}
