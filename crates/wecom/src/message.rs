//! Messages in WeCom's terms: contents in its JSON form, and the limits of each channel.

mod card;

use serde::{Deserialize, Serialize};

pub use card::*;

/// The channel of a message; each has its own kinds and limits (docs/reference/wecom.md#channels).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// `message/send`: people, departments, tags of an app (page 90236).
    App,
    /// `appchat/send`: a group chat that the app created (page 90248).
    Chat,
    /// `webhook/send`: 消息推送 (page 99110).
    Webhook,
    /// `message/update_template_card`: a change of a card that an app sent (page 94888).
    CardUpdate,
    /// `aibot_send_msg` on the socket of a 智能机器人 (page 101463).
    Bot,
}

/// The content of a message. Serialises in WeCom's form beside `msgtype`: `{"text":{"content":…}}`.
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
    /// A template card (app, webhook and bot).
    TemplateCard(Box<TemplateCard>),
    /// A picture: by media id (app, chat and bot), or inline (webhook).
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
    /// Uploaded before (app, chat and bot).
    Media {
        /// From `media/upload`, or from the bot's socket; 3 days old at most.
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

/// Text on every channel (pages 90236, 90248, 99110).
pub const TEXT_BYTES: usize = 2048;
/// Title of textcard and news (page 90236).
pub const TITLE_BYTES: usize = 128;
/// Description of textcard and news (page 90236).
pub const DESCRIPTION_BYTES: usize = 512;
/// Links. Page 90236 says 2048, the error table 1024 (40039): the smaller is safe under both
/// (docs/reference/wecom.md#links).
pub const URL_BYTES: usize = 1024;

/// Bytes of markdown that `channel` accepts: 20480 from a bot (page 101463), 4096 on a webhook (above: 40058), 2048
/// elsewhere.
pub const fn markdown_bytes(channel: Channel) -> usize {
    match channel {
        Channel::Bot => 20_480,
        Channel::Webhook => 4096,
        Channel::App | Channel::Chat | Channel::CardUpdate => 2048,
    }
}
