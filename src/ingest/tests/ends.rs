//! Pairs of a beginning and an end whose words differ: which of them belong together.

use super::pairs::{ends, told};
use super::*;

#[test]
fn an_end_in_other_words_ends_its_alert_and_no_other() {
    let mut wrong = Vec::new();
    for (first, second, ended) in [
        // What is behind a state in brackets is its reason.
        (
            "Subject: sw-4 Ping (Ping) Down ESCALATION (Timed out (code # 7))\n\nSensor: Ping\nStatus: Down\nDevice: sw-4 (10.5.0.4)",
            "Subject: sw-4 Ping (Ping) Up (OK)\n\nSensor: Ping\nStatus: Up\nDevice: sw-4 (10.5.0.4)",
            true,
        ),
        (
            "Subject: sw-4 Ping (Ping) Down ESCALATION (Timed out (code # 7))\n\nSensor: Ping\nStatus: Down\nDevice: sw-4 (10.5.0.4)",
            "Subject: sw-5 Ping (Ping) Up (OK)\n\nSensor: Ping\nStatus: Up\nDevice: sw-5 (10.5.0.5)",
            false,
        ),
        ("sw-4 Link Down (port 80)", "✅ sw-4 Link Up (port 443)", false),
        ("sw-4 Link Down (port 80)", "✅ sw-4 Link Up (OK)", true),
        // Since when, and for how long.
        (
            r#"[{"event":"check.down","description":"DOWN: https://a.example.com since 07:02:11 (UTC), reason: 503","check":{"url":"https://a.example.com","down":true}}]"#,
            r#"[{"event":"check.up","description":"UP: https://a.example.com since 07:12:11 (UTC), after 10 minutes","check":{"url":"https://a.example.com","down":false}}]"#,
            true,
        ),
        (
            r#"[{"event":"check.down","description":"DOWN: https://a.example.com since 07:02:11 (UTC), reason: 503","check":{"url":"https://a.example.com","down":true}}]"#,
            r#"[{"event":"check.up","description":"UP: https://b.example.com since 07:12:11 (UTC), after 10 minutes","check":{"url":"https://b.example.com","down":false}}]"#,
            false,
        ),
        ("borg backup FAILED on nas-4\nexit code: 1", "borg backup OK on nas-4\nexit code: 0", true),
        ("borg backup FAILED on nas-4\nexit code: 1", "borg backup OK on nas-5\nexit code: 0", false),
        (
            "【某某云】您的云主机 ecs-4（10.0.0.4）CPU使用率 连续3次大于等于90%，当前值95.2%，请查看。",
            "【某某云】您的云主机 ecs-4（10.0.0.4）CPU使用率 已恢复正常，当前值35.0%，请查看。",
            true,
        ),
        (
            "【某某云】您的云主机 ecs-4（10.0.0.4）CPU使用率 连续3次大于等于90%，当前值95.2%，请查看。",
            "【某某云】您的云主机 ecs-5（10.0.0.5）CPU使用率 已恢复正常，当前值35.0%，请查看。",
            false,
        ),
        ("【某某拨测】告警通知\n任务名称：官网首页", "【某某拨测】恢复通知\n任务名称：官网首页", true),
        ("【某某拨测】告警通知\n任务名称：官网首页", "【某某拨测】恢复通知\n任务名称：支付页", false),
        // The name of an event says how it went.
        (
            r#"{"eventName":"Vm.VmBackupFailed","objectName":"web-4","status":"Failure"}"#,
            r#"{"eventName":"Vm.VmBackupSucceeded","objectName":"web-4","status":"Success"}"#,
            true,
        ),
        (
            r#"{"eventName":"Vm.VmBackupFailed","objectName":"web-4","status":"Failure"}"#,
            r#"{"eventName":"Vm.VmBackupSucceeded","objectName":"web-5","status":"Success"}"#,
            false,
        ),
        // What ran is called the same, whatever came of it.
        (
            r#"{"rollout":"cart","namespace":"prod","phase":"Degraded","message":"RolloutAborted: too many errors"}"#,
            r#"{"rollout":"cart","namespace":"prod","phase":"Healthy","message":"Rollout completed"}"#,
            true,
        ),
        (
            r#"{"rollout":"cart","namespace":"prod","phase":"Degraded","message":"RolloutAborted: too many errors"}"#,
            r#"{"rollout":"pay","namespace":"prod","phase":"Healthy","message":"Rollout completed"}"#,
            false,
        ),
        (
            r#"{"event":"sync_end","connector_name":"cart_db","sync_id":"s1","data":{"status":"FAILURE","reason":"timeout"}}"#,
            r#"{"event":"sync_end","connector_name":"cart_db","sync_id":"s2","data":{"status":"SUCCESSFUL"}}"#,
            true,
        ),
        // The id of a run, and its number, are others at the end; those of a task are not.
        (
            r#"{"taskId":"AVh21JS2JepAEhwQ-P3u","project":{"name":"cart"},"qualityGate":{"name":"Way","status":"ERROR"}}"#,
            r#"{"taskId":"AVh99KX7JepAEhwQ-Q4v","project":{"name":"cart"},"qualityGate":{"name":"Way","status":"OK"}}"#,
            true,
        ),
        (
            r#"{"title":"同步失败","taskId":"7","status":"failed"}"#,
            r#"{"title":"同步失败","taskId":"8","status":"success"}"#,
            false,
        ),
        (
            r#"{"workflow":{"name":"build","status":"failed"},"pipeline":{"number":130},"project":{"name":"cart"}}"#,
            r#"{"workflow":{"name":"build","status":"success"},"pipeline":{"number":131},"project":{"name":"cart"}}"#,
            true,
        ),
        // One success of an object that is reconciled ends what failed of it.
        (
            r#"{"involvedObject":{"kind":"Kustomization","namespace":"apps","name":"cart"},"severity":"error","message":"build failed","reason":"BuildFailed","reportingController":"kustomize-controller"}"#,
            r#"{"involvedObject":{"kind":"Kustomization","namespace":"apps","name":"cart"},"severity":"info","message":"finished","reason":"ReconciliationSucceeded","reportingController":"kustomize-controller"}"#,
            true,
        ),
        (
            r#"{"involvedObject":{"kind":"Kustomization","namespace":"apps","name":"cart"},"severity":"error","message":"build failed","reason":"BuildFailed","reportingController":"kustomize-controller"}"#,
            r#"{"involvedObject":{"kind":"Kustomization","namespace":"apps","name":"pay"},"severity":"info","message":"finished","reason":"ReconciliationSucceeded","reportingController":"kustomize-controller"}"#,
            false,
        ),
        // One session of two objects.
        (
            r#"{"sessionId":"x","alarmStatus":"1","alarmObjInfo":{"dimensions":{"objId":"ins-4"}},"alarmPolicyInfo":{"policyName":"p","conditions":{}}}"#,
            r#"{"sessionId":"x","alarmStatus":"0","alarmObjInfo":{"dimensions":{"objId":"ins-5"}},"alarmPolicyInfo":{"policyName":"p","conditions":{}}}"#,
            false,
        ),
        (
            r#"{"sessionId":"x","alarmStatus":"1","alarmObjInfo":{"dimensions":{"objId":"ins-4"}},"alarmPolicyInfo":{"policyName":"p","conditions":{}}}"#,
            r#"{"sessionId":"x","alarmStatus":"0","alarmObjInfo":{"dimensions":{"objId":"ins-4"}},"alarmPolicyInfo":{"policyName":"p","conditions":{}}}"#,
            true,
        ),
        // A name of what happened is no title where the problem has one.
        (
            r#"{"eventName":"created","alert":{"id":"4","name":"cart: errors","status":"open"}}"#,
            r#"{"eventName":"status-changed","alert":{"id":"4","name":"cart: errors","status":"closed"}}"#,
            true,
        ),
        (
            r#"{"eventName":"created","alert":{"id":"4","name":"cart: errors","status":"open"}}"#,
            r#"{"eventName":"status-changed","alert":{"id":"5","name":"cart: errors","status":"closed"}}"#,
            false,
        ),
        (
            r#"{"deviceName":"ap-4","alertType":"APs went down","alertLevel":"critical"}"#,
            r#"{"deviceName":"ap-4","alertType":"APs came up","alertLevel":"informational"}"#,
            true,
        ),
        (
            r#"{"deviceName":"ap-4","alertType":"APs went down","alertLevel":"critical"}"#,
            r#"{"deviceName":"ap-5","alertType":"APs came up","alertLevel":"informational"}"#,
            false,
        ),
        (
            r#"{"public_incident.incident_created_v2":{"id":"01I4","name":"下单失败","status":"open"}}"#,
            r#"{"public_incident.incident_status_updated_v2":{"incident":{"id":"01I4","name":"下单失败","status":"closed"}}}"#,
            true,
        ),
        (
            "<189>Nov 30 15:02:11 rt-4 99: %BGP-5-ADJCHANGE: neighbor 10.9.9.4 Down BGP Notification sent",
            "<189>Nov 30 15:12:11 rt-4 101: %BGP-5-ADJCHANGE: neighbor 10.9.9.4 Up",
            true,
        ),
        (
            "<189>Nov 30 15:02:11 rt-4 99: %BGP-5-ADJCHANGE: neighbor 10.9.9.4 Down BGP Notification sent",
            "<189>Nov 30 15:12:11 rt-4 101: %BGP-5-ADJCHANGE: neighbor 10.9.9.5 Up",
            false,
        ),
        ("域名 a.example.com 的 SSL 证书将在 5 天后过期（2026-12-05）", "域名 b.example.com 的 SSL 证书已续期", false),
        // Two senders that number from one, without names of their own.
        (
            r#"{"title":"Host CPU used","status":"firing","alert":{"id":1},"entity":"kube-4"}"#,
            r#"{"id":"1","title":"Response time","status":"resolved","tier":"cart"}"#,
            false,
        ),
        (
            r#"{"state":"firing","incident":{"name":"API down","summary":"s"}}"#,
            r#"{"state":"resolved","incident":{"name":"Web down","summary":"s"}}"#,
            false,
        ),
    ] {
        if ends(first, second) != ended {
            wrong.push(format!("{first} / {second}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What stands in brackets behind the state tells two alerts of one rule and host apart.
#[test]
fn of_one_rule_and_host_two_disks_are_two_alerts() {
    let of = |title: &str| {
        told(&format!(r#"{{"ruleId":"7","host":"h","title":"{title}","status":"firing"}}"#)).identity(&source())
    };
    assert_ne!(of("Disk failed (sda)"), of("Disk failed (sdb)"));
    assert_eq!(of("Disk failed (sda)"), of("Disk failed (sda)"));
}

/// A condition is read with its status; the name of its kind alone is no end.
#[test]
fn conditions_are_true_or_false() {
    let state = |kind: &str, status: &str| {
        told(&format!(r#"{{"subject":"build-4","data":{{"conditions":[{{"type":"{kind}","status":"{status}"}}]}}}}"#))
            .status
    };
    for (kind, status, is) in [
        ("Succeeded", "False", Status::Firing),
        ("Succeeded", "True", Status::Resolved),
        ("Ready", "False", Status::Firing),
        ("Ready", "True", Status::Resolved),
        ("DiskPressure", "True", Status::Firing),
        ("DiskPressure", "False", Status::Resolved),
        ("Ready", "Unknown", Status::Notice),
        ("Reconciling", "True", Status::Notice),
    ] {
        assert_eq!(state(kind, status), is, "{kind}={status}");
    }
    // What the sender says of the alert outranks the condition of a part.
    let said = told(r#"{"title":"x","status":"firing","data":{"conditions":[{"type":"Ready","status":"True"}]}}"#);
    assert_eq!(said.status, Status::Firing);
}

/// An end in the text outranks the name of the rule; a failure behind the word does not make one.
#[test]
fn a_text_that_begins_with_an_end_is_one() {
    for (title, text, is) in [
        ("Node is down", "RESET: Node rt-4 is Up.", Status::Resolved),
        ("磁盘将满告警", "恢复：db-4 磁盘 40%", Status::Resolved),
        ("Node is down", "Node rt-4 is Down.", Status::Firing),
        ("备份告警", "恢复：失败", Status::Firing),
        ("Build failed", "Finished: FAILURE", Status::Firing),
        ("Link down", "Connection reset by peer", Status::Firing),
    ] {
        let body = json!({"AlertName": title, "NodeName": "rt-4", "AlertMessage": text});
        assert_eq!(told(&body.to_string()).status, is, "{title} / {text}");
    }
}

/// A value beyond its limit is trouble where nothing says a state; one within it is no end.
#[test]
fn a_value_beyond_its_limit_is_trouble() {
    for (value, operator, limit, is) in [
        ("96.2", ">=", "90", Status::Firing),
        ("12", "<", "20", Status::Firing),
        ("50", ">=", "90", Status::Notice),
        ("0.962", ">", "90%", Status::Notice),
        ("96.2", "", "90", Status::Notice),
    ] {
        let body = json!({"name": "cpu_four", "current_value": value, "operator": operator, "threshold": limit});
        assert_eq!(told(&body.to_string()).status, is, "{value} {operator} {limit}");
    }
}
