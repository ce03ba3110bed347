//! The audit: every accepted transition has exactly one fate.

use std::process::ExitCode;

use serde_json::json;

use super::print;
use crate::cli::screen::Screen;
use crate::store::{Audit, Store};

/// Prints the fates. Exit code 1 if one contradicts its message.
pub(super) async fn run(store: &Store, json: bool) -> anyhow::Result<ExitCode> {
    let audit = store.audit().await?;
    let answer = if json { Screen::json(&json!(audit)) } else { table(&audit) };
    print(&answer)?;
    Ok(ExitCode::from(u8::from(audit.imbalance != 0)))
}

fn table(audit: &Audit) -> Screen {
    let Audit { pending, named, counted, suppressed, dead, repeated, imbalance } = *audit;
    let total = pending + named + counted + suppressed + dead;
    let verdict = if imbalance == 0 {
        "✓ 每条变化有且只有一个去向 every change has exactly one fate".to_owned()
    } else {
        format!(
            "✗ 对不上：{imbalance} 条变化的去向与消息不符。这是 wegraf 的缺陷，请附上这段输出和日志反馈\n  \
             the fate of {imbalance} changes contradicts their messages: a bug of wegraf, please report it with this and the log"
        )
    };
    let mut screen = Screen::new();
    screen.lines(format_args!(
        "变化 changes       {total:>10}\n  等待 pending     {pending:>10}\n  点名 named       {named:>10}\n  \
         计数 counted     {counted:>10}\n  抑制 suppressed  {suppressed:>10}\n  放弃 dead        {dead:>10}\n\
         重复上报 repeated  {repeated:>10}\n{verdict}\n"
    ));
    screen
}
