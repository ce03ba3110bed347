//! `wegraf source new`: a source with a fresh credential, written into the configuration, and what to paste at the
//! sender.

mod senders;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde_json::json;

use super::entry::insert;
use super::screen::Screen;
use super::{ConfigFile, Misconfigured, Misused};
use crate::config::Config;
use crate::words::{Words, told, words};
use senders::Draft;
pub use senders::Sender;
pub(super) use senders::{fresh, pasted};

/// What to do with sources.
#[derive(Debug, Subcommand)]
pub enum SourceCommand {
    /// 新建一个来源：生成凭证，写进配置，打印要贴到发送方的内容。 Make a source: a fresh credential, written into the configuration, and what to paste at the sender.
    New(SourceNew),
}

/// `wegraf source new`
#[derive(Debug, Args)]
pub struct SourceNew {
    /// Which configuration.
    #[command(flatten)]
    pub file: ConfigFile,
    /// 来源的名字。 Name of the source.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// 发送方。 The sender.
    #[arg(long = "for", value_name = "SENDER", value_enum, default_value = "other")]
    pub sender: Sender,
    /// 只能投递给这些接收者，用逗号分隔；只有一个时地址里就写它。 The only receivers that it may post to, between commas; if it is one, the address names it.
    #[arg(long, value_name = "RECEIVERS", value_delimiter = ',')]
    pub receivers: Vec<String>,
    /// 发送方给出的密钥（Sentry、`PagerDuty`、Slack）；默认随机生成。 A secret that the sender gave; default: a random one.
    #[arg(long, value_name = "SECRET", env = "WEGRAF_SOURCE_SECRET", hide_env_values = true)]
    pub secret: Option<String>,
    /// 密钥放在这个环境变量里，不写进文件。 The secret stands in this environment variable, not in the file.
    #[arg(long, value_name = "VARIABLE")]
    pub env: Option<String>,
    /// 只打印，不写文件。 Only print; write nothing.
    #[arg(long)]
    pub print: bool,
    /// 输出 JSON。 Answer in JSON.
    #[arg(long)]
    pub json: bool,
}

/// Writes the source and prints what to paste. What cannot be inserted as text is printed instead, with exit code 1.
pub fn run(arguments: &SourceNew) -> anyhow::Result<ExitCode> {
    let (text, path) = arguments.file.text()?;
    let (config, _) = Config::parse_to_look(&text, path).map_err(Misconfigured)?;
    if config.sources.iter().any(|source| source.name == arguments.name) {
        return Err(misused(
            &format!("已经有来源 `{}`", arguments.name),
            &format!("there is a source `{}` already", arguments.name),
        ));
    }
    let secret = match (&arguments.secret, arguments.sender.is_given()) {
        (Some(secret), _) => secret.clone(),
        (None, true) => {
            return Err(misused(
                "这个发送方自己给出密钥：先在它那里建好，再用 --secret 给出",
                "this sender gives the secret: create the webhook there, then pass it with --secret",
            ));
        }
        (None, false) => senders::fresh(),
    };
    let draft = Draft::new(arguments, &config, &secret);
    let written = match insert(&text, &["sources"], &arguments.name, &draft.entry) {
        Some(new) => {
            // Unsuitable names and secrets are reported like by `check`, at the place where they would be.
            let (new_config, _) = Config::parse_to_look(&new, path).map_err(Misconfigured)?;
            let there = new_config.sources.iter().any(|source| source.name == arguments.name);
            let writable = there && !arguments.print && path != Path::new("stdin");
            if writable {
                replace(path, &new)
                    .with_context(|| told!("{} 写不进去", "{} cannot be written", path.display()).to_string())?;
            }
            writable
        }
        None => false,
    };
    answer(arguments, &draft, written).show()?;
    Ok(ExitCode::from(u8::from(!written && !arguments.print)))
}

fn misused(zh: &str, en: &str) -> anyhow::Error {
    Misused(Words::from((zh.to_owned(), en.to_owned())).to_string()).into()
}

fn answer(arguments: &SourceNew, draft: &Draft, written: bool) -> Screen {
    if arguments.json {
        let paste: serde_json::Map<String, serde_json::Value> =
            draft.paste.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
        return Screen::json(&json!({
            "name": arguments.name, "written": written, "entry": draft.entry, "url": draft.url,
            "secret": draft.secret, "paste": paste,
        }));
    }
    let mut screen = Screen::new();
    if written && let Some(variable) = &arguments.env {
        let file = arguments.file.config.display();
        screen.line(told!("✓ 已写进 {file}：来源 {}", "✓ written into {file}: source {}", arguments.name));
        screen.line(told!(
            "! 运行中的 wegraf 没有变量 {variable}，读不了新的配置：在它的环境里设好，再重启它；在那之前旧配置继续有效",
            "! a running wegraf has no variable {variable} and cannot read the new configuration: set it in its environment and restart it; until then the old one stays in force"
        ));
    } else if written {
        screen.line(told!(
            "✓ 已写进 {}：来源 {}；运行中的 wegraf 会自动重读",
            "✓ written into {}: source {}; a running wegraf reads it by itself",
            arguments.file.config.display(),
            arguments.name
        ));
    } else {
        screen.line(words("写进配置的 sources 下面：", "put this under `sources` of the configuration:"));
        screen.line(format_args!("  {}: {}", arguments.name, draft.entry));
    }
    if let Some(variable) = &arguments.env {
        screen.line(words("设置环境变量，再（重新）启动：", "set the variable, then start or restart:"));
        screen.line(format_args!("  {variable}={}", draft.secret));
    }
    screen.gap();
    screen.line(told!("贴到 {0}：", "paste at {0}:", arguments.sender.title()));
    for (name, value) in &draft.paste {
        screen.lines(format_args!("  {name}: {value}"));
    }
    screen.gap();
    screen.line(words("密钥只显示这一次。收到没有：", "The secret is shown once. Whether anything arrives:"));
    screen.line(format_args!("  wegraf doctor --source {}", arguments.name));
    screen
}

/// Replaces a file atomically, with its permissions; through a link, the file behind it.
pub(super) fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    let path = path.canonicalize()?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let before = std::fs::metadata(&path)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    std::fs::set_permissions(file.path(), before.permissions())?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        // Only an administrator can change the owner; a file made by others is their own already.
        std::os::unix::fs::chown(file.path(), Some(before.uid()), Some(before.gid())).ok();
    }
    file.persist(&path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn for_each_sender_the_source_is_one_that_the_configuration_takes() {
        use clap::ValueEnum as _;
        let base = "wecom: { webhooks: { g: { key: 11111111-2222-4333-8444-555555555555 } } }\n\
                    receivers: { ops: { targets: [ { webhook: g } ] } }\n";
        let (config, _) = Config::parse(base, Path::new("wegraf.yaml")).unwrap();
        for &sender in Sender::value_variants() {
            for env in [None, Some("WEGRAF_TEST_UNSET".to_owned())] {
                let arguments = SourceNew {
                    file: ConfigFile { config: "wegraf.yaml".into() },
                    name: "new".to_owned(),
                    sender,
                    receivers: vec!["ops".to_owned()],
                    secret: None,
                    env: env.clone(),
                    print: false,
                    json: false,
                };
                let draft = Draft::new(&arguments, &config, &senders::fresh());
                let text = insert(base, &["sources"], "new", &draft.entry).unwrap();
                let (config, notes) = Config::parse_to_look(&text, Path::new("wegraf.yaml"))
                    .unwrap_or_else(|mistakes| panic!("{sender:?}: {mistakes:?}"));
                assert_eq!(config.sources[0].receivers.as_deref(), Some(&["ops".to_owned()][..]), "{sender:?}");
                assert_eq!(notes, [], "{sender:?}");
                let shown = answer(&arguments, &draft, true);
                assert!(shown.as_str().contains(&draft.secret), "{sender:?}");
                let alone = shown.as_str().contains("reads it by itself");
                assert_eq!(
                    (alone, shown.as_str().contains("restart it")),
                    (env.is_none(), env.is_some()),
                    "{sender:?}"
                );
                assert_eq!(draft.entry.contains(&draft.secret), env.is_none(), "{sender:?}");
            }
        }
    }
}
