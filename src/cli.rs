//! The commands: what a person types, and what each answers.
//!
//! This file is the whole tree of commands with its help; each command lives in a file of its own below. Exit
//! codes are a contract: 0 done, 1 what was asked for failed, 2 wrong usage or configuration.

pub mod acts;
pub mod alerts;
mod ask;
pub mod backup;
pub mod bots;
pub mod chat;
pub mod check;
pub mod connect;
pub mod console;
pub mod deliveries;
mod demo;
pub mod doctor;
pub mod duty;
mod entry;
mod gateway;
pub mod health;
pub mod init;
pub mod links;
pub mod log;
pub mod migrate_store;
mod misuse;
pub mod payloads;
pub mod preview;
pub mod record;
pub mod reload;
pub mod report;
pub mod route;
pub mod sample;
pub mod schema;
pub mod screen;
pub mod send;
pub mod serve;
pub mod shell;
pub mod silences;
pub mod simulator;
pub mod source;
pub mod support;
mod systemd;
mod tongue;
pub mod why;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::ExitCode;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::config::{Config, Language, ListenAt, Mistake, Note};
use crate::words::{plural, told, words};
pub use acts::Acts;
pub use bots::BotsCommand;
pub use connect::Connect;
pub use console::Console;
pub use deliveries::{Deliveries, When};
pub use links::Links;
pub use log::Log;
pub use payloads::Payloads;
pub use silences::Silences;
use source::SourceCommand;
pub use support::SupportBundle;
pub use tongue::Tongue;

const EXIT_CODES: &str = "\
退出码： | Exit codes:
  0  完成 | 0  done
  1  要做的事没有成功 | 1  what was asked for failed
  2  用法或配置有误 | 2  wrong usage or configuration

先看看效果：wegraf demo | See it work:           wegraf demo
写一份配置：wegraf init | Write a configuration: wegraf init
启动：wegraf serve -c wegraf.yaml | Start:                 wegraf serve -c wegraf.yaml";

/// 把 Grafana 和 Prometheus 的告警送到企业微信。
/// Brings alerts from Grafana and Prometheus to WeCom.
#[derive(Debug, Parser)]
#[command(name = "wegraf", version, max_term_width = 110, after_help = EXIT_CODES, disable_help_subcommand = true)]
pub struct Cli {
    /// 输出用哪种语言；默认看 `WEGRAF_LANG`、`LC_ALL`、`LC_MESSAGES`、`LANG`。 Language of the output; default: `WEGRAF_LANG`, `LC_ALL`, `LC_MESSAGES`, `LANG`.
    #[arg(long, global = true, value_enum, env = "WEGRAF_LANG", hide_env = true)]
    pub lang: Option<Tongue>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// 一条命令看到效果：内置企业微信模拟器和示例告警。 See it work: simulator, gateway and sample alerts in one.
    Demo(Demo),
    /// 启动网关。 Run the gateway.
    Serve(Serve),
    /// 网关就绪了没有：0 就绪，1 没有。 Is the gateway ready: 0 yes, 1 no.
    Health(Health),
    /// 让运行中的网关重读配置，并等待结果。 Have the running gateway read its configuration again, and wait for the result.
    Reload(Reload),
    /// 问几个问题，写出配置文件并试发一条。 Ask a few questions, write the configuration, send a test.
    Init(Init),
    /// 离线检查配置，列出所有错误。 Check the configuration offline; every mistake at once.
    Check(Check),
    /// 在线检查：网络、令牌、可信 IP、成员、群聊、webhook、机器人。 Check online: network, token, trusted IP, members, chats, webhooks, bots.
    Doctor(Doctor),
    /// 来源：新建一个，并打印要贴到发送方的内容。 Sources: make one, and print what to paste at the sender.
    Source(SourceOf),
    /// 把发送方接上：在 Grafana 里建联络点，先给人看，再动手。 Connect a sender: a contact point in Grafana, shown first and then made.
    Connect(Connect),
    /// 走真实通道发一条，并等待结果。 Send one message the real way and wait for the outcome.
    Send(Send),
    /// 看会发出什么，不发送。 Show what would be sent; sends nothing.
    Preview(Preview),
    /// 这些标签的告警发给谁，由哪条匹配决定。 Who gets an alert with these labels, and which matcher decided.
    Route(Route),
    /// 谁当班，接下来是谁。 Who is on duty, and who is next.
    Duty(Duty),
    /// 智能机器人：连着没有，能往哪些会话发。 Bots: are they connected, and where may they speak.
    Bots(Bots),
    /// 应用群聊：创建、修改、查看。 Group chats of an app: create, update, show.
    Chat(Chat),
    /// 投递记录：发给了谁，何时，到了没有，为什么没到；导出、重发、对账。 The record: who was told what, when, did it arrive, why not; export, resend, audit.
    Deliveries(Deliveries),
    /// 请求体怎么读：列出映射，试读一段，写出新映射的开头。 How bodies are read: list mappings, try one, begin a new one.
    Payloads(Payloads),
    /// 现在有哪些告警，谁认领了。 Which alerts there are now, and who has them.
    Alerts(alerts::Alerts),
    /// 谁做了什么：认领、静默、撤回。 The audit trail: who took, silenced or recalled what.
    Acts(Acts),
    /// 上游的静默：列出、新建、延长、结束。 Silences upstream: list, create, extend, expire.
    Silences(Silences),
    /// 消息里链接的密钥：泄露或有人离开时换掉。 The key of the links in messages: rotate it after a leak or when a person leaves.
    Links(Links),
    /// 备份 SQLite 数据库，网关照常运行。 Back up the SQLite database while the gateway runs.
    Backup(Backup),
    /// 用备份替换数据库；先停止网关。 Put a backup in the place of the database; stop the gateway first.
    Restore(Restore),
    /// 报告问题时附上的一包材料，不含密钥和告警内容。 What to attach to a report of a fault; no secrets, no texts of alerts.
    SupportBundle(SupportBundle),
    /// 运行中的网关记哪些日志：看一看，或者改一段时间。 What the running gateway logs: look, or change it for a while.
    Log(Log),
    /// 浏览器里的控制台：登录链接和登录。 The console in the browser: links that sign in, and sessions.
    Console(Console),
    /// 把 SQLite 文件搬进 PostgreSQL；先停止网关。 Move a SQLite file into PostgreSQL; stop the gateway first.
    MigrateStore(MigrateStore),
    /// 本地的企业微信模拟器，用于测试和演示。 A local WeCom for tests and demos.
    Simulator(Simulator),
    /// 一段时间里告警有多吵，哪些规则值得改。 How much alerts asked of people, and which rules are worth changing.
    Report(report::ReportArguments),
    /// 打印配置文件的 JSON Schema。 Print the JSON Schema of the configuration.
    Schema {
        /// 改为打印 /api/v1 的描述（`OpenAPI` 3.1）。 Print the description of /api/v1 instead (`OpenAPI` 3.1).
        #[arg(long)]
        api: bool,
    },
    /// 打印 shell 补全脚本。 Print the script that completes commands in a shell.
    Completions(Completions),
    /// 打印 man 手册页。 Print the man page.
    Man(Man),
}

/// Which configuration.
#[derive(Debug, Clone, Args)]
pub struct ConfigFile {
    /// 配置文件；- 表示标准输入。 The configuration; - reads it from standard input.
    #[arg(short, long, value_name = "FILE", env = "WEGRAF_CONFIG", default_value = "wegraf.yaml")]
    pub config: PathBuf,
}

/// `wegraf demo`
#[derive(Debug, Args)]
pub struct Demo {
    /// 示例告警都到达后退出（0 到齐，1 没到齐）。 Exit when the samples have arrived: 0 all, 1 not all.
    #[arg(long)]
    pub once: bool,
}

/// `wegraf serve`
#[derive(Debug, Args)]
pub struct Serve {
    /// Which configuration.
    #[command(flatten)]
    pub file: ConfigFile,
    /// 监听地址，代替配置里的 listen。 Where to listen, in place of `listen` in the configuration.
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<ListenAt>,
    /// 日志级别：error、warn、info、debug，可按模块写。 What is logged: error, warn, info, debug, also by module.
    #[arg(long, value_name = "FILTER", env = "WEGRAF_LOG", default_value = "info", value_parser = log::filter)]
    pub log: String,
}

/// `wegraf health`
#[derive(Debug, Args)]
pub struct Health {
    /// Which configuration.
    #[command(flatten)]
    pub file: ConfigFile,
    /// 网关的地址，代替配置里的 listen，例如 <http://127.0.0.1:8080>。 Where the gateway is, in place of `listen` in the configuration.
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
}

/// `wegraf reload`
#[derive(Debug, Args)]
pub struct Reload {
    /// Which configuration.
    #[command(flatten)]
    pub file: ConfigFile,
    /// 网关用 `serve --listen` 启动时，写同样的地址。 Where the gateway listens, if it was started with `serve --listen`.
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<ListenAt>,
    /// 输出 JSON。 Answer in JSON.
    #[arg(long)]
    pub json: bool,
}

/// `wegraf backup`
#[derive(Debug, Args)]
pub struct Backup {
    /// Which configuration.
    #[command(flatten)]
    pub file: ConfigFile,
    /// 写到哪个文件或目录；默认是数据库所在的目录。已有的文件不会覆盖。 A file or a folder; default: the database's folder. A file that exists is not overwritten.
    #[arg(long, value_name = "PATH")]
    pub to: Option<PathBuf>,
    /// 目录里只留最新的几份。 Keep only the newest ones of the folder.
    #[arg(long, value_name = "NUMBER")]
    pub keep: Option<usize>,
    /// 不带企业微信的访问令牌。 Leave out the access tokens of WeCom.
    #[arg(long)]
    pub without_tokens: bool,
    /// 输出 JSON。 Answer in JSON.
    #[arg(long)]
    pub json: bool,
}

/// What becomes of the messages that were waiting when a backup was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Waiting {
    /// 照发。 They are sent.
    Send,
    /// 放弃，记录里写明。 They are given up, with the reason on record.
    Drop,
}

/// `wegraf restore`
#[derive(Debug, Args)]
pub struct Restore {
    /// Which configuration.
    #[command(flatten)]
    pub file: ConfigFile,
    /// 备份文件。 The backup.
    #[arg(value_name = "FILE")]
    pub backup: PathBuf,
    /// 备份时还没发出的消息怎么办。 What to do with the messages that were waiting when it was made.
    #[arg(long, value_enum, value_name = "WHAT")]
    pub waiting: Option<Waiting>,
    /// 输出 JSON。 Answer in JSON.
    #[arg(long)]
    pub json: bool,
}

/// Where `wegraf init` puts secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum SecretsIn {
    /// 每个一个文件，在配置旁边的 secrets/ 里。 A file each, in secrets/ beside the configuration.
    #[default]
    File,
    /// 写在配置里。 In the configuration.
    Inline,
    /// 在环境变量里。 In environment variables.
    Env,
}

/// `wegraf init`
#[derive(Debug, Default, Args)]
pub struct Init {
    /// 写到哪个文件；已有的文件只添加，不改动别的。 Where to write; a file that exists is added to and otherwise unchanged.
    #[arg(short, long, value_name = "FILE", default_value = "wegraf.yaml")]
    pub output: PathBuf,
    /// 只打印带注释的示例配置。 Only print the commented example.
    #[arg(long)]
    pub print: bool,
    /// 不提问：都用默认值；缺什么就一次说全，退出码 2。 Ask nothing: take the defaults; what is missing is named at once, with exit code 2.
    #[arg(long, env = "WEGRAF_YES", value_parser = clap::builder::FalseyValueParser::new())]
    pub yes: bool,
    /// 智能机器人的 Bot ID。 Bot ID of a bot.
    #[arg(long, value_name = "ID", env = "WEGRAF_BOT_ID")]
    pub bot_id: Option<String>,
    /// 机器人长连接的 Secret；写在命令里别的用户看得见，请用变量或 @文件。 The bot's secret for the long connection; others see it in a command: use the variable or @FILE.
    #[arg(long, value_name = "SECRET", env = "WEGRAF_BOT_SECRET", hide_env_values = true, value_parser = secret)]
    pub bot_secret: Option<String>,
    /// 机器人发到哪个会话：userid 或群的 chatid；不写就等人对它说话。 Where the bot speaks: a userid or a group's chatid; default: where it is spoken to.
    #[arg(long, value_name = "CHAT", requires = "bot_id")]
    pub chat: Option<String>,
    /// 消息推送的地址或 key，或 @文件。 URL or key of a webhook, or @FILE.
    #[arg(long, value_name = "KEY", env = "WEGRAF_WEBHOOK", hide_env_values = true, value_parser = secret)]
    pub webhook: Option<String>,
    /// 企业 ID，与 --agent-id、--users 一起用。 Corp id; with --agent-id and --users.
    #[arg(long, value_name = "ID", env = "WEGRAF_CORP_ID")]
    pub corp_id: Option<String>,
    /// 应用的 `AgentId`。 The app's `AgentId`.
    #[arg(long, value_name = "NUMBER", env = "WEGRAF_AGENT_ID")]
    pub agent_id: Option<i64>,
    /// 应用的 Secret；写在命令里别的用户看得见，请用变量或 @文件。 The app's Secret; others see it in a command: use the variable or @FILE.
    #[arg(long, value_name = "SECRET", env = "WEGRAF_SECRET", hide_env_values = true, value_parser = secret)]
    pub secret: Option<String>,
    /// 应用发给谁：userid，用逗号分隔；所有人写 @all。 Whom the app tells: userids between commas; @all is everyone.
    #[arg(long, value_name = "USERIDS", value_delimiter = ',', env = "WEGRAF_USERS")]
    pub users: Vec<String>,
    /// 账号在配置里的名字。 The account's name in the configuration.
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// 接收者的名字，默认 ops。 The receiver's name; default: ops.
    #[arg(long, value_name = "NAME")]
    pub receiver: Option<String>,
    /// 监听地址，默认 127.0.0.1:8080。 Where to listen; default: 127.0.0.1:8080.
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// 密钥放在哪里。 Where secrets are put.
    #[arg(long, value_enum, value_name = "WHERE", default_value = "file")]
    pub secrets: SecretsIn,
    /// 消息语言。 Language of messages.
    #[arg(long, value_enum)]
    pub language: Option<Language>,
    /// 不试发。 Send no test.
    #[arg(long)]
    pub no_test: bool,
    /// 另一个企业微信：私有部署或模拟器。 Another WeCom: a private deployment or the simulator.
    #[arg(long, value_name = "URL")]
    pub api_url: Option<String>,
    /// 机器人连接的另一个地址。 Another address for the bot.
    #[arg(long, value_name = "URL")]
    pub bot_url: Option<String>,
    /// 经这个代理访问企业微信。 The proxy on the way to WeCom.
    #[arg(long, value_name = "URL")]
    pub proxy: Option<String>,
    /// The token of the new source: the same when the answers are tried again.
    #[arg(skip)]
    pub(crate) token: std::sync::OnceLock<String>,
}

/// A secret, or the first line of the file that `@FILE` names.
fn secret(text: &str) -> Result<String, String> {
    let Some(path) = text.strip_prefix('@') else { return Ok(text.to_owned()) };
    let read = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    Ok(read.lines().next().unwrap_or_default().trim().to_owned())
}

/// `wegraf check`
#[derive(Debug, Args)]
pub struct Check {
    /// Which configuration.
    #[command(flatten)]
    pub file: ConfigFile,
    /// 输出 JSON。 Answer in JSON.
    #[arg(long)]
    pub json: bool,
}

/// `wegraf doctor`
#[derive(Debug, Args)]
pub struct Doctor {
    /// Which configuration.
    #[command(flatten)]
    pub file: ConfigFile,
    /// 输出 JSON。 Answer in JSON.
    #[arg(long)]
    pub json: bool,
    /// 不查这台机器，而是凭令牌问这个地址上运行的网关：它怎么样，谁在发送。 Check not this machine, but ask the gateway that runs at this address, with a token, how it is and who sends.
    #[arg(long, value_name = "URL", conflicts_with_all = ["source", "picture"])]
    pub url: Option<String>,
    /// --url 用的令牌；写在命令里别的用户看得见，请用变量或 @文件。 The token for --url; others see it in a command: use the variable or @FILE.
    #[arg(long, value_name = "TOKEN", env = "WEGRAF_TOKEN", hide_env_values = true, value_parser = secret)]
    pub token: Option<String>,
    /// 只看这个来源：最近什么时候收到，拒绝了什么，为什么。 Look at this source only: when it was last heard, what was refused and why.
    #[arg(long, value_name = "NAME")]
    pub source: Option<String>,
    /// 画一张样图写进 FILE，并说明每个目标在哪里能看到图。 Draw a sample chart into FILE, and tell where each target can show one.
    #[arg(long, value_name = "FILE", conflicts_with = "source")]
    pub picture: Option<PathBuf>,
    /// 试这个请求体会不会放行；- 表示标准输入。 Would a request with this body be let in; - reads standard input.
    #[arg(long, value_name = "FILE", requires = "source")]
    pub payload: Option<PathBuf>,
    /// 试这个请求头，可以有几个。 A header of that request; may be given several times.
    #[arg(long = "header", value_name = "NAME: VALUE", requires = "source")]
    pub headers: Vec<String>,
    /// 试这个路径和参数，默认 /webhook。 Path and query of that request; default: /webhook.
    #[arg(long, value_name = "PATH", requires = "source")]
    pub address: Option<String>,
    /// 当作从这个地址发来。 The address that it comes from.
    #[arg(long, value_name = "IP", requires = "source")]
    pub from: Option<std::net::IpAddr>,
}

/// `wegraf source`
#[derive(Debug, Args)]
pub struct SourceOf {
    /// What to do.
    #[command(subcommand)]
    pub command: SourceCommand,
}

/// What a message is about.
#[derive(Debug, Default, Args)]
#[group(multiple = false)]
pub struct Subject {
    /// 内置示例，例如 grafana-firing。 A built-in sample, for example grafana-firing.
    #[arg(long, value_name = "NAME")]
    pub sample: Option<String>,
    /// 上游发来的请求体；- 表示标准输入。 A body as an upstream sends it; - reads standard input.
    #[arg(long, value_name = "FILE")]
    pub payload: Option<PathBuf>,
}

/// `wegraf send`
#[derive(Debug, Args)]
pub struct Send {
    /// Which configuration.
    #[command(flatten)]
    pub file: ConfigFile,
    /// 接收者的名字。 Name of a receiver.
    #[arg(value_name = "RECEIVER")]
    pub receiver: String,
    /// What the message is about.
    #[command(flatten)]
    pub subject: Subject,
    /// 一段文字。 A text.
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["sample", "payload"])]
    pub text: Option<String>,
    /// 输出 JSON。 Answer in JSON.
    #[arg(long)]
    pub json: bool,
}

/// `wegraf preview`
#[derive(Debug, Args)]
pub struct Preview {
    /// Where to look.
    #[command(flatten)]
    pub place: record::Place,
    /// 接收者；不写则按路由。 A receiver; default: where the routes lead.
    #[arg(value_name = "RECEIVER")]
    pub receiver: Option<String>,
    /// What the message is about.
    #[command(flatten)]
    pub subject: Subject,
    /// 说明每个标签为什么显示、为什么不显示。 Tell for each label why it is shown or not.
    #[arg(long)]
    pub why: bool,
    /// 输出 JSON。 Answer in JSON.
    #[arg(long)]
    pub json: bool,
}

/// `wegraf route`
#[derive(Debug, Args)]
pub struct Route {
    /// Where to look.
    #[command(flatten)]
    pub place: record::Place,
    /// 告警的标签。 Labels of an alert.
    #[arg(value_name = "LABEL=VALUE", value_parser = label)]
    pub labels: Vec<(String, String)>,
    /// 输出 JSON。 Answer in JSON.
    #[arg(long)]
    pub json: bool,
}

fn label(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let (name, value) = pair.ok_or_else(|| {
        words("写成 标签=值，例如 severity=critical", "write LABEL=VALUE, for example severity=critical").to_string()
    })?;
    Ok((name.to_owned(), value.to_owned()))
}

/// `wegraf duty`
#[derive(Debug, Args)]
pub struct Duty {
    /// Where to look.
    #[command(flatten)]
    pub place: record::Place,
    /// 哪张值班表；不写则全部。 Which rota; default: all of them.
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// 从何时看起：“2026-10-01 09:00”（全局时区）或 RFC 3339；默认现在。 From when: "2026-10-01 09:00" in the configured zone, or RFC 3339; default: now.
    #[arg(long, value_name = "TIME", value_parser = When::parse)]
    pub at: Option<When>,
    /// 往后看几天。 How many days ahead.
    #[arg(long, value_name = "N", default_value_t = 14, value_parser = clap::value_parser!(u16).range(1..=366))]
    pub days: u16,
    /// 输出 JSON。 Answer in JSON.
    #[arg(long)]
    pub json: bool,
}

/// `wegraf bots`
#[derive(Debug, Args)]
pub struct Bots {
    /// What to do.
    #[command(subcommand)]
    pub command: BotsCommand,
}

/// `wegraf chat`
#[derive(Debug, Args)]
pub struct Chat {
    /// What to do with it.
    #[command(subcommand)]
    pub command: ChatCommand,
}

/// Which app of which configuration.
#[derive(Debug, Args)]
pub struct ChatOf {
    /// Which configuration.
    #[command(flatten)]
    pub file: ConfigFile,
    /// 应用名；只有一个应用时可不写。 Name of the app; may be left out if there is one.
    #[arg(long, value_name = "APP")]
    pub app: Option<String>,
    /// 输出 JSON。 Answer in JSON.
    #[arg(long)]
    pub json: bool,
}

/// What to do with a chat.
#[derive(Debug, Subcommand)]
pub enum ChatCommand {
    /// 创建群聊，打印 chatid，并发第一条消息让群显示出来。 Create a chat, print its chatid, and send a first message so that it shows.
    Create {
        /// Which app.
        #[command(flatten)]
        of: ChatOf,
        /// 成员 userid，2 到 2000 个，用逗号分隔。 Userids, 2 to 2000, between commas.
        #[arg(long, value_name = "USERIDS", value_delimiter = ',', required = true)]
        users: Vec<String>,
        /// 群名，最多 50 字。 Its name, at most 50 characters.
        #[arg(long)]
        name: Option<String>,
        /// 群主，默认随机一名成员。 Its owner; default: any member.
        #[arg(long, value_name = "USERID")]
        owner: Option<String>,
        /// chatid，1 到 32 个字母或数字；默认由企业微信生成。 Its chatid, 1 to 32 letters and digits; default: WeCom makes one.
        #[arg(long, value_name = "CHATID")]
        chat: Option<String>,
    },
    /// 改群名、群主，增减成员。 Change name, owner or members.
    Update {
        /// Which app.
        #[command(flatten)]
        of: ChatOf,
        /// 哪个群。 Which chat.
        #[arg(value_name = "CHATID")]
        chat: String,
        /// 新群名。 A new name.
        #[arg(long)]
        name: Option<String>,
        /// 新群主。 A new owner.
        #[arg(long, value_name = "USERID")]
        owner: Option<String>,
        /// 加入的成员。 Userids that join.
        #[arg(long, value_name = "USERIDS", value_delimiter = ',')]
        add: Vec<String>,
        /// 移出的成员。 Userids that leave.
        #[arg(long, value_name = "USERIDS", value_delimiter = ',')]
        remove: Vec<String>,
    },
    /// 查看群名、群主和成员。 Show name, owner and members.
    Show {
        /// Which app.
        #[command(flatten)]
        of: ChatOf,
        /// 哪个群。 Which chat.
        #[arg(value_name = "CHATID")]
        chat: String,
    },
}

/// `wegraf migrate-store`
#[derive(Debug, Args)]
pub struct MigrateStore {
    /// Which configuration: the new one, whose `database` is where to.
    #[command(flatten)]
    pub file: ConfigFile,
    /// 旧的 SQLite 文件，不会被改动。 The old SQLite file; it is not changed.
    #[arg(long, value_name = "FILE")]
    pub from: PathBuf,
    /// 输出 JSON。 Answer in JSON.
    #[arg(long)]
    pub json: bool,
}

/// `wegraf simulator`
#[derive(Debug, Args)]
pub struct Simulator {
    /// 监听地址。 Where to listen.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8081")]
    pub listen: SocketAddr,
}

/// `wegraf completions`
#[derive(Debug, Args)]
pub struct Completions {
    /// 哪种 shell。 Which shell.
    #[arg(value_enum)]
    pub shell: Shell,
}

/// `wegraf man`
#[derive(Debug, Args)]
pub struct Man {
    /// 把所有命令的手册页写到这个目录。 Write the pages of all commands into this folder.
    #[arg(value_name = "FOLDER")]
    pub folder: Option<PathBuf>,
}

impl ValueEnum for Language {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Zh, Self::En]
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(self.as_str()))
    }
}

/// The tree of commands, for help, completions and the man page.
pub fn command() -> clap::Command {
    Cli::command()
}

/// The whole program: does what the arguments say, in the language of the person who runs it.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let variable = |name: &str| std::env::var_os(name).map(|text| text.to_string_lossy().into_owned());
    if let Some(language) = tongue::chosen(&arguments, variable) {
        crate::words::speak(language);
    }
    run(arguments)
}

/// Does what the arguments say. Errors are told on standard error; the exit code is the contract's.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    // The first thing of all: without a provider every use of TLS would panic.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        // Installed already, by a test in the same process: it is the same one.
    }
    let tree = tongue::spoken_tree(command());
    let parsed = tree.clone().try_get_matches_from(arguments);
    let cli = match parsed.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => {
            misuse::tell(&error, &tree);
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match dispatch(cli.command) {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            screen::warn(format_args!("{error:#}"));
            ExitCode::from(if error.is::<Misconfigured>() || error.is::<Misused>() { 2 } else { 1 })
        }
    }
}

fn dispatch(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Init(arguments) => init::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Route(arguments) => wait(route::run(arguments)),
        Command::Schema { api } => schema::run(api),
        Command::Completions(arguments) => shell::completions(&arguments),
        Command::Man(arguments) => shell::man(&arguments),
        Command::Demo(arguments) => wait(demo::run(arguments.once)),
        Command::Serve(arguments) => wait(serve::run(arguments)),
        Command::Health(arguments) => wait(health::run(arguments)),
        Command::Reload(arguments) => wait(reload::run(arguments)),
        Command::Report(arguments) => wait(report::run(arguments)),
        Command::Doctor(arguments) => wait(doctor::run(arguments)),
        Command::Source(SourceOf { command: SourceCommand::New(arguments) }) => source::run(&arguments),
        Command::Connect(arguments) => wait(connect::run(arguments)),
        Command::Send(arguments) => wait(send::run(arguments)),
        Command::Preview(arguments) => wait(preview::run(arguments)),
        Command::Duty(arguments) => wait(duty::run(arguments)),
        Command::Bots(Bots { command: BotsCommand::List(arguments) }) => wait(bots::list(arguments)),
        Command::Chat(arguments) => wait(chat::run(arguments)),
        Command::Deliveries(arguments) => wait(deliveries::run(arguments)),
        Command::Payloads(arguments) => wait(payloads::run(arguments)),
        Command::Alerts(arguments) => wait(alerts::run(arguments)),
        Command::Acts(arguments) => wait(acts::run(arguments)),
        Command::Silences(arguments) => wait(silences::run(arguments)),
        Command::Links(arguments) => wait(links::run(arguments)),
        Command::Backup(arguments) => wait(backup::run(arguments)),
        Command::Restore(arguments) => wait(backup::restore(arguments)),
        Command::SupportBundle(arguments) => wait(support::run(arguments)),
        Command::Log(arguments) => wait(log::run(arguments)),
        Command::Console(arguments) => wait(console::run(arguments)),
        Command::MigrateStore(arguments) => wait(migrate_store::run(arguments)),
        Command::Simulator(arguments) => wait(simulator::run(arguments.listen)),
    }
}

/// Runs a command that talks to the network or the store.
fn wait<T>(command: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    // Behind a pointer the command is compiled once; tokio has three ways to run what it blocks on.
    let command: Pin<Box<dyn Future<Output = anyhow::Result<T>> + '_>> = Box::pin(command);
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(command)
}

/// The reader of our output closed it, having seen enough.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let broken = |io: &std::io::Error| io.kind() == std::io::ErrorKind::BrokenPipe;
    error.chain().any(|cause| cause.downcast_ref().is_some_and(broken))
}

/// A configuration that cannot be used: exit code 2.
#[derive(Debug)]
pub struct Misconfigured(pub Vec<Mistake>);

impl std::fmt::Display for Misconfigured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for mistake in &self.0 {
            writeln!(f, "{mistake}")?;
        }
        let count = self.0.len();
        let s = plural(count);
        write!(f, "{}", told!("配置有 {count} 处错误", "{count} mistake{s} in the configuration"))
    }
}

impl std::error::Error for Misconfigured {}

/// A command used in a way that cannot work: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Misused(pub String);

impl ConfigFile {
    /// The configuration and its notes, or [`Misconfigured`].
    pub fn load(&self) -> Result<(Config, Vec<Note>), Misconfigured> {
        self.load_listening(None)
    }

    /// The same for a command that only reads: it needs no secrets, so a missing one is not a mistake.
    pub fn load_to_look(&self) -> Result<(Config, Vec<Note>), Misconfigured> {
        let (text, path) = self.text()?;
        Config::parse_to_look(&text, path).map_err(Misconfigured)
    }

    /// The same for a command that checks it outside the service: what systemd gives the service at its start is not
    /// missed.
    pub fn load_to_check(&self) -> Result<(Config, Vec<Note>), Misconfigured> {
        let (text, path) = self.text()?;
        Config::parse_to_check(&text, path).map_err(Misconfigured)
    }

    /// The same with an address from the command line in place of `listen`.
    pub fn load_listening(&self, listen: Option<ListenAt>) -> Result<(Config, Vec<Note>), Misconfigured> {
        if self.config != Path::new("-") {
            return Config::load_listening(&self.config, listen).map_err(Misconfigured);
        }
        let (text, path) = self.text()?;
        Config::parse(&text, path).map_err(Misconfigured)
    }

    fn text(&self) -> Result<(String, &Path), Misconfigured> {
        let path = if self.config == Path::new("-") { Path::new("stdin") } else { &self.config };
        let text = if path == Path::new("stdin") {
            std::io::read_to_string(std::io::stdin())
        } else {
            std::fs::read_to_string(path)
        };
        let text = text.map_err(|error| Misconfigured(vec![Mistake::unreadable(path, &error)]))?;
        Ok((text, path))
    }
}

#[cfg(test)]
mod tests;
