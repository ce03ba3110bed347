//! Acts of people in WeCom: they acknowledge or silence an alert, ask for firing alerts and for the people on duty.
//!
//! A press, a text, a form of the page and a command all become one *act*: recorded in one transaction
//! ([`Store::act`]), answered at once, and completed afterwards where a step upstream is needed (`job` decides,
//! `silencing` carries out). `ask` parses texts; `escalation` tells further receivers if no user acknowledges. Messages
//! about acts go through the outbox like all others.
//!
//! [`Store::act`]: crate::store::Store::act

mod ask;
mod conversation;
pub(crate) mod escalation;
mod failed;
mod following;
mod job;
mod lapsing;
#[cfg(test)]
mod model;
mod origin;
mod relay;
mod rights;
mod scope;
mod setup;
mod silencing;
mod typed;
mod watch;
mod watching;
mod words;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use wecom::Click;

use crate::alert::ThreadId;
use crate::card_name;
use crate::config::Language;
use crate::deliver::{Members, Names};
use crate::intake::Intake;
use crate::live::Live;
use crate::metrics::Metrics;
use crate::names::{Duty, LaneKey};
use crate::render::{self, harmless};
use crate::store::{About, ActFilter, ActKind, ActState, Acted, NewAct, NewCode, Store, StoreError};
use crate::time::Clock;
use crate::upstream::{self, Span};
pub use conversation::welcome;
use rights::Right;
pub use rights::Rights;
pub use scope::{Counts, Foreseen, PATIENCE as SCOPE_PATIENCE, Scope};
pub use setup::Setup;
pub use typed::{MATCHERS, Typed, Worded, silencing};
pub use words::Answer;

/// Interval of looking for acts left open by a process that ended.
const SWEEP: Duration = Duration::from_secs(5);
/// Interval of looking for alerts that were not acknowledged in time.
const ESCALATE: Duration = Duration::from_secs(1);
/// Interval of looking at an act whose caller waits for it.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// Characters of a name in an answer.
const PERSON: usize = 32;

/// The actor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// A userid; for a visitor of the page, the name the visitor entered.
    pub id: String,
    /// The channel.
    pub via: Via,
}

impl Actor {
    /// The actor's name in the record and for others. Page visitors are unauthenticated; their name is marked, so that
    /// it is never taken for a userid.
    fn on_record(&self, language: Language) -> String {
        match (&self.via, language) {
            (Via::Page, Language::Zh) => format!("{}（网页）", self.id),
            (Via::Page, Language::En) => format!("{} (page)", self.id),
            (Via::App(_) | Via::Bot { .. } | Via::Console(_) | Via::Api(_) | Via::Command, _) => self.id.clone(),
        }
    }
}

/// The channel of an act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Via {
    /// The callback of this app: the userid is authenticated by WeCom.
    App(String),
    /// The bot, in this conversation: the userid is authenticated by WeCom.
    Bot {
        /// Name of the bot.
        bot: String,
        /// Its chatid; of a single chat, the userid.
        chat: String,
    },
    /// The page behind a signed link: the visitor is unauthenticated.
    Page,
    /// The console, by a browser that was signed in this way: the userid is proven.
    Console(String),
    /// The API, with the token of this name.
    Api(String),
    /// A command on the machine.
    Command,
}

impl Via {
    /// The name in the record; for a bot's conversation, that of its lane.
    pub fn name(&self) -> String {
        match self {
            Self::App(app) => format!("app/{app}"),
            Self::Bot { bot, chat } => format!("bot/{bot}/{chat}"),
            Self::Page => "page".to_owned(),
            Self::Console(way) => format!("console/{way}"),
            Self::Api(token) => format!("api/{token}"),
            Self::Command => "command".to_owned(),
        }
    }

    /// Parses what [`Self::name`] printed; `None` for a name of another version of wegraf.
    pub fn parse(name: &str) -> Option<Self> {
        match name.split_once('/') {
            None if name == "page" => Some(Self::Page),
            None if name == "command" => Some(Self::Command),
            Some(("app", app)) => Some(Self::App(app.to_owned())),
            Some(("api", token)) => Some(Self::Api(token.to_owned())),
            Some(("console", way)) => Some(Self::Console(way.to_owned())),
            Some(("bot", rest)) => {
                let (bot, chat) = rest.split_once('/')?;
                Some(Self::Bot { bot: bot.to_owned(), chat: chat.to_owned() })
            }
            _ => None,
        }
    }
}

/// A request for an act.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Idempotency key of the event: the same for all copies of it that WeCom sends.
    pub event: String,
    /// The requested act.
    pub kind: ActKind,
    /// The object of the act.
    pub about: About,
    /// The duration, for a silence.
    pub span: Option<Span>,
    /// The fresh code of the card that was pressed.
    pub code: Option<NewCode>,
    /// A lane that is told by other means.
    pub except_lane: Option<LaneKey>,
    /// The only receivers that an API token concerns; `None`: all.
    pub within: Option<Vec<String>>,
}

/// The dependencies of acts. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Acts {
    /// What the configuration gives them.
    pub setup: Live<Setup>,
    /// Where acts are recorded.
    pub store: Store,
    /// Now.
    pub clock: Clock,
    /// By which alerts are told again.
    pub intake: Intake,
    /// Names of people.
    pub names: Arc<Names>,
    /// The members that each target reaches.
    pub members: Arc<Members>,
    /// What this process counts.
    pub metrics: Arc<Metrics>,
    /// Recent counts of what silences would hide, by upstream.
    pub counts: Arc<Counts>,
}

impl Acts {
    /// A press of a card's button, from an app's callback.
    pub async fn press(&self, actor: &Actor, click: &Click) -> Result<Answer, StoreError> {
        self.press_at(actor, click, "", None).await
    }

    /// A press of a card's button; a press in a bot's conversation has an id of its own, and its lane is told by the card
    /// itself.
    pub async fn press_at(
        &self,
        actor: &Actor,
        click: &Click,
        msgid: &str,
        except_lane: Option<LaneKey>,
    ) -> Result<Answer, StoreError> {
        let unknown = Answer::unknown;
        let Some((message, created_at)) = card_name::message(&click.task_id) else { return Ok(unknown()) };
        let known = self.store.card_of(message).await?;
        if known.is_none_or(|card| card.created_at != created_at) {
            return Ok(unknown());
        }
        let (kind, span) = match click.key.as_str() {
            render::ACKNOWLEDGE => (ActKind::Acknowledge, None),
            render::RELEASE => (ActKind::Release, None),
            render::EXPIRE => (ActKind::Expire, None),
            render::SILENCE => {
                let chosen = click.chosen(render::SPAN).unwrap_or(render::USUAL_SPAN);
                // No card of ours offers this: the request is forged.
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
            within: None,
        };
        self.act(actor, wish).await
    }

    /// Records an act, has it completed, and returns the answer.
    pub async fn act(&self, actor: &Actor, wish: Wish) -> Result<Answer, StoreError> {
        self.act_from(actor, wish, None).await
    }

    /// The same for an unauthenticated visitor, whose address is recorded.
    pub async fn act_from(&self, actor: &Actor, wish: Wish, peer: Option<IpAddr>) -> Result<Answer, StoreError> {
        self.record(actor, wish, peer, String::new()).await
    }

    /// Records an act with what it concerns beside alerts of ours, and has it completed.
    async fn record(
        &self,
        actor: &Actor,
        wish: Wish,
        peer: Option<IpAddr>,
        detail: String,
    ) -> Result<Answer, StoreError> {
        let way = peer.map_or_else(|| actor.via.name(), |peer| format!("{}/{peer}", actor.via.name()));
        let setup = self.setup.now();
        let (config, now) = (&setup.config, self.clock.now());
        let language = config.language;
        let until = wish.span.map(|span| upstream::until(span, now, &config.timezone, upstream::MORNING));
        let right = rights::may_act(self, actor, &wish).await?;
        let state = match wish.kind {
            _ if right == Right::None => ActState::Denied,
            ActKind::Acknowledge | ActKind::Release => ActState::Done,
            // Acts that people request; forgetting is wegraf's own.
            ActKind::Silence
            | ActKind::Extend
            | ActKind::Expire
            | ActKind::Resend
            | ActKind::Recall
            | ActKind::Forget
            | ActKind::Hide => ActState::Open,
        };
        let through = match right {
            Right::All | Right::None => None,
            Right::Through(receivers) => Some(receivers),
        };
        let (kind, mut about) = (wish.kind, wish.about);
        if let (ActKind::Resend, About::Thread(thread), Some(receivers)) = (kind, about, &through)
            && let Some(newest) = silencing::newest(self, thread, Some(receivers)).await?
        {
            about = About::Message(newest);
        }
        let new = NewAct {
            event: wish.event,
            kind,
            state,
            by: actor.on_record(language),
            via: way.clone(),
            about,
            only: Vec::new(),
            through,
            until,
            detail,
            code: wish.code,
            except_lane: wish.except_lane,
            listeners: setup.listeners.clone(),
        };
        let acted = self.store.act(new, now).await?;
        info!(
            act = acted.act,
            kind = kind.as_str(),
            state = acted.state.as_str(),
            by = actor.id,
            via = way,
            "An act was handled."
        );
        self.metrics.count_act(kind, acted.state);
        if acted.state == ActState::Open && !acted.again {
            begin(self, &acted);
        }
        let before = match &acted.before {
            Some(doer) => self.names.of(None, &doer.by).await,
            None => String::new(),
        };
        // Visitors of the page choose their own names, so a name is untrusted text.
        let before = harmless(&before, conversation::channel(&actor.via), PERSON);
        let answer = Answer::of(kind, &acted, &before, until, &config.timezone, now);
        // A text, unlike the page, did not show beforehand what the silence will hide.
        if kind == ActKind::Silence && acted.state == ActState::Open && matches!(wish.about, About::Thread(_)) {
            let channel = conversation::channel(&actor.via);
            return Ok(match self.scope(&acted.alerts, SCOPE_PATIENCE).await?.scope() {
                Some(scope) => answer.with_scope(&scope, channel),
                None => answer,
            });
        }
        Ok(answer)
    }

    /// The answer once the act is completed, or the given one after `patience`.
    pub async fn finished(&self, answer: Answer, patience: Duration) -> Result<Answer, StoreError> {
        let begun = tokio::time::Instant::now();
        while silencing::open(self, answer.act).await?.is_some() {
            if begun.elapsed() >= patience {
                return Ok(answer);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        let filter = ActFilter { among: vec![answer.act], ..ActFilter::default() };
        let act = self.store.acts(filter).await?.pop();
        Ok(match act {
            Some(act) => answer.ended(act.state, &act.detail),
            None => answer,
        })
    }

    /// Completes open acts, checks silenced alerts, and takes the steps of escalations, until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        let sweeps = async {
            loop {
                if let Err(error) = silencing::sweep(&self).await {
                    warn!(%error, "Acts that are open cannot be read; they are looked at again.");
                }
                tokio::time::sleep(SWEEP).await;
            }
        };
        let steps = async {
            loop {
                if let Err(error) = escalation::step(&self).await {
                    warn!(%error, "Escalations cannot be read; they are looked at again.");
                }
                tokio::time::sleep(ESCALATE).await;
            }
        };
        let lapses = async {
            loop {
                let looked = async {
                    // One replica tells for all; a single process always does.
                    if self.store.take_on(Duty::Silences).await? { lapsing::look(&self).await } else { Ok(()) }
                };
                if let Err(error) = looked.await {
                    warn!(%error, "Alerts that lapse cannot be read; they are looked at again.");
                }
                tokio::time::sleep(SWEEP).await;
            }
        };
        let all = async { tokio::join!(sweeps, steps, lapses, watching::watch(&self)) };
        tokio::select! {
            _ = all => {}
            () = stop.cancelled() => {}
        }
    }

    /// Runs one round of escalations: for tests that control the clock.
    #[doc(hidden)]
    pub async fn escalate_once(&self) -> Result<(), StoreError> {
        escalation::step(self).await
    }

    /// Reports lapsed alerts: for tests that control the clock.
    #[doc(hidden)]
    pub async fn lapse_once(&self) -> Result<(), StoreError> {
        lapsing::look(self).await
    }

    /// Looks at all upstreams once: for tests that control the clock.
    #[doc(hidden)]
    pub async fn look_once(&self) -> Result<(), StoreError> {
        watching::look_once(self).await
    }

    /// The language of answers to people whose own is not known: in WeCom.
    pub fn language(&self) -> Language {
        self.setup.now().config.language
    }
}

/// The idempotency key of a press: equal for copies of it, different for any other press. A callback has a code that is
/// new with each press; a bot's event only has user, content and time.
fn event(actor: &Actor, click: &Click, msgid: &str) -> String {
    let via = actor.via.name();
    match &click.response_code {
        Some(code) => format!("press/{via}/{code}"),
        None if !msgid.is_empty() => format!("press/{via}/{msgid}"),
        None => format!("press/{via}/{}/{}/{}/{}", click.from, click.created_at, click.key, click.task_id),
    }
}

/// Completes an open act concurrently with the answer.
fn begin(acts: &Acts, acted: &Acted) {
    let (acts, act) = (acts.clone(), acted.act);
    tokio::spawn(async move {
        if let Err(error) = silencing::finish(&acts, act).await {
            warn!(%error, act, "An act could not be finished; it is tried again.");
        }
    });
}

/// The object of a text: an episode by its short id.
const fn about(thread: ThreadId) -> About {
    About::Thread(thread)
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
            (Via::Console("link".to_owned()), "console/link"),
            (Via::Api("ci".to_owned()), "api/ci"),
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
