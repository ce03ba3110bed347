//! What a message is to WeCom: contents as its JSON has them, and the limits of each channel.

use serde::{Deserialize, Serialize};

/// Through which door a message goes; each has its own kinds and limits (wecom-api §0.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// `message/send`: people, departments, tags of an app (page 90236).
    App,
    /// `appchat/send`: a group chat that the app created (page 90248).
    Chat,
    /// `webhook/send`: 消息推送 (page 99110).
    Webhook,
}

/// The content of a message. Serialises as WeCom wants it beside `msgtype`: `{"text":{"content":…}}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// Plain text.
    Text(Text),
    /// Markdown, first edition: colours and mentions.
    Markdown(Markdown),
    /// Markdown, second edition (webhook only): tables and lists.
    MarkdownV2(Markdown),
    /// A card with one link (app and chat).
    Textcard(Textcard),
    /// Picture cards.
    News(News),
    /// A template card (app and webhook).
    TemplateCard(Box<TemplateCard>),
    /// A picture: by media id (app and chat), or inline (webhook).
    Image(Image),
}

impl Content {
    /// The value of `msgtype`.
    pub const fn msgtype(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Markdown(_) => "markdown",
            Self::MarkdownV2(_) => "markdown_v2",
            Self::Textcard(_) => "textcard",
            Self::News(_) => "news",
            Self::TemplateCard(_) => "template_card",
            Self::Image(_) => "image",
        }
    }
}

/// Plain text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// At most [`TEXT_BYTES`]; the app channel cuts silently above.
    pub content: String,
    /// Userids or `@all` (webhook and chat).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mentioned_list: Vec<String>,
    /// Mobile numbers or `@all` (webhook).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mentioned_mobile_list: Vec<String>,
}

/// Markdown of either edition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Markdown {
    /// At most [`markdown_bytes`] of the channel.
    pub content: String,
}

/// A card with title, description and one link.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Textcard {
    /// At most [`TITLE_BYTES`].
    pub title: String,
    /// At most [`DESCRIPTION_BYTES`]; required (41033). May hold `<div class="gray|normal|highlight">` and `<br>`.
    pub description: String,
    /// At most [`URL_BYTES`], with scheme (45034).
    pub url: String,
    /// At most 4 characters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub btntxt: String,
}

/// Picture cards.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct News {
    /// 1 to 8 (45008).
    pub articles: Vec<Article>,
}

/// One picture card.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Article {
    /// At most [`TITLE_BYTES`].
    pub title: String,
    /// At most [`DESCRIPTION_BYTES`].
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// At most [`URL_BYTES`]; required.
    pub url: String,
    /// JPG or PNG.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub picurl: String,
}

/// A picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Image {
    /// Uploaded before (app and chat).
    Media {
        /// From `media/upload`, 3 days old at most.
        media_id: String,
    },
    /// Inline (webhook): the raw picture is at most 2 MB.
    Inline {
        /// The bytes, base64.
        base64: String,
        /// MD5 of the raw bytes, lower-case hex (301019 if wrong).
        md5: String,
    },
}

/// A template card of a notice kind (wecom-api §3.5). Empty fields are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TemplateCard {
    /// `text_notice` or `news_notice`.
    pub card_type: String,
    /// Where it comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<CardSource>,
    /// Title and a line below.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub main_title: Option<CardTitle>,
    /// One big figure (`text_notice`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub emphasis_content: Option<CardTitle>,
    /// Text below (`text_notice`).
    #[serde(skip_serializing_if = "String::is_empty")]
    pub sub_title_text: String,
    /// Picture (`news_notice`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub card_image: Option<CardImage>,
    /// Up to 4 (`news_notice`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub vertical_content_list: Vec<CardTitle>,
    /// Up to 6.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub horizontal_content_list: Vec<CardRow>,
    /// Up to 3.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub jump_list: Vec<CardJump>,
    /// Required for both notice kinds (42045).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub card_action: Option<CardAction>,
}

/// Where a card comes from.
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
    /// 0 text, 1 link.
    #[serde(rename = "type")]
    pub kind: u8,
    /// 5 字; required (42027).
    pub keyname: String,
    /// 30 字.
    pub value: String,
    /// For kind 1 (42028).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub url: String,
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

/// What a tap on the card does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardAction {
    /// 1 link.
    #[serde(rename = "type")]
    pub kind: u8,
    /// Where to.
    pub url: String,
}

/// Text on every channel (pages 90236, 90248, 99110).
pub const TEXT_BYTES: usize = 2048;
/// Title of textcard and news (page 90236).
pub const TITLE_BYTES: usize = 128;
/// Description of textcard and news (page 90236).
pub const DESCRIPTION_BYTES: usize = 512;
/// Links. Page 90236 says 2048, the error table 1024 (40039): the smaller is safe under both (wecom-api §17 no. 22).
pub const URL_BYTES: usize = 1024;

/// Bytes of markdown that `channel` takes: 4096 on a webhook (above: 40058), 2048 elsewhere.
pub const fn markdown_bytes(channel: Channel) -> usize {
    match channel {
        Channel::Webhook => 4096,
        Channel::App | Channel::Chat => 2048,
    }
}
