//! The corps, apps, people and groups that a simulator plays. Plain data, readable and writable as JSON.

use serde::{Deserialize, Serialize};

/// Everything a simulator starts with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Setup {
    /// The corps; their apps and people are kept apart.
    pub corps: Vec<Corp>,
    /// The webhooks (消息推送, formerly 群机器人), each belonging to one group chat.
    pub webhooks: Vec<Webhook>,
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
    /// Whether a callback URL is set; interactive cards need one (43012 without).
    #[serde(default)]
    pub callback: bool,
    /// Disabled by an administrator (50003).
    #[serde(default)]
    pub closed: bool,
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

impl Default for Setup {
    fn default() -> Self {
        Self::demo()
    }
}

impl Setup {
    /// A small corp that people can read and tests can rely on: see the README for its inhabitants.
    pub fn demo() -> Self {
        let corp = Corp {
            corp_id: "wwsimcorp0000001".into(),
            name: "晴川科技".into(),
            accounts: default_accounts(),
            apps: vec![
                App {
                    agent_id: 1_000_002,
                    secret: "sim-app-secret".into(),
                    name: "监控告警".into(),
                    visible: Visible { parties: vec![1], ..Visible::default() },
                    callback: true,
                    ..App::default()
                },
                App {
                    agent_id: 1_000_003,
                    secret: "sim-second-secret".into(),
                    name: "值班助手".into(),
                    visible: Visible { users: vec!["zhangsan".into(), "lisi".into()], ..Visible::default() },
                    ..App::default()
                },
            ],
            users: vec![
                person("daixuan", "戴轩", "13800000001", 2),
                person("zhangsan", "张三", "13800000002", 2),
                person("lisi", "李四", "13800000003", 3),
                person("wangwu", "王五", "13800000004", 3),
            ],
            departments: vec![
                Department { id: 1, name: "晴川科技".into(), parent: 0 },
                Department { id: 2, name: "运维部".into(), parent: 1 },
                Department { id: 3, name: "研发部".into(), parent: 1 },
            ],
            tags: vec![Tag {
                id: 3,
                name: "本周值班".into(),
                users: vec!["zhangsan".into(), "wangwu".into()],
                parties: vec![],
            }],
            chats: vec![Chat {
                chatid: "AITest".into(),
                name: "告警测试群".into(),
                owner: "daixuan".into(),
                members: vec!["daixuan".into(), "zhangsan".into(), "lisi".into()],
                agent_id: 1_000_002,
                dissolved: false,
            }],
        };
        let webhook = |key: &str, name: &str, chat: &str, members: &[&str]| Webhook {
            key: key.into(),
            name: name.into(),
            chat: chat.into(),
            members: members.iter().map(|&member| member.into()).collect(),
            disabled: false,
        };
        Self {
            corps: vec![corp],
            webhooks: vec![
                webhook("sim-ops-group", "告警机器人", "运维值班群", &["daixuan", "zhangsan", "lisi", "wangwu"]),
                webhook("sim-dba-group", "数据库告警", "数据库组", &["zhangsan", "wangwu"]),
                webhook("sim-backup-group", "备用通道", "告警备用群", &["daixuan", "lisi"]),
            ],
        }
    }
}

fn person(userid: &str, name: &str, mobile: &str, department: i64) -> User {
    User {
        userid: userid.into(),
        name: name.into(),
        mobile: mobile.into(),
        email: format!("{userid}@sim.example"),
        personal_email: String::new(),
        status: active(),
        departments: vec![department],
    }
}

impl Corp {
    /// The member of that userid, whatever its case.
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
