//! Every reason to show no number, every source of one, and every way to its unit.

use super::{alert, shown, unit};
use crate::alert::{Format, Health};
use crate::measure::{Reading, Rule, Source};
use crate::words::Language;

#[test]
fn what_says_nothing_is_not_shown() {
    for (expression, raw, health) in [
        ("up == 0", "0", Health::Normal),
        ("up != 1", "0", Health::Normal),
        ("x_state == 1", "1", Health::Normal),
        ("x_state != 0", "3", Health::Normal),
        ("absent(up{job=\"a\"})", "1", Health::Normal),
        ("vector(1)", "1", Health::Normal),
        ("predict_linear(x_free_bytes[6h], 4 * 3600) < 0", "-1.4e+09", Health::Normal),
        ("restarts > 0", "1", Health::Normal),
        ("max_over_time(restarts[5m]) >= 1", "1", Health::Normal),
        ("x > 5", "7", Health::NoData),
        ("x > 5", "7", Health::Error),
    ] {
        let mut alert = alert(expression, &[("description", &format!("VALUE = {raw}"))], &[], &[]);
        alert.health = health;
        assert_eq!(shown(&alert, Format::Alertmanager, Language::Zh), "", "{expression} {health:?}");
    }
    let minus = alert("", &[], &[("A", "-1"), ("B", "-1")], &[]);
    assert_eq!(shown(&minus, Format::Grafana, Language::Zh), "");
    let count = alert("restarts > 0", &[("description", "VALUE = 2")], &[], &[]);
    assert_eq!(shown(&count, Format::Alertmanager, Language::Zh), "2", "more than a flag");
}

#[test]
fn the_first_source_that_has_a_value_gives_it() {
    let prose = [("description", "Lag is currently 10342 messages")];
    let own = [("summary", "Disk of 9 hosts used"), ("value", "0.934")];
    let dump = [("description", "Lag is currently 10342 messages\n  VALUE = 7")];
    for (annotations, values, format, raw, source) in [
        (&dump[..], &[("value", "9")][..], Format::Generic, "9", Source::Sender),
        (&dump, &[("A", "9")], Format::Grafana, "9", Source::Grafana),
        (&dump, &[("lag", "9")], Format::GrafanaLegacy, "9", Source::Matches),
        (&dump, &[], Format::Alertmanager, "7", Source::Dump),
        (&own, &[], Format::AlertsPush, "0.934", Source::Dump),
        (&prose, &[], Format::Alertmanager, "10342", Source::Prose),
    ] {
        let alert = alert("", annotations, values, &[]);
        let reading = Reading::of(&alert, format);
        let got: Vec<_> = reading.figures.iter().map(|figure| (figure.raw.as_str(), figure.source)).collect();
        assert_eq!(got, [(raw, source)], "{format:?}");
    }
    let one = alert("", &[("description", "db-1: 7 of 9 used")], &[], &[("host", "db-1")]);
    let other = alert("", &[("description", "db-2: 8 of 9 used")], &[], &[("host", "db-2")]);
    let group = Reading::of_group(&[&one, &other], Format::Alertmanager);
    assert_eq!(group[1].figures[0].source, Source::Differing);
}

#[test]
fn a_unit_is_found_in_this_order() {
    for (expression, annotations, labels, values, wanted) in [
        // Its author says so, in a label, an annotation, or behind the number.
        ("x_seconds > 5", &[][..], &[("unit", "ms")][..], &[("v", "7")][..], "7 ms"),
        ("x_seconds > 5", &[("unit", "MiB")], &[], &[("v", "7")], "7 MiB"),
        ("x_seconds > 5", &[], &[], &[("v", "7 条")], "7 条"),
        ("x_seconds > 5", &[("summary", "now at 7 GiB")], &[], &[("v", "7")], "7 GiB"),
        // The measure tells it.
        ("x_seconds > 5", &[], &[], &[("v", "7")], "7 秒 (> 5 秒)"),
        // A threshold of a utilisation.
        ("x_CPUUtilization > 80", &[], &[], &[("v", "91")], "91 % (> 80 %)"),
        ("x_messages > 80", &[], &[], &[("v", "91")], "91 (> 80)"),
    ] {
        let alert = alert(expression, annotations, values, labels);
        let got = shown(&alert, Format::Generic, Language::Zh);
        assert_eq!(got.split(" (").next(), wanted.split(" (").next(), "{expression} {annotations:?}");
        if wanted.contains('(') {
            assert_eq!(got, wanted);
        }
    }
}

#[test]
fn a_measure_counts_what_its_algebra_says() {
    for (measure, wanted) in [
        ("x_bytes", "Byte"),
        ("x_seconds", "Second"),
        ("x_milliseconds", "Second×0.001"),
        ("x_duration_ms", "Second×0.001"),
        ("x_ratio", "Ratio"),
        ("x_percent", "Ratio×0.01"),
        ("x_pct", "Ratio×0.01"),
        ("mem_used_percent", "Ratio×0.01"),
        ("cpu_usage_idle", "Ratio×0.01"),
        ("x_celsius", "Celsius"),
        ("node_temperature", "Celsius"),
        ("process_start_time_seconds", "Instant"),
        ("x_timestamp_seconds", "Instant"),
        ("x_cert_expiry", "Instant"),
        ("rate(x_bytes_total[5m])", "Byte/s"),
        ("irate(x_seconds_total[5m])", "Ratio"),
        ("rate(x_total[5m])", "Count/s"),
        ("deriv(x[5m])", "Count/s"),
        ("increase(x_bytes_total[5m])", "Byte"),
        ("delta(x_seconds[5m])", "Second"),
        ("increase(x_total[5m])", "Count"),
        ("x_bytes / y_bytes", "Ratio"),
        ("rate(x_seconds_sum[5m]) / rate(x_seconds_count[5m])", "Second"),
        ("x_bytes / y_bytes * 100", "Ratio×0.01"),
        ("100 * x_ratio", "Ratio×0.01"),
        ("x_bytes * 8", "Bit"),
        ("x_bytes / 1024", "Byte×1024"),
        ("x_bytes / 1024 / 1024", "Byte×1048576"),
        ("x_bytes / 1024^3", "Byte×1073741824"),
        ("x_seconds / 60", "Second×60"),
        ("x_seconds / 3600", "Second×3600"),
        ("x_seconds / 86400", "Second×86400"),
        ("time() - x_timestamp_seconds", "Second"),
        ("1 - x_ratio", "Ratio"),
        ("100 - x_percent", "Ratio×0.01"),
        ("max by (a) (x_bytes)", "Byte"),
        ("avg_over_time(x_bytes[1h])", "Byte"),
        ("quantile(0.9, x_seconds)", "Second"),
        ("topk(3, x_bytes)", "Byte"),
        ("count(x_bytes)", "Count"),
        ("count by (a) (x_seconds > 3)", "Count"),
        ("job:x_seconds:rate5m", "Ratio"),
        ("instance:x_bytes:sum", "Byte"),
        ("x", "Count"),
    ] {
        let rule = Rule::read(&format!("{measure} > 7")).unwrap();
        assert_eq!(unit(&rule), wanted, "{measure}");
    }
}
