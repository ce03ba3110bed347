//! The silences in force: each can be extended or ended, by the way of all acts.

use std::collections::BTreeSet;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;

use super::super::details::{PATIENCE, outcome};
use super::super::refusal::Cause;
use super::{Gate, Guest, clock, missing, read, visitor};
use crate::alert::Status;
use crate::answer::{Actor, Via, Wish};
use crate::console::{self, Hushed, SilencesPage};
use crate::standing;
use crate::store::{About, ActAlert, ActKind, ActState, Silence, StoreError};
use crate::upstream::{Matcher, Span};
use crate::words::Words;

pub(super) async fn list(State(gate): State<Gate>, parts: Parts) -> Response {
    let guest = visitor!(gate, parts);
    read!(gate, guest, show(&gate, &guest, None).await)
}

/// May the visitor see this silence: an own one, or one of alerts of theirs?
fn sees(guest: &Guest, silence: &Silence, alerts: &[ActAlert]) -> bool {
    guest.rights.all
        || silence.by.eq_ignore_ascii_case(&guest.session.person)
        || alerts.iter().any(|alert| guest.rights.sees(&alert.receiver))
}

async fn show(gate: &Gate, guest: &Guest, said: Option<(bool, Words)>) -> Result<Response, StoreError> {
    let (store, now) = (&gate.server.store, gate.server.clock.now());
    let all: Vec<Silence> = store.silences(now).await?.into_iter().filter(|silence| silence.until > now).collect();
    let newest = |silence: &Silence| all.iter().all(|other| other.thread != silence.thread || other.act <= silence.act);
    let mut shown = Vec::new();
    for silence in &all {
        let alerts = store.act_alerts(silence.act).await?;
        if !sees(guest, silence, &alerts) {
            continue;
        }
        let matchers: Vec<Matcher> = serde_json::from_str(&silence.matchers_json).unwrap_or_default();
        let on: BTreeSet<_> =
            alerts.iter().filter(|alert| alert.status == Status::Firing).map(|alert| alert.identity).collect();
        shown.push(Hushed {
            conditions: standing::conditions(&matchers),
            on: on.len(),
            newest: newest(silence),
            silence: silence.clone(),
        });
    }
    let setup = gate.server.setup.now();
    let f = guest.frame(gate);
    let clock = clock(gate, &setup.config.timezone, f.language);
    Ok(guest.page(&SilencesPage::new(f, guest.desk(gate, "silences"), &clock, &shown, said), &[]))
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
    let id: i64 = field("act").parse().unwrap_or(0);
    let (store, now) = (&gate.server.store, gate.server.clock.now());
    let found = async {
        let Some((silence, newest)) = standing::in_force(store, id, now).await? else { return Ok(None) };
        let alerts = store.act_alerts(silence.act).await?;
        Ok::<_, StoreError>(sees(&guest, &silence, &alerts).then_some((silence, newest)))
    };
    let Some((silence, newest)) = read!(gate, guest, found.await) else { return missing(&gate, &guest) };
    let asked = wanted(&gate, &guest, &silence, newest, &field).await;
    let (said, status) = read!(gate, guest, asked);
    let mut page = read!(gate, guest, show(&gate, &guest, Some(said)).await);
    *page.status_mut() = status;
    if status == StatusCode::FORBIDDEN { Cause::new("denied").attach(page) } else { page }
}

async fn wanted<'f>(
    gate: &Gate,
    guest: &Guest,
    silence: &Silence,
    newest: bool,
    field: &(impl Fn(&str) -> &'f str + Sync),
) -> Result<((bool, Words), StatusCode), StoreError> {
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
    let wish = Wish {
        // A form counts once, however often it is sent.
        event: format!("console/silence/{}/{}/{}/{}", silence.act, field("nonce"), field("do"), field("span")),
        kind,
        about: About::Thread(silence.thread),
        span,
        code: None,
        except_lane: None,
        within: None,
    };
    let actor = Actor { id: guest.session.person.clone(), via: Via::Console(guest.session.way.clone()) };
    let answered = gate.server.acts.act(&actor, wish).await?;
    let status = if answered.state == Some(ActState::Denied) { StatusCode::FORBIDDEN } else { StatusCode::OK };
    Ok((outcome(&gate.server, kind, answered, PATIENCE).await?, status))
}
