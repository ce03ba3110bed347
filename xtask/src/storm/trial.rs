//! One storm on one store, and what was seen of it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::json;

use super::check::{Check, Findings};
use super::group::{Group, Round};
use super::load::{Load, Taken};
use super::stage::Stage;
use crate::ledger::inbox::Collector;
use crate::ledger::record::{Database, Record};
use crate::ledger::{Ledger, Report};

/// Longest wait until everything is told. A budget of a minute has room again after 72 s; one of an hour would only
/// have after an hour, so that a storm must not spend it.
const DRAIN: Duration = Duration::from_mins(10);
/// The group of the one large notification: no other has this number.
pub const FLOOD: usize = 9_999;

/// The settings of a storm.
#[derive(Debug)]
pub struct Trial {
    /// The gateway.
    pub program: PathBuf,
    /// For its configuration and its log.
    pub folder: PathBuf,
    /// Empty.
    pub database: Database,
    /// What comes.
    pub load: Load,
    /// To how many targets.
    pub targets: usize,
    /// Alerts of one further notification at the end.
    pub flood: usize,
    /// The first message of each lane takes WeCom so long, so that all lanes fall behind.
    pub stall: Duration,
    /// A limit of the simulator's that wegraf does not know of, so that messages vanish.
    pub member_per_minute: Option<usize>,
}

/// The results.
#[derive(Debug)]
pub struct Outcome {
    /// The ledger's comparison.
    pub report: Report,
    /// The storm's own.
    pub findings: Findings,
    /// What was posted.
    pub taken: Taken,
    /// From the first POST until every transition had its fate.
    pub settled: Duration,
    /// Messages that WeCom threw away without a word.
    pub dropped: u64,
    /// Milliseconds until the large notification was answered, and until it was told.
    pub flood_ms: [u128; 2],
    /// The most memory that the process ever had, in KiB: before the large notification, and with it.
    pub peak_kib: [u64; 2],
    /// Of the database with its log, if it is a file.
    pub database_bytes: Option<u64>,
}

impl Outcome {
    /// All broken promises.
    pub fn violations(&self) -> Vec<String> {
        let ledger = self.report.violations.iter().map(ToString::to_string);
        ledger.chain(self.findings.violations.iter().cloned()).collect()
    }
}

impl Trial {
    /// Runs it.
    pub async fn run(&self) -> anyhow::Result<Outcome> {
        let stage = Stage::start(&self.program, &self.folder, &self.database, self.targets).await?;
        if let Some(limit) = self.member_per_minute {
            stage.control("PUT", "switches", &json!({ "member_per_minute": limit })).await?;
        }
        if !self.stall.is_zero() {
            let action = json!({ "delay_ms": u64::try_from(self.stall.as_millis())? });
            let fault = json!({ "match": { "path": "/send" }, "times": self.targets, "action": action });
            stage.control("POST", "faults", &fault).await?;
        }
        let collector = Collector::start(stage.simulator);
        let receivers = stage.receivers();

        let begun = Instant::now();
        let mut taken = self.load.post(stage.address, &receivers).await;
        self.drain().await?;
        let settled = begun.elapsed();
        let storm_kib = stage.peak_kib()?;
        let flood_ms = self.flood(&stage, &receivers[0], &mut taken).await?;
        let (peak_kib, database_bytes) = ([storm_kib, stage.peak_kib()?], self.database_bytes());
        let arrived = collector.all().await?;
        let (counters, addresses) = (stage.counters().await?, stage.addresses.clone());
        // It writes no more, so that the record stands still.
        stage.end().await?;

        let record = Record::read(&self.database)?;
        let dropped = counters["silent_drops"].as_u64().context("the simulator does not count drops")?;
        let posted = taken.accepted.iter().cloned().collect();
        let (addresses, accepted) = (&addresses[..], &taken.accepted[..]);
        let ledger = Ledger { addresses, accepted, posted: &posted, record: &record, arrived: &arrived, dropped };
        let report = ledger.check();
        ensure!(report.accepted > 0, "nothing was accepted: this shows nothing");
        let steady = Load::steady(receivers.len());
        let check = Check {
            addresses,
            steady: &steady,
            taken: &taken,
            record: &record,
            arrived: &arrived,
            counters: &counters,
        };
        let findings = check.findings();
        Ok(Outcome { report, findings, taken, settled, dropped, flood_ms, peak_kib, database_bytes })
    }

    /// One notification with very many alerts; how long its answer took and how long until it was told.
    async fn flood(&self, stage: &Stage, receiver: &str, taken: &mut Taken) -> anyhow::Result<[u128; 2]> {
        if self.flood == 0 {
            return Ok([0, 0]);
        }
        let group = Group { number: FLOOD, size: self.flood, critical: true };
        let (text, news) = group.notification(Round::Begin, receiver);
        let begun = Instant::now();
        taken.post(stage.address, &text, news).await;
        let answered = begun.elapsed().as_millis();
        self.drain().await?;
        Ok([answered, begun.elapsed().as_millis()])
    }

    /// Waits until every transition has its fate, or until it is clear that some never get one: the ledger will say so.
    async fn drain(&self) -> anyhow::Result<()> {
        let begun = Instant::now();
        while self.database.pending()? > 0 && begun.elapsed() < DRAIN {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Ok(())
    }

    fn database_bytes(&self) -> Option<u64> {
        let Database::Sqlite(file) = &self.database else { return None };
        let mut log = file.clone().into_os_string();
        log.push("-wal");
        let bytes = |path: &std::path::Path| std::fs::metadata(path).map_or(0, |file| file.len());
        Some(bytes(file) + bytes(log.as_ref()))
    }
}
