//! The addresses of other programs that a source may use, as the running program has them.

use secrecy::SecretString;

use crate::names::SourceId;

/// What one source may use.
#[derive(Debug)]
pub struct DropIns {
    /// The source.
    pub source: SourceId,
    /// WeCom's addresses.
    pub wecom: Option<AsWecom>,
    /// Those of robots and push services.
    pub robots: Vec<(Robot, RobotDoor)>,
}

/// WeCom's addresses, for one source.
#[derive(Debug)]
pub struct AsWecom {
    /// Keys of `webhook/send`, with whom they mean.
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

/// Whom a key or a token means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Addressee {
    /// The receiver of this name.
    Receiver(String),
    /// The webhook of this name.
    Webhook(String),
    /// Whoever the routes say.
    Routes,
}

/// A program whose addresses are imitated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Robot {
    /// 钉钉 DingTalk, `/robot/send`.
    Dingtalk,
    /// 飞书 Feishu and Lark, `/open-apis/bot/v2/hook/…`.
    Feishu,
    /// Slack, `/services/…`.
    Slack,
    /// PrometheusAlert, `/prometheusalert`.
    Prometheusalert,
    /// a2w, `/send?key=`.
    A2w,
    /// The WeCom adapter of bougou, `/webhook/send?channel_type=`.
    Bougou,
    /// The DingTalk adapter of timonwong, `/dingtalk/…/send`.
    Timonwong,
}

impl Robot {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Dingtalk, Self::Feishu, Self::Slack, Self::Prometheusalert, Self::A2w, Self::Bougou, Self::Timonwong];

    /// The key in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dingtalk => "dingtalk",
            Self::Feishu => "feishu",
            Self::Slack => "slack",
            Self::Prometheusalert => "prometheusalert",
            Self::A2w => "a2w",
            Self::Bougou => "bougou",
            Self::Timonwong => "timonwong",
        }
    }
}

/// The address of a robot, for one source.
#[derive(Debug, Default)]
pub struct RobotDoor {
    /// Tokens, with whom they mean.
    pub tokens: Vec<(SecretString, Addressee)>,
    /// The secret that must sign.
    pub secret: Option<SecretString>,
    /// "At all" is done.
    pub mention_all: bool,
}
