//! The first run with a bot: it connects, a user greets it, and presses the button of the first card.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use wecom::message::{CARD_HOME, CardAction, CardButton, CardTitle, Markdown, TemplateCard};
use wecom::{Bot, BotEvent, Click, Content, Outcome};

use super::answers::{Answers, Question};
use super::draft::Draft;
use super::prove::{Trouble, alive, said};
use crate::bots;
use crate::cli::Init;
use crate::cli::bots::live;
use crate::time::Clock;
use crate::words::{Language, Words, told, words};

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
/// What a group without cards is told.
const CONNECTED: Words = words("wegraf 已连通，告警会发到这里。", "wegraf is connected; alerts will come here.");

/// Connects, waits for a greeting, and sends a card whose button must be pressed. The conversation is kept in `answers`.
pub(super) async fn meet(
    arguments: &Init,
    draft: &Draft,
    answers: &mut Answers,
    life: &mut dyn Write,
    screen: &mut dyn Write,
) -> anyhow::Result<Result<(), Trouble>> {
    let Some(known) = draft.config.wecom.bots.get(&draft.account) else {
        return Ok(Err(Trouble::new(None, draft.by_hand())));
    };
    let (events, mut inlet) = mpsc::channel(100);
    let stop = CancellationToken::new();
    let ends = stop.clone().drop_guard();
    let options = bots::options(&draft.config, known, Arc::new(|| Clock::System.now().0));
    let (bot, socket) = Bot::open(options, events, stop)?;
    let socket = tokio::spawn(socket);
    let proven = talk(arguments, draft, &bot, &mut inlet, answers, life, screen).await;
    drop(ends);
    // The result does not matter.
    let _ = tokio::time::timeout(CLOSE, socket).await;
    proven
}

async fn talk(
    arguments: &Init,
    draft: &Draft,
    bot: &Bot,
    inlet: &mut mpsc::Receiver<BotEvent>,
    answers: &mut Answers,
    life: &mut dyn Write,
    screen: &mut dyn Write,
) -> anyhow::Result<Result<(), Trouble>> {
    let connecting = words("正在连接企业微信", "Connecting to WeCom");
    if let Err(dead) = alive(life, &connecting, live(bot)).await? {
        let question = dead.refused.then_some(Question::BotSecret);
        let Words { zh, en } = dead.of(&draft.config);
        let words = Words::from((format!("机器人连不上企业微信：{zh}"), format!("the bot cannot connect: {en}")));
        return Ok(Err(Trouble::new(question, words)));
    }
    writeln!(screen, "✓ {}", words("机器人已连上", "the bot is connected"))?;
    let language = draft.config.language;
    let to = match answers.chat.clone() {
        Some(chat) => chat,
        None => match hello(bot, inlet, language, screen).await? {
            Ok(chat) => answers.chat.insert(chat).clone(),
            Err(trouble) => return Ok(Err(trouble)),
        },
    };
    first_card(bot, inlet, &to, language, !arguments.yes, screen).await
}

/// Waits until a user writes, and answers; returns the conversation.
async fn hello(
    bot: &Bot,
    inlet: &mut mpsc::Receiver<BotEvent>,
    language: Language,
    screen: &mut dyn Write,
) -> anyhow::Result<Result<String, Trouble>> {
    let ask = words(
        "对机器人说一句话：在企业微信里找到它，发“你好”；要发到群里，就在群里 @ 它",
        "Say hello to the bot in WeCom; to have alerts in a group, mention it there",
    );
    writeln!(screen, "{ask}")?;
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
        return Ok(Err(Trouble::new(None, words("没有等到有人对机器人说话", "no one spoke to the bot"))));
    };
    let chat = chat.id().to_owned();
    let heard = if chat == from {
        told!("{from} 说话了", "{from} has spoken")
    } else {
        told!("{from} 在 {chat} 说话了", "{from} has spoken in {chat}")
    };
    writeln!(screen, "✓ {heard}")?;
    let hello = words(
        "你好，告警会送到这里。下面是一张试发的卡片，按一下它的按钮。",
        "Hello, alerts will come here. Below is a first card: press its button.",
    );
    if let Err(trouble) = taken(&bot.respond(&req_id, hello.get(language)).await) {
        writeln!(screen, "✗ {}", trouble.words)?;
    }
    Ok(Ok(chat))
}

/// Sends a card with a button, and waits until it is pressed, unless no person is there to press it.
async fn first_card(
    bot: &Bot,
    inlet: &mut mpsc::Receiver<BotEvent>,
    to: &str,
    language: Language,
    waits: bool,
    screen: &mut dyn Write,
) -> anyhow::Result<Result<(), Trouble>> {
    let task_id = format!("wegraf-init-{:016x}", rand::random::<u64>());
    let sent = push(bot, to, Content::TemplateCard(Box::new(card(&task_id, language, None)))).await;
    // Not every group accepts cards; that is not a fault of the configuration.
    if let (Outcome::NotSent(failure), true) = (&sent, is_group(to)) {
        let why = said(failure);
        let words = Words::from((
            format!("群里发不了卡片，改发文字：{}", why.zh),
            format!("this group takes no cards, so it is told in words: {}", why.en),
        ));
        writeln!(screen, "{words}")?;
        let content = CONNECTED.get(language).to_owned();
        return Ok(taken(&push(bot, to, Content::Markdown(Markdown { content })).await));
    }
    if let Err(trouble) = taken(&sent) {
        return Ok(Err(trouble));
    }
    if !waits {
        writeln!(screen, "✓ {}", words("卡片已送到", "the card has arrived"))?;
        return Ok(Ok(()));
    }
    writeln!(screen, "{}", words("按一下卡片上的按钮", "Press the button of the card"))?;
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
        let words = words("卡片已送到，但没有人按按钮", "the card arrived, but no one pressed its button");
        return Ok(Err(Trouble::new(None, words)));
    };
    let answered = bot.respond_update(&req_id, &card(&task_id, language, Some(&from)), &[]).await;
    if let Err(trouble) = taken(&answered) {
        return Ok(Err(trouble));
    }
    writeln!(screen, "✓ {}", told!("{from} 按了按钮，收发都通", "{from} pressed the button: both directions work"))?;
    Ok(Ok(()))
}

/// Groups' ids start so, and userids never do.
fn is_group(chat: &str) -> bool {
    chat.starts_with("wr")
}

async fn push(bot: &Bot, to: &str, content: Content) -> Outcome {
    bot.send(wecom::bot_send_body(to, None, &content).into(), Instant::now() + SEND).await
}

/// What WeCom said to a message.
fn taken(outcome: &Outcome) -> Result<(), Trouble> {
    match outcome {
        Outcome::NotSent(failure) | Outcome::Unsure(failure) => Err(Trouble::new(None, said(failure))),
        Outcome::Accepted(_) | Outcome::AcceptedInPart { .. } => Ok(()),
    }
}

/// The card of the first run, before and after it is pressed.
fn card(task_id: &str, language: Language, pressed_by: Option<&str>) -> TemplateCard {
    let (title, text) = match pressed_by {
        None => (
            words("wegraf 已连通", "wegraf is connected"),
            words(
                "告警会送到这里。按下面的按钮，看看按钮是否好用。",
                "Alerts will come here. Press the button to see that buttons work.",
            ),
        ),
        Some(who) => (
            words("wegraf 按钮好用", "wegraf: buttons work"),
            told!(
                "{who} 按了按钮。以后告警的卡片上可以认领和静默。",
                "{who} pressed it. Alerts can be taken and silenced like this."
            ),
        ),
    };
    let base = TemplateCard {
        task_id: task_id.to_owned(),
        main_title: Some(CardTitle { title: title.get(language).to_owned(), desc: String::new() }),
        sub_title_text: text.get(language).to_owned(),
        card_action: Some(CardAction { kind: 1, url: CARD_HOME.to_owned() }),
        ..TemplateCard::default()
    };
    if pressed_by.is_some() {
        return TemplateCard { card_type: "text_notice".to_owned(), ..base };
    }
    let text = words("收到", "Got it").get(language).to_owned();
    let button = CardButton { text, style: 1, key: KEY.to_owned(), ..CardButton::default() };
    TemplateCard { card_type: "button_interaction".to_owned(), button_list: vec![button], ..base }
}
