//! How much the alerts of a week asked of people. Nothing on the page is about one person.

use askama::Template;

use super::desk::Desk;
use super::frame::Frame;
use super::letter::one_line;
use super::words;
use crate::render::number;
use crate::stats::{FEW, Report, Sums, Week};
use crate::words::Words;

/// Rules that are listed.
const RULES: usize = 50;
/// What a figure of too few is.
const NONE: &str = "–";
/// The drawing of the days: a column for each, and the rows in which bars begin and end.
const COLUMN: u64 = 40;
const BAR: u64 = 26;
const TOP: u64 = 18;
const BOTTOM: u64 = 108;

/// A week, and what it is compared with.
#[derive(Debug)]
pub struct Noise<'a> {
    /// Which week.
    pub week: Week,
    /// It is not over: the report before is of the same part of that week.
    pub ongoing: bool,
    /// Days of it that have begun.
    pub begun: usize,
    /// Of this receiver alone.
    pub receiver: Option<&'a str>,
    pub report: &'a Report,
    /// That of the week before.
    pub before: &'a Report,
}

/// How much a week asked.
#[derive(Debug, Template)]
#[template(path = "console/noise.html")]
pub struct NoisePage<'a> {
    f: Frame<'a>,
    desk: Desk,
    heading: String,
    remarks: Vec<String>,
    figures: Vec<Figure>,
    bars: Vec<Bar>,
    heard: String,
    rules_heading: String,
    rules: Vec<Row>,
    rest: String,
    receivers: Vec<Row>,
    sources: Vec<Row>,
    /// To other weeks and receivers: address below the top of the site, text.
    ways: Vec<(String, String)>,
}

/// A sum with the one of the week before.
#[derive(Debug)]
struct Figure {
    name: String,
    text: String,
    was: String,
}

/// A day of the drawing, in its units.
#[derive(Debug, PartialEq, Eq)]
struct Bar {
    name: String,
    count: String,
    x: u64,
    middle: u64,
    top: u64,
    height: u64,
    night_top: u64,
    night_height: u64,
}

/// A row of a table.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    name: String,
    /// Where the name leads; empty if nowhere.
    link: String,
    cells: Vec<String>,
    /// Why it is worth changing; empty if it is not.
    advice: String,
}

impl<'a> NoisePage<'a> {
    /// Of a week.
    pub fn new(f: Frame<'a>, desk: Desk, noise: &Noise<'_>) -> Self {
        let say = |words: Words| f.say(words).into_owned();
        let Noise { week, report, before, .. } = noise;
        let day = |day: jiff::civil::Date| day.strftime("%m-%d").to_string();
        let mut heading = say(words::week(week.number(), &day(week.monday), &day(week.sunday())));
        if let Some(receiver) = noise.receiver {
            heading = format!("{heading} · {}", one_line(receiver));
        }
        let quiet = report.all == Sums::default() && report.needless == 0;
        let remarks = [
            (quiet, words::QUIET_WEEK),
            (noise.ongoing, words::NOT_OVER),
            (report.cut || before.cut, words::NOT_WHOLE),
        ];
        let worth = report.rules.iter().filter(|rule| rule.advice.is_some()).count();
        Self {
            heading,
            remarks: remarks.into_iter().filter(|(holds, _)| *holds).map(|(_, text)| say(text)).collect(),
            figures: figures(&f, report, before),
            bars: bars(&f, &report.days, noise.begun),
            heard: heard(&f, report.days.get(..noise.begun).unwrap_or(&report.days)),
            rules_heading: say(words::rules_worth(&number(report.rules.len() as u64), worth)),
            rules: rules(&f, report),
            rest: rest(&f, report),
            receivers: receivers(&f, *week, report),
            sources: sources(&f, report),
            ways: ways(&f, noise),
            desk,
            f,
        }
    }

    /// The height of the drawing.
    const fn height() -> u64 {
        BOTTOM + 20
    }

    /// The width of a bar.
    const fn bar() -> u64 {
        BAR
    }

    /// Where the lines of text of the drawing begin: the foot of the bars, and the names of the days below.
    const fn feet() -> (u64, u64) {
        (BOTTOM, BOTTOM + 15)
    }
}

fn figures(f: &Frame<'_>, report: &Report, before: &Report) -> Vec<Figure> {
    let say = |words: Words| f.say(words).into_owned();
    let sum = |name: Words, of: fn(&Sums) -> u64| {
        let (now, was) = (of(&report.all), of(&before.all));
        Figure { name: say(name), text: number(now), was: say(words::was(&number(was), &change(now, was))) }
    };
    let share = |report: &Report| report.taken_percent.map_or_else(|| NONE.to_owned(), |taken| percent(100 - taken));
    let untaken = Figure { name: say(words::UNTAKEN), text: share(report), was: say(words::was(&share(before), "")) };
    let needless = Figure {
        name: say(words::CALLED_NEEDLESS),
        text: number(report.needless),
        was: say(words::was(&number(before.needless), &change(report.needless, before.needless))),
    };
    let unanswered = Figure {
        name: say(words::UNANSWERED),
        text: number(report.unanswered),
        was: say(words::was(&number(before.unanswered), &change(report.unanswered, before.unanswered))),
    };
    let span = |name: Words, of: fn(&Report) -> Option<u64>| {
        let told = |report: &Report| of(report).map_or_else(|| NONE.to_owned(), |seconds| say(words::waited(seconds)));
        Figure { name: say(name), text: told(report), was: say(words::was(&told(before), "")) }
    };
    vec![
        sum(words::ALERTS, |sums| sums.fired),
        sum(words::MESSAGES, |sums| sums.sent),
        sum(words::at_night(), |sums| sums.night),
        untaken,
        span(words::UNTIL_TAKEN, |report| report.median_seconds),
        span(words::ON_FOR, |report| report.median_length_seconds),
        needless,
        unanswered,
        sum(words::IN_DIGESTS, |sums| sums.folded),
        sum(words::NOT_DELIVERED, |sums| sums.dead),
        sum(words::LATE, |sums| sums.late),
    ]
}

/// The change in percent, with its sign; empty where there was too little to compare with.
fn change(now: u64, before: u64) -> String {
    if before < FEW {
        return String::new();
    }
    let change = (now.abs_diff(before) * 100 + before / 2) / before;
    let sign = match now.cmp(&before) {
        _ if change == 0 => "±",
        std::cmp::Ordering::Less => "−",
        _ => "+",
    };
    format!("{sign}{}", percent(change))
}

fn percent(value: u64) -> String {
    format!("{} %", number(value))
}

/// Bars as high as their share of the fullest day, with the night at the foot. What happened at all is seen, and a day that
/// has not begun has no count.
fn bars(f: &Frame<'_>, days: &[Sums], begun: usize) -> Vec<Bar> {
    let most = days.iter().map(|day| day.fired).max().unwrap_or(0).max(1);
    let room = BOTTOM - TOP;
    let scaled = |value: u64| if value == 0 { 0 } else { (value * room / most).max(2) };
    let bar = |(index, (day, name)): (u64, (&Sums, Words))| {
        let (height, night_height) = (scaled(day.fired), scaled(day.night).min(scaled(day.fired)));
        let x = index * COLUMN;
        let has_begun = index < begun as u64;
        Bar {
            name: f.say(name).into_owned(),
            count: if has_begun { number(day.fired) } else { String::new() },
            x: x + (COLUMN - BAR) / 2,
            middle: x + COLUMN / 2,
            top: BOTTOM - height,
            height,
            night_top: BOTTOM - night_height,
            night_height,
        }
    };
    (0..).zip(days.iter().zip(words::WEEKDAYS)).map(bar).collect()
}

/// The drawing for those who hear the page.
fn heard(f: &Frame<'_>, days: &[Sums]) -> String {
    let said = days.iter().zip(words::WEEKDAYS);
    let said = said.map(|(day, name)| f.say(words::day(&name, &number(day.fired), &number(day.night))).into_owned());
    format!("{}: {}", f.say(words::BY_DAY), said.collect::<Vec<_>>().join(", "))
}

fn rules(f: &Frame<'_>, report: &Report) -> Vec<Row> {
    let none = || NONE.to_owned();
    let row = |rule: &crate::stats::Rule| Row {
        name: one_line(&rule.name),
        link: String::new(),
        cells: vec![
            number(rule.fired),
            number(rule.night),
            rule.taken_percent.map_or_else(none, percent),
            rule.median_seconds.map_or_else(none, |seconds| f.say(words::waited(seconds)).into_owned()),
            number(rule.most_changes),
            number(rule.needless),
        ],
        advice: rule.advice.map(|advice| f.say(words::advice(advice)).into_owned()).unwrap_or_default(),
    };
    report.rules.iter().take(RULES).map(row).collect()
}

/// What is said of the rules that are not listed.
fn rest(f: &Frame<'_>, report: &Report) -> String {
    let rest = report.rules.get(RULES..).unwrap_or_default();
    if rest.is_empty() {
        return String::new();
    }
    let fired = rest.iter().map(|rule| rule.fired).sum();
    f.say(words::rest(&number(rest.len() as u64), &number(fired))).into_owned()
}

fn receivers(f: &Frame<'_>, week: Week, report: &Report) -> Vec<Row> {
    let row = |sums: &Sums| Row {
        name: one_line(&sums.name),
        link: address(f, week, Some(&sums.name)),
        cells: [sums.sent, sums.dead, sums.folded, sums.fired, sums.night].map(number).into(),
        advice: String::new(),
    };
    report.receivers.iter().map(row).collect()
}

fn sources(f: &Frame<'_>, report: &Report) -> Vec<Row> {
    let row = |sums: &Sums| Row {
        name: one_line(&sums.name),
        link: String::new(),
        cells: vec![f.say(words::of_source(&number(sums.fired), &number(sums.night))).into_owned()],
        advice: String::new(),
    };
    report.sources.iter().map(row).collect()
}

fn ways(f: &Frame<'_>, noise: &Noise<'_>) -> Vec<(String, String)> {
    let say = |words: Words| f.say(words).into_owned();
    let mut ways = vec![(address(f, noise.week.before(), noise.receiver), say(words::WEEK_BEFORE))];
    if !noise.ongoing {
        ways.push((address(f, noise.week.after(), noise.receiver), say(words::WEEK_AFTER)));
    }
    if noise.receiver.is_some() {
        ways.push((address(f, noise.week, None), say(words::ALL_RECEIVERS)));
    }
    let table = address(f, noise.week, noise.receiver);
    ways.push((format!("{table}&csv=true"), say(words::AS_TABLE)));
    ways
}

/// The page of a week in the language of this one, below the top of the site.
fn address(f: &Frame<'_>, week: Week, receiver: Option<&str>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    if let Some(receiver) = receiver {
        query.append_pair("receiver", receiver);
    }
    format!("noise/{week}?{}", query.append_pair("lang", f.language.as_str()).finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::View;
    use crate::stats::{Advice, Rule};
    use crate::words::Language;

    fn frame(language: Language) -> Frame<'static> {
        Frame::new(language, "../", "?lang=x".to_owned(), View::default())
    }

    fn desk() -> Desk {
        let text = || "x".to_owned();
        Desk {
            here: "noise",
            live: "",
            person: text(),
            nonce: text(),
            proof: text(),
            all: false,
            change: false,
            plain: false,
        }
    }

    fn rule(name: &str, fired: u64, advice: Option<Advice>) -> Rule {
        let name = name.to_owned();
        let known = Rule { night: 1, taken_percent: Some(80), median_seconds: Some(540), ..Rule::default() };
        Rule { name, fired, most_changes: 2, needless: 4, advice, ..known }
    }

    fn sums(name: &str, fired: u64, night: u64, sent: u64) -> Sums {
        Sums { name: name.to_owned(), fired, night, sent, ..Sums::default() }
    }

    fn report(fired: u64, taken_percent: Option<u64>, rules: Vec<Rule>) -> Report {
        let days =
            (0..7).map(|day| sums("", if day == 2 { fired } else { 0 }, if day == 2 { 3 } else { 0 }, 0)).collect();
        let receivers = vec![sums("dba", fired, 3, 9), sums("运维 &值班", 1, 0, 1)];
        Report { all: sums("", fired, 3, fired), taken_percent, rules, receivers, days, ..Report::default() }
    }

    fn html(language: Language, ongoing: bool, receiver: Option<&str>, report: &Report, before: &Report) -> String {
        let week = Week::parse("2026-W48").unwrap();
        let noise = Noise { week, ongoing, begun: if ongoing { 3 } else { 7 }, receiver, report, before };
        NoisePage::new(frame(language), desk(), &noise).render().unwrap()
    }

    #[test]
    fn a_week_is_told_with_its_change_and_says_what_is_worth_changing() {
        let now = report(412, Some(69), vec![rule("磁盘将满", 96, None), rule("<b>CPU", 61, Some(Advice::Flapping))]);
        let before = report(502, None, vec![]);
        let zh = html(Language::Zh, false, None, &now, &before);
        for text in [
            "第 48 周（11-23 至 11-29）",
            "−18 %，前一周 502",
            "31 %",
            "前一周 –",
            "规则 2，值得改 1",
            "&#60;b&#62;CPU",
            "值得改：至少 3 次有人说不该叫醒人，或者一周至少 20 次而认领的不到 5 %，或者一小时里反复至少 5 次。",
            "<td>4</td>",
            "80 %",
            "9 分",
            "周三 412（夜里 3）",
            "../noise/2026-W47?lang=zh",
            "../noise/2026-W49?lang=zh",
            "receiver=%E8%BF%90%E7%BB%B4+%26%E5%80%BC%E7%8F%AD",
        ] {
            assert!(zh.contains(text), "{text}: {zh}");
        }
        assert_eq!(zh.matches("class=\"chip worth\"").count(), 1);
        assert!(!zh.contains("style=") && !zh.contains("还没过完"), "{zh}");
        let en = html(Language::En, true, Some("dba"), &now, &before);
        for text in [
            "Week 48 (11-23 to 11-29) · dba",
            "−18 %, was 502",
            "This week is not over",
            "Tue 0 (0 at night), Wed 412 (3 at night)\"",
            "All receivers",
        ] {
            assert!(en.contains(text), "{text}: {en}");
        }
        assert!(!en.contains("2026-W49") && en.contains("2026-W47?receiver=dba&#38;lang=en"), "{en}");
    }

    #[test]
    fn a_quiet_week_says_so_and_draws_nothing() {
        let quiet =
            Report { days: vec![Sums::default(); 7], ..Report { all: Sums::default(), ..report(0, None, vec![]) } };
        let html = html(Language::Zh, false, None, &quiet, &quiet);
        assert!(html.contains("这一周没有告警") && !html.contains("<rect"), "{html}");
    }

    #[test]
    fn a_change_is_told_only_where_there_was_enough_to_compare_with() {
        for (now, before, told) in [
            (412, 502, "−18 %"),
            (502, 412, "+22 %"),
            (5, 5, "±0 %"),
            (0, 5, "−100 %"),
            (1_000, 5, "+19,900 %"),
            (9, 4, ""),
            (0, 0, ""),
            (999, 1_000, "±0 %"),
        ] {
            assert_eq!(change(now, before), told, "{now} {before}");
        }
    }

    #[test]
    fn bars_fill_the_drawing_and_none_leaves_it() {
        let days = [sums("", 1_000, 250, 0), sums("", 1, 1, 0), sums("", 0, 0, 0), sums("", 500, 0, 0)];
        let drawn = bars(&frame(Language::En), &days, 3);
        let line = |bar: &Bar| (bar.x, bar.top, bar.height, bar.night_top, bar.night_height);
        assert_eq!(
            drawn.iter().map(line).collect::<Vec<_>>(),
            [(7, 18, 90, 86, 22), (47, 106, 2, 106, 2), (87, 108, 0, 108, 0), (127, 63, 45, 108, 0)]
        );
        assert_eq!(drawn.iter().map(|bar| &*bar.count).collect::<Vec<_>>(), ["1,000", "1", "0", ""]);
        assert!(bars(&frame(Language::En), &[], 7).is_empty());
    }

    #[test]
    fn rules_that_are_not_listed_are_counted() {
        let many = (0..60).map(|at| rule(&format!("r{at}"), 2, None)).collect();
        let html = html(Language::Zh, false, None, &report(120, None, many), &report(0, None, vec![]));
        assert!(html.contains("r49") && !html.contains("r50") && html.contains("另有 10 条规则，共 20 次。"), "{html}");
    }
}
