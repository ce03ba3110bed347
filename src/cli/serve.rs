//! `wegraf serve`: the gateway, until a signal.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::Serve;
use super::systemd::Systemd;
use super::tongue;
use crate::app::{self, App};
use crate::http::{Doors, raise_descriptors};
use crate::telemetry;
use crate::time::Clock;
use crate::words::{speak, told};

/// Interval of checking the configuration file.
const LOOK: Duration = Duration::from_secs(1);

/// Serves until SIGTERM or SIGINT, then finishes what is in flight; a second signal ends at once. SIGHUP and a change
/// of the file reload.
pub async fn run(arguments: Serve) -> anyhow::Result<ExitCode> {
    // Taken before it is read: a change between the two is detected.
    let first = stamp(&arguments.file.config);
    let (config, notes) = arguments.file.load_listening(arguments.listen)?;
    if !tongue::is_ordered() {
        speak(config.language);
    }
    telemetry::init(&arguments.log);
    for note in notes {
        warn!(%note, "The configuration has a note.");
    }
    let (open, path) = (config.listen.iter().find_map(|one| one.at.in_the_open()), config.path.clone());
    raise_descriptors();
    // Before anything slow: a sender that connects now waits in the kernel's queue instead of being refused.
    let doors = Doors::open(&config).await?;
    let app = App::open(config, Clock::System).await?;
    let stop = CancellationToken::new();
    let watcher = tokio::spawn(watch(path, first, app.clone()));
    // Here and not in the task: once "ready" is logged no signal may have the system's default action, which is to kill
    // the process.
    let caught = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?, signal(SignalKind::hangup())?);
    let signals = tokio::spawn(signals(caught, app.clone(), stop.clone()));
    if let Some(listen) = open {
        warn!(
            %listen,
            "Requests of other machines cross the network in clear text: use a network that is trusted, or a proxy with TLS."
        );
    }
    info!(listen = doors.front(), "wegraf is ready.");
    let systemd = Systemd::of_environment();
    systemd.ready();
    let watched = tokio::spawn(systemd.clone().watch(app.clone()));
    let broken = {
        let (app, stop) = (app.clone(), stop.clone());
        tokio::spawn(async move {
            app.fuse().blown().await;
            stop.cancel();
        })
    };
    let stopping = {
        let stop = stop.clone();
        tokio::spawn(async move {
            stop.cancelled().await;
            systemd.stopping();
        })
    };
    app::run(app, doors, stop).await?;
    stopping.abort();
    watched.abort();
    signals.abort();
    watcher.abort();
    if broken.is_finished() {
        anyhow::bail!(told!(
            "数据库读写出错，进程退出等待重启",
            "the store failed; the process ends and must be started again"
        ));
    }
    broken.abort();
    info!("wegraf has stopped; nothing is in flight.");
    Ok(ExitCode::SUCCESS)
}

async fn signals(
    (mut terminate, mut interrupt, mut hangup): (Signal, Signal, Signal),
    app: App,
    stop: CancellationToken,
) {
    loop {
        let reload = tokio::select! {
            _ = hangup.recv() => true,
            _ = terminate.recv() => false,
            _ = interrupt.recv() => false,
        };
        if reload {
            app.reload();
        } else if stop.is_cancelled() {
            warn!("A second signal: the process ends at once; sends in flight will be repeated.");
            std::process::exit(1);
        } else {
            info!("Stopping: what is in flight is finished first.");
            stop.cancel();
        }
    }
}

/// Reloads when the content of the file, or of one that it names, changes. The files are polled, not watched: polling
/// also sees the symbolic links that Kubernetes swaps, and is not triggered by a database in the same folder.
async fn watch(path: PathBuf, first: Option<Stamp>, app: App) {
    let mut last: HashMap<PathBuf, Option<Stamp>> = HashMap::from([(path.clone(), first)]);
    let mut others = app.config().files.clone();
    loop {
        for file in &others {
            last.entry(file.clone()).or_insert_with(|| stamp(file));
        }
        tokio::time::sleep(LOOK).await;
        let mut changed = false;
        for (file, known) in &mut last {
            let now = stamp(file);
            if now.is_some() && now != *known {
                *known = now;
                changed = true;
            }
        }
        if changed {
            (others, _) = app.reload();
            last.retain(|file, _| *file == path || others.contains(file));
        }
    }
}

/// Modification time and length of a file: they differ when its content does.
type Stamp = (SystemTime, u64);

fn stamp(path: &Path) -> Option<Stamp> {
    std::fs::metadata(path).and_then(|meta| Ok((meta.modified()?, meta.len()))).ok()
}
