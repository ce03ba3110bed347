//! The file as it is written: keys, shapes, and what each means. The JSON Schema is made from these types, so
//! their sentences are what an editor shows; people read Chinese first.

use std::fmt;
use std::path::PathBuf;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use secrecy::SecretString;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::at::{At, Named};
use super::{Face, Language, UpstreamKind};
use crate::ingest::generic::Mapping;

/// wegraf 的配置文件。The configuration of wegraf.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "wegraf.yaml")]
pub(super) struct File {
    /// 监听地址，默认 127.0.0.1:8080；非本机地址需要 `sources`，或明确写 `allow_anonymous: true`。
    /// Where to listen; an address that is not loopback needs `sources` or an explicit `allow_anonymous: true`.
    #[schemars(extend("default" = "127.0.0.1:8080"))]
    pub listen: Option<At<String>>,
    /// 别人访问本服务的地址，用于消息里的链接；不写就没有这些链接。
    /// How people reach this server, for links in messages; without it there are none.
    pub external_url: Option<At<String>>,
    /// 数据库，默认 sqlite:wegraf.db（相对于配置文件所在目录）。
    /// Where alerts are kept, relative to the folder of this file.
    #[schemars(extend("default" = "sqlite:wegraf.db"))]
    pub database: Option<At<String>>,
    /// 消息语言：zh 或 en。Language of messages.
    #[schemars(extend("default" = "zh"))]
    pub language: Option<At<Language>>,
    /// 消息里的时区。Time zone of times in messages.
    #[schemars(extend("default" = "Asia/Shanghai"))]
    pub timezone: Option<At<String>>,
    /// 允许不证明身份的来源投递告警。Take alerts without proof of source.
    #[schemars(extend("default" = false))]
    pub allow_anonymous: Option<At<bool>>,
    /// 谁可以投递告警，任一匹配即可；名字会记在每条告警上。
    /// Who may post; any that matches lets a request in, and its name is recorded.
    pub sources: Option<At<Named<Source>>>,
    /// 企业微信的应用、消息推送（webhook）和智能机器人。Apps, webhooks and bots of WeCom.
    pub wecom: Option<At<WeCom>>,
    /// 可以做静默的上游（本版本只检查，尚不使用）。
    /// Where silences are made (checked but not acted on in this version).
    pub upstreams: Option<At<Named<Upstream>>>,
    /// 接收者：一个名字对应一个或多个目标。Receivers: a name for one or more targets.
    pub receivers: Option<At<Named<Receiver>>>,
    /// 路由树，含义与 Alertmanager 相同；只有一个接收者时可以不写。
    /// The tree of routes, as in Alertmanager; may be left out if there is one receiver.
    pub route: Option<At<Root>>,
    /// 自己的消息模板，可用 * 和 ?；duty.j2 是模板 duty，duty.zh.j2、duty.markdown.j2 只用于那种语言或样式。
    /// Your own message templates; * and ? are understood. duty.j2 is the template duty, duty.zh.j2 and
    /// duty.markdown.j2 are for that language or face only.
    pub templates: Option<At<Vec<At<String>>>>,
    /// 其他形状的 JSON 怎么读，先于内置的映射。How JSON of other shapes is read; asked before the shipped mappings.
    pub payloads: Option<At<Vec<At<Mapping>>>>,
    /// 告警里的图片。Pictures of alerts.
    pub images: Option<At<Images>>,
}

/// 密钥：直接写、{ env: 环境变量 } 或 { file: 文件 }。A secret: plain, from the environment, or from a file.
pub(super) enum Secret {
    Plain(SecretString),
    Env(String),
    File(PathBuf),
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(_) => f.write_str("[REDACTED]"),
            Self::Env(name) => write!(f, "env {name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
        }
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "snake_case")]
        enum Elsewhere {
            Env(String),
            File(PathBuf),
        }
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Secret;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, { env: NAME } or { file: PATH }")
            }
            fn visit_str<E>(self, text: &str) -> Result<Secret, E> {
                Ok(Secret::Plain(text.into()))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Secret, A::Error> {
                Ok(match Elsewhere::deserialize(MapAccessDeserializer::new(map))? {
                    Elsewhere::Env(name) => Secret::Env(name),
                    Elsewhere::File(path) => Secret::File(path),
                })
            }
        }
        deserializer.deserialize_str(Any)
    }
}

impl JsonSchema for Secret {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let elsewhere = |key: &str, description: &str| {
            json_schema!({
                "type": "object",
                "properties": { key: { "type": "string", "description": description } },
                "required": [key],
                "additionalProperties": false,
            })
        };
        json_schema!({
            "description": "密钥：直接写、{ env: 环境变量 } 或 { file: 文件 }。A secret: plain, from the environment, or from a file.",
            "oneOf": [
                { "type": "string", "minLength": 1 },
                elsewhere("env", "环境变量名。Name of an environment variable."),
                elsewhere("file", "文件路径，末尾换行会去掉。Path of a file; a newline at its end is dropped."),
            ],
        })
    }
}

/// 来源怎样证明自己，三选一。How a source proves itself, one of three.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Source {
    /// `Authorization: Bearer …`
    Bearer(At<Secret>),
    /// `Authorization: Basic …`
    Basic {
        /// 用户名。User name.
        username: At<String>,
        /// 密码。Password.
        password: At<Secret>,
    },
    /// Grafana 的 HMAC 签名。Grafana's HMAC signature.
    Hmac {
        /// 与 Grafana 里填的密钥相同。The secret that is set in Grafana.
        secret: At<Secret>,
        /// 签名所在的请求头。The header with the signature.
        #[schemars(extend("default" = "X-Grafana-Alerting-Signature"))]
        header: Option<At<String>>,
        /// 时间戳所在的请求头；不写则请求可被重放。The header with the time; without it a request can be replayed.
        timestamp_header: Option<At<String>>,
    },
}

/// 企业微信。WeCom.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WeCom {
    /// 接口地址；私有部署或模拟器才需要改。Address of the API; changed for private deployments and the simulator.
    #[schemars(extend("default" = "https://qyapi.weixin.qq.com"))]
    pub api_url: Option<At<String>>,
    /// 智能机器人长连接地址（本版本尚不使用）。Address for bots (not acted on in this version).
    pub bot_url: Option<At<String>>,
    /// 访问企业微信的 HTTP 代理，可含用户名和密码。HTTP proxy to WeCom, which may hold a user name and password.
    pub proxy: Option<At<Secret>>,
    /// 额外信任的 CA 证书（PEM）。CA certificates (PEM) that are trusted besides the usual ones.
    pub ca_file: Option<At<PathBuf>>,
    /// 自建应用。Self-built apps.
    pub apps: Option<At<Named<App>>>,
    /// 群里的消息推送（原群机器人）。Webhooks of groups.
    pub webhooks: Option<At<Named<Webhook>>>,
    /// 智能机器人（本版本尚不使用）。Bots (not acted on in this version).
    pub bots: Option<At<Named<Bot>>>,
}

/// 自建应用。A self-built app.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct App {
    /// 企业 ID：管理后台 → 我的企业。Corp id, from 我的企业 in the admin console.
    pub corp_id: At<String>,
    /// 应用的 AgentId。The app's AgentId.
    pub agent_id: At<i64>,
    /// 应用的 Secret。The app's Secret.
    pub secret: At<Secret>,
    /// 接收消息服务器（本版本尚不使用）。The app's callback (not acted on in this version).
    pub callback: Option<At<Callback>>,
}

/// 接收消息服务器的配置。Settings of an app's callback.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Callback {
    /// Token.
    pub token: At<Secret>,
    /// EncodingAESKey，43 个字符。EncodingAESKey, 43 characters.
    pub encoding_aes_key: At<Secret>,
}

/// 消息推送（原群机器人）。A webhook of a group.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Webhook {
    /// Webhook 地址里 key= 后面的部分，整个地址也可以。What follows key= in its URL; the whole URL will do.
    pub key: At<Secret>,
}

/// 智能机器人。A bot.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Bot {
    /// 机器人 ID。The bot's id.
    pub bot_id: At<String>,
    /// 机器人 Secret。The bot's secret.
    pub secret: At<Secret>,
}

/// 可以做静默的上游。Where silences are made.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Upstream {
    /// 种类。Kind.
    pub kind: At<UpstreamKind>,
    /// 地址。Address.
    pub url: At<String>,
    /// Grafana 服务账号令牌。Token of a Grafana service account.
    pub token: Option<At<Secret>>,
}

/// 接收者。A receiver.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Receiver {
    /// 消息语言，默认同全局。Language of its messages; default: the global one.
    pub language: Option<At<Language>>,
    /// 时区，默认同全局。Its time zone; default: the global one.
    pub timezone: Option<At<String>>,
    /// 自己的模板名：文件名第一个点之前的部分；不写用内置模板。Name of your template, the file name up to its first dot; default: the shipped ones.
    pub template: Option<At<String>>,
    /// 消息发到哪里，至少一个。Where its messages go, at least one.
    pub targets: At<Vec<At<Target>>>,
    /// 恢复时也发。Tell that an alert is over.
    #[schemars(extend("default" = true))]
    pub send_resolved: Option<At<bool>>,
    /// 上游重复的、没有变化的告警，隔多久才再发一次：30s、5m、1h、1d。
    /// How old the last message must be before an unchanged repeat from upstream is told.
    #[schemars(extend("default" = "1h", "pattern" = "^([0-9]+[smhd])+$"))]
    pub repeat_interval: Option<At<String>>,
    /// 全部失败时改用的接收者（本版本只检查，尚不使用）。
    /// Another receiver, used when nothing here gets through (checked but not acted on in this version).
    pub fallback: Option<At<String>>,
}

/// 一个企业微信地址：app 加成员、app 加群聊，或 webhook。
/// One address in WeCom: an app with members, an app with a chat, or a webhook.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Target {
    /// 应用名，见 wecom.apps。Name of an app in wecom.apps.
    pub app: Option<At<String>>,
    /// 成员 userid；`["@all"]` 是可见范围内所有人。Userids; `["@all"]` is everyone who can see the app.
    pub users: Option<At<Vec<At<String>>>>,
    /// 一行一个 userid 的文件，改动后自动重读。A file with one userid a line, read anew when it changes.
    pub users_file: Option<At<PathBuf>>,
    /// 部门 ID。Department ids.
    pub parties: Option<At<Vec<At<i64>>>>,
    /// 标签 ID。Tag ids.
    pub tags: Option<At<Vec<At<i64>>>>,
    /// 应用创建的群聊的 chatid。The chatid of a group chat that the app created.
    pub chat: Option<At<String>>,
    /// 消息推送名，见 wecom.webhooks。Name of a webhook in wecom.webhooks.
    pub webhook: Option<At<String>>,
    /// 智能机器人名（本版本尚不支持）。Name of a bot in wecom.bots (not in this version).
    pub bot: Option<At<String>>,
    /// 消息样式；默认：webhook 用 `markdown_v2`，其余 `markdown`。How messages look; default: `markdown_v2` for a webhook, else `markdown`.
    pub face: Option<At<Face>>,
    /// 要 @ 的 userid，或 `"@all"`。Userids to mention, or `"@all"`.
    pub mention: Option<At<Vec<At<String>>>>,
    /// 要 @ 的手机号（仅 webhook）。Mobile numbers to mention (webhook only).
    pub mention_mobiles: Option<At<Vec<At<String>>>>,
    /// 告警图片另发一条（样式本身放不下图片时）。Send the alert's picture as a message of its own where the face cannot show it.
    #[schemars(extend("default" = false))]
    pub image: Option<At<bool>>,
    /// 长消息最多分几条，1 表示截短。Into how many messages a long one may be split; 1: it is shortened.
    #[schemars(extend("default" = 1, "minimum" = 1, "maximum" = 8))]
    pub parts: Option<At<i64>>,
}

/// 根路由：接住所有告警。The root, which takes every alert.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Root {
    /// 没有路由匹配时的接收者。The receiver of what no route matches.
    pub receiver: At<String>,
    /// 子路由，从上到下。Routes, from the first to the last.
    pub routes: Option<At<Vec<At<Route>>>>,
}

/// 一条路由。A route.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Route {
    /// 接收者，不写则同上级。Its receiver; default: the parent's.
    pub receiver: Option<At<String>>,
    /// 全部满足才匹配，写法同 Alertmanager。All must match; written as in Alertmanager.
    pub matchers: Option<At<Vec<At<String>>>>,
    /// 匹配后继续看后面的路由。Go on to the routes below even if this one matches.
    #[serde(rename = "continue")]
    #[schemars(extend("default" = false))]
    pub continues: Option<At<bool>>,
    /// 子路由。Routes below this one.
    pub routes: Option<At<Vec<At<Route>>>>,
}

/// 告警里的图片。Pictures of alerts.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Images {
    /// 允许去哪些主机取图；默认都不取。Hosts from which pictures may be fetched; default: none.
    pub hosts: Option<At<Vec<At<String>>>>,
}
