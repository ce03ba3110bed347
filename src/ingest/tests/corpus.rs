//! Bodies recorded from real programs, where their folder lies beside the repository.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::*;

/// The folder of recorded bodies; `None` where only the repository is.
pub(crate) fn folder() -> Option<PathBuf> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/reference/payloads"));
    folder.is_dir().then_some(folder)
}

/// Records about calls, not bodies (INDEX.md).
const TRANSCRIPTS: [&str; 11] = [
    "INDEX.md",
    "captured-alertmanager-api-alerts.json",
    "captured-alertmanager-api-silences.json",
    "captured-alertmanager-headers.json",
    "captured-alertmanager-retry-timelines.json",
    "captured-alertmanager-wechat-errors.json",
    "captured-alertmanager-wechat-markdown.json",
    "captured-alertmanager-wechat-text.json",
    "captured-prometheus-query-range.json",
    "fingerprint-vectors.json",
    "grafana-hmac-vectors.json",
];

/// File, format, and of each alert: status and health, name, values, discriminator.
#[rustfmt::skip]
const FACTS: &[(&str, Format, &[&str])] = &[
    ("alertmanager-v0.32-custom-payload.json", Format::Generic, &["firing normal|InstanceDown||content"]),
    ("alertmanager-v0.34-firing.json", Format::Alertmanager, &["firing normal|InstanceDown||"]),
    ("aliyun-cms-threshold-callback.decoded.json", Format::Generic, &["resolved normal|API网关_返回码4XX个数|code4XX_stage=2 个|key:aliyun-cms/alarmRule_uuid_b13a2db9f1d577826640dbd79aad4178d8adf31238a/{apiStageName=RELEASE, apiUid=c6fa0ad7950644b68437d8ae10f0b95f, region=cn-shenzhen, userId=1200000000000000}"]),
    ("aliyun-cms-threshold-callback.form", Format::Generic, &["resolved normal|API网关_返回码4XX个数|code4XX_stage=2 个|key:aliyun-cms/alarmRule_uuid_b13a2db9f1d577826640dbd79aad4178d8adf31238a/{apiStageName=RELEASE, apiUid=c6fa0ad7950644b68437d8ae10f0b95f, region=cn-shenzhen, userId=1200000000000000}"]),
    ("captured-alertmanager-basic-auth.json", Format::Alertmanager, &["firing normal|BasicAuth||"]),
    ("captured-alertmanager-bearer-auth.json", Format::Alertmanager, &["firing normal|BearerAuth||"]),
    ("captured-alertmanager-firing-multi.json", Format::Alertmanager, &["firing normal|HostHighCpu||", "firing normal|HostHighCpu||", "firing normal|HostHighCpu||"]),
    ("captured-alertmanager-firing-single.json", Format::Alertmanager, &["firing normal|HostHighCpu||"]),
    ("captured-alertmanager-noresolve-receiver.json", Format::Alertmanager, &["firing normal|NoResolve||"]),
    ("captured-alertmanager-resolved-all.json", Format::Alertmanager, &["resolved normal|HostHighCpu||", "resolved normal|HostHighCpu||"]),
    ("captured-prometheus-post-alerts-chinese.json", Format::AlertsPush, &["firing normal|演示高CPU||"]),
    ("captured-prometheus-post-alerts-firing.json", Format::AlertsPush, &["firing normal|TargetUp||"]),
    ("captured-prometheus-post-alerts-resolved-resend.json", Format::AlertsPush, &["resolved normal|TargetUp||"]),
    ("captured-prometheus-post-alerts-resolved.json", Format::AlertsPush, &["resolved normal|TargetUp||"]),
    ("generic-minimal.json", Format::Generic, &["firing normal|备份失败||content"]),
    ("grafana-custom-payload-plaintext.txt", Format::Opaque, &["firing normal|主机 CPU 使用率过高||content"]),
    ("grafana-legacy-alerting-chinese-real.json", Format::GrafanaLegacy, &["firing normal|CPU报警|cpu.mean=0.635|0/1@localhost:3000"]),
    ("grafana-legacy-alerting-tags-real.json", Format::GrafanaLegacy, &["firing normal|Host CPU usage alert|192.168.1.107=50.80555555555556|1/1@localhost:3000"]),
    ("grafana-legacy-alerting-v4-real.json", Format::GrafanaLegacy, &["firing normal|CPU Usage alert|win_cpu.% User Time=58.921000480651855|0/1@localhost:3000"]),
    ("grafana-legacy-alerting.json", Format::GrafanaLegacy, &["firing normal|Panel Title alert|Count=1|1/1@localhost:3000"]),
    ("grafana-legacy-no-data-as-alerting-real.json", Format::GrafanaLegacy, &["firing no_data|No Data alert||1/3@localhost:3000"]),
    ("grafana-legacy-no-data.json", Format::GrafanaLegacy, &["firing no_data|订单量||1/38@grafana.example.internal"]),
    ("grafana-legacy-ok-zulip.json", Format::GrafanaLegacy, &["resolved normal|Test rule|High value=0|0/0@localhost:3000"]),
    ("grafana-legacy-ok.json", Format::GrafanaLegacy, &["resolved normal|CPU 报警||1/37@grafana.example.internal"]),
    ("grafana-legacy-paused-zulip.json", Format::GrafanaLegacy, &["resolved normal|Test rule||0/0@localhost:3000"]),
    ("grafana-legacy-test-v5-real.json", Format::GrafanaLegacy, &["firing normal|Test notification|High value=100 Higher Value=200|0/0@localhost:3000"]),
    ("grafana-legacy-test-v8.json", Format::GrafanaLegacy, &["firing normal|Test notification|High value=100 Higher Value=200|0/7533874832689366674@localhost:3000"]),
    ("grafana-unified-alertmanager-external-real.json", Format::Alertmanager, &["resolved normal|MEMORY USED STARGAZE||_2dRVWEnk"]),
    ("grafana-unified-datasource-error.json", Format::Grafana, &["firing error|主机 CPU 使用率过高||fex6jh8jaew3kc"]),
    ("grafana-unified-firing.json", Format::Grafana, &["firing normal|主机 CPU 使用率过高|A=96.39999999999999|fex6jh8jaew3kc"]),
    ("grafana-unified-image-public.json", Format::Grafana, &["firing normal|主机 CPU 使用率过高|A=96.39999999999999|fex6jh8jaew3kc"]),
    ("grafana-unified-long-chinese.json", Format::Grafana, &["firing normal|数据库主从延迟过高|A=128|fex6jh8jaew3kc"]),
    ("grafana-unified-mixed.json", Format::Grafana, &["firing normal|主机 CPU 使用率过高|A=96.39999999999999|fex6jh8jaew3kc", "resolved normal|主机 CPU 使用率过高|A=55.5|fex6jh8jaew3kc", "firing normal|主机 CPU 使用率过高|A=93.1|fex6jh8jaew3kc"]),
    ("grafana-unified-nodata-as-alerting.json", Format::Grafana, &["firing no_data|主机 CPU 使用率过高||fex6jh8jaew3kc"]),
    ("grafana-unified-nodata-real.json", Format::Grafana, &["firing no_data|viable/strict is broken||eewi8oa4ccef4e"]),
    ("grafana-unified-receiver-escaped-real.json", Format::Grafana, &["firing normal|TEST Alert that keeps toggling ~every 1 min|C=1 reducer=1|fex6jh8jaew3kc"]),
    ("grafana-unified-resolved.json", Format::Grafana, &["resolved normal|主机 CPU 使用率过高|A=41.2|fex6jh8jaew3kc"]),
    ("grafana-unified-test-v10-real.json", Format::Grafana, &["firing normal|TestAlert|=10|"]),
    ("grafana-unified-test-v13-real.json", Format::Grafana, &["firing normal|TestAlert|=10|"]),
    ("grafana-unified-test-v9-real.json", Format::Grafana, &["firing normal|TestAlert|=10|"]),
    ("grafana-unified-v11-values-real.json", Format::Grafana, &["firing normal|Memory (copy)|A=2473545728 minute=9|dd2f0260-3cfc-4c65-a4c4-f3f632c551f4"]),
    ("grafana-unified-v9-mixed-real.json", Format::Grafana, &["resolved normal|Test alert|B=17|zTjxv_C7k", "firing normal|Second webhook test|B0=1|_0rkK_C7z"]),
    ("loki-ruler-post-alerts.json", Format::AlertsPush, &["resolved normal|HighErrorRate||"]),
    ("n9e-recovered.json", Format::Generic, &["resolved normal|测试事件回调|=3.10000|key:nightingale/54f5543591c6dc0e30139cae196a1eee"]),
    ("n9e-v6-webhook-object.json", Format::Generic, &["firing normal|测试事件回调|=33.06867|key:nightingale/54f5543591c6dc0e30139cae196a1eee"]),
    ("n9e-v8-event-object-real.json", Format::Generic, &["firing normal|测试事件回调|=33.06867479671808|key:nightingale/54f5543591c6dc0e30139cae196a1eee"]),
    ("tencent-cloud-event-alarm.json", Format::Generic, &["firing normal|xxxx||key:tencent-cloud/xxxxxxxxxxxxxxxx/ins-xxxxx"]),
    ("tencent-cloud-metric-alarm.json", Format::Generic, &["firing normal|test|CPU 利用率=100%|key:tencent-cloud/xxxxxxxx/xxxxxxxxxxxx"]),
    ("tencent-cloud-metric-recovered.json", Format::Generic, &["resolved normal|test|CPU 利用率=12%|key:tencent-cloud/xxxxxxxx/xxxxxxxxxxxx"]),
    ("uptime-kuma-down.json", Format::Generic, &["firing normal|API||key:uptime-kuma/7"]),
    ("uptime-kuma-test.json", Format::Generic, &["notice normal|WeCom gateway Testing||notice"]),
    ("vmalert-post-alerts-firing.json", Format::AlertsPush, &["resolved normal|InstanceDown||"]),
    ("zabbix-webhook-suggested.json", Format::Generic, &["firing normal|CPU 使用率过高||key:zabbix/12345"]),
];

fn read_file(name: &str) -> Option<Notification> {
    let bytes = std::fs::read(folder()?.join(name)).unwrap();
    Some(read(&bytes, Some(content_type(name)), Door::Webhook, &SHIPPED, NOW).unwrap())
}

#[test]
fn every_recorded_body_is_read_for_what_it_is() {
    for (name, format, alerts) in FACTS {
        let Some(notification) = read_file(name) else { return };
        let facts: Vec<_> = notification
            .alerts
            .iter()
            .map(|alert| {
                let (status, health) = (alert.status.as_str(), alert.health.as_str());
                let key = ["content", "notice"]
                    .into_iter()
                    .find(|kind| alert.discriminator.as_str().contains(&format!("/{kind}:")));
                format!(
                    "{status} {health}|{}|{}|{}",
                    alert.name,
                    shown(alert),
                    key.unwrap_or(alert.discriminator.as_str())
                )
            })
            .collect();
        assert_eq!((notification.format, facts), (*format, alerts.iter().map(ToString::to_string).collect()), "{name}");
        let is_test = name.contains("-test-") && name.starts_with("grafana") || name.contains("-zulip");
        assert_eq!(notification.test, is_test, "{name}");
        assert_eq!(notification.truncated, 0);
    }
}

#[test]
fn no_recorded_body_is_forgotten() {
    let Some(folder) = folder() else { return };
    let there: BTreeSet<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let known = FACTS.iter().map(|(name, ..)| *name).chain(TRANSCRIPTS).map(str::to_owned).collect();
    assert_eq!(there, known);
}

#[test]
fn what_is_read_again_is_the_same() {
    for (name, ..) in FACTS {
        let Some(first) = read_file(name) else { return };
        let bytes = std::fs::read(folder().unwrap().join(name)).unwrap();
        assert_eq!(reread(first.format, &bytes, Some(content_type(name)), &SHIPPED, NOW), first, "{name}");
    }
}

#[test]
fn fingerprints_sent_by_alertmanager_are_the_ones_we_compute() {
    let Some(folder) = folder() else { return };
    let vectors: Json =
        serde_json::from_slice(&std::fs::read(folder.join("fingerprint-vectors.json")).unwrap()).unwrap();
    for vector in vectors["vectors"].as_array().unwrap() {
        let labels: Labels = serde_json::from_value(vector["labels"].clone()).unwrap();
        assert_eq!(field::fingerprint(&labels), vector["fingerprint"]);
    }
    for name in ["captured-alertmanager-firing-multi.json", "captured-alertmanager-bearer-auth.json"] {
        for alert in read_file(name).unwrap().alerts {
            assert_eq!(field::fingerprint(&alert.labels), alert.fingerprint);
        }
    }
}

#[test]
fn details_of_recorded_bodies() {
    let Some(escaped) = read_file("grafana-unified-receiver-escaped-real.json") else { return };
    assert_eq!(escaped.upstream_receiver, "[DEVELOPMENT] TEST AWS webhook alerting system");
    assert_eq!(escaped.external_url, "https://pytorchci.grafana.net/");
    assert_eq!(only(escaped).links.runbook, "", "www.time.com is no URL");

    let captured = read_file("captured-alertmanager-firing-single.json").unwrap();
    assert_eq!(captured.upstream_receiver, "wecom.ops(prod)-队");
    assert_eq!(captured.group_key, "{}:{alertname=\"HostHighCpu\", cluster=\"prod-bj\"}");
    let alert = only(captured);
    assert_eq!(alert.annotations["description"], "当前值 96.4% 注意 & \"引号\" \\ 反斜杠\n第二行 @所有人");
    assert_eq!(alert.starts_at, Some(Timestamp(1_795_353_370_141)));
    assert!(alert.links.rule.ends_with("&g0.tab=1"));

    let over = read_file("captured-alertmanager-resolved-all.json").unwrap();
    assert_eq!(over.alerts[1].ends_at, Some(Timestamp(1_795_353_513_234)));

    let external = only(read_file("grafana-unified-alertmanager-external-real.json").unwrap());
    assert_eq!(external.labels, Labels::from([("alertname", "MEMORY USED STARGAZE")]));
    assert!(external.annotations.is_empty());

    let error = only(read_file("grafana-unified-datasource-error.json").unwrap());
    assert!(error.annotations["Error"].starts_with("failed to execute query A"));

    let test = only(read_file("grafana-unified-test-v10-real.json").unwrap());
    assert_eq!(test.starts_at, Some(Timestamp(1_709_979_016_318)));

    let picture = only(read_file("grafana-unified-image-public.json").unwrap());
    assert!(picture.links.image.starts_with("https://"));
    assert!(picture.links.panel.ends_with("&viewPanel=4"));

    let chinese = only(read_file("captured-prometheus-post-alerts-chinese.json").unwrap());
    assert_eq!(chinese.labels["team"], "基础架构");
}
