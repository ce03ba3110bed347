//! The sockets of bots (智能机器人): each bot has one, held by one replica, because a newer one evicts the older
//! (wecom-api §11.3). What people do there comes in through it; what is sent there goes out through it.
//!
//! Who holds a socket is kept in the store, for a few seconds at a time: a replica that dies or cannot ask loses it, and
//! another one connects. Whoever holds it has stopped by himself before another may begin.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use secrecy::ExposeSecret as _;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use wecom::message::TemplateCard;
use wecom::{Bot, BotEnd, BotEvent, BotOptions, BotPace, BotState, Outcome};

use crate::answer::{self, Actor, Answer, Via};
use crate::app::{App, Loaded};
use crate::config::{BotAccount, Config, Face, Target, To};
use crate::deliver;
use crate::store::{ActState, Breaker, BreakerChange, Conversation, StoreError};

/// How long a replica has a socket after it last said so. Another one connects at the latest this long after a kill,
/// and the time to connect.
const HELD: Duration = Duration::from_secs(6);
/// How often it says so.
const RENEW: Duration = Duration::from_millis(1_500);
/// When it stops by itself if it could not: well before another may begin.
const STOPS: Duration = Duration::from_secs(4);
/// Between two tries to get a socket that another replica has.
const ASK: Duration = Duration::from_secs(1);
/// After another program took the bot's place: coming back at once would only evict that one, and so on for ever.
const EVICTED: Duration = Duration::from_mins(5);
/// How soon somebody is told that a bot is not there: a moment without it is nothing.
const PATIENCE: Duration = Duration::from_secs(20);
/// Events that are worked on at a time, and that wait.
const AT_ONCE: usize = 32;
const WAITING: usize = 1_000;
/// An answer to a press is too late for WeCom after 5 s; what is upstream may take longer and is told by a message.
const PRESS: Duration = Duration::from_millis(3_500);

/// The sockets that this process has.
#[derive(Debug, Default)]
pub struct Bots(Mutex<HashMap<String, Bot>>);

impl Bots {
    /// The socket of the bot called `name`, if this process has it and WeCom accepted it.
    pub fn live(&self, name: &str) -> Option<Bot> {
        let bot = self.lock().get(name).cloned()?;
        let live = matches!(*bot.state().borrow(), BotState::Live { .. });
        live.then_some(bot)
    }

    /// How the socket of the bot called `name` is; `None` if this process does not have it.
    pub fn state(&self, name: &str) -> Option<BotState> {
        self.lock().get(name).map(|bot| bot.state().borrow().clone())
    }

    /// Sends one message, unless its answer might come after `end`; `None` if this process has no such socket.
    pub async fn send(&self, name: &str, body: Bytes, end: Instant) -> Option<Outcome> {
        match self.live(name) {
            Some(bot) => Some(bot.send(body, end).await),
            None => None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Bot>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps the sockets of all bots of the configuration until told to stop.
pub async fn run(app: App, stop: CancellationToken) {
    let mut kept: HashMap<String, (CancellationToken, tokio::task::JoinHandle<()>, String)> = HashMap::new();
    loop {
        let loaded = app.loaded();
        let wanted = &loaded.config.wecom.bots;
        let changed =
            |name: &String, mark: &String| wanted.get(name).is_none_or(|bot| fingerprint(&loaded.config, bot) != *mark);
        let gone: Vec<String> = kept
            .iter()
            .filter(|(name, (_, task, mark))| task.is_finished() || changed(name, mark))
            .map(|(name, _)| name.clone())
            .collect();
        for name in gone {
            if let Some((token, task, _)) = kept.remove(&name) {
                token.cancel();
                let _ = task.await;
            }
        }
        for (name, bot) in wanted {
            if !kept.contains_key(name) {
                let token = stop.child_token();
                let task = tokio::spawn(keep(app.clone(), name.clone(), token.clone()));
                kept.insert(name.clone(), (token, task, fingerprint(&loaded.config, bot)));
            }
        }
        tokio::select! {
            () = tokio::time::sleep(ASK) => {}
            () = stop.cancelled() => break,
        }
    }
    for (_, (_, task, _)) in kept {
        let _ = task.await;
    }
}

/// Tells whether a reload changed the way of a bot.
fn fingerprint(config: &Config, bot: &BotAccount) -> String {
    let proxy = config.wecom.proxy.as_ref().map_or("", |proxy| proxy.expose_secret());
    let secret = bot.secret.expose_secret();
    [&config.wecom.bot_url, &bot.bot_id, secret, proxy].join("\n")
}

/// Keeps one bot's socket: takes it when nobody has it, keeps it alive, gives it back in the end.
async fn keep(app: App, name: String, stop: CancellationToken) {
    let holder = format!("{:016x}", rand::random::<u64>());
    let seat = Seat { app: &app, name: &name, holder: &holder };
    while !stop.is_cancelled() {
        let asked = Instant::now();
        let pause = match seat.take().await {
            Ok(true) => match seat.sit(asked, &stop).await {
                BotEnd::Stopped => ASK,
                BotEnd::Evicted => {
                    error!(
                        bot = name,
                        "Another program connected with this bot's id and took its place. wegraf comes back in five minutes; give each program a bot of its own."
                    );
                    seat.trouble(&evicted(&name)).await;
                    EVICTED
                }
            },
            Ok(false) => ASK,
            Err(error) => {
                warn!(%error, bot = name, "Who has the bot's socket cannot be asked.");
                ASK
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// The right to a bot's socket.
struct Seat<'a> {
    app: &'a App,
    name: &'a str,
    holder: &'a str,
}

impl Seat<'_> {
    async fn take(&self) -> Result<bool, StoreError> {
        self.app.store().hold_socket(self.name, self.holder, HELD).await
    }

    /// Connects and works until told to stop, evicted, or the seat is lost. `since`: before it was last asked for.
    async fn sit(&self, since: Instant, stop: &CancellationToken) -> BotEnd {
        let loaded = self.app.loaded();
        let Some(account) = loaded.config.wecom.bots.get(self.name) else { return BotEnd::Stopped };
        let (events, inlet) = mpsc::channel(WAITING);
        let leave = stop.child_token();
        let opened = Bot::open(options(&loaded, account, self.app), events, leave.clone());
        let (bot, socket) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                error!(%error, bot = self.name, "The way to the bot's socket cannot be set up.");
                return BotEnd::Stopped;
            }
        };
        self.app.bots().lock().insert(self.name.to_owned(), bot.clone());
        let socket = tokio::spawn(socket);
        let end = tokio::select! {
            end = socket => end.unwrap_or(BotEnd::Stopped),
            () = self.renew(since, &leave) => BotEnd::Stopped,
            () = listen(self.app, self.name, &bot, inlet) => BotEnd::Stopped,
            () = self.watch(&bot) => BotEnd::Stopped,
        };
        leave.cancel();
        self.app.bots().lock().remove(self.name);
        if let Err(error) = self.app.store().leave_socket(self.name, self.holder).await {
            warn!(%error, bot = self.name, "The bot's socket could not be given back; another replica takes it in a few seconds.");
        }
        end
    }

    /// Says that the seat is taken for as long as it is; returns when it is lost, or may be.
    async fn renew(&self, since: Instant, leave: &CancellationToken) {
        let mut sure = since;
        loop {
            tokio::time::sleep(RENEW).await;
            let asked = Instant::now();
            let left = STOPS.saturating_sub(sure.elapsed());
            match tokio::time::timeout(left, self.take()).await {
                Ok(Ok(true)) => sure = asked,
                Ok(Ok(false)) => {
                    warn!(bot = self.name, "Another replica has the bot's socket now.");
                    break;
                }
                Ok(Err(error)) => {
                    warn!(%error, bot = self.name, "The bot's socket could not be kept; it is tried again.")
                }
                Err(_) => {}
            }
            if sure.elapsed() >= STOPS {
                warn!(bot = self.name, "The bot's socket is closed: the store does not say that it is still ours.");
                break;
            }
        }
        leave.cancel();
    }

    /// Tells the operator how the socket is; wakes what waits for it.
    async fn watch(&self, bot: &Bot) {
        let mut state = bot.state();
        let mut told = false;
        loop {
            let now = state.borrow_and_update().clone();
            match &now {
                BotState::Live { .. } => {
                    info!(bot = self.name, "The bot is connected.");
                    self.well().await;
                    told = false;
                    self.app.wake().notify_one();
                }
                BotState::Refused(failure) | BotState::Lost(failure) => {
                    warn!(bot = self.name, error = failure.en(), "The bot is not connected.");
                }
                BotState::Connecting | BotState::Evicted | BotState::Stopped => {}
            }
            let bad = match &now {
                BotState::Refused(failure) => Some((Duration::ZERO, failure.zh())),
                BotState::Lost(failure) => Some((PATIENCE, failure.zh())),
                BotState::Connecting => Some((PATIENCE, "连接中 connecting".to_owned())),
                BotState::Live { .. } | BotState::Evicted | BotState::Stopped => None,
            };
            let patience = bad.as_ref().filter(|_| !told).map_or(Duration::from_secs(3600), |(patience, _)| *patience);
            tokio::select! {
                changed = state.changed() => if changed.is_err() { std::future::pending::<()>().await },
                () = tokio::time::sleep(patience) => {
                    if let Some((_, error)) = bad {
                        self.trouble(&error).await;
                        told = true;
                    }
                }
            }
        }
    }

    /// Opens the bot's breaker: what waits is kept, and somebody is told by another way.
    async fn trouble(&self, error: &str) {
        let now = self.app.now();
        let breaker = Breaker {
            scope: scope(self.name),
            reason: "socket".to_owned(),
            errcode: None,
            error: error.to_owned(),
            opened_at: now,
            // Nothing is tried before it is connected: that closes it.
            probe_at: now.plus_millis(60_000),
            failures: 1,
        };
        self.change(BreakerChange::Open(breaker)).await;
    }

    async fn well(&self) {
        self.change(BreakerChange::Close(scope(self.name))).await;
    }

    async fn change(&self, change: BreakerChange) {
        if let Err(error) = self.app.store().change_breaker(change).await {
            warn!(%error, bot = self.name, "How the bot's socket is could not be noted.");
        }
    }
}

/// The scope of the bot's breaker.
fn scope(bot: &str) -> String {
    format!("bot/{bot}")
}

fn evicted(name: &str) -> String {
    format!(
        "智能机器人 {name} 被另一个程序用同一个 Bot ID 顶掉了：停掉那个程序，或给它另一个机器人；wegraf 五分钟后再连 / \
         another program connected with the id of bot {name}: stop it or give it a bot of its own; wegraf comes back in five minutes"
    )
}

fn options(loaded: &Loaded, account: &BotAccount, app: &App) -> BotOptions {
    let config = &loaded.config;
    let app = app.clone();
    BotOptions {
        network: deliver::network(config),
        url: config.wecom.bot_url.clone(),
        bot_id: account.bot_id.clone(),
        secret: account.secret.clone(),
        now: Arc::new(move || app.now().0),
        pace: BotPace::default(),
    }
}

/// Takes what happens in WeCom, a few things at a time.
async fn listen(app: &App, name: &str, bot: &Bot, mut inlet: mpsc::Receiver<BotEvent>) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    while let Some(event) = inlet.recv().await {
        let Ok(place) = places.clone().acquire_owned().await else { break };
        let (app, name, bot) = (app.clone(), name.to_owned(), bot.clone());
        tokio::spawn(async move {
            if let Err(error) = take(&app, &name, &bot, event).await {
                warn!(%error, bot = name, "What happened in WeCom could not be recorded.");
                app.store_failed(&error);
            }
            drop(place);
        });
    }
    // The socket ended and says why.
    std::future::pending::<()>().await;
}

async fn take(app: &App, name: &str, bot: &Bot, event: BotEvent) -> Result<(), StoreError> {
    match event {
        BotEvent::Text { req_id, from, chat, content, msgid } => {
            learn(app, name, &chat, &from).await?;
            let actor = actor(name, &chat, &from);
            let said = answer::ask(app, &actor, &msgid, &content).await?;
            note(name, "answer", &bot.respond(&req_id, &said).await);
        }
        BotEvent::Click { req_id, click, chat, msgid } => {
            learn(app, name, &chat, &click.from).await?;
            let actor = actor(name, &chat, &click.from);
            pressed(app, bot, &actor, &req_id, &click, &msgid).await?;
        }
        BotEvent::Entered { req_id, from } => {
            learn(app, name, &wecom::Conversation::Single(from.clone()), &from).await?;
            note(name, "welcome", &bot.welcome(&req_id, &answer::welcome(&app.loaded().config)).await);
        }
        BotEvent::Other { from, chat: Some(chat), .. } if !from.is_empty() => learn(app, name, &chat, &from).await?,
        BotEvent::Other { .. } | BotEvent::Evicted => {}
    }
    Ok(())
}

fn actor(bot: &str, chat: &wecom::Conversation, from: &str) -> Actor {
    Actor { id: from.to_owned(), via: Via::Bot { bot: bot.to_owned(), chat: chat.id().to_owned() } }
}

/// Somebody spoke there: from now on the bot may speak there, too (wecom-api §11.5).
async fn learn(app: &App, bot: &str, chat: &wecom::Conversation, from: &str) -> Result<(), StoreError> {
    let conversation = Conversation {
        bot: bot.to_owned(),
        chat: chat.id().to_owned(),
        group: matches!(chat, wecom::Conversation::Group(_)),
        user: from.to_owned(),
        heard_at: app.now(),
    };
    app.store().learn(conversation).await?;
    // What waited because nobody had spoken yet may go now.
    app.wake().notify_one();
    Ok(())
}

/// Answers a press with the card as it stands afterwards, while WeCom still takes it; else by a message.
async fn pressed(
    app: &App,
    bot: &Bot,
    actor: &Actor,
    req_id: &str,
    click: &wecom::Click,
    msgid: &str,
) -> Result<(), StoreError> {
    let Via::Bot { bot: name, chat } = &actor.via else { return Ok(()) };
    let target = Target { face: Face::Card, ..Target::at(To::Bot { bot: name.clone(), chat: chat.clone() }) };
    let lane = target.lane();
    let answered = answer::press_at(app, actor, click, msgid, Some(lane)).await?;
    if answered.state == Some(ActState::Open) {
        // Most upstreams answer in time for the card to say how it went.
        answer::finished(app, answered.act, PRESS).await?;
    }
    let card = match answer::card(&click.task_id) {
        Some((message, _)) => deliver::card_now(app, message, &target).await?,
        None => None,
    };
    let shown = card.unwrap_or_else(|| gone(&click.task_id, &answered));
    let shown = with_answer(shown, &answered);
    let outcome = bot.respond_update(req_id, &shown, &[]).await;
    note(name, "update", &outcome);
    if !matches!(outcome, Outcome::Accepted(_)) && answered.act > 0 {
        // The card does not say it, so a message does.
        app.store().tell_of_act(answered.act, crate::route::row(&target), String::new(), app.now()).await?;
        app.wake().notify_one();
    }
    Ok(())
}

/// A press that changed nothing is answered on the card.
fn with_answer(mut card: TemplateCard, answered: &Answer) -> TemplateCard {
    if !matches!(answered.state, Some(ActState::Done | ActState::Open)) {
        if let Some(title) = &mut card.main_title {
            title.desc.clone_from(&answered.label);
        }
        card.sub_title_text.clone_from(&answered.text);
    }
    card
}

/// Of a card of which nothing is known any more.
fn gone(task_id: &str, answered: &Answer) -> TemplateCard {
    TemplateCard {
        card_type: "text_notice".to_owned(),
        task_id: task_id.to_owned(),
        main_title: Some(wecom::message::CardTitle { title: answered.label.clone(), desc: String::new() }),
        sub_title_text: answered.text.clone(),
        ..TemplateCard::default()
    }
}

fn note(bot: &str, what: &str, outcome: &Outcome) {
    if let Outcome::NotSent(failure) | Outcome::Unsure(failure) = outcome {
        warn!(bot, what, error = failure.en(), "An answer did not reach WeCom.");
    }
}
