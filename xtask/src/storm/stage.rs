//! A WeCom that drops without a word, and the built gateway in front of it.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context as _;
use serde_json::Value;
use tokio::net::TcpListener;
use wecom_simulator::Simulator;

use super::town::Town;
use crate::gateway::{Gateway, free};
use crate::http;
use crate::ledger::Address;
use crate::ledger::record::Database;

/// Both, running.
pub struct Stage {
    /// Where WeCom is.
    pub simulator: SocketAddr,
    /// Where alerts go.
    pub address: SocketAddr,
    /// Where everything arrives.
    pub addresses: Vec<Address>,
    gateway: Gateway,
    /// Serves until it is dropped.
    _wecom: Simulator,
}

impl Stage {
    /// Starts them, with `targets` targets.
    pub async fn start(program: &Path, folder: &Path, database: &Database, targets: usize) -> anyhow::Result<Self> {
        let town = Town::of(targets);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let simulator = listener.local_addr()?;
        let wecom = Simulator::start(listener, town.setup()).await;
        let address = free()?;
        let config = folder.join("wegraf.yaml");
        let accounts = town.configuration(&wecom.url());
        let database = database.line();
        let text = format!("listen: {address}\nexternal_url: http://{address}\ndatabase: {database}\n{accounts}");
        std::fs::write(&config, text)?;
        let gateway = Gateway::start(program, &config, address).await?;
        Ok(Self { simulator, address, addresses: town.addresses(), gateway, _wecom: wecom })
    }

    /// The receivers, in the order of the addresses.
    pub fn receivers(&self) -> Vec<String> {
        self.addresses.iter().map(|address| address.receiver.clone()).collect()
    }

    /// Calls the simulator's control API.
    pub async fn control(&self, method: &str, what: &str, body: &Value) -> anyhow::Result<()> {
        http::control(self.simulator, method, &format!("/_simulator/{what}"), &body.to_string()).await?;
        Ok(())
    }

    /// The simulator's counters.
    pub async fn counters(&self) -> anyhow::Result<Value> {
        Ok(serde_json::from_str(&http::get(self.simulator, "/_simulator/counters").await?)?)
    }

    /// kill -9 of the gateway.
    pub async fn end(self) -> anyhow::Result<()> {
        self.gateway.kill().await
    }

    /// The most memory that the gateway ever had, in KiB.
    pub fn peak_kib(&self) -> anyhow::Result<u64> {
        let pid = self.gateway.pid().context("wegraf has ended")?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).context("no peak")?;
        Ok(line.split_whitespace().nth(1).context("no value")?.parse()?)
    }
}
