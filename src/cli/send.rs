//! `wegraf send`: one message through the real path — ingest, store, render, WeCom — and its result.
//!
//! It uses a database of its own, so that it works beside a running gateway and leaves its record alone.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::screen::Screen;
use super::{Misused, Send, Subject, sample};
use crate::alert::{Notification, Timestamp};
use crate::app::App;
use crate::bots;
use crate::config::{Area, Config, Database, Target, To};
use crate::deliver::{self, Writer};
use crate::ingest::{self, Door};
use crate::names::SourceId;
use crate::preview;
use crate::store::{AttemptRow, Delivery, DeliveryFilter, State, Store};
use crate::time::Clock;
use crate::words::{Words, told};

/// Longest wait for a result; WeCom answers within 10 s or not at all.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sends and prints WeCom's answers. Exit code 1 if a target did not accept it, or nothing is to be told.
pub async fn run(arguments: Send) -> anyhow::Result<ExitCode> {
    let (mut config, _) = arguments.file.load()?;
    let receiver = arguments.receiver.as_str();
    if !config.receivers.contains_key(receiver) {
        let known: Vec<&str> = config.receivers.keys().map(String::as_str).collect();
        bail!(Misused(
            told!(
                "没有名为 `{receiver}` 的接收者；可用：{}",
                "there is no receiver `{receiver}`; there are: {}",
                known.join(", ")
            )
            .to_string()
        ));
    }
    let now = Clock::System.now();
    let body = match arguments.text {
        Some(text) => text.into_bytes(),
        None => body(&arguments.subject, now)?,
    };
    let kept = preview::kept(&config, &SourceId::Command, &read(&config, &body, now)?);
    let names = free_bots(&config, receiver).await?;
    config.wecom.bots.retain(|name, _| names.contains(name));
    let outcomes = through(config, receiver, body).await?;
    let arrived = arrived(&outcomes);
    let answer = if arguments.json {
        Screen::json(&json!({ "arrived": arrived, "kept": kept, "deliveries": outcomes }))
    } else {
        kept.iter().map(|name| self::kept(name)).chain(outcomes.iter().map(told)).collect()
    };
    answer.show()?;
    Ok(ExitCode::from(u8::from(!arrived)))
}

/// The bots of `receiver` whose sockets are free. A socket that a gateway holds is not taken away from it.
async fn free_bots(config: &Config, receiver: &str) -> anyhow::Result<BTreeSet<String>> {
    let targets = config.receivers.get(receiver).into_iter().flat_map(|receiver| &receiver.targets);
    let bot = |target: &Target| match &target.to {
        To::Bot { bot, .. } => Some(bot.clone()),
        _ => None,
    };
    let names: BTreeSet<String> = targets.filter_map(bot).collect();
    for name in &names {
        if Store::socket_holder(&config.database, name).await?.is_some() {
            let url = format!("{}/webhook/{receiver}", config.door(Area::Webhook).url());
            bail!(told!(
                "机器人 {name} 正被运行中的网关连着，再连一次会把它顶掉：请把告警发给网关\n  curl -H 'Authorization: Bearer 令牌' -d 'hello' '{url}'",
                "the running gateway has the socket of bot {name}, and another connection would evict it: post an alert to the gateway\n  curl -H 'Authorization: Bearer TOKEN' -d 'hello' '{url}'"
            ));
        }
    }
    Ok(names)
}

/// The body of `subject`; the first sample if it has none.
pub fn body(subject: &Subject, now: Timestamp) -> anyhow::Result<Vec<u8>> {
    match (&subject.payload, &subject.sample) {
        (Some(path), _) if path == Path::new("-") => {
            let mut bytes = Vec::new();
            std::io::stdin().read_to_end(&mut bytes)?;
            Ok(bytes)
        }
        (Some(path), _) => {
            std::fs::read(path).with_context(|| told!("读不到 {}", "{} cannot be read", path.display()).to_string())
        }
        (None, Some(name)) => Ok(sample::find(name)?.body(now).into_bytes()),
        (None, None) => Ok(sample::find("grafana-firing")?.body(now).into_bytes()),
    }
}

/// Reads a body as the gateway would.
pub fn read(config: &Config, body: &[u8], now: Timestamp) -> anyhow::Result<Notification> {
    ingest::read(body, None, Door::Webhook, &config.payloads, now)
        .map_err(|error| Misused(error.words().to_string()).into())
}

/// Admits `body` for `receiver` and waits until each of its messages is settled, or has failed once in a way that only
/// a person can repair.
pub async fn through(mut config: Config, receiver: &str, body: Vec<u8>) -> anyhow::Result<Vec<Delivery>> {
    let folder = tempfile::Builder::new().prefix("wegraf-send-").tempdir()?;
    config.database = Database::Sqlite(folder.path().join("send.db"));
    // A link to this temporary database would lead nowhere.
    config.external_url = None;
    let app = App::open(config, Clock::System).await?;
    let notification = read(&app.config(), &body, app.now())?;
    app.intake().try_out(receiver, notification, body.into()).await?;
    let stop = CancellationToken::new();
    let sockets = tokio::spawn(bots::run(app.bots().clone(), stop.clone()));
    let sending = tokio::spawn(deliver::run(app.deliver().clone(), Writer::new()?, stop.clone()));
    let outcomes = outcomes(&app).await;
    stop.cancel();
    sending.await?;
    sockets.await?;
    app.store().close().await?;
    outcomes
}

async fn outcomes(app: &App) -> anyhow::Result<Vec<Delivery>> {
    let begun = Instant::now();
    loop {
        let mut rows = app.store().deliveries(DeliveryFilter::default()).await?;
        let waiting = |state| matches!(state, State::Queued | State::Sending | State::Unsure);
        let tried = |row: &crate::store::DeliveryRow| {
            !waiting(row.state) || (row.outcome.is_some() && row.next_part == 0 && row.state != State::Sending)
        };
        if rows.iter().all(tried) || begun.elapsed() > PATIENCE {
            rows.reverse();
            let mut deliveries = Vec::new();
            for row in rows {
                deliveries.extend(app.store().delivery(row.message).await?);
            }
            return Ok(deliveries);
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}

/// A line for an alert that is kept and told to no person.
pub fn kept(name: &str) -> Screen {
    let mut screen = Screen::new();
    screen.line(told!(
        "· {name}  只记录，不发给人：它总在触发，断了才报警（sources.<名>.watchdog）",
        "· {name}  is kept and told to no person: it always fires, and an alarm is raised when it stops (sources.NAME.watchdog)"
    ));
    screen
}

/// Did WeCom accept all of them?
pub fn arrived(outcomes: &[Delivery]) -> bool {
    !outcomes.is_empty() && outcomes.iter().all(|delivery| delivery.row.state == State::Sent)
}

/// One line for each target, with the remedy if it failed.
pub fn told(delivery: &Delivery) -> Screen {
    let row = &delivery.row;
    let mut screen = Screen::new();
    let face = row.face.as_deref().unwrap_or("-");
    match row.state {
        State::Sent => screen.line(told!("✓ {}  {face}  企业微信已接收", "✓ {}  {face}  accepted by WeCom", row.lane)),
        State::Dead => screen.line(told!("✗ {}  {face}  被拒绝", "✗ {}  {face}  refused", row.lane)),
        State::Queued | State::Sending | State::Unsure => {
            screen.line(told!("✗ {}  {face}  没有送出", "✗ {}  {face}  not sent", row.lane));
        }
        State::Folded => screen.line(told!("↪ {}  并入另一条消息", "↪ {}  told by another message", row.lane)),
    }
    if let Some(error) = row.error.as_deref().filter(|_| row.state != State::Sent) {
        screen.line(format_args!("    {}", Words::of_record(error)));
    }
    for names in delivery.attempts.iter().filter_map(AttemptRow::missed) {
        screen.line(told!("    没有送到：{names}", "    not reached: {names}"));
    }
    screen
}
