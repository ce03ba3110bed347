//! What a sender says of the state outranks the words of a rule's name.

use super::*;

fn facts(body: &str) -> (Status, String, Option<&'static str>) {
    let kind = if body.starts_with(['{', '[']) { "application/json" } else { "text/plain" };
    let alert = only(read(body.as_bytes(), Some(kind), Door::Webhook, &SHIPPED, NOW).unwrap());
    let level = alert.level().map(crate::level::Level::as_str);
    (alert.status, alert.name, level)
}

#[track_caller]
fn expect(cases: &[(&str, Status)]) {
    let wrong: Vec<String> = cases
        .iter()
        .filter(|(body, status)| facts(body).0 != *status)
        .map(|(body, status)| format!("{body}: {:?} instead of {status:?}", facts(body)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_end_is_an_end_whatever_its_rule_is_called() {
    use Status::{Firing, Notice, Resolved};
    expect(&[
        ("恢复通知\n告警名称: 内存不足\n主机: web-7", Resolved),
        ("故障恢复\n规则名称: 内存不足\n主机: web-7", Resolved),
        ("告警触发\n规则名称: 内存不足\n主机: web-7", Firing),
        (
            r##"{"msgtype":"markdown","markdown":{"content":"# <font color=\"info\">恢复</font>\n> 名称：内存不足\n> 级别：P2"}}"##,
            Resolved,
        ),
        (r#"{"title":"[P1][OK] Memory error"}"#, Resolved),
        (r#"{"title":"【紧急】【已恢复】内存不足"}"#, Resolved),
        (r#"{"title":"🟢 内存不足"}"#, Resolved),
        (r#"{"title":"已恢复 - 内存不足"}"#, Resolved),
        (r#"{"title":"OK | Memory error"}"#, Resolved),
        (r#"{"event_type":"RECOVERY","title":"内存不足","host":"web-7"}"#, Resolved),
        (r#"{"action":"resolve","title":"内存不足","host":"web-7"}"#, Resolved),
        (r#"{"通知类型":"恢复","标题":"内存不足","主机":"web-7"}"#, Resolved),
        (r#"{"status":"已清除","title":"内存不足"}"#, Resolved),
        (r#"{"status":"已消警","title":"内存不足"}"#, Resolved),
        (r#"{"status":"expired","title":"内存不足"}"#, Resolved),
        (r#"{"is_recover":true,"title":"内存不足"}"#, Resolved),
        (r#"{"isRecovery":1,"title":"内存不足"}"#, Resolved),
        (r#"{"recover":"true","title":"内存不足"}"#, Resolved),
        // A word that is not known is no trouble because of the rule's name.
        (r#"{"status":"zugestellt","title":"内存不足"}"#, Notice),
        // Controls: the same without an end.
        ("告警通知\n告警名称: 内存不足\n主机: web-7", Firing),
        (r#"{"title":"[P1] Memory error"}"#, Firing),
        (r#"{"title":"内存不足"}"#, Firing),
        (r#"{"event_type":"query_alert_monitor","title":"内存不足","host":"web-7"}"#, Firing),
        (r#"{"event_type":"PROBLEM","title":"内存不足"}"#, Firing),
        (r#"{"event_type":"success","title":"备份失败"}"#, Firing),
        (r#"{"status":"new","title":"内存不足"}"#, Firing),
        (r#"{"status":"NotReady","title":"节点不可用"}"#, Firing),
        (r#"{"status":"3","title":"内存不足"}"#, Firing),
        (r#"{"status":"未清除","title":"内存不足"}"#, Firing),
        (r#"{"is_recover":false,"title":"内存不足"}"#, Firing),
        (r#"{"isRecovery":0,"title":"内存不足"}"#, Firing),
        (r#"{"title":"内存不足","content":"请尽快恢复"}"#, Firing),
    ]);
    assert_eq!(facts(r#"{"title":"恢复 - 内存不足"}"#).1, "内存不足");
    assert_eq!(facts("CRITICAL: db-7 disk 96%").2, Some("critical"));
}

#[test]
fn a_level_or_a_state_in_capitals_needs_no_colon() {
    for (body, status, name, level) in [
        ("CRITICAL web-9 memory full", Status::Firing, "web-9 memory full", Some("critical")),
        ("WARNING web-9 swap in use\n12%", Status::Firing, "web-9 swap in use", Some("warning")),
        (r#"{"title":"MAJOR link to dc-2 flaps"}"#, Status::Firing, "link to dc-2 flaps", Some("error")),
        ("P1 web-9 memory full", Status::Firing, "web-9 memory full", Some("critical")),
        ("严重 web-9 内存将满", Status::Firing, "web-9 内存将满", Some("critical")),
        ("OK web-9 memory full", Status::Resolved, "web-9 memory full", None),
        ("RESOLVED web-9 memory full", Status::Resolved, "web-9 memory full", None),
        ("FIRING web-9 memory full", Status::Firing, "web-9 memory full", None),
        // Sentences of trouble and of its end, without a word for a state.
        ("Disk usage 95% on web-1", Status::Firing, "Disk usage 95% on web-1", None),
        ("主机 web-1 无法 ping 通", Status::Firing, "主机 web-1 无法 ping 通", None),
        ("Pod order-1 CrashLoopBackOff", Status::Firing, "Pod order-1 CrashLoopBackOff", None),
        ("Error rate returned to normal", Status::Resolved, "Error rate returned to normal", None),
        ("Disk space OK", Status::Resolved, "Disk space OK", None),
        ("Disk usage 35% on web-1", Status::Notice, "Disk usage 35% on web-1", None),
        // Names in capitals.
        ("LOW DISK SPACE on web-9", Status::Firing, "LOW DISK SPACE on web-9", None),
        ("DISASTER RECOVERY drill failed", Status::Firing, "DISASTER RECOVERY drill failed", None),
        // Words of a sentence.
        ("Critical thinking course", Status::Notice, "Critical thinking course", None),
        ("ERROR 500 on /pay", Status::Firing, "ERROR 500 on /pay", None),
        ("INFO backup takes long", Status::Notice, "INFO backup takes long", None),
    ] {
        assert_eq!(facts(body), (status, name.to_owned(), level), "{body}");
    }
}

#[test]
fn sentences_that_tell_of_trouble_need_no_state() {
    for text in [
        "ECS实例：web-3，于14:03发生告警：CPU使用率(95.2%>=90%)",
        "规则“a”在2026/11/30 14:03:00触发告警。CPU使用率 95.3%",
        "host web-1 CPU usage 97% exceeds 90%",
        "kafka consumer lag above threshold: 52000 > 10000",
        "payments: 3 of 5 replicas unavailable",
        "Unable to connect to broker kafka-2:9092",
        "Fire alarm is not cleared on panel 3",
        "SSL certificate for www.example.com expires in 3 days",
        "证书 www.example.com 将于 3 天后过期",
        "支付成功率 91.2% 低于阈值 95%",
        "数据库连接池使用率 98%，超过 90%",
    ] {
        assert_eq!(facts(text).0, Status::Firing, "{text}");
    }
    for text in [
        "巡检完成：未发现异常，所有 42 台主机正常",
        "昨日告警 12 条，已恢复 11 条，未恢复 1 条",
        "Daily report: 5 alerts fired, 5 resolved",
    ] {
        assert_eq!(facts(text).0, Status::Notice, "{text}");
    }
    assert_eq!(facts("巡检发现 3 台主机离线").0, Status::Firing);
    for text in [
        "本周访问量超过 100 万",
        "Your trial expires in 30 days",
        "今日没有触发告警的主机共 40 台",
        "CPU 低于阈值，恢复正常",
    ] {
        assert_ne!(facts(text).0, Status::Firing, "{text}");
    }
}

#[test]
fn each_report_of_a_text_is_an_alert() {
    let text = "【恢复】主机宕机\n主机：10.1.1.2\n【告警】主机宕机\n主机：10.1.1.1";
    let robot = json!({ "msgtype": "text", "text": { "content": text } }).to_string();
    for (body, kind) in [(text.to_owned(), "text/plain"), (robot, "application/json")] {
        let told = read(body.as_bytes(), Some(kind), Door::Webhook, &SHIPPED, NOW).unwrap().alerts;
        let told: Vec<_> =
            told.iter().map(|alert| (alert.status, alert.labels.get("主机").unwrap().as_str())).collect();
        assert_eq!(told, [(Status::Resolved, "10.1.1.2"), (Status::Firing, "10.1.1.1")], "{body}");
    }
}

#[test]
fn what_was_taken_back_is_no_alarm() {
    use Status::{Firing, Notice, Resolved};
    expect(&[
        (
            r#"{"alertId":"a","alertName":"VM memory","criticality":"CRITICAL","status":"CANCELED","resourceName":"vm-2"}"#,
            Resolved,
        ),
        (r#"{"alertName":"VM memory","criticality":"CRITICAL","status":"CANCELED","resourceName":"vm-2"}"#, Notice),
        (r#"{"alertName":"VM memory","severity":"critical","cancelDate":1795354100000}"#, Resolved),
        (r#"{"title":"内存不足","severity":"critical","status":"maintenance"}"#, Notice),
        (r#"{"title":"内存不足","level":"P1","状态":"已取消"}"#, Notice),
        (r#"{"incident_key":"a","title":"内存不足","level":"P1","状态":"已取消"}"#, Resolved),
        // Controls.
        (
            r#"{"alertId":"a","alertName":"VM memory","criticality":"CRITICAL","status":"ACTIVE","cancelDate":0}"#,
            Firing,
        ),
        (r#"{"alertName":"VM memory","criticality":"CRITICAL","cancelDate":0}"#, Firing),
        (r#"{"title":"内存不足","severity":"critical","status":"created"}"#, Firing),
        (r#"{"title":"Memory","severity":"critical","status":"unknown"}"#, Firing),
    ]);
}

#[test]
fn a_line_that_says_only_a_state_is_no_title() {
    for (body, status, name, level) in [
        (
            r#"{"msgtype":"markdown","markdown":{"content":"**级别状态**: S2 Triggered\n**规则标题**: 内存不足"}}"#,
            Status::Firing,
            "内存不足",
            Some("error"),
        ),
        (
            r#"{"msgtype":"markdown","markdown":{"title":"监控恢复","text":"\n### 【P2】搜索变慢\n- 服务：search"}}"#,
            Status::Resolved,
            "搜索变慢",
            Some("error"),
        ),
        (
            "***** Nagios *****\n\nDate/Time: today\nService: HTTP\nHost: web-3\nState: OK",
            Status::Resolved,
            "HTTP",
            None,
        ),
        (
            "***** Nagios *****\n\nNotification Type: PROBLEM\nService: HTTP\nHost: web-3\nState: CRITICAL\n\nAdditional Info:\n\nCRITICAL - Socket timeout",
            Status::Firing,
            "HTTP",
            Some("critical"),
        ),
        ("====恢复正常====\n告警类型: 内存不足\n====END====", Status::Resolved, "内存不足", None),
        ("# Prometheus恢复信息\n告警名称: 内存不足", Status::Resolved, "内存不足", None),
        (r#"{"title":"内存不足","status":"false"}"#, Status::Firing, "内存不足", None),
        ("【故障】\n主机: web-3\n问题: 内存不足", Status::Firing, "内存不足", None),
        ("***** Icinga *****\n\nService: HTTP\nHost: web-3\nState: CRITICAL", Status::Firing, "HTTP", Some("critical")),
        (r#"{"state":"WARNING","title":"Lag on web-3"}"#, Status::Firing, "Lag on web-3", Some("warning")),
        ("***** Icinga *****\n\nService: HTTP\nHost: web-3\nState: OK", Status::Resolved, "HTTP", None),
        (r#"{"text":"<b>🔥 Firing</b>\nHostDown\nhost: web-3"}"#, Status::Firing, "HostDown", None),
        (r#"{"title":"告警","content":"web-3 内存已恢复正常"}"#, Status::Resolved, "web-3 内存已恢复正常", None),
        (r#"{"title":"告警","alertname":"内存不足"}"#, Status::Firing, "内存不足", None),
        // With nothing else to show, it stays.
        (r#"{"title":"告警"}"#, Status::Firing, "告警", None),
        ("恢复", Status::Resolved, "恢复", None),
    ] {
        assert_eq!(facts(body), (status, name.to_owned(), level), "{body}");
    }
    // The time of an end is not its beginning.
    let end = only(webhook(r#"{"title":"恢复：内存不足","time":"2026-11-22T13:20:00Z"}"#));
    assert_eq!((end.starts_at, end.ends_at), (None, Some(Timestamp(1_795_353_600_000))));
}

#[test]
fn an_end_that_a_body_takes_back_ends_nothing() {
    for body in [
        "Jenkins ship-api #512\nFinished: FAILURE",
        "【库存】状态变化\n正常 → 告警",
        "夜间备份\n任务完成：失败 3 个",
        "内存 96%\n已恢复：否",
        "CPU high on db-7\nResolved: false",
        "CPU 95%\nOK -> CRITICAL",
        "backup\nsuccess: 0\nfailed: 5",
        "巡检结果\n正常: 18\n异常: 2",
        "rollout\nhealthy -> unhealthy",
        "x\nResolved at: -",
        r#"{"title":"db-7","host":"h","message":"恢复：失败"}"#,
        r#"{"title":"backup","status":"Completed with errors"}"#,
        r#"{"title":"backup","result":"finished with errors"}"#,
        r#"{"title":"backup","result":"Job finished with exit code 1"}"#,
        r#"{"title":"db-7","status":"db-7 is no longer UP"}"#,
        r#"{"title":"db-7","status":"连接已关闭"}"#,
        r#"{"title":"db-7","state":"notOK"}"#,
        r#"{"title":"db-7","state":"OK? no"}"#,
        r#"{"title":"db-7","state":"OK -> CRITICAL"}"#,
        r#"{"msgtype":"text","text":{"content":"ship-api\nFinished: UNSTABLE"}}"#,
    ] {
        assert_ne!(facts(body).0, Status::Resolved, "{body}");
    }
    for body in [
        "Jenkins ship-api #512\nFinished: SUCCESS",
        "【库存】状态变化\n告警 → 正常",
        r#"{"title":"db-7","state":"CRITICAL -> OK"}"#,
    ] {
        assert_eq!(facts(body).0, Status::Resolved, "{body}");
    }
}

#[test]
fn other_spellings_of_chinese_and_japanese_say_the_same() {
    for (body, status, level) in [
        (
            r#"{"gaojing_mingcheng":"磁盘使用率","zhuji":"db-1","jibie":"yanzhong","zhuangtai":"gaojing"}"#,
            Status::Firing,
            Some("critical"),
        ),
        (
            r#"{"gaojing_mingcheng":"磁盘使用率","zhuji":"db-1","jibie":"yanzhong","zhuangtai":"huifu"}"#,
            Status::Resolved,
            Some("critical"),
        ),
        ("[告警] 主機 web-1 磁碟空間不足\n嚴重程度：嚴重", Status::Firing, Some("critical")),
        ("[恢復] 主機 web-1 磁碟空間不足\n嚴重程度：嚴重", Status::Resolved, Some("critical")),
        ("【障害発生】db-1 CPU使用率が高い\n重要度：重大", Status::Firing, Some("critical")),
        ("【障害復旧】db-1 CPU使用率が高い\n重要度：重大", Status::Resolved, Some("critical")),
    ] {
        let (found, _, rank) = facts(body);
        assert_eq!((found, rank), (status, level), "{body}");
    }
}

#[test]
fn a_line_of_pairs_or_fields_is_taken_apart() {
    for (body, status, name, level) in [
        (
            "[TDSQL赤兔告警]集群: group_16 实例: set_16_1 指标: 主备延迟 当前值: 120 级别: 严重",
            Status::Firing,
            "[TDSQL赤兔]",
            Some("critical"),
        ),
        (
            "2026-11-30 15:02:11,db-1,10.0.0.1,disk,/data,96%,CRITICAL",
            Status::Firing,
            "db-1 10.0.0.1 disk /data",
            Some("critical"),
        ),
        ("2026-11-30 15:22:11,db-1,10.0.0.1,disk,/data,50%,OK", Status::Resolved, "db-1 10.0.0.1 disk /data", None),
        (
            "alert=HighCPU host=web-1 value=97.3% level=critical state=firing",
            Status::Firing,
            "HighCPU",
            Some("critical"),
        ),
        ("[TDengine] 告警: vgroup 2 leader 切换频繁", Status::Firing, "[TDengine] vgroup 2 leader 切换频繁", None),
    ] {
        assert_eq!(facts(body), (status, name.to_owned(), level), "{body}");
    }
}
