//! `wegraf reload`: has the running gateway read its configuration again, and waits for the result. A signal could not
//! tell it.

use std::process::ExitCode;

use serde_json::json;

use super::Reload;
use super::gateway::Gateway;
use super::screen::Screen;
use crate::http::ReloadAnswer;
use crate::links::LinkKey;
use crate::store::Store;
use crate::words::{told, words};

/// Prints what the reload came to. Exit code 1 if the new configuration is wrong and the old one stays in force.
pub async fn run(arguments: Reload) -> anyhow::Result<ExitCode> {
    let config = match arguments.file.load_to_look() {
        Ok((config, _)) => config,
        // Where the gateway is found stands in this file, and it would refuse it, too.
        Err(mistakes) => {
            return tell(&arguments, &ReloadAnswer { error: mistakes.to_string(), ..ReloadAnswer::default() });
        }
    };
    let store = Store::open_reading(&config.database).await?;
    let key = LinkKey::from(store.link_secrets().await?);
    let gateway = Gateway::new(&config, arguments.listen.as_ref(), None, key)?;
    let (_, said) = gateway.order("/api/v1/reload", Vec::new()).await?;
    tell(&arguments, &serde_json::from_value(said)?)
}

fn tell(arguments: &Reload, done: &ReloadAnswer) -> anyhow::Result<ExitCode> {
    let fine = done.error.is_empty();
    if arguments.json {
        let ReloadAnswer { error, notes, restart } = done;
        Screen::json(&json!({ "ok": fine, "error": error, "notes": notes, "restart": restart })).show()?;
    } else {
        report(done).show()?;
    }
    Ok(ExitCode::from(u8::from(!fine)))
}

fn report(done: &ReloadAnswer) -> Screen {
    let mut screen = Screen::new();
    if !done.error.is_empty() {
        screen.lines(format_args!("✗ {}", done.error));
        screen.lines(words("旧配置继续有效", "the old configuration stays in force"));
        return screen;
    }
    for note in &done.notes {
        screen.lines(format_args!("! {note}"));
    }
    if !done.restart.is_empty() {
        let keys = done.restart.join("、");
        screen.lines(told!("! 重启后才生效：{keys}", "! only after a restart: {keys}"));
    }
    screen.lines(words("✓ 新配置已生效", "✓ the new configuration is in force"));
    screen
}
