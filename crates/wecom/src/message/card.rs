//! Template cards in their JSON form (docs/reference/wecom.md#template-cards, page 90236), and their limits.

use serde::{Deserialize, Serialize};

/// A template card of a notice kind or with buttons (docs/reference/wecom.md#template-cards). Empty fields are left
/// out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TemplateCard {
    /// `text_notice`, `news_notice` or `button_interaction`.
    pub card_type: String,
    /// Its source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<CardSource>,
    /// The menu in the upper right corner (app and bot); needs a task id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action_menu: Option<CardMenu>,
    /// Names the card in clicks, unique for ever per app or bot: see [`is_task_id`]. Required for cards that can be
    /// pressed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub task_id: String,
    /// Title and a line below.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub main_title: Option<CardTitle>,
    /// Words quoted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quote_area: Option<CardQuote>,
    /// One big figure (`text_notice`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub emphasis_content: Option<CardTitle>,
    /// Text below (`text_notice` and `button_interaction`).
    #[serde(skip_serializing_if = "String::is_empty")]
    pub sub_title_text: String,
    /// Picture (`news_notice`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub card_image: Option<CardImage>,
    /// Up to 4 (`news_notice`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub vertical_content_list: Vec<CardTitle>,
    /// Up to [`CARD_ROWS`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub horizontal_content_list: Vec<CardRow>,
    /// Up to [`CARD_JUMPS`]; not on `button_interaction`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub jump_list: Vec<CardJump>,
    /// Required for both notice kinds (42045).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub card_action: Option<CardAction>,
    /// A choice above the buttons (`button_interaction`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub button_selection: Option<CardSelection>,
    /// 1 to [`CARD_BUTTONS`] (`button_interaction`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub button_list: Vec<CardButton>,
    /// In an update only: the label in place of the button that was pressed (page 94888).
    #[serde(skip_serializing_if = "String::is_empty")]
    pub replace_text: String,
}

/// The source of a card.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardSource {
    /// 20 字.
    pub desc: String,
    /// 0 grey, 1 black, 2 red, 3 green.
    pub desc_color: u8,
}

/// A title with a description.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardTitle {
    /// The title.
    pub title: String,
    /// The line below.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub desc: String,
}

/// The picture of a card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CardImage {
    /// JPG or PNG (42044).
    pub url: String,
    /// Between 1.3 and 2.25.
    pub aspect_ratio: f32,
}

impl Eq for CardImage {}

/// A row of a card: key and value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardRow {
    /// 0 text, 1 link, 3 member.
    #[serde(rename = "type")]
    pub kind: u8,
    /// 5 字; required (42027).
    pub keyname: String,
    /// 30 字.
    pub value: String,
    /// For kind 1 (42028).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub url: String,
    /// For kind 3 (42050).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub userid: String,
}

/// A link at the foot of a card.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardJump {
    /// 1 link.
    #[serde(rename = "type")]
    pub kind: u8,
    /// 18 字; required (42033).
    pub title: String,
    /// Where to.
    pub url: String,
}

/// What a tap on the card does, wherever there is no button.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardAction {
    /// 1 link.
    #[serde(rename = "type")]
    pub kind: u8,
    /// Where to.
    pub url: String,
}

/// The menu of a card.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardMenu {
    /// Its purpose.
    pub desc: String,
    /// 1 to [`CARD_MENU_ENTRIES`], each with another key (42051).
    pub action_list: Vec<CardMenuEntry>,
}

/// An entry of the menu.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardMenuEntry {
    /// The displayed text.
    pub text: String,
    /// Comes back in the click: at most [`CARD_KEY_BYTES`].
    pub key: String,
}

/// Words quoted on a card.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardQuote {
    /// 0 no link, 1 link.
    #[serde(rename = "type")]
    pub kind: u8,
    /// For kind 1.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub url: String,
    /// Above the words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// The words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub quote_text: String,
}

/// A choice of one from a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardSelection {
    /// Comes back in the click: at most [`CARD_KEY_BYTES`] (42043).
    pub question_key: String,
    /// Beside the list.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// In an update only: nothing can be chosen any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disable: bool,
    /// What is chosen at first; the first option if empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub selected_id: String,
    /// 1 to [`CARD_OPTIONS`] (42037).
    pub option_list: Vec<CardOption>,
}

/// One of a choice.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardOption {
    /// Comes back in the click: at most [`CARD_OPTION_ID_BYTES`] (42040).
    pub id: String,
    /// 16 字 (42041).
    pub text: String,
}

/// A button.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardButton {
    /// 0 comes back as a click, 1 opens a link. Whether a bot's card takes links is not documented
    /// (docs/reference/wecom.md#bot-cards).
    #[serde(rename = "type", default, skip_serializing_if = "is_click")]
    pub kind: u8,
    /// 10 字; required (42038).
    pub text: String,
    /// 1 blue, 2 red, 3 green, 4 grey; 0: WeCom's default.
    #[serde(default, skip_serializing_if = "is_click")]
    pub style: u8,
    /// For kind 0: at most [`CARD_KEY_BYTES`], another for each button (42039).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// For kind 1.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub url: String,
}

/// WeCom's default for a missing number; a bot's buttons have no such field.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
const fn is_click(number: &u8) -> bool {
    *number == 0
}

/// WeCom's own page: the link of a notice that has no other, which would be rejected (42045).
pub const CARD_HOME: &str = "https://work.weixin.qq.com/";
/// Rows of a card (42035).
pub const CARD_ROWS: usize = 6;
/// Links at the foot of a card (42042).
pub const CARD_JUMPS: usize = 3;
/// Buttons of a card (page 90236).
pub const CARD_BUTTONS: usize = 6;
/// Entries of a card's menu (page 90236).
pub const CARD_MENU_ENTRIES: usize = 3;
/// Options of a card's choice (42037).
pub const CARD_OPTIONS: usize = 10;
/// Bytes of the key of a button, of an entry of the menu, of a question (42039, 42051, 42043).
pub const CARD_KEY_BYTES: usize = 1024;
/// Bytes of the id of an option (42040).
pub const CARD_OPTION_ID_BYTES: usize = 128;
/// Bytes of a task id (42014).
pub const CARD_TASK_ID_BYTES: usize = 128;

/// Whether `text` can be a task id: 1 to [`CARD_TASK_ID_BYTES`] of `[0-9A-Za-z_@-]` (page 90236).
pub fn is_task_id(text: &str) -> bool {
    (1..=CARD_TASK_ID_BYTES).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_@-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_with_buttons_a_choice_and_a_menu_is_exactly_this_json() {
        let card = TemplateCard {
            card_type: "button_interaction".into(),
            action_menu: Some(CardMenu {
                desc: "更多".into(),
                action_list: vec![CardMenuEntry { text: "撤销".into(), key: "undo".into() }],
            }),
            task_id: "alert_9f2c".into(),
            main_title: Some(CardTitle { title: "磁盘已满".into(), desc: "db-3".into() }),
            quote_area: Some(CardQuote { quote_text: "95 %".into(), ..CardQuote::default() }),
            sub_title_text: "/var 96 %".into(),
            horizontal_content_list: vec![CardRow {
                kind: 3,
                keyname: "认领".into(),
                value: "张三".into(),
                userid: "zhangsan".into(),
                ..CardRow::default()
            }],
            button_selection: Some(CardSelection {
                question_key: "dur".into(),
                title: "静默".into(),
                selected_id: "1h".into(),
                option_list: vec![CardOption { id: "1h".into(), text: "1 小时".into() }],
                ..CardSelection::default()
            }),
            button_list: vec![
                CardButton { text: "认领".into(), style: 1, key: "ack".into(), ..CardButton::default() },
                CardButton { kind: 1, text: "面板".into(), url: "https://g/".into(), ..CardButton::default() },
            ],
            ..TemplateCard::default()
        };
        let json = serde_json::to_string(&card).unwrap();
        assert_eq!(
            json,
            r#"{"card_type":"button_interaction","action_menu":{"desc":"更多","action_list":[{"text":"撤销","key":"undo"}]},"task_id":"alert_9f2c","main_title":{"title":"磁盘已满","desc":"db-3"},"quote_area":{"type":0,"quote_text":"95 %"},"sub_title_text":"/var 96 %","horizontal_content_list":[{"type":3,"keyname":"认领","value":"张三","userid":"zhangsan"}],"button_selection":{"question_key":"dur","title":"静默","selected_id":"1h","option_list":[{"id":"1h","text":"1 小时"}]},"button_list":[{"text":"认领","style":1,"key":"ack"},{"type":1,"text":"面板","url":"https://g/"}]}"#
        );
        assert_eq!(serde_json::from_str::<TemplateCard>(&json).unwrap(), card);
    }

    #[test]
    fn a_task_id_is_short_and_of_few_characters() {
        for id in ["a", "alert_9f2c@1-Z", &"x".repeat(128)] {
            assert!(is_task_id(id), "{id}");
        }
        for id in ["", "a b", "a.b", "中", "a:b", &"x".repeat(129)] {
            assert!(!is_task_id(id), "{id}");
        }
    }
}
