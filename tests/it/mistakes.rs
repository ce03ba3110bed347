//! Mistakes that people make in a configuration, and what they are told: the line, why, and what is probably meant.

use std::path::Path;

use wegraf::internals::config::Config;

/// A configuration that works.
const FINE: &str = "wecom: { webhooks: { g: { key: 11111111-2222-4333-8444-555555555555 } } }\nreceivers: { ops: { targets: [ { webhook: g } ] } }\n";

/// The text, in which `@` is [`FINE`]; the line, 0 for the file as a whole; parts of the reason and of the remedy.
const MISTAKES: &[(&str, u32, &str, &str)] = &[
    ("listn: 127.0.0.1:8080\n@", 1, "不认识的键 `listn`", "是不是 `listen`？"),
    ("Listen: 127.0.0.1:8080\n@", 1, "不认识的键 `Listen`", "是不是 `listen`？"),
    ("listen： 127.0.0.1:8080\n@", 1, "`listen` 后面是全角冒号 ：", "写成 listen: （半角冒号加空"),
    ("@routes: { receiver: ops }\n", 3, "不认识的键 `routes`", "是不是 `route`？"),
    ("timezone: CST\n@", 1, "没有时区 `CST`", "中国时间写 Asia/Shangha"),
    ("timezone: UTC+8\n@", 1, "没有时区 `UTC+8`", "中国时间写 Asia/Shangha"),
    ("timezone: Asia/Beijing\n@", 1, "没有时区 `Asia/Beijing`", "中国时间写 Asia/Shangha"),
    ("timezone: 北京\n@", 1, "没有时区 `北京`", "中国时间写 Asia/Shangha"),
    ("language: cn\n@", 1, "这个值不能用在这里", "可用的有：`zh`、`en`"),
    ("language: chinese\n@", 1, "这个值不能用在这里", "可用的有：`zh`、`en`"),
    ("listen: 8080\n@", 1, "`listen` 不是“IP:端口”：`8080`", "写成 127.0.0.1:8080（"),
    ("listen: localhost:8080\n@", 1, "`listen` 不是“IP:端口”：`localh", "写成 127.0.0.1:8080（"),
    ("listen: 127.0.0.1\n@", 1, "`listen` 不是“IP:端口”：`127.0.", "写成 127.0.0.1:8080（"),
    ("listen: 127.0.0.1:80800\n@", 1, "`listen` 不是“IP:端口”：`127.0.", "写成 127.0.0.1:8080（"),
    ("listen: http://127.0.0.1:8080\n@", 1, "`listen` 不是“IP:端口”：`http:/", "写成 127.0.0.1:8080（"),
    ("listen: 127.0.0.1：8080\n@", 1, "`listen` 不是“IP:端口”：`127.0.", "写成 127.0.0.1:8080（"),
    ("database: wegraf.db\n@", 1, "`database` 应是 sqlite:文件路径，", "例如 database: sqlit"),
    ("database: mysql://h/d\n@", 1, "`database` 应是 sqlite:文件路径，", "例如 database: sqlit"),
    ("database: postgresql:/h\n@", 1, "`database` 应是 sqlite:文件路径，", "例如 database: sqlit"),
    ("external_url: wegraf.example.com\n@", 1, "`external_url` 不是完整的地址，或带有", "写成 https://主机[:端口]"),
    ("external_url: ftp://x\n@", 1, "`external_url` 不是完整的地址，或带有", "写成 https://主机[:端口]"),
    ("memory: 1\n@", 1, "`memory` 不是大小", "整数加 MB 或 GB：256MB、"),
    ("memory: 256\n@", 1, "`memory` 不是大小", "整数加 MB 或 GB：256MB、"),
    ("memory: 256兆\n@", 1, "`memory` 不是大小", "整数加 MB 或 GB：256MB、"),
    (
        "wecom: { webhooks: { g: {} } }\nreceivers: { ops: { targets: [ { webhook: g } ] } }\n",
        1,
        "消息推送 `g` 缺少 `key`",
        "加上 key: …，或 keys: ",
    ),
    (
        "wecom: { webhooks: { g: 11111111-2222 } }\nreceivers: { ops: { targets: [ { webhook: g } ] } }\n",
        1,
        "这里应是键值对 { … }，写的是文字",
        "",
    ),
    (
        "wecom: { webhook: { g: { key: 11111111-2222 } } }\nreceivers: { ops: { targets: [ { webhook: g } ] } }\n",
        1,
        "不认识的键 `webhook`",
        "是不是 `webhooks`？",
    ),
    (
        "wecom: { apps: { a: { corp_id: ww1, agent_id: abc, secret: s } } }\nreceivers: { ops: { targets: [ { app: a, users: [x] } ] } }\n",
        1,
        "这里应是整数，写的是文字",
        "",
    ),
    (
        "wecom: { apps: { a: { corp_id: ww1, agent_id: 1 } } }\nreceivers: { ops: { targets: [ { app: a, users: [x] } ] } }\n",
        1,
        "缺少 `secret`",
        "加上 `secret: …`",
    ),
    (
        "wecom: { apps: { a: { corp_id: ww1, agent_id: 1, secret: { env: WEGRAF_NOT_SET } } } }\nreceivers: { ops: { targets: [ { app: a, users: [x] } ] } }\n",
        1,
        "`wecom.apps.a.secret` 需要环境",
        "启动前设置 WEGRAF_NOT_S",
    ),
    (
        "wecom: { apps: { a: { corp_id: ww1, agent_id: 1, secret: { file: /nowhere/secret } } } }\nreceivers: { ops: { targets: [ { app: a, users: [x] } ] } }\n",
        1,
        "`wecom.apps.a.secret`：读不到 ",
        "检查路径和读权限；相对路径从配置文件",
    ),
    (
        "wecom: { webhooks: { g: { key: $OPS_KEY } } }\nreceivers: { ops: { targets: [ { webhook: g } ] } }\n",
        1,
        "这不像消息推送的 key",
        "复制 Webhook 地址里 key",
    ),
    (
        "wecom: { webhooks: { g: { key: '${OPS_KEY}' } } }\nreceivers: { ops: { targets: [ { webhook: g } ] } }\n",
        1,
        "这不像消息推送的 key",
        "复制 Webhook 地址里 key",
    ),
    (
        "wecom: { bots: { b: { bot_id: aib, secret: s } } }\nreceivers: { ops: { targets: [ { bot: b } ] } }\n",
        2,
        "有 `bot`，但没有写哪个会话",
        "加上 chat: 单聊写 useri",
    ),
    (
        "wecom: { webhooks: { g: { key: 11111111-2222-4333-8444-555555555555 } } }\nreceivers: { ops: { targets: [ { webhook: group } ] } }\n",
        2,
        "wecom.webhooks 里没有消息推送 `gr",
        "可用的有：`g`",
    ),
    (
        "wecom: { webhooks: { g: { key: 11111111-2222-4333-8444-555555555555 } } }\nreceivers: { ops: { targets: [] } }\n",
        2,
        "接收者 `ops` 没有目标",
        "在 targets 下至少写一个",
    ),
    (
        "wecom: { webhooks: { g: { key: 11111111-2222-4333-8444-555555555555 } } }\nreceivers: { ops: {} }\n",
        2,
        "缺少 `targets`",
        "加上 `targets: …`",
    ),
    (
        "wecom: { webhooks: { g: { key: 11111111-2222-4333-8444-555555555555 } } }\nreceivers: { ops: { targets: { webhook: g } } }\n",
        2,
        "这里应是列表 [ … ]，写的是键值对",
        "",
    ),
    (
        "wecom: { webhooks: { g: { key: 11111111-2222-4333-8444-555555555555 } } }\nreceivers: { ops: { targets: [ { app: a, users: [x] } ] } }\n",
        2,
        "wecom.apps 里没有应用 `a`",
        "这里还没有任何可用的名字，请先定义",
    ),
    (
        "wecom: { webhooks: { g: { key: 11111111-2222-4333-8444-555555555555 } } }\nreceivers: { ops: { targets: [ { webhook: g, face: markdwn } ] } }\n",
        2,
        "不认识 `markdwn`",
        "是不是 `markdown`？",
    ),
    (
        "wecom: { webhooks: { g: { key: 11111111-2222-4333-8444-555555555555 } } }\nreceivers: { ops: { targets: [ { webhook: g, users: [x] } ] } }\n",
        2,
        "一个目标不能同时有 `webhook` 和 `use",
        "拆成两个目标",
    ),
    (
        "wecom: { webhooks: { g: { key: 11111111-2222-4333-8444-555555555555 } } }\nreceivers: { ops: { targets: [ { users: [x] } ] } }\n",
        2,
        "目标没有写发到哪里",
        "{ webhook: 名字 }、{ ",
    ),
    (
        "wecom: { webhooks: { g: { key: 11111111-2222-4333-8444-555555555555 } } }\nreceivers： { ops: { targets: [ { webhook: g } ] } }\n",
        2,
        "`receivers` 后面是全角冒号 ：",
        "写成 receivers: （半角冒",
    ),
    (
        "wecom: { webhooks: { g: { key: 11111111-2222-4333-8444-555555555555 } } }\n",
        0,
        "没有接收者：告警无处可发",
        "receivers: { ops: ",
    ),
    (
        "receivers: { ops: { targets: [ { webhook: g } ] } }\n",
        1,
        "wecom.webhooks 里没有消息推送 `g`",
        "这里还没有任何可用的名字，请先定义",
    ),
    ("@route: { receiver: nobody }\n", 3, "receivers 里没有接收者 `nobody`", "可用的有：`ops`"),
    (
        "@route: { receiver: ops, routes: [ { matchers: ['severity'] } ] }\n",
        3,
        "匹配条件 `severity` 第 9 个字符：标签",
        "例如 team=~\"db|infra",
    ),
    (
        "@route: { receiver: ops, routes: [ { matchers: ['team=~\"(\"'], receiver: ops } ] }\n",
        3,
        "匹配条件 `team=~\"(\"` 第 7 个字符：正",
        "RE2 语法，整值匹配；不支持环视和",
    ),
    (
        "@route: { receiver: ops, routes: [ { match: { a: b }, receiver: ops } ] }\n",
        3,
        "不认识的键 `match`",
        "旧写法，改成 matchers: [",
    ),
    (
        "@route: { receiver: ops, routes: [ { matchers: 'a=b', receiver: ops } ] }\n",
        3,
        "这里应是列表 [ … ]，写的是文字",
        "",
    ),
    (
        "@route: { receiver: ops, routes: [ { matchers: ['a==b'], receiver: ops } ] }\n",
        3,
        "匹配条件 `a==b` 第 2 个字符：标签名后应是",
        "例如 team=~\"db|infra",
    ),
    (
        "@route: { receiver: ops, routes: [ { matchers: ['严重程度＝高'], receiver: ops } ] }\n",
        3,
        "匹配条件 `严重程度＝高` 第 7 个字符：标签名后",
        "换成半角 =；确实要它就把整个值放进",
    ),
    ("listen: 0.0.0.0:8080\n@", 1, "`0.0.0.0:8080` 对外开放，但没有 `s", "加上 sources（例如 graf"),
    ("@sources: { g: {} }\n", 3, "来源 `g` 没有写怎样证明自己", "加上 bearer、basic、he"),
    ("@sources: { g: { bearer: '' } }\n", 3, "`sources.g.bearer` 是空的：这里什么也没有", "填入真实的密钥"),
    ("@sources: { g: { basic: { user: a, password: b } } }\n", 3, "缺少 `username`", "加上 `username: …`"),
    (
        "@sources: { g: { addresses: [10.1.2.3/8] } }\n",
        3,
        "来源 `g` 只有地址：地址可以伪造，也可能与别人共",
        "再加一种证明（例如 query、be",
    ),
    (
        "@sources: { g: { bearer: aaaaaaaaaaaaaaaaaaaaaaaa, receivers: [nobody] } }\n",
        3,
        "receivers 里没有接收者 `nobody`",
        "可用的有：`ops`",
    ),
    ("@trusted_proxies: [proxy]\n", 3, "`trusted_proxies` 里的 `prox", "写成 10.0.0.7、10.0.0"),
    ("@retention: { raw: 7 }\n", 3, "`retention.raw` 不是时长", "写成数字加单位：30s、5m、1h、"),
    ("@retention: { raws: 7d }\n", 3, "不认识的键 `raws`", "是不是 `raw`？"),
    ("@smtp: { host: mail }\n", 3, "缺少 `from`", "加上 `from: …`"),
    ("@rotas: { dba: nowhere.yaml }\n", 3, "`rotas`：读不到", "检查路径和读权限；相对路径从配置文件"),
    ("\tlisten: 127.0.0.1:8080\n@", 1, "用 Tab 缩进", "空格"),
    (
        "wecom: { webhooks: { g: { key: 11111111-2222-4333-8444-555555555555 } } }\nreceivers: { ops: { targets: [ { webhook: g， face: markdown } ] } }\n",
        2,
        "全角或看不见的字符 ，",
        "半角 ,",
    ),
    ("", 0, "文件是空的", "wegraf init"),
    ("- listen\n", 1, "最外层应是键值对", "wegraf init"),
    ("a: [1\n", 1, "括号没有闭合", "引号"),
    ("a: \"x\n", 1, "引号没有闭合", "引号"),
    ("@route:\n  receiver: ops\n   routes: []\n", 5, "缩进比上一行深了", "缩进"),
    (
        "wecom: { webhooks: { g: { key: '' } } }\nreceivers: { ops: { targets: [ { webhook: g } ] } }\n",
        1,
        "这里什么也没有",
        "填入真实的密钥",
    ),
    (
        "wecom: { webhooks: { g: { key: 11111111-2222-4333-8444-555555555555 } } }\nreceivers: { ops: { targets: [ { webhook: g, face: textcard } ] } }\n",
        2,
        "webhook 收不了样式",
        "可用：",
    ),
    ("language：en\n@", 1, "`language` 后面是全角冒号", "半角冒号"),
    ("@route: { reciever: ops }\n", 3, "不认识的键 `reciever`", "是不是 `receiver`"),
    ("@sources: { g: { barer: aaaaaaaaaaaaaaaaaaaaaaaa } }\n", 3, "不认识的键 `barer`", "是不是 `bearer`"),
    (
        "wecom: { webhooks: { g: { key: 11111111-2222-4333-8444-555555555555 } } }\nreceivers: { ops: { target: [ { webhook: g } ] } }\n",
        2,
        "不认识的键 `target`",
        "是不是 `targets`",
    ),
    (
        "wecom: { webhooks: { g: { key: 11111111-2222-4333-8444-555555555555 } } }\nreceivers: { ops: { targets: [ { webhook： g } ] } }\n",
        2,
        "`webhook` 后面是全角冒号",
        "半角冒号",
    ),
];

#[test]
fn each_mistake_is_told_with_its_line_why_and_what_is_meant() {
    assert!(MISTAKES.len() >= 60, "{}", MISTAKES.len());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wegraf.yaml");
    let mut wrong = Vec::new();
    for (text, line, reason, remedy) in MISTAKES {
        let text = text.replace('@', FINE);
        let found = Config::parse(&text, &path).err().unwrap_or_default();
        let told = found.iter().any(|mistake| {
            let at = *line == mistake.place.line || *line == 0 && mistake.place.line <= 1;
            at && mistake.reason.zh.contains(reason) && mistake.remedy.zh.contains(remedy)
        });
        if !told {
            wrong.push(format!("{text:?}: {line} {reason} / {remedy}, but was told {found:#?}"));
        }
        for mistake in &found {
            assert!(!mistake.reason.en.is_empty() && !mistake.reason.zh.is_empty(), "{text}");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(Config::parse(FINE, Path::new("wegraf.yaml")).is_ok(), "the control is no mistake");
}
