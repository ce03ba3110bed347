//! Sending once more: by the running gateway if it has the SQLite file, else straight into the store.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use axum::http::{Method, header};
use serde::Deserialize;
use serde_json::json;

use super::{find, print};
use crate::app::Clock;
use crate::config::Config;
use crate::deliver::{Again, again, is_resend};
use crate::http::LinkKey;
use crate::store::{Store, StoreError};

/// For the gateway to answer: a commit, and a queue of them in front of it.
const DEADLINE: Duration = Duration::from_secs(15);

/// What became of one message: the number of the new one, or why there is none.
type Outcome = (i64, Result<i64, String>);

/// Queues each of the messages once more and prints what became of it. Exit code 1 if one was refused.
pub(super) async fn run(
    record: &Store,
    config: &Config,
    ids: &[String],
    listen: SocketAddr,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let messages = meant(record, ids).await?;
    let (outcomes, waits) = match Store::open(&config.database, Clock::System.now()).await {
        Ok(store) => {
            let outcomes = into(&store, &messages).await;
            store.close().await?;
            (outcomes?, true)
        }
        Err(StoreError::InUse { pid, .. }) => {
            let key = LinkKey::new(record.link_key().await?);
            (ask(&Gateway::new(listen, pid, key)?, &messages).await?, false)
        }
        Err(error) => return Err(error.into()),
    };
    let done = outcomes.iter().all(|(_, outcome)| outcome.is_ok());
    print(&if json { as_json(&outcomes) } else { table(&outcomes, waits) })?;
    Ok(ExitCode::from(u8::from(!done)))
}

/// The numbers of the messages that `ids` mean, each once. A short id means what was sent at first: neither the
/// resends of it nor what a digest told instead.
async fn meant(record: &Store, ids: &[String]) -> anyhow::Result<Vec<i64>> {
    let mut messages = Vec::new();
    for id in ids {
        let rows = find(record, id).await?;
        let by_number = rows.iter().any(|row| row.message.to_string() == *id);
        let first = rows.iter().filter(|row| by_number || !is_resend(row) && row.folded_into.is_none());
        let before = messages.len();
        messages.extend(first.map(|row| row.message));
        if messages.len() == before {
            bail!(
                "没有可以重发的 {id}，可能已被清理或已折叠进摘要；没有重发任何消息 \
                 there is nothing to send again for {id}: pruned, or told by a digest; nothing was sent again"
            );
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
            refused => Err(refused.refusal(message).unwrap_or_default()),
        };
        outcomes.push((message, outcome));
    }
    Ok(outcomes)
}

/// The process that has the database.
struct Gateway {
    client: reqwest::Client,
    address: SocketAddr,
    pid: String,
    key: LinkKey,
}

impl Gateway {
    fn new(listen: SocketAddr, pid: String, key: LinkKey) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(DEADLINE)
            .build()?;
        Ok(Self { client, address: reachable(listen), pid, key })
    }
}

/// Where to find on this machine whoever listens there: "everywhere" is no address to connect to.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

async fn ask(gateway: &Gateway, messages: &[i64]) -> anyhow::Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    for &message in messages {
        outcomes.push((message, order(gateway, message).await?));
    }
    Ok(outcomes)
}

/// Has the gateway send one message once more. The inner error is its reason for not doing so.
async fn order(gateway: &Gateway, message: i64) -> anyhow::Result<Result<i64, String>> {
    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct Answer {
        message: i64,
        error: String,
    }
    let Gateway { client, address, pid, key } = gateway;
    let path = format!("/api/v1/deliveries/{message}/resend");
    let signature = key.order(&Method::POST, &path, b"", Clock::System.now());
    let request = client.post(format!("http://{address}{path}")).header(header::AUTHORIZATION, signature);
    let answer = request.send().await.with_context(|| {
        format!(
            "数据库由进程 {pid} 使用，但它没有在 {address} 回答；若它用 `serve --listen` 启动，请加同样的 --listen \
             process {pid} has the database but does not answer at {address}; if it was started with `serve --listen`, \
             give the same --listen"
        )
    })?;
    let status = answer.status().as_u16();
    let text = answer
        .text()
        .await
        .context("回答中断，是否重发未知 the answer broke off; whether it is sent again is unknown")?;
    let said = serde_json::from_str::<Answer>(&text).unwrap_or_default();
    match status {
        200 => Ok(Ok(said.message)),
        404 | 409 if !said.error.is_empty() => Ok(Err(said.error)),
        401 => bail!(
            "{address} 上的进程不认这个数据库的签名：它是另一个 wegraf，或两边时钟相差超过一分钟 \
             the process at {address} does not take the signature of this database: it is another wegraf, or the clocks \
             differ by more than a minute"
        ),
        _ => bail!("{address} 回答 answered HTTP {status} {}", said.error),
    }
}

fn as_json(outcomes: &[Outcome]) -> String {
    let one = |(message, outcome): &Outcome| match outcome {
        Ok(copy) => json!({ "origin": message, "message": copy }),
        Err(reason) => json!({ "origin": message, "error": reason }),
    };
    format!("{:#}\n", json!({ "resent": outcomes.iter().map(one).collect::<Vec<_>>() }))
}

fn table(outcomes: &[Outcome], waits: bool) -> String {
    let one = |(message, outcome): &Outcome| match outcome {
        Ok(copy) => format!("✓ {message} → {copy}  已排队 queued\n"),
        Err(reason) => format!("✗ {message}  {reason}\n"),
    };
    let mut text: String = outcomes.iter().map(one).collect();
    if waits && outcomes.iter().any(|(_, outcome)| outcome.is_ok()) {
        text.push_str("  由运行中的 wegraf serve 发出；没有在运行的话，启动后发出 sent by `wegraf serve`, or as soon as it is started\n");
    }
    text
}
