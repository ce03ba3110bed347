//! Groups as they are worked out by hand: what is in the head, which rows there are, what is folded and how it is counted.

use super::super::samples::{Sample, samples, target};
use super::super::{Letter, Templates, Told};
use super::checker::readable;
use crate::alert::{Alert, Format, Labels, Links, Notification, Status, TransitionKind};
use crate::config::{Face, Language, Target, To};

/// An alert of `rule` with `a=b c=d` as its labels, that measures `value` where it has an `expression`.
struct One<'a> {
    rule: &'a str,
    labels: String,
    expression: &'a str,
    value: String,
    over: bool,
}

fn one<'a>(rule: &'a str, labels: impl Into<String>, expression: &'a str, value: impl Into<String>) -> One<'a> {
    One { rule, labels: labels.into(), expression, value: value.into(), over: false }
}

fn alert(of: &One<'_>, pattern: &Alert) -> Alert {
    let mut alert = pattern.clone();
    of.rule.clone_into(&mut alert.name);
    alert.labels = of
        .labels
        .split_whitespace()
        .filter_map(|word| word.split_once('='))
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .collect();
    alert.labels.insert("alertname".to_owned(), of.rule.to_owned());
    alert.labels.insert_new("severity", "warning");
    alert.annotations = Labels::new();
    if !of.expression.is_empty() {
        alert.annotations.insert("expression".to_owned(), of.expression.to_owned());
        alert.annotations.insert("description".to_owned(), format!("VALUE = {}", of.value));
    }
    if of.over {
        alert.status = Status::Resolved;
        alert.ends_at = alert.starts_at.map(|start| start.plus_millis(300_000));
    }
    alert
}

/// The message of `group` to a group chat, in Chinese.
fn composed(group: &[One<'_>], face: Face) -> String {
    let sample: Sample = samples().into_iter().find(|sample| sample.name == "alertmanager").unwrap();
    let pattern = Alert { links: Links::default(), ..sample.notification.alerts[0].clone() };
    let notification = Notification {
        format: Format::Alertmanager,
        alerts: group.iter().map(|one| alert(one, &pattern)).collect(),
        ..sample.notification.clone()
    };
    // Where some are over, the others were told before.
    let over = group.iter().any(|one| one.over);
    let told: Vec<Told<'_>> = notification
        .alerts
        .iter()
        .filter(|alert| !over || alert.status == Status::Resolved)
        .map(|alert| Told {
            alert,
            kind: TransitionKind::first(alert.status),
            starts_at: alert.starts_at,
            ends_at: alert.ends_at,
        })
        .collect();
    let target = Target { to: To::Webhook { webhook: "ops".to_owned() }, ..target(face) };
    let letter = Letter { notification: &notification, ..sample.letter(&told, &target, Language::Zh, None) };
    let (templates, _) = Templates::compile(&[]);
    let rendered = templates.render(&letter);
    assert_eq!(rendered.named.len() + rendered.counted.len(), told.len());
    readable(&rendered.parts[0])
}

/// A name, its alerts, a face, and the lines that the message begins with.
type Case<'a> = (&'a str, Vec<One<'a>>, Face, Vec<&'a str>);

const NODE: &str = "job=node-exporter endpoint=http-metrics service=kps-node-exporter pod=kps-node-exporter-8xk2q \
    container=node-exporter namespace=monitoring";
const STATE: &str = "job=kube-state-metrics instance=10.244.3.17:8080 endpoint=http service=kps-kube-state-metrics \
    container=kube-state-metrics pod=kps-kube-state-metrics-5f7d";
const FREE: &str = "node_filesystem_avail_bytes / node_filesystem_size_bytes * 100 < 15";
const USED: &str = "disk_used_percent > 90";
const THROTTLED: &str = "increase(throttled_periods_total[5m]) / increase(periods_total[5m]) > 0.25";
const ERRORS: &str = "sum by (service) (rate(http_requests_total{code=~\"5..\"}[5m])) / \
    sum by (service) (rate(http_requests_total[5m])) > 0.05";

fn check(cases: Vec<Case<'_>>) {
    let mut wrong = Vec::new();
    for (name, group, face, wanted) in cases {
        let text = composed(&group, face);
        let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).take(wanted.len()).collect();
        if lines != wanted {
            wrong.push(format!("{name}:\n{text}\n-- not\n{}", wanted.join("\n")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn small_groups_read_as_worked_out() {
    let free = |host: &str, value| {
        let labels = format!("{NODE} instance={host}:9100 mountpoint=/data device=/dev/vdb1");
        one("NodeFilesystemSpaceFillingUp", labels, FREE, value)
    };
    let looping = |labels: &str| one("KubePodCrashLooping", labels, "", "");
    let ends = ["x2k9q", "bcdfg", "k2q9d"].map(|end| {
        looping(&format!("cluster=sh namespace=pay pod=api-7d9f6c5b8-{end} container=app reason=CrashLoopBackOff"))
    });
    let graded = |severity: &str| {
        one("磁盘将满", format!("instance=db-3:9100 mountpoint=/data severity={severity}"), FREE, "2.4")
    };
    let replicas = |asked: &str| one("副本不足", format!("{asked} namespace=pay deployment=api"), "", "");
    check(vec![
        (
            "two hosts and one mount point",
            vec![free("10.31.4.11", "9.31"), free("10.31.4.12", "8.1")],
            Face::MarkdownV2,
            vec![
                "### 🟡 NodeFilesystemSpace… ×2 · /data",
                "**警告** · NodeFilesystemSpaceFillingUp · 自 14:02（12 分钟） · 阈值 < 15 %",
                "| 主机 | 现值 |",
                "|---|---:|",
                "| 10.31.4.12 | 8.1 % |",
                "| 10.31.4.11 | 9.3 % |",
            ],
        ),
        (
            "three pods of one workload",
            ends.into(),
            Face::MarkdownV2,
            vec![
                "### 🟡 KubePodCrashLooping ×3 · api（app）",
                "**警告** · pay/api（app） · CrashLoopBackOff · sh · 自 14:02（12 分钟）",
                "- …-bcdfg",
                "- …-k2q9d",
                "- …-x2k9q",
            ],
        ),
        (
            "pods of two namespaces",
            vec![
                looping("namespace=pay pod=api-0 container=app"),
                looping("namespace=ml pod=train-0 container=main"),
                looping("namespace=pay pod=train-0 container=app"),
            ],
            Face::Text,
            vec![
                "[警告] KubePodCrashLooping ×3",
                "自 14:02（12 分钟）",
                "ml/train-0 main",
                "pay/api-0 app",
                "pay/train-0 app",
            ],
        ),
        (
            "one alert in two grades",
            vec![graded("warning"), graded("critical")],
            Face::Text,
            vec![
                "[严重] 磁盘将满 ×2 · db-3 /data",
                "自 14:02（12 分钟） · 阈值 < 15 %",
                "同一对象（×2） 2.4 %（严重）",
            ],
        ),
        (
            "an exporter before and after its upgrade",
            vec![replicas(STATE), replicas("")],
            Face::Text,
            vec!["[警告] 副本不足 ×2 · pay/api", "自 14:02（12 分钟）", "同一对象（×2）"],
        ),
    ]);
}

#[test]
fn large_groups_read_as_worked_out() {
    let mut throttled = Vec::new();
    for (workload, values) in [("api", &[62, 55, 41, 40, 33, 31][..]), ("web", &[41, 40, 39, 30]), ("job", &[28, 27])] {
        throttled.extend(values.iter().enumerate().map(|(at, value)| {
            let labels = format!("cluster=sh namespace=pay pod={workload}-7d9f6c5b8-x2k9{at} container=app");
            one("CPUThrottlingHigh", labels, THROTTLED, format!("0.{value}"))
        }));
    }
    let down = |hosts: std::ops::Range<usize>| {
        hosts.map(|n| one("主机失联", format!("host=host-{n:03} idc=机房B"), "", "")).collect::<Vec<_>>()
    };
    let full =
        |n: usize, value: String| one("磁盘将满", format!("instance=node-{n:02}:9100 mountpoint=/data"), USED, value);
    let disks = (1..=60).map(|n| full(n, format!("9{}.2", if n < 4 { 9 - n } else { 1 + n % 5 }))).collect();
    let half = (1..=60).map(|n| One { over: n > 30, ..full(n, "95".to_owned()) }).collect();
    let failing = |service: &str, route: String, share: &str| {
        one("接口 5xx", format!("service={service} api={route}"), ERRORS, share)
    };
    let mut routes: Vec<One<'_>> = (1..812).map(|n| failing("order-api", format!("/v1/{n}"), "0.1")).collect();
    routes.push(failing("order-api", "/v2/pay".to_owned(), "0.43"));
    routes.extend((0..157).map(|n| failing("user-api", format!("/v1/{n}"), "0.2")));
    routes.extend((0..31).map(|n| failing(&format!("s{}-api", n % 9), format!("/v1/{n}"), "0.08")));
    let mut storm = vec![one("核心交换机不可达", "instance=sw-core-1 severity=critical", "", "")];
    storm.extend(down(0..812));
    storm.extend((0..240).map(|n| failing(if n < 201 { "order-api" } else { "user-api" }, format!("/v{n}"), "0.1")));
    storm.extend((100..246).map(|n| full(n, format!("9{}", n % 10))));
    storm.extend((0..85).map(|n| one("队列积压", format!("topic=t{n}"), "", "")));
    check(vec![
        (
            "twelve pods of three workloads",
            throttled,
            Face::Text,
            vec![
                "[警告] CPUThrottlingHigh ×12 · app",
                "pay（app） · sh · 自 14:02（12 分钟） · 阈值 > 25 %",
                "api ×6 最高 62 %",
                "web ×4 41 %",
                "job ×2 28 %",
            ],
        ),
        (
            "twelve hosts in succession",
            down(18..30),
            Face::Text,
            vec!["[警告] 主机失联 ×12 · 机房B", "自 14:02（12 分钟）", "host-018…029 ×12"],
        ),
        (
            "sixty disks",
            disks,
            Face::Text,
            vec![
                "[警告] 磁盘将满 ×60 · /data",
                "自 14:02（12 分钟） · 阈值 > 90 %",
                "node-01 98.2 %",
                "node-02 97.2 %",
                "node-03 96.2 %",
                "node-04…60 ×57 91.2–95.2 %",
            ],
        ),
        (
            "sixty, of which half are over",
            half,
            Face::Text,
            vec![
                "[部分恢复] 磁盘将满 仍有 30 条 · /data",
                "警告 · 自 14:02（12 分钟） · 阈值 > 90 %",
                "仍在告警：node-01…30（均 95 %）",
                "已恢复：node-31…60（均 5 分钟）",
            ],
        ),
        (
            "a thousand routes of eleven services",
            routes,
            Face::MarkdownV2,
            vec![
                "### 🟡 接口 5xx ×1000",
                "**警告** · 自 14:02（12 分钟） · 阈值 > 5 %",
                "- order-api ×812 最高 43 %（/v2/pay）",
                "- user-api ×157 20 %",
                "- s0-api ×4 8 %",
                "- s1-api ×4 8 %",
                "- 另 7 个服务 ×23",
            ],
        ),
        (
            "a storm of five rules",
            storm,
            Face::MarkdownV2,
            vec![
                "### 🔴 核心交换机不可达 等 5 条规则",
                "**严重** · 自 14:02（12 分钟）",
                "- 🔴 核心交换机不可达 sw-core-1",
                "- 🟡 主机失联 ×812 host-000…811（机房B）",
                "- 🟡 接口 5xx ×240 order-api /v0…200、user-api /v201…239 最高 10 %",
                "- 🟡 磁盘将满 ×146 /data node-100…245 最高 99 %",
                "- 🟡 队列积压 ×85 t0…84",
            ],
        ),
    ]);
}
