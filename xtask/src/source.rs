//! Plays Alertmanager: groups of alerts that fire, end and fire again; each notification repeated until it is answered
//! 2xx, and a highly available twin that sends the same a little later.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::http;
use crate::ledger::{Address, Channel, Kind, Said};

/// Alerts of one group at most.
const ALERTS: usize = 3;
/// Groups of one address: their notifications interleave in its lane.
const GROUPS: usize = 2;
/// Between two tries of one notification, in milliseconds: Alertmanager's own begin there and grow, but here the
/// gateway is down for much less than a second.
const RETRY_MS: std::ops::Range<u64> = 20..200;
/// How far the twin lags behind, in milliseconds.
const LAG_MS: std::ops::Range<u64> = 0..2000;
/// Alertmanager's own patience with a webhook.
const DEADLINE: Duration = Duration::from_secs(10);

/// News an address is told in a minute on average. At most half of what WeCom accepts: the backlog of a downtime must
/// fit beside it.
pub const fn moderate(address: &Address) -> u64 {
    match address.channel {
        Channel::App => 12,
        Channel::Chat => 60,
        Channel::Webhook => 8,
    }
}

/// What the senders remember.
#[derive(Debug, Default)]
pub struct Memory {
    /// Changes that were sent at all.
    pub posted: HashSet<Said>,
    /// Changes that were answered 2xx, each once, in the order of each alert.
    pub accepted: Vec<Said>,
    /// Notifications that were answered 2xx, repetitions and the twin's included.
    pub taken: u64,
    /// Requests that failed or were refused.
    pub failed: u64,
}

/// Running senders.
pub struct Source {
    memory: Arc<Mutex<Memory>>,
    stop: watch::Sender<bool>,
    taken: watch::Receiver<u64>,
    groups: JoinSet<()>,
}

impl Source {
    /// Starts senders for every address; they post to `to`.
    pub fn start(to: SocketAddr, addresses: &[Address], seed: u64) -> Self {
        Self::start_with(to, addresses, seed, moderate)
    }

    /// The same with so many news a minute for each address.
    pub fn start_with(to: SocketAddr, addresses: &[Address], seed: u64, pace: impl Fn(&Address) -> u64) -> Self {
        let memory: Arc<Mutex<Memory>> = Arc::default();
        let (stop, stopped) = watch::channel(false);
        let (count, taken) = watch::channel(0);
        let post = Post { to, memory: memory.clone(), count: Arc::new(count) };
        let mut groups = JoinSet::new();
        for (number, address) in addresses.iter().enumerate() {
            for group in 0..GROUPS {
                let number = number * GROUPS + group;
                let rng = StdRng::seed_from_u64(seed.wrapping_add(number as u64));
                groups.spawn(Group::new(number, address, pace(address), rng, post.clone()).run(stopped.clone()));
            }
        }
        Self { memory, stop, taken, groups }
    }

    /// Waits until a notification is answered 2xx.
    pub async fn next_taken(&self) {
        let mut taken = self.taken.clone();
        taken.mark_unchanged();
        // An error means that the senders have ended.
        taken.changed().await.ok();
    }

    /// Lets every sender finish what it has begun, which needs a gateway that answers; what they remember.
    pub async fn finish(mut self) -> Memory {
        self.stop.send_replace(true);
        while self.groups.join_next().await.is_some() {}
        std::mem::take(&mut *self.memory.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Posts and remembers.
#[derive(Clone)]
struct Post {
    to: SocketAddr,
    memory: Arc<Mutex<Memory>>,
    count: Arc<watch::Sender<u64>>,
}

impl Post {
    /// Repeats a notification until it is answered 2xx. `news` are the changes it brings, none for a repetition.
    async fn until_taken(&self, body: &str, news: &[Said], mut rng: StdRng) {
        self.with(|memory| memory.posted.extend(news.iter().cloned()));
        loop {
            let answer = http::send(self.to, "POST", "/webhook", body, DEADLINE).await;
            if answer.is_ok_and(|answer| answer.is_2xx()) {
                break;
            }
            self.with(|memory| memory.failed += 1);
            tokio::time::sleep(Duration::from_millis(rng.random_range(RETRY_MS))).await;
        }
        self.with(|memory| {
            memory.accepted.extend(news.iter().cloned());
            memory.taken += 1;
        });
        self.count.send_modify(|count| *count += 1);
    }

    fn with(&self, change: impl FnOnce(&mut Memory)) {
        change(&mut self.memory.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// One alert as its sender sees it.
struct Alert {
    word: String,
    /// When the episode began; it is over if `ended` is set.
    began: i64,
    ended: Option<i64>,
}

/// One group of Alertmanager.
struct Group {
    name: String,
    receiver: String,
    critical: bool,
    pause_ms: u64,
    alerts: Vec<Alert>,
    rng: StdRng,
    post: Post,
}

impl Group {
    fn new(number: usize, address: &Address, pace: u64, mut rng: StdRng, post: Post) -> Self {
        let alerts = (0..rng.random_range(1..=ALERTS))
            .map(|alert| Alert { word: format!("q{number:04}z{alert}z"), began: 0, ended: Some(0) })
            .collect();
        Self {
            name: format!("Group{number}"),
            receiver: address.receiver.clone(),
            critical: number.is_multiple_of(5),
            pause_ms: 60_000 * GROUPS as u64 / pace,
            alerts,
            rng,
            post,
        }
    }

    async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut twin: Option<tokio::task::JoinHandle<()>> = None;
        loop {
            let pause = Duration::from_millis(self.rng.random_range(0..=2 * self.pause_ms));
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = stop.wait_for(|stop| *stop) => break,
            }
            let (news, shown) = self.change();
            let rng = self.fork();
            self.post.until_taken(&self.body(&shown, "a"), &news, rng).await;
            // A peer never goes back in time: its copy of the one before has been taken when the next one leaves.
            if let Some(twin) = twin.take() {
                twin.await.expect("a sender does not panic");
            }
            if self.rng.random_bool(0.3) {
                let (post, body, mut rng) = (self.post.clone(), self.body(&shown, "b"), self.fork());
                twin = Some(tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(rng.random_range(LAG_MS))).await;
                    post.until_taken(&body, &[], rng).await;
                }));
            } else if self.rng.random_bool(0.1) {
                let rng = self.fork();
                self.post.until_taken(&self.body(&shown, "a"), &[], rng).await;
            }
        }
        if let Some(twin) = twin {
            twin.await.expect("a sender does not panic");
        }
    }

    fn fork(&mut self) -> StdRng {
        StdRng::seed_from_u64(self.rng.random())
    }

    /// Changes at least one alert. What is news, and which alerts the notification shows: what changed, and what goes
    /// on.
    fn change(&mut self) -> (Vec<Said>, Vec<usize>) {
        let now = now();
        let first = self.rng.random_range(0..self.alerts.len());
        let (mut news, mut shown) = (Vec::new(), Vec::new());
        for number in 0..self.alerts.len() {
            let changes = number == first || self.rng.random_bool(0.3);
            let alert = &mut self.alerts[number];
            let fires = alert.ended.is_some();
            if changes && fires {
                // Never the same episode again.
                *alert = Alert { began: now.max(alert.began + 1), ended: None, word: std::mem::take(&mut alert.word) };
            } else if changes {
                alert.ended = Some(now.max(alert.began + 1));
            }
            if changes {
                let kind = if fires { Kind::Firing } else { Kind::Resolved };
                let (word, receiver) = (alert.word.clone(), self.receiver.clone());
                news.push(Said { word, starts_at: alert.began, kind, receiver });
            }
            if changes || !fires {
                shown.push(number);
            }
        }
        (news, shown)
    }

    /// The notification as peer `a` or `b` sends it: they differ in their external URL.
    fn body(&self, shown: &[usize], peer: &str) -> String {
        let severity = if self.critical { "critical" } else { "warning" };
        let alerts: Vec<Value> = shown.iter().map(|&number| self.alert(&self.alerts[number], severity)).collect();
        let firing = alerts.iter().any(|alert| alert["status"] == "firing");
        json!({
            "version": "4", "receiver": "wegraf", "status": if firing { "firing" } else { "resolved" },
            "alerts": alerts,
            "groupLabels": { "alertname": self.name }, "commonLabels": { "alertname": self.name }, "commonAnnotations": {},
            "externalURL": format!("http://alertmanager-{peer}.example.com"),
            "groupKey": format!("{{}}:{{alertname=\"{}\"}}", self.name), "truncatedAlerts": 0,
        })
        .to_string()
    }

    fn alert(&self, alert: &Alert, severity: &str) -> Value {
        let kind = if alert.ended.is_some() { Kind::Resolved } else { Kind::Firing };
        let said = Said { word: alert.word.clone(), starts_at: alert.began, kind, receiver: String::new() };
        json!({
            "status": kind.as_str(),
            "labels": { "alertname": self.name, "instance": alert.word, "severity": severity, "to": self.receiver },
            "annotations": { "summary": said.token() },
            "startsAt": rfc3339(alert.began),
            "endsAt": alert.ended.map_or_else(|| "0001-01-01T00:00:00Z".to_owned(), rfc3339),
            "generatorURL": "http://prometheus.example.com/graph",
        })
    }
}

/// The clock of the machine, in Unix milliseconds.
pub fn now() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "a sender's alerts begin when they begin")]
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| i64::try_from(now.as_millis()).unwrap_or(i64::MAX))
}

fn rfc3339(millis: i64) -> String {
    jiff::Timestamp::from_millisecond(millis).map(|time| time.to_string()).unwrap_or_default()
}
