//! Which way an alert takes, what it would look like, who sends, and how a stored body is read. Nothing is sent or fetched.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Query, Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use serde::Deserialize;

use super::save::{self, What};
use super::{Gate, Guest, clock, missing, read, visitor};
use crate::alert::{Format, Labels, Notification, Status, ThreadId};
use crate::config::Config;
use crate::console::{self, Desk, Heard, MappingDraft, MappingPage, RoutesPage, SendersPage, Tried};
use crate::deliver::{self, Page, Writer, contents};
use crate::ingest::generic::{Mapping, Payloads};
use crate::ingest::{self, Door, Explained};
use crate::names::SourceId;
use crate::preview::{Preview, preview};
use crate::store::{DeliveryFilter, Kept, StoreError};
use crate::words::Words;

/// Messages of the last day that are searched for what each sender sent.
const LATEST: usize = 300;
/// Stored bodies that a mapping is tried on.
const BODIES: usize = 50;
/// Bytes of a mapping: with a body of the store, more is not a person's.
const MAPPING: usize = 12 * 1024;
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
    let previews = told.map(|(source, notification)| previews(&gate, &source, &notification, None)).unwrap_or_default();
    let desk = Desk { live: "", ..guest.desk(&gate, "routes") };
    let f = guest.frame(&gate);
    let blocked = config.route.unreachable();
    guest.page(&RoutesPage::new(f, desk, asked.label, asked.from, said, &ways, &blocked, &previews), &[])
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

/// How a stored body is read, with the beginning of a mapping for it. Bodies are for those who may change.
pub(super) async fn mapping(State(gate): State<Gate>, parts: Parts) -> Response {
    let guest = visitor!(gate, parts);
    let Query(asked) = Query::<Asked>::try_from_uri(&parts.uri).unwrap_or_default();
    if !guest.rights.change {
        return missing(&gate, &guest);
    }
    let kept = read!(gate, guest, body(&gate, &asked.from).await);
    let Some(kept) = kept else { return missing(&gate, &guest) };
    let config = gate.server.setup.now().config.clone();
    let explained = explain(&kept, &config.payloads);
    let draft =
        explained.as_ref().map(|explained| ingest::draft(explained, &kept.raw, kept.content_type.as_deref(), "mine"));
    let said = kept.raw.is_empty().then_some((false, console::BODY_PRUNED));
    let draft = MappingDraft { text: draft.unwrap_or_default(), ..MappingDraft::default() };
    show(&gate, &guest, &kept, draft, said, explained.as_ref(), None)
}

/// Tries a mapping on a stored body, and on the last ones of the same sender; saves it as a file if that is asked for.
pub(super) async fn try_mapping(State(gate): State<Gate>, request: Request) -> Response {
    let (parts, form) = request.into_parts();
    let guest = visitor!(gate, parts);
    let fields = match guest.form(&gate, &parts.headers, form).await {
        Ok(fields) => fields,
        Err(forged) => return forged,
    };
    if !guest.rights.change {
        return missing(&gate, &guest);
    }
    let field = |name: &str| fields.get(name).map_or("", String::as_str);
    let kept = read!(gate, guest, body(&gate, field("from")).await);
    let Some(kept) = kept else { return missing(&gate, &guest) };
    let mut draft = MappingDraft {
        text: field("mapping").replace("\r\n", "\n"),
        name: field("name").trim().to_owned(),
        folder: field("folder").to_owned(),
        seen: field("seen").to_owned(),
    };
    let config = gate.server.setup.now().config.clone();
    let (payloads, names) = match compile(&config, &draft.text) {
        Ok(compiled) => compiled,
        Err(why) => return show(&gate, &guest, &kept, draft, Some((false, console::mapping_wrong(&why))), None, None),
    };
    if draft.name.is_empty() {
        draft.name = names.first().cloned().unwrap_or_default();
    }
    let explained = explain(&kept, &payloads);
    let taken = explained.as_ref().is_some_and(|explained| names.contains(&explained.by));
    let mut said = if taken { (true, console::MAPPING_READS) } else { (false, console::MAPPING_PASSES) };
    let mut status = StatusCode::OK;
    if field("do") == "save" && !guest.is_fresh(&gate) {
        (said, status) = ((false, console::SIGN_IN_AGAIN), StatusCode::FORBIDDEN);
    } else if field("do") == "save" && taken {
        (said, status) = keep(&gate, &guest, &config, &mut draft, &names).await;
    }
    let others = read!(gate, guest, others(&gate, &kept).await);
    let tried = tried(&others, &payloads, &names);
    let mut page = show(&gate, &guest, &kept, draft, Some(said), explained.as_ref(), Some(tried));
    if status != StatusCode::OK {
        *page.status_mut() = status;
    }
    page
}

/// Saves a mapping that reads the body, and says what came of it.
async fn keep(
    gate: &Gate,
    guest: &Guest,
    config: &Config,
    draft: &mut MappingDraft,
    names: &[String],
) -> ((bool, Words), StatusCode) {
    let place = save::place(&config.console.write, &draft.folder, &draft.name, What::Mapping);
    let saved = match place.clone() {
        Ok(path) => save::save(gate, guest.saver(), What::Mapping, path, draft.text.clone(), draft.seen.clone()).await,
        Err(why) => Err(why),
    };
    draft.seen = place.and_then(|path| save::mark_of(&path)).unwrap_or_default();
    match saved {
        Ok(()) => {
            let config = gate.server.setup.now().config.clone();
            let own: Vec<&str> =
                config.payloads.mappings().filter(|(_, own)| *own).map(|(mapping, _)| mapping.name.as_str()).collect();
            let in_force = names.iter().all(|name| own.contains(&name.as_str()));
            ((in_force, if in_force { console::SAVED } else { console::SAVED_UNUSED }), StatusCode::OK)
        }
        Err(why) => ((false, why.words()), StatusCode::CONFLICT),
    }
}

fn show(
    gate: &Gate,
    guest: &Guest,
    kept: &Kept,
    draft: MappingDraft,
    said: Option<(bool, Words)>,
    explained: Option<&Explained>,
    tried: Option<Tried>,
) -> Response {
    let wrong = explained.is_none() && said.as_ref().is_some_and(|(good, _)| !good);
    let leaves = ingest::paths(&kept.raw, kept.content_type.as_deref());
    let made =
        explained.map(|explained| previews(gate, &kept.source, &explained.notification, None)).unwrap_or_default();
    let desk = Desk { live: "", ..guest.desk(gate, "senders") };
    let f = guest.frame(gate);
    let folders = gate.server.setup.now().config.console.write.clone();
    let folders: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
    let page = MappingPage::new(f, desk, kept.id, draft, said, explained, &leaves, &made, tried, folders);
    let mut page = guest.page(&page, &[]);
    if wrong {
        *page.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    }
    page
}

/// The notification with this number, with its body.
async fn body(gate: &Gate, from: &str) -> Result<Option<Kept>, StoreError> {
    match from.trim().parse() {
        Ok(id) => gate.server.store.for_people().notification(id).await,
        Err(_) => Ok(None),
    }
}

fn explain(kept: &Kept, payloads: &Payloads) -> Option<Explained> {
    let door = if kept.format == Format::AlertsPush { Door::AlertsPush } else { Door::Webhook };
    ingest::explain(&kept.raw, kept.content_type.as_deref(), door, payloads, kept.received_at).ok()
}

/// The mappings of a text, before those of the configuration, and their names; or what is wrong with it.
pub(in crate::http) fn compile(config: &Config, text: &str) -> Result<(Payloads, Vec<String>), String> {
    if text.len() > MAPPING {
        return Err("too long".to_owned());
    }
    let new: Vec<Mapping> = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
    let names: Vec<String> = new.iter().map(|mapping| mapping.name.clone()).collect();
    let payloads = config
        .payloads
        .before(new)
        .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))?;
    Ok((payloads, names))
}

/// The last bodies of the same sender.
async fn others(gate: &Gate, kept: &Kept) -> Result<Vec<Kept>, StoreError> {
    let store = gate.server.store.for_people();
    let filter = DeliveryFilter { limit: LATEST, ..DeliveryFilter::default() };
    let mut ids: Vec<i64> = store
        .deliveries(filter)
        .await?
        .into_iter()
        .filter(|row| row.source == kept.source)
        .map(|row| row.notification)
        .collect();
    ids.dedup();
    ids.truncate(BODIES);
    let mut found = Vec::new();
    for id in ids {
        found.extend(store.notification(id).await?.filter(|kept| !kept.raw.is_empty()));
    }
    Ok(found)
}

/// What a mapping makes of bodies.
fn tried(bodies: &[Kept], payloads: &Payloads, names: &[String]) -> Tried {
    let mut tried = Tried { bodies: bodies.len(), ..Tried::default() };
    let mut titles: BTreeMap<String, String> = BTreeMap::new();
    let mut confused: Vec<String> = Vec::new();
    for explained in bodies.iter().filter_map(|kept| explain(kept, payloads)) {
        tried.taken += usize::from(names.contains(&explained.by));
        for alert in &explained.notification.alerts {
            tried.over += usize::from(alert.status == Status::Resolved);
            let key = alert.discriminator.as_str().to_owned();
            let title = titles.entry(key.clone()).or_insert_with(|| alert.name.clone());
            if !key.is_empty() && *title != alert.name && !confused.contains(&key) {
                confused.push(key);
            }
        }
    }
    tried.confused = confused.len();
    tried
}
