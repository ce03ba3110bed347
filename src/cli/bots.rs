//! `wegraf bots`: the state of bots by the gateway's record: asking WeCom would take the socket away from the gateway.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand};
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use wecom::{Bot, BotState};

use super::record::Place;
use super::screen::Screen;
use crate::alert::Timestamp;
use crate::bots::{self, Known};
use crate::config::{BotAccount, Config, To};
use crate::store::{Conversation, Store};
use crate::time::Clock;
use crate::words::{Words, told, words};

/// Longest wait for a bot to be connected: WeCom answers within seconds.
const CONNECTED: Duration = Duration::from_secs(15);

/// The commands below `wegraf bots`.
#[derive(Debug, Subcommand)]
pub enum BotsCommand {
    /// 每个机器人怎么样，谁对它说过话，配置里怎么写。 How each bot is, who spoke to it, and what to write into the configuration.
    List(BotsList),
}

/// `wegraf bots list`
#[derive(Debug, Args)]
pub struct BotsList {
    /// Where to look.
    #[command(flatten)]
    pub place: Place,
    /// 输出 JSON。 Answer in JSON.
    #[arg(long)]
    pub json: bool,
}

/// A bot as it is listed.
struct Listed {
    name: String,
    bot_id: String,
    known: Known,
}

/// Lists the bots. Exit code 1 if one of them does not work.
pub async fn list(arguments: BotsList) -> anyhow::Result<ExitCode> {
    let (rows, zone) = if let Some(gateway) = arguments.place.elsewhere.open().await? {
        let found = gateway.found("bots", &[]).await?;
        (found["items"].as_array().into_iter().flatten().filter_map(told).collect(), gateway.zone().clone())
    } else {
        let (config, _) = arguments.place.file.load_to_look()?;
        let mut rows = Vec::new();
        for (name, account) in &config.wecom.bots {
            let known = Known::read(&config, name).await;
            rows.push(Listed { name: name.clone(), bot_id: account.bot_id.clone(), known });
        }
        (rows, config.timezone)
    };
    let healthy = rows.iter().all(|row| row.known.error.is_none());
    let answer = if arguments.json {
        let bots: Vec<Value> = rows.iter().map(in_json).collect();
        Screen::json(&json!({ "healthy": healthy, "bots": bots }))
    } else if rows.is_empty() {
        let mut screen = Screen::new();
        screen.line(words("配置里没有机器人（wecom.bots）", "there are no bots in the configuration (wecom.bots)"));
        screen
    } else {
        rows.iter().map(|row| in_words(row, &zone)).collect()
    };
    answer.show()?;
    Ok(ExitCode::from(u8::from(!healthy)))
}

/// A bot as a gateway elsewhere tells of it.
fn told(row: &Value) -> Option<Listed> {
    let text = |row: &Value, key: &str| row[key].as_str().map(str::to_owned);
    let said = |row: &Value| text(row, "error").map(Words::quoted);
    let name = text(row, "name")?;
    let conversation = |row: &Value| {
        let at: jiff::Timestamp = row["heard_at"].as_str()?.parse().ok()?;
        let heard = Conversation {
            bot: name.clone(),
            chat: text(row, "chat")?,
            group: row["group"].as_bool()?,
            user: text(row, "user")?,
            heard_at: Timestamp(at.as_millisecond()),
        };
        Some((heard, said(row)))
    };
    let conversations = row["conversations"].as_array()?.iter().map(conversation).collect::<Option<_>>()?;
    let known = Known { holder: text(row, "holder"), error: said(row), conversations, breakers: Vec::new() };
    Some(Listed { bot_id: text(row, "bot_id")?, known, name })
}

/// The line for a receiver's targets that sends there.
fn line(conversation: &Conversation) -> String {
    let face = if conversation.group { "markdown_v2" } else { "card" };
    format!("{{ bot: {}, chat: {}, face: {face} }}", conversation.bot, Value::from(conversation.chat.as_str()))
}

fn in_json(Listed { name, bot_id, known }: &Listed) -> Value {
    let said = |error: &Option<Words>| error.as_ref().map(ToString::to_string);
    let conversation = |(conversation, error): &(Conversation, Option<Words>)| {
        json!({
            "chat": conversation.chat,
            "group": conversation.group,
            "user": conversation.user,
            "heard_at": conversation.heard_at.0,
            "error": said(error),
            "target": line(conversation),
        })
    };
    json!({
        "name": name,
        "bot_id": bot_id,
        "holder": known.holder,
        "error": said(&known.error),
        "conversations": known.conversations.iter().map(conversation).collect::<Vec<_>>(),
    })
}

fn in_words(Listed { name, bot_id, known }: &Listed, zone: &TimeZone) -> Screen {
    let state = match (&known.error, &known.holder) {
        (Some(error), _) => format!("✗ {error}"),
        (None, Some(holder)) => told!("✓ 网关连着（{holder}）", "✓ the gateway has it ({holder})").to_string(),
        (None, None) => words("- 网关没有在运行", "- no gateway is running").to_string(),
    };
    let mut screen = Screen::new();
    screen.line(format_args!("{name}  {bot_id}  {state}"));
    if known.conversations.is_empty() {
        screen.lines(words(
            "    网关运行以来还没有人对它说过话（`wegraf init` 里说的不记在这里）：要看会话，单聊里发一句，或在群里 @ 它一次",
            "    no one has spoken to it since the gateway runs (what was said to `wegraf init` is not on this record): to see a conversation, write to it, or mention it once in a group",
        ));
    }
    for (conversation, error) in &known.conversations {
        let kind = if conversation.group { words("群", "group") } else { words("单聊", "single") };
        let time = clock(conversation.heard_at, zone);
        let (mark, why) = error.as_ref().map_or(("✓", String::new()), |error| ("✗", format!("  {error}")));
        screen.line(format_args!("  {mark} {}  {kind}  {} {time}{why}", conversation.chat, conversation.user));
        screen.line(format_args!("      - {}", line(conversation)));
    }
    screen
}

fn clock(at: Timestamp, zone: &TimeZone) -> String {
    let at = jiff::Timestamp::from_millisecond(at.0).unwrap_or(jiff::Timestamp::MAX);
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string()
}

/// The state of a bot, for `wegraf doctor`: by the record of the gateway that holds its socket, or, if the socket is
/// free, by connecting once.
pub async fn check(config: &Config, name: &str, account: &BotAccount) -> Result<String, String> {
    let holder = Store::socket_holder(&config.database, name).await;
    let known = Known::read(config, name).await;
    match (holder, known.error) {
        (Err(error), _) => Err(told!(
            "不知道网关是否在用它，没有试连：{error}",
            "it is not known whether the gateway has it, so no connection was made: {error}"
        )
        .to_string()),
        (Ok(Some(_)), Some(error)) => Err(error.to_string()),
        (Ok(Some(holder)), None) => Ok(told!(
            "网关正连着，没有另外连接（{holder}）",
            "the gateway has it, so no other connection was made ({holder})"
        )
        .to_string()),
        (Ok(None), _) => connect(config, account).await,
    }
}

async fn connect(config: &Config, account: &BotAccount) -> Result<String, String> {
    let (events, _inlet) = mpsc::channel(1);
    let stop = CancellationToken::new();
    let end = stop.clone().drop_guard();
    let options = bots::options(config, account, Arc::new(|| Clock::System.now().0));
    let (bot, socket) = Bot::open(options, events, stop).map_err(|error| error.to_string())?;
    let socket = tokio::spawn(socket);
    let result = live(&bot).await.map_err(|dead| dead.of(config).to_string());
    drop(end);
    // The result does not matter.
    let _ = tokio::time::timeout(Duration::from_secs(1), socket).await;
    result.map(|()| {
        words("网关没有在运行，试连成功", "no gateway is running; it was connected once, and that works").to_string()
    })
}

/// Why a bot is not connected.
pub struct Dead {
    /// WeCom refused its credentials.
    pub refused: bool,
    /// What happened.
    pub words: Words,
}

impl Dead {
    /// What happened, with the address that did not answer and its key in the configuration, unless WeCom refused.
    pub fn of(self, config: &Config) -> Words {
        if self.refused {
            return self.words;
        }
        let url = &config.wecom.bot_url;
        // Bots have an address of their own.
        let own = |text: &str| text.replace("api_url", "bot_url");
        let (zh, en) = (own(&self.words.zh), own(&self.words.en));
        Words::from((format!("{zh}（wecom.bot_url: {url}）"), format!("{en} (wecom.bot_url: {url})")))
    }
}

/// Waits until a bot is connected.
pub async fn live(bot: &Bot) -> Result<(), Dead> {
    let said = |failure: &wecom::Failure| Words::from((failure.zh(), failure.en()));
    let dead = |words| Dead { refused: false, words };
    let mut state = bot.state();
    let mut last = words("没有回答", "no answer");
    let connected = async {
        loop {
            match &*state.borrow_and_update() {
                BotState::Live { .. } => return Ok(()),
                BotState::Refused(failure) => return Err(Dead { refused: true, words: said(failure) }),
                BotState::Lost(failure) => last = said(failure),
                BotState::Connecting => {}
                BotState::Evicted => return Err(dead(words("被另一个程序顶掉了", "another program took its place"))),
                BotState::Stopped => return Err(dead(words("已停止", "it was stopped"))),
            }
            if state.changed().await.is_err() {
                return Err(dead(words("已停止", "it was stopped")));
            }
        }
    };
    match tokio::time::timeout(CONNECTED, connected).await {
        Ok(result) => result,
        Err(_) => Err(dead(last)),
    }
}

/// The conversations that receivers of the configuration send to, by bot, in which no user has written.
pub fn mute<'a>(config: &'a Config, name: &str, known: &Known) -> Vec<&'a str> {
    let targets = config.receivers.values().flat_map(|receiver| &receiver.targets);
    let mut chats: Vec<&str> = targets
        .filter_map(|target| match &target.to {
            To::Bot { bot, chat } if bot == name => Some(chat.as_str()),
            _ => None,
        })
        .filter(|chat| known.conversations.iter().all(|(conversation, _)| conversation.chat != *chat))
        .collect();
    chats.sort_unstable();
    chats.dedup();
    chats
}
