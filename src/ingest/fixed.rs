//! The fixed shapes, told by their shape alone: the envelope of Alertmanager and Grafana, and the array that is pushed to an
//! Alertmanager. They are read straight from the text; a tree is made only where it might read otherwise.

use serde_json::Value;

use super::alertmanager::{Repeats, Surroundings, alert, head, opened};
use super::generic::{Payloads, ReadSettings};
use super::sent::{self, Each, Envelope, Held, Outer, Sent, Text};
use super::{Door, Unreadable, body, grafana};
use crate::alert::{Alert, Format, Notification, Timestamp};

/// Reads a text of one of the fixed shapes without making a tree of it: each alert goes to `each`, and the notification
/// has none. `None`, and nothing went to `each`, where only the tree can tell.
pub(super) fn quickly(
    text: &str,
    door: Door,
    payloads: &Payloads,
    now: Timestamp,
    each: &mut dyn FnMut(Alert),
) -> Result<Option<Notification>, Unreadable> {
    if !text.trim_start().starts_with(['{', '[']) {
        return Ok(None);
    }
    body::bounded(text)?;
    Ok(read(|each| sent::of_text(text, each), door, payloads.settings(), now, each).ok())
}

/// Reads a tree of the shape of an Alertmanager, of Grafana or of those who push to an Alertmanager.
pub(super) fn of_tree(tree: &Value, door: Door, payloads: &Payloads, now: Timestamp) -> Result<Notification, Unlike> {
    let mut alerts = Vec::new();
    let each = &mut |alert| alerts.push(alert);
    let head = read(|each| sent::of_tree(tree, each), door, payloads.settings(), now, each)?;
    Ok(Notification { alerts, ..head })
}

/// Items of a body that are kept while it is read the first time: a body with more is read twice, so that its items
/// are never in memory all at once.
const KEPT: usize = 256;

/// More members in one item than any program sends: such an item takes more memory than all others together.
const WIDE: usize = 1_000;

/// What is found out about a body before alerts are made of it.
#[derive(Debug, Default)]
struct Shape {
    /// Items so far.
    items: usize,
    /// The most members that one of them has.
    widest: usize,
    /// Is one of them an alert that may stand in an envelope?
    in_envelope: bool,
    /// Has one of them labels?
    with_labels: bool,
    /// Is one of the objects some program's own that has labels, too, and none that is pushed to an Alertmanager?
    not_pushed: bool,
    /// The first that an Alertmanager would not take, and whether it has an empty set of labels.
    mistake: Option<(usize, bool)>,
}

impl Shape {
    fn see(&mut self, item: Option<&Sent<'_>>) {
        let has_labels = item.is_some_and(has_labels);
        self.with_labels |= has_labels;
        self.in_envelope |= item.is_some_and(is_alert);
        self.not_pushed |= item.is_some_and(|item| !is_pushed(item));
        if !has_labels && self.mistake.is_none() {
            self.mistake = Some((self.items, item.is_some_and(|item| matches!(item.labels, Some(Held::Object(_))))));
        }
        self.widest = self.widest.max(item.map_or(0, Sent::members));
        self.items += 1;
    }

    /// Whose alerts these are, with `outer` around them.
    fn judge<'a>(&self, outer: Outer<'a>, door: Door) -> Result<Kind<'a>, Unlike> {
        match outer {
            Outer::Envelope(envelope) if door == Door::Webhook && envelope.has_alerts && self.in_envelope => {
                Ok(Kind::Enclosed(envelope))
            }
            // A group of which nothing is left (`max_alerts`, a template): there is nothing to tell.
            Outer::Envelope(envelope) if door == Door::Webhook && self.items == 0 && is_empty_group(&envelope) => {
                Ok(Kind::Enclosed(envelope))
            }
            Outer::Array if !self.with_labels => Err(Unlike::Items(self.mistake)),
            Outer::Array if door == Door::AlertsPush || !self.not_pushed => Ok(Kind::Pushed),
            Outer::Envelope(_) | Outer::Array => Err(Unlike::Shape),
        }
    }
}

/// Is it the envelope of an Alertmanager or of Grafana around an empty list?
const fn is_empty_group(envelope: &Envelope<'_>) -> bool {
    envelope.has_alerts && envelope.receiver.is_some() && (envelope.group_key.is_some() || envelope.version.is_some())
}

/// A fixed shape.
enum Kind<'a> {
    /// An envelope.
    Enclosed(Box<Envelope<'a>>),
    /// An array.
    Pushed,
}

/// Is `text` of a fixed shape, and are its alerts small, so that reading them one by one takes little memory?
pub(super) fn streams(text: &str, door: Door) -> bool {
    let mut shape = Shape::default();
    let outer = sent::of_text(text, &mut |item| shape.see(item.as_ref()));
    body::bounded(text).is_ok() && outer.is_some_and(|outer| shape.judge(outer, door).is_ok()) && shape.widest <= WIDE
}

/// Is it an alert that an Alertmanager would take?
fn has_labels(item: &Sent<'_>) -> bool {
    matches!(&item.labels, Some(Held::Object(labels)) if labels.iter().any(|(_, Text(value))| !value.is_empty()))
}

/// Is it one of the objects that are pushed to an Alertmanager, rather than some program's own that has labels, too?
fn is_pushed(item: &Sent<'_>) -> bool {
    let named = match &item.labels {
        None => false,
        Some(Held::Object(labels)) => labels.iter().any(|(name, _)| name == "alertname"),
        Some(Held::Null | Held::Other) => return false,
    };
    named || !item.is_strange || item.starts_at.is_some()
}

/// Has it the shape of an alert inside an envelope?
fn is_alert(item: &Sent<'_>) -> bool {
    match item.labels {
        Some(Held::Object(_)) => true,
        Some(Held::Null) | None => item.status.is_some() && item.starts_at.is_some(),
        Some(Held::Other) => false,
    }
}

/// Why a body is none of the shapes that are read here.
#[derive(Debug)]
pub(super) enum Unlike {
    /// It has another shape, or only its tree can tell.
    Shape,
    /// It is an array, and this item is the first that no Alertmanager takes; the flag says whether it has a set of
    /// labels. `None`: the array is empty.
    Items(Option<(usize, bool)>),
}

/// Reads a body that `pass` goes through: it may be called twice and does the same each time. What is made of each alert
/// goes to `each`; the notification has none in it. Nothing went to `each` if the shape is another.
fn read<'a>(
    pass: impl Fn(Each<'_, 'a>) -> Option<Outer<'a>>,
    door: Door,
    settings: &ReadSettings,
    now: Timestamp,
    each: &mut dyn FnMut(Alert),
) -> Result<Notification, Unlike> {
    let (mut shape, mut kept) = (Shape::default(), Vec::new());
    let outer = pass(&mut |item| {
        shape.see(item.as_ref());
        match item {
            Some(item) if shape.items <= KEPT => kept.push(item),
            _ if shape.items > KEPT => kept = Vec::new(),
            _ => {}
        }
    });
    let outer = outer.ok_or(Unlike::Shape)?;
    let (mut head, around, takes): (_, _, fn(&Sent<'_>) -> bool) = match shape.judge(outer, door)? {
        Kind::Enclosed(envelope) => {
            let (head, around) = opened(*envelope, settings, now);
            (head, around, |_| true)
        }
        Kind::Pushed => {
            let repeats = if door == Door::AlertsPush { Repeats::Always } else { Repeats::IfSaid };
            (head(Format::AlertsPush), Surroundings::pushed(settings, repeats, now), has_labels)
        }
    };
    let mut make = |item: Sent<'a>| {
        let alert = alert(item, &around);
        head.test |= head.format == Format::Grafana && grafana::is_test(&alert);
        each(alert);
    };
    if shape.items <= KEPT {
        kept.into_iter().filter(takes).for_each(make);
    } else {
        pass(&mut |item| item.into_iter().filter(takes).for_each(&mut make));
    }
    Ok(head)
}

/// What Alertmanager answers to a body pushed to `/api/v2/alerts` in which it finds no alert
/// (docs/reference/alert-sources.md#alertmanager-api).
pub(super) fn refusal(unlike: &Unlike) -> Unreadable {
    let refuse = |status, code, message: &str| Unreadable::NotAlerts { status, code, message: message.to_owned() };
    match unlike {
        Unlike::Shape => refuse(
            400,
            400,
            "parsing alerts body failed: expected a JSON array of alerts; Grafana and Alertmanager webhooks go to /webhook",
        ),
        Unlike::Items(None) => Unreadable::NothingPushed,
        Unlike::Items(Some((_, true))) => refuse(400, 400, "at least one label pair required"),
        Unlike::Items(Some((index, false))) => refuse(422, 602, &format!("{index}.labels in body is required")),
    }
}
