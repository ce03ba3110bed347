//! Bytes to a [`Notification`]: recognises the payload and reads it. Pure: the time comes in.
//!
//! Nothing that has any bytes is refused: what no reader understands becomes a notice with its text, because the sender
//! will not come again. What stays out of here: routing, storing, markup.

mod alertmanager;
mod body;
mod csv;
mod draft;
mod encoding;
mod field;
mod fixed;
pub mod generic;
mod grafana;
mod grafana_legacy;
mod lexicon;
mod listed;
mod logfmt;
mod moment;
mod prefixed;
mod reader;
mod relayed;
mod reports;
mod robot;
mod robots;
mod sent;
mod split;
mod syslog;
#[cfg(test)]
pub(crate) mod tests;
mod title;
mod tree;
mod unknown;
mod weight;
mod words;

use std::borrow::Cow;

use serde_json::{Value, json};

use crate::alert::{Alert, Asked, Format, Health, Labels, Links, Notification, Status, Timestamp, level_label};
use crate::level::{Level, Levels};
use crate::names::Discriminator;
use crate::plain;
use crate::plain::excerpt;
use crate::words::Words;
use body::Body;
pub use draft::draft;
use generic::Payloads;
pub use reader::{HELD, Listed};
pub use relayed::{FORMAT as RELAYED, relay};
pub use robots::wecom;
pub use unknown::{Unknown, unknown};
pub use weight::Weight;

/// How much of a text that is no tree is kept with the alert, in bytes: the most that any face can hold. The page has
/// all of it.
const EXCERPT: usize = 4096;

/// Through which address a body came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// `/webhook` and its kin: any payload.
    Webhook,
    /// `POST /api/v2/alerts`: an array of alerts, answered as an Alertmanager would.
    AlertsPush,
}

/// Why there is nothing to read in a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreadable {
    /// No byte but white space.
    Empty,
    /// More than can be held at a time: nothing of it is taken, because a part would hide the rest.
    TooMany {
        /// How many objects there are, or values.
        objects: usize,
    },
    /// An empty array was pushed: correct, and nothing to do.
    NothingPushed,
    /// Something else than alerts was pushed to `/api/v2/alerts`.
    NotAlerts {
        /// The HTTP status that Alertmanager gives.
        status: u16,
        /// The `code` of its answer.
        code: u16,
        /// The `message` of its answer.
        message: String,
    },
}

impl Unreadable {
    /// The reason. What Alertmanager would answer is in its own words.
    pub fn words(&self) -> Words {
        match self {
            Self::Empty => words::EMPTY_BODY.clone(),
            Self::TooMany { objects } => words::too_many_objects(*objects),
            Self::NothingPushed => words::NOTHING_PUSHED.clone(),
            Self::NotAlerts { message, .. } => Words::quoted(message.clone()),
        }
    }

    /// The HTTP status to answer; 200 only for the empty push, as Alertmanager does.
    pub const fn status(&self) -> u16 {
        match self {
            Self::Empty => 400,
            Self::NothingPushed => 200,
            Self::TooMany { .. } => 413,
            Self::NotAlerts { status, .. } => *status,
        }
    }

    /// The body to answer, in Alertmanager's form `{code, message}`.
    pub fn answer(&self) -> Value {
        let code = if let Self::NotAlerts { code, .. } = self { *code } else { self.status() };
        json!({ "code": code, "message": self.words().to_string() })
    }
}

/// Reads what came in through `door`. `now` decides whether a pushed alert is over.
pub fn read(
    bytes: &[u8],
    content_type: Option<&str>,
    door: Door,
    payloads: &Payloads,
    now: Timestamp,
) -> Result<Notification, Unreadable> {
    Ok(explain(bytes, content_type, door, payloads, now)?.notification)
}

/// Reads as [`read`] does, but hands the alerts of a fixed shape to `each` one by one, so that they are never in memory all
/// at once: the notification has no alerts then. Those of all other bodies are in the notification.
pub fn read_each(
    bytes: &[u8],
    content_type: Option<&str>,
    door: Door,
    payloads: &Payloads,
    now: Timestamp,
    each: &mut dyn FnMut(Alert),
) -> Result<Notification, Unreadable> {
    Ok(explain_each(bytes, content_type, door, payloads, now, each)?.notification)
}

/// Does [`read_each`] hand the alerts of this body over one by one, and is each of them small?
pub fn streams(bytes: &[u8], content_type: Option<&str>, door: Door) -> bool {
    matches!(body::open(bytes, content_type), body::Opened::Text(text) if fixed::streams(&text, door))
}

/// A notification, and how it was read.
#[derive(Debug)]
pub struct Explained {
    /// What was read.
    pub notification: Notification,
    /// The fixed shape, mapping, robot or reader that took the body.
    pub by: String,
    /// For each alert that a mapping or the general reader read: the facts, where each was found, and what stood there.
    pub origins: Vec<Vec<(&'static str, String, String)>>,
}

/// Reads as [`read`] does, and says how.
pub fn explain(
    bytes: &[u8],
    content_type: Option<&str>,
    door: Door,
    payloads: &Payloads,
    now: Timestamp,
) -> Result<Explained, Unreadable> {
    // Real alerts take twice as much: the list of a large body is not copied while it grows.
    let mut alerts = Vec::with_capacity(bytes.len() / 400);
    let mut explained = explain_each(bytes, content_type, door, payloads, now, &mut |alert| alerts.push(alert))?;
    if explained.notification.alerts.is_empty() {
        alerts.shrink_to_fit();
        explained.notification.alerts = alerts;
    }
    Ok(explained)
}

fn explain_each(
    bytes: &[u8],
    content_type: Option<&str>,
    door: Door,
    payloads: &Payloads,
    now: Timestamp,
    each: &mut dyn FnMut(Alert),
) -> Result<Explained, Unreadable> {
    match body::open(bytes, content_type) {
        body::Opened::Text(text) => match fixed::quickly(&text, door, payloads, now, each)? {
            Some(notification) => Ok(by_shape(notification)),
            None => understood(parsed(text, bytes, content_type, door)?, bytes, door, payloads, now),
        },
        body::Opened::Whole(body) => understood(body, bytes, door, payloads, now),
    }
}

/// Reads as [`explain`] does, but always out of a tree: what it is compared with.
pub fn explain_by_tree(
    bytes: &[u8],
    content_type: Option<&str>,
    door: Door,
    payloads: &Payloads,
    now: Timestamp,
) -> Result<Explained, Unreadable> {
    let body = match body::open(bytes, content_type) {
        body::Opened::Text(text) => parsed(text, bytes, content_type, door)?,
        body::Opened::Whole(body) => body,
    };
    understood(body, bytes, door, payloads, now)
}

/// What is pushed to an Alertmanager is judged as it judges: a body that was cut off is a mistake there.
fn parsed<'a>(
    text: Cow<'a, str>,
    bytes: &[u8],
    content_type: Option<&str>,
    door: Door,
) -> Result<Body<'a>, Unreadable> {
    body::parse(text, bytes, content_type, door == Door::Webhook)
}

fn understood(
    body: Body<'_>,
    bytes: &[u8],
    door: Door,
    payloads: &Payloads,
    now: Timestamp,
) -> Result<Explained, Unreadable> {
    let Body { text, json, binary } = body;
    let mut explained = match door {
        Door::AlertsPush => {
            let json = json.unwrap_or_default();
            by_shape(fixed::of_tree(&json, door, payloads, now).map_err(|unlike| fixed::refusal(&unlike))?)
        }
        Door::Webhook => match json {
            Some(json) => tree(json, payloads, now).unwrap_or_else(|| plain_text(&text, payloads, now)),
            None if binary => opaque_bytes(bytes, payloads, now),
            None => plain_text(&text, payloads, now),
        },
    };
    for alert in &mut explained.notification.alerts {
        if alert.level.is_none() {
            alert.level = ranked(&alert.labels, payloads.levels());
        }
    }
    Ok(explained)
}

/// The rank of the word that labels have for it.
fn ranked(labels: &Labels, levels: &Levels) -> Option<Level> {
    level_label(labels).and_then(|said| levels.of(said))
}

/// Reads stored bytes again; with the same `payloads` and the time they were received, the result is the same. Only
/// [`lapses_at`](crate::alert::Alert::lapses_at) may differ: what a sender promised depends on the door, of which the record knows no more than
/// the format.
pub fn reread(
    format: Format,
    bytes: &[u8],
    content_type: Option<&str>,
    payloads: &Payloads,
    received_at: Timestamp,
) -> Notification {
    if let Some(notification) = relayed::read(bytes).filter(|_| format == Format::Relayed) {
        return notification;
    }
    if matches!(format, Format::WecomWebhook | Format::WecomApp) {
        return wecom::notification(bytes, payloads.settings().language);
    }
    let door = if format == Format::AlertsPush { Door::AlertsPush } else { Door::Webhook };
    read(bytes, content_type, door, payloads, received_at)
        // Alerts in a wrapper, or cut off, came by the door that takes everything.
        .or_else(|_| read(bytes, content_type, Door::Webhook, payloads, received_at))
        .unwrap_or_else(|_| plain_text(&String::from_utf8_lossy(bytes), payloads, received_at).notification)
}

/// Everything that a stored body holds, for the page of details; nothing for the fixed shapes, whose alerts show all.
pub fn listed(format: Format, bytes: &[u8], content_type: Option<&str>) -> Listed {
    if !matches!(format, Format::Generic | Format::Opaque) {
        return Listed::default();
    }
    match body::decode(bytes, content_type, true) {
        Ok(Body { json: Some(mut json), .. }) => {
            body::unfold(&mut json);
            reader::listed(&json)
        }
        Ok(Body { text, binary: false, .. }) => reader::listed(&json!({ "text": text })),
        _ => Listed::default(),
    }
}

/// A body as text and, if it is one, as the tree that the readers get.
pub fn decoded(bytes: &[u8], content_type: Option<&str>) -> (String, Option<Value>) {
    match body::decode(bytes, content_type, true) {
        Ok(Body { text, mut json, .. }) => {
            json.iter_mut().for_each(body::unfold);
            (text.into_owned(), json)
        }
        Err(_) => (String::new(), None),
    }
}

/// Where each value of a body stands, as a mapping writes it (`body.a.b[0]`), and the value.
pub fn paths(bytes: &[u8], content_type: Option<&str>) -> Vec<(String, String)> {
    let Ok(Body { json: Some(mut json), .. }) = body::decode(bytes, content_type, true) else { return Vec::new() };
    body::unfold(&mut json);
    let leaves = tree::leaves(&json).into_iter();
    let is_plain = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    leaves
        .map(|leaf| {
            let path = leaf.path.iter().fold("body".to_owned(), |path, name| match name.parse::<usize>() {
                Ok(index) => format!("{path}[{index}]"),
                Err(_) if is_plain(name) => format!("{path}.{name}"),
                Err(_) => format!("{path}['{name}']"),
            });
            (path, leaf.text)
        })
        .collect()
}

/// A tree: the fixed shapes first, told by their shape alone; then mappings, robots and the general reader.
fn tree(mut json: Value, payloads: &Payloads, now: Timestamp) -> Option<Explained> {
    if let Some(read) = fixed_shape(&mut json, payloads, now) {
        return Some(read);
    }
    body::unfold(&mut json);
    // A fixed shape inside another body, wrapped or as a text.
    let mut inner = &mut json;
    for _ in 0..4 {
        let Some(next) = only_member(inner) else { break };
        if let Some(read) = fixed_shape(next, payloads, now) {
            return Some(read);
        }
        inner = next;
    }
    let mut taken = payloads.read(&json, now)?;
    let origins = taken.told.iter_mut().map(|told| std::mem::take(&mut told.origins)).collect();
    Some(Explained { by: taken.by.clone(), origins, notification: taken.notification(Format::Generic) })
}

fn only_member(json: &mut Value) -> Option<&mut Value> {
    match json {
        Value::Object(members) if members.len() == 1 => {
            members.values_mut().next().filter(|value| value.is_object() || value.is_array())
        }
        _ => None,
    }
}

/// The shapes of Alertmanager, Grafana and those who push to an Alertmanager. Takes the value only if it is one.
fn fixed_shape(json: &mut Value, payloads: &Payloads, now: Timestamp) -> Option<Explained> {
    let notification = match fixed::of_tree(json, Door::Webhook, payloads, now) {
        Ok(notification) => notification,
        Err(_) => match json {
            Value::Object(object) if grafana_legacy::is_legacy(object) => {
                grafana_legacy::notification(std::mem::take(object), payloads.settings().language)
            }
            _ => return None,
        },
    };
    Some(by_shape(notification))
}

fn by_shape(notification: Notification) -> Explained {
    Explained { by: notification.format.as_str().to_owned(), notification, origins: Vec::new() }
}

/// A text that is no tree. Each different text is an alert of its own, so that a second one is never taken for a repeat
/// of the first.
fn plain_text(text: &str, payloads: &Payloads, now: Timestamp) -> Explained {
    let text = field::clean(text.trim());
    let mut read = of_words(&text, payloads, now);
    if let Some(alert) = read.notification.alerts.first_mut() {
        alert.name = excerpt(&alert.name, 120);
    }
    let is_notice = read.notification.alerts.iter().all(|alert| alert.status == Status::Notice);
    // A notice is shown unchanged: its title may be cut.
    let shown = if text.starts_with('<') { plain::prose(&text) } else { Cow::Borrowed(&*text) };
    let message = if is_notice { &*shown } else { &read.notification.message };
    read.notification.message = excerpt(&plain::secrets::masked(message), EXCERPT);
    if is_code(&shown) && is_notice {
        // Meant for an unknown program: named as such.
        read.notification.title = unrecognised(payloads);
    }
    read
}

/// Is it data that no reader could take apart, rather than words in a bracket (`[变电站] …`)?
fn is_code(text: &str) -> bool {
    let Some(inside) = text.strip_prefix('[') else { return text.starts_with(['{', '<']) };
    let first = inside.trim_start().chars().next();
    first.is_none_or(|first| matches!(first, '{' | '[' | '"' | '\'' | ']') || first.is_ascii_digit())
}

/// The name of what has no words worth showing.
fn unrecognised(payloads: &Payloads) -> String {
    words::UNRECOGNISED.get(payloads.settings().language).to_owned()
}

/// Bytes that are no text in any encoding: kept raw, and named as such.
fn opaque_bytes(bytes: &[u8], payloads: &Payloads, now: Timestamp) -> Explained {
    use sha2::Digest as _;
    let digest = sha2::Sha256::digest(bytes)[..8].iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    let text = words::no_text(bytes.len(), &digest);
    let mut read = of_words(text.get(payloads.settings().language), payloads, now);
    "binary".clone_into(&mut read.by);
    read.notification.title = unrecognised(payloads);
    read
}

/// A notification of one alert that knows nothing but a name and a text.
fn single(format: Format, name: String, discriminator: Discriminator, message: String) -> Notification {
    let alert = Alert {
        status: Status::Firing,
        name,
        health: Health::Normal,
        lapses_at: None,
        fingerprint: String::new(),
        discriminator,
        labels: Labels::new(),
        annotations: Labels::new(),
        starts_at: None,
        ends_at: None,
        values: Vec::new(),
        asked: Asked::default(),
        links: Links::default(),
        level: None,
        kin: None,
    };
    Notification {
        format,
        upstream_receiver: String::new(),
        group_key: String::new(),
        group_labels: Labels::new(),
        external_url: String::new(),
        title: String::new(),
        message,
        truncated: 0,
        test: false,
        alerts: vec![alert],
    }
}

fn of_words(text: &str, payloads: &Payloads, now: Timestamp) -> Explained {
    let settings = payloads.settings();
    let log = syslog::read(text, &settings.timezone, now);
    let item = log.or_else(|| logfmt::read(text)).or_else(|| csv::read(text, &settings.timezone));
    let item = item.unwrap_or_else(|| json!({ "text": text }));
    let speaks = text.chars().any(char::is_alphanumeric) && !plain::is_missing(text);
    let given = |name: &str| reader::Given { name: name.to_owned(), verbatim: true, ..reader::Given::default() };
    let reader = reader::Reader { settings: payloads.settings(), now };
    let read = |item: &Value| speaks.then(|| reader.alert(reader::TEXT, item, given(""), "")).flatten();
    let told: Vec<reader::Told> = match &reports::split(text)[..] {
        [_] if item.get("text").is_some() && prefixed::read(text).is_some() => {
            prefixed::read(text).unwrap_or_default().iter().filter_map(read).collect()
        }
        [_] => read(&item).into_iter().collect(),
        several => several.iter().filter_map(|report| read(&json!({ "text": report }))).collect(),
    };
    let named = || reader.alert(reader::TEXT, &item, given(&unrecognised(payloads)), "");
    let told = if told.is_empty() { vec![named().expect("a name was given")] } else { told };
    let origins = told.iter().map(|told| told.origins.clone()).collect();
    let taken = generic::Taken { told, by: "text".to_owned() };
    Explained { notification: taken.notification(Format::Opaque), by: "text".to_owned(), origins }
}
