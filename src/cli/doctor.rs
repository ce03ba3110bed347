//! `wegraf doctor`: does everything the configuration names work, right now, from this machine?
//!
//! No message reaches anyone: an app is asked what it is, a member and a chat are looked up, and a webhook gets an
//! empty message, which a live one rejects with 44004 and a dead one with 93000.

mod elsewhere;
mod picture;
mod resolver;
mod source;
mod upstream;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::net::lookup_host;
use wecom::message::Text;
use wecom::{Account, CallError, Content, Failure, Fault, Outcome, SendRequest};

use super::check::spelling;
use super::record::Elsewhere;
use super::screen::Screen;
use super::{Doctor, bots};
use crate::config::{BotAccount, Config, Database, Note, Smtp, To, users_in};
use crate::deliver::email::Mailer;
use crate::deliver::{self, Setup};
use crate::duty::{self, Rota};
use crate::store::Store;
use crate::time::Clock;
use crate::watch;
use crate::words::{Words, told, words};

/// Members that are looked up: each costs a call, so a longer list is checked in part.
const MEMBERS: usize = 50;
/// "text empty" (docs/reference/wecom.md#error-codes): the key is valid, and nothing was delivered.
const EMPTY_TEXT: i64 = 44004;
/// Deadline for a mail server to answer, encrypt and accept the login.
const MAIL_DEADLINE: Duration = Duration::from_secs(10);
/// Longest time for a connection to WeCom's host.
const CONNECTING: Duration = Duration::from_secs(5);
/// The root department; group chats need it in the visible scope (48002).
const ROOT: i64 = 1;

/// One check and its result.
struct Finding {
    /// What was checked.
    about: String,
    /// `Ok`: the result. `Err`: the fault and its remedy.
    result: Result<String, String>,
}

/// Prints all results; exit code 1 if there is a fault.
pub async fn run(arguments: Doctor) -> anyhow::Result<ExitCode> {
    if let Some(name) = &arguments.source {
        return source::run(name, &arguments).await;
    }
    if arguments.url.is_some() {
        let elsewhere = Elsewhere { url: arguments.url, token: arguments.token };
        let findings = match elsewhere.open().await? {
            Some(gateway) => elsewhere::all(&gateway).await?,
            None => Vec::new(),
        };
        return show(&findings, &[], arguments.json);
    }
    let (config, mut notes) = arguments.file.load()?;
    notes.extend(spelling::notes(&config).await);
    let setup = Setup::new(Arc::new(config), None, &Clock::System)?;
    let findings = match &arguments.picture {
        Some(file) => picture::check(&setup, file).await,
        None => all(&setup).await.0,
    };
    show(&findings, &notes, arguments.json)
}

/// Everything that the configuration names; and the names of people and chats that WeCom told.
async fn all(setup: &Setup) -> (Vec<Finding>, Vec<String>) {
    let (mut findings, mut names) = (vec![network(&setup.config).await], Vec::new());
    findings.extend(database(&setup.config).await);
    for (name, known) in &setup.config.wecom.apps {
        app(setup, name, &deliver::app(known), &mut findings, &mut names).await;
    }
    for (name, keys) in &setup.config.wecom.webhooks {
        for (index, key) in keys.iter().enumerate() {
            let number = if keys.len() > 1 { format!("[{}]", index + 1) } else { String::new() };
            let about = format!("webhook {name}{number}");
            findings.push(Finding { about, result: webhook(setup, key.clone()).await });
        }
    }
    for (name, account) in &setup.config.wecom.bots {
        bot(&setup.config, name, account, &mut findings).await;
    }
    if let Some(known) = &setup.config.smtp {
        findings.push(Finding {
            about: told!("邮件 {}:{}", "mail {}:{}", known.host, known.port).to_string(),
            result: mail(known).await,
        });
    }
    for known in &setup.config.upstreams {
        findings.push(Finding {
            about: told!("上游 {}", "upstream {}", known.name).to_string(),
            result: upstream::check(known, Clock::System.now()).await,
        });
    }
    for known in &setup.config.charts.from {
        findings.push(Finding {
            about: told!("上游 {}", "upstream {}", known.name).to_string(),
            result: upstream::series(known).await,
        });
    }
    (findings, names)
}

/// All results as text, and the names of people and chats in it.
pub(super) async fn text(setup: &Setup) -> (String, Vec<String>) {
    let (findings, names) = all(setup).await;
    (report(&findings, &[], false).as_str().to_owned(), names)
}

/// Prints the results; exit code 1 if there is a fault.
fn show(findings: &[Finding], notes: &[Note], json: bool) -> anyhow::Result<ExitCode> {
    report(findings, notes, json).show()?;
    Ok(ExitCode::from(u8::from(!is_healthy(findings))))
}

fn is_healthy(findings: &[Finding]) -> bool {
    findings.iter().all(|finding| finding.result.is_ok())
}

fn report(findings: &[Finding], notes: &[Note], json: bool) -> Screen {
    let healthy = is_healthy(findings);
    if json {
        let rows: Vec<_> = findings
            .iter()
            .map(|finding| json!({ "about": finding.about, "ok": finding.result.is_ok(), "says": finding.result.as_ref().unwrap_or_else(|wrong| wrong) }))
            .collect();
        let notes: Vec<String> = notes.iter().map(ToString::to_string).collect();
        Screen::json(&json!({ "healthy": healthy, "findings": rows, "notes": notes }))
    } else {
        let mut screen = Screen::new();
        for finding in findings {
            match &finding.result {
                Ok(found) => screen.line(format_args!("✓ {}  {found}", finding.about)),
                Err(wrong) => {
                    screen.line(format_args!("✗ {}", finding.about));
                    screen.line(format_args!("    {wrong}"));
                }
            }
        }
        for note in notes {
            screen.lines(format_args!("! {note}"));
        }
        screen.line(if healthy {
            words("一切正常", "all is well")
        } else {
            words("有问题，见上面的 ✗", "something is wrong: see ✗ above")
        });
        screen
    }
}

/// Has the database enough space, and can it keep its bound? `None` for a server's database, or one that does not exist
/// yet.
async fn database(config: &Config) -> Option<Finding> {
    let Database::Sqlite(path) = &config.database else { return None };
    let mib = |bytes: u64| bytes >> 20;
    let result = match Store::room(&config.database).await {
        Ok(None) => return None,
        Ok(Some(room)) if !room.can_shrink => Err(told!("{0} MB，文件不能随清理变小：停掉 wegraf，运行 sqlite3 文件 'PRAGMA auto_vacuum=2; VACUUM' 再启动（512 MB 以内启动时自动转换）", "{0} MB, and the file cannot shrink with what is pruned: stop wegraf, run sqlite3 FILE 'PRAGMA auto_vacuum=2; VACUUM' and start it (up to 512 MB a start converts it)",
            mib(room.bytes)).to_string()),
        Ok(Some(room)) if watch::is_low(&room.space, false) => Err(told!("磁盘只剩 {0} MB（共 {1} MB），满了就收不下告警", "the disk has {0} MB left of {1} MB; once it is full no alert can be taken",
            mib(room.space.free),
            mib(room.space.total)).to_string()),
        Ok(Some(room)) => {
            let most = config.retention.bytes.map_or("unlimited".to_owned(), |most| format!("{} MB", mib(most)));
            Ok(told!("{} MB / {most}，磁盘空闲 {} MB", "{} MB / {most}, free on the disk {} MB", mib(room.bytes), mib(room.space.free)).to_string())
        }
        Err(error) => Err(error.to_string()),
    };
    Some(Finding { about: told!("数据库 {}", "database {}", path.display()).to_string(), result })
}

/// Can WeCom's host be resolved and connected to? With a proxy, that is the proxy's task.
async fn network(config: &Config) -> Finding {
    let about = told!("网络 {}", "network {}", config.wecom.api_url).to_string();
    if config.wecom.proxy.is_some() {
        return Finding { about, result: Ok(words("经代理", "through the proxy").to_string()) };
    }
    let host = config.wecom.api_url.split("://").nth(1).unwrap_or_default().split('/').next().unwrap_or_default();
    let port = if config.wecom.api_url.starts_with("https") { 443 } else { 80 };
    let host =
        if host.rsplit(']').next().unwrap_or(host).contains(':') { host.to_owned() } else { format!("{host}:{port}") };
    let name = host.rsplit_once(':').map_or(host.as_str(), |(name, _)| name);
    let is_name = name.parse::<std::net::Ipv4Addr>().is_err() && !name.starts_with('[') && name != "localhost";
    let servers = resolver::servers(&std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default());
    let trouble = if is_name { resolver::trouble(name, &servers).await } else { None };
    let trouble = trouble.map(|trouble| format!("; {trouble}")).unwrap_or_default();
    let result = match lookup_host(&host).await {
        Ok(addresses) => {
            let addresses: Vec<String> = addresses.map(|address| address.ip().to_string()).collect();
            match tokio::time::timeout(CONNECTING, tokio::net::TcpStream::connect(&host)).await {
                Ok(Ok(_)) => Ok(addresses.join(" ") + &trouble),
                Ok(Err(error)) => Err(told!(
                    "{0} 连不上，请检查 `wecom.api_url`、`wecom.proxy` 和防火墙（{error}）",
                    "{0} cannot be reached: check `wecom.api_url`, `wecom.proxy` and the firewall ({error})",
                    addresses.join(" ")
                )
                .to_string()),
                Err(_) => Err(told!(
                    "{0} 在 {1} 秒内没有应答，请检查 `wecom.proxy` 和防火墙",
                    "{0} does not answer within {1} s: check `wecom.proxy` and the firewall",
                    addresses.join(" "),
                    CONNECTING.as_secs()
                )
                .to_string()),
            }
        }
        Err(error) => Err(told!(
            "域名无法解析，请检查 DNS 或设置 `wecom.proxy`（{error}{trouble}）",
            "the name cannot be resolved, check DNS or set `wecom.proxy` ({error}{trouble})"
        )
        .to_string()),
    };
    Finding { about, result }
}

/// Secret, trusted IP, agent id and scope at once; then the people and chats that the receivers name.
async fn app(setup: &Setup, name: &str, app: &wecom::App, findings: &mut Vec<Finding>, names: &mut Vec<String>) {
    let about = told!("应用 {name}", "app {name}").to_string();
    let agent = match setup.wecom.agent(app).await {
        Ok(agent) if agent.closed => {
            let result =
                Err(words("应用已停用，请在管理后台启用", "the app is disabled: enable it in the admin console")
                    .to_string());
            return findings.push(Finding { about, result });
        }
        Ok(agent) => agent,
        Err(error) => return findings.push(Finding { about, result: Err(remedy(&error)) }),
    };
    let scope = told!(
        "部门 {:?}，成员 {}，标签 {:?}",
        "departments {:?}, members {}, tags {:?}",
        agent.parties,
        agent.users.len(),
        agent.tags
    )
    .to_string();
    findings.push(Finding {
        about,
        result: Ok(told!("{}  可见范围：{scope}", "{}  visible scope: {scope}", agent.name).to_string()),
    });
    let (mut users, mut chats) = (Vec::new(), Vec::new());
    for target in setup.config.targets() {
        match &target.to {
            To::Members { app, users: named, users_file, on_call, .. } if app == name => {
                users.extend(named.iter().filter(|user| *user != "@all").cloned());
                if let Some(text) = users_file.as_ref().and_then(|file| std::fs::read_to_string(file).ok()) {
                    users.extend(users_in(&text).into_iter().map(str::to_owned));
                }
                let rota = on_call.as_ref().and_then(|duty| setup.config.rotas.0.get(duty::split(duty).0));
                users.extend(rota.into_iter().flat_map(Rota::everybody));
            }
            To::Chat { app, chat } if app == name => chats.push(chat.clone()),
            To::Members { .. }
            | To::Chat { .. }
            | To::Webhook { .. }
            | To::Email { .. }
            | To::Hook { .. }
            | To::Bot { .. } => {}
        }
    }
    users.sort_unstable();
    users.dedup();
    chats.sort_unstable();
    chats.dedup();
    for user in users.iter().take(MEMBERS) {
        let result = match setup.wecom.member(app, user).await {
            Ok(member) if member.status == 1 => {
                names.push(member.name.clone());
                Ok(member.name)
            }
            Ok(member) => Err(told!(
                "状态 {}：未激活、停用或已离职，收不到消息",
                "status {}: not active, gets no messages",
                member.status
            )
            .to_string()),
            Err(error) => Err(remedy(&error)),
        };
        findings.push(Finding { about: told!("  成员 {user}", "  member {user}").to_string(), result });
    }
    for chat in chats {
        let result = match setup.wecom.chat(app, &chat).await {
            Ok(chat) => {
                names.push(chat.name.clone());
                Ok(told!("{}，{} 人", "{}, {} members", chat.name, chat.members.len()).to_string())
            }
            Err(error) if !agent.parties.contains(&ROOT) => Err(told!(
                "可见范围要包含根部门。{}",
                "the visible scope must hold the root department. {}",
                remedy(&error)
            )
            .to_string()),
            Err(error) => Err(remedy(&error)),
        };
        findings.push(Finding { about: told!("  群聊 {chat}", "  chat {chat}").to_string(), result });
    }
}

async fn webhook(setup: &Setup, key: secrecy::SecretString) -> Result<String, String> {
    let good = knock(setup, key).await.map_err(|failure| Words::from((failure.zh(), failure.en())).to_string())?;
    Ok(match good {
        Knock::Silent => words("key 有效", "the key is good"),
        Knock::Heard => words("key 有效（收到一条空消息）", "the key is good (an empty message was taken)"),
    }
    .to_string())
}

/// What came of asking a webhook.
pub(super) enum Knock {
    /// The key is good, and nothing was delivered.
    Silent,
    /// An empty message was delivered.
    Heard,
}

/// Is the key of a webhook good?
pub(super) async fn knock(setup: &Setup, key: secrecy::SecretString) -> Result<Knock, Failure> {
    let empty = wecom::webhook_send_body(&Content::Text(Text::default()));
    let request = SendRequest { channel: wecom::Channel::Webhook, body: empty.into() };
    match setup.wecom.send(&Account::Webhook(wecom::Webhook { key }), &request).await {
        Outcome::NotSent(Failure { fault: Fault::Errcode(EMPTY_TEXT), .. }) => Ok(Knock::Silent),
        Outcome::NotSent(failure) | Outcome::Unsure(failure) => Err(failure),
        Outcome::Accepted(_) | Outcome::AcceptedInPart { .. } => Ok(Knock::Heard),
    }
}

/// Is a bot connected, and may it write in all its conversations? Connects only where no gateway does, and evicts no
/// connection.
async fn bot(config: &Config, name: &str, account: &BotAccount, findings: &mut Vec<Finding>) {
    findings.push(Finding {
        about: told!("机器人 {name}", "bot {name}").to_string(),
        result: bots::check(config, name, account).await,
    });
    let known = crate::bots::Known::read(config, name).await;
    for (conversation, error) in &known.conversations {
        let heard = || told!("{} 说过话", "{} has spoken there", conversation.user).to_string();
        let result = error.as_ref().map_or_else(|| Ok(heard()), |error| Err(error.to_string()));
        findings
            .push(Finding { about: told!("  会话 {}", "  conversation {}", conversation.chat).to_string(), result });
    }
    for chat in bots::mute(config, name, &known) {
        let unheard = || {
            words(
                "没有记录：网关运行以来还没有人在那里对机器人说过话（`wegraf init` 里说的不记在这里）；推不进去就说一句，或在群里 @ 它一次",
                "not on record: no one has spoken to the bot there since the gateway runs (what was said to `wegraf init` is not recorded); if nothing arrives, write to it, or mention it once",
            )
        };
        // Whether it may write there is only known once it was refused.
        let result = known.refusal(name, chat).map_or_else(|| Ok(unheard().to_string()), |why| Err(why.to_string()));
        findings.push(Finding { about: told!("  会话 {chat}", "  conversation {chat}").to_string(), result });
    }
}

/// Does the mail server answer, encrypt and accept the login? Nothing is sent.
async fn mail(known: &Smtp) -> Result<String, String> {
    let mailer = Mailer::new(known).map_err(|error| format!("{error:#}"))?;
    match mailer.check(MAIL_DEADLINE).await {
        Ok(()) if known.login.is_some() => Ok(words("能登录", "the login is good").to_string()),
        Ok(()) => Ok(words("能连上", "it answers").to_string()),
        Err(trouble) => Err(trouble.what.to_string()),
    }
}

fn remedy(error: &CallError) -> String {
    let failure = error.failure();
    let said = Words::from((failure.zh(), failure.en()));
    let address = failure.egress_ip.map(|ip| told!(" 本机出口 IP：{ip}", " our address: {ip}")).unwrap_or_default();
    format!("{said}{address}")
}
