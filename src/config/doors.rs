//! The addresses of other programs that a source may use, as the running program has them.

use secrecy::SecretString;

use crate::names::SourceId;

/// What one source may use.
#[derive(Debug)]
pub struct DropIns {
    pub source: SourceId,
    /// WeCom's addresses.
    pub wecom: Option<AsWecom>,
    /// Those of robots and push services.
    pub robots: Vec<(Robot, RobotDoor)>,
}

/// WeCom's addresses, for one source.
#[derive(Debug)]
pub struct AsWecom {
    /// Keys of `webhook/send`, with their targets.
    pub keys: Vec<(SecretString, Addressee)>,
    /// Apps of `gettoken` and `message/send`.
    pub apps: Vec<AppDoor>,
    /// The keys of configured webhooks are taken, too.
    pub own_keys: bool,
    /// The only userids to which messages of apps may go; `None`: to all.
    pub allow_users: Option<Vec<String>>,
    /// Other calls are passed on.
    pub pass_through: bool,
    /// Messages are read as alerts instead of being relayed.
    pub read: bool,
}

/// The way in to an app.
#[derive(Debug)]
pub struct AppDoor {
    /// Name of the app.
    pub app: String,
    /// Its corpsecret here.
    pub secret: SecretString,
    /// Whose fallback and language its messages have.
    pub receiver: Option<String>,
}

/// The target of a key or token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Addressee {
    /// The receiver of this name.
    Receiver(String),
    /// The webhook of this name.
    Webhook(String),
    /// The receivers that the routes choose.
    Routes,
}

/// The one list of imitated programs besides WeCom: the key of each in the configuration, and its description for
/// editors. Passes it to the macro `$to`, with further tokens.
macro_rules! services {
    ($to:ident $($else:tt)*) => {
        $to! {
            $($else)*
            /// 钉钉群机器人的地址。The address of `DingTalk`'s robots.
            Dingtalk = dingtalk,
            /// 飞书群机器人的地址。The address of Feishu's and Lark's robots.
            Feishu = feishu,
            /// Slack 的地址。Slack's address.
            Slack = slack,
            /// Mattermost 的地址。The address of Mattermost's webhooks.
            Mattermost = mattermost,
            /// Rocket.Chat 的地址。The address of Rocket.Chat's webhooks.
            Rocketchat = rocketchat,
            /// Microsoft Teams 的地址（连接器和 Workflows）。The addresses of Microsoft Teams: connectors and Workflows.
            Teams = teams,
            /// Discord 的地址。The address of Discord's webhooks.
            Discord = discord,
            /// Server酱的地址。The address of `ServerChan`.
            Serverchan = serverchan,
            /// `PushPlus` 的地址。The address of `PushPlus`.
            Pushplus = pushplus,
            /// Bark 的地址。The addresses of Bark.
            Bark = bark,
            /// ntfy 的地址。The addresses of ntfy.
            Ntfy = ntfy,
            /// Gotify 的地址。The address of Gotify.
            Gotify = gotify,
            /// `PrometheusAlert` 的地址。The addresses of `PrometheusAlert`.
            Prometheusalert = prometheusalert,
            /// a2w 的地址。The address of a2w.
            A2w = a2w,
            /// bougou 的 alertmanager-webhook-adapter 的地址。The address of bougou's alertmanager-webhook-adapter.
            Bougou = bougou,
            /// prometheus-webhook-dingtalk 的地址。The address of prometheus-webhook-dingtalk.
            Timonwong = timonwong,
        }
    };
}
pub(super) use services;

macro_rules! robots {
    ($($(#[$doc:meta])* $robot:ident = $key:ident,)*) => {
        /// A program whose addresses are imitated.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Robot {
            $($(#[$doc])* $robot,)*
        }

        impl Robot {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$robot,)*];

            /// The key in the configuration.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$robot => stringify!($key),)*
                }
            }
        }
    };
}
services!(robots);

impl Robot {
    /// Are its calls signed besides?
    pub const fn signs(self) -> bool {
        matches!(self, Self::Dingtalk | Self::Feishu)
    }

    /// Can its calls name members of an app?
    pub const fn names_members(self) -> bool {
        matches!(self, Self::Prometheusalert | Self::Bougou)
    }

    /// Does it pass alerts on to WeCom? Then its senders have the keys of WeCom's webhooks, which are taken, too.
    pub const fn is_bridge(self) -> bool {
        matches!(self, Self::Prometheusalert | Self::A2w | Self::Bougou)
    }
}

/// The address of a robot, for one source.
#[derive(Debug, Default)]
pub struct RobotDoor {
    /// Tokens, with their targets.
    pub tokens: Vec<(SecretString, Addressee)>,
    /// The secret that must sign.
    pub secret: Option<SecretString>,
    /// "At all" is done.
    pub mention_all: bool,
    /// The app that tells the members named in a call.
    pub app: Option<String>,
    /// The keys of configured webhooks are tokens, too.
    pub own_keys: bool,
}
