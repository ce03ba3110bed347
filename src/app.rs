//! State shared by the modules while the gateway runs, and how it starts, reloads and stops.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use crate::alert::Timestamp;
use crate::answer::{self, Acts};
use crate::bots::{self, Bots};
use crate::config::Config;
use crate::deliver::{self, Deliver, Members, Names, Writer};
use crate::fuse::Fuse;
use crate::http;
use crate::http::{Doors, Reload, ReloadAnswer, Server};
use crate::incidents::Incidents;
use crate::intake::Intake;
use crate::links::Links;
use crate::live::Live;
use crate::metrics::{Metrics, Reloaded};
use crate::room::Room;
use crate::store::Store;
use crate::time::Clock;
use crate::traces::{self, Traces};
use crate::watch::{self, Storage, Watch};

/// How long sends in flight may take after SIGTERM before they are left to the next start as "unsure".
const DRAIN: Duration = Duration::from_secs(15);

/// Requests for a reload that wait.
const REQUESTS: usize = 4;

/// Everything the handlers and the delivery share. Built once by [`App::open`]; cheap to clone.
#[derive(Debug, Clone)]
pub struct App(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    http: Live<http::Setup>,
    config: Live<Config>,
    /// The configuration that the process was started with.
    first: Arc<Config>,
    intake: Intake,
    deliver: Deliver,
    acts: Acts,
    bots: Bots,
    store: Store,
    metrics: Arc<Metrics>,
    clock: Clock,
    links: Links,
    storage: Arc<Storage>,
    fuse: Fuse,
    room: Arc<Room>,
}

impl App {
    /// Opens the store and compiles what `config` says. Messages a former process was sending are due again.
    pub async fn open(config: Config, clock: Clock) -> anyhow::Result<Self> {
        let store = Store::open_with_lease(&config.database, config.lease, clock.now()).await?;
        let clock = clock.in_step(store.skew());
        let recovered = store.recover().await?;
        if recovered > 0 {
            info!(
                messages = recovered,
                "Messages that were being sent when the last process ended will be sent again."
            );
        }
        let room = Arc::new(Room::new(config.memory));
        let setup = deliver::Setup::new(Arc::new(config), Some(&store), &clock)?;
        let (config, setup) = (Live::new(setup.config.clone()), Live::new(setup));
        let links = Links::open(store.clone(), clock.clone()).await?;
        let fuse = Fuse::new(clock.clone());
        let metrics = Arc::new(Metrics::default());
        let traces = Traces::new(config.clone(), metrics.clone());
        let intake = Intake {
            config: config.clone(),
            store: store.clone(),
            clock: clock.clone(),
            room: room.clone(),
            metrics: metrics.clone(),
            fuse: fuse.clone(),
            traces: traces.clone(),
        };
        let deliver = Deliver {
            setup: setup.clone(),
            store: store.clone(),
            clock: clock.clone(),
            room: room.clone(),
            links: links.clone(),
            sockets: Arc::default(),
            names: Arc::new(Names::new(setup.clone(), clock.clone())),
            members: Arc::new(Members::new(setup.clone(), clock.clone())),
            incidents: Arc::default(),
            metrics: metrics.clone(),
            fuse: fuse.clone(),
            traces,
            looked: Arc::default(),
        };
        let own = setup.now();
        let acts = Acts {
            setup: Live::new(answer::Setup::new(own.config.clone(), own.wecom.clone())),
            store: store.clone(),
            clock: clock.clone(),
            intake: intake.clone(),
            names: deliver.names.clone(),
            members: deliver.members.clone(),
            metrics: metrics.clone(),
            counts: Arc::default(),
        };
        let bots = Bots {
            config: config.clone(),
            store: store.clone(),
            clock: clock.clone(),
            sockets: deliver.sockets.clone(),
            acts: acts.clone(),
            deliver: deliver.clone(),
            fuse: fuse.clone(),
        };
        Ok(Self(Arc::new(Inner {
            http: Live::new(http::Setup::new(own.config.clone(), own.wecom.clone(), own.charts.clone())),
            first: own.config.clone(),
            config,
            intake,
            deliver,
            acts,
            bots,
            store,
            metrics,
            clock,
            links,
            storage: Arc::default(),
            fuse,
            room,
        })))
    }

    /// The configuration as of now. Hold it for one request or one send.
    pub fn config(&self) -> Arc<Config> {
        self.0.config.now()
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// Now, by the clock of the database where replicas share one: their budgets must agree on the time.
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// The handle of intake.
    pub fn intake(&self) -> &Intake {
        &self.0.intake
    }

    /// Recent incidents that no table shows.
    pub fn incidents(&self) -> &Incidents {
        &self.0.deliver.incidents
    }

    /// The handle of the server.
    fn server(&self, reloads: mpsc::Sender<Reload>) -> Server {
        let inner = &*self.0;
        Server {
            setup: inner.http.clone(),
            store: inner.store.clone(),
            clock: inner.clock.clone(),
            room: inner.room.clone(),
            links: inner.links.clone(),
            intake: inner.intake.clone(),
            acts: inner.acts.clone(),
            incidents: inner.deliver.incidents.clone(),
            storage: inner.storage.clone(),
            metrics: inner.metrics.clone(),
            fuse: inner.fuse.clone(),
            reloads,
        }
    }

    /// The handle of self-monitoring.
    fn watch(&self) -> Watch {
        let inner = &*self.0;
        Watch {
            deliver: inner.deliver.clone(),
            intake: inner.intake.clone(),
            store: inner.store.clone(),
            clock: inner.clock.clone(),
            incidents: inner.deliver.incidents.clone(),
            storage: inner.storage.clone(),
            metrics: inner.metrics.clone(),
            fuse: inner.fuse.clone(),
        }
    }

    /// The handle of the sockets of bots.
    pub fn bots(&self) -> &Bots {
        &self.0.bots
    }

    /// The handle of acts.
    pub fn acts(&self) -> &Acts {
        &self.0.acts
    }

    /// Failures of the store are reported here.
    pub fn fuse(&self) -> &Fuse {
        &self.0.fuse
    }

    /// The handle of delivery.
    pub fn deliver(&self) -> &Deliver {
        &self.0.deliver
    }

    /// Replaces the whole configuration, or keeps the old one if the file is invalid. Changes that wait for a restart
    /// (addresses, memory, database, lease) are logged. Returns the files besides the configuration itself whose
    /// change triggers the next reload: those it was read from, and those to be repaired; and what it came to.
    pub fn reload(&self) -> (Vec<PathBuf>, ReloadAnswer) {
        let old = self.config();
        let (mut files, mut done) = (old.files.clone(), ReloadAnswer::default());
        let loaded = Config::load(&old.path)
            .map_err(|mistakes| {
                files.extend(mistakes.iter().map(|mistake| mistake.file.clone()));
                mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
            })
            .and_then(|(config, notes)| {
                for note in &notes {
                    warn!(%note, "The configuration has a note.");
                }
                done.notes = notes.iter().map(ToString::to_string).collect();
                let setup = deliver::Setup::new(Arc::new(config), Some(&self.0.store), &self.0.clock);
                setup.map_err(|error| format!("{error:#}"))
            });
        match loaded {
            Ok(new) => {
                done.restart = restart_only(&self.0.first, &new.config);
                if !done.restart.is_empty() {
                    warn!(keys = done.restart.join(", "), "These keys change only with a restart.");
                }
                files.clone_from(&new.config.files);
                self.0.config.replace(new.config.clone());
                self.0.http.replace(http::Setup::new(new.config.clone(), new.wecom.clone(), new.charts.clone()));
                self.0.acts.setup.replace(answer::Setup::new(new.config.clone(), new.wecom.clone()));
                self.0.deliver.setup.replace(new);
                self.0.metrics.reloads.get_or_create(&Reloaded { result: "ok" }).inc();
                self.0.metrics.reload_ok.set(1);
                self.0.store.wake();
                info!(path = %old.path.display(), "The configuration was reloaded.");
            }
            Err(mistakes) => {
                self.0.metrics.reloads.get_or_create(&Reloaded { result: "failed" }).inc();
                self.0.metrics.reload_ok.set(0);
                error!(path = %old.path.display(), %mistakes, "The new configuration is wrong; the old one stays in force.");
                done.error = mistakes;
            }
        }
        (files, done)
    }
}

/// The keys that changed since the start and that a reload does not change.
fn restart_only(first: &Config, new: &Config) -> Vec<String> {
    let changed = [
        ("listen", first.listen != new.listen),
        (
            "listen_tls",
            first.listen_tls.as_ref().map(|tls| tls.address) != new.listen_tls.as_ref().map(|tls| tls.address),
        ),
        ("listen_monitoring", first.listen_monitoring != new.listen_monitoring),
        ("memory", first.memory != new.memory),
        ("database", first.database != new.database),
        ("lease", first.lease != new.lease),
    ];
    changed.into_iter().filter(|(_, changed)| *changed).map(|(key, _)| key.to_owned()).collect()
}

/// Takes and sends until `stop`, then finishes what is in flight: stop accepting → finish requests → stop claiming
/// → finish sends → last commit. Tests pass their own listener.
pub async fn run(app: App, doors: impl Into<Doors>, stop: CancellationToken) -> anyhow::Result<()> {
    let tasks = TaskTracker::new();
    let stop_sending = CancellationToken::new();
    let sender_ended = CancellationToken::new();
    let sending = deliver::run(app.deliver().clone(), Writer::new()?, stop_sending.clone());
    let ended = sender_ended.clone().drop_guard();
    let sending = async move {
        // Also after a panic.
        let _ended = ended;
        sending.await;
    };
    // Behind a pointer a long task is compiled once; tokio has two ways to run what is spawned.
    let sender = tasks.spawn(sending.boxed());
    tasks.spawn(watch::run(app.watch(), stop_sending.clone()).boxed());
    tasks.spawn(app.acts().clone().run(stop_sending.clone()).boxed());
    // Sends in flight over a socket need it until they end.
    let stop_bots = CancellationToken::new();
    tasks.spawn(bots::run(app.bots().clone(), stop_bots.clone()).boxed());
    let sent = sender_ended.clone();
    tasks.spawn(async move {
        sent.cancelled().await;
        stop_bots.cancel();
    });
    // Spans of the last sends are taken until all else has ended.
    let stop_tracing = CancellationToken::new();
    let tracing = tokio::spawn(traces::run(app.deliver().traces.clone(), stop_tracing.clone()));
    let (reloads, mut asked) = mpsc::channel::<Reload>(REQUESTS);
    let (reloading, stopped) = (app.clone(), stop_sending.clone());
    tasks.spawn(async move {
        while let Some(Some(answer)) = stopped.run_until_cancelled(asked.recv()).await {
            // A caller that does not wait for its answer has its reload, too.
            drop(answer.send(reloading.reload().1));
        }
    });
    http::serve(app.server(reloads), doors.into(), stop).await;
    stop_sending.cancel();
    tasks.close();
    if tokio::time::timeout(DRAIN, tasks.wait()).await.is_err() {
        warn!("Sends did not end in time; they will be repeated at the next start.");
        sender.abort();
    } else if let Err(panic) = sender.await {
        error!(%panic, "The delivery ended with a panic.");
    }
    app.store().close().await?;
    stop_tracing.cancel();
    if let Err(panic) = tracing.await {
        error!(%panic, "The sending of traces ended with a panic.");
    }
    Ok(())
}
