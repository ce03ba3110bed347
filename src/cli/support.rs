//! `wegraf support-bundle`: what a report of a fault needs, in one file that may be given away. Everything in it goes
//! through [`Hidden`]: nothing of it is a secret, names a person or is the text of an alert.

mod archive;
mod hidden;
mod machine;

use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use serde_json::{Value, json};

use self::hidden::Hidden;
use super::gateway::{Gateway, client_for};
use super::screen::Screen;
use super::{ConfigFile, Misused, backup, check, deliveries, doctor};
use crate::config::{Area, Config, ListenAt, Private, To, masked, users_in};
use crate::deliver::Setup;
use crate::duty::Rota;
use crate::http::SupportAnswer;
use crate::links::LinkKey;
use crate::store::Store;
use crate::time::Clock;
use crate::words::{BETWEEN, Words, told, words};

/// Deadline for metrics and readiness.
const DEADLINE: Duration = Duration::from_secs(5);
/// Fields of log lines that name a person, or what an alert says.
const PRIVATE_FIELDS: [&str; 6] = ["alert", "person", "by", "missed", "group", "detail"];

/// `wegraf support-bundle`
#[derive(Debug, Args)]
pub struct SupportBundle {
    /// Which configuration.
    #[command(flatten)]
    pub file: ConfigFile,
    /// 写到哪个文件；已有的文件不会覆盖。 Where to write; a file that exists is not overwritten.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// 也带上 `wegraf doctor` 的结果（会访问企业微信）。 Also the results of `wegraf doctor`, which calls WeCom.
    #[arg(long)]
    pub doctor: bool,
    /// 也带上这条消息的投递记录，里面有告警内容；可以写几个。 Also the record of this message, with the text of its alert; may be given several times.
    #[arg(long = "with-message", value_name = "#ID")]
    pub messages: Vec<String>,
    /// 网关用 `serve --listen` 启动时，写同样的地址。 Where the gateway listens, if it was started with `serve --listen`.
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<ListenAt>,
}

/// A file of the bundle.
struct Part {
    name: &'static str,
    about: Words,
    text: String,
}

/// Collects everything, says what it is and writes it.
pub async fn run(arguments: SupportBundle) -> anyhow::Result<ExitCode> {
    let stamp = backup::stamp(Clock::System.now(), &jiff::tz::TimeZone::system());
    let output = arguments.output.clone().unwrap_or_else(|| format!("wegraf-support-{stamp}.tar.gz").into());
    if output.exists() {
        let file = output.display();
        return Err(Misused(
            told!("{file} 已经存在：用 --output 换个名字", "{file} exists already: choose another name with --output")
                .to_string(),
        )
        .into());
    }
    let parts = collect(&arguments).await?;
    let mut screen = Screen::new();
    screen.line(words("里面有：", "it holds:"));
    for part in &parts {
        screen.line(format_args!("  {:<18} {:>7}  {}", part.name, part.text.len(), part.about));
    }
    screen.show()?;
    let folder = format!("wegraf-support-{stamp}");
    let files: Vec<(String, &[u8])> =
        parts.iter().map(|part| (format!("{folder}/{}", part.name), part.text.as_bytes())).collect();
    let packed = archive::packed(&files, Clock::System.now())?;
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&output);
    file.as_mut()
        .map_err(|error| std::io::Error::new(error.kind(), error.to_string()))
        .and_then(|file| file.write_all(&packed))
        .with_context(|| output.display().to_string())?;
    let mut screen = Screen::new();
    let file = output.display();
    screen.line(format_args!("✓ {file}"));
    screen.line(if arguments.messages.is_empty() {
        words("  密钥、人名和告警内容已换掉", "  secrets, people and texts of alerts are replaced")
    } else {
        words(
            "  密钥和人名已换掉；你要的消息里有告警内容",
            "  secrets and people are replaced; the messages that you asked for hold texts of alerts",
        )
    });
    screen.line(told!(
        "  发出之前请自己再看一遍：tar -xzOf {file} | less",
        "  look at it before you send it: tar -xzOf {file} | less"
    ));
    screen.show()?;
    Ok(ExitCode::SUCCESS)
}

/// All files, with nothing in them that must not be given away.
async fn collect(arguments: &SupportBundle) -> anyhow::Result<Vec<Part>> {
    let path = &arguments.file.config;
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut hidden = Hidden::default();
    let shown = masked(&text, folder, &mut |kind, value| hidden.word(kind, value));
    let shown = shown.unwrap_or_else(|| "# not YAML\n".to_owned());
    let config = Config::parse_to_look(&text, path).ok().map(|(config, _)| config);
    for person in config.iter().flat_map(people) {
        hidden.word(Private::Person, &person);
    }
    let mut parts = vec![
        part("configuration.yaml", words("配置，值换成了代号", "the configuration, its values replaced"), shown),
        part("check.txt", words("wegraf check 的结果", "what wegraf check says"), check::text(&arguments.file)),
    ];
    let mut pid = None;
    if let Some(config) = &config {
        running(arguments, config, &mut hidden, &mut parts, &mut pid).await;
        parts.push(part("database.json", words("数据库的表和行数", "tables of the database"), database(config).await));
        if arguments.doctor {
            let setup = arguments
                .file
                .load()
                .map_err(anyhow::Error::new)
                .and_then(|(config, _)| Setup::new(Arc::new(config), None, &Clock::System));
            let text = match setup {
                Ok(setup) => {
                    let (text, names) = doctor::text(&setup).await;
                    for name in names {
                        hidden.word(Private::Person, &name);
                    }
                    text
                }
                Err(error) => format!("{error:#}\n"),
            };
            parts.push(part("doctor.txt", words("wegraf doctor 的结果", "what wegraf doctor says"), text));
        }
        if !arguments.messages.is_empty() {
            let text = messages(config, &arguments.messages).await;
            parts.push(part(
                "messages.txt",
                words("要求带上的消息，有告警内容", "the messages asked for, with texts of alerts"),
                text,
            ));
        }
    }
    let facts = machine::facts(config.as_ref(), pid).await;
    parts.insert(0, part("system.txt", words("版本、系统、限额、时钟", "version, system, limits, clock"), facts));
    for part in &mut parts {
        part.text = hidden.without(&part.text);
    }
    Ok(parts)
}

fn part(name: &'static str, about: Words, text: String) -> Part {
    Part { name, about, text }
}

/// What the running gateway knows, as far as it answers.
async fn running(
    arguments: &SupportBundle,
    config: &Config,
    hidden: &mut Hidden,
    parts: &mut Vec<Part>,
    pid: &mut Option<u32>,
) {
    let listen = arguments.listen.as_ref();
    for (name, about, path) in [
        ("readyz.txt", words("就绪检查", "its readiness"), "/readyz"),
        ("metrics.txt", words("指标", "its metrics"), "/metrics"),
    ] {
        let text = fetch(&listen.cloned().unwrap_or_else(|| config.door(Area::Monitoring)), path).await;
        parts.push(part(name, about, text.unwrap_or_else(|error| format!("{error:#}\n"))));
    }
    let asked = async {
        let store = Store::open_reading(&config.database).await?;
        let key = LinkKey::from(store.link_secrets().await?);
        let (_, said) = Gateway::new(config, listen, None, key)?.order("/api/v1/support", Vec::new()).await?;
        anyhow::Ok(serde_json::from_value::<SupportAnswer>(said)?)
    };
    let (log, refusals) = match asked.await {
        Ok(said) => {
            *pid = Some(said.pid);
            let lines: String = said.lines.iter().map(|line| readable(line, hidden) + "\n").collect();
            let mut refusals = json!({ "since": said.since, "sources": said.sources });
            in_one_language(&mut refusals);
            (lines, format!("{refusals:#}\n"))
        }
        Err(error) => (format!("{error:#}\n"), "{}\n".to_owned()),
    };
    parts.push(part("log.jsonl", words("最近的日志，最多 2000 行", "the newest log lines, at most 2000"), log));
    parts.push(part(
        "refusals.json",
        words("最近被拒绝的请求，没有正文", "the newest refused requests, without bodies"),
        refusals,
    ));
}

/// Texts of the record hold both languages: the person who made the bundle reads one.
fn in_one_language(value: &mut Value) {
    match value {
        Value::String(text) if text.contains(BETWEEN) => *text = Words::of_record(text).to_string(),
        Value::Array(items) => items.iter_mut().for_each(in_one_language),
        Value::Object(members) => members.values_mut().for_each(in_one_language),
        _ => {}
    }
}

/// A log line without its private fields; the people of a lane become words.
fn readable(line: &str, hidden: &mut Hidden) -> String {
    let Ok(mut event) = serde_json::from_str::<Value>(line) else { return "…".to_owned() };
    if let Some(fields) = event["fields"].as_object_mut() {
        let refusal = fields.get("reason").is_some_and(Value::is_string) && fields.contains_key("status");
        for (name, value) in fields {
            if PRIVATE_FIELDS.contains(&name.as_str()) && !(refusal && name == "detail") {
                *value = "…".into();
            } else if name == "lane"
                && let Some(lane) = value.as_str()
                && let [kind @ ("app" | "bot" | "email"), account, rest] = lane.splitn(3, '/').collect::<Vec<_>>()[..]
            {
                let people: Vec<String> = rest.split('|').map(|person| hidden.word(Private::Person, person)).collect();
                *value = format!("{kind}/{account}/{}", people.join("|")).into();
            }
        }
    }
    event.to_string()
}

async fn fetch(at: &ListenAt, path: &str) -> anyhow::Result<String> {
    let (client, base) = client_for(at);
    let (client, url) = (client.timeout(DEADLINE).build()?, format!("{base}{path}"));
    let answer = client.get(&url).send().await.map_err(reqwest::Error::without_url);
    let answer = answer.with_context(|| told!("{url} 没有回答", "{url} does not answer").to_string())?;
    Ok(format!("{}\n{}", answer.status(), answer.text().await?))
}

async fn database(config: &Config) -> String {
    let read = async {
        let store = Store::open_reading(&config.database).await?;
        let (outline, audit) = (store.outline().await?, store.audit().await?);
        let room = Store::room(&config.database).await?.map(|room| room.bytes);
        let backlog = store.backlog().await?;
        let counters = json!({ "pending": audit.pending, "named": audit.named, "counted": audit.counted, "dead": audit.dead, "suppressed": audit.suppressed, "imbalance": audit.imbalance });
        anyhow::Ok(json!({ "bytes": room, "schema": outline, "audit": counters, "backlog": backlog }))
    };
    match read.await {
        Ok(said) => format!("{said:#}\n"),
        Err(error) => format!("{error:#}\n"),
    }
}

async fn messages(config: &Config, ids: &[String]) -> String {
    let mut text = String::new();
    for id in ids {
        let told = async {
            let store = Store::open_reading(&config.database).await?;
            deliveries::story(store, id, &config.timezone).await
        };
        match told.await {
            Ok(screen) => text.push_str(screen.as_str()),
            Err(error) => writeln!(text, "{id}: {error:#}").expect("a String takes everything"),
        }
    }
    text
}

/// Everybody whom the configuration and its files name.
fn people(config: &Config) -> Vec<String> {
    let mut all: Vec<String> = config.rotas.0.values().flat_map(Rota::everybody).collect();
    all.extend(config.directory.owners.values().flat_map(|values| values.values()).flatten().cloned());
    for target in config.targets() {
        match &target.to {
            To::Members { users, users_file, .. } => {
                all.extend(users.iter().cloned());
                let text = users_file.as_ref().and_then(|file| std::fs::read_to_string(file).ok());
                all.extend(text.iter().flat_map(|text| users_in(text)).map(str::to_owned));
            }
            To::Email { to } => all.extend(to.iter().cloned()),
            To::Bot { chat, .. } | To::Chat { chat, .. } => all.push(chat.clone()),
            To::Webhook { .. } | To::Hook { .. } => {}
        }
    }
    all.retain(|person| person != "@all" && !person.starts_with("on_call:"));
    all
}
