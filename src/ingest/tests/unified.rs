//! Grafana unified alerting and Alertmanager: the envelope and its alerts.

use super::*;

/// A Grafana body with one alert, changed by `change`.
fn grafana_alert(change: impl FnOnce(&mut Json)) -> Notification {
    let mut alert = json!({
        "status": "firing", "labels": {"alertname": "磁盘将满", "instance": "db-1"}, "annotations": {},
        "startsAt": "2026-11-22T13:00:00Z", "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "https://g.example.com/alerting/grafana/disk1/view?orgId=1",
        "fingerprint": "0123456789abcdef", "values": {"A": 1.5}
    });
    change(&mut alert);
    webhook_json(&json!({"version": "1", "orgId": 1, "status": "firing", "state": "alerting", "alerts": [alert]}))
}

#[test]
fn the_senders_name_for_the_receiver_arrives_unescaped() {
    for (sent, read) in [
        (r"wecom\.ops\(prod\)-队", "wecom.ops(prod)-队"),
        (r"\[DEV\] a\\b", r"[DEV] a\b"),
        (r"\*\+\?\{\}\|\^\$", "*+?{}|^$"),
        (r"no\escape\", r"no\escape\"),
        ("", ""),
    ] {
        let body = json!({"version": "4", "receiver": sent, "alerts": [{"labels": {"alertname": "x"}}]});
        assert_eq!(webhook_json(&body).upstream_receiver, read);
    }
}

#[test]
fn times_have_any_offset_and_any_fraction_and_the_year_1_is_none() {
    let start = |text: &str| {
        only(grafana_alert(|alert| alert["startsAt"] = json!(text))).starts_at.map(|Timestamp(millis)| millis)
    };
    let noon = 1_795_348_800_000;
    assert_eq!(start("2026-11-22T12:00:00Z"), Some(noon));
    assert_eq!(start("2026-11-22T20:00:00+08:00"), Some(noon));
    assert_eq!(start("2026-11-22T13:00:00.5+01:00"), Some(noon + 500));
    assert_eq!(start("2026-11-22T12:00:00.123456789Z"), Some(noon + 123));
    assert_eq!(start("2026-11-22t12:00:00z"), Some(noon));
    assert_eq!(start("1970-01-01T00:00:00Z"), Some(0), "odd times are shown as given");
    assert_eq!(start("9999-01-01T00:00:00Z"), Some(253_370_764_800_000));
    for none in ["0001-01-01T00:00:00Z", "0001-01-01T08:05:00+08:05", "0001-06-01T00:00:00Z", "", "yesterday", "0"] {
        assert_eq!(start(none), None, "{none}");
    }
}

#[test]
fn an_end_is_told_only_of_an_alert_that_is_over() {
    let firing = only(grafana_alert(|alert| alert["endsAt"] = json!("2026-11-22T14:00:00Z")));
    assert_eq!((firing.status, firing.ends_at), (Status::Firing, None));
    let over = only(grafana_alert(|alert| {
        alert["status"] = json!("resolved");
        alert["endsAt"] = json!("2026-11-22T13:20:00Z");
    }));
    assert_eq!((over.status, over.ends_at), (Status::Resolved, Some(Timestamp(1_795_353_600_000))));
}

#[test]
fn every_map_may_be_empty_null_or_missing() {
    for labels in [json!({}), json!(null)] {
        for field in ["annotations", "values"] {
            let alert = only(grafana_alert(|alert| {
                alert["labels"] = labels.clone();
                alert[field] = json!(null);
            }));
            assert_eq!((alert.labels.len(), alert.name.as_str()), (0, &*words::UNNAMED.zh));
        }
    }
    let body = json!({"version": "4", "groupLabels": null, "commonLabels": null, "alerts": [{"labels": {"a": "b"}}]});
    assert_eq!(webhook_json(&body).format, Format::Alertmanager);
}

#[test]
fn label_names_are_any_text_and_values_need_not_be_strings() {
    let alert = only(grafana_alert(|alert| {
        alert["labels"] =
            json!({"服务": "交易核心", "k8s.io/name": "x-1", "port": 9100, "up": false, "none": null, "blank": ""});
    }));
    let labels: Vec<_> = alert.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(labels, ["k8s.io/name=x-1", "port=9100", "up=false", "服务=交易核心"]);
}

#[test]
fn private_names_are_removed_but_the_rule_uid_in_them_is_used() {
    let body = json!({"version": "4", "groupLabels": {"__x__": "1", "alertname": "内存"}, "alerts": [{
        "status": "firing",
        "labels": {"__alert_rule_uid__": "mem7", "__alert_rule_namespace_uid__": "f", "alertname": "内存", "_a_": "kept", "____": "kept"},
        "annotations": {"__dashboardUid__": "d", "__panelId__": "2", "__values__": "{\"A\":12.5,\"B\":1}", "summary": "s"},
    }]});
    let notification = webhook_json(&body);
    assert_eq!(notification.group_labels, Labels::from([("alertname", "内存")]));
    let alert = only(notification);
    assert_eq!(alert.discriminator.as_str(), "mem7");
    assert_eq!(alert.labels.keys().collect::<Vec<_>>(), ["____", "_a_", "alertname"]);
    assert_eq!(alert.annotations.keys().collect::<Vec<_>>(), ["summary"]);
    assert_eq!(shown(&alert), "A=12.5");
}

#[test]
fn the_rule_uid_is_the_same_from_wherever_it_comes() {
    let discriminator = |rule_uid: &str, generator: &str, silence: &str| {
        let alert = only(grafana_alert(|alert| {
            alert["ruleUID"] = json!(rule_uid);
            alert["generatorURL"] = json!(generator);
            alert["silenceURL"] = json!(silence);
        }));
        alert.discriminator.as_str().to_owned()
    };
    let silence = "https://g/alerting/silence/new?alertmanager=grafana&matcher=__alert_rule_uid__%3Du1&matcher=a%3Db";
    assert_eq!(discriminator("u1", "", ""), "u1");
    assert_eq!(discriminator("", "https://g/alerting/grafana/u1/view?orgId=1", ""), "u1");
    assert_eq!(discriminator("", "https://g/sub/alerting/grafana/u1/view", ""), "u1");
    assert_eq!(discriminator("", "https://g/alerting/u1/edit", ""), "u1");
    assert_eq!(discriminator("", "", silence), "u1");
    assert_eq!(discriminator("", "http://p:9090/graph?g0.expr=alerting", ""), "");
    assert_eq!(discriminator("", "https://g/alerting/list", ""), "");
}

/// Otherwise the end of one would be that of all: "resolved" for what is not over.
#[test]
fn a_rule_whose_id_looks_like_a_key_does_not_make_its_labels_count_for_nothing() {
    let on = |instance: &str| {
        let labels = json!({"alertname": "a", "instance": instance, "__alert_rule_uid__": "key:all"});
        let body = json!({"version": "1", "orgId": 1, "alerts": [{"status": "firing", "labels": labels}]});
        only(webhook_json(&body)).identity(&SourceId::Configured("s".to_owned()))
    };
    assert_ne!(on("db-1"), on("db-2"));
    assert_eq!(on("db-1"), on("db-1"));
}

#[test]
fn the_same_rule_of_two_organisations_is_two_alerts() {
    let of_org = |org: i64| {
        let body = json!({"version": "1", "orgId": org, "alerts": [{"status": "firing", "labels": {"a": "b"}, "ruleUID": "u"}]});
        only(webhook_json(&body)).discriminator.as_str().to_owned()
    };
    assert_eq!([of_org(0), of_org(1), of_org(2)], ["u", "u", "2/u"]);
}

#[test]
fn a_condition_is_hidden_if_there_is_a_measured_value() {
    let values = |values: Json| shown(&only(grafana_alert(|alert| alert["values"] = values)));
    assert_eq!(values(json!({"A": 96.399_999, "C": 1})), "A=96.399999");
    assert_eq!(values(json!({"A": 2_473_545_728_u64, "B": 0, "C": 1, "minute": 9})), "A=2473545728 minute=9");
    assert_eq!(values(json!({"A": 0, "C": 1})), "A=0 C=1", "nothing else to show");
    assert_eq!(values(json!({"A": -1})), "A=-1", "-1 is a value where the rule could be judged");
    assert_eq!(values(json!({"A": null, "B": "NaN", "C": true, "D": [1], "E": "+Inf"})), "B=NaN E=+Inf");
    assert_eq!(values(json!({"A": null, "C": 1})), "C=1");
    assert_eq!(values(json!({})), "");
}

#[test]
fn the_numbers_of_value_string_are_shown_where_it_is_whole() {
    let values = |text: &str| {
        shown(&only(grafana_alert(|alert| {
            alert["values"] = json!(null);
            alert["valueString"] = json!(text);
        })))
    };
    assert_eq!(values("[ var='B0' metric='up{a=\"b\"}' labels={a=b} value=17.25 ]"), "B0=17.25");
    assert_eq!(values("[ metric='foo' labels={instance=bar} value=10 ]"), "=10");
    assert_eq!(values("[ var='A' labels={x=1} value=2.5e+09 ]"), "A=2.5e+09");
    assert_eq!(values("[ var='A' labels={} value=1 ], [ var='C' labels={} value=2 ]"), "C=2");
    assert_eq!(values("[ var='A' labels={x=value=7} value=1 ]"), "A=1", "a label may say anything");
    assert_eq!(
        values("[ var='A' labels={x=1} value=12 ], [ var='B' labels={} value=3.5 ], [ var='C' labels={} value=1 ]"),
        "A=12 B=3.5"
    );
    for nothing in ["[ var='A' labels={} value=null ]", ""] {
        assert_eq!(values(nothing), "");
    }
    assert_eq!(values("[ var='A' labels={} value=NaN ]"), "A=NaN");
}

#[test]
fn a_rule_that_cannot_be_judged_has_its_own_name_and_no_values() {
    let special = |alertname: &str, extra: Json| {
        only(grafana_alert(|alert| {
            alert["labels"] = extra;
            alert["labels"]["alertname"] = json!(alertname);
            alert["values"] = json!({"A": -1, "C": -1});
            alert["valueString"] = json!("[ var='A' labels={} value=-1 ]");
        }))
    };
    let no_data = special("DatasourceNoData", json!({"rulename": "队列积压", "datasource_uid": "prom"}));
    assert_eq!((no_data.health, no_data.name.as_str(), shown(&no_data).as_str()), (Health::NoData, "队列积压", ""));
    let error = special("DatasourceError", json!({"rulename": "队列积压"}));
    assert_eq!((error.health, error.name.as_str()), (Health::Error, "队列积压"));
    let nameless = special("DatasourceError", json!({"datasource_uid": "prom"}));
    assert_eq!((nameless.health, nameless.name.as_str()), (Health::Error, "DatasourceError"));
    let users_own = special("DatasourceError", json!({"team": "db"}));
    assert_eq!((users_own.health, users_own.name.as_str()), (Health::Normal, "DatasourceError"));
}

#[test]
fn the_reason_of_a_state_says_whether_the_rule_was_judged() {
    for (reason, health, values) in [
        ("NoData", Health::NoData, ""),
        ("NoData, KeepLast", Health::Normal, ""),
        ("Error", Health::Error, ""),
        ("MissingSeries", Health::Normal, "A=-1"),
        ("Paused", Health::Normal, "A=-1"),
    ] {
        let alert = only(grafana_alert(|alert| {
            alert["annotations"] = json!({"grafana_state_reason": reason});
            alert["values"] = json!({"A": -1});
        }));
        assert_eq!((alert.health, shown(&alert).as_str()), (health, values), "{reason}");
        assert_eq!(alert.name, "磁盘将满");
        assert_eq!(alert.annotations["grafana_state_reason"], reason);
    }
}

#[test]
fn links_are_absolute_http_or_empty() {
    for (sent, read) in [
        ("https://wiki.example.com/手册?x=1&y=2#z", "https://wiki.example.com/手册?x=1&y=2#z"),
        ("HTTP://10.0.0.1:3000", "HTTP://10.0.0.1:3000"),
        ("www.time.com", ""),
        ("/alerting/list", ""),
        ("//example.com/x", ""),
        ("javascript:alert(1)", ""),
        ("file:///etc/passwd", ""),
        ("http://", ""),
        ("http:///x", ""),
        ("https://?a", ""),
        ("https://a b", ""),
        ("https://a/\nx", ""),
        ("", ""),
    ] {
        let notification = grafana_alert(|alert| {
            for field in ["generatorURL", "silenceURL", "dashboardURL", "panelURL", "imageURL"] {
                alert[field] = json!(sent);
            }
            alert["annotations"] = json!({"runbook_url": sent});
        });
        let links = only(notification).links;
        for link in [links.rule, links.silence, links.dashboard, links.panel, links.image, links.runbook] {
            assert_eq!(link, read);
        }
    }
}

#[test]
fn runbook_and_picture_are_found_under_their_other_names() {
    let links = only(grafana_alert(|alert| {
        alert["imageUrl"] = json!("https://s3.example.com/a.png");
        alert["annotations"] = json!({"runbook_url": "see wiki", "runbook": "https://wiki/x"});
    }))
    .links;
    assert_eq!((links.image.as_str(), links.runbook.as_str()), ("https://s3.example.com/a.png", "https://wiki/x"));
    let links = only(grafana_alert(|alert| alert["annotations"] = json!({"image": "https://s3/b.png"}))).links;
    assert_eq!(links.image, "https://s3/b.png");
}

#[test]
fn an_alert_without_alertname_is_called_after_what_comes_nearest() {
    let name = |labels: Json, group: Json, title: &str| {
        let body = json!({"version": "4", "groupLabels": group, "title": title, "alerts": [{"labels": labels}]});
        only(webhook_json(&body)).name
    };
    assert_eq!(name(json!({"alertname": "A", "rulename": "R"}), json!({}), ""), "A");
    assert_eq!(name(json!({"rulename": "R", "job": "node"}), json!({}), ""), "R");
    assert_eq!(name(json!({"job": "node", "instance": "db-1"}), json!({"team": "db"}), "t"), "node db-1");
    assert_eq!(name(json!({"instance": "db-1"}), json!({}), "t"), "db-1");
    assert_eq!(name(json!({"x": "y"}), json!({"team": "db"}), "t"), "db");
    assert_eq!(name(json!({"x": "y"}), json!({}), " 备份失败 "), "备份失败");
    assert_eq!(name(json!({"alertname": " "}), json!({}), ""), words::UNNAMED.zh);
}

#[test]
fn fingerprints_are_those_of_prometheus() {
    // The first is the one every Grafana gives its test alert; the others were computed by hand from
    // docs/reference/alert-sources.md#fingerprints.
    for (labels, fingerprint) in [
        (json!({"alertname": "TestAlert", "instance": "Grafana"}), "57c6d9296de2ad39"),
        (json!({"alertname": "alert1", "lbl1": "val1"}), "fac0861a85de433a"),
        (json!({}), "cbf29ce484222325"),
        (json!({"empty": "", "alertname": "alert1", "lbl1": "val1"}), "fac0861a85de433a"),
    ] {
        let alert = only(grafana_alert(|alert| {
            alert["labels"] = labels;
            alert["fingerprint"] = json!(null);
        }));
        assert_eq!(alert.fingerprint, fingerprint);
    }
    assert_eq!(only(grafana_alert(|_| {})).fingerprint, "0123456789abcdef", "as sent where it is sent");
}

#[test]
fn the_test_button_is_recognised_and_a_rule_of_that_name_is_not() {
    let test = |fingerprint: &str, generator: &str, labels: Json| {
        grafana_alert(|alert| {
            alert["fingerprint"] = json!(fingerprint);
            alert["generatorURL"] = json!(generator);
            alert["labels"] = labels;
        })
        .test
    };
    let labels = json!({"alertname": "TestAlert", "instance": "Grafana"});
    assert!(test("57c6d9296de2ad39", "", labels.clone()));
    assert!(test("1", "", json!({"alertname": "TestAlert", "instance": "Grafana", "team": "x"})));
    assert!(!test("1", "https://g/alerting/grafana/u/view", labels));
    assert!(!test("1", "", json!({"alertname": "TestAlert", "instance": "db-1"})));
}

#[test]
fn what_was_cut_off_is_counted() {
    let body = json!({"version": "4", "truncatedAlerts": 17, "alerts": [{"labels": {"alertname": "x"}}]});
    assert_eq!(webhook_json(&body).truncated, 17);
    let many = vec![json!({"labels": {"alertname": "x"}}); 20_001];
    let notification = webhook_json(&json!({"version": "4", "truncatedAlerts": 2, "alerts": many}));
    assert_eq!((notification.alerts.len(), notification.truncated), (20_001, 2), "only the sender leaves out");
}

#[test]
fn labels_of_the_route_are_added_where_the_alert_has_none() {
    let body = json!({"version": "4", "routeLabels": {"wecom": "ops", "team": "net", "__x__": "1", "blank": ""},
        "alerts": [{"labels": {"alertname": "x", "team": "db"}}]});
    let alert = only(webhook_json(&body));
    assert_eq!((alert.labels["wecom"].as_str(), alert.labels["team"].as_str()), ("ops", "db"));
    assert_eq!(alert.labels.len(), 3);
}

#[test]
fn senders_are_told_apart_by_shape() {
    let alerts = json!([{"status": "firing", "labels": {"alertname": "x"}}]);
    for (body, format) in [
        (json!({"alerts": alerts, "version": "4"}), Format::Alertmanager),
        (json!({"alerts": alerts, "version": 4}), Format::Alertmanager),
        (json!({"alerts": alerts, "version": "1"}), Format::Grafana),
        (json!({"alerts": alerts, "orgId": null}), Format::Grafana),
        (json!({"alerts": alerts, "state": "alerting"}), Format::Grafana),
        (json!({"alerts": alerts}), Format::Alertmanager),
        (json!({"alerts": alerts, "ruleName": "x", "state": "alerting"}), Format::Grafana),
        (alerts.clone(), Format::AlertsPush),
        (json!({"ruleName": "x", "state": "ok"}), Format::GrafanaLegacy),
        (json!({"alerts": [{"name": "x"}], "version": "4"}), Format::Generic),
        (json!({"alerts": []}), Format::Opaque),
        (json!([1, 2]), Format::Generic),
    ] {
        assert_eq!(webhook_json(&body).format, format, "{body}");
    }
}

#[test]
fn a_custom_payload_of_grafana_is_read_in_any_order_of_keys_and_as_an_array() {
    let sorted = r#"{"alerts":[{"annotations":{},"endsAt":"0001-01-01T00:00:00Z","labels":{"alertname":"磁盘将满"},
        "orgId":null,"startsAt":"0001-01-01T00:00:00Z","status":"firing"}],"orgId":null,"version":"1"}"#;
    assert_eq!(webhook(sorted).format, Format::Grafana);
    let array = r#"[{"labels":{"alertname":"a"},"status":"resolved"},{"labels":{"alertname":"b"},"status":"firing"}]"#;
    let notification = webhook(array);
    assert_eq!(
        notification.alerts.iter().map(|alert| alert.status).collect::<Vec<_>>(),
        [Status::Resolved, Status::Firing]
    );
}

#[test]
fn an_alert_without_a_status_has_that_of_its_group_or_of_its_end() {
    let status = |group: Json, ends_at: &str| {
        let body = json!({"version": "4", "status": group, "alerts": [{"labels": {"a": "b"}, "endsAt": ends_at}]});
        only(webhook_json(&body)).status
    };
    assert_eq!(status(json!("resolved"), ""), Status::Resolved);
    assert_eq!(status(json!(null), "2026-11-22T13:29:00Z"), Status::Resolved);
    assert_eq!(status(json!(null), "2026-11-22T13:31:00Z"), Status::Firing);
    assert_eq!(status(json!({"state": "active"}), ""), Status::Firing);
}

#[test]
fn a_group_without_alerts_tells_nothing() {
    let body = json!({"version": "4", "groupKey": "{}:{alertname=\"Y\"}", "status": "firing", "receiver": "ops", "alerts": []});
    let notification = webhook_json(&body);
    assert_eq!((notification.format, notification.alerts.len()), (Format::Alertmanager, 0));
    // Some program's own list that is empty is its own body.
    assert_eq!(webhook(r#"{"title":"备份失败","alerts":[]}"#).alerts.len(), 1);
}

#[test]
fn a_fixed_shape_within_another_body_is_read_as_that_shape() {
    let alert = json!({"status": "firing", "labels": {"alertname": "a"}, "startsAt": "2026-11-22T13:00:00Z"});
    let enclosed = json!({"version": "4", "groupKey": "g", "receiver": "r", "status": "firing", "alerts": [alert]});
    for (shape, format) in [(enclosed, Format::Alertmanager), (json!([alert]), Format::AlertsPush)] {
        let plain = webhook_json(&shape);
        assert_eq!(plain.format, format);
        for body in [json!({"body": shape}), json!({"outer": {"inner": shape}}), json!({"outer": shape.to_string()})] {
            assert_eq!(webhook_json(&body), plain, "{body}");
        }
    }
}
