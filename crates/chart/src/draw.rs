//! A chart as SVG: text, without any reference to the outside.

use std::fmt::Write as _;

use crate::axis::Axis;
use crate::{Chart, LINES, Limit, POINTS, Point, SIZE, Theme};

/// The family that [`crate::Canvas`] has; browsers take their own.
const FAMILY: &str = "Noto Sans SC, sans-serif";
/// The smallest text: still legible where the picture is as wide as a phone.
const SMALL: f64 = 17.0;
const TITLE: f64 = 22.0;
const FIGURE: f64 = 34.0;
/// Free at the edges, for programs that crop.
const MARGIN: f64 = 14.0;
/// The top and bottom of the plot.
const TOP: f64 = 82.0;
const BOTTOM: f64 = 200.0;
/// Characters of a name at the end of a line; Han characters count twice.
const NAME: usize = 14;

struct Colours {
    paper: &'static str,
    ink: &'static str,
    lines: [&'static str; LINES],
    pale: &'static str,
}

impl Theme {
    const fn colours(self) -> Colours {
        match self {
            Self::Light => Colours {
                paper: "#FFFFFF",
                ink: "#1F2329",
                lines: ["#D55E00", "#0072B2", "#009E73", "#8F959E", "#8F959E"],
                pale: "#8F959E",
            },
            Self::Dark => Colours {
                paper: "#1F2329",
                ink: "#F5F6F7",
                lines: ["#FF8A4C", "#56B4E9", "#2BC79A", "#A6ACB5", "#A6ACB5"],
                pale: "#A6ACB5",
            },
        }
    }
}

/// Thickness and dashes of lines: no two are told apart by colour alone.
const STROKES: [(f64, &str); LINES] = [(3.0, ""), (2.0, "7 3"), (2.0, "2 3"), (1.5, "10 3 2 3"), (1.5, "4 4")];

/// Where seconds and values stand.
struct Plane {
    left: f64,
    right: f64,
    from: i64,
    to: i64,
    axis: Axis,
}

impl Plane {
    fn x(&self, at: i64) -> f64 {
        let part = seconds(at.saturating_sub(self.from)) / seconds(self.to.saturating_sub(self.from)).max(1.0);
        self.left + part.clamp(0.0, 1.0) * (self.right - self.left)
    }

    fn y(&self, value: f64) -> f64 {
        let whole = self.axis.high() - self.axis.low;
        let part = if whole.is_finite() && whole > 0.0 { (value - self.axis.low) / whole } else { 0.5 };
        BOTTOM - part.clamp(0.0, 1.0) * (BOTTOM - TOP)
    }
}

/// A distance between two points of a window, far below what a float holds exactly.
fn seconds(apart: i64) -> f64 {
    i32::try_from(apart).map_or(f64::from(i32::MAX), f64::from)
}

/// Draws `chart`. `value` writes a label of the value axis, `clock` one of the time axis.
pub fn svg(chart: &Chart, value: impl Fn(f64) -> String, clock: impl Fn(i64) -> String) -> String {
    let colours = chart.theme.colours();
    let series = &chart.series[..chart.series.len().min(LINES)];
    let finite =
        |points: &[Point]| points.iter().map(|(_, value)| *value).filter(|value| value.is_finite()).collect::<Vec<_>>();
    let mut values: Vec<f64> = series.iter().flat_map(|series| finite(&series.points)).collect();
    values.extend(finite(&chart.limit_series));
    values.extend(chart.limits.iter().map(|limit| limit.value).filter(|value| value.is_finite()));
    values.extend(finite(&chart.yesterday));
    let axis = Axis::of(values.into_iter(), chart.grain);
    let labels: Vec<(f64, String)> =
        (0..3).map(|index| axis.low + f64::from(index) * axis.step).map(|at| (at, value(at))).collect();
    let widest = labels.iter().map(|(_, text)| width(text, SMALL)).fold(0.0, f64::max);
    let named = series.len() > 1;
    let names: Vec<String> = series.iter().map(|series| cut(&series.name, NAME)).collect();
    let longest = if named { names.iter().map(|name| width(name, SMALL)).fold(0.0, f64::max) } else { 0.0 };
    let plane = Plane {
        left: MARGIN + widest.min(120.0) + 8.0,
        right: SIZE.0 - MARGIN - longest - if named { 8.0 } else { 4.0 },
        from: chart.window.0,
        to: chart.window.1,
        axis,
    };

    let mut out = String::with_capacity(16 * 1024);
    let (wide, high) = SIZE;
    let _ = write!(
        out,
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" width="{wide}" height="{high}" font-family="{FAMILY}"><rect width="{wide}" height="{high}" fill="{}"/>"#,
        colours.paper
    );
    head(&mut out, chart, &colours);
    shade(&mut out, &chart.limits, &plane, &colours);
    for (at, text) in &labels {
        let y = plane.y(*at);
        let _ = write!(
            out,
            r#"<path d="M{:.1} {y:.1}H{:.1}" stroke="{}" stroke-width="1" opacity="0.35"/>"#,
            plane.left, plane.right, colours.pale
        );
        words(&mut out, text, (plane.left - 8.0, y + 6.0), SMALL, "end", colours.ink);
    }
    times(&mut out, chart, &plane, &colours, clock);
    line(&mut out, &chart.yesterday, chart.step, &plane, colours.pale, (1.5, "3 4"));
    line(&mut out, &chart.limit_series, chart.step, &plane, colours.ink, (1.5, "6 4"));
    // The worst one is drawn last, above the others.
    for (index, series) in series.iter().enumerate().rev() {
        line(&mut out, &series.points, chart.step, &plane, colours.lines[index], STROKES[index]);
    }
    if named {
        ends(&mut out, chart, &names, &plane, &colours);
    }
    out.push_str("</svg>");
    out
}

fn head(out: &mut String, chart: &Chart, colours: &Colours) {
    let figure = cut(&chart.figure, 18);
    let taken = width(&figure, FIGURE);
    let room = SIZE.0 - 2.0 * MARGIN - taken - 16.0;
    let title = fitting(&chart.title, TITLE, room);
    words(out, &title, (MARGIN, 40.0), TITLE, "start", colours.ink);
    words(out, &figure, (SIZE.0 - MARGIN, 44.0), FIGURE, "end", colours.lines[0]);
    let under = cut(&chart.under, 30);
    words(out, &under, (SIZE.0 - MARGIN, 67.0), SMALL, "end", colours.ink);
    let room = SIZE.0 - 2.0 * MARGIN - width(&under, SMALL) - 16.0;
    words(out, &fitting(&chart.note, SMALL, room), (MARGIN, 67.0), SMALL, "start", colours.ink);
}

/// A picture with nothing but `text`, in place of a chart that cannot be had.
pub fn notice(text: &str, theme: Theme) -> String {
    let colours = theme.colours();
    let (wide, high) = SIZE;
    let mut out = String::new();
    let _ = write!(
        out,
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" width="{wide}" height="{high}" font-family="{FAMILY}"><rect width="{wide}" height="{high}" fill="{}"/>"#,
        colours.paper
    );
    words(&mut out, &cut(text, 44), (wide / 2.0, high / 2.0 + 8.0), TITLE, "middle", colours.pale);
    out.push_str("</svg>");
    out
}

/// Where the alert fires, and the limits of it.
fn shade(out: &mut String, limits: &[Limit], plane: &Plane, colours: &Colours) {
    let (mut top, mut bottom) = (TOP, BOTTOM);
    let limits: Vec<&Limit> = limits.iter().filter(|limit| limit.value.is_finite()).collect();
    for limit in &limits {
        let y = plane.y(limit.value);
        if limit.above {
            bottom = bottom.min(y);
        } else {
            top = top.max(y);
        }
    }
    let colour = colours.lines[0];
    let (left, wide) = (plane.left, plane.right - plane.left);
    if !limits.is_empty() && bottom > top {
        let _ = write!(
            out,
            r#"<rect x="{left:.1}" y="{top:.1}" width="{wide:.1}" height="{:.1}" fill="{colour}" opacity="0.08"/>"#,
            bottom - top
        );
    }
    for limit in limits {
        let _ = write!(
            out,
            r#"<path d="M{left:.1} {:.1}H{:.1}" stroke="{colour}" stroke-width="1.5" stroke-dasharray="6 4" fill="none"/>"#,
            plane.y(limit.value),
            plane.right
        );
    }
}

fn times(out: &mut String, chart: &Chart, plane: &Plane, colours: &Colours, clock: impl Fn(i64) -> String) {
    let (from, to) = chart.window;
    for (at, anchor) in [(from, "start"), (from + (to - from) / 2, "middle"), (to, "end")] {
        words(out, &clock(at), (plane.x(at), BOTTOM + 24.0), SMALL, anchor, colours.ink);
    }
    if let Some(at) = chart.fired_at.filter(|at| (from..=to).contains(at)) {
        let x = plane.x(at);
        let _ = write!(
            out,
            r#"<path d="M{x:.1} {TOP:.1}V{BOTTOM:.1}" stroke="{}" stroke-width="1.5" stroke-dasharray="1.5 3"/>"#,
            colours.ink
        );
    }
}

/// A line through `points`, broken at gaps; a point alone is a dot.
fn line(out: &mut String, points: &[Point], step: i64, plane: &Plane, colour: &str, stroke: (f64, &str)) {
    let (thick, dashes) = stroke;
    let mut path = String::new();
    let mut dots = String::new();
    for part in pieces(points, step) {
        if let [(at, value)] = part[..] {
            let _ = write!(
                dots,
                r#"<circle cx="{:.1}" cy="{:.1}" r="{:.1}" fill="{colour}"/>"#,
                plane.x(at),
                plane.y(value),
                thick + 1.0
            );
            continue;
        }
        for (index, (at, value)) in part.into_iter().enumerate() {
            let _ = write!(path, "{}{:.1} {:.1}", if index == 0 { 'M' } else { 'L' }, plane.x(at), plane.y(value));
        }
    }
    if !path.is_empty() {
        let dashed = if dashes.is_empty() { String::new() } else { format!(r#" stroke-dasharray="{dashes}""#) };
        let _ = write!(
            out,
            r#"<path d="{path}" fill="none" stroke="{colour}" stroke-width="{thick}" stroke-linejoin="round"{dashed}/>"#
        );
    }
    out.push_str(&dots);
}

/// The runs of `points` without a gap, with at most [`POINTS`] in all: of each group the value that is furthest from the
/// one before is kept, so that a spike stays.
fn pieces(points: &[Point], step: i64) -> Vec<Vec<Point>> {
    let group = points.len().div_ceil(POINTS).max(1);
    let mut pieces: Vec<Vec<Point>> = Vec::new();
    let mut last: Option<Point> = None;
    for chunk in points.chunks(group) {
        let finite = chunk.iter().copied().filter(|(_, value)| value.is_finite());
        let before = last.map_or(f64::NAN, |(_, value)| value);
        let far = |(_, value): &Point| if before.is_nan() { 0.0 } else { (value - before).abs() };
        let Some(kept) = finite.max_by(|a, b| far(a).total_cmp(&far(b))) else { continue };
        let reach = step.max(1) * i64::try_from(group).unwrap_or(1);
        let joined = last.is_some_and(|(at, _)| kept.0 - at < reach * 2);
        let complete = chunk.first().is_some_and(|(_, value)| value.is_finite());
        match pieces.last_mut().filter(|_| joined && complete) {
            Some(piece) => piece.push(kept),
            None => pieces.push(vec![kept]),
        }
        last = Some(kept);
    }
    pieces
}

/// Names at the ends of the lines, moved apart where they would overlap.
fn ends(out: &mut String, chart: &Chart, names: &[String], plane: &Plane, colours: &Colours) {
    const LINE: f64 = 19.0;
    let last =
        |points: &[Point]| points.iter().rev().find(|(_, value)| value.is_finite()).map(|(_, value)| plane.y(*value));
    let mut places: Vec<(f64, usize)> = chart
        .series
        .iter()
        .take(names.len())
        .enumerate()
        .filter_map(|(index, series)| Some((last(&series.points)?, index)))
        .collect();
    places.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    for index in 1..places.len() {
        places[index].0 = places[index].0.max(places[index - 1].0 + LINE);
    }
    // What was moved below the plot moves all above it up again.
    let mut floor = BOTTOM + 4.0;
    for place in places.iter_mut().rev() {
        place.0 = place.0.min(floor);
        floor = place.0 - LINE;
    }
    for (y, index) in places {
        words(out, &names[index], (plane.right + 6.0, y + 6.0), SMALL, "start", colours.lines[index]);
    }
}

fn words(out: &mut String, text: &str, at: (f64, f64), size: f64, anchor: &str, colour: &str) {
    if text.is_empty() {
        return;
    }
    let anchor = if anchor == "start" { String::new() } else { format!(r#" text-anchor="{anchor}""#) };
    let _ = write!(out, r#"<text x="{:.1}" y="{:.1}" font-size="{size}"{anchor} fill="{colour}">"#, at.0, at.1);
    for letter in text.chars().filter(|letter| !is_unseen(*letter)) {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            _ => out.push(letter),
        }
    }
    out.push_str("</text>");
}

/// Controls, which no XML may hold, and signs that show nothing or turn the direction; emoji, which no font of text has.
fn is_unseen(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FE00}'..='\u{FE0F}'
            | '\u{FEFF}' | '\u{FFFE}' | '\u{FFFF}' | '\u{1F000}'..='\u{1FAFF}' | '\u{2600}'..='\u{26FF}')
}

const fn columns(letter: char) -> usize {
    if letter as u32 >= 0x1100 { 2 } else { 1 }
}

/// At most `most` columns of `text`; what goes is at the end.
fn cut(text: &str, most: usize) -> String {
    let text: String = text.chars().filter(|letter| !is_unseen(*letter)).collect();
    let whole: usize = text.chars().map(columns).sum();
    if whole <= most {
        return text;
    }
    let mut left = most.saturating_sub(1);
    let mut out = String::new();
    for letter in text.chars() {
        let Some(rest) = left.checked_sub(columns(letter)) else { break };
        left = rest;
        out.push(letter);
    }
    out.push('…');
    out
}

/// `text` as far as it fits into `room`.
fn fitting(text: &str, size: f64, room: f64) -> String {
    (4..=60).rev().map(|most| cut(text, most)).find(|text| width(text, size) <= room).unwrap_or_default()
}

/// About how wide `text` is drawn.
fn width(text: &str, size: f64) -> f64 {
    let one = |letter: char| match letter {
        _ if columns(letter) == 2 => 1.0,
        ' ' | '.' | ',' | ':' | ';' | '!' | '\'' | '|' | 'i' | 'l' | 'j' => 0.28,
        'm' | 'w' | 'M' | 'W' | '%' | '@' => 0.92,
        '…' => 1.0,
        'A'..='Z' => 0.66,
        _ => 0.56,
    };
    text.chars().map(one).sum::<f64>() * size
}
