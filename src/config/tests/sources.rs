//! Sources: their proofs, their permissions, and notes on their credentials.

use super::*;

/// Long and random enough anywhere; different for each letter.
fn token(letter: &str) -> String {
    format!("canary-{letter}-9f2c71d0e8b35a46")
}

fn sources(text: &str) -> (Vec<Source>, Vec<Note>) {
    let (config, notes) = good(&format!("sources: {{ g: {{ {text} }} }}\n{SMALL}"));
    (config.sources, notes)
}

fn only(text: &str) -> Source {
    let (mut sources, notes) = sources(text);
    assert_eq!(notes, [], "{text}");
    sources.pop().unwrap()
}

#[test]
fn a_source_may_have_several_credentials_and_two_of_each_while_they_are_replaced() {
    let (one, two) = (token("a"), token("b"));
    let source = only(&format!(
        "bearer: [{one}, {two}], header: {{ name: X-Gitlab-Token, value: {one} }}, query: {{ name: token, value: {one} }}, path: {one}"
    ));
    assert!(matches!(
        &source.proofs[..],
        [Proof::Bearer { .. }, Proof::Bearer { .. }, Proof::Header { .. }, Proof::Query { .. }, Proof::Path(_)]
    ));
    let Proof::Bearer { scheme, token } = &source.proofs[1] else { panic!("bearer") };
    assert_eq!((scheme.as_str(), token.expose_secret()), ("Bearer", two.as_str()));
    let source = only(&format!("bearer: {one}, scheme: Token"));
    assert!(matches!(&source.proofs[..], [Proof::Bearer { scheme, .. }] if scheme == "Token"));
}

#[test]
fn combined_proofs_are_required_with_either_of_two_secrets() {
    let (one, two) = (token("a"), token("b"));
    let source = only(&format!(
        "all: [ {{ query: [ {{ name: t, value: {one} }}, {{ name: t, value: {two} }} ] }}, {{ addresses: [10.0.0.0/8] }} ]"
    ));
    assert_eq!(source.proofs.len(), 2, "one for each secret");
    for proof in &source.proofs {
        let Proof::All(demanded) = proof else { panic!("{proof:?}") };
        assert!(matches!(&demanded[..], [Proof::Query { .. }, Proof::Addresses(networks)] if networks.len() == 1));
    }
}

#[test]
fn addresses_are_demanded_besides_unless_they_may_stand_alone() {
    let source = only(&format!("bearer: {}, addresses: [10.0.0.0/8, '::1']", token("a")));
    assert_eq!((source.proofs.len(), source.addresses.len()), (1, 2));
    let source = only("addresses: [127.0.0.1], allow_addresses_alone: true");
    assert!(matches!(&source.proofs[..], [Proof::Addresses(networks)] if networks.len() == 1));
    assert_eq!(source.addresses, []);
}

#[test]
fn a_source_may_be_limited_to_receivers() {
    let source = only(&format!("bearer: {}, receivers: [ops]", token("a")));
    assert!(source.may_post_to("ops") && !source.may_post_to("dba"));
    assert!(only(&format!("bearer: {}", token("a"))).may_post_to("dba"));
}

#[rustfmt::skip]
const WRONG: &[Case] = &[
    ("{}", &[(1, 12, "does not say how it proves itself", "bearer, basic, header, query, path, hmac, sns, smn and client_cert")]),
    ("{ bearer: [] }", &[(1, 12, "does not say how it proves itself", "")]),
    ("{ bearer: [canary-a, { enw: A }] }", &[(1, 38, "`enw` is unknown here", "`env`")]),
    ("{ addresses: [10.0.0.0/8] }", &[(1, 17, "others can share or forge an address", "allow_addresses_alone: true")]),
    ("{ bearer: canary-a, addresses: [10.1.0.0/8] }", &[(1, 47, "`10.1.0.0/8` in `sources.g.addresses` is neither", "bits behind the prefix")]),
    ("{ bearer: canary-a, addresses: [] }", &[(1, 35, "`sources.g.addresses` is empty", "remove the line")]),
    ("{ all: [ { addresses: [10.0.0.0/8] } ] }", &[(1, 17, "addresses alone prove nothing", "query")]),
    ("{ all: [] }", &[(1, 17, "addresses alone prove nothing", "")]),
    ("{ header: { name: 'X Y', value: canary } }", &[(1, 33, "cannot be the name of a header", "")]),
    ("{ query: { value: canary } }", &[(1, 17, "`name` is missing", "")]),
    ("{ query: { name: 'a b', value: canary } }", &[(1, 32, "not the name of a parameter", "access_token")]),
    ("{ path: 'canary/b' }", &[(1, 23, "cannot stand in a path", "letters, digits")]),
    ("{ bearer: canary, scheme: Basic }", &[(1, 41, "`sources.g.scheme` is not a word", "ApiKey")]),
    ("{ bearer: canary, receivers: [opps] }", &[(1, 45, "no receiver `opps` in receivers", "`ops`")]),
    ("{ bearer: canary, receivers: [] }", &[(1, 33, "it could post nothing", "")]),
    ("{ hmac: { secret: canary, preset: gihub } }", &[(1, 49, "`gihub` is unknown here", "`github`")]),
    ("{ hmac: { secret: canary, signed: '{bdoy}' } }", &[(1, 49, "the unknown part {bdoy}", "{method}:{path}")]),
    ("{ hmac: { secret: canary, signed: '{path}' } }", &[(1, 49, "has no {body}", "")]),
    ("{ hmac: { secret: canary, signed: '{timestamp}{body}' } }", &[(1, 49, "there is no timestamp_header", "")]),
    ("{ hmac: { secret: canary, timestamp_header: T, signed: '{body}' } }", &[(1, 70, "the time could be changed at will", "")]),
    ("{ hmac: { secret: canary, prefix: 'sha1=' } }", &[(1, 49, "the prefix says sha1, and sha256 is used", "algorithm: sha1")]),
    ("{ hmac: { secret: canary, algorithm: md5 } }", &[(1, 52, "this value is unknown here", "`sha256`")]),
    ("{ hmac: { secret: canary, several: ', ' } }", &[(1, 50, "`several` is one character", "")]),
    ("{ hmac: { secret: canary, timestamp_header: T, tolerance: 2h } }", &[(1, 73, "must be from 1s to 1h", "")]),
    ("{ sns: { topics: [] } }", &[(1, 24, "`sources.g.sns.topics` is empty", "by ARN")]),
    ("{ sns: { confirm: true } }", &[(1, 17, "`topics` is missing", "")]),
    ("{ smn: { topics: ['urn:smn:x'], hosts: ['http://x'] } }", &[(1, 55, "`http://x` is not a domain", "myhuaweicloud.com")]),
    ("{ hmac: { secret: 'canary!', preset: gitlab } }", &[(1, 33, "is not Base64", "key: text")]),
];

#[test]
fn each_mistake_of_a_source_has_its_place_its_reason_and_its_remedy() {
    let mut failures = String::new();
    for (text, expected) in WRONG {
        failures += &check(&format!("sources: {{ g: {text} }}\n{SMALL}"), expected);
    }
    assert!(failures.is_empty(), "{failures}");
}

fn notes(text: &str) -> Vec<String> {
    let (_, notes) = good(text);
    for note in &notes {
        assert!(!note.to_string().contains("canary"), "{note}");
    }
    notes.iter().map(|note| format!("{}:{} {}", note.place.line, note.place.column, note.reason.en)).collect()
}

#[test]
fn weak_and_shared_tokens_are_noted_more_strictly_where_others_can_try() {
    let strong = token("a");
    for (listen, source, expected) in [
        ("127.0.0.1:1", "bearer: canaryx".to_owned(), "2:25 `sources.g.bearer` has 7 characters"),
        ("0.0.0.0:1", "bearer: canaryxyz01".to_owned(), "2:25 `sources.g.bearer` has 11 characters"),
        ("127.0.0.1:1", "bearer: changeme".to_owned(), "2:25 `sources.g.bearer` is a word that everybody tries"),
        ("0.0.0.0:1", "bearer: aaaaaaaaaaaabbbbbbbbbbbb".to_owned(), "2:25 `sources.g.bearer` has only 2 different"),
        (
            "127.0.0.1:1",
            "query: { name: t, value: canary-abcdefgh }".to_owned(),
            "has 15 characters and is easy to guess (at least 24)",
        ),
        ("0.0.0.0:1", format!("query: {{ name: t, value: {strong} }}"), "is plain HTTP"),
        ("0.0.0.0:1", format!("path: {strong}"), "is plain HTTP"),
        (
            "127.0.0.1:1",
            "basic: { username: u, password: canary }".to_owned(),
            "`sources.g.basic.password` has 6 characters",
        ),
        (
            "127.0.0.1:1",
            format!("bearer: {strong} }}, h: {{ bearer: {strong}"),
            "sources `g` and `h` share a credential",
        ),
    ] {
        let found = notes(&format!("listen: {listen}\nsources: {{ g: {{ {source} }} }}\n{SMALL}"));
        assert_eq!(found.len(), 1, "{source}: {found:?}");
        assert!(found[0].contains(expected), "{source}: {found:?}");
    }
    let fine = format!("listen: 0.0.0.0:1\nsources: {{ g: {{ bearer: {strong} }} }}\n{SMALL}");
    assert_eq!(notes(&fine), [] as [&str; 0]);
}

#[test]
fn a_reference_that_nothing_replaces_is_noted() {
    for (text, name) in [
        ("$OPS_SECRET", "OPS_SECRET"),
        ("'${OPS_SECRET}'", "OPS_SECRET"),
        ("'${OPS_SECRET:-x}'", "OPS_SECRET"),
        ("'$(OPS_SECRET)'", "OPS_SECRET"),
        ("'{{ .OPS_SECRET }}'", "OPS_SECRET"),
        ("'%OPS_SECRET%'", "OPS_SECRET"),
    ] {
        let (_, notes) = sources(&format!("bearer: {text}"));
        let [note] = notes.try_into().unwrap_or_else(|notes| panic!("{text}\n{notes:?}"));
        assert!(note.reason.en.contains("is taken literally"), "{note}");
        assert!(note.remedy.en.contains(&format!("{{ env: {name} }}")), "{note}");
    }
    for text in ["'$'", "a$b", "pa$$word", "'100%'", "'$1$abc'"] {
        let source = format!("sources: {{ g: {{ bearer: [{text}, canary-long] }} }}\n{SMALL}");
        assert!(!notes(&source).iter().any(|note| note.contains("literally")), "{text}");
    }
}

#[cfg(unix)]
#[test]
fn a_secret_file_that_others_can_read_is_noted() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    std::fs::write(&file, "11111111-2222-4333-8444-555555555555\n").unwrap();
    let noted = |mode: u32, written: &str| {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        let text = SMALL.replace("11111111-2222-4333-8444-555555555555", &format!("{{ file: {written} }}"));
        read(&text, folder.path()).unwrap().1.into_iter().map(|note| note.remedy.en).collect::<Vec<_>>()
    };
    let chmod = [format!("chmod 600 {}", file.display())];
    for mode in [0o644, 0o640, 0o660, 0o604] {
        assert_eq!(noted(mode, "key"), chmod, "{mode:o}");
    }
    for mode in [0o600, 0o400] {
        assert_eq!(noted(mode, "key"), [] as [&str; 0], "{mode:o}");
    }
    // As Kubernetes mounts a secret: a link to `..data`, which is a link to the folder of this version.
    std::fs::create_dir(folder.path().join("..version")).unwrap();
    std::fs::rename(&file, folder.path().join("..version/key")).unwrap();
    symlink("..version", folder.path().join("..data")).unwrap();
    symlink("..data/key", &file).unwrap();
    assert_eq!(noted(0o440, "key"), [] as [&str; 0], "the group is the pod's own");
    assert!(noted(0o644, "key")[0].contains("defaultMode"));
}

const TREE: &str = "
wecom: { webhooks: { group: { key: 11111111-2222-4333-8444-555555555555 } } }
receivers:
  a: { targets: [ { webhook: group } ] }
  b: { targets: [ { webhook: group } ] }
route:
  receiver: a
  routes:
";

fn of_routes(routes: &[&str]) -> Vec<String> {
    let lines: Vec<String> = routes.iter().map(|route| format!("    - {route}\n")).collect();
    notes(&format!("{TREE}{}", lines.concat()))
}

#[test]
fn routes_that_nothing_reaches_are_noted() {
    let found = of_routes(&["{ matchers: [team=db], receiver: b }", "{ matchers: [team=db, severity=critical] }"]);
    assert_eq!(found, ["10:7 `routes[1]` gets none: `routes[0]` in line 9 takes every alert of its"]);
    let found = of_routes(&["{ matchers: ['team=db', 'team!=db'], receiver: b }"]);
    assert!(found[0].contains("contradict"), "{found:?}");
    let last = of_routes(&["{ matchers: [team=db] }", "{ receiver: b }"]);
    assert_eq!(last, [] as [&str; 0], "the last may take the rest");
}

#[test]
fn a_receiver_that_nothing_names_is_noted() {
    let found = of_routes(&["{ matchers: [team=db] }"]);
    assert_eq!(found, ["5:3 receiver `b` is not used: no route, fallback, escalation or alarm names it"]);
    let named = [
        "alarm: { receiver: b }\n".to_owned(),
        format!("sources: {{ g: {{ bearer: {}, receivers: [a, b] }} }}\n", token("a")),
    ];
    for text in named {
        assert_eq!(notes(&format!("{text}{TREE}    - {{ matchers: [team=db] }}\n")), [] as [&str; 0], "{text}");
    }
}

#[test]
fn characters_that_only_look_right_are_noted() {
    for (matcher, letter) in [
        ("team=“db”", "“"),
        ("team=‘db’", "‘"),
        ("team=\"“db”\"", "“"),
        ("team=~db|infra，ops", "，"),
        ("team=~\"db｜infra\"", "｜"),
        ("team=ｄｂ", "ｄ"),
        ("team=\"d\u{200b}b\"", "U+200B"),
        ("team=\"db \"", "blank"),
    ] {
        let found = of_routes(&[&format!("{{ matchers: ['{matcher}'], receiver: b }}")]);
        assert_eq!(found.len(), 1, "{matcher}: {found:?}");
        assert!(found[0].contains(letter), "{matcher}: {found:?}");
    }
    for matcher in ["team=\"运维（一组）\"", "team=~\"订单.*|支付\"", "\"cloud.account\"=\"prod\"", "名字=\"值：一\""]
    {
        let found = of_routes(&[&format!("{{ matchers: ['{matcher}'], receiver: b }}")]);
        assert_eq!(found, [] as [&str; 0], "{matcher}");
    }
    let wrong = format!("{TREE}    - {{ matchers: ['team＝db'], receiver: b }}\n");
    assert_eq!(check(&wrong, &[(9, 20, "full-width or invisible character ＝", "half-width =")]), "");
    let quotes = notes(&SMALL.replace("targets:", "language: zh\n    mention_from: [“team”]\n    targets:"));
    assert!(quotes.iter().any(|note| note.contains("stands in full-width quotes")), "{quotes:?}");
}

#[test]
fn a_full_width_colon_behind_a_key_is_named() {
    let colon = |text: &str, line, column| {
        assert_eq!(check(text, &[(line, column, "followed by the full-width colon", "write route: ")]), "", "{text}");
    };
    colon(&format!("{SMALL}route：\n  receiver: ops\n"), 8, 1);
    colon(&format!("{SMALL}route： {{ receiver: ops }}\n"), 8, 1);
}
