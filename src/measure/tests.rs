//! Tables of rules and alerts, and what holds for every number.

mod kinds;
mod real;

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::alert::{Alert, Asked, Format, Health, Links, Status, Value};
use crate::names::Discriminator;
use crate::words::Language;

/// `bounds` of a rule in words, or what else it asks.
fn asked(rule: &Rule) -> String {
    match &rule.condition {
        Condition::Bounds(bounds) => {
            let all =
                bounds.iter().map(|bound| format!("{}{}", bound.operator.sign(), (bound.limit * 1e9).round() / 1e9));
            all.collect::<Vec<_>>().join(" ")
        }
        Condition::Series { operator, limit } => format!("{} {limit}", operator.sign()),
        Condition::State => "state".to_owned(),
        Condition::Absent => "absent".to_owned(),
        Condition::Always => "always".to_owned(),
        Condition::Prediction { of } => format!("predicts {of}"),
        Condition::Open => "open".to_owned(),
    }
}

fn unit(rule: &Rule) -> String {
    let Some(unit) = &rule.unit else { return "?".to_owned() };
    let scale =
        if (unit.scale - 1.0).abs() < 1e-9 { String::new() } else { format!("×{}", (unit.scale * 1e6).round() / 1e6) };
    format!("{:?}{scale}{}", unit.kind, if unit.per_second { "/s" } else { "" })
}

#[test]
fn rules_are_understood() {
    // expression, what is asked, measure, unit
    for (expression, condition, measure, counts) in [
        ("a > 90", ">90", "a", "Count"),
        ("90 < a", ">90", "a", "Count"),
        ("(a) >= (1 + 2) * 3", "≥9", "a", "Count"),
        (
            "3 <= round((last_over_time(probe_ssl_earliest_cert_expiry[10m]) - time()) / 86400, 0.1) < 20",
            "≥3 <20",
            "round((last_over_time(probe_ssl_earliest_cert_expiry[10m]) - time()) / 86400, 0.1)",
            "Second×86400",
        ),
        (
            "q{type=\"used\"} / ignoring(instance, type) (q{type=\"hard\"} > 0) > 0.9 < 1",
            ">0.9 <1",
            "q{type=\"used\"} / ignoring(instance, type) (q{type=\"hard\"} > 0)",
            "Ratio",
        ),
        ("up == 0", "state", "up", "Count"),
        (
            "node_systemd_unit_state{state=\"failed\"} == 1",
            "state",
            "node_systemd_unit_state{state=\"failed\"}",
            "Count",
        ),
        ("(bonding_slaves - bonding_active) != 0", "state", "bonding_slaves - bonding_active", "Count"),
        ("http_response_code != 200", "≠200", "http_response_code", "Count"),
        ("ifOperStatus == 2", "state", "ifOperStatus", "Count"),
        ("absent(up{job=\"a\"})", "absent", "absent(up{job=\"a\"})", "Count"),
        ("absent_over_time(up[5m]) == 1", "absent", "absent_over_time(up[5m])", "Count"),
        ("vector(1)", "always", "vector(1)", "?"),
        ("vector(1) > 0", "always", "vector(1) > 0", "?"),
        (
            "predict_linear(node_filesystem_avail_bytes[6h], 24*3600) < 0",
            "predicts node_filesystem_avail_bytes[6h]",
            "predict_linear(node_filesystem_avail_bytes[6h], 24*3600)",
            "Byte",
        ),
        ("kube_a_spec > kube_b_status", "> kube_b_status", "kube_a_spec", "Count"),
        (
            "sum by (c) (burn1h) > on (c) (14.40 * 0.01000) and on (c) sum by (c) (burn5m) > on (c) (14.4 * 0.01)",
            ">0.144",
            "sum by (c) (burn1h)",
            "Count",
        ),
        ("a > 5 unless b < 3", ">5", "a", "Count"),
        ("a > 5 or b > 7", ">5", "a", "Count"),
        ("a and a > 5", ">5", "a", "Count"),
        ("sum(a > 85) by (x)", ">85", "sum(a) by (x)", "Count"),
        ("max(a{b=\"c > 3\"}) > -2.5e+03", ">-2500", "max(a{b=\"c > 3\"})", "Count"),
        ("time() - pg_last_autovacuum > 60*60*48", ">172800", "time() - pg_last_autovacuum", "Second"),
        ("rate(x_total[5m]) > 10m", ">600", "rate(x_total[5m])", "Count/s"),
        ("redis_memory_used_bytes > 5Gi", ">5368709120", "redis_memory_used_bytes", "Byte"),
        ("a_bytes > 100e+06", ">100000000", "a_bytes", "Byte"),
        (
            "100 - avg by (i) (rate(node_cpu_seconds_total{mode=\"idle\"}[5m])) * 100 > 80",
            ">80",
            "100 - avg by (i) (rate(node_cpu_seconds_total{mode=\"idle\"}[5m])) * 100",
            "Ratio×0.01",
        ),
        ("1 - a_free_bytes / a_total_bytes > .9", ">0.9", "1 - a_free_bytes / a_total_bytes", "Ratio"),
        (
            "(node_filesystem_avail_bytes * 100) / node_filesystem_size_bytes < 10 and ON (i) node_ro == 0",
            "<10",
            "(node_filesystem_avail_bytes * 100) / node_filesystem_size_bytes",
            "Ratio×0.01",
        ),
        (
            "rate(node_network_receive_bytes_total[2m]) * 8 / 1000 / 1000 > 800",
            ">800",
            "rate(node_network_receive_bytes_total[2m]) * 8 / 1000 / 1000",
            "Bit×1000000/s",
        ),
        (
            "histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket[5m]))) > 0.5",
            ">0.5",
            "histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket[5m])))",
            "Second",
        ),
        (
            "rate(http_seconds_sum[5m]) / rate(http_seconds_count[5m]) > 0.5",
            ">0.5",
            "rate(http_seconds_sum[5m]) / rate(http_seconds_count[5m])",
            "Second",
        ),
        ("job:latency_milliseconds:p99 > 300", ">300", "job:latency_milliseconds:p99", "Second×0.001"),
        ("cluster:requests_total:rate5m > 300", ">300", "cluster:requests_total:rate5m", "Count/s"),
        ("a_bytes / 1024^3 > 10", ">10", "a_bytes / 1024^3", "Byte×1073741824"),
        ("aws_rds_cpuutilization_average > 90", ">90", "aws_rds_cpuutilization_average", "Ratio×0.01"),
        ("cpu_usage_idle{cpu=\"cpu-total\"} < 10", "<10", "cpu_usage_idle{cpu=\"cpu-total\"}", "Ratio×0.01"),
        ("DCGM_FI_DEV_GPU_TEMP > 85", ">85", "DCGM_FI_DEV_GPU_TEMP", "Celsius"),
        ("topk(3, sum(queue_messages) by (queue)) > 1e3", ">1000", "topk(3, sum(queue_messages) by (queue))", "Count"),
        (
            "sum(count_over_time({app=\"pay\"} |= \"error\" | json | level=\"error\" [5m])) by (app) > 10",
            ">10",
            "sum(count_over_time({app=\"pay\"} |= \"error\" | json | level=\"error\" [5m])) by (app)",
            "Count",
        ),
        ("a default 0 > 5", "open", "a", "Count"),
        ("(a if b > 3) > 5", ">5", "a if b > 3", "Count"),
        (
            "sum(rate(a[$__rate_interval])) keep_metric_names > 3",
            ">3",
            "sum(rate(a[$__rate_interval])) keep_metric_names",
            "Count/s",
        ),
        ("a offset 1d > 3 # comment", ">3", "a offset 1d", "Count"),
        ("avg_over_time((a > bool 3)[1h:5m]) > 0.5", ">0.5", "avg_over_time((a > bool 3)[1h:5m])", "Count"),
        ("(a > bool 3) == 1", "state", "a > bool 3", "Count"),
        ("{__name__=\"a.b\", x=\"y\"} > 3", ">3", "{__name__=\"a.b\", x=\"y\"}", "Count"),
        ("磁盘使用率{主机=\"甲\"} > 90", ">90", "磁盘使用率{主机=\"甲\"}", "Count"),
        (
            "100 * (count(up == 0) BY (job) / count(up) BY (job)) > 10",
            ">10",
            "100 * (count(up == 0) BY (job) / count(up) BY (job))",
            "Ratio×0.01",
        ),
    ] {
        let Some(rule) = Rule::read(expression) else { panic!("not read: {expression}") };
        let got = (asked(&rule), rule.measure.as_str(), unit(&rule));
        assert_eq!(got, (condition.to_owned(), measure, counts.to_owned()), "{expression}");
        assert!(Rule::read(&rule.measure).is_some(), "the measure is an expression: {}", rule.measure);
    }
}

#[test]
fn what_is_no_expression_is_no_rule() {
    let deep = "(".repeat(100_000);
    let long = "a + ".repeat(3000) + "a > 3";
    let minus = "-".repeat(5000) + "1";
    for text in
        ["", " ", "(", "a >", "a > > 3", "SELECT 1 FROM a", "{", "a[5m", "\"", "磁盘 满了", "a{", &deep, &long, &minus]
    {
        assert_eq!(Rule::read(text), None, "{}", &text[..text.floor_char_boundary(40)]);
    }
}

#[test]
fn an_expression_is_the_same_in_another_spelling() {
    for (a, b, wanted) in [
        ("a{b=\"c\"} > .10", "a{ b = \"c\" }  >\n0.1", true),
        ("rate(a[5m]) > 1", "rate(a[5m])>1", true),
        ("rate(a[5m]) > 1", "rate(a[6m]) > 1", false),
        ("a{b=\"c d\"} > 1", "a{b=\"cd\"} > 1", false),
        ("a > 1", "a > 2", false),
        ("a > 1", "b > 1", false),
        ("{", "{", true),
    ] {
        assert_eq!(same(a, b), wanted, "{a} and {b}");
    }
}

#[test]
fn labels_and_ranges_of_a_rule() {
    let rule = Rule::read("sum by (a, b) (rate(x[5m])) / sum(increase(y[1h:5m])) > 3").unwrap();
    assert_eq!((rule.by, rule.reach), (Some(vec!["a".to_owned(), "b".to_owned()]), 3600.0));
    let rule = Rule::read("max without (c) (x) > 3").unwrap();
    assert_eq!((rule.by, rule.reach), (None, 0.0));
}

#[test]
fn expressions_are_found_in_links() {
    let annotations = Labels::new();
    for (link, wanted) in [
        ("http://p:9090/graph?g0.expr=up+%3D%3D+0&g0.tab=1", "up == 0"),
        ("http://p/query?g0.expr=a%7Bb%3D%22c%22%7D%20%2B%201%20%3E%203&g0.show_tree=0", "a{b=\"c\"} + 1 > 3"),
        ("http://vm/vmui/#/?g0.expr=a%2Bb%3E3&g0.range_input=1h", "a+b>3"),
        ("http://vm/vmui/?#/?g0.expr=a%20%3E%203", "a > 3"),
        ("http://g/explore?left=%7B%22queries%22%3A%5B%7B%22expr%22%3A%22up%20%3E%201%22%7D%5D%7D", "up > 1"),
        ("http://g/explore?left=%5B%22now-1h%22%2C%22now%22%2C%22DS%22%2C%7B%22expr%22%3A%22up%22%7D%5D", "up"),
        ("http://g/explore?panes=%7B%22x%22%3A%7B%22queries%22%3A%5B%7B%22expr%22%3A%22a%22%7D%5D%7D%7D", "a"),
        ("http://a/vmalert/alert?group_id=1&alert_id=2", ""),
        ("http://g/alerting/grafana/uid/view", ""),
        ("", ""),
        ("http://g/explore?left=%7B", ""),
    ] {
        assert_eq!(expression(link, &annotations).unwrap_or_default(), wanted, "{link}");
    }
    let annotations = Labels::from([("prom_ql".to_owned(), " cpu > 3 ".to_owned())]);
    assert_eq!(expression("", &annotations).unwrap(), "cpu > 3");
}

fn alert(expression: &str, annotations: &[(&str, &str)], values: &[(&str, &str)], labels: &[(&str, &str)]) -> Alert {
    let map =
        |pairs: &[(&str, &str)]| -> Labels { pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect() };
    let mut annotations = map(annotations);
    if !expression.is_empty() {
        annotations.insert("expression".to_owned(), expression.to_owned());
    }
    let value = |(name, text): &(&str, &str)| Value { name: (*name).into(), text: (*text).into(), tags: Labels::new() };
    Alert {
        status: Status::Firing,
        name: "规则 Rule".to_owned(),
        health: Health::Normal,
        labels: map(labels),
        annotations,
        starts_at: None,
        ends_at: None,
        lapses_at: None,
        fingerprint: String::new(),
        discriminator: Discriminator::default(),
        values: values.iter().map(value).collect(),
        asked: Asked::default(),
        links: Links::default(),
        level: None,
        kin: None,
    }
}

fn shown(alert: &Alert, format: Format, language: Language) -> String {
    let reading = Reading::of(alert, format);
    let several = reading.figures.len() > 1;
    let one = |figure: &Figure| {
        let name = if several { format!("{} ", figure.name) } else { String::new() };
        format!("{name}{}", reading.write(figure, language))
    };
    let values = reading.figures.iter().map(one).collect::<Vec<_>>().join(" · ");
    match reading.threshold(language) {
        Some(limit) if !values.is_empty() => format!("{values} ({limit})"),
        _ => values,
    }
}

#[test]
fn values_are_found_in_prose_and_dumps() {
    for (expression, text, zh, en) in [
        ("a / b > 0.25", "31.7% throttling of CPU in namespace pay", "31.7 % (> 25 %)", "31.7% (> 25%)"),
        (
            "mysql_seconds_behind_master > 30",
            "replication lag\n  VALUE = 128\n  LABELS = map[instance:10.0.0.5:9104 n:7]",
            "2 分 8 秒 (> 30 秒)",
            "2m 8s (> 30s)",
        ),
        ("up == 0", "down\n VALUE = 0\n LABELS = map[]", "", ""),
        (
            "a / b * 100 > 80",
            "More than 80% of connections are used for 5 minutes: 86.34% (limit 80%)",
            "86.3 % (> 80 %)",
            "86.3% (> 80%)",
        ),
        ("sum(lag) > 10000", "lag is currently 10342", "10,342 (> 10,000)", "10,342 (> 10,000)"),
        ("a_bytes / b_bytes * 100 < 15", "只剩 9.31%，低于 15%，最近 5 分钟", "9.3 % (< 15 %)", "9.3% (< 15%)"),
        ("rate(errors_total[5m]) > 0", "errors in the last 15m", "", ""),
        ("restarts > 0", "VALUE = 1", "", ""),
        ("rate(evictions_total[15m]) > 0", "VALUE = 0.002", "0.002 次/秒", "0.002/s"),
        ("a > 5", "5xx errors on 99th host: 7 of 9", "", ""),
        (
            "time() - x_timestamp_seconds > 120",
            "has been behind for 342.5 seconds. Current value: 342.5",
            "5 分 42 秒 (> 2 分钟)",
            "5m 42s (> 2m)",
        ),
        ("", "CPU 当前 96.2%，超过 90%", "96.2 %", "96.2%"),
        ("rate(errs_total[2m]) / rate(packets_total[2m]) > 0.01", "31 receive errors in the last two minutes", "", ""),
        ("rate(errs_total[5m]) > 0.1", "370m errors per second", "0.37 次/秒 (> 0.1 次/秒)", "0.37/s (> 0.1/s)"),
        ("x_seconds > 60", "took 2m", "", ""),
        ("disk_used > 0.9", "/data 已用 97%", "97 % (> 90 %)", "97% (> 90%)"),
        ("", "there are 7 of 9", "", ""),
        ("predict_linear(a[6h], 3600) < 0", "VALUE = -123", "", ""),
        ("x > 3", "VALUE = 1.284e+06", "128 万 (> 3)", "1.28M (> 3)"),
    ] {
        let alert = alert(expression, &[("description", text)], &[], &[("instance", "10.0.0.5:9104"), ("n", "7")]);
        let got = [Language::Zh, Language::En].map(|language| shown(&alert, Format::Alertmanager, language));
        assert_eq!(got, [zh, en], "{expression}: {text}");
    }
}

#[test]
fn grafana_refs_are_told_by_name() {
    for (values, texts, wanted) in [
        (&[("A", "96.2183"), ("C", "1")][..], "", "96.2"),
        (&[("A", "0"), ("C", "1")], "", ""),
        (&[("P50", "123.456"), ("P90", "410"), ("P99", "912")], "延迟过高", "P50 123 · P90 410 · P99 912"),
        (&[("P50", "123.456"), ("P90", "410"), ("P99", "912")], "P99 超过 800ms", "912"),
        (&[("A", "123.456"), ("B", "410")], "latency 410ms is high", "410 ms"),
        (&[("A", "96.2"), ("B", "96.2")], "", "96.2"),
        (&[("A", "7"), ("minute", "9")], "", "A 7 · minute 9"),
        (&[("A", "-1")], "", ""),
        (&[("A", "NaN")], "", "无法计算"),
        (&[("A", "NaN"), ("B", "3")], "", "3"),
        (&[("A", "+Inf")], "", "∞（分母为 0）"),
        (&[("A", "10737418240.12")], "", "107 亿"),
        (&[("A", "3 ms")], "", "3 ms"),
    ] {
        let alert = alert("", &[("summary", texts)], values, &[]);
        assert_eq!(shown(&alert, Format::Grafana, Language::Zh), wanted, "{values:?} {texts}");
        assert_eq!(Reading::of(&alert, Format::Grafana).figures.iter().filter(|one| one.raw.is_empty()).count(), 0);
    }
}

#[test]
fn a_number_that_differs_is_the_value_of_a_group() {
    let of = |text: &str, host: &str| alert("", &[("description", text)], &[], &[("host", host)]);
    let group = [of("db-1: 7 of 9 used", "db-1"), of("db-2: 8 of 9 used", "db-2")];
    let readings = Reading::of_group(&group.iter().collect::<Vec<_>>(), Format::Alertmanager);
    let raw: Vec<&str> = readings.iter().map(|reading| reading.figures[0].raw.as_str()).collect();
    assert_eq!(raw, ["7", "8"]);
    let group = [of("7 and 9 used", "db-1"), of("8 and 10 used", "db-2")];
    let readings = Reading::of_group(&group.iter().collect::<Vec<_>>(), Format::Alertmanager);
    assert!(readings.iter().all(|reading| reading.figures.is_empty()));
}

#[test]
fn numbers_are_written_for_people() {
    let of = |name: &str| Unit::named(name);
    let above = |limit: f64| vec![Bound { operator: Operator::Above, limit }];
    let mut wrong = BTreeMap::new();
    for (value, name, bounds, zh, en) in [
        (96.2183, "%", vec![], "96.2 %", "96.2%"),
        (0.523, "%", vec![], "0.52 %", "0.52%"),
        (95.0, "%", vec![], "95 %", "95%"),
        (90.04, "%", above(90.0), "90.04 %", "90.04%"),
        (99.97, "%", vec![], "99.97 %", "99.97%"),
        (0.000_04, "%", vec![], "0.00004 %", "0.00004%"),
        (0.9, "percentunit", vec![], "90 %", "90%"),
        (10342.0, "", vec![], "10,342", "10,342"),
        (1_284_000.0, "", vec![], "128 万", "1.28M"),
        (999_999.6, "", vec![], "100 万", "1M"),
        (2_147_483_648.0, "", vec![], "21.5 亿", "2.15G"),
        (10_737_418_240.0, "B", vec![], "10 GiB", "10 GiB"),
        (1_572_864.0, "B/s", vec![], "1.5 MiB/s", "1.5 MiB/s"),
        (1_073_741_823.0, "B", vec![], "1 GiB", "1 GiB"),
        (1023.0, "B", vec![], "1,023 B", "1,023 B"),
        (800.0, "Mbps", vec![], "800 Mbit/s", "800 Mbit/s"),
        (0.34, "s", vec![], "340 ms", "340 ms"),
        (0.000_25, "s", vec![], "250 µs", "250 µs"),
        (45.25, "s", vec![], "45.3 秒", "45.3s"),
        (128.0, "s", vec![], "2 分 8 秒", "2m 8s"),
        (342.5, "s", vec![], "5 分 42 秒", "5m 42s"),
        (120.0, "s", vec![], "2 分钟", "2m"),
        (120.5, "s", above(120.0), "2 分 0.5 秒", "2m 0.5s"),
        (12.4, "天", vec![], "12 天 9 小时", "12d 9h"),
        (172_801.0, "s", above(172_800.0), "2 天 1 秒", "2d 1s"),
        (-90.0, "s", vec![], "-90 秒", "-90s"),
        (0.144, "", vec![], "0.144", "0.144"),
        (2.4, "", vec![], "2.4", "2.4"),
        (0.0709, "", vec![], "0.0709", "0.0709"),
        (3.5, "次/秒", vec![], "3.5 次/秒", "3.5/s"),
        (91.0, "℃", vec![], "91 ℃", "91 °C"),
        (42.0, "条", vec![], "42 条", "42 条"),
        (1e21, "", vec![], "1×10²¹", "1×10²¹"),
        (f64::INFINITY, "%", vec![], "∞（分母为 0）", "∞ (divided by 0)"),
        (f64::NAN, "", vec![], "无法计算", "not a number"),
        (0.0, "%", vec![], "0 %", "0%"),
        (0.0, "s", vec![], "0 秒", "0s"),
        (-0.0, "", vec![], "0", "0"),
        (2.675, "", vec![], "2.68", "2.68"),
        (1e-300, "", vec![], "< 0.000000001", "< 0.000000001"),
    ] {
        let unit = of(name);
        let got = [Language::Zh, Language::En].map(|language| write(value, unit.as_ref(), &bounds, language));
        if got != [zh, en] {
            wrong.insert(format!("{value} {name}"), got);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn thresholds_are_written_once_and_only_where_they_say_something() {
    for (expression, zh, en) in [
        ("a / b > 0.25", "> 25 %", "> 25%"),
        ("a / b > 2", "> 2", "> 2"),
        ("q / p > 0.9 < 1", "90–100 %", "90–100%"),
        ("3 <= (x_expiry - time()) / 86400 < 20", "3–20 天", "3–20d"),
        ("x_seconds > 120", "> 2 分钟", "> 2m"),
        ("a > 0", "", ""),
        ("a_seconds >= 1", "≥ 1 秒", "≥ 1s"),
        ("a >= 1", "", ""),
        ("a > b", "", ""),
        ("a != 200", "≠ 200", "≠ 200"),
        ("a < 3", "< 3", "< 3"),
    ] {
        let reading = Reading { rule: Rule::read(expression).map(std::sync::Arc::new), ..Reading::default() };
        let got = [Language::Zh, Language::En].map(|language| reading.threshold(language).unwrap_or_default());
        assert_eq!(got, [zh, en], "{expression}");
    }
}

/// The number that a person reads in `text`, in base units.
fn read_back(text: &str) -> f64 {
    const STEPS: [(&str, f64); 28] = [
        (" 万亿", 1e12),
        (" 亿", 1e8),
        (" 万", 1e4),
        (" 天", 86_400.0),
        (" 小时", 3600.0),
        (" 分钟", 60.0),
        (" 分", 60.0),
        (" 秒", 1.0),
        (" ms", 1e-3),
        (" µs", 1e-6),
        (" %", 0.01),
        ("%", 0.01),
        (" KiB", 1024.0),
        (" MiB", 1_048_576.0),
        (" GiB", 1_073_741_824.0),
        (" TiB", 1_099_511_627_776.0),
        (" PiB", 1_125_899_906_842_624.0),
        (" EiB", 1_152_921_504_606_846_976.0),
        (" B", 1.0),
        ("d", 86_400.0),
        ("h", 3600.0),
        ("m", 60.0),
        ("s", 1.0),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
        ("P", 1e15),
        ("E", 1e18),
    ];
    let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
    let mut rest = text.trim_start_matches('-');
    let mut sum = 0.0;
    while !rest.trim().is_empty() {
        rest = rest.trim_start();
        let end = rest.find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | ',')).unwrap_or(rest.len());
        let number: f64 = rest[..end].replace(',', "").parse().unwrap();
        rest = &rest[end..];
        let step = STEPS.iter().find(|(name, _)| rest.starts_with(name));
        sum += number * step.map_or(1.0, |(_, factor)| *factor);
        rest = &rest[step.map_or(0, |(name, _)| name.len())..];
    }
    sign * sum
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_shown_is_on_the_same_side_of_the_threshold(
        limit in -1e4..1e6_f64,
        step in 1e-6..10.0_f64,
        above in any::<bool>(),
        unit in prop::sample::select(vec!["", "%", "s", "B", "ms", "天", "percentunit"]),
        zh in any::<bool>(),
    ) {
        let (operator, value) = if above { (Operator::Above, limit + step) } else { (Operator::Below, limit - step) };
        let unit = Unit::named(unit);
        let scale = unit.as_ref().map_or(1.0, |unit| unit.scale);
        let language = if zh { Language::Zh } else { Language::En };
        let text = write(value, unit.as_ref(), &[Bound { operator, limit }], language);
        let shown = read_back(&text) / scale;
        let slack = limit.abs() * 1e-12;
        prop_assert!(
            if above { shown > limit - slack } else { shown < limit + slack },
            "{} against {} reads {}", value, limit, text
        );
        prop_assert!((shown - value).abs() <= value.abs() * 0.06 + 1e-9, "{} reads {}", value, text);
    }

    #[test]
    fn no_text_makes_the_recogniser_fail(text in "[a-z0-9_(){}\\[\\]<>=!+*/%^ ,.\"'m-]{0,80}") {
        let _ = Rule::read(&text);
        let _ = expression(&text, &Labels::new());
    }
}
