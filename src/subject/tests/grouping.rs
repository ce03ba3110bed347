//! Groups: what is shared stands once, what differs makes the rows, and every alert is in one row.

use std::time::{Duration, Instant};

use super::{labels, seen};
use crate::alert::Labels;
use crate::subject::{Folded, Group, Kind, Member, Sighting, Subject, Taught, fold, group, text};

/// The group of alerts with these labels and values, all of one severity.
fn of(written: &[(String, f64)]) -> (Group, Vec<Labels>) {
    let all: Vec<Labels> = written.iter().map(|(written, _)| labels(written)).collect();
    let subjects: Vec<Subject> = all.iter().map(|labels| seen(labels, "")).collect();
    let members: Vec<Member<'_>> = all
        .iter()
        .zip(&subjects)
        .zip(written)
        .map(|((labels, subject), (_, value))| Member {
            of: Sighting { labels, said: "", expression: "", taught: Taught::NOTHING },
            subject,
            state: 0,
            grade: 0,
            worse: Some(*value),
        })
        .collect();
    let group = group(&members);
    let mut seen: Vec<usize> = group.rows.iter().flat_map(|row| row.members.clone()).collect();
    seen.sort_unstable();
    assert_eq!(seen, (0..all.len()).collect::<Vec<_>>(), "every alert is in one row");
    (group, all)
}

fn rows(group: &Group) -> Vec<&str> {
    group.rows.iter().map(|row| row.text.as_str()).collect()
}

fn plain(written: &[&str]) -> Group {
    of(&written.iter().map(|written| ((*written).to_owned(), 0.0)).collect::<Vec<_>>()).0
}

#[test]
fn the_shared_part_stands_in_the_head_and_the_worst_row_first() {
    let disk = |host: &str, value| (format!("NE instance={host}:9100 mountpoint=/data device=/dev/vdb1"), value);
    let (group, _) = of(&[disk("10.31.4.11", -9.31), disk("10.31.4.12", -8.1)]);
    assert_eq!(text(&group.head.object), "/data");
    assert_eq!(rows(&group), ["10.31.4.12", "10.31.4.11"]);
}

#[test]
fn pods_of_one_workload_are_told_by_their_ends() {
    let pod = |end: &str| {
        format!("KSM cluster=sh-prod namespace=pay pod=api-7d9f6c5b8-{end} container=app reason=CrashLoopBackOff")
    };
    let written: Vec<String> = ["x2k9q", "bcdfg", "k2q9d"].map(pod).to_vec();
    let group = plain(&written.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(text(&group.head.object), "pay/api app");
    assert_eq!((text(&group.head.qualifier), text(&group.head.place)), ("CrashLoopBackOff".into(), "sh-prod".into()));
    assert_eq!(rows(&group), ["…-bcdfg", "…-k2q9d", "…-x2k9q"]);
}

#[test]
fn rows_of_two_namespaces_keep_them() {
    let group = plain(&[
        "KSM namespace=pay pod=api-0 container=app",
        "KSM namespace=ml pod=train-0 container=main",
        "KSM namespace=pay pod=train-0 container=app",
    ]);
    assert_eq!(text(&group.head.object), "");
    assert_eq!(rows(&group), ["ml/train-0 main", "pay/api-0 app", "pay/train-0 app"]);
}

#[test]
fn a_label_of_the_company_comes_in_where_two_rows_would_read_the_same() {
    let group = plain(&[
        "host=db-1 replica=a 通道=甲通道 shard=1",
        "host=db-1 replica=a 通道=乙通道 shard=1",
        "host=db-2 replica=a 通道=甲通道 shard=2",
    ]);
    assert_eq!(rows(&group), ["db-1 乙通道", "db-1 甲通道", "db-2 甲通道"]);
    let group = plain(&["host=db-1 shard=1", "host=db-1 shard=2"]);
    assert_eq!((text(&group.head.object), rows(&group)), ("db-1".into(), vec!["shard=1", "shard=2"]));
}

#[test]
fn alerts_that_differ_only_by_the_rule_or_the_asker_are_one_row() {
    for written in [
        ["host=db-1 replica=a", "host=db-1 replica=b"],
        ["host=db-1 severity=critical", "host=db-1 severity=warning"],
        ["KSM* namespace=pay deployment=api", "namespace=pay deployment=api"],
    ] {
        let group = plain(&written);
        assert_eq!(group.rows.len(), 1, "{written:?}: {group:?}");
        assert_eq!(group.rows[0].members.len(), 2);
    }
}

#[test]
fn a_port_stays_where_two_alerts_differ_only_by_it() {
    assert_eq!(rows(&plain(&["instance=db-1:9100", "instance=db-1:9104"])), ["db-1:9100", "db-1:9104"]);
    assert_eq!(rows(&plain(&["instance=db-1:9100", "instance=db-2:9104"])), ["db-1", "db-2"]);
}

#[test]
fn kinds_of_trouble_that_differ_are_shown() {
    let group = plain(&["service=api code=503", "service=api code=500", "service=api code=404"]);
    assert_eq!((text(&group.head.object), rows(&group)), ("api".into(), vec!["code=404", "code=500", "code=503"]));
}

#[test]
fn rows_are_folded_by_the_part_that_few_values_share() {
    let mut pods = Vec::new();
    for (workload, count) in [("api", 6), ("web", 4), ("job", 2)] {
        pods.extend((0..count).map(|number| format!("namespace=pay pod={workload}-7d9f6c5b8-x2k9{number}")));
    }
    let group = plain(&pods.iter().map(String::as_str).collect::<Vec<_>>());
    let Folded::By(kind, folds) = fold(&group.rows) else { panic!("{group:?}") };
    let read: Vec<(&str, usize)> = folds.iter().map(|fold| (fold.text.as_str(), fold.rows.len())).collect();
    assert_eq!((kind, read), (Kind::Workload, vec![("api", 6), ("web", 4), ("job", 2)]));
    let hosts: Vec<String> = (18..30).map(|number| format!("host=host-{number:03} idc=机房B")).collect();
    let group = plain(&hosts.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(text(&group.head.place), "机房B");
    let Folded::Names(pieces) = fold(&group.rows) else { panic!("{group:?}") };
    assert_eq!(pieces.iter().map(|piece| piece.text.as_str()).collect::<Vec<_>>(), ["host-018…029"]);
}

/// xorshift64*.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) % end
    }

    fn group(&mut self, size: u64) -> Vec<(String, f64)> {
        let many = self.below(3) == 0;
        (0..size)
            .map(|number| {
                let name = if many { number } else { self.below(7) };
                let written = match self.below(6) {
                    0 => format!("instance=host-{name:03}:9100 mountpoint=/data"),
                    1 => format!("KSM namespace=n{} pod=api-7d9f6c5b8-x2k{name}", self.below(3)),
                    2 => format!("service=s{} api=/v{name} shop=北京{name}号", self.below(3)),
                    3 => format!("host=😀{name} idc=机房{}", self.below(2)),
                    4 => format!("x={name} 租户号={}", self.below(4)),
                    _ => format!("pod={}-{name} replica={}", "长".repeat(200), self.below(2)),
                };
                (
                    written,
                    if self.below(5) == 0 { f64::NAN } else { f64::from(u32::try_from(self.below(100)).unwrap()) },
                )
            })
            .collect()
    }
}

#[test]
fn counts_add_up_rows_are_unique_and_the_order_of_alerts_does_not_matter() {
    let mut dice = Dice(0x5eed);
    for round in 0..120 {
        let size = 2 + dice.below(if round % 40 == 0 { 2_000 } else { 40 });
        let mut written = dice.group(size);
        let (one, all) = of(&written);
        let mut texts = rows(&one);
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), one.rows.len(), "no row equals another");
        let head: Vec<&str> = one.head.object.iter().chain(&one.head.place).map(|part| part.text.as_str()).collect();
        for row in &one.rows {
            let repeated = row.parts.iter().find(|part| head.contains(&part.text.as_str()) && part.kind != Kind::Named);
            assert_eq!(repeated, None, "{head:?} in {row:?}");
        }
        let folded = match fold(&one.rows) {
            Folded::By(_, folds) => folds.iter().map(|fold| fold.rows.len()).sum::<usize>(),
            Folded::Names(pieces) => pieces.iter().map(|piece| piece.members.len()).sum(),
        };
        assert_eq!(folded, one.rows.len(), "folds add up: {all:?}");
        let middle = written.len() / 2;
        written.rotate_left(middle);
        let (other, _) = of(&written);
        assert_eq!(rows(&one), rows(&other));
    }
}

#[test]
fn ten_thousand_alerts_take_little_time() {
    let written: Vec<(String, f64)> = (0..10_000)
        .map(|number| (format!("NE instance=node-{number}:9100 mountpoint=/data x={number}"), 1.0))
        .collect();
    let began = Instant::now();
    let (group, _) = of(&written);
    assert_eq!(group.rows.len(), 10_000);
    let Folded::Names(pieces) = fold(&group.rows) else { panic!() };
    assert_eq!(pieces[0].text, "node-0…9999");
    // Some 0.5 s in a debug build; the bound tells linear from quadratic.
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}
