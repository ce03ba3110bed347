//! Deliveries: who was told what, did it arrive, and why not; the search, one message, its attempts.

use askama::Template;

use super::acts::Said;
use super::desk::Desk;
use super::find::{Onward, Sought, nothing};
use super::frame::Frame;
use super::letter::{Fact, moment, one_line};
use super::phone::{self, Phone};
use super::words;
use crate::alert::Timestamp;
use crate::render::{Clock, number};
use crate::store::{AttemptRow, Delivery, DeliveryRow, State};
use crate::words::Words;

/// The outcome of a message that reached some of its people.
const IN_PART: &str = "accepted_in_part";
/// Bytes of a body that is shown.
const BODY: usize = 64 * 1024;

/// A message in a list.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) class: &'static str,
    pub(super) state: String,
    pub(super) message: i64,
    pub(super) thread: String,
    pub(super) name: String,
    pub(super) target: String,
    pub(super) when: String,
    pub(super) moment: String,
    pub(super) why: String,
    /// It did not reach everybody, and is settled: it can be sent again.
    pub(super) missed: bool,
}

impl Told {
    pub(super) fn of(f: &Frame<'_>, clock: &Clock<'_>, row: &DeliveryRow) -> Self {
        let part = row.state == State::Sent && row.outcome.as_deref() == Some(IN_PART);
        let (class, state) = match row.state {
            State::Sent if part => ("part", words::IN_PART),
            State::Sent => ("sent", words::SENT),
            State::Dead => ("dead", words::DEAD),
            State::Folded if row.picture_of.is_some() => ("folded", words::LEFT_OUT),
            State::Folded => ("folded", words::TOLD_ELSEWHERE),
            State::Sending => ("waits", words::UNDER_WAY),
            State::Queued | State::Unsure => ("waits", words::WAITS),
        };
        let why = row.error.as_deref().filter(|_| row.state != State::Sent || part).map(Words::of_record);
        let arrived = row.settled_at.unwrap_or(row.created_at);
        Self {
            class,
            missed: (part || row.state == State::Dead) && row.picture_of.is_none(),
            state: f.say(state).into_owned(),
            message: row.message,
            thread: row.thread.to_string(),
            name: match row.picture_of {
                Some(_) => f.say(words::picture_of(&one_line(&row.name))).into_owned(),
                None if row.name.is_empty() => format!("#{}", row.thread),
                None => one_line(&row.name),
            },
            target: row.lane.to_string(),
            when: clock.ago(arrived),
            moment: moment(Some(arrived)),
            why: why.map(|why| why.get(f.language).to_owned()).unwrap_or_default(),
        }
    }
}

/// A line of what happened, in the order of time.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) at: Timestamp,
    pub(super) when: String,
    pub(super) moment: String,
    pub(super) class: &'static str,
    pub(super) text: String,
}

impl Step {
    pub(super) fn new(clock: &Clock<'_>, at: Timestamp, class: &'static str, text: String) -> Self {
        Self { at, when: clock.exact(at), moment: moment(Some(at)), class, text }
    }

    /// An attempt, with WeCom's answer.
    pub(super) fn attempt(f: &Frame<'_>, clock: &Clock<'_>, lane: &str, tried: &AttemptRow) -> Self {
        let good = tried.outcome.as_deref() == Some("accepted");
        let words = match tried.outcome.as_deref() {
            Some("accepted") => words::ACCEPTED,
            Some(IN_PART) => words::ACCEPTED_IN_PART,
            Some(_) => words::NOT_ACCEPTED,
            None => words::UNDER_WAY,
        };
        let mut text = vec![format!("{lane} {}", f.say(words)).trim().to_owned()];
        text.extend(tried.duration_ms.map(|ms| f.say(words::took(ms)).into_owned()));
        text.extend(tried.http_status.filter(|status| *status != 200).map(|status| format!("HTTP {status}")));
        text.extend(tried.errcode.filter(|code| *code != 0).map(|code| format!("errcode {code}")));
        let said = tried.errmsg.as_deref().filter(|_| !good).map(Words::of_record);
        text.extend(said.map(|said| one_line(said.get(f.language))).filter(|said| !said.is_empty()));
        text.extend(tried.missed().map(|missed| f.say(words::not_reached(&missed)).into_owned()));
        let dead = tried.outcome.is_some() && !good;
        Self::new(clock, tried.at, if dead { "dead" } else { "sent" }, text.join(" · "))
    }
}

/// Fields that are always seen: words, state and time. The others are folded.
const FEW: usize = 3;
/// The name of the field for words.
const WORDS: &str = "q";

/// A field of the search.
#[derive(Debug)]
struct Field {
    name: &'static str,
    text: String,
    value: String,
    choices: Vec<(&'static str, String)>,
}

/// The search for deliveries.
#[derive(Debug, Template)]
#[template(path = "console/deliveries.html")]
pub struct DeliveriesPage<'a> {
    f: Frame<'a>,
    desk: Desk,
    fields: Vec<Field>,
    /// One of the fields that are folded is used.
    narrowed: bool,
    said: String,
    told: Vec<Told>,
    empty: String,
    further: Option<Onward>,
    beside: Option<Onward>,
    remark: String,
    older: Option<String>,
}

/// What is asked of the search, as it was typed.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// Words, or a short id.
    pub sought: Sought,
    /// A name of [`State`]; empty: any.
    pub state: String,
    pub receiver: String,
    /// A userid.
    pub person: String,
    /// WeCom's code.
    pub errcode: String,
    /// `name=value`.
    pub label: String,
    /// A short id.
    pub id: String,
    /// `24h`, `7d` or `30d`.
    pub since: String,
}

impl<'a> DeliveriesPage<'a> {
    /// `said`: what cannot be understood of the search. `older`: the query of the next page.
    pub fn new(
        f: Frame<'a>,
        desk: Desk,
        clock: &Clock<'_>,
        asked: &Asked,
        rows: &[DeliveryRow],
        said: Option<Words>,
        older: Option<String>,
    ) -> Self {
        let say = |words: Words| f.say(words).into_owned();
        let field =
            |name, words, value: &str| Field { name, text: say(words), value: value.to_owned(), choices: Vec::new() };
        let choose =
            |choices: Vec<(&'static str, Words)>| choices.into_iter().map(|(id, words)| (id, say(words))).collect();
        let states = vec![
            ("", words::ANY),
            ("dead", words::DEAD),
            ("queued", words::WAITS),
            ("unsure", words::UNSURE),
            ("sent", words::SENT),
            ("folded", words::TOLD_ELSEWHERE),
        ];
        let spans = vec![("24h", words::LAST_DAY), ("7d", words::LAST_WEEK), ("30d", words::LAST_MONTH)];
        let fields = vec![
            field(WORDS, words::FIND_MESSAGES, &asked.sought.typed),
            Field { choices: choose(states), ..field("state", words::STATE, &asked.state) },
            Field { choices: choose(spans), ..field("since", words::SINCE, &asked.since) },
            field("receiver", words::RECEIVER_FIELD, &asked.receiver),
            field("person", words::PERSON, &asked.person),
            field("id", words::SHORT_ID, &asked.id),
            field("label", words::LABEL, &asked.label),
            field("errcode", words::ERRCODE, &asked.errcode),
        ];
        let told = rows.iter().map(|row| Told::of(&f, clock, row)).collect();
        let odd = asked.sought.is_odd().then_some(words::NOTHING_TYPED);
        let said = said.or(odd).map(say).unwrap_or_default();
        let pairs: Vec<(&str, &str)> = fields.iter().map(|field| (field.name, field.value.as_str())).collect();
        let (empty, further) = nothing(&f, &asked.since, &pairs);
        let remark = if asked.sought.typed.is_empty() { String::new() } else { say(words::FOUND_SOON) };
        let narrowed = fields.iter().skip(FEW).any(|field| !field.value.is_empty());
        Self { beside: asked.sought.beside(&f), f, desk, fields, narrowed, said, told, empty, further, remark, older }
    }
}

/// A body as it was sent.
#[derive(Debug)]
struct Body {
    name: String,
    text: String,
    /// As the phone shows it, if WeCom draws it.
    drawn: Option<Phone>,
}

/// One message: its attempts with WeCom's answers, its bytes.
#[derive(Debug, Template)]
#[template(path = "console/delivery.html")]
pub struct DeliveryPage<'a> {
    f: Frame<'a>,
    desk: Desk,
    heading: String,
    told: Told,
    facts: Vec<Fact>,
    attempts: Vec<Step>,
    bodies: Vec<Body>,
    offers: Offers,
    said: Option<Said>,
}

/// What can be done with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offers {
    /// It is settled: it can be sent again.
    pub resend: bool,
    /// WeCom takes it back.
    pub recall: bool,
}

impl<'a> DeliveryPage<'a> {
    /// Of a message; `said` is what became of the form that was sent.
    pub fn new(
        f: Frame<'a>,
        desk: Desk,
        clock: &Clock<'_>,
        delivery: &Delivery,
        offers: Offers,
        said: Option<(bool, Words)>,
    ) -> Self {
        let row = &delivery.row;
        let told = Told::of(&f, clock, row);
        let say = |words: Words| f.say(words).into_owned();
        let time = |at: Timestamp| clock.exact(at);
        let fact = |words, text: String| Fact { name: say(words), text };
        let mut facts = vec![
            fact(words::RECEIVER_FIELD, row.receiver.clone()),
            fact(words::SOURCE, row.source.stored().into_owned()),
            fact(words::RECEIVED, time(delivery.received_at)),
            fact(words::QUEUED_AT, time(row.created_at)),
        ];
        facts.extend(row.settled_at.map(|at| fact(words::SETTLED, time(at))));
        facts.extend(row.face.clone().map(|face| fact(words::FACE, face)));
        facts.extend(delivery.picture.clone().map(|why| fact(words::NO_PICTURE, why)));
        facts.extend(row.origin.map(|origin| fact(words::ORIGIN, origin.to_string())));
        let digest = row.folded_into.filter(|_| row.picture_of.is_none());
        facts.extend(digest.map(|digest| fact(words::FOLDED_INTO, digest.to_string())));
        facts.extend(row.picture_of.map(|of| fact(words::PICTURE_OF, of.to_string())));
        let bodies = delivery.frozen.iter().map(|part| Body {
            name: say(words::body(part.version, part.number + 1)),
            text: part.body[..part.body.floor_char_boundary(BODY)].to_owned(),
            drawn: serde_json::from_str(&part.body).ok().and_then(|request| phone::draw(&request, f.language)),
        });
        Self {
            heading: format!("{} · {}", told.name, number(row.message.unsigned_abs())),
            attempts: delivery.attempts.iter().map(|tried| Step::attempt(&f, clock, "", tried)).collect(),
            bodies: bodies.collect(),
            offers,
            said: said.map(|(good, text)| Said { good, text: text.get(f.language).to_owned() }),
            told,
            facts,
            desk,
            f,
        }
    }
}
