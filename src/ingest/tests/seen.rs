//! What a person sees of a body: every label, link and number of it, in words without marks.

use super::*;
use crate::measure::Reading;
use crate::words::Language;

fn told(body: &Json) -> (Alert, Vec<String>) {
    let notification = webhook_json(body);
    let lines = notification.message.lines().map(str::to_owned).collect();
    (only(notification), lines)
}

/// Value and threshold as a message shows them.
fn figures(body: &Json) -> String {
    let (alert, _) = told(body);
    let reading = Reading::of(&alert, Format::Generic);
    let values: Vec<String> = reading.figures.iter().map(|figure| reading.write(figure, Language::En)).collect();
    let limit = reading.threshold(Language::En).map(|limit| format!(" ({limit})")).unwrap_or_default();
    format!("{}{limit}", values.join(", "))
}

#[test]
fn a_label_that_is_no_part_of_the_object_becomes_a_line() {
    for (body, seen) in [
        (
            json!({"action": "Create", "alert": {"alertId": "a", "message": "队列积压", "entity": "queue-pay", "priority": "P2"}}),
            "entity: queue-pay",
        ),
        (json!({"title": "风扇转速低", "severity": "warning", "labels": {"slot": "7"}}), "slot: 7"),
        (
            json!({"title": "链路抖动", "severity": "warning", "tags": ["carrier:ct-east", "host:gw-1"]}),
            "carrier: ct-east",
        ),
        (
            json!({"ProblemTitle": "慢", "State": "OPEN", "PID": "1", "ImpactedEntity": "checkout service", "ProblemDetailsText": "x"}),
            "ImpactedEntity: checkout service",
        ),
        (
            json!({"alert_name": "慢查询", "fire_time": 1_795_354_000, "severity": "6", "fingerprint": "f", "status": "firing",
                "labels": {"logstore": "mysql-slow"}, "annotations": {"desc": "多"}}),
            "logstore: mysql-slow",
        ),
    ] {
        let (_, lines) = told(&body);
        assert!(lines.iter().any(|line| line == seen), "`{seen}` in {lines:?}");
    }
}

#[test]
fn a_label_that_is_seen_already_is_no_line() {
    let title = json!({"title": "风扇转速低", "severity": "warning", "host": "db-7", "message": "机箱 chassis-2 的风扇",
        "labels": {"host": "db-7", "chassis": "chassis-2", "node_name": "db-7", "severity": "warning", "rule_id": "17", "alertname": "x"}});
    let (alert, lines) = told(&title);
    assert_eq!(lines, ["机箱 chassis-2 的风扇"], "{:?}", alert.labels);
    let (_, twice) =
        told(&json!({"title": "慢", "severity": "warning", "labels": {"a_part": "same-one", "b_part": "same-one"}}));
    assert_eq!(twice, ["a_part: same-one"], "a value is told once");
    let over = webhook_json(&json!({"title": "慢", "status": "resolved", "labels": {"slot": "slot-7"}}));
    assert_eq!(over.message, "", "of what is over only its own words are told");
}

#[test]
fn value_and_threshold_are_shown_as_their_sender_gives_them() {
    let azure = |conditions: Json| {
        json!({"schemaId": "azureMonitorCommonAlertSchema", "data": {
            "essentials": {"alertId": "a", "alertRule": "r", "severity": "Sev2", "monitorCondition": "Fired", "configurationItems": ["vm-4"]},
            "alertContext": {"condition": {"allOf": conditions}}}})
    };
    let cloudwatch = |unit: &str, operator: &str| {
        json!({"AlarmName": "r", "NewStateValue": "ALARM", "AlarmArn": "arn:a",
            "NewStateReason": "Threshold Crossed: 1 datapoint [734003200.0 (30/11/26 01:38:00)] was less than the threshold (1073741824.0).",
            "Trigger": {"MetricName": "FreeableMemory", "Unit": unit, "ComparisonOperator": operator, "Threshold": 1_073_741_824.0, "Dimensions": []}})
    };
    for (body, shown) in [
        (
            azure(
                json!([{"metricName": "Available Memory", "operator": "LessThan", "threshold": "10", "metricValue": 7.5}]),
            ),
            "7.5 (< 10)",
        ),
        (
            azure(
                json!([{"metricName": "CPU Percentage", "operator": "GreaterThanOrEqual", "threshold": "80", "metricValue": 91.256}]),
            ),
            "91.3% (≥ 80%)",
        ),
        // Each of several has its own threshold.
        (
            azure(json!([{"metricName": "a", "operator": "GreaterThan", "threshold": "1", "metricValue": 2},
                {"metricName": "b", "operator": "GreaterThan", "threshold": "3", "metricValue": 4}])),
            "2, 4",
        ),
        (cloudwatch("Bytes", "LessThanThreshold"), "700 MiB (< 1 GiB)"),
        (cloudwatch("Bytes", "LessThanLowerOrGreaterThanUpperThreshold"), "700 MiB"),
        (
            json!({"strategy": {"name": "内存使用率", "item_list": [{"metric_field_name": "内存使用率"}]}, "type": "ANOMALY_NOTICE",
                "event": {"id": 1, "level": 2}, "current_value": "91.5", "description": "MAX(内存使用率) > 85.0%, 当前值91.5%"}),
            "91.5% (> 85%)",
        ),
        (
            json!({"alertName": "r", "ruleId": "i", "alertState": "ALERT", "metricName": "ConnectionUsage", "expression": "$Maximum>=90",
                "curValue": "93.4", "unit": "%", "dimensions": "{instanceId=rm-1}"}),
            "93.4% (≥ 90%)",
        ),
        (
            json!({"alarm_id": "a", "alarm_status": "alarm", "alarm_name": "r", "metric_name": "磁盘读延时", "comparison_operator": ">",
                "value": "20ms", "template_variable": {"CurrentData": "35ms", "IsAlarm": true}}),
            "35 ms (> 20 ms)",
        ),
        (
            json!({"incident": {"incident_id": "i", "policy_name": "r", "state": "open", "observed_value": "0.932", "threshold_value": "0.8",
                "summary": "CPU is above the threshold of 0.800 with a value of 0.932.",
                "metric": {"type": "compute.googleapis.com/instance/cpu/utilization", "displayName": "CPU utilization"}}}),
            "93.2% (> 80%)",
        ),
        (
            json!({"endpoint": "web-3", "metric": "load.1min", "status": "PROBLEM", "step": 1, "priority": 1, "operator": ">=",
                "left_value": 14.2, "right_value": 12}),
            "14.2 (≥ 12)",
        ),
        (
            json!({"title": "队列积压", "severity": "critical", "metric": "queue.depth", "current_value": 5321, "operator": "gt",
                "threshold": 5000, "unit": "条"}),
            "5,321 条 (> 5,000 条)",
        ),
        (
            json!({"title": "慢", "severity": "critical", "rule": {"op": "大于", "阈值": "300ms", "值": "412ms"}}),
            "412 ms (> 300 ms)",
        ),
        (json!({"text": "【告警】连接数过高\n当前值：812\n阈值：> 800"}), "812 (> 800)"),
        // Not what it is compared with, not in which way, not in one unit, no number.
        (json!({"title": "慢", "severity": "critical", "current_value": 412}), "412"),
        (json!({"title": "慢", "severity": "critical", "current_value": 412, "threshold": 300}), "412"),
        (
            json!({"title": "慢", "severity": "critical", "current_value": "3 GiB", "operator": ">", "threshold": "2048 MiB"}),
            "3 GiB",
        ),
        (
            json!({"title": "慢", "severity": "critical", "current_value": "high", "operator": ">", "threshold": 300}),
            "",
        ),
        (json!({"title": "慢", "severity": "critical", "value": 412}), ""),
    ] {
        assert_eq!(figures(&body), shown, "{body}");
    }
    let (_, lines) = told(&json!({"title": "慢", "severity": "critical", "current_value": 412, "threshold": 300}));
    assert_eq!(lines, ["threshold: 300"], "a threshold without a comparison is told as it is");
}

#[test]
fn every_link_of_a_message_for_people_is_kept_with_its_words() {
    let card = |element: Json| json!({"msg_type": "interactive", "card": {"header": {"title": {"content": "缓存慢"}}, "elements": [element]}});
    let button = |members: Json| {
        let mut button = json!({"tag": "button", "text": {"tag": "plain_text", "content": "看日志"}});
        button.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        card(json!({"tag": "action", "actions": [button]}))
    };
    let page = "https://g.example.com/d/7";
    let line = format!("看日志 {page}");
    for body in [
        json!({"msgtype": "actionCard", "actionCard": {"title": "缓存慢", "text": "x", "btns": [{"title": "看日志", "actionURL": page}]}}),
        json!({"msgtype": "actionCard", "actionCard": {"title": "缓存慢", "text": "x", "singleTitle": "看日志", "singleURL": page}}),
        json!({"msgtype": "action_card", "action_card": {"title": "缓存慢", "markdown": "x", "btn_json_list": [{"title": "看日志", "action_url": page}]}}),
        json!({"msgtype": "feedCard", "feedCard": {"links": [{"title": "缓存慢", "messageURL": "https://g.example.com/1"}, {"title": "看日志", "messageURL": page}]}}),
        json!({"msgtype": "template_card", "template_card": {"main_title": {"title": "缓存慢"}, "jump_list": [{"type": 1, "title": "看日志", "url": page}]}}),
        json!({"msgtype": "template_card", "template_card": {"main_title": {"title": "缓存慢"}, "horizontal_content_list": [{"keyname": "看日志", "type": 1, "url": page}]}}),
        button(json!({"url": page})),
        button(json!({"multi_url": {"url": page, "pc_url": "https://g.example.com/pc"}})),
        button(json!({"behaviors": [{"type": "open_url", "default_url": page}], "value": {"text": "no words"}})),
        json!({"msg_type": "interactive", "card": {"schema": "2.0", "header": {"title": {"content": "缓存慢"}}, "body": {"elements": [
            {"tag": "column_set", "columns": [{"tag": "column", "elements": [{"tag": "button", "text": {"tag": "plain_text", "content": "看日志"},
                "behaviors": [{"type": "open_url", "default_url": page}]}]}]}]}}}),
        json!({"msg_type": "post", "content": {"post": {"zh_cn": {"title": "缓存慢", "content": [[{"tag": "a", "text": "看日志", "href": page}]]}}}}),
        json!({"text": "缓存慢", "blocks": [{"type": "actions", "elements": [{"type": "button", "text": {"type": "plain_text", "text": "看日志"}, "url": page}]}]}),
        json!({"text": "缓存慢", "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "x"}, "accessory": {"type": "button", "text": {"type": "plain_text", "text": "看日志"}, "url": page}}]}),
        json!({"text": "缓存慢", "blocks": [{"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [{"type": "link", "text": "看日志", "url": page}]}]}]}),
        json!({"attachments": [{"title": "缓存慢", "actions": [{"type": "button", "text": "看日志", "url": page}]}]}),
        json!({"@type": "MessageCard", "title": "缓存慢", "text": "x", "potentialAction": [{"@type": "OpenUri", "name": "看日志", "targets": [{"os": "default", "uri": page}]}]}),
        json!({"@type": "MessageCard", "title": "缓存慢", "text": "x", "sections": [{"potentialAction": [{"@type": "ViewAction", "name": "看日志", "target": [page]}]}]}),
        json!({"type": "message", "attachments": [{"content": {"type": "AdaptiveCard", "body": [{"type": "TextBlock", "text": "缓存慢"}],
            "actions": [{"type": "Action.OpenUrl", "title": "看日志", "url": page}]}}]}),
        json!({"embeds": [{"title": "缓存慢"}], "components": [{"type": 1, "components": [{"type": 2, "label": "看日志", "url": page}]}]}),
        json!({"cardsV2": [{"card": {"header": {"title": "缓存慢"}, "sections": [{"widgets": [{"buttonList": {"buttons": [{"text": "看日志", "onClick": {"openLink": {"url": page}}}]}}]}]}}]}),
        json!({"chat_id": 7, "text": "缓存慢\nx", "reply_markup": {"inline_keyboard": [[{"text": "看日志", "url": page}]]}}),
        json!({"topic": "ops", "title": "缓存慢", "message": "x", "actions": [{"action": "view", "label": "看日志", "url": page}]}),
        json!({"event_action": "trigger", "payload": {"summary": "缓存慢", "severity": "error"}, "links": [{"href": page, "text": "看日志"}]}),
    ] {
        let (alert, lines) = told(&body);
        assert_eq!(alert.name, "缓存慢", "{body}");
        assert!(lines.contains(&line), "{body}\n{lines:?}");
    }
    // An address that holds a credential is no link.
    let (alert, lines) = told(&button(json!({"url": "https://g.example.com/ack?token=abcdef"})));
    assert_eq!((lines, alert.links.rule.as_str()), (vec!["看日志".to_owned()], ""));
}

#[test]
fn what_wegraf_says_itself_is_in_the_language_of_the_gateway() {
    let han = |text: &str| text.chars().any(|letter| matches!(letter, '\u{3400}'..='\u{9fff}'));
    let bodies: [&[u8]; 10] = [
        br#"[{"labels":{"severity":"critical"},"annotations":{"a":"b"},"startsAt":"2026-11-22T13:00:00Z"}]"#,
        br#"{"version":"4","receiver":"x","groupKey":"k","alerts":[{"status":"firing","labels":{}}]}"#,
        br#"{"ruleName":" ","state":"alerting","evalMatches":[{"metric":"m","value":1}]}"#,
        b"...\n---",
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\xff\xd8\xff\xe0\0",
        br#"{"msgtype":"image","image":{"base64":"aGVsbG8=","md5":"x"}}"#,
        br#"{"msgtype":"template_card","template_card":{"sub_title_text":"x"}}"#,
        br#"{"msg_type":"audio","content":{"file_key":"x"}}"#,
        br#"{"Type":"UnsubscribeConfirmation","TopicArn":"arn:aws:sns:x:0:ops","SubscribeURL":"https://sns.example.com/?Action=Confirm"}"#,
        br#"{"type":"QUOTA_WARNING","occur_at":1795354000,"event_data":{"repository":{"name":"base"},"resources":[]}}"#,
    ];
    for body in bodies {
        let told = [Language::Zh, Language::En].map(|language| {
            let settings = generic::ReadSettings { language, ..generic::ReadSettings::default() };
            let payloads = Payloads::default().with(settings);
            let read = read(body, None, Door::Webhook, &payloads, NOW).unwrap();
            format!("{}\n{}\n{}", read.title, read.alerts[0].name, read.message)
        });
        let shown = String::from_utf8_lossy(body);
        assert!(han(&told[0]), "{shown}: {}", told[0]);
        assert!(!han(&told[1]), "{shown}: {}", told[1]);
    }
}

#[test]
fn a_card_that_is_kept_at_feishu_tells_what_is_filled_in() {
    let (_, lines) =
        told(&json!({"msg_type": "interactive", "card": {"type": "template", "data": {"template_id": "AAq",
        "template_variable": {"alert_title": "缓存命中率过低", "level": "P2"}}}}));
    assert!(lines.contains(&"level: P2".to_owned()), "{lines:?}");
}

#[test]
fn a_title_and_its_facts_have_no_marks_and_no_addresses() {
    for (body, name, lines) in [
        (
            json!({"msgtype": "markdown", "markdown": {"title": "告警", "text": "#### [FIRING:1] **[连接池满](https://am.example.com)**\n- 主机：`db-7`"}}),
            "连接池满",
            vec!["[FIRING:1] 连接池满 https://am.example.com", "- 主机：db-7"],
        ),
        (
            json!({"text": ":fire: *连接池满*\n*主机:*\ndb-7\n| 项 | 值 |\n|---|---|\n| 会话 | 512 |"}),
            "连接池满",
            vec!["主机: db-7", "项: 值", "会话: 512"],
        ),
        (json!({"title": "**连接池满**", "content": "> 主机：db-7"}), "连接池满", vec!["主机：db-7"]),
    ] {
        let (alert, seen) = told(&body);
        assert_eq!((alert.name.as_str(), seen), (name, lines.iter().map(ToString::to_string).collect()), "{body}");
        assert_eq!(alert.labels["主机"], "db-7", "{body}");
    }
}

#[test]
fn no_credential_within_a_value_is_shown() {
    const SECRETS: [&str; 7] =
        ["P4ss!w", "k-778899", "Zq9secret", "eyJhbGci.eyJzdWIi.x1", "hook-42", "tok-5566", "dev-7788"];
    let text = "dial mysql://root:P4ss!w@db-7:3306/x failed\nGET https://a.example.com/x?api_key=k-778899 500\n\
        mysqldump -ubackup -pZq9secret x\nAuthorization: Bearer eyJhbGci.eyJzdWIi.x1\n\
        https://hooks.slack.com/services/hook-42";
    let general = json!({
        "title": "同步失败 token=tok-5566", "content": text, "host": "https://u:P4ss!w@db-7/x", "dsn": "redis://:P4ss!w@h:1",
        "device_key": "dev-7788", "severity": "critical",
    });
    let managed = json!({
        "version": "4", "status": "firing", "receiver": "x",
        "alerts": [{ "status": "firing", "labels": { "alertname": "A" }, "annotations": { "description": text, "summary": "x token=tok-5566" } }],
    });
    let legacy = json!({ "title": "[Alerting] x", "ruleId": 1, "ruleName": "x", "state": "alerting", "evalMatches": [], "message": text });
    for body in [general.to_string(), managed.to_string(), legacy.to_string(), text.to_owned()] {
        let kind = if body.starts_with('{') { "application/json" } else { "text/plain" };
        let notification = read(body.as_bytes(), Some(kind), Door::Webhook, &SHIPPED, NOW).unwrap();
        let page = listed(notification.format, body.as_bytes(), Some(kind));
        let shown = format!("{notification:?} {page:?}");
        for secret in SECRETS {
            assert!(!shown.contains(secret), "{secret}: {shown}");
        }
        assert!(shown.contains("mysql://root:***@db-7:3306/x"), "the rest is shown: {shown}");
    }
}

#[test]
fn a_bare_value_has_the_unit_that_the_body_says_elsewhere() {
    for (body, text) in [
        (json!({"title": "CPU 过高", "status": "firing", "current_value": 96.2, "metric": "CPU使用率(%)"}), "96.2 %"),
        (
            json!({"title": "CPU 过高", "status": "firing", "current_value": 96.2, "message": "CPU 使用率 96.2%，持续 5 分钟"}),
            "96.2 %",
        ),
        (json!({"title": "慢", "status": "firing", "current_value": 3120, "metric_unit_name": "ms"}), "3120 ms"),
        (json!({"title": "慢告警", "content": "指标: 响应时间（ms）\n当前值: 3120"}), "3120 ms"),
        // No unit: what is in brackets is none, a limit is another number, two units are two.
        (json!({"title": "慢", "status": "firing", "current_value": 96, "metric": "CPU (total)"}), "96"),
        (json!({"title": "慢", "status": "firing", "current_value": 90, "message": "超过 90%"}), "90"),
        (json!({"title": "慢", "status": "firing", "current_value": 15, "message": "使用率 15%，延迟 15 ms"}), "15"),
        (json!({"title": "慢", "status": "firing", "current_value": 5, "message": "使用率 5%"}), "5"),
    ] {
        let (alert, _) = told(&body);
        assert_eq!(alert.values.iter().map(|value| value.text.as_str()).collect::<Vec<_>>(), [text], "{body}");
    }
}
