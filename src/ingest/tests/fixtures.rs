//! Our own sample bodies, which `demo`, `send --sample` and `preview --sample` show to people.

use std::path::Path;

use super::*;

fn sample(name: &str) -> Notification {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/payloads").join(name);
    read(&std::fs::read(path).unwrap(), Some(content_type(name)), Door::Webhook, &SHIPPED, NOW).unwrap()
}

#[rustfmt::skip]
const SAMPLES: &[(&str, Format, &str)] = &[
    ("alertmanager-firing.json", Format::Alertmanager, "firing normal 核心交换机不可达"),
    ("alertmanager-group.json", Format::Alertmanager, "firing normal 主机失联"),
    ("alertmanager-resolved.json", Format::Alertmanager, "resolved normal 核心交换机不可达"),
    ("aliyun.form", Format::Generic, "firing normal SLB 后端不健康"),
    ("generic-backup.json", Format::Generic, "firing normal 备份失败：订单库全量"),
    ("grafana-error.json", Format::Grafana, "firing error 接口 5xx 比例高"),
    ("grafana-firing.json", Format::Grafana, "firing normal 磁盘将满"),
    ("grafana-legacy-alerting.json", Format::GrafanaLegacy, "firing normal 节点内存使用率高"),
    ("grafana-legacy-nodata.json", Format::GrafanaLegacy, "firing no_data 节点内存使用率高"),
    ("grafana-legacy-ok.json", Format::GrafanaLegacy, "resolved normal 节点内存使用率高"),
    ("grafana-mixed.json", Format::Grafana, "firing normal 磁盘将满"),
    ("grafana-nodata.json", Format::Grafana, "firing no_data 队列积压"),
    ("grafana-resolved.json", Format::Grafana, "resolved normal 支付成功率低"),
    ("grafana-test.json", Format::Grafana, "firing normal TestAlert"),
    ("n9e.json", Format::Generic, "firing normal Redis 内存使用率高"),
    ("plain.txt", Format::Opaque, "firing normal 数据同步任务中断"),
    ("prometheus-push.json", Format::AlertsPush, "resolved normal 主库只读"),
    ("tencent.json", Format::Generic, "firing normal 会员库 CPU 过高"),
    ("uptime-kuma.json", Format::Generic, "firing normal 官网首页"),
];

#[test]
fn every_sample_is_what_its_name_says() {
    for (name, format, first) in SAMPLES {
        let notification = sample(name);
        let alert = &notification.alerts[0];
        let told = format!("{} {} {}", alert.status.as_str(), alert.health.as_str(), alert.name);
        assert_eq!((notification.format, told.as_str()), (*format, *first), "{name}");
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/payloads");
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    // Captures are not samples: tests/it takes them.
    let samples = names.filter(|name| !name.starts_with("captured-") && name != "README.md");
    assert_eq!(samples.count(), SAMPLES.len());
}

#[test]
fn a_sample_and_its_end_are_one_incident() {
    for (firing, over) in [
        ("alertmanager-firing.json", "alertmanager-resolved.json"),
        ("grafana-legacy-alerting.json", "grafana-legacy-ok.json"),
    ] {
        let (firing, over) = (only(sample(firing)), only(sample(over)));
        assert_eq!(
            firing.identity(&SourceId::Configured("s".to_owned())),
            over.identity(&SourceId::Configured("s".to_owned()))
        );
        assert_eq!(firing.starts_at, over.starts_at);
    }
    let (before, after) = (sample("grafana-firing.json"), sample("grafana-mixed.json"));
    let identities = |notification: &Notification| -> Vec<_> {
        notification.alerts.iter().map(|alert| alert.identity(&SourceId::Configured("s".to_owned()))).collect()
    };
    assert_eq!(identities(&before), identities(&after));
}

#[test]
fn samples_hold_what_the_faces_need() {
    let disk = sample("grafana-firing.json");
    assert_eq!(disk.upstream_receiver, "值班群");
    assert_eq!(disk.alerts.iter().map(shown).collect::<Vec<_>>(), ["A=96.2183", "A=95.0479", "A=91.8"]);
    assert_eq!(disk.alerts[0].starts_at, Some(Timestamp(1_795_327_320_000)));
    let legacy = only(sample("grafana-legacy-alerting.json"));
    assert_eq!(legacy.values.len(), 5);
    assert_eq!(legacy.values[4].tags["zone"], "C");
    let group = sample("alertmanager-group.json");
    assert_eq!(group.upstream_receiver, "wecom.机房B(值班)");
    assert_eq!(group.alerts.iter().filter(|alert| alert.status == Status::Firing).count(), 7);
    assert!(sample("grafana-test.json").test);
}

#[test]
fn mapped_samples_give_labels_values_times_and_words() {
    let alert = only(sample("n9e.json"));
    assert_eq!((alert.severity().as_str(), shown(&alert).as_str()), ("warning", "=93.41762"));
    assert_eq!(alert.labels["business_group"], "中间件");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reading/n9e-gpu.json");
    let bare = webhook(&std::fs::read_to_string(path).unwrap());
    assert_eq!(bare.message, "", "tags and the group are labels, and no sentence");
    assert_eq!(alert.starts_at, Some(Timestamp(1_795_327_440_000)));
    assert_eq!(alert.links.runbook, "https://wiki.example.com/runbook/redis-memory");

    let tencent = sample("tencent.json");
    assert_eq!(tencent.message, "CPU 利用率 > 85%\nproduct: 云数据库-MySQL-主机监控");
    let alert = only(tencent);
    assert_eq!(shown(&alert), "CPU 利用率=94.2%");
    assert_eq!(alert.labels["objName"], "会员库");
    assert_eq!(alert.starts_at, Some(Timestamp(1_795_323_900_000)), "local time of China");

    let aliyun = sample("aliyun.form");
    assert_eq!(aliyun.message, "UnhealthyServerCount >= 2\nport: 443\ninstanceId: lb-bp1x9q");
    let alert = only(aliyun);
    assert!(alert.is_critical());
    assert_eq!(alert.labels["instance"], "官网入口");
    assert!(!alert.labels.contains_key("group"), "the text null is nothing");
    assert!(!alert.labels.contains_key("userId"));
    assert_eq!(shown(&alert), "UnhealthyServerCount=3 台");

    let kuma = sample("uptime-kuma.json");
    assert_eq!(kuma.message, "connect ECONNREFUSED 10.9.1.30:443\ntype: http", "the reason stands once");
    let alert = only(kuma);
    assert_eq!(alert.labels["instance"], "https://www.example.com/");
    assert_eq!(alert.starts_at, Some(Timestamp(1_795_324_841_000)));

    let backup = only(sample("generic-backup.json"));
    assert_eq!(backup.discriminator.as_str(), "key:general/backup/order-db/full");
    assert_eq!(backup.labels["team"], "dba");
    assert_eq!(backup.links.rule, "https://jobs.example.com/backup/order-db/20261122");
}
