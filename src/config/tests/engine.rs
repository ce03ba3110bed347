//! What the delivery engine needs: storage, destinations besides WeCom, and monitoring.

use super::*;

const EVERYTHING: &str = r#"
database: { env: SET_DATABASE }
lease: 1m
retention: { raw: 2d, record: 90d, alerts: 45d, size: 512MB }
sources:
  prometheus:
    bearer: { env: SET_TOKEN }
    watchdog: { matchers: ['alertname="Watchdog", cluster=~"a|b"'], within: 10m }
  other: { bearer: canary-other, watchdog: {} }
wecom:
  webhooks:
    pool: { keys: [canary-1, { env: SET_KEY }, "https://x/send?key=canary-3&debug=1"] }
smtp: { host: mail.example.com, tls: tls, username: am, password: canary-mail, from: wegraf@example.com }
hooks:
  pager: { url: "https://u:canary@pager.example.com/x?key=canary", bearer: { env: SET_BEARER } }
alarm: { receiver: backup }
heartbeat: { url: "https://hc.example.com/canary", interval: 30s }
receivers:
  ops: { targets: [ { webhook: pool } ], fallback: backup }
  backup:
    targets:
      - { email: [Ops@example.com, boss@example.com, ops@EXAMPLE.com], parts: 2 }
      - { hook: pager, face: text }
route: { receiver: ops }
"#;

fn everything() -> (Config, Vec<Note>) {
    let environment = |name: &str| {
        Some(if name == "SET_DATABASE" {
            "postgres://wegraf:canary@db.example.com:5432/wegraf?sslmode=require".to_owned()
        } else {
            format!("canary-{name}")
        })
    };
    let around = Surroundings { environment: &environment, listen: None, secrets: Secrets::Needed };
    Config::read(EVERYTHING, Path::new("wegraf.yaml"), &around)
        .unwrap_or_else(|mistakes| panic!("{}", mistakes.iter().map(ToString::to_string).collect::<String>()))
}

#[test]
fn every_key_of_the_engine_is_understood() {
    let (config, notes) = everything();
    assert_eq!(notes, []);
    let Database::Postgres { url } = &config.database else { panic!("{:?}", config.database) };
    assert!(url.expose_secret().ends_with("@db.example.com:5432/wegraf?sslmode=require"));
    assert_eq!(config.lease.as_secs(), 60);
    let days = |days: u64| Duration::from_hours(days * 24);
    assert_eq!(
        config.retention,
        Retention { raw: days(2), record: days(90), alerts: days(45), bytes: Some(512 << 20) }
    );
    let keys: Vec<&str> = config.wecom.webhooks["pool"].iter().map(ExposeSecret::expose_secret).collect();
    assert_eq!(keys, ["canary-1", "canary-SET_KEY", "canary-3"]);
    let smtp = config.smtp.as_ref().unwrap();
    assert_eq!((smtp.host.as_str(), smtp.port, smtp.tls), ("mail.example.com", 465, Tls::Tls));
    assert_eq!(smtp.from, "wegraf@example.com");
    let (username, password) = smtp.login.as_ref().unwrap();
    assert_eq!((username.as_str(), password.expose_secret()), ("am", "canary-mail"));
    let pager = &config.hooks["pager"];
    assert_eq!(pager.url.expose_secret(), "https://u:canary@pager.example.com/x?key=canary");
    assert_eq!(pager.bearer.as_ref().unwrap().expose_secret(), "canary-SET_BEARER");
    assert_eq!(config.alarm.as_deref(), Some("backup"));
    assert_eq!(config.heartbeat.as_ref().unwrap().interval.as_secs(), 30);
    assert_eq!(config.receivers["ops"].fallback.as_deref(), Some("backup"));
}

#[test]
fn a_watchdog_is_the_alert_of_that_name_unless_its_source_says_otherwise() {
    let (config, _) = everything();
    let told = |name: &str| {
        let source = config.sources.iter().find(|source| source.name == name).unwrap();
        let watchdog = source.watchdog.as_ref().unwrap();
        let matchers: Vec<String> = watchdog.matchers.iter().map(ToString::to_string).collect();
        (matchers, watchdog.within.as_secs())
    };
    assert_eq!(told("other"), (vec!["alertname=\"Watchdog\"".to_owned()], 900));
    let (matchers, within) = told("prometheus");
    assert_eq!((matchers.len(), within), (2, 600));
}

#[test]
fn mail_and_hooks_have_lanes_and_a_face_of_their_own() {
    let (config, _) = everything();
    let targets = &config.receivers["backup"].targets;
    assert_eq!(targets[0].to, To::Email { to: vec!["Ops@example.com".into(), "boss@example.com".into()] });
    assert_eq!(targets[0].lane(), LaneKey::stored("email/ops@example.com|boss@example.com"));
    assert_eq!(targets[1].lane(), LaneKey::stored("hook/pager"));
    for (target, channel) in targets.iter().zip([Channel::Email, Channel::Hook]) {
        assert_eq!((target.channel(), target.face), (channel, Face::Text));
        assert_eq!(target.channel().wecom(), None);
        let stored = serde_json::to_string(target).unwrap();
        assert_eq!(&serde_json::from_str::<Target>(&stored).unwrap(), target, "{stored}");
    }
    for channel in Channel::ALL {
        assert!(channel.default_face().fits(channel), "{channel:?}");
    }
}

#[test]
fn no_secret_of_the_engine_is_in_the_debug_of_a_configuration() {
    let shown = format!("{:?}", everything().0);
    assert!(shown.contains("pager") && shown.contains("mail.example.com"));
    assert!(!shown.contains("canary"), "{shown}");
}

#[test]
fn without_a_word_the_engine_has_its_defaults() {
    let (config, _) = good(SMALL);
    assert_eq!(config.lease.as_secs(), 30);
    let days = |days: u64| Duration::from_hours(days * 24);
    assert_eq!(config.retention, Retention { raw: days(7), record: days(30), alerts: days(30), bytes: Some(2 << 30) });
    assert!(config.smtp.is_none() && config.hooks.is_empty() && config.alarm.is_none() && config.heartbeat.is_none());
    let (config, _) = good(&format!("retention: {{ record: 2d, size: unlimited }}\n{SMALL}"));
    assert_eq!(config.retention, Retention { raw: days(2), record: days(2), alerts: days(30), bytes: None });
    for (tls, port) in [("starttls", 587), ("tls", 465), ("none", 587)] {
        let (config, _) = good(&format!("smtp: {{ host: mail, from: a@b.c, tls: {tls} }}\n{SMALL}"));
        assert_eq!(config.smtp.unwrap().port, port, "{tls}");
    }
}

#[test]
fn a_change_of_the_database_shows_and_its_password_does_not() {
    let database = |url: &str| good(&format!("database: {url}\n{SMALL}")).0.database;
    let one = database("postgres://u:canary@h/db");
    assert_eq!(one, database("postgres://u:canary@h/db"));
    assert_ne!(one, database("postgres://u:other@h/db"));
    assert_ne!(one, database("sqlite:wegraf.db"));
    assert!(!format!("{one:?}").contains("canary"));
}

#[rustfmt::skip]
const WRONG: &[Case] = &[
    ("database: postgres://u:canary@h\n", &[(1, 11, "names no host or no database", "host:5432/db")]),
    ("database: postgresql:///canary\n", &[(1, 11, "names no host or no database", "")]),
    ("database: mysql://u:canary@h/db\n", &[(1, 11, "must be sqlite:PATH or postgres://", "DATABASE_URL")]),
    ("database: { env: SET_X }\n", &[(1, 1, "must be sqlite:PATH or postgres://", "")]),
    ("database: { env: UNSET }\n", &[(1, 1, "`database` needs the environment variable UNSET", "set UNSET")]),
    ("lease: 4s\n", &[(1, 8, "`lease` is 4s and must be from 5s to 5m", "")]),
    ("lease: 301s\n", &[(1, 8, "`lease` is 5m1s and must be from 5s to 5m", "")]),
    ("retention: { raw: 8d, record: 7d }\n", &[(1, 19, "`retention.raw` is 8d, longer than `retention.record` (7d)", "at most 7d")]),
    ("retention: { raw: 31d }\n", &[(1, 19, "longer than `retention.record` (30d)", "")]),
    ("retention: { alerts: 30m }\n", &[(1, 22, "`retention.alerts` is 30m and must be from 1h to 3650d", "")]),
    ("retention: { record: 30m }\n", &[(1, 22, "`retention.record` is 30m and must be from 1h to 3650d", "")]),
    ("retention: { raw: canary }\n", &[(1, 19, "`retention.raw` is not a duration", "1d")]),
    ("retention: { size: 2G }\n", &[(1, 20, "`retention.size` is not a size", "2GB")]),
    ("retention: { size: 1MB }\n", &[(1, 20, "less than 64MB", "unlimited")]),
    ("retention: { keep: 1d }\n", &[(1, 14, "unknown key `keep`", "`raw`, `record`, `alerts`, `size`")]),
    ("sources: { g: { bearer: x, watchdog: { matchers: ['a=='] } } }\nalarm: { receiver: ops }\n", &[(1, 51, "matcher `a==`", "")]),
    ("sources: { g: { bearer: x, watchdog: { matchers: [] } } }\nalarm: { receiver: ops }\n", &[(1, 40, "any alert would count", "Watchdog")]),
    ("sources: { g: { bearer: x, watchdog: { within: 30s } } }\nalarm: { receiver: ops }\n", &[(1, 48, "`sources.g.watchdog.within` is 30s and must be from 1m to 7d", "")]),
    ("smtp: { host: 'mail:25', from: ops }\n", &[(1, 15, "`smtp.host` is not", "port"), (1, 32, "`smtp.from` is not a mail address", "")]),
    ("smtp: { host: mail, from: a@b.c, ca_file: nowhere.pem }\n", &[(1, 43, "`smtp.ca_file`: cannot read nowhere.pem", "")]),
    ("smtp: { from: a@b.c }\n", &[(1, 1, "`host` is missing", "")]),
    ("smtp: { host: mail, from: a@b.c, port: 0 }\n", &[(1, 40, "`smtp.port` must be", "587")]),
    ("smtp: { host: mail, from: a@b.c, tls: ssl }\n", &[(1, 39, "this value is unknown here", "`starttls`, `tls`, `none`")]),
    ("smtp: { host: mail, from: a@b.c, username: u }\n", &[(1, 44, "go together", "")]),
    ("smtp: { host: mail, from: a@b.c, password: canary }\n", &[(1, 44, "go together", "remove both")]),
    ("hooks: { h: { url: 'canary.example.com/x' } }\n", &[(1, 20, "`hooks.h.url` is not an http(s) URL", "https://")]),
    ("hooks: { h: { url: 'https://x/', bearer: 'Bearer canary' } }\n", &[(1, 42, "`hooks.h.bearer` holds blanks", "without Bearer")]),
    ("hooks: { h: { bearer: canary } }\n", &[(1, 10, "`url` is missing", "")]),
    ("alarm: { receiver: opps }\n", &[(1, 20, "no receiver `opps` in receivers", "`ops`")]),
    ("heartbeat: { url: 'ftp://canary' }\n", &[(1, 19, "`heartbeat.url` is not an http(s) URL", "")]),
    ("heartbeat: { url: 'http://x', interval: 1s }\n", &[(1, 41, "`heartbeat.interval` is 1s and must be from 10s to 1h", "")]),
    ("wecom: { webhooks: { g: {} } }\n", &[(1, 22, "webhook `g` has no `key`", "keys")]),
    ("wecom: { webhooks: { g: { key: canary, keys: [canary] } } }\n", &[(1, 22, "both `key` and `keys`", "into keys")]),
    ("wecom: { webhooks: { g: { keys: [] } } }\n", &[(1, 27, "holds 0 and must hold 1 to 10", "")]),
    ("wecom: { webhooks: { g: { keys: [a, b, c, d, e, f, g, h, i, j, k] } } }\n", &[(1, 27, "holds 11 and must hold 1 to 10", "")]),
    ("wecom: { webhooks: { g: { keys: [canary, x, 'https://x/?key=canary'] } } }\n", &[(1, 45, "holds the same key twice", "one webhook")]),
    ("wecom: { webhooks: { g: { keys: [x, 'canary canary', { env: UNSET }] } } }\n",
        &[(1, 37, "does not look like the key", ""), (1, 54, "`wecom.webhooks.g.keys[3]` needs the environment variable UNSET", "")]),
];

#[rustfmt::skip]
const WRONG_TARGETS: &[Case] = &[
    ("  a: { targets: [ { email: [a@b.c] } ] }\n", &[(7, 21, "an `email` target and no `smtp`", "add smtp:")]),
    ("  a: { targets: [ { email: a@b.c } ] }\nsmtp: { host: mail, from: a@b.c }\n", &[(7, 28, "a list [ … ] is expected here", "")]),
    ("  a: { targets: [ { email: [] } ] }\nsmtp: { host: mail, from: a@b.c }\n", &[(7, 21, "holds 0 addresses", "")]),
    ("  a: { targets: [ { email: ['canary <a@b.c>', a@b.c] } ] }\nsmtp: { host: mail, from: a@b.c }\n", &[(7, 29, "not a mail address", "alone")]),
    ("  a: { targets: [ { email: [a@b.c], users: [x] } ] }\nsmtp: { host: mail, from: a@b.c }\n", &[(7, 19, "both `email` and `users`/`chat`", "two targets")]),
    ("  a: { targets: [ { email: [a@b.c], webhook: group } ] }\nsmtp: { host: mail, from: a@b.c }\n", &[(7, 19, "both `webhook` and `email`", "two targets")]),
    ("  a: { targets: [ { email: [a@b.c], face: news } ] }\nsmtp: { host: mail, from: a@b.c }\n", &[(7, 43, "email cannot take the face `news`", "it takes text")]),
    ("  a: { targets: [ { email: [a@b.c], mention: [x], image: true } ] }\nsmtp: { host: mail, from: a@b.c }\n",
        &[(7, 37, "email cannot have `mention`", "no such thing"), (7, 58, "email cannot have `image`", "no such thing")]),
    ("  a: { targets: [ { hook: pagr } ] }\nhooks: { pager: { url: 'https://canary.example' } }\n", &[(7, 27, "no hook `pagr` in hooks", "`pager`")]),
    ("  a: { targets: [ { hook: pager } ] }\n", &[(7, 27, "no hook `pager` in hooks", "define one first")]),
    ("  a: { targets: [ { hook: pager, chat: C } ] }\nhooks: { pager: { url: 'https://canary.example' } }\n", &[(7, 19, "both `hook` and `users`/`chat`", "")]),
    ("  a: { targets: [ { hook: pager, mention_mobiles: ['13800000000'] } ] }\nhooks: { pager: { url: 'https://canary.example' } }\n", &[(7, 34, "only a webhook can mention by mobile", "")]),
];

#[test]
fn each_mistake_of_the_engine_has_its_place_its_reason_and_its_remedy() {
    let mut failures = String::new();
    for (text, expected) in WRONG {
        let rest = if text.contains("wecom:") { "" } else { SMALL };
        failures += &check(&format!("{text}{rest}"), expected);
    }
    for (text, expected) in WRONG_TARGETS {
        failures += &check(&format!("{ACCOUNTS}{text}"), expected);
    }
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn a_possible_intention_for_the_engine_is_a_note_and_not_a_mistake() {
    let smtp = "smtp: { host: mail.example.com, from: a@b.c, username: u, password: canary, tls: none }\n";
    for (text, place, reason) in [
        ("database: postgres://u:canary@h/db\n", (1, 11), "the password of the database stands in"),
        ("database: postgres://h/db?password=canary\n", (1, 11), "the password of the database stands in"),
        ("lease: 30s\n", (1, 8), "means something with PostgreSQL only"),
        (smtp, (1, 69), "goes over the network in the clear"),
        ("sources: { g: { bearer: canary-1, watchdog: {} } }\n", (1, 35), "a `watchdog` and no `alarm`"),
    ] {
        let (_, notes) = good(&format!("{text}{SMALL}"));
        let [note] = notes.try_into().unwrap_or_else(|notes| panic!("{text}\n{notes:?}"));
        assert_eq!((note.place.line, note.place.column), place, "{text}\n{note}");
        assert!(note.reason.en.contains(reason), "{note}");
        assert!(!note.to_string().contains("canary"), "{note}");
    }
    let fine = [
        "database: postgres://u@h/db\nlease: 5s\n",
        "smtp: { host: 127.0.0.1, from: a@b.c, username: u, password: canary, tls: none }\n",
        "smtp: { host: mail.example.com, from: a@b.c, tls: none }\n",
    ];
    for text in fine {
        assert_eq!(good(&format!("{text}{SMALL}")).1, [], "{text}");
    }
}

#[test]
fn a_command_that_only_looks_misses_no_secret_of_the_engine() {
    let nothing = |_: &str| None;
    let around = Surroundings { environment: &nothing, listen: None, secrets: Secrets::Unneeded };
    let text =
        EVERYTHING.replace("canary-1", "{ env: UNSET }").replace("\"https://hc.example.com/canary\"", "{ env: UNSET }");
    let text = text.replace("wecom:\n", "wecom:\n  proxy: { env: UNSET }\n");
    let (config, notes) = Config::read(&text, Path::new("wegraf.yaml"), &around).unwrap();
    assert_eq!(notes, []);
    let Database::Postgres { url } = &config.database else { panic!("{:?}", config.database) };
    assert_eq!(url.expose_secret(), "");
    assert_eq!(config.wecom.webhooks["pool"].len(), 3);
}
