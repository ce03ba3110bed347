use std::time::Duration;

use super::*;
use crate::alert::Timestamp;

/// An app, a webhook and a rota; receivers follow on line 8.
const WITH_ROTA: &str = "\
rotas: { dba: rota.yaml }
wecom:
  apps:
    ops: { corp_id: ww0123456789abcdef, agent_id: 1000003, secret: canary }
  webhooks:
    group: { key: 11111111-2222-4333-8444-555555555555 }
receivers:
";

const ROTA: &str = "start: 2026-01-05\npeople: [zhangsan, lisi]\n";

/// Reads a configuration beside these files.
fn beside(text: &str, files: &[(&str, &str)]) -> Result<(Config, Vec<Note>), Vec<Mistake>> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    read(text, folder.path())
}

/// The mistakes as `file:line:column: reason; remedy`.
fn mistakes(text: &str, files: &[(&str, &str)]) -> Vec<String> {
    let Err(mistakes) = beside(text, files) else { return Vec::new() };
    let line = |mistake: &Mistake| {
        let name = mistake.file.file_name().unwrap().to_string_lossy().into_owned();
        let Place { line, column } = mistake.place;
        assert!(!mistake.reason.zh.is_empty());
        format!("{name}:{line}:{column}: {}; {}", mistake.reason.en, mistake.remedy.en)
    };
    mistakes.iter().map(line).collect()
}

/// A wrong text, and the place, a part of the reason and a part of the remedy of each of its mistakes.
type Case = (&'static str, &'static [(&'static str, &'static str, &'static str)]);

fn hold(cases: &[Case], read: impl Fn(&str) -> Vec<String>) {
    let mut failures = String::new();
    for (text, expected) in cases {
        let found = read(text);
        let fits = |(found, (place, reason, remedy)): (&String, &(&str, &str, &str))| {
            let (why, what) = found.split_once("; ").unwrap();
            why.starts_with(&format!("{place}: ")) && why.contains(reason) && what.contains(remedy)
        };
        if found.len() != expected.len() || !found.iter().zip(*expected).all(fits) {
            writeln!(failures, "{text}\n  {found:#?}\n  instead of {expected:?}").unwrap();
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

#[rustfmt::skip]
const WRONG_ROTAS: &[Case] = &[
    ("", &[("rota.yaml:1:1", "a mapping { … } is expected here, not nothing", "")]),
    ("people: [zhangsan]\n", &[("rota.yaml:1:1", "`start` is missing", "add `start: …`")]),
    ("start: 2026-01-05\npeople: []\n", &[("rota.yaml:2:1", "`people` is empty: no one is on duty", "zhangsan")]),
    ("start: 2026-01-05\npeople: [[]]\n", &[("rota.yaml:2:10", "there is no one here", "userid")]),
    ("start: 2026-01-05\npeople: [zhangsan, 张三]\n", &[("rota.yaml:2:20", "`张三` is not a userid", "账号")]),
    ("start: 2026-01-05\npeople: ['@all']\n", &[("rota.yaml:2:10", "`@all` is not a userid", "")]),
    ("start: 2026-01-05\npeople: { a: b }\n", &[("rota.yaml:2:1", "a list [ … ] is expected here, not a mapping", "")]),
    ("start: 2026-01-05\npepole: [zhangsan]\n", &[("rota.yaml:1:1", "`people` is missing", ""), ("rota.yaml:2:1", "unknown key `pepole`", "`people`")]),
    ("start: 5.1.2026\npeople: [zhangsan]\n", &[("rota.yaml:1:8", "`5.1.2026` is not a date", "2026-10-01")]),
    ("start: 2026-02-30\npeople: [zhangsan]\n", &[("rota.yaml:1:8", "`2026-02-30` is not a date", "")]),
    ("start: 0026-01-05\npeople: [zhangsan]\n", &[("rota.yaml:1:8", "`0026-01-05` is not a date", "")]),
    ("start: 2026-01-05\npeople: [a]\ntimezone: Asia/Shangai\n", &[("rota.yaml:3:11", "no time zone `Asia/Shangai`", "Asia/Shanghai")]),
    ("start: 2026-01-05\npeople: [a]\nhandover: 9am\n", &[("rota.yaml:3:11", "`handover` is no time of handover: `9am`", "mon 09:00")]),
    ("start: 2026-01-05\npeople: [a]\nhandover: 24:00\n", &[("rota.yaml:3:11", "`handover` is no time of handover", "")]),
    ("start: 2026-01-05\npeople: [a]\nhandover: moonday 09:00\n", &[("rota.yaml:3:11", "`handover` is no time of handover", "")]),
    ("start: 2026-01-06\npeople: [a]\nhandover: mon 09:00\n", &[("rota.yaml:1:8", "2026-01-06 is not on the weekday", "2026-01-05")]),
    ("start: 2026-01-05\npeople: [a]\nhandover: 周一 09:00\nevery: 1d\n", &[("rota.yaml:3:11", "`every` is not in weeks", "every: 1w")]),
    ("start: 2026-01-05\npeople: [a]\nevery: 0w\n", &[("rota.yaml:3:8", "not the length of a shift: `0w`", "1d, 1w, 2w")]),
    ("start: 2026-01-05\npeople: [a]\nevery: 1h\n", &[("rota.yaml:3:8", "not the length of a shift: `1h`", "")]),
    ("start: 2026-01-05\npeople: [a]\nsubstitutes: [ { from: 2026-01-06, to: 2026-01-07 18:00, person: b } ]\n",
        &[("rota.yaml:3:24", "`2026-01-06` is not a date with a time", "18:00")]),
    ("start: 2026-01-05\npeople: [a]\nsubstitutes: [ { from: 2026-01-07 18:00, to: 2026-01-07 18:00, person: b } ]\n",
        &[("rota.yaml:3:16", "stays from", "`to` comes after `from`")]),
    ("start: 2026-01-05\npeople: [zhangsan]\nsubstitutes: [ { from: 2026-01-07 18:00, to: 2026-01-08 18:00, person: b, for: zhangsna } ]\n",
        &[("rota.yaml:3:80", "`zhangsna` is not in this rota", "`zhangsan`")]),
    ("start: 2026-01-05\npeople: [a]\nholidays: [ { date: 2026-10-01, to: 2026-10-02, people: [b] } ]\n",
        &[("rota.yaml:3:13", "a holiday has `date`, or `from` and `to`", "from: 2026-10-01")]),
    ("start: 2026-01-05\npeople: [a]\nholidays: [ { from: 2026-10-02, to: 2026-10-01, people: [b] } ]\n",
        &[("rota.yaml:3:13", "lasts from 2026-10-02 to 2026-10-01", "the last day")]),
    ("start: 2026-01-05\npeople: [a]\nholidays: [ { date: 2026-10-01, people: [] } ]\n",
        &[("rota.yaml:3:33", "`people` is empty", "")]),
    ("start: 2026-01-05\npeople: [a\n", &[("rota.yaml:2:9", "not valid YAML", "quotes")]),
];

#[test]
fn each_mistake_in_a_rota_has_the_name_of_its_file_its_place_its_reason_and_its_remedy() {
    hold(WRONG_ROTAS, |rota| {
        mistakes(&format!("{WITH_ROTA}  a: {{ targets: [ {{ webhook: group }} ] }}\n"), &[("rota.yaml", rota)])
    });
}

#[rustfmt::skip]
const WRONG: &[Case] = &[
    ("  a: { targets: [ { app: ops, on_call: dbaa } ] }\n", &[("wegraf.yaml:8:40", "no rota `dbaa` in rotas", "`dba`")]),
    ("  a: { targets: [ { app: ops, on_call: dba/backup } ] }\n", &[("wegraf.yaml:8:40", "the rota `dba` has no second line", "backup")]),
    ("  a: { targets: [ { app: ops, on_call: dba, chat: C } ] }\n", &[("wegraf.yaml:8:19", "both `chat`", "two targets")]),
    ("  a: { targets: [ { webhook: group, on_call: dba } ] }\n", &[("wegraf.yaml:8:19", "both `webhook`", "two targets")]),
    ("  a: { targets: [ { app: ops, on_call: dba, users: ['@all'] } ] }\n", &[("wegraf.yaml:8:19", "beside \"@all\"", "")]),
    ("  a: { targets: [ { webhook: group, mention: ['on_call:web'] } ] }\n", &[("wegraf.yaml:8:47", "no rota `web` in rotas", "`dba`")]),
    ("  a: { targets: [ { app: ops, users: [x], mention_from: [team] } ] }\n", &[("wegraf.yaml:8:43", "cannot mention", "users")]),
    ("  a: { mention_from: [team], targets: [ { app: ops, users: [x] } ] }\n", &[("wegraf.yaml:8:8", "none of this receiver's targets can mention", "chats and webhooks")]),
    ("  a: { targets: [ { webhook: group, mention_from: [] } ] }\n", &[("wegraf.yaml:8:37", "names from 1 to 10 labels", "[owner, team]")]),
    ("  a: { targets: [ { webhook: group } ], escalate: [ { receiver: a } ] }\n", &[("wegraf.yaml:8:53", "`after` is missing", "")]),
    ("  a: { targets: [ { webhook: group } ], escalate: [ { after: 30s, users: [x] } ] }\n", &[("wegraf.yaml:8:62", "is 30s and must be from 1m to 1d", "")]),
    ("  a: { targets: [ { webhook: group } ], escalate: [ { after: 10m } ] }\n", &[("wegraf.yaml:8:53", "does not say who is told", "on_call")]),
    ("  a: { targets: [ { webhook: group } ], escalate: [ { after: 10m, users: [x] }, { after: 600s, on_call: dba } ] }\n",
        &[("wegraf.yaml:8:90", "not later than the one before", "grows")]),
    ("  a: { targets: [ { webhook: group } ], escalate: [ { after: 10m, receiver: b } ] }\n", &[("wegraf.yaml:8:77", "no receiver `b`", "`a`")]),
    ("  a: { targets: [ { webhook: group } ], escalate: [ { after: 10m, receiver: a } ] }\n", &[("wegraf.yaml:8:41", "goes round in a ring: a → a", "remove")]),
    ("  a: { targets: [ { webhook: group } ], escalate: [ { after: 10m, receiver: b } ] }\n  b: { targets: [ { webhook: group } ], escalate: [ { after: 10m, receiver: a } ] }\nroute: { receiver: a }\n",
        &[("wegraf.yaml:8:41", "a → b → a", "")]),
    ("  a: { targets: [ { webhook: group } ], escalate: [ { after: 10m, receiver: a, users: [x] } ] }\n", &[("wegraf.yaml:8:53", "either `receiver`, or `on_call`", "two steps")]),
    ("  a: { targets: [ { webhook: group } ], escalate: [ { after: 10m, app: op, users: [x] } ] }\n", &[("wegraf.yaml:8:72", "no app `op`", "`ops`")]),
    ("  a: { targets: [ { webhook: group } ], escalate: [ { after: 10m, users: [x], only: warning } ] }\n", &[("wegraf.yaml:8:85", "unknown here", "`critical`")]),
    ("  a: { targets: [ { webhook: group } ], escalate: [ { after: 10m, users: [x], face: markdown_v2 } ] }\n", &[("wegraf.yaml:8:85", "cannot take the face", "card")]),
    ("  a: { targets: [ { webhook: group } ], may_act: {} }\n", &[("wegraf.yaml:8:41", "either anyone: true, or users", "on_call")]),
    ("  a: { targets: [ { webhook: group } ], may_act: { anyone: true, users: [x] } }\n", &[("wegraf.yaml:8:41", "either anyone: true", "")]),
    ("  a: { targets: [ { webhook: group } ], may_act: { on_call: [web] } }\n", &[("wegraf.yaml:8:62", "no rota `web`", "`dba`")]),
    ("  a: { targets: [ { webhook: group } ] }\nmay_act: { users: [张三] }\n", &[("wegraf.yaml:9:20", "is not a userid", "")]),
    ("  a: { targets: [ { webhook: group } ] }\ndirectory: { file: nowhere.yaml }\n", &[("wegraf.yaml:9:20", "`directory.file`: cannot read", "permissions")]),
    ("  a: { targets: [ { webhook: group } ] }\ndirectory: { file: . }\n", &[("wegraf.yaml:9:20", "is no file, or larger", "its size")]),
    ("  a: { targets: [ { webhook: group } ] }\ndirectory: { app: op }\n", &[("wegraf.yaml:9:19", "no app `op`", "`ops`")]),
    ("  a: { targets: [ { webhook: group } ] }\ndirectory: { file: bad.yaml }\n",
        &[("bad.yaml:3:16", "no rota `web` in rotas", "`dba`"), ("bad.yaml:4:10", "`李 四` is not a userid", "")]),
];

#[test]
fn each_mistake_about_duty_has_its_place_its_reason_and_its_remedy() {
    let bad = "owners:\n  team:\n    db: [lisi, 'on_call:web']\n    web: 李 四\n";
    hold(WRONG, |text| mistakes(&format!("{WITH_ROTA}{text}"), &[("rota.yaml", ROTA), ("bad.yaml", bad)]));
}

#[test]
fn every_use_of_a_rota_resolves_to_the_people_on_duty() {
    let receivers = "  a:
    mention_from: [team]
    may_act: { on_call: [dba/backup] }
    escalate:
      - { after: 10m, on_call: dba, only: critical, face: card }
      - { after: 1h, receiver: b }
    targets:
      - { app: ops, users: [wangwu], on_call: dba }
      - { webhook: group, face: markdown, mention: ['on_call:dba'] }
      - { app: ops, chat: C, mention_from: [owner, team] }
  b: { targets: [ { app: ops, users: [boss] } ] }
route: { receiver: a }
may_act: { users: [ZhaoLiu] }
directory: { file: directory.yaml }
";
    let rota = format!("{ROTA}timezone: Europe/Berlin\nhandover: 周一 08:30\nevery: 2w\nbackup: [[sunqi, zhouba]]\n");
    let directory = "owners:\n  team: { db: [lisi, 'on_call:dba'], 7: wangwu }\n";
    let (config, notes) =
        beside(&format!("{WITH_ROTA}{receivers}"), &[("rota.yaml", &rota), ("directory.yaml", directory)]).unwrap();
    assert_eq!(notes, []);
    assert_eq!(config.files.len(), 2);
    let rota = &config.rotas.0["dba"];
    assert_eq!((rota.timezone.iana_name(), rota.days), (Some("Europe/Berlin"), 14));
    let instant = |text: &str| Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond());
    assert_eq!(rota.on_call(instant("2026-01-19T07:29:59Z")).people, ["zhangsan"]);
    assert_eq!(rota.on_call(instant("2026-01-19T07:30:00Z")).people, ["lisi"]);

    let a = &config.receivers["a"];
    assert_eq!(a.targets[0].lane(), LaneKey::stored("app/ops/wangwu|on_call:dba"));
    assert_eq!(a.targets[0].mention_from, [""; 0]);
    assert_eq!(a.targets[1].mention, ["on_call:dba"]);
    assert_eq!(a.targets[1].mention_from, ["team"]);
    assert_eq!(a.targets[2].mention_from, ["owner", "team"]);
    assert_eq!(a.may_act.as_ref().unwrap().on_call, ["dba/backup"]);
    assert!(a.may_act.as_ref().unwrap().allows("ZhouBa", Timestamp(0), &config.rotas));
    assert_eq!(config.receivers["b"].may_act.as_ref().unwrap().users, ["ZhaoLiu"]);
    let steps: Vec<(Duration, bool, Vec<String>)> = a
        .escalate
        .iter()
        .map(|step| {
            (
                step.after,
                step.only_critical,
                step.targets(&config).iter().map(|target| target.lane().to_string()).collect(),
            )
        })
        .collect();
    assert_eq!(
        steps,
        [
            (Duration::from_mins(10), true, vec!["app/ops/on_call:dba".to_owned()]),
            (Duration::from_hours(1), false, vec!["app/ops/boss".to_owned()]),
        ]
    );
    assert_eq!(a.escalate[0].targets(&config)[0].face, Face::Card);
    assert_eq!(config.targets().count(), 3 + 1 + 1, "those of a, of its step, and of b");
    assert_eq!(config.directory.owners["team"]["db"], ["lisi", "on_call:dba"]);
    assert_eq!(config.directory.owners["team"]["7"], ["wangwu"]);
    assert_eq!(config.directory.app.as_deref(), Some("ops"), "the only app there is");
}

#[test]
fn the_example_files_are_right() {
    let text = EXAMPLE.replace("# rotas:", "rotas:").replace("# directory:", "directory:");
    let (config, _) = read_example(&text).unwrap();
    let rota = &config.rotas.0["dba"];
    assert_eq!((rota.people.len(), rota.substitutes.len(), rota.holidays.len()), (3, 1, 2));
    assert_eq!(config.directory.owners["team"]["web"], ["lisi"]);
    assert_eq!(config.files, [Path::new("rota.example.yaml"), Path::new("directory.example.yaml")]);
}

#[test]
fn mentioning_owners_without_a_way_to_find_them_is_noted() {
    let (_, notes) = good(&SMALL.replace("{ webhook: group }", "{ webhook: group, mention_from: [team] }"));
    let [note] = notes.try_into().unwrap();
    assert!(note.reason.en.contains("no one can be mentioned"), "{note}");
    let with_app = format!("{WITH_ROTA}  a: {{ targets: [ {{ webhook: group, mention_from: [team] }} ] }}\n");
    assert_eq!(beside(&with_app, &[("rota.yaml", ROTA)]).unwrap().1, []);
}
