//! The addresses of other programs that a source may use, as they are written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Secret;
use crate::config::at::{At, Named};

/// 企业微信的地址 `/cgi-bin/…`：只会发企业微信的程序把接口地址改成本服务。
/// WeCom's addresses `/cgi-bin/…`: a program that speaks WeCom points its base URL here.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct AsWecom {
    /// 自己定的 key：名字是接收者或消息推送，值放在地址的 `key=` 后面。
    /// Keys of your own: the name is a receiver or a webhook, the value stands behind `key=` in the address.
    pub keys: Option<At<Named<Secret>>>,
    /// 可以借它发消息的应用。The apps that it may send by.
    pub apps: Option<At<Vec<At<AppDoor>>>>,
    /// `wecom.webhooks` 里真正的 key 也收，给改不了 key 的程序。
    /// The real keys of `wecom.webhooks` are taken, too, for programs whose key cannot be changed.
    #[schemars(extend("default" = false))]
    pub own_keys: Option<At<bool>>,
    /// 应用消息只能发给这些 userid；不写则不限。Messages of apps go to these userids only; default: to all.
    pub allow_users: Option<At<Vec<At<String>>>>,
    /// `/cgi-bin/` 下其他接口原样转给企业微信。Other calls under `/cgi-bin/` are passed on to WeCom.
    #[schemars(extend("default" = false))]
    pub pass_through: Option<At<bool>>,
    /// 不原样转发，而是当作告警来读：有状态、路由和卡片。
    /// Read as alerts, with state, routes and cards, instead of being relayed as they are.
    #[schemars(extend("default" = false))]
    pub read: Option<At<bool>>,
}

/// 一个应用的入口。The way in to an app.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct AppDoor {
    /// 应用名，见 wecom.apps。Name of an app in wecom.apps.
    pub app: At<String>,
    /// 对方填的 corpsecret；自己定，不要用企业微信的那个。
    /// What the program gives as corpsecret: one of your own, never WeCom's.
    pub secret: At<Secret>,
    /// 送不到时用这个接收者的 `fallback`，语言也随它。The receiver whose `fallback` and language its messages have.
    pub receiver: Option<At<String>>,
}

/// 别的群机器人或推送服务的地址。The address of another chat's robot or of a push service.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Robot {
    /// 令牌：名字是接收者、消息推送，或 `"*"`（按路由），值是地址里的令牌。
    /// Tokens: the name is a receiver, a webhook or `"*"` (by the routes), the value is the token in the address.
    pub tokens: Option<At<Named<Secret>>>,
    /// 加签密钥（钉钉、飞书）。The secret that signs (DingTalk, Feishu).
    pub secret: Option<At<Secret>>,
    /// 正文里的“@所有人”真的 @ 所有人。"At all" in a body mentions everybody.
    #[schemars(extend("default" = false))]
    pub mention_all: Option<At<bool>>,
    /// 请求里写的成员由这个应用通知（prometheusalert 的 `wxuser`，bougou 的 `to_user`）。
    /// The app that tells the members named in a call (`wxuser` of prometheusalert, `to_user` of bougou).
    pub app: Option<At<String>>,
}
