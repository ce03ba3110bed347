//! Two bodies of one sender: does the second end the first, is it a repeat, or another alert?

use super::*;
use crate::alert::ThreadId;
use crate::engine::{Candidate, Related};
use crate::store::related::{Candidates, Meant, meant};

#[test]
fn of_one_rule_and_host_what_differs_in_a_field_is_another_alert() {
    let of = |port: &str, text: &str| {
        told(&format!(r#"{{"ruleId":"7","title":"端口异常","host":"sw-1","port":"{port}","content":"{text}"}}"#))
            .identity(&source())
    };
    assert_ne!(of("4", "丢包 12%"), of("5", "丢包 12%"));
    assert_eq!(of("4", "丢包 12%"), of("4", "丢包 30%"));
}

pub(super) fn told(body: &str) -> Alert {
    let kind = if body.starts_with(['{', '[']) { "application/json" } else { "text/plain" };
    let mut notification = read(body.as_bytes(), Some(kind), Door::Webhook, &SHIPPED, NOW).unwrap();
    notification.alerts.swap_remove(0)
}

fn related(alert: &Alert) -> Related {
    let kin = alert.kin.as_ref().unwrap();
    let source = source();
    Related { family: kin.family(&source), event: kin.same_event(&source), keyed: kin.keyed, marks: kin.marks.clone() }
}

/// Does the end mean the one alert that is firing?
pub(super) fn ends(first: &str, second: &str) -> bool {
    let (on, over) = (told(first), told(second));
    assert_eq!(on.status, Status::Firing, "{first}");
    assert_eq!(over.status, Status::Resolved, "{second}");
    let candidate = Candidate {
        identity: on.identity(&source()),
        receivers: vec!["ops".to_owned()],
        thread: ThreadId(1),
        kin: Some(related(&on)),
    };
    matches!(
        meant(over.identity(&source()), &related(&over), Candidates { alerts: vec![candidate], all: true }),
        Meant::Alerts(_)
    )
}

#[test]
fn an_end_ends_what_it_names_and_nothing_else() {
    for (first, second, ended) in [
        (r#"{"title":"10.8.0.1 宕机"}"#, r#"{"title":"恢复：10.8.0.2 宕机"}"#, false),
        (r#"{"title":"10.8.0.1 宕机"}"#, r#"{"title":"恢复：10.8.0.1 宕机"}"#, true),
        ("【故障】10.8.0.1:22 ping 不通", "【恢复】10.8.0.1:23 ping 不通", false),
        ("【故障】10.8.0.1:22 ping 不通", "【恢复】10.8.0.1:22 ping 不通", true),
        (
            r#"{"title":"主机宕机","content":"10.8.0.1 无响应"}"#,
            r#"{"title":"主机宕机","status":"resolved","content":"10.8.0.2 已恢复"}"#,
            false,
        ),
        (
            r#"{"title":"磁盘将满","content":"实例 10.8.0.1:9100 挂载点 /data"}"#,
            r#"{"title":"磁盘将满","status":"resolved","content":"实例 10.8.0.2:9100 挂载点 /data"}"#,
            false,
        ),
        (
            r#"{"title":"磁盘将满","content":"实例 10.8.0.1:9100 挂载点 /data"}"#,
            r#"{"title":"磁盘将满","status":"resolved","content":"实例 10.8.0.1:9100 挂载点 /data"}"#,
            true,
        ),
        // The object is an address, or stands behind a bracket that all share.
        (r#"{"title":"https://a.example.com is DOWN"}"#, r#"{"title":"https://a.example.com is UP"}"#, true),
        (r#"{"title":"https://a.example.com is DOWN"}"#, r#"{"title":"https://b.example.com is UP"}"#, false),
        ("Check failed (https://a.example.com)", "Resolved: Check failed (https://b.example.com)", false),
        ("[prod][FIRING] Disk full on db-1", "[prod][RESOLVED] CPU high on db-1", false),
        ("[prod][FIRING] Disk full on db-1", "[prod][RESOLVED] Disk full on db-1", true),
        ("[web] [🔴 Down] timeout of 48000ms exceeded", "[web] [✅ Up] 200 - OK", true),
        // An end of the Events API has no payload; a flag inside ends what the title calls trouble.
        (
            r#"{"routing_key":"r","event_action":"trigger","dedup_key":"a","payload":{"summary":"Disk full","source":"db-1"}}"#,
            r#"{"routing_key":"r","event_action":"resolve","dedup_key":"a"}"#,
            true,
        ),
        (
            r#"{"title":"端口中断","data":{"port":"7"}}"#,
            r#"{"title":"端口中断","data":{"port":"7","cleared":true}}"#,
            true,
        ),
        // A field of the same name with another value is another thing.
        (
            r#"{"title":"disk bad","host":"web-1","disk":"sdb","status":"firing"}"#,
            r#"{"title":"disk bad","host":"web-1","disk":"sda","status":"resolved"}"#,
            false,
        ),
        (
            r#"{"title":"disk bad","host":"web-1","disk":"sdb","status":"firing"}"#,
            r#"{"title":"disk bad","host":"web-1","disk":"sdb","status":"resolved"}"#,
            true,
        ),
        (
            r#"{"title":"积压","Topic":"orders","status":"firing","lag":9000}"#,
            r#"{"title":"积压","Topic":"pays","status":"resolved","lag":3}"#,
            false,
        ),
        (
            "告警：磁盘将满\n主机：web-1\n磁盘：/var\n当前：96%",
            "恢复：磁盘将满\n主机：web-1\n磁盘：/data\n当前：20%",
            false,
        ),
        (
            "告警：磁盘将满\n主机：web-1\n磁盘：/var\n指标：disk.used 96%",
            "恢复：磁盘将满\n主机：web-1\n磁盘：/var\n指标：disk.used 20%",
            true,
        ),
        ("Prometheus告警信息\n级别：严重\n主机：web-1", "Prometheus恢复信息\n级别：严重\n主机：web-1", true),
        ("接口慢告警\nweb-1", "接口慢告警恢复\nweb-1", true),
        (
            r#"{"issue":{"id":"i1","state":"OPEN","text":"CPU high","severity":5}}"#,
            r#"{"issue":{"id":"i1","state":"CLOSED","end":1795354100000}}"#,
            true,
        ),
        (
            r#"{"name":"Disk error on h","severity":"critical","host":"h"}"#,
            r#"{"name":"Disk error on h","severity":"cleared","host":"h"}"#,
            true,
        ),
        (
            r#"{"AlarmName":"x 故障","State":"ALERT","PreState":"OK","host":"h"}"#,
            r#"{"AlarmName":"x 故障","State":"OK","PreState":"ALERT","host":"h"}"#,
            true,
        ),
        ("【故障】机柜 12 掉电", "【恢复】机柜 13 掉电", false),
        ("【故障】机柜 12 掉电", "【恢复】机柜 12 掉电", true),
        ("Problem: ticket 4711 is overdue", "Resolved: ticket 4712 is overdue", false),
        ("【故障】机房掉电\n机柜 12", "【恢复】机房掉电\n机柜 13", false),
        (
            r#"{"title":"磁盘将满","host":"web-a","path":"/data"}"#,
            r#"{"title":"磁盘将满","host":"web-b","path":"/data","status":"ok"}"#,
            false,
        ),
        (
            r#"{"status":"SUCCESS","project":{"name":"a"},"branch":{"name":"main"},"qualityGate":{"name":"Way","status":"ERROR"}}"#,
            r#"{"status":"SUCCESS","project":{"name":"b"},"branch":{"name":"main"},"qualityGate":{"name":"Way","status":"OK"}}"#,
            false,
        ),
        (
            r#"{"status":"SUCCESS","project":{"name":"a"},"branch":{"name":"main"},"qualityGate":{"name":"Way","status":"ERROR"}}"#,
            r#"{"status":"SUCCESS","project":{"name":"a"},"branch":{"name":"dev"},"qualityGate":{"name":"Way","status":"OK"}}"#,
            false,
        ),
        (
            r#"{"status":"SUCCESS","project":{"name":"a"},"branch":{"name":"main"},"qualityGate":{"name":"Way","status":"ERROR"}}"#,
            r#"{"status":"SUCCESS","project":{"name":"a"},"branch":{"name":"main"},"qualityGate":{"name":"Way","status":"OK"}}"#,
            true,
        ),
        (
            r#"{"title":"构建失败","repository":"shop/web","status":"failed"}"#,
            r#"{"title":"构建失败","repository":"shop/api","status":"success"}"#,
            false,
        ),
        ("【故障】\n主机: web-3\n问题: 内存不足", "【恢复】\n主机: web-3\n问题: 内存不足", true),
        ("【故障】\n主机: web-3\n问题: 内存不足", "【恢复】\n主机: web-3\n问题: 磁盘将满", false),
        (
            r#"{"sensor":"HTTP","device":"fw-2","status":"Down","message":"Timed out","sensorid":7}"#,
            r#"{"sensor":"HTTP","device":"fw-2","status":"Up","message":"OK","sensorid":7}"#,
            true,
        ),
        (
            r#"{"msgtype":"markdown","markdown":{"title":"监控告警","text":"\n### 【P2】搜索变慢\n- 服务：search\n- 状态：告警中"}}"#,
            r#"{"msgtype":"markdown","markdown":{"title":"监控恢复","text":"\n### 【P2】搜索变慢\n- 服务：search\n- 状态：已恢复"}}"#,
            true,
        ),
        (
            r#"{"msgtype":"markdown","markdown":{"content":"**级别状态**: S2 Triggered\n**规则标题**: 内存不足\n**监控指标**: [ident=web-3]"}}"#,
            r#"{"msgtype":"markdown","markdown":{"content":"**级别状态**: S2 Recovered\n**规则标题**: 内存不足\n**监控指标**: [ident=web-3]"}}"#,
            true,
        ),
        (
            "***** Icinga *****\n\nNotification Type: PROBLEM\nService: HTTP\nHost: web-3\nState: CRITICAL",
            "***** Icinga *****\n\nNotification Type: RECOVERY\nService: HTTP\nHost: web-3\nState: OK",
            true,
        ),
        (
            r#"{"text":"<b>🔥 Firing</b>\nHostDown\nhost: web-3"}"#,
            r#"{"text":"<b>✅ Resolved</b>\nHostDown\nhost: web-3"}"#,
            true,
        ),
        (
            r#"{"title":"告警","content":"web-3 内存不足"}"#,
            r#"{"title":"告警","content":"web-3 内存已恢复正常"}"#,
            true,
        ),
        (
            r#"{"NOTIFICATIONTYPE":"PROBLEM","HOSTNAME":"web-4","SERVICEDESC":"HTTP","SERVICESTATE":"CRIT"}"#,
            r#"{"NOTIFICATIONTYPE":"RECOVERY","HOSTNAME":"web-4","SERVICEDESC":"HTTP","SERVICESTATE":"OK"}"#,
            true,
        ),
        // The state of a thing, which is all that the body names.
        (
            r#"{"app":"cart","status":"OutOfSync","message":"one or more objects failed"}"#,
            r#"{"app":"cart","status":"Synced","health":"Healthy","message":""}"#,
            true,
        ),
        (
            r#"{"app":"cart","status":"OutOfSync","message":"one or more objects failed"}"#,
            r#"{"app":"cart2","status":"Healthy"}"#,
            false,
        ),
        (
            r#"{"host":"web-3","status":"down","message":"内存用尽"}"#,
            r#"{"host":"web-3","status":"up","message":"磁盘又能写了"}"#,
            false,
        ),
        // The end is of another type, so that its id is that of an event.
        (
            r#"{"id":"6f","monitor":"nightly","name":"Nightly","severity":"high","type":"Alert","rule":"No event in 1 hour"}"#,
            r#"{"id":"6f","monitor":"nightly","name":"Nightly","severity":"high","type":"Recovery","rule":"Event received"}"#,
            true,
        ),
        (
            r#"{"id":"6f","monitor":"nightly","name":"Nightly","severity":"high","type":"Alert","rule":"No event in 1 hour"}"#,
            r#"{"id":"6e","monitor":"nightly","name":"Nightly","severity":"high","type":"Recovery","rule":"Event received"}"#,
            false,
        ),
        // The id of an alert may be that of its rule.
        (
            r#"{"status":"firing","alert":{"id":31,"name":"GPU hot"},"affected":[{"id":7,"name":"nb-7"}]}"#,
            r#"{"status":"resolved","alert":{"id":31,"name":"GPU hot"},"affected":[{"id":8,"name":"nb-8"}]}"#,
            false,
        ),
        (
            r#"{"status":"firing","alert":{"id":31,"name":"GPU hot"},"affected":[{"id":7,"name":"nb-7"}]}"#,
            r#"{"status":"resolved","alert":{"id":31,"name":"GPU hot"},"affected":[{"id":7,"name":"nb-7"}]}"#,
            true,
        ),
        (
            r#"{"alert_uuid":"78b3","status":"firing","description":"CPU high","entity":{"id":7,"name":"d-7"}}"#,
            r#"{"alert_uuid":"78b3","status":"resolved","description":"CPU high","entity":{"id":8,"name":"d-8"}}"#,
            false,
        ),
        ("Check *shop/pay* failed", "Resolved: Check *shop/cart* failed", false),
        (
            r#"{"title":"空间不足","host":"h","content":"/data 使用率 95%","status":"firing"}"#,
            r#"{"title":"空间不足","host":"h","content":"/var 使用率 50%","status":"resolved"}"#,
            false,
        ),
        ("告警：慢\n主机：h\n事件ID：3001", "恢复：慢\n主机：h\n事件ID：3002", false),
        // A field that no list knows.
        (
            r#"{"title":"灯灭","host":"h","outlet":"B7","status":"firing"}"#,
            r#"{"title":"灯灭","host":"h","outlet":"B8","status":"resolved"}"#,
            false,
        ),
        (
            r#"{"event":"down","message":"[Wiki] Site is down","site":{"id":"w1","name":"Wiki","url":"https://wiki.example.com"}}"#,
            r#"{"event":"up","message":"[Wiki] Site is back up","site":{"id":"w2","name":"Wiki","url":"https://wiki.example.com"}}"#,
            false,
        ),
        (
            r#"{"event":"down","message":"[Wiki] Site is down","site":{"id":"w1","name":"Wiki","url":"https://wiki.example.com"}}"#,
            r#"{"event":"up","message":"[Wiki] Site is back up","site":{"id":"w1","name":"Wiki","url":"https://wiki.example.com"}}"#,
            true,
        ),
        (
            r#"{"title":"机房温度过高","content":"C机房 温度 35.5℃ 超过 30℃","status":"告警"}"#,
            r#"{"title":"机房温度过高","content":"D机房 温度 25.5℃","status":"恢复"}"#,
            false,
        ),
        (
            r#"{"title":"机房温度过高","content":"C机房 温度 35.5℃ 超过 30℃","status":"告警"}"#,
            r#"{"title":"机房温度过高","content":"C机房 温度 25.5℃","status":"恢复"}"#,
            true,
        ),
        ("告警：电梯停运\n3号楼", "恢复：电梯停运\n5号楼", false),
        ("告警：电梯停运\n3号楼", "恢复：电梯停运\n3号楼", true),
        (
            "告警：默认策略\n对象：web-5\n内容：CPU利用率 > 90 %\n当前：97.1 %",
            "恢复：默认策略\n对象：web-5\n内容：磁盘利用率 > 90 %\n当前：31.0 %",
            false,
        ),
        (
            "告警：默认策略\n对象：web-5\n内容：CPU利用率 > 90 %\n当前：97.1 %",
            "恢复：默认策略\n对象：web-5\n内容：CPU利用率 > 90 %\n当前：31.0 %",
            true,
        ),
        (
            r#"{"kind":"MetricAlarm","name":"ecs","state":"alarm","list":[{"metrics":[{"name":"MemUsed"}]}]}"#,
            r#"{"kind":"MetricRecovered","name":"ecs","state":"ok","list":[{"metrics":[{"name":"CpuTotal"}]}]}"#,
            false,
        ),
        (
            r#"{"kind":"MetricAlarm","name":"ecs","state":"alarm","list":[{"metrics":[{"name":"MemUsed"}]}]}"#,
            r#"{"kind":"MetricRecovered","name":"ecs","state":"ok","list":[{"metrics":[{"name":"MemUsed"}]}]}"#,
            true,
        ),
        // Values differ between a beginning and its end.
        ("【故障】db-12 磁盘 95% 已满", "【恢复】db-12 磁盘 40% 已满", true),
        ("【故障】主从延迟 312 秒", "【恢复】主从延迟 0 秒", true),
    ] {
        assert_eq!(ends(first, second), ended, "{first} / {second}");
    }
}

#[test]
fn a_rule_alone_never_makes_two_outages_one() {
    for (first, second, same) in [
        (
            r#"{"rule_id":"7","title":"内存不足","message":"web-1 98%"}"#,
            r#"{"rule_id":"7","title":"内存不足","message":"web-2 98%"}"#,
            false,
        ),
        (
            r#"{"rule_id":"7","title":"内存不足","message":"web-1 98%"}"#,
            r#"{"rule_id":"7","title":"内存不足","message":"web-1 99%"}"#,
            true,
        ),
        (
            r#"{"monitor_id":"m","trigger_id":"t","title":"慢","message":"支付变慢","env":"prod"}"#,
            r#"{"monitor_id":"m","trigger_id":"t","title":"慢","message":"搜索变慢","env":"prod"}"#,
            false,
        ),
        (
            r#"{"policy_id":"p","condition_id":"a","title":"失败","host":"db-1"}"#,
            r#"{"policy_id":"p","condition_id":"b","title":"失败","host":"db-1"}"#,
            false,
        ),
        (
            r#"{"policy_id":"p","name":"池","text":"pool is unhealthy","data":{"pool":"a"}}"#,
            r#"{"policy_id":"p","name":"池","text":"pool is unhealthy","data":{"pool":"b"}}"#,
            false,
        ),
        (r#"{"check_id":"p","title":"不通","port":8080}"#, r#"{"check_id":"p","title":"不通","port":8081}"#, false),
        (r#"{"check_id":"p","title":"机柜 12 掉电"}"#, r#"{"check_id":"p","title":"机柜 13 掉电"}"#, false),
        (
            r#"{"rule_id":"7","title":"内存不足","host":"web-1","message":"98%"}"#,
            r#"{"rule_id":"7","title":"内存不足","host":"web-1","message":"忙"}"#,
            true,
        ),
        // What belongs to one problem has one key, whatever else it says.
        (
            r#"{"policy_id":"p","title":"池","status":"open","text":"a 1","alert_correlation_id":"c1"}"#,
            r#"{"policy_id":"p","title":"池","status":"open","text":"b 2","alert_correlation_id":"c1"}"#,
            true,
        ),
    ] {
        let (one, other) = (told(first).identity(&source()), told(second).identity(&source()));
        assert_eq!(one == other, same, "{first} / {second}");
    }
    let on = |id: &str| format!(r#"{{"alert_id":"{id}","title":"失败","status":"ACTIVE","message":"x"}}"#);
    let over = |id: &str| format!(r#"{{"alert_id":"{id}","title":"失败","status":"resolved","message":"y"}}"#);
    assert!(ends(&on("a1"), &over("a1")));
    let rule = |rule: &str, state: &str| format!(r#"{{"rule_id":"{rule}","title":"失败","status":"{state}"}}"#);
    assert!(ends(&rule("7", "firing"), &rule("7", "ok")) && !ends(&rule("7", "firing"), &rule("8", "ok")));
}

/// Bodies of one alert without a key: the same, but for one field.
fn with_field(name: &str, value: &str, status: &str) -> String {
    json!({ "title": "灯灭", "host": "h", "status": status, name: value }).to_string()
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    /// What no list knows names the thing: an end with another value of it is of another alert.
    #[test]
    fn a_field_of_an_unknown_name_tells_two_things_apart(
        name in "[zvkq][aou][zvkq][aou][zvkq](_[zvkq][aou][zvkq])?",
        value in "[zvkq][aou][zvkq]-[zvkq][aou]",
        other in "[zvkq][aou][zvkq]-[zvkq][aou]",
    ) {
        let on = with_field(&name, &value, "firing");
        proptest::prop_assert!(ends(&on, &with_field(&name, &value, "resolved")), "{on}");
        if other != value {
            proptest::prop_assert!(!ends(&on, &with_field(&name, &other, "resolved")), "{on} {other}");
        }
    }

    /// Of these an end has another value.
    #[test]
    fn a_field_of_the_moment_tells_nothing_apart(
        name in "(current_?|last_?|new_?|)(value|state|time|message|count|usage|level)|(event|message)_?(id|uuid)|alert_id|handled_by|当前值|持续时间|处理人|详情|事件编号",
        // Words: two names that differ in a letter (`full-a`, `full-b`) are two things, wherever they stand.
        value in "[zvkq][aou][zvkq] [zvkq][aou]",
        other in "[zvkq][aou][zvkq] [zvkq][aou]",
    ) {
        let on = with_field(&name, &value, "firing");
        proptest::prop_assert!(ends(&on, &with_field(&name, &other, "resolved")), "{on} {other}");
    }

    /// No amount names a thing, whatever it is called.
    #[test]
    fn an_amount_tells_nothing_apart(
        name in "[zvkq][aou][zvkq][aou][zvkq]",
        value in "[0-9]{1,3}(\\.[0-9]{1,2})?( ?%| ?ms|℃)?",
        other in "[0-9]{1,3}(\\.[0-9]{1,2})?( ?%| ?ms|℃)?",
    ) {
        let on = with_field(&name, &value, "firing");
        proptest::prop_assert!(ends(&on, &with_field(&name, &other, "resolved")), "{on} {other}");
    }
}

#[test]
fn names_in_code_tell_two_checks_apart() {
    let check = |text: &str, color: &str| {
        format!(r#"{{"attachments":[{{"title":"Synthetic check","text":"{text}","color":"{color}"}}]}}"#)
    };
    let failed = check("Check `login` failed from `Tokyo`, took `95%`", "danger");
    assert!(!ends(&failed, &check("Check `checkout` recovered", "good")));
    assert!(ends(&failed, &check("Check `login` recovered, took `20%`", "good")));
}

/// Are the two reports those of one alert?
fn same(first: &str, second: &str) -> bool {
    told(first).identity(&source()) == told(second).identity(&source())
}

#[test]
fn a_repeat_that_differs_in_values_and_times_only_is_the_same_alert() {
    for (first, second) in [
        (r#"{"title":"CPU 过高","content":"web-1 CPU 91%"}"#, r#"{"title":"CPU 过高","content":"web-1 CPU 95.5%"}"#),
        (
            r#"{"title":"磁盘满","host":"a","value":91,"unit":"%"}"#,
            r#"{"title":"磁盘满","host":"a","value":95,"unit":"%"}"#,
        ),
        (r#"{"title":"队列积压","queue":"q","eventCount":3}"#, r#"{"title":"队列积压","queue":"q","eventCount":8}"#),
        (r#"{"title":"磁盘满","host":"a","msg_id":"x1"}"#, r#"{"title":"磁盘满","host":"a","msg_id":"x2"}"#),
        ("[告警] app-5 主从延迟 312 秒，持续 5 分钟", "[告警] app-5 主从延迟 420 秒，持续 10 分钟"),
        ("2026-11-30 15:02:11 ERROR db-1 backup failed", "2026-11-30 15:07:11 ERROR db-1 backup failed"),
        ("证书 a.example.com 将在 5 天后到期", "证书 a.example.com 将在 4 天后到期"),
    ] {
        assert!(same(first, second), "{first} / {second}");
    }
    // Numbers that name things, limits, and everything that is not known to be a value.
    for (first, second) in [
        (r#"{"title":"CPU 过高","content":"web-1 CPU 91%"}"#, r#"{"title":"CPU 过高","content":"web-2 CPU 91%"}"#),
        ("[告警] 端口 3306 不通", "[告警] 端口 3307 不通"),
        ("[告警] 磁盘 1 故障", "[告警] 磁盘 2 故障"),
        ("[告警] CPU 使用率 95% > 80%", "[告警] CPU 使用率 95% > 90%"),
        ("[告警] 1分钟负载过高", "[告警] 15分钟负载过高"),
        ("[告警] 订单 12345 支付失败", "[告警] 订单 12346 支付失败"),
        (
            r#"{"title":"构建失败","url":"https://ci.example.com/a/1"}"#,
            r#"{"title":"构建失败","url":"https://ci.example.com/a/2"}"#,
        ),
        (r#"{"title":"离线","status":"down","id":7}"#, r#"{"title":"离线","status":"down","id":8}"#),
        (r#"{"title":"磁盘满","host":"a","level":"warning"}"#, r#"{"title":"磁盘满","host":"a","level":"critical"}"#),
    ] {
        assert!(!same(first, second), "{first} / {second}");
    }
}

proptest::proptest! {
    #[test]
    fn two_names_are_never_one_alert(
        (one, two) in ("[a-z]{2,6}-[0-9]{1,3}", "[a-z]{2,6}-[0-9]{1,3}"),
        (low, high) in (1_u32..50, 50_u32..100),
        place in 0_usize..4,
    ) {
        let body = |name: &str, value: u32| match place {
            0 => format!(r#"{{"title":"CPU 过高","status":"firing","host":"{name}","value":"{value}%"}}"#),
            1 => format!("[告警] {name} 内存使用率 {value}%"),
            2 => format!(r#"{{"title":"{name} 告警","status":"firing","content":"延迟 {value} 秒"}}"#),
            _ => format!(r#"{{"title":"告警","content":"应用 {name} 积压 {value} 条，端口 {value}06"}}"#),
        };
        let is_same = same(&body(&one, low), &body(&two, low));
        proptest::prop_assert_eq!(is_same, one == two);
        // With another value it is the same, unless the number names a port as well.
        proptest::prop_assert_eq!(same(&body(&one, low), &body(&one, high)), place < 3);
    }
}

#[test]
fn a_start_counts_only_where_it_is_named_as_one() {
    let reported = |body: &str| told(body).kin.as_ref().is_some_and(|kin| kin.reported);
    for name in ["time", "timestamp", "eventTime", "告警时间", "created_at"] {
        assert!(reported(&format!(r#"{{"title":"备份失败","key":"a","{name}":"2026-11-22 10:02:11"}}"#)), "{name}");
    }
    for name in ["startsAt", "start_time", "firstOccurrence", "triggered_at", "开始时间", "alarmBeginTime"] {
        let body =
            format!(r#"{{"title":"备份失败","key":"a","time":"2026-11-22 10:07:11","{name}":"2026-11-22 10:02:11"}}"#);
        assert!(!reported(&body), "{name}");
    }
}
