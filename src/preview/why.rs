//! Which label of an alert is shown as what, and by which step.

use super::Preview;
use crate::alert::{Alert, Notification};
use crate::config::Config;
use crate::measure;
use crate::names::SourceId;
use crate::said;
use crate::subject::{self, Fate, Sighting, Taught};
use crate::words::{Words, words};

/// Alerts of a message that are explained.
const EXPLAINED: usize = 5;

/// Why the labels of an alert are shown or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// The name of the alert.
    pub alert: String,
    /// What it is about.
    pub object: String,
    /// Where that is.
    pub place: String,
    /// The kind of trouble.
    pub qualifier: String,
    /// Each label.
    pub labels: Vec<Label>,
}

/// Why a label is shown or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// The step that decided, from a closed set.
    pub step: String,
    /// What that step does.
    pub why: Words,
}

/// Why the labels of the first alerts of a message are shown or not.
pub fn explained(config: &Config, source: &SourceId, notification: &Notification, made: &Preview) -> Vec<Explained> {
    let receiver = config.receivers.get(&made.receiver);
    let taught = config.taught(receiver.map(AsRef::as_ref), source);
    let alerts = made.alerts.iter().take(EXPLAINED).map(|index| &notification.alerts[*index]);
    alerts.map(|alert| why(alert, &taught)).collect()
}

fn why(alert: &Alert, taught: &Taught) -> Explained {
    let said = subject::told([said::all(&alert.annotations).as_str()]);
    let expression = measure::expression_of(alert).unwrap_or_default();
    let sighting = Sighting { labels: &alert.labels, said: &said, expression: &expression, taught };
    let (subject, labels) = subject::explain(&sighting);
    let label = |why: subject::Why| {
        let (step, zh, en) = step(why.fate);
        Label { name: why.label, value: why.value, step, why: words(zh, en) }
    };
    Explained {
        alert: alert.name.clone(),
        object: subject::text(&subject.object),
        place: subject::places(&subject.place).join(" · "),
        qualifier: subject::text(&subject.qualifier),
        labels: labels.into_iter().map(label).collect(),
    }
}

/// The name of a step, and what it does, for people.
fn step(fate: Fate) -> (String, &'static str, &'static str) {
    let (name, zh, en) = match fate {
        Fate::Object(family) => return (format!("object:{family}"), "对象", "the object"),
        Fate::Named => ("named", "对象：规则的文字里提到它", "the object: the rule's sentences name it"),
        Fate::Grouped => ("grouped", "对象：规则的表达式按它分组", "the object: the rule's expression groups by it"),
        Fate::Place => ("place", "位置", "the place"),
        Fate::Qualifier => ("qualifier", "哪一种问题", "the kind of trouble"),
        Fate::Latent => ("latent", "只有各条不同时才显示", "shown only where the alerts differ by it"),
        Fate::Empty => ("empty", "不显示：空的", "not shown: it is empty"),
        Fate::Superseded => {
            ("superseded", "不显示：exported_ 才是对象自己的", "not shown: exported_… is the object's own")
        }
        Fate::Asked => ("asked", "不显示：只说明问了哪个采集端", "not shown: it tells who was asked"),
        Fate::Meta => ("meta", "不显示：属于规则或传输", "not shown: it belongs to the rule or the transport"),
        Fate::Owner => ("owner", "不显示：说明找谁", "not shown: it tells who is called"),
        Fate::Hidden => ("hidden", "不显示：配置里的 hidden", "not shown: `hidden` in the configuration"),
        Fate::Repeated => ("repeated", "不显示：上面已有这个值", "not shown: its value is shown already"),
        Fate::Open => ("open", "不显示，除非各条不同", "not shown, unless the alerts differ by it"),
    };
    (name.to_owned(), zh, en)
}
