//! A silence from matchers that are typed, as `wegraf silences create` makes one: first what it would hide, then the button.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;

use super::super::details::unlike;
use super::super::refusal::Cause;
use super::silences::became;
use super::{Gate, Guest, missing, read, visitor};
use crate::answer::{self, Foreseen, Typed, Worded};
use crate::console::{self, Desk, NewSilence, NewSilencePage};
use crate::store::{ActKind, StoreError};
use crate::upstream::Span;
use crate::words::Words;

/// Alerts that it would hide that are listed.
const LISTED: usize = 20;

/// What became of the form, in words, and the status of the page.
type Outcome = ((bool, Words), StatusCode);

/// The form, with what the silence would hide once there are matchers: `?m=…&for=…`, so that others can link to it.
pub(super) async fn ask(State(gate): State<Gate>, parts: Parts) -> Response {
    let guest = visitor!(gate, parts);
    if !read!(gate, guest, gate.server.acts.may_silence(&guest.actor()).await) {
        return denied(&gate, &guest);
    }
    let typed = typed(form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()));
    read!(gate, guest, show(&gate, &guest, &typed, None).await)
}

/// Makes it, if it still hides what the visitor was shown.
pub(super) async fn make(State(gate): State<Gate>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let guest = visitor!(gate, parts);
    let fields = match guest.form(&gate, &parts.headers, body).await {
        Ok(fields) => fields,
        Err(forged) => return forged,
    };
    if !read!(gate, guest, gate.server.acts.may_silence(&guest.actor()).await) {
        return denied(&gate, &guest);
    }
    let typed = typed(fields.iter());
    let field = |name: &str| fields.get(name).map_or("", String::as_str);
    let (said, status) = read!(gate, guest, made(&gate, &guest, &typed, field("shown"), field("nonce")).await);
    let mut page = read!(gate, guest, show(&gate, &guest, &typed, Some(said)).await);
    *page.status_mut() = status;
    page
}

/// The answer to a visitor who may not: a page that others may see is none for them.
fn denied(gate: &Gate, guest: &Guest) -> Response {
    let page = guest.reader.note(StatusCode::FORBIDDEN, super::usual(gate), console::MAY_NOT_SILENCE);
    if answer::silencing(&gate.server.setup.now().config).next().is_none() {
        return missing(gate, guest);
    }
    Cause::new("denied").attach(page)
}

/// What is typed: a matcher a line, or one in each `m`.
fn typed<K: AsRef<str>, V: AsRef<str>>(fields: impl Iterator<Item = (K, V)>) -> NewSilence {
    let mut typed = NewSilence::default();
    for (name, value) in fields {
        let value = value.as_ref();
        match name.as_ref() {
            "m" => {
                let lines = value.lines().map(str::trim).filter(|line| !line.is_empty());
                let left = (answer::MATCHERS + 1).saturating_sub(typed.matchers.len());
                typed.matchers.extend(lines.take(left).map(str::to_owned));
            }
            "upstream" => value.clone_into(&mut typed.upstream),
            "for" => value.clone_into(&mut typed.span),
            "comment" => value.clone_into(&mut typed.comment),
            _ => {}
        }
    }
    typed
}

async fn made(gate: &Gate, guest: &Guest, typed: &NewSilence, shown: &str, nonce: &str) -> Result<Outcome, StoreError> {
    let bad = |why: Words| Ok(((false, why), StatusCode::UNPROCESSABLE_ENTITY));
    let worded = match worded(gate, typed) {
        Ok(worded) => worded,
        Err(why) => return bad(why),
    };
    let Ok(span) = Span::parse(&typed.span) else { return bad(console::NO_SPAN) };
    let acts = &gate.server.acts;
    let (scope, _) = acts.foresee(&worded, 0).await?;
    if let Some(why) = unlike(&Foreseen::Scope(scope), shown) {
        return Ok(((false, why), StatusCode::CONFLICT));
    }
    // A form counts once, however often it is sent.
    let event = format!("console/silence/new/{nonce}");
    let kind = ActKind::Silence;
    let answered = acts.silence_typed(&guest.actor(), event, kind, &Typed::New(worded), Some(span)).await?;
    became(gate, kind, answered).await
}

fn worded(gate: &Gate, typed: &NewSilence) -> Result<Worded, Words> {
    let config = &gate.server.setup.now().config;
    Worded::parse(config, &typed.upstream, typed.matchers.iter().map(String::as_str), &typed.comment)
}

async fn show(
    gate: &Gate,
    guest: &Guest,
    typed: &NewSilence,
    said: Option<(bool, Words)>,
) -> Result<Response, StoreError> {
    let setup = gate.server.setup.now();
    let names: Vec<&str> = answer::silencing(&setup.config).map(|known| known.name.as_str()).collect();
    let (mut foreseen, mut said, mut typed) = (None, said, typed.clone());
    if !typed.matchers.is_empty() {
        match worded(gate, &typed) {
            // What was made is not offered again.
            Ok(_) if said.as_ref().is_some_and(|(good, _)| *good) => {}
            Ok(worded) => {
                foreseen = Some(gate.server.acts.foresee(&worded, LISTED).await?);
                typed.upstream = worded.upstream;
            }
            Err(why) => said = said.or(Some((false, why))),
        }
    }
    let seen = foreseen.as_ref().map(|(scope, alerts)| (scope, alerts.as_slice()));
    let desk = Desk { live: "", ..guest.desk(gate, "silences") };
    Ok(guest.page(&NewSilencePage::new(guest.frame(gate), desk, &typed, &names, seen, said), &[]))
}
