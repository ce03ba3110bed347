//! The rule against real alerts, and what holds for every alert.

mod grouping;

use std::time::{Duration, Instant};

use super::{Fate, Kind, Part, Sighting, Subject, Taught, explain, places, subject, text, told};
use crate::alert::Labels;

const TABLE: &str = include_str!("tests/expectations.txt");
const NAMED: &str = include_str!("tests/named.txt");

const STATE: &str = "job=kube-state-metrics instance=10.244.3.17:8080 endpoint=http service=kps-kube-state-metrics \
    prometheus=monitoring/kps";
const STATE_POD: &str = "container=kube-state-metrics pod=kps-kube-state-metrics-5f7d";
const NODE: &str = "job=node-exporter endpoint=http-metrics service=kps-node-exporter pod=kps-node-exporter-8xk2q \
    container=node-exporter namespace=monitoring";

struct Row {
    name: &'static str,
    labels: Labels,
    object: &'static str,
    qualifier: &'static str,
    place: &'static str,
}

/// `a=b c=d`, and the names of the usual sets.
fn labels(written: &str) -> Labels {
    let mut all = Labels::new();
    for word in written.split_whitespace() {
        match (word, word.split_once('=')) {
            ("KSM", _) => all.extend(labels(STATE)),
            ("KSM*", _) => all.extend(labels(&format!("{STATE} {STATE_POD}"))),
            ("NE", _) => all.extend(labels(NODE)),
            (_, Some((name, value))) => _ = all.insert(name.to_owned(), value.to_owned()),
            (word, None) => panic!("{word} is no label"),
        }
    }
    all
}

fn table() -> Vec<Row> {
    let rows = TABLE.lines().filter(|line| !line.starts_with('#'));
    rows.map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [name, written, object, qualifier, place] = cells[..] else { panic!("five cells: {line}") };
        Row { name, labels: labels(written), object, qualifier, place }
    })
    .collect()
}

fn seen(labels: &Labels, said: &str) -> Subject {
    subject(&Sighting { labels, said, expression: "", taught: Taught::NOTHING })
}

fn read(subject: &Subject) -> [String; 3] {
    let join = |parts: &[Part], with: &str| parts.iter().map(|part| part.text.as_str()).collect::<Vec<_>>().join(with);
    [text(&subject.object), join(&subject.qualifier, " "), places(&subject.place).join(" · ")]
}

#[test]
fn real_alerts_read_as_expected() {
    let rows = table();
    assert_eq!(rows.len(), 68);
    for Row { name, labels, object, qualifier, place } in rows {
        assert_eq!(read(&seen(&labels, "")), [object, qualifier, place], "{name}: {labels:?}");
    }
}

#[test]
fn labels_of_the_rule_and_of_the_owner_change_no_object() {
    for Row { name, mut labels, object, .. } in table() {
        for (label, value) in [
            ("severity", "critical"),
            ("team", "storage"),
            ("alertgroup", "node.rules"),
            ("replica", "a"),
            ("alertname", "X"),
            ("level", "P1"),
            ("cluster", "bj-1"),
        ] {
            labels.insert_new(label, value);
        }
        assert_eq!(read(&seen(&labels, ""))[0], object, "{name}");
    }
}

#[test]
fn values_of_any_language_make_the_same_object() {
    for Row { name, mut labels, object, .. } in table() {
        let mut wanted = object.to_owned();
        for (at, part) in seen(&labels, "").object.iter().enumerate() {
            let chinese = format!("对象{at}号");
            for value in labels.values_mut().filter(|value| **value == part.text) {
                *value = chinese.as_str().into();
                wanted = wanted.replacen(part.text.as_str(), &chinese, 1);
            }
        }
        if name != "HaproxyServerDown" {
            assert_eq!(read(&seen(&labels, ""))[0], wanted, "{name}");
        }
    }
}

#[test]
fn three_hundred_labels_more_neither_show_nor_take_long() {
    let began = Instant::now();
    for Row { name, mut labels, object, .. } in table() {
        labels.extend((0..300).map(|number| (format!("extra_{number:03}"), format!("value-{number}"))));
        assert_eq!(read(&seen(&labels, "the value is high"))[0], object, "{name}");
    }
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[test]
fn no_value_of_the_asker_the_rule_or_the_owner_is_in_an_object_a_place_or_a_qualifier() {
    for Row { name, mut labels, .. } in table() {
        labels.extend(
            [("severity", "warning-x"), ("owner", "zhangsan"), ("rule_id", "r-17")]
                .map(|(label, value)| (label.to_owned(), value.to_owned())),
        );
        let (subject, why) = explain(&Sighting { labels: &labels, said: "", expression: "", taught: Taught::NOTHING });
        let shown: Vec<&Part> = subject.object.iter().chain(&subject.place).chain(&subject.qualifier).collect();
        let silent = |fate| matches!(fate, Fate::Asked | Fate::Meta | Fate::Owner | Fate::Superseded | Fate::Empty);
        for one in why.iter().filter(|one| silent(one.fate)) {
            assert!(!shown.iter().any(|part| part.label == one.label), "{name}: {one:?} in {shown:?}");
        }
        for owner in ["zhangsan", "r-17", "warning-x"] {
            assert!(!shown.iter().any(|part| part.text.contains(owner)), "{name}");
        }
    }
}

/// Sentences as people write them: the labels in braces are what they name.
#[test]
fn what_the_author_names_is_shown() {
    let rules = NAMED.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let mut count = 0;
    for line in rules {
        let (written, sentence) = line.split_once(" | ").unwrap();
        let labels = labels(written);
        let (mut said, mut named) = (String::new(), Vec::new());
        for (at, piece) in sentence.split(['{', '}']).enumerate() {
            if at % 2 == 0 {
                said.push_str(piece);
                continue;
            }
            let value = &labels[piece.trim_start_matches('!')];
            said.push_str(value);
            if !piece.starts_with('!') {
                named.push(value.clone());
            }
        }
        let subject = seen(&labels, &told([said.as_str()]));
        let shown = format!("{} {} {}", text(&subject.object), read(&subject)[1], read(&subject)[2]);
        for value in &named {
            let bare = value.split("://").last().unwrap().trim_end_matches('/');
            let port = |port: &str| port.parse::<u16>().is_ok();
            let bare = bare.rsplit_once(':').filter(|(_, end)| port(end)).map_or(bare, |(host, _)| host);
            assert!(shown.contains(bare), "{value} is missing in {shown:?} of {said:?}");
        }
        count += 1;
    }
    assert!(count >= 30, "{count}");
}

#[test]
fn a_scrape_target_is_recognised_by_the_expression_under_any_job_name() {
    let labels = labels("job=integrations/k8s instance=10.1.1.1:8080 namespace=pay deployment=api");
    let of = |expression| Sighting { labels: &labels, said: "", expression, taught: Taught::NOTHING };
    let (_, why) = explain(&of("kube_deployment_status_replicas_unavailable > 0"));
    let fate = |name: &str| why.iter().find(|one| one.label == name).unwrap().fate;
    assert_eq!((fate("instance"), fate("job")), (Fate::Asked, Fate::Asked));
}

#[test]
fn what_the_expression_groups_by_is_the_object_where_nothing_else_is() {
    let labels = labels("shop=s-17 till=4 grade=x alertname=Y");
    let of = |expression| Sighting { labels: &labels, said: "", expression, taught: Taught::NOTHING };
    assert_eq!(text(&subject(&of("sum by (shop) (rate(errors_total[5m])) > 1")).object), "s-17");
    assert_eq!(text(&subject(&of("")).object), "");
}

#[test]
fn users_teach_objects_places_and_what_is_hidden() {
    let labels = labels("shop_id=s-17 till=4 instance=pos-9:9100 floor=B2 job=pos env=prod secret_code=x9");
    let taught = Taught {
        object: vec!["shop-id".to_owned(), "till".to_owned()],
        place: vec!["floor".to_owned()],
        hidden: vec!["env".to_owned(), "secret_code".to_owned()],
    };
    let (subject, why) =
        explain(&Sighting { labels: &labels, said: "prod x9 is slow", expression: "", taught: &taught });
    assert_eq!(read(&subject), ["s-17 till 4", "", "B2"]);
    let fate = |name: &str| why.iter().find(|one| one.label == name).unwrap().fate;
    assert_eq!((fate("env"), fate("shop_id"), fate("instance")), (Fate::Hidden, Fate::Object("taught"), Fate::Open));
    let job = Taught { object: vec!["severity".to_owned()], ..Taught::default() };
    let labels = super::tests::labels("severity=x host=db-1");
    let subject = super::subject(&Sighting { labels: &labels, said: "", expression: "", taught: &job });
    assert_eq!(text(&subject.object), "x", "the user's word counts for labels of the rule, too");
}

#[test]
fn odd_labels_break_nothing() {
    for (written, object) in [
        ("instance=[::1]:9100", "::1"),
        ("instance=fe80::1", "fe80::1"),
        ("instance=:9100", ":9100"),
        ("instance=db-1:", "db-1:"),
        ("url=https://user:pw@shop.example.com/a?token=x", "shop.example.com/a"),
        ("url=https://", ""),
        ("host=null instance=- ip=N/A", ""),
        ("主机=订单库-3 告警级别=严重 负责人=张三", "订单库-3"),
        ("namespace=monitoring pod=kps-kube-state-metrics-1 job=kube-state-metrics", "monitoring"),
        ("job=nightly-backup", "nightly-backup"),
        ("grafana_folder=支付", ""),
        ("k8s.namespace.name=pay k8s.pod.name=api-0 k8s.container.name=app", "pay/api-0 app"),
    ] {
        assert_eq!(text(&seen(&labels(written), "").object), object, "{written}");
    }
    let long = "x".repeat(10_000);
    let many: Labels = (0..5000).map(|number| (format!("l{number}"), long.clone())).collect();
    let began = Instant::now();
    assert!(seen(&many, &long).object.is_empty());
    assert!(began.elapsed() < Duration::from_secs(2));
    assert!(seen(&Labels::new(), "").object.iter().all(|part| part.kind != Kind::Place));
}

#[test]
fn a_kind_of_trouble_that_the_rules_name_says_is_not_said_again() {
    for (rule, written, shown, latent) in [
        ("KubeNodeNotReady", "node=node-07 condition=Ready status=true", "", "Ready"),
        ("KubeNodePressure", "node=node-07 condition=DiskPressure status=true", "DiskPressure", ""),
        ("NodeDiskPressure", "node=node-07 condition=DiskPressure status=true", "", "DiskPressure"),
        ("节点磁盘压力 disk_pressure", "node=node-07 condition=DiskPressure", "", "DiskPressure"),
        ("KubePodCrashLooping", "namespace=pay pod=api-0 reason=CrashLoopBackOff", "CrashLoopBackOff", ""),
        // Too short to be looked for.
        ("ContainerRoom", "namespace=pay pod=api-0 reason=OOM", "OOM", ""),
    ] {
        let labels = labels(written);
        let of = Sighting { labels: &labels, said: "", expression: "", taught: Taught::NOTHING };
        let subject = super::beside(rule, &of);
        assert_eq!((text(&subject.qualifier), text(&subject.latent)), (shown.into(), latent.into()), "{rule}");
    }
}

#[test]
fn lines_of_hidden_labels_leave_a_text() {
    let taught = Taught { hidden: vec!["Replica".to_owned(), "rack_no".to_owned()], ..Taught::default() };
    let labels = labels("replica=prometheus-1 rack.no=7 slot=3");
    let text = "磁盘将满\nreplica: prometheus-1\nrack.no: 7\nslot: 3\nreplica: another";
    assert_eq!(taught.without_hidden(text, &labels), "磁盘将满\nslot: 3\nreplica: another");
    assert_eq!(Taught::NOTHING.without_hidden(text, &labels), text);
}
