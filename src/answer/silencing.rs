//! Completes open acts: carries out the commands of a [`Job`], which makes, moves and ends silences upstream and has
//! messages resent or recalled.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use tracing::{info, warn};

use super::failed::Failed;
use super::job::{Command, Done, Event, Job, Place, Trouble, What, is_left};
use super::origin::Origins;
use super::typed::{self, Typed, Worded};
use super::{Acts, Setup, Via};
use crate::alert::{Alert, Notification, ThreadId};
use crate::config::{Target, To, Upstream};
use crate::deliver;
use crate::names::Duty;
use crate::standing;
use crate::store::{ActAlert, ActEnd, ActFilter, ActRow, ActState, DeliveryFilter, StoreError, TargetRow};
use crate::upstream::{self, Client, Matcher, Origin, Problem, SilenceState, UpstreamError};

/// Open acts that are read at once.
const OPEN: u32 = 200;
/// Messages of an episode that are read at once to find the one to be resent.
const RESENT: usize = 50;
/// Longest time for reading the notifications of an act's alerts: with the steps upstream it stays far below the time
/// after which another run takes the act for left, see `is_left`.
const PLACING: Duration = Duration::from_secs(15);

/// Completes acts whose process ended before they were done, the oldest first. One that fails keeps no other waiting.
pub(super) async fn sweep(acts: &Acts) -> Result<(), StoreError> {
    let mut failed = None;
    for act in left(acts).await? {
        // Two replicas that complete the same act at once would make two silences.
        if !acts.store.take_on(Duty::Silences).await? {
            break;
        }
        failed = finish(acts, act).await.err().or(failed);
    }
    failed.map_or(Ok(()), Err)
}

/// The acts that are left open, the oldest first.
async fn left(acts: &Acts) -> Result<Vec<i64>, StoreError> {
    let (mut left, mut before) = (Vec::new(), None);
    loop {
        let filter = ActFilter { open: true, before, limit: OPEN, ..ActFilter::default() };
        let open = acts.store.acts(filter).await?;
        let now = acts.clock.now();
        left.extend(open.iter().filter(|act| is_left(act.at, now)).map(|act| act.id));
        before = open.last().map(|act| act.id);
        if open.len() < OPEN as usize {
            break;
        }
    }
    left.reverse();
    Ok(left)
}

/// An act, if it is open.
pub(super) async fn open(acts: &Acts, act: i64) -> Result<Option<ActRow>, StoreError> {
    let filter = ActFilter { open: true, among: vec![act], ..ActFilter::default() };
    Ok(acts.store.acts(filter).await?.pop())
}

/// Completes an open act, records its result, and tells the actor and the receivers.
pub(super) async fn finish(acts: &Acts, act: i64) -> Result<(), StoreError> {
    let Some(act) = open(acts, act).await? else { return Ok(()) };
    let alerts = acts.store.act_alerts(act.id).await?;
    let run = Run { acts, setup: acts.setup.now(), act: &act, alerts: &alerts };
    let (mut job, mut event) = (Job::new(act.clone(), alerts.clone()), Event::Started);
    loop {
        event = match job.on(event, acts.clock.now()) {
            Command::End => return Ok(()),
            command => run.carry_out(command).await?,
        };
    }
}

/// Carries out the commands of a [`Job`].
struct Run<'a> {
    acts: &'a Acts,
    setup: Arc<Setup>,
    act: &'a ActRow,
    alerts: &'a [ActAlert],
}

impl Run<'_> {
    async fn carry_out(&self, command: Command) -> Result<Event, StoreError> {
        let Self { acts, setup, act, alerts } = self;
        Ok(match command {
            Command::Place => Event::Placed(self.place().await?),
            Command::List if act.thread.0 == 0 => Event::Listed(match typed::of_record(&act.detail) {
                Some(Typed::Of(of)) => typed::in_force(acts, of).await?,
                Some(Typed::New(_)) | None => Vec::new(),
            }),
            Command::List => {
                Event::Listed(standing::silences_of(&acts.store, act.thread, alerts, acts.clock.now()).await?)
            }
            Command::Find(errand) => Event::Found(match (client(setup, &errand.upstream), &errand.what) {
                (Err(why), _) => Err(Trouble { gone: false, why }),
                (Ok(client), What::Make(wanted)) => client.made(wanted).await.map_err(Trouble::from),
                (Ok(client), What::Extend { id, until }) => client.extended(id, *until).await.map_err(Trouble::from),
            }),
            Command::Do(errand) => Event::Made(match (client(setup, &errand.upstream), &errand.what) {
                (Err(why), _) => Err(Trouble { gone: false, why }),
                (Ok(client), What::Make(wanted)) => client.silence(wanted).await.map_err(Trouble::from),
                (Ok(client), What::Extend { id, until }) => client.extend(id, *until).await.map_err(Trouble::from),
            }),
            Command::Expire { upstream, id } => Event::Expired(match client(setup, &upstream) {
                Err(why) => Err(Trouble { gone: false, why }),
                Ok(client) => client.expire(&id).await.map_err(|error| {
                    warn!(upstream, silence = id, %error, "A silence was not ended upstream.");
                    Trouble::from(error)
                }),
            }),
            Command::Keep { act, id, until } => {
                acts.store.extend_silence(act, id, until).await?;
                Event::Kept
            }
            Command::Drop { act, id } => {
                acts.store.end_silence(act, id, acts.clock.now()).await?;
                Event::Kept
            }
            Command::Resend => Event::Sent(self.resend().await?),
            Command::Recall => Event::Sent(self.recall().await?),
            Command::Finish(done) => self.finish(done).await?,
            Command::Check { upstream, id } => Event::Checked {
                gone: match client(setup, &upstream) {
                    Ok(client) => is_gone(client, &id).await,
                    Err(_) => false,
                },
            },
            Command::Tell => {
                if let Some((target, receiver)) = conversation_with_actor(act, alerts) {
                    let row = TargetRow::new(target.lane(), target.json());
                    acts.store.tell_of_act(act.id, row, receiver, acts.clock.now()).await?;
                }
                Event::Told
            }
            Command::End => unreachable!("the run is over"),
        })
    }

    /// Where a silence for the alerts is made.
    async fn place(&self) -> Result<Result<Place, Failed>, StoreError> {
        let Self { acts, setup, act, alerts } = self;
        if act.thread.0 == 0
            && let Some(Typed::New(worded)) = typed::of_record(&act.detail)
        {
            let Worded { upstream, matchers, comment } = worded;
            return Ok(Ok(Place { upstream, matchers, author: author(acts, act).await, comment: Some(comment) }));
        }
        let (upstream, matchers) = match matchers(acts, setup, alerts, Instant::now() + PLACING).await? {
            Sought::Found(upstream, matchers) => (upstream.name.clone(), matchers),
            Sought::Nowhere => return Ok(Err(Failed::no_upstream())),
            Sought::TooWide => return Ok(Err(Failed::too_wide())),
            Sought::Late => return Ok(Err(Failed::too_many())),
        };
        Ok(Ok(Place { upstream, matchers, author: author(acts, act).await, comment: None }))
    }

    /// Records the end of the act.
    async fn finish(&self, done: Result<Done, Failed>) -> Result<Event, StoreError> {
        let Self { acts, setup, act, .. } = self;
        let (state, detail, silence) = match done {
            Ok(Done { detail, silence }) => (ActState::Done, detail, silence),
            Err(failed) => (ActState::Failed, failed.recorded(), None),
        };
        info!(act = act.id, kind = act.kind.as_str(), state = state.as_str(), detail, "An act was finished.");
        let end = ActEnd { act: act.id, state, detail, silence, except_lane: None, listeners: setup.listeners.clone() };
        let now = acts.clock.now();
        let ended = acts.store.end_act(end, now).await?;
        if !ended.again {
            acts.metrics.count_act(act.kind, state);
            return Ok(Event::Finished { again: false, kept: None });
        }
        let kept = acts.store.silences(now).await?.into_iter().find(|kept| kept.act == act.id && kept.until > now);
        Ok(Event::Finished { again: true, kept: kept.map(|kept| kept.upstream_id) })
    }

    async fn resend(&self) -> Result<Result<String, Failed>, StoreError> {
        let Self { acts, act, .. } = self;
        let message = if let Some(message) = act.message {
            message
        } else {
            let Some(newest) = newest(acts, act.thread, None).await? else { return Ok(Err(Failed::nothing())) };
            newest
        };
        let again = deliver::again(&acts.store, message, acts.clock.now()).await?;
        Ok(match again.refusal(message) {
            None => Ok(format!("message {message}")),
            Some(reason) => Err(Failed::new(reason.zh, reason.en)),
        })
    }

    async fn recall(&self) -> Result<Result<String, Failed>, StoreError> {
        let Self { acts, setup, act, .. } = self;
        let Some(message) = act.message else { return Ok(Err(Failed::nothing())) };
        let recalled = match deliver::recallable(&acts.store, &setup.config, message).await? {
            Ok(wanted) => deliver::recall(&setup.wecom, &wanted).await,
            Err(why) => Err(why),
        };
        Ok(match recalled {
            Ok(count) => Ok(format!("message {message} ×{count}")),
            Err(why) => Err(Failed::new(why.zh, why.en)),
        })
    }
}

/// The newest message that told `receivers` of an episode. An act is not resent; the alert is what the request means.
pub(super) async fn newest(
    acts: &Acts,
    thread: ThreadId,
    receivers: Option<&BTreeSet<String>>,
) -> Result<Option<i64>, StoreError> {
    let mut before = None;
    let receivers: Option<Vec<String>> = receivers.map(|names| names.iter().cloned().collect());
    loop {
        let receivers = receivers.clone();
        let filter =
            DeliveryFilter { thread: Some(thread), receivers, before, limit: RESENT, ..DeliveryFilter::default() };
        let rows = acts.store.deliveries(filter).await?;
        let told = rows.iter().find(|row| row.act.is_none());
        before = rows.last().map(|row| row.message);
        if told.is_some() || rows.len() < RESENT {
            return Ok(told.map(|row| row.message));
        }
    }
}

impl From<UpstreamError> for Trouble {
    fn from(error: UpstreamError) -> Self {
        Self { gone: error.problem == Problem::NotFound, why: error.into() }
    }
}

/// Is it certain that this silence is not in force upstream?
pub(super) async fn is_gone(client: &Client, silence: &str) -> bool {
    match client.get(silence).await {
        Ok(there) => there.state == SilenceState::Expired,
        Err(error) => error.problem == Problem::NotFound,
    }
}

/// What was found of one silence for some alerts.
pub(super) enum Sought<'a> {
    /// No upstream is known for them.
    Nowhere,
    /// It would hide others, too, or they come from several upstreams.
    TooWide,
    /// Not all of their notifications were read in time: what the others share is not known.
    Late,
    /// Its upstream, and its matchers.
    Found(&'a Upstream, Vec<Matcher>),
}

/// One silence for all of these alerts; different notifications may have told them last, and those are read until then.
pub(super) async fn matchers<'a>(
    acts: &Acts,
    setup: &'a Setup,
    alerts: &[ActAlert],
    until: Instant,
) -> Result<Sought<'a>, StoreError> {
    let (mut seen, mut found) = (HashSet::new(), Sought::Nowhere);
    if setup.config.upstreams.is_empty() {
        return Ok(found);
    }
    let mut origins = Origins::of(&acts.store, setup, alerts);
    loop {
        if Instant::now() >= until {
            return Ok(Sought::Late);
        }
        let Ok(next) = timeout_at(until, origins.next()).await else { return Ok(Sought::Late) };
        let Some(origin) = next? else { return Ok(found) };
        for (row, alert) in origin.alerts() {
            if let Some(upstream) = upstream_of(setup, &origin.notification, row, alert)
                && seen.insert(row.identity)
            {
                found = with(found, upstream, alert);
            }
        }
        if matches!(found, Sought::TooWide) {
            // No other alert makes it narrower.
            return Ok(found);
        }
    }
}

/// What was found so far, with one more alert.
fn with<'a>(found: Sought<'a>, upstream: &'a Upstream, alert: &Alert) -> Sought<'a> {
    let narrowed = match found {
        Sought::Nowhere => upstream::matchers_for(upstream, alert),
        Sought::Found(first, common) if first.name == upstream.name => upstream::narrowed_to(upstream, common, alert),
        Sought::Found(..) | Sought::TooWide | Sought::Late => None,
    };
    narrowed.map_or(Sought::TooWide, |matchers| Sought::Found(upstream, matchers))
}

/// The upstream of an alert of this notification.
pub(super) fn upstream_of<'a>(
    setup: &'a Setup,
    notification: &Notification,
    row: &ActAlert,
    alert: &Alert,
) -> Option<&'a Upstream> {
    let origin = Origin {
        format: notification.format,
        external_url: &notification.external_url,
        source: &row.source,
        org: upstream::org_of(alert),
    };
    upstream::upstream_for(&setup.config.upstreams, &origin)
}

/// `张三 (zhangsan)`, if WeCom gives the name.
async fn author(acts: &Acts, act: &ActRow) -> String {
    let name = acts.names.of(None, &act.by).await;
    if name == act.by { name } else { format!("{name} ({})", act.by) }
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
fn conversation_with_actor(act: &ActRow, alerts: &[ActAlert]) -> Option<(Target, String)> {
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
