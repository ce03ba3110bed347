//! What the search by words reads: a message or an alert holds them, or they are the short id of an incident.

use std::collections::{BTreeSet, HashSet};

use axum::extract::{Query, State};
use axum::http::request::Parts;
use axum::response::Response;
use serde::Deserialize;

use super::{Gate, Guest, read, see, visitor};
use crate::alert::ThreadId;
use crate::console::Sought;
use crate::search::Question;
use crate::store::{ActAlert, AlertFilter, DeliveryFilter, OnFilter, StoreError};

/// Alerts that one question gives at most.
const ALERTS: usize = 1_000;
/// Messages whose incidents are looked at.
const MESSAGES: usize = 300;
/// Words that are looked for in alerts.
const WORDS: usize = 12;
const MONTH_MS: i64 = 30 * 24 * 3_600_000;

/// What is typed into the search.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Typed {
    q: String,
}

/// Leads to what was typed: the incident with this short id, the person with this userid, or what is on and holds the words.
pub(super) async fn search(State(gate): State<Gate>, parts: Parts) -> Response {
    let guest = visitor!(gate, parts);
    let Query(Typed { q }) = Query::<Typed>::try_from_uri(&parts.uri).unwrap_or_default();
    let sought = read!(gate, guest, sought(&gate, &guest, &q).await);
    if let Some(thread) = sought.short {
        return see(guest.reader.root(), &format!("i/{thread}"));
    }
    let name = sought.typed.as_str();
    let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-@.".contains(&byte));
    let may = plain && (guest.rights.all || name.eq_ignore_ascii_case(&guest.session.person));
    if may && read!(gate, guest, gate.server.acts.rights(name).await).is_some() {
        return see(guest.reader.root(), &format!("people/{name}"));
    }
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("q", name).finish();
    see(guest.reader.root(), &format!("now?{query}"))
}

/// What the visitor looks for, with the incident that has it as its short id.
pub(super) async fn sought(gate: &Gate, guest: &Guest, typed: &str) -> Result<Sought, StoreError> {
    let typed = typed.trim().to_owned();
    let Some(thread) = ThreadId::parse(&typed) else { return Ok(Sought { typed, short: None }) };
    let filter =
        DeliveryFilter { thread: Some(thread), receivers: receivers(guest), limit: 1, ..DeliveryFilter::default() };
    let known = gate.server.store.for_people().deliveries(filter).await?;
    Ok(Sought { typed, short: known.first().map(|row| row.thread) })
}

/// The receivers that the visitor may see; `None`: all.
pub(super) fn receivers(guest: &Guest) -> Option<Vec<String>> {
    (!guest.rights.all).then(|| guest.rights.receivers.iter().cloned().collect())
}

/// The firing alerts that the visitor may see.
pub(super) fn all_on(guest: &Guest, limit: usize) -> OnFilter {
    OnFilter { receivers: receivers(guest), owner: guest.session.person.clone(), acknowledged: false, limit }
}

/// The firing alerts that the visitor may see: with the words in name, labels, receiver or source, held by the person
/// that was typed, or told by a message of the last 30 days with the words. Each once.
pub(super) async fn on(gate: &Gate, guest: &Guest, typed: &str) -> Result<Vec<ActAlert>, StoreError> {
    let Some(question) = Question::of(typed) else { return Ok(Vec::new()) };
    let (store, receivers) = (gate.server.store.for_people(), receivers(guest));
    let on =
        || AlertFilter { firing: Some(true), receivers: receivers.clone(), limit: ALERTS, ..AlertFilter::default() };
    let words: Vec<String> = typed.split_whitespace().take(WORDS).map(str::to_owned).collect();
    let mut found = store.alerts(AlertFilter { words: words.clone(), ..on() }).await?;
    if let [person] = &words[..] {
        found.extend(store.alerts(AlertFilter { claimed_by: Some(person.clone()), ..on() }).await?);
    }
    if receivers.is_some() {
        // The visitor's own, even if the alerts were told to other receivers.
        let own = Some(guest.session.person.clone());
        found.extend(store.alerts(AlertFilter { claimed_by: own, receivers: None, words, ..on() }).await?);
    }
    let told = DeliveryFilter {
        words: Some(question),
        receivers: receivers.clone(),
        since: Some(gate.server.clock.now().plus_millis(-MONTH_MS)),
        limit: MESSAGES,
        ..DeliveryFilter::default()
    };
    let threads: BTreeSet<ThreadId> = store.deliveries(told).await?.iter().map(|row| row.thread).collect();
    if !threads.is_empty() {
        found.extend(store.alerts(AlertFilter { threads: threads.into_iter().collect(), ..on() }).await?);
    }
    found.sort_by_key(|alert| alert.alert);
    let mut seen = HashSet::new();
    found.retain(|alert| seen.insert(alert.identity));
    Ok(found)
}
