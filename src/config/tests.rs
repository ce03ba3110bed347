use std::fmt::Write as _;
use std::path::Path;

use proptest::prelude::*;
use secrecy::ExposeSecret;

use super::*;
use crate::level::Level;
use crate::names::LaneKey;

mod dropins;
mod duty;
mod engine;
mod sources;
mod twin;

/// Parses as if these environment variables were set.
fn read(text: &str, folder: &Path) -> Result<(Config, Vec<Note>), Vec<Mistake>> {
    let environment = |name: &str| name.starts_with("SET_").then(|| format!("canary-{name}"));
    let around = Surroundings { environment: &environment, listen: None, secrets: Secrets::Needed };
    Config::read(text, &folder.join("wegraf.yaml"), &around)
}

fn good(text: &str) -> (Config, Vec<Note>) {
    read(text, Path::new("")).unwrap_or_else(|mistakes| {
        let all: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        panic!("{}", all.join("\n"))
    })
}

const SMALL: &str = "
wecom:
  webhooks:
    group: { key: 11111111-2222-4333-8444-555555555555 }
receivers:
  ops:
    targets: [ { webhook: group } ]
";

#[test]
fn a_webhook_and_a_receiver_are_a_whole_configuration() {
    let (config, notes) = good(SMALL);
    assert_eq!(notes, []);
    assert_eq!(config.front().to_string(), "127.0.0.1:8080");
    assert_eq!(config.database, Database::Sqlite("wegraf.db".into()));
    assert_eq!(config.language, Language::Zh);
    assert_eq!(config.timezone.iana_name(), Some("Asia/Shanghai"));
    assert_eq!(config.wecom.api_url, "https://qyapi.weixin.qq.com");
    assert_eq!(config.anonymous, Anonymous::OfThisMachine, "only this machine can reach it");
    let ops = &config.receivers["ops"];
    assert!(ops.send_resolved);
    assert_eq!(ops.repeat_interval.as_secs(), 3600);
    assert_eq!(ops.targets[0].face, Face::MarkdownV2);
    assert_eq!(ops.targets[0].parts, 1);
    assert_eq!(config.route.route(&crate::alert::Labels::new())[0].receiver, "ops");
}

#[test]
fn no_receiver_is_called_as_an_address_of_another_program() {
    let mistakes = read(&SMALL.replace("ops:", "send:"), Path::new("")).unwrap_err();
    assert!(mistakes[0].to_string().contains("/webhook/send"), "{mistakes:?}");
}

const CONTRACT: &str = r#"
listen: 0.0.0.0:8080
external_url: https://alerts.example.com/
database: sqlite:data/wegraf.db
language: en
timezone: Europe/Berlin
allow_anonymous: false
sources:
  grafana: { bearer: { env: SET_TOKEN } }
  alertmanager: { basic: { username: am, password: { file: am.secret } } }
  signed: { hmac: { secret: { env: SET_HMAC_KEY }, header: X-Sig, timestamp_header: X-Time } }
wecom:
  api_url: http://127.0.0.1:9999
  proxy: http://user:canary-proxy@proxy.example.com:3128
  apps:
    ops: { corp_id: ww0123456789abcdef, agent_id: 1000003, secret: canary-app,
           callback: { token: canary-token, encoding_aes_key: { env: SET_AES } } }
  webhooks:
    ops-group: { key: "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=canary-key-1111" }
  bots:
    duty: { bot_id: aib1, secret: { env: SET_BOT } }
upstreams:
  am: { kind: alertmanager, url: http://alertmanager:9093 }
  grafana: { kind: grafana, url: https://grafana.example.com/sub/, token: { env: SET_SA }, org_id: 2 }
  behind: { kind: alertmanager, url: https://am.example.com, basic: { username: wegraf, password: canary-up },
            sources: [alertmanager], ignore_labels: [pod] }
receivers:
  ops:
    language: zh
    targets:
      - { app: ops, users: [daixuan, 1001], users_file: people.txt, parties: [2], tags: [3], face: news }
      - { app: ops, chat: AITest, face: markdown, mention: [zhangsan] }
      - { webhook: ops-group, face: markdown_v2, mention: [zhangsan], mention_mobiles: ["13800000000"], parts: 3 }
      - { bot: duty, chat: wrGroup, face: card }
    send_resolved: false
    repeat_interval: 1h30m
    fallback: backup
  backup: { targets: [ { webhook: ops-group } ] }
route:
  receiver: backup
  routes:
    - { matchers: ['severity="critical"', 'team=~"db|infra"'], receiver: ops, continue: false }
images: { hosts: [Grafana.example.com, 'g.example.com:3000', '[::1]:3000', 10.0.0.1] }
levels: { 严重: error, T0: critical }
link_rewrites: [ { from: "http://prometheus-k8s-0:9090/", to: "https://prom.example.com" } ]
"#;

fn contract(folder: &Path) -> Result<(Config, Vec<Note>), Vec<Mistake>> {
    std::fs::write(folder.join("am.secret"), "canary-am-password\n").unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(folder.join("am.secret"), std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    std::fs::write(folder.join("people.txt"), "# 值班\nzhangsan\n\nlisi\n").unwrap();
    // The key in the environment must have 43 characters.
    let text = CONTRACT.replace("{ env: SET_AES }", &format!("canary{}", "A".repeat(37)));
    read(&text, folder)
}

#[test]
fn every_key_of_the_contract_is_understood() {
    let folder = tempfile::tempdir().unwrap();
    let (config, notes) = contract(folder.path()).unwrap();
    assert_eq!(config.external_url.as_deref(), Some("https://alerts.example.com"));
    assert_eq!(config.database, Database::Sqlite(folder.path().join("data/wegraf.db")));
    let names: Vec<&str> = config.sources.iter().map(|source| source.name.as_str()).collect();
    assert_eq!(names, ["alertmanager", "grafana", "signed"]);
    let Proof::Basic { username, password } = &config.sources[0].proofs[0] else { panic!("basic") };
    assert_eq!((username.as_str(), password.expose_secret()), ("am", "canary-am-password"));
    assert_eq!(config.wecom.webhooks["ops-group"][0].expose_secret(), "canary-key-1111");
    let app = &config.wecom.apps["ops"];
    assert_eq!((app.corp_id.as_str(), app.agent_id), ("ww0123456789abcdef", 1_000_003));
    let ops = &config.receivers["ops"];
    let To::Members { users, users_file, parties, tags, .. } = &ops.targets[0].to else { panic!("members") };
    assert_eq!(
        (users.as_slice(), parties.as_slice(), tags.as_slice()),
        (&["daixuan".into(), "1001".into()][..], &[2][..], &[3][..])
    );
    assert_eq!(users_file.as_deref(), Some(folder.path().join("people.txt").as_path()));
    assert_eq!(ops.targets[1].to, To::Chat { app: "ops".into(), chat: "AITest".into() });
    assert_eq!((ops.repeat_interval.as_secs(), ops.send_resolved, ops.targets[2].parts), (5400, false, 3));
    assert_eq!((ops.language, config.receivers["backup"].language), (Language::Zh, Language::En));
    assert_eq!(config.image_hosts, ["grafana.example.com", "g.example.com:3000", "[::1]:3000", "10.0.0.1"]);
    assert_eq!(
        (config.payloads.levels().of("严重"), config.payloads.levels().of("t0")),
        (Some(Level::Error), Some(Level::Critical))
    );
    let [LinkRewrite { from, to }] = &config.link_rewrites[..] else { panic!("{:?}", config.link_rewrites) };
    assert_eq!((from.as_str(), to.as_str()), ("http://prometheus-k8s-0:9090", "https://prom.example.com"));
    let [mention] = &notes[..] else { panic!("{notes:?}") };
    assert!(mention.reason.en.contains("`markdown_v2` cannot mention"), "{mention}");
    let callback = app.callback.as_ref().unwrap();
    assert_eq!((callback.token.expose_secret(), callback.encoding_aes_key.expose_secret().len()), ("canary-token", 43));
    assert_eq!(config.wecom.bots["duty"].bot_id, "aib1");
    assert_eq!(ops.targets[3].to, To::Bot { bot: "duty".into(), chat: "wrGroup".into() });
    assert_eq!(ops.targets[3].lane(), LaneKey::stored("bot/duty/wrGroup"));
    let [am, grafana, behind] = &config.upstreams[..] else { panic!("{:?}", config.upstreams) };
    assert_eq!(
        (am.name.as_str(), am.kind, am.url.as_str()),
        ("am", UpstreamKind::Alertmanager, "http://alertmanager:9093")
    );
    assert!(am.credential.is_none() && am.sources.is_empty() && am.ca_file.is_none());
    assert_eq!(am.ignore_labels, ["replica", "prometheus_replica", "__replica__"]);
    assert_eq!((grafana.org_id, grafana.url.as_str()), (Some(2), "https://grafana.example.com/sub"));
    let Some(Credential::Bearer(token)) = &grafana.credential else { panic!("a token") };
    assert_eq!(token.expose_secret(), "canary-SET_SA");
    let Some(Credential::Basic { username, password }) = &behind.credential else { panic!("a password") };
    assert_eq!((username.as_str(), password.expose_secret()), ("wegraf", "canary-up"));
    assert_eq!(
        (behind.sources.as_slice(), behind.ignore_labels.as_slice()),
        (&["alertmanager".into()][..], &["pod".into()][..])
    );
}

#[test]
fn no_secret_is_in_the_debug_of_a_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let (config, notes) = contract(folder.path()).unwrap();
    let shown = format!("{config:?} {notes:?}");
    assert!(shown.contains("ops-group"));
    assert!(!shown.contains("canary"), "{shown}");
}

/// A wrong file, and the mistakes it must give: line, column, a part of the reason, a part of the remedy.
type Case = (&'static str, &'static [(u32, u32, &'static str, &'static str)]);

#[rustfmt::skip]
const WRONG: &[Case] = &[
    ("listn: 127.0.0.1:1\n", &[(1, 1, "unknown key `listn`", "`listen`")]),
    ("listen: localhost:9000\n", &[(1, 9, "not IP:PORT", "127.0.0.1:9000")]),
    ("listen: :8080\n", &[(1, 9, "not IP:PORT", "0.0.0.0:8080")]),
    ("listen: 0.0.0.0:8080\n", &[(1, 9, "anybody could post", "allow_anonymous: true")]),
    ("listen_tls: { address: 127.0.0.1:8443, certificate: no.pem, key: no.pem }\n", &[(1, 53, "cannot be used", "fullchain.pem")]),
    (
        "listen_tls: { address: 0.0.0.0:8443, certificate: no.pem, key: no.pem }\n",
        &[(1, 24, "anybody could post", "allow_anonymous: true"), (1, 51, "cannot be used", "fullchain.pem")],
    ),
    (
        "listen: 127.0.0.1:8080\nlisten_tls: { address: 127.0.0.1:8080, certificate: no.pem, key: no.pem }\nlisten_monitoring: 127.0.0.1:8080\n",
        &[
            (2, 24, "`listen_tls` and `listen` are the same", "127.0.0.1:8443"),
            (2, 53, "cannot be used", "fullchain.pem"),
            (3, 20, "`listen_monitoring` and `listen` are the same", "127.0.0.1:9095"),
            (3, 20, "`listen_monitoring` and `listen_tls` are the same", "127.0.0.1:9095"),
        ],
    ),
    (
        "listen: 0.0.0.0:8080\nallow_anonymous: true\nlisten_monitoring: 127.0.0.1:8080\n",
        &[(3, 20, "share a port", "127.0.0.1:9095")],
    ),
    (
        "listen: [127.0.0.1:8080, { address: 127.0.0.1:8080, paths: [nobody] }, 'unix:a', 'unix:a']\nallow_anonymous: true\n",
        &[(1, 26, "are the same", "8081"), (1, 61, "unknown here", "`webhook`"), (1, 82, "given twice", "keep one")],
    ),
    ("listen: unix:/run/wegraf.sock\n", &[(1, 9, "anybody could post", "allow_anonymous: true")]),
    ("listen: [::]:8080\n", &[(1, 13, "not valid YAML", "quotes")]),
    (
        "listen: { address: '127.0.0.1:8080', proxy_protocol: true }\n",
        &[
            (1, 1, "`127.0.0.1:8080` is open to others", "add sources"),
            (1, 1, "`127.0.0.1:8080` has `proxy_protocol` and there are no `trusted_proxies`", "name the proxy's address"),
        ],
    ),
    (
        "listen: { address: 'unix:a.sock', proxy_protocol: true }\ntrusted_proxies: [127.0.0.1]\nallow_anonymous: true\n",
        &[(1, 1, "has no `proxy_protocol`", "listen at IP:PORT")],
    ),
    ("trusted_proxies: 127.0.0.1\n", &[(1, 18, "a list [ … ] is expected here", "")]),
    ("trusted_proxies: [127.0.0.1, nginx]\n", &[(1, 30, "`nginx` in `trusted_proxies` is neither", "10.0.0.0/8")]),
    ("trusted_proxies: [10.0.0.1/8]\n", &[(1, 19, "`10.0.0.1/8` in `trusted_proxies`", "must be 0")]),
    ("external_url: alerts.example.com\n", &[(1, 15, "`external_url` is not a full URL", "https://")]),
    ("external_url: https://x.example/?a=1\n", &[(1, 15, "`external_url`", "https://")]),
    ("database: wegraf.db\n", &[(1, 11, "must be sqlite:PATH", "sqlite:wegraf.db")]),
    ("language: cn\n", &[(1, 11, "this value is unknown here", "`zh`, `en`")]),
    ("timezone: Asia/Shangai\n", &[(1, 11, "no time zone `Asia/Shangai`", "Asia/Shanghai")]),
    ("timezone: CST\n", &[(1, 11, "there is no time zone `CST`", "for Chinese time write Asia/Shanghai")]),
    ("timezone: UTC+8\n", &[(1, 11, "there is no time zone `UTC+8`", "for Chinese time write Asia/Shanghai")]),
    ("timezone: GMT+0800\n", &[(1, 11, "there is no time zone `GMT+0800`", "for Chinese time write Asia/Shanghai")]),
    ("timezone: '+08:00'\n", &[(1, 11, "there is no time zone `+08:00`", "for Chinese time write Asia/Shanghai")]),
    ("timezone: Asia/Beijing\n", &[(1, 11, "there is no time zone `Asia/Beijing`", "for Chinese time write Asia/Shanghai")]),
    ("timezone: 北京时间\n", &[(1, 11, "there is no time zone `北京时间`", "for Chinese time write Asia/Shanghai")]),
    ("timezone: China Standard Time\n", &[(1, 11, "there is no time zone `China Standard Time`", "for Chinese time write Asia/Shanghai")]),
    ("allow_anonymous: 1\n", &[(1, 18, "a boolean is expected here, not an integer", "")]),
    ("language: zh\nlanguage: en\n", &[(2, 1, "`language` is given twice", "keep one")]),
    ("sources: { g: { bearer: { env: UNSET } } }\n", &[(1, 17, "`sources.g.bearer` needs the environment variable UNSET", "set UNSET")]),
    ("sources: { g: { bearer: { file: nowhere/token } } }\n", &[(1, 17, "`sources.g.bearer`: cannot read nowhere/token", "permissions")]),
    ("sources: { g: { bearer: '' } }\n", &[(1, 25, "`sources.g.bearer` is empty", "")]),
    ("sources: { g: { bearer: { enw: A } } }\n", &[(1, 27, "`enw` is unknown here", "`env`")]),
    ("sources: { g: { barer: x } }\n", &[(1, 12, "does not say how it proves itself", ""), (1, 17, "unknown key `barer`", "`bearer`")]),
    ("sources: { g: { basic: { username: a } } }\n", &[(1, 17, "`password` is missing", "add `password: …`")]),
    ("sources: { g: { basic: { username: 'a:b', password: x } } }\n", &[(1, 36, "colon", "")]),
    ("sources: { g: { hmac: { secret: x, header: 'X Y' } } }\n", &[(1, 44, "cannot be the name of a header", "")]),
    ("sources: { wegraf: { bearer: x } }\n", &[(1, 12, "a source cannot be called `wegraf`", "wegraf-1")]),
    ("sources: { Anonymous: { bearer: x } }\n", &[(1, 12, "a source cannot be called `Anonymous`", "another name")]),
    ("sources: { 'a/b': { bearer: x } }\n", &[(1, 12, "the name `a/b` cannot be used", "")]),
    ("wecom: { api_url: 'ftp://x' }\n", &[(1, 19, "`wecom.api_url`", "https://")]),
    ("wecom: { proxy: 'canary:1' }\n", &[(1, 17, "`wecom.proxy` is not an http(s) URL", "http://proxy")]),
    ("wecom: { ca_file: nowhere.pem }\n", &[(1, 19, "cannot read nowhere.pem", "")]),
    ("wecom: { webhooks: { g: canary } }\n", &[(1, 25, "a mapping { … } is expected here, not a text", "")]),
    ("wecom: { webhooks: { g: { key: 'canary canary' } } }\n", &[(1, 32, "does not look like the key", "key=")]),
    ("wecom: { webhooks: { g: { key: [canary] } } }\n", &[(1, 27, "a text, { env: NAME }, { file: PATH } or { credential: NAME } is expected here, not a list", "")]),
    ("wecom: { webhooks: { g: { keys: canary } } }\n", &[(1, 33, "a list [ … ] is expected here, not a text", "")]),
    ("wecom: { apps: { a: { corp_id: '企业', agent_id: 0, secret: x } } }\n",
        &[(1, 32, "a corp id holds", "ww"), (1, 48, "agent_id must be a positive", "AgentId")]),
    ("wecom: { apps: { a: { corp_id: ww1, agent_id: abc, secret: canary } } }\n", &[(1, 47, "an integer is expected here, not a text", "")]),
    ("wecom: { apps: { a: { corp_id: ww1, agent_id: 1, secret: x, callback: { token: t, encoding_aes_key: canary } } } }\n",
        &[(1, 101, "43 letters", "")]),
    ("upstreams: { g: { kind: grafana, url: 'http://g' } }\n", &[(1, 14, "has no `token`", "service account")]),
    ("upstreams: { g: { kind: grafana, url: 'http://g', token: 'canary canary' } }\n", &[(1, 58, "`upstreams.g.token` holds blanks", "without Bearer")]),
    ("upstreams: { g: { kind: grafana, url: 'http://g', token: canary, bearer: canary } }\n", &[(1, 14, "in more than one way", "keep one")]),
    ("upstreams: { g: { kind: grafana, url: 'http://g', token: canary, org_id: 0 } }\n", &[(1, 74, "`upstreams.g.org_id` must be a positive", "Organizations")]),
    ("upstreams: { g: { kind: alertmanager, url: 'http://g', org_id: 1 } }\n", &[(1, 64, "no organisations", "remove")]),
    ("upstreams: { g: { kind: alertmanager, url: 'http://g', tenant: a } }\n", &[(1, 64, "`upstreams.g.tenant` is for the kind prometheus", "team-a")]),
    ("upstreams: { g: { kind: alertmanager, url: 'http://user:canary@g' } }\n", &[(1, 44, "`upstreams.g.url` is not a full URL", "https://")]),
    ("upstreams: { g: { kind: alertmanager, url: 'http://g', basic: { username: 'a:b', password: canary } } }\n", &[(1, 75, "colon", "")]),
    ("upstreams: { g: { kind: alertmanager, url: 'http://g', ca_file: nowhere.pem } }\n", &[(1, 65, "`upstreams.g.ca_file`: cannot read nowhere.pem", "")]),
    ("external_url: 'https://h.example.com/webhook'\n", &[(1, 15, "is an address of wegraf itself", "/wegraf")]),
    ("upstreams: { g: { kind: alertmanager, url: 'http://g', ignore_labels: [alertname] } }\n", &[(1, 72, "cannot hold `alertname`", "replica")]),
    ("upstreams: { g: { kind: alertmanager, url: 'http://g', sources: [am] } }\nsources: { amm: { bearer: canary } }\n",
        &[(1, 66, "there is no source `am` in sources", "`amm`")]),
    ("upstreams: { g: { kind: alertmanager, url: 'http://g', sources: [am] }, h: { kind: alertmanager, url: 'http://h', sources: [am] } }\nsources: { am: { bearer: canary } }\n",
        &[(1, 125, "source `am` belongs to the upstream `g` already", "org_id")]),
    ("upstreams: { g: { kind: thanosruler, url: 'http://g' } }\n", &[(1, 25, "this value is unknown here", "`alertmanager`")]),
    ("templates: [ 'nowhere/*.j2' ]\n", &[(1, 14, "no file matches `nowhere/*.j2`", "")]),
    ("levels: { '!!': error }\n", &[(1, 11, "is no word", "严重: error")]),
    ("levels: { 严重: bad }\n", &[(1, 15, "this value is unknown here", "`critical`")]),
    ("link_rewrites: [ { from: 'prometheus:9090', to: 'https://p.example.com' } ]\n", &[(1, 26, "`link_rewrites.from` is not a full URL", "https://")]),
    ("images: { hosts: ['https://grafana.example.com/x'] }\n", &[(1, 19, "is not the name of a host", "grafana.example.com")]),
    ("payloads:\n  - { name: x, when: 'body.x ==', alert: { nam: a } }\n", &[(2, 5, "mapping `x`, `when`", "MiniJinja"), (2, 44, "unknown key `nam`", "`name`")]),
    ("wecom:\n  webhooks:\n    g: { key: *canary }\n", &[(3, 15, "YAML alias", "quotes")]),
    ("wecom:\n\twebhooks: {}\n", &[(2, 1, "indented with a tab", "spaces")]),
];

#[rustfmt::skip]
const WRONG_RECEIVERS: &[Case] = &[
    ("  a: { targets: [] }\n", &[(7, 3, "`a` has no targets", "")]),
    ("  a: {}\n", &[(7, 3, "`targets` is missing", "")]),
    ("  a: { targets: [ { webhook: grup } ] }\n", &[(7, 30, "no webhook `grup` in wecom.webhooks", "`group`")]),
    ("  a: { targets: [ { app: op, users: [x] } ] }\n", &[(7, 26, "no app `op` in wecom.apps", "`ops`")]),
    ("  a: { targets: [ { app: ops } ] }\n", &[(7, 19, "no one to send to", "users")]),
    ("  a: { targets: [ { users: [x] } ] }\n", &[(7, 19, "does not say where", "webhook: NAME")]),
    ("  a: { targets: [ { app: ops, users: [x], webhook: group } ] }\n", &[(7, 19, "both `app` and `webhook`", "two targets")]),
    ("  a: { targets: [ { app: ops, users: [x], chat: C } ] }\n", &[(7, 19, "both `chat`", "two targets")]),
    ("  a: { targets: [ { bot: duty, chat: C } ] }\n", &[(7, 26, "no bot `duty`", "define one first")]),
    ("  a: { targets: [ { bot: duty } ] }\n", &[(7, 19, "no conversation", "wegraf bots"), (7, 26, "no bot `duty`", "define one first")]),
    ("  a: { targets: [ { app: ops, users: [] } ] }\n", &[(7, 19, "lists of members are empty", "")]),
    ("  a: { targets: [ { app: ops, users: [张三] } ] }\n", &[(7, 39, "`张三` is not a userid", "账号")]),
    ("  a: { targets: [ { app: ops, users: ['a|b'] } ] }\n", &[(7, 39, "`a|b` is not a userid", "list")]),
    ("  a: { targets: [ { app: ops, users: ['@all', x] } ] }\n", &[(7, 19, "beside \"@all\"", "")]),
    ("  a: { targets: [ { app: ops, users: x } ] }\n", &[(7, 38, "a list [ … ] is expected here, not a text", "")]),
    ("  a: { targets: [ { app: ops, parties: [-1] } ] }\n", &[(7, 41, "-1 in `parties` is not an id", "")]),
    ("  a: { targets: [ { app: ops, chat: 运维群 } ] }\n", &[(7, 37, "is not a chatid", "wegraf chat create")]),
    ("  a: { targets: [ { app: ops, users: [x], face: markdown_v2 } ] }\n", &[(7, 49, "members of an app cannot take the face `markdown_v2`", "news")]),
    ("  a: { targets: [ { app: ops, chat: C, face: card } ] }\n", &[(7, 46, "a chat of an app cannot take the face `card`", "textcard")]),
    ("  a: { targets: [ { webhook: group, face: textcard } ] }\n", &[(7, 43, "a webhook cannot take the face `textcard`", "card")]),
    ("  a: { targets: [ { webhook: group, face: markdwn } ] }\n", &[(7, 43, "`markdwn` is unknown here", "`markdown`")]),
    ("  a: { targets: [ { app: ops, users: [x], mention: [y] } ] }\n", &[(7, 43, "cannot mention", "users")]),
    ("  a: { targets: [ { app: ops, chat: C, mention_mobiles: ['13800000000'] } ] }\n", &[(7, 40, "only a webhook can mention by mobile", "")]),
    ("  a: { targets: [ { webhook: group, mention_mobiles: [abc] } ] }\n", &[(7, 55, "`abc` is not a mobile number", "")]),
    ("  a: { targets: [ { webhook: group, parts: 9 } ] }\n", &[(7, 44, "`parts` is 9", "")]),
    ("  a: { targets: [ { webhook: group }, { webhook: group } ] }\n", &[(7, 39, "has this target twice", "remove one")]),
    ("  a: { targets: [ { webhook: group } ], repeat_interval: 1小时 }\n", &[(7, 58, "`receivers.a.repeat_interval` is not a duration", "1h")]),
    ("  a: { targets: [ { webhook: group } ], repeat_interval: 0s }\n", &[(7, 58, "is 0s and must be from 1s to 365d", "")]),
    ("  a: { targets: [ { webhook: group } ], template: mine }\n", &[(7, 51, "no template `mine`", "")]),
    ("  a: { targets: [ { webhook: group } ], fallback: b }\n", &[(7, 51, "no receiver `b`", "`a`")]),
    ("  a: { targets: [ { webhook: group } ], fallback: a }\n", &[(7, 51, "go round in a ring: a → a", "")]),
    ("  a: { targets: [ { webhook: group } ], fallback: b }\n  b: { targets: [ { webhook: group } ], fallback: a }\n",
        &[(0, 0, "several receivers and no `route`", "route: { receiver: a }"), (7, 51, "a → b → a", "")]),
    ("  a: { targets: [ { webhook: group } ] }\nroute: { receiver: b }\n", &[(8, 20, "no receiver `b`", "`a`")]),
    ("  a: { targets: [ { webhook: group } ] }\nroute: { receiver: a, routes: [ { matchers: ['x==1'] } ] }\n",
        &[(8, 46, "matcher `x==1`, character 2", "=~")]),
    ("  a: { targets: [ { webhook: group } ] }\nroute: { receiver: a, routes: [ { matchers: ['x=~\"(\"'], continu: true } ] }\n",
        &[(8, 46, "unclosed group", ""), (8, 57, "unknown key `continu`", "`continue`")]),
    ("  a: { targets: [ { webhook: group } ] }\nroute: { receiver: a, group_by: [x] }\n", &[(8, 23, "unknown key `group_by`", "does not group again")]),
];

/// Six lines with an app and a webhook; a receiver follows on line 7.
const ACCOUNTS: &str = "\
wecom:
  apps:
    ops: { corp_id: ww0123456789abcdef, agent_id: 1000003, secret: canary }
  webhooks:
    group: { key: 11111111-2222-4333-8444-555555555555 }
receivers:
";

/// The differences between the findings and the expected ones; empty: none.
fn check(text: &str, expected: &[(u32, u32, &str, &str)]) -> String {
    let Err(mistakes) = read(text, Path::new("")) else { return format!("\nnothing found in\n{text}") };
    // A case about something else need not have receivers.
    let away =
        |mistake: &&Mistake| text.contains("receivers:") || !mistake.reason.en.contains("there are no receivers");
    let mistakes: Vec<&Mistake> = mistakes.iter().filter(away).collect();
    let fits = |(mistake, &(line, column, reason, remedy)): (&&Mistake, &(u32, u32, &str, &str))| {
        mistake.place == Place { line, column }
            && mistake.reason.en.contains(reason)
            && mistake.remedy.en.contains(remedy)
            && !mistake.reason.zh.is_empty()
    };
    let mut report = String::new();
    for mistake in &mistakes {
        writeln!(report, "{mistake}").unwrap();
    }
    let fine = mistakes.len() == expected.len() && mistakes.iter().zip(expected).all(fits);
    if fine && !report.contains("canary") {
        String::new()
    } else {
        format!("\n{text}{report}instead of {expected:?}\n")
    }
}

#[test]
fn each_mistake_has_its_place_its_reason_and_its_remedy() {
    let mut failures = String::new();
    for (text, expected) in WRONG {
        // The rest is appended, so that the lines of the case keep their numbers.
        let rest = if text.contains("wecom:") { "" } else { SMALL };
        failures += &check(&format!("{text}{rest}"), expected);
    }
    for (text, expected) in WRONG_RECEIVERS {
        failures += &check(&format!("{ACCOUNTS}{text}"), expected);
    }
    assert!(failures.is_empty(), "{failures}");
}

const EXAMPLE: &str = include_str!("../../wegraf.example.yaml");

fn read_example(text: &str) -> Result<(Config, Vec<Note>), Vec<Mistake>> {
    // As long as an `EncodingAESKey`, so that it can stand for any secret; different for each name.
    let environment = |name: &str| {
        let url = name.ends_with("_URL") || name == "WECOM_PROXY";
        Some(if url { "https://u:p@example.com/x".into() } else { format!("{:k<43}", name.replace('_', "")) })
    };
    Config::read(
        text,
        Path::new("wegraf.yaml"),
        &Surroundings { environment: &environment, listen: None, secrets: Secrets::Needed },
    )
}

#[test]
fn the_example_is_a_configuration_that_works() {
    let (config, notes) = read_example(EXAMPLE).unwrap();
    assert_eq!(notes, []);
    assert_eq!(config.receivers.len(), 2);
}

#[test]
fn the_commented_lines_of_the_example_are_valid_too() {
    let uncomment = |line: &str| {
        let rest = line.trim_start().strip_prefix("# ").unwrap_or_default();
        let key = rest.split_once(':').map_or("", |(key, _)| key.trim_start_matches("- { "));
        let is_key = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        if is_key { line.replacen("# ", "", 1) } else { line.to_owned() }
    };
    let text: Vec<String> = EXAMPLE.lines().map(uncomment).collect();
    let mistakes = read_example(&text.join("\n")).unwrap_err();
    let reasons: Vec<&str> = mistakes.iter().map(|mistake| &*mistake.reason.en).collect();
    let expected = [
        "cannot read /etc/wegraf/ca.pem",
        "cannot read /etc/wegraf/admin.hash",
        "payloads.d is no folder",
        "there is no template `duty`",
        "`charts.font` cannot be read",
        "WW_verify_8kBKaP.txt",
        "the certificate in fullchain.pem cannot be used",
        "`sources.netdata.client_cert.ca`: ca.pem cannot be used",
    ];
    for reason in &reasons {
        assert!(expected.iter().any(|part| reason.contains(part)), "{reason}");
    }
    assert_eq!(reasons.len(), expected.len(), "{reasons:?}");
}

#[test]
fn every_key_is_in_the_example() {
    fn keys(schema: &serde_json::Value, found: &mut Vec<String>) {
        if let Some(object) = schema.as_object() {
            if let Some(properties) = object.get("properties").and_then(serde_json::Value::as_object) {
                found.extend(properties.keys().cloned());
            }
            object.values().for_each(|value| keys(value, found));
        }
        schema.as_array().into_iter().flatten().for_each(|value| keys(value, found));
    }
    let mut found = Vec::new();
    keys(&schema(), &mut found);
    assert!(found.len() > 60, "the schema has lost its keys: {found:?}");
    for key in found {
        let written = EXAMPLE.split([' ', '{', '\n']).any(|word| word.strip_suffix(':') == Some(key.as_str()));
        assert!(written, "`{key}` is not in wegraf.example.yaml");
    }
}

#[test]
fn proxies_that_open_the_door_are_noted() {
    let notes = |text: &str| {
        let (config, notes) = good(&format!("{text}{SMALL}"));
        (config.trusted_proxies.len(), notes.into_iter().map(|note| note.reason.en).collect::<Vec<_>>().join("; "))
    };
    let sources = "sources: { g: { bearer: 'abcdefghijklmnop0123456789abcdef' } }\n";
    let (count, said) = notes(&format!("trusted_proxies: [127.0.0.1, '10.0.0.0/8', '2001:db8::/32']\n{sources}"));
    assert!(count == 3 && !said.contains("proxy"), "{said}");
    let (_, said) = notes(&format!("trusted_proxies: ['0.0.0.0/0']\n{sources}"));
    assert!(said.contains("anybody can claim any address"), "{said}");
    let (_, said) = notes("trusted_proxies: [127.0.0.1]\n");
    assert!(said.contains("everyone who reaches the proxy can post"), "{said}");
}

#[test]
fn a_possible_intention_is_a_note_and_not_a_mistake() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("empty.txt", "# nobody\n"), ("names.txt", "zhangsan\n张三\n")] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let receiver = |target: &str| format!("{ACCOUNTS}  a: {{ targets: [ {{ app: ops, {target} }} ] }}\n");
    let last = |routes: &str| {
        format!(
            "{ACCOUNTS}  a: {{ targets: [ {{ webhook: group }} ] }}\nroute: {{ receiver: a, routes: [ {routes} ] }}\n"
        )
    };
    for (text, line, reason) in [
        (receiver("users_file: nowhere.txt"), 7, "cannot be read now"),
        (receiver("users_file: empty.txt"), 7, "there is no userid in"),
        (receiver("users_file: names.txt"), 7, "`张三` in"),
        (last("{ receiver: a }, { matchers: ['x=1'] }"), 8, "takes every alert"),
        (format!("{SMALL}sources: {{ g: {{ hmac: {{ secret: {{ env: SET_A }} }} }} }}\n"), 8, "can be replayed"),
    ] {
        let (_, notes) = read(&text, folder.path()).unwrap_or_else(|mistakes| panic!("{text}\n{mistakes:?}"));
        let [note] = notes.try_into().unwrap_or_else(|notes| panic!("{text}\n{notes:?}"));
        assert_eq!(note.place.line, line, "{text}\n{note}");
        assert!(note.reason.en.contains(reason), "{note}");
    }
}

#[test]
fn a_template_is_called_by_its_name_without_face_and_language() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["duty.j2", "duty.zh.j2", "night.markdown.j2"] {
        std::fs::write(folder.path().join(name), name).unwrap();
    }
    let text = |name: &str| format!("templates: ['*.j2']\n{SMALL}    template: {name}\n");
    let (config, _) = read(&text("night"), folder.path()).unwrap();
    let names: Vec<&str> = config.templates.iter().map(|template| template.name.as_str()).collect();
    assert_eq!(names, ["duty", "duty.zh", "night.markdown"]);
    assert_eq!(config.receivers["ops"].template.as_deref(), Some("night"));
    let mistakes = read(&text("dutty"), folder.path()).unwrap_err();
    assert!(mistakes[0].remedy.en.contains("`duty`"), "{}", mistakes[0]);
}

#[test]
fn a_plain_secret_in_a_file_that_others_can_read_is_noted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wegraf.yaml");
    std::fs::write(&path, SMALL).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let (_, notes) = Config::load(&path).unwrap();
        let [note] = notes.try_into().unwrap();
        assert_eq!((note.place.line, note.place.column), (4, 19));
        assert!(note.remedy.en.contains("chmod 600"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(Config::load(&path).unwrap().1, []);
    }
}

#[test]
fn an_address_from_the_command_line_is_judged_like_one_in_the_file() {
    let environment = |_: &str| None;
    let listen: Option<ListenAt> = Some("0.0.0.0:80".parse().unwrap());
    let read = |text: &str| {
        let listen = listen.clone();
        Config::read(
            text,
            Path::new("w"),
            &Surroundings { environment: &environment, listen, secrets: Secrets::Needed },
        )
    };
    assert!(read(SMALL).unwrap_err()[0].reason.en.contains("anybody could post"));
    let (config, _) = read(&format!("allow_anonymous: true\n{SMALL}")).unwrap();
    assert_eq!(config.front().to_string(), "0.0.0.0:80");
}

#[test]
fn a_command_that_only_looks_misses_no_secret() {
    let text = SMALL.replace("11111111-2222-4333-8444-555555555555", "{ env: NOT_SET_HERE }");
    assert!(Config::parse(&text, Path::new("w")).unwrap_err()[0].reason.en.contains("NOT_SET_HERE"));
    let (config, _) = Config::parse_to_look(&text, Path::new("w")).unwrap();
    assert_eq!(config.wecom.webhooks.len(), 1);
}

#[test]
fn a_file_that_is_not_there_is_a_mistake_with_a_remedy() {
    let mistakes = Config::load(Path::new("nowhere/wegraf.yaml")).unwrap_err();
    assert!(mistakes[0].to_string().starts_with("nowhere/wegraf.yaml: "));
    assert!(mistakes[0].remedy.en.contains("wegraf init"));
}

proptest! {
    /// A file that an editor, a merge or a tired person has damaged: it is read or refused with reasons, and no
    /// reason shows a secret.
    #[test]
    fn a_damaged_file_is_read_or_refused_with_reasons(
        wounds in prop::collection::vec((any::<prop::sample::Index>(), 0..7_u8, "[ -~]|密"), 1..4),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut lines: Vec<String> = CONTRACT.lines().map(str::to_owned).collect();
        for (index, kind, letter) in wounds {
            let at = index.index(lines.len());
            let middle = lines[at].chars().count() / 2;
            let half = lines[at].char_indices().nth(middle).map_or(0, |(at, _)| at);
            match kind {
                0 => { lines.remove(at); }
                1 => { let line = lines[at].clone(); lines.insert(at, line); }
                2 => lines[at].truncate(half),
                3 => lines[at].insert_str(half, &letter),
                4 => { lines[at].insert(0, ' '); }
                5 => lines[at] = lines[at].replace(':', ""),
                _ => { let other = lines.len() - 1 - at; lines.swap(at, other); }
            }
        }
        if let Err(mistakes) = read(&lines.join("\n"), folder.path()) {
            prop_assert!(!mistakes.is_empty());
            for mistake in mistakes {
                prop_assert!(!mistake.to_string().contains("canary"), "{}", mistake);
            }
        }
    }
}

#[test]
fn private_addresses_that_the_configuration_names_are_known() {
    let text = "wecom: { webhooks: { g: { key: 11111111-2222-4333-8444-555555555555 } } }\n\
                receivers: { ops: { targets: [ { webhook: g } ] } }\n\
                external_url: http://127.0.0.1:8080\n\
                upstreams: { am: { kind: alertmanager, url: 'http://10.31.4.9:9093' }, b: { kind: alertmanager, url: 'http://am:9093' } }\n\
                link_rewrites: [ { from: 'http://prom:9090', to: 'http://10.31.4.8:9090' } ]\n";
    let (config, _) = Config::parse(text, Path::new("wegraf.yaml")).unwrap();
    let known: Vec<String> = config.known_hosts.iter().map(ToString::to_string).collect();
    assert_eq!(known, ["10.31.4.9", "10.31.4.8"]);
}

#[test]
fn a_file_that_cannot_be_read_says_why() {
    use std::io::{Error, ErrorKind};
    let said = |kind| Mistake::unreadable(Path::new("w.yaml"), &Error::from(kind)).to_string();
    for (kind, reason, remedy) in [
        (ErrorKind::NotFound, "there is no such file", "wegraf init"),
        (ErrorKind::PermissionDenied, "may not read it", "ls -l w.yaml"),
        (ErrorKind::InvalidData, "probably GBK", "iconv -f gbk -t utf-8 w.yaml"),
        (ErrorKind::IsADirectory, "this is a folder", "name the file in it"),
    ] {
        let said = said(kind);
        assert!(said.contains(reason) && said.contains(remedy), "{said}");
        assert_eq!(said.contains("wegraf init"), kind == ErrorKind::NotFound, "{said}");
    }
}

#[test]
fn a_mistake_is_shown_with_its_line() {
    let wrong = Config::parse("timezone: CST\nsecret: canary\n", Path::new("w.yaml")).unwrap_err();
    let said: String = wrong.iter().map(ToString::to_string).collect();
    assert!(said.contains("  1 │ timezone: CST\n    │           ^^^"), "{said}");
    assert!(said.contains("  2 │ secret: …\n    │ ^^^^^^") && !said.contains("canary"), "{said}");
}
