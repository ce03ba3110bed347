//! What a body measures: its value with the unit, and the comparison of the rule, as far as the sender gives them. No number is
//! made up: a threshold without a comparison stays a line of the text.

use serde_json::Value;

use super::super::tree::{Member, Members, spoken};
use super::super::{field, plain};
use crate::alert::{self, Labels};
use crate::level::plain_name;

const VALUES: &[&str] = &[
    "currentvalue",
    "curvalue",
    "metricvalue",
    "observedvalue",
    "measuredvalue",
    "actualvalue",
    "monitorvalue",
    "currentdata",
    "alertvalue",
    "alarmvalue",
    "currentval",
    "currvalue",
    "nowvalue",
    "triggervalue",
    "triggerval",
    "alarmval",
    "alertaggvalue",
    "当前值",
    "当前数值",
    "现值",
    "实际值",
    "监控值",
    "触发值",
    "触发时值",
    "监控取值",
    "告警值",
    "指标值",
    "当前数据",
    "当前指标值",
    "实测值",
    "测量值",
    "采集值",
    "最新值",
    "目前使用率",
    "目前值",
];
/// A value where the same object says what it is compared with.
const BESIDE: &[&str] = &["value", "actual", "measured", "result", "current", "值"];
const THRESHOLDS: &[&str] = &[
    "threshold",
    "thresholdvalue",
    "alarmthreshold",
    "alertthreshold",
    "errorthreshold",
    "criticalthreshold",
    "warningthreshold",
    "calcvalue",
    "阈值",
    "告警阈值",
    "报警阈值",
    "触发阈值",
    "阀值",
    "限值",
    "上限",
    "下限",
    "门限",
    "门限值",
    "门槛值",
    "thresholdval",
    "limitvalue",
];
const OPERATORS: &[&str] = &[
    "operator",
    "comparisonoperator",
    "comparison",
    "comparator",
    "compareoperator",
    "calctype",
    "op",
    "alertoperator",
    "alarmoperator",
    "ruleoperator",
    "比较符",
    "运算符",
];
const METRICS: &[&str] = &[
    "metricshowname",
    "metricdisplayname",
    "metricname",
    "metric",
    "metricfieldname",
    "measure",
    "indicator",
    "metrickey",
    "指标",
    "指标名称",
    "监控指标",
];
const UNITS: &[&str] = &[
    "unit",
    "units",
    "unitname",
    "valueunit",
    "metricunit",
    "metricunitname",
    "measureunit",
    "currentunit",
    "dataunit",
    "calcunit",
    "thresholdunit",
    "单位",
    "单位名称",
    "数据单位",
    "计量单位",
];

/// Characters of a unit and of the name of a measure.
const UNIT: usize = 12;
const NAME: usize = 60;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Measured {
    pub values: Vec<alert::Value>,
    /// The comparison as an expression (`cpu_usage > 90`); empty where the body gives none.
    pub expression: String,
    /// The texts that are told by this.
    pub told: Vec<String>,
    /// The value is on the bad side of the limit that the rule compares it with.
    pub beyond: bool,
}

/// From the members, else from lines of the text. Where none says the unit, the words in which the number stands do.
pub(super) fn of(members: &Members<'_>, lines: &[(String, String)], words: &str) -> Measured {
    let thresholds: Vec<&Member<'_>> = members.named(THRESHOLDS);
    let beside = |member: &&&Member<'_>| thresholds.iter().any(|other| is_beside(other, member));
    let named = members.named(VALUES).into_iter().find(|member| number_of(member).is_some());
    let plainly = || {
        let all = members.named(BESIDE);
        all.iter().filter(beside).copied().find(|member| number_of(member).is_some())
    };
    let Some(value) = named.or_else(plainly) else { return of_lines(lines, words) };
    let near = |names: &[&str]| {
        let found = members.named(names);
        let text = |member: &&Member<'_>| spoken(member.value).filter(|text| !text.contains('\n'));
        let own = found.iter().copied().filter(|member| is_beside(member, value)).find_map(|member| text(&member));
        own.or_else(|| {
            found.iter().copied().filter(|member| member.depth <= value.depth).find_map(|member| text(&member))
        })
    };
    let sent = number_of(value).unwrap_or_default();
    let (unit, threshold, operator) =
        (near(UNITS).unwrap_or_default(), near(THRESHOLDS).unwrap_or_default(), near(OPERATORS).unwrap_or_default());
    // `metrics: [{name, value, …}]`
    let own_name =
        || near(&["name"]).filter(|_| ["metric", "metrics", "measure", "indicator"].contains(&value.parent.as_str()));
    let metric = near(METRICS).or_else(own_name).unwrap_or_default();
    let unit = if plain::is_missing(&unit) { unit_of(&metric, &sent, words) } else { unit };
    let (text, expression) = told(&metric, &sent, &unit, &operator, &threshold);
    let beyond = !expression.is_empty() && is_beyond(&text, &operator, &threshold);
    let mut told = vec![sent];
    if !expression.is_empty() {
        told.extend([threshold, operator]);
    }
    if text != told[0] && !unit.is_empty() {
        told.push(unit);
    }
    Measured { values: named_value(&metric, &text), expression, told, beyond }
}

/// The unit behind the name of what is measured (`CPU使用率(%)`), else behind the same number in the words of the body.
fn unit_of(metric: &str, sent: &str, words: &str) -> String {
    let behind = metric.trim().strip_suffix([')', '）']).and_then(|name| Some(name.rsplit_once(['(', '（'])?.1.trim()));
    if let Some(unit) = behind.filter(|unit| super::alike::is_unit(unit)) {
        return unit.to_owned();
    }
    // A number of one digit may be any other.
    let is_told = sent.len() > 1 && sent.starts_with(|letter: char| letter.is_ascii_digit());
    let found = words.match_indices(sent).filter(|_| is_told);
    let mut units = found.filter_map(|(at, _)| {
        let (before, after) = (&words[..at], &words[at + sent.len()..]);
        let is_part = |letter: char| letter.is_ascii_digit() || letter == '.';
        let is_whole = !before.ends_with(is_part) && !after.starts_with(is_part);
        let length = super::alike::measured(before, after).filter(|length| is_whole && *length > 0)?;
        Some(after[..length].trim())
    });
    let first = units.next().unwrap_or_default();
    if units.all(|unit| unit == first) { first.to_owned() } else { String::new() }
}

/// Is a value with its unit on the side of the limit that the comparison is about?
fn is_beyond(value: &str, operator: &str, threshold: &str) -> bool {
    let limit = threshold.trim_start_matches(|letter: char| !letter.is_ascii_digit() && letter != '-');
    let sign = compares(operator).or_else(|| compares(threshold[..threshold.len() - limit.len()].trim()));
    let (Some((value, _)), Some((limit, _))) = (number(value), number(limit)) else { return false };
    match sign {
        Some(">") => value > limit,
        Some(">=") => value >= limit,
        Some("<") => value < limit,
        Some("<=") => value <= limit,
        _ => false,
    }
}

fn of_lines(lines: &[(String, String)], words: &str) -> Measured {
    let line = |names: &[&str]| {
        names.iter().find_map(|wanted| lines.iter().find(|(name, _)| name == wanted)).map(|(_, value)| value.as_str())
    };
    let Some(sent) = line(VALUES).filter(|value| number(value).is_some()) else { return Measured::default() };
    let [unit, operator, threshold, metric] =
        [UNITS, OPERATORS, THRESHOLDS, METRICS].map(|names| line(names).unwrap_or_default());
    // `监控指标: [ident=web-1]` is a set of labels.
    let metric = if metric.contains(['[', '{', '=']) { "" } else { metric };
    let unit = if plain::is_missing(unit) { unit_of(metric, sent, words) } else { unit.to_owned() };
    let (text, expression) = told(metric, sent, &unit, operator, threshold);
    let beyond = !expression.is_empty() && is_beyond(&text, operator, threshold);
    Measured { values: named_value(metric, &text), expression, told: Vec::new(), beyond }
}

/// The name and value of what one object measures.
pub(in crate::ingest) fn measures(item: &Value) -> Option<(String, String)> {
    let found = of(&Members::of(item, ""), &[], "");
    found.values.into_iter().next().map(|value| (value.name, value.text))
}

/// Is it the plain name of a value, of its limit or of what is measured?
pub(super) fn is_measure(plain: &str) -> bool {
    [VALUES, BESIDE, THRESHOLDS, METRICS].iter().any(|names| names.contains(&plain))
}

/// Do both stand in one object?
fn is_beside(one: &Member<'_>, other: &Member<'_>) -> bool {
    one.depth == other.depth && one.parent == other.parent
}

/// A member's number, with the unit behind it if there is one.
fn number_of(member: &Member<'_>) -> Option<String> {
    match member.value {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => number(text).map(|_| text.trim().to_owned()),
        _ => None,
    }
}

fn named_value(metric: &str, text: &str) -> Vec<alert::Value> {
    let name = if plain::is_missing(metric) { String::new() } else { plain::excerpt(metric.trim(), NAME) };
    field::measured_text(text).map(|text| alert::Value { name, text, tags: Labels::new() }).into_iter().collect()
}

/// The value with its unit, and the comparison where value and threshold are of one unit.
fn told(metric: &str, sent: &str, unit: &str, operator: &str, threshold: &str) -> (String, String) {
    let (_, sign) = number(sent).unwrap_or_default();
    let limit = threshold.trim_start_matches(|letter: char| !letter.is_ascii_digit() && letter != '-').trim();
    let (_, limit_sign) = number(limit).unwrap_or_default();
    let unit = if sign.is_empty() && unit.trim().is_empty() { limit_sign } else { unit };
    // What stands in brackets behind it is no unit.
    let sent = sent.split(['(', '（']).next().unwrap_or(sent).trim();
    let text = measured(sent, unit);
    let is_same = limit_sign.is_empty() || text.ends_with(limit_sign);
    let in_threshold = threshold[..threshold.len() - limit.len()].trim();
    let operator = if compares(operator).is_some() { operator } else { in_threshold };
    let expression = if is_same { compared(metric, operator, limit) } else { String::new() };
    (text, expression)
}

/// A number at the beginning of a short text, and the unit behind it; `None` for other texts.
fn number(text: &str) -> Option<(f64, &str)> {
    let text = text.split(['(', '（']).next().unwrap_or(text).trim();
    let is_part = |letter: char| letter.is_ascii_digit() || matches!(letter, '.' | '-' | '+' | ',');
    let end = text.find(|letter: char| !is_part(letter)).unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let (digits, unit) =
        match unit.strip_prefix(['e', 'E']).map(|power| power.find(|c: char| !is_part(c)).unwrap_or(power.len())) {
            Some(length) if length > 0 => text.split_at(end + 1 + length),
            _ => (digits, unit),
        };
    let number = digits.replace(',', "").parse().ok()?;
    let unit = unit.trim();
    let sound = unit.chars().count() <= UNIT && !unit.chars().any(|c| c.is_ascii_digit() || c.is_whitespace());
    sound.then_some((number, unit))
}

/// `value` with its unit: as it is if it has one already, nothing if it is no number. The words of `CloudWatch` for units are known.
pub(in crate::ingest) fn measured(value: &str, unit: &str) -> String {
    const WORDS: [(&str, &str); 21] = [
        ("percent", "%"),
        ("bytes", "B"),
        ("kilobytes", "KB"),
        ("megabytes", "MB"),
        ("gigabytes", "GB"),
        ("terabytes", "TB"),
        ("bytessecond", "B/s"),
        ("kilobytessecond", "KB/s"),
        ("megabytessecond", "MB/s"),
        ("gigabytessecond", "GB/s"),
        ("bitssecond", "bps"),
        ("kilobitssecond", "Kbps"),
        ("megabitssecond", "Mbps"),
        ("gigabitssecond", "Gbps"),
        ("seconds", "s"),
        ("milliseconds", "ms"),
        ("microseconds", "µs"),
        ("countsecond", "/s"),
        ("count", ""),
        ("none", ""),
        ("null", ""),
    ];
    let Some((_, own)) = number(value) else { return String::new() };
    let word = plain_name(unit);
    let unit = WORDS.iter().find(|(known, _)| *known == word).map_or(unit.trim(), |(_, sign)| sign);
    let sound = unit.chars().count() <= UNIT && !unit.chars().any(char::is_whitespace) && !plain::is_missing(unit);
    if own.is_empty() && sound { format!("{} {unit}", value.trim()) } else { value.trim().to_owned() }
}

/// The sign of a comparison.
pub(in crate::ingest) fn compares(word: &str) -> Option<&'static str> {
    const GREATER: &str =
        ">|gt|greaterthan|greaterthanthreshold|comparisongt|above|over|greater|morethan|higherthan|大于|高于|超过";
    const AT_LEAST: &str = ">=|≥|ge|gte|greaterthanorequal|greaterthanorequalto|greaterthanorequaltothreshold|greaterorequal|\
        greaterorequalthan|comparisonge|atleast|大于等于|大于或等于|不低于|不小于";
    const LESS: &str = "<|lt|lessthan|lessthanthreshold|comparisonlt|below|under|less|lowerthan|小于|低于";
    const AT_MOST: &str = "<=|≤|le|lte|lessthanorequal|lessthanorequalto|lessthanorequaltothreshold|lessorequal|lessorequalthan|\
        comparisonle|atmost|小于等于|小于或等于|不高于|不大于";
    const EQUAL: &str = "=|==|eq|equal|equals|equalto|comparisoneq|等于";
    const OTHER: &str = "!=|<>|≠|ne|neq|notequal|notequals|notequalto|comparisonne|不等于";
    let word = word.trim();
    let plain = plain_name(word);
    let known = |list: &str| list.split('|').any(|known| known == word || !plain.is_empty() && known == plain);
    let found = [(AT_LEAST, ">="), (AT_MOST, "<="), (OTHER, "!="), (GREATER, ">"), (LESS, "<"), (EQUAL, "==")];
    found.into_iter().find(|(list, _)| known(list)).map(|(_, sign)| sign)
}

/// `measure > 90`: a comparison as an expression; empty where the operator is not known or the threshold is no number.
pub(in crate::ingest) fn compared(measure: &str, operator: &str, threshold: &str) -> String {
    let (Some(sign), Some((limit, _))) = (compares(operator), number(threshold)) else { return String::new() };
    let measure = if plain::is_missing(measure) { "value" } else { measure.trim() };
    let measure: String = measure.chars().take(NAME).map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
    let measure = measure.trim_matches('_');
    let starts = measure.starts_with(char::is_alphabetic);
    format!("{}{measure} {sign} {limit}", if starts { "" } else { "_" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comparisons_are_read_in_the_words_of_many_senders() {
        for (sign, words) in [
            (">", ">|gt|GreaterThan|GreaterThanThreshold|COMPARISON_GT|greater than|大于"),
            (">=", ">=|≥|GreaterThanOrEqualToThreshold|greater than or equal to|不低于"),
            ("<", "<|lt|LESS_THAN|LessThanThreshold|COMPARISON_LT|低于"),
            ("<=", "<=|lte|LessThanOrEqual|小于等于"),
            ("==", "=|==|Equals|等于"),
            ("!=", "!=|NotEquals|不等于"),
        ] {
            for word in words.split('|') {
                assert_eq!(compares(word), Some(sign), "{word}");
            }
        }
        for word in ["", "GreaterThanUpperThreshold", "outside", "matches"] {
            assert_eq!(compares(word), None, "{word}");
        }
    }

    #[test]
    fn a_value_has_one_unit() {
        for (value, unit, text) in [
            ("96.5", "Percent", "96.5 %"),
            ("96.5", "%", "96.5 %"),
            ("96.5%", "%", "96.5%"),
            ("12", "Count", "12"),
            ("1048576", "Bytes/Second", "1048576 B/s"),
            ("1.2e6", "", "1.2e6"),
            ("3 台", "个", "3 台"),
            ("normal", "%", ""),
            ("", "%", ""),
            ("12", "null", "12"),
        ] {
            assert_eq!(measured(value, unit), text, "{value} {unit}");
        }
    }

    #[test]
    fn a_comparison_needs_an_operator_and_a_number() {
        assert_eq!(compared("Percentage CPU", "GreaterThan", "80"), "Percentage_CPU > 80");
        assert_eq!(compared("磁盘使用率", ">=", "90.0%"), "磁盘使用率 >= 90");
        assert_eq!(compared("5xx", "gt", "0.5"), "_5xx > 0.5");
        assert_eq!(compared("", "<", "1"), "value < 1");
        for (operator, threshold) in [("", "90"), (">", ""), (">", "high"), ("between", "1")] {
            assert_eq!(compared("x", operator, threshold), "", "{operator} {threshold}");
        }
    }
}
