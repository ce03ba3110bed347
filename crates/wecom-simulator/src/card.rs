//! Template cards: the error code of each fault (docs/reference/wecom.md#template-cards, #card-fields, #error-codes).

use std::collections::HashSet;

use serde_json::Value;

use crate::answer::Refusal;
use crate::call::{filled, int, text};

/// The API that a card is sent through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// `message/send` and `update_template_card`.
    App { callback: bool },
    /// `webhook/send`: two kinds, without elements whose clicks come back.
    Webhook,
    /// The bot's socket: every click comes back (docs/reference/wecom.md#bot-cards).
    Bot { link_buttons: bool },
}

/// Keys of buttons, questions and menus.
const KEY_BYTES: usize = 1024;
/// Option and task ids.
const ID_BYTES: usize = 128;
/// What a jump of a bot's card asks the bot.
const QUESTION_BYTES: usize = 200;

type Checked = Result<(), Refusal>;

/// Whether a click on an element of the card is reported to the app. Such cards get a `response_code`.
pub(crate) fn is_interactive(card: &Value) -> bool {
    matches!(text(card, "card_type"), Some("button_interaction" | "vote_interaction" | "multiple_interaction"))
        || card.get("action_menu").is_some()
}

/// Checks a card. `link` checks addresses, `has_media` knows media ids.
pub(crate) fn check(
    card: &Value,
    place: Place,
    link: impl Fn(&str) -> Checked,
    has_media: impl Fn(&str) -> bool,
) -> Checked {
    let kind = text(card, "card_type").unwrap_or_default();
    let known = match kind {
        "text_notice" | "news_notice" => true,
        "button_interaction" | "vote_interaction" | "multiple_interaction" => place != Place::Webhook,
        _ => false,
    };
    ensure(known, 42031)?;
    if is_interactive(card) {
        match place {
            Place::Webhook => return Err(Refusal::parameter("template_card.action_menu is not supported here")),
            Place::App { callback } => ensure(callback, 43012)?,
            Place::Bot { .. } => {}
        }
    }
    let card = Card { all: card, place, link: &link, has_media: &has_media };
    card.titles(kind)?;
    card.task_id()?;
    card.shared()?;
    match kind {
        "text_notice" => card.action(true),
        "news_notice" => card.picture().and_then(|()| card.action(true)),
        "button_interaction" => card.buttons().and_then(|()| card.action(false)),
        "vote_interaction" => card.checkbox().and_then(|()| card.submit()).and_then(|()| card.action(false)),
        _ => card.selects().and_then(|()| card.submit()).and_then(|()| card.action(false)),
    }
}

fn ensure(holds: bool, code: i64) -> Checked {
    if holds { Ok(()) } else { Err(Refusal::code(code)) }
}

/// A text that is present, not empty and at most `bytes` long.
fn has(value: &Value, field: &str, bytes: usize) -> bool {
    filled(value, field).is_some_and(|text| text.len() <= bytes)
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

struct Card<'a, L, M> {
    all: &'a Value,
    place: Place,
    link: &'a L,
    has_media: &'a M,
}

impl<L: Fn(&str) -> Checked, M: Fn(&str) -> bool> Card<'_, L, M> {
    fn is_of_bot(&self) -> bool {
        matches!(self.place, Place::Bot { .. })
    }

    fn titles(&self, kind: &str) -> Checked {
        let title = self.all.get("main_title").is_some_and(|title| filled(title, "title").is_some());
        let sub_title = filled(self.all, "sub_title_text").is_some();
        ensure(title || (kind == "text_notice" && sub_title), 41016)
    }

    fn task_id(&self) -> Checked {
        let legal = |id: &str| {
            !id.is_empty()
                && id.len() <= ID_BYTES
                && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'@'))
        };
        match text(self.all, "task_id") {
            Some(id) if !id.is_empty() => ensure(legal(id), 42014),
            _ => ensure(!is_interactive(self.all), 42014),
        }
    }

    fn shared(&self) -> Checked {
        self.menu()?;
        if let Some(quote) = self.all.get("quote_area") {
            self.target(quote, 42028)?;
        }
        let rows = list(self.all, "horizontal_content_list");
        ensure(rows.len() <= 6, 42035)?;
        for row in rows {
            ensure(filled(row, "keyname").is_some(), 42027)?;
            match int(row, "type").unwrap_or(0) {
                1 => self.address(row, "url", 42028)?,
                2 if self.is_of_bot() => {
                    return Err(Refusal::parameter("horizontal_content_list.type should be 0, 1 or 3"));
                }
                2 => {
                    let id = filled(row, "media_id").ok_or_else(|| Refusal::code(42029))?;
                    ensure((self.has_media)(id), 40007)?;
                }
                3 => ensure(filled(row, "userid").is_some(), 42050)?,
                _ => {}
            }
        }
        let jumps = list(self.all, "jump_list");
        ensure(jumps.len() <= 3, 42042)?;
        for jump in jumps {
            ensure(filled(jump, "title").is_some(), 42033)?;
            match int(jump, "type") {
                Some(3) if self.is_of_bot() => {
                    let asks = has(jump, "question", QUESTION_BYTES);
                    asks.then_some(())
                        .ok_or_else(|| Refusal::parameter("jump_list.question should have 1 to 200 bytes"))?;
                }
                _ => self.target(jump, 42028)?,
            }
        }
        let lines = list(self.all, "vertical_content_list");
        ensure(lines.len() <= 4, 42036)?;
        lines.iter().try_for_each(|line| ensure(filled(line, "title").is_some(), 42033))
    }

    /// The menu in the upper right corner: 1–3 entries, keys unique.
    fn menu(&self) -> Checked {
        let Some(menu) = self.all.get("action_menu") else { return Ok(()) };
        let entries = list(menu, "action_list");
        if entries.is_empty() || entries.len() > 3 {
            return Err(Refusal::parameter("action_menu.action_list should have 1 to 3 entries"));
        }
        let mut keys = HashSet::new();
        for entry in entries {
            ensure(filled(entry, "text").is_some(), 42020)?;
            let key = filled(entry, "key").ok_or_else(|| Refusal::code(42019))?;
            ensure(key.len() <= KEY_BYTES, 42018)?;
            ensure(keys.insert(key), 42051)?;
        }
        Ok(())
    }

    /// The target of a tap: type 1 needs a link, type 2 a mini-program.
    fn target(&self, value: &Value, no_url: i64) -> Checked {
        match int(value, "type").unwrap_or(0) {
            1 => self.address(value, "url", no_url),
            2 => ensure(filled(value, "appid").is_some(), 42030),
            _ => Ok(()),
        }
    }

    fn address(&self, value: &Value, field: &str, missing: i64) -> Checked {
        (self.link)(filled(value, field).ok_or_else(|| Refusal::code(missing))?)
    }

    /// The action of a tap on the whole card; notices must have one.
    fn action(&self, required: bool) -> Checked {
        match self.all.get("card_action") {
            Some(action) if action.is_object() => {
                let kind = int(action, "type").unwrap_or(0);
                ensure(matches!(kind, 1 | 2) || (kind == 0 && !required), 42045)?;
                self.target(action, 42028)
            }
            _ => ensure(!required, 42045),
        }
    }

    fn picture(&self) -> Checked {
        match (self.all.get("card_image"), self.all.get("image_text_area")) {
            (Some(image), _) => {
                let url = filled(image, "url").ok_or_else(|| Refusal::code(42044))?;
                (self.link)(url).map_err(|_| Refusal::code(42044))?;
                let ratio = image.get("aspect_ratio").and_then(Value::as_f64).unwrap_or(1.3);
                ensure((1.3..=2.25).contains(&ratio), 42044)
            }
            (None, Some(area)) => {
                self.target(area, 42028)?;
                self.address(area, "image_url", 42044)
            }
            (None, None) => Err(Refusal::code(42044)),
        }
    }

    fn buttons(&self) -> Checked {
        let buttons = list(self.all, "button_list");
        ensure(!buttons.is_empty(), 42038)?;
        if buttons.len() > 6 {
            return Err(Refusal::parameter("button_list should have 1 to 6 entries"));
        }
        let mut keys = HashSet::new();
        for button in buttons {
            ensure(filled(button, "text").is_some(), 42038)?;
            if int(button, "type").unwrap_or(0) == 1 && self.place != (Place::Bot { link_buttons: false }) {
                self.address(button, "url", 42028)?;
            } else {
                ensure(has(button, "key", KEY_BYTES), 42039)?;
                ensure(keys.insert(text(button, "key")), 42039)?;
            }
        }
        self.all.get("button_selection").map_or(Ok(()), |selection| question(selection, 10))
    }

    fn checkbox(&self) -> Checked {
        self.all.get("checkbox").map_or_else(|| Err(Refusal::code(42043)), |checkbox| question(checkbox, 20))
    }

    fn selects(&self) -> Checked {
        let selects = list(self.all, "select_list");
        ensure((1..=3).contains(&selects.len()), 42047)?;
        selects.iter().try_for_each(|select| question(select, 10))
    }

    fn submit(&self) -> Checked {
        let missing = Value::Null;
        let button = self.all.get("submit_button").unwrap_or(&missing);
        ensure(filled(button, "text").is_some(), 42049)?;
        ensure(has(button, "key", KEY_BYTES), 42046)
    }
}

/// A question with its options.
fn question(value: &Value, most: usize) -> Checked {
    ensure(has(value, "question_key", KEY_BYTES), 42043)?;
    let options = list(value, "option_list");
    ensure((1..=most).contains(&options.len()), 42037)?;
    let mut ids = HashSet::new();
    for option in options {
        ensure(has(option, "id", ID_BYTES) && ids.insert(text(option, "id")), 42040)?;
        ensure(filled(option, "text").is_some(), 42041)?;
    }
    Ok(())
}
