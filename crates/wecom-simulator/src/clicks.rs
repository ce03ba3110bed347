//! Clicks of people in cards, and the answers to them.

use std::collections::BTreeMap;
use std::time::Instant;

use serde::Serialize;
use serde_json::Value;

use crate::call::{filled, int, text};
use crate::inbox::Channel;
use crate::log::Log;

/// Question → options, in the card's order.
pub(crate) type Selected = Vec<(String, Vec<String>)>;
/// The person's choices by question; a question without a choice keeps the card's default.
pub(crate) type Choices = BTreeMap<String, Vec<String>>;

/// Clicks kept for inspection.
const MAX_CLICKS: usize = 5000;

/// A clicked key of a card.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Pressed {
    /// Whether the key belongs to the menu in the corner.
    pub(crate) menu: bool,
    pub(crate) task_id: String,
    pub(crate) card_type: String,
    /// `None` for the menu and for cards without questions.
    pub(crate) selected: Option<Selected>,
}

/// Clicks `key` in a card as the person sees it. A card that shows a label in place of its buttons refuses, unless
/// `anyway`: a second click may be faster than the update.
pub(crate) fn press(card: &Value, key: &str, choices: &Choices, anyway: bool) -> Result<Pressed, String> {
    let pressed = |menu, selected| Pressed {
        menu,
        task_id: text(card, "task_id").unwrap_or_default().into(),
        card_type: text(card, "card_type").unwrap_or_default().into(),
        selected,
    };
    let has_key = |list: Option<&Value>| {
        list.and_then(Value::as_array)
            .into_iter()
            .flatten()
            .any(|one| text(one, "key") == Some(key) && int(one, "type") != Some(1))
    };
    if has_key(card.get("action_menu").and_then(|menu| menu.get("action_list"))) {
        return Ok(pressed(true, None));
    }
    let submit = card.get("submit_button").is_some_and(|button| text(button, "key") == Some(key));
    if !submit && !has_key(card.get("button_list")) {
        return Err(format!("the card has no button with the key {key:?}"));
    }
    let label = filled(card, "replace_name").or_else(|| filled(card, "replace_text"));
    if let (Some(label), false) = (label, anyway) {
        return Err(format!("the card shows {label:?} in place of its buttons"));
    }
    Ok(pressed(false, selected(card, choices)?))
}

/// The options chosen in the card's questions.
fn selected(card: &Value, choices: &Choices) -> Result<Option<Selected>, String> {
    let lists = card.get("select_list").and_then(Value::as_array).into_iter().flatten();
    let questions: Vec<_> = card.get("button_selection").into_iter().chain(card.get("checkbox")).chain(lists).collect();
    let mut all = Selected::new();
    for question in questions {
        let key = text(question, "question_key").unwrap_or_default();
        let options: Vec<_> = question.get("option_list").and_then(Value::as_array).into_iter().flatten().collect();
        let ids = || options.iter().filter_map(|option| text(option, "id"));
        let chosen = match choices.get(key) {
            Some(chosen) => chosen.clone(),
            None if question.get("mode").is_some() || card.get("checkbox").is_some() => checked(&options),
            // Without a choice, or with one that does not exist, the first option is (page 90236).
            None => {
                let stated = text(question, "selected_id").filter(|stated| ids().any(|id| id == *stated));
                stated.or_else(|| ids().next()).map(str::to_owned).into_iter().collect()
            }
        };
        if let Some(unknown) = chosen.iter().find(|chosen| !ids().any(|id| id == chosen.as_str())) {
            return Err(format!("the question {key:?} has no option {unknown:?}"));
        }
        all.push((key.to_owned(), chosen));
    }
    match choices.keys().find(|key| !all.iter().any(|(known, _)| known == *key)) {
        Some(unknown) => Err(format!("the card has no question {unknown:?}")),
        None => Ok((!all.is_empty()).then_some(all)),
    }
}

fn checked(options: &[&Value]) -> Vec<String> {
    let marked = options.iter().filter(|option| option.get("is_checked") == Some(&Value::Bool(true)));
    marked.filter_map(|option| text(option, "id")).map(str::to_owned).collect()
}

/// A click and its answers.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Click {
    pub(crate) id: u64,
    pub(crate) at_ms: i64,
    /// The id in the inbox.
    pub(crate) message: u64,
    pub(crate) channel: Channel,
    pub(crate) user: String,
    pub(crate) key: String,
    pub(crate) menu: bool,
    pub(crate) task_id: String,
    pub(crate) selected: BTreeMap<String, Vec<String>>,
    /// The new `response_code` of this click (apps).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) response_code: Option<String>,
    /// The push that reports it (apps).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) callback: Option<u64>,
    /// Whether there was a receiver: a callback URL or a live connection.
    pub(crate) delivered: bool,
    pub(crate) answers: Vec<Answer>,
    #[serde(skip)]
    begun: Instant,
}

/// An answer to a click.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Answer {
    /// `callback`, `update_button`, `update_template_card` (passive), `message/update_template_card`,
    /// `aibot_respond_update_msg`.
    pub(crate) how: &'static str,
    /// Measured on the simulator's clock.
    pub(crate) after_ms: i64,
    /// Measured on the machine's clock.
    pub(crate) took_us: u64,
    /// Whether it came within the window for this kind.
    pub(crate) in_time: bool,
    /// 0 if it was accepted.
    pub(crate) errcode: i64,
    pub(crate) body: Value,
}

/// All clicks.
#[derive(Debug)]
pub(crate) struct Clicks(Log<Click>);

impl Clicks {
    pub(crate) fn new() -> Self {
        Self(Log::new(MAX_CLICKS))
    }

    /// Clears all.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Records a click; whether it was delivered is set later.
    pub(crate) fn note(
        &mut self,
        now: i64,
        message: u64,
        channel: Channel,
        user: &str,
        key: &str,
        pressed: &Pressed,
    ) -> u64 {
        self.0.add(|id| Click {
            id,
            at_ms: now,
            message,
            channel,
            user: user.into(),
            key: key.into(),
            menu: pressed.menu,
            task_id: pressed.task_id.clone(),
            selected: pressed.selected.iter().flatten().cloned().collect(),
            response_code: None,
            callback: None,
            delivered: false,
            answers: Vec::new(),
            begun: Instant::now(),
        })
    }

    pub(crate) fn get(&self, id: u64) -> Option<&Click> {
        self.0.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: u64) -> Option<&mut Click> {
        self.0.get_mut(id)
    }

    /// The click that brought this `response_code`.
    pub(crate) fn with_code(&self, code: &str) -> Option<u64> {
        self.0.iter().rev().find(|click| click.response_code.as_deref() == Some(code)).map(|click| click.id)
    }

    /// Records an answer.
    pub(crate) fn answered(&mut self, id: u64, how: &'static str, now: i64, in_time: bool, errcode: i64, body: Value) {
        if let Some(click) = self.get_mut(id) {
            let took_us = u64::try_from(click.begun.elapsed().as_micros()).unwrap_or(u64::MAX);
            click.answers.push(Answer { how, after_ms: now - click.at_ms, took_us, in_time, errcode, body });
        }
    }

    /// Iterates oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Click> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn card() -> Value {
        json!({
            "card_type": "button_interaction", "task_id": "t",
            "button_selection": {"question_key": "dur", "selected_id": "4h", "option_list": [{"id": "1h"}, {"id": "4h"}]},
            "button_list": [{"key": "ack"}, {"type": 1, "key": "link"}],
            "action_menu": {"action_list": [{"key": "undo"}]},
        })
    }

    #[test]
    fn a_button_brings_what_is_chosen_and_a_menu_does_not() {
        let none = Choices::new();
        let pressed = press(&card(), "ack", &none, false).unwrap();
        assert_eq!(pressed.selected, Some(vec![("dur".into(), vec!["4h".into()])]));
        let one_hour = Choices::from([("dur".into(), vec!["1h".into()])]);
        let pressed = press(&card(), "ack", &one_hour, false).unwrap();
        assert_eq!(pressed.selected, Some(vec![("dur".into(), vec!["1h".into()])]));
        let menu = press(&card(), "undo", &none, false).unwrap();
        assert_eq!((menu.menu, menu.selected), (true, None));
    }

    #[test]
    fn only_keys_and_options_of_the_card_can_be_pressed_or_chosen() {
        let none = Choices::new();
        assert!(press(&card(), "other", &none, false).is_err());
        assert!(press(&card(), "link", &none, false).is_err());
        let wrong = |question: &str, option: &str| Choices::from([(question.into(), vec![option.into()])]);
        assert!(press(&card(), "ack", &wrong("dur", "9h"), false).is_err());
        assert!(press(&card(), "ack", &wrong("who", "1h"), false).is_err());
        let mut gone = card();
        gone["replace_name"] = json!("已认领");
        assert!(press(&gone, "ack", &none, false).is_err());
        assert!(press(&gone, "ack", &none, true).is_ok());
        assert!(press(&gone, "undo", &none, false).is_ok());
    }

    #[test]
    fn a_vote_brings_the_boxes_that_are_checked_and_selects_their_first_option() {
        let vote = json!({
            "card_type": "vote_interaction", "submit_button": {"key": "go"},
            "checkbox": {"question_key": "who", "option_list": [{"id": "a", "is_checked": true}, {"id": "b"}]},
        });
        let pressed = press(&vote, "go", &Choices::new(), false).unwrap();
        assert_eq!(pressed.selected, Some(vec![("who".into(), vec!["a".into()])]));
        let selects = json!({
            "card_type": "multiple_interaction", "submit_button": {"key": "go"},
            "select_list": [{"question_key": "x", "selected_id": "gone", "option_list": [{"id": "1"}, {"id": "2"}]}],
        });
        let pressed = press(&selects, "go", &Choices::new(), false).unwrap();
        assert_eq!(pressed.selected, Some(vec![("x".into(), vec!["1".into()])]));
    }
}
