//! `wegraf health`: is a gateway ready? For images without a shell, and for scripts.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::anyhow;

use super::Health;
use super::gateway::{cause, client_for};
use super::screen::Screen;
use crate::config::Area;
use crate::words::{Words, told};

/// Deadline for the whole answer.
const DEADLINE: Duration = Duration::from_secs(3);

/// Asks `/readyz` and prints its answer. Exit code 0 if it is ready, else 1.
pub async fn run(arguments: Health) -> anyhow::Result<ExitCode> {
    let (client, base) = if let Some(url) = &arguments.url {
        (reqwest::Client::builder().no_proxy(), url.trim_end_matches('/').to_owned())
    } else {
        let (config, _) = arguments.file.load_to_look()?;
        client_for(&config.door(Area::Monitoring))
    };
    let client = client.timeout(DEADLINE).build()?;
    let url = format!("{base}/readyz");
    let answer = client.get(&url).send().await.map_err(|error| anyhow!(unready(&url, &error)))?;
    let status = answer.status();
    let said = answer.text().await.unwrap_or_default();
    let mut screen = Screen::new();
    let mark = if status.is_success() { '✓' } else { '✗' };
    screen.lines(format_args!("{mark} {url} {}\n{}", status.as_u16(), said.trim_end()));
    screen.show()?;
    Ok(ExitCode::from(u8::from(!status.is_success())))
}

/// Why there is no answer.
fn unready(url: &str, error: &reqwest::Error) -> Words {
    if error.is_timeout() {
        return told!("{url} 没有在 3 秒内回答", "{url} does not answer within 3 s");
    }
    let Words { zh, en } = cause(error);
    Words::from((format!("连不上 {url}：{zh}"), format!("{url} cannot be reached: {en}")))
}
