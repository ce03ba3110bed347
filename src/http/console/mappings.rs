//! How a stored body is read, and a mapping that is tried on it and on the last ones of the same sender. Nothing is sent or
//! fetched. Bodies are for those who may change.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Query, Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use serde::Deserialize;

use super::routes::previews;
use super::save::{self, What};
use super::{Gate, Guest, missing, read, visitor};
use crate::alert::{Format, Status};
use crate::config::Config;
use crate::console::{self, Desk, MappingDraft, MappingPage, Tried};
use crate::ingest::generic::{Mapping, Payloads};
use crate::ingest::{self, Door, Explained};
use crate::preview::Preview;
use crate::store::{DeliveryFilter, Kept, StoreError};
use crate::words::{Language, Words};

/// Messages of the last day that are searched for what the sender sent.
const LATEST: usize = 300;
/// Stored bodies that a mapping is tried on.
const BODIES: usize = 50;
/// Bytes of a mapping: with a body of the store, more is not a person's.
const MAPPING: usize = 12 * 1024;

/// Which body.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    from: String,
}

/// What became of the body, and of the others.
#[derive(Debug, Default)]
struct Looked {
    /// The mistakes of the mapping.
    wrong: Option<String>,
    /// The names of its mappings.
    names: Vec<String>,
    explained: Option<Explained>,
    /// The beginning of a mapping.
    draft: String,
    leaves: Vec<(String, String)>,
    made: Vec<Preview>,
    tried: Option<Tried>,
}

impl Looked {
    /// As it is read now.
    fn now(gate: &Gate, kept: &Kept, language: Language) -> Self {
        let explained = explain(kept, &gate.server.setup.now().config.payloads);
        let kind = kept.content_type.as_deref();
        let draft = explained.as_ref().map(|explained| ingest::draft(explained, &kept.raw, kind, "mine", language));
        Self { explained, draft: draft.unwrap_or_default(), ..Self::default() }.with(gate, kept)
    }

    /// As the mapping in `text` reads it.
    fn tried(gate: &Gate, kept: &Kept, others: &[Kept], text: &str) -> Self {
        let config = gate.server.setup.now().config.clone();
        let found = match compile(&config, text) {
            Ok((payloads, names)) => Self {
                explained: explain(kept, &payloads),
                tried: Some(tried(others, &payloads, &names)),
                names,
                ..Self::default()
            },
            Err(why) => Self { wrong: Some(why), ..Self::default() },
        };
        found.with(gate, kept)
    }

    fn with(mut self, gate: &Gate, kept: &Kept) -> Self {
        self.leaves = ingest::paths(&kept.raw, kept.content_type.as_deref());
        if let Some(explained) = &self.explained {
            self.made = previews(gate, &kept.source, &explained.notification, None);
        }
        self
    }

    /// Did one of its mappings read the body?
    fn is_taken(&self) -> bool {
        self.explained.as_ref().is_some_and(|explained| self.names.contains(&explained.by))
    }
}

/// How a stored body is read, with the beginning of a mapping for it.
pub(super) async fn mapping(State(gate): State<Gate>, parts: Parts) -> Response {
    let guest = visitor!(gate, parts);
    let Query(asked) = Query::<Asked>::try_from_uri(&parts.uri).unwrap_or_default();
    if !guest.rights.change {
        return missing(&gate, &guest);
    }
    let kept = read!(gate, guest, body(&gate, &asked.from).await);
    let Some(kept) = kept.map(Arc::new) else { return missing(&gate, &guest) };
    let (of, language) = (kept.clone(), guest.frame(&gate).language);
    let looked = gate.apart(move |gate| Looked::now(gate, &of, language)).await.unwrap_or_default();
    let said = kept.raw.is_empty().then_some((false, console::BODY_PRUNED));
    let draft = MappingDraft { text: looked.draft.clone(), ..MappingDraft::default() };
    show(&gate, &guest, &kept, draft, said, &looked)
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
    let Some(kept) = kept.map(Arc::new) else { return missing(&gate, &guest) };
    let mut draft = MappingDraft {
        text: field("mapping").replace("\r\n", "\n"),
        name: field("name").trim().to_owned(),
        folder: field("folder").to_owned(),
        seen: field("seen").to_owned(),
        unknown: Vec::new(),
    };
    if field("do") == "sample" {
        return keep_sample(&gate, &guest, &kept, draft).await;
    }
    let others = read!(gate, guest, others(&gate, &kept).await);
    let (of, text) = (kept.clone(), draft.text.clone());
    let looked = gate.apart(move |gate| Looked::tried(gate, &of, &others, &text)).await;
    let looked = looked.unwrap_or_else(|| Looked { wrong: Some(String::new()), ..Looked::default() });
    if let Some(why) = &looked.wrong {
        return show(&gate, &guest, &kept, draft, Some((false, console::mapping_wrong(why))), &looked);
    }
    if draft.name.is_empty() {
        draft.name = looked.names.first().cloned().unwrap_or_default();
    }
    let taken = looked.is_taken();
    let mut said = if taken { (true, console::MAPPING_READS) } else { (false, console::MAPPING_PASSES) };
    let mut status = StatusCode::OK;
    if field("do") == "save" && !guest.is_fresh(&gate) {
        (said, status) = ((false, console::SIGN_IN_AGAIN), StatusCode::FORBIDDEN);
    } else if field("do") == "save" && taken {
        (said, status) = keep(&gate, &guest, &mut draft, &looked.names).await;
    }
    let mut page = show(&gate, &guest, &kept, draft, Some(said), &looked);
    if status != StatusCode::OK {
        *page.status_mut() = status;
    }
    page
}

/// Saves a mapping that reads the body, and says what came of it.
async fn keep(gate: &Gate, guest: &Guest, draft: &mut MappingDraft, names: &[String]) -> ((bool, Words), StatusCode) {
    let config = gate.server.setup.now().config.clone();
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

/// Keeps the body as a file, under a name of its own, and shows the mapping again.
async fn keep_sample(gate: &Gate, guest: &Guest, kept: &Arc<Kept>, draft: MappingDraft) -> Response {
    let (of, text) = (kept.clone(), draft.text.clone());
    let looked = gate.apart(move |gate| Looked::tried(gate, &of, &[], &text)).await.unwrap_or_default();
    let (said, status) = match kept_sample(gate, guest, kept, &draft, &looked).await {
        Ok(path) => ((true, console::sample_kept(&path)), StatusCode::OK),
        Err((why, status)) => ((false, why), status),
    };
    let mut page = show(gate, guest, kept, draft, Some(said), &looked);
    *page.status_mut() = status;
    page
}

async fn kept_sample(
    gate: &Gate,
    guest: &Guest,
    kept: &Kept,
    draft: &MappingDraft,
    looked: &Looked,
) -> Result<String, (Words, StatusCode)> {
    if !guest.is_fresh(gate) {
        return Err((console::SIGN_IN_AGAIN, StatusCode::FORBIDDEN));
    }
    let text = std::str::from_utf8(&kept.raw).ok().filter(|text| !text.trim().is_empty());
    let text = text.ok_or((console::NO_TEXT, StatusCode::UNPROCESSABLE_ENTITY))?.to_owned();
    let folders = gate.server.setup.now().config.console.write.clone();
    let base = Some(draft.name.as_str()).filter(|name| !name.is_empty());
    let base = base.or(looked.names.first().map(String::as_str)).unwrap_or("sample");
    // A name of its own: no sample replaces another.
    let name = format!("{base}.{}", kept.id);
    let conflict = |why: save::Unsaved| (why.words(), StatusCode::CONFLICT);
    let path = save::place(&folders, &draft.folder, &name, What::Sample).map_err(conflict)?;
    save::save(gate, guest.saver(), What::Sample, path.clone(), text, String::new()).await.map_err(conflict)?;
    Ok(path.display().to_string())
}

fn show(
    gate: &Gate,
    guest: &Guest,
    kept: &Kept,
    mut draft: MappingDraft,
    said: Option<(bool, Words)>,
    looked: &Looked,
) -> Response {
    draft.unknown = ingest::unknown(&draft.text, &looked.leaves);
    let desk = Desk { live: "", ..guest.desk(gate, "senders") };
    let f = guest.frame(gate);
    let folders = gate.server.setup.now().config.console.write.clone();
    let folders: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
    let Looked { wrong, explained, leaves, made, tried, .. } = looked;
    let page = MappingPage::new(f, desk, kept.id, draft, said, explained.as_ref(), leaves, made, *tried, folders);
    let mut page = guest.page(&page, &[]);
    if wrong.is_some() {
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
