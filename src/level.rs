//! Levels of alerts: one table of the words that senders use, preceded by the user's own words.
//!
//! People read and routes match the word as sent; the level only ranks: lanes, `only: critical`, colours, the reserve
//! of a budget.

mod spelling;

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use spelling::simplified;

/// A rank that every sender's words are brought to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Worth knowing.
    Info,
    /// Worth a look.
    Warning,
    /// Something is broken.
    Error,
    /// Told before everything else.
    Critical,
}

impl Level {
    /// The name in the configuration and in templates.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }

    /// The level of a word in the shipped table; `None` for a word without a level.
    pub fn of(said: &str) -> Option<Self> {
        Levels::shipped().of(said)
    }
}

/// Labels and members that contain a level, in order of precedence, in the form of [`plain_name`].
pub const NAMES: &[&str] = &[
    "severity",
    "severitylevel",
    "alertseverity",
    "eventseverity",
    "level",
    "levelname",
    "alertlevel",
    "alarmlevel",
    "triggerlevel",
    "severityname",
    "stringseverity",
    "severitytext",
    "triggertype",
    "priority",
    "urgency",
    "importance",
    "criticality",
    "impact",
    "grade",
    "dfstatus",
    "级别",
    "等级",
    "告警级别",
    "告警等级",
    "严重程度",
    "严重性",
    "优先级",
    "报警级别",
    "事件级别",
    "incidentseverity",
    "problemseverity",
    "triggerseverity",
    "alarmseverity",
    "alarmseverityname",
    "perceivedseverity",
    "severitylabel",
    "noticelevel",
    "alarmgrade",
    "alarmlevelname",
    "alarmleveldesc",
    "alertlevelname",
    "eventlevel",
    "risklevel",
    "threatlevel",
    "faultlevel",
    "alertpriority",
    "incidentpriority",
    "严重级别",
    "严重等级",
    "报警等级",
    "故障级别",
    "故障等级",
    "事件等级",
    "预警级别",
    "预警等级",
    "风险等级",
    "威胁等级",
    "危险等级",
    "重要程度",
    "紧急程度",
    "重要度",
    "深刻度",
];

/// A longer value is a sentence, not a level.
const LONGEST: usize = 32;

const CRITICAL: &str = "critical crit fatal emergency emerg panic disaster page paging p0 p1 s0 s1 sev0 sev1 blocker \
    urgent highest high veryhigh catastrophic 致命 灾难 紧急 严重 特别严重 非常严重 重大 特大 极高 最高 高 高级 高危 一级 1级 \
    i级 红色 停服 特急 危急 超高危 immediate yanzhong jinji zhiming";
const ERROR: &str = "error err major severe serious p2 s2 sev2 重要 错误 主要 较大 二级 2级 ii级 橙色 zhongyao";
const WARNING: &str = "warning warn minor medium moderate average degraded p3 s3 sev3 警告 预警 警示 次要 中 中级 中危 \
    一般 一般严重 三级 3级 iii级 黄色 告警 报警 ciyao yiban";
const INFO: &str = "info information informational notice low lowest trivial debug notclassified verbose p4 p5 s4 s5 sev4 \
    sev5 信息 提示 提醒 通知 普通 低 低级 低危 轻微 注意 四级 五级 蓝色 未分类 tishi";

/// Suffixes that do not change a level.
const TAILS: [&str; 6] = ["告警", "报警", "级别", "事件", "问题", "通知"];

/// The shipped table, preceded by the user's words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Levels {
    own: BTreeMap<String, Level>,
}

static NONE: Levels = Levels { own: BTreeMap::new() };

static WORDS: LazyLock<HashMap<&'static str, Level>> = LazyLock::new(|| {
    let words = [(CRITICAL, Level::Critical), (ERROR, Level::Error), (WARNING, Level::Warning), (INFO, Level::Info)];
    words.into_iter().flat_map(|(words, level)| words.split_whitespace().map(move |word| (word, level))).collect()
});

impl Levels {
    /// The shipped table alone.
    pub fn shipped() -> &'static Self {
        &NONE
    }

    /// The user's words, which win over the shipped ones.
    pub fn new(own: impl IntoIterator<Item = (String, Level)>) -> Self {
        Self { own: own.into_iter().map(|(word, level)| (joined(&word), level)).collect() }
    }

    /// The level of a sender's text: of the whole, else the worst of its words. A bare number has no level: one
    /// product's 1 is another's 5, so only a mapping or the user can give it a meaning.
    pub fn of(&self, said: &str) -> Option<Level> {
        // Markup is not a word; its content had another purpose.
        if said.chars().nth(LONGEST).is_some() || said.contains(['<', '>']) {
            return None;
        }
        let said = simplified(&half_width(said)).to_lowercase();
        if let Some(level) = self.word(&joined(&said)) {
            return Some(level);
        }
        words(&said).filter_map(|word| self.word(word)).max()
    }

    fn word(&self, word: &str) -> Option<Level> {
        let known = |word: &str| self.own.get(word).or_else(|| WORDS.get(word)).copied();
        known(word).or_else(|| TAILS.iter().find_map(|tail| known(word.strip_suffix(tail)?)))
    }
}

/// Letters and digits only: `Not classified` and `SEV-1` are `notclassified` and `sev1`.
fn joined(text: &str) -> String {
    if text.is_ascii() {
        let letters = text.bytes().filter(u8::is_ascii_alphanumeric);
        return letters.map(|letter| char::from(letter.to_ascii_lowercase())).collect();
    }
    simplified(&half_width(text)).to_lowercase().chars().filter(|letter| letter.is_alphanumeric()).collect()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty())
}

/// Full-width letters, digits and signs as their ASCII twins.
pub fn half_width(text: &str) -> String {
    text.chars()
        .map(|letter| match letter {
            '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(letter) - 0xFEE0).unwrap_or(letter),
            '\u{3000}' => ' ',
            other => other,
        })
        .collect()
}

/// A member's name in the form used by tables: lower case, letters, digits and Han only (`Alert_Name` is `alertname`).
pub fn plain_name(name: &str) -> String {
    let plain = if name.bytes().all(|byte| byte.is_ascii_lowercase()) { name.to_owned() } else { joined(name) };
    spelling::of_pinyin(&plain).unwrap_or(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_many_products_have_one_meaning() {
        for (level, words) in [
            (
                Level::Critical,
                "P0-致命|Critical |page|Sev0|S1|一级|高|urgent|EMERG|灾难|严重告警|紧急|SEV-1|Ｐ０|Disaster|Very High",
            ),
            (Level::Error, "MAJOR|重要|error|P2|二级|Sev 2|重要告警"),
            (Level::Warning, "一般严重|次要|Average|warn|P3|预警|告警|Sev3"),
            (Level::Info, "提示|普通告警|Not classified|notice|P5|低|Sev4|Information"),
        ] {
            for word in words.split('|') {
                assert_eq!(Level::of(word), Some(level), "{word}");
            }
        }
        for word in [
            "4",
            "",
            "none",
            "ok",
            "normal",
            "web-1",
            "磁盘使用率持续超过百分之九十五并且还在上升请尽快处理这个非常严重的问题",
        ] {
            assert_eq!(Level::of(word), None, "{word}");
        }
    }

    #[test]
    fn the_users_words_win() {
        let levels = Levels::new([("严重".to_owned(), Level::Error), ("T-0".to_owned(), Level::Critical)]);
        assert_eq!(levels.of("严重"), Some(Level::Error));
        assert_eq!(levels.of("严重告警"), Some(Level::Error));
        assert_eq!(levels.of("t0"), Some(Level::Critical));
        assert_eq!(levels.of("灾难"), Some(Level::Critical));
    }
}
