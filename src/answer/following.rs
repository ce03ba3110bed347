//! Carries out the commands of a [`Watch`]: asks an upstream, tells what follows, records what it said.

use std::collections::BTreeMap;
use std::time::Duration;

use tracing::{info, warn};

use super::origin::Origins;
use super::relay::{pass_on, tell_end};
use super::silencing::{client, is_gone};
use super::watch::{Command, Event, Hidden, Ours, Row, Watch};
use super::{Acts, Setup};
use crate::config::{Receiver, Upstream};
use crate::engine::truth::Suppressed;
use crate::render::{self, Note};
use crate::store::{About, ActAlert, ActKind, ActState, Listeners, NewAct, StoreError, Truth};
use crate::upstream::Client;

/// A receiver that was told of the alert more recently than this is not reminded.
const AGAIN: Duration = Duration::from_secs(30);

/// Asks one upstream about its alerts, records the readings, and carries out the decisions. False if no peer answered.
pub(super) async fn follow(
    acts: &Acts,
    setup: &Setup,
    upstream: &Upstream,
    rows: Vec<Row>,
    patience: Duration,
) -> Result<bool, StoreError> {
    let Ok(client) = client(setup, &upstream.name) else { return Ok(false) };
    let run = Run { acts, setup, upstream: &upstream.name, client, patience };
    let (mut watch, mut event) = (Watch::new(upstream, rows), Event::Started);
    loop {
        event = match watch.on(event, acts.clock.now()) {
            Command::End { answered } => return Ok(answered),
            command => run.carry_out(command).await?,
        };
    }
}

struct Run<'a> {
    acts: &'a Acts,
    setup: &'a Setup,
    upstream: &'a str,
    client: &'a Client,
    patience: Duration,
}

impl Run<'_> {
    async fn carry_out(&self, command: Command) -> Result<Event, StoreError> {
        let Self { acts, setup, client, .. } = *self;
        match command {
            Command::Silences => return Ok(Event::Silences(self.ours().await?)),
            Command::Look { names, ours } => {
                let looks = client.look(&names, &ours, self.patience).await;
                return Ok(Event::Looked(looks.into_iter().map(Result::ok).collect()));
            }
            Command::Hide(hidden) => self.tell_hidden(hidden).await?,
            Command::Delay { alert, step, fired_at, due_at } => {
                acts.store.delay_escalation(alert, step, fired_at, due_at).await?;
            }
            Command::Remind { after, alerts } => self.remind(after, &alerts).await?,
            Command::Over(alerts) => {
                info!(upstream = self.upstream, alerts = alerts.len(), "Alerts are gone upstream: they are over.");
                let told = acts.store.told_firing(alerts).await?;
                tell_end(acts, setup, &told).await?;
            }
            Command::Check { id, .. } => return Ok(Event::Checked { gone: is_gone(client, &id).await }),
            Command::Drop { act, id } => acts.store.end_silence(act, id, acts.clock.now()).await?,
            Command::Note(truths) => note(acts, truths).await?,
            Command::End { .. } => unreachable!("the look is over"),
        }
        Ok(Event::Done)
    }

    async fn ours(&self) -> Result<Vec<Ours>, StoreError> {
        let Self { acts, upstream, .. } = self;
        let mut ours = Vec::new();
        for silence in acts.store.silences(acts.clock.now()).await? {
            if silence.upstream == *upstream {
                let alerts = acts.store.act_alerts(silence.act).await?;
                let alerts = alerts.iter().map(|alert| alert.identity).collect();
                ours.push(Ours { act: silence.act, id: silence.upstream_id, until: silence.until, alerts });
            }
        }
        Ok(ours)
    }

    /// Tells all recipients of these alerts that a silence made elsewhere hides them: its author, end and comment.
    async fn tell_hidden(&self, hidden: Hidden) -> Result<(), StoreError> {
        let Self { acts, setup, upstream, .. } = *self;
        let acted = acts.store.act(hidden_act(upstream, hidden, &setup.listeners), acts.clock.now()).await?;
        if !acted.again {
            info!(upstream, act = acted.act, "Alerts are silenced upstream.");
            acts.metrics.count_act(ActKind::Hide, acted.state);
        }
        Ok(())
    }

    /// Sends reminders of alerts that are no longer suppressed.
    async fn remind(&self, after: Suppressed, alerts: &[ActAlert]) -> Result<(), StoreError> {
        let Self { acts, setup, .. } = *self;
        let after = match after {
            Suppressed::Silence => render::Hidden::Silence,
            Suppressed::Inhibition => render::Hidden::Inhibition,
            Suppressed::Interval => render::Hidden::Interval,
        };
        let note_json = serde_json::to_string(&Note::Shown { after }).expect("a note is JSON");
        let mut origins = Origins::of(&acts.store, setup, alerts);
        while let Some(origin) = origins.next().await? {
            let mut by_receiver: BTreeMap<&str, Vec<_>> = BTreeMap::new();
            for (row, alert) in origin.alerts() {
                by_receiver.entry(&row.receiver).or_default().push((row, alert.clone()));
            }
            for (name, told) in by_receiver {
                let Some(receiver) = setup.config.receiver(name) else {
                    warn!(receiver = name, "A receiver is gone from the configuration and is not reminded.");
                    continue;
                };
                let again = Receiver { repeat_interval: AGAIN, escalate: Vec::new(), ..receiver.as_ref().clone() };
                pass_on(acts, &origin.notification, told, &again, Some(note_json.clone())).await?;
            }
        }
        Ok(())
    }
}

/// Records readings.
pub(super) async fn note(acts: &Acts, truths: Vec<Truth>) -> Result<(), StoreError> {
    let clock = acts.clock.clone();
    acts.store.note_truths(truths, move || clock.now()).await
}

/// Idempotency key: a silence made elsewhere is reported once for each episode.
pub(super) fn hidden_act(upstream: &str, hidden: Hidden, listeners: &Listeners) -> NewAct {
    let Hidden { thread, alerts, id, by, until, why } = hidden;
    NewAct {
        event: format!("hide/{upstream}/{id}/{}", thread.0),
        kind: ActKind::Hide,
        state: ActState::Done,
        by,
        via: format!("upstream/{upstream}"),
        about: About::Thread(thread),
        only: alerts,
        through: None,
        until: Some(until),
        detail: why,
        code: None,
        except_lane: None,
        listeners: listeners.clone(),
    }
}
