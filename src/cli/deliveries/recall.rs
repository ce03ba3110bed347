//! Recalls messages: through the running gateway if it holds the SQLite file, else directly.

use std::process::ExitCode;

use anyhow::bail;
use serde_json::json;

use super::{find, print};
use crate::answer::Via;
use crate::cli::gateway::Gateway;
use crate::cli::record::Record;
use crate::cli::screen::Screen;
use crate::config::{Config, ListenAt};
use crate::deliver::{client, recall, recallable};
use crate::http::{RecallAnswer, RecallOrder};
use crate::links::LinkKey;
use crate::store::{About, ActKind, ActState, Listeners, NewAct, Store, StoreError, Unopened};
use crate::time::Clock;
use crate::words::told;

/// The result for one message: the number of the act, or why it was not recalled.
type Outcome = (i64, Result<i64, String>);

/// Recalls each of the messages and prints the results. Exit code 1 if one was not recalled.
pub(super) async fn run(
    record: &Store,
    config: &Config,
    ids: &[String],
    by: &str,
    listen: Option<&ListenAt>,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let messages = meant(&Record::Here(record.clone(), config.timezone.clone()), ids).await?;
    let outcomes = match Store::open(&config.database, Clock::System.now()).await {
        Ok(store) => {
            let outcomes = from_here(&store, config, &messages, by).await;
            store.close().await?;
            outcomes?
        }
        Err(StoreError::Open { why: Unopened::InUse { pid }, .. }) => {
            let key = LinkKey::from(record.link_secrets().await?);
            let gateway = Gateway::new(config, listen, Some(pid), key)?;
            let mut outcomes = Vec::new();
            for message in messages {
                outcomes.push((message, order(&gateway, message, by).await?));
            }
            outcomes
        }
        Err(error) => return Err(error.into()),
    };
    let done = outcomes.iter().all(|(_, outcome)| outcome.is_ok());
    print(&if json { as_json(&outcomes) } else { table(&outcomes) })?;
    Ok(ExitCode::from(u8::from(!done)))
}

/// The numbers of the messages that `ids` mean, each once. A short id means all messages with it, including resends:
/// each of them went to the wrong people.
async fn meant(record: &Record, ids: &[String]) -> anyhow::Result<Vec<i64>> {
    let mut messages = Vec::new();
    for id in ids {
        let rows = find(record, id).await?;
        if rows.is_empty() {
            bail!(told!(
                "没有 {id} 这条消息，可能已被清理；什么也没有撤回",
                "there is no message {id}: it may have been pruned; nothing was recalled"
            ));
        }
        messages.extend(rows.iter().map(|row| row.message));
    }
    messages.sort_unstable();
    messages.dedup();
    Ok(messages)
}

async fn order(gateway: &Gateway, message: i64, by: &str) -> anyhow::Result<Result<i64, String>> {
    let body = serde_json::to_vec(&RecallOrder { by: by.to_owned() })?;
    let (status, said) = gateway.order(&format!("/api/v1/deliveries/{message}/recall"), body).await?;
    let RecallAnswer { act, error } = serde_json::from_value(said).unwrap_or_default();
    Ok(if status == 200 { Ok(act) } else { Err(error) })
}

/// No gateway holds the database, or it is one that several processes write to.
async fn from_here(store: &Store, config: &Config, messages: &[i64], by: &str) -> anyhow::Result<Vec<Outcome>> {
    let wecom = client(config, Some(store.clone()), Clock::System)?;
    let mut outcomes = Vec::new();
    for &message in messages {
        let outcome = match recallable(store, config, message).await? {
            Ok(wanted) => {
                let done = recall(&wecom, &wanted).await;
                let act = note(store, message, by, done.as_ref().err().map(|why| why.words().recorded())).await?;
                done.map(|_| act).map_err(|why| why.words().to_string())
            }
            Err(why) => Err(why.words().to_string()),
        };
        outcomes.push((message, outcome));
    }
    Ok(outcomes)
}

/// Records the act; returns its number.
async fn note(store: &Store, message: i64, by: &str, failure: Option<String>) -> Result<i64, StoreError> {
    let new = NewAct {
        event: format!("command/recall/{message}/{:016x}", rand::random::<u64>()),
        kind: ActKind::Recall,
        state: if failure.is_some() { ActState::Failed } else { ActState::Done },
        by: by.to_owned(),
        via: Via::Command.name(),
        about: About::Message(message),
        only: Vec::new(),
        through: None,
        until: None,
        detail: failure.unwrap_or_else(|| format!("message {message}")),
        code: None,
        except_lane: None,
        listeners: Listeners::default(),
    };
    Ok(store.act(new, Clock::System.now()).await?.act)
}

fn as_json(outcomes: &[Outcome]) -> Screen {
    let one = |(message, outcome): &Outcome| match outcome {
        Ok(act) => json!({ "message": message, "act": act }),
        Err(reason) => json!({ "message": message, "error": reason }),
    };
    Screen::json(&json!({ "recalled": outcomes.iter().map(one).collect::<Vec<_>>() }))
}

fn table(outcomes: &[Outcome]) -> Screen {
    let mut screen = Screen::new();
    let one = |(message, outcome): &Outcome| match outcome {
        Ok(_) => told!("✓ {message}  已撤回", "✓ {message}  recalled").to_string(),
        Err(reason) => format!("✗ {message}  {reason}"),
    };
    for line in outcomes.iter().map(one) {
        screen.line(line);
    }
    screen
}
