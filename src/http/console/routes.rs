//! Which way an alert takes, what it would look like, and who sends. Nothing is sent or fetched.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::request::Parts;
use axum::response::Response;
use serde::Deserialize;

use super::{Gate, Guest, clock, missing, read, visitor};
use crate::alert::{Labels, Notification, ThreadId};
use crate::config::Config;
use crate::console::{self, Desk, Heard, RoutesPage, SendersPage};
use crate::deliver::{self, Page, Writer, contents};
use crate::names::SourceId;
use crate::preview::{Preview, preview};
use crate::store::{DeliveryFilter, StoreError, TallyFilter};
use crate::words::Words;

/// Messages of the last day that are searched for what each sender sent.
const LATEST: usize = 300;
const DAY_MS: i64 = 24 * 3_600_000;

/// The question, as it was typed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    label: String,
    from: String,
}

/// The labels of `a=b c=d`; `None` if one is no label.
fn labels(text: &str) -> Option<Labels> {
    text.split_whitespace()
        .map(|pair| pair.split_once('=').map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned())))
        .collect()
}

/// Routes and preview: for those who may look at everything.
pub(super) async fn routes(State(gate): State<Gate>, parts: Parts) -> Response {
    let guest = visitor!(gate, parts);
    if !guest.rights.all {
        return missing(&gate, &guest);
    }
    let Query(asked) = Query::<Asked>::try_from_uri(&parts.uri).unwrap_or_default();
    let setup = gate.server.setup.now();
    let config = &setup.config;
    let told = read!(gate, guest, told(&gate, &asked.from).await);
    let wanted = match &told {
        Some((_, notification)) => notification.alerts.first().map(|alert| alert.labels.clone()),
        None => labels(&asked.label),
    };
    let said = wanted.is_none().then_some(console::ODD_LABELS);
    let decisions = wanted.filter(|labels| !labels.is_empty());
    let decisions = decisions.as_ref().map(|labels| config.route.route(labels)).unwrap_or_default();
    let lanes = |receiver: &str| {
        let known = config.receivers.get(receiver).map(|receiver| receiver.targets.as_slice()).unwrap_or_default();
        known.iter().map(|target| format!("{} ({})", target.lane(), target.face.as_str())).collect()
    };
    let ways: Vec<_> = decisions.into_iter().map(|decision| (decision.clone(), lanes(decision.receiver))).collect();
    let previews = match told {
        Some((source, notification)) => {
            gate.apart(move |gate| previews(gate, &source, &notification, None)).await.unwrap_or_default()
        }
        None => Vec::new(),
    };
    let desk = Desk { live: "", ..guest.desk(&gate, "routes") };
    let f = guest.frame(&gate);
    let blocked = config.route.unreachable();
    let now = gate.server.clock.now();
    let filter = TallyFilter { since: now.plus_millis(-7 * DAY_MS), until: now, ..TallyFilter::default() };
    let tally = read!(gate, guest, gate.server.store.for_people().tally(filter).await);
    let mut week: BTreeMap<String, u64> = BTreeMap::new();
    for hour in tally.rules {
        *week.entry(hour.receiver).or_default() += hour.fired;
    }
    guest.page(
        &RoutesPage::new(
            f,
            desk,
            asked.label,
            asked.from,
            said,
            &ways,
            &config.route.nodes(),
            &week,
            &blocked,
            &previews,
        ),
        &[],
    )
}

/// The notification behind a short id, read again.
pub(super) async fn told(gate: &Gate, from: &str) -> Result<Option<(SourceId, Notification)>, StoreError> {
    let Some(thread) = ThreadId::parse(from.trim()) else { return Ok(None) };
    let store = gate.server.store.for_people();
    let filter = DeliveryFilter { thread: Some(thread), limit: 20, ..DeliveryFilter::default() };
    let newest = store.deliveries(filter).await?.into_iter().find(|row| row.act.is_none() && !row.digest);
    let Some(newest) = newest else { return Ok(None) };
    let Some((kept, _part)) = contents(&store, &gate.server.room, newest.message).await? else { return Ok(None) };
    let page = Page::of(&gate.server.setup.now().config, &kept.notification, &kept.transitions, &kept.receiver);
    Ok(Some((kept.notification.source, page.notification)))
}

/// What it would become, for one receiver or by the tree; nothing where the templates cannot be made ready.
pub(in crate::http) fn previews(
    gate: &Gate,
    source: &SourceId,
    notification: &Notification,
    receiver: Option<&str>,
) -> Vec<Preview> {
    let config: Arc<Config> = gate.server.setup.now().config.clone();
    let ready = deliver::Setup::new(config, None, &gate.server.clock).and_then(|setup| Ok((setup, Writer::new()?)));
    let Ok((setup, writer)) = ready else { return Vec::new() };
    preview(&setup, &writer, source, notification, receiver, gate.server.clock.now())
}

/// Who sends: for those who may look at everything.
pub(super) async fn senders(State(gate): State<Gate>, parts: Parts) -> Response {
    let guest = visitor!(gate, parts);
    if !guest.rights.all {
        return missing(&gate, &guest);
    }
    let (store, now) = (gate.server.store.for_people(), gate.server.clock.now());
    let filter = DeliveryFilter { since: Some(now.plus_millis(-DAY_MS)), limit: LATEST, ..DeliveryFilter::default() };
    let rows = read!(gate, guest, store.deliveries(filter).await);
    let setup = gate.server.setup.now();
    let mut known: BTreeMap<String, Heard> = BTreeMap::new();
    for source in &setup.config.sources {
        heard_of(&mut known, &source.name);
    }
    for row in &rows {
        heard_of(&mut known, &row.source.stored());
    }
    for (name, record) in gate.records.all() {
        let heard = heard_of(&mut known, &name);
        heard.last = record.last.map(|last| last.at);
        heard.refused =
            record.refusals.into_iter().map(|call| (call.at, call.path, Words::of_record(&call.why))).collect();
    }
    let heard: Vec<Heard> = known.into_values().collect();
    let f = guest.frame(&gate);
    let clock = clock(&gate, &setup.config.timezone, f.language);
    let desk = Desk { live: "", ..guest.desk(&gate, "senders") };
    guest.page(&SendersPage::new(f, desk, &clock, &heard, &rows, guest.rights.change), &[])
}

fn heard_of<'k>(known: &'k mut BTreeMap<String, Heard>, name: &str) -> &'k mut Heard {
    known.entry(name.to_owned()).or_insert_with(|| Heard { name: name.to_owned(), ..Heard::default() })
}
