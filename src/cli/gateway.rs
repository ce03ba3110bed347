//! The process that holds the SQLite file: commands ask it for writes (`http/orders.rs`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, bail};
use axum::http::{Method, header};

use crate::config::{Config, ListenAt};
use crate::links::LinkKey;
use crate::time::Clock;
use crate::words::{told, words};

/// Deadline for the gateway's answer: a commit, behind a queue of others.
const DEADLINE: Duration = Duration::from_secs(15);

/// The process that holds the database.
pub(super) struct Gateway {
    client: reqwest::Client,
    address: ListenAt,
    base: String,
    pid: String,
    key: LinkKey,
}

impl Gateway {
    /// The process with this number, which listens at `listen`, else where the configuration says; requests and answers are
    /// authenticated with `key`.
    pub(super) fn new(config: &Config, listen: Option<&ListenAt>, pid: String, key: LinkKey) -> anyhow::Result<Self> {
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
        let answer = request.body(body).send().await.with_context(|| {
            told!("数据库由进程 {pid} 使用，但它没有在 {address} 回答；若它用 `serve --listen` 启动，请加同样的 --listen", "process {pid} has the database but does not answer at {address}; if it was started with `serve --listen`, give the same --listen").to_string()
        })?;
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
