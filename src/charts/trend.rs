//! The course of a series in words (pure).

use crate::words::Language;

/// The course of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Course {
    /// It rises and has not stopped.
    Rising,
    /// It falls.
    Falling,
    /// It moved and is stable now.
    Settled,
    /// It jumped, at this second.
    Jumped(i64),
    /// It goes up and down.
    Swinging,
    /// It is stable.
    Flat,
}

/// The part of the range that counts as movement.
const MOVED: f64 = 0.2;
/// The part of the range that one step takes in a jump.
const JUMP: f64 = 0.6;

/// The course of `points`, by its last quarter against its first and against its range. `None` with fewer than eight
/// numbers.
pub fn course(points: &[(i64, f64)]) -> Option<Course> {
    let points: Vec<(i64, f64)> = points.iter().copied().filter(|(_, value)| value.is_finite()).collect();
    if points.len() < 8 {
        return None;
    }
    let values = || points.iter().map(|(_, value)| *value);
    let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
    let range = high - low;
    if range <= high.abs().max(low.abs()) * 0.01 {
        return Some(Course::Flat);
    }
    let quarter = points.len() / 4;
    let mean = |part: &[(i64, f64)]| {
        part.iter().map(|(_, value)| value).sum::<f64>() / f64::from(u32::try_from(part.len()).unwrap_or(1).max(1))
    };
    let (first, last) = (mean(&points[..quarter]), mean(&points[points.len() - quarter..]));
    let change = (last - first) / range;
    let steps = || points.windows(2).map(|pair| (pair[1].0, (pair[1].1 - pair[0].1) / range));
    let jump = steps().max_by(|a, b| a.1.abs().total_cmp(&b.1.abs()));
    if let Some((at, step)) = jump.filter(|(_, step)| step.abs() >= JUMP)
        && change.abs() >= JUMP
        && step.signum() == change.signum()
    {
        return Some(Course::Jumped(at));
    }
    if change.abs() < MOVED {
        return Some(Course::Swinging);
    }
    // How much of the movement belongs to the last quarter?
    let tail = &points[points.len() - quarter..];
    let moved = (tail[tail.len() - 1].1 - tail[0].1) / range;
    Some(match moved {
        _ if moved * change.signum() < 0.05 => Course::Settled,
        _ if change > 0.0 => Course::Rising,
        _ => Course::Falling,
    })
}

/// `近 3 小时 78 → 96 %，仍在升`. `write` writes a number, `clock` a time.
pub fn told(
    points: &[(i64, f64)],
    span: &str,
    language: Language,
    write: impl Fn(f64) -> String,
    clock: impl Fn(i64) -> String,
) -> Option<String> {
    let course = course(points)?;
    let finite = || points.iter().filter(|(_, value)| value.is_finite());
    let (first, last) = (finite().next()?.1, finite().next_back()?.1);
    let zh = language == Language::Zh;
    let words = match course {
        Course::Rising => if zh { "仍在升" } else { "still rising" }.to_owned(),
        Course::Falling => if zh { "在降" } else { "falling" }.to_owned(),
        Course::Settled => if zh { "已平" } else { "steady now" }.to_owned(),
        Course::Swinging => if zh { "波动" } else { "up and down" }.to_owned(),
        Course::Flat => {
            return Some(if zh { format!("近 {span} 没有变化") } else { format!("no change in {span}") });
        }
        Course::Jumped(at) if zh => format!("突变（{} 起）", clock(at)),
        Course::Jumped(at) => format!("jumped at {}", clock(at)),
    };
    let change = between(&write(first), " → ", &write(last));
    Some(if zh { format!("近 {span} {change}，{words}") } else { format!("{change} in {span}, {words}") })
}

/// Two numbers, whose unit is said once: `78 → 96 %`.
fn between(from: &str, mark: &str, to: &str) -> String {
    let unit = to.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | ',' | '-'));
    // Of `2 分 8 秒` the unit stands in the middle.
    let one = !unit.is_empty() && !unit.chars().any(|c| c.is_ascii_digit());
    let from =
        from.strip_suffix(unit).filter(|rest| one && rest.ends_with(|c: char| c.is_ascii_digit())).unwrap_or(from);
    format!("{from}{mark}{to}")
}

/// How many bars there are, and their heights.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The same as eight bars and what they range over: `▁▁▂▃▅▆▇█ 78–96 %`. `None` for a series that does not move.
pub fn bars(points: &[(i64, f64)], write: impl Fn(f64) -> String) -> Option<String> {
    if matches!(course(points)?, Course::Flat) {
        return None;
    }
    let values: Vec<f64> = points.iter().map(|(_, value)| *value).filter(|value| value.is_finite()).collect();
    let (low, high) = values
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(*value), high.max(*value)));
    let count = BARS.len();
    let bar = |at: usize| {
        let part = &values[at * values.len() / count..(at + 1) * values.len() / count];
        let mean = part.iter().sum::<f64>() / f64::from(u32::try_from(part.len()).unwrap_or(1));
        let height = (mean - low) / (high - low);
        // The first bar that is as high: seven steps of equal size.
        let reaches = |step: usize| height * 7.0 < f64::from(u32::try_from(step).unwrap_or(0)) + 0.5;
        (0..count).find(|step| reaches(*step)).map_or('█', |step| BARS[step])
    };
    let drawn: String = (0..count).map(bar).collect();
    Some(format!("{drawn} {}", between(&write(low), "–", &write(high))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(value: impl Fn(f64) -> f64) -> Vec<(i64, f64)> {
        (0..60_i32).map(|at| (i64::from(at) * 60, value(f64::from(at) / 59.0))).collect()
    }

    #[test]
    fn courses_are_told_apart() {
        for (points, wanted) in [
            (series(|at| 78.0 + 18.0 * at), Course::Rising),
            (series(|at| 96.0 - 18.0 * at), Course::Falling),
            (series(|at| if at < 0.5 { at * 2.0 } else { 1.0 }), Course::Settled),
            (series(|at| if at < 0.7 { 1.0 } else { 43.0 }), Course::Jumped(42 * 60)),
            (series(|at| if at < 0.7 { 43.0 } else { 1.0 }), Course::Jumped(42 * 60)),
            (series(|at| (at * 40.0).sin()), Course::Swinging),
            (series(|_| 7.0), Course::Flat),
            (series(|at| 100.0 + at * 0.5), Course::Flat),
            (series(|at| at * at), Course::Rising),
            (series(|at| if (0.4..0.5).contains(&at) { 50.0 } else { 1.0 }), Course::Swinging),
        ] {
            assert_eq!(course(&points), Some(wanted), "{points:?}");
        }
        assert_eq!(course(&series(|_| f64::NAN)), None);
        assert_eq!(course(&[(0, 1.0)]), None);
    }

    #[test]
    fn a_course_is_told_in_both_languages() {
        let points = series(|at| 78.0 + 18.0 * at);
        let told = |language| told(&points, "1 小时", language, |value| format!("{value} %"), |_| "03:01".to_owned());
        assert_eq!(told(Language::Zh).unwrap(), "近 1 小时 78 → 96 %，仍在升");
        assert_eq!(told(Language::En).unwrap(), "78 → 96 % in 1 小时, still rising");
    }

    #[test]
    fn a_unit_is_said_once() {
        for (from, to, wanted) in [
            ("78 %", "96 %", "78 → 96 %"),
            ("78%", "96%", "78 → 96%"),
            ("340 ms", "1.2 秒", "340 ms → 1.2 秒"),
            ("1 分 8 秒", "2 分 8 秒", "1 分 8 秒 → 2 分 8 秒"),
            ("3", "7", "3 → 7"),
        ] {
            assert_eq!(between(from, " → ", to), wanted);
        }
    }

    #[test]
    fn bars_show_the_course_and_its_range() {
        let write = |value: f64| format!("{value:.0} %");
        for (points, wanted) in [
            (series(|at| 78.0 + 18.0 * at), Some("▁▂▃▄▅▆▇█ 78–96 %")),
            (series(|at| if at < 0.7 { 1.0 } else { 43.0 }), Some("▁▁▁▁▁▄██ 1–43 %")),
            (series(|_| 7.0), None),
            (series(|_| f64::NAN), None),
        ] {
            assert_eq!(bars(&points, write).as_deref(), wanted);
        }
    }
}
