//! Malformed and hostile bodies (F46 to F50, F91 to F96, F100, docs/reference/reliability.md#senders-and-storms,
//! #hostile-input).

use proptest::prelude::*;

use super::*;
use crate::alert::Links;

fn read_bytes(bytes: &[u8]) -> Result<Notification, Unreadable> {
    read(bytes, None, Door::Webhook, &SHIPPED, NOW)
}

#[test]
fn only_nothing_is_unreadable_and_binary_data_are_told_as_such() {
    for empty in [&b""[..], b"  \r\n\t", b"\xEF\xBB\xBF", b"\xEF\xBB\xBF \n"] {
        assert_eq!(read_bytes(empty), Err(Unreadable::Empty));
    }
    for binary in
        [&b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\xff\xd8\xff\xe0\0"[..], b"\0\0\0", b"\x1f\x8b\x08\0\0\0\0\0\x02\xff\xcb\x48"]
    {
        let told = read_bytes(binary).unwrap();
        let alert = &told.alerts[0];
        assert_eq!((told.format, alert.status), (Format::Opaque, Status::Notice), "{binary:?}");
        assert!(alert.name.contains(&format!("{} 字节", binary.len())), "{}", alert.name);
    }
    assert_eq!(Unreadable::Empty.status(), 400);
}

#[test]
fn text_is_shown_as_it_is_under_its_first_line() {
    let notification = read_bytes("\u{FEFF}\n 主库只读 \n\n第二行\n".as_bytes()).unwrap();
    assert_eq!((notification.format, notification.message.as_str()), (Format::Opaque, "第二行"));
    assert_eq!(only(notification).name, "主库只读");
    for (text, name) in [
        ("[1] ping lost", "[1] ping lost"),
        ("<html><body>502", "502"),
        ("{broken", "{broken"),
        ("\"quoted\"", "\"quoted\""),
    ] {
        assert_eq!(only(read_bytes(text.as_bytes()).unwrap()).name, name);
    }
    for nameless in ["---", "null", "…", "{}"] {
        assert_eq!(only(read_bytes(nameless.as_bytes()).unwrap()).name, words::UNRECOGNISED.zh, "{nameless}");
    }
}

#[test]
fn an_unknown_object_is_called_after_its_most_telling_member() {
    for (body, name, message) in [
        (r#"{"kind":"x","Subject":"CPU 高","message":"m"}"#, "CPU 高", "m\nkind: x"),
        (r#"{"msg_title":"构建失败\n第二行","n":1}"#, "构建失败", "n: 1\nmsg_title: 构建失败 第二行"),
        (r#"{"title":7}"#, "title: 7", ""),
    ] {
        let notification = read_bytes(body.as_bytes()).unwrap();
        assert_eq!((notification.message.as_str(), notification.alerts[0].name.as_str()), (message, name));
    }
    assert_eq!(only(read_bytes(br#"{"message":""}"#).unwrap()).name, "{\"message\":\"\"}");
}

#[test]
fn each_different_text_is_an_alert_of_its_own() {
    let identity =
        |text: &str| only(read_bytes(text.as_bytes()).unwrap()).identity(&SourceId::Configured("s".to_owned()));
    assert_ne!(identity("任务 1 失败"), identity("任务 2 失败"));
    assert_eq!(identity("任务 1 失败"), identity("任务 1 失败\n"));
}

#[test]
fn a_long_text_is_cut_between_characters() {
    let notification = read_bytes("磁".repeat(5000).as_bytes()).unwrap();
    assert!(notification.message.len() <= EXCERPT && notification.message.len() > EXCERPT - 4);
    assert!(notification.message.ends_with("磁…"));
    assert!(notification.alerts[0].name.len() <= 120);
}

const ALERT: &str = r#"{"version":"1","alerts":[{"labels":{"alertname":"磁盘将满"},"values":{"A":$}}]}"#;

#[test]
fn numbers_that_no_float_holds_do_not_cost_the_alert() {
    let long = "9".repeat(300);
    for (token, text) in [
        ("1e400000", "1e400000"),
        ("-1e400000", "-1e400000"),
        ("NaN", "NaN"),
        ("Infinity", "Infinity"),
        ("-Infinity", "-Infinity"),
        ("-0", "-0.0"),
        ("-0.0", "-0.0"),
        ("18446744073709551616", "1.8446744073709552e+19"),
        (&*long, "1e+300"),
        ("1e+21", "1e+21"),
        ("1e-7", "1e-7"),
        ("1.5e-12", "1.5e-12"),
        ("007", "007"),
        ("+5", "+5"),
        (".5", ".5"),
    ] {
        let alert = only(webhook(&ALERT.replace('$', token)));
        let shown = alert.values.first().map_or("", |value| value.text.as_str());
        assert_eq!((alert.name.as_str(), shown), ("磁盘将满", text), "{token}");
    }
}

#[test]
fn a_template_that_writes_almost_json_is_still_read() {
    for body in [
        "\u{FEFF}{\"version\":\"1\",\"alerts\":[{\"labels\":{\"alertname\":\"a\"}}]}",
        "{\"version\":\"1\",\"alerts\":[{\"labels\":{\"alertname\":\"a\",},},],}",
        "{\"version\":\"1\",\"alerts\":[{\"labels\":{\"alertname\":\"a\",\"x\":\"line\none\ttab\"}}]}",
        r#"{"version":"1","alerts":[{"labels":{"alertname":"a","x":"\d+\.\w \u12"}}]}"#,
        r#"{"version":"1","alerts":[{"labels":{"alertname":"a","x":"\ud83d"}}]}"#,
        "{\"version\":\"1\",\"alerts\":[{\"labels\":{\"alertname\":\"a\"}}]}\n-- \nsent by cron",
        "{\"version\":\"1\",\"alerts\":[{\"labels\":{\"alertname\":\"a\"}}]}\0",
        r#"{"version":"1","alerts":[{"labels":{"alertname":"a"},"values":{"A":None}}]}"#,
    ] {
        let notification = webhook(body);
        assert_eq!((notification.format, notification.alerts[0].name.as_str()), (Format::Grafana, "a"), "{body}");
    }
    let kept = webhook(r#"{"version":"1","alerts":[{"labels":{"alertname":"a","x":"\d+ \ud83d\ude00 \udc00"}}]}"#);
    assert_eq!(only(kept).labels["x"], "\\d+ 😀 \u{FFFD}");
}

#[test]
fn two_bodies_in_one_are_shown_whole() {
    let line = r#"{"version":"4","alerts":[{"labels":{"alertname":"a"}}]}"#;
    let notification = webhook(&format!("{line}\n{line}"));
    assert_eq!((notification.format, notification.alerts.len()), (Format::Generic, 2));
    assert!(notification.alerts.iter().all(|alert| alert.name == "a"));
}

#[test]
fn of_duplicate_keys_the_last_wins() {
    let body = r#"{"version":"4","alerts":[{"labels":{"alertname":"one","alertname":"two"},"labels":{"alertname":"three","alertname":"four"}}]}"#;
    assert_eq!(only(webhook(body)).name, "four");
}

#[test]
fn depth_does_not_overflow_the_stack() {
    for body in [
        "[".repeat(100_000),
        "{\"a\":".repeat(100_000),
        format!("{{\"version\":\"4\",\"alerts\":{}", "[".repeat(100_000)),
    ] {
        assert_eq!(webhook(&body).format, Format::Opaque);
    }
    let closed = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(webhook(&closed).format, Format::Opaque);
}

#[test]
fn invalid_utf8_becomes_replacement_characters_and_zero_is_made_visible() {
    let mut body =
        br#"{"version":"4","alerts":[{"labels":{"alertname":"a\u0000b","\u0000":"x"},"annotations":{"summary":""#
            .to_vec();
    body.extend(b"caf\xe9 \xff\"}}]}");
    let alert = only(read_bytes(&body).unwrap());
    assert_eq!((alert.name.as_str(), alert.labels["\u{2400}"].as_str()), ("a\u{2400}b", "x"));
    assert!(alert.annotations["summary"].contains('\u{FFFD}'));
    assert_eq!(only(read_bytes(b"disk\0full").unwrap()).name, "disk\u{2400}full");
    let unknown = only(read_bytes(br#"{"ruleName":"disk\u0000full","x":[]}"#).unwrap());
    assert_eq!(unknown.name, "disk\u{2400}full");
}

#[test]
fn ten_megabytes_of_alerts_are_read() {
    let alert = json!({"status": "firing", "labels": {"alertname": "主机失联", "instance": "10.0.0.1:9100"},
        "annotations": {"summary": "x".repeat(1900)}, "startsAt": "2026-11-22T13:00:00Z", "values": {"A": 1.5, "C": 1}});
    let body = json!({"version": "1", "orgId": 1, "alerts": vec![alert; 5000]}).to_string();
    assert!(body.len() > 10_000_000);
    let notification = webhook(&body);
    assert_eq!((notification.alerts.len(), notification.truncated), (5000, 0));
}

#[test]
fn a_body_of_more_objects_than_can_be_held_is_refused_whole() {
    let body = format!("[{}{{}}]", "{},".repeat(400_000));
    let refused = read_bytes(body.as_bytes()).unwrap_err();
    assert_eq!((refused.status(), &refused), (413, &Unreadable::TooMany { objects: 400_001 }));
}

/// Any JSON, with the names that readers look for.
fn any_json() -> impl Strategy<Value = Json> {
    let name = prop_oneof![
        prop::sample::select(vec![
            "alerts",
            "labels",
            "annotations",
            "version",
            "orgId",
            "state",
            "status",
            "ruleName",
            "evalMatches",
            "value",
            "values",
            "valueString",
            "startsAt",
            "endsAt",
            "generatorURL",
            "imageURL",
            "alertname",
            "rulename",
            "datasource_uid",
            "grafana_state_reason",
            "rule_id",
            "hash",
            "trigger_time",
            "msgtype",
            "text",
            "title",
            "msg",
            "heartbeat",
            "monitor",
            "sessionId",
            "alarmPolicyInfo",
            "severity",
            "runbook_url",
            "__values__",
        ])
        .prop_map(str::to_owned),
        ".{0,6}",
    ];
    let text = prop_oneof![
        prop::sample::select(vec![
            "1",
            "4",
            "firing",
            "resolved",
            "alerting",
            "ok",
            "no_data",
            "DatasourceNoData",
            "DatasourceError",
            "NoData",
            "Error",
            "-1",
            "NaN",
            "https://a.example.com/x",
            "javascript:x",
            "0001-01-01T00:00:00Z",
            "2026-11-22T13:00:00Z",
            "[ var='A' labels={} value=-1 ]",
            "{\"A\":-1}",
            "text",
        ])
        .prop_map(str::to_owned),
        any::<String>(),
    ];
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        Just(json!(-1)),
        text.prop_map(Json::from),
    ];
    leaf.prop_recursive(6, 96, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Json::from),
            prop::collection::hash_map(name.clone(), inner, 0..8).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

fn holds_zero(value: &Json) -> bool {
    match value {
        Json::String(text) => text.contains('\0'),
        Json::Array(items) => items.iter().any(holds_zero),
        Json::Object(members) => members.iter().any(|(name, value)| name.contains('\0') || holds_zero(value)),
        _ => false,
    }
}

fn holds(notification: &Notification) {
    assert!(!notification.alerts.is_empty());
    for alert in &notification.alerts {
        assert!(!alert.name.is_empty());
        let Links { rule, silence, dashboard, panel, runbook, image } = &alert.links;
        for link in [rule, silence, dashboard, panel, runbook, image, &notification.external_url] {
            let link = link.to_lowercase();
            assert!(link.is_empty() || link.starts_with("http://") || link.starts_with("https://"), "{link}");
        }
        if alert.health != Health::Normal {
            assert!(alert.values.is_empty());
        }
        for value in &alert.values {
            assert!(!["", "null"].contains(&value.text.as_str()), "{value:?}");
        }
        assert!(alert.status == Status::Resolved || alert.ends_at.is_none());
        assert!(!alert.labels.keys().any(|name| field::is_private(name)));
    }
    assert!(!holds_zero(&serde_json::to_value(notification).unwrap()));
}

/// When a report lapses is decided at the door and stored; what is read again does not know the door.
fn without_lapse(mut notification: Notification) -> Notification {
    for alert in &mut notification.alerts {
        alert.lapses_at = None;
    }
    notification
}

#[test]
fn a_pushed_list_at_the_webhook_reads_the_same_again() {
    let text = r#"[{"labels":{"alerts":false}}]"#;
    let notification = read(text.as_bytes(), None, Door::Webhook, &SHIPPED, NOW).unwrap();
    assert!(notification.alerts[0].lapses_at.is_none(), "who sends to a webhook does not promise to repeat");
    let again = reread(notification.format, text.as_bytes(), None, &SHIPPED, NOW);
    assert_eq!(without_lapse(again), notification);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_json_is_a_notification(body in any_json()) {
        let payloads = &*SHIPPED;
        let text = body.to_string();
        let notification = read(text.as_bytes(), None, Door::Webhook, payloads, NOW).unwrap();
        holds(&notification);
        let again = reread(notification.format, text.as_bytes(), None, payloads, NOW);
        prop_assert_eq!(without_lapse(again), without_lapse(notification));
    }

    #[test]
    fn any_alert_is_read(alert in any_json(), version in prop::sample::select(vec!["1", "4"])) {
        let mut alert = if alert.is_object() { alert } else { json!({}) };
        if !alert["labels"].is_object() {
            alert["labels"] = json!({"alertname": "DatasourceNoData", "rulename": "x"});
        }
        let text = json!({"version": version, "alerts": [alert]}).to_string();
        let notification = read(text.as_bytes(), None, Door::Webhook, &SHIPPED, NOW).unwrap();
        prop_assert_ne!(notification.format, Format::Opaque);
        holds(&notification);
    }

    #[test]
    fn any_bytes_are_read_or_refused(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        content_type in prop::sample::select(vec!["", "application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]),
    ) {
        let payloads = &*SHIPPED;
        for door in [Door::Webhook, Door::AlertsPush] {
            if let Ok(notification) = read(&bytes, Some(content_type), door, payloads, NOW) {
                holds(&notification);
            }
        }
        holds(&reread(Format::Opaque, &bytes, Some(content_type), payloads, NOW));
    }

    #[test]
    fn any_text_with_something_to_see_is_a_notification(text in ".*[^\\s\\p{C}].*") {
        holds(&read_bytes(text.as_bytes()).unwrap());
    }

    #[test]
    fn mending_keeps_what_is_json_already(body in any_json()) {
        let text = body.to_string();
        let strict: Json = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(serde_json::from_str::<Json>(&body::mend(&text)).unwrap(), strict);
    }
}
