//! `wegraf init`: from a key to a configuration that works.

mod bot;

use std::io::{BufRead, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;

use super::{Init, Misconfigured, Misused};
use crate::config::Config;

/// The commented example: every key, its default and its meaning.
const EXAMPLE: &str = include_str!("../../wegraf.example.yaml");

/// Where the gateway listens.
const LISTEN: &str = "127.0.0.1:8080";

/// The minimal input of a configuration.
#[derive(Debug, Clone)]
enum Answers {
    Bot { bot_id: String, secret: String, to: Option<Spoken> },
    Webhook { key: String },
    App { corp_id: String, agent_id: i64, secret: String, users: Vec<String> },
}

/// The conversation that a bot writes to.
#[derive(Debug, Clone)]
struct Spoken {
    chat: String,
    group: bool,
}

/// Asks, writes the file, sends a test message.
pub fn run(arguments: &Init) -> anyhow::Result<ExitCode> {
    let mut screen = std::io::stdout().lock();
    if arguments.print {
        screen.write_all(EXAMPLE.as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    let path = arguments.output.as_path();
    if path.exists() {
        anyhow::bail!(
            "{} 已经存在，不会覆盖；用 -o 写到别处 ({} exists and is not overwritten; name another file with -o)",
            path.display(),
            path.display()
        );
    }
    let answers = match given(arguments) {
        Some(answers) => answers,
        None => ask(&mut std::io::stdin().lock(), &mut std::io::stderr().lock())?,
    };
    let code = match answers {
        Answers::Bot { bot_id, secret, to } if !arguments.no_test => {
            super::wait(bot::meet(arguments, bot::Account { bot_id, secret, to }, &mut screen))?
        }
        answers => {
            let config = write(&answers, arguments, &mut screen)?;
            if arguments.no_test { ExitCode::SUCCESS } else { try_out(config, &mut screen)? }
        }
    };
    if path.exists() {
        let (shown, listen) = (path.display(), LISTEN);
        writeln!(
            screen,
            "下一步 (next):\n  wegraf serve -c {shown}\n  告警发到 (send alerts to) http://{listen}/webhook"
        )?;
    }
    Ok(code)
}

/// Writes the file for these answers; returns the configuration in it.
fn write(answers: &Answers, arguments: &Init, screen: &mut impl Write) -> anyhow::Result<Config> {
    let path = arguments.output.as_path();
    let (config, text) = compose(answers, arguments)?;
    write_private(path, &text)?;
    writeln!(screen, "已写好 {} (written)", path.display())?;
    Ok(config)
}

/// Sends one real message through the new configuration and prints WeCom's answer. The file stays in any case: mistakes
/// can be corrected in it.
fn try_out(config: Config, screen: &mut impl Write) -> anyhow::Result<ExitCode> {
    let receivers: Vec<String> = config.receivers.keys().cloned().collect();
    let [receiver] = receivers.as_slice() else { unreachable!("compose() writes one receiver") };
    let text = "wegraf 已连通，告警会发到这里。 wegraf is connected; alerts will come here.";
    let outcomes = super::wait(super::send::through(config, receiver, text.into()))?;
    for outcome in &outcomes {
        screen.write_all(super::send::told(outcome).as_str().as_bytes())?;
    }
    Ok(ExitCode::from(u8::from(!super::send::arrived(&outcomes))))
}

/// The answers of the command line, if there are any.
fn given(arguments: &Init) -> Option<Answers> {
    // Environment variables may have been set for another purpose; a corp id is always intended.
    if let (Some(bot_id), Some(secret)) = (arguments.bot_id.clone(), arguments.bot_secret.clone()) {
        // A userid never starts like the id of a group.
        let to = arguments.chat.clone().map(|chat| Spoken { group: chat.starts_with("wr"), chat });
        return Some(Answers::Bot { bot_id, secret, to });
    }
    match (&arguments.corp_id, arguments.agent_id, &arguments.secret, &arguments.webhook) {
        (Some(corp_id), Some(agent_id), Some(secret), _) => Some(Answers::App {
            corp_id: corp_id.clone(),
            agent_id,
            secret: secret.clone(),
            users: arguments.users.clone(),
        }),
        (_, _, _, Some(key)) => Some(Answers::Webhook { key: key.clone() }),
        _ => None,
    }
}

fn ask(input: &mut impl BufRead, screen: &mut impl Write) -> anyhow::Result<Answers> {
    let bot_id = question(
        input,
        screen,
        "智能机器人的 Bot ID：机器人的详情页 → API 模式 → 长连接；没有就直接回车，改用消息推送\n\
         Bot ID of an AI bot, from its page (API mode, long connection); press Enter to use a webhook instead",
    )?;
    // A webhook may be pasted into the first question.
    if bot_id.contains("://") {
        return Ok(Answers::Webhook { key: bot_id });
    }
    if !bot_id.is_empty() {
        let secret = question(input, screen, "机器人长连接的 Secret (its secret for the long connection)")?;
        return Ok(Answers::Bot { bot_id, secret, to: None });
    }
    let key = question(
        input,
        screen,
        "群里“消息推送”的 Webhook 地址或 key；没有就直接回车，改用自建应用\n\
         URL or key of a group's webhook; press Enter to use a self-built app instead",
    )?;
    if !key.is_empty() {
        return Ok(Answers::Webhook { key });
    }
    let corp_id =
        question(input, screen, "企业 ID：管理后台 → 我的企业 (corp id, from 我的企业 in the admin console)")?;
    let agent_id = question(input, screen, "应用的 AgentId (the app's AgentId)")?;
    let agent_id = agent_id.parse().map_err(|_| {
        Misused(format!(
            "AgentId 应是数字，例如 1000002，而不是“{agent_id}” (AgentId is a number, for example 1000002)"
        ))
    })?;
    let secret = question(input, screen, "应用的 Secret (the app's Secret)")?;
    let users = question(
        input,
        screen,
        "发给谁：userid（账号），用逗号分隔；所有人写 @all (userids between commas; @all is everyone)",
    )?;
    let users = users.split([',', '，', ' ']).filter(|user| !user.is_empty()).map(str::to_owned).collect();
    Ok(Answers::App { corp_id, agent_id, secret, users })
}

fn question(input: &mut impl BufRead, screen: &mut impl Write, text: &str) -> anyhow::Result<String> {
    write!(screen, "{text}\n> ")?;
    screen.flush()?;
    let mut line = String::new();
    if input.read_line(&mut line)? == 0 {
        let hint = "没有回答；用参数代替提问：--bot-id ID --bot-secret S，或 --webhook KEY，或 --corp-id ID --agent-id N --secret S --users U \
                    (no answer; give --bot-id ID --bot-secret S, or --webhook KEY, or --corp-id ID --agent-id N --secret S --users U)";
        return Err(Misused(hint.to_owned()).into());
    }
    Ok(line.trim().to_owned())
}

/// The file for these answers, as a configuration and as text.
fn compose(answers: &Answers, arguments: &Init) -> anyhow::Result<(Config, String)> {
    let language = arguments.language.unwrap_or_default().as_str();
    let (account, target) = account(answers);
    let mut wecom = String::new();
    for (key, url) in [("api_url", &arguments.api_url), ("bot_url", &arguments.bot_url)] {
        wecom.extend(url.iter().map(|url| format!("  {key}: {}\n", quoted(url))));
    }
    let text = format!(
        "# wegraf 的配置。所有的键和说明：wegraf init --print\n\
         # The configuration of wegraf. Every key and what it means: wegraf init --print\n\n\
         # 只有本机能投递告警；对外监听请先设置 sources。\n\
         # Only this machine can post alerts; to listen to others, set sources first.\n\
         listen: {LISTEN}\n\n\
         # 消息语言和时区。 Language of messages and zone of their times.\n\
         language: {language}\ntimezone: Asia/Shanghai\n\n\
         wecom:\n{wecom}{account}\n\
         receivers:\n  ops:\n    targets:\n      - {target}\n\n\
         # 所有告警都发给 ops；分给不同的人见 wegraf init --print 里的 route。\n\
         # Every alert goes to ops; see route in wegraf init --print to tell different people.\n\
         route:\n  receiver: ops\n"
    );
    let (config, _) = Config::parse(&text, &arguments.output).map_err(Misconfigured)?;
    Ok((config, text))
}

/// The lines of the account, and the target that uses it.
fn account(answers: &Answers) -> (String, String) {
    let elsewhere = "# 密钥也可以放在别处：{ env: NAME } 或 { file: PATH }。 A secret may be elsewhere.";
    match answers {
        Answers::Bot { bot_id, secret, to } => {
            let (bot_id, secret) = (quoted(bot_id), quoted(secret));
            let lines = format!(
                "  bots:\n    # 智能机器人，长连接：不需要公网地址。 An AI bot with the long connection: no public address is needed.\n    duty:\n      bot_id: {bot_id}\n      {elsewhere}\n      secret: {secret}\n"
            );
            let chat = quoted(to.as_ref().map_or("", |to| &to.chat));
            let face = if to.as_ref().is_some_and(|to| to.group) { "markdown_v2" } else { "card" };
            (lines, format!("{{ bot: duty, chat: {chat}, face: {face} }}"))
        }
        Answers::Webhook { key } => {
            let key = quoted(key);
            let lines = format!("  webhooks:\n    {elsewhere}\n    group: {{ key: {key} }}\n");
            (lines, "{ webhook: group }".to_owned())
        }
        Answers::App { corp_id, agent_id, secret, users } => {
            let (corp_id, secret) = (quoted(corp_id), quoted(secret));
            let lines = format!(
                "  apps:\n    app:\n      corp_id: {corp_id}\n      agent_id: {agent_id}\n      {elsewhere}\n      secret: {secret}\n"
            );
            let users: Vec<String> = users.iter().map(|user| quoted(user)).collect();
            (lines, format!("{{ app: app, users: [{}] }}", users.join(", ")))
        }
    }
}

/// A text in double quotes: JSON quoting is valid YAML.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Writes a new file that only its owner can read: it holds secrets.
fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let failed = || format!("不能写 {} (cannot write it)", path.display());
    let mut file = options.open(path).with_context(failed)?;
    file.write_all(text.as_bytes()).with_context(failed)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;
    use crate::config::{Language, To};
    use crate::names::LaneKey;

    fn written(answers: &Answers) -> anyhow::Result<Config> {
        let arguments = Init { language: Some(Language::En), ..Init::default() };
        compose(answers, &arguments).map(|(config, _)| config)
    }

    fn answered(lines: &str) -> anyhow::Result<Answers> {
        ask(&mut lines.as_bytes(), &mut Vec::new())
    }

    #[test]
    fn a_pasted_webhook_url_becomes_a_configuration() {
        let answers = answered("https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=11111111-2222\n").unwrap();
        let config = written(&answers).unwrap();
        assert_eq!(config.wecom.webhooks["group"][0].expose_secret(), "11111111-2222");
        assert_eq!(config.language, Language::En);
        assert_eq!(config.receivers["ops"].targets[0].lane(), LaneKey::stored("webhook/group"));
    }

    #[test]
    fn an_app_and_its_people_become_a_configuration() {
        let answers = answered("\n\nww1\n1000002\nse\"cr'et: #\\\nzhangsan，lisi\n").unwrap();
        let config = written(&answers).unwrap();
        assert_eq!(config.wecom.apps["app"].secret.expose_secret(), "se\"cr'et: #\\");
        let To::Members { users, .. } = &config.receivers["ops"].targets[0].to else { panic!("members") };
        assert_eq!(users, &["zhangsan", "lisi"]);
    }

    #[test]
    fn a_bot_and_a_conversation_become_a_configuration() {
        let answers = answered("aib-1\nsecret: #1\n").unwrap();
        let Answers::Bot { bot_id, secret, .. } = answers else { panic!("a bot") };
        for (chat, group, lane) in [("zhangsan", false, "bot/duty/zhangsan"), ("wrA_b-1", true, "bot/duty/wrA_b-1")] {
            let to = Some(Spoken { chat: chat.to_owned(), group });
            let config = written(&Answers::Bot { bot_id: bot_id.clone(), secret: secret.clone(), to }).unwrap();
            assert_eq!(config.wecom.bots["duty"].secret.expose_secret(), "secret: #1");
            assert_eq!(config.receivers["ops"].targets[0].lane(), LaneKey::stored(lane));
        }
    }

    #[test]
    fn unnamed_people_are_not_told() {
        let answers = answered("\n\nww1\n1000002\nsecret\n\n").unwrap();
        let mistakes = written(&answers).unwrap_err();
        assert!(mistakes.to_string().contains("lists of members are empty"), "a test message to everyone is no test");
    }

    #[test]
    fn without_answers_the_flags_are_named() {
        assert!(answered("").unwrap_err().to_string().contains("--webhook"));
        assert!(answered("\n\nww1\nabc\n").unwrap_err().to_string().contains("AgentId"));
    }

    #[test]
    fn a_file_is_private_and_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wegraf.yaml");
        let webhook = Some("11111111-2222".to_owned());
        let arguments = || Init { output: path.clone(), webhook: webhook.clone(), no_test: true, ..Init::default() };
        run(&arguments()).unwrap();
        let written = std::fs::read_to_string(&path).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            let (_, notes) = Config::load(&path).unwrap();
            assert_eq!(notes, [], "nobody else can read the secret in it");
        }
        assert!(run(&arguments()).unwrap_err().to_string().contains("exists"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), written);
    }
}
