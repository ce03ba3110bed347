//! `wegraf payloads`: the mappings, which of them reads a body and where each fact comes from, and a draft of a mapping
//! for an unknown body.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::screen::Screen;
use super::{ConfigFile, Misused, Subject};
use crate::alert::{Format, ThreadId, Timestamp};
use crate::config::Config;
use crate::ingest::{self, Door, Explained};
use crate::store::Store;
use crate::time::Clock;
use crate::words::{spoken, told, words};

/// `wegraf payloads`
#[derive(Debug, Args)]
pub struct Payloads {
    /// What to do.
    #[command(subcommand)]
    pub command: PayloadsCommand,
}

/// What to do with mappings.
#[derive(Debug, Subcommand)]
pub enum PayloadsCommand {
    /// 列出认识的来源：先是你的映射，再是内置的。 The mappings, yours first, then the shipped ones.
    List {
        /// Which configuration.
        #[command(flatten)]
        file: ConfigFile,
        /// 输出 JSON。 Answer in JSON.
        #[arg(long)]
        json: bool,
    },
    /// 一段请求体由谁来读，每个字段从哪里来。 Which mapping takes a body, and where each field came from.
    Test {
        /// Which configuration.
        #[command(flatten)]
        file: ConfigFile,
        /// 请求体文件，- 表示标准输入；或收到过的通知的编号、消息的短编号。 A file with a body, - for standard input; or the id of a notification that was taken, or a short id.
        #[arg(value_name = "FILE|ID")]
        body: String,
        /// 请求的 Content-Type；不写则按内容认。 The Content-Type; default: told by the content.
        #[arg(long, value_name = "TYPE")]
        content_type: Option<String>,
        /// 输出 JSON。 Answer in JSON.
        #[arg(long)]
        json: bool,
    },
    /// 从一段请求体写出映射的开头，改好后放进配置的 payloads。 The beginning of a mapping for a body, to be finished under `payloads`.
    New {
        /// Which configuration.
        #[command(flatten)]
        file: ConfigFile,
        /// 请求体文件，或收到过的通知的编号、消息的短编号。 A file with a body, or the id of a notification that was taken, or a short id.
        #[arg(long, value_name = "FILE|ID")]
        from: String,
        /// 映射的名字。 The name of the mapping.
        #[arg(long, value_name = "NAME", default_value = "mine")]
        name: String,
    },
}

/// A body and its context.
struct Body {
    bytes: Vec<u8>,
    content_type: Option<String>,
    received_at: Timestamp,
    door: Door,
}

/// Runs the command.
pub async fn run(arguments: Payloads) -> anyhow::Result<ExitCode> {
    let text = match arguments.command {
        PayloadsCommand::List { file, json } => list(&file.load_to_look()?.0, json),
        PayloadsCommand::Test { file, body, content_type, json } => {
            let (config, _) = file.load_to_look()?;
            let mut body = find(&config, &body).await?;
            body.content_type = content_type.or(body.content_type);
            let explained = read(&config, &body)?;
            if json { format!("{:#}\n", explained_json(&explained)) } else { explained_text(&explained, &body) }
        }
        PayloadsCommand::New { file, from, name } => {
            let (config, _) = file.load_to_look()?;
            let body = find(&config, &from).await?;
            let explained = read(&config, &body)?;
            ingest::draft(&explained, &body.bytes, body.content_type.as_deref(), &name, spoken().unwrap_or_default())
        }
    };
    let mut screen = Screen::new();
    screen.lines(text);
    screen.show()?;
    Ok(ExitCode::SUCCESS)
}

/// A file, standard input, or a stored body by an id.
async fn find(config: &Config, wanted: &str) -> anyhow::Result<Body> {
    let path = PathBuf::from(wanted);
    let id = wanted.trim_start_matches('#');
    let id = id.parse::<i64>().ok().or_else(|| ThreadId::parse(id).map(|thread| thread.0));
    if wanted == "-" || path.is_file() || id.is_none() {
        let subject = Subject { payload: Some(path), ..Subject::default() };
        let bytes = super::send::body(&subject, Clock::System.now())?;
        return Ok(Body { bytes, content_type: None, received_at: Clock::System.now(), door: Door::Webhook });
    }
    let store = Store::open_reading(&config.database)
        .await
        .context(words("打不开记录；网关启动过吗？", "the record cannot be opened; has the gateway ever run?"))?;
    let Some(kept) = store.notification(id.unwrap_or_default()).await? else {
        bail!(Misused(
            told!(
                "没有文件 `{wanted}`，记录里也没有这个编号",
                "there is no file `{wanted}` and no notification with this id"
            )
            .to_string()
        ));
    };
    if kept.raw.is_empty() {
        bail!(told!("原始内容已按保留期清理", "its body was pruned (retention.raw)"));
    }
    let door = if kept.format == Format::AlertsPush { Door::AlertsPush } else { Door::Webhook };
    Ok(Body { bytes: kept.raw.to_vec(), content_type: kept.content_type, received_at: kept.received_at, door })
}

fn read(config: &Config, body: &Body) -> anyhow::Result<Explained> {
    ingest::explain(&body.bytes, body.content_type.as_deref(), body.door, &config.payloads, body.received_at)
        .map_err(|error| Misused(error.words().to_string()).into())
}

fn list(config: &Config, json: bool) -> String {
    let mappings: Vec<Value> = config
        .payloads
        .mappings()
        .map(|(mapping, own)| json!({ "name": mapping.name, "own": own, "has": mapping.has, "when": mapping.when }))
        .collect();
    if json {
        return format!("{:#}\n", json!({ "payloads": mappings, "fixed": FIXED }));
    }
    let mut text = String::new();
    for (mapping, own) in config.payloads.mappings() {
        let origin = if own { words("你的", "yours") } else { words("内置", "shipped") };
        let mut when = mapping.has.join(", ");
        if !mapping.when.is_empty() {
            if !when.is_empty() {
                when.push_str("; ");
            }
            when.push_str(mapping.when.trim());
        }
        writeln!(text, "{:<24} {origin:<10} {when}", mapping.name).expect("a String takes everything");
    }
    writeln!(text, "{:<24} {:<10} {}", "(fixed)", words("内置", "shipped"), FIXED.join(", "))
        .expect("a String takes everything");
    writeln!(text, "{}", words("其余的由通用读法读", "the general reader reads all else"))
        .expect("a String takes everything");
    text
}

/// Formats that need no mapping.
const FIXED: &[&str] = &[
    "grafana",
    "grafana_legacy",
    "alertmanager",
    "alerts_push",
    "robot",
    "slack",
    "feishu",
    "teams",
    "discord",
    "text",
];

fn explained_json(explained: &Explained) -> Value {
    let alerts: Vec<Value> = explained
        .notification
        .alerts
        .iter()
        .enumerate()
        .map(|(index, alert)| {
            let fields: Vec<Value> = explained
                .origins
                .get(index)
                .into_iter()
                .flatten()
                .map(|(field, from, value)| json!({ "field": field, "from": from, "value": value }))
                .collect();
            json!({
                "name": alert.name,
                "status": alert.status.as_str(),
                "health": alert.health.as_str(),
                "level": alert.level(),
                "key": alert.discriminator.as_str(),
                "starts_at": alert.starts_at,
                "ends_at": alert.ends_at,
                "labels": alert.labels,
                "annotations": alert.annotations,
                "values": alert.values,
                "link": alert.links.rule,
                "fields": fields,
            })
        })
        .collect();
    json!({
        "by": explained.by,
        "format": explained.notification.format,
        "message": explained.notification.message,
        "alerts": alerts,
    })
}

fn explained_text(explained: &Explained, body: &Body) -> String {
    let mut text = told!(
        "读者：{}（{} 条，{}）\n",
        "taken by: {} ({} alerts, {})\n",
        explained.by,
        explained.notification.alerts.len(),
        explained.notification.format
    )
    .to_string();
    for (index, alert) in explained.notification.alerts.iter().enumerate() {
        let level = alert.level().map_or("-", crate::level::Level::as_str);
        let _ = writeln!(text, "\n── {} · {} · {level}", alert.name, alert.status.as_str());
        for (field, from, value) in explained.origins.get(index).into_iter().flatten() {
            let _ = writeln!(text, "   {field:<9} {}  ← {from}", one_line(value));
        }
        let _ = writeln!(text, "   {:<9} {}", "identity", alert.discriminator.as_str());
        for (name, value) in &alert.labels {
            let _ = writeln!(text, "   {:<9} {name} = {}", "label", one_line(value));
        }
        for (name, value) in &alert.annotations {
            let _ = writeln!(text, "   {:<9} {name} = {}", "text", one_line(value));
        }
        for value in &alert.values {
            let _ = writeln!(text, "   {:<9} {} {}", "value", value.name, value.text);
        }
    }
    if !explained.notification.message.is_empty() {
        let _ = write!(text, "\n{}\n", words("正文：", "text:"));
        for line in explained.notification.message.lines() {
            let _ = writeln!(text, "   {line}");
        }
    }
    let listed = ingest::listed(explained.notification.format, &body.bytes, body.content_type.as_deref());
    if listed.hidden > 0 {
        let _ = writeln!(text, "{}", told!("\n有意隐藏或遮盖：{}", "\nhidden or masked on purpose: {}", listed.hidden));
    }
    text
}

fn one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let end = line.floor_char_boundary(120);
    if end < line.len() { format!("{}…", &line[..end]) } else { line }
}
