//! Who may post, as it is written.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::peers::Basic;
use super::{AsWecom, Robot, Secret};
use crate::config::at::{At, Several};
use crate::config::doors::services;
use crate::config::{Algorithm, Encoding, TimeUnit};

/// A struct with the credentials that a source or an entry of its `all` may name, and what else `$else` has.
macro_rules! proving {
    ($(#[$outer:meta])* $name:ident { $($(#[$doc:meta])* $field:ident: $kind:ty,)* }) => {
        #[derive(Debug, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        $(#[$outer])*
        pub(in crate::config) struct $name {
            /// `Authorization: Bearer …`；轮换时可写成列表。May be a list while a token is replaced.
            pub bearer: Option<At<Several<Secret>>>,
            /// 代替 Bearer 的词，例如 `Token`、`ApiKey`。The word in place of Bearer, for example `Token`, `ApiKey`.
            #[schemars(extend("default" = "Bearer"))]
            pub scheme: Option<At<String>>,
            /// `Authorization: Basic …`，写在 URL 里的用户名密码也是它。Also user and password in a URL.
            pub basic: Option<At<Several<Basic>>>,
            /// 某个请求头的整个值，例如 X-Gitlab-Token、不带 Bearer 的 Authorization。
            /// The whole value of a header, for example X-Gitlab-Token, or Authorization without Bearer.
            pub header: Option<At<Several<NamedSecret>>>,
            /// URL 参数里的令牌，例如 ?token=；只给不能设请求头的发送方用。
            /// A token in the query, for example ?token=; only for senders that cannot set a header.
            pub query: Option<At<Several<NamedSecret>>>,
            /// 路径里的令牌：`/webhook/t/令牌`；只给会丢掉 URL 参数的发送方用。
            /// A token in the path, `/webhook/t/TOKEN`; only for senders that drop the query.
            pub path: Option<At<Several<Secret>>>,
            /// HMAC 签名。An HMAC signature.
            pub hmac: Option<At<Several<Hmac>>>,
            /// 亚马逊 SNS 的证书签名。The certificate signature of Amazon SNS.
            pub sns: Option<At<Sns>>,
            /// 华为云 SMN 的证书签名。The certificate signature of Huawei SMN.
            pub smn: Option<At<Smn>>,
            /// 客户端证书，在 `listen_tls` 的地址上出示。A client certificate, shown at the address of `listen_tls`.
            pub client_cert: Option<At<ClientCert>>,
            /// 发送方的地址（CIDR），在别的证明之外还须符合。
            /// Addresses of the sender (CIDR), demanded besides another proof.
            pub addresses: Option<At<Vec<At<String>>>>,
            $($(#[$doc])* pub $field: $kind,)*
        }

        impl $name {
            /// The credentials in it.
            pub fn credentials(&self) -> Credentials<'_> {
                let Self { bearer, scheme, basic, header, query, path, hmac, sns, smn, client_cert, .. } = self;
                Credentials {
                    bearer: bearer.as_ref(),
                    scheme: scheme.as_ref(),
                    basic: basic.as_ref(),
                    header: header.as_ref(),
                    query: query.as_ref(),
                    path: path.as_ref(),
                    hmac: hmac.as_ref(),
                    sns: sns.as_ref(),
                    smn: smn.as_ref(),
                    client_cert: client_cert.as_ref(),
                }
            }
        }
    };
}

/// A source: what proves it, what else is known of it, and the addresses of other programs.
macro_rules! source {
    (
        { $($inner:tt)* }
        $($(#[$doc:meta])* $robot:ident = $key:ident,)*
    ) => {
        proving! {
            /// 来源：怎样证明自己（任一种成立即放行），只能投递给谁，有没有心跳告警。
            /// A source: how it proves itself (any one of these lets a request in), to whom it may post, whether it has a watchdog.
            Source {
                $($inner)*
                $($(#[$doc])* $key: Option<At<Robot>>,)*
            }
        }

        impl Source {
            /// The addresses of other programs that are written, besides WeCom's.
            pub fn robots(&self) -> impl Iterator<Item = (crate::config::Robot, &At<Robot>)> {
                let all = [$((crate::config::Robot::$robot, self.$key.as_ref()),)*];
                all.into_iter().filter_map(|(robot, written)| Some((robot, written?)))
            }
        }
    };
}

services! { source {
    /// 地址本身就算证明。An address is proof enough.
    #[schemars(extend("default" = false))]
    allow_addresses_alone: Option<At<bool>>,
    /// 这些必须同时成立。All of these must hold at once.
    all: Option<At<Vec<At<Proof>>>>,
    /// 只能投递给这些接收者；默认不限。It may post only to these receivers; default: to all.
    receivers: Option<At<Vec<At<String>>>>,
    /// 心跳告警：一直在触发的告警，太久没来说明这条路断了。
    /// An alert that always fires: if it stays away, alerts no longer come through, and the `alarm` is raised.
    watchdog: Option<At<Watchdog>>,
    /// 它的告警里说明关于什么的标签，从大到小。Labels that make the object of its alerts, wide to narrow.
    object: Option<At<Vec<At<String>>>>,
    /// 说明在哪里的标签，从大到小。Labels that tell where it is, widest first.
    place: Option<At<Vec<At<String>>>>,
    /// 消息里从不显示的标签。Labels that messages never show.
    hidden: Option<At<Vec<At<String>>>>,
    /// 企业微信的地址 `/cgi-bin/…`。WeCom's addresses.
    wecom: Option<At<AsWecom>>,
} }

proving! {
    /// `all` 里的一项证明。One of several proofs that are demanded at once.
    #[schemars(extend("minProperties" = 1))]
    Proof {}
}

/// What is written of credentials, in a source or in an entry of its `all`.
#[derive(Clone, Copy)]
pub(in crate::config) struct Credentials<'a> {
    pub bearer: Option<&'a At<Several<Secret>>>,
    pub scheme: Option<&'a At<String>>,
    pub basic: Option<&'a At<Several<Basic>>>,
    pub header: Option<&'a At<Several<NamedSecret>>>,
    pub query: Option<&'a At<Several<NamedSecret>>>,
    pub path: Option<&'a At<Several<Secret>>>,
    pub hmac: Option<&'a At<Several<Hmac>>>,
    pub sns: Option<&'a At<Sns>>,
    pub smn: Option<&'a At<Smn>>,
    pub client_cert: Option<&'a At<ClientCert>>,
}

/// 客户端证书：由 `ca` 签发，名字是 `name`。A client certificate that `ca` issued, for `name`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct ClientCert {
    /// 签发它的 CA 的证书（PEM）。The certificates (PEM) of the authority that issued it.
    pub ca: At<PathBuf>,
    /// 证书里的名字：DNS 名、IP 或 CN；不写则这个 CA 签发的都行。
    /// The name in it: a DNS name, an address, or the CN; default: any that this authority issued.
    pub name: Option<At<String>>,
}

/// 亚马逊 SNS：证书从 sns.区域.amazonaws.com 取。Amazon SNS: certificates come from sns.REGION.amazonaws.com.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Sns {
    /// 收哪些主题（ARN）。The topics that are taken, by their ARN.
    #[schemars(extend("minItems" = 1))]
    pub topics: At<Vec<At<String>>>,
    /// 自动确认订阅。Confirm subscriptions without asking.
    #[schemars(extend("default" = false))]
    pub confirm: Option<At<bool>>,
}

/// 华为云 SMN：证书只从 `hosts` 里的域名取。Huawei SMN: certificates come only from the domains in `hosts`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Smn {
    /// 收哪些主题（URN）。The topics that are taken, by their URN.
    #[schemars(extend("minItems" = 1))]
    pub topics: At<Vec<At<String>>>,
    /// 证书和确认链接的域名。Domains of certificates and of the links that confirm.
    #[schemars(extend("default" = ["myhuaweicloud.com"]))]
    pub hosts: Option<At<Vec<At<String>>>>,
    /// 自动确认订阅。Confirm subscriptions without asking.
    #[schemars(extend("default" = false))]
    pub confirm: Option<At<bool>>,
}

/// 一个名字和它应有的值。A name and the value that it must have.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct NamedSecret {
    /// 请求头或参数的名字。Name of the header or parameter.
    pub name: At<String>,
    /// 它的值。Its value.
    pub value: At<Secret>,
}

/// HMAC 签名：`preset` 是已知的发送方，别的键可以改它。
/// An HMAC signature: `preset` names a known sender, the other keys change it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Hmac {
    /// 与发送方里填的密钥相同。The secret that is set at the sender.
    pub secret: At<Secret>,
    /// 发送方。The sender.
    #[schemars(extend("default" = "grafana"))]
    pub preset: Option<At<Preset>>,
    /// 签名所在的请求头。The header with the signature.
    #[schemars(extend("default" = "X-Grafana-Alerting-Signature"))]
    pub header: Option<At<String>>,
    /// 时间戳所在的请求头；不写则请求可被重放。The header with the time; without it a request can be replayed.
    pub timestamp_header: Option<At<String>>,
    /// 时间戳的单位。Unit of the time.
    #[schemars(extend("default" = "s"))]
    pub timestamp_unit: Option<At<TimeUnit>>,
    /// 时间戳与本机最多差多久，1s 到 1h。How far the time may be from ours, 1s to 1h.
    #[schemars(extend("default" = "5m", "pattern" = "^([0-9]+[smhd])+$"))]
    pub tolerance: Option<At<String>>,
    /// 签的是什么：{method} {path} {query} {timestamp} {header:名字} {secret} {body} 和其他文字。
    /// What is signed: {method} {path} {query} {timestamp} {header:NAME} {secret} {body} and other text.
    pub signed: Option<At<String>>,
    /// 没有写 `signed` 时，时间戳和正文之间的文字。Between time and body where `signed` is not given.
    #[schemars(extend("default" = ":"))]
    pub separator: Option<At<String>>,
    /// 哈希算法。Hash function.
    #[schemars(extend("default" = "sha256"))]
    pub algorithm: Option<At<Algorithm>>,
    /// 签名前面的文字，例如 sha256=。What stands before the signature, for example sha256=.
    pub prefix: Option<At<String>>,
    /// 签名的写法。How the signature is written.
    #[schemars(extend("default" = "hex"))]
    pub encoding: Option<At<Encoding>>,
    /// 几个签名之间的字符。The character between several signatures.
    pub several: Option<At<String>>,
    /// 密钥的写法：原样，或 Base64（可带 whsec_）。How the secret is written: as it is, or Base64 (whsec_ may stand before it).
    #[schemars(extend("default" = "text"))]
    pub key: Option<At<KeyForm>>,
}

/// 已知的发送方。Known senders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::config) enum Preset {
    /// Grafana 12 及以后。Grafana 12 and later.
    Grafana,
    /// GitHub
    Github,
    /// Flux
    Flux,
    /// Sentry
    Sentry,
    /// `PagerDuty`
    Pagerduty,
    /// GitLab 的签名令牌。GitLab's signing token.
    Gitlab,
    /// Standard Webhooks
    StandardWebhooks,
    /// Slack
    Slack,
    /// 钉钉机器人的加签。A `DingTalk` robot's signature.
    Dingtalk,
    /// 飞书机器人的签名校验。A Feishu robot's signature.
    Feishu,
}

/// 密钥的写法。How a secret is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum KeyForm {
    /// 原样。As it is.
    #[default]
    Text,
    /// Base64
    Base64,
}

/// 一直在触发的告警。An alert that always fires.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Watchdog {
    /// 是哪条告警，写法同路由，全部满足才算。Which alert; written as in a route, all must match.
    #[schemars(extend("default" = ["alertname=\"Watchdog\""]))]
    pub matchers: Option<At<Vec<At<String>>>>,
    /// 多久没来就报警，1m 到 7d。Raise the alarm if it was not seen for so long, 1m to 7d.
    #[schemars(extend("default" = "15m", "pattern" = "^([0-9]+[smhd])+$"))]
    pub within: Option<At<String>>,
    /// 不发给人。false：不看它断没断，像别的告警一样发；也管 `InfoInhibitor`。
    /// Keep it from people. false: watch nothing and tell it like any other alert, `InfoInhibitor`, too.
    #[schemars(extend("default" = true))]
    pub swallow: Option<At<bool>>,
}
