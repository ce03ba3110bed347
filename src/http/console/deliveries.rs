//! Deliveries: the search, one message, and sending it again or taking it back.

use axum::extract::{Path, Query, Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use serde::Deserialize;

use super::super::details::{PATIENCE, outcome};
use super::super::refusal::Cause;
use super::{Gate, Guest, clock, find, missing, read, see, visitor};
use crate::alert::{ThreadId, Timestamp};
use crate::answer::{Actor, Via, Wish};
use crate::console::{self, Asked, DeliveriesPage, DeliveryPage, Offers};
use crate::deliver::{can_be_recalled, recallable};
use crate::search::Question;
use crate::store::{About, ActKind, ActState, Delivery, DeliveryFilter, State as Sending, StoreError};
use crate::words::Words;

/// Rows of a search, and how many are read for them where a person sees only some receivers.
const ROWS: usize = 50;
const READ: usize = 300;
const HOUR_MS: i64 = 3_600_000;

/// The search for deliveries, as it was typed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Search {
    q: String,
    state: String,
    receiver: String,
    person: String,
    errcode: String,
    label: String,
    id: String,
    since: String,
    before: Option<i64>,
}

impl Search {
    /// `None` if a field cannot be understood.
    fn filter(&self, now: Timestamp) -> Option<DeliveryFilter> {
        let text = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let hours = match self.since.as_str() {
            "7d" => 7 * 24,
            "30d" => 30 * 24,
            _ => 24,
        };
        Some(DeliveryFilter {
            limit: READ,
            since: Some(now.plus_millis(-hours * HOUR_MS)),
            receiver: text(&self.receiver),
            person: text(&self.person),
            state: match text(&self.state) {
                Some(name) => Some(Sending::from_name(&name)?),
                None => None,
            },
            errcode: match text(&self.errcode) {
                Some(code) => Some(code.parse().ok()?),
                None => None,
            },
            labels: match text(&self.label) {
                Some(label) => {
                    let (name, value) = label.split_once('=')?;
                    vec![(name.trim().to_owned(), value.trim().to_owned())]
                }
                None => Vec::new(),
            },
            thread: match text(&self.id) {
                Some(id) => Some(ThreadId::parse(&id)?),
                None => None,
            },
            words: Question::of(&self.q),
            before: self.before,
            ..DeliveryFilter::default()
        })
    }

    /// Is nothing asked but words?
    fn is_words_alone(&self) -> bool {
        let Self { state, receiver, person, errcode, label, id, before, .. } = self;
        before.is_none() && [state, receiver, person, errcode, label, id].into_iter().all(String::is_empty)
    }

    /// The query of the page behind `last`.
    fn older(&self, last: i64, language: &str) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in [
            ("q", &self.q),
            ("state", &self.state),
            ("receiver", &self.receiver),
            ("person", &self.person),
            ("errcode", &self.errcode),
            ("label", &self.label),
            ("id", &self.id),
            ("since", &self.since),
        ] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        format!("?{}", query.append_pair("before", &last.to_string()).append_pair("lang", language).finish())
    }
}

pub(super) async fn search(State(gate): State<Gate>, parts: Parts) -> Response {
    let guest = visitor!(gate, parts);
    let Query(search) = Query::<Search>::try_from_uri(&parts.uri).unwrap_or_default();
    let f = guest.frame(&gate);
    let sought = read!(gate, guest, find::sought(&gate, &guest, &search.q).await);
    let filter = search.filter(gate.server.clock.now());
    let said = filter.is_none().then_some(console::ODD_SEARCH);
    let mut rows = match filter.filter(|_| !sought.is_odd()) {
        Some(filter) => {
            let filter = DeliveryFilter { receivers: find::receivers(&guest), ..filter };
            read!(gate, guest, gate.server.store.for_people().deliveries(filter).await)
        }
        None => Vec::new(),
    };
    if search.is_words_alone()
        && let Some(thread) = sought.leads(rows.iter().map(|row| row.thread))
    {
        return see(guest.reader.root(), &format!("i/{thread}"));
    }
    let whole = rows.len() == READ;
    let last = rows.last().map(|row| row.message);
    rows.retain(|row| guest.rights.sees(&row.receiver));
    let more = rows.len() > ROWS;
    rows.truncate(ROWS);
    let behind = if more { rows.last().map(|row| row.message) } else { last.filter(|_| whole) };
    let older = behind.map(|last| search.older(last, f.language.as_str()));
    let setup = gate.server.setup.now();
    let clock = clock(&gate, &setup.config.timezone, f.language);
    let Search { state, receiver, person, errcode, label, id, since, .. } = search;
    let asked = Asked { sought, state, receiver, person, errcode, label, id, since };
    let page = DeliveriesPage::new(f, guest.desk(&gate, "m"), &clock, &asked, &rows, said, older);
    guest.page(&page, &[])
}

pub(super) async fn show(State(gate): State<Gate>, Path(message): Path<String>, parts: Parts) -> Response {
    let guest = visitor!(gate, parts);
    match one(&gate, &guest, &message).await {
        Ok(Some(found)) => page(&gate, &guest, &found, None),
        Ok(None) => missing(&gate, &guest),
        Err(error) => super::unread(&gate, &guest.reader, &error),
    }
}

/// A message that the visitor may see.
async fn one(gate: &Gate, guest: &Guest, message: &str) -> Result<Option<Delivery>, StoreError> {
    let found = gate.server.store.delivery(message.parse().unwrap_or(0)).await?;
    Ok(found.filter(|found| guest.rights.sees(&found.row.receiver)))
}

fn page(gate: &Gate, guest: &Guest, found: &Delivery, said: Option<(bool, Words)>) -> Response {
    let setup = gate.server.setup.now();
    let f = guest.frame(gate);
    let clock = clock(gate, &setup.config.timezone, f.language);
    let own = found.row.folded_into.is_none() && found.row.act.is_none() && found.row.picture_of.is_none();
    let again = found.row.settled_at.is_some() && own;
    let offers = Offers { resend: again, recall: again && can_be_recalled(&setup.config, found) };
    guest.page(&DeliveryPage::new(f, guest.desk(gate, "m"), &clock, found, offers, said), &[])
}

/// Sends a message again or takes it back, by the same way as a word in a chat and a command.
pub(super) async fn redo(State(gate): State<Gate>, Path(message): Path<String>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let guest = visitor!(gate, parts);
    let fields = match guest.form(&gate, &parts.headers, body).await {
        Ok(fields) => fields,
        Err(forged) => return forged,
    };
    let Some(found) = read!(gate, guest, one(&gate, &guest, &message).await) else { return missing(&gate, &guest) };
    let field = |name: &str| fields.get(name).map_or("", String::as_str);
    let kind = match field("do") {
        "resend" => ActKind::Resend,
        "recall" => ActKind::Recall,
        _ => return page(&gate, &guest, &found, Some((false, console::NO_ACT))),
    };
    let (said, status) = read!(gate, guest, again(&gate, &guest, found.row.message, kind, field("nonce")).await);
    let found = read!(gate, guest, one(&gate, &guest, &message).await).unwrap_or(found);
    let mut page = page(&gate, &guest, &found, Some(said));
    *page.status_mut() = status;
    if status == StatusCode::FORBIDDEN { Cause::new("denied").attach(page) } else { page }
}

/// Has it done, and returns what became of it.
pub(super) async fn again(
    gate: &Gate,
    guest: &Guest,
    message: i64,
    kind: ActKind,
    nonce: &str,
) -> Result<((bool, Words), StatusCode), StoreError> {
    let server = &gate.server;
    // What cannot be taken back is refused before it is recorded.
    if kind == ActKind::Recall
        && let Err(why) = recallable(&server.store, &server.setup.now().config, message).await?
    {
        return Ok(((false, (why.zh, why.en).into()), StatusCode::CONFLICT));
    }
    let wish = Wish {
        event: format!("console/{message}/{nonce}/{}", kind.as_str()),
        kind,
        about: About::Message(message),
        span: None,
        code: None,
        except_lane: None,
        within: None,
    };
    let actor = Actor { id: guest.session.person.clone(), via: Via::Console(guest.session.way.clone()) };
    let answered = server.acts.act(&actor, wish).await?;
    let status = if answered.state == Some(ActState::Denied) { StatusCode::FORBIDDEN } else { StatusCode::OK };
    Ok((outcome(server, kind, answered, PATIENCE).await?, status))
}
