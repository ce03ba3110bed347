//! Charts as they occur.

use wegraf_chart::{Chart, Limit, Point, Series, Theme, svg};

const END: i64 = 1_795_354_200;

/// A line of 181 points over three hours.
fn line(name: &str, value: impl Fn(f64) -> f64) -> Series {
    let point = |index: i32| (END - 10_800 + i64::from(index) * 60, value(f64::from(index) / 180.0));
    Series { name: name.to_owned(), points: (0..=180).map(point).collect() }
}

fn chart(title: &str, figure: &str, under: &str, series: Vec<Series>, limits: &[(f64, bool)]) -> Chart {
    Chart {
        title: title.to_owned(),
        figure: figure.to_owned(),
        under: under.to_owned(),
        note: "近 3 小时 78 → 96 %，仍在升".to_owned(),
        series,
        yesterday: Vec::new(),
        limits: limits.iter().map(|(value, above)| Limit { value: *value, above: *above }).collect(),
        limit_series: Vec::new(),
        fired_at: Some(END - 2400),
        window: (END - 10_800, END),
        step: 60,
        grain: 1.0,
        theme: Theme::Light,
    }
}

/// Every scene with its name.
pub fn all() -> Vec<(&'static str, Chart)> {
    let wave = |phase: f64| move |at: f64| 40.0 + 20.0 * (at * 9.0 + phase).sin();
    let mut gap = line("db-3", |at| 80.0 + 15.0 * at);
    gap.points.retain(|(at, _)| !(END - 7000..END - 4500).contains(at));
    let mut odd = line("db-3", |at| 1.0 / (at - 0.5).max(0.0));
    odd.points[20].1 = f64::NAN;
    odd.points[21].1 = f64::NEG_INFINITY;
    let lonely: Vec<Point> = vec![(END - 3000, 7.0)];
    let ramp = || vec![line("db-3", |at| 78.0 + 18.2 * at)];
    let names =
        [("order-db-0", 0.0), ("order-db-1", 1.0), ("pay-db-0", 2.0), ("user-db-12", 3.0), ("一个很长很长的名字", 4.0)];
    let five = names.iter().map(|(name, phase)| line(name, wave(*phase))).collect();
    vec![
        ("ramp", chart("磁盘将满 · db-3 /data", "96.2 %", "阈值 > 90 %", ramp(), &[(90.0, true)])),
        (
            "dark",
            Chart {
                theme: Theme::Dark,
                ..chart("DiskFull · db-3 /data", "96.2%", "limit > 90%", ramp(), &[(90.0, true)])
            },
        ),
        (
            "spike",
            Chart {
                yesterday: line("", |at| 3.0 + at).points,
                ..chart(
                    "5xx · order-api",
                    "43 %",
                    "阈值 > 5 %",
                    vec![line("a", |at| if at > 0.8 { 43.0 } else { 1.0 + at })],
                    &[(5.0, true)],
                )
            },
        ),
        ("gap", chart("磁盘将满 · db-3 /data", "93 %", "阈值 > 90 %", vec![gap], &[(90.0, true)])),
        (
            "bounds",
            chart(
                "证书将过期",
                "12 天 9 小时",
                "3–20 天",
                vec![line("a", |at| 13.0 - at)],
                &[(3.0, true), (20.0, false)],
            ),
        ),
        (
            "two-series",
            Chart {
                limit_series: line("", |_| 5.0).points,
                ..chart("副本不足 · pay/api", "3", "", vec![line("api", |at| if at > 0.7 { 3.0 } else { 5.0 })], &[])
            },
        ),
        ("five-lines", chart("CPU ×5", "58 %", "阈值 > 50 %", five, &[(50.0, true)])),
        ("one-point", chart("A", "7", "", vec![Series { name: "a".into(), points: lonely }], &[(5.0, true)])),
        ("infinite", chart("A", "∞", "阈值 > 5", vec![odd], &[(5.0, true)])),
        ("negative", chart("温度", "-18 ℃", "阈值 > -20 ℃", vec![line("a", |at| -25.0 + 7.0 * at)], &[(-20.0, true)])),
        ("large", chart("A", "1,000 万亿", "", vec![line("a", |at| 1e15 * (1.0 + at))], &[])),
        (
            "missing-glyphs",
            chart(
                "🔥 㐀㐁 & <b>\"x\"</b>\u{202e}",
                "1",
                "𠀀",
                vec![line("㐂主机", |at| at), line("b\u{7}", |at| 1.0 - at)],
                &[],
            ),
        ),
    ]
}

/// As SVG, with labels as a caller writes them.
pub fn drawn(chart: &Chart) -> String {
    let clock = |at: i64| format!("{:02}:{:02}", at / 3600 % 24, at / 60 % 60);
    let value = |value: f64| if value.abs() >= 1e6 { format!("{:.0}万亿", value / 1e12) } else { format!("{value}") };
    svg(chart, value, clock)
}
