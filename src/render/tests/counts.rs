//! Groups of every size: each alert is named or counted once, and the figures of a message add up.

use std::sync::LazyLock;

use jiff::tz::{Offset, TimeZone};
use regex::Regex;

use super::super::samples::{samples, target};
use super::super::{Letter, Templates, Told};
use super::checker::readable;
use super::random::{Dice, NOW};
use crate::alert::{Alert, Labels, Links, Notification, Status, TransitionKind, Value};
use crate::config::{Face, Language, Target, To};

/// A group of one rule: hosts in numbers, hosts with gaps, pods of workloads, or things without any order.
fn group(dice: &mut Dice, count: usize) -> Notification {
    let base = samples().swap_remove(0).notification;
    let kind = dice.below(4);
    let valued = dice.one_in(2);
    let gap = 1 + dice.below(3);
    let mut notification = base;
    let first = notification.alerts.swap_remove(0);
    let one = |number: usize, dice: &mut Dice| -> Alert {
        let mut alert = Alert { values: Vec::new(), ..first.clone() };
        alert.annotations.clear();
        alert.labels.retain(|name, _| name == "alertname" || name == "severity");
        alert.links = Links::default();
        let mut label = |name: &str, value: String| _ = alert.labels.insert(name.to_owned(), value);
        match kind {
            0 => label("instance", format!("host-{number:05}")),
            1 => label("instance", format!("host-{:05}", number * gap + number % 7)),
            2 => {
                label("namespace", "pay".to_owned());
                let load = ["api", "web", "job", "cache"][number * number % 4 % (1 + count % 4)];
                label("pod", format!("{load}-7d9f6c5b8-{}", tail(number)));
            }
            _ => label("topic", format!("topic{}", tail(number))),
        }
        if valued {
            let text = format!("{}", dice.below(900));
            alert.values = vec![Value { name: "A".to_owned(), text, tags: Labels::new() }];
        }
        alert
    };
    notification.alerts = (0..count).map(|number| one(number, dice)).collect();
    notification.title.clear();
    notification.message.clear();
    notification
}

/// Five letters that differ for each number and hold no digit.
fn tail(mut number: usize) -> String {
    let mut text = String::new();
    for _ in 0..5 {
        text.push(char::from(b"bcdfghjklmnpqrstvwxz"[number % 20]));
        number /= 20;
    }
    text
}

/// How many alerts the lines of `body` stand for: a figure behind `×` for its whole line, else names, runs of names
/// and what is left.
fn accounted(body: &str) -> usize {
    static TIMES: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"×([0-9,]+)").unwrap());
    static LEFT: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?:另 ([0-9,]+) [个项]|([0-9,]+) more)").unwrap());
    static RUN: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"([0-9]+)…([0-9]+)").unwrap());
    static NAME: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"host-[0-9]+|…?-?[0-9]{5}|topic[a-z]{5}|…-?[a-z]{5}|[a-z]+-7d9f6c5b8-[a-z]{5}").unwrap()
    });
    let figure = |text: &str| text.replace(',', "").parse::<usize>().unwrap();
    let line = |line: &str| -> usize {
        let times: Vec<usize> = TIMES.captures_iter(line).map(|found| figure(&found[1])).collect();
        assert!(times.len() < 2, "two figures in one line: {line}");
        if let Some(times) = times.first() {
            return *times;
        }
        let left: usize =
            LEFT.captures_iter(line).map(|found| figure(found.get(1).or_else(|| found.get(2)).unwrap().as_str())).sum();
        let runs: usize = RUN
            .captures_iter(line)
            .map(|found| {
                let digits = found[2].len();
                let start = &found[1][found[1].len() - digits..];
                figure(&found[2]) + 1 - figure(start)
            })
            .sum();
        let rest = RUN.replace_all(line, "");
        let rest = LEFT.replace_all(&rest, "");
        left + runs + NAME.find_iter(&rest).count()
    };
    body.lines().map(line).sum()
}

#[test]
fn what_is_named_and_what_is_counted_is_the_whole_group() {
    let (templates, _) = Templates::compile(&[]);
    let zone = TimeZone::fixed(Offset::constant(8));
    for seed in 0..80 {
        let mut dice = Dice(seed);
        let count = match seed {
            0 => 10_000,
            1 => 2_000 + dice.below(2_000),
            _ if dice.one_in(3) => 60 + dice.below(500),
            _ => 2 + dice.below(60),
        };
        let notification = group(&mut dice, count);
        let told: Vec<Told<'_>> = notification
            .alerts
            .iter()
            .map(|alert| Told { alert, kind: TransitionKind::Firing, starts_at: Some(NOW), ends_at: None })
            .collect();
        assert!(notification.alerts.iter().all(|alert| alert.status == Status::Firing));
        let email = Target { to: To::Email { to: vec!["ops@example.com".to_owned()] }, ..target(Face::Text) };
        let sample = samples().swap_remove(0);
        for (target, language) in [
            (target(Face::Text), Language::Zh),
            (target(Face::Text), Language::En),
            (target(Face::Markdown), Language::Zh),
            (target(Face::News), Language::Zh),
            (email, Language::Zh),
        ] {
            let letter = Letter {
                notification: &notification,
                timezone: &zone,
                now: NOW,
                details_url: None,
                offer: super::super::Offer::Nothing,
                ..sample.letter(&told, &target, language, None)
            };
            let rendered = templates.render(&letter);
            let mut all: Vec<usize> = rendered.named.iter().chain(&rendered.counted).copied().collect();
            all.sort_unstable();
            assert_eq!(all, (0..count).collect::<Vec<_>>(), "seed {seed}");
            let text = match &rendered.parts[0] {
                wecom::Content::News(news) => news.articles[0].description.clone(),
                part => readable(part).split_once('\n').unwrap().1.to_owned(),
            };
            let body: Vec<&str> = text
                .lines()
                .filter(|line| !line.contains("自 ") && !line.contains("since ") && !line.contains('#'))
                .collect();
            assert_eq!(accounted(&body.join("\n")), count, "seed {seed}, {:?}: {text}", rendered.face);
        }
    }
}
