//! `wegraf console token`: tokens of the API.

use std::process::ExitCode;

use anyhow::{bail, ensure};
use clap::{Args, Subcommand};
use serde_json::json;

use super::ordered;
use crate::cli::screen::Screen;
use crate::cli::{ConfigFile, Misused};
use crate::config::{Config, ListenAt};
use crate::http::api::token::{Scope, fresh, is_name};
use crate::http::{EndTokenOrder, TokenOrder};
use crate::render::Clock as Reading;
use crate::store::{ApiToken, NewToken, Store, StoreError, Unopened, hash};
use crate::time::Clock;
use crate::words::{told, words};

const DAY_MS: i64 = 24 * 3_600_000;

/// `wegraf console token`
#[derive(Debug, Args)]
pub struct Token {
    /// What to do.
    #[command(subcommand)]
    pub command: TokenCommand,
}

/// What to do with tokens.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// 给一个程序做一个 /api/v1 的令牌；只显示这一次。 Make a token of /api/v1 for a program; it is shown this once.
    Create(Create),
    /// 列出令牌：名称、归谁、能做什么、何时到期、最近哪天用过。 List tokens: whose they are, what they may do, when they end and were last used.
    List(List),
    /// 结束一个令牌。 End a token.
    End(End),
}

/// `wegraf console token create`
#[derive(Debug, Args)]
pub struct Create {
    /// Which configuration.
    #[command(flatten)]
    pub file: ConfigFile,
    /// 名称：字母、数字、._-；记录里写作 api/NAME。 Its name: letters, digits, ._-; in the record it is api/NAME.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// 能做什么，可重复：read、read:raw、act、resend、change。 What it may do; repeat it: read, read:raw, act, resend, change.
    #[arg(long = "scope", value_name = "SCOPE", default_value = "read", value_parser = scope)]
    pub scopes: Vec<Scope>,
    /// 只涉及这个接收者，可重复；默认全部。 Only for this receiver; repeat it; default: all.
    #[arg(long = "receiver", value_name = "NAME")]
    pub receivers: Vec<String>,
    /// 几天后到期，1 到 365。 After how many days it ends, 1 to 365.
    #[arg(long, value_name = "N", default_value_t = 90, value_parser = clap::value_parser!(u16).range(1..=365))]
    pub days: u16,
    /// 谁负责，默认是系统用户名。 Who answers for it; default: the user of this system.
    #[arg(long, value_name = "NAME", env = "USER", hide_env_values = true, default_value = "wegraf")]
    pub owner: String,
    /// 网关用 `serve --listen` 启动时，写同样的地址。 Where the gateway listens, if it was started with `serve --listen`.
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<ListenAt>,
    /// 输出 JSON。 Answer in JSON.
    #[arg(long)]
    pub json: bool,
}

/// `wegraf console token list`
#[derive(Debug, Args)]
pub struct List {
    /// Which configuration.
    #[command(flatten)]
    pub file: ConfigFile,
    /// 输出 JSON。 Answer in JSON.
    #[arg(long)]
    pub json: bool,
}

/// `wegraf console token end`
#[derive(Debug, Args)]
pub struct End {
    /// Which configuration.
    #[command(flatten)]
    pub file: ConfigFile,
    /// 令牌的名称。 The name of the token.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// 谁结束的，默认是系统用户名。 Who ends it; default: the user of this system.
    #[arg(long, value_name = "NAME", env = "USER", hide_env_values = true, default_value = "wegraf")]
    pub by: String,
    /// 网关用 `serve --listen` 启动时，写同样的地址。 Where the gateway listens, if it was started with `serve --listen`.
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<ListenAt>,
}

fn scope(word: &str) -> Result<Scope, String> {
    let known = Scope::ALL.map(Scope::as_str).join(", ");
    Scope::parse(word)
        .ok_or_else(|| told!("没有这个范围；有：{known}", "there is no such scope; there are: {known}").to_string())
}

/// Runs the command.
pub(super) async fn run(arguments: Token) -> anyhow::Result<ExitCode> {
    match arguments.command {
        TokenCommand::Create(create) => make(create).await?.show()?,
        TokenCommand::List(list) => listed(&list).await?.show()?,
        TokenCommand::End(End { file, name, by, listen }) => {
            let (config, _) = file.load()?;
            let ended = end(&config, listen, &name, by).await?;
            ensure!(ended, told!("没有名为 {name} 的令牌", "there is no token {name}"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn make(create: Create) -> anyhow::Result<Screen> {
    let (config, _) = create.file.load()?;
    let Create { name, mut scopes, receivers, days, owner, listen, json, .. } = create;
    if !is_name(&name) {
        bail!(Misused(
            told!(
                "`{name}` 不能作令牌的名称：A-Z a-z 0-9 . _ -，1–40 个",
                "`{name}` is no name for a token: A-Z a-z 0-9 . _ -, 1–40"
            )
            .to_string()
        ));
    }
    for receiver in &receivers {
        if !config.receivers.contains_key(receiver) {
            bail!(Misused(told!("没有接收者 `{receiver}`", "there is no receiver `{receiver}`").to_string()));
        }
    }
    scopes.sort();
    scopes.dedup();
    let now = Clock::System.now();
    let token = ApiToken {
        name: name.clone(),
        owner: owner.clone(),
        scopes: scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" "),
        receivers: (!receivers.is_empty()).then_some(receivers),
        made_at: now,
        ends_at: now.plus_millis(i64::from(days) * DAY_MS),
        used_at: None,
    };
    let secret = fresh();
    let new = NewToken { hash: hash(&secret), token };
    let made = match Store::open(&config.database, now).await {
        Ok(store) => {
            let made = store.make_api_token(new, owner, now).await?;
            store.close().await?;
            made
        }
        Err(StoreError::Open { why: Unopened::InUse { pid }, .. }) => {
            let order = serde_json::to_vec(&TokenOrder::of(&new))?;
            ordered(&config, listen, pid, "/api/v1/console/token", order).await?["made"] == true
        }
        Err(error) => return Err(error.into()),
    };
    ensure!(
        made,
        told!(
            "已有名为 {name} 的令牌：先 wegraf console token end {name}",
            "there is a token {name}: end it first by wegraf console token end {name}"
        )
    );
    if json {
        return Ok(Screen::json(&json!({ "token": secret, "name": name, "days": days })));
    }
    let mut screen = Screen::new();
    screen.lines(
        told!(
            "{secret}\n  只显示这一次，{days} 天后到期\n  Authorization: Bearer …",
            "{secret}\n  shown this once, ends in {days} days\n  Authorization: Bearer …"
        )
        .to_string(),
    );
    Ok(screen)
}

async fn listed(list: &List) -> anyhow::Result<Screen> {
    let (config, _) = list.file.load_to_look()?;
    let now = Clock::System.now();
    let tokens = Store::open_reading(&config.database).await?.api_tokens().await?;
    if list.json {
        let row = |token: &ApiToken| {
            json!({
                "name": token.name, "owner": token.owner, "scopes": token.scopes.split(' ').collect::<Vec<_>>(),
                "receivers": token.receivers, "made_at": token.made_at, "ends_at": token.ends_at,
                "used_at": token.used_at, "ended": token.ends_at <= now,
            })
        };
        return Ok(Screen::json(&json!({ "tokens": tokens.iter().map(row).collect::<Vec<_>>() })));
    }
    let clock = Reading { now, zone: &config.timezone, language: config.language };
    let time = |at| clock.time(at).unwrap_or_default();
    let day =
        |at: crate::alert::Timestamp| jiff::Timestamp::from_millisecond(at.0).unwrap_or_default().strftime("%Y-%m-%d");
    let mut screen = Screen::new();
    if tokens.is_empty() {
        screen.line(words("没有令牌", "there are no tokens"));
    }
    for token in &tokens {
        let until = if token.ends_at <= now {
            words("已到期", "ended").to_string()
        } else {
            format!("→ {}", time(token.ends_at))
        };
        let used = match token.used_at {
            None => words("没用过", "never used"),
            // The record keeps the day only.
            Some(at) => told!("用过 {0}", "used {0}", day(at)),
        };
        let receivers = token.receivers.as_ref().map(|names| names.join(" ")).unwrap_or_default();
        screen.line(format_args!(
            "{:<20} {:<12} {}  {until}  {used}  {receivers}",
            token.name, token.owner, token.scopes
        ));
    }
    Ok(screen)
}

async fn end(config: &Config, listen: Option<ListenAt>, name: &str, by: String) -> anyhow::Result<bool> {
    match Store::open(&config.database, Clock::System.now()).await {
        Ok(store) => {
            let ended = store.end_api_token(name.to_owned(), by, Clock::System.now()).await?;
            store.close().await?;
            Ok(ended)
        }
        Err(StoreError::Open { why: Unopened::InUse { pid }, .. }) => {
            let order = serde_json::to_vec(&EndTokenOrder { name: name.to_owned(), by })?;
            Ok(ordered(config, listen, pid, "/api/v1/console/token/end", order).await?["ended"] == true)
        }
        Err(error) => Err(error.into()),
    }
}
