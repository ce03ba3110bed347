//! The replicas: three gateways as child processes that can be paused and killed, and are restarted like by a service
//! manager.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use tokio::process::Command;
use tokio::sync::Mutex;

use crate::gateway::{Gateway, free};

/// Longest start of a replica, even if the database is away for some of it.
const START: Duration = Duration::from_mins(1);
/// Pause before one that ended is restarted.
const PAUSE: Duration = Duration::from_millis(200);

/// All replicas.
pub(super) struct Fleet {
    replicas: Vec<Replica>,
    program: PathBuf,
    /// How often one ended without having been killed.
    ended: AtomicU32,
}

struct Replica {
    config: PathBuf,
    address: SocketAddr,
    /// `None` while it is away. Locked during a disturbance.
    gateway: Mutex<Option<Gateway>>,
}

impl Fleet {
    /// Starts one for each of `configurations` (all but the line `listen`), which are written into `folder`.
    pub(super) async fn start(program: &Path, folder: &Path, configurations: &[String]) -> anyhow::Result<Self> {
        let mut fleet = Self { replicas: Vec::new(), program: program.to_owned(), ended: AtomicU32::new(0) };
        for (number, rest) in configurations.iter().enumerate() {
            let config = folder.join(format!("replica-{number}.yaml"));
            let address = free()?;
            std::fs::write(&config, format!("listen: {address}\n{rest}"))?;
            fleet.replicas.push(Replica { config, address, gateway: Mutex::new(None) });
        }
        fleet.revive().await?;
        Ok(fleet)
    }

    /// Where they listen.
    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        self.replicas.iter().map(|replica| replica.address).collect()
    }

    /// How often one ended without having been killed.
    pub(super) fn ended(&self) -> u32 {
        self.ended.load(Ordering::Relaxed)
    }

    /// Pauses one: it keeps its connections and its locks, and does not notice the time that passes.
    pub(super) async fn pause(&self, number: usize, length: Duration) -> anyhow::Result<()> {
        let gateway = self.replicas[number].gateway.lock().await;
        // It ended by itself: nothing to pause.
        let Some(gateway) = gateway.as_ref() else { return Ok(()) };
        gateway.signal("STOP").await?;
        tokio::time::sleep(length).await;
        gateway.signal("CONT").await
    }

    /// kill -9, and a start after `away`.
    pub(super) async fn kill(&self, number: usize, away: Duration) -> anyhow::Result<()> {
        let mut gateway = self.replicas[number].gateway.lock().await;
        if let Some(gateway) = gateway.take() {
            gateway.kill().await?;
        }
        tokio::time::sleep(away).await;
        *gateway = Some(self.bring_up(&self.replicas[number]).await?);
        Ok(())
    }

    /// Starts all that are down.
    pub(super) async fn revive(&self) -> anyhow::Result<()> {
        for replica in &self.replicas {
            let mut gateway = replica.gateway.lock().await;
            if let Some(running) = gateway.as_mut() {
                let Some(status) = running.ended(Duration::ZERO).await? else { continue };
                eprintln!("A replica ended by itself with {status}: {}", running.log_tail());
                self.ended.fetch_add(1, Ordering::Relaxed);
            }
            *gateway = Some(self.bring_up(replica).await?);
        }
        Ok(())
    }

    /// Kills all of them.
    pub(super) async fn kill_all(&self) -> anyhow::Result<()> {
        for replica in &self.replicas {
            if let Some(gateway) = replica.gateway.lock().await.take() {
                gateway.kill().await?;
            }
        }
        Ok(())
    }

    /// Like a service manager: repeatedly until it is ready.
    async fn bring_up(&self, replica: &Replica) -> anyhow::Result<Gateway> {
        let begun = Instant::now();
        loop {
            let mut gateway = Gateway::spawn(Command::new(&self.program), &replica.config, replica.address)?;
            let ended = gateway.ready(START).await.context("a replica does not start")?;
            if ended.is_none() {
                return Ok(gateway);
            }
            ensure!(begun.elapsed() < START, "a replica ends instead of starting: {}", gateway.log_tail());
            tokio::time::sleep(PAUSE).await;
        }
    }
}
