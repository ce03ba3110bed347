//! Addresses and faces of messages, as the running program uses them and as the outbox stores them.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::names::{Addressees, Lane, LaneKey};

/// The longest list of people that is the key of its lane: PostgreSQL indexes 2704 bytes at most.
const LANE_BYTES: usize = 1024;

/// One address and how a message looks there. Stored as JSON with each message, so that a message that
/// waits keeps its address over a reload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The address.
    pub to: To,
    /// How the message looks.
    pub face: Face,
    /// Userids to mention, `@all`, or `on_call:NAME`, which is replaced by the people on duty when a message is
    /// rendered. Never from alert text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mention: Vec<String>,
    /// Labels that name an alert's owners, in the order of precedence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mention_from: Vec<String>,
    /// Mobile numbers to mention (webhook only).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mention_mobiles: Vec<String>,
    /// Send the alert's picture as a message of its own where the face cannot show it.
    #[serde(default)]
    pub image: bool,
    /// Into how many numbered parts a long message may be split; 1: it is shortened instead.
    pub parts: u8,
}

/// An address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum To {
    /// People, departments and tags of an app.
    Members {
        /// Name of the app.
        app: String,
        /// Userids, or `@all` alone.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        users: Vec<String>,
        /// File with one userid a line, read again when it changes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        users_file: Option<PathBuf>,
        /// Name of a rota, or `NAME/backup`: the people on duty when the message is rendered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        on_call: Option<String>,
        /// Department ids.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        parties: Vec<i64>,
        /// Tag ids.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        tags: Vec<i64>,
    },
    /// A group chat that the app created.
    Chat {
        /// Name of the app.
        app: String,
        /// Its chatid.
        chat: String,
    },
    /// A webhook (消息推送) of a group.
    Webhook {
        /// Name of the webhook.
        webhook: String,
    },
    /// Mail.
    Email {
        /// Addresses, 1 to 100.
        to: Vec<String>,
    },
    /// A generic webhook of another system.
    Hook {
        /// Name of the hook.
        hook: String,
    },
    /// A conversation of a bot (智能机器人).
    Bot {
        /// Name of the bot.
        bot: String,
        /// Its chatid; of a single chat, the userid.
        chat: String,
    },
}

impl Target {
    /// An address with defaults: its channel's own face, no mentions, one part.
    pub fn at(to: To) -> Self {
        let mut target = Self {
            to,
            face: Face::Text,
            mention: Vec::new(),
            mention_from: Vec::new(),
            mention_mobiles: Vec::new(),
            image: false,
            parts: 1,
        };
        target.face = target.channel().default_face();
        target
    }

    /// The target as JSON: what a message keeps of it.
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("a target is JSON")
    }

    /// The key of this target's lane: equal for equal addresses, stable over reloads, without secrets.
    pub fn lane(&self) -> LaneKey {
        let mut addressees = Addressees::default();
        match &self.to {
            To::Members { app, users, users_file, on_call, parties, tags } => {
                addressees.users(users);
                addressees.file(users_file.as_deref());
                addressees.on_call(on_call.as_deref());
                addressees.parties(parties);
                addressees.tags(tags);
                LaneKey::of(&Lane::Members { app: app.into(), to: &bounded(addressees.to_string()) })
            }
            To::Chat { app, chat } => LaneKey::of(&Lane::Chat { app: app.into(), chat: chat.into() }),
            To::Webhook { webhook } => LaneKey::of(&Lane::Webhook(webhook.into())),
            To::Email { to } => {
                addressees.emails(to);
                LaneKey::of(&Lane::Email(&addressees.to_string()))
            }
            To::Hook { hook } => LaneKey::of(&Lane::Hook(hook.into())),
            To::Bot { bot, chat } => LaneKey::of(&Lane::Bot { bot: bot.into(), chat: chat.into() }),
        }
    }

    /// The channel of the target's messages.
    pub const fn channel(&self) -> Channel {
        match self.to {
            To::Members { .. } => Channel::App,
            To::Chat { .. } => Channel::Chat,
            To::Webhook { .. } => Channel::Webhook,
            To::Email { .. } => Channel::Email,
            To::Hook { .. } => Channel::Hook,
            To::Bot { .. } => Channel::Bot,
        }
    }
}

/// A long list of people by its beginning and its digest: databases have a limit for what they index.
fn bounded(names: String) -> String {
    if names.len() <= LANE_BYTES {
        return names;
    }
    let digest = Sha256::digest(names.as_bytes());
    let hex = digest[..12].iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    format!("{}…{hex}", &names[..names.floor_char_boundary(LANE_BYTES / 4)])
}

/// A kind of address: it determines the possible faces and the transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Channel {
    /// Members of an app.
    App,
    /// A group chat that an app created.
    Chat,
    /// A webhook (消息推送) of a group.
    Webhook,
    /// Mail.
    Email,
    /// A generic webhook of another system.
    Hook,
    /// A conversation of a bot.
    Bot,
}

impl Channel {
    /// All channels.
    pub const ALL: [Self; 6] = [Self::App, Self::Chat, Self::Webhook, Self::Email, Self::Hook, Self::Bot];

    /// The name in metrics and in the record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::Chat => "chat",
            Self::Webhook => "webhook",
            Self::Email => "email",
            Self::Hook => "hook",
            Self::Bot => "bot",
        }
    }

    /// The rules of WeCom's HTTP API for its messages; `None`: they are not sent there.
    pub const fn wecom(self) -> Option<wecom::Channel> {
        match self {
            Self::App => Some(wecom::Channel::App),
            Self::Chat => Some(wecom::Channel::Chat),
            Self::Webhook => Some(wecom::Channel::Webhook),
            Self::Email | Self::Hook | Self::Bot => None,
        }
    }

    /// Can people be mentioned there? Members are notified anyway; mail and hooks have no mentions.
    pub const fn mentions(self) -> bool {
        matches!(self, Self::Chat | Self::Webhook)
    }

    /// The default face of a target.
    pub const fn default_face(self) -> Face {
        match self {
            Self::App | Self::Chat => Face::Markdown,
            Self::Webhook | Self::Bot => Face::MarkdownV2,
            Self::Email | Self::Hook => Face::Text,
        }
    }
}

/// How a message looks to a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Face {
    /// Plain text; the only one members who read in personal WeChat can see.
    Text,
    /// WeCom's markdown: colours and mentions, no tables.
    Markdown,
    /// `markdown_v2` (webhook and bot only): tables and lists, no colours, no mentions.
    MarkdownV2,
    /// A card with title, grey text and one link (app and chat only).
    Textcard,
    /// A picture card (what `Wechat_grafana` sent).
    News,
    /// A template card: with buttons where their clicks come back (an app with a callback, a bot), else `news_notice` if
    /// there is a picture, else `text_notice` (app members, webhook and bot only).
    Card,
}

impl Face {
    /// All faces.
    pub const ALL: [Self; 6] = [Self::Text, Self::Markdown, Self::MarkdownV2, Self::Textcard, Self::News, Self::Card];

    /// The name in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Markdown => "markdown",
            Self::MarkdownV2 => "markdown_v2",
            Self::Textcard => "textcard",
            Self::News => "news",
            Self::Card => "card",
        }
    }

    /// Can messages on `channel` have this face (docs/reference/wecom.md#channels, #app-chat-limits, #content-limits,
    /// #bot-messages)? Outside WeCom there is text only.
    pub const fn fits(self, channel: Channel) -> bool {
        match self {
            Self::Text => !matches!(channel, Channel::Bot),
            Self::Markdown | Self::News => matches!(channel, Channel::App | Channel::Chat | Channel::Webhook),
            Self::MarkdownV2 => matches!(channel, Channel::Webhook | Channel::Bot),
            Self::Textcard => matches!(channel, Channel::App | Channel::Chat),
            Self::Card => matches!(channel, Channel::App | Channel::Webhook | Channel::Bot),
        }
    }
}
