//! Draws the series of an alert.
//!
//! One picture answers one question: is it a step, a ramp, a spike or the daily wave, and how far past the limit. [`svg`] is a
//! pure function and needs nothing; [`Canvas`] (feature `png`) turns its text into PNG with a font that is carried along, so
//! the bytes are the same on every machine. Knows nothing of alerts: numbers and words come written.

mod axis;
#[cfg(feature = "png")]
mod canvas;
mod draw;

#[cfg(feature = "png")]
pub use canvas::{Canvas, Undrawn};

pub use draw::{notice, svg};

/// Width and height of a picture in its own units; a PNG has twice as many pixels each way: 1080 × 490, as cards and
/// articles of WeCom show it.
pub const SIZE: (f64, f64) = (540.0, 245.0);
/// Lines that a chart has at most.
pub const LINES: usize = 5;
/// Points of a line at most: more are drawn as their extremes.
pub const POINTS: usize = 240;

/// What a chart shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// What it is about.
    pub title: String,
    /// The current value, large.
    pub figure: String,
    /// The threshold in words, below it.
    pub under: String,
    /// The course of the first series in words, below the title.
    pub note: String,
    /// The series, the worst first; [`LINES`] are drawn.
    pub series: Vec<Series>,
    /// The first series a day before, at the times of today.
    pub yesterday: Vec<Point>,
    /// Where the alert begins.
    pub limits: Vec<Limit>,
    /// The limit where it is a series itself.
    pub limit_series: Vec<Point>,
    /// When it fired, in seconds since 1970.
    pub fired_at: Option<i64>,
    /// The first and last second.
    pub window: (i64, i64),
    /// Seconds between two points; a line is broken where points are further apart.
    pub step: i64,
    /// What labels of the value axis are multiples of: 1073741824 for GiB.
    pub grain: f64,
    /// The colours.
    pub theme: Theme,
}

/// A line.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// What stands at its end.
    pub name: String,
    /// In the order of time.
    pub points: Vec<Point>,
}

/// A second since 1970, and a value. What is not finite is a gap.
pub type Point = (i64, f64);

/// A threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    /// The value.
    pub value: f64,
    /// Does the alert fire above it?
    pub above: bool,
}

/// Colours of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Theme {
    /// Dark on white.
    #[default]
    Light,
    /// Light on dark.
    Dark,
}

/// Is there enough to see? Not with fewer than two points, nor where most of the window is a gap.
pub fn is_worth_drawing(chart: &Chart) -> bool {
    let (from, to) = chart.window;
    let wanted = (to - from) / chart.step.max(1);
    let finite = |series: &Series| series.points.iter().filter(|(_, value)| value.is_finite()).count();
    let most = chart.series.iter().map(finite).max().unwrap_or_default();
    most >= 2 && i64::try_from(most).unwrap_or(i64::MAX) * 10 >= wanted * 4
}
