//! One run: rounds of disturbances under load, and the ledger's report.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use futures_util::future::try_join_all;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use wecom_simulator::Simulator;

use super::causes::{self, Causes};
use super::disturbance::{Dice, Disturbance, Event, Shock, What, When};
use super::fleet::Fleet;
use super::meddler::Meddler;
use super::{LEASE, REPLICAS};
use crate::balancer::Balancer;
use crate::corp::{self, Size};
use crate::gateway::free;
use crate::http;
use crate::ledger::inbox::{Collector, accepted};
use crate::ledger::record::{Database, Record, drained};
use crate::ledger::{Address, Ledger, Report};
use crate::postgres::Server;
use crate::source::{Source, moderate, now};

/// Delay of WeCom's answers: so that messages are in flight during a disturbance.
const LATENCY_MS: u64 = 300;
/// Longest wait for the moment when WeCom accepts a message.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between two rounds, in milliseconds.
const CALM_MS: std::ops::Range<u64> = 300..1500;
/// Until everything that was accepted is delivered.
const DRAIN: Duration = Duration::from_mins(10);
/// News a minute for each pair of members: together more than WeCom accepts for the member of all of them. Their lanes
/// wait and fold, and only the budget keeps them below the limit.
const PAIR_PACE: u64 = 40;

/// What the replicas share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// One database, as it should be.
    All,
    /// Nothing: each has a file of its own. A control.
    Nothing,
    /// One database, but every lease in it ends at once. A control.
    NoLease,
}

/// The settings of a run.
pub struct Trial {
    /// The gateway.
    pub program: PathBuf,
    /// For configurations, logs and files.
    pub folder: PathBuf,
    /// Where the database is.
    pub server: Arc<Server>,
    /// The URL of an empty one there.
    pub database: String,
    /// What the replicas have in common.
    pub sharing: Sharing,
    /// Rounds of disturbances.
    pub rounds: u32,
    /// Seed of the load and the disturbances.
    pub seed: u64,
    /// Of the corp.
    pub size: Size,
}

/// The results.
#[derive(Debug)]
pub struct Outcome {
    /// The ledger's report.
    pub report: Report,
    /// The causes of copies.
    pub causes: Causes,
    /// Pauses, kills, shocks of the database.
    pub done: [usize; 3],
    /// Notifications answered 2xx.
    pub taken: u64,
    /// Tries with another answer.
    pub failed: u64,
    /// Messages that WeCom refused with 45009, which says that a limit was exceeded.
    pub over_limit: u64,
    /// The most that an app sent to one member, and that one webhook sent, in any minute.
    pub busiest: [u64; 2],
    /// How often a replica ended by itself.
    pub ended: u32,
    /// How long it took.
    pub seconds: u64,
}

struct Lab<'a> {
    trial: &'a Trial,
    simulator: SocketAddr,
    fleet: Fleet,
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
        let slow = json!({ "match": { "path": "send" }, "times": "forever", "action": { "delay_ms": LATENCY_MS } });
        http::control(simulator, "POST", "/_simulator/faults", &slow.to_string()).await?;
        if self.sharing == Sharing::Nothing {
            // Otherwise they would spend the time revoking each other's tokens.
            let same = json!({ "repeated_gettoken": "same" }).to_string();
            http::control(simulator, "PUT", "/_simulator/switches", &same).await?;
        }
        let accounts = corp::configuration(self.size, &wecom.url());
        let lease =
            if self.sharing == Sharing::Nothing { String::new() } else { format!("lease: {}s\n", LEASE.as_secs()) };
        let databases = self.databases();
        let configurations: Vec<String> = (0..REPLICAS)
            .map(|number| format!("database: {}\n{lease}{accounts}", databases[number % databases.len()].line()))
            .collect();
        let fleet = Fleet::start(&self.program, &self.folder, &configurations).await?;
        let rng = StdRng::seed_from_u64(self.seed);
        let lab = Lab { trial: self, simulator, fleet, rng };
        let mut outcome = lab.run(&databases).await?;
        outcome.seconds = begun.elapsed().as_secs();
        Ok(outcome)
    }

    /// One for all, or one for each.
    fn databases(&self) -> Vec<Database> {
        match self.sharing {
            Sharing::All | Sharing::NoLease => vec![Database::Postgres(self.database.clone())],
            Sharing::Nothing => {
                let file = |number| Database::Sqlite(self.folder.join(format!("replica-{number}.db")));
                (0..REPLICAS).map(file).collect()
            }
        }
    }

    fn shocks(&self) -> &'static [Shock] {
        match (self.sharing, &*self.server) {
            (Sharing::Nothing | Sharing::NoLease, _) => &[],
            (_, Server::Own(_)) => &[Shock::Immediate, Shock::Fast, Shock::Cut],
            // Other tests use it, too.
            (_, Server::Given(_)) => &[Shock::Cut],
        }
    }
}

impl Lab<'_> {
    async fn run(mut self, databases: &[Database]) -> anyhow::Result<Outcome> {
        let front = free()?;
        let _balancer = Balancer::start(front, &self.fleet.addresses()).await?;
        let meddler = match self.trial.sharing {
            Sharing::NoLease => Some(Meddler::start(&self.trial.database)?),
            Sharing::All | Sharing::Nothing => None,
        };
        let addresses = corp::addresses(self.trial.size);
        let collector = Collector::start(self.simulator);
        let pace = |address: &Address| if address.receiver.starts_with("pair") { PAIR_PACE } else { moderate(address) };
        let source = Source::start_with(front, &addresses, self.trial.seed, pace);
        let mut events = Vec::new();
        for round in 0..self.trial.rounds {
            events.extend(self.round().await.with_context(|| format!("round {round}"))?);
        }
        let memory = tokio::time::timeout(DRAIN, source.finish()).await.context("the senders do not get rid of it")?;
        if let Some(meddler) = meddler {
            meddler.stop().await?;
        }
        drained(databases, DRAIN).await?;
        self.fleet.kill_all().await?;
        let arrived = collector.all().await?;
        let counters: Value = serde_json::from_str(&http::get(self.simulator, "/_simulator/counters").await?)?;
        let record = Record::joined(databases)?;
        let ledger = Ledger {
            addresses: &addresses,
            accepted: &memory.accepted,
            posted: &memory.posted,
            record: &record,
            arrived: &arrived,
            dropped: counters["silent_drops"].as_u64().context("the simulator does not count drops")?,
        };
        let report = ledger.check();
        ensure!(report.accepted > 0, "nothing was accepted: this shows nothing");
        let causes = causes::explain(&record, &report.copied, &events);
        let count = |of: fn(&What) -> bool| events.iter().filter(|event| of(&event.what)).count();
        Ok(Outcome {
            report,
            causes,
            done: [
                count(|what| matches!(what, What::Pause { .. })),
                count(|what| matches!(what, What::Kill { .. })),
                count(|what| matches!(what, What::Shock(_))),
            ],
            taken: memory.taken,
            failed: memory.failed,
            over_limit: counters["by_errcode"]["45009"].as_u64().unwrap_or(0),
            busiest: ["members", "webhooks"].map(|whose| busiest(&counters["max_per_minute"][whose])),
            ended: self.fleet.ended(),
            seconds: 0,
        })
    }

    /// Disturbs once, waits until all is up again, and some more.
    async fn round(&mut self) -> anyhow::Result<Vec<Event>> {
        if self.trial.sharing == Sharing::NoLease {
            // No disturbance: so no copy has a cause.
            tokio::time::sleep(LEASE).await;
            return Ok(Vec::new());
        }
        let dice = Dice { lease: LEASE, shocks: self.trial.shocks() };
        let disturbances = dice.round(&mut self.rng);
        let calm = Duration::from_millis(self.rng.random_range(CALM_MS));
        let lab = &*self;
        let events = try_join_all(disturbances.into_iter().map(|disturbance| lab.disturb(disturbance))).await?;
        self.fleet.revive().await?;
        tokio::time::sleep(calm).await;
        Ok(events)
    }

    async fn disturb(&self, Disturbance { when, what }: Disturbance) -> anyhow::Result<Event> {
        match when {
            When::After(pause) => tokio::time::sleep(pause).await,
            When::Accepted => accepted(self.simulator, PATIENCE).await?,
        }
        let from = now();
        match what {
            What::Pause { replica, length } => self.fleet.pause(replica, length).await?,
            What::Kill { replica, away } => self.fleet.kill(replica, away).await?,
            What::Shock(shock) => self.shock(shock).await?,
        }
        Ok(Event { what, from, until: now() })
    }

    async fn shock(&self, shock: Shock) -> anyhow::Result<()> {
        let (server, database) = (self.trial.server.clone(), self.trial.database.clone());
        let done = tokio::task::spawn_blocking(move || match (shock, &*server) {
            (Shock::Immediate | Shock::Fast, Server::Own(cluster)) => cluster.restart(shock == Shock::Immediate),
            _ => Server::cut(&database),
        });
        done.await?
    }
}

/// The most in any minute.
fn busiest(peaks: &Value) -> u64 {
    peaks.as_object().into_iter().flatten().filter_map(|(_, peak)| peak.as_u64()).max().unwrap_or(0)
}
