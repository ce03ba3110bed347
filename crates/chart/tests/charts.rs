//! Charts as text against golden files, and as pictures against their bounds.

mod scenes;

use wegraf_chart::is_worth_drawing;

#[test]
fn charts_look_as_before() {
    insta::with_settings!({ snapshot_path => "golden", prepend_module_to_snapshot => false, omit_expression => true }, {
        for (name, chart) in scenes::all() {
            let drawn = scenes::drawn(&chart).replace('>', ">\n");
            insta::assert_snapshot!(name, drawn);
        }
    });
}

#[test]
fn a_chart_is_small_and_refers_to_nothing() {
    for (name, chart) in scenes::all() {
        let drawn = scenes::drawn(&chart);
        assert!(drawn.len() < 24 * 1024, "{name}: {}", drawn.len());
        assert!(!drawn.contains("href") && !drawn.contains("url("), "{name}");
        assert!(!drawn.contains("NaN") && !drawn.contains("inf\""), "{name}");
    }
}

#[test]
fn a_point_alone_and_a_window_of_gaps_are_not_worth_drawing() {
    let worth: Vec<&str> =
        scenes::all().into_iter().filter(|(_, chart)| is_worth_drawing(chart)).map(|(name, _)| name).collect();
    assert!(worth.contains(&"ramp") && worth.contains(&"gap") && !worth.contains(&"one-point"), "{worth:?}");
}

#[cfg(feature = "png")]
mod pictures {
    use wegraf_chart::{Canvas, Chart, Series};

    use super::scenes;

    #[test]
    fn every_chart_becomes_a_png_below_a_hundred_kilobytes() {
        let canvas = Canvas::new(None).unwrap();
        for (name, chart) in scenes::all() {
            let png = canvas.png(&scenes::drawn(&chart)).unwrap();
            assert!(png.starts_with(b"\x89PNG") && png.len() < 100 * 1024, "{name}: {}", png.len());
            assert_eq!((&png[16..20], &png[20..24]), (&1080_u32.to_be_bytes()[..], &490_u32.to_be_bytes()[..]));
        }
    }

    #[test]
    fn words_are_drawn_and_what_no_font_has_is_a_box() {
        let canvas = Canvas::new(None).unwrap();
        assert!("磁盘将满 阈值 ≥ 90 % ℃ ∞ · … – µs 天 □".chars().all(|letter| canvas.has(letter)));
        assert!(!canvas.has('㐀'));
        let text = |words: &str| {
            canvas.png(&format!(
                r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 540 245" font-family="Noto Sans SC"><rect width="540" height="245" fill="white"/><text x="9" y="99" font-size="34">{words}</text></svg>"#
            ))
        };
        let (empty, words, missing, boxed) = (text(""), text("磁盘"), text("㐀"), text("□"));
        assert_ne!(words, empty);
        assert_eq!(missing, boxed);
        assert!(Canvas::new(Some(b"no font".to_vec())).is_err());
    }

    #[test]
    fn five_lines_of_360_points_are_one_small_picture() {
        let canvas = Canvas::new(None).unwrap();
        let (_, chart) = scenes::all().remove(6);
        let series = |index: u32| Series {
            name: format!("host-{index}"),
            points: (0..360)
                .map(|at| (chart.window.0 + at * 30, f64::from((u32::try_from(at).unwrap() * (7 + index)) % 97)))
                .collect(),
        };
        let chart = Chart { series: (0..5).map(series).collect(), step: 30, ..chart.clone() };
        let png = canvas.png(&scenes::drawn(&chart)).unwrap();
        assert!(png.len() < 100 * 1024, "{}", png.len());
    }

    /// A line of `/proc/self/status`, in MiB.
    fn memory(field: &str) -> f64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with(field)).unwrap_or_default();
        let kib = line.split_whitespace().nth(1).and_then(|figure| figure.parse::<f64>().ok());
        kib.unwrap_or(f64::NAN) / 1024.0
    }

    #[test]
    #[ignore = "a measurement: `cargo xtask bench --only reading`"]
    fn measured_five_series_of_360_points() {
        let (_, ramp) = scenes::all().into_iter().find(|(name, _)| *name == "ramp").unwrap();
        let points =
            |line: i32| (0..360).map(move |at| (i64::from(at) * 60, f64::from(at * (line + 1)).sin() * 9.0 + 90.0));
        let series = (0..5).map(|line| Series { name: format!("db-{line} /data"), points: points(line).collect() });
        let chart = Chart { series: series.collect(), window: (0, 359 * 60), ..ramp };
        let before = memory("VmRSS:");
        let canvas = Canvas::new(None).unwrap();
        let draw = || canvas.png(&scenes::drawn(&chart)).unwrap();
        let mut times: Vec<f64> = Vec::new();
        let mut size = 0;
        for _ in 0..21 {
            let began = std::time::Instant::now();
            size = draw().len();
            times.push(began.elapsed().as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        // As many at once as wegraf draws.
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| (0..20).for_each(|_| _ = draw()));
            }
        });
        println!("measured | a chart of 5 series of 360 points, median | {:.0} ms | < 80 ms", times[times.len() / 2]);
        println!("measured | its PNG | {} KB | < 100 KB", size / 1000);
        println!(
            "measured | memory at the peak of drawing two at once, added | {:.0} MiB |",
            memory("VmHWM:") - before
        );
        println!("measured | memory after the last picture, added | {:.0} MiB |", memory("VmRSS:") - before);
    }
}
