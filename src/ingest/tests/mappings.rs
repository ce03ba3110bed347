//! Bodies of other shapes through mappings.

use generic::{AlertFields, Mapping, MappingError, Members, shipped};

use super::*;

/// Mappings as a user writes them.
fn mappings(yaml: &str) -> Vec<Mapping> {
    serde_saphyr::from_str(yaml).unwrap()
}

fn through(yaml: &str, body: &Json) -> Notification {
    let payloads = Payloads::compile(mappings(yaml)).unwrap();
    read(body.to_string().as_bytes(), None, Door::Webhook, &payloads, NOW).unwrap()
}

fn mistakes(yaml: &str) -> Vec<MappingError> {
    Payloads::compile(mappings(yaml)).unwrap_err()
}

const JOBS: &str = r#"
- name: jobs
  when: body.kind == "jobs"
  alerts: body.jobs
  alert:
    name: "任务失败 {{ item.name }}"
    status: "{{ item.state }}"
    key: "{{ body.host }}/{{ item.id }}"
    message: "{{ item.log }}"
    severity: "{{ item.level }}"
    starts_at: "{{ item.from }}"
    ends_at: "{{ item.to }}"
    labels: { host: "{{ body.host }}", shard: "{{ item.shard }}" }
    annotations: { runbook_url: "https://wiki.example.com/{{ item.id }}" }
    values: { 退出码: "{{ item.exit }}" }
    link: "https://jobs.example.com/{{ item.id }}"
    image: "{{ item.shot }}"
"#;

#[test]
fn each_item_of_a_report_is_an_alert_under_its_heading() {
    let text = "TrueNAS @ nas-4\n\nNew alerts:\n* Pool tank is DEGRADED\n* Fan 2 stopped\n\nThe following alert has been cleared:\n* Pool backup is DEGRADED\n\nCurrent alerts:\n* Pool tank is DEGRADED\n* Fan 2 stopped\n";
    let body = json!({ "text": text }).to_string();
    let told = read(body.as_bytes(), None, Door::Webhook, &SHIPPED, NOW).unwrap();
    let told: Vec<_> = told.alerts.iter().map(|alert| (alert.status, alert.name.as_str())).collect();
    let wanted = [
        (Status::Firing, "Pool tank is DEGRADED"),
        (Status::Firing, "Fan 2 stopped"),
        (Status::Resolved, "Pool backup is DEGRADED"),
    ];
    assert_eq!(told, wanted);
}

#[test]
fn a_mapping_of_the_user_reads_an_array_inside_the_body() {
    let body = json!({"kind": "jobs", "host": "cron-1", "jobs": [
        {"id": 7, "name": "对账", "state": "PROBLEM", "level": "CRITICAL", "log": "超时", "from": 1_795_327_440, "exit": 137, "shot": "ftp://x"},
        {"id": 8, "name": "报表", "state": "Recovered", "from": "2026-11-22 14:04:00+08:00", "to": "1795327500000", "exit": null},
    ]});
    let notification = through(JOBS, &body);
    assert_eq!((notification.format, notification.alerts.len()), (Format::Generic, 2));
    let [failed, over] = <[Alert; 2]>::try_from(notification.alerts).unwrap();
    assert_eq!((failed.status, failed.name.as_str()), (Status::Firing, "任务失败 对账"));
    assert_eq!(failed.discriminator.as_str(), "key:jobs/cron-1/7");
    assert_eq!(failed.labels["severity"], "critical");
    assert_eq!((failed.labels.contains_key("shard"), failed.labels["host"].as_str()), (false, "cron-1"));
    assert_eq!(failed.starts_at, Some(Timestamp(1_795_327_440_000)));
    assert_eq!((shown(&failed).as_str(), failed.annotations["description"].as_str()), ("退出码=137", "超时"));
    assert_eq!((failed.links.rule.as_str(), failed.links.image.as_str()), ("https://jobs.example.com/7", ""));
    assert_eq!(failed.links.runbook, "https://wiki.example.com/7");
    assert_eq!((over.status, over.starts_at), (Status::Resolved, Some(Timestamp(1_795_327_440_000))));
    assert_eq!((over.ends_at, shown(&over).as_str()), (Some(Timestamp(1_795_327_500_000)), ""));
}

#[test]
fn the_text_of_a_single_alert_belongs_to_the_notification() {
    let body = json!({"kind": "jobs", "jobs": [{"id": 1, "name": "x", "log": "第一行\n第二行"}]});
    assert_eq!(through(JOBS, &body).message, "第一行\n第二行");
}

#[test]
fn with_a_key_the_labels_do_not_count_for_identity() {
    let identity = |state: &str, level: &str, id: i32| {
        let body =
            json!({"kind": "jobs", "host": "h", "jobs": [{"id": id, "name": "x", "state": state, "level": level}]});
        only(through(JOBS, &body)).identity(&SourceId::Configured("s".to_owned()))
    };
    assert_eq!(identity("problem", "critical", 1), identity("ok", "", 1));
    assert_ne!(identity("problem", "critical", 1), identity("problem", "critical", 2));
}

#[test]
fn without_key_and_status_each_body_is_an_alert_of_its_own() {
    let yaml = "[{name: n, when: 'body.n', alert: {name: '{{ body.n }}'}}]";
    let identity = |body: Json| only(through(yaml, &body)).identity(&SourceId::Configured("s".to_owned()));
    assert_eq!(identity(json!({"n": "a", "at": 1})), identity(json!({"n": "a", "at": 1})));
    assert_ne!(identity(json!({"n": "a", "at": 1})), identity(json!({"n": "a", "at": 2})));
    let with_status = "[{name: n, when: 'body.n', alert: {name: '{{ body.n }}', status: '{{ body.s }}'}}]";
    let identity = |body: Json| only(through(with_status, &body)).identity(&source());
    assert_ne!(
        identity(json!({"n": "a", "s": "firing", "t": "x"})),
        identity(json!({"n": "a", "s": "firing", "t": "y"}))
    );
    // The end of it has other words, and is found by the title.
    let family = |body: Json| only(through(with_status, &body)).kin.unwrap().family(&source());
    assert_eq!(family(json!({"n": "a", "s": "firing", "t": "x"})), family(json!({"n": "a", "s": "ok", "t": "y"})));
}

#[test]
fn the_words_for_on_and_over_are_known() {
    let yaml = "[{name: n, when: 'body.s is defined', alert: {name: n, status: '{{ body.s }}', values: {v: '1'}}}]";
    for over in ["resolved", "OK", "Recovered", "normal", "UP", "closed", "0", "已恢复"] {
        assert_eq!(only(through(yaml, &json!({"s": over}))).status, Status::Resolved, "{over}");
    }
    for on in ["firing", "ALERT", "PROBLEM", "down", "1", "weird", "告警"] {
        assert_eq!(only(through(yaml, &json!({"s": on}))).status, Status::Firing, "{on}");
    }
    let unknown = only(through(yaml, &json!({"s": "INSUFFICIENT_DATA"})));
    assert_eq!((unknown.status, unknown.health, unknown.values.len()), (Status::Firing, Health::NoData, 0));
}

#[test]
fn a_field_that_fails_is_left_out_and_the_alert_stays() {
    let yaml = r#"
- name: n
  when: body.n
  alert:
    name: "{{ body.n }}"
    message: "{{ body.n / 0 }}"
    starts_at: "{{ range(1000000) | list | length }}"
    severity: "{{ body.missing.deeper.still }}"
    labels: "body.n + 1"
    values: "body.n"
"#;
    let alert = only(through(yaml, &json!({"n": "x"})));
    assert_eq!((alert.name.as_str(), alert.starts_at, alert.labels.len()), ("x", None, 1));
}

#[test]
fn if_nothing_can_be_evaluated_the_general_reader_reads_the_body() {
    let broken = "[{name: n, when: 'body.n', alert: {name: '{{ 1 / 0 }}', message: '{{ body.x }}'}}]";
    let notification = through(broken, &json!({"n": 1}));
    assert_eq!((notification.format, notification.alerts[0].name.as_str()), (Format::Generic, "n: 1"));
    let no_list = "[{name: n, when: 'body.n', alerts: 'body.n', alert: {name: x}}]";
    assert_eq!(through(no_list, &json!({"n": 1})).alerts[0].name, "n: 1");
}

#[test]
fn a_template_that_does_not_end_soon_is_stopped() {
    let yaml = r#"
- name: n
  when: body.n
  alert:
    name: "{{ body.n }}"
    message: "{% for a in range(1000) %}{% for b in range(1000) %}x{% endfor %}{% endfor %}"
"#;
    let notification = through(yaml, &json!({"n": "x"}));
    assert_eq!((notification.message.as_str(), notification.alerts[0].name.as_str()), ("", "x"));
}

#[test]
fn the_users_mappings_come_first_and_replace_shipped_ones_of_their_name() {
    let before = r#"[{name: mine, when: "body.title == 'x'", alert: {name: "我的 {{ body.title }}"}}]"#;
    assert_eq!(only(through(before, &json!({"title": "x"}))).name, "我的 x");
    assert_eq!(only(through(before, &json!({"title": "y"}))).name, "y", "the shipped one is still there");
    let off = r#"[{name: kubewatch, when: "false"}]"#;
    let kubewatch = json!({"eventmeta": {"kind": "pod"}, "text": "A `pod` went:"});
    assert!(only(webhook_json(&kubewatch)).discriminator.as_str().starts_with("key:kubewatch/"));
    assert!(only(through(off, &kubewatch)).discriminator.as_str().starts_with("key:general/"));
    let payloads = Payloads::compile(mappings(off)).unwrap();
    assert!(payloads.mappings().all(|(mapping, own)| own == (mapping.name == "kubewatch")));
    let greedy = r#"[{name: all, when: "true", alert: {name: x}}]"#;
    let alertmanager = json!({"version": "4", "alerts": [{"labels": {"alertname": "a"}}]});
    assert_eq!(through(greedy, &alertmanager).format, Format::Alertmanager, "a known shape needs no mapping");
}

#[test]
fn mistakes_are_found_when_mappings_are_loaded() {
    for (yaml, field, words) in [
        ("[{name: n, when: 'body.', alert: {name: x}}]", "when", "unexpected end"),
        ("[{name: n, when: 'true', alerts: 'body['}]", "alerts", "unexpected"),
        ("[{name: n, when: 'true', alert: {name: '{{ body.x'}}]", "alert.name", "unexpected"),
        ("[{name: n, when: 'true', alert: {labels: {host: '{% if %}'}}}]", "alert.labels.host", "unexpected"),
        ("[{name: n, when: 'true', alert: {labels: 'item.('}}]", "alert.labels", "unexpected"),
        ("[{name: n, when: 'true', alert: {name: '{{ itm.x }}'}}]", "alert.name", "there is no `itm`"),
        ("[{name: n, when: 'true', alert: {name: '{{ body.x | uper }}'}}]", "alert.name", "uper"),
        ("[{name: '', when: 'true'}]", "name", "empty"),
        ("[{name: n}]", "when", "has"),
        ("[{name: n, when: 'true'}, {name: n, when: 'true'}]", "name", "twice"),
    ] {
        let found = mistakes(yaml);
        assert_eq!(found.len(), 1, "{yaml}: {found:?}");
        assert_eq!(found[0].field, field, "{yaml}");
        assert!(found[0].reason.contains(words), "{yaml}: {}", found[0]);
    }
    for field in ["when: '---1'", "has: [x], alert: {name: '{{ ---1 }}'}"] {
        let deep = mistakes(&format!("[{{name: n, {}}}]", field.replace("---", &"-".repeat(1_000))));
        assert!(deep[0].reason.contains("divide it"), "{field}: {}", deep[0]);
    }
    let all = mistakes("[{name: n, when: 'x', alert: {name: '{{', message: '{{'}}]");
    assert_eq!(all.len(), 3, "every mistake is told: {all:?}");
    assert!(all[0].to_string().starts_with("payload mapping `n`, `when`: "));
}

#[test]
fn an_unknown_field_of_a_mapping_is_refused() {
    assert!(serde_saphyr::from_str::<Vec<Mapping>>("[{name: n, when: x, alert: {nam: x}}]").is_err());
    assert!(serde_saphyr::from_str::<Vec<Mapping>>("[{name: n, wen: x}]").is_err());
}

#[test]
fn the_shipped_mappings_compile_and_have_names_of_their_own() {
    let names: Vec<_> = shipped().into_iter().map(|mapping| mapping.name).collect();
    let mut once = names.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), names.len(), "each has a name of its own");
    for sender in
        ["cloudwatch", "azure", "gcp", "aliyun-cms", "tencent-cloud", "huawei-ces", "zabbix", "gitlab", "harbor"]
    {
        assert!(names.iter().any(|name| name == sender), "{sender}");
    }
    assert!(Payloads::compile(Vec::new()).is_ok());
}

#[test]
fn a_mapping_is_the_same_after_it_was_written_and_read() {
    let mapping = Mapping {
        name: "n".to_owned(),
        has: vec!["n".to_owned()],
        when: "true".to_owned(),
        alerts: None,
        alert: AlertFields { labels: Some(Members::All("item".to_owned())), ..AlertFields::default() },
    };
    let text = serde_json::to_string(&mapping).unwrap();
    assert_eq!(serde_json::from_str::<Mapping>(&text).unwrap(), mapping);
}

#[test]
fn an_array_of_nightingale_events_is_that_many_alerts() {
    let event = |hash: &str, over: Json| {
        json!({"rule_id": 1, "rule_name": "磁盘", "hash": hash, "trigger_time": 1_795_327_440,
        "severity": 1, "is_recovered": over, "recover_time": 1_795_327_500, "trigger_value": "91.5", "annotations": null,
        "tags": ["ident=a", "rulename=磁盘"], "rule_note": "看一下"})
    };
    let notification = webhook_json(&json!([event("h1", json!(false)), event("h2", json!(1))]));
    let [first, second] = <[Alert; 2]>::try_from(notification.alerts).unwrap();
    assert_eq!((first.status, first.severity().as_str()), (Status::Firing, "critical"));
    assert_eq!((first.labels["ident"].as_str(), first.annotations["description"].as_str()), ("a", "看一下"));
    assert_eq!((second.status, second.ends_at), (Status::Resolved, Some(Timestamp(1_795_327_500_000))));
}

#[test]
fn values_of_nightingale_have_their_units() {
    let values = |json: Json| {
        let event = json!({"rule_id": 1, "hash": "h", "trigger_time": 1_795_354_200, "rule_name": "r", "trigger_value": "96.20",
            "trigger_values_json": json});
        shown(&only(webhook_json(&event)))
    };
    let one = |value: f64, unit: &str| json!({"value": value, "unit": unit, "text": "96.20", "stat": value});
    assert_eq!(values(json!({"values_with_unit": {"v": one(96.218_309_859_154_93, "%")}})), "=96.21830985915493 %");
    assert_eq!(values(json!({"values_with_unit": {"v": one(96.25, "")}})), "=96.25");
    assert_eq!(values(json!({"values_with_unit": {"A": one(1.5, "GiB"), "B": one(2.0, "s")}})), "A=1.5 GiB B=2.0 s");
    assert_eq!(values(json!({"values_with_unit": {}})), "=96.20");
    assert_eq!(values(json!(null)), "=96.20");
}

#[test]
fn phone_numbers_of_nightingale_users_are_not_read() {
    let body = json!({"rule_id": 1, "rule_name": "磁盘", "hash": "h", "trigger_time": 1, "is_recovered": false,
        "notify_users_obj": [{"phone": "13800000000"}]});
    assert!(!format!("{:?}", webhook_json(&body)).contains("13800000000"));
}

#[test]
fn an_uptime_kuma_notice_without_heartbeat_is_an_event() {
    let notice = webhook_json(&json!({"heartbeat": null, "monitor": null, "msg": "Testing"}));
    assert_eq!((notice.format, notice.alerts[0].name.as_str()), (Format::Generic, "Testing"));
    assert_eq!(notice.alerts[0].status, Status::Notice);
    let up = only(webhook_json(&json!({"heartbeat": {"monitorID": 3, "status": 1, "ping": 42.5, "msg": "200 - OK",
        "localDateTime": "2026-11-22 13:20:41", "timezoneOffset": "+08:00"}, "monitor": {"name": "API", "url": "https://a"}, "msg": "m"})));
    assert_eq!(
        (up.status, up.ends_at, shown(&up).as_str()),
        (Status::Resolved, Some(Timestamp(1_795_324_841_000)), "ping=42.5 ms")
    );
}

#[test]
fn a_form_or_multipart_field_may_hold_the_json() {
    let payloads = Payloads::default();
    let read = |body: &str, content_type: &str| {
        let notification = read(body.as_bytes(), Some(content_type), Door::Webhook, &payloads, NOW).unwrap();
        (notification.format, only(notification).name)
    };
    let multipart = "--b1\r\nContent-Disposition: form-data; name=\"data\"\r\n\r\n{\"heartbeat\":null,\"monitor\":{\"name\":\"API\"},\"msg\":\"m\"}\r\n--b1--\r\n";
    assert_eq!(read(multipart, "multipart/form-data; boundary=b1"), (Format::Generic, "API".to_owned()));
    let form = "payload=%7B%22title%22%3A%22%E6%9E%84%E5%BB%BA+x%22%7D";
    assert_eq!(read(form, "application/x-www-form-urlencoded"), (Format::Generic, "构建 x".to_owned()));
    let plain = "title=%E6%9E%84%E5%BB%BA%&content=a%2Bb";
    assert_eq!(read(plain, "Application/X-WWW-Form-Urlencoded; charset=utf-8"), (Format::Generic, "构建%".to_owned()));
}

#[test]
fn a_body_is_shown_as_its_text_and_the_tree_that_is_read() {
    let (text, tree) = decoded(br#"{"a": "{\"b\": 1}"}"#, None);
    assert_eq!((text.as_str(), tree), (r#"{"a": "{\"b\": 1}"}"#, Some(json!({"a": {"b": 1}}))));
    assert_eq!(decoded("磁盘".as_bytes(), None), ("磁盘".to_owned(), None));
    assert_eq!(decoded(b"a=1&b=2", Some("application/x-www-form-urlencoded")).1, Some(json!({"a": "1", "b": "2"})));
}

#[test]
fn a_draft_cuts_long_values_and_keeps_short_ones() {
    let body = json!({"title": "磁盘将满", "long": "x".repeat(121), "fits": "y".repeat(120)}).to_string();
    let explained = explain(body.as_bytes(), None, Door::Webhook, &SHIPPED, NOW).unwrap();
    let draft = draft(&explained, body.as_bytes(), None, "mine", crate::words::Language::Zh);
    assert!(draft.contains(&format!("body.long  {}…\n", "x".repeat(120))), "{draft}");
    assert!(draft.contains(&format!("body.fits  {}\n", "y".repeat(120))), "{draft}");
    assert!(draft.contains("name: \"{{ body.title }}\""), "{draft}");
}

#[test]
fn a_draft_reads_the_body_that_it_was_made_of() {
    let both = json!([{"title": "备份失败", "error": "超时", "host": "bk-01"}, {"title": "校验失败", "error": "坏块", "host": "bk-02"}]);
    let one = json!({"title": "备份失败", "error": "超时", "host": "bk-01"});
    let bodies = [
        (json!({"kind": "nightly", "events": both}), 2),
        (json!({"kind": "nightly", "jobs": both}), 2),
        (json!({"kind": "nightly", "data": {"jobs": [one]}}), 1),
        (both.clone(), 2),
        (one.clone(), 1),
    ];
    let english = |body: &[u8]| {
        let read = explain(body, None, Door::Webhook, &SHIPPED, NOW).unwrap();
        draft(&read, body, None, "mine", crate::words::Language::En)
    };
    for (body, alerts) in bodies {
        let body = body.to_string();
        let text = english(body.as_bytes());
        let mappings: Vec<Mapping> = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let payloads = Payloads::compile(mappings).unwrap_or_else(|errors| panic!("{errors:?}\n{text}"));
        let read = explain(body.as_bytes(), None, Door::Webhook, &payloads, NOW).unwrap();
        assert_eq!((read.by.as_str(), read.notification.alerts.len()), ("mine", alerts), "{text}");
    }
    let text = english(b"disk full");
    assert!(text.starts_with("# This body has no fields"), "{text}");
}

#[test]
fn names_in_titles_tell_alerts_apart() {
    let alert = only(webhook(r#"{"title":"慢","alert_title":"web-17 响应慢","severity":"critical","message":"x"}"#));
    assert!(alert.kin.as_ref().unwrap().marks.contains("web-17"), "{:?}", alert.kin);
}

#[test]
fn robots_are_known_by_their_frames() {
    for (body, by) in [
        (json!({"title": "部署失败", "sections": [{"text": "x"}]}), "teams"),
        (json!({"summary": "部署失败", "sections": [{"text": "x"}]}), "teams"),
        (
            json!({"summary": "部署失败", "potentialAction": [{"name": "看", "targets": [{"uri": "https://a.example.com"}]}]}),
            "teams",
        ),
        (json!({"sections": [{"text": "x"}]}), "general"),
        (json!({"msg_type": "text", "content": {"text": "部署失败"}}), "feishu"),
        (json!({"msg_type": "interactive", "card": {"header": {"title": {"content": "部署失败"}}}}), "feishu"),
        (json!({"msg_type": "text", "title": "部署失败"}), "general"),
    ] {
        assert_eq!(explain(body.to_string().as_bytes(), None, Door::Webhook, &SHIPPED, NOW).unwrap().by, by, "{body}");
    }
    // The text beside blocks is told once: above them, unless it is their heading or one of their lines.
    let slack = |text: &str| {
        webhook_json(
            &json!({"text": text, "blocks": [{"type": "header", "text": {"type": "plain_text", "text": "部署失败"}},
            {"type": "section", "text": {"type": "mrkdwn", "text": "order-api v1.2"}}]}),
        )
        .message
    };
    assert_eq!(slack("部署失败"), "order-api v1.2");
    assert_eq!(slack("order-api v1.2"), "order-api v1.2");
    assert_eq!(slack("第三次"), "第三次\norder-api v1.2");
}

#[test]
fn lists_of_lists_are_lists() {
    let event = |name: &str| json!({"alertname": name, "severity": "critical", "labels": {"host": name}});
    for body in [
        json!({"events": [[event("a"), event("b")]]}),
        json!({"events": [[event("a")], [event("b")]], "sender": "x"}),
        json!({"alerts": [[[event("a")], event("b")]]}),
        json!([[event("a"), event("b")]]),
        json!([[event("a")], [event("b")]]),
    ] {
        let names: Vec<String> = webhook_json(&body).alerts.into_iter().map(|alert| alert.name).collect();
        assert_eq!(names, ["a", "b"], "{body}");
    }
}

#[test]
fn a_line_of_labels_becomes_labels() {
    for (body, name, value) in [
        (
            json!({"msgtype": "markdown", "markdown": {"content": "**级别状态**: S1 Triggered\n**规则标题**: CPU 高\n**监控指标**: [__name__=cpu cpu=cpu-total ident=db-17]"}}),
            "ident",
            "db-17",
        ),
        (json!({"text": "【告警】CPU 高\ntags_json: {\"ident\":\"db-17\",\"rack\":\"B 2\"}"}), "rack", "B 2"),
        (json!({"text": "【告警】CPU 高\nLabels: map[instance:db-17 job:node]"}), "instance", "db-17"),
        (
            json!({"title": "CPU 高", "severity": "critical", "message": "标签：{instance=\"db-17\", job=\"node\"}"}),
            "job",
            "node",
        ),
    ] {
        let alert = only(webhook_json(&body));
        assert_eq!(
            (alert.name.as_str(), alert.labels.get(name).map(ecow::EcoString::as_str)),
            ("CPU 高", Some(value)),
            "{body}"
        );
    }
}

#[test]
fn what_a_robot_client_sends_is_read() {
    for (body, name, message) in [
        (
            json!({"msgtype": "text", "text": {"content": "主库只读\n第二行", "mentioned_list": ["@all"]}}),
            "主库只读",
            "第二行\nmentioned_list: @all",
        ),
        (
            json!({"msgtype": "markdown", "markdown": {"content": "# <font color=\"warning\">磁盘将满</font>\n> db-1"}}),
            "磁盘将满",
            "db-1",
        ),
        (json!({"msgtype": "markdown_v2", "markdown_v2": {"content": "**a** < b"}}), "a < b", ""),
        (
            json!({"msgtype": "news", "news": {"articles": [{"title": "标题", "description": "描述", "url": "https://a/"}]}}),
            "标题",
            "描述",
        ),
        (
            json!({"msgtype": "template_card", "template_card": {"main_title": {"title": "卡片", "desc": "说明"}}}),
            "卡片",
            "说明",
        ),
    ] {
        let notification = webhook_json(&body);
        assert_eq!((notification.format, notification.message.as_str()), (Format::Generic, message), "{body}");
        assert_eq!(only(notification).name, name);
    }
    let picture = webhook_json(&json!({"msgtype": "image", "image": {"base64": "aGVsbG8="}}));
    assert_eq!((picture.alerts[0].name.as_str(), picture.message.as_str()), ("图片 (image)", ""));
}

#[test]
fn zabbix_problem_and_recovery_are_one_alert() {
    let zabbix = |subject: &str, value: &str| {
        let body = json!({"Subject": subject, "Message": "m", "event_value": value, "event_id": "9", "severity": "High", "host": "web01",
            "tags": "scope: performance, component: cpu"});
        only(webhook_json(&body))
    };
    let (on, over) = (zabbix("Problem: CPU 高", "1"), zabbix("Resolved: CPU 高", "0"));
    assert_eq!((on.status, over.status), (Status::Firing, Status::Resolved));
    assert_eq!(
        (on.name.as_str(), on.identity(&SourceId::Configured("s".to_owned()))),
        ("CPU 高", over.identity(&SourceId::Configured("s".to_owned())))
    );
    assert_eq!(on.labels["component"], "cpu");
    let plain = only(webhook_json(&json!({"Subject": "Resolved: x", "Message": "m"})));
    assert_eq!(plain.status, Status::Resolved);
}

/// Makes a body of a host and a state.
type Made = fn(&str, &str) -> Json;

#[test]
fn one_rule_on_two_hosts_is_two_alerts_wherever_the_host_stands() {
    let volcano = |host: &str, state: &str| {
        json!({
            "Type": "Metric", "RuleName": "CPU 使用率高", "RuleId": "16", "Level": "critical", "AlertState": state,
            "Resources": [{ "Id": format!("i-{host}"), "Name": host, "Metrics": [{ "Name": "CpuTotal", "CurrentValue": 93 }] }],
        })
    };
    let datadog = |host: &str, state: &str| {
        json!({
            "alert_title": format!("[{state} on {{host:{host},env:prod}}] CPU 过高"), "alert_transition": state,
            "alert_id": "42", "hostname": "$HOSTNAME", "tags": "env:prod",
        })
    };
    let nagios = |host: &str, state: &str| json!({ "hostname": host, "service": "MySQL", "state": state, "output": format!("it is {state}") });
    let cases: [(&str, &str, Made); 3] =
        [("Alert", "Normal", volcano), ("Triggered", "Recovered", datadog), ("CRITICAL", "OK", nagios)];
    for (on, over, body) in cases {
        let identity = |host: &str, state: &str| only(webhook_json(&body(host, state))).identity(&source());
        assert_ne!(identity("web-1", on), identity("web-2", on), "{on}");
        assert_eq!(identity("web-1", on), identity("web-1", over), "{on}");
    }
}
