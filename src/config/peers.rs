//! The peers of wegraf, as the running program uses them: sources, WeCom, upstreams, mail server, hooks.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;

use super::{Network, Proof};
use crate::alert::{Alert, Steady};
use crate::route::Matcher;
use crate::subject::Taught;

/// A configured sender.
#[derive(Debug)]
pub struct Source {
    /// Its name, recorded with every notification.
    pub name: String,
    /// Its proofs: any one of them authenticates a request.
    pub proofs: Vec<Proof>,
    /// If not empty, the sender's address must also be in one of these.
    pub addresses: Vec<Network>,
    /// The only receivers that it may post to; `None`: all.
    pub receivers: Option<Vec<String>>,
    /// The always-firing alert whose absence is reported; `None`: the usual one, once it came ([`Watchdog::sees`]).
    pub watchdog: Option<Watchdog>,
    /// What its labels mean.
    pub taught: Taught,
}

impl Source {
    /// May it post to `receiver`?
    pub fn may_post_to(&self, receiver: &str) -> bool {
        self.receivers.as_ref().is_none_or(|scope| scope.iter().any(|name| name == receiver))
    }
}

/// An always-firing alert: its absence shows that alerts no longer arrive.
#[derive(Debug)]
pub struct Watchdog {
    /// The matchers of the alert; all must match, and there is at least one.
    pub matchers: Vec<Matcher>,
    /// The absence after which an alarm is raised; at least 1 min, at most 7 days.
    pub within: Duration,
    /// Is it kept from people? Otherwise nothing is watched, and it is told like any other alert.
    pub swallow: bool,
}

impl Watchdog {
    /// The absence after which an alarm is raised for a source that says nothing of its watchdog: Alertmanagers repeat an
    /// alert that goes on once or twice a day. That it is over is told at once.
    pub const USUAL: Duration = Duration::from_hours(26);

    /// What `alert` is to a source with this watchdog; `None`: an alert like any other.
    pub fn sees(watchdog: Option<&Self>, alert: &Alert) -> Option<Steady> {
        let Some(watchdog) = watchdog else { return alert.steady() };
        if !watchdog.swallow {
            return None;
        }
        if watchdog.matchers.iter().all(|matcher| matcher.matches(&alert.labels)) {
            return Some(Steady::Heartbeat);
        }
        // Another heartbeat than the one that is watched: still nothing to tell.
        alert.steady().map(|_| Steady::Helper)
    }
}

/// An Alertmanager or Grafana that sends alerts here.
#[derive(Debug)]
pub struct Upstream {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: UpstreamKind,
    /// Its root: a URL without a trailing slash, a query and a user name.
    pub url: String,
    /// The roots of its other peers: they are asked for alerts, too.
    pub peers: Vec<String>,
    /// How we prove ourselves to it; a Grafana always has one.
    pub credential: Option<Credential>,
    /// PEM bundle that is trusted besides the usual roots.
    pub ca_file: Option<PathBuf>,
    /// Names of the sources whose alerts belong to it.
    pub sources: Vec<String>,
    /// Grafana's organisation, from 1; `None`: the one of the credential, whichever it is.
    pub org_id: Option<i64>,
    /// The tenant of a Mimir or Cortex.
    pub tenant: Option<String>,
    /// Labels that silences never use.
    pub ignore_labels: Vec<String>,
    /// An alert that was absent from all peers for this long counts as resolved; 3 s to 1 h.
    pub gone_after: Duration,
}

/// Our credential at an upstream.
#[derive(Debug)]
pub enum Credential {
    /// `Authorization: Bearer …`; for a Grafana the token of a service account.
    Bearer(SecretString),
    /// `Authorization: Basic …`
    Basic {
        /// User name.
        username: String,
        /// Password.
        password: SecretString,
    },
}

/// 上游的种类。Kinds of upstreams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UpstreamKind {
    /// An Alertmanager.
    Alertmanager,
    /// A Grafana.
    Grafana,
    /// A Prometheus or what answers like one: only asked for series, for charts.
    Prometheus,
}

impl UpstreamKind {
    /// Does it have silences?
    pub fn has_silences(self) -> bool {
        self != Self::Prometheus
    }
}

/// The connection to WeCom.
#[derive(Debug)]
pub struct WeCom {
    /// Base URL without a trailing slash, for example `https://qyapi.weixin.qq.com`.
    pub api_url: String,
    /// Base URL of the page where WeCom's own browser signs in to web pages.
    pub oauth_url: String,
    /// The same for other browsers.
    pub login_url: String,
    /// Proxy for calls to WeCom; a secret because its URL may hold a password.
    pub proxy: Option<SecretString>,
    /// PEM bundle that is trusted besides the usual roots.
    pub ca_file: Option<PathBuf>,
    /// Apps by name.
    pub apps: BTreeMap<String, AppAccount>,
    /// Webhooks (消息推送) by name: 1 to 10 different keys each, of webhooks in the same group that share its load.
    pub webhooks: BTreeMap<String, Vec<SecretString>>,
    /// Where bots connect: a `wss://` or `ws://` URL.
    pub bot_url: String,
    /// Bots (智能机器人) by name.
    pub bots: BTreeMap<String, BotAccount>,
}

/// A bot (智能机器人) with a long connection.
#[derive(Debug)]
pub struct BotAccount {
    /// Its id.
    pub bot_id: String,
    /// Its secret.
    pub secret: SecretString,
}

/// A self-built app of a corp.
#[derive(Debug)]
pub struct AppAccount {
    /// Corp id, `ww…`.
    pub corp_id: String,
    /// Agent id.
    pub agent_id: i64,
    /// Secret of the app.
    pub secret: SecretString,
    /// The keys of WeCom's callback; without it cards have no buttons.
    pub callback: Option<Callback>,
}

/// Settings of an app's callback (page 90238).
#[derive(Debug)]
pub struct Callback {
    /// Token, for signatures.
    pub token: SecretString,
    /// EncodingAESKey, 43 letters and digits, for encryption.
    pub encoding_aes_key: SecretString,
}

/// A mail server, and the sender.
#[derive(Debug)]
pub struct Smtp {
    /// Name or address of the server.
    pub host: String,
    /// Port: 587 unless it is given, with [`Tls::Tls`] 465.
    pub port: u16,
    /// Whether and when the connection is encrypted.
    pub tls: Tls,
    /// PEM bundle that is trusted besides the usual roots.
    pub ca_file: Option<PathBuf>,
    /// User name and password, if the server requires them.
    pub login: Option<(String, SecretString)>,
    /// Address of the sender.
    pub from: String,
}

/// 与邮件服务器的连接怎样加密。How the connection to a mail server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::enum_variant_names, reason = "`starttls` and `tls` are the words of the configuration")]
pub enum Tls {
    /// 先明文连接，再升级，升级不了就不发。Plain at first, then encrypted; nothing is sent if it cannot be.
    #[default]
    Starttls,
    /// 从头加密。Encrypted from the first byte.
    Tls,
    /// 不加密。Not at all.
    None,
}

/// A generic webhook of another system: news is posted there as JSON.
#[derive(Debug)]
pub struct Hook {
    /// An http(s) URL; a secret because many carry their credential in it.
    pub url: SecretString,
    /// Sent as `Authorization: Bearer …`.
    pub bearer: Option<SecretString>,
}

/// A URL that is called while wegraf is healthy, so that another system notices when it is not.
#[derive(Debug)]
pub struct Heartbeat {
    /// An http(s) URL; a secret because it carries its credential.
    pub url: SecretString,
    /// The interval: at least every 10 s, at most every hour.
    pub interval: Duration,
}

/// Where traces go.
#[derive(Debug)]
pub struct Traces {
    /// The collector's address, an http(s) URL; a secret because it may carry a credential.
    pub otlp: SecretString,
    /// Headers of each request, valid as such.
    pub headers: BTreeMap<String, SecretString>,
    /// The share of notifications that are traced, 0 to 1.
    pub sample: f64,
}
