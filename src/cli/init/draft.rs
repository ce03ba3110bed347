//! The text of the configuration that the answers make: a new file, or entries for one that exists (pure but for reading
//! that file).

use std::path::{Path, PathBuf};

use super::answers::{Answers, Way};
use super::parsed;
use crate::cli::entry::insert;
use crate::cli::source::fresh;
use crate::cli::{Init, Misconfigured, SecretsIn};
use crate::config::{Config, Language, Mistake};
use crate::words::{Words, spoken, told};

/// Where the gateway listens.
const LISTEN: &str = "127.0.0.1:8080";
/// Of a package: what its unit runs with, and where its data is.
const PACKAGED: &str = "/etc/wegraf";
const DATA: &str = "sqlite:/var/lib/wegraf/wegraf.db";

/// A configuration that is there already.
pub(super) struct Existing {
    text: String,
    config: Config,
}

impl Existing {
    /// The file, if there is one; an error if it cannot be used as it is.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, Misconfigured> {
        if !path.exists() {
            return Ok(None);
        }
        let text =
            std::fs::read_to_string(path).map_err(|error| Misconfigured(vec![Mistake::unreadable(path, &error)]))?;
        let (config, _) = Config::parse_to_look(&text, path).map_err(Misconfigured)?;
        Ok(Some(Self { text, config }))
    }

    /// Where its WeCom is.
    pub(super) fn api_url(&self) -> &str {
        &self.config.wecom.api_url
    }
}

/// A secret and the name under which the configuration refers to it.
pub(super) struct Secret {
    pub(super) name: String,
    pub(super) value: String,
}

/// What is to be written.
pub(super) struct Draft {
    /// The account in WeCom, and the receiver that uses it.
    pub(super) account: String,
    pub(super) receiver: String,
    pub(super) secrets: Vec<Secret>,
    /// The token of the source, if one is made.
    pub(super) token: Option<String>,
    /// The configuration with its secrets in it, for the proof.
    pub(super) config: Config,
    /// The text of the file. `None`: the one that exists is written in a form that only a person can extend.
    pub(super) text: Option<String>,
    entries: Vec<(&'static [&'static str], String, String)>,
    proof: String,
    path: PathBuf,
    extends: bool,
}

impl Draft {
    /// The configuration for the proof once more: its users take it apart.
    pub(super) fn config(&self) -> anyhow::Result<Config> {
        Ok(parsed(&self.proof, &self.path, self.extends)?)
    }

    pub(super) fn new(answers: &Answers, arguments: &Init, existing: Option<&Existing>) -> anyhow::Result<Self> {
        let taken = |name: &str| {
            existing.is_some_and(|there| {
                let wecom = &there.config.wecom;
                wecom.webhooks.contains_key(name) || wecom.apps.contains_key(name) || wecom.bots.contains_key(name)
            })
        };
        let account = free(arguments.name.as_deref().unwrap_or(default_name(answers)), taken);
        let known = |name: &str| existing.is_some_and(|there| there.config.receivers.contains_key(name));
        let receiver = free(arguments.receiver.as_deref().unwrap_or("ops"), known);
        let token = existing.is_none().then(|| arguments.token.get_or_init(fresh).clone());
        let mut secrets = vec![Secret { name: account.clone(), value: secret(answers) }];
        secrets.extend(token.iter().map(|token| Secret { name: "grafana_token".to_owned(), value: token.clone() }));
        let inline = |at: usize| quoted(&secrets[at].value);
        let referred = |at: usize| match arguments.secrets {
            SecretsIn::Inline => inline(at),
            SecretsIn::File => format!("{{ file: secrets/{} }}", secrets[at].name),
            SecretsIn::Env => format!("{{ env: {} }}", variable(&secrets[at].name)),
        };
        let compose = |secret: &dyn Fn(usize) -> String| {
            let entries = entries(answers, &account, &receiver, &secret(0));
            let text = match existing {
                Some(there) => entries
                    .iter()
                    .try_fold(there.text.clone(), |text, (path, name, value)| insert(&text, path, name, value)),
                None => Some(new_file(arguments, answers.api_url(arguments).as_deref(), &entries, &secret(1))),
            };
            (entries, text)
        };
        let (entries, text) = compose(&referred);
        let proof = compose(&inline).1.or_else(|| existing.map(|there| there.text.clone())).unwrap_or_default();
        let (path, extends) = (arguments.output.clone(), existing.is_some());
        let config = parsed(&proof, &path, extends)?;
        // What only a person can extend may be taken for something else.
        let text = text.filter(|_| config.receivers.contains_key(&receiver));
        Ok(Self { account, receiver, secrets, token, config, text, entries, proof, path, extends })
    }

    /// The entries, for a person to put into the file.
    pub(super) fn by_hand(&self) -> Words {
        let lines =
            self.entries.iter().map(|(path, name, value)| format!("\n  {}:\n    {name}: {value}", path.join(".")));
        let lines: String = lines.collect();
        told!(
            "这个文件的写法只能手工添加，请自己写进去：{lines}",
            "This file is written in a form that only a person can extend; put this into it:{lines}"
        )
    }
}

const fn default_name(answers: &Answers) -> &'static str {
    match answers.way {
        Some(Way::Bot) | None => "duty",
        Some(Way::Webhook) => "group",
        Some(Way::App) => "app",
    }
}

/// `name`, or `name-2` and so on if it is taken.
fn free(name: &str, taken: impl Fn(&str) -> bool) -> String {
    let mut names = std::iter::once(name.to_owned()).chain((2..).map(|number| format!("{name}-{number}")));
    names.find(|name| !taken(name)).unwrap_or_default()
}

fn secret(answers: &Answers) -> String {
    let secret = match answers.way {
        Some(Way::Bot) | None => &answers.bot_secret,
        Some(Way::Webhook) => &answers.webhook,
        Some(Way::App) => &answers.app_secret,
    };
    secret.clone().unwrap_or_default()
}

/// The variable that holds the secret of this name.
pub(super) fn variable(name: &str) -> String {
    format!("WEGRAF_{}", name.to_uppercase().replace('-', "_"))
}

/// The account and the receiver: under which keys, their names and values.
fn entries(
    answers: &Answers,
    account: &str,
    receiver: &str,
    secret: &str,
) -> Vec<(&'static [&'static str], String, String)> {
    let (path, entry, target): (&[&str], _, _) = match answers.way {
        Some(Way::Webhook) => {
            (&["wecom", "webhooks"], format!("{{ key: {secret} }}"), format!("{{ webhook: {account} }}"))
        }
        Some(Way::App) => {
            let users: Vec<String> = answers.users().iter().map(|user| quoted(user)).collect();
            let (corp_id, agent_id) = (
                quoted(answers.corp_id.as_deref().unwrap_or_default()),
                answers.agent_id.as_deref().unwrap_or_default(),
            );
            (
                &["wecom", "apps"],
                format!("{{ corp_id: {corp_id}, agent_id: {agent_id}, secret: {secret} }}"),
                format!("{{ app: {account}, users: [{}] }}", users.join(", ")),
            )
        }
        Some(Way::Bot) | None => {
            // Until a person has spoken to it, the bot's conversation is not known. A userid never starts like a group's id.
            let chat = answers.chat.as_deref().unwrap_or("nobody");
            let face = if chat.starts_with("wr") { "markdown_v2" } else { "card" };
            (
                &["wecom", "bots"],
                format!("{{ bot_id: {}, secret: {secret} }}", quoted(answers.bot_id.as_deref().unwrap_or_default())),
                format!("{{ bot: {account}, chat: {}, face: {face} }}", quoted(chat)),
            )
        }
    };
    vec![
        (path, account.to_owned(), entry),
        (&["receivers"], receiver.to_owned(), format!("{{ targets: [ {target} ] }}")),
    ]
}

fn new_file(arguments: &Init, api_url: Option<&str>, entries: &[(&[&str], String, String)], token: &str) -> String {
    let language = arguments.language.or_else(spoken).unwrap_or_default();
    let listen = arguments.listen.map_or_else(|| LISTEN.to_owned(), |address| address.to_string());
    let open = format!("0.0.0.0:{}", listen.rsplit_once(':').map_or("8080", |(_, port)| port));
    let zh = language == Language::Zh;
    let say = |chinese: &'static str, english: &'static str| if zh { chinese } else { english };
    let mut wecom = String::new();
    for (key, url) in
        [("api_url", api_url), ("bot_url", arguments.bot_url.as_deref()), ("proxy", arguments.proxy.as_deref())]
    {
        wecom.extend(url.iter().map(|url| format!("  {key}: {}\n", quoted(url))));
    }
    let database = if arguments.output.parent() == Some(Path::new(PACKAGED)) {
        format!("database: {DATA}\n")
    } else {
        String::new()
    };
    let [(path, account, entry), (_, receiver, targets)] = entries else { unreachable!("entries() makes two") };
    let about = say(
        "# wegraf 的配置。全部的键：wegraf init --print",
        "# The configuration of wegraf. Every key: wegraf init --print",
    );
    let reach = if arguments.listen.is_none_or(|address| address.ip().is_loopback()) {
        told!(
            "# 只有本机连得上。别的机器要投递告警时改成 {open}，或在前面放 TLS 反向代理。\n",
            "# Reached from this machine only. For others: {open}, or a proxy with TLS in front.\n"
        )
    } else {
        Words::default()
    };
    let reach = reach.get(language);
    let proof = say(
        "# 告警从哪里来，凭什么放行。再加一个：wegraf source new",
        "# Who may post alerts. One more: wegraf source new",
    );
    let routed = say(
        "# 所有告警都发给它；分给不同的人：wegraf init --print 里的 route。",
        "# It gets every alert; to tell different people: route in wegraf init --print.",
    );
    format!(
        "{about}\n\n{reach}listen: {listen}\nlanguage: {}\ntimezone: Asia/Shanghai\n{database}\n\
         {proof}\nsources:\n  grafana: {{ bearer: {token} }}\n\n\
         wecom:\n{wecom}  {}:\n    {account}: {entry}\n\n\
         receivers:\n  {receiver}: {targets}\n\n\
         {routed}\nroute: {{ receiver: {receiver} }}\n",
        language.as_str(),
        path[1],
    )
}

/// A text in double quotes: JSON quoting is valid YAML.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
