//! `wegraf doctor --picture`: draws a sample, and tells how each target shows a chart. Nothing is sent.

use std::path::Path;
use std::time::Duration;

use super::Finding;
use crate::config::{Channel, Config, Face, Target};
use crate::deliver::{Setup, can_be_pressed};
use crate::render::public_picture;
use crate::words::{told, words};

/// How long our own address may take to answer.
const DEADLINE: Duration = Duration::from_secs(5);

/// The sample, the address of pictures, and one line for each target.
pub(super) async fn check(setup: &Setup, file: &Path) -> Vec<Finding> {
    let config = &setup.config;
    let drawn = match setup.charts.sample(config.language).await {
        Some(png) => match std::fs::write(file, &png) {
            Ok(()) => {
                Ok(told!("{} KB，看看字清不清楚", "{} KB, look whether it can be read", png.len().div_ceil(1024))
                    .to_string())
            }
            Err(error) => Err(told!("写不进去：{error}", "cannot be written: {error}").to_string()),
        },
        None => Err(words("画不出来：请检查 charts.font", "it cannot be drawn: check `charts.font`").to_string()),
    };
    let mut findings =
        vec![Finding { about: told!("样图 {}", "sample {}", file.display()).to_string(), result: drawn }];
    if config.charts.from.is_empty() {
        let result = Ok(words(
            "没有种类为 prometheus 的上游，不会有图，只有发送方自己带的",
            "there is no upstream of the kind prometheus, so only senders' own pictures are shown",
        )
        .to_string());
        findings.push(Finding { about: words("数据", "series").to_string(), result });
    }
    findings.push(Finding { about: words("地址", "address").to_string(), result: address(config).await });
    let mut targets: Vec<&Target> = config.targets().collect();
    targets.sort_by_key(|target| target.lane());
    targets.dedup_by_key(|target| target.lane());
    for target in targets {
        let about = format!("  {} {}", target.lane(), target.face.as_str());
        findings.push(Finding { about, result: Ok(shown(config, target)) });
    }
    findings
}

/// Can readers open pictures at our address?
async fn address(config: &Config) -> Result<String, String> {
    let Some(url) = config.external_url.as_deref() else {
        return Ok(words(
            "没有 external_url，消息里放不了图，只能另发一条",
            "there is no external_url: a picture can only follow a message",
        )
        .to_string());
    };
    if public_picture(url).is_none() {
        return Ok(told!(
            "{url} 手机和企业微信打不开，只能另发一条",
            "neither phones nor WeCom can open {url}: a picture can only follow a message"
        )
        .to_string());
    }
    let http = reqwest::Client::builder().timeout(DEADLINE).build().map_err(|error| error.to_string())?;
    match http.get(format!("{url}/c/doctor.png")).send().await {
        Ok(answer) if answer.status() == 404 => Ok(told!(
            "{url}/c/… 从这里打得开；企业微信和手机打不打得开，从这里看不出来",
            "{url}/c/… can be opened from here; whether WeCom and phones can, cannot be seen from here"
        )
        .to_string()),
        Ok(answer) => Err(told!(
            "{url}/c/… 回答 {}，不像是 wegraf：反向代理要放行 /c/",
            "{url}/c/… answers {} and not like wegraf: a reverse proxy has to pass /c/",
            answer.status().as_u16()
        )
        .to_string()),
        Err(error) => {
            let error = error.without_url();
            Err(told!("{url} 从这里打不开：{error}", "{url} cannot be opened from here: {error}").to_string())
        }
    }
}

/// How a target shows a chart.
fn shown(config: &Config, target: &Target) -> String {
    let open = config.external_url.as_deref().is_some_and(|url| public_picture(url).is_some());
    let inline =
        open && matches!(target.face, Face::News | Face::MarkdownV2 | Face::Card) && !can_be_pressed(config, target);
    let (zh, en) = match (target.channel(), inline) {
        (Channel::Email, _) => ("在正文下面，也说走势", "below the text, and the course in words"),
        (Channel::Hook, _) => ("没有图，一句话说走势", "no picture; the course in words"),
        (_, true) => ("在消息里", "in the message"),
        (_, false) if target.image => (
            "另发一条：只在刚开始告警、前面没有别的消息在等时，占一条预算",
            "as a second message, at the beginning of an alert and where nothing else waits; it takes one more of the budget",
        ),
        (_, false) => (
            "没有图，一句话说走势；image: true 可以另发一条",
            "no picture; the course in words. `image: true` sends it as a second message",
        ),
    };
    words(zh, en).to_string()
}
