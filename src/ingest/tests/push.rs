//! What rule engines push as to an Alertmanager.

use super::*;

#[test]
fn a_pushed_alert_is_over_when_its_end_has_come() {
    for (ends_at, status) in [
        (json!("2026-11-22T13:31:00Z"), Status::Firing),
        (json!("2026-11-22T13:30:00Z"), Status::Resolved),
        (json!("2026-11-22T13:29:59.999Z"), Status::Resolved),
        (json!("2026-11-22T21:29:00+08:00"), Status::Resolved),
        (json!("0001-01-01T00:00:00Z"), Status::Firing),
        (json!(null), Status::Firing),
        (json!(""), Status::Firing),
    ] {
        let body = json!([{"labels": {"alertname": "x"}, "endsAt": ends_at, "UpdatedAt": "2026-11-22T00:00:00Z", "Timeout": true}]);
        let notification = pushed(&body.to_string()).unwrap();
        assert_eq!(notification.format, Format::AlertsPush);
        assert_eq!(only(notification).status, status, "{ends_at}");
    }
}

#[test]
fn the_fingerprint_of_a_pushed_alert_is_computed() {
    let alert = only(pushed(r#"[{"labels":{"instance":"Grafana","alertname":"TestAlert"}}]"#).unwrap());
    assert_eq!(alert.fingerprint, "57c6d9296de2ad39");
}

#[test]
fn mistakes_are_answered_as_alertmanager_answers_them() {
    for (body, status, code) in [
        (r#"{"alerts":[{"labels":{"a":"b"}}]}"#, 400, 400),
        ("not json", 400, 400),
        ("[{\"labels\":", 400, 400),
        (r#"[{"annotations":{}}]"#, 422, 602),
        ("[7]", 422, 602),
        (r#"[{"labels":{}}]"#, 400, 400),
        (r#"[{"labels":{"a":""}}]"#, 400, 400),
        ("[]", 200, 200),
        ("  ", 400, 400),
    ] {
        let mistake = pushed(body).unwrap_err();
        assert_eq!((mistake.status(), mistake.answer()["code"].clone()), (status, json!(code)), "{body}");
    }
    let mistake = pushed(r#"[{"annotations":{}}]"#).unwrap_err();
    assert_eq!(mistake.answer(), json!({"code": 602, "message": "0.labels in body is required"}));
}

#[test]
fn the_valid_alerts_of_a_batch_are_kept() {
    let body = r#"[{"labels":{}},{"labels":{"alertname":"x"}},"junk",{"annotations":{}},{"labels":{"alertname":"y"}}]"#;
    let names: Vec<_> = pushed(body).unwrap().alerts.into_iter().map(|alert| alert.name).collect();
    assert_eq!(names, ["x", "y"]);
}

#[test]
fn a_push_through_the_webhook_is_read_again_as_it_was() {
    let body = br#"[{"labels":{"alertname":"x"},"endsAt":"2026-11-22T13:29:00Z"}]"#;
    let first = read(body, None, Door::Webhook, &SHIPPED, NOW).unwrap();
    assert_eq!(reread(first.format, body, None, &SHIPPED, NOW), first);
    let second = read(body, None, Door::AlertsPush, &SHIPPED, NOW).unwrap();
    assert_eq!(first, second);
}

#[test]
fn an_array_of_things_without_labels_is_no_push() {
    let body = r#"[{"startsAt":null,"status":null}]"#;
    assert_eq!(webhook(body).format, Format::Opaque);
    let mixed = br#"[{"labels":{}},{"labels":{"alertname":"x"}}]"#;
    let through = |door| read(mixed, None, door, &SHIPPED, NOW).unwrap();
    let (mut webhook, mut push) = (through(Door::Webhook), through(Door::AlertsPush));
    assert_eq!((webhook.alerts[0].lapses_at.take(), push.alerts[0].lapses_at.take().is_some()), (None, true));
    assert_eq!(webhook, push, "but for the promise to repeat it");
}

#[test]
fn what_is_pushed_lapses_a_minute_after_its_end_or_five_after_the_push() {
    let lapses = |door, alert: &str| {
        let body = format!(r#"[{{"labels":{{"alertname":"x"}}{alert}}}]"#);
        read(body.as_bytes(), None, door, &SHIPPED, NOW).unwrap().alerts[0].lapses_at
    };
    let later = jiff::Timestamp::from_millisecond(NOW.0 + 240_000).unwrap();
    let ends = format!(r#","endsAt":"{later}""#);
    for door in [Door::Webhook, Door::AlertsPush] {
        assert_eq!(lapses(door, &ends), Some(NOW.plus_millis(300_000)), "{door:?}");
        assert_eq!(lapses(door, r#","endsAt":"2001-01-01T00:00:00Z""#), None, "it is over");
    }
    for unsaid in ["", r#","endsAt":"0001-01-01T00:00:00Z""#] {
        assert_eq!(lapses(Door::AlertsPush, unsaid), Some(NOW.plus_millis(300_000)));
        assert_eq!(lapses(Door::Webhook, unsaid), None, "its sender promised nothing");
    }
}

#[test]
fn pushed_alerts_that_came_wrapped_or_cut_off_read_the_same_again() {
    for body in [
        r#"{"alerts_of_today":[{"labels":{"alertname":"磁盘将满","instance":"db-1"}}]}"#,
        r#"{"outer":"[{\"labels\":{\"alertname\":\"磁盘将满\"}}]"}"#,
        r#"[{"labels":{"alertname":"磁盘将满"}},{"labels":{"alertname":"主机失联","insta"#,
    ] {
        let notification = webhook(body);
        let again = reread(notification.format, body.as_bytes(), Some("application/json"), &SHIPPED, NOW);
        assert_eq!(again, notification, "{body}");
    }
}
