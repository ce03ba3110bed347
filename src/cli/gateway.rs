//! The process that holds the SQLite file: commands ask it for writes (`http/orders.rs`).

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use axum::http::{Method, header};

use crate::config::{Config, ListenAt};
use crate::links::LinkKey;
use crate::time::Clock;
use crate::words::{Words, told, words};

/// Deadline for the gateway's answer: a commit, behind a queue of others.
const DEADLINE: Duration = Duration::from_secs(15);

/// The process that holds the database.
pub(super) struct Gateway {
    client: reqwest::Client,
    address: ListenAt,
    base: String,
    pid: Option<String>,
    key: LinkKey,
}

impl Gateway {
    /// The process with this number, if it is known to hold the database, which listens at `listen`, else where the configuration says; requests and answers are
    /// authenticated with `key`.
    pub(super) fn new(
        config: &Config,
        listen: Option<&ListenAt>,
        pid: Option<String>,
        key: LinkKey,
    ) -> anyhow::Result<Self> {
        let address = listen.cloned().unwrap_or_else(|| config.front());
        let (client, base) = client_for(&address);
        let client = client.redirect(reqwest::redirect::Policy::none()).timeout(DEADLINE).build()?;
        Ok(Self { client, address, base, pid, key })
    }

    /// Posts a signed order; returns an answer of 200, 404 or 409, which is the gateway's own.
    pub(super) async fn order(&self, path: &str, body: Vec<u8>) -> anyhow::Result<(u16, serde_json::Value)> {
        let Self { client, address, base, pid, key } = self;
        let signature = key.order(&Method::POST, path, &body, Clock::System.now());
        let request = client.post(format!("{base}{path}")).header(header::AUTHORIZATION, signature);
        let sent = request.body(body).send().await;
        let answer = sent.map_err(|error| anyhow!(silent(address, pid.as_deref(), &cause(&error))))?;
        let status = answer.status().as_u16();
        let text = answer
            .text()
            .await
            .context(words("回答中断，是否做成未知", "the answer broke off; whether it was done is unknown"))?;
        let said: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        match status {
            200 => Ok((status, said)),
            404 | 409 if said["error"].as_str().is_some_and(|error| !error.is_empty()) => Ok((status, said)),
            401 => bail!(told!(
                "{address} 上的进程不认这个数据库的签名：它是另一个 wegraf，或两边时钟相差超过一分钟",
                "the process at {address} does not take the signature of this database: it is another wegraf, or the clocks differ by more than a minute"
            )),
            _ => bail!(told!(
                "{address} 回答 HTTP {status} {}",
                "{address} answered HTTP {status} {}",
                said["error"].as_str().unwrap_or_default()
            )),
        }
    }
}

/// That no gateway answers at `address`, although the process `pid` holds the database, if one is known to.
fn silent(address: &ListenAt, pid: Option<&str>, why: &Words) -> Words {
    let Words { zh, en } = why;
    let (zh, en) = if let Some(pid) = pid {
        (
            format!(
                "数据库由进程 {pid} 使用，但它没有在 {address} 回答（{zh}）；若它用 `serve --listen` 启动，请加同样的 --listen"
            ),
            format!(
                "process {pid} has the database but does not answer at {address} ({en}); if it was started with `serve --listen`, give the same --listen"
            ),
        )
    } else {
        (
            format!("没有网关在 {address} 回答（{zh}）：它在运行吗？地址取自 `listen` 或 --listen"),
            format!("no gateway answers at {address} ({en}): is it running? The address is of `listen` or --listen"),
        )
    };
    Words::from((zh, en))
}

/// Why a gateway was not reached.
pub(super) fn cause(error: &reqwest::Error) -> Words {
    if error.is_timeout() {
        return words("没有在时限内回答", "no answer in time");
    }
    let mut inner: &dyn std::error::Error = error;
    while let Some(next) = inner.source() {
        inner = next;
    }
    match inner.downcast_ref().map(std::io::Error::kind) {
        Some(ErrorKind::ConnectionRefused) => words("连接被拒绝", "the connection was refused"),
        Some(ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => words("连接中断", "the connection broke"),
        Some(ErrorKind::NotFound) => words("没有这个套接字", "there is no such socket"),
        Some(ErrorKind::PermissionDenied) => words("没有权限", "no permission"),
        _ => Words::from((inner.to_string(), inner.to_string())),
    }
}

/// What reaches a listener on this machine, and the beginning of its addresses.
pub(super) fn client_for(at: &ListenAt) -> (reqwest::ClientBuilder, String) {
    let client = reqwest::Client::builder().no_proxy();
    match at {
        // By its number: an image without /etc/hosts does not know "localhost".
        ListenAt::Tcp(address) => (client, format!("http://{}", reachable(*address))),
        ListenAt::Unix(path) => (client.unix_socket(path.as_path()), "http://127.0.0.1".to_owned()),
    }
}

/// The address to connect to for a listener on this machine: the unspecified address cannot be connected to.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}
