//! The alert object and the envelope around it as they were sent, out of a text or out of its tree, by the same rules.
//!
//! Texts are borrowed where nothing in them is escaped. No wrong type is an error: each has the meaning that
//! `field::text` gives it. A text fails where its tree would read otherwise: a member stands twice, or what follows.

mod lenient;

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::reader;
pub(super) use lenient::{Held, Members, Set, Text, text};
use lenient::{Nothing, RAW, Take, Taken, once, skip, sorted};

/// An object of the array `alerts`, or of an array that is pushed.
#[derive(Debug, Default)]
pub(super) struct Sent<'a> {
    pub labels: Option<Set<'a>>,
    pub annotations: Option<Set<'a>>,
    pub status: Option<Text<'a>>,
    pub starts_at: Option<Text<'a>>,
    pub ends_at: Option<Text<'a>>,
    pub fingerprint: Option<Text<'a>>,
    pub generator_url: Option<Text<'a>>,
    pub silence_url: Option<Text<'a>>,
    pub dashboard_url: Option<Text<'a>>,
    pub panel_url: Option<Text<'a>>,
    /// `imageURL`.
    pub image_url: Option<Text<'a>>,
    /// `imageUrl`.
    pub image: Option<Text<'a>>,
    pub rule_uid: Option<Text<'a>>,
    pub values: Option<Held<'a, Value>>,
    pub value_string: Option<Text<'a>>,
    /// Texts for people that stand beside the annotations, by name; `None` where the member is no text.
    pub texts: Members<'a, Option<Cow<'a, str>>>,
    /// Does it have a member that no Alertmanager sends?
    pub is_strange: bool,
}

impl Sent<'_> {
    /// How many members its sets have.
    pub fn members(&self) -> usize {
        let of = |set: &Option<Set<'_>>| if let Some(Held::Object(members)) = set { members.len() } else { 0 };
        let values = if let Some(Held::Object(values)) = &self.values { values.len() } else { 0 };
        of(&self.labels) + of(&self.annotations) + values + self.texts.len()
    }
}

/// The object around the array `alerts`, without it.
#[derive(Debug, Default)]
pub(super) struct Envelope<'a> {
    /// Is there an array of alerts?
    pub has_alerts: bool,
    pub version: Option<Text<'a>>,
    pub receiver: Option<Text<'a>>,
    pub status: Option<Text<'a>>,
    pub state: Option<Nothing>,
    pub group_key: Option<Text<'a>>,
    pub group_labels: Option<Set<'a>>,
    pub route_labels: Option<Set<'a>>,
    pub title: Option<Text<'a>>,
    pub message: Option<Text<'a>>,
    pub external_url: Option<Text<'a>>,
    pub org: Option<Value>,
    pub truncated: Option<Value>,
}

/// What stands around the alerts.
#[derive(Debug)]
pub(super) enum Outer<'a> {
    /// Nothing: they are an array.
    Array,
    /// An object.
    Envelope(Box<Envelope<'a>>),
}

/// Takes each item of the array of alerts; `None` is one that is no object.
pub(super) type Each<'e, 'a> = &'e mut dyn FnMut(Option<Sent<'a>>);

/// Reads a text. `None` if it is no JSON, or neither an array nor an object, or its tree may read otherwise.
pub(super) fn of_text<'a>(text: &'a str, each: Each<'_, 'a>) -> Option<Outer<'a>> {
    let mut json = serde_json::Deserializer::from_str(text);
    let outer = Body(each).deserialize(&mut json).ok()?;
    json.end().ok().filter(|()| !text.contains(RAW))?;
    Some(outer)
}

/// Reads a tree. `None` if it is neither an array nor an object.
pub(super) fn of_tree<'a>(tree: &'a Value, each: Each<'_, 'a>) -> Option<Outer<'a>> {
    Body(each).deserialize(tree).ok()
}

impl<'de> Take<'de> for Option<Sent<'de>> {
    fn other() -> Self {
        None
    }

    fn object<A: MapAccess<'de>>(mut members: A) -> Result<Self, A::Error> {
        let mut sent = Sent::default();
        while let Some(Taken(name)) = members.next_key::<Taken<Cow<'de, str>>>()? {
            let value = &mut members;
            match &*name {
                "labels" => once(&mut sent.labels, value)?,
                "annotations" => once(&mut sent.annotations, value)?,
                "status" => once(&mut sent.status, value)?,
                "startsAt" => once(&mut sent.starts_at, value)?,
                "endsAt" => once(&mut sent.ends_at, value)?,
                "fingerprint" => once(&mut sent.fingerprint, value)?,
                "generatorURL" => once(&mut sent.generator_url, value)?,
                "receivers" | "updatedAt" => skip(value)?,
                other => {
                    sent.is_strange = true;
                    match other {
                        "silenceURL" => once(&mut sent.silence_url, value)?,
                        "dashboardURL" => once(&mut sent.dashboard_url, value)?,
                        "panelURL" => once(&mut sent.panel_url, value)?,
                        "imageURL" => once(&mut sent.image_url, value)?,
                        "imageUrl" => once(&mut sent.image, value)?,
                        "ruleUID" => once(&mut sent.rule_uid, value)?,
                        "values" => once(&mut sent.values, value)?,
                        "valueString" => once(&mut sent.value_string, value)?,
                        text if reader::is_text(text) => {
                            let Taken(text) = value.next_value()?;
                            sent.texts.push((name, text));
                        }
                        _ => skip(value)?,
                    }
                }
            }
        }
        sent.texts = sorted(sent.texts);
        Ok(Some(sent))
    }
}

/// Reads an array of alerts.
struct Alerts<'e, 'a>(Each<'e, 'a>);

impl<'de> DeserializeSeed<'de> for Alerts<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Alerts<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of alerts")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(Taken(item)) = items.next_element()? {
            (self.0)(item);
        }
        Ok(())
    }
}

/// Reads a body.
struct Body<'e, 'a>(Each<'e, 'a>);

impl<'de> DeserializeSeed<'de> for Body<'_, 'de> {
    type Value = Outer<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Outer<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Body<'_, 'de> {
    type Value = Outer<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array or an object")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Outer<'de>, A::Error> {
        Alerts(self.0).visit_seq(items).map(|()| Outer::Array)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Outer<'de>, A::Error> {
        let mut envelope = Box::new(Envelope::default());
        while let Some(Taken(name)) = members.next_key::<Taken<Cow<'de, str>>>()? {
            let value = &mut members;
            match &*name {
                "alerts" if envelope.has_alerts => return Err(A::Error::custom("a member stands twice")),
                "alerts" => {
                    value.next_value_seed(Alerts(&mut *self.0))?;
                    envelope.has_alerts = true;
                }
                "version" => once(&mut envelope.version, value)?,
                "receiver" => once(&mut envelope.receiver, value)?,
                "status" => once(&mut envelope.status, value)?,
                "state" => once(&mut envelope.state, value)?,
                "groupKey" => once(&mut envelope.group_key, value)?,
                "groupLabels" => once(&mut envelope.group_labels, value)?,
                "routeLabels" => once(&mut envelope.route_labels, value)?,
                "title" => once(&mut envelope.title, value)?,
                "message" => once(&mut envelope.message, value)?,
                "externalURL" => once(&mut envelope.external_url, value)?,
                "orgId" => once(&mut envelope.org, value)?,
                "truncatedAlerts" => once(&mut envelope.truncated, value)?,
                _ => skip(value)?,
            }
        }
        Ok(Outer::Envelope(envelope))
    }
}
