//! The default corp.

use super::{App, Bot, BotGroup, Chat, Corp, Department, Setup, Tag, User, Visible, Webhook, active, default_accounts};

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
                    trusted_domains: vec!["alerts.example.com".into(), "127.0.0.1:8080".into()],
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
            bots: vec![Bot {
                bot_id: "sim-bot".into(),
                secret: "sim-bot-secret".into(),
                name: "值班机器人".into(),
                groups: vec![BotGroup {
                    chatid: "wrSimDutyGroup".into(),
                    name: "值班作战室".into(),
                    members: ["daixuan", "zhangsan", "lisi"].map(Into::into).into(),
                }],
            }],
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
