//! One fault on one channel with one store, in a world of its own.

mod strike;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wecom_simulator::Setup;
use wegraf::internals::store::{DeliveryRow, State};
use xtask::postgres::Server;

use super::ear::Ear;
use super::fault::Fault;
use super::place::Stranger;
use super::verdict::Seen;
use crate::harness::{World, alertmanager};
use crate::process::Wegraf;
use crate::proxy::{Plan, Proxy};

/// Longest real time for everything after the repair; an attempt that hangs takes 10 s.
const PATIENCE: Duration = Duration::from_mins(1);
/// Step of the clock: longer than every first pause of a breaker.
const STEP: Duration = Duration::from_secs(65);
/// Steps after which nothing more is expected: three hours.
const STEPS: u32 = 170;
/// Pause between two steps, so that lanes can act.
const BREATH: Duration = Duration::from_millis(60);
/// Less than the window of any limit, more than a cell takes otherwise: only the clock's steps reach it.
const A_WINDOW_MS: i64 = 60_000;
/// The fallback's inbox.
const BACKUP: &str = "webhook=sim-dba-group";
const FIRST: &str = "甲先来的";
const NEXT: &str = "乙后来的";

/// The channel of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    App,
    Chat,
    Webhook,
    Hook,
}

impl Channel {
    pub const ALL: [Self; 4] = [Self::App, Self::Chat, Self::Webhook, Self::Hook];

    const fn target(self, fault: Fault) -> &'static str {
        match (self, fault) {
            (Self::App, Fault::Ghost) => "{ app: ops, users: [daixuan, ghost], face: markdown }",
            (Self::App, Fault::Uploads(_)) => "{ app: ops, users: [daixuan], face: news, image: true }",
            (Self::Chat, Fault::Uploads(_)) => "{ app: ops, chat: AITest, face: news, image: true }",
            (Self::App, _) => "{ app: ops, users: [daixuan], face: markdown }",
            (Self::Chat, _) => "{ app: ops, chat: AITest, face: markdown }",
            (Self::Webhook, _) => "{ webhook: ops-group, face: markdown_v2 }",
            (Self::Hook, _) => "{ hook: pager }",
        }
    }

    /// The simulator's match for its sends.
    fn call(self) -> Value {
        match self {
            Self::App => json!({ "path": "message/send" }),
            Self::Chat => json!({ "path": "appchat/send" }),
            Self::Webhook => json!({ "path": "webhook/send", "key": "sim-ops-group" }),
            Self::Hook => json!({}),
        }
    }

    const fn inbox(self) -> &'static str {
        match self {
            Self::App => "user=daixuan",
            Self::Chat => "chat=AITest",
            Self::Webhook | Self::Hook => "webhook=sim-ops-group",
        }
    }
}

/// The database of the gateway.
#[derive(Debug, Clone)]
pub enum Store {
    Sqlite,
    /// An empty database each time, on the server with this URL.
    Postgres(String),
}

/// A world with one lane, and everything in it that can fail.
struct Cell {
    world: World,
    ear: Ear,
    /// In front of WeCom, or of the hook's receiver.
    proxy: Proxy,
    channel: Channel,
    fault: Fault,
    rest: String,
    database: String,
    stranger: Option<Stranger>,
    /// The gateway, if it is to be killed.
    process: Option<Wegraf>,
    seen: Seen,
}

/// Lets a message meet the fault, repairs it, and returns what was seen.
pub async fn run(fault: Fault, channel: Channel, store: &Store) -> Seen {
    let mut cell = Cell::new(fault, channel, store).await;
    let first = match fault {
        Fault::Kill { taken } => cell.kill(taken).await,
        Fault::Full => cell.spend().await,
        _ => cell.meet().await,
    };
    cell.repair().await;
    cell.wait().await;
    if fault.strikes_alone() {
        cell.post(NEXT).await;
        cell.wait().await;
    }
    cell.look(first).await;
    cell.seen
}

impl Cell {
    async fn new(fault: Fault, channel: Channel, store: &Store) -> Self {
        let target = channel.target(fault);
        let rest = format!(
            "images: {{ hosts: [127.0.0.1] }}\nhooks: {{ pager: {{ url: HOOK/canary }} }}\nreceivers:\n  ops: {{ fallback: backup, targets: [ {target} ] }}\n  backup: {{ targets: [ {{ webhook: dba-group, face: text }} ] }}\nroute: {{ receiver: ops }}\n"
        );
        let mut world = World::idle(Setup::demo(), "receivers: {}\nroute: { receiver: none }\n").await;
        world.stand_still();
        let ear = Ear::start().await;
        let wecom = world.simulator.url().trim_start_matches("http://").parse().unwrap();
        let proxy = Proxy::start(if channel == Channel::Hook { ear.address } else { wecom }).await;
        let database = match store {
            Store::Sqlite => "sqlite:wegraf.db".to_owned(),
            Store::Postgres(url) => {
                let url = url.clone();
                let make = move || Server::Given(url).schema(&format!("wegraf_cell_{}", rand::random::<u64>()));
                tokio::task::spawn_blocking(make).await.unwrap().unwrap()
            }
        };
        let (stranger, process, seen) = (None, None, Seen::default());
        let mut cell = Self { world, ear, proxy, channel, fault, rest, database, stranger, process, seen };
        cell.configure();
        if matches!(fault, Fault::Kill { .. }) {
            cell.process = Some(Wegraf::serve(&mut cell.world).await);
            return cell;
        }
        cell.world.start().await;
        if !matches!(fault, Fault::Tokens(..)) {
            // With a token and a connection, as usual.
            let message = cell.post("热身").await;
            cell.world.delivery(message, |delivery| delivery.row.state == State::Sent).await;
        }
        cell
    }

    /// Writes the configuration: all connections go through the proxy, or to the stranger.
    fn configure(&self) {
        let (simulator, proxy) = (self.world.simulator.url(), self.proxy.url());
        let there = self.stranger.as_ref().map_or(&proxy, |stranger| &stranger.url);
        let (wecom, hook) = match self.channel {
            Channel::Hook => (&simulator, there),
            _ => (there, &proxy),
        };
        let authority = self.stranger.as_ref().and_then(|stranger| stranger.authority.as_ref());
        let trust = authority.map_or(String::new(), |pem| {
            self.world.write("ca.pem", pem);
            "\n  ca_file: ca.pem".to_owned()
        });
        let text = self.world.config_text("127.0.0.1:0", &self.rest);
        let text = text
            .replace(&format!("api_url: {simulator}"), &format!("api_url: {wecom}{trust}"))
            .replace("HOOK", hook)
            .replace("sqlite:wegraf.db", &self.database);
        self.world.write("wegraf.yaml", &text);
    }

    async fn post(&self, name: &str) -> i64 {
        let mut body = alertmanager(name, &[("db-1", "firing")]);
        if let Fault::Uploads(_) = self.fault {
            let picture = format!("{}/_simulator/sample.png", self.world.simulator.url());
            body = body.replace("\"generatorURL\"", &format!("\"imageURL\":\"{picture}\",\"generatorURL\""));
        }
        self.world.accept("/webhook", body).await;
        let rows = self.world.deliveries().await;
        rows.iter().find(|row| row.name == name && row.origin.is_none()).expect("it is in the outbox").message
    }

    /// Ends a lasting fault.
    async fn repair(&mut self) {
        match self.fault {
            Fault::Network(_) | Fault::Kill { .. } => self.proxy.set(Plan::Pass).await,
            Fault::Lasting(_) => {
                self.ear.repair();
                self.world.control("DELETE", "faults", json!({})).await;
            }
            Fault::Elsewhere(_) => {
                self.stranger = None;
                self.configure();
                self.world.app().reload();
            }
            _ => {}
        }
    }

    /// Lets time pass until everything is told, or clearly never will be.
    async fn wait(&mut self) {
        let (begun, mut steps) = (Instant::now(), 0);
        while begun.elapsed() < PATIENCE && steps < STEPS {
            self.note_breakers().await;
            if self.world.app().store().audit().await.unwrap().pending == 0 {
                break;
            }
            // While something is in flight the clock stands still.
            if !self.rows().await.iter().any(|row| row.state == State::Sending) {
                self.world.pass(STEP);
                steps += 1;
            }
            tokio::time::sleep(BREATH).await;
        }
    }

    async fn rows(&self) -> Vec<DeliveryRow> {
        self.world.deliveries().await
    }

    async fn note_breakers(&mut self) {
        let config = self.world.app().config();
        for open in self.world.app().store().breakers().await.unwrap() {
            let called = wegraf::internals::deliver::called(&config, &open.scope);
            // The port of a host is different each time.
            let scope = if called.starts_with("host/") { "host" } else { called.as_str() };
            self.seen.breakers.insert(format!("{scope} {}", open.reason));
        }
    }

    /// The messages, and the record of the first attempt.
    async fn look(&mut self, message: i64) {
        let delivery = self.world.delivery(message, |_| true).await;
        delivery.row.state.as_str().clone_into(&mut self.seen.state);
        self.seen.plain = delivery.row.face.as_deref() == Some("plain");
        let tried = delivery.attempts.first().expect("it was tried");
        // An attempt whose process ended before recording it has an unknown result.
        self.seen.first = tried.outcome.clone().unwrap_or_else(|| "unsure".to_owned());
        self.seen.waited = tried.at.millis_since(delivery.row.created_at) >= A_WINDOW_MS;
        let counters = self.world.control("GET", "counters", json!({})).await;
        self.seen.dropped = counters["silent_drops"].as_u64().expect("a number");
        let texts = self.texts().await;
        let of = |name: &str| texts.iter().filter(|text| text.contains(name)).collect::<Vec<_>>();
        let own = of(FIRST);
        self.seen.copies = own.len();
        self.seen.marked = own.iter().filter(|text| text.contains("可能重复")).count();
        self.seen.first_marked = own.first().is_some_and(|text| text.contains("可能重复"));
        self.seen.next = of(NEXT).len();
        let backup = self.world.inbox(BACKUP).await;
        let told: Vec<String> = backup.iter().map(|message| message["content"].to_string()).collect();
        let told: Vec<&String> = told.iter().filter(|text| text.contains(FIRST) && text.contains("转自")).collect();
        self.seen.fallback = told.len();
        self.seen.missed = told.iter().any(|text| text.contains("ghost"));
    }

    /// What arrived at the channel, the oldest first; of copies with one `Idempotency-Key`, the first.
    async fn texts(&self) -> Vec<String> {
        if self.channel != Channel::Hook {
            let messages = self.world.inbox(self.channel.inbox()).await;
            return messages.iter().map(|message| message["content"].to_string()).collect();
        }
        let mut keys = std::collections::HashSet::new();
        self.ear.heard().into_iter().filter(|heard| keys.insert(heard.key.clone())).map(|heard| heard.body).collect()
    }
}
