//! The file as it is written: keys, shapes, and what each means. The JSON Schema is made from these types, so
//! their sentences are what an editor shows; people read Chinese first.

mod console;
mod dropins;
mod duty;
mod opening;
mod peers;
mod secret;
mod sources;

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::at::{At, Named, Several};
use super::{Area, ChartExpression, ChartTheme, ChartsOf, Face, Language};
use crate::ingest::generic::Mapping;
use crate::level::Level;
pub(super) use console::Console;
pub(super) use dropins::{AsWecom, Robot};
pub(super) use duty::{Crew, Directory, Holiday, MayAct, Only, Owners, Rota, Step, Substitute};
pub(super) use opening::Opening;
pub(super) use peers::{Alarm, App, Basic, Callback, Heartbeat, Hook, Smtp, Traces, Upstream, WeCom, Webhook};
pub(super) use secret::Secret;
pub(super) use sources::{ClientCert, Credentials, Hmac, KeyForm, Preset, Proof, Smn, Sns, Source, Watchdog};

/// wegraf 的配置文件。The configuration of wegraf.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "wegraf.yaml")]
pub(super) struct File {
    /// 监听地址，默认 127.0.0.1:8080；可以是 `unix:路径`，也可以写几个。非本机地址需要 `sources`，或明确写 `allow_anonymous: true`。
    /// Where to listen: IP:PORT, `unix:PATH`, or a list of them; an address that is not loopback needs `sources` or an
    /// explicit `allow_anonymous: true`.
    #[schemars(extend("default" = "127.0.0.1:8080"))]
    pub listen: Option<At<Several<Opening>>>,
    /// 前面的反向代理的地址或网段。只有它们发来的 `X-Forwarded-For`（没有时看 `Forwarded`）才算数；不写则都不看。
    /// Addresses or networks of reverse proxies in front. Their `X-Forwarded-For` (else `Forwarded`) is believed;
    /// from other addresses, and without this key, those headers are ignored.
    pub trusted_proxies: Option<At<Vec<At<String>>>>,
    /// 另外再开一个用 TLS 的地址；证书文件变了自动换，不断连接。
    /// A second address that speaks TLS; its files are read again when they change, without a closed connection.
    pub listen_tls: Option<At<ListenTls>>,
    /// 另外再开一个只给监控用的地址：/healthz、/readyz、/metrics；告警入口被挤满时它照样回答。
    /// A second address for monitoring alone (/healthz, /readyz, /metrics), which answers even if the other is crowded.
    pub listen_monitoring: Option<At<String>>,
    /// 内存上限（KB、MB、GB，1 KB = 1024 字节），至少 128MB；装不下的请求等待或得到 503，不会被杀。
    /// How much memory the process takes at most, at least 128MB; what does not fit waits, or is answered 503.
    #[schemars(extend("default" = "256MB", "pattern" = "^[0-9]+ ?[KMGT]B$"))]
    pub memory: Option<At<String>>,
    /// 别人访问本服务的地址，用于消息里的链接；不写就没有这些链接。
    /// How people reach this server, for links in messages; without it there are none.
    pub external_url: Option<At<String>>,
    /// 数据库：sqlite:文件（相对于配置文件所在目录），或 `postgres://用户:密码@主机/库`，后者也可以写成密钥。
    /// Where alerts are kept: sqlite:PATH, relative to the folder of this file, or
    /// `postgres://user:password@host/db`, which may be written like a secret.
    #[schemars(extend("default" = "sqlite:wegraf.db"))]
    pub database: Option<At<Secret>>,
    /// 一个副本失联多久后，别的副本接手它正在发的队列，5s 到 5m（仅 PostgreSQL）。
    /// How long a replica keeps a lane after it was last heard of, 5s to 5m (PostgreSQL only).
    #[schemars(extend("default" = "30s", "pattern" = "^([0-9]+[smhd])+$"))]
    pub lease: Option<At<String>>,
    /// 记录保留多久、多大。How long, and up to what size, the record is kept.
    pub retention: Option<At<Retention>>,
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
    /// 可以做静默的上游：告警从哪个 Alertmanager 或 Grafana 来，静默就做在哪里。
    /// Where silences are made: in the Alertmanager or Grafana that an alert came from.
    pub upstreams: Option<At<Named<Upstream>>>,
    /// 邮件服务器；有 `email` 目标时必填。The mail server; needed by `email` targets.
    pub smtp: Option<At<Smtp>>,
    /// 通用 webhook：名字和地址。Generic webhooks: names and addresses.
    pub hooks: Option<At<Named<Hook>>>,
    /// wegraf 自己出问题时告诉谁；不写就是路由根上的接收者。
    /// Who is told when wegraf itself has trouble; default: the receiver at the root of the route.
    pub alarm: Option<At<Alarm>>,
    /// 一切正常时定期访问的地址，停了由别人发现。
    /// A URL that is called as long as all is well, so that another program notices when it is not.
    pub heartbeat: Option<At<Heartbeat>>,
    /// 接收者：一个名字对应一个或多个目标。Receivers: a name for one or more targets.
    pub receivers: Option<At<Named<Receiver>>>,
    /// 值班表：名字到文件，改动后自动重读。Rotas: names and files, read anew when they change.
    pub rotas: Option<At<Named<PathBuf>>>,
    /// 告警归谁：标签值到人的名册。Whose alerts are: from values of labels to people.
    pub directory: Option<At<Directory>>,
    /// 谁可以操作（认领、静默）；默认收到消息的人。接收者可以另写。
    /// Who may act (acknowledge, silence); default: the people who received it. A receiver may say otherwise.
    pub may_act: Option<At<MayAct>>,
    /// 消息里的链接多久之内可以用来操作（认领、静默），1m 到 30d；之后只能查看。
    /// How long the links in messages let their visitors act, 1m to 30d; later they only read.
    #[schemars(extend("default" = "24h", "pattern" = "^([0-9]+[smhd])+$"))]
    pub act_links: Option<At<String>>,
    /// 浏览器里的控制台：谁可以看、可以改。The console in the browser: who may look and change.
    pub console: Option<At<Console>>,
    /// 路由树，含义与 Alertmanager 相同；只有一个接收者时可以不写。
    /// The tree of routes, as in Alertmanager; may be left out if there is one receiver.
    pub route: Option<At<Root>>,
    /// 自己的消息模板，可用 * 和 ?；duty.j2 是模板 duty，duty.zh.j2、duty.markdown.j2 只用于那种语言或样式。
    /// Your own message templates; * and ? are understood. duty.j2 is the template duty, duty.zh.j2 and
    /// duty.markdown.j2 are for that language or face only.
    pub templates: Option<At<Vec<At<String>>>>,
    /// 其他形状的 JSON 怎么读，先于内置的映射。How JSON of other shapes is read; asked before the shipped mappings.
    pub payloads: Option<At<Vec<At<Mapping>>>>,
    /// 放映射的文件，可用 * 和 ?；每个文件是一个列表，写法同 payloads，排在它后面。例如 [payloads.d/*.yaml]
    /// Files of mappings; * and ? are understood. Each holds a list as under `payloads`, behind which they are asked. For example [payloads.d/*.yaml]
    pub payload_files: Option<At<Vec<At<String>>>>,
    /// 你们自己的级别用词：词到 critical、error、warning、info，优先于内置的表。
    /// Your own words for severities: from words to critical, error, warning or info; they win over the shipped table.
    pub levels: Option<At<Named<Level>>>,
    /// 消息里的链接换成别人打得开的地址：`from` 开头的换成 `to`；内网主机名、localhost、私有 IP 的链接没有规则就不放进消息，配置里别处写着的 IP 除外。
    /// Links in messages made to lead somewhere: what begins with `from` begins with `to` instead. Without a rule, links
    /// to localhost, bare host names, cluster names and private addresses are left out of messages, but for addresses that
    /// the configuration names elsewhere.
    pub link_rewrites: Option<At<Vec<At<LinkRewrite>>>>,
    /// 告警里的图片。Pictures of alerts.
    pub images: Option<At<Images>>,
    /// 自动画的图表。Charts that wegraf draws.
    pub charts: Option<At<Charts>>,
    /// 把每条告警经过的每一步（收下、写、排、发、记）作为 trace 发给收集器。
    /// Traces: each stage of an alert's way as a span, sent to a collector.
    pub traces: Option<At<Traces>>,
}

/// 用 TLS 的地址。An address that speaks TLS.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListenTls {
    /// 地址，例如 `0.0.0.0:8443`。Where, for example `0.0.0.0:8443`.
    pub address: At<String>,
    /// 证书文件（PEM，服务器证书在前，后面是中间证书）。The certificate (PEM), the server's first, then the intermediate ones.
    pub certificate: At<PathBuf>,
    /// 私钥文件（PEM，不带口令）。Its key (PEM, without a passphrase).
    pub key: At<PathBuf>,
    /// 只给谁用，默认全部。Whom it serves; default: all.
    #[schemars(extend("minItems" = 1))]
    pub paths: Option<At<Vec<At<Area>>>>,
    /// 前面的四层代理（`trusted_proxies` 里的）用 PROXY 协议说明来访者的地址，在 TLS 之前。Proxies of `trusted_proxies` tell the
    /// sender's address by the PROXY protocol, before TLS.
    #[serde(default)]
    pub proxy_protocol: bool,
}

/// 一条链接改写。One rule for links.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LinkRewrite {
    /// 链接的开头，例如 `http://prometheus-k8s-0:9090`。What a link begins with.
    pub from: At<String>,
    /// 换成什么，例如 `https://prom.example.com`；与 `from` 相同表示原样保留。
    /// What it begins with instead; the same as `from`: the link stays as it is.
    pub to: At<String>,
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
    /// 全部失败时改用的接收者。Another receiver, used when nothing here gets through.
    pub fallback: Option<At<String>>,
    /// 消息等了多久还没送出，就（同时）发给 fallback。
    /// How long a message may wait before the fallback is told as well.
    pub fallback_after: Option<At<FallbackAfter>>,
    /// 没人认领时一步步升级。Who is told, step by step, as long as no one acknowledges.
    pub escalate: Option<At<Vec<At<Step>>>>,
    /// 谁可以操作，默认同全局。Who may act on what it gets; default: the global rule.
    pub may_act: Option<At<MayAct>>,
    /// 从这些标签找负责人并 @ 他们，依次找，找到为止（群聊和 webhook）。
    /// Labels that say whose an alert is: the first by which a person is found is mentioned (chats and webhooks).
    pub mention_from: Option<At<Vec<At<String>>>>,
    /// 说明告警是关于什么的标签，从大到小；自带的规则认不出时用。
    /// Labels that make the object of an alert, wide to narrow, before those that wegraf knows.
    pub object: Option<At<Vec<At<String>>>>,
    /// 说明在哪里的标签，从大到小。Labels that tell where it is, widest first, before those that wegraf knows.
    pub place: Option<At<Vec<At<String>>>>,
    /// 消息里从不显示的标签。Labels that messages never show.
    pub hidden: Option<At<Vec<At<String>>>>,
}

/// 消息最多等多久。How long a message may wait.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FallbackAfter {
    /// 含严重告警的消息。A message that holds a critical alert.
    #[schemars(extend("default" = "2m", "pattern" = "^([0-9]+[smhd])+$"))]
    pub critical: Option<At<String>>,
    /// 其余的消息。Any other message.
    #[schemars(extend("default" = "15m", "pattern" = "^([0-9]+[smhd])+$"))]
    pub other: Option<At<String>>,
}

/// 一个地址：app 加成员、app 加群聊、webhook、bot 加会话、email 或 hook。
/// One address: an app with members, an app with a chat, a webhook, a bot with a conversation, email or a hook.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Target {
    /// 应用名，见 wecom.apps。Name of an app in wecom.apps.
    pub app: Option<At<String>>,
    /// 成员 userid；`["@all"]` 是可见范围内所有人。Userids; `["@all"]` is everyone who can see the app.
    pub users: Option<At<Vec<At<String>>>>,
    /// 一行一个 userid 的文件，改动后自动重读。A file with one userid a line, read anew when it changes.
    pub users_file: Option<At<PathBuf>>,
    /// `users` 里在微信（不在企业微信）里看消息的人：他们收文本，其他人收 `face`。
    /// Those of `users` who read in WeChat and not in WeCom: they get a text, the others the face.
    pub plain: Option<At<Vec<At<String>>>>,
    /// 值班表名：发给当班的人；名字/backup 是二线。Name of a rota: the person on duty; NAME/backup is its second line.
    pub on_call: Option<At<String>>,
    /// 部门 ID。Department ids.
    pub parties: Option<At<Vec<At<i64>>>>,
    /// 标签 ID。Tag ids.
    pub tags: Option<At<Vec<At<i64>>>>,
    /// 应用创建的群聊的 chatid；bot 的会话：单聊写 userid，群聊写 chatid。
    /// The chatid of a group chat that the app created; of a bot, a userid or the chatid of a group.
    pub chat: Option<At<String>>,
    /// 消息推送名，见 wecom.webhooks。Name of a webhook in wecom.webhooks.
    pub webhook: Option<At<String>>,
    /// 智能机器人名，见 wecom.bots；会话写在 chat 里。Name of a bot in wecom.bots; the conversation stands in chat.
    pub bot: Option<At<String>>,
    /// 邮件地址，1–100 个；需要 `smtp`。Mail addresses, 1 to 100; needs `smtp`.
    pub email: Option<At<Vec<At<String>>>>,
    /// 通用 webhook 名，见 hooks。Name of a generic webhook in hooks.
    pub hook: Option<At<String>>,
    /// 消息样式；默认：webhook 和 bot 用 `markdown_v2`，email 和 hook 用 `text`，其余 `markdown`。
    /// How messages look; default: `markdown_v2` for a webhook and a bot, `text` for email and hooks, else `markdown`.
    pub face: Option<At<Face>>,
    /// 要 @ 的 userid、`"@all"`，或 `"on_call:值班表"`。Userids to mention, `"@all"`, or `"on_call:NAME"`.
    pub mention: Option<At<Vec<At<String>>>>,
    /// 从这些标签找负责人并 @ 他们，默认同接收者。Labels that say whom to mention; default: the receiver's.
    pub mention_from: Option<At<Vec<At<String>>>>,
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

/// 图表：从种类为 `prometheus` 的上游取数据，画成图，放进消息。需要 `external_url`。
/// Charts of series that upstreams of the kind `prometheus` hold, as pictures in messages. They need `external_url`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Charts {
    /// 哪些告警带图：critical 严重的，all 全部，off 都不带。Which alerts have one: critical ones, all, none.
    #[serde(rename = "for")]
    #[schemars(extend("default" = "critical"))]
    pub of: Option<At<ChartsOf>>,
    /// 配色。Colours.
    #[schemars(extend("default" = "light"))]
    pub theme: Option<At<ChartTheme>>,
    /// 没有图的文字消息里，走势后面加八个小方块 ▁▂▃▄▅▆▇█。Eight bars behind the course in words, in texts without a picture.
    #[schemars(extend("default" = false))]
    pub bars: Option<At<bool>>,
    /// 补充字体（TTF、OTF），给内置字体缺的字。A font (TTF, OTF) for characters that the shipped one lacks.
    pub font: Option<At<PathBuf>>,
    /// 信任哪里的表达式：rules 只用上游规则列表里有的；body 告警里写的就用。
    /// Whose expressions are asked: rules, only those in the upstream's own list of rules; body, those in alerts, too.
    #[schemars(extend("default" = "rules"))]
    pub expression: Option<At<ChartExpression>>,
}

/// 告警里的图片。Pictures of alerts.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Images {
    /// 允许去哪些主机取图，可以带端口；默认都不取。Hosts from which pictures may be fetched, with a port or without; default: none.
    pub hosts: Option<At<Vec<At<String>>>>,
}

/// 记录保留多久。How long the record is kept.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Retention {
    /// 收到的原始内容保留多久，不超过 `record`。How long the raw notifications are kept, at most `record`.
    #[schemars(extend("default" = "7d", "pattern" = "^([0-9]+[smhd])+$"))]
    pub raw: Option<At<String>>,
    /// 投递记录保留多久。How long it is known who was told what.
    #[schemars(extend("default" = "30d", "pattern" = "^([0-9]+[smhd])+$"))]
    pub record: Option<At<String>>,
    /// 还在告警、却没有来源再上报的告警跟踪多久；之后不再跟踪，记为“不再上报”，不算恢复。
    /// How long an alert that is on is followed after its last report; then it is on record as no longer reported, which
    /// does not mean that it is over.
    #[schemars(extend("default" = "30d", "pattern" = "^([0-9]+[smhd])+$"))]
    pub alerts: Option<At<String>>,
    /// 数据库（SQLite 是文件连同日志）最多多大（KB、MB、GB、TB，1 KB = 1024 字节），超过就先删最旧的；unlimited 不限。
    /// How large the database (with SQLite: the file and its log) may grow (KB, MB, GB, TB; 1 KB is 1024 bytes) before the
    /// oldest goes; unlimited: any size.
    #[schemars(extend("default" = "2GB", "pattern" = "^([0-9]+ ?[KMGT]B|unlimited)$"))]
    pub size: Option<At<String>>,
}
