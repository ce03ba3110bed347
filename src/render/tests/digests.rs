//! Digests: how they read, that names and counts add up, and that nothing breaks them.

use std::fmt::Write as _;

use jiff::tz::{Offset, TimeZone};

use super::super::samples::target;
use super::super::{DigestLetter, Note, RenderedDigest, Templates};
use super::checker::{Allowed, fault, readable};
use super::golden::seen;
use super::random::{Dice, NOW, THREAD, note_fault};
use crate::alert::{Labels, Status, Timestamp};
use crate::config::{Channel, Face, Language, Target};
use crate::names::LaneKey;
use crate::store::{Digest, DigestGroup, DigestItem, DigestOther};
use crate::subject::Taught;

const URL: &str = "https://alerts.example.com/d/41?until=1791785640&s=AAAAAAAAAAAAAAAA";

fn ago(seconds: i64) -> Timestamp {
    NOW.plus_millis(-seconds * 1000)
}

fn item(alert: i64, name: &str, labels: &[(&str, &str)]) -> DigestItem {
    let labels: Labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    DigestItem {
        alert,
        name: name.to_owned(),
        critical: labels.get("severity").is_some_and(|severity| severity == "critical"),
        labels,
        status: Status::Firing,
        starts_at: Some(ago(150)),
        ends_at: None,
        changes: 1,
    }
}

fn over(item: DigestItem, lasted: i64) -> DigestItem {
    let starts_at = Some(ago(60 + lasted));
    DigestItem { status: Status::Resolved, starts_at, ends_at: Some(ago(60)), changes: 2, ..item }
}

fn group(name: &str, severity: &str, firing: u64, resolved: u64) -> DigestGroup {
    DigestGroup {
        name: name.to_owned(),
        severity: severity.to_owned(),
        critical: severity == "critical",
        firing,
        resolved,
    }
}

/// A digest of `items` and further alerts that only `groups` know.
fn digest(items: Vec<DigestItem>, groups: Vec<DigestGroup>, other: DigestOther, critical: u64) -> Digest {
    let firing = groups.iter().map(|group| group.firing).sum::<u64>() + other.firing;
    let resolved = groups.iter().map(|group| group.resolved).sum::<u64>() + other.resolved;
    let changes = items.iter().map(|item| item.changes - 1).sum::<u64>();
    let transitions = firing + resolved + changes;
    Digest { firing, resolved, notices: 0, transitions, critical, from: ago(140), to: ago(20), items, groups, other }
}

fn storm() -> Digest {
    let mut items = vec![
        item(
            1,
            "核心交换机不可达",
            &[("alertname", "核心交换机不可达"), ("severity", "critical"), ("instance", "sw-core-1")],
        ),
        item(2, "支付成功率低", &[("severity", "critical"), ("region", "上海一区"), ("service", "payment-api")]),
        item(3, "主库只读", &[("severity", "critical"), ("instance", "order-db")]),
    ];
    items[2].changes = 5;
    let hosts = (0..150).map(|host| {
        let name = format!("node-{host:03}.rack-{}.bj.example.com", host % 9);
        item(10 + host, "主机失联", &[("severity", "warning"), ("idc", "机房 B"), ("instance", &name)])
    });
    items.extend(hosts);
    items.push(item(180, "队列积压", &[("severity", "warning"), ("topic", "order-paid")]));
    items.push(item(181, "证书将到期", &[("severity", "info"), ("instance", "gw-1")]));
    items.push(item(182, "证书将到期", &[("severity", "info"), ("instance", "gw-2")]));
    let mut groups = vec![
        group("主机失联", "warning", 812, 12),
        group("接口 5xx", "warning", 240, 3),
        group("磁盘将满", "warning", 146, 0),
    ];
    groups.extend((1..=8).map(|rule| group(&format!("规则 {rule}"), "warning", 14 - rule, u64::from(rule < 3))));
    groups.extend([group("证书将到期", "info", 2, 0), group("队列积压", "warning", 1, 0)]);
    groups.extend(["核心交换机不可达", "支付成功率低", "主库只读"].map(|name| group(name, "critical", 1, 0)));
    let listed: u64 = groups.iter().map(|group| group.firing).sum();
    digest(items, groups, DigestOther { groups: 1, firing: 1284 - listed, resolved: 0 }, 3)
}

/// `count` hosts of twenty rules.
pub(super) fn large(count: i64) -> Digest {
    let rule = |number: i64| format!("规则 {}", number % 20);
    let host = |number: i64| {
        let name = format!("node-{number:05}.rack-{}.bj.example.com", number % 9);
        item(number, &rule(number), &[("severity", "warning"), ("idc", "机房 B"), ("instance", &name)])
    };
    let groups = (0..20).map(|number| group(&rule(number), "warning", (count / 20).unsigned_abs(), 0)).collect();
    digest((0..count).map(host).collect(), groups, DigestOther::default(), 0)
}

fn resolved() -> Digest {
    let one = |alert: i64, instance: &str| {
        over(item(alert, "磁盘将满", &[("severity", "critical"), ("env", "生产"), ("instance", instance)]), 1260)
    };
    let mut items = vec![one(1, "db-1"), one(2, "db-2"), one(3, "db-7")];
    items.push(over(
        item(4, "支付成功率低", &[("severity", "critical"), ("env", "生产"), ("service", "payment-api")]),
        300,
    ));
    digest(
        items,
        vec![group("磁盘将满", "critical", 0, 3), group("支付成功率低", "critical", 0, 1)],
        DigestOther::default(),
        0,
    )
}

fn flapping() -> Digest {
    let mut one =
        item(1, "支付成功率低", &[("severity", "critical"), ("region", "上海一区"), ("service", "payment-api")]);
    one.changes = 37;
    let digest = digest(vec![one], vec![group("支付成功率低", "critical", 1, 0)], DigestOther::default(), 1);
    Digest { from: ago(2400), ..digest }
}

fn two() -> Digest {
    let items = vec![
        item(1, "主库只读", &[("severity", "critical"), ("cluster", "prod-bj"), ("instance", "order-db-1")]),
        item(2, "接口 5xx", &[("severity", "warning"), ("cluster", "prod-bj"), ("service", "order-api")]),
    ];
    digest(
        items,
        vec![group("主库只读", "critical", 1, 0), group("接口 5xx", "warning", 1, 0)],
        DigestOther::default(),
        1,
    )
}

fn one_rule() -> Digest {
    let node = |number: i64| {
        item(
            number,
            "磁盘将满",
            &[("severity", "warning"), ("env", "生产"), ("business", "订单库"), ("instance", &format!("db-{number}"))],
        )
    };
    digest((1..=9).map(node).collect(), vec![group("磁盘将满", "warning", 9, 0)], DigestOther::default(), 0)
}

fn mixed() -> Digest {
    let mut digest = two();
    digest.items[0].starts_at = Some(ago(9000));
    digest.items.push(over(
        item(3, "接口 5xx", &[("severity", "warning"), ("cluster", "prod-bj"), ("service", "user-api")]),
        600,
    ));
    digest.groups[1].resolved = 1;
    Digest { resolved: 1, transitions: 4, ..digest }
}

fn rerouted(language: Language) -> Vec<Note> {
    let reason = if language == Language::Zh { "群机器人已被移除" } else { "the webhook was removed" };
    let lane = "webhook/ops-group".to_owned();
    vec![Note::Repeated, Note::Fallback { lane: LaneKey::stored(lane), reason: reason.to_owned(), missed: Vec::new() }]
}

pub(super) fn render(
    templates: &Templates,
    digest: &Digest,
    target: &Target,
    language: Language,
    notes: &[Note],
) -> RenderedDigest {
    templates.render_digest(&DigestLetter {
        digest,
        target,
        language,
        timezone: &TimeZone::fixed(Offset::constant(8)),
        levels: crate::level::Levels::shipped(),
        taught: Taught::NOTHING,
        now: NOW,
        thread: THREAD,
        details_url: Some(URL),
        notes,
    })
}

#[test]
fn a_start_that_all_share_is_said_once() {
    let mut begun = two();
    for item in &mut begun.items {
        item.starts_at = Some(ago(9000));
    }
    let templates = Templates::compile(&[]).0;
    for (language, said) in [(Language::Zh, "均自 11:44"), (Language::En, "all since 11:44")] {
        for face in [Face::Text, Face::Markdown, Face::MarkdownV2, Face::Textcard, Face::News, Face::Card] {
            let text = readable(&render(&templates, &begun, &target(face), language, &[]).parts[0]);
            assert_eq!((text.matches("11:44").count(), text.matches(said).count()), (1, 1), "{text}");
        }
    }
    begun.items[0].starts_at = Some(ago(9600));
    let text = readable(&render(&templates, &begun, &target(Face::Text), Language::Zh, &[]).parts[0]);
    assert!(text.contains("（自 11:34）") && text.contains("（自 11:44）") && !text.contains('均'), "{text}");
}

#[test]
fn the_title_of_a_rule_alone_names_what_it_is_about() {
    let templates = Templates::compile(&[]).0;
    for (digest, title, below) in [
        (flapping(), "[严重] 支付成功率低 · payment-api 反复变化 37 次，仍在告警", "上海一区"),
        (one_rule(), "[警告] 磁盘将满 ×9 · 订单库", "生产"),
    ] {
        let text = readable(&render(&templates, &digest, &target(Face::Text), Language::Zh, &[]).parts[0]);
        let mut lines = text.lines();
        assert_eq!(lines.next().unwrap(), title, "{text}");
        assert_eq!(lines.next().unwrap().split(" · ").next().unwrap(), below, "{text}");
        for face in Face::ALL {
            let text = readable(&render(&templates, &digest, &target(face), Language::Zh, &[]).parts[0]);
            assert!(text.contains("payment-api") || text.matches("订单库").count() == 1, "{face:?}: {text}");
        }
    }
}

#[test]
fn digests_in_every_face_and_language_read_as_reviewed() {
    let (templates, _) = Templates::compile(&[]);
    let samples = [
        ("digest-storm", storm(), false),
        ("digest-resolved", resolved(), false),
        ("digest-flapping", flapping(), false),
        ("digest-two", two(), false),
        ("digest-one-rule", one_rule(), false),
        ("digest-mixed-noted", mixed(), true),
    ];
    super::golden::settings().bind(|| {
        for (name, digest, noted) in samples {
            for language in [Language::Zh, Language::En] {
                let mut all = String::new();
                let notes = if noted { rerouted(language) } else { Vec::new() };
                for face in Face::ALL {
                    let rendered = render(&templates, &digest, &target(face), language, &notes);
                    assert_eq!(rendered.problems, []);
                    let _ = writeln!(
                        all,
                        "\n-------- {} ({} of {}; {} named)\n{}",
                        rendered.face.as_str(),
                        rendered.bytes_used,
                        rendered.bytes_allowed,
                        rendered.named.len(),
                        seen(&rendered.parts)
                    );
                }
                insta::assert_snapshot!(format!("{name}.{}", language.as_str()), all);
            }
        }
    });
}

impl Dice {
    /// Digests of few alerts and of very many; of `clean` names, which hold no digits, or of hostile ones.
    fn digest(&mut self, clean: bool) -> Digest {
        let names = self.pick(&[1, 2, 5, 40]);
        let names: Vec<String> = (0..names).map(|number| if clean { letters(number) } else { self.text(3) }).collect();
        let mut groups: Vec<DigestGroup> = Vec::new();
        let mut items = Vec::new();
        let mut add = |dice: &mut Self, name: &String, known: bool| {
            let severity = dice.pick(&["critical", "warning", "P1", "", "info", "<@EVIL>"]);
            let labels: Labels = [("severity", severity.to_owned()), ("instance", dice.text_of(clean))]
                .map(|(name, value)| (name.to_owned(), value))
                .into();
            let critical = matches!(severity, "critical" | "P1");
            let status = if dice.one_in(3) { Status::Resolved } else { Status::Firing };
            let count = if known { 1 } else { 1 + dice.roll() % dice.pick(&[3, 50, 100_000]) };
            let (firing, resolved) = if status == Status::Firing { (count, 0) } else { (0, count) };
            match groups.iter_mut().find(|group| &group.name == name && group.severity == severity) {
                Some(group) => {
                    group.firing += firing;
                    group.resolved += resolved;
                }
                None => groups.push(DigestGroup {
                    name: name.clone(),
                    severity: severity.to_owned(),
                    critical,
                    firing,
                    resolved,
                }),
            }
            if known {
                items.push(DigestItem {
                    alert: i64::try_from(items.len()).unwrap(),
                    name: name.clone(),
                    critical,
                    labels,
                    status,
                    starts_at: dice.time(),
                    ends_at: dice.time(),
                    changes: 1 + dice.roll() % 40,
                });
            }
        };
        let known = self.pick(&[1, 3, 10, 10, 200]);
        for _ in 0..=self.below(known) {
            let name = &names[self.below(names.len())];
            add(self, name, true);
        }
        for _ in 0..self.below(8) {
            let name = &names[self.below(names.len())];
            add(self, name, false);
        }
        groups.sort_by_key(|group| std::cmp::Reverse(group.firing));
        let mut critical: u64 = groups.iter().filter(|group| group.critical).map(|group| group.firing).sum();
        let mut other = DigestOther::default();
        if self.one_in(4) {
            // Some of the smallest groups are known by number only.
            for group in groups.split_off(groups.len() - self.below(groups.len())) {
                other.groups += 1;
                other.firing += group.firing;
                other.resolved += group.resolved;
            }
        }
        if groups.is_empty() && other.groups == 0 {
            critical = 0;
        }
        let digest = digest(items, groups, other, critical);
        let transitions = digest.transitions.max(digest.firing + digest.resolved);
        let (from, to) = (self.time().unwrap_or(NOW), self.time().unwrap_or(NOW));
        Digest { transitions, from: from.min(to), to: to.max(from), ..digest }
    }

    fn text_of(&mut self, clean: bool) -> String {
        if clean { letters(self.below(300)) } else { self.text(2) }
    }
}

/// A name without digits and signs.
fn letters(mut number: usize) -> String {
    let mut name = "甲".to_owned();
    while number > 0 {
        name.push(['a', 'b', 'c', 'd', 'e', 'f', 'g'][number % 7]);
        number /= 7;
    }
    name
}

#[test]
fn hostile_digests_of_millions_of_alerts_break_nothing() {
    let (templates, _) = Templates::compile(&[]);
    let trial = |seed: u64| -> Option<String> {
        let mut dice = Dice(seed);
        let digest = dice.digest(false);
        let target = Target { parts: 1, ..dice.target() };
        let notes = dice.notes();
        let rendered = templates.render_digest(&DigestLetter {
            digest: &digest,
            target: &target,
            language: dice.pick(&[Language::Zh, Language::En]),
            timezone: &TimeZone::fixed(Offset::constant(8)),
            levels: crate::level::Levels::shipped(),
            taught: Taught::NOTHING,
            now: NOW,
            thread: THREAD,
            details_url: dice.pick(&[None, Some("https://ok.example/d/41"), Some("javascript:alert(1)")]),
            notes: &notes,
        });
        wrong(&digest, &target, &notes, &rendered)
            .map(|wrong| format!("seed {seed}: {wrong}\n{target:?}\n{:#?}", rendered.parts))
    };
    let wrong = std::thread::scope(|scope| {
        let odd = scope.spawn(|| (0..2_500).find_map(|half| trial(2 * half + 1)));
        (0..2_500).find_map(|half| trial(2 * half)).or_else(|| odd.join().unwrap())
    });
    if let Some(wrong) = wrong {
        panic!("{wrong}");
    }
}

fn wrong(digest: &Digest, target: &Target, notes: &[Note], rendered: &RenderedDigest) -> Option<String> {
    let channel = target.channel();
    let mut mentions: std::collections::BTreeSet<String> = target.mention.iter().cloned().collect();
    if !matches!(channel, Channel::Chat | Channel::Webhook) || digest.firing == 0 {
        mentions.clear();
    }
    if channel == Channel::Webhook && digest.firing > 0 {
        mentions.extend(target.mention_mobiles.iter().cloned());
    }
    let allowed = Allowed { channel, mentions, urls: vec!["https://ok.example", URL] };
    let [part] = rendered.parts.as_slice() else { return Some("not one part".to_owned()) };
    let text = readable(part);
    let known = |alert: &i64| digest.items.iter().any(|item| item.alert == *alert);
    if let Some(fault) = fault(part, &allowed) {
        return Some(fault);
    }
    if !rendered.problems.is_empty() {
        return Some(format!("{:?}", rendered.problems));
    }
    if rendered.bytes_used > rendered.bytes_allowed || !rendered.face.fits(channel) {
        return Some("too much, or not to be sent there".to_owned());
    }
    if !text.contains(&format!("#{THREAD}")) {
        return Some("no id".to_owned());
    }
    if !rendered.named.is_sorted_by(|a, b| a < b) || !rendered.named.iter().all(known) {
        return Some(format!("named {:?}", rendered.named));
    }
    note_fault(notes, &[text])
}

/// Reads a digest of clean names as a person would who adds up: the total of each section by its heading, and what
/// its lines name and count.
fn sums<'a>(text: &'a str, digest: &Digest) -> Vec<(u64, u64, u64)> {
    let figure =
        |words: &str| -> u64 { words.chars().filter(char::is_ascii_digit).collect::<String>().parse().unwrap_or(1) };
    let mut sums: Vec<(u64, u64, u64)> = Vec::new();
    for line in text.lines().skip(1) {
        let Some(entry) = line.strip_prefix("- ") else {
            let heading =
                line.trim_end_matches([':', '：']).split("，按").next().unwrap().split(", by").next().unwrap();
            let is_heading = ["CRIT", "严重", "其余", "已恢复"].iter().any(|word| heading.starts_with(word))
                || heading.ends_with(" more")
                || heading.ends_with(" resolved");
            if is_heading {
                sums.push((figure(heading), 0, 0));
            }
            continue;
        };
        if sums.is_empty() {
            sums.push((if digest.firing > 0 { digest.firing } else { digest.resolved }, 0, 0));
        }
        let (_, named, counted) = sums.last_mut().unwrap();
        let english = |entry: &'a str| {
            let (count, rest) = entry.split_once(" more")?;
            let counts = count.chars().all(|c| c.is_ascii_digit() || c == ',');
            (counts && (rest.is_empty() || rest.starts_with(':'))).then_some(count)
        };
        let remainder = entry.strip_prefix("其余 ").or_else(|| english(entry));
        match (remainder, entry.split_once('×')) {
            (Some(rest), parts) => {
                let total = figure(rest.split([':', '：', '条']).next().unwrap());
                let listed: u64 = entry
                    .split('×')
                    .skip(1)
                    .map(|part| figure(part.split(['，', ' ']).next().unwrap().split(", ").next().unwrap()))
                    .sum();
                assert!(parts.is_none() || listed == total, "{entry}");
                *counted += total;
            }
            (None, Some((_, times))) => {
                let (times, names) = times.split_once([':', '：']).unwrap_or((times, ""));
                let rest = |name: &str| {
                    let name = name.trim();
                    (name.starts_with("另 ") && name.ends_with(" 个")) || name.ends_with(" more")
                };
                let names = names
                    .split('，')
                    .flat_map(|names| names.split(", "))
                    .filter(|name| !name.trim().is_empty() && !rest(name))
                    .count() as u64;
                *named += names;
                *counted += figure(times) - names;
            }
            (None, None) => *named += 1,
        }
    }
    sums
}

#[test]
fn names_and_counts_add_up_to_every_printed_total() {
    let (templates, _) = Templates::compile(&[]);
    let text_target = target(Face::Text);
    for seed in 0..2_000 {
        let mut dice = Dice(seed);
        let digest = dice.digest(true);
        let language = dice.pick(&[Language::Zh, Language::En]);
        let rendered = render(&templates, &digest, &text_target, language, &[]);
        let text = readable(&rendered.parts[0]);
        let sums = sums(&text, &digest);
        let mut named_in_text = 0;
        for (total, named, counted) in &sums {
            named_in_text += named;
            assert!(named + counted == *total || named + counted == 0, "seed {seed}: {sums:?}\n{text}");
        }
        assert_eq!(named_in_text, rendered.named.len() as u64, "seed {seed}: {sums:?}\n{text}");
        let totals: u64 = sums.iter().map(|(total, ..)| total).sum();
        assert_eq!(totals, digest.firing + digest.resolved, "seed {seed}: {sums:?}\n{text}");
    }
}

/// The negative control: without neutralising, the checker sees what labels can do.
#[test]
fn a_digest_that_is_not_neutralised_is_seen() {
    let mut digest = two();
    digest.items[1].labels.insert("service".to_owned(), "<@zhangsan> [bank](http://evil.example)".to_owned());
    let (templates, _) = Templates::compile(&[]);
    let target = target(Face::Text);
    let judge = || wrong(&digest, &target, &[], &render(&templates, &digest, &target, Language::Zh, &[]));
    assert_eq!(judge(), None);
    super::super::neutral::OFF.set(true);
    let seen = judge();
    super::super::neutral::OFF.set(false);
    assert!(seen.is_some_and(|seen| seen.starts_with("mention")));
}

/// The negative control: a message that names one alert fewer does not add up.
#[test]
fn a_line_that_is_lost_is_noticed() {
    let (templates, _) = Templates::compile(&[]);
    let text = readable(&render(&templates, &storm(), &target(Face::Text), Language::Zh, &[]).parts[0]);
    assert!(sums(&text, &storm()).iter().all(|(total, named, counted)| named + counted == *total), "{text}");
    let lost = text.replace("- 主库只读 · order-db（变化 5 次）\n", "");
    assert!(sums(&lost, &storm()).iter().any(|(total, named, counted)| named + counted != *total), "{lost}");
}

#[test]
fn alerts_that_cannot_be_told_apart_are_counted_and_not_named() {
    let twin = |alert| item(alert, "磁盘将满", &[("severity", "warning"), ("instance", "db-1")]);
    let digest = digest(vec![twin(1), twin(2)], vec![group("磁盘将满", "warning", 2, 0)], DigestOther::default(), 0);
    let rendered = render(&Templates::compile(&[]).0, &digest, &target(Face::Text), Language::Zh, &[]);
    let text = readable(&rendered.parts[0]);
    assert!(rendered.named.is_empty(), "{text}");
    assert!(text.starts_with("[警告] 磁盘将满 ×2"), "{text}");
}

#[test]
fn critical_alerts_are_named_before_any_other_has_a_place() {
    let mut digest = storm();
    let switch = |number: i64| {
        item(1000 + number, "交换机不可达", &[("severity", "critical"), ("instance", &format!("sw-{number}"))])
    };
    digest.items.splice(3..3, (0..40).map(switch));
    digest.groups.push(group("交换机不可达", "critical", 40, 0));
    let digest = Digest { firing: digest.firing + 40, critical: 43, transitions: digest.transitions + 40, ..digest };
    for face in Face::ALL {
        let rendered = render(&Templates::compile(&[]).0, &digest, &target(face), Language::Zh, &[]);
        // A card has three rows for rules with critical alerts, the largest first.
        let first: &[i64] = if face == Face::Card { &[1, 2] } else { &[1, 2, 3] };
        assert!(rendered.named.len() >= first.len(), "{face:?}: {:?}", rendered.named);
        let critical = |alert: &&i64| (1..=3).contains(*alert) || **alert >= 1000;
        assert!(
            rendered.named.iter().filter(critical).count() >= rendered.named.len().min(20),
            "{face:?}: {:?}",
            rendered.named
        );
        assert!(rendered.named.starts_with(first), "{face:?}: {:?}", rendered.named);
    }
}

/// 183 critical alerts of two rules, whose names form no runs, beside 3,754 others.
fn critical_storm(name: impl Fn(i64) -> String) -> Digest {
    let one = |number: i64, severity: &str| {
        let rule = if severity == "critical" { number % 2 } else { 2 + number % 20 };
        item(number, &format!("规则 {rule}"), &[("severity", severity), ("instance", &name(number))])
    };
    let mut items: Vec<DigestItem> = (0..183).map(|number| one(number, "critical")).collect();
    items.extend((183..300).map(|number| one(number, "warning")));
    let mut groups = vec![group("规则 0", "critical", 92, 0), group("规则 1", "critical", 91, 0)];
    groups.extend((2..22).map(|rule| group(&format!("规则 {rule}"), "warning", if rule == 2 { 201 } else { 187 }, 0)));
    digest(items, groups, DigestOther::default(), 183)
}

#[test]
fn others_are_named_beside_ten_critical_alerts_or_are_only_counted() {
    let word = |number: i64| format!("k{}-{}", letters(7 * usize::try_from(number).unwrap()), number * 7919 % 10_007);
    let long = |number: i64| format!("{}.{}", word(number), "compute.internal.example".repeat(3));
    let templates = Templates::compile(&[]).0;
    for (digest, all_named) in [(critical_storm(word), true), (critical_storm(long), false)] {
        for face in Face::ALL {
            for language in [Language::Zh, Language::En] {
                let rendered = render(&templates, &digest, &target(face), language, &[]);
                let critical = rendered.named.iter().filter(|alert| **alert < 183).count();
                let others = rendered.named.len() - critical;
                let text = readable(&rendered.parts[0]);
                assert!(critical >= 10 || others == 0, "{face:?}: {critical} critical and {others} others\n{text}");
                let paged = matches!(face, Face::Text | Face::Markdown | Face::MarkdownV2);
                assert!(
                    !(paged && all_named) || (critical >= 10 && others > 0),
                    "{face:?}: {critical}, {others}\n{text}"
                );
            }
        }
    }
}

#[test]
fn a_digest_names_what_the_user_taught() {
    let (templates, _) = Templates::compile(&[]);
    let shard = |number: i64| {
        let (row, shard) = (number.to_string(), format!("orders-{number}"));
        item(
            number,
            "分片不可写",
            &[("severity", "critical"), ("instance", &row), ("shard_name", &shard), ("rack", "r1")],
        )
    };
    let digest =
        digest(vec![shard(1), shard(2)], vec![group("分片不可写", "critical", 2, 0)], DigestOther::default(), 2);
    let text = |taught: &Taught| {
        let target = target(Face::Text);
        let letter = DigestLetter {
            digest: &digest,
            target: &target,
            language: Language::Zh,
            timezone: &TimeZone::fixed(Offset::constant(8)),
            levels: crate::level::Levels::shipped(),
            taught,
            now: NOW,
            thread: THREAD,
            details_url: Some(URL),
            notes: &[],
        };
        readable(&templates.render_digest(&letter).parts[0])
    };
    let taught = Taught { object: vec!["shard_name".to_owned()], place: Vec::new(), hidden: vec!["rack".to_owned()] };
    let (shipped, own) = (text(Taught::NOTHING), text(&taught));
    assert!(!shipped.contains("orders-1") && own.contains("orders-1") && own.contains("orders-2"), "{shipped}\n{own}");
}
