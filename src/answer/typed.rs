//! Silences that a person words: their matchers are typed, and they are about no alert of ours.
//!
//! They go the way of all acts: on record first, made once, found again by their marker after a crash.

use serde::{Deserialize, Serialize};

use super::rights::Eyes;
use super::scope::Scope;
use super::{Actor, Acts, Answer, Via, Wish};
use crate::config::{Config, Upstream};
use crate::standing;
use crate::store::{About, ActAlert, ActKind, Silence, StoreError};
use crate::upstream::{Matcher, Span};
use crate::words::{Words, told, words};

/// Characters of a comment.
const COMMENT: usize = 300;
/// Matchers of a silence: a person types a few.
pub const MATCHERS: usize = 20;

const NO_UPSTREAM: Words = words(
    "配置里没有能静默的上游：在 upstreams 里加上 Alertmanager 或 Grafana",
    "no upstream of the configuration has silences: add an Alertmanager or Grafana to `upstreams`",
);
const TOO_MANY: Words = words("最多 20 个条件", "at most 20 matchers");

/// What an act of this kind concerns. The record keeps it as the act's detail while the act is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Typed {
    /// A new silence.
    New(Worded),
    /// The silence that this act made.
    Of(i64),
}

/// A silence as it was typed, and is possible.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Worded {
    /// Name of the upstream.
    pub upstream: String,
    /// Its matchers.
    pub matchers: Vec<Matcher>,
    /// Why.
    pub comment: String,
}

impl Worded {
    /// What was typed: the name of an upstream, which may be empty if there is one only, matchers and a comment; or what
    /// is wrong with it.
    pub fn parse<'t>(
        config: &Config,
        upstream: &str,
        matchers: impl Iterator<Item = &'t str>,
        comment: &str,
    ) -> Result<Self, Words> {
        let upstream = place(config, upstream)?.name.clone();
        let matchers: Vec<Matcher> = matchers.map(Matcher::parse).collect::<Result<_, _>>()?;
        if matchers.len() > MATCHERS {
            return Err(TOO_MANY);
        }
        let matchers = Matcher::checked(matchers)?;
        let comment = comment.trim().chars().filter(|letter| !letter.is_control()).take(COMMENT).collect();
        Ok(Self { upstream, matchers, comment })
    }
}

/// The upstreams that can have silences.
pub fn silencing(config: &Config) -> impl Iterator<Item = &Upstream> {
    config.upstreams.iter().filter(|known| known.kind.has_silences())
}

/// The upstream of this name; without a name the only one.
fn place<'c>(config: &'c Config, name: &str) -> Result<&'c Upstream, Words> {
    let mut all = silencing(config).filter(|known| name.is_empty() || known.name == name);
    match (all.next(), all.next()) {
        (Some(only), None) => Ok(only),
        (None, _) if name.is_empty() => Err(NO_UPSTREAM),
        (None, _) => Err(told!("没有能静默的上游 `{name}`", "no upstream `{name}` has silences")),
        (Some(_), Some(_)) => {
            let names: Vec<&str> = silencing(config).map(|known| known.name.as_str()).collect();
            Err(told!("有几个上游，请选一个：{}", "there are several upstreams, choose one of: {}", names.join(" ")))
        }
    }
}

/// What the record keeps of an open act.
pub(super) fn of_record(detail: &str) -> Option<Typed> {
    serde_json::from_str(detail).ok()
}

impl Acts {
    /// Makes, moves or ends a silence that is about no alert of ours. Who may was checked: [`Self::may_silence`].
    pub async fn silence_typed(
        &self,
        actor: &Actor,
        event: String,
        kind: ActKind,
        typed: &Typed,
        span: Option<Span>,
    ) -> Result<Answer, StoreError> {
        let wish = Wish { event, kind, about: About::Nothing, span, code: None, except_lane: None, within: None };
        let detail = serde_json::to_string(typed).expect("names and matchers are JSON");
        self.record(actor, wish, None, detail).await
    }

    /// May the actor of the console silence whatever is typed? Those who may change, and those who may act on what every
    /// receiver is told: matchers can hide the alerts of any of them.
    pub async fn may_silence(&self, actor: &Actor) -> Result<bool, StoreError> {
        let config = self.setup.now().config.clone();
        if matches!(actor.via, Via::Command | Via::Api(_)) || config.is_local_administrator(&actor.id) {
            return Ok(true);
        }
        let now = self.clock.now();
        if config.console_rights(&actor.id, now).1 {
            return Ok(true);
        }
        let mut eyes = Eyes::of(self, actor);
        for receiver in config.receivers.keys() {
            let may = match config.may_act(receiver) {
                Some(named) => named.allows(&actor.id, now, &config.rotas),
                None => eyes.received(receiver).await?,
            };
            if !may {
                return Ok(false);
            }
        }
        Ok(!config.receivers.is_empty())
    }

    /// What such a silence would hide now, and the first `most` of the alerts of our own record among it.
    pub async fn foresee(&self, worded: &Worded, most: usize) -> Result<(Scope, Vec<ActAlert>), StoreError> {
        let setup = self.setup.now();
        let Worded { upstream, matchers, .. } = worded;
        let (alerts, recorded) = standing::hidden(&self.store, matchers, most).await?;
        let counted = self.counts.of(&setup, upstream, matchers).await;
        let scope = Scope {
            upstream: upstream.clone(),
            matchers: matchers.clone(),
            count: counted.unwrap_or(recorded),
            by_upstream: counted.is_some(),
        };
        Ok((scope, alerts))
    }
}

/// The silence that the act is about: the one of this number, if it is in force.
pub(super) async fn in_force(acts: &Acts, of: i64) -> Result<Vec<Silence>, StoreError> {
    let now = acts.clock.now();
    let mut known = acts.store.silences(now).await?;
    known.retain(|silence| silence.act == of && silence.until > now);
    Ok(known)
}
