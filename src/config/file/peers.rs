//! Whom wegraf talks with, as it is written: WeCom, upstreams, mail server, hooks.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Secret;
use crate::config::at::{At, Named};
use crate::config::{Tls, UpstreamKind};

/// 用户名和密码。User name and password.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Basic {
    /// 用户名。User name.
    pub username: At<String>,
    /// 密码。Password.
    pub password: At<Secret>,
}

/// 企业微信。WeCom.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct WeCom {
    /// 接口地址；私有部署或模拟器才需要改。Address of the API; changed for private deployments and the simulator.
    #[schemars(extend("default" = "https://qyapi.weixin.qq.com"))]
    pub api_url: Option<At<String>>,
    /// 智能机器人长连接地址；私有部署或模拟器才需要改。Where bots connect; changed for private deployments and the simulator.
    #[schemars(extend("default" = "wss://openws.work.weixin.qq.com"))]
    pub bot_url: Option<At<String>>,
    /// 企业微信里登录网页的地址；私有部署或模拟器才需要改。Where WeCom's browser signs in; changed for private deployments and the simulator.
    #[schemars(extend("default" = "https://open.weixin.qq.com"))]
    pub oauth_url: Option<At<String>>,
    /// 其他浏览器登录网页的地址；私有部署或模拟器才需要改。Where other browsers sign in; changed for private deployments and the simulator.
    #[schemars(extend("default" = "https://login.work.weixin.qq.com"))]
    pub login_url: Option<At<String>>,
    /// 访问企业微信的 HTTP 代理，可含用户名和密码。HTTP proxy to WeCom, which may hold a user name and password.
    pub proxy: Option<At<Secret>>,
    /// 额外信任的 CA 证书（PEM）。CA certificates (PEM) that are trusted besides the usual ones.
    pub ca_file: Option<At<PathBuf>>,
    /// 自建应用。Self-built apps.
    pub apps: Option<At<Named<App>>>,
    /// 群里的消息推送（原群机器人）。Webhooks of groups.
    pub webhooks: Option<At<Named<Webhook>>>,
    /// 智能机器人（长连接，不需要公网地址）。Bots: a long connection, no public address needed.
    pub bots: Option<At<Named<Bot>>>,
}

/// 自建应用。A self-built app.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct App {
    /// 企业 ID：管理后台 → 我的企业。Corp id, from 我的企业 in the admin console.
    pub corp_id: At<String>,
    /// 应用的 AgentId。The app's AgentId.
    pub agent_id: At<i64>,
    /// 应用的 Secret。The app's Secret.
    pub secret: At<Secret>,
    /// 接收消息服务器：有它卡片才有按钮；地址填 `{external_url}/wecom/callback/{应用名}`。
    /// The app's callback: with it cards have buttons; its URL is `{external_url}/wecom/callback/{app}`.
    pub callback: Option<At<Callback>>,
}

/// 接收消息服务器的配置。Settings of an app's callback.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Callback {
    /// Token.
    pub token: At<Secret>,
    /// EncodingAESKey，43 个字符。EncodingAESKey, 43 characters.
    pub encoding_aes_key: At<Secret>,
}

/// 消息推送（原群机器人）：`key` 或 `keys`，二选一。A webhook of a group: one of `key` and `keys`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["key"] }, { "required": ["keys"] }]))]
pub(in crate::config) struct Webhook {
    /// Webhook 地址里 key= 后面的部分，整个地址也可以。What follows key= in its URL; the whole URL will do.
    pub key: Option<At<Secret>>,
    /// 同一个群里的几个消息推送，分担每分钟 20 条的限制，最多 10 个。
    /// Several webhooks of the same group, which share its load (each takes 20 messages a minute); at most 10.
    #[schemars(extend("minItems" = 1, "maxItems" = 10))]
    pub keys: Option<At<Vec<At<Secret>>>>,
}

/// 智能机器人。A bot.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Bot {
    /// 机器人 ID。The bot's id.
    pub bot_id: At<String>,
    /// 机器人 Secret。The bot's secret.
    pub secret: At<Secret>,
}

/// 可以做静默的上游；身份用 `token`、`bearer`、`basic` 之一。
/// Where silences are made; one of `token`, `bearer` and `basic` says who we are.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Upstream {
    /// 种类。Kind.
    pub kind: At<UpstreamKind>,
    /// 根地址，不带 /api；与告警里的 externalURL 相同时，静默自动找到它。
    /// Its root, without /api; where alerts name the same externalURL, their silences find it by themselves.
    pub url: At<String>,
    /// 其他副本的根地址：副本之间不共享告警，都要去看。静默只做在 `url` 上。
    /// Roots of its other peers, which do not share alerts, so that each is asked. Silences are made at `url`.
    #[schemars(extend("maxItems" = 8))]
    pub peers: Option<At<Vec<At<String>>>>,
    /// Grafana 服务账号令牌。Token of a Grafana service account.
    pub token: Option<At<Secret>>,
    /// 令牌，作为 `Authorization: Bearer …` 发出。Token, sent as `Authorization: Bearer …`.
    pub bearer: Option<At<Secret>>,
    /// `Authorization: Basic …`
    pub basic: Option<At<Basic>>,
    /// 额外信任的 CA 证书（PEM）。CA certificates (PEM) that are trusted besides the usual ones.
    pub ca_file: Option<At<PathBuf>>,
    /// 哪些来源的告警属于它；externalURL 对不上时用。
    /// Names of sources whose alerts belong to it; used where the externalURL does not tell.
    pub sources: Option<At<Vec<At<String>>>>,
    /// Grafana 组织 ID：令牌属于哪个组织，就只管那个组织的告警。
    /// Id of the Grafana organisation that the token belongs to: only its alerts are silenced there.
    #[schemars(extend("minimum" = 1))]
    pub org_id: Option<At<i64>>,
    /// Mimir、Cortex 的租户（请求头 `X-Scope-OrgID`），只用于 prometheus。
    /// The tenant of a Mimir or Cortex (header `X-Scope-OrgID`); for the kind prometheus only.
    pub tenant: Option<At<String>>,
    /// 静默时不用的标签：各副本不同的，或上游的告警本身没有的。
    /// Labels that a silence leaves out: those that differ per replica, or that the alert upstream does not have.
    #[schemars(extend("default" = ["replica", "prometheus_replica", "__replica__"]))]
    pub ignore_labels: Option<At<Vec<At<String>>>>,
    /// 告警在上游的所有副本里消失多久才算恢复，3s 到 1h。
    /// How long an alert must be away from all peers upstream before it counts as over, 3s to 1h.
    #[schemars(extend("default" = "2m", "pattern" = "^([0-9]+[smhd])+$"))]
    pub gone_after: Option<At<String>>,
}

/// 邮件服务器。A mail server.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Smtp {
    /// 主机名或 IP。Name or address of the server.
    pub host: At<String>,
    /// 端口，默认 587；`tls: tls` 时 465。Port; default: 587, with `tls: tls` 465.
    #[schemars(extend("minimum" = 1, "maximum" = 65535))]
    pub port: Option<At<i64>>,
    /// 加密方式：starttls（先明文再升级）、tls（从头加密）、none（不加密）。
    /// Encryption: starttls (plain, then upgraded), tls (from the start), none.
    #[schemars(extend("default" = "starttls"))]
    pub tls: Option<At<Tls>>,
    /// 额外信任的 CA 证书（PEM）。CA certificates (PEM) that are trusted besides the usual ones.
    pub ca_file: Option<At<PathBuf>>,
    /// 用户名；不写就不登录。User name; without it there is no login.
    pub username: Option<At<String>>,
    /// 密码。Password.
    pub password: Option<At<Secret>>,
    /// 发件人地址。Address of the sender.
    pub from: At<String>,
}

/// 通用 webhook：消息作为 JSON 发到这个地址。A generic webhook: messages are posted there as JSON.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Hook {
    /// 地址。Address.
    pub url: At<Secret>,
    /// 令牌，作为 `Authorization: Bearer …` 发出。Token, sent as `Authorization: Bearer …`.
    pub bearer: Option<At<Secret>>,
}

/// 一切正常时定期访问的地址。A URL that is called as long as all is well.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Heartbeat {
    /// 地址。Address.
    pub url: At<Secret>,
    /// 多久访问一次，10s 到 1h。How often, 10s to 1h.
    #[schemars(extend("default" = "1m", "pattern" = "^([0-9]+[smhd])+$"))]
    pub interval: Option<At<String>>,
}

/// 用 OTLP（HTTP，protobuf）把 trace 发到哪里。Where traces go, by OTLP over HTTP with protobuf.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Traces {
    /// 收集器的地址，例如 `http://127.0.0.1:4318`；不以 /v1/traces 结尾时自动加上。
    /// The collector's address, for example `http://127.0.0.1:4318`; /v1/traces is added unless it ends so.
    pub otlp: At<Secret>,
    /// 每个请求带的 HTTP 头，例如令牌。HTTP headers of each request, for example a token.
    pub headers: Option<At<Named<Secret>>>,
    /// 多大一份通知留下 trace，0 到 1；请求带 traceparent 时听它的。
    /// The share of notifications that are traced, 0 to 1; a request's `traceparent` decides for itself.
    #[schemars(extend("default" = 1, "minimum" = 0, "maximum" = 1))]
    pub sample: Option<At<f64>>,
}

/// wegraf 自己出问题时告诉谁。Who is told when wegraf itself has trouble.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Alarm {
    /// 接收者的名字。Name of a receiver.
    pub receiver: At<String>,
}
