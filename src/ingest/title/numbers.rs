//! The numbers of a title: those that name a thing, and those that say how much or when.

use std::sync::LazyLock;

use regex::Regex;

use super::regex;

/// Runs of digits in a title that are looked at.
const NUMBERS: usize = 24;

static DIGITS: LazyLock<Regex> = LazyLock::new(|| regex(r"\d+"));
/// Digits that say how much or when: with a fraction, a unit behind them or a comparison before them.
static AMOUNT: LazyLock<Regex> = LazyLock::new(|| {
    regex(concat!(
        r"(?ix) \d{4} [-/.年] \d{1,2} (?: [-/.月] \d{1,2} 日? )? | \d{1,2} : \d{2} (?: : \d{2} )? ",
        r"| (?: [<>=≥≤≈] | 大于 | 小于 | 超过 | 超出 | 达到 | 高于 | 低于 | 不足 | 当前值? | 值为? | 阈值 | above | below | over | under | value )",
        r"   [\s:：=为是到]* -? \d+ (?: \.\d+ )? ",
        r"| \d+ (?: \.\d+ )? \s* (?: [%％‰℃°] | 秒 | 毫秒 | 分 | 小时 | 时 | 天 | 日 | 周 | 月 | 次 | 个 | 台 | 条 | 笔 | 件 | 项 | 人 | 核 | 度 ",
        r"   | 倍 | 万 | 千 | 百 | 元 | 字节 | 兆 | (?: ms | s | sec | secs | seconds? | m | min | mins | minutes? | h | hours? | d | days? | x | times?",
        r"   | b | [kmgtp]i?b? | bytes? | [kmg]?bps | qps | tps | rpm | iops | errors? | failed | passed ) (?-u:\b) )",
    ))
});
static DECIMAL: LazyLock<Regex> = LazyLock::new(|| regex(r"(?-u:\b)\d+\.\d+(?-u:\b)"));

/// Which run of a build it is: the end of a failed one is a later one.
static BUILD: LazyLock<Regex> =
    LazyLock::new(|| regex(r"(?i)(?:(?-u:\b)(?:build|run|构建|流水线)\s*(?:号|编号)?\s*[#＃]?\s*\d+)"));

/// `text` with `#` for each run of digits, and single blanks.
pub(in crate::ingest) fn without_digits(text: &str) -> String {
    DIGITS.replace_all(text, "#").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The runs of digits that name a thing, by their place: two titles with one core have the same places.
pub(super) fn numbers(core: &str) -> Vec<String> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_' | '/');
    let is_fraction = |found: ::regex::Match<'_>| {
        let before = core[..found.start()].chars().next_back();
        let after = core[found.end()..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    };
    let amounts: Vec<std::ops::Range<usize>> = AMOUNT
        .find_iter(core)
        .filter(|found| {
            !core[..found.start()].ends_with(is_part) || !found.as_str().starts_with(|c: char| c.is_ascii_digit())
        })
        .chain(DECIMAL.find_iter(core).filter(|found| is_fraction(*found)))
        .chain(BUILD.find_iter(core))
        .map(|found| found.range())
        .collect();
    let is_measured = |digits: &::regex::Match<'_>| {
        crate::ingest::reader::is_measured(&core[..digits.start()], &core[digits.end()..]).is_some()
    };
    let is_amount = |at: usize| amounts.iter().any(|range| range.contains(&at));
    let digits = DIGITS.find_iter(core).enumerate().take(NUMBERS);
    digits
        .filter(|(_, digits)| !is_amount(digits.start()) && !is_measured(digits))
        .map(|(place, digits)| format!("#{place}={}", digits.as_str()))
        .collect()
}
