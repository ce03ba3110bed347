//! Completes open acts: silences made, moved and ended upstream on request, messages resent or recalled.

use std::collections::HashSet;

use tracing::info;

use super::origin::Origins;
use super::{Acts, Setup, Via};
use crate::alert::{Alert, Timestamp};
use crate::config::{Language, Target, To, Upstream};
use crate::deliver;
use crate::names::Duty;
use crate::standing;
use crate::store::{
    ActAlert, ActEnd, ActFilter, ActKind, ActRow, ActState, NewSilence, Silence, StoreError, TargetRow,
};
use crate::upstream::{self, Client, Matcher, Origin, Problem, Wanted};

/// An act that is open for longer than this was left by a process that ended: a running process completes an act at
/// once, and even an upstream that is slow at each step takes less.
const LEFT_MS: i64 = 45_000;
/// Acts that one sweep completes.
const SWEPT: u32 = 20;
/// Messages of an episode that are searched for the one to be resent.
const RESENT: usize = 50;

/// Completes acts whose process ended before they were done.
pub(super) async fn sweep(acts: &Acts) -> Result<(), StoreError> {
    let mut open = acts.store.acts(ActFilter { open: true, limit: SWEPT, ..ActFilter::default() }).await?;
    open.retain(|act| is_left(act.at, acts.clock.now()));
    // Two replicas that complete the same act at once would make two silences.
    if open.is_empty() || !acts.store.take_on(Duty::Silences).await? {
        return Ok(());
    }
    for act in open {
        finish(acts, act.id).await?;
    }
    Ok(())
}

/// Was an act of that time left by a process that ended? One from the future was: the clock was set back since then.
fn is_left(at: Timestamp, now: Timestamp) -> bool {
    now.millis_since(at).abs() > LEFT_MS
}

/// Completes an open act, records its result, and tells the actor and the receivers.
pub(super) async fn finish(acts: &Acts, act: i64) -> Result<(), StoreError> {
    let open = acts.store.acts(ActFilter { open: true, limit: 1_000, ..ActFilter::default() }).await?;
    let Some(act) = open.into_iter().find(|open| open.id == act) else { return Ok(()) };
    let setup = acts.setup.now();
    let alerts = acts.store.act_alerts(act.id).await?;
    let done = match act.kind {
        ActKind::Silence => make(acts, &setup, &act, &alerts).await?,
        ActKind::Extend => extend(acts, &setup, &act).await?,
        ActKind::Expire => expire(acts, &setup, &act).await?,
        ActKind::Resend => resend(acts, &act).await?,
        ActKind::Recall => recall(acts, &setup, &act).await?,
        ActKind::Acknowledge | ActKind::Release | ActKind::Forget | ActKind::Hide => Err(Failed::nothing()),
    };
    let failed = done.as_ref().err().map(|failed| failed.text(setup.config.language));
    let (state, detail, silence) = match done {
        Ok(Done { detail, silence }) => (ActState::Done, detail, silence),
        Err(failed) => (ActState::Failed, failed.text(setup.config.language), None),
    };
    info!(act = act.id, kind = act.kind.as_str(), state = state.as_str(), detail, "An act was finished.");
    acts.metrics.count_act(act.kind, state);
    let end = ActEnd { act: act.id, state, detail, silence, except_lane: None, listeners: setup.listeners.clone() };
    acts.store.end_act(end, acts.clock.now()).await?;
    if failed.is_some()
        && let Some((target, receiver)) = whoever_asked(&act, &alerts)
    {
        acts.store
            .tell_of_act(act.id, TargetRow::new(target.lane(), target.json()), receiver, acts.clock.now())
            .await?;
    }
    Ok(())
}

/// A completed act.
struct Done {
    detail: String,
    silence: Option<NewSilence>,
}

/// Why an act failed: in Chinese and in English.
pub(super) struct Failed([String; 2]);

impl Failed {
    fn new(zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self([zh.into(), en.into()])
    }

    fn nothing() -> Self {
        Self::new("没有可做的事", "there is nothing to do")
    }

    fn no_upstream() -> Self {
        Self::new(
            "不知道这条告警来自哪个 Alertmanager 或 Grafana：请在配置的 upstreams 里加上它，或在上游自己静默",
            "it is not known which Alertmanager or Grafana this alert came from: add it to `upstreams`, or silence it there",
        )
    }

    fn too_wide() -> Self {
        Self::new(
            "这些告警没有共同的名字（alertname）或规则，一个静默会盖得太宽：请在上游分别静默",
            "these alerts share no name (alertname) and no rule, so one silence would hide others, too: silence each of them upstream",
        )
    }

    fn unsure(error: &upstream::UpstreamError) -> Self {
        let (zh, en) = (&error.what.zh, &error.what.en);
        Self::new(
            format!("可能已经做成，但现在问不到，请在上游的静默列表里看：{zh}"),
            format!("it may have been done, which cannot be asked now: look at the silences upstream: {en}"),
        )
    }

    fn no_silence() -> Self {
        Self::new("没有还在生效的静默", "there is no silence in force")
    }

    fn text(&self, language: Language) -> String {
        self.0[usize::from(language == Language::En)].clone()
    }
}

impl From<upstream::UpstreamError> for Failed {
    fn from(error: upstream::UpstreamError) -> Self {
        Self::new(error.what.zh.clone(), error.what.en.clone())
    }
}

/// Makes a silence in the upstream of the alerts.
async fn make(
    acts: &Acts,
    setup: &Setup,
    act: &ActRow,
    alerts: &[ActAlert],
) -> Result<Result<Done, Failed>, StoreError> {
    let origins = Origins::of(&acts.store, setup, alerts).await?;
    let Some((upstream, matchers)) = matchers(setup, &origins) else { return Ok(Err(Failed::no_upstream())) };
    let Some(matchers) = matchers else { return Ok(Err(Failed::too_wide())) };
    let wanted = Wanted {
        matchers: matchers.clone(),
        now: acts.clock.now(),
        ends_at: act.until.unwrap_or_else(|| acts.clock.now().plus_millis(3_600_000)),
        author: author(acts, act).await,
        comment: comment(act, alerts),
        marker: upstream::marker(Some(act.thread), &format!("{}-{}", act.id, act.at.0)),
    };
    let client = match client(setup, &upstream.name) {
        Ok(client) => client,
        Err(failed) => return Ok(Err(failed)),
    };
    // The process that left it may have made the silence without recording it.
    let before = if is_left(act.at, acts.clock.now()) { client.made(&wanted).await } else { Ok(None) };
    let made = match before {
        Ok(None) => client.silence(&wanted).await,
        Ok(Some(made)) => Ok(made),
        Err(error) => return Ok(Err(Failed::unsure(&error))),
    };
    Ok(made.map_err(Failed::from).map(|made| Done {
        detail: format!("{} {}", upstream.name, made.id),
        silence: Some(NewSilence {
            upstream: upstream.name.clone(),
            upstream_id: made.id,
            matchers_json: serde_json::to_string(&matchers).expect("matchers are JSON"),
            until: wanted.ends_at,
        }),
    }))
}

/// The upstream of these alerts, and the matchers of a silence for all of them: different notifications may have told
/// them last. `None` also if they come from several upstreams.
pub(super) fn matchers<'a>(setup: &'a Setup, origins: &Origins) -> Option<(&'a Upstream, Option<Vec<Matcher>>)> {
    let (mut seen, mut all) = (HashSet::new(), Vec::new());
    for (notification, told) in origins.iter() {
        for (row, alert) in told {
            let origin = Origin {
                format: notification.format,
                external_url: &notification.external_url,
                source: &row.source,
                org: upstream::org_of(alert),
            };
            if let Some(upstream) = upstream::upstream_for(&setup.config.upstreams, &origin)
                && seen.insert(row.identity)
            {
                all.push((upstream, alert));
            }
        }
    }
    let (upstream, _) = *all.first()?;
    let alerts: Option<Vec<&Alert>> =
        all.iter().map(|(other, alert)| (other.name == upstream.name).then_some(*alert)).collect();
    Some((upstream, alerts.and_then(|alerts| upstream::together(upstream, &alerts))))
}

/// `张三 (zhangsan)`, if WeCom gives the name.
async fn author(acts: &Acts, act: &ActRow) -> String {
    let name = acts.names.of(None, &act.by).await;
    if name == act.by { name } else { format!("{name} ({})", act.by) }
}

fn comment(act: &ActRow, alerts: &[ActAlert]) -> String {
    let name = alerts.first().map_or("", |alert| alert.name.as_str());
    format!("{name} ×{}，由 {} 从企业微信静默 silenced from WeCom", alerts.len().max(1), act.by)
}

/// The silences that an act is about, the newest last.
async fn silences_of(acts: &Acts, act: &ActRow) -> Result<Vec<Silence>, StoreError> {
    standing::silences_of(&acts.store, act.thread, &acts.store.act_alerts(act.id).await?, acts.clock.now()).await
}

async fn extend(acts: &Acts, setup: &Setup, act: &ActRow) -> Result<Result<Done, Failed>, StoreError> {
    let (Some(silence), Some(until)) = (silences_of(acts, act).await?.pop(), act.until) else {
        return Ok(Err(Failed::no_silence()));
    };
    let client = match client(setup, &silence.upstream) {
        Ok(client) => client,
        Err(failed) => return Ok(Err(failed)),
    };
    match client.extend(&silence.upstream_id, until).await {
        Ok(made) => {
            acts.store.extend_silence(silence.act, made.id.clone(), until).await?;
            Ok(Ok(Done { detail: format!("{} {}", silence.upstream, made.id), silence: None }))
        }
        Err(error) => {
            if error.problem == Problem::NotFound {
                // It was ended upstream: it is no longer in force, so that a new one can be requested.
                acts.store.extend_silence(silence.act, silence.upstream_id, acts.clock.now()).await?;
            }
            Ok(Err(error.into()))
        }
    }
}

/// Ends all of them: a longer silence is made as a second one beside the first.
async fn expire(acts: &Acts, setup: &Setup, act: &ActRow) -> Result<Result<Done, Failed>, StoreError> {
    let silences = silences_of(acts, act).await?;
    if silences.is_empty() {
        return Ok(Err(Failed::no_silence()));
    }
    let mut ended = Vec::new();
    for silence in silences {
        let client = match client(setup, &silence.upstream) {
            Ok(client) => client,
            Err(failed) => return Ok(Err(failed)),
        };
        match client.expire(&silence.upstream_id).await {
            // A silence that upstream does not know hides nothing either.
            Err(error) if error.problem != Problem::NotFound => return Ok(Err(error.into())),
            Ok(()) | Err(_) => {}
        }
        ended.push(format!("{} {}", silence.upstream, silence.upstream_id));
        acts.store.extend_silence(silence.act, silence.upstream_id, acts.clock.now()).await?;
    }
    Ok(Ok(Done { detail: ended.join(", "), silence: None }))
}

async fn resend(acts: &Acts, act: &ActRow) -> Result<Result<Done, Failed>, StoreError> {
    let message = if let Some(message) = act.message {
        message
    } else {
        let filter = crate::store::DeliveryFilter { thread: Some(act.thread), limit: RESENT, ..Default::default() };
        // An act is not resent; the alert is what the request means.
        let told = acts.store.deliveries(filter).await?.into_iter().find(|row| row.act.is_none());
        let Some(newest) = told else { return Ok(Err(Failed::nothing())) };
        newest.message
    };
    let again = deliver::again(&acts.store, message, acts.clock.now()).await?;
    Ok(match again.refusal(message) {
        None => Ok(Done { detail: format!("message {message}"), silence: None }),
        Some(reason) => Err(Failed::new(reason.zh, reason.en)),
    })
}

async fn recall(acts: &Acts, setup: &Setup, act: &ActRow) -> Result<Result<Done, Failed>, StoreError> {
    let Some(message) = act.message else { return Ok(Err(Failed::nothing())) };
    let recalled = match deliver::recallable(&acts.store, &setup.config, message).await? {
        Ok(wanted) => deliver::recall(&setup.wecom, &wanted).await,
        Err(why) => Err(why),
    };
    Ok(match recalled {
        Ok(count) => Ok(Done { detail: format!("message {message} ×{count}"), silence: None }),
        Err(why) => Err(Failed::new(why.zh, why.en)),
    })
}

pub(super) fn client<'a>(setup: &'a Setup, name: &str) -> Result<&'a Client, Failed> {
    match setup.upstreams.get(name) {
        Some(Ok(client)) => Ok(client),
        Some(Err(error)) => Err(error.clone().into()),
        None => Err(Failed::new(
            format!("配置里已没有上游 `{name}`"),
            format!("the upstream `{name}` is no longer in the configuration"),
        )),
    }
}

/// The conversation with the actor, where a failure is told.
fn whoever_asked(act: &ActRow, alerts: &[ActAlert]) -> Option<(Target, String)> {
    let receiver = alerts.first().map_or_else(String::new, |alert| alert.receiver.clone());
    let target = match Via::parse(&act.via)? {
        Via::App(app) => Target::at(To::Members {
            app,
            users: vec![act.by.clone()],
            users_file: None,
            on_call: None,
            parties: Vec::new(),
            tags: Vec::new(),
        }),
        Via::Bot { bot, chat } => Target::at(To::Bot { bot, chat }),
        // These channels show the result themselves, and a page visitor's name is not a userid.
        Via::Page | Via::Console(_) | Via::Api(_) | Via::Command => return None,
    };
    Some((target, receiver))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_act_is_left_when_it_is_old_or_of_the_future() {
        let now = Timestamp(1_700_000_000_000);
        let is_left = |ago: i64| is_left(now.plus_millis(-ago), now);
        assert!(!is_left(0) && !is_left(LEFT_MS) && !is_left(-1_000));
        assert!(is_left(LEFT_MS + 1) && is_left(-3_600_000));
    }
}
