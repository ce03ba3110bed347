//! Resends messages: through the running gateway if it holds the SQLite file, else directly in the store.

use std::process::ExitCode;

use anyhow::bail;
use serde_json::json;

use super::{find, print};
use crate::cli::gateway::Gateway;
use crate::cli::record::Record;
use crate::cli::screen::Screen;
use crate::config::{Config, ListenAt};
use crate::deliver::{Again, again, is_resend};
use crate::links::LinkKey;
use crate::store::{DeliveryRow, Store, StoreError, Unopened};
use crate::time::Clock;
use crate::words::{told, words};

/// The result for one message: the number of the new one, or why there is none.
type Outcome = (i64, Result<i64, String>);

/// Resends each of the messages and prints the results. Exit code 1 if one was refused.
pub(super) async fn run(
    record: &Store,
    config: &Config,
    ids: &[String],
    listen: Option<&ListenAt>,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let messages = meant(&Record::Here(record.clone(), config.timezone.clone()), ids).await?;
    let (outcomes, waits) = match Store::open(&config.database, Clock::System.now()).await {
        Ok(store) => {
            let outcomes = into(&store, &messages).await;
            store.close().await?;
            (outcomes?, true)
        }
        Err(StoreError::Open { why: Unopened::InUse { pid }, .. }) => {
            let key = LinkKey::from(record.link_secrets().await?);
            (ask(&Gateway::new(config, listen, Some(pid), key)?, &messages).await?, false)
        }
        Err(error) => return Err(error.into()),
    };
    let done = outcomes.iter().all(|(_, outcome)| outcome.is_ok());
    print(&if json { as_json(&outcomes) } else { table(&outcomes, waits) })?;
    Ok(ExitCode::from(u8::from(!done)))
}

/// The numbers of the messages that `ids` mean, each once. A short id means the original messages: neither their
/// resends nor what was folded into a digest.
async fn meant(record: &Record, ids: &[String]) -> anyhow::Result<Vec<i64>> {
    let mut messages = Vec::new();
    for id in ids {
        let rows = find(record, id).await?;
        let by_number = rows.iter().any(|row| row.message.to_string() == *id);
        let own = |row: &&DeliveryRow| !is_resend(row) && row.folded_into.is_none() && row.picture_of.is_none();
        let first = rows.iter().filter(|row| by_number || own(row));
        let before = messages.len();
        messages.extend(first.map(|row| row.message));
        if messages.len() == before {
            bail!(told!(
                "没有可以重发的 {id}，可能已被清理或已折叠进摘要；没有重发任何消息",
                "there is nothing to send again for {id}: pruned, or told by a digest; nothing was sent again"
            ));
        }
    }
    messages.sort_unstable();
    messages.dedup();
    Ok(messages)
}

async fn into(store: &Store, messages: &[i64]) -> Result<Vec<Outcome>, StoreError> {
    let mut outcomes = Vec::new();
    for &message in messages {
        let outcome = match again(store, message, Clock::System.now()).await? {
            Again::Queued(copy) => Ok(copy),
            refused => Err(refused.refusal(message).unwrap_or_default().to_string()),
        };
        outcomes.push((message, outcome));
    }
    Ok(outcomes)
}

async fn ask(gateway: &Gateway, messages: &[i64]) -> anyhow::Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    for &message in messages {
        outcomes.push((message, order(gateway, message).await?));
    }
    Ok(outcomes)
}

/// Has the gateway resend one message. The inner error is its reason for refusing.
async fn order(gateway: &Gateway, message: i64) -> anyhow::Result<Result<i64, String>> {
    let (status, said) = gateway.order(&format!("/api/v1/deliveries/{message}/resend"), Vec::new()).await?;
    Ok(match status {
        200 => Ok(said["message"].as_i64().unwrap_or_default()),
        _ => Err(said["error"].as_str().unwrap_or_default().to_owned()),
    })
}

fn as_json(outcomes: &[Outcome]) -> Screen {
    let one = |(message, outcome): &Outcome| match outcome {
        Ok(copy) => json!({ "origin": message, "message": copy }),
        Err(reason) => json!({ "origin": message, "error": reason }),
    };
    Screen::json(&json!({ "resent": outcomes.iter().map(one).collect::<Vec<_>>() }))
}

fn table(outcomes: &[Outcome], waits: bool) -> Screen {
    let mut screen = Screen::new();
    let one = |(message, outcome): &Outcome| match outcome {
        Ok(copy) => told!("✓ {message} → {copy}  已排队", "✓ {message} → {copy}  queued").to_string(),
        Err(reason) => format!("✗ {message}  {reason}"),
    };
    for line in outcomes.iter().map(one) {
        screen.line(line);
    }
    if waits && outcomes.iter().any(|(_, outcome)| outcome.is_ok()) {
        screen.line(words(
            "  由运行中的 wegraf serve 发出；没有在运行的话，启动后发出",
            "  sent by `wegraf serve`, or as soon as it is started",
        ));
    }
    screen
}
