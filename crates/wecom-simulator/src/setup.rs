//! The corps, apps, people and groups that a simulator plays. Plain data, readable and writable as JSON.

mod demo;

use serde::{Deserialize, Serialize};

/// Everything a simulator starts with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Setup {
    /// The corps; their apps and people are kept apart.
    pub corps: Vec<Corp>,
    /// The webhooks (消息推送, formerly 群机器人), each belonging to one group chat.
    pub webhooks: Vec<Webhook>,
    /// The bots (智能机器人) in the variant with the long connection.
    pub bots: Vec<Bot>,
}

/// One corp (企业).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Corp {
    /// `corpid`.
    pub corp_id: String,
    /// Shown to people.
    #[serde(default)]
    pub name: String,
    /// The account limit: daily ceilings (× 200) and the look-up lock-out (20 %) are reckoned from it.
    #[serde(default = "default_accounts")]
    pub accounts: u64,
    /// Self-built apps.
    #[serde(default)]
    pub apps: Vec<App>,
    /// Members.
    #[serde(default)]
    pub users: Vec<User>,
    /// Departments; 1 is the root.
    #[serde(default)]
    pub departments: Vec<Department>,
    /// Tags.
    #[serde(default)]
    pub tags: Vec<Tag>,
    /// Group chats that apps have created.
    #[serde(default)]
    pub chats: Vec<Chat>,
}

const fn default_accounts() -> u64 {
    100
}

/// A self-built app.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct App {
    /// `agentid`.
    pub agent_id: i64,
    /// `corpsecret`. A play secret: the simulator shows it to everyone who asks.
    pub secret: String,
    /// Shown to people as the sender.
    #[serde(default)]
    pub name: String,
    /// Who may get messages of this app. A scope that holds department 1 is what `appchat` needs (48002 without).
    #[serde(default)]
    pub visible: Visible,
    /// 企业可信IP; `null` means that no list is kept (apps from before 2022-06-20).
    #[serde(default)]
    pub trusted_ips: Option<Vec<String>>,
    /// 网页授权及 JS-SDK 可信域名, each with its port where it has one: where people may be sent back to after they signed in.
    #[serde(default)]
    pub trusted_domains: Vec<String>,
    /// Takes a callback URL for set and verified, whether or not there is one: interactive cards need it (43012).
    #[serde(default)]
    pub callback: bool,
    /// 接收消息服务器; it counts as set once its URL has passed verification.
    #[serde(default)]
    pub callback_server: Option<CallbackServer>,
    /// Disabled by an administrator (50003).
    #[serde(default)]
    pub closed: bool,
}

/// Where an app's callbacks go (接收消息服务器配置).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallbackServer {
    /// `http://` only: the simulator speaks no TLS.
    pub url: String,
    /// At most 32 letters and digits.
    pub token: String,
    /// `EncodingAESKey`: 43 letters and digits.
    pub encoding_aes_key: String,
}

/// A visible scope (可见范围).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Visible {
    /// Userids.
    pub users: Vec<String>,
    /// Department ids, with all below them.
    pub parties: Vec<i64>,
    /// Tag ids.
    pub tags: Vec<i64>,
}

/// A member.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// 1–64 bytes; compared without regard to case.
    pub userid: String,
    /// Shown to people.
    #[serde(default)]
    pub name: String,
    /// Found by `user/getuserid` and by `mentioned_mobile_list`.
    #[serde(default)]
    pub mobile: String,
    /// The corp mail address.
    #[serde(default)]
    pub email: String,
    /// The personal mail address (`email_type` 2).
    #[serde(default)]
    pub personal_email: String,
    /// 1 active, 2 disabled, 4 not yet activated, 5 left.
    #[serde(default = "active")]
    pub status: i64,
    /// Department ids.
    #[serde(default)]
    pub departments: Vec<i64>,
}

const fn active() -> i64 {
    1
}

/// A department.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Department {
    /// 1 is the root.
    pub id: i64,
    /// Shown to people.
    #[serde(default)]
    pub name: String,
    /// The department above; 0 for the root.
    #[serde(default)]
    pub parent: i64,
}

/// A tag.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tag {
    /// `tagid`.
    pub id: i64,
    /// Shown to people.
    #[serde(default)]
    pub name: String,
    /// Userids.
    #[serde(default)]
    pub users: Vec<String>,
    /// Department ids.
    #[serde(default)]
    pub parties: Vec<i64>,
}

/// A group chat created by an app.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chat {
    /// At most 32 of `[0-9A-Za-z]`.
    pub chatid: String,
    /// Shown to people.
    #[serde(default)]
    pub name: String,
    /// A member.
    pub owner: String,
    /// Userids.
    pub members: Vec<String>,
    /// The app that made it; no other may use it (86008).
    pub agent_id: i64,
    /// Dissolved by its owner (49008).
    #[serde(default)]
    pub dissolved: bool,
}

/// A webhook and the group it speaks into.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// The `key` of its URL.
    pub key: String,
    /// Shown as the sender.
    #[serde(default)]
    pub name: String,
    /// The name of the group.
    #[serde(default)]
    pub chat: String,
    /// Userids.
    #[serde(default)]
    pub members: Vec<String>,
    /// Switched off (93004).
    #[serde(default)]
    pub disabled: bool,
}

/// A bot (智能机器人). Every member can talk to it alone; in a group, to it by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bot {
    /// `BotID`.
    pub bot_id: String,
    /// Only for the long connection. A play secret: the simulator shows it to everyone who asks.
    pub secret: String,
    /// Shown as the sender.
    #[serde(default)]
    pub name: String,
    /// The groups it has been added to.
    #[serde(default)]
    pub groups: Vec<BotGroup>,
}

/// A group with a bot in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BotGroup {
    /// Compared with regard to case.
    pub chatid: String,
    /// Shown to people.
    #[serde(default)]
    pub name: String,
    /// Userids.
    #[serde(default)]
    pub members: Vec<String>,
}

impl Corp {
    /// The member with this userid, compared without regard to case.
    pub(crate) fn user(&self, userid: &str) -> Option<&User> {
        self.users.iter().find(|user| user.userid.eq_ignore_ascii_case(userid))
    }

    /// Whether department `id` is `above` or lies somewhere below it.
    pub(crate) fn is_within(&self, id: i64, above: i64) -> bool {
        let mut at = id;
        // A tree of n departments is at most n deep; counting guards against a circle in a hand-written set-up.
        for _ in 0..=self.departments.len() {
            if at == above {
                return true;
            }
            match self.departments.iter().find(|department| department.id == at) {
                Some(department) => at = department.parent,
                None => return false,
            }
        }
        false
    }

    /// Whether the member sits in department `id` or below it.
    pub(crate) fn belongs(&self, user: &User, id: i64) -> bool {
        user.departments.iter().any(|&department| self.is_within(department, id))
    }

    /// Whether the member carries the tag, by name or through a department.
    pub(crate) fn tagged(&self, user: &User, tag: &Tag) -> bool {
        tag.users.iter().any(|userid| userid.eq_ignore_ascii_case(&user.userid))
            || tag.parties.iter().any(|&party| self.belongs(user, party))
    }

    /// Whether the app may reach the member: in its visible scope, and neither disabled nor gone.
    pub(crate) fn sees(&self, app: &App, user: &User) -> bool {
        let scope = &app.visible;
        matches!(user.status, 1 | 4)
            && (scope.users.iter().any(|userid| userid.eq_ignore_ascii_case(&user.userid))
                || scope.parties.iter().any(|&party| self.belongs(user, party))
                || self.tags.iter().any(|tag| scope.tags.contains(&tag.id) && self.tagged(user, tag)))
    }

    /// Whether the app may address the department.
    pub(crate) fn sees_party(&self, app: &App, id: i64) -> bool {
        self.departments.iter().any(|department| department.id == id)
            && app.visible.parties.iter().any(|&party| self.is_within(id, party))
    }
}

impl App {
    /// Whether the visible scope is the root department, as `appchat` demands.
    pub(crate) fn has_root_scope(&self) -> bool {
        self.visible.parties.contains(&1)
    }
}
