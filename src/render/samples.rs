//! Hand-written letters: what `check`, `preview` and `demo` show, and what the golden files hold.

use jiff::tz::{Offset, TimeZone};

use super::{Letter, Offer, Picture, Told};
use crate::alert::{
    Alert, Asked, Format, Health, Labels, Links, Notification, Status, ThreadId, Timestamp, TransitionKind, Value,
};
use crate::config::{Face, Language, Target, To};
use crate::names::Discriminator;

/// A notification and its news.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it shows.
    pub about: &'static str,
    /// The notification.
    pub notification: Notification,
    /// The time it is read.
    pub now: Timestamp,
    /// A picture, where the sample has one.
    pub picture: Option<&'static str>,
    told: Vec<(usize, TransitionKind)>,
    zone: TimeZone,
}

impl Sample {
    /// Its news.
    pub fn told(&self) -> Vec<Told<'_>> {
        let one = |&(index, kind): &(usize, TransitionKind)| Told {
            alert: &self.notification.alerts[index],
            kind,
            starts_at: None,
            ends_at: None,
        };
        self.told.iter().map(one).collect()
    }

    /// The letter for `target`.
    pub fn letter<'a>(
        &'a self,
        told: &'a [Told<'a>],
        target: &'a Target,
        language: Language,
        template: Option<&'a str>,
    ) -> Letter<'a> {
        Letter {
            notification: &self.notification,
            told,
            target,
            language,
            timezone: &self.zone,
            template,
            now: self.now,
            thread: ThreadId(41),
            details_url: Some("https://alerts.example.com/n/41"),
            offer: Offer::Silence,
            picture: Picture { url: self.picture },
            course: None,
            notes: &[],
            link_rewrites: &[],
            known_hosts: &[],
            short: &[],
            taught: crate::subject::Taught::NOTHING,
        }
    }
}

/// A target that can have `face`.
pub fn target(face: Face) -> Target {
    let to = match face {
        Face::Text | Face::Textcard | Face::News => To::Members {
            app: "ops".to_owned(),
            users: vec!["daixuan".to_owned()],
            users_file: None,
            on_call: None,
            parties: Vec::new(),
            tags: Vec::new(),
        },
        Face::Markdown | Face::MarkdownV2 | Face::Card => To::Webhook { webhook: "ops-group".to_owned() },
    };
    let mention = if face == Face::Markdown { vec!["zhangsan".to_owned()] } else { Vec::new() };
    Target { to, face, mention, mention_from: Vec::new(), mention_mobiles: Vec::new(), image: false, parts: 1 }
}

/// 2026-09-12 14:14 in Shanghai.
const NOW: Timestamp = Timestamp(1_789_193_640_000);
const MINUTE: i64 = 60_000;

fn ago(minutes: i64) -> Timestamp {
    NOW.plus_millis(-minutes * MINUTE)
}

fn map(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().copied().collect()
}

fn value(name: &str, text: &str) -> Value {
    Value { name: name.to_owned(), text: text.to_owned(), tags: Labels::new() }
}

fn links() -> Links {
    Links {
        rule: "https://grafana.example.com/alerting/grafana/disk-full/view?orgId=1".to_owned(),
        silence: "https://grafana.example.com/alerting/silence/new?alertmanager=grafana&matcher=x%3Dy&orgId=1"
            .to_owned(),
        dashboard: "https://grafana.example.com/d/hosts?orgId=1".to_owned(),
        panel: "https://grafana.example.com/d/hosts?orgId=1&viewPanel=4".to_owned(),
        runbook: String::new(),
        image: String::new(),
    }
}

fn alert(name: &str, labels: &[(&str, &str)], annotations: &[(&str, &str)], values: &[(&str, &str)]) -> Alert {
    Alert {
        status: Status::Firing,
        name: name.to_owned(),
        health: Health::Normal,
        labels: map(labels),
        annotations: map(annotations),
        starts_at: Some(ago(12)),
        ends_at: None,
        lapses_at: None,
        fingerprint: "0cdf35c4ce287453".to_owned(),
        discriminator: Discriminator::default(),
        values: values.iter().map(|(name, text)| value(name, text)).collect(),
        asked: Asked::default(),
        links: Links::default(),
        level: None,
        kin: None,
    }
}

impl Alert {
    fn resolved(mut self, started: i64, ended: i64) -> Self {
        self.status = Status::Resolved;
        self.starts_at = Some(ago(started));
        self.ends_at = Some(ago(ended));
        self
    }

    fn linked(mut self) -> Self {
        self.links = links();
        self
    }
}

fn notification(format: Format, alerts: Vec<Alert>) -> Notification {
    Notification {
        format,
        upstream_receiver: "wegraf".to_owned(),
        group_key: "{}:{alertname=\"x\"}".to_owned(),
        group_labels: Labels::new(),
        external_url: "https://grafana.example.com/".to_owned(),
        title: String::new(),
        message: String::new(),
        truncated: 0,
        test: false,
        alerts,
    }
}

fn sample(name: &'static str, about: &'static str, notification: Notification) -> Sample {
    let kind = |alert: &Alert| TransitionKind::first(alert.status);
    Sample {
        name,
        about,
        told: notification.alerts.iter().map(kind).enumerate().collect(),
        notification,
        now: NOW,
        picture: None,
        zone: TimeZone::fixed(Offset::constant(8)),
    }
}

/// All samples.
pub fn samples() -> Vec<Sample> {
    let mut all = vec![disk(), payment(), resolved(), partly(), no_data(), query_error(), reminder(), test()];
    all.extend([truncated(), opaque(), legacy(), generic(), picture(), several_rules()]);
    all.extend([alertmanager(), resolved_group(), many(), long(), hostile(), bare()]);
    all
}

fn disk_alert(instance: &str, used: &str) -> Alert {
    alert(
        "磁盘将满",
        &[
            ("alertname", "磁盘将满"),
            ("grafana_folder", "基础设施"),
            ("severity", "critical"),
            ("business", "订单库"),
            ("env", "生产"),
            ("instance", instance),
        ],
        &[
            ("summary", "预计 40 分钟后写满"),
            ("description", &format!("数据盘已用 {used} %，请先清理归档日志，再扩容。")),
        ],
        &[("A", used), ("C", "1")],
    )
    .linked()
}

fn disk() -> Sample {
    let mut first = disk_alert("db-1", "96.2");
    "https://wiki.example.com/runbook/disk".clone_into(&mut first.links.runbook);
    let alerts = vec![first, disk_alert("db-2", "95"), disk_alert("db-7", "91.8")];
    sample("disk", "three of one rule", notification(Format::Grafana, alerts))
}

fn payment_alert() -> Alert {
    let mut alert = alert(
        "支付成功率低",
        &[
            ("alertname", "支付成功率低"),
            ("severity", "critical"),
            ("region", "上海一区"),
            ("service", "payment-api"),
            ("team", "pay"),
        ],
        &[("summary", "支付成功率 91.3%，低于阈值 99%")],
        &[("A", "91.3"), ("C", "1")],
    )
    .linked();
    alert.starts_at = Some(ago(2));
    alert
}

fn payment() -> Sample {
    sample("payment", "one alert", notification(Format::Grafana, vec![payment_alert()]))
}

fn resolved() -> Sample {
    let alert = payment_alert().resolved(18, 0);
    sample("resolved", "one alert is over", notification(Format::Grafana, vec![alert]))
}

fn partly() -> Sample {
    let mut still = disk_alert("db-1", "97");
    still.starts_at = Some(ago(40));
    let alerts = vec![still, disk_alert("db-2", "60").resolved(40, 19), disk_alert("db-7", "55").resolved(40, 31)];
    let mut sample = sample("partly", "two of a group are over, one is not", notification(Format::Grafana, alerts));
    sample.told.remove(0);
    sample
}

fn unjudged(health: Health, name: &str, annotations: &[(&str, &str)]) -> Alert {
    let mut alert = alert(
        name,
        &[("alertname", "DatasourceNoData"), ("rulename", name), ("datasource_uid", "prometheus-sh"), ("ref_id", "A")],
        annotations,
        &[],
    )
    .linked();
    alert.health = health;
    alert.starts_at = Some(ago(244));
    alert
}

fn no_data() -> Sample {
    let alert = unjudged(Health::NoData, "队列积压", &[]);
    sample("no-data", "a query returned nothing", notification(Format::Grafana, vec![alert]))
}

fn query_error() -> Sample {
    let error = "failed to execute query A: Post \"http://prometheus-sh:9090/api/v1/query\": context deadline exceeded";
    let alert = unjudged(Health::Error, "队列积压", &[("Error", error)]);
    sample("query-error", "a query failed", notification(Format::Grafana, vec![alert]))
}

fn reminder() -> Sample {
    let mut alerts = vec![disk_alert("db-1", "98.4"), disk_alert("db-2", "97.1")];
    for alert in &mut alerts {
        alert.starts_at = Some(ago(312));
    }
    let mut sample = sample("reminder", "upstream repeats what is still on", notification(Format::Grafana, alerts));
    for (_, kind) in &mut sample.told {
        *kind = TransitionKind::Reminder;
    }
    sample
}

fn test() -> Sample {
    let mut alert = alert(
        "TestAlert",
        &[("alertname", "TestAlert"), ("instance", "Grafana")],
        &[("summary", "Notification test")],
        &[],
    );
    alert.starts_at = Some(ago(0));
    let mut notification = notification(Format::Grafana, vec![alert]);
    notification.test = true;
    sample("test", "the test button of a contact point", notification)
}

fn truncated() -> Sample {
    let alerts = vec![disk_alert("db-2", "60").resolved(40, 2), disk_alert("db-7", "55").resolved(40, 2)];
    let mut notification = notification(Format::Grafana, alerts);
    notification.truncated = 3;
    sample("truncated", "upstream left alerts out: nobody may say that all is well", notification)
}

fn opaque() -> Sample {
    let text =
        "Backup of order-db failed\nexit code 23, 3 of 14 files were skipped\nsee /var/log/backup/2026-09-12.log\n";
    let mut alert = alert("Backup of order-db failed", &[("alertname", "Backup of order-db failed")], &[], &[]);
    alert.starts_at = None;
    alert.status = Status::Notice;
    let mut notification = notification(Format::Opaque, vec![alert]);
    "unrecognised".clone_into(&mut notification.title);
    text.clone_into(&mut notification.message);
    notification.external_url.clear();
    sample("opaque", "a body that nobody understands", notification)
}

fn legacy() -> Sample {
    let mut alert = alert(
        "CPU 报警",
        &[("alertname", "CPU 报警")],
        &[],
        &[("web-1 cpu.mean", "93.5"), ("web-2 cpu.mean", "91.2"), ("web-3 cpu.mean", "90.8")],
    )
    .linked();
    alert.starts_at = None;
    alert.links.silence.clear();
    let mut notification = notification(Format::GrafanaLegacy, vec![alert]);
    "[Alerting] CPU 报警".clone_into(&mut notification.title);
    "严重，CPU 使用率过高".clone_into(&mut notification.message);
    sample("legacy", "legacy Grafana: one rule with many series", notification)
}

fn generic() -> Sample {
    let mut alert = alert("数据备份失败", &[("alertname", "数据备份失败"), ("level", "P1")], &[], &[]);
    alert.starts_at = None;
    let mut notification = notification(Format::Generic, vec![alert]);
    "数据备份失败".clone_into(&mut notification.title);
    "数据库 order 备份失败，返回码 23\n已重试 3 次".clone_into(&mut notification.message);
    notification.external_url.clear();
    sample("generic", "a title and a text", notification)
}

fn picture() -> Sample {
    let mut sample = payment();
    sample.name = "picture";
    sample.about = "one alert with a public picture";
    sample.picture = Some("https://pictures.example.com/panel-4.png");
    sample
}

fn several_rules() -> Sample {
    let rule = |name: &str, severity: &str, labels: &[(&str, &str)], values: &[(&str, &str)]| {
        let mut labels = labels.to_vec();
        labels.extend([("alertname", name), ("severity", severity), ("cluster", "prod-bj")]);
        alert(name, &labels, &[("summary", &format!("{name}，请处理"))], values).linked()
    };
    let mut late = rule("接口 5xx", "warning", &[("service", "order-api")], &[("A", "3.2")]);
    late.starts_at = Some(ago(3));
    let alerts = vec![
        late,
        rule("主库只读", "critical", &[("instance", "order-db-1")], &[]),
        rule("队列积压", "warning", &[("topic", "order-paid")], &[("A", "18230")]),
        rule("接口 5xx", "warning", &[("service", "user-api")], &[("A", "1.1")]).resolved(60, 4),
    ];
    sample("several-rules", "different rules in one group", notification(Format::Grafana, alerts))
}

fn alertmanager() -> Sample {
    let host = |instance: &str, severity: &str| {
        let summary = format!("Host {instance} has been above 90% CPU for 5 minutes");
        alert(
            "HostHighCpu",
            &[
                ("alertname", "HostHighCpu"),
                ("cluster", "prod-bj"),
                ("instance", instance),
                ("job", "node"),
                ("prometheus", "monitoring/k8s"),
                ("severity", severity),
            ],
            &[("summary", &summary)],
            &[],
        )
    };
    let mut alerts =
        vec![host("10.0.0.1:9100", "critical"), host("10.0.0.2:9100", "critical"), host("10.0.0.3:9100", "warning")];
    for alert in &mut alerts {
        "http://prometheus.example.com:9090/graph?g0.expr=up&g0.tab=1".clone_into(&mut alert.links.rule);
    }
    let mut notification = notification(Format::Alertmanager, alerts);
    "http://alertmanager.example.com:9093".clone_into(&mut notification.external_url);
    sample("alertmanager", "a group of Alertmanager: values stand in the sentences", notification)
}

fn resolved_group() -> Sample {
    let alerts = vec![
        disk_alert("db-1", "60").resolved(40, 1),
        disk_alert("db-2", "60").resolved(40, 19),
        disk_alert("db-7", "55").resolved(31, 2),
    ];
    sample("resolved-group", "a whole group is over", notification(Format::Grafana, alerts))
}

fn many() -> Sample {
    let host = |number: usize| {
        let used = format!("{}.{}", 90 + number % 9, 1 + number % 9);
        let mut alert = disk_alert(&format!("node-{number:02}.rack-{}.bj.example.com", number % 7), &used);
        alert.starts_at = Some(ago(5 + i64::try_from(number).unwrap_or_default()));
        alert
    };
    sample("many", "more than a message can name", notification(Format::Grafana, (1..=45).map(host).collect()))
}

fn long() -> Sample {
    let mut alert = payment_alert();
    let sentence = "核心交易库主从延迟超过阈值，写入积压，应用侧出现大量超时重试。";
    alert.annotations.insert("description".to_owned(), sentence.repeat(40));
    alert.labels.insert("实例组".to_owned(), "交易核心".repeat(60));
    sample("long", "a description longer than any message", notification(Format::Grafana, vec![alert]))
}

fn hostile() -> Sample {
    let alert = alert(
        "**x** <@all> [bank](http://evil.example)",
        &[
            ("alertname", "x"),
            ("severity", "<font color=\"info\">ok</font>"),
            ("instance", "a|b`c\u{202e}d"),
            ("service", "$userName=zhangsan$"),
        ],
        &[("summary", "# 标题\n> 引用 <@zhangsan> <a href=\"http://evil.example\">点我</a> | 表 |")],
        &[("A", "1|2")],
    );
    sample("hostile", "markup, mentions and links in labels", notification(Format::Alertmanager, vec![alert]))
}

fn bare() -> Sample {
    let mut alert = alert("Watchdog", &[("alertname", "Watchdog")], &[], &[]);
    alert.starts_at = None;
    let mut notification = notification(Format::AlertsPush, vec![alert]);
    notification.external_url.clear();
    sample("bare", "a name and nothing else", notification)
}
