//! `wegraf migrate-store`: from a SQLite file into PostgreSQL.

use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::json;

use super::screen::Screen;
use super::{MigrateStore, Misused};
use crate::config::Database;
use crate::store::{self, Copied};
use crate::time::Clock;
use crate::words::{Words, words};

/// The next steps for the operator.
const DONE: Words = words(
    "✓ 全部搬进 PostgreSQL：编号、额度、链接都不变，没发出的由新网关继续发。
  旧文件没有改动。不要再用它启动网关，否则没发出的会发两遍；确认无误后移走。",
    "✓ All of it is in PostgreSQL: numbers, budgets and links stay, what was not sent yet is sent by the new gateway.
  The old file is unchanged. Start no gateway on it again, or what was not sent is sent twice; move it away when all is well.",
);

/// Copies the file into the database of the configuration, in full or not at all, and prints how much was copied.
pub async fn run(arguments: MigrateStore) -> anyhow::Result<ExitCode> {
    let (config, _) = arguments.file.load()?;
    let Database::Postgres { url } = &config.database else {
        anyhow::bail!(Misused(
            words(
                "配置里的 database 是 SQLite：先改成 postgres://…",
                "`database` in the configuration is SQLite: make it postgres://… first"
            )
            .to_string()
        ));
    };
    let copied = store::copy(&arguments.from, url, Clock::System.now())
        .await
        .context(words("没有迁移任何数据", "nothing was migrated"))?;
    let mut screen = Screen::new();
    if arguments.json {
        screen.line(report(&copied));
    } else {
        for Copied { table, rows } in copied {
            screen.line(format_args!("{table:<14}{rows:>12}"));
        }
        screen.lines(DONE.to_string());
    }
    screen.show()?;
    Ok(ExitCode::SUCCESS)
}

fn report(copied: &[Copied]) -> String {
    let tables: serde_json::Map<_, _> = copied.iter().map(|one| (one.table.to_owned(), one.rows.into())).collect();
    json!({ "copied": tables }).to_string()
}
