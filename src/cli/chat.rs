//! `wegraf chat`: group chats of an app (appchat). WeCom has no list of them, so note the chatid.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail};
use serde_json::json;
use wecom::message::Text;
use wecom::{Account, CallError, ChatChange, Content, NewChat, Outcome, SendRequest};

use super::screen::Screen;
use super::{Chat, ChatCommand, ChatOf, Misused};
use crate::deliver::{self, Setup};
use crate::time::Clock;
use crate::words::{Words, told, words};

/// Runs the command; a failure is printed with its remedy, exit code 1.
pub async fn run(arguments: Chat) -> anyhow::Result<ExitCode> {
    match arguments.command {
        ChatCommand::Create { of, users, name, owner, chat } => {
            let with = With::load(&of)?;
            let new = NewChat { name, owner, members: users, chatid: chat };
            let chatid = with.client().create_chat(&with.app, &new).await.map_err(|error| failed(&error))?;
            // A group shows in clients only with its first message (page 90245).
            let hello = Content::Text(Text {
                content: told!("wegraf：告警将发到这个群（{chatid}）", "wegraf: alerts will come here ({chatid})")
                    .get(with.setup.config.language)
                    .to_owned(),
                ..Text::default()
            });
            let request =
                SendRequest { channel: wecom::Channel::Chat, body: wecom::appchat_send_body(&chatid, &hello).into() };
            let outcome = with.client().send(&Account::App(with.app.clone()), &request).await;
            if let Outcome::NotSent(failure) | Outcome::Unsure(failure) = outcome {
                bail!(Words::from((
                    format!("群已创建（chatid {chatid}），但第一条消息没有发出：{}", failure.zh()),
                    format!(
                        "the chat was made (chatid {chatid}), but its first message was not sent: {}",
                        failure.en()
                    ),
                )));
            }
            let line = format!("{{ app: {}, chat: {chatid}, face: markdown }}", with.name);
            if of.json {
                return print(&Screen::json(&json!({ "chatid": chatid })));
            }
            let mut screen = Screen::new();
            screen.line(words(
                "✓ 群已创建，写进接收者的 targets：",
                "✓ the chat was made; put this into the targets of a receiver:",
            ));
            screen.line(format_args!("  - {line}"));
            print(&screen)
        }
        ChatCommand::Update { of, chat, name, owner, add, remove } => {
            let with = With::load(&of)?;
            let change = ChatChange { name, owner, add, remove };
            with.client().change_chat(&with.app, &chat, &change).await.map_err(|error| failed(&error))?;
            if of.json {
                return print(&Screen::json(&json!({ "chatid": chat })));
            }
            let mut screen = Screen::new();
            screen.line(words("✓ 已修改", "✓ changed"));
            print(&screen)
        }
        ChatCommand::Show { of, chat } => {
            let with = With::load(&of)?;
            let chat = with.client().chat(&with.app, &chat).await.map_err(|error| failed(&error))?;
            if of.json {
                let json =
                    json!({ "chatid": chat.chatid, "name": chat.name, "owner": chat.owner, "members": chat.members });
                return print(&Screen::json(&json));
            }
            let mut screen = Screen::new();
            screen.line(format_args!("{}  {}", chat.chatid, chat.name));
            screen.line(told!("  群主  {}", "  owner  {}", chat.owner));
            screen.line(told!("  成员  {}", "  members  {}", chat.members.join(" ")));
            print(&screen)
        }
    }
}

struct With {
    setup: Setup,
    name: String,
    app: wecom::App,
}

impl With {
    fn load(of: &ChatOf) -> anyhow::Result<Self> {
        let (config, _) = of.file.load()?;
        let name = match (&of.app, config.wecom.apps.len()) {
            (Some(name), _) => name.clone(),
            (None, 1) => config.wecom.apps.keys().next().cloned().context("there is one")?,
            (None, _) => bail!(Misused(words("请用 --app 指明应用", "name the app with --app").to_string())),
        };
        let known = config
            .wecom
            .apps
            .get(&name)
            .ok_or_else(|| Misused(told!("没有名为 `{name}` 的应用", "there is no app `{name}`").to_string()))?;
        let app = deliver::app(known);
        Ok(Self { setup: Setup::new(Arc::new(config), None, &Clock::System)?, name, app })
    }

    fn client(&self) -> &wecom::Client {
        &self.setup.wecom
    }
}

fn failed(error: &CallError) -> anyhow::Error {
    let failure = error.failure();
    anyhow!("✗ {}", Words::from((failure.zh(), failure.en())))
}

fn print(answer: &Screen) -> anyhow::Result<ExitCode> {
    answer.show()?;
    Ok(ExitCode::SUCCESS)
}
