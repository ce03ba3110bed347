//! The messages that would be sent, their targets and the reasons. Sends and fetches nothing.

mod why;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::alert::{Alert, Labels, Notification, ThreadId, Timestamp};
use crate::config::{Config, Face, Receiver, Target, To};
use crate::deliver::{self, Envelope, Occasion, Page, Setup, Writer, called_by_the_book, short_links_as_shown};
use crate::intake::{Called, Ends, Incoming, plan, steady};
use crate::names::SourceId;
use crate::render::sample_target;
use crate::words::Language;

pub use why::{Explained, Label, explained};

/// A message that would be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Preview {
    pub receiver: String,
    /// The matchers that led there, of its first alert; empty: the root took it. `None`: the receiver was named.
    pub path: Option<Vec<String>>,
    pub lane: String,
    pub face: &'static str,
    /// Bytes that it takes.
    pub used: usize,
    /// Bytes that the channel takes.
    pub allowed: usize,
    /// Alerts that it names.
    pub named: usize,
    /// Alerts that it counts.
    pub counted: usize,
    /// A fault of a template.
    pub problems: Vec<String>,
    /// The bodies of the requests.
    pub requests: Vec<Value>,
    /// The places of its alerts in the notification.
    pub alerts: Vec<usize>,
}

/// The messages that `notification` would become now, for one receiver or by the tree.
pub fn preview(
    setup: &Setup,
    writer: &Writer,
    source: &SourceId,
    notification: &Notification,
    receiver: Option<&str>,
    now: Timestamp,
) -> Vec<Preview> {
    let config = &setup.config;
    let (ends, called) = (Ends::new(), Called::default());
    let incoming = Incoming { source, notification, ends: &ends, called: &called };
    let mut messages = Vec::new();
    for delivery in &plan(config, incoming, receiver).deliveries {
        let Some(known) = config.receivers.get(&delivery.receiver) else { continue };
        let told = delivery.alerts.iter().filter(|arrival| !arrival.steady);
        let alerts: Vec<usize> = told.map(|arrival| arrival.index as usize).collect();
        if alerts.is_empty() {
            continue;
        }
        let path = receiver.is_none().then(|| path(config, &notification.alerts[alerts[0]].labels, &delivery.receiver));
        let page = Page::fresh(notification.clone(), &alerts, known, now);
        for target in &known.targets {
            let target = called_by_the_book(config, target, page.firing(), now);
            let made = message(setup, writer, &page, known, &target, now);
            messages.push(Preview { path: path.clone(), alerts: alerts.clone(), ..made });
        }
    }
    messages
}

/// What a template makes of `notification` in one face, for a receiver that asks for it. `None`: there is nothing to tell.
pub fn drafted(
    setup: &Setup,
    writer: &Writer,
    notification: Notification,
    template: &str,
    (face, language): (Face, Language),
    now: Timestamp,
) -> Option<Preview> {
    let all = &setup.config.receivers;
    let asks = |receiver: &&Arc<Receiver>| receiver.template.as_deref() == Some(template);
    let receiver = all.values().find(asks).or_else(|| all.values().next())?;
    let receiver = Receiver { template: Some(template.to_owned()), language, ..Receiver::clone(receiver) };
    let alerts: Vec<usize> = (0..notification.alerts.len()).collect();
    let page = Page::fresh(notification, &alerts, &receiver, now);
    let made = message(setup, writer, &page, &receiver, &sample_target(face), now);
    Some(Preview { alerts, ..made })
}

/// The names of the alerts that would be kept and told to no person: heartbeats, and those that only steer others.
pub fn kept(config: &Config, source: &SourceId, notification: &Notification) -> Vec<String> {
    let steady = |alert: &&Alert| steady(config, source, alert).is_some();
    let names: BTreeSet<&str> = notification.alerts.iter().filter(steady).map(|alert| alert.name.as_str()).collect();
    names.into_iter().map(str::to_owned).collect()
}

/// The matchers that led to `receiver`.
fn path(config: &Config, labels: &Labels, receiver: &str) -> Vec<String> {
    let decisions = config.route.route(labels);
    decisions
        .into_iter()
        .find(|decision| decision.receiver == receiver)
        .map(|decision| decision.path)
        .unwrap_or_default()
}

fn message(
    setup: &Setup,
    writer: &Writer,
    page: &Page,
    receiver: &Receiver,
    target: &Target,
    now: Timestamp,
) -> Preview {
    let external = setup.config.external_url.as_deref().map(|url| format!("{url}/d/1?until=0&s=preview"));
    let offer = deliver::offer(&setup.config, page, &receiver.name);
    let thread = ThreadId(1);
    let details_url = external.as_deref();
    let occasion = Occasion { thread, now, details_url, offer, notes: &[], chart: None, course: None, short: &[] };
    let short = short_links_as_shown(setup, page, target, &occasion);
    let occasion = Occasion { short: &short, ..occasion };
    let rendered = page.render(setup, target, &occasion);
    let known = match &target.to {
        To::Members { app, .. } => setup.config.wecom.apps.contains_key(app),
        _ => true,
    };
    let envelope = Envelope {
        message: 0,
        thread,
        receiver: &receiver.name,
        kind: "alerts",
        at: now,
        reminded: receiver.repeat_interval,
        picture: None,
    };
    // What it looks like does not depend on whose app it is: a sample's is not in the configuration.
    let shown = Target { to: To::Webhook { webhook: String::new() }, ..target.clone() };
    let target = if known { target } else { &shown };
    let requests = match writer.bodies(&setup.config, target, &rendered.parts, &envelope) {
        Ok(bodies) => bodies.iter().map(|body| serde_json::from_slice(body).unwrap_or(Value::Null)).collect(),
        Err(reason) => vec![json!({ "error": reason })],
    };
    Preview {
        receiver: receiver.name.clone(),
        path: None,
        lane: target.lane().to_string(),
        face: rendered.face.as_str(),
        used: rendered.bytes_used,
        allowed: rendered.bytes_allowed,
        named: rendered.named.len(),
        counted: rendered.counted.len(),
        problems: rendered.problems.iter().map(ToString::to_string).collect(),
        requests,
        alerts: Vec::new(),
    }
}

impl Preview {
    /// The readable part of the requests: their texts and cards, otherwise the JSON.
    pub fn texts(&self) -> Vec<String> {
        self.requests.iter().map(|request| read(request).unwrap_or_else(|| format!("{request:#}"))).collect()
    }
}

/// The words of a request, line by line as the phone shows them.
fn read(request: &Value) -> Option<String> {
    if let Some(content) = text(request) {
        return Some(content);
    }
    let words = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let article = |one: &Value| [words(&one["title"]), words(&one["description"]), words(&one["btntxt"])];
    let mut lines: Vec<Option<String>> = Vec::new();
    match request["msgtype"].as_str()? {
        "textcard" => lines.extend(article(&request["textcard"])),
        "news" => lines.extend(request["news"]["articles"].as_array()?.iter().flat_map(article)),
        "template_card" => {
            let card = &request["template_card"];
            let both = |part: &Value| [words(&part["title"]), words(&part["desc"])];
            lines.push(words(&card["source"]["desc"]));
            lines.extend(both(&card["main_title"]));
            lines.extend(both(&card["emphasis_content"]));
            lines.push(words(&card["sub_title_text"]));
            let rows = card["horizontal_content_list"].as_array().map(Vec::as_slice).unwrap_or_default();
            let row = |row: &Value| Some(format!("{}：{}", row["keyname"].as_str()?, row["value"].as_str()?));
            lines.extend(rows.iter().map(row));
        }
        _ => return None,
    }
    Some(lines.into_iter().flatten().collect::<Vec<_>>().join("\n"))
}

/// The text of a request as WeCom shows it, links with their addresses; `None` if the message is of another kind.
pub fn text(request: &Value) -> Option<String> {
    let content = |kind: &str| request[kind]["content"].as_str();
    content("text").map(untagged).or_else(|| content("markdown").or(content("markdown_v2")).map(str::to_owned))
}

/// `text` with `words address` in place of each link in tags.
fn untagged(text: &str) -> String {
    let mut pieces = text.split("<a href=\"");
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        match piece.split_once("\">").and_then(|(url, rest)| Some((url, rest.split_once("</a>")?))) {
            Some((url, (words, rest))) => out.extend([words, " ", url, rest]),
            None => out.extend(["<a href=\"", piece]),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_in_tags_are_read_with_their_addresses() {
        let text = |content: &str| text(&json!({ "text": { "content": content } })).unwrap();
        assert_eq!(
            text("a\n<a href=\"https://a/b\">面板</a> · <a href=\"https://c\">认领</a>\n#ID"),
            "a\n面板 https://a/b · 认领 https://c\n#ID"
        );
        assert_eq!(text("cut <a href=\"https://a"), "cut <a href=\"https://a");
    }

    #[test]
    fn cards_are_read_line_by_line() {
        let card = json!({ "msgtype": "template_card", "template_card": {
            "source": { "desc": "am" }, "main_title": { "title": "磁盘将满", "desc": "严重" },
            "emphasis_content": { "title": "9.3 %" }, "sub_title_text": "剩余太少",
            "horizontal_content_list": [ { "keyname": "主机", "value": "db-1" } ],
        } });
        assert_eq!(read(&card).as_deref(), Some("am\n磁盘将满\n严重\n9.3 %\n剩余太少\n主机：db-1"));
        let text = json!({ "msgtype": "textcard", "textcard": { "title": "T", "description": "D", "btntxt": "详情" } });
        assert_eq!(read(&text).as_deref(), Some("T\nD\n详情"));
        let news = json!({ "msgtype": "news", "news": { "articles": [ { "title": "T" }, { "title": "U", "description": "D" } ] } });
        assert_eq!(read(&news).as_deref(), Some("T\nU\nD"));
        assert_eq!(read(&json!({ "error": "x" })), None);
    }
}
