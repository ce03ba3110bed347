//! `wegraf links`: the key that signs the links in messages.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use super::ConfigFile;
use super::gateway::Gateway;
use super::screen::Screen;
use crate::config::{Config, ListenAt};
use crate::http::RotateOrder;
use crate::links::LinkKey;
use crate::store::{Store, StoreError, Unopened};
use crate::time::Clock;
use crate::words::words;

/// `wegraf links`
#[derive(Debug, Args)]
pub struct Links {
    /// What to do.
    #[command(subcommand)]
    pub command: LinksCommand,
}

/// What to do with the key of links.
#[derive(Debug, Subcommand)]
pub enum LinksCommand {
    /// 换掉签名链接的密钥：旧链接马上不能操作，24 小时后也不能查看。 Replace the key that signs links: old ones allow no act from now on, and open no page after 24 h.
    Rotate(Rotate),
}

/// `wegraf links rotate`
#[derive(Debug, Args)]
pub struct Rotate {
    /// Which configuration.
    #[command(flatten)]
    pub file: ConfigFile,
    /// 网关用 `serve --listen` 启动时，写同样的地址。 Where the gateway listens, if it was started with `serve --listen`.
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<ListenAt>,
    /// 谁换的，默认是系统用户名；写进日志。 Who does it, for the log; default: the user of this system.
    #[arg(long, value_name = "NAME", env = "USER", hide_env_values = true, default_value = "wegraf")]
    pub by: String,
    /// 输出 JSON。 Answer in JSON.
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
pub async fn run(arguments: Links) -> anyhow::Result<ExitCode> {
    let LinksCommand::Rotate(rotate) = arguments.command;
    let (config, _) = rotate.file.load()?;
    replace(&config, &rotate).await?;
    let answer = if rotate.json {
        Screen::json(&json!({ "rotated": true }))
    } else {
        let mut screen = Screen::new();
        screen.lines(
            words("✓ 已换密钥：旧链接不能再操作，24 小时内仍可查看；再换一次，更早的链接就全部失效", "✓ rotated: old links allow no act, and open pages for 24 h; a second rotation ends those of before the first"),
        );
        screen
    };
    answer.show()?;
    Ok(ExitCode::SUCCESS)
}

/// Through the running gateway if it holds the SQLite file, else directly in the store, where replicas find it within a
/// second.
async fn replace(config: &Config, rotate: &Rotate) -> anyhow::Result<()> {
    match Store::open(&config.database, Clock::System.now()).await {
        Ok(store) => {
            store.rotate_links(Clock::System.now()).await?;
            store.close().await?;
        }
        Err(StoreError::Open { why: Unopened::InUse { pid }, .. }) => {
            let record = Store::open_reading(&config.database).await?;
            let key = LinkKey::from(record.link_secrets().await?);
            let gateway = Gateway::new(config, rotate.listen.as_ref(), Some(pid), key)?;
            let order = RotateOrder { by: rotate.by.clone() };
            gateway.order("/api/v1/links/rotate", serde_json::to_vec(&order)?).await?;
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}
