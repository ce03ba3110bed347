//! `wegraf log`: which lines the running gateway logs, and others for a while. After that time it goes back by itself.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::gateway::Gateway;
use super::screen::Screen;
use super::{ConfigFile, Misused};
use crate::config::{ListenAt, parse_duration};
use crate::http::{LogAnswer, LogOrder};
use crate::links::LinkKey;
use crate::store::Store;
use crate::telemetry::{self, LEVELS};
use crate::words::{told, words};

/// `wegraf log`
#[derive(Debug, Args)]
pub struct Log {
    /// Which configuration.
    #[command(flatten)]
    pub file: ConfigFile,
    /// 记什么，写法同 `WEGRAF_LOG`：debug，或 `warn,wegraf::deliver=debug`；不写则只看。 What to log, as in `WEGRAF_LOG`: debug, or `warn,wegraf::deliver=debug`; default: only look.
    #[arg(value_name = "FILTER", value_parser = filter)]
    pub filter: Option<String>,
    /// 多久，1s 到 24h；之后自己恢复。 For how long, 1s to 24h; later it goes back by itself.
    #[arg(long = "for", value_name = "SPAN", default_value = "15m", value_parser = span)]
    pub span: Duration,
    /// 网关用 `serve --listen` 启动时，写同样的地址。 Where the gateway listens, if it was started with `serve --listen`.
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<ListenAt>,
    /// 谁改的，默认是系统用户名；写进日志。 Who does it, for the log; default: the user of this system.
    #[arg(long, value_name = "NAME", env = "USER", hide_env_values = true, default_value = "wegraf")]
    pub by: String,
    /// 输出 JSON。 Answer in JSON.
    #[arg(long)]
    pub json: bool,
}

fn span(text: &str) -> Result<Duration, String> {
    let known = Duration::from_secs(1)..=Duration::from_hours(24);
    parse_duration(text).filter(|span| known.contains(span)).ok_or_else(|| {
        words("写 1s 到 24h 的时长，例如 15m", "write a duration from 1s to 24h, for example 15m").to_string()
    })
}

/// What is to be logged, if it is a filter.
pub(super) fn filter(text: &str) -> Result<String, String> {
    if telemetry::is_filter(text) {
        return Ok(text.to_owned());
    }
    Err(told!(
        "级别有 {LEVELS}；按模块写成 warn,wegraf::deliver=debug",
        "the levels are {LEVELS}; by module it is written as warn,wegraf::deliver=debug"
    )
    .to_string())
}

/// Asks the running gateway. Exit code 2 if it does not take the filter.
pub async fn run(arguments: Log) -> anyhow::Result<ExitCode> {
    let Log { file, filter, span, listen, by, json } = arguments;
    let (config, _) = file.load_to_look()?;
    let store = Store::open_reading(&config.database).await?;
    let key = LinkKey::from(store.link_secrets().await?);
    let gateway = Gateway::new(&config, listen.as_ref(), None, key)?;
    let changed = filter.is_some();
    let order = LogOrder { filter, seconds: span.as_secs(), by };
    let (status, said) = gateway.order("/api/v1/log", serde_json::to_vec(&order)?).await?;
    if status != 200 {
        return Err(Misused(said["error"].as_str().unwrap_or_default().to_owned()).into());
    }
    if json {
        Screen::json(&said).show()?;
        return Ok(ExitCode::SUCCESS);
    }
    let LogAnswer { filter, usual } = serde_json::from_value(said)?;
    let mut screen = Screen::new();
    screen.line(told!("现在 {filter}", "now     {filter}"));
    if changed {
        let minutes = span.as_secs().div_ceil(60);
        screen.line(told!("约 {minutes} 分钟后恢复为 {usual}", "after about {minutes} min it is {usual} again"));
    } else if filter != usual {
        screen.line(told!("启动时 {usual}，到时自己恢复", "started {usual}, to which it goes back by itself"));
    }
    screen.show()?;
    Ok(ExitCode::SUCCESS)
}
