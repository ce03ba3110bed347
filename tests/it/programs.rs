//! Third-party programs as witnesses: found, started in the folder of a test, waited for, killed on drop.
//!
//! A test whose program is not installed prints that and passes; with `WEGRAF_TEST_EVERYTHING` set, as `./test` does
//! after it has installed them all, it fails instead.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::routing::get;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use wegraf::internals::time::Clock;
use xtask::gateway::free;

use crate::harness::PATIENCE;

/// Where `program` is: a name on the path, or a file below the repository's folder.
pub fn find(program: &str) -> Option<PathBuf> {
    let found = if program.contains('/') {
        Some(Path::new(env!("CARGO_MANIFEST_DIR")).join(program)).filter(|file| file.exists())
    } else {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.exists())
    };
    if found.is_none() {
        assert!(std::env::var_os("WEGRAF_TEST_EVERYTHING").is_none(), "{program} is missing: run ./test install");
        eprintln!("skipped: {program} is not installed; ./test install does that");
    }
    found
}

/// A running program, its output in a file.
pub struct Program {
    child: Child,
    log: PathBuf,
}

impl Program {
    /// Starts `path` in `folder`.
    pub fn start(path: &Path, folder: &Path, arguments: &[&str]) -> Self {
        let log = folder.join(format!("{}.log", path.file_name().unwrap().display()));
        let out = File::create(&log).unwrap();
        let error = out.try_clone().unwrap();
        let child = Command::new(path)
            .args(arguments)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(error)
            .spawn()
            .unwrap();
        Self { child, log }
    }

    /// What it wrote so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap()).into_owned()
    }

    /// Waits until it says at which port it listens; both servers of the Prometheus project do that in the same words.
    async fn listening(&mut self) -> String {
        let begun = Instant::now();
        loop {
            let log = self.log();
            let said = log.lines().find_map(|line| line.split_once("msg=\"Listening on\" address="));
            if let Some((_, address)) = said {
                return format!("http://{}", address.split_whitespace().next().unwrap());
            }
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none() && begun.elapsed() < PATIENCE, "it does not start ({ended:?}): {log}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself. Waiting makes sure that it writes no more to a folder that is going away.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks again and again until `ask` gives something.
pub async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(begun.elapsed() < PATIENCE, "{what}: it did not happen");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A server of the Prometheus project.
pub struct Server {
    program: Program,
    http: reqwest::Client,
    pub url: String,
}

impl Server {
    async fn start(path: &Path, folder: &Path, arguments: &[&str]) -> Self {
        let mut program = Program::start(path, folder, arguments);
        let url = program.listening().await;
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let server = Self { program, http, url };
        until("the server is ready", async || server.get("/-/ready").await.map(drop)).await;
        server
    }

    /// Alertmanager with `rest` (route, receivers) as its configuration and short waits.
    pub async fn alertmanager(folder: &Path, rest: &str) -> Option<Self> {
        Self::peer(folder, rest, "alertmanager", &["--cluster.listen-address="]).await
    }

    /// A highly available pair that has formed a cluster: the second one waits a second for the first, and notifies
    /// only if it was not told that the first did.
    pub async fn pair(folder: &Path, rest: &str) -> Option<[Self; 2]> {
        let (first, second) = (free().unwrap(), free().unwrap());
        let mut peers = Vec::new();
        for (name, own, other) in [("alertmanager-a", first, second), ("alertmanager-b", second, first)] {
            let listen = format!("--cluster.listen-address={own}");
            let peer = format!("--cluster.peer={other}");
            let short =
                ["--cluster.peer-timeout=1s", "--cluster.gossip-interval=50ms", "--cluster.pushpull-interval=1s"];
            let cluster = [&[listen.as_str(), &peer], &short[..]].concat();
            peers.push(Self::peer(folder, rest, name, &cluster).await?);
        }
        for peer in &peers {
            let ready =
                async || peer.get("/api/v2/status").await.filter(|status| status.contains(r#""status":"ready""#));
            until("the pair has settled", ready).await;
            peer.counted("alertmanager_cluster_members", "", 2).await;
        }
        peers.try_into().ok()
    }

    /// Two that do not know each other, as after a partition: each notifies.
    pub async fn strangers(folder: &Path, rest: &str) -> Option<[Self; 2]> {
        let alone = ["--cluster.listen-address="];
        let first = Self::peer(folder, rest, "alertmanager-a", &alone).await?;
        Some([first, Self::peer(folder, rest, "alertmanager-b", &alone).await?])
    }

    /// One Alertmanager, in a folder of its own below `folder` and with an external URL of its own.
    pub async fn peer(folder: &Path, rest: &str, name: &str, cluster: &[&str]) -> Option<Self> {
        let path = find("prometheus-alertmanager")?;
        let folder = folder.join(name);
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("alertmanager.yml"), rest).unwrap();
        let url = format!("--web.external-url=http://{name}.example.com");
        let own = [
            "--config.file=alertmanager.yml",
            "--storage.path=data",
            "--web.listen-address=127.0.0.1:0",
            &url,
            "--web.route-prefix=/",
        ];
        Some(Self::start(&path, &folder, &[&own, cluster].concat()).await)
    }

    /// Prometheus, which scrapes and evaluates twice a second and resends every second; `rest` is `alerting` and
    /// `scrape_configs`, `rules` the rules of one group.
    pub async fn prometheus(folder: &Path, rest: &str, rules: &str) -> Option<Self> {
        let path = find("prometheus")?;
        let global = "global: { scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms }\n";
        std::fs::write(folder.join("prometheus.yml"), format!("{global}rule_files: [rules.yml]\n{rest}")).unwrap();
        std::fs::write(folder.join("rules.yml"), format!("groups:\n  - name: witness\n    rules:\n{rules}")).unwrap();
        let arguments = [
            "--config.file=prometheus.yml",
            "--storage.tsdb.path=prometheus",
            "--web.listen-address=127.0.0.1:0",
            "--web.external-url=http://prometheus.example.com",
            "--web.route-prefix=/",
            "--rules.alert.resend-delay=1s",
        ];
        Some(Self::start(&path, folder, &arguments).await)
    }

    /// The text at `path`, if it answers 200.
    pub async fn get(&self, path: &str) -> Option<String> {
        let answer = self.http.get(format!("{}{path}", self.url)).send().await.ok()?;
        if answer.status() == 200 { answer.text().await.ok() } else { None }
    }

    /// The sum of its own counter `name` over all series that hold `labels` (`integration="webhook"`).
    pub async fn counter(&self, name: &str, labels: &str) -> u64 {
        let text = self.get("/metrics").await.expect("it serves its metrics");
        let series = text.lines().filter(|line| line.starts_with(name) && line.contains(labels));
        series.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum()
    }

    /// Waits until the counter has reached `least`.
    pub async fn counted(&self, name: &str, labels: &str, least: u64) {
        let reached = async || (self.counter(name, labels).await >= least).then_some(());
        until(&format!("{name} {labels} reaches {least}; {}", self.program.log()), reached).await;
    }

    /// Posts alerts to an Alertmanager, as its clients do.
    pub async fn fire(&self, alerts: &[Value]) {
        let answer = self.http.post(format!("{}/api/v2/alerts", self.url)).json(alerts).send().await.unwrap();
        let status = answer.status();
        assert_eq!(status, 200, "{}", answer.text().await.unwrap());
    }

    /// The instant value of an expression in a Prometheus.
    pub async fn query(&self, expression: &str) -> Option<f64> {
        let request = self.http.get(format!("{}/api/v1/query", self.url)).query(&[("query", expression)]);
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        answer["data"]["result"][0]["value"][1].as_str()?.parse().ok()
    }
}

/// RFC 3339, so many seconds ago.
pub fn ago(seconds: i64) -> String {
    Timestamp::from_millisecond(Clock::System.now().0 - seconds * 1000).unwrap().to_string()
}

/// An alert for an Alertmanager: it began 12 minutes ago and, if `over`, has just ended.
pub fn alert(labels: &Value, summary: &str, over: bool) -> Value {
    let mut alert = json!({
        "labels": labels, "annotations": { "summary": summary }, "startsAt": ago(12 * 60),
        "generatorURL": "http://prometheus.example.com/graph?g0.expr=up+%3D%3D+0&g0.tab=1",
    });
    if over {
        alert["endsAt"] = ago(0).into();
    }
    alert
}

/// An exporter whose metrics a test sets; a Prometheus scrapes it.
pub struct Exporter {
    text: Arc<Mutex<String>>,
    /// `host:port`.
    pub address: String,
}

impl Exporter {
    /// Serves `metrics` until the test ends.
    pub async fn start(metrics: &str) -> Self {
        let text = Arc::new(Mutex::new(metrics.to_owned()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let served = text.clone();
        let handler = get(move || std::future::ready(served.lock().unwrap().clone()));
        tokio::spawn(async { axum::serve(listener, axum::Router::new().route("/metrics", handler)).await });
        Self { text, address }
    }

    /// From now on it serves these.
    pub fn set(&self, metrics: &str) {
        metrics.clone_into(&mut self.text.lock().unwrap());
    }
}
