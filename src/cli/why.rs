//! `wegraf preview --why`: which label of an alert is shown as what, and by which step.

use serde_json::{Value, json};

use super::screen::Screen;
use crate::alert::Alert;
use crate::measure;
use crate::said;
use crate::subject::{self, Fate, Sighting, Taught};
use crate::words::{told, words};

/// Why the labels of `alert` are shown or not.
pub fn why(alert: &Alert, taught: &Taught) -> Value {
    let said = subject::told([said::all(&alert.annotations).as_str()]);
    let expression = measure::expression_of(alert).unwrap_or_default();
    let sighting = Sighting { labels: &alert.labels, said: &said, expression: &expression, taught };
    let (subject, labels) = subject::explain(&sighting);
    let labels: Vec<Value> = labels
        .into_iter()
        .map(|why| {
            let (step, zh, en) = step(why.fate);
            json!({ "label": why.label, "value": why.value, "step": step, "why": words(zh, en).to_string() })
        })
        .collect();
    json!({
        "alert": alert.name,
        "object": subject::text(&subject.object),
        "place": subject::places(&subject.place).join(" · "),
        "qualifier": subject::text(&subject.qualifier),
        "labels": labels,
    })
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

/// The same for a person.
pub fn told(why: &Value, screen: &mut Screen) {
    let word = |of: &Value, key: &str| of[key].as_str().unwrap_or_default().to_owned();
    screen.gap();
    screen.line(told!(
        "   {}：对象 `{}`  位置 `{}`  问题 `{}`",
        "   {}: object `{}`  place `{}`  kind `{}`",
        word(why, "alert"),
        word(why, "object"),
        word(why, "place"),
        word(why, "qualifier")
    ));
    for label in why["labels"].as_array().into_iter().flatten() {
        screen.line(format_args!(
            "     {}={}  [{}] {}",
            word(label, "label"),
            word(label, "value"),
            word(label, "step"),
            word(label, "why"),
        ));
    }
}
