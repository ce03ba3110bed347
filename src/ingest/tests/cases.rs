//! Bodies of many senders: what must come out of each. The ones beside the repository are read where they are; the
//! repository's own stand in `tests/fixtures/senders`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::*;
use crate::level::Level;

/// What a body must read as: for each alert its state, level and name, and words that must stand in what is shown.
struct Case {
    file: &'static str,
    alerts: &'static [(&'static str, &'static str, &'static str)],
    /// `alerts[0]`'s key: its beginning, or `content` or `notice` for none.
    key: &'static str,
    words: &'static [&'static str],
}

const fn case(
    file: &'static str,
    alerts: &'static [(&'static str, &'static str, &'static str)],
    key: &'static str,
    words: &'static [&'static str],
) -> Case {
    Case { file, alerts, key, words }
}

#[rustfmt::skip]
const CASES: &[Case] = &[
    case("01-sns-cloudwatch-alarm.json", &[("firing", "", "order-db-cpu-high")], "key:cloudwatch/arn:aws:cloudwatch:", &["订单库 CPU 超过 80%", "Threshold Crossed", "order-db-1"]),
    case("02-sns-cloudwatch-ok.json", &[("resolved", "", "order-db-cpu-high")], "key:cloudwatch/arn:aws:cloudwatch:", &["41.0"]),
    case("04-cloudwatch-raw-delivery.json", &[("firing", "", "order-db-cpu-high")], "key:cloudwatch/arn:aws:cloudwatch:", &["91.3"]),
    case("05-huawei-smn-alarm.json", &[("firing", "error", "弹性云服务器 CPU使用率 告警")], "key:huawei-ces/al0000000000/", &["order-web-01", "93.2%", "华北-北京四"]),
    case("07-azure-common-fired.json", &[("firing", "error", "订单VM-CPU过高")], "key:azure//subscriptions/", &["CPU 超过 80% 5 分钟", "order-web-01"]),
    case("08-azure-common-resolved.json", &[("resolved", "error", "订单VM-CPU过高")], "key:azure//subscriptions/", &[]),
    case("10-gcp-open.json", &[("firing", "critical", "订单VM CPU")], "key:gcp/0.mabc", &["先看流量，再扩容", "order-web-01"]),
    case("11-gcp-closed.json", &[("resolved", "critical", "订单VM CPU")], "key:gcp/0.mabc", &[]),
    case("12-datadog-triggered.json", &[("firing", "", "订单主机 CPU 过高")], "content", &["order-web-01", "订单主机 CPU 超过 80%"]),
    case("13-datadog-recovered.json", &[("resolved", "", "订单主机 CPU 过高")], "rule", &["订单主机 CPU 已回落"]),
    case("16-skywalking-array.json", &[("firing", "warning", "service_resp_time_rule"), ("firing", "", "service_instance_resp_time_rule")], "key:skywalking/service_resp_time_rule/", &["超过 1000ms", "pod-7f@order-api 响应时间"]),
    case("17-harbor-scan-completed.json", &[("notice", "info", "镜像扫描完成 order/api:1.3.0")], "notice", &[]),
    case("20-kibana-backslash.txt", &[("firing", "critical", "进程创建")], "content", &["process\\ call*", "C:\\Users\\svc\\x.exe"]),
    case("21-kibana-truncated-json.txt", &[("firing", "critical", "登录失败过多")], "content", &["brute"]),
    case("22-gitlab-pipeline-failed.json", &[("firing", "", "order/api pipeline main")], "key:gitlab/pipeline/order/api/main", &["script_failure", "支付回调"]),
    case("23-k8s-event-raw.json", &[("firing", "warning", "BackOff · Pod order/order-api-7f")], "key:kubernetes-event/Pod/order/order-api-7f/BackOff", &["Back-off restarting"]),
    case("25-kubewatch.json", &[("notice", "", "A pod in namespace order has been Deleted")], "notice", &["order/order-api-7f"]),
    case("27-slack-alertmanager-attachment.json", &[("firing", "warning", "HostOutOfMemory order-web-01")], "content", &["内存可用不足 10%"]),
    case("29-slack-text-only.json", &[("firing", "", "order-api 部署失败")], "content", &["查看日志", "https://ci.example.com/job/42"]),
    case("30-netdata-cloud.json", &[("firing", "critical", "disk_space_usage")], "key:netdata/disk_space_usage/", &["order-db-1", "磁盘 /data 使用率", "96.2%"]),
    case("32-dingtalk-markdown.json", &[("notice", "", "订单库主从延迟")], "notice", &["延迟 312 秒"]),
    case("34-feishu-text.json", &[("notice", "", "订单库主从延迟 312 秒")], "notice", &[]),
    case("37-wecom-robot-truncated.txt", &[("notice", "", "告警信息:")], "notice", &[]),
    case("38-wecom-robot-image.json", &[("notice", "", "图片 (image)")], "notice", &[]),
    case("39-wecom-robot-mention.json", &[("notice", "", "支付成功率跌到 82%")], "notice", &["zhangsan", "@all"]),
    case("41-gbk-title.bin", &[("firing", "critical", "订单库磁盘将满")], "content", &["db-1 的 /data 已用 96%"]),
    case("43-n9e-v5-firing.json", &[("firing", "warning", "内存使用率过高")], "key:nightingale/1f4600848acc5a135877232cf0ca699e", &["/data=1", "order-web-01"]),
    case("44-n9e-v5-recovered.json", &[("resolved", "warning", "内存使用率过高")], "key:nightingale/1f4600848acc5a135877232cf0ca699e", &[]),
    case("45-zabbix-tagsjson.json", &[("firing", "critical", "订单主机 CPU 过高")], "key:zabbix/12345", &["performance", "order-web-01"]),
    case("46-zabbix-chinese-recovery.json", &[("resolved", "", "订单主机 CPU 过高")], "content", &["order-web-01"]),
    case("47-zabbix-unexpanded.json", &[("firing", "", "订单主机 CPU 过高")], "content", &["主机 order-web-01 CPU 93%"]),
    case("49-grafana-missing-series.json", &[("resolved", "critical", "设备离线")], "edge1", &[]),
    case("50-grafana-nodata-keeplast.json", &[("firing", "critical", "设备离线")], "edge1", &["离线设备过多", "12"]),
    case("51-grafana-no-value.json", &[("firing", "critical", "设备离线")], "edge1", &[]),
    case("52-grafana-unexpanded-annotation.json", &[("firing", "", "设备离线")], "edge1", &["{{ $labels.ifAlias }}"]),
    case("54-grafana-custom-title-message.json", &[("firing", "critical", "设备离线")], "edge1", &["呼叫现场", "【一级】边缘站-7 离线"]),
    case("55-am-awesome-labels-map.json", &[("firing", "warning", "HostOutOfMemory")], "", &["VALUE = 8.21538"]),
    case("56-am-html-annotations.json", &[("firing", "critical", "磁盘将满")], "", &["主机: db-1", "处理手册", "& 值班电话"]),
    case("57-am-generator-no-host.json", &[("firing", "critical", "InstanceDown")], "", &[]),
    case("58-am-generator-pod-host.json", &[("firing", "critical", "InstanceDown")], "", &[]),
    case("59-am-utf8-labels.json", &[("firing", "critical", "HighLatency")], "", &["foo🙂"]),
    case("60-am-two-firing.json", &[("firing", "warning", "站点耗时过高"), ("firing", "warning", "站点耗时过高")], "", &["1.542s", "1.927s"]),
    case("62-am-resolved-old-value.json", &[("resolved", "critical", "InstanceDown")], "", &[]),
    case("64-kuma-custom-body-up.json", &[("resolved", "", "支付网关")], "content", &["200 - OK"]),
    case("67-am-severity-zainan.json", &[("firing", "critical", "支付成功率跌")], "", &["82%"]),
    case("70-am-watchdog-operator.json", &[("firing", "", "Watchdog")], "", &[]),
    case("71-am-kube-pod-crashloop.json", &[("firing", "warning", "KubePodCrashLooping")], "", &["order-api-7f"]),
    case("72-falcon-im-problem.form", &[("firing", "critical", "CPU 空闲过低")], "key:open-falcon-im/order-web-01/CPU 空闲过低", &["zhangsan"]),
    case("74-serverchan.form", &[("firing", "", "NAS 磁盘健康告警")], "content", &["/dev/sdb 重映射扇区 24"]),
    case("77-wecom-robot-up.json", &[("resolved", "", "支付网关 is up!")], "content", &["after being down for 6 minutes"]),
    case("78-wecom-robot-build-success.json", &[("resolved", "", "构建 成功，项目 order-api #42")], "content", &["131 秒"]),
    case("82-am-severity-major-value-labels.json", &[("firing", "error", "KubernetesPodMemoryHighUtilizationMajorAlarm")], "", &[]),
    case("83-elastalert-post.json", &[("firing", "", "订单服务 OOM")], "content", &["java.lang.OutOfMemoryError", "order-web-01", "num_hits: 3"]),
    case("85-pve-webhook.json", &[("firing", "error", "vzdump backup status (pve1.example.com): backup failed")], "content", &["101 web err"]),
    case("99-form-preview.form", &[("firing", "critical", "订单库连接数")], "key:aliyun-cms/r-1/", &["912", "order-db"]),
    case("100-zabbix-default-db1.json", &[("firing", "", "磁盘空间不足 /data")], "content", &["db-1 剩余 4%"]),
    case("101-zabbix-default-db2.json", &[("firing", "", "磁盘空间不足 /data")], "content", &["db-2 剩余 2%"]),
    case("102-zabbix-default-db1-resolved.json", &[("resolved", "", "磁盘空间不足 /data")], "content", &["db-1 恢复"]),
    case("107-zabbix-macros-two-1.json", &[("firing", "", "CPU 过高")], "content", &["web-1"]),
    case("108-zabbix-macros-two-2.json", &[("firing", "", "内存不足")], "content", &["web-2"]),
    case("109-grafana-keeplast-first.json", &[("firing", "critical", "设备离线")], "edge1", &["离线设备过多"]),
];

/// The bodies beside the repository; `None` where only the repository is.
fn folder() -> Option<PathBuf> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/reference/cases"));
    folder.is_dir().then_some(folder)
}

/// When the bodies were made.
const MADE: Timestamp = Timestamp(1_795_836_600_000);

fn read_bytes(bytes: &[u8]) -> Notification {
    read(bytes, None, Door::Webhook, &SHIPPED, MADE).unwrap()
}

/// Everything that a person may see of a notification in messages.
fn shown_in(notification: &Notification) -> String {
    let mut all = format!("{}\n{}", notification.title, notification.message);
    for alert in &notification.alerts {
        let _ = write!(all, "\n{}", alert.name);
        for (name, text) in alert.labels.iter().chain(&alert.annotations) {
            let _ = write!(all, "\n{name}={text}");
        }
        for value in &alert.values {
            let _ = write!(all, "\n{} {}", value.name, value.text);
        }
        let _ = write!(all, "\n{} {}", alert.links.rule, alert.links.image);
    }
    all
}

fn facts(notification: &Notification) -> Vec<(&str, &str, &str)> {
    let facts = |alert: &'_ Alert| (alert.status.as_str(), alert.level().map_or("", Level::as_str));
    notification.alerts.iter().map(|alert| (facts(alert).0, facts(alert).1, alert.name.as_str())).collect()
}

fn check(case: &Case, notification: &Notification) -> Result<(), String> {
    let mut wrong = Vec::new();
    if facts(notification) != case.alerts {
        wrong.push(format!("{:?} instead of {:?}", facts(notification), case.alerts));
    }
    let key = notification.alerts[0].discriminator.as_str();
    let fits = match case.key {
        "" => key.is_empty(),
        "content" => key.contains("/content:"),
        "notice" => key.contains("/notice:"),
        "rule" => key.contains("/rule:"),
        start => key.starts_with(start),
    };
    if !fits {
        wrong.push(format!("key {key} instead of {}", case.key));
    }
    let shown = shown_in(notification);
    wrong.extend(
        case.words.iter().filter(|word| !shown.contains(*word)).map(|word| format!("`{word}` is not in\n{shown}")),
    );
    if wrong.is_empty() { Ok(()) } else { Err(format!("{}: {}", case.file, wrong.join("\n  "))) }
}

#[test]
fn every_case_reads_as_its_sender_meant_it() {
    let Some(folder) = folder() else { return };
    let wrong: Vec<String> = CASES
        .iter()
        .filter_map(|case| check(case, &read_bytes(&std::fs::read(folder.join(case.file)).unwrap())).err())
        .collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), CASES.len(), wrong.join("\n"));
}

/// Wraps a body, packs it into a text, changes the spelling of its names.
fn disguises(body: &Json) -> Vec<Json> {
    fn shouted(value: &Json) -> Json {
        match value {
            Json::Object(members) => members
                .iter()
                .map(|(name, value)| (name.to_uppercase(), shouted(value)))
                .collect::<serde_json::Map<_, _>>()
                .into(),
            Json::Array(items) => items.iter().map(shouted).collect(),
            other => other.clone(),
        }
    }
    vec![
        json!({ "wrapper": body }),
        json!({ "outer": { "envelope": body } }),
        json!({ "outer": body.to_string() }),
        json!({ "a": json!({ "b": body }).to_string() }),
        shouted(body),
    ]
}

#[test]
fn a_disguised_body_reads_the_same() {
    let Some(folder) = folder() else { return };
    let mut wrong = Vec::new();
    for case in CASES.iter().filter(|case| case.file.ends_with("json") && !case.key.is_empty() && case.key != "edge1") {
        let Ok(body) = serde_json::from_slice::<Json>(&std::fs::read(folder.join(case.file)).unwrap()) else {
            continue;
        };
        let plain = read_bytes(body.to_string().as_bytes());
        for (number, disguise) in disguises(&body).iter().enumerate() {
            // A robot's body is known by the exact names of its frame.
            let is_robot = plain.alerts[0].discriminator.as_str().starts_with("key:robot/")
                || ["key:slack", "key:feishu"]
                    .iter()
                    .any(|robot| plain.alerts[0].discriminator.as_str().starts_with(robot));
            if is_robot && number == 4 {
                continue;
            }
            let read = read_bytes(disguise.to_string().as_bytes());
            if facts(&read) != facts(&plain) {
                wrong.push(format!("{} #{number}: {:?} instead of {:?}", case.file, facts(&read), facts(&plain)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn details_of_cases() {
    let Some(folder) = folder() else { return };
    let case = |name: &str| read_bytes(&std::fs::read(folder.join(name)).unwrap());
    let gitlab = case("22-gitlab-pipeline-failed.json");
    assert!(!shown_in(&gitlab).contains("someone@example.com"));
    let falcon = only(case("72-falcon-im-problem.form"));
    assert_eq!((falcon.labels["host"].as_str(), falcon.labels["tos"].as_str()), ("order-web-01", "zhangsan,lisi"));
    let zabbix = only(case("45-zabbix-tagsjson.json"));
    assert_eq!((zabbix.labels["scope"].as_str(), zabbix.labels["component"].as_str()), ("performance", "cpu"));
    assert!(!format!("{:?}", case("47-zabbix-unexpanded.json")).contains("EVENT."));
    let keeplast = only(case("50-grafana-nodata-keeplast.json"));
    assert_eq!((keeplast.health, shown(&keeplast).as_str()), (Health::Normal, "A=12"));
    assert_eq!(keeplast.identity(&source()), only(case("109-grafana-keeplast-first.json")).identity(&source()));
    assert_eq!(only(case("51-grafana-no-value.json")).health, Health::NoData);
    let custom = case("54-grafana-custom-title-message.json");
    assert_eq!(custom.title, "【一级】边缘站-7 离线，请值班长 10 分钟内回电");
    let slack = only(case("27-slack-alertmanager-attachment.json"));
    assert_eq!(slack.links.rule, "http://alertmanager.example.com/#/alerts?receiver=slack");
    let gcp = only(case("10-gcp-open.json"));
    assert!(gcp.links.rule.starts_with("https://console.cloud.google.com/"));
    assert_eq!(gcp.starts_at, Some(Timestamp(1_795_835_400_000)));
    assert_eq!(only(case("77-wecom-robot-up.json")).kin.unwrap().core, "支付网关");
    let (on, over) =
        (only(case("12-datadog-triggered.json")).kin.unwrap(), only(case("13-datadog-recovered.json")).kin.unwrap());
    assert_eq!(
        on.family(&source()),
        over.family(&source()),
        "an end without the key of its beginning is found by the title"
    );
    let zabbix = ["100-zabbix-default-db1.json", "101-zabbix-default-db2.json", "102-zabbix-default-db1-resolved.json"];
    let [one, two, end] = zabbix.map(|name| only(case(name)).kin.unwrap());
    assert_eq!((one.family(&source()), two.family(&source())), (end.family(&source()), end.family(&source())));
    assert!(
        end.marks.contains("db-1") && one.marks.contains("db-1") && !two.marks.contains("db-1"),
        "{one:?} {two:?} {end:?}"
    );
}

#[test]
fn the_header_of_gbk_does_not_matter() {
    let Some(folder) = folder() else { return };
    let bytes = std::fs::read(folder.join("41-gbk-title.bin")).unwrap();
    for content_type in
        [None, Some("application/json"), Some("application/json; charset=GBK"), Some("text/plain; charset=gb2312")]
    {
        let notification = read(&bytes, content_type, Door::Webhook, &SHIPPED, MADE).unwrap();
        assert_eq!(notification.alerts[0].name, "订单库磁盘将满", "{content_type:?}");
    }
}

#[test]
fn bodies_of_the_repository_read_as_their_senders_meant_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/senders");
    let expected = std::fs::read_to_string(folder.join("EXPECTED")).unwrap();
    let (mut named, mut wrong) = (0, Vec::new());
    for line in expected.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let [file, state, level, name] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let notification = read_bytes(&std::fs::read(folder.join(file)).unwrap());
        let (found_state, found_level, found_name) = facts(&notification)[0];
        if (found_state, found_level, found_name) != (state, level.trim_matches('-'), name) {
            wrong.push(format!("{file}: {:?} instead of {state} {level} {name}", facts(&notification)[0]));
        }
        named += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let there = std::fs::read_dir(&folder).unwrap().count() - 1;
    assert_eq!(there, named, "every body has a line in EXPECTED");
}

#[test]
fn bodies_of_the_repository_name_their_thing_and_their_time() {
    // 2026-11-30T09:40:00+08:00
    const AT: i64 = 1_796_002_800;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/senders");
    let zone = jiff::tz::TimeZone::get("Asia/Shanghai").unwrap();
    let payloads =
        Payloads::default().with(generic::ReadSettings { timezone: zone, ..generic::ReadSettings::default() });
    let now = Timestamp((AT + 600) * 1000);
    for (file, object, starts, ends) in [
        ("zabbix-wecom-lines.json", "srv-7", Some(0), None),
        ("zabbix-wecom-lines-over.json", "srv-7", Some(0), Some(720)),
        ("nightingale-dingtalk.json", "web-31", Some(0), None),
        ("nightingale-dingtalk-over.json", "web-31", None, Some(600)),
        ("syslog-cisco.txt", "sw-acc-3", Some(0), None),
        ("syslog-rfc5424.txt", "web-8", Some(0), None),
        ("truenas.json", "nas-9", None, None),
        ("aws-finding.json", "i-99", Some(0), None),
        ("aws-rds-event.json", "order-prod", Some(0), None),
        ("victorops.json", "db01", Some(0), None),
        ("pagerduty-event.json", "prod-datapipe03", Some(0), None),
        ("site24x7.json", "pay.example.com", Some(0), None),
        ("feishu-fields.json", "pay/api-7d9-x2", None, None),
        ("aliyun-sls-dingtalk.json", "web-8", Some(0), None),
        ("volcengine-metric.json", "order-ecs-1", Some(0), None),
        ("oncall-payload.json", "redis-4:6379", Some(0), None),
        ("prtg.json", "fw-2", Some(0), None),
    ] {
        let bytes = std::fs::read(folder.join(file)).unwrap();
        let alert = only(read(&bytes, None, Door::Webhook, &payloads, now).unwrap());
        let sighting = crate::subject::Sighting {
            labels: &alert.labels,
            said: "",
            expression: "",
            taught: crate::subject::Taught::NOTHING,
        };
        let found = crate::subject::text(&crate::subject::subject(&sighting).object);
        let after = |time: Option<Timestamp>| time.map(|time| time.0 / 1000 - AT);
        assert_eq!((found.as_str(), after(alert.starts_at), after(alert.ends_at)), (object, starts, ends), "{file}");
    }
}

#[test]
fn an_end_of_uptime_kuma_finds_its_beginning_by_the_name_in_brackets() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/senders");
    let core = |file: &str| only(read_bytes(&std::fs::read(folder.join(file)).unwrap())).kin.unwrap().core;
    assert_eq!(
        (core("kuma-message.json").as_str(), core("kuma-message-up.json").as_str()),
        ("[支付网关]", "[支付网关]")
    );
}

#[test]
fn a_shape_in_a_list_keeps_its_values() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/senders");
    let event = only(read_bytes(&std::fs::read(folder.join("nightingale-events.json")).unwrap()));
    assert_eq!((shown(&event).as_str(), event.discriminator.as_str()), ("=97.1 %", "key:nightingale/h9"));
}
