//! The configuration as the running program uses it: checked, with secrets resolved and routes compiled.
//!
//! `config/file.rs` holds the YAML as it is written, `config/resolve.rs` turns it into this; nothing else reads the
//! file or the environment. A `Config` is immutable: a reload swaps the whole.

mod accounts;
mod address;
mod amounts;
mod at;
mod capacity;
mod charts;
mod client_cert;
mod console;
mod destinations;
mod directory;
mod doors;
mod dropins;
mod duty;
mod escalation;
mod excerpt;
mod file;
mod finding;
mod fullwidth;
mod glob;
mod listen;
mod masked;
mod network;
mod password;
mod peers;
mod people;
mod proof;
mod reader;
mod reading;
mod receivers;
mod resolve;
mod routes;
mod secrets;
mod siblings;
mod signing;
mod sources;
mod storage;
mod targets;
mod taught;
mod tokens;
mod twin;
mod upstreams;
mod yaml;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use secrecy::{ExposeSecret as _, SecretString};

use crate::alert::Timestamp;
use crate::duty::{Directory, MayAct, Rotas};
use crate::ingest::generic::Payloads;
use crate::route;
use crate::subject::Taught;
pub use crate::words::Language;
pub use address::{Channel, Face, Target, To};
pub use amounts::parse_duration;
pub use charts::{ChartExpression, ChartTheme, Charts, ChartsOf};
pub use doors::{Addressee, AppDoor, AsWecom, DropIns, Robot, RobotDoor};
use finding::Findings;
pub use finding::{Finding, Mistake, Note, Place};
pub(crate) use listen::moment;
pub use listen::{Area, ListenAt, ListenTls, Listening};
pub use masked::{Private, masked};
pub use network::Network;
pub use password::{Password, local_person};
pub use peers::{
    AppAccount, BotAccount, Callback, Credential, Heartbeat, Hook, Smtp, Source, Tls, Traces, Upstream, UpstreamKind,
    Watchdog, WeCom,
};
pub use proof::{
    Algorithm, Authority, Carrier, Encoding, Envelope, Part, Proof, SignedTime, Signing, TimeUnit, Vendor,
};
#[cfg(test)]
pub(crate) use resolve::OWN;
use resolve::{Resolver, Secrets, Surroundings};
pub(crate) use secrets::gives_its_group;
pub use taught::{ABOUT, TROUBLE};

/// Everything `serve` needs, checked.
#[derive(Debug)]
pub struct Config {
    /// The file this came from; relative paths inside it were resolved against its folder.
    pub path: PathBuf,
    /// Where to listen in the clear, at least at one address.
    pub listen: Vec<Listening>,
    /// Where to listen with TLS, besides.
    pub listen_tls: Option<ListenTls>,
    /// Proxies in front: their statement of a sender's address is trusted.
    pub trusted_proxies: Vec<Network>,
    /// The additional listener for monitoring only (`/healthz`, `/readyz`, `/metrics`).
    pub listen_monitoring: Option<SocketAddr>,
    /// The memory limit of the process, in bytes.
    pub memory: u64,
    /// The URL of this server for people and WeCom, without a trailing slash; links to it are left out if `None`.
    pub external_url: Option<String>,
    /// The path of `external_url`, below which a proxy may put this server: `/alerts`, or nothing.
    pub base_path: String,
    /// The database.
    pub database: Database,
    /// Length of a replica's lease on a lane (PostgreSQL only): at least 5 s, at most 5 min.
    pub lease: Duration,
    /// How long, and up to what size, the record is kept.
    pub retention: Retention,
    /// Language of messages where a receiver does not say.
    pub language: Language,
    /// Zone of times where a receiver does not say.
    pub timezone: TimeZone,
    /// The notifications without proof of source that are taken.
    pub anonymous: Anonymous,
    /// Who may post, in the order of their names.
    pub sources: Vec<Source>,
    /// The addresses of other programs that sources may use, in the order of their names.
    pub dropins: Vec<DropIns>,
    /// Apps, webhooks and bots, and the way to WeCom.
    pub wecom: WeCom,
    /// Where silences are made, in the order of the file.
    pub upstreams: Vec<Upstream>,
    /// The mail server; there is one if any target is an email address.
    pub smtp: Option<Smtp>,
    /// Generic webhooks of others by name.
    pub hooks: BTreeMap<String, Hook>,
    /// Name of the receiver that is told when wegraf itself has trouble.
    pub alarm: Option<String>,
    /// Called while wegraf is healthy.
    pub heartbeat: Option<Heartbeat>,
    /// Where traces go.
    pub traces: Option<Traces>,
    /// Receivers by name.
    pub receivers: BTreeMap<String, Arc<Receiver>>,
    /// Who is on duty when, by the names of rotas.
    pub rotas: Rotas,
    /// Whose alerts are.
    pub directory: Directory,
    /// How long the links in messages let their visitors act; 1 min to 30 days.
    pub act_links: Duration,
    /// Who may look at all in the console, and change.
    pub console: ConsoleRights,
    /// How people sign in to the console, besides by a link.
    pub sign_in: SignIn,
    /// Files besides this one whose change is a change of the configuration: rotas, the directory.
    pub files: Vec<PathBuf>,
    /// Which receiver gets an alert.
    pub route: route::Tree,
    /// The matchers of routes and watchdogs with their places, for a comparison with labels that were seen.
    pub matchers: Vec<(Place, route::Matcher)>,
    /// The user's template files, expanded and read: name (file stem) and source.
    pub templates: Vec<TemplateFile>,
    /// How JSON of other shapes is read: the user's mappings first, then the shipped ones.
    pub payloads: Payloads,
    /// Beginnings of links and what replaces them, in the order of the file.
    pub link_rewrites: Vec<LinkRewrite>,
    /// Addresses of hosts that the configuration names as places where people look: links to them stay in messages although
    /// they are private.
    pub known_hosts: Vec<IpAddr>,
    /// Hosts from which pictures may be fetched to be uploaded (lower case, no port). Empty: none is fetched.
    pub image_hosts: Vec<String>,
    /// Charts that wegraf draws.
    pub charts: Charts,
}

/// The notifications that are taken without proof of their source (`allow_anonymous`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anonymous {
    /// None at all.
    None,
    /// Those of programs on this machine: there are no sources, and only this machine can reach the server.
    OfThisMachine,
    /// Those of everybody who reaches the server.
    All,
}

/// A beginning of links, and what stands in its place in messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkRewrite {
    /// http(s) URL without a final slash.
    pub from: String,
    /// The same.
    pub to: String,
}

impl Config {
    /// The receiver, with its name, that is told what the one called `receiver` cannot get.
    pub fn fallback(&self, receiver: &str) -> Option<(&str, &Receiver)> {
        let name = self.receivers.get(receiver)?.fallback.as_deref()?;
        Some((name, self.receivers.get(name)?))
    }

    /// The receiver called `name`, also where that names people of a step of escalation ([`EscalationStep::receiver`]):
    /// they have the words of the receiver that escalates.
    pub fn receiver(&self, name: &str) -> Option<Arc<Receiver>> {
        if let Some(receiver) = self.receivers.get(name) {
            return Some(receiver.clone());
        }
        let (base, number) = name.rsplit_once(STEP)?;
        let base = self.receivers.get(base)?;
        let step = base.escalate.get(number.parse::<usize>().ok()?.checked_sub(1)?)?;
        let EscalateTo::People(target) = &step.to else { return None };
        let targets = vec![target.clone()];
        Some(Arc::new(Receiver { name: name.to_owned(), targets, escalate: Vec::new(), ..base.as_ref().clone() }))
    }

    /// Who may act on what this receiver gets; `None`: the people who received it.
    pub fn may_act(&self, receiver: &str) -> Option<MayAct> {
        self.receiver(receiver).and_then(|receiver| receiver.may_act.clone())
    }

    /// May every reader of a message of this receiver act on it, identified or not, by the page behind its link?
    pub fn anybody_may_act(&self, receiver: &str) -> bool {
        self.may_act(receiver).is_none_or(|rights| rights.anyone)
    }

    /// May `person` see everything in the console, and may this person change, at `now`?
    pub fn console_rights(&self, person: &str, now: Timestamp) -> (bool, bool) {
        if self.is_local_administrator(person) {
            return (true, true);
        }
        let allows = |may: &Option<MayAct>| may.as_ref().is_some_and(|may| may.allows(person, now, &self.rotas));
        let change = allows(&self.console.change);
        (change || allows(&self.console.look), change)
    }

    /// May `person` send again and take back in the console, at `now`? `None`: it is not said; those who may act may.
    pub fn may_resend(&self, person: &str, now: Timestamp) -> Option<bool> {
        let (_, change) = self.console_rights(person, now);
        let resend = self.console.resend.as_ref();
        if change { Some(true) } else { resend.map(|may| may.allows(person, now, &self.rotas)) }
    }

    /// Is `person` a local administrator, as the record calls one?
    pub fn is_local_administrator(&self, person: &str) -> bool {
        password::local_name(person).is_some_and(|name| self.sign_in.local.contains_key(name))
    }

    /// Does `person` stand on a rota, in whichever turn?
    pub fn on_a_rota(&self, person: &str) -> bool {
        let turns = self.rotas.0.values().flat_map(|rota| rota.people.iter().chain(&rota.backup));
        turns.flatten().any(|known| known.eq_ignore_ascii_case(person))
    }

    /// All targets: of receivers, and of steps of escalation that name people. One may be named several times.
    pub fn targets(&self) -> impl Iterator<Item = &Target> {
        self.receivers.values().flat_map(|receiver| {
            let people = receiver.escalate.iter().filter_map(|step| match &step.to {
                EscalateTo::People(target) => Some(target),
                EscalateTo::Receiver(_) => None,
            });
            receiver.targets.iter().chain(people)
        })
    }

    /// Where commands on this machine reach it.
    pub fn front(&self) -> ListenAt {
        self.door(Area::Api)
    }

    /// The first address that serves `area`.
    pub fn door(&self, area: Area) -> ListenAt {
        let serving = self.listen.iter().find(|listening| listening.serves(area)).map(|listening| listening.at.clone());
        let monitoring = self.listen_monitoring.filter(|_| area == Area::Monitoring).map(ListenAt::Tcp);
        let first = serving.or(monitoring).or_else(|| self.listen.first().map(|listening| listening.at.clone()));
        first.expect("the configuration has at least one address")
    }

    /// The configuration in the file at `path`, with what is worth knowing about it; or everything that is wrong.
    pub fn load(path: &Path) -> Result<(Self, Vec<Note>), Vec<Mistake>> {
        Self::load_listening(path, None)
    }

    /// The same with an address from the command line in place of `listen`.
    pub fn load_listening(path: &Path, listen: Option<ListenAt>) -> Result<(Self, Vec<Note>), Vec<Mistake>> {
        match std::fs::read_to_string(path) {
            Ok(text) => {
                Self::read(&text, path, &Surroundings { environment: &environment, listen, secrets: Secrets::Needed })
            }
            Err(error) => Err(vec![Mistake::unreadable(path, &error)]),
        }
    }

    /// The configuration in `text` for a command that only looks: secrets that cannot be read here are not missed.
    pub fn parse_to_look(text: &str, path: &Path) -> Result<(Self, Vec<Note>), Vec<Mistake>> {
        Self::read(text, path, &Surroundings { environment: &environment, listen: None, secrets: Secrets::Unneeded })
    }

    /// The configuration in `text` for a command that checks it outside the service.
    pub fn parse_to_check(text: &str, path: &Path) -> Result<(Self, Vec<Note>), Vec<Mistake>> {
        let secrets = Secrets::GivenAtStart;
        Self::read(text, path, &Surroundings { environment: &environment, listen: None, secrets })
    }

    /// The configuration in `text`, as if it stood in the file at `path`.
    pub fn parse(text: &str, path: &Path) -> Result<(Self, Vec<Note>), Vec<Mistake>> {
        Self::read(text, path, &Surroundings { environment: &environment, listen: None, secrets: Secrets::Needed })
    }

    fn read(text: &str, path: &Path, around: &Surroundings<'_>) -> Result<(Self, Vec<Note>), Vec<Mistake>> {
        let mut found = Findings::new(path.to_path_buf());
        let text = text.trim_start_matches('\u{feff}');
        let file = yaml::read_main::<file::File>(text, &mut found);
        let config = file.and_then(|file| Resolver::new(&mut found, around).config(&file));
        let Findings { mut mistakes, mut notes, .. } = found;
        for finding in mistakes.iter_mut().chain(&mut notes).filter(|finding| finding.file == path) {
            let Finding { place, reason, remedy, .. } = finding;
            let named = [&reason.zh, &reason.en, &remedy.zh, &remedy.en].map(|said| &**said).join("\n");
            finding.excerpt = excerpt::excerpt(text, *place, &named);
        }
        mistakes.sort_by_cached_key(|mistake| (mistake.file != path, mistake.file.clone(), mistake.place));
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
#[derive(Debug, Clone)]
pub enum Database {
    /// A SQLite file of this one process.
    Sqlite(PathBuf),
    /// A PostgreSQL database that replicas share.
    Postgres {
        /// `postgres://user:password@host/db`, with a host and the name of a database. Empty if a command that only
        /// looks could not read it.
        url: SecretString,
    },
}

impl PartialEq for Database {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Sqlite(one), Self::Sqlite(other)) => one == other,
            (Self::Postgres { url: one }, Self::Postgres { url: other }) => {
                one.expose_secret() == other.expose_secret()
            }
            (Self::Sqlite(_), Self::Postgres { .. }) | (Self::Postgres { .. }, Self::Sqlite(_)) => false,
        }
    }
}

impl Eq for Database {}

/// How long what was told is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// The raw bytes of a notification; at most `record`.
    pub raw: Duration,
    /// The delivery record.
    pub record: Duration,
    /// An alert that is on and that no sender has reported for so long is no longer followed.
    pub alerts: Duration,
    /// Bytes that the database may take before the oldest goes earlier; `None`: any number.
    pub bytes: Option<u64>,
}

/// A name for one or more targets.
#[derive(Debug, Clone)]
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
    /// Also tell resolved alerts.
    pub send_resolved: bool,
    /// An unchanged repeat from upstream is told only if the last message is at least this old.
    pub repeat_interval: Duration,
    /// Told instead of a message that is refused for good, and as well as one that waits longer than `fallback_after`.
    /// Fallbacks never form a cycle.
    pub fallback: Option<String>,
    /// How long a message may wait before the fallback is told as well.
    pub fallback_after: FallbackAfter,
    /// Receivers told step by step while an alert is not acknowledged. They never form a cycle.
    pub escalate: Vec<EscalationStep>,
    /// Who may act on its alerts; `None`: the people who received them, and the members of the group that they went to.
    pub may_act: Option<MayAct>,
    /// What labels mean to its readers.
    pub taught: Taught,
}

/// Who may do what in the console, beyond what follows from targets and `may_act`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConsoleRights {
    /// See all alerts and deliveries.
    pub look: Option<MayAct>,
    /// Send again and take back; `None`: those who may act.
    pub resend: Option<MayAct>,
    /// Change what concerns others: end their sessions, save templates and mappings, send again.
    pub change: Option<MayAct>,
    /// The folders into which the console may write; none by default.
    pub write: Vec<PathBuf>,
}

/// How people sign in to the console, besides by a link.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SignIn {
    /// The app by which WeCom is asked who it is; its trusted domain is that of `external_url`.
    pub wecom: Option<String>,
    /// What WeCom reads at the root of the site to see whose the domain is.
    pub domain_proof: Option<DomainProof>,
    /// The header in which a trusted proxy names the userid, in lower case.
    pub proxy: Option<String>,
    /// Local administrators, by name, with their passwords: for when WeCom does not answer. They see everything and may do
    /// everything. A check of each costs the same.
    pub local: BTreeMap<String, Password>,
}

/// WeCom's proof of a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainProof {
    /// `WW_verify_….txt`.
    pub name: String,
    /// What it holds.
    pub text: String,
}

/// How long a message of a receiver may wait before its fallback is told as well; 30 s to 24 h.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FallbackAfter {
    /// One that holds a critical alert.
    pub critical: Duration,
    /// Any other.
    pub other: Duration,
}

impl Default for FallbackAfter {
    fn default() -> Self {
        receivers::FALLBACK_AFTER
    }
}

/// A step of escalation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EscalationStep {
    /// Time without acknowledgement after which the step is taken; 1 min to 24 h, longer than the step before.
    pub after: Duration,
    /// The receiver or the people.
    pub to: EscalateTo,
    /// Only for critical alerts.
    pub only_critical: bool,
}

/// The recipients of a step of escalation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EscalateTo {
    /// The receiver of that name, in its language and at its targets.
    Receiver(String),
    /// People of an app, or those on duty, in the language of the receiver that escalates.
    People(Target),
}

/// Between the name of a receiver and the number of a step of its escalation.
const STEP: &str = "/escalation-";

impl EscalationStep {
    /// The receiver of this step, by the name in the record; `base` escalates, and this is its step number `index`,
    /// counted from 0.
    pub fn receiver(&self, base: &str, index: usize) -> String {
        match &self.to {
            EscalateTo::Receiver(name) => name.clone(),
            EscalateTo::People(_) => format!("{base}{STEP}{}", index + 1),
        }
    }

    /// The targets of its messages; empty if its receiver is gone from `config`.
    pub fn targets<'a>(&'a self, config: &'a Config) -> &'a [Target] {
        match &self.to {
            EscalateTo::Receiver(name) => config.receivers.get(name).map_or(&[], |receiver| &receiver.targets),
            EscalateTo::People(target) => std::slice::from_ref(target),
        }
    }
}

#[cfg(test)]
mod tests;
