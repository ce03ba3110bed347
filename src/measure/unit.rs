//! Units: of a measure by algebra over its expression, of a text by its sign.

use super::tree::{Kind, Node, Operator};

/// The unit of a number. Multiplied with `scale`, the number is in the base unit of its kind.
#[derive(Debug, Clone, PartialEq)]
pub struct Unit {
    /// The kind of quantity.
    pub kind: UnitKind,
    /// How many base units one is: 0.01 for percent, 60 for minutes, 1024 for KiB.
    pub scale: f64,
    /// Is it a rate per second?
    pub per_second: bool,
}

/// The kinds of units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnitKind {
    /// Things: requests, messages, replicas.
    Count,
    /// A part of a whole: 1 is all of it. Its `scale` is 0.01 where it is given in percent.
    Ratio,
    Byte,
    Bit,
    Second,
    /// Degrees Celsius.
    Celsius,
    /// A moment, in seconds since 1970.
    Instant,
    /// As its author calls it: `条`, `rpm`.
    Named(String),
}

impl Unit {
    pub(super) const fn of(kind: UnitKind, scale: f64) -> Self {
        Self { kind, scale, per_second: false }
    }

    pub(super) const PERCENT: Self = Self::of(UnitKind::Ratio, 0.01);
    pub(super) const RATIO: Self = Self::of(UnitKind::Ratio, 1.0);
    const COUNT: Self = Self::of(UnitKind::Count, 1.0);
    const SECONDS: Self = Self::of(UnitKind::Second, 1.0);
    const INSTANT: Self = Self::of(UnitKind::Instant, 1.0);

    /// A plain number.
    pub fn is_plain(&self) -> bool {
        self.kind == UnitKind::Count && !self.per_second
    }

    fn each_second(self) -> Option<Self> {
        match self.kind {
            // Seconds of a second are a part of it.
            UnitKind::Second => Some(Self { kind: UnitKind::Ratio, ..self }),
            UnitKind::Instant => None,
            _ => Some(Self { per_second: true, ..self }),
        }
    }

    /// Its sign for templates: `%`, `B/s`, `s`; empty for plain counts and moments.
    pub fn sign(&self) -> String {
        let name = match &self.kind {
            UnitKind::Count | UnitKind::Instant => "",
            UnitKind::Ratio => "%",
            UnitKind::Byte => "B",
            UnitKind::Bit => "bit",
            UnitKind::Second => "s",
            UnitKind::Celsius => "℃",
            UnitKind::Named(name) => name,
        };
        if self.per_second { format!("{name}/s") } else { name.to_owned() }
    }

    /// The unit that people call `text`: `%`, `GiB`, `毫秒`, `条`. `None` for what is none, or too long for one.
    pub fn named(text: &str) -> Option<Self> {
        let text = text.trim();
        let known = NAMES.iter().find(|(name, ..)| *name == text).or_else(|| {
            let lower = text.to_lowercase();
            GRAFANA.iter().find(|(name, ..)| *name == lower)
        });
        if let Some((_, kind, scale, per_second)) = known {
            return Some(Self { kind: kind.clone(), scale: *scale, per_second: *per_second });
        }
        let fits = !text.is_empty()
            && text.len() <= 12
            && text.chars().any(char::is_alphabetic)
            && !text.chars().any(|letter| letter.is_ascii_digit() || letter.is_control());
        fits.then(|| Self::of(UnitKind::Named(text.to_owned()), 1.0))
    }
}

type Name = (&'static str, UnitKind, f64, bool);

const KIB: f64 = 1024.0;
const MIB: f64 = 1_048_576.0;
const GIB: f64 = 1_073_741_824.0;
const TIB: f64 = 1_099_511_627_776.0;

/// Signs of units as texts have them behind a number. Of two that fit, the longer one is meant.
pub(super) const NAMES: [Name; 62] = {
    use UnitKind::{Bit, Byte, Celsius, Count, Ratio, Second};
    [
        ("%", Ratio, 0.01, false),
        ("％", Ratio, 0.01, false),
        ("percent", Ratio, 0.01, false),
        ("‰", Ratio, 0.001, false),
        ("ns", Second, 1e-9, false),
        ("µs", Second, 1e-6, false),
        ("μs", Second, 1e-6, false),
        ("us", Second, 1e-6, false),
        ("微秒", Second, 1e-6, false),
        ("ms", Second, 1e-3, false),
        ("毫秒", Second, 1e-3, false),
        ("milliseconds", Second, 1e-3, false),
        ("s", Second, 1.0, false),
        ("sec", Second, 1.0, false),
        ("secs", Second, 1.0, false),
        ("second", Second, 1.0, false),
        ("seconds", Second, 1.0, false),
        ("秒", Second, 1.0, false),
        ("秒钟", Second, 1.0, false),
        ("min", Second, 60.0, false),
        ("mins", Second, 60.0, false),
        ("minute", Second, 60.0, false),
        ("minutes", Second, 60.0, false),
        ("分钟", Second, 60.0, false),
        ("h", Second, 3600.0, false),
        ("hour", Second, 3600.0, false),
        ("hours", Second, 3600.0, false),
        ("小时", Second, 3600.0, false),
        ("d", Second, 86_400.0, false),
        ("day", Second, 86_400.0, false),
        ("days", Second, 86_400.0, false),
        ("天", Second, 86_400.0, false),
        ("B", Byte, 1.0, false),
        ("bytes", Byte, 1.0, false),
        ("字节", Byte, 1.0, false),
        ("KiB", Byte, KIB, false),
        ("MiB", Byte, MIB, false),
        ("GiB", Byte, GIB, false),
        ("TiB", Byte, TIB, false),
        ("kB", Byte, 1e3, false),
        ("KB", Byte, 1e3, false),
        ("MB", Byte, 1e6, false),
        ("GB", Byte, 1e9, false),
        ("TB", Byte, 1e12, false),
        ("B/s", Byte, 1.0, true),
        ("KiB/s", Byte, KIB, true),
        ("MiB/s", Byte, MIB, true),
        ("GiB/s", Byte, GIB, true),
        ("KB/s", Byte, 1e3, true),
        ("MB/s", Byte, 1e6, true),
        ("GB/s", Byte, 1e9, true),
        ("bps", Bit, 1.0, true),
        ("Kbps", Bit, 1e3, true),
        ("Mbps", Bit, 1e6, true),
        ("Gbps", Bit, 1e9, true),
        ("Mbit/s", Bit, 1e6, true),
        ("Gbit/s", Bit, 1e9, true),
        ("℃", Celsius, 1.0, false),
        ("°C", Celsius, 1.0, false),
        ("次/秒", Count, 1.0, true),
        ("次/s", Count, 1.0, true),
        ("/s", Count, 1.0, true),
    ]
};

/// Names that Grafana and Nightingale give to units, in lower case.
const GRAFANA: [Name; 15] = {
    use UnitKind::{Bit, Byte, Celsius, Count, Ratio, Second};
    [
        ("percentunit", Ratio, 1.0, false),
        ("bytes", Byte, 1.0, false),
        ("decbytes", Byte, 1.0, false),
        ("byte", Byte, 1.0, false),
        ("binbps", Byte, 1.0, true),
        ("bytessec", Byte, 1.0, true),
        ("bytespersec", Byte, 1.0, true),
        ("bits", Bit, 1.0, false),
        ("bitssec", Bit, 1.0, true),
        ("dtdurations", Second, 1.0, false),
        ("seconds", Second, 1.0, false),
        ("celsius", Celsius, 1.0, false),
        ("reqps", Count, 1.0, true),
        ("ops", Count, 1.0, true),
        ("cps", Count, 1.0, true),
    ]
};

/// Words of other things than units that stand behind a number in Chinese without a blank.
pub(super) const COUNTED: [&str; 9] = ["次", "条", "个", "台", "元", "人", "路", "件", "笔"];

/// The unit of `node`; `None` where the algebra does not know one.
pub(super) fn of(node: &Node) -> Option<Unit> {
    measured(node, false)
}

/// `histogram`: the bounds of buckets are meant, not their counts.
fn measured(node: &Node, histogram: bool) -> Option<Unit> {
    match &node.kind {
        Kind::Number(_) => Some(Unit::COUNT),
        Kind::Text => None,
        Kind::Metric(name) => Some(of_metric(name, histogram)),
        Kind::Brackets(inner) | Kind::Negative(inner) => measured(inner, histogram),
        Kind::Call { name, arguments, .. } => of_call(name, arguments, histogram),
        Kind::Binary { operator, flag, left, right } => match operator {
            _ if *flag => Some(Unit::COUNT),
            Operator::Plus | Operator::Minus => sum(*operator, left, right, histogram),
            Operator::Times => product(left, right, histogram),
            Operator::By => quotient(left, right, histogram),
            Operator::Power => None,
            _ => measured(left, histogram),
        },
    }
}

/// How functions and aggregations change the unit of their argument.
fn of_call(name: &str, arguments: &[Node], histogram: bool) -> Option<Unit> {
    const COUNTS: [&str; 12] = [
        "count",
        "count_values",
        "group",
        "count_over_time",
        "present_over_time",
        "changes",
        "resets",
        "absent",
        "absent_over_time",
        "sgn",
        "distinct",
        "distinct_over_time",
    ];
    const CALENDAR: [&str; 7] = ["hour", "minute", "month", "year", "day_of_week", "day_of_month", "day_of_year"];
    const UNKNOWN: [&str; 7] = ["ln", "log2", "log10", "sqrt", "exp", "stdvar", "stdvar_over_time"];
    let inner = |histogram| {
        let series = arguments.iter().rev().find(|argument| argument.constant().is_none() && !is_text(argument));
        series.and_then(|argument| measured(argument, histogram))
    };
    match name {
        "time" | "now" | "timestamp" => Some(Unit::INSTANT),
        "rate" | "irate" | "deriv" | "deriv_fast" | "bytes_rate" if !histogram => {
            let of = if name == "bytes_rate" { Some(Unit::of(UnitKind::Byte, 1.0)) } else { inner(false) };
            of.and_then(Unit::each_second)
        }
        "bytes_over_time" => Some(Unit::of(UnitKind::Byte, 1.0)),
        "histogram_quantile" | "histogram_avg" => inner(true),
        _ if COUNTS.contains(&name) || CALENDAR.contains(&name) => Some(Unit::COUNT),
        _ if UNKNOWN.contains(&name) => None,
        // `topk(3, x)` and the like have their series behind a number, `label_replace(x, …)` before texts; all that
        // are left keep what they are given.
        _ => inner(histogram),
    }
}

fn is_text(node: &Node) -> bool {
    matches!(node.kind, Kind::Text)
}

fn sum(operator: Operator, left: &Node, right: &Node, histogram: bool) -> Option<Unit> {
    let (a, b) = (measured(left, histogram)?, measured(right, histogram)?);
    match (left.constant().is_some(), right.constant().is_some()) {
        (true, _) => return Some(b),
        (_, true) => return Some(a),
        _ => {}
    }
    if a.kind == UnitKind::Instant || b.kind == UnitKind::Instant {
        // Of two moments the difference is a time; a moment and a time give a moment.
        let apart = operator == Operator::Minus && b.kind != UnitKind::Second;
        return Some(if apart { Unit::SECONDS } else { Unit::INSTANT });
    }
    match (a.is_plain(), b.is_plain()) {
        _ if a == b => Some(a),
        // A name that does not tell its unit has the one that the other tells.
        (true, false) => Some(b),
        (false, true) => Some(a),
        _ => None,
    }
}

fn product(left: &Node, right: &Node, histogram: bool) -> Option<Unit> {
    match (left.constant(), right.constant()) {
        (Some(factor), None) => return scaled(measured(right, histogram)?, factor),
        (None, Some(factor)) => return scaled(measured(left, histogram)?, factor),
        _ => {}
    }
    let (a, b) = (measured(left, histogram)?, measured(right, histogram)?);
    let neutral = |unit: &Unit| unit.is_plain() || *unit == Unit::RATIO;
    if neutral(&b) {
        Some(a)
    } else if neutral(&a) {
        Some(b)
    } else {
        None
    }
}

fn quotient(left: &Node, right: &Node, histogram: bool) -> Option<Unit> {
    match (left.constant(), right.constant()) {
        (None, Some(divisor)) if divisor != 0.0 => return scaled(measured(left, histogram)?, 1.0 / divisor),
        (Some(_), _) | (_, Some(_)) => return None,
        _ => {}
    }
    let (a, b) = (measured(left, histogram)?, measured(right, histogram)?);
    if a.kind == b.kind && a.per_second == b.per_second {
        return Some(Unit::of(UnitKind::Ratio, a.scale / b.scale));
    }
    match (&a.kind, &b.kind) {
        // Seconds spent in a second by events in a second: seconds each.
        (UnitKind::Ratio, UnitKind::Count) if b.per_second => Some(Unit::of(UnitKind::Second, a.scale)),
        (_, UnitKind::Count) if a.per_second == b.per_second => Some(Unit { per_second: false, ..a }),
        (_, UnitKind::Count) if !b.per_second => Some(a),
        (_, UnitKind::Second) if !a.per_second => a.each_second(),
        _ => None,
    }
}

/// `unit` after its numbers were multiplied with `factor`.
fn scaled(unit: Unit, factor: f64) -> Option<Unit> {
    let near = |wanted: f64| (factor / wanted - 1.0).abs() < 1e-9;
    let any = |wanted: &[f64]| wanted.iter().any(|wanted| near(*wanted) || near(1.0 / wanted));
    let known = match unit.kind {
        _ if near(1.0) || near(100.0) || near(0.01) => true,
        UnitKind::Byte if near(8.0) => return Some(Unit { kind: UnitKind::Bit, ..unit }),
        UnitKind::Bit if near(0.125) => return Some(Unit { kind: UnitKind::Byte, ..unit }),
        UnitKind::Byte | UnitKind::Bit => any(&[KIB, MIB, GIB, TIB, 1e3, 1e6, 1e9, 1e12]),
        UnitKind::Second => any(&[60.0, 3600.0, 86_400.0, 604_800.0, 1e3, 1e6, 1e9]),
        UnitKind::Count if !unit.per_second => return Some(unit),
        _ => false,
    };
    known.then(|| Unit { scale: unit.scale / factor, ..unit })
}

/// The unit that a word in a metric's name indicates.
const WORDS: [(&str, UnitKind, f64); 24] = {
    use UnitKind::{Bit, Byte, Celsius, Ratio, Second};
    [
        ("bytes", Byte, 1.0),
        ("byte", Byte, 1.0),
        ("kilobytes", Byte, KIB),
        ("megabytes", Byte, MIB),
        ("bits", Bit, 1.0),
        ("seconds", Second, 1.0),
        ("second", Second, 1.0),
        ("milliseconds", Second, 1e-3),
        ("millis", Second, 1e-3),
        ("ms", Second, 1e-3),
        ("microseconds", Second, 1e-6),
        ("us", Second, 1e-6),
        ("nanoseconds", Second, 1e-9),
        ("ns", Second, 1e-9),
        ("minutes", Second, 60.0),
        ("hours", Second, 3600.0),
        ("days", Second, 86_400.0),
        ("ratio", Ratio, 1.0),
        ("percent", Ratio, 0.01),
        ("percentage", Ratio, 0.01),
        ("pct", Ratio, 0.01),
        ("celsius", Celsius, 1.0),
        ("temperature", Celsius, 1.0),
        ("temp", Celsius, 1.0),
    ]
};

/// The unit that a metric's name tells; a count where it tells none.
fn of_metric(name: &str, histogram: bool) -> Unit {
    // A recorded rule is named `level:metric:operations`.
    let (metric, operations) = match name.split(':').collect::<Vec<_>>()[..] {
        [_, metric, operations] => (metric, operations),
        [metric, operations] if operations.starts_with("rate") => (metric, operations),
        [_, metric] => (metric, ""),
        _ => (name, ""),
    };
    let mut words = words_of(metric);
    let events = words.last().is_some_and(|last| last == "count" || (last == "bucket" && !histogram));
    words.retain(|word| !matches!(word.as_str(), "total" | "sum" | "bucket" | "info"));
    let unit = if events { Unit::COUNT } else { of_words(&words, metric) };
    let parts = ["utilisation", "utilization", "usage", "saturation", "ratio"];
    let rated = operations.contains("rate") && !words.iter().any(|word| parts.contains(&word.as_str()));
    if rated { unit.clone().each_second().unwrap_or(unit) } else { unit }
}

fn of_words(words: &[String], metric: &str) -> Unit {
    let has = |wanted: &[&str]| words.iter().any(|word| wanted.contains(&word.as_str()));
    let pair = |a: &str, b: &str| words.windows(2).any(|pair| pair[0] == a && pair[1] == b);
    let moment = has(&["timestamp", "expiry"]) || pair("start", "time") || pair("boot", "time") || pair("not", "after");
    if moment {
        return Unit::INSTANT;
    }
    // The last word that tells one: `request_size_bytes`, `seconds_behind_master`.
    let told = words.iter().rev().find_map(|word| WORDS.iter().find(|(name, ..)| name == word));
    if let Some((_, kind, scale)) = told {
        return Unit::of(kind.clone(), *scale);
    }
    let busy = ["idle", "active", "user", "system", "iowait", "steal", "nice", "guest"];
    let usage = words.windows(2).any(|pair| pair[0] == "usage" && busy.contains(&pair[1].as_str()));
    if usage || metric.contains("Usage") || metric.contains("Utilization") { Unit::PERCENT } else { Unit::COUNT }
}

/// The words of a name, in lower case: at `_`, `.` and at capitals.
fn words_of(name: &str) -> Vec<String> {
    let mut words: Vec<String> = vec![String::new()];
    let mut before = '_';
    for letter in name.chars() {
        let breaks = !letter.is_alphanumeric() || (letter.is_uppercase() && before.is_lowercase());
        if breaks && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        if letter.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(letter.to_lowercase());
        }
        before = letter;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Does a metric of `node` have a name that is used for percentages, too? Only a threshold can tell.
pub(super) fn may_be_percent(node: &Node) -> bool {
    match &node.kind {
        Kind::Metric(name) => {
            let lower = name.to_lowercase();
            ["utilization", "utilisation", "usage", "percent", "_util"].iter().any(|word| lower.contains(word))
        }
        _ => node.parts().into_iter().any(may_be_percent),
    }
}
