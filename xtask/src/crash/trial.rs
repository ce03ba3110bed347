//! One run: a number of kills on one store, and the ledger's report.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use wecom_simulator::Simulator;

use crate::corp::{self, Size};
use crate::gateway::{Gateway, free};
use crate::http;
use crate::ledger::inbox::{Collector, accepted};
use crate::ledger::record::{Database, Record, drained};
use crate::ledger::{Address, Channel, Ledger, Report};
use crate::relay::Relay;
use crate::source::Source;

/// Delay of a random kill after the gateway is ready, in milliseconds.
const KILL_AFTER_MS: std::ops::Range<u64> = 50..1500;
/// Longest wait for the event of a kill.
const PATIENCE: Duration = Duration::from_secs(2);
/// Share of the cycles in which WeCom fails one send.
const FAULTS: f64 = 0.4;
/// Longest wait until everything that was accepted is delivered. A lane that met 45009 late may wait for some minutes.
const DRAIN: Duration = Duration::from_mins(10);

/// The settings of a run.
#[derive(Debug)]
pub struct Trial {
    /// The gateway.
    pub program: PathBuf,
    /// The gateway of the first half of the kills, if it is another one.
    pub earlier: Option<PathBuf>,
    /// For its configuration and its log.
    pub folder: PathBuf,
    /// Empty.
    pub database: Database,
    /// Kills.
    pub cycles: u32,
    /// Seed of the load, the faults and the moments.
    pub seed: u64,
    /// Of the corp.
    pub size: Size,
    /// Also inject faults after which a lane waits for a minute and more.
    pub slow: bool,
    /// With the relay that answers too early.
    pub control: bool,
}

/// The results.
#[derive(Debug)]
pub struct Outcome {
    /// The ledger's report.
    pub report: Report,
    /// Kills at random, when WeCom accepted a message, after a 2xx.
    pub kills: [u32; 3],
    /// Notifications answered 2xx.
    pub taken: u64,
    /// Tries with another answer.
    pub failed: u64,
    /// Faults injected into WeCom.
    pub faults: u32,
    /// How long it took.
    pub seconds: u64,
}

/// The moment of a kill.
#[derive(Debug, Clone, Copy)]
enum Moment {
    Random(Duration),
    /// When WeCom accepts a message: before the result can be on disk (F6).
    Accepted,
    /// After a 2xx: the promised data must be on disk (F2).
    Taken,
}

/// The state shared by the cycles.
struct Lab<'a> {
    trial: &'a Trial,
    simulator: SocketAddr,
    gateway: SocketAddr,
    /// The address for senders: the gateway, or the relay before it.
    front: SocketAddr,
    config: PathBuf,
    addresses: Vec<Address>,
    rng: StdRng,
}

impl Trial {
    /// Runs it.
    pub async fn run(&self) -> anyhow::Result<Outcome> {
        let begun = Instant::now();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let simulator = listener.local_addr()?;
        // Serves until it is dropped.
        let wecom = Simulator::start(listener, corp::setup(self.size)).await;
        let gateway = free()?;
        let config = self.folder.join("wegraf.yaml");
        let accounts = corp::configuration(self.size, &wecom.url());
        std::fs::write(&config, format!("listen: {gateway}\ndatabase: {}\n{accounts}", self.database.line()))?;
        let lab = Lab {
            trial: self,
            simulator,
            gateway,
            front: if self.control { free()? } else { gateway },
            config,
            addresses: corp::addresses(self.size),
            rng: StdRng::seed_from_u64(self.seed),
        };
        let mut outcome = lab.run().await?;
        outcome.seconds = begun.elapsed().as_secs();
        Ok(outcome)
    }
}

impl Lab<'_> {
    async fn run(mut self) -> anyhow::Result<Outcome> {
        let collector = Collector::start(self.simulator);
        let source = Source::start(self.front, &self.addresses, self.trial.seed);
        let (mut kills, mut faults) = ([0; 3], 0);
        for cycle in 0..self.trial.cycles {
            faults += self.fault(cycle).await?;
            let moment = self.moment();
            let (gateway, relay) = self.start(cycle).await.with_context(|| format!("cycle {cycle}"))?;
            match moment {
                Moment::Random(after) => tokio::time::sleep(after).await,
                Moment::Accepted => accepted(self.simulator, PATIENCE).await?,
                Moment::Taken => drop(tokio::time::timeout(PATIENCE, source.next_taken()).await),
            }
            gateway.kill().await?;
            drop(relay);
            kills[match moment {
                Moment::Random(_) => 0,
                Moment::Accepted => 1,
                Moment::Taken => 2,
            }] += 1;
        }
        http::control(self.simulator, "DELETE", "/_simulator/faults", "").await?;
        let (gateway, relay) = self.start(self.trial.cycles).await.context("the last start")?;
        let memory = tokio::time::timeout(DRAIN, source.finish()).await.context("the senders do not get rid of it")?;
        if let Some(relay) = &relay {
            relay.idle().await;
        }
        drained(std::slice::from_ref(&self.trial.database), DRAIN).await?;
        gateway.kill().await?;
        drop(relay);
        let arrived = collector.all().await?;
        let counters: Value = serde_json::from_str(&http::get(self.simulator, "/_simulator/counters").await?)?;
        let record = Record::read(&self.trial.database)?;
        let ledger = Ledger {
            addresses: &self.addresses,
            accepted: &memory.accepted,
            posted: &memory.posted,
            record: &record,
            arrived: &arrived,
            dropped: counters["silent_drops"].as_u64().context("the simulator does not count drops")?,
        };
        let report = ledger.check();
        ensure!(report.accepted > 0, "nothing was accepted: this shows nothing");
        Ok(Outcome { report, kills, taken: memory.taken, failed: memory.failed, faults, seconds: 0 })
    }

    async fn start(&self, cycle: u32) -> anyhow::Result<(Gateway, Option<Relay>)> {
        let earlier = self.trial.earlier.as_ref().filter(|_| cycle < self.trial.cycles / 2);
        let program = earlier.unwrap_or(&self.trial.program);
        let gateway = Gateway::start(program, &self.config, self.gateway).await?;
        let relay = if self.trial.control { Some(Relay::start(self.front, self.gateway).await?) } else { None };
        Ok((gateway, relay))
    }

    fn moment(&mut self) -> Moment {
        if self.trial.control {
            // Its fault only shows at this moment.
            return Moment::Taken;
        }
        match self.rng.random_range(0..10) {
            0..5 => Moment::Random(Duration::from_millis(self.rng.random_range(KILL_AFTER_MS))),
            5..8 => Moment::Accepted,
            _ => Moment::Taken,
        }
    }

    /// Now and then makes WeCom fail the next message to a random address. Returns how many faults were ordered.
    async fn fault(&mut self, cycle: u32) -> anyhow::Result<u32> {
        if !self.rng.random_bool(FAULTS) {
            return Ok(0);
        }
        let address = self.addresses.choose(&mut self.rng).context("no address")?;
        let whom = match address.channel {
            Channel::App => json!({ "path": "message/send", "user": address.places[0] }),
            Channel::Chat => json!({ "path": "appchat/send", "chat": address.places[0] }),
            Channel::Webhook => json!({ "path": "webhook/send", "key": address.places[0] }),
        };
        // The last ones would only prolong the wait.
        let slow = self.trial.slow && cycle < self.trial.cycles / 2;
        let action = match self.rng.random_range(0..if slow { 16 } else { 15 }) {
            0..6 => json!("reset_after"),
            6..8 => json!("truncate"),
            8..10 => json!("reset_before"),
            10..12 => json!("hang"),
            12..15 => json!({ "errcode": -1 }),
            _ => json!({ "errcode": 45009 }),
        };
        let fault = json!({ "match": whom, "action": action }).to_string();
        http::control(self.simulator, "POST", "/_simulator/faults", &fault).await?;
        Ok(1)
    }
}
