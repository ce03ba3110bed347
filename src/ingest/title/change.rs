//! Words for an end that are taken back in the same line: `正常 → 告警`, `Resolved: no`, `Finished: FAILURE`, `OK: 2, failed: 3`.

use std::sync::LazyLock;

use ::regex::Regex;

use super::super::lexicon::{self, Word};
use super::regex;

/// A change from one state to another.
static ARROW: LazyLock<Regex> = LazyLock::new(|| regex(r"\s*(?:-+>|=+>|→|➜|➡|变为|变成|转为|切换为|\bto\b)\s*"));
/// What says how something named before it is.
static SIGN: LazyLock<Regex> = LazyLock::new(|| regex(r"\s*(?:[:：=|?？]|\s/\s)\s*"));
/// A word and how many of it there are.
static COUNTED: LazyLock<Regex> =
    LazyLock::new(|| regex(r"([A-Za-z]{2,12}|\p{Han}{2,4}|[✅❌])\s*[:：=]?\s*(\d+)(?:\s*(?:个|条|台|项|次|of\b))?"));
/// What came to an end, and not well.
static BADLY: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?i)\b(?:completed?|finished|succeeded|passed|ok|done|ended|recovered)\s+(?:with|but)\s+(?:\w+\s+){0,2}?(?:errors?|failures?|failed|slow|problems?|exceptions?|exit code [1-9]|code [1-9])",
    )
});
const NO: [&str; 16] =
    ["no", "not", "false", "0", "-", "--", "否", "未", "无", "没有", "none", "null", "n", "不", "never", "n/a"];

/// What a line says that names an end and takes it back, or goes on to another state.
pub(in crate::ingest) fn of(line: &str) -> Option<Word> {
    let line = line.trim();
    let calm = super::without_none(line);
    if BADLY.is_match(&calm) {
        return Some(Word::Firing);
    }
    let bad = || counted(line).filter(|word| *word == Word::Firing);
    turned(&calm).or_else(bad).or_else(|| denied(&calm)).or_else(|| counted(line))
}

/// The same of a text of several lines, each of which may take back what another says.
pub(in crate::ingest) fn of_text(text: &str) -> Option<Word> {
    const LINES: usize = 20;
    let lines: Vec<&str> = text.lines().take(LINES).collect();
    let bad = |word: &Word| *word != Word::Resolved;
    lines.iter().find_map(|line| of(line).filter(bad)).or_else(|| counted(&lines.join(" ")).filter(bad))
}

/// The state behind the last arrow, if one stands before it, too.
fn turned(line: &str) -> Option<Word> {
    let arrow = ARROW.find_iter(line).last()?;
    let before = last_state(&line[..arrow.start()])?;
    let after = first_state(&line[arrow.end()..])?;
    (before != after).then_some(after)
}

/// `Resolved: no`, `恢复：失败`: the word for an end is the name of what is told.
fn denied(line: &str) -> Option<Word> {
    let sign = SIGN.find(line)?;
    let (name, rest) = (line[..sign.start()].trim(), line[sign.end()..].trim());
    let name = [" at", " on", " time"].iter().find_map(|tail| name.strip_suffix(tail)).unwrap_or(name);
    if last_state(name) != Some(Word::Resolved) {
        return None;
    }
    let words = rest.trim_matches(|letter: char| !letter.is_alphanumeric());
    let lower = if words.is_empty() { rest.to_lowercase() } else { words.to_lowercase() };
    let first = lower.split([' ', '，', ',', '。']).next().unwrap_or_default();
    if rest.is_empty() || NO.contains(&lower.as_str()) || NO.contains(&first) && first != "no" && first != "无" {
        return (!rest.is_empty()).then_some(Word::Notice);
    }
    let bare = lower.trim_matches(|letter: char| {
        letter.is_ascii_digit() || letter.is_whitespace() || "个条台项次".contains(letter)
    });
    match lexicon::exact(bare) {
        Some(Word::Firing) => Some(Word::Firing),
        _ if matches!(bare, "unstable" | "aborted" | "failures" | "errors") => Some(Word::Firing),
        _ => None,
    }
}

/// `RESOLVED: 0 FIRING: 3`, `正常: 18 异常: 2`: what is counted as bad is there, or nothing is counted as good.
fn counted(line: &str) -> Option<Word> {
    let said = |word: &str| match word {
        "✅" => Some(Word::Resolved),
        "❌" | "fail" | "failed" | "failures" => Some(Word::Firing),
        word => lexicon::exact(word),
    };
    let all = COUNTED
        .captures_iter(line)
        .filter_map(|found| Some((said(&found[1].to_lowercase())?, found[2].parse::<u64>().ok()?)));
    let counts: Vec<(Word, u64)> = all.collect();
    let good = counts.iter().find(|(word, _)| *word == Word::Resolved)?;
    if counts.iter().any(|(word, count)| *word == Word::Firing && *count > 0) {
        return Some(Word::Firing);
    }
    (good.1 == 0).then_some(Word::Notice)
}

fn is_cut(letter: char) -> bool {
    letter.is_whitespace() || "[]【】()（）：:，,。|".contains(letter)
}

fn strong(word: Option<Word>) -> Option<Word> {
    word.filter(|word| matches!(word, Word::Firing | Word::Resolved))
}

/// What the last word says.
fn last_state(text: &str) -> Option<Word> {
    let text = text.trim_end_matches(is_cut);
    let word = text.rsplit(is_cut).next()?;
    strong(colour(word).or_else(|| lexicon::exact(word)).or_else(|| lexicon::han(word)))
}

fn first_state(text: &str) -> Option<Word> {
    let text = text.trim_start_matches(is_cut);
    let word = text.split(is_cut).next()?;
    strong(colour(word).or_else(|| lexicon::exact(word)))
}

fn colour(word: &str) -> Option<Word> {
    match word.to_lowercase().as_str() {
        "green" | "绿色" => Some(Word::Resolved),
        "red" | "yellow" | "orange" | "红色" | "黄色" | "下线" | "已下线" => Some(Word::Firing),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::title::read;

    #[test]
    fn an_end_that_is_taken_back_is_none() {
        for line in [
            "Finished: FAILURE",
            "Finished: UNSTABLE",
            "正常 → 告警",
            "状态：正常 -> 故障",
            "OK -> CRITICAL",
            "[OK -> ALERTING] x",
            "Up -> Down",
            "healthy -> unhealthy",
            "上线 → 下线",
            "green -> red",
            "Resolved -> Firing",
            "完成：失败",
            "任务完成：失败 3 个",
            "恢复：失败",
            "completed: failed",
            "Test OK: 3 failed",
            "Success | Failure",
            "Backup completed with errors",
            "Job finished with exit code 1",
            "OK but slow",
            "RESOLVED: 0 FIRING: 3",
            "success=0 fail=5",
            "正常: 18 异常: 2",
            "已恢复 0 条，告警 3 条",
            "已关闭 0 / 未关闭 3",
            "✅ 0 ❌ 5",
            "normal: 2, critical: 5",
        ] {
            assert_eq!(read(line).state, Some(Word::Firing), "{line}");
        }
        for line in [
            "Resolved: no",
            "resolved: false",
            "已恢复：否",
            "ok: false",
            "closed: false",
            "passed: 0",
            "清除：否",
            "Resolved at: -",
            "Recovered 0 of 5",
            "OK? no",
        ] {
            assert_ne!(read(line).says(), Some(Word::Resolved), "{line}");
        }
        // Controls.
        for line in [
            "告警 → 正常",
            "CRITICAL -> OK",
            "恢复：夜间对账失败",
            "OK | Memory error",
            "RESOLVED | Disk failed",
            "backup of db-3 completed, 0 errors",
            "0 failed, 12 passed",
            "数据库备份完成，失败 0 个",
            "[web] [✅ Up] 200 - OK",
            "Resolved: ticket 4711 is overdue",
            "恢复：【P1】磁盘将满",
        ] {
            assert_eq!(read(line).says(), Some(Word::Resolved), "{line}");
        }
    }
}
