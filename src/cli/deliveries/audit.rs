//! The audit: every accepted transition has exactly one fate.

use std::process::ExitCode;

use serde_json::json;

use super::print;
use crate::cli::record::Record;
use crate::cli::screen::Screen;
use crate::store::Audit;
use crate::words::{told, words};

/// Prints the fates. Exit code 1 if one contradicts its message.
pub(super) async fn run(record: &Record, json: bool) -> anyhow::Result<ExitCode> {
    let audit = record.audit().await?;
    let answer = if json { Screen::json(&json!(audit)) } else { table(&audit) };
    print(&answer)?;
    Ok(ExitCode::from(u8::from(audit.imbalance != 0)))
}

fn table(audit: &Audit) -> Screen {
    let Audit { pending, named, counted, suppressed, dead, repeated, imbalance } = *audit;
    let total = pending + named + counted + suppressed + dead;
    let verdict = if imbalance == 0 {
        words("✓ 每条变化有且只有一个去向", "✓ every change has exactly one fate").to_string()
    } else {
        told!("✗ 对不上：{imbalance} 条变化的去向与消息不符。这是 wegraf 的缺陷，请附上这段输出和日志反馈", "✗ the fate of {imbalance} changes contradicts their messages: a bug of wegraf, please report it with this and the log").to_string()
    };
    let mut screen = Screen::new();
    screen.lines(told!("变化      {total:>10}\n  等待    {pending:>10}\n  点名    {named:>10}\n  计数    {counted:>10}\n  抑制    {suppressed:>10}\n  放弃    {dead:>10}\n重复上报  {repeated:>10}\n{verdict}\n", "changes       {total:>10}\n  pending     {pending:>10}\n  named       {named:>10}\n  counted     {counted:>10}\n  suppressed  {suppressed:>10}\n  dead        {dead:>10}\nrepeated      {repeated:>10}\n{verdict}\n"));
    screen
}
