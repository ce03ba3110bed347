//! Grafana's legacy alerting.

use super::*;

fn legacy(change: impl FnOnce(&mut Json)) -> Notification {
    let mut body = json!({
        "title": "[Alerting] 支付成功率低", "ruleId": 37, "ruleName": "支付成功率低", "state": "alerting", "orgId": 3,
        "dashboardId": 1, "panelId": 2, "tags": {"team": "pay"}, "message": "低于 {{threshold}}",
        "ruleUrl": "http://grafana.example.com:3000/d/abc/pay?tab=alert&viewPanel=2&orgId=3",
        "evalMatches": [{"value": 91.254_321, "metric": "上海一区", "tags": {"zone": "sh1"}}]
    });
    change(&mut body);
    webhook_json(&body)
}

#[test]
fn a_body_is_one_alert_with_its_rule_as_identity() {
    let notification = legacy(|_| {});
    assert_eq!(notification.format, Format::GrafanaLegacy);
    assert_eq!(notification.title, "[Alerting] 支付成功率低");
    assert_eq!(notification.message, "低于 {{threshold}}");
    let alert = only(notification);
    assert_eq!(alert.discriminator.as_str(), "3/37@grafana.example.com:3000");
    assert_eq!(alert.labels, Labels::from([("alertname", "支付成功率低"), ("team", "pay")]));
    assert_eq!(shown(&alert), "上海一区=91.254321");
    assert_eq!(alert.values[0].tags["zone"], "sh1");
    assert!(alert.links.rule.starts_with("http://grafana.example.com:3000/d/abc"));
}

#[test]
fn a_resolved_rule_is_the_same_alert_as_the_firing_one() {
    let firing = only(legacy(|_| {}));
    let over = only(legacy(|body| {
        body["state"] = json!("ok");
        body["title"] = json!("[OK] 支付成功率低");
        body["evalMatches"] = json!([]);
    }));
    assert_eq!(over.status, Status::Resolved);
    assert_eq!(
        firing.identity(&SourceId::Configured("grafana".to_owned())),
        over.identity(&SourceId::Configured("grafana".to_owned()))
    );
}

#[test]
fn each_state_has_a_meaning() {
    for (state, status, health) in [
        ("alerting", Status::Firing, Health::Normal),
        ("ok", Status::Resolved, Health::Normal),
        ("no_data", Status::Firing, Health::NoData),
        ("unknown", Status::Firing, Health::NoData),
        ("pending", Status::Firing, Health::Normal),
        ("paused", Status::Resolved, Health::Normal),
        ("something new", Status::Firing, Health::Normal),
    ] {
        let alert = only(legacy(|body| body["state"] = json!(state)));
        assert_eq!((alert.status, alert.health), (status, health), "{state}");
    }
    let paused = only(legacy(|body| body["state"] = json!("paused")));
    assert_eq!(paused.annotations["grafana_state_reason"], "Paused");
}

#[test]
fn every_match_is_kept_in_the_senders_order() {
    let alert = only(legacy(|body| {
        body["evalMatches"] = json!([
            {"value": 3, "metric": "z", "tags": null},
            {"value": null, "metric": "a", "tags": {}},
            {"value": 0, "metric": "win_cpu.% User Time", "tags": {"__name__": "x"}},
            {"value": 1.0e-7, "metric": null},
        ]);
    }));
    assert_eq!(shown(&alert), "z=3 a=no data win_cpu.% User Time=0 =1e-7");
    assert!(alert.values.iter().all(|value| value.tags.is_empty()));
}

#[test]
fn alerting_without_any_value_is_no_data() {
    for matches in [json!([]), json!([{"value": null, "metric": "NoData", "tags": null}])] {
        let alert = only(legacy(|body| body["evalMatches"] = matches));
        assert_eq!((alert.health, alert.values.len()), (Health::NoData, 0));
    }
    let fixture_without = only(legacy(|body| {
        body.as_object_mut().unwrap().remove("evalMatches");
    }));
    assert_eq!(fixture_without.health, Health::Normal, "a missing evalMatches is not an empty one");
    let over = only(legacy(|body| {
        body["state"] = json!("ok");
        body["evalMatches"] = json!([]);
    }));
    assert_eq!(over.health, Health::Normal);
}

#[test]
fn the_rule_id_may_be_any_63_bit_number_and_old_versions_send_no_organisation() {
    let alert = only(legacy(|body| {
        body["ruleId"] = json!(i64::MAX);
        body.as_object_mut().unwrap().remove("orgId");
        body["ruleUrl"] = json!("");
    }));
    assert_eq!(alert.discriminator.as_str(), "0/9223372036854775807@");
}

#[test]
fn the_test_button_is_recognised_in_both_spellings() {
    for (message, test) in [
        ("Someone is testing the alert notification within grafana.", true),
        ("Someone is testing the alert notification within Grafana.", true),
        ("支付成功率低", false),
    ] {
        assert_eq!(legacy(|body| body["message"] = json!(message)).test, test);
    }
}

#[test]
fn null_tags_and_an_empty_rule_name_are_read() {
    let alert = only(legacy(|body| {
        body["tags"] = json!(null);
        body["ruleName"] = json!("");
    }));
    assert_eq!(alert.name, words::UNNAMED.zh);
}

#[test]
fn the_zero_character_is_made_visible() {
    let notification = legacy(|body| {
        body["ruleName"] = json!("支付\0成功率低");
        body["message"] = json!("低\0于");
        body["tags"] = json!({"te\0am": "pa\0y"});
        body["evalMatches"][0]["metric"] = json!("上海\0");
    });
    assert_eq!(notification.message, "低\u{2400}于");
    let alert = only(notification);
    assert_eq!(alert.labels, Labels::from([("alertname", "支付\u{2400}成功率低"), ("te\u{2400}am", "pa\u{2400}y")]));
    assert_eq!(shown(&alert), "上海\u{2400}=91.254321");
}
