//! `wegraf console password`: the hash of a local administrator's password.

use std::io::{IsTerminal as _, stderr, stdin};
use std::process::ExitCode;

use anyhow::{bail, ensure};
use clap::Args;
use serde_json::json;

use crate::cli::ask::Ask;
use crate::cli::screen::Screen;
use crate::config;
use crate::words::{told, words};

/// Characters of a password: by the rules of the console some 1,440 of them can be tried a day.
const LEAST: usize = 12;
/// Bytes that the form of the console takes.
const MOST: usize = 1000;

/// `wegraf console password`
#[derive(Debug, Args)]
pub struct Password {
    /// 输出 JSON。 Answer in JSON.
    #[arg(long)]
    pub json: bool,
}

/// Asks for the password, on a terminal twice and without showing it, and prints its hash.
pub(super) fn run(arguments: &Password) -> anyhow::Result<ExitCode> {
    let terminal = stdin().is_terminal();
    let (mut input, mut screen) = (stdin().lock(), stderr());
    let mut ask = Ask { input: &mut input, screen: &mut screen, terminal };
    let mut secret = |question| -> anyhow::Result<String> { Ok(ask.secret(&question, false)?.unwrap_or_default()) };
    let password = secret(words("密码，至少 12 个字符", "The password, at least 12 characters"))?;
    ensure!(
        password.chars().count() >= LEAST && password.len() <= MOST,
        told!(
            "密码要 {LEAST} 个字符以上，不超过 {MOST} 字节",
            "a password has {LEAST} characters or more, and at most {MOST} bytes"
        )
    );
    if terminal && secret(words("再输入一次", "The same again"))? != password {
        bail!(told!("两次输入不一样", "the two are not the same"));
    }
    let hash = config::Password::make(&password);
    if arguments.json {
        Screen::json(&json!({ "hash": hash })).show()?;
    } else {
        let mut screen = Screen::new();
        screen.line(&hash);
        screen.show()?;
        if terminal {
            crate::cli::screen::warn(told!(
                "存进一个只有服务能读的文件，再写：console: {{ local: {{ admin: {{ file: /etc/wegraf/admin.hash }} }} }}",
                "put it into a file that only the service can read, and write: console: {{ local: {{ admin: {{ file: /etc/wegraf/admin.hash }} }} }}"
            ));
        }
    }
    Ok(ExitCode::SUCCESS)
}
