//! Writing numbers for people: few digits and a unit, and never so few that the number would cross its threshold or reach
//! 0 or 100 %.

use super::rule::Bound;
use super::unit::{Unit, UnitKind};
use crate::words::Language;

/// The most decimals that a number gets to stay true.
const FINEST: usize = 12;
/// From here on a number is written with a power of ten.
const HUGE: f64 = 1e18;
/// Below this a number is only said to be smaller.
const TINY: f64 = 1e-9;

/// `value` in `unit`, as it is shown beside the `bounds` that its rule compares it with (in the same unit). Where `unit`
/// is a moment, the caller has a clock and writes it; here it is a number.
pub fn write(value: f64, unit: Option<&Unit>, bounds: &[Bound], language: Language) -> String {
    let zh = language == Language::Zh;
    if value.is_nan() {
        return if zh { "无法计算" } else { "not a number" }.to_owned();
    }
    if value.is_infinite() {
        let sign = if value < 0.0 { "-" } else { "" };
        return format!("{sign}∞{}", if zh { "（分母为 0）" } else { " (divided by 0)" });
    }
    let Some(unit) = unit else { return count(value, bounds, "", language) };
    let each = |name: &str| if unit.per_second { format!("{name}/s") } else { name.to_owned() };
    match &unit.kind {
        UnitKind::Ratio => percent(value, unit.scale * 100.0, bounds, zh),
        UnitKind::Byte => stepped(value, unit.scale, bounds, &BYTES, 1024.0, each),
        UnitKind::Bit => stepped(value, unit.scale, bounds, &BITS, 1000.0, each),
        UnitKind::Second => time(value, unit.scale, bounds, zh),
        UnitKind::Celsius => count(value, bounds, if zh { " ℃" } else { " °C" }, language),
        UnitKind::Count if unit.per_second => count(value, bounds, if zh { " 次/秒" } else { "/s" }, language),
        UnitKind::Count | UnitKind::Instant => count(value, bounds, "", language),
        UnitKind::Named(name) => count(value, bounds, &format!(" {name}"), language),
    }
}

/// The rule's bounds in words: `> 90 %`, `90–100 %`; `None` where they say nothing that is worth reading (`> 0`).
pub fn threshold(bounds: &[Bound], unit: Option<&Unit>, language: Language) -> Option<String> {
    let written = |bound: &Bound| write(bound.limit, unit, &[], language);
    match bounds {
        [] => None,
        [bound] => {
            let any = bound.operator.sign() == ">" && bound.limit == 0.0;
            let one = bound.operator.sign() == "≥" && (bound.limit - 1.0).abs() < f64::EPSILON;
            let plain = unit.is_none_or(Unit::is_plain);
            let silent = any || (one && plain);
            (!silent).then(|| format!("{} {}", bound.operator.sign(), written(bound)))
        }
        [first, second] if first.limit <= second.limit => Some(span(&written(first), &written(second))),
        [first, second] => Some(span(&written(second), &written(first))),
        several => {
            let all: Vec<String> =
                several.iter().map(|bound| format!("{} {}", bound.operator.sign(), written(bound))).collect();
            Some(all.join(" "))
        }
    }
}

/// `90 %` and `100 %` as `90–100 %`.
fn span(low: &str, high: &str) -> String {
    let digits = |text: &str| text.rfind(|c: char| c.is_ascii_digit()).map_or(0, |at| at + 1);
    let (number, unit) = low.split_at(digits(low));
    let is_number = number.chars().all(|c| c.is_ascii_digit() || matches!(c, ',' | '.' | '-'));
    let same = is_number && unit == &high[digits(high)..];
    format!("{}–{high}", if same { number } else { low })
}

/// Is `shown` true of `value`: on the same side of every bound, of 0 and of `whole`?
fn is_true(shown: f64, value: f64, bounds: &[Bound], whole: Option<f64>) -> bool {
    let side = |limit: f64| value.partial_cmp(&limit) == shown.partial_cmp(&limit);
    side(0.0) && whole.is_none_or(side) && bounds.iter().all(|bound| side(bound.limit))
}

/// The shortest of `candidates` that is true; the last one if none is. Each is a number and how it is written.
fn first_true(
    candidates: impl Iterator<Item = (f64, String)>,
    value: f64,
    bounds: &[Bound],
    whole: Option<f64>,
) -> String {
    let mut last = String::new();
    for (shown, text) in candidates {
        if is_true(shown, value, bounds, whole) {
            return text;
        }
        last = text;
    }
    last
}

/// `value` with `decimals` digits behind the point and without zeros at the end. Half rounds away from zero, by the
/// digits that the shortest form of the number has.
pub(super) fn rounded(value: f64, decimals: usize) -> String {
    let plain = format!("{}", value.abs());
    let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
    let mut digits: Vec<u8> = whole.bytes().chain(fraction.bytes().take(decimals)).map(|byte| byte - b'0').collect();
    if fraction.as_bytes().get(decimals).is_some_and(|next| *next >= b'5') {
        let mut carry = true;
        for digit in digits.iter_mut().rev() {
            if !carry {
                break;
            }
            carry = *digit == 9;
            *digit = if carry { 0 } else { *digit + 1 };
        }
        if carry {
            digits.insert(0, 1);
        }
    }
    let behind = fraction.len().min(decimals);
    let point = digits.len() - behind;
    let text = |digits: &[u8]| digits.iter().map(|digit| char::from(b'0' + digit)).collect::<String>();
    let (whole, fraction) = (text(&digits[..point]), text(&digits[point..]));
    let fraction = fraction.trim_end_matches('0');
    let out = if fraction.is_empty() { whole } else { format!("{whole}.{fraction}") };
    if value < 0.0 && out.bytes().any(|byte| matches!(byte, b'1'..=b'9')) { format!("-{out}") } else { out }
}

/// Decimals that leave `significant` digits, and all digits before the point.
fn decimals(value: f64, significant: usize) -> usize {
    let size = value.abs();
    if size == 0.0 {
        return 0;
    }
    // The first digit stands for at least this much.
    let mut first = 10_f64.powi(i32::try_from(significant).unwrap_or(1) - 1);
    (0..FINEST)
        .find(|_| {
            let enough = size >= first;
            first /= 10.0;
            enough
        })
        .unwrap_or(FINEST)
}

/// `1234567.8` as `1,234,567.8`.
fn separated(number: &str) -> String {
    let (sign, number) = number.strip_prefix('-').map_or(("", number), |rest| ("-", rest));
    let (whole, fraction) = number.split_once('.').map_or((number, None), |(whole, rest)| (whole, Some(rest)));
    let mut out = sign.to_owned();
    for (index, digit) in whole.char_indices() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if let Some(fraction) = fraction {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

/// `shown × factor` for each number of decimals from `from` on.
fn finer(value: f64, factor: f64, from: usize) -> impl Iterator<Item = (f64, String)> {
    (from..=FINEST.max(from)).map(move |decimals| {
        let text = rounded(value / factor, decimals);
        (text.parse::<f64>().unwrap_or_default() * factor, text)
    })
}

fn count(value: f64, bounds: &[Bound], behind: &str, language: Language) -> String {
    const ZH: [(f64, &str); 3] = [(1e12, " 万亿"), (1e8, " 亿"), (1e4, " 万")];
    const EN: [(f64, &str); 5] = [(1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M")];
    let size = value.abs();
    if size >= HUGE || (size > 0.0 && size < TINY) {
        return format!("{}{behind}", extreme(value));
    }
    let steps: &[(f64, &str)] = if language == Language::Zh { &ZH } else { &EN };
    let step = steps.iter().find(|(factor, _)| size >= 1e6 && size >= *factor);
    let (factor, name) = step.copied().unwrap_or((1.0, ""));
    let numbers = finer(value, factor, decimals(value / factor, 3));
    let texts = numbers.map(|(shown, text)| (shown, format!("{}{name}{behind}", separated(&text))));
    // 999,999.9 is no 1,000,000 but 100 万: the step is chosen again after rounding.
    let text = first_true(texts, value, bounds, None);
    let carried = if step.is_none() { size.round() >= 1e6 } else { false };
    if carried && is_true(1e6_f64.copysign(value), value, bounds, None) {
        return count(1e6_f64.copysign(value), &[], behind, language);
    }
    text
}

/// A number that is too large or too small for digits.
fn extreme(value: f64) -> String {
    if value.abs() < TINY {
        return if value < 0.0 { "> -0.000000001" } else { "< 0.000000001" }.to_owned();
    }
    let scientific = format!("{value:.2e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let mantissa = if mantissa.contains('.') { mantissa.trim_end_matches('0').trim_end_matches('.') } else { mantissa };
    let raised: String = exponent
        .chars()
        .map(|c| {
            c.to_digit(10).map_or('⁻', |digit| ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'][digit as usize])
        })
        .collect();
    format!("{mantissa}×10{raised}")
}

/// `factor`: what makes percent of the number.
fn percent(value: f64, factor: f64, bounds: &[Bound], zh: bool) -> String {
    let shown = value * factor;
    let sign = if zh { " %" } else { "%" };
    if shown.abs() >= HUGE || (shown != 0.0 && shown.abs() < TINY) {
        return format!("{}{sign}", extreme(shown));
    }
    let from = if shown.abs() >= 1.0 { 1 } else { decimals(shown, 2) };
    // 0.07 × 100 is 7.000000000000001.
    let clean: f64 = format!("{shown:.12e}").parse().unwrap_or(shown);
    let texts = finer(clean, 1.0, from).map(|(number, text)| (number / factor, text));
    let texts = texts.map(|(number, text)| (number, format!("{}{sign}", separated(&text))));
    first_true(texts, value, bounds, Some(100.0 / factor))
}

const BYTES: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
const BITS: [&str; 7] = ["bit", "kbit", "Mbit", "Gbit", "Tbit", "Pbit", "Ebit"];

fn stepped(
    value: f64,
    scale: f64,
    bounds: &[Bound],
    names: &[&str; 7],
    base: f64,
    each: impl Fn(&str) -> String,
) -> String {
    let size = value * scale;
    let (mut step, mut factor) = (0, 1.0);
    while step + 1 < names.len() && size.abs() >= factor * base {
        step += 1;
        factor *= base;
    }
    // 1,023.9 MiB rounds to 1,024 MiB, which is 1 GiB.
    if step + 1 < names.len() && (size.abs() / factor).round() >= base {
        let next = (factor * base).copysign(size);
        if is_true(next / scale, value, bounds, None) {
            return format!("{}1 {}", if size < 0.0 { "-" } else { "" }, each(names[step + 1]));
        }
    }
    if size.abs() >= HUGE * 1e6 || (size != 0.0 && size.abs() < TINY) {
        return format!("{} {}", extreme(size), each(names[0]));
    }
    let name = each(names[step]);
    let texts = finer(size, factor, decimals(size / factor, 3));
    let texts = texts.map(|(shown, text)| (shown / scale, format!("{} {name}", separated(&text))));
    first_true(texts, value, bounds, None)
}

/// Units of time above a second, in milliseconds: days, hours, minutes, seconds.
const TIMES: [(f64, &str, &str); 4] =
    [(86_400.0, " 天", "d"), (3600.0, " 小时", "h"), (60.0, " 分", "m"), (1.0, " 秒", "s")];

/// Decimals of a second and what the last of them stands for.
const PARTS: [(usize, f64); 6] = [(1, 0.1), (2, 0.01), (3, 1e-3), (4, 1e-4), (5, 1e-5), (6, 1e-6)];

fn time(value: f64, scale: f64, bounds: &[Bound], zh: bool) -> String {
    let seconds = value * scale;
    let size = seconds.abs();
    let sign = if seconds < 0.0 { "-" } else { "" };
    if size >= HUGE || (size != 0.0 && size < TINY) {
        return format!("{}{}", extreme(seconds), if zh { " 秒" } else { "s" });
    }
    let simple = |factor: f64, name: &'static str| {
        let texts = finer(seconds, factor, decimals(seconds / factor, 3));
        first_true(texts.map(|(shown, text)| (shown / scale, format!("{text}{name}"))), value, bounds, None)
    };
    if size == 0.0 {
        return if zh { "0 秒" } else { "0s" }.to_owned();
    }
    if size < 0.001 {
        return simple(1e-6, " µs");
    }
    if size < 1.0 {
        return simple(1e-3, " ms");
    }
    if size < 120.0 {
        return simple(1.0, if zh { " 秒" } else { "s" });
    }
    // Two units and what is left goes; more units where the number would not be true otherwise, and in the end parts of
    // a second.
    let first = TIMES.iter().position(|(unit, ..)| size >= *unit).unwrap_or(3);
    let mut last = String::new();
    for (units, decimals, part) in
        (2..=4).map(|units| (units, 0, 1.0)).chain(PARTS.map(|(decimals, part)| (4, decimals, part)))
    {
        let finest = (first + units - 1).min(3);
        let unit = TIMES[finest].0 * part;
        let shown = (size / unit + 1e-9).floor() * unit;
        last = format!("{sign}{}", spelt(shown, first, finest, decimals, zh));
        if is_true(shown.copysign(seconds) / scale, value, bounds, None) {
            return last;
        }
    }
    last
}

/// `seconds` in the units from `first` to `finest`, without those that are 0.
fn spelt(seconds: f64, first: usize, finest: usize, decimals: usize, zh: bool) -> String {
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (index, (unit, chinese, english)) in TIMES.iter().enumerate().take(finest + 1).skip(first) {
        let is_last = index == finest;
        let number = if is_last { rest / unit } else { (rest / unit + 1e-9).floor() };
        rest -= number * unit;
        let text = rounded(number.max(0.0), if is_last { decimals } else { 0 });
        if text != "0" {
            parts.push((separated(&text), *chinese, *english));
        }
    }
    let alone = parts.len() == 1;
    let written = parts.iter().map(|(number, chinese, english)| match zh {
        // 2 分钟, but 2 分 8 秒.
        true if alone && *chinese == " 分" => format!("{number} 分钟"),
        true => format!("{number}{chinese}"),
        false => format!("{number}{english}"),
    });
    written.collect::<Vec<_>>().join(" ")
}
