//! `wegraf console`: links that sign a person in to the console, and who is signed in.

mod password;
mod tokens;

use std::process::ExitCode;

use anyhow::ensure;
use clap::{Args, Subcommand};
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::ConfigFile;
use super::gateway::Gateway;
use super::record::Place;
use super::screen::Screen;
use crate::alert::Timestamp;
use crate::config::{Config, ListenAt};
use crate::http::{EndOrder, LinkOrder};
use crate::links::LinkKey;
use crate::render::Clock as Reading;
use crate::store::{Session, Store, StoreError, Ticket, Unopened, fresh_secret, hash};
use crate::time::Clock;
use crate::words::{Language, spoken, told, words};

/// `wegraf console`
#[derive(Debug, Args)]
pub struct Console {
    /// What to do.
    #[command(subcommand)]
    pub command: ConsoleCommand,
}

/// What to do with the console.
#[derive(Debug, Subcommand)]
pub enum ConsoleCommand {
    /// 给一个人一个登录链接，10 分钟内有效，只能用一次。 Make a link that signs a person in: once, within 10 minutes.
    Link(Link),
    /// 列出登录的浏览器，或结束其中一个。 List the browsers that are signed in, or end one of the sessions.
    Sessions(Sessions),
    /// 读入一个密码，输出写进 console.local 的 argon2id 哈希。 Read a password and print its argon2id hash for console.local.
    Password(password::Password),
    /// 给程序的令牌：/api/v1。 Tokens for programs: /api/v1.
    Token(tokens::Token),
}

/// `wegraf console link`
#[derive(Debug, Args)]
pub struct Link {
    /// Which configuration.
    #[command(flatten)]
    pub file: ConfigFile,
    /// 给谁：企业微信的 userid。 For whom: a userid of WeCom.
    #[arg(long = "for", value_name = "USERID")]
    pub person: String,
    /// 网关用 `serve --listen` 启动时，写同样的地址。 Where the gateway listens, if it was started with `serve --listen`.
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<ListenAt>,
    /// 输出 JSON。 Answer in JSON.
    #[arg(long)]
    pub json: bool,
}

/// `wegraf console sessions`
#[derive(Debug, Args)]
pub struct Sessions {
    /// Where to look.
    #[command(flatten)]
    pub place: Place,
    /// 结束这个编号的登录；在网关的机器上。 End the session with this number, on the gateway's machine.
    #[arg(long, value_name = "ID", conflicts_with = "url")]
    pub end: Option<String>,
    /// 谁结束的，默认是系统用户名。 Who ends it; default: the user of this system.
    #[arg(long, value_name = "NAME", env = "USER", hide_env_values = true, default_value = "wegraf")]
    pub by: String,
    /// 网关用 `serve --listen` 启动时，写同样的地址。 Where the gateway listens, if it was started with `serve --listen`.
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<ListenAt>,
    /// 输出 JSON。 Answer in JSON.
    #[arg(long)]
    pub json: bool,
}

/// Runs the command. Exit code 1 if the session to end does not exist.
pub async fn run(arguments: Console) -> anyhow::Result<ExitCode> {
    match arguments.command {
        ConsoleCommand::Link(link) => {
            let (config, _) = link.file.load()?;
            let ticket = ticket(&config, &link).await?;
            let top = config
                .external_url
                .clone()
                .unwrap_or_else(|| link.listen.clone().unwrap_or_else(|| config.front()).url());
            let url = format!("{top}/login/link/{ticket}");
            let answer = if link.json {
                Screen::json(&json!({ "url": url, "person": link.person, "minutes": 10 }))
            } else {
                let mut screen = Screen::new();
                screen.lines(
                    told!(
                        "{url}\n  10 分钟内有效，只能用一次；以 {} 登录",
                        "{url}\n  valid once, for 10 minutes; signs in as {}",
                        link.person
                    )
                    .to_string(),
                );
                screen
            };
            answer.show()?;
            Ok(ExitCode::SUCCESS)
        }
        ConsoleCommand::Password(password) => password::run(&password),
        ConsoleCommand::Token(token) => tokens::run(token).await,
        ConsoleCommand::Sessions(sessions) => {
            if let Some(gateway) = sessions.place.elsewhere.open().await? {
                let found = gateway.found("sessions", &[]).await?;
                let all: Vec<Listed> = found["items"].as_array().into_iter().flatten().filter_map(read).collect();
                shown(&all, gateway.zone(), spoken().unwrap_or_default(), sessions.json).show()?;
                return Ok(ExitCode::SUCCESS);
            }
            let (config, _) = sessions.place.file.load()?;
            if let Some(id) = &sessions.end {
                let ended = end(&config, &sessions, id).await?;
                ensure!(ended, told!("没有编号为 {id} 的登录", "there is no session {id}"));
                return Ok(ExitCode::SUCCESS);
            }
            list(&config, sessions.json).await?.show()?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Through the running gateway if it holds the SQLite file, else directly in the store.
async fn ticket(config: &Config, link: &Link) -> anyhow::Result<String> {
    match Store::open(&config.database, Clock::System.now()).await {
        Ok(store) => {
            let secret = fresh_secret();
            let ticket = Ticket { person: link.person.clone(), way: "command".to_owned() };
            store.offer(hash(&secret), ticket, Clock::System.now()).await?;
            store.close().await?;
            Ok(secret)
        }
        Err(StoreError::Open { why: Unopened::InUse { pid }, .. }) => {
            let order = LinkOrder { person: link.person.clone() };
            let said =
                ordered(config, link.listen.clone(), pid, "/api/v1/console/link", serde_json::to_vec(&order)?).await?;
            Ok(said["ticket"].as_str().unwrap_or_default().to_owned())
        }
        Err(error) => Err(error.into()),
    }
}

async fn end(config: &Config, sessions: &Sessions, id: &str) -> anyhow::Result<bool> {
    match Store::open(&config.database, Clock::System.now()).await {
        Ok(store) => {
            let ended = store.end_session(id.to_owned(), "ended", sessions.by.clone(), Clock::System.now()).await?;
            store.close().await?;
            Ok(ended)
        }
        Err(StoreError::Open { why: Unopened::InUse { pid }, .. }) => {
            let order = EndOrder { id: id.to_owned(), by: sessions.by.clone() };
            let said =
                ordered(config, sessions.listen.clone(), pid, "/api/v1/console/end", serde_json::to_vec(&order)?)
                    .await?;
            Ok(said["ended"] == true)
        }
        Err(error) => Err(error.into()),
    }
}

async fn ordered(
    config: &Config,
    listen: Option<ListenAt>,
    pid: String,
    path: &str,
    body: Vec<u8>,
) -> anyhow::Result<Value> {
    let record = Store::open_reading(&config.database).await?;
    let key = LinkKey::from(record.link_secrets().await?);
    let gateway = Gateway::new(config, listen.as_ref(), Some(pid), key)?;
    Ok(gateway.order(path, body).await?.1)
}

/// A session as it is listed.
struct Listed {
    id: String,
    person: String,
    way: String,
    made_at: Timestamp,
    seen_at: Timestamp,
    address: String,
    agent: String,
}

/// A session as a gateway elsewhere tells of it.
fn read(row: &Value) -> Option<Listed> {
    let text = |key: &str| row[key].as_str().map(str::to_owned);
    let time = |key: &str| {
        let at: jiff::Timestamp = row[key].as_str()?.parse().ok()?;
        Some(Timestamp(at.as_millisecond()))
    };
    Some(Listed {
        id: text("id")?,
        person: text("person")?,
        way: text("way")?,
        made_at: time("made_at")?,
        seen_at: time("seen_at")?,
        address: text("address")?,
        agent: text("agent")?,
    })
}

async fn list(config: &Config, as_json: bool) -> anyhow::Result<Screen> {
    let sessions = Store::open_reading(&config.database).await?.sessions(None, Clock::System.now()).await?;
    let all: Vec<Listed> = sessions
        .into_iter()
        .map(|Session { id, person, way, made_at, seen_at, address, agent, .. }| Listed {
            id,
            person,
            way,
            made_at,
            seen_at,
            address,
            agent,
        })
        .collect();
    Ok(shown(&all, &config.timezone, config.language, as_json))
}

fn shown(sessions: &[Listed], zone: &TimeZone, language: Language, as_json: bool) -> Screen {
    if as_json {
        let row = |session: &Listed| {
            json!({
                "id": session.id, "person": session.person, "way": session.way, "made_at": session.made_at,
                "seen_at": session.seen_at, "address": session.address, "agent": session.agent,
            })
        };
        return Screen::json(&json!({ "sessions": sessions.iter().map(row).collect::<Vec<_>>() }));
    }
    let clock = Reading { now: Clock::System.now(), zone, language };
    let time = |at| clock.time(at).unwrap_or_default();
    let mut screen = Screen::new();
    if sessions.is_empty() {
        screen.line(words("没有登录的浏览器", "no browser is signed in").to_string());
    }
    for Listed { id, person, made_at, seen_at, address, agent, .. } in sessions {
        let (made, seen) = (time(*made_at), time(*seen_at));
        screen.line(format!("{id}  {person:<16} {made} → {seen}  {address}  {agent}"));
    }
    screen
}
