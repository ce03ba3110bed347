//! How long composing takes; `cargo xtask bench --only reading` runs this in release and reads the lines that begin with
//! `measured`.

use std::time::{Duration, Instant};

use super::super::samples::{samples, target};
use super::super::{Letter, Templates, Told};
use super::random::NOW;
use crate::alert::TransitionKind;
use crate::config::{Face, Language};

/// Runs of which the shortest counts.
const RUNS: u32 = 20;

/// The shortest of a few runs.
fn fastest(run: impl Fn()) -> Duration {
    let one = |_| {
        let began = Instant::now();
        run();
        began.elapsed()
    };
    (0..RUNS).map(one).min().unwrap_or_default()
}

#[test]
#[ignore = "a measurement"]
fn measured_sixty_alerts_take_two_milliseconds() {
    let (templates, _) = Templates::compile(&[]);
    let sample = samples().into_iter().find(|sample| sample.name == "alertmanager").unwrap();
    let mut notification = sample.notification.clone();
    let first = notification.alerts[0].clone();
    notification.alerts = (0..60)
        .map(|number| {
            let mut alert = first.clone();
            let host = format!("10.0.{}.{}:9100", number / 20, number % 20 + 1);
            let link = "http://p:9090/graph?g0.expr=100+-+avg+by%28instance%29+%28rate%28node_cpu_seconds_total%5B5m%5D%29%29+*+100+%3E+90";
            alert.links.rule = link.to_owned();
            alert.labels.insert("instance".to_owned(), host.clone());
            alert.annotations.insert("summary".to_owned(), format!("Host {host} is above 90% CPU"));
            let text = format!("CPU of {host} is at {}.{}% for 5 minutes, see https://wiki.example.com/cpu", 90 + number % 9, number % 10);
            alert.annotations.insert("description".to_owned(), text);
            alert
        })
        .collect();
    let told: Vec<Told<'_>> = notification
        .alerts
        .iter()
        .map(|alert| Told { alert, kind: TransitionKind::Firing, starts_at: Some(NOW), ends_at: None })
        .collect();
    for face in Face::ALL {
        let target = target(face);
        let letter =
            Letter { notification: &notification, now: NOW, ..sample.letter(&told, &target, Language::Zh, None) };
        let took = fastest(|| assert!(templates.render(&letter).problems.is_empty()));
        println!("measured | a message of 60 alerts, {} | {:.2} ms | < 2 ms", face.as_str(), took.as_secs_f64() * 1e3);
        assert!(cfg!(debug_assertions) || took < Duration::from_millis(2), "{face:?} took {took:?}");
    }
}

#[test]
#[ignore = "a measurement"]
fn measured_a_digest_of_twenty_thousand_takes_a_sixth_of_a_second() {
    let (templates, _) = Templates::compile(&[]);
    let digest = super::digests::large(20_000);
    for face in Face::ALL {
        let target = target(face);
        let took = fastest(|| _ = super::digests::render(&templates, &digest, &target, Language::Zh, &[]));
        println!("measured | a digest of 20,000, {} | {:.0} ms | < 150 ms", face.as_str(), took.as_secs_f64() * 1e3);
        assert!(cfg!(debug_assertions) || took < Duration::from_millis(150), "{face:?} took {took:?}");
    }
}

/// Measures nothing itself; run under a heap profiler: `heaptrack target/debug/deps/wegraf-… --ignored composing_a_letter_of_twenty`.
#[test]
#[ignore = "a measurement"]
fn composing_a_letter_of_twenty_thousand_under_a_heap_profiler() {
    let (templates, _) = Templates::compile(&[]);
    let sample = samples().into_iter().find(|sample| sample.name == "alertmanager").unwrap();
    let mut notification = sample.notification.clone();
    let mut first = notification.alerts.swap_remove(0);
    first.annotations.clear();
    first.labels.clear();
    let pairs = [
        ("alertname", "磁盘将满"),
        ("cluster", "prod-bj"),
        ("job", "node"),
        ("mountpoint", "/var"),
        ("severity", "warning"),
    ];
    first.labels.extend(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
    first.links.rule = "https://prometheus.example.com/graph?g0.expr=disk_used%20%3E%2090&g0.tab=1".to_owned();
    notification.alerts = (0..20_000)
        .map(|number| {
            let mut alert = first.clone();
            let host = format!("10.0.{}.{}:9100", number >> 8, number & 255);
            alert.annotations.insert("summary".to_owned(), format!("{host} 的 /var 已用 96.2%"));
            alert.annotations.insert("description".to_owned(), "按现在的速度 40 分钟后写满，先清理归档日志".to_owned());
            alert.labels.insert("instance".to_owned(), host);
            alert.labels.insert("n".to_owned(), number.to_string());
            alert
        })
        .collect();
    let told: Vec<Told<'_>> = notification
        .alerts
        .iter()
        .map(|alert| Told { alert, kind: TransitionKind::Firing, starts_at: Some(NOW), ends_at: None })
        .collect();
    let target = target(Face::MarkdownV2);
    let letter = Letter { notification: &notification, now: NOW, ..sample.letter(&told, &target, Language::Zh, None) };
    let took = fastest(|| assert!(templates.render(&letter).problems.is_empty()));
    println!("a letter of 20,000 in {took:?}");
}
