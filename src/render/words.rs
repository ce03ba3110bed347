//! The words of messages in both languages, and times in a readable form.

use jiff::tz::TimeZone;
use jiff::{Timestamp as Instant, Zoned};

use crate::alert::{Alert, Timestamp, level_label};
use crate::config::Language;
use crate::level::Level;
use crate::subject::Kind;

/// What a message is about, most telling first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Firing,
    /// Still firing; upstream repeats it.
    Reminder,
    /// Some are resolved, some still firing.
    Partly,
    /// Resolved, as far as is known: upstream left some out.
    Unclear,
    Resolved,
    /// The rule cannot be evaluated.
    NoData,
    QueryError,
    /// Neither a fault nor its end.
    Notice,
    /// The test button of a contact point.
    Test,
    /// A body of unknown format, shown unchanged.
    Opaque,
}

impl State {
    /// The name in templates.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Reminder => "reminder",
            Self::Partly => "partly",
            Self::Unclear => "unclear",
            Self::Resolved => "resolved",
            Self::NoData => "no_data",
            Self::QueryError => "error",
            Self::Notice => "notice",
            Self::Test => "test",
            Self::Opaque => "opaque",
        }
    }

    /// Is it over, as far as we were told?
    pub(super) const fn is_over(self) -> bool {
        matches!(self, Self::Resolved | Self::Unclear | Self::Test)
    }

    /// Does a value belong to it?
    pub(super) const fn shows_value(self) -> bool {
        matches!(self, Self::Firing | Self::Reminder | Self::Notice | Self::Partly)
    }

    /// The word in brackets before a line.
    pub(super) const fn word(self, language: Language) -> &'static str {
        let (zh, en) = match self {
            Self::Firing => ("告警", "ALERT"),
            Self::Reminder => ("仍在告警", "Still firing"),
            Self::Partly | Self::Unclear => ("部分恢复", "PART"),
            Self::Resolved => ("已恢复", "OK"),
            Self::NoData => ("无数据", "NO DATA"),
            Self::QueryError => ("查询失败", "QUERY"),
            Self::Notice | Self::Opaque => ("通知", "NOTE"),
            Self::Test => ("测试", "TEST"),
        };
        pick(language, zh, en)
    }

    /// The same in running text.
    pub(super) const fn said(self, language: Language) -> &'static str {
        let (zh, en) = match self {
            Self::Resolved => ("已恢复", "Resolved"),
            Self::NoData => ("无数据", "No data"),
            Self::QueryError => ("查询失败", "Query failed"),
            Self::Test => ("测试", "Test"),
            state => (state.word(Language::Zh), state.word(Language::En)),
        };
        pick(language, zh, en)
    }

    /// The colour in markdown of the first edition: `warning` orange-red, `info` green, `comment` grey, or none. Only
    /// what is critical is orange, so that the colour means something.
    pub(super) const fn color(self, weight: Weight) -> &'static str {
        match (self, weight) {
            (Self::Firing | Self::Reminder | Self::Partly | Self::Unclear, Weight::Red) => "warning",
            (Self::Resolved, _) => "info",
            (Self::Firing | Self::Reminder, Weight::Blue) | (Self::NoData | Self::QueryError | Self::Test, _) => {
                "comment"
            }
            _ => "",
        }
    }
}

/// The weight of an alert, as far as the usual words for severities tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    /// Critical, or no severity is given: an unneeded look is better than a missed one.
    Red,
    Yellow,
    Blue,
}

/// The sign of a firing alert's weight.
pub(super) const fn icon_of(weight: Weight) -> &'static str {
    match weight {
        Weight::Red => "🔴",
        Weight::Yellow => "🟡",
        Weight::Blue => "🔵",
    }
}

/// The severity of `alert` in a word of the receiver's language.
pub(super) fn grade_word(alert: &Alert, language: Language) -> &'static str {
    grade(alert.level(), level_label(&alert.labels).unwrap_or_default(), language)
}

/// A severity in a word: its level, or `said`, the sender's word, where the table does not know it.
pub fn grade(level: Option<Level>, said: &str, language: Language) -> &'static str {
    let (zh, en) = match (level, Weight::of(level, said)) {
        (Some(Level::Critical), _) => ("严重", "CRIT"),
        (Some(Level::Error), _) => ("重要", "MAJOR"),
        (Some(Level::Warning), _) => ("警告", "WARN"),
        (Some(Level::Info), _) | (None, Weight::Blue) => ("提示", "INFO"),
        // Without a known severity it is an alert, no more and no less.
        (None, _) => ("告警", "ALERT"),
    };
    pick(language, zh, en)
}

impl Weight {
    /// Smaller is graver.
    pub(super) const fn rank(self) -> u8 {
        match self {
            Self::Red => 0,
            Self::Yellow => 1,
            Self::Blue => 2,
        }
    }

    /// The weight of a level; `said` is the word itself where the table does not know it.
    pub(super) fn of(level: Option<Level>, said: &str) -> Self {
        match level {
            Some(Level::Warning) => Self::Yellow,
            Some(Level::Info) => Self::Blue,
            None if matches!(said.trim().to_lowercase().as_str(), "none" | "ok" | "normal") => Self::Blue,
            Some(Level::Critical | Level::Error) | None => Self::Red,
        }
    }
}

pub(super) const fn pick(language: Language, zh: &'static str, en: &'static str) -> &'static str {
    match language {
        Language::Zh => zh,
        Language::En => en,
    }
}

/// What parts of this kind are called above a column and in a row of a card: at most five characters.
pub(super) const fn title_of(kind: Option<Kind>, language: Language) -> &'static str {
    let (zh, en) = match kind {
        Some(Kind::Namespace | Kind::Pod) => ("Pod", "Pod"),
        Some(Kind::Container) => ("容器", "Cont."),
        Some(Kind::Workload) => ("负载", "Load"),
        Some(Kind::Host) => ("主机", "Host"),
        Some(Kind::Component) => ("部件", "Part"),
        Some(Kind::Address) => ("地址", "URL"),
        Some(Kind::Gpu) => ("显卡", "GPU"),
        Some(Kind::Queue) => ("队列", "Queue"),
        Some(Kind::Database) => ("数据库", "DB"),
        Some(Kind::Cloud) => ("实例", "Inst."),
        Some(Kind::Backend) => ("后端", "Back"),
        Some(Kind::Service) => ("服务", "App"),
        Some(Kind::Route) => ("接口", "Route"),
        Some(Kind::Place) => ("位置", "Place"),
        Some(Kind::Qualifier) => ("状态", "State"),
        Some(Kind::Named) | None => ("对象", "What"),
    };
    pick(language, zh, en)
}

/// What a part of a machine is called, by the label that it came from.
pub(super) fn title_of_component(label: &str, language: Language) -> &'static str {
    let plain: String = label.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
    let (zh, en) = match plain.as_str() {
        "mountpoint" | "mount" | "path" => ("挂载点", "Mount"),
        "volume" => ("卷", "Vol."),
        "ifname" | "ifdescr" | "ifalias" | "interface" | "nic" | "master" => ("接口", "Port"),
        "disk" => ("磁盘", "Disk"),
        "sensor" | "chip" => ("传感器", "Probe"),
        _ => return title_of(Some(Kind::Component), language),
    };
    pick(language, zh, en)
}

/// What several parts of this kind are called: with the Chinese classifier, and in English.
pub(super) const fn plural(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Namespace | Kind::Pod => ("个 Pod", "pods"),
        Kind::Container => ("个容器", "containers"),
        Kind::Workload => ("个负载", "workloads"),
        Kind::Host => ("台主机", "hosts"),
        Kind::Component => ("个部件", "parts"),
        Kind::Address => ("个地址", "addresses"),
        Kind::Gpu => ("张显卡", "GPUs"),
        Kind::Queue => ("个队列", "queues"),
        Kind::Database => ("个库表", "databases"),
        Kind::Cloud => ("个实例", "instances"),
        Kind::Backend => ("个后端", "backends"),
        Kind::Service => ("个服务", "services"),
        Kind::Route => ("个接口", "routes"),
        Kind::Place => ("处", "places"),
        Kind::Qualifier => ("种", "kinds"),
        Kind::Named => ("个", "others"),
    }
}

/// A reader's clock: now, in the reader's zone and language.
#[derive(Debug, Clone, Copy)]
pub struct Clock<'a> {
    /// The time of reading.
    pub now: Timestamp,
    /// The zone in which times are read.
    pub zone: &'a TimeZone,
    /// The language of the words between them.
    pub language: Language,
}

const DAY: i64 = 86_400_000;

impl Clock<'_> {
    fn zoned(&self, at: Timestamp) -> Option<Zoned> {
        Instant::from_millisecond(at.0).ok().map(|instant| instant.to_zoned(self.zone.clone()))
    }

    /// `14:02` today, with as much of the date before it as is needed on another day. `None` outside of the
    /// years that a calendar has.
    pub fn time(&self, at: Timestamp) -> Option<String> {
        let (then, now) = (self.zoned(at)?, self.zoned(self.now)?);
        let clock = format!("{:02}:{:02}", then.hour(), then.minute());
        if then.date() == now.date() {
            return Some(clock);
        }
        if now.date().yesterday().is_ok_and(|yesterday| yesterday == then.date()) {
            return Some(format!("{} {clock}", pick(self.language, "昨天", "yesterday")));
        }
        Some(match (self.language, then.year() == now.year()) {
            (Language::Zh, true) => format!("{}月{}日 {clock}", then.month(), then.day()),
            (Language::En, true) => {
                format!("{} {} {clock}", then.day(), MONTHS[usize::from(then.month().unsigned_abs() - 1)])
            }
            (_, false) => format!("{} {clock}", then.date()),
        })
    }

    /// From `start` to `end` in words, in two units at most; empty if it is negative or more than ten years: then a
    /// clock is wrong, and a wrong number does not help.
    pub fn duration(&self, start: Timestamp, end: Timestamp) -> String {
        let millis = end.millis_since(start);
        if !(0..3650 * DAY).contains(&millis) {
            return String::new();
        }
        let seconds = millis / 1000;
        let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
        let zh = self.language == Language::Zh;
        let units = if zh { [" 天", " 小时", " 分", " 秒"] } else { [" d", " h", " min", " s"] };
        let two = |big: i64, small: i64, unit: usize| {
            let small = if small > 0 { format!(" {small}{}", units[unit + 1]) } else { String::new() };
            format!("{big}{}{small}", units[unit])
        };
        match (days, hours, minutes) {
            (0, 0, 0) => format!("{seconds}{}", units[3]),
            (0, 0, _) if zh => format!("{minutes} 分钟"),
            (0, 0, _) => format!("{minutes} min"),
            (0, _, _) => two(hours, minutes % 60, 1),
            _ => two(days, hours % 24, 0),
        }
    }

    /// `自 14:02`; empty outside of the years that a calendar has.
    pub fn begun(&self, start: Timestamp) -> String {
        self.time(start).map(|time| format!("{} {time}", pick(self.language, "自", "since"))).unwrap_or_default()
    }

    /// `自 14:02（12 分钟）` of something that goes on.
    pub fn since(&self, start: Timestamp) -> String {
        let begun = self.begun(start);
        if begun.is_empty() {
            return begun;
        }
        let mut duration = self.duration(start, self.now);
        if (0..60_000).contains(&self.now.millis_since(start)) {
            pick(self.language, "刚刚", "just now").clone_into(&mut duration);
        }
        if duration.is_empty() { begun } else { begun + &brackets(self.language, &duration) }
    }

    /// `14:02:31`, with as much of the date before it as is needed; empty outside of the years that a calendar has.
    pub fn exact(&self, at: Timestamp) -> String {
        let (Some(time), Some(then)) = (self.time(at), self.zoned(at)) else { return String::new() };
        format!("{time}:{:02}", then.second())
    }

    /// `14:02（12 分钟前）` of something that happened; empty outside of the years that a calendar has.
    pub fn ago(&self, at: Timestamp) -> String {
        let Some(time) = self.time(at) else { return String::new() };
        let ago = match (self.language, self.duration(at, self.now)) {
            (_, none) if none.is_empty() => return time,
            (language, _) if self.now.millis_since(at) < 60_000 => pick(language, "刚刚", "just now").to_owned(),
            (Language::Zh, duration) => format!("{duration}前"),
            (Language::En, duration) => format!("{duration} ago"),
        };
        format!("{time}{}", brackets(self.language, &ago))
    }

    /// `16:40（还剩 30 分钟）` of something that ends then.
    pub fn until(&self, end: Timestamp) -> String {
        let Some(time) = self.time(end) else { return String::new() };
        let left = match (self.language, self.duration(self.now, end)) {
            (_, none) if none.is_empty() => return time,
            (Language::Zh, duration) => format!("还剩 {duration}"),
            (Language::En, duration) => format!("{duration} left"),
        };
        format!("{time}{}", brackets(self.language, &left))
    }

    /// `03:14–03:32`; empty outside of the years that a calendar has.
    pub fn range(&self, start: Timestamp, end: Timestamp) -> String {
        let (Some(from), Some(until)) = (self.time(start), self.time(end)) else { return String::new() };
        if from == until {
            return from;
        }
        // `昨天 23:50–00:10` reads well; a date twice does not.
        let until = match (self.zoned(start), self.zoned(end)) {
            (Some(start), Some(end)) if start.date() == end.date() => {
                format!("{:02}:{:02}", end.hour(), end.minute())
            }
            _ => until,
        };
        format!("{from}–{until}")
    }

    /// `持续 18 分钟（03:14–03:32）` of something that is over.
    pub fn lasted(&self, start: Timestamp, end: Timestamp) -> String {
        let (duration, range) = (self.duration(start, end), self.range(start, end));
        match (self.language, duration.is_empty()) {
            _ if range.is_empty() => String::new(),
            (_, true) => self.ended(end),
            (Language::Zh, false) => format!("持续 {duration}（{range}）"),
            (Language::En, false) => format!("lasted {duration} ({range})"),
        }
    }

    /// `03:32 恢复` of a resolved alert with an unknown start.
    pub fn ended(&self, end: Timestamp) -> String {
        match (self.language, self.time(end)) {
            (_, None) => String::new(),
            (Language::Zh, Some(time)) => format!("{time} 恢复"),
            (Language::En, Some(time)) => format!("over at {time}"),
        }
    }
}

/// `number` as a person reads it: `1,284`.
pub fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `aside` in brackets, as it follows a word.
pub(super) fn brackets(language: Language, aside: &str) -> String {
    match language {
        Language::Zh => format!("（{aside}）"),
        Language::En => format!(" ({aside})"),
    }
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp(text.parse::<Instant>().unwrap().as_millisecond())
    }

    fn clock(zone: &TimeZone, language: Language) -> Clock<'_> {
        Clock { now: at("2026-03-01T06:14:00Z"), zone, language }
    }

    #[test]
    fn what_happened_and_what_ends_have_their_time_and_how_far_it_is() {
        let zone = TimeZone::UTC;
        let (zh, en) = (clock(&zone, Language::Zh), clock(&zone, Language::En));
        let (past, soon) = (at("2026-03-01T06:02:31Z"), at("2026-03-01T06:44:00Z"));
        assert_eq!((zh.ago(past), en.ago(past)), ("06:02（11 分钟前）".into(), "06:02 (11 min ago)".into()));
        assert_eq!((zh.ago(zh.now), zh.ago(soon)), ("06:14（刚刚）".into(), "06:44".into()));
        assert_eq!((zh.until(soon), en.until(soon)), ("06:44（还剩 30 分钟）".into(), "06:44 (30 min left)".into()));
        assert_eq!((zh.until(past), zh.exact(past)), ("06:02".into(), "06:02:31".into()));
        assert_eq!(en.exact(at("2026-02-28T06:02:31Z")), "yesterday 06:02:31");
        let beyond = Timestamp(i64::MAX);
        assert_eq!((zh.ago(beyond), zh.until(beyond), zh.exact(beyond)), Default::default());
    }

    #[test]
    fn durations_are_in_words_and_in_two_units_at_most() {
        let zone = TimeZone::UTC;
        let (zh, en) = (clock(&zone, Language::Zh), clock(&zone, Language::En));
        for (seconds, chinese, english) in [
            (0, "0 秒", "0 s"),
            (45, "45 秒", "45 s"),
            (720, "12 分钟", "12 min"),
            (7500, "2 小时 5 分", "2 h 5 min"),
            (7200, "2 小时", "2 h"),
            (273_600, "3 天 4 小时", "3 d 4 h"),
            (-5, "", ""),
            (400_000_000, "", ""),
        ] {
            let end = zh.now.plus_millis(seconds * 1000);
            assert_eq!(zh.duration(zh.now, end), chinese);
            assert_eq!(en.duration(en.now, end), english);
        }
    }

    #[test]
    fn a_time_has_as_much_date_as_it_needs_in_the_zone_of_the_reader() {
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        let (zh, en) = (clock(&zone, Language::Zh), clock(&zone, Language::En));
        assert_eq!(zh.since(at("2026-03-01T06:02:00Z")), "自 14:02（12 分钟）");
        assert_eq!(en.since(at("2026-02-28T15:50:00Z")), "since yesterday 23:50 (14 h 24 min)");
        assert_eq!(zh.since(at("2026-03-01T06:13:30Z")), "自 14:13（刚刚）");
        assert_eq!(zh.time(at("2026-02-03T01:00:00Z")).unwrap(), "2月3日 09:00");
        assert_eq!(en.time(at("2026-02-03T01:00:00Z")).unwrap(), "3 Feb 09:00");
        assert_eq!(zh.time(at("2025-02-03T01:00:00Z")).unwrap(), "2025-02-03 09:00");
        assert_eq!(
            zh.lasted(at("2026-02-28T15:50:00Z"), at("2026-02-28T16:10:00Z")),
            "持续 20 分钟（昨天 23:50–00:10）"
        );
    }

    #[test]
    fn large_numbers_have_commas() {
        for (value, words) in
            [(0, "0"), (999, "999"), (1284, "1,284"), (100_000, "100,000"), (12_345_678, "12,345,678")]
        {
            assert_eq!(number(value), words);
        }
    }

    #[test]
    fn odd_times_are_shown_as_given_or_not_at_all() {
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        let zh = clock(&zone, Language::Zh);
        assert_eq!(zh.since(zh.now.plus_millis(60_000)), "自 14:15", "a start in the future has no duration");
        assert_eq!(zh.since(Timestamp(0)), "自 1970-01-01 08:00");
        assert_eq!(zh.since(Timestamp(i64::MAX)), "");
        assert_eq!(zh.lasted(Timestamp(i64::MIN), Timestamp(i64::MAX)), "");
        assert_eq!(zh.lasted(zh.now, zh.now.plus_millis(-1000)), "14:13 恢复");
    }
}
