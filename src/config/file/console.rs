//! The console as it is written: who may do what there, and how people sign in.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{At, MayAct, Named, Secret};

/// 浏览器里的控制台。The console in the browser.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Console {
    /// 谁可以看全部告警和投递；默认每个人看到自己收到的、可以操作的。Who may look at all alerts and deliveries; default: everybody sees what they receive or may act on.
    pub may_look: Option<At<MayAct>>,
    /// 谁可以在控制台里重发、撤回消息；默认能操作告警的人。Who may send messages again and take them back; default: those who may act on the alert.
    pub may_resend: Option<At<MayAct>>,
    /// 谁可以结束别人的登录、保存模板和映射、重发任何消息；也可以看全部。Who may end the sessions of others, save templates and mappings, and send anything again; they see everything, too.
    pub may_change: Option<At<MayAct>>,
    /// 用企业微信登录：可信域名是 `external_url` 的那个应用的名字；不写就不能这样登录。
    /// Sign-in by WeCom: the name of the app whose trusted domain is that of `external_url`; without it there is none.
    pub wecom: Option<At<String>>,
    /// 企业微信的域名校验文件（`WW_verify_….txt`），由网关在根路径提供。WeCom's proof of the domain, served at the root.
    pub domain_proof: Option<At<PathBuf>>,
    /// 前面的代理已经认出是谁。A proxy in front knows who it is.
    pub proxy: Option<At<ConsoleProxy>>,
    /// 控制台可以往哪些目录里保存模板和映射；默认都不可以。The folders into which the console may save templates and mappings; default: none.
    pub write: Option<At<Vec<At<PathBuf>>>>,
    /// 本地管理员：名字和密码的 argon2id 哈希，由 `wegraf console password` 生成。企业微信不通时也能登录，能看全部、做一切。
    /// Local administrators: a name, and the argon2id hash of a password as `wegraf console password` makes it. They sign in also while WeCom is down, see everything and may do everything.
    pub local: Option<At<Named<Secret>>>,
}

/// 代理写明登录的人的请求头，只信 `trusted_proxies` 里的。The header in which a proxy of `trusted_proxies` names who signed in.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct ConsoleProxy {
    /// 请求头，值是 userid，例如 `X-Forwarded-User`。The header, whose value is a userid.
    pub header: At<String>,
}
