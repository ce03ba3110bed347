//! The silences in force and who has what: a silence can be extended or ended, an alert given back, by the way of all acts;
//! and the silences of an upstream, as it tells them now.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use axum::extract::{Query, Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use serde::Deserialize;

use super::super::aside::outward;
use super::super::details::{PATIENCE, outcome};
use super::super::refusal::Cause;
use super::{Gate, Guest, clock, find, missing, read, visitor};
use crate::alert::{Status, ThreadId};
use crate::answer::{self, Answer, Typed, Wish};
use crate::console::{self, Desk, ElsewherePage, Hushed, SilencesPage};
use crate::standing;
use crate::store::{About, ActAlert, ActKind, ActState, AlertFilter, OnFilter, Silence, StoreError};
use crate::upstream::{Matcher, SilenceState, Span};
use crate::words::Words;

/// Which silences are looked at.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    /// Those of this upstream, whoever made them.
    upstream: String,
}

/// How long an upstream has to answer.
const ANSWER: Duration = Duration::from_secs(5);
/// Silences that are changed at once.
const SEVERAL: usize = 50;
/// Alerts that are read for the list of acknowledgements.
const ALERTS: usize = 1_000;

pub(super) async fn list(State(gate): State<Gate>, parts: Parts) -> Response {
    let guest = visitor!(gate, parts);
    let Query(asked) = Query::<Asked>::try_from_uri(&parts.uri).unwrap_or_default();
    if asked.upstream.is_empty() {
        return read!(gate, guest, show(&gate, &guest, Vec::new()).await);
    }
    if !guest.rights.all {
        return missing(&gate, &guest);
    }
    read!(gate, guest, elsewhere(&gate, &guest, &asked.upstream).await).unwrap_or_else(|| missing(&gate, &guest))
}

/// The silences of an upstream, asked now; `None`: there is none of this name.
async fn elsewhere(gate: &Gate, guest: &Guest, name: &str) -> Result<Option<Response>, StoreError> {
    let acts = gate.server.acts.setup.now();
    let Some(client) = acts.upstreams.get(name) else { return Ok(None) };
    let (store, now) = (&gate.server.store, gate.server.clock.now());
    let ours: BTreeMap<String, Silence> =
        store.silences(now).await?.into_iter().map(|silence| (silence.upstream_id.clone(), silence)).collect();
    let asked = match client {
        Ok(client) => {
            tokio::time::timeout(ANSWER, outward(client.list(&[]))).await.map_err(|_| console::UPSTREAM_SILENT)
        }
        Err(error) => Ok(Err(error.clone())),
    };
    let found = asked.and_then(|asked| asked.map_err(|error| error.what)).map(|mut found| {
        found.retain(|silence| silence.state != SilenceState::Expired);
        found.sort_by_key(|silence| silence.ends_at);
        found.into_iter().map(|silence| (ours.get(&silence.id).map(|own| own.thread), silence)).collect()
    });
    let setup = gate.server.setup.now();
    let (f, desk) = (guest.frame(gate), Desk { live: "", ..guest.desk(gate, "silences") });
    let clock = clock(gate, &setup.config.timezone, f.language);
    let names: Vec<&str> = upstreams(&acts);
    Ok(Some(guest.page(&ElsewherePage::new(f, desk, &clock, name, &names, found), &[])))
}

/// The upstreams by name that can have silences.
fn upstreams(setup: &answer::Setup) -> Vec<&str> {
    answer::silencing(&setup.config).map(|known| known.name.as_str()).collect()
}

/// May the visitor see this silence: an own one, or one of alerts of theirs?
fn sees(guest: &Guest, silence: &Silence, alerts: &[ActAlert]) -> bool {
    guest.rights.all
        || silence.by.eq_ignore_ascii_case(&guest.session.person)
        || alerts.iter().any(|alert| guest.rights.sees(&alert.receiver))
}

/// May the visitor move or end this silence that they see? One that was typed only who made it, or may make such; of the others
/// that is asked when it is tried, and the answer says who may.
fn changes(guest: &Guest, silence: &Silence, makes: bool) -> bool {
    silence.thread.0 != 0 || makes || silence.by.eq_ignore_ascii_case(&guest.session.person)
}

/// What became of a form.
type Said = (bool, Words);

async fn show(gate: &Gate, guest: &Guest, said: Vec<Said>) -> Result<Response, StoreError> {
    let (store, now) = (&gate.server.store, gate.server.clock.now());
    let all: Vec<Silence> = store.silences(now).await?.into_iter().filter(|silence| silence.until > now).collect();
    let makes = gate.server.acts.may_silence(&guest.actor()).await?;
    let mut shown = Vec::new();
    for silence in &all {
        let alerts = standing::alerts_of(store, silence).await?;
        if !sees(guest, silence, &alerts) {
            continue;
        }
        let matchers: Vec<Matcher> = serde_json::from_str(&silence.matchers_json).unwrap_or_default();
        let on: BTreeSet<_> =
            alerts.iter().filter(|alert| alert.status == Status::Firing).map(|alert| alert.identity).collect();
        shown.push(Hushed {
            conditions: standing::conditions(&matchers),
            on: on.len(),
            newest: standing::is_newest(silence, &all),
            change: changes(guest, silence, makes),
            silence: silence.clone(),
        });
    }
    let (on, _) = store.alerts_on(OnFilter { acknowledged: true, ..find::all_on(guest, ALERTS) }).await?;
    let setup = gate.server.setup.now();
    let f = guest.frame(gate);
    let clock = clock(gate, &setup.config.timezone, f.language);
    let acts = gate.server.acts.setup.now();
    let known = upstreams(&acts);
    let makes = makes && !known.is_empty();
    let names = if guest.rights.all { known } else { Vec::new() };
    let desk = guest.desk(gate, "silences");
    Ok(guest.page(&SilencesPage::new(f, desk, &clock, (&shown, &on), &names, makes, said), &[]))
}

/// Gives the alerts of an incident back, if one of them is the visitor's to see, and shows the list again.
async fn give_back(gate: &Gate, guest: &Guest, thread: &str, nonce: &str) -> Result<Option<Response>, StoreError> {
    let Some(thread) = ThreadId::parse(thread) else { return Ok(None) };
    let filter = AlertFilter { firing: Some(true), threads: vec![thread], limit: 1_000, ..AlertFilter::default() };
    let alerts = gate.server.store.alerts(filter).await?;
    let own = |alert: &ActAlert| {
        alert.acknowledged.as_ref().is_some_and(|doer| doer.by.eq_ignore_ascii_case(&guest.session.person))
    };
    if !alerts.iter().any(|alert| guest.rights.sees(&alert.receiver) || own(alert)) {
        return Ok(None);
    }
    let wish = Wish {
        event: format!("console/release/{thread}/{nonce}"),
        kind: ActKind::Release,
        about: About::Thread(thread),
        span: None,
        code: None,
        except_lane: None,
        within: None,
    };
    let (said, status) = asked_for(gate, guest, wish).await?;
    let mut page = show(gate, guest, vec![said]).await?;
    *page.status_mut() = status;
    Ok(Some(page))
}

async fn asked_for(gate: &Gate, guest: &Guest, wish: Wish) -> Result<(Said, StatusCode), StoreError> {
    let kind = wish.kind;
    let answered = gate.server.acts.act(&guest.actor(), wish).await?;
    became(gate, kind, answered).await
}

/// What became of an act, as it is shown, and the status.
pub(super) async fn became(gate: &Gate, kind: ActKind, answered: Answer) -> Result<(Said, StatusCode), StoreError> {
    let status = if answered.state == Some(ActState::Denied) { StatusCode::FORBIDDEN } else { StatusCode::OK };
    Ok((outcome(&gate.server, kind, answered, PATIENCE).await?, status))
}

/// Extends or ends a silence under the proven userid, and shows the list again.
pub(super) async fn change(State(gate): State<Gate>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let guest = visitor!(gate, parts);
    let fields = match guest.form(&gate, &parts.headers, body).await {
        Ok(fields) => fields,
        Err(forged) => return forged,
    };
    let field = |name: &str| fields.get(name).map_or("", String::as_str);
    if field("do") == "release" {
        let given = read!(gate, guest, give_back(&gate, &guest, field("incident"), field("nonce")).await);
        let Some(page) = given else { return missing(&gate, &guest) };
        return if page.status() == StatusCode::FORBIDDEN { Cause::new("denied").attach(page) } else { page };
    }
    let changed = if field("several").is_empty() {
        let id: i64 = field("act").parse().unwrap_or(0);
        let Some((silence, newest)) = read!(gate, guest, seen(&gate, &guest, id).await) else {
            return missing(&gate, &guest);
        };
        wanted(&gate, &guest, &silence, newest, &field).await.map(|(said, status)| (vec![said], status))
    } else {
        several(&gate, &guest, &fields, &field).await
    };
    let (said, status) = read!(gate, guest, changed);
    let mut page = read!(gate, guest, show(&gate, &guest, said).await);
    *page.status_mut() = status;
    if status == StatusCode::FORBIDDEN { Cause::new("denied").attach(page) } else { page }
}

/// A silence in force that the visitor may see, by the act that made it, and whether it is the newest of its incident.
async fn seen(gate: &Gate, guest: &Guest, act: i64) -> Result<Option<(Silence, bool)>, StoreError> {
    let (store, now) = (&gate.server.store, gate.server.clock.now());
    let Some((silence, newest)) = standing::in_force(store, act, now).await? else { return Ok(None) };
    let alerts = standing::alerts_of(store, &silence).await?;
    Ok(sees(guest, &silence, &alerts).then_some((silence, newest)))
}

/// Moves or ends each silence that was ticked: an act each, with what became of it. An older one of an incident whose newest
/// is ticked, too, is ended with it.
async fn several<'f>(
    gate: &Gate,
    guest: &Guest,
    fields: &HashMap<String, String>,
    field: &(impl Fn(&str) -> &'f str + Sync),
) -> Result<(Vec<Said>, StatusCode), StoreError> {
    let ticked = fields.keys().filter_map(|name| name.strip_prefix("chosen.")?.parse().ok());
    let ticked: BTreeSet<i64> = ticked.take(SEVERAL).collect();
    let (mut said, mut status) = (Vec::new(), StatusCode::OK);
    let mut ended: BTreeSet<ThreadId> = BTreeSet::new();
    for act in ticked.into_iter().rev() {
        let Some((silence, newest)) = seen(gate, guest, act).await? else { continue };
        if ended.contains(&silence.thread) {
            continue;
        }
        let ((good, became), of_one) = wanted(gate, guest, &silence, newest, field).await?;
        if silence.thread.0 != 0 && field("do") == "expire" {
            ended.insert(silence.thread);
        }
        if of_one != StatusCode::OK {
            status = of_one;
        }
        let matchers: Vec<Matcher> = serde_json::from_str(&silence.matchers_json).unwrap_or_default();
        said.push((good, console::of_several(&standing::conditions(&matchers), &became)));
    }
    if said.is_empty() {
        return Ok((vec![(false, console::NONE_CHOSEN)], StatusCode::UNPROCESSABLE_ENTITY));
    }
    Ok((said, status))
}

async fn wanted<'f>(
    gate: &Gate,
    guest: &Guest,
    silence: &Silence,
    newest: bool,
    field: &(impl Fn(&str) -> &'f str + Sync),
) -> Result<(Said, StatusCode), StoreError> {
    let bad = |words: Words| Ok(((false, words), StatusCode::UNPROCESSABLE_ENTITY));
    let (kind, span) = match field("do") {
        "extend" => match Span::parse(field("span")) {
            Ok(_) if !newest => return Ok(((false, console::NOT_NEWEST), StatusCode::CONFLICT)),
            Ok(span) => (ActKind::Extend, Some(span)),
            Err(_) => return bad(console::NO_SPAN),
        },
        "expire" => (ActKind::Expire, None),
        _ => return bad(console::NO_ACT),
    };
    // A form counts once, however often it is sent.
    let event = format!("console/silence/{}/{}/{}/{}", silence.act, field("nonce"), field("do"), field("span"));
    if silence.thread.0 == 0 {
        let makes = gate.server.acts.may_silence(&guest.actor()).await?;
        if !changes(guest, silence, makes) {
            return Ok(((false, console::MAY_NOT_SILENCE), StatusCode::FORBIDDEN));
        }
        let typed = Typed::Of(silence.act);
        let answered = gate.server.acts.silence_typed(&guest.actor(), event, kind, &typed, span).await?;
        return became(gate, kind, answered).await;
    }
    let wish =
        Wish { event, kind, about: About::Thread(silence.thread), span, code: None, except_lane: None, within: None };
    asked_for(gate, guest, wish).await
}
