//! The first run with a bot: it connects, a user greets it, and presses the button of the first card.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::bail;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use wecom::message::{CardAction, CardButton, CardTitle, Markdown, TemplateCard};
use wecom::{Bot, BotEvent, Click, Content, Conversation, Outcome};

use super::{Answers, Spoken, compose, write};
use crate::bots;
use crate::cli::Init;
use crate::cli::bots::live;
use crate::time::Clock;

/// Longest wait for a greeting: the user has to find the bot first.
const HELLO: Duration = Duration::from_mins(10);
/// Longest wait for the button to be pressed.
const PRESS: Duration = Duration::from_mins(3);
/// Longest wait for WeCom to accept a message.
const SEND: Duration = Duration::from_secs(20);
/// Timeout for closing the socket.
const CLOSE: Duration = Duration::from_secs(1);
/// The key of the button.
const KEY: &str = "hello";
/// The link of the card.
const HOME: &str = "https://work.weixin.qq.com/";

/// The bot's credentials, as entered.
pub(super) struct Account {
    pub(super) bot_id: String,
    pub(super) secret: String,
    pub(super) to: Option<Spoken>,
}

/// Connects, waits for a greeting, writes the file and sends a card whose button must be pressed. Exit code 1 if it was
/// not: the file stays.
pub(super) async fn meet(arguments: &Init, account: Account, screen: &mut impl Write) -> anyhow::Result<ExitCode> {
    let answers = |to: &Spoken| Answers::Bot {
        bot_id: account.bot_id.clone(),
        secret: account.secret.clone(),
        to: Some(to.clone()),
    };
    // A placeholder: the file is written once the user is known.
    let (draft, _) = compose(&answers(&Spoken { chat: "nobody".to_owned(), group: false }), arguments)?;
    let known = draft.wecom.bots.values().next().expect("compose() writes one bot");
    let (events, mut inlet) = mpsc::channel(100);
    let stop = CancellationToken::new();
    let ends = stop.clone().drop_guard();
    let (bot, socket) = Bot::open(bots::options(&draft, known, Arc::new(|| Clock::System.now().0)), events, stop)?;
    let socket = tokio::spawn(socket);
    if let Err(error) = live(&bot).await {
        bail!("机器人连不上企业微信，没有写配置 the bot cannot connect, nothing was written: {error}");
    }
    writeln!(screen, "✓ 机器人已连上 the bot is connected")?;
    let to = match account.to.clone() {
        Some(to) => to,
        None => hello(&bot, &mut inlet, screen).await?,
    };
    write(&answers(&to), arguments, screen)?;
    let code = first_card(&bot, &mut inlet, &to, screen).await?;
    drop(ends);
    // The result does not matter.
    let _ = tokio::time::timeout(CLOSE, socket).await;
    Ok(code)
}

/// Waits until a user writes, and answers.
async fn hello(bot: &Bot, inlet: &mut mpsc::Receiver<BotEvent>, screen: &mut impl Write) -> anyhow::Result<Spoken> {
    writeln!(
        screen,
        "对机器人说一句话：在企业微信里找到它，发“你好”；要发到群里，就在群里 @ 它\n\
         Say hello to the bot in WeCom; to have alerts in a group, mention it there"
    )?;
    screen.flush()?;
    let spoken = async {
        while let Some(event) = inlet.recv().await {
            match event {
                BotEvent::Text { req_id, from, chat, .. } => return Some((req_id, from, chat)),
                BotEvent::Evicted => return None,
                BotEvent::Click { .. } | BotEvent::Entered { .. } | BotEvent::Other { .. } => {}
            }
        }
        None
    };
    let Ok(Some((req_id, from, chat))) = tokio::time::timeout(HELLO, spoken).await else {
        bail!(
            "没有等到有人对机器人说话，没有写配置；再运行一次 wegraf init nobody spoke to the bot, nothing was written; run wegraf init again"
        );
    };
    writeln!(screen, "✓ {from} 在 {} 说话了 has spoken in it", chat.id())?;
    let hello = "你好，告警会送到这里。下面是一张试发的卡片，按一下它的按钮。\n\nHello, alerts will come here. Below is a first card: press its button.";
    tell(screen, &bot.respond(&req_id, hello).await)?;
    Ok(Spoken { chat: chat.id().to_owned(), group: matches!(chat, Conversation::Group(_)) })
}

/// Sends a card with a button, and waits until it is pressed.
async fn first_card(
    bot: &Bot,
    inlet: &mut mpsc::Receiver<BotEvent>,
    to: &Spoken,
    screen: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let task_id = format!("wegraf-init-{:016x}", rand::random::<u64>());
    let sent = push(bot, to, Content::TemplateCard(Box::new(card(&task_id, None)))).await;
    if let (Outcome::NotSent(failure), true) = (&sent, to.group) {
        // Not every group accepts cards; that is not a fault of the configuration.
        writeln!(
            screen,
            "群里发不了卡片，改发文字 this group takes no cards, so it is told in words: {}",
            failure.zh()
        )?;
        let content = "wegraf 已连通，告警会发到这里。 wegraf is connected; alerts will come here.".to_owned();
        let sent = push(bot, to, Content::Markdown(Markdown { content })).await;
        tell(screen, &sent)?;
        return Ok(ExitCode::from(u8::from(!matches!(sent, Outcome::Accepted(_)))));
    }
    if !matches!(sent, Outcome::Accepted(_)) {
        tell(screen, &sent)?;
        return Ok(ExitCode::FAILURE);
    }
    writeln!(screen, "按一下卡片上的按钮 Press the button of the card")?;
    screen.flush()?;
    let pressed = async {
        while let Some(event) = inlet.recv().await {
            if let BotEvent::Click { req_id, click, .. } = event
                && click.task_id == task_id
            {
                return Some((req_id, click));
            }
        }
        None
    };
    let Ok(Some((req_id, Click { from, .. }))) = tokio::time::timeout(PRESS, pressed).await else {
        writeln!(
            screen,
            "✗ 卡片已送到，但没有人按按钮。配置已写好，可以直接启动；按钮不灵就运行 wegraf doctor\n\
             ✗ The card arrived, but nobody pressed its button. The configuration is written and can be used; if buttons do not work, run wegraf doctor"
        )?;
        return Ok(ExitCode::FAILURE);
    };
    let answered = bot.respond_update(&req_id, &card(&task_id, Some(&from)), &[]).await;
    tell(screen, &answered)?;
    if !matches!(answered, Outcome::Accepted(_)) {
        return Ok(ExitCode::FAILURE);
    }
    writeln!(screen, "✓ {from} 按了按钮，收发都通 pressed the button: both directions work")?;
    Ok(ExitCode::SUCCESS)
}

async fn push(bot: &Bot, to: &Spoken, content: Content) -> Outcome {
    bot.send(wecom::bot_send_body(&to.chat, None, &content).into(), Instant::now() + SEND).await
}

/// Prints WeCom's rejection.
fn tell(screen: &mut impl Write, outcome: &Outcome) -> std::io::Result<()> {
    match outcome {
        Outcome::NotSent(failure) | Outcome::Unsure(failure) => writeln!(screen, "✗ {}", failure.zh()),
        Outcome::Accepted(_) | Outcome::AcceptedInPart { .. } => Ok(()),
    }
}

/// The card of the first run, before and after it is pressed.
fn card(task_id: &str, pressed_by: Option<&str>) -> TemplateCard {
    let (title, text) = match pressed_by {
        None => (
            "wegraf 已连通 connected",
            "告警会送到这里。按下面的按钮，看看按钮是否好用。 Press the button to see that buttons work.".to_owned(),
        ),
        Some(who) => (
            "wegraf 按钮好用 buttons work",
            format!("{who} 按了按钮。以后告警的卡片上可以认领和静默。 Alerts can be taken and silenced like this."),
        ),
    };
    let base = TemplateCard {
        task_id: task_id.to_owned(),
        main_title: Some(CardTitle { title: title.to_owned(), desc: String::new() }),
        sub_title_text: text,
        card_action: Some(CardAction { kind: 1, url: HOME.to_owned() }),
        ..TemplateCard::default()
    };
    if pressed_by.is_some() {
        return TemplateCard { card_type: "text_notice".to_owned(), ..base };
    }
    let button =
        CardButton { text: "收到 Got it".to_owned(), style: 1, key: KEY.to_owned(), ..CardButton::default() };
    TemplateCard { card_type: "button_interaction".to_owned(), button_list: vec![button], ..base }
}
