//! What people do in WeCom, and what comes of it: they take an alert, silence it, ask what is on and who is on duty.
//!
//! A press, a text, a form of the page and a command all become one *act*: recorded in one transaction ([`Store::act`]),
//! answered at once, and done afterwards where somebody else has to do it (`silencing`). `ask` reads texts, `card`
//! names cards; `escalation` goes on to the next people where nobody acts. What is told to the others goes the way of
//! every message: by the outbox.
//!
//! [`Store::act`]: crate::store::Store::act

mod ask;
mod card;
mod conversation;
mod escalation;
mod origin;
mod relay;
mod rights;
mod scope;
mod silencing;
mod watching;
mod words;

use std::net::IpAddr;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use wecom::Click;

use crate::alert::ThreadId;
use crate::app::App;
use crate::config::Language;
use crate::names::LaneKey;
use crate::render::{self, harmless};
use crate::store::{About, ActFilter, ActKind, ActState, Acted, NewAct, NewCode, StoreError};
use crate::upstream::{self, Span};
pub use card::{message as card, task_id};
pub use conversation::{ask, welcome};
pub use rights::anybody_may;
pub use scope::{Counts, Scope, conditions, recorded, scope, silences_of};
pub use silencing::matchers_for;
pub use watching::Absences;
pub use words::Answer;

/// Looks at what was left undone by a process that ended.
const SWEEP: Duration = Duration::from_secs(5);
/// Looks for alerts that nobody took in time.
const ESCALATE: Duration = Duration::from_secs(1);
/// Between two looks at an act that somebody waits for.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// Characters of a name in an answer.
const PERSON: usize = 32;

/// Somebody who acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// A userid; on the page, the name that he gives himself.
    pub id: String,
    /// By which way he comes.
    pub via: Via,
}

impl Actor {
    /// Who he is on record and to the others. Whoever comes by the page is whoever he says he is, so it is said where the
    /// name comes from; and no such name is taken for a userid.
    fn on_record(&self, language: Language) -> String {
        match (&self.via, language) {
            (Via::Page, Language::Zh) => format!("{}（网页）", self.id),
            (Via::Page, Language::En) => format!("{} (page)", self.id),
            (Via::App(_) | Via::Bot { .. } | Via::Command, _) => self.id.clone(),
        }
    }
}

/// By which way somebody acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Via {
    /// The callback of this app: WeCom says who he is.
    App(String),
    /// The bot, in this conversation: WeCom says who he is.
    Bot {
        /// Name of the bot.
        bot: String,
        /// Its chatid; of a single chat, the userid.
        chat: String,
    },
    /// The page behind a signed link: nobody says who he is.
    Page,
    /// A command on the machine.
    Command,
}

impl Via {
    /// The name in the record: of a bot's conversation, that of its lane.
    pub fn name(&self) -> String {
        match self {
            Self::App(app) => format!("app/{app}"),
            Self::Bot { bot, chat } => format!("bot/{bot}/{chat}"),
            Self::Page => "page".to_owned(),
            Self::Command => "command".to_owned(),
        }
    }

    /// Reads what [`Self::name`] printed; `None` for a name of another version of wegraf.
    pub fn parse(name: &str) -> Option<Self> {
        match name.split_once('/') {
            None if name == "page" => Some(Self::Page),
            None if name == "command" => Some(Self::Command),
            Some(("app", app)) => Some(Self::App(app.to_owned())),
            Some(("bot", rest)) => {
                let (bot, chat) = rest.split_once('/')?;
                Some(Self::Bot { bot: bot.to_owned(), chat: chat.to_owned() })
            }
            _ => None,
        }
    }
}

/// What somebody wants done.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Names the event: the same for all copies of it that WeCom brings.
    pub event: String,
    /// What.
    pub kind: ActKind,
    /// To what.
    pub about: About,
    /// For how long, if it is a silence.
    pub span: Option<Span>,
    /// The fresh code of the card that was pressed.
    pub code: Option<NewCode>,
    /// A lane that is told by other means.
    pub except_lane: Option<LaneKey>,
}

/// A press of a card's button that an app's callback brings.
pub async fn press(app: &App, actor: &Actor, click: &Click) -> Result<Answer, StoreError> {
    press_at(app, actor, click, "", None).await
}

/// A press of a card's button; a bot's has an id of its own, and its lane is told by the card itself.
pub async fn press_at(
    app: &App,
    actor: &Actor,
    click: &Click,
    msgid: &str,
    except_lane: Option<LaneKey>,
) -> Result<Answer, StoreError> {
    let language = app.loaded().config.language;
    let unknown = || Answer::unknown(language);
    let Some((message, created_at)) = card::message(&click.task_id) else { return Ok(unknown()) };
    let known = app.store().card_of(message).await?;
    if known.is_none_or(|card| card.created_at != created_at) {
        return Ok(unknown());
    }
    let (kind, span) = match click.key.as_str() {
        render::ACKNOWLEDGE => (ActKind::Acknowledge, None),
        render::RELEASE => (ActKind::Release, None),
        render::EXPIRE => (ActKind::Expire, None),
        render::SILENCE => {
            let chosen = click.chosen(render::SPAN).unwrap_or(render::USUAL_SPAN);
            // What no card of ours offers: somebody made it up.
            let Ok(span) = Span::parse(chosen) else { return Ok(unknown()) };
            (ActKind::Silence, Some(span))
        }
        _ => return Ok(unknown()),
    };
    let wish = Wish {
        event: event(actor, click, msgid),
        kind,
        about: About::Message(message),
        span,
        code: click.response_code.clone().map(|code| NewCode { message, code }),
        except_lane,
    };
    act(app, actor, wish).await
}

/// The same for each copy of one press, and for no other. A callback brings a code that is new with each press; a bot
/// brings only who, what and when.
fn event(actor: &Actor, click: &Click, msgid: &str) -> String {
    let via = actor.via.name();
    match &click.response_code {
        Some(code) => format!("press/{via}/{code}"),
        None if !msgid.is_empty() => format!("press/{via}/{msgid}"),
        None => format!("press/{via}/{}/{}/{}/{}", click.from, click.created_at, click.key, click.task_id),
    }
}

/// Records a wish, sees to it that it is done, and says what came of it.
pub async fn act(app: &App, actor: &Actor, wish: Wish) -> Result<Answer, StoreError> {
    act_from(app, actor, wish, None).await
}

/// The same for somebody whose address is all that tells who he may be; it goes on record.
pub async fn act_from(app: &App, actor: &Actor, wish: Wish, peer: Option<IpAddr>) -> Result<Answer, StoreError> {
    let way = peer.map_or_else(|| actor.via.name(), |peer| format!("{}/{peer}", actor.via.name()));
    let loaded = app.loaded();
    let (config, now) = (&loaded.config, app.now());
    let language = config.language;
    let until = wish.span.map(|span| upstream::until(span, now, &config.timezone, upstream::MORNING));
    let allowed = rights::may_act(app, actor, wish.about).await?;
    let state = match wish.kind {
        _ if !allowed => ActState::Denied,
        ActKind::Acknowledge | ActKind::Release => ActState::Done,
        // What people ask for; to forget is nobody's wish.
        ActKind::Silence | ActKind::Extend | ActKind::Expire | ActKind::Resend | ActKind::Recall | ActKind::Forget => {
            ActState::Open
        }
    };
    let kind = wish.kind;
    let new = NewAct {
        event: wish.event,
        kind,
        state,
        by: actor.on_record(language),
        via: way.clone(),
        about: wish.about,
        until,
        detail: String::new(),
        code: wish.code,
        except_lane: wish.except_lane,
        listeners: loaded.listeners.clone(),
    };
    let acted = app.store().act(new, now).await?;
    info!(
        act = acted.act,
        kind = kind.as_str(),
        state = acted.state.as_str(),
        by = actor.id,
        via = way,
        "Somebody acted."
    );
    app.metrics().count_act(kind, acted.state);
    if !acted.lanes.is_empty() {
        app.wake().notify_one();
    }
    if acted.state == ActState::Open && !acted.again {
        begin(app, &acted);
    }
    let before = match &acted.before {
        Some(doer) => app.names().of(&loaded, None, &doer.by, now).await,
        None => String::new(),
    };
    // Who came by the page gave himself his name.
    let before = harmless(&before, conversation::channel(&actor.via), PERSON);
    let answer = Answer::of(kind, &acted, &before, until, language, &config.timezone, now);
    // A text is not preceded by a page that shows what it will hide.
    if kind == ActKind::Silence && acted.state == ActState::Open && matches!(wish.about, About::Thread(_)) {
        let channel = conversation::channel(&actor.via);
        return Ok(match scope(app, &acted.alerts).await? {
            Some(scope) => answer.with_scope(&scope, channel, language),
            None => answer,
        });
    }
    Ok(answer)
}

/// The answer once what it began is done, or after `patience` as it was.
pub async fn finished(app: &App, actor: &Actor, answer: Answer, patience: Duration) -> Result<Answer, StoreError> {
    let begun = tokio::time::Instant::now();
    // What is open is found by an index, however many acts a person has on record.
    let is_open = async || {
        let filter = ActFilter { open: true, limit: 1_000, ..ActFilter::default() };
        app.store().acts(filter).await.map(|open| open.iter().any(|act| act.id == answer.act))
    };
    while is_open().await? {
        if begun.elapsed() >= patience {
            return Ok(answer);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    let filter = ActFilter { by: Some(actor.on_record(language(app))), limit: 100, ..ActFilter::default() };
    let act = app.store().acts(filter).await?.into_iter().find(|act| act.id == answer.act);
    Ok(match act {
        Some(act) => answer.ended(act.state, &act.detail, language(app)),
        None => answer,
    })
}

/// Does what an act leaves open, beside whoever waits for the answer.
fn begin(app: &App, acted: &Acted) {
    let (app, act) = (app.clone(), acted.act);
    tokio::spawn(async move {
        if let Err(error) = silencing::finish(&app, act).await {
            warn!(%error, act, "An act could not be finished; it is tried again.");
        }
    });
}

/// Finishes what was left open, looks at silenced alerts, and goes on to the next people where nobody acts, until told
/// to stop.
pub async fn run(app: App, stop: CancellationToken) {
    let sweeps = async {
        loop {
            if let Err(error) = silencing::sweep(&app).await {
                warn!(%error, "Acts that are open cannot be read; they are looked at again.");
            }
            tokio::time::sleep(SWEEP).await;
        }
    };
    let steps = async {
        loop {
            if let Err(error) = escalation::step(&app).await {
                warn!(%error, "Escalations cannot be read; they are looked at again.");
            }
            tokio::time::sleep(ESCALATE).await;
        }
    };
    let all = async { tokio::join!(sweeps, steps, watching::watch(&app)) };
    tokio::select! {
        _ = all => {}
        () = stop.cancelled() => {}
    }
}

/// Goes one round of escalation: for tests that own the clock.
#[doc(hidden)]
pub async fn escalate_once(app: &App) -> Result<(), StoreError> {
    escalation::step(app).await
}

/// What a text may be about: an episode by its short id.
const fn about(thread: ThreadId) -> About {
    About::Thread(thread)
}

/// The language that answers to people have.
fn language(app: &App) -> Language {
    app.loaded().config.language
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_is_read_back_as_it_was_printed() {
        let bot = Via::Bot { bot: "duty".to_owned(), chat: "wrGroup".to_owned() };
        for (via, name) in [
            (Via::App("ops".to_owned()), "app/ops"),
            (Via::App("page".to_owned()), "app/page"),
            (bot, "bot/duty/wrGroup"),
            (Via::Page, "page"),
            (Via::Command, "command"),
        ] {
            assert_eq!(via.name(), name);
            assert_eq!(Via::parse(name), Some(via));
        }
        for other in ["", "pages", "bot/duty", "answer/silences"] {
            assert_eq!(Via::parse(other), None, "{other}");
        }
    }
}
