//! `wegraf preview --why`: which label of an alert is shown as what, and by which step.

use serde_json::{Value, json};

use super::screen::Screen;
use crate::preview::Explained;
use crate::words::told;

/// As JSON.
pub fn in_json(why: &Explained) -> Value {
    let label = |label: &crate::preview::Label| json!({ "label": label.name, "value": label.value, "step": label.step, "why": label.why.to_string() });
    json!({
        "alert": why.alert,
        "object": why.object,
        "place": why.place,
        "qualifier": why.qualifier,
        "labels": why.labels.iter().map(label).collect::<Vec<_>>(),
    })
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
