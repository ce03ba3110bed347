//! A fixed shape that is read without a tree reads exactly as out of its tree.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

/// Bodies of all kinds: our samples, recorded ones, and what fuzzing found.
static BODIES: LazyLock<Vec<(String, Vec<u8>)>> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let inside = ["tests/fixtures/payloads", "tests/fixtures/senders", "fuzz/corpus/ingest", "fuzz/corpus/reader"];
    let beside = [corpus::folder(), corpus::folder().map(|folder| folder.with_file_name("cases"))];
    let folders = inside.map(|folder| root.join(folder)).into_iter().chain(beside.into_iter().flatten());
    let mut files: Vec<PathBuf> = folders
        .flat_map(|folder| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()))
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    let read = |path: PathBuf| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(path).unwrap());
    files.into_iter().map(read).collect()
});

/// Is the body taken without a tree?
fn is_quick(bytes: &[u8], door: Door) -> bool {
    let text = std::str::from_utf8(bytes).unwrap();
    fixed::quickly(text, door, &SHIPPED, NOW, &mut |_| {}).unwrap().is_some()
}

/// Panics unless both ways agree about `bytes`.
fn agree(bytes: &[u8]) {
    for door in [Door::Webhook, Door::AlertsPush] {
        let said = |explained: Result<Explained, Unreadable>| {
            explained.map(|Explained { notification, by, origins }| (notification, by, origins))
        };
        let quick = said(explain(bytes, None, door, &SHIPPED, NOW));
        let slow = said(explain_by_tree(bytes, None, door, &SHIPPED, NOW));
        assert_eq!(quick, slow, "{door:?}: {}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn every_known_body_reads_as_out_of_its_tree() {
    for (_, bytes) in BODIES.iter() {
        agree(bytes);
    }
}

#[test]
fn what_real_programs_send_needs_no_tree() {
    for (name, bytes) in
        BODIES.iter().filter(|(name, _)| Path::new(name).extension().is_some_and(|kind| kind == "json"))
    {
        let Ok(read) = explain(bytes, None, Door::Webhook, &SHIPPED, NOW) else { continue };
        let format = read.notification.format;
        if matches!(format, Format::Alertmanager | Format::Grafana | Format::AlertsPush) && !name.contains("odd") {
            let door = if format == Format::AlertsPush { Door::AlertsPush } else { Door::Webhook };
            assert!(is_quick(bytes, door), "{name}");
        }
    }
}

#[test]
fn a_group_has_the_key_that_its_sender_gives() {
    let body = json!({"receiver": "ops", "groupKey": "{}:{a=1}", "alerts": [{"status": "firing", "labels": {"alertname": "x"}}]});
    assert_eq!(webhook_json(&body).group_key, "{}:{a=1}");
    agree(body.to_string().as_bytes());
    // A group of which nothing is left is known by it.
    let empty = webhook_json(&json!({"receiver": "ops", "groupKey": "{}:{a=1}", "alerts": []}));
    assert_eq!((empty.format, empty.alerts.len()), (Format::Alertmanager, 0));
}

#[test]
fn alerts_with_more_members_than_any_program_sends_are_not_read_one_by_one() {
    let members = |count: usize| (0..count).map(|at| (format!("n{at}"), json!("v"))).collect::<serde_json::Map<_, _>>();
    for (labels, annotations, values, streams) in
        [(600, 300, 0, true), (600, 500, 0, false), (1, 1_200, 0, false), (600, 1, 500, false), (998, 1, 1, true)]
    {
        let alert = json!({"status": "firing", "labels": members(labels), "annotations": members(annotations), "values": members(values)});
        let body = json!({"version": "4", "alerts": [alert]}).to_string();
        assert_eq!(super::streams(body.as_bytes(), None, Door::Webhook), streams, "{labels} {annotations} {values}");
    }
}

#[test]
fn a_body_of_many_alerts_needs_no_tree() {
    let alert = |number: usize| json!({"status": "firing", "labels": {"alertname": "x", "n": number.to_string()}});
    for count in [255, 256, 257, 258, 1_000] {
        let alerts: Vec<Json> = (0..count).map(alert).chain([json!(7), json!(null)]).collect();
        for body in [json!({"version": "4", "alerts": alerts, "status": "resolved"}), json!(alerts)] {
            let body = body.to_string();
            agree(body.as_bytes());
            assert_eq!(webhook(&body).alerts.len(), count);
            assert!(is_quick(body.as_bytes(), Door::Webhook), "{count}");
        }
    }
}

#[test]
fn what_a_tree_would_change_is_left_to_the_tree() {
    let token = "$serde_json::private::RawValue";
    for body in [
        r#"{"version":"4","alerts":[{"labels":{"a":"1"}}],"alerts":[{"labels":{"a":"2"}}]}"#.to_owned(),
        r#"{"version":"4","alerts":[{"labels":{"a":"1"},"labels":{"b":"2"}}]}"#.to_owned(),
        r#"{"version":"4","version":"1","alerts":[{"labels":{"a":"1"}}]}"#.to_owned(),
        r#"{"version":"4","alerts":[{"labels":{"a":"1"}}],"x":1e999}"#.to_owned(),
        r#"{"version":"4","alerts":[{"labels":{"a":"1"}}],"x":"\ud800"}"#.to_owned(),
        r#"{"version":"4","alerts":[{"labels":{"a":"1"}}]} and more"#.to_owned(),
        r#"{"version":"4","alerts":[{"labels":{"a":"1"}}]"#.to_owned(),
        format!(r#"{{"version":"4","alerts":[{{"labels":{{"a":{{"{token}":"[1]"}}}}}}]}}"#),
        format!(r#"{{"version":"4","alerts":[{{"labels":{{"a":"1"}}}}],"x":{{"\u0024{}":"[1]"}}}}"#, &token[1..]),
        format!(r#"{{"version":"4","alerts":[{{"labels":{{"a":"1"}}}}],"x":{}{}}}"#, "[".repeat(127), "]".repeat(127)),
    ] {
        agree(body.as_bytes());
        assert!(!is_quick(body.as_bytes(), Door::Webhook), "{body}");
    }
    for body in [
        r#"{"version":"4","alerts":[{"labels":{"a":"1","a":"2"},"message":"x","message":7}]}"#.to_owned(),
        r#"{"version":"4","alerts":[{"labels":{"a\u0000":"1","a␀":"2","a\u0000":"3"}}]}"#.to_owned(),
        format!(r#"{{"version":"4","alerts":[{{"labels":{{"a":"1"}}}}],"x":{}{}}}"#, "[".repeat(126), "]".repeat(126)),
    ] {
        agree(body.as_bytes());
        assert!(is_quick(body.as_bytes(), Door::Webhook), "{body}");
    }
}

#[test]
fn no_zero_is_left_anywhere_in_an_alert() {
    let body = r#"{"version":"1","alerts":[{"labels":{"a":"b"},"message":"x\u0000y","de\u0000sc":"z",
                   "values":{"A\u0000":5}}]}"#;
    let alert = only(webhook(body));
    assert_eq!((alert.annotations["message"].as_str(), alert.annotations["de␀sc"].as_str()), ("x␀y", "z"));
    assert_eq!(shown(&alert), "A␀=5");
}

/// Members that change what a body is, wherever they are put.
const MEMBERS: [&str; 32] = [
    r#""labels":{},"#,
    r#""labels":null,"#,
    r#""labels":{"alertname":"DatasourceNoData","rulename":"x","a":null,"b":7,"c":[1],"d":{"z":1,"y":"\u0000"}},"#,
    r#""annotations":{"__values__":"{\"B\":2,\"A\":\"1\"}","description":"<b>x</b>"},"#,
    r#""annotations":7,"#,
    r#""status":null,"#,
    r#""status":"resolved","#,
    r#""status":["firing"],"#,
    r#""alerts":[],"#,
    r#""alerts":[7,{"labels":{"a":"b"}}],"#,
    r#""startsAt":5,"#,
    r#""startsAt":null,"#,
    r#""endsAt":"2026-11-22T13:00:00Z","#,
    r#""values":[1],"#,
    r#""values":{"B":true,"A":"1","A":0,"N\u0000":2.5},"#,
    r#""valueString":"[ var='A' labels={} value=5 ]","#,
    r#""fingerprint":12345678901234567890,"#,
    r#""imageUrl":"https://x.example/1.png","#,
    r#""ruleUID":{"b":1,"a":2},"#,
    r#""note":7,"#,
    r#""message":"a\u0000b","#,
    r#""desc":"x","desc":"","#,
    r#""orgId":3,"#,
    r#""orgId":"3","#,
    r#""state":1,"#,
    r#""version":4,"#,
    r#""version":"1","#,
    r#""title":"[P1] 标题","#,
    r#""x":1e999,"#,
    r#""x":"\ud800","#,
    r#""x":{"$serde_json::private::RawValue":"[1]"},"#,
    r#""routeLabels":{"team":"dba","a":""},"#,
];

/// What stands in place of a text.
const VALUES: [&str; 10] =
    ["null", "7", "-0.0", "1e300", "true", "{}", r#"[1,{"b":2,"a":1}]"#, r#""\u0041\n""#, r#""""#, "[]"];

/// Where one of `letters` stands, not the first byte.
fn at(body: &[u8], letters: &[u8], which: Index) -> Option<usize> {
    let places: Vec<usize> = (0..body.len()).filter(|&at| letters.contains(&body[at])).collect();
    (!places.is_empty()).then(|| *which.get(&places))
}

fn change(body: &mut Vec<u8>, kind: u8, place: Index, what: Index) {
    match kind {
        0..=4 => {
            let Some(at) = at(body, b"{,", place) else { return };
            let rest = body.split_off(at + 1);
            body.extend_from_slice(what.get(&MEMBERS).as_bytes());
            body.extend_from_slice(&rest);
        }
        5..=7 => {
            let Some(from) = at(body, b"\"", place) else { return };
            let Some(length) = body[from + 1..].iter().position(|byte| *byte == b'"') else { return };
            body.splice(from..from + length + 2, what.get(&VALUES).bytes());
        }
        8 => {
            let Some(at) = at(body, b"abcdefghijklmnopqrstuvwxyz", place) else { return };
            let escaped = format!("\\u{:04x}", body[at]);
            body.splice(at..=at, escaped.into_bytes());
        }
        9 => body.truncate(place.index(body.len() + 1)),
        10 if !body.is_empty() => {
            let at = place.index(body.len());
            body[at] = what.index(256).to_le_bytes()[0];
        }
        _ => body.extend_from_slice([&b" "[..], b"}", b"{}", b"\xFF", b"\n[1]"][what.index(5)]),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_changed_body_reads_as_out_of_its_tree(
        body in any::<Index>(),
        changes in prop::collection::vec((0..12_u8, any::<Index>(), any::<Index>()), 1..6),
    ) {
        let (_, mut body) = body.get(&BODIES).clone();
        for (kind, place, what) in &changes {
            change(&mut body, *kind, *place, *what);
        }
        agree(&body);
    }
}
