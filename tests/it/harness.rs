//! A gateway and a WeCom for one test: both on ports of their own, the store in a folder of its own.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};
use wecom_simulator::{Setup, Simulator};
use wegraf::internals::alert::Timestamp;
use wegraf::internals::app::App;
use wegraf::internals::config::Config;
use wegraf::internals::store::{Delivery, DeliveryFilter, DeliveryRow, Followed};
use wegraf::internals::time::Clock;

/// Longest wait for something that is about to happen; reached only by a test that fails.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// A receiver of each kind; tests that need others write their own configuration.
pub const EVERY_CHANNEL: &str = r"
receivers:
  people: { targets: [ { app: ops, users: [daixuan, zhangsan], face: news } ] }
  chat:   { targets: [ { app: ops, chat: AITest, face: markdown } ] }
  group:  { targets: [ { webhook: ops-group, face: markdown_v2 } ] }
  all:
    targets:
      - { app: ops, users: [daixuan, zhangsan], face: news }
      - { app: ops, chat: AITest, face: markdown }
      - { webhook: ops-group, face: markdown_v2 }
route: { receiver: all }
";

/// A simulator, and a gateway that sends to it.
pub struct World {
    pub simulator: Simulator,
    pub folder: TempDir,
    pub http: reqwest::Client,
    /// Where alerts go: the gateway in this process, or a [`crate::process::Wegraf`].
    pub url: String,
    clock: Clock,
    gateway: Option<App>,
    /// Ends the gateway when the world is dropped: a test may have hundreds of them.
    stop: Option<DropGuard>,
    running: Option<JoinHandle<anyhow::Result<()>>>,
}

/// TLS for clients, once a process.
pub fn crypto() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| rustls::crypto::ring::default_provider().install_default().expect("it is the first one"));
}

impl World {
    /// With `rest` (receivers, route, sources …) behind the accounts of the demo corp.
    pub async fn new(rest: &str) -> Self {
        let mut world = Self::idle(Setup::demo(), rest).await;
        world.start().await;
        world
    }

    /// The same with another WeCom.
    pub async fn with(setup: Setup, rest: &str) -> Self {
        let mut world = Self::idle(setup, rest).await;
        world.start().await;
        world
    }

    /// The same with a clock that only [`World::pass`] moves.
    pub async fn at_a_standstill(rest: &str) -> Self {
        Self::with_at_a_standstill(Setup::demo(), rest).await
    }

    /// The same with another WeCom.
    pub async fn with_at_a_standstill(setup: Setup, rest: &str) -> Self {
        let mut world = Self::idle(setup, rest).await;
        world.stand_still();
        world.start().await;
        world
    }

    /// Stops the clock of a world without a gateway.
    pub fn stand_still(&mut self) {
        self.stand_still_at(Clock::System.now());
    }

    /// The same, at a time of the test's choice.
    pub fn stand_still_at(&mut self, now: Timestamp) {
        self.clock = Clock::Manual(Arc::new(AtomicI64::new(now.0)));
    }

    /// A simulator and a configuration, but no gateway yet.
    pub async fn idle(setup: Setup, rest: &str) -> Self {
        crypto();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let simulator = Simulator::start(listener, setup).await;
        // No connection is kept: on a busy machine the gateway may just have closed one that a test uses.
        let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap();
        let folder = TempDir::new().unwrap();
        let world = Self {
            simulator,
            folder,
            http,
            url: String::new(),
            clock: Clock::System,
            gateway: None,
            stop: None,
            running: None,
        };
        world.write_config(rest);
        world
    }

    /// Moves the clock of a world at a standstill, and lets the lanes look.
    pub fn pass(&self, time: Duration) {
        let Clock::Manual(now) = &self.clock else { panic!("this world has the machine's clock") };
        now.fetch_add(i64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
        if let Some(app) = &self.gateway {
            app.store().wake();
        }
    }

    /// Writes a file beside the configuration.
    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).unwrap();
    }

    /// The configuration file.
    pub fn config_path(&self) -> std::path::PathBuf {
        self.folder.path().join("wegraf.yaml")
    }

    /// Writes the configuration file: the demo corp's accounts, then `rest`.
    pub fn write_config(&self, rest: &str) {
        std::fs::write(self.config_path(), self.config_text("127.0.0.1:0", rest)).unwrap();
    }

    /// The text of a configuration that sends to this simulator.
    pub fn config_text(&self, listen: &str, rest: &str) -> String {
        format!(
            "listen: {listen}\ndatabase: sqlite:wegraf.db\nwecom:\n  api_url: {}\n  apps:\n    ops: {{ corp_id: wwsimcorp0000001, agent_id: 1000002, secret: sim-app-secret }}\n  webhooks:\n    ops-group: {{ key: sim-ops-group }}\n    dba-group: {{ key: sim-dba-group }}\n    gone: {{ key: no-such-key }}\n{rest}",
            self.simulator.url()
        )
    }

    /// Starts the gateway on the configuration file.
    pub async fn start(&mut self) {
        self.start_at(SocketAddr::from(([127, 0, 0, 1], 0))).await;
    }

    /// The same at an address that others know already.
    pub async fn start_at(&mut self, address: SocketAddr) {
        let (config, _) = Config::load(&self.config_path()).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
        self.start_on(config, address).await;
    }

    /// The same on a configuration that no file could contain.
    pub async fn start_on(&mut self, config: Config, address: SocketAddr) {
        let app = App::open(config, self.clock.clone()).await.unwrap();
        let listener = TcpListener::bind(address).await.unwrap();
        self.url = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        // Its regular end is tested with the built program.
        self.running = Some(tokio::spawn(wegraf::internals::app::run(app.clone(), listener, stop.clone())));
        self.stop = Some(stop.drop_guard());
        self.gateway = Some(app);
    }

    /// Ends the gateway; the store is free afterwards.
    pub async fn stop(&mut self) {
        self.stop = None;
        self.gateway = None;
        self.running.take().expect("the gateway runs").await.unwrap().unwrap();
    }

    /// The gateway's shared state.
    pub fn app(&self) -> &App {
        self.gateway.as_ref().expect("the gateway runs")
    }

    /// The firing alerts, with what their upstreams said last.
    pub async fn followed(&self) -> Vec<Followed> {
        let store = self.app().store();
        store.followed(store.firing_rows().await.unwrap()).await.unwrap()
    }

    /// Posts JSON to the gateway; the status and the answer.
    pub async fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> (u16, Value) {
        let request = self.http.post(format!("{}{path}", self.url)).header("content-type", "application/json");
        let answer = request.body(body).send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// Posts JSON that must be accepted.
    pub async fn accept(&self, path: &str, body: impl Into<reqwest::Body>) -> Value {
        let (status, answer) = self.post(path, body).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    /// What a member (`user=…`), a chat (`chat=…`) or a webhook's group (`webhook=…`) sees.
    pub async fn inbox(&self, whose: &str) -> Vec<Value> {
        let url = format!("{}/_simulator/messages?{whose}", self.simulator.url());
        let answer: Value = self.http.get(url).send().await.unwrap().json().await.unwrap();
        let list = answer.get("messages").unwrap_or(&answer);
        list.as_array().unwrap_or_else(|| panic!("{answer}")).clone()
    }

    /// Waits until `whose` has `count` messages and returns them; more than that is a failure.
    pub async fn arrived(&self, whose: &str, count: usize) -> Vec<Value> {
        let begun = Instant::now();
        loop {
            let messages = self.inbox(whose).await;
            if messages.len() >= count || begun.elapsed() > PATIENCE {
                assert_eq!(messages.len(), count, "messages of {whose}: {messages:#?}");
                return messages;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until every transition has its fate.
    pub async fn settled(&self) {
        let begun = Instant::now();
        while self.app().store().audit().await.unwrap().pending > 0 {
            assert!(
                begun.elapsed() < PATIENCE,
                "transitions are still pending: {:?}",
                self.app().store().audit().await
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(self.app().store().audit().await.unwrap().imbalance, 0);
    }

    /// Messages in the store, the oldest first.
    pub async fn deliveries(&self) -> Vec<DeliveryRow> {
        let mut rows =
            self.app().store().deliveries(DeliveryFilter { limit: 1000, ..DeliveryFilter::default() }).await.unwrap();
        rows.reverse();
        rows
    }

    /// Everything about a message, once it satisfies `wanted`.
    pub async fn delivery(&self, message: i64, wanted: impl Fn(&Delivery) -> bool) -> Delivery {
        let begun = Instant::now();
        loop {
            let delivery = self.app().store().delivery(message).await.unwrap().expect("there is such a message");
            if wanted(&delivery) {
                return delivery;
            }
            assert!(begun.elapsed() < PATIENCE, "this is still not what it should be: {delivery:#?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The value of a metric, by name and labels as they are printed; 0 if it is not there.
    pub async fn metric(&self, name: &str) -> f64 {
        let text = self.http.get(format!("{}/metrics", self.url)).send().await.unwrap().text().await.unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.parse().unwrap())
    }

    /// Calls the simulator's control API.
    pub async fn control(&self, method: &str, path: &str, body: Value) -> Value {
        let url = format!("{}/_simulator/{path}", self.simulator.url());
        let answer = self.http.request(method.parse().unwrap(), url).json(&body).send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{method} {path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// Makes the next matching calls fail: see the simulator's README.
    pub async fn fault(&self, fault: Value) {
        self.control("POST", "faults", fault).await;
    }

    /// Recorded calls of a path below `/cgi-bin/`.
    pub async fn requests(&self, path: &str) -> Vec<Value> {
        let url = format!("{}/_simulator/requests?path={path}", self.simulator.url());
        let answer: Value = self.http.get(url).send().await.unwrap().json().await.unwrap();
        let list = answer.get("requests").unwrap_or(&answer);
        list.as_array().unwrap_or_else(|| panic!("{answer}")).clone()
    }
}

/// One of the repository's own payloads.
pub fn payload(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/payloads").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// An Alertmanager webhook with one alert per `(instance, status)`.
pub fn alertmanager(name: &str, alerts: &[(&str, &str)]) -> String {
    let alerts: Vec<Value> = alerts
        .iter()
        .map(|(instance, status)| {
            json!({
                "status": status,
                "labels": { "alertname": name, "instance": instance, "severity": "warning" },
                "annotations": { "summary": format!("{instance} 不好了") },
                "startsAt": "2026-11-22T06:02:00Z",
                "endsAt": if *status == "resolved" { "2026-11-22T06:20:00Z" } else { "0001-01-01T00:00:00Z" },
                "generatorURL": "http://prometheus.example.com/graph?g0.expr=up",
            })
        })
        .collect();
    let status = if alerts.iter().any(|alert| alert["status"] == "firing") { "firing" } else { "resolved" };
    json!({
        "version": "4", "receiver": "wegraf", "status": status, "alerts": alerts,
        "groupLabels": { "alertname": name }, "commonLabels": { "alertname": name }, "commonAnnotations": {},
        "externalURL": "http://alertmanager.example.com", "groupKey": format!("{{}}:{{alertname=\"{name}\"}}"), "truncatedAlerts": 0,
    })
    .to_string()
}
