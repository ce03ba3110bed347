//! The configuration as the running program uses it: checked, with secrets resolved and routes compiled.
//!
//! `config/file.rs` holds the YAML as it is written, `config/resolve.rs` turns it into this; nothing else reads the
//! file or the environment. A `Config` is immutable: a reload swaps the whole.

mod accounts;
mod at;
mod file;
mod finding;
mod glob;
mod reader;
mod receivers;
mod resolve;
mod routes;
mod targets;
mod yaml;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::ingest::generic::Payloads;
use crate::route;
use finding::Findings;
pub use finding::{Finding, Mistake, Note, Place, Words};
use resolve::{Resolver, Surroundings};

/// Everything `serve` needs, checked.
#[derive(Debug)]
pub struct Config {
    /// The file this came from; relative paths inside it were resolved against its folder.
    pub path: PathBuf,
    /// Where to listen.
    pub listen: SocketAddr,
    /// How people and WeCom reach this server, without a trailing slash; links to it are left out if `None`.
    pub external_url: Option<String>,
    /// Where alerts are kept.
    pub database: Database,
    /// Language of messages where a receiver does not say.
    pub language: Language,
    /// Zone of times where a receiver does not say.
    pub timezone: TimeZone,
    /// Take notifications without proof of source.
    pub allow_anonymous: bool,
    /// Who may post, in the order of their names.
    pub sources: Vec<Source>,
    /// Apps, webhooks and bots, and the way to WeCom.
    pub wecom: WeCom,
    /// Where silences are made; this version only asks whether they can be reached (`doctor`).
    pub upstreams: Vec<Upstream>,
    /// Receivers by name.
    pub receivers: BTreeMap<String, Arc<Receiver>>,
    /// Which receiver gets an alert.
    pub route: route::Tree,
    /// The user's template files, expanded and read: name (file stem) and source.
    pub templates: Vec<TemplateFile>,
    /// How JSON of other shapes is read: the user's mappings first, then the shipped ones.
    pub payloads: Payloads,
    /// Hosts from which pictures may be fetched to be uploaded (lower case, no port). Empty: none is fetched.
    pub image_hosts: Vec<String>,
}

impl Config {
    /// The configuration in the file at `path`, with what is worth knowing about it; or everything that is wrong.
    pub fn load(path: &Path) -> Result<(Self, Vec<Note>), Vec<Mistake>> {
        Self::load_listening(path, None)
    }

    /// The same with an address from the command line in place of `listen`.
    pub fn load_listening(path: &Path, listen: Option<SocketAddr>) -> Result<(Self, Vec<Note>), Vec<Mistake>> {
        match std::fs::read_to_string(path) {
            Ok(text) => {
                Self::read(&text, path, &Surroundings { environment: &environment, listen, secrets_needed: true })
            }
            Err(error) => Err(vec![Mistake::unreadable(path, &error)]),
        }
    }

    /// The configuration in `text` for a command that only looks: secrets that cannot be read here are not missed.
    pub fn parse_to_look(text: &str, path: &Path) -> Result<(Self, Vec<Note>), Vec<Mistake>> {
        Self::read(text, path, &Surroundings { environment: &environment, listen: None, secrets_needed: false })
    }

    /// The configuration in `text`, as if it stood in the file at `path`.
    pub fn parse(text: &str, path: &Path) -> Result<(Self, Vec<Note>), Vec<Mistake>> {
        Self::read(text, path, &Surroundings { environment: &environment, listen: None, secrets_needed: true })
    }

    fn read(text: &str, path: &Path, around: &Surroundings<'_>) -> Result<(Self, Vec<Note>), Vec<Mistake>> {
        let mut found = Findings::new(path.to_path_buf());
        let file = yaml::read::<file::File>(text.trim_start_matches('\u{feff}'), &mut found);
        let config = file.and_then(|file| Resolver::new(&mut found, around).config(&file));
        let Findings { mut mistakes, mut notes, .. } = found;
        mistakes.sort_by_key(|mistake| mistake.place);
        notes.sort_by_key(|note| note.place);
        match config {
            Some(config) if mistakes.is_empty() => Ok((config, notes)),
            _ => Err(mistakes),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment, for { env: NAME }")]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The JSON Schema of the file, for editors and `wegraf schema`.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(file::File).to_value()
}

/// The userids in a `users_file`: one a line, each once; blank lines and what follows `#` are left out.
pub fn users_in(text: &str) -> Vec<&str> {
    let mut users: Vec<&str> = Vec::new();
    for line in text.trim_start_matches('\u{feff}').lines() {
        let user = line.split('#').next().unwrap_or_default().trim();
        if !user.is_empty() && !users.iter().any(|known| known.eq_ignore_ascii_case(user)) {
            users.push(user);
        }
    }
    users
}

/// A template of the user's.
#[derive(Debug, Clone)]
pub struct TemplateFile {
    /// Where it was read, for error messages.
    pub path: PathBuf,
    /// File name without `.j2`.
    pub name: String,
    /// Its text.
    pub source: String,
}

/// Where alerts are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// A SQLite file of this one process.
    Sqlite(PathBuf),
}

/// Language of what people read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// 中文
    #[default]
    Zh,
    /// English
    En,
}

impl Language {
    /// `zh` or `en`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Zh => "zh",
            Self::En => "en",
        }
    }
}

/// A configured sender.
#[derive(Debug)]
pub struct Source {
    /// Its name, recorded with every notification.
    pub name: String,
    /// How it proves itself.
    pub proof: Proof,
}

/// How a source proves itself.
#[derive(Debug)]
pub enum Proof {
    /// `Authorization: Bearer …`
    Bearer(SecretString),
    /// `Authorization: Basic …`
    Basic {
        /// User name.
        username: String,
        /// Password.
        password: SecretString,
    },
    /// Grafana's signature (alert-sources §2.7).
    Hmac {
        /// Key: the secret's UTF-8 bytes.
        secret: SecretString,
        /// Header with the lower-case hex signature.
        header: String,
        /// Header with the Unix seconds that are signed in front of the body; without it a call can be replayed.
        timestamp_header: Option<String>,
    },
}

/// An Alertmanager or Grafana that sends alerts here.
#[derive(Debug)]
pub struct Upstream {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: UpstreamKind,
    /// Base URL without a trailing slash.
    pub url: String,
    /// Token of a Grafana service account.
    pub token: Option<SecretString>,
}

/// 上游的种类。Kinds of upstreams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UpstreamKind {
    /// An Alertmanager.
    Alertmanager,
    /// A Grafana.
    Grafana,
}

impl Upstream {
    /// Where its silences are listed (alert-sources §4.3, §4.4).
    pub fn silences(&self) -> String {
        match self.kind {
            UpstreamKind::Alertmanager => format!("{}/api/v2/silences", self.url),
            UpstreamKind::Grafana => format!("{}/api/alertmanager/grafana/api/v2/silences", self.url),
        }
    }
}

/// The way to WeCom.
#[derive(Debug)]
pub struct WeCom {
    /// Base URL without a trailing slash, for example `https://qyapi.weixin.qq.com`.
    pub api_url: String,
    /// Proxy for calls to WeCom; a secret because its URL may hold a password.
    pub proxy: Option<SecretString>,
    /// PEM bundle that is trusted besides the usual roots.
    pub ca_file: Option<PathBuf>,
    /// Apps by name.
    pub apps: BTreeMap<String, AppAccount>,
    /// Webhooks (消息推送) by name.
    pub webhooks: BTreeMap<String, SecretString>,
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
}

/// A name for one or more targets.
#[derive(Debug)]
pub struct Receiver {
    /// Its name.
    pub name: String,
    /// Language of its messages.
    pub language: Language,
    /// Zone of its times.
    pub timezone: TimeZone,
    /// The user's template for it, by name; `None`: the shipped ones.
    pub template: Option<String>,
    /// Where its messages go.
    pub targets: Vec<Target>,
    /// Tell that an alert is over.
    pub send_resolved: bool,
    /// An unchanged repeat from upstream is told only if the last message is at least this old.
    pub repeat_interval: Duration,
    /// Used when nothing here gets through (2 of 3 of the delivery engine acts on it).
    pub fallback: Option<String>,
}

/// One WeCom address and how a message looks there. Stored as JSON with each message, so that a message that
/// waits keeps its address over a reload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The address.
    pub to: To,
    /// How the message looks.
    pub face: Face,
    /// Userids to mention, or `@all`. Never from alert text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mention: Vec<String>,
    /// Mobile numbers to mention (webhook only).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mention_mobiles: Vec<String>,
    /// Send the alert's picture as a message of its own where the face cannot show it.
    #[serde(default)]
    pub image: bool,
    /// Into how many numbered parts a long message may be split; 1: it is shortened instead.
    pub parts: u8,
}

/// A WeCom address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum To {
    /// People, departments and tags of an app.
    Members {
        /// Name of the app.
        app: String,
        /// Userids, or `@all` alone.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        users: Vec<String>,
        /// File with one userid a line, read anew when it changes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        users_file: Option<PathBuf>,
        /// Department ids.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        parties: Vec<i64>,
        /// Tag ids.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        tags: Vec<i64>,
    },
    /// A group chat that the app created.
    Chat {
        /// Name of the app.
        app: String,
        /// Its chatid.
        chat: String,
    },
    /// A webhook (消息推送) of a group.
    Webhook {
        /// Name of the webhook.
        webhook: String,
    },
}

impl Target {
    /// The name of this target's lane: equal for equal addresses, stable over reloads, without secrets.
    pub fn lane(&self) -> String {
        match &self.to {
            To::Members { app, users, users_file, parties, tags } => {
                let mut names: Vec<String> = users.iter().map(|user| user.to_lowercase()).collect();
                names.extend(users_file.iter().map(|file| format!("file:{}", file.display())));
                names.extend(parties.iter().map(|id| format!("party:{id}")));
                names.extend(tags.iter().map(|id| format!("tag:{id}")));
                format!("app/{app}/{}", names.join("|"))
            }
            To::Chat { app, chat } => format!("app/{app}/chat/{chat}"),
            To::Webhook { webhook } => format!("webhook/{webhook}"),
        }
    }

    /// Which set of WeCom's rules the target's messages obey.
    pub const fn channel(&self) -> wecom::Channel {
        match self.to {
            To::Members { .. } => wecom::Channel::App,
            To::Chat { .. } => wecom::Channel::Chat,
            To::Webhook { .. } => wecom::Channel::Webhook,
        }
    }
}

/// How a message looks to a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Face {
    /// Plain text; the only one members who read in personal WeChat can see.
    Text,
    /// WeCom's markdown: colours and mentions, no tables.
    Markdown,
    /// `markdown_v2` (webhook only): tables and lists, no colours, no mentions.
    MarkdownV2,
    /// A card with title, grey text and one link (app and chat only).
    Textcard,
    /// A picture card (what `Wechat_grafana` sent).
    News,
    /// A template card: `news_notice` if there is a picture, else `text_notice` (app members and webhook only).
    Card,
}

impl Face {
    /// All faces.
    pub const ALL: [Self; 6] = [Self::Text, Self::Markdown, Self::MarkdownV2, Self::Textcard, Self::News, Self::Card];

    /// The name in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Markdown => "markdown",
            Self::MarkdownV2 => "markdown_v2",
            Self::Textcard => "textcard",
            Self::News => "news",
            Self::Card => "card",
        }
    }

    /// Can messages on `channel` have this face (wecom-api §0.2, §5.4, §6.1)?
    pub const fn fits(self, channel: wecom::Channel) -> bool {
        use wecom::Channel::{App, Chat, Webhook};
        match self {
            Self::Text | Self::Markdown | Self::News => true,
            Self::MarkdownV2 => matches!(channel, Webhook),
            Self::Textcard => matches!(channel, App | Chat),
            Self::Card => matches!(channel, App | Webhook),
        }
    }
}

#[cfg(test)]
mod tests;
